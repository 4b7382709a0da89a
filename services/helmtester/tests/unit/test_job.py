"""Jobs from templates: what is kept, what is ours, what is refused."""

import json
from typing import Any

import pytest
import yaml

from flagger_common import helmtest
from flagger_common.payload import CanaryWebhookPayload
from flagger_helmtester import job, pods
from flagger_helmtester.outcome import Result, Test

SENT = CanaryWebhookPayload(name="podinfo", namespace="test", checksum="a")
OURS = {"app.kubernetes.io/managed-by": "flagger-helmtester", "flagger.app/canary": "podinfo"}


def template(**fields: Any) -> dict[str, Any]:
    spec = {"template": {"spec": {"serviceAccountName": "tests", "containers": [{"name": "a"}]}}}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": spec, **fields}


def build(document: object, seconds: float = 90.5) -> dict[str, Any]:
    return job.build(json.dumps(document), "podinfo-test-1", SENT, seconds)


def test_a_template_keeps_what_is_its_own() -> None:
    metadata = {
        "name": "x",
        "namespace": "kube-system",
        "labels": {"team": "a", "flagger.app/canary": "other"},
        "annotations": {"note": "b"},
        "ownerReferences": [{"kind": "Node", "name": "n"}],
        "finalizers": ["f"],
    }
    made = build(template(metadata=metadata))
    assert made["metadata"] == {
        "name": "podinfo-test-1",
        "namespace": "test",
        "labels": {"team": "a", **OURS},
        "annotations": {"note": "b"},
    }
    pod = made["spec"]["template"]
    assert pod["metadata"]["labels"] == OURS
    assert pod["spec"] == template()["spec"]["template"]["spec"]
    assert made["spec"]["activeDeadlineSeconds"] == 91
    assert made["spec"]["ttlSecondsAfterFinished"] == job.TTL_SECONDS


def test_shorter_limits_of_a_template_stay() -> None:
    document = template()
    document["spec"] |= {"activeDeadlineSeconds": 5, "ttlSecondsAfterFinished": 1}
    made = build(document)
    assert made["spec"]["activeDeadlineSeconds"] == 5
    assert made["spec"]["ttlSecondsAfterFinished"] == 1


@pytest.mark.parametrize(
    "document",
    [
        [],
        "text",
        {},
        template(kind="Pod"),
        template(kind="List"),
        template(apiVersion="v1"),
        template(spec={}),
        template(spec=None),
        template(spec={"template": []}),
        template(metadata="x"),
    ],
)
def test_nothing_but_a_job_is_made(document: object) -> None:
    with pytest.raises(helmtest.RefusedError, match="template not allowed"):
        build(document)


def test_yaml_is_read_as_kubernetes_reads_it() -> None:
    document = template(metadata={"annotations": {"since": "2026-11-27", "on": "yes"}})
    text = yaml.safe_dump(document).replace("'2026-11-27'", "2026-11-27")
    assert "since: 2026-11-27" in text
    assert job.build(text, "podinfo-test-1", SENT, 90.5) == build(document)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kind: [Job", "not YAML"),
        ("kind: Job\n---\nkind: Job", "not YAML"),
        ("kind: !!python/name:os.system", "not YAML"),
        ("[" * 10_000, "not YAML"),
        ("a: &a [x]\nb: [*a, *a]", "without anchors"),
    ],
)
def test_text_that_is_no_yaml_is_refused(text: str, reason: str) -> None:
    with pytest.raises(helmtest.RefusedError, match=reason):
        job.build(text, "x", SENT, 1.0)


def test_references_name_a_config_map_and_a_key() -> None:
    assert job.reference("helmtester-jobs/smoke.json") == ("helmtester-jobs", "smoke.json")
    for text in ("", "a", "a/", "/b", "a/b/c", "../x/y", "A/b", "a/b?c"):
        with pytest.raises(helmtest.RefusedError, match="configmap/key"):
            job.reference(text)


def test_the_same_question_has_the_same_name() -> None:
    name = job.name(SENT, "a/b")
    assert name == job.name(SENT.model_copy(update={"phase": "Progressing"}), "a/b")
    others = [
        job.name(SENT, "a/c"),
        job.name(SENT.model_copy(update={"checksum": "b"}), "a/b"),
        job.name(SENT.model_copy(update={"namespace": "shop"}), "a/b"),
        job.name(SENT.model_copy(update={"name": "podinfo.x"}), "a/b"),
    ]
    assert len({name, *others}) == 5
    assert name.startswith("podinfo-test-")
    long = job.name(SENT.model_copy(update={"name": "a" * 39 + ".b"}), "a/b")
    assert long.startswith("a" * 39 + "-test-")
    assert len(long) <= 63
    for wrong in ("", "A", "a/b", "-a", "a" * 64):
        with pytest.raises(helmtest.RefusedError, match="name not allowed"):
            job.name(SENT.model_copy(update={"name": wrong}), "a/b")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (None, None),
        ([{"type": "Complete", "status": "False"}, {"type": "Suspended", "status": "True"}], None),
        ([{"type": "Complete", "status": "True"}], (Result.PASSED, "")),
        ([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}],
         (Result.FAILED, "job x failed: BackoffLimitExceeded")),
        ([{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}],
         (Result.TIMEOUT, "job x failed: DeadlineExceeded")),
    ],
)  # fmt: skip
def test_a_job_says_how_it_ended(
    conditions: list[dict[str, str]] | None, expected: tuple[Result, str] | None
) -> None:
    status = {"conditions": conditions}
    assert job.verdict({"metadata": {"name": "x"}, "status": status}) == expected


def test_a_pod_is_described_as_a_test() -> None:
    def ended(code: int, at: str) -> dict[str, Any]:
        return {"state": {"terminated": {"exitCode": code, "finishedAt": at}}}

    status = {
        "phase": "Failed",
        "startTime": "1",
        "initContainerStatuses": [ended(0, "2")],
        "containerStatuses": [ended(3, "4"), ended(2, "3"), {"state": {"running": {}}}],
    }
    pod = {"metadata": {"name": "x"}, "status": status}
    assert pods.describe(pod, "log") == Test("x", "Failed", "1", "4", 3, "log")
    assert pods.describe({"metadata": {"name": "x"}}, "") == Test("x", "Unknown")
    assert pods.exit_code({"status": {"containerStatuses": [ended(0, "1")]}}) == 0
