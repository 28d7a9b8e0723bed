"""Registers of a device (classes 3 and 4; IEC 62056-6-2, 5.2).

::

    RegisterObject("1-0:0.4.2", LONG_UNSIGNED, ratio, 100)                  a value that is kept
    RegisterObject("1-0:32.7.0", LONG_UNSIGNED, volts, voltage)             measured: a function of true time
    CountingRegisterObject("1-0:1.8.1", watt_hours, drawn, counts=...)      what the source brings while it counts
    ExtendedRegisterObject(clock, "1-0:1.6.0", ...)                         a value, its status and when it was captured

===================  ===================================================================================
reset                what it does
===================  ===================================================================================
a kept value         becomes the default of the instance
a measured value     has no reset: the next measurement would undo it
a counting register  counts on from the default
extended register    value as above, status RESET, capture_time that of the reset
===================  ===================================================================================

A counting register settles just before it begins or ceases to count (:meth:`CountingRegisterObject.settle`): it keeps
what it has counted, and where the source stands (the mark). So it is exact at any moment, for one call of the source::

    counted(now)  =  counted + (source(now) - mark, while it counts)       demand and the like go by it
    value         =  counted(now) + offset                                 reset and written with the offset

The value rolls over where its type ends.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from enum import IntFlag
from typing import Any, Final

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import DataType, EncodedData
from cosemic.model import ExtendedRegister, Register, ScalerUnit
from cosemic.model.types import Number
from cosemic.server.clock import ClockObject
from cosemic.server.kept import KeptObject, refuse_unless
from cosemic.server.local_time import NOT_SPECIFIED
from cosemic.server.objects import AccessRefused, CosemObject, Situation
from cosemic.server.state import load_json, save_json
from cosemic.values import DataAccessResult, Obis

Source = Callable[[dt.datetime], int]
"""What a register counts: a total that never falls, in the unit of the register, at a moment of true time (aware)."""
_VALUE: Final = Register.value.index


def always() -> bool:
    """Count at all times."""
    return True


class ValueStatus(IntFlag):
    """What is to be known about a captured value; the bits are of our making, as the standard leaves them open."""

    RESET = 1
    """The value is that of a reset."""
    IRREGULAR = 2
    """It was not measured over whole periods: one was cut short, or the clock was set within."""


NORMAL: Final = ValueStatus(0)


class RegisterObject(KeptObject):
    """A register whose value is kept, or measured.

    data_type: of the value. value: a whole or floating-point number as the type takes it, or a function of true time
    that gives one. default: of a kept value, for reset. writable: names of attributes that clients may write.

    Raises ConfigurationError, EncodeError.
    """

    def __init__(
        self,
        instance_id: Obis | str,
        data_type: DataType,
        scaler_unit: ScalerUnit,
        value: Any = 0,
        *,
        default: Any = 0,
        writable: Collection[str] = (),
    ) -> None:
        self._default = (data_type, default)
        kept: dict[str, Any] = {"scaler_unit": scaler_unit}
        if not callable(value):
            kept["value"] = (data_type, value)
        methods = {"reset": lambda _, situation: self.reset(situation.now)} if "value" in kept else {}
        super().__init__(Register(instance_id), kept, writable=writable, methods=methods)
        if callable(value):
            self.put("value", lambda now: EncodedData.of(data_type, value(now)))

    def reset(self, at: dt.datetime) -> None:
        """Give a kept value its default. Raises StoreError."""
        self.change("value", self._default, at)


class CountingRegisterObject(CosemObject):
    """A register that counts.

    source: what it counts. data_type: of the value. counts: whether it counts, as things stand; whoever changes that
    calls :meth:`settle` before. begun, mark: the reading when the source stood at ``mark``; by default the reading is
    that of the source. default: reading after a reset. writable: names of attributes that clients may write.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        instance_id: Obis | str,
        scaler_unit: ScalerUnit,
        source: Source,
        *,
        data_type: DataType = DataType.DOUBLE_LONG_UNSIGNED,
        counts: Callable[[], bool] = always,
        begun: int = 0,
        mark: int = 0,
        default: int = 0,
        writable: Collection[str] = (),
    ) -> None:
        self._source = source
        self._data_type = data_type
        self._capacity = Number(data_type).high + 1
        self._counts = counts
        self._counted = begun
        self._mark = mark
        self._offset = 0
        self._default = default
        super().__init__(
            Register(instance_id),
            {"value": self._value, "scaler_unit": scaler_unit},
            writers={name: self._write_value if name == "value" else None for name in writable},
            methods={"reset": lambda _, situation: self.reset(situation.now)},
        )

    def counted(self, now: dt.datetime) -> int:
        """Return what has been counted up to a moment, whatever the register was reset or written to."""
        return self._counted + (self._source(now) - self._mark if self._counts() else 0)

    def settle(self, at: dt.datetime) -> None:
        """Keep what has been counted up to a moment; whether it counts is going to change. Raises StoreError."""
        self._counted, self._mark = self.counted(at), self._source(at)
        self._save()

    def reset(self, at: dt.datetime) -> None:
        """Count on from the default. Raises StoreError."""
        self._show(self._default, at)

    def write(
        self,
        attribute_id: int,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        situation: Situation,
    ) -> None:
        """Write an attribute. Raises AccessRefused."""
        if attribute_id in self.writable and attribute_id == _VALUE and value.type is not self._data_type:
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED)
        super().write(attribute_id, selection, value, situation)

    def restore(self) -> None:
        """Count on from what was kept. Raises StoreError."""
        super().restore()
        kept = load_json(self.memory, "counted")
        if kept is not None:
            self._counted, self._mark, self._offset = kept

    def _value(self, now: dt.datetime) -> EncodedData:
        return EncodedData.of(self._data_type, (self.counted(now) + self._offset) % self._capacity)

    def _write_value(self, value: int, situation: Situation) -> None:
        refuse_unless(value >= 0)
        self._show(value, situation.now)

    def _show(self, reading: int, at: dt.datetime) -> None:
        self._offset = reading - self.counted(at)
        self._save()

    def _save(self) -> None:
        save_json(self.memory, "counted", [self._counted, self._mark, self._offset])


class ExtendedRegisterObject(KeptObject):
    """A register with a status and the time at which its value was captured.

    clock: of the meter. data_type: of the value. value: as configured; default: of the instance, for reset. writable:
    names of attributes that clients may write.

    Raises ConfigurationError, EncodeError.
    """

    def __init__(
        self,
        clock: ClockObject,
        instance_id: Obis | str,
        data_type: DataType,
        scaler_unit: ScalerUnit,
        value: Any = 0,
        *,
        default: Any = 0,
        writable: Collection[str] = (),
    ) -> None:
        self._clock = clock
        self._data_type = data_type
        self._default = default
        super().__init__(
            ExtendedRegister(instance_id),
            {
                "value": (data_type, value),
                "scaler_unit": scaler_unit,
                "status": _status(NORMAL),
                "capture_time": NOT_SPECIFIED,
            },
            writable=writable,
            methods={"reset": lambda _, situation: self.reset(situation.now)},
        )

    def capture(self, value: Any, at: dt.datetime, status: ValueStatus = NORMAL) -> None:
        """Take a value that was captured at a moment of true time. Raises EncodeError, StoreError."""
        self.keep("value", (self._data_type, value))
        self.keep("status", _status(status))
        self.keep("capture_time", self._clock.stamp(at))

    def reset(self, at: dt.datetime) -> None:
        """Give the value its default, and say so. Raises StoreError."""
        self.capture(self._default, at, ValueStatus.RESET)


def _status(status: ValueStatus) -> tuple[DataType, int]:
    return DataType.UNSIGNED, int(status)
