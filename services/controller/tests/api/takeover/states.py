"""The states in which one controller leaves a Canary to another, and how people reach them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from ..acts import AUTOSCALER, ITERATIONS, MATCH, Act, acts, answers, autoscaled, opened
from ..scene import Object, Scene, deployment

SETTLED: Final = ("Initialized", "Succeeded", "Failed")

Push = Callable[[Scene, str], None]
"""Publishes a revision, which is named by its tag."""


def pushed(scene: Scene, tag: str) -> None:
    """Another image in the Deployment."""
    scene.release(tag)


def daemon_pushed(scene: Scene, tag: str) -> None:
    """Another image in the DaemonSet."""
    template = deployment("podinfo", tag, 1)["spec"]["template"]
    scene.patch("apps/v1", "daemonsets", "podinfo", {"spec": {"template": template}})


def service_pushed(scene: Scene, tag: str) -> None:
    """Another destination of the Service."""
    scene.patch("v1", "services", "podinfo", {"spec": {"externalName": f"v{tag}.example.org"}})


def recoloured(scene: Scene, tag: str) -> None:
    """Other data in the ConfigMap; the Deployment stays as it is."""
    scene.patch("v1", "configmaps", "podinfo", {"data": {"colour": tag}})


def resealed(scene: Scene, tag: str) -> None:
    """Other data in the Secret; the Deployment stays as it is."""
    scene.patch("v1", "secrets", "podinfo", {"stringData": {"key": tag}})


@dataclass(frozen=True)
class State:
    """A Canary at the moment of the hand-over."""

    name: str
    begin: Act
    """The application and its Canary."""
    reach: Act
    """What people do until it is in this state."""
    phase: str
    resume: Act = lambda scene: None
    """What people do afterwards, so that the run can end."""
    push: Push = pushed
    """How a revision is published."""

    def __str__(self) -> str:
        return self.name

    @property
    def settled(self) -> bool:
        """No run is under way."""
        return self.phase in SETTLED


# The parts of states


def application(*before: Act, hooks: Iterable[tuple[str, str]] = (), **spec: Any) -> Act:
    """An application under a Canary; hooks are names and types, and say no until told otherwise."""

    def begin(scene: Scene) -> None:
        scene.deploy(replicas=2)
        for act in before:
            act(scene)
        webhooks = [scene.gate(name, kind, 403) for name, kind in hooks]
        analysis = {"webhooks": webhooks} | spec.get("analysis", {})
        scene.canary(**({"provider": "istio"} | spec | {"analysis": analysis}))

    return begin


def daemons(scene: Scene) -> None:
    """A DaemonSet under a Canary."""
    scene.create("v1", "ConfigMap", {"metadata": {"name": "podinfo"}, "data": {"colour": "blue"}})
    body = deployment("podinfo", "1", 1)
    del body["spec"]["replicas"]
    scene.create("apps/v1", "DaemonSet", body)
    target = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "podinfo"}
    scene.canary(provider="kubernetes", targetRef=target, analysis=ITERATIONS)


def service(scene: Scene) -> None:
    """A Service under a Canary; upstream cannot copy one that has an address."""
    ports = [{"name": "http", "port": 80, "targetPort": 9898}]
    spec = {"type": "ExternalName", "externalName": "v1.example.org", "ports": ports}
    scene.create("v1", "Service", {"metadata": {"name": "podinfo"}, "spec": spec})
    target = {"apiVersion": "v1", "kind": "Service", "name": "podinfo"}
    scene.canary(provider="istio", targetRef=target)


def sealed(scene: Scene) -> None:
    """A Secret that the pods mount, and a template with much in it."""
    scene.create("v1", "Secret", {"metadata": {"name": "podinfo"}, "stringData": {"key": "test"}})
    sealed_pushed(scene, "1")


def sealed_pushed(scene: Scene, tag: str) -> None:
    """Another image in such a template; quantities are written as people write them."""
    template = deployment("podinfo", tag, 1)["spec"]["template"]
    (container,) = template["spec"]["containers"]
    container |= {
        "env": [{"name": "EMPTY", "value": ""}],
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"cpu": 1, "memory": "1e9"},
        },
        "securityContext": {"runAsUser": 10001, "capabilities": {"drop": ["ALL"]}},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
        "livenessProbe": {"tcpSocket": {"port": 9898}},
        "volumeMounts": [{"name": "sealed", "mountPath": "/sealed"}],
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": "podinfo"}},
    }
    template["metadata"]["annotations"] = {"note": "mine"}
    template["spec"] |= {
        "volumes": [
            {"name": "sealed", "secret": {"secretName": "podinfo"}},
            {"name": "tmp", "emptyDir": {}},
        ],
        "topologySpreadConstraints": [spread],
        "tolerations": [{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}],
    }
    scene.patch("apps/v1", "deployments", "podinfo", {"spec": {"template": template}})


def push(tag: str, how: Push = pushed) -> Act:
    return lambda scene: how(scene, tag)


def phase(name: str) -> Act:
    return lambda scene: scene.wait_phase(name)


def at(**status: Any) -> Act:
    return lambda scene: scene.wait_status(**status)


AFFINITY: Final[Object] = {
    "sessionAffinity": {"cookieName": "flagger", "primaryCookieName": "flagger-primary"}
}
RELEASE: Final = acts(push("2"))
SUCCEEDED: Final = acts(push("2"), phase("Succeeded"))
WEIGHTED: Final = acts(push("2"), at(canaryWeight=25))
ITERATED: Final = acts(push("2"), at(iterations=1))
APPLICATION: Final = application()
GATEWAY: Final = application(provider="gatewayapi:v1")
BLUE_GREEN: Final = application(provider="kubernetes", analysis=ITERATIONS)


def _idle() -> Iterable[State]:
    yield State("initialized", GATEWAY, phase("Initialized"), "Initialized")
    yield State("succeeded", APPLICATION, SUCCEEDED, "Succeeded")
    hpa = application(autoscaled, autoscalerRef=AUTOSCALER)
    yield State("succeeded-hpa", hpa, SUCCEEDED, "Succeeded")
    configs = application(sealed)
    yield State("succeeded-configmap", configs, SUCCEEDED, "Succeeded", push=recoloured)
    yield State("initialized-secret", configs, phase("Initialized"), "Initialized", push=resealed)
    yield State(
        "failed",
        APPLICATION,
        acts(answers(50), push("2"), phase("Failed")),
        "Failed",
        resume=answers(100),
    )
    reached = acts(push("2", daemon_pushed), phase("Succeeded"))
    yield State("daemonset", daemons, reached, "Succeeded", push=daemon_pushed)
    reached = acts(push("2", service_pushed), phase("Succeeded"))
    yield State("service", service, reached, "Succeeded", push=service_pushed)


def _running() -> Iterable[State]:
    yield State("weight", APPLICATION, WEIGHTED, "Progressing")
    yield State("weight-gateway", GATEWAY, WEIGHTED, "Progressing")
    hpa = application(autoscaled, autoscalerRef=AUTOSCALER)
    yield State("weight-hpa", hpa, WEIGHTED, "Progressing")
    sticky = application(provider="gatewayapi:v1", analysis=AFFINITY)
    yield State("affinity", sticky, WEIGHTED, "Progressing")
    recolour = acts(push("red", recoloured), at(canaryWeight=25))
    yield State(
        "weight-configmap", application(sealed), recolour, "Progressing", push=sealed_pushed
    )
    gated = application(hooks=[("start", "confirm-rollout")])
    reached = acts(push("2"), phase("Waiting"))
    yield State("waiting", gated, reached, "Waiting", resume=opened("start"))
    gated = application(hooks=[("approve", "confirm-promotion")])
    reached = acts(push("2"), phase("WaitingPromotion"))
    yield State("waiting-promotion", gated, reached, "WaitingPromotion", resume=opened("approve"))
    yield State("promoting", APPLICATION, acts(push("2"), phase("Promoting")), "Promoting")
    reached = acts(push("2", sealed_pushed), phase("Promoting"))
    yield State("promoting-configs", application(sealed), reached, "Promoting", push=sealed_pushed)
    yield State("finalising", APPLICATION, acts(push("2"), phase("Finalising")), "Finalising")
    yield State("ab", application(analysis=ITERATIONS | MATCH), ITERATED, "Progressing")
    yield State("blue-green", BLUE_GREEN, ITERATED, "Progressing")
    reached = acts(push("2", daemon_pushed), at(iterations=1))
    yield State("daemonset-run", daemons, reached, "Progressing", push=daemon_pushed)
    reached = acts(push("2", service_pushed), at(canaryWeight=25))
    yield State("service-run", service, reached, "Progressing", push=service_pushed)


STATES: Final = {state.name: state for state in (*_idle(), *_running())}
