"""The forms of protection by the primitives of `cryptography` alone, by hand (reference, security 4, 5, 8).

What a good user of the library would write for one form, one suite and one size of APDU, and nothing else: cipher
objects and keys are kept, all that stays the same is prepared, everything lies at offsets known beforehand, and nothing
is checked but tags and signatures: no counter, no transaction-id, no title, no length. The octets are those of Cosemic.

Where a tag of 12 octets has to be checked, the kept one-shot cipher enciphers twice: it takes no short tags, and making
a `Cipher` for each APDU, which does, costs more than the second pass for all but long ones.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hmac import compare_digest
from itertools import count
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks import samples

A, E, AE, S = 1, 2, 3, 4
"""Protections, by the numbers of the standard."""
Run = Callable[[bytes], bytes]
ORIGINATOR, RECIPIENT = samples.CLIENT_TITLE, samples.METER_TITLE
FIRST_ID: Final = 1 << 40
"""The first transaction-id, as a number of 8 octets."""
KEY_INFOS: Final = {"absent": "00", "identified": "010000", "wrapped": "010100", "one-pass": "01020101"} | {
    "static": "01020102"
}


class WrongTag(Exception):
    """A tag of 12 octets does not fit."""


@dataclass(frozen=True)
class Keys:
    """The keys of one suite; private keys of originator (`o_`) and recipient (`r_`), 0 in a suite without a curve."""

    suite: int
    encryption: bytes
    authentication: bytes
    dedicated: bytes
    master: bytes
    o_signing: int = 0
    o_agreement: int = 0
    r_agreement: int = 0
    r_signing: int = 0

    @property
    def coordinate(self) -> int:
        """Octets of a coordinate."""
        return 32 if self.suite == 1 else 48

    @property
    def curve(self) -> Any:
        """The curve."""
        return ec.SECP256R1() if self.suite == 1 else ec.SECP384R1()

    @property
    def hash(self) -> Any:
        """The hash of signatures."""
        return hashes.SHA256() if self.suite == 1 else hashes.SHA384()

    def private(self, scalar: int) -> Any:
        """A private key."""
        return ec.derive_private_key(scalar, self.curve)


@cache
def keys(suite: int) -> Keys:
    """The keys that both contenders have."""
    length = 32 if suite == 2 else 16
    symmetric = [bytes(range(first, first + length)) for first in (0x00, 0xD0, 0x40, 0x80)]
    if suite == 0:
        return Keys(suite, *symmetric)
    private = [int.from_bytes(bytes([digit]) * (32 if suite == 1 else 48), "big") for digit in (0x11, 0x22, 0x33, 0x44)]
    return Keys(suite, *symmetric, *private)


def envelope(keys: Keys, form: str, protection: int, size: int) -> tuple[Run, Run]:
    """Protect and unprotect in glo, ded, general-glo or general-ded, for a get-response of ``size`` octets."""
    dedicated = form.endswith("ded")
    content = samples.length(5 + size + (12 if protection & A else 0))
    control = bytes([protection << 4 | keys.suite])
    if form.startswith("general"):
        head = bytes([0xDC if dedicated else 0xDB, 8]) + ORIGINATOR + content + control
    else:
        head = bytes([0xD4 if dedicated else 0xCC]) + content + control
    encrypt = AESGCM(keys.dedicated if dedicated else keys.encryption).encrypt
    title, aad, start, body = ORIGINATOR, control + keys.authentication, len(head), len(head) + 4
    counters = count()

    def protect(apdu: bytes) -> bytes:
        counter = next(counters).to_bytes(4, "big")
        if protection == AE:
            return head + counter + encrypt(title + counter, apdu, aad)[:-4]
        if protection == A:
            return head + counter + apdu + encrypt(title + counter, b"", aad + apdu)[:12]
        return head + counter + encrypt(title + counter, apdu, None)[:-16]

    def unprotect(octets: bytes) -> bytes:
        nonce = title + octets[start:body]
        if protection == AE:
            plain = encrypt(nonce, octets[body:-12], None)[:-16]
            if not compare_digest(encrypt(nonce, plain, aad)[-16:-4], octets[-12:]):
                raise WrongTag
            return plain
        if protection == A:
            plain = octets[body:-12]
            if not compare_digest(encrypt(nonce, b"", aad + plain)[:12], octets[-12:]):
                raise WrongTag
            return plain
        return encrypt(nonce, octets[body:], None)[:-16]

    return protect, unprotect


_BEFORE_ID: Final = b"\x08"
_BEHIND_ID: Final = b"\x08" + ORIGINATOR + b"\x08" + RECIPIENT + b"\x00\x00"
_META: Final = 1 + 8 + len(_BEHIND_ID)
"""Octets of the header of general-ciphering and -signing, with a transaction-id of 8."""


def ciphering(keys: Keys, form: str, protection: int, size: int) -> tuple[Run, Run]:
    """Protect and unprotect in general-ciphering with a global key (absent, identified)."""
    info = bytes.fromhex(KEY_INFOS[form])
    control = bytes([protection << 4 | keys.suite])
    tail = _BEHIND_ID + info + samples.length(5 + size + (12 if protection & A else 0)) + control
    encrypt = AESGCM(keys.encryption).encrypt
    title, sc_ak, start, body = ORIGINATOR, control + keys.authentication, 10 + len(tail), 14 + len(tail)
    numbers, counters = count(FIRST_ID), count()
    end = 1 + _META

    def protect(apdu: bytes) -> bytes:
        transaction_id, counter = next(numbers).to_bytes(8, "big"), next(counters).to_bytes(4, "big")
        head = b"\xdd\x08" + transaction_id + tail + counter
        if protection == AE:
            return head + encrypt(title + counter, apdu, sc_ak + head[1:end])[:-4]
        if protection == A:
            return head + apdu + encrypt(title + counter, b"", sc_ak + head[1:end] + apdu)[:12]
        return head + encrypt(title + counter, apdu, None)[:-16]

    def unprotect(octets: bytes) -> bytes:
        nonce = title + octets[start:body]
        if protection == AE:
            plain = encrypt(nonce, octets[body:-12], None)[:-16]
            if not compare_digest(encrypt(nonce, plain, sc_ak + octets[1:end])[-16:-4], octets[-12:]):
                raise WrongTag
            return plain
        if protection == A:
            plain = octets[body:-12]
            if not compare_digest(encrypt(nonce, b"", sc_ak + octets[1:end] + plain)[:12], octets[-12:]):
                raise WrongTag
            return plain
        return encrypt(nonce, octets[body:], None)[:-16]

    return protect, unprotect


def _wrapped(keys: Keys) -> tuple[Any, Any]:
    def give(_: bytes) -> tuple[bytes, bytes]:
        key = os.urandom(len(keys.master))
        return key, aes_key_wrap(keys.master, key)

    return give, lambda _, data: aes_key_unwrap(keys.master, data)


def _one_pass(keys: Keys) -> tuple[Any, Any]:
    signing, agreement = keys.private(keys.o_signing), keys.private(keys.r_agreement)
    verifying, recipient = signing.public_key(), agreement.public_key()
    curve, sign, other = keys.curve, ec.ECDSA(keys.hash, deterministic_signing=True), _other_info(keys)
    check, size, ecdh, digest = ec.ECDSA(keys.hash), keys.coordinate, ec.ECDH(), _digest(keys)

    def give(_: bytes) -> tuple[bytes, bytes]:
        ephemeral = ec.generate_private_key(curve)
        q = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        key = digest(b"\0\0\0\1" + ephemeral.exchange(ecdh, recipient) + other + ORIGINATOR + RECIPIENT)
        r, s = decode_dss_signature(signing.sign(q, sign))
        return key, q + r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def take(_: bytes, data: bytes) -> bytes:
        q, r, s = data[: 2 * size], data[2 * size : 3 * size], data[3 * size :]
        verifying.verify(encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")), q, check)
        z = agreement.exchange(ecdh, ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\4" + q))
        return digest(b"\0\0\0\1" + z + other + ORIGINATOR + RECIPIENT)

    return give, take


def _static(keys: Keys) -> tuple[Any, Any]:
    own, agreement = keys.private(keys.o_agreement), keys.private(keys.r_agreement)
    originator, recipient = own.public_key(), agreement.public_key()
    ecdh, other, digest = ec.ECDH(), _other_info(keys) + ORIGINATOR + b"\x08", _digest(keys)

    def give(transaction_id: bytes) -> tuple[bytes, bytes]:
        z = own.exchange(ecdh, recipient)
        return digest(b"\0\0\0\1" + z + other + transaction_id + RECIPIENT), b""

    def take(transaction_id: bytes, _: bytes) -> bytes:
        z = agreement.exchange(ecdh, originator)
        return digest(b"\0\0\0\1" + z + other + transaction_id + RECIPIENT)

    return give, take


def _other_info(keys: Keys) -> bytes:
    return bytes.fromhex("608574050803") + bytes([keys.suite - 1])


def _digest(keys: Keys) -> Callable[[bytes], bytes]:
    if keys.suite == 1:
        return lambda data: hashlib.sha256(data).digest()[:16]
    return lambda data: hashlib.sha384(data).digest()[:32]


def per_message(keys: Keys, form: str, protection: int, size: int) -> tuple[Run, Run]:
    """Protect and unprotect in general-ciphering with a key of one message (wrapped, one-pass, static)."""
    give, take = {"wrapped": _wrapped, "one-pass": _one_pass, "static": _static}[form](keys)
    info = bytes.fromhex(KEY_INFOS[form])
    control = bytes([protection << 4 | keys.suite])
    content = samples.length(5 + size + (12 if protection & A else 0)) + control + bytes(4)
    sc_ak, nonce, meta_end = control + keys.authentication, ORIGINATOR + bytes(4), 1 + _META
    numbers = count(FIRST_ID)
    data_length = len(give(bytes(8))[1])
    before_data = meta_end + len(info) + len(samples.length(data_length))
    behind_data = before_data + data_length
    body = behind_data + len(content)

    def protect(apdu: bytes) -> bytes:
        transaction_id = next(numbers).to_bytes(8, "big")
        key, data = give(transaction_id)
        meta = _BEFORE_ID + transaction_id + _BEHIND_ID
        head = b"\xdd" + meta + info + samples.length(len(data)) + data + content
        encrypt = AESGCM(key).encrypt
        if protection == AE:
            return head + encrypt(nonce, apdu, sc_ak + meta)[:-4]
        if protection == A:
            return head + apdu + encrypt(nonce, b"", sc_ak + meta + apdu)[:12]
        return head + encrypt(nonce, apdu, None)[:-16]

    def unprotect(octets: bytes) -> bytes:
        encrypt = AESGCM(take(octets[2:10], octets[before_data:behind_data])).encrypt
        if protection == E:
            return encrypt(nonce, octets[body:], None)[:-16]
        aad, tag = sc_ak + octets[1:meta_end], octets[-12:]
        if protection == A:
            plain = octets[body:-12]
            right = compare_digest(encrypt(nonce, b"", aad + plain)[:12], tag)
        else:
            plain = encrypt(nonce, octets[body:-12], None)[:-16]
            right = compare_digest(encrypt(nonce, plain, aad)[-16:-4], tag)
        if not right:
            raise WrongTag
        return plain

    return protect, unprotect


def signing(keys: Keys, size: int) -> tuple[Run, Run]:
    """Protect and unprotect in general-signing, with content of ``size`` octets."""
    key, length = keys.private(keys.o_signing), keys.coordinate
    public, sign, check = key.public_key(), ec.ECDSA(keys.hash, deterministic_signing=True), ec.ECDSA(keys.hash)
    numbers, sized, sized_signature = count(FIRST_ID), _BEHIND_ID + samples.length(size), samples.length(2 * length)
    start = 1 + _META + len(samples.length(size))
    end, first, second = start + size, start + size + len(sized_signature), start + size + len(sized_signature) + length

    def protect(apdu: bytes) -> bytes:
        data = _BEFORE_ID + next(numbers).to_bytes(8, "big") + sized + apdu
        r, s = decode_dss_signature(key.sign(data, sign))
        return b"\xdf" + data + sized_signature + r.to_bytes(length, "big") + s.to_bytes(length, "big")

    def unprotect(octets: bytes) -> bytes:
        r, s = int.from_bytes(octets[first:second], "big"), int.from_bytes(octets[second:], "big")
        public.verify(encode_dss_signature(r, s), octets[1:end], check)
        return octets[start:end]

    return protect, unprotect


def _nested(outer: tuple[Run, Run], inner: tuple[Run, Run]) -> tuple[Run, Run]:
    (protect, unprotect), (protect_inside, unprotect_inside) = outer, inner
    return lambda apdu: protect(protect_inside(apdu)), lambda octets: unprotect_inside(unprotect(octets))


def by_hand(suite: int, form: str, protection: int, size: int) -> tuple[Run, Run]:
    """Protect and unprotect in one form; general-ciphering with an identified key where there are two layers."""
    own = keys(suite)
    if form in ("glo", "ded", "general-glo", "general-ded"):
        return envelope(own, form, protection, size)
    if form == "signing":
        return signing(own, size)
    if form == "sign-then-cipher":
        signed = len(signing(own, size)[0](bytes(size)))
        return _nested(ciphering(own, "identified", protection, signed), signing(own, size))
    if form == "cipher-then-sign":
        enciphered = len(ciphering(own, "identified", protection, size)[0](bytes(size)))
        return _nested(signing(own, enciphered), ciphering(own, "identified", protection, size))
    kind = form.removeprefix("ciphering ")
    return (per_message if kind in ("wrapped", "one-pass", "static") else ciphering)(own, kind, protection, size)
