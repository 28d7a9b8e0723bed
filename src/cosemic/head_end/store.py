"""What was collected, in one SQLite file; coverage is the truth.

::

    meters      one row a meter: its name here, the name it gives itself, what was seen of it
    registers   the latest value of each register                  (meter, object, attribute)
    channels    what a profile captures                            (meter, profile, object, attribute, data_index)
    readings    the values                                         (channel, interval_start, occurrence)
    coverage    intervals [since, until) that are done             (meter, profile, since)
    load_profile   a view of readings, for people with an SQL prompt

Readings and the coverage they stand for are committed in one transaction, so that the store never claims what it has
not got and never forgets what it has; the keys make a repeat change nothing. A reading keeps the integer, scaler and
unit as sent. Times are seconds since 1970, UTC. ``occurrence`` numbers rows that a meter gives for one and the same
interval (its clock was set back): both are kept, and marked.

Write-ahead log, synchronous NORMAL: a killed process loses nothing that was committed. After loss of power the last
transactions may be gone as a whole, coverage included, and are read again.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from cosemic.errors import StoreError
from cosemic.head_end.schema import APPLICATION_ID, STATEMENTS, VERSION
from cosemic.model import Column, Mark, Row
from cosemic.transport.lifetime import Closes
from cosemic.values import Date, DateTime, Obis, Quantity, Time, Unit

BUSY_SECONDS: Final = 30.0
"""How long another process may hold the store; a commit takes milliseconds."""


class Interval(NamedTuple):
    """[since, until), in UTC."""

    since: dt.datetime
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class MeterRecord:
    """What the store knows of a meter. ``device_name``: the COSEM logical device name that the meter gives itself."""

    name: str
    device_name: str | None
    objects: int | None
    collected: dt.datetime | None


class StoredReading(NamedTuple):
    """One value of a profile and the interval it holds for, in UTC."""

    interval_start: dt.datetime
    interval_end: dt.datetime
    value: Any
    status: Any
    marks: Mark


class Store(Closes):
    """Readings of many meters in the SQLite file ``path``, which is made when it is not there.

    One thread uses it at a time; several processes may have it open. Every method raises StoreError.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._meters: dict[str, int] = {}
        with self._telling():
            self._database = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            with self._telling():
                self._prepare()
        except BaseException:
            self._database.close()
            raise

    @property
    def path(self) -> str:
        """The file."""
        return self._path

    def close(self) -> None:
        """Close the file; nothing is lost without."""
        with self._telling():
            self._database.close()

    # ---- what is missing --------------------------------------------------------------------------------------------

    def missing(self, meter: str, profile: Obis, since: dt.datetime, until: dt.datetime) -> list[Interval]:
        """Return the gaps of a profile's coverage in [since, until), in order of time."""
        gaps: list[Interval] = []
        at, end = _seconds(since), _seconds(until)
        for begin, stop in self._covered(meter, profile):
            if stop <= at:
                continue
            if begin >= end:
                break
            if begin > at:
                gaps.append(Interval(_moment(at), _moment(begin)))
            at = stop
        if at < end:
            gaps.append(Interval(_moment(at), _moment(end)))
        return gaps

    def coverage(self, meter: str, profile: Obis) -> list[Interval]:
        """Return what is done of a profile: intervals in order of time that neither overlap nor touch."""
        return [Interval(_moment(begin), _moment(stop)) for begin, stop in self._covered(meter, profile)]

    # ---- what was collected -----------------------------------------------------------------------------------------

    def commit(
        self,
        meter: str,
        *,
        device_name: str | None = None,
        objects: int | None = None,
        registers: Mapping[Obis, Any] | None = None,
        profile: Obis | None = None,
        columns: Sequence[Column] = (),
        rows: Sequence[Row] = (),
        covered: Interval | None = None,
        now: dt.datetime | None = None,
    ) -> int:
        """Write what a visit of a meter gave, all of it or nothing; return how many rows of the profile were new.

        registers: values of attribute 2 by object. columns, rows, covered: of ``profile``; rows without any stamp have
        no key and are left out. now: when it was read.
        """
        read_at = _seconds(now or dt.datetime.now(dt.UTC))
        with self._telling(), self._transaction() as database:
            number = self._number(meter)
            database.execute(
                "UPDATE meters SET collected = ?, device_name = coalesce(?, device_name),"
                " objects = coalesce(?, objects) WHERE meter = ?",
                (read_at, device_name, objects, number),
            )
            database.executemany(
                "INSERT OR REPLACE INTO registers VALUES (?, ?, 2, ?, ?, ?, ?)",
                [(number, str(obis), *_cell(value), read_at) for obis, value in (registers or {}).items()],
            )
            if profile is None:
                return 0
            written = self._write_rows(number, profile, columns, rows)
            if covered is not None and covered.since < covered.until:
                self._cover(number, str(profile), _seconds(covered.since), _seconds(covered.until))
            return written

    def _write_rows(self, meter: int, profile: Obis, columns: Sequence[Column], rows: Sequence[Row]) -> int:
        seen: Counter[int] = Counter()
        keys: list[tuple[int, int, int, Any, int]] = []
        cells: list[tuple[Any, ...]] = []
        for row in rows:
            end = row.interval_end
            if end is None:
                continue
            start = _seconds(row.interval_start or end)
            keys.append((start, seen[start], _seconds(end), _cell(row.status)[0], int(row.marks)))
            cells.append(row.values)
            seen[start] += 1
        written = 0
        for index, column in enumerate(columns):
            captured = column.capture_object
            what = (meter, str(profile), str(column.obis), column.attribute, captured.data_index)
            channel = self._channel(what)
            inserted = self._database.executemany(
                "INSERT OR IGNORE INTO readings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (channel, start, occurrence, end, *_cell(values[index]), status, marks)
                    for (start, occurrence, end, status, marks), values in zip(keys, cells, strict=True)
                ),
            ).rowcount
            written = max(written, inserted)
        return written

    def _cover(self, meter: int, profile: str, since: int, until: int) -> None:
        """Join an interval with those that it overlaps or touches."""
        touching = (meter, profile, until, since)
        first, last = self._database.execute(
            "SELECT min(since), max(until) FROM coverage WHERE meter = ? AND profile = ? AND since <= ? AND until >= ?",
            touching,
        ).fetchone()
        self._database.execute(
            "DELETE FROM coverage WHERE meter = ? AND profile = ? AND since <= ? AND until >= ?", touching
        )
        since = since if first is None else min(since, first)
        until = until if last is None else max(until, last)
        self._database.execute("INSERT INTO coverage VALUES (?, ?, ?, ?)", (meter, profile, since, until))

    # ---- what is there ----------------------------------------------------------------------------------------------

    def meter(self, name: str) -> MeterRecord | None:
        """Return one meter; None where nothing was stored of it."""
        return next(iter(self.meters(name)), None)

    def meters(self, name: str | None = None) -> list[MeterRecord]:
        """Return all meters, by name, or those of one name."""
        with self._telling():
            found = self._database.execute(
                "SELECT name, device_name, objects, collected FROM meters WHERE ? IS NULL OR name = ? ORDER BY name",
                (name, name),
            )
            return [
                MeterRecord(name, device, objects, None if collected is None else _moment(collected))
                for name, device, objects, collected in found
            ]

    def registers(self, meter: str) -> dict[Obis, Any]:
        """Return the latest value of each register of a meter."""
        with self._telling():
            found = self._database.execute(
                "SELECT object, value, scaler, unit FROM registers JOIN meters USING (meter) WHERE name = ?", (meter,)
            )
            return {Obis(name): _value(*cell) for name, *cell in found}

    def readings(
        self, meter: str, profile: Obis, what: Obis, since: dt.datetime, until: dt.datetime, *, attribute: int = 2
    ) -> list[StoredReading]:
        """Return what a profile of a meter has of one object in [since, until), in order of time."""
        with self._telling():
            found = self._database.execute(
                "SELECT interval_start, interval_end, value, scaler, unit, status, marks"
                " FROM readings JOIN channels USING (channel) JOIN meters USING (meter)"
                " WHERE name = ? AND profile = ? AND object = ? AND attribute = ? AND data_index = 0"
                " AND interval_start >= ? AND interval_start < ? ORDER BY interval_start, occurrence",
                (meter, str(profile), str(what), attribute, _seconds(since), _seconds(until)),
            )
            return [
                StoredReading(_moment(start), _moment(end), _value(value, scaler, unit), status, Mark(marks))
                for start, end, value, scaler, unit, status, marks in found
            ]

    def count_readings(self, meter: str | None = None) -> int:
        """Return how many values are stored, of one meter or of all."""
        with self._telling():
            (count,) = self._database.execute(
                "SELECT count(*) FROM readings JOIN channels USING (channel) JOIN meters USING (meter)"
                " WHERE ? IS NULL OR name = ?",
                (meter, meter),
            ).fetchone()
            return int(count)

    def count_rows(self, meter: str | None = None) -> int:
        """Return how many rows of profiles are stored, of one meter or of all."""
        with self._telling():
            (count,) = self._database.execute(
                "SELECT count(*) FROM readings JOIN"
                " (SELECT min(channel) AS channel FROM channels JOIN meters USING (meter) WHERE ? IS NULL OR name = ?"
                " GROUP BY meter, profile) USING (channel)",
                (meter, meter),
            ).fetchone()
            return int(count)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        database = self._database
        self._is_new()
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            if self._is_new():
                # One statement at a time: executescript would end the transaction.
                for statement in STATEMENTS:
                    database.execute(statement)
                database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                database.execute(f"PRAGMA user_version = {VERSION}")

    def _is_new(self) -> bool:
        """Whether the file is empty; raises StoreError, before anything is changed, where it is not one of ours."""
        marks = "SELECT * FROM pragma_user_version, pragma_application_id, (SELECT count(*) FROM sqlite_master)"
        version, application, tables = self._database.execute(marks).fetchone()
        if (version, application) != (VERSION, APPLICATION_ID) and (version, application, tables) != (0, 0, 0):
            raise StoreError(f"{self._path} is no store of this version of Cosemic: name another file")
        return not tables

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"the store {self._path}: {error}; see to file, folder and free space") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
            self._database.execute("COMMIT")
        except BaseException:
            self._meters.clear()
            # SQLite has rolled back by itself where the disk is full.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _number(self, name: str) -> int:
        if name not in self._meters:
            self._database.execute("INSERT OR IGNORE INTO meters (name) VALUES (?)", (name,))
            (number,) = self._database.execute("SELECT meter FROM meters WHERE name = ?", (name,)).fetchone()
            self._meters[name] = number
        return self._meters[name]

    def _channel(self, what: tuple[Any, ...]) -> int:
        self._database.execute(
            "INSERT OR IGNORE INTO channels (meter, profile, object, attribute, data_index) VALUES (?, ?, ?, ?, ?)",
            what,
        )
        (channel,) = self._database.execute(
            "SELECT channel FROM channels"
            " WHERE meter = ? AND profile = ? AND object = ? AND attribute = ? AND data_index = ?",
            what,
        ).fetchone()
        return int(channel)

    def _covered(self, meter: str, profile: Obis) -> list[tuple[int, int]]:
        with self._telling():
            return self._database.execute(
                "SELECT since, until FROM coverage JOIN meters USING (meter)"
                " WHERE name = ? AND profile = ? ORDER BY since",
                (meter, str(profile)),
            ).fetchall()


def _seconds(moment: dt.datetime) -> int:
    return int(moment.timestamp())


def _moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _cell(value: Any) -> tuple[Any, int | None, int | None]:
    """Value, scaler and unit as they are stored."""
    if isinstance(value, Quantity):
        return _plain(value.raw), value.scaler, int(value.unit)
    return _plain(value), None, None


def _plain(value: Any) -> Any:
    """What SQLite takes: its integers have 64 bits with sign, longer ones become text."""
    if isinstance(value, DateTime | Date | Time):
        return value.octets
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 63 else str(int(value))
    if isinstance(value, bytes):
        return bytes(value)
    return value if value is None or isinstance(value, float | str) else str(value)


def _value(value: Any, scaler: int | None, unit: int | None) -> Any:
    if scaler is None or unit is None or value is None:
        return value
    return Quantity(int(value) if isinstance(value, str) else value, scaler, Unit(unit))
