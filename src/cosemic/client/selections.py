"""Parts of an attribute that can be asked for: selective access, typed (IEC 62056-6-2, classes 7 and 15).

::

    profile buffer   by_time(since, until)              1  rows whose time lies within both bounds, inclusive
                     by_range(object, from, to)         1  rows by the value of another column
                     by_entry(first, last, columns)     2  rows and columns by number, from 1
    object_list      all_information()                  1  everything
                     by_class(7, 8)                     2  the objects of some classes, without access rights
                     by_object(clock, (3, "1-0:1.8.0")) 3  some objects, with access rights
                     one_object(clock)                  4  one object, with access rights

``await meter["7/0-0:99.98.0*255"].buffer(by_entry(1, 10))``, ``await meter.objects(select=by_class(7))``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from cosemic.model import (
    AccessSelection,
    AssociationLN,
    CaptureObjectDefinition,
    Clock,
    InterfaceClass,
    ObjectDefinition,
    entry_descriptor,
    range_descriptor,
)
from cosemic.model.profile_columns import Bound
from cosemic.values import DateTime, Obis

CLOCK_TIME: Final = CaptureObjectDefinition(Clock.class_id, Obis("0-0:1.0.0"), Clock.time.index, 0)
"""The column by which the rows of most profiles are told apart."""
BY_CLASS: Final = 2
"""The selector whose answer has no access rights."""
Which = InterfaceClass | tuple[int, Obis | str]
"""An object, or its class_id and logical name."""


def by_time(
    since: dt.datetime | DateTime,
    until: dt.datetime | DateTime,
    *,
    clock: CaptureObjectDefinition = CLOCK_TIME,
    columns: Sequence[CaptureObjectDefinition] = (),
    inverted_deviation: bool = False,
) -> AccessSelection:
    """Select the rows of a profile that are stamped from ``since`` to ``until``, both inclusive (selector 1).

    Naive times go out without deviation. clock: the column of the stamps. columns: those wanted; none: all.
    Raises EncodeError.
    """
    return range_descriptor(clock, since, until, columns, inverted_deviation=inverted_deviation)


def by_range(
    restricting_object: CaptureObjectDefinition,
    from_value: Bound,
    to_value: Bound,
    *,
    columns: Sequence[CaptureObjectDefinition] = (),
) -> AccessSelection:
    """Select the rows of a profile by the value of one column, both bounds inclusive (selector 1)."""
    return range_descriptor(restricting_object, from_value, to_value, columns)


def by_entry(first: int = 1, last: int = 0, *, columns: tuple[int, int] = (1, 0)) -> AccessSelection:
    """Select rows of a profile by number, from 1; ``last`` 0 is the last one (selector 2). Raises EncodeError.

    columns: the first and the last one wanted, numbered in the same way.
    """
    return entry_descriptor(first, last, *columns)


def all_information() -> AccessSelection:
    """Select everything (selector 1), for meters that want to hear so."""
    return AssociationLN.object_list.selector(1).select(None)


def by_class(*class_ids: int) -> AccessSelection:
    """Select the objects of these classes, without access rights (selector 2). Raises EncodeError."""
    return AssociationLN.object_list.selector(BY_CLASS).select(class_ids)


def by_object(*objects: Which) -> AccessSelection:
    """Select these objects, with access rights (selector 3). Raises EncodeError."""
    return AssociationLN.object_list.selector(3).select(tuple(map(_definition, objects)))


def one_object(which: Which) -> AccessSelection:
    """Select the record of one object (selector 4). Raises EncodeError."""
    return AssociationLN.object_list.selector(4).select(_definition(which))


def _definition(which: Which) -> ObjectDefinition:
    if isinstance(which, InterfaceClass):
        return ObjectDefinition(which.class_id, which.instance_id)
    class_id, name = which
    return ObjectDefinition(class_id, Obis(name))
