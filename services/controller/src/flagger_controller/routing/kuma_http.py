"""Kuma's MeshHTTPRoute: which parts of it are ours (routing.md 9.6).

A producer route: in the namespace of its service, and for all clients in the mesh.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from flagger_controller.api import ownership
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import gateway_rules, kuma_rules, objects

ROUTE: Final = "flagger.app/kuma-route"
"""Annotation of a Canary: the kind of its route, TrafficRoute unless it is MeshHTTPRoute."""
CHOICES: Final[Mapping[str, Sequence[str]]] = {
    ROUTE: (resources.TRAFFIC_ROUTES.kind, resources.MESH_HTTP_ROUTES.kind),
    kuma_rules.REFERENCES: ("names", "labels"),
}
"""Annotation to its values, the first of which is the default."""


def asked(canary: Canary) -> bool:
    """Is the generated route to be a MeshHTTPRoute?"""
    return canary.metadata.annotations.get(ROUTE) == resources.MESH_HTTP_ROUTES.kind


def check_annotations(canary: Canary) -> None:
    """Refuse what nobody knows.

    Raises:
        ConfigError: an annotation has another value.
    """
    for annotation, values in CHOICES.items():
        value = canary.metadata.annotations.get(annotation, values[0])
        if value not in values:
            raise ConfigError(f"annotation {annotation}: {value} is unknown: use {values[1]}")


def destinations(canary: Canary, route: Route, found: Object | None) -> list[Object]:
    """`spec.to` for this split, with what others added to the live one.

    Raises:
        ConfigError: a MeshHTTPRoute cannot express what the Canary asks for.
    """
    names = gateway_rules.our_names(canary)
    entry = {"targetRef": kuma_rules.apex(canary), "rules": kuma_rules.rules(canary, route)}

    def merge(old: Object, built: Object) -> Object:
        rules = objects.merged(
            _rules(old),
            built["rules"],
            lambda rule: bool(names & _backends(rule)),
            kuma_rules.rule_on,
        )
        target = objects.patched(old.get("targetRef") or {}, built["targetRef"])
        return objects.patched(old, {"targetRef": target, "rules": rules})

    return objects.merged(_entries(found), [entry], lambda each: _is_apex(canary, each), merge)


def read(canary: Canary, found: Object | None) -> Route | None:
    """The split that the rules show."""
    rules = [rule for entry in _entries(found) for rule in _rules(entry)]
    return gateway_rules.read(canary, [kuma_rules.as_gateway(rule) for rule in rules])


def reverted(canary: Canary, ref: Ref, found: Object | None) -> Mapping[Ref, Object | None]:
    """Without our rules the service answers itself; a route that we created goes with the Canary.

    One that was there before, or is in another cluster, has no owner.
    """
    if found is None or ownership.controller_of(found):
        return {}
    live = _entries(found)
    kept = [[rule for rule in _rules(entry) if not _is_ours(canary, rule)] for entry in live]
    if kept == [_rules(entry) for entry in live]:
        return {}
    left = [
        objects.patched(entry, {"rules": rules})
        for entry, rules in zip(live, kept, strict=True)
        if rules
    ]
    spec = objects.patched(objects.spec_of(found), {"to": left})
    return {ref: objects.patched(found, {"spec": spec}) if left else None}


def _entries(found: Object | None) -> list[Object]:
    return list(objects.items(objects.spec_of(found).get("to")))


def _rules(entry: Object) -> list[Object]:
    return list(objects.items(entry.get("rules")))


def _backends(rule: Object) -> set[str]:
    return {*gateway_rules.weights(kuma_rules.as_gateway(rule))}


def _is_ours(canary: Canary, rule: Object) -> bool:
    return bool({canary.primary_service, canary.canary_service} & _backends(rule))


def _is_apex(canary: Canary, entry: Object) -> bool:
    """Is it for our service, at our port or at all of them, or was it so before?"""
    target = entry.get("targetRef") or {}
    sections = (None, kuma_rules.apex(canary)["sectionName"])
    name = kuma_rules.name_of(target)
    addressed = name == canary.apex_service and target.get("sectionName") in sections
    return addressed or any(_is_ours(canary, rule) for rule in _rules(entry))
