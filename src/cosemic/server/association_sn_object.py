"""Association SN as an object of the device: class 12, versions 0 to 4 (IEC 62056-6-2, 5.3).

Each client that may use short names has the current association, 0-0:40.0.0*255 at the base_name FA00. It shows the
objects in view that have base names. The association that belongs to one client and that others may see,
0-0:40.0.e*255, is of this class where the client may use short names alone.

object_list and access_rights_list (every attribute of an object, without right: no access; the methods that are served)
are read whole or in part::

    object_list          selector 1 the objects of a class, 2 the object named
    access_rights_list   selector 1 the object with that base_name

=============================  =======  ===============================================================================
invoked                        version  answer or effect
=============================  =======  ===============================================================================
getlist_by_classid             0        the objects of a class
getobj_by_logicalname          0        the objects named; one that is not in view is left out
read_by_logicalname            all      a structure of the values, in turn; of attribute 0 a structure of all of them
get_attributes_and_methods     0 to 2   the rights to the objects named
change_LLS_secret, HLS         0 to 2   the secret of that level
change_secret                  3, 4     the secret
add_user, remove_user          3, 4     see :mod:`cosemic.server.users`
=============================  =======  ===============================================================================

read_by_logicalname needs the right of the client that asks to read each attribute, under no more protection than that
of the method; one that is refused refuses all, and attribute 0 with one that cannot be read is
scope-of-access-violated. get_HLS_challenge is not served: the challenge comes when the association is opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import EncodedData, encode_length
from cosemic.model import InterfaceClass, ObjectDefinition, interface_class
from cosemic.model.association_sn import (
    ShortName,
    SNAccessRightsElementV1,
    SNAccessRightsElementV2,
    SNAccessRightsElementV4,
    SNObjectListElement,
)
from cosemic.model.common import ValueDefinition
from cosemic.server.association_base import CURRENT, AssociationBase, Domain, definition, no_longer_pending
from cosemic.server.clients import AdmittedClient
from cosemic.server.object_list import access_right
from cosemic.server.objects import AccessRefused, CosemObject, Handler, Situation
from cosemic.values import AuthenticationMechanism, DataAccessResult, Obis

CLASS: Final = 12
OBJECT_LIST: Final = 2
ACCESS_RIGHTS_LIST: Final = 3
VERSIONS: Final[dict[int, tuple[int, ...]]] = {0: (1, 0), 1: (2,), 2: (3,), 3: (4,)}
"""Versions that code rights and know users as a version of Association LN does; the first is the usual one."""
MOST_READ: Final = 256
"""Values that read_by_logicalname gives at once."""
_WITH_RIGHTS: Final = 2
"""The first version with access_rights_list."""
_ONE_SECRET: Final = 3
"""The first version with one method for either secret."""
_RIGHTS: Final[dict[int, Any]] = {
    0: SNAccessRightsElementV1,
    1: SNAccessRightsElementV1,
    2: SNAccessRightsElementV2,
    3: SNAccessRightsElementV2,
    4: SNAccessRightsElementV4,
}
_READ_BY_LOGICAL_NAME: Final = 3


class AssociationSNObject(AssociationBase):
    """The association of one client; with the logical name :data:`CURRENT` the one in which it is read."""

    short_names = True

    def __init__(self, domain: Domain, client: AdmittedClient, instance_id: Obis, version: int) -> None:
        declared = interface_class(CLASS, version)
        assert declared is not None
        super().__init__(domain, client, declared(instance_id), methods=self._served(declared, client, instance_id))

    def _served(self, declared: type[InterfaceClass], client: AdmittedClient, instance_id: Obis) -> dict[str, Handler]:
        handlers: dict[str, Handler] = {
            "getlist_by_classid": self._list_of_class,
            "getobj_by_logicalname": self._list_of_objects,
            "read_by_logicalname": self._read_by_logical_name,
            "get_attributes_and_methods": self._rights_to_objects,
        }
        if client.has_secret:
            low = client.settings.mechanism is AuthenticationMechanism.LLS
            handlers["change_LLS_secret" if low else "change_HLS_secret"] = self._change_secret
            handlers["change_secret"] = self._change_secret
        if client.high_level and instance_id == CURRENT:
            handlers["reply_to_HLS_authentication"] = handlers["reply_to_HLS_challenge"] = no_longer_pending
        known = {one.name for one in declared.methods.values()}
        return {name: handler for name, handler in handlers.items() if name in known}

    @property
    def readable(self) -> frozenset[int]:
        """Every attribute."""
        return frozenset(self.interface.attributes)

    def selectors(self, attribute_id: int) -> tuple[int, ...]:
        """Return the selectors of object_list and access_rights_list, from version 1 on."""
        attribute = self.interface.attributes.get(attribute_id)
        return () if attribute is None else tuple(one.number for one in attribute.selectors)

    def read(self, attribute_id: int, selection: SelectiveAccessDescriptor | None, situation: Situation) -> EncodedData:
        """Return an attribute as it is for the client of this association. Raises AccessRefused."""
        if selection is not None:
            return self.select(attribute_id, selection, situation)
        if attribute_id == OBJECT_LIST:
            return self._listed(self._in_view())
        attribute = self.interface.attributes.get(attribute_id)
        if attribute is None or attribute_id == 1:
            return super().read(attribute_id, None, situation)
        if attribute_id == ACCESS_RIGHTS_LIST:
            return self._rights(self._in_view())
        return self._encode(attribute.type, self._common(attribute.name, self._agreement(situation)))

    def select(self, attribute_id: int, selection: SelectiveAccessDescriptor, situation: Situation) -> EncodedData:
        """Return the part of object_list or access_rights_list that is selected. Raises AccessRefused."""
        number, wanted = self._parameters(attribute_id, selection)
        if attribute_id == ACCESS_RIGHTS_LIST:
            return self._rights((base, one) for base, one in self._in_view() if base == wanted)
        if number == 1:
            return self._list_of_class(wanted, situation)
        return self._list_of_objects((wanted,), situation)

    # ---- what is read -----------------------------------------------------------------------------------------------

    def _in_view(self) -> Iterable[tuple[ShortName, CosemObject]]:
        """The objects that the client sees and that have base names."""
        names = self._domain.short_names
        for served in self._domain.objects_in_view(self._client):
            placed = names.object(served.class_id, served.instance_id)
            if placed is not None:
                yield placed.base_name, served

    def _listed(self, objects: Iterable[tuple[ShortName, CosemObject]]) -> EncodedData:
        return _array(
            SNObjectListElement.encode(
                SNObjectListElement(base, served.class_id, served.interface.version, served.instance_id)
            )
            for base, served in objects
        )

    def _rights(self, objects: Iterable[tuple[ShortName, CosemObject]]) -> EncodedData:
        """The rights as the version codes them; the elements of versions 0 and 1 have items as Association LN 0."""
        client, version = self._client, self.interface.version
        element, plain = _RIGHTS[version], version < _WITH_RIGHTS
        elements = []
        for base, served in objects:
            rights = access_right(client.version, served, client.rights_to(served))
            lists: Any = rights.attribute_access, rights.method_access
            if plain or element is SNAccessRightsElementV1:
                lists = tuple(tuple(type(one).encode(one) for one in items) for items in lists)
            elements.append(element.encode(element(base, *lists)))
        return _array(elements)

    # ---- what is invoked --------------------------------------------------------------------------------------------

    def _list_of_class(self, class_id: int, situation: Situation) -> EncodedData:
        return self._listed((base, one) for base, one in self._in_view() if one.class_id == class_id)

    def _list_of_objects(self, wanted: Iterable[ObjectDefinition], situation: Situation) -> EncodedData:
        named = frozenset(wanted)
        return self._listed((base, one) for base, one in self._in_view() if definition(one) in named)

    def _rights_to_objects(self, wanted: Iterable[ObjectDefinition], situation: Situation) -> EncodedData:
        named = frozenset(wanted)
        return self._rights((base, one) for base, one in self._in_view() if definition(one) in named)

    def _read_by_logical_name(self, wanted: tuple[ValueDefinition, ...], situation: Situation) -> EncodedData:
        if len(wanted) > MOST_READ:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        # Who asks for the values has to have the right to them, whose association this ever is.
        client = self._domain.client(situation.client_sap) or self._client
        values: list[bytes] = []
        left = client.settings.max_transfer
        for one in wanted:
            value = self._value_of(one, client, situation)
            left -= len(value)
            if left < 0:
                raise AccessRefused(DataAccessResult.OTHER_REASON)
            values.append(value)
        return _structure(values)

    def _value_of(self, wanted: ValueDefinition, client: AdmittedClient, situation: Situation) -> bytes:
        served, rights = self._domain.find(wanted.class_id, wanted.logical_name, client)
        own = client.rights_to(self).method(_READ_BY_LOGICAL_NAME).requires
        whole = wanted.attribute_index == 0
        values = []
        for index in served.interface.attributes if whole else (wanted.attribute_index,):
            right = rights.attribute(index)
            more = right.requires.request & ~own.request or right.requires.response & ~own.response
            if not right.readable or more:
                refused = DataAccessResult.SCOPE_OF_ACCESS_VIOLATED if whole else DataAccessResult.READ_WRITE_DENIED
                raise AccessRefused(refused)
            values.append(served.read(index, None, situation).octets)
        return _structure(values).octets if whole else values[0]


def _array(elements: Iterable[Any]) -> EncodedData:
    octets = [EncodedData.from_typed(one).octets for one in elements]
    return EncodedData(b"\x01" + encode_length(len(octets)) + b"".join(octets))


def _structure(values: list[bytes]) -> EncodedData:
    return EncodedData(b"\x02" + encode_length(len(values)) + b"".join(values))
