"""A Prometheus on the loopback interface, for tests that ask a real one.

The programs are Debian's; they are installed when they are missing and we may.
"""

import contextlib
import json
import pathlib
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import requests
from tools.cluster import packages

START_SECONDS: Final = 120.0
ASK_SECONDS: Final = 30.0


class Refused(Exception):
    """Prometheus does not understand a query; the text is its own."""


@dataclass(frozen=True)
class Sample:
    """One series of an answer."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """A server that can be asked."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ready(self) -> bool:
        """Whether it answers queries."""
        try:
            return requests.get(f"{self.url}/-/ready", timeout=ASK_SECONDS).ok
        except requests.ConnectionError:
            return False

    def query(self, expr: str, at: float | None = None) -> list[Sample]:
        """The answer of an instant.

        Args:
            expr: the query.
            at: seconds since the epoch; now, if it is not given.

        Raises:
            Refused: it is no valid query.
        """
        body = {"query": expr} | ({} if at is None else {"time": str(at)})
        reply = requests.post(f"{self.url}/api/v1/query", data=body, timeout=ASK_SECONDS).json()
        if reply["status"] != "success":
            raise Refused(f"{reply['error']}: {expr}")
        data = reply["data"]
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(each["metric"], float(each["value"][1])) for each in data["result"]]


@contextlib.contextmanager
def running(folder: pathlib.Path, *targets: str, interval: str = "500ms") -> Iterator[Prometheus]:
    """Run a server until the end of the block, which begins when all targets were asked once.

    What happens before that it would take for the state that counters begin with.

    Args:
        folder: for its configuration and its data, which may be there already.
        targets: `host:port` of what it asks for series.
        interval: between two of its questions.

    Raises:
        ClusterError: the program is missing and cannot be installed.
        RuntimeError: it does not start.
    """
    packages.ensure(packages.PROMETHEUS)
    job = {"job_name": "test", "static_configs": [{"targets": list(targets)}]}
    config: dict[str, Any] = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval},
        "scrape_configs": [job],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = _free_port()
    command = [
        packages.path("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + START_SECONDS
        while not (server.ready() and len(server.query("up")) == len(targets)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text()[-2000:])
            time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait()


def backfill(folder: pathlib.Path, lines: Sequence[str]) -> None:
    """Put samples of the past into the data of a server that is not running.

    Args:
        folder: that of `running`.
        lines: OpenMetrics, each with its time; the samples of a series behind each other.
    """
    packages.ensure(packages.PROMETHEUS)
    source = folder / "samples"
    source.write_text("\n".join([*lines, "# EOF", ""]))
    promtool("tsdb", "create-blocks-from", "openmetrics", str(source), str(folder / "data"))


def promtool(*arguments: str) -> str:
    """Run promtool, and return what it says.

    Raises:
        RuntimeError: it failed; the text is its own.
    """
    packages.ensure(packages.PROMETHEUS)
    command = [packages.path("promtool"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
