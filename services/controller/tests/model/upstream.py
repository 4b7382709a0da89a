"""What upstream leaves behind, made of what we leave: in the API our hashes are upstream's."""

import uuid
from typing import Any

from flagger_controller.api.base import Object
from flagger_controller.rollout import conditions
from flagger_controller.targets.primary import IDENTITY

from .rig import CANARY, Rig


def wrote(rig: Rig, **changes: Any) -> None:
    """The status is as upstream would have written it right now; fields as the API names them."""
    body = _stored(rig)
    kept = {key: value for key, value in body["status"].items() if key != "run"}
    status = {**kept, "lastTransitionTime": conditions.timestamp(rig.now()), **changes}
    rig.api.put(CANARY, {**body, "status": status})


def rolled(rig: Rig) -> None:
    """The primary's pods have an identity of upstream's, which says nothing of their revision."""
    body = rig.api.object(rig.primary)
    assert body is not None
    body["spec"]["template"]["metadata"]["annotations"][IDENTITY] = str(uuid.UUID(int=7, version=4))
    rig.api.put(rig.primary, body)


def _stored(rig: Rig) -> Object:
    body = rig.api.object(CANARY)
    assert body is not None
    return body
