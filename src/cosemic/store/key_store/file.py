"""The SQLite file of a key store: tables, transactions, and what a file must look like to be read at all.

::

    store      one row: id, generation of the master key, the store's own secrets, root (see vault.py)
    slots      name, derivation, the master key sealed
    meters     number, name, system title, suite, revision, the data key sealed, seal over all of it
    records    meter, kind, label, version, state, instant, octets sealed
    audit      see audit.py

A change is one transaction, on the medium when it returns (WAL, synchronous FULL), so that a killed process leaves the
state before or after it. Several processes may use one file: each change waits for those of others.

The octets of the file are anybody's: its tables must be exactly these, and are STRICT; that a value has its type is
looked at all the same, for STRICT holds for what SQLite writes, and not for what it reads.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from cosemic.errors import ConfigurationError, StoreError
from cosemic.transport.lifetime import Closes

LOCK_TIMEOUT: Final = 30.0
"""Seconds to wait for another process."""
LONGEST_VALUE: Final = 1 << 20
"""Octets of one value that is read."""
_OWNER_ONLY: Final = 0o600
TABLES: Final = (
    """CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, id BLOB NOT NULL, generation INTEGER NOT NULL,
    secrets BLOB NOT NULL, root BLOB NOT NULL
) STRICT""",
    """CREATE TABLE slots (
    name TEXT PRIMARY KEY, derivation TEXT NOT NULL, sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE meters (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, title BLOB UNIQUE, suite INTEGER NOT NULL,
    revision INTEGER NOT NULL, data_key BLOB NOT NULL, seal BLOB NOT NULL
) STRICT""",
    """CREATE TABLE records (
    meter INTEGER NOT NULL, kind TEXT NOT NULL, label TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL,
    added TEXT NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (meter, kind, label, version)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE audit (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, purpose TEXT NOT NULL, action TEXT NOT NULL,
    meter TEXT NOT NULL, what TEXT NOT NULL, fingerprint TEXT NOT NULL, mac BLOB NOT NULL
) STRICT""",
)
_REASONS: Final = {
    "SQLITE_NOTADB": "is no key store: another file was named, or it is damaged",
    "SQLITE_CORRUPT": "is damaged or cut off: take the last good copy of it",
    "SQLITE_BUSY": "is being written by another process (SQLITE_BUSY): try again",
    "SQLITE_FULL": "cannot be written: the medium is full",
}
_TYPES: Final = {"INTEGER": int, "TEXT": str, "BLOB": bytes}
_COLUMNS: Final[dict[str, set[type]]] = {"title": {type(None)}}
"""The types that a column may have."""
for _name, _kind in re.findall(r"(\w+) (INTEGER|TEXT|BLOB)\b", " ".join(TABLES)):
    _COLUMNS.setdefault(_name, set()).add(_TYPES[_kind])
_SETTINGS: Final = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cell_size_check = ON",
)


class KeyStoreFile(Closes):
    """The file. Several threads may use it; a transaction has it for itself.

    fresh: the file is to be made; otherwise it must be there. Raises ConfigurationError, StoreError.
    """

    def __init__(self, path: str | os.PathLike[str], *, fresh: bool = False, timeout: float = LOCK_TIMEOUT) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        try:
            if fresh:
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY))
            elif not self.path.is_file():
                raise ConfigurationError(f"there is no key store {self.path}: `cosemic keys store init` makes one")
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=timeout)
            self._connection = connection
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
            for setting in _SETTINGS:
                connection.execute(setting)
            self._check_tables(fresh)
        except (OSError, sqlite3.Error, UnicodeError) as error:
            self.close()
            raise self._failed(error) from None
        except BaseException:
            self.close()
            raise

    def _check_tables(self, fresh: bool) -> None:
        found = [row[0] for row in self.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")]
        if fresh:
            if found:
                raise ConfigurationError(f"{self.path} is there already; a key store is made in a file of its own")
        elif found != list(TABLES):
            raise StoreError(f"{self.path} is no key store of this version, or its making was not finished")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def clear_log(self) -> None:
        """Have nothing of earlier states in the log beside the file, unless another process is reading just now."""
        with suppress(StoreError):
            self.execute("PRAGMA query_only = OFF")
            self.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[None]:
        """Everything within happens together, or, where an exception leaves it, not at all. Raises StoreError.

        write: other writers wait from the beginning on; without, it sees one state of the file and changes nothing.
        """
        with self._lock:
            self.execute(f"PRAGMA query_only = {'OFF' if write else 'ON'}")
            self.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                connection = self._connection
                if connection is not None and connection.in_transaction:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                raise

    def execute(self, statement: str, *values: Any) -> list[Any]:
        """Run one statement and return all rows. Raises StoreError."""
        return list(self.rows(statement, *values))

    def rows(self, statement: str, *values: Any) -> Iterator[Any]:
        """Run one statement and yield its rows. Raises StoreError."""
        with self._lock:
            if self._connection is None:
                raise StoreError(f"the key store {self.path} was closed")
            try:
                found = self._connection.execute(statement, values)
                columns = [_COLUMNS.get(column[0]) for column in found.description or ()]
                for row in found:
                    if any(types and type(one) not in types for types, one in zip(columns, row, strict=True)):
                        raise sqlite3.DataError
                    yield row
            except (sqlite3.Error, OverflowError, UnicodeError) as error:
                raise self._failed(error) from None

    def _failed(self, error: Exception) -> StoreError:
        # What SQLite says may quote a value of the file, and a UnicodeError holds its octets: its kind is enough.
        reason = getattr(error, "sqlite_errorname", None) or getattr(error, "strerror", None) or type(error).__name__
        what = _REASONS.get(reason, f"cannot be read or written ({reason})")
        return StoreError(f"the key store {self.path} {what}; nothing was changed")
