"""Octets that mean harm: refused, within Limits, with work that is linear in their number (reference, section 20)."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from types import FrameType
from typing import Any

import pytest

from cosemic import apdu
from cosemic.codec import CompactArray, DataType, EncodedData, Limits, TypeDescription, decode_data, decode_whole
from cosemic.codec.encoded import scan
from cosemic.codec.encoder import encode
from cosemic.errors import DecodeError, EncodeError
from cosemic.values import Obis

D = DataType


def steps(function: Callable[..., Any], *args: Any) -> int:
    """Lines of Cosemic's code that a call executes, refused octets included."""
    count = 0

    def each(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return each

    before = sys.gettrace()
    sys.settrace(lambda frame, event, _: each if "cosemic" in frame.f_code.co_filename else None)
    try:
        function(*args)
    except DecodeError:
        count += 1
    finally:
        sys.settrace(before)
    return count


NASTY = ["11", "0901", "01847fffffff", "13020004 00000000", "db8440000000", "01" * 1000, "d802", "0981"]


@pytest.mark.parametrize("text", NASTY)
def test_nasty_octets_are_refused_by_everything(text: str) -> None:
    octets = bytes.fromhex(text)
    tracemalloc.start()
    try:
        for decode in (decode_whole, apdu.decode, lambda data: EncodedData(data).columns(), lambda data: scan(data, 0)):
            with pytest.raises(DecodeError):
                decode(octets)
            with pytest.raises(DecodeError):
                decode(b"\xc4\x01\xc1\x00" + octets if decode is apdu.decode else b"\x02\x02\x00" + octets)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_an_honest_array_of_a_million_nulls_is_read() -> None:
    octets = b"\x01\x83\x0f\x42\x40" + bytes(1_000_000)
    assert EncodedData(octets).value() == [None] * 1_000_000
    assert scan(octets, 0) == len(octets)
    with pytest.raises(DecodeError, match="nodes"):
        EncodedData(octets).value(Limits(nodes=999_999))
    with pytest.raises(DecodeError, match="nodes"):
        scan(octets, 0, Limits(nodes=999_999))


BOMBS = {
    "array of 65535 nulls in each element": "13 0202 01 ffff 00 11",
    "arrays in arrays": "13 0202 01 ffff 01 ffff 01 ffff 11 11",
    "structures of nothing": "13 0202 01 ffff 0200 11",
    "empty arrays": "13 0202 01 ffff 01 0000 11 11",
}


@pytest.mark.parametrize("name", BOMBS)
def test_compact_array_bombs_cost_no_more_than_the_limit_of_nodes(name: str) -> None:
    octets = bytes.fromhex(BOMBS[name]) + b"\x82\x40\x00" + bytes(0x4000)
    for typed in (False, True):
        tracemalloc.start()
        try:
            with pytest.raises(DecodeError):
                decode_whole(octets, Limits(nodes=50_000), typed=typed)
            assert tracemalloc.get_traced_memory()[1] < 200 * 50_000
        finally:
            tracemalloc.stop()
    with pytest.raises(DecodeError):
        scan(octets, 0, Limits(nodes=50_000))


def null_columns(size: int) -> bytes:
    """Rows of null columns with one number at the end: an octet of contents for each."""
    half = size // 2
    return (
        b"\x13\x02\x82" + (half + 1).to_bytes(2, "big") + bytes(half) + b"\x11"
        + b"\x82" + half.to_bytes(2, "big") + bytes(half)
    )  # fmt: skip


def null_rows(size: int) -> bytes:
    """The same with a text in place of the number, so that the width of a row varies."""
    half = size // 2
    return (
        b"\x13\x02\x82" + (half + 1).to_bytes(2, "big") + bytes(half) + b"\x0a"
        + b"\x82" + half.to_bytes(2, "big") + bytes(half)
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("make", [null_columns, null_rows])
def test_values_of_a_compact_array_are_bounded_by_its_octets(make: Callable[[int], bytes]) -> None:
    octets = make(8192)
    for read in (decode_whole, lambda data: decode_whole(data, typed=True), lambda data: scan(data, 0)):
        with pytest.raises(DecodeError, match="fewer values for the octets"):
            read(octets)


def test_nearly_all_columns_of_a_compact_array_may_be_null() -> None:
    for octets in (null_columns(30), null_rows(30)):
        assert scan(octets, 0) == len(octets)
        assert len(decode_whole(octets)) == 15
        assert encode(decode_whole(octets, typed=True)) == octets.replace(b"\x82\x00", b"")
    kind = TypeDescription(D.STRUCTURE, (*[TypeDescription(D.NULL_DATA)] * 400, TypeDescription(D.UNSIGNED)))
    row = (D.STRUCTURE, (*[(D.NULL_DATA, None)] * 400, (D.UNSIGNED, 1)))
    with pytest.raises(EncodeError, match="at least one octet"):
        encode((D.COMPACT_ARRAY, CompactArray([row] * 400, kind)))


@pytest.mark.parametrize(
    ("description", "element"),
    [
        ("0204 12 01 0003 0202 12 11 00 06", "0001 000203 000405 000607 00000008"),
        ("0205 11 0a 12 0202 00 11 11", "01 0278 79 0002 03 04"),
        ("0203 04 01 0002 09 16", "0955aa 020102 00 05"),
        ("0204 01 0002 0202 0c 11 01 0000 0a 12 19", "02c3bc01 00 02 0003 07ea0101ff000000000080 00"),
    ],
)
def test_skipping_passes_over_each_element_as_reading_does(
    description: str, element: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = bytes.fromhex(element) * 3
    head = bytes.fromhex("13" + description)
    octets = head + bytes((len(body),)) + body
    read, end = decode_data(octets)
    with monkeypatch.context() as without_decoder:
        without_decoder.setattr("cosemic.codec.encoded.decode", None)
        assert (len(read), end, scan(octets + b"\x11", 0)) == (3, len(octets), len(octets))
    for less in (n for n in range(1, len(body)) if n % (len(body) // 3)):
        short = head + bytes((len(body) - less,)) + body[:-less]
        with pytest.raises(DecodeError):
            decode_data(short + bytes(30))
        with pytest.raises(DecodeError):
            scan(short + bytes(30), 0)


@pytest.mark.slow
@pytest.mark.parametrize("description", ["0203 11 0202 12 11 01 0002 11", "0202 0a 01 0002 04", "01 0003 0c"])
def test_skipping_a_compact_array_makes_no_values(description: str) -> None:
    body = bytes(60_000)
    octets = bytes.fromhex("13" + description) + b"\x82" + len(body).to_bytes(2, "big") + body
    tracemalloc.start()
    try:
        assert scan(octets, 0) == len(octets)
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()


def test_all_values_and_lists_of_an_apdu_share_the_limit_of_nodes() -> None:
    five = EncodedData(bytes.fromhex("0105 0000000000"))
    several = apdu.SetRequestWithList(
        apdu.InvokeIdAndPriority.of(1),
        (apdu.CosemAttributeDescriptorWithSelection(apdu.CosemAttributeDescriptor(1, Obis("0.0.1.0.0.255"), 2)),) * 3,
        (five,) * 3,
    ).encode()
    nodes = 3 + 3 + 3 * 5
    assert apdu.decode(several, Limits(nodes=nodes)) == apdu.decode(several)
    with pytest.raises(DecodeError, match="nodes"):
        apdu.decode(several, Limits(nodes=nodes - 1))
    both = apdu.SetRequestNormal(
        apdu.InvokeIdAndPriority.of(1),
        apdu.CosemAttributeDescriptor(1, Obis("0.0.1.0.0.255"), 2),
        apdu.SelectiveAccessDescriptor(1, five),
        five,
    ).encode()
    assert apdu.decode(both, Limits(nodes=10)) == apdu.decode(both)
    with pytest.raises(DecodeError, match="nodes"):
        apdu.decode(both, Limits(nodes=9))


@pytest.mark.parametrize(
    "description", ["00", "ff", "0200", "0202 00 ff", "01 0000 11", "01 ffff 00", "0201 01 0000 11"]
)
def test_elements_without_width_are_refused(description: str) -> None:
    kind = bytes.fromhex("13" + description)
    for octets in (kind + b"\x01\x00", kind + b"\x82\xff\xff" + bytes(0xFFFF)):
        with pytest.raises(DecodeError, match="at least one octet"):
            decode_whole(octets)
    assert decode_whole(kind + b"\x00") == []


def test_nodes_are_counted_over_all_compact_arrays_of_a_value() -> None:
    one = bytes.fromhex("13 0202 01 0020 00 11 02 0102")
    octets = b"\x02\x04" + one * 4
    nodes = 4 + 4 * (2 * (1 + 2 + 32) + 4)
    limits = Limits(nodes=nodes)
    assert len(decode_whole(octets, limits)) == 4
    assert scan(octets, 0, limits) == len(octets)
    for call in (decode_whole, lambda data, limits: scan(data, 0, limits)):
        with pytest.raises(DecodeError, match="nodes"):
            call(octets, Limits(nodes=nodes - 1))


def test_a_list_of_values_costs_no_more_than_the_limit_of_nodes() -> None:
    body = b"\x0d\x82\xff\xff" + bytes(0xFFFF)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            apdu.decode(body, Limits(nodes=1000))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def nested_arrays(size: int) -> bytes:
    """Arrays of eight whose first element is such an array again, each with a shape that nearly holds."""
    octets = b"\x11\x01"
    for _ in range(14):
        octets = b"\x01\x08" + octets + bytes(7)
    return b"\x01\x82" + (size // len(octets)).to_bytes(2, "big") + octets * (size // len(octets))


def false_shapes(size: int) -> bytes:
    """Arrays of eight whose first element is wide and the others narrow: each claims far more than it has."""
    wide = b"\x02\x20" + b"\x11\x00" * 32
    octets = b"\x01\x08" + wide + bytes(7)
    return b"\x02\x82" + (size // len(octets)).to_bytes(2, "big") + octets * (size // len(octets))


def rich_elements(size: int) -> bytes:
    """Elements too rich to be learnt, over and over."""
    octets = b"\x01\x08" + (b"\x02\x7e" + bytes(126)) * 8
    return b"\x02\x82" + (size // len(octets)).to_bytes(2, "big") + octets * (size // len(octets))


def growing_counts(size: int) -> bytes:
    """Arrays that claim all that is left, one in the other."""
    octets = b""
    for left in range(size, 8, -max(1, size // 20)):
        octets += b"\x01\x82" + (left - 8).to_bytes(2, "big")
    return octets + bytes(size)


def different_shapes(size: int) -> bytes:
    """Arrays of eight, no two of one shape."""
    parts = []
    for n in range(size // 128):
        element = b"\x02\x05" + b"".join(
            b"\x09" + bytes((c,)) + bytes(c) for c in (n & 1, n >> 1 & 1, n >> 2 & 1, 2, 0)
        )
        parts.append(b"\x01\x08" + element * 7 + b"\x02\x05" + bytes(5))
    return b"\x02\x82" + len(parts).to_bytes(2, "big") + b"".join(parts)


def texts(size: int) -> bytes:
    return b"\x02\x82" + (size // 4).to_bytes(2, "big") + b"\x0c\x02ab" * (size // 4)


def compact(size: int) -> bytes:
    return (
        bytes.fromhex("13 0203 11 0202 12 11 01 0002 11")
        + b"\x82"
        + (size // 6 * 6).to_bytes(2, "big")
        + bytes(size // 6 * 6)
    )


def compacts(size: int) -> bytes:
    return b"\x02\x82" + (size // 6).to_bytes(2, "big") + b"\x13\x12\x02\x00\x01\x13\x12\x00"[:5] * (size // 6)


HARD = [nested_arrays, false_shapes, rich_elements, growing_counts, different_shapes, texts, compact, compacts]
DENSE = [null_columns, null_rows]


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("make", HARD + DENSE)
@pytest.mark.parametrize("cut", [0, 1])
def test_work_is_linear_in_the_octets(make: Callable[[int], bytes], cut: int) -> None:
    inputs = [make(size) for size in (2048, 4096, 8192)]
    for decode in (
        lambda octets: scan(octets, 0),
        decode_whole,
        lambda octets: EncodedData(octets).value(),
        lambda octets: EncodedData(octets).columns(),
        lambda octets: apdu.decode(b"\xc4\x01\xc1\x00" + octets),
    ):
        counts = [steps(decode, octets[: len(octets) - cut]) for octets in inputs]
        each = [count / len(octets) for count, octets in zip(counts, inputs, strict=True)]
        assert all(two <= 1.15 * one + 0.5 for one, two in pairwise(each)), each
        assert each[-1] < (600 if make in DENSE else 250), each


def test_identifiers_are_bounded_since_printing_them_is_not_linear() -> None:
    content = b"\x81" * 200 + b"\x01"
    field = b"\x8b\x81" + bytes((len(content),)) + content
    context = bytes.fromhex("a109060760857405080101")
    octets = b"\x60\x82" + (len(context) + len(field)).to_bytes(2, "big") + context + field
    with pytest.raises(DecodeError) as caught:
        apdu.decode(octets)
    assert caught.value.path == "aarq.mechanism_name"
