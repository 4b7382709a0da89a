"""Manifests that do not fit: told once, and nothing else is disturbed."""

import asyncio

import pytest

from flagger_controller.api.status import Phase

from .acts import (
    ON_PRIMARY,
    analysis,
    reach,
    respec,
    stopped,
    ticks,
)
from .rig import CANARY, PRIMARY, TARGET, Rig, canary
from .targets import deployment

pytestmark = pytest.mark.looptime


def ready(rig: Rig) -> tuple[str, str]:
    """Status and message of the condition `Ready`; it is there only when something is odd."""
    found = [each for each in rig.status.conditions if each.type == "Ready"]
    return (found[0].status, found[0].message) if found else ("", "")


async def test_a_missing_target_is_told_once_and_disturbs_nothing() -> None:
    """Upstream logs it, and retries for ever."""
    rig = Rig()
    rig.api.put(CANARY, canary())
    text = (
        'deployment podinfo get query error: deployments.apps "podinfo" not found; '
        "create it, or correct spec.targetRef"
    )
    await ticks(rig, 4)
    assert rig.log.warnings == [text]
    assert ready(rig) == ("False", text.replace("podinfo get", "podinfo.default get"))
    writes = len(rig.api.writes)
    await ticks(rig, 4)
    assert len(rig.api.writes) == writes
    rig.api.put(TARGET, deployment())
    await rig.until(Phase.INITIALIZED)
    assert ready(rig) == ("", "")
    await stopped(rig)


async def test_a_target_deleted_during_a_run_holds_it() -> None:
    rig = await Rig().initialized()
    rig.push("2")
    await reach(rig, weight=25)
    target = rig.found(TARGET)
    rig.api.remove(TARGET)
    for _ in range(3):
        await rig.pass_interval()
    assert ready(rig)[0] == "False"
    assert rig.status.canary_weight == 25
    metadata = {key: target["metadata"][key] for key in ("name", "namespace", "labels")}
    rig.api.put(TARGET, {**target, "metadata": metadata})
    await rig.until(Phase.SUCCEEDED)
    assert (ready(rig), rig.tag(PRIMARY)) == (("", ""), "2")
    await rig.stop()


async def test_a_target_deleted_during_a_run_gets_no_traffic() -> None:
    rig = await Rig().initialized()
    rig.push("2")
    await reach(rig, weight=25)
    rig.api.remove(TARGET)
    await rig.pass_interval()
    weights = rig.weights
    await rig.stop()
    assert weights == ON_PRIMARY, "I2"


async def test_an_invalid_interval_is_told_once_and_the_default_is_used() -> None:
    """A3: upstream takes `5mfoo` for 60 seconds without a word."""
    rig = await Rig().initialized(analysis=analysis(interval="5mfoo"))
    state, text = ready(rig)
    assert state == "True"
    assert text.startswith('spec.analysis.interval "5mfoo" is not a duration')
    await ticks(rig, 3)
    assert rig.log.warnings == [], "it was told while the canary was initialized"
    respec(rig, analysis=analysis())
    await rig.step()
    assert ready(rig) == ("", "")
    rig.push("2")
    await rig.until(Phase.SUCCEEDED)
    await stopped(rig)


async def test_a_missing_metric_template_is_told_once() -> None:
    metrics = [{"name": "m", "templateRef": {"name": "absent"}, "thresholdRange": {"max": 200}}]
    rig = Rig()
    rig.api.put(TARGET, deployment())
    rig.api.put(CANARY, canary(analysis=analysis(metrics=metrics)))
    await ticks(rig, 4)
    state, text = ready(rig)
    assert (state, rig.status.phase) == ("True", Phase.INITIALIZED)
    assert "MetricTemplate absent.default does not exist" in text
    assert rig.log.warnings.count(text.replace(".default", "")) == 1
    rig.templates.add("absent")
    await rig.step()
    assert ready(rig) == ("", "")
    await stopped(rig)


async def test_two_canaries_with_one_target_do_not_fight() -> None:
    """Upstream logs `Bad things will happen!` and lets them."""
    rig = await Rig().initialized()
    await asyncio.sleep(60)
    second = canary()
    second["metadata"]["name"] = "second"
    ref = CANARY.__class__(CANARY.resource, "second", CANARY.namespace)
    rig.api.put(ref, second)
    rig.push("2")
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "2"
    text = (
        "spec.targetRef: Deployment podinfo is already under the Canary podinfo; "
        "delete one of the two or give it another target"
    )
    assert rig.log.warnings.count(text) == 1
    body = rig.found(ref)
    (condition,) = body["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("Ready", "False")
    assert body["status"]["phase"] == ""
    rig.api.remove(CANARY)
    for _ in range(3):
        await rig.pass_interval()
    body = rig.found(ref)
    assert body["status"]["phase"] == "Initialized"
    assert [each["type"] for each in body["status"]["conditions"]] == ["Promoted"]
    await rig.stop()
