"""The table that people read: measurements of controllers side by side, and their ratios. Pure."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bench.scale.objects import IDEAL
from bench.scale.record import Figures, Measurement

BASELINE: Final = "upstream"
"""Whom the others are compared with."""
NOTHING: Final = "-"


@dataclasses.dataclass(frozen=True)
class Column:
    """Figures that stand in one column, with a slash in between."""

    title: str
    scenario: str
    keys: tuple[str, ...]
    digits: int = 1
    """Behind the point."""
    compared: bool = True
    """A ratio of it says something."""


COLUMNS: Final = (
    Column("all initialized after, s", "onboarding", ("seconds",)),
    Column("idle requests per canary-minute", "idle", ("requests",), 2),
    Column("noticing one p50 / p99, s", "notice-one", ("p50", "p99"), 2),
    Column("noticing all p50 / p99, s", "rolling", ("noticed_p50", "noticed_p99"), 2),
    Column(f"all released after (ideal {IDEAL:.0f}), s", "rolling", ("seconds",)),
    Column("failed", "rolling", ("failed",), 0, compared=False),
    Column("ticks a release", "rolling", ("ticks",), 2, compared=False),
    Column("tick lag p50 / p99, s", "rolling", ("lag_p50", "lag_p99"), 2),
    Column("requests per advancing tick", "rolling", ("requests",)),
    Column("CPU ms per advancing tick", "rolling", ("cpu",)),
    Column("cores used", "rolling", ("cores",), 2),
    Column("memory, MiB", "rolling", ("memory",), 0),
    Column("early after a restart / under way", "restart", ("early", "under_way"), 0, False),
    Column("shortest distance across it, s", "restart", ("shortest",), compared=False),
)


def table(measurements: Iterable[Measurement]) -> str:
    """Return a Markdown table with a row for each size and controller, and rows of ratios."""
    found: dict[tuple[int, str], dict[str, Figures]] = {}
    for each in measurements:
        found.setdefault((each.size, each.subject), {})[each.scenario] = each.figures
    sizes = sorted({size for size, _ in found})
    subjects = list(dict.fromkeys(subject for _, subject in found))
    lines = [
        _row(["canaries", "controller", *(column.title for column in COLUMNS)]),
        _row(["---"] * (len(COLUMNS) + 2)),
    ]
    for size in sizes:
        rows = {subject: found[size, subject] for subject in subjects if (size, subject) in found}
        lines += [_row([str(size), name, *_values(row)]) for name, row in rows.items()]
        lines += [
            _row([str(size), f"{name} : {BASELINE}", *_ratios(row, rows[BASELINE])])
            for name, row in rows.items()
            if BASELINE in rows and name != BASELINE
        ]
    return "\n".join(lines)


def _values(row: Mapping[str, Figures]) -> list[str]:
    return [
        _cell(
            NOTHING if value is None else f"{value:.{column.digits}f}"
            for value in _figures(row, column)
        )
        for column in COLUMNS
    ]


def _ratios(row: Mapping[str, Figures], baseline: Mapping[str, Figures]) -> list[str]:
    return [
        _cell(map(_ratio, _figures(row, column), _figures(baseline, column)))
        if column.compared
        else ""
        for column in COLUMNS
    ]


def _figures(row: Mapping[str, Figures], column: Column) -> list[float | None]:
    figures = row.get(column.scenario, {})
    return [figures.get(key) for key in column.keys]


def _ratio(value: float | None, baseline: float | None) -> str:
    """Nothing without a value; to zero there is no ratio."""
    return NOTHING if value is None or not baseline else f"{value / baseline:.2f}"


def _cell(texts: Iterable[str]) -> str:
    parts: Sequence[str] = list(texts)
    return NOTHING if set(parts) == {NOTHING} else " / ".join(parts)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def whole(measurements: Sequence[Measurement]) -> str:
    """Return the table under the name of the machine; there is at least one measurement."""
    return f"Measured on {measurements[0].machine}.\n\n{table(measurements)}"
