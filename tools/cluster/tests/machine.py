"""What a cluster could leave behind on a machine, as a value that can be compared."""

import contextlib
import os
import pathlib
from collections.abc import Iterable

from tools.cluster import processes, settings
from tools.cluster.node import cgroups, commands, network

FOLDERS = ("/var/lib/cni", "/var/log/containers", "/var/log/pods")
PLACES = ("/run", "/var", str(settings.state_directory()), str(settings.cache_directory()))
"""Where a cluster could mount something. Not everywhere: other programs work on this machine."""


def _programs() -> Iterable[str]:
    """Yield our daemons; pods' processes show as members of our control group."""
    for entry in processes.PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if str(settings.state_directory()) in line:
                    yield f"process {line}"


def _groups() -> Iterable[str]:
    for name in (settings.CGROUP, settings.DOCKER_CGROUP, "kubepods", "docker"):
        for path in cgroups.ROOT.glob(f"*/{name}"):
            yield f"control group {path}"


def snapshot() -> set[str]:
    """Return everything of the kinds that a cluster makes, ours or not."""
    found = {*_programs(), *_groups()}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4]
        if point.startswith(PLACES):
            found.add(f"mount {point}")
    found |= {f"link {link['ifname']}" for link in commands.objects("ip", "-j", "link")}
    found |= {f"netns {line}" for line in commands.run("ip", "netns", "list").splitlines()}
    found |= {f"nft {line}" for line in commands.run("nft", "list", "tables").splitlines()}
    routes = commands.objects("ip", "-4", "-j", "route", "show", "table", "all")
    found |= {f"route {route.get('dst')} {route.get('dev')}" for route in routes}
    found |= {f"sysctl {name}={value}" for name, value in network.sysctls().items()}
    for folder in (*FOLDERS, str(settings.state_directory())):
        for top, _, files in os.walk(folder):
            found |= {f"file {top}", *(f"file {top}/{name}" for name in files)}
    return found
