"""Gates in one SQLite file: for one host (compose, a volume), any number of processes on it."""

import contextlib
import dataclasses
import datetime
import pathlib
import sqlite3
import time
from collections.abc import Iterator
from typing import Final, TypeVar

from .. import audit, changes, codec, gates
from . import base

T = TypeVar("T")

BUSY_SECONDS: Final = 5.0
"""How long a writer waits for another one before the request fails."""

_SCHEMA_VERSION: Final = 1
_FIRST_TRIES: Final = 5
_FIRST_PAUSE_SECONDS: Final = 0.05

_SCHEMA: Final = (
    """
CREATE TABLE IF NOT EXISTS gates (
    namespace TEXT NOT NULL,
    canary TEXT NOT NULL,
    gate TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (namespace, canary, gate)
) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS history (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    namespace TEXT NOT NULL,
    canary TEXT NOT NULL,
    entry TEXT NOT NULL
)
""",
    "CREATE INDEX IF NOT EXISTS history_by_time ON history (at)",
    "CREATE INDEX IF NOT EXISTS history_by_canary ON history (namespace, canary, at)",
)
"""The table of histories came later. The version stayed: an older program does not look at it."""

_IDENTITY: Final = "namespace = ? AND canary = ? AND gate = ?"
_SELECT: Final = f"SELECT record FROM gates WHERE {_IDENTITY}"  # noqa: S608 - a constant
_DELETE: Final = f"DELETE FROM gates WHERE {_IDENTITY}"  # noqa: S608 - a constant

_UPSERT: Final = """
INSERT INTO gates (namespace, canary, gate, record) VALUES (?, ?, ?, ?)
ON CONFLICT (namespace, canary, gate) DO UPDATE SET record = excluded.record
"""

_LIST: Final = """
SELECT namespace, canary, gate, record FROM gates
WHERE namespace = coalesce(?, namespace) AND canary = coalesce(?, canary)
AND gate = coalesce(?, gate)
ORDER BY namespace, canary, gate
"""

_APPEND: Final = "INSERT INTO history (at, namespace, canary, entry) VALUES (?, ?, ?, ?)"

_HISTORY: Final = """
SELECT namespace, canary, entry FROM history
WHERE namespace = coalesce(:namespace, namespace) AND canary = coalesce(:canary, canary)
AND at >= :start
AND (:gate IS NULL OR CASE WHEN json_valid(entry) THEN entry ->> '$.gate' END = :gate)
ORDER BY number DESC LIMIT :newest
"""
"""Newest first. A gate stands in its entries only; one that cannot be read belongs to no gate."""

_ALL: Final = -1
"""A limit that is none."""


class SqliteStore:
    """Two tables, one connection per call.

    A connection costs some 100 microseconds, and none survives a thread or a replaced file. A
    commit returns when the change is on the disk (`synchronous=FULL`: with the WAL default of
    NORMAL a power failure could take back an acknowledged "open").
    """

    def __init__(
        self,
        path: pathlib.Path,
        busy: float = BUSY_SECONDS,
        retention: datetime.timedelta = base.RETENTION,
    ) -> None:
        """Create the file and its tables if they are missing.

        Args:
            path: of the file; its directory has to be there.
            busy: seconds to wait for other writers.
            retention: how long the history is kept.

        Raises:
            StoreUnavailableError: the file cannot be created, or is no database of this version.
        """
        self._path = path
        self._busy = busy
        self._retention = retention
        for left in reversed(range(_FIRST_TRIES)):
            try:
                self._prepare()
                return
            except base.StoreUnavailableError:
                # Two processes that turn one new file into a WAL database at the same moment do not
                # wait for each other, whatever the timeout: one of them gets "locked" at once.
                if not left:
                    raise
                time.sleep(_FIRST_PAUSE_SECONDS)

    def read(self, key: gates.GateKey) -> gates.GateRecord | None:
        """Return the record, None if there is none."""
        with self._connect() as connection:
            row = connection.execute(_SELECT, (key.namespace, key.canary, key.gate)).fetchone()
        return None if row is None else codec.decode(row[0])

    def update(
        self, key: gates.GateKey, transition: changes.Transition[T], *, repair: bool = False
    ) -> T:
        """Apply a transition atomically and durably."""
        with self._connect() as connection:
            # IMMEDIATE: take the write lock before reading, or two writers could read the same.
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute(_SELECT, base.in_order(key)).fetchone()
            outcome = transition(codec.current(None if row is None else row[0], repair=repair))
            if outcome.change is not None:
                _write(connection, key, outcome.change)
            connection.execute("COMMIT")
        return outcome.result

    def find(self, scope: base.Scope) -> list[base.Listed]:
        """Return the gates of a scope."""
        with self._connect() as connection:
            rows = connection.execute(_LIST, (scope.namespace, scope.canary, scope.gate)).fetchall()
        return [
            base.Listed(gates.GateKey(*identity), codec.decode_or_none(text))
            for *identity, text in rows
        ]

    def history(
        self, scope: base.Scope, since: datetime.datetime | None, newest: int | None = None
    ) -> list[audit.Logged]:
        """Return the history of a scope, oldest first."""
        wanted = {
            **dataclasses.asdict(scope),
            "start": 0.0 if since is None else since.timestamp(),
            "newest": _ALL if newest is None else newest,
        }
        with self._connect() as connection:
            rows = connection.execute(_HISTORY, wanted).fetchall()
        return base.readable(reversed(rows))

    def prune(self, now: datetime.datetime) -> None:
        """Drop the history beyond the retention."""
        oldest = (now - self._retention).timestamp()
        with self._connect() as connection:
            connection.execute("DELETE FROM history WHERE at < ?", (oldest,))

    def ping(self) -> None:
        """Read a table; a missing or replaced file fails here."""
        with self._connect() as connection:
            connection.execute("SELECT 1 FROM gates LIMIT 1").fetchone()

    def close(self) -> None:
        """Do nothing: no connection outlives its call."""

    def _prepare(self) -> None:
        with self._connect("rwc") as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, _SCHEMA_VERSION):
                raise base.StoreUnavailableError(
                    f"{self._path} has unknown schema version {version}"
                )
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def _connect(self, mode: str = "rw") -> Iterator[sqlite3.Connection]:
        """Open the file, without creating it unless the mode says so.

        A vanished file must be an error: an empty new one would silently close every gate.
        """
        uri = f"{self._path.absolute().as_uri()}?mode={mode}"
        try:
            connection = sqlite3.connect(uri, uri=True, timeout=self._busy, isolation_level=None)
            with contextlib.closing(connection):
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
        except sqlite3.Error as error:
            raise base.StoreUnavailableError(f"{self._path}: {error}") from error


def _write(connection: sqlite3.Connection, key: gates.GateKey, change: changes.Change) -> None:
    """Write a change inside the transaction of its caller."""
    identity = base.in_order(key)
    if change.record is None:
        connection.execute(_DELETE, identity)
    else:
        connection.execute(_UPSERT, (*identity, codec.encode(change.record)))
    for entry in change.entries:
        written = audit.encode(key.gate, entry)
        connection.execute(_APPEND, (entry.at.timestamp(), key.namespace, key.canary, written))
