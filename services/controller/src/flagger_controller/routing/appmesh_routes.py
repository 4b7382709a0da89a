"""The routes of App Mesh, and what its two API versions write the same way (routing.md 7.12, 7.13).

A version is a `Dialect`: the names it has for things.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from flagger_common import durations
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.errors import ConfigError
from flagger_controller.routing import base, objects
from flagger_controller.routing.base import RouterSettings

ACCESS_LOG: Final = "appmesh.flagger.app/accesslog"
"""Annotation of a Canary; `enabled` sends the access log of its nodes to their output."""
GATEWAY: Final = "gateway.appmesh.k8s.aws/"
OPERATORS: Final = ("exact", "prefix", "regex", "suffix")
TESTED, OTHERS = 10, 20
"""Priorities of the first tested route and of everybody else's; the lower one is asked first."""
PER_TRY: Final = 250
"""Milliseconds of a try when `retries.perTryTimeout` is empty or cannot be parsed."""


@dataclass(frozen=True)
class Dialect:
    """What a version of the API calls things."""

    http: str
    """The member of a route."""
    target: Callable[[str], Object]
    """The member of a weighted target that names a VirtualNode."""
    name: Callable[[Object], Any]
    """The VirtualNode that a weighted target names."""
    per_try: Callable[[int], Object]
    """The member of a retry policy that limits a try, from milliseconds."""
    timeout: Callable[[int], Object | None]
    """The timeout of a route from milliseconds; None where routes have none."""


def protocol(canary: Canary) -> str:
    """The protocol of listeners."""
    return "grpc" if "grpc" in objects.service_of(canary).port_name else "http"


def milliseconds(text: str) -> int | None:
    """A duration of the Canary; None when it is empty or cannot be parsed, as upstream has it."""
    try:
        return int(durations.parse(text) * 1000)
    except ValueError:
        return None


def access_log(canary: Canary) -> Object | None:
    """The access log of a VirtualNode."""
    if canary.metadata.annotations.get(ACCESS_LOG) != "enabled":
        return None
    return {"accessLog": {"file": {"path": "/dev/stdout"}}}


def _gateway_annotations(canary: Canary) -> dict[str, str]:
    """What App Mesh's gateway reads; the list of hosts ends with a comma, as upstream has it."""
    service = objects.service_of(canary)
    if not service.hosts:
        return {}
    told = {"expose": "true", "domain": "".join(f"{host}," for host in service.hosts)}
    if service.timeout:
        told["timeout"] = service.timeout
    if (attempts := (service.retries or {}).get("attempts") or 0) > 0:
        told["retries"] = str(attempts)
    return {f"{GATEWAY}{name}": value for name, value in told.items()}


def listener(live: Any, port: int, canary: Canary, **more: Object | None) -> list[Object]:
    """The one listener of a node or router, with what others added to it, such as a health check.

    Args:
        live: the listeners that are there.
        port: what it listens on.
        canary: whose listener.
        more: further members that are ours.
    """
    old: Object = next(iter(objects.items(live)), {})
    mapping = {"port": port, "protocol": protocol(canary)}
    owned = {"portMapping": objects.patched(old.get("portMapping") or {}, mapping), **more}
    return [objects.patched(old, owned)]


def routes(canary: Canary, route: Route, dialect: Dialect) -> list[Object]:
    """Requests that meet a condition follow the split, all others stay on the primary.

    Upstream puts all conditions into one route, which wants all of them at once; here every entry
    has a route of its own.

    Raises:
        ConfigError: a condition that App Mesh does not have, or that says nothing.
    """
    apex = canary.apex_service
    split = _targets(canary, route, dialect)
    tested = [_headers(index, entry) for index, entry in enumerate(canary.analysis.match)]
    if not tested:
        return [_route(canary, apex, split, dialect)]
    primary = [{**dialect.target(canary.primary_service), "weight": 100}]
    others = max(OTHERS, TESTED + len(tested))
    return [
        *(
            _route(canary, _name(apex, index), split, dialect, TESTED + index, headers)
            for index, headers in enumerate(tested)
        ),
        _route(canary, f"{apex}-b", primary, dialect, others),
    ]


def canary_routes(canary: Canary, dialect: Dialect) -> list[Object]:
    """The route of the canary's own VirtualService, for tests before there is any traffic."""
    targets = _targets(canary, Route(primary=0, canary=100), dialect)
    return [_route(canary, canary.canary_service, targets, dialect)]


def on_live(live: Any, built: Sequence[Object], dialect: Dialect) -> list[Object]:
    """The routes on those of the same name, with what others added to routes and targets."""
    by_name = {route.get("name"): route for route in objects.items(live)}
    return [_route_on(by_name.get(new["name"], {}), new, dialect) for new in built]


def split(canary: Canary, live: Any, dialect: Dialect) -> Route | None:
    """The split that the first route tells."""
    route: Object = next(iter(objects.items(live)), {})
    targets = _targets_of(route.get(dialect.http) or {})
    weights = {dialect.name(target): int(target.get("weight") or 0) for target in targets}
    return base.split(weights.get(canary.primary_service, 0), weights.get(canary.canary_service, 0))


def stamps(
    canary: Canary, traits: Traits, settings: RouterSettings
) -> tuple[objects.Stamp, objects.Stamp, objects.Stamp]:
    """The metadata of nodes, of what belongs to the apex, and of what belongs to the canary.

    The engine asks for nodes before there is an apex Service: no label of it (4.2).
    """
    nodes = objects.apex_stamp(canary, replace(traits, selector=None), settings)
    owner = objects.owner_stamp(canary, settings)
    return nodes, replace(owner, annotations=_gateway_annotations(canary)), owner


def _name(apex: str, index: int) -> str:
    return f"{apex}-a" if index == 0 else f"{apex}-a{index + 1}"


def _targets(canary: Canary, route: Route, dialect: Dialect) -> list[Object]:
    return [
        {**dialect.target(canary.canary_service), "weight": route.canary},
        {**dialect.target(canary.primary_service), "weight": route.primary},
    ]


def _route(
    canary: Canary,
    name: str,
    targets: list[Object],
    dialect: Dialect,
    priority: int | None = None,
    headers: list[Object] | None = None,
) -> Object:
    service = objects.service_of(canary)
    timeout = milliseconds(service.timeout)
    http = {
        "match": {"prefix": _prefix(service.match)} | ({"headers": headers} if headers else {}),
        "timeout": None if timeout is None else dialect.timeout(timeout),
        "retryPolicy": _retries(service.retries, dialect),
        "action": {"weightedTargets": targets},
    }
    return {"name": name, "priority": priority, dialect.http: http}


def _prefix(matches: Sequence[Object]) -> str:
    """App Mesh knows prefixes only, and the first one counts."""
    uri = (matches[0].get("uri") or {}) if matches else {}
    return str(uri.get("prefix") or "/")


def _retries(retries: Object | None, dialect: Dialect) -> Object | None:
    if retries is None:
        return None
    per_try = milliseconds(retries.get("perTryTimeout") or "")
    return {
        **dialect.per_try(PER_TRY if per_try is None else per_try),
        "maxRetries": max(1, retries.get("attempts") or 1),
        "httpRetryEvents": (retries.get("retryOn") or "gateway-error").split(","),
    }


def _headers(index: int, condition: Object) -> list[Object]:
    place = f"spec.analysis.match[{index}]"
    for member in ("queryParams", "sourceLabels"):
        if condition.get(member):
            raise ConfigError(f"{place}.{member} cannot be served by provider appmesh: remove it")
    headers: Mapping[str, Any] = condition.get("headers") or {}
    if not headers:
        raise ConfigError(f"{place} has no header and would match every request: remove it")
    return [
        {"name": name, "match": _operator(headers[name] or {}, f"{place}.headers.{name}")}
        for name in sorted(headers)
    ]


def _operator(matcher: Mapping[str, Any], place: str) -> Object:
    found = {name: matcher[name] for name in OPERATORS if matcher.get(name)}
    if not found:
        raise ConfigError(f"{place} has no value: use exact, prefix, regex or suffix")
    return found


def _route_on(old: Object, new: Object, dialect: Dialect) -> Object:
    live, built = old.get(dialect.http) or {}, new[dialect.http]
    by_name = {dialect.name(target): target for target in _targets_of(live)}
    targets = [
        objects.patched(by_name.get(dialect.name(target), {}), target)
        for target in _targets_of(built)
    ]
    action = objects.patched(live.get("action") or {}, {"weightedTargets": targets})
    http = objects.patched(live, {**built, "action": action})
    return objects.patched(old, {**new, dialect.http: http})


def _targets_of(http: Object) -> Iterable[Object]:
    return objects.items((http.get("action") or {}).get("weightedTargets"))
