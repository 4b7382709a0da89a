"""Plan, write, plan again: until nothing is left, or until something is in the way."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

import pytest

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Phase, Route, Run
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import Cache
from flagger_controller.cluster.client import ApiConflict, ApiError, Ref
from flagger_controller.cluster.fake import FakeApi, Write
from flagger_controller.cluster.writer import Writer
from flagger_controller.errors import ConfigError, Retriable
from flagger_controller.routing.base import Capabilities, Objects
from flagger_controller.tick.converge import ROUNDS, Converger
from flagger_controller.tick.world import World

from .scene import NAMESPACE, PRIMARY, ROUTE, TARGET, Scene, now, split


@dataclass
class Bench:
    """A scene whose objects live in the fake API, and a converger."""

    scene: Scene
    api: FakeApi
    converger: Converger

    def kinds(self) -> list[str]:
        return [f"{write.verb} {write.ref}" for write in self.api.writes]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    api = FakeApi(now=now)
    scene = Scene.of()
    api.memory = scene.memory
    cache = Cache(api)
    yield Bench(scene, api, Converger(Writer(api, cache), now))
    await cache.close()


async def test_everything_that_is_possible_now_is_written(bench: Bench) -> None:
    bench.scene.become(Phase.INITIALIZING)
    world, planned = await bench.converger.converge(bench.scene.world())
    assert planned.waiting == "the primary is not ready"
    assert not planned.writes
    assert bench.kinds() == [
        "create Service cart-canary.shop",
        "create Service cart-primary.shop",
        "create Deployment cart-primary.shop",
    ]
    assert world.live[PRIMARY] == bench.scene.get(PRIMARY), "what the server answered"
    assert "observed deployment generation" in world.primary_health.reason, "judged anew"
    assert not world.rerouted


async def test_a_settled_cluster_is_not_written(bench: Bench) -> None:
    bench.scene.release()
    seen = bench.scene.world()
    world, planned = await bench.converger.converge(seen)
    assert world is seen
    assert planned.settled
    assert bench.api.writes == []


async def test_plans_follow_each_other_in_one_converge(bench: Bench) -> None:
    bench.scene.release().become(Phase.PROGRESSING, Run(route=split(50)))
    bench.scene.settle()
    bench.scene.become(Phase.FINALISING, Run(route=Route()))
    world, planned = await bench.converger.converge(bench.scene.world())
    assert planned.settled
    assert bench.kinds() == ["update TraefikService cart.shop", "patch Deployment cart.shop"]
    assert world.rerouted
    assert world.live[TARGET]["spec"]["replicas"] == 0


async def test_only_routes_make_a_world_rerouted(bench: Bench) -> None:
    bench.scene.release().become(Phase.PROGRESSING)
    world, _ = await bench.converger.converge(bench.scene.world())
    assert bench.kinds() == ["patch Deployment cart.shop"]
    assert not world.rerouted


async def test_writes_are_logged_with_their_canary(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    bench.scene.release().become(Phase.PROGRESSING, Run(route=split(50)))
    bench.scene.memory.delete(ROUTE)
    await bench.converger.converge(bench.scene.world())
    assert caplog.messages == ["TraefikService cart.shop created", "Deployment cart.shop updated"]
    assert {getattr(record, "canary", "") for record in caplog.records} == {"cart.shop"}


async def test_a_conflict_bubbles_up_and_what_was_written_stays(bench: Bench) -> None:
    bench.scene.release().become(Phase.PROGRESSING)
    bench.scene.memory.delete(ROUTE)
    world = bench.scene.world()
    body = bench.scene.memory.get(TARGET)
    bench.scene.put(TARGET, {**body, "metadata": {**body["metadata"], "labels": {"new": "1"}}})
    with pytest.raises(ApiConflict):
        await bench.converger.converge(world)
    assert [write.applied for write in bench.api.writes] == [True, False]
    await bench.converger.converge(bench.scene.world())
    assert bench.scene.plan().settled


BUDGET = Ref(resources.DISRUPTION_BUDGETS, "b-primary", NAMESPACE)


def orphaned(bench: Bench) -> World:
    """A world with a disruption budget of ours whose original is gone."""
    bench.scene.release()
    owned = {"metadata": {"ownerReferences": [bench.scene.canary.owner_reference]}, "spec": {}}
    bench.scene.put(BUDGET, owned)
    return bench.scene.world()


async def test_what_is_stale_is_deleted(bench: Bench) -> None:
    world, planned = await bench.converger.converge(orphaned(bench))
    assert planned.settled
    assert BUDGET not in world.live
    assert bench.kinds() == ["delete PodDisruptionBudget b-primary.shop"]
    assert bench.scene.get(BUDGET) is None


async def test_what_somebody_else_deleted_is_deleted(bench: Bench) -> None:
    seen = orphaned(bench)
    bench.scene.memory.delete(BUDGET)
    world, planned = await bench.converger.converge(seen)
    assert planned.settled
    assert BUDGET not in world.live


async def test_what_somebody_else_made_anew_is_not_deleted(bench: Bench) -> None:
    world = orphaned(bench)
    bench.scene.memory.delete(BUDGET)
    bench.scene.put(BUDGET, {"spec": {}})
    with pytest.raises(ApiConflict):
        await bench.converger.converge(world)
    assert bench.scene.get(BUDGET) is not None


async def test_a_route_that_somebody_else_created_is_a_conflict_too(bench: Bench) -> None:
    bench.scene.release()
    bench.scene.memory.delete(ROUTE)
    world = bench.scene.world()
    bench.scene.put(ROUTE, {"spec": {}})
    with pytest.raises(ApiConflict):
        await bench.converger.converge(world)


async def test_a_refused_write_bubbles_up_and_nothing_after_it_is_written(bench: Bench) -> None:
    bench.scene.become(Phase.INITIALIZING)

    def refuse(write: Write) -> None:
        if write.ref == PRIMARY:
            raise ApiError(403, "Forbidden", "no more quota")

    bench.api.before_write(refuse)
    with pytest.raises(ApiError, match="no more quota"):
        await bench.converger.converge(bench.scene.world())
    assert len(bench.api.applied()) == 2


@dataclass
class Restless:
    """A router that is never content with what is there."""

    writes: int = 0
    capabilities: Capabilities = field(default_factory=Capabilities)

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        return (ROUTE,)

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        return ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        self.writes += 1
        found = live.get(ROUTE, {"metadata": {}})
        return {ROUTE: {**found, "spec": {"turn": self.writes}}}

    def read(self, canary: Canary, live: Objects) -> Route | None:
        return None

    def settled(self, canary: Canary, live: Objects) -> str:
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        return {}


class Refusing(Restless):
    """A router that cannot serve the canary."""

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        raise ConfigError("spec.analysis.match cannot be served")


def with_router(world: World, router: Restless) -> World:
    return replace(world, parts=replace(world.parts, router=router))


async def test_an_endless_difference_is_given_up(bench: Bench) -> None:
    world = with_router(bench.scene.release().world(), Restless())
    with pytest.raises(Retriable) as caught:
        await bench.converger.converge(world)
    assert str(caught.value) == (
        "cart.shop: the cluster does not keep what is written: TraefikService cart.shop"
    )
    assert len(bench.api.writes) == ROUNDS


class Modern(Restless):
    """A router that asks for a field which the definition of the kind may not have."""

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        found = live.get(ROUTE, {"metadata": {}})
        return {ROUTE: {**found, "spec": {**found.get("spec", {}), "rules": [{"retry": 3}]}}}


class Pruning(Writer):
    """What an API server with an older definition makes of it."""

    async def update(self, ref: Ref, body: Object, *, subresource: str = "") -> Object:
        return await super().update(ref, _pruned(ref, body), subresource=subresource)


def _pruned(ref: Ref, body: Object) -> Object:
    return {**body, "spec": {"rules": [{}], "defaulted": True}} if ref == ROUTE else body


async def test_a_field_that_the_api_server_drops_is_named(bench: Bench) -> None:
    bench.scene.release()
    converger = Converger(Pruning(bench.api, Cache(bench.api)), now)
    with pytest.raises(ConfigError, match=r"does not keep spec\.rules\[0\]\.retry: install"):
        await converger.converge(with_router(bench.scene.world(), Modern()))
    assert len(bench.api.writes) < ROUNDS


async def test_what_a_provider_cannot_do_is_told_before_anything_is_written(bench: Bench) -> None:
    bench.scene.become(Phase.INITIALIZING)
    bench.scene.settle()
    bench.scene.become(Phase.PROGRESSING)
    world = with_router(bench.scene.world(), Refusing())
    with pytest.raises(ConfigError, match="cannot be served"):
        await bench.converger.converge(world)
    assert bench.api.writes == []
