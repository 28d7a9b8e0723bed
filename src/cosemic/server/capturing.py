"""What a profile captures: attributes of the objects of its device, read in turn (class 7; IEC 62056-6-2, 5.2).

::

    attribute_index   n > 0   attribute n: the logical name, a value, a scaler_unit, a capture_time ...
                      n < 0   the manufacturer's attribute
                      0       all public attributes: a structure of those that can be read
    data_index        0       the whole attribute
                      n       the n-th element of its structure or array

What cannot be read at the moment is null-data. Where all values of a row are functions of time, as in a simulator, one
function may make the row instead (:data:`RowFunction`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from cosemic.codec import DataType, encode_rows
from cosemic.errors import EncodeError
from cosemic.model import CaptureObjectDefinition
from cosemic.model.profile_status import AMRProfileStatus
from cosemic.server.cells import NO_CELL, elements, row_of
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused
from cosemic.server.profile_configuration import ALL_ATTRIBUTES
from cosemic.server.profile_status import ProfileStatusObject

_CONTAINERS = (DataType.ARRAY, DataType.STRUCTURE)


class Capture(NamedTuple):
    """One capture: true time, the same by the clock of the meter (both aware), and the status of the interval."""

    at: dt.datetime
    shown: dt.datetime
    status: AMRProfileStatus


RowFunction = Callable[[Capture], Sequence[Any]]
"""Makes the natives of a row, one for each column."""


class Source(Protocol):
    """Where rows come from."""

    def rows(self, captures: Sequence[Capture]) -> list[bytes]:
        """Return the encoded rows of some captures. Raises EncodeError."""


class ComputedRows:
    """Rows that a function makes; types: of the columns."""

    def __init__(self, row: RowFunction, types: Sequence[DataType]) -> None:
        self._row = row
        self._types = tuple(types)

    def rows(self, captures: Sequence[Capture]) -> list[bytes]:
        """Return the rows, encoded together. Raises EncodeError."""
        return elements(encode_rows(self._types, list(map(self._row, captures))))


class CapturedAttributes:
    """Rows that are read from the objects of a device. status: whose column is the status of the interval."""

    def __init__(
        self,
        device: LogicalDevice,
        capture_objects: Sequence[CaptureObjectDefinition],
        status: ProfileStatusObject | None = None,
    ) -> None:
        self._device = device
        self._capture_objects = tuple(capture_objects)
        self._status = status

    def rows(self, captures: Sequence[Capture]) -> list[bytes]:
        """Return the rows. A row in which something could not be read has the status *data not valid*."""
        return [row_of(self._cells(capture)) for capture in captures]

    def _cells(self, capture: Capture) -> list[bytes]:
        status = self._status
        at_status = None if status is None else status.captured_as
        complete = True
        cells = []
        for captured in self._capture_objects:
            try:
                cells.append(NO_CELL if captured == at_status else read(self._device, captured, capture.at))
            except (AccessRefused, EncodeError):
                complete = False
                cells.append(NO_CELL)
        if status is not None:
            bits = capture.status if complete else capture.status | AMRProfileStatus.DATA_NOT_VALID
            shown = status.encoded(bits).octets
            cells = [
                shown if captured == at_status else cell
                for captured, cell in zip(self._capture_objects, cells, strict=True)
            ]
        return cells


def read(device: LogicalDevice, captured: CaptureObjectDefinition, at: dt.datetime) -> bytes:
    """Return what a capture object stands for at a moment, encoded. Raises AccessRefused, EncodeError."""
    if captured.attribute_index == ALL_ATTRIBUTES:
        return _all_attributes(device, captured, at)
    value = device.read(captured.class_id, captured.logical_name, captured.attribute_index, at)
    if not captured.data_index:
        return value.octets
    found = elements(value.octets) if value.type in _CONTAINERS else []
    return found[captured.data_index - 1] if captured.data_index <= len(found) else NO_CELL


def _all_attributes(device: LogicalDevice, captured: CaptureObjectDefinition, at: dt.datetime) -> bytes:
    served = device.object(captured.class_id, captured.logical_name)
    values = []
    for attribute_id in sorted(served.readable) if served is not None else ():
        try:
            values.append(device.read(captured.class_id, captured.logical_name, attribute_id, at).octets)
        except (AccessRefused, EncodeError):
            values.append(NO_CELL)
    return row_of(values) if served is not None else NO_CELL


def is_there(device: LogicalDevice, captured: CaptureObjectDefinition, at: dt.datetime) -> bool:
    """Whether the device has what a capture object names."""
    served = device.object(captured.class_id, captured.logical_name)
    if served is None or captured.attribute_index not in (*served.readable, ALL_ATTRIBUTES):
        return False
    if not captured.data_index:
        return True
    try:
        return read(device, captured, at) != NO_CELL
    except (AccessRefused, EncodeError):
        return False
