"""The generated Services of every provider, and the router of provider `kubernetes`.

Canary, primary and apex Service (routing.md section 5, targets.md section 9) exist for every
workload. With provider `kubernetes` they are the whole data plane, so its router
has no objects of its own.
"""

import json
from collections.abc import Mapping
from enum import StrEnum

from flagger_controller.api import ownership
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary, CustomMetadata
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Selector, Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.routing import objects, service_ports
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings


class Which(StrEnum):
    """The two moments at which Services are written."""

    BACKENDS = "backends"
    """Canary, then primary: before the primary workload exists."""
    APEX = "apex"
    """Only once the primary can take the traffic."""


def service_refs(canary: Canary) -> tuple[Ref, ...]:
    """Canary, primary and apex Service."""
    names = (canary.canary_service, canary.primary_service, canary.apex_service)
    return tuple(Ref(resources.SERVICES, name, canary.namespace) for name in names)


def services(
    canary: Canary, traits: Traits, live: Objects, *, which: Which, to_target: bool = False
) -> Mapping[Ref, Object]:
    """The complete Services, built on the live ones; none for Service targets.

    Args:
        canary: whose Services.
        traits: selector label and discovered ports of the target.
        live: the Services as they are.
        which: the canary and primary Services, or the apex.
        to_target: the apex selects the target's pods. With provider `kubernetes` this is the only
            way to keep serving when the primary died during its promotion (S28).

    Raises:
        ConfigError: `spec.service` is missing, or a Service belongs to another controller.
    """
    selector = traits.selector
    if selector is None:
        return {}
    service = objects.service_of(canary)
    canary_ref, primary_ref, apex_ref = service_refs(canary)
    apex_value = selector.value if to_target else selector.primary
    wanted = {
        Which.BACKENDS: (
            (canary_ref, selector.value, service.canary),
            (primary_ref, selector.primary, service.primary),
        ),
        Which.APEX: ((apex_ref, apex_value, service.apex),),
    }
    return {
        ref: _service(canary, traits, live, ref, Selector(selector.key, value), metadata)
        for ref, value, metadata in wanted[which]
    }


def reverted_services(canary: Canary, traits: Traits, live: Objects) -> Mapping[Ref, Object]:
    """The apex Service as it was before the Canary (targets.md 9.2).

    Nothing when it is missing (upstream: deletion hangs, S10) or when a Canary created it: then
    it goes away with its owner.
    """
    ref = service_refs(canary)[2]
    found = live.get(ref)
    if traits.selector is None or found is None or ownership.controller_of(found):
        return {}
    if selector := _applied_selector(found):
        spec = objects.patched(objects.spec_of(found), {"selector": selector})
        return {ref: objects.patched(found, {"spec": spec})}
    return {ref: _service(canary, traits, live, ref, traits.selector, None)}


def _applied_selector(live: Object) -> Object | None:
    """The selector that the user last applied with kubectl."""
    try:
        applied = json.loads(objects.annotations_of(live)[objects.LAST_APPLIED])
        return dict(applied["spec"]["selector"])
    except (KeyError, TypeError, ValueError):
        return None


def _service(
    canary: Canary,
    traits: Traits,
    live: Objects,
    ref: Ref,
    selector: Selector,
    metadata: CustomMetadata | None,
) -> Object:
    found = objects.claimed(canary, ref, live)
    service = objects.service_of(canary)
    spec: Object = {
        "selector": {selector.key: selector.value},
        "ports": service_ports.ports(service, traits, objects.spec_of(found).get("ports") or []),
    }
    if found is None:
        spec["type"] = "ClusterIP"
        if service.headless:
            spec["clusterIP"] = "None"
    if service.traffic_distribution or (found and ownership.is_ours(canary, found)):
        spec["trafficDistribution"] = service.traffic_distribution or None
    stamp = _stamp(canary, ref, traits, found, metadata or CustomMetadata())
    return objects.converged(ref, found, stamp, spec)


def _stamp(
    canary: Canary, ref: Ref, traits: Traits, found: Object | None, metadata: CustomMetadata
) -> objects.Stamp:
    """Our metadata; only the two Flux annotations on a Service that we took over."""
    if found is not None and not ownership.is_ours(canary, found):
        return objects.Stamp(annotations=objects.HANDS_OFF)
    labels = dict(metadata.labels)
    if traits.selector:
        labels[traits.selector.key] = ref.name
    annotations = {**metadata.annotations, **objects.HANDS_OFF}
    unmanaged = objects.service_of(canary).unmanaged_metadata
    if found is not None and unmanaged is not None:
        labels = _without(labels, unmanaged.labels, found["metadata"].get("labels"))
        annotations = _without(annotations, unmanaged.annotations, objects.annotations_of(found))
    return objects.Stamp(labels, annotations, canary.owner_reference)


def _without(
    wanted: Mapping[str, str], unmanaged: tuple[str, ...], live: Mapping[str, str] | None
) -> dict[str, str]:
    """Leave the live value of unmanaged keys alone."""
    kept = set(unmanaged) & set(live or {})
    return {key: value for key, value in wanted.items() if key not in kept}


class Kubernetes:
    """Blue/Green on Services alone: no route objects, no weights."""

    capabilities = Capabilities(weights=False)

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """None: Services are written by `services`, for every provider."""
        return ()

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """None: all objects are made here."""
        return ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """Nothing to write."""
        return {}

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """All on the canary while it is tested, which is what upstream reports (section 5)."""
        return Route(primary=0, canary=100) if canary.status.iterations > 0 else Route()

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """Nothing to undo."""
        return {}
