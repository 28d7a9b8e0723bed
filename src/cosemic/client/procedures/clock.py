"""The clock of a meter: read, synchronised, set up (IEC 62056-6-2, 5.5, class 8).

Synchronisation reads the clock, corrects it where it is off by more than a threshold, and reads it back::

    off by                   auto                          shift         set
    the threshold or less    nothing                       nothing       nothing
    900 s or less            shift_time, or time where     shift_time    time is written
                             the meter cannot be shifted
    more, or it shows none   time is written               refused       time is written

A correction that leaps over the end of a capture period leaves a gap in load profiles, or makes an interval come twice.
It is put off until the clock before and after it lies in one period; where that cannot be, it is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

from cosemic.client.answers import tolerated
from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.procedures.changing import confirmed, given_written
from cosemic.client.procedures.clock_reading import Clockface, ClockReading
from cosemic.client.procedures.reading import read_as
from cosemic.client.steps import Now, Procedure, Wait
from cosemic.client.timepiece import aware
from cosemic.errors import ActionFailed, ChangeWithheld, ConfigurationError, ProtocolError
from cosemic.model import AttributeReference, Clock, MethodReference, ProfileGeneric
from cosemic.model.time import ClockBase, PresetAdjustingTime
from cosemic.values import ActionResult, ClockStatus, DateTime, Obis

CLOCK: Final = Clock("0-0:1.0.0")
MOST_SHIFT: Final = dt.timedelta(seconds=900)
"""What shift_time takes."""
MARGIN: Final = dt.timedelta(seconds=2)
"""How long a correction may take until the meter has made it, beside half the round trip."""
MOST_PAUSES: Final = 3
"""How often a correction is put off; once does, unless the clock is corrected by somebody else too."""
_MOST_SECONDS: Final = 0xFFFFFFFF
"""The longest capture period that a profile can have."""
_LEAST_TOLERANCE: Final = dt.timedelta(seconds=1)
"""A shift is in whole seconds."""
_NO_SHIFT: Final = frozenset(
    (ActionResult.READ_WRITE_DENIED, ActionResult.OBJECT_UNDEFINED, ActionResult.OBJECT_UNAVAILABLE)
)
"""Results of meters that have no shift_time."""
Policy = Literal["auto", "shift", "set"]


class Correction(Enum):
    """What was done to a clock."""

    NOTHING = "nothing"
    SHIFTED = "shifted"
    SET = "set"


@dataclass(frozen=True, slots=True)
class Synchronised:
    """What synchronising a clock came to.

    before, after: what it showed; the same where nothing was done. waited: for the end of a capture period.
    """

    action: Correction
    before: ClockReading
    after: ClockReading
    waited: dt.timedelta


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """How a clock is set up; None: the meter does not tell.

    time_zone, daylight_savings_deviation: in minutes; time_zone has the sign of the deviation in a date-time.
    """

    time_zone: int | None = None
    status: ClockStatus | None = None
    daylight_savings_begin: DateTime | None = None
    daylight_savings_end: DateTime | None = None
    daylight_savings_deviation: int | None = None
    daylight_savings_enabled: bool | None = None
    clock_base: ClockBase | int | None = None


class ClockProcedures(ProcedureGroup):
    """What a client does with the clock of a meter."""

    @property
    def _face(self) -> Clockface:
        return Clockface(self.session.zone, self.session.settings.dialect.deviation_sign)

    def read(self) -> Procedure[ClockReading]:
        """Read the clock, and compare it with the true time. Raises DataAccessError, DecodeError."""
        before: dt.datetime = yield Now()
        data = yield from self.session.get(CLOCK.time)
        after: dt.datetime = yield Now()
        sent = tolerated(CLOCK.time, data)
        # A time source that is set back in between makes the round trip negative: nothing is known for so long.
        return ClockReading(sent, self._face.moment(sent), before + (after - before) / 2, abs(after - before))

    def synchronise(
        self,
        threshold: float = 5.0,
        *,
        policy: Policy = "auto",
        boundary: float = 900.0,
        profiles: Sequence[Obis | str] = (),
        crossing: Literal["wait", "refuse"] = "wait",
    ) -> Procedure[Synchronised]:
        """Correct the clock where it is off by more than ``threshold`` seconds, and read it back.

        policy: see the table of the module. boundary: capture period in seconds whose ends no correction leaps over; 0:
            it may leap. profiles: whose capture periods to mind instead, read from the meter; unless given those that
            the settings of a known meter name.
        crossing: what to do about a leap: wait until there is none (less than a capture period), or refuse.

        Raises ChangeWithheld where the policy forbids the correction; ActionFailed, DataAccessError where the meter
        refuses it; ProtocolError where it does not show it afterwards; OutcomeUnknown, ChangeNotMade.
        """
        if (
            policy not in ("auto", "shift", "set")
            or crossing not in ("wait", "refuse")
            or not 0 <= threshold <= _MOST_SECONDS
            or not 0 <= boundary <= _MOST_SECONDS
        ):
            raise ConfigurationError("policy is auto, shift or set; crossing is wait or refuse; times are 0 or more")
        limit = dt.timedelta(seconds=threshold)
        seconds: list[float] = [boundary]
        minded = [ProfileGeneric(one).capture_period for one in profiles or self.session.load_profiles]
        if boundary and minded:
            seconds = yield from self.session.read_many(minded)
        periods = [dt.timedelta(seconds=one) for one in seconds]
        before = first = yield from self.read()
        waited = dt.timedelta()
        for _ in range(MOST_PAUSES):
            if not before.is_off(limit):
                return Synchronised(Correction.NOTHING, first, before, waited)
            pause = _pause(before, periods)
            if not pause:
                break
            if crossing == "refuse":
                raise ChangeWithheld(f"{_wrong(before)}: to correct it now would leap over the end of a capture period")
            yield Wait(pause.total_seconds())
            waited += pause
            before = yield from self.read()
        else:
            raise ChangeWithheld(f"{_wrong(before)}, and differs each time it is read: something else sets it too")
        action = yield from self._correct(before, policy, max(limit, _LEAST_TOLERANCE))
        after = yield from self.read()
        if after.is_off(max(limit, _LEAST_TOLERANCE)):
            raise ProtocolError(f"the meter took the correction, and {_wrong(after)} still: see its clock_status")
        return Synchronised(action, first, after, waited)

    def _correct(self, reading: ClockReading, policy: Policy, tolerance: dt.timedelta) -> Procedure[Correction]:
        def made() -> Procedure[bool]:
            return not (yield from self.read()).is_off(tolerance)

        offset = reading.offset
        shifts = offset is not None and abs(offset) <= MOST_SHIFT
        if policy == "shift" and not shifts:
            raise ChangeWithheld(f"{_wrong(reading)}, and a shift is 900 s at most: policy set or auto corrects it")
        if policy != "set" and shifts and offset is not None:
            change = self.session.call(CLOCK.shift_time, -round(offset.total_seconds()))
            try:
                yield from confirmed(change, made, str(CLOCK.shift_time))
            except ActionFailed as error:
                if policy == "shift" or error.code not in _NO_SHIFT:
                    raise
            else:
                return Correction.SHIFTED
        now: dt.datetime = yield Now()
        value = self._face.written(now + reading.round_trip / 2, reading.sent)
        yield from confirmed(self.session.write(CLOCK.time, value), made, f"write of {CLOCK.time}")
        return Correction.SET

    def set(self, time: dt.datetime | DateTime | None = None) -> Procedure[ClockReading]:
        """Write the time, by any leap, and read it back.

        time: None, the true time; a DateTime goes out as it is, a datetime in the form that the meter uses (naive: in
        the zone of the meter). Raises DataAccessError, EncodeError, OutcomeUnknown.
        """
        if not isinstance(time, DateTime):
            reading = yield from self.read()
            now: dt.datetime = yield Now()
            moment = now + reading.round_trip / 2 if time is None else aware(time, self.session.zone)
            time = self._face.written(moment, reading.sent)
        yield from self.session.write(CLOCK.time, time)
        return (yield from self.read())

    def shift(self, seconds: int) -> Procedure[ClockReading]:
        """Shift the time by -900 to 900 seconds, and read it back. Raises ActionFailed, EncodeError, OutcomeUnknown."""
        return self._adjusted(CLOCK.shift_time, seconds)

    def adjust_to_quarter(self) -> Procedure[ClockReading]:
        """Set the time to the nearest quarter of an hour, and read it back. Raises ActionFailed, OutcomeUnknown."""
        return self._adjusted(CLOCK.adjust_to_quarter)

    def adjust_to_measuring_period(self) -> Procedure[ClockReading]:
        """Set the time to the nearest start of a measuring period. Raises ActionFailed, OutcomeUnknown."""
        return self._adjusted(CLOCK.adjust_to_measuring_period)

    def adjust_to_minute(self) -> Procedure[ClockReading]:
        """Set the time to the nearest minute, and read it back. Raises ActionFailed, OutcomeUnknown."""
        return self._adjusted(CLOCK.adjust_to_minute)

    def adjust_to_preset_time(self) -> Procedure[ClockReading]:
        """Set the time that :meth:`preset` left, and read it back. Raises ActionFailed, OutcomeUnknown."""
        return self._adjusted(CLOCK.adjust_to_preset_time)

    def _adjusted(self, method: MethodReference[int, None], parameter: int | None = None) -> Procedure[ClockReading]:
        yield from self.session.call(method, parameter)
        return (yield from self.read())

    def preset(self, time: dt.datetime, valid_from: dt.datetime, valid_until: dt.datetime) -> Procedure[None]:
        """Leave a time with the meter, which adjust_to_preset_time sets within the interval given.

        Naive times are in the zone of the meter. Raises ActionFailed, EncodeError, OutcomeUnknown.
        """
        reading = yield from self.read()
        times = (
            self._face.written(aware(one, self.session.zone), reading.sent) for one in (time, valid_from, valid_until)
        )
        yield from self.session.call(CLOCK.preset_adjusting_time, PresetAdjustingTime(*times))

    def settings(self) -> Procedure[ClockSettings]:
        """Read how the clock is set up: time zone, daylight saving, status. Raises DecodeError."""
        return read_as(self.session, ClockSettings, CLOCK)

    def configure(
        self,
        *,
        time_zone: int | None = None,
        daylight_savings_begin: DateTime | None = None,
        daylight_savings_end: DateTime | None = None,
        daylight_savings_deviation: int | None = None,
        daylight_savings_enabled: bool | None = None,
    ) -> Procedure[ClockSettings]:
        """Write what is given, one attribute after the other, and read back how the clock is set up.

        Daylight saving is switched on last, and off first. Raises DataAccessError, EncodeError, OutcomeUnknown,
        ChangeNotMade.
        """
        enabled = CLOCK.daylight_savings_enabled, daylight_savings_enabled
        changes: list[tuple[AttributeReference[Any], Any]] = [
            (CLOCK.time_zone, time_zone),
            (CLOCK.daylight_savings_begin, daylight_savings_begin),
            (CLOCK.daylight_savings_end, daylight_savings_end),
            (CLOCK.daylight_savings_deviation, daylight_savings_deviation),
        ]
        yield from given_written(self.session, [*changes, enabled] if daylight_savings_enabled else [enabled, *changes])
        return (yield from self.settings())


def _pause(reading: ClockReading, periods: Sequence[dt.timedelta]) -> dt.timedelta:
    """How long to put a correction off. Raises ChangeWithheld where that does not help."""
    longest = dt.timedelta()
    for period in periods:
        pause = reading.pause(period, reading.uncertainty + MARGIN)
        if pause is None:
            raise ChangeWithheld(
                f"{_wrong(reading)}: any correction leaps over the end of a capture period of "
                f"{period.total_seconds():g} s; boundary=0 (--boundary 0) makes it all the same"
            )
        longest = max(longest, pause)
    return longest


def _wrong(reading: ClockReading) -> str:
    offset = reading.offset
    if offset is None:
        return f"the clock shows {reading.sent}"
    seconds = offset.total_seconds()
    return f"the clock is {abs(seconds):.1f} s {'ahead' if seconds > 0 else 'behind'}"


class AsyncClock(AsyncGroup):
    """The clock of a meter, on asyncio."""

    read = asynchronously(ClockProcedures.read)
    synchronise = asynchronously(ClockProcedures.synchronise)
    set = asynchronously(ClockProcedures.set)
    shift = asynchronously(ClockProcedures.shift)
    adjust_to_quarter = asynchronously(ClockProcedures.adjust_to_quarter)
    adjust_to_measuring_period = asynchronously(ClockProcedures.adjust_to_measuring_period)
    adjust_to_minute = asynchronously(ClockProcedures.adjust_to_minute)
    adjust_to_preset_time = asynchronously(ClockProcedures.adjust_to_preset_time)
    preset = asynchronously(ClockProcedures.preset)
    settings = asynchronously(ClockProcedures.settings)
    configure = asynchronously(ClockProcedures.configure)


class BlockingClock(BlockingGroup):
    """The clock of a meter, for blocking code."""

    read = blocking(ClockProcedures.read)
    synchronise = blocking(ClockProcedures.synchronise)
    set = blocking(ClockProcedures.set)
    shift = blocking(ClockProcedures.shift)
    adjust_to_quarter = blocking(ClockProcedures.adjust_to_quarter)
    adjust_to_measuring_period = blocking(ClockProcedures.adjust_to_measuring_period)
    adjust_to_minute = blocking(ClockProcedures.adjust_to_minute)
    adjust_to_preset_time = blocking(ClockProcedures.adjust_to_preset_time)
    preset = blocking(ClockProcedures.preset)
    settings = blocking(ClockProcedures.settings)
    configure = blocking(ClockProcedures.configure)
