"""Time as a dependency, so that tests can own it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""The current time, aware, in UTC."""


def utc() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)
