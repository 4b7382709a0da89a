"""What must be written so that the cluster matches spec and status. Pure.

Level-triggered and idempotent: planning again after everything was written gives an empty plan,
from any state. The order of the writes is the safety: routes before scale, copies before the
workload that mounts them, the primary before whatever takes traffic away from the target.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Obligation, Phase, Route
from flagger_controller.cluster.client import Ref
from flagger_controller.rollout import weights
from flagger_controller.rollout.case import ACTIVE, ANALYSING, KUBERNETES
from flagger_controller.routing import kubernetes
from flagger_controller.targets import replicas
from flagger_controller.tick.world import Parts, World


@dataclass(frozen=True)
class Put:
    """Create the object, or replace it when it carries a resourceVersion."""

    ref: Ref
    body: Object


@dataclass(frozen=True)
class Patch:
    """Merge a change into an object, provided that it is still the one that was read."""

    ref: Ref
    patch: Object


@dataclass(frozen=True)
class Delete:
    """Delete that very object."""

    ref: Ref
    uid: str


Write = Put | Patch | Delete


@dataclass(frozen=True)
class Plan:
    """The writes that are due now, and whether more will follow."""

    writes: tuple[Write, ...] = ()
    waiting: str = ""
    """What has to happen before the rest can be planned; empty when nothing is left."""

    @property
    def settled(self) -> bool:
        """The cluster shows what spec and status ask for."""
        return not self.writes and not self.waiting


def plan(world: World) -> Plan:
    """The next writes for this canary; empty before it was first seen.

    Raises:
        ConfigError: the provider cannot do what the Canary asks for. Known before the first write,
            also where routes come last.
    """
    phase = world.canary.status.phase
    if world.canary.metadata.deletion_timestamp is not None:
        return _revert(world) if phase is Phase.TERMINATING else Plan()
    route = shown_route(world)
    backends, routes = tuple(_services(world)), tuple(_routes(world, route))
    entrance = (*_apex(world), *routes)
    if phase is Phase.NEW or world.canary.spec.suspend:
        return Plan()
    stages: list[Iterable[Write]] = [
        backends,
        (each for each in routes if each.ref.resource in world.parts.router.capabilities.early),
        _workload(world),
        _primary_scaler(world),
    ]
    if phase is Phase.INITIALIZING and not _may_take_over(world):
        return _collect(stages, "the primary is not ready")
    stages.append(entrance)
    writes = _collect(stages, "")
    if phase is Phase.INITIALIZING and writes.writes:
        return replace(writes, waiting="routes come before scale")
    return _scaled(world, route, writes)


def shown_route(world: World) -> Route:
    """The recorded split, corrected so that no traffic goes to a backend without pods.

    Nor to the canary once the conditions are gone that it was decided for.
    """
    if world.canary.status.run.conditional and not world.canary.analysis.match:
        return Route()
    return weights.safe(
        world.route,
        primary_available=world.primary_health.available,
        canary_available=world.target_health.available,
    )


def retreat(
    canary: Canary, parts: Parts, live: Mapping[Ref, Object], now: datetime
) -> tuple[Write, ...]:
    """The target vanished during a run: its share of the traffic goes to the primary (I2).

    The primary stands in for what routes need to know of the target: label and ports.
    """
    primary = live.get(parts.primary_ref(canary))
    recorded = canary.status.run.route or parts.router.read(canary, live)
    if canary.status.phase not in ACTIVE or primary is None or recorded is None:
        return ()
    route = weights.safe(
        recorded,
        primary_available=parts.target.health(canary, primary, primary=True, now=now).available,
        canary_available=False,
    )
    traits = parts.target.traits(canary, primary)
    desired = parts.router.desired(_routed(canary), traits, route, live)
    return tuple(Put(ref, body) for ref, body in desired.items() if body != live.get(ref))


def _collect(stages: Iterable[Iterable[Write]], waiting: str) -> Plan:
    """One write an object, the first: what comes after it is planned anew on what it left."""
    writes: dict[Ref, Write] = {}
    for write in itertools.chain.from_iterable(stages):
        writes.setdefault(write.ref, write)
    return Plan(tuple(writes.values()), waiting)


def _may_take_over(world: World) -> bool:
    """Nothing that serves is touched before the primary was ready once (sharp edge S18).

    Without an analysis a twin is not waited for. A revision is: it may never be ready (T18).
    """
    skipped = world.canary.skip_analysis and world.parts.target.twin
    return skipped or world.primary_health.ready


def _put(world: World, desired: Mapping[Ref, Object]) -> Iterator[Write]:
    for ref, body in desired.items():
        if body != world.live.get(ref):
            yield Put(ref, body)


def _services(world: World) -> Iterator[Write]:
    backends = kubernetes.Which.BACKENDS
    yield from _put(
        world, kubernetes.services(world.canary, world.traits, world.live, which=backends)
    )


def _apex(world: World) -> Iterator[Write]:
    """Clients reach the primary; or the target, where only Services move traffic (S28)."""
    to_target = world.parts.provider == KUBERNETES and world.canary.status.run.promotion_failed
    apex = kubernetes.services(
        world.canary,
        world.traits,
        world.live,
        which=kubernetes.Which.APEX,
        to_target=to_target,
    )
    yield from _put(world, apex)


def _routes(world: World, route: Route) -> Iterator[Write]:
    desired = world.parts.router.desired(_routed(world.canary), world.traits, route, world.live)
    yield from _put(world, desired)


def _routed(canary: Canary) -> Canary:
    """The Canary as routers see it.

    While the primary is dead of its promotion, no condition keeps anybody there: what serves is
    the target, which has passed its analysis.
    """
    if not canary.status.run.promotion_failed:
        return canary
    analysis = canary.analysis.model_copy(update={"match": ()})
    return canary.model_copy(update={"spec": canary.spec.model_copy(update={"analysis": analysis})})


def _workload(world: World) -> Iterator[Write]:
    """Create the primary when it is missing, replace its template when it is promoted."""
    target = world.live[world.target_ref]
    yield from _put(world, world.parts.target.copies(world.canary, target, world.live))
    for ref in world.parts.target.stale(world.canary, target, world.live):
        yield Delete(ref, world.live[ref]["metadata"]["uid"])
    live = world.live.get(world.primary_ref)
    if world.missing or (live is not None and not world.promoting):
        return
    yield from _put(world, world.config_copies)
    body = world.parts.target.primary(world.canary, target, world.configs, live)
    yield from _put(world, {world.primary_ref: body})


def _primary_scaler(world: World) -> Iterator[Write]:
    """Created when missing, updated while the primary takes over (targets.md section 10)."""
    source, ref = world.scaler_ref, world.primary_scaler_ref
    if source is None or ref is None or world.parts.scaler is None:
        return
    scaler, live = world.live.get(source), world.live.get(ref)
    if scaler is None or (live is not None and not world.canary.status.replacing):
        return
    yield from _put(world, {ref: world.parts.scaler.primary(world.canary, scaler, live)})


def _pause(world: World, *, pause: bool) -> Iterator[Write]:
    ref = world.scaler_ref
    scaler = world.live.get(ref) if ref else None
    if ref is None or scaler is None or world.parts.scaler is None:
        return
    patch = world.parts.scaler.paused(scaler, pause=pause)
    if patch is not None:
        yield _conditional(ref, scaler, patch)


def _scale(world: World, *, up: bool) -> Iterator[Write]:
    target = world.live[world.target_ref]
    patch = world.parts.target.scaled(
        world.canary, target, up=up, replicas=_replicas_from_zero(world)
    )
    if patch is not None:
        yield _conditional(world.target_ref, target, patch)


def _replicas_from_zero(world: World) -> int:
    """Replicas of a target that is scaled up (targets.md 5.3)."""
    source = world.scaler_ref
    scaler = world.live.get(source) if source else None
    return replicas.from_zero(world.live.get(world.primary_ref), world.parts.scaler, scaler)


def _scaled(world: World, route: Route, before: Plan) -> Plan:
    """The target's scale for the phase, after everything that moves traffic."""
    status = world.canary.status
    obligation = status.run.obligation
    if status.phase in ANALYSING and obligation is Obligation.NONE:
        up = _collect([_pause(world, pause=False), _scale(world, up=True)], "")
        if up.writes and not world.target_health.observed:
            # Scaled up now, its controller would start pods of the old revision first.
            return replace(before, waiting="the target's controller has not seen its revision yet")
        return _collect([before.writes, up.writes], before.waiting)
    if not _scales_down(world):
        return before
    if route.canary > 0:
        return replace(before, waiting="traffic is still on the target: the primary has no pods")
    if before.writes:
        return replace(before, waiting="routes come before scale")
    return _collect([_pause(world, pause=True), _scale(world, up=False)], "")


def _scales_down(world: World) -> bool:
    status = world.canary.status
    match status.run.obligation:
        case Obligation.ROLLBACK:
            # Stranded on the target: the primary died of its promotion, so the target stays up.
            return not (status.run.promotion_failed and world.route.canary > 0)
        case Obligation.SKIP:
            return True
        case Obligation.KEEP_CANARY:
            return False
    if status.phase is Phase.FINALISING:
        ready = world.canary.skip_analysis or world.primary_health.ready
        return world.due and ready
    return status.phase is Phase.INITIALIZING


def _conditional(ref: Ref, live: Object, patch: Object) -> Patch:
    """A patch that fails when the object is no longer the one that was read."""
    version = live.get("metadata", {}).get("resourceVersion", "")
    metadata = {**patch.get("metadata", {}), "resourceVersion": version}
    return Patch(ref, {**patch, "metadata": metadata})


def _revert(world: World) -> Plan:
    """Everything as it was before the Canary (state-machine.md section 12)."""
    target = world.live.get(world.target_ref)
    stages: list[Iterable[Write]] = [_pause(world, pause=False)]
    if target is not None:
        stages.append(_restore_scale(world, target))
    scaled = _collect(stages, "")
    if scaled.writes:
        return replace(scaled, waiting="the target comes up before routes go back")
    if target is not None and world.parts.target.twin and not world.target_health.ready:
        return Plan(waiting=world.target_health.reason)
    router = world.parts.router.reverted(world.canary, world.live)
    services = kubernetes.reverted_services(world.canary, world.traits, world.live)
    return _collect([_put(world, services), _reverted(world, router)], "")


def _reverted(world: World, objects: Mapping[Ref, Object | None]) -> Iterator[Write]:
    for ref, body in objects.items():
        if body is not None:
            yield from _put(world, {ref: body})
        elif ref in world.live:
            yield Delete(ref, world.live[ref]["metadata"]["uid"])


def _restore_scale(world: World, target: Object) -> Iterator[Write]:
    patch = world.parts.target.reverted(
        target, world.live.get(world.primary_ref), replicas=_replicas_from_zero(world)
    )
    if patch is not None:
        yield _conditional(world.target_ref, target, patch)
