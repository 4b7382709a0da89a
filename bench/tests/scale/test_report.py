"""The table that people read."""

from bench.scale import report
from bench.scale.machine import Machine
from bench.scale.record import Figures, Measurement
from bench.scale.scenarios import SCENARIOS

HERE = Machine(2, "a processor", 16, "6.1")


def measured(subject: str, size: int, **figures: Figures) -> list[Measurement]:
    return [Measurement(HERE, size, subject, name, each) for name, each in figures.items()]


OURS = measured(
    "ours",
    20,
    idle={"requests": 0.02},
    rolling={"lag_p50": 0.01, "lag_p99": 0.1, "requests": 3.0, "failed": 0},
    restart={"early": 0, "under_way": 20, "shortest": 10.04},
)
THEIRS = measured(
    "upstream",
    20,
    idle={"requests": 60.0},
    rolling={"lag_p50": 0.0, "lag_p99": 0.25, "requests": 16.8, "failed": 0},
)


def cells(line: str) -> dict[str, str]:
    titles = ["size", "name", *(column.title for column in report.COLUMNS)]
    return dict(zip(titles, line.removeprefix("| ").removesuffix(" |").split(" | "), strict=True))


def test_two_controllers_stand_one_below_the_other_with_their_ratio() -> None:
    _, _, *rows = map(cells, report.table([*OURS, *THEIRS]).splitlines())
    assert [row["name"] for row in rows] == ["ours", "upstream", "ours : upstream"]
    idle = [row["idle requests per canary-minute"] for row in rows]
    assert idle == ["0.02", "60.00", "0.00"]
    assert [row["requests per advancing tick"] for row in rows] == ["3.0", "16.8", "0.18"]


def test_to_zero_and_to_nothing_there_is_no_ratio() -> None:
    _, _, *rows = map(cells, report.table([*OURS, *THEIRS]).splitlines())
    lag = [row["tick lag p50 / p99, s"] for row in rows]
    assert lag == ["0.01 / 0.10", "0.00 / 0.25", "- / 0.40"]
    early = [row["early after a restart / under way"] for row in rows]
    assert early == ["0 / 20", "-", ""]
    assert {row["memory, MiB"] for row in rows} == {"-"}


def test_sizes_are_in_order_whoever_was_measured_first() -> None:
    more = measured("ours", 100, idle={"requests": 0.0})
    _, _, *rows = map(cells, report.table([*more, *THEIRS, *OURS]).splitlines())
    assert [row["size"] for row in rows] == ["20", "20", "20", "100"]
    assert "ours : upstream" not in [row["name"] for row in rows if row["size"] == "100"]


def test_the_machine_is_named() -> None:
    first, empty, *rest = report.whole(OURS).splitlines()
    assert first == "Measured on 2 cores of a processor, 16 GiB, Linux 6.1."
    assert not empty
    assert "\n".join(rest) == report.table(OURS)


def test_columns_are_of_scenarios_that_are_played() -> None:
    assert {column.scenario for column in report.COLUMNS} == set(SCENARIOS)
