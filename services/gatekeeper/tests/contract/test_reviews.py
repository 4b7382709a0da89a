"""Callers as a real API server knows them: tokens, and the rights of RBAC."""

import datetime
import pathlib
import uuid

import flask.testing
import pytest
from tools.cluster import controlplane

import flagger_gatekeeper
from flagger_common import authz
from flagger_gatekeeper import access, audit, changes, entrance, gates, identity, settings
from flagger_gatekeeper.store import base, memory

pytestmark = pytest.mark.api

RBAC = "/apis/rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
BODY = {"name": "podinfo"}
REVIEWS = "subjectaccessreviews"
NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)


@pytest.fixture
def reviewing(plane: controlplane.ControlPlane) -> pathlib.Path:
    """Return the login of a gatekeeper that may ask about others, as the chart arranges it."""
    with plane.client() as admin:
        name = f"reviews-{uuid.uuid4().hex[:8]}"
        admin.create(
            f"{RBAC}/clusterrolebindings",
            {
                "metadata": {"name": name},
                "roleRef": {
                    "apiGroup": GROUP,
                    "kind": "ClusterRole",
                    "name": "system:auth-delegator",
                },
                "subjects": [{"apiGroup": GROUP, "kind": "User", "name": "gatekeeper"}],
            },
        )
        admin.await_right("gatekeeper", "create", REVIEWS, group="authorization.k8s.io")
    return plane.kubeconfig_of("gatekeeper")


def allow(plane: controlplane.ControlPlane, namespace: str, verbs: list[str]) -> None:
    """Let `stranger` use the gates of a namespace."""
    rule = {"apiGroups": ["flagger.app"], "resources": ["canaries/gate"], "verbs": verbs}
    with plane.client() as admin:
        path = f"{RBAC}/namespaces/{namespace}"
        metadata = {"name": "gates"}
        admin.create(f"{path}/roles", {"metadata": metadata, "rules": [rule]})
        admin.create(
            f"{path}/rolebindings",
            {
                "metadata": metadata,
                "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "gates"},
                "subjects": [{"apiGroup": GROUP, "kind": "User", "name": "stranger"}],
            },
        )
        for verb in verbs:
            admin.await_right(
                "stranger", verb, "canaries/gate", group="flagger.app", namespace=namespace
            )


def client_of(store: base.GateStore, kubeconfig: pathlib.Path) -> flask.testing.FlaskClient:
    options = settings.Settings(
        auth_mode="kubernetes", access_review=True, kubeconfig=str(kubeconfig)
    )
    return flagger_gatekeeper.create_app(options, store).test_client()


def test_people_may_do_what_rbac_allows(
    plane: controlplane.ControlPlane, namespace: str, reviewing: pathlib.Path
) -> None:
    store = memory.MemoryStore()
    client = client_of(store, reviewing)
    token = {"Authorization": f"Bearer {plane.tokens['stranger']}"}
    gate = f"/api/v1/gates/{namespace}/podinfo/start"
    allow(plane, namespace, ["update"])
    assert client.post(f"{gate}/open").status_code == 401
    nobody = {"Authorization": "Bearer nobody"}
    assert client.post(f"{gate}/open", headers=nobody).status_code == 401
    other = "/api/v1/gates/default/podinfo/start/open"
    assert client.post(other, headers=token).status_code == 403
    assert client.post(f"{gate}/open", headers=token).status_code == 200
    assert client.get(gate, headers=token).status_code == 403
    listed = client.get("/api/v1/gates", headers=token).json
    assert listed is not None
    assert listed["items"] == []
    compatible = client.post("/gate/open", json={**BODY, "namespace": namespace}, headers=token)
    assert compatible.status_code == 202
    assert {one.entry.by.actor for one in store.history(base.Scope(), None)} == {"stranger"}


def test_without_the_right_to_ask_nobody_is_let_in(
    plane: controlplane.ControlPlane, namespace: str
) -> None:
    store = memory.MemoryStore()
    opened = changes.setting(changes.Wish(gates.State.OPEN), audit.By("1"), NOW)
    store.update(gates.GateKey(namespace, "podinfo"), opened)
    client = client_of(store, plane.kubeconfig_of("stranger"))
    token = {"Authorization": f"Bearer {plane.tokens['stranger']}"}
    sent = {**BODY, "namespace": namespace}
    assert client.post("/gate/close", json=sent, headers=token).status_code == 503
    refused = client.get("/api/v1/gates", headers=token)
    assert refused.json is not None
    assert (refused.status_code, refused.json["code"]) == (503, "store_unavailable")
    assert client.post("/gate/check", json=sent, headers=token).status_code == 200


def test_an_api_server_that_is_away_lets_nobody_in(
    plane: controlplane.ControlPlane, reviewing: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    kubeconfig = tmp_path / "away"
    kubeconfig.write_text(reviewing.read_text().replace(f":{plane.layout.port}", ":1"))
    options = settings.Settings(auth_mode="kubernetes", kubeconfig=str(kubeconfig))
    guard = entrance.keeper(options, authz.NamespaceRule())
    with pytest.raises(gates.GateError):
        guard.identify(access.Verb.OPEN, "test", identity.Credentials(bearer="token"))
