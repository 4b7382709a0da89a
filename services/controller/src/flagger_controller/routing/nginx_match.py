"""Conditions as annotations of ingress-nginx: one header, one cookie (routing.md 7.5).

ingress-nginx asks the header first, then the cookie, then the weight. So one header and one cookie
are alternatives, and so are the values of one header; nothing can be required together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flagger_controller.api.base import Object
from flagger_controller.errors import ConfigError
from flagger_controller.routing import affinity, http_match

Header = tuple[str, str, str]
"""Name, operator and value of a condition."""


def conditions(entries: Sequence[Object]) -> dict[str, str]:
    """The annotations for these entries, without the prefix.

    Raises:
        ConfigError: what the annotations cannot express.
    """
    found = [_header(index, entry) for index, entry in enumerate(entries)]
    cookies = sorted({value for name, _, value in found if _is_cookie(name)})
    headers = [header for header in found if not _is_cookie(header[0])]
    if len({name.lower() for name, _, _ in headers}) > 1:
        raise ConfigError(
            "spec.analysis.match names several headers, and NGINX can check one: keep one of "
            + ", ".join(sorted({name for name, _, _ in headers}))
        )
    if len(cookies) > 1:
        raise ConfigError(
            "spec.analysis.match names several cookies, and NGINX can check one: keep one of "
            + ", ".join(cookies)
        )
    annotations = _by_header(headers)
    if cookies:
        annotations["canary-by-cookie"] = cookies[0]
    return annotations


def _header(index: int, entry: Mapping[str, Any]) -> Header:
    """The one condition of an entry."""
    place = f"spec.analysis.match[{index}]"
    for field in ("queryParams", "sourceLabels"):
        if entry.get(field):
            raise ConfigError(f"{place}.{field}: NGINX can check headers and cookies only")
    headers = entry.get("headers") or {}
    if len(headers) != 1:
        raise ConfigError(
            f"{place} has {len(headers)} headers, and NGINX can check exactly one an entry: "
            "entries are alternatives"
        )
    (name, matcher), *_ = headers.items()
    operator, value = http_match.one_value(f"{place}.headers.{name}", matcher)
    if _is_cookie(name) and operator != "exact":
        raise ConfigError(
            f"{place}.headers.{name}: NGINX checks for one cookie with the value always; "
            "name that cookie with exact"
        )
    return name, operator, value


def _is_cookie(name: str) -> bool:
    return name.lower() == affinity.COOKIE.lower()


def _by_header(headers: Sequence[Header]) -> dict[str, str]:
    if not headers:
        return {}
    name = headers[0][0]
    values = list(dict.fromkeys((operator, value) for _, operator, value in headers))
    if len(values) == 1 and values[0][0] == "exact":
        return {"canary-by-header": name, "canary-by-header-value": values[0][1]}
    pattern = "|".join(_pattern(operator, value, len(values)) for operator, value in values)
    return {"canary-by-header": name, "canary-by-header-pattern": pattern}


def _pattern(operator: str, value: str, alternatives: int) -> str:
    """A regular expression that is searched for; users' own ones stay as they are."""
    if operator == "regex":
        return value if alternatives == 1 else f"(?:{value})"
    return http_match.expression(operator, value)
