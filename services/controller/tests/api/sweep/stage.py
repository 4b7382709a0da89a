"""Runs the cases of a sweep side by side, and judges each."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Final

import requests

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
RAMP: Final = 0.25
"""Seconds between the first starts: a hundred controllers that begin at once starve the server."""


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
    lost: str = ""
    """What kept the sweep itself from the API server; nothing was tested, and nothing is known."""
    left_out: tuple[str, ...] = ()
    """What a run without a fault fails already, where that is not asked for."""


@dataclass(frozen=True)
class Clean:
    """A scenario without a fault, played several times."""

    outcomes: tuple[Outcome, ...]
    writes: list[Write]
    """What the first two had."""
    texts: tuple[str, ...]
    """What the others told."""
    checks: Mapping[str, Check]
    """What is asked of runs with a fault."""


@dataclass
class Stage:
    """Where cases are played, and what is known of the scenarios."""

    subject: Subject
    clean: dict[Scenario, Clean] = field(default_factory=dict)

    def prepare(self, scenarios: Iterable[Scenario]) -> Iterator[Verdict]:
        """Play scenarios without a fault. One that fails so is not swept."""
        with self._pool() as pool:
            times = range(self.subject.clean_runs)
            runs = {each: [self._undisturbed(pool, each) for _ in times] for each in scenarios}
            for scenario, played in runs.items():
                yield self._compared(scenario, played)

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.subject.at_once, initializer=_ramp())

    def _undisturbed(self, pool: ThreadPoolExecutor, scenario: Scenario) -> "Future[Outcome]":
        return pool.submit(play, self.subject.staging, scenario, label=f"{scenario}-{CLEAN}")

    def _compared(self, scenario: Scenario, runs: "list[Future[Outcome]]") -> Verdict:
        name = f"{scenario}/{CLEAN}"
        try:
            one, *others = (run.result() for run in runs)
        except AssertionError as error:
            return Verdict(name, scenario.name, CLEAN, (_headline(error),), _told(error))
        except requests.RequestException as error:
            return Verdict(name, scenario.name, CLEAN, met=False, lost=str(error))
        run = Run(scenario, one, others[0], pace=self.subject.staging.pace)
        wrong = tuple(violations(run, self.subject.checks))
        if wrong and not self.subject.lenient:
            return Verdict(name, scenario.name, CLEAN, wrong, one.story)
        checks = {n: c for n, c in self.subject.checks.items() if not violations(run, {n: c})}
        texts = tuple(text for each in others for text in (*each.told, *each.kube_events))
        writes = steady(one.writes, others[0].writes)
        self.clean[scenario] = Clean((one, *others), writes, texts, checks)
        return Verdict(name, scenario.name, CLEAN, left_out=wrong)

    def sweep(self, cases: Iterable[Case], until: float) -> Iterator[Verdict]:
        """Play cases; those that have not begun at a time are left out. Verdicts as they come."""

        def judge(case: Case) -> Verdict | None:
            return self._judge(case) if time.monotonic() < until else None

        with self._pool() as pool:
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
        except requests.RequestException as error:
            return Verdict(name, scenario.name, case.fault, met=False, lost=str(error))
        runs = (
            Run(
                scenario,
                found,
                outcome,
                killed=case.fault.kills,
                raced=case.fault is Fault.PAUSED,
                pace=self.subject.staging.pace,
                extra=clean.texts,
            )
            for outcome in clean.outcomes
        )
        beside = [tuple(violations(run, clean.checks)) for run in runs]
        wrong = min(beside, key=len)
        return Verdict(name, scenario.name, case.fault, wrong, found.story if wrong else "")


def _ramp() -> Callable[[], None]:
    """Makes each thread of a pool begin a little after the one before."""
    numbers = itertools.count()
    return lambda: time.sleep(next(numbers) * RAMP)


def _headline(error: AssertionError) -> str:
    return str(error).partition("\n")[0]


def _told(error: AssertionError) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", ())])
