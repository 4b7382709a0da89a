"""Leader election on a Lease, compatible with upstream's (install.md section 4).

Time is measured on our own monotonic clock only: what matters of the other's Lease is when we saw
it change, never the times written in it. Each update carries the resourceVersion that was read,
so of two candidates one wins. `check` is the fence for all other writes: it holds only while our
last successful renewal is younger than the renew deadline, a quarter of what others wait.
Leading is a chain of renewals: once it is broken, no renewal mends it, as processes with another
number of shards (`generations`) may act by then without having touched our Lease.
"""

import asyncio
import logging
import random
import socket
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

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
from flagger_controller.operator.generations import Others
from flagger_controller.operator.lease import LeaseSettings, Sight, uptime

logger = logging.getLogger(__name__)


def identity() -> str:
    """A name for this process that nobody else has, `<hostname>_<uuid>`."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


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
        self._settings = settings or LeaseSettings()
        self._ref = Ref(LEASES, self._settings.shard.lease, namespace)
        self._others = Others(client, namespace, self._settings.shard, clock)
        self._clock = clock
        self._now = now
        self._sight = Sight(clock)
        self._lease: Object | None = None
        """What our last write returned, so that renewing needs no read."""
        self._reported = ""
        self._problems: dict[Ref | str, Kind] = {}
        """Why the last attempts failed: of our Lease, and of the list of all."""
        self._jitter = jitter
        self._renewed: float | None = None
        """When the request of the last successful renewal was sent; None: the Lease is not ours."""
        self._leading = False
        """Nobody else had a right to act when we acquired the Lease."""

    def valid(self) -> bool:
        """Whether we lead for certain at this moment."""
        return self._leading and self._left() > 0

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
                if await self._acquire():
                    break
                # Candidates that were started together must not ask together.
                await asyncio.sleep(self._settings.retry * (1 + self._jitter() / 5))
            logger.info("Acting as elected leader")
            self._leading = True
            on_elected()
            await self._hold()
        except asyncio.CancelledError:
            await self._release()
            raise
        self._leading = False
        logger.error("Leadership lost")
        on_lost()

    async def _acquire(self) -> bool:
        """Try once to get the Lease while no other generation acts.

        The first look keeps those that wait from taking Leases, which would hold up others; the
        second one is what counts.
        """
        if not (await self._alone() and await self._try(self._settings.retry)):
            return False
        if await self._alone():
            return True
        await self._release()
        return False

    async def _alone(self) -> bool:
        """Whether no other generation acts; False also when that cannot be known."""
        everything = Call("list", self._ref.peers)
        return await self._ask(everything, self._others.gone(), self._settings.retry)

    async def _hold(self) -> None:
        """Renew until no renewal has succeeded within the deadline, or another one leads."""
        retry = self._settings.retry
        pause = retry
        while (left := self._left()) > 0:
            await asyncio.sleep(min(pause, left))
            done = await self._try(min(retry, max(self._left(), 0.0)))
            # A failed renewal is urgent.
            pause = retry if done else retry / 2 * (1 - self._jitter() / 5)
            if not done and self._sight.holder != self.name:
                return

    def _left(self) -> float:
        """Seconds until the renew deadline."""
        if self._renewed is None:
            return 0.0
        return self._settings.renew - (self._clock() - self._renewed)

    async def _try(self, seconds: float) -> bool:
        """Acquire or renew once; False: somebody else leads, or the API server did not answer."""
        sent = self._clock()
        if self._renewed is not None and sent - self._renewed >= self._settings.renew:
            return False  # we were away: others may act by now
        lease, self._lease = self._lease, None
        call = Call("update" if lease else "get", self._ref)
        done = await self._ask(call, self._renew(lease), seconds)
        if done:
            self._renewed = sent
        return done

    async def _renew(self, lease: Object | None) -> bool:
        return await self._write(lease or await self._read())

    async def _ask(self, call: Call, work: Awaitable[bool], seconds: float) -> bool:
        """What the API server answers; False when it does not, which is told."""
        try:
            # A request that hangs must not take the time of the attempts after it.
            async with asyncio.timeout(seconds):
                done = await work
        except ApiError as error:
            self._report(call, error)
            return False
        except TimeoutError:
            text = f"no answer from the API server within {seconds:.1f} s"
            self._report(call, api_error(0, "Timeout", text, call=call))
            return False
        if self._problems.pop(call.place, None) is not None:
            logger.info("leader election: the Lease can be used again")
        return done

    def _report(self, call: Call, error: ApiError) -> None:
        """Say once what goes wrong again and again."""
        if error.kind is self._problems.get(call.place):
            return
        self._problems[call.place] = error.kind
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
        if not (self._sight.holder == self.name or self._sight.free()):
            return False
        old = self._sight.spec
        transitions = int(old.get("leaseTransitions") or 0)
        if self._sight.holder == self.name:
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

    def _observe(self, lease: Object) -> None:
        self._sight.see(lease)
        holder = self._sight.holder
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
        self._leading, self._renewed, self._lease = False, None, None
        try:
            async with asyncio.timeout(self._settings.retry):
                lease = await self._client.get(self._ref)
                spec = lease.get("spec") or {}
                if spec.get("holderIdentity") == self.name:
                    free = {**spec, "holderIdentity": "", "leaseDurationSeconds": 1}
                    await self._client.update(self._ref, {**lease, "spec": free})
        except ApiNotFound:
            return
        except (ApiError, TimeoutError) as error:
            logger.warning("leadership was not released: %s", error or "no answer")
