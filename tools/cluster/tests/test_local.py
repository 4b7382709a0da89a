"""The cluster of this machine, for real: it starts, works, survives killing, leaves nothing.

These tests start and stop *the* cluster of the machine; they skip where one is in use.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tools.cluster import packages, processes, providers, settings, wheels
from tools.cluster.node import commands, layout
from tools.cluster.tests import machine

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

WEB = pathlib.Path(__file__).parent / "web.yaml"
PROXY_SECONDS = 30.0
"""For the rules of a Service; kube-proxy collects changes for a second before it writes them."""


@pytest.fixture(scope="module", autouse=True)
def before() -> Iterator[set[str]]:
    """The machine before any of these tests; afterwards it must look the same."""
    cluster = providers.load("local")
    if cluster.status() is None:
        pytest.skip("a cluster is in use")
    cluster.down()
    packages.ensure(packages.NODE)  # what looks at the machine is installed by the first start
    found = machine.snapshot()
    try:
        yield found
    finally:
        cluster.down()


@pytest.fixture
def cluster(before: set[str]) -> providers.base.Provider:
    running = providers.load("local")
    running.up()
    return running


def kubectl(*arguments: str) -> str:
    kubeconfig = str(providers.load("local").kubeconfig())
    argv = [str(wheels.binary("kubectl")), "--kubeconfig", kubeconfig, *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def daemons() -> list[processes.Process]:
    return processes.remembered(layout.Layout.default().records)


def test_a_second_start_returns_at_once(cluster: providers.base.Provider) -> None:
    first = daemons()
    begun = time.monotonic()
    cluster.up()
    assert time.monotonic() - begun < 3
    assert daemons() == first


def serves(address: str) -> bool:
    argv = ["curl", "-sSf", "-m", "5", f"http://{address}/"]
    return subprocess.run(argv, capture_output=True).returncode == 0


def test_pods_and_services_work(cluster: providers.base.Provider) -> None:
    cluster.load([settings.BASE_IMAGE])
    kubectl("apply", "--filename", str(WEB))
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    address = json.loads(kubectl("get", "service", "web", "--output=json"))["spec"]["clusterIP"]
    # Pods are ready before kube-proxy has heard of it, and the rollout waits for the pods only.
    processes.wait_for("the Service", lambda: serves(address), daemons(), PROXY_SECONDS)
    program = (
        "import socket, urllib.request as r\n"
        "print(r.urlopen('http://web.default.svc.cluster.local/', timeout=5).status)\n"
        "try: socket.gethostbyname('nowhere.example')\n"
        "except OSError as error: print(error)\n"
    )
    output = kubectl("exec", "deployment/web", "--", "python3", "-c", program)
    assert output.splitlines() == ["200", "[Errno -2] Name or service not known"]
    assert "GET / HTTP" in kubectl("logs", "deployment/web")


def test_down_leaves_nothing(cluster: providers.base.Provider, before: set[str]) -> None:
    cluster.down()
    assert machine.snapshot() - before == set()
    assert before - machine.snapshot() == set()


def test_a_killed_cluster_is_replaced(before: set[str]) -> None:
    cluster = providers.load("local")
    cluster.up()
    cluster.load([settings.BASE_IMAGE])
    kubectl("apply", "--filename", str(WEB))
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    for daemon in daemons():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(daemon.pid, signal.SIGKILL)
    assert cluster.status()
    cluster.up()
    assert cluster.status() is None
    assert "web" not in kubectl("get", "pods")
    cluster.down()
    assert machine.snapshot() - before == set()


@pytest.mark.parametrize(
    ("name", "address", "problem"),
    [
        (settings.BRIDGE, "192.0.2.99/32", "this tool did not make"),
        ("flagger-clash", "198.19.7.1/24", r"uses 198\.19\.0\.0/16, but .* 198\.19\.7\.0/24"),
    ],
)
def test_what_belongs_to_others_is_not_touched(
    before: set[str], name: str, address: str, problem: str
) -> None:
    cluster = providers.load("local")
    cluster.down()
    commands.run("ip", "link", "add", name, "type", "bridge")
    try:
        commands.run("ip", "address", "add", address, "dev", name)
        commands.run("ip", "link", "set", name, "up")
        with pytest.raises(settings.ClusterError, match=problem):
            cluster.up()
        assert name in commands.run("ip", "link", "show", name)
    finally:
        commands.run("ip", "link", "delete", name)
    assert machine.snapshot() - before == set()


def test_a_killed_start_is_cleaned_up(before: set[str]) -> None:
    argv = [sys.executable, "-m", "tools.cluster", "up"]
    for seconds in (0.7, 2.5, 4.5):
        with subprocess.Popen(argv, cwd=settings.REPOSITORY, stderr=subprocess.DEVNULL) as starting:
            time.sleep(seconds)
            starting.kill()
    cluster = providers.load("local")
    cluster.up()
    assert cluster.status() is None
    cluster.down()
    assert machine.snapshot() - before == set()
