"""What a run that was cut short leaves behind."""

import dataclasses
import datetime
import pathlib

import pytest
from bench.scale import machine
from bench.scale.machine import Machine
from bench.scale.record import MEASUREMENTS, REPORT, Measurement, Record, Setting, present
from tools.cluster import settings

HERE = Machine(2, "a processor", 16, "6.1")
DAY = datetime.date(2026, 11, 27)
FOUND = [
    Measurement(HERE, 20, "ours", "idle", {"requests": 0.0}, Setting(DAY, "v1.37.2", "v1.44.0")),
    Measurement(HERE, 20, "upstream", "idle", {"requests": 60.1}),
]


def test_what_was_measured_is_read_again(tmp_path: pathlib.Path) -> None:
    kept = tmp_path / "kept"
    assert Record(kept, HERE).read() == []
    for measurement in FOUND:
        Record(kept, HERE).add(measurement)
    assert Record(kept, HERE).read() == FOUND


def test_records_from_before_settings_were_kept_are_read(tmp_path: pathlib.Path) -> None:
    line = (
        '{"machine":{"cores":2,"processor":"a processor","memory":16,"kernel":"6.1"},'
        '"size":20,"subject":"upstream","scenario":"idle","figures":{"requests":60.1}}\n'
    )
    (tmp_path / MEASUREMENTS).write_text(line)
    assert Record(tmp_path, HERE).read() == FOUND[1:]


def test_the_present_setting_is_that_of_the_control_plane() -> None:
    setting = present()
    assert (setting.kubernetes, setting.upstream) == (settings.KUBERNETES, settings.FLAGGER)


def test_a_line_that_was_cut_off_is_measured_again(tmp_path: pathlib.Path) -> None:
    record, path = Record(tmp_path, HERE), tmp_path / MEASUREMENTS
    for measurement in FOUND:
        record.add(measurement)
    path.write_text(path.read_text()[:-5])
    assert record.read() == FOUND[:1]
    record.add(FOUND[1])
    assert record.read() == FOUND


def test_machines_are_not_mixed(tmp_path: pathlib.Path) -> None:
    Record(tmp_path, HERE).add(FOUND[0])
    with pytest.raises(settings.ClusterError, match=r"6.1.*and this is 8 cores.*another folder"):
        Record(tmp_path, dataclasses.replace(HERE, cores=8)).read()


def test_the_last_report_stays(tmp_path: pathlib.Path) -> None:
    for text in ("first", "second"):
        Record(tmp_path / "new", HERE).report(text)
    assert (tmp_path / "new" / REPORT).read_text() == "second\n"


def test_without_a_folder_nothing_is_kept() -> None:
    record = Record(None, HERE)
    record.add(FOUND[0])
    record.report("text")
    assert record.read() == []


def test_this_machine_has_a_name() -> None:
    here = machine.this()
    assert here == machine.this()
    assert here.cores > 0
    assert here.memory > 0
    assert str(HERE) == "2 cores of a processor, 16 GiB, Linux 6.1"


def test_measurements_with_and_without_pods_are_not_mixed(tmp_path: pathlib.Path) -> None:
    Record(tmp_path, HERE).add(FOUND[0])
    with pytest.raises(settings.ClusterError, match=r"has measurements with pods.*another folder"):
        Record(tmp_path, HERE, pods=False).read()
    bare = dataclasses.replace(FOUND[0], pods=False)
    Record(tmp_path / "bare", HERE, pods=False).add(bare)
    assert Record(tmp_path / "bare", HERE, pods=False).read() == [bare]
