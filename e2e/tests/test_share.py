"""What a weight means, counted at a client."""

from e2e.suite import access, gates, history, load, podinfo, wait

REQUESTS = 1200
TOLERANCE = 4


def test_one_fifth_of_the_answers(
    app: podinfo.App, past: history.History, reach: access.Access
) -> None:
    """The run stands at 20 % for as long as its promotion gate is closed."""
    app.deploy()
    app.route()
    webhooks = [podinfo.gate("confirm-promotion")]
    app.canary(podinfo.analysis(stepWeight=20, maxWeight=20, webhooks=webhooks))
    app.bootstrap(past)
    with load.Load(app.address, rate=200) as clients:
        app.release("2.0.0")
        past.phase("WaitingPromotion", seconds=240, never=("Failed",))
        wait.until("canary answers", lambda: load.versions(clients.answers())["2.0.0"])
        begun = past.mark()
        wait.until("enough requests", lambda: len(clients.answers(begun)) >= REQUESTS)
        during = clients.answers(begun, past.mark())
        assert past.state == history.State("WaitingPromotion", weight=20)
        assert app.weights() == {podinfo.PRIMARY: 80, f"{podinfo.NAME}-canary": 20}

        gates.change(reach, app.namespace, "open")
        podinfo.promoted(past, 0)
        app.serves("2.0.0")
    assert len(during) >= 1000
    assert abs(load.share(during, "2.0.0") - 20) <= TOLERANCE
    assert clients.failures() == []
