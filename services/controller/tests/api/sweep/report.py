"""What a sweep says at its end."""

from collections.abc import Iterable, Mapping, Sequence

from ..faults import Fault
from .stage import CLEAN, Verdict

AGAIN = "make sweep ARGS=\"'{name}'\""


def table(verdicts: Mapping[str, Sequence[Verdict]]) -> str:
    """Scenario x fault: passed/total, in Markdown; with several controllers side by side."""
    scenarios = list(dict.fromkeys(v.scenario for each in verdicts.values() for v in each))
    seen = {verdict.fault for each in verdicts.values() for verdict in each}
    faults = [fault for fault in (CLEAN, *Fault) if fault in seen]
    lines = [_row(["scenario", *faults, "all"]), _row(["---"] * (len(faults) + 2))]
    lines += [_row([name, *_cells(verdicts, faults, name)]) for name in scenarios]
    lines.append(_row(["all", *_cells(verdicts, faults)]))
    if len(verdicts) > 1:
        lines += ["", f"Each cell: {' · '.join(verdicts)}."]
    return "\n".join(lines)


def _cells(
    verdicts: Mapping[str, Sequence[Verdict]], faults: Iterable[str], scenario: str = ""
) -> list[str]:
    def count(fault: str) -> str:
        return " · ".join(
            _count(v for v in each if fault in ("", v.fault) and scenario in ("", v.scenario))
            for each in verdicts.values()
        )

    return [count(fault) for fault in (*faults, "")]


def _count(verdicts: Iterable[Verdict]) -> str:
    tested = [verdict for verdict in verdicts if verdict.met]
    return f"{sum(not each.wrong for each in tested)}/{len(tested)}" if tested else "-"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def stories(verdicts: Iterable[Verdict]) -> str:
    """Every failure: its name, what was wrong, what happened."""
    return "\n\n".join(
        "\n".join(
            [
                f"FAILED {verdict.name}",
                *(f"  {text}" for text in verdict.wrong),
                f"  again: {AGAIN.format(name=verdict.name)}",
                verdict.story,
            ]
        )
        for verdict in verdicts
        if verdict.wrong
    )


def missed(verdicts: Iterable[Verdict]) -> str:
    """The cases that tested nothing: their write never came, or the sweep itself failed."""
    found = list(verdicts)
    unmet = [verdict.name for verdict in found if not (verdict.met or verdict.lost)]
    lost = [f"{verdict.name}: {verdict.lost}" for verdict in found if verdict.lost]
    lines = [f"Not tested, as the write did not come ({len(unmet)}):", *unmet] if unmet else []
    lines += [f"Not tested, as the machine was too slow ({len(lost)}):", *lost] if lost else []
    return "\n".join(lines)


def left_out(verdicts: Iterable[Verdict]) -> str:
    """What was not asked for, as it fails without a fault."""
    return "\n".join(
        f"Left out of {verdict.scenario}, as it fails without a fault: {text}"
        for verdict in verdicts
        for text in verdict.left_out
    )
