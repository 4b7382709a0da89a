"""Strict mode through Flask's test client: what is refused, how, and what the audit log says."""

import hashlib
import hmac
import json
import logging
import pathlib
import time
from collections.abc import Callable, Iterator

import flask.testing
import pytest
from werkzeug.test import TestResponse

from flagger_common import callers
from flagger_loadtester import create_app
from flagger_loadtester.runner import Limits, Runner
from flagger_loadtester.settings import Settings

Eventually = Callable[[Callable[[], object]], None]
Client = flask.testing.FlaskClient
Make = Callable[..., Client]
POLICY = """
namespaces:
  shell: {shell: true}
  test:
    hosts: [concord.example.com]
    kubectl: {verbs: [get], resources: [pods]}
    arguments: {show: [".*"], fail: [".*"]}
"""


@pytest.fixture
def make(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make clients of strict servers; programs on their path show their arguments."""
    for name in ("show", "helm", "kubectl"):
        (tmp_path / name).write_text('#!/bin/sh\nfor word; do printf "<%s>" "$word"; done\n')
    (tmp_path / "fail").write_text('#!/bin/sh\nprintf %s "$*"\nexit 3\n')
    for program in tmp_path.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "policy.yaml").write_text(POLICY)
    runner = Runner(Limits())

    def build(**settings: object) -> Client:
        chosen = {"allowed_commands": "show,fail,grep", "policy_file": f"{tmp_path}/policy.yaml"}
        return create_app(Settings(**(chosen | settings)), runner).test_client()  # type: ignore[arg-type]

    yield build
    runner.close()


def post(
    client: Client,
    metadata: dict[str, str],
    namespace: str = "test",
    headers: dict[str, str] | None = None,
) -> TestResponse:
    payload = {"name": "podinfo", "namespace": namespace, "checksum": "7", "metadata": metadata}
    return client.post("/", data=json.dumps(payload), headers=headers)


def answer(reply: TestResponse) -> tuple[int, str]:
    return reply.status_code, reply.text


def audited(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [entry.__dict__ for entry in caplog.records if entry.name.endswith(".audit")]


def shown(client: Client, kind: str, command: str, **more: str) -> tuple[int, str]:
    metadata = {"type": kind, "cmd": command, "returnCmdOutput": "true"} | more
    return answer(post(client, metadata))


def test_a_command_runs_without_a_shell(make: Make) -> None:
    client = make()
    assert shown(client, "bash", "show 'a $b' | grep -o '$b' && show c") == (200, "$b\n<c>")
    assert shown(client, "bash", "") == (200, "")
    assert answer(post(client, {"cmd": "show a"})) == (202, "")
    assert answer(post(client, {})) == (400, "metadata not found in payload")
    assert answer(post(client, {"type": "cmd"})) == (400, "cmd not found in metadata")
    failed = (500, "command show a; fail failed: <a>: exit status 3")
    assert shown(client, "bash", "show a; fail") == failed


def test_pipefail_is_metadata(make: Make) -> None:
    client = make()
    assert shown(client, "bash", "fail | show a") == (200, "<a>")
    assert shown(client, "bash", "fail | show a", pipefail="true")[0] == 500


@pytest.mark.parametrize("kind", ["cmd", "bash"])
def test_what_cannot_be_parsed_is_400_and_what_is_forbidden_403(make: Make, kind: str) -> None:
    client = make()
    status, text = shown(client, kind, "show $HOME")
    assert status == 400
    assert text.startswith("an expansion, '$' at character 6 of the command: strict mode runs no")
    status, text = shown(client, kind, "rm -rf /")
    assert (status, text) == (403, "command not allowed: rm, allowed are: fail, grep, show")
    metrics = client.get("/metrics").text
    assert 'flagger_loadtester_tasks_rejected_total{reason="policy"} 1.0' in metrics


def test_a_shell_needs_the_flag_and_the_namespace(make: Make) -> None:
    metadata = {"type": "bash", "cmd": "echo $((6*7))", "returnCmdOutput": "true"}
    assert answer(post(make(allow_shell=True), metadata, "shell")) == (200, "42\n")
    assert post(make(allow_shell=True), metadata).status_code == 400
    assert post(make(), metadata, "shell").status_code == 400


def test_helm_runs_tests_only(make: Make) -> None:
    client = make()
    arguments = "<test><podinfo><--namespace><test><--timeout><5m0s>"
    assert shown(client, "helm", "test podinfo") == (200, arguments)
    note = "note: --cleanup has no meaning in Helm 3 and was dropped\n"
    assert shown(client, "helmv3", "test podinfo --cleanup") == (200, note + arguments)
    assert shown(client, "helm", "uninstall podinfo") == (403, "command not allowed: uninstall")
    status, text = shown(client, "helm", "test podinfo -n prod")
    assert (status, text) == (403, "namespace not allowed: prod is not the canary's test")


def test_kubectl_runs_what_the_policy_lists(make: Make) -> None:
    client = make()
    assert shown(client, "kubectl", "get pods") == (200, "<--namespace><test><get><pods>")
    assert shown(client, "kubectl", "delete pods a")[0] == 403
    assert shown(client, "kubectl", "get pods | show")[0] == 400
    assert shown(make(policy_file=""), "kubectl", "get pods")[0] == 403


def test_other_systems_have_to_be_listed(make: Make, tmp_path: pathlib.Path) -> None:
    (tmp_path / "key").touch()
    client = make(files=str(tmp_path))
    grinder = {"type": "ngrinder", "server": "http://ngrinder.test/", "clone": "7"}
    reply = answer(post(client, grinder))
    assert reply == (403, "host not allowed: ngrinder.test is not in the policy file")
    listed = grinder | {"server": "http://concord.example.com/"}
    assert answer(post(client, listed))[0] == 400  # its other metadata are missing
    keys = ("org", "project", "repo", "entrypoint", "endpoint")
    concord = {"type": "concord", "server": "http://concord.example.com"} | dict.fromkeys(keys, "x")
    status, text = answer(post(client, concord | {"apiKeyPath": "/etc/passwd"}))
    assert (status, text.partition(" is")[0]) == (403, "file not allowed: /etc/passwd")
    status, text = answer(post(client, concord | {"apiKeyPath": f"{tmp_path}/key", "org": ""}))
    assert (status, text) == (500, "`org` is required with type concord")
    status, text = answer(post(client, concord | {"server": "http://169.254.169.254"}))
    assert status == 403


def test_the_namespace_expression_is_about_the_whole_name(make: Make) -> None:
    client = make(namespace_regexp="tes")
    assert answer(post(client, {"cmd": "show"})) == (403, "Forbidden")
    assert post(make(namespace_regexp="tes."), {"cmd": "show"}).status_code == 202


def test_callers_have_to_be_known(make: Make, tmp_path: pathlib.Path) -> None:
    (tmp_path / "tokens").write_text("secret\n")
    (tmp_path / "key").write_text("key\n")
    client = make(
        auth_token_file=f"{tmp_path}/tokens", auth_hmac_key_file=f"{tmp_path}/key", policy_file=""
    )
    metadata = {"type": "bash", "cmd": ""}
    assert answer(post(client, metadata)) == (401, "Unauthorized")
    assert client.post("/gate/open", data=b"{}").status_code == 401
    for path in ("/healthz", "/readyz", "/metrics", "/gate/approve"):
        assert client.get(path).status_code == 200
    header = {"Authorization": "Bearer secret"}
    assert post(client, metadata, headers=header).status_code == 200
    assert post(client, metadata | {"token": "secret"}).status_code == 200
    at, body = str(int(time.time())), json.dumps({"metadata": metadata}).encode()
    digest = hmac.new(b"key", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    signed = {callers.TIMESTAMP: at, callers.SIGNATURE: f"sha256={digest}"}
    assert client.post("/", data=body, headers=signed).status_code == 200


def test_the_audit_log(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "flagger_loadtester.audit")
    client, command = make(), "show 'Authorization: abc' | fail"
    shown(client, "bash", command)
    shown(client, "cmd", "rm token=abc")
    first, ended, refused = audited(caplog)
    assert [each["decision"] for each in (first, ended, refused)] == [
        "accepted",
        "ended",
        "refused",
    ]
    assert first["sha256"] == ended["sha256"] == hashlib.sha256(command.encode()).hexdigest()
    known = {"remote": "127.0.0.1", "proof": "nothing", "canary": "podinfo.test", "checksum": "7"}
    for each, kind in ((first, "bash"), (ended, "bash"), (refused, "cmd")):
        assert {key: each[key] for key in known} == known
        assert each["type"] == kind
    assert ended["reason"] == "exit status 3"
    assert isinstance(ended["seconds"], float)
    assert refused["status"] == 403
    assert str(refused["reason"]).startswith("command not allowed: rm")
    assert first["message"] != refused["message"]  # the log's sampling drops repeated ones


def test_the_end_of_background_tasks_is_audited(
    make: Make, caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    caplog.set_level(logging.INFO, "flagger_loadtester.audit")
    post(make(), {"cmd": "fail"})
    eventually(lambda: [line["decision"] for line in audited(caplog)] == ["accepted", "ended"])
    assert audited(caplog)[1]["reason"] == "exit status 3"


def test_secrets_are_neither_logged_nor_returned(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = make()
    for text in (
        "fail 'Authorization: hushhush'",
        "fail -u me:hushhush",
        "grep x token=hushhush",
        "$ -u a:hushhush",
    ):
        assert "hush" not in shown(client, "bash", text)[1]
    assert "hush" not in caplog.text
    assert "hush" not in str([entry.__dict__ for entry in caplog.records])
    assert "hush" not in client.get("/api/v1/tasks").text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"compat": True}, "compat mode: WHOEVER REACHES THE PORT RUNS ANY COMMAND"),
        ({"compat": True, "auth_token_file": "/x"}, "compat mode: whoever has the secret RUNS ANY"),
        ({}, "callers are not known: set -auth-token-file or -auth-hmac-key-file"),
        ({"auth_hmac_key_file": "/x"}, None),
    ],
)
def test_warnings_at_the_start(
    make: Make, caplog: pytest.LogCaptureFixture, settings: dict[str, object], words: str | None
) -> None:
    make(**settings)
    said = [text for text in caplog.messages if text.startswith(("compat", "callers"))]
    assert [text[: len(words or "")] for text in said] == ([words] if words else [])
