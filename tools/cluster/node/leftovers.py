"""Removes a cluster, whatever state it is in: running, half-started, or killed at any moment.

Every step finds what is ours by itself (notes, control group, folder names) and none depends on
an earlier one having succeeded, so `down` may be repeated until nothing is left.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
from collections.abc import Iterator
from typing import Final

from tools.cluster import processes, settings
from tools.cluster.node import cgroups, commands, layout, network

STOP_SECONDS: Final = 2.0
"""Nothing of a test cluster is worth waiting for longer."""
CLIENTS_FIRST: Final = ("kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager")
"""The API server waits for its clients, and a living kubelet would restart killed pods."""
SHIM: Final = "containerd-shim"
SHIM_SOCKETS: Final = pathlib.Path("/run/containerd/s")
"""Compiled into containerd's shim; the one path that cannot be ours alone."""
CNI_RESULTS: Final = pathlib.Path("/var/lib/cni/results")
CONTAINER_LOGS: Final = pathlib.Path("/var/log/containers")
DOCKER_PLUGINS: Final = pathlib.Path("/run/docker/plugins")
"""Compiled into dockerd."""
OUTSIDE: Final = (
    CNI_RESULTS,
    CNI_RESULTS.parent,
    CONTAINER_LOGS,
    SHIM_SOCKETS,
    SHIM_SOCKETS.parent,
    DOCKER_PLUGINS,
    DOCKER_PLUGINS.parent,
)
"""Removed when empty, inner ones first."""
DAEMONS: Final = frozenset({"kube", "etcd", "containerd", "dockerd"})


def remove_cluster(paths: layout.Layout) -> None:
    """End every process of the cluster and undo everything that it did to the machine."""
    note = layout.Note.read(paths)
    recorded = processes.remembered(paths.records)
    processes.stop([p for p in recorded if p.name in CLIENTS_FIRST], STOP_SECONDS)
    cgroups.kill(settings.CGROUP)
    processes.stop([p for p in recorded if p.name != "etcd"], STOP_SECONDS)
    processes.stop(recorded, STOP_SECONDS)
    _kill_strays(paths.root)
    if note:
        network.remove()
        network.set_sysctls(note.sysctls)
    _unmount(paths.root)
    cgroups.kill(settings.CGROUP)
    cgroups.remove(settings.CGROUP)
    _remove_outside_files(paths.root)
    _remove_folder(paths.root)


def remove_engine(paths: layout.EngineLayout) -> None:
    """Stop our Docker engine; its images stay in the cache."""
    processes.stop(processes.remembered(paths.records), STOP_SECONDS)
    cgroups.kill(settings.DOCKER_CGROUP)
    _kill_strays(paths.root)
    _unmount(paths.root)
    _unmount(paths.data)
    cgroups.remove(settings.DOCKER_CGROUP)
    _remove_outside_files(paths.root)
    _remove_folder(paths.root)


def _remove_folder(folder: pathlib.Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # the other of cluster and engine is there
        folder.parent.rmdir()


def _kill_strays(folder: pathlib.Path) -> None:
    """Kill processes of ours that no note tells of: shims, and daemons of a killed `up`."""
    for pid in _strays(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _strays(folder: pathlib.Path) -> Iterator[int]:
    root = str(folder) + os.sep
    for entry in processes.PROC.iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            ours = any(root in argument for argument in argv)
            name = pathlib.Path(argv[0]).name
            if ours and (name in DAEMONS or name.startswith(SHIM)):
                yield int(entry.name)


def mounts(folder: pathlib.Path) -> list[str]:
    """Return the mount points below a folder, the innermost first."""
    root = str(folder) + os.sep
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in reversed(points) if point.startswith(root)]


def _unmount(folder: pathlib.Path) -> None:
    for point in mounts(folder):
        # Lazily: a process that is just dying may still hold it open.
        commands.attempt("umount", "--lazy", point)


def _remove_outside_files(folder: pathlib.Path) -> None:
    """Remove what programs put into folders that cannot be configured, and empty such folders."""
    ours = str(folder) + os.sep
    for path in _files(CNI_RESULTS):
        if ours in path.read_text(errors="replace"):  # names the pod's network namespace
            path.unlink(missing_ok=True)
    for path in _files(CONTAINER_LOGS):
        if path.is_symlink() and str(path.readlink()).startswith(ours):
            path.unlink(missing_ok=True)
    for path in _files(SHIM_SOCKETS):
        if path.is_socket() and not _listened_to(path):
            path.unlink(missing_ok=True)
    for empty in OUTSIDE:
        with contextlib.suppress(OSError):  # not there, or in use by others
            empty.rmdir()


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _listened_to(path: pathlib.Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
