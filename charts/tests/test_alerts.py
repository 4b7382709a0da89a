"""The rules of the chart, as Helm renders them, judged by promtool."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from tools import prometheus
from tools.cluster import settings

Object = dict[str, Any]
Render = Callable[..., list[Object]]
Judge = Callable[..., None]
CANARY = 'canary="shop", name="web", namespace="prod"'
STEP = "flagger_canary_last_step_timestamp_seconds"
PHASE = "flagger_canary_phase"


def rules(objects: list[Object]) -> Object:
    (found,) = [each for each in objects if each["kind"] == "PrometheusRule"]
    return found


@pytest.fixture(scope="module")
def groups(render: Render) -> Object:
    """What Prometheus loads."""
    found: Object = rules(render("flagger", "prometheusRule.enabled=true"))["spec"]
    return found


@pytest.fixture
def judge(groups: Object, tmp_path: pathlib.Path) -> Judge:
    """Series, and the labels of an alert that fire at some times, in minutes."""

    def run(alert: str, series: dict[str, str], fires: dict[int, list[Object]]) -> None:
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups))
        expected = [
            {
                "eval_time": f"{minute}m",
                "alertname": alert,
                "exp_alerts": [
                    {"exp_labels": labels, "exp_annotations": annotations(groups, alert, labels)}
                    for labels in found
                ],
            }
            for minute, found in fires.items()
        ]
        inputs = [{"series": name, "values": values} for name, values in series.items()]
        test = {"interval": "1m", "input_series": inputs, "alert_rule_test": expected}
        document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
        (tmp_path / "tests.yaml").write_text(yaml.safe_dump(document))
        try:
            prometheus.promtool("test", "rules", str(tmp_path / "tests.yaml"))
        except settings.ClusterError as error:
            pytest.skip(f"no promtool: {error}")

    return run


def annotations(groups: Object, alert: str, labels: Object) -> Object:
    """Those of the rule, with what the labels say in place of variables."""
    (rule,) = [each for each in groups["groups"][0]["rules"] if each["alert"] == alert]
    namespace = labels.get("exported_namespace") or labels.get("namespace", "")
    words = {
        "{{ $labels.name }}": labels.get("name", ""),
        "{{ $labels.canary }}": labels.get("canary", ""),
        "{{ or $labels.exported_namespace $labels.namespace }}": namespace,
        "{{ humanizeDuration $value }}": labels.get("#took", ""),
    }
    found = {}
    for key, text in rule["annotations"].items():
        for variable, word in words.items():
            text = text.replace(variable, word)
        assert "{{" not in text
        found[key] = text
    labels.pop("#took", None)
    return found


def test_a_release_that_failed(judge: Judge) -> None:
    labels = {"severity": "warning", "name": "web", "namespace": "prod"}
    judge(
        "FlaggerCanaryFailed",
        {'flagger_canary_status{name="web", namespace="prod"}': "0 0 2 2 2 2 1 1"},
        {1: [], 2: [], 3: [labels], 5: [labels], 6: []},
    )


def stuck(took: str, **labels: str) -> Object:
    found = {"canary": "shop", "name": "web", "namespace": "prod", "severity": "warning"}
    return {**found, **labels, "#took": took}


@pytest.mark.parametrize("phase", ["Initializing", "Progressing", "Promoting", "Finalising"])
def test_a_release_that_does_not_go_on(judge: Judge, phase: str) -> None:
    series = {f"{STEP}{{{CANARY}}}": "0x70", f'{PHASE}{{{CANARY}, phase="{phase}"}}': "1x70"}
    judge("FlaggerCanaryStuck", series, {60: [], 61: [], 62: [stuck("1h 2m 0s")]})


@pytest.mark.parametrize("phase", ["Initialized", "Waiting", "WaitingPromotion", "Failed"])
def test_what_waits_for_people_is_not_stuck(judge: Judge, phase: str) -> None:
    series = {f"{STEP}{{{CANARY}}}": "0x70", f'{PHASE}{{{CANARY}, phase="{phase}"}}': "1x70"}
    judge("FlaggerCanaryStuck", series, {65: []})


def test_a_release_that_goes_on_is_not_stuck(judge: Judge) -> None:
    progress = f'{PHASE}{{{CANARY}, phase="Progressing"}}'
    judge("FlaggerCanaryStuck", {f"{STEP}{{{CANARY}}}": "0+60x90", progress: "1x90"}, {80: []})


def test_namespaces_are_told_apart_without_honor_labels(judge: Judge) -> None:
    """The namespace of the Canary is then that of the controller, for all of them."""
    series: dict[str, str] = {}
    for namespace, phase in (("prod", "Progressing"), ("dev", "Succeeded")):
        labels = f'{CANARY.replace("prod", "flagger")}, exported_namespace="{namespace}"'
        series |= {f"{STEP}{{{labels}}}": "0x70", f'{PHASE}{{{labels}, phase="{phase}"}}': "1x70"}
    found = stuck("1h 5m 0s", namespace="flagger", exported_namespace="prod")
    judge("FlaggerCanaryStuck", series, {65: [found]})


def test_no_controller(judge: Judge) -> None:
    info = 'flagger_info{version="1", mesh_provider="istio"}'
    fires = {4: [], 5: [{"severity": "critical"}]}
    judge("FlaggerDown", {"up": "1x10"}, fires)
    judge("FlaggerDown", {info: "1x20"}, {10: []})
    judge("FlaggerDown", {info: "1x3 stale _x10"}, {8: [], 9: [{"severity": "critical"}]})


def test_no_leader(judge: Judge) -> None:
    first, second = (f'flagger_leader{{job="f", namespace="flagger", pod="{n}"}}' for n in "ab")
    labels = {"job": "f", "namespace": "flagger", "severity": "critical"}
    standby = {first: "0x10", second: "1 1 0x8"}
    judge("FlaggerNoLeader", standby, {1: [], 3: [], 4: [labels]})
    judge("FlaggerNoLeader", {first: "0x10", second: "1x10"}, {5: []})


def test_a_shard_without_a_leader(render: Render) -> None:
    objects = rules(render("flagger", "prometheusRule.enabled=true", "shards.count=3"))
    alerts = {each["alert"]: each for group in objects["spec"]["groups"] for each in group["rules"]}
    expression = "sum by (job, namespace) (flagger_leader) < 3"
    assert alerts["FlaggerNoLeader"]["expr"] == expression


def test_the_rules_are_off_by_default_and_go_where_they_are_told(render: Render) -> None:
    assert "PrometheusRule" not in {each["kind"] for each in render("flagger")}
    settings = ("enabled=true", "namespace=monitoring", "additionalLabels.release=kps")
    found = rules(render("flagger", *(f"prometheusRule.{each}" for each in settings)))
    assert found["metadata"]["namespace"] == "monitoring"
    assert found["metadata"]["labels"]["release"] == "kps"


def test_how_long_is_stuck_can_be_chosen(render: Render) -> None:
    objects = render("flagger", "prometheusRule.enabled=true", "prometheusRule.stuckMinutes=90")
    (rule,) = [
        each
        for each in rules(objects)["spec"]["groups"][0]["rules"]
        if each["alert"] == "FlaggerCanaryStuck"
    ]
    assert " > 5400 " in rule["expr"]
