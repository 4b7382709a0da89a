"""What a fleet asks of an API server."""

import json
import pathlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent import futures

import pytest
import requests
import werkzeug
from bench.scale.fleet import Fleet
from bench.scale.hands import Hands
from bench.scale.objects import Object
from pytest_httpserver import HTTPServer
from tools.cluster import api

APPS = "/apis/apps/v1/namespaces"
CANARIES = "/apis/flagger.app/v1beta1/namespaces"


class Server:
    """Keeps what it is asked; namespaces are gone when they were looked for three times."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.bodies: dict[tuple[str, str], list[Object]] = {}
        self._looks: Counter[str] = Counter()
        self._lock = threading.Lock()

    def answer(self, request: werkzeug.Request) -> werkzeug.Response:
        what = (request.method, request.path)
        with self._lock:
            self.asked.append(what)
            if request.method in ("POST", "PATCH"):
                self.bodies.setdefault(what, []).append(request.get_json(force=True))
                return reply({})
            self._looks[request.path] += request.method == "GET"
            if request.path.endswith("/deployments"):
                pods = [{}, {"readyReplicas": 1}, {"readyReplicas": 0}]
                return reply({"items": [{"status": each} for each in pods]})
            return reply({}, 404 if self._looks[request.path] > 2 else 200)

    def count(self, method: str, path: str) -> int:
        return self.asked.count((method, path))


def reply(body: Object, status: int = 200) -> werkzeug.Response:
    return werkzeug.Response(json.dumps(body), status, mimetype="application/json")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def fleet(server: Server) -> Iterator[Fleet]:
    """Of 30 canaries, in two namespaces."""
    with (
        HTTPServer(threaded=True) as http,
        api.Api(http.url_for("").rstrip("/"), pathlib.Path(), "") as one,
        api.Api(http.url_for("").rstrip("/"), pathlib.Path(), "") as other,
        futures.ThreadPoolExecutor(2) as pool,
    ):
        http.expect_request(re.compile(".*")).respond_with_handler(server.answer)
        yield Fleet(Hands([one, other], pool), "ours-30", 30)


def test_everything_is_made_once(server: Server, fleet: Fleet) -> None:
    with fleet:
        fleet.deploy()
        fleet.guard()
        assert fleet.available() == 2
    names = [body["metadata"]["name"] for body in server.bodies["POST", "/api/v1/namespaces"]]
    assert sorted(names) == ["ours-30-0", "ours-30-1"]
    for root, plural in ((APPS, "deployments"), (CANARIES, "canaries")):
        made = [server.count("POST", f"{root}/ours-30-{n}/{plural}") for n in range(2)]
        assert made == [25, 5]


def test_a_push_is_another_revision_of_some(server: Server, fleet: Fleet) -> None:
    some, before = fleet.members[3:6], time.monotonic()
    first, second = fleet.push(some), fleet.push(some[:1])
    assert list(first) == some
    assert list(second) == some[:1]
    assert before <= min(first.values()) <= max(first.values()) <= second[some[0]]
    paths = [f"{APPS}/ours-30-0/deployments/app-{n}" for n in (3, 4, 5)]
    assert [server.count("PATCH", path) for path in paths] == [2, 1, 1]
    images = [
        body["spec"]["template"]["spec"]["containers"][0]["image"]
        for body in server.bodies["PATCH", paths[0]]
    ]
    assert images == ["bench/app:2", "bench/app:3"]


def test_it_ends_when_its_namespaces_are_gone(server: Server, fleet: Fleet) -> None:
    with fleet:
        pass
    for path in ("/api/v1/namespaces/ours-30-0", "/api/v1/namespaces/ours-30-1"):
        assert (server.count("DELETE", path), server.count("GET", path)) == (1, 3)


def test_after_an_error_the_server_is_left_alone(server: Server, fleet: Fleet) -> None:
    with pytest.raises(requests.ConnectionError), fleet:
        raise requests.ConnectionError
    assert not any(method == "DELETE" for method, _ in server.asked)
