"""What the observer makes of a cluster, and what keeps it from seeing one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Obligation, Phase, Run
from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import Cache, Change, NotSynced
from flagger_controller.cluster.client import Ref
from flagger_controller.cluster.expectations import CacheStale
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.routing.base import RouterSettings
from flagger_controller.targets import revision
from flagger_controller.targets.base import TargetSettings
from flagger_controller.targets.primary import identity
from flagger_controller.tick.observe import Observer, Problem, Settings, mirrors
from flagger_controller.tick.world import World

from .scene import (
    APEX,
    NAME,
    NAMESPACE,
    PRIMARY,
    ROUTE,
    SETTINGS,
    TARGET,
    Scene,
    config_map,
    manifest,
    now,
    template,
    workload,
)

pytestmark = pytest.mark.looptime

HPA = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": NAME}
KEDA = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": NAME}
COPY = Ref(resources.CONFIG_MAPS, "settings-primary", NAMESPACE)
DAEMON = Ref(resources.DAEMON_SETS, NAME, NAMESPACE)
STATEFUL = Ref(resources.STATEFUL_SETS, NAME, NAMESPACE)
STATEFUL_REF = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": NAME}
PROVIDER = Settings("traefik", TargetSettings(), RouterSettings())


def canary(phase: Phase = Phase.INITIALIZED, **spec: Any) -> Canary:
    found = Canary.from_api(manifest(**spec))
    return found.model_copy(update={"status": CanaryStatus(phase=phase)})


@dataclass
class Bench:
    """A fake cluster with the target in it, and what the cache reported."""

    api: FakeApi
    cache: Cache
    changes: list[str]

    async def see(
        self, found: Canary, settings: Settings = PROVIDER, *, due: bool = True
    ) -> World | Problem:
        return await Observer(self.cache, settings, now).observe(found, due=due)

    async def world(self, found: Canary, settings: Settings = PROVIDER) -> World:
        seen = await self.see(found, settings)
        assert isinstance(seen, World), seen
        return seen

    async def problem(self, found: Canary, settings: Settings = PROVIDER) -> str:
        seen = await self.see(found, settings)
        assert isinstance(seen, Problem), seen
        return seen.text

    async def changed(self) -> list[str]:
        """What was reported by now since the last call."""
        await asyncio.sleep(1)
        found = sorted(self.changes)
        self.changes.clear()
        return found

    def uses_settings(self, **reference: Any) -> None:
        """Make the target read the ConfigMap `settings`."""
        body = workload(configs=True)
        source = body["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]
        source["configMapRef"].update(reference)
        self.api.put(TARGET, body)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    api, changes = FakeApi(now=now), list[str]()

    def changed(key: object, change: Change) -> None:
        changes.append(f"{key}: {change.ref}")

    cache = Cache(api, on_change=changed)
    api.put(TARGET, workload())
    yield Bench(api, cache, changes)
    await cache.close()


# The world


async def test_what_is_there_and_what_is_not(bench: Bench) -> None:
    bench.api.put(APEX, {"spec": {}})
    world = await bench.world(canary())
    assert set(world.live) == {TARGET, APEX}
    assert world.live[TARGET] == bench.api.object(TARGET)
    assert world.parts.provider == "traefik"
    assert world.due
    assert not world.promoted
    health = world.primary_health
    assert (health.ready, health.retriable, health.available) == (False, True, False)
    assert health.reason == "cart-primary.shop not ready: it does not exist"


async def test_due_is_taken_over(bench: Bench) -> None:
    seen = await bench.see(canary(), due=False)
    assert isinstance(seen, World)
    assert not seen.due


async def test_the_processs_provider_serves_canaries_that_name_none(bench: Bench) -> None:
    settings = Settings("kubernetes", TargetSettings(), RouterSettings())
    assert (await bench.world(canary(provider=""), settings)).parts.provider == "kubernetes"
    assert (await bench.world(canary(), settings)).parts.provider == "traefik"


async def test_the_world_is_never_older_than_our_own_write(bench: Bench) -> None:
    await bench.world(canary())
    bench.api.pause_watches()
    body = bench.api.put(TARGET, {"spec": {**workload()["spec"], "replicas": 7}})
    bench.cache.wrote(TARGET, body["metadata"]["resourceVersion"])
    seeing = asyncio.create_task(bench.see(canary()))
    await asyncio.sleep(1)
    assert not seeing.done()
    bench.api.resume_watches()
    world = await seeing
    assert isinstance(world, World)
    assert world.live[TARGET]["spec"]["replicas"] == 7


async def test_a_cache_that_stays_behind_is_an_error_not_an_old_world(bench: Bench) -> None:
    await bench.world(canary())
    bench.api.pause_watches()
    body = bench.api.put(TARGET, {"spec": {**workload()["spec"], "replicas": 7}})
    bench.cache.wrote(TARGET, body["metadata"]["resourceVersion"])
    with pytest.raises(CacheStale):
        await bench.see(canary())


async def test_an_api_that_cannot_be_read_is_an_error_not_a_missing_target(bench: Bench) -> None:
    bench.api.faults.down = True
    with pytest.raises(NotSynced):
        await bench.see(canary())


async def test_idle_observing_asks_the_api_nothing(bench: Bench) -> None:
    bench.uses_settings()
    bench.api.put(SETTINGS, config_map())
    await bench.world(canary())
    before = dict(bench.api.reads)
    for _ in range(5):
        await bench.world(canary())
    assert bench.api.reads == before


# What is watched


async def test_everything_the_canary_names_is_watched_also_what_is_missing(bench: Bench) -> None:
    await bench.world(canary())
    await bench.changed()
    bench.api.put(PRIMARY, workload())
    for ref in (APEX, ROUTE, Ref(resources.SERVICES, "other", NAMESPACE)):
        bench.api.put(ref, {"spec": {}})
    assert await bench.changed() == [
        "cart.shop: Deployment cart-primary.shop",
        "cart.shop: Service cart.shop",
        "cart.shop: TraefikService cart.shop",
    ]


async def test_the_configs_of_the_target_and_their_copies_are_watched_too(bench: Bench) -> None:
    bench.uses_settings(optional=True)
    await bench.world(canary())
    await bench.changed()
    bench.api.put(SETTINGS, config_map())
    bench.api.put(COPY, {"data": {}})
    bench.api.put(APEX, {"spec": {}})
    assert await bench.changed() == [
        "cart.shop: ConfigMap settings-primary.shop",
        "cart.shop: ConfigMap settings.shop",
        "cart.shop: Service cart.shop",
    ]


async def test_the_services_that_name_a_statefulsets_pods_are_watched(bench: Bench) -> None:
    bench.api.put(STATEFUL, workload("StatefulSet"))
    await bench.world(canary(targetRef=STATEFUL_REF))
    await bench.changed()
    for name in ("pods", "pods-primary"):
        bench.api.put(Ref(resources.SERVICES, name, NAMESPACE), {"spec": {}})
    assert await bench.changed() == [
        "cart.shop: Service pods-primary.shop",
        "cart.shop: Service pods.shop",
    ]
    live = (await bench.world(canary(targetRef=STATEFUL_REF))).live
    assert {ref.name for ref in live} == {NAME, "pods", "pods-primary"}


BUDGET = Ref(resources.DISRUPTION_BUDGETS, "budget", NAMESPACE)


async def test_all_disruption_budgets_of_the_namespace_are_seen_and_watched(bench: Bench) -> None:
    bench.api.put(BUDGET, {"spec": {"minAvailable": 1}})
    bench.api.put(replace(BUDGET, namespace="attic"), {"spec": {}})
    await bench.world(canary())
    assert "cart.shop: PodDisruptionBudget budget.shop" in await bench.changed()
    assert BUDGET in (await bench.world(canary())).live
    await bench.changed()
    bench.api.put(BUDGET, {"spec": {"minAvailable": 1}, "status": {"disruptionsAllowed": 1}})
    assert await bench.changed() == []
    bench.api.put(BUDGET, {"spec": {"minAvailable": 2}})
    bench.api.put(replace(BUDGET, name="another"), {"spec": {}})
    assert await bench.changed() == [
        "cart.shop: PodDisruptionBudget another.shop",
        "cart.shop: PodDisruptionBudget budget.shop",
    ]
    live = (await bench.world(canary())).live
    assert [ref.namespace for ref in live if ref.peers == BUDGET.peers] == [NAMESPACE] * 2


async def test_no_right_to_disruption_budgets_holds_back_nothing(bench: Bench) -> None:
    bench.api.put(BUDGET, {"spec": {}})
    bench.api.faults.forbidden.add(BUDGET.resource)
    await bench.world(canary())
    await bench.changed()
    assert BUDGET not in (await bench.world(canary())).live
    rule = 'apiGroups: ["policy"], resources: ["poddisruptionbudgets"], verbs: ["list"]'
    assert Observer(bench.cache, PROVIDER, now).warning(canary()).endswith(rule)
    bench.api.faults.forbidden.clear()
    await asyncio.sleep(60)
    assert await bench.changed() == ["cart.shop: PodDisruptionBudget budget.shop"]
    assert BUDGET in (await bench.world(canary())).live
    assert Observer(bench.cache, PROVIDER, now).warning(canary()) == ""


async def test_a_service_target_has_no_disruption_budget(bench: Bench) -> None:
    bench.api.put(APEX, workload("Service"))
    bench.api.put(BUDGET, {"spec": {}})
    await bench.world(canary(targetRef={"apiVersion": "v1", "kind": "Service", "name": NAME}))
    await bench.changed()
    assert bench.api.reads["list", BUDGET.resource] == 0


async def test_a_config_that_keeps_the_canary_from_being_served_is_watched(bench: Bench) -> None:
    bench.uses_settings()
    await bench.problem(canary())
    await bench.changed()
    bench.api.put(SETTINGS, config_map())
    assert await bench.changed() == ["cart.shop: ConfigMap settings.shop"]


async def test_a_missing_target_is_watched(bench: Bench) -> None:
    bench.api.remove(TARGET)
    await bench.problem(canary())
    await bench.changed()
    bench.api.put(TARGET, workload())
    assert await bench.changed() == ["cart.shop: Deployment cart.shop"]


async def test_a_config_that_is_not_used_any_more_is_not_reported(bench: Bench) -> None:
    bench.uses_settings(optional=True)
    await bench.world(canary())
    bench.api.put(TARGET, workload())
    await bench.changed()
    await bench.world(canary())
    bench.api.put(SETTINGS, config_map())
    assert await bench.changed() == []


# Problems


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "lost"},
            'deployment lost.shop get query error: deployments.apps "lost" not found',
        ),
        (
            {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "lost"},
            'daemonset lost.shop get query error: daemonsets.apps "lost" not found',
        ),
        (
            {"apiVersion": "v1", "kind": "Service", "name": "lost"},
            'service lost.shop get query error: services "lost" not found',
        ),
        (
            {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "lost"},
            "Knative Service lost.shop get query error: "
            'services.serving.knative.dev "lost" not found',
        ),
    ],
)
async def test_a_missing_target(bench: Bench, reference: dict[str, str], text: str) -> None:
    provider = "knative" if "knative" in reference["apiVersion"] else "traefik"
    found = await bench.problem(canary(targetRef=reference, provider=provider))
    assert found == f"{text}; create it, or correct spec.targetRef"


@pytest.mark.parametrize("late", [TARGET, Ref(resources.AUTOSCALERS, NAME, NAMESPACE), SETTINGS])
async def test_what_a_watch_has_not_delivered_yet_is_not_missing(bench: Bench, late: Ref) -> None:
    """As when everything is applied at once: watches of different kinds are not in order."""
    scaler = Ref(resources.AUTOSCALERS, NAME, NAMESPACE)
    bench.uses_settings()
    for ref, body in {scaler: {"spec": {}}, SETTINGS: config_map()}.items():
        bench.api.put(ref, body)
    body = bench.api.object(late) or {}
    body["metadata"].pop("resourceVersion")
    bench.api.remove(late)
    await bench.problem(canary(autoscalerRef=HPA))
    bench.api.pause_watches()
    bench.api.put(late, body)
    seeing = asyncio.create_task(bench.see(canary(autoscalerRef=HPA)))
    await asyncio.sleep(1)
    assert not seeing.done()
    bench.api.resume_watches()
    assert isinstance(await seeing, World)


SETTLED = [Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED]
ACTIVE = [Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.FINALISING]


@pytest.mark.parametrize("phase", [Phase.NEW, Phase.INITIALIZING, Phase.WAITING, *SETTLED])
async def test_a_missing_autoscaler_holds_back_a_release(bench: Bench, phase: Phase) -> None:
    text = await bench.problem(canary(phase, autoscalerRef=HPA))
    assert text.startswith(
        "HorizontalPodAutoscaler cart.shop get query error: "
        'horizontalpodautoscalers.autoscaling "cart" not found'
    )
    text = await bench.problem(canary(phase, autoscalerRef=KEDA))
    assert text.startswith(
        'Keda ScaledObject cart.shop get query error: scaledobjects.keda.sh "cart" not found'
    )


@pytest.mark.parametrize("phase", [*ACTIVE, Phase.TERMINATING])
@pytest.mark.parametrize("reference", [HPA, KEDA])
async def test_a_missing_autoscaler_does_not_stop_a_run_or_a_revert(
    bench: Bench, phase: Phase, reference: dict[str, str]
) -> None:
    world = await bench.world(canary(phase, autoscalerRef=reference))
    assert world.scaler_ref not in world.live


async def test_an_autoscaler_that_is_there(bench: Bench) -> None:
    ref = Ref(resources.AUTOSCALERS, NAME, NAMESPACE)
    bench.api.put(ref, {"spec": {"minReplicas": 2}})
    world = await bench.world(canary(autoscalerRef=HPA))
    assert world.scaler_ref == ref
    assert ref in world.live


async def test_a_missing_config_that_pods_need(bench: Bench) -> None:
    bench.uses_settings()
    text = 'configmap settings.shop get query error: configmaps "settings" not found'
    assert (await bench.problem(canary())).startswith(text)
    secret = {"secretRef": {"name": "token"}}
    body = workload()
    body["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [secret]
    bench.api.put(TARGET, body)
    await bench.changed()
    text = 'secret token.shop get query error: secrets "token" not found'
    assert (await bench.problem(canary())).startswith(text)


STORED = {"configmap/settings": "1"}
"""Checksums of a release that began while the config was there."""


def releasing(phase: Phase, run: Run | None = None, **spec: Any) -> Canary:
    """A Canary whose status is about the target that reads `settings`."""
    applied = revision.digest(workload(configs=True)["spec"]["template"])
    status = CanaryStatus(
        phase=phase, run=run or Run(), last_applied_spec=applied, tracked_configs=STORED
    )
    return canary(**spec).model_copy(update={"status": status})


def carrying(found: Canary) -> Object:
    """The primary that this release has given its revision to."""
    wanted = identity(found, found.status.last_applied_spec, STORED)
    body = workload()
    body["spec"]["template"]["metadata"]["annotations"] = {"flagger-id": wanted}
    return body


@pytest.mark.parametrize(
    ("phase", "run", "spec"),
    [
        (Phase.PROGRESSING, Run(), {}),
        (Phase.WAITING_PROMOTION, Run(), {}),
        (Phase.PROGRESSING, Run(obligation=Obligation.ROLLBACK), {"skipAnalysis": True}),
        (Phase.PROMOTING, Run(obligation=Obligation.ROLLBACK), {}),
        (Phase.PROMOTING, Run(obligation=Obligation.KEEP_CANARY), {}),
        (Phase.FINALISING, Run(), {}),
        (Phase.TERMINATING, Run(), {}),
    ],
)
async def test_a_missing_config_does_not_stop_what_needs_none(
    bench: Bench, phase: Phase, run: Run, spec: dict[str, Any]
) -> None:
    """Nor is its end a new revision."""
    bench.uses_settings()
    world = await bench.world(releasing(phase, run, **spec))
    assert (
        world.missing == 'configmap settings.shop get query error: configmaps "settings" not found'
    )
    assert world.revision.configs == STORED


@pytest.mark.parametrize(
    ("phase", "run", "spec"),
    [
        (Phase.INITIALIZED, Run(), {}),
        (Phase.WAITING, Run(), {}),
        (Phase.PROMOTING, Run(), {}),
        (Phase.PROGRESSING, Run(), {"skipAnalysis": True}),
        (Phase.PROGRESSING, Run(obligation=Obligation.SKIP), {}),
    ],
)
async def test_a_missing_config_holds_back_releases_and_promotions(
    bench: Bench, phase: Phase, run: Run, spec: dict[str, Any]
) -> None:
    bench.uses_settings()
    found = releasing(phase, run, **spec)
    assert await bench.problem(found)
    bench.api.put(PRIMARY, carrying(found))
    await bench.changed()
    assert (await bench.world(found)).promoted


async def test_a_new_revision_without_its_config_is_held_back(bench: Bench) -> None:
    bench.uses_settings()
    found = releasing(Phase.SUCCEEDED)
    bench.api.put(PRIMARY, carrying(found))
    body = workload(configs=True)
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "cart:2"
    bench.api.put(TARGET, body)
    assert await bench.problem(found)


async def test_a_missing_config_that_pods_can_do_without(bench: Bench) -> None:
    bench.uses_settings(optional=True)
    world = await bench.world(canary())
    assert dict(world.configs) == {}
    assert dict(world.revision.configs or {}) == {}
    assert dict(world.config_copies) == {}


async def test_configs_and_their_copies(bench: Bench) -> None:
    bench.uses_settings()
    bench.api.put(SETTINGS, config_map("1"))
    world = await bench.world(canary())
    first = dict(world.revision.configs or {})
    assert list(first) == ["configmap/settings"]
    assert world.config_copies[COPY]["data"] == {"v": "1"}
    assert COPY not in world.live
    bench.api.put(COPY, {"data": {"v": "0"}})
    bench.api.put(SETTINGS, config_map("2"))
    await asyncio.sleep(1)
    world = await bench.world(canary())
    assert dict(world.revision.configs or {}) != first
    assert world.live[COPY]["data"] == {"v": "0"}
    assert world.config_copies[COPY]["data"] == {"v": "2"}


async def test_configs_are_not_looked_at_when_tracking_is_off(bench: Bench) -> None:
    bench.uses_settings()
    off = Settings("traefik", TargetSettings(config_tracking=False), RouterSettings())
    world = await bench.world(canary(), off)
    assert world.revision.configs is None


async def test_an_unknown_provider(bench: Bench) -> None:
    text = await bench.problem(canary(provider="linkerd2"))
    assert text.startswith('unknown provider "linkerd2": use one of gatewayapi, ')


async def test_unknown_kinds(bench: Bench) -> None:
    text = await bench.problem(canary(targetRef={"apiVersion": "v1", "kind": "Pod", "name": "x"}))
    assert text.startswith('spec.targetRef.kind "Pod" is not supported')
    scaler = {"apiVersion": "v1", "kind": "Scaler", "name": "x"}
    text = await bench.problem(canary(autoscalerRef=scaler))
    assert text.startswith('spec.autoscalerRef.kind "Scaler" is not supported')


async def test_a_target_without_a_usable_label(bench: Bench) -> None:
    labels = {"component": NAME}
    pods = template()
    pods["metadata"]["labels"] = labels
    bench.api.put(TARGET, {"spec": {"selector": {"matchLabels": labels}, "template": pods}})
    text = await bench.problem(canary())
    assert text.startswith("getSelectorLabel failed: deployment cart.shop ")


@pytest.mark.parametrize("strategy", ["OnDelete", "RollingUpdate"])
@pytest.mark.parametrize("ref", [DAEMON, STATEFUL])
async def test_a_target_that_cannot_be_served_can_be_reverted(
    bench: Bench, ref: Ref, strategy: str
) -> None:
    kind = ref.resource.kind
    body = workload(kind)
    bench.api.put(ref, {**body, "spec": {**body["spec"], "updateStrategy": {"type": strategy}}})
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": NAME}
    await bench.world(canary(Phase.TERMINATING, targetRef=reference))
    if strategy == "OnDelete":
        text = await bench.problem(canary(targetRef=reference))
        assert "must have RollingUpdate strategy but have OnDelete" in text
    else:
        await bench.world(canary(targetRef=reference))


async def test_a_target_that_differs_from_its_primary_is_told_before_a_release(
    bench: Bench,
) -> None:
    bench.api.put(STATEFUL, workload("StatefulSet"))
    world = await bench.world(canary(targetRef=STATEFUL_REF))
    primary = world.parts.target.primary(world.canary, world.live[STATEFUL], {}, None)
    bench.api.put(replace(STATEFUL, name=f"{NAME}-primary"), primary)
    await bench.changed()
    await bench.world(canary(targetRef=STATEFUL_REF))
    body = workload("StatefulSet")
    claims = [{"metadata": {"name": "data"}}]
    bench.api.put(STATEFUL, {**body, "spec": {**body["spec"], "volumeClaimTemplates": claims}})
    await bench.changed()
    text = await bench.problem(canary(targetRef=STATEFUL_REF))
    assert text.startswith("statefulset cart.shop spec.volumeClaimTemplates cannot be changed ")


async def test_what_validation_finds_is_told_all_at_once(bench: Bench) -> None:
    text = await bench.problem(canary(service=None, analysis={"interval": "1m"}))
    service, steps = text.split("; ")
    assert service == "spec.service is missing: set at least spec.service.port"
    assert steps.startswith("spec.analysis has no steps: ")


async def test_a_canary_that_became_invalid_can_be_reverted(bench: Bench) -> None:
    wrong: dict[str, Any] = {"analysis": {"interval": "1m"}}
    assert await bench.problem(canary(**wrong))
    await bench.world(canary(Phase.TERMINATING, **wrong))


async def test_references_to_other_namespaces_where_they_are_forbidden(bench: Bench) -> None:
    reference = {"name": "errors", "namespace": "other"}
    metrics = [{"name": "errors", "templateRef": reference}]
    found = canary(analysis={"stepWeight": 10, "metrics": metrics})
    strict = Settings("traefik", TargetSettings(), RouterSettings(), no_cross_namespace_refs=True)
    assert await bench.problem(found, strict) == (
        "can't access metric template errors.other, cross-namespace references are blocked"
    )
    await bench.world(found)


# Warnings


def warning(found: Canary, *, templates: set[tuple[str, str]] | None = None) -> str:
    known = templates or set()
    observer = Observer(
        Cache(FakeApi()), PROVIDER, now, lambda namespace, name: (namespace, name) in known
    )
    return observer.warning(found)


def analysis(**fields: Any) -> Mapping[str, Any]:
    return {"interval": "10s", "stepWeight": 10, "maxWeight": 50, "threshold": 1, **fields}


def test_nothing_is_odd_about_an_ordinary_canary() -> None:
    assert warning(canary(analysis=analysis())) == ""


def test_an_interval_that_is_none() -> None:
    assert warning(canary(analysis=analysis(interval="often"))) == (
        'spec.analysis.interval "often" is not a duration, as 30s or 1m30s are: 60s is used'
    )


def test_an_interval_below_the_floor_of_the_process() -> None:
    assert warning(canary(analysis=analysis(interval="1s"))) == (
        'spec.analysis.interval "1s" is too short: 10s is used'
    )
    low = Settings("traefik", TargetSettings(), RouterSettings(), interval_floor=0.5)
    observer = Observer(Cache(FakeApi()), low, now)
    assert observer.warning(canary(analysis=analysis(interval="1s"))) == ""


METRICS = [
    {"name": "here", "templateRef": {"name": "a"}, "thresholdRange": {"max": 1}},
    {
        "name": "there",
        "templateRef": {"name": "b", "namespace": "other"},
        "thresholdRange": {"max": 1},
    },
    {"name": "inline", "query": "q", "thresholdRange": {"max": 1}},
]


def test_templates_that_do_not_exist() -> None:
    found = canary(analysis=analysis(metrics=METRICS))
    assert warning(found) == (
        "spec.analysis.metrics: MetricTemplate a.shop does not exist: "
        "create it, or correct templateRef; "
        "spec.analysis.metrics: MetricTemplate b.other does not exist: "
        "create it, or correct templateRef"
    )
    assert warning(found, templates={("shop", "a"), ("other", "b")}) == ""


def test_warnings_come_together() -> None:
    found = canary(analysis=analysis(interval="x", metrics=METRICS[:1]))
    first, second = warning(found).split("; ")
    assert first.startswith('spec.analysis.interval "x"')
    assert second.startswith("spec.analysis.metrics: MetricTemplate a.shop")


# What follows from a world


@pytest.mark.parametrize(
    ("provider", "fields", "expected"),
    [
        ("istio", {}, True),
        ("istio", {"iterations": 2}, True),
        ("traefik", {}, False),
        ("traefik", {"iterations": 2}, False),
        ("kubernetes", {}, False),
        ("kubernetes", {"iterations": 2}, False),
    ],
)
def test_who_can_mirror(provider: str, fields: dict[str, Any], expected: bool) -> None:
    spec: dict[str, Any] = {"provider": provider, "analysis": analysis(**fields)}
    assert mirrors(Scene.of(**spec).world()) is expected
