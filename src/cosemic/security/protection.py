"""Protecting octets with AES-GCM and taking the protection off (Green Book 9.2.7.2.4; reference, security 4 and 4.1).

::

    protected      SC (1) | IC (4) | body | [T (12)]
    nonce          system title of the originator (8) | IC (4)

    E A   body         authenticated data, aad_extra being META in general-ciphering and nothing elsewhere
    0 1   plaintext    SC | AK | aad_extra | plaintext
    1 0   ciphertext   none, and no T
    1 1   ciphertext   SC | AK | aad_extra

Of received octets the tag is checked in one of two ways that give the same result. Short ones: the kept one-shot cipher
knows only tags of 16 octets, but GCM encrypts by exclusive-or, so encrypting the ciphertext undoes it, and encrypting
the plaintext again makes the true tag, of which 12 octets are compared. Long ones: a GCM context that takes short tags.
With compression (bit 7 of SC) the plaintext above is the packet that it makes of the octets; it is expanded only after
the tag was checked, and never without one.

Only plaintext leaves :func:`unprotect`, and only when the tag was right: nothing else that is computed on the way may
be returned, raised, logged or kept, because each such value helps to forge (reference, security 4.1).
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final, NamedTuple, Protocol, TypeVar, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from cosemic.errors import ConfigurationError, DecipheringError, DecodeError, EncodeError
from cosemic.security.compression import compress, decompress
from cosemic.security.keys import Key
from cosemic.security.suite import (
    COMPRESSED_CONTROLS,
    CONTROLS,
    COUNTER_LIMIT,
    SYSTEM_TITLE_LENGTH,
    TAG_LENGTH,
    SecurityControl,
)

HEADER_LENGTH: Final = 5
TWO_PASS_LIMIT: Final = 16 * 1024
"""Longest body, in octets, that is verified in two passes; measured: beyond some 16 to 40 KiB the context is faster."""
FAILED: Final = "the octets do not fit key, system title and authentication tag: check keys and titles of both sides"
COMPRESSION_BIT: Final = 0x80
"""Bit of the security control that says: compressed."""
NOT_EXPANDED: Final = (
    "the compressed APDU cannot be expanded: it is not a V.44 packet, or longer than the largest APDU that is taken: "
    "switch compression off on both sides, or take larger APDUs"
)
UNKNOWN_AK: Final = "the authentication key is not known: give it, or say that the profile uses none"


class Unprotected(NamedTuple):
    """Octets whose protection was taken off.

    plaintext: the octets. authenticated: their tag was verified; False for encryption only, where anybody may have
    changed them. encrypted: they were enciphered. security_control, invocation_counter: as received; the counter is
    None for octets that came without protection.
    """

    plaintext: bytes
    authenticated: bool
    encrypted: bool
    security_control: SecurityControl
    invocation_counter: int | None

    def __repr__(self) -> str:
        return (
            f"Unprotected({len(self.plaintext)} octets, authenticated={self.authenticated}, "
            f"{self.security_control!r}, invocation_counter={self.invocation_counter})"
        )


Made = TypeVar("Made")


class _Maker(Protocol):
    def __call__(self, kind: type[Made], fields: tuple[object, ...], /) -> Made: ...


made: Final = cast(_Maker, tuple.__new__)
"""Makes a named tuple of a kind from its fields, in half of the time that calling the kind takes."""


def protect(
    control: SecurityControl,
    key: Key,
    authentication_key: Key | None,
    system_title: bytes,
    invocation_counter: int,
    plaintext: bytes,
    aad_extra: bytes = b"",
    *,
    compressing: bool = False,
) -> bytes:
    """Return ``SC IC body [T]`` for a plaintext.

    key: the encryption key (for authentication alone as well). authentication_key: needed unless ``control`` is
    encryption only. system_title: 8 octets, the originator's. invocation_counter: 0 to FFFFFFFE, never used before with
    this key and title. aad_extra: further authenticated data, between AK and plaintext.
    compressing: the plaintext is compressed first, where that makes it shorter, and bit 7 of ``control`` says so, for
    which it needs suite 1 or 2 and authentication; otherwise ``control`` is sent as it is, bit 7 included. Whether the
    APDU may be compressed at all is asked first: :func:`~cosemic.security.compressible.is_compressible`.

    Raises EncodeError for a title, counter or control that cannot be sent, ConfigurationError without a needed key.
    """
    if len(system_title) != SYSTEM_TITLE_LENGTH or not 0 <= invocation_counter < COUNTER_LIMIT:
        raise EncodeError(
            f"a system title of 8 octets and a counter below FFFFFFFF are needed, not {len(system_title)} octets and "
            f"{invocation_counter}"
        )
    if compressing:
        control, plaintext = compressed(control, plaintext)
    counter = invocation_counter.to_bytes(4, "big")
    nonce = system_title + counter
    if control.authenticated:
        if authentication_key is None:
            raise ConfigurationError(UNKNOWN_AK)
        aad = authentication_key.authenticated_data(control)
        if control.encrypted:
            return control.octet + counter + key.aead.encrypt(nonce, plaintext, b"".join((aad, aad_extra)))[:-4]
        tag = key.aead.encrypt(nonce, b"", b"".join((aad, aad_extra, plaintext)))[:TAG_LENGTH]
        return b"".join((control.octet, counter, plaintext, tag))
    if control.encrypted:
        return control.octet + counter + key.aead.encrypt(nonce, plaintext, None)[:-16]
    raise EncodeError(f"{control!r} protects nothing: send the octets as they are")


def unprotect(
    octets: bytes,
    key: Key,
    authentication_key: Key | None,
    system_title: bytes,
    aad_extra: bytes = b"",
    *,
    expand_to: int = 0,
) -> Unprotected:
    """Return what ``SC IC body [T]`` carries, verified as far as SC says.

    The arguments are those of :func:`protect`; ``system_title`` is the originator's, known from the association and
    never the own one. expand_to: octets of the largest APDU to which a compressed one may expand; 0: none is taken.
    Whether the protection is enough, and whether the counter is fresh, is for the caller to decide.

    Raises DecodeError when the octets are too short; DecipheringError, always the same, when the tag is wrong, when
    nothing is protected, when they are compressed and may not be, or when the counter is FFFFFFFF; another when the
    authentication key is not known, and when the tag is right and the octets cannot be expanded.
    """
    if len(octets) < HEADER_LENGTH:
        raise DecodeError("security control and invocation counter, 5 octets", len(octets), "security-header")
    control = CONTROLS[octets[0]]
    counter = octets[1:5]
    invocation_counter = int.from_bytes(counter, "big")
    if invocation_counter == COUNTER_LIMIT or len(system_title) != SYSTEM_TITLE_LENGTH:
        raise DecipheringError(FAILED)
    if control.compressed and not (expand_to and control in COMPRESSED_CONTROLS):
        raise DecipheringError(FAILED)
    nonce = system_title + counter
    if control.authenticated:
        if len(octets) < HEADER_LENGTH + TAG_LENGTH:
            raise DecodeError("an authentication tag of 12 octets", len(octets), "authentication-tag")
        if authentication_key is None:
            raise DecipheringError(UNKNOWN_AK)
        aad = authentication_key.authenticated_data(control) + aad_extra
        body = octets[HEADER_LENGTH:-TAG_LENGTH]
        verify = verify_in_two_passes if len(body) <= TWO_PASS_LIMIT else verify_in_context
        plaintext = verify(key, nonce, aad, body, octets[-TAG_LENGTH:], control.encrypted)
        if control.compressed:
            plaintext = expanded(plaintext, expand_to)
        return Unprotected(plaintext, True, control.encrypted, control, invocation_counter)
    if control.encrypted:
        plaintext = key.aead.encrypt(nonce, octets[HEADER_LENGTH:], None)[:-16]
        return Unprotected(plaintext, False, True, control, invocation_counter)
    raise DecipheringError(FAILED)


def compressed(control: SecurityControl, plaintext: bytes) -> tuple[SecurityControl, bytes]:
    """Return what is protected, and under which control: the plaintext compressed where that makes it shorter.

    Raises EncodeError unless ``control`` has a suite with compression and authentication.
    """
    packed = CONTROLS[control | COMPRESSION_BIT]
    if packed not in COMPRESSED_CONTROLS:
        raise EncodeError(f"nothing is compressed with {control!r}: use suite 1 or 2, and authentication")
    packet = compress(plaintext)
    if len(packet) < len(plaintext):
        return packed, packet
    return CONTROLS[control & ~COMPRESSION_BIT], plaintext


def expanded(packet: bytes, most: int) -> bytes:
    """Return what was compressed, ``most`` octets at most; for octets whose tag was right. Raises DecipheringError."""
    try:
        return decompress(packet, most)
    except DecodeError:
        raise DecipheringError(NOT_EXPANDED) from None


def verify_in_two_passes(key: Key, nonce: bytes, aad: bytes, body: bytes, tag: bytes, encrypted: bool) -> bytes:
    """Return the plaintext of ``body`` when ``tag`` is right; for short bodies. Raises DecipheringError."""
    # The right tag is in no variable: a traceback that shows them would tell a forger.
    encrypt = key.aead.encrypt
    if encrypted:
        plaintext = encrypt(nonce, body, None)[:-16]
        right = compare_digest(encrypt(nonce, plaintext, aad)[-16:-4], tag)
    else:
        plaintext = body
        right = compare_digest(encrypt(nonce, b"", aad + body)[:TAG_LENGTH], tag)
    if not right:
        raise DecipheringError(FAILED)
    return plaintext


def verify_in_context(key: Key, nonce: bytes, aad: bytes, body: bytes, tag: bytes, encrypted: bool) -> bytes:
    """Return the plaintext of ``body`` when ``tag`` is right; for long bodies. Raises DecipheringError."""
    context = Cipher(AES(key.reveal()), GCM(nonce, tag, min_tag_length=TAG_LENGTH)).decryptor()
    context.authenticate_additional_data(aad if encrypted else aad + body)
    plaintext = context.update(body) if encrypted else body
    try:
        context.finalize()
    except InvalidTag:
        raise DecipheringError(FAILED) from None
    return plaintext
