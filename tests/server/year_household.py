"""What the meter of :mod:`tests.server.year_life` measures: slot by slot of five minutes, and as totals.

Within a slot energy flows evenly. A day has the same shape each time, more or less of it, and now and then a peak.
"""

from __future__ import annotations

import datetime as dt
from itertools import accumulate
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")
UTC = dt.UTC
SLOT = dt.timedelta(minutes=5)


def local(text: str) -> dt.datetime:
    """Return a moment from ``02-10 05:50`` of 2026 in Berlin, or with a year in front."""
    text = text if text.count("-") == 2 else f"2026-{text}"
    return dt.datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


START, END = local("01-01 00:00"), local("2027-01-01 00:07")

_SHAPE = [20 + 7 * slot % 61 for slot in range(288)]
_DAYS = [37 * day % 40 for day in range(40)]
_SUN = [max(0, 90 - (slot - 140) ** 2 // 40) for slot in range(288)]
PEAKS = {
    local(at): (slots, watts // 12)
    for at, slots, watts in (
        ("01-08 18:00", 4, 9_000),
        ("01-25 17:00", 2, 9_000),
        ("04-30 23:45", 3, 9_000),  # the last quarter of a month
        ("05-20 18:00", 4, 9_000),
        ("07-10 18:00", 4, 9_000),
        ("07-12 18:00", 2, 9_000),
        ("08-03 18:00", 4, 9_000),
        ("08-11 12:30", 4, 3_600),
        ("08-12 12:30", 4, 3_600),
        ("12-24 18:00", 2, 9_000),
    )
}
"""When something strong is on, for how many slots, and the watt-hours that it draws in each."""
_PEAK_SLOTS = {
    (begin - START) // SLOT + number: energy for begin, (slots, energy) in PEAKS.items() for number in range(slots)
}


def drawn_in(slot: int) -> int:
    """Return the watt-hours drawn in a slot of five minutes since the beginning, evenly."""
    day, number = divmod(slot, 288)
    return _SHAPE[number] + _DAYS[day % 40] + _PEAK_SLOTS.get(slot, 0)


def fed_in(slot: int) -> int:
    """Return the watt-hours fed in in a slot."""
    return _SUN[slot % 288]


class Household:
    """The same as totals, each in closed form: what is before a moment is not added up."""

    _shape = (0, *accumulate(_SHAPE))
    _days = (0, *accumulate(_DAYS))
    _sun = (0, *accumulate(_SUN))

    def imported(self, at: dt.datetime) -> int:
        """Return the watt-hours drawn up to a moment."""
        slot, seconds = divmod((at - START) // dt.timedelta(seconds=1), 300)
        day, number = divmod(slot, 288)
        rounds, of_round = divmod(day, 40)
        total = day * self._shape[288] + self._shape[number]
        total += 288 * (rounds * self._days[40] + self._days[of_round]) + number * _DAYS[of_round]
        for begin, (slots, energy) in PEAKS.items():
            total += energy * min(max((START + slot * SLOT - begin) // SLOT, 0), slots)
        return total + drawn_in(slot) * seconds // 300

    def exported(self, at: dt.datetime) -> int:
        """Return the watt-hours fed in up to a moment."""
        slot, seconds = divmod((at - START) // dt.timedelta(seconds=1), 300)
        day, number = divmod(slot, 288)
        return day * self._sun[288] + self._sun[number] + _SUN[number] * seconds // 300

    def power(self, at: dt.datetime) -> int:
        """Return the watts drawn at a moment."""
        return drawn_in((at - START) // SLOT) * 12
