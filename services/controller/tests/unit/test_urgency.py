"""Who comes first: by level, deadline and arrival, and in the end everybody."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagger_controller import urgency
from flagger_controller.urgency import FAIR, FIRST, Level, Line, Rank

RELEASE, REPAIR, START = Rank(Level.RELEASE), Rank(Level.REPAIR), Rank(Level.START)


def line(**ranks: Rank) -> Line[str]:
    found: Line[str] = Line()
    for who, rank in ranks.items():
        found.join(who, rank)
    return found


def called(waiting: Line[str], least: Level = Level.START) -> str:
    names: list[str] = []
    while (who := waiting.call(least)) is not None:
        names.append(who)
    return "".join(names)


def test_the_order_is_level_deadline_arrival() -> None:
    waiting = line(
        a=START,
        b=Rank(Level.RELEASE, 20),
        c=REPAIR,
        d=Rank(Level.RELEASE, 10),
        e=RELEASE,
        f=START,
        g=Rank(Level.RELEASE, 10),
        h=FIRST,
    )
    assert called(waiting) == "hdgbecaf"


def test_news_of_a_release_come_after_its_writes_and_before_repairs() -> None:
    writes = Rank(Level.RELEASE, 10)
    assert called(line(a=REPAIR, b=writes.news, c=writes, d=START.news, e=START)) == "cbade"


def test_who_leaves_is_not_called_and_who_stands_there_stands_there_once() -> None:
    waiting = line(a=REPAIR, b=START, c=REPAIR)
    waiting.join("b", RELEASE)
    waiting.leave("a")
    waiting.leave("nobody")
    assert ("a" in waiting, "b" in waiting, len(waiting)) == (False, True, 2)
    assert called(waiting) == "cb"


def test_only_those_are_called_who_are_urgent_enough() -> None:
    waiting = line(a=START, b=REPAIR, c=RELEASE)
    assert called(waiting, Level.RELEASE) == "c"
    assert called(waiting, Level.REPAIR) == "b"
    assert called(waiting) == "a"


@pytest.mark.parametrize("least", [Level.START, Level.RELEASE])
def test_one_turn_in_so_many_is_for_whoever_has_waited_longest(least: Level) -> None:
    waiting: Line[int] = Line()
    waiting.join(-1, START)
    for number in range(3 * FAIR):
        waiting.join(number, RELEASE)
    turns = [waiting.call(least) for _ in range(FAIR)]
    assert turns[:-1] == list(range(FAIR - 1))
    assert turns[-1] == (-1 if least is Level.START else FAIR - 1), "but not by a closed door"


Operation = tuple[str, int, Rank]
ranks = st.builds(Rank, st.sampled_from(Level), st.sampled_from([1.0, 2.0]))
operations = st.lists(
    st.tuples(st.sampled_from(["join", "join", "leave", "call"]), st.integers(0, 9), ranks)
)


@given(operations)
def test_it_behaves_like_a_sorted_list(log: list[Operation]) -> None:
    waiting, model, turns = Line[int](), dict[int, Rank](), 0
    for what, who, rank in log:
        match what:
            case "join":
                waiting.join(who, rank)
                model.setdefault(who, rank)
            case "leave":
                waiting.leave(who)
                model.pop(who, None)
            case _:
                able = [each for each in model if model[each].level <= rank.level]
                turns += bool(able)
                expected = min(able, key=lambda each: model[each], default=None)
                if able and turns % FAIR == 0 and next(iter(model)) in able:
                    expected = next(iter(model))
                assert waiting.call(rank.level) == expected
                if expected is not None:
                    del model[expected]
        assert len(waiting) == len(model)
        assert all(each in waiting for each in model)


async def test_a_task_is_as_urgent_as_its_maker_says_and_hears_of_changes() -> None:
    known = {"cart": START}
    found: list[Rank] = []

    async def work() -> None:
        urgency.follow(lambda: known["cart"])
        found.append(urgency.current())
        known["cart"] = RELEASE
        found.append(await asyncio.create_task(child()))

    async def child() -> Rank:
        return urgency.current()

    await asyncio.create_task(work())
    assert found == [START, RELEASE]
    assert urgency.current() == FIRST, "who belongs to no canary"
