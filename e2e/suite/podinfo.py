"""One application under progressive delivery: podinfo in a namespace of its own.

The manifests are those of examples/podinfo, with what a test needs changed: so the examples are
tested, too.
"""

import copy
import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from e2e.suite import history, kube, load, names, wait

NAME: Final = "podinfo"
PRIMARY: Final = "podinfo-primary"
FIRST: Final = "1.0.0"
SUFFIX: Final = "example.com"
PORT: Final = 9898
COUNTER: Final = re.compile(r'http_requests_total\{.*path="/"')
WORKLOAD: Final = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}

RELEASE_SECONDS: Final = 300.0
"""More than any release takes, also on a busy machine."""
FAST: Final = {"PODINFO_DRAIN": "8"}
"""Seconds in which a terminated pod still answers: Traefik has forgotten it by then."""
GRACE_SECONDS: Final = 12
"""Until a terminated pod is killed; a namespace that is deleted waits at least half of it."""
HEALTHY: Final = {"PODINFO_FAIL": "", "PODINFO_READY": "", "PODINFO_DELAY": ""}
"""No fault is switched on."""


def manifest(*parts: str) -> kube.Object:
    """Return an object of the examples."""
    body: kube.Object = yaml.safe_load(names.PODINFO.joinpath(*parts).read_text())
    return body


def metric(name: str, window: str, **bounds: float) -> kube.Object:
    """Return a built-in check."""
    return {"name": name, "interval": window, "thresholdRange": bounds}


SUCCESS: Final = metric("request-success-rate", "20s", min=99)


def hook(kind: str, url: str, *, name: str = "", timeout: str = "10s", **data: str) -> kube.Object:
    """Return a webhook of a Canary."""
    found: kube.Object = {"name": name or kind, "type": kind, "url": url, "timeout": timeout}
    return {**found, "metadata": data} if data else found


def gate(kind: str, name: str = "gate") -> kube.Object:
    """Return a hook that asks the gatekeeper."""
    return hook(kind, f"http://{names.GATEKEEPER}.{names.COMPANIONS}/gate/check", name=name)


def analysis(
    *,
    interval: str = "3s",
    threshold: int = 5,
    metrics: Sequence[kube.Object] = (SUCCESS,),
    webhooks: Sequence[kube.Object] = (),
    **more: Any,
) -> kube.Object:
    """Return the analysis of a Canary; `more` has the strategy."""
    return {
        "interval": interval,
        "threshold": threshold,
        "metrics": list(metrics),
        "webhooks": list(webhooks),
        **more,
    }


@dataclasses.dataclass(frozen=True)
class App:
    """The application in one namespace, and its Canary."""

    api: kube.Kube
    namespace: str
    entry: tuple[str, int]
    """Host and port of Traefik."""
    site: str = ""
    """Name that clients ask for; empty: one of the namespace's own."""

    @property
    def host(self) -> str:
        """Name that clients ask for."""
        return self.site or f"{self.namespace}.{SUFFIX}"

    @property
    def key(self) -> str:
        """Name of the Canary in messages."""
        return f"{NAME}.{self.namespace}"

    @property
    def address(self) -> load.Address:
        """Where clients find the application."""
        return load.Address(*self.entry, self.host)

    def deploy(self, *, replicas: int = 2, **environment: str) -> None:
        """Create the Deployment, in the first version."""
        body = copy.deepcopy(manifest("deployment.yaml"))
        body["metadata"]["namespace"] = self.namespace
        body["spec"]["replicas"] = replicas
        body["spec"]["minReadySeconds"] = 0
        spec = body["spec"]["template"]["spec"]
        spec["containers"][0]["readinessProbe"]["periodSeconds"] = 1
        spec["terminationGracePeriodSeconds"] = GRACE_SECONDS
        wanted = {"PODINFO_VERSION": FIRST, **FAST, **environment}
        spec["containers"][0]["env"] = _environment(
            {**{item["name"]: item["value"] for item in spec["containers"][0]["env"]}, **wanted}
        )
        self.api.apply(body)

    def route(self) -> None:
        """Create the IngressRoute that leads to the Canary's TraefikService."""
        body = manifest("traefik", "ingressroute.yaml")
        body["metadata"]["namespace"] = self.namespace
        body["spec"]["routes"][0]["match"] = f"Host(`{self.host}`)"
        self.api.apply(body)

    def canary(
        self,
        wanted: kube.Object,
        *,
        name: str = NAME,
        provider: str = "traefik",
        service: Mapping[str, Any] | None = None,
        **spec: Any,
    ) -> None:
        """Create the Canary.

        Args:
            wanted: its analysis.
            name: of the Canary.
            provider: the router.
            service: more fields of spec.service.
            **spec: more fields of the spec.
        """
        self.api.apply(
            {
                "apiVersion": "flagger.app/v1beta1",
                "kind": "Canary",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {
                    "provider": provider,
                    "targetRef": WORKLOAD,
                    "progressDeadlineSeconds": 60,
                    "service": {"port": 80, "targetPort": PORT, **(service or {})},
                    "analysis": wanted,
                    **spec,
                },
            }
        )

    def release(self, version: str, **environment: str) -> None:
        """Change the Deployment to another version, as `kubectl set env` does.

        Args:
            version: the new one.
            **environment: faults that it has, else it has none.
        """
        wanted = {**HEALTHY, "PODINFO_VERSION": version, **environment}
        container = {"name": NAME, "env": _environment(wanted)}
        change = {"spec": {"template": {"spec": {"containers": [container]}}}}
        self.api.patch("Deployment", NAME, self.namespace, change)

    def version(self, deployment: str = PRIMARY) -> str:
        """Return the version that a Deployment runs."""
        body = self.api.get("Deployment", deployment, self.namespace)
        return environment(body).get("PODINFO_VERSION", "")

    def replicas(self, deployment: str = NAME) -> int:
        """Return how many pods a Deployment should have."""
        found: int = self.api.get("Deployment", deployment, self.namespace)["spec"]["replicas"]
        return found

    def ready(self, deployment: str = PRIMARY) -> bool:
        """Whether all pods of a Deployment are of its template, and ready."""
        return kube.rolled_out(self.api.find("Deployment", deployment, self.namespace))

    def answered(self, deployment: str = NAME) -> int:
        """Return how many requests for `/` the pods of a Deployment have answered, as they say.

        Those that are about to end are not asked.
        """
        pods = self.api.select("Pod", self.namespace, labelSelector=f"app={deployment}")
        texts = [
            self.api.proxied(
                self.namespace, f"{pod['metadata']['name']}:{PORT}", "/metrics", kind="Pod"
            )
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
        ]
        lines = [line for text in texts for line in text.splitlines()]
        return sum(int(line.split()[-1]) for line in lines if COUNTER.match(line))

    def weights(self) -> dict[str, int]:
        """Return the weights in the TraefikService, by Service."""
        body = self.api.get("TraefikService", NAME, self.namespace)
        return {
            entry["name"]: entry.get("weight", 1) for entry in body["spec"]["weighted"]["services"]
        }

    def serves(self, version: str, *, seconds: float = 60.0) -> None:
        """Wait until clients get this version."""

        def answered() -> bool:
            answer = load.once(self.address)
            return answer is not None and answer.status == 200 and answer.version == version

        wait.until(f"{self.host} answers with {version}", answered, seconds=seconds)

    def bootstrap(self, past: history.History, *, seconds: float = 120.0) -> None:
        """Wait until the Canary is initialized and clients are served."""
        past.phase("Initialized", seconds=seconds)
        past.told("Initialization done!")
        self.serves(FIRST)


def promoted(past: history.History, since: float) -> None:
    """Wait until a release is promoted and has said so."""
    past.phase("Succeeded", since=since, seconds=RELEASE_SECONDS, never=("Failed",))
    past.told("Promotion completed!", since=since)


def rolled_back(past: history.History, since: float) -> None:
    """Wait until a release is rolled back and has said so."""
    never = ("Promoting", "Succeeded")
    past.phase("Failed", since=since, seconds=RELEASE_SECONDS, never=never)
    past.told("Canary failed!", since=since)


def environment(deployment: kube.Object) -> dict[str, str]:
    """Return the environment of a Deployment's container."""
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {item["name"]: item.get("value", "") for item in container.get("env", [])}


def _environment(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def payload(namespace: str) -> str:
    """Return what gates are opened and closed with."""
    return json.dumps({"name": NAME, "namespace": namespace})
