"""A rig between two ticks, kept and compared."""

import copy
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flagger_controller.api.status import CanaryStatus
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.cluster.fake import Write
from flagger_controller.cluster.memory import Happening
from flagger_controller.routing.gateway_merge import INSERTED
from flagger_controller.tick.shell import Memory

from .peers import Hooks, Judge, Log


@dataclass(frozen=True)
class Snapshot:
    """A rig between two ticks, to go on from there more than once.

    What is in the API server is never changed in place, so shallow copies will do.
    """

    at: datetime
    objects: dict[Ref, Object]
    history: list[Happening]
    version: int
    writes: list[Write]
    memory: Memory | None
    rest: dict[str, Any]
    """Everything else that the rig remembers."""


_OF_THE_MOMENT = frozenset(
    {
        *("resourceVersion", "uid", "creationTimestamp", "generation", "tickedAt"),
        *("lastTransitionTime", "lastUpdateTime", "startedAt"),
        "time",  # of a check
    }
)


def timeless(body: Object) -> Object:
    """An object without what differs from run to run."""
    plain = _without_moments(body)
    observed = body.get("status", {}).get("observedGeneration")
    if observed is not None:
        plain["status"]["observedGeneration"] = observed == body["metadata"]["generation"]
    annotations = plain.get("metadata", {}).get("annotations") or {}
    if INSERTED in annotations:  # which rules, without their digests, as cookies are random
        annotations[INSERTED] = sorted(json.loads(annotations[INSERTED]))
    return dict(plain)


def _without_moments(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_moments(v) for k, v in value.items() if k not in _OF_THE_MOMENT}
    return [_without_moments(each) for each in value] if isinstance(value, list) else value


def without_cookies(text: str, status: CanaryStatus) -> str:
    """The text without the values of cookies, which are random."""
    for cookie in (
        status.session_affinity_cookie,
        status.primary_session_affinity_cookie,
        status.previous_session_affinity_cookie,
    ):
        value = cookie.partition("=")[2]
        text = text.replace(value, "...") if value else text
    return text


def copied(value: Any) -> Any:
    """A copy that shares what is never changed in place."""
    if isinstance(value, list | dict | set):
        return copy.copy(value)
    if isinstance(value, Log | Hooks | Judge):
        return replace(value, **{k: copy.copy(v) for k, v in vars(value).items()})
    return value
