"""Taking the protection of data off, layer by layer (class 30; reference, security 15, 17).

Each layer is checked in this order, from the outermost on; the first thing that is wrong ends it, and nothing has
changed:

1. type, key_info and scheme are such as there are
2. recipient is this side; originator is known, and is the one of the layer around unless that is a broker's
3. security control: suite, no broadcast bit, no compression, and the protection that the parameters say
4. key_info is one that this originator may use
5. transaction-id or invocation counter was not used before with data
6. the key: of C(1e,1s) only after the signature of the ephemeral key was verified
7. tag or signature
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cosemic.dialect import GeneralCipheringAad
from cosemic.errors import CertificateError, DecipheringError, DecodeError, InvocationCounterError
from cosemic.model.protection import ProtectionParametersElement
from cosemic.security.counting import ReceiveCounter
from cosemic.security.data_parameters import received, split_signed
from cosemic.security.general import (
    CipheringParts,
    GeneralHeader,
    GeneralUnprotected,
    KeyEstablishment,
    KeyInfo,
    Layer,
    LayerPlan,
    Party,
    ReceivedLayer,
    Transaction,
    open_ciphering,
    verify_signing,
)
from cosemic.security.general.ciphering import checked_control
from cosemic.security.general.plan import AUTHENTICATED_AND_ENCRYPTED, NONE, SIGNED
from cosemic.security.general.transactions import LONGEST_TRANSACTION_ID, scope_of
from cosemic.security.protection import HEADER_LENGTH
from cosemic.security.suite import Protection

if TYPE_CHECKING:
    from cosemic.security.data_protection import DataProtector

REFUSED: Final = (
    "the protected data do not fit what is known of their parties, or came before: check keys, certificates, system "
    "titles, permitted key-infos and protection parameters of both sides"
)
DATA: Final = "data"
"""Scope of counters and transaction-ids of data that come in."""


class OpenedData:
    """Data whose protection was taken off; :meth:`accept` makes them count.

    data: A-XDR encoded; act upon them only after :meth:`accept`. layers: those taken off, outermost first.
    """

    def __init__(
        self,
        protector: DataProtector,
        octets: bytes,
        parameters: Sequence[ProtectionParametersElement],
        transaction_id: bytes | None,
    ) -> None:
        self._protector: Final = protector
        self._transaction_id: Final = transaction_id
        self._layers: list[ReceivedLayer] = []
        self._counters: list[tuple[int, bool, ReceiveCounter]] = []
        self._transactions: list[Transaction] = []
        self._volatile: list[Transaction] = []
        try:
            if not 0 < len(parameters) <= protector.max_layers:
                raise DecipheringError(REFUSED)
            for element in reversed(parameters):
                octets = self._inside(octets, *received(element, protector.dialect))
            self._check_vouched_for()
        except (CertificateError, DecodeError, DecipheringError, InvocationCounterError):
            raise DecipheringError(REFUSED) from None
        self.data: Final = octets
        self.layers: Final = tuple(self._layers)

    @property
    def applied(self) -> Protection:
        """What counts: all that was authenticated or encrypted, and signed by the author, who applied the innermost."""
        author = self.layers[-1].header.originator
        found = NONE
        for layer in self.layers:
            if layer.protection is not SIGNED or layer.header.originator == author:
                found |= layer.protection
        return found

    def answering(self, required: Protection) -> tuple[Layer, ...]:
        """Return the layers of an answer, innermost first: those that came, and what else is required of it.

        Raises EncodeError for data under the broadcast key, which are not answered.
        """
        for layer in self.layers:
            required |= layer.protection
        plan = LayerPlan.answering(GeneralUnprotected(b"", self.layers), required)
        return tuple(reversed(plan.layers))

    def accept(self) -> None:
        """Accept counters and transaction-ids, durably.

        Raises DecipheringError when other data have used them meanwhile, SecurityError when they cannot be kept.
        """
        try:
            if self._volatile:
                self._protector.volatile.accept(self._volatile)
            if self._transactions:
                self._protector.transactions.accept(self._transactions)
            for value, authenticated, counter in sorted(self._counters, key=lambda each: each[0]):
                (counter.accept if authenticated else counter.accept_unauthenticated)(value)
        except (DecipheringError, InvocationCounterError):
            raise DecipheringError(REFUSED) from None

    def __repr__(self) -> str:
        return f"OpenedData({len(self.data)} octets, {self.layers!r})"

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _inside(self, octets: bytes, header: GeneralHeader, protection: Protection, key_info: KeyInfo | None) -> bytes:
        """Return what one layer carries."""
        protector = self._protector
        party = self._party(header, key_info)
        if key_info is None:
            if party.signing is None:
                raise DecipheringError(REFUSED)
            parts = split_signed(octets, header, protector.suite, protector.dialect)
            transaction = protector.establisher.signed(party, parts)
            self._check_unused(transaction)
            verify_signing(parts, party.signing, protector.dialect)
            self._transactions.append(_of_data(transaction))
            self._layers.append(ReceivedLayer(header, SIGNED))
            return parts.content
        return self._deciphered(octets, header, protection, key_info, party)

    def _party(self, header: GeneralHeader, key_info: KeyInfo | None) -> Party:
        """Return the originator of a layer that is for this side."""
        protector = self._protector
        around = self._layers[-1].header.originator if self._layers else header.originator
        party = protector.parties.get(header.originator)
        if party is None or (header.originator != around and not protector.parties[around].broker):
            raise DecipheringError(REFUSED)
        broadcast = key_info is not None and key_info.kind is KeyEstablishment.GLOBAL_BROADCAST
        if header.recipient != protector.own.title and not (broadcast and not header.recipient):
            raise DecipheringError(REFUSED)
        fitting = self._transaction_id in (None, header.transaction_id)
        if not fitting or not 0 < len(header.transaction_id) <= LONGEST_TRANSACTION_ID:
            raise DecipheringError(REFUSED)
        return party

    def _deciphered(
        self, octets: bytes, header: GeneralHeader, protection: Protection, key_info: KeyInfo, party: Party
    ) -> bytes:
        protector, kind = self._protector, key_info.kind
        establisher = protector.establisher
        control = checked_control(octets, protector.suite)
        if control.protection != protection or control.compressed or kind not in party.key_infos:
            raise DecipheringError(REFUSED)
        unicast = kind is KeyEstablishment.GLOBAL_UNICAST
        if unicast and protector.gmac_offered and protection == Protection.AUTHENTICATED:
            raise DecipheringError(REFUSED)
        vouched = control.authenticated or self._vouched_around(header)
        transaction = counter = None
        if kind.per_message:
            transaction = establisher.by_id(kind, party, header, authenticated=vouched)
            self._check_unused(transaction)
        key = establisher.taken(key_info, party, header)
        if not kind.per_message:
            counter = protector.counter(key, party.title)
            self._check_counter(counter, octets, vouched)
        elif transaction is None:
            transaction = establisher.by_key(kind, party, key)
            self._check_unused(transaction)
        parts = CipheringParts(header, header.encode(), key_info, octets)
        opened = open_ciphering(parts, key, party.ak, header.originator, protector.dialect)
        if transaction is not None:
            (self._transactions if vouched else self._volatile).append(_of_data(transaction))
        if counter is not None and opened.invocation_counter is not None:
            self._counters.append((opened.invocation_counter, vouched, counter))
        self._layers.append(ReceivedLayer(header, protection, kind, control, opened.invocation_counter))
        return opened.plaintext

    def _vouched_around(self, header: GeneralHeader) -> bool:
        """Whether a layer around was verified, and with it the same parameters."""
        authenticates = {SIGNED}
        if self._protector.dialect.general_ciphering_aad is GeneralCipheringAad.META:
            authenticates |= {Protection.AUTHENTICATED, AUTHENTICATED_AND_ENCRYPTED}
        return any(layer.header == header and layer.protection in authenticates for layer in self._layers)

    def _check_vouched_for(self) -> None:
        """Refuse data that are only encrypted, unless their originator may."""
        for place, layer in enumerate(self._layers):
            if layer.protection != Protection.ENCRYPTED:
                continue
            header, later = layer.header, self._layers[place + 1 :]
            inside = any(
                one.protection != Protection.ENCRYPTED and one.header.originator == header.originator for one in later
            )
            if not (
                inside or self._vouched_around(header) or self._protector.parties[header.originator].encryption_alone
            ):
                raise DecipheringError(REFUSED)

    def _check_unused(self, transaction: Transaction | None) -> None:
        if transaction is None:
            return
        transaction = _of_data(transaction)
        if self._protector.transactions.has(transaction) or self._protector.volatile.has(transaction):
            raise DecipheringError(REFUSED)

    def _check_counter(self, counter: ReceiveCounter, octets: bytes, authenticated: bool) -> None:
        if len(octets) < HEADER_LENGTH:
            raise DecodeError("security control and invocation counter", len(octets), "security-header")
        value = int.from_bytes(octets[1:HEADER_LENGTH], "big")
        if any(counter is other and value == used for used, _, other in self._counters):
            raise DecipheringError(REFUSED)
        counter.check(value)
        if not authenticated and value < counter.volatile:
            raise DecipheringError(REFUSED)


def _of_data(transaction: Transaction) -> Transaction:
    """Return the acceptance of a transaction-id with data."""
    scope = scope_of(DATA, transaction.scope)
    return transaction._replace(scope=scope)
