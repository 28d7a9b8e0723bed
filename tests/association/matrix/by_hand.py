"""Protected APDUs made from the formulas of the reference (security 3 to 5, 7 to 9) with a library's primitives alone.

Nothing of the code under test makes a key, a tag, a signature or a layer here, so that what it should never send can
be sent, and what it sends be read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap

from tests.association.general_samples import material, own, third_ak
from tests.association.samples import CLIENT_TITLE, SERVER_TITLE

KEY_INFOS = {
    "absent": "00",
    "unicast": "01 00 00",
    "broadcast": "01 00 01",
    "wrapped": "01 01 00",
    "one-pass": "01 02 01 01",
    "static": "01 02 01 02 00",
}
ENVELOPES = {"general-glo": 0xDB, "general-ded": 0xDC}
GLO = {0xC0: 0xC8, 0xC1: 0xC9, 0xC3: 0xCB, 0xC4: 0xCC, 0xC5: 0xCD, 0xC7: 0xCF, 0x01: 0x21, 0x08: 0x28}
DED = {0xC0: 0xD0, 0xC1: 0xD1, 0xC3: 0xD3, 0xC4: 0xD4, 0xC5: 0xD5, 0xC7: 0xD7}
BITS = {"": 0x00, "A": 0x10, "E": 0x20, "AE": 0x30}
ORDERS = {
    1: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    2: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}
FIELDS = {1: 2**256 - 2**224 + 2**192 + 2**96 - 1, 2: 2**384 - 2**128 - 2**96 + 2**32 - 1}
SIZES = {0: 32, 1: 32, 2: 48}
"""Octets of a coordinate; where suite 0 has no curve, those of suite 1 are tried."""
_IDS = count(0x7000_0000_0000_0000)


def fresh_id() -> bytes:
    """A transaction-id that was never used in this process."""
    return next(_IDS).to_bytes(8, "big")


def length(number: int) -> bytes:
    octets = number.to_bytes((number.bit_length() + 7) // 8 or 1, "big")
    return octets if number < 0x80 else bytes((0x80 | len(octets),)) + octets


def sized(octets: bytes) -> bytes:
    return length(len(octets)) + octets


@cache
def private(title: bytes, suite: int) -> tuple[Any, Any]:
    """The private keys of a party, for signatures and for key agreement, as those of the library."""
    party = own(title, suite or 1)
    assert party.signing_key is not None
    assert party.agreement_key is not None
    return party.signing_key.to_cryptography(), party.agreement_key.to_cryptography()  # type: ignore[attr-defined]


def point(public: ec.EllipticCurvePublicKey, size: int) -> bytes:
    numbers = public.public_numbers()
    return numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")


def sign(private_key: Any, suite: int, octets: bytes) -> bytes:
    size = SIZES[suite]
    digest = hashes.SHA384() if size == 48 else hashes.SHA256()
    r, s = decode_dss_signature(private_key.sign(octets, ec.ECDSA(digest)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def verify(public: Any, suite: int, octets: bytes, signature: bytes) -> None:
    """Raises what the library raises for a wrong one."""
    size = SIZES[suite]
    assert len(signature) == 2 * size
    digest = hashes.SHA384() if size == 48 else hashes.SHA256()
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    public.verify(encode_dss_signature(r, s), octets, ec.ECDSA(digest))


def derived(suite: int, z: bytes, party_u: bytes, party_v: bytes, arc: str = "05") -> bytes:
    algorithm = bytes.fromhex("608574" + arc + "0803") + (b"\1" if suite == 2 else b"\0")
    digest = hashlib.sha384 if suite == 2 else hashlib.sha256
    return digest(b"\0\0\0\1" + z + algorithm + party_u + party_v).digest()[: 32 if suite == 2 else 16]


@cache
def ephemeral(suite: int, originator: bytes, recipient: bytes, number: bytes = b"") -> tuple[bytes, bytes]:
    """A key of C(1e,1s), and what is transported for it: one for each number, used more often than anybody should."""
    signing, _ = private(originator, suite)
    _, static = private(recipient, suite)
    key = ec.generate_private_key(signing.curve)
    q = point(key.public_key(), SIZES[suite])
    z = key.exchange(ec.ECDH(), static.public_key())
    return derived(suite, z, originator, recipient), q + sign(signing, suite, q)


@dataclass(frozen=True)
class Hand:
    """One direction between two parties.

    layers: outermost first, by their names in the table. bits: A, E, AE or nothing, of what enciphers. counter: gives
    invocation counters. dedicated: the key of the association. third: the third party is one of both, so that its AK
    is used. transaction_id: of all layers; a fresh one when None.
    """

    suite: int
    originator: bytes = CLIENT_TITLE
    recipient: bytes = SERVER_TITLE
    layers: Sequence[str] = ("glo",)
    bits: str = "AE"
    counter: Callable[[], int] = field(default_factory=lambda: count(1000).__next__)
    dedicated: bytes = b""
    third: bool = False
    transaction_id: bytes | None = None
    signer: Any = None
    """Signs in place of the originator."""
    more_control: int = 0
    """Bits of the security control that are others than suite, A and E say."""
    names: tuple[bytes, bytes] | None = None
    """Originator and recipient in the headers, where those are others than the ones that are worked with."""
    other_form: str = ""
    """A form of another dialect: "SC | AK", "without content length", "arc 06"."""
    content_as: Callable[[bytes], bytes] = bytes
    """Changes SC | IC | body | T."""
    signature_as: Callable[[bytes], bytes] = bytes
    """Changes the signature of general-signing."""
    data_as: Callable[[bytes], bytes] = bytes
    """Changes key-ciphered-data."""

    def sealed(self, plain: bytes) -> bytes:
        """An APDU in all layers, all with one transaction-id."""
        octets, one_id = plain, fresh_id() if self.transaction_id is None else self.transaction_id
        for name in reversed(self.layers):
            octets = self.layer(name, octets, one_id)
        return octets

    def but(self, **changed: Any) -> Hand:
        return replace(self, **changed)

    def layer(self, name: str, plain: bytes, transaction_id: bytes) -> bytes:
        if name == "signing":
            return self.signing(plain, transaction_id)
        if name in KEY_INFOS:
            return self.ciphering(name, plain, transaction_id)
        key = self.key("broadcast" if self.more_control & 0x40 else "unicast", transaction_id)[0]
        key = self.dedicated if "ded" in name else key
        content = self.content(key, plain)
        content = self.content_as(content)
        if name in ENVELOPES:
            title = self.originator if self.names is None else self.names[0]
            return bytes((ENVELOPES[name],)) + sized(title) + sized(content)
        return bytes(((GLO if name == "glo" else DED)[plain[0]],)) + sized(content)

    @property
    def ak(self) -> bytes:
        if self.third:
            return third_ak(self.suite).reveal()
        held = material(self.suite).authentication_key
        assert held is not None
        return held.reveal()

    @property
    def control(self) -> int:
        return (self.suite | BITS[self.bits]) ^ self.more_control

    def content(self, key: bytes, plain: bytes, meta: bytes = b"", counter: int | None = None) -> bytes:
        """SC | IC | body | T (security 4)."""
        sc = bytes((self.control,))
        if not self.bits:
            return sc + plain
        ic = (self.counter() if counter is None else counter).to_bytes(4, "big")
        nonce, cipher = self.originator + ic, AESGCM(key)
        if self.bits == "A":
            return sc + ic + plain + cipher.encrypt(nonce, b"", sc + self.ak + meta + plain)[:12]
        if self.bits == "E":
            return sc + ic + cipher.encrypt(nonce, plain, None)[:-16]
        return sc + ic + cipher.encrypt(nonce, plain, sc + self.ak + meta)[:-4]

    def meta(self, transaction_id: bytes, date_time: bytes = b"", other: bytes = b"") -> bytes:
        originator, recipient = self.names or (self.originator, self.recipient)
        return b"".join(map(sized, (transaction_id, originator, recipient, date_time, other)))

    def ciphering(self, name: str, plain: bytes, transaction_id: bytes, meta: bytes | None = None) -> bytes:
        """general-ciphering (security 5.3)."""
        meta = self.meta(transaction_id) if meta is None else meta
        key, data = self.key(name, transaction_id)
        info = bytes.fromhex(KEY_INFOS[name]) + (sized(self.data_as(data)) if name in ("wrapped", "one-pass") else b"")
        per_message = name in ("wrapped", "one-pass", "static")
        content = self.content_as(
            self.content(key, plain, b"" if self.other_form == "SC | AK" else meta, 0 if per_message else None)
        )
        return b"\xdd" + meta + info + sized(content)

    def signing(self, plain: bytes, transaction_id: bytes, meta: bytes | None = None) -> bytes:
        """general-signing (security 5.4)."""
        covered = (self.meta(transaction_id) if meta is None else meta) + sized(plain)
        signed = covered
        if self.other_form == "without content length":
            signed = covered[: -len(sized(plain))] + plain
        return b"\xdf" + covered + sized(self.signature_as(self.signature(signed)))

    def signature(self, octets: bytes) -> bytes:
        return sign(self.signer or private(self.originator, self.suite)[0], self.suite, octets)

    def key(self, name: str, transaction_id: bytes) -> tuple[bytes, bytes]:
        """The key of a layer, and its key-ciphered-data (security 5.3, 7, 8)."""
        held = material(self.suite)
        assert held.broadcast_key is not None
        assert held.kek is not None
        if name == "wrapped":
            fresh = hashlib.sha512(b"fresh" + transaction_id).digest()[: len(held.kek)]
            return fresh, aes_key_wrap(held.kek.reveal(), fresh)
        if name == "one-pass":
            # Of what is encrypted alone the key itself has to be fresh.
            return ephemeral(self.suite, self.originator, self.recipient, transaction_id if self.bits == "E" else b"")
        if name == "static":
            _, mine = private(self.originator, self.suite)
            _, theirs = private(self.recipient, self.suite)
            z = mine.exchange(ec.ECDH(), theirs.public_key())
            arc = "06" if self.other_form == "arc 06" else "05"
            return derived(self.suite, z, self.originator + sized(transaction_id), self.recipient, arc), b""
        return (held.broadcast_key if name == "broadcast" else held.encryption_key).reveal(), b""


@dataclass(frozen=True)
class Read:
    """An APDU that was read by hand.

    layers: outermost first; of each its name, what it applies, and its recipient. ids: their transaction-ids.
    """

    layers: tuple[tuple[str, str, bytes], ...]
    plain: bytes
    ids: tuple[bytes, ...]

    @property
    def kinds(self) -> str:
        """All that is applied, in the letters of the table."""
        return letters(*(applied for _, applied, _ in self.layers))

    def kinds_for(self, recipient: bytes) -> str:
        """The same for one recipient."""
        return letters(*(applied for _, applied, title in self.layers if title == recipient))


def letters(*kinds: str) -> str:
    """All kinds of protection in several, in the order of the table."""
    return "".join(letter for letter in "AES" if letter in "".join(kinds))


class Reader:
    """Reads what an originator has protected for a recipient, and believes nothing that is not right."""

    def __init__(self, octets: bytes) -> None:
        self.octets, self.at = octets, 0

    def take(self, number: int) -> bytes:
        self.at += number
        assert self.at <= len(self.octets)
        return self.octets[self.at - number : self.at]

    def string(self) -> bytes:
        first = self.take(1)[0]
        return self.take(first if first < 0x80 else int.from_bytes(self.take(first & 0x7F), "big"))


def read(octets: bytes, *hands: Hand) -> Read:
    """Take all protection off; hands: of who has sent it, one for each recipient."""
    layers: list[tuple[str, str, bytes]] = []
    ids: list[bytes] = []
    hand = hands[0]
    while True:
        name = _name(octets)
        if name == "plain":
            return Read(tuple(layers), octets, tuple(ids))
        reader = Reader(octets)
        reader.take(1)
        meta, info, data = b"", "unicast", b""
        if octets[0] in (0xDD, 0xDF):
            fields = [reader.string() for _ in range(5)]
            meta = octets[1 : reader.at]
            ids.append(fields[0])
            (hand,) = (each for each in hands if [each.originator, each.recipient] == fields[1:3])
        if name == "signing":
            content = reader.string()
            covered = octets[1 : reader.at]
            verify(private(hand.originator, hand.suite)[0].public_key(), hand.suite, covered, reader.string())
            layers.append((name, "S", hand.recipient))
            octets = content
            assert reader.at == len(reader.octets)
            continue
        if octets[0] == 0xDD:
            name = info = next(
                each
                for each, start in sorted(KEY_INFOS.items(), reverse=True)
                if octets.startswith(bytes.fromhex(start), reader.at)
            )
            reader.take(len(bytes.fromhex(KEY_INFOS[info])))
            data = reader.string() if info in ("wrapped", "one-pass") else b""
        elif octets[0] in ENVELOPES.values():
            assert reader.string() == hand.originator
        content = reader.string()
        assert reader.at == len(octets)
        key = hand.dedicated if "ded" in name else _key(hand, info, data, ids[-1] if ids else b"")
        bits, octets = _opened(hand, key, content, meta)
        layers.append((name, bits, hand.recipient))


def _name(octets: bytes) -> str:
    if octets[0] == 0xDF:
        return "signing"
    if octets[0] == 0xDD:
        return "general-ciphering"
    for names, name in ((GLO, "glo"), (DED, "ded")):
        if octets[0] in names.values():
            return name
    return {tag: name for name, tag in ENVELOPES.items()}.get(octets[0], "plain")


def _key(hand: Hand, info: str, data: bytes, transaction_id: bytes) -> bytes:
    size = SIZES[hand.suite]
    if info == "wrapped":
        kek = material(hand.suite).kek
        assert kek is not None
        return aes_key_unwrap(kek.reveal(), data)
    if info == "one-pass":
        signing, _ = private(hand.originator, hand.suite)
        _, static = private(hand.recipient, hand.suite)
        q, signature = data[: 2 * size], data[2 * size :]
        verify(signing.public_key(), hand.suite, q, signature)
        public = ec.EllipticCurvePublicKey.from_encoded_point(signing.curve, b"\4" + q)
        return derived(hand.suite, static.exchange(ec.ECDH(), public), hand.originator, hand.recipient)
    return hand.key(info, transaction_id)[0]


def _opened(hand: Hand, key: bytes, content: bytes, meta: bytes) -> tuple[str, bytes]:
    assert content[0] & 0x0F == hand.suite
    assert not content[0] & 0xC0
    bits = {value: name for name, value in BITS.items()}[content[0] & 0x30]
    if not bits:
        return bits, content[1:]
    body = content[5:] if bits == "E" else content[5:-12]
    plain = body if bits == "A" else AESGCM(key).encrypt(hand.originator + content[1:5], body, None)[:-16]
    again = hand.but(bits=bits).content(key, plain, meta, int.from_bytes(content[1:5], "big"))
    assert again == content
    return bits, plain


def flips(octets: bytes, bits: Iterator[int] | Sequence[int] | None = None) -> Iterator[tuple[int, bytes]]:
    """Every octet string that differs in one bit, with the number of that bit."""
    for bit in range(len(octets) * 8) if bits is None else bits:
        changed = bytearray(octets)
        changed[bit >> 3] ^= 0x80 >> (bit & 7)
        yield bit, bytes(changed)
