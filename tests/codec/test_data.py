"""Data: the plain decoder and encoder, and the scanner beside them (IEC 62056-5-3, Data; reference 2 and 20)."""

from __future__ import annotations

import copy
import math
import pickle
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import (
    DEFAULT_LIMITS,
    DONT_CARE,
    CompactArray,
    DataType,
    EncodedData,
    Limits,
    TypeDescription,
    decode_data,
    decode_whole,
    encode_data,
)
from cosemic.codec.encoded import scan
from cosemic.errors import DecodeError, EncodeError
from cosemic.values import BitString, Date, DateTime, Time
from tests import strategies, vectors

D = DataType


def same(one: Any, other: Any) -> bool:
    """Equality in which a NaN is itself, and type matters."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack(">d", one) == struct.pack(">d", other) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def outcome(function: Any, *args: Any, **kwargs: Any) -> Any:
    """What a decoder does with octets: its value, or where and why it refuses them."""
    try:
        return function(*args, **kwargs)
    except DecodeError as error:
        return str(error), error.offset, error.path


EXAMPLES = {
    "00": None,
    "0102 1101 1102": [1, 2],
    "0202 1101 00": (1, None),
    "0301": True,
    "03ff": True,
    "0300": False,
    "07 3fc00000": 1.5,
    "0405 a8": "10101",
    "05 fffffffe": -2,
    "06 fffffffe": 4294967294,
    "0903 010203": b"\1\2\3",
    "0a03 41e4ff": "Aäÿ",
    "0c02 c3a4": "ä",
    "0d 99": 0x99,
    "0f ff": -1,
    "10 8000": -32768,
    "11 ff": 255,
    "12 ffff": 65535,
    "14 ffffffffffffffff": -1,
    "15 ffffffffffffffff": (1 << 64) - 1,
    "16 07": 7,
    "17 3fc00000": 1.5,
    "18 3ff8000000000000": 1.5,
    "19 07ea0b14050e1e0000ffc400": DateTime(bytes.fromhex("07ea0b14050e1e0000ffc400")),
    "1a 07ea0b1405": Date(bytes.fromhex("07ea0b1405")),
    "1b 0e1e0000": Time(bytes.fromhex("0e1e0000")),
    "1c ff": -1,
    "1d ffff": -1,
    "1e ffffffff": -1,
    "1f ff": 255,
    "20 ffff": 65535,
    "21 ffffffff": 4294967295,
    "ff": DONT_CARE,
    "0900": b"",
    "0100": [],
    "0200": (),
    "0400": "",
    # lengths in a longer form than needed occur in the field
    "0982 0001 07": b"\7",
    "0181 02 0000": [None, None],
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_type_is_read_as_the_table_of_section_2_says(text: str) -> None:
    octets = bytes.fromhex(text)
    value = decode_whole(octets)
    assert same(value, EXAMPLES[text]) or (value == EXAMPLES[text] and isinstance(value, str))
    assert scan(octets, 0) == len(octets)
    assert EncodedData(octets).type == octets[0]


def test_the_examples_meet_every_type() -> None:
    assert {bytes.fromhex(text)[0] for text in EXAMPLES} | {D.COMPACT_ARRAY} == set(D)


@pytest.mark.parametrize("tag", sorted(set(range(256)) - set(D)))
def test_reserved_tags_are_refused(tag: int) -> None:
    for octets in (bytes((tag,)) + bytes(20), bytes((2, 1, tag)) + bytes(20)):
        with pytest.raises(DecodeError, match=f"not {tag:02x}") as caught:
            decode_whole(octets)
        assert caught.value.offset == octets.index(tag)


def test_the_type_of_reserved_or_no_octets_is_an_error() -> None:
    for octets in (b"", b"\x08"):
        with pytest.raises(DecodeError):
            _ = EncodedData(octets).type


# ---- properties -----------------------------------------------------------------------------------------------------


@given(strategies.typed_data())
def test_typed_values_make_the_round_trip_to_the_same_octets(typed: Any) -> None:
    octets = encode_data(typed)
    encoded = EncodedData(octets)
    assert same(encoded.typed(), typed)
    assert EncodedData.from_typed(encoded.typed()) == encoded
    assert EncodedData.of(*typed) == encoded


@given(strategies.typed_data())
def test_no_strict_prefix_is_accepted_and_nothing_behind_the_end(typed: Any) -> None:
    octets = encode_data(typed)
    for end in range(len(octets)):
        with pytest.raises(DecodeError):
            decode_whole(octets[:end])
    with pytest.raises(DecodeError) as caught:
        decode_whole(octets + b"\0")
    assert caught.value.offset == len(octets)
    assert decode_data(octets + b"\0")[1] == len(octets)


@given(strategies.mutated(strategies.encoded_data().map(lambda data: data.octets)) | st.binary(max_size=60))
def test_scanning_accepts_and_refuses_exactly_what_decoding_does(octets: bytes) -> None:
    for limits in (DEFAULT_LIMITS, Limits(depth=2, nodes=12)):
        natives = outcome(decode_data, octets, 0, limits)
        typed = outcome(decode_data, octets, 0, limits, typed=True)
        end = outcome(scan, octets, 0, limits)
        if isinstance(end, int):
            assert natives[1] == typed[1] == end
        else:
            assert natives == typed == end


@given(strategies.mutated(strategies.compact_arrays().map(encode_data)), st.integers(0, 40))
def test_scanning_a_compact_array_accepts_and_refuses_exactly_what_decoding_does(octets: bytes, nodes: int) -> None:
    for limits in (DEFAULT_LIMITS, Limits(nodes=nodes)):
        decoded = outcome(decode_data, octets, 0, limits)
        end = outcome(scan, octets, 0, limits)
        assert decoded[1] == end if isinstance(end, int) else decoded == end


@given(st.binary(max_size=5), strategies.encoded_data(), st.binary(max_size=5))
def test_scanning_and_decoding_start_anywhere(before: bytes, data: EncodedData, behind: bytes) -> None:
    buffer = before + data.octets + behind
    end = len(before) + len(data.octets)
    assert scan(buffer, len(before)) == end
    value, stop = decode_data(buffer, len(before))
    assert stop == end
    assert same(value, data.value())


@given(strategies.typed_data())
def test_natives_are_the_typed_values_without_their_types(typed: Any) -> None:
    def plain(one: Any) -> Any:
        kind, value = one
        if kind is D.STRUCTURE:
            return tuple(map(plain, value))
        return list(map(plain, value)) if kind in (D.ARRAY, D.COMPACT_ARRAY) else value

    assert same(EncodedData.from_typed(typed).value(), plain(typed))


@given(strategies.typed_data(), st.integers(0, 12), st.integers(0, 4))
def test_limits_are_those_of_values_and_levels(typed: Any, nodes: int, depth: int) -> None:
    def count(one: Any) -> int:
        return sum(1 + count(each) for each in one[1]) if one[0] in strategies.CONTAINERS else 0

    def levels(one: Any) -> int:
        return 1 + max(map(levels, one[1]), default=0) if one[0] in strategies.CONTAINERS else 0

    def plain(one: Any) -> bool:
        return one[0] is not D.COMPACT_ARRAY and (one[0] not in strategies.CONTAINERS or all(map(plain, one[1])))

    octets = encode_data(typed)
    kept = count(typed) <= nodes and levels(typed) <= depth
    read = len(outcome(decode_data, octets, 0, Limits(depth=depth, nodes=nodes))) == 2
    if plain(typed):  # a description counts too
        assert read == kept
    elif not kept:
        assert not read


# ---- compact-array --------------------------------------------------------------------------------------------------

LONG_AND_DOUBLE = TypeDescription(
    D.STRUCTURE, (TypeDescription(D.LONG_UNSIGNED), TypeDescription(D.DOUBLE_LONG_UNSIGNED))
)


def test_compact_array_of_section_2_1() -> None:
    octets = bytes.fromhex("13 0202 1206 0c 0001 00000010 0002 00000020")
    assert decode_whole(octets) == [(1, 16), (2, 32)]
    kind, value = EncodedData(octets).typed()
    assert kind is D.COMPACT_ARRAY
    assert isinstance(value, CompactArray)
    assert value.description == LONG_AND_DOUBLE
    assert EncodedData(octets).columns() == [(1, 2), (16, 32)]
    assert encode_data((kind, value)) == octets
    assert encode_data((kind, tuple(value))) == octets


def test_compact_array_of_section_2_1_from_the_field() -> None:
    octets = bytes.fromhex(
        "13 0202 0606 28 1C320480 0000005F 1C335600 000000CB 1C34A780 000000F3 1C35F900 0000002E 1C374A80 000000BB"
    )
    rows = decode_whole(octets)
    assert [row[1] for row in rows] == [0x5F, 0xCB, 0xF3, 0x2E, 0xBB]
    assert rows[-1] == (0x1C374A80, 0xBB)


def test_strings_and_arrays_inside_a_compact_array() -> None:
    # structure of octet-string, array of two unsigned, bit-string, null-data
    octets = bytes.fromhex("13 0204 09 0100 0211 04 00 0d 02aabb 0102 03a0 0105 0405 00 ".replace(" ", ""))
    octets = octets[:10] + b"\x0c" + bytes.fromhex("02aabb 0102 03a0 01cc 0304 00".replace(" ", ""))
    assert decode_whole(octets) == [(b"\xaa\xbb", [1, 2], "101", None), (b"\xcc", [3, 4], "", None)]


@pytest.mark.parametrize(
    ("text", "levels"),
    [("13 11 01 07", 1), ("13 0201 11 01 07", 2), ("13 0201 01 0001 11 01 07", 3), ("13 01 0000 11 00", 2)],
)
def test_a_compact_array_and_what_its_description_nests_are_levels(text: str, levels: int) -> None:
    octets = bytes.fromhex(text)
    for before in range(3):
        inside = b"\x02\x01" * before + octets
        assert scan(inside, 0, Limits(depth=levels + before)) == len(inside)
        for read in (decode_data, scan):
            with pytest.raises(DecodeError, match="depth"):
                read(inside, 0, Limits(depth=levels + before - 1))


@pytest.mark.parametrize(
    ("text", "offset", "path"),
    [
        ("13 11", 2, ""),
        ("13 13", 1, ""),
        ("13 08", 1, ""),
        ("13 0203 11 11", 3, ""),
        ("13 12 03 0001 00", 6, "[1]"),
        ("13 0202 1206 07 0001 00000010 00", 13, "[1][0]"),
        ("13 12 05 0001", 5, ""),
        ("13 0c 02 01ff", 4, "[0]"),
        ("13 09 03 05 0102", 6, "[0]"),
        ("13 00 01 00", 3, ""),
        ("13 01 ffff 00 04 00000000", 6, ""),
        ("0202 00 13 12 03 0001 00", 9, "[1][1]"),
    ],
)
def test_a_wrong_compact_array_is_refused_where_it_is_wrong(text: str, offset: int, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_whole(bytes.fromhex(text))
    assert (caught.value.offset, caught.value.path) == (offset, path)


def test_what_cannot_stand_in_a_compact_array_is_not_sent() -> None:
    inner = (D.COMPACT_ARRAY, CompactArray([(D.UNSIGNED, 1)], TypeDescription(D.UNSIGNED)))
    wrong: list[Any] = [
        (D.UNSIGNED, 1),
        inner,
        (D.ARRAY, ((D.UNSIGNED, 1), (D.LONG, 1))),
        (D.ARRAY, ()),
        (D.NULL_DATA, None),
    ]
    assert encode_data((D.COMPACT_ARRAY, wrong[:1]))
    for elements in [[one] for one in wrong[1:]] + [wrong[:2], [(D.UNSIGNED, 1), (D.LONG, 1)], []]:
        with pytest.raises(EncodeError):
            encode_data((D.COMPACT_ARRAY, elements))
    wide = TypeDescription(D.ARRAY, (TypeDescription(D.UNSIGNED),), 65536)
    with pytest.raises(EncodeError):
        encode_data((D.COMPACT_ARRAY, CompactArray([], wide)))
    for description in (TypeDescription(D.COMPACT_ARRAY), TypeDescription(D.LONG)):
        with pytest.raises(EncodeError):
            encode_data((D.COMPACT_ARRAY, CompactArray([inner], description)))
    flat: Any = (D.COMPACT_ARRAY, [(D.UNSIGNED, 1)])
    assert encode_data(flat, Limits(depth=1))
    with pytest.raises(EncodeError, match="deep"):
        encode_data(flat, Limits(depth=0))
    uneven = [(D.STRUCTURE, ((D.UNSIGNED, 1),)), (D.STRUCTURE, ())]
    with pytest.raises(EncodeError):
        encode_data((D.COMPACT_ARRAY, uneven))


# ---- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "offset", "path"),
    [
        ("", 0, ""),
        ("11", 1, ""),
        ("06 0001", 3, ""),
        ("0901", 2, ""),
        ("0981", 2, ""),
        ("0980", 1, ""),
        ("0985 0000000001", 1, ""),
        ("01847fffffff", 1, ""),
        ("0202 1101", 4, "[1]"),
        ("0202 1101 0203 00 00 08", 8, "[1][2]"),
        ("0103 00 0c02 c328 00", 5, "[1]"),
        ("0103 00 0c05 6162 63c3 28", 8, "[1]"),
        ("0105 00", 1, ""),
        ("0204 000000", 1, ""),
        ("19 07ea", 3, ""),
        ("0102 00 0905 00", 6, "[1]"),
        ("00 00", 1, ""),
    ],
)
def test_errors_name_offset_and_path(text: str, offset: int, path: str) -> None:
    octets = bytes.fromhex(text)
    with pytest.raises(DecodeError) as caught:
        decode_whole(octets)
    assert (caught.value.offset, caught.value.path) == (offset, path)
    assert outcome(scan, octets, 0) == (outcome(decode_whole, octets) if text != "00 00" else 1)


@pytest.mark.parametrize(
    "typed",
    [
        (D.UNSIGNED, 256),
        (D.UNSIGNED, -1),
        (D.UNSIGNED, "1"),
        (D.UNSIGNED, None),
        (D.BOOLEAN, "false"),
        (D.BOOLEAN, None),
        (D.FLOAT32, 1e300),
        (D.OCTET_STRING, "secret"),
        (D.OCTET_STRING, 5),
        (D.VISIBLE_STRING, "€"),
        (D.VISIBLE_STRING, b"octets"),
        (D.UTF8_STRING, "\ud800"),
        (D.BIT_STRING, "012"),
        (D.DATE_TIME, bytes(11)),
        (D.DATE_TIME, None),
        (D.DATE, DateTime(bytes(12))),
        (D.STRUCTURE, None),
        (D.STRUCTURE, (1, 2)),
        (D.ARRAY, ((D.UNSIGNED,),)),
        (7, None),
        (300, None),
        "nonsense",
        None,
    ],
)
def test_what_does_not_fit_its_type_is_an_encode_error(typed: Any) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_data(typed)
    assert "secret" not in str(caught.value)  # values may be secrets


def test_a_number_that_does_not_fit_is_told_by_the_name_of_its_type() -> None:
    with pytest.raises(EncodeError, match="no double-long-unsigned"):
        encode_data((D.DOUBLE_LONG_UNSIGNED, -60))


def test_nesting_is_bounded_when_encoding_too() -> None:
    deep: Any = (D.UNSIGNED, 1)
    for _ in range(DEFAULT_LIMITS.depth):
        deep = (D.STRUCTURE, (deep,))
    assert EncodedData.from_typed(deep).typed() == deep
    deepest: Any = deep
    for _ in range(5000):
        deepest = (D.STRUCTURE, (deepest,))
    for one in ((D.STRUCTURE, (deep,)), deepest, (D.COMPACT_ARRAY, (deepest,))):
        with pytest.raises(EncodeError, match="deep"):
            encode_data(one)


def test_octets_may_come_in_any_bytes_like_form() -> None:
    for octets in (b"ab", bytearray(b"ab"), memoryview(b"ab")):
        assert encode_data((D.OCTET_STRING, octets)) == b"\x09\x02ab"
        assert encode_data((D.STRUCTURE, ((D.OCTET_STRING, octets),))) == b"\x02\x01\x09\x02ab"


def test_there_is_one_dont_care() -> None:
    assert copy.deepcopy(DONT_CARE) is pickle.loads(pickle.dumps(DONT_CARE)) is DONT_CARE
    assert repr(DONT_CARE) == "DONT_CARE"


def test_compact_arrays_pickle_with_their_description() -> None:
    again = pickle.loads(pickle.dumps(CompactArray([(D.UNSIGNED, 1)], TypeDescription(D.UNSIGNED))))
    assert again == ((D.UNSIGNED, 1),)
    assert again.description == TypeDescription(D.UNSIGNED)


def test_encoded_data_compares_by_octets_and_prints_short() -> None:
    one, long = EncodedData(b"\x11\1"), EncodedData(bytes.fromhex("0950") + bytes(80))
    assert {one: 1}[EncodedData(b"\x11\1")] == 1
    assert one != long
    assert one != b"\x11\1"
    assert repr(one) == "EncodedData(1101)"
    assert len(repr(long)) < 80


def test_limits_of_octets_hold_for_every_way_of_reading() -> None:
    data = EncodedData(b"\x01\x0a" + b"\x02\x01\x00" * 10)
    small = Limits(octets=31)
    for read in (data.value, data.typed, data.columns):
        assert read(Limits(octets=32))
        with pytest.raises(DecodeError, match="no more than 31 octets"):
            read(small)


def test_values_of_wrong_length_are_refused() -> None:
    for text in ("", "11", "110000", "0101", "018101", "0185", "09", "130001"):
        for read in (EncodedData(bytes.fromhex(text)).value, EncodedData(bytes.fromhex(text)).typed):
            with pytest.raises(DecodeError):
                read()


def test_bit_strings_are_bit_strings() -> None:
    value = EncodedData(bytes.fromhex("0405a8")).value()
    assert isinstance(value, BitString)
    # what fills up the last octet is not looked at
    assert EncodedData(bytes.fromhex("0405af")).value() == value


@vectors.each_record("data")
def test_the_data_of_the_vectors_is_read_and_written_again(record: vectors.Record) -> None:
    octets = vectors.octets(record)
    encoded = EncodedData(octets)
    assert scan(octets, 0) == len(octets)
    again = EncodedData.from_typed(encoded.typed())
    assert same(again.value(), encoded.value())
    assert len(again.octets) <= len(octets)
    assert EncodedData.from_typed(again.typed()) == again
