"""The attributes of a profile that say what its buffer holds: 3 to 6 and 8 (class 7; IEC 62056-6-2, 5.2).

Rows that were captured under one configuration do not fit another: where one of these attributes changes, the buffer
is reset.
"""

from __future__ import annotations

from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.model import CaptureObjectDefinition, ProfileGeneric, SortMethod
from cosemic.model.compound import ArrayOf, Structure, field
from cosemic.model.enumerated import EnumOf
from cosemic.model.types import DoubleLongUnsigned
from cosemic.server.rows import UNSORTED
from cosemic.values import Obis

ALL_ATTRIBUTES: Final = 0
"""attribute_index that stands for all public attributes of an object."""
NO_OBJECT: Final = CaptureObjectDefinition(0, Obis(bytes(6)), 0, 0)
"""sort_object of a profile that is not sorted."""
MOST_COLUMNS: Final = 255
_GREATEST_ELEMENT: Final = 0x0FFF
"""Above, data_index selects parts of the buffer of a profile."""


class ProfileConfiguration(Structure):
    """capture_period is in seconds; the names are those of the attributes."""

    capture_objects: tuple[CaptureObjectDefinition, ...] = field(ArrayOf(CaptureObjectDefinition))
    capture_period: int = field(DoubleLongUnsigned)
    sort_method: SortMethod = field(EnumOf(SortMethod))  # type: ignore[assignment]  # or an int that is not listed
    sort_object: CaptureObjectDefinition = field(CaptureObjectDefinition)
    profile_entries: int = field(DoubleLongUnsigned.within(1))

    @property
    def sort_column(self) -> int | None:
        """Number of the column that rows are sorted by; None where they are not."""
        return None if self.sort_method in UNSORTED else self.capture_objects.index(self.sort_object)

    def check(self) -> None:
        """Raise ConfigurationError for what no profile can be.

        A profile captures no buffer of a profile: two that captured each other would grow without end.
        """
        if len(self.capture_objects) > MOST_COLUMNS:
            raise ConfigurationError(f"a profile has at most {MOST_COLUMNS} columns, not {len(self.capture_objects)}")
        for captured in self.capture_objects:
            _check_column(captured)
        if self.sort_method not in list(SortMethod):
            raise ConfigurationError(f"no sort_method is {self.sort_method}")
        if self.profile_entries < 1:
            raise ConfigurationError("a profile has room for one entry at least")
        if self.sort_object == NO_OBJECT:
            if self.sort_method not in UNSORTED:
                raise ConfigurationError("a sorted profile needs a sort_object")
        elif self.sort_object not in self.capture_objects:
            raise ConfigurationError("the sort_object is one of the capture_objects")


def _check_column(captured: CaptureObjectDefinition) -> None:
    whole = captured.attribute_index == ALL_ATTRIBUTES
    if captured.class_id == ProfileGeneric.class_id and (
        whole or captured.attribute_index == ProfileGeneric.buffer.index
    ):
        raise ConfigurationError(f"a profile does not capture the buffer of a profile: {captured.logical_name}")
    if captured.data_index > (0 if whole else _GREATEST_ELEMENT):
        raise ConfigurationError(
            f"data_index {captured.data_index} is no element of attribute {captured.attribute_index}"
        )
