"""COSEM data protection as an object of the device (class 30; IEC 62056-6-2, 5.3; reference, security 15).

::

    get_protected_attributes    object list, layers to be applied        ->  parameters, protected values
    set_protected_attributes    object list, parameters, protected values
    invoke_protected_method     method, parameters, protected parameter  ->  parameters, protected return
    protection_buffer           read: the protection_object_list under protection_parameters_get
                                written: the same, as protection_parameters_set say

Whatever is read, written or invoked is so with the rights of the client that asks, under the protection of its request,
and all of it or nothing (:mod:`cosemic.server.protected_view`). Data may be protected by that client, under its keys,
or by a third party that is known here: whoever brings them is its broker. In layers that are asked for, an empty
transaction_id is a fresh one, an empty originator this device, an empty recipient the client. What a method returns has
the layers of its parameter, and what required_protection says beyond.

In required_protection, bits of the request are the least protection of data that come in, those of the response of data
that go out. Data that are only encrypted are taken where it asks for exactly that. It is not written by clients.

========================  ==============================================================================================
read-write-denied         a missing right, less protection than required_protection, and whoever is no client: another
                          object of the device; a push reads as its push client
other-reason              protection that does not hold or came before, or cannot be applied; lists that say nothing, or
                          name class 30
type-unmatched            data that are not what is listed
========================  ==============================================================================================
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import DataType, EncodedData
from cosemic.errors import CosemicError, DecodeError, StoreError
from cosemic.model import (
    DataProtection,
    GetProtectedAttributesRequest,
    InvokeProtectedMethodRequest,
    ProtectedAttributes,
    ProtectedMethodReturn,
    ProtectionParametersElement,
    RestrictedObjectDefinition,
    SetProtectedAttributesRequest,
)
from cosemic.model.security_setup import SecurityPolicyV1
from cosemic.model.types import STRICT
from cosemic.security import Protection, PublicKey, Requirement, SecuritySuite, usable
from cosemic.security.data_opening import OpenedData
from cosemic.security.data_parameters import follows, wanted
from cosemic.security.data_protection import DataProtector
from cosemic.security.general import KeyEstablishment, MemoryTransactionStore, OwnParty, Party, TransactionStore
from cosemic.security.general.opening import MAX_LAYERS
from cosemic.security.general.plan import Layer
from cosemic.server.clients import AdmittedClient
from cosemic.server.clock import ClockObject
from cosemic.server.kept import KeptObject, refuse, refuse_unless
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused, Situation
from cosemic.server.protected_view import ProtectedView, can_be_listed, whole_data
from cosemic.server.push.protection import general_of
from cosemic.server.push.refusal import PushRefused
from cosemic.values import AuthenticationMechanism, DataAccessResult, Obis

T = TypeVar("T")
DATA_PROTECTION: Final = Obis("0-0:43.2.0")
_BUFFER: Final = DataProtection.protection_buffer.index
_NULL: Final = EncodedData.of(DataType.NULL_DATA)
_DENIED: Final = DataAccessResult.READ_WRITE_DENIED
_UNUSED_BITS: Final = 3
GLOBAL_KEYS: Final = frozenset({KeyEstablishment.GLOBAL_UNICAST, KeyEstablishment.WRAPPED})
"""What a client may use, besides what is said of it, where it has the keys."""


class DataProtectionObject(KeptObject):
    """A data protection of a device.

    device: whose attributes and methods it protects. clock: its clock. own: title and keys of the device; without a
    signing key that of the association serves. suite: of all keys. transactions: store of the device, which all that
    share these keys share, and which has to outlive the process as long as the keys live. parties: third parties, and
    what is known of clients besides the keys and ``parties`` of their associations: public keys, forms of key-info. The
    others are the attributes. writable: clients with the right to may write the three lists.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        own: OwnParty,
        *,
        suite: SecuritySuite,
        transactions: TransactionStore,
        parties: Iterable[Party] = (),
        instance_id: Obis | str = DATA_PROTECTION,
        protection_object_list: Sequence[RestrictedObjectDefinition] = (),
        protection_parameters_get: Sequence[ProtectionParametersElement] = (),
        protection_parameters_set: Sequence[ProtectionParametersElement] = (),
        required_protection: SecurityPolicyV1 = SecurityPolicyV1(0),  # noqa: B008 - a constant
        writable: bool = True,
    ) -> None:
        _usable(own).check(suite)
        self._device = device
        self._clock = clock
        self._own = own
        self._suite = suite
        self._transactions = transactions
        self._volatile = MemoryTransactionStore()
        self._parties: dict[bytes, Party] = {}
        for party in parties:
            party.check(own, suite)
            self._parties[party.title] = party
        self._protectors: dict[int, tuple[object, DataProtector]] = {}
        lists = {
            "protection_object_list": tuple(protection_object_list),
            "protection_parameters_get": tuple(protection_parameters_get),
            "protection_parameters_set": tuple(protection_parameters_set),
        }
        super().__init__(
            DataProtection(instance_id),
            {**lists, "required_protection": required_protection},
            writable=tuple(lists) if writable else (),
            methods={
                "get_protected_attributes": self._get,
                "set_protected_attributes": self._set,
                "invoke_protected_method": self._invoke,
            },
        )

    @property
    def required(self) -> Requirement:
        """The least protection of data that come in (request) and go out (response)."""
        return Requirement.from_bits(int(self.value("required_protection")))

    # ---- attributes -------------------------------------------------------------------------------------------------

    @property
    def readable(self) -> frozenset[int]:
        """Attributes that have a value, the protection_buffer among them."""
        return super().readable | {_BUFFER}

    @property
    def writable(self) -> frozenset[int]:
        """Attributes that can be written, the protection_buffer among them."""
        return super().writable | {_BUFFER}

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse lists that could never be followed. Raises AccessRefused."""
        if name == "protection_object_list":
            refuse_unless(can_be_listed(value))
        elif name == "required_protection":
            refuse_unless(not int(value) & _UNUSED_BITS)
        elif name.startswith("protection_parameters"):
            refuse_unless(len(value) <= MAX_LAYERS)
            self._layers([self._turned(one) for one in value] if name.endswith("_set") else value, bytes(8))

    def read(self, attribute_id: int, selection: SelectiveAccessDescriptor | None, situation: Situation) -> EncodedData:
        """Return an attribute; the protection_buffer is protected anew each time. Raises AccessRefused, StoreError."""
        if attribute_id != _BUFFER or selection is not None:
            return super().read(attribute_id, selection, situation)
        found = self._protected(
            self.value("protection_object_list"), self.value("protection_parameters_get"), situation
        )
        content = EncodedData.from_typed(ProtectedAttributes.encode(found))
        return EncodedData.of(DataType.OCTET_STRING, content.octets)

    def write(
        self,
        attribute_id: int,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        situation: Situation,
    ) -> None:
        """Write an attribute; through the protection_buffer all that is listed. Raises AccessRefused, StoreError."""
        if attribute_id != _BUFFER or selection is not None:
            super().write(attribute_id, selection, value, situation)
            return
        content = self._content(value)
        template = self.value("protection_parameters_set")
        refuse_unless(len(template) == len(content.protection_parameters))
        refuse_unless(_done(lambda: all(map(follows, content.protection_parameters, template))))
        self._write_all(
            self.value("protection_object_list"),
            content.protection_parameters,
            content.protected_attributes,
            situation,
        )

    def check_write(self, attribute_id: int, value: EncodedData, situation: Situation) -> None:
        """Refuse what :meth:`write` would refuse, so far as that can be told ahead. Raises AccessRefused."""
        if attribute_id == _BUFFER:
            self._content(value)
        else:
            super().check_write(attribute_id, value, situation)

    def _content(self, value: EncodedData) -> ProtectedAttributes:
        octets = self._decode(self.interface.attributes[_BUFFER].type, value)
        try:
            return ProtectedAttributes.decode(EncodedData(octets).typed(), STRICT)
        except DecodeError:
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED) from None

    # ---- methods ----------------------------------------------------------------------------------------------------

    def _get(self, request: GetProtectedAttributesRequest, situation: Situation) -> ProtectedAttributes:
        return self._protected(request.object_list, request.get_protection_parameters, situation)

    def _set(self, request: SetProtectedAttributesRequest, situation: Situation) -> None:
        self._write_all(request.object_list, request.set_protection_parameters, request.protected_attributes, situation)

    def _invoke(self, request: InvokeProtectedMethodRequest, situation: Situation) -> ProtectedMethodReturn:
        view = self._view(situation)
        protector = self._protector(view)
        opened = self._opened(protector, request.protected_method_invocation_parameters, request.protection_parameters)
        served = view.method(request.object_method_definition)
        parameter = whole_data(opened.data)
        layers = _done(lambda: opened.answering(self.required.response))
        # All that could keep the answer from being protected is found before the method is invoked.
        prepared = _done(lambda: protector.prepare(layers))
        _done(opened.accept)
        answer = served.invoke(request.object_method_definition.method_index, parameter, situation)
        sealed = prepared.seal((answer or _NULL).octets)
        return ProtectedMethodReturn(sealed.parameters, sealed.octets)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _protected(
        self,
        entries: Sequence[RestrictedObjectDefinition],
        elements: Sequence[ProtectionParametersElement],
        situation: Situation,
    ) -> ProtectedAttributes:
        """Return values under protection."""
        view = self._view(situation)
        protector = self._protector(view)
        refuse_unless(0 < len(elements) <= MAX_LAYERS)
        layers = self._layers(elements, self._title(view))
        applied = Protection.NONE
        for layer in layers:
            applied |= layer.protection
        _check_required(self.required.response, applied)
        body = view.read(entries)
        sealed = _done(lambda: protector.protect(body, layers))
        return ProtectedAttributes(sealed.parameters, sealed.octets)

    def _write_all(
        self,
        entries: Sequence[RestrictedObjectDefinition],
        elements: Sequence[ProtectionParametersElement],
        octets: bytes,
        situation: Situation,
    ) -> None:
        """Write values whose protection holds."""
        view = self._view(situation)
        opened = self._opened(self._protector(view), octets, elements)
        changes = view.changes(entries, opened.data)
        _done(opened.accept)
        view.write(changes)

    def _opened(
        self, protector: DataProtector, octets: bytes, elements: Sequence[ProtectionParametersElement]
    ) -> OpenedData:
        opened = _done(lambda: protector.open(octets, elements))
        _check_required(self.required.request, opened.applied)
        return opened

    def _layers(self, elements: Sequence[ProtectionParametersElement], usual: bytes) -> list[Layer]:
        """Return the layers that are asked for. Raises AccessRefused."""
        return _done(lambda: [wanted(element, self._own.title, usual) for element in elements])

    def _turned(self, element: ProtectionParametersElement) -> ProtectionParametersElement:
        """Return parameters of what comes in as such as could be asked of us. Raises AccessRefused."""
        options, own = element.protection_options, self._own.title
        refuse_unless(options.originator_system_title != own and options.recipient_system_title in (b"", own))
        refuse_unless(len(options.originator_system_title) in (0, len(own)))
        return replace(element, protection_options=replace(options, originator_system_title=b""))

    def _view(self, situation: Situation) -> ProtectedView:
        """Return the device as the client that asks sees it. Raises AccessRefused where none does."""
        client = self._device.client(situation.client_sap)
        if client is None or situation.access is None:
            raise AccessRefused(_DENIED)
        return ProtectedView(self._device, self._clock, self, client, situation.access, situation)

    @staticmethod
    def _title(view: ProtectedView) -> bytes:
        agreement = view.situation.agreement
        return (agreement.client_title if agreement is not None else view.client.last_title) or b""

    def _protector(self, view: ProtectedView) -> DataProtector:
        """Return what protects data exchanged with a client, under its keys of this moment. Raises AccessRefused."""
        client, title, required = view.client, self._title(view), self.required.request
        believed = _done(lambda: (self._believed(client, title), _usable(self._own_of(client))))
        made_of = client.settings, title, required, believed
        known = self._protectors.get(client.client_sap)
        if known is None or known[0] != made_of:
            known = made_of, _done(lambda: self._protector_of(client, title, required))
            self._protectors[client.client_sap] = known
        return known[1]

    def _protector_of(self, client: AdmittedClient, title: bytes, required: Protection) -> DataProtector:
        settings = client.settings
        general = general_of(client)
        known = dict(self._parties)
        if general is not None:
            known = {**general.parties, **known}
        asking = self._party(client, title, known.get(title), required)
        if asking is not None:
            known[title] = asking
        gmac = settings.mechanism is AuthenticationMechanism.HLS_GMAC
        return DataProtector(
            _usable(self._own_of(client)),
            known.values(),
            suite=self._suite,
            counters=settings.counters,
            transactions=self._transactions,
            volatile=self._volatile,
            dialect=settings.dialect,
            gmac_offered=gmac and required != Protection.AUTHENTICATED,
        )

    def _own_of(self, client: AdmittedClient) -> OwnParty:
        """Return this side with its own keys, and where it has none those of the association."""
        own, settings = self._own, client.settings
        signing, agreement = own.signing_key or settings.signing_key, own.agreement_key
        if settings.parties is not None:
            signing, agreement = signing or settings.parties.signing_key, agreement or settings.parties.agreement_key
        return replace(own, signing_key=signing, agreement_key=agreement)

    @staticmethod
    def _believed(client: AdmittedClient, title: bytes) -> tuple[PublicKey | None, ...]:
        """Return the public keys that count at this moment: certificates run out, are revoked and removed."""
        parties, of = client.settings.parties, client.last_title
        known = () if parties is None or not of else parties.believed(of)
        return (*known, _signer(client, title))

    def _party(self, client: AdmittedClient, title: bytes, known: Party | None, required: Protection) -> Party | None:
        """Return what is known of the client that asks, with the keys of its association; None of one without title."""
        settings = client.settings
        material = settings.material
        if not title or material is None or material.suite != self._suite:
            return known
        signing = known.signing if known is not None else None
        if signing is None:
            signing = _signer(client, title)
        kinds = GLOBAL_KEYS if material.kek is not None else GLOBAL_KEYS - {KeyEstablishment.WRAPPED}
        if known is None:
            known = Party(title=title)
        return replace(
            known,
            key_infos=known.key_infos | kinds,
            material=material.with_dedicated_key(None),
            signing=signing,
            encryption_alone=known.encryption_alone or required == Protection.ENCRYPTED,
        )


def _signer(client: AdmittedClient, title: bytes) -> PublicKey | None:
    """Return the key by which signatures of a client are known in its associations, where there is one."""
    signers = client.settings.signers
    try:
        return None if signers is None or not title else signers.signer(title)
    except CosemicError:
        return None


def _usable(own: OwnParty) -> OwnParty:
    """Return this side without the keys whose certificates are not there yet."""
    return replace(own, signing_key=usable(own.signing_key), agreement_key=usable(own.agreement_key))


def _check_required(required: Protection, applied: Protection) -> None:
    if required & ~applied:
        raise AccessRefused(_DENIED)


def _done(what: Callable[[], T]) -> T:
    """Do what keys, signatures or parameters may forbid. Raises AccessRefused, StoreError."""
    try:
        return what()
    except StoreError:
        raise
    except (CosemicError, PushRefused):
        refuse()
