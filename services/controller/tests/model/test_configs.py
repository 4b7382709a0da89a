"""A config that pods cannot start without is deleted: what goes on, and what waits for it."""

from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.api.status import Obligation, Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.rollout.evidence import Unmeasured

from .rig import CANARY, PRIMARY, TARGET, Rig, canary
from .targets import NAME, NAMESPACE, deployment

pytestmark = pytest.mark.looptime

CONFIG = Ref(resources.CONFIG_MAPS, "settings", NAMESPACE)
METRICS = [{"name": "errors", "query": "q", "thresholdRange": {"max": 200}}]
ANALYSIS = {"interval": "10s", "threshold": 2, "stepWeight": 25, "maxWeight": 50}
MISSING = 'configmap settings.default get query error: configmaps "settings" not found'
ON_PRIMARY = {f"{NAME}-primary": 100}


def reading_target() -> Object:
    body = deployment()
    source = [{"configMapRef": {"name": "settings"}}]
    body["spec"]["template"]["spec"]["containers"][0]["envFrom"] = source
    return body


async def under_analysis(**spec: Any) -> Rig:
    """Release 2 has its first clients, and its config is gone."""
    rig = Rig()
    rig.api.put(CONFIG, {"data": {"a": "1"}})
    rig.api.put(TARGET, reading_target())
    rig.api.put(CANARY, canary(analysis={**ANALYSIS, "metrics": METRICS}, **spec))
    await rig.until(Phase.INITIALIZED)
    rig.push("2")
    while rig.status.canary_weight == 0:
        await rig.pass_interval()
    rig.log.warnings.clear()
    rig.api.remove(CONFIG)
    return rig


def condition(rig: Rig) -> tuple[str, str]:
    found = {c.type: c for c in rig.status.conditions}.get("Ready")
    return ("", "") if found is None else (found.status, found.message)


async def test_a_bad_release_is_rolled_back_all_the_same() -> None:
    rig = await under_analysis()
    rig.judge.values[0] = Unmeasured("no values")
    await rig.until(Phase.FAILED)
    assert (rig.weights, rig.replicas(TARGET), rig.tag(PRIMARY)) == (ON_PRIMARY, 0, "1")
    assert rig.log.warnings.count(MISSING.replace(".default", "")) == 1, "told once"
    await rig.stop()


async def test_a_good_release_is_promoted_when_its_config_is_back() -> None:
    rig = await under_analysis()
    for _ in range(5):
        await rig.pass_interval()
    assert (rig.status.phase, rig.tag(PRIMARY)) == (Phase.PROGRESSING, "1")
    assert rig.status.run.obligation is Obligation.PROMOTE
    assert condition(rig) == ("False", MISSING)
    rig.api.put(CONFIG, {"data": {"a": "1"}})
    await rig.until(Phase.SUCCEEDED)
    assert (rig.weights, rig.tag(PRIMARY), condition(rig)) == (ON_PRIMARY, "2", ("", ""))
    await rig.stop()


async def test_a_deleted_canary_is_reverted_all_the_same() -> None:
    rig = await under_analysis(revertOnDeletion=True)
    rig.push("1")
    rig.api.remove(CANARY)
    for _ in range(3):
        await rig.pass_interval()
    assert rig.api.object(CANARY) is None
    assert rig.log.events[-2:] == [f"Terminating canary {NAME}", f"Terminated canary {NAME}"]
    assert rig.replicas(TARGET) == 1
    await rig.stop()
