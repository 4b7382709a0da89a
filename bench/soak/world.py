"""A controller as it runs in production, and everything around it, in one event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Final

import msgspec
from bench.soak.cluster import Cluster
from bench.soak.fleet import Fleet, Life
from bench.soak.receivers import CHAT, EVENTS, METRICS, Receivers
from bench.soak.virtual import VirtualLoop

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiError, Ref
from flagger_controller.cluster.events import EventSettings, Subject
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.metrics.process import ProcessSeries
from flagger_controller.metrics.recorder import Recorder
from flagger_controller.operator import handlers, wiring
from flagger_controller.operator.settings import Settings
from flagger_controller.operator.store import CanaryStore, key_of
from flagger_controller.schedule.pool import Pool

SETTINGS: Final = Settings(
    mesh_provider="gatewayapi:v1",
    metrics_server=METRICS,
    event_webhook=EVENTS,
    slack_url=CHAT,
)
STREAM: Final = 300.0
"""Virtual seconds of a watch of Canaries."""


class World:
    """One controller and its fleet; `opened` makes and ends it."""

    def __init__(self, loop: VirtualLoop, size: int, life: Life) -> None:
        self.cluster = Cluster(loop.utc)
        self.fleet = Fleet(self.cluster, size, life)
        self.recorder = Recorder("soak", SETTINGS.mesh_provider)
        receivers = Receivers(self.fleet.broken)
        self.engine = wiring.build(
            SETTINGS, self.cluster.api, receivers, self.recorder, now=loop.utc
        )
        self.ticks = Ticks(self.recorder.process)
        self.engine.pool = Pool(self.engine.work, self.ticks, self.engine.rank)
        self.feed = handlers.Feed(
            self.engine.canaries,
            self.engine.templates,
            wake=self.engine.pool.wake,
            gone=self.engine.forget,
            counted=self.recorder.set_total,
            shard=SETTINGS.shard,
        )

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, size: int, life: Life) -> AsyncIterator["World"]:
        """Start everything but the life of the fleet, and end it again.

        Raises:
            TypeError: the event loop has no virtual time.
        """
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            raise TypeError("a soak needs a VirtualLoop, or it would take weeks")
        world = cls(loop, size, life)
        world.recorder.lead()
        parts = (
            world.cluster.run(),
            _follow(world.cluster.api, world.engine.canaries, world.feed),
            world.engine.pool.run(),
            *(outbox.run() for outbox in world.engine.outboxes),
        )
        working = [asyncio.create_task(part) for part in parts]
        try:
            yield world
        finally:
            await world.engine.close()
            await end(working)

    async def fill(self) -> None:
        """Have as many Events remembered as ever are: in a real cluster it takes some hours."""
        events, limits = self.engine.events, EventSettings()
        namespace = "before"
        self.cluster.namespaces.add(namespace)
        subject = Subject(Ref(resources.CANARIES, "app-0", namespace), "0")
        for batch in range(-(-limits.remembered // limits.pending)):
            for number in range(limits.pending):
                events.record(subject, f"New revision detected! {batch} {number}")
            await events.flush()
        self.cluster.namespaces.remove(namespace)


class Ticks:
    """Counts ticks, and passes on what it is told."""

    def __init__(self, series: ProcessSeries) -> None:
        self.count = 0
        self._series = series
        self._awaited = 0
        self._reached = asyncio.Event()

    def began(self, lag: float) -> None:
        """A tick began."""
        self._series.began(lag)

    def ended(self, seconds: float, error: str) -> None:
        """A tick ended."""
        self._series.ended(seconds, error)
        self.count += 1
        if self.count >= self._awaited:
            self._reached.set()

    async def reach(self, count: int) -> None:
        """Wait for a number of ticks."""
        self._awaited = count
        self._reached.clear()
        if self.count < count:
            await self._reached.wait()


async def end(working: Iterable["asyncio.Task[None]"]) -> None:
    """Stop tasks that run for ever; the error of one that ended is raised."""
    tasks = list(working)
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


async def _follow(api: FakeApi, store: CanaryStore, feed: handlers.Feed) -> None:
    """Tell of all Canaries, as kopf does in a real process."""
    while True:
        known, version = set(), api.memory.version
        for body in await api.list(resources.CANARIES):
            known.add(key_of(body))
            feed.canary(None, body)
        for gone in store.keys() - known:
            feed.forget(gone)
        with contextlib.suppress(ApiError):  # the server is restarted, and lists again
            while True:
                async with api.watch(
                    resources.CANARIES, version=str(version), seconds=STREAM
                ) as lines:
                    async for line in lines:
                        event = msgspec.json.decode(line)
                        version = int(event["object"]["metadata"]["resourceVersion"])
                        if event["type"] != "BOOKMARK":
                            feed.canary(event["type"], event["object"])
