"""Profile generic: range and entry selection against a plain filter over the rows, in memory and on disk."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import AccessSelection, CaptureObjectDefinition, SortMethod
from cosemic.model.profile_columns import entry_descriptor, range_descriptor
from cosemic.server import AccessRefused, ClockObject, Monthly, ProfileObject, Situation
from cosemic.values import ActionResult, DataAccessResult, DateTime, Obis
from tests.server.profile_support import (
    COLUMNS,
    ENERGY,
    PROFILE,
    STAMP,
    START,
    TYPES,
    ZONE,
    Bench,
    Row,
    quarters,
    row,
    states,
)
from tests.server.support import Local, selective

MOMENTS = st.integers(-4, 44).map(lambda quarters: START + dt.timedelta(minutes=15 * quarters))
CAPTURE_TIME = CaptureObjectDefinition(4, Obis("1-0:1.6.0"), 5, 0)
OCTETS = DataType.OCTET_STRING


def bench_with(
    moments: list[dt.datetime], capacity: int = 1000, *, stored: bool = False, **options: Any
) -> tuple[Bench, list[Row]]:
    bench = Bench(state=states(stored))
    made = [row(moment, number % 3 or None, number - 7) for number, moment in enumerate(moments)]
    bench.recorded(zip(made, moments, strict=True), capacity, **options)
    return bench, made[-capacity:]


@given(
    moments=st.one_of(st.lists(MOMENTS, max_size=30), st.integers(0, 40).map(quarters)),
    capacity=st.integers(1, 40),
    since=MOMENTS,
    until=MOMENTS,
    columns=st.lists(st.integers(0, 2), max_size=3),
    with_deviation=st.booleans(),
    stored=st.booleans(),
    newest_first=st.booleans(),
)
def test_a_range_of_time_is_the_rows_within_it_both_ends_included(
    moments: list[dt.datetime],
    capacity: int,
    since: dt.datetime,
    until: dt.datetime,
    columns: list[int],
    with_deviation: bool,
    stored: bool,
    newest_first: bool,
) -> None:
    method = SortMethod.LIFO if newest_first else SortMethod.FIFO
    bench, made = bench_with(moments, capacity, stored=stored, sort_method=method)
    wanted = columns or [0, 1, 2]
    kept = [
        tuple(one[column] for column in wanted)
        for one, moment in zip(made, moments[-capacity:], strict=True)
        if since <= moment <= until
    ]
    # In UTC with deviation, or in the local time of the meter without.
    bounds = [m.astimezone(dt.UTC) if with_deviation else m.replace(tzinfo=None) for m in (since, until)]
    selection = range_descriptor(STAMP, bounds[0], bounds[1], [COLUMNS[column] for column in columns])
    assert bench.get(2, selection) == (kept[::-1] if newest_first else kept)


@given(
    count=st.integers(0, 30),
    entries=st.tuples(st.integers(0, 34), st.integers(0, 34)),
    columns=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    stored=st.booleans(),
    newest_first=st.booleans(),
)
def test_entries_are_numbered_from_one_in_the_order_of_the_buffer_and_zero_is_the_last(
    count: int, entries: tuple[int, int], columns: tuple[int, int], stored: bool, newest_first: bool
) -> None:
    method = SortMethod.LIFO if newest_first else SortMethod.FIFO
    bench, made = bench_with(quarters(count), stored=stored, sort_method=method)
    first, last = max(columns[0], 1), columns[1] or 3
    selection = entry_descriptor(*entries, *columns)
    if first > last:
        assert bench.get(2, selection) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
        return
    expected = [
        one[first - 1 : last]
        for number, one in enumerate(made[::-1] if newest_first else made, 1)
        if max(entries[0], 1) <= number <= (entries[1] or count)
    ]
    assert bench.get(2, selection) == expected


@given(
    values=st.lists(st.integers(-20, 20), max_size=20),
    low=st.integers(-20, 20),
    high=st.integers(-20, 20),
    stored=st.booleans(),
)
def test_a_range_over_another_column_compares_its_values(values: list[int], low: int, high: int, stored: bool) -> None:
    bench = Bench(state=states(stored))
    made = [row(START, None, value) for value in values]
    bench.recorded((one, START) for one in made)
    selection = range_descriptor(ENERGY, (DataType.LONG, low), (DataType.LONG, high))
    assert bench.get(2, selection) == [one for one in made if low <= one[2] <= high]


def test_a_range_over_values_is_found_in_a_buffer_larger_than_what_is_looked_at_at_a_time() -> None:
    bench = Bench(state=states(True))
    bench.recorded(((row(START, 0, value % 5000), START) for value in range(9000)), 9000)
    selection = range_descriptor(ENERGY, (DataType.LONG, 10), (DataType.LONG, 11), [ENERGY])
    assert bench.get(2, selection) == [(10,), (11,), (10,), (11,)]


def test_null_in_a_column_is_within_no_range() -> None:
    bench, made = bench_with(quarters(9))
    selection = range_descriptor(COLUMNS[1], (DataType.UNSIGNED, 0), (DataType.UNSIGNED, 255))
    assert bench.get(2, selection) == [one for one in made if one[1] is not None]


def test_a_range_over_a_time_other_than_that_of_the_capture_compares_moments() -> None:
    bench = Bench()
    bench.profile((CAPTURE_TIME, ENERGY), types=(OCTETS, DataType.LONG), recorded=True)
    served = bench.device.object(7, PROFILE)
    assert isinstance(served, ProfileObject)
    # The same moment in three ways of telling it, one a day later, one that is none, and no time at all.
    noon = dt.datetime(2026, 11, 3, 12, tzinfo=ZONE)
    times = [
        DateTime.from_datetime(noon).octets,
        DateTime.from_datetime(noon.astimezone(dt.UTC)).octets,
        DateTime.from_datetime(noon.replace(tzinfo=None)).octets,
        DateTime.from_datetime(noon + dt.timedelta(days=1)).octets,
        DateTime.of().octets,
        b"",
    ]
    served.extend(((stamp, number), START) for number, stamp in enumerate(times))
    selection = range_descriptor(CAPTURE_TIME, noon.astimezone(dt.UTC), noon, [ENERGY])
    assert bench.get(2, selection) == [(0,), (1,), (2,)]
    assert bench.get(2, range_descriptor(CAPTURE_TIME, DateTime.of(), noon)) == [(times[n], n) for n in range(3)]


def test_without_a_clock_a_time_without_deviation_is_utc() -> None:
    bench = Bench()
    bench.profile((STAMP, ENERGY), clock=None, types=(OCTETS, DataType.LONG), recorded=True)
    served = bench.device.object(7, PROFILE)
    assert isinstance(served, ProfileObject)
    naive = dt.datetime(2026, 11, 3, 12)
    served.extend(((DateTime.from_datetime(naive + n * dt.timedelta(hours=1)).octets, n), START) for n in range(3))
    selection = range_descriptor(STAMP, naive.replace(hour=14, tzinfo=ZONE), naive.replace(hour=14, tzinfo=ZONE))
    assert bench.get(2, selection) == [(DateTime.from_datetime(naive.replace(hour=13)).octets, 1)]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (DateTime.of(), DateTime.of(), range(192)),
        (DateTime.of(), DateTime.of(year=2026, month=11, day_of_month=1, hour=0, minute=30, second=0), range(3)),
        (DateTime.of(year=2026, month=11, day_of_month=2), DateTime.of(), range(96, 192)),
        (DateTime.of(year=2026, month=11, day_of_month=1),) * 2 + (range(96),),
        (DateTime.of(year=2026, month=11, day_of_month=1, hour=5),) * 2 + (range(20, 24),),
        (DateTime.of(year=2026), DateTime.of(year=2020), range(192)),
        (DateTime.of(year=2026, month=11, day_of_month=3), DateTime.of(year=2026, month=11, day_of_month=1), range(0)),
        (DateTime.of(year=2026, month=11, day_of_month=1, hour=1, deviation=0),) * 2 + (range(8, 12),),
    ],
)
def test_what_a_bound_leaves_unspecified_does_not_bound(
    first: DateTime, last: DateTime, expected: range, stored: bool
) -> None:
    bench, made = bench_with(quarters(192), stored=stored)
    for data_type in (OCTETS, DataType.DATE_TIME):
        selection = range_descriptor(STAMP, (data_type, first.octets), (data_type, last.octets))
        assert bench.get(2, selection) == [made[number] for number in expected]


def test_what_is_unspecified_of_a_time_is_its_first_and_its_last_hundredth_of_a_second() -> None:
    begin = START.replace(hour=5)
    hundredth = dt.timedelta(milliseconds=10)
    moments = [begin - hundredth, begin, begin + dt.timedelta(hours=1) - hundredth, begin + dt.timedelta(hours=1)]
    bench, made = bench_with(moments)
    hour = DateTime.of(year=2026, month=11, day_of_month=1, hour=5)
    assert bench.get(2, range_descriptor(STAMP, hour, hour)) == made[1:3]


def test_selections_that_cannot_be_understood_are_refused() -> None:
    bench, _ = bench_with(quarters(3))
    stranger = CaptureObjectDefinition(3, Obis("1-0:2.8.0"), 2, 0)
    octets, pattern = (OCTETS, b"short"), DateTime.of(year=2026, month=2, day_of_month=30, hour=1)
    violated, unmatched = DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, DataAccessResult.TYPE_UNMATCHED
    for selection, result in (
        (AccessSelection(3, (DataType.NULL_DATA, None)), violated),
        (AccessSelection(1, (DataType.NULL_DATA, None)), unmatched),
        (AccessSelection(2, (DataType.STRUCTURE, ())), unmatched),
        (range_descriptor(stranger, START, START), violated),
        (range_descriptor(STAMP, START, START, [stranger]), violated),
        (range_descriptor(STAMP, START, START, [STAMP, STAMP, STAMP, STAMP]), violated),
        (range_descriptor(STAMP, octets, octets), unmatched),
        (range_descriptor(STAMP, pattern, pattern), unmatched),
        (range_descriptor(STAMP, (DataType.UNSIGNED, 1), (DataType.UNSIGNED, 2)), unmatched),
        (range_descriptor(ENERGY, (OCTETS, b"1"), (DataType.LONG, 2)), unmatched),
    ):
        assert bench.get(2, selection) is result
    assert bench.view.get(7, PROFILE, 3, entry_descriptor()) is violated


@pytest.mark.parametrize("stored", [False, True])
def test_the_attributes_of_a_profile_say_what_it_holds(stored: bool) -> None:
    bench, made = bench_with(quarters(5), capacity=4, stored=stored)
    client = Local(bench.device, 16).open()
    assert client.get(7, PROFILE, 2) == made[-4:]
    assert client.get(7, PROFILE, 3) == [(one.class_id, one.logical_name, 2, 0) for one in COLUMNS]
    assert [client.get(7, PROFILE, index) for index in (4, 5, 7, 8)] == [900, 1, 4, 4]
    assert client.get(7, PROFILE, 6) == (0, bytes(6), 0, 0)


@pytest.mark.parametrize("stored", [False, True])
def test_reset_drops_all_and_nothing_else(stored: bool) -> None:
    bench, _ = bench_with(quarters(5), stored=stored)
    told = []
    bench.device.listeners.append(lambda happening: told.append((happening.name, happening.details["obis"])))
    assert bench.view.act(7, PROFILE, 1).result is ActionResult.SUCCESS
    assert (bench.get(2), bench.get(7), bench.get(8)) == ([], 0, 1000)
    assert told == [("profile-cleared", Obis(PROFILE))]
    served = bench.device.object(7, PROFILE)
    assert isinstance(served, ProfileObject)
    served.extend([(row(START), START)])
    assert bench.get(7) == 1


def test_version_0_gives_parts_of_the_buffer_by_its_methods_and_knows_no_selection() -> None:
    bench, made = bench_with(quarters(9), version=0)
    selections = range_descriptor(STAMP, quarters(9)[2], quarters(9)[4]), entry_descriptor(2, 3, 1, 1)
    for method, selection, expected in (
        (3, selections[0], made[2:5]),
        (4, selections[1], [made[1][:1], made[2][:1]]),
    ):
        answer = bench.view.act(7, PROFILE, method, EncodedData.from_typed(selection.parameters))
        assert answer.result is ActionResult.SUCCESS
        assert isinstance(answer.return_parameters, EncodedData)
        assert answer.return_parameters.value() == expected
        assert bench.get(2, selection) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    assert bench.get(2) == made
    wrong = EncodedData.from_typed(range_descriptor(CAPTURE_TIME, START, START).parameters)
    assert bench.view.act(7, PROFILE, 3, wrong).result is ActionResult.SCOPE_OF_ACCESS_VIOLATED
    served = bench.device.object(7, PROFILE)
    assert served is not None
    assert served.interface.version == 0


def test_version_1_has_no_methods_for_parts_of_the_buffer() -> None:
    bench, _ = bench_with(quarters(3))
    parameters = EncodedData.from_typed(entry_descriptor().parameters)
    assert bench.view.act(7, PROFILE, 4, parameters).result is ActionResult.READ_WRITE_DENIED


@pytest.mark.parametrize("stored", [False, True])
def test_a_large_buffer_travels_in_blocks_and_arrives_whole(stored: bool) -> None:
    bench, made = bench_with(quarters(4000), capacity=4000, stored=stored)
    client = Local(bench.device, 16).open()
    assert client.get(7, PROFILE, 2) == made
    assert client.exchanged > 2


def test_profiles_that_cannot_be_are_refused() -> None:
    bench = Bench()
    buffer = CaptureObjectDefinition(7, Obis("1-0:99.2.0"), 2, 0)
    wrong: list[dict[str, Any]] = [
        {"types": TYPES[:2]},
        {"entries": 0},
        {"capture_period": 900, "clock": None},
        {"schedule": Monthly(), "clock": None},
        {"writable": ("capture_period",), "clock": None},
        {"version": 2},
        {"row": lambda capture: ()},
        {"types": TYPES, "writable": ("capture_objects",)},
        {"sort_method": SortMethod.LARGEST},
        {"sort_method": 7},
        {"sort_object": CAPTURE_TIME},
        {"columns": (ENERGY,) * 256},
        {"columns": (buffer,)},
        {"columns": (CaptureObjectDefinition(7, Obis("1-0:99.2.0"), 0, 0),)},
        {"columns": (CaptureObjectDefinition(3, ENERGY.logical_name, 3, 0x1000),)},
        {"columns": (CaptureObjectDefinition(3, ENERGY.logical_name, 0, 1),)},
    ]
    for options in wrong:
        with pytest.raises(ConfigurationError):
            bench.profile(**options)
    assert bench.device.object(7, PROFILE) is None


def test_a_clock_of_another_name_is_a_column_like_any_other() -> None:
    bench = Bench()
    other = ClockObject("0-0:1.0.1")
    bench.profile((STAMP, ENERGY), clock=other, types=(OCTETS, DataType.LONG), recorded=True)
    served = bench.device.object(7, PROFILE)
    assert isinstance(served, ProfileObject)
    served.extend([((row(START)[0], 1), START + dt.timedelta(days=1))])
    # Its cells tell when they were captured, not the moment by the profile's own clock.
    assert bench.get(2, range_descriptor(STAMP, START, START)) == [(row(START)[0], 1)]


def test_a_selection_of_another_attribute_is_refused_by_the_object_itself() -> None:
    bench, _ = bench_with(quarters(3))
    served = bench.device.object(7, PROFILE)
    assert served is not None
    selection = selective(entry_descriptor())
    assert selection is not None
    with pytest.raises(AccessRefused):
        served.select(3, selection, Situation(bench.now))
