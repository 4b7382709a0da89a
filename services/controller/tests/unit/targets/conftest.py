"""Objects as the API server returns them, shared by the tests of targets."""

import copy
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary

from .workloads import Build


def merge(base: Any, changes: Any) -> Any:
    """A JSON merge patch that keeps what the changes do not mention."""
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return copy.deepcopy(changes)
    merged = dict(base)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(base.get(key), value)
    return merged


@pytest.fixture
def canary() -> Build:
    """Build a Canary; keyword arguments are merged into its spec, `status` is its status."""

    def build(status: Object | None = None, uid: str = "uid-1", **spec: Any) -> Canary:
        base = {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "service": {"port": 80, "targetPort": "http"},
            "analysis": {"interval": "10s", "threshold": 2, "stepWeight": 25, "maxWeight": 50},
        }
        return Canary.from_api(
            {
                "metadata": {"name": "podinfo", "namespace": "test", "uid": uid},
                "spec": merge(base, spec),
                "status": status or {},
            }
        )

    return build


@pytest.fixture
def template() -> Object:
    """A pod template with server defaults."""
    return {
        "metadata": {"creationTimestamp": None, "labels": {"app": "podinfo"}},
        "spec": {
            "containers": [
                {
                    "image": "rig/podinfo:1",
                    "imagePullPolicy": "IfNotPresent",
                    "name": "podinfo",
                    "ports": [{"containerPort": 9898, "name": "http", "protocol": "TCP"}],
                    "resources": {},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                }
            ],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
        },
    }


@pytest.fixture
def deployment(template: Object) -> Build:
    """Build a target Deployment; `metadata`, `spec`, `pod` and `status` are merged in."""

    def build(
        metadata: Object | None = None,
        spec: Object | None = None,
        pod: Object | None = None,
        annotations: Object | None = None,
        status: Object | None = None,
    ) -> Object:
        base = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "podinfo",
                "namespace": "test",
                "uid": "uid-t",
                "resourceVersion": "7",
                "generation": 1,
                "labels": {"app": "podinfo"},
                "annotations": {"deployment.kubernetes.io/revision": "1"},
            },
            "spec": {
                "progressDeadlineSeconds": 600,
                "replicas": 1,
                "revisionHistoryLimit": 10,
                "selector": {"matchLabels": {"app": "podinfo"}},
                "strategy": {
                    "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
                    "type": "RollingUpdate",
                },
                "template": merge(
                    template, {"metadata": {"annotations": annotations or {}}, "spec": pod or {}}
                ),
            },
        }
        changes = {"metadata": metadata or {}, "spec": spec or {}, "status": status or {}}
        built: Object = merge(base, changes)
        return built

    return build


@pytest.fixture
def stored() -> Build:
    """What the API server makes of an object that was created."""

    def build(body: Object) -> Object:
        live = copy.deepcopy(body)
        live["metadata"] |= {"uid": "uid-p", "resourceVersion": "9", "generation": 1}
        live["status"] = {"observedGeneration": 1}
        return live

    return build
