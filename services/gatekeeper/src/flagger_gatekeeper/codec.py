"""How records are written down: one line of JSON that people can read in `kubectl get -o yaml`."""

import dataclasses
import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from . import gates

Document = dict[str, Any]


def encode(record: gates.GateRecord) -> str:
    """Write a record down; what it does not have is left out."""
    return json.dumps(document(record))


def document(record: gates.GateRecord) -> Document:
    """Return a record as JSON values, keys in camel case."""
    written: Document = {
        "state": record.state.value,
        "createdAt": record.created_at.isoformat(),
        "updatedAt": record.updated_at.isoformat(),
        "version": record.version,
        "mode": record.mode.value,
        "remaining": record.remaining,
        "expiresAt": record.expires_at and record.expires_at.isoformat(),
        "checksum": record.checksum,
        "reason": record.reason,
        "actor": record.actor,
        "autoReset": record.auto_reset,
        "passCount": record.pass_count,
        "request": record.request,
        "spent": record.spent and _spending(record.spent),
        "approvals": [approval(one) for one in record.approvals],
        "pending": record.pending and waiting(record.pending),
    }
    return {key: value for key, value in written.items() if value or key in _REQUIRED}


def decode(text: str) -> gates.GateRecord:
    """Read a record back; one of the first version has nothing but the required fields.

    Raises:
        CorruptRecordError: the text is no record, or names a state or a mode this version does not
            know.
    """
    try:
        fields = json.loads(text)
        return gates.GateRecord(
            state=gates.State(fields["state"]),
            created_at=moment(fields["createdAt"]),
            updated_at=moment(fields["updatedAt"]),
            version=int(fields["version"]),
            mode=gates.Mode(fields.get("mode", gates.Mode.STICKY)),
            remaining=int(fields.get("remaining", 0)),
            expires_at=_optional(fields, "expiresAt", moment),
            checksum=_text(fields, "checksum"),
            reason=_text(fields, "reason"),
            actor=_text(fields, "actor"),
            auto_reset=fields.get("autoReset", False) is True,
            pass_count=int(fields.get("passCount", 0)),
            request=_text(fields, "request"),
            spent=_optional(fields, "spent", _spent),
            approvals=tuple(map(_approval, fields.get("approvals", []))),
            pending=_optional(fields, "pending", _pending),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise gates.CorruptRecordError(f"unreadable gate record: {text[:200]!r}") from error


def decode_or_none(text: str) -> gates.GateRecord | None:
    """Read a record back where one that cannot be read is shown as such, or replaced."""
    try:
        return decode(text)
    except gates.CorruptRecordError:
        return None


def current(text: str | None, *, repair: bool) -> gates.GateRecord | None:
    """Read the record that a transition starts from, see `GateStore.update`.

    Raises:
        CorruptRecordError: it cannot be read, and `repair` is False.
    """
    if text is None:
        return None
    return decode_or_none(text) if repair else decode(text)


def moment(text: str) -> datetime.datetime:
    """Read a point in time; one without a zone is UTC.

    Raises:
        ValueError: it is none.
    """
    read = datetime.datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=datetime.UTC)


def waiting(request: gates.Pending) -> Document:
    """Return a pending request as JSON values."""
    return {
        "phase": request.phase,
        "checksum": request.checksum,
        "firstSeen": request.first_seen.isoformat(),
        "lastSeen": request.last_seen.isoformat(),
        "count": request.count,
        "interval": round(request.interval, 3),
    }


def approval(one: gates.Approval) -> Document:
    """Return an approval as JSON values."""
    return {"actor": one.actor, "at": one.at.isoformat(), "terms": one.terms}


def _approval(fields: Mapping[str, Any]) -> gates.Approval:
    return gates.Approval(
        actor=_text(fields, "actor"), at=moment(fields["at"]), terms=_text(fields, "terms")
    )


def _pending(fields: Mapping[str, Any]) -> gates.Pending:
    return gates.Pending(
        phase=_text(fields, "phase"),
        checksum=_text(fields, "checksum"),
        first_seen=moment(fields["firstSeen"]),
        last_seen=moment(fields["lastSeen"]),
        count=int(fields["count"]),
        interval=float(fields["interval"]),
    )


def _spending(spent: gates.Spent) -> Document:
    return {**dataclasses.asdict(spent), "at": spent.at.isoformat()}


def _spent(fields: Mapping[str, Any]) -> gates.Spent:
    return gates.Spent(
        at=moment(fields["at"]),
        stage=_text(fields, "stage"),
        checksum=_text(fields, "checksum"),
        request=_text(fields, "request"),
    )


def _optional(fields: Mapping[str, Any], key: str, read: Callable[[Any], Any]) -> Any:
    value = fields.get(key)
    return None if value is None else read(value)


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key, "")
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


_REQUIRED: Final = frozenset({"state", "createdAt", "updatedAt", "version"})
