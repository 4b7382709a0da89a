"""Flags in Go's notation and their environment variables."""

import dataclasses

import click
import pytest
from click.testing import CliRunner

from flagger_common import flags, serving


@dataclasses.dataclass(frozen=True)
class Settings:
    port: int
    timeout: float
    strict: bool
    namespace_regexp: str


@click.command(context_settings=dict(flags.CONTEXT))
@flags.option("PROBE", "port", 9090, click.IntRange(1, 65535), "port")
@flags.option("PROBE", "timeout", "1h", flags.Duration(), "limit")
@flags.option("PROBE", "strict", "false", bool, "no shell")
@flags.option("PROBE", "namespace-regexp", "", flags.NamespaceExpression(), "whom to serve")
def command(port: int, timeout: float, strict: bool, namespace_regexp: str) -> None:
    click.echo(repr((port, timeout, strict, namespace_regexp)))


def run(*arguments: str, **environ: str) -> str:
    result = CliRunner().invoke(command, list(arguments), env=environ)
    assert result.exit_code == 0, result.output
    return result.output.strip()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), (9090, 3600.0, False, "")),
        (("-port", "80"), (80, 3600.0, False, "")),
        (("-port=80", "--timeout=1m30s"), (80, 90.0, False, "")),
        (("-namespace-regexp=", "-strict"), (9090, 3600.0, True, "")),
        (("-strict=T", "-namespace-regexp", "^a"), (9090, 3600.0, True, "^a")),
        (("-strict=0",), (9090, 3600.0, False, "")),
    ],
)
def test_all_spellings(arguments: tuple[str, ...], expected: tuple[object, ...]) -> None:
    assert run(*arguments) == repr(expected)


@pytest.mark.parametrize(
    "arguments",
    [["-nope"], ["-port", "x"], ["-timeout", "5"], ["-strict=yes"], ["-namespace-regexp", "("]],
)
def test_bad_flags_exit_2_with_usage_on_stderr(arguments: list[str]) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


@pytest.mark.parametrize("flag", ["-h", "-help", "--help"])
def test_help_exits_0(flag: str) -> None:
    assert CliRunner().invoke(command, [flag]).exit_code == 0


def test_settings_travel_through_the_environment() -> None:
    settings = Settings(81, 90.5, True, "^test$")
    environ = flags.environ("PROBE", settings)
    assert environ["PROBE_NAMESPACE_REGEXP"] == "^test$"
    assert run(**environ) == repr((81, 90.5, True, "^test$"))


def test_variables_that_kubernetes_makes_of_services_are_overlooked() -> None:
    assert run(PROBE_PORT="tcp://10.0.0.1:80") == repr((9090, 3600.0, False, ""))


def test_the_server_command_has_no_private_state() -> None:
    server = serving.Server(app="x.wsgi:app", port=8080, address="127.0.0.1", threads=4)
    assert server.argv()[1:] == [
        "-m", "gunicorn", "-c", "python:flagger_common.gunicorn_conf", "x.wsgi:app",
    ]  # fmt: skip
    assert server.environ()["FLAGGER_HTTP_BIND"] == "127.0.0.1:8080"
    assert serving.Server(app="x", port=1).environ()["FLAGGER_HTTP_BIND"] in ("[::]:1", "0.0.0.0:1")
