"""Event logs of a meter, with names for what happened (Profile generic, IEC 62056-6-2, 5.2; names: companions).

::

    0-b:99.98.e   events: the clock, an event code (0-b:96.11.e), and whatever else was of interest
    1-b:99.97.e   power failures: the clock and their duration
    0-b:24.5.0    control of an M-Bus device

Which companion names the codes is told from the objects of the meter, unless it is given: the same number means other
things elsewhere (:mod:`cosemic.model.event_names`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.procedures.history import recorded
from cosemic.client.procedures.reading import read_out
from cosemic.client.steps import Procedure
from cosemic.errors import DecodeError, ServiceFailed
from cosemic.model import Data, LoadProfile, Mark, Row
from cosemic.model.event_names import (
    Companion,
    companion_of,
    event_name,
    is_event_code,
    is_event_log,
    log_name,
)
from cosemic.values import Obis


@dataclass(frozen=True, slots=True)
class EventLog:
    """A log that the meter has, and what it is for."""

    log: Obis
    name: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    time: UTC; None where the meter has stamped it with no moment. code: None in logs that have none. name: what it
    means; with the bare code where that is not known. log, log_name: where it stood. details: the other columns, by
    name. marks: how far the stamp is to be trusted.
    """

    time: dt.datetime | None
    code: int | None
    name: str
    log: Obis
    log_name: str
    details: Mapping[str, object]
    marks: Mark


class EventProcedures(ProcedureGroup):
    """Event logs of a meter."""

    def logs(self, *, companion: Companion | None = None) -> Procedure[tuple[EventLog, ...]]:
        """Return the event logs of the association view. Raises DataAccessError, DecodeError."""
        names = [one for one in (yield from self._view()) if is_event_log(*one)]
        told = yield from self._companion(companion)
        return tuple(EventLog(name, log_name(told, name)) for _, name in names)

    def read(
        self,
        log: Obis | str,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        *,
        companion: Companion | None = None,
    ) -> Procedure[tuple[Event, ...]]:
        """Read the events of a log that are stamped in [since, until), in order of time; without bounds all of them.

        since, until: naive in the zone of the meter. companion: whose names the codes get; None: as the meter's objects
        tell. Raises DataAccessError, DecodeError. Profile generic, IEC 62056-6-2, 5.2.
        """
        where = Obis(log)
        told = yield from self._companion(companion)
        return _events((yield from recorded(self.session, where, since, until)), where, told)

    def read_all(
        self,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        *,
        companion: Companion | None = None,
    ) -> Procedure[tuple[Event, ...]]:
        """Read the events of all logs, as :meth:`read` does each, in order of time; those without stamp come first.

        Raises DataAccessError, DecodeError for the first log that cannot be read.
        """
        told = yield from self._companion(companion)
        found: list[Event] = []
        for log in (yield from self.logs(companion=told)):
            found += yield from self.read(log.log, since, until, companion=told)
        return tuple(sorted(found, key=lambda event: event.time or _NEVER))

    def last(self, *, companion: Companion | None = None) -> Procedure[Mapping[Obis, Event]]:
        """Read the event codes of the meter (0-b:96.11.e): the last event of each log; refused ones are left out.

        They have no time. Raises DataAccessError, DecodeError where there is no association view.
        """
        told = yield from self._companion(companion)
        names = [name for class_id, name in (yield from self._view()) if is_event_code(name) and class_id == 1]
        values = yield from read_out(self.session, [Data(name).value for name in names])
        return {
            name: Event(None, value, _named(told, name, value), name, log_name(told, name), {}, Mark(0))
            for name, value in zip(names, values, strict=True)
            if isinstance(value, int) and not isinstance(value, bool)
        }

    def _view(self) -> Procedure[list[tuple[int, Obis]]]:
        return [(one.class_id, one.logical_name) for one in (yield from self.session.objects())]

    def _companion(self, given: Companion | None) -> Procedure[Companion]:
        if given is not None:
            return given
        try:
            return companion_of(name for _, name in (yield from self._view()))
        except (ServiceFailed, DecodeError):
            return Companion.IDIS


_NEVER = dt.datetime(dt.MINYEAR, 1, 1, tzinfo=dt.UTC)


def _named(companion: Companion, log: Obis, code: int | None) -> str:
    if code is None:
        return log_name(companion, log).removesuffix(" event log")
    return event_name(companion, log, code) or f"Event {code}"


def _events(profile: LoadProfile, log: Obis, companion: Companion) -> tuple[Event, ...]:
    columns = profile.columns
    at = next((index for index, one in enumerate(columns) if one.attribute == 2 and is_event_code(one.obis)), None)

    def event(row: Row) -> Event:
        value = None if at is None else row.values[at]
        code = value if isinstance(value, int) and not isinstance(value, bool) else None
        details = {
            column.name: value
            for index, (column, value) in enumerate(zip(columns, row.values, strict=True))
            if index != at or code is None
        }
        return Event(
            row.interval_end, code, _named(companion, log, code), log, log_name(companion, log), details, row.marks
        )

    return tuple(map(event, profile.rows()))


class AsyncEvents(AsyncGroup):
    """Event logs of a meter, on asyncio."""

    logs = asynchronously(EventProcedures.logs)
    read = asynchronously(EventProcedures.read)
    read_all = asynchronously(EventProcedures.read_all)
    last = asynchronously(EventProcedures.last)


class BlockingEvents(BlockingGroup):
    """Event logs of a meter, for blocking code."""

    logs = blocking(EventProcedures.logs)
    read = blocking(EventProcedures.read)
    read_all = blocking(EventProcedures.read_all)
    last = blocking(EventProcedures.last)
