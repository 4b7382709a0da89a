"""Order, bounds and the end of the outbox."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from flagger_controller.outbox import Outbox


@pytest.fixture
async def outbox() -> AsyncIterator[Outbox]:
    box = Outbox(capacity=4, at_once=2)
    task = asyncio.create_task(box.run())
    yield box
    task.cancel()
    await asyncio.wait([task])


def recorder(done: list[str]) -> Callable[[str], Callable[[], Awaitable[None]]]:
    def make(name: str) -> Callable[[], Awaitable[None]]:
        async def job() -> None:
            await asyncio.sleep(0)
            done.append(name)

        return job

    return make


async def test_lanes_keep_their_order(outbox: Outbox) -> None:
    done: list[str] = []
    job = recorder(done)
    for lane, name in (("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b2")):
        assert outbox.put(lane, job(name))
    assert await outbox.drain(60) == 0
    assert [name for name in done if name[0] == "a"] == ["a1", "a2"]
    assert [name for name in done if name[0] == "b"] == ["b1", "b2"]


async def test_a_slow_lane_does_not_hold_up_others(outbox: Outbox) -> None:
    done: list[str] = []
    job = recorder(done)
    slow = asyncio.Event()

    async def wait() -> None:
        await slow.wait()
        done.append("slow")

    outbox.put("a", wait)
    outbox.put("a", job("after"))
    outbox.put("b", job("other"))
    passed = asyncio.Event()

    async def mark() -> None:
        passed.set()

    outbox.put("b", mark)
    await passed.wait()
    assert done == ["other"]
    slow.set()
    assert await outbox.drain(60) == 0
    assert done == ["other", "slow", "after"]


async def test_no_more_at_once_than_asked_for(outbox: Outbox) -> None:
    done: list[str] = []
    started, slow = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        await slow.wait()

    for lane in ("a", "b"):
        outbox.put(lane, wait)
    outbox.put("c", recorder(done)("c"))
    await started.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    assert done == []
    slow.set()
    assert await outbox.drain(60) == 0
    assert done == ["c"]


async def test_a_full_outbox_refuses() -> None:
    box = Outbox(capacity=2)
    job = recorder([])
    assert box.put("a", job("1"))
    assert box.put("b", job("2"))
    assert not box.put("a", job("3"))


async def test_what_is_left_at_the_end_is_told(caplog: pytest.LogCaptureFixture) -> None:
    box = Outbox()
    box.put("a", recorder([])("1"))
    assert await box.drain(0) == 1
    assert caplog.messages == ["1 messages were not sent in time"]


async def test_a_failing_job_does_not_end_its_lane(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    async def fail() -> None:
        raise RuntimeError("broken")

    outbox.put("a", fail)
    outbox.put("a", recorder(done)("next"))
    assert await outbox.drain(60) == 0
    assert done == ["next"]
    assert caplog.messages == ["a message could not be sent"]
