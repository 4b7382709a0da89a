"""Conditions of HTTPProxy routes, from those that users write in Istio's form (routing.md 7.4).

Envoy compares a regular expression with the whole value of a header, as Istio does.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.errors import ConfigError
from flagger_controller.routing import affinity

HEADER_OPERATORS: Final[Mapping[str, Callable[[str], Object]]] = {
    "exact": lambda value: {"exact": value},
    "regex": lambda value: {"regex": value},
    "prefix": lambda value: {"regex": f"^{affinity.quoted(value)}.*$"},
    "suffix": lambda value: {"regex": f"^.*{affinity.quoted(value)}$"},
}
"""Contour has no prefix and suffix of headers; upstream writes both as `contains` (S24)."""
QUERY_OPERATORS: Final[Mapping[str, Callable[[str], Object]]] = {
    "exact": lambda value: {"exact": value},
    "prefix": lambda value: {"prefix": value},
    "regex": lambda value: {"regex": value},
}
SUPPORTED: Final = frozenset({"headers", "queryParams"})


def prefixes(matches: Sequence[Object]) -> list[str]:
    """The paths that the Canary serves: upstream's, and those of further entries.

    Upstream reads the first entry only, as everything when it has no prefix. Nothing but prefixes
    is read of these entries.
    """
    given = [(match.get("uri") or {}).get("prefix") or "" for match in matches]
    first = (given[0] if given else "") or "/"
    return list(dict.fromkeys([first, *filter(None, given[1:])]))


def tested(conditions: Sequence[Object]) -> list[list[Object]]:
    """For each condition of the analysis what a request must meet, all of it.

    Raises:
        ConfigError: a condition that Contour does not have, or that says nothing.
    """
    return [_all_of(entry, f"spec.analysis.match[{i}]") for i, entry in enumerate(conditions)]


def sticky(pattern: str) -> list[Object]:
    """Requests that carry a cookie."""
    return [{"header": {"name": affinity.COOKIE, "regex": pattern}}]


def route_conditions(prefix: str, conditions: Sequence[Object]) -> list[Object]:
    """The conditions of one route, with its prefix once: twice is invalid for Contour (S24)."""
    first, *others = conditions or [{}]
    return [{"prefix": prefix, **first}, *others]


def _all_of(entry: Object, place: str) -> list[Object]:
    for name in sorted(name for name, value in entry.items() if value):
        if name not in SUPPORTED:
            raise ConfigError(f"{place}.{name} does not exist in Contour: remove it")
    found = [
        *_each(entry, "headers", "header", HEADER_OPERATORS, place),
        *_each(entry, "queryParams", "queryParameter", QUERY_OPERATORS, place),
    ]
    if not found:
        raise ConfigError(
            f"{place} has no header or query parameter and would match every request: "
            "add one, or remove the entry"
        )
    return found


def _each(
    entry: Object,
    member: str,
    ours: str,
    operators: Mapping[str, Callable[[str], Object]],
    place: str,
) -> list[Object]:
    given = entry.get(member) or {}
    return [
        {ours: {"name": name, **_operator(given[name], operators, f"{place}.{member}.{name}")}}
        for name in sorted(given)
    ]


def _operator(
    matcher: Mapping[str, Any] | None, operators: Mapping[str, Callable[[str], Object]], place: str
) -> Object:
    for operator, write in operators.items():
        if value := (matcher or {}).get(operator):
            return write(str(value))
    raise ConfigError(
        f"{place}: Contour has no {' or '.join(sorted(matcher or {})) or 'empty'} operator here, "
        f"use {' or '.join(sorted(operators))}"
    )
