"""A run with a fault, beside a clean one of the same release."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .outcome import Outcome
from .scenarios import Scenario


@dataclass(frozen=True)
class Run:
    """What is to be judged."""

    scenario: Scenario
    found: Outcome
    clean: Outcome
    """The same release without a fault."""
    killed: bool = False
    """A process has ended in between: then it may say some things twice, and some not at all."""
    raced: bool = False
    """Two processes tell things at the same time: their order is up to chance."""
    pace: int = 1
    extra: tuple[str, ...] = ()
    """What may be told in addition."""


Check = Callable[[Run], Iterator[str]]
