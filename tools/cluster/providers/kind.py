"""CLUSTER=kind: nodes in containers, for machines with Docker and access to a registry."""

import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Final

from tools.cluster import progress, settings
from tools.cluster.images import catalog, engine

NAME: Final = "flagger-test"


def _kind(*arguments: str) -> str:
    program = shutil.which("kind")
    if not program:
        raise settings.ClusterError("CLUSTER=kind needs the program `kind` in the path")
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise settings.ClusterError(f"kind {arguments[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


class Kind:
    """One cluster with a fixed name."""

    def prepare(self) -> None:
        """Build nothing: nodes are images from a registry."""

    def up(self) -> None:
        """Create the cluster unless it exists."""
        if NAME in _kind("get", "clusters").split():
            _kind("export", "kubeconfig", "--name", NAME, "--kubeconfig", str(self.kubeconfig()))
            return
        self.kubeconfig().parent.mkdir(parents=True, exist_ok=True)
        with progress.step("creating a kind cluster"):
            place = ("--name", NAME, "--kubeconfig", str(self.kubeconfig()))
            _kind("create", "cluster", *place, "--wait", "120s")

    def down(self) -> None:
        """Delete the cluster."""
        _kind("delete", "cluster", "--name", NAME, "--kubeconfig", str(self.kubeconfig()))

    def status(self) -> str | None:
        """Ask kind whether the cluster exists."""
        return None if NAME in _kind("get", "clusters").split() else "no kind cluster"

    def kubeconfig(self) -> pathlib.Path:
        """Return a kubeconfig of our own; the user's is not changed."""
        return settings.cache_directory() / "kind.kubeconfig"

    def load(self, images: Sequence[str]) -> None:
        """Load images: those made here as archives, all others from the Docker engine."""
        made = [tag for tag in images if tag in catalog.tags()]
        for tag in made:
            _kind("load", "image-archive", str(catalog.image(tag)), "--name", NAME)
        built = [tag for tag in images if tag not in made]
        if built:
            with tempfile.TemporaryDirectory() as scratch:
                archive = pathlib.Path(scratch) / "images.tar"
                engine.docker("save", "--output", str(archive), *built)
                _kind("load", "image-archive", str(archive), "--name", NAME)
