"""An API server that keeps what it is asked, and two administrators."""

import contextlib
import json
import pathlib
import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent import futures

import werkzeug
from bench.scale.hands import Hands
from bench.scale.objects import Object
from pytest_httpserver import HTTPServer
from tools.cluster import api


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


@contextlib.contextmanager
def hands(server: Server) -> Iterator[Hands]:
    with (
        HTTPServer(threaded=True) as http,
        api.Api(http.url_for("").rstrip("/"), pathlib.Path(), "") as one,
        api.Api(http.url_for("").rstrip("/"), pathlib.Path(), "") as other,
        futures.ThreadPoolExecutor(2) as pool,
    ):
        http.expect_request(re.compile(".*")).respond_with_handler(server.answer)
        yield Hands([one, other], pool)
