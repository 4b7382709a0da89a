"""Gates hold what they shall hold, whatever happens to the gatekeeper meanwhile."""

from e2e.suite import access, gates, history, kube, load, names, podinfo, wait
from e2e.tests import expected

PODS = "app.kubernetes.io/name=gatekeeper"


def restart(api: kube.Kube) -> None:
    """End the gatekeeper without warning, and wait for the next one."""
    old = [pod["metadata"]["name"] for pod in pods(api)]
    for name in old:
        api.delete("Pod", name, names.COMPANIONS, force=True)

    def replaced() -> bool:
        found = [pod["metadata"]["name"] for pod in pods(api)]
        deployment = api.get("Deployment", names.GATEKEEPER, names.COMPANIONS)
        return not set(old) & set(found) and kube.rolled_out(deployment)

    wait.until("a new gatekeeper", replaced)


def pods(api: kube.Kube) -> list[kube.Object]:
    return api.select("Pod", names.COMPANIONS, labelSelector=PODS)


def refused(api: kube.Kube) -> float:
    """Count the checks that the running gatekeeper has refused."""
    try:
        text = api.proxied(names.COMPANIONS, f"{names.GATEKEEPER}:80", "/metrics")
    except kube.ApiError:  # its Service has not noticed it yet
        return 0.0
    lines = (line for line in text.splitlines() if line.startswith("flagger_gate_checks_total{"))
    return sum(float(line.split()[-1]) for line in lines if 'result="forbidden"' in line)


def test_closed_gates_survive_a_restart(
    app: podinfo.App, past: history.History, reach: access.Access
) -> None:
    app.deploy()
    app.route()
    webhooks = [podinfo.gate("confirm-rollout", "start"), podinfo.gate("confirm-promotion", "end")]
    app.canary(podinfo.analysis(stepWeight=50, maxWeight=50, webhooks=webhooks))
    app.bootstrap(past)
    assert gates.ask(reach, app.namespace, "/gate/check") == 403

    with load.Load(app.address, rate=50) as clients:
        mark = past.mark()
        app.release("2.0.0")
        past.phase("Waiting", since=mark, never=("Progressing", "Failed"))
        restart(app.api)
        wait.until("the new gatekeeper is asked", lambda: refused(app.api) >= 2)
        assert past.phases(mark) == ["Waiting"]
        assert app.replicas() == 0

        gates.change(reach, app.namespace, "open")
        past.phase("Progressing", since=mark)
        gates.change(reach, app.namespace, "close")
        past.phase("WaitingPromotion", since=mark, seconds=240, never=("Failed", "Promoting"))
        restart(app.api)
        wait.until("the new gatekeeper is asked", lambda: refused(app.api) >= 2)
        assert past.state == history.State("WaitingPromotion", weight=50)

        gates.change(reach, app.namespace, "open")
        restart(app.api)
        podinfo.promoted(past, mark)
        app.serves("2.0.0")
    assert clients.failures() == []
    assert expected.essential(past.texts(mark), app.namespace) == [
        "Halt podinfo.NS advancement waiting for approval start",
        "Confirm-rollout check start passed",
        expected.DETECTED,
        expected.STARTING,
        *expected.advance(50),
        "Halt podinfo.NS advancement waiting for promotion approval end",
        "Confirm-promotion check end passed",
        expected.COPYING,
        expected.TO_PRIMARY,
        expected.COMPLETED,
    ]


def test_rolled_back_by_a_person(
    app: podinfo.App, past: history.History, reach: access.Access
) -> None:
    app.deploy()
    app.route()
    url = f"http://{names.GATEKEEPER}.{names.COMPANIONS}"
    webhooks = [
        podinfo.hook("rollback", f"{url}/rollback/check", name="stop"),
        podinfo.hook("confirm-promotion", f"{url}/gate/halt", name="never"),
    ]
    app.canary(podinfo.analysis(stepWeight=50, maxWeight=50, webhooks=webhooks))
    app.bootstrap(past)
    with load.Load(app.address, rate=50) as clients:
        mark = past.mark()
        app.release("2.0.0")
        past.phase("WaitingPromotion", since=mark, seconds=240, never=("Failed",))
        assert gates.ask(reach, app.namespace, "/rollback/open") == 202
        podinfo.rolled_back(past, mark)
        app.serves(podinfo.FIRST)
    assert clients.failures() == []
    texts = expected.essential(past.texts(mark), app.namespace)
    assert texts[-3:] == [
        "Rollback check stop passed",
        "Rolling back podinfo.NS manual webhook invoked",
        expected.FAILED,
    ]
    assert app.version() == podinfo.FIRST
    assert app.weights() == {podinfo.PRIMARY: 100}
