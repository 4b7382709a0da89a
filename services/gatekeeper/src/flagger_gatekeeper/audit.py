"""What is remembered about changes of gates: pure values (spec gatekeeper B.5).

Entries are written by the stores together with the record they are about, so that there is no
change without its entry and no entry without its change.
"""

import dataclasses
import datetime
import enum
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from . import codec, gates

LONGEST_TEXT: Final = 500
"""Characters of a text that callers choose: a reason, a name, a checksum."""


class Action(enum.StrEnum):
    """What happened to a gate."""

    OPEN = "open"
    APPROVE = "approve"
    """One of several approvals was given that the gate needs to open."""
    CLOSE = "close"
    DELETE = "delete"
    PASS = "pass"  # noqa: S105 - a check passed
    """A check took an approval, or bound the gate to its checksum."""
    EXPIRE = "expire"
    """A check found that the time of the gate is over."""
    RESET = "reset"
    """The release ended, and the gate was closed for the next one."""


@dataclasses.dataclass(frozen=True, slots=True)
class By:
    """Who asks for a change, and from where."""

    request: str
    """Id of the request, made by this service; a store that repeats a transition repeats it too."""
    actor: str = ""
    """Name of the caller; empty if there is no identity."""
    source: str = ""
    """Network address of the caller."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One change of one gate."""

    at: datetime.datetime
    """When; UTC."""
    action: Action
    """What happened."""
    by: By
    """Who did it."""
    before: str = ""
    """State before; empty: there was no record, or none that could be read."""
    after: str = ""
    """State afterwards; empty: there is no record any more."""
    mode: str = ""
    """Mode of the gate afterwards."""
    reason: str = ""
    """Why, in the words of who did it."""
    phase: str = ""
    """Phase of the Canary that asked."""
    checksum: str = ""
    """Of the payload that asked, or that the gate is bound to."""
    expires_at: datetime.datetime | None = None
    """When the gate closes by itself; UTC."""


@dataclasses.dataclass(frozen=True, slots=True)
class Logged:
    """An entry and the gate it is about."""

    key: gates.GateKey
    entry: Entry


def clip(text: str) -> str:
    """Shorten a text of a caller to what is kept of it."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 3] + "..."


def document(gate: str, entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON values; what it does not have is left out."""
    written = {
        "at": entry.at.isoformat(),
        "gate": gate,
        "action": entry.action.value,
        "actor": entry.by.actor,
        "source": entry.by.source,
        "request": entry.by.request,
        "before": entry.before,
        "after": entry.after,
        "mode": entry.mode,
        "reason": entry.reason,
        "phase": entry.phase,
        "checksum": entry.checksum,
        "expiresAt": entry.expires_at and entry.expires_at.isoformat(),
    }
    return {key: value for key, value in written.items() if value}


def encode(gate: str, entry: Entry) -> str:
    """Write an entry down as one line."""
    return json.dumps(document(gate, entry))


def decode(namespace: str, canary: str, line: str) -> Logged:
    """Read an entry back.

    Raises:
        CorruptRecordError: the line is no entry.
    """
    try:
        fields = json.loads(line)
        texts = {name: str(fields.get(name, "")) for name in _TEXTS}
        expires_at = fields.get("expiresAt")
        by = By(*(str(fields.get(name, "")) for name in ("request", "actor", "source")))
        entry = Entry(
            at=codec.moment(fields["at"]),
            action=Action(fields["action"]),
            by=by,
            expires_at=None if expires_at is None else codec.moment(expires_at),
            **texts,
        )
        return Logged(gates.GateKey(namespace, canary, str(fields["gate"])), entry)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise gates.CorruptRecordError(f"unreadable audit entry: {line[:200]!r}") from error


def kept(lines: Iterable[str], oldest: datetime.datetime, most: int, size: int) -> list[str]:
    """Return the lines of a history that stay, oldest first.

    Args:
        lines: the history, oldest first; a line that cannot be read counts as its successor.
        oldest: entries before this are dropped.
        most: how many entries stay at most.
        size: how many characters stay at most.
    """
    newest_first = list(_young(list(lines), oldest))
    stay: list[str] = []
    for line in newest_first[:most]:
        size -= len(line) + 1
        if size < 0:
            break
        stay.append(line)
    return stay[::-1]


def _young(lines: list[str], oldest: datetime.datetime) -> Iterator[str]:
    for line in reversed(lines):
        try:
            old = decode("", "", line).entry.at < oldest
        except gates.CorruptRecordError:
            old = False
        if old:
            return
        yield line


_TEXTS: Final = ("before", "after", "mode", "reason", "phase", "checksum")
