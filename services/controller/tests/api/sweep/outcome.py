"""What came of a release, in a form that can be compared with another run of it."""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from ..faults import Write
from ..replay.mirror import History
from ..replay.states import in_order
from ..scene import Object, Scene
from .scenarios import End

CANARY = "Canary.flagger.app/podinfo"
ANNOUNCEMENT = 30.0
"""Seconds from the end of a release until everybody has heard of it, at most."""
RESTLESS = 60.0
"""Seconds after which what is still moving will never come to rest."""


@dataclass(frozen=True)
class Moment:
    """A change of one object, and everything that was there then."""

    key: str
    before: Object | None
    after: Object | None
    state: Mapping[str, Object]


@dataclass
class Outcome:
    """What came of a release."""

    histories: list[tuple[str, History]]
    objects: dict[str, Object]
    """What is left, without what chance put into it."""
    told: list[str]
    kube_events: dict[str, int]
    alerts: list[str]
    rested: bool
    """At last nothing was written any more."""
    writes: list[Write] = field(default_factory=list)
    starts: list[datetime] = field(default_factory=list)
    """When controllers were started."""
    exit_code: int = 0
    log: str = ""
    """Last lines of the controllers."""

    @property
    def statuses(self) -> list[Object]:
        """Every status that the Canary had."""
        bodies = (body for _, body in self.history(CANARY) if body is not None)
        found: list[Object] = []
        for status in (body.get("status") for body in bodies):
            if status and (not found or found[-1] != status):
                found.append(status)
        return found

    @property
    def story(self) -> str:
        """What happened, to be read."""
        statuses = (json.dumps(status, sort_keys=True) for status in self.statuses)
        return "\n".join([*statuses, *self.told, *map(str, self.writes), self.log])

    def history(self, key: str) -> History:
        """All versions of an object."""
        return next((history for name, history in self.histories if name == key), [])

    @cached_property
    def moments(self) -> list[Moment]:
        """All changes as they happened, over all kinds."""
        found: list[Moment] = []
        state: dict[str, Object] = {}
        for key, body in in_order(self.histories):
            before = state.get(key)
            state = {name: old for name, old in state.items() if name != key}
            if body is not None:
                state[key] = body
            found.append(Moment(key, before, body, state))
        return found


def gathered(scene: Scene, end: End) -> Outcome:
    """What came of it, when everybody has heard of it and nothing moves any more."""
    with contextlib.suppress(AssertionError):  # the oracle says so
        scene.wait(lambda: end.announced(scene), "the announcement", seconds=ANNOUNCEMENT)
    rested = _rest(scene)
    return Outcome(
        histories=scene.world.mirror.histories(scene.namespace),
        objects={key: _comparable(body) for key, body in scene.objects().items()},
        told=scene.told(),
        kube_events=scene.kube_events(),
        alerts=scene.alerts(),
        rested=rested,
    )


def _rest(scene: Scene) -> bool:
    """Wait until no object has changed for two intervals; False: that does not come."""
    mirror, end = scene.world.mirror, time.monotonic() + RESTLESS
    changed = mirror.changed(scene.namespace)

    def changes() -> int:
        return sum(len(history) for _, history in mirror.histories(scene.namespace))

    def more_than(before: int) -> Callable[[], bool]:
        return lambda: changes() > before

    with changed:
        while time.monotonic() < end:
            if not changed.wait_for(more_than(changes()), timeout=2 * scene.pace):
                return True
    return False


def _comparable(body: Object) -> Object:
    """An object without what differs between runs on purpose."""
    if body["kind"] == "Canary":
        body["spec"]["analysis"].pop("interval")
        body["spec"]["analysis"].pop("webhooks")
    return body
