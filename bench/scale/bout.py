"""One controller and one fleet: waiting for what it does, and counting what that costs."""

import collections
import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from bench import usage
from bench.scale.errors import Unfinished
from bench.scale.fleet import Fleet
from bench.scale.objects import Member
from bench.scale.observer import Observer
from bench.scale.releases import ENDS, Release, release
from services.controller.tests.api.process import Controller
from tools.cluster import audit, processes, progress

POLL: Final = 0.25
"""Seconds between two looks; the moments are the observer's, whenever we look."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a controller used in a while."""

    seconds: float
    asked: Mapping[str, int]
    """Requests to the API server, watches aside, by what they are (`patch canaries/status`)."""
    cpu: float
    """Seconds of processor time."""
    memory: float
    """MiB that are resident at the end."""
    peak: float
    """MiB, the most that were ever resident in the life of the process."""

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(self.asked.values())


@dataclasses.dataclass(frozen=True)
class Meter:
    """The readings at the beginning of a while."""

    mark: int
    """In the audit log."""
    at: float
    cpu: float


@dataclasses.dataclass
class Bout:
    """What a scenario works with."""

    fleet: Fleet
    controller: Controller
    observer: Observer
    audit: audit.AuditLog
    log: str
    """Path of what the controller says."""
    patience: float
    """Seconds after which a wait is given up."""
    step: progress.Step | None = None
    """Shows how far the present scenario is."""

    def __post_init__(self) -> None:
        """Remember how often the observer has lost its place before."""
        self._cuts = self.observer.cuts

    @property
    def size(self) -> int:
        """Canaries."""
        return len(self.fleet.members)

    def rest(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            Unfinished: the controller or the observer has ended meanwhile.
        """
        time.sleep(seconds)
        self._check()

    def wait(self, what: str, total: int, count: Callable[[], int]) -> None:
        """Wait until as many are `what` as there should be.

        Raises:
            Unfinished: that took too long, or the controller or the observer has ended.
        """
        until = time.monotonic() + self.patience
        while (done := count()) < total:
            self._check()
            if self.step is not None:
                self.step.update(f"{done} of {total} {what}")
            if time.monotonic() > until:
                raise Unfinished(
                    f"only {done} of {total} are {what} after {self.patience:.0f} s; "
                    f"the controller said last:\n{processes.tail(self.log)}"
                )
            time.sleep(POLL)

    def _check(self) -> None:
        if not self.controller.runs:
            raise Unfinished(f"the controller has ended:\n{processes.tail(self.log)}")
        if self.observer.cuts > self._cuts or not self.observer.follows:
            raise Unfinished(
                "the observer's watch was cut off, what it saw is not complete: measure again"
            )

    def in_phase(self, phase: str) -> int:
        """Count the canaries in a phase."""
        lasts = (self.observer.last(member) for member in self.fleet.members)
        return sum(last is not None and last.state.phase == phase for last in lasts)

    def releases(self, pushed: dict[Member, float]) -> list[Release]:
        """Return what came of revisions so far."""
        return [release(self.observer.sights(member), at) for member, at in pushed.items()]

    def ended(self, pushed: dict[Member, float]) -> int:
        """Count the releases that are over. Cheaper than looking at the whole of each."""
        lasts = ((self.observer.last(member), at) for member, at in pushed.items())
        return sum(
            last is not None and last.at >= at and last.state.phase in ENDS for last, at in lasts
        )

    def await_end(self, pushed: dict[Member, float]) -> list[Release]:
        """Wait until all releases are over, and return them."""
        self.wait("released", len(pushed), lambda: self.ended(pushed))
        return self.releases(pushed)

    def begin(self) -> Meter:
        """Begin to count."""
        cpu = usage.cpu_seconds([self.controller.pid])
        return Meter(self.audit.mark(), time.monotonic(), cpu)

    def end(self, meter: Meter) -> Cost:
        """Return what the controller used since; it must be the same process."""
        pid = self.controller.pid
        cpu = usage.cpu_seconds([pid]) - meter.cpu
        memory, peak = usage.resident(pid), usage.peak(pid)
        seconds, until = time.monotonic() - meter.at, stamp(datetime.now(UTC))
        seen = self.audit.requests(since=meter.mark, user=self.controller.user)
        return Cost(seconds, counted(seen, until), cpu, memory, peak)


def stamp(moment: datetime) -> str:
    """Return a time in UTC as the audit log writes it, so that both compare as texts."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def counted(seen: Iterable[audit.Request], until: str) -> collections.Counter[str]:
    """Count requests up to a time of the audit log by what they are, watches aside.

    One that is about no kind of thing is told by its path. Reading a long log takes a while, in
    which it grows.
    """
    return collections.Counter(
        f"{request.verb} {request.target or request.uri.partition('?')[0]}"
        for request in seen
        if request.verb != "watch" and request.at <= until
    )
