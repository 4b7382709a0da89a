"""A small API server that knows Canaries and nothing else, for tests of who reads them.

It answers as kube-apiserver does, with its paths, statuses and texts; serve `answer` with any WSGI
server.
"""

import dataclasses
import json
import re
from typing import Any, Final

import werkzeug

Object = dict[str, Any]

TOKEN: Final = "pod-token"  # noqa: S105 - of a server in a test
"""What callers have to show."""

_PATH: Final = re.compile(
    r"/apis/flagger\.app/v1beta1/namespaces/([-.a-z0-9]+)/canaries/([-.a-z0-9]+)"
)


@dataclasses.dataclass
class Canaries:
    """The server's objects and whom it has answered."""

    items: dict[tuple[str, str], Object] = dataclasses.field(default_factory=dict)
    """By namespace and name."""

    denied: bool = False
    """Whether the caller has no right to read them."""

    users: list[str | None] = dataclasses.field(default_factory=list)
    """Whom the callers wanted to act as, by request; None: as themselves."""

    def declare(self, namespace: str, name: str, *metadata: Object) -> None:
        """Make or replace a Canary with a webhook for each of the metadata."""
        hooks = [{"name": f"hook-{n}", "metadata": each} for n, each in enumerate(metadata)]
        self.items[namespace, name] = {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"analysis": {"webhooks": hooks}},
        }

    def answer(self, request: werkzeug.Request) -> werkzeug.Response:
        """Answer a request."""
        self.users.append(request.headers.get("Impersonate-User"))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized")
        found = _PATH.fullmatch(request.path)
        if found is None:
            return werkzeug.Response("404 page not found\n", 404)
        namespace, name = found.groups()
        what = f'canaries.flagger.app "{name}"'
        if self.denied or request.method != "GET":
            right = 'cannot get resource "canaries" in API group "flagger.app"'
            who = "system:serviceaccount:test:tester"
            text = f'{what} is forbidden: User "{who}" {right} in the namespace "{namespace}"'
            return _status(403, text)
        if (namespace, name) not in self.items:
            return _status(404, f"{what} not found")
        return _document(200, self.items[namespace, name])


def _status(code: int, message: str) -> werkzeug.Response:
    return _document(code, {"kind": "Status", "code": code, "message": message})


def _document(code: int, content: Object) -> werkzeug.Response:
    return werkzeug.Response(json.dumps(content), code, content_type="application/json")
