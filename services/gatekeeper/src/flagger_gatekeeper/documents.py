"""Gates as the JSON of the management API, and its requests as wishes (spec gatekeeper B.3)."""

import base64
import dataclasses
import datetime
import json
from collections.abc import Sequence
from typing import Any, Final

from . import audit, codec, gates, pending, rules, wishes
from .store import base

Document = dict[str, Any]

UNREADABLE: Final = "unreadable"
"""State of a gate whose record says nothing; neither open nor closed."""

_OPENING: Final = frozenset({"mode", "ttl", "count", "checksum", "reason", "autoReset"})
_CLOSING: Final = frozenset({"reason", "autoReset"})
_HIDDEN: Final = frozenset({"request", "spent", "pending", "approvals"})


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """Which gates a list is about; None: all of them."""

    state: str | None = None
    """`open`, `closed` or `UNREADABLE`."""
    waiting: bool | None = None
    """Whether something waits in front of the gate."""


def gate(listed: base.Listed, now: datetime.datetime, rule: rules.Rule = rules.FREE) -> Document:
    """Return one gate. An open one whose time is over is closed, whether a check saw it or not.

    Args:
        listed: the gate.
        now: time of the answer, UTC.
        rule: what it asks for beyond being open.
    """
    key, record = listed.key, listed.record
    found: Document = {"namespace": key.namespace, "canary": key.canary, "gate": key.gate}
    if record is None:
        return {**found, "state": UNREADABLE}
    found |= {name: value for name, value in codec.document(record).items() if name not in _HIDDEN}
    found["state"] = (gates.State.OPEN if gates.is_open(record, now) else gates.State.CLOSED).value
    if rule.approvals > 1:
        valid = (one for one in record.approvals if now - one.at < rule.within)
        found |= {"required": rule.approvals, "approvals": [*map(codec.approval, valid)]}
    if (passes_at := rule.next_time(now)) is not None:
        found["passesAt"] = passes_at.isoformat()
    if record.pending is not None and pending.is_waiting(record.pending, now):
        hook = pending.hook(record.pending.phase)
        found["pending"] = {**codec.waiting(record.pending), "hook": hook}
    return found


def matches(document: Document, wanted: Filter) -> bool:
    """Say whether a gate belongs to a list."""
    states = wanted.state in (None, document["state"])
    return states and wanted.waiting in (None, "pending" in document)


def logged(one: audit.Logged) -> Document:
    """Return one entry of a history."""
    written = audit.document(one.key.gate, one.entry)
    return {"namespace": one.key.namespace, "canary": one.key.canary, **written}


def page(found: Sequence[Document], after: str, limit: int) -> tuple[list[Document], str]:
    """Return a part of a sorted list, and where the next one begins; empty: there is none.

    Args:
        found: gates in the order of their names.
        after: what the part before has returned; empty: from the beginning.
        limit: longest part.

    Raises:
        ValueError: `after` is nothing that a part has returned.
    """
    start = _position(after) if after else []
    rest = [one for one in found if _place(one) > start]
    part = rest[:limit]
    return part, _mark(part[-1]) if len(rest) > limit else ""


def opening(fields: Document) -> wishes.Opening:
    """Read what a request says about a gate that it wants open.

    Raises:
        WishError: a field is unknown or has a wrong type.
    """
    _refuse_unknown(fields, _OPENING)
    mode, count = fields.get("mode"), fields.get("count")
    if mode is not None and mode not in list(gates.Mode):
        raise wishes.WishError(f"mode is one of {', '.join(gates.Mode)}")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool)):
        raise wishes.WishError("count is a whole number")
    return wishes.Opening(
        mode=None if mode is None else gates.Mode(mode),
        ttl=wishes.lifetime(_text(fields, "ttl")),
        count=count,
        checksum=_text(fields, "checksum"),
        reason=_text(fields, "reason"),
        auto_reset=_truth(fields, "autoReset"),
    )


def closing(fields: Document) -> tuple[str, bool | None]:
    """Read reason and `autoReset` of a request that wants a gate closed.

    Raises:
        WishError: a field is unknown or has a wrong type.
    """
    _refuse_unknown(fields, _CLOSING)
    return _text(fields, "reason"), _truth(fields, "autoReset")


def _refuse_unknown(fields: Document, known: frozenset[str]) -> None:
    if unknown := sorted(fields.keys() - known):
        raise wishes.WishError(f"unknown field {unknown[0][:50]!r}; known are {sorted(known)}")


def _text(fields: Document, name: str) -> str:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise wishes.WishError(f"{name} is a text")
    return value or ""


def _truth(fields: Document, name: str) -> bool | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise wishes.WishError(f"{name} is true or false")
    return value


def _place(document: Document) -> list[str]:
    return [document["namespace"], document["canary"], document["gate"]]


def _mark(document: Document) -> str:
    return base64.urlsafe_b64encode(json.dumps(_place(document)).encode()).decode()


def _position(mark: str) -> list[str]:
    found = json.loads(base64.urlsafe_b64decode(mark.encode()))
    if not isinstance(found, list) or [type(part) for part in found] != [str] * 3:
        raise ValueError("no place in a list")
    return found
