"""Running tasks: in the request or in the background, each once, within limits, until shutdown.

Knows nothing of HTTP requests and nothing of particular task types. Every change of what waits,
runs or has ended (`registry`) is made under one lock.
"""

import concurrent.futures
import dataclasses
import threading
from typing import Final, NoReturn

from flagger_common.payload import CanaryWebhookPayload

from . import journal, metrics, orders, results
from .leftovers import Leftovers
from .orders import Order
from .outcome import Outcome
from .records import Record
from .registry import Registry
from .run import GRACE, KILLED, Run

_LAST_WAIT: Final = 3 * GRACE
"""Seconds that `Runner.close` waits for tasks it has told to end: SIGTERM, SIGKILL, and some."""
_INSTANT: Final = 1.0
"""Seconds within which a failure is instant (``failFast``)."""
_STOPPING: Final = "shutting down"


class BusyError(RuntimeError):
    """As many tasks are running as may; try again later."""


class StoppingError(RuntimeError):
    """The server is going down and takes no more tasks."""


class OverError(RuntimeError):
    """The task has ended already."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the runner enforces; see the settings of the same names."""

    timeout: float = 3600.0
    """Seconds a task may take."""

    max_output: int = 65536
    """Bytes of output kept per command."""

    max_blocking: int = 64
    """Requests that wait for tasks at once."""

    max_background: int = 256
    """Background tasks at once."""

    drain: float = 60.0
    """Seconds blocking tasks may go on after `Runner.drain`."""

    max_per_namespace: int = 0
    """Tasks of one namespace at once; 0 means as many as of all."""

    queue_size: int = 64
    """Background tasks that wait for a place."""

    history: int = 200
    """Ended tasks that are remembered."""

    join: bool = True
    """Whether a request waits for the same task that runs already, instead of running another."""


@dataclasses.dataclass(frozen=True)
class Accepted:
    """The answer to an order."""

    id: str
    """Number of the task; of the one that does the same, if it runs or has succeeded already."""

    outcome: Outcome | None = None
    """How it ended; None if that is not known yet."""


class Runner:
    """Runs tasks and ends them."""

    def __init__(self, limits: Limits) -> None:
        self.metrics = metrics.Metrics()
        self._limits = limits
        self._leftovers = Leftovers()
        # re-entrant: a second signal may close the runner while the first one does
        self._changed = threading.Condition(threading.RLock())
        self._tasks = Registry(limits.max_background, limits.max_per_namespace, limits.history)
        self._joined = 0
        self._stopping = threading.Event()
        self.metrics.queue_depth.set_function(lambda: len(self._tasks.queue))

    def unready(self) -> str | None:
        """Answer the readiness probe: None, or why no tasks are taken."""
        return _STOPPING if self._stopping.is_set() else None

    def run(self, order: Order) -> Accepted:
        """Run a blocking task in this thread, or wait for the same one that runs already.

        Raises:
            BusyError: when too many are running.
            StoppingError: after `drain`.
        """
        with self._changed:
            self._admit(order)
            if self._tasks.blocking() + self._joined >= self._limits.max_blocking:
                self._refuse(f"limit {self._limits.max_blocking}")
            current = self._tasks.current(order) if self._limits.join else None
            if current is not None:
                self._joined += 1
            elif self._tasks.full(order.payload.namespace):
                self._refuse(f"limit of a namespace {self._limits.max_per_namespace}")
            else:
                run = self._tasks.begin(self._made(order))
        if current is not None:
            return self._join(current, order)
        return Accepted(run.record.id, self._perform(run))

    def start(self, order: Order) -> Accepted:
        """Run a task in the background, unless the same one is running or has to be done once.

        Upstream's queue starts tasks every 100 ms; here it is at once, or when there is a place.

        Raises:
            BusyError: when too many are running and waiting.
            StoppingError: after `drain`.
        """
        with self._changed:
            self._admit(order)
            if order.once and (done := self._tasks.done(order)):
                journal.done(order)
                return Accepted(done)
            run = self._tasks.current(order)
            if run is not None:
                self.metrics.skipped.labels(order.kind.name).inc()
                journal.skipped(order)
            else:
                run = self._place(order)
        if not order.fail_fast:
            return Accepted(run.record.id)
        concurrent.futures.wait([run.ending], _INSTANT)
        return Accepted(run.record.id, run.ending.result() if run.ending.done() else None)

    def notice(self, payload: CanaryWebhookPayload) -> None:
        """End the background tasks that are over, now that their canary is where it is."""
        with self._changed:
            for run in self._tasks.live():
                why = orders.why_over(payload, run.order.payload)
                if why and not run.order.kind.blocking:
                    self._cancel(run, why)

    def records(self) -> list[Record]:
        """Return all tasks that are known, newest first."""
        with self._changed:
            return self._tasks.records()

    def find(self, number: str) -> Record | None:
        """Return one task; None when it was never here or is forgotten."""
        with self._changed:
            return self._tasks.find(number)

    def cancel(self, number: str, why: str) -> Record:
        """Make a task end; one that runs is over a little later.

        Raises:
            KeyError: it was never here or is forgotten.
            OverError: it has ended already.
        """
        with self._changed:
            for run in self._tasks.live():
                if run.record.id == number:
                    self._cancel(run, why)
                    return run.record
            if self._tasks.find(number):
                raise OverError(f"task {number} has ended already")
            raise KeyError(number)

    def drain(self) -> None:
        """Take no more tasks, and end those that are left after the drain time.

        Called from a signal handler: sets a flag and starts a thread, takes no lock.
        """
        self._stopping.set()
        threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def close(self) -> None:
        """End all tasks and whatever they left running; returns when they are gone."""
        self._stopping.set()
        self._cancel_all()
        with self._changed:
            self._changed.wait_for(lambda: not self._tasks.running, _LAST_WAIT)
        self._leftovers.close()

    def _drain(self) -> None:
        with self._changed:
            for run in list(self._tasks.queue):
                self._cancel(run, _STOPPING)
            self._changed.wait_for(lambda: not self._tasks.blocking(), self._limits.drain)
        self._cancel_all()

    def _cancel_all(self) -> None:
        with self._changed:
            for run in self._tasks.live():
                self._cancel(run, _STOPPING)

    def _cancel(self, run: Run, why: str) -> None:
        journal.cancelled(run.order, why)
        run.cancel(why)
        self._tasks.release(run)  # who asks for the same now gets a new one
        if run in self._tasks.queue:
            self._tasks.queue.remove(run)  # first, as a signal may call this again
            self._end(run, KILLED)

    def _admit(self, order: Order) -> None:
        if self._stopping.is_set():
            self.metrics.rejected.labels("stopping").inc()
            raise StoppingError(_STOPPING)
        self.notice(order.payload)

    def _refuse(self, limit: str) -> NoReturn:
        self.metrics.rejected.labels("busy").inc()
        raise BusyError(f"too many tasks are running, {limit}")

    def _made(self, order: Order) -> Run:
        return Run(order, self._limits.timeout, self._limits.max_output, self._leftovers)

    def _place(self, order: Order) -> Run:
        """Start a background task, or let it wait for a place."""
        if self._tasks.has_place(order):
            run = self._made(order)
            self._launch(run)
            return run
        if not self._limits.max_background or len(self._tasks.queue) >= self._limits.queue_size:
            self._refuse(f"limit {self._limits.max_background}")
        journal.queued(order)
        return self._tasks.enqueue(self._made(order))

    def _launch(self, run: Run) -> None:
        self._tasks.begin(run)
        threading.Thread(target=self._background, args=(run,), name="task", daemon=True).start()

    def _join(self, run: Run, order: Order) -> Accepted:
        self.metrics.joined.labels(order.kind.name).inc()
        journal.joined(order)
        try:
            return Accepted(run.record.id, run.ending.result())
        finally:
            with self._changed:
                self._joined -= 1

    def _background(self, run: Run) -> None:
        try:
            self._perform(run)
        except Exception:  # the top of a thread: nobody else would hear of it
            journal.broken(run.order)

    def _perform(self, run: Run) -> Outcome:
        order, name = run.order, run.order.kind.name
        self.metrics.running.labels(name).inc()
        journal.starting(order)
        try:
            outcome = run.perform()
        except BaseException as error:
            self._end(run, Outcome("", repr(error)), error)
            raise
        journal.ended(order, outcome)
        if outcome.result is None:
            measured = results.read(order.work.label, outcome.output)
            outcome = dataclasses.replace(outcome, result=measured)
        self._end(run, outcome)
        return outcome

    def _end(self, run: Run, outcome: Outcome, error: BaseException | None = None) -> None:
        """Note the end, tell everybody who waits, and give the place to the next one."""
        with self._changed:
            run.end(outcome)
            self._tasks.end(run)
            if not self._stopping.is_set() and (following := self._tasks.next()):
                self._launch(following)
            self._changed.notify_all()
        self.metrics.ended(run, broken=error is not None)
        if error is None:
            run.ending.set_result(outcome)
        else:
            run.ending.set_exception(error)
