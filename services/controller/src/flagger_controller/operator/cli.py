"""Command line: upstream's flags and environment (install.md section 1) to `Settings`.

One or two dashes, `-x v` or `-x=v`, booleans bare or `-x=false`. A non-empty environment variable
wins over its flag, as upstream has it.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from flagger_common import flags, logs
from flagger_common.version import __version__
from flagger_controller.operator import shards
from flagger_controller.operator.settings import Settings

_ENVIRONMENT: Final[Mapping[str, str]] = {
    "EVENT_WEBHOOK_URL": "event_webhook",
    "EVENTS_ADDR": "events_addr",
    "SLACK_URL": "slack_url",
    "SLACK_TOKEN": "slack_token",
    "SLACK_PROXY_URL": "slack_proxy_url",
    "MSTEAMS_URL": "msteams_url",
    "MSTEAMS_PROXY_URL": "msteams_proxy_url",
}
_WORDS: Final = ("selector_labels", "include_label_prefix", "namespace")
"""Comma lists."""
_NAMESPACE: Final = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

_FLAGS: Final[tuple[tuple[str, Any, Any, str], ...]] = (
    ("kubeconfig", "", str, "Path to a kubeconfig. Only required if out-of-cluster."),
    ("kubeconfig-service-mesh", "", str, "Kubeconfig of the mesh control plane's cluster."),
    ("master", "", str, "Address of the API server, instead of the kubeconfig's."),
    ("kubeconfig-qps", 500, int, "API requests a second."),
    ("kubeconfig-burst", 1000, int, "API requests at once."),
    ("metrics-server", "http://prometheus:9090", str, "Prometheus URL."),
    ("metrics-server-secret", "", str, "Folder of the mounted Secret with its login."),
    ("log-level", "debug", click.Choice(list(logs.LEVELS)), "Least urgent lines to log."),
    ("zap-encoding", "json", click.Choice(["json", "console"]), "Log format."),
    ("port", 8080, int, "Port of /healthz and /metrics."),
    ("namespace", "", str, "The only namespaces to watch."),
    ("mesh-provider", "istio", str, "Router of canaries that name none."),
    ("selector-labels", "app,name,app.kubernetes.io/name", str, "Usable selector labels."),
    ("include-label-prefix", "", str, "Label prefixes to copy; * for all."),
    ("enable-config-tracking", True, bool, "Track ConfigMaps and Secrets."),
    ("ingress-annotations-prefix", "nginx.ingress.kubernetes.io", str, "Annotation prefix."),
    ("ingress-class", "", str, "Class of generated ingress objects."),
    ("enable-leader-election", False, bool, "Act only while holding the Lease."),
    ("leader-election-namespace", "kube-system", str, "Namespace of the Lease."),
    ("shard", "", str, "Part of the Canaries, index/count or auto/count; elects leaders."),
    ("shard-label", "", str, "Label that groups Canaries instead of their namespace."),
    ("cluster-name", "", str, "Cluster name in alerts."),
    ("no-cross-namespace-refs", False, bool, "Refuse references to other namespaces."),
    ("event-webhook", "", str, "URL that receives events."),
    ("events-addr", "", str, "URL of Flux's notification-controller."),
    ("slack-url", "", str, "Slack hook URL."),
    ("slack-token", "", str, "Slack bot token."),
    ("slack-proxy-url", "", str, "Proxy for Slack."),
    ("slack-user", "flagger", str, "Slack user name."),
    ("slack-channel", "", str, "Slack channel."),
    ("msteams-url", "", str, "Microsoft Teams hook URL."),
    ("msteams-proxy-url", "", str, "Proxy for Microsoft Teams."),
)
_IGNORED: Final[tuple[tuple[str, Any], ...]] = (
    ("control-loop-interval", flags.Duration()),
    ("threadiness", int),
    ("zap-replace-globals", bool),
    ("v", str),
    ("vmodule", str),
    ("logtostderr", bool),
    ("alsologtostderr", bool),
    ("stderrthreshold", str),
    ("log_dir", str),
    ("log_file", str),
    ("log_file_max_size", str),
    ("one_output", bool),
    ("add_dir_header", bool),
    ("skip_headers", bool),
    ("skip_log_headers", bool),
    ("log_backtrace_at", str),
    ("alsologtostderrthreshold", str),
    ("legacy_stderr_threshold_behavior", bool),
)
"""Accepted because manifests pass them; there is nothing left for them to do."""


def _option(name: str, default: Any, kind: Any, text: str, *, hidden: bool = False) -> Any:
    more: dict[str, Any] = {"flag_value": "true", "is_flag": False} if kind is bool else {}
    return click.option(
        f"-{name}",
        f"--{name}",
        default=default,
        type=flags.Boolean() if kind is bool else kind,
        show_default=True,
        help=text,
        hidden=hidden,
        **more,
    )


def settings_of(values: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Settings from parsed flags, by their Python names, and the environment.

    Raises:
        click.BadParameter: something that is no name stands where namespaces are listed, or what
            should name a shard names none.
    """
    known = {key: values[key] for key in values if key in Settings.__dataclass_fields__}
    for key in _WORDS:
        words = (word.strip() for word in str(known[key]).split(","))
        known[key] = tuple(dict.fromkeys(word for word in words if word))
    for name in known["namespace"]:
        if not _NAMESPACE.fullmatch(name):
            raise click.BadParameter(
                f'"{name}" is not the name of a namespace: write names with commas between them',
                param_hint="-namespace",
            )
    for variable, key in _ENVIRONMENT.items():  # from Secrets, which often end in a newline
        known[key] = environment.get(variable, "").strip() or known[key].strip()
    known["shard"] = _shard(values, environment)
    # The Lease is what keeps two processes from ticking the same Canary.
    known["enable_leader_election"] |= bool(values["shard"])
    return Settings(**known)


def _shard(values: Mapping[str, Any], environment: Mapping[str, str]) -> shards.Shard:
    try:
        return shards.parse(values["shard"], values["shard_label"], environment.get("POD_NAME", ""))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="-shard") from error


def command(run: Callable[[Settings], int]) -> click.Command:
    """The command line of the controller; `run` is called with the settings."""

    def start(*, version: bool, **values: Any) -> None:
        if version:
            click.echo(f"Flagger version {__version__} revision  python")
            return
        raise SystemExit(run(settings_of(values, os.environ)))

    decorated: Any = start
    for name, default, kind, text in reversed(_FLAGS):
        decorated = _option(name, default, kind, text)(decorated)
    for name, kind in _IGNORED:
        decorated = _option(name, None, kind, "Ignored.", hidden=True)(decorated)
    decorated = _option("interval-floor", 10.0, float, "For tests.", hidden=True)(decorated)
    decorated = _option("version", False, bool, "Print the version and exit.")(decorated)
    return click.command(name="flagger", context_settings=dict(flags.CONTEXT))(decorated)
