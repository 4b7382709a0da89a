"""How urgent a canary is, by its status."""

import math
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Phase
from flagger_controller.tick.rank import rank_of
from flagger_controller.urgency import FIRST, Level, Rank

from ...model.rig import canary

NOON = 1767355200.0
"""2026-01-02T12:00:00Z"""


def rank(status: dict[str, Any], **spec: Any) -> Rank:
    return rank_of(Canary.from_api(canary(**spec) | {"status": status}))


def test_every_phase_has_its_level() -> None:
    levels = {phase.name: rank({"phase": phase}).level for phase in Phase}
    starting = {"NEW", "INITIALIZING"}
    settled = {"INITIALIZED", "SUCCEEDED", "FAILED", "TERMINATING", "TERMINATED"}
    assert {name for name in levels if levels[name] is Level.START} == starting
    assert {name for name in levels if levels[name] is Level.REPAIR} == settled
    assert {name for name in levels if levels[name] is Level.RELEASE} == {
        "WAITING",
        "PROGRESSING",
        "WAITING_PROMOTION",
        "PROMOTING",
        "FINALISING",
    }


def test_the_deadline_runs_from_the_last_progress() -> None:
    ticked = {"tickedAt": "2026-01-02T12:00:00.500Z"}
    status = {"phase": "Progressing", "lastTransitionTime": "2026-01-02T11:00:00Z"}
    assert rank({**status, "run": ticked}, progressDeadlineSeconds=60).until == NOON + 60.5
    assert rank(status, progressDeadlineSeconds=60).until == NOON - 3600 + 60, "begun by upstream"
    assert rank({**status, "phase": "Succeeded"}).until == math.inf


@pytest.mark.parametrize("stored", ["", "yesterday", "0001-01-01"])
def test_without_a_time_there_is_no_deadline(stored: str) -> None:
    assert rank({"phase": "Progressing", "lastTransitionTime": stored}) == Rank(Level.RELEASE)


def test_a_rollback_comes_before_every_deadline() -> None:
    owed = {"tickedAt": "2026-01-02T12:00:00.000Z", "obligation": "rollback"}
    assert rank({"phase": "Progressing", "run": owed}) == FIRST


def test_what_cannot_be_decoded_comes_last() -> None:
    assert rank_of(None) == Rank(Level.START)
