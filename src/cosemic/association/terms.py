"""What an exchange needs to know of its association, and the conformance bits of the services (IEC 62056-5-3)."""

from __future__ import annotations

from collections.abc import Collection, Generator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from cosemic.apdu import (
    CosemAttributeDescriptor,
    InvokeIdAndPriority,
    LongInvokeIdAndPriority,
    SelectiveAccessDescriptor,
)
from cosemic.codec import Limits
from cosemic.errors import AssociationError, EncodeError, ProtocolError, ServiceFailed
from cosemic.values import Conformance, Priority, ServiceClass

Exchange = Generator[Any, Any, Any]
GET: Final = int(Conformance.GET)
SET: Final = int(Conformance.SET)
ACTION: Final = int(Conformance.ACTION)
ACCESS: Final = int(Conformance.ACCESS)
ATTRIBUTE0_SUPPORTED_WITH_GET: Final = int(Conformance.ATTRIBUTE0_SUPPORTED_WITH_GET)
ATTRIBUTE0_SUPPORTED_WITH_SET: Final = int(Conformance.ATTRIBUTE0_SUPPORTED_WITH_SET)
GENERAL_PROTECTION: Final = int(Conformance.GENERAL_PROTECTION)
READ: Final = int(Conformance.READ)
WRITE: Final = int(Conformance.WRITE)
UNCONFIRMED_WRITE: Final = int(Conformance.UNCONFIRMED_WRITE)
PARAMETERIZED_ACCESS: Final = int(Conformance.PARAMETERIZED_ACCESS)
SELECTIVE_ACCESS: Final = int(Conformance.SELECTIVE_ACCESS)
MULTIPLE_REFERENCES: Final = int(Conformance.MULTIPLE_REFERENCES)
BLOCK_TRANSFER_WITH_GET_OR_READ: Final = int(Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ)
BLOCK_TRANSFER_WITH_SET_OR_WRITE: Final = int(Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE)
BLOCK_TRANSFER_WITH_ACTION: Final = int(Conformance.BLOCK_TRANSFER_WITH_ACTION)
_INVOKE_IDS: Final = tuple(InvokeIdAndPriority.of(n, ServiceClass.CONFIRMED, Priority.NORMAL) for n in range(16))
NEXT_INVOKE_ID: Final = tuple(_INVOKE_IDS[(n & 0x0F) % 15 + 1] for n in range(256))
"""Behind each octet, where no answer is owed."""
FIRST_INVOKE_ID: Final = _INVOKE_IDS[0]
"""That of passes 3 and 4; requests count from 1 to 15, and round again."""
FIRST_LONG_INVOKE_ID: Final = LongInvokeIdAndPriority.of(0)
"""Before the first; requests count from 1."""
MOST_OWED: Final = 15
"""Requests of which the answer may be missing."""
SILENT: Final = "fifteen requests in a row were not answered: connect again"


class Numbering(Enum):
    """By what the answer to a request is known."""

    SHORT = "invoke-id"
    """Invoke-id and priority: GET, SET, ACTION."""
    LONG = "long-invoke-id"
    """Long-invoke-id and priority: ACCESS."""
    NONE = "none"
    """By its place alone: the services with short names. After a time-out only a new connection helps."""
    TRANSACTION = "transaction-id"
    """By the transaction-id of its layers: what is handed on for third parties."""


@dataclass(slots=True)
class Terms:
    """What an exchange needs to know of its association.

    invoke: invoke-id and priority of all APDUs of the present one. room: largest plain APDU in octets. agreed:
    negotiated conformance, as a plain number: operators of flags take longer than all the rest here. limits: bounds of
    a joined answer. general_room: as room, in a general envelope. long_invoke: long-invoke-id and priority of the last
    APDU that has them. numbering: by what the answer to the present exchange is known.
    confirmed: whether confirmed services are served.
    """

    invoke: InvokeIdAndPriority
    room: int
    agreed: int
    limits: Limits
    general_room: int = 0
    long_invoke: LongInvokeIdAndPriority = FIRST_LONG_INVOKE_ID
    numbering: Numbering = Numbering.SHORT
    confirmed: bool = True

    def need(self, bit: int) -> None:
        """Raise ServiceFailed when a service was not agreed upon: nothing is sent then."""
        if not self.agreed & bit:
            name = Conformance(bit).names()[0]
            raise ServiceFailed(f"the meter did not agree to {name} when the association was opened", label=name)

    def need_for(
        self, attribute: CosemAttributeDescriptor, selection: SelectiveAccessDescriptor | None, bit: int
    ) -> None:
        """Raise what keeps attribute 0, all attributes of an object, from being asked for; bit: that it needs."""
        if attribute.attribute_id == 0:
            self.need(bit)
            if selection is not None:
                raise EncodeError("attribute 0 is the whole object: it cannot be asked for with a selection")


def next_invoke_id(last: int, owed: Collection[int]) -> InvokeIdAndPriority:
    """Return the one after the last, and after those that owe an answer. Raises AssociationError where all do."""
    invoke = NEXT_INVOKE_ID[last]
    if owed:
        taken = {one & 0x0F for one in owed if not isinstance(one, LongInvokeIdAndPriority)}
        free = [one for one in (*_INVOKE_IDS[invoke & 0x0F :], *_INVOKE_IDS[1:]) if one & 0x0F not in taken]
        if not free:
            raise AssociationError(SILENT)
        invoke = free[0]
    return invoke


def next_long_invoke_id(last: int, owed: Collection[int]) -> LongInvokeIdAndPriority:
    """Return the one after the last. Raises AssociationError where too many owe an answer."""
    if len(owed) >= MOST_OWED:
        raise AssociationError(SILENT)
    return LongInvokeIdAndPriority.of((last & 0xFFFFFF) + 1)


def unexpected(response: Any, wanted: str) -> ProtocolError:
    """The error for an answer of another kind."""
    return ProtocolError(f"the meter answered with {type(response).__name__}, {wanted} was expected")
