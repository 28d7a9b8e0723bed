"""The device behind the server in the tests of the whole application layer: few objects, and every change written down.

The same class is the plain model: the oracle asks a shelf of its own directly, in the order in which the device has to
be asked, and in the end both shelves have to be alike.
"""

from __future__ import annotations

from typing import Any

from cosemic import apdu as a
from cosemic.apdu import ActionResponseWithOptionalData, CosemAttributeDescriptor, CosemMethodDescriptor
from cosemic.association.attribute_0 import joined, split
from cosemic.association.service_provider import Access
from cosemic.codec import DataType, EncodedData
from cosemic.errors import DecodeError
from cosemic.security import Protection
from cosemic.values import ActionResult, DataAccessResult, Obis

OBJECTS = 4
ATTRIBUTES = 3
NULL = EncodedData.of(DataType.NULL_DATA)
STAMP = bytes.fromhex("07EA0B14050E1E0000FFC400")
"""What the clock of the device shows."""
SEALED = 3
"""The object whose attributes cannot be written."""
_R = DataAccessResult
_METHODS = 9


def place(number: int, attribute: int) -> CosemAttributeDescriptor:
    """An attribute of an object; there is no object OBJECTS, and attribute 0 is the whole object."""
    return CosemAttributeDescriptor(1, Obis(bytes((1, 0, 96, number, 0, 255))), attribute)


def method(number: int) -> CosemMethodDescriptor:
    return CosemMethodDescriptor(_METHODS, Obis("0-0:10.0.0"), number)


ECHO, QUIET, DENIED = method(1), method(2), method(3)
UNKNOWN_NAME = 0xFFF8
"""Short name of nothing."""
ATTRIBUTE_NAMES = {
    0x1008 + 0x100 * number + 8 * (attribute - 1): place(number, attribute)
    for number in range(OBJECTS + 1)
    for attribute in range(1, ATTRIBUTES + 1)
}
METHOD_NAMES = {0x4020: ECHO, 0x4028: QUIET, 0x4030: DENIED}


class Device:
    """Objects 0 to OBJECTS - 1 with attributes 1 to ATTRIBUTES, and three methods."""

    def __init__(self) -> None:
        self.values: dict[bytes, EncodedData] = {
            place(number, attribute).encode(): EncodedData.of(DataType.UNSIGNED, 16 * number + attribute)
            for number in range(OBJECTS)
            for attribute in range(1, ATTRIBUTES + 1)
        }
        self.changes: list[tuple[Any, ...]] = []
        """Every SET and every method that the device was asked for, in order."""
        self.applied: set[Protection] = set()
        """How requests were protected."""

    def resolve(self, short_name: int) -> CosemAttributeDescriptor | CosemMethodDescriptor | None:
        return ATTRIBUTE_NAMES.get(short_name) or METHOD_NAMES.get(short_name)

    def date_time(self) -> bytes:
        return STAMP

    def get(
        self,
        attribute: CosemAttributeDescriptor,
        selection: a.SelectiveAccessDescriptor | None,
        access: Access | None = None,
    ) -> EncodedData | DataAccessResult:
        """What a selection selects is the whole value, and the selection itself."""
        self._note(access)
        if not attribute.attribute_id:
            whole = [self.values.get(each) for each in _all_of(attribute)]
            return _R.OBJECT_UNDEFINED if whole[0] is None else joined([one or NULL for one in whole])
        value = self.values.get(attribute.encode())
        if value is None:
            return _R.OBJECT_UNDEFINED
        if selection is None:
            return value
        selector = EncodedData.of(DataType.UNSIGNED, selection.access_selector)
        return joined([value, selector, selection.access_parameters])

    def set(
        self,
        attribute: CosemAttributeDescriptor,
        selection: a.SelectiveAccessDescriptor | None,
        value: EncodedData,
        access: Access | None = None,
    ) -> DataAccessResult:
        self._note(access)
        self.changes.append(("set", attribute.encode(), _octets_of(selection), value.octets))
        places = [attribute.encode()] if attribute.attribute_id else _all_of(attribute)
        if places[0] not in self.values:
            return _R.OBJECT_UNDEFINED
        if attribute.instance_id[3] == SEALED:
            return _R.READ_WRITE_DENIED
        if attribute.attribute_id:
            self.values[places[0]] = value
            return _R.SUCCESS
        try:
            values = split(value)
        except DecodeError:
            return _R.TYPE_UNMATCHED
        if len(values) != ATTRIBUTES:
            return _R.TYPE_UNMATCHED
        self.values.update((at, one) for at, one in zip(places, values, strict=True) if one != NULL)
        return _R.SUCCESS

    def action(
        self, method: CosemMethodDescriptor, parameters: EncodedData | None, access: Access | None = None
    ) -> ActionResponseWithOptionalData:
        self._note(access)
        self.changes.append(("action", method.encode(), None if parameters is None else parameters.octets))
        if method == DENIED:
            return ActionResponseWithOptionalData(ActionResult.READ_WRITE_DENIED)
        return ActionResponseWithOptionalData(ActionResult.SUCCESS, parameters if method == ECHO else None)

    def _note(self, access: Access | None) -> None:
        if access is not None:
            self.applied.add(access.applied)


def _all_of(attribute: CosemAttributeDescriptor) -> list[bytes]:
    number = attribute.instance_id[3]
    return [place(number, each).encode() for each in range(1, ATTRIBUTES + 1)]


def _octets_of(selection: a.SelectiveAccessDescriptor | None) -> bytes | None:
    return None if selection is None else selection.encode()
