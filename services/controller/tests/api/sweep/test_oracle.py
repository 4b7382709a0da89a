"""Each check notices what it is there for."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ..faults import Write
from ..scene import Object
from .oracle import COMMON, OURS, out_of_turn, violations
from .outcome import Outcome
from .run import Run
from .scenarios import SCENARIOS, SUCCESS

PROMOTE = SCENARIOS["promote"]
ROUTE = "TraefikService.traefik.io/podinfo"
CANARY = "Canary.flagger.app/podinfo"
TARGET, PRIMARY = "Deployment/podinfo", "Deployment/podinfo-primary"

Change = tuple[str, Object | None]


def workload(tag: str, pods: int, size: int = 1) -> Object:
    containers = [{"image": f"podinfo:{tag}"}]
    spec = {"replicas": size, "template": {"spec": {"containers": containers}}}
    return {
        "kind": "Deployment",
        "metadata": {},
        "spec": spec,
        "status": {"availableReplicas": pods},
    }


def route(**weights: int) -> Object:
    services = [
        {"name": f"podinfo-{name}", "weight": weight} for name, weight in weights.items() if weight
    ]
    return {"kind": "TraefikService", "metadata": {}, "spec": {"weighted": {"services": services}}}


def canary(phase: str, second: float, share: int = 0) -> Object:
    decided = {"primary": 100 - share, "canary": share}
    run = {"tickedAt": f"2026-01-01T00:00:{second:06.3f}Z", "route": decided}
    status = {"phase": phase, "canaryWeight": share, "run": run}
    return {"kind": "Canary", "metadata": {}, "spec": {}, "status": status}


RELEASE: list[Change] = [
    (TARGET, workload("1", 1)),
    (PRIMARY, workload("1", 1)),
    (ROUTE, route(primary=100)),
    (CANARY, canary("Initialized", 0)),
    (TARGET, workload("2", 1)),
    (CANARY, canary("Progressing", 1)),
    (CANARY, canary("Progressing", 2, share=25)),
    (ROUTE, route(primary=75, canary=25)),
    (CANARY, canary("Promoting", 3, share=25)),
    (PRIMARY, workload("2", 1)),
    (CANARY, canary("Finalising", 4)),
    (ROUTE, route(primary=100)),
    (TARGET, workload("2", 0, 0)),
    (CANARY, canary("Succeeded", 5)),
]
TOLD = ["Normal Starting", *SUCCESS.events]


def outcome(changes: list[Change], **fields: Any) -> Outcome:
    histories: dict[str, list[tuple[int, Object | None]]] = {}
    for revision, (key, body) in enumerate(changes):
        histories.setdefault(key, []).append((revision, copy.deepcopy(body)))
    known: dict[str, Any] = {
        "objects": {key: body for key, body in changes if body is not None},
        "told": TOLD,
        "kube_events": dict.fromkeys(TOLD, 1),
        "alerts": [SUCCESS.alert],
        "rested": True,
    }
    return Outcome(histories=[*histories.items()], **(known | fields))


def wrong(found: Outcome, *, killed: bool = False, usual: list[str] | None = None) -> list[str]:
    """The checks that complain; `usual` is what a clean run told."""
    run = Run(PROMOTE, found, outcome(RELEASE, told=usual or TOLD), killed)
    return [text.partition(":")[0] for text in violations(run, OURS)]


def replaced(index: int, body: Object) -> list[Change]:
    return [(key, body if n == index else old) for n, (key, old) in enumerate(RELEASE)]


def inserted(index: int, key: str, body: Object) -> list[Change]:
    return [*RELEASE[:index], (key, body), *RELEASE[index:]]


def test_a_clean_run_is_clean() -> None:
    assert wrong(outcome(RELEASE)) == []


ROUTES: list[tuple[str, Callable[[], list[Change]], list[str]]] = [
    (
        "a split that is not whole",
        lambda: replaced(7, route(primary=70, canary=25)),
        ["I1 sum"],
    ),
    (
        "traffic to a canary without pods",
        lambda: replaced(4, workload("2", 0)),
        ["I2 pods"],
    ),
    (
        "a canary that is scaled down while it has traffic",
        lambda: [*RELEASE[:11], RELEASE[12], RELEASE[11], RELEASE[13]],
        ["I2 scale"],
    ),
    (
        "traffic that moves before it was decided",
        lambda: [*RELEASE[:6], RELEASE[7], RELEASE[6], *RELEASE[8:]],
        ["status first"],
    ),
    (
        "a version in production that the clean run did not have",
        lambda: inserted(9, PRIMARY, workload("1b", 1)),
        ["I3 promoted"],
    ),
    (
        "a step before its time",
        lambda: replaced(8, canary("Promoting", 2.9, share=25)),
        ["I5 early"],
    ),
    (
        "failed with traffic on the failed version",
        lambda: inserted(9, CANARY, canary("Failed", 4)),
        ["I6 failed"],
    ),
]


@pytest.mark.parametrize(
    ("changes", "expected"), [c[1:] for c in ROUTES], ids=[c[0] for c in ROUTES]
)
def test_on_the_way(changes: Callable[[], list[Change]], expected: list[str]) -> None:
    assert wrong(outcome(changes())) == expected


def test_traffic_leaves_a_primary_without_pods_without_a_decision() -> None:
    """StatefulSets may have none for a moment while they are rolled."""
    spared = [
        *RELEASE[:9],
        (PRIMARY, workload("2", 0)),
        (ROUTE, route(canary=100)),
        (PRIMARY, workload("2", 1)),
        (ROUTE, route(primary=75, canary=25)),
        *RELEASE[10:],
    ]
    assert wrong(outcome(spared)) == []
    assert wrong(outcome([*RELEASE[:9], (ROUTE, route(canary=100)), *RELEASE[9:]])) == [
        "status first"
    ]


def test_a_failed_promotion_leaves_traffic_on_the_target() -> None:
    """Primary and target are the same version then, and the target is the one that serves."""
    changes = [
        *RELEASE[:8],
        (PRIMARY, workload("2", 0)),
        (CANARY, canary("Promoting", 4, share=100)),
        (ROUTE, route(canary=100)),
        (CANARY, canary("Failed", 5, share=100)),
    ]
    assert wrong(outcome(changes, objects=outcome(RELEASE).objects)) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"objects": {CANARY: canary("Failed", 4)}}, ["end"] * 4),
        ({"told": TOLD[:-1]}, ["told", "told all"]),
        ({"kube_events": {}}, ["told"] * 2),
        ({"alerts": []}, ["told", "told all"]),
        ({"alerts": [SUCCESS.alert] * 2}, ["told", "I7 alerts"]),
        ({"told": [*TOLD, "Warning surprise"]}, ["new texts"]),
        ({"told": [*TOLD[1:], TOLD[0]]}, ["new texts"]),
        ({"told": [TOLD[0], *TOLD]}, ["told once"]),
        ({"told": TOLD[1:]}, ["told all"]),
        ({"rested": False}, ["I8 rest"]),
        ({"exit_code": 1}, ["exit code"]),
    ],
    ids=str,
)
def test_at_the_end(fields: dict[str, Any], expected: list[str]) -> None:
    assert wrong(outcome(RELEASE, **fields)) == expected


def test_after_a_crash_the_end_may_be_told_twice() -> None:
    assert wrong(outcome(RELEASE, alerts=[SUCCESS.alert] * 2), killed=True) == []
    assert wrong(outcome(RELEASE, alerts=[SUCCESS.alert] * 3), killed=True) == ["told"]


def test_after_a_crash_the_first_of_two_announcements_may_be_missing() -> None:
    usual = ["Normal Starting", "Normal Restarting", *TOLD]
    lost = outcome(RELEASE, told=usual[1:])
    assert wrong(lost, usual=usual, killed=True) == []
    assert wrong(lost, usual=usual) == ["new texts"]
    assert wrong(outcome(RELEASE, told=usual[2:]), usual=usual, killed=True) == []
    mixed = outcome(RELEASE, told=["Normal Restarting", *SUCCESS.events, "Normal Starting"])
    assert wrong(mixed, usual=usual, killed=True) == ["new texts"]


@pytest.mark.parametrize(
    ("started", "expected"), [(None, []), (11, []), (13, ["I5 early"]), (15, [])], ids=str
)
def test_without_times_of_ticks_a_step_is_early_only_after_a_start(
    started: int | None, expected: list[str]
) -> None:
    changes: list[Change] = [
        (CANARY, upstreams("Progressing", 12)),
        (CANARY, upstreams("Promoting", 14)),
    ]
    starts = [] if started is None else [datetime(2026, 1, 1, 0, 0, started, tzinfo=UTC)]
    run = Run(PROMOTE, outcome(changes, starts=starts), outcome(RELEASE), pace=10)
    found = violations(run, {"I5 early": COMMON["I5 early"]})
    assert [text.partition(":")[0] for text in found] == expected


def upstreams(phase: str, second: int) -> Object:
    status = {"phase": phase, "lastTransitionTime": f"2026-01-01T00:00:{second:02}Z"}
    return {"kind": "Canary", "metadata": {}, "spec": {}, "status": status}


def test_pods_may_vanish_while_traffic_is_on_its_way() -> None:
    assert wrong(outcome(inserted(7, TARGET, workload("2", 0)))) == []


def test_a_route_that_arrives_after_its_canary_has_gone_serves_nobody() -> None:
    gone: list[Change] = [(PRIMARY, None), (TARGET, workload("2", 1))]
    here: list[Change] = [(CANARY, canary("Succeeded", second)) for second in (6, 7)]
    assert "I2 pods" in wrong(outcome([*RELEASE, *gone, *here, RELEASE[11]]))
    assert "I2 pods" not in wrong(outcome([*RELEASE, *gone, (CANARY, None), RELEASE[11]]))


def test_steps_may_be_told_again_for_a_newer_revision() -> None:
    new = "Normal New revision detected! Restarting analysis for podinfo.$ns"
    usual = ["Normal 25", new, "Normal 25", "Normal 50", *TOLD]
    late = ["Normal 25", "Normal 50", new, "Normal 25", "Normal 50", *TOLD]
    assert wrong(outcome(RELEASE, told=late), usual=usual) == []
    again = [*usual[:2], new, *usual[2:]]
    assert wrong(outcome(RELEASE, told=again), usual=usual) == ["told once"]
    twice = [*usual[:3], *usual[2:]]
    assert wrong(outcome(RELEASE, told=twice), usual=usual) == ["told once"]


def test_users_objects_stay_as_they_are() -> None:
    body = workload("1", 1)
    body["spec"]["paused"] = True
    assert wrong(outcome(replaced(0, body))) == ["I9 owners"]


def test_a_leader_that_was_away_writes_nothing_but_what_it_was_telling() -> None:
    lease, event, other, status = (
        Write(what, 1)
        for what in (
            "PUT leases/flagger-leader-election",
            "POST events/new-revision",
            "PATCH events/advance",
            "PATCH canaries/podinfo/status",
        )
    )
    assert out_of_turn([lease, event]) == []
    assert out_of_turn([event, lease, other]) == [other]
    assert out_of_turn([event, status]) == [status]
