"""Enumerations and conformance, held against the table of FORMAT.md and the reference text."""

from __future__ import annotations

import copy
import pickle
import re
from functools import reduce
from operator import or_

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import values
from cosemic.errors import ConfigurationError, DecodeError
from cosemic.values import (
    ERROR_VALUES,
    LN_CONFORMANCE,
    LN_ONLY_CONFORMANCE,
    SHARED_CONFORMANCE,
    SN_CONFORMANCE,
    SN_ONLY_CONFORMANCE,
    Conformance,
    DataAccessResult,
    Enumeration,
    ErrorClass,
    FrameType,
    error_value,
    error_value_label,
    lookup,
)
from tests.vectors import VECTORS, reference

NAMED_OTHERWISE = {"Context": "ApplicationContext", "Mechanism": "AuthenticationMechanism"}


def table() -> dict[str, list[tuple[int, str]]]:
    """The enumerations of FORMAT.md: name, then (code, label) in its order."""
    if not VECTORS.is_dir():
        pytest.skip(f"no vectors: no folder {VECTORS}")
    text = (VECTORS / "FORMAT.md").read_text(encoding="utf-8")
    lines = re.findall(r"^(\w+) : (.+)$", text, re.MULTILINE)
    return {
        name: [(int(code), label) for code, label in re.findall(r"(\d+) (\S+?)(?:,|$)", row)] for name, row in lines
    }


def test_every_code_and_label_is_that_of_the_table() -> None:
    enumerations = table()
    assert len(enumerations) > 20
    for name, rows in enumerations.items():
        if name in ("ErrorValue", "ConformanceBit"):
            continue
        enumeration: type[Enumeration] = getattr(values, NAMED_OTHERWISE.get(name, name))
        assert [(int(member), member.label) for member in enumeration] == rows, name
        assert [enumeration.from_label(label) for _, label in rows] == list(enumeration)
        for member in enumeration:
            assert member.name == member.label.upper().replace("-", "_")


def test_error_values_are_those_of_the_table_one_class_after_the_other() -> None:
    rows = table()["ErrorValue"]
    assert [(0, "other")] + [
        (code, label) for labels in ERROR_VALUES.values() for code, label in enumerate(labels) if code
    ] == rows


def test_error_values_of_each_class_are_those_of_the_reference() -> None:
    text = (
        reference("application_layer.md").read_text(encoding="utf-8").split("## 14. Error APDUs")[1].split("\n## ")[0]
    )
    rows = re.findall(r"^\| (\d+) (\S+) \| (.+?) \|$", text, re.MULTILINE)
    assert len(rows) == len(ERROR_VALUES) == 11
    for code, name, listed in rows:
        error_class = ErrorClass(int(code))
        assert error_class.label == name
        named = [(int(value), label.lower()) for value, label in re.findall(r"(\d+) ([\w-]+)", listed)]
        assert list(enumerate(ERROR_VALUES[error_class])) == named
        for value, label in named:
            assert error_value_label(error_class, value) == error_value_label(int(code), value) == label
            assert error_value(error_class, label) == value


@given(st.integers(0, 255), st.integers(-1, 255))
def test_an_error_value_without_a_name_stays_a_number(error_class: int, value: int) -> None:
    label = error_value_label(error_class, value)
    assert isinstance(label, str) or label == value
    assert isinstance(label, int) == (not 0 <= value < len(ERROR_VALUES.get(error_class, ())))


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="pdu-size, service-unsupported"):
        error_value(ErrorClass.SERVICE, "dlms-version-too-low")
    with pytest.raises(ConfigurationError, match="none"):
        error_value(ErrorClass.CHANGE_SCOPE, "other")
    with pytest.raises(ConfigurationError, match="read-write-denied"):
        DataAccessResult.from_label("denied")


def test_lookup_gives_members_and_leaves_other_octets_alone() -> None:
    entries = lookup(DataAccessResult)
    assert len(entries) == 256
    assert list(entries) == list(range(256))
    assert {entry for entry in entries if isinstance(entry, DataAccessResult)} == set(DataAccessResult)
    assert type(entries[5]) is int
    assert lookup(DataAccessResult) is entries


def test_members_are_values() -> None:
    for member in (DataAccessResult.SUCCESS, FrameType.I):
        assert pickle.loads(pickle.dumps(member)) is copy.deepcopy(member) is member


def test_conformance_bits_count_from_the_most_significant() -> None:
    rows = table()["ConformanceBit"]
    assert [bit for bit, _ in rows] == list(range(24))
    for bit, label in rows:
        conformance = Conformance(1 << (23 - bit))
        assert conformance.names() == [label]
        assert Conformance.from_names([label]) is conformance
    assert Conformance(0xFFFFFF).names() == [label for _, label in rows]


def test_worked_conformance_blocks_of_the_reference() -> None:
    text = reference("application_layer.md").read_text(encoding="utf-8")
    assert "`00 7E 1F` = bits 9..14 + 19..23" in text
    assert "`1C 03 20` = read, write, unconfirmed-write, multiple-references(14), information-report(15), " in text
    usual = reduce(or_, (Conformance(1 << (23 - bit)) for bit in (*range(9, 15), *range(19, 24))))
    assert usual.octets == bytes.fromhex("007e1f")
    assert Conformance.from_octets(bytes.fromhex("1c0320")).names() == [
        "read",
        "write",
        "unconfirmed-write",
        "multiple-references",
        "information-report",
        "parameterized-access",
    ]


def test_bits_of_ln_and_sn_are_those_of_the_reference() -> None:
    text = reference("application_layer.md").read_text(encoding="utf-8").split("### 6.3")[1].split("\n### ")[0]
    rows = re.findall(r"^\| (\d+) \| ([\w-]+)[^|]*\| (x?) ?\| (x?) ?\|$", text, re.MULTILINE)
    assert len(rows) == 24
    ln = {name for _, name, in_ln, _ in rows if in_ln}
    sn = {name for _, name, _, in_sn in rows if in_sn}
    assert set(LN_CONFORMANCE.names()) == ln
    assert set(SN_CONFORMANCE.names()) == sn
    assert set(LN_ONLY_CONFORMANCE.names()) == ln - sn
    assert set(SN_ONLY_CONFORMANCE.names()) == sn - ln
    assert set(SHARED_CONFORMANCE.names()) == ln & sn


@given(st.binary(min_size=3, max_size=3))
def test_any_three_octets_are_a_conformance_block(octets: bytes) -> None:
    conformance = Conformance.from_octets(octets)
    assert type(conformance) is Conformance
    assert conformance.octets == octets
    assert Conformance.from_names(conformance.names()) == conformance
    assert conformance & LN_CONFORMANCE == Conformance(int(conformance) & int(LN_CONFORMANCE))
    assert pickle.loads(pickle.dumps(conformance)) == conformance


@pytest.mark.parametrize("octets", [b"", b"\x00\x7e", b"\x00\x7e\x1f\x00"])
def test_other_than_three_octets_are_no_conformance_block(octets: bytes) -> None:
    with pytest.raises(DecodeError, match="3 octets"):
        Conformance.from_octets(octets)


def test_an_unknown_conformance_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="gett"):
        Conformance.from_names(["get", "gett"])


def test_a_peer_with_ever_new_conformance_does_not_fill_the_memory() -> None:
    for number in range(5000):
        combination = Conformance.from_octets(number.to_bytes(3))
        assert int(combination) == number
        assert int(~combination & Conformance.GET) == (0 if Conformance.GET in combination else int(Conformance.GET))
    assert len(Conformance._value2member_map_) < 1100
    everything = Conformance(0xFFFFFF)
    assert all(Conformance(int(one)) is one and ~(everything & ~one) & everything is one for one in Conformance)


def test_every_public_name_is_there() -> None:
    assert len(values.__all__) == len(set(values.__all__))
    for name in values.__all__:
        assert getattr(values, name) is not None
