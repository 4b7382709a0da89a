"""Messages, their fields, and who gets them (alerting.md sections 3, 8 and 14)."""

from typing import Any

import pytest

from flagger_controller.alerts import compose
from flagger_controller.alerts.base import Field
from flagger_controller.rollout.decision import Alert, Severity

from .conftest import Build


def routing(build: Build, **analysis: Any) -> str | None:
    alert = Alert("x", Severity.INFO, metadata=True)
    fields = compose.message(build(**analysis), alert, "").fields
    return {field.name: field.value for field in fields}.get("Traffic routing")


def test_the_fields_of_a_canary(canary: Build) -> None:
    built = canary(threshold=10, stepWeight=10, maxWeight=50)
    alert = Alert("New Deployment detected", Severity.INFO, metadata=True)
    message = compose.message(built, alert, "c1")
    assert (message.subject, message.text) == ("podinfo.default", "New Deployment detected")
    assert message.fields == (
        Field("Cluster", "c1"),
        Field("Target", "Deployment/target.default"),
        Field("Failed checks threshold", "10"),
        Field("Progress deadline", "600s"),
        Field("Traffic routing", "Weight step: 10 max: 50"),
    )


def test_without_metadata_there_is_only_the_cluster(canary: Build) -> None:
    alert = Alert("x", Severity.ERROR)
    assert compose.message(canary(), alert, "c1").fields == (Field("Cluster", "c1"),)
    assert compose.message(canary(), alert, "").fields == ()


def test_limits_are_the_effective_ones(canary: Build) -> None:
    alert = Alert("x", Severity.INFO, metadata=True)
    fields = compose.message(canary(threshold=-1, deadline=60), alert, "").fields
    assert fields[1:] == (
        Field("Failed checks threshold", "1"),
        Field("Progress deadline", "60s"),
    )


@pytest.mark.parametrize(
    ("analysis", "text"),
    [
        ({"iterations": 3, "match": [{}], "stepWeight": 5}, "A/B Testing"),
        ({"iterations": 3, "stepWeight": 5}, "Blue/Green"),
        ({"stepWeight": 5, "stepWeights": [1]}, "Weight step: 5 max: 0"),
        ({"stepWeights": [20, 40, 80]}, "Weight steps: 20,40,80 max: 0"),
        ({"match": [{}]}, None),
    ],
)
def test_traffic_routing(canary: Build, analysis: dict[str, Any], text: str | None) -> None:
    assert routing(canary, **analysis) == text


@pytest.mark.parametrize(
    ("severity", "names"),
    [
        (Severity.INFO, ["unset", "info"]),
        (Severity.WARN, ["unset", "info", "warn"]),
        (Severity.ERROR, ["unset", "info", "warn", "error"]),
    ],
)
def test_routes_filter_by_severity(canary: Build, severity: Severity, names: list[str]) -> None:
    alerts = [
        {"name": name or "unset", "severity": name, "providerRef": {"name": "p"}}
        for name in ("", "info", "warn", "error")
    ]
    routes = compose.routes(canary(alerts=alerts), severity)
    assert routes is not None
    assert [route.name for route in routes] == names


def test_own_routes_switch_the_global_notifier_off(canary: Build) -> None:
    alerts = [{"name": "x", "severity": "error", "providerRef": {"name": "p"}}]
    assert compose.routes(canary(alerts=alerts), Severity.INFO) == ()
    assert compose.routes(canary(), Severity.INFO) is None
