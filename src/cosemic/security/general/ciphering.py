"""One layer of general-ciphering (Green Book 9.2.7.2.4.8; reference, security 4, 5.3).

::

    ciphered-content    SC | IC | body | [T]        as everywhere; bit 6 of SC is always 0
                        SC [| IC] | plaintext       SC 00 | suite: the layer carries no protection

    authenticated data  SC | AK | META [| plaintext]        META only where the dialect has it so

Whether the originator may use the key, and whether it is fresh, is for the caller to decide.
"""

from __future__ import annotations

from cosemic.codec.length import encode_length
from cosemic.dialect import STANDARD, Dialect, GeneralCipheringAad
from cosemic.errors import DecipheringError, DecodeError
from cosemic.security.compressible import is_compressible
from cosemic.security.general.layout import CipheringParts, GeneralHeader, KeyInfo
from cosemic.security.keys import Key
from cosemic.security.protection import COMPRESSION_BIT, FAILED, HEADER_LENGTH, Unprotected, protect, unprotect
from cosemic.security.suite import COMPRESSED_CONTROLS, CONTROLS, COUNTER_LENGTH, SecurityControl, SecuritySuite


def assemble(meta: bytes, key_info: KeyInfo, content: bytes) -> bytes:
    """Return the APDU whose ciphered-content are those octets; meta: the encoded header."""
    return b"".join((b"\xdd", meta, key_info.encode(), encode_length(len(content)), content))


def seal_ciphering(
    control: SecurityControl,
    key: Key,
    authentication_key: Key | None,
    header: GeneralHeader,
    key_info: KeyInfo,
    invocation_counter: int,
    plaintext: bytes,
    dialect: Dialect = STANDARD,
) -> bytes:
    """Return the general-ciphering APDU around an APDU.

    control: authentication, encryption or both, and the suite. key: the encryption key that ``key_info`` stands for.
    header: its originator makes the nonce. invocation_counter: never used before with this key and originator.
    Compressed where the dialect has it so and the APDU may be. Raises EncodeError, ConfigurationError as
    :func:`~cosemic.security.protection.protect`.
    """
    compressing = (
        dialect.compression and control | COMPRESSION_BIT in COMPRESSED_CONTROLS and is_compressible(plaintext)
    )
    meta = header.encode()
    content = protect(
        control,
        key,
        authentication_key,
        header.originator,
        invocation_counter,
        plaintext,
        _authenticated(meta, dialect),
        compressing=compressing,
    )
    return assemble(meta, key_info, content)


def open_ciphering(
    parts: CipheringParts,
    key: Key,
    authentication_key: Key | None,
    originator: bytes,
    dialect: Dialect = STANDARD,
    *,
    expand_to: int = 0,
) -> Unprotected:
    """Return what a layer carries, verified as far as its SC says.

    originator: 8 octets, of the nonce; in the standard those of the header. expand_to: as in
    :func:`~cosemic.security.protection.unprotect`; compressed ones are taken only where the dialect has it so.
    Raises DecodeError, DecipheringError.
    """
    most = expand_to if dialect.compression else 0
    extra = _authenticated(parts.meta, dialect)
    return unprotect(parts.content, key, authentication_key, originator, extra, expand_to=most)


def without_protection(suite: SecuritySuite, plaintext: bytes, dialect: Dialect = STANDARD) -> bytes:
    """Return the ciphered-content of a layer that carries no protection."""
    counter = bytes(COUNTER_LENGTH) if dialect.counter_without_protection else b""
    return CONTROLS[suite.id].octet + counter + plaintext


def content_without_protection(content: bytes, dialect: Dialect = STANDARD) -> Unprotected:
    """Return what a layer with SC 00 | suite carries; anybody may have written it. Raises DecodeError."""
    start = HEADER_LENGTH if dialect.counter_without_protection else 1
    if len(content) < start:
        raise DecodeError("a security header", len(content), "security-header")
    return Unprotected(content[start:], False, False, CONTROLS[content[0]], None)


def checked_control(content: bytes, suite: SecuritySuite) -> SecurityControl:
    """Return the security control of ciphered-content.

    Raises DecodeError when there is none, DecipheringError for another suite, for the broadcast bit, which
    general-ciphering does not use, and for the compression bit where that cannot be.
    """
    if not content:
        raise DecodeError("a security control", 0, "security-header")
    control = CONTROLS[content[0]]
    if control.suite != suite.id or control.broadcast or (control.compressed and control not in COMPRESSED_CONTROLS):
        raise DecipheringError(FAILED)
    return control


def _authenticated(meta: bytes, dialect: Dialect) -> bytes:
    return meta if dialect.general_ciphering_aad is GeneralCipheringAad.META else b""
