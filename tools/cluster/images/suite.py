"""The images of this repository: the targets of its Dockerfile, built on the test base image."""

import contextlib
import pathlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tools.cluster import gobuild, progress, settings, wheels
from tools.cluster.images import engine

TARGETS: Final = ("podinfo", "controller", "gatekeeper", "helmtester", "loadtester")
"""In the order of the Dockerfile: the classic builder builds every stage above its target."""
PREFIX: Final = "flagger-py/"
VERSION_FILE: Final = settings.REPOSITORY / "libs/common/src/flagger_common/version.py"
PROGRAMS: Final[dict[str, Callable[[], pathlib.Path]]] = {
    "helm": lambda: gobuild.binary("helm"),
    "kubectl": lambda: wheels.binary("kubectl"),
    "ghz": lambda: gobuild.binary("ghz"),
    "grpc_health_probe": lambda: gobuild.binary("grpc_health_probe"),
}
"""What images have in /usr/local/bin, see the head of the Dockerfile. Not k6: its licence is the
AGPL, so whoever wants it in an image puts it there."""
HEALTH_PROTO: Final = "ghz/health.proto"
"""Description of gRPC's health service in /usr/local/share, for ghz. Upstream has it in /tmp/ghz,
which is an empty folder in our pods."""
UNUSED: Final = ("tests", "__pycache__", "*.egg-info")


def version() -> str:
    """Return the version of the suite, without importing it."""
    found = re.search(r'^\w+(?:: \w+)? = "([^"]+)"', VERSION_FILE.read_text(), re.MULTILINE)
    if not found:
        raise settings.ClusterError(f"no version in {VERSION_FILE.name}")
    return found.group(1)


def tag(target: str) -> str:
    """Return the tag of a target's image."""
    return f"{PREFIX}{target}:{version()}"


def build(targets: Sequence[str]) -> list[str]:
    """Build targets of the repository's Dockerfile and return the images' tags.

    Raises:
        ClusterError: a build failed.
    """
    ordered = [target for target in TARGETS if target in targets]
    with _context() as folder:
        for target in ordered:
            engine.build_image(folder / "Dockerfile", target, tag(target), folder)
            progress.say(f"built {tag(target)}")
    return [tag(target) for target in ordered]


@contextlib.contextmanager
def _context() -> Iterator[pathlib.Path]:
    """Yield a copy of what the Dockerfile needs, with the programs that it expects in .build/bin.

    A copy, so that all targets are built from the same sources (else every edit meanwhile throws
    away the layers that they share), and so that the work tree stays clean.
    """
    root = settings.REPOSITORY
    with tempfile.TemporaryDirectory(prefix="flagger-images-") as scratch:
        folder = pathlib.Path(scratch)
        rules = (root / ".dockerignore").read_text().splitlines()
        parts = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
        for part in ("Dockerfile", ".dockerignore", *parts):
            _copy(root / part, folder / part)
        put_programs(folder / ".build")
        yield folder


def put_programs(folder: pathlib.Path) -> None:
    """Put what the Dockerfile takes from outside into its folder .build; leave the rest there.

    Raises:
        ClusterError: a program cannot be built or downloaded.
    """
    for name, binary in PROGRAMS.items():
        _copy(binary(), folder / "bin" / name)
    description = folder / "share" / HEALTH_PROTO
    description.parent.mkdir(parents=True, exist_ok=True)
    argv = [str(gobuild.binary("grpc_health")), "proto"]
    description.write_bytes(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*UNUSED))
    elif source.exists():
        shutil.copy2(source, target)
