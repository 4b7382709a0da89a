"""Request conditions: written by users in Istio's form, combined and mapped here.

A condition of `analysis.match` that cannot be expressed is refused, never dropped: without it the
rule for the canary would match everybody (routing.md S4).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.errors import ConfigError
from flagger_controller.routing import affinity
from flagger_controller.routing.affinity import COOKIE

PATH_TYPES: Final = {"regex": "RegularExpression", "exact": "Exact", "prefix": "PathPrefix"}
"""Istio's name to Gateway API's, first hit wins."""
VALUE_TYPES: Final = {"exact": "Exact", "regex": "RegularExpression"}


@dataclass(frozen=True)
class Dialect:
    """A kind of route that says its matches in Gateway API's form."""

    name: str = "Gateway API"
    headers: Mapping[str, str] = field(default_factory=lambda: VALUE_TYPES)
    """Istio's operators on headers to those of the route, first hit wins."""


GATEWAY: Final = Dialect()
ROOT: Final[Mapping[str, Any]] = {"path": {"type": "PathPrefix", "value": "/"}}
"""What the API server makes of a match without a path; written out so that it is no drift."""
ISTIO_CONDITIONS: Final = ("headers", "queryParams", "sourceLabels")
"""What a condition replaces in a match of the service; upstream forgets queryParams."""


def crossed(
    conditions: Iterable[Object], matches: Sequence[Object], members: Sequence[str]
) -> list[Object]:
    """Every condition with every match of the service; a condition's members replace."""
    return [
        match | {name: condition[name] for name in members if condition.get(name)}
        for condition in conditions
        for match in matches
    ]


def istio_tested(conditions: Sequence[Object], matches: Sequence[Object]) -> list[Object]:
    """The matches of requests under test: the conditions, within the service's matches.

    Raises:
        ConfigError: a condition that says nothing, or that Istio's schema would drop.
    """
    for index, condition in enumerate(conditions):
        said = [condition.get(name) for name in ISTIO_CONDITIONS] if matches else condition.values()
        if not any(said):
            raise _refused(index, "says nothing and would match every request")
        for name, matcher in (condition.get("headers") or {}).items():
            if "suffix" in (matcher or {}):
                raise _refused(index, f"header {name}: Istio has exact, prefix and regex only")
    return crossed(conditions, matches, ISTIO_CONDITIONS) if matches else list(conditions)


def istio_sticky(matches: Sequence[Object], pattern: str) -> list[Object]:
    """The service's matches, for requests with a cookie."""
    cookie = {COOKIE: {"regex": pattern}}
    return [
        match | {"headers": {**(match.get("headers") or {}), **cookie}} for match in matches or [{}]
    ]


def gateway_matches(matches: Iterable[Object], dialect: Dialect = GATEWAY) -> list[Object]:
    """The service's matches in Gateway API's form (routing.md 7.2).

    Members without a counterpart there (scheme, authority, port, ...) are dropped, and so is an
    entry of which nothing is left; without any entry everything matches.

    Raises:
        ConfigError: an operator that Gateway API does not have.
    """
    mapped = [
        gateway_match(match, f"spec.service.match[{index}]", dialect)
        for index, match in enumerate(matches)
    ]
    return [{**ROOT, **match} for match in mapped if match] or [dict(ROOT)]


def gateway_match(match: Object, place: str, dialect: Dialect = GATEWAY) -> Object:
    """One match in Gateway API's form, without what has no counterpart there.

    Raises:
        ConfigError: an operator that Gateway API does not have.
    """
    mapped: Object = {}
    if uri := match.get("uri"):
        kind, value = _operator(uri, PATH_TYPES, f"{place}.uri", dialect)
        mapped["path"] = {"type": kind, "value": value}
    if method := match.get("method"):
        mapped["method"] = _operator(method, {"exact": "Exact"}, f"{place}.method", dialect)[1]
    for member, kinds in (("headers", dialect.headers), ("queryParams", VALUE_TYPES)):
        if conditions := match.get(member):
            mapped[member] = [
                _value_match(name, conditions[name] or {}, kinds, f"{place}.{member}", dialect)
                for name in sorted(conditions)
            ]
    return mapped


def gateway_conditions(conditions: Iterable[Object], dialect: Dialect = GATEWAY) -> list[Object]:
    """The conditions of the analysis in Gateway API's form.

    Raises:
        ConfigError: a condition that Gateway API does not have, or that says nothing.
    """
    mapped = []
    for index, condition in enumerate(conditions):
        if condition.get("sourceLabels"):
            raise _refused(index, f"sourceLabels do not exist in {dialect.name}")
        match = gateway_match(condition, f"spec.analysis.match[{index}]", dialect)
        if not match.get("headers") and not match.get("queryParams"):
            raise _refused(index, "has no header or query parameter and would match every request")
        mapped.append(match)
    return mapped


def gateway_sticky(matches: Sequence[Object], pattern: str) -> list[Object]:
    """The service's matches, for requests with a cookie."""
    cookie = {"type": "RegularExpression", "name": COOKIE, "value": pattern}
    return [
        match | {"headers": [*_without_cookie(match.get("headers") or []), cookie]}
        for match in matches
    ]


def one_value(place: str, matcher: Mapping[str, Any] | None) -> tuple[str, str]:
    """The operator of a header condition and what it asks for.

    Raises:
        ConfigError: none is given, or several are.
    """
    given = [(operator, str(value)) for operator, value in (matcher or {}).items() if value]
    if len(given) != 1:
        raise ConfigError(f"{place} says nothing: give it exactly one value")
    return given[0]


def expression(operator: str, value: str) -> str:
    """The regular expression for proxies that search; it finds what Istio would match."""
    match operator:
        case "regex":
            return f"^(?:{value})$"
        case "prefix":
            return f"^{affinity.quoted(value)}"
        case "suffix":
            return f"{affinity.quoted(value)}$"
        case _:
            return f"^{affinity.quoted(value)}$"


def _without_cookie(headers: Iterable[Object]) -> list[Object]:
    """A header may be named once a match."""
    return [header for header in headers if header["name"].lower() != COOKIE.lower()]


def _value_match(
    name: str, matcher: Mapping[str, Any], kinds: Mapping[str, str], place: str, dialect: Dialect
) -> Object:
    kind, value = _operator(matcher, kinds, f"{place}.{name}", dialect)
    return {"type": kind, "name": name, "value": value}


def _operator(
    matcher: Mapping[str, Any], kinds: Mapping[str, str], place: str, dialect: Dialect
) -> tuple[str, str]:
    for operator, kind in kinds.items():
        if matcher.get(operator):
            return kind, str(matcher[operator])
    raise ConfigError(
        f"{place}: {dialect.name} has no {' or '.join(sorted(matcher)) or 'empty'} operator here, "
        f"use {' or '.join(sorted(kinds))}"
    )


def _refused(index: int, why: str) -> ConfigError:
    return ConfigError(f"spec.analysis.match[{index}] {why}")
