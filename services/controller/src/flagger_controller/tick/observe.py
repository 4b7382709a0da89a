"""Observe: the Canary and everything it refers to, from the watch cache.

Never older than our own last write, and no API call of its own, except for config data that
changed, to confirm that what a Canary needs is missing, and to look at the target once more before
its revision is promoted.
What makes it impossible to serve a Canary is not an exception here but a `Problem`: a text for its
owner, naming field and remedy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from flagger_controller.api import validation
from flagger_controller.api.base import Object
from flagger_controller.api.canary import INTERVAL_FLOOR, Canary
from flagger_controller.api.status import Obligation, Phase
from flagger_controller.clock import Clock
from flagger_controller.cluster.cache import Cache
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.rollout.case import ACTIVE, SETTLED, STARTING
from flagger_controller.rollout.evidence import Health, Revision
from flagger_controller.routing import base, router_for
from flagger_controller.routing.base import RouterSettings
from flagger_controller.routing.kubernetes import service_refs
from flagger_controller.targets import scaler_for, target_for, tracking
from flagger_controller.targets.base import TargetSettings
from flagger_controller.targets.revision import is_upstream_hash
from flagger_controller.tick.plan import Write, retreat
from flagger_controller.tick.related import Found, Related
from flagger_controller.tick.world import Parts, World

MOVING: Final = {Phase.PROMOTING, Phase.FINALISING, Phase.TERMINATING}


@dataclass(frozen=True)
class Problem:
    """Why nothing can be done for a Canary; the complete event text."""

    text: str
    writes: tuple[Write, ...] = ()
    """What keeps traffic away from a target that vanished during a run."""


@dataclass(frozen=True)
class Settings:
    """What observing needs of the process's flags."""

    provider: str
    """Default provider, for Canaries that name none."""
    targets: TargetSettings
    routers: RouterSettings
    no_cross_namespace_refs: bool = False
    interval_floor: float = INTERVAL_FLOOR


class Observer:
    """Builds the `World` of a canary."""

    def __init__(
        self,
        cache: Cache,
        settings: Settings,
        clock: Clock,
        has_template: Callable[[str, str], bool] = lambda namespace, name: True,
    ) -> None:
        self._cache = cache
        self._related = Related(cache, settings.targets)
        self._has_template = has_template
        self._settings = settings
        self._clock = clock

    async def observe(self, canary: Canary, *, due: bool) -> World | Problem:
        """What is there now.

        Raises:
            Retriable: the cache cannot answer yet, or config data could not be read.
        """
        try:
            parts = self._parts(canary)
            objects = await self._objects(canary, parts)
            target = parts.target_ref(canary)
            if target not in objects:
                self._cache.watch(named_refs(canary, parts), canary.key)
                writes = retreat(canary, parts, objects, self._clock())
                return Problem(_not_found(canary, target), writes)
            return await self._world(canary, parts, objects, due=due)
        except ConfigError as error:
            return Problem(str(error))

    async def unchanged(self, world: World) -> bool:
        """Is the target still of the revision that was looked at? Asks the API.

        A watch can be late without knowing it, and what is promoted is not to be replaced by what
        its owner has pushed long ago.

        Raises:
            Retriable: the API cannot be asked, or the cache stays behind it.
        """
        await self._cache.refresh([world.target_ref])
        again = await self.observe(world.canary, due=world.due)
        return not isinstance(again, Problem) and again.revision == world.revision

    def _parts(self, canary: Canary) -> Parts:
        provider = canary.spec.provider or self._settings.provider
        wrong = validation.problems(
            canary, provider, no_cross_namespace_refs=self._settings.no_cross_namespace_refs
        )
        if wrong and canary.status.phase is not Phase.TERMINATING:  # a revert is never held back
            raise ConfigError("; ".join(wrong))
        router = router_for(provider, self._settings.routers)
        if not _under_way(canary):
            base.refuse_cookies(canary, provider, router.capabilities)
            base.refuse_mirror(canary, provider, router.capabilities)
        return Parts(
            target=target_for(canary, self._settings.targets),
            router=router,
            scaler=scaler_for(canary),
            provider=provider,
        )

    def warning(self, canary: Canary) -> str:
        """What is odd about a Canary that can be served; the text of one event."""
        provider = canary.spec.provider or self._settings.provider
        found = validation.warnings(canary, provider, floor=self._settings.interval_floor)
        found += self._cache.refusals(canary.key)
        for namespace, name in template_places(canary):
            if not self._has_template(namespace, name):
                found.append(
                    f"spec.analysis.metrics: MetricTemplate {name}.{namespace} does not exist: "
                    "create it, or correct templateRef"
                )
        return "; ".join(found)

    async def _objects(self, canary: Canary, parts: Parts) -> dict[Ref, Object]:
        """The objects whose names follow from the Canary alone."""
        refs = named_refs(canary, parts)
        self._cache.watch_too(refs, canary.key)
        await self._cache.synced(refs)
        await self._cache.caught_up(refs)
        await self._cache.confirm(_needed(canary, parts))
        found = {ref: self._cache.get(ref) for ref in refs}
        return {ref: body for ref, body in found.items() if body is not None}

    async def _world(
        self, canary: Canary, parts: Parts, objects: dict[Ref, Object], *, due: bool
    ) -> World:
        target = objects[parts.target_ref(canary)]
        _check_scaler(canary, parts, objects)
        if canary.status.phase is not Phase.TERMINATING:
            primary = objects.get(parts.primary_ref(canary))
            parts.target.check(canary, target, primary)
        found = await self._related.read(canary, parts, target, named_refs(canary, parts))
        world = World(
            canary=canary,
            parts=parts,
            live={**objects, **found.live},
            traits=parts.target.traits(canary, target),
            revision=Revision(parts.target.revision(target), _checksums(canary, parts, found)),
            configs=found.configs,
            target_health=Health(ready=False),
            primary_health=Health(ready=False),
            promoted=False,
            due=due,
            missing=tracking.explained(found.missing, canary.namespace),
            config_copies=found.copies,
        )
        world = judged(world, self._clock)
        if world.missing and _needs_configs(world):
            raise ConfigError(world.missing)
        return world


def template_places(canary: Canary) -> list[tuple[str, str]]:
    """Namespace and name of the MetricTemplates that a Canary refers to."""
    references = [metric.template_ref for metric in canary.analysis.metrics]
    return [(ref.namespace or canary.namespace, ref.name) for ref in references if ref]


def named_refs(canary: Canary, parts: Parts) -> set[Ref]:
    """Every object whose name follows from the Canary."""
    namespace = canary.namespace
    refs = {parts.primary_ref(canary), *parts.router.refs(canary), *_needed(canary, parts)}
    if parts.target.twin:
        refs.update(service_refs(canary))
    reference = canary.spec.autoscaler_ref
    if reference is not None and parts.scaler is not None:
        refs.add(Ref(parts.scaler.resource, f"{reference.name}-primary", namespace))
    return refs


def _needed(canary: Canary, parts: Parts) -> list[Ref]:
    """What its owner made, and a Canary cannot be served without."""
    refs = [parts.target_ref(canary)]
    reference = canary.spec.autoscaler_ref
    if reference is not None and parts.scaler is not None:
        refs.append(Ref(parts.scaler.resource, reference.name, canary.namespace))
    if canary.status.phase in STARTING:
        # What is applied together with the Canary may be known a moment later.
        refs += parts.router.referenced(canary)
    return refs


def lost(world: World) -> str:
    """Which original is gone during a run; the text of one event.

    A release does not begin without it, but has to come to an end: a rollback above all.
    """
    canary = world.canary
    if canary.status.phase not in ACTIVE:
        return ""
    originals = world.parts.router.referenced(canary)
    gone = [ref for ref in originals if ref not in world.live]
    return "; ".join(
        f"{ref} does not exist any more: create it again, the run goes on without it"
        for ref in gone
    )


def judged(world: World, clock: Clock) -> World:
    """The world with everything that is derived from its objects, after any of them changed."""
    primary = world.live.get(world.primary_ref)
    now = clock()
    return replace(
        world,
        target_health=_health(world, now, primary=False),
        primary_health=_health(world, now, primary=True),
        promoted=primary is not None and _promoted(world, primary),
    )


def _health(world: World, now: datetime, *, primary: bool) -> Health:
    """Readiness of target or primary; nobody makes a primary anew that is no object of its own."""
    canary, kind = world.canary, world.parts.target
    ref = kind.workload(canary, world.live[world.target_ref], primary=primary)
    if (body := world.live.get(ref)) is not None:
        return kind.health(canary, body, primary=primary, now=now)
    reason = f"{ref.name}.{ref.namespace} not ready: it does not exist"
    return Health(False, kind.twin or not primary, reason, available=False)


def _promoted(world: World, primary: Object) -> bool:
    """Does the primary carry the revision that the status is about?

    While the live target is that revision, the target kind compares; also before the first release,
    and between runs, when only upstream knows which revision it is. When the target has moved on, a
    mark on the primary still tells. Of a promotion by upstream the phase tells, whatever the target
    is by now.
    """
    canary, kind = world.canary, world.parts.target
    if canary.status.promoted_by_upstream:
        return True
    phase, recorded = canary.status.phase, canary.status.last_applied_spec
    unknown = phase in STARTING or (phase in SETTLED and is_upstream_hash(recorded))
    if not world.missing and (unknown or world.revision.spec == recorded):
        return kind.promoted(canary, world.live[world.target_ref], world.configs, primary)
    return kind.carries(canary, primary)


def _checksums(canary: Canary, parts: Parts, found: Found) -> Mapping[str, str] | None:
    """Of the configs; one that went keeps its own, as its end alone is no new revision."""
    if not parts.target.tracks_configs:
        return None
    stored, gone = canary.status.tracked_configs or {}, map(tracking.key, found.missing)
    return {key: stored[key] for key in gone if key in stored} | tracking.checksums(found.configs)


def _needs_configs(world: World) -> bool:
    """A release and a promotion cannot do without them; the rest of a run and a revert can."""
    canary, status = world.canary, world.canary.status
    if status.phase is Phase.TERMINATING:
        return False
    if status.phase not in ACTIVE:
        return not world.promoted or world.revision.spec != status.last_applied_spec
    skips = canary.skip_analysis and status.run.obligation is Obligation.NONE
    return (status.replacing or skips) and not world.promoted


def _check_scaler(canary: Canary, parts: Parts, objects: Mapping[Ref, Object]) -> None:
    """A missing autoscaler holds back a first or new release, never a run under way (T7)."""
    reference = canary.spec.autoscaler_ref
    if reference is None or parts.scaler is None or canary.status.phase in ACTIVE:
        return
    ref = Ref(parts.scaler.resource, reference.name, canary.namespace)
    if ref not in objects and canary.status.phase is not Phase.TERMINATING:
        label = "Keda ScaledObject" if reference.kind == "ScaledObject" else reference.kind
        raise ConfigError(_query_error(label, ref, "spec.autoscalerRef"))


def _under_way(canary: Canary) -> bool:
    """Traffic has moved, or moves back.

    From there on what a provider ignores does less harm than a release that stands still; upstream
    may have begun it.
    """
    status = canary.status
    return (
        status.phase in MOVING
        or status.canary_weight > 0
        or status.run.obligation is not Obligation.NONE
    )


def _not_found(canary: Canary, ref: Ref) -> str:
    label = "Knative Service" if canary.on_knative else canary.spec.target_ref.kind.lower()
    return _query_error(label, ref, "spec.targetRef")


def _query_error(label: str, ref: Ref, field: str) -> str:
    """Upstream's text, and what to do."""
    return (
        f"{label} {ref.name}.{ref.namespace} get query error: "
        f'{ref.resource.qualified} "{ref.name}" not found; '
        f"create it, or correct {field}"
    )
