"""From target to primary: the parts that every workload kind shares (targets.md 3, 5.5, 8.4)."""

import copy
import uuid
from collections.abc import Iterable, Mapping
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.traits import Selector
from flagger_controller.targets import metadata, revision, selfref, tracking
from flagger_controller.targets.base import Configs, TargetSettings

IDENTITY: Final = "flagger-id"
"""Pod annotation of the primary; a new value rolls its pods."""
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "flagger.app")
_OURS: Final = 5
"""UUID version of our identities; upstream's are random (4)."""


def identity(canary: Canary, spec: str, checksums: Mapping[str, str]) -> str:
    """The `flagger-id` of a promoted revision.

    Derived from the canary, the revision and its configs, so promoting twice is promoting once
    (T32, S27), and a change of config data alone still rolls the pods.

    Args:
        canary: whose primary it is.
        spec: hash of the revision.
        checksums: of its tracked configs, as in `status.trackedConfigs`.
    """
    name = revision.canonical([canary.metadata.uid, spec, dict(checksums)])
    return str(uuid.uuid5(_NAMESPACE, name))


def template(
    canary: Canary, source: Object, spec: str, configs: Configs, selector: Selector
) -> Object:
    """The primary's pod template for the target's template `source` of revision `spec`."""
    wanted = copy.deepcopy(source)
    meta = wanted.setdefault("metadata", {})
    meta.pop("creationTimestamp", None)
    meta["labels"] = metadata.selected(metadata.entries(meta, "labels"), selector)
    annotations = metadata.without_flux(metadata.entries(meta, "annotations"))
    meta["annotations"] = annotations | {
        IDENTITY: identity(canary, spec, tracking.checksums(configs))
    }
    tracking.redirect(wanted["spec"], configs)
    selfref.rewrite(wanted["spec"], selector)
    return wanted


def promoted(canary: Canary, wanted: Object, live: Object, configs: Configs) -> bool:
    """Does the live primary template carry the `wanted` one?

    Its identity tells. A template with a foreign identity (written by upstream, or for a Canary
    that was re-created) must say the same in every other respect; and while a promotion of ours
    is under way with configs, that is not enough: their data may be newer than the pods.
    """
    if _identity_of(live) == _identity_of(wanted):
        return True
    if configs and (_ours(_identity_of(live)) or canary.status.replacing):
        return False
    return _comparable(live) == _comparable(wanted)


def runs_others(live: Object, source: Object) -> bool:
    """Are its images not those of the target's template? A cheap sign that it is an older one."""
    return _images(live) != _images(source)


def carries(canary: Canary, live: Object) -> bool:
    """Does the live primary template carry the revision that the status is about?"""
    status = canary.status
    return marked(live, identity(canary, status.last_applied_spec, status.tracked_configs or {}))


def marked(live: Object, name: str) -> bool:
    """Does the live primary template have this identity?"""
    return _identity_of(live) == name


def settled(canary: Canary, wanted: Object, live: Object | None, configs: Configs) -> Object:
    """The template to write: the live one, untouched, when it carries the wanted one already.

    A live template with the right identity that was edited by hand is put right.
    """
    if live is None or not promoted(canary, wanted, live, configs):
        return wanted
    return live if _comparable(live) == _comparable(wanted) else wanted


def body(
    canary: Canary,
    settings: TargetSettings,
    target: Object,
    live: Object | None,
    selector: Selector,
) -> Object:
    """The primary with its metadata, and a spec that is still the live one."""
    wanted: Object = copy.deepcopy(live) if live else {}
    wanted["metadata"] = metadata.for_workload(canary, settings, target, live, selector)
    spec = wanted.setdefault("spec", {})
    spec.setdefault("selector", {"matchLabels": {selector.key: selector.primary}})
    return wanted


def carry(source: Object, spec: Object, fields: Iterable[str]) -> None:
    """Make the fields of a workload spec those of the source, absent ones included."""
    for field in fields:
        if source.get(field) is None:
            spec.pop(field, None)
        else:
            spec[field] = copy.deepcopy(source[field])


def _images(pod_template: Object) -> list[str]:
    containers = (pod_template.get("spec") or {}).get("containers") or ()
    return [str(container.get("image")) for container in containers]


def _identity_of(pod_template: Object) -> str:
    return metadata.entries(pod_template.get("metadata"), "annotations").get(IDENTITY, "")


def _ours(text: str) -> bool:
    try:
        return uuid.UUID(text).version == _OURS
    except ValueError:
        return False


def _comparable(pod_template: Object) -> str:
    plain = copy.deepcopy(pod_template)
    annotations = (plain.get("metadata") or {}).get("annotations") or {}
    annotations.pop(IDENTITY, None)
    selfref.normalise(plain.get("spec") or {})
    return revision.canonical(plain)
