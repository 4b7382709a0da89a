"""The picture of a record: what its axes carry."""

import pathlib
import sys

import pytest
from bench.scale import plot
from bench.scale.machine import Machine
from bench.scale.record import LINE, Figures, Measurement
from matplotlib.axes import Axes
from matplotlib.figure import Figure

HERE = Machine(2, "a processor", 16, "6.1")


def measured(subject: str, size: int, scenario: str, figures: Figures) -> Measurement:
    return Measurement(HERE, size, subject, scenario, figures)


MEASUREMENTS = [
    measured("ours", 100, "rolling", {"lag_p99": 0.7, "requests": 3.6, "cpu": 11.0}),
    measured("ours", 20, "rolling", {"lag_p99": 0.0, "requests": 3.7, "memory": 68.0}),
    measured("upstream", 20, "rolling", {"lag_p99": 0.1, "requests": 17.1}),
    measured("ours", 20, "idle", {"requests": 0.0}),
    measured("ours", 300, "onboarding", {"seconds": 9.0}),
]


def axes(picture: Figure, title: str) -> Axes:
    (found,) = [each for each in picture.axes if each.get_title() == title]
    return found


def lines(drawn: Axes) -> dict[str, list[tuple[float, float]]]:
    return {
        str(line.get_label()): [
            (float(point[0]), float(point[1])) for point, _ in line.get_path().iter_segments()
        ]
        for line in drawn.get_lines()
    }


def test_each_controller_is_a_line_over_the_canaries() -> None:
    picture = plot.picture(MEASUREMENTS)
    lag = axes(picture, "tick lag p99, s")
    assert lines(lag) == {"ours": [(20, 0), (100, 0.7)], "upstream": [(20, 0.1)]}
    asked = axes(picture, "requests per advancing tick")
    assert lines(asked) == {"ours": [(20, 3.7), (100, 3.6)], "upstream": [(20, 17.1)]}
    assert lines(axes(picture, "idle requests per canary-minute")) == {"ours": [(20, 0)]}
    assert lines(axes(picture, "CPU ms per advancing tick")) == {"ours": [(100, 11)]}
    assert lines(axes(picture, "memory, MiB")) == {"ours": [(20, 68)]}
    assert lines(axes(picture, "noticing all p99, s")) == {}


def test_controllers_look_alike_in_all_panels() -> None:
    drawn = [line for each in plot.picture(MEASUREMENTS).axes for line in each.get_lines()]
    looks = {(line.get_label(), line.get_color(), line.get_marker()) for line in drawn}
    assert looks == {("ours", "tab:blue", "o"), ("upstream", "tab:orange", "s")}


def test_axes_are_logarithmic_where_values_differ_by_powers() -> None:
    picture = plot.picture(MEASUREMENTS)
    assert {each.get_xscale() for each in picture.axes} == {"log"}
    assert [list(each.get_xticks()) for each in picture.axes] == [[20, 100, 300]] * 6
    assert not any(list(each.get_xticks(minor=True)) for each in picture.axes)
    curved = {each.get_title() for each in picture.axes if each.get_yscale() == "symlog"}
    assert curved == {"tick lag p99, s", "noticing all p99, s"}
    assert {each.get_ylim()[0] for each in picture.axes} == {0}


def test_a_file_is_written(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, out = tmp_path / "measurements.jsonl", tmp_path / "out.png"
    kept.write_bytes(b"".join(LINE.dump_json(each) + b"\n" for each in MEASUREMENTS))
    monkeypatch.setattr(sys, "argv", ["bench-plot", str(kept), str(out)])
    assert plot.main() == 0
    header = out.read_bytes()[:24]
    assert header.startswith(b"\x89PNG\r\n\x1a\n")
    size = [int.from_bytes(header[at : at + 4], "big") for at in (16, 20)]
    assert size == [inches * plot.DOTS for inches in plot.INCHES]


def test_of_nothing_there_is_no_picture(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, out = tmp_path / "measurements.jsonl", tmp_path / "out.png"
    kept.touch()
    monkeypatch.setattr(sys, "argv", ["bench-plot", str(kept), str(out)])
    assert plot.main() == 1
    assert "no measurements" in capsys.readouterr().err
    assert not out.exists()
