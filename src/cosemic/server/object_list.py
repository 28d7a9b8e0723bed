"""object_list of Association LN: objects in view with the rights to them, coded as each version does (class 15).

::

    version   object_list_element          attribute access_mode         method access_mode
    0         class_id, version,           enum 0 to 3                   boolean
    1, 2      logical_name, access_rights  enum 0 to 6                   enum 0 to 2
    3                                      bits of an enum               bits of an enum

Every attribute of the class is listed (without right: no access), and the methods that the object serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from cosemic.codec import EncodedData, encode_length
from cosemic.model.access_control import (
    AccessRightV0,
    AccessRightV1,
    AccessRightV3,
    AttributeAccessItemV0,
    AttributeAccessItemV1,
    AttributeAccessItemV3,
    AttributeAccessModeV3,
    MethodAccessItemV0,
    MethodAccessItemV1,
    MethodAccessItemV3,
    MethodAccessModeV3,
    ObjectListElementV0,
    ObjectListElementV1,
    ObjectListElementV3,
)
from cosemic.security import AttributeAccess, MethodAccess, access_coding
from cosemic.server.objects import CosemObject
from cosemic.server.rights import ObjectRights

ObjectListElement = ObjectListElementV0 | ObjectListElementV1 | ObjectListElementV3
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


def object_list(
    version: int, entries: Iterable[tuple[CosemObject, ObjectRights]], *, with_rights: bool = True
) -> EncodedData:
    """Return objects and the rights to them as a version of Association LN lists them.

    with_rights: False leaves the lists of rights empty.
    """
    elements = [_element(version, served, rights if with_rights else None) for served, rights in entries]
    return EncodedData(b"\x01" + encode_length(len(elements)) + b"".join(elements))


def _element(version: int, served: CosemObject, rights: ObjectRights | None) -> bytes:
    element, form, *_ = _FORMS[version]
    listed = form((), ()) if rights is None else access_right(version, served, rights)
    entry = element(served.class_id, served.interface.version, served.instance_id, listed)
    return EncodedData.from_typed(element.encode(entry)).octets


def access_right(version: int, served: CosemObject, rights: ObjectRights) -> Any:
    """Return the rights to an object in the form of a version of Association LN."""
    _, form, attribute_item, method_item = _FORMS[version]
    attribute_mode, method_mode = _MODES[version]
    coding = access_coding(version)
    attributes = tuple(
        attribute_item(index, attribute_mode(rights.attribute(index).encode(coding)), served.selectors(index) or None)
        for index in served.interface.attributes
    )
    methods = tuple(
        method_item(index, method_mode(rights.method(index).encode(coding))) for index in sorted(served.invocable)
    )
    return form(attributes, methods)


def rights_in(element: ObjectListElement, version: int) -> ObjectRights:
    """Return the rights that an element of that version gives; members without right are left out."""
    coding = access_coding(version)
    attributes = {
        item.attribute_id: AttributeAccess.decode(int(item.access_mode), coding)
        for item in element.access_rights.attribute_access
    }
    methods = {
        item.method_id: MethodAccess.decode(int(item.access_mode), coding)
        for item in element.access_rights.method_access
    }
    return ObjectRights(
        {index: right for index, right in attributes.items() if right.readable or right.writable},
        {index: right for index, right in methods.items() if right.accessible},
    )
