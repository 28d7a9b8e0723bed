"""OBIS codes, held against the text forms and known codes of the reference."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, CosemicError, DecodeError
from cosemic.values import Obis, obis_of
from tests.vectors import records, reference

SIX_OCTETS = st.binary(min_size=6, max_size=6)
ENERGY = bytes.fromhex("0100010801ff")


@pytest.fixture(scope="module")
def book() -> Any:
    return yaml.safe_load(reference("obis.yaml").read_text(encoding="utf-8"))


def test_every_example_of_the_text_forms_is_read(book: Any) -> None:
    forms = book["text_forms"]
    for text, full in forms["examples"].items():
        assert str(Obis(text)) == full.split(" or ")[0]
    for text in (forms["example"], forms["dotted"].split()[0], forms["hex"]):
        assert Obis(text) == ENERGY
    for text, groups in forms["letters"]["examples"].items():
        assert Obis(text) == Obis(groups)


def test_every_known_code_survives_a_round_trip(book: Any) -> None:
    codes = [entry["code"] for entry in book["known_codes"]["codes"]]
    assert len(codes) > 100
    assert [str(Obis(code)) for code in codes] == codes


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("1-0:1.8.1*255", "1-0:1.8.1*255"),
        ("1-0:1.8.1&3", "1-0:1.8.1*3"),
        ("1-0:1.8.1.255", "1-0:1.8.1*255"),
        ("2:1.8.1", "1-2:1.8.1*255"),
        ("7-1.8.1", "7-0:1.8.1*255"),
        ("1.8", "1-0:1.8.0*255"),
        ("1.8*7", "1-0:1.8.0*7"),
        ("01.08.01", "1-0:1.8.1*255"),
        (" 1.8.1\n", "1-0:1.8.1*255"),
        ("F.F", "1-0:97.97.255*255"),
        ("F.F.0", "1-0:97.97.0*255"),
        ("L.1.0*126", "1-0:98.1.0*126"),
        ("0-1:96.1.0", "0-1:96.1.0*255"),
        ("0100010801FF", "1-0:1.8.1*255"),
    ],
)
def test_reduced_forms_are_filled_up(text: str, full: str) -> None:
    assert str(Obis(text)) == full


def test_a_missing_medium_comes_from_the_context() -> None:
    assert Obis("C.1.0", a=0) == Obis("0-0:96.1.0*255")
    assert Obis("7-0:3.1.0", a=0).a == 7


def test_every_example_of_the_text_forms_is_written(book: Any) -> None:
    forms = book["text_forms"]
    code = Obis(ENERGY)
    assert str(code) == forms["example"]
    assert code.dotted == forms["dotted"].split()[0]
    assert code.hex().upper() == forms["hex"]
    for text, full in forms["examples"].items():
        if "-" not in text:
            code = Obis(full.split(" or ")[0])
            assert code.reduced(code.a, letters=text[0].isalpha()) == text.replace("*0", "*")


@pytest.mark.parametrize(
    ("text", "a", "letters", "manual_reset", "reduced"),
    [
        ("1-0:1.8.0*255", 1, False, False, "1.8.0"),
        ("1-0:1.8.1*3", 1, False, False, "1.8.1*3"),
        ("1-0:1.8.1*3", 1, False, True, "1.8.1&3"),
        ("1-0:1.8.1*255", 1, False, True, "1.8.1"),
        ("1-0:1.8.0*0", 0, False, False, "1-1.8.0*0"),
        ("7-1:3.1.0*255", 1, False, False, "7-1:3.1.0"),
        ("7-1:3.1.0*255", 7, False, False, "1:3.1.0"),
        ("0-0:96.1.0*255", 0, True, False, "C.1.0"),
        ("0-0:96.1.0*255", 0, False, False, "96.1.0"),
        ("1-0:97.97.255*255", 1, True, False, "F.F"),
        ("1-0:97.97.255*255", 1, False, False, "97.97"),
        ("1-0:97.97.0*255", 1, True, False, "F.F.0"),
        ("1-0:97.98.0*255", 1, True, False, "F.98.0"),
        ("1-0:1.97.255*255", 1, True, False, "1.97.255"),
        ("1-0:98.1.0*126", 1, True, False, "L.1.0*126"),
        ("1-0:99.97.0*255", 1, True, False, "P.97.0"),
    ],
)
def test_what_can_be_left_out_is_left_out(text: str, a: int, letters: bool, manual_reset: bool, reduced: str) -> None:
    assert Obis(text).reduced(a, letters=letters, manual_reset=manual_reset) == reduced


@given(SIX_OCTETS, st.integers(0, 255), st.booleans(), st.booleans())
def test_every_written_form_is_read_as_the_same_code(octets: bytes, a: int, letters: bool, manual_reset: bool) -> None:
    code = Obis(octets)
    assert Obis(code.reduced(a, letters=letters, manual_reset=manual_reset), a) == code
    assert Obis(code.dotted) == Obis(code.hex()) == Obis(str(code)) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1-0",
        "1.8.0.255",
        "1.8.0.1*255",
        "256.8.0",
        "1-0:1.8.256",
        "1-300:1.8.0",
        "1.0.1.8.0.256",
        "1.0.1.8.0",
        "1.0.1.8.0.255.1",
        "X.8.0",
        "c.1.0",
        "1-0:1.8.0*",
        "-0:1.8.0",
        "0100010801f",
        "0100010801fg",
        "١.8.0",
        "1-0:1.8.0*255 x",
    ],
)
def test_other_text_is_refused_with_the_forms_to_write(text: str) -> None:
    with pytest.raises(ConfigurationError, match="OBIS code"):
        Obis(text)


def test_a_medium_beyond_an_octet_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Obis("1.8.0", a=256)


@given(st.binary(max_size=12).filter(lambda octets: len(octets) != 6))
def test_other_than_six_octets_are_a_decode_error(octets: bytes) -> None:
    for make in (Obis, obis_of):
        with pytest.raises(DecodeError):
            make(octets)


def test_something_else_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        Obis(6)  # type: ignore[arg-type]  # the point of the test


@given(SIX_OCTETS)
def test_octets_text_and_groups_agree(octets: bytes) -> None:
    code = Obis(octets)
    assert code.octets == octets == code
    assert type(code.octets) is bytes
    assert bytes((code.a, code.b, code.c, code.d, code.e, code.f)) == octets
    dotted = ".".join(map(str, octets))
    for text in (str(code), dotted, octets.hex(), octets.hex().upper(), str(code).replace("*", ".")):
        assert Obis(text) == code
    assert Obis(bytearray(octets)) == Obis(memoryview(octets)) == Obis(code) == obis_of(octets) == code
    assert repr(code) == f"Obis('{code}')"


@given(st.lists(SIX_OCTETS))
def test_codes_sort_and_hash_by_their_octets(many: list[bytes]) -> None:
    codes = [Obis(octets) for octets in many]
    assert [code.octets for code in sorted(codes)] == sorted(many)
    assert {code.octets for code in set(codes)} == set(many)


@given(SIX_OCTETS, st.sampled_from(range(2, pickle.HIGHEST_PROTOCOL + 1)))
def test_codes_pickle(octets: bytes, protocol: int) -> None:
    code = pickle.loads(pickle.dumps(Obis(octets), protocol))
    assert type(code) is Obis
    assert code == octets


def test_a_code_cannot_be_changed() -> None:
    code = Obis("1.8.0")
    with pytest.raises(AttributeError):
        code.a = 2  # type: ignore[misc]  # the point of the test
    with pytest.raises(AttributeError):
        code.note = "x"  # type: ignore[attr-defined]  # the point of the test


@given(st.text("0123456789.:-*&CFLPabcdef \u0661", max_size=20))
def test_any_text_is_a_code_or_a_cosemic_error(text: str) -> None:
    try:
        code = Obis(text)
    except CosemicError:
        return
    assert Obis(str(code)) == code


def test_a_peer_with_ever_new_codes_does_not_fill_the_memory() -> None:
    known: dict[bytes, Obis] = obis_of.__self__  # type: ignore[attr-defined]  # the table behind the look-up
    for number in range(6000):
        octets = number.to_bytes(6)
        assert obis_of(octets) == octets
    assert len(known) <= 4096
    assert obis_of(b"\x00" * 6) is obis_of(bytes(6))


def test_codes_of_the_recorded_telegrams_are_read() -> None:
    found: set[str] = set()

    def collect(part: Any) -> None:
        if isinstance(part, dict):
            if isinstance(part.get("instance"), str):
                found.add(part["instance"])
            for each in part.values():
                collect(each)
        elif isinstance(part, list):
            for each in part:
                collect(each)

    collect([record["expected"] for record in records()])
    assert len(found) > 10
    assert {str(Obis(code)) for code in found} == found
