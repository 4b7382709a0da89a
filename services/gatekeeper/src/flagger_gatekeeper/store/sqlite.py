"""Gates in one SQLite file: for one host (compose, a volume), any number of processes on it."""

import contextlib
import pathlib
import sqlite3
import time
from collections.abc import Iterator
from typing import Final

from .. import gates
from . import base

BUSY_SECONDS: Final = 5.0
"""How long a writer waits for another one before the request fails."""

_SCHEMA_VERSION: Final = 1
_FIRST_TRIES: Final = 5
_FIRST_PAUSE_SECONDS: Final = 0.05

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS gates (
    namespace TEXT NOT NULL,
    canary TEXT NOT NULL,
    gate TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (namespace, canary, gate)
) WITHOUT ROWID
"""

_SELECT: Final = "SELECT record FROM gates WHERE namespace = ? AND canary = ? AND gate = ?"

_UPSERT: Final = """
INSERT INTO gates (namespace, canary, gate, record) VALUES (?, ?, ?, ?)
ON CONFLICT (namespace, canary, gate) DO UPDATE SET record = excluded.record
"""


class SqliteStore:
    """One table, one connection per call.

    A connection costs some 100 microseconds, and none survives a thread or a replaced file. A
    commit returns when the change is on the disk (`synchronous=FULL`: with the WAL default of
    NORMAL a power failure could take back an acknowledged "open").
    """

    def __init__(self, path: pathlib.Path, busy: float = BUSY_SECONDS) -> None:
        """Create the file and its table if they are missing.

        Args:
            path: of the file; its directory has to be there.
            busy: seconds to wait for other writers.

        Raises:
            StoreUnavailableError: the file cannot be created, or is no database of this version.
        """
        self._path = path
        self._busy = busy
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
        return None if row is None else gates.decode(row[0])

    def update(self, key: gates.GateKey, transition: gates.Transition) -> None:
        """Apply a transition atomically and durably."""
        identity = (key.namespace, key.canary, key.gate)
        with self._connect() as connection:
            # IMMEDIATE: take the write lock before reading, or two writers could read the same.
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute(_SELECT, identity).fetchone()
            changed = transition(None if row is None else gates.decode_or_none(row[0]))
            if changed is not None:
                connection.execute(_UPSERT, (*identity, gates.encode(changed)))
            connection.execute("COMMIT")

    def ping(self) -> None:
        """Read the table; a missing or replaced file fails here."""
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
            connection.execute(_SCHEMA)
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
