"""Each task type: which command it makes of the metadata (loadtester.md section 3)."""

import pytest

from flagger_common.payload import CanaryWebhookPayload
from flagger_common.plan import Plan
from flagger_loadtester import tasks
from flagger_loadtester.tasks import base


def prepare(**metadata: str) -> base.Command:
    payload = CanaryWebhookPayload(name="podinfo", namespace="test", metadata=metadata)
    work = tasks.find(metadata, tasks.TASKS).prepare(payload)
    assert isinstance(work, base.Command)
    return work


@pytest.mark.parametrize(
    ("kind", "command", "argv"),
    [
        (None, "hey -z 1m", ("sh", "-c", "hey -z 1m")),
        ("cmd", "", ("sh", "-c", "")),
        ("bash", "a | b", ("bash", "-c", "a | b")),
        ("helm", " test  podinfo\t-n test ", ("helm", "test", "podinfo", "-n", "test")),
        ("helmv3", "test 'a b'", ("helm", "test", "'a", "b'")),
        ("helm", "", ("helm",)),
        ("kubectl", "get po", ("kubectl", "get", "po")),
    ],
)
def test_argv(kind: str | None, command: str, argv: tuple[str, ...]) -> None:
    metadata = {"cmd": command} | ({"type": kind} if kind else {})
    work = prepare(**metadata)
    assert work.plan == Plan.of(argv)
    assert work.label == command
    assert work.identity == ("podinfo.test", command)


@pytest.mark.parametrize("kind", ["bash", "helm", "kubectl"])
def test_a_missing_command_is_empty_for_blocking_types(kind: str) -> None:
    assert prepare(type=kind).label == ""
    assert tasks.TASKS[kind].blocking


def test_a_missing_command_is_an_error_for_the_default_type() -> None:
    with pytest.raises(base.TaskError, match=r"^cmd not found in metadata$"):
        prepare(type="cmd")
    assert not tasks.TASKS["cmd"].blocking


@pytest.mark.parametrize("kind", ["", "helmv2", "gate", "CMD", "Locust"])
def test_unknown_types(kind: str) -> None:
    with pytest.raises(base.TaskError, match=rf"^unknown task type {kind}$"):
        tasks.find({"type": kind, "cmd": "true"}, tasks.kinds("", 60.0, inline=False))


@pytest.mark.parametrize(
    ("text", "truth"), [("true", True), ("1", True), ("T", True), ("yes", False), ("", False)]
)
def test_boolean_metadata(text: str, truth: bool) -> None:
    assert prepare(type="bash", returnCmdOutput=text).return_output is truth
    assert prepare(cmd="x", logCmdOutput=text).log_output is truth


def test_blocking_types_always_log_their_output() -> None:
    assert prepare(type="bash", cmd="x", logCmdOutput="false").log_output
