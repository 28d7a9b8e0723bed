"""Interface class for access control with short names: Association SN (IEC 62056-6-2, 5.3).

A short name is 16 bits without sign, carried in a ``long``: 0xFA00, the base_name of the current association, is sent
as -1536. Here it is a :class:`ShortName`, as the Read and Write services have it.

Access rights changed with the versions::

    version   access rights
    0, 1      by method only (get_attributes_and_methods), in a shape that is not confirmed
    2, 3      access_rights_list: none, read, write, both, and the three authenticated
    4         bits of an enum octet, as in Association LN version 3; their coding is not confirmed
"""

from __future__ import annotations

from typing import Any, Final, Self

from cosemic.codec import Typed
from cosemic.errors import EncodeError
from cosemic.model.access_control import (
    AttributeAccessItemV1,
    AttributeAccessItemV3,
    AttributeAccessModeV1,
    MethodAccessItemV1,
    MethodAccessItemV3,
    UserListEntry,
)
from cosemic.model.common import ObjectDefinition, ValueDefinition
from cosemic.model.compound import AnyData, ArrayOf, Structure, Unverified, field
from cosemic.model.enumerated import EnumOf
from cosemic.model.formats import Formatted, LogicalName
from cosemic.model.forms import AlsoSeen, SeenAlso
from cosemic.model.interface_class import InterfaceClass, Selector, attribute, dynamic, method, static
from cosemic.model.types import Integer, Long, LongUnsigned, OctetString, Unsigned, short
from cosemic.values import Obis


class ShortName(int):
    """A short name: a number from 0 to 0xFFFF that prints as ``0xFA00``. Raises EncodeError outside that range."""

    __slots__ = ()

    def __new__(cls, number: int) -> Self:
        if not 0 <= number <= 0xFFFF:
            raise EncodeError(f"{number} is no short name: 0 to 0xFFFF")
        return int.__new__(cls, number)

    def __repr__(self) -> str:
        return f"0x{int(self):04X}"


def _unsigned(number: int) -> ShortName:
    if not -0x8000 <= number <= 0xFFFF:
        raise ValueError(number)
    return ShortName(number & 0xFFFF)


def _signed(name: ShortName) -> int:
    return name - ((name & 0x8000) << 1)


class _ShortNames(Formatted[ShortName]):
    """long; writes plain numbers too."""

    def encode(self, value: int) -> Typed:
        """Return the typed long; raises EncodeError for what is no short name."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise EncodeError(f"{short(value)} is no short name: 0 to 0xFFFF")
        return super().encode(ShortName(value))


_SHORT_NAME: Final = _ShortNames(Long, "", ShortName, _unsigned, _signed)


class SNObjectListElement(Structure, name="sn_object_list_element"):
    """An object of the association view, and the short name of its first attribute."""

    base_name: int = field(_SHORT_NAME)
    class_id: int = field(LongUnsigned)
    version: int = field(Unsigned)
    logical_name: Obis = field(LogicalName)


class SNAccessRightsElementV1(Structure, name="sn_access_rights_element_v1"):
    """Rights to one object, as get_attributes_and_methods answers; the shape of the items is not confirmed."""

    base_name: int = field(_SHORT_NAME)
    attribute_access: tuple[Any, ...] = field(ArrayOf(Unverified))
    method_access: tuple[Any, ...] = field(ArrayOf(Unverified))


class SNAccessRightsElementV2(Structure, name="sn_access_rights_element_v2"):
    """Rights to one object."""

    base_name: int = field(_SHORT_NAME)
    attribute_access: tuple[AttributeAccessItemV1, ...] = field(ArrayOf(AttributeAccessItemV1))
    method_access: tuple[MethodAccessItemV1, ...] = field(ArrayOf(MethodAccessItemV1))


class AttributeAccessWithoutSelectors(Structure):
    """Right to one attribute in the form of one server."""

    attribute_id: int = field(Integer)
    access_mode: AttributeAccessModeV1 | int = field(EnumOf(AttributeAccessModeV1, "attribute_access_mode_v1"))


class SNAccessRightsWithoutSelectors(Structure):
    """Rights to one object in the form of one server."""

    base_name: int = field(_SHORT_NAME)
    attribute_access: tuple[AttributeAccessWithoutSelectors, ...] = field(ArrayOf(AttributeAccessWithoutSelectors))
    method_access: tuple[MethodAccessItemV1, ...] = field(ArrayOf(MethodAccessItemV1))


def _without_selectors(rights: SNAccessRightsWithoutSelectors) -> SNAccessRightsElementV2:
    items = (AttributeAccessItemV1(one.attribute_id, one.access_mode, None) for one in rights.attribute_access)
    return SNAccessRightsElementV2(rights.base_name, tuple(items), rights.method_access)


class SNAccessRightsElementV4(Structure, name="sn_access_rights_element_v4"):
    """Rights to one object, with the protection of request and response."""

    base_name: int = field(_SHORT_NAME)
    attribute_access: tuple[AttributeAccessItemV3, ...] = field(ArrayOf(AttributeAccessItemV3))
    method_access: tuple[MethodAccessItemV3, ...] = field(ArrayOf(MethodAccessItemV3))


_RIGHTS_V2: Final = ArrayOf(
    AlsoSeen(SNAccessRightsElementV2, SeenAlso(SNAccessRightsWithoutSelectors, _without_selectors))
)
_OBJECT_LIST_SELECTORS: Final = (
    Selector(1, "by class_id", LongUnsigned),
    Selector(2, "by class_id and logical_name", ObjectDefinition),
)
_RIGHTS_SELECTORS: Final = (Selector(1, "by base_name", _SHORT_NAME),)


class _AssociationSN(InterfaceClass):
    """What all versions share."""

    read_by_logicalname = method(3, ArrayOf(ValueDefinition), returns=AnyData, sn_offset=0x30)
    """The list of the values."""


class _WithTwoSecrets(_AssociationSN):
    """What versions 0 to 2 share."""

    get_attributes_and_methods = method(
        4, ArrayOf(ObjectDefinition), returns=ArrayOf(SNAccessRightsElementV1), sn_offset=0x38
    )
    change_LLS_secret = method(5, OctetString, sn_offset=0x40)  # noqa: N815 - the standard's name
    change_HLS_secret = method(6, OctetString, sn_offset=0x48)  # noqa: N815 - the standard's name
    """In the form that the authentication mechanism asks for; wrapped where that is based on GMAC."""


class AssociationSNVersion0(_WithTwoSecrets, class_id=12, version=0, name="Association SN"):
    """An application association of a server with short name referencing, and the objects it shows."""

    object_list = attribute(2, ArrayOf(SNObjectListElement), static)

    getlist_by_classid = method(1, LongUnsigned, returns=ArrayOf(SNObjectListElement), sn_offset=0x20)
    getobj_by_logicalname = method(2, ArrayOf(ObjectDefinition), returns=ArrayOf(SNObjectListElement), sn_offset=0x28)
    get_HLS_challenge = method(7, Integer, returns=OctetString, sn_offset=0x50)  # noqa: N815 - the standard's name
    reply_to_HLS_challenge = method(8, OctetString, returns=OctetString, sn_offset=0x58)  # noqa: N815 - the standard's name


class AssociationSNVersion1(_WithTwoSecrets, class_id=12, version=1, name="Association SN"):
    """With selective access to the object list in place of methods."""

    object_list = attribute(2, ArrayOf(SNObjectListElement), static, selectors=_OBJECT_LIST_SELECTORS)

    reply_to_HLS_authentication = method(8, OctetString, returns=OctetString, sn_offset=0x58)  # noqa: N815 - the standard's name


class AssociationSNVersion2(_WithTwoSecrets, class_id=12, version=2, name="Association SN"):
    """With access rights, and a reference to the Security setup."""

    object_list = attribute(2, ArrayOf(SNObjectListElement), static, selectors=_OBJECT_LIST_SELECTORS)
    access_rights_list = attribute(3, _RIGHTS_V2, static, selectors=_RIGHTS_SELECTORS)
    security_setup_reference = attribute(4, LogicalName, static)

    reply_to_HLS_authentication = method(8, OctetString, returns=OctetString, sn_offset=0x58)  # noqa: N815 - the standard's name


class _WithUsers(_AssociationSN):
    """What the versions that know users share: one method for either secret."""

    object_list = attribute(2, ArrayOf(SNObjectListElement), static, selectors=_OBJECT_LIST_SELECTORS)
    security_setup_reference = attribute(4, LogicalName, static)
    user_list = attribute(5, ArrayOf(UserListEntry), static)
    current_user = attribute(6, UserListEntry, dynamic)

    change_secret = method(5, OctetString, sn_offset=0x40)
    reply_to_HLS_authentication = method(8, OctetString, returns=OctetString, sn_offset=0x58)  # noqa: N815 - the standard's name
    add_user = method(9, UserListEntry, sn_offset=0x60)
    remove_user = method(10, UserListEntry, sn_offset=0x68)


class AssociationSNVersion3(_WithUsers, class_id=12, version=3, name="Association SN"):
    """With the users of the client."""

    access_rights_list = attribute(3, _RIGHTS_V2, static, selectors=_RIGHTS_SELECTORS)


class AssociationSN(_WithUsers, class_id=12, version=4, name="Association SN"):
    """With access rights as bits, for request and response apart."""

    access_rights_list = attribute(3, ArrayOf(SNAccessRightsElementV4), static, selectors=_RIGHTS_SELECTORS)
