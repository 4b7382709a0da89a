"""Who comes first where many wait: for a place to be ticked, and for requests to the API server.

A release under way moves the traffic of users and has a deadline, so it comes before everything
else; within a level the nearest deadline comes first, then who came first. One turn in so many
belongs to whoever has waited longest, so that nobody waits for ever.
"""

import itertools
import math
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from enum import IntEnum
from typing import Final, Generic, NamedTuple, TypeVar

FAIR: Final = 10
"""Of so many turns one belongs to whoever has waited longest: those who are less urgent keep a
tenth under any load. Promoting them after a time would put a thousand start-ups before the
releases as soon as they have waited for so long."""


class Level(IntEnum):
    """What the work of a canary is for; lower numbers come first."""

    RELEASE = 0
    """A release is under way."""
    REPAIR = 1
    """Between releases: puts back what somebody changed, and begins the next release."""
    START = 2
    """Before the first release: nobody depends on it yet."""


class Rank(NamedTuple):
    """How urgent something is; the smaller one comes first."""

    level: Level
    until: float = math.inf
    """When its deadline is over, in seconds since 1970; infinite: it has none."""

    @property
    def news(self) -> "Rank":
        """Of what people are told about it: after what is done on the same level.

        So the end of a release, which waits for its announcement, does not wait for repairs.
        """
        return Rank(self.level)


FIRST: Final = Rank(Level.RELEASE, -math.inf)
"""Whatever belongs to no canary, such as the lists and watches that all of them wait for."""

_asked: ContextVar[Callable[[], Rank]] = ContextVar("rank", default=lambda: FIRST)


def current() -> Rank:
    """How urgent the current task is right now."""
    return _asked.get()()


def asked() -> Callable[[], Rank]:
    """What tells how urgent the current task is, whenever it is asked."""
    return _asked.get()


def follow(rank: Callable[[], Rank]) -> None:
    """Be as urgent as this says, whenever it is asked; for the current task and those it makes.

    It is asked again and again, because a release may begin or end during a tick.
    """
    _asked.set(rank)


Who = TypeVar("Who", bound=Hashable)


class Line(Generic[Who]):
    """Those who wait, most urgent first; each of them stands in it once, and may leave it."""

    def __init__(self) -> None:
        self._order: list[tuple[Rank, int, Who]] = []
        self._places: OrderedDict[Who, tuple[Rank, int]] = OrderedDict()
        """By arrival."""
        self._numbers = itertools.count()
        self._turns = 0

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, who: Who) -> bool:
        return who in self._places

    def join(self, who: Who, rank: Rank) -> None:
        """Stand in line, unless one does already."""
        if who not in self._places:
            place = self._places[who] = (rank, next(self._numbers))
            insort(self._order, (*place, who))

    def leave(self, who: Who) -> None:
        """Give up, if one stands in it."""
        if (place := self._places.pop(who, None)) is not None:
            del self._order[bisect_left(self._order, place)]

    def call(self, least: Level = Level.START) -> Who | None:
        """Whose turn it is, among those of at least this level; None: nobody's. They leave."""
        if not self._order or self._order[0][0].level > least:
            return None
        self._turns += 1
        who = self._order[0][2]
        if self._turns % FAIR == 0:
            longest, (rank, _) = next(iter(self._places.items()))
            who = longest if rank.level <= least else who
        self.leave(who)
        return who
