"""StatefulSets as targets (docs/targets.md); upstream has none.

The primary is a StatefulSet of its own: pods, volumes and a governing Service are told apart by
its name. What cannot be changed in a StatefulSet is given to a new primary, and a target that
differs from its primary there is refused instead of being written again and again.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from flagger_controller.api import ownership
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.traits import Selector
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.targets import primary as primaries
from flagger_controller.targets import readiness, revision, service_copy
from flagger_controller.targets.replicas import ByReplicas
from flagger_controller.targets.workload import Kind, Workload

_IMMUTABLE: Final = ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")
_CREATED: Final = (*_IMMUTABLE, "ordinals", "revisionHistoryLimit")
"""Also at creation only: `ordinals`, because they decide which volumes the pods get, and the limit
of the history, which older API servers do not let anybody change."""
_LONGEST_NAME: Final = 63


def _fixed(source: Object) -> Object:
    """What a new primary gets and keeps.

    The retention policy of the claims is not part of it: without one they are kept, so neither
    the end of a Canary nor a smaller primary deletes what production has stored.
    """
    spec: Object = {}
    primaries.carry(source, spec, _CREATED)
    del spec["selector"]
    if spec.get("serviceName"):
        spec["serviceName"] = _governing(spec["serviceName"])
    if "volumeClaimTemplates" in spec:
        spec["volumeClaimTemplates"] = _claims(spec)
    return spec


def _governing(name: str) -> str:
    """The Service that gives the primary's pods their names."""
    return f"{name}-primary"


def _claims(spec: Object) -> list[Object]:
    claims = spec.get("volumeClaimTemplates") or ()
    return [{key: value for key, value in claim.items() if key != "status"} for claim in claims]


def _refs(canary: Canary, target: Object) -> tuple[Ref, ...]:
    """The governing Services of target and primary."""
    name = target["spec"].get("serviceName")
    names = (name, _governing(name)) if name else ()
    return tuple(Ref(resources.SERVICES, each, canary.namespace) for each in names)


def _copies(
    canary: Canary, target: Object, live: Mapping[Ref, Object], selector: Selector
) -> Mapping[Ref, Object]:
    """The primary's governing Service; one that somebody else made is used as it is."""
    refs = _refs(canary, target)
    if not refs or refs[0] not in live:
        return {}
    source, ref = live[refs[0]], refs[1]
    found = live.get(ref)
    if found is not None and not ownership.is_ours(canary, found):
        return {}
    spec = service_copy.portable(source)
    spec["selector"] = {**(spec.get("selector") or {}), selector.key: selector.primary}
    return {ref: service_copy.copied(canary, source, ref.name, found, spec)}


def _check(canary: Canary, target: Object, primary: Object | None, selector: Selector) -> None:
    spec = target["spec"]
    found = [*_update(spec), *_volumes(spec), *_names(canary, spec)]
    if primary is not None:
        found += _differences(canary, spec, primary["spec"], selector)
    if found:
        name = f"statefulset {canary.target}.{canary.namespace}"
        raise ConfigError("; ".join(f"{name} {text}" for text in found))


def _update(spec: Object) -> Iterator[str]:
    """Pods that keep an old revision would be analysed as the new one, and promoted as it."""
    strategy = spec.get("updateStrategy") or {}
    kind = strategy.get("type") or "RollingUpdate"
    if kind != "RollingUpdate":
        yield f"must have RollingUpdate strategy but have {kind}: set spec.updateStrategy.type"
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if partition > 0:
        yield (
            f"spec.updateStrategy.rollingUpdate.partition {partition} keeps pods at the old "
            "revision: set it to 0, the Canary is what rolls out in steps"
        )


def _volumes(spec: Object) -> Iterator[str]:
    policy = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    if spec.get("volumeClaimTemplates") and policy.get("whenScaled") == "Delete":
        yield (
            "spec.persistentVolumeClaimRetentionPolicy.whenScaled Delete would delete its volumes "
            "when the Canary scales it to zero: set it to Retain"
        )


def _names(canary: Canary, spec: Object) -> Iterator[str]:
    """Generated Services select other pods than a governing Service, and have other ports."""
    name = spec.get("serviceName")
    if not name:
        return
    generated = {canary.apex_service, canary.primary_service, canary.canary_service}
    if taken := sorted(generated & {name, _governing(name)}):
        yield (
            f"spec.serviceName: the Service {taken[0]} gives pods their names, the Canary would "
            "take it over: set spec.service.name of the Canary to another name"
        )
    if len(_governing(name)) > _LONGEST_NAME:
        yield (
            f'spec.serviceName: "{_governing(name)}" would be longer than {_LONGEST_NAME} '
            "characters: make the StatefulSet anew with a shorter one"
        )


def _differences(canary: Canary, spec: Object, live: Object, selector: Selector) -> Iterator[str]:
    wanted = _fixed(spec) | {"selector": {"matchLabels": {selector.key: selector.primary}}}
    present = live | {"volumeClaimTemplates": _claims(live)}
    changed = [name for name in _IMMUTABLE if not _same(wanted.get(name), present.get(name))]
    if changed:
        fields = ", ".join(f"spec.{name}" for name in changed)
        yield (
            f"{fields} cannot be changed in its primary: change it back, or delete StatefulSet "
            f"{canary.primary}, which is then made anew on the same volumes"
        )


def _same(wanted: object, live: object) -> bool:
    return revision.canonical([wanted or None]) == revision.canonical([live or None])


KIND: Final = Kind(
    resource=resources.STATEFUL_SETS,
    scaling=ByReplicas(),
    carried=("minReadySeconds", "updateStrategy"),
    health=readiness.statefulset,
    fixed=_fixed,
    check=_check,
    refs=_refs,
    copies=_copies,
)
StatefulSet: Final = partial(Workload, KIND)
