"""Tasks that are the same: joined, skipped, replaced by those of a new revision, done once."""

import concurrent.futures
from collections.abc import Callable, Iterator

import pytest

from flagger_common.payload import CanaryWebhookPayload
from flagger_loadtester.orders import Order
from flagger_loadtester.outcome import Outcome
from flagger_loadtester.runner import Accepted, BusyError, Limits, Runner

from .held import BACKGROUND, BLOCKING, Held, background, payload, value

Eventually = Callable[[Callable[[], object]], None]
JOINED = "flagger_loadtester_tasks_joined_total"


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner(Limits(max_blocking=2))
    yield made
    made.close()


@pytest.fixture
def pool(runner: Runner) -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    with concurrent.futures.ThreadPoolExecutor() as made:
        yield made
        runner.close()  # or a failed test would wait for its tasks


def test_the_same_blocking_task_is_joined(
    runner: Runner, pool: concurrent.futures.ThreadPoolExecutor, eventually: Eventually
) -> None:
    first, second = Held(output="done\n"), Held()
    sent = payload(cmd="x", returnCmdOutput="true")
    running = pool.submit(runner.run, Order(BLOCKING, first, sent))
    assert first.begun.wait(30)
    joined = pool.submit(runner.run, Order(BLOCKING, second, payload(cmd="x")))
    eventually(lambda: value(runner, JOINED, type="bash") == 1)
    with pytest.raises(BusyError):  # both of them take a thread
        runner.run(Order(BLOCKING, Held("other")))
    first.release.set()
    assert running.result(30) == joined.result(30)
    assert not second.begun.is_set()
    again = Held()
    again.release.set()
    assert runner.run(Order(BLOCKING, again, sent)).id != running.result().id


@pytest.mark.parametrize(
    "other", [payload(cmd="x", checksum="two"), payload(cmd="x", pipefail="true")]
)
def test_other_revisions_and_other_metadata_are_not_joined(
    runner: Runner, pool: concurrent.futures.ThreadPoolExecutor, other: CanaryWebhookPayload
) -> None:
    first, second = Held(), Held()
    pool.submit(runner.run, Order(BLOCKING, first, payload(cmd="x")))
    assert first.begun.wait(30)
    pool.submit(runner.run, Order(BLOCKING, second, other))
    assert second.begun.wait(30)
    first.release.set()
    second.release.set()


def test_who_joins_a_broken_task_hears_of_it(
    runner: Runner, pool: concurrent.futures.ThreadPoolExecutor, eventually: Eventually
) -> None:
    first = Held(crash_at_end=True)
    running = pool.submit(runner.run, Order(BLOCKING, first))
    assert first.begun.wait(30)
    joined = pool.submit(runner.run, Order(BLOCKING, Held()))
    eventually(lambda: value(runner, JOINED, type="bash") == 1)
    first.release.set()
    for future in (running, joined):
        assert isinstance(future.exception(30), RuntimeError)


def test_a_new_revision_replaces_the_load(runner: Runner, eventually: Eventually) -> None:
    old, new, unrelated = Held(), Held(), Held(canary="other.test")
    number = runner.start(background(old)).id
    runner.start(Order(BACKGROUND, unrelated, payload().model_copy(update={"name": "other"})))
    assert old.begun.wait(30)
    runner.start(background(new, payload(checksum="two")))
    assert new.begun.wait(30)
    assert old.ended.wait(30)
    assert old.interrupted
    eventually(lambda: state(runner, number) == "cancelled")
    assert not unrelated.ended.is_set()
    skipped = Held()
    runner.start(background(skipped, payload(checksum="two")))
    assert not skipped.begun.is_set()


def test_who_waits_for_a_task_gets_its_end(
    runner: Runner, pool: concurrent.futures.ThreadPoolExecutor
) -> None:
    blocking = Held()
    waiting = pool.submit(runner.run, Order(BLOCKING, blocking, payload()))
    assert blocking.begun.wait(30)
    runner.notice(payload("Succeeded"))
    runner.start(background(Held("load"), payload(checksum="two")))
    blocking.release.set()
    assert waiting.result(30).outcome == Outcome("")


@pytest.mark.parametrize(("before", "after"), [("", "two"), ("one", "")])
def test_an_unknown_revision_replaces_nothing(runner: Runner, before: str, after: str) -> None:
    load = Held()
    first = runner.start(background(load, payload(checksum=before)))
    assert runner.start(background(Held(), payload(checksum=after))) == first
    assert not load.interrupted


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_the_end_of_a_release_ends_its_load(
    runner: Runner, eventually: Eventually, phase: str
) -> None:
    load, cleaning = Held("load"), Held("clean")
    number = runner.start(background(load)).id
    runner.start(background(cleaning, payload(phase)))
    eventually(lambda: state(runner, number) == "cancelled")
    runner.start(background(Held("another post-rollout hook"), payload(phase)))
    assert cleaning.begun.wait(30)
    assert not cleaning.interrupted
    record = runner.find(number)
    assert record is not None
    assert record.reason == f"the canary is {phase}"


def test_an_event_ends_the_load_of_its_own_revision_only(
    runner: Runner, eventually: Eventually
) -> None:
    number = runner.start(background(Held())).id
    late = payload("Succeeded", "before", eventMessage="Promotion completed!")
    runner.notice(late)
    runner.notice(payload("Progressing", "before", eventMessage="New revision detected!"))
    assert state(runner, number) == "running"
    runner.notice(late.model_copy(update={"checksum": "one"}))
    eventually(lambda: state(runner, number) == "cancelled")


def test_only_once(runner: Runner, eventually: Eventually) -> None:
    first, second, third = Held(), Held(), Held()
    first.release.set()
    done = runner.start(once(first))
    eventually(lambda: state(runner, done.id) == "succeeded")
    assert runner.start(once(second)) == Accepted(done.id)
    runner.start(once(third, "two"))
    assert third.begun.wait(30)
    assert not second.begun.is_set()


def test_a_failure_may_be_tried_again(runner: Runner, eventually: Eventually) -> None:
    first, second = Held(), Held()
    number = runner.start(once(first)).id
    assert first.begun.wait(30)
    runner.cancel(number, "no more")
    eventually(lambda: state(runner, number) == "cancelled")
    runner.start(once(second))
    assert second.begun.wait(30)


def once(work: Held, checksum: str = "one") -> Order:
    return Order(BACKGROUND, work, payload(checksum=checksum), once=True)


def state(runner: Runner, number: str) -> str:
    record = runner.find(number)
    assert record is not None
    return record.state
