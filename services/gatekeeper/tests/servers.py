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
from collections.abc import Callable
from typing import Any

import requests
from tools.cluster import controlplane, ports

PATIENCE = 30.0

ROLE_RULES = [
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "list", "create", "update", "delete"],
    }
]
"""All that the Kubernetes store may need; the README and the chart say the same."""


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
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it answers."""
        self.port = self.port or ports.free("127.0.0.1")
        flags = [f"-port={self.port}", "-allow-anonymous-mutations", *self.arguments]
        argv = [sys.executable, "-m", "flagger_gatekeeper", *flags]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("GATEKEEPER_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, env=environ, stdout=log, stderr=log, start_new_session=True
            )
        wait_until("gatekeeper answers", self._answers)

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
    return name
