"""The short way of sending: see :mod:`.lanes`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from cosemic.codec.length import SHORT, encode_length
from cosemic.dialect import EphemeralCounter
from cosemic.security.general.lanes import (
    BOTH,
    ENCRYPTED,
    MOST_FAMILIAR,
    WRAPPED,
    WRAPPING,
    Encrypt,
    has_lane,
    key_of,
    titles,
)
from cosemic.security.general.layout import GENERAL_CIPHERING, KeyEstablishment
from cosemic.security.general.parties import Party
from cosemic.security.general.plan import APPLIED, Layer
from cosemic.security.hls import Randomness
from cosemic.security.keys import Key
from cosemic.security.protection import HEADER_LENGTH
from cosemic.security.suite import CONTROLS, COUNTER_LENGTH, TAG_LENGTH, SecurityControl
from cosemic.values.secret import HiddenOctets

if TYPE_CHECKING:
    from cosemic.security.general.opening import Receiving

_TAG: Final = bytes((GENERAL_CIPHERING,))
_ZERO: Final = bytes(COUNTER_LENGTH)


class UnicastSealer:
    """Puts its layer around APDUs for one recipient. control: what is applied; not nothing, and not compressed."""

    __slots__ = ("_aad", "_applied", "_control", "_encrypt", "_familiar", "_front", "_meta", "_next", "_title")

    def __init__(
        self,
        control: SecurityControl,
        kind: KeyEstablishment,
        key: Key,
        authentication_key: Key | None,
        originator: bytes,
        recipient: bytes,
        next_counter: Callable[[], int],
    ) -> None:
        fixed = titles(originator, recipient)
        self._aad = authentication_key.authenticated_data(control) if authentication_key is not None else b""
        self._applied = APPLIED[control.protection]
        self._control = control
        self._encrypt = key.aead.encrypt
        self._familiar: dict[int, bytes] = {}
        self._front = fixed + kind.octets
        self._meta = 2 + len(fixed)
        self._next = next_counter
        self._title = originator

    def seal(self, apdu: bytes, transaction_id: bytes) -> bytes:
        """Return the general-ciphering APDU; draws a counter. transaction_id: 1 to 127 octets."""
        familiar = self._familiar.get(len(apdu)) or self._kept(len(apdu))
        counter = self._next().to_bytes(4, "big")
        head = b"".join((_TAG, SHORT[len(transaction_id)], transaction_id, self._front, familiar, counter))
        return self._around(apdu, head, self._encrypt, self._title + counter, self._meta + len(transaction_id))

    def _around(self, apdu: bytes, head: bytes, encrypt: Encrypt, nonce: bytes, meta: int) -> bytes:
        """Return the APDU behind its head, protected. meta: where META ends in the head."""
        # The cipher makes tags of 16 octets, of which twelve are sent.
        if self._applied is BOTH:
            return head + encrypt(nonce, apdu, b"".join((self._aad, head[1:meta])))[:-4]
        if self._applied is ENCRYPTED:
            return head + encrypt(nonce, apdu, None)[:-16]
        tag = encrypt(nonce, b"", b"".join((self._aad, head[1:meta], apdu)))
        return b"".join((head, apdu, tag[:TAG_LENGTH]))

    def _kept(self, length: int) -> bytes:
        """Return length and security control of what holds an APDU of that length."""
        if len(self._familiar) >= MOST_FAMILIAR:
            self._familiar.clear()
        size = HEADER_LENGTH + length + (TAG_LENGTH if self._control.authenticated else 0)
        familiar = self._familiar[length] = encode_length(size) + self._control.octet
        return familiar


class WrappedSealer(UnicastSealer):
    """The same under keys of one message, which are drawn, and sent wrapped under the master key.

    key: the master key. draw: random octets.
    """

    __slots__ = ("_draw", "_key")

    def __init__(
        self,
        control: SecurityControl,
        key: Key,
        authentication_key: Key | None,
        originator: bytes,
        recipient: bytes,
        draw: Randomness,
    ) -> None:
        super().__init__(control, WRAPPED, key, authentication_key, originator, recipient, lambda: 0)
        self._front += encode_length(len(key) + WRAPPING)
        self._draw = draw
        self._key = key

    def seal(self, apdu: bytes, transaction_id: bytes) -> bytes:
        """Return the general-ciphering APDU. transaction_id: 1 to 127 octets."""
        familiar = self._familiar.get(len(apdu)) or self._kept(len(apdu))
        key = HiddenOctets(self._draw(len(self._key)))
        wrapped = aes_key_wrap(self._key.reveal(), key)
        head = b"".join((_TAG, SHORT[len(transaction_id)], transaction_id, self._front, wrapped, familiar, _ZERO))
        nonce, meta = self._title + _ZERO, self._meta + len(transaction_id)
        return self._around(apdu, head, AESGCM(key).encrypt, nonce, meta)


class SendingLane:
    """The short way of sending, to all parties."""

    __slots__ = ("_last", "_open", "_receiving", "_sealers")

    def __init__(self, receiving: Receiving) -> None:
        self._receiving = receiving
        self._open = has_lane(receiving.establisher.dialect)
        self._last: tuple[Layer | None, UnicastSealer | None] = None, None
        self._sealers: dict[tuple[bytes, int, KeyEstablishment | None], UnicastSealer | None] = {}

    def sealer(self, layer: Layer) -> UnicastSealer | None:
        """Return what puts a layer around APDUs, kept ready; None: ask the straight way."""
        last, sealer = self._last
        if layer is not last:
            sealer = self._sealer(layer)
            self._last = layer, sealer
        return sealer

    def _sealer(self, layer: Layer) -> UnicastSealer | None:
        party = self._receiving.parties.get(layer.recipient)
        if party is None or not self._open or layer.date_time or layer.other_information:
            return None
        place = layer.recipient, int(layer.protection), layer.key_info
        if place not in self._sealers:
            self._sealers[place] = self._made_for(layer, party)
        return self._sealers[place]

    def _made_for(self, layer: Layer, party: Party) -> UnicastSealer | None:
        if layer.signing or not layer.protection:
            return None
        establisher = self._receiving.establisher
        kind = layer.key_info or (party.preferred if party.key_infos else None)
        key = key_of(kind, party) if kind in party.key_infos else None
        control = CONTROLS[establisher.suite.id | int(layer.protection) << 4]
        if kind is None or key is None or (control.authenticated and party.ak is None):
            return None
        own = establisher.own.title
        if kind is not WRAPPED:
            counter = self._receiving.counters.transmit_counter(key.identity, own)
            return UnicastSealer(control, kind, key, party.ak, own, layer.recipient, counter.next)
        if establisher.dialect.ephemeral_counter is not EphemeralCounter.ZERO:
            return None
        return WrappedSealer(control, key, party.ak, own, layer.recipient, establisher.draw)
