"""What must come of the year of :mod:`tests.server.year_life`, by arithmetic of its own: time zones from ``zoneinfo``.

Nothing here comes from ``cosemic.server``. What follows from the standard and the companions is worked out: when the
clock shows what, which intervals there are, what flows in them, which tariff holds, what is billed and logged. What a
table of :mod:`cosemic.server` settles where the standard leaves it open (corrections of the clock, what is made up for)
is stated here as a list of moments, one by one.

::

    true time   --|--------------|------------>      outages, disconnections, setting of the clock: at true times
    the clock   --|--------------|------------>      shown = (true + offset) in Berlin: one offset for each Span
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, count, pairwise
from typing import NamedTuple

from tests.server.year_household import BERLIN, END, SLOT, START, UTC, drawn_in, fed_in, local

SECOND, MINUTE, DAY = (dt.timedelta(seconds=n) for n in (1, 60, 86_400))
QUARTER = 15 * MINUTE


# ---- the clock -------------------------------------------------------------------------------------------------------


class Span(NamedTuple):
    """Time in which the clock goes on undisturbed: (since, until] in true time, and what it is ahead."""

    since: dt.datetime
    until: dt.datetime
    offset: dt.timedelta


SHIFT = local("05-04 11:59") + 30 * SECOND
SHIFT_BACK = local("05-05 11:59") + 35 * SECOND
CLOCK = [
    (START, 0),
    (local("02-10 05:50"), 20 * 60),
    (local("02-12 05:57"), 0),
    (SHIFT, 45),
    (SHIFT_BACK, 0),
    (local("08-31 23:37"), 45 * 60),
    (local("09-01 10:04"), 30 * 60),
    (local("09-01 10:04"), 15 * 60),
    (local("09-01 10:04"), 0),
    (END, 0),
]
"""When the clock was set, and how many seconds it is ahead since."""
CHANGES = [at for at, _ in CLOCK[1:-1]]
SETS = [at for at in CHANGES if at not in (SHIFT, SHIFT_BACK)]
"""Changes of more than a minute; the others are corrections."""
SPANS = [Span(since, until, offset * SECOND) for (since, offset), (until, _) in pairwise(CLOCK)]
OUTAGES = [
    (local(since), local(until))
    for since, until in (
        ("01-20 14:07", "01-20 15:22"),
        ("04-14 05:40", "04-14 06:10"),
        ("06-09 05:30", "06-09 06:20"),
        ("08-03 18:20", "08-03 19:00"),
        ("10-31 22:00", "11-02 09:00"),
    )
]


_MOMENTS = [at for at, _ in CLOCK]


def shown(at: dt.datetime) -> dt.datetime:
    """Return what the clock shows at a moment, as it is set then."""
    return (at + CLOCK[bisect_right(_MOMENTS, at) - 1][1] * SECOND).astimezone(BERLIN)


def stamp(clock: dt.datetime) -> bytes:
    """Return a local time as the 12 octets of a date-time: deviation is UTC less local time; bit 7 of the status."""
    year, month, day, weekday = *clock.timetuple()[:3], clock.isoweekday()
    deviation = -(clock.utcoffset() or DAY) // MINUTE
    return (
        year.to_bytes(2)
        + bytes((month, day, weekday, clock.hour, clock.minute, clock.second, 0))
        + deviation.to_bytes(2, signed=True)
        + bytes((0x80 if clock.dst() else 0,))
    )


def powered(at: dt.datetime) -> bool:
    """Whether a moment is in no power failure."""
    return not any(since < at <= until for since, until in OUTAGES)


def true_times(clock: dt.datetime) -> Iterator[dt.datetime]:
    """Return when a naive local time is shown for the first time in each span; what is skipped, at the switch."""
    aware = clock.replace(tzinfo=BERLIN)
    back = aware.astimezone(UTC).astimezone(BERLIN)
    moment = aware.astimezone(UTC)
    if back.replace(tzinfo=None) != clock:  # in the skipped hour: both offsets lead behind it
        moment = moment.replace(minute=0, second=0)
    for span in SPANS:
        if span.since + span.offset < moment <= span.until + span.offset:
            yield moment - span.offset


# ---- what flows ------------------------------------------------------------------------------------------------------

DISCONNECTED = [
    (local(since), local(until))
    for since, until in (
        ("01-08 18:15", "01-08 19:00"),  # limiter; the button
        ("01-15 10:00", "01-15 16:30"),
        ("03-29 03:00", "03-29 08:00"),  # scheduled for 02:15, which is skipped
        ("05-20 18:15", "05-20 19:00"),
        ("07-10 18:15", "07-10 18:25"),  # limiter; by itself
        ("07-20 09:00", "07-20 11:30"),
        ("07-25 10:00", "07-25 10:40"),
        ("08-03 18:15", "08-03 19:10"),  # limiter; a power failure in between
        ("08-11 12:45", "08-11 12:55"),  # limiter, emergency
        ("10-25 02:40", "10-25 09:00"),  # scheduled, the first of two
    )
]
_SLOTS = range((END - START) // SLOT + 1)
_FLOWS = {"drawn": drawn_in, "fed in": fed_in}
_SUMS = {way: [0, *accumulate(map(flow, _SLOTS))] for way, flow in _FLOWS.items()}


def flowed(way: str, until: dt.datetime) -> int:
    """Return the whole watt-hours that flow from the beginning to a moment where the supply is never off."""
    slot, seconds = divmod((until - START) // SECOND, 300)
    return _SUMS[way][slot] + _FLOWS[way](slot) * seconds // 300


def _supplied() -> Iterator[tuple[dt.datetime, dt.datetime]]:
    since = START
    for off, back in sorted(OUTAGES + DISCONNECTED):
        if off > since:
            yield since, off
        since = max(since, back)
    yield since, END


SUPPLIED = list(_supplied())
"""When there is power and the switch is closed."""
_BEGINS = [since for since, _ in SUPPLIED]
_BEFORE = {
    way: [0, *accumulate(flowed(way, until) - flowed(way, since) for since, until in SUPPLIED)] for way in _FLOWS
}


def register(way: str, at: dt.datetime) -> int:
    """Return what flows from the beginning to a moment while the supply is on."""
    number = bisect_right(_BEGINS, at) - 1
    since, until = SUPPLIED[number]
    return _BEFORE[way][number] + flowed(way, min(at, until)) - flowed(way, since)


# ---- tariffs ---------------------------------------------------------------------------------------------------------

HOLIDAYS = {(1, 1), (4, 3), (4, 6), (5, 1), (10, 3), (12, 25), (12, 26)}


def _standard(day: dt.date) -> dict[str, int]:
    weekend = day.weekday() >= 5 or (day.month, day.day) in HOLIDAYS
    return {"00:00": 2} if weekend else {"06:00": 1, "22:00": 2}


def _seasons(day: dt.date) -> dict[str, int]:
    if day.weekday() == 6 or (day.month, day.day) in HOLIDAYS:
        return {"02:30": 1, "05:00": 2}
    if day.weekday() == 5:
        return {"08:30": 1, "13:15": 2}
    return {"06:00": 1, "22:00": 2} if 4 <= day.month < 10 else {"07:00": 1, "21:00": 2}


def _simple(day: dt.date) -> dict[str, int]:
    return {"00:00": 2} if (day.month, day.day) in HOLIDAYS else {"06:00": 1, "22:00": 2}


CALENDARS = [(START, _standard), (local("03-15 00:00"), _seasons), (local("11-20 12:34"), _simple)]
"""From when on which calendar is active."""


def tariff(at: dt.datetime) -> int:
    """Return the tariff that holds from a moment on."""
    clock = shown(at)
    calendar = [days for since, days in CALENDARS if since <= at][-1]
    # The repeated hour of October changes nothing any more.
    text = "03:00" if clock.fold else f"{clock:%H:%M}"
    for back in range(10):
        begun = [start for start in calendar(clock.date() - back * DAY) if back or start <= text]
        if begun:
            return calendar(clock.date() - back * DAY)[max(begun)]
    raise AssertionError(at)


def dates() -> list[dt.date]:
    """Return the days of the year, and the one behind."""
    return [dt.date(2026, 1, 1) + day * DAY for day in range(366)]


def midnight(day: dt.date, text: str = "00:00") -> dt.datetime:
    """Return a local time of a day, naive."""
    return dt.datetime.combine(day, dt.time.fromisoformat(text))


def _tariff_spans() -> list[tuple[dt.datetime, dt.datetime, int]]:
    texts = {text for day in dates() for _, calendar in CALENDARS for text in calendar(day)}
    edges = {at for day in dates() for text in texts for at in true_times(midnight(day, text))}
    edges |= {START, END, *CHANGES, *(since for since, _ in CALENDARS)}
    return [(since, until, tariff(since)) for since, until in pairwise(sorted(edges))]


TARIFF_SPANS = _tariff_spans()


def tariff_registers(moments: Sequence[dt.datetime]) -> list[tuple[int, int]]:
    """Return both tariff registers at moments in order."""
    edges = sorted({*moments, *(edge for span in TARIFF_SPANS for edge in span[:2])})
    counted, found, number = {1: 0, 2: 0}, {}, 0
    for since, until in pairwise(edges):
        found[since] = counted[1], counted[2]
        while TARIFF_SPANS[number][1] <= since:
            number += 1
        counted[TARIFF_SPANS[number][2]] += register("drawn", until) - register("drawn", since)
    found[edges[-1]] = counted[1], counted[2]
    return [found[at] for at in moments]


# ---- profiles --------------------------------------------------------------------------------------------------------

POWER_DOWN, CLOCK_ADJUSTED, DAYLIGHT_SAVING = 0x80, 0x20, 0x08


def _quarters_of(span: Span) -> range:
    """The quarters, counted from the beginning, that the clock comes to show within a span."""
    return range((span.since + span.offset - START) // QUARTER + 1, (span.until + span.offset - START) // QUARTER + 1)


def quarters() -> list[dt.datetime]:
    """Return when the load profile captures: at each quarter that the clock comes to show, and power is there."""
    found = [START + number * QUARTER - span.offset for span in SPANS for number in _quarters_of(span)]
    found.append(SHIFT)  # a quarter that a correction passes over is captured at once
    found.remove(local("05-05 12:00"))  # and one that comes again is not captured again
    return sorted(at for at in found if powered(at))


Rows = list[tuple[dt.datetime, tuple[object, ...]]]
"""When something is captured in true time, and the row: stamps as octets."""


def load_profile() -> Rows:
    """Return stamp, AMR profile status, energy drawn, energy fed in."""
    rows: Rows = []
    failures = [edge for outage in OUTAGES for edge in outage]
    for since, at in pairwise([START, *quarters()]):
        bits = POWER_DOWN * any(since <= edge < at for edge in failures)
        bits |= CLOCK_ADJUSTED * any(since <= edge < at for edge in SETS)
        bits |= DAYLIGHT_SAVING * bool(shown(at).dst())
        rows.append((at, (stamp(shown(at)), bits, register("drawn", at), register("fed in", at))))
    return rows


def midnights() -> list[dt.datetime]:
    """Return when the clock shows midnight, and power is there."""
    return sorted(at for day in dates()[1:] for at in true_times(midnight(day)) if powered(at))


def daily_profile() -> Rows:
    """Return stamp, energy drawn in both tariffs, energy fed in."""
    moments = midnights()
    return [
        (at, (stamp(shown(at)), *counted, register("fed in", at)))
        for at, counted in zip(moments, tariff_registers(moments), strict=True)
    ]


# ---- billing ---------------------------------------------------------------------------------------------------------

MADE_UP = [local("08-31 23:37"), local("11-02 09:00")]
"""Ends of months that a clock set forward and a power failure passed over."""
BY_HAND = local("06-17 08:20")


def month_ends() -> list[dt.datetime]:
    """Return when the clock shows the begin of a month, and power is there."""
    firsts = [day for day in dates()[1:] if day.day == 1]
    return sorted(at for day in firsts for at in true_times(midnight(day)) if powered(at))


def demands() -> list[tuple[dt.datetime, int]]:
    """Return the end of each measuring period and its average in watts.

    A change of the clock into another quarter ends a period; where it was shorter than a quarter, its energy is shared
    out over a whole one.
    """
    ends = {START + number * QUARTER - span.offset for span in SPANS for number in _quarters_of(span)} | set(CHANGES)
    found = []
    for since, until in pairwise([START, *sorted(ends)]):
        energy = register("drawn", until) - register("drawn", since)
        found.append((until, energy * 3600 // max((until - since) // SECOND, 900)))
    return found


def billing() -> Rows:
    """Return stamp, counter, energy, the same in both tariffs, fed in, maximum demand and the end of its period."""
    ends = sorted([*month_ends(), *MADE_UP, BY_HAND])
    rows: Rows = []
    averages = demands()
    for number, (since, at), counted in zip(count(1), pairwise([START, *ends]), tariff_registers(ends), strict=False):
        maximum, when = max((watts, -ended.timestamp()) for ended, watts in averages if since < ended <= at)
        captured = stamp(shown(dt.datetime.fromtimestamp(-when, UTC)))
        energies = register("drawn", at), *counted, register("fed in", at)
        rows.append((at, (stamp(shown(at)), number, *energies, maximum, captured)))
    return rows


# ---- schedule --------------------------------------------------------------------------------------------------------


def _is_holiday(day: dt.date) -> bool:
    return (day.month, day.day) in HOLIDAYS


ALL_YEAR = [("01-02 10:00", "12-31 23:59")]
ENTRIES: list[tuple[int, str, Callable[[dt.date], bool], list[tuple[str, str]]]] = [
    (1, "02:30", lambda day: True, ALL_YEAR),
    (2, "06:00", lambda day: day.weekday() < 5 and not _is_holiday(day), ALL_YEAR),
    (3, "08:00", _is_holiday, ALL_YEAR),
    (4, "12:00", lambda day: day.weekday() == 6 or _is_holiday(day),
     [("04-01 00:00", "06-01 12:00"), ("07-01 12:00", "10-01 00:00")]),
    (5, "18:00", lambda day: day.weekday() == 5 or _is_holiday(day), [("06-01 12:00", "07-15 12:00")]),
    (6, "02:10", lambda day: day.weekday() == 6, ALL_YEAR),
    (7, "12:00", lambda day: day.weekday() < 2 and not _is_holiday(day), ALL_YEAR),
]  # fmt: skip
"""Script, time of day, days, and between when and when the entry is there, enabled and in its range of dates."""
PASSED_OVER = (SHIFT, "12:00", 7)
"""By a correction of the clock: done at once."""
COMES_AGAIN = (local("05-05 12:00"), "12:00", 7)
"""By another one: not done again."""
WITHIN_THE_WINDOW = [(local("02-10 05:50"), "06:00", 2), (local("04-14 06:10"), "06:00", 2)]
"""What was missed no longer ago than its validity window of ten minutes: by a clock set forward, by a power failure."""


def outputs() -> Rows:
    """Return what the Schedule has switched: stamp, number of the script. In the skipped hour the earlier is first."""
    ran = [PASSED_OVER, *WITHIN_THE_WINDOW]
    for script, text, on, ranges in ENTRIES:
        times = (at for day in dates() if on(day) for at in true_times(midnight(day, text)) if powered(at))
        ran += [(at, text, script) for at in times if any(local(a) <= at < local(b) for a, b in ranges)]
    ran.remove(COMES_AGAIN)
    return [(at, (stamp(shown(at)), script)) for at, _, script in sorted(ran)]


# ---- event logs ------------------------------------------------------------------------------------------------------

WRITTEN, PASSIVE_CALENDAR = [47], [47, 19] * 4
STANDARD_EVENTS: list[tuple[str, list[int]]] = [
    *((f"{since.astimezone(BERLIN):%m-%d %H:%M}", [1]) for since, _ in OUTAGES),
    *((f"{until.astimezone(BERLIN):%m-%d %H:%M}", [2]) for _, until in OUTAGES),
    ("01-21 09:00", [11]),
    ("03-02 12:00", [*PASSIVE_CALENDAR, *WRITTEN * 3]),
    ("03-15 00:00", [9]),
    ("03-29 03:00", [3]),
    ("07-01 12:00", WRITTEN),
    ("08-10 10:00", WRITTEN * 2),
    ("09-10 09:00", [51]),
    ("09-15 10:30", [17, *WRITTEN]),
    ("10-25 02:15", [18]),
    ("11-20 12:34", [*PASSIVE_CALENDAR, 9]),
]
"""Codes of the standard log of IDIS: power down and up, alarm register cleared, parameters, calendar, firmware."""
END_OF_SUMMER_TIME = dt.datetime(2026, 10, 25, 1, tzinfo=UTC)
SWITCH_EVENTS: list[tuple[str, list[int]]] = [
    ("01-08 18:15", [65, 64]), ("01-08 18:25", [66]), ("01-08 19:00", [61]),
    ("01-15 10:00", [62]), ("01-15 16:30", [63]),
    ("03-29 03:00", [62]), ("03-29 08:00", [63]),
    ("05-20 18:15", [65, 64]), ("05-20 18:25", [66]), ("05-20 19:00", [61]),
    ("07-10 18:15", [65, 64]), ("07-10 18:25", [66, 69]),
    ("07-20 09:00", [62]), ("07-20 11:00", [59]), ("07-20 11:30", [61]),
    ("07-25 10:00", [62]), ("07-25 10:10", [59]), ("07-25 10:20", [62]), ("07-25 10:30", [59]), ("07-25 10:40", [61]),
    ("08-03 18:15", [65, 64]), ("08-03 19:10", [66, 69]),
    ("08-11 12:00", [67]), ("08-11 12:45", [65, 64]), ("08-11 12:55", [66, 69]), ("08-11 14:00", [67]),
    ("10-25 02:40", [62]), ("10-25 09:00", [59, 61]),
]  # fmt: skip
"""Codes of the log of the switch: 65 limiter exceeded, 64 local, 62 remote disconnection; 66 limiter kept again, 59
ready for a hand, 61 by hand, 63 remote, 69 local reconnection; 67 another threshold."""


def standard_log() -> Rows:
    """Return the standard event log: stamp, code. Of a change of the clock there are two events, old time and new."""
    found = [*_logged(STANDARD_EVENTS), (END_OF_SUMMER_TIME, (stamp(shown(END_OF_SUMMER_TIME)), 3))]
    for (_, before), (at, after) in pairwise(CLOCK[:-1]):
        for code, offset in ((4, before), (5, after)):
            found.append((at, (stamp((at + offset * SECOND).astimezone(BERLIN)), code)))
    return sorted(found, key=lambda row: row[0])


def switch_log() -> Rows:
    """Return the log of the supply switch: stamp, code."""
    return _logged(SWITCH_EVENTS)


def _logged(events: Sequence[tuple[str, Sequence[int]]]) -> Rows:
    return [(local(at), (stamp(shown(local(at))), code)) for at, codes in events for code in codes]
