"""Session cookies in the status (state-machine.md section 15, routing.md 4.5)."""

from typing import Any

import pytest

from flagger_controller.api.status import CanaryStatus, Phase, Route, Run
from flagger_controller.rollout import cookies

from .cases import Walk, case, status
from .scenario import Scenario, canary

ENTROPY = "abcdefghijklmnopqrst"


def spec(**affinity: Any) -> Any:
    analysis = {"interval": "10s", "threshold": 2, "stepWeight": 50, "maxWeight": 50}
    return canary(analysis={**analysis, "sessionAffinity": {"cookieName": "canary", **affinity}})


def routed(weight: int | None, **fields: str) -> CanaryStatus:
    route = None if weight is None else Route(primary=100 - weight, canary=weight)
    return CanaryStatus(phase=Phase.PROGRESSING, run=Run(route=route), **fields)


def cookies_of(found: CanaryStatus) -> tuple[str, str, str]:
    return (
        found.session_affinity_cookie,
        found.previous_session_affinity_cookie,
        found.primary_session_affinity_cookie,
    )


@pytest.mark.parametrize(
    ("affinity", "before", "after"),
    [
        ({}, routed(0), ("", "", "")),
        ({}, routed(None), ("", "", "")),
        ({}, routed(20), ("canary=abcdefghij", "", "")),
        (
            {"primaryCookieName": "primary"},
            routed(20),
            ("canary=abcdefghij", "", "primary=klmnopqrst"),
        ),
        ({}, routed(20, session_affinity_cookie="canary=old"), ("canary=old", "", "")),
        ({}, routed(20, session_affinity_cookie="former=1"), ("canary=abcdefghij", "", "")),
        (
            {"primaryCookieName": "primary"},
            routed(20, primary_session_affinity_cookie="former=1"),
            ("canary=abcdefghij", "", "primary=klmnopqrst"),
        ),
        ({}, routed(0, session_affinity_cookie="canary=old"), ("", "canary=old", "")),
        ({}, routed(0, previous_session_affinity_cookie="canary=old"), ("", "canary=old", "")),
        (
            {"primaryCookieName": "primary"},
            routed(0, session_affinity_cookie="c=1", primary_session_affinity_cookie="p=1"),
            ("", "c=1", "p=1"),
        ),
    ],
)
def test_renewal(affinity: Any, before: CanaryStatus, after: tuple[str, str, str]) -> None:
    assert cookies_of(cookies.renewed(spec(**affinity), before, ENTROPY)) == after


def test_without_affinity_nothing_changes() -> None:
    before = routed(20, session_affinity_cookie="left=over")
    assert cookies.renewed(canary(), before, ENTROPY) is before


def test_cookies_are_part_of_the_decision_that_moves_traffic() -> None:
    """S26: upstream loses them when the status write conflicts."""
    walk = Walk(case(status(Phase.PROGRESSING), spec=spec()))
    assert walk.status.route.canary == 50
    assert walk.status.session_affinity_cookie == "canary=abcdefghij"


def test_cookies_of_a_whole_run() -> None:
    scenario = Scenario(spec(primaryCookieName="primary")).initialized().push("v2").run()
    seen = dict.fromkeys(map(cookies_of, scenario.statuses))
    assert list(seen) == [
        ("", "", ""),
        ("canary=abcdefghij", "", "primary=klmnopqrst"),
        ("", "canary=abcdefghij", "primary=klmnopqrst"),
    ]


def test_a_rollback_retires_the_cookie() -> None:
    at = status(
        Phase.PROGRESSING,
        failed_checks=9,
        session_affinity_cookie="canary=1",
        run={"route": Route(primary=50, canary=50), "pre_rollout_passed": True},
    )
    walk = Walk(case(at, spec=spec()))
    assert cookies_of(walk.status)[:2] == ("", "canary=1")
