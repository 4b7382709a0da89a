"""`make takeover`: Canaries go from upstream's controller to ours and back (docs/migration.md)."""

import argparse
import fnmatch
import pathlib
import sys
import tempfile
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager

from tools.cluster import gobuild, progress
from tools.cluster.controlplane import ControlPlane, Options

from ..process import OURS, Program, launcher
from ..scene import World
from . import oracle, record
from .oracle import Handover
from .play import LEAVES, Direction, play
from .states import STATES

AT_ONCE = 8
"""Most of the time they wait for intervals to pass."""
RECORDED = "take-over/stopped/"
"""Hand-overs whose beginning is kept."""


def arguments() -> argparse.Namespace:
    """What is wanted."""
    parser = argparse.ArgumentParser(prog="make takeover", description=__doc__)
    parser.add_argument(
        "wanted",
        nargs="*",
        default=["*"],
        help="patterns of names: take-over/stopped/weight, 'back/*'; all if none is given",
    )
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="hand-overs side by side")
    parser.add_argument(
        "--record", action="store_true", help="keep what upstream leaves behind for `make test`"
    )
    return parser.parse_args()


@contextmanager
def world() -> Iterator[World]:
    """An API server for this alone."""
    with (
        tempfile.TemporaryDirectory(prefix="flagger-takeover-") as logs,
        ControlPlane.start(Options(fake_nodes=2)) as plane,
        World.around(plane, pathlib.Path(logs)) as around,
    ):
        yield around


def directions() -> dict[str, Direction]:
    """There and back; upstream says that it is ready before it watches."""
    binary = gobuild.binary("flagger")
    upstream = Program(launcher(str(binary)), ("-control-loop-interval=1s",), "healthz")
    return {"take-over": Direction(upstream, OURS), "back": Direction(OURS, upstream)}


def judged(future: "Future[Handover]") -> tuple[list[str], str]:
    """What was wrong with a hand-over, and the story of one that could not be played."""
    try:
        return oracle.wrong(future.result()), ""
    except Exception as error:
        return [str(error).partition("\n")[0]], "".join(traceback.format_exception(error))


def main() -> int:
    """Play all that is wanted; 1 if anything went wrong."""
    options = arguments()
    cases = {
        f"{direction}/{leave}/{state}": (STATES[state], between, LEAVES[leave])
        for direction, between in directions().items()
        for leave in LEAVES
        for state in STATES
    }
    chosen = {name for name in cases if any(fnmatch.fnmatch(name, one) for one in options.wanted)}
    failed = 0
    with world() as around, ThreadPoolExecutor(options.at_once) as pool:
        futures = {pool.submit(play, around, *cases[name]): name for name in sorted(chosen)}
        with progress.step("hand-overs") as step:
            for done, future in enumerate(as_completed(futures), 1):
                name, (problems, story) = futures[future], judged(future)
                failed += bool(problems)
                verdict = "FAILED" if problems else "passed"
                progress.result("\n  ".join([f"{verdict} {name}", *problems, *story.splitlines()]))
                if options.record and not story and name.startswith(RECORDED):
                    left = future.result().before.values()
                    record.write(name.removeprefix(RECORDED), around.receivers.url, left)
                step.update(f"{done} of {len(chosen)}, {failed} failed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
