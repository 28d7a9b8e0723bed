"""What a customer draws from the grid and feeds into it: a load curve that is the same for the same seed.

::

    before(d)  =  begun + size * (units of all days before d + chance * season of d * h(d))     h(d): 0 to 1, by chance
    energy(t)  =  before(d) + what day d has brought by the start of the slot + the share of the slot that has passed
    power(t)   =  energy of the slot / 900 s

The energy of a day is that between before(d) and before(d + 1), spread over its slots by the shape of the customer. So
energy at any moment is known without adding up what was before it, and registers, profiles and power always agree, to
the watt-hour. Days are local days: those on which daylight saving begins or ends have fewer slots, or more.
"""

from __future__ import annotations

import datetime as dt
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import sub
from random import Random
from typing import Final, NamedTuple

from cosemic.simulator.customers import (
    DAY,
    FIRST_DATE,
    HOUSEHOLD,
    SLOT,
    SLOTS,
    TARIFF_1,
    Customer,
    DayKind,
    bell,
    date_of,
    feeding_hours,
    kind_of,
    sunshine,
)

_FIRST: Final = (FIRST_DATE - dt.date(1970, 1, 1)).days
_KEPT_DAYS: Final = 4
_BLOCK: Final = 366
_MASK: Final = (1 << 64) - 1
_CLOUDS: Final = 0.8
"""By how much of the average sunshine the days differ."""
_NOON: Final = 12.3
"""Hours of normal time."""
_HOUR: Final = 3600
_BEGUN_IN_TARIFF_1: Final = 0.6
_CENTRAL_EUROPE: Final = dt.timezone(dt.timedelta(hours=1))


class Energy(NamedTuple):
    """Totals: drawn and fed in, in watt-hours; reactive energy drawn, in varh."""

    imported: int
    exported: int
    reactive: int


class Power(NamedTuple):
    """Drawn and fed in, in watts; reactive power drawn, in var."""

    imported: int
    exported: int
    reactive: int


class Peak(NamedTuple):
    """The slot of a day in which most was drawn: watt-hours, and its end (seconds since 1970)."""

    energy: int
    end: int


class _Day(NamedTuple):
    """A day: from when to when (seconds since 1970), and the totals at the start of each slot and at its end."""

    start: int
    end: int
    imported: array[int]
    exported: array[int]


class LoadCurve:
    """The load curve of one customer.

    seed: whatever is not said is drawn from it. customer: its kind. zone: whose days its habits go by; its offsets are
    whole quarters of an hour. Moments are seconds since 1970, UTC.
    """

    def __init__(self, seed: int, customer: Customer = HOUSEHOLD, zone: dt.tzinfo = _CENTRAL_EUROPE) -> None:
        self.seed = seed
        self.customer = customer
        self.zone = zone
        chance = Random(f"cosemic load curve {seed}")
        self._size = chance.uniform(*customer.daily)
        self._peak = chance.uniform(3_000, 8_000) if customer.panels else 0.0
        self._begun = chance.randrange(200_000, 9_000_000)
        self._begun_exported = chance.randrange(1_000, 90_000) if customer.panels else 0
        self._reactive = chance.randrange(*customer.reactive)
        self._shares = customer.shares
        self._kept: dict[int, _Day] = {}
        self._last: _Day | None = None

    # ---- at a moment ------------------------------------------------------------------------------------------------

    def energy(self, moment: float) -> Energy:
        """Return the totals at a moment."""
        return Energy(self.imported(moment), self.exported(moment), self.reactive(moment))

    def imported(self, moment: float) -> int:
        """Return the watt-hours drawn up to a moment."""
        day = self._day_at(moment)
        return self._imported_before(0) if day is None else _at(day.imported, moment - day.start)

    def exported(self, moment: float) -> int:
        """Return the watt-hours fed in up to a moment."""
        day = self._day_at(moment)
        return self._exported_before(0) if day is None else _at(day.exported, moment - day.start)

    def reactive(self, moment: float) -> int:
        """Return the reactive energy drawn up to a moment, in varh."""
        return self.imported(moment) * self._reactive // 1000

    def power(self, moment: float) -> Power:
        """Return the power at a moment."""
        day = self._day_at(moment)
        if day is None:
            return Power(0, 0, 0)
        slot = int((moment - day.start) // SLOT)
        imported, exported = ((each[slot + 1] - each[slot]) * _HOUR // SLOT for each in (day.imported, day.exported))
        return Power(imported, exported, imported * self._reactive // 1000)

    def voltage(self, moment: float) -> int:
        """Return the voltage, in tenths of a volt: it falls under load and rises where power is fed in."""
        power = self.power(moment)
        return 2320 - (power.imported - power.exported) // 400 + (self.seed * 7 + int(moment) // 60 * 13) % 15

    def current(self, moment: float) -> int:
        """Return the current that goes with power and voltage, in hundredths of an ampere."""
        power = self.power(moment)
        return round(math.hypot(power.imported - power.exported, power.reactive) * 1000 / self.voltage(moment))

    def frequency(self, moment: float) -> int:
        """Return the frequency of the grid, in hundredths of a hertz: the same for all meters."""
        return 5000 + (int(moment) // 10 * 2_654_435_761 >> 7) % 9 - 4

    # ---- by days ----------------------------------------------------------------------------------------------------

    def day_of(self, moment: float) -> int:
        """Return the number of the local day of a moment; days before the first are negative."""
        day = int(moment // DAY) - _FIRST
        while moment < self.midnight(day):
            day -= 1
        while moment >= self.midnight(day + 1):
            day += 1
        return day

    def midnight(self, day: int) -> int:
        """Return the moment at which a local day begins."""
        return _midnight(self.zone, day)

    def tariff_1(self, days: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Return what was drawn and fed in under tariff 1 before the beginning of each of some days, in their order.

        By the working days of :mod:`cosemic.simulator.customers`.
        """
        imported = int(self._begun * _BEGUN_IN_TARIFF_1)
        exported = int(self._begun_exported * _BEGUN_IN_TARIFF_1)
        begin, end = self._shares
        done, before = 0, self._imported_before(0)
        for wanted in days:
            for day in range(done, wanted):
                after = self._imported_before(day + 1)
                if kind_of(day) is DayKind.WORKING:
                    imported += int((after - before) * end) - int((after - before) * begin)
                    if self.customer.panels:
                        exported += self._exported_before(day + 1) - self._exported_before(day)
                before = after
            done = max(done, wanted)
            yield imported, exported

    def peak(self, day: int) -> Peak:
        """Return the first of the slots of a day in which most was drawn."""
        found = self._day(day)
        drawn = list(map(sub, found.imported[1:], found.imported))
        most = max(drawn)
        return Peak(most, found.start + (drawn.index(most) + 1) * SLOT)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _day_at(self, moment: float) -> _Day | None:
        """The day of a moment; None before the first."""
        last = self._last
        if last is not None and last.start <= moment < last.end:
            return last
        number = self.day_of(moment)
        return None if number < 0 else self._day(number)

    def _day(self, number: int) -> _Day:
        found = self._kept.get(number)
        if found is None:
            found = self._kept[number] = self._make(number)
            if len(self._kept) > _KEPT_DAYS:
                del self._kept[next(iter(self._kept))]
        self._last = found
        return found

    def _chance(self, number: int) -> float:
        """Return a number from 0 to 1 for a day, always the same one."""
        mixed = (self.seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ mixed >> 30) * 0x94D049BB133111EB) & _MASK
        return (mixed ^ mixed >> 31) / _MASK

    def _imported_before(self, day: int) -> int:
        customer = self.customer
        units = _sum_before(customer.units, day) + customer.chance * customer.seasonal(day) * self._chance(day)
        return self._begun + int(self._size * units)

    def _exported_before(self, day: int) -> int:
        hours = _sum_before(sunshine, day) + _CLOUDS * sunshine(day) * self._chance(-day - 1)
        return self._begun_exported + int(self._peak * hours)

    def _make(self, number: int) -> _Day:
        customer, kind = self.customer, kind_of(number)
        start, end = self.midnight(number), self.midnight(number + 1)
        slots = (end - start) // SLOT
        draw = Random((self.seed << 20) + number).random
        weights = [weight * (customer.low + customer.span * draw()) for weight in customer.shapes[kind]]
        more = slots - SLOTS
        if more:
            # Daylight saving begins or ends before tariff 1 does: the night is shorter, or longer.
            night = TARIFF_1.start + more
            weights = [*(weights[slot * TARIFF_1.start // night] for slot in range(night)), *weights[TARIFF_1.start :]]
        exported = array("q", [self._exported_before(number)])
        if customer.panels:
            fed = self._feeding(number, start, more)
            weights[fed.start : fed.stop] = [0.0] * len(fed)
            exported = self._fed_in(number, fed, exported, draw)
        exported.extend([exported[-1]] * (slots + 1 - len(exported)))
        imported, whole = array("q", [self._imported_before(number)]), self._imported_before(number + 1)
        if kind is DayKind.WORKING:
            first, last = TARIFF_1.start + more, TARIFF_1.stop + more
            before, drawn = imported[0], whole - imported[0]
            _spread(imported, before + int(drawn * self._shares[0]), weights[:first])
            _spread(imported, before + int(drawn * self._shares[1]), weights[first:last])
            weights = weights[last:]
        _spread(imported, whole, weights)
        return _Day(start, end, imported, exported)

    def _feeding(self, number: int, start: int, more: int) -> range:
        """The slots in which panels feed in: around noon of normal time."""
        saving = dt.datetime.fromtimestamp(start + DAY // 2, dt.UTC).astimezone(self.zone).dst() or dt.timedelta(0)
        noon = _NOON + saving.total_seconds() / _HOUR + more / 4
        half = feeding_hours(number) / 2
        return range(round(4 * (noon - half)), round(4 * (noon + half)))

    def _fed_in(self, number: int, fed: range, before: array[int], draw: Callable[[], float]) -> array[int]:
        """What was fed in before each slot, up to the last in which something was."""
        counted = before * (fed.start + 1)
        middle, width = (fed.start + fed.stop) / 8, len(fed) / 20
        weights = [bell(slot, middle, width) * (0.5 + draw()) for slot in fed]
        _spread(counted, self._exported_before(number + 1), weights)
        return counted


def _at(counted: array[int], seconds: float) -> int:
    """What was counted so many seconds into a day; within a slot it comes evenly."""
    slot, part = divmod(seconds, SLOT)
    index = int(slot)
    before = counted[index]
    return before + int((counted[index + 1] - before) * part / SLOT) if part else before


def _spread(counted: array[int], whole: int, weights: Sequence[float]) -> None:
    """Count on up to ``whole``, slot by slot."""
    reached = list(accumulate(weights))
    before, last = counted[-1], reached[-1]
    more = whole - before
    counted.extend([before + int(more * (part / last)) for part in reached])


@lru_cache(maxsize=8192)
def _midnight(zone: dt.tzinfo, day: int) -> int:
    return int(dt.datetime.combine(date_of(day), dt.time.min, zone).timestamp())


@lru_cache(maxsize=256)
def _sums(of: Callable[[int], float], block: int) -> array[float]:
    """Sums over all days before each day of a block: the same for all meters."""
    first = block * _BLOCK
    before = _sums(of, block - 1)[_BLOCK] if block else 0.0
    return array("d", accumulate(map(of, range(first, first + _BLOCK)), initial=before))


def _sum_before(of: Callable[[int], float], day: int) -> float:
    block, place = divmod(day, _BLOCK)
    return _sums(of, block)[place]
