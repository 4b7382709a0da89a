import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from flagger_helmtester import flights

SECONDS = 30.0
LANE = flights.Lane("test", "podinfo")


def callers(board: flights.Flights[str]) -> int:
    return board.running + board.waiting


class Work:
    """Something that takes until it is told to end."""

    def __init__(self, result: str = "done") -> None:
        self.started = threading.Event()
        self.end = threading.Event()
        self.runs = 0
        self._result = result
        self.wanted: flights.Wanted = flights.always

    def __call__(self, wanted: flights.Wanted) -> str:
        self.wanted = wanted
        self.runs += 1
        self.started.set()
        assert self.end.wait(SECONDS)
        return self._result


@pytest.fixture
def start() -> Callable[..., Future[tuple[str, bool]]]:
    pool = ThreadPoolExecutor(16)

    def submit(
        board: flights.Flights[str],
        lane: flights.Lane,
        question: str,
        work: Callable[[flights.Wanted], str],
        wanted: flights.Wanted = flights.always,
    ) -> Future[tuple[str, bool]]:
        return pool.submit(board.run, lane, question, work, wanted)

    return submit


Start = Callable[..., Future[tuple[str, bool]]]


def until_callers(board: flights.Flights[str], number: int) -> None:
    for _ in range(3000):
        if callers(board) == number:
            return
        threading.Event().wait(0.01)
    pytest.fail(f"{callers(board)} callers instead of {number}")


def test_the_same_question_is_answered_once(start: Start) -> None:
    board: flights.Flights[str] = flights.Flights(flights.Limits())
    work, never = Work(), Work()
    first = start(board, LANE, "q", work)
    assert work.started.wait(SECONDS)
    others = [start(board, LANE, "q", never) for _ in range(5)]
    until_callers(board, 6)
    work.end.set()
    assert first.result(SECONDS) == ("done", False)
    assert [other.result(SECONDS) for other in others] == [("done", True)] * 5
    assert (work.runs, never.runs) == (1, 0)
    assert (callers(board), board.running) == (0, 0)


def test_a_question_asked_after_the_answer_is_answered_anew(start: Start) -> None:
    board: flights.Flights[str] = flights.Flights(flights.Limits())
    answers = iter(["one", "two"])
    assert board.run(LANE, "q", lambda wanted: next(answers)) == ("one", False)
    assert board.run(LANE, "q", lambda wanted: next(answers)) == ("two", False)


def test_another_question_waits_for_its_lane(start: Start) -> None:
    board: flights.Flights[str] = flights.Flights(flights.Limits())
    one, two = Work("one"), Work("two")
    first = start(board, LANE, "q1", one)
    assert one.started.wait(SECONDS)
    second = start(board, LANE, "q2", two)
    joiner = start(board, LANE, "q2", two)
    until_callers(board, 3)
    assert not two.started.is_set()
    two.end.set()
    one.end.set()
    assert first.result(SECONDS) == ("one", False)
    assert {second.result(SECONDS), joiner.result(SECONDS)} == {("two", False), ("two", True)}
    assert two.runs == 1


def test_other_lanes_run_at_the_same_time_up_to_the_limit(start: Start) -> None:
    board: flights.Flights[str] = flights.Flights(flights.Limits(running=2))
    works = [Work(str(number)) for number in range(3)]
    futures = [
        start(board, flights.Lane(f"n{number}", "r"), "q", work)
        for number, work in enumerate(works[:2])
    ]
    assert all(work.started.wait(SECONDS) for work in works[:2])
    futures.append(start(board, flights.Lane("n2", "r"), "q", works[2]))
    until_callers(board, 3)
    assert board.running == 2
    assert not works[2].started.is_set()
    works[0].end.set()
    assert works[2].started.wait(SECONDS)
    for work in works:
        work.end.set()
    assert [future.result(SECONDS)[0] for future in futures] == ["0", "1", "2"]


def test_too_many_callers_are_sent_away(start: Start) -> None:
    board: flights.Flights[str] = flights.Flights(flights.Limits(running=1, waiting=1))
    work = Work()
    futures = [start(board, LANE, "q", work) for _ in range(2)]
    until_callers(board, 2)
    with pytest.raises(flights.BusyError, match="too many"):
        board.run(LANE, "q", work)
    work.end.set()
    assert {future.result(SECONDS) for future in futures} == {("done", False), ("done", True)}
    assert board.run(LANE, "q", lambda wanted: "later") == ("later", False)


def test_patience_ends(start: Start) -> None:
    board: flights.Flights[str] = flights.Flights(flights.Limits(patience=0.05))
    work = Work()
    first = start(board, LANE, "q1", work)
    assert work.started.wait(SECONDS)
    with pytest.raises(flights.BusyError, match="busy"):
        board.run(LANE, "q2", lambda wanted: "never")
    work.end.set()
    assert first.result(SECONDS) == ("done", False)
    assert board.run(LANE, "q2", lambda wanted: "now") == ("now", False)
    assert (callers(board), board.running) == (0, 0)


def test_a_failure_is_shared_and_leaves_nothing_behind(start: Start) -> None:
    board: flights.Flights[str] = flights.Flights(flights.Limits())
    work = Work()

    def failing(wanted: flights.Wanted) -> str:
        work(wanted)
        raise ZeroDivisionError

    futures = [start(board, LANE, "q", failing)]
    assert work.started.wait(SECONDS)
    futures.append(start(board, LANE, "q", failing))
    until_callers(board, 2)
    work.end.set()
    for future in futures:
        with pytest.raises(ZeroDivisionError):
            future.result(SECONDS)
    assert (work.runs, callers(board), board.running) == (1, 0, 0)
    assert board.run(LANE, "q", lambda wanted: "fine") == ("fine", False)


def test_one_namespace_does_not_take_every_place(start: Start) -> None:
    board: flights.Flights[str] = flights.Flights(flights.Limits(running=4, per_namespace=1))
    one, two, other = Work(), Work(), Work()
    futures = [start(board, LANE, "q", one)]
    assert one.started.wait(SECONDS)
    futures.append(start(board, flights.Lane("test", "second"), "q", two))
    until_callers(board, 2)
    futures.append(start(board, flights.Lane("shop", "third"), "q", other))
    assert other.started.wait(SECONDS)
    assert not two.started.is_set()
    assert (board.running, board.waiting) == (2, 1)
    for work in (one, two, other):
        work.end.set()
    assert [future.result(SECONDS)[0] for future in futures] == ["done"] * 3


def test_a_result_is_wanted_as_long_as_one_caller_wants_it(start: Start) -> None:
    board: flights.Flights[str] = flights.Flights(flights.Limits())
    work = Work()
    there = {"first": True, "second": True}
    futures = [start(board, LANE, "q", work, lambda: there["first"])]
    assert work.started.wait(SECONDS)
    futures.append(start(board, LANE, "q", work, lambda: there["second"]))
    until_callers(board, 2)
    assert work.wanted()
    there["second"] = False
    assert work.wanted()
    there.update(first=False, second=True)
    assert work.wanted()
    there["second"] = False
    assert not work.wanted()
    work.end.set()
    assert [future.result(SECONDS)[0] for future in futures] == ["done", "done"]
