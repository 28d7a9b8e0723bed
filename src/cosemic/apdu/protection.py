"""APDUs that carry protected APDUs, blocks of APDUs, or APDUs for others (IEC 62056-5-3).

::

    21..38 glo-..., 41..58 ded-...    OCTET STRING: security control, invocation counter, contents, tag
    DB, DC    system-title  OCTET STRING as above
    DD        transaction-id originator recipient date-time other-information [key-info] OCTET STRING as above
    DF        the same five  content  signature
    E0        block-control block-number block-number-ack block-data
    E6, E7    network-id  physical-device-address  APDU

Ciphered content is an OCTET STRING here; what it holds is the business of ``security``.
"""

from __future__ import annotations

from typing import Annotated, Final

from cosemic.codec import Fixed, OctetString, RestOctets, Sequence, Unsigned8, Unsigned16, alternatives
from cosemic.errors import DecodeError
from cosemic.values import KekId, KeyId

GLOBAL: Final = {
    33: "initiate-request", 37: "read-request", 38: "write-request", 40: "initiate-response", 44: "read-response",
    45: "write-response", 46: "confirmed-service-error", 54: "unconfirmed-write-request",
    56: "information-report-request", 200: "get-request", 201: "set-request", 202: "event-notification-request",
    203: "action-request", 204: "get-response", 205: "set-response", 207: "action-response",
}  # fmt: skip
"""Tags of the glo- APDUs, and the services they protect."""
DEDICATED: Final = {tag + (32 if tag < 128 else 8): name for tag, name in GLOBAL.items()}
"""Tags of the ded- APDUs."""
PLAIN: Final = {tag: tag - (32 if tag < 128 else 8) for tag in GLOBAL} | {
    tag: tag - (64 if tag < 128 else 16) for tag in DEDICATED
}
"""Tag of a glo- or ded- APDU to the tag of the plain APDU inside."""


def _known_tag(tag: int) -> int:
    if tag not in PLAIN:
        raise DecodeError(f"the tag of a glo- or ded- APDU, not {tag:02x}")
    return tag


class ServiceSpecificCiphering(Sequence):
    """One of the thirty-two glo- and ded- APDUs; they differ in their tag only."""

    tag: Annotated[int, Fixed("tag", "B", make=_known_tag)]
    ciphered_content: OctetString

    @property
    def label(self) -> str:
        """Name of the APDU: ``glo-get-request``."""
        return f"glo-{GLOBAL[self.tag]}" if self.tag in GLOBAL else f"ded-{DEDICATED[self.tag]}"


class GeneralGloCiphering(Sequence, tag=219):
    """General-Glo-Ciphering; ``system_title`` may be empty."""

    system_title: OctetString
    ciphered_content: OctetString


class GeneralDedCiphering(Sequence, tag=220):
    """General-Ded-Ciphering."""

    system_title: OctetString
    ciphered_content: OctetString


class IdentifiedKey(Sequence):
    """The key is one of those installed."""

    key_id: KeyId


class WrappedKey(Sequence):
    """The key travels wrapped under a key-encrypting key."""

    kek_id: KekId
    key_ciphered_data: OctetString


class AgreedKey(Sequence):
    """The key is agreed by the scheme that ``key_parameters`` names (01 one-pass, 02 static)."""

    key_parameters: OctetString
    key_ciphered_data: OctetString


KeyInfo = Annotated[
    IdentifiedKey | WrappedKey | AgreedKey,
    alternatives(identified_key=(0, IdentifiedKey), wrapped_key=(1, WrappedKey), agreed_key=(2, AgreedKey)),
]


class GeneralCiphering(Sequence, tag=221):
    """General-Ciphering; the five header fields may be empty."""

    transaction_id: OctetString
    originator_system_title: OctetString
    recipient_system_title: OctetString
    date_time: OctetString
    other_information: OctetString
    key_info: KeyInfo | None
    ciphered_content: OctetString


class GeneralSigning(Sequence, tag=223):
    """General-Signing; ``content`` is an APDU, ``signature`` r and s end to end (it may be empty)."""

    transaction_id: OctetString
    originator_system_title: OctetString
    recipient_system_title: OctetString
    date_time: OctetString
    other_information: OctetString
    content: OctetString
    signature: OctetString


class BlockControl(int):
    """Block-Control: bit 7 last-block, bit 6 streaming, bits 0 to 5 window."""

    __slots__ = ()

    @classmethod
    def of(cls, *, last_block: bool, streaming: bool, window: int) -> BlockControl:
        """Make one from its parts; ``window`` 0 to 63."""
        return cls(last_block << 7 | streaming << 6 | window & 0x3F)

    @property
    def last_block(self) -> bool:
        """Whether this is the last block of the APDU."""
        return bool(self & 0x80)

    @property
    def streaming(self) -> bool:
        """Whether more blocks of this window follow without waiting."""
        return bool(self & 0x40)

    @property
    def window(self) -> int:
        """Number of blocks that the sender is ready to receive in one window."""
        return self & 0x3F


class GeneralBlockTransfer(Sequence, tag=224):
    """General-Block-Transfer: consecutive octets of one APDU."""

    block_control: Annotated[BlockControl, Fixed("Block-Control", "B", make=BlockControl)]
    block_number: Unsigned16
    block_number_ack: Unsigned16
    block_data: OctetString


class GatewayRequest(Sequence, tag=230):
    """Gateway prefix towards the device (Annex C); ``user_information`` is the APDU that follows."""

    network_id: Unsigned8
    physical_device_address: OctetString
    user_information: RestOctets


class GatewayResponse(Sequence, tag=231):
    """Gateway prefix from the device (Annex C)."""

    network_id: Unsigned8
    physical_device_address: OctetString
    user_information: RestOctets
