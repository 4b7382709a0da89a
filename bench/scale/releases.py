"""What an observer's sights say about a release: when it was noticed, advanced and ended. Pure.

All times are seconds of one monotonic clock.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Final

UNDER_WAY: Final = "Progressing"
ENDS: Final = frozenset({"Succeeded", "Failed"})


@dataclasses.dataclass(frozen=True)
class State:
    """How far a Canary is; the rest of its status (failed checks, conditions) does not count."""

    phase: str
    weight: int
    iterations: int


@dataclasses.dataclass(frozen=True)
class Sight:
    """A state that a Canary was first seen in, other than the one before."""

    at: float
    state: State


@dataclasses.dataclass(frozen=True)
class Release:
    """What came of a revision."""

    pushed: float
    """Before the revision was sent to the API server."""
    advances: tuple[float, ...]
    """When each of its states was seen: noticed, every step, promoting, ..., the end."""
    end: str
    """The phase that it ended in; empty: it is under way, or was not noticed yet."""

    @property
    def noticed(self) -> float:
        """Seconds from the push to the first status that shows it.

        Raises:
            IndexError: there was none.
        """
        return self.advances[0] - self.pushed


def state_of(canary: Mapping[str, Any]) -> State:
    """Return the state in a Canary's status; one without a status has an empty phase."""
    status = canary.get("status") or {}
    weight, iterations = status.get("canaryWeight") or 0, status.get("iterations") or 0
    return State(status.get("phase") or "", weight, iterations)


def release(sights: Iterable[Sight], pushed: float) -> Release:
    """Return what came of a revision that was pushed when no other one was under way.

    An advance is a change of phase, weight or iterations. The first one is `Progressing`, the last
    one `Succeeded` or `Failed`. A restarted analysis counts as an advance, too.
    """
    advances: list[float] = []
    for sight in sights:
        if sight.at < pushed or not (advances or sight.state.phase == UNDER_WAY):
            continue
        advances.append(sight.at)
        if sight.state.phase in ENDS:
            return Release(pushed, tuple(advances), sight.state.phase)
    return Release(pushed, tuple(advances), "")


def lags(one: Release, interval: float) -> list[float]:
    """Return how much later than an interval after the one before each advance came, in seconds.

    One that came earlier has no lag. The first advance has none before it: see `Release.noticed`.
    """
    pairs = itertools.pairwise(one.advances)
    return [max(after - before - interval, 0.0) for before, after in pairs]


def across(one: Release, moment: float) -> float | None:
    """Return the seconds from the last advance before a moment to the first one after it.

    None: the release was not under way at that moment, or has not advanced since.
    """
    pairs = itertools.pairwise(one.advances)
    return next((after - before for before, after in pairs if before <= moment < after), None)


def early(distances: Iterable[float], interval: float, allowance: float) -> int:
    """Count distances shorter than an interval, by more than is allowed for how both were seen."""
    return sum(distance < interval - allowance for distance in distances)


def spread(number: int, span: float) -> float:
    """Return a pause from 0 up to a span, in seconds: together they cover it evenly, at any count.

    Pushes with the same pause in between would all meet the same point of a controller's interval.
    """
    golden = 0.6180339887
    return number * golden % 1 * span
