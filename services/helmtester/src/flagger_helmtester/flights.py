"""Single flight: one `helm test` per release, shared by everybody who asks for the same one.

Two tests of one release at the same time delete each other's pods and both fail. A controller whose
hook timed out asks again while the first test still runs, so the second request has to join it.
Works inside one process: run one worker and one replica (spec helmtester B.3, B.7).
"""

import concurrent.futures
import dataclasses
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class BusyError(Exception):
    """Too many requests are here already, or the release stayed busy for too long."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much may happen at once."""

    running: int = 4
    """Tests running at the same time."""
    waiting: int = 32
    """Requests that wait for their turn or for somebody else's result, beyond the running ones."""
    patience: float = 300.0
    """Seconds a test waits for its turn."""

    @property
    def callers(self) -> int:
        """All requests inside `Flights.run`; each holds a thread of the server."""
        return self.running + self.waiting


class Flights(Generic[T]):
    """Runs work one at a time per lane, and once for all who ask the same question meanwhile."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._changed = threading.Condition()
        self._callers = 0
        self._busy: set[Hashable] = set()
        self._flights: dict[tuple[Hashable, Hashable], concurrent.futures.Future[T]] = {}

    @property
    def running(self) -> int:
        """Number of tests running now."""
        return len(self._busy)

    @property
    def callers(self) -> int:
        """Number of requests running, waiting or joined now."""
        return self._callers

    def run(self, lane: Hashable, question: Hashable, work: Callable[[], T]) -> tuple[T, bool]:
        """Return the result of `work`, and whether it is the result of somebody else's.

        Args:
            lane: what must never be worked on twice at a time: the release.
            question: what makes two requests for a lane the same.
            work: called in this thread, unless the same question is already being answered.

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
                flight = self._flights[lane, question] = concurrent.futures.Future()
        try:
            return flight.result() if joined else self._lead(lane, question, flight, work), joined
        finally:
            with self._changed:
                self._callers -= 1

    def _lead(
        self,
        lane: Hashable,
        question: Hashable,
        flight: concurrent.futures.Future[T],
        work: Callable[[], T],
    ) -> T:
        try:
            self._take(lane)
            try:
                result = work()
            finally:
                self._leave(lane)
        except BaseException as error:
            self._land(lane, question)
            flight.set_exception(error)
            raise
        self._land(lane, question)
        flight.set_result(result)
        return result

    def _take(self, lane: Hashable) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._free(lane), self._limits.patience):
                raise BusyError("the release is busy with another test")
            self._busy.add(lane)

    def _free(self, lane: Hashable) -> bool:
        return lane not in self._busy and len(self._busy) < self._limits.running

    def _leave(self, lane: Hashable) -> None:
        with self._changed:
            self._busy.discard(lane)
            self._changed.notify_all()

    def _land(self, lane: Hashable, question: Hashable) -> None:
        """Take a flight off the board before its result is out: later requests start their own."""
        with self._changed:
            del self._flights[lane, question]
