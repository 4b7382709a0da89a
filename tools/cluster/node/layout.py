"""Where the files of the running cluster are, and the note about it that outlives `up`."""

import dataclasses
import json
import pathlib
from typing import Self

from tools.cluster import settings


@dataclasses.dataclass(frozen=True)
class Layout:
    """Paths of the cluster."""

    root: pathlib.Path

    @classmethod
    def default(cls) -> Self:
        """Return the layout of the configured state directory."""
        return cls(settings.state_directory() / "cluster")

    @property
    def plane(self) -> pathlib.Path:
        """Folder of the control plane; also the working directory of the node's daemons."""
        return self.root / "plane"

    @property
    def records(self) -> pathlib.Path:
        """Notes about running daemons."""
        return self.root / "run"

    @property
    def logs(self) -> pathlib.Path:
        """Logs of all daemons."""
        return self.plane / "logs"

    @property
    def containerd(self) -> pathlib.Path:
        """Images, containers and sockets of the runtime."""
        return self.root / "containerd"

    @property
    def containerd_socket(self) -> pathlib.Path:
        """Where the runtime listens."""
        return self.containerd / "containerd.sock"

    @property
    def kubelet(self) -> pathlib.Path:
        """Volumes and sockets of the kubelet."""
        return self.root / "kubelet"

    @property
    def cni(self) -> pathlib.Path:
        """Configuration and address allocations of the pod network."""
        return self.root / "cni"

    @property
    def note(self) -> pathlib.Path:
        """The file of `Note`."""
        return self.root / "cluster.json"


@dataclasses.dataclass(frozen=True)
class EngineLayout:
    """Paths of our Docker engine, which lives and ends apart from the cluster."""

    root: pathlib.Path
    data: pathlib.Path
    """Images and layers: in the cache, as they outlive the engine."""

    @classmethod
    def default(cls) -> Self:
        """Return the layout of the configured state and cache directories."""
        return cls(settings.state_directory() / "docker", settings.cache_directory() / "docker")

    @property
    def records(self) -> pathlib.Path:
        """Note about the running daemon."""
        return self.root / "run"

    @property
    def socket(self) -> pathlib.Path:
        """Where the engine listens."""
        return self.root / "docker.sock"


@dataclasses.dataclass(frozen=True)
class Note:
    """What later calls need to know: to answer questions, and to undo what `up` did."""

    key: str
    """Changes when the versions or the configuration of the cluster do."""
    sysctls: dict[str, str]
    """Kernel settings as they were before."""
    url: str = ""
    """Address of the API; empty while `up` has not got that far."""
    token: str = ""
    loaded: dict[str, str] = dataclasses.field(default_factory=dict)
    """Images on the node and their ids, to load each only once."""

    def write(self, layout: Layout) -> None:
        """Replace the note in one step, readable by its owner only."""
        layout.root.mkdir(parents=True, exist_ok=True)
        aside = layout.note.with_suffix(".new")
        aside.touch(mode=0o600)
        aside.write_text(json.dumps(dataclasses.asdict(self), indent=2))
        aside.replace(layout.note)

    @classmethod
    def read(cls, layout: Layout) -> Self | None:
        """Return the note, or None where there is none."""
        if not layout.note.exists():
            return None
        return cls(**json.loads(layout.note.read_text()))
