"""What must hold when one controller goes on with what another one began."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tools.cluster.audit import Request

from ..invariants import too_early
from ..replay.mirror import History
from ..scene import Object
from ..sweep.routes import shares
from .states import State

CANARY = "Canary.flagger.app/podinfo"
WORKLOADS = ("Deployment/podinfo-primary", "DaemonSet/podinfo-primary")
STARTING = "Starting canary analysis"
BEGUN = ("New revision detected!", STARTING, "Initialization done!")
"""What is said when a run, or a life, begins."""
IDLE = frozenset({("canaries", "status"), ("events", "")})
"""What may be written while nothing is to be done."""
KEPT = ("trackedConfigs", "canaryWeight", "failedChecks", "iterations", "conditions")
"""Fields of the status that do not change while nothing is to be done."""


@dataclass
class Handover:
    """What happened between the first controller and the revision that is pushed afterwards."""

    state: State
    before: dict[str, Object]
    """All objects when the second controller began."""
    ours: bool = True
    """The second one is ours; upstream writes some objects at every tick, and restarts early."""
    heard: int = 0
    """Events that were told until then."""
    standby: list[Request] = field(default_factory=list)
    """What the second controller wrote while the first one led."""
    objects: list[tuple[str, History]] = field(default_factory=list)
    """Every version of every object since then, up to the end of the run if there is one."""
    told: list[str] = field(default_factory=list)
    """Events up to the same moment."""
    writes: list[Request] = field(default_factory=list)
    """What the second controller wrote up to the same moment."""
    last: str = ""
    """The phase in which the next revision ended."""
    analysed: bool = False
    """The next revision was analysed."""

    @property
    def found(self) -> Object:
        """The status that the second controller found."""
        status: Object = self.before[CANARY]["status"]
        return status

    @property
    def statuses(self) -> list[tuple[int, Object]]:
        """Every status since then, with its revision."""
        history = dict(self.objects).get(CANARY, [])
        return [(0, self.found), *((at, body["status"]) for at, body in history if body)]


def wrong(handover: Handover) -> list[str]:
    """Everything that should not have happened; empty if all is well."""
    checks = _settled(handover) if handover.state.settled else _running(handover)
    return [*_election(handover), *checks, *_afterwards(handover)]


def _election(handover: Handover) -> Iterator[str]:
    for request in handover.standby:
        yield f"written while the other one led: {_said(request)}"


def _settled(handover: Handover) -> Iterator[str]:
    """Nothing happens between runs."""
    for key in ("phase", *KEPT):
        for _, status in handover.statuses:
            if status.get(key) != handover.found.get(key):
                yield f"status.{key}: {handover.found.get(key)} became {status.get(key)}"
    for request in handover.writes if handover.ours else ():
        if (request.resource, request.subresource) not in IDLE:
            yield f"written for nothing: {_said(request)}"
    for text in handover.told:
        yield f"told for nothing: {text}"
    yield from _primary(handover)


def _primary(handover: Handover) -> Iterator[str]:
    """The pods that serve stay as they are."""
    for key, history in handover.objects:
        if key in WORKLOADS:
            template = handover.before[key]["spec"]["template"]
            if any(body and body["spec"]["template"] != template for _, body in history):
                yield f"{key} was rolled"


def _running(handover: Handover) -> Iterator[str]:
    """The run goes on from where it was, and ends well."""
    again = (STARTING,) if _unrouted(handover) else ()
    for text in handover.told:
        begun = any(words in text for words in BEGUN if words not in again)
        if begun and handover.state.phase != "Waiting":
            yield f"begun again: {text}"
    if handover.state.phase == "Progressing":
        yield from _progress(handover)
        yield from _routes(handover)
    if handover.ours:
        interval = handover.before[CANARY]["spec"]["analysis"]["interval"]
        statuses = [status for _, status in handover.statuses]
        yield from too_early(statuses, int(interval.removesuffix("s")))
    if handover.state.phase in ("Promoting", "Finalising"):
        yield from _primary(handover)
    _, last = handover.statuses[-1]
    if last["phase"] != "Succeeded":
        yield f"the run ended as {last['phase']}"
    yield from _released(handover)


def _released(handover: Handover) -> Iterator[str]:
    """What serves in the end is what was released."""
    histories = dict(handover.objects)
    for key in WORKLOADS:
        target, primary = (
            [handover.before.get(each), *(body for _, body in histories.get(each, []))][-1]
            for each in (key.removesuffix("-primary"), key)
        )
        if primary and target and _images(primary) != _images(target):
            yield f"{key} runs {_images(primary)} instead of {_images(target)}"


def _images(workload: Object) -> list[str]:
    return [each["image"] for each in workload["spec"]["template"]["spec"]["containers"]]


def _unrouted(handover: Handover) -> bool:
    """Ours was killed between a status and its route, by which upstream goes: it steps again."""
    routed = max(_share(body) for body in handover.before.values())
    return not handover.ours and routed < handover.found["canaryWeight"]


def _progress(handover: Handover) -> Iterator[str]:
    """No step is taken back during the analysis."""
    for key in ("canaryWeight", "iterations"):
        least = handover.found[key]
        for _, status in handover.statuses:
            if status["phase"] == "Progressing" and status[key] < least:
                yield f"status.{key} went back from {least} to {status[key]}"


def _routes(handover: Handover) -> Iterator[str]:
    """The canary's share of the traffic does not shrink before the promotion."""
    phases = ((at, status["phase"]) for at, status in handover.statuses)
    promoted = min((at for at, phase in phases if phase == "Promoting"), default=0)
    for key, history in handover.objects:
        if not shares(handover.before.get(key, {})):
            continue
        least = _share(handover.before[key])
        for at, body in history:
            if body is not None and at < promoted and _share(body) < least:
                yield f"{key} went back from {least} to {_share(body)}"


def _share(body: Object) -> int:
    """The canary's largest share in any rule of a routing object, in percent."""
    return max((rule.get("podinfo-canary", 0) for rule in shares(body)), default=0)


def _afterwards(handover: Handover) -> Iterator[str]:
    """The next revision is analysed, and promoted."""
    if not handover.analysed:
        yield "the next revision was not analysed"
    if handover.last != "Succeeded":
        yield f"the next revision ended as {handover.last}"


def _said(request: Request) -> str:
    kind = f"{request.resource}/{request.subresource}".rstrip("/")
    return f"{request.verb} {kind} {request.name} ({request.code})"
