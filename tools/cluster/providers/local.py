"""CLUSTER=local: a control plane and one real node as processes of this machine. Needs root."""

import contextlib
import os
import pathlib
import platform
import time
from collections.abc import Iterator, Sequence
from typing import Final

import requests
from tools.cluster import (
    api,
    cache,
    controlplane,
    gobuild,
    packages,
    processes,
    progress,
    settings,
)
from tools.cluster.images import archive, catalog, engine
from tools.cluster.node import (
    cgroups,
    dns,
    kubelet,
    layout,
    leftovers,
    network,
    runtime,
)

READY_SECONDS: Final = 90.0
NODES: Final = "/api/v1/nodes/" + settings.NODE_NAME
DAEMONS: Final = 7
"""etcd, API server, controller manager, scheduler, containerd, kubelet, kube-proxy."""


def _key() -> str:
    """Return what differs between clusters that other versions of this tool start."""
    programs = (gobuild.PROGRAMS[name].key() for name in ("kube", "etcd", "coredns", "pause"))
    sources = sorted(settings.HERE.glob("node/*.py"))
    return settings.digest([*programs, dns.manifest(), *(p.read_bytes() for p in sources)])


class Local:
    """The cluster of this machine; there is one at most."""

    def __init__(self) -> None:
        self._paths = layout.Layout.default()

    def prepare(self) -> None:
        """Build Kubernetes and the images that the cluster itself needs: minutes, once."""
        _require_root()
        packages.ensure(packages.NODE)
        for name in ("kube", "etcd"):
            gobuild.binary(name)
        for tag in catalog.SYSTEM:
            catalog.image(tag)

    def up(self) -> None:
        """Start the cluster; clean up first what a killed one left behind."""
        self.prepare()
        with self._locked():
            problem = self.status()
            if problem is None:
                self._remark_on_version()
                return
            if self._paths.root.exists():
                progress.say(f"removing what is there ({problem})")
                leftovers.remove_cluster(self._paths)
            try:
                self._start()
            except BaseException:
                self._keep_logs()
                leftovers.remove_cluster(self._paths)
                raise

    def down(self) -> None:
        """Stop everything and leave nothing, our Docker engine included."""
        engine_paths = layout.EngineLayout.default()
        if not self._paths.root.exists() and not engine_paths.root.exists():
            return
        _require_root()
        with self._locked():
            leftovers.remove_cluster(self._paths)
            leftovers.remove_engine(engine_paths)

    def status(self) -> str | None:
        """Look at the note, the daemons, the API and the node."""
        note = layout.Note.read(self._paths)
        if note is None or not note.url:
            return "no cluster runs"
        recorded = processes.remembered(self._paths.records)
        if dead := [process.name for process in recorded if not process.alive]:
            return f"not running: {', '.join(dead)}"
        if len(recorded) < DAEMONS:
            return "the cluster did not get up completely"
        return self._answer(note)

    def _remark_on_version(self) -> None:
        """Say when the running cluster is not what we would start; tests may be using it."""
        note = layout.Note.read(self._paths)
        if note and note.key != _key():
            progress.say("another version of this tool started the cluster; `down` first for ours")

    def _answer(self, note: layout.Note) -> str | None:
        try:
            with self._client(note) as client:
                if not client.ready():
                    return "the API server is not ready"
                return (
                    None if controlplane.node_ready(client.get(NODES)) else "the node is not ready"
                )
        except requests.RequestException as error:
            return f"the API server does not answer: {error}"

    def kubeconfig(self) -> pathlib.Path:
        """Return the administrator's kubeconfig."""
        return self._paths.plane / "admin.kubeconfig"

    def load(self, images: Sequence[str]) -> None:
        """Put images on the node: those made here, all others from the Docker engine."""
        with self._locked():
            note = layout.Note.read(self._paths)
            if note is None or not note.url:
                raise settings.ClusterError("no cluster runs; start it first")
            made = {tag: catalog.image(tag) for tag in images if tag in catalog.tags()}
            for tag, path in made.items():
                identity = archive.identity(path)
                if note.loaded.get(tag) != identity:
                    runtime.load(self._paths, path)
                    note.loaded[tag] = identity
            self._load_built([tag for tag in images if tag not in made], note)
            note.write(self._paths)

    def _load_built(self, tags: Sequence[str], note: layout.Note) -> None:
        present = engine.identities(tags)
        if missing := [tag for tag in tags if tag not in present]:
            raise settings.ClusterError(f"the Docker engine has no image {', '.join(missing)}")
        wanted = [tag for tag in tags if note.loaded.get(tag) != present[tag]]
        if wanted:
            with progress.step(f"loading {', '.join(wanted)}"):
                runtime.load_from(self._paths, engine.save(wanted))
            note.loaded.update({tag: present[tag] for tag in wanted})

    def _start(self) -> None:
        begun = time.monotonic()
        network.check()
        note = layout.Note(_key(), network.sysctls())
        note.write(self._paths)
        with progress.step("starting the cluster") as step:
            step.update("network")
            network.create(self._paths)
            cgroups.create(settings.CGROUP)
            step.update("container runtime")
            containerd = self._daemon(runtime.command(self._paths))
            step.update("control plane")
            plane = controlplane.ControlPlane.start(_plane_options(self._paths))
            for process in plane.processes:
                processes.remember(process, self._paths.records)
            processes.wait_for(
                "containerd", lambda: runtime.ready(self._paths), [containerd], READY_SECONDS
            )
            for tag in catalog.SYSTEM:
                runtime.load(self._paths, catalog.image(tag))
            step.update("node")
            self._start_node(plane)
        layout.Note(note.key, note.sysctls, plane.url, plane.token).write(self._paths)
        progress.say(f"cluster ready after {time.monotonic() - begun:.0f} s")

    def _start_node(self, plane: controlplane.ControlPlane) -> None:
        serving = plane.authority.issue("kubelet", names=(settings.NODE_NAME, settings.GATEWAY))
        node = [self._daemon(kubelet.kubelet(self._paths, plane.layout, serving))]
        node.append(self._daemon(kubelet.proxy(self._paths, plane.layout)))
        dns.apply(plane.kubeconfig)
        running = [*plane.processes, *node]
        with plane.client() as client:

            def node_ready() -> bool:
                found = client.find(NODES)
                return found is not None and controlplane.node_ready(found)

            processes.wait_for("node", node_ready, running, READY_SECONDS, pause=0.2)
            processes.wait_for(
                "cluster DNS", lambda: dns.ready(client), running, READY_SECONDS, pause=0.2
            )

    def _daemon(self, command: processes.Command) -> processes.Process:
        running = processes.start(command, die_with_parent=False)
        processes.remember(running, self._paths.records)
        return running

    def _client(self, note: layout.Note) -> api.Api:
        return api.Api(note.url, self._paths.plane / "pki" / "ca.crt", note.token)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        # Beside the state directory, which comes and goes.
        with cache.locked(settings.cache_directory() / "locks" / "cluster", "the cluster changes"):
            yield

    def _keep_logs(self) -> None:
        """Keep the logs of a start that failed: everything else of it is removed."""
        logs = list(self._paths.logs.glob("*.log"))
        if not logs:
            return
        target = settings.cache_directory() / "logs-of-failed-start"
        with contextlib.suppress(OSError):
            target.mkdir(parents=True, exist_ok=True)
            for log in logs:
                (target / log.name).write_bytes(log.read_bytes())
            progress.say(f"logs: {target}")


def _plane_options(paths: layout.Layout) -> controlplane.Options:
    return controlplane.Options(
        users={kubelet.USER: "system:nodes", kubelet.PROXY_USER: ""},
        audit=False,
        folder=paths.plane,
        address=settings.GATEWAY,
        certificates={"kubelet-client": controlplane.MASTERS},
        api_arguments=(
            f"--advertise-address={settings.GATEWAY}",
            # Else `kubectl logs` and `exec` would look up the node's name.
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-certificate-authority={paths.plane}/pki/ca.crt",
            f"--kubelet-client-certificate={paths.plane}/pki/kubelet-client.crt",
            f"--kubelet-client-key={paths.plane}/pki/kubelet-client.key",
        ),
        controller_arguments=(),
        die_with_parent=False,
    )


def _require_root() -> None:
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise settings.ClusterError(
            "CLUSTER=local runs real containers and needs root on Linux; "
            "take CLUSTER=kind or CLUSTER=current instead"
        )
