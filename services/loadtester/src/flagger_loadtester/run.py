"""One accepted task from start to end: what its work may use, and how it ended."""

import concurrent.futures
import dataclasses
import threading
import time
import uuid
from typing import Final

from flagger_common import process, words
from flagger_common.confinement import Confinement
from flagger_common.plan import Plan

from . import records
from .leftovers import Leftovers
from .orders import Order
from .outcome import Outcome
from .records import State

GRACE: Final = 1.0
"""Seconds between SIGTERM and SIGKILL of a command, and again for a pipe that somebody keeps open.

Short, because the server gives a worker two seconds after the second signal.
"""
KILLED: Final = Outcome("", words.KILLED)
"""How a task ends that was cancelled before it began."""


class Run:
    """One accepted task; implements the context its work sees.

    The runner alone moves it from state to state, under its lock; ``record`` is a value, so anybody
    may read it.
    """

    def __init__(self, order: Order, limit: float, max_output: int, leftovers: Leftovers) -> None:
        number = uuid.uuid4().hex
        kind, label = order.kind.name, order.work.label
        self.order = order
        self.record = records.accepted(order.payload, number, kind, label, time.time())
        self.ending: concurrent.futures.Future[Outcome] = concurrent.futures.Future()
        """Has the outcome, or what the work has raised, once the record tells the end."""
        self._seconds = limit if order.timeout is None else min(order.timeout, limit)
        self._max_output = max_output
        self.duration = 0.0
        """Seconds from start to end; the times in the record may jump with the clock."""
        self._began = 0.0
        self._cancelled = threading.Event()
        self._why = ""
        self._leftovers = leftovers

    def begin(self) -> None:
        """Start the clock."""
        self._began = time.monotonic()
        self.record = dataclasses.replace(self.record, state=State.RUNNING, started=time.time())

    def cancel(self, why: str) -> None:
        """Make it end; the first reason counts."""
        self._why = self._why or why
        self._cancelled.set()

    def perform(self) -> Outcome:
        """Do the work, unless it was cancelled before."""
        return KILLED if self._cancelled.is_set() else self.order.work.run(self)

    def end(self, outcome: Outcome) -> None:
        """Note the end in the record; a success counts even when it was about to be cancelled."""
        self.duration = time.monotonic() - self._began
        state, reason = State.SUCCEEDED, ""
        if outcome.reason:
            state, reason = self._failure(outcome.reason)
        self.record = dataclasses.replace(
            self.record,
            state=state,
            ended=time.time(),
            reason=reason,
            output=outcome.output,
            result=outcome.result,
        )

    def execute(self, plan: Plan, confinement: Confinement | None = None) -> Outcome:
        """Run a plan; see `tasks.base.Context`."""
        ended = process.execute(plan, self._remaining, self._max_output, GRACE, confinement)
        if ended.group is not None:
            self._leftovers.watch(ended.group, self._remaining())
        return Outcome(ended.output, ended.reason)

    def pause(self, seconds: float) -> bool:
        """Wait; see `tasks.base.Context`."""
        return not self._cancelled.wait(min(seconds, self._remaining())) and self._remaining() > 0

    def _failure(self, reason: str) -> tuple[State, str]:
        if self._cancelled.is_set():
            return State.CANCELLED, self._why
        late = self.duration >= self._seconds
        return State.TIMEOUT if late else State.FAILED, reason

    def _remaining(self) -> float:
        return 0.0 if self._cancelled.is_set() else self._began + self._seconds - time.monotonic()
