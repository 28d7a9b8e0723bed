"""The envelopes of ciphered APDUs: which tag stands for what, and where the octets lie (IEC 62056-5-3, COSEMpdu).

::

    glo-..., ded-...              tag | length | SC IC body [T]
    general-glo-ciphering   DB    tag | length system-title | length | SC IC body [T]
    general-ded-ciphering   DC    the same

The body holds one complete APDU with its own tag. A service-specific envelope names that tag by its own.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from cosemic.codec.length import encode_length, read_length
from cosemic.errors import DecodeError
from cosemic.security.suite import CONTROLS, SYSTEM_TITLE_LENGTH, SecurityControl

GLO_TAGS: Final[dict[int, int]] = {
    0x01: 0x21,  # initiateRequest
    0x05: 0x25,  # readRequest
    0x06: 0x26,  # writeRequest
    0x08: 0x28,  # initiateResponse
    0x0C: 0x2C,  # readResponse
    0x0D: 0x2D,  # writeResponse
    0x0E: 0x2E,  # confirmedServiceError
    0x16: 0x36,  # unconfirmedWriteRequest
    0x18: 0x38,  # informationReportRequest
    0xC0: 0xC8,  # get-request
    0xC1: 0xC9,  # set-request
    0xC2: 0xCA,  # event-notification-request
    0xC3: 0xCB,  # action-request
    0xC4: 0xCC,  # get-response
    0xC5: 0xCD,  # set-response
    0xC7: 0xCF,  # action-response
}
"""Service-specific global ciphering: tag of the envelope by tag of the APDU."""
DED_TAGS: Final[dict[int, int]] = {plain: glo + (0x20 if glo < 0x80 else 0x08) for plain, glo in GLO_TAGS.items()}
"""Service-specific dedicated ciphering."""
GENERAL_GLO: Final = 0xDB
GENERAL_DED: Final = 0xDC
GENERAL_BLOCK_TRANSFER: Final = 0xE0
"""Never in an envelope, but where a meter ciphers each block on its own."""
PLAIN_TAGS: Final = frozenset({*GLO_TAGS, 0x0F, 0x10, 0xD8, 0xD9, 0xDA})
"""xDLMS APDUs that a general envelope may hold: those above and data-notification, its confirmation,
exception-response, access-request and access-response."""


class Envelope(Enum):
    """Kinds of envelopes; ``dedicated`` and ``general`` tell what each is."""

    GLO = (False, False)
    DED = (True, False)
    GENERAL_GLO = (False, True)
    GENERAL_DED = (True, True)

    def __init__(self, dedicated: bool, general: bool) -> None:
        self.dedicated = dedicated
        """Enciphered with the dedicated key."""
        self.general = general
        """Carries the originator's system title, and any APDU."""

    # Members are compared by identity: so may they be hashed, which is what finding the keys of one costs.
    __hash__ = object.__hash__

    @classmethod
    def kind(cls, *, dedicated: bool, general: bool) -> Envelope:
        """Return the envelope with these traits."""
        if general:
            return cls.GENERAL_DED if dedicated else cls.GENERAL_GLO
        return cls.DED if dedicated else cls.GLO

    def holds(self, tag: int) -> bool:
        """Tell whether an APDU with that tag can travel in this envelope."""
        return tag in (PLAIN_TAGS if self.general else GLO_TAGS)

    @classmethod
    def of(cls, apdu: bytes) -> Envelope | None:
        """Return the envelope that an APDU is, None for any other."""
        return ENVELOPES.get(apdu[0]) if apdu else None


ENVELOPES: Final[dict[int, Envelope]] = (
    dict.fromkeys(GLO_TAGS.values(), Envelope.GLO)
    | dict.fromkeys(DED_TAGS.values(), Envelope.DED)
    | {GENERAL_GLO: Envelope.GENERAL_GLO, GENERAL_DED: Envelope.GENERAL_DED}
)
"""Envelope by first octet."""
INNER_TAGS: Final[dict[int, int]] = {
    envelope: plain for table in (GLO_TAGS, DED_TAGS) for plain, envelope in table.items()
}
"""Tag of the APDU by tag of its service-specific envelope."""


class Opened(NamedTuple):
    """The parts of an envelope.

    system_title: 8 octets, None where there is none or an empty one. content: SC IC body T.
    """

    system_title: bytes | None
    content: bytes


def open_envelope(apdu: bytes) -> Opened:
    """Return the parts of a ciphered APDU. Raises DecodeError for anything else, and for octets after its end."""
    envelope = Envelope.of(apdu)
    if envelope is None:
        raise DecodeError("the tag of a ciphered APDU", 0, "tag")
    start = 1
    system_title = None
    if envelope.general:
        length, start = read_length(apdu, 1)
        system_title = apdu[start : start + length] or None
        start += length
        if length not in (0, SYSTEM_TITLE_LENGTH) or start > len(apdu):
            raise DecodeError("a system title of 8 octets, or an empty one", 1, "system-title")
    length, start = read_length(apdu, start)
    if start + length != len(apdu):
        raise DecodeError(
            f"{length} octets of ciphered content, not the {len(apdu) - start} that follow", start, "ciphered-content"
        )
    return Opened(system_title, apdu[start:])


def control_of(apdu: bytes) -> SecurityControl:
    """Return the security control that a ciphered APDU names; nothing vouches for it yet.

    Raises DecodeError where there is none, and for one that protects nothing.
    """
    content = open_envelope(apdu).content
    if not content or not CONTROLS[content[0]].protection:
        raise DecodeError("a security control with authentication or encryption", len(apdu), "security-header")
    return CONTROLS[content[0]]


def head_of(envelope: Envelope, inner_tag: int, system_title: bytes) -> bytes:
    """Return what stands before the length of the ciphered content.

    inner_tag: of an APDU that the envelope :meth:`holds <Envelope.holds>`. system_title: 8 octets.
    """
    if envelope.general:
        return bytes((GENERAL_DED if envelope.dedicated else GENERAL_GLO, len(system_title))) + system_title
    return bytes(((DED_TAGS if envelope.dedicated else GLO_TAGS)[inner_tag],))


def seal_envelope(envelope: Envelope, inner_tag: int, system_title: bytes, content: bytes) -> bytes:
    """Return the ciphered APDU: the reverse of :func:`open_envelope`; the arguments are those of :func:`head_of`."""
    return head_of(envelope, inner_tag, system_title) + encode_length(len(content)) + content
