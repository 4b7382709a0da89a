"""From what a request says to how a gate shall be: pure."""

import dataclasses
import datetime
from typing import Final

from flagger_common import durations

from . import changes, gates

MOST_PASSES: Final = 1_000_000
LONGEST_CHECKSUM: Final = 128
LONGEST_TTL: Final = datetime.timedelta(days=3650)

_NEVER: Final = datetime.timedelta()


class WishError(ValueError):
    """The parts of a request contradict each other; the message says how, for the caller."""


@dataclasses.dataclass(frozen=True, slots=True)
class Defaults:
    """How a gate is opened when the request does not say it."""

    mode: gates.Mode = gates.Mode.STICKY
    """`sticky` as upstream, `once` or `until`."""
    ttl: datetime.timedelta = _NEVER
    """How long it stays open; zero: until it is closed."""

    def __post_init__(self) -> None:
        """Refuse what could not open any gate.

        Raises:
            ValueError: mode `until` without a time, or a negative time.
        """
        if self.ttl < _NEVER or (self.mode is gates.Mode.UNTIL and not self.ttl):
            raise ValueError("default-mode until needs a positive default-ttl")


@dataclasses.dataclass(frozen=True, slots=True)
class Opening:
    """What a request says about the gate it wants open; None: nothing."""

    mode: gates.Mode | None = None
    ttl: datetime.timedelta | None = None
    count: int | None = None
    checksum: str = ""
    reason: str = ""
    auto_reset: bool | None = None


def opened(asked: Opening, defaults: Defaults, now: datetime.datetime) -> changes.Wish:
    """Return the wish for an open gate.

    Without a mode, a count means `count` and a time `until`.

    Raises:
        WishError: mode and numbers do not fit together.
    """
    mode = asked.mode or _implied(asked) or defaults.mode
    ttl = defaults.ttl if asked.ttl is None else asked.ttl
    if (mode is gates.Mode.COUNT) is not (asked.count is not None):
        raise WishError("mode count and the number count belong together")
    if asked.count is not None and not 1 <= asked.count <= MOST_PASSES:
        raise WishError(f"count is from 1 to {MOST_PASSES}")
    if not _NEVER <= ttl <= LONGEST_TTL:
        raise WishError("ttl is from 0s to ten years")
    if mode is gates.Mode.UNTIL and not ttl:
        raise WishError("mode until needs a ttl")
    if len(asked.checksum) > LONGEST_CHECKSUM:
        raise WishError(f"checksum has at most {LONGEST_CHECKSUM} characters")
    return changes.Wish(
        state=gates.State.OPEN,
        mode=mode,
        remaining=asked.count or 0,
        expires_at=now + ttl if ttl else None,
        checksum=asked.checksum,
        reason=asked.reason,
        auto_reset=asked.auto_reset,
        terms=_terms(mode, asked, ttl),
    )


def lifetime(text: str) -> datetime.timedelta | None:
    """Read how long a gate shall stay open, as people write it; empty: nothing was said.

    Raises:
        WishError: it is no duration.
    """
    if not text:
        return None
    try:
        return datetime.timedelta(seconds=durations.parse(text))
    except (ValueError, OverflowError) as error:
        raise WishError(f"ttl: {error}"[:200]) from error


def closed(reason: str = "", auto_reset: bool | None = None) -> changes.Wish:
    """Return the wish for a closed gate."""
    return changes.Wish(state=gates.State.CLOSED, reason=reason, auto_reset=auto_reset)


def _terms(mode: gates.Mode, asked: Opening, ttl: datetime.timedelta) -> str:
    """Say what an approval is for, in words that people can compare, too."""
    said = [str(mode)]
    if asked.count is not None:
        said.append(str(asked.count))
    if ttl:
        said.append(f"for {ttl.total_seconds():g}s")
    if asked.checksum:
        said.append(f"checksum {asked.checksum}")
    return " ".join(said)


def _implied(asked: Opening) -> gates.Mode | None:
    if asked.count is not None:
        return gates.Mode.COUNT
    return gates.Mode.UNTIL if asked.ttl else None
