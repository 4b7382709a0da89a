"""Building on live objects: what we own is set, everything else stays as it is.

The objects of other projects are dicts and are handled as values: nothing here changes its
arguments, and an object that needs no change is returned itself, so that `is` tells.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flagger_controller.api import ownership
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary, CanaryService, CustomMetadata
from flagger_controller.api.traits import Traits
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing.base import Objects, RouterSettings

HANDS_OFF: Final[Mapping[str, str]] = {
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
}
"""Keeps Flux from undoing what a release does to an object (routing.md 4.2)."""
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class Stamp:
    """The metadata that we put on an object."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner: Object | None = None
    """Only for objects that we create; a taken-over object must outlive the Canary."""


def same(live: Any, wanted: Any) -> bool:
    """Are two values the same for the API server, where absent, null and empty are one?"""
    if live == wanted:  # nearly always, as what is built takes over what is there
        return True
    if _empty(live) and _empty(wanted):
        return True
    return bool(_plain(live) == _plain(wanted))


def _empty(value: Any) -> bool:
    return value is None or value in ({}, [], ())


def _plain(value: Any) -> Any:
    """Without absent members; an empty object inside another one may mean something, it stays."""
    if isinstance(value, Mapping):
        return {
            key: _plain(member)
            for key, member in value.items()
            if member is not None and member not in ([], ())
        }
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return value


def patched(live: Object, owned: Mapping[str, Any]) -> Object:
    """The live object with these members; None removes one, members not named here stay."""
    changed = {key: value for key, value in owned.items() if not same(live.get(key), value)}
    if not changed:
        return live
    result = {key: value for key, value in live.items() if key not in changed}
    return result | {key: value for key, value in changed.items() if value is not None}


def aligned(live: Sequence[Object], length: int) -> list[Object]:
    """For each of so many new entries the live one at the same distance from the end, or {}.

    Rules for cookies come and go at the front; the rule that carries the weights is the last one
    or keeps its place, and with it the fields that others added to it.
    """
    last = list(live)[max(0, len(live) - length) :]
    return [{} for _ in range(length - len(last))] + last


def merged(
    live: Sequence[Object],
    built: Sequence[Object],
    ours: Callable[[Object], bool],
    merge: Callable[[Object, Object], Object],
) -> list[Object]:
    """The built entries where the first of ours is; those of others stay before or after them.

    Args:
        live: the entries that are there.
        built: what is to become of ours.
        ours: does a live entry belong to us?
        merge: makes one entry of a live one, or {}, and the built one.
    """
    bases = aligned([entry for entry in live if ours(entry)], len(built))
    kept = [(index, entry) for index, entry in enumerate(live) if not ours(entry)]
    first = next((index for index, entry in enumerate(live) if ours(entry)), 0)
    return [
        *(entry for index, entry in kept if index < first),
        *(merge(old, new) for old, new in zip(bases, built, strict=True)),
        *(entry for index, entry in kept if index >= first),
    ]


def items(value: Any) -> Iterable[Any]:
    """The members of a list that may be absent or null."""
    return value or ()


def weight_of(entry: Mapping[str, Any]) -> int:
    """The weight of a backend; an absent one counts as 1 in Gateway API and in Traefik."""
    weight = entry.get("weight")
    return 1 if weight is None else int(weight)


def spec_of(live: Object | None) -> Object:
    """The spec of an object that may not exist."""
    return (live or {}).get("spec") or {}


def annotations_of(live: Object) -> Mapping[str, str]:
    """The annotations of an object that may have none."""
    return live["metadata"].get("annotations") or {}


def claimed(
    canary: Canary,
    ref: Ref,
    live: Objects,
    *,
    remedy: str = "remove it, or set spec.service.name to a name that is free",
) -> Object | None:
    """The live object, if there is one and we may write it.

    Upstream takes over whatever has the right name, and two controllers then overwrite each other
    for ever (targets.md T20). Objects without a controller are still taken over.

    Raises:
        ConfigError: somebody else controls the object.
    """
    found = live.get(ref)
    if found is None or ownership.is_ours(canary, found):
        return found
    if owner := ownership.controller_of(found):
        raise ConfigError(
            f"{ref} is controlled by {owner.get('kind')} {owner.get('name')}: {remedy}"
        )
    return found


def service_of(canary: Canary) -> CanaryService:
    """`spec.service`.

    Raises:
        ConfigError: it is missing, so there is nothing to route to.
    """
    if canary.spec.service is None:
        raise ConfigError("spec.service is missing: add it with at least a port")
    return canary.spec.service


def owner_stamp(canary: Canary, settings: RouterSettings) -> Stamp:
    """No metadata but the owner, for routes beside the one with the apex name."""
    return Stamp(owner=canary.owner_reference if settings.own_references else None)


def apex_stamp(canary: Canary, traits: Traits, settings: RouterSettings) -> Stamp:
    """The metadata of the route that carries the apex name (routing.md 4.2).

    With `service.apex` the route also gets the label of the apex Service: dashboards and policies
    select on it.
    """
    apex = service_of(canary).apex
    labels = dict(apex.labels) if apex else {}
    if apex and traits.selector:
        labels[traits.selector.key] = canary.apex_service
    return Stamp(
        labels=labels,
        annotations={**(apex or CustomMetadata()).annotations, **HANDS_OFF},
        owner=owner_stamp(canary, settings).owner,
    )


def converged(ref: Ref, live: Object | None, stamp: Stamp, spec: Mapping[str, Any]) -> Object:
    """The object with this stamp and these spec members, created or built on the live one.

    Labels and annotations are added, never taken away: another controller's mark on an object is
    not drift (upstream: S1), and removing it would start a fight.
    """
    if live is None:
        return _created(ref, stamp, spec)
    metadata = live["metadata"]
    merged = {
        "labels": {**(metadata.get("labels") or {}), **stamp.labels},
        "annotations": {**(metadata.get("annotations") or {}), **stamp.annotations},
    }
    return patched(
        live, {"metadata": patched(metadata, merged), "spec": patched(spec_of(live), spec)}
    )


def _created(ref: Ref, stamp: Stamp, spec: Mapping[str, Any]) -> Object:
    metadata: Object = {"name": ref.name}
    if ref.namespace:
        metadata["namespace"] = ref.namespace
    if stamp.labels:
        metadata["labels"] = dict(stamp.labels)
    if stamp.annotations:
        metadata["annotations"] = dict(stamp.annotations)
    if stamp.owner:
        metadata["ownerReferences"] = [stamp.owner]
    return {
        "apiVersion": ref.resource.api_version,
        "kind": ref.resource.kind,
        "metadata": metadata,
        "spec": {key: value for key, value in spec.items() if value is not None},
    }
