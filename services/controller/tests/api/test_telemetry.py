"""What a real controller tells of real releases, as a real Prometheus sees it.

The vectors of telemetry.md section 10, and every query of the dashboard of our own series.
"""

import contextlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from tools import prometheus
from tools.cluster import settings
from tools.dashboards import __main__ as generator
from tools.dashboards import queries
from tools.prometheus import Prometheus

from .process import Controller
from .scene import FLAGGER, Object, Scene, World

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

NAMES = ("promoted", "failed", "skipped", "waiting")
ENDS = {
    "promoted": "Promotion completed! Scaling down promoted",
    "failed": "Canary failed! Scaling down failed",
    "skipped": "Promotion completed! Canary analysis was skipped for skipped",
}


@dataclass
class Played:
    """Four releases: one promoted, one rolled back, one not analysed, one held by a gate."""

    scene: Scene
    controller: Controller
    server: Prometheus
    before: dict[str, float]
    """What was exported before there was a Canary."""
    after: dict[str, float]

    def value(self, series: str, **labels: str) -> float | None:
        """A value after the releases."""
        found = {"namespace": self.scene.namespace, **labels}
        words = ",".join(sorted(f'{key}="{value}"' for key, value in found.items()))
        return self.after.get(f"flagger_{series}{{{words}}}")

    def asked(self, expr: str) -> list[float]:
        """What Prometheus answers."""
        return [each.value for each in self.server.query(expr)]


@pytest.fixture(scope="module")
def played(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with contextlib.ExitStack() as stack:
        scene = stack.enter_context(world.scene("telemetry"))
        controller = stack.enter_context(world.controller(namespace=scene.namespace))
        target, folder = urlsplit(controller.url).netloc, tmp_path_factory.mktemp("prometheus")
        try:
            server = stack.enter_context(prometheus.running(folder, target))
        except settings.ClusterError as error:
            pytest.skip(f"no Prometheus: {error}")
        before = controller.metrics()
        _play(scene)
        found = Played(scene, controller, server, before, controller.metrics())
        scene.wait(lambda: _seen(found), "Prometheus to see the end")
        yield found


def _play(scene: Scene) -> None:
    scene.script.answer(r"-failed-canary-.*\* 100$", 50)
    hold = scene.gate("hold", "confirm-promotion", 403)
    weights = {"stepWeight": 10, "maxWeight": 50}
    specs: dict[str, Object] = {
        "promoted": {"analysis": weights},
        "failed": {"analysis": weights},
        "skipped": {"skipAnalysis": True},
        "waiting": {"analysis": {"webhooks": [hold]}},
    }
    for name, spec in specs.items():
        scene.deploy(name)
        scene.canary(name, **spec)
    for name in NAMES:
        scene.wait_phase("Initialized", name)
        scene.release("2", name)
    for name, text in ENDS.items():
        scene.wait_event(text, name)
    scene.wait_phase("WaitingPromotion", "waiting")


def _seen(played: Played) -> bool:
    namespace = played.scene.namespace
    phases = f'flagger_canary_phase{{namespace="{namespace}"}}'
    ended = [
        f'{phases} and on (canary) flagger_canary_phase{{phase="{phase}"}}'
        for phase in ("Succeeded", "Failed", "WaitingPromotion")
    ]
    return [len(played.asked(expr)) for expr in ended] == [2, 1, 1]


def test_a_fresh_start(played: Played) -> None:
    (info,) = (name for name in played.before if name.startswith("flagger_info"))
    assert 'mesh_provider="traefik"' in info
    assert played.before[info] == 1
    assert played.before["flagger_leader"] == 1
    assert played.before['flagger_queue_depth{queue="requests"}'] == 0
    assert not [name for name in played.before if name.startswith("flagger_canary_")]


def outcome(name: str, status: str = "completed") -> dict[str, str]:
    return {"name": name, "deployment_strategy": "canary", "analysis_status": status}


def test_a_promotion(played: Played) -> None:
    assert played.value("canary_successes_total", **outcome("promoted")) == 1
    assert played.value("canary_failures_total", **outcome("promoted")) == 0
    assert played.value("canary_status", name="promoted") == 1
    assert played.value("canary_total") == len(NAMES)


def test_a_rollback(played: Played) -> None:
    assert played.value("canary_failures_total", **outcome("failed")) == 1
    assert played.value("canary_status", name="failed") == 2
    assert played.value("canary_weight", workload="failed-primary") == 100
    assert played.value("canary_weight", workload="failed") == 0
    metric = {"name": "failed", "metric": "request-success-rate"}
    assert played.value("canary_metric_analysis", **metric) == 50
    ours = {"canary": "failed", "name": "failed"}
    assert played.value("canary_rollbacks_total", **ours, cause="failed-checks") == 1
    check = {"check": "request-success-rate", "result": "failed"}
    assert played.value("canary_checks_total", **ours, **check) == 1


def test_a_release_without_analysis(played: Played) -> None:
    assert played.value("canary_successes_total", **outcome("skipped", "skipped")) == 1


def test_a_release_that_waits(played: Played) -> None:
    ours = {"canary": "waiting", "name": "waiting"}
    assert played.value("canary_phase", **ours, phase="WaitingPromotion") == 1
    assert played.value("canary_status", name="waiting") == 1, "as upstream has it"


def test_weights_and_status_on_the_way(played: Played) -> None:
    def extremes(expr: str) -> list[float]:
        window = f"({expr})[10m:500ms]"
        return [played.asked(f"{kind}_over_time({window})")[0] for kind in ("min", "max")]

    own = f'namespace="{played.scene.namespace}"'
    assert extremes(f'flagger_canary_status{{{own}, name="promoted"}}') == [0, 1]
    assert extremes(f'flagger_canary_weight{{{own}, workload="promoted-primary"}}') == [50, 100]
    assert extremes(f'flagger_canary_weight{{{own}, workload="promoted"}}') == [0, 50]
    sums = f'sum(flagger_canary_weight{{{own}, workload=~"promoted(-primary)?"}})'
    assert extremes(sums) == [100, 100]


def test_every_panel_of_our_own_series_shows_something(played: Played) -> None:
    dashboard = queries.load(generator.FOLDER / "releases.json")
    values = {"namespace": played.scene.namespace, "target": ".*"}
    for query in queries.asked(dashboard, values):
        answer = played.asked(query.expr)
        assert any(map(math.isfinite, answer)), f"{query.panel}: {query.expr}: {answer}"


def test_how_the_releases_went(played: Played) -> None:
    dashboard = queries.load(generator.FOLDER / "releases.json")
    values = {"namespace": played.scene.namespace, "target": ".*"}
    found: dict[str, float] = {}
    for query in queries.asked(dashboard, values):
        if query.panel in ("Success ratio", "Time to promote", "Under way"):
            (found[query.panel],) = played.asked(query.expr)
    assert found["Success ratio"] == pytest.approx(2 / 3, abs=0.1)
    assert 0 < found["Time to promote"] < 600
    assert found["Under way"] == 1


def test_api_requests_are_counted(played: Played) -> None:
    for verb, resource, code in (
        ("patch", "canaries.flagger.app/status", "200"),
        ("watch", "canaries.flagger.app", "200"),
        ("watch", "deployments.apps", "200"),
        ("create", "traefikservices.traefik.io", "201"),
    ):
        labels = f'{{code="{code}",resource="{resource}",verb="{verb}"}}'
        assert played.after[f"flagger_api_requests_total{labels}"] >= 1


def test_every_line_of_the_log_has_upstreams_keys(played: Played) -> None:
    lines = [json.loads(line) for line in played.controller.log.splitlines()]
    assert len(lines) > len(NAMES)
    for line in lines:
        assert list(line)[:4] == ["level", "ts", "caller", "msg"]
        assert line["level"] in {"debug", "info", "warn", "error"}
    ours = f".{played.scene.namespace}"
    (halt,) = [line for line in lines if line["msg"].startswith(f"Halt failed{ours} advancement")]
    assert (halt["level"], halt["canary"]) == ("info", f"failed{ours}")
    assert halt["event_type"] == "Warning"


def test_the_lines_of_the_start(played: Played) -> None:
    lines = [json.loads(line)["msg"] for line in played.controller.log.splitlines()]
    port = urlsplit(played.controller.url).port
    expected = [
        "Starting flagger version ",
        "Connected to Kubernetes API v",
        f"Watching namespace {played.scene.namespace}",
        "Connected to metrics server ",
        f"Starting HTTP server on port {port}",
        "Starting operator",
        "Started operator workers",
    ]
    starts = (text for text in expected if any(line.startswith(text) for line in lines))
    assert list(starts) == expected


def test_a_port_that_is_taken_ends_the_process(played: Played) -> None:
    """With a line that says so; the one before shows no password."""
    plane = played.scene.world.plane
    flags = ["-kubeconfig", str(plane.kubeconfig), "-namespace", played.scene.namespace]
    command = [sys.executable, "-m", "flagger_controller", *flags]
    port = urlsplit(played.controller.url).port
    command += ["-port", str(port), "-metrics-server", f"http://me:hidden@127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    *_, last = (json.loads(line) for line in done.stderr.splitlines())
    assert last["level"] == "fatal"
    assert last["msg"].startswith("HTTP server crashed ")
    assert f"Metrics server http://me:xxxxx@127.0.0.1:{port} unreachable " in done.stderr
    assert "hidden" not in done.stderr


def test_a_deleted_canary_leaves_no_series(played: Played) -> None:
    scene = played.scene
    scene.delete(FLAGGER, "canaries", "skipped")
    scene.wait(
        lambda: not [name for name in played.controller.metrics() if 'name="skipped"' in name],
        "the series to go",
    )
    left = played.controller.metrics()
    assert not [name for name in left if '"skipped-primary"' in name]
    assert left[f'flagger_canary_total{{namespace="{scene.namespace}"}}'] == len(NAMES) - 1
