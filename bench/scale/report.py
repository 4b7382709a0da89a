"""The tables that people read: controllers side by side, and their ratios. Pure."""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bench.scale.figures import REQUESTS
from bench.scale.objects import IDEAL
from bench.scale.record import Figures, Measurement
from bench.scale.unrelated import RATE

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


TABLES: Final[Mapping[str, tuple[Column, ...]]] = {
    "At rest, and beside objects that change": (
        Column("idle requests per canary-minute", "idle", ("requests",), 2),
        Column("idle CPU ms a second", "idle", ("cpu",), 2),
        Column("requests per canary-minute in noise", "noise", ("requests",), 2),
        Column("CPU ms a second in noise", "noise", ("cpu",), 2),
        Column("memory in noise, MiB", "noise", ("memory",), 0),
        Column(f"changes a second (of {RATE:.0f})", "noise", ("changes",), compared=False),
    ),
    "From a push to the status that shows it": (
        Column("noticing one p50 / p99, s", "notice-one", ("p50", "p99"), 2),
        Column("noticing all p50 / p99, s", "rolling", ("noticed_p50", "noticed_p99"), 2),
    ),
    "All released at once": (
        Column(f"all released after (ideal {IDEAL:.0f}), s", "rolling", ("seconds",)),
        Column("failed", "rolling", ("failed",), 0, compared=False),
        Column("ticks a release", "rolling", ("ticks",), 2, compared=False),
        Column("tick lag p50 / p99, s", "rolling", ("lag_p50", "lag_p99"), 2),
        Column("requests per advancing tick", "rolling", ("requests",)),
        Column("CPU ms per advancing tick", "rolling", ("cpu",)),
        Column("cores used", "rolling", ("cores",), 2),
        Column("memory at the end / peak, MiB", "rolling", ("memory", "peak"), 0),
    ),
    "Beginning, and beginning again": (
        Column("all initialized after, s", "onboarding", ("seconds",)),
        Column("memory then, MiB", "onboarding", ("memory",), 0),
        Column("early after a restart / under way", "restart", ("early", "under_way"), 0, False),
        Column("shortest distance across it, s", "restart", ("shortest",), compared=False),
        Column("failed", "restart", ("failed",), 0, compared=False),
    ),
}
"""By what stands above them."""

Found = Mapping[tuple[int, str], Mapping[str, Figures]]
"""Scenarios by size and controller."""


def whole(measurements: Sequence[Measurement]) -> str:
    """Return all tables of which something is known; there is at least one measurement."""
    found = by_place(measurements)
    parts = [f"{circumstances(measurements)}."]
    for title, columns in TABLES.items():
        if text := table(found, columns):
            parts.append(f"**{title}**\n\n{text}")
    if text := requests(found):
        parts.append(text)
    return "\n\n".join(parts)


def circumstances(measurements: Sequence[Measurement]) -> str:
    """Return where, when and with what all this was measured; old records do not know all."""
    known = [each.setting for each in measurements if each.setting is not None]
    where = "" if measurements[0].pods else ", without pods"
    parts = [f"Measured on {measurements[0].machine}{where}"]
    if known:
        parts += [
            f"Kubernetes {' and '.join(sorted({setting.kubernetes for setting in known}))}",
            f"upstream {' and '.join(sorted({setting.upstream for setting in known}))}",
            _days([setting.day for setting in known]),
        ]
    return ", ".join(parts)


def _days(days: Sequence[datetime.date]) -> str:
    first, last = (f"{day:%-d %B %Y}" for day in (min(days), max(days)))
    return first if first == last else f"{first} to {last}"


def by_place(measurements: Iterable[Measurement]) -> Found:
    """Return what was measured by size and by controller, in ascending order."""
    found: dict[tuple[int, str], dict[str, Figures]] = {}
    for each in sorted(measurements, key=lambda each: (each.size, each.subject)):
        found.setdefault((each.size, each.subject), {})[each.scenario] = each.figures
    return found


def table(found: Found, columns: Sequence[Column]) -> str:
    """Return a Markdown table, empty if nothing of it is known.

    It has a row for each size and controller, and below those of a size the ratios to upstream's.
    """
    scenarios = {column.scenario for column in columns}
    known = {place: row for place, row in found.items() if scenarios & row.keys()}
    lines = []
    for size in dict.fromkeys(size for size, _ in known):
        rows = {subject: row for (other, subject), row in known.items() if other == size}
        lines += [_row([str(size), name, *_values(row, columns)]) for name, row in rows.items()]
        lines += [
            _row([str(size), f"{name} : {BASELINE}", *_ratios(row, rows[BASELINE], columns)])
            for name, row in rows.items()
            if BASELINE in rows and name != BASELINE
        ]
    titles = ["canaries", "controller", *(column.title for column in columns)]
    return "\n".join([*_head(titles), *lines]) if lines else ""


def requests(found: Found) -> str:
    """Return where the requests of the largest fleet went, empty if nothing of it is known."""
    split = {
        place: {
            name.removeprefix(REQUESTS): value
            for name, value in row.get("rolling", {}).items()
            if name.startswith(REQUESTS)
        }
        for place, row in found.items()
    }
    largest = max((size for (size, _), parts in split.items() if parts), default=None)
    if largest is None:
        return ""
    asked = {name: parts for (size, name), parts in split.items() if parts and size == largest}
    most = {
        what: max(parts.get(what, 0.0) for parts in asked.values())
        for what in sorted({what for parts in asked.values() for what in parts})
    }
    lines = [
        _row([what, *(f"{parts.get(what, 0.0):.2f}" for parts in asked.values())])
        for what in sorted(most, key=lambda what: -most[what])
    ]
    title = f"**Requests per advancing tick, all released at once, {largest} canaries**"
    return "\n".join([f"{title}\n", *_head(["request", *asked]), *lines])


def _values(row: Mapping[str, Figures], columns: Iterable[Column]) -> list[str]:
    return [
        _cell(
            NOTHING if value is None else f"{value:.{column.digits}f}"
            for value in _figures(row, column)
        )
        for column in columns
    ]


def _ratios(
    row: Mapping[str, Figures], baseline: Mapping[str, Figures], columns: Iterable[Column]
) -> list[str]:
    return [
        _cell(map(_ratio, _figures(row, column), _figures(baseline, column)))
        if column.compared
        else ""
        for column in columns
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


def _head(titles: Sequence[str]) -> list[str]:
    return [_row(titles), _row(["---"] * len(titles))]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
