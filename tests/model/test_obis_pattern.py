"""Patterns of OBIS codes: what they hold, and how they are written."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, CosemicError
from cosemic.model import ObisPattern
from cosemic.values import Obis

CODES = st.binary(min_size=6, max_size=6).map(Obis)
SPANS = st.tuples(st.integers(0, 255), st.integers(0, 255)).map(sorted).map(lambda ends: "-".join(map(str, ends)))
GROUPS = st.one_of(st.integers(0, 255).map(str), st.lists(SPANS, min_size=1, max_size=3).map(",".join), st.just("?"))
PATTERNS = st.tuples(*[GROUPS] * 6).map(".".join).map(ObisPattern.parse)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("1.b.1.8.e.255", "1.b.1.8.e.255"),
        ("1.0.1.8.0.255", "1.0.1.8.0.255"),
        ("0100010800ff", "1.0.1.8.0.255"),
        ("1-0:1.8.0*255", "1.0.1.8.0.255"),
        ("1-0:1.8.0&3", "1.0.1.8.0.3"),
        ("1-0:1.8.0.255", "1.0.1.8.0.255"),
        ("1-0:1.8.0", "1.0.1.8.0.?"),
        ("1.8", "?.?.1.8.?.?"),
        ("1-?:1.8.*", "1.?.1.8.?.?"),
        ("1-0:1.8.**255", "1.0.1.8.?.255"),
        ("1-0:1.8.**?", "1.0.1.8.?.?"),
        ("7,8-1-4:3.0-2.0", "7-8.1-4.3.0-2.0.?"),
        ("1-0:1,3,5-6,8.8.0", "1.0.1,3,5-6,8.8.0.?"),
        ("any-0:99.98.e*255", "any.0.99.98.e.255"),
        ("0,1,4-9,15.?.?.128-254.?.?", "0-1,4-9,15.?.?.128-254.?.?"),
        ("any.0-64.0-127,255.d.e.f", "any.b.c.d.e.f"),
        ("F.F", "?.?.97.97.?.?"),
        (" C.1.0 ", "?.?.96.1.0.?"),
        ("0-0:L.1.0*126", "0.0.98.1.0.126"),
    ],
)
def test_patterns_are_read_in_the_forms_of_tables_and_of_codes(text: str, pattern: str) -> None:
    assert str(ObisPattern.parse(text)) == pattern


@pytest.mark.parametrize(
    "text", ["", "1", "1.8.0.255", "1-0", "1.d.1.8.e.255", "1-0:a.8.0", "X.8", "1-0:1.8.0*", "1..8", "1.8.0**255*3"]
)
def test_what_is_no_pattern_is_refused_with_the_forms_to_write(text: str) -> None:
    with pytest.raises(ConfigurationError, match="OBIS"):
        ObisPattern.parse(text)


@pytest.mark.parametrize("text", ["1-0:300.8", "1-0:1.8.9-3", "1-0:1.8.0-256", "256.0.0.0.0.0"])
def test_values_beyond_an_octet_and_ranges_upside_down_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="0 to 255"):
        ObisPattern.parse(text)


@given(CODES)
def test_the_pattern_of_a_code_holds_that_code_only(code: Obis) -> None:
    pattern = ObisPattern.of(code)
    assert (pattern.code, pattern.size) == (code, 1)
    assert code in pattern
    assert ObisPattern.parse(str(pattern)) == ObisPattern.parse(str(code)) == ObisPattern.parse(code.hex()) == pattern


@given(PATTERNS)
def test_a_pattern_reads_back_as_it_is_written(pattern: ObisPattern) -> None:
    assert ObisPattern.parse(str(pattern)) == pattern
    for group, values in enumerate(pattern.groups):
        spans = pattern.spans(group)
        assert {value for span in spans for value in span} == values
        assert all(before[-1] + 1 < after[0] for before, after in pairwise(spans))


@given(PATTERNS, PATTERNS, CODES)
def test_a_pattern_is_a_set_of_codes(one: ObisPattern, other: ObisPattern, code: Obis) -> None:
    assert one.code in one
    common = one & other
    assert (code in one and code in other) == (common is not None and code in common)
    assert (common is None) == any(a.isdisjoint(b) for a, b in zip(one.groups, other.groups, strict=True))
    if common is not None:
        assert common <= one
        assert common <= other
        assert one <= other or one.size != common.size
    if one <= other:
        assert one.code in other
        assert one.size <= other.size


def test_the_most_usual_code_is_of_electricity_and_of_the_current_value() -> None:
    assert str(ObisPattern.parse("any.b.99.1.e.f").code) == "1-0:99.1.0*255"
    assert str(ObisPattern.parse("0.b.24.2.e.255").code) == "0-0:24.2.0*255"
    assert str(ObisPattern.parse("7,8.1-4.3.0.1-9.101-125").code) == "7-1:3.0.1*101"


@given(st.text("0123456789.:-,*?&CFLPabcdefany \u0661", max_size=24))
def test_any_text_is_a_pattern_or_a_cosemic_error(text: str) -> None:
    try:
        pattern = ObisPattern.parse(text)
    except CosemicError:
        return
    assert all(pattern.groups)
    assert ObisPattern.parse(str(pattern)) == pattern


@given(st.text("0123456789.:-*&CFLP", max_size=20))
def test_every_text_form_of_a_code_is_a_pattern_that_holds_it(text: str) -> None:
    code: Any = None
    try:
        code = Obis(text)
    except CosemicError:
        return
    assert Obis(text, code.a) in ObisPattern.parse(text)
