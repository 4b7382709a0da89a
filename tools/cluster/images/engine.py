"""The Docker engine that builds images from Dockerfiles: the machine's, or one of our own.

Ours is started when none answers. It has sockets, folders and a control group of its own, and
touches neither bridges nor firewall: builds use the network of the machine. Its images and layers
are in the cache, so they survive `down`.
"""

import os
import pathlib
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

from tools.cluster import cache, packages, processes, progress, settings
from tools.cluster.images import archive, catalog
from tools.cluster.node import layout, leftovers, runtime

START_SECONDS: Final = 60.0
NAME: Final = "dockerd"
LAYERS_KEPT: Final = "72h"
"""Age at which layers that belong to no tagged image are thrown away."""


def host() -> str | None:
    """Return the address of our engine if it runs."""
    paths = layout.EngineLayout.default()
    running = any(process.alive for process in processes.remembered(paths.records))
    return f"unix://{paths.socket}" if running else None


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    own = host()
    if own:
        # Debian's package has the classic builder only; newer clients would insist on buildx.
        environment.update(DOCKER_HOST=own, DOCKER_BUILDKIT="0")
    return environment


def _answers(environment: Mapping[str, str]) -> bool:
    argv = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(argv, capture_output=True, env=environment, timeout=30)
    except FileNotFoundError:
        return False
    return done.returncode == 0


def ensure() -> None:
    """Make sure that an engine answers, starting ours if none does.

    Raises:
        ClusterError: there is none and ours cannot be started.
    """
    with cache.locked(settings.cache_directory() / "locks" / NAME, "the Docker engine starts"):
        if not _answers(_environment()):
            _start()


def _start() -> None:
    packages.ensure(packages.ENGINE)
    paths = layout.EngineLayout.default()
    if paths.root.exists():
        leftovers.remove_engine(paths)
    paths.root.mkdir(parents=True)
    paths.data.mkdir(parents=True, exist_ok=True)
    command = processes.Command(NAME, _argv(paths), paths.root / "dockerd.log", paths.root)
    running = processes.start(command, die_with_parent=False)
    processes.remember(running, paths.records)
    with progress.step("starting a Docker engine"):
        processes.wait_for(
            "Docker engine", lambda: _answers(_environment()), [running], START_SECONDS, pause=0.3
        )
    # Layers of sources that have changed since: the cache would grow with every build.
    argv = ["docker", "image", "prune", "--force", "--filter", f"until={LAYERS_KEPT}"]
    subprocess.run(argv, env=_environment(), capture_output=True, check=False)


def _argv(paths: layout.EngineLayout) -> list[str]:
    overlay = runtime.snapshotter(paths.data) == "overlayfs"
    return [
        packages.path("dockerd"),
        f"--host=unix://{paths.socket}",
        f"--data-root={paths.data}",
        f"--exec-root={paths.root}/exec",
        f"--pidfile={paths.root}/docker.pid",
        f"--storage-driver={'overlay2' if overlay else 'vfs'}",
        f"--cgroup-parent=/{settings.DOCKER_CGROUP}",
        "--oom-score-adjust=0",  # lowering it needs a capability that root may lack
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
    ]


def docker(*arguments: str) -> str:
    """Run a docker command against the engine and return its output.

    Raises:
        ClusterError: it failed.
    """
    ensure()
    argv = ["docker", *arguments]
    done = subprocess.run(argv, env=_environment(), capture_output=True, text=True)
    if done.returncode != 0:
        raise settings.ClusterError(f"docker {arguments[0]} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def identities(tags: Sequence[str]) -> dict[str, str]:
    """Return the ids of images that the engine has; those it does not have are left out."""
    found = {}
    for tag in tags:
        lines = docker("image", "ls", "--quiet", "--no-trunc", tag).split()
        if lines:
            found[tag] = lines[0]
    return found


def save(tags: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start a process that writes images to its standard output, shared layers once."""
    return subprocess.Popen(["docker", "save", *tags], env=_environment(), stdout=subprocess.PIPE)


def ensure_base() -> None:
    """Put the base image into the engine."""
    path = catalog.image(settings.BASE_IMAGE)
    if identities([settings.BASE_IMAGE]).get(settings.BASE_IMAGE) != archive.identity(path):
        docker("load", "--quiet", "--input", str(path))


def build_image(
    dockerfile: pathlib.Path,
    target: str,
    tag: str,
    context: pathlib.Path,
    build_args: Mapping[str, str] | None = None,
) -> None:
    """Build a target of a Dockerfile on the base image of the tests.

    Args:
        dockerfile: uses only what the classic builder knows; begins with `ARG BASE_IMAGE`.
        target: the stage to build.
        tag: name of the result in the engine.
        context: folder that COPY takes from.
        build_args: further arguments; BASE_IMAGE may be replaced here.

    Raises:
        ClusterError: the build failed; the text ends with its last lines.
    """
    ensure()
    ensure_base()
    arguments = {"BASE_IMAGE": settings.BASE_IMAGE, **(build_args or {})}
    argv = ["docker", "build", "--network=host", "--file", str(dockerfile), "--tag", tag]
    argv += ["--target", target, *_flags(arguments), str(context)]
    with progress.step(f"building image {tag}") as step:
        lines = []
        with subprocess.Popen(
            argv,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout or ():
                lines.append(line)
                if line.startswith(("Step ", "#")):
                    step.update(line.strip()[:60])
        if process.returncode != 0:
            raise settings.ClusterError(f"could not build {tag}:\n{''.join(lines[-40:])}")


def _flags(arguments: Mapping[str, str]) -> list[str]:
    return [
        flag for name, value in arguments.items() for flag in ("--build-arg", f"{name}={value}")
    ]
