"""Register table of a device (class 61; IEC 62056-6-2, 5.2): one attribute of many objects, captured together.

::

    table_cell_definition   class 3, 1-0:1.8.255, E values 0 1 2, attribute 2
    table_cell_values       1-0:1.8.0  1-0:1.8.1  1-0:1.8.2                     at the last capture

Before the first capture, after a reset and under another definition there are no values. A cell that cannot be read
when the table is captured is null-data.

Refused with other-reason: a definition whose logical_name has another E than 255, or whose E values are not numbers up
to 255, each once; one of tables or of buffers of profiles, which could hold each other and grow without end.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any, Final

from cosemic.codec import DataType, EncodedData, Typed
from cosemic.errors import EncodeError
from cosemic.model import ProfileGeneric, RegisterTable, ScalerUnit, TableCellDefinition
from cosemic.server.kept import KeptObject, are_different, refuse_unless
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused
from cosemic.values import Obis

_NOTHING: Final = EncodedData.from_typed((DataType.ARRAY, ()))
_WILDCARD: Final = 255
_GROWING: Final = {
    (RegisterTable.class_id, RegisterTable.table_cell_values.index),
    (ProfileGeneric.class_id, ProfileGeneric.buffer.index),
}


class RegisterTableObject(KeptObject):
    """A register table.

    device: whose objects it reads. definition: of the cells. scaler_unit: that of all cells. writable: names of
    attributes that clients may write.

    Raises ConfigurationError, EncodeError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        instance_id: Obis | str,
        definition: TableCellDefinition,
        scaler_unit: ScalerUnit,
        *,
        writable: Collection[str] = (),
    ) -> None:
        self._device = device
        super().__init__(
            RegisterTable(instance_id),
            {
                "table_cell_values": _NOTHING,
                "table_cell_definition": definition,
                "scaler_unit": scaler_unit,
            },
            writable=writable,
            methods={
                "reset": lambda _, situation: self.reset(situation.now),
                "capture": lambda _, situation: self.capture(situation.now),
            },
        )

    def capture(self, at: dt.datetime) -> None:
        """Take the values of all cells at a moment of true time. Raises StoreError."""
        definition: TableCellDefinition = self.value("table_cell_definition")
        name = definition.logical_name
        cells = tuple(
            self._cell(definition, Obis(bytes((*name[:4], number, name.f))), at) for number in definition.group_E_values
        )
        self.keep("table_cell_values", EncodedData.from_typed((DataType.ARRAY, cells)))

    def reset(self, at: dt.datetime) -> None:
        """Drop the values. Raises StoreError."""
        self.keep("table_cell_values", _NOTHING)

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse a definition that names no objects. Raises AccessRefused."""
        if name == "table_cell_definition":
            numbers = value.group_E_values
            refuse_unless(value.logical_name.e == _WILDCARD and are_different(numbers))
            refuse_unless(all(type(number) is int and number in range(256) for number in numbers))
            refuse_unless((value.class_id, value.attribute_index) not in _GROWING)

    def taken(self, name: str, at: dt.datetime) -> None:
        """Drop values of other cells."""
        if name == "table_cell_definition":
            self.reset(at)

    def _cell(self, definition: TableCellDefinition, name: Obis, at: dt.datetime) -> Typed:
        try:
            return self._device.read(definition.class_id, name, definition.attribute_index, at).typed()
        except (AccessRefused, EncodeError):
            return DataType.NULL_DATA, None
