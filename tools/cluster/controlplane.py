"""A real Kubernetes control plane on this machine: etcd, API server, controllers, fake nodes.

Used by `up` (which adds a real node) and by the API-tier tests:

    with ControlPlane.start(Options(fake_nodes=2)) as plane:
        subprocess.run([kubectl, "--kubeconfig", plane.kubeconfig, "get", "nodes"])
        mark = plane.audit.mark()
        ...
        plane.audit.count(since=mark, user="flagger")
"""

import dataclasses
import pathlib
import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from typing import Final, Self

from tools.cluster import (
    api,
    audit,
    certificates,
    components,
    gobuild,
    kubeconfig,
    ports,
    processes,
    settings,
)

MASTERS: Final = "system:masters"
START_SECONDS: Final = 60.0
"""A busy machine with two cores needs up to ten."""
ATTEMPTS: Final = 3
"""Another program may take our port between the choice and the bind."""
SYSTEM_USERS: Final = {
    "admin": MASTERS,
    "system:kube-controller-manager": MASTERS,
    "system:kube-scheduler": MASTERS,
    "kwok": MASTERS,
}


@dataclasses.dataclass(frozen=True)
class Options:
    """What a control plane consists of."""

    users: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"flagger": MASTERS, "flagger2": MASTERS}
    )
    """Further users and their groups (comma-separated), each with a token and a kubeconfig."""
    controllers: bool = True
    """Run the controller manager and the scheduler."""
    fake_nodes: int = 0
    """Nodes `fake-0`, `fake-1`... with kwok as their kubelet; see kwok/stages.yaml."""
    audit: bool = True
    """Log requests."""
    audited: tuple[str, ...] = ()
    """Users whose requests are logged, where those of all would cost too much; none: all."""
    folder: pathlib.Path | None = None
    """Where everything lives; None: a temporary folder that `stop` removes."""
    address: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    """Further names and addresses in the API server's certificate."""
    certificates: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Client certificates to issue before the API server starts, and their groups."""
    api_arguments: tuple[str, ...] = (
        "--endpoint-reconciler-type=none",  # it refuses a loopback address
        "--disable-admission-plugins=ServiceAccount",  # fake pods need no tokens
    )
    controller_arguments: tuple[str, ...] = (
        # Without metrics it would only write warnings into the objects under test.
        "--controllers=*,-horizontal-pod-autoscaler-controller",
    )
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What the daemons have in theirs beside our own."""
    die_with_parent: bool = True
    """Kill the daemons when this Python process ends in any way."""


class ControlPlane:
    """A running control plane. Make one with `start`; it is a context manager."""

    def __init__(self, options: Options, layout: components.Layout) -> None:
        self.options = options
        self.layout = layout
        self.processes: list[processes.Process] = []
        self.tokens: dict[str, str] = {}
        self.audit = audit.AuditLog(layout.audit_log)
        self.authority = certificates.Authority(layout.folder / "pki")

    @classmethod
    def start(cls, options: Options | None = None) -> Self:
        """Start a control plane and wait until it answers; building the binaries if needed.

        Raises:
            ClusterError: a daemon ended or did not get ready; nothing is left running.
        """
        options = options or Options()
        kube = gobuild.binary("kube")
        if options.fake_nodes:
            gobuild.binary("kwok")
        for attempt in range(ATTEMPTS):
            port = ports.free(options.address)
            folder = options.folder or pathlib.Path(tempfile.mkdtemp(prefix="flagger-api-"))
            plane = cls(options, components.Layout(folder, kube, options.address, port))
            try:
                plane._run()
            except settings.ClusterError as error:
                plane.stop()
                if "address already in use" in str(error) and attempt < ATTEMPTS - 1:
                    continue
                raise
            except BaseException:
                plane.stop()
                raise
            return plane
        raise AssertionError("the last attempt returns or raises")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address of the API."""
        return self.layout.url

    @property
    def ca_file(self) -> pathlib.Path:
        """Certificate to verify the API with."""
        return self.layout.ca_file

    @property
    def token(self) -> str:
        """Token of `admin`."""
        return self.tokens["admin"]

    @property
    def kubeconfig(self) -> pathlib.Path:
        """Kubeconfig of `admin`; other users: `kubeconfig_of`."""
        return self.kubeconfig_of("admin")

    def kubeconfig_of(self, user: str) -> pathlib.Path:
        """Return the kubeconfig of a user."""
        return self.layout.kubeconfig(user)

    def client(self, user: str = "admin") -> api.Api:
        """Return a session as a user; close it, or use it as a context manager."""
        return api.Api(self.url, self.ca_file, self.tokens[user])

    def stop(self) -> None:
        """End everything; remove the folder if it was a temporary one. Harmless when repeated."""
        # The API server waits for its clients, so they go first; etcd goes last.
        clients = [p for p in self.processes if p.name not in {"etcd", "kube-apiserver"}]
        processes.stop(clients, 2.0)
        processes.stop([p for p in self.processes if p.name == "kube-apiserver"], 2.0)
        processes.stop(self.processes, 2.0)
        self.processes.clear()
        if self.options.folder is None:
            shutil.rmtree(self.layout.folder, ignore_errors=True)

    def _run(self) -> None:
        self._prepare()
        options, layout = self.options, self.layout
        names = ("localhost", "127.0.0.1", options.address, settings.API_SERVICE, *options.names)
        service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
        domain = f"kubernetes.default.svc.{settings.CLUSTER_DOMAIN}"
        serving = self.authority.issue("kube-apiserver", names=(*service, domain, *names))
        front_proxy = certificates.Authority(layout.front_proxy).issue(components.FRONT_PROXY)
        arguments = [*components.aggregating(layout, front_proxy), *options.api_arguments]
        if options.audit:
            audit.write_policy(layout.audit_policy, options.audited)
            arguments += components.audited(layout)
        self._start(components.etcd(layout, gobuild.binary("etcd")))
        self._start(components.apiserver(layout, serving, arguments))
        with self.client() as admin:
            processes.wait_for("API server", admin.ready, self.processes, START_SECONDS)
            if options.controllers:
                self._start(components.controller_manager(layout, options.controller_arguments))
                self._start(components.scheduler(layout))
            if options.fake_nodes:
                self._start(components.kwok(layout, gobuild.binary("kwok")))
                self._add_fake_nodes(admin)

    def _prepare(self) -> None:
        """Write everything that the daemons read: users, tokens, keys, kubeconfigs."""
        certificates.signing_key(self.layout.signing_key)
        for name, group in self.options.certificates.items():
            self.authority.issue(name, group=group)
        users = {**SYSTEM_USERS, **self.options.users}
        self.tokens = {user: secrets.token_urlsafe(24) for user in users}
        lines = [f'{self.tokens[u]},{u},{u},"{groups}"\n' for u, groups in users.items()]
        self.layout.tokens.touch(mode=0o600)
        self.layout.tokens.write_text("".join(lines))
        for user, token in self.tokens.items():
            kubeconfig.write(self.layout.kubeconfig(user), self.url, self.ca_file, user, token)

    def _start(self, command: processes.Command) -> None:
        command = dataclasses.replace(command, environment=self.options.environment)
        running = processes.start(command, die_with_parent=self.options.die_with_parent)
        self.processes.append(running)

    def _add_fake_nodes(self, admin: api.Api) -> None:
        names = [f"fake-{number}" for number in range(self.options.fake_nodes)]
        for name in names:
            admin.create("/api/v1/nodes", fake_node(name))
        processes.wait_for(
            "fake nodes",
            lambda: all(node_ready(admin.get(f"/api/v1/nodes/{name}")) for name in names),
            self.processes,
            START_SECONDS,
        )


def fake_node(name: str) -> api.Object:
    """Return a node for kwok to look after."""
    labels = {"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
    }


def node_ready(node: api.Object) -> bool:
    """Whether a node takes pods: ready, and its `not-ready` taint has gone."""
    conditions: Sequence[api.Object] = node.get("status", {}).get("conditions", [])
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    taints: Sequence[api.Object] = node.get("spec", {}).get("taints", [])
    return ready and not any(t["key"].startswith("node.kubernetes.io/") for t in taints)
