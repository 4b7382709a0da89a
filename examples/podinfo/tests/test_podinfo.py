"""The demo application as a real process, over HTTP."""

import contextlib
import http.client
import json
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

FOLDER = pathlib.Path(__file__).parent.parent


class Podinfo:
    """One running process."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "podinfo"],
            cwd=FOLDER,
            env={"PODINFO_PORT": "0", "PODINFO_DRAIN": "0.1", "HOSTNAME": "pod-1", **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline().rsplit(" ", 1)[-1])

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read(), dict(response.getheaders())

    def json(self, path: str) -> Any:
        return json.loads(self.ask(path)[1])

    def raw(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: line.recv(65536), b""))


Start = Callable[..., Podinfo]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Podinfo] = []

    def run(**environment: str) -> Podinfo:
        running.append(Podinfo(environment))
        return running[-1]

    yield run
    for podinfo in running:
        podinfo.process.kill()
        podinfo.process.communicate()


def test_index_tells_the_release(start: Start) -> None:
    podinfo = start(PODINFO_VERSION="2.0.0", PODINFO_COLOR="red", PODINFO_MESSAGE="hi")
    status, body, headers = podinfo.ask("/")
    assert status == 200
    assert json.loads(body) == {
        "hostname": "pod-1",
        "version": "2.0.0",
        "color": "red",
        "message": "hi",
    }
    assert headers["X-Version"] == "2.0.0"
    assert headers["X-Color"] == "red"
    assert podinfo.json("/version") == {"version": "2.0.0"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/status/200", 200),
        ("/status/204", 204),
        ("/status/503", 503),
        ("/status/999", 400),
        ("/status/x", 400),
        ("/status/100", 400),
        ("/delay/0.01", 200),
        ("/delay/61", 400),
        ("/delay/nan", 400),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/nothing", 404),
        ("/?query=1", 200),
    ],
)
def test_paths(start: Start, path: str, status: int) -> None:
    assert start().ask(path)[0] == status


def test_body_comes_back(start: Start) -> None:
    podinfo = start()
    assert podinfo.ask("/echo", "POST", b"x" * 100_000)[1] == b"x" * 100_000
    assert podinfo.ask("/", "HEAD")[:2] == (200, b"")


def test_delay_waits(start: Start) -> None:
    podinfo = start(PODINFO_DELAY="0.2")
    for path in ("/delay/0.2", "/"):
        begin = time.monotonic()
        assert podinfo.ask(path)[0] == 200
        assert time.monotonic() - begin >= 0.2


def test_told_to_fail(start: Start) -> None:
    podinfo = start(PODINFO_FAIL="500")
    assert podinfo.ask("/")[0] == 500
    assert podinfo.ask("/healthz")[0] == podinfo.ask("/readyz")[0] == 200
    assert start(PODINFO_FAIL="500", PODINFO_FAIL_RATE="0").ask("/")[0] == 200


def test_never_ready(start: Start) -> None:
    assert start(PODINFO_READY="fail").ask("/readyz")[0] == 503
    podinfo = start(PODINFO_READY="hang")
    with contextlib.closing(podinfo.connect()) as connection:
        connection.request("GET", "/readyz")
        assert connection.sock
        connection.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.getresponse()
    assert podinfo.ask("/")[0] == 200


@pytest.mark.parametrize(
    "environment",
    [{"PODINFO_READY": "maybe"}, {"PODINFO_FAIL": "42"}, {"PODINFO_DELAY": "soon"}],
)
def test_nonsense_in_the_environment_ends_the_process(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "podinfo"],
        cwd=FOLDER,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert next(iter(environment)) in done.stderr


def test_the_service_of_the_same_name_is_no_setting() -> None:
    code = "from podinfo import settings; print(settings.from_environment().port)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=FOLDER,
        env={"PODINFO_PORT": "tcp://10.0.0.1:80"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "9898\n"


def test_metrics(start: Start) -> None:
    podinfo = start()
    podinfo.ask("/")
    podinfo.ask("/status/500")
    podinfo.ask("/status/500")
    podinfo.ask("/delay/0.03")
    podinfo.ask("/healthz")
    podinfo.ask("/a/b/c")
    text = podinfo.ask("/metrics")[1].decode()
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    ok = 'method="GET",path="/",status="200"'
    assert samples[f"http_requests_total{{{ok}}}"] == "1"
    assert samples[f'http_request_duration_seconds_bucket{{{ok},le="+Inf"}}'] == "1"
    assert samples[f"http_request_duration_seconds_count{{{ok}}}"] == "1"
    failed = 'method="GET",path="/status/{code}",status="500"'
    assert samples[f"http_requests_total{{{failed}}}"] == "2"
    slow = 'method="GET",path="/delay/{seconds}",status="200"'
    assert samples[f'http_request_duration_seconds_bucket{{{slow},le="0.025"}}'] == "0"
    assert samples[f'http_request_duration_seconds_bucket{{{slow},le="0.1"}}'] == "1"
    assert (
        samples[f"http_requests_total{{{ok.replace('200', '404').replace('/', 'other')}}}"] == "1"
    )
    assert "healthz" not in text


def test_one_connection_serves_many_requests(start: Start) -> None:
    podinfo = start()
    with contextlib.closing(podinfo.connect()) as connection:
        for _ in range(500):
            connection.request("GET", "/")
            response = connection.getresponse()
            assert response.read()
            assert response.getheader("Connection") == "keep-alive"


def test_pipelined_requests(start: Start) -> None:
    one = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
    slow = b"GET /delay/0.05 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answers = start().raw(one * 20 + slow)
    assert answers.count(b"HTTP/1.1 200 OK") == 21
    assert answers.endswith(b'{"delay": 0.05}\n')


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 40_000 + b"\r\n\r\n", b"431"),
    ],
)
def test_bad_requests(start: Start, data: bytes, status: bytes) -> None:
    assert start().raw(data).split(b" ")[1] == status


def test_termination_loses_no_request(start: Start) -> None:
    """Clients that keep their connection, and clients that come late, are all answered."""
    podinfo = start(PODINFO_DRAIN="1")
    statuses: list[int] = []
    closed: list[str | None] = []
    ready = threading.Barrier(9)

    def client() -> None:
        with contextlib.closing(podinfo.connect()) as connection:
            ready.wait()
            for _ in range(100):
                connection.request("GET", "/delay/0.005")
                response = connection.getresponse()
                response.read()
                statuses.append(response.status)
                if response.getheader("Connection") == "close":
                    closed.append(response.getheader("Connection"))
                    return

    slow: list[int] = []
    threads = [threading.Thread(target=client) for _ in range(8)]
    threads.append(threading.Thread(target=lambda: slow.append(podinfo.ask("/delay/2")[0])))
    for thread in threads:
        thread.start()
    ready.wait()
    time.sleep(0.1)
    podinfo.process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    assert podinfo.ask("/readyz")[0] == 503
    assert podinfo.ask("/")[0] == 200
    for thread in threads:
        thread.join()
    assert podinfo.process.wait(timeout=10) == 0
    assert set(statuses) == {200}
    assert len(closed) == 8
    assert slow == [200]


def test_termination_is_bounded(start: Start) -> None:
    podinfo = start(PODINFO_READY="hang", PODINFO_GRACE="0.3")
    with contextlib.closing(podinfo.connect()) as connection:
        connection.request("GET", "/readyz")
        time.sleep(0.1)
        podinfo.process.send_signal(signal.SIGTERM)
        assert podinfo.process.wait(timeout=5) == 0
