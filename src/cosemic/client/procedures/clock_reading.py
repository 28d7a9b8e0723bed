"""What the clock of a meter shows beside the true time, and when it can be corrected (IEC 62056-6-2, class 8).

Meters differ in what they tell of a moment: deviation, day of week and hundredths may be not specified, the deviation
may have the other sign. A time that is written has the form of the one that was read.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from cosemic.dialect import DeviationSign
from cosemic.errors import DecodeError
from cosemic.values import ClockStatus, DateTime

_MIDNIGHT: Final = dt.datetime(1970, 1, 1)
_SECOND: Final = dt.timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Clockface:
    """How a meter tells the time: the zone that holds where it gives no deviation, and the sign of its deviation."""

    zone: dt.tzinfo
    sign: DeviationSign = DeviationSign.STANDARD

    def moment(self, sent: DateTime) -> dt.datetime | None:
        """Return the moment that is shown, aware; None where it is none: a clock never set, or that lost its time."""
        try:
            return sent.to_datetime(self.zone, inverted_deviation=self.sign is DeviationSign.INVERTED)
        except DecodeError:
            return None

    def written(self, moment: dt.datetime, like: DateTime) -> DateTime:
        """Return a moment in the form in which the meter sent ``like``.

        The offset from UTC is that of ``like``, or that of the zone where it has none; the daylight saving bit stays as
        it is, unless the zone decides. A meter that shows no moment is told the offset of the zone. Raises EncodeError.
        """
        inverted = self.sign is DeviationSign.INVERTED
        shown = self.moment(like)
        if shown is None:
            return DateTime.from_datetime(moment.astimezone(self.zone), inverted_deviation=inverted)
        told = like.deviation is not None
        local = moment.astimezone(shown.tzinfo if told else self.zone)
        if like.hundredths is None:
            local = (local + _SECOND / 2).replace(microsecond=0)
        form = DateTime.from_datetime(local, inverted_deviation=inverted)
        status = None if like.clock_status is None else int(like.clock_status & ClockStatus.DAYLIGHT_SAVING_ACTIVE)
        if status is not None and not told and local.dst() is not None:
            status = int(ClockStatus.DAYLIGHT_SAVING_ACTIVE) if local.dst() else 0
        return DateTime.of(
            year=form.year,
            month=form.month,
            day_of_month=form.day_of_month,
            day_of_week=None if like.day_of_week is None else form.day_of_week,
            hour=form.hour,
            minute=form.minute,
            second=form.second,
            hundredths=None if like.hundredths is None else form.hundredths,
            deviation=form.deviation if told else None,
            clock_status=status,
        )


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What a clock showed.

    sent: as it came. time: the moment that is meant, aware; None where the clock shows none. true_time: by our time
    source, in the middle of the round trip. round_trip: from the request to the answer.
    """

    sent: DateTime
    time: dt.datetime | None
    true_time: dt.datetime
    round_trip: dt.timedelta

    @property
    def offset(self) -> dt.timedelta | None:
        """How far the clock is ahead of the true time; None where it shows none."""
        return None if self.time is None else self.time - self.true_time

    @property
    def uncertainty(self) -> dt.timedelta:
        """How wrong the offset may be: half the round trip, and a second where the meter tells no hundredths."""
        return self.round_trip / 2 + (_SECOND if self.sent.hundredths is None else dt.timedelta())

    def is_off(self, threshold: dt.timedelta) -> bool:
        """Whether the clock is wrong by more than a threshold, or than can be told."""
        offset = self.offset
        return offset is None or abs(offset) > max(threshold, self.uncertainty)

    def pause(self, period: dt.timedelta, margin: dt.timedelta) -> dt.timedelta | None:
        """How long until a correction leaps over no end of a capture period; 0: none does now, None: any does.

        Periods begin at midnight of the meter; a clock that calls itself invalid keeps none. margin: how long a
        correction may take to get there, and how far off its result may be.
        """
        invalid = bool((self.sent.clock_status or 0) & ClockStatus.INVALID_VALUE)
        if self.time is None or invalid or not period:
            return dt.timedelta()
        both = (self.time, self.true_time.astimezone(self.time.tzinfo))
        first, last = sorted(one.replace(tzinfo=None) - _MIDNIGHT for one in both)
        if last - first + 5 * margin >= period:  # behind one end the clock is still to be read, and corrected
            return None
        begin = first // period * period
        if begin + margin <= first and last + margin < begin + period:
            return dt.timedelta()
        if last + margin >= begin + period:
            begin += period
        return begin + 2 * margin - first
