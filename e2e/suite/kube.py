"""A small client of the Kubernetes API: objects are dicts, a method is one request.

Waiting and polling through kubectl would cost a process for every look.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import requests
from kubernetes import config

from e2e.suite import access, names

Object = dict[str, Any]

SECONDS: Final = 30.0
"""Limit of one request."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """Where objects of a kind are."""

    api: str
    """Path of the group and version."""
    plural: str
    namespaced: bool = True


ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
APPS: Final = "/apis/apps/v1"
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
GATEWAY: Final = "/apis/gateway.networking.k8s.io/v1"
KINDS: Final[Mapping[str, Kind]] = {
    "Canary": Kind("/apis/flagger.app/v1beta1", "canaries"),
    "ClusterRole": Kind(RBAC, "clusterroles", namespaced=False),
    "ClusterRoleBinding": Kind(RBAC, "clusterrolebindings", namespaced=False),
    "ConfigMap": Kind("/api/v1", "configmaps"),
    "CustomResourceDefinition": Kind(
        "/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False
    ),
    "Deployment": Kind(APPS, "deployments"),
    "Event": Kind("/api/v1", "events"),
    "Gateway": Kind(GATEWAY, "gateways"),
    "Gateway.networking.istio.io": Kind("/apis/networking.istio.io/v1", "gateways"),
    "GatewayClass": Kind(GATEWAY, "gatewayclasses", namespaced=False),
    "HTTPRoute": Kind(GATEWAY, "httproutes"),
    "HTTPProxy": Kind("/apis/projectcontour.io/v1", "httpproxies"),
    "Ingress": Kind("/apis/networking.k8s.io/v1", "ingresses"),
    "IngressClass": Kind("/apis/networking.k8s.io/v1", "ingressclasses", namespaced=False),
    "IngressRoute": Kind("/apis/traefik.io/v1alpha1", "ingressroutes"),
    "MetricTemplate": Kind("/apis/flagger.app/v1beta1", "metrictemplates"),
    "MutatingWebhookConfiguration": Kind(
        ADMISSION, "mutatingwebhookconfigurations", namespaced=False
    ),
    "Namespace": Kind("/api/v1", "namespaces", namespaced=False),
    "Node": Kind("/api/v1", "nodes", namespaced=False),
    "Pod": Kind("/api/v1", "pods"),
    "Role": Kind(RBAC, "roles"),
    "RoleBinding": Kind(RBAC, "rolebindings"),
    "Secret": Kind("/api/v1", "secrets"),
    "Service": Kind("/api/v1", "services"),
    "Service.serving.knative.dev": Kind("/apis/serving.knative.dev/v1", "services"),
    "ServiceAccount": Kind("/api/v1", "serviceaccounts"),
    "TraefikService": Kind("/apis/traefik.io/v1alpha1", "traefikservices"),
    "ValidatingWebhookConfiguration": Kind(
        ADMISSION, "validatingwebhookconfigurations", namespaced=False
    ),
    "VirtualService": Kind("/apis/networking.istio.io/v1", "virtualservices"),
}
"""With its group where two groups have a kind of that name, see `kind_of`."""


class ApiError(access.SuiteError):
    """The API server refused a request."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Kube:
    """The API of one cluster. May be used by several threads."""

    def __init__(self, kubeconfig: pathlib.Path) -> None:
        load: Any = config.new_client_from_config
        client = load(str(kubeconfig), persist_config=False)
        self._configuration: Any = client.configuration
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = self._configuration.ssl_ca_cert or True
        if self._configuration.cert_file:
            self._session.cert = (self._configuration.cert_file, self._configuration.key_file)
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=32)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        body: str | bytes | None = None,
        media: str = "application/json",
        query: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """Send one request.

        Raises:
            ApiError: the answer is no success.
            requests.RequestException: there was no answer.
        """
        headers = {"Content-Type": media}
        token = self._configuration.get_api_key_with_prefix("BearerToken", "authorization")
        if token:
            headers["Authorization"] = token
        response = self._session.request(
            method,
            self._configuration.host + path,
            params=query,
            data=body,
            headers=headers,
            timeout=SECONDS,
            stream=stream,
        )
        if not response.ok:
            text = response.text
            response.close()
            raise ApiError(response.status_code, _message(text))
        return response

    def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """Return an object; ApiError 404 where there is none."""
        return _object(self.send("GET", path(kind, namespace, name)))

    def find(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """Return an object, or None where there is none."""
        try:
            return self.get(kind, name, namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def select(self, kind: str, namespace: str = "", **query: str) -> list[Object]:
        """Return objects; `labelSelector` and `fieldSelector` narrow them down."""
        items: list[Object] = self.send("GET", path(kind, namespace), query=query).json()["items"]
        return items

    def apply(self, body: Object, *, dry_run: bool = False) -> Object:
        """Create or change an object to have these fields; others stay (server-side apply).

        With `dry_run` everybody is asked who has to be, and nothing is stored.
        """
        metadata = body["metadata"]
        where = path(kind_of(body), metadata.get("namespace", ""), metadata["name"])
        query = {"fieldManager": names.FIELD_MANAGER, "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        media, text = "application/apply-patch+yaml", json.dumps(body)
        return _object(self.send("PATCH", where, body=text.encode(), media=media, query=query))

    def patch(self, kind: str, name: str, namespace: str, change: Object) -> Object:
        """Change an object; lists are merged by their keys where the kind is built in."""
        built_in = KINDS[kind].api.startswith(("/api/", APPS))
        media = f"application/{'strategic-merge' if built_in else 'merge'}-patch+json"
        where = path(kind, namespace, name)
        return _object(self.send("PATCH", where, body=json.dumps(change), media=media))

    def delete(self, kind: str, name: str, namespace: str = "", *, force: bool = False) -> None:
        """Delete an object and what it owns, unless it is gone already."""
        options = {"gracePeriodSeconds": 0} if force else {}
        body = json.dumps({"propagationPolicy": "Background", **options})
        try:
            self.send("DELETE", path(kind, namespace, name), body=body)
        except ApiError as error:
            if error.status != 404:
                raise

    def watch(
        self, kind: str, namespace: str, version: str, selector: str
    ) -> Iterator[tuple[str, Object]]:
        """Yield changes (`ADDED`, `MODIFIED`, `DELETED`) until the server ends the watch.

        Args:
            kind: of the objects.
            namespace: of the objects.
            version: resourceVersion to begin after.
            selector: a field selector.
        """
        query = {
            "watch": "true",
            "resourceVersion": version,
            "fieldSelector": selector,
            "timeoutSeconds": "20",
        }
        with self.send("GET", path(kind, namespace), query=query, stream=True) as response:
            for line in response.iter_lines(chunk_size=None):
                if line:
                    change = json.loads(line)
                    yield change["type"], change["object"]

    def version(self, kind: str, namespace: str) -> str:
        """Return the resourceVersion of a collection as it is now."""
        query = {"limit": "1"}
        found: str = self.send("GET", path(kind, namespace), query=query).json()["metadata"][
            "resourceVersion"
        ]
        return found

    def proxied(
        self, namespace: str, name: str, where: str, *, kind: str = "Service", **query: str
    ) -> str:
        """Ask a Service or a Pod in the cluster through the API server; `name` is `name:port`."""
        return self.send("GET", f"{path(kind, namespace, name)}/proxy{where}", query=query).text


def kind_of(body: Object) -> str:
    """Return the key in KINDS of an object: with its group where two groups have such a kind."""
    qualified = f"{body['kind']}.{body['apiVersion'].partition('/')[0]}"
    return qualified if qualified in KINDS else str(body["kind"])


def path(kind: str, namespace: str = "", name: str = "") -> str:
    """Return the path of an object or of a collection."""
    found = KINDS[kind]
    parts = [found.api]
    if found.namespaced and namespace:
        parts += ["namespaces", namespace]
    parts.append(found.plural)
    return "/".join([*parts, name] if name else parts)


def rolled_out(deployment: Object | None) -> bool:
    """Whether a Deployment's pods are all of its present template, and ready."""
    if deployment is None:
        return False
    wanted, status = deployment["spec"]["replicas"], deployment.get("status", {})
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
    )


def _object(response: requests.Response) -> Object:
    body: Object = response.json()
    return body


def _message(text: str) -> str:
    try:
        found = json.loads(text).get("message")
    except ValueError:
        found = None
    return str(found or text)[:2000]
