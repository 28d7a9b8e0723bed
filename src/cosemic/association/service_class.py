"""Service class and priority of what a client asks for (IEC 62056-5-3; reference, application layer 7, 18).

A confirmed request is answered, an unconfirmed one never, not even with an error: it is executed, or it is not. The
priority is that of the answer where several are due; high may be asked for where priority-mgmt was agreed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from cosemic.apdu import InvokeIdAndPriority, LongInvokeIdAndPriority
from cosemic.association.requests import DataTransfer, UnconfirmedWrite
from cosemic.association.terms import NEXT_INVOKE_ID, Numbering, Terms, next_invoke_id, next_long_invoke_id
from cosemic.errors import AssociationError, ServiceFailed
from cosemic.values import Conformance, Priority, ServiceClass

_CONFIRMED: Final = ServiceClass.CONFIRMED
_NORMAL: Final = Priority.NORMAL
_LONG: Final = Numbering.LONG
_SHORT: Final = Numbering.SHORT
_PRIORITY: Final = int(Conformance.PRIORITY_MGMT_SUPPORTED)
NOTHING_ANSWERED: Final = (
    "nothing is answered in this association: only unconfirmed requests can be sent (write_unconfirmed, "
    "call_unconfirmed); to read, open a confirmed association with one logical device"
)


def take_number(request: Any, numbering: Numbering, terms: Terms, owed: Collection[int]) -> bool:
    """Give a request the next invoke-id, with service class and priority as it wants them, in ``terms``.

    Requests with short names have none of these. Returns whether it is unconfirmed. Raises AssociationError where no
    invoke-id is free, and for a confirmed request where only unconfirmed ones are served; ServiceFailed for a high
    priority that was not agreed upon.
    """
    terms.numbering = numbering
    if numbering is _SHORT:
        terms.invoke = next_invoke_id(terms.invoke, owed) if owed else NEXT_INVOKE_ID[terms.invoke]
    elif numbering is _LONG:
        terms.long_invoke = next_long_invoke_id(terms.long_invoke, owed)
    else:
        unconfirmed = isinstance(request, UnconfirmedWrite)
        if not (unconfirmed or terms.confirmed):
            raise AssociationError(NOTHING_ANSWERED)
        return unconfirmed
    if request.service_class is _CONFIRMED and request.priority is _NORMAL and terms.confirmed:
        return False
    return _as_asked(request, terms)


def _as_asked(request: DataTransfer, terms: Terms) -> bool:
    service_class, priority = request.service_class, request.priority
    confirmed = service_class is _CONFIRMED
    if confirmed and not terms.confirmed:
        raise AssociationError(NOTHING_ANSWERED)
    if priority is not _NORMAL:
        terms.need(_PRIORITY)
    if terms.numbering is _LONG:
        terms.long_invoke = LongInvokeIdAndPriority.of(
            terms.long_invoke.invoke_id, service_class=service_class, priority=priority
        )
    else:
        terms.invoke = InvokeIdAndPriority.of(terms.invoke.invoke_id, service_class, priority)
    return not confirmed


def refuse_blocks(message: Any) -> None:
    """Raise ServiceFailed where an unconfirmed request would go block by block: nobody asks for the next one."""
    if hasattr(message, "datablock") or hasattr(message, "pblock"):
        raise ServiceFailed(
            "an unconfirmed request travels in one APDU, and this one is too long for it: send less at a time, or "
            "confirmed",
            label="pdu-too-long",
        )
