"""The settings of the controller process, read once from flags and environment."""

from dataclasses import dataclass

from flagger_controller.api.canary import INTERVAL_FLOOR
from flagger_controller.operator.shards import WHOLE, Shard


@dataclass(frozen=True)
class Settings:
    """One field for each flag that has an effect (state-machine.md 1.1, install.md section 1)."""

    kubeconfig: str = ""
    """Path of a kubeconfig; empty: `KUBECONFIG`, else the Pod's service account."""
    kubeconfig_service_mesh: str = ""
    """Kubeconfig of the cluster that routes are written to; empty: the same cluster."""
    master: str = ""
    """Address of the API server, instead of the one in the kubeconfig."""
    kubeconfig_qps: int = 500
    """API requests a second, on average."""
    kubeconfig_burst: int = 1000
    """API requests that may be sent at once."""
    metrics_server: str = "http://prometheus:9090"
    """Prometheus for built-in metrics."""
    metrics_server_secret: str = ""
    """Folder of the mounted Secret with its login; empty: it wants none."""
    log_level: str = "debug"
    """`debug`, `info`, `warn` (or `warning`), `error`, `fatal`, `panic`."""
    zap_encoding: str = "json"
    """`json` or `console`."""
    port: int = 8080
    """Port of health and metrics."""
    namespace: tuple[str, ...] = ()
    """The only namespaces to watch; empty: all."""
    mesh_provider: str = "istio"
    """Router of canaries that name none."""
    selector_labels: tuple[str, ...] = ("app", "name", "app.kubernetes.io/name")
    """Label keys that may tell target and primary apart, in order of precedence."""
    include_label_prefix: tuple[str, ...] = ()
    """Labels that are copied from targets to what is generated; `*`: all."""
    enable_config_tracking: bool = True
    """Copy the configs of targets, and start a run when they change."""
    ingress_annotations_prefix: str = "nginx.ingress.kubernetes.io"
    """Prefix of ingress annotations."""
    ingress_class: str = ""
    """Class of generated ingress objects."""
    enable_leader_election: bool = False
    """Several replicas: only the one that holds the Lease acts."""
    leader_election_namespace: str = "kube-system"
    """Where the Lease is, unless `namespace` names a single one."""
    shard: Shard = WHOLE
    """The part of the Canaries that this process ticks."""
    cluster_name: str = ""
    """Shown in alerts."""
    no_cross_namespace_refs: bool = False
    """Templates and alert providers must live in the Canary's namespace."""
    event_webhook: str = ""
    """Receives the events of canaries without event hooks of their own."""
    events_addr: str = ""
    """Flux's notification-controller; receives the events of all canaries."""
    slack_url: str = ""
    """Global alert channel."""
    slack_token: str = ""
    """Bot token for it."""
    slack_proxy_url: str = ""
    """HTTP proxy for it."""
    slack_user: str = "flagger"
    """Name shown as the sender."""
    slack_channel: str = ""
    """Channel to post to."""
    msteams_url: str = ""
    """Global alert channel; replaces Slack."""
    msteams_proxy_url: str = ""
    """HTTP proxy for it."""
    interval_floor: float = INTERVAL_FLOOR
    """Shortest analysis interval in seconds; lower only in tests."""

    @property
    def lease_namespace(self) -> str:
        """Where the Lease is."""
        return self.namespace[0] if len(self.namespace) == 1 else self.leader_election_namespace

    @property
    def scopes(self) -> tuple[str, ...]:
        """The namespaces to list one by one; an empty name stands for all of them."""
        return self.namespace or ("",)
