"""The settings of the process: flags, their environment variables, and the store they choose."""

import dataclasses
import datetime
import pathlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from flagger_common import flags

from . import gates, wishes
from .store import base

SERVICE: Final = "GATEKEEPER"
"""Prefix of the environment variables."""

MAX_BODY_BYTES: Final = 64 * 1024
"""Largest request body; a payload has some hundred bytes (spec gatekeeper B.7)."""

THREADS: Final = 32
"""Requests handled at the same time; each holds a thread for one answer of the store."""

GRACEFUL_SECONDS: Final = 10
"""How long running requests may take after SIGTERM (spec gatekeeper B.7)."""

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
    namespace_regexp: str = ""
    """Namespaces that are served; empty allows all. The whole name has to match, unless everybody
    may change gates: then it is searched for, as upstream does."""
    store: str = "kubernetes"
    """Where gates are kept: `kubernetes`, `sqlite` or `memory`."""
    store_dsn: str = ""
    """Path of the file of the `sqlite` store."""
    store_namespace: str = ""
    """Namespace of the `kubernetes` store's ConfigMaps; empty: the namespace of the pod."""
    kubeconfig: str = ""
    """Login for the Kubernetes API; empty: the pod's service account, or the usual places."""
    default_mode: str = "sticky"
    """Mode of a gate that is opened without one: `sticky` as upstream, `once` or `until`."""
    default_ttl: float = 0.0
    """Seconds after which an opened gate closes unless the request says another time; 0: never."""
    once_grace: float = 300.0
    """Seconds for which an approval of mode `once` is good for the same question again."""
    audit_retention: float = 90 * 24 * 3600.0
    """Seconds for which the history of gates is kept."""
    auto_reset: bool = False
    """Close the gates `default` and `rollback` when an event says that a release has ended."""
    auth_mode: str = "none"
    """How callers are recognised: `none`, `static` tokens, tokens of the `kubernetes` API, or of an
    OpenID Connect issuer (`oidc`)."""
    oidc_issuer: str = ""
    """URL of the issuer, as it stands in its tokens."""
    oidc_audience: str = ""
    """Whom its tokens have to be for."""
    oidc_username_claim: str = "sub"
    """Claim that names people."""
    oidc_groups_claim: str = "groups"
    """Claim that lists their groups."""
    token_file: str = ""
    """JSON file with the hashes of static tokens, see `identity.StaticTokens`."""
    policy_file: str = ""
    """JSON file of grants, see `policy.Policy`; empty: whoever was recognised may do everything."""
    access_review: bool = False
    """Ask the Kubernetes API what callers may do, instead of a file."""
    check_token_file: str = ""
    """File with the secret that checks have to carry; empty: checks are open."""
    trusted_proxy_cidr: str = ""
    """Networks of proxies whose `X-Forwarded-User` is believed, with commas between them."""
    allow_anonymous_mutations: bool = False
    """Let everybody open and close gates, as upstream does."""
    rules: str = ""
    """JSON list of what some gates ask for beyond being open, see `rules.Rulebook`."""
    events: bool = False
    """Write a Kubernetes Event on the Canary when somebody changes one of its gates."""
    ui: bool = True
    """Serve the web page at `/ui`."""
    rate_limit: int = 100
    """Requests a second of one address, checks aside; 0: no limit."""


_MODES: Final = ("none", "static", "kubernetes", "oidc")
_OPTIONS: Final = (
    ("port", click.IntRange(1, 65535), "port to listen on"),
    ("log-level", str, "debug, info, warn, error, fatal or panic"),
    ("zap-encoding", click.Choice(["json", "console"]), "form of log lines"),
    ("namespace-regexp", flags.NamespaceExpression(), "namespaces to serve, empty: all"),
    ("store", click.Choice(["kubernetes", "sqlite", "memory"]), "where gates are kept"),
    ("store-dsn", str, "path of the file of the sqlite store"),
    ("store-namespace", str, "namespace of the kubernetes store, empty: the pod's own"),
    ("kubeconfig", str, "login for the Kubernetes API, empty: the pod's service account"),
    ("default-mode", click.Choice(["sticky", "once", "until"]), "mode of gates opened without one"),
    ("default-ttl", flags.Duration(), "how long opened gates stay open, 0: until closed"),
    ("once-grace", flags.Duration(), "how long a once approval is good for the same question"),
    ("auto-reset", bool, "close the gates of a canary when its release ends"),
    (
        "auth-mode",
        click.Choice(["none", "static", "kubernetes", "oidc"]),
        "how callers are recognised",
    ),
    ("oidc-issuer", str, "URL of the issuer of tokens"),
    ("oidc-audience", str, "whom tokens have to be for"),
    ("oidc-username-claim", str, "claim that names people"),
    ("oidc-groups-claim", str, "claim that lists their groups"),
    ("token-file", str, "JSON file with hashes of static tokens"),
    ("policy-file", str, "JSON file of grants, empty: callers may do everything"),
    ("access-review", bool, "ask the Kubernetes API what callers may do"),
    ("check-token-file", str, "file with the secret of checks, empty: checks are open"),
    ("trusted-proxy-cidr", str, "proxies whose X-Forwarded-User is believed"),
    ("allow-anonymous-mutations", bool, "let everybody open and close gates"),
    ("events", bool, "write Kubernetes Events on Canaries about changes of their gates"),
    ("ui", bool, "serve the web page at /ui"),
    ("rules", str, "JSON list of approvals and hours that some gates ask for"),
    ("rate-limit", click.IntRange(0), "requests a second of an address, 0: no limit"),
    ("audit-retention", flags.Duration(), "how long the history of gates is kept"),
)


def options(command: CommandT) -> CommandT:
    """Give a click command all flags of the service."""
    defaults = dataclasses.asdict(Settings())
    for name, kind, text in reversed(_OPTIONS):
        default = defaults[name.replace("-", "_")]
        command = flags.option(SERVICE, name, default, kind, text)(command)
    return command


def from_environ() -> Settings:
    """Read the settings from the environment alone, where `__main__` put them for the server."""

    @click.command()
    @options
    def command(**values: Any) -> None:
        del values

    return Settings(**command.make_context(SERVICE.lower(), []).params)


def defaults(settings: Settings) -> wishes.Defaults:
    """Return how gates are opened when a request does not say it.

    Raises:
        ValueError: the settings contradict each other.
    """
    ttl = datetime.timedelta(seconds=settings.default_ttl)
    return wishes.Defaults(gates.Mode(settings.default_mode), ttl)


def open_store(settings: Settings) -> base.GateStore:
    """Build the store the settings name.

    Each kind is imported here and not above: the Kubernetes client costs 40 MB.

    Raises:
        StoreUnavailableError: no login, or the file cannot be used.
    """
    retention = datetime.timedelta(seconds=settings.audit_retention)
    match settings.store:
        case "kubernetes":
            from .store import kubernetes

            namespace = settings.store_namespace or kubernetes.own_namespace()
            client = kubernetes.login(settings.kubeconfig)
            return kubernetes.KubernetesStore(client, namespace, retention=retention)
        case "sqlite":
            from .store import sqlite

            path = pathlib.Path(settings.store_dsn or "gates.sqlite")
            return sqlite.SqliteStore(path, retention=retention)
        case "memory":
            from .store import memory

            return memory.MemoryStore(retention)
        case unknown:
            raise ValueError(f"unknown store {unknown!r}")
