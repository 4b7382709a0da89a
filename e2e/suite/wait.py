"""Waiting for conditions: with a deadline, and with words about what is missing."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Deviation(AssertionError):
    """Something is not as it was announced."""


class Over(Exception):
    """Waiting longer makes no sense; `until` turns it into a Deviation."""


def until(
    what: str,
    look: Callable[[], T | None],
    *,
    seconds: float = 120.0,
    pause: float = 0.2,
    state: Callable[[], str] = str,
) -> T:
    """Look until there is something true to see and return it.

    Args:
        what: is waited for, for the message.
        look: returns something false or raises AssertionError while it is not there.
        seconds: how long to try.
        pause: seconds between two looks.
        state: describes the present state when the time is over.

    Raises:
        Deviation: it did not happen in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        missing = ""
        try:
            found = look()
        except AssertionError as error:
            found, missing = None, str(error)
        except Over as error:
            raise Deviation(str(error)) from None
        if found:
            return found
        if time.monotonic() > deadline:
            told = "\n".join(text for text in (missing, state()) if text)
            raise Deviation(f"{what}: not within {seconds:.0f} s\n{told}".strip())
        time.sleep(pause)


def hold(what: str, look: Callable[[], bool], *, seconds: float, pause: float = 0.2) -> None:
    """Look for a while: it must be true all the time.

    Raises:
        Deviation: it was not.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not look():
            raise Deviation(f"{what}: not any more")
        time.sleep(pause)


def expect(what: str, *, holds: bool, found: object = "") -> None:
    """Check a claim.

    Raises:
        Deviation: it does not hold.
    """
    if not holds:
        raise Deviation(f"{what}: {found}" if found != "" else what)
