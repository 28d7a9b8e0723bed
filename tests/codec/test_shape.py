"""Profile buffers: the fast readers of uniform arrays and their plain twins give the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData, Limits, decode_data, decode_whole, encode_data, encode_rows
from cosemic.codec import rows as rows_module
from cosemic.codec import shape as shape_module
from cosemic.codec.encoded import scan
from cosemic.codec.shape import learn
from cosemic.errors import DecodeError, EncodeError
from tests import strategies
from tests.codec.test_data import outcome, same
from tests.effort import examples

D = DataType
LOAD_PROFILE = (D.OCTET_STRING, D.UNSIGNED, *[D.DOUBLE_LONG_UNSIGNED] * 4)


def load_profile(count: int) -> list[tuple[Any, ...]]:
    return [(bytes([n & 255]) * 12, n & 255, *(n * m for m in (1, 3, 5, 7))) for n in range(count)]


@pytest.fixture(params=["numpy", "no-numpy", "words"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """With NumPy; as if it were not installed; and with its comparison by words from the first row on."""
    if request.param == "no-numpy":
        monkeypatch.setattr(shape_module, "numpy", lambda: None)
    else:
        pytest.importorskip("numpy")
    if request.param == "words":
        monkeypatch.setattr(shape_module, "LEAST_FOR_NUMPY", 1)
        monkeypatch.setattr(shape_module, "LEAST_FOR_WORDS", 1)
    shape_module._shape.cache_clear()
    yield request.param
    shape_module._shape.cache_clear()


def as_lists(columns: Any) -> Any:
    return [column.tolist() if hasattr(column, "tolist") else list(column) for column in columns]


def plain_columns(octets: bytes, limits: Limits) -> Any:
    rows = decode_whole(octets, limits)
    if not isinstance(rows, list) or not all(isinstance(row, tuple) for row in rows) or len(set(map(len, rows))) > 1:
        raise DecodeError("columns")
    return list(map(list, zip(*rows, strict=True)))


def check(octets: bytes, limits: Limits | None = None) -> None:
    """All fast ways against the plain decoder."""
    limits = limits or Limits()
    data = EncodedData(octets)
    plain = outcome(decode_whole, octets, limits)
    fast = outcome(data.value, limits)
    assert same(fast, plain)
    columns, expected = outcome(data.columns, limits), outcome(plain_columns, octets, limits)
    if isinstance(expected, list):
        assert same(as_lists(columns), expected)
    else:
        assert isinstance(columns, tuple)
        assert isinstance(columns[0], str)
    check_scan(octets, limits)


def check_scan(octets: bytes, limits: Limits) -> None:
    """The scanner against the plain decoder."""
    decoded, end = outcome(decode_data, octets, 0, limits), outcome(scan, octets, 0, limits)
    assert end == (decoded if len(decoded) == 3 else decoded[1])


@examples(60)
@given(strategies.rows(12), strategies.rows(12), st.integers(0, 250), st.integers(0, 5))
def test_scanning_several_uniform_arrays_keeps_to_the_limits(one: Any, other: Any, nodes: int, depth: int) -> None:
    octets = encode_data((D.STRUCTURE, (one, (D.UNSIGNED, 1), (D.STRUCTURE, (other,)), one)))
    for limits in (Limits(), Limits(nodes=nodes), Limits(depth=depth), Limits(depth=depth, nodes=nodes)):
        check_scan(octets, limits)


@examples(60)
@given(typed=strategies.rows(), position=st.integers(0), octet=st.integers(0, 255), nodes=st.integers(0, 300))
def test_uniform_and_nearly_uniform_arrays_equal_the_plain_decoder(
    typed: Any, position: int, octet: int, nodes: int
) -> None:
    octets = encode_data(typed)
    nearly = bytearray(octets)
    nearly[position % len(octets)] = octet
    numpy, words, least = shape_module.numpy, shape_module.LEAST_FOR_WORDS, shape_module.LEAST_FOR_NUMPY
    try:
        for module, few in ((lambda: None, least), (numpy, least), (numpy, 1)):
            shape_module.numpy = module  # type: ignore[assignment]  # as if NumPy were not installed
            shape_module.LEAST_FOR_NUMPY = shape_module.LEAST_FOR_WORDS = few  # type: ignore[misc]  # put back below
            check(octets)
            check(bytes(nearly))
            check(octets, Limits(depth=2, nodes=nodes))
    finally:
        shape_module.numpy = numpy
        shape_module.LEAST_FOR_NUMPY, shape_module.LEAST_FOR_WORDS = least, words  # type: ignore[misc]  # as it was


@pytest.mark.parametrize("count", [0, 1, 7, 8, 49, 50, 1600])
def test_a_load_profile_comes_as_rows_and_columns(way: str, count: int) -> None:
    rows = load_profile(count)
    data = EncodedData.from_rows(LOAD_PROFILE, rows)
    assert data.value() == rows
    assert as_lists(data.columns()) == list(map(list, zip(*rows, strict=True)))
    assert scan(data.octets, 0) == len(data.octets)
    assert not any(hasattr(column, "tolist") for column in data.columns()) or way != "no-numpy"


def test_every_constant_octet_of_every_row_is_looked_at(way: str) -> None:
    octets = EncodedData.from_rows(LOAD_PROFILE, load_profile(12)).octets
    length = (len(octets) - 2) // 12
    constants = [at for at in range(length) if at not in {*range(4, 16), 17, *range(19, 23), *range(24, 28)}
                 and at not in {*range(29, 33), *range(34, 38)}]  # fmt: skip
    assert len(constants) == 9
    for row in range(12):
        for at in constants:
            changed = bytearray(octets)
            changed[2 + row * length + at] ^= 0x40
            with pytest.raises(DecodeError):
                EncodedData(bytes(changed)).columns()
            check(bytes(changed))


MIXED = {
    "nulls": [(D.NULL_DATA, None), (D.UNSIGNED, 1), (D.DONT_CARE, None)],
    "booleans": [(D.BOOLEAN, True), (D.BOOLEAN, False)],
    "bit-strings": [(D.BIT_STRING, "10100"), (D.BIT_STRING, "")],
    "texts": [(D.VISIBLE_STRING, "aÿ"), (D.OCTET_STRING, b""), (D.OCTET_STRING, b"\0a\0")],
    "stamps": [(D.DATE_TIME, bytes(12)), (D.DATE, bytes(5)), (D.TIME, bytes(4))],
    "floats": [(D.FLOAT32, 1.5), (D.FLOAT64, float("nan"))],
    "deltas": [(D.DELTA_LONG, -3), (D.DELTA_DOUBLE_LONG_UNSIGNED, 4)],
    "nested": [(D.STRUCTURE, ((D.LONG, -1), (D.STRUCTURE, ()))), (D.ARRAY, ((D.BCD, 9), (D.ENUM, 1))), (D.ARRAY, ())],
    "wide": [(D.LONG64, -1), (D.LONG64_UNSIGNED, (1 << 64) - 1), (D.DOUBLE_LONG, -1)],
    "utf8": [(D.UTF8_STRING, "ä")],
    "nothing": [],
}


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("count", [8, 60])
def test_columns_of_any_type_are_the_rows_transposed(way: str, name: str, count: int) -> None:
    row: Any = (D.STRUCTURE, tuple(MIXED[name]))
    octets = encode_data((D.ARRAY, (row,) * count))
    check(octets)
    true = octets.replace(b"\x03\x01", b"\x03\xff")
    check(true)
    for changed in (1, count - 1):
        other: Any = [row] * count
        other[changed] = (D.STRUCTURE, ((D.NULL_DATA, None),) * len(MIXED[name]))
        check(encode_data((D.ARRAY, tuple(other))))


@pytest.mark.parametrize("element", ["00", "11 05", "09 02 aabb", "01 01 00", "0203 00 00 00", "ff", "0200"])
def test_arrays_of_anything_are_read_alike(way: str, element: str) -> None:
    one = bytes.fromhex(element)
    check(b"\x01\x3c" + one * 60)
    check(b"\x01\x3c" + one * 59 + b"\x12\0\0")
    check(b"\x01\x3c" + one * 59)
    check(b"\x01\x3c" + one * 61)


def test_columns_want_an_array_of_structures_of_one_length() -> None:
    for text in ("11 05", "0202 1101 1102", "0102 1101 1102", "0102 0201 00 0202 0000", "07", ""):
        with pytest.raises(DecodeError):
            EncodedData(bytes.fromhex(text)).columns()
    assert EncodedData(b"\1\0").columns() == []
    assert EncodedData(bytes.fromhex("0102 0201 1101 0201 00")).columns() == [(1, None)]


def test_numbers_of_a_profile_are_not_copied_with_numpy() -> None:
    np = pytest.importorskip("numpy")
    data = EncodedData.from_rows(LOAD_PROFILE, load_profile(100))
    column = data.columns()[2]
    assert np.shares_memory(column, np.frombuffer(data.octets, "u1"))
    assert not column.flags.writeable


def test_numpy_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    shape_module.numpy.cache_clear()
    try:
        assert shape_module.numpy() is None
        columns = EncodedData.from_rows(LOAD_PROFILE, load_profile(100)).columns()
    finally:
        shape_module.numpy.cache_clear()
    assert [type(column) for column in columns] == [tuple] * 6


def test_equal_shapes_are_learnt_once() -> None:
    octets = EncodedData.from_rows(LOAD_PROFILE, load_profile(10)).octets
    assert learn(octets, 2, 10) is learn(octets + b"\0", 2, 10)
    assert learn(octets, 2, 11) is None
    assert learn(octets[:30], 2, 1) is None


def test_shapes_too_rich_or_too_deep_are_left_to_the_plain_decoder() -> None:
    deep = b"\x02\x01" * (shape_module.DEEPEST + 1) + b"\0"
    rich = b"\x02\x7f" + b"\x02\x02\0\0" * 127
    for element in (deep, rich, b"\x0c\x01a", b"\x13\x00\x00", b"\x09\x81\x01a", b"\x07\x00"):
        assert learn(element * 9, 0, 9) is None
        check(b"\x01\x09" + element * 9)
    assert learn(b"\x02\x01" * shape_module.DEEPEST + b"\0", 0, 1) is not None


# ---- the other way --------------------------------------------------------------------------------------------------


@examples(100)
@given(strategies.rows(12))
def test_rows_are_encoded_as_their_typed_values_are(typed: Any) -> None:
    kinds = [kind for kind, _ in typed[1][0][1]]
    rows = [[value for _, value in row[1]] for row in typed[1]]
    octets = encode_data(typed)
    if D.DONT_CARE not in kinds:
        assert encode_rows(kinds, rows) == octets
        assert encode_rows(kinds, iter(rows)) == octets


def test_rows_packed_at_once_equal_rows_packed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = (*LOAD_PROFILE, D.BOOLEAN, D.FLOAT64, D.DELTA_INTEGER)
    rows = [(*row, bool(row[1] & 1), row[1] / 3, -1) for row in load_profile(300)]
    packed = rows_module._packed(kinds, rows)
    assert packed is not None
    assert packed == rows_module._plain(kinds, rows)
    assert encode_rows(kinds, rows) == b"\x01\x82\x01\x2c" + packed


@pytest.mark.parametrize("change", [None, b"short", b"x" * 13])
def test_null_and_other_lengths_are_kept_in_their_rows(change: Any) -> None:
    rows: list[Any] = load_profile(20)
    rows[7] = (change, None, *rows[7][2:])
    assert EncodedData.from_rows(LOAD_PROFILE, rows).value() == rows


def test_a_row_with_a_text_of_another_length_is_neither_cut_nor_filled_up() -> None:
    for text in (b"", b"short", b"x" * 13):
        rows = load_profile(20)
        rows[7] = (text, *rows[7][1:])
        assert EncodedData.from_rows(LOAD_PROFILE, rows).value() == rows


def test_dates_are_given_as_dates_or_octets() -> None:
    rows = [(bytes(12),), (bytes(12),)]
    again = EncodedData.from_rows([D.DATE_TIME], rows).value()
    assert EncodedData.from_rows([D.DATE_TIME], again).value() == again
    assert encode_rows([D.DATE_TIME], again) == encode_rows([D.DATE_TIME], rows)


@pytest.mark.parametrize("row", [(), (b"", 1), (b"x" * 12, 256, 0, 0, 0, 0), ("x" * 12, 1, 0, 0, 0, 0), None, 5])
def test_rows_that_do_not_fit_are_an_encode_error(row: Any) -> None:
    for place in (0, 5):
        rows: list[Any] = load_profile(10)
        rows[place] = row
        with pytest.raises(EncodeError):
            encode_rows(LOAD_PROFILE, rows)
