"""Association LN as an object of the device: class 15, versions 0 to 3 (IEC 62056-6-2, 5.3).

0-0:40.0.0*255 is the association in which it is read; 0-0:40.0.e*255 with e from 1 are the ones of each client.

object_list shows every attribute of each object in view (without right: no access) and the methods that are served::

    selector 1   all objects, 2 those of the classes named: class, version and name; the lists of rights are empty
    selector 3   the objects named, 4 the object named: whole entries; an object that is not in view is left out
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.association.serving import SERVER_CONFORMANCE
from cosemic.association.settings import LOW_LEVEL
from cosemic.codec import EncodedData, encode_length
from cosemic.errors import DecodeError
from cosemic.model import InterfaceClass, ObjectDefinition, Reading, interface_class
from cosemic.model.access_control import (
    AccessRightV0,
    AccessRightV1,
    AccessRightV3,
    ApplicationContextArcs,
    AssociatedPartners,
    AssociationStatus,
    AttributeAccessItemV0,
    AttributeAccessItemV1,
    AttributeAccessItemV3,
    AttributeAccessModeV3,
    MechanismArcs,
    MethodAccessItemV0,
    MethodAccessItemV1,
    MethodAccessItemV3,
    MethodAccessModeV3,
    ObjectListElementV0,
    ObjectListElementV1,
    ObjectListElementV3,
    UserListEntry,
    XDLMSContext,
)
from cosemic.security import access_coding
from cosemic.server.clients import AdmittedClient
from cosemic.server.objects import AccessRefused, CosemObject, Situation
from cosemic.server.rights import ObjectRights
from cosemic.values import ApplicationContext, Conformance, DataAccessResult, Obis

OBJECT_LIST: Final = 2
CURRENT: Final = Obis("0-0:40.0.0")
_DLMS_VERSION: Final = 6
_REPLY_TO_HLS_AUTHENTICATION: Final = 1
_NO_SECURITY_SETUP: Final = Obis(bytes(6))
_FORMS: Final[dict[int, tuple[Any, Any, Any, Any]]] = {
    0: (ObjectListElementV0, AccessRightV0, AttributeAccessItemV0, MethodAccessItemV0),
    1: (ObjectListElementV1, AccessRightV1, AttributeAccessItemV1, MethodAccessItemV1),
    2: (ObjectListElementV1, AccessRightV1, AttributeAccessItemV1, MethodAccessItemV1),
    3: (ObjectListElementV3, AccessRightV3, AttributeAccessItemV3, MethodAccessItemV3),
}
_MODES: Final[dict[int, tuple[Callable[[int], Any], Callable[[int], Any]]]] = {
    0: (int, bool),
    1: (int, int),
    2: (int, int),
    3: (AttributeAccessModeV3, MethodAccessModeV3),
}


class Domain(Protocol):
    """What an association object needs of its logical device."""

    @property
    def sap(self) -> int:
        """Server SAP."""

    def client(self, client_sap: int) -> AdmittedClient | None:
        """Return a client that is let in."""

    def objects_in_view(self, client: AdmittedClient) -> Iterable[CosemObject]:
        """Return the objects that a client sees."""


class AssociationObject(CosemObject):
    """The association of one client, or the current one (``client_sap`` None)."""

    def __init__(self, domain: Domain, version: int, instance_id: Obis, client_sap: int | None = None) -> None:
        self._domain = domain
        self._client_sap = client_sap
        declared = interface_class(15, version)
        assert declared is not None
        interface: InterfaceClass = declared(instance_id)
        self._secret = interface.attributes[7].index
        self._served = frozenset(interface.attributes) - {self._secret}
        super().__init__(interface, {})

    @property
    def readable(self) -> frozenset[int]:
        """Every attribute but the secret."""
        return self._served

    @property
    def writable(self) -> frozenset[int]:
        """The secret."""
        return frozenset((self._secret,))

    def selectors(self, attribute_id: int) -> tuple[int, ...]:
        """Return the selectors of object_list."""
        return (1, 2, 3, 4) if attribute_id == OBJECT_LIST else ()

    def is_of(self, client: AdmittedClient) -> bool:
        """Whether it is the association of that client, seen by the client itself where it is the current one."""
        return self._client_sap in (None, client.client_sap)

    def read(self, attribute_id: int, selection: SelectiveAccessDescriptor | None, situation: Situation) -> EncodedData:
        """Return an attribute as it is for the client of this association. Raises AccessRefused."""
        client = self._client(situation)
        if selection is not None:
            return self._selected(attribute_id, selection, client)
        if attribute_id == OBJECT_LIST:
            return object_list(client, self._domain.objects_in_view(client))
        if attribute_id not in self._served:
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        if attribute_id == 1:
            return super().read(1, None, situation)
        attribute = self.interface.attributes[attribute_id]
        return self._encode(attribute.type, self._value(attribute.name, client))

    def write(
        self,
        attribute_id: int,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        situation: Situation,
    ) -> None:
        """Write the secret; it holds for associations that are opened afterwards. Raises AccessRefused."""
        if attribute_id != self._secret:
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        if selection is not None:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        secret = self._decode(self.interface.attributes[self._secret].type, value)
        self._client(situation).change_secret(secret)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _client(self, situation: Situation) -> AdmittedClient:
        client = self._domain.client(situation.client_sap if self._client_sap is None else self._client_sap)
        if client is None:
            raise AccessRefused(DataAccessResult.OBJECT_UNAVAILABLE)
        return client

    def _value(self, name: str, client: AdmittedClient) -> Any:
        settings = client.settings
        match name:
            case "associated_partners_id":
                return AssociatedPartners(client.client_sap, self._domain.sap)
            case "application_context_name":
                return ApplicationContextArcs(2, 16, 756, 5, 8, 1, max(settings.context_names))
            case "xDLMS_context_info":
                offered = SERVER_CONFORMANCE if settings.conformance is None else settings.conformance
                offered &= SERVER_CONFORMANCE | Conformance.GENERAL_PROTECTION
                if ApplicationContext.LN_CIPHERED in settings.context_names and settings.conformance is None:
                    offered |= Conformance.GENERAL_PROTECTION
                size = settings.max_pdu_size
                return XDLMSContext(offered, size, size, _DLMS_VERSION, 0, b"")
            case "authentication_mechanism_name":
                return MechanismArcs(2, 16, 756, 5, 8, 2, settings.mechanism)
            case "association_status":
                current = self._client_sap is None or client.standing
                return AssociationStatus.ASSOCIATED if current else AssociationStatus.NON_ASSOCIATED
            case "security_setup_reference":
                return client.admission.security_setup or _NO_SECURITY_SETUP
            case "user_list":
                return ()
            case _:
                # current_user of an association that identifies no users.
                return UserListEntry(0, "")

    def _selected(self, attribute_id: int, selection: SelectiveAccessDescriptor, client: AdmittedClient) -> EncodedData:
        if attribute_id != OBJECT_LIST:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        declared = self.interface.attributes[OBJECT_LIST].selectors
        selector = next((one for one in declared if one.number == selection.access_selector), None)
        if selector is None:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        try:
            wanted = selector.parameters.decode(selection.access_parameters.typed(), Reading())
        except DecodeError:
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED) from None
        objects = self._domain.objects_in_view(client)
        match selector.number:
            case 1:
                return object_list(client, objects, with_rights=False)
            case 2:
                classes = frozenset(wanted)
                return object_list(client, [one for one in objects if one.class_id in classes], with_rights=False)
            case _:
                named = frozenset(wanted if selector.number == 3 else (wanted,))
                return object_list(client, [one for one in objects if _definition(one) in named])


def _definition(served: CosemObject) -> ObjectDefinition:
    return ObjectDefinition(served.class_id, served.instance_id)


def object_list(client: AdmittedClient, objects: Iterable[CosemObject], *, with_rights: bool = True) -> EncodedData:
    """Return entries of object_list as the version of the association codes them."""
    elements = [_element(client, served, with_rights) for served in objects]
    return EncodedData(b"\x01" + encode_length(len(elements)) + b"".join(elements))


def _element(client: AdmittedClient, served: CosemObject, with_rights: bool) -> bytes:
    element, access_right, *_ = _FORMS[client.version]
    rights = _access_right(client, served) if with_rights else access_right((), ())
    entry = element(served.class_id, served.interface.version, served.instance_id, rights)
    return EncodedData.from_typed(element.encode(entry)).octets


def _access_right(client: AdmittedClient, served: CosemObject) -> Any:
    _, access_right, attribute_item, method_item = _FORMS[client.version]
    attribute_mode, method_mode = _MODES[client.version]
    coding = access_coding(client.version)
    rights: ObjectRights = client.rights_to(served)
    attributes = tuple(
        attribute_item(index, attribute_mode(rights.attribute(index).encode(coding)), served.selectors(index) or None)
        for index in served.interface.attributes
    )
    methods = tuple(
        method_item(index, method_mode(rights.method(index).encode(coding))) for index in sorted(served.invocable)
    )
    if isinstance(served, AssociationObject) and served.is_of(client) and client.settings.mechanism not in LOW_LEVEL:
        # The control function serves it while the association is pending.
        methods = (method_item(_REPLY_TO_HLS_AUTHENTICATION, method_mode(1)),)
    return access_right(attributes, methods)
