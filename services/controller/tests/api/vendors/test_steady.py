"""Every router's objects on an API server with the vendors' schemas: written once, kept, ours."""

from collections.abc import AsyncIterator, Mapping

import pytest
from tools.cluster.controlplane import ControlPlane

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiNotFound, Object, Ref
from flagger_controller.cluster.http import HttpClient
from flagger_controller.cluster.login import load
from flagger_controller.routing.base import Router

from ...contract.routing.cases import (
    FIRST,
    GENERATING,
    PROVIDERS,
    TRAITS,
    at,
    canary_for,
    carrier,
    existing,
    own_refs,
    router_of,
)

pytestmark = [pytest.mark.api, pytest.mark.timeout(300)]
ROUNDS = 100
HALF = Route(primary=50, canary=50)
FOREIGN = {"metadata": {"labels": {"argocd.argoproj.io/instance": "shop"}}}


@pytest.fixture
async def client(vendors: ControlPlane) -> AsyncIterator[HttpClient]:
    client = HttpClient(load(str(vendors.kubeconfig_of("flagger"))))
    yield client
    await client.close()


@pytest.fixture
async def canary(client: HttpClient, provider: str) -> AsyncIterator[Canary]:
    """A Canary of a provider, with what its router reads."""
    canary = canary_for(provider, {"stepWeight": 10})
    there = {ref: complete(ref, body) for ref, body in existing(canary).items()}
    for ref, body in there.items():
        await client.create(ref, body)
        if status := body.get("status"):
            await client.patch(ref, {"status": status}, subresource="status")
    yield canary
    for ref in {*there, *router_of(provider).refs(canary)}:
        try:
            await client.delete(ref)
        except ApiNotFound:
            continue


def complete(ref: Ref, body: Object) -> Object:
    """An object of the contract's tests with what the API server asks for."""
    spec = dict(body["spec"])
    pods = {"containers": [{"name": "app", "image": "example.org/app"}]}
    match ref.resource:
        case resources.SERVICES:
            spec["ports"] = [{"port": 80}]
        case resources.KNATIVE_SERVICES:
            spec["template"] = {"spec": pods}
        case resources.KNATIVE_REVISIONS:
            spec = pods
        case resources.INGRESSES:
            spec["rules"] = [rule for rule in spec["rules"] if "http" in rule]
    return {**body, "spec": spec}


async def converge(client: HttpClient, router: Router, canary: Canary, route: Route) -> int:
    """Write what differs; how many objects those were."""
    live = await found(client, router.refs(canary))
    wanted = router.desired(at(canary, route), TRAITS, route, live)
    changed = {ref: body for ref, body in wanted.items() if body != live.get(ref)}
    for ref, body in changed.items():
        await (client.update(ref, body) if ref in live else client.create(ref, body))
    return len(changed)


async def found(client: HttpClient, refs: tuple[Ref, ...]) -> Mapping[Ref, Object]:
    live = {}
    for ref in refs:
        try:
            live[ref] = await client.get(ref)
        except ApiNotFound:
            continue
    return live


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_converging_again_and_again_writes_nothing(
    client: HttpClient, canary: Canary, provider: str
) -> None:
    router = router_of(provider)
    for route in (FIRST, HALF):
        await converge(client, router, canary, route)
        assert router.read(canary, await found(client, router.refs(canary))) == route
        writes = [await converge(client, router, canary, route) for _ in range(ROUNDS // 2)]
        assert sum(writes) == 0


@pytest.mark.parametrize("provider", GENERATING)
async def test_fields_of_others_stay_theirs(
    vendors: ControlPlane, client: HttpClient, canary: Canary, provider: str
) -> None:
    router = router_of(provider)
    await converge(client, router, canary, FIRST)
    ref = own_refs(router, canary)[-1] if provider == "traefik" else carrier(router, canary)
    place = f"namespaces/{ref.namespace}/" if ref.namespace else ""
    path = f"/apis/{ref.resource.api_version}/{place}{ref.resource.plural}/{ref.name}"
    with vendors.client() as other:
        other.patch(f"{path}?fieldManager=argocd", FOREIGN)
    await converge(client, router, canary, HALF)
    metadata = (await client.get(ref))["metadata"]
    assert metadata["labels"].items() >= FOREIGN["metadata"]["labels"].items()
    owners = {entry["manager"]: str(entry["fieldsV1"]) for entry in metadata["managedFields"]}
    assert {*owners} == {"argocd", "flagger"}
    assert "argocd.argoproj.io/instance" in owners["argocd"]
    assert "argocd.argoproj.io/instance" not in owners["flagger"]
    assert "f:spec" in owners["flagger"] or ref.resource == resources.INGRESSES
