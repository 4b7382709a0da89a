import datetime

import pytest

from flagger_gatekeeper import changes, gates, wishes

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
NONE = datetime.timedelta()
Mode = gates.Mode
Opening = wishes.Opening


@pytest.mark.parametrize(
    ("asked", "mode", "expires_at", "remaining", "terms"),
    [
        (Opening(), Mode.STICKY, None, 0, "sticky"),
        (Opening(ttl=HOUR), Mode.UNTIL, NOW + HOUR, 0, "until for 3600s"),
        (Opening(count=3), Mode.COUNT, None, 3, "count 3"),
        (Opening(count=3, ttl=HOUR), Mode.COUNT, NOW + HOUR, 3, "count 3 for 3600s"),
        (Opening(mode=Mode.ONCE), Mode.ONCE, None, 0, "once"),
        (Opening(mode=Mode.ONCE, ttl=HOUR), Mode.ONCE, NOW + HOUR, 0, "once for 3600s"),
        (Opening(mode=Mode.STICKY, ttl=HOUR), Mode.STICKY, NOW + HOUR, 0, "sticky for 3600s"),
    ],
)
def test_modes(
    asked: Opening, mode: Mode, expires_at: datetime.datetime | None, remaining: int, terms: str
) -> None:
    wish = wishes.opened(asked, wishes.Defaults(), NOW)
    assert wish == changes.Wish(gates.State.OPEN, mode, remaining, expires_at, terms=terms)


def test_terms_say_for_which_revision() -> None:
    wish = wishes.opened(Opening(checksum="abc"), wishes.Defaults(), NOW)
    assert wish.terms == "sticky checksum abc"


def test_defaults_are_for_what_is_not_said() -> None:
    defaults = wishes.Defaults(Mode.ONCE, HOUR)
    assert wishes.opened(Opening(), defaults, NOW) == changes.Wish(
        gates.State.OPEN, Mode.ONCE, 0, NOW + HOUR, terms="once for 3600s"
    )
    said = wishes.opened(Opening(mode=Mode.STICKY, ttl=NONE), defaults, NOW)
    assert said == changes.Wish(gates.State.OPEN, terms="sticky")


@pytest.mark.parametrize(
    "asked",
    [
        Opening(mode=Mode.UNTIL),
        Opening(mode=Mode.UNTIL, ttl=NONE),
        Opening(mode=Mode.COUNT),
        Opening(mode=Mode.ONCE, count=3),
        Opening(count=0),
        Opening(count=-1),
        Opening(count=10**9),
        Opening(ttl=-HOUR),
        Opening(ttl=datetime.timedelta(days=999_999)),
        Opening(checksum="x" * 129),
    ],
)
def test_contradictions(asked: Opening) -> None:
    with pytest.raises(wishes.WishError):
        wishes.opened(asked, wishes.Defaults(), NOW)


@pytest.mark.parametrize(("mode", "ttl"), [(Mode.UNTIL, NONE), (Mode.STICKY, -HOUR)])
def test_defaults_that_open_nothing_are_refused(mode: Mode, ttl: datetime.timedelta) -> None:
    with pytest.raises(ValueError, match="default-ttl"):
        wishes.Defaults(mode, ttl)


def test_closing() -> None:
    assert wishes.closed("why", auto_reset=True) == changes.Wish(
        gates.State.CLOSED, reason="why", auto_reset=True
    )
