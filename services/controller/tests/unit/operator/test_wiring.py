"""The engine put together: one canary's first tick, rejected ones, and what is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from flagger_controller import net
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiUnavailable, Ref
from flagger_controller.cluster.fake import FakeApi, Write
from flagger_controller.errors import Conflict
from flagger_controller.metrics.recorder import Recorder
from flagger_controller.operator import wiring
from flagger_controller.operator.settings import Settings
from flagger_controller.operator.wiring import Engine
from flagger_controller.tick.pace import RESYNC

from .bodies import broken, canary

pytestmark = pytest.mark.looptime

KEY = "cart.shop"
CANARY = Ref(resources.CANARIES, "cart", "shop")
TARGET = Ref(resources.DEPLOYMENTS, "cart", "shop")
ROUTE = Ref(resources.TRAEFIK_SERVICES, "cart", "shop")
LABELS = {"app": "cart"}
DEPLOYMENT: Object = {
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"containers": [{"name": "cart", "image": "cart:1"}]},
        },
    }
}


@dataclass
class Bench:
    """An engine on a fake cluster; its queues are worked on."""

    api: FakeApi
    http: net.Http
    recorder: Recorder
    engine: Engine

    def apply(self, body: Object) -> Object:
        """A user applies a Canary, and the watch has shown it."""
        ref = Ref(resources.CANARIES, body["metadata"]["name"], body["metadata"]["namespace"])
        stored = self.api.put(ref, {**body, "metadata": {}})
        return stored

    @property
    def live(self) -> Any:
        return self.api.object(CANARY)

    @property
    def events(self) -> list[str]:
        return [event["message"] for event in self.api.memory.items(resources.EVENTS, "shop")]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    api, recorder = FakeApi(), Recorder("0.1.0", "traefik")
    async with net.Http() as http:
        engine = wiring.build(Settings(mesh_provider="traefik"), api, http, recorder)
        tasks = [asyncio.create_task(outbox.run()) for outbox in engine.outboxes]
        yield Bench(api, http, recorder, engine)
        await engine.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def build(bench: Bench, **settings: Any) -> Engine:
    return wiring.build(Settings(**settings), bench.api, bench.http, bench.recorder)


async def test_only_a_controller_of_all_namespaces_lists_the_cluster(bench: Bench) -> None:
    for namespaces, wide in (((), True), (("n1", "n2"), False)):
        engine = build(bench, namespace=namespaces)
        for number in range(30):
            engine.cache.watch([Ref(resources.SERVICES, "cart", f"n{number}")], number)
        await asyncio.sleep(0.1)
        assert ("" in engine.cache._kinds[resources.SERVICES].scopes) == wide
        await engine.close()


async def test_an_unknown_canary_is_not_ticked_again(bench: Bench) -> None:
    assert await bench.engine.work("unknown.shop") is None
    assert bench.api.writes == []


async def test_the_first_tick_of_a_canary(bench: Bench) -> None:
    bench.api.put(TARGET, DEPLOYMENT)
    bench.engine.canaries.put(bench.apply(canary(skipAnalysis=True)))
    seconds = await bench.engine.work(KEY)
    assert seconds is not None
    assert 0 < seconds <= 10
    assert Canary.from_api(bench.live).status.phase is Phase.INITIALIZED
    written = {str(write.ref) for write in bench.api.applied() if write.ref != CANARY}
    assert {
        "Deployment cart-primary.shop",
        "Service cart.shop",
        "TraefikService cart.shop",
    } <= written
    await bench.engine.events.flush()
    assert bench.events == ["Initialization done! cart.shop"]
    assert b'flagger_canary_status{name="cart",namespace="shop"} 1.0' in bench.recorder.render()


async def at_rest(bench: Bench) -> None:
    """A canary that was ticked, and is due no more."""
    bench.api.put(TARGET, DEPLOYMENT)
    bench.engine.canaries.put(bench.apply(canary(skipAnalysis=True)))
    await bench.engine.work(KEY)
    await asyncio.sleep(1)
    bench.engine.pool.forget(KEY)


async def test_changes_by_others_wake_the_canary_and_our_own_do_not(bench: Bench) -> None:
    await at_rest(bench)
    await bench.engine.work(KEY)
    await asyncio.sleep(1)
    assert bench.engine.pool.waiting == 0, "only our own writes happened"
    bench.api.remove(ROUTE)
    await asyncio.sleep(1)
    assert bench.engine.pool.waiting == 1


async def test_a_burst_of_changes_is_looked_at_once(bench: Bench) -> None:
    await at_rest(bench)
    due = bench.engine.pool._due
    moments = []
    for replicas in (3, 4):
        bench.api.put(TARGET, {"spec": {**DEPLOYMENT["spec"], "replicas": replicas}})
        await asyncio.sleep(wiring.BURST / 4)
        moments.append(due.next())
    assert moments[0] is not None
    assert moments[0] == moments[1], "the second change puts nothing off"
    assert moments[0] > asyncio.get_running_loop().time(), "and the first one is not hurried after"


async def test_routes_in_another_cluster_have_no_owner_there(bench: Bench) -> None:
    bench.api.put(TARGET, DEPLOYMENT)
    for own, owners in ((True, 1), (False, 0)):
        engine = wiring.build(Settings(), bench.api, bench.http, bench.recorder, own_references=own)
        engine.canaries.put(bench.apply(canary(skipAnalysis=True)))
        await engine.work(KEY)
        route = bench.api.object(ROUTE)
        assert route is not None
        assert len(route["metadata"].get("ownerReferences", [])) == owners
        for ref in list(bench.api.memory.objects):
            if ref.resource != resources.EVENTS and ref != TARGET:
                bench.api.remove(ref) if bench.api.object(ref) else None
        await engine.events.close()
        await engine.cache.close()


async def test_a_rejected_canary_is_told_and_looked_at_seldom(bench: Bench) -> None:
    body = bench.apply(broken())
    bench.engine.canaries.rejected[KEY] = (body, "spec.service.port: not a number")
    assert await bench.engine.work(KEY) == RESYNC
    (condition,) = bench.live["status"]["conditions"]
    assert condition["message"] == "invalid canary spec: spec.service.port: not a number"
    await bench.engine.events.flush()
    assert bench.events == [condition["message"]]


async def test_a_tick_goes_on_where_the_last_one_was(bench: Bench) -> None:
    engine = bench.engine
    bench.api.put(TARGET, DEPLOYMENT)
    engine.canaries.put(bench.apply(canary(skipAnalysis=True)))
    await engine.work(KEY)
    memory = engine._ticks[KEY].memory
    await engine.work(KEY)
    assert engine._ticks[KEY].memory is memory
    engine.canaries.remove(KEY)
    assert await engine.work(KEY) is None
    assert engine._ticks == {}


async def test_nothing_of_a_forgotten_canary_stays(bench: Bench) -> None:
    engine = bench.engine
    bench.api.put(TARGET, DEPLOYMENT)
    engine.canaries.put(bench.apply(canary(skipAnalysis=True)))
    engine.pool.wake(KEY)
    await engine.work(KEY)
    engine.forget(KEY, engine.canaries.remove(KEY))
    assert engine.pool.waiting == 0
    assert engine._ticks == {}
    assert b'name="cart"' not in bench.recorder.render()
    bench.api.remove(ROUTE)
    await asyncio.sleep(1)
    assert engine.pool.waiting == 0, "nobody is interested in its objects any more"


async def test_a_canary_that_goes_while_its_tick_runs_leaves_no_watch(bench: Bench) -> None:
    engine = bench.engine
    bench.api.put(TARGET, DEPLOYMENT)
    engine.canaries.put(bench.apply(canary(skipAnalysis=True)))
    ticking = asyncio.create_task(engine.work(KEY))
    await asyncio.sleep(0)
    bench.api.remove(CANARY)
    engine.forget(KEY, engine.canaries.remove(KEY))
    assert await ticking is None
    bench.api.remove(TARGET)
    await asyncio.sleep(1)
    assert engine.pool.waiting == 0


async def test_a_canary_that_goes_while_its_tick_runs_leaves_no_series(bench: Bench) -> None:
    engine = bench.engine
    bench.api.put(TARGET, DEPLOYMENT)
    engine.canaries.put(bench.apply(canary(skipAnalysis=True)))
    await engine.work(KEY)
    await asyncio.sleep(1)
    bench.api.remove(ROUTE)  # so that there is something to wait for
    await asyncio.sleep(1)
    ticking = asyncio.create_task(engine.work(KEY))
    await asyncio.sleep(0)
    engine.forget(KEY, engine.canaries.remove(KEY))
    assert await ticking is None
    assert b'name="cart"' not in bench.recorder.render()


async def test_a_canary_that_goes_while_its_tick_fails_leaves_nothing(bench: Bench) -> None:
    engine = bench.engine
    bench.api.put(TARGET, DEPLOYMENT)
    engine.canaries.put(bench.apply(canary(skipAnalysis=True)))
    await engine.work(KEY)
    await asyncio.sleep(1)

    def fail(write: Write) -> None:
        gone = engine.canaries.remove(KEY)
        assert gone is not None
        engine.forget(KEY, gone)
        engine.recorder.set_status(gone, Phase.INITIALIZING)  # as the tick does, a moment later
        raise ApiUnavailable(503, "ServiceUnavailable", "down")

    bench.api.before_write(fail)
    bench.api.remove(ROUTE)  # so that there is something to write
    await asyncio.sleep(1)
    with pytest.raises(ApiUnavailable):
        await engine.work(KEY)
    assert b'name="cart"' not in bench.recorder.render()
    assert engine.cache._interests == {}
    assert engine._ticks == {}


async def test_a_tick_of_a_canary_that_moves_to_another_shard_commits_nothing(
    bench: Bench,
) -> None:
    """It read the version before the label changed; the next one finds it gone."""
    engine, moved = bench.engine, {"labels": {"team": "theirs"}}
    bench.api.put(TARGET, DEPLOYMENT)
    engine.canaries.put(bench.apply(canary(skipAnalysis=True)))

    def move(write: Write) -> None:
        """Somebody changes the label, and the watch shows it, while the write is on its way."""
        if write.ref == CANARY and engine.canaries.holds(KEY):
            bench.api.memory.patch(CANARY, {"metadata": moved}, "")
            engine.forget(KEY, engine.canaries.remove(KEY))

    bench.api.before_write(move)
    with pytest.raises(Conflict):
        await engine.work(KEY)
    assert "status" not in bench.live
    assert await engine.work(KEY) is None
    assert b'name="cart"' not in bench.recorder.render()


async def test_what_waits_is_shown(bench: Bench) -> None:
    engine = build(bench)

    async def job() -> None:
        """Waits for ever, as nobody works on this engine's queues."""

    for outbox, jobs in zip(engine.outboxes, (2, 1), strict=True):
        for _ in range(jobs):
            outbox.put("x", job)
    shown = (await bench.recorder.page()).decode()
    for queue, depth in (("ticks", 0), ("events", 0), ("webhooks", 2), ("alerts", 1)):
        assert f'flagger_queue_depth{{queue="{queue}"}} {depth}.0' in shown
    await engine.events.close()
    await engine.cache.close()


async def test_a_forgotten_canary_makes_room_for_others_with_its_target(bench: Bench) -> None:
    engine = bench.engine
    for name, target in (("a", "cart"), ("b", "cart"), ("c", "other")):
        engine.canaries.put(canary(name, target=target))
    engine.canaries.put(canary("d", target="cart", namespace="else"))
    engine.forget("a.shop", engine.canaries.remove("a.shop"))
    assert engine.pool.waiting == 1
    engine.pool.forget("b.shop")
    assert engine.pool.waiting == 0


async def test_forgetting_what_was_never_decoded(bench: Bench) -> None:
    bench.engine.pool.wake(KEY)
    bench.engine.forget(KEY, None)
    assert bench.engine.pool.waiting == 0


async def test_closing_does_not_wait_for_ever_for_what_cannot_be_sent(bench: Bench) -> None:
    engine = build(bench)

    async def never() -> None:
        await asyncio.sleep(1e6)

    for outbox in engine.outboxes:
        outbox.put("x", never)
    before = asyncio.get_running_loop().time()
    await engine.close()
    waited = asyncio.get_running_loop().time() - before
    assert waited == pytest.approx(len(engine.outboxes) * wiring.DRAIN)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ()),
        ({"slack_url": "http://slack/"}, ("slack",)),
        ({"slack_url": "http://slack/", "msteams_url": "http://teams/"}, ("msteams",)),
    ],
)
async def test_the_global_channel(
    bench: Bench, settings: dict[str, str], expected: tuple[str, ...]
) -> None:
    engine = build(bench, **settings)
    dispatcher: Any = engine.shell.announcer._alerts
    notifier = dispatcher._settings.notifier
    assert ((notifier.type,) if notifier else ()) == expected
    if expected == ("slack",):
        assert notifier.address.channel == "general"
        assert notifier.address.username == "flagger"
