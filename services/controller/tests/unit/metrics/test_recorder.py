"""The exported series (telemetry.md sections 2, 3 and 10)."""

import asyncio
import sys
from types import FrameType

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Phase
from flagger_controller.metrics.recorder import EMPTIED, Recorder
from flagger_controller.rollout.decision import Cause, Outcome

from .conftest import Build

PODINFO = {"name": "podinfo", "namespace": "default"}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder("0.1.0", "istio")


def series(recorder: Recorder) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(recorder.render().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if family.name.startswith("flagger")
    }


def value(recorder: Recorder, series_name: str, /, **labels: str) -> float | None:
    return series(recorder).get((f"flagger_{series_name}", frozenset(labels.items())))


def canary_series(recorder: Recorder) -> list[str]:
    return [name for name, _ in series(recorder) if name.startswith("flagger_canary")]


def labelled(recorder: Recorder) -> list[frozenset[tuple[str, str]]]:
    return [labels for _, labels in series(recorder)]


def in_phase(canary: Canary, phase: Phase) -> Canary:
    return canary.model_copy(update={"status": CanaryStatus(phase=phase)})


def named(canary: Canary, name: str) -> Canary:
    metadata = canary.metadata.model_copy(update={"name": name})
    return canary.model_copy(update={"metadata": metadata})


def test_a_fresh_start(recorder: Recorder) -> None:
    assert value(recorder, "info", version="0.1.0", mesh_provider="istio") == 1
    assert value(recorder, "leader") == 0
    assert canary_series(recorder) == []
    assert b"process_cpu_seconds_total" in recorder.render()


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("info", "gauge", "Flagger version and mesh provider information"),
        ("canary_total", "gauge", "Total number of canary object"),
        ("canary_status", "gauge", "Last canary analysis result"),
        ("canary_weight", "gauge", "The virtual service destination weight current value"),
        ("canary_metric_analysis", "gauge", "Last canary analysis result per metric"),
        ("canary_duration_seconds", "histogram", "Seconds spent performing canary analysis."),
        ("canary_successes_total", "counter", "Total number of canary successes"),
        ("canary_failures_total", "counter", "Total number of canary failures"),
    ],
)
def test_names_types_and_texts(recorder: Recorder, name: str, kind: str, text: str) -> None:
    lines = recorder.render().decode().splitlines()
    assert f"# HELP flagger_{name} {text}" in lines
    assert f"# TYPE flagger_{name} {kind}" in lines


@pytest.mark.parametrize(
    ("phase", "number"),
    [(Phase.PROGRESSING, 0), (Phase.FAILED, 2), (Phase.WAITING, 1), (Phase.SUCCEEDED, 1)],
)
def test_status(recorder: Recorder, canary: Build, phase: Phase, number: int) -> None:
    recorder.set_status(canary(), phase)
    assert value(recorder, "canary_status", **PODINFO) == number


def test_weight(recorder: Recorder, canary: Build) -> None:
    recorder.set_weight(canary(), 90, 10)
    primary = value(recorder, "canary_weight", workload="podinfo-primary", namespace="default")
    assert primary == 90
    assert value(recorder, "canary_weight", workload="podinfo", namespace="default") == 10


def test_metric_analysis_in_seconds_for_the_builtin_duration(
    recorder: Recorder, canary: Build
) -> None:
    for metric, builtin, number in (
        ("request-duration", True, 1.515),
        ("request-success-rate", True, 1515),
        ("q", False, 1515),
        ("request-duration", False, 1515),
    ):
        recorder.set_metric(canary(), metric, 1515, builtin=builtin)
        assert value(recorder, "canary_metric_analysis", metric=metric, **PODINFO) == number


def test_duration_buckets(recorder: Recorder, canary: Build) -> None:
    recorder.observe_duration(canary(), 1.5)
    name = "canary_duration_seconds"
    found = [
        (key, each) for key, each in series(recorder).items() if key[0] == f"flagger_{name}_bucket"
    ]
    limits = {dict(labels)["le"]: each for (_, labels), each in found}
    assert list(map(float, limits))[:-1] == [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ]  # fmt: skip
    assert (limits["1.0"], limits["2.5"], limits["+Inf"]) == (0, 1, 1)
    assert value(recorder, f"{name}_sum", **PODINFO) == 1.5
    assert value(recorder, f"{name}_count", **PODINFO) == 1


def test_outcomes(recorder: Recorder, canary: Build) -> None:
    ab = canary(analysis={"iterations": 5, "match": [{"headers": {}}]})
    recorder.count_outcome(canary(), Outcome())
    recorder.count_outcome(canary(), Outcome(skipped=True))
    recorder.count_outcome(ab, Outcome(skipped=True, cause=Cause.HOOK))
    labels = {"deployment_strategy": "canary", **PODINFO}
    name = "canary_successes_total"
    assert value(recorder, name, analysis_status="completed", **labels) == 1
    assert value(recorder, name, analysis_status="skipped", **labels) == 1
    labels = {"deployment_strategy": "ab-testing", "analysis_status": "completed", **PODINFO}
    assert value(recorder, "canary_failures_total", **labels) == 1


@pytest.mark.parametrize(
    ("mesh", "provider", "strategy"),
    [("istio", "kubernetes", "blue-green"), ("kubernetes", "", "blue-green"),
     ("kubernetes", "istio", "canary")],
)  # fmt: skip
def test_provider_kubernetes_is_counted_as_blue_green(
    canary: Build, mesh: str, provider: str, strategy: str
) -> None:
    """Upstream counts the strategy of the spec, which is not the one that was played (T13)."""
    recorder = Recorder("0.1.0", mesh)
    recorder.count_outcome(canary(provider=provider), Outcome())
    labels = {"deployment_strategy": strategy, "analysis_status": "completed", **PODINFO}
    assert value(recorder, "canary_successes_total", **labels) == 1


def test_counters_begin_at_zero(recorder: Recorder, canary: Build) -> None:
    """Else Prometheus would not see the first release of a Canary, nor that after a restart."""
    recorder.show(canary())
    recorder.show(canary(skipAnalysis=True))
    labels = {"deployment_strategy": "canary", **PODINFO}
    for name, status in (
        ("successes", "completed"),
        ("successes", "skipped"),
        ("failures", "completed"),
    ):
        assert value(recorder, f"canary_{name}_total", analysis_status=status, **labels) == 0
    causes = {"canary": "podinfo", **PODINFO}
    for cause in Cause:
        assert value(recorder, "canary_rollbacks_total", cause=cause.value, **causes) == 0


def test_no_created_series(recorder: Recorder, canary: Build) -> None:
    recorder.count_outcome(canary(), Outcome())
    recorder.observe_duration(canary(), 1)
    assert b"_created" not in recorder.render()


def test_deleted_canaries_leave_nothing(recorder: Recorder, canary: Build) -> None:
    other = canary(targetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"})
    named = other.metadata.model_copy(update={"name": "other"})
    other = other.model_copy(update={"metadata": named})
    for each in (canary(), other):
        recorder.show(in_phase(each, Phase.FAILED))
        recorder.set_metric(each, "q", 1, builtin=False)
        recorder.set_metric(each, "p", 1, builtin=False)
        recorder.observe_duration(each, 1)
        recorder.count_outcome(each, Outcome())
        recorder.count_outcome(each, Outcome(cause=Cause.CHECKS))
        recorder.progress.count_check(each, "q", "passed")
    recorder.forget(canary())
    assert all("podinfo" not in dict(labels).values() for _, labels in series(recorder))
    assert value(recorder, "canary_status", name="other", namespace="default") == 2
    recorder.forget(other)
    assert canary_series(recorder) == []
    recorder.forget(other)


def test_a_canary_with_another_target_leaves_nothing_of_the_one_before(
    recorder: Recorder, canary: Build
) -> None:
    other = canary(targetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"})
    recorder.show(in_phase(canary(), Phase.FAILED))
    recorder.show(in_phase(other, Phase.PROGRESSING))
    assert all(labels.get("name") != "podinfo" for labels in map(dict, labelled(recorder)))
    assert value(recorder, "canary_status", name="other", namespace="default") == 0
    recorder.forget(other)
    assert canary_series(recorder) == []


def test_only_the_leader_counts_canaries(recorder: Recorder) -> None:
    """Else the sum over replicas is a multiple of them."""
    recorder.set_total("default", 3)
    assert value(recorder, "canary_total", namespace="default") is None
    recorder.lead()
    assert value(recorder, "canary_total", namespace="default") == 3
    recorder.set_total("other", 1)
    assert value(recorder, "canary_total", namespace="other") == 1
    assert value(recorder, "leader") == 1


def test_totals_and_own_series(recorder: Recorder) -> None:
    recorder.lead()
    recorder.set_total("default", 3)
    recorder.count_hook("rollout", ok=True)
    recorder.count_hook("rollout", ok=False)
    recorder.count_alert("slack", ok=True)
    recorder.count_alert("slack", ok=False)
    assert value(recorder, "canary_total", namespace="default") == 3
    assert value(recorder, "leader") == 1
    for outcome in ("passed", "failed"):
        assert value(recorder, "webhook_requests_total", type="rollout", outcome=outcome) == 1
    for outcome in ("sent", "failed"):
        assert value(recorder, "alert_requests_total", provider="slack", outcome=outcome) == 1
    recorder.set_total("default", 0)
    assert value(recorder, "canary_total", namespace="default") == 0


def test_recorders_share_nothing(recorder: Recorder, canary: Build) -> None:
    recorder.show(canary())
    assert canary_series(Recorder("0.1.0", "istio")) == []


@pytest.mark.parametrize("leading", [True, False])
def test_totals_of_namespaces_that_come_and_go_do_not_add_up(
    recorder: Recorder, leading: bool
) -> None:
    if leading:
        recorder.lead()
    recorder.set_total("busy", 1)
    recorder.set_total("back", 0)
    recorder.set_total("back", 2)
    for number in range(EMPTIED + 3):
        recorder.set_total(f"n{number}", 1)
        recorder.set_total(f"n{number}", 0)
    recorder.lead()
    shown = [line for line in recorder.render().decode().splitlines() if "canary_total{" in line]
    assert len(shown) == EMPTIED + 2
    assert value(recorder, "canary_total", namespace="busy") == 1
    assert value(recorder, "canary_total", namespace="back") == 2
    assert value(recorder, "canary_total", namespace="n2") is None
    assert value(recorder, "canary_total", namespace="n3") == 0


def test_forgetting_one_canary_takes_no_longer_with_many(canary: Build) -> None:
    """With thousands of them each deletion would hold up all releases."""
    assert calls_to_forget_one(canary, of=3) == calls_to_forget_one(canary, of=300)


def calls_to_forget_one(canary: Build, of: int) -> int:
    recorder, calls = Recorder("0.1.0", "istio"), 0
    for number in range(of):
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"app-{number}"}
        each = named(canary(targetRef=target), f"app-{number}")
        recorder.show(each)
        recorder.set_metric(each, "errors", 1.0, builtin=False)
        recorder.progress.count_check(each, "errors", "passed")

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    recorder.forget(each)
    sys.setprofile(None)
    names = {dict(labels).get("name") for labels in labelled(recorder)}
    assert f"app-{of - 1}" not in names
    assert "app-0" in names
    return calls


async def test_the_event_loop_goes_on_while_a_page_is_rendered(
    recorder: Recorder, canary: Build
) -> None:
    for number in range(100):
        recorder.show(named(canary(), f"app-{number}"))
    page, turns = asyncio.create_task(recorder.page()), 0
    while not page.done():
        await asyncio.sleep(0)
        turns += 1
        recorder.observe_duration(named(canary(), f"other-{turns}"), 1.0)
    assert turns > 5
    assert b'canary="app-99"' in await page
