"""A small fake Helm, and real helmtester processes."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from tools.cluster import ports

PATIENCE = 60.0

Until = Callable[[str, Callable[[], bool]], None]

FAKE = '''#!{python}
"""Writes down how it was called, then does what `plan` says."""
import json, os, pathlib, signal, subprocess, sys, time
here = pathlib.Path(__file__).resolve().parent
plan = json.loads((here / "plan.json").read_text())
call = {{"argv": sys.argv[1:], "env": dict(os.environ), "pid": os.getpid()}}
if plan.get("stubborn"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if plan.get("child"):
    call["child"] = subprocess.Popen(["sleep", "600"]).pid
written = here / f"call-{{time.monotonic_ns()}}.tmp"
written.write_text(json.dumps(call))
written.rename(written.with_suffix(".json"))
if sys.argv[1] == "status":
    print(plan.get("errors", ""), file=sys.stderr)
    if plan.get("status") is None:
        sys.exit(1)
    print(json.dumps(plan["status"]), end="")
    sys.exit(0)
print(plan.get("output", ""), end="", flush=True)
print(plan.get("errors", ""), end="", file=sys.stderr, flush=True)
while plan.get("wait") and not (here / "go").exists():
    time.sleep(0.01)
if plan.get("signal"):
    os.kill(os.getpid(), plan["signal"])
sys.exit(plan.get("code", 0))
'''


@dataclasses.dataclass(frozen=True)
class FakeHelm:
    """A program in place of Helm."""

    folder: pathlib.Path

    @property
    def path(self) -> str:
        return str(self.folder / "helm")

    def plan(self, **plan: Any) -> None:
        """Say what the next runs do: output, errors, code, signal, wait, child, stubborn, status.

        Without a status there is no release.
        """
        (self.folder / "plan.json").write_text(json.dumps(plan))

    def go(self) -> None:
        """End the runs that wait."""
        (self.folder / "go").touch()

    def calls(self) -> list[dict[str, Any]]:
        """Return how it was called to run tests, in order."""
        return [call for call in self._all() if call["argv"][0] != "status"]

    def queries(self) -> list[dict[str, Any]]:
        """Return how it was asked about releases, in order."""
        return [call for call in self._all() if call["argv"][0] == "status"]

    def _all(self) -> list[dict[str, Any]]:
        files = sorted(self.folder.glob("call-*.json"), key=lambda f: int(f.stem.split("-")[1]))
        return [json.loads(file.read_text()) for file in files]


@pytest.fixture
def fake(tmp_path: pathlib.Path) -> FakeHelm:
    folder = tmp_path / "fake"
    folder.mkdir()
    program = folder / "helm"
    program.write_text(FAKE.format(python=sys.executable))
    program.chmod(0o755)
    helm = FakeHelm(folder)
    helm.plan()
    return helm


@dataclasses.dataclass
class Helmtester:
    """A helmtester process and how to talk to it."""

    process: subprocess.Popen[bytes]
    port: int
    log: pathlib.Path

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def post(
        self,
        cmd: str = "test podinfo",
        path: str = "/",
        kind: str = "helmv3",
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> requests.Response:
        """Send a hook as the controller does."""
        metadata = {"type": kind, "cmd": cmd, **fields.pop("metadata", {})}
        payload = {"name": "podinfo", "namespace": "test", "checksum": "a", **fields}
        payload["metadata"] = metadata
        return requests.post(self.url(path), json=payload, headers=headers, timeout=PATIENCE)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(self.url("/healthz"), timeout=PATIENCE).status_code == 200
        return False

    def metric(self, line: str) -> float:
        """Return a sample of /metrics."""
        for sample in requests.get(self.url("/metrics"), timeout=PATIENCE).text.splitlines():
            if sample.startswith(line + " "):
                return float(sample.rpartition(" ")[2])
        return 0.0

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="session")
def until() -> Until:
    def until(what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            assert time.monotonic() < deadline, f"still not: {what}"
            time.sleep(0.02)

    return until


def launch(folder: pathlib.Path, *arguments: str, **environ: str) -> Helmtester:
    """Start a helmtester process that keeps its files in a folder."""
    port = ports.free("127.0.0.1")
    argv = [sys.executable, "-m", "flagger_helmtester", f"-port={port}", *arguments]
    argv.append(f"-home={folder / 'home'}")
    log = folder / f"helmtester-{port}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv, env={**os.environ, **environ}, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    return Helmtester(process, port, log)


@pytest.fixture
def helmtesters(tmp_path: pathlib.Path, until: Until) -> Iterator[Callable[..., Helmtester]]:
    """Start helmtester processes; they end with the test."""
    running: list[Helmtester] = []

    def start(*arguments: str, **environ: str) -> Helmtester:
        running.append(launch(tmp_path, *arguments, **environ))
        until("helmtester answers", running[-1].answers)
        return running[-1]

    yield start
    for helmtester in running:
        helmtester.kill()


@pytest.fixture(scope="session")
def shared(
    tmp_path_factory: pytest.TempPathFactory, until: Until
) -> Iterator[tuple[Helmtester, pathlib.Path]]:
    """One process for the tests that need nothing special, and the link it runs as Helm."""
    folder = tmp_path_factory.mktemp("shared")
    helmtester = launch(folder, f"-helm-path={folder / 'helm'}", "-result-cache-ttl=0s")
    try:
        until("helmtester answers", helmtester.answers)
        yield helmtester, folder / "helm"
    finally:
        helmtester.kill()


@pytest.fixture
def helmtester(shared: tuple[Helmtester, pathlib.Path], fake: FakeHelm) -> Iterator[Helmtester]:
    """The shared process, with this test's fake as Helm."""
    process, link = shared
    link.symlink_to(fake.path)
    yield process
    link.unlink()
