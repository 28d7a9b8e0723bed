"""State of a device that survives the end of its process, kill -9 included: one SQLite file for any number of devices.

::

    StateFile(path)  --of("CSM0000000000001")-->  DeviceState  --of(object)-->  Memory

An object of the device saves what must not be lost under names of its own, as octets; rows of profiles have tables of
their own (:mod:`cosemic.server.stored_rows`). A device commits before an answer leaves (:meth:`DeviceState.commit`), so
that what was answered has happened, and what was not may not have. Everything that one service changes is one
transaction. Without a file a device has no state (:data:`FORGETFUL`): it starts as configured.

Where the file cannot be written, StoreError is raised, the transaction is rolled back, and the device must not go on:
what it has in memory is no longer what is kept.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any, Final, Protocol

from cosemic.errors import StoreError
from cosemic.transport.lifetime import Closes

_OWNER_ONLY: Final = 0o600
IN_MEMORY: Final = ":memory:"
"""In place of a path: the state ends with the process."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS state (
    device TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (device, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS profiles (
    number INTEGER PRIMARY KEY, device TEXT NOT NULL, name TEXT NOT NULL,
    entries INTEGER NOT NULL, captured INTEGER NOT NULL,
    UNIQUE (device, name)
);
CREATE TABLE IF NOT EXISTS profile_rows (
    profile INTEGER NOT NULL, rank BLOB NOT NULL, entry INTEGER NOT NULL, moment INTEGER NOT NULL, octets BLOB NOT NULL,
    PRIMARY KEY (profile, rank, entry)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS profile_moments ON profile_rows (profile, moment);
"""


class Memory(Protocol):
    """What one object may keep, by names of its own."""

    def load(self, name: str) -> bytes | None:
        """Return what was saved; None for nothing. Raises StoreError."""

    def save(self, name: str, octets: bytes | None) -> None:
        """Keep octets; None forgets them. Raises StoreError."""


class _Forgetful:
    """Keeps nothing."""

    def load(self, name: str) -> bytes | None:
        """Return None."""
        return None

    def save(self, name: str, octets: bytes | None) -> None:
        """Forget."""


FORGETFUL: Final[Memory] = _Forgetful()


def load_json(memory: Memory, name: str) -> Any:
    """Return what :func:`save_json` saved; None for nothing. Raises StoreError."""
    octets = memory.load(name)
    return None if octets is None else json.loads(octets)


def save_json(memory: Memory, name: str, value: Any) -> None:
    """Keep what ``json.dumps`` takes. Raises StoreError."""
    memory.save(name, json.dumps(value, separators=(",", ":")).encode())


class StateFile(Closes):
    """A SQLite file with the state of devices. Several threads may use it; one process at a time should.

    durable: what is committed survives a loss of power too, at the price of waiting for the disk at each commit. Where
    the file is made here only its owner may read it: passwords that clients have changed stand in it.

    Raises StoreError where the file cannot be opened.
    """

    def __init__(self, path: str | Path, *, durable: bool = False) -> None:
        self.path = Path(path)
        self.lock = threading.RLock()
        """Held from the first change of a service to its commit."""
        self._open = False
        try:
            if str(path) != IN_MEMORY:
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY))
            self.connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the state of devices cannot be kept in {self.path}: {error}") from None

    def of(self, device: str) -> DeviceState:
        """Return the state of one device, by its logical device name."""
        return DeviceState(self, device)

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        """Run one statement; a change opens a transaction that :meth:`commit` ends. Raises StoreError."""
        with self.lock:
            try:
                if not statement.startswith("SELECT"):
                    self._begin()
                return self.connection.execute(statement, parameters)
            except sqlite3.Error as error:
                raise self._failed(error) from None

    def fetch(self, statement: str, *parameters: Any) -> list[Any]:
        """Return all rows of a SELECT, changes of this service included. Raises StoreError."""
        with self.lock:
            try:
                return self.connection.execute(statement, parameters).fetchall()
            except sqlite3.Error as error:
                raise self._failed(error) from None

    def execute_many(self, statement: str, parameters: Any) -> None:
        """Run one change for each of several parameters. Raises StoreError."""
        with self.lock:
            try:
                self._begin()
                self.connection.executemany(statement, parameters)
            except sqlite3.Error as error:
                raise self._failed(error) from None

    @property
    def changing(self) -> bool:
        """Whether something was changed since the last commit."""
        return self._open

    def commit(self) -> None:
        """Make the changes of this thread's service last, where there are any. Raises StoreError."""
        if not self._open or not self.lock.acquire(blocking=False):
            return  # nothing was changed, or another thread is in the middle of its own service
        try:
            if self._open:
                self.connection.execute("COMMIT")
                self._done()
        except sqlite3.Error as error:
            raise self._failed(error) from None
        finally:
            self.lock.release()

    def rollback(self) -> None:
        """Undo the changes of this thread's service on the file."""
        if self._open and self.lock.acquire(blocking=False):
            try:
                if self._open:
                    self.connection.execute("ROLLBACK")
                    self._done()
            finally:
                self.lock.release()

    def close(self) -> None:
        """Commit and close. Raises StoreError."""
        self.commit()
        self.connection.close()

    def _begin(self) -> None:
        self.lock.acquire()
        if self._open:
            self.lock.release()
            return
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            self.lock.release()
            raise
        self._open = True

    def _done(self) -> None:
        self._open = False
        self.lock.release()

    def _failed(self, error: sqlite3.Error) -> StoreError:
        if self._open:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self._done()
        return StoreError(f"the state of devices cannot be kept in {self.path}: {error}")


class DeviceState:
    """State of one device in a file."""

    def __init__(self, file: StateFile, device: str) -> None:
        self.file = file
        self.device = device

    def of(self, name: str) -> Memory:
        """Return the memory of one object of the device."""
        return _ObjectMemory(self, name)

    def load(self, name: str) -> bytes | None:
        """Return what was saved. Raises StoreError."""
        found = self.file.fetch("SELECT value FROM state WHERE device = ? AND name = ?", self.device, name)
        return bytes(found[0][0]) if found else None

    def save(self, name: str, octets: bytes | None) -> None:
        """Keep octets, with the other changes of the service. Raises StoreError."""
        if octets is None:
            self.file.execute("DELETE FROM state WHERE device = ? AND name = ?", self.device, name)
        else:
            self.file.execute("REPLACE INTO state VALUES (?, ?, ?)", self.device, name, octets)

    def commit(self) -> None:
        """Make the changes of a service last. Raises StoreError."""
        self.file.commit()

    def rollback(self) -> None:
        """Undo the changes of a service on the file."""
        self.file.rollback()


class _ObjectMemory:
    """Names of one object within the state of its device."""

    def __init__(self, state: DeviceState, name: str) -> None:
        self._state = state
        self._prefix = name + " "

    def load(self, name: str) -> bytes | None:
        """Return what was saved. Raises StoreError."""
        return self._state.load(self._prefix + name)

    def save(self, name: str, octets: bytes | None) -> None:
        """Keep octets. Raises StoreError."""
        self._state.save(self._prefix + name, octets)
