"""Start, limits and end of tasks made of events: no processes, no waiting for time."""

import threading
from collections.abc import Callable, Iterator

import pytest

from flagger_loadtester.orders import Order
from flagger_loadtester.outcome import Outcome
from flagger_loadtester.runner import BusyError, Limits, Runner, StoppingError

from .held import BACKGROUND, BLOCKING, Held, value

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner(Limits(max_blocking=2, max_background=2, drain=1000, queue_size=0))
    yield made
    made.close()


def test_a_background_task_runs_once_at_a_time(runner: Runner, eventually: Eventually) -> None:
    first, same, again = Held(), Held(), Held()
    runner.start(Order(BACKGROUND, first))
    assert first.begun.wait(30)
    runner.start(Order(BACKGROUND, same))
    assert value(runner, "flagger_loadtester_tasks_skipped_total", type="cmd") == 1
    first.release.set()
    eventually(lambda: value(runner, "flagger_loadtester_tasks_running", type="cmd") == 0)
    runner.start(Order(BACKGROUND, again))
    assert again.begun.wait(30)
    assert not same.begun.is_set()


def test_tasks_of_other_canaries_or_commands_are_not_the_same(runner: Runner) -> None:
    held, other = Held(), Held(canary="podinfo.prod")
    runner.start(Order(BACKGROUND, held))
    runner.start(Order(BACKGROUND, other))
    assert held.begun.wait(30)
    assert other.begun.wait(30)


def test_too_many_background_tasks_are_refused(runner: Runner) -> None:
    runner.start(Order(BACKGROUND, Held("a")))
    runner.start(Order(BACKGROUND, Held("b")))
    runner.start(Order(BACKGROUND, Held("a")))  # the same one is skipped, not refused
    with pytest.raises(BusyError, match="limit 2"):
        runner.start(Order(BACKGROUND, Held("c")))
    assert value(runner, "flagger_loadtester_tasks_rejected_total", reason="busy") == 1


def test_identical_blocking_tasks_run_side_by_side_without_joins() -> None:
    runner = Runner(Limits(max_blocking=2, join=False))
    tasks = [Held(), Held()]
    threads = [
        threading.Thread(target=runner.run, args=(Order(BLOCKING, task),), daemon=True)
        for task in tasks
    ]
    for thread in threads:
        thread.start()
    assert all(task.begun.wait(30) for task in tasks)
    with pytest.raises(BusyError):
        runner.run(Order(BLOCKING, Held()))
    for task in tasks:
        task.release.set()
    for thread in threads:
        thread.join(30)


def test_a_crashing_task_is_logged_and_forgotten(
    runner: Runner, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    runner.start(Order(BACKGROUND, Held(crash=True)))
    ended = "flagger_loadtester_tasks_total"
    eventually(lambda: value(runner, ended, type="cmd", result="error") == 1)
    eventually(lambda: "broken task" in caplog.text)
    again = Held()
    runner.start(Order(BACKGROUND, again))
    assert again.begun.wait(30)


def test_a_task_ends_at_its_limit() -> None:
    task = Held()
    runner = Runner(Limits(timeout=0.05))
    accepted = runner.run(Order(BLOCKING, task))
    assert accepted.outcome == Outcome("", "signal: killed")
    assert task.interrupted
    (record,) = runner.records()
    assert (record.id, record.state, record.reason) == (accepted.id, "timeout", "signal: killed")


def test_close_ends_everything(runner: Runner) -> None:
    task = Held()
    runner.start(Order(BACKGROUND, task))
    assert task.begun.wait(30)
    runner.close()
    assert task.ended.is_set()
    assert task.interrupted
    assert [(one.state, one.reason) for one in runner.records()] == [("cancelled", "shutting down")]
    with pytest.raises(StoppingError):
        runner.start(Order(BACKGROUND, Held()))


def test_drain_lets_blocking_tasks_finish_and_then_ends_the_others(runner: Runner) -> None:
    blocking, background = Held("a"), Held("b")
    runner.start(Order(BACKGROUND, background))
    thread = threading.Thread(target=runner.run, args=(Order(BLOCKING, blocking),), daemon=True)
    thread.start()
    assert blocking.begun.wait(30)
    assert runner.unready() is None
    runner.drain()
    assert runner.unready() == "shutting down"
    with pytest.raises(StoppingError):
        runner.run(Order(BLOCKING, Held()))
    assert not background.ended.is_set()
    blocking.release.set()
    thread.join(30)
    assert not blocking.interrupted
    assert background.ended.wait(30)
    assert background.interrupted


def test_drain_ends_blocking_tasks_when_its_time_is_over() -> None:
    runner, task = Runner(Limits(drain=0.05)), Held()
    thread = threading.Thread(target=runner.run, args=(Order(BLOCKING, task),), daemon=True)
    thread.start()
    assert task.begun.wait(30)
    runner.drain()
    thread.join(30)
    assert task.interrupted
