"""Places for ticks, some of which are kept for releases."""

from hypothesis import given
from hypothesis import strategies as st

from flagger_controller.schedule.room import KEPT, Room
from flagger_controller.urgency import Level


def test_some_places_are_for_releases_alone() -> None:
    room = Room(2 * KEPT)
    for level in (Level.START, Level.REPAIR) * (KEPT - 1):
        assert room.admits() is Level.START
        room.enter(level)
    for _ in range(2):
        assert room.admits() is Level.RELEASE
        room.enter(Level.RELEASE)
    assert room.admits() is None
    room.leave(Level.REPAIR)
    assert room.admits() is Level.START


def test_releases_may_have_all_places() -> None:
    room = Room(2 * KEPT)
    for _ in range(2 * KEPT):
        assert room.admits() is not None
        room.enter(Level.RELEASE)
    assert room.admits() is None


def test_a_small_room_has_places_for_everybody() -> None:
    room = Room(1)
    assert room.admits() is Level.START
    room.enter(Level.START)
    assert room.admits() is None


@given(st.lists(st.sampled_from([*Level, None])))
def test_nobody_gets_more_than_there_is(steps: list[Level | None]) -> None:
    room, inside = Room(2 * KEPT), list[Level]()
    for level in steps:
        if level is None:
            if inside:
                room.leave(inside.pop(0))
        elif (least := room.admits()) is not None and level <= least:
            room.enter(level)
            inside.append(level)
        assert len(inside) <= 2 * KEPT
        assert sum(each is not Level.RELEASE for each in inside) <= 2 * KEPT - 2
