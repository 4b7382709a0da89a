"""Messages, their fields, and who gets them (alerting.md sections 3, 8 and 14)."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from flagger_controller.alerts import compose
from flagger_controller.alerts.base import Field
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Phase, Run
from flagger_controller.rollout.decision import Alert, Severity

from .conftest import Build
from .messages import NOW


def routing(build: Build, **analysis: Any) -> str | None:
    alert = Alert("x", Severity.INFO, metadata=True)
    fields = compose.message(build(**analysis), alert, "", NOW).fields
    return {field.name: field.value for field in fields}.get("Traffic routing")


def test_the_fields_of_a_canary(canary: Build) -> None:
    built = canary(threshold=10, stepWeight=10, maxWeight=50)
    alert = Alert("New Deployment detected", Severity.INFO, metadata=True)
    message = compose.message(built, alert, "c1", NOW)
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
    assert compose.message(canary(), alert, "c1", NOW).fields == (Field("Cluster", "c1"),)
    assert compose.message(canary(), alert, "", NOW).fields == ()


def test_limits_are_the_effective_ones(canary: Build) -> None:
    alert = Alert("x", Severity.INFO, metadata=True)
    fields = compose.message(canary(threshold=-1, deadline=60), alert, "", NOW).fields
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


def test_what_templates_can_name(canary: Build) -> None:
    status = CanaryStatus(
        phase=Phase.PROGRESSING,
        canary_weight=30,
        failed_checks=1,
        iterations=2,
        last_applied_spec="x",
        tracked_configs={"a": "1", "b": "2"},
    )
    built = canary().model_copy(update={"status": status})
    message = compose.message(built, Alert("Halt", Severity.WARN), "c1", NOW)
    assert message.at == NOW
    assert compose.variables(message) == {
        "id": message.facts["id"],
        "name": "podinfo",
        "namespace": "default",
        "cluster": "c1",
        "kind": "Deployment",
        "target": "target",
        "phase": "Progressing",
        "revision": "x",
        "checksum": "74fdf4954",
        "weight": "30",
        "iterations": "2",
        "failedChecks": "1",
        "message": "Halt",
        "severity": "warn",
    }


def test_an_alert_that_is_told_again_is_known_by_its_id(canary: Build) -> None:
    def known(text: str, ticked: str, at: datetime = NOW) -> str:
        status = CanaryStatus(run=Run(ticked_at=ticked))
        built = canary().model_copy(update={"status": status})
        return compose.message(built, Alert(text, Severity.INFO), "", at).facts["id"]

    assert known("a", "t1") == known("a", "t1", NOW + timedelta(hours=1))
    assert len({known("a", "t1"), known("a", "t2"), known("b", "t1")}) == 3


def test_without_an_analysis_nothing_breaks() -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "target"}
    metadata = {"name": "podinfo", "namespace": "default"}
    built = Canary.from_api({"metadata": metadata, "spec": {"targetRef": target}})
    alert = Alert("x", Severity.INFO, metadata=True)
    fields = {each.name for each in compose.message(built, alert, "", NOW).fields}
    assert fields == {"Target", "Failed checks threshold", "Progress deadline"}
    assert compose.routes(built, Severity.ERROR) is None
