"""What an OBIS code means, in words (IEC 62056-6-1, clauses 5 to 7).

Rules, the first that fits::

    a group in its manufacturer range     B 128..199, C 128..199 or 240, D, E, F 128..254; D 50..99 of C 96
    utility specific, reserved            B 65..127, B 200..255
    country, consortia specific           C 94 (with the objects of companion specifications), C 93
    inactive object                       0.b.127.0.e.255
    listed objects                        the most specific pattern; a given class decides between equals
    rule tables of the medium             quantity C, processing D, classification E, billing period F

>>> describe(Obis("1-0:1.8.1*255"))
'Active energy import (+A), time integral 1, rate 1'
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from cosemic.model import obis_electricity as electricity
from cosemic.model import obis_gas as gas
from cosemic.model.obis_abstract import OBJECTS
from cosemic.model.obis_country import COUNTRIES, COUNTRY_OBJECTS
from cosemic.model.obis_electricity_objects import ELECTRICITY_OBJECTS
from cosemic.model.obis_media import ALLOCATOR, MEDIA_OBJECTS, THERMAL, WATER
from cosemic.model.obis_service import SERVICE_OBJECTS
from cosemic.values import Obis, Unit

MEDIA: Final = {
    0: "Abstract",
    1: "Electricity",
    2: "DC electricity",
    4: "Heat cost allocator",
    5: "Cooling",
    6: "Heat",
    7: "Gas",
    8: "Cold water",
    9: "Hot water",
    15: "Other media",
}
"""Name by value of group A; the others are reserved."""


@dataclass(frozen=True, slots=True)
class ObisDescription:
    """What a code means.

    name: in words. classes: usual interface classes, the most usual first; none where nothing is known. unit: the
    usual one; None where none is known. known: whether the standard says what it is.
    """

    name: str
    classes: tuple[int, ...] = ()
    unit: Unit | None = None
    known: bool = True


def describe(code: Obis, class_id: int | None = None) -> str:
    """Return the name of what ``code`` identifies; ``class_id`` tells apart the few codes with several meanings."""
    return lookup(code, class_id).name


def unit_hint(code: Obis, class_id: int | None = None) -> Unit | None:
    """Return the unit that values under ``code`` usually have; a guess, where scaler_unit cannot be read."""
    return lookup(code, class_id).unit


@lru_cache(maxsize=8192)
def lookup(code: Obis, class_id: int | None = None) -> ObisDescription:
    """Return what ``code`` means; ``known`` is false where only its medium, or its owner, can be told."""
    found = _own(code)
    if found is None:
        row = _listed(code, class_id)
        found = row.describe(code) if row else _assigned(code)
    if found is None:
        found = _MEDIA_RULES.get(code.a, _no_rule)(code, class_id)
    return found or _unknown(code, f"unknown code {code.c}.{code.d}.{code.e}")


# ---- owners ----------------------------------------------------------------------------------------------------------

_OWN: Final = range(128, 255)


def _unknown(code: Obis, what: str) -> ObisDescription:
    return ObisDescription(f"{MEDIA.get(code.a, f'Medium {code.a}')}: {what}", known=False)


def _own(code: Obis) -> ObisDescription | None:
    """Codes of manufacturers and utilities: a single group makes the whole code theirs."""
    a, b, c, d, e, f = code
    if a in MEDIA and a != 2:
        if b in range(128, 200) or c in range(128, 200) or c == 240 or d in _OWN or e in _OWN or f in _OWN:
            return _unknown(code, "manufacturer specific")
        if c == 96 and d in range(50, 100):
            return _unknown(code, "manufacturer specific, can be displayed")
    if b in range(65, 128):
        return _unknown(code, "utility specific")
    if b >= 200:
        return _unknown(code, f"reserved channel {b}")
    return None


def _assigned(code: Obis) -> ObisDescription | None:
    """Codes that others than the standard assign, and the inactive object."""
    a, b, c, d, _, f = code
    if c == 93 and b <= 64:
        return _unknown(code, f"consortia specific, D {d}")
    if c == 94 and b <= 64:
        return _unknown(code, f"specific to {COUNTRIES.get(d, f'country {d}')}")
    if (a, c, d, f) == (0, 127, 0, 255):
        return ObisDescription("Inactive object")
    return None


# ---- listed objects --------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    """An object of the lists: the values each group may have, and how many codes that makes."""

    groups: tuple[frozenset[int], ...]
    breadth: int
    name: str
    classes: tuple[int, ...]
    unit: int | None
    billing: bool

    def describe(self, code: Obis) -> ObisDescription:
        name = _BRACES.sub(lambda match: _FORMULAS[match[1]](code), self.name)
        if code.a >= 4 and len(self.groups[0]) <= 2:  # of this medium, not of all
            name = f"{MEDIA[code.a]}: {name}"
        name += _billing_period(code.f) if self.billing else ""
        return ObisDescription(name, self.classes, None if self.unit is None else Unit(self.unit))


_BRACES: Final = re.compile(r"\{([^}]+)\}")


def _plus(group: int, summand: int) -> Callable[[Obis], str]:
    return lambda code: str(code[group] + summand)


def _table(pending: int) -> Callable[[Obis], str]:
    return lambda code: str((code.d - pending) * 128 + code.e)


def _gas_parameter(code: Obis) -> str:
    others = {45: "density", 46: "relative density", 54: "superior calorific value"}
    return others.get(code.e) or gas.GAS_ANALYSIS.get(code.e, f"E {code.e}")


_FORMULAS: Final[dict[str, Callable[[Obis], str]]] = {
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
    "e:status word": lambda code: f"status word {code.e}" if code.e else "global",
    "e:gas": _gas_parameter,
}

_ANY: Final = (range(16), range(65), range(256), range(256), range(256), range(256))


def _values(group: int, text: str) -> frozenset[int]:
    if text.isalpha():
        return frozenset(_ANY[group])
    spans = (part.split("-") for part in text.split(","))
    return frozenset(value for span in spans for value in range(int(span[0]), int(span[-1]) + 1))


@cache
def _index() -> dict[tuple[int, int], list[_Row]]:
    """All rows by values of C and D, the most specific first."""
    rows: dict[tuple[int, int], list[_Row]] = {}
    tables: tuple[tuple[Any, ...], ...] = (
        OBJECTS, SERVICE_OBJECTS, ELECTRICITY_OBJECTS, COUNTRY_OBJECTS, gas.GAS_OBJECTS, MEDIA_OBJECTS,
    )  # fmt: skip
    for pattern, name, classes, *unit in (row for table in tables for row in table):
        parts = pattern.split(".")
        groups = tuple(_values(group, text) for group, text in enumerate(parts))
        breadth = 1
        for values in groups:
            breadth *= len(values)
        row = _Row(groups, breadth, name, classes, unit[0] if unit else None, parts[5] == "f")
        for c in groups[2]:
            for d in groups[3]:
                rows.setdefault((c, d), []).append(row)
    for found in rows.values():
        found.sort(key=lambda row: row.breadth)
    return rows


def _listed(code: Obis, class_id: int | None) -> _Row | None:
    """The most specific row; where a class is given, the most specific that can have it, if there is one."""
    fitting = [row for row in _index().get((code.c, code.d), ()) if all(map(frozenset.__contains__, row.groups, code))]
    return next((row for row in fitting if class_id in row.classes), fitting[0] if fitting else None)


# ---- rule tables -----------------------------------------------------------------------------------------------------


def _billing_period(f: int) -> str:
    if f == 255:
        return ""
    if f < 100:
        return f", billing period VZ={f}"
    if f == 101:
        return ", last billing period"
    if 102 <= f <= 125:
        number = f - 100
        ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number // 10 != 1 else 0, "th")
        return f", {number}{ending} last billing period"
    return ", unspecified billing periods" if f == 126 else f", F {f}"


def _rate(e: int) -> str:
    if e == 0:
        return ""
    return f", rate {e}" if e <= 63 else f", E {e}"


_DIPS: Final = frozenset(10 * depth + duration for depth in range(5) for duration in range(6))
"""E of the UNIPEDE classes of voltage dips; 0 is the plain counter where the class is Data."""

_COUNTED: Final = frozenset(range(31, 43))
"""D where F below 100 is the number of a threshold."""


def _electricity(code: Obis, class_id: int | None) -> ObisDescription | None:
    c, d, e, f = code[2:]
    if d not in electricity.PROCESSING:
        return None
    if 1 <= c <= 80:
        label, integral, unit, integral_unit = electricity.PHASE_QUANTITIES[(c - 1) % 20 + 1]
        phase = f"L{(c - 1) // 20}" if c > 20 else "any phase" if c in (11, 12) else ""
    elif c in electricity.QUANTITIES:
        label, integral, unit, integral_unit, phase = electricity.QUANTITIES[c]
    else:
        return None
    processing, kind, classes = electricity.PROCESSING[d]
    if kind == "integral":
        label, unit = integral, integral_unit
    unit = {"counter": 255, "duration": 7}.get(kind, unit)
    suffix = ""
    if c == 81:
        phase = _angle(e)
    elif c == 83:
        label += f", {_losses(e)}"
    elif d == 32 and c in (12, 32, 52, 72) and e in _DIPS and (e or class_id not in (None, 1)):
        suffix = f", dip class {e:02}"
    elif c in electricity.HARMONIC_C and d in electricity.HARMONIC_D:
        suffix = f", {electricity.HARMONICS.get(e, f'harmonic {e}' if e <= 120 else f'E {e}')}" if e else ""
        unit = 56 if e in electricity.RATIOS else unit
    else:
        suffix = _rate(e)
    period = f", threshold {f}" if d in _COUNTED and f < 100 else _billing_period(f)
    name = f"{label}{f' {phase}' if phase else ''}, {processing}{suffix}{period}"
    return ObisDescription(name, classes, Unit(unit))


def _angle(e: int) -> str:
    reference, other = electricity.ANGLES.get(e // 10), electricity.ANGLES.get(e % 10)
    return f"from {other} to {reference}" if reference and other else f"E {e}"


def _losses(e: int) -> str:
    if e in electricity.SUM_LOSSES:
        return electricity.SUM_LOSSES[e]
    if 31 <= e <= 90:
        return f"L{(e - 31) // 20 + 1} {electricity.PHASE_LOSSES[(e - 31) % 20 + 31]}"
    return f"E {e}"


def _gas(code: Obis, class_id: int | None) -> ObisDescription | None:
    c, d, e, f = code[2:]
    processing = next((names[d] for values, names in gas.GAS_D if c in values and d in names), None)
    if processing is None:
        return None
    averaged = c in gas.GAS_CONVERSION or c == 70
    if averaged and d == 12 and c != 70:
        suffix = f" {e} supported" if e else " in use"
    elif averaged:
        suffix = f", {gas.GAS_AVERAGES.get(e, f'E {e}')}" if e else ""
    else:
        suffix = _rate(e)
    unit = 62 if c == 70 and 60 <= d <= 83 else gas.GAS_UNITS.get(c)
    name = f"Gas: {gas.GAS_C[c]}, {processing}{suffix}{_billing_period(f)}"
    return ObisDescription(name, (3, 4), None if unit is None else Unit(unit))


def _simple(code: Obis, class_id: int | None) -> ObisDescription | None:
    """Media whose codes are a quantity C and a processing D."""
    a = code.a
    c, d, e, f = code[2:]
    medium = {4: ALLOCATOR, 5: THERMAL, 6: THERMAL, 8: WATER, 9: WATER}[a]
    if c not in medium.units or d not in medium.processing:
        return None
    processing = medium.processing[d]
    unit = 255 if "counter" in processing else 7 if "duration" in processing else medium.units[c]
    name = f"{MEDIA[a]}: {medium.quantities[c]}, {processing}{_rate(e)}{_billing_period(f)}"
    return ObisDescription(name, (3, 4), Unit(unit))


def _other_media(code: Obis, class_id: int | None) -> ObisDescription | None:
    kind = "solar" if 1 <= code.c <= 10 else "wind" if 11 <= code.c <= 20 else ""
    return ObisDescription(f"Other media: {kind}, C {code.c}, D {code.d}") if kind else None


def _no_rule(code: Obis, class_id: int | None) -> ObisDescription | None:
    return None


_MEDIA_RULES: Final[dict[int, Callable[[Obis, int | None], ObisDescription | None]]] = {
    1: _electricity,
    4: _simple,
    5: _simple,
    6: _simple,
    7: _gas,
    8: _simple,
    9: _simple,
    15: _other_media,
}
