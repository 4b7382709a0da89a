"""What counts as an advance, and how late or early it is."""

import itertools
import json
import pathlib
import re

from bench.scale.releases import (
    Release,
    Sight,
    State,
    across,
    early,
    lags,
    release,
    spread,
    state_of,
)
from services.controller.tests.api import replay

RECORDINGS = pathlib.Path(replay.__file__).parent / "recordings"
LINE = re.compile(r"phase=(\w+) canaryWeight=(\d+) iterations=(\d+)")


def recorded(name: str) -> list[Sight]:
    """The states of a release by upstream, ten seconds apart."""
    text = json.loads((RECORDINGS / f"{name}.json").read_text())
    lines = text["recording"]["status"]["podinfo"]
    found = [LINE.match(line) for line in lines]
    return [
        Sight(10.0 * n, State(match[1], int(match[2]), int(match[3])))
        for n, match in enumerate(found)
        if match
    ]


def test_a_release_of_upstream_in_two_steps_is_six_advances() -> None:
    """Noticed, 25, 50, promoting, finalising, succeeded: two states were before."""
    one = release(recorded("weighted-gatewayapi-v1"), pushed=12.5)
    assert one == Release(12.5, (20, 30, 40, 50, 60, 70), "Succeeded")
    assert one.noticed == 7.5


def test_what_was_before_the_push_does_not_count() -> None:
    sights = recorded("weighted-gatewayapi-v1")
    assert release(sights, pushed=70.5) == Release(70.5, (), "")
    again = [*sights, Sight(90, State("Progressing", 0, 0)), Sight(99, State("Failed", 0, 0))]
    assert release(again, pushed=70.5) == Release(70.5, (90, 99), "Failed")
    # One that comes from the release before is not the notice.
    late = [Sight(71, State("Succeeded", 0, 0)), Sight(90, State("Progressing", 0, 0))]
    assert release(late, pushed=70.5) == Release(70.5, (90,), "")


def test_what_is_after_the_end_does_not_count() -> None:
    again = [*recorded("weighted-gatewayapi-v1"), Sight(90, State("Progressing", 0, 0))]
    assert release(again, pushed=12.5).advances[-1] == 70


def test_a_canary_without_a_status_has_a_state() -> None:
    assert state_of({"metadata": {}}) == State("", 0, 0)
    status = {"phase": "Progressing", "canaryWeight": 20, "iterations": 1, "failedChecks": 3}
    assert state_of({"status": status}) == State("Progressing", 20, 1)


def test_only_what_is_late_is_a_lag() -> None:
    one = Release(0, (3, 13, 25.5, 30.5, 40.5), "")
    assert lags(one, 10) == [0, 2.5, 0, 0]
    assert lags(Release(0, (3,), ""), 10) == []


def test_across_a_moment() -> None:
    one = Release(0, (10, 20, 26, 36), "Succeeded")
    assert across(one, 22) == 6
    assert across(one, 20) == 6
    assert across(one, 26) == 10
    # Not yet, over, and not since: it was not under way.
    assert [across(one, moment) for moment in (5, 36, 40)] == [None, None, None]


def test_early_is_clearly_less_than_an_interval() -> None:
    assert early([0.5, 8.9, 9.1, 10, 17], 10, 1) == 2


def test_pauses_cover_an_interval() -> None:
    pauses = sorted(spread(number, 10) for number in range(20))
    assert pauses[0] >= 0
    assert pauses[-1] < 10
    gaps = [after - before for before, after in itertools.pairwise([0, *pauses, 10])]
    assert max(gaps) < 1
