"""Is a run with a fault as good as a clean one?

The end must be the same: objects, status, what was told. And on the way there the invariants of
docs/architecture.md hold for every version of every object, in the order of their revisions.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final

from ..faults import Write
from ..invariants import early_steps, ticked, too_early
from ..replay.normal import difference
from ..scene import Object, image, plain
from . import told
from .outcome import CANARY, Moment, Outcome
from .routes import PRIMARY, TARGET, available, keys, serving, shares, workload
from .run import Check, Run

USERS = (
    *keys(TARGET),
    *(
        f"{kind}/podinfo"
        for kind in ("ConfigMap", "HorizontalPodAutoscaler", "PodDisruptionBudget")
    ),
    "ScaledObject.keda.sh/podinfo",
)


def violations(run: Run, checks: Mapping[str, Check]) -> list[str]:
    """What is wrong, in words; nothing when all is well."""
    return [f"{name}: {text}" for name, check in checks.items() for text in check(run)]


def out_of_turn(late: Iterable[Write]) -> list[Write]:
    """Which writes of a leader that was paused it should not have sent when it went on.

    It may ask for the Lease. One Event may come, too: it was found to be the leader, began to send,
    and was stopped there. Nothing can fence that, but it tells what was so, and a Canary's Events
    are sent one after the other. All else that may be sent so late the server refuses, as it
    carries the version that it is about.
    """
    writes = [write for write in late if "leases/" not in write.what]
    told = [write for write in writes if write.what.startswith(("POST events/", "PATCH events/"))]
    return [write for write in writes if write not in told[:1]]


def _same_end(run: Run) -> Iterator[str]:
    found, clean = run.found.objects, run.clean.objects
    for key in sorted(found.keys() | clean.keys()):
        if key not in found:
            yield f"{key} is missing"
        elif key not in clean:
            yield f"{key} is left over"
        elif found[key] != clean[key]:
            yield f"{key} differs by {difference(clean[key], found[key])}"


def _sums(run: Run) -> Iterator[str]:
    for moment in run.found.moments:
        for rule in shares(moment.after or {}):
            if sum(rule.values()) != 100:
                yield f"{moment.key} has {rule}"


def _backends_serve(run: Run) -> Iterator[str]:
    """When a route is written, what gets traffic has pods, unless the other one has none too.

    With `skipAnalysis` the first primary is not waited for, which upstream promises. A write that
    was on its way for longer than its Canary lived is garbage, and is collected.
    """
    for moment, lately in _with_pods_lately(run.found.moments):
        if not shares(moment.after or {}) or CANARY not in moment.state:
            continue
        if _unattended(moment.state):
            continue
        pods = {name: available(moment.state, name) for name in (PRIMARY, TARGET)}
        for name, share in serving({moment.key: moment.after or {}}).items():
            if share and name not in lately and any(pods.values()):
                yield f"{share} percent for {name}, but the pods are {pods}"


def _with_pods_lately(moments: Iterable[Moment]) -> Iterator[tuple[Moment, set[str]]]:
    """Each moment, with the workloads that had pods since the last status but one.

    That is what a decision can go by: pods may vanish while it is being carried out.
    """
    before: set[str] = set()
    since: set[str] = set()
    for moment in moments:
        if moment.key == CANARY:
            before, since = since, set()
        since |= {name for name in (PRIMARY, TARGET) if available(moment.state, name)}
        yield moment, before | since


def _unattended(state: Mapping[str, Object]) -> bool:
    """A Canary is being initialized without anybody looking at its primary."""
    canary = state.get(CANARY) or {"spec": {}}
    phase = canary.get("status", {}).get("phase")
    return bool(canary["spec"].get("skipAnalysis")) and phase == "Initializing"


def _routes_follow_status(run: Run) -> Iterator[str]:
    """A route shows what was decided and committed before, until the Canary is to go.

    Only from a backend that had no pods since then all traffic goes to the other one.
    """
    empty: set[str] = set()
    for moment in run.found.moments:
        if moment.key == CANARY:
            empty.clear()
        empty |= {name for name in (PRIMARY, TARGET) if not available(moment.state, name)}
        status = (moment.state.get(CANARY) or {}).get("status", {})
        if not shares(moment.after or {}) or status.get("phase") == "Terminating":
            continue
        decided = (status.get("run", {}).get("route") or {}).get("canary", 0)
        share = serving({moment.key: moment.after or {}})[TARGET]
        spared = TARGET if share == 0 else PRIMARY
        if share != decided and not (share in (0, 100) and spared in empty):
            yield f"{share} percent for {TARGET} while the status says {decided}"


def _scaled_down_without_traffic(run: Run) -> Iterator[str]:
    for moment in run.found.moments:
        if moment.key not in keys(TARGET):
            continue
        sizes = [_replicas(body) for body in (moment.before, moment.after)]
        share = serving(moment.state)[TARGET]
        if sizes[0] and sizes[1] == 0 and share:
            yield f"{TARGET} was scaled to zero with {share} percent of the traffic"


def _replicas(body: Object | None) -> int | None:
    return None if body is None else int(body["spec"]["replicas"])


def _images(run: Run) -> Iterator[str]:
    """The primary runs what passed its analysis: the same versions as in a clean run."""
    found, clean = _primaries(run.found), _primaries(run.clean)
    if found != clean:
        yield f"the primary ran {found} instead of {clean}"


def _primaries(outcome: Outcome) -> list[str]:
    versions = (version for key in keys(PRIMARY) for version in outcome.history(key))
    return [tag for tag, _ in groupby(image(body) for _, body in versions if body is not None)]


def _failed_is_safe(run: Run) -> Iterator[str]:
    """When a run is called failed, traffic is on pods that serve, and on no failed version."""
    for moment in run.found.moments:
        if moment.key != CANARY or not _just_failed(moment):
            continue
        served = serving(moment.state)
        for name, share in served.items():
            if share and not available(moment.state, name):
                yield f"Failed with {share} percent of the traffic on {name}, which has no pods"
        if served[TARGET] and not _carries_it(moment.state):
            yield f"Failed with {served[TARGET]} percent of the traffic on the failed version"


def _just_failed(moment: Moment) -> bool:
    before, after = ((body or {}).get("status", {}).get("phase") for body in _both(moment))
    return bool(after == "Failed" and before != "Failed")


def _both(moment: Moment) -> tuple[Object | None, Object | None]:
    return moment.before, moment.after


def _carries_it(state: Mapping[str, Object]) -> bool:
    """The primary died of its promotion, so the target is the version that serves."""
    return image(workload(state, PRIMARY)) == image(workload(state, TARGET))


def _never_early(run: Run) -> Iterator[str]:
    yield from too_early(run.found.statuses, run.pace)


def _never_early_by_a_start(run: Run) -> Iterator[str]:
    """Without `tickedAt` only when a write came is known, which is late on a busy machine.

    The write after a late one seems early. So a step counts only when a process began before it,
    after the step before; with two replicas each step counts.
    """
    for before, after in early_steps(run.found.statuses, run.pace):
        if run.raced or any(ticked(before) <= at <= ticked(after) for at in run.found.starts):
            yield f"{ticked(after) - ticked(before)} between {before} and {after}"


def _comes_to_rest(run: Run) -> Iterator[str]:
    if not run.found.rested:
        yield "objects are still written after the end"


def _users_objects(run: Run) -> Iterator[str]:
    """Of what users wrote only the scale changes."""
    for key in USERS:
        usual = [_users(body) for _, body in run.clean.history(key) if body is not None]
        for _, body in run.found.history(key):
            if body is not None and _users(body) not in usual:
                yield f"{key} differs by {difference(usual[-1], _users(body))}"
                break


def _users(body: Object) -> Object:
    """What is the user's alone."""
    kept = plain(body)
    kept["metadata"].pop("annotations", None)  # the Deployment's controller writes some
    kept["spec"] = {k: v for k, v in kept.get("spec", {}).items() if k != "replicas"}
    return kept


def _ends_in_order(run: Run) -> Iterator[str]:
    if run.found.exit_code:
        yield f"the controller ended with code {run.found.exit_code}"


COMMON: Final[Mapping[str, Check]] = {
    "end": _same_end,
    "told": told.end_is_told,
    "I1 sum": _sums,
    "I2 pods": _backends_serve,
    "I2 scale": _scaled_down_without_traffic,
    "I3 promoted": _images,
    "I5 early": _never_early_by_a_start,
    "I6 failed": _failed_is_safe,
    "I7 alerts": told.one_alert_a_transition,
    "I8 rest": _comes_to_rest,
    "I9 owners": _users_objects,
}
"""What any controller has to keep."""
OURS: Final[Mapping[str, Check]] = {
    **COMMON,
    "I5 early": _never_early,
    "status first": _routes_follow_status,
    "told once": told.told_once,
    "told all": told.told_all,
    "new texts": told.nothing_else_is_told,
    "exit code": _ends_in_order,
}
