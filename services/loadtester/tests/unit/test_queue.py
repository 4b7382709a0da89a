"""Background tasks that wait for a place: order, limits, cancelling, shutdown."""

import threading
from collections.abc import Callable, Iterator

import pytest

from flagger_loadtester.orders import Order
from flagger_loadtester.runner import BusyError, Limits, OverError, Runner

from .held import BLOCKING, Held, background, payload, value

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner(Limits(max_background=1, queue_size=2))
    yield made
    made.close()


def states(runner: Runner) -> dict[str, str]:
    return {record.label: record.state for record in runner.records()}


def depth(runner: Runner) -> float:
    return value(runner, "flagger_loadtester_queue_depth")


def test_who_waits_starts_in_order_when_there_is_a_place(
    runner: Runner, eventually: Eventually
) -> None:
    tasks = [Held("a"), Held("b"), Held("c")]
    for task in tasks:
        runner.start(background(task))
    assert tasks[0].begun.wait(30)
    assert states(runner) == {"a": "running", "b": "queued", "c": "queued"}
    assert depth(runner) == 2
    tasks[0].release.set()
    assert tasks[1].begun.wait(30)
    assert states(runner) == {"a": "succeeded", "b": "running", "c": "queued"}
    tasks[1].release.set()
    assert tasks[2].begun.wait(30)
    tasks[2].release.set()
    eventually(lambda: set(states(runner).values()) == {"succeeded"})
    assert depth(runner) == 0


def test_a_full_queue_refuses(runner: Runner) -> None:
    for label in ("a", "b", "c"):
        runner.start(background(Held(label)))
    with pytest.raises(BusyError):
        runner.start(background(Held("d")))
    runner.start(background(Held("c")))  # it waits already
    assert value(runner, "flagger_loadtester_tasks_skipped_total", type="cmd") == 1


def test_without_places_nothing_waits() -> None:
    with pytest.raises(BusyError):
        Runner(Limits(max_background=0)).start(background(Held()))


def test_a_full_namespace_does_not_hold_up_others(eventually: Eventually) -> None:
    runner = Runner(Limits(max_per_namespace=1, max_background=2))
    first, second, other = Held("a"), Held("b"), Held("c", canary="podinfo.prod")
    runner.start(background(first))
    runner.start(background(second))
    runner.start(background(other, payload(namespace="prod")))
    assert first.begun.wait(30)
    assert other.begun.wait(30)
    with pytest.raises(BusyError, match="namespace 1"):
        runner.run(Order(BLOCKING, Held("d"), payload()))
    other.release.set()
    eventually(lambda: states(runner)["c"] == "succeeded")
    assert states(runner)["b"] == "queued"
    first.release.set()
    assert second.begun.wait(30)
    runner.close()


def test_blocking_tasks_count_for_their_namespace(eventually: Eventually) -> None:
    runner = Runner(Limits(max_per_namespace=1))
    blocking, waiting = Held("a"), Held("b")
    thread = threading.Thread(
        target=runner.run, args=(Order(BLOCKING, blocking, payload()),), daemon=True
    )
    thread.start()
    assert blocking.begun.wait(30)
    runner.start(background(waiting))
    assert states(runner)["b"] == "queued"
    blocking.release.set()
    thread.join(30)
    assert waiting.begun.wait(30)
    runner.close()


def test_a_task_that_waits_can_be_cancelled(runner: Runner, eventually: Eventually) -> None:
    first, second = Held("a"), Held("b")
    runner.start(background(first))
    number = runner.start(background(second)).id
    record = runner.cancel(number, "no more")
    assert (record.state, record.reason, record.started) == ("cancelled", "no more", None)
    assert depth(runner) == 0
    with pytest.raises(OverError):
        runner.cancel(number, "again")
    again = Held("b")
    assert runner.start(background(again)).id != number
    first.release.set()
    assert again.begun.wait(30)
    assert not second.begun.is_set()
    eventually(lambda: value(runner, "flagger_loadtester_tasks_running", type="cmd") == 1)


def test_a_task_that_runs_can_be_cancelled_and_started_again(
    runner: Runner, eventually: Eventually
) -> None:
    first, again = Held(), Held()
    number = runner.start(background(first)).id
    assert first.begun.wait(30)
    runner.cancel(number, "no more")
    other = runner.start(background(again)).id  # not skipped for one that is about to end
    assert other != number
    assert again.begun.wait(30)
    record = runner.find(number)
    assert record is not None
    assert (record.state, record.reason) == ("cancelled", "no more")
    ended = "flagger_loadtester_tasks_total"
    eventually(lambda: value(runner, ended, type="cmd", result="cancelled") == 1)


def test_unknown_tasks_are_not_cancelled(runner: Runner) -> None:
    with pytest.raises(KeyError):
        runner.cancel("nothing", "no more")


@pytest.mark.parametrize("end", [Runner.close, Runner.drain])
def test_shutdown_cancels_what_waits(
    runner: Runner, eventually: Eventually, end: Callable[[Runner], None]
) -> None:
    first, second = Held("a"), Held("b")
    runner.start(background(first))
    runner.start(background(second))
    end(runner)
    eventually(lambda: states(runner) == {"a": "cancelled", "b": "cancelled"})
    assert not second.begun.is_set()


def test_draining_cancels_what_waits_at_once_and_starts_nothing(eventually: Eventually) -> None:
    runner = Runner(Limits(max_background=1, drain=1000))
    blocking, first, second = Held("a"), Held("b"), Held("c")
    thread = threading.Thread(
        target=runner.run, args=(Order(BLOCKING, blocking, payload()),), daemon=True
    )
    thread.start()
    assert blocking.begun.wait(30)
    runner.start(background(first))
    runner.start(background(second))
    assert first.begun.wait(30)
    runner.drain()
    eventually(lambda: states(runner) == {"a": "running", "b": "running", "c": "cancelled"})
    first.release.set()
    eventually(lambda: states(runner)["b"] == "succeeded")
    blocking.release.set()
    thread.join(30)
    assert not second.begun.is_set()
