"""The tables that people read. Pure."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from bench.soak.verdict import PER, Sample, Slope

TITLES: Final = (
    *("ticks", "virtual hours", "revisions", "deleted", "blocks", "memory, MiB"),
    *("tasks", "files", "entries"),
)


def samples(found: Iterable[Sample]) -> str:
    """Return a Markdown table with a row for each sample."""
    return _table(TITLES, (map(_cell, dataclasses.astuple(each)) for each in found))


def slopes(found: Sequence[Slope]) -> str:
    """Return a Markdown table with a row for each figure that must be flat."""
    titles = ("second half", f"slope for {PER:,} ticks", "standard error", "growth", "flat")
    rows = (
        (
            *(each.name, f"{each.slope:.4g}", f"{each.error:.2g}", f"{each.growth:.2%}"),
            "yes" if each.flat else "no",
        )
        for each in found
    )
    return _table(titles, rows)


def _cell(value: float) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _table(titles: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
