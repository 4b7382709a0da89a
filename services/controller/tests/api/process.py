"""The controller as a real process, for tests against a real API server."""

import contextlib
import http.client
import itertools
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self

import requests

START_SECONDS = 120.0
_TURNS = itertools.count(secrets.randbelow(12_000))
END_SECONDS = 60.0
ABSENT = pathlib.Path(__file__).parent / "absent"
"""What the environment of the tests has and the controller's image has not."""


class Running(Protocol):
    """A process; the part of `subprocess.Popen` that is used of it."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float) -> int: ...
    def send_signal(self, sig: signal.Signals, /) -> None: ...


Launch = Callable[[Sequence[str], pathlib.Path], Running]
"""Starts a controller with arguments, and a log to which its output is appended."""


@dataclass(frozen=True)
class Program:
    """A controller that can be started."""

    launch: Launch
    flags: tuple[str, ...]
    """What only this one knows."""
    ready: str
    """Where it says that it watches."""


def environment() -> dict[str, str]:
    """The environment of our controller, without what its image does not have."""
    path = os.pathsep.join([str(ABSENT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": path}


def launcher(*command: str) -> Launch:
    """Starts a program as a child."""

    def launch(arguments: Sequence[str], log: pathlib.Path) -> Running:
        with log.open("ab") as output:
            return subprocess.Popen(
                [*command, *arguments], stdout=output, stderr=output, env=environment()
            )

    return launch


def ours(launch: Launch) -> Program:
    """The controller of this repository, started in some way."""
    return Program(launch, ("-interval-floor=1",), "readyz")


OURS = ours(launcher(sys.executable, "-m", "flagger_controller"))


class Controller:
    """A controller with flags; killed or stopped by its own id.

    As a context manager it is started, and killed if it still runs at the end.
    """

    def __init__(
        self, kubeconfig: pathlib.Path, log: pathlib.Path, *flags: str, program: Program = OURS
    ) -> None:
        self.user = kubeconfig.stem
        self._log = log
        self._port = 0
        self._program = program
        self._arguments = ["-kubeconfig", str(kubeconfig), *flags]
        self._process: Running | None = None
        self.starts: list[datetime] = []
        """When each of its lives began."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        """Everything it has logged, over all of its lives."""
        return self._log.read_text() if self._log.exists() else ""

    @property
    def pid(self) -> int:
        """Of its process, which was started and not yet waited for."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and return when it watches."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start without waiting, on a port that is free now."""
        self._port = _free_port()
        arguments = [*self._arguments, "-port", str(self._port)]
        self.starts.append(datetime.now(UTC))
        self._process = self._program.launch(arguments, self._log)

    def await_ready(self) -> None:
        """Return when it watches."""
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            assert self._process is not None
            assert self._process.poll() is None, self.log[-3000:]
            assert time.monotonic() < deadline, self.log[-3000:]
            time.sleep(0.05)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, and go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        code = self._process.wait(END_SECONDS)
        self._process = None
        return code

    def kill(self) -> None:
        """As a crash: SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As Kubernetes stops it: SIGTERM. Returns the exit code."""
        return self._end(signal.SIGTERM)

    def metrics(self) -> dict[str, float]:
        """Series to value, with labels sorted."""
        lines = requests.get(f"{self.url}/metrics", timeout=10).text.splitlines()
        return {
            _sorted_labels(name): float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")
        }

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        with contextlib.closing(connection):
            try:
                connection.request("GET", f"/{self._program.ready}")
                return connection.getresponse().status == http.HTTPStatus.OK
            except (OSError, http.client.HTTPException):
                return False

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        self.send(number)
        return self.wait()


def _free_port() -> int:
    """A port below those that connections get, which would take it before it is bound.

    No two controllers of this process get the same one, as they bind it a moment later.
    """
    while True:
        port = 20_000 + next(_TURNS) % 12_000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _sorted_labels(series: str) -> str:
    name, brace, labels = series.partition("{")
    if not brace:
        return series
    return f"{name}{{{','.join(sorted(labels.rstrip('}').split(',')))}}}"
