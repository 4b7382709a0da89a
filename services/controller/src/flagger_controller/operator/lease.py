"""A Lease as candidates see it: when it may be taken, by their own clock only."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from flagger_controller.cluster.client import Object
from flagger_controller.operator.shards import WHOLE, Shard


def uptime() -> float:
    """Seconds on a clock that goes on while the machine is suspended, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(frozen=True)
class LeaseSettings:
    """Upstream's timings, in seconds: both kinds of pods must be able to share a Lease."""

    shard: Shard = WHOLE
    """What its holder ticks; names the Lease."""
    duration: float = 60.0
    """Others may take over when the Lease has not changed for so long."""
    renew: float = 15.0
    """We give up leading when no renewal succeeded for so long."""
    retry: float = 5.0
    """Pause between two attempts to acquire or renew."""


@dataclass(frozen=True)
class _Observed:
    """The Lease as it was seen last, and when it changed."""

    spec: Object
    at: float

    @property
    def holder(self) -> str:
        return str(self.spec.get("holderIdentity") or "")

    @property
    def end(self) -> float:
        return self.at + float(self.spec.get("leaseDurationSeconds") or LeaseSettings.duration)


class Sight:
    """What is seen of one Lease.

    Times written in it do not matter, only when we saw it change.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: _Observed | None = None

    @property
    def spec(self) -> Object:
        """As it was seen last."""
        return {} if self._last is None else self._last.spec

    @property
    def holder(self) -> str:
        """Who held it when it was seen last; empty: nobody."""
        return "" if self._last is None else self._last.holder

    def see(self, lease: Object) -> None:
        """It is like this now."""
        spec = lease.get("spec") or {}
        if self._last is None or self._last.spec != spec:
            self._last = _Observed(spec, self._clock())

    def free(self) -> bool:
        """Nobody holds it, or its holder has not renewed it for too long."""
        last = self._last
        return last is None or last.holder == "" or self._clock() >= last.end
