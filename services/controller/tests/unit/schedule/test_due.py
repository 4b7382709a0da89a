"""The heap of due times: one time a key, the earliest, taken in order."""

from hypothesis import given
from hypothesis import strategies as st

from flagger_controller.schedule.due import Due


def due(**times: float) -> Due:
    found = Due()
    for key, at in times.items():
        found.add(key, at)
    return found


def test_nothing_is_due_in_the_beginning() -> None:
    empty = Due()
    assert len(empty) == 0
    assert empty.next() is None
    assert empty.take(1000, 10) == []


def test_keys_are_taken_when_they_are_due_earliest_first() -> None:
    times = due(b=2, a=3, c=1)
    assert times.next() == 1
    assert times.take(0.5, 10) == []
    assert times.take(2, 10) == ["c", "b"]
    assert times.next() == 3
    assert times.take(3, 10) == ["a"]
    assert times.next() is None


def test_what_is_overdue_is_counted_once() -> None:
    times = due(a=1, b=2, c=3)
    times.add("b", 1)
    assert [times.overdue(now) for now in (0, 1, 3)] == [0, 2, 3]
    times.take(1, 1)
    assert times.overdue(1) == 1


def test_the_earliest_of_several_times_wins() -> None:
    times = due(a=5)
    times.add("a", 9)
    assert times.next() == 5
    times.add("a", 2)
    assert len(times) == 1
    assert times.next() == 2
    assert times.take(10, 10) == ["a"]
    assert times.next() is None


def test_a_taken_key_can_be_due_later_than_before() -> None:
    times = due(a=1)
    assert times.take(1, 1) == ["a"]
    times.add("a", 7)
    assert times.next() == 7
    assert times.take(6, 1) == []


def test_an_outdated_time_is_not_mistaken_for_a_new_one() -> None:
    times = due(a=5)
    times.add("a", 1)
    assert times.take(1, 1) == ["a"]  # the time 5 is still in the heap
    times.add("a", 8)
    assert times.next() == 8
    assert times.take(7, 1) == []
    assert times.take(8, 5) == ["a"]


def test_a_time_that_was_outdated_and_is_asked_for_again_counts_once() -> None:
    times = due(a=5)
    times.add("a", 1)
    assert times.take(1, 1) == ["a"]
    times.add("a", 5)
    assert times.take(5, 5) == ["a"]
    assert times.take(5, 5) == []


def test_a_discarded_key_is_never_taken() -> None:
    times = due(a=1, b=2)
    times.discard("a")
    times.discard("unknown")
    assert len(times) == 1
    assert times.next() == 2
    assert times.take(9, 9) == ["b"]


def test_at_most_so_many_are_taken() -> None:
    times = due(a=1, b=2, c=3)
    assert times.take(9, 0) == []
    assert times.take(9, 2) == ["a", "b"]
    assert len(times) == 1
    assert times.take(9, 2) == ["c"]


Operation = tuple[str, str, int]
operations = st.lists(
    st.tuples(
        st.sampled_from(["add", "discard", "take"]), st.sampled_from("abcd"), st.integers(0, 9)
    )
)


@given(operations)
def test_it_behaves_like_a_dict_of_times(log: list[Operation]) -> None:
    times, model = Due(), dict[str, float]()
    for what, key, number in log:
        match what:
            case "add":
                times.add(key, number)
                model[key] = min(number, model.get(key, number))
            case "discard":
                times.discard(key)
                model.pop(key, None)
            case _:
                allowed = [k for k in model if model[k] <= number]
                expected = sorted(allowed, key=lambda k: (model[k], k))[:2]
                assert times.take(number, 2) == expected
                for taken in expected:
                    del model[taken]
        assert len(times) == len(model)
        assert times.next() == min(model.values(), default=None)
