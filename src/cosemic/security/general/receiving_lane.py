"""The short way of receiving: see :mod:`.lanes`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from cosemic.errors import DecipheringError
from cosemic.security.counting import ReceiveCounter
from cosemic.security.general.lanes import (
    BOTH,
    ENCRYPTED,
    MOST_FAMILIAR,
    UNICAST,
    WRAPPED,
    WRAPPING,
    Encrypt,
    has_lane,
    key_of,
    titles,
)
from cosemic.security.general.layout import GENERAL_CIPHERING, GeneralHeader, KeyEstablishment
from cosemic.security.general.parties import Party
from cosemic.security.general.plan import APPLIED, REFUSED, GeneralUnprotected, ReceivedLayer
from cosemic.security.general.transactions import LONGEST_TRANSACTION_ID, Transaction, TransactionStore
from cosemic.security.keys import Key
from cosemic.security.protection import HEADER_LENGTH, TWO_PASS_LIMIT, made
from cosemic.security.suite import COUNTER_LENGTH, COUNTER_LIMIT, SYSTEM_TITLE_LENGTH, TAG_LENGTH, SecurityControl

if TYPE_CHECKING:
    from cosemic.security.general.opening import Receiving

SHORTEST: Final = 64
"""Octets of the shortest APDU that is looked at: longer than the longest transaction-id and the titles."""
_number: Final = int.from_bytes

Opened = tuple[bytes, ReceivedLayer, ReceiveCounter | Transaction]
"""What a layer carried, the layer, and what makes it fresh: the counter that has to accept its invocation counter, or
the transaction that has to be accepted."""


class Peeled:
    """An APDU whose one layer was taken off, as :class:`~cosemic.security.general.opening.Peeling`."""

    __slots__ = ("_fresh", "_transactions", "result")

    def __init__(
        self, result: GeneralUnprotected, fresh: ReceiveCounter | Transaction, transactions: TransactionStore
    ) -> None:
        self.result: Final = result
        self._fresh = fresh
        self._transactions = transactions

    def accept(self) -> GeneralUnprotected:
        """Accept what makes it fresh, and return what was carried. Raises as that of ``Peeling``."""
        fresh, layer = self._fresh, self.result.layers[0]
        assert layer.invocation_counter is not None
        if isinstance(fresh, Transaction):
            try:
                self._transactions.accept((fresh,))
            except DecipheringError:
                raise DecipheringError(REFUSED) from None
        elif layer.protection is ENCRYPTED:
            fresh.accept_unauthenticated(layer.invocation_counter)
        else:
            fresh.accept(layer.invocation_counter)
        return self.result


class Opener(ABC):
    """Takes off the layers of one originator. key: that of :func:`key_of`."""

    __slots__ = ("_aad", "_control", "_key", "_kind", "_originator", "_protection", "_recipient")

    def __init__(
        self, control: SecurityControl, kind: KeyEstablishment, key: Key, party: Party, recipient: bytes
    ) -> None:
        self._aad = b"" if party.ak is None else party.ak.authenticated_data(control)
        self._control = control
        self._key = key
        self._kind = kind
        self._originator = party.title
        self._protection = APPLIED[control.protection]
        self._recipient = recipient

    @abstractmethod
    def open(self, octets: bytes, end: int, behind: int, body: int) -> Opened | None:
        """Return what the layer carries, verified; None where anything is not right, and nothing has changed.

        end: of the transaction-id. behind: octets of META behind it. body: where that begins, from there on.
        """

    def _verified(self, octets: bytes, encrypt: Encrypt, nonce: bytes, meta: int, begin: int) -> bytes | None:
        """Return the plaintext, None where the tag is wrong. meta: where META ends. begin: where the body begins."""
        if self._protection is ENCRYPTED:
            return encrypt(nonce, octets[begin:], None)[:-16]
        tag = octets[-TAG_LENGTH:]
        if self._protection is BOTH:
            plaintext = encrypt(nonce, octets[begin:-TAG_LENGTH], None)[:-16]
            right = compare_digest(encrypt(nonce, plaintext, b"".join((self._aad, octets[1:meta])))[-16:-4], tag)
        else:
            plaintext = octets[begin:-TAG_LENGTH]
            authenticated = octets[1:meta], plaintext
            right = compare_digest(encrypt(nonce, b"", b"".join((self._aad, *authenticated)))[:TAG_LENGTH], tag)
        return plaintext if right else None

    def _layer(self, transaction_id: bytes, counter: int) -> ReceivedLayer:
        header = made(GeneralHeader, (transaction_id, self._originator, self._recipient, b"", b""))
        return made(ReceivedLayer, (header, self._protection, self._kind, self._control, counter))


class UnicastOpener(Opener):
    """Under the global unicast key."""

    __slots__ = ("_counter", "_encrypt")

    def __init__(
        self,
        control: SecurityControl,
        kind: KeyEstablishment,
        key: Key,
        party: Party,
        recipient: bytes,
        counter: ReceiveCounter,
    ) -> None:
        super().__init__(control, kind, key, party, recipient)
        self._counter = counter
        self._encrypt = key.aead.encrypt

    def open(self, octets: bytes, end: int, behind: int, body: int) -> Opened | None:
        """Return what the layer carries; see :meth:`Opener.open`."""
        begin = end + body
        counter = octets[begin - COUNTER_LENGTH : begin]
        value = _number(counter, "big")
        if not self._counter.lowest <= value < COUNTER_LIMIT:
            return None
        if self._protection is ENCRYPTED and value < self._counter.volatile:
            return None
        plaintext = self._verified(octets, self._encrypt, self._originator + counter, end + behind, begin)
        if plaintext is None:
            return None
        return plaintext, self._layer(octets[2:end], value), self._counter


class WrappedOpener(Opener):
    """Under wrapped keys; for what is authenticated only. scope: of the transactions."""

    __slots__ = ("_receiving", "_scope")

    def __init__(
        self, control: SecurityControl, key: Key, party: Party, recipient: bytes, receiving: Receiving
    ) -> None:
        super().__init__(control, WRAPPED, key, party, recipient)
        self._receiving = receiving
        self._scope = receiving.establisher.scope(WRAPPED, party)

    def open(self, octets: bytes, end: int, behind: int, body: int) -> Opened | None:
        """Return what the layer carries; see :meth:`Opener.open`."""
        receiving = self._receiving
        rule = receiving.establisher.dialect.transaction_ids
        transaction = made(Transaction, (self._scope, self._originator, octets[2:end], rule))
        if receiving.transactions.has(transaction):
            return None
        begin, data = end + body, end + behind + len(WRAPPED.octets) + 1
        counter = octets[begin - COUNTER_LENGTH : begin]
        value = _number(counter, "big")
        if value == COUNTER_LIMIT:
            return None
        try:
            encrypt = AESGCM(
                aes_key_unwrap(self._key.reveal(), octets[data : data + len(self._key) + WRAPPING])
            ).encrypt
        except InvalidUnwrap:
            return None
        plaintext = self._verified(octets, encrypt, self._originator + counter, end + behind, begin)
        if plaintext is None:
            return None
        return plaintext, self._layer(octets[2:end], value), transaction


class Familiar(NamedTuple):
    """What the octets between transaction-id and counter have told; see :meth:`Opener.open`.

    tail: those behind a wrapped key, which begin at ``tail_at``; else empty.
    """

    octets: bytes
    behind: int
    body: int
    opener: Opener
    tail: bytes
    tail_at: int


class ReceivingLane:
    """The short way of receiving, from all parties."""

    __slots__ = ("_familiar", "_open", "_openers", "_receiving")

    def __init__(self, receiving: Receiving) -> None:
        self._receiving = receiving
        self._open = has_lane(receiving.establisher.dialect)
        self._openers: dict[tuple[bytes, KeyEstablishment, int], Opener] = {}
        self._familiar: dict[int, Familiar] = {}

    def open(self, octets: bytes) -> Opened | None:
        """Return what a layer carries, verified; None: ask the straight way."""
        size = len(octets)
        if size < SHORTEST or octets[0] != GENERAL_CIPHERING or octets[1] > LONGEST_TRANSACTION_ID:
            return None
        end = 2 + octets[1]
        # By the rest of the size, and the last octet of a title of the originator.
        familiar = self._familiar.get(size - end << 8 | octets[end + SYSTEM_TITLE_LENGTH])
        if familiar is None or not octets.startswith(familiar.octets, end):
            return None
        if familiar.tail and not octets.startswith(familiar.tail, end + familiar.tail_at):
            return None
        return familiar.opener.open(octets, end, familiar.behind, familiar.body)

    def open_one(self, octets: bytes, transaction_id: bytes | None, innermost: Collection[int]) -> Peeled | None:
        """Return an APDU whose only layer was taken off; None: ask the straight way.

        transaction_id: the one that it must have, if any. innermost: tags of what may stand inside.
        """
        found = self.open(octets)
        if found is None:
            return None
        plaintext, layer, fresh = found
        if not plaintext or plaintext[0] not in innermost:
            return None
        if transaction_id is not None and transaction_id != layer.header.transaction_id:
            return None
        return Peeled(made(GeneralUnprotected, (plaintext, (layer,), b"")), fresh, self._receiving.transactions)

    def remember(self, octets: bytes, layer: ReceivedLayer, length: int) -> None:
        """Keep what the octets of a layer have told that passed on the straight way. length: of the plaintext."""
        header, kind, control = layer.header, layer.key_info, layer.security_control
        if (
            not self._open
            or control is None
            or not control.protection
            or not (kind in UNICAST or (kind is WRAPPED and control.authenticated))
            or header.date_time
            or header.other_information
            or length > TWO_PASS_LIMIT
        ):
            return
        end = 2 + len(header.transaction_id)
        fixed = titles(header.originator, header.recipient)
        content = HEADER_LENGTH + length + (TAG_LENGTH if control.authenticated else 0)
        if octets[1] != end - 2 or not octets.startswith(fixed + kind.octets, end):
            return  # its lengths are not written as short as they can be
        if len(self._familiar) >= MOST_FAMILIAR:
            self._familiar.clear()
        front, tail, tail_at = octets[end : len(octets) - content + 1], b"", 0
        opener = self._opener(header.originator, kind, control)
        body = len(front)
        if kind is WRAPPED:
            data = len(fixed) + len(kind.octets) + 1
            tail_at = data + octets[end + data - 1]
            if octets[end + data - 1] > 127:
                return
            front, tail = front[:data], front[tail_at:]
        place = len(octets) - end << 8 | octets[end + SYSTEM_TITLE_LENGTH]
        self._familiar[place] = Familiar(front, len(fixed), body + COUNTER_LENGTH, opener, tail, tail_at)

    def _opener(self, title: bytes, kind: KeyEstablishment, control: SecurityControl) -> Opener:
        opener = self._openers.get((title, kind, control))
        if opener is None:
            party = self._receiving.parties[title]
            key = key_of(kind, party)
            assert key is not None
            own = self._receiving.establisher.own.title
            if kind is WRAPPED:
                opener = WrappedOpener(control, key, party, own, self._receiving)
            else:
                opener = UnicastOpener(control, kind, key, party, own, self._receiving.counter(key, title))
            self._openers[title, kind, control] = opener
        return opener
