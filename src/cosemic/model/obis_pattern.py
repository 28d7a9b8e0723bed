"""Patterns of OBIS codes: which values each value group may have (IEC 62056-6-1).

Text forms that are read, for each group a number, a range ``n-m``, a list ``1,3,5-7``, or any value::

    1.b.1.8.e.255      as tables of codes are written: the group's own letter for any value that is the standard's
                       to assign (b 0..64; c, d, e, f 0..127 and 255), ``any`` for every medium
    1-?:1.8.*          as codes are written: ? or * for any value at all; A-, B:, .E and *F may each be left out,
                       and are then open; letters of displays in place of C and D
    0100010800ff       a code in hexadecimal
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Final, Self

from cosemic.errors import ConfigurationError
from cosemic.values import Obis
from cosemic.values.obis import DISPLAY_LETTERS

Values = frozenset[int]

ANY: Final = frozenset(range(256))
"""Every value that an octet can have."""
ASSIGNED: Final = frozenset((*range(128), 255))
"""Values of C, D, E and F that are the standard's to assign; the others are a manufacturer's, or reserved."""
CHANNELS: Final = frozenset(range(65))
"""Values of B that the standard assigns: no channel, channel 1 to 64."""
MEDIUM: Final = frozenset(range(16))
"""Values of A that the standard assigns or reserves."""

_LETTERS: Final[tuple[dict[str, Values], ...]] = (
    {"any": MEDIUM, "a": MEDIUM},
    {"b": CHANNELS},
    *({letter: ASSIGNED} for letter in "cdef"),
)
_WILDCARDS: Final = frozenset("?*")
_SPANS: Final = r"\d{1,3}(?:-\d{1,3})?(?:,\d{1,3}(?:-\d{1,3})?)*"
_GROUP: Final = rf"(?:{_SPANS}|[?*]|[a-f]|any)"
_NUMBERS: Final = r"(?:\d{1,3}(?:,\d{1,3})*|[?*]|a|any)"
_DOTTED: Final = re.compile(r"\.".join([f"({_GROUP})"] * 6))
_CODE: Final = re.compile(
    rf"(?:(?P<a>{_NUMBERS})-)?(?:(?P<b>{_GROUP}):)?(?P<c>{_GROUP}|[CFLP])\.(?P<d>{_GROUP}|[CFLP])"
    rf"(?:\.(?P<e>{_GROUP})(?:\.(?P<dotted>{_GROUP}))?)?(?:[*&](?P<f>{_GROUP}))?"
)
_HEXADECIMAL: Final = re.compile("[0-9A-Fa-f]{12}")


@dataclass(frozen=True, slots=True)
class ObisPattern:
    """A set of OBIS codes: the values that each of the groups A to F may have.

    >>> Obis("1-0:1.8.3") in ObisPattern.parse("1-?:1.8.1-4"), str(ObisPattern.parse("1-0:1.8.1-4*255"))
    (True, '1.0.1.8.1-4.255')
    """

    groups: tuple[Values, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the pattern that a text form stands for; raises ConfigurationError for other text."""
        text = text.strip()
        if _HEXADECIMAL.fullmatch(text):
            return cls.of(Obis(text))
        match = _DOTTED.fullmatch(text)
        if match is not None:
            return cls(tuple(_values(group, part) for group, part in enumerate(match.groups())))
        match = _CODE.fullmatch(text)
        # As with codes: four bare groups could be any four of the six.
        if match is None or (match["dotted"] and (match["f"] or not (match["a"] or match["b"]))):
            raise ConfigurationError(
                f"{text[:40]!r} is no OBIS code or pattern; forms: 1-0:1.8.0*255, 1-?:1.8.*, 1.8, 1.b.1.8.e.255"
            )
        parts = (match["a"], match["b"], match["c"], match["d"], match["e"], match["f"] or match["dotted"])
        return cls(tuple(ANY if part is None else _values(group, part) for group, part in enumerate(parts)))

    @classmethod
    def of(cls, code: Obis) -> Self:
        """Return the pattern of one code."""
        return cls(tuple(frozenset((value,)) for value in code))

    @property
    def size(self) -> int:
        """How many codes there are: 1 of a code, more the broader the pattern is."""
        return prod(map(len, self.groups))

    @property
    def code(self) -> Obis:
        """The most usual code: electricity, where that is one of several media, the current value, the least E ..."""
        a, b, c, d, e, f = map(min, self.groups)
        return Obis(bytes((1 if 1 in self.groups[0] else a, b, c, d, e, 255 if 255 in self.groups[5] else f)))

    def spans(self, group: int) -> tuple[range, ...]:
        """Return the values of a group (0 is A) as ranges, in ascending order."""
        values = sorted(self.groups[group])
        starts = [values[0], *(after for before, after in pairwise(values) if after != before + 1)]
        ends = [*(before for before, after in pairwise(values) if after != before + 1), values[-1]]
        return tuple(range(start, end + 1) for start, end in zip(starts, ends, strict=True))

    def __contains__(self, code: Obis) -> bool:
        return all(map(frozenset.__contains__, self.groups, code))

    def __and__(self, other: ObisPattern) -> ObisPattern | None:
        """Return the codes of both patterns; None where they have none in common."""
        common = tuple(map(frozenset.intersection, self.groups, other.groups))
        return ObisPattern(common) if all(common) else None

    def __le__(self, other: ObisPattern) -> bool:
        return all(map(frozenset.issubset, self.groups, other.groups))

    def __str__(self) -> str:
        return ".".join(map(self._text, range(6)))

    def _text(self, group: int) -> str:
        values = self.groups[group]
        if values == ANY:
            return "?"
        for letter, meant in _LETTERS[group].items():
            if values == meant:
                return letter
        return ",".join(f"{span[0]}-{span[-1]}" if len(span) > 1 else str(span[0]) for span in self.spans(group))


@lru_cache(maxsize=1024)
def _values(group: int, text: str) -> Values:
    """Return what one group of a pattern stands for."""
    if text in _WILDCARDS:
        return ANY
    if text in DISPLAY_LETTERS:
        return frozenset((DISPLAY_LETTERS[text],))
    if text in _LETTERS[group]:
        return _LETTERS[group][text]
    if not text[0].isdigit():
        raise ConfigurationError(f"{text!r} is not the letter of OBIS value group {'ABCDEF'[group]}")
    values: set[int] = set()
    for part in text.split(","):
        low, _, high = part.partition("-")
        first, last = int(low), int(high or low)
        if not first <= last <= 255:
            raise ConfigurationError(
                f"{part!r} in OBIS value group {'ABCDEF'[group]}: values are 0 to 255, the least first"
            )
        values.update(range(first, last + 1))
    return frozenset(values)
