"""A bad Canary tells what is wrong with it, and disturbs no other."""

import contextlib
from typing import Any

import pytest

from e2e.suite import history, kube, load, podinfo, wait


def steps(**more: Any) -> kube.Object:
    return podinfo.analysis(**{"stepWeight": 50, "maxWeight": 50, "metrics": [], **more})


def target(name: str) -> kube.Object:
    return {**podinfo.WORKLOAD, "name": name}


UNKNOWN = {"name": "nowhere", "templateRef": {"name": "nowhere"}, "interval": "1m"}
BAD: dict[str, tuple[kube.Object, kube.Object, tuple[str, ...]]] = {
    "interval": (steps(interval="3sec"), target("other-1"), ("spec.analysis.interval",)),
    "target": (steps(), target("missing"), ("missing.", "not found")),
    "template": (
        steps(metrics=[UNKNOWN]),
        target("other-2"),
        ("MetricTemplate nowhere", "create it"),
    ),
    "rival": (steps(), target(podinfo.NAME), ("spec.targetRef", "already under the Canary")),
}
"""Name: analysis, target, and words that the Event must have."""


def deploy(app: podinfo.App, name: str) -> None:
    body = app.api.get("Deployment", podinfo.NAME, app.namespace)
    spec = body["spec"]
    labels = {"app": name}
    spec["selector"]["matchLabels"] = labels
    spec["template"]["metadata"]["labels"] = labels
    spec["replicas"] = 1
    metadata = {"name": name, "namespace": app.namespace, "labels": labels}
    app.api.apply(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    )


@pytest.fixture
def good(app: podinfo.App, past: history.History) -> podinfo.App:
    """A Canary that works, beside which there are bad ones."""
    app.deploy()
    for name in ("other-1", "other-2"):
        deploy(app, name)
    app.route()
    app.canary(podinfo.analysis(stepWeight=50, maxWeight=50))
    app.bootstrap(past)
    return app


def test_bad_canaries_disturb_nothing(good: podinfo.App, past: history.History) -> None:
    with contextlib.ExitStack() as stack:
        others = {
            name: stack.enter_context(history.History(good.api, good.namespace, name))
            for name in BAD
        }
        for name, (wanted, reference, _) in BAD.items():
            good.canary(wanted, name=name, targetRef=reference)
        with load.Load(good.address, rate=50) as clients:
            mark = past.mark()
            good.release("2.0.0")
            podinfo.promoted(past, mark)
            good.serves("2.0.0")
        for name, (_, _, words) in BAD.items():
            warning(others[name], words)
            message = condition(good, name)["message"]
            assert all(word in message for word in words), message
    assert clients.failures() == []
    assert past.weights(mark) == [0, 50]
    assert [
        event for event in past.events() if event.warning and "not ready" not in event.text
    ] == []


def condition(app: podinfo.App, name: str) -> kube.Object:
    """Return the condition that says how a Canary is."""
    conditions = app.api.get("Canary", name, app.namespace)["status"]["conditions"]
    found: kube.Object = next(item for item in conditions if item["type"] == "Ready")
    return found


def warning(past: history.History, words: tuple[str, ...]) -> None:
    """Wait for a Warning with some words."""

    def told() -> bool:
        warnings = [event.text for event in past.events() if event.warning]
        return any(all(word in text for word in words) for text in warnings)

    wait.until(f"a warning about {past.name}", told, state=past.describe)
