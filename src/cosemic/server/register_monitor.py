"""Register monitor of a device (class 21; IEC 62056-6-2, 5.5): scripts that run when a value crosses thresholds.

::

    value                      _____________              above:  value > threshold
    threshold ------------- up /- - - - - - -\\ down -----  below:  value <= threshold, less the hysteresis
              ____________ ___/               \\________

The value is looked at every ``period`` seconds, and when :meth:`RegisterMonitorObject.evaluate` is called; the first
look only learns on which side it is. Of thresholds that are crossed together the nearest comes first. A threshold is
compared with a value of its own type, in the unit of the monitored object; numbers by size, other values in their
order. The standard has no hysteresis; without one a value that flutters about a threshold runs the scripts each time.

Refused: thresholds of a type other than that of the monitored value, with type-unmatched (so monitored_value is to be
written before them); thresholds of several types, with other-reason. A threshold without an action set runs nothing.

The device tells ``monitor-threshold-crossed`` (details monitor, threshold, value, upwards).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import DataType, EncodedData, Typed
from cosemic.errors import ConfigurationError
from cosemic.model import ActionSet, RegisterMonitor, ValueDefinition
from cosemic.server.clockwork import Order
from cosemic.server.kept import KeptObject, refuse_unless
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.monitored_value import next_look, refuse_unless_simple, value_of
from cosemic.server.objects import AccessRefused, Situation
from cosemic.server.scripts import run_script
from cosemic.server.state import load_json, save_json
from cosemic.values import DataAccessResult, Date, DateTime, Obis, Time

NOTHING: Final = ValueDefinition(0, Obis(bytes(6)), 0)
"""Stands where no value is monitored."""
_SIDES: Final = "sides"


class RegisterMonitorObject(KeptObject):
    """A register monitor.

    device: whose values it looks at, and whose scripts it runs. monitored_value: which one. thresholds: typed,
    ``(DataType, value)``. actions: one for each threshold. period: seconds between two looks, 0 for none but by
    :meth:`evaluate`. hysteresis: how far below a threshold a number has to come, as the value is coded. writable:
    clients with the right to may write all three.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        instance_id: Obis | str,
        monitored_value: ValueDefinition = NOTHING,
        thresholds: Sequence[Typed] = (),
        actions: Sequence[ActionSet] = (),
        *,
        period: int = 60,
        hysteresis: float = 0,
        writable: bool = True,
    ) -> None:
        if period < 0 or hysteresis < 0:
            raise ConfigurationError("period and hysteresis of a register monitor are not negative")
        self._device = device
        self._period = dt.timedelta(seconds=period)
        self._hysteresis = hysteresis
        self._above: list[bool] | None = None
        values = {"thresholds": thresholds, "monitored_value": monitored_value, "actions": actions}
        super().__init__(RegisterMonitor(instance_id), values, writable=values if writable else ())
        device.run(self, Order.SUPERVISING)

    # ---- as a process -----------------------------------------------------------------------------------------------

    def due(self, after: dt.datetime) -> dt.datetime | None:
        """Return when the value is looked at next."""
        if not self._period or not self._thresholds or self.value("monitored_value") == NOTHING:
            return None
        return next_look(after, self._period)

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        """Look at the value."""
        self.evaluate(at)
        return at

    def evaluate(self, at: dt.datetime) -> None:
        """Look at the value, and run the scripts of the thresholds that it has crossed since the last look.

        Raises StoreError.
        """
        thresholds, value = self._thresholds, self._monitored(at)
        if value is None or any(threshold[0] is not value[0] for threshold in thresholds):
            return
        size = _order(value[1])
        before = self._above
        above = [
            size > limit or (size > self._lower(limit) and before is not None and before[number])
            for number, limit in enumerate(_order(threshold[1]) for threshold in thresholds)
        ]
        if above == before:
            return
        self._above = above
        save_json(self.memory, _SIDES, above)
        crossed = [] if before is None else [number for number, side in enumerate(above) if side is not before[number]]
        upwards = bool(crossed) and above[crossed[0]]  # one value crosses all of them in one direction
        for number in sorted(crossed, key=lambda one: _order(thresholds[one][1]), reverse=not upwards):
            self._cross(number, thresholds[number][1], value[1], upwards, at)

    def _cross(self, number: int, threshold: Any, value: Any, upwards: bool, at: dt.datetime) -> None:
        self._device.tell(
            "monitor-threshold-crossed",
            at,
            monitor=self.instance_id,
            threshold=threshold,
            value=value,
            upwards=upwards,
        )
        actions: tuple[ActionSet, ...] = self.value("actions")
        if number < len(actions):
            run_script(self._device, actions[number].action_up if upwards else actions[number].action_down, at)

    def _lower(self, limit: Any) -> Any:
        return limit - self._hysteresis if isinstance(limit, int | float) else limit

    def _monitored(self, at: dt.datetime) -> Typed | None:
        return value_of(self._device, self.value("monitored_value"), at)

    # ---- attributes -------------------------------------------------------------------------------------------------

    @property
    def _thresholds(self) -> Sequence[Typed]:
        thresholds: Sequence[Typed] = self._constants[RegisterMonitor.thresholds.index].typed()[1]
        return thresholds

    def write(
        self,
        attribute_id: int,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        situation: Situation,
    ) -> None:
        """Write an attribute if it takes the value. Raises AccessRefused."""
        if attribute_id == RegisterMonitor.thresholds.index and attribute_id in self.writable and selection is None:
            self._decode(RegisterMonitor.thresholds.type, value)
            self._check_types({threshold[0] for threshold in value.typed()[1]}, situation.now)
        super().write(attribute_id, selection, value, situation)

    def _check_types(self, types: set[DataType], at: dt.datetime) -> None:
        monitored = self._monitored(at)
        if monitored is not None and types - {monitored[0]}:
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED)
        refuse_unless(len(types) <= 1)

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse a value to be monitored that is no simple one. Raises AccessRefused."""
        if name == "monitored_value" and at is not None:
            refuse_unless_simple(self._device, value, at)

    def taken(self, name: str, at: dt.datetime) -> None:
        """Learn anew on which side the value is."""
        if name != "actions":
            self._above = None
            self.memory.save(_SIDES, None)
        self._device.clockwork.reconsider()

    def restore(self) -> None:
        """Take up what was written, and on which side the value was. Raises StoreError."""
        super().restore()
        self._above = load_json(self.memory, _SIDES)


def _order(value: Any) -> Any:
    """What a value is compared by: of dates and times the octets, which follow each other as they do."""
    return value.octets if isinstance(value, DateTime | Date | Time) else value
