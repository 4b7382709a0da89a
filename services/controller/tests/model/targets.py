"""What is released in the model: one target of each kind, whose revision is a tag."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref, Resource

NAMESPACE = "default"
NAME = "podinfo"
_LABELS = {"app": NAME}


def deployment(tag: str = "1", replicas: int = 1) -> Object:
    """The target as a Deployment."""
    return _workload("Deployment", tag, {"replicas": replicas})


def daemon_set(tag: str = "1") -> Object:
    """The target as a DaemonSet."""
    return _workload("DaemonSet", tag, {})


def _workload(kind: str, tag: str, spec: Object) -> Object:
    container = {"name": NAME, "image": f"{NAME}:{tag}", "ports": [{"containerPort": 9898}]}
    template = {"metadata": {"labels": _LABELS}, "spec": {"containers": [container]}}
    body = _named("apps/v1", kind)
    selector = {"matchLabels": _LABELS}
    return {**body, "spec": {**spec, "selector": selector, "template": template}}


def stateful_set(tag: str = "1") -> Object:
    """The target as a StatefulSet, whose pods have no names of their own."""
    return _workload("StatefulSet", tag, {"replicas": 1})


def service(tag: str = "1") -> Object:
    """The target as a Service, of something outside of the cluster."""
    ports = [{"name": "http", "port": 80, "targetPort": 9898, "protocol": "TCP"}]
    body = _named("v1", "Service")
    return {**body, "spec": {"selector": {**_LABELS, "tag": tag}, "ports": ports}}


def knative_service(tag: str = "1") -> Object:
    """The target as a Knative Service."""
    spec = {"containers": [{"image": f"{NAME}:{tag}"}]}
    return {**_named("serving.knative.dev/v1", "Service"), "spec": {"template": {"spec": spec}}}


def _named(version: str, kind: str) -> Object:
    metadata = {"name": NAME, "namespace": NAMESPACE, "labels": _LABELS}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


@dataclass(frozen=True)
class Kind:
    """A kind of target."""

    resource: Resource
    made: Callable[[str], Object]
    """The target with a tag."""
    twin: bool = True
    """The primary is an object of its own; False: target and primary are parts of one."""


KINDS: Mapping[str, Kind] = {
    "Deployment": Kind(resources.DEPLOYMENTS, deployment),
    "DaemonSet": Kind(resources.DAEMON_SETS, daemon_set),
    "StatefulSet": Kind(resources.STATEFUL_SETS, stateful_set),
    "Service": Kind(resources.SERVICES, service),
    "Knative Service": Kind(resources.KNATIVE_SERVICES, knative_service, twin=False),
}


def scalers() -> Mapping[Ref, Object]:
    """An autoscaler of each kind for the target."""
    spec = {"scaleTargetRef": {"name": NAME}}
    hpa = {**_named("autoscaling/v2", "HorizontalPodAutoscaler")}
    keda = {**_named("keda.sh/v1alpha1", "ScaledObject")}
    query = {"type": "prometheus", "metadata": {"query": f"sum({NAME})"}}
    return {
        Ref(resources.AUTOSCALERS, NAME, NAMESPACE): {**hpa, "spec": {**spec, "maxReplicas": 3}},
        Ref(resources.SCALED_OBJECTS, NAME, NAMESPACE): {
            **keda,
            "spec": {**spec, "maxReplicaCount": 3, "triggers": [query]},
        },
    }


def reference(kind: str) -> Object:
    """`spec.targetRef` for a kind of target."""
    resource = KINDS[kind].resource
    return {"apiVersion": resource.api_version, "kind": resource.kind, "name": NAME}


def aim(kind: str) -> Object:
    """What a spec says for a kind of target: which one, and the provider if only one can do it."""
    provider = {} if KINDS[kind].twin else {"provider": "knative"}
    return {"targetRef": reference(kind), **provider}


def tag_of(body: Object) -> str:
    """The tag of a target or primary, or of a revision of one."""
    spec = body["spec"]
    if "ports" in spec:
        return str(spec["selector"]["tag"])
    pod = spec["template"]["spec"] if "template" in spec else spec
    image: str = pod["containers"][0]["image"]
    return image.partition(":")[2]


def tagged(body: Object, tag: str) -> Object:
    """The target with another tag."""
    changed = copy.deepcopy(body)
    if "template" not in changed["spec"]:
        changed["spec"]["selector"]["tag"] = tag
    else:
        changed["spec"]["template"]["spec"]["containers"][0]["image"] = f"{NAME}:{tag}"
    return changed
