"""`make bench`: how many releases a controller carries, ours beside upstream's.

make bench ARGS='--sizes 20'             the smallest; twenty minutes
make bench ARGS='--record DIR'           go on where an earlier run was cut short
make bench ARGS='--subjects ours --scenarios idle rolling'
"""

import argparse
import contextlib
import pathlib
import signal
import sys
from collections.abc import Collection, Generator
from typing import Final

import requests
from bench.scale import machine, report
from bench.scale.bout import Bout
from bench.scale.errors import Unfinished
from bench.scale.fleet import Fleet
from bench.scale.record import Figures, Measurement, Record, present
from bench.scale.scenarios import SCENARIOS
from bench.scale.stage import Stage
from bench.scale.subjects import SUBJECTS, Subject
from services.controller.tests.api.process import Program
from tools.cluster import progress, settings

SIZES: Final = (20, 100, 300, 1000)
PATIENCE: Final = 300.0
PATIENCE_EACH: Final = 4.0
"""Seconds that anything may take, for each canary more; upstream's slowest needed a fifth of it."""
FIRST: Final = "onboarding"
"""All other scenarios need what it makes, so it is always played."""


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=[*SUBJECTS])
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="canaries")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=[*SCENARIOS])
    parser.add_argument("--record", metavar="DIR", type=pathlib.Path, help="keeps what was found")
    parser.add_argument(
        "--without-pods", action="store_true", help="Deployments are rolled out by name only"
    )
    options = parser.parse_args()
    if min(options.sizes) < 1:
        parser.error("--sizes: there is no fleet without a canary")
    return options


def missing(
    options: argparse.Namespace, known: Collection[Measurement]
) -> dict[tuple[int, str], list[str]]:
    """What is still to be measured: scenarios by size and subject, in the order of play."""
    done = {(each.size, each.subject, each.scenario) for each in known}
    plan = {
        (size, subject): [
            name
            for name in SCENARIOS
            if name in options.scenarios and (size, subject, name) not in done
        ]
        for size in dict.fromkeys(options.sizes)
        for subject in dict.fromkeys(options.subjects)
    }
    return {place: names for place, names in plan.items() if names}


def measured(
    stage: Stage, subject: Subject, program: Program, size: int, wanted: Collection[str]
) -> Generator[tuple[str, Figures], None, None]:
    """Play scenarios with a fresh process and a fresh fleet, and leave nothing of both.

    Yields:
        Each scenario that was wanted, and what was measured. The first one that a controller does
        not get done with ends it; the terminal is told.

    Raises:
        Unfinished: the fleet could not be deleted.
    """
    label = f"{subject.name}-{size}"
    with Fleet(stage.hands, label, size) as fleet, stage.controller(subject, program, label) as it:
        log, patience = str(stage.log(label)), PATIENCE + PATIENCE_EACH * size
        bout = Bout(fleet, it, stage.observer, stage.plane.audit, log, patience)
        for name, play in SCENARIOS.items():
            if name not in (FIRST, *wanted):
                continue
            title = f"{subject.name}, {size} canaries: {name}"
            try:
                with progress.step(title) as bout.step:
                    figures = play(bout)
            except (Unfinished, requests.RequestException) as error:
                progress.say(f"{title} was not finished: {error}")
                break
            if name in wanted:
                yield name, figures
    stage.observer.forget()


def run(options: argparse.Namespace) -> list[Measurement]:
    """Measure what is missing; return all that is known then.

    Raises:
        ClusterError: the control plane did not start, or the record is another machine's.
        Unfinished: a fleet could not be deleted.
    """
    here, pods = machine.this(), not options.without_pods
    record = Record(options.record, here, pods=pods)
    known = record.read()
    plan = missing(options, known)
    if not plan:
        return known
    programs = {name: SUBJECTS[name].program() for name in {name for _, name in plan}}
    with Stage.opened(pods=pods) as stage:
        for (size, name), wanted in plan.items():
            playing = measured(stage, SUBJECTS[name], programs[name], size, wanted)
            with contextlib.closing(playing) as found:
                for scenario, figures in found:
                    measurement = Measurement(
                        here, size, name, scenario, figures, present(), pods=pods
                    )
                    record.add(measurement)
                    known.append(measurement)
    return known


def main() -> int:
    """Measure and print tables; 1 if not everything that was wanted could be measured."""
    options = arguments()
    # The controllers that are measured would outlive a process that is just ended.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        known = run(options)
    except (settings.ClusterError, Unfinished) as error:
        progress.say(f"error: {error}")
        return 1
    if known:
        text = report.whole(known)
        Record(options.record, machine.this(), pods=not options.without_pods).report(text)
        progress.result(text)
    return int(bool(missing(options, known)))


if __name__ == "__main__":
    sys.exit(main())
