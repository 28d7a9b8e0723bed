"""Rows of a profile on disk: in the state of a device, found by index, changed within the transaction of a service.

::

    profiles        number, device, name; entries: rows that are kept; captured: all that ever were
    profile_rows    (profile, rank, entry), moment, octets                              in the order of the buffer
    profile_moments (profile, moment)

``entry`` numbers the rows in the order of their capture, downwards from -1 where the newest comes first, so that
(rank, entry) is the order of the buffer whatever the sort_method is. Nothing is held in memory: what the file says is
what there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cosemic.model import SortMethod
from cosemic.server.rows import UNSORTED, Entry
from cosemic.server.state import DeviceState

_HEAD: Final = "SELECT number, entries, captured FROM profiles WHERE device = ? AND name = ?"
_BEGIN: Final = "INSERT INTO profiles (device, name, entries, captured) VALUES (?, ?, 0, 0)"
_COUNT: Final = "UPDATE profiles SET entries = ?, captured = ? WHERE number = ?"
_ADD: Final = "INSERT INTO profile_rows (profile, rank, entry, moment, octets) VALUES (?, ?, ?, ?, ?)"
_ROWS: Final = "SELECT octets FROM profile_rows WHERE profile = ?"
_DROP: Final = "DELETE FROM profile_rows WHERE profile = ?"
_NUMBERED: Final = " AND rank = x'' AND entry BETWEEN ? AND ?"
_ORDER: Final = " ORDER BY rank, entry"
_SPAN: Final = "SELECT min(entry), max(entry), count(*) FROM profile_rows INDEXED BY profile_moments WHERE profile = ?"
_BETWEEN: Final = _ROWS.replace(" WHERE", " INDEXED BY profile_moments WHERE")
_WITHIN: Final = " AND moment BETWEEN ? AND ?"
_LEAST: Final = -(1 << 63)
_GREATEST: Final = (1 << 63) - 1


class StoredRows:
    """Rows in the state of a device; ``name`` is that of the profile there."""

    def __init__(self, state: DeviceState, name: str, capacity: int, method: SortMethod = SortMethod.FIFO) -> None:
        self.capacity = capacity
        self._file = state.file
        self._key = state.device, name
        self._sorted = method not in UNSORTED
        self._newest_first = method is SortMethod.LIFO

    def __len__(self) -> int:
        return self._head()[1]

    def add(self, entries: Sequence[Entry]) -> None:
        """Take rows in the order of their capture. Raises StoreError."""
        if not entries:
            return
        profile, count, captured = self._head()
        if not profile:
            profile = self._file.execute(_BEGIN, *self._key).lastrowid or 0
        sign = -1 if self._newest_first else 1
        self._file.execute_many(
            _ADD,
            (
                (profile, entry.rank, sign * number, entry.moment, entry.octets)
                for number, entry in enumerate(entries, captured + 1)
            ),
        )
        captured += len(entries)
        if (excess := count + len(entries) - self.capacity) > 0:
            self._drop(profile, captured, excess)
        self._file.execute(_COUNT, min(count + len(entries), self.capacity), captured, profile)

    def _drop(self, profile: int, captured: int, excess: int) -> None:
        if not self._sorted:
            oldest_kept = captured - self.capacity + 1
            bounds = (-oldest_kept + 1, _GREATEST) if self._newest_first else (_LEAST, oldest_kept - 1)
            self._file.execute(_DROP + _NUMBERED, profile, *bounds)
            return
        last = "SELECT rank, entry FROM profile_rows WHERE profile = ? ORDER BY rank DESC, entry DESC LIMIT ?"
        self._file.execute_many(
            _DROP + " AND rank = ? AND entry = ?",
            [(profile, *found) for found in self._file.fetch(last, profile, excess)],
        )

    def clear(self) -> None:
        """Drop all. Raises StoreError."""
        profile, _, captured = self._head()
        if profile:
            self._file.execute(_DROP, profile)
            self._file.execute(_COUNT, 0, captured, profile)

    def numbered(self, start: int, stop: int) -> list[bytes]:
        """Return rows by their place in the buffer, from 0; there are so many. Raises StoreError."""
        profile, count, captured = self._head()
        if self._sorted:
            return self._fetch(_ROWS + _ORDER + " LIMIT ? OFFSET ?", profile, stop - start, start)
        first = -captured if self._newest_first else captured - count + 1
        return self._fetch(_ROWS + _NUMBERED + _ORDER, profile, first + start, first + stop - 1)

    def between(self, first: int | None, last: int | None) -> list[bytes]:
        """Return rows whose moment lies within two, both inclusive; None: no bound. Raises StoreError."""
        bounds = _LEAST if first is None else first, _GREATEST if last is None else last
        profile = self._head()[0]
        if not self._sorted:
            # Unless the clock was set back these rows stand side by side, and are read as such.
            least, greatest, count = self._file.fetch(_SPAN + _WITHIN, profile, *bounds)[0]
            if not count:
                return []
            if greatest - least + 1 == count:
                return self._fetch(_ROWS + _NUMBERED + _ORDER, profile, least, greatest)
        return self._fetch(_BETWEEN + _WITHIN + _ORDER, profile, *bounds)

    def _head(self) -> tuple[int, int, int]:
        found = self._file.fetch(_HEAD, *self._key)
        return found[0] if found else (0, 0, 0)

    def _fetch(self, statement: str, *parameters: Any) -> list[bytes]:
        return [octets for (octets,) in self._file.fetch(statement, *parameters)]
