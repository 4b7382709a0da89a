"""Upstream's flags and environment, in every spelling (install.md section 1)."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from flagger_common.version import __version__
from flagger_controller.cluster.http import HttpSettings
from flagger_controller.operator import cli
from flagger_controller.operator.settings import Settings
from flagger_controller.operator.shards import Shard

FLAGS: list[tuple[str, str, Any]] = [
    ("kubeconfig", "/kube/config", "/kube/config"),
    ("kubeconfig-service-mesh", "/kube/mesh", "/kube/mesh"),
    ("master", "https://api:6443", "https://api:6443"),
    ("kubeconfig-qps", "7", 7),
    ("kubeconfig-burst", "9", 9),
    ("metrics-server", "http://prom:9090", "http://prom:9090"),
    ("metrics-server-secret", "/etc/login", "/etc/login"),
    ("log-level", "info", "info"),
    ("zap-encoding", "console", "console"),
    ("port", "10080", 10080),
    ("namespace", "shop, market", ("shop", "market")),
    ("mesh-provider", "traefik", "traefik"),
    ("selector-labels", "app,team", ("app", "team")),
    ("include-label-prefix", "a/,b/", ("a/", "b/")),
    ("enable-config-tracking", "false", False),
    ("ingress-annotations-prefix", "custom.io", "custom.io"),
    ("ingress-class", "nginx", "nginx"),
    ("enable-leader-election", "true", True),
    ("leader-election-namespace", "flagger", "flagger"),
    ("cluster-name", "east", "east"),
    ("no-cross-namespace-refs", "true", True),
    ("event-webhook", "http://hook/", "http://hook/"),
    ("events-addr", "http://flux/", "http://flux/"),
    ("slack-url", "http://slack/", "http://slack/"),
    ("slack-token", "xoxb", "xoxb"),
    ("slack-proxy-url", "http://proxy/", "http://proxy/"),
    ("slack-user", "bot", "bot"),
    ("slack-channel", "deploys", "deploys"),
    ("msteams-url", "http://teams/", "http://teams/"),
    ("msteams-proxy-url", "http://proxy2/", "http://proxy2/"),
    ("interval-floor", "0.5", 0.5),
]
BOOLEANS = ("enable-config-tracking", "enable-leader-election", "no-cross-namespace-refs")
LEVELS = ("debug", "info", "warn", "warning", "error", "fatal", "panic")
IGNORED = [
    "-control-loop-interval=10s",
    "-threadiness=2",
    "-zap-replace-globals",
    "-v=4",
    "-vmodule=x=2",
    "-logtostderr",
    "-alsologtostderr=false",
    "-stderrthreshold=2",
    "-log_dir=/tmp",
    "-log_file=/tmp/x",
    "-log_file_max_size=1800",
    "-one_output",
    "-add_dir_header",
    "-skip_headers=true",
    "-skip_log_headers",
    "-log_backtrace_at=:0",
]


class Program:
    """The command line, and the settings that it ran with."""

    def __init__(self) -> None:
        self.settings: list[Settings] = []

    def run(self, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None) -> Result:
        def start(settings: Settings) -> int:
            self.settings.append(settings)
            return code

        clean = dict.fromkeys([*cli._ENVIRONMENT, "POD_NAME"])
        return CliRunner().invoke(cli.command(start), arguments, env={**clean, **(env or {})})

    def parse(self, *arguments: str, env: Mapping[str, str] | None = None) -> Settings:
        result = self.run(*arguments, env=env)
        assert result.exit_code == 0, result.output
        return self.settings[-1]


@pytest.fixture
def program() -> Program:
    return Program()


def test_without_flags_the_defaults_are_those_of_the_settings(program: Program) -> None:
    assert program.parse() == Settings()


def test_limits_of_requests_are_wider_than_upstreams(program: Program) -> None:
    found = program.parse()
    assert (found.kubeconfig_qps, found.kubeconfig_burst) == (500, 1000)
    assert (HttpSettings().qps, HttpSettings().burst) == (500, 1000)


@pytest.mark.parametrize("level", LEVELS)
def test_levels_of_the_log(program: Program, level: str) -> None:
    assert program.parse(f"-log-level={level}").log_level == level


def test_every_setting_has_its_flag() -> None:
    flags = {name.replace("-", "_") for name, _, _ in FLAGS}
    assert {field.name for field in dataclasses.fields(Settings)} == flags | {"shard"}


@pytest.mark.parametrize(("name", "text", "value"), FLAGS)
@pytest.mark.parametrize("dashes", ["-", "--"])
def test_a_value_behind_an_equals_sign(
    program: Program, dashes: str, name: str, text: str, value: Any
) -> None:
    field = name.replace("-", "_")
    assert program.parse(f"{dashes}{name}={text}") == dataclasses.replace(
        Settings(), **{field: value}
    )


@pytest.mark.parametrize(("name", "text", "value"), [f for f in FLAGS if f[0] not in BOOLEANS])
@pytest.mark.parametrize("dashes", ["-", "--"])
def test_a_value_as_the_next_argument(
    program: Program, dashes: str, name: str, text: str, value: Any
) -> None:
    settings = program.parse(f"{dashes}{name}", text)
    assert getattr(settings, name.replace("-", "_")) == value


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize("dashes", ["-", "--"])
def test_booleans(program: Program, dashes: str, name: str) -> None:
    field, flag = name.replace("-", "_"), dashes + name
    assert getattr(program.parse(flag), field) is True
    for word in ("true", "1", "T"):
        assert getattr(program.parse(f"{flag}={word}"), field) is True
    for word in ("false", "0", "F"):
        assert getattr(program.parse(f"{flag}={word}"), field) is False


def test_a_bare_boolean_does_not_swallow_the_next_flag(program: Program) -> None:
    settings = program.parse("-enable-leader-election", "-namespace", "shop")
    assert settings.enable_leader_election
    assert settings.namespace == ("shop",)


def test_the_arguments_of_upstreams_manifests(program: Program) -> None:
    settings = program.parse(
        "-log-level=info",
        "-mesh-provider=kubernetes",
        "-metrics-server=http://prometheus:9090",
        "-selector-labels=app,name,app.kubernetes.io/name",
        "-enable-leader-election=true",
        "-leader-election-namespace=flagger-system",
        "-include-label-prefix=app.kubernetes.io",
    )
    assert settings.mesh_provider == "kubernetes"
    assert settings.include_label_prefix == ("app.kubernetes.io",)
    assert settings.lease_namespace == "flagger-system"


def test_the_lease_lives_in_the_only_namespace_that_is_watched(program: Program) -> None:
    settings = program.parse("-namespace=shop", "-leader-election-namespace=flagger")
    assert settings.lease_namespace == "shop"
    several = program.parse("-namespace=shop,market", "-leader-election-namespace=flagger")
    assert several.lease_namespace == "flagger"


def test_the_scopes_of_lists(program: Program) -> None:
    assert program.parse().scopes == ("",)
    assert program.parse("-namespace=shop,market,shop").scopes == ("shop", "market")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", ()), ("*", ("*",)), ("a,b", ("a", "b")), ("a,,b,", ("a", "b"))],
)
def test_comma_lists(program: Program, text: str, words: tuple[str, ...]) -> None:
    assert program.parse(f"-include-label-prefix={text}").include_label_prefix == words
    assert program.parse(f"-selector-labels={text}").selector_labels == words


VARIABLES = [
    ("EVENT_WEBHOOK_URL", "event-webhook"),
    ("EVENTS_ADDR", "events-addr"),
    ("SLACK_URL", "slack-url"),
    ("SLACK_TOKEN", "slack-token"),
    ("SLACK_PROXY_URL", "slack-proxy-url"),
    ("MSTEAMS_URL", "msteams-url"),
    ("MSTEAMS_PROXY_URL", "msteams-proxy-url"),
]


@pytest.mark.parametrize(("variable", "flag"), VARIABLES)
def test_the_environment_wins_over_the_flag(program: Program, variable: str, flag: str) -> None:
    field = flag.replace("-", "_")
    by_both = program.parse(f"-{flag}=flag", env={variable: "environment"})
    assert getattr(by_both, field) == "environment"
    assert getattr(program.parse(env={variable: "environment"}), field) == "environment"


@pytest.mark.parametrize(("variable", "flag"), VARIABLES)
def test_an_empty_variable_counts_as_absent(program: Program, variable: str, flag: str) -> None:
    settings = program.parse(f"-{flag}=flag", env={variable: ""})
    assert getattr(settings, flag.replace("-", "_")) == "flag"


@pytest.mark.parametrize(("variable", "flag"), VARIABLES)
def test_the_end_of_a_line_is_no_part_of_a_secret(
    program: Program, variable: str, flag: str
) -> None:
    settings = program.parse(env={variable: "environment\n"})
    assert getattr(settings, flag.replace("-", "_")) == "environment"


def test_other_variables_mean_nothing(program: Program) -> None:
    assert program.parse(env={"FLAGGER_PORT": "tcp://10.0.0.1:80", "NAMESPACE": "x"}) == Settings()


@pytest.mark.parametrize("argument", IGNORED)
def test_flags_that_have_no_effect_any_more_are_accepted(program: Program, argument: str) -> None:
    assert program.parse(argument) == Settings()
    assert program.parse(f"-{argument}") == Settings()


def test_ignored_flags_are_not_advertised(program: Program) -> None:
    text = program.run("-help").output
    assert "-metrics-server" in text
    assert "-threadiness" not in text
    assert "-interval-floor" not in text


@pytest.mark.parametrize("flag", ["-h", "-help", "--help"])
def test_help(program: Program, flag: str) -> None:
    result = program.run(flag)
    assert result.exit_code == 0
    assert "-mesh-provider" in result.output
    assert program.settings == []


@pytest.mark.parametrize("flag", ["-version", "--version", "-version=true"])
def test_version(program: Program, flag: str) -> None:
    result = program.run(flag, "-port=1")
    assert result.exit_code == 0
    assert result.output == f"Flagger version {__version__} revision  python\n"
    assert program.settings == []


def test_no_version(program: Program) -> None:
    assert program.parse("-version=false") == Settings()


def test_a_shard_implies_leader_election(program: Program) -> None:
    settings = program.parse("-shard=1/3", "-shard-label=example.com/team")
    assert settings.shard == Shard(1, 3, "example.com/team")
    assert settings.enable_leader_election
    assert program.parse("-shard=0/1") == Settings(enable_leader_election=True)


@pytest.mark.parametrize(("pod", "index"), [("flagger-0", 0), ("flagger-2", 2), ("flagger-4", 1)])
def test_the_shard_of_a_pod(program: Program, pod: str, index: int) -> None:
    assert program.parse("-shard=auto/3", env={"POD_NAME": pod}).shard == Shard(index, 3)
    assert program.parse("-shard=0/3", env={"POD_NAME": pod}).shard == Shard(0, 3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-shard=3/3",), "with 3 shards the last one is 2/3"),
        (("-shard=0/0",), "must be from 1 to 256"),
        (("-shard=0/257",), "must be from 1 to 256"),
        (("-shard=1",), "write index/count"),
        (("-shard=-1/2",), "write index/count"),
        (("-shard=0/2/4",), "write index/count"),
        (("-shard=auto/2",), "needs POD_NAME with a number at its end"),
        (("-shard-label=team",), "-shard-label needs -shard"),
        (("-shard=0/2", "-shard-label=a team"), "is not the key of a label"),
    ],
)
def test_what_names_no_shard(program: Program, arguments: tuple[str, ...], text: str) -> None:
    result = program.run(*arguments)
    assert result.exit_code == 2
    assert text in " ".join(result.output.split())
    assert program.settings == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("-unknown",),
        ("--unknown=x",),
        ("-port=many",),
        ("-port",),
        ("-kubeconfig-qps=1.5",),
        ("-zap-encoding=xml",),
        ("-log-level=loud",),
        ("-enable-leader-election=yes",),
        ("-control-loop-interval=10",),
        ("-namespace=shop*",),
        ("-namespace=!shop",),
        ("operand",),
    ],
)
def test_what_cannot_be_understood_ends_with_code_2(
    program: Program, arguments: tuple[str, ...]
) -> None:
    result = program.run(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.output
    assert program.settings == []


@pytest.mark.parametrize("code", [0, 1])
def test_the_exit_code_is_that_of_the_process(program: Program, code: int) -> None:
    assert program.run(code=code).exit_code == code


def test_the_command_is_made_anew_each_time() -> None:
    first, second = cli.command(lambda _: 0), cli.command(lambda _: 0)
    assert first is not second
    assert isinstance(first, click.Command)
    assert first.name == "flagger"
