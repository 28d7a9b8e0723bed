"""Demand of a device: averages over periods, and their maximum (classes 5 and 4; IEC 62056-6-2, 5.2).

::

    number_of_periods 3      |--period--|--period--|--period--|
    start_time_current       ^                          now
    current_average_value    energy of the window up to now    / (3 periods)
    last_average_value       the same when a period last ended
                                        the window moves on by one period when one ends

One period is block demand, more are sliding demand. Periods end where the clock of the meter shows a multiple of
``period``. An average is energy by hour; where the window was longer than number_of_periods * period, as after the
clock was put back, it is by the time that passed, so that no setting of the clock makes a maximum. Fractions are
dropped, and what is beyond the type of the register is its end.

=========================================  =====================================================================
next_period                                ends the period; the next one is the shorter for it
reset                                      ends the period without its average: both averages are 0, the window
                                           begins anew
period, number_of_periods written          the same as reset: an average over other periods is another value
clock set into another period              ends the period
clock set within a period, daylight        the period goes on
=========================================  =====================================================================

capture_time and start_time_current are the times that the clock showed then. status is
:class:`~cosemic.server.registers.ValueStatus`. A period is 60 to 86 400 seconds, a window at most 100 periods; another
value is refused with other-reason.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

from cosemic.codec import DataType, EncodedData
from cosemic.model import DemandRegister, ScalerUnit
from cosemic.model.types import Number
from cosemic.server.capture_times import CaptureTimes, Every
from cosemic.server.clock import ChangeKind, ClockChange, ClockObject
from cosemic.server.clockwork import Order
from cosemic.server.kept import KeptObject, refuse_unless
from cosemic.server.local_time import NOT_SPECIFIED
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.recurrence import RESOLUTION
from cosemic.server.registers import NORMAL, ExtendedRegisterObject, Source, ValueStatus, always
from cosemic.server.state import load_json, save_json
from cosemic.values import DateTime, Obis

PERIODS: Final = range(60, 86_401)
"""Seconds that a period may have."""
MOST_PERIODS: Final = 100
_HOUR: Final = 3600 * 1_000_000


class _Mark(NamedTuple):
    """Where a period of the window began: true time, what the source stood at, what the clock showed."""

    at: dt.datetime
    energy: int
    shown: DateTime

    def to_json(self) -> list[Any]:
        """Return what is kept."""
        return [self.at.isoformat(), self.energy, self.shown.octets.hex()]

    @classmethod
    def from_json(cls, kept: list[Any]) -> _Mark:
        """Return what was kept."""
        at, energy, shown = kept
        return cls(dt.datetime.fromisoformat(at), energy, DateTime(bytes.fromhex(shown)))


class DemandRegisterObject(KeptObject):
    """A demand register.

    device: in whose clockwork it measures. clock: its clock. energy: what it measures, such as ``counted`` of a
    register, whose reading may be reset. energy_scaler: scaler of that; the unit is that of the demand in hours (Wh for
    W). data_type: of the averages. period: seconds. writable: names of attributes that clients may write.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        instance_id: Obis | str,
        scaler_unit: ScalerUnit,
        energy: Source,
        *,
        energy_scaler: int = 0,
        data_type: DataType = DataType.DOUBLE_LONG_UNSIGNED,
        period: int = 900,
        number_of_periods: int = 1,
        writable: Collection[str] = ("period", "number_of_periods"),
    ) -> None:
        self.ended: list[Callable[[int, dt.datetime, ValueStatus], None]] = []
        """Called with each average when its period ends, the true time of that, and its status."""
        self.data_type = data_type
        self.scaler_unit = scaler_unit
        self._device = device
        self._clock = clock
        self._energy = energy
        self._range = Number(data_type)
        scaling = energy_scaler - scaler_unit.scaler
        self._numerator: int = _HOUR * 10 ** max(scaling, 0)
        self._denominator: int = 10 ** max(-scaling, 0)
        self._marks: list[_Mark] = []
        self._last = 0
        self._status = NORMAL
        self._captured = NOT_SPECIFIED
        super().__init__(
            DemandRegister(instance_id),
            {"scaler_unit": scaler_unit, "period": period, "number_of_periods": number_of_periods},
            writable=writable,
            methods={
                "reset": lambda _, situation: self.reset(situation.now),
                "next_period": lambda _, situation: self.next_period(situation.now),
            },
        )
        self.put("current_average_value", lambda now: EncodedData.of(data_type, self.current(now)))
        self.put("last_average_value", lambda now: EncodedData.of(data_type, self._last))
        self.put("status", lambda now: (DataType.UNSIGNED, int(self._status)))
        self.put("capture_time", lambda now: self._captured)
        self.put("start_time_current", lambda now: self._marks[0].shown if self._marks else NOT_SPECIFIED)
        self._times = self._schedule()
        clock.changed.append(self._clock_changed)
        device.run(self, Order.MEASURING)

    def current(self, now: dt.datetime) -> int:
        """Return the average of the window up to a moment."""
        return self._average(now, self._energy(now))

    def next_period(self, at: dt.datetime) -> None:
        """End the period now. Raises StoreError."""
        self._end_period(at)
        self._save()

    def reset(self, at: dt.datetime) -> None:
        """Drop the averages, and begin anew. Raises StoreError."""
        self._last, self._status, self._captured = 0, ValueStatus.RESET, self._clock.stamp(at)
        self._begin(at)

    # ---- as a process -----------------------------------------------------------------------------------------------

    def due(self, after: dt.datetime) -> dt.datetime | None:
        """Return when the period ends; the first one begins when this is asked for the first time."""
        if not self._marks:
            self._begin(after)
        return self._times.after(after)

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        """End the period, and those that follow before ``until``."""
        while True:
            self._end_period(at)
            following = self._times.after(at)
            if following >= until:
                self._save()
                return at
            at = following

    # ---- attributes, state ------------------------------------------------------------------------------------------

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse periods that are out of reach. Raises AccessRefused."""
        refuse_unless(name != "period" or value in PERIODS)
        refuse_unless(name != "number_of_periods" or value <= MOST_PERIODS)

    def taken(self, name: str, at: dt.datetime) -> None:
        """Begin anew with other periods."""
        if name != "scaler_unit":
            self._times = self._schedule()
            self.reset(at)
            self._device.clockwork.reconsider()

    def restore(self) -> None:
        """Go on with the window that was kept. Raises StoreError."""
        super().restore()
        self._times = self._schedule()
        kept = load_json(self.memory, "demand")
        if kept is not None:
            self._last, self._status = kept["last"], ValueStatus(kept["status"])
            self._captured = DateTime(bytes.fromhex(kept["captured"]))
            self._marks = list(map(_Mark.from_json, kept["marks"]))

    def _save(self) -> None:
        kept = {
            "last": self._last,
            "status": int(self._status),
            "captured": self._captured.octets.hex(),
            "marks": [mark.to_json() for mark in self._marks],
        }
        save_json(self.memory, "demand", kept)

    # ---- inside -----------------------------------------------------------------------------------------------------

    @property
    def _window(self) -> int:
        """Microseconds of all periods."""
        seconds: int = self.value("period") * self.value("number_of_periods")
        return seconds * 1_000_000

    def _schedule(self) -> CaptureTimes:
        return CaptureTimes(self._clock, Every(self.value("period")))

    def _mark(self, at: dt.datetime) -> _Mark:
        return _Mark(at, self._energy(at), self._clock.stamp(at))

    def _average(self, now: dt.datetime, energy: int) -> int:
        if not self._marks:
            return 0
        begin = self._marks[0]
        passed = max((now - begin.at) // RESOLUTION, self._window)
        average = (energy - begin.energy) * self._numerator // (passed * self._denominator)
        return max(self._range.low, min(average, self._range.high))

    def _begin(self, at: dt.datetime) -> None:
        self._marks = [self._mark(at)]
        self._save()

    def _end_period(self, at: dt.datetime) -> None:
        marks, periods = self._marks, self.value("number_of_periods")
        end = self._mark(at)
        self._last = self._average(at, end.energy)
        whole = bool(marks) and (at - marks[0].at) // RESOLUTION == self._window
        self._status = NORMAL if whole else ValueStatus.IRREGULAR
        self._marks = [*marks, end][-periods:]
        self._captured = end.shown
        for follower in self.ended:
            follower(self._last, at, self._status)

    def _clock_changed(self, change: ClockChange) -> None:
        self._times.forget()
        before, after = (moment.replace(tzinfo=None) for moment in (change.before, change.after))
        every = Every(self.value("period"))
        same = every.at_or_before(before) == every.at_or_before(after)
        if self._marks and not same and change.kind is not ChangeKind.DAYLIGHT_SAVING:
            self.next_period(change.at)


class MaximumDemandObject(ExtendedRegisterObject):
    """The greatest average of a demand register since the last reset, and when its period ended (1-0:1.6.0).

    clock: of the meter. demand: whose averages. counts: whether it takes them, as things stand; a maximum of a tariff
    takes those whose period ends while the tariff is active. writable: as of ExtendedRegisterObject.
    """

    def __init__(
        self,
        clock: ClockObject,
        instance_id: Obis | str,
        demand: DemandRegisterObject,
        *,
        counts: Callable[[], bool] = always,
        writable: Collection[str] = (),
    ) -> None:
        super().__init__(clock, instance_id, demand.data_type, demand.scaler_unit, writable=writable)
        self._counts = counts
        demand.ended.append(self._take)

    def _take(self, average: int, at: dt.datetime, status: ValueStatus) -> None:
        if average > self.value("value") and self._counts():
            self.capture(average, at, status)
