"""The single runs of a sweep, by name: `promote/after/PATCH canaries/podinfo/status#3`."""

import fnmatch
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..faults import SWEPT, Fault, Write
from .scenarios import SCENARIOS, Scenario

SHUFFLED = 2026
"""So that a sweep that is cut short has seen something of everything, and always the same."""


@dataclass(frozen=True)
class Case:
    """A release in which something goes wrong at one write."""

    scenario: Scenario
    fault: Fault
    write: Write

    def __str__(self) -> str:
        return f"{self.scenario}/{self.fault}/{self.write}"

    @classmethod
    def parse(cls, text: str) -> "Case":
        """The opposite of `str`; raises ValueError or KeyError."""
        scenario, fault, write = text.split("/", 2)
        return cls(SCENARIOS[scenario], Fault(fault), Write.parse(write))


@dataclass(frozen=True)
class Wanted:
    """What is to be swept, by names or patterns; nothing stands for everything."""

    patterns: Sequence[str] = ()

    def scenarios(self) -> list[Scenario]:
        """The scenarios of the cases; raises ValueError for names that nothing has."""
        if not self.patterns:
            return [*SCENARIOS.values()]
        found: set[str] = set()
        for pattern in self.patterns:
            names = fnmatch.filter(SCENARIOS, pattern.partition("/")[0])
            if not names:
                raise ValueError(f"no scenario is called {pattern!r}: {', '.join(SCENARIOS)}")
            found.update(names)
        return [scenario for name, scenario in SCENARIOS.items() if name in found]

    def __contains__(self, case: Case) -> bool:
        name = str(case)
        return not self.patterns or any(
            name == pattern or fnmatch.fnmatchcase(name, each)
            for pattern in self.patterns
            for each in (pattern, f"{pattern}/*")
        )

    def single(self) -> list[Case]:
        """The cases that are called by their full names."""
        full = (name for name in self.patterns if "#" in name and not set(name) & {*"*?["})
        return [Case.parse(name) for name in full]


def steady(one: Iterable[Write], other: Iterable[Write]) -> list[Write]:
    """The writes of a scenario that every run of it has."""
    again = set(other)
    return [write for write in one if write in again and not write.by_chance]


def planned(
    writes: dict[Scenario, list[Write]], wanted: Wanted, sample: int | None = None
) -> list[Case]:
    """All cases that are wanted; with `sample` so many of each scenario and fault."""
    found: list[Case] = []
    for scenario, known in writes.items():
        for turn, fault in enumerate(SWEPT):
            every = [Case(scenario, fault, write) for write in known if write.can_have(fault)]
            some = [case for case in every if case in wanted]
            found += some if sample is None else _spread(some, sample, turn)
    found += [case for case in wanted.single() if case not in found]
    random.Random(SHUFFLED).shuffle(found)  # noqa: S311 (no secret)
    return found


def _spread(cases: list[Case], sample: int, turn: int) -> list[Case]:
    """Some, from everywhere; another turn gives others."""
    if sample >= len(cases):
        return cases
    shift = turn * len(cases) // len(SWEPT)
    return [cases[(shift + n * len(cases) // sample) % len(cases)] for n in range(sample)]
