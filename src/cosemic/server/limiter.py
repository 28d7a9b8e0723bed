"""Limiter of a device (class 71; IEC 62056-6-2, 5.5): what is done when a value stays above or below a threshold.

::

    value            ______________________
    threshold_active                       \\
              ______/                       \\___________________
                    |--min_over--| action_over   |--min_under--| action_under

Each action is done once; then the value has to go to the other side for its duration before the other one is. The
limiter begins below. Above is greater than the threshold. The value is looked at every ``period`` seconds, when an
attribute is written, and behind an action, by which it may have come to the other side; the end of a duration is met
exactly. Where there is no value to be had, or none that is a number, a duration begins anew; so it does after a power
failure, in which nothing is looked at.

threshold_active is threshold_emergency during an emergency, else threshold_normal. An emergency is active from
emergency_activation_time, by the clock of the meter, for emergency_duration seconds, if the list of groups has its
identifier; an activation time without any field is none. Whether a duration of 0 means no emergency, as here, or one
without end is not known (unsure). A monitored value of class 0 is none.

Refused: thresholds of another type than the present ones, with type-unmatched; with other-reason thresholds that are no
number, an activation time that is a pattern, a monitored value that is no simple one.

The device tells ``limiter-exceeded`` and ``limiter-normal`` (detail value) before it runs the scripts, and
``limiter-threshold-changed`` when another threshold_active is in force.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from cosemic.codec import EncodedData, Typed
from cosemic.errors import ConfigurationError, DecodeError
from cosemic.model import ActionItem, EmergencyProfile, Limiter, LimiterActions, ValueDefinition
from cosemic.server.clock import ClockObject
from cosemic.server.clockwork import Order
from cosemic.server.kept import KeptObject, refuse, refuse_unless
from cosemic.server.local_time import NOT_SPECIFIED
from cosemic.server.logical_device import Happening, LogicalDevice
from cosemic.server.monitored_value import next_look, refuse_unless_simple, value_of
from cosemic.server.scripts import NO_SCRIPT, run_script
from cosemic.server.state import load_json, save_json
from cosemic.values import Obis

NO_EMERGENCY: Final = EmergencyProfile(0, NOT_SPECIFIED, 0)
_THRESHOLDS: Final = ("threshold_normal", "threshold_emergency")
"""Without and with an emergency."""


class LimiterObject(KeptObject):
    """A limiter.

    device: whose value it looks at, and whose scripts it runs. clock: its clock. monitored_value: which value.
    threshold, emergency: typed, ``(DataType, value)``, in the type and unit of the monitored attribute; without
    ``emergency`` both are the same. over, under: scripts. min_over, min_under: durations in seconds. profile, groups:
    the emergency, and the identifiers that are taken part in. period: seconds between two looks. writable: clients with
    the right to may write all that is static.

    Raises ConfigurationError, EncodeError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        instance_id: Obis | str,
        monitored_value: ValueDefinition,
        threshold: Typed,
        *,
        emergency: Typed | None = None,
        over: ActionItem = NO_SCRIPT,
        under: ActionItem = NO_SCRIPT,
        min_over: int = 0,
        min_under: int = 0,
        profile: EmergencyProfile = NO_EMERGENCY,
        groups: Sequence[int] = (),
        period: int = 60,
        writable: bool = True,
    ) -> None:
        if period < 1:
            raise ConfigurationError("a limiter looks at its value every so many seconds, at least 1")
        self._device = device
        self._clock = clock
        self._period = dt.timedelta(seconds=period)
        self._over = False
        self._crossed: dt.datetime | None = None
        """Since when the value is on the side on which nothing has been done yet."""
        self._in_emergency = False
        self._down = False
        static = {
            "monitored_value": monitored_value,
            "threshold_normal": threshold,
            "threshold_emergency": threshold if emergency is None else emergency,
            "min_over_threshold_duration": min_over,
            "min_under_threshold_duration": min_under,
            "emergency_profile": profile,
            "emergency_profile_group_id_list": tuple(groups),
            "actions": LimiterActions(over, under),
        }
        super().__init__(Limiter(instance_id), static, writable=static if writable else ())
        self.put("threshold_active", self._active)
        self.put("emergency_profile_active", self.emergency)
        device.run(self, Order.SUPERVISING)
        device.listeners.append(self._heard)

    @property
    def exceeded(self) -> bool:
        """Whether the action over the threshold was the last one."""
        return self._over

    def emergency(self, now: dt.datetime) -> bool:
        """Whether an emergency is active at a moment of true time."""
        begin = self._begin()
        if begin is None:
            return False
        profile: EmergencyProfile = self.value("emergency_profile")
        return 0 <= (self._clock.time(now) - begin).total_seconds() < profile.emergency_duration

    # ---- as a process -----------------------------------------------------------------------------------------------

    def due(self, after: dt.datetime) -> dt.datetime | None:
        """Return when the value is looked at next, a duration ends, or an emergency begins or ends."""
        if self._down:
            return None
        moments = self._emergency_edges()
        if self.value("monitored_value").class_id:
            moments.append(next_look(after, self._period))
        if self._crossed is not None:
            moments.append(self._crossed + self._duration(not self._over))
        return min((moment for moment in moments if moment > after), default=None)

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        """Look at the value, as often as it is due before ``until`` and nothing is done."""
        while not self._look(at):
            following = self.due(at)
            if following is None or following >= until:
                break
            at = following
        return at

    def _look(self, at: dt.datetime) -> bool:
        """Look at the value; return whether something has come of it."""
        if self._down:
            return False
        before = self._over, self._crossed, self._in_emergency
        self._in_emergency = self.emergency(at)
        value = self._monitored(at)
        if not self._is_across(value):
            self._crossed = None
        elif self._crossed is None:
            self._crossed = at
        act = self._crossed is not None and at >= self._crossed + self._duration(not self._over)
        if act:
            self._over, self._crossed = not self._over, None
        if (self._over, self._crossed, self._in_emergency) != before:
            self._save()
        if self._in_emergency is not before[2]:
            self._device.tell("limiter-threshold-changed", at, limiter=self.instance_id)
        if act:
            self._act(value, at)
            self._begin_duration(at)
        return act or self._in_emergency is not before[2]

    def _is_across(self, value: int | float | None) -> bool:
        """Whether a value is on the side on which nothing has been done yet."""
        limit: int | float = self.value(_THRESHOLDS[self._in_emergency])
        return value is not None and (value > limit) is not self._over

    def _begin_duration(self, at: dt.datetime) -> None:
        """Begin a duration anew if the value is across."""
        self._crossed = at if self._is_across(self._monitored(at)) else None
        self._save()

    def _heard(self, happening: Happening) -> None:
        """Stand still from ``power-down`` to ``power-up``."""
        down = {"power-down": True, "power-up": False}.get(happening.name, self._down)
        if down is not self._down:
            self._down = down
            self._begin_duration(happening.at)
            self._device.clockwork.reconsider()

    def _act(self, value: Any, at: dt.datetime) -> None:
        actions: LimiterActions = self.value("actions")
        happening, script = (
            ("limiter-exceeded", actions.action_over_threshold)
            if self._over
            else ("limiter-normal", actions.action_under_threshold)
        )
        self._device.tell(happening, at, limiter=self.instance_id, value=value)
        run_script(self._device, script, at)

    def _duration(self, over: bool) -> dt.timedelta:
        name = "min_over_threshold_duration" if over else "min_under_threshold_duration"
        return dt.timedelta(seconds=self.value(name))

    def _monitored(self, at: dt.datetime) -> int | float | None:
        """Return the value, if there is one to be had that is a number."""
        monitored = value_of(self._device, self.value("monitored_value"), at)
        return monitored[1] if monitored is not None and _is_number(monitored[1]) else None

    # ---- thresholds -------------------------------------------------------------------------------------------------

    def _active(self, now: dt.datetime) -> EncodedData:
        return self._constants[self.interface.attribute_named(_THRESHOLDS[self.emergency(now)]).index]

    def _begin(self) -> dt.datetime | None:
        """Return when the emergency begins, by the clock of the meter; None where there is none."""
        profile: EmergencyProfile = self.value("emergency_profile")
        if profile.emergency_profile_id not in self.value("emergency_profile_group_id_list"):
            return None
        begin = profile.emergency_activation_time
        return None if begin.is_unspecified else self._clock.moment(begin)

    def _emergency_edges(self) -> list[dt.datetime]:
        begin = self._begin()
        if begin is None:
            return []
        try:
            begin -= self._clock.offset
            return [begin, begin + dt.timedelta(seconds=self.value("emergency_profile").emergency_duration)]
        except OverflowError:  # beyond the calendar
            return []

    # ---- attributes, state ------------------------------------------------------------------------------------------

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse what cannot be compared, or comes at no time. Raises AccessRefused."""
        if name in _THRESHOLDS and at is None:  # afterwards they keep their type
            refuse_unless(_is_number(value))
        elif name == "emergency_profile" and not value.emergency_activation_time.is_unspecified:
            try:
                self._clock.moment(value.emergency_activation_time)
            except DecodeError:
                refuse()
        elif name == "monitored_value" and at is not None:
            refuse_unless_simple(self._device, value, at)

    def taken(self, name: str, at: dt.datetime) -> None:
        """Go by the new value at once."""
        if name == "monitored_value":
            self._crossed = None
        if name == _THRESHOLDS[self.emergency(at)]:
            self._device.tell("limiter-threshold-changed", at, limiter=self.instance_id)
        self._look(at)
        self._device.clockwork.reconsider()

    def restore(self) -> None:
        """Go on from what was kept. Raises StoreError."""
        super().restore()
        kept = load_json(self.memory, "limiter")
        if kept is not None:
            self._over, crossed, self._in_emergency, self._down = kept
            self._crossed = None if crossed is None else dt.datetime.fromisoformat(crossed)

    def _save(self) -> None:
        crossed = None if self._crossed is None else self._crossed.isoformat()
        save_json(self.memory, "limiter", [self._over, crossed, self._in_emergency, self._down])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
