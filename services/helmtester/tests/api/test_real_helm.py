"""The real Helm against a real API server, with no rights but those of the README."""

import concurrent.futures
import pathlib
import subprocess
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from tools.cluster import controlplane, gobuild, ports, settings

# Building Helm takes minutes when the cache is empty.
pytestmark = [pytest.mark.api, pytest.mark.timeout(1200)]

Start = Callable[..., Any]
Grant = Callable[[str, list[dict[str, Any]], dict[str, str]], None]
Until = Callable[[str, Callable[[], bool]], None]

RESULT = "X-Flagger-Test-Result"
RULES: list[dict[str, Any]] = [
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
def helm() -> pathlib.Path:
    try:
        return gobuild.binary("helm")
    except settings.ClusterError as error:
        pytest.skip(f"no Helm: {error}")


@pytest.fixture
def namespace(plane: controlplane.ControlPlane, grant: Grant) -> str:
    """A namespace where the user `helmtester` has the rights of the README."""
    name = f"helm-{uuid.uuid4().hex[:8]}"
    with plane.client() as admin:
        admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
    grant(name, RULES, {"kind": "User", "name": "helmtester"})
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
    container = {
        "name": "smoke",
        "image": "example/smoke:1",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": {"exitCode": 0 if phase == "Succeeded" else 3}},
    }
    status = {"phase": phase, "containerStatuses": [container]}
    with plane.client() as admin:
        admin.patch(pod_of(namespace) + "/status", {"status": status})


def there(plane: controlplane.ControlPlane, namespace: str) -> bool:
    with plane.client() as admin:
        return admin.find(pod_of(namespace)) is not None


def test_a_release_passes_and_fails_its_test(
    plane: controlplane.ControlPlane,
    helm: pathlib.Path,
    namespace: str,
    release: str,
    helmtesters: Start,
    api_flags: list[str],
    until: Until,
) -> None:
    kubeconfig = str(plane.kubeconfig_of("helmtester"))
    helmtester = helmtesters(
        f"-helm-path={helm}", "-result-cache-ttl=0s", *api_flags, KUBECONFIG=kubeconfig
    )
    cmd = f"test {release} -n {namespace}"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        json = {"Accept": "application/json"}
        asked = pool.submit(helmtester.post, cmd, namespace=namespace, headers=json)
        until("the test pod is there", lambda: there(plane, namespace))
        finish(plane, namespace, "Succeeded")
        passed = asked.result().json()
        assert (passed["result"], passed["revision"]) == ("passed", 1)
        assert "Phase:          Succeeded" in passed["output"]
        assert [(t["name"], t["phase"]) for t in passed["tests"]] == [
            ("podinfo-smoke", "Succeeded")
        ]
        with plane.client() as admin:
            before = admin.get(pod_of(namespace))["metadata"]["uid"]
        asked = pool.submit(helmtester.post, cmd, namespace=namespace)

        def renewed() -> bool:
            with plane.client() as admin:
                pod = admin.find(pod_of(namespace))
            return pod is not None and pod["metadata"]["uid"] != before

        until("the test pod is new", renewed)
        finish(plane, namespace, "Failed")
        failed = asked.result()
    assert (failed.status_code, failed.headers[RESULT]) == (500, "failed")
    head = f"command {cmd} failed: test podinfo-smoke: Failed, exit code 3\n"
    assert failed.text.startswith(head)
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
    assert (response.status_code, response.headers[RESULT]) == (500, "release-not-found")
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
    assert (response.status_code, response.headers[RESULT]) == (500, "forbidden")
    assert response.headers["X-Flagger-Missing-Right"] == "list secrets"
    assert 'User "stranger" cannot' in response.text


def test_helm_acts_with_the_rights_of_the_tenants_account(
    plane: controlplane.ControlPlane,
    helm: pathlib.Path,
    namespace: str,
    release: str,
    helmtesters: Start,
    grant: Grant,
    until: Until,
) -> None:
    """The process itself may do nothing here but act as that account."""
    kubeconfig = str(plane.kubeconfig_of("stranger"))
    helmtester = helmtesters(f"-helm-path={helm}", "-impersonate=tests", KUBECONFIG=kubeconfig)
    denied = helmtester.post(f"test {release}", namespace=namespace)
    # All that Helm says when it may not act as somebody.
    assert "Kubernetes cluster unreachable: unknown" in denied.text
    act = {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}
    grant(namespace, [{**act, "resourceNames": ["tests"]}], {"kind": "User", "name": "stranger"})
    denied = helmtester.post(f"test {release}", namespace=namespace)
    assert denied.headers["X-Flagger-Missing-Right"] == "list secrets"
    grant(namespace, RULES, {"kind": "ServiceAccount", "name": "tests"})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(helmtester.post, f"test {release}", namespace=namespace)
        until("the test pod is there", lambda: there(plane, namespace))
        finish(plane, namespace, "Succeeded")
        assert asked.result().status_code == 200


def test_an_api_server_that_is_away_is_unavailable(
    helm: pathlib.Path, helmtesters: Start, tmp_path: pathlib.Path
) -> None:
    server = f"https://127.0.0.1:{ports.free('127.0.0.1')}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "current-context": "c",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    kubeconfig = str(tmp_path / "config")
    response = helmtesters(f"-helm-path={helm}", KUBECONFIG=kubeconfig).post("test podinfo")
    assert (response.status_code, response.headers[RESULT]) == (503, "unavailable")


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
    assert (stuck.status_code, stuck.headers[RESULT]) == (500, "timeout")
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
