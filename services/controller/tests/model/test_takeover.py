"""Releases that upstream began, taken over at the worst moments (canary-api.md 6.3)."""

from typing import Any

import pytest

from flagger_controller.api.status import Phase
from flagger_controller.cluster.client import Ref

from . import upstream
from .rig import PRIMARY, Rig
from .test_configs import CONFIG, reading_target

pytestmark = pytest.mark.looptime

STEPS = {"interval": "10s", "stepWeight": 50, "maxWeight": 50, "stepWeightPromotion": 20}


async def promoting(rig: Rig, **spec: Any) -> Rig:
    """Upstream has given revision 2 to the primary, and its last clients are on the target."""
    rig.deploy(**spec)
    if rig.api.object(CONFIG) is not None:
        rig.api.put(rig.target, reading_target())
    await rig.until(Phase.INITIALIZED)
    rig.push("2")
    await rig.until(Phase.PROMOTING)
    await rig.stop()
    upstream.wrote(rig)
    if rig.kind != "Knative Service":
        upstream.rolled(rig)
    rig.api.writes.clear()
    rig.log.events.clear()
    return rig


def written(rig: Rig, ref: Ref) -> int:
    """How often an object was written since upstream went."""
    return sum(write.ref == ref for write in rig.api.writes)


async def test_traffic_goes_back_in_steps_and_the_primary_is_not_rolled_again() -> None:
    """Its configs say nothing of what its pods have read; the phase does."""
    rig = Rig()
    rig.api.put(CONFIG, {"data": {"a": "1"}})
    await promoting(rig, analysis=STEPS)
    await rig.until(Phase.SUCCEEDED)
    assert "Advance podinfo primary weight 70" in rig.log.events
    assert written(rig, PRIMARY) == 0
    await rig.stop()


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "Knative Service"])
async def test_a_revision_that_comes_while_nobody_promotes_waits_for_its_end(kind: str) -> None:
    """What upstream promoted is what serves, so it is what a rollback goes back to."""
    rig = await promoting(Rig(kind=kind))
    rig.push("3")
    await rig.until(Phase.SUCCEEDED)
    assert rig.production == "2"
    assert rig.status.last_promoted_spec == rig.status.last_applied_spec != ""
    await rig.until(Phase.PROGRESSING)
    await rig.until(Phase.SUCCEEDED)
    assert rig.production == "3"
    told = [event for event in rig.log.events if not event.startswith("Advance")]
    assert told[:3] == [
        "Routing all traffic to primary",
        "Promotion completed! Scaling down podinfo",
        "New revision detected! Scaling up podinfo",
    ]
    await rig.stop()
