"""The documented commands, against a real API server (pods are pretended by kwok)."""

import json
import pathlib
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.api
Object = dict[str, Any]


@pytest.fixture(scope="module")
def plane() -> Iterator[Any]:
    controlplane = pytest.importorskip("tools.cluster.controlplane")
    with controlplane.ControlPlane.start(controlplane.Options(fake_nodes=2)) as running:
        yield running


@pytest.fixture(scope="module")
def run(
    helm: str, root: pathlib.Path, plane: Any
) -> Callable[..., subprocess.CompletedProcess[str]]:
    def command(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [helm, "--kubeconfig", str(plane.kubeconfig), *line.split()],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )

    return command


@pytest.mark.parametrize(
    "line",
    [
        "upgrade -i flagger charts/flagger -n flagger-system",
        "upgrade -i flagger charts/flagger -n flagger-system --set prometheus.install=true"
        " --set leaderElection.enabled=true --set leaderElection.replicaCount=2",
        "upgrade -i flagger charts/flagger -n flagger-system --set shards.count=3",
        "upgrade -i flagger charts/flagger -n flagger-system --set shards.count=2"
        " --set leaderElection.replicaCount=2",
        "upgrade -i flagger-loadtester charts/loadtester -n test",
        "upgrade -i flagger-gatekeeper charts/gatekeeper -n test",
        "upgrade -i flagger-helmtester charts/helmtester -n test",
        "upgrade -i flagger-grafana charts/grafana -n test",
    ],
)
def test_install(run: Callable[..., subprocess.CompletedProcess[str]], line: str) -> None:
    done = run(f"{line} --create-namespace --wait --timeout 60s")
    assert done.returncode == 0, done.stderr
    release, namespace = line.split()[2], line.split("-n ")[1].split()[0]
    status = json.loads(run(f"status {release} -n {namespace} -o json").stdout)
    assert status["info"]["status"] == "deployed"
    assert release in status["info"]["notes"]


def test_examples_are_accepted(
    run: Callable[..., subprocess.CompletedProcess[str]], root: pathlib.Path, plane: Any
) -> None:
    """By the API server, with the definitions that the chart installs."""
    done = run("upgrade -i flagger charts/flagger -n flagger-system --create-namespace")
    assert done.returncode == 0, done.stderr
    checked = 0
    with plane.client("admin") as api:
        if not api.find("/api/v1/namespaces/test"):
            api.create("/api/v1/namespaces", {"metadata": {"name": "test"}})
        for path in sorted((root / "examples/podinfo/manifests").rglob("*.yaml")):
            for found in yaml.safe_load_all(path.read_text()):
                if found["apiVersion"] == "flagger.app/v1beta1":
                    plural = {"Canary": "canaries", "MetricTemplate": "metrictemplates"}
                    url = f"/apis/flagger.app/v1beta1/namespaces/test/{plural[found['kind']]}"
                    api.create(f"{url}?dryRun=All&fieldValidation=Strict", found)
                    checked += 1
    assert checked == 5
