"""The policy file: what it may say, how faults are told, and that it is read again."""

import os
import pathlib

import pytest

from flagger_loadtester.policy import document
from flagger_loadtester.policy.file import PolicyFile

GOOD = """
namespaces:
  "*": {hosts: [App.example.com, "*.test.example.com", "10.0.0.1", "[fd00::1]"]}
  test:
    commands: [hey, mytool]
    arguments: {mytool: ["-v", "https?://.*"]}
    shell: true
    kubectl: {verbs: [get], resources: [pods]}
    maximum: {duration: 1m30s, concurrency: 5, requests: 100}
"""


def test_a_policy_is_read() -> None:
    policy = document.parse(GOOD)
    entry = policy.entry("test")
    assert (entry.commands, entry.shell) == (("hey", "mytool"), True)
    assert (entry.kubectl.verbs, entry.kubectl.resources) == (("get",), ("pods",))
    most = entry.maximum
    assert (most.duration, most.concurrency, most.requests) == (90.0, 5, 100)
    assert [each.pattern for each in entry.arguments["mytool"]] == ["-v", "https?://.*"]
    expected = ("app.example.com", "*.test.example.com", "10.0.0.1", "fd00::1")
    assert policy.entry("other").hosts == expected


def test_an_empty_policy_allows_nothing_more() -> None:
    assert document.parse("").entry("test") == document.Namespace()
    assert document.parse("namespaces: {a: {shell: true}}").entry("b").shell is False


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "no YAML"),
        ("[]", "valid dictionary"),
        ("namespaces: {a: {shel: true}}", "namespaces.a.shel: Extra inputs"),
        ("namespaces: {a: {shell: perhaps}}", "namespaces.a.shell"),
        ("namespaces: {a: {hosts: ['http://x/']}}", "is no host"),
        ("namespaces: {a: {hosts: ['*']}}", "is no host"),
        ("namespaces: {a: {arguments: {x: ['(']}}}", "is no regular expression"),
        ("namespaces: {a: {arguments: {x: [1]}}}", "write an expression as text"),
        ("namespaces: {a: {maximum: {duration: 5}}}", "write a duration as text"),
        ("namespaces: {a: {maximum: {duration: soon}}}", 'invalid duration "soon"'),
        ("namespaces: {a: {maximum: {duration: 0s}}}", "greater than 0"),
        ("namespaces: {a: {maximum: {concurrency: 0}}}", "greater than or equal to 1"),
    ],
)
def test_faults_are_named(text: str, fault: str) -> None:
    with pytest.raises(document.PolicyError) as caught:
        document.parse(text)
    assert fault in str(caught.value)


def test_a_changed_file_is_read_again(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, new = tmp_path / "policy.yaml", tmp_path / "new"
    path.write_text(GOOD)
    policy = PolicyFile(path)
    assert policy.current() is policy.current()
    for bad in ("namespaces: 1", "namespaces: 2"):
        new.write_text(bad)
        os.replace(new, path)
        for _ in range(2):
            assert policy.current().entry("test").shell
    path.unlink()
    assert policy.current().entry("test").shell
    errors = [entry for entry in caplog.messages if "the last one stays in force" in entry]
    assert len(errors) == 2
    new.write_text("namespaces: {test: {shell: false}}")
    os.replace(new, path)
    assert not policy.current().entry("test").shell


@pytest.mark.parametrize("content", [None, b"namespaces: 1", b"\xff"])
def test_without_a_good_file_there_is_no_policy(
    tmp_path: pathlib.Path, content: bytes | None
) -> None:
    path = tmp_path / "policy.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(document.PolicyError, match="policy"):
        PolicyFile(path)
