"""Tests that are Jobs against a real API server, with no rights but those of the README."""

import concurrent.futures
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from tools.cluster import controlplane

pytestmark = [pytest.mark.api, pytest.mark.timeout(300)]

RULES: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["configmaps", "pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "delete"]},
]
"""What the engine for Jobs needs; all of it is in the rules of the chart."""

TEMPLATE = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"labels": {"team": "a"}},
    "spec": {
        "backoffLimit": 0,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "smoke", "image": "example/smoke:1"}],
            }
        },
    },
}
NOW = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("ended", "status", "result"),
    [
        (
            {
                "startTime": NOW,
                "completionTime": NOW,
                "succeeded": 1,
                "conditions": [
                    {"type": "SuccessCriteriaMet", "status": "True"},
                    {"type": "Complete", "status": "True"},
                ],
            },
            200,
            "passed",
        ),
        (
            {
                "startTime": NOW,
                "failed": 1,
                "conditions": [
                    {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"},
                    {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"},
                ],
            },
            500,
            "failed",
        ),
    ],
)
def test_a_job_is_made_from_its_template_and_removed(
    plane: controlplane.ControlPlane,
    grant: Callable[..., None],
    helmtesters: Callable[..., Any],
    api_flags: list[str],
    until: Callable[[str, Callable[[], bool]], None],
    ended: dict[str, Any],
    status: int,
    result: str,
) -> None:
    namespace = f"jobs-{uuid.uuid4().hex[:8]}"
    data = {"smoke.json": json.dumps(TEMPLATE)}
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    with plane.client() as admin:
        admin.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        config_map = {"metadata": {"name": "helmtester-jobs"}, "data": data}
        admin.create(f"/api/v1/namespaces/{namespace}/configmaps", config_map)
        grant(namespace, RULES, {"kind": "User", "name": "helmtester"})
        helmtester = helmtesters("-jobs", *api_flags)
        ask = {"namespace": namespace, "metadata": {"template": "helmtester-jobs/smoke.json"}}
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(helmtester.post, kind="job", **ask)
            until("the job is there", lambda: bool(admin.get(jobs)["items"]))
            (job,) = admin.get(jobs)["items"]
            assert job["metadata"]["labels"]["team"] == "a"
            assert job["metadata"]["labels"]["flagger.app/canary"] == "podinfo"
            path = f"{jobs}/{job['metadata']['name']}"
            admin.patch(f"{path}/status", {"status": ended})
            response = asked.result()
        assert (response.status_code, response.headers["X-Flagger-Test-Result"]) == (status, result)
        found = admin.find(path)
    # Without a garbage collector the server only marks it, if it has a finalizer.
    assert found is None or "deletionTimestamp" in found["metadata"]
