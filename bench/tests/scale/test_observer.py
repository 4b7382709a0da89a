"""An observer of a small server that speaks like the API server: a list, and then a stream."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bench.scale import observer
from bench.scale.objects import Member
from bench.scale.observer import Observer
from bench.scale.releases import State

MEMBER = Member("ours-0", "app-0")


class Server:
    """Sends what a test puts into `events`, a line each; None ends the stream."""

    def __init__(self) -> None:
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.items: list[dict[str, Any]] = []
        self.asked: list[str] = []
        """List, or the version that is watched from."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path != observer.PATH or self.headers["Authorization"] != "Bearer secret":
                    self.send_error(403)
                    return
                query = parse_qs(parts.query)
                outer.asked.append(query["resourceVersion"][0] if query else "list")
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for line in outer.lines() if query else [outer.list()]:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def list(self) -> bytes:
        return json.dumps({"metadata": {"resourceVersion": "7"}, "items": self.items}).encode()

    def lines(self) -> Iterator[bytes]:
        while (event := self.events.get(timeout=60)) is not None:
            yield json.dumps(event).encode() + b"\n"

    def send(self, kind: str, version: int, **status: Any) -> None:
        self.events.put({"type": kind, "object": canary(version, **status)})


def canary(version: int, **status: Any) -> dict[str, Any]:
    metadata = {"namespace": "ours-0", "name": "app-0", "resourceVersion": str(version)}
    return {"metadata": metadata, "status": status}


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    thread = threading.Thread(target=served.http.serve_forever)
    thread.start()
    yield served
    served.events.put(None)
    served.http.shutdown()
    served.http.server_close()
    thread.join()


@pytest.fixture
def watching(server: Server) -> Iterator[Observer]:
    with Observer(server.url, "secret", "") as eye:
        yield eye


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def states(eye: Observer) -> list[State]:
    return [sight.state for sight in eye.sights(MEMBER)]


def test_each_line_is_seen_when_it_comes(server: Server, watching: Observer) -> None:
    """The stream stays open; what does not change the state is no sight."""
    begun = time.monotonic()
    server.send("ADDED", 8)
    until(lambda: states(watching) == [State("", 0, 0)])
    between = time.monotonic()
    server.send("MODIFIED", 9, phase="Progressing", canaryWeight=20)
    server.send("MODIFIED", 10, phase="Progressing", canaryWeight=20, failedChecks=1)
    server.send("MODIFIED", 11, phase="Progressing", canaryWeight=40)
    until(lambda: len(states(watching)) == 3)
    assert states(watching)[1:] == [State("Progressing", 20, 0), State("Progressing", 40, 0)]
    first, second, third = (sight.at for sight in watching.sights(MEMBER))
    assert begun <= first <= between <= second <= third <= time.monotonic()
    assert watching.last(MEMBER) == watching.sights(MEMBER)[-1]
    assert server.asked == ["list", "7"]


def test_a_stream_that_ends_goes_on_where_it_was(server: Server, watching: Observer) -> None:
    server.send("MODIFIED", 9, phase="Initialized")
    server.send("BOOKMARK", 12)
    server.events.put(None)
    until(lambda: len(server.asked) == 3)
    assert server.asked == ["list", "7", "12"]
    assert (watching.cuts, watching.follows) == (0, True)
    assert states(watching) == [State("Initialized", 0, 0)]


def test_a_lost_place_is_counted(server: Server, watching: Observer) -> None:
    server.items = [canary(30, phase="Succeeded")]
    server.events.put({"type": "ERROR", "object": {"code": 410}})
    server.events.put(None)
    until(lambda: len(server.asked) >= 4)
    assert server.asked[:4] == ["list", "7", "list", "7"]
    assert (watching.cuts, watching.follows) == (1, True)
    assert states(watching) == [State("Succeeded", 0, 0)]


def test_what_was_seen_can_be_forgotten(server: Server, watching: Observer) -> None:
    server.send("ADDED", 8)
    until(lambda: states(watching))
    watching.forget()
    assert watching.last(MEMBER) is None
