"""Runs the cases of a sweep side by side, and judges each."""

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from ..faults import Fault, Write
from .cases import Case, steady
from .oracle import violations
from .outcome import Outcome
from .play import NotMet, play, strike
from .run import Check, Run
from .scenarios import Scenario
from .subjects import Subject

CLEAN = "clean"
"""In the place of a fault: there is none."""


@dataclass(frozen=True)
class Verdict:
    """What came of a case."""

    name: str
    scenario: str
    fault: str
    wrong: tuple[str, ...] = ()
    """Nothing when it passed."""
    story: str = ""
    met: bool = True
    """The write came; if not, nothing was tested."""
    left_out: tuple[str, ...] = ()
    """What a run without a fault fails already, where that is not asked for."""


@dataclass(frozen=True)
class Clean:
    """A scenario without a fault, played twice."""

    outcome: Outcome
    writes: list[Write]
    """What both had."""
    texts: tuple[str, ...]
    """What the other one told."""
    checks: Mapping[str, Check]
    """What is asked of runs with a fault."""


@dataclass
class Stage:
    """Where cases are played, and what is known of the scenarios."""

    subject: Subject
    clean: dict[Scenario, Clean] = field(default_factory=dict)

    def prepare(self, scenarios: Iterable[Scenario]) -> Iterator[Verdict]:
        """Play scenarios without a fault. One that fails so is not swept."""
        with ThreadPoolExecutor(self.subject.at_once) as pool:
            runs = {each: [self._undisturbed(pool, each) for _ in range(2)] for each in scenarios}
            for scenario, both in runs.items():
                yield self._compared(scenario, both)

    def _undisturbed(self, pool: ThreadPoolExecutor, scenario: Scenario) -> "Future[Outcome]":
        return pool.submit(play, self.subject.staging, scenario, label=f"{scenario}-{CLEAN}")

    def _compared(self, scenario: Scenario, runs: "list[Future[Outcome]]") -> Verdict:
        name = f"{scenario}/{CLEAN}"
        try:
            one, other = (run.result() for run in runs)
        except AssertionError as error:
            return Verdict(name, scenario.name, CLEAN, (_headline(error),), _told(error))
        run = Run(scenario, one, other, pace=self.subject.staging.pace)
        wrong = tuple(violations(run, self.subject.checks))
        if wrong and not self.subject.lenient:
            return Verdict(name, scenario.name, CLEAN, wrong, one.story)
        checks = {n: c for n, c in self.subject.checks.items() if not violations(run, {n: c})}
        texts = (*other.told, *other.kube_events)
        self.clean[scenario] = Clean(one, steady(one.writes, other.writes), texts, checks)
        return Verdict(name, scenario.name, CLEAN, left_out=wrong)

    def sweep(self, cases: Iterable[Case], until: float) -> Iterator[Verdict]:
        """Play cases; those that have not begun at a time are left out. Verdicts as they come."""

        def judge(case: Case) -> Verdict | None:
            return self._judge(case) if time.monotonic() < until else None

        with ThreadPoolExecutor(self.subject.at_once) as pool:
            futures = [pool.submit(judge, case) for case in cases if case.scenario in self.clean]
            try:
                for future in as_completed(futures):
                    if (verdict := future.result()) is not None:
                        yield verdict
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _judge(self, case: Case) -> Verdict:
        name, scenario, clean = str(case), case.scenario, self.clean[case.scenario]
        try:
            found = strike(
                self.subject.staging, scenario, case.write, case.fault, label=scenario.name
            )
        except NotMet:
            return Verdict(name, scenario.name, case.fault, met=False)
        except AssertionError as error:
            return Verdict(name, scenario.name, case.fault, (_headline(error),), _told(error))
        run = Run(
            scenario,
            found,
            clean.outcome,
            killed=case.fault.kills,
            raced=case.fault is Fault.PAUSED,
            pace=self.subject.staging.pace,
            extra=clean.texts,
        )
        wrong = tuple(violations(run, clean.checks))
        return Verdict(name, scenario.name, case.fault, wrong, found.story if wrong else "")


def _headline(error: AssertionError) -> str:
    return str(error).partition("\n")[0]


def _told(error: AssertionError) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", ())])
