"""Whole releases with the providers whose routes are several objects, or in no namespace."""

from typing import Any

import pytest

from flagger_controller.api.status import Phase, Route
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.routing import router_for
from flagger_controller.routing.base import RouterSettings

from .rig import CANARY, PRIMARY, TARGET, Rig
from .targets import NAME

pytestmark = pytest.mark.looptime
SERVICE = {"port": 80, "targetPort": 9898, "meshName": "prod"}
EACH = pytest.mark.parametrize(
    "provider", ["appmesh", "appmesh:v1beta2", "gloo", "kuma", "linkerd", "smi:v1alpha3"]
)


async def start(provider: str, **spec: Any) -> Rig:
    return await Rig().initialized(provider=provider, service=SERVICE, **spec)


def shown(rig: Rig, provider: str) -> Route | None:
    """The split in the cluster, where nothing is missing that the router looks at."""
    router = router_for(provider, RouterSettings())
    live = {ref: rig.found(ref) for ref in router.refs(rig.canary)}
    return router.read(rig.canary, live)


@EACH
async def test_a_release_moves_the_traffic_and_ends_on_the_primary(provider: str) -> None:
    rig = await start(provider)
    assert shown(rig, provider) == Route()
    assert rig.replicas(TARGET) == 0
    rig.push("2")
    await rig.until(Phase.PROGRESSING)
    seen = [shown(rig, provider)]
    while rig.status.phase is Phase.PROGRESSING:
        await rig.pass_interval()
        seen.append(shown(rig, provider))
    assert Route(primary=75, canary=25) in seen
    assert Route(primary=50, canary=50) in seen
    await rig.until(Phase.SUCCEEDED)
    assert shown(rig, provider) == Route()
    assert rig.tag(PRIMARY) == "2"
    await rig.stop()


@EACH
async def test_between_releases_nothing_is_written(provider: str) -> None:
    rig = await start(provider)
    before = len(rig.api.writes)
    for _ in range(3):
        await rig.pass_interval()
    assert rig.api.writes[before:] == []
    await rig.stop()


@pytest.mark.parametrize("provider", ["appmesh", "appmesh:v1beta2"])
async def test_nodes_come_before_the_pods_that_need_them(provider: str) -> None:
    rig = await start(provider)
    made = [write.ref for write in rig.api.writes if write.verb == "create"]
    kinds = [ref.resource.kind for ref in made if ref.resource.kind != "Event"]
    assert kinds.index("VirtualNode") < kinds.index("Deployment") < kinds.index("VirtualService")
    await rig.stop()


async def test_a_reverted_canary_takes_the_trafficroute_with_it() -> None:
    rig = await start("kuma", revertOnDeletion=True)
    ref = Ref(resources.TRAFFIC_ROUTES, NAME)
    assert rig.api.object(ref) is not None
    rig.api.remove(CANARY)
    for _ in range(3):
        await rig.pass_interval()
    assert rig.api.object(ref) is None
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
