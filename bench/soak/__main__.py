"""`make soak`: does the controller leak? A fleet's life in virtual time, and what it leaves behind.

make soak ARGS='--canaries 1000 --ticks 50000'   a short one; minutes
"""

import argparse
import logging
import sys

from bench.soak import play, report, verdict
from bench.soak.fleet import Life
from tools.cluster import progress


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="make soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--canaries", type=int, default=10_000)
    parser.add_argument("--ticks", type=int, default=1_000_000)
    options = parser.parse_args()
    if min(options.canaries, options.ticks) < 1:
        parser.error("--canaries, --ticks: there is no soak without any")
    return options


def main() -> int:
    """Play, and print tables; 1 if something grew, or was left."""
    options = arguments()
    logging.basicConfig(level=logging.ERROR)
    title = f"{options.canaries} canaries, {options.ticks} ticks"
    try:
        with progress.step(title) as step:
            found = play.run(options.canaries, options.ticks, Life(), step.update)
    except play.Unfinished as error:
        progress.say(f"error: {error}")
        return 1
    slopes = verdict.slopes(found.samples)
    progress.result(f"{report.samples(found.samples)}\n\n{report.slopes(slopes)}\n")
    troubles = [*verdict.grown(slopes), *found.troubles]
    for each in troubles:
        progress.result(f"LEAK: {each}")
    if not troubles:
        progress.result("Flat, and nothing is left.")
    return int(bool(troubles))


if __name__ == "__main__":
    sys.exit(main())
