"""`make sweep`: every write of every scenario fails in every way.

make sweep                                       everything; an hour or two
make sweep ARGS='--sample 1'                     one write for each scenario and fault
make sweep ARGS='promote gate/after'             parts of it
make sweep ARGS="'promote/after/PATCH canaries/podinfo/status#3'"
make sweep ARGS='--record DIR'                   go on where an earlier one was cut short
make sweep ARGS='--upstream PATH'                side by side with upstream's binary
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from tools.cluster import gobuild, progress
from tools.cluster.controlplane import ControlPlane, Options

from .. import process
from ..scene import World
from ..zygote import Zygote
from . import report, subjects
from .cases import Case, Wanted, planned
from .record import Record
from .stage import Stage, Verdict
from .subjects import Subject

PART = 500
"""So many cases on one control plane: nothing is deleted on it, and it gets slower and slower."""
EACH_CORE = 5
"""Runs at the same time; most of them wait for an interval to pass."""


def arguments() -> argparse.Namespace:
    """What the command line asks for; ends the process when that makes no sense."""
    parser = argparse.ArgumentParser(
        prog="make sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", help="names or patterns; nothing: everything")
    parser.add_argument("--sample", type=int, help="so many writes for each scenario and fault")
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no case after this")
    parser.add_argument("--list", action="store_true", help="after the clean runs, only say what")
    at_once = EACH_CORE * (os.cpu_count() or 1)
    parser.add_argument("--at-once", type=int, default=at_once, help="controllers side by side")
    parser.add_argument("--record", metavar="DIR", type=pathlib.Path, help="keeps what was found")
    parser.add_argument("--upstream", metavar="PATH", help="also upstream's; `built` compiles it")
    options = parser.parse_args()
    try:
        options.wanted = Wanted(options.cases)
        options.scenarios = options.wanted.scenarios()
        options.wanted.single()
    except ValueError as error:
        parser.error(str(error))
    return options


CONTROLLERS = (
    *("deployment", "replicaset", "statefulset", "disruption"),
    *("garbage-collector", "node-lifecycle"),
)
FRUGAL = Options(
    fake_nodes=2,
    audit=False,  # it would grow to gigabytes
    controller_arguments=(f"--controllers={','.join(f'{c}-controller' for c in CONTROLLERS)}",),
    environment={"GOGC": "400"},
)
"""A control plane that does what releases need, and nothing else: its load limits a sweep."""


@contextmanager
def world() -> Iterator[World]:
    """A control plane for the sweep alone, and what is around controllers."""
    with (
        tempfile.TemporaryDirectory(prefix="flagger-sweep-") as logs,
        ControlPlane.start(FRUGAL) as plane,
        World.around(plane, pathlib.Path(logs), tidy=False) as around,
    ):
        yield around


def swept(subject: Callable[[World], Subject], options: argparse.Namespace) -> list[Verdict]:
    """Play everything that is wanted, showing how far it is."""
    until = time.monotonic() + options.minutes * 60
    with world() as around:
        stage = Stage(subject(around))
        verdicts = prepared(stage, options)
        writes = {scenario: clean.writes for scenario, clean in stage.clean.items()}
        cases = planned(writes, options.wanted, options.sample)
        if options.list:
            progress.result("\n".join(sorted(map(str, cases))))
            return verdicts
    record = Record(options.record, stage.subject.name)
    verdicts += record.read()
    known = {verdict.name for verdict in verdicts}
    left = [case for case in cases if str(case) not in known]
    for begin in range(0, len(left), PART):
        with world() as around:
            stage = replace(stage, subject=subject(around))
            for verdict in played(stage, left[begin : begin + PART], until):
                record.add(verdict)
                verdicts.append(verdict)
            progress.say(f"{min(begin + PART, len(left))} of {len(left)} cases")
    return verdicts


def prepared(stage: Stage, options: argparse.Namespace) -> list[Verdict]:
    """Play everything without a fault."""
    verdicts: list[Verdict] = []
    with progress.step(f"{stage.subject.name}: clean runs") as step:
        for verdict in stage.prepare(options.scenarios):
            verdicts.append(verdict)
            step.update(f"{len(verdicts)} of {len(options.scenarios)}")
    return verdicts


def played(stage: Stage, cases: Sequence[Case], until: float) -> Iterator[Verdict]:
    """Play cases."""
    failed = 0
    with progress.step(f"{stage.subject.name}: sweep") as step:
        for done, verdict in enumerate(stage.sweep(cases, until), 1):
            yield verdict
            if verdict.wrong:
                failed += 1
                progress.say(f"FAILED {verdict.name}: {verdict.wrong[0]}")
            step.update(f"{done} of {len(cases)}, {failed} failed")


def main() -> int:
    """Sweep; 1 if anything of ours failed or could not be played."""
    options = arguments()
    binary = gobuild.binary("flagger") if options.upstream == "built" else options.upstream
    with Zygote(process.environment()) as zygote:
        chosen = {"ours": lambda around: subjects.ours(around, options.at_once, zygote.launch)}
        if binary:
            path = pathlib.Path(binary)
            chosen["upstream"] = lambda around: subjects.upstream(around, options.at_once, path)
        found = {name: swept(each, options) for name, each in chosen.items()}
    for verdicts in found.values():
        for text in (report.stories(verdicts), report.missed(verdicts), report.left_out(verdicts)):
            progress.result(text)
    progress.result(report.table(found))
    return int(any(verdict.wrong or verdict.lost for verdict in found["ours"]))


if __name__ == "__main__":
    sys.exit(main())
