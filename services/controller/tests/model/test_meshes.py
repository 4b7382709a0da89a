"""What is special about routes of several objects, or in no namespace."""

import itertools
from typing import Any

import pytest

from flagger_controller.api.status import Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref

from .acts import analysis, reach, shown
from .rig import CANARY, PRIMARY, Rig
from .targets import NAME, NAMESPACE

pytestmark = pytest.mark.looptime
SERVICE = {"port": 80, "targetPort": 9898, "meshName": "prod"}
HTTP = {**SERVICE, "appProtocol": "http"}
MESH_HTTP_ROUTE = {"flagger.app/kuma-route": "MeshHTTPRoute"}
ROUTE = Ref(resources.MESH_HTTP_ROUTES, NAME, NAMESPACE)
MATCH = [{"headers": {"x-beta": {"exact": "1"}}}]


@pytest.mark.parametrize("provider", ["appmesh", "appmesh:v1beta2"])
async def test_nodes_come_before_the_pods_that_need_them(provider: str) -> None:
    rig = await Rig().initialized(provider=provider, service=SERVICE)
    made = [write.ref for write in rig.api.writes if write.verb == "create"]
    kinds = [ref.resource.kind for ref in made if ref.resource.kind != "Event"]
    assert kinds.index("VirtualNode") < kinds.index("Deployment") < kinds.index("VirtualService")
    await rig.stop()


async def test_another_namespaces_route_blocks_the_canary_before_anything_moves() -> None:
    rig = Rig()
    ref = Ref(resources.TRAFFIC_ROUTES, NAME)
    tags = {"kuma.io/service": f"{NAME}_other_svc_80"}
    rig.api.put(ref, {"metadata": {"name": NAME}, "spec": {"destinations": [{"match": tags}]}})
    rig.deploy(provider="kuma", service=SERVICE)
    await rig.step()
    conditions = rig.found(CANARY)["status"]["conditions"]
    assert any("spec.service.name" in condition["message"] for condition in conditions)
    assert rig.api.object(PRIMARY) is None
    await rig.stop()


@pytest.mark.parametrize("asked", [{"mirror": True}, {"match": MATCH}])
async def test_what_a_traffic_route_cannot_do_blocks_the_canary(asked: dict[str, Any]) -> None:
    rig = Rig()
    rig.deploy(provider="kuma", service=HTTP, analysis=analysis(**asked))
    await rig.step()
    (member,) = asked
    conditions = rig.found(CANARY)["status"]["conditions"]
    message = f"spec.analysis.{member} cannot be served by provider kuma without the annotation "
    assert any(condition["message"].startswith(message) for condition in conditions)
    assert rig.api.object(PRIMARY) is None
    await rig.stop()


@pytest.mark.parametrize("asked", [{}, {"mirror": True, "mirrorWeight": 20}, {"match": MATCH}])
async def test_a_mesh_http_route_carries_a_release_and_goes_with_its_canary(
    asked: dict[str, Any],
) -> None:
    rig = await Rig().initialized(
        annotations=MESH_HTTP_ROUTE, provider="kuma", service=HTTP, analysis=analysis(**asked)
    )
    theirs = {"targetRef": {"kind": "MeshService", "name": "help"}, "rules": [{"default": {}}]}
    body = rig.found(ROUTE)
    rig.api.put(ROUTE, body | {"spec": {"to": [theirs, *body["spec"]["to"]]}})
    rig.push("2")
    seen = []
    while rig.status.phase is not Phase.SUCCEEDED:
        await rig.pass_interval()
        assert shown(rig, "kuma") == rig.status.route
        seen.append(rig.status.route)
    assert {25, 50} <= {route.canary for route in seen}
    assert any(route.mirrored for route in seen) == ("mirror" in asked)
    assert rig.found(ROUTE)["spec"]["to"][0] == theirs
    assert rig.api.object(Ref(resources.TRAFFIC_ROUTES, NAME)) is None
    rig.api.remove(CANARY)
    assert rig.api.object(ROUTE) is None
    await rig.stop()


async def test_a_mesh_http_route_that_was_there_is_given_back() -> None:
    rig = Rig()
    old = {"matches": [{}], "default": {"backendRefs": [{"kind": "MeshService", "name": "old"}]}}
    named = {"kind": "MeshService", "name": NAME}
    rig.api.put(ROUTE, {"spec": {"to": [{"targetRef": named, "rules": [old]}]}})
    await rig.initialized(
        annotations=MESH_HTTP_ROUTE, provider="kuma", service=HTTP, revertOnDeletion=True
    )
    assert shown(rig, "kuma") == rig.status.route
    rig.push("2")
    await reach(rig, weight=25)
    rig.api.remove(CANARY)
    while rig.api.object(CANARY):
        await rig.pass_interval()
    (entry,) = rig.found(ROUTE)["spec"]["to"]
    assert entry["rules"] == [old]
    await rig.stop()


async def test_the_cookie_of_a_run_is_given_while_it_lasts() -> None:
    rig = Rig()
    rule = {"match": "Host(`a`)", "services": [{"kind": "TraefikService", "name": NAME}]}
    rig.api.put(Ref(resources.INGRESS_ROUTES, "edge", NAMESPACE), {"spec": {"routes": [rule]}})
    named = {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "name": "edge"}
    cookies = analysis(sessionAffinity={"cookieName": "ck", "maxAge": 60})
    await rig.initialized(routeRef=named, analysis=cookies)
    holders = Ref(resources.TRAEFIK_SERVICES, f"{NAME}-affinity", NAMESPACE)
    seen = [given(rig.found(holders))]
    rig.push("2")
    while rig.status.phase is not Phase.SUCCEEDED:
        await rig.pass_interval()
        assert shown(rig, "traefik") == rig.status.route
        seen.append(given(rig.found(holders)))
    primary, tested = (f"{NAME}-primary", -1), (f"{NAME}-canary", 60)
    assert [each for each, _ in itertools.groupby(seen)] == [primary, tested, primary]
    await rig.stop()


def given(holders: Object) -> tuple[str, int]:
    """Where clients with the cookie go, and how many seconds they keep it."""
    weighted = holders["spec"]["weighted"]
    (entry,) = weighted["services"]
    return entry["name"], weighted["sticky"]["cookie"]["maxAge"]
