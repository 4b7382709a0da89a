"""What the tool needs to know of a kind of cluster."""

import pathlib
from collections.abc import Sequence
from typing import Protocol


class Provider(Protocol):
    """A cluster that tests can run on. All methods may raise ClusterError."""

    def prepare(self) -> None:
        """Build what `up` needs and has to be built; may run beside the building of images."""

    def up(self) -> None:
        """Make the cluster exist and be ready; return at once where it is."""

    def down(self) -> None:
        """Remove the cluster and everything it left on this machine; harmless when repeated."""

    def status(self) -> str | None:
        """Return None for a healthy cluster, else what is wrong with it."""

    def kubeconfig(self) -> pathlib.Path:
        """Return the path of an administrator's kubeconfig."""

    def load(self, images: Sequence[str]) -> None:
        """Make images usable by pods; those that are there already cost nothing."""
