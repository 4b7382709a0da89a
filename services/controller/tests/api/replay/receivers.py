"""The world around a controller: a scripted Prometheus, hooks, chats and an event receiver.

One HTTP server on loopback for all scenarios of a run; the namespace tells them apart. Answers are
used up one by one, the last one stays.
"""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Recorded = dict[str, Any]


class Script:
    """The answers of one scenario, and everything it received."""

    def __init__(self, namespace: str, answers: list[list[Any]], hooks: Mapping[str, Any]) -> None:
        self.namespace = namespace
        self.answers = [(regex, self._queue(value)) for regex, value in answers]
        self.gates = {name: self._queue(value) for name, value in hooks.items()}
        self.hooks: list[str] = []
        self.alerts: dict[str, list[str]] = defaultdict(list)
        self.events: list[Recorded] = []
        self.queries: set[str] = set()
        self.changed = threading.Condition()

    @staticmethod
    def _queue(value: Any) -> list[Any]:
        return list(value) if isinstance(value, list) else [value]

    @staticmethod
    def _next(queue: list[Any]) -> Any:
        return queue.pop(0) if len(queue) > 1 else queue[0]

    def answer(self, regex: str, value: Any) -> None:
        with self.changed:
            self.answers = [(regex, self._queue(value)), *self.answers]

    def gate(self, name: str, value: Any) -> None:
        with self.changed:
            self.gates[name] = self._queue(value)

    def measured(self, query: str, authorization: str) -> Any:
        """The value for a query: scripted, or that of a healthy application."""
        plain = " ".join(query.split())
        seen = f"{plain} [Authorization: {authorization}]" if authorization else plain
        with self.changed:
            self.queries.add(seen)
            for regex, queue in self.answers:
                if re.search(regex, plain):
                    return self._next(queue)
        if plain.endswith("* 1000") or re.search("milliseconds|upstream_rq_time", plain):
            return 120.0
        if "histogram_quantile" in plain:
            return 0.12
        return 100.0 if plain.endswith("* 100") else 1.0

    def called(self, name: str, body: Recorded) -> dict[str, Any]:
        with self.changed:
            answer = self._next(self.gates.get(name, [200]))
            reply = answer if isinstance(answer, dict) else {"code": answer}
            self.hooks.append(f"{name} {json.dumps(body, sort_keys=True)} -> {reply['code']}")
            self.changed.notify_all()
        return reply

    def alerted(self, channel: str, headers: Mapping[str, str], body: Recorded) -> None:
        seen: Recorded = {"body": body}
        if "Authorization" in headers:
            seen["authorization"] = headers["Authorization"]
        with self.changed:
            self.alerts[channel].append(json.dumps(seen, sort_keys=True))

    def told(self, body: Recorded) -> None:
        with self.changed:
            self.events.append(body)
            self.changed.notify_all()


class Receivers:
    """The server; use it as a context manager."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._serve(self, b"")

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                outer._serve(self, self.rfile.read(length))

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Receivers":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = urlsplit(request.path)
        match parts.path.strip("/").split("/"):
            case ["hook", namespace, "events"]:
                self.scripts[namespace].told(json.loads(body))
                _reply(request)
            case ["hook", namespace, name]:
                _reply(request, **self.scripts[namespace].called(name, json.loads(body)))
            case ["alert", namespace, channel, *rest]:
                name = "/".join([channel, *rest])
                self.scripts[namespace].alerted(name, dict(request.headers), json.loads(body))
                _reply(request)
            case ["slack"]:
                document = json.loads(body)
                namespace = document["attachments"][0]["author_name"].rpartition(".")[2]
                self.scripts[namespace].alerted("global-slack", dict(request.headers), document)
                _reply(request)
            case ["events"]:
                document = json.loads(body)
                self.scripts[document["namespace"]].told(document)
                _reply(request)
            case [*_, "query"]:
                query = (parse_qs(parts.query) or parse_qs(body.decode()))["query"][0]
                self._measure(request, query)
            case _:
                _reply(request)

    def _measure(self, request: BaseHTTPRequestHandler, query: str) -> None:
        owners = [name for name in self.scripts if name in query]
        authorization = request.headers.get("Authorization", "")
        value: Any = 1.0
        if owners:
            value = self.scripts[max(owners, key=len)].measured(query, authorization)
        if isinstance(value, dict):
            _reply(request, **value)
            return
        result = [] if value is None else [{"metric": {}, "value": [1.0, str(value)]}]
        document = {"status": "success", "data": {"resultType": "vector", "result": result}}
        _reply(request, body=json.dumps(document))


def _reply(request: BaseHTTPRequestHandler, code: int = 200, body: str = "") -> None:
    content = b"" if code in (204, 304) else body.encode()
    request.send_response(code)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)
