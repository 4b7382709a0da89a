"""The real process: gunicorn on a free loopback port, driven over HTTP."""

import contextlib
import dataclasses
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
import requests

Eventually = Callable[[Callable[[], object]], None]


@dataclasses.dataclass
class Service:
    """A running load tester."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: pathlib.Path

    def post(
        self, metadata: dict[str, str], path: str = "/", seconds: float = 60
    ) -> requests.Response:
        payload = {"name": "podinfo", "namespace": "test", "metadata": metadata}
        # the content type of `curl -d`
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return requests.post(self.url + path, json.dumps(payload), headers=headers, timeout=seconds)

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=60)

    def answers(self) -> bool:
        try:
            return requests.get(self.url + "/healthz", timeout=60).ok
        except requests.ConnectionError:
            return False

    def messages(self) -> list[str]:
        lines = self.log.read_text().split("\n")  # splitlines() knows more line ends than logs
        return [json.loads(line)["msg"] for line in lines if line]

    def stop(self, signum: int = signal.SIGTERM) -> int:
        self.process.send_signal(signum)
        return self.process.wait(60)


Serve = Callable[..., Service]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Find a loopback port that nobody listens on."""
    return _free_port


@contextlib.contextmanager
def _serving(directory: pathlib.Path, eventually: Eventually) -> Iterator[Serve]:
    """Start load testers with flags, in compat mode unless told otherwise.

    Whatever is left of them is killed afterwards.
    """
    started: list[Service] = []

    def start(*flags: str, path: str = "", mode: str = "-compat") -> Service:
        port = _free_port()
        log = directory / f"log-{port}"
        scripts = pathlib.Path(sys.executable).parent  # where locust is
        environ = os.environ | {"PATH": f"{path}{scripts}:{os.environ['PATH']}"}
        arguments = [mode, "-address=127.0.0.1", f"-port={port}", "-log-level=info", *flags]
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "flagger_loadtester", *arguments],
                stderr=stderr,
                env=environ,
                cwd=directory,
            )
        service = Service(f"http://127.0.0.1:{port}", process, log)
        started.append(service)
        eventually(lambda: process.poll() is not None or service.answers())
        assert process.poll() is None, log.read_text()
        return service

    yield start
    for service in started:
        if service.process.poll() is None:
            service.process.terminate()
            service.process.send_signal(signal.SIGINT)  # the second signal: at once
            service.process.wait(60)


@pytest.fixture
def serve(tmp_path: pathlib.Path, eventually: Eventually) -> Iterator[Serve]:
    """Start load testers for one test."""
    with _serving(tmp_path, eventually) as start:
        yield start


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, eventually: Eventually) -> Iterator[Service]:
    """A load tester in compat mode, shared by the tests that only post tasks."""
    with _serving(tmp_path_factory.mktemp("service"), eventually) as start:
        yield start()


@dataclasses.dataclass
class Target:
    """A loopback server to put load on."""

    url: str
    hits: int = 0


@pytest.fixture
def target() -> Iterator[Target]:
    """Serve ``token`` on every path but ``/away``, which leads to ``/``, and count the requests."""
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            with lock:
                made.hits += 1
            self.send_response(302 if self.path == "/away" else 200)
            self.send_header("Location", "/")
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"token\n")

        do_POST = do_GET  # noqa: N815 - the name is the interface

        def log_request(self, code: object = "-", size: object = "-") -> None:
            del code, size

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Target(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()
