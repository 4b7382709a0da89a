"""Query templates, part two: tokens to a tree (metrics.md 7.3); pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Literal:
    """A constant; None is Go's nil."""

    value: str | int | float | bool | None


@dataclass(frozen=True)
class Dot:
    """The current value."""


@dataclass(frozen=True)
class Call:
    """A function by name; arguments come from its command."""

    name: str


@dataclass(frozen=True)
class Variable:
    """`$x`."""

    name: str


@dataclass(frozen=True)
class Chain:
    """Keys after an operand: `variables.team`."""

    operand: "Operand"
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Pipe:
    """Commands whose results feed the next one, and the variables that get the last result."""

    commands: tuple["Command", ...]
    place: int
    names: tuple[str, ...] = ()
    declares: bool = True


Operand = Literal | Dot | Call | Variable | Chain | Pipe


@dataclass(frozen=True)
class Command:
    """An operand and its arguments."""

    operands: tuple[Operand, ...]
    place: int


@dataclass(frozen=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Output:
    """An action whose value is written, unless it sets a variable."""

    pipe: Pipe


@dataclass(frozen=True)
class Branch:
    """`if`, `with` and `range`."""

    kind: str
    pipe: Pipe
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]


@dataclass(frozen=True)
class Include:
    """`template` and `block`."""

    name: str
    pipe: Pipe | None
    place: int


@dataclass(frozen=True)
class Jump:
    """`break` and `continue`."""

    kind: str


Node = Text | Output | Branch | Include | Jump


@dataclass(frozen=True)
class Tree:
    """A template and those it defines."""

    body: tuple[Node, ...]
    defined: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)
