"""The routes of an Istio VirtualService: HTTP and TCP (routing.md 7.1)."""

from collections.abc import Sequence
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.errors import ConfigError
from flagger_controller.routing import affinity, http_match, objects

MESH: Final = "mesh"
"""Istio's name for all sidecars, as opposed to a gateway."""


def is_tcp(canary: Canary) -> bool:
    """Does the Canary route connections rather than requests?"""
    return objects.service_of(canary).app_protocol.lower() == "tcp"


def spec(canary: Canary, route: Route, live: Object) -> Object:
    """The members of a VirtualService's spec that we own, built on the live spec.

    Raises:
        ConfigError: Istio cannot express what the Canary asks for.
    """
    tcp = is_tcp(canary)
    return {
        **_where(canary),
        "http": None if tcp else _on_live(canary, live.get("http"), _http(canary, route)),
        "tcp": _on_live(canary, live.get("tcp"), _tcp(canary, route)) if tcp else None,
    }


def _where(canary: Canary) -> Object:
    """Hosts and gateways; a delegate has neither, its root VirtualService has them."""
    service = objects.service_of(canary)
    if service.delegation:
        if service.hosts or service.gateways:
            raise ConfigError(
                "spec.service.delegation excludes spec.service.hosts and spec.service.gateways: "
                "set them on the root VirtualService"
            )
        return {"hosts": [], "gateways": None}
    apex = canary.apex_service
    known = apex in service.hosts or "*" in service.hosts
    return {
        "hosts": [*service.hosts] if known else [*service.hosts, apex],
        "gateways": list(service.gateways) or [MESH],
    }


def _http(canary: Canary, route: Route) -> list[Object]:
    """Routes from the most special to the general one.

    Conditions of the analysis win over cookies. The mirror belongs to the route that carries the
    weights: upstream puts it on the first one, where cookies or conditions lose it (S14).
    """
    service = objects.service_of(canary)
    mirror = _mirror(canary) if route.mirrored else {}
    split = _destinations(canary, route)
    matches = list(service.match)
    if canary.analysis.match:
        tested = http_match.istio_tested(canary.analysis.match, matches)
        return [
            _http_route(canary, tested, split) | mirror,
            _http_route(canary, matches, [_lone_primary(canary)]),
        ]
    cookies = affinity.affinity(canary, route)
    pinned = [_pinned(canary, pin) for pin in cookies.pins]
    texts = (cookies.primary, cookies.canary)
    weighted = [
        destination | {"headers": _set_cookie({}, text) if text else None}
        for destination, text in zip(split, texts, strict=True)
    ]
    return [*pinned, _http_route(canary, matches, weighted) | mirror]


def _pinned(canary: Canary, pin: affinity.Pin) -> Object:
    service = objects.service_of(canary)
    split = _destinations(canary, Route(primary=pin.primary, canary=100 - pin.primary))
    route = _http_route(canary, http_match.istio_sticky(service.match, pin.pattern), split)
    if not pin.expire:
        return route
    return route | {"headers": _set_cookie(service.headers or {}, pin.expire)}


def _set_cookie(headers: Object, text: str) -> Object:
    """A copy of these header operations that also sets a cookie.

    Upstream adds the cookie to the shared original, and so to the answers of every client (S12).
    """
    response = headers.get("response") or {}
    add = {**(response.get("add") or {}), affinity.SET_COOKIE: text}
    return {**headers, "response": {**response, "add": add}}


def _http_route(canary: Canary, matches: list[Object], destinations: list[Object]) -> Object:
    service = objects.service_of(canary)
    rewrite = {
        name: value
        for name, value in (service.rewrite or {}).items()
        if name in ("uri", "authority") and value
    }
    return {
        "match": matches or None,
        "rewrite": rewrite or None,
        "timeout": service.timeout or None,
        "retries": service.retries,
        "corsPolicy": service.cors_policy,
        "headers": service.headers,
        "mirror": None,
        "mirrorPercentage": None,
        "route": destinations,
    }


def _mirror(canary: Canary) -> Object:
    weight = canary.analysis.mirror_weight
    return {
        "mirror": {"host": canary.canary_service},
        "mirrorPercentage": {"value": float(weight)} if weight > 0 else None,
    }


def _tcp(canary: Canary, route: Route) -> list[Object]:
    """One route by port; connections have no conditions, mirror or cookies.

    An entry of `service.match` without a port matches every connection, and so does the list.
    """
    analysis = canary.analysis
    for name, asked in (
        ("match", analysis.match),
        ("mirror", analysis.mirror),
        ("sessionAffinity", analysis.session_affinity),
    ):
        if asked:
            raise ConfigError(
                f"spec.analysis.{name} cannot be served with spec.service.appProtocol tcp: "
                "remove one"
            )
    ports = [entry.get("port") for entry in objects.service_of(canary).match]
    match = [{"port": port} for port in ports] if all(ports) else []
    return [{"match": match or None, "route": _destinations(canary, route)}]


def _destinations(canary: Canary, route: Route) -> list[Object]:
    return [
        _destination(canary, canary.primary_service) | {"weight": route.primary},
        _destination(canary, canary.canary_service) | {"weight": route.canary},
    ]


def _lone_primary(canary: Canary) -> Object:
    """A destination of its own gets everything, and needs no weight that says otherwise (S35)."""
    return _destination(canary, canary.primary_service) | {"weight": None}


def _destination(canary: Canary, host: str) -> Object:
    """A destination; with several ports and no sidecar to know them, Istio needs the number."""
    service = objects.service_of(canary)
    at_gateway = bool(service.gateways) and service.gateways[0] != MESH
    numbered = service.port_discovery and (at_gateway or service.delegation)
    port = {"number": service.port} if numbered else None
    return {"destination": {"host": host, "port": port}, "headers": None}


def hosts(route: Object) -> dict[str, int]:
    """Weight by destination; an absent weight counts as 0 for Istio."""
    return {
        str((entry.get("destination") or {}).get("host")): int(entry.get("weight") or 0)
        for entry in objects.items(route.get("route"))
    }


def is_ours(canary: Canary, live: Object) -> bool:
    """Does a live spec send anything to our Services?"""
    ours = {canary.primary_service, canary.canary_service}
    return any(
        ours & hosts(route).keys()
        for kind in ("http", "tcp")
        for route in objects.items(live.get(kind))
    )


def _on_live(canary: Canary, live: Any, built: Sequence[Object]) -> list[Object]:
    """The routes on our live ones, with what others added to routes and destinations."""
    ours = {canary.primary_service, canary.canary_service}
    bases = [route if ours & hosts(route).keys() else {} for route in objects.items(live)]
    return [
        objects.patched(old, route | {"route": _destinations_on(old, route["route"])})
        for old, route in zip(objects.aligned(bases, len(built)), built, strict=True)
    ]


def _destinations_on(route: Object, built: Sequence[Object]) -> list[Object]:
    by_host = {
        (entry.get("destination") or {}).get("host"): entry
        for entry in objects.items(route.get("route"))
    }
    result = []
    for entry in built:
        old = by_host.get(entry["destination"]["host"], {})
        destination = objects.patched(old.get("destination") or {}, entry["destination"])
        result.append(objects.patched(old, entry | {"destination": destination}))
    return result
