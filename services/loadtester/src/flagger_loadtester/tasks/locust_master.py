"""A Locust test on a master and its workers, for load that is more than one container can make.

The master has its locustfile mounted; a test chooses the target and the load. Speaks the web API
of Locust 2.47.
"""

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from flagger_common.payload import CanaryWebhookPayload

from ..outcome import Outcome
from ..results import locust as results
from . import base, locust_plan, remote

_IDLE: Final = frozenset({"ready", "stopped"})
_PERIOD: Final = 5.0
"""Seconds between two looks; more than two, for which the master repeats its last answer."""
_SETTLE: Final = 6.0
"""Seconds from the end of a test until all figures are in: workers send theirs every three."""
_EARLY: Final = 2.0
"""Seconds by which the master's clock may be ahead of ours."""
_MOUNTED: Final = ("locustfile", "file", "path", "tags", "excludeTags")


class Master:
    """The web API of a master. It runs one test at a time: `turn` keeps ours apart."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.turn = threading.Lock()

    def requests(self) -> dict[str, Any]:
        """Return state, workers and figures; up to two seconds old."""
        document = self.call("GET", "stats/requests")
        if not isinstance(document.get("worker_count"), int):
            raise remote.RemoteError("it is not a Locust master")
        return document

    def start(self, plan: locust_plan.Plan) -> None:
        """Start a test, which the master ends even when nobody asks it to."""
        fields = [
            ("user_count", str(plan.users)),
            ("spawn_rate", str(plan.spawn_rate)),
            ("host", plan.host),
            ("run_time", f"{plan.run_time}s"),
        ]
        answer = self.call("POST", "swarm", fields)
        if answer.get("success") is not True:
            raise remote.RemoteError(f"refused: {answer.get('message', 'no reason given')}")

    def call(
        self, method: str, path: str, fields: list[tuple[str, str]] | None = None
    ) -> dict[str, Any]:
        """Call the API; raises `remote.RemoteError`."""
        return remote.call(method, f"{self.url}/{path}", fields=fields)


@dataclasses.dataclass(frozen=True)
class Distributed(locust_plan.Planned):
    """A test that a master's workers run."""

    master: Master
    """Who runs it."""

    workers: int
    """How many have to be connected."""

    clock: Callable[[], float] = time.monotonic
    """Seconds, from anywhere."""

    @property
    def identity(self) -> tuple[str, ...]:
        """Canary and all that was asked for."""
        return (self.canary, repr(self.plan), str(self.workers))

    def run(self, context: base.Context) -> Outcome:
        """Start the test unless another one runs, wait for its end, read its figures."""
        if not self.master.turn.acquire(blocking=False):
            return Outcome("", self._busy())
        try:
            return self._run(context)
        except (remote.RemoteError, ValueError) as error:
            return Outcome("", f"Locust master {self.master.url}: {error}")
        finally:
            self.master.turn.release()

    def _run(self, context: base.Context) -> Outcome:
        before = self.master.requests()
        if before.get("state") not in _IDLE:
            return Outcome("", self._busy())
        if before["worker_count"] < self.workers:
            return Outcome("", self._too_few(before["worker_count"]))
        end = self.clock() + self.plan.run_time - _EARLY
        self.master.start(self.plan)
        while context.pause(_PERIOD):
            now = self.master.requests()
            if now.get("state") in _IDLE:
                early = self.clock() < end
                return self._judge(before, early) if context.pause(_SETTLE) else _stopped()
            if now["worker_count"] < self.workers:  # a part of the load is missing
                self.master.call("POST", "stop")
                return Outcome("", self._too_few(now["worker_count"]))
        self.master.call("POST", "stop")
        return _stopped()

    def _judge(self, before: dict[str, Any], early: bool) -> Outcome:
        after = self.master.requests()
        report = results.read(after | self.master.call("GET", "exceptions"))
        result = report.result
        if result.requests and result == results.read(before | {"exceptions": []}).result:
            return Outcome("", f"Locust master {self.master.url}: it did not run the test")
        reason = self.plan.complaint(report)
        if early:
            reason = "the test was ended early, by a person or because all workers were lost"
        return Outcome(report.summary(), reason, result=result)

    def _busy(self) -> str:
        return f"Locust master {self.master.url} runs another test; try again when it has ended"

    def _too_few(self, connected: int) -> str:
        workers = f"{connected} of {self.workers} workers are connected"
        return f"Locust master {self.master.url}: {workers}"


def _stopped() -> Outcome:
    return Outcome("", "stopped: the test is out of time, or the load tester ends")


def prepare(payload: CanaryWebhookPayload, plan: locust_plan.Plan, master: Master) -> base.Work:
    """Read the other metadata.

    Raises:
        base.TaskError: for keys that only a headless test has.
    """
    metadata = payload.metadata
    locust_plan.refuse(metadata, _MOUNTED, "the Locust master has its locustfile mounted")
    return Distributed(
        canary=payload.canary,
        plan=plan,
        master=master,
        workers=locust_plan.number(metadata, "expectWorkers", 1),
    )
