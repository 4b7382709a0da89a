"""Judges what clients of a gate were told while its servers were killed: pure.

One client at a time changes a gate, and goes on when it knows what became of a request or that it
does not. So at each moment the gate can be open, closed, or (from the begin of a change until a
later one is acknowledged) either of them. A check is right if some moment of it allows its answer.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence


@dataclasses.dataclass(frozen=True)
class Write:
    """One request to open or close a gate. Times are seconds of one clock."""

    opens: bool
    begin: float
    end: float
    acknowledged: bool


@dataclasses.dataclass(frozen=True)
class Check:
    """One check that was answered."""

    approved: bool
    begin: float
    end: float


@dataclasses.dataclass(frozen=True)
class Period:
    """A time in which a gate may be in some states (True: open)."""

    begin: float
    end: float
    states: frozenset[bool]
    wanted: frozenset[bool] = frozenset()
    """What the changes under way want; nothing while there are none."""


def periods(writes: Sequence[Write]) -> Iterator[Period]:
    """Yield what is known about a gate, from the beginning of time, when it is closed, to the end.

    Args:
        writes: all changes, one after the other.
    """
    begin, states, wanted = -math.inf, frozenset({False}), frozenset[bool]()
    for write in writes:
        if not wanted:
            yield Period(begin, write.begin, states)
            begin = write.begin
        wanted |= {write.opens}
        states |= {write.opens}
        if write.acknowledged:
            yield Period(begin, write.end, states, wanted)
            begin, states, wanted = write.end, frozenset({write.opens}), frozenset()
    yield Period(begin, math.inf, states, wanted)


def violations(writes: Sequence[Write], checks: Sequence[Check]) -> list[str]:
    """Return what no gate could have answered; empty if all is well."""
    known = list(periods(writes))
    wrong = [
        f"a check was {_word(check)} at {check.begin:.3f}, until {check.end:.3f}: nothing allows it"
        for check in checks
        if not any(check.approved in period.states for period in _during(known, check))
    ]
    return wrong + [text for period in known for text in _returns(period, checks)]


def lost(acknowledged: Sequence[str], history: Sequence[str]) -> list[str]:
    """Return which acknowledged changes a history does not have, once each and in their order."""
    position = {name: place for place, name in enumerate(history)}
    missing = [name for name in acknowledged if history.count(name) != 1]
    places = [position[name] for name in acknowledged if name in position]
    swapped = any(later < earlier for earlier, later in itertools.pairwise(places))
    return [f"{name} is in the history {history.count(name)} times" for name in missing] + [
        "the history has another order"
    ] * swapped


def _during(known: Sequence[Period], check: Check) -> Iterator[Period]:
    return (one for one in known if one.begin <= check.end and check.begin <= one.end)


def _returns(period: Period, checks: Sequence[Check]) -> Iterator[str]:
    """Yield checks that saw the state before a change after others have seen the one behind it.

    Only where all changes under way want the same: else the state may go there and back.
    """
    if len(period.wanted) != 1 or len(period.states) == 1:
        return
    (new,) = period.wanted
    inside = [one for one in checks if period.begin < one.begin and one.end < period.end]
    seen = min((one.end for one in inside if one.approved == new), default=math.inf)
    for check in inside:
        if check.approved != new and check.begin > seen:
            yield f"a check was {_word(check)} at {check.begin:.3f}, behind one that saw the change"


def _word(check: Check) -> str:
    return "approved" if check.approved else "refused"
