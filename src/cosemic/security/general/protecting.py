"""General protection of whole APDUs, for client, server, third party and broker (Green Book 9.2.7.2; security 5, 14).

::

    protect      APDU, plan      ->  layer( layer( APDU ) )
    unprotect    the same        ->  APDU, and what each party has applied

Layers are put around from the innermost outwards, and taken off the other way: see :mod:`.plan` and :mod:`.opening`.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from typing import Final

from cosemic.dialect import STANDARD, Dialect, EphemeralCounter
from cosemic.errors import ConfigurationError, EncodeError
from cosemic.security.counters import CounterStore
from cosemic.security.elliptic import SoftwareAgreementKey
from cosemic.security.general.ciphering import assemble, seal_ciphering, without_protection
from cosemic.security.general.establishing import STATIC, KeyEstablisher
from cosemic.security.general.giving import give, with_fresh_id
from cosemic.security.general.layout import LAYER_TAGS, GeneralHeader, KeyEstablishment, KeyInfo
from cosemic.security.general.opening import INNERMOST_TAGS, MAX_LAYERS, DateTimeCheck, Peeling, Receiving
from cosemic.security.general.parties import OwnParty, Party, known_parties
from cosemic.security.general.plan import GeneralUnprotected, Layer, LayerPlan
from cosemic.security.general.receiving_lane import Peeled, ReceivingLane
from cosemic.security.general.sending_lane import SendingLane
from cosemic.security.general.signing import seal_signing
from cosemic.security.general.transactions import (
    LONGEST_TRANSACTION_ID,
    MemoryTransactionStore,
    TransactionStore,
    scope_of,
)
from cosemic.security.hls import Randomness
from cosemic.security.key_agreement import MakeEphemeral
from cosemic.security.keys import Key
from cosemic.security.suite import CONTROLS, Protection, SecuritySuite

LARGEST_APDU: Final = 0xFFFF
CONTENT_TAGS: Final = INNERMOST_TAGS | LAYER_TAGS
"""What a layer may hold."""
NO_ID: Final = f"a transaction-id has 1 to {LONGEST_TRANSACTION_ID} octets: only what is answered may have had none"


class GeneralProtection:
    """Puts layers of general-ciphering and general-signing around APDUs, and takes them off.

    own: this side. parties: what it knows of each other one; of others nothing is taken. suite: of all of them.
    counters, transactions: the stores that all associations with these keys share. dialect:
    ``general_ciphering_aad``, ``general_signing_tbs``, ``ephemeral_signature``, ``ephemeral_counter``,
    ``kdf_algorithm_arc``, ``transaction_ids``, ``counter_without_protection``, ``compression`` and the quirk
    ``NO_TRANSACTION_IDS`` are used. brokers_for: titles of parties
    whose layers this side hands on. max_layers: that are taken off one APDU. expand_to: octets of the largest APDU to
    which a compressed one may expand. date_time_accepted: tells whether a date-time, 12 octets, is recent enough;
    without it none is looked at, nor is an empty one. draw, make_ephemeral: randomness.

    Raises ConfigurationError for titles and keys that do not go together.
    """

    def __init__(
        self,
        own: OwnParty,
        parties: Iterable[Party],
        *,
        suite: SecuritySuite,
        counters: CounterStore,
        transactions: TransactionStore,
        dialect: Dialect = STANDARD,
        brokers_for: Collection[bytes] = (),
        max_layers: int = MAX_LAYERS,
        expand_to: int = LARGEST_APDU,
        date_time_accepted: DateTimeCheck | None = None,
        draw: Randomness = secrets.token_bytes,
        make_ephemeral: MakeEphemeral = SoftwareAgreementKey.generate,
    ) -> None:
        self.parties: Final = known_parties(own, parties, suite)
        if own.title in brokers_for:
            raise ConfigurationError("this side cannot be the broker of itself")
        self.own: Final = own
        self.suite: Final = suite
        self.dialect: Final = dialect
        self._counters: Final = counters
        self._transactions: Final = transactions
        self._establisher: Final = KeyEstablisher(
            own=own, suite=suite, dialect=dialect, draw=draw, make_ephemeral=make_ephemeral
        )
        self._receiving: Final = Receiving(
            establisher=self._establisher,
            parties=self.parties,
            brokers_for=frozenset(brokers_for),
            counters=counters,
            transactions=transactions,
            volatile=MemoryTransactionStore(),
            max_layers=max_layers,
            expand_to=expand_to,
            date_time_accepted=date_time_accepted,
        )
        self._sending: Final = SendingLane(self._receiving)
        self._lane: Final = ReceivingLane(self._receiving)

    def new_transaction_id(self) -> bytes:
        """Return a transaction-id of 8 octets that was never given: for a plan whose answer is to be recognised."""
        return self._transactions.next_own(self.own.title)

    def protect(self, apdu: bytes, plan: LayerPlan, *, transaction_id: bytes | None = None) -> bytes:
        """Return an APDU inside the layers of a plan.

        apdu: an xDLMS APDU, one that a security context has sealed, or the layers of another party that are handed on.
        transaction_id: of the layers that name none; a fresh one when None.

        Raises EncodeError for what cannot be protected; ConfigurationError for an unknown party and a missing key;
        SecurityError for a transaction-id that must not be given again; CounterExhausted.
        """
        if not plan.layers:
            raise EncodeError("a plan has at least one layer")
        if not apdu or apdu[0] not in CONTENT_TAGS:
            raise EncodeError("only xDLMS APDUs and layers of general protection can be protected")
        if len(plan.layers) == 1 and (sealer := self._sending.sealer(plan.layers[0])) is not None:
            given = plan.layers[0].transaction_id
            if given is None:
                given = self._transactions.next_own(self.own.title) if transaction_id is None else transaction_id
            if 0 < len(given) <= LONGEST_TRANSACTION_ID:
                return sealer.seal(apdu, given)
        if transaction_id is not None:
            return self._protected(apdu, plan, transaction_id)
        return with_fresh_id(self._transactions, self.own.title, lambda fresh: self._protected(apdu, plan, fresh))

    def unprotect(self, octets: bytes, *, transaction_id: bytes | None = None) -> GeneralUnprotected:
        """Return what general protection carries, verified, and count it as received.

        transaction_id: the one that all layers for this side must have: of the request that is being answered.

        Raises DecipheringError, always the same, for whatever is wrong; InvocationCounterError, with the lowest
        acceptable value, for the counter of an outermost layer whose parties, suite and key-info fit. Nothing has
        changed then. Raises SecurityError when counter or transaction-id cannot be kept.
        """
        peeled = self._lane.open_one(octets, transaction_id, INNERMOST_TAGS)
        if peeled is None:
            return Peeling(self._receiving, octets, transaction_id, self._lane).accept()
        return peeled.accept()

    def peel(self, octets: bytes, *, transaction_id: bytes | None = None) -> Peeling | Peeled:
        """Return what :meth:`unprotect` does, verified but not yet counted as received (:meth:`Peeling.accept`).

        For APDUs of which more has to be verified: those that a security context has sealed.
        """
        peeled = self._lane.open_one(octets, transaction_id, INNERMOST_TAGS)
        return Peeling(self._receiving, octets, transaction_id, self._lane) if peeled is None else peeled

    def can_protect(self, plan: LayerPlan) -> bool:
        """Tell whether the keys are there for all layers of a plan, whose parties are known."""
        for layer in plan.layers:
            party, kinds = self.parties[layer.recipient], layer.protection
            if layer.signing and self.own.signing_key is None:
                return False
            if layer.signing or not kinds:
                continue
            if layer.key_info is None and not party.key_infos:
                return False
            kind = layer.key_info or party.preferred
            known = kind in party.key_infos and self._establisher.can_give(kind, party)
            if not known or (kinds & Protection.AUTHENTICATED and party.ak is None):
                return False
        return True

    def _protected(self, apdu: bytes, plan: LayerPlan, transaction_id: bytes) -> bytes:
        for layer in reversed(plan.layers):
            given, sealer = _given(layer, transaction_id), self._sending.sealer(layer)
            if sealer is not None and given:
                apdu = sealer.seal(apdu, given)
                continue
            own_id = layer.transaction_id is None
            header = GeneralHeader(given, self.own.title, layer.recipient, layer.date_time, layer.other_information)
            apdu = self._signed(apdu, header) if layer.signing else self._enciphered(apdu, layer, header, own_id)
        return apdu

    def _signed(self, apdu: bytes, header: GeneralHeader) -> bytes:
        if header.recipient not in self.parties:
            raise ConfigurationError(f"nothing is known of the recipient {header.recipient.hex()}")
        if self.own.signing_key is None:
            raise ConfigurationError("there is no digital signature key to sign with: give one, with its certificate")
        return seal_signing(self.own.signing_key, header, apdu, self.dialect)

    def _enciphered(self, apdu: bytes, layer: Layer, header: GeneralHeader, own_id: bool) -> bytes:
        party = self._recipient(layer)
        if not layer.protection:
            content = without_protection(self.suite, apdu, self.dialect)
            return assemble(header.encode(), KeyInfo(KeyEstablishment.ABSENT), content)
        kind = layer.key_info or party.preferred
        if kind not in party.key_infos:
            raise ConfigurationError(
                f"key-info {kind.label} is not permitted for {party.title.hex()}: permit it (key_infos), with "
                "the keys that it needs, or take another one"
            )
        if kind.per_message and not (header.transaction_id or self._establisher.goes_without_id(header)):
            raise EncodeError(NO_ID)
        if kind is STATIC:
            give(self._transactions, self._establisher, party, header, own_id)
        key, key_info = self._establisher.given(kind, party, header)
        counter = self._next_counter(kind, key, party)
        control = CONTROLS[self.suite.id | int(layer.protection) << 4]
        return seal_ciphering(control, key, party.ak, header, key_info, counter, apdu, self.dialect)

    def _next_counter(self, kind: KeyEstablishment, key: Key, party: Party) -> int:
        if not kind.per_message:
            identity = key.identity
        elif self.dialect.ephemeral_counter is EphemeralCounter.ZERO:
            return 0
        else:
            identity = scope_of("ephemeral counter", party.title)
        return self._counters.transmit_counter(identity, self.own.title).next()

    def _recipient(self, layer: Layer) -> Party:
        if layer.recipient in self.parties:
            return self.parties[layer.recipient]
        if not layer.recipient:
            for party in self.parties.values():
                if KeyEstablishment.GLOBAL_BROADCAST in party.key_infos:
                    return party
        raise ConfigurationError(f"nothing is known of the recipient {layer.recipient.hex()}")


def _given(layer: Layer, transaction_id: bytes) -> bytes:
    """Return the transaction-id of a layer. Raises EncodeError for one that cannot be sent."""
    given = transaction_id if layer.transaction_id is None else layer.transaction_id
    # A layer that names an empty one is that of the answer to a request without one.
    if len(given) > LONGEST_TRANSACTION_ID or (not given and layer.transaction_id is None):
        raise EncodeError(NO_ID)
    return given
