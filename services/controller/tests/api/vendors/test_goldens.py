"""Every documented object is accepted by its vendor's schema, and comes back as no drift."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import yaml
from tools.cluster import settings
from tools.cluster.api import Api
from tools.cluster.controlplane import ControlPlane, Options

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref, Resource

from ...contract.routing.test_goldens import BREAK, CASES, GOLDENS, outcome
from ..kinds import PATH, await_served
from .definitions import all_for

pytestmark = [pytest.mark.api, pytest.mark.timeout(300)]
NAMESPACE = "shop"


def case_of(name: str) -> Any:
    return yaml.safe_load((GOLDENS / f"{name}.yaml").read_text().split(BREAK)[0])


def kinds() -> set[tuple[str, str]]:
    known = (value for value in vars(resources).values() if isinstance(value, Resource))
    return {(each.group, each.kind) for each in known}


@pytest.fixture(scope="module")
def vendors() -> Iterator[Api]:
    """An API server with the definitions of all vendors."""
    try:
        plane = ControlPlane.start(Options(controllers=False, audit=False))
    except settings.ClusterError as error:
        pytest.skip(f"no control plane: {error}")
    with plane, plane.client() as admin:
        admin.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        wanted = all_for(kinds())
        for body in wanted:
            admin.create(PATH, body)
        for body in wanted:
            await_served(admin, body)
        yield admin


def created(admin: Api, ref: Ref, body: Object, *, strict: bool) -> Object:
    """What the API server makes of an object; nothing is kept."""
    resource = ref.resource
    group = f"apis/{resource.group}" if resource.group else "api"
    place = f"namespaces/{ref.namespace}/" if ref.namespace else ""
    metadata = {key: value for key, value in body["metadata"].items() if key != "resourceVersion"}
    validation = "Strict" if strict else "Ignore"
    query = f"dryRun=All&fieldManager=flagger&fieldValidation={validation}"
    path = f"/{group}/{resource.version}/{place}{resource.plural}?{query}"
    try:
        return admin.create(path, body | {"metadata": metadata})
    except requests.HTTPError as error:
        raise AssertionError(f"{ref}: {error}") from error


ROUTES = [name for name in CASES if not name.startswith("kubernetes/")]


@pytest.mark.parametrize("name", ROUTES)
def test_objects_are_accepted_and_no_drift(vendors: Api, name: str) -> None:
    case = case_of(name)
    made = outcome(case)
    # What others added in the examples is not always in the schema.
    strict = "live" not in case
    answers = {ref: created(vendors, ref, body, strict=strict) for ref, body in made.items()}
    if strict and made:
        again = outcome({**case, "live": list(answers.values())})
        assert {ref: body for ref, body in again.items() if body is not answers[ref]} == {}
