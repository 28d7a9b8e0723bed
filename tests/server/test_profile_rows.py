"""What a full buffer keeps and in which order, by every sort_method, held against a sorted list."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cosemic.codec import DataType, EncodedData
from cosemic.errors import StoreError
from cosemic.model import CaptureObjectDefinition, SortMethod
from cosemic.model.profile_columns import entry_descriptor, range_descriptor
from cosemic.server.rows import Entry, MemoryRows, Rows, rank
from cosemic.server.state import StateFile
from cosemic.server.stored_rows import StoredRows
from cosemic.values import DateTime, Obis
from tests.effort import examples
from tests.server.profile_support import COLUMNS, ENERGY, QUARTER, STAMP, START, Bench, row, states

M = SortMethod
ORDER: dict[SortMethod, Callable[[Any], Any]] = {
    M.LARGEST: lambda value: -value,
    M.SMALLEST: lambda value: value,
    M.NEAREST_TO_ZERO: abs,
    M.FURTHEST_FROM_ZERO: lambda value: -abs(value),
}
"""What a plain sort goes by; equals stay as they were captured."""
VALUES = st.none() | st.integers(-(2**64) + 1, 2**64 - 1) | st.integers(-3, 3)


def interesting(method: SortMethod, captured: list[tuple[Any, int]], capacity: int) -> list[tuple[Any, int]]:
    """The buffer, from the words of the standard: (value, number of the capture)."""
    kept: list[tuple[Any, int]] = []
    for value, number in captured:
        if method is M.FIFO:
            kept = [*kept, (value, number)][-capacity:]
        elif method is M.LIFO:
            kept = [(value, number), *kept][:capacity]
        else:
            key = ORDER[method]
            kept = sorted(
                [*kept, (value, number)], key=lambda one: (one[0] is None, one[0] is not None and key(one[0]))
            )
            kept = kept[:capacity]
    return kept


@pytest.mark.parametrize("method", list(M))
@given(
    values=st.lists(VALUES, max_size=25),
    parts=st.lists(st.integers(1, 6), max_size=10),
    capacity=st.integers(1, 12),
    stored=st.booleans(),
)
def test_a_full_buffer_keeps_the_most_interesting_entries_in_their_order(
    method: SortMethod, values: list[int | None], parts: list[int], capacity: int, stored: bool
) -> None:
    rows: Rows = (
        StoredRows(StateFile(":memory:").of("x"), "p", capacity, method) if stored else MemoryRows(capacity, method)
    )
    captured = [(value, number) for number, value in enumerate(values)]
    entries = [Entry(str(number).encode(), number, rank(method, value)) for value, number in captured]
    while entries:
        size = parts.pop() if parts else len(entries)
        rows.add(entries[:size])
        del entries[:size]
    expected = [str(number).encode() for _, number in interesting(method, captured, capacity)]
    assert rows.numbered(0, len(rows)) == expected
    assert rows.between(None, None) == expected


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.integers(-5, 5).map(float), max_size=30))
def test_floating_point_numbers_are_ranked_like_numbers(values: list[float]) -> None:
    for method, key in ORDER.items():
        ranked = sorted(values, key=lambda value: rank(method, value))
        numbers = [value for value in ranked if not math.isnan(value)]
        assert numbers == sorted(numbers, key=key)
        assert all(math.isnan(value) for value in ranked[len(numbers) :])
    assert rank(M.SMALLEST, 0.0) == rank(M.SMALLEST, -0.0)


@given(st.integers(-(2**64) + 1, 2**64 - 1), st.integers(-(2**64) + 1, 2**64 - 1))
def test_whole_numbers_of_any_width_are_ranked_exactly(one: int, other: int) -> None:
    for method, key in ORDER.items():
        assert (rank(method, one) < rank(method, other)) == (Fraction(key(one)) < Fraction(key(other)))


def test_what_is_no_number_is_ranked_behind_all_numbers() -> None:
    for method in ORDER:
        behind = {rank(method, value) for value in (None, "9", b"9", (1,), math.nan)}
        assert len(behind) == 1
        assert behind.pop() > max(rank(method, value) for value in (2**64 - 1, 1 - 2**64, math.inf, -math.inf, 0))


class BothStores(RuleBasedStateMachine):
    """Whatever is done, memory and disk say the same."""

    @initialize(method=st.sampled_from(list(M)), capacity=st.integers(1, 20))
    def begin(self, method: SortMethod, capacity: int) -> None:
        self.method = method
        self.number = 0
        self.memory = MemoryRows(capacity, method)
        self.disk = StoredRows(StateFile(":memory:").of("x"), "7/1-0:99.1.0*255", capacity, method)

    @rule(values=st.lists(st.tuples(st.integers(-4, 4), st.integers(-20, 20)), max_size=8))
    def add(self, values: list[tuple[int, int]]) -> None:
        made = []
        for value, moment in values:
            self.number += 1
            made.append(Entry(b"%d" % self.number, moment, rank(self.method, value)))
        self.memory.add(made)
        self.disk.add(made)

    @rule()
    def clear(self) -> None:
        self.memory.clear()
        self.disk.clear()

    @rule(bounds=st.tuples(st.none() | st.integers(-21, 21), st.none() | st.integers(-21, 21)))
    def between(self, bounds: tuple[int | None, int | None]) -> None:
        assert self.memory.between(*bounds) == self.disk.between(*bounds)

    @rule(start=st.integers(0, 20), count=st.integers(0, 20))
    def numbered(self, start: int, count: int) -> None:
        there = len(self.memory)
        start, stop = min(start, there), min(start + count, there)
        assert self.memory.numbered(start, stop) == self.disk.numbered(start, stop)

    @invariant()
    def same(self) -> None:
        if hasattr(self, "memory"):
            assert len(self.memory) == len(self.disk) <= self.memory.capacity
            assert self.memory.numbered(0, len(self.memory)) == self.disk.numbered(0, len(self.disk))


TestBothStores = BothStores.TestCase
TestBothStores.settings = examples(40, stateful_step_count=15)


def test_rows_out_of_order_on_disk_are_found_one_by_one_and_side_by_side_again_when_they_have_dropped_out() -> None:
    for method, direction in ((M.FIFO, 1), (M.LIFO, -1)):
        rows = StoredRows(StateFile(":memory:").of("x"), "p", 3, method)
        rows.add([Entry(b"%d" % moment, moment) for moment in (9, 5, 6)])
        assert rows.between(6, 9) == [b"9", b"6"][::direction]
        rows.add([Entry(b"7", 7)])
        assert rows.between(6, None) == [b"6", b"7"][::direction]
        assert rows.between(10, 11) == []


def test_a_file_that_cannot_be_read_is_a_store_error() -> None:
    file = StateFile(":memory:")
    rows = StoredRows(file.of("x"), "p", 3)
    rows.add([Entry(b"1", 1)])
    file.connection.execute("DROP TABLE profile_rows")
    file.commit()
    for use in (lambda: rows.numbered(0, 1), lambda: rows.between(1, 2), lambda: rows.add([Entry(b"2", 2)])):
        with pytest.raises(StoreError):
            use()
    assert not file.changing


def test_profiles_and_devices_in_one_file_do_not_see_one_another() -> None:
    file = StateFile(":memory:")
    stores = [StoredRows(file.of(device), name, 5) for device in "ab" for name in "pq"]
    for number, store in enumerate(stores):
        store.add([Entry(b"%d" % number, n) for n in range(number + 3)])
    for number, store in enumerate(stores):
        assert store.numbered(0, len(store)) == [b"%d" % number] * min(number + 3, 5)
    stores[1].clear()
    assert [len(store) for store in stores] == [3, 0, 5, 5]


# ---- through the profile ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (M.LARGEST, [70, 40, 40, 5]),
        (M.SMALLEST, [-90, -30, 5, 40]),
        (M.NEAREST_TO_ZERO, [5, -30, 40, 40]),
        (M.FURTHEST_FROM_ZERO, [-90, 70, 40, 40]),
    ],
)
def test_a_profile_sorted_by_a_register_numbers_its_entries_by_it(
    method: SortMethod, expected: list[int], stored: bool
) -> None:
    bench = Bench(state=states(stored))
    values = [5, 40, -30, 70, 40, -90]
    made = [row(START + n * QUARTER, n, value) for n, value in enumerate(values)]
    bench.recorded(
        zip(made, [START + n * QUARTER for n in range(6)], strict=True), 4, sort_method=method, sort_object=ENERGY
    )
    assert [one[2] for one in bench.get()] == expected
    assert bench.get(2, entry_descriptor(2, 3, 3, 3)) == [(value,) for value in expected[1:3]]
    # Of equal values the one that was captured first comes first.
    assert [one[1] for one in bench.get() if one[2] == 40] == [1, 4][: expected.count(40)]
    # A range over the time comes in the order of the buffer too.
    hour = range_descriptor(STAMP, START, START + 3 * QUARTER, [ENERGY])
    assert bench.get(2, hour) == [(one[2],) for one in bench.get() if one[1] <= 3]
    assert [bench.get(index) for index in (5, 7)] == [method, 4]
    assert bench.get(6) == (3, ENERGY.logical_name, 2, 0)


@pytest.mark.parametrize("stored", [False, True])
def test_a_profile_sorted_by_its_clock_goes_by_the_time_of_the_capture(stored: bool) -> None:
    bench = Bench(state=states(stored))
    order = [3, 0, 5, 1]
    moments = [START + n * QUARTER for n in order]
    made = [(row(moment, 0, n), moment) for n, moment in zip(order, moments, strict=True)]
    bench.recorded(made, 3, sort_method=M.LARGEST, sort_object=STAMP)
    assert [one[2] for one in bench.get()] == [5, 3, 1]


def test_a_profile_sorted_by_another_time_goes_by_the_moment_it_means() -> None:
    peak = CaptureObjectDefinition(4, Obis("1-0:1.6.0"), 5, 0)
    bench = Bench()
    served = bench.profile(
        (peak, ENERGY),
        types=(DataType.OCTET_STRING, DataType.LONG),
        recorded=True,
        sort_method=M.SMALLEST,
        sort_object=peak,
    )
    noon = START.replace(hour=12)
    # 11:30 in UTC is later than noon by the clock of the meter; what is no time comes last.
    for number, moment in enumerate((noon, noon.replace(hour=11, minute=30, tzinfo=dt.UTC), noon - QUARTER)):
        served.extend([((DateTime.from_datetime(moment).octets, number), START)])
    served.extend([((b"", 3), START)])
    assert [one[1] for one in bench.get()] == [2, 0, 1, 3]


def test_a_register_that_gives_no_number_sorts_behind_all_others() -> None:
    bench = Bench()
    served = bench.profile(COLUMNS, 3, sort_method=M.SMALLEST, sort_object=ENERGY)
    for value in (7, None, 3):
        bench.energy.put("value", (DataType.NULL_DATA, None) if value is None else (DataType.DOUBLE_LONG, value))
        served.capture(bench.now)
    assert [one[2] for one in bench.get()] == [3, 7, None]
    assert EncodedData(bench.view.get(7, "1-0:99.1.0", 7).octets).value() == 3
