"""The Clock of a logical device (class 8; IEC 62056-6-2, 5.5).

The clock runs beside the time of the machine, at an offset that setting and adjusting change::

    time()  =  now + offset, in the zone of the meter: time_zone, and daylight saving by its rule

========================  ==============================================================================================
time                      what is written becomes the time; a whole date or a whole time may be left out, and stays. The
                          status bits become what is written, and none where they are not specified
time_zone, daylight_...   the time in UTC stays, local time follows; begin and end are moments of one or of every year
adjust_to_...             to the nearest quarter of an hour, measuring period or minute; from the half on, forwards
preset_adjusting_time     keeps a time, and the interval in which adjust_to_preset_time may set it, once; a bound
                          without any field is none
shift_time                by seconds
========================  ==============================================================================================

=================  =====================================================================================================
other-reason       a pattern, a date on another weekday or no date at all; the bits invalid and doubtful together; a
                   zone or a rule that leads beyond 14 hours from UTC
temporary-failure  adjust_to_preset_time without a preset time, or outside its interval
=================  =====================================================================================================

Whatever depends on the clock is told before and after a change (:attr:`ClockObject.changing`, ``changed``); what is
done at local times is done by its :class:`~cosemic.server.agenda.Agenda`. Of a change the device tells ``clock-set`` or
``clock-adjusted`` (details before, after: as shown), and ``daylight-saving-changed`` (active) when that begins or ends.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from cosemic.errors import ConfigurationError, DecodeError
from cosemic.model import Clock
from cosemic.model.time import PresetAdjustingTime
from cosemic.server.agenda import Agenda
from cosemic.server.clock_state import ClockState, stamps_of
from cosemic.server.clockwork import Order
from cosemic.server.local_time import MOST_MINUTES, NO_DAYLIGHT_SAVING, DaylightSaving, LocalTime, is_switch
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused, CosemObject, Situation
from cosemic.server.recurrence import RESOLUTION, Months
from cosemic.server.state import load_json, save_json
from cosemic.values import ClockStatus, DataAccessResult, DateTime, Obis

EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_CLOCK: Final = Obis("0-0:1.0.0")
_MARGIN: Final = dt.timedelta(days=200 * 366)
"""More than any period or duration of a double-long-unsigned of seconds reaches: 136 years."""
_FLAGS: Final = (
    ClockStatus.INVALID_VALUE
    | ClockStatus.DOUBTFUL_VALUE
    | ClockStatus.DIFFERENT_CLOCK_BASE
    | ClockStatus.INVALID_CLOCK_STATUS
)
_QUARTER: Final = 900
_MINUTE: Final = 60


class ChangeKind(Enum):
    """How a clock was changed."""

    SET = "clock-set"
    """The time was written."""
    ADJUSTED = "clock-adjusted"
    """A method moved it."""
    ZONE = "zone"
    """Another time zone: UTC stays."""
    DAYLIGHT_SAVING = "daylight-saving"
    """Another rule of daylight saving: UTC stays."""


_MOVES: Final = (ChangeKind.SET, ChangeKind.ADJUSTED)


@dataclass(frozen=True, slots=True)
class ClockChange:
    """A change of a clock. at: true time. before, after: what it showed just before, and shows since; aware."""

    kind: ChangeKind
    at: dt.datetime
    before: dt.datetime
    after: dt.datetime

    @property
    def sets_time(self) -> bool:
        """Whether it is more than the coming and going of daylight saving."""
        return self.kind is not ChangeKind.DAYLIGHT_SAVING


class ClockObject(CosemObject):
    """A clock that can be read, set and adjusted.

    utc_offset: of the meter's zone in normal time, in minutes east of UTC. daylight_saving: its rule; with utc_offset
    as :func:`~cosemic.server.local_time.rule_of` makes it for a time zone. measuring_period: seconds, for
    adjust_to_measuring_period. inverted_deviation: deviation and time_zone have the sign against the standard. device:
    that does what is due by this clock. synchronisation_limit: seconds; a change up to this is a correction, by which
    nothing that is due is lost or done twice.

    Raises ConfigurationError for a zone beyond 12 hours, or a rule that is none.
    """

    def __init__(
        self,
        instance_id: Obis | str = _CLOCK,
        *,
        utc_offset: int = 60,
        measuring_period: int = 900,
        inverted_deviation: bool = False,
        daylight_saving: DaylightSaving = NO_DAYLIGHT_SAVING,
        device: LogicalDevice | None = None,
        synchronisation_limit: int = 60,
    ) -> None:
        if not -720 <= utc_offset <= 720:
            raise ConfigurationError(f"a clock is at most 12 hours from UTC, not {utc_offset} minutes")
        if not (is_switch(daylight_saving.begin) and is_switch(daylight_saving.end)):
            raise ConfigurationError("daylight saving begins and ends at one moment of a year, or of every year")
        self.changing: list[Callable[[dt.datetime], None]] = []
        """Called with ``now`` just before time or zone change."""
        self.changed: list[Callable[[ClockChange], None]] = []
        """Called after time or zone have changed."""
        self.device: LogicalDevice | None = None
        self.synchronisation_limit = dt.timedelta(seconds=synchronisation_limit)
        """A change of the time up to this is a correction."""
        self._inverted = inverted_deviation
        self._measuring_period = measuring_period
        self._state = ClockState(dt.timedelta(0), utc_offset, daylight_saving)
        self.zone = self._zone_of(self._state)
        """Local time: time_zone and daylight saving."""
        self.agenda = Agenda(self)
        """What is done at local times."""
        super().__init__(
            Clock(instance_id),
            {
                "time": self.stamp,
                "time_zone": lambda now: self._signed(self._state.standard),
                "status": self.status,
                "daylight_savings_begin": lambda now: self._state.rule.begin,
                "daylight_savings_end": lambda now: self._state.rule.end,
                "daylight_savings_deviation": lambda now: self._state.rule.deviation,
                "daylight_savings_enabled": lambda now: self._state.rule.enabled,
                "clock_base": lambda now: self._state.base,
            },
            writers={
                "time": self._set_time,
                "time_zone": self._set_zone,
                "daylight_savings_begin": lambda stamp, situation: self._set_rule(situation, begin=stamp),
                "daylight_savings_end": lambda stamp, situation: self._set_rule(situation, end=stamp),
                "daylight_savings_deviation": lambda minutes, situation: self._set_rule(situation, deviation=minutes),
                "daylight_savings_enabled": lambda enabled, situation: self._set_rule(situation, enabled=enabled),
                "clock_base": lambda base, situation: self._keep(replace(self._state, base=base)),
            },
            methods={
                "adjust_to_quarter": lambda _, situation: self._adjust(situation, _QUARTER),
                "adjust_to_measuring_period": lambda _, situation: self._adjust(situation, self._measuring_period),
                "adjust_to_minute": lambda _, situation: self._adjust(situation, _MINUTE),
                "adjust_to_preset_time": lambda _, situation: self._adjust_to_preset_time(situation),
                "preset_adjusting_time": self._preset,
                "shift_time": lambda seconds, situation: self._shift(situation, dt.timedelta(seconds=seconds)),
            },
        )
        if device is not None:
            self.connect(device)

    def connect(self, device: LogicalDevice) -> None:
        """Let a device do what is due by this clock; once is enough. Raises ConfigurationError for a second device."""
        if self.device is None:
            self.device = device
            device.run(_DaylightSavingSwitch(self, device), Order.SWITCHING)
            device.run(self.agenda, Order.SWITCHING)
            device.listeners.append(self.agenda.happened)
        elif self.device is not device:
            raise ConfigurationError(f"the clock of {self.device.name} cannot be that of {device.name}")

    def reconsider(self) -> None:
        """Have the device ask anew when something is due."""
        if self.device is not None:
            self.device.clockwork.reconsider()

    # ---- what it shows ----------------------------------------------------------------------------------------------

    @property
    def offset(self) -> dt.timedelta:
        """How far the clock is ahead of true time."""
        return self._state.offset

    @property
    def months(self) -> Months | None:
        """The months in which daylight saving begins and ends, as patterns of dates may mean them."""
        return self._state.rule.months

    def time(self, now: dt.datetime) -> dt.datetime:
        """Return what the clock shows at ``now``, aware; its tzinfo is the offset from UTC of then."""
        return self.zone.shown(now + self._state.offset)

    def stamp(self, now: dt.datetime, shown: dt.datetime | None = None) -> DateTime:
        """Return what the clock shows at ``now``, as it is sent; shown: another time, with the status of ``now``."""
        shown = self.time(now) if shown is None else shown
        return DateTime.from_datetime(shown, clock_status=self.status(now), inverted_deviation=self._inverted)

    def status(self, now: dt.datetime) -> ClockStatus:
        """Return the status bits at ``now``."""
        saving = self.zone.is_saving(now + self._state.offset)
        return self._state.flags | (ClockStatus.DAYLIGHT_SAVING_ACTIVE if saving else ClockStatus(0))

    def moment(self, stamp: DateTime) -> dt.datetime:
        """Return the one moment, by the clock of the meter, that a stamp means; without deviation in its zone.

        Raises DecodeError for a pattern, or where there is no such moment.
        """
        moment = stamp.to_datetime(self.zone, inverted_deviation=self._inverted)
        return moment if moment.tzinfo is not self.zone else self.zone.fixed(moment)

    def true_time(self, local: dt.datetime) -> dt.datetime:
        """Return the moment (UTC, aware) at which the clock, as it is set, first shows a naive local time.

        Where daylight saving skips it: the moment at which it is skipped.
        """
        return self.zone.first(local) - self._state.offset

    def unseen(self, now: dt.datetime) -> dt.datetime:
        """Return the least naive local time that the clock, as it is set, has not shown up to and including ``now``."""
        return self.zone.unseen(now + self._state.offset)

    def ahead(self, deviation: int) -> dt.timedelta:
        """Return how far a deviation, as this meter sends it, is ahead of UTC."""
        return dt.timedelta(minutes=deviation if self._inverted else -deviation)

    def mark(self, flags: ClockStatus, at: dt.datetime) -> None:
        """Set the status bits but for daylight saving, as when the time was lost; they last until the time is set.

        The device tells ``clock-invalid`` where the time becomes invalid. Raises StoreError.
        """
        flags &= _FLAGS
        invalid = ClockStatus.INVALID_VALUE
        becomes_invalid = invalid in flags and invalid not in self._state.flags
        self._keep(replace(self._state, flags=flags))
        if becomes_invalid and self.device is not None:
            self.device.tell("clock-invalid", at)

    # ---- changes ----------------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Go on with the settings that were kept. Raises StoreError."""
        kept = load_json(self.memory, "clock")
        if kept is not None:
            self._state = ClockState.from_json(kept)
            self.zone = self._zone_of(self._state)
        self.agenda.attach(self.memory)

    def _keep(self, state: ClockState) -> None:
        self._state = state
        save_json(self.memory, "clock", state.to_json())

    def _change(self, kind: ChangeKind, state: ClockState, situation: Situation) -> None:
        """Go over to other settings, if the clock can go on with them. Raises AccessRefused."""
        if state == self._state and kind not in _MOVES:
            return
        now, zone = situation.now, self._zone_of(state)
        extremes = (state.standard, state.standard + state.rule.deviation)
        if not all(-MOST_MINUTES <= minutes <= MOST_MINUTES for minutes in extremes):
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        try:
            # Near the ends of the calendar a clock could not go on.
            for margin in (-_MARGIN, _MARGIN):
                zone.shown(now + state.offset + margin)
        except OverflowError:
            raise AccessRefused(DataAccessResult.OTHER_REASON) from None
        for dependent in self.changing:
            dependent(now)
        before = self.time(now)
        self.zone = zone
        self._keep(state)
        change = ClockChange(kind, now, before, self.time(now))
        self.reconsider()
        if self.device is not None and kind in _MOVES:
            self.device.tell(kind.value, now, before=change.before, after=change.after)
        for follower in (*self.changed, self.agenda.clock_changed):
            follower(change)

    def _set_time(self, stamp: DateTime, situation: Situation) -> None:
        flags = (stamp.clock_status or ClockStatus(0)) & _FLAGS
        if ClockStatus.INVALID_VALUE | ClockStatus.DOUBTFUL_VALUE in flags:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        present = DateTime.from_datetime(self.time(situation.now), inverted_deviation=self._inverted).octets
        octets = stamp.octets
        if not stamp.is_unspecified and stamp.date.is_unspecified:
            octets = present[:5] + octets[5:]
        elif not stamp.is_unspecified and stamp.time.is_unspecified:
            octets = octets[:5] + present[5:9] + octets[9:]
        offset = self._moment_to_set(DateTime(octets)) - situation.now
        self._change(ChangeKind.SET, replace(self._state, offset=offset, flags=flags), situation)

    def _moment_to_set(self, stamp: DateTime) -> dt.datetime:
        """Return the moment of a time that is to be set. Raises AccessRefused."""
        try:
            weekday_is_right = stamp.day_of_week in (None, stamp.to_date().isoweekday())
            moment = self.moment(stamp)
        except DecodeError:
            raise AccessRefused(DataAccessResult.OTHER_REASON) from None
        if not weekday_is_right:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        return moment

    def _set_zone(self, minutes: int, situation: Situation) -> None:
        self._change(ChangeKind.ZONE, replace(self._state, standard=self._signed(minutes)), situation)

    def _set_rule(self, situation: Situation, **changed: Any) -> None:
        rule = replace(self._state.rule, **changed)
        if not (is_switch(rule.begin) and is_switch(rule.end)):
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        self._change(ChangeKind.DAYLIGHT_SAVING, replace(self._state, rule=rule), situation)

    def _adjust(self, situation: Situation, seconds: int) -> None:
        """Set the clock to the nearest multiple of ``seconds`` since midnight; from the half on, forwards."""
        shown = self.time(situation.now).replace(tzinfo=None)
        since = (shown - dt.datetime.combine(shown.date(), dt.time.min)) // RESOLUTION
        step = seconds * 1_000_000
        self._shift(situation, ((since + step // 2) // step * step - since) * RESOLUTION)

    def _shift(self, situation: Situation, by: dt.timedelta) -> None:
        self._change(ChangeKind.ADJUSTED, replace(self._state, offset=self._state.offset + by), situation)

    def _preset(self, preset: PresetAdjustingTime, situation: Situation) -> None:
        self._moment_to_set(preset.preset_time)
        start, end = (self._bound(stamp) for stamp in stamps_of(preset)[1:])
        if start is not None and end is not None and start > end:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        self._keep(replace(self._state, preset=preset))

    def _adjust_to_preset_time(self, situation: Situation) -> None:
        preset, shown = self._state.preset, self.time(situation.now)
        if preset is None:
            raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)
        start, end = (self._bound(stamp) for stamp in stamps_of(preset)[1:])
        if (start is not None and shown < start) or (end is not None and shown > end):
            raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)
        # Used up: an ACTION that is repeated because its answer was lost must not set the clock back.
        offset = self._moment_to_set(preset.preset_time) - situation.now
        self._change(ChangeKind.ADJUSTED, replace(self._state, offset=offset, preset=None), situation)

    def _bound(self, stamp: DateTime) -> dt.datetime | None:
        return None if stamp.is_unspecified else self._moment_to_set(stamp)

    def _signed(self, minutes: int) -> int:
        """Turn minutes east of UTC into time_zone, or back."""
        return minutes if self._inverted else -minutes

    def _zone_of(self, state: ClockState) -> LocalTime:
        return LocalTime(state.standard, state.rule, inverted_deviation=self._inverted)


class _DaylightSavingSwitch:
    """Tells when daylight saving begins and ends."""

    def __init__(self, clock: ClockObject, device: LogicalDevice) -> None:
        self._clock = clock
        self._device = device

    def due(self, after: dt.datetime) -> dt.datetime | None:
        """Return the next switch."""
        switch = self._clock.zone.next_switch(after + self._clock.offset)
        return None if switch is None else switch - self._clock.offset

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        """Tell it."""
        active = ClockStatus.DAYLIGHT_SAVING_ACTIVE in self._clock.status(at)
        self._device.tell("daylight-saving-changed", at, active=active)
        return at
