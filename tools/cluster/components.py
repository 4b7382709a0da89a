"""Command lines of the control plane's daemons. Nothing is started here."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Final

from tools.cluster import certificates, processes, settings

ISSUER: Final = "https://kubernetes.default.svc"
ETCD: Final = "unix://etcd:0"
ETCD_PEER: Final = "unix://peer:0"
"""A file in the working directory (etcd allows no path and insists on a port): needs no TCP port,
and only we can open it."""
API_RATE: Final = ("--kube-api-qps=500", "--kube-api-burst=1000")
"""The defaults throttle a controller manager that serves a whole test suite."""
STORE_BYTES: Final = 8 * 2**30
"""The default is a quarter of it, and an API server that meets it refuses all writes."""
FAKE_POD_RANGE: Final = "198.18.0.0/16"
"""Addresses that fake pods show; nothing ever listens there."""
FAKE_NODE_ADDRESS: Final = "198.18.255.1"
LEASE_SECONDS: Final = 40
FRONT_PROXY: Final = "front-proxy-client"
"""Who the API server is to the API servers behind it."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Files and addresses that the daemons of one control plane share."""

    folder: pathlib.Path
    kube: pathlib.Path
    address: str
    port: int

    @property
    def url(self) -> str:
        """Address of the API."""
        return f"https://{self.address}:{self.port}"

    @property
    def tokens(self) -> pathlib.Path:
        """Users and their tokens, CSV."""
        return self.folder / "tokens.csv"

    @property
    def signing_key(self) -> pathlib.Path:
        """Key of service account tokens."""
        return self.folder / "service-accounts.key"

    @property
    def ca_file(self) -> pathlib.Path:
        """Certificate that the API server's is signed with."""
        return self.folder / "pki" / "ca.crt"

    @property
    def front_proxy(self) -> pathlib.Path:
        """What the API server shows to the API servers behind it, and who signed it."""
        return self.folder / "front-proxy"

    @property
    def audit_policy(self) -> pathlib.Path:
        """What the audit log records."""
        return self.folder / "audit.yaml"

    @property
    def audit_log(self) -> pathlib.Path:
        """JSON lines."""
        return self.folder / "audit.log"

    def kubeconfig(self, user: str) -> pathlib.Path:
        """Return where a user's kubeconfig is."""
        return self.folder / f"{user.rpartition(':')[2]}.kubeconfig"

    def command(self, name: str, argv: Sequence[str]) -> processes.Command:
        """Return a command that runs in our folder and logs to NAME.log."""
        log = self.folder / "logs" / f"{name}.log"
        return processes.Command(name, argv, log, self.folder)


def etcd(layout: Layout, program: pathlib.Path) -> processes.Command:
    """Return the command of the store; it is not asked to survive a power failure."""
    argv = (
        str(program),
        "--name=flagger",
        f"--data-dir={layout.folder}/data",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={ETCD_PEER}",
        f"--initial-advertise-peer-urls={ETCD_PEER}",
        f"--initial-cluster=flagger={ETCD_PEER}",
        "--unsafe-no-fsync",
        f"--quota-backend-bytes={STORE_BYTES}",
        "--log-level=warn",
    )
    return layout.command("etcd", argv)


def apiserver(
    layout: Layout, serving: certificates.Pair, extra: Sequence[str]
) -> processes.Command:
    """Return the command of the API server."""
    argv = (
        str(layout.kube),
        "kube-apiserver",
        f"--etcd-servers={ETCD}",
        f"--bind-address={layout.address}",
        f"--secure-port={layout.port}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={layout.ca_file}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-signing-key-file={layout.signing_key}",
        f"--service-account-key-file={layout.signing_key}",
        f"--token-auth-file={layout.tokens}",
        "--authorization-mode=Node,RBAC",
        f"--service-cluster-ip-range={settings.SERVICE_RANGE}",
        "--allow-privileged=true",
        *extra,
    )
    return layout.command("kube-apiserver", argv)


def aggregating(layout: Layout, client: certificates.Pair) -> tuple[str, ...]:
    """Return the API server's arguments for passing requests on to others, as in real clusters.

    Those trust the headers of whoever has a certificate of the front proxy's own authority.
    """
    return (
        f"--proxy-client-cert-file={client.certificate}",
        f"--proxy-client-key-file={client.key}",
        f"--requestheader-client-ca-file={layout.front_proxy}/ca.crt",
        f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    )


def audited(layout: Layout) -> tuple[str, ...]:
    """Return the API server's arguments for an audit log that is complete at any moment."""
    return (
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-mode=blocking",
        "--audit-log-maxsize=100000",  # MB; at 100 MB, its default, the log would begin anew
    )


def controller_manager(layout: Layout, extra: Sequence[str]) -> processes.Command:
    """Return the command of the controllers."""
    argv = (
        str(layout.kube),
        "kube-controller-manager",
        f"--kubeconfig={layout.kubeconfig('system:kube-controller-manager')}",
        f"--service-account-private-key-file={layout.signing_key}",
        f"--root-ca-file={layout.ca_file}",
        "--leader-elect=false",
        "--allocate-node-cidrs=false",
        "--secure-port=0",
        *API_RATE,
        *extra,
    )
    return layout.command("kube-controller-manager", argv)


def scheduler(layout: Layout) -> processes.Command:
    """Return the command of the scheduler."""
    argv = (
        str(layout.kube),
        "kube-scheduler",
        f"--kubeconfig={layout.kubeconfig('system:kube-scheduler')}",
        "--leader-elect=false",
        "--secure-port=0",
        *API_RATE,
    )
    return layout.command("kube-scheduler", argv)


def kwok(layout: Layout, program: pathlib.Path) -> processes.Command:
    """Return the command of the fake kubelet of all fake nodes."""
    folder = settings.HERE / "kwok"
    argv = (
        str(program),
        f"--kubeconfig={layout.kubeconfig('kwok')}",
        *(f"--config={path}" for path in sorted(folder.glob("*.yaml"))),
        "--manage-nodes-with-label-selector=type=kwok",
        f"--node-lease-duration-seconds={LEASE_SECONDS}",
        f"--node-ip={FAKE_NODE_ADDRESS}",
        f"--cidr={FAKE_POD_RANGE}",
    )
    return layout.command("kwok", argv)
