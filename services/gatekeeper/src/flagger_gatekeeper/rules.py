"""What some gates ask for beyond being open: several approvals, certain hours. Pure.

The operator of the service writes these rules (spec gatekeeper B.2), so whoever may open a gate
cannot take them away.
"""

import dataclasses
import datetime
import json
import zoneinfo
from typing import Any, Final

import cronsim

from flagger_common import durations

from . import gates

ALL: Final = "*"
MOST_APPROVALS: Final = 20
LONGEST_WINDOW: Final = datetime.timedelta(days=31)
_DAY: Final = datetime.timedelta(days=1)


class RulesError(ValueError):
    """The rules cannot be read; the message says which and why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """Hours in which a gate lets somebody pass."""

    cron: str
    """When it begins, in five fields."""
    duration: datetime.timedelta
    zone: zoneinfo.ZoneInfo
    """Where `cron` is read; days on which clocks change are those of cron."""

    def covers(self, now: datetime.datetime) -> bool:
        """Say whether a time is in the window; its end is not."""
        return self._begins(now - self.duration) <= now

    def begins(self, now: datetime.datetime) -> datetime.datetime:
        """Return when it begins for the next time; UTC."""
        return self._begins(now)

    def _begins(self, after: datetime.datetime) -> datetime.datetime:
        found: datetime.datetime = next(cronsim.CronSim(self.cron, after.astimezone(self.zone)))
        return found.astimezone(datetime.UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """What the gates that it is about ask for."""

    namespaces: frozenset[str] = frozenset({ALL})
    canaries: frozenset[str] = frozenset({ALL})
    names: frozenset[str] = frozenset({ALL})
    """Of gates. `*` is every gate but `rollback`, which has to be named: an emergency exit waits
    for nobody."""
    approvals: int = 1
    """How many people have to open it."""
    within: datetime.timedelta = _DAY
    """How long an approval waits for the others."""
    windows: tuple[Window, ...] = ()
    """The gate lets somebody pass in these hours only; empty: always."""

    def covers(self, key: gates.GateKey) -> bool:
        """Say whether the rule is about a gate."""
        every = ALL in self.names and key.gate != gates.ROLLBACK
        place = _has(self.namespaces, key.namespace) and _has(self.canaries, key.canary)
        return place and (every or key.gate in self.names)

    def is_time(self, now: datetime.datetime) -> bool:
        """Say whether a check may pass now."""
        return not self.windows or any(window.covers(now) for window in self.windows)

    def next_time(self, now: datetime.datetime) -> datetime.datetime | None:
        """Return when a check may pass again; None: now."""
        if self.is_time(now):
            return None
        return min(window.begins(now) for window in self.windows)


FREE: Final = Rule()
"""Of gates that no rule is about."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules; the first that is about a gate counts."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Rulebook":
        """Read a JSON list of rules; an empty text has none.

        Raises:
            RulesError: it is none, or a rule contradicts itself.
        """
        try:
            found = json.loads(text) if text else []
        except ValueError as error:
            raise RulesError(f"rules: no JSON: {error}") from error
        if not isinstance(found, list):
            raise RulesError("rules: this is a list")
        return cls(tuple(_rule(f"rules[{at}]", fields) for at, fields in enumerate(found)))

    def of(self, key: gates.GateKey) -> Rule:
        """Return the rule of a gate."""
        return next((rule for rule in self.rules if rule.covers(key)), FREE)


def _rule(where: str, fields: object) -> Rule:
    known = _known(where, fields, {"namespaces", "canaries", "gates", "approvals", "windows"})
    approvals = known.get("approvals", {})
    approvals = {"required": approvals} if type(approvals) is int else approvals
    quorum = _known(f"{where}.approvals", approvals, {"required", "within"})
    required = quorum.get("required", 1)
    if type(required) is not int or not 1 <= required <= MOST_APPROVALS:
        raise RulesError(f"{where}.approvals: required is from 1 to {MOST_APPROVALS}")
    windows = known.get("windows", [])
    if not isinstance(windows, list):
        raise RulesError(f"{where}.windows: this is a list")
    namespaces, canaries, names = (
        frozenset(_names(f"{where}.{name}", known.get(name, [ALL])))
        for name in ("namespaces", "canaries", "gates")
    )
    return Rule(
        namespaces,
        canaries,
        names,
        approvals=required,
        within=_span(f"{where}.approvals.within", quorum.get("within", "24h")),
        windows=tuple(_window(f"{where}.windows[{at}]", one) for at, one in enumerate(windows)),
    )


def _window(where: str, fields: object) -> Window:
    known = _known(where, fields, {"cron", "duration", "timeZone"})
    cron, zone = known.get("cron"), known.get("timeZone", "UTC")
    duration = _span(f"{where}.duration", known.get("duration"))
    if duration > LONGEST_WINDOW:
        raise RulesError(f"{where}.duration: at most 31 days (744h)")
    try:
        window = Window(str(cron), duration, zoneinfo.ZoneInfo(str(zone)))
        window.begins(datetime.datetime.now(datetime.UTC))
    except (cronsim.CronSimError, StopIteration) as error:
        raise RulesError(f"{where}.cron: {cron!r} never begins: {error}") from error
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise RulesError(f"{where}.timeZone: no zone is called {zone!r}") from error
    return window


def _known(where: str, fields: object, names: set[str]) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise RulesError(f"{where}: this is an object")
    if unknown := sorted(fields.keys() - names):
        raise RulesError(f"{where}: unknown field {unknown[0]!r}; known are {sorted(names)}")
    return fields


def _names(where: str, found: object) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise RulesError(f"{where}: this is a list of names")
    return found


def _span(where: str, text: object) -> datetime.timedelta:
    try:
        span = datetime.timedelta(seconds=durations.parse(str(text)))
    except (ValueError, OverflowError) as error:
        raise RulesError(f"{where}: {error}") from error
    if span <= datetime.timedelta():
        raise RulesError(f"{where}: a positive duration such as 8h")
    return span


def _has(names: frozenset[str], name: str) -> bool:
    return ALL in names or name in names
