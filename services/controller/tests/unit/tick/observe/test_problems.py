"""What keeps the observer from seeing a world, and in which phases."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Obligation, Phase, Run
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.routing import ROUTERS, router_for
from flagger_controller.routing.base import RouterSettings
from flagger_controller.targets import revision
from flagger_controller.targets.base import TargetSettings
from flagger_controller.targets.primary import identity
from flagger_controller.tick.observe import Settings
from flagger_controller.tick.world import World

from ..scene import NAME, NAMESPACE, PRIMARY, SETTINGS, TARGET, config_map, template, workload
from .bench import COPY, DAEMON, HPA, KEDA, STATEFUL, STATEFUL_REF, Bench, canary

pytestmark = pytest.mark.looptime


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


async def test_what_a_canary_refers_to_may_be_known_a_moment_later(bench: Bench) -> None:
    ref = Ref(resources.INGRESSES, "edge", NAMESPACE)
    reference = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": ref.name}
    found = canary(Phase.NEW, provider="nginx", ingressRef=reference)
    await bench.world(found)
    bench.api.pause_watches()
    bench.api.put(ref, {"spec": {}})
    seeing = asyncio.create_task(bench.see(found))
    await asyncio.sleep(1)
    assert not seeing.done()
    bench.api.resume_watches()
    world = await seeing
    assert isinstance(world, World)
    assert ref in world.live


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
    assert text.startswith('unknown provider "linkerd2": use one of apisix, appmesh, ')


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


@pytest.mark.parametrize("steps", [{"stepWeight": 10}, {"iterations": 5}])
@pytest.mark.parametrize("provider", ROUTERS)
async def test_a_mirror_needs_a_provider_that_mirrors(
    bench: Bench, provider: str, steps: dict[str, int]
) -> None:
    spec: dict[str, Any] = {"analysis": {"interval": "1m", "mirror": True, **steps}}
    if provider == "knative":
        kind = {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}
        spec["targetRef"] = {**kind, "name": NAME}
    found = canary(provider=provider, **spec)
    can = router_for(provider, RouterSettings()).capabilities.of({})
    if can.mirror or provider == "kubernetes":
        await bench.world(found)
        return
    assert (await bench.problem(found)).startswith(
        f"spec.analysis.mirror cannot be served by provider {provider}"
    )


@pytest.mark.parametrize(
    "status",
    [
        CanaryStatus(phase=Phase.PROGRESSING, canary_weight=10),
        CanaryStatus(phase=Phase.PROGRESSING, run=Run(obligation=Obligation.ROLLBACK)),
        CanaryStatus(phase=Phase.PROMOTING),
        CanaryStatus(phase=Phase.FINALISING),
        CanaryStatus(phase=Phase.TERMINATING),
    ],
)
@pytest.mark.parametrize("wish", [{"mirror": True}, {"sessionAffinity": {"cookieName": "ck"}}])
async def test_what_a_provider_ignores_holds_up_no_traffic_that_moved(
    bench: Bench, status: CanaryStatus, wish: dict[str, Any]
) -> None:
    analysis = {"interval": "1m", "stepWeight": 10, **wish}
    found = canary(Phase.PROGRESSING, provider="kuma", analysis=analysis)
    assert "cannot be served by provider kuma" in await bench.problem(found)
    await bench.world(found.model_copy(update={"status": status}))


async def test_cookies_need_a_provider_that_sets_them(bench: Bench) -> None:
    analysis = {"interval": "1m", "stepWeight": 10, "sessionAffinity": {"cookieName": "ck"}}
    text = await bench.problem(canary(provider="kuma", analysis=analysis))
    assert text.startswith("spec.analysis.sessionAffinity cannot be served by provider kuma: ")
