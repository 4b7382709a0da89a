"""Ticks and Events of real Canaries carry the rank that their status gives them."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from flagger_controller import net, urgency
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.cluster.fake import FakeApi, Write
from flagger_controller.metrics.recorder import Recorder
from flagger_controller.operator import wiring
from flagger_controller.operator.settings import Settings
from flagger_controller.urgency import Level, Rank

from .bodies import broken, canary
from .test_wiring import CANARY, DEPLOYMENT, KEY, TARGET

PRIMARY = Ref(resources.DEPLOYMENTS, "cart-primary", "shop")

pytestmark = pytest.mark.looptime


class Bench:
    """An engine that ticks, and the rank of every write."""

    def __init__(self, engine: wiring.Engine, api: FakeApi) -> None:
        self.engine, self.api = engine, api
        self.ranks: list[tuple[str, Rank]] = []
        api.before_write(self._note)

    def _note(self, write: Write) -> None:
        what = write.ref.resource.kind + ("/" + write.subresource if write.subresource else "")
        self.ranks.append((what, urgency.current()))

    def rolled_out(self, ref: Ref) -> None:
        """The cluster has done what a Deployment says."""
        live: Any = self.api.object(ref)
        counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 2)
        observed = {"observedGeneration": live["metadata"]["generation"]}
        self.api.put(ref, {**live, "status": {**counts, **observed}})

    @property
    def status(self) -> Any:
        live: Any = self.api.object(CANARY)
        return live["status"]

    async def ranked(self, seconds: float = 3.0) -> dict[str, set[Rank]]:
        """Of the writes of these seconds, by kind."""
        self.ranks.clear()
        await asyncio.sleep(seconds)
        found: dict[str, set[Rank]] = {}
        for what, rank in self.ranks:
            found.setdefault(what, set()).add(rank)
        return found


@pytest.fixture
async def bench() -> Any:
    api = FakeApi()
    async with net.Http() as http:
        settings = Settings(mesh_provider="traefik")
        engine = wiring.build(settings, api, http, Recorder("0.1.0", "traefik"))
        task = asyncio.create_task(engine.pool.run())
        api.put(TARGET, DEPLOYMENT)
        yield Bench(engine, api)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await engine.close()


async def test_a_canary_rises_from_start_to_release_and_its_events_come_after(
    bench: Bench,
) -> None:
    bench.engine.canaries.put(bench.api.put(CANARY, {**canary(), "metadata": {}}))
    bench.engine.pool.wake(KEY)
    start = await bench.ranked()
    assert start["Service"] == start["Deployment"] == {Rank(Level.START)}
    assert start["Canary/status"] <= {Rank(Level.START)}
    for ref in (TARGET, PRIMARY):
        bench.rolled_out(ref)
    await bench.ranked(20)
    assert bench.status["phase"] == "Initialized"

    bench.api.remove(Ref(resources.TRAEFIK_SERVICES, "cart", "shop"))
    assert (await bench.ranked())["TraefikService"] == {Rank(Level.REPAIR)}

    live: Any = bench.api.object(TARGET)
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "cart:2"
    bench.api.put(TARGET, live)
    bench.rolled_out(TARGET)
    begun = await bench.ranked()
    until = datetime.fromisoformat(bench.status["run"]["tickedAt"]).timestamp() + 600
    assert begun["Canary/status"] == {Rank(Level.REPAIR)}, "it was no release before this write"
    assert begun["Deployment"] == {Rank(Level.RELEASE, until)}, "and is one right after"
    assert begun["Event"] == {Rank(Level.RELEASE)}


async def test_a_canary_that_cannot_be_decoded_comes_last(bench: Bench) -> None:
    body = bench.api.put(CANARY, {**broken(), "metadata": {}})
    bench.engine.canaries.rejected[KEY] = (body, "spec.service.port: not a number")
    bench.engine.pool.wake(KEY)
    ranks = await bench.ranked()
    assert ranks == {"Canary/status": {Rank(Level.START)}, "Event": {Rank(Level.START)}}
