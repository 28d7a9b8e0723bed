"""Taking layers off, one after the other (Green Book 9.2.7.2; reference, security 5.5, 14, 17).

Each layer is checked in this order; the first thing that is wrong ends it, and nothing has changed:

1. recipient is this side; or a party that this side is the broker of, which ends the peeling
2. originator is known, is not this side, and is the one of the layer around unless that is a broker's
3. security control: suite, no broadcast bit, compression only where the dialect has it
4. key-info is one that this originator may use
5. transaction-id or invocation counter was not used before
6. the key: of C(1e,1s) only after the signature of the ephemeral key was verified
7. tag or signature

When the innermost APDU is one that may stand there, counters and transaction-ids are accepted, and it is handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from cosemic.dialect import Dialect
from cosemic.errors import DecipheringError, DecodeError, InvocationCounterError
from cosemic.security.counters import CounterStore
from cosemic.security.counting import ReceiveCounter
from cosemic.security.envelopes import ENVELOPES, PLAIN_TAGS
from cosemic.security.general.ciphering import checked_control, content_without_protection, open_ciphering
from cosemic.security.general.establishing import KeyEstablisher
from cosemic.security.general.layout import (
    GENERAL_SIGNING,
    LAYER_TAGS,
    CipheringParts,
    GeneralHeader,
    KeyEstablishment,
    split_ciphering,
    split_signing,
)
from cosemic.security.general.parties import Party
from cosemic.security.general.plan import APPLIED, REFUSED, SIGNED, GeneralUnprotected, ReceivedLayer
from cosemic.security.general.receiving_lane import ReceivingLane
from cosemic.security.general.signing import verify_signing
from cosemic.security.general.transactions import LONGEST_TRANSACTION_ID, Transaction, TransactionStore
from cosemic.security.keys import Key
from cosemic.security.protection import HEADER_LENGTH, Unprotected
from cosemic.security.suite import Protection, SecurityControl

ENCRYPTED: Final = Protection.ENCRYPTED
MAX_LAYERS: Final = 4
"""Layers that are taken off one APDU, unless told otherwise."""
INNERMOST_TAGS: Final = PLAIN_TAGS | ENVELOPES.keys()
"""What may stand inside all layers: an xDLMS APDU, or one that a security context opens."""
DateTimeCheck = Callable[[bytes], bool]
"""Tells whether a date-time of 12 octets is recent enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """What one side receives with: all that stays the same from APDU to APDU.

    volatile: transactions of layers that nothing vouches for; held in this process alone. counters: see
    :class:`~cosemic.security.counters.CounterStore`; received: those in use, by (key identity, title).
    """

    establisher: KeyEstablisher
    parties: Mapping[bytes, Party]
    brokers_for: Collection[bytes]
    counters: CounterStore
    transactions: TransactionStore
    volatile: TransactionStore
    max_layers: int
    expand_to: int
    date_time_accepted: DateTimeCheck | None
    received: dict[tuple[bytes, bytes], ReceiveCounter] = field(default_factory=dict)

    def counter(self, key: Key, title: bytes) -> ReceiveCounter:
        """Return the counter of what an originator sends under a global key."""
        counter = self.received.get((key.identity, title))
        if counter is None:
            counter = self.received[key.identity, title] = self.counters.receive_counter(key.identity, title)
        return counter


class Peeling:
    """One APDU whose layers are being taken off; :meth:`accept` makes it count. lane: for those that go often."""

    __slots__ = (
        "_counters",
        "_dialect",
        "_lane",
        "_layers",
        "_receiving",
        "_transaction_id",
        "_transactions",
        "_volatile",
        "result",
    )

    def __init__(self, receiving: Receiving, octets: bytes, transaction_id: bytes | None, lane: ReceivingLane) -> None:
        self._receiving: Final = receiving
        self._lane: Final = lane
        self._dialect: Final[Dialect] = receiving.establisher.dialect
        self._transaction_id: Final = transaction_id
        self._layers: list[ReceivedLayer] = []
        self._counters: list[tuple[int, bool, ReceiveCounter]] = []
        self._transactions: list[Transaction] = []
        self._volatile: list[Transaction] = []
        self.result: Final = self._peeled(octets)

    def accept(self) -> GeneralUnprotected:
        """Accept counters and transaction-ids, and return what was carried.

        Raises DecipheringError, InvocationCounterError when another APDU has used them meanwhile; SecurityError when
        they cannot be kept.
        """
        try:
            if self._volatile:
                self._receiving.volatile.accept(self._volatile)
            if self._transactions:
                self._receiving.transactions.accept(self._transactions)
            if len(self._counters) > 1:
                self._counters.sort(key=lambda each: each[0])
            for value, authenticated, counter in self._counters:
                (counter.accept if authenticated else counter.accept_unauthenticated)(value)
        except DecipheringError:
            raise DecipheringError(REFUSED) from None
        except InvocationCounterError:
            if len(self._layers) == 1:
                raise
            raise DecipheringError(REFUSED) from None
        return self.result

    def _peeled(self, octets: bytes) -> GeneralUnprotected:
        try:
            forward_to = b""
            while octets[:1] and octets[0] in LAYER_TAGS and not forward_to:
                if len(self._layers) == self._receiving.max_layers:
                    raise DecipheringError(REFUSED)
                octets, forward_to = self._inside(octets)
            if not self._layers or not (forward_to or (octets[:1] and octets[0] in INNERMOST_TAGS)):
                raise DecipheringError(REFUSED)
        except (DecodeError, DecipheringError):
            raise DecipheringError(REFUSED) from None
        except InvocationCounterError:
            # The lowest acceptable value is for the one who sent the APDU, not for who stands behind a broker.
            if not self._layers:
                raise
            raise DecipheringError(REFUSED) from None
        return GeneralUnprotected(octets, tuple(self._layers), forward_to)

    def _inside(self, octets: bytes) -> tuple[bytes, bytes]:
        """Return what one layer carries; or the layer itself, and the party that it has to be handed on to."""
        if octets[0] == GENERAL_SIGNING:
            signing = split_signing(octets)
            party, forward_to = self._party(signing.header, None)
            if forward_to:
                return octets, forward_to
            if party.signing is None:
                raise DecipheringError(REFUSED)
            transaction = self._receiving.establisher.signed(party, signing)
            self._check_unused(transaction, True)
            verify_signing(signing, party.signing, self._dialect)
            self._transactions.append(transaction)
            self._layers.append(ReceivedLayer(signing.header, SIGNED))
            return signing.content, b""
        found = self._lane.open(octets)
        if found is not None and self._fits(*found[1:]):
            plaintext, layer, fresh = found
            self._layers.append(layer)
            if isinstance(fresh, Transaction):
                self._transactions.append(fresh)
            else:
                self._counters.append((layer.invocation_counter or 0, layer.protection is not ENCRYPTED, fresh))
            return plaintext, b""
        ciphering = split_ciphering(octets)
        party, forward_to = self._party(ciphering.header, ciphering.key_info.kind)
        if forward_to:
            return octets, forward_to
        control = checked_control(ciphering.content, self._receiving.establisher.suite)
        if control.authenticated or control.encrypted:
            opened = self._opened(ciphering, party, control)
        elif ciphering.key_info.kind is KeyEstablishment.ABSENT and not control.compressed:
            opened = content_without_protection(ciphering.content, self._dialect)
        else:
            raise DecipheringError(REFUSED)
        applied = APPLIED[control.protection]
        kind = ciphering.key_info.kind
        layer = ReceivedLayer(ciphering.header, applied, kind, control, opened.invocation_counter)
        self._layers.append(layer)
        self._lane.remember(octets, layer, len(opened.plaintext))
        return opened.plaintext, b""

    def _fits(self, layer: ReceivedLayer, fresh: ReceiveCounter | Transaction) -> bool:
        """Tell whether a layer that is right by itself may stand here; where not, the straight way refuses it."""
        header, value = layer.header, layer.invocation_counter
        if self._transaction_id not in (None, header.transaction_id):
            return False
        around = self._layers[-1].header.originator if self._layers else header.originator
        if header.originator != around and not self._receiving.parties[around].broker:
            return False
        return not any(fresh is other and value == used for used, _, other in self._counters)

    def _party(self, header: GeneralHeader, kind: KeyEstablishment | None) -> tuple[Party, bytes]:
        """Return the originator, and the party to which the layer has to be handed on, empty when there is none."""
        receiving, own = self._receiving, self._receiving.establisher.own.title
        around = self._layers[-1].header.originator if self._layers else header.originator
        party = receiving.parties.get(header.originator)
        if party is None or (header.originator != around and not receiving.parties[around].broker):
            raise DecipheringError(REFUSED)
        if header.recipient in receiving.brokers_for:
            return party, header.recipient
        everybody = kind is KeyEstablishment.GLOBAL_BROADCAST and not header.recipient
        if header.recipient != own and not everybody:
            raise DecipheringError(REFUSED)
        if len(header.transaction_id) > LONGEST_TRANSACTION_ID or self._transaction_id not in (
            None,
            header.transaction_id,
        ):
            raise DecipheringError(REFUSED)
        check = receiving.date_time_accepted
        if check is not None and header.date_time and not (len(header.date_time) == 12 and check(header.date_time)):
            raise DecipheringError(REFUSED)
        return party, b""

    def _opened(self, parts: CipheringParts, party: Party, control: SecurityControl) -> Unprotected:
        """Return what a layer with protection carries, verified, and remember what makes it fresh."""
        receiving, header, kind = self._receiving, parts.header, parts.key_info.kind
        establisher = receiving.establisher
        if kind not in party.key_infos or not (control.authenticated or party.encryption_alone):
            raise DecipheringError(REFUSED)
        transaction = counter = None
        if kind.per_message:
            transaction = establisher.by_id(kind, party, header, authenticated=control.authenticated)
            self._check_unused(transaction, control.authenticated)
        key = establisher.taken(parts.key_info, party, header)
        if not kind.per_message:
            counter = receiving.counter(key, party.title)
            self._check_counter(counter, parts.content, control.authenticated)
        elif transaction is None:
            transaction = establisher.by_key(kind, party, key)
            self._check_unused(transaction, control.authenticated)
        opened = open_ciphering(parts, key, party.ak, header.originator, self._dialect, expand_to=receiving.expand_to)
        if transaction is not None:
            (self._transactions if opened.authenticated else self._volatile).append(transaction)
        if counter is not None and opened.invocation_counter is not None:
            self._counters.append((opened.invocation_counter, opened.authenticated, counter))
        return opened

    def _check_unused(self, transaction: Transaction | None, authenticated: bool) -> None:
        """Refuse what was used before. What nothing vouches for, anybody may have used: it holds up nothing else."""
        if transaction is None:
            return
        receiving = self._receiving
        if receiving.transactions.has(transaction) or (not authenticated and receiving.volatile.has(transaction)):
            raise DecipheringError(REFUSED)

    def _check_counter(self, counter: ReceiveCounter, content: bytes, authenticated: bool) -> None:
        if len(content) < HEADER_LENGTH:
            raise DecodeError("security control and invocation counter", len(content), "security-header")
        value = int.from_bytes(content[1:HEADER_LENGTH], "big")
        if any(counter is other and value == used for used, _, other in self._counters):
            raise DecipheringError(REFUSED)
        counter.check(value)
        if not authenticated and value < counter.volatile:
            raise InvocationCounterError(f"invocation counter {value} was used before", counter.volatile)
