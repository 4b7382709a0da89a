"""Events of gates: a real process on a real API server, with the rights of the chart alone."""

import pathlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import yaml
from tools.cluster import api, controlplane

from .. import servers

pytestmark = pytest.mark.api

ROOT = pathlib.Path(__file__).parents[4]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CANARY = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "metadata": {"name": "podinfo"},
    "spec": {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 80},
        "analysis": {"interval": "30s", "threshold": 5, "iterations": 3},
    },
}
RULES = [
    {"apiGroups": ["flagger.app"], "resources": ["canaries"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]
"""What the chart gives with `gates.events`."""


def is_served(admin: api.Api, path: str) -> bool:
    """Say whether a kind can be used; at first there is none, or its storage is being made."""
    try:
        admin.get(path)
    except requests.HTTPError:
        return False
    return True


@pytest.fixture
def canary(plane: controlplane.ControlPlane, namespace: str) -> dict[str, Any]:
    """Return a Canary in the namespace of the test."""
    documents = yaml.safe_load_all((ROOT / "charts/flagger/crds/crd.yaml").read_text())
    (definition,) = (one for one in documents if one["spec"]["names"]["kind"] == "Canary")
    path = f"/apis/flagger.app/v1beta1/namespaces/{namespace}/canaries"
    with plane.client() as admin:
        if admin.find(f"{DEFINITIONS}/{definition['metadata']['name']}") is None:
            admin.create(DEFINITIONS, definition)
        servers.wait_until("Canaries are served", lambda: is_served(admin, path))
        return admin.create(path, CANARY)


@pytest.fixture
def rights(plane: controlplane.ControlPlane) -> Iterator[None]:
    """Give the user `gatekeeper` what the chart gives, in all namespaces, for one test."""
    name = f"events-{uuid.uuid4().hex[:8]}"
    group = "rbac.authorization.k8s.io"
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": name}
    subjects = [{"apiGroup": group, "kind": "User", "name": "gatekeeper"}]
    with plane.client() as admin:
        admin.create(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": RULES})
        binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": subjects}
        admin.create(f"{RBAC}/clusterrolebindings", binding)
        admin.await_right("gatekeeper", "create", "events")
        yield
        admin.delete(f"{RBAC}/clusterrolebindings/{name}")


def counted(gatekeeper: servers.Gatekeeper, result: str) -> bool:
    metrics = requests.get(gatekeeper.url("/metrics"), timeout=servers.PATIENCE).text
    return f'flagger_gate_events_total{{result="{result}"}}' in metrics


@pytest.fixture
def gatekeeper(
    plane: controlplane.ControlPlane,
    namespace: str,
    gatekeepers: Callable[..., servers.Gatekeeper],
) -> servers.Gatekeeper:
    kubeconfig = plane.kubeconfig_of("gatekeeper")
    return gatekeepers("-store=memory", "-events=true", f"-kubeconfig={kubeconfig}")


@pytest.mark.usefixtures("rights")
def test_a_canary_has_events_about_its_gates(
    plane: controlplane.ControlPlane,
    namespace: str,
    canary: dict[str, Any],
    gatekeeper: servers.Gatekeeper,
) -> None:
    gate = f"/api/v1/gates/{namespace}/podinfo/promotion"
    assert gatekeeper.post(f"{gate}/open", reason="looks good").status_code == 200
    closed = gatekeeper.post("/gate/close", name="podinfo", namespace=namespace)
    assert closed.status_code == 202
    with plane.client() as admin:

        def found() -> list[dict[str, Any]]:
            items = admin.get(f"/api/v1/namespaces/{namespace}/events")["items"]
            return [one for one in items if one["source"]["component"] == "flagger-gatekeeper"]

        servers.wait_until("both Events are there", lambda: len(found()) == 2)
        told = {one["reason"]: one for one in found()}
    assert told["GateOpened"]["message"] == "Gate promotion opened: looks good"
    assert told["GateClosed"]["message"] == "Gate default closed"
    about = told["GateOpened"]["involvedObject"]
    assert (about["kind"], about["uid"]) == ("Canary", canary["metadata"]["uid"])


@pytest.mark.usefixtures("canary")
def test_without_the_right_gates_are_opened_and_nothing_is_told(
    namespace: str, gatekeeper: servers.Gatekeeper
) -> None:
    opened = gatekeeper.post("/gate/open", name="podinfo", namespace=namespace)
    assert opened.status_code == 202
    servers.wait_until("the failure is counted", lambda: counted(gatekeeper, "failed"))
    assert not counted(gatekeeper, "written")
