"""Real gatekeeper processes, and the namespaces of an API server where they keep their gates."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import requests
from tools.cluster import controlplane, ports

PATIENCE = 90.0
"""Seconds. A server starts in one on a machine that has nothing else to do."""

ROLE_RULES = [
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "list", "create", "update", "delete"],
    }
]
"""All that the Kubernetes store may need; the README and the chart say the same."""


OURS = (sys.executable, "-m", "flagger_gatekeeper", "-allow-anonymous-mutations")


def wait_until(what: str, ready: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for a condition; fail with its name when it does not come true."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.02)


@dataclasses.dataclass
class Gatekeeper:
    """A gatekeeper process and how to talk to it."""

    arguments: list[str]
    log: pathlib.Path
    port: int = 0
    command: Sequence[str] = OURS
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start the process, wait until it answers, and return its id, also its group's."""
        self.port = self.port or ports.free("127.0.0.1")
        argv = [*self.command, f"-port={self.port}", *self.arguments]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("GATEKEEPER_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, env=environ, stdout=log, stderr=log, start_new_session=True
            )
        wait_until("gatekeeper answers", self._answers)
        return self.process.pid

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(self.url("/healthz"), timeout=PATIENCE).status_code == 200
        return False

    def kill(self) -> None:
        """End master and worker at once, as the loss of a node would."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def post(self, path: str, **payload: Any) -> requests.Response:
        """Send a payload as the controller does."""
        return requests.post(self.url(path), json=payload, timeout=PATIENCE)


def namespace(plane: controlplane.ControlPlane) -> str:
    """Make a fresh namespace where the user `gatekeeper` has the rights of the README."""
    name = f"gates-{uuid.uuid4().hex[:8]}"
    with plane.client() as admin:
        admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}"
        metadata = {"name": "gatekeeper"}
        admin.create(f"{rbac}/roles", {"metadata": metadata, "rules": ROLE_RULES})
        group = "rbac.authorization.k8s.io"
        admin.create(
            f"{rbac}/rolebindings",
            {
                "metadata": metadata,
                "roleRef": {"apiGroup": group, "kind": "Role", "name": "gatekeeper"},
                "subjects": [{"apiGroup": group, "kind": "User", "name": "gatekeeper"}],
            },
        )
        admin.await_right("gatekeeper", "get", "configmaps", namespace=name)
    return name


@contextlib.contextmanager
def memory(folder: pathlib.Path) -> Iterator[list[str]]:
    """Yield the flags of a store that ends with its process."""
    del folder
    yield ["-store=memory"]


@contextlib.contextmanager
def sqlite(folder: pathlib.Path) -> Iterator[list[str]]:
    """Yield the flags of a store in a file."""
    yield ["-store=sqlite", f"-store-dsn={folder / 'gates.sqlite'}"]


@contextlib.contextmanager
def kubernetes(folder: pathlib.Path) -> Iterator[list[str]]:
    """Yield the flags of a store in an API server of its own."""
    del folder
    options = controlplane.Options(users={"gatekeeper": "companions"}, controllers=False)
    with controlplane.ControlPlane.start(options) as plane:
        kubeconfig = plane.kubeconfig_of("gatekeeper")
        yield [f"-store-namespace={namespace(plane)}", f"-kubeconfig={kubeconfig}"]


STORES: dict[str, Callable[[pathlib.Path], contextlib.AbstractContextManager[list[str]]]] = {
    "memory": memory,
    "sqlite": sqlite,
    "kubernetes": kubernetes,
}
