"""A metrics adapter: an API server behind the API server, which serves external metrics.

Registered like every such server, with an APIService; and like every such server it believes what
is said about users by who shows a certificate of the front proxy, and by nobody else.
"""

import base64
import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import trustme
from cryptography import x509
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer
from tools.cluster.api import Api
from werkzeug import Request, Response

from .scene import Object

GROUP: Final = "external.metrics.k8s.io"
ROOT: Final = f"/apis/{GROUP}/v1beta1"
_NAME: Final = "adapter"
_SERVICES: Final = "/apis/apiregistration.k8s.io/v1/apiservices"
_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Asked:
    """A request, as the API server passed it on."""

    path: str
    parameters: Mapping[str, str]
    user: str
    groups: str
    authorization: str


class Adapter:
    """Serves the metrics of one namespace."""

    def __init__(self, server: HTTPServer, names: list[str], values: dict[str, list[str]]) -> None:
        self._server = server
        self._names = names
        self._values = values
        self.asked: list[Asked] = []
        """Requests for metrics."""
        server.no_handler_status_code = 404
        server.expect_request(re.compile(f"{ROOT}(/.*)?")).respond_with_handler(self._answer)

    def stop(self) -> None:
        """Go away without a word."""
        self._server.stop()

    def _answer(self, request: Request) -> Response:
        if not self._trusted(request):
            return _json({"kind": "Status", "code": 401, "reason": "Unauthorized"}, 401)
        if request.path == ROOT:
            return _json(_discovery())
        headers = request.headers
        self.asked.append(
            Asked(
                request.path,
                request.args.to_dict(),
                headers["X-Remote-User"],
                headers["X-Remote-Group"],
                headers.get("Authorization", ""),
            )
        )
        return self._metric(request.path.rpartition("/")[2])

    def _trusted(self, request: Request) -> bool:
        certificate = x509.load_pem_x509_certificate(request.environ["SSL_CLIENT_CERT"].encode())
        (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return name.value in self._names

    def _metric(self, name: str) -> Response:
        if name not in self._values:
            message = f"the server could not find the metric {name} for external metrics"
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
            return _json({**status, "reason": "NotFound", "message": message}, 404)
        items = [
            {
                "metricName": name,
                "metricLabels": {},
                "timestamp": "2026-05-01T12:00:00Z",
                "value": v,
            }
            for v in self._values[name]
        ]
        kind = {"kind": "ExternalMetricValueList", "apiVersion": f"{GROUP}/v1beta1"}
        return _json({**kind, "metadata": {}, "items": items})


@contextmanager
def registered(admin: Api, namespace: str, values: dict[str, list[str]]) -> Iterator[Adapter]:
    """An adapter that the API server knows and has found available."""
    extension = admin.get(
        "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    )["data"]
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(f"{_NAME}.{namespace}.svc").configure_cert(tls)
    tls.load_verify_locations(cadata=extension["requestheader-client-ca-file"])
    tls.verify_mode = ssl.CERT_REQUIRED
    with HTTPServer(ssl_context=tls, threaded=True) as server:
        adapter = Adapter(server, json.loads(extension["requestheader-allowed-names"]), values)
        bundle = base64.b64encode(authority.cert_pem.bytes()).decode()
        # Without a network of pods there is no address of a Service that leads anywhere, and the
        # endpoints of one must not be on the loopback interface: a name may.
        service = {"type": "ExternalName", "externalName": "localhost"}
        admin.create(
            f"/api/v1/namespaces/{namespace}/services",
            {"metadata": {"name": _NAME}, "spec": service},
        )
        name = f"v1beta1.{GROUP}"
        spec = {
            "service": {"namespace": namespace, "name": _NAME, "port": server.port},
            "group": GROUP,
            "version": "v1beta1",
            "caBundle": bundle,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        }
        admin.create(_SERVICES, {"metadata": {"name": name}, "spec": spec})
        try:
            _await_available(admin, f"{_SERVICES}/{name}")
            yield adapter
        finally:
            # One that does not answer would keep namespaces from being deleted.
            admin.delete(f"{_SERVICES}/{name}")


def _discovery() -> Object:
    kind = {"name": "*", "singularName": "", "namespaced": True, "verbs": ["get"]}
    kinds = [{**kind, "kind": "ExternalMetricValueList"}]
    version = {"groupVersion": f"{GROUP}/v1beta1", "resources": kinds}
    return {"kind": "APIResourceList", "apiVersion": "v1", **version}


def _await_available(admin: Api, path: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        found: Object = admin.get(path)
        conditions = found.get("status", {}).get("conditions", [])
        if any(c["type"] == "Available" and c["status"] == "True" for c in conditions):
            return
        assert time.monotonic() < deadline, conditions
        time.sleep(0.05)


def _json(document: Object, status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")
