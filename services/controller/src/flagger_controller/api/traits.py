"""What Services and routes need to know of a workload: its selector and ports."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Port:
    """A discovered port; port and target port are the same number."""

    name: str
    number: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class Selector:
    """The label that tells the pods of target and primary apart."""

    key: str
    value: str

    @property
    def primary(self) -> str:
        """Its value on the primary's pods."""
        return f"{self.value}-primary"


@dataclass(frozen=True)
class Traits:
    """What Services need to know of a target."""

    selector: Selector | None
    """None for Service targets: no Services are generated."""
    ports: tuple[Port, ...] = ()
