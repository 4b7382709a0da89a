"""Knative Serving as data plane: its own controllers, and a Traefik that reads its ingresses."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest

from e2e.suite import access, history, images, kube, load, names, podinfo, wait
from e2e.suite.namespaces import Maker, gone
from e2e.tests import plays

NAME = "knative"
KIND = "Service.serving.knative.dev"
SERVICE = {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}
FLAGGER = "flagger.app/v1beta1"
HOOKS = (
    ("MutatingWebhookConfiguration", "webhook.serving.knative.dev"),
    ("ValidatingWebhookConfiguration", "validation.webhook.serving.knative.dev"),
)
PODS: Final = 'kubernetes_namespace="{{ namespace }}", kubernetes_pod_name=~"{{ route }}-.*"'
QUERY: Final = f"""
100 * sum(rate(http_requests_total{{{PODS}, status!~"5.*"}}[{{{{ interval }}}}]))
/ sum(rate(http_requests_total{{{PODS}}}[{{{{ interval }}}}]))
"""
"""`route` is the revision under analysis, which the names of its pods begin with."""


@dataclasses.dataclass(frozen=True)
class Serverless(podinfo.App):
    """The application as a Knative Service."""

    image: str = ""

    def deploy(self, *, replicas: int = 1, **environment: str) -> None:
        """Create the Knative Service, in the first version, and the query of its metric."""
        address = f"http://{names.PROMETHEUS}.{names.SYSTEM}:{names.PROMETHEUS_PORT}"
        spec = {"provider": {"type": "prometheus", "address": address}, "query": QUERY}
        self._apply("MetricTemplate", plays.RATE, spec)
        self.release(podinfo.FIRST, **environment)

    def canary(
        self,
        wanted: kube.Object,
        *,
        name: str = podinfo.NAME,
        provider: str = NAME,
        service: Mapping[str, Any] | None = None,
        **spec: Any,
    ) -> None:
        """Create the Canary, which has no service."""
        target = {**SERVICE, "name": podinfo.NAME}
        self._apply(
            "Canary", name, {"provider": provider, "targetRef": target, "analysis": wanted, **spec}
        )

    def release(self, version: str, **environment: str) -> None:
        """Change the Knative Service to another version, and to these faults."""
        wanted = {**podinfo.FAST, "PODINFO_VERSION": version, **environment}
        container = {
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "env": [{"name": name, "value": value} for name, value in wanted.items()],
            "ports": [{"containerPort": podinfo.PORT}],
            "readinessProbe": {"httpGet": {"path": "/readyz"}},
        }
        scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": str(podinfo.PORT)}
        # Also how long pods may take to end; Kubernetes looks at a namespace that it deletes only
        # when half of that has passed.
        spec = {"timeoutSeconds": 10, "containers": [container]}
        template = {"metadata": {"annotations": scraped}, "spec": spec}
        metadata = {"name": podinfo.NAME, "namespace": self.namespace}
        self.api.apply({**SERVICE, "metadata": metadata, "spec": {"template": template}})

    def version(self, deployment: str = "") -> str:
        """Return the version that gets all traffic."""
        body = self.api.get("Deployment", f"{self.only()}-deployment", self.namespace)
        return podinfo.environment(body)["PODINFO_VERSION"]

    def only(self) -> str:
        """Wait until one revision has all traffic, as Knative says, and return its name."""

        def alone() -> str:
            shares = self.shares()
            return next(iter(shares)) if len(shares) == 1 else ""

        return wait.until("one revision has all traffic", alone, state=lambda: str(self.shares()))

    def shares(self) -> dict[str, int]:
        """Return the percentage of each revision that gets traffic; nothing while it changes."""
        status = self.api.get(KIND, podinfo.NAME, self.namespace)["status"]
        return {
            entry["revisionName"]: entry["percent"]
            for entry in status.get("traffic", ())
            if entry.get("percent")
        }

    def _apply(self, kind: str, name: str, spec: kube.Object) -> None:
        metadata = {"name": name, "namespace": self.namespace}
        self.api.apply({"apiVersion": FLAGGER, "kind": kind, "metadata": metadata, "spec": spec})


@pytest.fixture(scope="module")
def entry(
    api: kube.Kube, data_plane: Callable[[str], tuple[str, int]], namespaces: list[str]
) -> Iterator[tuple[str, int]]:
    found = data_plane(NAME)
    wait.until("Knative checks its objects", lambda: all(asked(api, *hook) for hook in HOOKS))
    wait.until("Knative's webhook answers", lambda: answers(api))
    yield found
    # Only Knative lets go of its routes.
    gone(api, namespaces)


def asked(api: kube.Kube, kind: str, name: str) -> bool:
    """Whether Knative has told the API server what to ask it about."""
    return any(hook.get("rules") for hook in api.get(kind, name)["webhooks"])


def answers(api: kube.Kube) -> bool:
    """Whether the API server reaches it: its Service has an address before a pod is behind it."""
    container = {"image": "none", "imagePullPolicy": "Never"}
    spec = {"template": {"spec": {"containers": [container]}}}
    body = {**SERVICE, "metadata": {"name": "probe", "namespace": "default"}, "spec": spec}
    try:
        api.apply(body, dry_run=True)
    except kube.ApiError as error:
        if "failed calling webhook" in str(error):
            return False
        raise
    return True


@pytest.fixture
def served(make: Maker, built: images.Images) -> tuple[Serverless, history.History]:
    app, past = make()
    site = f"{podinfo.NAME}.{app.namespace}.{podinfo.SUFFIX}"
    return Serverless(app.api, app.namespace, app.entry, site, built.of("podinfo")), past


def test_weights(served: tuple[Serverless, history.History], reach: access.Access) -> None:
    plays.by_weight(*served, reach, plays.METRICS)


def test_rolled_back(served: tuple[Serverless, history.History]) -> None:
    app, past = served
    app.deploy()
    app.canary(podinfo.analysis(stepWeights=[20, 50], threshold=2, metrics=plays.METRICS))
    app.bootstrap(past)
    stable = app.only()
    with load.Load(app.address) as clients:
        mark = past.mark()
        app.release(plays.SECOND, PODINFO_FAIL="500", PODINFO_FAIL_RATE="0.5")
        podinfo.rolled_back(past, mark)
        since = clients.only(podinfo.FIRST)
        wait.until("a hundred answers after it", lambda: len(clients.answers(since)) >= 100)
    assert {(a.status, a.version) for a in clients.failures()} == {(500, plays.SECOND)}
    assert clients.failures(since) == []
    assert app.only() == stable
