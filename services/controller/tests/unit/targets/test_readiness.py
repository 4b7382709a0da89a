"""Readiness of workloads, with upstream's texts (targets.md 5.4 and 6.3, state-machine 13.2)."""

from datetime import UTC, datetime, timedelta

import pytest

from flagger_controller.api.base import Object
from flagger_controller.rollout.evidence import Health
from flagger_controller.targets import readiness

from .workloads import Build

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
PROGRESSING = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}
DEAD = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


def short_of_pods(seconds: float) -> Object:
    """An Available condition that has been False for so long."""
    since = NOW - timedelta(seconds=seconds)
    return {
        "type": "Available",
        "status": "False",
        "reason": "MinimumReplicasUnavailable",
        "lastUpdateTime": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def counts(
    updated: int, available: int, total: int | None = None, *conditions: Object, observed: int = 1
) -> Object:
    return {
        "observedGeneration": observed,
        "updatedReplicas": updated,
        "availableReplicas": available,
        "replicas": updated if total is None else total,
        "conditions": list(conditions),
    }


WAIT = "canary deployment podinfo.test not ready: waiting for rollout to finish: "

CASES = [
    pytest.param(2, counts(2, 2), Health(True), id="ready"),
    pytest.param(0, counts(0, 0), Health(True, available=False), id="zero-replicas"),
    pytest.param(
        2,
        counts(2, 2, observed=0),
        Health(
            False,
            True,
            WAIT + "observed deployment generation less than desired generation",
            observed=False,
        ),
        id="generation",
    ),
    pytest.param(
        2,
        counts(1, 1),
        Health(False, True, WAIT + "1 out of 2 new replicas have been updated"),
        id="updating",
    ),
    pytest.param(
        2,
        counts(2, 2, 3),
        Health(False, True, WAIT + "1 old replicas are pending termination"),
        id="terminating",
    ),
    pytest.param(
        1,
        counts(1, 0, 1, PROGRESSING, short_of_pods(600)),
        Health(
            False,
            True,
            WAIT + "0 of 1 (readyThreshold 100%) updated replicas are available",
            available=False,
        ),
        id="at-the-deadline",
    ),
    pytest.param(
        1,
        counts(1, 0, 1, PROGRESSING, short_of_pods(601)),
        Health(
            False,
            False,
            WAIT + "0 of 1 (readyThreshold 100%) updated replicas are available",
            available=False,
        ),
        id="after-the-deadline",
    ),
    pytest.param(
        1,
        counts(1, 0, 1, short_of_pods(601)),
        Health(
            False,
            True,
            WAIT + "0 of 1 (readyThreshold 100%) updated replicas are available",
            available=False,
        ),
        id="no-progressing-condition",
    ),
    pytest.param(
        2,
        counts(1, 1, 2, PROGRESSING, {"type": "Available", "status": "True"}),
        Health(False, True, WAIT + "1 out of 2 new replicas have been updated"),
        id="enough-available",
    ),
    pytest.param(
        1,
        counts(1, 0, 1, DEAD),
        Health(
            False,
            False,
            'canary deployment podinfo.test not ready: deployment "podinfo" '
            "exceeded its progress deadline",
            available=False,
        ),
        id="dead",
    ),
    pytest.param(
        1,
        {},
        Health(
            False,
            True,
            WAIT + "observed deployment generation less than desired generation",
            available=False,
            observed=False,
        ),
        id="no-status",
    ),
]


@pytest.mark.parametrize(("replicas", "status", "health"), CASES)
def test_deployment(
    canary: Build, deployment: Build, replicas: int, status: Object, health: Health
) -> None:
    workload = deployment(spec={"replicas": replicas}, status=status)
    assert readiness.deployment(canary(), workload, primary=False, now=NOW) == health


def test_text_for_a_primary_deployment(canary: Build, deployment: Build) -> None:
    workload = deployment(metadata={"name": "podinfo-primary"}, status=counts(1, 0, 1, DEAD))
    health = readiness.deployment(canary(), workload, primary=True, now=NOW)
    assert health.reason == (
        'podinfo-primary.test not ready: deployment "podinfo-primary" '
        "exceeded its progress deadline"
    )


@pytest.mark.parametrize("since", ["", "soon", "2026-01-01T10:00:00", None])
def test_a_clock_that_cannot_be_read_never_expires(
    canary: Build, deployment: Build, since: str | None
) -> None:
    condition = short_of_pods(0) | {"lastUpdateTime": since}
    workload = deployment(status=counts(1, 0, 1, PROGRESSING, condition))
    assert readiness.deployment(canary(), workload, primary=False, now=NOW).retriable


def test_the_canarys_deadline_counts(canary: Build, deployment: Build) -> None:
    workload = deployment(status=counts(1, 0, 1, PROGRESSING, short_of_pods(61)))
    own = canary(progressDeadlineSeconds=60)
    assert not readiness.deployment(own, workload, primary=False, now=NOW).retriable


@pytest.mark.parametrize(
    ("pods", "percent", "need"),
    [
        (0, 100, 0),
        (1, 50, 1),  # upstream: 0, ready without a pod (T24)
        (1, 0, 1),
        (2, 50, 1),
        (3, 50, 2),
        (3, 100, 3),
        (10, 75, 8),
        (1000, 1, 10),
    ],
)
def test_t24_needed_pods(pods: int, percent: int, need: int) -> None:
    assert readiness.needed(pods, percent) == need


STS_WAIT = "canary statefulset podinfo.test not ready: waiting for rollout to finish: "
STS_SHORT = STS_WAIT + "1 of 3 (readyThreshold 100%) updated replicas are available"

STS_CASES = [
    pytest.param(3, counts(3, 3), 9999, Health(True), id="ready"),
    pytest.param(0, counts(0, 0), 9999, Health(True, available=False), id="zero-replicas"),
    pytest.param(
        3,
        counts(3, 3, observed=0),
        9999,
        Health(
            False,
            True,
            STS_WAIT + "observed statefulset generation less than desired generation",
            observed=False,
        ),
        id="generation",
    ),
    pytest.param(
        3,
        counts(1, 3, 3),
        600,
        Health(False, True, STS_WAIT + "1 out of 3 new replicas have been updated"),
        id="one-after-the-other",
    ),
    pytest.param(
        1,
        counts(1, 1, 2),
        600,
        Health(False, True, STS_WAIT + "1 old replicas are pending termination"),
        id="terminating",
    ),
    pytest.param(3, counts(3, 1), 600, Health(False, True, STS_SHORT), id="at-the-deadline"),
    pytest.param(
        3,
        counts(3, 1),
        601,
        Health(
            False,
            False,
            "canary statefulset podinfo.test not ready: exceeded its progressDeadlineSeconds: 600",
        ),
        id="after-the-deadline",
    ),
]


@pytest.mark.parametrize(("replicas", "status", "age", "health"), STS_CASES)
def test_statefulset(
    canary: Build, deployment: Build, replicas: int, status: Object, age: int, health: Health
) -> None:
    """The counts are those of a Deployment; it has no conditions to look at."""
    workload = deployment(spec={"replicas": replicas}, status=status)
    since = (NOW - timedelta(seconds=age)).isoformat()
    built = canary(status={"run": {"tickedAt": since}})
    assert readiness.statefulset(built, workload, primary=False, now=NOW) == health


def test_text_for_a_primary_statefulset(canary: Build, deployment: Build) -> None:
    workload = deployment(metadata={"name": "podinfo-primary"}, status=counts(0, 0))
    health = readiness.statefulset(canary(), workload, primary=True, now=NOW)
    assert health.reason == (
        "primary statefulset podinfo-primary.test not ready: waiting for rollout to finish: "
        "0 out of 1 new replicas have been updated"
    )


def test_a_statefulset_is_not_overdue_before_the_first_status_write(
    canary: Build, deployment: Build
) -> None:
    workload = deployment(status=counts(1, 0))
    assert readiness.statefulset(canary(), workload, primary=False, now=NOW).retriable


def test_thresholds_are_the_workloads_own(canary: Build, deployment: Build) -> None:
    tolerant = canary(analysis={"canaryReadyThreshold": 50, "primaryReadyThreshold": 75})
    workload = deployment(spec={"replicas": 4}, status=counts(4, 2))
    assert readiness.deployment(tolerant, workload, primary=False, now=NOW).ready
    health = readiness.deployment(tolerant, workload, primary=True, now=NOW)
    assert health.reason.endswith("2 of 3 (readyThreshold 75%) updated replicas are available")


@pytest.mark.parametrize(("value", "percent"), [(None, 100), (0, 0), (-5, 0), (250, 100), (80, 80)])
def test_thresholds_are_percentages(canary: Build, value: int | None, percent: int) -> None:
    odd = canary(analysis={"canaryReadyThreshold": value})
    assert readiness.threshold(odd, primary=False) == percent


def daemonset(desired: int, updated: int, available: int, observed: int = 1) -> Object:
    return {
        "metadata": {"name": "podinfo", "generation": 1},
        "spec": {},
        "status": {
            "observedGeneration": observed,
            "desiredNumberScheduled": desired,
            "updatedNumberScheduled": updated,
            "numberAvailable": available,
        },
    }


DS_WAIT = (
    "canary damonset podinfo.test not ready with retryable true: waiting for rollout to finish: "
)

DS_CASES = [
    (daemonset(2, 2, 2), 10, Health(True)),
    (daemonset(0, 0, 0), 10, Health(True, available=False)),
    (
        daemonset(2, 2, 2, observed=0),
        700,
        Health(
            False,
            True,
            DS_WAIT + "observed daemonset generation less than desired generation",
            observed=False,
        ),
    ),
    (
        daemonset(2, 1, 2),
        600,
        Health(False, True, DS_WAIT + "1 out of 2 new pods have been updated"),
    ),
    (
        daemonset(2, 2, 1),
        600,
        Health(False, True, DS_WAIT + "1 of 2 (readyThreshold 100%) updated pods are available"),
    ),
    (
        daemonset(2, 2, 0),
        601,
        Health(
            False,
            False,
            "canary damonset podinfo.test not ready with retryable false: "
            "exceeded its progressDeadlineSeconds: 600",
            available=False,
        ),
    ),
]


@pytest.mark.parametrize(("workload", "age", "health"), DS_CASES)
def test_daemonset(canary: Build, workload: Object, age: int, health: Health) -> None:
    written = (NOW - timedelta(seconds=age)).isoformat()
    built = canary(status={"lastTransitionTime": written})
    assert readiness.daemonset(built, workload, primary=False, now=NOW) == health


def test_text_for_a_primary_daemonset(canary: Build) -> None:
    health = readiness.daemonset(canary(), daemonset(2, 2, 1), primary=True, now=NOW)
    assert health.reason == (
        "primary daemonset podinfo-primary.test not ready: waiting for rollout to finish: "
        "1 of 2 (readyThreshold 100%) updated pods are available"
    )


def test_t26_a_daemonset_is_not_overdue_before_the_first_status_write(canary: Build) -> None:
    health = readiness.daemonset(canary(), daemonset(2, 2, 0), primary=False, now=NOW)
    assert health.retriable
