"""Whoever waits for somebody outside takes no place from those who can go on.

So many ticks run at a time. One that waits for a metric source or a hook does nothing meanwhile,
perhaps for a minute, and must not keep another canary from its tick: it leaves its seat while it
waits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Seat:
    """The place of one tick, whose questions may wait side by side."""

    def __init__(self, moved: Callable[[int], None]) -> None:
        """Make it; `moved` is told that a place was left (1) or is taken again (-1)."""
        self._moved = moved
        self._waiting = 0

    def take(self) -> None:
        """Be the seat of the current task and of those that it makes."""
        _seat.set(self)

    def _wait(self, questions: int) -> None:
        before, self._waiting = self._waiting, self._waiting + questions
        if not (before and self._waiting):
            self._moved(questions)


_seat: ContextVar[Seat | None] = ContextVar("seat", default=None)


@contextmanager
def left() -> Iterator[None]:
    """Leave the seat, if there is one, while the body waits.

    It is taken again at once, even if there is none free: who has waited must be able to end.
    """
    seat = _seat.get()
    if seat is None:
        yield
        return
    seat._wait(1)
    try:
        yield
    finally:
        seat._wait(-1)
