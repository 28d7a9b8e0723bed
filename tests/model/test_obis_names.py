"""OBIS codes in words, against the code tables of the reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cosemic.model.obis_names import describe, lookup, unit_hint
from cosemic.values import Obis
from tests.vectors import reference


@cache
def tables() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load(reference("obis.yaml").read_text(encoding="utf-8"), Loader=loader)
    return loaded


def test_every_known_code_has_its_description_class_and_unit() -> None:
    wrong = []
    for row in tables()["known_codes"]["codes"]:
        found = lookup(Obis(row["code"]), row["class_id"])
        unit = int(found.unit) if found.unit is not None else None
        fits = unit == row["unit"] or (unit is None and row["unit"] in (None, 255))
        if found.name != row["description"] or not found.known or row["class_id"] not in found.classes or not fits:
            wrong.append((row, found))
    assert not wrong
    assert len(tables()["known_codes"]["codes"]) > 400


def test_every_electricity_quantity_and_processing_follows_the_template() -> None:
    table = tables()["electricity"]
    for c, quantity in table["c"].items():
        if "e_table" in quantity:
            continue
        phase = {"any": " any phase"}.get(quantity["phase"], f" {quantity['phase']}")
        phase = phase if re.fullmatch(r" (L[123](-L[123])?|any phase)", phase) else ""
        for d, processing in table["d"].items():
            integral = processing["kind"] == "integral"
            label = quantity["energy_label" if integral else "label"]
            unit = {"integral": quantity["energy_unit"], "counter": 255, "duration": 7}.get(
                processing["kind"], quantity["unit"]
            )
            found = lookup(Obis(bytes((1, 0, c, d, 0, 255))))
            assert found.name == f"{label}{phase}, {processing['name']}"
            assert (found.classes, found.unit) == (tuple(processing["classes"]), unit)


def codes_of(pattern: str) -> Iterator[Obis]:
    """One code with the least, and one with the greatest value in each group that leaves a choice."""
    spans = []
    for group, text in enumerate(pattern.split(".")):
        if text == "any":
            spans.append((0, 9))
        elif text.isalpha():
            spans.append((255, 255) if group == 5 else (0, 64 if group == 1 else 99))
        else:
            numbers = [int(number) for number in re.findall(r"\d+", text)]
            spans.append((numbers[0], numbers[-1]))
    yield Obis(bytes(low for low, _ in spans))
    yield Obis(bytes(high for _, high in spans))


def worked_out(name: str, code: Obis) -> str:
    """A name of the reference, its formulas worked out."""
    name = re.sub(r" \((255: most recent|E 0: manufacturing number)\)", "", name).replace("e = harmonic", "harmonic e")
    name = name.replace("status word e (0: global)", "status word e" if code.e else "global")
    formula = r"\(d-\d+\)\*128\+e|d\*128\+e|(?<!-)\be[+-]\d+|(?<![-\w])e\b"
    return re.sub(formula, lambda match: str(eval(match[0], {"d": code.d, "e": code.e})), name)


def test_every_listed_object_is_found_by_its_pattern_and_class() -> None:
    rows = tables()["objects"] + tables()["country_objects"]
    for row in rows:
        for code in codes_of(row["pattern"]):
            found = lookup(code, row["classes"][0])
            assert found.name == worked_out(row["name"], code)
            assert (found.classes, found.unit) == (tuple(row["classes"]), row.get("unit"))


@pytest.mark.parametrize("medium", ["heat_cost_allocator", "thermal_energy", "gas", "water"])
def test_every_general_object_of_a_medium_is_known(medium: str) -> None:
    table = tables()[medium]
    numbers = table["a"] if isinstance(table["a"], list) else [table["a"]]
    for section in ("general", "profiles"):
        for text in table.get(section, {}):
            groups = str(text).split(".")
            values = [[int(number) for number in re.findall(r"\d+", group)] or [1] for group in groups]
            last = values[3] if len(values) == 4 else [255]
            for a in numbers:
                for e in values[2]:
                    code = Obis(bytes((a, 0, values[0][0], values[1][0], e, last[0])))
                    assert lookup(code).known, code


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("1-0:1.8.1*255", "Active energy import (+A), time integral 1, rate 1"),
        ("1-0:1.8.0*121", "Active energy import (+A), time integral 1, 21st last billing period"),
        ("1-0:1.8.0*111", "Active energy import (+A), time integral 1, 11th last billing period"),
        ("1-0:12.31.0*0", "Voltage any phase, under limit threshold, threshold 0"),
        ("1-0:12.42.0*99", "Voltage any phase, missing magnitude, threshold 99"),
        ("1-0:12.43.0*3", "Voltage any phase, time threshold for under limit, billing period VZ=3"),
        ("1-0:12.30.0*3", "Voltage time integral any phase, time integral 6, billing period VZ=3"),
        ("1-0:12.42.0*101", "Voltage any phase, missing magnitude, last billing period"),
        ("15-0:12.7.0*101", "Other media: wind, C 12, D 7, last billing period"),
        ("1-0:31.7.3*255", "Current L1, instantaneous value, harmonic 3"),
        ("1-0:81.7.33*255", "Phase angle E 33, instantaneous value"),
        ("1-0:83.8.53*255", "Transformer and line losses, L2 active line losses, time integral 1"),
        ("1-0:83.8.91*255", "Transformer and line losses, E 91, time integral 1"),
        ("1-0:99.11.5*255", "Voltage harmonic profile, harmonic 5"),
        ("0-0:96.5.2*255", "Internal operating status, status word 2"),
        ("0-0:65.33.2*255", "ANSI standard pending table 130"),
        ("7-0:0.1.5*255", "Gas: Time stamp of billing period 2"),
        ("7-0:0.12.67*255", "Gas: Gas parameter for the compressibility calculation, methane CH4"),
        ("7-0:51.12.3*255", "Gas: Correction factor, method 3 supported"),
        ("7-0:51.0.1*255", "Gas: Correction factor, current at metering conditions, weighted value"),
        ("7-0:99.43.19*255", "Gas: Dedicated profile of the value 43.19"),
        ("6-0:1.20.0*255", "Heat: Energy, under limit occurrence counter"),
        ("15-0:3.1.0*255", "Other media: solar, C 3, D 1"),
        ("0-0:127.0.0*255", "Inactive object"),
        ("0-0:21.0.0*255", "General local port readout"),
        ("6-0:97.97.0*255", "Heat: Overall error status"),
        ("6-0:97.97.3*255", "Error register 4"),
        ("0-0:94.31.10*255", "Clear M-Bus status"),
    ],
)  # fmt: skip
def test_the_groups_are_put_into_words(code: str, name: str) -> None:
    assert describe(Obis(code)) == name
    assert lookup(Obis(code)).known


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("1-128:1.8.0*255", "Electricity: manufacturer specific"),
        ("1-0:1.8.0*200", "Electricity: manufacturer specific"),
        ("0-0:96.240.12*255", "Abstract: manufacturer specific"),
        ("0-0:96.50.0*255", "Abstract: manufacturer specific, can be displayed"),
        ("1-65:1.8.0*255", "Electricity: utility specific"),
        ("1-199:1.8.0*255", "Electricity: manufacturer specific"),
        ("1-200:1.8.0*255", "Electricity: reserved channel 200"),
        ("0-0:93.1.0*255", "Abstract: consortia specific, D 1"),
        ("0-0:94.49.1*255", "Abstract: specific to Germany"),
        ("0-0:94.31.99*255", "Abstract: specific to Netherlands"),
        ("0-0:94.120.1*255", "Abstract: specific to country 120"),
        ("1-0:1.47.0*255", "Electricity: unknown code 1.47.0"),
        ("1-0:93.8.0*255", "Electricity: consortia specific, D 8"),
        ("1-0:108.8.0*255", "Electricity: unknown code 108.8.0"),
        ("7-0:43.99.0*255", "Gas: unknown code 43.99.0"),
        ("8-0:1.8.0*255", "Cold water: unknown code 1.8.0"),
        ("15-0:30.8.0*255", "Other media: unknown code 30.8.0"),
        ("3-0:1.8.0*255", "Medium 3: unknown code 1.8.0"),
    ],
)
def test_what_the_standard_does_not_name_is_not_guessed(code: str, name: str) -> None:
    assert describe(Obis(code)) == name
    assert not lookup(Obis(code)).known
    assert unit_hint(Obis(code)) is None


def test_shares_of_the_components_of_gas_are_in_percent_by_mole() -> None:
    units = [unit_hint(Obis(f"7-0:70.{d}.0")) for d in (20, 60, 83, 84)]
    assert units == [None, 62, 62, None]


def test_the_class_tells_apart_what_shares_a_code() -> None:
    assert describe(Obis("0-0:21.0.0*255"), 7) == "General local port readout"
    assert describe(Obis("0-0:21.0.0*255"), 1) == "Standard readout parametrization"
    assert describe(Obis("1-0:32.32.0*255"), 1) == "Voltage L1, under limit occurrence counter"
    assert describe(Obis("1-0:32.32.0*255"), 3) == "Voltage L1, under limit occurrence counter, dip class 00"


@given(st.binary(min_size=6, max_size=6), st.sampled_from([None, 1, 3, 7]))
def test_any_code_has_a_description_of_one_line(octets: bytes, class_id: int | None) -> None:
    found = lookup(Obis(octets), class_id)
    assert found.name
    assert found.name.isprintable()
    assert "{" not in found.name
    assert found.known or not found.classes
