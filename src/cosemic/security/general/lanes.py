"""The short way of layers of general-ciphering under the global unicast key, or a key that is wrapped.

::

    DD  n  transaction-id (n)  08 originator  08 recipient  00  00  key-info  length  SC  IC  body  [T]
    |        drawn             |------------------- familiar ----------------------|

    key-info of a wrapped key: 01 01 00  length  wrapped key, which is drawn and not familiar

Between transaction-id and counter stand the same octets in all APDUs of one size between two parties, without date-time
and other-information: made once when they are sent, and compared as one when they are received. Nothing is left out by
that: what they say was checked when they were kept, and they say the same again.

Both directions give what the straight way gives (:mod:`.protecting`, :mod:`.opening`): :mod:`.sending_lane`, and
:mod:`.receiving_lane`, which takes what is right in every point; for all else, and all errors, it leaves the APDU to
the straight one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cosemic.codec.length import SHORT
from cosemic.dialect import Dialect, GeneralCipheringAad
from cosemic.security.general.establishing import installed
from cosemic.security.general.layout import KeyEstablishment
from cosemic.security.general.parties import Party
from cosemic.security.general.plan import APPLIED
from cosemic.security.keys import Key
from cosemic.security.suite import Protection

MOST_FAMILIAR: Final = 256
"""Sizes of APDUs for which octets are kept."""
ENCRYPTED: Final = APPLIED[Protection.ENCRYPTED]
BOTH: Final = APPLIED[Protection.AUTHENTICATED | Protection.ENCRYPTED]
UNICAST: Final = frozenset({KeyEstablishment.ABSENT, KeyEstablishment.GLOBAL_UNICAST})
WRAPPED: Final = KeyEstablishment.WRAPPED
WRAPPING: Final = 8
"""Octets that wrapping adds to a key."""
Encrypt = Callable[[bytes, bytes, bytes | None], bytes]


def has_lane(dialect: Dialect) -> bool:
    """Tell whether APDUs of a dialect can go the short way."""
    return dialect.general_ciphering_aad is GeneralCipheringAad.META and not dialect.compression


def key_of(kind: KeyEstablishment | None, party: Party) -> Key | None:
    """Return the key that a key-info needs which can go the short way, None where there is none."""
    if kind is WRAPPED:
        return None if party.material is None else party.material.kek
    return installed(kind, party) if kind in UNICAST else None


def titles(originator: bytes, recipient: bytes) -> bytes:
    """Return what stands between transaction-id and key-info."""
    return b"".join((SHORT[len(originator)], originator, SHORT[len(recipient)], recipient, b"\0\0"))
