"""What people and machines look at from outside: kubectl, the command line, the HTTP endpoints."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
from tools.cluster import settings, wheels

from .process import Controller
from .scene import Scene, World

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

SECONDS = 300


@dataclass(frozen=True)
class Stage:
    """A controller and what it promoted and rolled back."""

    world: World
    scene: Scene
    controller: Controller
    kubectl: "Kubectl"
    waited: str
    """What `kubectl wait` said of the promotion."""
    not_promoted: str
    """What it said of the rollback."""


class Kubectl:
    """The real one, as administrator."""

    def __init__(self, world: World, namespace: str, home: pathlib.Path) -> None:
        try:
            program = wheels.binary("kubectl")
        except settings.ClusterError as error:
            pytest.skip(f"no kubectl: {error}")
        self._home = home
        self._command = [
            *(str(program), "--kubeconfig", str(world.plane.kubeconfig)),
            *("--namespace", namespace, "--cache-dir", str(home / "cache")),
        ]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        environment = {**os.environ, "HOME": str(self._home)}
        command = [*self._command, *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)

    def run(self, *arguments: str) -> str:
        return _output(self.start(*arguments))


def _output(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    return out


@pytest.fixture(scope="module")
def stage(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with (
        world.scene("wait") as scene,
        world.controller(namespace=scene.namespace) as controller,
    ):
        kubectl = Kubectl(world, scene.namespace, tmp_path_factory.mktemp("kubectl"))
        for name in ("podinfo", "worse"):
            scene.deploy(name)
            scene.canary(name, analysis={"interval": "2s"})
        for name in ("podinfo", "worse"):
            scene.wait_phase("Initialized", name)
        scene.script.answer(r"-worse-.*\* 100$", 50)
        for name in ("podinfo", "worse"):
            scene.release("2", name)
            scene.wait_phase("Progressing", name)
        wait = ("wait", f"--timeout={SECONDS}s")
        promotion = kubectl.start(*wait, "canary/podinfo", "--for=condition=promoted")
        rollback = kubectl.start(*wait, "canary/worse", "--for=condition=promoted=false")
        said = _output(promotion), _output(rollback)
        yield Stage(world, scene, controller, kubectl, *said)


def test_kubectl_waits_for_the_promotion(stage: Stage) -> None:
    assert stage.waited.strip() == "canary.flagger.app/podinfo condition met"
    assert stage.scene.phase() == "Succeeded"


def test_kubectl_waits_for_the_failure(stage: Stage) -> None:
    assert stage.not_promoted.strip() == "canary.flagger.app/worse condition met"
    assert stage.scene.phase("worse") == "Failed"


def test_printer_columns(stage: Stage) -> None:
    header, row = stage.kubectl.run("get", "canary", "podinfo").splitlines()
    assert header.split() == ["NAME", "STATUS", "WEIGHT", "LASTTRANSITIONTIME", "AGE"]
    assert row.split()[:3] == ["podinfo", "Succeeded", "0"]


def test_wide_printer_columns(stage: Stage) -> None:
    header = stage.kubectl.run("get", "canary", "worse", "-o", "wide").splitlines()[0]
    assert header.split() == [
        *("NAME", "STATUS", "WEIGHT", "SUSPENDED", "FAILEDCHECKS", "INTERVAL", "MIRROR"),
        *("STEPWEIGHT", "STEPWEIGHTS", "MAXWEIGHT", "LASTTRANSITIONTIME", "AGE"),
    ]


def test_kubectl_describes_the_events(stage: Stage) -> None:
    stage.scene.wait_event("Promotion completed!")
    document = json.loads(
        stage.kubectl.run(
            *("get", "events", "-o", "json"),
            "--field-selector=involvedObject.kind=Canary,involvedObject.name=podinfo",
        )
    )
    assert {event["reason"] for event in document["items"]} == {"Synced"}
    assert {event["source"]["component"] for event in document["items"]} == {"flagger"}


@pytest.mark.parametrize("path", ["healthz", "readyz"])
def test_probes(stage: Stage, path: str) -> None:
    reply = requests.get(f"{stage.controller.url}/{path}", timeout=30)
    assert (reply.status_code, reply.text) == (200, "OK")


def test_metrics(stage: Stage) -> None:
    stage.scene.wait_event("Promotion completed!")
    stage.scene.wait_event("Canary failed!", "worse")
    place = stage.scene.namespace
    found = stage.controller.metrics()
    labels = (
        f'analysis_status="completed",deployment_strategy="canary",name="%s",namespace="{place}"'
    )
    version = next(key for key in found if key.startswith("flagger_info{"))
    assert 'mesh_provider="traefik"' in version
    assert {
        key: found.get(key)
        for key in (
            f'flagger_canary_total{{namespace="{place}"}}',
            f'flagger_canary_status{{name="podinfo",namespace="{place}"}}',
            f'flagger_canary_status{{name="worse",namespace="{place}"}}',
            f'flagger_canary_weight{{namespace="{place}",workload="podinfo-primary"}}',
            f'flagger_canary_weight{{namespace="{place}",workload="podinfo"}}',
            f"flagger_canary_successes_total{{{labels % 'podinfo'}}}",
            f"flagger_canary_failures_total{{{labels % 'worse'}}}",
            "flagger_leader",
        )
    } == {
        f'flagger_canary_total{{namespace="{place}"}}': 2,
        f'flagger_canary_status{{name="podinfo",namespace="{place}"}}': 1,
        f'flagger_canary_status{{name="worse",namespace="{place}"}}': 2,
        f'flagger_canary_weight{{namespace="{place}",workload="podinfo-primary"}}': 100,
        f'flagger_canary_weight{{namespace="{place}",workload="podinfo"}}': 0,
        f"flagger_canary_successes_total{{{labels % 'podinfo'}}}": 1,
        f"flagger_canary_failures_total{{{labels % 'worse'}}}": 1,
        "flagger_leader": 1,
    }
    histogram = f'flagger_canary_duration_seconds_count{{name="podinfo",namespace="{place}"}}'
    assert found[histogram] == 3, "two steps and the promotion"
    analysis = 'flagger_canary_metric_analysis{metric="request-success-rate",name="%s"'
    assert found[f'{analysis % "worse"},namespace="{place}"}}'] == 50


def test_sigterm_ends_it_in_order(world: World) -> None:
    controller = world.controller(namespace="default")
    controller.start()
    assert controller.stop() == 0
    assert "Shutting down operator workers" in controller.log


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "flagger_controller", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.mark.parametrize("flag", ["-version", "--version"])
def test_version(flag: str) -> None:
    done = _run(flag)
    assert done.returncode == 0
    assert done.stdout.startswith("Flagger version ")


def test_an_unknown_flag() -> None:
    done = _run("-surprise")
    assert done.returncode == 2
    assert "No such option" in done.stderr


def test_an_unusable_kubeconfig(tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "kubeconfig"
    broken.write_text("{}")
    done = _run("-kubeconfig", str(broken))
    assert done.returncode == 1
    assert "Error building kubeconfig" in done.stderr
