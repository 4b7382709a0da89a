"""The control plane with fake nodes: what the API-tier tests stand on."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator

import pytest
from tools.cluster import api, processes, settings
from tools.cluster.controlplane import ControlPlane, Options

pytestmark = pytest.mark.api
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane.start(Options(fake_nodes=2)) as running:
        yield running


def deployment(name: str, tag: str, replicas: int = 1) -> api.Object:
    labels = {"app": name}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": f"localhost:5000/app:{tag}"}]},
            },
        },
    }


def status(client: api.Api, name: str) -> api.Object:
    found: api.Object = client.get(f"{DEPLOYMENTS}/{name}").get("status", {})
    return found


def running_pods(client: api.Api, name: str) -> int:
    pods = client.get(f"/api/v1/namespaces/default/pods?labelSelector=app={name}")["items"]
    return sum(pod["status"]["phase"] == "Running" for pod in pods)


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(
    ("name", "tag", "ready"),
    [
        ("plain", "ok", 2),
        ("sick", "broken", 0),
        ("well", "primary-broken", 2),
        ("app-primary", "primary-broken", 0),
        ("one-node", "half", 1),
    ],
)
def test_the_tag_says_how_many_pods_get_ready(
    plane: ControlPlane, name: str, tag: str, ready: int
) -> None:
    with plane.client() as client:
        client.create(DEPLOYMENTS, deployment(name, tag, replicas=2))
        assert eventually(lambda: running_pods(client, name) == 2)
        assert eventually(lambda: status(client, name).get("readyReplicas", 0) == ready)
        time.sleep(0.5)
        assert status(client, name).get("readyReplicas", 0) == ready


def test_slow_pods_take_fifteen_seconds(plane: ControlPlane) -> None:
    with plane.client() as client:
        client.create(DEPLOYMENTS, deployment("slow", "slow"))
        begun = time.monotonic()
        assert eventually(lambda: status(client, "slow").get("readyReplicas") == 1, 30.0)
        assert time.monotonic() - begun > 14


def test_the_audit_log_counts_requests_by_user(plane: ControlPlane) -> None:
    mark = plane.audit.mark()
    with plane.client("flagger") as client:
        client.create(DEPLOYMENTS, deployment("counted", "ok"))
        client.get(f"{DEPLOYMENTS}/counted")
        client.patch(f"{DEPLOYMENTS}/counted", {"metadata": {"labels": {"a": "b"}}})
        client.find(f"{DEPLOYMENTS}/missing")
    assert plane.audit.count(since=mark, user="flagger") == {
        ("create", "deployments"): 1,
        ("get", "deployments"): 2,
        ("patch", "deployments"): 1,
    }
    (missing,) = plane.audit.requests(since=mark, user="flagger", code=404)
    assert (missing.namespace, missing.name) == ("default", "missing")
    assert not plane.audit.count(since=mark, user="flagger2")


def test_only_the_requests_of_some_users_can_be_logged() -> None:
    options = Options(controllers=False, audited=("flagger",))
    with ControlPlane.start(options) as plane:
        for user in ("flagger2", "flagger"):
            with plane.client(user) as client:
                client.find(f"{DEPLOYMENTS}/missing")
        assert {request.user for request in plane.audit.requests()} == {"flagger"}


def test_a_deleted_namespace_goes_away(plane: ControlPlane) -> None:
    path = "/api/v1/namespaces"
    with plane.client() as client:
        client.create(path, {"metadata": {"name": "gone"}})
        body = deployment("app", "ok")
        client.create("/apis/apps/v1/namespaces/gone/deployments", body)
        client.delete(f"{path}/gone")
        assert eventually(lambda: client.find(f"{path}/gone") is None)


def test_nothing_is_left_after_stop() -> None:
    plane = ControlPlane.start(Options(controllers=False, audit=False))
    running, folder = list(plane.processes), plane.layout.folder
    assert [process.name for process in running] == ["etcd", "kube-apiserver"]
    plane.stop()
    assert not any(process.alive for process in running)
    assert not folder.exists()


def test_a_daemon_that_cannot_start_is_reported_with_its_log(tmp_path: pathlib.Path) -> None:
    options = Options(folder=tmp_path, api_arguments=("--no-such-flag",), controllers=False)
    with pytest.raises(settings.ClusterError, match="unknown flag: --no-such-flag"):
        ControlPlane.start(options)


def test_daemons_die_with_a_killed_parent(tmp_path: pathlib.Path) -> None:
    program = textwrap.dedent(
        """
        import sys, threading, time
        from tools.cluster import processes
        def run():
            argv = ["sleep", "600"]
            folder = __import__("pathlib").Path(sys.argv[1])
            command = processes.Command("sleep", argv, folder / "log", folder)
            child = processes.start(command, die_with_parent=True)
            processes.remember(child, folder)
        thread = threading.Thread(target=run)  # its end must not kill the child
        thread.start()
        thread.join()
        time.sleep(0.3)
        print("started", flush=True)
        time.sleep(600)
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(settings.REPOSITORY)}
    argv = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        (child,) = processes.remembered(tmp_path)
        assert child.alive
        parent.send_signal(signal.SIGKILL)
    assert eventually(lambda: not child.alive)
