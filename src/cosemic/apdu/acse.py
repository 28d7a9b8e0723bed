"""ACSE: opening and releasing associations (IEC 62056-5-3, ACSE-1 module; BER).

::

    60 AARQ    61 AARE    62 RLRQ    63 RLRE

user-information holds the xDLMS Initiate, plain or ciphered, as an OCTET STRING.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from cosemic.codec import ber
from cosemic.codec.ber import BerSequence, Form, ObjectIdentifier, explicit, one_of, tagged
from cosemic.errors import DecodeError, EncodeError
from cosemic.values import (
    ApplicationContext,
    AssociationResult,
    AuthenticationMechanism,
    BitString,
    ProviderDiagnostic,
    ReleaseRequestReason,
    ReleaseResponseReason,
    UserDiagnostic,
    lookup,
)

_UA: Final = bytes.fromhex("60857405 08")
"""{joint-iso-ccitt(2) country(16) country-name(756) identified-organization(5) DLMS-UA(8)}"""


def _named(arc: int, names: type[ApplicationContext] | type[AuthenticationMechanism]) -> Form:
    """An OBJECT IDENTIFIER under one arc of the DLMS UA by its name; others as they are."""
    head = _UA + bytes((arc,))
    known = lookup(names)

    def read(contents: bytes) -> Any:
        identifier = ber.OBJECT_IDENTIFIER.read(contents)
        if len(identifier) == 7 and identifier.startswith(head):
            name = known[identifier[6]]
            if isinstance(name, names):
                return name
        return identifier

    def write(value: Any) -> bytes:
        if isinstance(value, ObjectIdentifier):
            return ber.OBJECT_IDENTIFIER.write(value)
        if not 0 <= value < 128:
            raise EncodeError(f"a number of one octet below 80 in an OBJECT IDENTIFIER, not {value}")
        return head + bytes((value,))

    return Form(read, write).knowing(names)


def _coded(names: Any) -> Form:
    """An INTEGER with names; a number without a name stays an int."""
    known = lookup(names)

    def read(contents: bytes) -> Any:
        number = ber.INTEGER.read(contents)
        return known[number] if 0 <= number < 256 else number

    return Form(read, ber.INTEGER.write).knowing(names)


class AuthenticationValue(bytes):
    """Authentication-value, the alternative charstring; bitstring is a :class:`AuthenticationBits`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<authentication value of {len(self)} octets>"


class AuthenticationBits(AuthenticationValue):
    """Authentication-value, the alternative bitstring: its octets."""

    __slots__ = ()


class ResultSourceDiagnostic(NamedTuple):
    """Associate-source-diagnostic: who says it (``acse_service_user`` or ``acse_service_provider``), and what."""

    source: str
    diagnostic: UserDiagnostic | ProviderDiagnostic | int


def _read_bits(contents: bytes) -> bytes:
    if not contents or contents[0]:
        raise DecodeError("a BIT STRING of whole octets: 00, octets")
    return contents[1:]


def _authentication_value() -> Form:
    """The CHOICE of charstring [0] and bitstring [1], both IMPLICIT."""
    form = one_of(
        {0x80: ber.OCTETS, 0x81: Form(_read_bits, lambda value: b"\x00" + value)},
        lambda tag, value: AuthenticationValue(value) if tag == 0x80 else AuthenticationBits(value),
        lambda value: (0x81 if isinstance(value, AuthenticationBits) else 0x80, bytes(value)),
    )
    return Form(form.read, form.write, octets_in=(0x80, AuthenticationValue))


_SOURCES: Final = {0xA1: "acse_service_user", 0xA2: "acse_service_provider"}
_TAGS: Final = {source: tag for tag, source in _SOURCES.items()}


def _diagnostic() -> Form:
    user, provider = _coded(UserDiagnostic), _coded(ProviderDiagnostic)
    return one_of(
        {0xA1: explicit(0x02, user), 0xA2: explicit(0x02, provider)},
        lambda tag, value: ResultSourceDiagnostic(_SOURCES[tag], value),
        lambda value: (_TAGS[value.source], value.diagnostic),
    )


_TITLE: Final = explicit(0x04, ber.OCTETS)
_ID: Final = explicit(0x02, ber.INTEGER)
_CONTEXT: Final = explicit(0x06, _named(1, ApplicationContext))
_MECHANISM: Final = _named(2, AuthenticationMechanism)

_BITS: Final = ber.BIT_STRING.knowing([BitString("1")])
_CONSTRUCTED_TEXT: Final = (0xBD, explicit(0x19, ber.GRAPHIC_STRING))

Bits = BitString
AUTHENTICATION_REQUIREMENT: Final = BitString("1")
"""acse-requirements with the authentication functional unit selected."""


class AARQ(BerSequence, tag=0x60):
    """AARQ-apdu: asks for an association."""

    protocol_version: Bits | None = tagged(0x80, _BITS, default=None)
    application_context_name: ApplicationContext | ObjectIdentifier = tagged(0xA1, _CONTEXT)
    called_ap_title: bytes | None = tagged(0xA2, _TITLE, default=None)
    called_ae_qualifier: bytes | None = tagged(0xA3, _TITLE, default=None)
    called_ap_invocation_id: int | None = tagged(0xA4, _ID, default=None)
    called_ae_invocation_id: int | None = tagged(0xA5, _ID, default=None)
    calling_ap_title: bytes | None = tagged(0xA6, _TITLE, default=None)
    calling_ae_qualifier: bytes | None = tagged(0xA7, _TITLE, default=None)
    calling_ap_invocation_id: int | None = tagged(0xA8, _ID, default=None)
    calling_ae_invocation_id: int | None = tagged(0xA9, _ID, default=None)
    sender_acse_requirements: Bits | None = tagged(0x8A, _BITS, default=None)
    mechanism_name: AuthenticationMechanism | ObjectIdentifier | None = tagged(0x8B, _MECHANISM, default=None)
    calling_authentication_value: AuthenticationValue | None = tagged(0xAC, _authentication_value(), default=None)
    application_context_name_list: bytes | None = tagged(0xAD, ber.OCTETS, default=None)
    implementation_information: str | None = tagged(0x9D, ber.GRAPHIC_STRING, also=_CONSTRUCTED_TEXT, default=None)
    user_information: bytes | None = tagged(0xBE, _TITLE, default=None)


class AARE(BerSequence, tag=0x61):
    """AARE-apdu: the answer; formally its fields may come in any order."""

    protocol_version: Bits | None = tagged(0x80, _BITS, default=None)
    application_context_name: ApplicationContext | ObjectIdentifier = tagged(0xA1, _CONTEXT)
    result: AssociationResult | int = tagged(0xA2, explicit(0x02, _coded(AssociationResult)))
    result_source_diagnostic: ResultSourceDiagnostic = tagged(0xA3, _diagnostic())
    responding_ap_title: bytes | None = tagged(0xA4, _TITLE, default=None)
    responding_ae_qualifier: bytes | None = tagged(0xA5, _TITLE, default=None)
    responding_ap_invocation_id: int | None = tagged(0xA6, _ID, default=None)
    responding_ae_invocation_id: int | None = tagged(0xA7, _ID, default=None)
    responder_acse_requirements: Bits | None = tagged(0x88, _BITS, default=None)
    mechanism_name: AuthenticationMechanism | ObjectIdentifier | None = tagged(0x89, _MECHANISM, default=None)
    responding_authentication_value: AuthenticationValue | None = tagged(0xAA, _authentication_value(), default=None)
    application_context_name_list: bytes | None = tagged(0xAB, ber.OCTETS, default=None)
    implementation_information: str | None = tagged(0x9D, ber.GRAPHIC_STRING, also=_CONSTRUCTED_TEXT, default=None)
    user_information: bytes | None = tagged(0xBE, _TITLE, default=None)


class RLRQ(BerSequence, tag=0x62):
    """RLRQ-apdu: asks for the release of the association."""

    reason: ReleaseRequestReason | int | None = tagged(0x80, _coded(ReleaseRequestReason), default=None)
    user_information: bytes | None = tagged(0xBE, _TITLE, default=None)


class RLRE(BerSequence, tag=0x63):
    """RLRE-apdu: the answer to it."""

    reason: ReleaseResponseReason | int | None = tagged(0x80, _coded(ReleaseResponseReason), default=None)
    user_information: bytes | None = tagged(0xBE, _TITLE, default=None)


def lengthen(octets: bytes) -> bytes:
    """Mend the quirk acse-short-lengths: outer length and both lengths of user-information are one too small.

    Gives back ``octets`` where the lengths do not show that fault.
    """
    if len(octets) < 2 or octets[1] >= 127 or octets[1] != len(octets) - 3:
        return octets
    position = 2
    while position + 1 < len(octets):
        length = octets[position + 1]
        if octets[position] == 0xBE:
            if position + 3 + length != len(octets) or octets[position + 3] + 5 + position != len(octets):
                return octets
            mended = bytearray(octets)
            mended[1] += 1
            mended[position + 1] += 1
            mended[position + 3] += 1
            return bytes(mended)
        position += 2 + length
    return octets
