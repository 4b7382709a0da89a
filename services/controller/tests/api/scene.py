"""A namespace with applications under Canaries: what people do to it, and what came of it."""

import contextlib
import json
import pathlib
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import requests
from tools.cluster.controlplane import ControlPlane

from . import kinds
from .process import OURS, Controller, Program
from .replay.mirror import Mirror
from .replay.receivers import Receivers, Script

Object = dict[str, Any]

SECONDS = 120.0
"""How long to wait for what must come; machines are busy."""
FLAGGER = "flagger.app/v1beta1"
PLURALS = {"Canary": "canaries"}
SUCCESS_RATE: Object = {
    "name": "request-success-rate",
    "interval": "1m",
    "thresholdRange": {"min": 99},
}
ROUTERS = {
    "traefik": ("traefik.io/v1alpha1", "traefikservices", "TraefikService.traefik.io"),
    "gatewayapi:v1": ("gateway.networking.k8s.io/v1", "httproutes", "HTTPRoute"),
    "istio": (
        "networking.istio.io/v1beta1",
        "virtualservices",
        "VirtualService.networking.istio.io",
    ),
}
"""Provider to where its routing object is in the API, and in the mirror."""


@dataclass(frozen=True)
class World:
    """What all tests of a session share."""

    plane: ControlPlane
    api: Any
    mirror: Mirror
    receivers: Receivers
    logs: pathlib.Path
    tidy: bool
    """Namespaces are deleted; else they go with the control plane."""

    @classmethod
    @contextlib.contextmanager
    def around(
        cls, plane: ControlPlane, logs: pathlib.Path, *, tidy: bool = True
    ) -> Iterator["World"]:
        """Everything around controllers: CRDs, watches, Prometheus, hooks."""
        with plane.client() as admin, Receivers() as receivers:
            kinds.install(admin)
            mirror = Mirror(plane.url, plane.token, str(plane.ca_file))
            mirror.start()
            yield cls(plane, admin, mirror, receivers, logs, tidy)
            mirror.stop()

    @contextlib.contextmanager
    def scene(self, label: str) -> Iterator["Scene"]:
        """A fresh namespace; it is deleted afterwards if that is wanted, without waiting for it."""
        scene = Scene(self, f"{label}-{uuid.uuid4().hex[:6]}")
        self.api.create("/api/v1/namespaces", {"metadata": {"name": scene.namespace}})
        try:
            yield scene
        finally:
            if self.tidy:
                scene.clean()
            self.mirror.forget(scene.namespace)
            del self.receivers.scripts[scene.namespace]

    def controller(
        self,
        *flags: str,
        user: str = "flagger",
        namespace: str = "",
        kubeconfig: pathlib.Path | None = None,
        program: Program = OURS,
    ) -> Controller:
        """A controller that knows our receivers, for all namespaces or for one."""
        log = self.logs / f"{namespace or 'all'}-{user}-{uuid.uuid4().hex[:6]}.log"
        restricted = [f"-namespace={namespace}"] if namespace else []
        return Controller(
            kubeconfig or self.plane.kubeconfig_of(user),
            log,
            f"-metrics-server={self.receivers.url}/prometheus",
            f"-event-webhook={self.receivers.url}/events",
            f"-slack-url={self.receivers.url}/slack",
            *("-slack-channel=general", "-mesh-provider=traefik"),
            *program.flags,
            *restricted,
            *flags,
            program=program,
        )


class Scene:
    """One namespace. Everything is called `podinfo` unless a test says otherwise."""

    def __init__(self, world: World, namespace: str) -> None:
        self.world = world
        self.api = world.api
        self.namespace = namespace
        self.pace = 1
        """Seconds of an analysis interval."""
        self.patience = SECONDS
        """How long to wait for what must come."""
        self.script = Script(namespace, [], {})
        world.receivers.scripts[namespace] = self.script

    # What people do

    def create(self, api: str, kind: str, body: Object) -> Object:
        """Create any object."""
        plural = PLURALS.get(kind, f"{kind.lower()}s")
        document = {"apiVersion": api, "kind": kind, **body}
        created: Object = self.api.create(self._path(api, plural), document)
        return created

    def deploy(self, name: str = "podinfo", tag: str = "1", replicas: int = 1) -> None:
        """An application, with a ConfigMap that it uses."""
        data = {"colour": "blue"}
        self.create("v1", "ConfigMap", {"metadata": {"name": name}, "data": data})
        self.create("apps/v1", "Deployment", deployment(name, tag, replicas))

    def autoscale(self, name: str = "podinfo") -> Object:
        """An autoscaler for it; returns the reference to it."""
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        body = {
            "metadata": {"name": name},
            "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4},
        }
        self.create("autoscaling/v2", "HorizontalPodAutoscaler", body)
        return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": name}

    def canary(self, name: str = "podinfo", **spec: Any) -> Object:
        """Put it under a Canary; `analysis` is merged into the usual one."""
        spec["analysis"] = {"interval": f"{self.pace}s"} | spec.get("analysis", {})
        return self.create(FLAGGER, "Canary", canary(name, **spec))

    def release(self, tag: str, name: str = "podinfo") -> None:
        """Push another revision."""
        template = deployment(name, tag, 1)["spec"]["template"]
        self.patch("apps/v1", "deployments", name, {"spec": {"template": template}})

    def patch(self, api: str, plural: str, name: str, body: Object) -> Object:
        """Change any object."""
        changed: Object = self.api.patch(f"{self._path(api, plural)}/{name}", body)
        return changed

    def delete(self, api: str, plural: str, name: str) -> None:
        """Delete any object."""
        self.api.delete(f"{self._path(api, plural)}/{name}")

    def gate(self, name: str, kind: str, code: int = 200) -> Object:
        """A webhook of some type that answers with a code, which `script.gate` changes."""
        self.script.gate(name, code)
        url = f"{self.world.receivers.url}/hook/{self.namespace}/{name}"
        return {"name": name, "type": kind, "url": url}

    # What is there

    def now(self, key: str) -> Object | None:
        """An object as the watch shows it: `Deployment/podinfo`."""
        return self.world.mirror.now(self.namespace, key)

    def routing(self, provider: str, name: str = "podinfo") -> Object | None:
        """The routing object of a provider."""
        return self.now(f"{ROUTERS[provider][2]}/{name}")

    def status(self, name: str = "podinfo") -> Object:
        """The status of a Canary."""
        body = self.now(f"Canary.flagger.app/{name}") or {}
        status: Object = body.get("status") or {}
        return status

    def phase(self, name: str = "podinfo") -> str:
        """Its phase."""
        return str(self.status(name).get("phase", ""))

    def statuses(self, name: str = "podinfo") -> list[Object]:
        """Every status that it had."""
        found: list[Object] = []
        for _, body in self.world.mirror.history(self.namespace, f"Canary.flagger.app/{name}"):
            status = (body or {}).get("status")
            if status and (not found or found[-1] != status):
                found.append(status)
        return found

    def told(self, name: str = "podinfo") -> list[str]:
        """Type and text of the events that the event webhook was told, in order."""
        return [
            self._anonymous(f"{body['metadata']['eventType']} {body['metadata']['eventMessage']}")
            for body in list(self.script.events)
            if body["name"] == name
        ]

    def alerts(self) -> list[str]:
        """Texts of the alerts in the chat."""
        return [
            self._anonymous(json.loads(line)["body"]["attachments"][0]["text"])
            for line in list(self.script.alerts["global-slack"])
        ]

    def kube_events(self, name: str = "podinfo") -> dict[str, int]:
        """Type and text of the Kubernetes Events of a Canary, and how often it was said."""
        found: dict[str, int] = {}
        for event in self.api.get(self._path("v1", "events"))["items"]:
            owner = event["involvedObject"]
            if (owner["kind"], owner["name"]) == ("Canary", name):
                text = self._anonymous(f"{event['type']} {event['message']}")
                found[text] = found.get(text, 0) + event["count"]
        return found

    def objects(self) -> dict[str, Object]:
        """Everything that lives in the namespace, without what chance put into it."""
        found = self.world.mirror.at(self.namespace)
        return {
            key: json.loads(self._anonymous(json.dumps(plain(body), sort_keys=True)))
            for key, body in found.items()
            if "kube-root-ca" not in key
        }

    def _anonymous(self, text: str) -> str:
        return text.replace(self.namespace, "$ns")

    # Waiting

    def wait(self, condition: Callable[[], Any], what: str, seconds: float | None = None) -> None:
        """Wait for something that the mirror or the receivers see."""
        end = time.monotonic() + (self.patience if seconds is None else seconds)
        changed = self.world.mirror.changed(self.namespace)
        with changed:
            while not condition():
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"waited in vain for {what}\n{self.story()}")
                changed.wait(min(left, 0.25))

    def wait_phase(self, phase: str, name: str = "podinfo") -> None:
        """Wait for a phase of a Canary."""
        self.wait(lambda: self.phase(name) == phase, f"{name} to be {phase}")

    def wait_status(self, **wanted: Any) -> None:
        """Wait for fields of the status of `podinfo`."""
        self.wait(lambda: wanted.items() <= self.status().items(), str(wanted))

    def wait_seen(self, **wanted: Any) -> None:
        """Wait until the status of `podinfo` has had some fields at some time."""

        def seen() -> bool:
            return any(wanted.items() <= status.items() for status in self.statuses())

        self.wait(seen, f"{wanted} at some time")

    def wait_event(self, text: str, name: str = "podinfo") -> None:
        """Wait for a Kubernetes Event that contains a text."""
        self.wait(lambda: any(text in event for event in self.kube_events(name)), f"event {text}")

    def wait_told(self, text: str, name: str = "podinfo") -> None:
        """Wait for an event, type and text, at the event webhook: told after its status."""
        self.wait(lambda: text in self.told(name), text)

    def story(self) -> str:
        """What happened so far, for failures."""
        statuses = (json.dumps(status, sort_keys=True) for status in self.statuses())
        return "\n".join([f"{self.namespace}:", *statuses, *self.told()])

    def clean(self) -> None:
        """Delete everything; a Canary that still holds on to its namespace is let go."""
        canaries = self._path(FLAGGER, "canaries")
        for body in self.api.get(canaries)["items"]:
            if body["metadata"].get("finalizers"):
                name, free = body["metadata"]["name"], {"metadata": {"finalizers": None}}
                with contextlib.suppress(requests.HTTPError):
                    self.patch(FLAGGER, "canaries", name, free)
        self.api.delete(canaries)  # the end of a namespace may take minutes
        self.api.delete(f"/api/v1/namespaces/{self.namespace}")

    def _path(self, api: str, plural: str) -> str:
        group = "api" if api == "v1" else "apis"
        return f"/{group}/{api}/namespaces/{self.namespace}/{plural}"


def deployment(name: str, tag: str, replicas: int) -> Object:
    """An application; the tag decides what its fake pods do."""
    container = {
        "name": "podinfo",
        "image": f"rig/podinfo:{tag}",
        "ports": [{"containerPort": 9898, "name": "http"}],
        "envFrom": [{"configMapRef": {"name": name}}],
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": template,
    }
    return {"metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def canary(name: str = "podinfo", **spec: Any) -> Object:
    """A Canary that goes in two steps of 25 percent, a second each."""
    analysis: Object = {
        "interval": "1s",
        "threshold": 1,
        "stepWeight": 25,
        "maxWeight": 50,
        "metrics": [SUCCESS_RATE],
    }
    analysis |= spec.pop("analysis", {})
    gateways = {"gatewayRefs": [{"name": "public"}], "hosts": ["podinfo.test"]}
    on_gateway = str(spec.get("provider", "")).startswith("gatewayapi")
    base: Object = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "service": {"port": 80, "targetPort": "http"} | (gateways if on_gateway else {}),
        "analysis": {key: value for key, value in analysis.items() if value is not None},
    }
    return {"metadata": {"name": name}, "spec": base | spec}


def condition(status: Object, kind: str) -> Object | None:
    """A condition of a status."""
    found = status.get("conditions") or []
    return next((entry for entry in found if entry["type"] == kind), None)


def image(body: Object | None) -> str:
    """The tag that a workload runs."""
    containers = (body or {})["spec"]["template"]["spec"]["containers"]
    return str(containers[0]["image"]).rpartition(":")[2]


_CHANCE = frozenset(
    {
        *("creationTimestamp", "generation", "managedFields", "namespace"),
        *("resourceVersion", "uid", "lastTransitionTime", "lastUpdateTime"),
        *("tickedAt", "startedAt"),
        "time",  # of a check
        *("clusterIP", "clusterIPs", "nodePort", "blockOwnerDeletion"),
    }
)
_IDENTITY = re.compile(r'"flagger-id": "[^"]+"')


def plain(body: Object) -> Object:
    """An object without what servers and chance put into it, and without foreign status."""
    kept = {key: value for key, value in body.items() if key != "status"}
    if body.get("kind") == "Canary":
        kept["status"] = body.get("status")
    text = json.dumps(_without(kept))
    plain: Object = json.loads(_IDENTITY.sub('"flagger-id": "<id>"', text))
    return plain


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(entry) for key, entry in value.items() if key not in _CHANCE}
    if isinstance(value, list):
        return [_without(entry) for entry in value]
    return value
