"""The chart's CRDs on a real API server: accepted, complete, and strict where they must be."""

import pathlib
import time
from typing import Any

import pytest
import requests
import yaml

from flagger_controller.api.base import Object
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiError, KubeClient, Ref, Resource

pytestmark = pytest.mark.api

CRDS = pathlib.Path(__file__).parents[4] / "charts/flagger/crds/crd.yaml"
DOCUMENTS = pathlib.Path(__file__).parents[1] / "unit/api/documents"
COLLECTION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RESOURCES = {
    resource.kind: resource
    for resource in (resources.CANARIES, resources.METRIC_TEMPLATES, resources.ALERT_PROVIDERS)
}


@pytest.fixture(scope="module")
def definitions(control_plane: Any) -> dict[str, Object]:
    """The CRDs as the API server keeps them, once it serves them."""
    with control_plane.client() as admin:
        for body in yaml.safe_load_all(CRDS.read_text()):
            if admin.find(f"{COLLECTION}/{body['metadata']['name']}") is None:
                admin.create(COLLECTION, body)
        return {kind: _served(admin, resource) for kind, resource in RESOURCES.items()}


def _served(admin: Any, resource: Resource) -> Object:
    name = f"{resource.plural}.{resource.group}"
    deadline = time.monotonic() + 30
    while True:
        body: Object = admin.get(f"{COLLECTION}/{name}")
        if _conditions(body).get("Established") == "True" and _lists(admin, resource):
            return body
        assert time.monotonic() < deadline, f"{name} is not served: {body.get('status')}"
        time.sleep(0.1)


def _conditions(body: Object) -> dict[str, str]:
    found = (body.get("status") or {}).get("conditions") or []
    return {condition["type"]: condition["status"] for condition in found}


def _lists(admin: Any, resource: Resource) -> bool:
    try:
        path = f"/apis/{resource.api_version}/{resource.plural}"
        return admin.find(path) is not None
    except requests.HTTPError:
        return False  # 429: the storage of a new kind is being initialised


def documents() -> list[Any]:
    return [
        pytest.param(body, id=f"{path.stem}-{body['kind']}-{body['metadata']['name']}")
        for path in sorted(DOCUMENTS.glob("*.yaml"))
        for body in yaml.safe_load_all(path.read_text())
    ]


def canary(**spec: Any) -> Object:
    base = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 80},
        "analysis": {"interval": "10s", "threshold": 2, "stepWeight": 25},
    }
    return {"metadata": {"name": "podinfo"}, "spec": base | spec}


def lost(given: Any, found: Any, path: str = "spec") -> list[str]:
    """What the server dropped or changed."""
    if isinstance(given, dict) and isinstance(found, dict):
        return [
            text
            for key, value in given.items()
            for text in lost(value, found.get(key), f"{path}.{key}")
        ]
    if isinstance(given, list) and isinstance(found, list):
        pairs = zip(given, found, strict=True)
        return [text for one, other in pairs for text in lost(one, other, f"{path}[]")]
    return [] if given == found else [path]


@pytest.mark.parametrize("kind", RESOURCES)
def test_the_schemas_are_structural(definitions: dict[str, Object], kind: str) -> None:
    assert _conditions(definitions[kind]) == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize("body", documents())
async def test_nothing_is_pruned(client: KubeClient, namespace: str, body: Object) -> None:
    ref = Ref(RESOURCES[body["kind"]], body["metadata"]["name"], namespace)
    created = await client.create(ref, body | {"metadata": {"name": ref.name}})
    assert lost(body["spec"], created["spec"]) == []


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            canary(service={"port": 80, "mirror": [{"backendRef": {"name": "x"}}]}),
            "Must have port for Service reference",
        ),
        (canary(service={"port": 80, "mirror": [{}]}), "spec.service.mirror[0].backendRef"),
        (
            canary(analysis={"interval": "10s", "threshold": 2, "stepWeight": 0.5}),
            "spec.analysis.stepWeight",
        ),
        (canary(analysis={"interval": "10s", "threshold": 2}), "spec.analysis"),
        (canary(analysis={"interval": "soon", "threshold": 2, "stepWeight": 5}), "interval"),
        (canary(provider="nobody"), "spec.provider"),
    ],
)
async def test_what_cannot_work_is_refused(
    client: KubeClient, namespace: str, body: Object, text: str
) -> None:
    with pytest.raises(ApiError) as caught:
        await client.create(Ref(resources.CANARIES, "podinfo", namespace), body)
    assert caught.value.status == 422
    assert text in caught.value.message


@pytest.mark.usefixtures("definitions")
async def test_whole_numbers_may_be_written_as_floats(client: KubeClient, namespace: str) -> None:
    body = canary(progressDeadlineSeconds=60.0)
    created = await client.create(Ref(resources.CANARIES, "podinfo", namespace), body)
    assert created["spec"]["progressDeadlineSeconds"] == 60


@pytest.mark.usefixtures("definitions")
async def test_status_is_a_subresource_with_our_run(client: KubeClient, namespace: str) -> None:
    ref = Ref(resources.CANARIES, "podinfo", namespace)
    status = {
        "phase": "Progressing",
        "canaryWeight": 25,
        "iterations": -1,
        "failedChecks": 0,
        "trackedConfigs": {"configmap/a": "74234e98afe7498f"},
        "conditions": [
            {"type": "Promoted", "status": "Unknown", "reason": "Progressing", "message": "m"}
        ],
        "run": {"route": {"primary": 75, "canary": 25, "mirrored": False}},
    }
    created = await client.create(ref, canary() | {"status": status})
    assert "status" not in created
    written = await client.update(ref, created | {"status": status}, subresource="status")
    assert written["status"] == status
    assert written["metadata"]["generation"] == created["metadata"]["generation"]


@pytest.mark.usefixtures("definitions")
async def test_documented_defaults(client: KubeClient, namespace: str) -> None:
    analysis = {
        "interval": "10s",
        "threshold": 2,
        "stepWeight": 5,
        "sessionAffinity": {"cookieName": "c"},
    }
    body = canary(service={"port": 80, "gatewayRefs": [{"name": "g"}]}, analysis=analysis)
    created = await client.create(Ref(resources.CANARIES, "podinfo", namespace), body)
    assert created["spec"]["analysis"]["sessionAffinity"]["maxAge"] == 86400
    assert created["spec"]["service"]["gatewayRefs"] == [
        {"name": "g", "group": "gateway.networking.k8s.io", "kind": "Gateway"}
    ]
