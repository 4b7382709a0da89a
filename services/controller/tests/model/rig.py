"""A whole release in memory: the real tick on a fake API server with a fake kubelet.

Time is virtual (looptime). A process is everything that dies with a crash: cache, memory, queues.
`Killed` raised by a fault hook ends the process; the rig starts the next one, as a kubelet would.
"""

import asyncio
import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flagger_controller.api.canary import Canary, Webhook
from flagger_controller.api.status import CanaryStatus, Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import Cache
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.cluster.fake import FakeApi, Killed, Write
from flagger_controller.cluster.memory import Happening
from flagger_controller.cluster.watch import WatchSettings
from flagger_controller.cluster.writer import Writer
from flagger_controller.errors import FlaggerError
from flagger_controller.operator.store import CanaryStore, key_of
from flagger_controller.rollout.decision import Alert, Event, Outcome
from flagger_controller.rollout.evidence import Answer, Measured, MetricCheck, Unmeasured
from flagger_controller.routing.base import RouterSettings
from flagger_controller.targets.base import TargetSettings
from flagger_controller.tick.announce import Announcer
from flagger_controller.tick.commit import Committer
from flagger_controller.tick.converge import Converger
from flagger_controller.tick.gather import Gatherer
from flagger_controller.tick.observe import Observer, Settings
from flagger_controller.tick.shell import Memory, Shell
from flagger_controller.tick.tick import Tick

NAMESPACE = "default"
NAME = "podinfo"
KEY = f"{NAME}.{NAMESPACE}"
INTERVAL = 10.0
PAUSE = INTERVAL + 0.125
"""From tick to tick. Virtual time moves in whole microseconds, so every delay here must be exact
in binary and in microseconds: a timer in between fires, finds that it is early, and spins."""
EXACT = WatchSettings(jitter=lambda: 0.5)
CANARY = Ref(resources.CANARIES, NAME, NAMESPACE)
TARGET = Ref(resources.DEPLOYMENTS, NAME, NAMESPACE)
PRIMARY = Ref(resources.DEPLOYMENTS, f"{NAME}-primary", NAMESPACE)
ROUTE = Ref(resources.TRAEFIK_SERVICES, NAME, NAMESPACE)
SERVICE = Ref(resources.SERVICES, NAME, NAMESPACE)
START = datetime(2026, 1, 1, tzinfo=UTC)


def deployment(tag: str = "1", replicas: int = 1) -> Object:
    container = {"name": "podinfo", "image": f"podinfo:{tag}", "ports": [{"containerPort": 9898}]}
    labels = {"app": NAME}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def canary(**spec: Any) -> Object:
    """The Canary; keywords replace parts of its spec (camelCase)."""
    analysis = {"interval": "10s", "threshold": 2, "stepWeight": 25, "maxWeight": 50}
    body = {
        "provider": "traefik",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
        "service": {"port": 80, "targetPort": 9898},
        "analysis": analysis,
        "progressDeadlineSeconds": 60,
        **spec,
    }
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": body,
    }


@dataclass
class Log:
    """Everything that was announced, over all processes."""

    events: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    hooks: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def record(self, canary: Canary, text: str, *, warning: bool) -> None:
        text = text.replace(f".{NAMESPACE}", "")
        self.events.append(text)
        if warning:
            self.warnings.append(text)

    async def settled(self, canary: Canary) -> None:
        await asyncio.sleep(0)


@dataclass
class Hooks:
    """The receivers of webhooks, their answers, and what to do when one is called."""

    answers: dict[str, Answer] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    on_call: dict[str, Any] = field(default_factory=dict)

    async def call(self, hook: Webhook, payload: bytes) -> Answer:
        await asyncio.sleep(0)
        self.calls.append(hook.name)
        if hook.name in self.on_call:
            self.on_call[hook.name]()
        return self.answers.get(hook.name, Answer(ok=True))


@dataclass
class Judge:
    """The metric sources."""

    values: dict[int, Measured | Unmeasured] = field(default_factory=dict)

    async def measure(self, canary: Canary, check: MetricCheck) -> Measured | Unmeasured:
        await asyncio.sleep(0)
        return self.values.get(check.index, Measured(100.0))

    async def providers(self, canary: Canary) -> Answer:
        await asyncio.sleep(0)
        return Answer(ok=True)


class _NoHooks:
    """Nobody listens to events."""

    def send(self, canary: Canary, event: Event, *, phase: Phase, checksum: str) -> None:
        pass

    async def settled(self, canary: Canary) -> None:
        await asyncio.sleep(0)


class _Sinks:
    """Alerts and gauges of one process, written to the common log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def send(self, canary: Canary, alert: Alert) -> None:
        self._log.alerts.append(alert.text)

    async def settled(self, canary: Canary) -> None:
        await asyncio.sleep(0)

    def outcome(self, canary: Canary, outcome: Outcome) -> None:
        self._log.outcomes.append(outcome)

    def show(self, canary: Canary) -> None:
        pass

    def analysed(self, canary: Canary, seconds: float) -> None:
        pass


@dataclass
class Process:
    """What dies with a crash."""

    cache: Cache
    shell: Shell
    ticks: dict[str, Tick]
    store: CanaryStore


@dataclass(frozen=True)
class Snapshot:
    """A rig between two ticks, to go on from there more than once.

    What is in the API server is never changed in place, so shallow copies will do.
    """

    at: datetime
    objects: dict[Ref, Object]
    history: list[Happening]
    version: int
    writes: list[Write]
    memory: Memory | None
    rest: dict[str, Any]
    """Everything else that the rig remembers."""


class Rig:
    """One canary, its cluster, and controllers that may die."""

    def __init__(self, *, broken: Sequence[str] = ("broken",)) -> None:
        self.api = FakeApi(now=self.now)
        self.log = Log()
        self.hooks = Hooks()
        self.judge = Judge()
        self.broken = set(broken)
        """Image tags whose pods never get ready; `primary-` in front: only in the primary."""
        self.templates: set[str] = set()
        """MetricTemplates that exist."""
        self.statuses: list[CanaryStatus] = []
        self.deaths = 0
        self.unready_since: dict[Ref, str] = {}
        self._process: Process | None = None
        self._memory: Memory | None = None
        self._start = START

    def now(self) -> datetime:
        return self._start + timedelta(seconds=asyncio.get_running_loop().time())

    # Going back in time

    def snapshot(self) -> Snapshot:
        """The rig as it is between two ticks."""
        memory = self.api.memory
        kept = (
            "log",
            "hooks",
            "judge",
            "broken",
            "templates",
            "statuses",
            "deaths",
            "unready_since",
        )
        process = self._process
        return Snapshot(
            self.now(),
            dict(memory.objects),
            list(memory.history),
            memory.version,
            list(self.api.writes),
            replace(process.ticks[KEY].memory) if process else None,
            {name: _copied(getattr(self, name)) for name in kept},
        )

    def situation(self) -> str:
        """Everything that decides how the release goes on; equal for rigs that go on alike.

        Times count as distances from now, versions only as up to date or not.
        """
        memory = self._process.ticks[KEY].memory if self._process else Memory()
        run = self.status.run
        told = {
            "objects": {str(ref): _timeless(body) for ref, body in self.api.memory.objects.items()},
            "ticked": self._ago(run.ticked_at),
            "memory": self._ago(memory.ticked.isoformat() if memory.ticked else run.ticked_at),
            "announced": memory.announced == run.ticked_at,
            "doubts": [memory.unsettled, memory.told],
            "unready": {str(ref): self._ago(since) for ref, since in self.unready_since.items()},
            "alerts": sorted(set(self.log.alerts)),
            "outcomes": sorted({str(outcome) for outcome in self.log.outcomes}),
        }
        return json.dumps(told, sort_keys=True)

    def _ago(self, stamp: str) -> float | None:
        return (
            round((self.now() - datetime.fromisoformat(stamp)).total_seconds()) if stamp else None
        )

    @classmethod
    def restored(cls, snapshot: Snapshot) -> "Rig":
        """A rig that goes on from a snapshot; its process has a new watch cache."""
        rig = cls()
        rig._start = snapshot.at - timedelta(seconds=asyncio.get_running_loop().time())
        memory = rig.api.memory
        memory.objects, memory.history = dict(snapshot.objects), list(snapshot.history)
        memory.version = snapshot.version
        rig.api.writes = list(snapshot.writes)
        rig._memory = replace(snapshot.memory) if snapshot.memory else None
        for name, value in snapshot.rest.items():
            setattr(rig, name, _copied(value))
        return rig

    # The world

    @property
    def status(self) -> CanaryStatus:
        body = self.api.object(CANARY)
        assert body is not None
        return Canary.from_api(body).status

    @property
    def weights(self) -> dict[str, int]:
        """Service name to weight, as Traefik reads them."""
        services = (self.api.object(ROUTE) or {}).get("spec", {}).get("weighted", {})
        return {entry["name"]: entry.get("weight", 1) for entry in services.get("services", [])}

    def tag(self, ref: Ref) -> str:
        body = self.api.object(ref)
        assert body is not None
        image: str = body["spec"]["template"]["spec"]["containers"][0]["image"]
        return image.partition(":")[2]

    def replicas(self, ref: Ref) -> int:
        body = self.api.object(ref)
        assert body is not None
        return int(body["spec"]["replicas"])

    def push(self, tag: str) -> None:
        """A user changes the image of the target."""
        body = self.api.object(TARGET)
        assert body is not None
        body["spec"]["template"]["spec"]["containers"][0]["image"] = f"podinfo:{tag}"
        self.api.put(TARGET, body)

    def pods(self) -> None:
        """The kubelet: what can be ready is."""
        for ref in (TARGET, PRIMARY):
            body = self.api.object(ref)
            if body is not None:
                status = self._pod_status(ref, body)
                if status != body.get("status"):
                    self.api.put(ref, {**body, "status": status})

    def _pod_status(self, ref: Ref, body: Object) -> Object:
        replicas = body["spec"].get("replicas", 1)
        tag = self.tag(ref)
        dead = tag in self.broken or (ref == PRIMARY and f"primary-{tag}" in self.broken)
        before = body.get("status", {})
        ready = 0 if dead else replicas
        # A rolling update keeps the old pods until the new ones are ready.
        old = 0 if ready or before.get("template") in (None, tag) else 1
        kept = before.get("template") if dead and old else tag
        available = ready or (1 if kept != tag and replicas else 0)
        stamp = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        since = self.unready_since.setdefault(ref, stamp) if dead and replicas else ""
        if not since:
            self.unready_since.pop(ref, None)
        return {
            "observedGeneration": body["metadata"]["generation"],
            "replicas": replicas + (1 if kept != tag and replicas else 0),
            "updatedReplicas": replicas,
            "availableReplicas": available,
            "template": kept,
            "conditions": [
                {
                    "type": "Available",
                    "status": "False" if since and not available else "True",
                    "reason": "MinimumReplicasUnavailable",
                    "lastUpdateTime": since,
                },
                self._progress(since),
            ],
        }

    def _progress(self, since: str) -> Object:
        late = since and datetime.fromisoformat(since) + timedelta(seconds=60) < self.now()
        reason = "ProgressDeadlineExceeded" if late else "NewReplicaSetAvailable"
        return {"type": "Progressing", "status": "False" if late else "True", "reason": reason}

    # The controller

    async def start(self) -> Process:
        """The next process."""
        cache = Cache(self.api, settings=EXACT)
        store = CanaryStore()
        settings = Settings("traefik", TargetSettings(), RouterSettings())
        sinks = _Sinks(self.log)
        shell = Shell(
            store=store,
            observer=Observer(cache, settings, self.now, self._has_template),
            converger=Converger(Writer(self.api, cache), self.now),
            gatherer=Gatherer(self.hooks, self.judge),
            committer=Committer(self.api),
            announcer=Announcer(self.log, _NoHooks(), sinks, sinks),
            clock=self.now,
            interval_floor=INTERVAL,
        )
        memory, self._memory = self._memory or Memory(), None
        return Process(cache, shell, {KEY: Tick(KEY, shell, memory)}, store)

    def _has_template(self, namespace: str, name: str) -> bool:
        return namespace == NAMESPACE and name in self.templates

    async def stop(self) -> None:
        """The process ends; nothing of it survives."""
        if self._process is not None:
            await self._process.cache.close()
            self._process = None

    async def step(self) -> None:
        """One tick, by a new process when the last one was killed; errors are retried later."""
        self.pods()
        if self._process is None:
            self._process = await self.start()
        await asyncio.sleep(0.0625)  # virtual: the watch delivers
        store = self._process.store
        bodies = self.api.memory.items(resources.CANARIES, NAMESPACE)
        for gone in store.keys() - {key_of(body) for body in bodies}:
            store.remove(gone)
        for body in bodies:
            store.put(body)
        for key in sorted({KEY, *store.keys()}):
            await self._tick(key)
        self.pods()
        if self.api.object(CANARY) is not None:
            self.statuses.append(self.status)

    async def _tick(self, key: str) -> None:
        if self._process is None:  # killed by a canary before this one
            return
        shell = self._process.shell
        tick = self._process.ticks.setdefault(key, Tick(key, shell, Memory()))
        try:
            await tick.run()
        except FlaggerError as error:
            self.log.events.append(f"error: {error}")
        except Killed:
            self.deaths += 1
            await self.stop()

    async def pass_interval(self) -> None:
        """Let the interval go by, then tick."""
        await asyncio.sleep(PAUSE)
        await self.step()

    async def until(self, *phases: Phase, ticks: int = 40) -> None:
        """Tick once an interval until a phase is reached and announced."""
        for _ in range(ticks):
            await self.step()
            if self.status.phase in phases and not self.status.run.unannounced:
                return
            await asyncio.sleep(PAUSE)
        raise AssertionError(f"still {self.status.phase} after {ticks} ticks: {self.log.events}")

    async def initialized(self, **spec: Any) -> "Rig":
        """Target and Canary, brought to Initialized; the log is empty afterwards."""
        self.api.put(TARGET, deployment())
        self.api.put(CANARY, canary(**spec))
        await self.until(Phase.INITIALIZED)
        self.log.events.clear()
        self.log.warnings.clear()
        self.log.alerts.clear()
        self.hooks.calls.clear()
        del self.statuses[:-1]
        return self


_OF_THE_MOMENT = frozenset(
    {
        *("resourceVersion", "uid", "creationTimestamp", "generation", "tickedAt"),
        *("lastTransitionTime", "lastUpdateTime"),
    }
)


def _timeless(body: Object) -> Object:
    """An object without what differs from run to run."""
    plain = _without_moments(body)
    observed = body.get("status", {}).get("observedGeneration")
    if observed is not None:
        plain["status"]["observedGeneration"] = observed == body["metadata"]["generation"]
    return dict(plain)


def _without_moments(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_moments(v) for k, v in value.items() if k not in _OF_THE_MOMENT}
    return [_without_moments(each) for each in value] if isinstance(value, list) else value


def _copied(value: Any) -> Any:
    """A copy that shares what is never changed in place."""
    if isinstance(value, list | dict | set):
        return copy.copy(value)
    if isinstance(value, Log | Hooks | Judge):
        return replace(value, **{k: copy.copy(v) for k, v in vars(value).items()})
    return value
