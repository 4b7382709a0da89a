"""Every documented object is accepted by its vendor's schema, and comes back as no drift."""

from typing import Any

import pytest
import requests
import yaml
from tools.cluster.api import Api
from tools.cluster.controlplane import ControlPlane

from flagger_controller.cluster.client import Object, Ref

from ...contract.routing.test_goldens import BREAK, CASES, GOLDENS, outcome

pytestmark = [pytest.mark.api, pytest.mark.timeout(300)]


def case_of(name: str) -> Any:
    return yaml.safe_load((GOLDENS / f"{name}.yaml").read_text().split(BREAK)[0])


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
def test_objects_are_accepted_and_no_drift(vendors: ControlPlane, name: str) -> None:
    case = case_of(name)
    made = outcome(case)
    # What others added in the examples is not always in the schema.
    strict = "live" not in case
    with vendors.client() as admin:
        answers = {ref: created(admin, ref, body, strict=strict) for ref, body in made.items()}
    if strict and made:
        again = outcome({**case, "live": list(answers.values())})
        assert {ref: body for ref, body in again.items() if body is not answers[ref]} == {}
