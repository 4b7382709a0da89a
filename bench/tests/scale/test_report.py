"""The tables that people read."""

import datetime

from bench.scale import report
from bench.scale.machine import Machine
from bench.scale.record import Figures, Measurement, Setting
from bench.scale.scenarios import SCENARIOS

HERE = Machine(2, "a processor", 16, "6.1")
REST, NOTICE, RELEASED, BEGUN = report.TABLES


def measured(subject: str, size: int, **figures: Figures) -> list[Measurement]:
    return [Measurement(HERE, size, subject, name, each) for name, each in figures.items()]


OURS = measured(
    "ours",
    20,
    idle={"requests": 0.02},
    rolling={"lag_p50": 0.01, "lag_p99": 0.1, "requests": 3.0, "failed": 0, "memory": 70},
    restart={"early": 0, "under_way": 20, "shortest": 10.04},
)
THEIRS = measured(
    "upstream",
    20,
    idle={"requests": 60.0},
    rolling={"lag_p50": 0.0, "lag_p99": 0.25, "requests": 16.8, "failed": 0, "memory": 60},
)


def rows(title: str, measurements: list[Measurement]) -> list[dict[str, str]]:
    text = report.table(report.by_place(measurements), report.TABLES[title])
    split = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in text.splitlines()]
    return [dict(zip(split[0], line, strict=True)) for line in split[2:]]


def test_two_controllers_stand_one_below_the_other_with_their_ratio() -> None:
    released = rows(RELEASED, [*THEIRS, *OURS])
    assert [row["controller"] for row in released] == ["ours", "upstream", "ours : upstream"]
    assert [row["requests per advancing tick"] for row in released] == ["3.0", "16.8", "0.18"]
    idle = [row["idle requests per canary-minute"] for row in rows(REST, [*OURS, *THEIRS])]
    assert idle == ["0.02", "60.00", "0.00"]


def test_to_zero_and_to_nothing_there_is_no_ratio() -> None:
    released = rows(RELEASED, [*OURS, *THEIRS])
    lag = [row["tick lag p50 / p99, s"] for row in released]
    assert lag == ["0.01 / 0.10", "0.00 / 0.25", "- / 0.40"]
    assert {row["cores used"] for row in released} == {"-"}
    # An old record has no peaks.
    memory = [row["memory at the end / peak, MiB"] for row in released]
    assert memory == ["70 / -", "60 / -", "1.17 / -"]


def test_a_table_has_those_of_whom_it_tells_something() -> None:
    (begun,) = rows(BEGUN, [*OURS, *THEIRS])
    assert begun["controller"] == "ours"
    assert begun["early after a restart / under way"] == "0 / 20"


def test_sizes_are_in_order_whoever_was_measured_first() -> None:
    more = measured("ours", 100, idle={"requests": 0.0})
    found = rows(REST, [*more, *THEIRS, *OURS])
    assert [row["canaries"] for row in found] == ["20", "20", "20", "100"]
    assert "ours : upstream" not in [row["controller"] for row in found if row["canaries"] == "100"]


def test_where_the_requests_of_the_largest_fleet_went() -> None:
    few = measured("ours", 20, rolling={"requests: get pods": 9.0})
    ours = measured("ours", 100, rolling={"requests": 3.0, "requests: patch canaries/status": 1.0})
    figures = {"requests: get pods": 4.0, "requests: patch canaries/status": 2.0}
    theirs = measured("upstream", 100, rolling=figures)
    larger = measured("ours", 300, idle={"requests": 0.0})
    title, empty, *table = report.requests(
        report.by_place([*few, *ours, *theirs, *larger])
    ).splitlines()
    assert "100 canaries" in title
    assert not empty
    assert table == [
        "| request | ours | upstream |",
        "| --- | --- | --- |",
        "| get pods | 0.00 | 4.00 |",
        "| patch canaries/status | 1.00 | 2.00 |",
    ]


def test_whose_requests_were_not_counted_has_no_column() -> None:
    ours = measured("ours", 100, rolling={"requests: get pods": 1.0})
    theirs = measured("upstream", 100, onboarding={"seconds": 9.0})
    text = report.requests(report.by_place([*theirs, *ours]))
    assert "| request | ours |\n" in text


def test_all_tables_stand_under_what_they_tell() -> None:
    first, *parts = report.whole(OURS).split("\n\n")
    assert first == "Measured on 2 cores of a processor, 16 GiB, Linux 6.1."
    assert parts[::2] == [f"**{title}**" for title in (REST, NOTICE, RELEASED, BEGUN)]
    assert parts[1] == report.table(report.by_place(OURS), report.TABLES[REST])
    (_, only, _) = report.whole(measured("ours", 20, onboarding={"seconds": 1})).split("\n\n")
    assert only == f"**{BEGUN}**"


def test_versions_and_days_are_named() -> None:
    def on(day: int, kubernetes: str) -> Measurement:
        setting = Setting(datetime.date(2026, 11, day), kubernetes, "v1.44.0")
        return Measurement(HERE, 20, "ours", "idle", {}, setting)

    assert report.circumstances([*OURS, on(2, "v1.37.2")]) == (
        "Measured on 2 cores of a processor, 16 GiB, Linux 6.1, "
        "Kubernetes v1.37.2, upstream v1.44.0, 2 November 2026"
    )
    assert report.circumstances([on(7, "v1.37.2"), on(2, "v1.37.1")]).endswith(
        "Kubernetes v1.37.1 and v1.37.2, upstream v1.44.0, 2 November 2026 to 7 November 2026"
    )


def test_columns_are_of_scenarios_that_are_played() -> None:
    columns = [column for columns in report.TABLES.values() for column in columns]
    assert {column.scenario for column in columns} == set(SCENARIOS)
