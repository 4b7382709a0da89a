"""Builds what ticks canaries, from settings and a client."""

import socket
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from flagger_controller import clock, net
from flagger_controller.alerts import dispatch, providers
from flagger_controller.alerts.base import Address
from flagger_controller.alerts.delivery import Postman
from flagger_controller.api.canary import Canary
from flagger_controller.cluster.cache import Cache, Change
from flagger_controller.cluster.client import KubeClient
from flagger_controller.cluster.events import EventRecorder
from flagger_controller.cluster.writer import Writer
from flagger_controller.hooks.client import HookClient
from flagger_controller.hooks.credentials import Credentials
from flagger_controller.hooks.flux import FluxEvents
from flagger_controller.hooks.sender import EventSender
from flagger_controller.metrics import template, templates
from flagger_controller.metrics.base import Context
from flagger_controller.metrics.evaluate import Evaluator
from flagger_controller.metrics.recorder import Recorder
from flagger_controller.operator.mounted import MountedSecret
from flagger_controller.operator.outlets import (
    CountedHooks,
    Gauges,
    Judge,
    KubeEvents,
    Listeners,
    Lookup,
    Tally,
)
from flagger_controller.operator.settings import Settings
from flagger_controller.operator.store import CanaryStore, TemplateStore
from flagger_controller.outbox import Outbox
from flagger_controller.routing.base import RouterSettings
from flagger_controller.schedule.pool import Pool
from flagger_controller.targets.base import TargetSettings
from flagger_controller.tick import observe
from flagger_controller.tick.announce import Announcer
from flagger_controller.tick.commit import Committer
from flagger_controller.tick.converge import Converger
from flagger_controller.tick.gather import Gatherer
from flagger_controller.tick.pace import RESYNC
from flagger_controller.tick.rank import rank_of
from flagger_controller.tick.reject import Rejecter
from flagger_controller.tick.shell import Memory, Shell
from flagger_controller.tick.tick import Tick
from flagger_controller.urgency import Rank

BURST: Final = 0.1
"""Seconds after a change in which others are awaited: a rollout changes a workload several times
at once, and all of it needs one look."""
DRAIN: Final = 5.0
"""Seconds that queues get at shutdown."""


@dataclass
class Engine:
    """Everything that ticks canaries. Close it when its pool has stopped."""

    canaries: CanaryStore
    templates: TemplateStore
    cache: Cache
    events: EventRecorder
    outboxes: tuple[Outbox, ...]
    """What event hooks and chats are to be told."""
    recorder: Recorder
    evaluator: Evaluator
    rejecter: Rejecter
    shell: Shell
    pool: Pool = field(init=False)
    _ticks: dict[str, Tick] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pool = Pool(self.work, self.recorder.process, self.rank)

    def rank(self, key: str) -> Rank:
        """How urgent the ticks of a canary are."""
        known = self.canaries.get(key)
        return rank_of(known and known[0])

    async def work(self, key: str) -> float | None:
        """One tick of a canary; seconds until the next, None when it is gone."""
        rejected = self.canaries.rejected.get(key)
        if rejected is not None:
            await self.rejecter.reject(*rejected)
            return RESYNC
        if key not in self._ticks:
            self._ticks[key] = Tick(key, self.shell, Memory())
        known, over = self.canaries.get(key), False
        try:
            seconds = await self._ticks[key].run()
            over = seconds is None
            return seconds
        finally:
            # It may have gone after `forget`, during this tick, also if the tick then failed.
            if over or not self.canaries.holds(key):
                self._ticks.pop(key, None)
                self.cache.unwatch(key)
                if known is not None:
                    self.recorder.forget(known[0])

    def forget(self, key: str, canary: Canary | None) -> None:
        """A Canary is gone: nothing of it stays."""
        self.pool.forget(key)
        self.cache.unwatch(key)
        self._ticks.pop(key, None)
        if canary is not None:
            self.recorder.forget(canary)
            for other in self.canaries.within(canary.namespace):
                if other.target == canary.target:
                    self.pool.wake(other.key)

    async def close(self) -> None:
        """Send what waits, within some seconds, and stop watching."""
        await self.events.close(DRAIN)
        for outbox in self.outboxes:
            await outbox.drain(DRAIN)
        await self.cache.close()


def build(
    settings: Settings,
    client: KubeClient,
    http: net.Http,
    recorder: Recorder,
    *,
    own_references: bool = True,
    now: clock.Clock = clock.utc,
) -> Engine:
    """The engine; nothing runs yet. Without `own_references` routes live in another cluster.

    `now` is the wall clock; all else is measured with that of the event loop.
    """
    canaries, stored = CanaryStore(), TemplateStore()
    lookup = Lookup(client, stored)
    hooks = CountedHooks(HookClient(http, Credentials(lookup.secret, now), now=now), recorder)
    events = EventRecorder(client, now=now)
    calls, alerts = Outbox(), Outbox()
    outlet = KubeEvents(events)
    ears = dispatch.Ears(
        counted=lambda kind, sent: recorder.count_alert(kind, ok=sent),
        told=lambda canary, text: outlet.record(canary, text, warning=True),
    )
    evaluator = _evaluator(settings, Context(http, client, now), lookup)
    engine: Engine

    def woken(key: Hashable, change: Change) -> None:
        if not change.own:
            engine.pool.wake(str(key), BURST)

    cache = Cache(client, restricted=bool(settings.namespace), on_change=woken)
    shell = Shell(
        store=canaries,
        observer=observe.Observer(
            cache,
            _observing(settings, own_references),
            now,
            lambda namespace, name: (namespace, name) in stored.templates,
        ),
        converger=Converger(Writer(client, cache), now),
        gatherer=Gatherer(hooks, Judge(evaluator, recorder), Tally(recorder)),
        committer=Committer(client),
        announcer=Announcer(
            outlet,
            Listeners(
                EventSender(hooks, calls, settings.event_webhook, now),
                FluxEvents(http, calls, settings.events_addr, socket.gethostname(), now=now),
            ),
            _dispatcher(settings, http, alerts, lookup, ears, now),
            Gauges(recorder),
        ),
        clock=now,
        interval_floor=settings.interval_floor,
    )
    engine = Engine(
        canaries=canaries,
        templates=stored,
        cache=cache,
        events=events,
        outboxes=(calls, alerts),
        recorder=recorder,
        evaluator=evaluator,
        rejecter=Rejecter(client, events, now),
        shell=shell,
    )
    recorder.process.watch_queue("ticks", engine.pool.overdue)
    recorder.process.watch_queue("events", lambda: events.waiting)
    recorder.process.watch_queue("webhooks", lambda: calls.waiting)
    recorder.process.watch_queue("alerts", lambda: alerts.waiting)
    return engine


def _observing(settings: Settings, own_references: bool) -> observe.Settings:
    return observe.Settings(
        provider=settings.mesh_provider,
        targets=TargetSettings(
            settings.selector_labels,
            settings.include_label_prefix,
            settings.enable_config_tracking,
        ),
        routers=RouterSettings(
            settings.ingress_annotations_prefix, settings.ingress_class, own_references
        ),
        no_cross_namespace_refs=settings.no_cross_namespace_refs,
        interval_floor=settings.interval_floor,
    )


def _evaluator(settings: Settings, context: Context, lookup: Lookup) -> Evaluator:
    login = settings.metrics_server_secret
    return Evaluator(
        context,
        templates.Lookups(
            lookup.template,
            lookup.secret,
            lookup.revision,
            server_secret=MountedSecret(login) if login else dict,
        ),
        templates.Settings(
            mesh_provider=settings.mesh_provider,
            metrics_server=settings.metrics_server,
            cross_namespace=not settings.no_cross_namespace_refs,
        ),
    )


def _dispatcher(
    settings: Settings,
    http: net.Http,
    outbox: Outbox,
    lookup: Lookup,
    ears: dispatch.Ears,
    now: clock.Clock,
) -> dispatch.Dispatcher:
    return dispatch.Dispatcher(
        Postman(http),
        outbox,
        providers.Providers(
            providers.Lookups(lookup.provider, lookup.secret),
            cross_namespace=not settings.no_cross_namespace_refs,
        ),
        dispatch.Settings(cluster=settings.cluster_name, notifier=_notifier(settings)),
        ears,
        template.render,
        now,
    )


def _notifier(settings: Settings) -> providers.Destination | None:
    """The global notifier; one that cannot work is none (alerting.md section 4)."""
    slack = Address(
        url=settings.slack_url,
        token=settings.slack_token,
        proxy=settings.slack_proxy_url,
        channel=settings.slack_channel or Address.channel,
        username=settings.slack_user,
    )
    teams = Address(url=settings.msteams_url, proxy=settings.msteams_proxy_url)
    notifier = dispatch.choose_notifier(slack, teams)
    return dispatch.checked(notifier) if notifier else None
