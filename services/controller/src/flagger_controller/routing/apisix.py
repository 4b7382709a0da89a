"""APISIX: a second ApisixRoute that wins over the first by its priority (routing.md 7.8).

The route of the user leads to the apex, which is the primary; its copy has only the rules that do,
and splits them between primary and canary.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import base, copies, http_match, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings

PRIORITY: Final = 10000
"""Above any rule of the user."""
DEFAULT_WEIGHT: Final = 100
"""What APISIX takes for a backend without a weight."""
SPEC: Final = ("http", "ingressClassName", "stream")
RULE: Final = (
    *("name", "priority", "timeout", "match", "backends", "upstreams", "websocket"),
    *("plugin_config_name", "plugin_config_namespace", "plugins", "authentication"),
)
BACKEND: Final = ("serviceName", "servicePort", "resolveGranularity", "weight", "subset")
"""Members that APISIX knows: ours when the original has them, and gone when it has not."""
SCOPES: Final = {"headers": "Header", "queryParams": "Query"}


class Apisix:
    """Weights; headers and query parameters as conditions."""

    capabilities = Capabilities(match=True)

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """The ApisixRoute of the user, which is only read, and its copy."""
        name = copies.name_of(canary.spec.route_ref)
        names = (name, f"{name}-{canary.apex_service}-canary") if name else ()
        return tuple(Ref(resources.APISIX_ROUTES, each, canary.namespace) for each in names)

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """The ApisixRoute of the user."""
        return self.refs(canary)[:1]

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The copy for this split.

        Raises:
            ConfigError: the route is missing or does not lead to the apex, or APISIX cannot
                express what is asked for.
        """
        refs = self.refs(canary)
        if not refs:
            raise ConfigError(
                "apisix route selector is empty: name the ApisixRoute in spec.routeRef"
            )
        first, ref = refs
        if (copy := copies.orphan(canary, refs, live)) is not None:
            http = [
                _resplit(canary, rule, route)
                for rule in objects.items(objects.spec_of(copy).get("http"))
            ]
            return {ref: objects.converged(ref, copy, objects.Stamp(), {"http": http})}
        source = copies.original(first, live, "APISIX route", "spec.routeRef")
        annotations = copies.annotations(source)
        found = copies.claimed(canary, ref, live)
        rules = _rules(canary, first, source, route)
        spec = {
            **dict.fromkeys(SPEC),
            **objects.spec_of(source),
            "http": _on_live(objects.spec_of(found), rules),
        }
        stamp = copies.stamp(canary, source, self._settings, annotations)
        return {ref: objects.converged(ref, found, stamp, spec)}

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The weights of our two backends, which are the same in every rule."""
        found = copies.copy_of(self.refs(canary), live)
        rules = objects.items(objects.spec_of(found).get("http"))
        weights = [_weights(rule) for rule in rules]
        if not weights or any(weight != weights[0] for weight in weights):
            return None
        primary, ours = (
            weights[0].get(canary.primary_service),
            weights[0].get(canary.canary_service),
        )
        return None if primary is None or ours is None else base.split(primary, ours)

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always: what APISIX reports does not say which change it is about."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """Nothing: the copy goes away with the Canary, the original was never changed."""
        return {}


def _rules(canary: Canary, first: Ref, source: Object, route: Route) -> list[Object]:
    """Each rule of the original that leads to the apex, once for every entry of conditions.

    Raises:
        ConfigError: no rule leads to the apex, or one leads elsewhere too.
    """
    apex = canary.apex_service
    rules: list[Object] = list(objects.items(objects.spec_of(source).get("http")))
    if not rules:
        raise ConfigError(
            f"APISIX route {first.name}.{first.namespace}'s spec.http is empty: "
            f"give it a rule with the backend {apex}, or correct spec.routeRef"
        )
    ours = [rule for rule in rules if apex in _weights(rule)]
    if not ours:
        raise copies.backend_missing(apex, first, "spec.routeRef")
    for rule in ours:
        if len(rule["backends"]) > 1 or rule.get("upstreams"):
            raise ConfigError(
                f"APISIX route {first.name}.{first.namespace}'s http route {rule.get('name')} "
                f"only one http backend is supported: give {apex} a rule of its own"
            )
    if not canary.analysis.match:
        return [_rule(canary, rule, route) for rule in ours]
    tested = [_conditions(index, entry) for index, entry in enumerate(canary.analysis.match)]
    return [
        _tested(_rule(canary, rule, route), index, exprs)
        for rule in ours
        for index, exprs in enumerate(tested)
    ]


def _resplit(canary: Canary, rule: Object, route: Route) -> Object:
    """A rule of an orphan with another split."""
    weights = {canary.primary_service: route.primary, canary.canary_service: route.canary}
    backends = [
        objects.patched(
            entry, {"weight": weights.get(entry.get("serviceName"), entry.get("weight"))}
        )
        for entry in objects.items(rule.get("backends"))
    ]
    return objects.patched(rule, {"backends": backends})


def _rule(canary: Canary, rule: Object, route: Route) -> Object:
    (backend,) = rule["backends"]
    splits = ((canary.primary_service, route.primary), (canary.canary_service, route.canary))
    return {
        **dict.fromkeys(RULE),
        **rule,
        "priority": PRIORITY,
        "websocket": bool(rule.get("websocket")),
        "backends": [
            {**dict.fromkeys(BACKEND), **backend, "serviceName": name, "weight": weight}
            for name, weight in splits
        ],
    }


def _tested(rule: Object, index: int, exprs: list[Object]) -> Object:
    """The rule for one entry; all expressions of a rule must hold."""
    match = rule.get("match") or {}
    own = list(objects.items(match.get("exprs")))
    return rule | {
        "name": f"{rule.get('name')}-{index}",
        "match": {**match, "exprs": [*own, *exprs]},
    }


def _conditions(index: int, entry: Mapping[str, Any]) -> list[Object]:
    """The expressions for an entry.

    Raises:
        ConfigError: what expressions cannot say.
    """
    place = f"spec.analysis.match[{index}]"
    if entry.get("sourceLabels"):
        raise ConfigError(f"{place}.sourceLabels: APISIX can check headers and query parameters")
    exprs = [expr for member in SCOPES for expr in _exprs(place, member, entry.get(member) or {})]
    if not exprs:
        raise ConfigError(f"{place} says nothing and would match every request")
    return exprs


def _exprs(place: str, member: str, matchers: Mapping[str, Any]) -> Iterator[Object]:
    for name in sorted(matchers):
        operator, value = http_match.one_value(f"{place}.{member}.{name}", matchers[name])
        exact = operator == "exact"
        yield {
            "subject": {"scope": SCOPES[member], "name": name},
            "op": "Equal" if exact else "RegexMatch",
            "value": value if exact else http_match.expression(operator, value),
        }


def _weights(rule: Mapping[str, Any]) -> dict[str, int]:
    """The weights by Service."""
    return {
        str(backend.get("serviceName")): DEFAULT_WEIGHT
        if backend.get("weight") is None
        else int(backend["weight"])
        for backend in objects.items(rule.get("backends"))
    }


def _on_live(live: Object, rules: Sequence[Object]) -> list[Object]:
    """The rules on our live ones, with what others added to rules and backends."""
    named = {rule.get("name"): rule for rule in objects.items(live.get("http"))}
    result = []
    for rule in rules:
        old = named.get(rule["name"]) or {}
        backends = {entry.get("serviceName"): entry for entry in objects.items(old.get("backends"))}
        kept = [
            objects.patched(backends.get(entry["serviceName"]) or {}, entry)
            for entry in rule["backends"]
        ]
        result.append(objects.patched(old, rule | {"backends": kept}))
    return result
