"""Built-in queries on series as meshes name them, evaluated by Prometheus itself (metrics.md 4).

Of the requests to the canary one half fails and all take less than 100 ms; those to the primary,
and to whatever else has a similar name, all succeed and take seconds. So whoever looks at the
wrong series does not come to 50 % and 99 ms.
"""

import json
import pathlib
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tools.cluster import packages, settings

from flagger_controller.api.canary import Canary, Metric
from flagger_controller.metrics import builtin, observers, promql, template, variables

from .meshes import FURTHER, MEANS, MESHES, SERIES, Labels, Mesh, Series

STEP = "10s"
STEPS = 30
AT = "5m"


@pytest.fixture(scope="session")
def promtool() -> str:
    """Prometheus' own evaluator of queries on given series."""
    try:
        packages.ensure(packages.PROMETHEUS)
        return packages.path("promtool")
    except settings.ClusterError as error:
        pytest.skip(f"needs the Debian package prometheus: {error}")


def canary(spec: Mapping[str, Any]) -> Canary:
    body = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 80},
        "analysis": {"metrics": [{"name": "request-success-rate"}]},
        **spec,
    }
    metadata = {"name": "podinfo", "namespace": "default"}
    return Canary.from_api({"metadata": metadata, "spec": body})


def queries(mesh: Mesh, **asked: str) -> tuple[str, str]:
    built = canary(mesh.spec)
    observer = observers.observer(observers.provider_string(built, "istio"))
    assert observer.name == mesh.observer
    names = variables.of(built, built.analysis.metrics[0])
    given = variables.for_observer(names, built, observer)
    metric = Metric(name="request-duration", template_variables=asked)
    texts = (observer.success_rate, observers.duration(observer, metric))
    rate, duration = (promql.collapse(template.render(text, given)) for text in texts)
    return rate, f"({duration}) * 1000" if observer.seconds else duration


def counter(name: str, labels: Labels, step: float) -> dict[str, str]:
    shown = ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
    return {"series": f"{name}{{{shown}}}", "values": f"0+{step}x{STEPS}"}


def outcomes(series: Series, *, bad: bool) -> Iterator[Labels]:
    label, good, failed = series.outcome
    for value in (good, failed) if bad else (good,):
        yield {label: value}


def durations(series: Series, labels: Labels, *, slow: bool, mean: bool) -> Iterator[Any]:
    unit = 1 if series.seconds else 1000
    if mean:
        yield counter(f"{series.duration}_sum", labels, (50 if slow else 0.99) * unit)
        yield counter(f"{series.duration}_count", labels, 10)
        return
    for bound in (0.1, 10.0):
        count = 0 if slow and bound < 1 else 10
        yield counter(f"{series.duration}_bucket", {**labels, "le": f"{bound * unit:g}"}, count)
    yield counter(f"{series.duration}_bucket", {**labels, "le": "+Inf"}, 10)


def world(mesh: Mesh, means: tuple[str, ...] = MEANS) -> list[dict[str, str]]:
    series = SERIES[mesh.observer]
    common = {**series.labels, **FURTHER.get(mesh.observer, {})}
    found: list[dict[str, str]] = []
    for name in (mesh.canary, *mesh.others):
        labels, own = {**common, mesh.label: name}, name == mesh.canary
        mean = mesh.observer in means
        for outcome in outcomes(series, bad=own):
            if series.requests:
                counted = {**labels, **series.counted, **outcome}
                found.append(counter(series.requests, counted, 10))
            else:
                found += durations(series, {**labels, **outcome}, slow=not own, mean=mean)
        if series.requests:
            found += durations(series, labels, slow=not own, mean=mean)
    return found


def expectation(query: str, value: float) -> dict[str, Any]:
    samples = [{"labels": "{}", "value": value}]
    return {"expr": f"round({query}, 0.001)", "eval_time": AT, "exp_samples": samples}


def test_every_observer_is_played() -> None:
    assert {mesh.observer for mesh in MESHES} == set(SERIES) == set(builtin.OBSERVERS)


def played(series: list[dict[str, str]], rate: str, duration: str) -> dict[str, Any]:
    checks = [expectation(rate, 50), expectation(duration, 99)]
    return {"interval": STEP, "input_series": series, "promql_expr_test": checks}


def test_the_canary_is_judged_and_nobody_else(promtool: str, tmp_path: pathlib.Path) -> None:
    tests = [played(world(mesh), *queries(mesh)) for mesh in MESHES]
    (skipper,) = (mesh for mesh in MESHES if mesh.observer == "skipper")
    tests.append(played(world(skipper, means=()), *queries(skipper, statistic="p99")))
    path = tmp_path / "tests.json"  # JSON is YAML
    path.write_text(json.dumps({"rule_files": [], "evaluation_interval": STEP, "tests": tests}))
    command = [promtool, "test", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
