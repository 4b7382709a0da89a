"""Conditions of HTTPProxy routes, from those that users write in Istio's form (routing.md 7.4).

Envoy compares a regular expression with the whole value of a header, as Istio does.
"""

from collections.abc import Sequence
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.routing import affinity
from flagger_controller.routing.conditions import Language

LANGUAGE: Final = Language[Object](
    provider="Contour",
    headers={
        "exact": lambda name, value: _header(name, exact=value),
        "regex": lambda name, value: _header(name, regex=value),
        "prefix": lambda name, value: _header(name, regex=f"^{affinity.quoted(value)}.*$"),
        "suffix": lambda name, value: _header(name, regex=f"^.*{affinity.quoted(value)}$"),
    },
    query={
        "exact": lambda name, value: _parameter(name, exact=value),
        "prefix": lambda name, value: _parameter(name, prefix=value),
        "regex": lambda name, value: _parameter(name, regex=value),
    },
)
"""Contour has no prefix and suffix of headers; upstream writes both as `contains` (S24)."""


def prefixes(matches: Sequence[Object]) -> list[str]:
    """The paths that the Canary serves: upstream's, and those of further entries.

    Upstream reads the first entry only, as everything when it has no prefix. Nothing but prefixes
    is read of these entries.
    """
    given = [(match.get("uri") or {}).get("prefix") or "" for match in matches]
    first = (given[0] if given else "") or "/"
    return list(dict.fromkeys([first, *filter(None, given[1:])]))


def sticky(pattern: str) -> list[Object]:
    """Requests that carry a cookie."""
    return [_header(affinity.COOKIE, regex=pattern)]


def route_conditions(prefix: str, conditions: Sequence[Object]) -> list[Object]:
    """The conditions of one route, with its prefix once: twice is invalid for Contour (S24)."""
    first, *others = conditions or [{}]
    return [{"prefix": prefix, **first}, *others]


def _header(name: str, **operator: str) -> Object:
    return {"header": {"name": name, **operator}}


def _parameter(name: str, **operator: str) -> Object:
    return {"queryParameter": {"name": name, **operator}}
