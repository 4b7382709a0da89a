"""The real Helm against a real API server, with no rights but those of the README."""

import concurrent.futures
import pathlib
import subprocess
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from tools.cluster import controlplane, gobuild, settings

# Building Helm takes minutes when the cache is empty.
pytestmark = [pytest.mark.api, pytest.mark.timeout(1200)]

Start = Callable[..., Any]
Until = Callable[[str, Callable[[], bool]], None]

ROLE_RULES: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch", "update"]},
    {
        "apiGroups": [""],
        "resources": ["pods"],
        "verbs": ["create", "get", "list", "watch", "delete"],
    },
]
"""What `helm test` needs for tests that are pods; the README and the chart say the same."""

TEST_POD = """
apiVersion: v1
kind: Pod
metadata:
  name: "{{ .Release.Name }}-smoke"
  annotations:
    helm.sh/hook: test
spec:
  restartPolicy: Never
  containers:
  - name: smoke
    image: example/smoke:1
"""


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


@pytest.fixture(scope="session")
def helm() -> pathlib.Path:
    try:
        return gobuild.binary("helm")
    except settings.ClusterError as error:
        pytest.skip(f"no Helm: {error}")


@pytest.fixture
def namespace(plane: controlplane.ControlPlane) -> str:
    """A namespace where the user `helmtester` has the rights of the README."""
    name = f"helm-{uuid.uuid4().hex[:8]}"
    group = "rbac.authorization.k8s.io"
    metadata = {"name": "helmtester"}
    with plane.client() as admin:
        admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
        rbac = f"/apis/{group}/v1/namespaces/{name}"
        admin.create(f"{rbac}/roles", {"metadata": metadata, "rules": ROLE_RULES})
        admin.create(
            f"{rbac}/rolebindings",
            {
                "metadata": metadata,
                "roleRef": {"apiGroup": group, "kind": "Role", "name": "helmtester"},
                "subjects": [{"apiGroup": group, "kind": "User", "name": "helmtester"}],
            },
        )
    return name


@pytest.fixture
def release(
    plane: controlplane.ControlPlane, helm: pathlib.Path, namespace: str, tmp_path: pathlib.Path
) -> str:
    """A release with one test pod, installed by somebody with more rights."""
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    document = {"apiVersion": "v2", "name": "podinfo", "version": "1.0.0"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(document))
    (chart / "templates" / "smoke.yaml").write_text(TEST_POD)
    argv: list[str | pathlib.Path] = [helm, "install", "podinfo", chart]
    argv += ["-n", namespace, "--kubeconfig", plane.kubeconfig]
    subprocess.run(argv, check=True, timeout=120, capture_output=True)
    return "podinfo"


@pytest.fixture
def helmtester(plane: controlplane.ControlPlane, helm: pathlib.Path, helmtesters: Start) -> Any:
    kubeconfig = str(plane.kubeconfig_of("helmtester"))
    return helmtesters(f"-helm-path={helm}", "-log-level=info", KUBECONFIG=kubeconfig)


def pod_of(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods/podinfo-smoke"


def finish(plane: controlplane.ControlPlane, namespace: str, phase: str) -> None:
    """Do what a kubelet does at the end of a pod."""
    with plane.client() as admin:
        admin.patch(pod_of(namespace) + "/status", {"status": {"phase": phase}})


def there(plane: controlplane.ControlPlane, namespace: str) -> bool:
    with plane.client() as admin:
        return admin.find(pod_of(namespace)) is not None


def test_a_release_passes_and_fails_its_test(
    plane: controlplane.ControlPlane, namespace: str, release: str, helmtester: Any, until: Until
) -> None:
    cmd = f"test {release} -n {namespace}"
    ask: dict[str, Any] = {"namespace": namespace, "metadata": {"returnCmdOutput": "true"}}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(helmtester.post, cmd, **ask)
        until("the test pod is there", lambda: there(plane, namespace))
        finish(plane, namespace, "Succeeded")
        passed = asked.result()
        assert passed.status_code == 200
        assert "Phase:          Succeeded" in passed.text
        with plane.client() as admin:
            before = admin.get(pod_of(namespace))["metadata"]["uid"]
        asked = pool.submit(helmtester.post, cmd, **ask)

        def renewed() -> bool:
            with plane.client() as admin:
                pod = admin.find(pod_of(namespace))
            return pod is not None and pod["metadata"]["uid"] != before

        until("the test pod is new", renewed)
        finish(plane, namespace, "Failed")
        failed = asked.result()
    assert failed.status_code == 500
    assert failed.text.startswith(f"command {cmd} failed: ")
    assert failed.text.endswith(": exit status 1")
    assert "Phase:          Failed" in failed.text


def test_two_requests_make_one_test_pod(
    plane: controlplane.ControlPlane, namespace: str, release: str, helmtester: Any, until: Until
) -> None:
    mark = plane.audit.mark()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(helmtester.post, f"test {release}", namespace=namespace) for _ in range(2)
        ]
        until("both ask", lambda: helmtester.metric("flagger_helmtester_queue_depth") == 1)
        until("the test pod is there", lambda: there(plane, namespace))
        finish(plane, namespace, "Succeeded")
        assert [future.result().status_code for future in asked] == [200, 200]
    created = plane.audit.requests(since=mark, user="helmtester", verb="create")
    assert [r.resource for r in created if r.namespace == namespace] == ["pods"]


def test_a_missing_release_is_a_failure(namespace: str, helmtester: Any) -> None:
    response = helmtester.post("test podinfo", namespace=namespace)
    assert response.status_code == 500
    assert "release: not found" in response.text


def test_missing_rights_are_a_failure_that_names_them(
    plane: controlplane.ControlPlane,
    helm: pathlib.Path,
    namespace: str,
    release: str,
    helmtesters: Start,
) -> None:
    kubeconfig = str(plane.kubeconfig_of("stranger"))
    helmtester = helmtesters(f"-helm-path={helm}", KUBECONFIG=kubeconfig)
    response = helmtester.post(f"test {release}", namespace=namespace)
    assert response.status_code == 500
    assert 'User "stranger" cannot' in response.text
    assert 'resource "secrets"' in response.text


def test_a_test_that_never_ends_is_stopped_and_can_be_repeated(
    plane: controlplane.ControlPlane,
    helm: pathlib.Path,
    namespace: str,
    release: str,
    helmtesters: Start,
    until: Until,
) -> None:
    kubeconfig = str(plane.kubeconfig_of("helmtester"))
    helmtester = helmtesters(f"-helm-path={helm}", KUBECONFIG=kubeconfig)
    stuck = helmtester.post(f"test {release} --timeout 2s", namespace=namespace)
    assert stuck.status_code == 500
    assert "timed out waiting for the condition" in stuck.text
    with plane.client() as admin:
        before = admin.get(pod_of(namespace))["metadata"]["uid"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(helmtester.post, f"test {release}", namespace=namespace)

        def renewed() -> bool:
            with plane.client() as admin:
                pod = admin.find(pod_of(namespace))
            return pod is not None and pod["metadata"]["uid"] != before

        until("the test pod is new", renewed)
        finish(plane, namespace, "Succeeded")
        assert asked.result().status_code == 200
