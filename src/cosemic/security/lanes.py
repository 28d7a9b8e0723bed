"""What one kind of APDU is sealed and opened with, worked out once (reference, security 4, 4.1).

A kind is an envelope, a security control and a key. All that does not change is kept ready: what stands in front, the
cipher object, SC || AK. It gives the same as the straight way through :mod:`cosemic.security.protection`, which long
and compressed APDUs take.

SC || AK stands in no variable of a function, nor does a tag that is right: a traceback that shows them would tell.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

from cosemic.codec.length import encode_length
from cosemic.errors import ConfigurationError, DecipheringError, DecodeError, EncodeError
from cosemic.security.compressible import is_compressible
from cosemic.security.counting import ReceiveCounter, TransmitCounter
from cosemic.security.envelopes import GENERAL_BLOCK_TRANSFER, Envelope, head_of
from cosemic.security.keys import Key
from cosemic.security.protection import (
    FAILED,
    HEADER_LENGTH,
    TWO_PASS_LIMIT,
    UNKNOWN_AK,
    Unprotected,
    compressed,
    expanded,
    made,
    protect,
    unprotect,
    verify_in_context,
    verify_in_two_passes,
)
from cosemic.security.suite import COUNTER_LIMIT, TAG_LENGTH, Protection, SecurityControl

MOST_PREFIXES: Final = 256
"""Kinds and sizes of APDUs whose first octets are kept ready."""
ENCRYPTED: Final = int(Protection.ENCRYPTED)
BOTH: Final = int(Protection.AUTHENTICATED | Protection.ENCRYPTED)
_TRAILER: Final = HEADER_LENGTH + TAG_LENGTH
_number: Final = int.from_bytes


class Sealer:
    """Puts APDUs of one kind into their envelope. Raises ConfigurationError where AK is needed and not known.

    blocks: those of a general block transfer too, one by one.
    """

    __slots__ = (
        "_aad",
        "_ak",
        "_applied",
        "_blocks",
        "_control",
        "_encrypt",
        "_envelope",
        "_key",
        "_next",
        "_prefixes",
        "_title",
    )

    def __init__(
        self,
        envelope: Envelope,
        control: SecurityControl,
        key: Key,
        authentication_key: Key | None,
        title: bytes,
        counter: TransmitCounter,
        *,
        blocks: bool = False,
    ) -> None:
        if control.authenticated and authentication_key is None:
            raise ConfigurationError(UNKNOWN_AK)
        if not control.protection:
            raise EncodeError(f"{control!r} protects nothing: send the octets as they are")
        self._blocks = blocks and envelope.general
        self._envelope = envelope
        self._control = control
        self._key = key
        self._ak = authentication_key
        self._title = title
        self._next = counter.next
        self._prefixes: dict[int, bytes] = {}
        self._encrypt = key.aead.encrypt
        self._applied = control.protection
        self._aad: bytes | None = None
        if control.authenticated and authentication_key is not None:
            self._aad = authentication_key.authenticated_data(control)

    def seal(self, apdu: bytes) -> bytes:
        """Return the whole ciphered APDU; draws a counter. Raises EncodeError, CounterExhausted."""
        prefix = self._prefixes.get(len(apdu) << 8 | apdu[0]) or self._prefix(apdu)
        counter = self._next().to_bytes(4, "big")
        # The cipher makes tags of 16 octets, of which twelve are sent.
        if self._applied == BOTH:
            return prefix + counter + self._encrypt(self._title + counter, apdu, self._aad)[:-4]
        if self._applied == ENCRYPTED:
            return prefix + counter + self._encrypt(self._title + counter, apdu, None)[:-16]
        tag = self._encrypt(self._title + counter, b"", b"".join((self._aad or b"", apdu)))
        return b"".join((prefix, counter, apdu, tag[:TAG_LENGTH]))

    def _prefix(self, apdu: bytes) -> bytes:
        """Return what stands before the counter: envelope, length and security control; kept for APDUs of this size."""
        envelope = self._envelope
        if not envelope.holds(apdu[0]) and not (self._blocks and apdu[0] == GENERAL_BLOCK_TRANSFER):
            raise EncodeError(f"an APDU with tag {apdu[0]:02x} cannot travel in {envelope.name}: use another envelope")
        head = head_of(envelope, apdu[0], self._title)
        size = HEADER_LENGTH + len(apdu) + (TAG_LENGTH if self._control.authenticated else 0)
        if len(self._prefixes) >= MOST_PREFIXES:
            self._prefixes.clear()
        prefix = self._prefixes[len(apdu) << 8 | apdu[0]] = head + encode_length(size) + self._control.octet
        return prefix


class CompressingSealer(Sealer):
    """Compresses first: what may be compressed, and becomes shorter by it. For general envelopes and suites 1 and 2."""

    __slots__ = ()

    def seal(self, apdu: bytes) -> bytes:
        """Return the whole ciphered APDU; draws a counter. Raises EncodeError, CounterExhausted."""
        if not is_compressible(apdu):
            return super().seal(apdu)
        control, octets = compressed(self._control, apdu)
        if not control.compressed:
            return super().seal(apdu)
        content = protect(control, self._key, self._ak, self._title, self._next(), octets)
        return head_of(self._envelope, apdu[0], self._title) + encode_length(len(content)) + content


class Opener:
    """Opens received APDUs of one kind.

    refusal: why an APDU is refused though its tag is right, because the policy wants another protection; empty: it is
    not.
    """

    __slots__ = ("_aad", "_ak", "_applied", "_control", "_encrypt", "_key", "counter", "refusal")

    def __init__(
        self,
        control: SecurityControl,
        key: Key,
        authentication_key: Key | None,
        counter: ReceiveCounter,
        refusal: str,
    ) -> None:
        self._control = control
        self._key = key
        self._ak = authentication_key
        self.counter = counter
        self.refusal = refusal
        self._encrypt = key.aead.encrypt
        self._applied = control.protection
        self._aad: bytes | None = None
        if control.authenticated and authentication_key is not None:
            self._aad = authentication_key.authenticated_data(control)

    def open(self, apdu: bytes, start: int, title: bytes) -> Unprotected:
        """Return what the content from ``start`` on carries, verified; its counter is checked, not accepted.

        Raises InvocationCounterError, DecipheringError, DecodeError.
        """
        begin = start + HEADER_LENGTH
        counter = apdu[start + 1 : begin]
        value = _number(counter, "big")
        if not self.counter.lowest <= value < COUNTER_LIMIT:
            self.counter.check(value)
        nonce, encrypt, end = title + counter, self._encrypt, len(apdu) - TAG_LENGTH
        if self._applied == ENCRYPTED:
            plaintext = encrypt(nonce, apdu[begin:], None)[:-16]
            return made(Unprotected, (plaintext, False, True, self._control, value))
        if end < begin:
            raise DecodeError("an authentication tag of 12 octets", len(apdu), "authentication-tag")
        if end - begin > TWO_PASS_LIMIT or self._aad is None:
            return unprotect(apdu[start:], self._key, self._ak, title)
        if self._applied == BOTH:
            plaintext = encrypt(nonce, apdu[begin:end], None)[:-16]
            right = compare_digest(encrypt(nonce, plaintext, self._aad)[-16:-4], apdu[end:])
        else:
            plaintext = apdu[begin:end]
            right = compare_digest(encrypt(nonce, b"", b"".join((self._aad, plaintext)))[:TAG_LENGTH], apdu[end:])
        if not right:
            raise DecipheringError(FAILED)
        return made(Unprotected, (plaintext, True, self._applied == BOTH, self._control, value))


class ExpandingOpener(Opener):
    """Opens received APDUs that are compressed.

    control: one of :data:`~cosemic.security.suite.COMPRESSED_CONTROLS`. expand_to: octets of the largest APDU.
    """

    __slots__ = ("_expand_to",)

    def __init__(
        self,
        control: SecurityControl,
        key: Key,
        authentication_key: Key | None,
        counter: ReceiveCounter,
        refusal: str,
        expand_to: int,
    ) -> None:
        super().__init__(control, key, authentication_key, counter, refusal)
        self._expand_to = expand_to

    def open(self, apdu: bytes, start: int, title: bytes) -> Unprotected:
        """Return what the content from ``start`` on carries, verified and then expanded; its counter is checked only.

        What is refused is verified and not expanded. Raises InvocationCounterError, DecipheringError, DecodeError.
        """
        counter = apdu[start + 1 : start + HEADER_LENGTH]
        value = _number(counter, "big")
        self.counter.check(value)
        if self._ak is None:
            raise DecipheringError(UNKNOWN_AK)
        if len(apdu) - start < _TRAILER:
            raise DecodeError("an authentication tag of 12 octets", len(apdu), "authentication-tag")
        control = self._control
        body = apdu[start + HEADER_LENGTH : -TAG_LENGTH]
        aad = self._ak.authenticated_data(control)
        verify = verify_in_two_passes if len(body) <= TWO_PASS_LIMIT else verify_in_context
        octets = verify(self._key, title + counter, aad, body, apdu[-TAG_LENGTH:], control.encrypted)
        if not self.refusal:
            octets = expanded(octets, self._expand_to)
        return Unprotected(octets, True, control.encrypted, control, value)
