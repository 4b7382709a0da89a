"""Takes a hook's request through its stations: allowed, known already, its turn, its answer."""

import collections
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

import flask

from flagger_common import authz, helmtest
from flagger_common.payload import CanaryWebhookPayload

from . import answer, flights, metrics, outcome, results
from .outcome import Result

logger = logging.getLogger(__name__)

Engine = Callable[[CanaryWebhookPayload], outcome.Task]
"""Makes a task of a payload; raises `helmtest.RefusedError`."""

_STATUSES: Final = range(400, 600)
_RESULTS: Final = {"overloaded": Result.OVERLOADED, "unverified": Result.UNAVAILABLE}
"""Class of a refusal that is not the caller's fault, by its reason."""
_REMEMBERED: Final = 1000


class Desk:
    """Answers requests for tests."""

    def __init__(
        self,
        engines: Mapping[str, Engine],
        board: flights.Flights[outcome.Report],
        known: results.Results[outcome.Report],
        counters: metrics.Counters,
        namespaces: authz.NamespaceRule,
        failure_status: int,
    ) -> None:
        """Take what is needed to answer.

        Args:
            engines: by task type.
            board: who runs and who waits.
            known: results that are still good.
            counters: what is counted.
            namespaces: whose releases may be tested.
            failure_status: HTTP status of a failure, unless the hook has another one.
        """
        self._engines = engines
        self._board = board
        self._known = known
        self._counters = counters
        self._namespaces = namespaces
        self._failure_status = failure_status
        self._told = Once(_REMEMBERED)
        counters.running.set_function(lambda: board.running)
        counters.queue_depth.set_function(lambda: board.waiting)

    def task(self, kind: str, sent: CanaryWebhookPayload, wanted: flights.Wanted) -> flask.Response:
        """Run the test of a hook, or refuse it, and answer when it has ended.

        Args:
            kind: type of the task.
            sent: the payload.
            wanted: whether the client is still there.
        """
        try:
            if kind not in self._engines:
                raise helmtest.RefusedError(f"unknown task type {kind}")
            task = self._engines[kind](sent)
            status = self._status(sent.metadata.get("failureStatus", ""))
        except helmtest.RefusedError as error:
            return self.refuse(sent, "policy", 400, str(error))
        if not self._namespaces.allows(task.lane.namespace):
            return self.refuse(sent, "namespace", 403, "Forbidden")
        try:
            found = self._found(task, sent, wanted)
        except flights.BusyError as error:
            return self.refuse(sent, "overloaded", 429, str(error))
        with_output = helmtest.is_true(sent.metadata.get("returnCmdOutput", ""))
        return answer.report(task, found, status, with_output=with_output)

    def refuse(
        self, sent: CanaryWebhookPayload, why: str, status: int, message: str
    ) -> flask.Response:
        """Count, log and answer a request that runs nothing."""
        self._counters.refused.labels(why).inc()
        logger.warning("refused: %s", message, extra={"canary": sent.canary})
        return answer.refused(_RESULTS.get(why, Result.REFUSED), status, message)

    def _found(
        self, task: outcome.Task, sent: CanaryWebhookPayload, wanted: flights.Wanted
    ) -> outcome.Report:
        cached = not helmtest.is_false(sent.metadata.get("cache", ""))
        key = (task.lane, task.question, sent.phase)
        if cached and (known := self._known.get(key)) is not None:
            self._counters.joined.inc()
            logger.info("the last result is still good", extra={"canary": sent.canary})
            return known

        def work(still_wanted: flights.Wanted) -> outcome.Report:
            found = self._run(task, sent, still_wanted)
            if cached and found.result is Result.PASSED:
                self._known.put(key, found)
            return found

        found, joined = self._board.run(task.lane, task.question, work, wanted)
        if joined:
            self._counters.joined.inc()
        return found

    def _run(
        self, task: outcome.Task, sent: CanaryWebhookPayload, wanted: flights.Wanted
    ) -> outcome.Report:
        """Run a test, once for everybody who asks meanwhile; log what it printed, always."""
        canary = {"canary": sent.canary}
        for note in task.notes:
            if self._told.first((sent.canary, note)):
                logger.info("%s", note, extra=canary)
        logger.info("testing %s in %s: %s", task.lane.name, task.lane.namespace, task.command,
                    extra=canary)  # fmt: skip
        found = task.run(wanted)
        self._counters.finished(task.lane.namespace, found)
        level = logging.INFO if found.result is Result.PASSED else logging.ERROR
        logger.log(
            level,
            "test of %s in %s: %s",
            task.lane.name,
            task.lane.namespace,
            found.output,
            extra={
                **canary,
                "result": found.result.value,
                "reason": found.reason,
                "missing": found.missing,
                "seconds": round(found.seconds, 3),
            },
        )
        return found

    def _status(self, wanted: str) -> int:
        if not wanted:
            return self._failure_status
        if not wanted.isascii() or not wanted.isdigit() or int(wanted) not in _STATUSES:
            raise helmtest.RefusedError(f"failureStatus not allowed: {wanted} is not 400 to 599")
        return int(wanted)


class Once:
    """Remembers what was said; the oldest is forgotten when there is too much."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._said: collections.OrderedDict[object, None] = collections.OrderedDict()

    def first(self, what: object) -> bool:
        """Say whether this is said for the first time."""
        with self._lock:
            if what in self._said:
                return False
            self._said[what] = None
            if len(self._said) > self._most:
                self._said.popitem(last=False)
        return True
