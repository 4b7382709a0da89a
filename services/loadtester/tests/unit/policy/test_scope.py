"""Which hosts and files the payloads of a namespace may name."""

import pathlib

import pytest

from flagger_loadtester.policy.scope import RefusedError, Scope

LISTED = ("app.example.com", "*.apps.example.com", "10.0.0.1", "fd00::1")


@pytest.mark.parametrize(
    ("host", "own", "allowed"),
    [
        ("podinfo.test", "", True),
        ("podinfo.test.svc", "", True),
        ("podinfo.test.svc.cluster.local", "", True),
        ("Podinfo.Test.svc.cluster.local.", "", True),
        ("podinfo.prod", "", False),
        ("podinfo.test.prod", "", False),
        ("podinfo.test.svc.example.com", "", False),
        ("podinfo", "", True),
        ("podinfo", "test", True),
        ("podinfo", "tools", False),
        ("localhost", "", False),
        ("127.0.0.1", "", False),
        ("2130706433", "", False),
        ("0x7f000001", "", False),
        ("127.test", "", False),
        ("169.254.169.254", "", False),
        ("[::1]", "", False),
        (".test", "", False),
        ("app.example.com", "", True),
        ("xapp.example.com", "", False),
        ("a.b.apps.example.com", "", True),
        ("apps.example.com", "", False),
        (".apps.example.com", "", False),
        ("10.0.0.1", "", True),
        ("10.0.0.12", "", False),
        ("[fd00::1]", "", True),
    ],
)
def test_hosts(host: str, own: str, allowed: bool) -> None:
    scope = Scope("test", hosts=LISTED, own_namespace=own)
    if allowed:
        scope.check_host(host)
        return
    with pytest.raises(RefusedError, match="host not allowed"):
        scope.check_host(host)


@pytest.mark.parametrize("namespace", ["", "a.b", "Test", "-x", "x" * 64, "te st"])
def test_a_namespace_that_cannot_be_has_no_services(namespace: str) -> None:
    assert not Scope(namespace, own_namespace="tools").is_service(f"podinfo.{namespace}")


def test_addresses_that_look_like_services_are_none() -> None:
    assert not Scope("1").is_service("10.1")  # 10.0.0.1 to most programs


def test_some_targets_have_to_be_listed() -> None:
    scope = Scope("test", hosts=LISTED)
    scope.check_listed("app.example.com")
    with pytest.raises(RefusedError, match="is not in the policy file"):
        scope.check_listed("podinfo.test")


def test_files(tmp_path: pathlib.Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "real.bats").touch()
    for secret in ("secret", "one.proto", "two.proto"):
        (tmp_path / secret).touch()
    (tests / "in").symlink_to(tests / "real.bats")
    (tests / "out").symlink_to(tmp_path / "secret")
    (tests / "loop").symlink_to(tests / "loop")
    (tmp_path / "link").symlink_to(tests)
    scope = Scope("test", files=(tmp_path / "link", tmp_path / "one.proto"))
    for good in (tests, tests / "real.bats", tests / "in", tmp_path / "one.proto"):
        scope.check_file(str(good))
    bad = [
        tests / "out",
        tests / "loop",
        tmp_path,
        tmp_path / "two.proto",
        tests / "not-there",
        tests / ".." / "secret",
    ]
    for path in [*map(str, bad), "tests", "", "-", f"{tests}/a\0", f"{tests}/{'x' * 300}/y"]:
        with pytest.raises(RefusedError, match="file not allowed"):
            scope.check_file(path)
    with pytest.raises(RefusedError, match="no file below one of: none"):
        Scope("test").check_file("/tests/x")
