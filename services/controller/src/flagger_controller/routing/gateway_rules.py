"""The rules of an HTTPRoute: A/B, cookies, weights and mirror (routing.md 7.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.errors import ConfigError
from flagger_controller.routing import affinity, base, gateway_filters, http_match, objects

RETRIES: Final = "flagger.app/gateway-retries"
"""Set to `enabled` on a Canary whose cluster has the experimental channel, which has `retry`.

The API server drops what its definitions do not have.
"""
RETRIED: Final[Mapping[str, Sequence[int]]] = {
    "5xx": (500, 502, 503, 504),
    "gateway-error": (502, 503, 504),
}
"""Istio's policies and the codes that they stand for; others are about connections."""


@dataclass(frozen=True)
class Parts:
    """What all rules that are built for one purpose have in common."""

    matches: list[Object]
    filters: list[Object]
    timeouts: Object | None = None
    retry: Object | None = None
    dialect: http_match.Dialect = http_match.GATEWAY


def rules(canary: Canary, route: Route, *, complete: bool) -> list[Object]:
    """The rules of a route of our own, from `spec.service`.

    Args:
        canary: what to route.
        route: the split to show.
        complete: False for v1beta1, which has no timeouts, no CORS and no primary cookie.

    Raises:
        ConfigError: Gateway API cannot express what the Canary asks for.
    """
    service = objects.service_of(canary)
    parts = Parts(
        http_match.gateway_matches(service.match),
        gateway_filters.service_filters(service, cors=complete),
        _timeouts(canary) if complete else None,
        _retry(canary) if complete else None,
    )
    built = split(canary, route, parts, primary_cookie=complete)
    _check_prefix_rewrite(built)
    return built


def split(canary: Canary, route: Route, parts: Parts, *, primary_cookie: bool) -> list[Object]:
    """Rules from the most special to the general one, which is the last.

    Conditions of the analysis win over cookies: upstream puts the weighted rule between them,
    which then sends everybody to the canary (routing.md 9.3).

    Raises:
        ConfigError: a condition that Gateway API does not have.
    """
    if canary.analysis.match:
        return _tested(canary, route, parts)
    cookies = affinity.affinity(canary, route, primary_cookie=primary_cookie)
    return _pinned(canary, route, parts, cookies)


def _tested(canary: Canary, route: Route, parts: Parts) -> list[Object]:
    """Requests that meet the conditions follow the split, all others stay on the primary."""
    conditions = http_match.gateway_conditions(canary.analysis.match, parts.dialect)
    tested = http_match.crossed(conditions, parts.matches, ("headers", "queryParams"))
    primary = [_backend(canary, canary.primary_service, 100)]
    return [
        _rule(parts, tested, _mirroring(canary, route, parts), _backends(canary, route)),
        _rule(parts, parts.matches, parts.filters, primary),
    ]


def _pinned(canary: Canary, route: Route, parts: Parts, cookies: affinity.Affinity) -> list[Object]:
    """Requests with a cookie go to its version, all others follow the split."""
    filters = _mirroring(canary, route, parts)
    pinned = [
        _rule(
            parts,
            http_match.gateway_sticky(parts.matches, pin.pattern),
            gateway_filters.with_cookie(filters, pin.expire) if pin.expire else filters,
            _backends(canary, Route(primary=pin.primary, canary=100 - pin.primary)),
        )
        for pin in cookies.pins
    ]
    texts = (cookies.primary, cookies.canary)
    weighted = [
        backend | {"filters": [gateway_filters.set_cookie(text)] if text else None}
        for backend, text in zip(_backends(canary, route), texts, strict=True)
    ]
    return [*pinned, _rule(parts, parts.matches, filters, weighted)]


def _rule(
    parts: Parts, matches: list[Object], filters: list[Object], backends: list[Object]
) -> Object:
    rule = {
        "matches": matches,
        "filters": filters or None,
        "timeouts": parts.timeouts,
        "backendRefs": backends,
    }
    return rule | {"retry": parts.retry} if parts.retry else rule


def _backends(canary: Canary, route: Route) -> list[Object]:
    return [
        _backend(canary, canary.primary_service, route.primary),
        _backend(canary, canary.canary_service, route.canary),
    ]


def _backend(canary: Canary, name: str, weight: int) -> Object:
    return {
        "group": "",
        "kind": "Service",
        "name": name,
        "port": objects.service_of(canary).port,
        "weight": weight,
        "filters": None,
    }


def _timeouts(canary: Canary) -> Object | None:
    service = objects.service_of(canary)
    backend = service.backend_timeout
    if _retries(canary):
        backend = backend or str((service.retries or {}).get("perTryTimeout") or "")
    timeouts = {"request": service.timeout, "backendRequest": backend}
    return {name: value for name, value in timeouts.items() if value} or None


def _retries(canary: Canary) -> bool:
    return canary.metadata.annotations.get(RETRIES) == "enabled"


def _retry(canary: Canary) -> Object | None:
    """Retries in the form of Gateway API, which always retries connections that fail."""
    retries = objects.service_of(canary).retries
    if not retries or not _retries(canary):
        return None
    codes: set[int] = set()
    for policy in str(retries.get("retryOn") or "").split(","):
        name = policy.strip()
        codes.update([int(name)] if name.isdecimal() else RETRIED.get(name, ()))
    retry = {"attempts": retries.get("attempts"), "codes": sorted(codes)}
    return {name: value for name, value in retry.items() if value} or None


def _mirroring(canary: Canary, route: Route, parts: Parts) -> list[Object]:
    """With the mirror; `mirrorWeight` is its percentage, all requests when it is not set."""
    if not route.mirrored:
        return parts.filters
    backend = {"name": canary.canary_service, "port": objects.service_of(canary).port}
    percent = canary.analysis.mirror_weight
    return [*parts.filters, gateway_filters.mirror(backend, percent if 0 < percent < 100 else None)]


def _check_prefix_rewrite(built: Sequence[Object]) -> None:
    """Gateway API replaces a prefix only in rules with exactly one match, by prefix (S38)."""
    for rule in built:
        rewrites = [entry.get("urlRewrite") or {} for entry in rule["filters"] or ()]
        kinds = {(rewrite.get("path") or {}).get("type") for rewrite in rewrites}
        paths = [match["path"]["type"] for match in rule["matches"]]
        if "ReplacePrefixMatch" in kinds and paths != ["PathPrefix"]:
            raise ConfigError(
                "spec.service.rewrite.type ReplacePrefixMatch needs exactly one match with a "
                "uri.prefix, and at most one entry in spec.analysis.match"
            )


def rules_of(live: Object | None) -> list[Object]:
    """The rules of a live route."""
    return objects.spec_of(live).get("rules") or []


def weights(rule: Object) -> dict[str, int]:
    """Weight by backend."""
    return {
        str(entry.get("name")): objects.weight_of(entry)
        for entry in objects.items(rule.get("backendRefs"))
    }


def read(canary: Canary, found: Sequence[Object]) -> Route | None:
    """The last rule with both backends tells; the rules before it are for cookies."""
    names = {canary.primary_service, canary.canary_service}
    splits = [each for each in map(weights, found) if names <= each.keys()]
    if not splits:
        return None
    last = splits[-1]
    mirrored = any(mirrors(canary, rule) for rule in found)
    return base.split(last[canary.primary_service], last[canary.canary_service], mirrored=mirrored)


def mirrors(canary: Canary, rule: Object) -> bool:
    """Does a rule copy its requests to the canary?"""
    backends = [
        (entry.get("requestMirror") or {}).get("backendRef") or {}
        for entry in objects.items(rule.get("filters"))
    ]
    return any(backend.get("name") == canary.canary_service for backend in backends)


def our_names(canary: Canary) -> set[str]:
    """The Services whose rules are ours."""
    return {canary.apex_service, canary.primary_service, canary.canary_service}


def on_live(canary: Canary, live: Sequence[Object], built: Sequence[Object]) -> list[Object]:
    """The rules on our live ones, with what others added to rules and backends.

    Rules for other Services stay where they are, before or after ours (S28).
    """
    names = our_names(canary)
    return objects.merged(live, built, lambda rule: bool(names & weights(rule).keys()), _rule_on)


def _rule_on(old: Object, built: Object) -> Object:
    known = {entry.get("name"): entry for entry in objects.items(old.get("backendRefs"))}
    backends = [
        objects.patched(known.get(entry["name"], {}), entry) for entry in built["backendRefs"]
    ]
    return objects.patched(old, built | {"backendRefs": backends})
