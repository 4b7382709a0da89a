"""What a fresh installation of a Canary looks like, and how an older one may differ from it."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from flagger_controller.api import knative
from flagger_controller.api.status import Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.rollout.evidence import Answer

from . import kubelet
from .monitor import MARK
from .rig import CANARY, PAUSE, Rig, canary
from .snapshots import without_cookies
from .targets import KINDS, scalers


async def installed(spec: Object, kind: str, tag: str) -> Rig:
    """A world that never knew another spec, where a revision with a tag was released."""
    rig = Rig(kind=kind)
    rig.hooks.answers["rollback"] = Answer(ok=False)
    rig.api.put(rig.target, KINDS[kind].made("1"))
    for ref, body in scalers().items():
        rig.api.put(ref, body)
    rig.api.put(CANARY, {**canary(), "spec": spec})
    await rig.until(Phase.INITIALIZED)
    await asyncio.sleep(PAUSE)
    rig.push(tag)
    await rig.until(Phase.SUCCEEDED, ticks=80)
    await rig.pass_interval()
    await rig.stop()
    return rig


def differences(lived: Rig, fresh: Rig) -> list[str]:
    """Where a world with a past does not show what a fresh one shows.

    Kept on purpose, and so no difference (docs/operations.md, "Changing a Canary"):
    - Objects that only former specs asked for: other names, providers, autoscalers. Somebody may
      still use them, and they go with the Canary.
    - Labels and annotations of former specs: nobody knows whose they are (I9).
    - Values of keys that `unmanagedMetadata` names.
    - Whether a Service is headless: its address cannot be changed.
    - The number of the primary's pods: it is the one that the target had.
    - Names of Knative's revisions: they are numbered.
    - Cookies, and the rule that expires the last one: browsers have them for a day.
    """
    found: list[str] = []
    for ref, body in fresh.api.memory.objects.items():
        if ref.resource == resources.KNATIVE_REVISIONS:
            continue
        other = lived.api.object(ref)
        there = None if other is None else _plain(lived, ref, other)
        found += _unlike(str(ref), there, _plain(fresh, ref, body))
    return found


def _unlike(path: str, there: Any, wanted: Any) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(wanted, dict):
        kept = set() if path.endswith(("labels", "annotations")) else there.keys() - wanted.keys()
        for key in sorted({*wanted, *kept}):
            yield from _unlike(f"{path}.{key}", there.get(key), wanted.get(key))
    elif isinstance(there, list) and isinstance(wanted, list) and len(there) == len(wanted):
        for index, (one, other) in enumerate(zip(there, wanted, strict=True)):
            yield from _unlike(f"{path}[{index}]", one, other)
    elif there != wanted and not (_empty(there) and _empty(wanted)):
        yield f"{path} is {there}, fresh {wanted}"


def _empty(value: Any) -> bool:
    return value is None or value in ({}, [])


def _plain(rig: Rig, ref: Ref, body: Object) -> Object:
    """An object without what the past may have left in it, and without what is random."""
    metadata = body["metadata"]
    owners = [owner["name"] for owner in metadata.get("ownerReferences", [])]
    kept = {"owners": owners, "finalizers": metadata.get("finalizers") or []}
    if ref == CANARY:
        return kept
    for field, unmanaged in _unmanaged(rig).items():
        entries = _unnumbered(body, metadata.get(field) or {})
        kept[field] = {key: value for key, value in entries.items() if key not in unmanaged}
    spec: Object = json.loads(
        without_cookies(json.dumps(_unnumbered(body, body["spec"])), rig.status)
    )
    spec.pop(MARK, None)
    for field, rules in (("http", spec.get("http")), ("rules", spec.get("rules"))):
        if rules:
            spec[field] = [rule for rule in rules if "Max-Age=-1" not in json.dumps(rule)]
    if ref.resource == resources.SERVICES:
        spec.pop("clusterIP", None)
    if ref == rig.primary and ref.resource in kubelet.WORKLOADS:
        spec.pop("replicas", None)
        spec["template"]["metadata"]["annotations"].pop("flagger-id")
    return {**kept, "spec": spec}


def _unmanaged(rig: Rig) -> dict[str, tuple[str, ...]]:
    service = rig.canary.spec.service
    keys = service.unmanaged_metadata if service else None
    return {
        "labels": keys.labels if keys else (),
        "annotations": keys.annotations if keys else (),
    }


def _unnumbered(body: Object, part: Object) -> Object:
    """A part of an object without the name of the revision that is the primary."""
    name = knative.primary(body)
    return dict(json.loads(json.dumps(part).replace(name, "...") if name else json.dumps(part)))
