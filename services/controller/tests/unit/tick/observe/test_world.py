"""What the observer makes of a cluster, and what it watches."""

import asyncio
from dataclasses import replace

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import NotSynced
from flagger_controller.cluster.client import Ref
from flagger_controller.cluster.expectations import CacheStale
from flagger_controller.routing.base import RouterSettings
from flagger_controller.targets.base import TargetSettings
from flagger_controller.tick.observe import Observer, Settings
from flagger_controller.tick.world import World

from ..scene import (
    APEX,
    NAME,
    NAMESPACE,
    PRIMARY,
    ROUTE,
    SETTINGS,
    TARGET,
    config_map,
    now,
    workload,
)
from .bench import COPY, PROVIDER, STATEFUL, STATEFUL_REF, Bench, canary

pytestmark = pytest.mark.looptime

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
