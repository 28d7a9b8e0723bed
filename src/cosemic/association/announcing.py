"""What a device sends of its own accord in an association that stands (IEC 62056-5-3; reference, application layer 12).

::

    0F    data-notification     logical names and short names
    18    information-report    short names
    C2    event-notification    logical names

Each needs its conformance bit. In an association with ciphering it is protected as answers are; a data-notification has
no ciphered form of its own, so that it needs general-protection. Where the policy asks for signed answers it goes in
layers of general protection, and needs the same. What is longer than the client takes is cut into
unconfirmed general block transfer where that was agreed.
"""

from __future__ import annotations

from typing import Final

from cosemic.association.notifications import BITS
from cosemic.association.server_layers import ServerLayers
from cosemic.association.service_provider import Agreement
from cosemic.association.unconfirmed_blocks import cut
from cosemic.dialect import Dialect
from cosemic.errors import EncodeError, NotAssociated, ServiceFailed
from cosemic.security import Envelope, SecurityContext
from cosemic.values import Conformance

MOST_HELD: Final = 64
"""Notifications that wait for the end of an answer in blocks."""
_LONGEST: Final = 0xFFFF
"""Octets of an APDU to a client that names no limit: no link carries more."""


def check_announced(octets: bytes, agreement: Agreement | None, context: SecurityContext | None) -> Agreement:
    """Return what was agreed where this may be sent.

    Raises NotAssociated without an association, ServiceFailed for what was not agreed upon, EncodeError for what is no
    notification.
    """
    if agreement is None:
        raise NotAssociated("no association stands in which this could be sent")
    bit = BITS.get(octets[0]) if octets else None
    if bit is None:
        raise EncodeError("a device sends notifications of its own accord, and nothing else")
    _need(agreement, bit)
    if context is not None and envelope_of(octets, context).general:
        _need(agreement, Conformance.GENERAL_PROTECTION)
    return agreement


def announced(
    octets: bytes,
    agreement: Agreement | None,
    context: SecurityContext | None,
    dialect: Dialect,
    layers: ServerLayers | None = None,
) -> list[bytes]:
    """Return a notification as APDUs that the client takes. layers: those that are put around it; None: none are.

    Raises what :func:`check_announced` raises, ServiceFailed for what is too long, SecurityError.
    """
    agreement = check_announced(octets, agreement, context)
    if layers is not None:
        _need(agreement, Conformance.GENERAL_PROTECTION)
        octets = layers.announce(octets)
    elif context is not None:
        octets = context.protect_apdu(octets, envelope_of(octets, context))
    most = agreement.max_send_pdu_size or _LONGEST
    if len(octets) <= most:
        return [octets]
    _need(agreement, Conformance.GENERAL_BLOCK_TRANSFER)
    return cut(octets, most, last_streaming=dialect.unconfirmed_last_block_streaming)


def envelope_of(octets: bytes, context: SecurityContext) -> Envelope:
    """Return the envelope of a notification: that of answers, where it has a form for it."""
    usual = context.envelope
    return Envelope.kind(dedicated=usual.dedicated, general=usual.general or not usual.holds(octets[0]))


def _need(agreement: Agreement, bit: Conformance) -> None:
    if bit & ~agreement.conformance:
        (name,) = bit.names()
        raise ServiceFailed(f"the client did not agree to {name} when the association was opened", label=name)
