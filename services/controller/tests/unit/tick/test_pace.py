"""The rhythm of a canary."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.tick.pace import LONG_AGO, RESYNC, Pace

from ...model.rig import canary

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def at(seconds: float) -> str:
    """A stamp, so many seconds from now."""
    return (NOW + timedelta(seconds=seconds)).isoformat()


def pace(status: dict[str, Any], ticked: float | None = None, **spec: Any) -> Pace:
    body = canary(**spec) | {"status": status}
    remembered = None if ticked is None else NOW + timedelta(seconds=ticked)
    return Pace(Canary.from_api(body), 10, remembered)


def test_the_first_tick_is_due_whenever_the_clock_is_read() -> None:
    assert pace({"phase": "Initializing"}).due_at == LONG_AGO < NOW
    assert pace({"phase": "Initializing"}).seconds_left(NOW, idle=False) == 0


@pytest.mark.parametrize(
    ("stored", "remembered", "left"),
    [(-4, None, 6), (-4, -1, 9), (-1, -4, 9), (-30, None, 0), (0, None, 10)],
)
def test_the_next_tick_is_due_an_interval_after_the_last_one_known(
    stored: float, remembered: float | None, left: float
) -> None:
    found = pace({"phase": "Progressing", "run": {"tickedAt": at(stored)}}, remembered)
    assert found.seconds_left(NOW, idle=False) == left


def test_a_run_of_upstream_was_ticked_when_its_status_was_written() -> None:
    written = {"lastTransitionTime": at(-4)}
    assert pace({"phase": "Progressing", **written}).seconds_left(NOW, idle=False) == 6
    assert pace({"phase": "Succeeded", **written}).due_at == LONG_AGO


@pytest.mark.parametrize(
    ("phase", "suspend", "left"),
    [
        ("Succeeded", False, RESYNC),
        ("Failed", False, RESYNC),
        ("Progressing", True, RESYNC),
        ("Waiting", False, 30),
        ("Progressing", False, 30),
    ],
)
def test_what_rests_is_looked_at_seldom(phase: str, suspend: bool, left: float) -> None:
    analysis = {"interval": "30s", "threshold": 1, "stepWeight": 10, "maxWeight": 50}
    found = pace({"phase": phase}, analysis=analysis, suspend=suspend)
    assert found.seconds_left(NOW, idle=True) == left


def test_an_interval_is_never_below_the_floor() -> None:
    analysis = {"interval": "2s", "threshold": 1, "stepWeight": 10, "maxWeight": 50}
    assert pace({}, analysis=analysis).interval == timedelta(seconds=10)
