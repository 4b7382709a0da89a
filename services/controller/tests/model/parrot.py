"""A server that repeats in every answer all that it was sent: the worst place for a secret."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Parrot:
    """The server; use it as a context manager. The first word of a path chooses the answer."""

    def __init__(self) -> None:
        outer = self
        self.heard: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def do_POST(self) -> None:
                outer._answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Parrot":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length).decode()
        words = f"{self.url}{request.path}\n{request.headers}\n{body}"
        self.heard.append(words)
        match request.path.split("/")[1]:
            case "moved":
                request.send_response(302)
                request.send_header("Location", f"{self.url}/no{request.path}")
            case "odd":
                request.send_response(200)
                words = json.dumps({"ok": False, "error": words})
            case _:
                request.send_response(400)
        content = words.encode()
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
