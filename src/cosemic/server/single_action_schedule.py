"""Single action schedule of a device (class 22; IEC 62056-6-2, 5.5): one script at given dates and times.

==========================================  ==============================================
type                                        execution_time
==========================================  ==============================================
1 one_entry_wildcard_date_allowed           at most one entry, of any dates
2 n_entries_same_time_no_wildcard_date      any number, all at one time, each on one day
3 n_entries_same_time_wildcard_date         any number, all at one time, of any dates
4 n_entries_different_time_no_wildcard_date any number, each on one day
5 n_entries_different_time_wildcard_date    any number, of any dates
==========================================  ==============================================

Times may be patterns too (:mod:`cosemic.server.recurrence`): ``*:00:00`` is every hour. An entry without any field in
date and time never runs; some clients write that for "none" (where the type allows only one day for each entry, none
is no entry at all).

Refused with other-reason: entries that do not fit the type, a type that does not fit the entries (no entry fits every
type), and times and dates that are none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from cosemic.model import ActionItem, ExecutionTime, SingleActionSchedule, SingleActionScheduleType
from cosemic.server.agenda import SINGLE_ACTION_RANK, Coming, Task
from cosemic.server.clock import ClockObject
from cosemic.server.kept import KeptObject, refuse_unless
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.recurrence import RESOLUTION, is_day, is_time, last_moment, next_moment
from cosemic.server.scripts import NO_SCRIPT, run_script
from cosemic.values import Obis

_ONE_ENTRY: Final = {SingleActionScheduleType.ONE_ENTRY_WILDCARD_DATE_ALLOWED}
_SAME_TIME: Final = {
    SingleActionScheduleType.N_ENTRIES_SAME_TIME_NO_WILDCARD_DATE,
    SingleActionScheduleType.N_ENTRIES_SAME_TIME_WILDCARD_DATE,
}
_ONE_DAY_EACH: Final = {
    SingleActionScheduleType.N_ENTRIES_SAME_TIME_NO_WILDCARD_DATE,
    SingleActionScheduleType.N_ENTRIES_DIFFERENT_TIME_NO_WILDCARD_DATE,
}


class SingleActionScheduleObject(KeptObject):
    """A single action schedule.

    device: whose script it runs. clock: its clock. script: which one. execution_time, schedule_type: as configured.
    make_up: what was missed (:mod:`cosemic.server.agenda`) is made up for, once; the standard leaves that open.
    writable: clients with the right to may write all three.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        instance_id: Obis | str,
        script: ActionItem = NO_SCRIPT,
        execution_time: Sequence[ExecutionTime] = (),
        schedule_type: SingleActionScheduleType = SingleActionScheduleType.ONE_ENTRY_WILDCARD_DATE_ALLOWED,
        *,
        make_up: bool = True,
        writable: bool = True,
    ) -> None:
        self._device = device
        self._clock = clock
        self._make_up = make_up
        self._coming: Coming[ExecutionTime] = Coming(self._next_of)
        values = {"executed_script": script, "type": schedule_type, "execution_time": tuple(execution_time)}
        super().__init__(SingleActionSchedule(instance_id), values, writable=values if writable else ())
        clock.connect(device)
        clock.agenda.add(self)
        clock.changed.append(lambda change: self._coming.forget())

    # ---- as a planner -----------------------------------------------------------------------------------------------

    def next(self, floor: dt.datetime) -> dt.datetime | None:
        """Return when the script runs next."""
        return self._coming.first(self._times, floor)

    def tasks(self, since: dt.datetime, until: dt.datetime, *, made_up: bool) -> Iterator[Task]:
        """Return the script, once, if it is due or was missed."""
        if made_up and not self._make_up:
            return
        due = [one for one in self._times if (at := self._coming.of(one, since)) is not None and at < until]
        if due:
            ends = (last_moment(one.date, one.time, until - RESOLUTION, self._clock.months) for one in due)
            last = max(end for end in ends if end is not None)
            yield Task(last, SINGLE_ACTION_RANK, partial(run_script, self._device, self.value("executed_script")))

    @property
    def _times(self) -> list[ExecutionTime]:
        """The entries that run at some time."""
        return [one for one in self.value("execution_time") if not _is_none(one)]

    def _next_of(self, one: ExecutionTime, floor: dt.datetime) -> dt.datetime | None:
        return next_moment(one.date, one.time, floor, self._clock.months)

    # ---- attributes -------------------------------------------------------------------------------------------------

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse a type and entries that do not go together, times and dates that are none. Raises AccessRefused."""
        if name == "execution_time":
            refuse_unless(all(is_time(one.time) and (one.date.is_unspecified or is_day(one.date)) for one in value))
            refuse_unless(_go_together(self.value("type"), value))
        elif name == "type":
            refuse_unless(_go_together(value, self.value("execution_time")))

    def taken(self, name: str, at: dt.datetime) -> None:
        """Look anew at what is due."""
        self._revise(at)

    def restore(self) -> None:
        """Take up what was written. Raises StoreError."""
        super().restore()
        self._revise()

    def _revise(self, at: dt.datetime | None = None) -> None:
        self._coming.forget()
        self._clock.agenda.revise(at)


def _is_none(one: ExecutionTime) -> bool:
    return one.time.is_unspecified and one.date.is_unspecified


def _go_together(schedule_type: SingleActionScheduleType | int, times: Sequence[ExecutionTime]) -> bool:
    return (
        (schedule_type not in _ONE_ENTRY or len(times) <= 1)
        and (schedule_type not in _SAME_TIME or len({one.time for one in times}) <= 1)
        and (schedule_type not in _ONE_DAY_EACH or not any(one.date.is_wildcard for one in times))
    )
