"""Schedule of a device (class 10; IEC 62056-6-2, 5.5): scripts that run at a time of day, on certain days.

::

    day is special (Special days table)   the bit of its day_id in exec_specdays decides
    any other day                         the bit of its weekday in exec_weekdays decides
    both                                  within begin_date .. end_date, both inclusive

A range without years comes every year, over the turn of the year too; where one of its ends is not specified, it is the
turn of the year. switch_time may be a pattern (:mod:`cosemic.server.recurrence`); without any field the entry does
not run. Of the scripts that are due at one time the lowest index comes first, and one that several entries name runs
once. What was missed (:mod:`cosemic.server.agenda`) is made up for within validity_window minutes, each entry once.

enable_disable, insert and delete work on ranges of indices, both ends inclusive; an empty range is none. insert takes
the place of an entry with the same index. Refused with other-reason: an index beyond 1 to 9999, or listed twice; a time
or a date that is none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from cosemic.model import ActionItem, EnableDisable, IndexRange, Schedule, ScheduleTableEntry
from cosemic.server.agenda import Coming, Task
from cosemic.server.clock import ClockObject
from cosemic.server.kept import KeptObject, are_different, refuse_unless
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import Situation
from cosemic.server.recurrence import RESOLUTION, is_day, is_time, last_day, last_time, next_time
from cosemic.server.scripts import run_script
from cosemic.server.special_days import SpecialDaysObject
from cosemic.values import Date, Obis

ANY_TIME: Final = 0xFFFF
"""validity_window: however long ago it was missed."""
GREATEST_INDEX: Final = 9999
_LOOK_AHEAD: Final = 366
"""Days; where an entry does not run on any of them, it is looked at again behind them."""
_DAY: Final = dt.timedelta(days=1)
_NEW_YEAR: Final = Date.of(month=1, day_of_month=1)
_NEW_YEARS_EVE: Final = Date.of(month=12, day_of_month=31)


class ScheduleObject(KeptObject):
    """A schedule.

    device: whose scripts it runs. clock: its clock. entries: as configured. special_days: the table that says which
    days are special. first_day_id: day_id that the first bit of exec_specdays stands for (unsure: recalled, not seen in
    a text). writable: clients with the right to may write the entries.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        instance_id: Obis | str = "0-0:12.0.0",
        entries: Sequence[ScheduleTableEntry] = (),
        *,
        special_days: SpecialDaysObject | None = None,
        first_day_id: int = 1,
        writable: bool = True,
    ) -> None:
        self._device = device
        self._clock = clock
        self._special_days = special_days
        self._first_day_id = first_day_id
        self._coming: Coming[ScheduleTableEntry] = Coming(self._next_of)
        super().__init__(
            Schedule(instance_id),
            {"entries": sorted(entries, key=_index_of)},
            writable=("entries",) if writable else (),
            methods={"enable_disable": self._enable_disable, "insert": self._insert, "delete": self._delete},
        )
        clock.connect(device)
        clock.agenda.add(self)
        clock.changed.append(lambda change: self._coming.forget())
        if special_days is not None:
            special_days.changed.append(self._revise)

    # ---- as a planner -----------------------------------------------------------------------------------------------

    def next(self, floor: dt.datetime) -> dt.datetime | None:
        """Return when an entry runs next."""
        return self._coming.first(self._enabled(), floor)

    def tasks(self, since: dt.datetime, until: dt.datetime, *, made_up: bool) -> Iterator[Task]:
        """Return the scripts of the entries that are due, or were missed and are still valid."""
        now = until - RESOLUTION
        seen: set[tuple[dt.datetime, Obis, int]] = set()
        for entry in sorted(self._enabled(), key=_index_of):
            coming = self._coming.of(entry, since)
            if coming is None or coming >= until:
                continue
            last = self._last_of(entry, since, now)
            if last is None or (made_up and _too_late(entry, last, now)):
                continue
            same = last, entry.script_logical_name, entry.script_selector
            if same not in seen:
                seen.add(same)
                item = ActionItem(entry.script_logical_name, entry.script_selector)
                yield Task(last, entry.index, partial(run_script, self._device, item))

    def _enabled(self) -> list[ScheduleTableEntry]:
        return [entry for entry in self._entries if entry.enable and not entry.switch_time.is_unspecified]

    def _next_of(self, entry: ScheduleTableEntry, floor: dt.datetime) -> dt.datetime | None:
        if not entry.end_date.is_wildcard and entry.end_date.to_date() < floor.date():
            return None
        for ahead in range(_LOOK_AHEAD):
            day = floor.date() + ahead * _DAY
            start = dt.time.min if ahead else floor.time()
            found = next_time(entry.switch_time, start) if self._on(entry, day) else None
            if found is not None:
                return dt.datetime.combine(day, found)
        return dt.datetime.combine(floor.date() + _LOOK_AHEAD * _DAY, dt.time.min)

    def _last_of(self, entry: ScheduleTableEntry, since: dt.datetime, ceiling: dt.datetime) -> dt.datetime | None:
        day = ceiling.date()
        while day >= since.date():
            limit = ceiling.time() if day == ceiling.date() else dt.time.max
            found = last_time(entry.switch_time, limit) if self._on(entry, day) else None
            if found is not None:
                last = dt.datetime.combine(day, found)
                return last if last >= since else None
            day -= _DAY
        return None

    def _on(self, entry: ScheduleTableEntry, day: dt.date) -> bool:
        """Whether an entry runs on a day."""
        special = None if self._special_days is None else self._special_days.day_id(day, self._clock.months)
        if special is None:
            bits, bit = entry.exec_weekdays, day.weekday()
        else:
            bits, bit = entry.exec_specdays, special - self._first_day_id
        return 0 <= bit < len(bits) and bits[bit] == "1" and self._within(entry, day)

    def _within(self, entry: ScheduleTableEntry, day: dt.date) -> bool:
        """Whether a day is in the range of an entry: behind its begin no end has come to an end since."""
        begin, end = entry.begin_date, entry.end_date
        if begin.is_unspecified and not end.is_unspecified and end.year is None:
            begin = _NEW_YEAR
        elif end.is_unspecified and not begin.is_unspecified and begin.year is None:
            end = _NEW_YEARS_EVE
        months = self._clock.months
        begun = dt.date.min if begin.is_unspecified else last_day(begin, day, months)
        if begun is None or end.is_unspecified:
            return begun is not None
        ended = last_day(end, day - _DAY, months)
        return ended is None or (ended < begun and end.year is None)

    # ---- entries ----------------------------------------------------------------------------------------------------

    @property
    def _entries(self) -> tuple[ScheduleTableEntry, ...]:
        entries: tuple[ScheduleTableEntry, ...] = self.value("entries")
        return entries

    def check(self, name: str, value: tuple[ScheduleTableEntry, ...], at: dt.datetime | None) -> None:
        """Refuse entries that cannot be told apart, and times and dates that are none. Raises AccessRefused."""
        refuse_unless(are_different(map(_index_of, value)))
        for entry in value:
            refuse_unless(1 <= entry.index <= GREATEST_INDEX and is_time(entry.switch_time))
            refuse_unless(all(date.is_unspecified or is_day(date) for date in (entry.begin_date, entry.end_date)))

    def taken(self, name: str, at: dt.datetime) -> None:
        """Look anew at what is due."""
        self._revise(at)

    def restore(self) -> None:
        """Take up the entries that were kept. Raises StoreError."""
        super().restore()
        self._revise()

    def _revise(self, at: dt.datetime | None = None) -> None:
        self._coming.forget()
        self._clock.agenda.revise(at)

    def _replace(self, entries: Sequence[ScheduleTableEntry], situation: Situation) -> None:
        self.change("entries", sorted(entries, key=_index_of), situation.now)

    def _enable_disable(self, ranges: EnableDisable, situation: Situation) -> None:
        entries = []
        for entry in self._entries:
            disabled = ranges.first_index_a <= entry.index <= ranges.last_index_a
            enabled = ranges.first_index_b <= entry.index <= ranges.last_index_b
            entries.append(replace(entry, enable=enabled or (entry.enable and not disabled)))
        self._replace(entries, situation)

    def _insert(self, entry: ScheduleTableEntry, situation: Situation) -> None:
        entries = (*(one for one in self._entries if one.index != entry.index), entry)
        self.check("entries", entries, situation.now)
        self._replace(entries, situation)

    def _delete(self, indices: IndexRange, situation: Situation) -> None:
        first, last = indices.first_index, indices.last_index
        self._replace([one for one in self._entries if not first <= one.index <= last], situation)


def _index_of(entry: ScheduleTableEntry) -> int:
    return entry.index


def _too_late(entry: ScheduleTableEntry, missed: dt.datetime, now: dt.datetime) -> bool:
    return entry.validity_window != ANY_TIME and now - missed > dt.timedelta(minutes=entry.validity_window)
