"""Single flight: one `helm test` per release, shared by everybody who asks for the same one.

Two tests of one release at the same time delete each other's pods and both fail. A controller whose
hook timed out asks again while the first test still runs, so the second request has to join it.
Works inside one process: run one worker and one replica (spec helmtester B.3, B.7).
"""

import concurrent.futures
import dataclasses
import threading
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

Wanted = Callable[[], bool]
"""Answers whether anybody still waits for a result."""


class BusyError(Exception):
    """Too many requests are here already, or the release stayed busy for too long."""


class Lane(NamedTuple):
    """What must never be worked on twice at a time."""

    namespace: str
    """Whose limit counts."""
    name: str
    """The release, or the Job."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much may happen at once."""

    running: int = 4
    """Tests running at the same time."""
    per_namespace: int = 1
    """Tests of one namespace among them."""
    waiting: int = 32
    """Requests that wait for their turn or for somebody else's result, beyond the running ones."""
    patience: float = 300.0
    """Seconds a test waits for its turn."""

    @property
    def callers(self) -> int:
        """All requests inside `Flights.run`; each holds a thread of the server."""
        return self.running + self.waiting


def always() -> bool:
    """Want the result whatever happens."""
    return True


class _Flight(Generic[T]):
    """One question that is being answered, and who wants to know."""

    def __init__(self) -> None:
        self.future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self.asking: list[Wanted] = []

    def wanted(self) -> bool:
        return any(asking() for asking in tuple(self.asking))


class Flights(Generic[T]):
    """Runs work one at a time per lane, and once for all who ask the same question meanwhile."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._changed = threading.Condition()
        self._callers = 0
        self._busy: set[Lane] = set()
        self._flights: dict[tuple[Lane, Hashable], _Flight[T]] = {}

    @property
    def running(self) -> int:
        """Number of tests running now."""
        return len(self._busy)

    @property
    def waiting(self) -> int:
        """Number of requests that wait for their turn or for somebody else's result now."""
        return self._callers - len(self._busy)

    def run(
        self,
        lane: Lane,
        question: Hashable,
        work: Callable[[Wanted], T],
        wanted: Wanted = always,
    ) -> tuple[T, bool]:
        """Return the result of `work`, and whether it is the result of somebody else's.

        Args:
            lane: what must never be worked on twice at a time.
            question: what makes two requests for a lane the same.
            work: called in this thread, unless the same question is already being answered; it
                gets what tells whether anybody still wants its result.
            wanted: whether this caller does.

        Raises:
            BusyError: no room, or no turn within the limits; nothing was done.
            Exception: whatever `work` raises, for everybody who shares it.
        """
        with self._changed:
            if self._callers >= self._limits.callers:
                raise BusyError("too many tests are running or waiting")
            self._callers += 1
            flight = self._flights.get((lane, question))
            joined = flight is not None
            if flight is None:
                flight = self._flights[lane, question] = _Flight()
            flight.asking.append(wanted)
        try:
            if joined:
                return flight.future.result(), True
            return self._lead(lane, question, flight, work), False
        finally:
            with self._changed:
                self._callers -= 1

    def _lead(
        self, lane: Lane, question: Hashable, flight: _Flight[T], work: Callable[[Wanted], T]
    ) -> T:
        try:
            self._take(lane)
            try:
                result = work(flight.wanted)
            finally:
                self._leave(lane)
        except BaseException as error:
            self._land(lane, question)
            flight.future.set_exception(error)
            raise
        self._land(lane, question)
        flight.future.set_result(result)
        return result

    def _take(self, lane: Lane) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._free(lane), self._limits.patience):
                raise BusyError("the release or its namespace is busy with other tests")
            self._busy.add(lane)

    def _free(self, lane: Lane) -> bool:
        neighbours = [busy for busy in self._busy if busy.namespace == lane.namespace]
        return (
            lane not in self._busy
            and len(neighbours) < self._limits.per_namespace
            and len(self._busy) < self._limits.running
        )

    def _leave(self, lane: Lane) -> None:
        with self._changed:
            self._busy.discard(lane)
            self._changed.notify_all()

    def _land(self, lane: Lane, question: Hashable) -> None:
        """Take a flight off the board before its result is out: later requests start their own."""
        with self._changed:
            del self._flights[lane, question]
