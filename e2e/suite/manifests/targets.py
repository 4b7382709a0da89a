"""Tells Prometheus which pods to ask: those annotated `prometheus.io/scrape`.

Runs beside Prometheus in its pod (see prometheus.yaml). Debian's Prometheus is built without
discovery through the Kubernetes API; it takes lists over HTTP. Nothing but the standard library.
"""

import http.server
import json
import pathlib
import ssl
import urllib.request
from typing import Any

PORT = 9091
ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
PODS = "https://kubernetes.default.svc/api/v1/pods?fieldSelector=status.phase=Running"
PREFIX = "prometheus.io/"


def pods() -> list[dict[str, Any]]:
    """Return the running pods of the cluster."""
    token = (ACCOUNT / "token").read_text()
    request = urllib.request.Request(PODS, headers={"Authorization": f"Bearer {token}"})
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=5, context=trusted) as response:  # noqa: S310
        found: list[dict[str, Any]] = json.load(response)["items"]
        return found


def targets() -> list[dict[str, Any]]:
    """Return what Prometheus wants to know, with the labels of the usual relabelling."""
    found = []
    for pod in pods():
        metadata, address = pod["metadata"], pod["status"].get("podIP")
        annotations = metadata.get("annotations") or {}
        if address and annotations.get(PREFIX + "scrape") == "true":
            labels = {
                "kubernetes_namespace": metadata["namespace"],
                "kubernetes_pod_name": metadata["name"],
                "__metrics_path__": annotations.get(PREFIX + "path", "/metrics"),
            }
            port = annotations.get(PREFIX + "port", "80")
            found.append({"targets": [f"{address}:{port}"], "labels": labels})
    return found


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every GET with the targets."""

    def do_GET(self) -> None:
        """Answer; with 503 while the API server does not, then Prometheus keeps what it has."""
        try:
            status, body = 200, json.dumps(targets()).encode()
        except (OSError, ValueError, KeyError) as error:
            status, body = 503, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Say nothing: there is a request every second."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
