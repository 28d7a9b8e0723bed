"""The Clock of a logical device (class 8; IEC 62056-6-2, 5.5).

The clock runs beside the time of the machine, at an offset that setting and adjusting change::

    time()  =  now + offset, in the zone of the meter (time_zone; no daylight saving)

Whatever depends on the clock (a profile that captures by it) can be told before a change: :attr:`ClockObject.changing`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

from cosemic.errors import ConfigurationError, DecodeError
from cosemic.model import Clock
from cosemic.model.time import ClockBase
from cosemic.server.objects import AccessRefused, CosemObject, Situation
from cosemic.values import ClockStatus, DataAccessResult, DateTime, Obis

NOT_SPECIFIED: Final = DateTime.of()
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_CLOCK: Final = Obis("0-0:1.0.0")
_MARGIN: Final = dt.timedelta(days=3660)


class ClockObject(CosemObject):
    """A clock that can be read, set and adjusted.

    utc_offset: of the meter's zone, in minutes east of UTC. measuring_period: seconds, for adjust_to_measuring_period.
    inverted_deviation: deviation and time_zone have the sign against the standard.

    Raises ConfigurationError for a zone beyond 14 hours.
    """

    def __init__(
        self,
        instance_id: Obis | str = _CLOCK,
        *,
        utc_offset: int = 60,
        measuring_period: int = 900,
        inverted_deviation: bool = False,
    ) -> None:
        if not -720 <= utc_offset <= 720:
            raise ConfigurationError(f"a clock is at most 12 hours from UTC, not {utc_offset} minutes")
        self.zone = dt.timezone(dt.timedelta(minutes=utc_offset))
        self.offset = dt.timedelta(0)
        self.changing: list[Callable[[dt.datetime], None]] = []
        """Called with ``now`` just before time or zone change."""
        self._inverted = inverted_deviation
        self._measuring_period = measuring_period
        super().__init__(
            Clock(instance_id),
            {
                "time": self.stamp,
                "time_zone": lambda now: self._minutes_to_utc(),
                "status": ClockStatus(0),
                "daylight_savings_begin": NOT_SPECIFIED,
                "daylight_savings_end": NOT_SPECIFIED,
                "daylight_savings_deviation": 60,
                "daylight_savings_enabled": False,
                "clock_base": ClockBase.INTERNAL_CRYSTAL,
            },
            writers={"time": self._set_time, "time_zone": self._set_zone},
            methods={
                "adjust_to_quarter": lambda _, situation: self._adjust(situation, 900),
                "adjust_to_measuring_period": lambda _, situation: self._adjust(situation, self._measuring_period),
                "adjust_to_minute": lambda _, situation: self._adjust(situation, 60),
                "shift_time": lambda seconds, situation: self._shift(situation, dt.timedelta(seconds=seconds)),
            },
        )

    def time(self, now: dt.datetime) -> dt.datetime:
        """Return what the clock shows at ``now``, aware, in the zone of the meter."""
        return (now + self.offset).astimezone(self.zone)

    def stamp(self, now: dt.datetime) -> DateTime:
        """Return what the clock shows at ``now``, as it is sent."""
        return DateTime.from_datetime(self.time(now), inverted_deviation=self._inverted)

    def moment(self, stamp: DateTime) -> dt.datetime:
        """Return the one moment, by the clock of the meter, that a stamp means; without deviation in its zone.

        Raises DecodeError for a pattern, or where there is no such moment.
        """
        return stamp.to_datetime(self.zone, inverted_deviation=self._inverted)

    def _minutes_to_utc(self) -> int:
        east = int(self.zone.utcoffset(None).total_seconds()) // 60
        return east if self._inverted else -east

    def _change(self, situation: Situation) -> None:
        for dependent in self.changing:
            dependent(situation.now)

    def _set_time(self, stamp: DateTime, situation: Situation) -> None:
        try:
            offset = self.moment(stamp) - situation.now
        except DecodeError:
            raise AccessRefused(DataAccessResult.OTHER_REASON) from None
        self._set_offset(offset, situation)

    def _set_offset(self, offset: dt.timedelta, situation: Situation) -> None:
        try:
            # Near the ends of the calendar a clock could not go on.
            for margin in (-_MARGIN, _MARGIN):
                _ = (situation.now + offset + margin).astimezone(self.zone)
        except OverflowError:
            raise AccessRefused(DataAccessResult.OTHER_REASON) from None
        self._change(situation)
        self.offset = offset

    def _set_zone(self, minutes: int, situation: Situation) -> None:
        self._change(situation)
        self.zone = dt.timezone(dt.timedelta(minutes=minutes if self._inverted else -minutes))

    def _adjust(self, situation: Situation, seconds: int) -> None:
        """Set the clock to the nearest multiple of ``seconds``; from the half on, forwards."""
        shown = situation.now + self.offset
        since = (shown - EPOCH) // dt.timedelta(microseconds=1)
        step = seconds * 1_000_000
        nearest = (since + step // 2) // step * step
        self._shift(situation, dt.timedelta(microseconds=nearest - since))

    def _shift(self, situation: Situation, by: dt.timedelta) -> None:
        self._set_offset(self.offset + by, situation)
