"""A whole release in memory: the real tick on a fake API server with a fake kubelet.

Time is virtual (looptime). A process is everything that dies with a crash: cache, memory, queues.
`Killed` raised by a fault hook ends the process; the rig starts the next one, as a kubelet would.
"""

import asyncio
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.cluster.fake import FakeApi, Killed
from flagger_controller.errors import FlaggerError
from flagger_controller.operator.store import key_of
from flagger_controller.tick.shell import Memory

from . import knative, kubelet
from .peers import Hooks, Judge, Log
from .process import INTERVAL, Peers, Process, launch
from .snapshots import Snapshot, copied, timeless, without_cookies
from .targets import KINDS, NAME, NAMESPACE, aim, tag_of, tagged

KEY = f"{NAME}.{NAMESPACE}"
PAUSE = INTERVAL + 0.125
"""From tick to tick. Virtual time moves in whole microseconds, so every delay here must be exact
in binary and in microseconds: a timer in between fires, finds that it is early, and spins."""
CANARY = Ref(resources.CANARIES, NAME, NAMESPACE)
TARGET = Ref(resources.DEPLOYMENTS, NAME, NAMESPACE)
PRIMARY = Ref(resources.DEPLOYMENTS, f"{NAME}-primary", NAMESPACE)
ROUTE = Ref(resources.TRAEFIK_SERVICES, NAME, NAMESPACE)
SERVICE = Ref(resources.SERVICES, NAME, NAMESPACE)
START = datetime(2026, 1, 1, tzinfo=UTC)


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


class Rig:
    """One canary, its cluster, and controllers that may die."""

    def __init__(self, *, broken: Sequence[str] = ("broken",), kind: str = "Deployment") -> None:
        self.api = FakeApi(now=self.now)
        self.events = FakeApi(now=self.now)
        """Has the Events about Canaries that cannot be decoded; apart, so that faults miss it."""
        self.log = Log()
        self.hooks = Hooks()
        self.judge = Judge()
        self.broken = set(broken)
        """Image tags whose pods never get ready; `primary-` in front: only in the primary."""
        self.kind = kind
        self.templates: set[str] = set()
        """MetricTemplates that exist."""
        self.statuses: list[CanaryStatus] = []
        self.deaths = 0
        self.unready_since: dict[Ref, str] = {}
        self.behind = False
        """The controllers of workloads do not get done: every status stays as it is."""
        self._process: Process | None = None
        self._memory: Memory | None = None
        self._start = START
        self._readings = itertools.count()

    def now(self) -> datetime:
        """The time; two readings are never the same, as in reality."""
        passed = asyncio.get_running_loop().time()
        return self._start + timedelta(seconds=passed, microseconds=next(self._readings))

    # Going back in time

    def snapshot(self) -> Snapshot:
        """The rig as it is between two ticks."""
        memory = self.api.memory
        kept = (
            "log",
            "hooks",
            "judge",
            "broken",
            "kind",
            "templates",
            "statuses",
            "deaths",
            "unready_since",
            "behind",
        )
        process = self._process
        return Snapshot(
            self.now(),
            dict(memory.objects),
            list(memory.history),
            memory.version,
            list(self.api.writes),
            replace(process.ticks[KEY].memory) if process else None,
            {name: copied(getattr(self, name)) for name in kept},
        )

    def situation(self) -> str:
        """Everything that decides how the release goes on; equal for rigs that go on alike.

        Times count as distances from now, versions only as up to date or not.
        """
        memory = self._process.ticks[KEY].memory if self._process else Memory()
        run = self.status.run
        told = {
            "objects": self.objects,
            "ticked": self._ago(run.ticked_at),
            "memory": self._ago(memory.ticked.isoformat() if memory.ticked else run.ticked_at),
            "announced": memory.announced == run.ticked_at,
            "scaled": memory.scaled == run.started_at,
            "doubts": [memory.unsettled, memory.told, memory.in_flight(self.now())],
            "unready": {str(ref): self._ago(since) for ref, since in self.unready_since.items()},
            "alerts": sorted(set(self.log.alerts)),
            "outcomes": sorted({str(outcome) for outcome in self.log.outcomes}),
        }
        return without_cookies(json.dumps(told, sort_keys=True), self.status)

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
            setattr(rig, name, copied(value))
        return rig

    # The world

    def found(self, ref: Ref) -> Object:
        """An object that must be there."""
        body = self.api.object(ref)
        assert body is not None, f"{ref} is not there"
        return body

    @property
    def objects(self) -> dict[str, Object]:
        """Everything in the cluster, without what differs from run to run."""
        found = self.api.memory.objects.items()
        return {f"{ref.resource.api_version} {ref}": timeless(body) for ref, body in found}

    @property
    def target(self) -> Ref:
        return Ref(KINDS[self.kind].resource, NAME, NAMESPACE)

    @property
    def primary(self) -> Ref:
        """What a promotion writes."""
        return (
            replace(self.target, name=f"{NAME}-primary") if KINDS[self.kind].twin else self.target
        )

    def workload(self, *, primary: bool) -> Ref:
        """What has the pods of target or primary."""
        ref = self.primary if primary else self.target
        if ref.resource != resources.KNATIVE_SERVICES:
            return ref
        return knative.revision(self.api, ref, primary=primary)

    @property
    def production(self) -> str:
        """The tag of the primary."""
        return self.tag(self.workload(primary=True))

    @property
    def canary(self) -> Canary:
        """The Canary as it is stored."""
        body = self.found(CANARY)
        return Canary.from_api(body)

    @property
    def status(self) -> CanaryStatus:
        """Where its release stands, also when its spec cannot be decoded."""
        body = self.found(CANARY)
        return CanaryStatus.model_validate(body.get("status") or {}).decoded()

    @property
    def weights(self) -> dict[str, int]:
        """Service name to weight, as Traefik reads them."""
        services = (self.api.object(ROUTE) or {}).get("spec", {}).get("weighted", {})
        return {entry["name"]: entry.get("weight", 1) for entry in services.get("services", [])}

    def tag(self, ref: Ref) -> str:
        body = self.found(ref)
        return tag_of(body)

    def replicas(self, ref: Ref) -> int:
        body = self.found(ref)
        return int(body["spec"]["replicas"])

    def deploy(self, annotations: Mapping[str, str] | None = None, **spec: Any) -> None:
        """Target and Canary, as users apply them."""
        kind = KINDS[self.kind]
        self.api.put(self.target, kind.made("1"))
        body = canary(**{**aim(self.kind), **spec})
        if not kind.twin:
            del body["spec"]["service"]
        if annotations:
            body["metadata"]["annotations"] = dict(annotations)
        self.api.put(CANARY, body)

    def push(self, tag: str) -> None:
        """A user changes the image of the target."""
        body = self.found(self.target)
        self.api.put(self.target, tagged(body, tag))

    def pods(self) -> None:
        """The rest of the cluster: what can be ready is."""
        if self.behind:
            return
        for ref, body in list(self.api.memory.objects.items()):
            if ref.resource == resources.KNATIVE_SERVICES:
                knative.reconcile(self.api, ref, self.broken, self.now())
            if ref.resource in kubelet.WORKLOADS:
                since = self._short_since(ref, body)
                status = kubelet.status(ref.resource, body, since=since, now=self.now())
                if status != body.get("status"):
                    self.api.put(ref, {**body, "status": status})

    def _short_since(self, ref: Ref, body: Object) -> str:
        """When a workload began to be short of pods; empty: it is not."""
        tag = tag_of(body)
        dead = tag in self.broken or (
            ref.name.endswith("-primary") and f"primary-{tag}" in self.broken
        )
        if not (dead and kubelet.wanted(body)):
            self.unready_since.pop(ref, None)
            return ""
        return self.unready_since.setdefault(ref, self.now().strftime("%Y-%m-%dT%H:%M:%SZ"))

    # The controller

    async def start(self) -> Process:
        """The next process."""
        memory, self._memory = self._memory or Memory(), None
        peers = Peers(self.log, self.hooks, self.judge, self._has_template)
        return launch(self.api, self.events, peers, self.now, {KEY: memory})

    def _has_template(self, namespace: str, name: str) -> bool:
        return namespace == NAMESPACE and name in self.templates

    async def stop(self) -> None:
        """The process ends; nothing of it survives."""
        if self._process is not None:
            await self._process.end()
            self._process = None

    async def step(self) -> None:
        """One tick, by a new process when the last one was killed; errors are retried later."""
        self.pods()
        if self._process is None:
            self._process = await self.start()
        await asyncio.sleep(0.0625)  # virtual: the watch delivers
        store, feed = self._process.store, self._process.feed
        bodies = self.api.memory.items(resources.CANARIES, NAMESPACE)
        for gone in store.keys() - {key_of(body) for body in bodies}:
            feed.forget(gone)
        for body in bodies:
            feed.canary("MODIFIED", body)
        for key in sorted({KEY, *store.keys()}):
            await self._tick(key)
        self.pods()
        if self.api.object(CANARY) is not None:
            self.statuses.append(self.status)

    async def _tick(self, key: str) -> None:
        if self._process is None:  # killed by a canary before this one
            return
        try:
            await self._process.work(key)
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
        self.deploy(**spec)
        await self.until(Phase.INITIALIZED)
        self.log.events.clear()
        self.log.warnings.clear()
        self.log.alerts.clear()
        self.hooks.calls.clear()
        del self.statuses[:-1]
        return self
