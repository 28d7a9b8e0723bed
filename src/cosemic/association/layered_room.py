"""How many octets the layers of general-ciphering and general-signing add to an APDU at the most (reference, security
5.3, 5.4): what is left of the largest APDU is the room of what they carry.

::

    general-ciphering   tag, META, key-info, length, SC, IC, tag of 12
    general-signing     tag, META, length, length and octets of the signature

Lengths count with three octets: no APDU is longer than 65535.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cosemic.security import SecuritySuite
from cosemic.security.general import GeneralHeader, KeyEstablishment, Layer
from cosemic.security.general.protecting import LARGEST_APDU

_OWN_TRANSACTION_ID: Final = bytes(8)
_LENGTH: Final = 3
_TRAILER: Final = 17
"""Octets of security control, invocation counter and tag."""


def layers_overhead(layers: Iterable[Layer], own_title: bytes, suite: SecuritySuite) -> int:
    """Return the octets that layers add at the most; a key-info that is not named counts as the longest."""
    return sum(_overhead(layer, own_title, suite) for layer in layers)


def layered_room(max_pdu_size: int, layers: Iterable[Layer], own_title: bytes, suite: SecuritySuite) -> int:
    """Return the octets of the longest plain APDU that fits inside layers into one of ``max_pdu_size`` (0: no limit).

    Less than 1 where none does.
    """
    return (max_pdu_size or LARGEST_APDU) - layers_overhead(layers, own_title, suite)


def _overhead(layer: Layer, own_title: bytes, suite: SecuritySuite) -> int:
    transaction_id = _OWN_TRANSACTION_ID if layer.transaction_id is None else layer.transaction_id
    header = GeneralHeader(transaction_id, own_title, layer.recipient, layer.date_time, layer.other_information)
    octets = 1 + len(header.encode()) + _LENGTH
    if layer.signing:
        return octets + _LENGTH + suite.signature_length
    kinds = [layer.key_info] if layer.key_info is not None else list(KeyEstablishment)
    return octets + _TRAILER + max(_key_info(kind, suite) for kind in kinds)


def _key_info(kind: KeyEstablishment, suite: SecuritySuite) -> int:
    octets = len(kind.octets)
    if kind is KeyEstablishment.WRAPPED:
        return octets + _LENGTH + suite.wrapped_key_length
    if kind is KeyEstablishment.ONE_PASS:
        return octets + _LENGTH + suite.public_key_length + suite.signature_length
    return octets + 1
