"""What a simulated meter has recorded before its process starts: the same as if it had been running since then.

From the start on the processes of the device go on with it (:mod:`cosemic.server.clockwork`). What was before follows
from the load curve and from the calendar as it is made, in closed forms::

    load profile      captures of its last days, up to the start          1-0:99.1.0
    daily values      the last 40 midnights                               1-0:99.2.0
    billing values    the last months, with the maximum of each           0-0:98.1.0
    maximum demand    that of the billing period so far                   1-0:1.6.0
    tariff registers  by working days since the meter began to count      1-0:1.8.1 ...

Event logs begin empty.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from cosemic.model.profile_status import AMRProfileStatus
from cosemic.server import ClockObject
from cosemic.server.capture_times import CaptureTimes, Every
from cosemic.server.local_time import NOT_SPECIFIED
from cosemic.simulator.customers import DAY, FIRST_DATE, SLOTS_OF_AN_HOUR, date_of
from cosemic.simulator.load_curve import LoadCurve, Peak
from cosemic.simulator.plan import MeterPlan, clock_rule
from cosemic.simulator.records import BILLING_TYPES, DAILY_ENTRIES, DAILY_TYPES, LOAD_TYPES, Records
from cosemic.values import DateTime

_COUNTER: Final = 100
"""Modulus of the billing period counter."""


class TariffEnergies(NamedTuple):
    """What was drawn, and what was fed in, under tariff 1 and tariff 2: watt-hours."""

    imported: tuple[int, int]
    exported: tuple[int, int]


class _Captured(NamedTuple):
    """A capture of a profile: when (seconds since 1970), what the clock showed, the same as it is sent, the status."""

    at: float
    shown: dt.datetime
    stamp: bytes
    status: int


class History:
    """The past of one meter. start: true time, a midnight of its zone, up to which it goes."""

    def __init__(self, plan: MeterPlan, curve: LoadCurve, clock: ClockObject, start: dt.datetime) -> None:
        self._plan = plan
        self._curve = curve
        self._clock = clock
        self._start = start
        self._today = max(curve.day_of(start.timestamp()), 0)

    @property
    def tariffs(self) -> TariffEnergies:
        """The tariff registers at the start."""
        return self._tariffs[self._today]

    @property
    def periods(self) -> tuple[int, DateTime]:
        """Number of the last billing period, by its counter, and when it was closed."""
        date = date_of(self._today)
        closed = (date.year - FIRST_DATE.year) * 12 + date.month - FIRST_DATE.month
        return (closed % _COUNTER, self._stamp(self._months[-1])) if closed else (0, NOT_SPECIFIED)

    def enter(self, records: Records) -> None:
        """Enter the past into fresh records. Raises StoreError, EncodeError."""
        records.load.extend(self._load(), LOAD_TYPES)
        records.daily.extend(self._daily(), DAILY_TYPES)
        records.billed.extend(self._billed(), BILLING_TYPES)
        most = self._most(self._months[-1], self._today)
        if most is not None:
            records.maximum.capture(most.energy * SLOTS_OF_AN_HOUR, dt.datetime.fromtimestamp(most.end, dt.UTC))

    # ---- rows -------------------------------------------------------------------------------------------------------

    def _load(self) -> Iterator[tuple[tuple[object, ...], dt.datetime]]:
        period, curve = self._plan.capture_period, self._curve
        for at, shown, stamp, status in self._captures(period, self._plan.profile_days * DAY // period):
            yield (stamp, status, curve.imported(at), curve.exported(at)), shown

    def _daily(self) -> Iterator[tuple[tuple[object, ...], dt.datetime]]:
        for at, shown, stamp, status in self._captures(DAY, DAILY_ENTRIES):
            held = self._tariffs[self._curve.day_of(at)]
            yield (stamp, status, *held.imported, *held.exported), shown

    def _billed(self) -> Iterator[tuple[tuple[object, ...], dt.datetime]]:
        for begin, end in pairwise(self._months):
            at, most, held = self._midnight(end), self._most(begin, end), self._tariffs[end]
            assert most is not None
            energies = sum(held.imported), *held.imported, sum(held.exported), *held.exported
            maximum = most.energy * SLOTS_OF_AN_HOUR, self._octets(dt.datetime.fromtimestamp(most.end, dt.UTC))
            yield (self._octets(at), *energies, *maximum), self._clock.time(at)

    def _captures(self, period: int, most: int) -> Sequence[_Captured]:
        """The last captures up to the start."""
        return _captures(self._plan.zone, period, self._midnight(0), self._start, most)

    # ---- values -----------------------------------------------------------------------------------------------------

    @cached_property
    def _months(self) -> list[int]:
        """The days on which the billing periods began that are told of, and the present one."""
        months = date_of(self._today).year * 12 + date_of(self._today).month - 1
        begins = (divmod(month, 12) for month in range(months - self._plan.billing_periods, months + 1))
        days = ((dt.date(year, month + 1, 1) - FIRST_DATE).days for year, month in begins)
        return [day for day in days if day >= 0]

    @cached_property
    def _tariffs(self) -> dict[int, TariffEnergies]:
        """The tariff registers at the beginning of the days that are told of."""
        days = sorted({*range(max(self._today - DAILY_ENTRIES, 0), self._today + 1), *self._months})
        found = {}
        for day, (imported, exported) in zip(days, self._curve.tariff_1(days), strict=True):
            energy = self._curve.energy(self._curve.midnight(day))
            found[day] = TariffEnergies((imported, energy.imported - imported), (exported, energy.exported - exported))
        return found

    def _most(self, begin: int, end: int) -> Peak | None:
        """The greatest demand of some days, the first of equal ones."""
        return max(map(self._curve.peak, range(begin, end)), key=lambda peak: (peak.energy, -peak.end), default=None)

    def _midnight(self, day: int) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._curve.midnight(day), dt.UTC)

    def _stamp(self, day: int) -> DateTime:
        return self._clock.stamp(self._midnight(day))

    def _octets(self, at: dt.datetime) -> bytes:
        return self._clock.stamp(at).octets


@lru_cache(maxsize=8)
def _captures(zone: dt.tzinfo, period: int, begin: dt.datetime, end: dt.datetime, most: int) -> Sequence[_Captured]:
    """The last captures of a period of time by a clock that was never set: the same for all meters of a zone."""
    standard, rule = clock_rule(zone)
    clock = ClockObject(utc_offset=standard, daylight_saving=rule)
    saving = int(AMRProfileStatus.DAYLIGHT_SAVING)
    return [
        _Captured(at.timestamp(), shown, clock.stamp(at).octets, saving if shown.dst() else 0)
        for at, shown in CaptureTimes(clock, Every(period)).within(begin, end, most)
    ]
