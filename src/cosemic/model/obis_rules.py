"""What the value groups of a medium mean where no object is listed: its rule tables (IEC 62056-6-1, clauses 5 to 7).

A name is put together from the groups; what stands in brackets may be missing::

    [medium: ]quantity[ phase], processing[, classification][, billing period]
               C                D           E                  F

    Active energy import (+A), time integral 1, rate 1, last billing period      1-0:1.8.1*101
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from cosemic.model import obis_electricity as electricity
from cosemic.model import obis_gas as gas
from cosemic.model.obis_media import ALLOCATOR, THERMAL, WATER, Medium
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


class Quantity(NamedTuple):
    """A value of C: its name and unit, those of its time integral, and the phase."""

    label: str
    integral: str
    unit: int | None
    integral_unit: int | None
    phase: str = ""


class Processing(NamedTuple):
    """A value of D: its name, its kind (which decides on name and unit of the quantity), usual interface classes."""

    name: str
    kind: str = ""
    classes: tuple[int, ...] = (3, 4)


class Classification(NamedTuple):
    """The values of E: what each adds to the name, and how another one is named; some have a unit of their own.

    of_quantity: it stands behind the quantity, in front of the processing.
    """

    words: Mapping[int, str]
    other: str = ", E {e}"
    units: Mapping[int, int] = {}
    of_quantity: bool = False

    def say(self, e: int) -> str:
        """Return what a value adds to the name."""
        return self.words.get(e, self.other.format(e=e))


class Block(NamedTuple):
    """Tables of one or two media in which every quantity goes with every processing."""

    media: tuple[int, ...]
    quantities: Mapping[int, Quantity]
    processing: Mapping[int, Processing]
    classification: Callable[[int, int, int | None], Classification]
    thresholds: frozenset[int] = frozenset()
    """D where F below 100 is the number of a threshold."""

    def unit(self, c: int, d: int) -> int | None:
        """Return the unit of a quantity as it is processed."""
        kind = self.processing[d].kind
        if kind in _UNITS_OF_KIND:
            return _UNITS_OF_KIND[kind]
        return self.quantities[c].integral_unit if kind == "integral" else self.quantities[c].unit

    def label(self, c: int, d: int) -> str:
        """Return the name of a quantity as it is processed, with its phase."""
        quantity = self.quantities[c]
        name = quantity.integral if self.processing[d].kind == "integral" else quantity.label
        return f"{name} {quantity.phase}" if quantity.phase else name

    def periods(self, d: int) -> Mapping[int, str]:
        """Return what the values of F add to the name."""
        return THRESHOLDS if d in self.thresholds else BILLING_PERIODS

    def describe(self, code: Obis, class_id: int | None = None) -> ObisDescription | None:
        """Return what a code means; None where its C and D are not of these tables."""
        a, _, c, d, e, f = code
        if c not in self.quantities or d not in self.processing:
            return None
        table = self.classification(c, d, class_id)
        said = table.say(e)
        medium = f"{MEDIA[a]}: " if a >= 4 else ""
        processed = f", {self.processing[d].name}"
        processed = said + processed if table.of_quantity else processed + said
        name = f"{medium}{self.label(c, d)}{processed}{self.periods(d).get(f, f', F {f}')}"
        unit = table.units.get(e, self.unit(c, d))
        return ObisDescription(name, self.processing[d].classes, None if unit is None else Unit(unit))


_UNITS_OF_KIND: Final = {"counter": 255, "duration": 7, "fraction": 62}


# ---- F ---------------------------------------------------------------------------------------------------------------


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number // 10 != 1 else 0, "th")
    return f"{number}{ending}"


BILLING_PERIODS: Final = {
    255: "",
    **{f: f", billing period VZ={f}" for f in range(100)},
    101: ", last billing period",
    **{f: f", {_ordinal(f - 100)} last billing period" for f in range(102, 126)},
    126: ", unspecified billing periods",
}
"""What F adds to the name; VZ is the value of the billing period counter."""

THRESHOLDS: Final = {**BILLING_PERIODS, **{f: f", threshold {f}" for f in range(100)}}
"""The same where F below 100 is the number of a threshold."""


# ---- E ---------------------------------------------------------------------------------------------------------------

_RATES: Final = Classification({0: "", **{e: f", rate {e}" for e in range(1, 64)}})
_HARMONICS: Final = Classification(
    {0: "", **{e: f", harmonic {e}" for e in range(2, 121)}, **{e: f", {n}" for e, n in electricity.HARMONICS.items()}},
    units=dict.fromkeys(electricity.RATIOS, 56),
)
_PLAIN_AND_DIPS: Final = Classification(
    {**_HARMONICS.words, **{10 * d + t: f", dip class {d}{t}" for d in range(5) for t in range(6) if d or t}},
    units=_HARMONICS.units,
)
"""UNIPEDE classes of voltage dips; 0 is the plain counter where the class is Data."""
_DIPS: Final = Classification({**_PLAIN_AND_DIPS.words, 0: ", dip class 00"}, units=_HARMONICS.units)
_DIP_CODES: Final = frozenset((c, 32) for c in (12, 32, 52, 72))
_ANGLES: Final = Classification(
    {
        10 * to + other: f" from {name} to {reference}"
        for to, reference in electricity.ANGLES.items()
        for other, name in electricity.ANGLES.items()
    },
    other=" E {e}",
    of_quantity=True,
)
_LOSSES: Final = Classification(
    {
        **{e: f", {name}" for e, name in electricity.SUM_LOSSES.items()},
        **{
            e + 20 * phase: f", L{phase + 1} {name}"
            for phase in range(3)
            for e, name in electricity.PHASE_LOSSES.items()
        },
    },
    of_quantity=True,
)
_AVERAGES: Final = Classification({e: f", {name}" if e else "" for e, name in gas.GAS_AVERAGES.items()})
_METHODS: Final = Classification({0: " in use", **{e: f" {e} supported" for e in range(1, 128)}}, " {e} supported")
CLASSIFICATIONS: Final = (_RATES, _HARMONICS, _PLAIN_AND_DIPS, _DIPS, _ANGLES, _LOSSES, _AVERAGES, _METHODS)
"""All there are."""


def _of_electricity(c: int, d: int, class_id: int | None) -> Classification:
    if c == 81:
        return _ANGLES
    if c == 83:
        return _LOSSES
    if (c, d) in _DIP_CODES:
        return _PLAIN_AND_DIPS if class_id in (None, 1) else _DIPS
    return _HARMONICS if c in electricity.HARMONIC_C and d in electricity.HARMONIC_D else _RATES


def _rates(c: int, d: int, class_id: int | None) -> Classification:
    return _RATES


def _of_gas_conversion(c: int, d: int, class_id: int | None) -> Classification:
    return _METHODS if d == 12 else _AVERAGES


def _of_gas_analysis(c: int, d: int, class_id: int | None) -> Classification:
    return _AVERAGES


# ---- C and D ---------------------------------------------------------------------------------------------------------


def _electricity() -> Block:
    quantities = {c: Quantity(*row) for c, row in electricity.QUANTITIES.items()}
    for c, row in electricity.PHASE_QUANTITIES.items():
        quantities[c] = Quantity(*row, "any phase" if c in (11, 12) else "")
        quantities |= {c + 20 * phase: Quantity(*row, f"L{phase}") for phase in (1, 2, 3)}
    processing = {d: Processing(*row) for d, row in electricity.PROCESSING.items()}
    return Block((1,), quantities, processing, _of_electricity, frozenset(range(31, 43)))


def _medium(media: tuple[int, ...], tables: Medium) -> Block:
    quantities = {c: Quantity(tables.quantities[c], "", unit, None) for c, unit in tables.units.items()}
    processing = {
        d: Processing(name, "counter" if "counter" in name else "duration" if "duration" in name else "")
        for d, name in tables.processing.items()
    }
    return Block(media, quantities, processing, _rates)


def _gas(values: frozenset[int], names: Mapping[int, str]) -> Block:
    quantities = {c: Quantity(gas.GAS_C[c], "", gas.GAS_UNITS.get(c), None) for c in values}
    molar = range(60, 84) if values == {70} else ()
    processing = {d: Processing(name, "fraction" if d in molar else "") for d, name in names.items()}
    averaged = _of_gas_analysis if values == {70} else _of_gas_conversion if values == gas.GAS_CONVERSION else _rates
    return Block((7,), quantities, processing, averaged)


BLOCKS: Final = (
    _electricity(),
    _medium((4,), ALLOCATOR),
    _medium((5, 6), THERMAL),
    *(_gas(values, names) for values, names in gas.GAS_D),
    _medium((8, 9), WATER),
)
"""The rule tables of all media."""


def describe_by_rule(code: Obis, class_id: int | None = None) -> ObisDescription | None:
    """Return what ``code`` means by the tables of its medium; None where they say nothing.

    class_id tells the classes of voltage dips from the plain counter.
    """
    for block in BLOCKS:
        if code.a in block.media and (found := block.describe(code, class_id)) is not None:
            return found
    return None
