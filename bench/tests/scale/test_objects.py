"""A fleet is what an API server takes, and its releases have seven ticks."""

import jsonschema
import kubernetes_validate
from bench.scale import objects
from bench.scale.objects import Member
from services.controller.tests.api import kinds

from flagger_controller.api.canary import Canary

MEMBER = Member("ours-20-0", "app-3")


def test_members_have_a_place_of_their_own() -> None:
    members = objects.members("ours-60", 60)
    assert len(set(members)) == len({member.name for member in members}) == 60
    namespaces = [member.namespace for member in members]
    assert [namespaces.count(f"ours-60-{n}") for n in range(4)] == [25, 25, 10, 0]


def test_an_api_server_takes_the_application() -> None:
    body = objects.deployment(MEMBER, 1)
    kubernetes_validate.validate(body, "1.31", strict=True)
    other = objects.deployment(MEMBER, 2)
    assert body["spec"]["template"] != other["spec"]["template"] == objects.template(MEMBER, 2)


def test_an_api_server_takes_the_canary() -> None:
    body = objects.canary(MEMBER)
    (definition,) = (each for each in kinds.ours() if each["spec"]["names"]["kind"] == "Canary")
    jsonschema.validate(body, definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    metadata = {**body["metadata"], "namespace": MEMBER.namespace}
    canary = Canary.model_validate({**body, "metadata": metadata})
    assert canary.target == MEMBER.name
    assert canary.interval == objects.INTERVAL


def test_seven_ticks() -> None:
    """As the issue has it; `ticks a release` in the report says what it was."""
    assert objects.TICKS == 7
