"""Documented examples as files: `goldens/<provider>/<case>.yaml`.

The first document of a file is the case, the others are the objects that come out of it, in the
order in which they are written. `UPDATE_GOLDENS=1` writes the objects anew; read the difference
before committing it.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Port, Selector, Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.routing import ROUTERS, kubernetes, router_for
from flagger_controller.routing.base import Objects, RouterSettings

GOLDENS = Path(__file__).with_name("goldens")
CASES = sorted(str(path.relative_to(GOLDENS))[:-5] for path in GOLDENS.glob("*/*.yaml"))
BREAK = "\n---\n"
ALIASES = {"gatewayapi"}
"""Other names of a provider that has examples."""


def canary_of(case: Mapping[str, Any]) -> Canary:
    metadata = {"name": "cart", "namespace": "shop", "uid": "6f1c2a9e", **case.get("metadata", {})}
    return Canary.from_api(
        {"metadata": metadata, "spec": case["spec"], "status": case.get("status", {})}
    )


def traits_of(case: Mapping[str, Any]) -> Traits:
    ports = tuple(Port(**port) for port in case.get("ports", ()))
    return Traits(Selector("app", "cart"), ports)


def live_of(canary: Canary, case: Mapping[str, Any]) -> dict[Ref, Object]:
    router = router_for(case["spec"]["provider"], RouterSettings())
    known = (*router.refs(canary), *kubernetes.service_refs(canary))
    bodies = list(case.get("live", ()))
    revisions = [body["metadata"]["name"] for body in bodies if body["kind"] == "Revision"]
    known += tuple(Ref(resources.KNATIVE_REVISIONS, name, canary.namespace) for name in revisions)
    refs = {(ref.resource.api_version, str(ref)): ref for ref in known}
    return {refs[body["apiVersion"], _called(body)]: body for body in bodies}


def _called(body: Object) -> str:
    metadata = body["metadata"]
    where = f".{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{body['kind']} {metadata['name']}{where}"


def outcome(case: Mapping[str, Any]) -> Mapping[Ref, Object]:
    canary, traits = canary_of(case), traits_of(case)
    router = router_for(case["spec"]["provider"], RouterSettings())
    live: Objects = live_of(canary, case)
    match case.get("do", "desired"):
        case "desired":
            route = Route.model_validate(case["route"])
            return router.desired(canary, traits, route, live)
        case "reverted":
            reverted = router.reverted(canary, live)
            return {
                **{ref: body for ref, body in reverted.items() if body is not None},
                **kubernetes.reverted_services(canary, traits, live),
            }
        case "services":
            return {
                ref: body
                for which in kubernetes.Which
                for ref, body in kubernetes.services(
                    canary, traits, live, which=which, to_target=case.get("toTarget", False)
                ).items()
            }
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize("name", CASES)
def test_objects_are_as_documented(name: str) -> None:
    path = GOLDENS / f"{name}.yaml"
    head, *wanted = path.read_text().split(BREAK)
    found = outcome(yaml.safe_load(head))
    if os.environ.get("UPDATE_GOLDENS"):
        # Through JSON: no anchors where an object uses a part twice.
        texts = [yaml.safe_dump(json.loads(json.dumps(body)), width=100) for body in found.values()]
        path.write_text(BREAK.join([head.rstrip("\n"), *(text.rstrip("\n") for text in texts)]))
        with path.open("a") as file:
            file.write("\n")
        return
    assert list(found.values()) == [yaml.safe_load(text) for text in wanted]
    for ref, body in found.items():
        assert (body["kind"], body["metadata"]["name"]) == (ref.resource.kind, ref.name)


BUILT_IN = ("kubernetes/", "nginx/", "skipper/")
"""Providers that write kinds of Kubernetes itself."""


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith(BUILT_IN)])
def test_kinds_of_kubernetes_are_valid(name: str) -> None:
    case = yaml.safe_load((GOLDENS / f"{name}.yaml").read_text().split(BREAK)[0])
    for body in outcome(case).values():
        kubernetes_validate.validate(body, "1.31", strict=True)


@pytest.mark.parametrize("name", CASES)
def test_a_second_time_changes_nothing(name: str) -> None:
    case = yaml.safe_load((GOLDENS / f"{name}.yaml").read_text().split(BREAK)[0])
    first = outcome(case)
    again = outcome({**case, "live": [*case.get("live", ()), *first.values()]})
    assert {ref: body for ref, body in again.items() if body is not first[ref]} == {}


@pytest.mark.parametrize("provider", sorted({*ROUTERS} - ALIASES))
def test_every_provider_has_examples(provider: str) -> None:
    heads = ((GOLDENS / f"{name}.yaml").read_text().split(BREAK)[0] for name in CASES)
    assert any(f"provider: {provider}\n" in head for head in heads)
