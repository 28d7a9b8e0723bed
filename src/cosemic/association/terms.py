"""What an exchange needs to know of its association, and the conformance bits of the services (IEC 62056-5-3)."""

from __future__ import annotations

from collections.abc import Collection, Generator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from cosemic.apdu import InvokeIdAndPriority
from cosemic.codec import Limits
from cosemic.errors import AssociationError, ProtocolError, ServiceFailed
from cosemic.values import Conformance, Priority, ServiceClass

Exchange = Generator[Any, Any, Any]
GET: Final = int(Conformance.GET)
SET: Final = int(Conformance.SET)
ACTION: Final = int(Conformance.ACTION)
SELECTIVE_ACCESS: Final = int(Conformance.SELECTIVE_ACCESS)
MULTIPLE_REFERENCES: Final = int(Conformance.MULTIPLE_REFERENCES)
BLOCK_TRANSFER_WITH_GET_OR_READ: Final = int(Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ)
BLOCK_TRANSFER_WITH_SET_OR_WRITE: Final = int(Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE)
BLOCK_TRANSFER_WITH_ACTION: Final = int(Conformance.BLOCK_TRANSFER_WITH_ACTION)
_INVOKE_IDS: Final = tuple(InvokeIdAndPriority.of(n, ServiceClass.CONFIRMED, Priority.NORMAL) for n in range(16))
FIRST_INVOKE_ID: Final = _INVOKE_IDS[0]
"""That of passes 3 and 4; requests count from 1 to 15, and round again."""


class Numbering(Enum):
    """By what the answer to a request is known."""

    SHORT = "invoke-id"
    """Invoke-id and priority: GET, SET, ACTION."""
    LONG = "long-invoke-id"
    """Long-invoke-id and priority: ACCESS."""
    NONE = "none"
    """By its place alone: the services with short names. After a time-out only a new connection helps."""


@dataclass(slots=True)
class Terms:
    """What an exchange needs to know of its association.

    invoke: invoke-id and priority of all APDUs of the present one. room: largest plain APDU in octets. agreed:
    negotiated conformance, as a plain number: operators of flags take longer than all the rest here. limits: bounds of
    a joined answer.
    """

    invoke: InvokeIdAndPriority
    room: int
    agreed: int
    limits: Limits

    def need(self, bit: int) -> None:
        """Raise ServiceFailed when a service was not agreed upon: nothing is sent then."""
        if not self.agreed & bit:
            name = Conformance(bit).names()[0]
            raise ServiceFailed(f"the meter did not agree to {name} when the association was opened", label=name)


def next_invoke_id(last: int, owed: Collection[int]) -> InvokeIdAndPriority:
    """Return the one after the last, and after those that owe an answer. Raises AssociationError where all do."""
    invoke = _INVOKE_IDS[(last & 0x0F) % 15 + 1]
    if owed:
        free = [one for one in (*_INVOKE_IDS[invoke & 0x0F :], *_INVOKE_IDS[1:]) if one not in owed]
        if not free:
            raise AssociationError("fifteen requests in a row were not answered: connect again")
        invoke = free[0]
    return invoke


def unexpected(response: Any, wanted: str) -> ProtocolError:
    """The error for an answer of another kind."""
    return ProtocolError(f"the meter answered with {type(response).__name__}, {wanted} was expected")
