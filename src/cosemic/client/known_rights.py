"""What an association view tells of the protection that its objects need (IEC 62056-6-2, class 15; reference, security
11).

``ClientSettings(rights=known_rights(view))`` keeps a client from asking for anything, and from believing any answer,
that is less protected than the meter's own access rights say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from cosemic.association.known_rights import ListedRights
from cosemic.client.view import AccessRights, ListedObject
from cosemic.errors import DecodeError
from cosemic.model.access_control import AccessRightV0, AccessRightV1, AccessRightV3
from cosemic.security import AccessCoding, AttributeAccess, MethodAccess
from cosemic.values import Obis

Access = TypeVar("Access", AttributeAccess, MethodAccess)
_CODINGS: Final[dict[type[AccessRights], AccessCoding]] = {
    AccessRightV0: AccessCoding.PLAIN,
    AccessRightV1: AccessCoding.AUTHENTICATED,
    AccessRightV3: AccessCoding.BIT_FIELD,
}


def known_rights(view: Iterable[ListedObject]) -> ListedRights:
    """Return what a view says of the protection of attributes and methods; modes that no version has say nothing."""
    attributes: dict[tuple[int, Obis, int], AttributeAccess] = {}
    methods: dict[tuple[int, Obis, int], MethodAccess] = {}
    for row in view:
        rights = row.access_rights
        if rights is None:
            continue
        coding = _CODINGS[type(rights)]
        for item in rights.attribute_access:
            _note(attributes, AttributeAccess, (row.class_id, row.logical_name, item.attribute_id), item, coding)
        for named in rights.method_access:
            _note(methods, MethodAccess, (row.class_id, row.logical_name, named.method_id), named, coding)
    return ListedRights(attributes, methods)


def _note(
    found: dict[tuple[int, Obis, int], Access],
    kind: type[Access],
    place: tuple[int, Obis, int],
    item: object,
    coding: AccessCoding,
) -> None:
    try:
        found[place] = kind.decode(int(getattr(item, "access_mode", 0)), coding)
    except DecodeError:
        return
