"""Declarations: the straight-line readers and writers, derived from them, and their plain twins."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosemic import apdu
from cosemic.codec import (
    DEFAULT_LIMITS,
    BerSequence,
    Choice,
    Default,
    EncodedData,
    Fixed,
    Integer8,
    Integer16,
    Limits,
    Null,
    OctetString,
    RestOctets,
    Sequence,
    TaggedChoice,
    Unsigned8,
    Unsigned16,
    Unsigned32,
    alternative,
    alternatives,
)
from cosemic.codec import wire as w
from cosemic.codec.declared import wire_of
from cosemic.codec.generator import UNFIT
from cosemic.errors import DecodeError, EncodeError
from cosemic.values import Obis
from tests import strategies
from tests.effort import examples

CLASSES = [*strategies.SEQUENCES, *strategies.BER_SEQUENCES]


def fast(kind: Any, octets: bytes, limits: Limits) -> Any:
    """What the straight-line reader gives; None where it leaves the octets to the plain one."""
    if not octets.startswith(kind.prefix if issubclass(kind, Sequence) else bytes((kind.tag,))):
        return None
    try:
        return kind._read_fast(octets, len(octets), limits)
    except (*UNFIT, KeyError):
        return None


def plain(kind: Any, octets: bytes, limits: Limits) -> Any:
    try:
        return kind._decode_plain(octets, limits)
    except DecodeError as caught:
        error = caught
    assert 0 <= error.offset <= len(octets)
    assert error.path
    assert error.expected
    return None


@pytest.mark.parametrize("kind", CLASSES)
@examples(20)
@given(drawn=st.data())
def test_straight_line_and_plain_twins_agree(kind: Any, drawn: st.DataObject) -> None:
    value = drawn.draw(strategies.objects(kind))
    octets = value.encode()
    assert type(octets) is bytes
    if issubclass(kind, Sequence):
        assert value._encode_plain() == octets
        assert fast(kind, octets, DEFAULT_LIMITS) == value
    assert plain(kind, octets, DEFAULT_LIMITS) == value
    assert kind.decode(octets) == value
    assert kind.decode(bytearray(octets)) == kind.decode(memoryview(octets)) == value
    for wrong in (
        drawn.draw(strategies.mutated(st.just(octets))),
        drawn.draw(st.binary(max_size=40)),
        octets[:1] + drawn.draw(st.binary(max_size=40)),
    ):
        for limits in (DEFAULT_LIMITS, Limits(depth=1, nodes=2)):
            quick, slow = fast(kind, wrong, limits), plain(kind, wrong, limits)
            if issubclass(kind, Sequence):
                assert quick == slow
            else:  # fields in another order, and long lengths, are for the plain reader alone
                assert quick is None or quick == slow
            if slow is not None:
                assert kind.decode(slow.encode()) == slow


@pytest.mark.parametrize("kind", CLASSES)
@settings(max_examples=10)
@given(drawn=st.data())
def test_no_strict_prefix_is_accepted_and_nothing_behind_the_end(kind: Any, drawn: st.DataObject) -> None:
    octets = drawn.draw(strategies.objects(kind)).encode()
    open_ended = issubclass(kind, Sequence) and any(isinstance(wire, w.Rest) for wire in kind.wire.fields.values())
    if open_ended:
        return
    for end in {*range(0, len(octets), 1 + len(octets) // 12), len(octets) - 1}:
        with pytest.raises(DecodeError):
            kind.decode(octets[:end])
    with pytest.raises(DecodeError):
        kind.decode(octets + b"\0")


class Colour(IntEnum):
    RED = 1


class Inner(Sequence):
    one: Unsigned8
    two: Integer16
    flag: bool


class Selected(TaggedChoice):
    nothing: Null = alternative(0)
    number: Unsigned32 = alternative(1)
    inner: Inner = alternative(7)


class Outer(Sequence, tag=99):
    numbers: tuple[Unsigned16, ...]
    colour: Colour
    name: Obis
    inner: Inner | None
    key: Annotated[bytes, w.OctetString(4)]
    fallback: Annotated[int, Default(Fixed("Unsigned8", "B"), 7)]
    choice: Annotated[int | bytes, alternatives(number=(3, Integer8), octets=(4, OctetString))]
    selected: tuple[Selected, ...]
    data: EncodedData
    rest: RestOctets


class Wrapper(Choice, tag=100):
    inner: Inner = alternative(5)


FULL = Outer(
    (1, 2), Colour.RED, Obis("1-0:1.8.0"), None, b"1234", 7, -1, (Selected("nothing"), Selected("number", 9)),
    EncodedData(bytes.fromhex("0202 1101 00")), b"tail",
)  # fmt: skip
FULL_OCTETS = bytes.fromhex(
    "63 02 0001 0002 01 0100010800ff 00 31323334 00 03ff 02 00 01 00000009 0202 1101 00 7461696c"
)


def test_a_declaration_stands_in_octets_field_by_field() -> None:
    assert FULL.encode() == FULL_OCTETS
    assert Outer.decode(FULL_OCTETS) == FULL
    assert Outer.decode(FULL_OCTETS).data.value() == (1, None)
    assert Wrapper.decode(bytes.fromhex("6405 01 fffe ff")) == Inner(1, -2, True)
    assert Inner(1, -2, True).encode() == bytes.fromhex("6405 01 fffe 01")


def test_an_enumerated_number_without_name_stays_a_number() -> None:
    octets = FULL_OCTETS.replace(b"\2\1\1\0\1", b"\2\x63\1\0\1")
    value = Outer.decode(octets)
    assert value.colour == 0x63
    assert not isinstance(value.colour, Colour)
    assert value.encode() == octets


@pytest.mark.parametrize(
    ("cut", "put", "offset", "path"),
    [
        (0, "64", 0, "outer"),
        (1, "30", 2, "outer.numbers"),
        (1, "80", 1, "outer.numbers"),
        (13, "02", 13, "outer.inner"),
        (13, "01", 23, "outer.choice"),
        (18, "05", 18, "outer.fallback"),
        (19, "05", 19, "outer.choice"),
        (22, "09", 22, "outer.selected[0]"),
        (23, "0501", 23, "outer.selected[1]"),
        (30, "08", 30, "outer.data[0]"),
    ],
)
def test_errors_name_offset_and_path(cut: int, put: str, offset: int, path: str) -> None:
    octets = bytearray(FULL_OCTETS)
    octets[cut : cut + len(put) // 2] = bytes.fromhex(put)
    with pytest.raises(DecodeError) as caught:
        Outer.decode(bytes(octets))
    assert (caught.value.offset, caught.value.path) == (offset, path)


def test_what_stands_last_may_be_empty() -> None:
    assert Outer.decode(FULL_OCTETS[:-4]).rest == b""
    with pytest.raises(DecodeError):
        Outer.decode(FULL_OCTETS[:-5])


def test_the_end_is_counted_from_the_start_of_what_was_given() -> None:
    for end in range(len(FULL_OCTETS) - 4):
        with pytest.raises(DecodeError) as caught:
            Outer.decode(FULL_OCTETS[:end])
        assert caught.value.offset <= end
        assert caught.value.path.startswith("outer")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("numbers", (70000,)),
        ("numbers", 5),
        ("numbers", ("1",)),
        ("colour", 300),
        ("colour", "red"),
        ("name", b"12345"),
        ("name", "1.8.0"),
        ("inner", 5),
        ("inner", Inner(1, 2, "false")),
        ("key", b"123"),
        ("key", "1234"),
        ("fallback", 256),
        ("choice", None),
        ("choice", 128),
        ("selected", (Selected("other", 1),)),
        ("selected", (Selected("number", None),)),
        ("selected", (5,)),
        ("data", b"\x11\x01"),
        ("rest", None),
        ("rest", "tail"),
    ],
)
def test_what_does_not_fit_its_field_is_an_encode_error(field: str, value: Any) -> None:
    changed = Outer.decode(FULL_OCTETS)
    setattr(changed, field, value)
    with pytest.raises(EncodeError):
        changed.encode()


def test_limits_bound_octets_and_elements() -> None:
    with pytest.raises(DecodeError, match="no more than 3 octets"):
        Outer.decode(FULL_OCTETS, Limits(octets=3))
    many = apdu.WriteResponse(tuple(apdu.WriteResult("success") for _ in range(50))).encode()
    with pytest.raises(DecodeError, match="no more than 49 elements"):
        apdu.WriteResponse.decode(many, Limits(nodes=49))
    assert len(apdu.WriteResponse.decode(many, Limits(nodes=50)).result) == 50


def even(number: int) -> int:
    if number % 2:
        raise DecodeError("an even number")
    return number


class Picky(Sequence, tag=101):
    first: Unsigned16
    second: Annotated[int, Fixed("Even", "B", make=even)]


def test_what_a_declared_function_refuses_is_told_for_its_place() -> None:
    assert Picky.decode(b"\x65\0\1\2") == Picky(1, 2)
    with pytest.raises(DecodeError, match="an even number") as caught:
        Picky.decode(b"\x65\0\1\3")
    assert (caught.value.offset, caught.value.path) == (3, "picky.second")


def test_objects_compare_print_and_match_by_their_fields() -> None:
    inner = Inner(1, 2, True)
    assert inner == Inner(1, 2, True)
    assert inner != Inner(1, 2, False)
    assert inner != (1, 2, True)
    assert Selected("number", 1) == Selected("number", 1)
    assert Selected("number", 1) != Selected("inner", 1)
    assert Selected("number", 1) != 1
    assert repr(inner) == "Inner(one=1, two=2, flag=True)"
    assert repr(Selected("number", 1)) == "Selected('number', 1)"
    match inner:
        case Inner(one, two=2):
            assert one == 1
    with pytest.raises(TypeError):
        hash(inner)
    with pytest.raises(AttributeError):
        inner.three = 3  # type: ignore[attr-defined]  # there is no such field


def test_choices_say_what_they_know() -> None:
    assert wire_of(Annotated[int | bytes, alternatives(n=(0, Unsigned8), o=(1, OctetString))]).name_of(b"") == "o"  # type: ignore[attr-defined]  # it is a ByTypeWire
    for octets, offset in ((b"", 0), (b"\x64", 1), (b"\x65\5", 0), (b"\x64\4", 1)):
        with pytest.raises(DecodeError) as caught:
            Wrapper.decode(octets)
        assert (caught.value.offset, caught.value.path) == (offset, "wrapper")


def test_annotations_that_say_nothing_about_octets_are_refused() -> None:
    for annotation in (str, int, tuple[int, int], int | str, list[int], Annotated[str, "note"]):
        with pytest.raises(TypeError, match="does not say"):
            wire_of(annotation)


def test_a_field_with_a_default_comes_last() -> None:
    with pytest.raises(TypeError, match="without default"):
        type(Sequence)(
            "Wrong", (Sequence,), {"__annotations__": {"a": Unsigned8, "b": Unsigned8}, "a": 1, "__module__": __name__}
        )


def test_every_ber_class_is_among_those_that_are_tested() -> None:
    declared = {kind for kind in vars(apdu).values() if isinstance(kind, type) and issubclass(kind, BerSequence)}
    assert declared - {BerSequence} == set(strategies.BER_SEQUENCES)
