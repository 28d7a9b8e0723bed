"""The association view: which objects the meter shows to this client, with which rights (IEC 62056-6-2, class 15).

::

    object_list   array of { class_id, version, logical_name, access_rights }      the form of the rights: model
    selector 1    all of it
    selector 2    the objects of some classes, without rights
    selector 3    some objects, with rights
    selector 4    one object, with rights: its record alone, or an array of one
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from cosemic.codec import DataType, EncodedData
from cosemic.errors import DecodeError
from cosemic.model import (
    AccessSelection,
    AssociationLN,
    AssociationLNVersion0,
    AssociationLNVersion1,
    AssociationLNVersion2,
    Attribute,
    ObjectDefinition,
    Reading,
)
from cosemic.model.access_control import AccessRightV0, AccessRightV1, AccessRightV3
from cosemic.values import Obis

CURRENT_ASSOCIATION: Final = AssociationLN(Obis(bytes((0, 0, 40, 0, 0, 255))))
"""The object of the association in which it is read."""
_VERSIONS: Final[dict[int, Attribute[Any]]] = {
    0: AssociationLNVersion0.object_list,
    1: AssociationLNVersion1.object_list,
    2: AssociationLNVersion2.object_list,
    3: AssociationLN.object_list,
}
_USUAL: Final = 1
"""Version of Association LN where a meter does not list its own."""
AccessRights = AccessRightV0 | AccessRightV1 | AccessRightV3


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object of the association view.

    ``access_rights`` is None where the meter was asked without them; ``base_name`` where it speaks with logical names.
    """

    class_id: int
    version: int
    logical_name: Obis
    access_rights: AccessRights | None
    base_name: int | None = None


def listed(object_list: EncodedData, version: int | None = None) -> list[ListedObject]:
    """Read an object_list, or what a selection left of it.

    version: of the Association LN, which says how rights are coded; None: the one that the list itself gives.
    Raises DecodeError.
    """
    kind, record = object_list.typed()
    if kind == DataType.STRUCTURE:  # selector 4
        object_list = EncodedData.from_typed((DataType.ARRAY, [(kind, record)]))
    rows = _rows(object_list)
    if all(len(row) == 3 for row in rows):
        return [_without_rights(row) for row in rows]
    known = _association_version(rows) if version is None else version
    # Field meters leave selectors and rights in other forms than declared: what can be told is kept.
    found: Iterable[Any] = _VERSIONS[known].decode(object_list.typed(), Reading(seen_also=True))
    return [ListedObject(one.class_id, one.version, one.logical_name, one.access_rights) for one in found]


def selected(objects: Iterable[ListedObject], select: AccessSelection) -> Iterator[ListedObject]:
    """Return what a selection on object_list of Association LN leaves of a view. Raises ConfigurationError."""
    selector = AssociationLN.object_list.selector(select.selector)
    wanted = selector.parameters.decode(select.parameters)
    for one in objects:
        match selector.number:
            case 1:
                yield one
            case 2 if one.class_id in wanted:
                yield replace(one, access_rights=None)
            case 3 | 4 if ObjectDefinition(one.class_id, one.logical_name) in _each(wanted):
                yield one


def _each(wanted: tuple[ObjectDefinition, ...] | ObjectDefinition) -> tuple[ObjectDefinition, ...]:
    return (wanted,) if isinstance(wanted, ObjectDefinition) else wanted


def association_version(objects: Iterable[ListedObject]) -> int:
    """Version of Association LN, from its own entry in the object_list: that of the current association, if any."""
    entries = [(one.class_id, one.version, one.logical_name.octets) for one in objects]
    return _association_version(entries)


def _association_version(rows: Iterable[tuple[Any, ...]]) -> int:
    known = [row for row in rows if row[0] == AssociationLN.class_id and type(row[1]) is int and row[1] in _VERSIONS]
    own = [row for row in known if row[2] == CURRENT_ASSOCIATION.instance_id.octets]
    return next((row[1] for row in own + known), _USUAL)


def _rows(object_list: EncodedData) -> list[tuple[Any, ...]]:
    rows = object_list.value()
    if not isinstance(rows, list) or not all(isinstance(row, tuple) and len(row) > 2 for row in rows):
        raise DecodeError("an array of objects", path="object_list")
    return rows


def _without_rights(row: tuple[Any, ...]) -> ListedObject:
    class_id, version, name = row
    if type(class_id) is not int or type(version) is not int or not isinstance(name, bytes):
        raise DecodeError("class_id, version and logical_name of an object", path="object_list")
    return ListedObject(class_id, version, Obis(name), None)
