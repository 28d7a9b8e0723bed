"""What a household draws from the grid and feeds into it: a load curve that is the same for the same seed.

A local day has 96 slots of 900 seconds. Each day has an amount of energy (season, weekday, chance), which is spread
over its slots by a shape: base load, a morning and an evening peak, later and flatter on weekends, noise. So energy at
any moment is known without adding up everything before it, and registers, profiles and power always agree::

    energy(t)  =  energy at the start of its slot + share of the slot that has passed
    power(t)   =  energy of the slot / 900 s

Tariff 1 holds on working days from 6 to 22 h, tariff 2 otherwise; whole watt-hours throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Final

SLOT: Final = 900
SLOTS: Final = 96
DAY: Final = 86_400
FIRST_DAY: Final = 20_089
"""Day on which the meters begin to count, since 1970: 1 January 2025."""
_TARIFF_1: Final = range(24, 88)
_KEPT_DAYS: Final = 64
_MASK: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Energy:
    """Registers in watt-hours: drawn in each tariff, and fed in."""

    tariff_1: int
    tariff_2: int
    export: int

    @property
    def imported(self) -> int:
        """Drawn in all tariffs."""
        return self.tariff_1 + self.tariff_2


@dataclass(frozen=True, slots=True)
class _Day:
    """Watt-hours counted since midnight at the start of each slot, and at the end of the last."""

    tariff_1: tuple[int, ...]
    tariff_2: tuple[int, ...]
    export: tuple[int, ...]


def _bell(slot: int, centre: float, width: float) -> float:
    return math.exp(-(((slot + 0.5) / 4 - centre) ** 2) / (2 * width * width))


_WORKING_DAY: Final = tuple(
    0.32 + 1.1 * _bell(s, 7.2, 0.9) + 0.5 * _bell(s, 12.6, 1.3) + 1.9 * _bell(s, 19.2, 1.8) for s in range(SLOTS)
)
_WEEKEND: Final = tuple(
    0.36 + 0.9 * _bell(s, 9.5, 1.6) + 1.0 * _bell(s, 13.0, 1.6) + 1.6 * _bell(s, 19.5, 2.2) for s in range(SLOTS)
)
_TARIFF_1_SHARE: Final = sum(_WORKING_DAY[s] for s in _TARIFF_1) / sum(_WORKING_DAY)


class LoadCurve:
    """The load curve of one household.

    seed: makes it. zone: seconds that local time is ahead of UTC. solar: whether it feeds in. Moments are seconds since
    1970, UTC; before :data:`FIRST_DAY` nothing is counted.
    """

    def __init__(self, seed: int, *, zone: int = 3600, solar: bool = False) -> None:
        self.seed = seed
        self.zone = zone
        self.solar = solar
        chance = Random(f"cosemic load curve {seed}")
        self._daily = chance.uniform(5_000, 14_000)
        self._peak = chance.uniform(3_000, 8_000) if solar else 0.0
        begun = [chance.randrange(100_000, 9_000_000) for _ in range(3)]
        self._base = Energy(begun[0], begun[1], begun[2] // 100 if solar else 0)
        self._sums: list[tuple[int, int, int]] = [(0, 0, 0)]
        self._day = lru_cache(_KEPT_DAYS)(self._make_day)

    def energy(self, moment: float) -> Energy:
        """Return the registers at a moment."""
        day, seconds = divmod(moment + self.zone, DAY)
        number = int(day) - FIRST_DAY
        if number < 0:
            return self._base
        slot, part = divmod(seconds, SLOT)
        sums, base, counted, index = self._before(number), self._base, self._day(number), int(slot)
        if not part:
            t1, t2, ex = counted.tariff_1[index], counted.tariff_2[index], counted.export[index]
        else:
            t1, t2, ex = (
                counts[index] + int((counts[index + 1] - counts[index]) * part / SLOT)
                for counts in (counted.tariff_1, counted.tariff_2, counted.export)
            )
        return Energy(base.tariff_1 + sums[0] + t1, base.tariff_2 + sums[1] + t2, base.export + sums[2] + ex)

    def power(self, moment: float) -> tuple[int, int]:
        """Return the power drawn and fed in at a moment, in watts."""
        day, seconds = divmod(moment + self.zone, DAY)
        number = int(day) - FIRST_DAY
        if number < 0:
            return 0, 0
        counted, slot = self._day(number), int(seconds // SLOT)
        drawn = sum(counts[slot + 1] - counts[slot] for counts in (counted.tariff_1, counted.tariff_2))
        return drawn * 3600 // SLOT, (counted.export[slot + 1] - counted.export[slot]) * 3600 // SLOT

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _chance(self, number: int) -> float:
        """Return a number from 0 to 1 for a day, always the same one."""
        mixed = (self.seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ mixed >> 30) * 0x94D049BB133111EB) & _MASK
        return (mixed ^ mixed >> 31) / _MASK

    def _totals(self, number: int) -> tuple[int, int, int]:
        """Return what a day brings: both tariffs, and fed in."""
        season = math.cos(2 * math.pi * (number % 365.25 - 15) / 365.25)
        chance = self._chance(number)
        weekend = _is_weekend(number)
        drawn = self._daily * (1 + 0.3 * season) * (0.8 + 0.4 * chance) * (1.15 if weekend else 1.0)
        share = 0.0 if weekend else _TARIFF_1_SHARE
        fed = self._peak * 6.5 * (0.55 - 0.4 * season) * (0.15 + 0.85 * self._chance(-number - 1))
        return int(drawn * share), int(drawn * (1 - share)), int(fed)

    def _before(self, number: int) -> tuple[int, int, int]:
        """Return what all days before a day brought."""
        sums = self._sums
        while len(sums) <= number:
            (a, b, c), (x, y, z) = sums[-1], self._totals(len(sums) - 1)
            sums.append((a + x, b + y, c + z))
        return sums[number]

    def _make_day(self, number: int) -> _Day:
        chance = Random(f"{self.seed} day {number}")
        weekend = _is_weekend(number)
        shape = [weight * (0.6 + 0.8 * chance.random()) for weight in (_WEEKEND if weekend else _WORKING_DAY)]
        first = range(0) if weekend else _TARIFF_1
        season = math.cos(2 * math.pi * (number % 365.25 - 15) / 365.25)
        sunny = [_bell(slot, 12.4, 2.4 - 0.9 * season) * (0.7 + 0.6 * chance.random()) for slot in range(SLOTS)]
        total_1, total_2, fed = self._totals(number)
        return _Day(
            _spread(total_1, [weight if slot in first else 0.0 for slot, weight in enumerate(shape)]),
            _spread(total_2, [0.0 if slot in first else weight for slot, weight in enumerate(shape)]),
            _spread(fed, [weight if weight > 0.02 else 0.0 for weight in sunny]),
        )


def _is_weekend(number: int) -> bool:
    # 1 January 1970 was a Thursday.
    return (FIRST_DAY + number + 3) % 7 >= 5


def _spread(total: int, weights: list[float]) -> tuple[int, ...]:
    """Return how much of ``total`` has come at the start of each slot, and at the end of the last."""
    reached = [0.0, *accumulate(weights)]
    whole = reached[-1]
    return tuple(int(total * (part / whole)) if whole else 0 for part in reached)
