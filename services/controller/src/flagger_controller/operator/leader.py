"""Leader election on a Lease, compatible with upstream's (install.md section 4).

Time is measured on our own monotonic clock only: what matters of the other's Lease is when we saw
it change, never the times written in it. Each update carries the resourceVersion that was read,
so of two candidates one wins. `check` is the fence for all other writes: it holds only while our
last successful renewal is younger than the renew deadline, a quarter of what others wait.
"""

import asyncio
import logging
import random
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from flagger_controller.cluster.client import (
    ApiConflict,
    ApiError,
    ApiNotFound,
    Call,
    Fenced,
    KubeClient,
    Object,
    Ref,
    api_error,
)
from flagger_controller.cluster.failures import Kind
from flagger_controller.cluster.resources import LEASES

logger = logging.getLogger(__name__)

LEASE_NAME: Final = "flagger-leader-election"


def uptime() -> float:
    """Seconds on a clock that goes on while the machine is suspended, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def identity() -> str:
    """A name for this process that nobody else has, `<hostname>_<uuid>`."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


@dataclass(frozen=True)
class LeaseSettings:
    """Upstream's timings, in seconds: both kinds of pods must be able to share a Lease."""

    duration: float = 60.0
    """Others may take over when the Lease has not changed for so long."""
    renew: float = 15.0
    """We give up leading when no renewal succeeded for so long."""
    retry: float = 5.0
    """Pause between two attempts to acquire or renew."""


@dataclass
class _Observed:
    """The Lease as we saw it last, and when it changed."""

    spec: Object
    at: float

    @property
    def holder(self) -> str:
        return str(self.spec.get("holderIdentity") or "")

    @property
    def end(self) -> float:
        return self.at + float(self.spec.get("leaseDurationSeconds") or LeaseSettings.duration)


class Elector:
    """One candidate.

    Its client must not be fenced, as the fence asks us, and should be its own: in the queue of a
    busy client a renewal may come too late.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str,
        *,
        settings: LeaseSettings | None = None,
        clock: Callable[[], float] = uptime,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._client = client
        self._ref = Ref(LEASES, LEASE_NAME, namespace)
        self._settings = settings or LeaseSettings()
        self._clock = clock
        self._now = now
        self._observed: _Observed | None = None
        self._lease: Object | None = None
        """What our last write returned, so that renewing needs no read."""
        self._reported = ""
        self._problem: Kind | None = None
        """Why the last attempt failed."""
        self._jitter = jitter
        self._renewed: float | None = None
        """When the request of the last successful renewal was sent; None: we do not lead."""

    def valid(self) -> bool:
        """Whether we lead for certain at this moment."""
        return self._left() > 0

    def check(self) -> None:
        """Raise `Fenced` unless we lead for certain: the fence of `HttpClient.fenced`."""
        if not self.valid():
            raise Fenced("not the leader: the write was not sent")

    async def run(self, on_elected: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Wait for leadership, call `on_elected`, renew; on loss call `on_lost` and return.

        When cancelled, leadership is given up, so that another replica need not wait.
        """
        text = "Starting leader election id: %s configmap: %s namespace: %s"
        logger.info(text, self.name, self._ref.name, self._ref.namespace)
        try:
            while True:
                if await self._try(self._settings.retry):
                    break
                # Candidates that were started together must not ask together.
                await asyncio.sleep(self._settings.retry * (1 + self._jitter() / 5))
            logger.info("Acting as elected leader")
            on_elected()
            await self._hold()
        except asyncio.CancelledError:
            await self._release()
            raise
        self._renewed = None
        logger.error("Leadership lost")
        on_lost()

    async def _hold(self) -> None:
        """Renew until no renewal has succeeded within the deadline, or another one leads."""
        retry = self._settings.retry
        pause = retry
        while (left := self._left()) > 0:
            await asyncio.sleep(min(pause, left))
            done = await self._try(min(retry, max(self._left(), 0.0)))
            # A failed renewal is urgent.
            pause = retry if done else retry / 2 * (1 - self._jitter() / 5)
            if not done and self._observed is not None and self._observed.holder != self.name:
                return

    def _left(self) -> float:
        """Seconds until the renew deadline."""
        if self._renewed is None:
            return 0.0
        return self._settings.renew - (self._clock() - self._renewed)

    async def _try(self, seconds: float) -> bool:
        """Acquire or renew once; False: somebody else leads, or the API server did not answer."""
        sent = self._clock()
        lease, self._lease = self._lease, None
        try:
            # A request that hangs must not take the time of the attempts after it.
            async with asyncio.timeout(seconds):
                done = await self._write(lease or await self._read())
        except ApiError as error:
            self._report(error)
            return False
        except TimeoutError:
            text = f"no answer from the API server within {seconds:.1f} s"
            call = Call("update" if lease else "get", self._ref)
            self._report(api_error(0, "Timeout", text, call=call))
            return False
        if self._problem is not None:
            logger.info("leader election: the Lease can be used again")
        self._problem = None
        if done:
            self._renewed = sent
        return done

    def _report(self, error: ApiError) -> None:
        """Say once what goes wrong again and again."""
        if error.kind is self._problem:
            return
        self._problem = error.kind
        logger.warning("leader election: %s; trying again", error, extra=error.fields)

    async def _read(self) -> Object | None:
        try:
            lease = await self._client.get(self._ref)
        except ApiNotFound:
            return None
        self._observe(lease)
        return lease

    async def _write(self, lease: Object | None) -> bool:
        if lease is None:
            spec = self._spec(transitions=0, acquired="")
            self._lease = await self._client.create(self._ref, {"spec": spec})
            self._observe(self._lease)
            return True
        observed = self._observed
        if observed is None or not self._may_take(observed):
            return False
        old = observed.spec
        transitions = int(old.get("leaseTransitions") or 0)
        if observed.holder == self.name:
            spec = self._spec(transitions, acquired=str(old.get("acquireTime") or ""))
        else:
            spec = self._spec(transitions + 1, acquired="")
        try:
            self._lease = await self._client.update(self._ref, {**lease, "spec": spec})
        except ApiConflict:
            logger.debug("leader election: another candidate was faster")
            return False
        self._observe(self._lease)
        return True

    def _may_take(self, observed: _Observed) -> bool:
        return observed.holder in ("", self.name) or self._clock() >= observed.end

    def _observe(self, lease: Object) -> None:
        spec = lease.get("spec") or {}
        if self._observed is None or self._observed.spec != spec:
            self._observed = _Observed(spec, self._clock())
        holder = self._observed.holder
        if holder and holder not in (self.name, self._reported):
            logger.info("Another instance has been elected as leader: %s", holder)
        self._reported = holder

    def _spec(self, transitions: int, acquired: str) -> Object:
        now = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "holderIdentity": self.name,
            "leaseDurationSeconds": int(self._settings.duration),
            "acquireTime": acquired or now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    async def _release(self) -> None:
        """Give up leadership if we have it; failing that, it expires.

        The Lease may be ours without our knowing, when the answer to a write did not arrive.
        """
        self._renewed = None
        try:
            async with asyncio.timeout(self._settings.retry):
                lease = await self._client.get(self._ref)
                spec = lease.get("spec") or {}
                if spec.get("holderIdentity") == self.name:
                    free = {**spec, "holderIdentity": "", "leaseDurationSeconds": 1}
                    await self._client.update(self._ref, {**lease, "spec": free})
        except (ApiError, TimeoutError) as error:
            logger.warning("leadership was not released: %s", error or "no answer")
