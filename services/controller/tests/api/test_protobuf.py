"""What a real API server encodes is understood."""

import pytest
import requests
from tools.cluster.controlplane import ControlPlane

from . import protobuf

pytestmark = pytest.mark.api

TEXT = (
    "Advance podinfo.shop canary weight 25, and a text that is longer than a byte can count: " * 3
)


def encoded(plane: ControlPlane, path: str) -> bytes:
    """An object as Go clients send it."""
    headers = {
        "Accept": "application/vnd.kubernetes.protobuf",
        "Authorization": f"Bearer {plane.token}",
    }
    answer = requests.get(
        f"{plane.url}{path}", headers=headers, verify=str(plane.ca_file), timeout=30
    )
    answer.raise_for_status()
    return answer.content


def test_the_name_and_the_text_of_an_event(control_plane: ControlPlane, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/events"
    event = {
        "metadata": {"name": "podinfo.17f", "labels": {"app": "podinfo"}},
        "involvedObject": {"kind": "Canary", "name": "podinfo", "namespace": namespace},
        "message": TEXT,
        "count": 300,
    }
    with control_plane.client() as admin:
        admin.create(path, event)
    body = encoded(control_plane, f"{path}/podinfo.17f")
    assert body.startswith(protobuf.MAGIC)
    assert protobuf.name_and_message(body) == ("podinfo.17f", TEXT)


def test_the_name_of_another_object(control_plane: ControlPlane, namespace: str) -> None:
    body = encoded(control_plane, f"/api/v1/namespaces/{namespace}")
    assert protobuf.name_and_message(body) == (namespace, "")
