"""What ``decode`` is given, made into octets, keys and quirks.

Octets come as such or as hexadecimal text, the way people copy it from logs and web pages: ``7EA0 0A``, ``0x7e, 0xa0``,
``7e:a0:0a``, ``7E-A0-0A``. Keys come by the names of the table below.

=================  ===================================================================================================
ek, gbek, dk       encryption keys: global unicast, or that of one message; global broadcast (security control bit 6);
                   dedicated
ak                 authentication key; of no octets: left out of the authenticated data
kek                master key: opens the wrapped key of a general-ciphering
mbus_key           16 octets: security mode 5 of M-Bus, kind amis
system_title       8 octets, the sender's, where the APDU does not carry it
public_key         64 or 96 octets, x and y of the signer: verifies the signature of a general-signing
agreement_key      32 or 48 octets, private key for key agreement of one party of a general-ciphering with an agreed key
agreement_public_key   64 or 96 octets, that of the other party, for C(0e,2s)
public_key_of      8 octets, system title of the party whose public keys these are; of anybody unless it is given
=================  ===================================================================================================

A mapping may hold the other names of the test vectors too, so that a record's keys can be handed over as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cosemic.dialect import Quirk
from cosemic.errors import ConfigurationError, DecodeError
from cosemic.security.elliptic import PublicKey, SoftwareAgreementKey
from cosemic.security.keys import Key
from cosemic.security.suite import SUITES, SYSTEM_TITLE_LENGTH
from cosemic.values import Secret

Octets: TypeAlias = bytes | bytearray | memoryview
KeyValue: TypeAlias = Octets | str | Secret

ENCRYPTION_KEYS: Final = ("ek", "gbek", "dk", "kek")
KEY_NAMES: Final = (
    *ENCRYPTION_KEYS, "ak", "mbus_key", "system_title", "public_key", "agreement_key", "agreement_public_key",
    "public_key_of",
)  # fmt: skip
"""The keys that are of use here."""
_OTHER_NAMES: Final = frozenset(
    {
        "algorithm_id",
        "invocation_counter",
        "private_v",
        "security_control",
        "signature",
        "system_title_u",
        "system_title_v",
    }
)
_PUBLIC: Final = ("public_key", "agreement_public_key")
_TITLES: Final = ("system_title", "public_key_of")
_SEPARATORS: Final = re.compile(r"0[xX]|\\x|[\s:;,|_.\-\[\]{}()\"']+")
_NOT_HEX: Final = re.compile("[^0-9a-fA-F]")
_LEGAL_LENGTHS: Final = {
    "system_title": (8,),
    "mbus_key": (16,),
    "ak": (0, 16, 32),
    "public_key": (64, 96),
    "agreement_public_key": (64, 96),
    "agreement_key": (32, 48),
    "public_key_of": (8,),
} | dict.fromkeys(ENCRYPTION_KEYS, (16, 32))


@dataclass(frozen=True, slots=True)
class Keys:
    """Handles of the keys that ``decode`` was given; ``system_title`` is empty where there is none."""

    ek: Key | None = None
    gbek: Key | None = None
    dk: Key | None = None
    kek: Key | None = None
    ak: Key | None = None
    mbus_key: Secret | None = None
    system_title: bytes = field(default=b"")
    public_key: PublicKey | None = None
    agreement_key: SoftwareAgreementKey | None = None
    agreement_public_key: PublicKey | None = None
    public_key_of: bytes = field(default=b"")

    @classmethod
    def of(cls, keys: Mapping[str, KeyValue] | None) -> Keys:
        """Make the handles. Raises ConfigurationError for an unknown name or a value that cannot be such a key."""
        made: dict[str, Key | Secret | PublicKey | SoftwareAgreementKey | bytes] = {}
        for name, value in (keys or {}).items():
            if name in _OTHER_NAMES:
                continue
            if name not in KEY_NAMES:
                raise ConfigurationError(f"no key is called {name!r}: use {', '.join(KEY_NAMES)}")
            octets = _key_octets(name, value)
            if len(octets) not in _LEGAL_LENGTHS[name]:
                lengths = " or ".join(map(str, _LEGAL_LENGTHS[name]))
                raise ConfigurationError(f"the key {name} has {len(octets)} octets where {lengths} are needed")
            if name in _PUBLIC:
                made[name] = _public_key(octets)
                continue
            secret = Secret(octets, name)
            if name == "agreement_key":
                suite = next(one for one in SUITES.values() if one.curve and one.coordinate_length == len(octets))
                made[name] = SoftwareAgreementKey.of(secret, suite)
            else:
                made[name] = octets if name in _TITLES else secret if name == "mbus_key" else Key(secret)
        return cls(**made)  # type: ignore[arg-type]  # each is made as its name says


assert Keys.__dataclass_fields__.keys() == set(KEY_NAMES)
assert _LEGAL_LENGTHS["system_title"] == (SYSTEM_TITLE_LENGTH,)


def _public_key(octets: bytes) -> PublicKey:
    suite = next(suite for suite in SUITES.values() if suite.public_key_length == len(octets))
    try:
        return PublicKey.of(octets, suite)
    except DecodeError as error:
        raise ConfigurationError(f"the public key is no point of the curve {suite.curve}: {error.expected}") from None


def _key_octets(name: str, value: KeyValue) -> bytes:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, str):
        return Secret.from_hex(value, f"key {name}").reveal()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise ConfigurationError(f"the key {name} is octets or hexadecimal text, not {type(value).__name__}")


def octets_of(data: Octets | str) -> bytes:
    """Return the octets that ``data`` is, or that its hexadecimal text stands for.

    Raises DecodeError for text that is not hexadecimal (the offset counts characters), ConfigurationError for anything
    but octets and text.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if not isinstance(data, str):
        raise ConfigurationError(f"data is octets or hexadecimal text, not {type(data).__name__}")
    digits = _SEPARATORS.sub("", data)
    wrong = _NOT_HEX.search(digits)
    if wrong is not None:
        raise DecodeError(f"hexadecimal text, not {wrong[0]!r}", data.find(wrong[0]), "text")
    if len(digits) % 2:
        raise DecodeError(f"two hexadecimal digits for each octet, not {len(digits)} in all", len(data), "text")
    return bytes.fromhex(digits)


def quirks_of(quirks: Iterable[str | Quirk] | str) -> frozenset[Quirk]:
    """Return the quirks that are named. Raises ConfigurationError for a name that no quirk has."""
    found = set()
    for name in (quirks,) if isinstance(quirks, str) else quirks:
        try:
            found.add(Quirk(name))
        except ValueError:
            known = ", ".join(quirk.value for quirk in Quirk)
            raise ConfigurationError(f"no quirk is called {name!r}: use {known}") from None
    return frozenset(found)
