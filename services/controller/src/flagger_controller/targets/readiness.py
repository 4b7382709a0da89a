"""Is a workload ready? The arithmetic and texts of targets.md 5.4, 6.3 and state-machine 13.2.

A workload that is not there is the caller's case.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from flagger_controller.api import knative
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.rollout.evidence import Health

_WAITING: Final = "waiting for rollout to finish: "


class _Trouble(NamedTuple):
    """Why a workload is not ready, and whether waiting helps."""

    reason: str
    retriable: bool = True


def deployment(canary: Canary, workload: Object, *, primary: bool, now: datetime) -> Health:
    """Readiness of a Deployment.

    One with 0 replicas is ready but not available: whether that is good is for the engine to say.
    """
    trouble = _deployment_trouble(canary, workload, threshold(canary, primary=primary), now)
    who = f"{_name(canary, primary=primary)} not ready: "
    return _by_replicas(workload, who if primary else f"canary deployment {who}", trouble)


def statefulset(canary: Canary, workload: Object, *, primary: bool, now: datetime) -> Health:
    """Readiness of a StatefulSet, by the counts of a Deployment and the deadline of a DaemonSet.

    Its pods are replaced one after the other, all of them within one deadline. While no partition
    holds pods back, the counts say everything that its two revisions say.
    """
    trouble = _statefulset_trouble(canary, workload, threshold(canary, primary=primary), now)
    who = f"statefulset {_name(canary, primary=primary)} not ready: "
    return _by_replicas(workload, f"{'primary' if primary else 'canary'} {who}", trouble)


def daemonset(canary: Canary, workload: Object, *, primary: bool, now: datetime) -> Health:
    """Readiness of a DaemonSet; its deadline runs from the last write of the Canary's status."""
    status = workload.get("status") or {}
    trouble = _daemonset_trouble(canary, workload, threshold(canary, primary=primary), now)
    available = _count(status, "numberAvailable") > 0
    if trouble is None:
        return Health(ready=True, available=available)
    name = _name(canary, primary=primary)
    if primary:
        text = f"primary daemonset {name} not ready: "
    else:
        retriable = str(trouble.retriable).lower()
        text = f"canary damonset {name} not ready with retryable {retriable}: "
    return Health(False, trouble.retriable, text + trouble.reason, available, not _stale(workload))


def knative_revision(canary: Canary, workload: Object, *, now: datetime) -> Health:
    """Readiness of a Knative revision.

    Its deadline runs since the last change of its condition, or since it was made (upstream has
    none, T18). One that is not ready may still have pods that serve.
    """
    if knative.ready(workload):
        return Health(ready=True)
    metadata, found = workload["metadata"], knative.condition(workload, "Ready")
    since = str(found.get("lastTransitionTime") or metadata.get("creationTimestamp") or "")
    late = _overdue(since, canary.deadline, now)
    why = found.get("message") or found.get("reason") or "Knative has not said why"
    if late:
        why = f"exceeded its progressDeadlineSeconds: {canary.deadline}: {why}"
    text = f"Knative Revision {metadata['name']}.{canary.namespace} is not ready: {why}"
    available = _count(workload.get("status") or {}, "actualReplicas") > 0
    return Health(False, not late, text, available)


def threshold(canary: Canary, *, primary: bool) -> int:
    """Percent of pods that must be available, 0 to 100."""
    analysis = canary.analysis
    value = analysis.primary_ready_threshold if primary else analysis.canary_ready_threshold
    return 100 if value is None else max(0, min(100, value))


def needed(pods: int, percent: int) -> int:
    """How many of so many pods must be available: rounded up, at least one of them (T24)."""
    return max(-(-pods * percent // 100), min(pods, 1))


def _by_replicas(workload: Object, text: str, trouble: _Trouble | None) -> Health:
    """What follows for a workload that counts its available replicas."""
    available = _count(workload.get("status") or {}, "availableReplicas") > 0
    if trouble is None:
        return Health(ready=True, available=available)
    return Health(False, trouble.retriable, text + trouble.reason, available, not _stale(workload))


def _deployment_trouble(
    canary: Canary, workload: Object, percent: int, now: datetime
) -> _Trouble | None:
    status = workload.get("status") or {}
    if _stale(workload):
        return _Trouble(f"{_WAITING}observed deployment generation less than desired generation")
    conditions = {item.get("type"): item for item in status.get("conditions") or ()}
    progress = conditions.get("Progressing") or {}
    if progress.get("reason") == "ProgressDeadlineExceeded":
        name = workload["metadata"]["name"]
        return _Trouble(f'deployment "{name}" exceeded its progress deadline', retriable=False)
    reason = _counting(workload, percent)
    if reason is None:
        return None
    stuck = bool(progress) and _expired(canary, conditions.get("Available") or {}, now)
    return _Trouble(_WAITING + reason, retriable=not stuck)


def _counting(workload: Object, percent: int) -> str | None:
    status = workload.get("status") or {}
    wanted = (workload.get("spec") or {}).get("replicas")
    updated, total = _count(status, "updatedReplicas"), _count(status, "replicas")
    available = _count(status, "availableReplicas")
    if wanted is not None and updated < wanted:
        return f"{updated} out of {wanted} new replicas have been updated"
    if total > updated:
        return f"{total - updated} old replicas are pending termination"
    need = needed(updated, percent)
    if available < need:
        return f"{available} of {need} (readyThreshold {percent}%) updated replicas are available"
    return None


def _statefulset_trouble(
    canary: Canary, workload: Object, percent: int, now: datetime
) -> _Trouble | None:
    if _stale(workload):
        return _Trouble(f"{_WAITING}observed statefulset generation less than desired generation")
    reason = _counting(workload, percent)
    return None if reason is None else _within_deadline(canary, reason, now)


def _daemonset_trouble(
    canary: Canary, workload: Object, percent: int, now: datetime
) -> _Trouble | None:
    status = workload.get("status") or {}
    if _stale(workload):
        return _Trouble(f"{_WAITING}observed daemonset generation less than desired generation")
    desired, updated = (
        _count(status, "desiredNumberScheduled"),
        _count(status, "updatedNumberScheduled"),
    )
    available, need = _count(status, "numberAvailable"), needed(desired, percent)
    if updated >= desired and available >= need:
        return None
    reason = f"{available} of {need} (readyThreshold {percent}%) updated pods are available"
    if updated < desired:
        reason = f"{updated} out of {desired} new pods have been updated"
    return _within_deadline(canary, reason, now)


def _within_deadline(canary: Canary, reason: str, now: datetime) -> _Trouble:
    """Without conditions of its own a workload has from the last tick that changed our status."""
    since = canary.status.run.ticked_at or canary.status.last_transition_time
    if _overdue(since, canary.deadline, now):
        return _Trouble(f"exceeded its progressDeadlineSeconds: {canary.deadline}", retriable=False)
    return _Trouble(_WAITING + reason)


def _expired(canary: Canary, available: Object, now: datetime) -> bool:
    """Has the Deployment been short of pods for longer than the Canary allows?"""
    if available.get("status") != "False":
        return False
    if available.get("reason") != "MinimumReplicasUnavailable":
        return False
    return _overdue(str(available.get("lastUpdateTime") or ""), canary.deadline, now)


def _overdue(since: str, seconds: int, now: datetime) -> bool:
    """Has a time passed by more than so many seconds? Not when it is missing (T26)."""
    try:
        start = datetime.fromisoformat(since)
    except ValueError:
        return False
    return start.tzinfo is not None and now > start + timedelta(seconds=seconds)


def _stale(workload: Object) -> bool:
    """The controller of the workload has not seen its latest spec: the counts are old."""
    status = workload.get("status") or {}
    return _count(workload["metadata"], "generation") > _count(status, "observedGeneration")


def _count(fields: Object, name: str) -> int:
    return int(fields.get(name) or 0)


def _name(canary: Canary, *, primary: bool) -> str:
    return f"{canary.primary if primary else canary.target}.{canary.namespace}"
