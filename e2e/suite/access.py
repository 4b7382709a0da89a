"""The cluster that tools.cluster chose (CLUSTER=local, kind or current), and its programs."""

import dataclasses
import os
import pathlib
import platform
import shutil
import subprocess
from collections.abc import Sequence

from tools.cluster import gobuild, providers, wheels

from e2e.suite import names


class SuiteError(Exception):
    """The suite cannot do what was asked; the text is for the person at the terminal."""


@dataclasses.dataclass(frozen=True)
class Access:
    """How programs reach the cluster."""

    kubeconfig: pathlib.Path
    kubectl: str
    helm: str

    def run(
        self, program: str, *arguments: str, text: str | None = None, seconds: float = 300
    ) -> str:
        """Run kubectl or helm (a path of this object) and return what it printed.

        Raises:
            SuiteError: it failed; the text ends with its error output.
        """
        done = self.attempt(program, *arguments, text=text, seconds=seconds)
        if done.returncode != 0:
            command = " ".join((pathlib.Path(program).name, *arguments))
            raise SuiteError(f"`{command}` failed:\n{done.stderr.strip()[-3000:]}")
        return done.stdout

    def attempt(
        self, program: str, *arguments: str, text: str | None = None, seconds: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a program that may fail, in the folder of the repository."""
        return subprocess.run(
            [program, *arguments],
            input=text,
            capture_output=True,
            text=True,
            cwd=names.ROOT,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            timeout=seconds,
        )


def provider() -> str:
    """Return the kind of cluster that was chosen."""
    return os.environ.get("CLUSTER") or providers.DEFAULT


def obstacle() -> str | None:
    """Return why this machine cannot have the chosen kind of cluster, or None where it can."""
    match provider():
        case "local":
            if platform.system() != "Linux" or os.geteuid() != 0:
                return "CLUSTER=local needs root on Linux; try CLUSTER=kind or CLUSTER=current"
        case "kind":
            missing = [name for name in ("kind", "docker") if not shutil.which(name)]
            if missing:
                return f"CLUSTER=kind needs {' and '.join(missing)}"
    return None


def current() -> Access:
    """Return the access to the cluster, which must be up."""
    return Access(
        kubeconfig=providers.chosen().kubeconfig(),
        kubectl=os.environ.get("KUBECTL") or str(wheels.binary("kubectl")),
        helm=os.environ.get("HELM") or str(gobuild.binary("helm")),
    )


def load(images: Sequence[str]) -> None:
    """Put images on the cluster's nodes."""
    providers.chosen().load(images)
