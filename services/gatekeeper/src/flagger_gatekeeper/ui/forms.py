"""Forms of the page as wishes: pure."""

from collections.abc import Mapping
from typing import Final

from .. import changes, gates, wishes

NEW: Final = "new"
"""What a form has seen of a gate that was never changed."""

MODES: Final = (
    (gates.Mode.ONCE.value, "for one approval"),
    (gates.Mode.STICKY.value, "until somebody closes it"),
    (gates.Mode.UNTIL.value, "for a time"),
    (gates.Mode.COUNT.value, "for some checks"),
)
"""Modes as people choose them."""


def opening(form: Mapping[str, str]) -> wishes.Opening:
    """Read how somebody wants a gate opened; empty fields say nothing.

    Raises:
        WishError: a field cannot be read.
    """
    mode = form.get("mode", "")
    if mode and mode not in list(gates.Mode):
        raise wishes.WishError("this is no way to open a gate")
    return wishes.Opening(
        mode=gates.Mode(mode) if mode else None,
        ttl=wishes.lifetime(form.get("ttl", "").strip()),
        count=_count(form.get("count", "").strip()) if mode in ("", gates.Mode.COUNT) else None,
        checksum=form.get("checksum", ""),
        reason=form.get("reason", "").strip(),
    )


def unchanged(seen: str) -> changes.Precondition:
    """Return whether a gate is still as the form has shown it, so that nobody is overruled."""

    def holds(record: gates.GateRecord | None) -> bool:
        known = record is not None and record.version > 0
        return seen == (record.etag if record is not None and known else NEW)

    return holds


def _count(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 7:
        raise wishes.WishError("the number of checks is a whole number")
    return int(text)
