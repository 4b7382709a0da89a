"""What is special about routes of several objects, or in no namespace."""

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref

from .rig import CANARY, PRIMARY, Rig
from .targets import NAME

pytestmark = pytest.mark.looptime
SERVICE = {"port": 80, "targetPort": 9898, "meshName": "prod"}


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
