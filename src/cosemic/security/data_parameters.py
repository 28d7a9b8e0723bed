"""Protection parameters of data, and what they stand for (class 30, Push setup; reference, security 15).

::

    protection_parameters_element           layer
    authentication, encryption, both        SC | IC | body | [T]                    as in general-ciphering
    digital signature                       length data | length signature          as in general-signing

    META    transaction-id | originator-system-title | recipient-system-title | other-information
            each with its length in front; authenticated and signed; with an empty date-time as the dialect has it

key_info says nothing for a digital signature: it is sent as identified key 0, and passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cosemic.codec import read_length
from cosemic.codec.length import encode_length
from cosemic.dialect import DataProtectionMeta, DataProtectionSignature, Dialect
from cosemic.errors import DecodeError, EncodeError
from cosemic.model.protection import (
    AgreedKeyOptions,
    IdentifiedKey,
    KeyInfoElement,
    KeyInfoOptions,
    KeyInfoType,
    ProtectionOptions,
    ProtectionParametersElement,
    ProtectionType,
    WrappedKeyOptions,
)
from cosemic.security.general.layout import GeneralHeader, KeyEstablishment, KeyInfo, SigningParts
from cosemic.security.general.plan import Layer
from cosemic.security.suite import Protection, SecuritySuite
from cosemic.values import KekId

PROTECTIONS: Final[Mapping[int, Protection]] = {
    ProtectionType.AUTHENTICATION: Protection.AUTHENTICATED,
    ProtectionType.ENCRYPTION: Protection.ENCRYPTED,
    ProtectionType.AUTHENTICATION_AND_ENCRYPTION: Protection.AUTHENTICATED | Protection.ENCRYPTED,
    ProtectionType.DIGITAL_SIGNATURE: Protection.SIGNED,
}
_TYPES: Final = {protection: ProtectionType(number) for number, protection in PROTECTIONS.items()}
_IDENTIFIED: Final = {
    IdentifiedKey.GLOBAL_UNICAST_ENCRYPTION_KEY: KeyEstablishment.GLOBAL_UNICAST,
    IdentifiedKey.GLOBAL_BROADCAST_ENCRYPTION_KEY: KeyEstablishment.GLOBAL_BROADCAST,
}
_KEY_IDS: Final = {kind: key_id for key_id, kind in _IDENTIFIED.items()}
_AGREED: Final = {b"\x01": KeyEstablishment.ONE_PASS, b"\x02": KeyEstablishment.STATIC}
_KEY_PARAMETERS: Final = {kind: parameters for parameters, kind in _AGREED.items()}
_VOID: Final = KeyInfo(KeyEstablishment.GLOBAL_UNICAST)
FIELDS: Final = "a protection_parameters_element of class 30"


class DataHeader(GeneralHeader):
    """The fields that protection parameters have: those of general protection without date-time."""

    __slots__ = ()

    def encode(self) -> bytes:
        """Return META."""
        fields = self.transaction_id, self.originator, self.recipient, self.other_information
        return b"".join(encode_length(len(each)) + each for each in fields)


def header_of(
    transaction_id: bytes, originator: bytes, recipient: bytes, other_information: bytes, dialect: Dialect
) -> GeneralHeader:
    """Return the header of a layer, which encodes as META of the dialect."""
    with_date_time = dialect.data_protection_meta is DataProtectionMeta.EMPTY_DATE_TIME
    kind = GeneralHeader if with_date_time else DataHeader
    return kind(transaction_id, originator, recipient, b"", other_information)


def received(
    element: ProtectionParametersElement, dialect: Dialect
) -> tuple[GeneralHeader, Protection, KeyInfo | None]:
    """Return the header, the protection and the key-info of a layer that came, None for a digital signature.

    Raises DecodeError for a type, key or scheme that there is not.
    """
    options = element.protection_options
    header = header_of(
        options.transaction_id,
        options.originator_system_title,
        options.recipient_system_title,
        options.other_information,
        dialect,
    )
    protection = _protection(element)
    return header, protection, None if protection is Protection.SIGNED else key_info_of(options.key_info)


def wanted(element: ProtectionParametersElement, own: bytes, usual: bytes = b"") -> Layer:
    """Return the layer that the own side, of that title, is asked to apply.

    usual: recipient where none is named. An empty transaction_id asks for a fresh one; what stands in key_ciphered_data
    is passed over. Raises DecodeError as :func:`received`, EncodeError for another originator, or what no layer can be.
    """
    options, protection = element.protection_options, _protection(element)
    if options.originator_system_title not in (b"", own):
        raise EncodeError(f"the originator_system_title is not {own.hex()}: leave it empty")
    kind = None if protection is Protection.SIGNED else key_info_of(options.key_info).kind
    broadcast = kind is KeyEstablishment.GLOBAL_BROADCAST
    return Layer(
        recipient=options.recipient_system_title or (b"" if broadcast else usual),
        protection=protection,
        key_info=kind,
        transaction_id=options.transaction_id or None,
        other_information=options.other_information,
    )


def element_of(header: GeneralHeader, protection: Protection, key_info: KeyInfo | None) -> ProtectionParametersElement:
    """Return the parameters that tell of a layer. Raises EncodeError where they cannot say it."""
    if protection not in _TYPES:
        raise EncodeError("data are authenticated, encrypted, both or signed: a layer without protection cannot be")
    options = ProtectionOptions(
        header.transaction_id,
        header.originator,
        header.recipient,
        header.other_information,
        _key_info_element(key_info or _VOID),
    )
    return ProtectionParametersElement(_TYPES[protection], options)


def asking(layer: Layer, originator: bytes = b"", transaction_id: bytes = b"") -> ProtectionParametersElement:
    """Return the parameters that ask for a layer. originator: who is to apply it, 8 octets, or left to the meter.

    Raises EncodeError for a key-info that cannot be asked for: absent, or left to be chosen.
    """
    header = GeneralHeader(
        layer.transaction_id or transaction_id, originator, layer.recipient, b"", layer.other_information
    )
    if layer.protection is not Protection.SIGNED and layer.key_info is None:
        raise EncodeError("say where the key of the layer comes from: key_info")
    return element_of(header, layer.protection, None if layer.key_info is None else KeyInfo(layer.key_info))


def key_info_of(element: KeyInfoElement) -> KeyInfo:
    """Return the key-info that an element names. Raises DecodeError for one that there is not."""
    kind, options = element.key_info_type, element.key_info_options
    if kind == KeyInfoType.IDENTIFIED_KEY and options in list(IdentifiedKey):
        return KeyInfo(_IDENTIFIED[IdentifiedKey(options)])
    if kind == KeyInfoType.WRAPPED_KEY and isinstance(options, WrappedKeyOptions) and options.kek_id == KekId(0):
        return KeyInfo(KeyEstablishment.WRAPPED, options.key_ciphered_data)
    if kind == KeyInfoType.AGREED_KEY and isinstance(options, AgreedKeyOptions) and options.key_parameters in _AGREED:
        return KeyInfo(_AGREED[options.key_parameters], options.key_ciphered_data)
    raise DecodeError("key_info: an identified key, a wrapped key or an agreed key, with its options", path=FIELDS)


def follows(element: ProtectionParametersElement, template: ProtectionParametersElement) -> bool:
    """Whether parameters are such as they have to be; a field that the template leaves empty may be any.

    Raises DecodeError.
    """
    given, expected = element.protection_options, template.protection_options
    if element.protection_type != template.protection_type:
        return False
    signed = _protection(element) is Protection.SIGNED
    if not signed and key_info_of(given.key_info).kind is not key_info_of(expected.key_info).kind:
        return False
    return all(
        getattr(expected, name) in (b"", getattr(given, name))
        for name in ("originator_system_title", "recipient_system_title", "other_information", "transaction_id")
    )


def split_signed(data: bytes, header: GeneralHeader, suite: SecuritySuite, dialect: Dialect) -> SigningParts:
    """Return signed data as the parts of a general-signing. Raises DecodeError."""
    if dialect.data_protection_signature is DataProtectionSignature.APPENDED:
        end = len(data) - suite.signature_length
        if end < 0:
            raise DecodeError("data and a signature behind them", len(data), "signature")
        content, signature = data[:end], data[end:]
        return SigningParts(header, header.encode(), content, encode_length(end) + content, signature)
    length, start = read_length(data, 0)
    behind = start + length
    size, begin = read_length(data, behind)
    if begin + size != len(data):
        raise DecodeError("data and their signature, each with its length", behind, "signature")
    return SigningParts(header, header.encode(), data[start:behind], data[:behind], data[begin:])


def join_signed(signing_apdu: bytes, header: GeneralHeader, suite: SecuritySuite, dialect: Dialect) -> bytes:
    """Return signed data out of the general-signing APDU that they make."""
    octets = signing_apdu[1 + len(header.encode()) :]
    if dialect.data_protection_signature is DataProtectionSignature.OCTET_STRINGS:
        return octets
    length, start = read_length(octets, 0)
    return octets[start : start + length] + octets[-suite.signature_length :]


def _protection(element: ProtectionParametersElement) -> Protection:
    found = PROTECTIONS.get(element.protection_type)
    if found is None:
        raise DecodeError(f"a protection_type 0 to 3, not {int(element.protection_type)}", path=FIELDS)
    return found


def _key_info_element(key_info: KeyInfo) -> KeyInfoElement:
    kind, data = key_info
    options: KeyInfoOptions
    if kind in _KEY_IDS:
        return KeyInfoElement(KeyInfoType.IDENTIFIED_KEY, _KEY_IDS[kind])
    if kind is KeyEstablishment.WRAPPED:
        options = WrappedKeyOptions(KekId(0), data)
        return KeyInfoElement(KeyInfoType.WRAPPED_KEY, options)
    if kind in _KEY_PARAMETERS:
        options = AgreedKeyOptions(_KEY_PARAMETERS[kind], data)
        return KeyInfoElement(KeyInfoType.AGREED_KEY, options)
    raise EncodeError("protection parameters always name a key: an absent key-info cannot be said")
