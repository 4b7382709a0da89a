"""Metadata of generated objects: which labels and annotations are inherited, and who owns them.

The filters of targets.md section 3. What others put on a generated object stays there.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flagger_controller.api.base import API_VERSION, Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.traits import Selector
from flagger_controller.cluster.client import Resource
from flagger_controller.targets.base import TargetSettings

FLUX: Final = "toolkit.fluxcd.io"
"""Flux would take an object with its keys for one of its own, and prune it."""
_CONTROLLER_OWNED: Final = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
    "kopf.zalando.org/",
)
"""Bookkeeping about one object, wrong on any other."""


def header(resource: Resource) -> Object:
    """The first two fields of a new object; live ones may lack them, lists leave them out."""
    return {"apiVersion": resource.api_version, "kind": resource.kind}


def entries(metadata: Mapping[str, Any] | None, field: str) -> dict[str, str]:
    """`labels` or `annotations`; empty when absent or null."""
    return dict((metadata or {}).get(field) or {})


def without_flux(items: Mapping[str, str]) -> dict[str, str]:
    """F-tk: everything but the keys of Flux."""
    return {key: value for key, value in items.items() if FLUX not in key}


def prefixed(items: Mapping[str, str], prefixes: Iterable[str]) -> dict[str, str]:
    """F-pre: the keys that start with one of the prefixes (`*`: all), never those of Flux."""
    wanted = tuple(prefixes)
    return {
        key: value
        for key, value in without_flux(items).items()
        if "*" in wanted or key.startswith(wanted)
    }


def inherited(annotations: Mapping[str, str]) -> dict[str, str]:
    """Annotations that are worth copying: not Flux', not the bookkeeping of controllers."""
    return {
        key: value
        for key, value in without_flux(annotations).items()
        if not key.startswith(_CONTROLLER_OWNED)
    }


def selected(items: Mapping[str, str], selector: Selector) -> dict[str, str]:
    """F-lab: everything but Flux' keys, with the primary's value for the selector label."""
    return without_flux(items) | {selector.key: selector.primary}


def for_workload(
    canary: Canary,
    settings: TargetSettings,
    source: Object,
    live: Object | None,
    selector: Selector,
) -> Object:
    """Metadata of a primary workload; the same rule when it is created and when it is updated.

    Labels pass the prefix filter; those that passed it once and are gone from the target go from
    the primary too. Annotations of the target are copied (T11), those of others stay.
    """
    wanted = _base(canary, canary.primary, live)
    labels = _labels(settings, source, live) | {selector.key: selector.primary}
    annotations = entries(wanted, "annotations") | inherited(
        entries(source.get("metadata"), "annotations")
    )
    return _put(wanted, labels=labels, annotations=annotations)


def for_config(
    canary: Canary, settings: TargetSettings, source: Object, live: Object | None
) -> Object:
    """Metadata of a config copy: labels by prefix, no annotations, shared ownership (8.3)."""
    wanted = _base(canary, f"{source['metadata']['name']}-primary", live)
    if live:
        wanted["ownerReferences"] = owners(canary, live)
    return _put(wanted, labels=_labels(settings, source, live))


def merged(
    canary: Canary,
    name: str,
    live: Object | None,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> Object:
    """Metadata of a generated object, with these entries added to what is there."""
    wanted = _base(canary, name, live)
    return _put(
        wanted,
        labels=entries(wanted, "labels") | dict(labels),
        annotations=entries(wanted, "annotations") | dict(annotations),
    )


def owners(canary: Canary, live: Object) -> list[Object]:
    """Owner references of a shared copy: two Canaries can use one config.

    The Canary that comes last becomes the controller and the others stay owners. An object that
    has our reference already is left alone, or two Canaries would demote each other for ever.
    """
    current: list[Object] = list(live["metadata"].get("ownerReferences") or [])
    ours = canary.owner_reference
    if any(reference.get("uid") == ours["uid"] for reference in current):
        return current
    others = [
        reference | {"controller": False}
        for reference in current
        if not _same_canary(reference, canary)
    ]
    return [ours, *others]


def _same_canary(reference: Object, canary: Canary) -> bool:
    group = str(reference.get("apiVersion", "")).partition("/")[0]
    return (
        group == API_VERSION.partition("/")[0]
        and reference.get("kind") == "Canary"
        and reference.get("name") == canary.name
    )


def _base(canary: Canary, name: str, live: Object | None) -> Object:
    if live:
        return copy.deepcopy(dict(live["metadata"]))
    return {
        "name": name,
        "namespace": canary.namespace,
        "ownerReferences": [canary.owner_reference],
    }


def _labels(settings: TargetSettings, source: Object, live: Object | None) -> dict[str, str]:
    prefixes = settings.include_label_prefix
    current = entries((live or {}).get("metadata"), "labels")
    ours = prefixed(current, prefixes)
    foreign = {key: value for key, value in current.items() if key not in ours}
    return foreign | prefixed(entries(source.get("metadata"), "labels"), prefixes)


def _put(wanted: Object, **fields: Mapping[str, str]) -> Object:
    """Set the maps, leaving out empty ones unless they are there already."""
    for field, items in fields.items():
        if items or wanted.get(field):
            wanted[field] = dict(items)
    return wanted
