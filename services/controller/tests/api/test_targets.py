"""Generated workloads on a real API server: accepted, and not written twice.

The server fills in defaults; what we generate from a target that has them must be equal to what
is stored, or every tick would write.
"""

from collections.abc import Callable
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiConflict, KubeClient, Ref, Resource
from flagger_controller.targets import scaler_for, target_for, tracking
from flagger_controller.targets.base import ConfigRef, TargetSettings

pytestmark = pytest.mark.api

SETTINGS = TargetSettings(include_label_prefix=("team",))
CONFIG = ConfigRef("ConfigMap", "settings")
RESOURCES: dict[str, Resource] = {
    "Deployment": resources.DEPLOYMENTS,
    "DaemonSet": resources.DAEMON_SETS,
    "StatefulSet": resources.STATEFUL_SETS,
    "Service": resources.SERVICES,
}
POD: Object = {
    "metadata": {"labels": {"app": "podinfo"}},
    "spec": {
        "containers": [
            {
                "name": "podinfo",
                "image": "rig/podinfo:1",
                "envFrom": [{"configMapRef": {"name": "settings"}}],
                "ports": [{"containerPort": 9898, "name": "http"}],
                "resources": {"requests": {"cpu": "100m"}},
                "readinessProbe": {"httpGet": {"port": "http"}},
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app": "podinfo"}},
            }
        ],
    },
}
WORKLOAD: Object = {"selector": {"matchLabels": {"app": "podinfo"}}, "template": POD}
CLAIM: Object = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
SPECS: dict[str, Object] = {
    "Deployment": WORKLOAD | {"replicas": 2},
    "DaemonSet": WORKLOAD,
    "StatefulSet": WORKLOAD
    | {"replicas": 2, "serviceName": "pods", "volumeClaimTemplates": [CLAIM]},
    "Service": {"selector": {"app": "podinfo"}, "ports": [{"port": 80}], "type": "LoadBalancer"},
}


def canary(namespace: str, kind: str, **spec: Any) -> Canary:
    base = {
        "targetRef": {"apiVersion": "v1", "kind": kind, "name": "podinfo"},
        "service": {"port": 80},
        "analysis": {"stepWeight": 10},
    }
    meta = {
        "name": "podinfo",
        "namespace": namespace,
        "uid": "00000000-0000-0000-0000-000000000001",
    }
    return Canary.from_api({"metadata": meta, "spec": base | spec})


def orphan(body: Object) -> Object:
    """The object without its owner: the Canary does not exist, it would be garbage."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "ownerReferences"}
    return body | {"metadata": metadata}


async def replaced(client: KubeClient, ref: Ref, change: Callable[[Object], Object]) -> Object:
    """Replace an object whose status the workload's controller writes at the same time."""
    while True:
        try:
            return await client.update(ref, change(await client.get(ref)))
        except ApiConflict:
            continue


@pytest.mark.parametrize("kind", RESOURCES)
async def test_a_primary_is_written_once(client: KubeClient, namespace: str, kind: str) -> None:
    built = canary(namespace, kind)
    target = target_for(built, SETTINGS)
    ref = Ref(RESOURCES[kind], "podinfo", namespace)
    meta = {"name": "podinfo", "labels": {"team": "web"}, "annotations": {"note": "n"}}
    source = await client.create(ref, {"metadata": meta, "spec": SPECS[kind]})
    configs = {name: {"data": {"a": "b"}} for name in target.configs(source)}
    primary_ref = Ref(RESOURCES[kind], "podinfo-primary", namespace)
    body = target.primary(built, source, configs, None)
    live = await client.create(primary_ref, orphan(body))
    target.check(built, source, live)
    assert target.promoted(built, source, configs, live)
    assert target.primary(built, source, configs, live) == live
    patch: Object = {"spec": {"selector": {"app": "podinfo", "v": "2"}}}
    if kind != "Service":
        patch = {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}
    newer = await client.patch(ref, patch)
    assert not target.promoted(built, newer, configs, live)
    written = await replaced(
        client, primary_ref, lambda live: target.primary(built, newer, configs, live)
    )
    assert target.promoted(built, newer, configs, written)
    assert target.primary(built, newer, configs, written) == written


async def test_the_copy_of_a_service_is_written_once(client: KubeClient, namespace: str) -> None:
    built = canary(namespace, "Service")
    target = target_for(built, SETTINGS)
    ref = Ref(resources.SERVICES, "podinfo", namespace)
    source = await client.create(ref, {"metadata": {"name": "podinfo"}, "spec": SPECS["Service"]})
    ((copy_ref, body),) = target.copies(built, source, {}).items()
    live = await client.create(copy_ref, orphan(body))
    assert target.copies(built, source, {copy_ref: live}) == {copy_ref: live}


@pytest.mark.parametrize("ports", [[], [{"name": "http", "port": 80}]], ids=["no-ports", "ports"])
async def test_the_copy_of_a_governing_service_is_written_once(
    client: KubeClient, namespace: str, ports: list[Object]
) -> None:
    built = canary(namespace, "StatefulSet")
    target = target_for(built, SETTINGS)
    source = {"metadata": {"name": "podinfo"}, "spec": SPECS["StatefulSet"]}
    governing = Ref(resources.SERVICES, "pods", namespace)
    spec = {"clusterIP": "None", "selector": {"app": "podinfo"}, "ports": ports}
    there = {
        governing: await client.create(governing, {"metadata": {"name": "pods"}, "spec": spec})
    }
    ((copy_ref, body),) = target.copies(built, source, there).items()
    there |= {copy_ref: await client.create(copy_ref, body)}
    assert target.copies(built, source, there) == {copy_ref: there[copy_ref]}


async def test_the_copy_of_a_budget_is_written_once(client: KubeClient, namespace: str) -> None:
    built = canary(namespace, "Deployment")
    target = target_for(built, SETTINGS)
    source = {"metadata": {"name": "podinfo"}, "spec": SPECS["Deployment"]}
    ref = Ref(resources.DISRUPTION_BUDGETS, "podinfo", namespace)
    spec = {"maxUnavailable": "10%", "selector": {"matchLabels": {"app": "podinfo"}}}
    there = {ref: await client.create(ref, {"metadata": {"name": "podinfo"}, "spec": spec})}
    ((copy_ref, body),) = target.copies(built, source, there).items()
    there |= {copy_ref: await client.create(copy_ref, body)}
    assert target.copies(built, source, there) == {copy_ref: there[copy_ref]}


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "StatefulSet"])
async def test_scaling(client: KubeClient, namespace: str, kind: str) -> None:
    built = canary(namespace, kind)
    target = target_for(built, SETTINGS)
    ref = Ref(RESOURCES[kind], "podinfo", namespace)
    source = await client.create(ref, {"metadata": {"name": "podinfo"}, "spec": SPECS[kind]})
    for up in (False, True):
        patch = target.scaled(built, source, up=up, replicas=2)
        assert patch is not None
        scaled = await client.patch(ref, patch)
        assert target.scaled(built, scaled, up=up, replicas=2) is None
        assert target.revision(scaled) == target.revision(source)
        source = scaled


@pytest.mark.parametrize(
    "fields",
    [{"data": {"a": "b"}}, {"binaryData": {"f": "AAE="}}, {}],
    ids=["data", "binary", "no"],
)
async def test_a_copy_is_written_once(client: KubeClient, namespace: str, fields: Object) -> None:
    built = canary(namespace, "Deployment")
    ref = Ref(resources.CONFIG_MAPS, "settings", namespace)
    source = await client.create(ref, {"metadata": {"name": "settings"}} | fields)
    copy_ref = Ref(resources.CONFIG_MAPS, "settings-primary", namespace)
    body = tracking.copied(built, SETTINGS, CONFIG, source, None)
    live = await client.create(copy_ref, body)
    assert tracking.copied(built, SETTINGS, CONFIG, source, live) == live
    assert live.get("binaryData") == fields.get("binaryData")


async def test_a_scaler_is_written_once(client: KubeClient, namespace: str) -> None:
    reference = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "web"}
    bounds = {"primaryScalerReplicas": {"minReplicas": 3, "maxReplicas": 9}}
    built = canary(namespace, "Deployment", autoscalerRef=reference | bounds)
    scaler = scaler_for(built)
    assert scaler is not None
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "maxReplicas": 4,
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
    }
    ref = Ref(resources.AUTOSCALERS, "web", namespace)
    source = await client.create(ref, {"metadata": {"name": "web"}, "spec": spec})
    twin_ref = Ref(resources.AUTOSCALERS, "web-primary", namespace)
    live = await client.create(twin_ref, orphan(scaler.primary(built, source, None)))
    assert scaler.primary(built, source, live) == live
    assert (live["spec"]["minReplicas"], live["spec"]["maxReplicas"]) == (3, 9)
