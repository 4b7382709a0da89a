"""What is measured, in the order in which it is played on a fleet. The arithmetic is in figures."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bench import usage
from bench.scale import figures, unrelated
from bench.scale.bout import Bout
from bench.scale.objects import INTERVAL, Member
from bench.scale.record import Figures
from bench.scale.releases import Release, spread

SETTLE: Final = 2 * INTERVAL
"""Seconds after which a controller has nothing left to do for canaries at rest."""
IDLE_SECONDS: Final = 60.0
PUSHES: Final = 20
"""Revisions that are pushed one by one."""
MIDDLE: Final = 3
"""Advances of a release (of seven) after which it is in its middle."""
PAUSE: Final = 1.0
"""Seconds from the end of a process to the start of the next one. Meanwhile the observer sees what
the old one wrote last."""


def onboarding(bout: Bout) -> Figures:
    """All applications get their Canary as fast as possible.

    `seconds`: from the first one to the last that is initialized. `memory`: MiB at the end.
    """
    bout.fleet.deploy()
    bout.wait("running", bout.size, bout.fleet.available)
    begun = time.monotonic()
    bout.fleet.guard()
    bout.wait("initialized", bout.size, lambda: bout.in_phase("Initialized"))
    lasts = (bout.observer.last(member) for member in bout.fleet.members)
    seconds = max(last.at for last in lasts if last is not None) - begun
    return {"seconds": seconds, "memory": usage.resident(bout.controller.pid)}


def idle(bout: Bout) -> Figures:
    """Nothing happens for a minute.

    `requests`: for each canary and minute. `cpu`: milliseconds a second.
    """
    bout.rest(SETTLE)
    meter = bout.begin()
    bout.rest(IDLE_SECONDS)
    return figures.rested(bout.end(meter), bout.size)


def notice_one(bout: Bout) -> Figures:
    """One revision at a time, at moments that are spread over an interval.

    `p50`, `p99`: seconds from the push to the status that shows it.
    """
    members = bout.fleet.members[:PUSHES]
    pushed: dict[Member, float] = {}
    for number, member in enumerate(members):
        bout.rest(spread(number, INTERVAL))
        pushed.update(bout.fleet.push([member]))
        bout.wait("noticed", len(pushed), lambda: _noticed(bout.releases(pushed)))
    return figures.percentiles("p", [one.noticed for one in bout.await_end(pushed)])


def rolling(bout: Bout) -> Figures:
    """All applications get a new revision at once.

    `noticed_p50`, `noticed_p99`: seconds from the push to the status that shows it.
    `seconds`: from the first push to the last end. `failed`: releases. `ticks`: advances a release.
    `lag_p50`, `lag_p99`: seconds that an advance is late, an interval after the one before.
    `requests`, `cpu`: for each advance; `cpu` in milliseconds. `cores`: in use, on average.
    `memory`: MiB at the end. `peak`: MiB, the most since the process was started.
    `requests: WHAT`: for each advance, those of a verb and a kind (`patch canaries/status`).
    """
    bout.rest(SETTLE)
    meter = bout.begin()
    releases = bout.await_end(bout.fleet.push(bout.fleet.members))
    return figures.rolled(releases, bout.end(meter))


def restart(bout: Bout) -> Figures:
    """As `rolling`; when half of the releases are in their middle, the process is replaced.

    `early`: releases whose next advance came less than an interval after their last one.
    `under_way`: releases that had advanced before, and did so again. `shortest`: seconds between
    the two. `failed`: releases.
    """
    pushed = bout.fleet.push(bout.fleet.members)
    bout.wait("in their middle", (bout.size + 1) // 2, lambda: _in_middle(bout.releases(pushed)))
    bout.controller.stop()
    time.sleep(PAUSE)
    moment = time.monotonic()
    bout.controller.start()
    return figures.restarted(bout.await_end(pushed), moment)


def noise(bout: Bout) -> Figures:
    """Objects in the namespaces of the fleet change for a minute; they concern no Canary.

    `requests`, `cpu`: as of `idle`. `memory`: MiB at the end. `changes`: a second, as many as were
    really made. It is the last one, as the objects stay until the fleet is deleted.
    """
    things = unrelated.things(bout.fleet.namespaces, unrelated.COUNT)
    unrelated.make(bout.fleet.hands, things)
    bout.rest(SETTLE)
    meter = bout.begin()
    changes = unrelated.change(bout.fleet.hands, things, bout.rest)
    return figures.disturbed(bout.end(meter), bout.size, changes)


SCENARIOS: Final[Mapping[str, Callable[[Bout], Figures]]] = {
    "onboarding": onboarding,
    "idle": idle,
    "notice-one": notice_one,
    "rolling": rolling,
    "restart": restart,
    "noise": noise,
}


def _noticed(releases: Sequence[Release]) -> int:
    return sum(bool(one.advances) for one in releases)


def _in_middle(releases: Sequence[Release]) -> int:
    return sum(len(one.advances) >= MIDDLE for one in releases)
