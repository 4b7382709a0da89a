"""The settings of the process: flags and their environment variables."""

import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from flagger_common import authz, callers, cluster, flags, helmtest

from . import flights, helm, legacy

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
    """Has to match the whole name of a namespace; empty allows all."""
    release_namespaces: str = ""
    """Comma-separated namespaces whose releases every hook may test, beside its canary's own."""
    default_namespace: str = "canary"
    """Where a release is without `-n`: in the `canary`'s namespace, or in that of our `pod`."""
    helm_path: str = "helm"
    """The Helm 3 program; a name without a slash is looked up in `PATH`."""
    home: str = ""
    """Writable directory for Helm's caches; empty: a temporary one."""
    max_concurrency: int = 4
    """Tests running at the same time."""
    per_namespace_concurrency: int = 1
    """Tests of one namespace among them."""
    queue_size: int = 32
    """Requests beyond those, waiting for a turn or for a result; more get 429."""
    queue_timeout: float = 300.0
    """Seconds a test waits for its turn before it gets 429."""
    allow_debug: bool = False
    """Whether hooks may say `--debug`, which can print values of the release."""
    failure_status: int = 500
    """HTTP status of a failed test; 500 as upstream, whose controller shows the text of a 4xx."""
    result_cache_ttl: float = 30.0
    """Seconds that a passed test answers the same question again; 0: never."""
    cancel_on_disconnect: bool = False
    """Whether a test ends when all clients that wait for it have gone."""
    legacy_types: str = ""
    """URL of a load tester that does the tasks which are not ours; empty: they are refused."""
    auth_token_file: str = ""
    """File with the tokens of those who may call, one a line; empty: everybody may."""
    auth_hmac_key_file: str = ""
    """File with the key that calls are signed with; empty: signatures are not looked at."""
    impersonate: str = ""
    """Service account of the release's namespace that Helm acts as; empty: our own."""
    jobs: bool = False
    """Whether tasks of type `job` are taken."""
    job_templates: str = "helmtester-*"
    """Comma-separated patterns of the ConfigMaps that may hold templates of Jobs."""
    verify_canary: bool = False
    """Whether only tasks run that a webhook of the named Canary lists, see `declared`."""
    kube_api: str = ""
    """URL of the API server for Jobs, exit codes and Canaries; empty: that of the pod, if any."""
    kube_token_file: str = str(cluster.ACCOUNT / "token")
    """Its token."""
    kube_ca_file: str = ""
    """Who signs its certificate; empty: those the system trusts."""

    @property
    def namespaces(self) -> authz.NamespaceRule:
        """Whose hooks are served, and whose releases are tested."""
        return authz.NamespaceRule.parse(self.namespace_regexp, anchored=True)

    @property
    def limits(self) -> flights.Limits:
        """How much may happen at once."""
        return flights.Limits(
            self.max_concurrency,
            self.per_namespace_concurrency,
            self.queue_size,
            self.queue_timeout,
        )

    @property
    def known(self) -> callers.Callers:
        """Who may call."""
        token, key = self.auth_token_file, self.auth_hmac_key_file
        return callers.Callers(
            pathlib.Path(token) if token else None, pathlib.Path(key) if key else None
        )

    @property
    def threads(self) -> int:
        """Threads of the server: a waiting test holds one for minutes, probes need some too."""
        handed_on = legacy.THREADS if self.legacy_types else 0
        return self.limits.callers + handed_on + SPARE_THREADS


_OPTIONS: Final = (
    ("port", click.IntRange(1, 65535), "port to listen on"),
    ("log-level", str, "debug, info, warn, error, fatal or panic"),
    ("zap-encoding", click.Choice(["json", "console"]), "form of log lines"),
    ("timeout", flags.Duration(), "time limit of one helm test"),
    (
        "namespace-regexp",
        flags.NamespaceExpression(),
        "namespaces to serve (whole names), empty: all",
    ),
    ("release-namespaces", str, "further namespaces whose releases hooks may test, by commas"),
    ("default-namespace", click.Choice(["canary", "pod"]), "where releases are without -n"),
    ("helm-path", str, "the Helm 3 program"),
    ("home", str, "writable directory for Helm's caches, empty: a temporary one"),
    ("max-concurrency", click.IntRange(min=1), "tests running at the same time"),
    ("per-namespace-concurrency", click.IntRange(min=1), "those of one namespace among them"),
    ("queue-size", click.IntRange(min=0), "further requests waiting"),
    ("queue-timeout", flags.Duration(), "longest wait for a turn"),
    ("allow-debug", bool, "let hooks use --debug"),
    ("failure-status", click.IntRange(400, 599), "HTTP status of a failed test"),
    ("result-cache-ttl", flags.Duration(), "how long a passed test answers again, 0s: never"),
    ("cancel-on-disconnect", bool, "end a test that nobody waits for any more"),
    ("legacy-types", flags.Url(), "load tester that does other tasks, empty: they are refused"),
    ("auth-token-file", str, "tokens of those who may call, empty: everybody"),
    ("auth-hmac-key-file", str, "key of signed calls, empty: none are taken"),
    ("impersonate", str, "service account of the release's namespace to act as"),
    ("jobs", bool, "take tasks of type job"),
    ("job-templates", str, "patterns of config maps with templates of Jobs, by commas"),
    ("verify-canary", bool, "run only what a webhook of the named Canary lists"),
    ("kube-api", flags.Url(), "API server for what Helm cannot do, empty: that of the pod"),
    ("kube-token-file", str, "its token"),
    ("kube-ca-file", str, "who signs its certificate, empty: whom the system trusts"),
)


def words(text: str) -> tuple[str, ...]:
    """Split a comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def program(chosen: Settings, environ: Mapping[str, str]) -> helm.Helm:
    """Build what runs the tests.

    Args:
        chosen: the settings of the process.
        environ: its environment; a few variables of it reach Helm.
    """
    home = chosen.home or tempfile.mkdtemp(prefix="helmtester-")
    return helm.Helm(chosen.helm_path, pathlib.Path(home), chosen.timeout, environ)


def policy(chosen: Settings, environ: Mapping[str, str]) -> helmtest.Policy:
    """Return what commands are allowed.

    Args:
        chosen: the settings of the process.
        environ: its environment; `POD_NAMESPACE` names the namespace of the pod, and if it does
            not, the files of the service account do.

    Raises:
        OSError: the namespace of the pod is needed and not known.
    """
    default = ""
    if chosen.default_namespace == "pod":
        named = environ.get("POD_NAMESPACE")
        default = named or (cluster.ACCOUNT / "namespace").read_text().strip()
    namespaces = frozenset(words(chosen.release_namespaces))
    return helmtest.Policy(chosen.timeout, chosen.allow_debug, namespaces, default)


def api(chosen: Settings, environ: Mapping[str, str]) -> cluster.Cluster | None:
    """Return the API server for what Helm cannot do; None if there is none.

    Args:
        chosen: the settings of the process.
        environ: its environment; Kubernetes puts the API server's address there.
    """
    account = chosen.impersonate
    user = f"system:serviceaccount:{{namespace}}:{account}" if account else ""
    files = chosen.kube_token_file, chosen.kube_ca_file
    return cluster.connect(chosen.kube_api, *files, environ, user)


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
