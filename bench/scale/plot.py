"""`make bench-plot`: what a record says, drawn against the number of canaries.

make bench-plot ARGS='DIR/measurements.jsonl OUT.png'
"""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Final

from bench.scale import record, report
from bench.scale.record import Measurement
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

ROWS: Final = 2
COLUMNS: Final = 3
INCHES: Final = (12.0, 7.0)
DOTS: Final = 120
"""For each inch."""
MARGIN: Final = 1.2
"""By which factor the axis of canaries is longer on both sides."""
FLOOR: Final = 0.01
"""Seconds down to which a logarithmic axis is one; below, it goes to nothing, which occurs."""
STYLES: Final = {"ours": ("tab:blue", "o"), "upstream": ("tab:orange", "s")}
"""Colour and marker of each controller: the same in all panels, in every picture."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """One figure of one scenario."""

    title: str
    scenario: str
    key: str
    logarithmic: bool = False


PANELS: Final = (
    Panel("tick lag p99, s", "rolling", "lag_p99", True),
    Panel("noticing all p99, s", "rolling", "noticed_p99", True),
    Panel("requests per advancing tick", "rolling", "requests"),
    Panel("idle requests per canary-minute", "idle", "requests"),
    Panel("CPU ms per advancing tick", "rolling", "cpu"),
    Panel("memory, MiB", "rolling", "memory"),
)


def picture(measurements: Sequence[Measurement]) -> Figure:
    """Return small multiples, one for each of `PANELS`; there is at least one measurement."""
    # Not of pyplot, which looks for a screen: this one can only be saved.
    drawn = Figure(figsize=INCHES, layout="constrained")
    sizes = sorted({each.size for each in measurements})
    for number, panel in enumerate(PANELS, 1):
        _draw(drawn.add_subplot(ROWS, COLUMNS, number), panel, measurements, sizes)
    drawn.suptitle(report.circumstances(measurements), fontsize="small")
    lines = {str(line.get_label()): line for axes in drawn.axes for line in axes.get_lines()}
    drawn.legend(lines.values(), lines, loc="outside lower center", ncols=len(STYLES))
    return drawn


def _draw(
    axes: Axes, panel: Panel, measurements: Sequence[Measurement], sizes: Sequence[int]
) -> None:
    for subject, (colour, marker) in STYLES.items():
        points = sorted(
            (each.size, each.figures[panel.key])
            for each in measurements
            if each.subject == subject
            and each.scenario == panel.scenario
            and panel.key in each.figures
        )
        if points:
            across, up = zip(*points, strict=True)
            axes.plot(across, up, color=colour, marker=marker, label=subject, clip_on=False)
    axes.set_title(panel.title, fontsize="medium")
    axes.set_xlabel("canaries")
    axes.set_xscale("log")
    axes.set_xlim(sizes[0] / MARGIN, sizes[-1] * MARGIN)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xticks([], minor=True)
    if panel.logarithmic:
        axes.set_yscale("symlog", linthresh=FLOOR)
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)


def main() -> int:
    """Draw a record; 1 if there is nothing in it."""
    parser = argparse.ArgumentParser(
        prog="make bench-plot",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("record", type=pathlib.Path, help=f"its {record.MEASUREMENTS}")
    parser.add_argument("out", type=pathlib.Path, help="the PNG file")
    options = parser.parse_args()
    if not options.record.is_file():
        parser.error(f"{options.record} is no file: --record DIR of `make bench` makes one in DIR")
    measurements = record.parsed(options.record.read_bytes())
    if not measurements:
        sys.stderr.write(f"{options.record} has no measurements: nothing was drawn\n")
        return 1
    picture(measurements).savefig(options.out, format="png", dpi=DOTS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
