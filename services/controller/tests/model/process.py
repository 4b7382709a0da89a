"""One controller process on an API server in memory: everything that dies with a crash."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flagger_controller.clock import Clock
from flagger_controller.cluster.cache import Cache
from flagger_controller.cluster.client import KubeClient
from flagger_controller.cluster.events import EventRecorder
from flagger_controller.cluster.watch import WatchSettings
from flagger_controller.cluster.writer import Writer
from flagger_controller.operator.handlers import Feed
from flagger_controller.operator.shards import WHOLE
from flagger_controller.operator.store import CanaryStore, TemplateStore
from flagger_controller.routing.base import RouterSettings
from flagger_controller.targets.base import TargetSettings
from flagger_controller.tick.announce import Announcer
from flagger_controller.tick.commit import Committer
from flagger_controller.tick.converge import Converger
from flagger_controller.tick.gather import Gatherer
from flagger_controller.tick.observe import Observer, Settings
from flagger_controller.tick.reject import Rejecter
from flagger_controller.tick.shell import Memory, Shell
from flagger_controller.tick.tick import Tick

from .peers import Hooks, Judge, Log, NoHooks, Sinks

INTERVAL = 10.0
PROVIDER = "traefik"
"""Of canaries that name none."""
EXACT = WatchSettings(jitter=lambda: 0.5)


@dataclass(frozen=True)
class Peers:
    """Whom a process talks to, besides the API server."""

    log: Log
    hooks: Hooks
    judge: Judge
    has_template: Callable[[str, str], bool]


@dataclass
class Process:
    """What dies with a crash."""

    cache: Cache
    shell: Shell
    ticks: dict[str, Tick]
    store: CanaryStore
    feed: Feed
    events: EventRecorder
    """About Canaries that cannot be decoded; the others' are in the log."""
    rejecter: Rejecter

    async def work(self, key: str) -> None:
        """What the operator does when a canary is due."""
        if key in self.store.rejected:
            await self.rejecter.reject(*self.store.rejected[key])
            await self.events.flush()
        else:
            await self.ticks.setdefault(key, Tick(key, self.shell, Memory())).run()

    async def end(self) -> None:
        """The process ends; nothing of it survives."""
        await self.events.close()
        await self.cache.close()


def launch(
    api: KubeClient,
    events_api: KubeClient,
    peers: Peers,
    now: Clock,
    memories: Mapping[str, Memory],
) -> Process:
    """A process that knows nothing yet but what it is given in `memories`."""
    cache = Cache(api, settings=EXACT)
    store = CanaryStore()
    settings = Settings(PROVIDER, TargetSettings(), RouterSettings())
    sinks = Sinks(peers.log)
    shell = Shell(
        store=store,
        observer=Observer(cache, settings, now, peers.has_template),
        converger=Converger(Writer(api, cache), now),
        gatherer=Gatherer(peers.hooks, peers.judge, sinks),
        committer=Committer(api),
        announcer=Announcer(peers.log, NoHooks(), sinks, sinks),
        clock=now,
        interval_floor=INTERVAL,
    )
    feed = Feed(
        store,
        TemplateStore(),
        wake=lambda key: None,
        gone=lambda key, canary: cache.unwatch(key),
        counted=lambda namespace, count: None,
        shard=WHOLE,
    )
    events = EventRecorder(events_api, now=now)
    ticks = {key: Tick(key, shell, memory) for key, memory in memories.items()}
    return Process(cache, shell, ticks, store, feed, events, Rejecter(api, events, now))
