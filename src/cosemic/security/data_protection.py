"""Protection of data itself, whatever carries it (class 30; IEC 62056-6-2, 5.3; reference, security 15).

::

    protect     A-XDR encoded data, layers       ->  protection parameters, protected data
    open        the two                          ->  data, and what was applied

Layers are applied in the order of the list and taken off the other way. Keys, transaction-ids and the rules of both are
those of general protection (:mod:`cosemic.security.general`); what is taken off is checked in its order, and nothing
has changed before :meth:`OpenedData.accept`. What is peculiar to data:

* Under a global key the invocation counter of the data is drawn before that of the APDU around them, so that it is the
  lower one. It is held against a lowest value of its own, of the same key and originator, which only data move.
* A layer that is only encrypted is taken where the same originator authenticates or signs the same data too: inside it,
  or around it with the same parameters; or where that party may do so (``Party.encryption_alone``).
* A transaction-id that was accepted with data may come with an APDU, and the other way. For C(0e,2s) it is given once
  for both, as the key is the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cosemic.dialect import STANDARD, Dialect, GeneralCipheringAad
from cosemic.errors import (
    ConfigurationError,
    EncodeError,
)
from cosemic.model.protection import ProtectionParametersElement
from cosemic.security.counters import CounterStore
from cosemic.security.counting import ReceiveCounter
from cosemic.security.data_opening import DATA, OpenedData
from cosemic.security.data_parameters import element_of, header_of, join_signed
from cosemic.security.elliptic import SoftwareAgreementKey
from cosemic.security.general import (
    GeneralHeader,
    KeyEstablishment,
    KeyInfo,
    Layer,
    MemoryTransactionStore,
    OwnParty,
    Party,
    TransactionStore,
    seal_signing,
)
from cosemic.security.general.establishing import KeyEstablisher
from cosemic.security.general.giving import give, with_fresh_id
from cosemic.security.general.opening import MAX_LAYERS
from cosemic.security.general.parties import known_parties
from cosemic.security.general.plan import SIGNED
from cosemic.security.general.transactions import LONGEST_TRANSACTION_ID, scope_of
from cosemic.security.hls import Randomness
from cosemic.security.key_agreement import MakeEphemeral
from cosemic.security.keys import Key
from cosemic.security.protection import protect
from cosemic.security.suite import CONTROLS, Protection, SecuritySuite


@dataclass(frozen=True, slots=True)
class ProtectedData:
    """Protected data. parameters: one element for each layer, the innermost first. octets: of the outermost."""

    parameters: tuple[ProtectionParametersElement, ...]
    octets: bytes


@dataclass(frozen=True, slots=True)
class PreparedProtection:
    """Layers whose keys, transaction-ids and counters are taken: :meth:`seal` data with them, once."""

    parameters: tuple[ProtectionParametersElement, ...]
    _steps: tuple[Callable[[bytes], bytes], ...] = field(repr=False)
    _used: list[bool] = field(default_factory=list, repr=False)

    def seal(self, data: bytes) -> ProtectedData:
        """Return data inside the layers. Raises EncodeError the second time: key and nonce would come again."""
        if self._used:
            raise EncodeError("these layers have protected data already: prepare fresh ones")
        self._used.append(True)
        for step in self._steps:
            data = step(data)
        return ProtectedData(self.parameters, data)


class DataProtector:
    """Protects data, and takes their protection off, for one side.

    own, parties, suite, counters, transactions, dialect, draw, make_ephemeral: as for
    :class:`~cosemic.security.general.GeneralProtection`; of the dialect ``data_protection_meta`` and
    ``data_protection_signature`` are used besides. volatile: transaction-ids that nothing vouches for; in this process
    alone. gmac_offered: HLS mechanism 5 is possible under the global unicast key: then data under it that are only
    authenticated are refused, for f(StoC) could be the tag (reference, security 6). max_layers: that are taken off.

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
        volatile: TransactionStore | None = None,
        dialect: Dialect = STANDARD,
        gmac_offered: bool = False,
        max_layers: int = MAX_LAYERS,
        draw: Randomness = secrets.token_bytes,
        make_ephemeral: MakeEphemeral = SoftwareAgreementKey.generate,
    ) -> None:
        self.parties: Final = known_parties(own, parties, suite)
        self.own: Final = own
        self.suite: Final = suite
        self.dialect: Final = dialect
        self.counters: Final = counters
        self.transactions: Final = transactions
        self.volatile: Final = MemoryTransactionStore() if volatile is None else volatile
        self.gmac_offered: Final = gmac_offered
        self.max_layers: Final = max_layers
        self.establisher: Final = KeyEstablisher(
            own=own, suite=suite, dialect=dialect, draw=draw, make_ephemeral=make_ephemeral
        )
        self._received: dict[tuple[bytes, bytes], ReceiveCounter] = {}

    # ---- protecting -------------------------------------------------------------------------------------------------

    def new_transaction_id(self) -> bytes:
        """Return a transaction-id of 8 octets that was never given."""
        return self.transactions.next_own(self.own.title)

    def protect(self, data: bytes, layers: Sequence[Layer], *, transaction_id: bytes | None = None) -> ProtectedData:
        """Return data inside layers, the innermost first.

        transaction_id: of the layers that name none; a fresh one when None. Raises what :meth:`prepare` raises.
        """
        return self.prepare(layers, transaction_id=transaction_id).seal(data)

    def prepare(self, layers: Sequence[Layer], *, transaction_id: bytes | None = None) -> PreparedProtection:
        """Return layers with their keys: all that could forbid to protect is found before there are data.

        Raises EncodeError for what cannot be applied; ConfigurationError for an unknown party and a missing key;
        SecurityError for a transaction-id that must not be given again; CounterExhausted.
        """
        if not 0 < len(layers) <= self.max_layers:
            raise EncodeError(f"data are protected in 1 to {self.max_layers} layers, not {len(layers)}")
        once = [layer.key_info for layer in layers if layer.key_info is not None and layer.key_info.per_message]
        if len(set(once)) < len(once) or sum(layer.signing for layer in layers) > 1:
            raise EncodeError("one wrapped key, one of each agreed key and one signature at most: they share an id")
        if transaction_id is not None:
            return self._prepared(layers, transaction_id)
        return with_fresh_id(self.transactions, self.own.title, lambda fresh: self._prepared(layers, fresh))

    def _prepared(self, layers: Sequence[Layer], transaction_id: bytes) -> PreparedProtection:
        elements, steps = [], []
        for layer in layers:
            given = transaction_id if layer.transaction_id is None else layer.transaction_id
            if not 0 < len(given) <= LONGEST_TRANSACTION_ID:
                raise EncodeError(f"a transaction-id has 1 to {LONGEST_TRANSACTION_ID} octets, not {len(given)}")
            if layer.date_time:
                raise EncodeError("the parameters of protected data have no date-time: leave it empty")
            title = self.own.title
            header = header_of(given, title, layer.recipient, layer.other_information, self.dialect)
            element, step = self._signing(header) if layer.signing else self._ciphering(layer, header)
            elements.append(element)
            steps.append(step)
        return PreparedProtection(tuple(elements), tuple(steps))

    def _signing(self, header: GeneralHeader) -> tuple[ProtectionParametersElement, Callable[[bytes], bytes]]:
        key = self.own.signing_key
        if header.recipient not in self.parties:
            raise ConfigurationError(f"nothing is known of the recipient {header.recipient.hex()}")
        if key is None:
            raise ConfigurationError("there is no digital signature key to sign with: give one, with its certificate")

        def sign(data: bytes) -> bytes:
            return join_signed(seal_signing(key, header, data, self.dialect), header, self.suite, self.dialect)

        return element_of(header, SIGNED, None), sign

    def _ciphering(
        self, layer: Layer, header: GeneralHeader
    ) -> tuple[ProtectionParametersElement, Callable[[bytes], bytes]]:
        party = self._recipient(layer)
        kind = layer.key_info or party.preferred
        if kind not in party.key_infos:
            raise ConfigurationError(f"key-info {kind.label} is not permitted for {party.title.hex()}")
        element_of(header, layer.protection, KeyInfo(kind))
        if layer.protection & Protection.AUTHENTICATED and party.ak is None:
            raise ConfigurationError(f"the authentication key of {party.title.hex()} is not known")
        if kind is KeyEstablishment.STATIC:
            give(self.transactions, self.establisher, party, header, layer.transaction_id is None)
        key, key_info = self.establisher.given(kind, party, header)
        counter = 0 if kind.per_message else self.counters.transmit_counter(key.identity, self.own.title).next()
        control = CONTROLS[self.suite.id | int(layer.protection) << 4]

        def encipher(data: bytes) -> bytes:
            return protect(control, key, party.ak, self.own.title, counter, data, self._authenticated(header))

        return element_of(header, layer.protection, key_info), encipher

    def _recipient(self, layer: Layer) -> Party:
        if layer.recipient in self.parties:
            return self.parties[layer.recipient]
        if not layer.recipient:
            for party in self.parties.values():
                if KeyEstablishment.GLOBAL_BROADCAST in party.key_infos:
                    return party
        raise ConfigurationError(f"nothing is known of the recipient {layer.recipient.hex()}")

    def _authenticated(self, header: GeneralHeader) -> bytes:
        return header.encode() if self.dialect.general_ciphering_aad is GeneralCipheringAad.META else b""

    # ---- taking it off ----------------------------------------------------------------------------------------------

    def open(
        self,
        octets: bytes,
        parameters: Sequence[ProtectionParametersElement],
        *,
        transaction_id: bytes | None = None,
    ) -> OpenedData:
        """Return what protected data carry, verified but not yet counted as received (:meth:`OpenedData.accept`).

        parameters: as in :class:`ProtectedData`. transaction_id: that all layers must have: of the request which is
        answered. Raises DecipheringError, always the same, for whatever is wrong; nothing has changed then.
        """
        return OpenedData(self, octets, parameters, transaction_id)

    def unprotect(self, protected: ProtectedData, *, transaction_id: bytes | None = None) -> OpenedData:
        """Return what protected data carry, verified, and count it as received. Raises DecipheringError, SecurityError.

        The arguments are those of :meth:`open`.
        """
        opened = self.open(protected.octets, protected.parameters, transaction_id=transaction_id)
        opened.accept()
        return opened

    def counter(self, key: Key, title: bytes) -> ReceiveCounter:
        """Return the counter of the data that an originator protects under a global key."""
        place = scope_of(DATA, key.identity), title
        counter = self._received.get(place)
        if counter is None:
            counter = self._received[place] = self.counters.receive_counter(*place)
        return counter
