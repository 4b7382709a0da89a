"""The settings of the process: flags and their environment variables."""

import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from flagger_common import flags, helmtest

from . import flights, helm

SERVICE: Final = "HELMTESTER"
"""Prefix of the environment variables."""

GRACEFUL_SECONDS: Final = 330
"""How long running tests may take after SIGTERM; the chart's grace period (spec B.7)."""

STOP_SECONDS: Final = GRACEFUL_SECONDS - 2 * helm.GRACE_SECONDS
"""When tests still running after SIGTERM are stopped, so that their requests get an answer."""

SPARE_THREADS: Final = 4
"""Threads beyond those that tests can occupy, for probes and refusals."""

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What the operator of the service decides."""

    port: int = 9090
    """TCP port, on all interfaces; 9090 as upstream, the chart passes 8080."""
    log_level: str = "debug"
    """Least severe level that is logged; debug as upstream, the chart passes info."""
    zap_encoding: str = "json"
    """Form of log lines, `json` or `console`; the name is upstream's."""
    timeout: float = 3600.0
    """Seconds until a running Helm is ended, and the longest `--timeout`; 1h as upstream."""
    namespace_regexp: str = ""
    """Searched (not anchored, as upstream) in the payload's namespace; empty allows all."""
    helm_path: str = "helm"
    """The Helm 3 program; a name without a slash is looked up in `PATH`."""
    home: str = ""
    """Writable directory for Helm's caches; empty: a temporary one."""
    max_concurrency: int = 4
    """Tests running at the same time."""
    queue_size: int = 32
    """Requests beyond those, waiting for a turn or for a result; more get 429."""
    queue_timeout: float = 300.0
    """Seconds a test waits for its turn before it gets 429."""
    allow_debug: bool = False
    """Whether hooks may say `--debug`, which can print values of the release."""

    @property
    def policy(self) -> helmtest.Policy:
        """What commands are allowed."""
        return helmtest.Policy(self.timeout, self.allow_debug)

    @property
    def limits(self) -> flights.Limits:
        """How much may happen at once."""
        return flights.Limits(self.max_concurrency, self.queue_size, self.queue_timeout)

    @property
    def threads(self) -> int:
        """Threads of the server: a waiting test holds one for minutes, probes need some too."""
        return self.limits.callers + SPARE_THREADS


_OPTIONS: Final = (
    ("port", click.IntRange(1, 65535), "port to listen on"),
    ("log-level", str, "debug, info, warn, error, fatal or panic"),
    ("zap-encoding", click.Choice(["json", "console"]), "form of log lines"),
    ("timeout", flags.Duration(), "time limit of one helm test"),
    ("namespace-regexp", flags.NamespaceExpression(), "namespaces to serve, empty: all"),
    ("helm-path", str, "the Helm 3 program"),
    ("home", str, "writable directory for Helm's caches, empty: a temporary one"),
    ("max-concurrency", click.IntRange(min=1), "tests running at the same time"),
    ("queue-size", click.IntRange(min=0), "further requests waiting"),
    ("queue-timeout", flags.Duration(), "longest wait for a turn"),
    ("allow-debug", bool, "let hooks use --debug"),
)


def program(chosen: Settings, environ: Mapping[str, str]) -> helm.Helm:
    """Build what runs the tests.

    Args:
        chosen: the settings of the process.
        environ: its environment; a few variables of it reach Helm.
    """
    home = chosen.home or tempfile.mkdtemp(prefix="helmtester-")
    return helm.Helm(chosen.helm_path, pathlib.Path(home), chosen.timeout, environ)


def options(command: CommandT) -> CommandT:
    """Give a click command all flags of the service."""
    defaults = {field.name: field.default for field in dataclasses.fields(Settings)}
    for name, kind, text in reversed(_OPTIONS):
        default = defaults[name.replace("-", "_")]
        command = flags.option(SERVICE, name, default, kind, text)(command)
    return command


def from_environ() -> Settings:
    """Read the settings from the environment alone, where `__main__` put them for the server."""

    @click.command()
    @options
    def reading(**values: Any) -> None:
        del values

    return Settings(**reading.make_context(SERVICE.lower(), []).params)
