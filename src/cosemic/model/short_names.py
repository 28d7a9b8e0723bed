"""Short names: where attributes and methods stand in the one space of 16 bits (IEC 62056-5-3; IEC 62056-6-2, clause 4).

::

    attribute n    base_name + 8 (n - 1)
    method         base_name + the offset that its class declares, in that version

An object takes the names from its base_name to its last attribute or method. Base names are multiples of 8; the objects
that every client has to find have theirs reserved (:data:`RESERVED`).

A meter may put objects closer together than their classes allow, where they lack the last methods. What would stand
beyond the next base_name has therefore no short name here: it would be part of another object.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from cosemic.errors import ConfigurationError
from cosemic.model.association_sn import ShortName
from cosemic.model.interface_class import interface_class, versions
from cosemic.values import Obis

STEP: Final = 8
"""Short names between an attribute and the next."""
END: Final = 0x10000
ASSOCIATION: Final = ShortName(0xFA00)
"""The current association (Association SN)."""
BROADCAST_SCRIPTS: Final = ShortName(0xFB00)
"""The script table for broadcasts."""
SAP_ASSIGNMENT: Final = ShortName(0xFC00)
"""The SAP assignment."""
LOGICAL_DEVICE_NAME: Final = ShortName(0xFD00)
"""The object that holds the logical device name."""
RESERVED: Final[Mapping[ShortName, tuple[frozenset[int], Obis]]] = MappingProxyType(
    {
        ASSOCIATION: (frozenset((12,)), Obis("0-0:40.0.0")),
        BROADCAST_SCRIPTS: (frozenset((9,)), Obis("0-0:10.0.125")),
        SAP_ASSIGNMENT: (frozenset((17,)), Obis("0-0:41.0.0")),
        LOGICAL_DEVICE_NAME: (frozenset((1, 3)), Obis("0-0:42.0.0")),
    }
)
"""Reserved base names: the classes that may stand there, and the logical name."""
FIRST_FREE: Final = ShortName(0x0100)
"""The first name that is given out where none is named."""


class MemberKind(Enum):
    """What a short name stands for."""

    ATTRIBUTE = "attribute"
    METHOD = "method"


class Member(NamedTuple):
    """An attribute or method of an object, by its number."""

    kind: MemberKind
    number: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the members of a class stand. members: by offset. offsets: by member. size: names that an object takes."""

    members: Mapping[int, Member]
    offsets: Mapping[Member, int]
    size: int


@lru_cache(maxsize=512)
def layout_of(class_id: int, version: int) -> Layout | None:
    """Return where the members of a class stand; None where that version of it is not declared."""
    declared = interface_class(class_id, version)
    if declared is None:
        return None
    members = {one.sn_offset: Member(MemberKind.ATTRIBUTE, index) for index, one in declared.attributes.items()}
    members |= {one.sn_offset: Member(MemberKind.METHOD, index) for index, one in declared.methods.items()}
    offsets = {member: offset for offset, member in members.items()}
    return Layout(MappingProxyType(members), MappingProxyType(offsets), max(members) + STEP)


@dataclass(frozen=True, slots=True)
class Placed:
    """An object and its base_name, as object_list of Association SN has it."""

    base_name: ShortName
    class_id: int
    version: int
    logical_name: Obis

    def __str__(self) -> str:
        return f"{self.class_id}/{self.logical_name} at {self.base_name!r}"


class ShortNameMap:
    """Objects by their base names.

    Two objects with one base_name cannot be told apart: neither has short names.
    """

    def __init__(self, placed: Iterable[Placed]) -> None:
        self.placed: Final = tuple(sorted(placed, key=lambda one: one.base_name))
        self._bases = [int(one.base_name) for one in self.placed]
        self._objects: dict[tuple[int, Obis], Placed] = {}
        for one in self.placed:
            self._objects.setdefault((one.class_id, one.logical_name), one)

    def object(self, class_id: int, logical_name: Obis) -> Placed | None:
        """Return an object."""
        return self._objects.get((class_id, logical_name))

    def name_of(self, class_id: int, logical_name: Obis, member: Member) -> ShortName | None:
        """Return the short name of an attribute or method; None where there is none.

        Of a class or version that is not declared, attributes have names and methods have not.
        """
        placed = self._objects.get((class_id, logical_name))
        if placed is None:
            return None
        layout = layout_of(class_id, placed.version)
        offset: int | None
        if layout is not None:
            offset = layout.offsets.get(member)
        else:
            offset = STEP * (member.number - 1) if member.kind is MemberKind.ATTRIBUTE and member.number > 0 else None
        if offset is None or placed.base_name + offset >= self._end(placed):
            return None
        return ShortName(placed.base_name + offset)

    def resolve(self, short_name: int) -> tuple[Placed, Member] | None:
        """Return the object and member that a short name stands for; None where nothing stands there."""
        at = bisect_right(self._bases, short_name) - 1
        if at < 0 or short_name >= self._end(self.placed[at]):
            return None
        placed = self.placed[at]
        layout = layout_of(placed.class_id, placed.version)
        member = None if layout is None else layout.members.get(short_name - placed.base_name)
        return None if member is None else (placed, member)

    def _end(self, placed: Placed) -> int:
        """The next base name; the own one where it is taken twice."""
        base = int(placed.base_name)
        after = bisect_right(self._bases, base)
        if after - bisect_left(self._bases, base) > 1:
            return base
        return self._bases[after] if after < len(self._bases) else END


def size_of(class_id: int, version: int) -> int:
    """Return how many short names an object takes. Raises ConfigurationError where its class is not declared."""
    layout = layout_of(class_id, version)
    if layout is None:
        raise ConfigurationError(f"class {class_id} version {version} is not declared: its short names are not known")
    return layout.size


def reserved_for(class_id: int, logical_name: Obis) -> ShortName | None:
    """Return the base_name that is reserved for an object."""
    return next(
        (base for base, (classes, name) in RESERVED.items() if name == logical_name and class_id in classes), None
    )


class NameSpace:
    """The short names of a device: which objects have taken which.

    named: base names by class_id and logical_name; they are kept free for their objects. The others get those reserved
    for them, or the first that are free from :data:`FIRST_FREE` on, in the order in which they come. Raises
    ConfigurationError for what is no base name.
    """

    def __init__(self, named: Mapping[tuple[int, Obis], int] | None = None) -> None:
        self.placed: list[Placed] = []
        self._named = dict(named or {})
        self._taken: list[tuple[int, int, Placed]] = []
        self._kept_free: list[tuple[int, int]] = []
        for (class_id, logical_name), base in self._named.items():
            if not 0 <= base < END or base % STEP:
                raise ConfigurationError(f"{class_id}/{logical_name}: {base} is no base_name, a multiple of {STEP}")
            sizes = [size_of(class_id, version) for version in versions(class_id)]
            self._kept_free.append((base, base + max(sizes, default=STEP)))

    def add(self, class_id: int, version: int, logical_name: Obis) -> Placed:
        """Give an object its base_name. Raises ConfigurationError where it does not fit, or none is left."""
        size = size_of(class_id, version)
        base = self._named.get((class_id, logical_name), reserved_for(class_id, logical_name))
        if base is None:
            base = self._free(size)
            if base + size > ASSOCIATION:
                raise ConfigurationError(f"no {size} short names are left for {class_id}/{logical_name}")
        placed = Placed(ShortName(base), class_id, version, logical_name)
        self.put(placed)
        return placed

    def put(self, placed: Placed) -> None:
        """Put an object where it says.

        Raises ConfigurationError where it overlaps another, has a base_name that is no multiple of 8, too high or
        reserved for something else, or is of a class that is not declared.
        """
        base = int(placed.base_name)
        end = base + size_of(placed.class_id, placed.version)
        if base % STEP:
            raise ConfigurationError(f"{placed}: a base_name is a multiple of {STEP}")
        if end > END:
            raise ConfigurationError(f"{placed} would reach to 0x{end - 1:X}: short names end at 0xFFFF")
        classes, name = RESERVED.get(placed.base_name, (frozenset((placed.class_id,)), placed.logical_name))
        if placed.class_id not in classes or placed.logical_name != name:
            raise ConfigurationError(f"{placed}: the base_name is reserved for {min(classes)}/{name}")
        at = bisect_right(self._taken, base, key=lambda one: one[0])
        for begin, other_end, other in self._taken[max(at - 1, 0) : at + 1]:
            if begin < end and base < other_end:
                raise ConfigurationError(f"{placed} and {other} overlap: give one of them another base_name")
        self._taken.insert(at, (base, end, placed))
        self.placed.append(placed)

    def _free(self, size: int) -> int:
        """The first names that are free in a row."""
        base = int(FIRST_FREE)
        for begin, end in sorted([*self._kept_free, *((begin, end) for begin, end, _ in self._taken)]):
            if base + size <= begin:
                break
            base = max(base, end)
        return base
