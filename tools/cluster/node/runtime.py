"""The container runtime: containerd with a configuration, sockets and folders of its own."""

import contextlib
import pathlib
import subprocess
import tempfile
from typing import Final

from tools.cluster import packages, processes, settings
from tools.cluster.node import commands, layout

NAMESPACE: Final = "k8s.io"
"""The kubelet sees images and containers of this namespace of containerd only."""
IMPORT_SECONDS: Final = 600

CONFIGURATION: Final = """\
version = 2
root = "{root}/root"
state = "{root}/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
stream_server_address = "127.0.0.1"
netns_mounts_under_state_dir = true
# Where root lacks CAP_SYS_RESOURCE it may not lower the scores that the kubelet asks for:
# containers would not start (`can't get final child's PID from pipe: EOF`).
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshotter}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{root}/runc"
SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{network}"
"""


def command(paths: layout.Layout) -> processes.Command:
    """Write the configuration and return the command of containerd."""
    paths.containerd.mkdir(parents=True, exist_ok=True)
    file = paths.containerd / "config.toml"
    file.write_text(
        CONFIGURATION.format(
            root=paths.containerd,
            socket=paths.containerd_socket,
            pause=settings.PAUSE_IMAGE,
            snapshotter=snapshotter(paths.containerd),
            plugins=settings.CNI_PLUGINS,
            network=paths.cni / "conf",
        )
    )
    argv = [packages.path("containerd"), "--config", str(file)]
    return processes.Command("containerd", argv, paths.logs / "containerd.log", paths.plane)


def snapshotter(folder: pathlib.Path) -> str:
    """Return `overlayfs`, or the slower `native` where the file system cannot be overlaid."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        parts = [pathlib.Path(scratch) / name for name in ("lower", "upper", "work", "merged")]
        for part in parts:
            part.mkdir()
        lower, upper, work, merged = parts
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        mount = commands.attempt("mount", "-t", "overlay", "overlay", "-o", options, str(merged))
        if mount.returncode != 0:
            return "native"
        commands.run("umount", str(merged))
    return "overlayfs"


def ready(paths: layout.Layout) -> bool:
    """Whether containerd answers."""
    if not paths.containerd_socket.exists():
        return False
    return commands.attempt("ctr", *_address(paths), "version").returncode == 0


def _address(paths: layout.Layout) -> tuple[str, ...]:
    return ("--address", str(paths.containerd_socket), "--namespace", NAMESPACE)


def load(paths: layout.Layout, archive: pathlib.Path) -> None:
    """Put the images of an archive (`docker save`) on the node."""
    _import(paths, [str(archive)], None)


def load_from(paths: layout.Layout, source: "subprocess.Popen[bytes]") -> None:
    """Put the images on the node that a process writes to its standard output."""
    _import(paths, ["-"], source)


def _import(
    paths: layout.Layout, arguments: list[str], source: "subprocess.Popen[bytes] | None"
) -> None:
    argv = [packages.path("ctr"), *_address(paths), "images", "import"]
    argv += ["--snapshotter", snapshotter(paths.containerd), *arguments]
    stdin = source.stdout if source else subprocess.DEVNULL
    with contextlib.ExitStack() as stack:
        if source:
            stack.enter_context(source)
        done = subprocess.run(
            argv, stdin=stdin, capture_output=True, text=True, timeout=IMPORT_SECONDS
        )
    if done.returncode != 0 or (source and source.returncode != 0):
        raise settings.ClusterError(f"could not load images:\n{done.stderr[-2000:]}")
