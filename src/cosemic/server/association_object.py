"""Association LN as an object of the device: class 15, versions 0 to 3 (IEC 62056-6-2, 5.3).

Each client has its own: 0-0:40.0.e*255 with e from 1, which others may see as well, and 0-0:40.0.0*255, the current
association, which shows what was agreed in the association that reads it.

object_list shows every attribute of each object in view (without right: no access) and the methods that are served::

    selector 1   all objects, 2 those of the classes named: class, version and name; the lists of rights are empty
    selector 3   the objects named, 4 the object named: whole entries; an object that is not in view is left out

======================  ==============================================================================================
written or invoked      effect, for associations that are opened afterwards, but for the objects: at once
======================  ==============================================================================================
secret (attribute 7)    password of LLS, secret of HLS 2, 3, 4 and 6; other mechanisms have none: read-write-denied
change_HLS_secret       the same, for HLS only
add_object              the object, which the device has, comes into the view with the rights given, or gets them
remove_object           it leaves the view; the current association and the logical device name always stay
add_user, remove_user   see :mod:`cosemic.server.users`
======================  ==============================================================================================

What cannot be done ends with other-reason: a secret that is empty or too long, rights beyond what the object serves, an
object that is not there, a user who is not listed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.association.service_provider import Agreement
from cosemic.codec import EncodedData
from cosemic.model import interface_class
from cosemic.model.access_control import (
    ApplicationContextArcs,
    AssociatedPartners,
    AssociationStatus,
    MechanismArcs,
    XDLMSContext,
)
from cosemic.security import Protection
from cosemic.server.association_base import (
    CURRENT,
    LOGICAL_DEVICE_NAME,
    AssociationBase,
    Domain,
    definition,
    no_longer_pending,
)
from cosemic.server.clients import AdmittedClient
from cosemic.server.object_list import ObjectListElement, object_list, rights_in
from cosemic.server.objects import AccessRefused, CosemObject, Handler, Situation
from cosemic.server.rights import ObjectRights
from cosemic.values import DataAccessResult, Obis

OBJECT_LIST: Final = 2
_CLASS: Final = 15
_ALWAYS_IN_VIEW: Final = frozenset(((_CLASS, CURRENT), (12, CURRENT), (1, LOGICAL_DEVICE_NAME)))
_DLMS_VERSION: Final = 6


class AssociationObject(AssociationBase):
    """The association of one client; with the logical name :data:`CURRENT` the one in which it is read."""

    def __init__(self, domain: Domain, client: AdmittedClient, instance_id: Obis) -> None:
        declared = interface_class(_CLASS, client.version)
        assert declared is not None
        methods: dict[str, Handler] = {"add_object": self._add_object, "remove_object": self._remove_object}
        if client.high_level and client.has_secret:
            methods["change_HLS_secret"] = self._change_secret
        if client.high_level and instance_id == CURRENT:
            methods["reply_to_HLS_authentication"] = no_longer_pending
        secret = declared.attributes[7]
        writers = {secret.name: self._change_secret} if client.has_secret else {}
        self._served = frozenset(declared.attributes) - {secret.index}
        super().__init__(domain, client, declared(instance_id), methods=methods, writers=writers)

    @property
    def readable(self) -> frozenset[int]:
        """Every attribute but the secret."""
        return self._served

    def selectors(self, attribute_id: int) -> tuple[int, ...]:
        """Return the selectors of object_list."""
        return (1, 2, 3, 4) if attribute_id == OBJECT_LIST else ()

    def read(self, attribute_id: int, selection: SelectiveAccessDescriptor | None, situation: Situation) -> EncodedData:
        """Return an attribute as it is for the client of this association. Raises AccessRefused."""
        if selection is not None:
            return self.select(attribute_id, selection, situation)
        if attribute_id == OBJECT_LIST:
            return self._listed(self._domain.objects_in_view(self._client))
        if attribute_id not in self._served or attribute_id == 1:
            return super().read(attribute_id, None, situation)
        attribute = self.interface.attributes[attribute_id]
        return self._encode(attribute.type, self._value(attribute.name, self._agreement(situation)))

    def select(self, attribute_id: int, selection: SelectiveAccessDescriptor, situation: Situation) -> EncodedData:
        """Return the part of object_list that is selected. Raises AccessRefused."""
        number, wanted = self._parameters(attribute_id, selection)
        objects = self._domain.objects_in_view(self._client)
        match number:
            case 1:
                return self._listed(objects, with_rights=False)
            case 2:
                classes = frozenset(wanted)
                return self._listed((one for one in objects if one.class_id in classes), with_rights=False)
            case _:
                named = frozenset(wanted if number == 3 else (wanted,))
                return self._listed(one for one in objects if definition(one) in named)

    # ---- what is read -----------------------------------------------------------------------------------------------

    def _listed(self, objects: Iterable[CosemObject], *, with_rights: bool = True) -> EncodedData:
        client = self._client
        return object_list(client.version, ((one, client.rights_to(one)) for one in objects), with_rights=with_rights)

    def _value(self, name: str, agreement: Agreement) -> Any:
        client = self._client
        match name:
            case "associated_partners_id":
                return AssociatedPartners(client.client_sap, self._domain.sap)
            case "application_context_name":
                return ApplicationContextArcs(2, 16, 756, 5, 8, 1, agreement.application_context)
            case "xDLMS_context_info":
                # The dedicated key, which the standard has in cyphering_info, is shown to nobody.
                sizes = agreement.max_receive_pdu_size, agreement.max_send_pdu_size
                return XDLMSContext(agreement.conformance, *sizes, _DLMS_VERSION, 0, b"")
            case "authentication_mechanism_name":
                return MechanismArcs(2, 16, 756, 5, 8, 2, client.settings.mechanism)
            case "association_status":
                return self._status()
            case _:
                return self._common(name, agreement)

    def _status(self) -> AssociationStatus:
        if self.instance_id == CURRENT or self._client.standing or self._client.settings.pre_established is not None:
            return AssociationStatus.ASSOCIATED
        pending = self._client.pending
        return AssociationStatus.ASSOCIATION_PENDING if pending else AssociationStatus.NON_ASSOCIATED

    # ---- what is written and invoked --------------------------------------------------------------------------------

    def _add_object(self, element: ObjectListElement, situation: Situation) -> None:
        served = self._named(element)
        rights = rights_in(element, self._client.version)
        if not _within(rights, served):
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        self._client.show(served, rights)
        self._told("object-added", situation, class_id=served.class_id, obis=served.instance_id)

    def _remove_object(self, element: ObjectListElement, situation: Situation) -> None:
        served = self._named(element)
        if not self._client.sees(served) or (served.class_id, served.instance_id) in _ALWAYS_IN_VIEW:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        self._client.hide(served)
        self._told("object-removed", situation, class_id=served.class_id, obis=served.instance_id)

    def _named(self, element: ObjectListElement) -> CosemObject:
        """The object of the device that an element names. Raises AccessRefused where there is none of that version."""
        served = self._domain.object_for(self._client, element.class_id, element.logical_name)
        if served is None or served.interface.version != element.version:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        return served


def _within(rights: ObjectRights, served: CosemObject) -> bool:
    """Whether the object serves all that is allowed, and associations can ask for the protection."""
    requirements = [one.requires for one in rights.attributes.values()]
    requirements += [one.requires for one in rights.methods.values()]
    return (
        all(
            (not right.readable or index in served.readable) and (not right.writable or index in served.writable)
            for index, right in rights.attributes.items()
        )
        and rights.methods.keys() <= served.invocable
        and not any((one.request | one.response) & Protection.SIGNED for one in requirements)
    )
