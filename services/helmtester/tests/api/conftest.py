"""A real API server, and rights on it."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tools.cluster import controlplane, settings


@pytest.fixture(scope="session")
def plane() -> Iterator[controlplane.ControlPlane]:
    options = controlplane.Options(
        users={"helmtester": "companions", "stranger": "companions"}, controllers=False
    )
    try:
        running = controlplane.ControlPlane.start(options)
    except settings.ClusterError as error:
        pytest.skip(f"no control plane: {error}")
    with running:
        yield running


@pytest.fixture
def grant(
    plane: controlplane.ControlPlane,
) -> Callable[[str, list[dict[str, Any]], dict[str, str]], None]:
    """Give a user or a service account rights in a namespace."""
    group = "rbac.authorization.k8s.io"

    def grant(namespace: str, rules: list[dict[str, Any]], subject: dict[str, str]) -> None:
        name = subject["name"]
        api = "" if subject["kind"] == "ServiceAccount" else group
        reference = {"apiGroup": group, "kind": "Role", "name": name}
        path = f"/apis/{group}/v1/namespaces/{namespace}"
        with plane.client() as admin:
            admin.create(f"{path}/roles", {"metadata": {"name": name}, "rules": rules})
            binding = {
                "metadata": {"name": name},
                "roleRef": reference,
                "subjects": [{"apiGroup": api, "namespace": namespace, **subject}],
            }
            admin.create(f"{path}/rolebindings", binding)

    return grant


@pytest.fixture
def api_flags(plane: controlplane.ControlPlane, tmp_path: pathlib.Path) -> list[str]:
    """Flags that make the user `helmtester` known to the API server."""
    token = tmp_path / "token"
    token.write_text(plane.tokens["helmtester"])
    return [
        f"-kube-api={plane.url}",
        f"-kube-ca-file={plane.ca_file}",
        f"-kube-token-file={token}",
    ]
