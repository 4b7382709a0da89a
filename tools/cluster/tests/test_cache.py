"""The cache: made once, nothing half-made, keys that follow the sources."""

import pathlib
import threading
import time

import pytest
from tools.cluster import cache, gobuild, settings


@pytest.fixture(autouse=True)
def own_cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("FLAGGER_CACHE", str(tmp_path))
    return tmp_path / settings.CACHE_NAME


def test_concurrent_makers_make_it_once() -> None:
    calls: list[pathlib.Path] = []

    def make(folder: pathlib.Path) -> None:
        calls.append(folder)
        time.sleep(0.2)
        (folder / "file").write_text("x")

    threads = [threading.Thread(target=cache.made, args=("thing", make)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert (cache.made("thing", make) / "file").read_text() == "x"


def test_a_failed_maker_leaves_nothing(own_cache: pathlib.Path) -> None:
    def fail(folder: pathlib.Path) -> None:
        (folder / "half").write_text("x")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.made("thing", fail)
    assert [path.name for path in own_cache.iterdir()] == ["locks"]


def test_what_a_killed_maker_left_is_removed(own_cache: pathlib.Path) -> None:
    (own_cache / ".thing.abc").mkdir(parents=True)
    (own_cache / ".thing.abc" / "half").write_text("x")
    cache.made("thing", lambda folder: None)
    assert sorted(path.name for path in own_cache.iterdir()) == ["locks", "thing"]


def test_every_program_has_a_module_of_its_own_and_a_key_with_its_version() -> None:
    programs = [*gobuild.PROGRAMS.values(), *gobuild.DATA_PLANES.values()]
    for program in programs:
        assert (program.module / "go.mod").is_file()
        assert program.key().startswith(f"{program.name}-{program.version}-")
    assert len({program.key() for program in programs}) == len(programs)
