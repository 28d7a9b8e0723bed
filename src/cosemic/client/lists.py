"""Several references in one request: how many of them fit (IEC 62056-5-3, 9.3).

::

    lists with GET, SET, ACTION    where multiple-references was agreed
    ACCESS                         for reading, where that was agreed and lists were not
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cosemic.values import Conformance

T = TypeVar("T")
LIST_LENGTH: Final = 16
"""Attributes asked for in one request, where the meter agrees to lists, and where so many fit."""
ENTRY: Final = 10
"""Octets of an attribute in a list, without selection."""
METHOD: Final = 9
"""Octets of a method in a list."""


@dataclass(frozen=True, slots=True)
class Form:
    """A request with several references: octets before its items, and beside the values of each."""

    head: int
    beside: int = 0


READING: Final = Form(4)
CHANGING: Final = Form(5)
ACCESSING: Final = Form(8, 1)
"""Its items have a value each, which is null-data for what is read."""


def reads_by_access(agreed: Conformance, *, protected: bool) -> bool:
    """Whether several attributes are read by ACCESS; protected: it needs a general envelope."""
    if agreed & Conformance.MULTIPLE_REFERENCES or not agreed & Conformance.ACCESS:
        return False
    return not protected or bool(agreed & Conformance.GENERAL_PROTECTION)


def cut(items: Sequence[T], sizes: Sequence[int], form: Form, most: int, room: int) -> Iterator[Sequence[T]]:
    """Cut items into parts for one request each; sizes, room: in octets; most: items in a part."""
    begin, taken = 0, form.head
    for at, size in enumerate(sizes):
        if at > begin and (at - begin == most or taken + size + form.beside > room):
            yield items[begin:at]
            begin, taken = at, form.head
        taken += size + form.beside
    if items:
        yield items[begin:]
