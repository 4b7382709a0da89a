"""Core Services as targets (targets.md 7.1)."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.targets.service import Service

from .workloads import Build

TARGET = Service()


def service(**spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "podinfo",
            "namespace": "test",
            "uid": "uid-s",
            "labels": {"team": "web", "kustomize.toolkit.fluxcd.io/name": "x"},
            "annotations": {
                "note": "n",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
            },
        },
        "spec": {
            "clusterIP": "10.0.0.1",
            "clusterIPs": ["10.0.0.1"],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}],
            "selector": {"app": "podinfo"},
            "sessionAffinity": "None",
            "type": "ClusterIP",
        }
        | spec,
        "status": {"loadBalancer": {}},
    }


def allocated(body: Object, address: str = "10.0.0.9", node_port: int = 30999) -> Object:
    """What the API server makes of a new copy."""
    live = copy.deepcopy(body)
    live["metadata"] |= {"uid": "uid-c", "resourceVersion": "5"}
    live["spec"] |= {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}
    live["spec"].setdefault("clusterIP", address)
    live["spec"]["clusterIPs"] = [live["spec"]["clusterIP"]]
    if live["spec"]["type"] != "ClusterIP":
        for port in live["spec"]["ports"]:
            port["nodePort"] = node_port
    live["status"] = {"loadBalancer": {}}
    return live


def test_new_copies(canary: Build) -> None:
    body = TARGET.primary(canary(), service(), {}, None)
    assert body == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "podinfo-primary",
            "namespace": "test",
            "labels": {"team": "web"},
            "annotations": {"note": "n"},
            "ownerReferences": [canary().owner_reference],
        },
        "spec": {
            "internalTrafficPolicy": "Cluster",
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}],
            "selector": {"app": "podinfo"},
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }
    (copied,) = TARGET.copies(canary(), service(), {}).values()
    assert copied["metadata"]["name"] == "podinfo-canary"
    assert copied["spec"] == body["spec"]


def test_t13_nothing_that_was_allocated_is_copied(canary: Build) -> None:
    target = service(
        type="LoadBalancer",
        healthCheckNodePort=31000,
        loadBalancerIP="192.0.2.1",
        ports=[{"port": 80, "nodePort": 30080}],
    )
    spec = TARGET.primary(canary(), target, {}, None)["spec"]
    assert spec["ports"] == [{"port": 80}]
    for field in ("clusterIP", "clusterIPs", "healthCheckNodePort", "loadBalancerIP", "ipFamilies"):
        assert field not in spec


def test_t13_headless_stays_headless(canary: Build) -> None:
    target = service(clusterIP="None", clusterIPs=["None"])
    assert TARGET.primary(canary(), target, {}, None)["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_copies_keep_their_addresses(canary: Build, kind: str) -> None:
    target = service(type=kind, ports=[{"port": 80, "protocol": "TCP", "nodePort": 30080}])
    live = allocated(TARGET.primary(canary(), target, {}, None))
    assert TARGET.promoted(canary(), target, {}, live)
    assert TARGET.primary(canary(), target, {}, live) == live
    ((ref, copied),) = TARGET.copies(canary(), target, {}).items()
    kept = {ref: allocated(copied)}
    assert TARGET.copies(canary(), target, kept) == kept


def test_a_copy_that_becomes_external_gives_up_its_address(canary: Build) -> None:
    live = allocated(TARGET.primary(canary(), service(), {}, None))
    external = service(type="ExternalName", externalName="example.com", ports=None)
    spec = TARGET.primary(canary(), external, {}, live)["spec"]
    assert spec["externalName"] == "example.com"
    assert "ports" not in spec
    assert "clusterIP" not in spec


def test_a_copy_that_is_no_longer_exposed_gives_up_its_node_port(canary: Build) -> None:
    exposed = service(type="NodePort", ports=[{"port": 80}])
    live = allocated(TARGET.primary(canary(), exposed, {}, None))
    spec = TARGET.primary(canary(), service(ports=[{"port": 80}]), {}, live)["spec"]
    assert spec["ports"] == [{"port": 80}]


def test_t12_promotion_keeps_owner_and_metadata(canary: Build) -> None:
    live = allocated(TARGET.primary(canary(), service(), {}, None))
    live["metadata"]["labels"]["mine"] = "1"
    newer = service(selector={"app": "podinfo", "version": "2"})
    assert not TARGET.promoted(canary(), newer, {}, live)
    body = TARGET.primary(canary(), newer, {}, live)
    assert body["spec"]["selector"] == {"app": "podinfo", "version": "2"}
    assert body["spec"]["clusterIP"] == live["spec"]["clusterIP"]
    assert body["metadata"]["ownerReferences"] == [canary().owner_reference]
    assert body["metadata"]["labels"] == {"team": "web", "mine": "1"}


@pytest.mark.parametrize(
    "spec",
    [
        {"clusterIP": "10.0.0.2", "clusterIPs": ["10.0.0.2"]},
        {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack"},
        {
            "ports": [
                {
                    "name": "http",
                    "port": 80,
                    "protocol": "TCP",
                    "targetPort": "http",
                    "nodePort": 30080,
                }
            ]
        },
        {"healthCheckNodePort": 31000},
    ],
)
def test_t15_allocated_fields_are_no_revision(spec: Object) -> None:
    assert TARGET.revision(service(**spec)) == TARGET.revision(service())


@pytest.mark.parametrize(
    "spec",
    [
        {"selector": {"app": "other"}},
        {"ports": [{"port": 81}]},
        {"type": "NodePort"},
        {"clusterIP": "None"},
        {"sessionAffinity": "ClientIP"},
    ],
)
def test_what_users_write_is_a_revision(spec: Object) -> None:
    assert TARGET.revision(service(**spec)) != TARGET.revision(service())


def test_traffic_distribution_of_the_canary_wins(canary: Build) -> None:
    built = canary(service={"trafficDistribution": "PreferClose"})
    body = TARGET.primary(built, service(trafficDistribution="PreferSameZone"), {}, None)
    assert body["spec"]["trafficDistribution"] == "PreferClose"
    plain = TARGET.primary(canary(service=None), service(), {}, None)
    assert "trafficDistribution" not in plain["spec"]


def test_there_is_no_workload(canary: Build) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert TARGET.traits(canary(), service()).selector is None
    assert TARGET.configs(service()) == ()
    assert not TARGET.tracks_configs
    assert TARGET.scaled(canary(), service(), up=True, replicas=1) is None
    assert TARGET.reverted(service(), None, replicas=1) is None
    assert TARGET.health(canary(), service(), primary=True, now=now).ready
