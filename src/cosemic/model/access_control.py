"""Interface classes for access control and management (IEC 62056-6-2, 5.3): Association LN, SAP assignment.

Access rights changed with the versions of Association LN::

    version   attributes                                            methods
    0         enum: none, read, write, both                         boolean
    1, 2      the same, and the three authenticated                 enum: none, access, authenticated
    3         bits of an enum octet: access, and protection of request and answer, for both
"""

from __future__ import annotations

from enum import IntFlag
from typing import Final

from cosemic.model.common import ObjectDefinition
from cosemic.model.compound import ArrayOf, Choice, Structure, field
from cosemic.model.enumerated import BitsOf, EnumOf
from cosemic.model.formats import Formatted, LogicalName, ObjectIdentifier
from cosemic.model.interface_class import InterfaceClass, Selector, attribute, dynamic, method, static
from cosemic.model.types import (
    BitStringData,
    Boolean,
    Enum,
    Integer,
    LongUnsigned,
    NullData,
    OctetString,
    Unsigned,
    VisibleString,
)
from cosemic.values import BitString, Conformance, Enumeration, Obis

# ---- access rights ---------------------------------------------------------------------------------------------------


class AttributeAccessModeV0(Enumeration):
    """Right to an attribute in Association LN version 0."""

    NO_ACCESS = 0
    READ_ONLY = 1
    WRITE_ONLY = 2
    READ_AND_WRITE = 3


class AttributeAccessModeV1(Enumeration):
    """Right to an attribute in versions 1 and 2; authenticated: only in messages that are."""

    NO_ACCESS = 0
    READ_ONLY = 1
    WRITE_ONLY = 2
    READ_AND_WRITE = 3
    AUTHENTICATED_READ_ONLY = 4
    AUTHENTICATED_WRITE_ONLY = 5
    AUTHENTICATED_READ_AND_WRITE = 6


class AttributeAccessModeV3(IntFlag):
    """Right to an attribute in version 3: the access, and how request and response must be protected."""

    READ_ACCESS = 1
    WRITE_ACCESS = 2
    AUTHENTICATED_REQUEST = 4
    ENCRYPTED_REQUEST = 8
    DIGITALLY_SIGNED_REQUEST = 16
    AUTHENTICATED_RESPONSE = 32
    ENCRYPTED_RESPONSE = 64
    DIGITALLY_SIGNED_RESPONSE = 128


class MethodAccessModeV1(Enumeration):
    """Right to a method in versions 1 and 2."""

    NO_ACCESS = 0
    ACCESS = 1
    AUTHENTICATED_ACCESS = 2


class MethodAccessModeV3(IntFlag):
    """Right to a method in version 3: the access, and how request and response must be protected."""

    ACCESS = 1
    NOT_USED = 2
    AUTHENTICATED_REQUEST = 4
    ENCRYPTED_REQUEST = 8
    DIGITALLY_SIGNED_REQUEST = 16
    AUTHENTICATED_RESPONSE = 32
    ENCRYPTED_RESPONSE = 64
    DIGITALLY_SIGNED_RESPONSE = 128


AccessSelectors: Final[Choice[tuple[int, ...] | None]] = Choice(NullData, ArrayOf(Integer), name="access_selectors")
"""Numbers of the selectors that an attribute knows; None where it has no selective access."""


class AttributeAccessItemV0(Structure, name="attribute_access_item_v0"):
    """Right to one attribute."""

    attribute_id: int = field(Integer)
    access_mode: AttributeAccessModeV0 | int = field(EnumOf(AttributeAccessModeV0, "attribute_access_mode_v0"))
    access_selectors: tuple[int, ...] | None = field(AccessSelectors)


class AttributeAccessItemV1(Structure, name="attribute_access_item_v1"):
    """Right to one attribute."""

    attribute_id: int = field(Integer)
    access_mode: AttributeAccessModeV1 | int = field(EnumOf(AttributeAccessModeV1, "attribute_access_mode_v1"))
    access_selectors: tuple[int, ...] | None = field(AccessSelectors)


class AttributeAccessItemV3(Structure, name="attribute_access_item_v3"):
    """Right to one attribute."""

    attribute_id: int = field(Integer)
    access_mode: AttributeAccessModeV3 = field(BitsOf(Enum, AttributeAccessModeV3, "attribute_access_mode_v3"))
    access_selectors: tuple[int, ...] | None = field(AccessSelectors)


class MethodAccessItemV0(Structure, name="method_access_item_v0"):
    """Right to one method."""

    method_id: int = field(Integer)
    access_mode: bool = field(Boolean.named("method_access_mode_v0"))


class MethodAccessItemV1(Structure, name="method_access_item_v1"):
    """Right to one method."""

    method_id: int = field(Integer)
    access_mode: MethodAccessModeV1 | int = field(EnumOf(MethodAccessModeV1, "method_access_mode_v1"))


class MethodAccessItemV3(Structure, name="method_access_item_v3"):
    """Right to one method."""

    method_id: int = field(Integer)
    access_mode: MethodAccessModeV3 = field(BitsOf(Enum, MethodAccessModeV3, "method_access_mode_v3"))


class AccessRightV0(Structure, name="access_right_v0"):
    """Rights to one object."""

    attribute_access: tuple[AttributeAccessItemV0, ...] = field(ArrayOf(AttributeAccessItemV0))
    method_access: tuple[MethodAccessItemV0, ...] = field(ArrayOf(MethodAccessItemV0))


class AccessRightV1(Structure, name="access_right_v1"):
    """Rights to one object."""

    attribute_access: tuple[AttributeAccessItemV1, ...] = field(ArrayOf(AttributeAccessItemV1))
    method_access: tuple[MethodAccessItemV1, ...] = field(ArrayOf(MethodAccessItemV1))


class AccessRightV3(Structure, name="access_right_v3"):
    """Rights to one object."""

    attribute_access: tuple[AttributeAccessItemV3, ...] = field(ArrayOf(AttributeAccessItemV3))
    method_access: tuple[MethodAccessItemV3, ...] = field(ArrayOf(MethodAccessItemV3))


class ObjectListElementV0(Structure, name="object_list_element_v0"):
    """An object of the association view."""

    class_id: int = field(LongUnsigned)
    version: int = field(Unsigned)
    logical_name: Obis = field(LogicalName)
    access_rights: AccessRightV0 = field(AccessRightV0)


class ObjectListElementV1(Structure, name="object_list_element_v1"):
    """An object of the association view."""

    class_id: int = field(LongUnsigned)
    version: int = field(Unsigned)
    logical_name: Obis = field(LogicalName)
    access_rights: AccessRightV1 = field(AccessRightV1)


class ObjectListElementV3(Structure, name="object_list_element_v3"):
    """An object of the association view."""

    class_id: int = field(LongUnsigned)
    version: int = field(Unsigned)
    logical_name: Obis = field(LogicalName)
    access_rights: AccessRightV3 = field(AccessRightV3)


# ---- partners, context, users ----------------------------------------------------------------------------------------


class AssociatedPartners(Structure, name="associated_partners_type"):
    """Service access points of the two sides."""

    client_SAP: int = field(Integer.within(0, 127))  # noqa: N815 - the standard's name
    server_SAP: int = field(LongUnsigned.within(0, 16383))  # noqa: N815 - the standard's name


class ApplicationContextArcs(Structure):
    """The application context name, arc by arc: 2 16 756 5 8 1 context_id."""

    joint_iso_ctt: int = field(Unsigned.constant(2))
    country: int = field(Unsigned.constant(16))
    country_name: int = field(LongUnsigned.constant(756))
    identified_organisation: int = field(Unsigned.constant(5))
    DLMS_UA: int = field(Unsigned.constant(8))
    application_context: int = field(Unsigned.constant(1))
    context_id: int = field(Unsigned)


class MechanismArcs(Structure):
    """The authentication mechanism name, arc by arc: 2 16 756 5 8 2 mechanism_id."""

    joint_iso_ctt: int = field(Unsigned.constant(2))
    country: int = field(Unsigned.constant(16))
    country_name: int = field(LongUnsigned.constant(756))
    identified_organisation: int = field(Unsigned.constant(5))
    DLMS_UA: int = field(Unsigned.constant(8))
    authentication_mechanism_name: int = field(Unsigned.constant(2))
    mechanism_id: int = field(Unsigned)


ApplicationContextName: Final[Choice[ApplicationContextArcs | bytes]] = Choice(
    arcs=ApplicationContextArcs, encoded=ObjectIdentifier, name="application_context_name"
)
MechanismName: Final[Choice[MechanismArcs | bytes]] = Choice(
    arcs=MechanismArcs, encoded=ObjectIdentifier, name="mechanism_name"
)


def _conformance(bits: BitString) -> Conformance:
    return Conformance(int(f"{bits:0<24}"[:24], 2))


def _conformance_bits(conformance: Conformance) -> BitString:
    return BitString(f"{int(conformance):024b}")


class XDLMSContext(Structure, name="xdlms_context_type"):
    """What was negotiated for the association; sizes in octets."""

    conformance: Conformance = field(Formatted(BitStringData[24], "", Conformance, _conformance, _conformance_bits))
    max_receive_pdu_size: int = field(LongUnsigned)
    max_send_pdu_size: int = field(LongUnsigned)
    dlms_version_number: int = field(Unsigned.constant(6))
    quality_of_service: int = field(Integer)
    cyphering_info: bytes = field(OctetString)


class AssociationStatus(Enumeration):
    """State of the association."""

    NON_ASSOCIATED = 0
    ASSOCIATION_PENDING = 1
    ASSOCIATED = 2


class UserListEntry(Structure, name="user_list_entry"):
    """A user that the client may name in calling-AE-invocation-id."""

    user_id: int = field(Unsigned)
    user_name: str = field(VisibleString)


# ---- the classes -----------------------------------------------------------------------------------------------------

_OBJECT_LIST_SELECTORS: Final = (
    Selector(1, "all information", NullData),
    Selector(2, "by class (no access rights in the answer)", ArrayOf(LongUnsigned)),
    Selector(3, "by object (with access rights)", ArrayOf(ObjectDefinition)),
    Selector(4, "one full object record", ObjectDefinition),
)


class _AssociationLN(InterfaceClass):
    """What all versions share. LLS password and HLS secret (attribute 7) can be written, never read."""

    associated_partners_id = attribute(3, AssociatedPartners, static)
    application_context_name = attribute(4, ApplicationContextName, static)
    xDLMS_context_info = attribute(5, XDLMSContext, static)  # noqa: N815 - the standard's name
    authentication_mechanism_name = attribute(6, MechanismName, static)
    association_status = attribute(8, EnumOf(AssociationStatus), dynamic)

    reply_to_HLS_authentication = method(1, OctetString, returns=OctetString, sn_offset=0x60)  # noqa: N815 - the standard's name
    change_HLS_secret = method(2, OctetString, sn_offset=0x68)  # noqa: N815 - the standard's name


class AssociationLNVersion0(_AssociationLN, class_id=15, version=0, name="Association LN"):
    """An application association of a server with logical name referencing, and the objects it shows."""

    object_list = attribute(2, ArrayOf(ObjectListElementV0), static, selectors=_OBJECT_LIST_SELECTORS)
    LLS_secret = attribute(7, OctetString, static)

    add_object = method(3, ObjectListElementV0, sn_offset=0x70)
    remove_object = method(4, ObjectListElementV0, sn_offset=0x78)


class AssociationLNVersion1(_AssociationLN, class_id=15, version=1, name="Association LN"):
    """With authenticated access, and a reference to the Security setup."""

    object_list = attribute(2, ArrayOf(ObjectListElementV1), static, selectors=_OBJECT_LIST_SELECTORS)
    LLS_secret = attribute(7, OctetString, static)
    security_setup_reference = attribute(9, LogicalName, static)

    add_object = method(3, ObjectListElementV1, sn_offset=0x70)
    remove_object = method(4, ObjectListElementV1, sn_offset=0x78)


class _AssociationLNWithUsers(_AssociationLN):
    """What the versions that know users share."""

    secret = attribute(7, OctetString, static)
    security_setup_reference = attribute(9, LogicalName, static)
    user_list = attribute(10, ArrayOf(UserListEntry), static)
    current_user = attribute(11, UserListEntry, dynamic)

    add_user = method(5, UserListEntry, sn_offset=0x80)
    remove_user = method(6, UserListEntry, sn_offset=0x88)


class AssociationLNVersion2(_AssociationLNWithUsers, class_id=15, version=2, name="Association LN"):
    """With the users of the client."""

    object_list = attribute(2, ArrayOf(ObjectListElementV1), static, selectors=_OBJECT_LIST_SELECTORS)

    add_object = method(3, ObjectListElementV1, sn_offset=0x70)
    remove_object = method(4, ObjectListElementV1, sn_offset=0x78)


class AssociationLN(_AssociationLNWithUsers, class_id=15, version=3, name="Association LN"):
    """With access rights as bits, for request and response apart."""

    object_list = attribute(2, ArrayOf(ObjectListElementV3), static, selectors=_OBJECT_LIST_SELECTORS)

    add_object = method(3, ObjectListElementV3, sn_offset=0x70)
    remove_object = method(4, ObjectListElementV3, sn_offset=0x78)


class SAPAssignmentElement(Structure, name="sap_assignment_element"):
    """A service access point and the logical device at it."""

    sap: int = field(LongUnsigned)
    logical_device_name: bytes = field(OctetString)


class SAPAssignment(InterfaceClass, class_id=17, version=0, name="SAP assignment"):
    """Which logical devices the physical device has, and at which service access points."""

    SAP_assignment_list = attribute(2, ArrayOf(SAPAssignmentElement), static)

    connect_logical_device = method(1, SAPAssignmentElement, sn_offset=0x20)
    """SAP 0 disconnects the logical device."""
