"""What an association view tells of the protection that its objects need (IEC 62056-6-2, class 15; reference, security
11).

A client that knows them asks for nothing, and believes no answer, that is less protected than the meter's own access
rights say. A :class:`~cosemic.client.session.Session` knows them once it has read its view, and refuses by itself what
the meter would refuse; ``ClientSettings(rights=known_rights(view))`` has it know them from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from cosemic.association.known_rights import ListedRights
from cosemic.client.view import AccessRights, ListedObject
from cosemic.errors import DecodeError
from cosemic.model.access_control import AccessRightV0, AccessRightV1, AccessRightV3
from cosemic.model.short_names import MemberKind, layout_of
from cosemic.security import AccessCoding, AttributeAccess, MethodAccess
from cosemic.values import Obis

Access = TypeVar("Access", AttributeAccess, MethodAccess)
_CODINGS: Final[dict[type[AccessRights], AccessCoding]] = {
    AccessRightV0: AccessCoding.PLAIN,
    AccessRightV1: AccessCoding.AUTHENTICATED,
    AccessRightV3: AccessCoding.BIT_FIELD,
}


def known_rights(view: Iterable[ListedObject]) -> ListedRights:
    """Return what a view says of the protection of attributes and methods; modes that no version has say nothing.

    Of a view that has base names, their short names are known too.
    """
    attributes: dict[tuple[int, Obis, int], AttributeAccess] = {}
    methods: dict[tuple[int, Obis, int], MethodAccess] = {}
    short_names: dict[int, AttributeAccess | MethodAccess] = {}
    for row in view:
        rights = row.access_rights
        if rights is None:
            continue
        coding = _CODINGS[type(rights)]
        for item in rights.attribute_access:
            _note(attributes, AttributeAccess, (row.class_id, row.logical_name, item.attribute_id), item, coding)
        for named in rights.method_access:
            _note(methods, MethodAccess, (row.class_id, row.logical_name, named.method_id), named, coding)
        layout = None if row.base_name is None else layout_of(row.class_id, row.version)
        if row.base_name is not None and layout is not None:
            for offset, (kind, number) in layout.members.items():
                listed = attributes if kind is MemberKind.ATTRIBUTE else methods
                access = listed.get((row.class_id, row.logical_name, number))
                if access is not None:
                    short_names[row.base_name + offset] = access
    return ListedRights(attributes, methods, short_names)


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
