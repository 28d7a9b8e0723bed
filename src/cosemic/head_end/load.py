"""The load of many meters together, from what is stored of them.

A profile holds either what a register showed at the end of each interval (time integral 1, D 8), then the energy of an
interval is the difference to the one before it, or what came during the interval (time integral 5, D 29). Mean power is
energy by time. Intervals that are not there, or are not whole, add nothing; how many meters a sum is of goes with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final, NamedTuple

from cosemic.head_end.store import Store, StoredReading
from cosemic.values import Obis, Quantity

_DURING: Final = 29
_HOUR: Final = dt.timedelta(hours=1)


class Load(NamedTuple):
    """Mean power of an interval, in the unit of the register without its hours, and how many meters it is of."""

    interval_start: dt.datetime
    power: float
    meters: int


def fleet_load(
    store: Store,
    meters: Iterable[str],
    profile: Obis,
    energy: Obis,
    since: dt.datetime,
    until: dt.datetime,
    period: dt.timedelta,
) -> list[Load]:
    """Return the load of the meters in [since, until), one entry for each ``period``, in order of time.

    energy: the register that ``profile`` captures. Raises StoreError.
    """
    sums: dict[dt.datetime, list[float]] = {}
    for meter in meters:
        powers: dict[dt.datetime, float] = {}
        before: StoredReading | None = None
        for reading in store.readings(meter, profile, energy, since - period, until):
            used = _energy(reading, before, energy.d == _DURING)
            if used is not None and reading.interval_start >= since:
                slot = since + (reading.interval_start - since) // period * period
                powers[slot] = powers.get(slot, 0.0) + used * (_HOUR / period)
            before = reading
        for slot, power in powers.items():
            sums.setdefault(slot, []).append(power)
    count = -((since - until) // period)
    slots = (since + number * period for number in range(count))
    return [Load(slot, sum(sums.get(slot, ())), len(sums.get(slot, ()))) for slot in slots]


def _energy(reading: StoredReading, before: StoredReading | None, during: bool) -> float | None:
    if not isinstance(reading.value, Quantity):
        return None
    if during:
        return float(reading.value)
    if before is None or before.interval_end != reading.interval_start or not isinstance(before.value, Quantity):
        return None
    return float(reading.value) - float(before.value)
