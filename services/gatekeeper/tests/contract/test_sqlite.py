import concurrent.futures
import contextlib
import datetime
import pathlib
import sqlite3
import threading

import pytest

from flagger_gatekeeper import audit, changes, gates
from flagger_gatekeeper.store import base, sqlite

KEY = gates.GateKey("test", "podinfo")
NOW = datetime.datetime(2026, 11, 26, tzinfo=datetime.UTC)
OPENING = changes.setting(changes.Wish(gates.State.OPEN), audit.By("1"), NOW)


def test_a_vanished_file_is_an_error_and_not_a_set_of_closed_gates(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "gates.sqlite"
    store = sqlite.SqliteStore(path)
    store.update(KEY, OPENING)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(base.StoreUnavailableError):
        store.read(KEY)
    with pytest.raises(base.StoreUnavailableError):
        store.update(KEY, OPENING)
    with pytest.raises(base.StoreUnavailableError):
        store.ping()
    assert list(tmp_path.iterdir()) == []


def test_a_replaced_file_is_an_error(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "gates.sqlite"
    store = sqlite.SqliteStore(path)
    path.write_bytes(b"this is not a database, and long enough to look like one" * 40)
    with pytest.raises(base.StoreUnavailableError):
        store.ping()
    with pytest.raises(base.StoreUnavailableError):
        store.read(KEY)


def test_a_busy_file_is_an_error(tmp_path: pathlib.Path) -> None:
    store = sqlite.SqliteStore(tmp_path / "gates.sqlite", busy=0.05)
    other = sqlite3.connect(tmp_path / "gates.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(base.StoreUnavailableError, match="locked"):
        store.update(KEY, OPENING)
    assert store.read(KEY) is None
    other.execute("COMMIT")
    other.close()
    store.update(KEY, OPENING)
    assert gates.is_open(store.read(KEY), NOW)


def test_a_place_that_cannot_be_written_is_an_error_at_the_start(tmp_path: pathlib.Path) -> None:
    with pytest.raises(base.StoreUnavailableError):
        sqlite.SqliteStore(tmp_path / "missing" / "gates.sqlite")


def test_a_database_of_a_later_version_is_left_alone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "gates.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(base.StoreUnavailableError, match="version 9"):
        sqlite.SqliteStore(path)


def test_the_file_is_in_wal_mode(tmp_path: pathlib.Path) -> None:
    sqlite.SqliteStore(tmp_path / "gates.sqlite")
    connection = sqlite3.connect(tmp_path / "gates.sqlite")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_processes_may_open_a_new_file_at_the_same_moment(tmp_path: pathlib.Path) -> None:
    together = threading.Barrier(6)

    def start(path: pathlib.Path) -> None:
        together.wait(60)
        sqlite.SqliteStore(path).ping()

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for number in range(8):
            list(pool.map(start, [tmp_path / f"{number}.sqlite"] * 6))


def test_an_unreadable_entry_hides_no_other(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "gates.sqlite"
    store = sqlite.SqliteStore(path)
    store.update(KEY, OPENING)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO history (at, namespace, canary, entry) VALUES (?, 'test', 'podinfo', '{')",
            (NOW.timestamp(),),
        )
    assert [one.key for one in store.history(base.Scope.of(KEY), None)] == [KEY]
