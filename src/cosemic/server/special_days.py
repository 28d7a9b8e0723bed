"""Special days table of a device (class 11; IEC 62056-6-2, 5.5): which days count as which other day.

Schedule and Activity calendar ask it for the day_id of a date; where several entries mean the same date, the one with
the lowest index decides.

``insert`` takes the place of an entry of the same index, or of the same date; ``delete`` of an index that is not there
is refused with other-reason, as are an index or a date that is listed twice, and a date that is no day of the calendar.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Final

from cosemic.model import SpecDayEntry, SpecialDaysTable
from cosemic.server.kept import KeptObject, are_different, refuse_unless
from cosemic.server.objects import Situation
from cosemic.server.recurrence import Months, is_day, is_on
from cosemic.values import Obis

_MOST_KNOWN: Final = 1000
"""Days that are remembered: schedules and calendars ask for those of a year again and again."""


class SpecialDaysObject(KeptObject):
    """A special days table. entries: as configured. writable: clients with the right to may write them.

    Raises ConfigurationError.
    """

    def __init__(
        self, instance_id: Obis | str = "0-0:11.0.0", entries: Sequence[SpecDayEntry] = (), *, writable: bool = True
    ) -> None:
        self.changed: list[Callable[[dt.datetime], None]] = []
        """Called with true time when there are other entries."""
        self._known: dict[tuple[dt.date, Months | None], int | None] = {}
        super().__init__(
            SpecialDaysTable(instance_id),
            {"entries": tuple(entries)},
            writable=("entries",) if writable else (),
            methods={"insert": self._insert, "delete": self._delete},
        )

    def day_id(self, day: dt.date, months: Months | None) -> int | None:
        """Return what a day counts as; None for a day that is not special. months: those of daylight saving."""
        key = day, months
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            entries = self._entries
            found = [(entry.index, entry.day_id) for entry in entries if is_on(entry.specialday_date, day, months)]
            self._known[key] = min(found)[1] if found else None
        return self._known[key]

    def check(self, name: str, value: tuple[SpecDayEntry, ...], at: dt.datetime | None) -> None:
        """Refuse entries that cannot be told apart, and dates that are none. Raises AccessRefused."""
        refuse_unless(are_different(entry.index for entry in value))
        refuse_unless(are_different(entry.specialday_date for entry in value))
        refuse_unless(all(is_day(entry.specialday_date) for entry in value))

    def taken(self, name: str, at: dt.datetime) -> None:
        """Tell that there are other entries."""
        self._known.clear()
        for follower in self.changed:
            follower(at)

    def restore(self) -> None:
        """Take up the entries that were kept. Raises StoreError."""
        super().restore()
        self._known.clear()

    @property
    def _entries(self) -> tuple[SpecDayEntry, ...]:
        entries: tuple[SpecDayEntry, ...] = self.value("entries")
        return entries

    def _insert(self, entry: SpecDayEntry, situation: Situation) -> None:
        others = (
            one for one in self._entries if one.index != entry.index and one.specialday_date != entry.specialday_date
        )
        entries = (*others, entry)
        self.check("entries", entries, situation.now)
        self.change("entries", entries, situation.now)

    def _delete(self, index: int, situation: Situation) -> None:
        others = [one for one in self._entries if one.index != index]
        refuse_unless(len(others) < len(self._entries))
        self.change("entries", others, situation.now)
