"""CLUSTER=current: the cluster that kubectl talks to anyway. Nothing of it is made or removed."""

import os
import pathlib
import subprocess
from collections.abc import Sequence

from tools.cluster import progress, settings, wheels


class Current:
    """The current context of the user's kubeconfig."""

    def prepare(self) -> None:
        """Build nothing: the cluster is there."""

    def up(self) -> None:
        """Check that the cluster answers."""
        problem = self.status()
        if problem:
            raise settings.ClusterError(problem)
        progress.say(f"using the current context of {self.kubeconfig()}")

    def down(self) -> None:
        """Leave the cluster alone: it is not ours."""
        progress.say("CLUSTER=current: the cluster stays as it is")

    def status(self) -> str | None:
        """Ask the API server whether it is ready."""
        argv = [str(wheels.binary("kubectl")), "get", "--raw", "/readyz", "--request-timeout=10s"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
        return None if done.returncode == 0 else f"no cluster answers: {done.stderr.strip()}"

    def kubeconfig(self) -> pathlib.Path:
        """Return KUBECONFIG or the usual place."""
        first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
        return pathlib.Path(first or "~/.kube/config").expanduser()

    def load(self, images: Sequence[str]) -> None:
        """Say what the user has to do: we cannot know how images get to their nodes."""
        progress.say(
            "CLUSTER=current: these images must already be on the nodes, or in a registry that "
            "the nodes pull from:\n  " + "\n  ".join(images)
        )
