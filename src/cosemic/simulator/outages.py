"""Power failures of a simulated meter: when power fails and comes back, as a process of the device.

Time is cut into stretches of :attr:`~cosemic.simulator.faults.Gaps.each` seconds since 1970; in each of them power
fails once, at a moment and for a time that are drawn from the seed. The device tells ``power-down`` and ``power-up``;
all that follows from that is done by its objects. Where power is down for no reason any more, it comes back at once:
after a reboot, or when the fault is put off.
"""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Final

from cosemic.server import LogicalDevice
from cosemic.server.clock import EPOCH
from cosemic.server.clockwork import Order
from cosemic.simulator.faults import Faults, Gaps
from cosemic.simulator.records import PowerFailureRecord

_LOOKED_AHEAD: Final = 1000
"""Stretches."""


class Outages:
    """The power failures of a device. record: knows whether there is power. faults: of its place. seed: makes them.

    Whoever puts gaps on or off has the clockwork of the device reconsider.
    """

    def __init__(self, device: LogicalDevice, record: PowerFailureRecord, faults: Faults, seed: int) -> None:
        self._device = device
        self._record = record
        self._faults = faults
        self._seed = seed
        device.run(self, Order.MEASURING)

    def due(self, after: dt.datetime) -> dt.datetime | None:
        """Return when power fails next, or comes back."""
        gaps, since = self._faults.of(Gaps), self._record.since
        if since is not None:
            begin, end = (since, since) if gaps is None else self._failure(gaps, self._number(gaps, since))
            return end if begin <= since < end and end > after else after
        return None if gaps is None else self._next(gaps, after)

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        """Tell it."""
        self._device.tell("power-down" if self._record.since is None else "power-up", at)
        return at

    def _next(self, gaps: Gaps, after: dt.datetime) -> dt.datetime | None:
        first = self._number(gaps, after)
        begins = (self._failure(gaps, number)[0] for number in range(first, first + _LOOKED_AHEAD))
        return next((begin for begin in begins if begin > after and self._fails(gaps, begin)), None)

    def _fails(self, gaps: Gaps, at: dt.datetime) -> bool:
        return gaps.always or self._faults.active(Gaps, at) is not None

    def _number(self, gaps: Gaps, at: dt.datetime) -> int:
        return int((at - EPOCH).total_seconds() // gaps.each)

    def _failure(self, gaps: Gaps, number: int) -> tuple[dt.datetime, dt.datetime]:
        """From when to when power fails in a stretch, in whole seconds."""
        chance = Random(f"Cosemic power failure {number}, seed {self._seed}")
        lasts = int(chance.uniform(1, gaps.longest))
        begin = EPOCH + dt.timedelta(seconds=int(number * gaps.each + chance.uniform(0, gaps.each - lasts)))
        return begin, begin + dt.timedelta(seconds=lasts)
