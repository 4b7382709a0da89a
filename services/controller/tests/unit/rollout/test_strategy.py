"""The step that a passed analysis earns (state-machine.md section 7, step 26)."""

from typing import Any

import pytest

from flagger_controller.api.status import Phase, Route
from flagger_controller.rollout import messages

from .cases import DENIED, TICKED, Walk, case, status
from .scenario import canary, hook

GATE = hook("confirm-promotion", "gate")
TRAFFIC = hook("confirm-traffic-increase", "traffic")
COPYING = "Copying podinfo template spec to podinfo-primary"
WAITING = "Halt podinfo advancement waiting for promotion approval gate"
MATCH = [{"headers": {"x": {"exact": "1"}}}]


def spec(*webhooks: Any, **analysis: Any) -> Any:
    return canary(
        analysis={"interval": "10s", "threshold": 2, "webhooks": list(webhooks), **analysis}
    )


def route(weight: int, *, mirrored: bool = False) -> Route:
    return Route(primary=100 - weight, canary=weight, mirrored=mirrored)


def progressing(weight: int = 0, iterations: int = 0, **run: Any) -> Any:
    return status(
        Phase.PROGRESSING,
        canary_weight=weight,
        iterations=iterations,
        run={"route": route(weight), "pre_rollout_passed": True, **run},
    )


# Canary (7.1)


@pytest.mark.parametrize(
    ("steps", "weight", "following"),
    [
        ({"stepWeight": 20, "maxWeight": 50}, 0, 20),
        ({"stepWeight": 20, "maxWeight": 50}, 40, 60),
        ({"stepWeight": 60}, 60, 100),
        ({"stepWeight": 30, "stepWeights": [1, 99]}, 0, 30),
        ({"stepWeights": [10, 50, 80]}, 0, 10),
        ({"stepWeights": [10, 50, 80]}, 10, 50),
        ({"stepWeights": [10, 50, 80]}, 33, 50),
    ],
)
def test_a_step(steps: dict[str, Any], weight: int, following: int) -> None:
    walk = Walk(case(progressing(weight), spec=spec(**steps)))
    assert (walk.rule, walk.status.phase) == ("progressive", Phase.PROGRESSING)
    assert walk.events[-1] == f"Advance podinfo canary weight {following}"
    assert walk.status.canary_weight == following
    assert walk.status.run.route == route(following)
    assert (walk.decision.ticked, walk.decision.measured) == (True, True)


@pytest.mark.parametrize(
    ("steps", "weight"),
    [
        ({"stepWeight": 20, "maxWeight": 50}, 50),
        ({"stepWeight": 20, "maxWeight": 50}, 60),
        ({"stepWeight": 20}, 100),
        ({"stepWeights": [10, 50]}, 50),
        ({"stepWeights": [10, 50]}, 70),
        ({"stepWeight": 50, "maxWeight": 150}, 100),  # S11
        ({"stepWeights": [50, 10]}, 50),  # S10
    ],
)
def test_at_the_maximum_the_revision_is_promoted(steps: dict[str, Any], weight: int) -> None:
    walk = Walk(case(progressing(weight), spec=spec(**steps)))
    assert (walk.events, walk.obeyed.phase) == ([COPYING], Phase.PROMOTING)
    assert (walk.obeyed.canary_weight, walk.obeyed.run.route) == (weight, route(weight))


def test_mirroring_is_a_step_of_its_own() -> None:
    whole = spec(TRAFFIC, stepWeight=50, maxWeight=50, mirror=True)
    mirrored = Walk(case(progressing(), spec=whole))
    assert mirrored.events[-1] == "Advance podinfo canary weight 0"
    assert mirrored.status.run.route == route(0, mirrored=True)
    assert mirrored.asked == ["traffic(Progressing)"]
    real = Walk(case(mirrored.status, spec=whole))
    assert (real.asked, real.status.run.route) == ([], route(50))


# The traffic gate


def test_the_traffic_gate_holds_every_increase() -> None:
    walk = Walk(case(progressing(20), spec=spec(TRAFFIC, stepWeight=20)), {"traffic": DENIED})
    halt = "Halt podinfo advancement waiting for traffic increase approval traffic"
    assert (walk.warnings, walk.status.phase) == ([halt], Phase.PROGRESSING)
    assert walk.alerts == ["warn Canary traffic increase is waiting for approval."]
    assert (walk.status.failed_checks, walk.status.run.route) == (0, route(20))
    again = Walk(case(walk.status, spec=spec(TRAFFIC, stepWeight=20)), {"traffic": DENIED})
    assert (again.warnings, again.alerts) == ([halt], []), "S16: one alert"
    opened = Walk(case(again.status, spec=spec(TRAFFIC, stepWeight=20)))
    assert opened.events == [
        "Confirm-traffic-increase check traffic passed",
        "Advance podinfo canary weight 40",
    ]
    assert opened.status.run.halted == ""


def test_a_muted_traffic_gate() -> None:
    gate = {**TRAFFIC, "muteAlert": True}
    walk = Walk(case(progressing(20), spec=spec(gate, stepWeight=20)), {"traffic": DENIED})
    assert (len(walk.warnings), walk.alerts) == (1, [])


def test_the_traffic_gate_is_not_asked_when_nothing_increases() -> None:
    """S17."""
    walk = Walk(case(progressing(60), spec=spec(TRAFFIC, GATE, stepWeight=20, maxWeight=50)))
    assert walk.asked == ["gate(Progressing)"]


def test_the_traffic_gate_is_not_asked_while_waiting_for_promotion() -> None:
    at = status(Phase.WAITING_PROMOTION, run={"route": route(20), "pre_rollout_passed": True})
    walk = Walk(case(at, spec=spec(TRAFFIC, stepWeight=20)))
    assert walk.asked == []


def test_a_closed_traffic_gate_does_not_repeat_pre_rollout_hooks() -> None:
    """S16."""
    whole = spec(hook("pre-rollout"), TRAFFIC, stepWeight=20)
    first = Walk(case(status(Phase.PROGRESSING), spec=whole), {"traffic": DENIED})
    assert first.asked == ["pre-rollout(Progressing)", "traffic(Progressing)"]
    second = Walk(case(first.status, spec=whole), {"traffic": DENIED})
    assert second.asked == ["traffic(Progressing)"]
    assert "Starting" not in "".join(second.events)


# The promotion gate (section 11)

STRATEGIES: list[tuple[dict[str, Any], Any, str]] = [
    ({"stepWeight": 50, "maxWeight": 50}, progressing(50), "istio"),
    ({"iterations": 2, "match": MATCH}, progressing(100, 2), "istio"),
    ({"iterations": 2}, progressing(0, 2), "istio"),
    ({"iterations": 2}, progressing(0, 2), "kubernetes"),
]


@pytest.mark.parametrize(("analysis", "at", "provider"), STRATEGIES)
def test_the_promotion_gate(analysis: dict[str, Any], at: Any, provider: str) -> None:
    whole = spec(GATE, **analysis)
    closed = Walk(case(at, spec=whole, provider=provider), {"gate": DENIED})
    assert (closed.status.phase, closed.warnings) == (Phase.WAITING_PROMOTION, [WAITING])
    assert closed.told("Halt").phase is Phase.WAITING_PROMOTION
    assert closed.alerts == ["warn Canary promotion is waiting for approval."]
    assert (closed.status.canary_weight, closed.status.iterations) == (
        *(at.canary_weight, at.iterations),
    ), "S13"
    silent = Walk(case(closed.status, spec=whole, provider=provider), {"gate": DENIED})
    assert (silent.status, silent.events, silent.alerts) == (closed.status, [], [])
    assert silent.asked == ["gate(Progressing)"], "every tick, with one question"
    opened = Walk(case(silent.status, spec=whole, provider=provider))
    assert opened.events[0] == "Confirm-promotion check gate passed"
    assert opened.status.run.promotion_approved


@pytest.mark.parametrize(("analysis", "at", "provider"), STRATEGIES)
def test_checks_go_on_while_the_promotion_waits(
    analysis: dict[str, Any], at: Any, provider: str
) -> None:
    waiting = at.model_copy(update={"phase": Phase.WAITING_PROMOTION})
    whole = spec(hook("rollout"), GATE, **analysis)
    walk = Walk(case(waiting, spec=whole, provider=provider), {"rollout": DENIED})
    assert (walk.status.phase, walk.status.failed_checks) == (Phase.WAITING_PROMOTION, 1)


def test_several_promotion_gates_must_all_be_open() -> None:
    gates = [hook("confirm-promotion", name) for name in ("a", "b", "c")]
    walk = Walk(case(progressing(50), spec=spec(*gates, maxWeight=50)), {"b": DENIED})
    assert walk.asked == ["a(Progressing)", "b(Progressing)"]
    assert walk.events[0] == "Confirm-promotion check a passed"


# A/B testing (7.2)


def test_ab_testing_sends_matching_requests_for_some_iterations() -> None:
    whole = spec(TRAFFIC, iterations=2, match=MATCH)
    first = Walk(case(progressing(), spec=whole))
    assert (first.rule, first.asked) == ("ab_testing", [])
    assert first.events[-1] == "Advance podinfo canary iteration 1/2"
    assert (first.status.iterations, first.status.run.route) == (1, route(100))
    assert first.status.canary_weight == 0, "S30, kept"
    second = Walk(case(first.status, spec=whole))
    assert second.events == ["Advance podinfo canary iteration 2/2"]
    third = Walk(case(second.status, spec=whole))
    assert (third.events, third.obeyed.phase) == ([COPYING], Phase.PROMOTING)
    assert third.status.iterations == 2


@pytest.mark.parametrize("match", [MATCH, []])
@pytest.mark.parametrize("done", [2, 3, 4, 5])
def test_iterations_may_be_lowered_during_a_run(match: Any, done: int) -> None:
    """S15: upstream hangs for ever."""
    walk = Walk(case(progressing(100, done), spec=spec(iterations=1, match=match)))
    assert walk.obeyed.phase is Phase.PROMOTING


# Blue/Green (7.3)


def test_blue_green_tests_first_and_switches_then() -> None:
    whole = spec(GATE, iterations=1)
    first = Walk(case(progressing(), spec=whole))
    assert first.events[-1] == "Advance podinfo canary iteration 1/1"
    assert first.status.run.route == route(0)
    switched = Walk(case(first.status, spec=whole))
    assert switched.events == [
        "Confirm-promotion check gate passed",
        "Routing all traffic to canary",
    ]
    assert (switched.status.run.route, switched.status.iterations) == (route(100), 2)
    assert switched.status.canary_weight == 0, "S30, kept"
    promoted = Walk(case(switched.status, spec=whole))
    assert (promoted.asked, promoted.events) == ([], [COPYING]), "S14: the gate is asked once"


def test_blue_green_with_mirror() -> None:
    whole = spec(iterations=1, mirror=True)
    first = Walk(case(progressing(), spec=whole))
    assert first.status.run.route == route(0, mirrored=True)
    switched = Walk(case(first.status, spec=whole))
    assert switched.events == [messages.STOP_MIRRORING]
    assert switched.status.run.route == route(100)


@pytest.mark.parametrize("analysis", [{"iterations": 2}, {"stepWeight": 50}])
def test_provider_kubernetes_does_not_mirror(analysis: dict[str, Any]) -> None:
    whole = spec(**analysis, mirror=True)
    walk = Walk(case(progressing(), spec=whole, provider="kubernetes"))
    assert walk.status.run.route == route(0)


def test_stranded_traffic_is_not_mirrored() -> None:
    at = progressing(100, promotion_failed=True)
    walk = Walk(case(at, spec=spec(iterations=1, mirror=True)))
    assert walk.status.run.route == route(100)


# Provider kubernetes (step 26)


@pytest.mark.parametrize(
    ("analysis", "warnings", "iterations"),
    [
        ({"iterations": 2}, [], 2),
        ({"iterations": 2, "match": MATCH}, [messages.NO_AB_TESTING], 2),
        ({"stepWeight": 20}, [messages.NO_WEIGHTS, messages.FORCING_ITERATIONS], 10),
        (
            {"stepWeight": 20, "match": MATCH},
            [messages.NO_AB_TESTING, messages.NO_WEIGHTS, messages.FORCING_ITERATIONS],
            10,
        ),
    ],
)
def test_provider_kubernetes_knows_blue_green_only(
    analysis: dict[str, Any], warnings: list[str], iterations: int
) -> None:
    walk = Walk(case(progressing(), spec=spec(**analysis), provider="kubernetes"))
    assert walk.warnings == warnings
    assert walk.events[-1] == f"Advance podinfo canary iteration 1/{iterations}"


def test_provider_kubernetes_does_not_claim_to_route() -> None:
    walk = Walk(case(progressing(0, 2), spec=spec(iterations=2), provider="kubernetes"))
    assert (walk.events, walk.status.iterations) == ([], 3)
    assert walk.status.run.route == route(0)


def test_every_step_records_the_tick() -> None:
    for analysis, at, provider in STRATEGIES:
        walk = Walk(case(at, spec=spec(**analysis), provider=provider))
        assert walk.status.run.ticked_at == TICKED
