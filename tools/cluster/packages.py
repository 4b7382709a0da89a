"""Debian packages that the node and the images need, installed when something is missing."""

import contextlib
import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from tools.cluster import cache, progress, settings

NODE: Final = {
    "containerd": "containerd",
    "runc": "runc",
    str(settings.CNI_PLUGINS / "bridge"): "containernetworking-plugins",
    "nft": "nftables",
    "ip": "iproute2",
}
"""Program (name or path) and the package that has it."""
BASE_IMAGE: Final = {"mmdebstrap": "mmdebstrap"}
PROMETHEUS: Final = {"prometheus": "prometheus"}
GRAPHITE: Final = {"carbon-cache": "graphite-carbon", "graphite-manage": "graphite-web"}
CHROMIUM: Final = {"chromium": "chromium"}
ENGINE: Final = {"dockerd": "docker.io"}

POLICY: Final = pathlib.Path("/usr/sbin/policy-rc.d")
"""Debian asks this program whether a package may start its services."""


def find(program: str) -> str | None:
    """Return the path of a program, also from the folders that only root has in its path."""
    extra = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin"))
    return shutil.which(program) or shutil.which(program, path=extra)


def path(program: str) -> str:
    """Return the path of a program.

    Raises:
        ClusterError: it is not installed.
    """
    found = find(program)
    if not found:
        raise settings.ClusterError(f"`{program}` is not installed")
    return found


def ensure(needed: Mapping[str, str]) -> None:
    """Install the packages of programs that are missing; do nothing where none is.

    Raises:
        ClusterError: we may not install (not root, not Debian), or apt failed.
    """
    if not _missing(needed):
        return
    with cache.locked(settings.cache_directory() / "locks" / "packages", "packages are installed"):
        if missing := _missing(needed):
            _install(missing)


def _missing(needed: Mapping[str, str]) -> list[str]:
    return sorted({package for program, package in needed.items() if not find(program)})


def _install(missing: list[str]) -> None:
    command = "apt-get install --no-install-recommends " + " ".join(missing)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise settings.ClusterError(f"these programs are missing; as root: {command}")
    progress.say(f"installing Debian packages: {' '.join(missing)}")
    with _no_services(), progress.step("installing Debian packages"):
        _apt(["update"])
        _apt(["install", "-y", "--no-install-recommends", *missing])


def _apt(arguments: Iterable[str]) -> None:
    argv = ["apt-get", "-qq", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise settings.ClusterError(f"{' '.join(argv)} failed:\n{done.stderr[-2000:]}")


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Keep packages from starting their services: we run our own, elsewhere."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
