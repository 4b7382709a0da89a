"""The images of this repository: the targets of its Dockerfile, built on the test base image."""

import contextlib
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import Final

from tools.cluster import gobuild, progress, settings, wheels
from tools.cluster.images import engine

TARGETS: Final = ("podinfo", "controller", "gatekeeper", "helmtester", "loadtester")
"""In the order of the Dockerfile: the classic builder builds every stage above its target."""
PREFIX: Final = "flagger-py/"
VERSION_FILE: Final = settings.REPOSITORY / "libs/common/src/flagger_common/version.py"
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
        programs = folder / ".build" / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        shutil.copy2(gobuild.binary("helm"), programs / "helm")
        shutil.copy2(wheels.binary("kubectl"), programs / "kubectl")
        yield folder


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*UNUSED))
    elif source.exists():
        shutil.copy2(source, target)
