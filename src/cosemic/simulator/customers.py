"""Kinds of customers: how much they draw, when in the week and when in the day, and whether the sun works for them.

::

    household   5 to 14 kWh a day; a morning and an evening peak, later and flatter at weekends
    shop        30 to 90 kWh a day; open on working days 8 to 18 h, Saturdays 9 to 14 h; base load otherwise
    solar       a household with panels: it feeds in around noon, and draws nothing meanwhile

A local day has 96 slots of 900 seconds. Working days are Monday to Friday but for :data:`HOLIDAYS`, which are as
Sundays; on working days tariff 1 holds from 6 to 22 h, otherwise tariff 2.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

SLOT: Final = 900
"""Seconds."""
SLOTS: Final = 96
SLOTS_OF_AN_HOUR: Final = 3600 // SLOT
DAY: Final = 86_400
FIRST_DATE: Final = dt.date(2025, 1, 1)
"""When the meters begin to count; days are numbered from here."""
HOLIDAYS: Final = ((1, 1), (5, 1), (12, 25), (12, 26))
"""Month and day."""
TARIFF_1: Final = range(24, 88)
"""Slots of a working day."""
_FIRST_ORDINAL: Final = FIRST_DATE.toordinal()
_YEAR: Final = 365.25
_COLDEST: Final = 15


class DayKind(IntEnum):
    """What a day is like."""

    WORKING = 0
    SATURDAY = 1
    SUNDAY = 2


def date_of(day: int) -> dt.date:
    """Return the date of a numbered day."""
    return dt.date.fromordinal(_FIRST_ORDINAL + day)


@lru_cache(maxsize=4096)
def kind_of(day: int) -> DayKind:
    """Return what a numbered day is like."""
    date = date_of(day)
    if date.isoweekday() == 7 or (date.month, date.day) in HOLIDAYS:
        return DayKind.SUNDAY
    return DayKind.SATURDAY if date.isoweekday() == 6 else DayKind.WORKING


def season(day: int) -> float:
    """Return where in the year a day is: 1 in the middle of January, -1 in that of July."""
    return math.cos(2 * math.pi * ((day - _COLDEST) % _YEAR) / _YEAR)


@dataclass(frozen=True, slots=True, eq=False)
class Customer:
    """A kind of customer.

    daily: from how many to how many watt-hours an average working day takes. winter: by how much more it is in
    January. chance: by how much it differs from day to day. low, span: factors of a slot are drawn from low to
    low + span. shapes: weights of the slots by kind of day; their sums are in the relation of these days. reactive:
    varh drawn for 1000 Wh, from how many to how many. panels: whether it feeds in.
    """

    name: str
    daily: tuple[int, int]
    winter: float
    chance: float
    low: float
    span: float
    shapes: tuple[tuple[float, ...], ...]
    reactive: tuple[int, int]
    panels: bool = False

    @property
    def shares(self) -> tuple[float, float]:
        """How much of a working day has come when tariff 1 begins, and when it ends; the same on all of them."""
        weights = self.shapes[DayKind.WORKING]
        return sum(weights[: TARIFF_1.start]) / sum(weights), sum(weights[: TARIFF_1.stop]) / sum(weights)

    def units(self, day: int) -> float:
        """Return how much is drawn on a day, on average, as compared with an average working day."""
        return self.seasonal(day) * sum(self.shapes[kind_of(day)]) / sum(self.shapes[DayKind.WORKING])

    def seasonal(self, day: int) -> float:
        """Return the factor of the season."""
        return 1 + self.winter * season(day)


def sunshine(day: int) -> float:
    """Return the watt-hours that panels feed in for each watt of their peak, on average, in the season of a day."""
    return 1.9 - 1.5 * season(day)


def feeding_hours(day: int) -> float:
    """Return for how many hours of a day panels feed in."""
    return 6.0 - 3.5 * season(day)


def bell(slot: int, centre: float, width: float) -> float:
    """Return a weight that is 1 in the middle of a peak; centre and width in hours."""
    return math.exp(-(((slot + 0.5) / 4 - centre) ** 2) / (2 * width * width))


def _open(first: float, last: float, most: float, base: float) -> tuple[float, ...]:
    """Base load, and what comes on top while it is open: it rises and falls within half an hour."""

    def share(hour: float) -> float:
        return max(0.0, min(1.0, 2 * (hour - first) + 1, 2 * (last - hour) + 1))

    return tuple(base + most * share((slot + 0.5) / 4) for slot in range(SLOTS))


_AT_WORK: Final = tuple(
    0.32 + 1.1 * bell(s, 7.2, 0.9) + 0.5 * bell(s, 12.6, 1.3) + 1.9 * bell(s, 19.2, 1.8) for s in range(SLOTS)
)
_AT_HOME: Final = tuple(
    0.36 + 1.1 * bell(s, 9.5, 1.6) + 1.3 * bell(s, 13.0, 1.6) + 1.6 * bell(s, 19.5, 2.2) for s in range(SLOTS)
)
_HOUSE: Final = (_AT_WORK, _AT_HOME, _AT_HOME)
_SHOP: Final = (_open(8, 18, 1.0, 0.2), _open(9, 14, 0.9, 0.2), (0.2,) * SLOTS)

HOUSEHOLD: Final = Customer("household", (5_000, 14_000), 0.3, 0.3, 0.5, 1.0, _HOUSE, (100, 300))
SHOP: Final = Customer("shop", (30_000, 90_000), 0.15, 0.1, 0.85, 0.3, _SHOP, (200, 450))
SOLAR: Final = Customer("solar", (4_000, 10_000), 0.45, 0.3, 0.5, 1.0, _HOUSE, (100, 300), panels=True)
CUSTOMERS: Final[Mapping[str, Customer]] = MappingProxyType({one.name: one for one in (HOUSEHOLD, SHOP, SOLAR)})
