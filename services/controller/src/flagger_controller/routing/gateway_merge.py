"""Gateway API: splits in a route that belongs to the user (`spec.routeRef`).

Ours are the backends of the rules that send requests to the apex Service, and the rules that we
insert before them for conditions and cookies; everything else is the user's. Without a canary the
route is again as its owner wrote it: the apex Service selects the primary's pods.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import (
    gateway_filters,
    gateway_grpc,
    gateway_rules,
    http_match,
    objects,
)
from flagger_controller.routing.gateway_rules import Parts

INSERTED: Final = "flagger.app/inserted-rules"
"""Which rules we inserted, as JSON: index to digest of the matches."""


def desired(canary: Canary, route: Route, ref: Ref, live: Object | None) -> Object:
    """The user's route with this split.

    Raises:
        ConfigError: there is no such route, no rule of it sends requests to the apex Service, or
            one cannot be split.
    """
    found = _checked(canary, route, ref, live)
    grpc = ref.resource == resources.GRPC_ROUTES
    if grpc:
        gateway_grpc.check_analysis(canary)
    rules = [
        _split(canary, route, rule, grpc=grpc) if _is_ours(canary, rule) else [rule]
        for rule in _without_inserted(found)
    ]
    return _with_rules(found, rules)


def read(canary: Canary, live: Object | None) -> Route | None:
    """The split of the last rule that has one; all on the primary where only the apex is named."""
    ours = [rule for rule in gateway_rules.rules_of(live) if _is_ours(canary, rule)]
    if ours and all(_names(rule) == {canary.apex_service} for rule in ours):
        return Route()
    return gateway_rules.read(canary, ours)


def reverted(canary: Canary, live: Object) -> Object:
    """The route as its owner wrote it."""
    rules = [
        [_on_apex(canary, rule) if _is_ours(canary, rule) else rule]
        for rule in _without_inserted(live)
    ]
    return _with_rules(live, rules)


def _checked(canary: Canary, route: Route, ref: Ref, live: Object | None) -> Object:
    """Refuse what cannot be split; what is split already can always be given back."""
    remedy = f"a rule with Service {canary.apex_service} as its only backend"
    if live is None:
        raise ConfigError(f"spec.routeRef: {ref} does not exist: create it, with {remedy}")
    ours = [_names(rule) for rule in gateway_rules.rules_of(live) if _is_ours(canary, rule)]
    if not ours:
        raise ConfigError(f"spec.routeRef: {ref} sends no requests to us: add {remedy}")
    names = set().union(*ours)
    returning = route == Route() and names & {canary.primary_service, canary.canary_service}
    if (foreign := names - gateway_rules.our_names(canary)) and not returning:
        raise ConfigError(
            f"spec.routeRef: {ref} has a rule with other backends beside ours "
            f"({', '.join(sorted(foreign))}): use {remedy}"
        )
    return live


def _split(canary: Canary, route: Route, rule: Object, *, grpc: bool) -> list[Object]:
    """What becomes of one rule; the last one is the rule itself."""
    everything: Object = {} if grpc else dict(http_match.ROOT)
    parts = Parts(
        list(rule.get("matches") or [everything]), _filters(canary, rule), rule.get("timeouts")
    )
    *before, last = gateway_rules.split(canary, route, parts, primary_cookie=True)
    forgotten = before and not canary.analysis.match  # the clients' cookies are to go
    if route == Route() and (not forgotten or _names(rule) - gateway_rules.our_names(canary)):
        return [_on_apex(canary, rule)]
    common = {name: value for name, value in rule.items() if name not in ("name", "filters")}
    return [
        *(common | _given(new | {"backendRefs": _backends(canary, rule, new)}) for new in before),
        objects.patched(
            rule, {"filters": last["filters"], "backendRefs": _backends(canary, rule, last)}
        ),
    ]


def _on_apex(canary: Canary, rule: Object) -> Object:
    """The rule as its owner wrote it; a backend that stands alone needs no other weight than 1."""
    entries = list(objects.items(rule.get("backendRefs")))
    if canary.apex_service not in _names(rule):
        model = _model(canary, rule)
        apex = model | {"name": canary.apex_service, "weight": 1, "filters": _own(model) or None}
        others = [
            entry for entry in entries if entry.get("name") not in gateway_rules.our_names(canary)
        ]
        entries = [_given(apex), *others]
    filters = _filters(canary, rule) or None
    return objects.patched(rule, {"filters": filters, "backendRefs": entries})


def _backends(canary: Canary, rule: Object, new: Object) -> list[Object]:
    """The new backends, with what the owner added to the one that they stand for."""
    model = _model(canary, rule)
    return [
        _given(model | backend | {"filters": _joined(_own(model), backend) or None})
        for backend in new["backendRefs"]
    ]


def _joined(own: Sequence[Object], backend: Object) -> list[Object]:
    """A backend may have one filter of a kind.

    Raises:
        ConfigError: the owner's is of the kind that we need.
    """
    added = list(objects.items(backend["filters"]))
    if {each["type"] for each in own} & {each["type"] for each in added}:
        raise ConfigError(
            "spec.analysis.sessionAffinity needs the ResponseHeaderModifier of the backends in "
            "spec.routeRef: move the route's own one from its backend to the rule"
        )
    return [*own, *added]


def _model(canary: Canary, rule: Object) -> Object:
    """The backend that the owner wrote, or what we made of it."""
    entries: dict[str, Object] = {
        str(entry.get("name")): entry for entry in objects.items(rule.get("backendRefs"))
    }
    names = (canary.apex_service, canary.primary_service, canary.canary_service)
    return next(entries[name] for name in names if name in entries)


def _own(backend: Object) -> list[Object]:
    """The owner's filters of a backend."""
    filters = objects.items(backend.get("filters"))
    return [each for each in filters if not gateway_filters.only_sets_cookie(each)]


def _filters(canary: Canary, rule: Object) -> list[Object]:
    """The owner's filters of a rule."""
    filters = objects.items(rule.get("filters"))
    return [each for each in filters if not gateway_rules.mirrors(canary, {"filters": [each]})]


def _with_rules(live: Object, rules: Sequence[Sequence[Object]]) -> Object:
    """The live route with these rules; all but the last one of a group are inserted."""
    flat: list[Object] = []
    marks: dict[str, str] = {}
    for group in rules:
        for rule in group[:-1]:
            marks[str(len(flat))] = _digest(rule)
            flat.append(rule)
        flat.append(group[-1])
    annotations = dict(objects.annotations_of(live))
    annotations.pop(INSERTED, None)
    if marks:
        annotations[INSERTED] = json.dumps(marks)
    metadata = objects.patched(live["metadata"], {"annotations": annotations or None})
    spec = objects.patched(objects.spec_of(live), {"rules": flat})
    return objects.patched(live, {"metadata": metadata, "spec": spec})


def _without_inserted(live: Object) -> list[Object]:
    """The owner's rules. One that moved is taken for the owner's: better one more than one less."""
    text = objects.annotations_of(live).get(INSERTED, "{}")
    try:
        marks = dict(json.loads(text))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"annotation {INSERTED} is not the JSON that we wrote: {text}") from error
    return [
        rule
        for index, rule in enumerate(gateway_rules.rules_of(live))
        if marks.get(str(index)) != _digest(rule)
    ]


def _digest(rule: Object) -> str:
    text = json.dumps(rule.get("matches") or [], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _is_ours(canary: Canary, rule: Object) -> bool:
    return bool(_names(rule) & gateway_rules.our_names(canary))


def _names(rule: Object) -> set[str]:
    return set(gateway_rules.weights(rule))


def _given(members: Object) -> Object:
    return {name: value for name, value in members.items() if value is not None}
