"""What waits, runs and has ended, and who gets the next place.

Not safe for threads: the runner holds its lock. Starts and ends nothing itself.
"""

import collections

from .history import History, Once
from .orders import Order
from .records import Record, State
from .run import Run


class Registry:
    """All tasks that are known."""

    def __init__(self, max_background: int, max_per_namespace: int, history: int) -> None:
        self.running: set[Run] = set()
        self.queue: collections.deque[Run] = collections.deque()
        """Background tasks that wait for a place, first come first served."""
        self._max_background = max_background
        self._max_per_namespace = max_per_namespace
        self._current: dict[tuple[str, ...], Run] = {}
        self._history = History(history)
        self._once = Once()

    def live(self) -> list[Run]:
        """Return what waits or runs."""
        return [*self.queue, *self.running]

    def records(self) -> list[Record]:
        """Return all tasks, newest first."""
        found = [*self._history, *(run.record for run in self.live())]
        return sorted(found, key=lambda record: record.created, reverse=True)

    def find(self, number: str) -> Record | None:
        """Return one task; None when it is not known."""
        live = (run.record for run in self.live() if run.record.id == number)
        return next(live, None) or self._history.find(number)

    def blocking(self) -> int:
        """Return how many blocking tasks run."""
        return sum(run.order.kind.blocking for run in self.running)

    def full(self, namespace: str) -> bool:
        """Say whether no more tasks of a namespace may run."""
        count = sum(run.order.payload.namespace == namespace for run in self.running)
        return bool(self._max_per_namespace) and count >= self._max_per_namespace

    def has_place(self, order: Order) -> bool:
        """Say whether a background task may run now."""
        background = len(self.running) - self.blocking()
        return background < self._max_background and not self.full(order.payload.namespace)

    def current(self, order: Order) -> Run | None:
        """Return the same task if it waits or runs and was not cancelled."""
        return self._current.get(order.key)

    def done(self, order: Order) -> str | None:
        """Return the number of the task that has done this once; None when it is not done."""
        return self._once.find(order.once_key)

    def enqueue(self, run: Run) -> Run:
        """Let a task wait."""
        self.queue.append(run)
        self._current[run.order.key] = run
        return run

    def begin(self, run: Run) -> Run:
        """Let a task run."""
        run.begin()
        self.running.add(run)
        self._current[run.order.key] = run
        return run

    def release(self, run: Run) -> None:
        """Let go of what makes others the same as this task."""
        if self._current.get(run.order.key) is run:
            del self._current[run.order.key]

    def end(self, run: Run) -> None:
        """Move a task that has ended to the history."""
        self.release(run)
        self.running.discard(run)
        self._history.add(run.record)
        if run.order.once and run.record.state is State.SUCCEEDED:
            self._once.add(run.order.once_key, run.record.id)

    def next(self) -> Run | None:
        """Take out of the queue who gets the place of a task that has ended; None without one."""
        for run in self.queue:
            if self.has_place(run.order):
                self.queue.remove(run)
                return run
        return None
