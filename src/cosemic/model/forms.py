"""Types that stand for others: a second name, and the other forms that devices in the field send (IEC 62056-6-2, 4).

::

    Alias(SimpleData, "threshold")                                 simple_data, where the tables call it threshold
    AlsoSeen(Season, SeenAlso(SeasonOfText, season_of_text))       a season; with the quirk, one whose names are text

The forms are read where the :class:`~cosemic.model.types.Reading` allows it (``seen_also``), reported as a deviation,
and never sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from cosemic.codec import DataType, Typed
from cosemic.errors import DecodeError
from cosemic.model.types import STRICT, CosemType, Notation, Reading, T


class StandsFor(Notation, Generic[T]):
    """A type that reads and writes as another one does."""

    def __init__(self, declared: CosemType[T]) -> None:
        self.declared = declared

    def tags(self) -> frozenset[DataType]:
        """Return the tags of the other type."""
        return self.declared.tags()

    def decode(self, typed: Typed, reading: Reading = STRICT) -> T:
        """Return the value, as the other type reads it."""
        return self.declared.decode(typed, reading)

    def encode(self, value: T) -> Typed:
        """Return the typed value, as the other type writes it."""
        return self.declared.encode(value)


class Alias(StandsFor[T]):
    """Another name for a type that has one already."""

    def __init__(self, declared: CosemType[T], name: str) -> None:
        super().__init__(declared)
        self.name = name

    def definition(self) -> str:
        """Return the name of the other type."""
        return self.declared.notation()


@dataclass(frozen=True, slots=True)
class SeenAlso(Generic[T]):
    """Another form of a value that devices in the field send; read only where the reading allows it."""

    type: CosemType[Any]
    convert: Callable[[Any], T]


class AlsoSeen(StandsFor[T]):
    """A type with the other forms of its values."""

    def __init__(self, declared: CosemType[T], *seen_also: SeenAlso[T]) -> None:
        super().__init__(declared)
        self.seen_also = seen_also

    def notation(self) -> str:
        """Return the type as declared."""
        return self.declared.notation()

    def definition(self) -> str:
        """Return what stands behind the name of the type as declared."""
        return self.declared.definition()

    def decode(self, typed: Typed, reading: Reading = STRICT) -> T:
        """Return the value in the declared form, or else in the first other one that fits; raises DecodeError."""
        seen = len(reading.deviations)
        try:
            return self.declared.decode(typed, reading)
        except DecodeError:
            for other in self.seen_also if reading.seen_also else ():
                del reading.deviations[seen:]
                try:
                    value = other.convert(other.type.decode(typed, reading))
                except DecodeError:
                    continue
                reading.report(self.notation(), other.type.notation())
                return value
            raise
