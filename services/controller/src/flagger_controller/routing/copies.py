"""Routes that are copies of an object of the user, who refers to it and keeps it.

The original is only read. Its labels and annotations follow into the copy at every converge;
upstream copies them once (S20).
"""

from collections.abc import Callable, Mapping
from typing import Any

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary, CrossNamespaceObjectReference
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.rollout.case import ACTIVE
from flagger_controller.routing import objects
from flagger_controller.routing.base import Objects, RouterSettings


def ingress_refs(canary: Canary) -> tuple[Ref, ...]:
    """The Ingress that the Canary refers to, then its copy; none without a reference."""
    name = name_of(canary.spec.ingress_ref)
    names = (name, f"{name}-canary") if name else ()
    return tuple(Ref(resources.INGRESSES, each, canary.namespace) for each in names)


def name_of(reference: CrossNamespaceObjectReference | None) -> str:
    """The name in a reference that may be missing."""
    return reference.name if reference else ""


def copy_of(refs: tuple[Ref, ...], live: Objects) -> Object | None:
    """The copy, which is the last of these references."""
    return live.get(refs[-1]) if refs else None


def orphan(canary: Canary, refs: tuple[Ref, ...], live: Objects) -> Object | None:
    """The copy of an original that vanished during a run.

    It goes on to route, so the run has to be able to come to an end: a rollback above all. Nobody
    begins a run with one.

    Raises:
        ConfigError: somebody else controls it.
    """
    if canary.status.phase not in ACTIVE or not refs or refs[0] in live:
        return None
    return claimed(canary, refs[-1], live)


def original(ref: Ref, live: Objects, label: str, field: str) -> Object:
    """The object of the user.

    Raises:
        ConfigError: it does not exist.
    """
    found = live.get(ref)
    if found is None:
        raise ConfigError(
            f"{label} {ref.name}.{ref.namespace} get query error: "
            f'{ref.resource.qualified} "{ref.name}" not found; create it, or correct {field}'
        )
    return found


def original_ingress(canary: Canary, live: Objects) -> Object:
    """The Ingress that the Canary refers to.

    Raises:
        ConfigError: the Canary names none, or it does not exist.
    """
    refs = ingress_refs(canary)
    if not refs:
        raise ConfigError("ingress selector is empty: name the Ingress in spec.ingressRef")
    return original(refs[0], live, "ingress", "spec.ingressRef")


def stamp(
    canary: Canary, source: Object, settings: RouterSettings, annotations: Mapping[str, str]
) -> objects.Stamp:
    """The labels of the original, these annotations, and the Canary as the owner."""
    return objects.Stamp(
        labels=source["metadata"].get("labels") or {},
        annotations=annotations,
        owner=canary.owner_reference if settings.own_references else None,
    )


def ingress(
    canary: Canary,
    live: Objects,
    settings: RouterSettings,
    prefix: str,
    spec: Object,
    annotations: Mapping[str, str],
) -> Mapping[Ref, Object]:
    """The copy of the Ingress that the Canary refers to, with this spec and these annotations.

    Args:
        canary: the owner of the copy.
        live: what is there.
        settings: tell whether the Canary can own it.
        prefix: of the annotations that configure the data plane.
        spec: of the copy.
        annotations: of the copy, those of the original among them.
    """
    ref = ingress_refs(canary)[-1]
    found = pruned(claimed(canary, ref, live), prefix, annotations)
    marks = stamp(canary, original_ingress(canary, live), settings, annotations)
    return {ref: objects.converged(ref, found, marks, spec)}


def resplit(
    ref: Ref, copy: Object, annotations: Mapping[str, str], prefix: str | None = None
) -> Mapping[Ref, Object]:
    """An orphan whose split is in annotations, with another one.

    Args:
        ref: of the orphan.
        copy: the orphan.
        annotations: that say the split.
        prefix: of annotations that are to go unless they are among these.
    """
    found = copy if prefix is None else pruned(copy, prefix, annotations)
    return {ref: objects.converged(ref, found, objects.Stamp(annotations=annotations), {})}


def annotations(source: Object, *, without: str | None = None) -> dict[str, str]:
    """The annotations of the original, but for those that begin so, and what kubectl remembers."""
    found = objects.annotations_of(source).items()
    return {
        key: value
        for key, value in found
        if key != objects.LAST_APPLIED and not (without and key.startswith(without))
    }


def claimed(canary: Canary, ref: Ref, live: Objects) -> Object | None:
    """The live copy, if there is one and we may write it.

    Raises:
        ConfigError: somebody else controls it.
    """
    return objects.claimed(canary, ref, live, remedy="remove it, or rename the original")


def pruned(live: Object | None, prefix: str, wanted: Mapping[str, str]) -> Object | None:
    """The live copy without annotations of a prefix that are not wanted; itself without such.

    They configure the data plane: what the original says no more must not go on in the copy.
    """
    annotations = objects.annotations_of(live) if live else {}
    kept = {
        key: value
        for key, value in annotations.items()
        if key in wanted or not key.startswith(prefix)
    }
    if live is None or len(kept) == len(annotations):
        return live
    return {**live, "metadata": {**live["metadata"], "annotations": kept}}


def rules(source: Object, change: Callable[[list[Object]], list[Object]]) -> list[Object]:
    """The rules of an Ingress with the paths of each changed; rules without paths stay."""
    return [
        {**rule, "http": {**rule["http"], "paths": change(rule["http"].get("paths") or [])}}
        if rule.get("http")
        else rule
        for rule in objects.items(objects.spec_of(source).get("rules"))
    ]


def leads_to(place: Mapping[str, Any], service: str) -> bool:
    """Is a Service the backend of a path?"""
    backend = (place.get("backend") or {}).get("service") or {}
    return bool(backend.get("name") == service)


def leading_to(path: Object, service: str) -> Object:
    """The path with another Service; its port stays."""
    backend = path["backend"]
    return {**path, "backend": {**backend, "service": {**backend["service"], "name": service}}}


def backend_missing(service: str, ref: Ref, field: str) -> ConfigError:
    """The original does not lead to the apex."""
    return ConfigError(
        f"backend {service} not found in {ref.resource.kind.lower()} {ref.name}: "
        f"give it one, or correct {field}"
    )
