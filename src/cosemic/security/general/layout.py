"""The octets of general-ciphering and general-signing (IEC 62056-5-3, COSEMpdu; reference, security 5.3, 5.4).

::

    general-ciphering   DD    META | key-info | ciphered-content
    general-signing     DF    META | content | signature

    META        transaction-id | originator-system-title | recipient-system-title | date-time | other-information
    each of these, and all that follow but key-info, with its length in front

    key-info    00                                            absent
                01 00 00        01 00 01                      identified-key: global unicast, global broadcast
                01 01 00        length key-ciphered-data      wrapped-key, under the master key
                01 02 01 01     length key-ciphered-data      agreed-key, C(1e,1s): Q | signature
                01 02 01 02 00                                agreed-key, C(0e,2s)

META is authenticated as it was sent, so that it is kept as the slice that was received; key-info is not.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from cosemic.codec.length import encode_length, read_length
from cosemic.errors import DecodeError

GENERAL_CIPHERING: Final = 0xDD
GENERAL_SIGNING: Final = 0xDF
LAYER_TAGS: Final = frozenset({GENERAL_CIPHERING, GENERAL_SIGNING})
META_FIELDS: Final = 5


class KeyEstablishment(Enum):
    """Where the key of a layer comes from: ``octets``, those of its key-info before the key-ciphered-data."""

    ABSENT = "00"
    """Both sides know it: the global unicast encryption key."""
    GLOBAL_UNICAST = "010000"
    GLOBAL_BROADCAST = "010001"
    WRAPPED = "010100"
    """A fresh one, wrapped under the master key."""
    ONE_PASS = "01020101"  # noqa: S105 - octets of key-info
    """Agreed by C(1e,1s): the originator's ephemeral key and the recipient's static one."""
    STATIC = "01020102"
    """Agreed by C(0e,2s): the static keys of both, and the transaction-id."""

    def __init__(self, text: str) -> None:
        self.octets: Final = bytes.fromhex(text)
        self.agreed: Final = self.octets[:2] == b"\1\2"
        """Whether the key is agreed: all that third parties can do."""
        self.per_message: Final = self.agreed or self.octets[:2] == b"\1\1"
        """Whether the key is of one message, so that its invocation counter protects against no replay: key-info then
        carries key-ciphered-data, those of C(0e,2s) being empty."""
        self.label: Final = self.name.lower().replace("_", "-")
        """The word that settings and messages use."""

    # Members are compared by identity: so may they be hashed, which is what looking up a permitted form costs.
    __hash__ = object.__hash__


_KINDS: Final = {kind.octets: kind for kind in KeyEstablishment}


class KeyInfo(NamedTuple):
    """key-info: ``data`` are the key-ciphered-data, empty where there are none."""

    kind: KeyEstablishment
    data: bytes = b""

    def encode(self) -> bytes:
        """Return the octets, the one that says absent or present among them."""
        if self.kind.per_message:
            return self.kind.octets + encode_length(len(self.data)) + self.data
        return self.kind.octets


class GeneralHeader(NamedTuple):
    """The five fields that both APDUs begin with.

    transaction_id: chosen by who asks, echoed by who answers. originator, recipient: system titles, 8 octets; recipient
    empty in a broadcast. date_time: 12 octets, or empty. other_information: as agreed between the parties.
    """

    transaction_id: bytes = b""
    originator: bytes = b""
    recipient: bytes = b""
    date_time: bytes = b""
    other_information: bytes = b""

    def encode(self) -> bytes:
        """Return META."""
        return b"".join([octets for each in self for octets in (encode_length(len(each)), each)])


class CipheringParts(NamedTuple):
    """A general-ciphering APDU. meta: as received. content: SC IC body T."""

    header: GeneralHeader
    meta: bytes
    key_info: KeyInfo
    content: bytes


class SigningParts(NamedTuple):
    """A general-signing APDU. meta: as received. sized_content: the content with the length octets in front of it."""

    header: GeneralHeader
    meta: bytes
    content: bytes
    sized_content: bytes
    signature: bytes


def read_header(apdu: bytes) -> tuple[GeneralHeader, int]:
    """Return the header of a general-ciphering or -signing APDU, and where it ends. Raises DecodeError."""
    if not apdu or apdu[0] not in LAYER_TAGS:
        raise DecodeError("the tag of general-ciphering or general-signing", 0, "tag")
    end = 2 + apdu[1] if len(apdu) > 1 and apdu[1] < 128 else len(apdu)
    if apdu[end : end + 1] == apdu[end + 9 : end + 10] == b"\x08" and apdu[end + 18 : end + 20] == b"\0\0":
        # As it mostly is: two titles, and the rest empty.
        return GeneralHeader(apdu[2:end], apdu[end + 1 : end + 9], apdu[end + 10 : end + 18]), end + 20
    fields = []
    position = 1
    for name in GeneralHeader._fields:
        field, position = _octet_string(apdu, position, name)
        fields.append(field)
    return GeneralHeader(*fields), position


def split_ciphering(apdu: bytes) -> CipheringParts:
    """Return the parts of a general-ciphering APDU. Raises DecodeError for anything else, and for octets behind it."""
    if apdu[:1] != bytes((GENERAL_CIPHERING,)):
        raise DecodeError("the tag of general-ciphering", 0, "tag")
    header, end = read_header(apdu)
    key_info, position = _key_info(apdu, end)
    content, position = _octet_string(apdu, position, "ciphered-content")
    _check_end(apdu, position)
    return CipheringParts(header, apdu[1:end], key_info, content)


def split_signing(apdu: bytes) -> SigningParts:
    """Return the parts of a general-signing APDU. Raises DecodeError for anything else, and for octets behind it."""
    if apdu[:1] != bytes((GENERAL_SIGNING,)):
        raise DecodeError("the tag of general-signing", 0, "tag")
    header, end = read_header(apdu)
    content, behind = _octet_string(apdu, end, "content")
    signature, position = _octet_string(apdu, behind, "signature")
    _check_end(apdu, position)
    return SigningParts(header, apdu[1:end], content, apdu[end:behind], signature)


def _octet_string(apdu: bytes, position: int, name: str) -> tuple[bytes, int]:
    length = apdu[position] if position < len(apdu) else 128
    start = position + 1
    if length > 127:
        length, start = read_length(apdu, position)
    end = start + length
    if end > len(apdu):
        raise DecodeError(f"{length} octets, not the {len(apdu) - start} that follow", start, name.replace("_", "-"))
    return apdu[start:end], end


def _key_info(apdu: bytes, position: int) -> tuple[KeyInfo, int]:
    for length in (3, 1, 4):
        kind = _KINDS.get(apdu[position : position + length])
        if kind is not None:
            position += length
            if not kind.per_message:
                return KeyInfo(kind), position
            data, position = _octet_string(apdu, position, "key-ciphered-data")
            return KeyInfo(kind, data), position
    raise DecodeError("key-info: absent, an identified key, a wrapped key or an agreed key", position, "key-info")


def _check_end(apdu: bytes, position: int) -> None:
    if position != len(apdu):
        raise DecodeError(f"the end of the APDU, not {len(apdu) - position} more octets", position)
