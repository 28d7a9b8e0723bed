"""What an OBIS code means, in words (IEC 62056-6-1, clauses 5 to 7).

Rules, the first that fits::

    a group in its manufacturer range     B 128..199, C 128..199 or 240, D, E, F 128..254; D 50..99 of C 96
    utility specific, reserved            B 65..127, B 200..255
    listed objects                        the most specific pattern; a given class decides between equals
    country, consortia specific           C 94 (beside the objects of companion specifications), C 93
    rule tables of the medium             quantity C, processing D, classification E, billing period F

>>> describe(Obis("1-0:1.8.1*255"))
'Active energy import (+A), time integral 1, rate 1'
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from cosemic.model.obis_abstract import OBJECTS
from cosemic.model.obis_country import COUNTRIES, COUNTRY_OBJECTS
from cosemic.model.obis_electricity_objects import ELECTRICITY_OBJECTS
from cosemic.model.obis_gas import GAS_OBJECTS
from cosemic.model.obis_media import MEDIA_OBJECTS
from cosemic.model.obis_pattern import ObisPattern
from cosemic.model.obis_rules import BILLING_PERIODS, MEDIA, ObisDescription, describe_by_rule
from cosemic.model.obis_service import SERVICE_OBJECTS
from cosemic.values import Obis, Unit


def describe(code: Obis, class_id: int | None = None) -> str:
    """Return the name of what ``code`` identifies; ``class_id`` tells apart the few codes with several meanings."""
    return lookup(code, class_id).name


def unit_hint(code: Obis, class_id: int | None = None) -> Unit | None:
    """Return the unit that values under ``code`` usually have; a guess, where scaler_unit cannot be read."""
    return lookup(code, class_id).unit


@lru_cache(maxsize=8192)
def lookup(code: Obis, class_id: int | None = None) -> ObisDescription:
    """Return what ``code`` means; ``known`` is false where only its medium, or its owner, can be told."""
    row = next((row for row in OWNERS if code in row.pattern), None) or _listed(code, class_id)
    if row is not None:
        return row.describe(code)
    return describe_by_rule(code, class_id) or _unknown(code, f"unknown code {code.c}.{code.d}.{code.e}")


def _unknown(code: Obis, what: str) -> ObisDescription:
    return ObisDescription(f"{MEDIA.get(code.a, f'Medium {code.a}')}: {what}", known=False)


# ---- names with formulas ---------------------------------------------------------------------------------------------


class Formula(NamedTuple):
    """A number in a name that is worked out from the groups, and the way back: group (0 is A) and value."""

    of: Callable[[Obis], int]
    solve: Callable[[int], dict[int, int]]


def _plus(group: int, summand: int) -> Formula:
    return Formula(lambda code: code[group] + summand, lambda number: {group: number - summand})


def _table(pending: int) -> Formula:
    return Formula(
        lambda code: (code.d - pending) * 128 + code.e, lambda number: {3: pending + number // 128, 4: number % 128}
    )


FORMULAS: Final[dict[str, Formula]] = {
    "b": _plus(1, 0),
    "c": _plus(2, 0),
    "d": _plus(3, 0),
    "e": _plus(4, 0),
    "e+1": _plus(4, 1),
    **{f"e-{number}": _plus(4, -number) for number in range(1, 31)},
    "f": _plus(5, 0),
    "f-10": _plus(5, -10),
    "d*128+e": _table(0),
    "(d-16)*128+e": _table(16),
    "(d-32)*128+e": _table(32),
    "(d-48)*128+e": _table(48),
}
"""By the text that stands in braces."""

_BRACES: Final = re.compile(r"\{([^}]+)\}")


# ---- rows ------------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """What the codes of a pattern mean. known: whether the standard says that, and not only whose they are."""

    pattern: ObisPattern
    name: str
    classes: tuple[int, ...]
    unit: int | None
    billing: bool
    known: bool

    def say(self, code: Obis) -> str:
        """Return the name with its formulas worked out."""
        return _BRACES.sub(lambda match: str(FORMULAS[match[1]].of(code)), self.name)

    def claim(self, code: Obis) -> ObisDescription:
        """Return whose codes of several media are."""
        name = self.say(code)
        return ObisDescription(name[0].upper() + name[1:], known=False)

    def describe(self, code: Obis) -> ObisDescription:
        """Return what one of the codes means."""
        name = self.say(code)
        if not self.known:
            return _unknown(code, name)
        if code.a >= 4 and len(self.pattern.groups[0]) <= 2:  # of this medium, not of all
            name = f"{MEDIA[code.a]}: {name}"
        name += BILLING_PERIODS.get(code.f, f", F {code.f}") if self.billing else ""
        return ObisDescription(name, self.classes, None if self.unit is None else Unit(self.unit))


def _row(pattern: str, name: str, classes: tuple[int, ...] = (), unit: int | None = None, known: bool = True) -> Row:
    return Row(ObisPattern.parse(pattern), name, classes, unit, pattern.endswith(".f"), known)


_MANUFACTURERS: Final = "0,1,4-9,15"
"""Media that leave values of groups to manufacturers; a single one makes the whole code theirs."""

OWNERS: Final = tuple(
    _row(pattern, name, known=False)
    for pattern, name in (
        (f"{_MANUFACTURERS}.128-199.?.?.?.?", "manufacturer specific"),
        (f"{_MANUFACTURERS}.?.128-199,240.?.?.?", "manufacturer specific"),
        (f"{_MANUFACTURERS}.?.?.128-254.?.?", "manufacturer specific"),
        (f"{_MANUFACTURERS}.?.?.?.128-254.?", "manufacturer specific"),
        (f"{_MANUFACTURERS}.?.?.?.?.128-254", "manufacturer specific"),
        (f"{_MANUFACTURERS}.?.96.50-99.?.?", "manufacturer specific, can be displayed"),
        ("?.65-127.?.?.?.?", "utility specific"),
        ("?.200-255.?.?.?.?", "reserved channel {b}"),
    )
)
"""Whose a code is that the standard does not assign; they come before all other rules."""

_OTHER_COUNTRIES: Final = ",".join(str(d) for d in range(256) if d not in COUNTRIES)

ASSIGNED_TO: Final = (
    _row("?.b.93.?.?.?", "consortia specific, D {d}", known=False),
    *(_row(f"?.b.94.{d}.?.?", f"specific to {name}", known=False) for d, name in COUNTRIES.items()),
    _row(f"?.b.94.{_OTHER_COUNTRIES}.?.?", "specific to country {d}", known=False),
)
"""Codes that others than the standard assign."""


@cache
def listed_objects() -> tuple[Row, ...]:
    """Return every object of the lists."""
    tables: tuple[tuple[tuple[Any, ...], ...], ...] = (
        OBJECTS, SERVICE_OBJECTS, ELECTRICITY_OBJECTS, COUNTRY_OBJECTS, GAS_OBJECTS, MEDIA_OBJECTS,
    )  # fmt: skip
    return tuple(_row(*row) for table in tables for row in table)


@cache
def _index() -> dict[tuple[int, int], list[Row]]:
    """All rows by values of C and D, the most specific first."""
    rows: dict[tuple[int, int], list[Row]] = {}
    for row in sorted((*listed_objects(), *ASSIGNED_TO), key=lambda row: row.pattern.size):
        for c in row.pattern.groups[2]:
            for d in row.pattern.groups[3]:
                rows.setdefault((c, d), []).append(row)
    return rows


def _listed(code: Obis, class_id: int | None) -> Row | None:
    """The most specific row; where a class is given, the most specific that can have it, if there is one."""
    fitting = [row for row in _index().get((code.c, code.d), ()) if code in row.pattern]
    return next((row for row in fitting if class_id in row.classes), fitting[0] if fitting else None)
