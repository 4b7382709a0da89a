"""Running tasks: in the request or in the background, each once, within limits, until shutdown.

Knows nothing of HTTP requests and nothing of particular task types.
"""

import dataclasses
import logging
import threading
import time
from collections import Counter
from typing import Final

from . import metrics, process
from .confinement import Confinement
from .leftovers import Leftovers
from .plan import Plan
from .tasks.base import TaskType, Work

logger = logging.getLogger(__name__)

_LAST_WAIT: Final = 3 * process.GRACE
"""Seconds that `Runner.close` waits for tasks it has told to end: SIGTERM, SIGKILL, and some."""


class BusyError(RuntimeError):
    """As many tasks are running as may; try again later."""


class StoppingError(RuntimeError):
    """The server is going down and takes no more tasks."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the runner enforces; see the settings of the same names."""

    timeout: float = 3600.0
    """Seconds a task may take."""

    max_output: int = 65536
    """Bytes of output kept per command."""

    max_blocking: int = 64
    """Blocking tasks at once."""

    max_background: int = 256
    """Background tasks at once."""

    drain: float = 60.0
    """Seconds blocking tasks may go on after `Runner.drain`."""


class _Run:
    """One running task: implements the context its work sees."""

    def __init__(self, work: Work, kind: TaskType, limits: Limits, leftovers: Leftovers) -> None:
        self.work = work
        self.kind = kind
        self._max_output = limits.max_output
        self._limit = time.monotonic() + limits.timeout
        self._cancelled = threading.Event()
        self._leftovers = leftovers

    def cancel(self) -> None:
        self._cancelled.set()

    def execute(self, plan: Plan, confinement: Confinement | None = None) -> process.Outcome:
        outcome = process.execute(plan, self._remaining, self._max_output, confinement)
        if outcome.group is not None:
            self._leftovers.watch(outcome.group, self._remaining())
        return outcome

    def pause(self, seconds: float) -> bool:
        return not self._cancelled.wait(min(seconds, self._remaining())) and self._remaining() > 0

    def _remaining(self) -> float:
        return 0.0 if self._cancelled.is_set() else self._limit - time.monotonic()


class Runner:
    """Runs tasks and ends them."""

    def __init__(self, limits: Limits) -> None:
        self.metrics = metrics.Metrics()
        self._limits = limits
        self._leftovers = Leftovers()
        # re-entrant: a second signal may close the runner while the first one does
        self._changed = threading.Condition(threading.RLock())
        self._runs: set[_Run] = set()
        self._identities: set[tuple[str, ...]] = set()
        self._stopping = threading.Event()

    def unready(self) -> str | None:
        """Answer the readiness probe: None, or why no tasks are taken."""
        return "shutting down" if self._stopping.is_set() else None

    def run(self, kind: TaskType, work: Work) -> process.Outcome:
        """Run a blocking task in this thread.

        Identical ones run side by side, as upstream.

        Raises:
            BusyError: when too many are running.
            StoppingError: after `drain`.
        """
        run = self._admit(kind, work)
        return self._perform(run)

    def start(self, kind: TaskType, work: Work) -> None:
        """Run a task in the background, unless the same one is running already.

        Upstream's queue starts tasks every 100 ms; here it is at once.

        Raises:
            BusyError: when too many are running.
            StoppingError: after `drain`.
        """
        with self._changed:
            if work.identity in self._identities:
                self.metrics.skipped.labels(kind.name).inc()
                logger.info("command skipped %s is already running", work.label, extra=_tags(work))
                return
            run = self._admit(kind, work)
            self._identities.add(work.identity)
        threading.Thread(target=self._background, args=(run,), name="task", daemon=True).start()

    def drain(self) -> None:
        """Take no more tasks, and end those that are left after the drain time.

        Called from a signal handler: sets a flag and starts a thread, takes no lock.
        """
        self._stopping.set()
        threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def close(self) -> None:
        """End all tasks and whatever they left running; returns when they are gone."""
        self._stopping.set()
        self._cancel()
        with self._changed:
            self._changed.wait_for(lambda: not self._runs, _LAST_WAIT)
        self._leftovers.close()

    def _drain(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._count()[True], self._limits.drain)
        self._cancel()

    def _cancel(self) -> None:
        with self._changed:
            for run in self._runs:
                run.cancel()

    def _admit(self, kind: TaskType, work: Work) -> _Run:
        maximum = self._limits.max_blocking if kind.blocking else self._limits.max_background
        with self._changed:
            if self._stopping.is_set():
                self.metrics.rejected.labels("stopping").inc()
                raise StoppingError("shutting down")
            if self._count()[kind.blocking] >= maximum:
                self.metrics.rejected.labels("busy").inc()
                raise BusyError(f"too many tasks are running, limit {maximum}")
            run = _Run(work, kind, self._limits, self._leftovers)
            self._runs.add(run)
            return run

    def _count(self) -> Counter[bool]:
        return Counter(run.kind.blocking for run in self._runs)

    def _background(self, run: _Run) -> None:
        try:
            self._perform(run)
        except Exception:  # the top of a thread: nobody else would hear of it
            logger.exception("command failed %s", run.work.label, extra=_tags(run.work))

    def _perform(self, run: _Run) -> process.Outcome:
        work, name = run.work, run.kind.name
        self.metrics.running.labels(name).inc()
        started = time.monotonic()
        result = "error"
        try:
            logger.info("task starting %s", work.label, extra=_tags(work))
            outcome = work.run(run)
            result = "failure" if outcome.reason else "success"
            _report(work, outcome)
            return outcome
        finally:
            self.metrics.running.labels(name).dec()
            self.metrics.seconds.labels(name).observe(time.monotonic() - started)
            self.metrics.tasks.labels(name, result).inc()
            self._forget(run)

    def _forget(self, run: _Run) -> None:
        with self._changed:
            self._runs.discard(run)
            if not run.kind.blocking:
                self._identities.discard(run.work.identity)
            self._changed.notify_all()


def _report(work: Work, outcome: process.Outcome) -> None:
    extra: dict[str, object] = _tags(work)
    if outcome.reason:
        text = (work.label, outcome.reason, outcome.output)
        logger.error("command failed %s %s %s", *text, extra=extra)
        return
    if work.log_output:
        extra["output"] = outcome.output
    logger.info("command finished %s", work.label, extra=extra)


def _tags(work: Work) -> dict[str, object]:
    return {"canary": work.canary}
