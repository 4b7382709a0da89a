"""The rules of an HTTPRoute: A/B, cookies, weights and mirror (routing.md 7.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.errors import ConfigError
from flagger_controller.routing import affinity, gateway_filters, http_match, objects


@dataclass(frozen=True)
class _Parts:
    """What all rules of a route have in common."""

    matches: list[Object]
    filters: list[Object]
    timeouts: Object | None


def rules(canary: Canary, route: Route, *, complete: bool) -> list[Object]:
    """Rules from the most special to the general one.

    Conditions of the analysis win over cookies: upstream puts the weighted rule between them,
    which then sends everybody to the canary (routing.md 9.3).

    Args:
        canary: what to route.
        route: the split to show.
        complete: False for v1beta1, which has no timeouts, no CORS and no primary cookie.

    Raises:
        ConfigError: Gateway API cannot express what the Canary asks for.
    """
    service = objects.service_of(canary)
    parts = _Parts(
        http_match.gateway_matches(service.match),
        gateway_filters.service_filters(service, cors=complete),
        _timeouts(canary) if complete else None,
    )
    cookies = affinity.affinity(canary, route, primary_cookie=complete)
    built = (
        _tested(canary, route, parts)
        if canary.analysis.match
        else _pinned(canary, route, parts, cookies)
    )
    _check_prefix_rewrite(built)
    return built


def _tested(canary: Canary, route: Route, parts: _Parts) -> list[Object]:
    """Requests that meet the conditions follow the split, all others stay on the primary."""
    conditions = http_match.gateway_conditions(canary.analysis.match)
    tested = http_match.crossed(conditions, parts.matches, ("headers", "queryParams"))
    primary = [_backend(canary, canary.primary_service, 100)]
    return [
        _rule(parts, tested, _mirroring(canary, route, parts), _backends(canary, route)),
        _rule(parts, parts.matches, parts.filters, primary),
    ]


def _pinned(
    canary: Canary, route: Route, parts: _Parts, cookies: affinity.Affinity
) -> list[Object]:
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
    parts: _Parts, matches: list[Object], filters: list[Object], backends: list[Object]
) -> Object:
    return {
        "matches": matches,
        "filters": filters or None,
        "timeouts": parts.timeouts,
        "backendRefs": backends,
    }


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
    timeouts = {"request": service.timeout, "backendRequest": service.backend_timeout}
    return {name: value for name, value in timeouts.items() if value} or None


def _mirroring(canary: Canary, route: Route, parts: _Parts) -> list[Object]:
    """With the mirror, which exists during iterations only; the engine asks for no other."""
    if not route.mirrored or canary.analysis.iterations < 1:
        return parts.filters
    backend = {"name": canary.canary_service, "port": objects.service_of(canary).port}
    return [*parts.filters, gateway_filters.mirror(backend)]


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


def mirrors(canary: Canary, rule: Object) -> bool:
    """Does a rule copy its requests to the canary?"""
    backends = [
        (entry.get("requestMirror") or {}).get("backendRef") or {}
        for entry in objects.items(rule.get("filters"))
    ]
    return any(backend.get("name") == canary.canary_service for backend in backends)


def on_live(canary: Canary, live: Sequence[Object], built: Sequence[Object]) -> list[Object]:
    """The rules on our live ones, with what others added to rules and backends."""
    ours = {canary.primary_service, canary.canary_service}
    bases = [rule if ours & weights(rule).keys() else {} for rule in live]
    return [
        objects.patched(old, rule | {"backendRefs": _backends_on(old, rule["backendRefs"])})
        for old, rule in zip(objects.aligned(bases, len(built)), built, strict=True)
    ]


def _backends_on(rule: Object, backends: Sequence[Object]) -> list[Object]:
    by_name = {entry.get("name"): entry for entry in objects.items(rule.get("backendRefs"))}
    return [objects.patched(by_name.get(entry["name"], {}), entry) for entry in backends]
