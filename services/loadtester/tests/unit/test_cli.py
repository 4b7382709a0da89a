"""Flags and variables."""

import dataclasses
import pathlib

import pytest

from flagger_common import declared, flags
from flagger_loadtester import cli
from flagger_loadtester.settings import Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in dataclasses.fields(Settings):
        monkeypatch.delenv(flags.variable(cli.SERVICE, field.name), raising=False)


def test_defaults_are_upstreams() -> None:
    settings = cli.settings()
    assert settings == Settings()
    assert (settings.port, settings.log_level, settings.timeout) == (9090, "debug", 3600.0)


def test_strict_mode_is_the_default() -> None:
    assert not cli.settings().compat
    assert cli.settings(["--compat"]).compat
    assert not cli.settings(["-compat=false"]).compat


def test_rules_of_strict_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "tools")
    arguments = ["-allowed-commands=hey, curl,", "-files=/a,/b", "-timeout=90s", "-max-requests=5"]
    scope = cli.settings(arguments).scope()
    assert scope.own_namespace == "tools"
    assert sorted(scope.commands) == ["curl", "hey"]
    assert list(map(str, scope.files)) == ["/a", "/b"]
    assert (scope.duration, scope.concurrency, scope.requests) == (90.0, 200, 5)
    limited = cli.settings(["-own-namespace=apps", "-max-duration=5s"]).scope()
    assert (limited.own_namespace, limited.duration) == ("apps", 5.0)


@pytest.mark.parametrize("content", [None, "namespaces: 1"])
def test_a_policy_that_cannot_be_used_is_a_bad_flag(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    path = tmp_path / "policy.yaml"
    if content:
        path.write_text(content)
    with pytest.raises(SystemExit) as ended:
        cli.main([f"-policy-file={path}"])
    assert ended.value.code == 2
    assert str(path) in capsys.readouterr().err


def test_the_arguments_of_the_chart() -> None:
    arguments = ["-port=8080", "-log-level=info", "-timeout=90s", "-namespace-regexp="]
    settings = cli.settings(arguments)
    assert settings == Settings(port=8080, log_level="info", timeout=90.0)


def test_settings_reach_the_server_process(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        port=8080,
        timeout=0.5,
        namespace_regexp="^a b$",
        namespace_anchored=True,
        zap_encoding="console",
        max_output=2048,
        shutdown_timeout=1.5,
        compat=True,
        files="/a,/b",
        max_duration=90.0,
        own_namespace="test",
        verify_canary=True,
        kube_api="https://localhost:6443",
        kube_token_file="/token",
        kube_ca_file="/ca.crt",
    )
    for name, value in flags.environ(cli.SERVICE, settings).items():
        monkeypatch.setenv(name, value)
    assert cli.settings() == settings


def test_without_an_api_server_nothing_can_be_verified() -> None:
    with pytest.raises(ValueError, match="-verify-canary needs an API server"):
        Settings(verify_canary=True).verify({})
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert Settings(verify_canary=True).verify(pod) is not declared.believe
    assert Settings().verify({}) is declared.believe


BAD = [
    "-kube-api=localhost",
    "-nope",
    "-timeout=1",
    "-zap-encoding=xml",
    "-port=0",
    "-port",
    "-namespace-regexp=(",
]


@pytest.mark.parametrize("flag", BAD)
def test_bad_flags_end_with_2_and_usage(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([flag])
    assert ended.value.code == 2
    assert "Usage:" in capsys.readouterr().err


def test_blocking_tasks_leave_threads_for_probes() -> None:
    assert Settings(threads=72).limits().max_blocking == 64
    assert Settings(threads=4).limits().max_blocking == 1


def test_the_server_outlives_the_drain() -> None:
    assert Settings(shutdown_timeout=60.0).server().graceful_seconds > 60
