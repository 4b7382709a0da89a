"""Whole releases by weight, through Traefik, under load."""

import pytest

from e2e.suite import access, history, kube, load, names, podinfo, wait
from e2e.tests import expected

HEY = f"hey -z 20s -q 5 -c 2 -host HOST http://{names.INGRESS}.{names.INGRESS}/"
LOADTESTER = f"http://{names.LOADTESTER}.{names.COMPANIONS}/"


def hooks(app: podinfo.App, version: str) -> list[kube.Object]:
    """An acceptance test before traffic is moved, load while it is."""
    curl = f"curl -sf http://podinfo-canary.{app.namespace}/version | grep -q {version}"
    return [
        podinfo.hook("pre-rollout", LOADTESTER, name="acceptance", type="bash", cmd=curl),
        podinfo.hook("rollout", LOADTESTER, name="load", cmd=HEY.replace("HOST", app.host)),
    ]


@pytest.mark.smoke
def test_promoted(app: podinfo.App, past: history.History, reach: access.Access) -> None:
    app.deploy()
    app.route()
    metrics = [podinfo.SUCCESS, podinfo.metric("request-duration", "20s", max=500)]
    app.canary(
        podinfo.analysis(stepWeight=20, maxWeight=60, metrics=metrics, webhooks=hooks(app, "2.0.0"))
    )
    app.bootstrap(past)
    assert app.ready()
    assert app.replicas() == 0
    assert app.weights() == {podinfo.PRIMARY: 100}

    with load.Load(app.address, rate=50) as clients:
        mark = past.mark()
        app.release("2.0.0")
        podinfo.promoted(past, mark)
        told = past.told("Promotion completed!", since=mark)
        app.serves("2.0.0")
        reach.run(
            reach.kubectl,
            f"--namespace={app.namespace}",
            "wait",
            "canary/podinfo",
            "--for=condition=promoted",
            "--timeout=10s",
        )
        clients.only("2.0.0")
    assert not told.warning
    assert clients.failures() == []
    assert past.weights(mark) == [0, 20, 40, 60]
    assert past.phases(mark) == ["Progressing", "Promoting", "Finalising", "Succeeded"]
    assert expected.essential(past.texts(mark), app.namespace) == [
        expected.DETECTED,
        expected.STARTING,
        "Pre-rollout check acceptance passed",
        *expected.advance(20, 40, 60),
        expected.COPYING,
        expected.TO_PRIMARY,
        expected.COMPLETED,
    ]
    assert past.state.failed == 0
    assert app.version() == "2.0.0"
    assert app.weights() == {podinfo.PRIMARY: 100}
    assert app.replicas() == 0
    counted = load.versions(clients.answers())
    assert set(counted) == {podinfo.FIRST, "2.0.0"}


@pytest.mark.smoke
def test_rolled_back(app: podinfo.App, past: history.History, reach: access.Access) -> None:
    app.deploy()
    app.route()
    app.canary(podinfo.analysis(stepWeight=20, maxWeight=60, threshold=2))
    app.bootstrap(past)

    with load.Load(app.address) as clients:
        mark = past.mark()
        app.release("2.0.0", PODINFO_FAIL="500", PODINFO_FAIL_RATE="0.5")
        podinfo.rolled_back(past, mark)
        failed = clients.only(podinfo.FIRST)
        wait.until("a hundred answers after the failure", lambda: answered(clients, failed))
        reach.run(
            reach.kubectl,
            f"--namespace={app.namespace}",
            "wait",
            "canary/podinfo",
            "--for=condition=promoted=false",
            "--timeout=10s",
        )
    assert {answer.status for answer in clients.failures()} == {500}
    assert {answer.version for answer in clients.failures()} == {"2.0.0"}
    assert clients.failures(since=failed) == []
    assert past.weights(mark)[:2] == [0, 20]
    texts = expected.essential(past.texts(mark), app.namespace)
    assert texts[:3] == [expected.DETECTED, expected.STARTING, *expected.advance(20)]
    assert [text for text in texts if text.startswith("Halt podinfo.NS advancement success rate")]
    assert texts[-2:] == [
        "Rolling back podinfo.NS failed checks threshold reached 2",
        expected.FAILED,
    ]
    assert app.version() == podinfo.FIRST
    assert app.weights() == {podinfo.PRIMARY: 100}
    assert app.replicas() == 0


def answered(clients: load.Load, since: float, count: int = 100) -> bool:
    return len(clients.answers(since)) >= count


def test_repaired_after_a_failure(app: podinfo.App, past: history.History) -> None:
    app.deploy()
    app.route()
    # The requests of both versions count under one name: the second is judged by its own when the
    # first one's have left the window.
    recent = podinfo.metric("request-success-rate", "4s", min=99)
    app.canary(podinfo.analysis(stepWeight=50, maxWeight=50, threshold=3, metrics=[recent]))
    app.bootstrap(past)
    with load.Load(app.address) as clients:
        mark = past.mark()
        app.release("2.0.0", PODINFO_FAIL="503", PODINFO_FAIL_RATE="1")
        podinfo.rolled_back(past, mark)
        repaired = clients.only(podinfo.FIRST)
        app.release("2.0.1")
        podinfo.promoted(past, repaired)
        app.serves("2.0.1")
    assert clients.failures(since=repaired) == []
    assert app.version() == "2.0.1"


def test_never_ready_is_given_up(app: podinfo.App, past: history.History) -> None:
    app.deploy()
    app.route()
    app.canary(podinfo.analysis(stepWeight=20, maxWeight=60), progressDeadlineSeconds=10)
    app.bootstrap(past)
    with load.Load(app.address) as clients:
        mark = past.mark()
        app.release("2.0.0", PODINFO_READY="hang")
        podinfo.rolled_back(past, mark)
    assert clients.failures() == []
    assert set(load.versions(clients.answers())) == {podinfo.FIRST}
    assert past.weights(mark) == [0]
    given_up = f"Rolling back {app.key} progress deadline exceeded"
    assert [text for text in past.texts(mark) if text.startswith(given_up)]
    assert app.version() == podinfo.FIRST
    assert app.weights() == {podinfo.PRIMARY: 100}
    assert app.replicas() == 0
