"""Two generations of shards never lead at the same time, in whatever order their requests arrive.

Requests of candidates are held back, and let through one by one in every order that there is.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Call, Object, Ref, api_error
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.operator.leader import Elector
from flagger_controller.operator.lease import LeaseSettings
from flagger_controller.operator.shards import WHOLE, Shard

pytestmark = pytest.mark.looptime

NAMESPACE = "flagger-system"
PAIRS = [
    (Shard(0, 2), Shard(0, 3)),
    (Shard(1, 2), Shard(0, 2, "team")),
    (WHOLE, Shard(1, 2)),
]
FIRST = 4
"""Requests of an undisturbed candidate: look, read, write, look again."""


def clock() -> float:
    return asyncio.get_running_loop().time()


def lease(shard: Shard) -> Ref:
    return Ref(resources.LEASES, shard.lease, NAMESPACE)


def held(api: FakeApi, shard: Shard) -> str:
    body: Any = api.object(lease(shard)) or {"spec": {}}
    return str(body["spec"].get("holderIdentity") or "")


class Held:
    """A client whose requests wait until they are let through, one at a time."""

    def __init__(self, api: FakeApi) -> None:
        self._api = api
        self._turns: asyncio.Queue[None] = asyncio.Queue()
        self._open = False
        self.waiting = 0
        self.lists: Iterator[bool] = itertools.repeat(True)
        """Whether the next lists are allowed."""

    def open(self) -> None:
        """Let everything through from now on."""
        self._open = True
        for _ in range(self.waiting):
            self._turns.put_nowait(None)

    async def let(self) -> None:
        """Let one request through, and return when its answer has been dealt with."""
        if self.waiting:
            self._turns.put_nowait(None)
        await asyncio.sleep(0.001)

    async def _pass(self, request: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        if not self._open:
            self.waiting += 1
            try:
                await self._turns.get()
            finally:
                self.waiting -= 1
        return await request(*arguments)

    async def list(self, resource: Any, namespace: str) -> list[Object]:
        if not next(self.lists):
            call = Call("list", Ref(resource, "", namespace))
            raise api_error(
                403,
                "Forbidden",
                'leases is forbidden: User "x" cannot list resource "leases"',
                call=call,
            )
        return list(await self._pass(self._api.list, resource, namespace))

    async def get(self, ref: Ref) -> Object:
        return dict(await self._pass(self._api.get, ref))

    async def create(self, ref: Ref, body: Object) -> Object:
        return dict(await self._pass(self._api.create, ref, body))

    async def update(self, ref: Ref, body: Object) -> Object:
        return dict(await self._pass(self._api.update, ref, body))


class Candidate:
    """An elector of a shard behind such a client."""

    def __init__(self, api: FakeApi, shard: Shard, jitter: float) -> None:
        self.shard = shard
        self.client = Held(api)
        client: Any = self.client
        self.elector = Elector(
            *(client, NAMESPACE, f"of-{shard.lease}"),
            settings=LeaseSettings(shard),
            clock=clock,
            jitter=lambda: jitter,
        )
        self.task = asyncio.create_task(self.elector.run(lambda: None, lambda: None))

    async def stop(self) -> None:
        self.client.open()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def orders(first: int, second: int) -> Iterator[list[int]]:
    """Every order of so many requests of two candidates."""
    for places in itertools.combinations(range(first + second), first):
        yield [0 if place in places else 1 for place in range(first + second)]


def leaders(candidates: list[Candidate]) -> list[Candidate]:
    leading = [each for each in candidates if each.elector.valid()]
    assert len(leading) <= 1, [each.shard for each in leading]
    return leading


@pytest.mark.parametrize(
    ("pair", "requests"), [(PAIRS[0], FIRST + 1), *((p, FIRST) for p in PAIRS)]
)
async def test_in_every_order_of_their_requests_at_most_one_leads(
    pair: tuple[Shard, Shard], requests: int
) -> None:
    """With one request more than it takes to lead also while one of them gives up."""
    for order in orders(requests, requests):
        api = FakeApi()
        candidates = [
            Candidate(api, shard, jitter) for shard, jitter in zip(pair, (0, 1), strict=True)
        ]
        await asyncio.sleep(0.001)
        for turn in order:
            await candidates[turn].client.let()
            leaders(candidates)
        for candidate in candidates:
            candidate.client.open()
        for _ in range(4):
            await asyncio.sleep(5)
            leaders(candidates)
        assert len(leaders(candidates)) == 1, order
        for candidate in candidates:
            await candidate.stop()


async def test_in_every_order_a_leader_that_stops_is_followed() -> None:
    """Its release is two requests, and the other one looks in the middle of them."""
    for order in orders(2, FIRST + 2):
        api = FakeApi()
        old = Candidate(api, Shard(0, 2), 0)
        old.client.open()
        await asyncio.sleep(0.1)
        assert old.elector.valid()
        old.client._open = False
        new = Candidate(api, Shard(2, 3), 1)
        old.task.cancel()
        await asyncio.sleep(0.001)
        for turn in order:
            await (old, new)[turn].client.let()
            leaders([old, new])
            assert not (new.elector.valid() and held(api, old.shard)), order
        new.client.open()
        await asyncio.sleep(12)
        assert new.elector.valid()
        await old.stop()
        await new.stop()


async def test_peers_lead_at_the_same_time_and_the_next_generation_waits_for_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    api = FakeApi()
    old = [Candidate(api, Shard(index, 2), index / 2) for index in range(2)]
    new = [Candidate(api, Shard(index, 3), index / 3) for index in range(3)]
    for each in old:
        each.client.open()
    await asyncio.sleep(1)
    for each in new:
        each.client.open()
    await asyncio.sleep(100)
    assert all(each.elector.valid() for each in old)
    writes = [write for write in api.writes if "of-3" in write.ref.name]
    assert writes == [], "those that wait hold up nobody"
    await old[0].stop()
    await asyncio.sleep(100)
    assert not any(each.elector.valid() for each in new)
    text = "Waiting for controllers with another number of shards, which hold: "
    told = [each for each in caplog.messages if each.startswith(text)]
    assert len(told) == 2 * len(new), "once, and once more when that changed"
    await old[1].stop()
    await asyncio.sleep(7)
    assert all(each.elector.valid() for each in new)
    for each in new:
        await each.stop()


async def test_a_dead_generation_is_followed_when_its_leases_have_not_changed_for_a_minute() -> (
    None
):
    api = FakeApi()
    spec = {"holderIdentity": "dead", "leaseDurationSeconds": 60}
    api.put(lease(Shard(1, 2)), {"spec": spec})
    new = Candidate(api, Shard(0, 3), 0)
    new.client.open()
    await asyncio.sleep(30)
    api.put(lease(Shard(1, 2)), {"spec": {**spec, "renewTime": "it lived"}})
    await asyncio.sleep(59)
    assert not new.elector.valid()
    await asyncio.sleep(12)
    assert new.elector.valid()
    await new.stop()


async def test_upstreams_controller_is_waited_for() -> None:
    api = FakeApi()
    api.put(lease(WHOLE), {"spec": {"holderIdentity": "upstream", "leaseDurationSeconds": 60}})
    new = Candidate(api, Shard(0, 2), 0)
    new.client.open()
    for number in range(20):
        await asyncio.sleep(10)
        spec = {"holderIdentity": "upstream", "leaseDurationSeconds": 60, "renewTime": f"{number}"}
        api.put(lease(WHOLE), {"spec": spec})
        assert not new.elector.valid()
    api.put(lease(WHOLE), {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
    await asyncio.sleep(6)
    assert new.elector.valid()
    await new.stop()


async def test_who_may_not_look_does_not_lead(caplog: pytest.LogCaptureFixture) -> None:
    api = FakeApi()
    new = Candidate(api, WHOLE, 0)
    new.client.open()
    new.client.lists = itertools.repeat(False)
    await asyncio.sleep(60)
    assert not new.elector.valid()
    assert api.writes == []
    (told,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert 'resources: ["leases"], verbs: ["list"]' in told
    new.client.lists = itertools.repeat(True)
    await asyncio.sleep(6)
    assert new.elector.valid()
    await new.stop()


async def test_one_that_waited_in_vain_releases_nothing(caplog: pytest.LogCaptureFixture) -> None:
    api = FakeApi()
    spec = {"holderIdentity": "x", "leaseDurationSeconds": 60}
    api.put(lease(WHOLE), {"spec": spec})
    new = Candidate(api, Shard(0, 2), 0)
    new.client.open()
    await asyncio.sleep(1)
    await new.stop()
    assert api.writes == []
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []


async def test_a_lease_that_was_acquired_blindly_is_given_up_again() -> None:
    api = FakeApi()
    new = Candidate(api, Shard(0, 2), 0)
    new.client.open()
    new.client.lists = itertools.chain([True, False, False], itertools.repeat(True))
    await asyncio.sleep(4)
    assert [write.verb for write in api.writes] == ["create", "update"]
    assert held(api, new.shard) == ""
    assert not new.elector.valid()
    await asyncio.sleep(7)
    assert new.elector.valid()
    await new.stop()


async def test_other_leases_of_the_namespace_do_not_matter() -> None:
    api = FakeApi()
    spec = {"spec": {"holderIdentity": "x", "leaseDurationSeconds": 60}}
    for name in ("kube-scheduler", "flagger-leader-election-old", Shard(1, 2).lease):
        api.put(Ref(resources.LEASES, name, NAMESPACE), spec)
    api.put(Ref(resources.LEASES, Shard(0, 3).lease, "elsewhere"), spec)
    new = Candidate(api, Shard(0, 2), 0)
    new.client.open()
    await asyncio.sleep(0.1)
    assert new.elector.valid()
    await new.stop()


@pytest.mark.parametrize("looks", range(5))
async def test_a_leader_that_was_away_for_long_does_not_lead_again(looks: int) -> None:
    """Another generation acts by then, and has not touched our Lease: no conflict would tell."""
    left = 10_000  # looks at the clock before it jumps

    def jumping() -> float:
        nonlocal left
        left -= 1
        return clock() + (0 if left >= 0 else 3600)

    elector = Elector(FakeApi(), NAMESPACE, "a", clock=jumping, jitter=lambda: 0.0)
    lost: list[float] = []
    task = asyncio.create_task(elector.run(lambda: None, lambda: lost.append(clock())))
    await asyncio.sleep(7)
    assert elector.valid()
    left = looks
    for _ in range(200):
        await asyncio.sleep(0.1)
        assert left >= 0 or not elector.valid()
    assert lost
    await task
