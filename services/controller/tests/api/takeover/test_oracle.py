"""What is asked of whoever goes on with the release of another controller."""

import pytest

from ..scene import Object
from .oracle import CANARY, STARTING, Handover, wrong
from .states import STATES

FOUND: Object = {
    "phase": "Progressing",
    "canaryWeight": 25,
    "iterations": 0,
    "lastTransitionTime": "2026-01-01T12:00:00Z",
}
ENDED: Object = {**FOUND, "phase": "Succeeded", "lastTransitionTime": "2026-01-01T12:01:00Z"}
REVISION = "Normal New revision detected! Scaling up podinfo"


def handover(*told: str, ours: bool = False, routed: int) -> Handover:
    """A release at 25 percent that went on well, and what was told on the way."""
    split = [
        {"destination": {"host": host}, "weight": weight}
        for host, weight in (("podinfo-primary", 100 - routed), ("podinfo-canary", routed))
    ]
    canary = {"spec": {"analysis": {"interval": "10s"}}, "status": FOUND}
    route = {"kind": "VirtualService", "spec": {"http": [{"route": split}]}}
    return Handover(
        STATES["weight"],
        {CANARY: canary, "VirtualService.networking.istio.io/podinfo": route},
        ours=ours,
        told=list(told),
        objects=[(CANARY, [(2, {"status": ENDED})])],
        last="Succeeded",
        analysed=True,
    )


def test_a_release_that_goes_on_is_right() -> None:
    assert wrong(handover("Normal Advance podinfo canary weight 50", routed=25)) == []


def test_upstream_may_repeat_a_step_whose_route_was_not_written() -> None:
    assert wrong(handover(f"Normal {STARTING} for podinfo", routed=0)) == []


@pytest.mark.parametrize(
    ("text", "ours", "routed"),
    [
        (f"Normal {STARTING} for podinfo", False, 25),
        (f"Normal {STARTING} for podinfo", True, 0),
        (REVISION, False, 0),
    ],
)
def test_nothing_else_begins_again(text: str, ours: bool, routed: int) -> None:
    assert f"begun again: {text}" in wrong(handover(text, ours=ours, routed=routed))


def test_the_primary_must_run_what_was_released() -> None:
    """Upstream writes no primary once the phase is `Promoting`."""
    ended = handover(routed=25)
    ended.before |= {"Deployment/podinfo": running("2"), "Deployment/podinfo-primary": running("1")}
    told = "Deployment/podinfo-primary runs ['podinfo:1'] instead of ['podinfo:2']"
    assert wrong(ended) == [told]
    ended.objects.append(("Deployment/podinfo-primary", [(3, running("2"))]))
    assert wrong(ended) == []


def running(tag: str) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{"image": f"podinfo:{tag}"}]}}}}
