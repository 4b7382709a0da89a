"""Worlds for the tests of single steps: the objects of one canary in a synchronous API server.

Everything but the I/O is real: targets, routers, autoscalers, and the API's rules for writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Phase, Route, Run
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref, Resource
from flagger_controller.cluster.memory import Memory
from flagger_controller.rollout.evidence import Health, Revision
from flagger_controller.routing import router_for
from flagger_controller.routing.base import RouterSettings
from flagger_controller.targets import scaler_for, target_for, tracking
from flagger_controller.targets.base import TargetSettings
from flagger_controller.tick.observe import judged, named_refs
from flagger_controller.tick.plan import Delete, Patch, Plan, Put, plan
from flagger_controller.tick.world import Parts, World

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
NAMESPACE = "shop"
NAME = "cart"
LABELS = {"app": NAME}
KINDS: Mapping[str, Resource] = {
    "Deployment": resources.DEPLOYMENTS,
    "DaemonSet": resources.DAEMON_SETS,
    "StatefulSet": resources.STATEFUL_SETS,
    "Service": resources.SERVICES,
}
SCALERS: Mapping[str, Resource] = {
    "HorizontalPodAutoscaler": resources.AUTOSCALERS,
    "ScaledObject": resources.SCALED_OBJECTS,
}
CANARY = Ref(resources.CANARIES, NAME, NAMESPACE)
TARGET = Ref(resources.DEPLOYMENTS, NAME, NAMESPACE)
PRIMARY = Ref(resources.DEPLOYMENTS, f"{NAME}-primary", NAMESPACE)
APEX = Ref(resources.SERVICES, NAME, NAMESPACE)
PRIMARY_SERVICE = Ref(resources.SERVICES, f"{NAME}-primary", NAMESPACE)
CANARY_SERVICE = Ref(resources.SERVICES, f"{NAME}-canary", NAMESPACE)
ROUTE = Ref(resources.TRAEFIK_SERVICES, NAME, NAMESPACE)
SETTINGS = Ref(resources.CONFIG_MAPS, "settings", NAMESPACE)


def now() -> datetime:
    return NOW


def config_map(value: str = "1") -> Object:
    return {"metadata": {"name": "settings", "namespace": NAMESPACE}, "data": {"v": value}}


def template(image: str = "cart:1", *, configs: bool = False) -> Object:
    container: Object = {"name": "cart", "image": image}
    if configs:
        container["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}


def workload(kind: str = "Deployment", *, configs: bool = False, replicas: int = 2) -> Object:
    """The target, as its owner wrote it."""
    if kind == "Service":
        return {"spec": {"selector": LABELS, "ports": [{"port": 80, "protocol": "TCP"}]}}
    spec: Object = {"selector": {"matchLabels": LABELS}, "template": template(configs=configs)}
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = "pods"
    return {"metadata": {"labels": LABELS}, "spec": spec}


def manifest(**spec: Any) -> Object:
    """The Canary as an object; keywords replace parts of its spec."""
    body = {
        "provider": "traefik",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
        "service": {"port": 80},
        "analysis": {"interval": "10s", "threshold": 2, "stepWeight": 25, "maxWeight": 50},
        **spec,
    }
    metadata = {"name": NAME, "namespace": NAMESPACE, "uid": "u-1", "resourceVersion": "7"}
    return {"metadata": metadata, "spec": body}


def canary(phase: Phase = Phase.NEW, run: Run | None = None, **spec: Any) -> Canary:
    """A Canary in a phase; keywords replace parts of its spec."""
    found = Canary.from_api(manifest(**spec))
    return found.model_copy(update={"status": CanaryStatus(phase=phase, run=run or Run())})


def split(weight: int) -> Route:
    return Route(primary=100 - weight, canary=weight)


def names(found: Plan) -> list[str]:
    """What a plan writes, in order: `kind name`."""
    return [f"{write.ref.resource.kind} {write.ref.name}" for write in found.writes]


@dataclass
class Scene:
    """One canary and its objects."""

    canary: Canary
    memory: Memory = field(default_factory=lambda: Memory(now))
    dead: set[Ref] = field(default_factory=set)
    """Workloads whose pods never get ready."""
    due: bool = True
    writes: list[str] = field(default_factory=list)
    """Everything that was written: `kind name`."""

    @classmethod
    def of(
        cls, phase: Phase = Phase.NEW, run: Run | None = None, *, configs: bool = False, **spec: Any
    ) -> "Scene":
        """The canary in a phase, its target, and nothing generated yet."""
        scene = cls(canary(phase, run, **spec))
        kind = scene.canary.spec.target_ref.kind
        scene.put(Ref(KINDS[kind], NAME, NAMESPACE), workload(kind, configs=configs))
        if configs:
            scene.put(SETTINGS, config_map())
        reference = scene.canary.spec.autoscaler_ref
        if reference is not None:
            ref = Ref(SCALERS[reference.kind], reference.name, NAMESPACE)
            scene.put(ref, {"spec": {"minReplicas": 3, "minReplicaCount": 3, "triggers": []}})
        return scene

    def put(self, ref: Ref, body: Object) -> None:
        self.memory.put(ref, body)

    def get(self, ref: Ref) -> Object | None:
        return self.memory.get(ref) if ref in self.memory.objects else None

    def become(self, phase: Phase | None = None, run: Run | None = None, **changes: Any) -> "Scene":
        """Another phase, another run record, or another status field; promotions are our own."""
        status = self.canary.status
        update = {"phase": phase or status.phase, "run": run or status.run, **changes}
        if update["phase"] in (Phase.PROMOTING, Phase.FINALISING):
            update["run"] = update["run"].model_copy(update={"promotion_approved": True})
        self.canary = self.canary.model_copy(update={"status": status.model_copy(update=update)})
        return self

    def release(self) -> "Scene":
        """Bring everything to where a first release ends, and forget what was written."""
        self.become(Phase.INITIALIZING)
        self.settle()
        revision = self.world().revision
        configs = None if revision.configs is None else dict(revision.configs)
        known = {"last_applied_spec": revision.spec, "last_promoted_spec": revision.spec}
        self.become(Phase.INITIALIZED, Run(route=Route()), tracked_configs=configs, **known)
        self.settle()
        self.writes.clear()
        return self

    def push(self, image: str, **changes: Any) -> "Scene":
        """A new revision of the target, which the status is about from now on."""
        body = self.memory.get(TARGET)
        body["spec"]["template"]["spec"]["containers"][0]["image"] = image
        self.put(TARGET, {**body, "spec": {**body["spec"], **changes}})
        revision = self.world().revision
        configs = None if revision.configs is None else dict(revision.configs)
        return self.become(last_applied_spec=revision.spec, tracked_configs=configs)

    def world(self) -> World:
        """What the observer would see."""
        self._pods()
        parts = Parts(
            target=target_for(self.canary, TargetSettings()),
            router=router_for(self.canary.spec.provider, RouterSettings()),
            scaler=scaler_for(self.canary),
            provider=self.canary.spec.provider,
        )
        target = self.memory.get(Ref(parts.target.resource, NAME, NAMESPACE))
        refs = {*named_refs(self.canary, parts), *parts.target.refs(self.canary, target)}
        every = [each for ref in refs for each in ref.covered(self.memory.objects)]
        live = {ref: self.memory.get(ref) for ref in every if self.get(ref)}
        configs, copies = {}, {}
        for wanted in parts.target.configs(target):
            configs[wanted] = self.memory.get(SETTINGS)
            twin = replace(SETTINGS, name="settings-primary")
            if (body := self.get(twin)) is not None:
                live[twin] = body
            settings = TargetSettings()
            copies[twin] = tracking.copied(
                self.canary, settings, wanted, configs[wanted], live.get(twin)
            )
        world = World(
            canary=self.canary,
            parts=parts,
            live=live,
            traits=parts.target.traits(self.canary, target),
            revision=Revision(
                parts.target.revision(target),
                tracking.checksums(configs) if parts.target.tracks_configs else None,
            ),
            configs=configs,
            target_health=Health(ready=False),
            primary_health=Health(ready=False),
            promoted=False,
            due=self.due,
            config_copies=copies,
        )
        return judged(world, now)

    def plan(self) -> Plan:
        return plan(self.world())

    def apply(self, found: Plan) -> None:
        """Write a plan; conflicts and forbidden writes raise as they would."""
        self.writes += names(found)
        for write in found.writes:
            match write:
                case Patch(ref, patch):
                    self.memory.patch(ref, patch)
                case Delete(ref, uid):
                    self.memory.delete(ref, uid)
                case Put(ref, body) if body["metadata"].get("resourceVersion"):
                    self.memory.update(ref, body)
                case Put(ref, body):
                    self.memory.create(ref, body)

    def settle(self, rounds: int = 8) -> Plan:
        """Plan and write until nothing is left; fails when that never happens."""
        for _ in range(rounds):
            found = self.plan()
            if not found.writes:
                return found
            self.apply(found)
        raise AssertionError(f"{self.canary.status}: still {names(found)} after {rounds} plans")

    def _pods(self) -> None:
        """The controllers of workloads: what can be ready is."""
        for ref, body in list(self.memory.objects.items()):
            if ref.resource.group == "apps":
                status = _pods_of(body, dead=ref in self.dead)
                if status != body.get("status"):
                    self.put(ref, {**body, "status": status})


def _pods_of(body: Object, *, dead: bool) -> Object:
    selector = body["spec"]["template"]["spec"].get("nodeSelector") or {}
    wanted = 0 if selector else int(body["spec"].get("replicas", 2))
    ready = 0 if dead else wanted
    return {
        "observedGeneration": body["metadata"]["generation"],
        "replicas": wanted,
        "updatedReplicas": wanted,
        "availableReplicas": ready,
        "desiredNumberScheduled": wanted,
        "updatedNumberScheduled": wanted,
        "numberAvailable": ready,
    }
