import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiUnavailable, Fenced, Object, Ref
from flagger_controller.cluster.fake import FakeApi, Write
from flagger_controller.operator.leader import Elector, identity

from .world import deployment, replicas

pytestmark = pytest.mark.looptime

LEASE = Ref(resources.LEASES, "flagger-leader-election", "flagger-system")
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def clock() -> float:
    return asyncio.get_running_loop().time()


def now() -> datetime:
    return START + timedelta(seconds=clock())


class Candidate:
    """A replica: an elector with a client of its own, and what happened to it."""

    def __init__(self, api: FakeApi, name: str, drift: float = 1.0) -> None:
        self.elector = Elector(
            *(api, "flagger-system", name),
            clock=lambda: clock() * drift,
            now=now,
            jitter=lambda: 0.0,
        )
        self.log: list[tuple[str, float]] = []
        self.task = asyncio.create_task(
            self.elector.run(
                lambda: self.log.append(("elected", round(clock()))),
                lambda: self.log.append(("lost", round(clock()))),
            )
        )

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def crash(self, api: FakeApi) -> None:
        forget = api.before_write(lambda write: (_ for _ in ()).throw(ApiUnavailable(0, "", "")))
        await self.stop()
        forget()


@asynccontextmanager
async def replica(api: FakeApi, name: str, drift: float = 1.0) -> AsyncIterator[Candidate]:
    candidate = Candidate(api, name, drift)
    try:
        await asyncio.sleep(0.1)
        yield candidate
    finally:
        await candidate.stop()


def spec(api: FakeApi) -> Object:
    lease = api.object(LEASE)
    assert lease is not None
    found: Object = lease["spec"]
    return found


async def test_the_first_candidate_leads_and_renews(api: FakeApi) -> None:
    async with replica(api, "a") as a:
        assert a.log == [("elected", 0)]
        assert spec(api) == {
            "holderIdentity": "a",
            "leaseDurationSeconds": 60,
            "acquireTime": "2026-05-01T12:00:00.000000Z",
            "renewTime": "2026-05-01T12:00:00.000000Z",
            "leaseTransitions": 0,
        }
        await asyncio.sleep(600)
        assert a.elector.valid()
        assert spec(api)["acquireTime"] == "2026-05-01T12:00:00.000000Z"
        assert spec(api)["renewTime"] == "2026-05-01T12:10:00.000000Z"
        assert spec(api)["leaseTransitions"] == 0
        assert api.reads["get", resources.LEASES] == 1, "renewing needs no reads"
        assert len(api.writes) == 121


async def test_a_follower_waits_and_takes_over_after_a_release(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with replica(api, "a") as a, replica(api, "b") as b:
        await asyncio.sleep(300)
        assert b.log == []
        assert not b.elector.valid()
        await a.stop()
        assert spec(api)["holderIdentity"] == ""
        assert spec(api)["leaseDurationSeconds"] == 1
        await asyncio.sleep(5)
        assert [what for what, _ in b.log] == ["elected"]
        assert spec(api)["holderIdentity"] == "b"
        assert spec(api)["leaseTransitions"] == 1
        assert spec(api)["leaseDurationSeconds"] == 60
    assert "Starting leader election id: b configmap: flagger-leader-election" in caplog.text
    assert caplog.text.count("Another instance has been elected as leader: a") == 1
    assert "Acting as elected leader" in caplog.text


async def test_a_follower_takes_over_from_a_dead_leader_after_the_lease(api: FakeApi) -> None:
    async with replica(api, "a") as a, replica(api, "b") as b:
        await asyncio.sleep(60)
        died = clock()
        await a.crash(api)
        assert spec(api)["holderIdentity"] == "a"
        await asyncio.sleep(100)
        ((what, when),) = b.log
        assert what == "elected"
        assert 55 <= when - died <= 66


async def test_times_written_by_others_do_not_matter(api: FakeApi) -> None:
    long_ago = "1999-01-01T00:00:00.000000Z"
    api.put(LEASE, {"spec": {"holderIdentity": "x", "renewTime": long_ago}})
    async with replica(api, "a") as a:
        await asyncio.sleep(59)
        assert a.log == []
        await asyncio.sleep(6)
        assert [what for what, _ in a.log] == ["elected"]


async def test_of_two_candidates_one_wins(api: FakeApi) -> None:
    api.put(LEASE, {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
    candidates = [Candidate(api, name) for name in "abcd"]
    await asyncio.sleep(30)
    assert len([c for c in candidates if c.log]) == 1
    assert len([c for c in candidates if c.elector.valid()]) == 1
    for candidate in candidates:
        await candidate.stop()


async def test_an_outage_ends_leadership_at_the_renew_deadline(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    async with replica(api, "a") as a:
        await asyncio.sleep(21)
        api.faults.down = True
        await asyncio.sleep(13.5)
        assert a.elector.valid()
        await asyncio.sleep(1)
        assert not a.elector.valid()
        assert a.log == [("elected", 0), ("lost", 35)]
        assert a.task.done()
    assert "Leadership lost" in caplog.text


async def test_a_server_that_never_answers_ends_leadership_too(api: FakeApi) -> None:
    async def hang(write: Write) -> None:
        await asyncio.sleep(1000)

    async with replica(api, "a") as a:
        api.before_write(hang)
        await asyncio.sleep(16)
        assert a.log == [("elected", 0), ("lost", 15)]


async def test_a_short_outage_does_not(api: FakeApi) -> None:
    async with replica(api, "a") as a:
        await asyncio.sleep(21)
        api.faults.down = True
        await asyncio.sleep(9)
        api.faults.down = False
        await asyncio.sleep(600)
        assert a.log == [("elected", 0)]


async def test_a_renewal_whose_answer_is_lost(api: FakeApi) -> None:
    def lose(write: Write) -> None:
        forget()
        raise ApiUnavailable(0, "Timeout", "no answer")

    async with replica(api, "a") as a:
        forget = api.after_write(lose)
        await asyncio.sleep(60)
        assert a.elector.valid()
        assert a.log == [("elected", 0)]


async def test_an_acquisition_whose_answer_is_lost_is_released(api: FakeApi) -> None:
    async def lose(write: Write) -> None:
        forget()
        await asyncio.sleep(1000)

    forget = api.after_write(lose)
    async with replica(api, "a") as a:
        await a.stop()
    assert spec(api)["holderIdentity"] == ""


async def test_another_holder_ends_leadership_at_once(api: FakeApi) -> None:
    async with replica(api, "a") as a:
        api.put(LEASE, {"spec": {"holderIdentity": "usurper", "leaseDurationSeconds": 60}})
        await asyncio.sleep(11)
        assert a.log == [("elected", 0), ("lost", 8)]
        assert spec(api)["holderIdentity"] == "usurper"


async def test_leadership_that_was_lost_is_not_released(api: FakeApi) -> None:
    async with replica(api, "a") as a:
        api.put(LEASE, {"spec": {"holderIdentity": "usurper", "leaseDurationSeconds": 60}})
        await a.stop()
        assert spec(api)["holderIdentity"] == "usurper"


async def test_a_right_that_is_missing_is_told_once_and_used_when_it_is_there(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    api.faults.forbidden.add(LEASE.resource)
    async with replica(api, "a") as a:
        await asyncio.sleep(60)
        assert a.log == []
        api.faults.forbidden.clear()
        await asyncio.sleep(6)
        assert [what for what, _ in a.log] == ["elected"]
    told = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [vars(record)["error"] for record in told] == ["forbidden"]
    assert 'resources: ["leases"], verbs: ["list"]' in told[0].message
    assert "the Lease can be used again" in caplog.text


async def test_candidates_do_not_ask_all_together(api: FakeApi) -> None:
    api.put(LEASE, {"spec": {"holderIdentity": "other", "leaseDurationSeconds": 60}})
    asked: list[int] = []
    for jitter in (0.0, 1.0):
        exact = functools.partial(float, jitter)
        elector = Elector(api, "flagger-system", "a", clock=clock, jitter=exact)
        before = api.reads["get", LEASE.resource]
        task = asyncio.create_task(elector.run(lambda: None, lambda: None))
        await asyncio.sleep(5.5)
        asked.append(api.reads["get", LEASE.resource] - before)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert asked == [2, 1]


async def test_the_fence_holds_only_while_leading_is_certain(api: FakeApi) -> None:
    async with replica(api, "a") as a, replica(api, "b") as b:
        await api.fenced(a.elector.check).create(deployment(), replicas(1))
        with pytest.raises(Fenced):
            await api.fenced(b.elector.check).create(deployment("two"), replicas(1))
        assert api.object(deployment("two")) is None
        api.faults.down = True
        await asyncio.sleep(20)
        with pytest.raises(Fenced):
            await api.fenced(a.elector.check).create(deployment("two"), replicas(1))


async def test_a_suspended_machine_does_not_lead_when_it_wakes_up(api: FakeApi) -> None:
    skipped = 0.0
    elector = Elector(api, "flagger-system", "a", clock=lambda: clock() + skipped, now=now)
    lost: list[float] = []
    task = asyncio.create_task(elector.run(lambda: None, lambda: lost.append(clock())))
    await asyncio.sleep(7)
    assert elector.valid()
    skipped = 3600.0
    assert not elector.valid()
    await asyncio.sleep(6)
    assert lost
    await task


def test_identities_are_unique() -> None:
    assert identity() != identity()
    assert "_" in identity()
