"""How a buffer goes out: what a client reads is the same with null-data, as compact-array, or whole."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.model import CaptureObjectDefinition, Column, LoadProfile, Mark, SortMethod
from cosemic.model.profile_columns import entry_descriptor, range_descriptor
from cosemic.server import BufferEncoding
from cosemic.server.buffer_encoding import encode_buffer
from cosemic.server.cells import buffer_of, cut, elements, row_of
from cosemic.values import DateTime, Obis
from tests.effort import examples
from tests.server.profile_support import COLUMNS, ENERGY, QUARTER, STAMP, START, Bench, Row, states
from tests.strategies import typed_data

PERIOD = 900
UNIX = CaptureObjectDefinition(1, Obis("0-0:1.1.0"), 2, 0)
TYPES = (DataType.OCTET_STRING, DataType.UNSIGNED, DataType.DOUBLE_LONG)
STEPS = st.sampled_from([900, 900, 900, 900, 1800, 0, -900, -3600, 907, 86_400])
STATUSES = st.sampled_from([0, 0, 0, 0x80, 0x80, 1, 2, 4, 8, None])
DEVIATIONS = st.sampled_from([-60, -60, -60, -120, 0, None])


@st.composite
def stamps(draw: st.DrawFn, moment: dt.datetime) -> bytes:
    """A stamp as some meter or other may give it."""
    kind = draw(st.sampled_from(["time"] * 12 + ["pattern", "empty", "octets"]))
    if kind == "empty":
        return b""
    if kind == "octets":
        return draw(st.binary(min_size=12, max_size=12))
    deviation, status = draw(DEVIATIONS), draw(STATUSES)
    local = (moment.astimezone(dt.UTC) - dt.timedelta(minutes=deviation or 0)).replace(tzinfo=None)
    fields = {
        "year": local.year, "month": local.month, "day_of_month": local.day,
        "day_of_week": draw(st.sampled_from([None, 1])), "hour": local.hour, "minute": local.minute,
        "second": local.second, "hundredths": draw(st.sampled_from([0, None])),
    }  # fmt: skip
    if kind == "pattern":
        fields["day_of_month"] = None
    return DateTime.of(**fields, deviation=deviation, clock_status=status).octets


@st.composite
def captured(draw: st.DrawFn) -> list[tuple[Row, dt.datetime]]:
    """Rows of a meter whose clock is set now and then, and whose values often stay what they were."""
    moment, value, rows = START, 0, []
    for step in draw(st.lists(STEPS, max_size=25)):
        moment += dt.timedelta(seconds=step)
        value += draw(st.sampled_from([0, 0, 1, 70_000]))
        status = draw(st.sampled_from([0, 0, 0, 0x20, None]))
        rows.append(((draw(stamps(moment)), status, draw(st.sampled_from([value, value, None]))), moment))
    return rows


def understood(
    buffer: EncodedData, columns: tuple[CaptureObjectDefinition, ...], method: SortMethod, *, nulls_repeat: bool = True
) -> list[Any]:
    """What a client makes of a buffer, but for what a stamp that was left out cannot say."""
    profile = LoadProfile.from_buffer(
        buffer, [Column(one) for one in columns], PERIOD, sort_method=method, nulls_repeat=nulls_repeat
    )
    return [(one.interval_start, one.interval_end, one.values, one.marks & ~Mark.STAMP_DERIVED) for one in profile]


def answers(bench: Bench, selections: list[Any]) -> list[EncodedData]:
    return [bench.view.get(7, "1-0:99.1.0", 2, selection) for selection in selections]


@given(
    rows=captured(),
    method=st.sampled_from(list(SortMethod)),
    by=st.sampled_from([STAMP, ENERGY]),
    first=st.integers(1, 12),
    columns=st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=3, unique=True),
    stored=st.booleans(),
)
def test_a_client_reads_identical_rows_from_a_buffer_with_null_data(
    rows: list[tuple[Row, dt.datetime]],
    method: SortMethod,
    by: CaptureObjectDefinition,
    first: int,
    columns: list[CaptureObjectDefinition],
    stored: bool,
) -> None:
    options: dict[str, Any] = {"types": TYPES, "sort_method": method, "sort_object": by}
    whole, compressed = Bench(), Bench(state=states(stored))
    whole.recorded(rows, **options)
    compressed.recorded(rows, encoding=BufferEncoding.NULL_DATA, **options)
    selections = [None, entry_descriptor(first), range_descriptor(STAMP, START, START + 3 * QUARTER, columns)]
    wanted = (COLUMNS, COLUMNS, tuple(columns))
    for selected, one, other in zip(wanted, answers(whole, selections), answers(compressed, selections), strict=True):
        assert understood(other, selected, method) == understood(one, selected, method, nulls_repeat=False)
        # The first row of an answer stands for itself.
        assert other.value()[:1] == one.value()[:1]
        assert len(other.octets) <= len(one.octets)


@given(steps=st.lists(st.sampled_from([900, 900, 900, 1800, 907]), max_size=20), falling=st.booleans())
def test_seconds_of_a_unix_clock_are_left_out_like_any_stamp(steps: list[int], falling: bool) -> None:
    method = SortMethod.LIFO if falling else SortMethod.FIFO
    seconds, rows = 1_800_000_000, []
    for step in steps:
        seconds += step
        rows.append(((seconds, 5), dt.datetime.fromtimestamp(seconds, dt.UTC)))
    types = (DataType.DOUBLE_LONG_UNSIGNED, DataType.UNSIGNED)
    benches = Bench(), Bench()
    for bench, encoding in zip(benches, (BufferEncoding.WHOLE, BufferEncoding.NULL_DATA), strict=True):
        served = bench.profile(
            (UNIX, ENERGY), types=types, recorded=True, capture_period=PERIOD, sort_method=method, encoding=encoding
        )
        served.extend(rows)
    one, other = (answers(bench, [None])[0] for bench in benches)
    assert understood(other, (UNIX, ENERGY), method) == understood(one, (UNIX, ENERGY), method)
    left_out = sum(row[0] is None for row in other.value())
    assert left_out == steps[1:].count(900)


def test_a_quiet_day_is_a_third_of_its_size_with_null_data() -> None:
    bench = Bench()
    moments = [START + n * QUARTER for n in range(96)]
    rows = [((DateTime.from_datetime(moment).octets, 0, 5), moment) for moment in moments]
    bench.recorded(rows, types=TYPES, encoding=BufferEncoding.NULL_DATA)
    answer = answers(bench, [None])[0]
    assert answer.value() == [rows[0][0]] + [(None, None, None)] * 95
    assert answer.octets.hex().endswith("0203000000" * 95)


@pytest.mark.parametrize(
    ("before", "after", "left_out"),
    [
        ({}, {}, True),
        ({}, {"minute": 16}, False),
        ({}, {"deviation": -120}, False),
        ({"deviation": -120, "clock_status": 0x80}, {"deviation": -120, "clock_status": 0x80}, True),
        ({}, {"clock_status": 0x80}, False),
        ({"clock_status": 0x01}, {"clock_status": 0x01}, False),
        ({"clock_status": 0x02}, {"clock_status": 0x02}, False),
        ({"clock_status": None}, {"clock_status": None}, True),
        ({"deviation": None}, {"deviation": None}, False),
        ({"hour": None}, {}, False),
    ],
)
def test_a_stamp_that_says_more_than_its_time_goes_out(
    before: dict[str, Any], after: dict[str, Any], left_out: bool
) -> None:
    fields = {
        "year": 2026, "month": 11, "day_of_month": 1, "hour": 0, "second": 0, "deviation": -60, "clock_status": 0,
    }  # fmt: skip
    pair = [DateTime.of(**fields | {"minute": 0} | before), DateTime.of(**fields | {"minute": 15} | after)]
    rows = [row_of([EncodedData.of(DataType.OCTET_STRING, stamp.octets).octets]) for stamp in pair]
    sent = encode_buffer(rows, BufferEncoding.NULL_DATA, 0, QUARTER).value()
    assert (sent[1][0] is None) is left_out


def test_without_a_period_or_an_order_of_time_every_stamp_goes_out() -> None:
    rows = [((DateTime.from_datetime(START + n * QUARTER).octets, 0, n), START + n * QUARTER) for n in range(3)]
    cases: list[dict[str, Any]] = [
        {"capture_period": 0},
        {"sort_method": SortMethod.NEAREST_TO_ZERO, "sort_object": STAMP},
        {"sort_method": SortMethod.SMALLEST, "sort_object": ENERGY},
    ]
    for options in cases:
        bench = Bench()
        bench.recorded(rows, types=TYPES, encoding=BufferEncoding.NULL_DATA, **options)
        assert all(row[0] is not None for row in answers(bench, [None])[0].value())


def test_a_cell_without_value_is_told_from_one_that_is_repeated() -> None:
    cells = [[b"\x11\x05"], [b"\x00"], [b"\x11\x05"], [b"\xff"], [b"\x11\x06"]]
    sent = encode_buffer([row_of(one) for one in cells], BufferEncoding.NULL_DATA)
    assert sent.octets.hex() == "0105020111050201ff0201000201ff02011106"


# ---- compact-array ---------------------------------------------------------------------------------------------------


@given(rows=captured(), stored=st.booleans())
def test_a_client_reads_identical_rows_from_a_compact_array(rows: list[tuple[Row, dt.datetime]], stored: bool) -> None:
    whole, compact = Bench(), Bench(state=states(stored))
    whole.recorded(rows, types=TYPES)
    compact.recorded(rows, types=TYPES, encoding=BufferEncoding.COMPACT_ARRAY)
    one, other = (answers(bench, [None])[0] for bench in (whole, compact))
    read = [understood(each, COLUMNS, SortMethod.FIFO, nulls_repeat=False) for each in (one, other)]
    assert read[0] == read[1]
    nulls = {tuple(cell is None for cell in row) for row, _ in rows}
    # Rows of one type have one description; others, and none, go out as an array.
    assert (other.type is DataType.COMPACT_ARRAY) == (len(nulls) == 1)


def test_the_octets_of_a_compact_array_are_those_of_the_standard() -> None:
    rows = [row_of([b"\x11\x05", b"\x06\x00\x00\x00\x07"]), row_of([b"\x11\x06", b"\x06\x00\x00\x00\x08"])]
    sent = encode_buffer(rows, BufferEncoding.COMPACT_ARRAY)
    assert sent.octets.hex() == "13020211060a05000000070600000008"


def test_rows_that_hold_a_compact_array_themselves_go_out_whole() -> None:
    inner = bytes.fromhex("1311020102")
    rows = [row_of([inner]), row_of([inner])]
    assert encode_buffer(rows, BufferEncoding.COMPACT_ARRAY) == buffer_of(rows)


# ---- rows and cells --------------------------------------------------------------------------------------------------


EVEN = st.integers(0, 30).map(lambda n: [[(DataType.UNSIGNED, k), (DataType.OCTET_STRING, b"ab")] for k in range(n)])


@examples(25)
@given(st.lists(st.tuples(typed_data(), typed_data()), max_size=9) | EVEN)
def test_rows_are_put_together_and_cut_again_at_their_cells(rows: list[Any]) -> None:
    cells = [[EncodedData.from_typed(one).octets for one in row] for row in rows]
    made = [row_of(one) for one in cells]
    assert list(cut(made)) == cells
    assert elements(buffer_of(made).octets) == made
    assert [elements(one) for one in made] == cells
