"""The routes of an HTTPProxy: A/B, cookies, weights and mirror (routing.md 7.4).

Contour takes the most special route that matches, in whatever order they are written, and of two
with the same conditions it takes either.
"""

import json
from collections.abc import Sequence
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.routing import affinity, contour_match, objects

REQUEST: Final = "requestHeadersPolicy"
RESPONSE: Final = "responseHeadersPolicy"
LINKERD: Final = "l5d-dst-override"
"""Tells a Linkerd proxy beside Envoy where a request goes."""
EVERYTHING: Final = [{"prefix": "/"}]
"""What Contour makes of a route without conditions."""


def routes(canary: Canary, route: Route) -> list[Object]:
    """Our routes for this split; conditions of the analysis win over cookies.

    Raises:
        ConfigError: Contour cannot express what the Canary asks for.
    """
    split = _split(canary, route)
    paths = contour_match.prefixes(objects.service_of(canary).match)
    if canary.analysis.match:
        tested = contour_match.LANGUAGE.all_of(canary.analysis.match)
        return [
            *(_route(canary, path, split, found) for found in tested for path in paths),
            *(_route(canary, path, _split(canary, Route())) for path in paths),
        ]
    cookies = affinity.affinity(canary, route)
    texts = {canary.primary_service: cookies.primary, canary.canary_service: cookies.canary}
    weighted = [
        service if service.get("mirror") else service | {RESPONSE: _cookie(texts[service["name"]])}
        for service in split
    ]
    return [
        *(_pinned(canary, path, pin) for pin in cookies.pins for path in paths),
        *(_route(canary, path, weighted) for path in paths),
    ]


def _pinned(canary: Canary, path: str, pin: affinity.Pin) -> Object:
    split = _split(canary, Route(primary=pin.primary, canary=100 - pin.primary))
    route = _route(canary, path, split, contour_match.sticky(pin.pattern))
    return route | {RESPONSE: _cookie(pin.expire)}


def _route(
    canary: Canary, path: str, services: Sequence[Object], conditions: Sequence[Object] = ()
) -> Object:
    service = objects.service_of(canary)
    timeouts = {"response": service.timeout, "idle": "5m"}
    return {
        "conditions": contour_match.route_conditions(path, conditions),
        "timeoutPolicy": timeouts if service.timeout else None,
        "retryPolicy": _retries(service.retries),
        RESPONSE: None,
        "services": list(services),
    }


def _retries(retries: Object | None) -> Object | None:
    """Upstream writes a condition without a name where none is given; Contour refuses that."""
    if retries is None:
        return None
    conditions = [text.strip() for text in (retries.get("retryOn") or "").split(",")]
    policy = {
        "count": int(retries.get("attempts") or 0),
        "perTryTimeout": retries.get("perTryTimeout") or None,
        "retryOn": [text for text in conditions if text] or None,
    }
    return {name: value for name, value in policy.items() if value is not None}


def _split(canary: Canary, route: Route) -> list[Object]:
    """Both backends, and the canary once more while it is mirrored to."""
    services = [
        _service(canary, canary.primary_service, route.primary),
        _service(canary, canary.canary_service, route.canary),
    ]
    if not route.mirrored:
        return services
    percent = canary.analysis.mirror_weight
    copy = _service(canary, canary.canary_service, percent)
    return [*services, copy | {"mirror": True, REQUEST: None}]


def _service(canary: Canary, name: str, weight: int) -> Object:
    """A backend; without a weight it has no traffic beside one with a weight (routing.md 4.4)."""
    port = objects.service_of(canary).port
    host = f"{name}.{canary.namespace}.svc.cluster.local:{port}"
    return {
        "name": name,
        "port": port,
        "weight": weight or None,
        "mirror": None,
        REQUEST: {"set": [{"name": LINKERD, "value": host}]},
        RESPONSE: None,
    }


def _cookie(text: str) -> Object | None:
    return {"set": [{"name": affinity.SET_COOKIE, "value": text}]} if text else None


def weights(route: Object) -> dict[str, int]:
    """Weight by backend; an absent one counts as 0 for Contour."""
    return {
        str(entry.get("name")): int(entry.get("weight") or 0)
        for entry in objects.items(route.get("services"))
        if not entry.get("mirror")
    }


def mirrors(canary: Canary, route: Object) -> bool:
    """Does a route copy its requests to the canary?"""
    return any(
        entry.get("mirror") and entry.get("name") == canary.canary_service
        for entry in objects.items(route.get("services"))
    )


def split_routes(canary: Canary, live: Object) -> list[Object]:
    """Of a live spec the routes that carry the split: under conditions, if the analysis has any.

    Of the others those without conditions carry it, as cookies are conditions too.
    """
    names = {canary.primary_service, canary.canary_service}
    return [
        route
        for route in objects.items(live.get("routes"))
        if names <= weights(route).keys() and _is_special(route) == bool(canary.analysis.match)
    ]


def _is_special(route: Object) -> bool:
    return any(
        condition.get("header") or condition.get("queryParameter")
        for condition in objects.items(route.get("conditions"))
    )


def on_live(canary: Canary, live: Sequence[Object], built: Sequence[Object]) -> list[Object]:
    """Our routes on the live ones with the same conditions, and the routes of others.

    A route of others with the conditions of one of ours is replaced. What was added to our last
    route is given to new ones as well: they lead to the same pods.
    """
    ours = {canary.primary_service, canary.canary_service}
    mine = [route for route in live if ours & _names(route)]
    model: Object = mine[-1] if mine else {}
    others = [route for route in live if not ours & _names(route)]
    same = {_conditions(route): route for route in reversed([*mine, *others])}
    wanted = {_conditions(route) for route in built}
    return [
        *(_route_on(same.get(_conditions(route), model), route) for route in built),
        *(route for route in others if _conditions(route) not in wanted),
    ]


def _names(route: Object) -> set[str]:
    return {str(entry.get("name")) for entry in objects.items(route.get("services"))}


def _conditions(route: Object) -> str:
    """The conditions as text, for comparing: the API server sorts the members of an object."""
    return json.dumps(route.get("conditions") or EVERYTHING, sort_keys=True)


def _route_on(old: Object, built: Object) -> Object:
    owned = {
        RESPONSE: _policy(old.get(RESPONSE), built[RESPONSE], affinity.SET_COOKIE),
        "services": _services_on(old, built["services"]),
    }
    return objects.patched(old, built | owned)


def _services_on(old: Object, built: Sequence[Object]) -> list[Object]:
    """Services on the live ones; a new one is spoken to as the first."""
    live = list(objects.items(old.get("services")))
    known = {(entry.get("name"), bool(entry.get("mirror"))): entry for entry in live}
    model: Object = live[0] if live else {}
    result = []
    for service in built:
        base = known.get((service["name"], bool(service["mirror"])), model)
        policies = {
            REQUEST: _policy(base.get(REQUEST), service[REQUEST], LINKERD),
            RESPONSE: _policy(base.get(RESPONSE), service[RESPONSE], affinity.SET_COOKIE),
        }
        result.append(objects.patched(base, service | policies))
    return result


def _policy(live: Object | None, built: Object | None, name: str) -> Object | None:
    """A headers policy with our header, or without it, and with the headers of others."""
    policy = live or {}
    ours = (built or {}).get("set", [])
    others = [
        entry
        for entry in objects.items(policy.get("set"))
        if str(entry.get("name")).lower() != name.lower()
    ]
    return objects.patched(policy, {"set": [*ours, *others] or None}) or None
