"""What counts as flat, and as gone."""

from collections.abc import Callable
from typing import Any

import pytest
from bench.soak import report, verdict
from bench.soak.verdict import SAMPLES, Sample

STEP = 50_000


def samples(**figures: Callable[[int], float]) -> list[Sample]:
    """One run; figures that are not named are constant."""
    usual: dict[str, Any] = {"blocks": 1_000_000, "memory": 100.0, "tasks": 20, "files": 9}
    return [
        Sample(
            ticks=number * STEP,
            hours=float(number),
            revisions=number,
            deleted=number,
            entries=5_000,
            **{**usual, **{name: figure(number) for name, figure in figures.items()}},
        )
        for number in range(1, SAMPLES + 1)
    ]


def found(**figures: Callable[[int], float]) -> list[str]:
    return verdict.grown(verdict.slopes(samples(**figures)))


def test_what_does_not_change_is_flat() -> None:
    assert found() == []


def test_growth_is_named_with_its_slope_for_100000_ticks() -> None:
    (text,) = found(blocks=lambda number: 1_000_000 + number * 5_000)
    assert text.startswith("blocks grow by 1e+04 ± ")
    assert text.endswith("for 100,000 ticks, 4.2% over the second half")


def test_noise_is_flat_and_growth_within_it_is_found() -> None:
    jitter = [number * 7919 % 41 - 20 for number in range(SAMPLES + 1)]
    assert found(memory=lambda number: 100 + jitter[number]) == []
    (text,) = found(memory=lambda number: 100 + 20 * number + jitter[number])
    assert text.startswith("memory grow")


def test_less_than_a_hundredth_is_not_told_from_noise() -> None:
    assert found(memory=lambda number: 100 + number * 0.1) == []
    assert found(memory=lambda number: 100 + number * 0.13) != []


def test_what_shrinks_has_not_leaked() -> None:
    assert found(blocks=lambda number: 1_000_000 - number * 10_000) == []


def test_the_first_half_is_for_getting_warm() -> None:
    assert found(memory=lambda number: min(number, 10) * 100) == []


def test_a_leak_of_one_file_in_some_time_is_found() -> None:
    (text,) = found(files=lambda number: 9 + number // 4)
    assert text.startswith("files grow")


def test_a_run_with_another_number_of_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="19 samples"):
        verdict.slopes(samples()[1:])


def test_what_is_left_is_named() -> None:
    before, after = {"Pool._due": 0, "Engine.outboxes": 2}, {"Engine.outboxes": 2}
    assert verdict.left(before, after) == []
    assert verdict.left(before, {**after, "Engine._ticks": 3}) == [
        "Engine._ticks has 3 entries when everything is deleted, 0 at first"
    ]
    assert verdict.left(before, {"Engine.outboxes": 3}) != []


def test_tables() -> None:
    run = samples(blocks=lambda number: 1_000_000 + number * 50_000)
    lines = report.samples(run).splitlines()
    assert len(lines) == 2 + SAMPLES
    assert lines[2] == "| 50000 | 1.0 | 1 | 1 | 1050000 | 100.0 | 20 | 9 | 5000 |"
    _, _, blocks, memory, *_ = report.slopes(verdict.slopes(run)).splitlines()
    assert blocks.startswith("| blocks | 1e+05 | ")
    assert blocks.endswith(" | no |")
    assert memory == "| memory | 0 | 0 | 0.00% | yes |"
