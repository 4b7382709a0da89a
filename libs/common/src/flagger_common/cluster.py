"""The few calls of the Kubernetes API that testers make, over plain HTTP.

Not a client library: get, list, create and delete of JSON documents, and logs.
"""

import dataclasses
import http.client
import json
import pathlib
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

Object = dict[str, Any]

ACCOUNT: Final = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds the token of its service account."""

_LARGEST: Final = 8 << 20
"""Most bytes of an answer that are read."""


class ApiError(Exception):
    """The API server refused, or could not be reached."""

    def __init__(self, status: int, message: str) -> None:
        """Keep what it said.

        Args:
            status: of the answer; 0 when there was none.
            message: in the server's words, for people.
        """
        super().__init__(message)
        self.status = status

    @property
    def temporary(self) -> bool:
        """Whether the same call may work a little later."""
        return self.status in (0, 429) or self.status >= 500


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """An API server and how to log in; the files are read for each call, as they are renewed."""

    api: str
    """`https://host:port`."""
    token_file: pathlib.Path
    """Bearer token."""
    ca_file: pathlib.Path | None = None
    """Who signs the server's certificate; None: those the system trusts."""
    user: str = ""
    """Format of the user to act as, with `{namespace}`; empty: the owner of the token."""
    seconds: float = 15.0
    """How long a call waits for a connection, and for each next piece of the answer."""

    def call(self, method: str, path: str, namespace: str, body: Object | None = None) -> Object:
        """Make a call and return the document of the answer.

        Args:
            method: HTTP method.
            path: with the query.
            namespace: of the object, for the user to act as.
            body: document to send.

        Raises:
            ApiError: it did not work.
        """
        try:
            document = json.loads(self._send(method, path, namespace, body))
        except ValueError as error:
            raise ApiError(0, f"{method} {path}: the answer is no JSON: {error}") from error
        if not isinstance(document, dict):
            raise ApiError(0, f"{method} {path}: the answer is no object")
        return document

    def text(self, path: str, namespace: str) -> str:
        """Return a text, such as a log.

        Raises:
            ApiError: it did not work.
        """
        return self._send("GET", path, namespace, None).decode(errors="replace")

    def _send(self, method: str, path: str, namespace: str, body: Object | None) -> bytes:
        try:
            request = urllib.request.Request(  # noqa: S310 - the operator's address
                self.api + path,
                None if body is None else json.dumps(body).encode(),
                self._headers(namespace),
                method=method,
            )
            with self._opener().open(request, timeout=self.seconds) as response:
                content: bytes = response.read(_LARGEST)
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, _message(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(0, f"{method} {path}: {error}") from error
        return content

    def _headers(self, namespace: str) -> dict[str, str]:
        token = self.token_file.read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if self.user:
            headers["Impersonate-User"] = self.user.format(namespace=namespace)
        return headers

    def _opener(self) -> urllib.request.OpenerDirector:
        trust = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        # A proxy is for Helm's charts, not for the API server of the own cluster.
        return urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )


def connect(
    api: str, token_file: str, ca_file: str, environ: Mapping[str, str], user: str = ""
) -> Cluster | None:
    """Return the API server that flags name, else that of the cluster that this pod runs in.

    Args:
        api: its URL; empty: the pod's, and the two files are those of the service account.
        token_file: path of the bearer token.
        ca_file: path of the certificates that may sign its own; empty: those the system trusts.
        environ: of the process; Kubernetes puts the API server's address there.
        user: see `Cluster`.

    Returns:
        None if no API server is named and the process is in no pod.
    """
    if not api:
        return _inside(environ, user)
    trust = pathlib.Path(ca_file) if ca_file else None
    return Cluster(api.rstrip("/"), pathlib.Path(token_file), trust, user)


def _inside(environ: Mapping[str, str], user: str) -> Cluster | None:
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        return None
    where = f"[{host}]" if ":" in host else host
    return Cluster(f"https://{where}:{port}", ACCOUNT / "token", ACCOUNT / "ca.crt", user)


def _message(error: urllib.error.HTTPError) -> str:
    """Return what the server says; it speaks JSON, whatever stands before it may not."""
    said = error.read(_LARGEST)
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}"
