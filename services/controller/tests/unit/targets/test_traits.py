"""Selector and port discovery (targets.md sections 4 and 9.1)."""

from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.api.traits import Port, Selector
from flagger_controller.targets.deployment import Deployment

from .workloads import Build

PODINFO: list[Object] = [
    {"containerPort": 9898, "name": "http", "protocol": "TCP"},
    {"containerPort": 8080, "name": "http-metrics"},
    {"containerPort": 8888},
]


def ports(canary: Build, deployment: Build, containers: list[Object], **service: Any) -> Any:
    built = canary(service={"portDiscovery": True, "targetPort": None} | service)
    return Deployment().traits(built, deployment(pod={"containers": containers})).ports


def named(*items: Object, name: str = "podinfo") -> list[Object]:
    return [{"name": name, "ports": list(items)}]


def test_selector_prefers_the_first_configured_label(canary: Build, deployment: Build) -> None:
    labels = {"app.kubernetes.io/name": "z", "name": "y", "app": None}
    found = Deployment().traits(canary(), deployment(spec={"selector": {"matchLabels": labels}}))
    assert found.selector == Selector("name", "y")


def test_the_example_of_the_documentation(canary: Build, deployment: Build) -> None:
    assert ports(canary, deployment, named(*PODINFO), port=9898) == (
        Port("http-metrics", 8080),
        Port("tcp-podinfo-2", 8888),
    )


@pytest.mark.parametrize(
    ("service", "numbers"),
    [
        ({"port": 9898}, [8080, 8888]),
        ({"port": 80}, [9898, 8080, 8888]),
        ({"port": 80, "targetPort": 8080, "portName": "web"}, [9898, 8888]),
        ({"port": 80, "targetPort": "http"}, [8080, 8888]),
        ({"port": 80, "targetPort": 0}, [9898, 8080, 8888]),
    ],
)
def test_the_main_port_is_not_repeated(
    canary: Build, deployment: Build, service: Object, numbers: list[int]
) -> None:
    found = ports(canary, deployment, named(*PODINFO), **service)
    assert [port.number for port in found] == numbers


def test_t19_a_number_occurs_once(canary: Build, deployment: Build) -> None:
    """Upstream exposes 8080 twice here and the API server refuses the Service."""
    containers = named({"containerPort": 9898, "name": "http"}, {"containerPort": 8080})
    found = ports(canary, deployment, [*containers, *containers], port=8080, targetPort="http")
    assert found == ()


def test_t19_protocols_are_kept(canary: Build, deployment: Build) -> None:
    items = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]
    found = ports(canary, deployment, named(*items), port=80)
    assert found == (Port("udp-podinfo-0", 53, "UDP"), Port("tcp-podinfo-1", 53, "TCP"))


def test_t19_the_main_port_has_a_protocol_too(canary: Build, deployment: Build) -> None:
    dns = {"containerPort": 53, "name": "dns", "protocol": "UDP"}
    items: list[Object] = [{"containerPort": 53}, dns]
    found = ports(canary, deployment, named(*items), port=53)
    assert found == (Port("dns", 53, "UDP"),)


def test_t19_a_name_occurs_once(canary: Build, deployment: Build) -> None:
    found = ports(canary, deployment, named(*PODINFO[:1]), port=80, targetPort=8080)
    assert found == (Port("tcp-podinfo-0", 9898),)


def test_sidecars_and_init_containers_are_ignored(canary: Build, deployment: Build) -> None:
    containers = [
        *named({"containerPort": 15090}, name="istio-proxy"),
        *named({"containerPort": 9901}, name="envoy"),
        {"name": "plain"},
    ]
    assert ports(canary, deployment, containers, port=80) == ()


def test_discovery_is_off_by_default(canary: Build, deployment: Build) -> None:
    assert Deployment().traits(canary(), deployment()).ports == ()
    assert Deployment().traits(canary(service=None), deployment()).ports == ()
