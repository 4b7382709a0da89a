"""The routes of Gloo's RouteTable: conditions, destinations and weights (routing.md 7.9)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.errors import ConfigError
from flagger_controller.routing import objects

CONDITIONS: Final[Mapping[str, str]] = {"headers": "headers", "queryParams": "queryParameters"}
"""Istio's name to Gloo's."""


def routes(canary: Canary, route: Route, primary: str, ours: str) -> list[Object]:
    """Requests that meet a condition follow the split, all others stay on the primary.

    Upstream writes no route for the others, who get 404, and wants all conditions at once (S22).
    Several matchers of a route are alternatives.

    Args:
        canary: what to route.
        route: the split to show.
        primary: name of the primary's Upstream.
        ours: name of the canary's Upstream.

    Raises:
        ConfigError: a condition that Gloo does not have, or that says nothing.
    """
    split = _destinations(canary, {primary: route.primary, ours: route.canary})
    matchers = [_matcher(index, entry) for index, entry in enumerate(canary.analysis.match)]
    if not matchers:
        return [_route(None, split)]
    everybody_else = _route(None, _destinations(canary, {primary: 100}))
    return [_route(matchers, split), everybody_else]


def weights(route: Object) -> dict[str, int]:
    """Weight by Upstream; an absent one is 0 for Gloo."""
    return {_name(entry): int(entry.get("weight") or 0) for entry in _multi(route)}


def on_live(live: Any, built: Sequence[Object]) -> list[Object]:
    """The routes on our live ones, with what others added to routes and destinations."""
    names = {_name(entry) for route in built for entry in _multi(route)}
    bases = [route if names & weights(route).keys() else {} for route in objects.items(live)]
    return [
        objects.patched(old, route | {"routeAction": _action_on(old, route)})
        for old, route in zip(objects.aligned(bases, len(built)), built, strict=True)
    ]


def _route(matchers: list[Object] | None, destinations: list[Object]) -> Object:
    return {
        "inheritablePathMatchers": True,
        "matchers": matchers,
        "routeAction": {"multi": {"destinations": destinations}},
    }


def _destinations(canary: Canary, split: Mapping[str, int]) -> list[Object]:
    """A weight of zero is left out, as in Gloo's own JSON."""
    return [
        {
            "destination": {"upstream": {"name": name, "namespace": canary.namespace}},
            "weight": weight or None,
        }
        for name, weight in split.items()
    ]


def _multi(route: Object) -> Iterable[Object]:
    action = route.get("routeAction") or {}
    return objects.items((action.get("multi") or {}).get("destinations"))


def _name(entry: Object) -> str:
    upstream = (entry.get("destination") or {}).get("upstream") or {}
    return str(upstream.get("name"))


def _action_on(old: Object, built: Object) -> Object:
    action = old.get("routeAction") or {}
    multi = action.get("multi") or {}
    by_name = {_name(entry): entry for entry in _multi(old)}
    destinations = [objects.patched(by_name.get(_name(new), {}), new) for new in _multi(built)]
    return objects.patched(
        action, {"multi": objects.patched(multi, {"destinations": destinations})}
    )


def _matcher(index: int, condition: Object) -> Object:
    place = f"spec.analysis.match[{index}]"
    if condition.get("sourceLabels"):
        raise ConfigError(f"{place}.sourceLabels cannot be served by provider gloo: remove it")
    matcher = {
        theirs: [
            _value(name, values[name] or {}, f"{place}.{member}.{name}") for name in sorted(values)
        ]
        for member, theirs in CONDITIONS.items()
        if (values := condition.get(member))
    }
    if not matcher:
        raise ConfigError(
            f"{place} has no header or query parameter and would match every request: remove it"
        )
    return matcher


def _value(name: str, matcher: Mapping[str, Any], place: str) -> Object:
    if exact := matcher.get("exact"):
        return {"name": name, "value": exact}
    if regex := matcher.get("regex"):
        return {"name": name, "value": regex, "regex": True}
    raise ConfigError(
        f"{place}: Gloo has no {' or '.join(sorted(matcher)) or 'empty'} operator, "
        "use exact or regex"
    )
