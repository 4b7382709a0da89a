"""A hook of a Canary runs a real `helm test`, and its result decides."""

from e2e.suite import access, history, images, load, names, podinfo
from e2e.tests import expected

CHART = names.ROOT / "e2e" / "charts" / "acceptance"
RELEASE = "acceptance"
HELMTESTER = f"http://{names.HELMTESTER}.{names.COMPANIONS}/"


def test_helm_test_decides(
    app: podinfo.App, past: history.History, reach: access.Access, built: images.Images
) -> None:
    reach.run(
        reach.helm,
        "install",
        RELEASE,
        str(CHART),
        f"--namespace={app.namespace}",
        f"--set=image={built.of('podinfo')}",
    )
    app.deploy()
    app.route()
    command = f"test {RELEASE} -n {app.namespace}"
    hook = podinfo.hook(
        "pre-rollout", HELMTESTER, name="helm", timeout="1m", type="helmv3", cmd=command
    )
    app.canary(podinfo.analysis(stepWeight=50, maxWeight=50, threshold=1, webhooks=[hook]))
    app.bootstrap(past)
    with load.Load(app.address, rate=50) as clients:
        good = past.mark()
        app.release("2.0.0")
        past.told("Pre-rollout check helm passed", since=good, seconds=240)
        test = app.api.get("Pod", f"{RELEASE}-version", app.namespace)
        assert test["status"]["phase"] == "Succeeded"
        podinfo.promoted(past, good)
        app.serves("2.0.0")

        bad = past.mark()
        app.release("3.0.0")
        podinfo.rolled_back(past, bad)
    test = app.api.get("Pod", f"{RELEASE}-version", app.namespace)
    assert test["status"]["phase"] == "Failed"
    assert clients.failures() == []
    assert "3.0.0" not in load.versions(clients.answers())
    assert past.weights(bad) == [0]
    halted = [text for text in past.texts(bad) if "pre-rollout check helm failed" in text]
    assert halted
    assert f"command {command} failed" in halted[0]
    assert expected.essential(past.texts(bad), app.namespace)[-2:] == [
        "Rolling back podinfo.NS failed checks threshold reached 1",
        expected.FAILED,
    ]
    assert app.version() == "2.0.0"
