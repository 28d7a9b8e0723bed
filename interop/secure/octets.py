"""The two forms of a difference in octets, computed with `cryptography` alone: neither side is asked what it meant."""

from __future__ import annotations

from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from interop import capture
from interop.secure import facts

TAG = 12
"""Octets of an authentication tag."""


def apdus(conversation: capture.Conversation, *, from_client: bool) -> list[bytes]:
    """The APDUs of one direction, of our client SAP alone: what is behind the headers of the wrapper."""
    octets = b"".join(chunk for sent, chunk in conversation.chunks if sent is from_client)
    found = []
    while octets:
        end = 8 + int.from_bytes(octets[6:8], "big")
        wport = octets[2:4] if from_client else octets[4:6]
        if int.from_bytes(wport, "big") == facts.CLIENT_SAP:  # the public client may have looked for the counter
            found.append(octets[8:end])
        octets = octets[end:]
    return found


def length_at(octets: bytes, at: int) -> tuple[int, int]:
    """A length, and where what it is that of begins."""
    first = octets[at]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    return int.from_bytes(octets[at + 1 : at + 1 + count], "big"), at + 1 + count


def _taken(octets: bytes, at: int) -> tuple[bytes, int]:
    length, at = length_at(octets, at)
    return octets[at : at + length], at + length


class Split(NamedTuple):
    """A general-ciphering or general-signing APDU. header: the five fields, with their lengths. rest: behind them."""

    fields: list[bytes]
    header: bytes
    rest: bytes


def split(apdu: bytes) -> Split:
    """Take an APDU apart."""
    at, fields = 1, []
    for _ in range(5):
        field, at = _taken(apdu, at)
        fields.append(field)
    return Split(fields, apdu[1:at], apdu[at:])


class Ciphered(NamedTuple):
    """What is behind the header, under an identified key: security control, counter, ciphertext and tag."""

    control: int
    counter: bytes
    body: bytes
    tag: bytes


def ciphered(parts: Split) -> Ciphered:
    """Take the ciphered-content apart, behind key-info ``01 00 00``."""
    if parts.rest[:3] != b"\1\0\0":
        raise RuntimeError(f"key-info {parts.rest[:3].hex()}")
    content, _ = _taken(parts.rest, 3)
    return Ciphered(content[0], content[1:5], content[5:-TAG], content[-TAG:])


def both_tags(apdu: bytes, suite: int) -> tuple[bytes, bytes, bytes]:
    """The tag of a general-ciphering APDU, what it is over SC and AK, and over SC, AK and header."""
    parts = split(apdu)
    content = ciphered(parts)
    cipher = AESGCM(facts.unicast(suite))
    nonce = parts.fields[1] + content.counter
    plain = cipher.encrypt(nonce, content.body, None)[: len(content.body)]
    short = bytes((content.control,)) + facts.authentication(suite)
    tags = [
        cipher.encrypt(nonce, plain, extra)[len(plain) : len(plain) + TAG] for extra in (short, short + parts.header)
    ]
    return content.tag, tags[0], tags[1]


def signed_over(apdu: bytes, title: bytes, suite: int) -> str:
    """Over what the signature of a general-signing APDU goes: ``content``, ``length and content`` or ``neither``."""
    parts = split(apdu)
    content, at = _taken(parts.rest, 0)
    sized = parts.rest[:at]
    signature, _ = _taken(parts.rest, at)
    key = facts.public(title, facts.SIGNATURE, suite)
    half = len(signature) // 2
    der = utils.encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
    digest = hashes.SHA384() if suite == 2 else hashes.SHA256()
    for name, octets in (("content", content), ("length and content", sized)):
        try:
            key.verify(der, parts.header + octets, ec.ECDSA(digest))
        except InvalidSignature:
            continue
        return name
    return "neither"


def spaced(octets: bytes, *, most: int = 40) -> str:
    """In upper case hex; the first ones, where there are many."""
    text = octets[:most].hex().upper()
    return f"{text} ..." if len(octets) > most else text
