"""A third party's services: requests that a broker hands on to the server, and the answers that it brings back
(IEC 62056-5-3; reference, security 14).

A third party has no association of its own. What it asks is protected with keys agreed with the server, and signed; the
client that carries it can neither read nor change it. The broker is asked with
:class:`~cosemic.association.requests.PassOn`, and what that results in is given to :meth:`ThirdParty.receive`::

    send(request)   octets_to_send() -> broker -> server
    receive(octets)                  <- broker <- server      Completed or Failed, or more octets are to be sent

Nothing times out here: whoever carries the octets tells by :meth:`ThirdParty.cancel` that no answer will come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cosemic import apdu as a
from cosemic.association.client_layers import ClientLayers
from cosemic.association.exchanges import SERVICES
from cosemic.association.layered_room import layered_room
from cosemic.association.parties import AGREED, believed
from cosemic.association.received_errors import received_error
from cosemic.association.requests import Completed, Failed, Request, may_change
from cosemic.association.service_class import take_number
from cosemic.association.settings import AGREED_BEFOREHAND
from cosemic.association.terms import FIRST_INVOKE_ID, Exchange, Numbering, Terms
from cosemic.codec import DEFAULT_LIMITS, Limits
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import (
    AssociationError,
    ConfigurationError,
    CosemicError,
    OutcomeUnknown,
    ProtocolError,
    ServiceFailed,
)
from cosemic.security import AgreementKey, Key, MemoryCounterStore, Protection, SecuritySuite, SigningKey, usable
from cosemic.security.general import (
    GeneralProtection,
    KeyEstablishment,
    LayerPlan,
    OwnParty,
    Party,
    TransactionStore,
)
from cosemic.security.general.layout import LAYER_TAGS
from cosemic.security.general.party_keys import PartyKeys
from cosemic.values import Conformance

_ERRORS: Final = frozenset((0xD8, 0x0E))
_COPIED: Final = 0x8F
_COPIED_LONG: Final = 0x80FFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdPartySettings:
    """What a third party has for one server.

    title, server_title: 8 octets each. suite: of the server's keys. layers: of what is asked; each for the server.
    authentication_key: AK of what is exchanged; :data:`~cosemic.security.keys.NO_AUTHENTICATION_KEY` where none is
    used. transactions: where transaction-ids are kept, in a store that outlives the process. keys: finds the public
    keys of the server. signing_key, agreement_key: the own private keys. key_infos: the forms of agreed keys that are
    taken. require: least protection of answers; None: that of ``layers``. conformance: what the server does.
    max_pdu_size: largest APDU that the server takes from the broker, less what the broker puts around it, in octets.

    Raises ConfigurationError where nothing can be protected so.
    """

    title: bytes
    server_title: bytes
    suite: SecuritySuite
    layers: LayerPlan
    authentication_key: Key
    transactions: TransactionStore
    keys: PartyKeys
    signing_key: SigningKey | None = None
    agreement_key: AgreementKey | None = None
    key_infos: frozenset[KeyEstablishment] = AGREED
    require: Protection | None = None
    conformance: Conformance = AGREED_BEFOREHAND
    max_pdu_size: int = 0xFFFF
    dialect: Dialect = STANDARD
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if self.key_infos - AGREED:
            raise ConfigurationError("a third party holds no global key: it can only agree on keys, and sign")
        if not self.layers.layers or any(layer.recipient != self.server_title for layer in self.layers.layers):
            raise ConfigurationError("the layers of a third party are for the server: name it as recipient of each")
        self.protection()

    def protection(self) -> GeneralProtection:
        """Return a fresh protection, with the public keys of this moment. Raises ConfigurationError."""
        signing, agreement = believed(self.keys, self.server_title)
        missing = set() if agreement else {KeyEstablishment.STATIC}
        if signing is None and agreement is None:
            missing.add(KeyEstablishment.ONE_PASS)
        server = Party(
            title=self.server_title,
            key_infos=self.key_infos - missing,
            authentication_key=self.authentication_key,
            signing=signing,
            agreement=agreement,
        )
        return GeneralProtection(
            OwnParty(title=self.title, signing_key=usable(self.signing_key), agreement_key=usable(self.agreement_key)),
            [server],
            suite=self.suite,
            counters=MemoryCounterStore(),  # no key of a third party has a counter
            transactions=self.transactions,
            dialect=self.dialect,
        )

    def believed(self) -> tuple[object, ...]:
        """Return the public keys that count at this moment: when they change, so does the protection."""
        own = (usable(self.signing_key), usable(self.agreement_key))
        return *(None if handle is None else handle.public for handle in own), *believed(self.keys, self.server_title)


class ThirdParty:
    """Asks one server for services, one at a time, through a broker."""

    def __init__(self, settings: ThirdPartySettings) -> None:
        self.settings = settings
        self._believed = settings.believed()
        self._layers = ClientLayers(settings.protection(), settings.server_title, settings.require)
        room = layered_room(settings.max_pdu_size, settings.layers.layers, settings.title, settings.suite)
        agreed = int(settings.conformance)
        self._terms = Terms(FIRST_INVOKE_ID, room, agreed, settings.limits, room)
        self._request: Request | None = None
        self._exchange: Exchange | None = None
        self._due = b""
        self._sent = False

    @property
    def busy(self) -> bool:
        """Whether a request is being served."""
        return self._request is not None

    @property
    def room(self) -> int:
        """Octets that a request may have before it is protected."""
        return self._terms.room

    def fit(self, max_pdu_size: int, agreed: Conformance) -> None:
        """Learn what the broker can hand on, from the next request on.

        max_pdu_size: octets of the largest APDU, 0 for no limit; what the settings say holds where it is less. agreed:
        the services of its association.
        """
        self._terms.agreed = int(agreed)
        settings = self.settings
        least = min(size for size in (max_pdu_size or 0xFFFF, settings.max_pdu_size or 0xFFFF))
        room = layered_room(least, settings.layers.layers, settings.title, settings.suite)
        self._terms.room = self._terms.general_room = room

    def send(self, request: Request) -> None:
        """Take a request; its octets are due afterwards.

        Raises AssociationError while another one is being served, and for what is no confirmed data transfer service
        with logical names; ServiceFailed, EncodeError, SecurityError: nothing was sent then.
        """
        if self._request is not None:
            raise AssociationError("a request is being served: wait for its answer, or cancel it")
        service = SERVICES.get(type(request))
        if service is None or service.short_names:
            raise AssociationError(f"{type(request).__name__} cannot be asked for by a third party")
        if take_number(request, service.numbering, self._terms, ()):
            raise AssociationError("what a third party asks for is confirmed")
        self._renew()
        self._layers.begin(self.settings.layers)
        exchange = service.exchange(request, self._terms)
        self._sent = False
        try:
            self._transmit(next(exchange))
        except BaseException:
            exchange.close()
            raise
        self._request, self._exchange = request, exchange

    def octets_to_send(self) -> bytes:
        """Return the APDU that the broker has to hand on, or nothing."""
        due, self._due = self._due, b""
        self._sent = self._sent or bool(due)
        return due

    def receive(self, octets: bytes) -> list[Completed | Failed]:
        """Take what the broker brings; return the event that ends the request, if it does."""
        request, exchange = self._request, self._exchange
        if request is None or exchange is None:
            return []
        try:
            response = self._read(bytes(octets))
            if response is None:
                return []
            self._transmit(exchange.send(response))
        except StopIteration as done:
            self.cancel()
            return [Completed(request, done.value)]
        except CosemicError as error:
            sent = self._sent
            self.cancel()
            if not (sent and may_change(request)):
                return [Failed(request, error)]
            unknown = OutcomeUnknown(f"{error} - the change may have been made: read it back before sending it again")
            unknown.__cause__ = error
            return [Failed(request, unknown)]
        return []

    def cancel(self) -> None:
        """Give up the request; an answer that still comes is refused."""
        exchange, self._exchange, self._request, self._due = self._exchange, None, None, b""
        if exchange is not None:
            exchange.close()

    def _renew(self) -> None:
        """Go on with the public keys that count now. Raises ConfigurationError."""
        settings = self.settings
        keys = settings.believed()
        if keys != self._believed:
            self._layers = ClientLayers(settings.protection(), settings.server_title, settings.require)
            self._believed = keys

    def _transmit(self, message: Any) -> None:
        octets: bytes = message.encode()
        if len(octets) > self._terms.room:
            raise ServiceFailed(
                f"the request takes {len(octets)} octets, and the meter takes {max(self._terms.room, 0)} at most",
                label="pdu-too-long",
            )
        self._due = self._layers.protect(octets, octets)

    def _read(self, octets: bytes) -> Any:
        """Return the answer, None for one that comes late. Raises CosemicError."""
        if octets[:1] and octets[0] in _ERRORS:
            raise received_error(octets)  # in clear, so that anybody may have sent it
        if not octets or octets[0] not in LAYER_TAGS:
            raise ProtocolError("what the broker brings is no answer in layers of the server")
        apdu = self._layers.open(octets, None).plaintext
        if not self._layers.answers(layered=True):
            return None
        if apdu[:1] and apdu[0] in _ERRORS:
            raise received_error(apdu)
        response, terms = a.decode(apdu, self.settings.limits), self._terms
        if terms.numbering is Numbering.LONG:
            invoke = getattr(response, "long_invoke_id_and_priority", None)
            copied = invoke is not None and not (invoke ^ terms.long_invoke) & _COPIED_LONG
        else:
            invoke = getattr(response, "invoke_id_and_priority", None)
            copied = invoke is not None and not (invoke ^ terms.invoke) & _COPIED
        if not copied:
            raise ProtocolError("the answer has another invoke-id than the request")
        return response
