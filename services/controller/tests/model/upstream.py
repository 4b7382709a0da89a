"""What upstream leaves behind, made of what we leave: in the API our hashes are upstream's."""

import uuid
from typing import Any

from flagger_controller.api.base import Object
from flagger_controller.cluster.client import Ref
from flagger_controller.rollout import conditions
from flagger_controller.targets.primary import IDENTITY

from .rig import CANARY, Rig


async def leaves(rig: Rig, **changes: Any) -> None:
    """No process runs, and all is as upstream would have written it right now.

    Args:
        rig: what our controller brought to where upstream is to leave it.
        changes: fields of the status that upstream writes in another way, as the API names them.
    """
    await rig.stop()
    body = _stored(rig, CANARY)
    kept = {key: value for key, value in body["status"].items() if key not in ("run", "checks")}
    status = {**kept, "lastTransitionTime": conditions.timestamp(rig.now()), **changes}
    rig.api.put(CANARY, {**body, "status": status})
    if rig.kind in ("Deployment", "DaemonSet"):
        _identify(rig)
    rig.api.writes.clear()
    rig.log.events.clear()


def _identify(rig: Rig) -> None:
    """The primary's pods have an identity that says nothing of their revision."""
    body = _stored(rig, rig.primary)
    annotations = body["spec"]["template"]["metadata"]["annotations"]
    annotations[IDENTITY] = str(uuid.UUID(int=7, version=4))
    rig.api.put(rig.primary, body)


def _stored(rig: Rig, ref: Ref) -> Object:
    body = rig.api.object(ref)
    assert body is not None
    return body
