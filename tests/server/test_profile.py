"""Profile generic: range and entry selection against a plain filter over the rows."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import AccessSelection, CaptureObjectDefinition
from cosemic.model.profile_columns import entry_descriptor, range_descriptor
from cosemic.server import ClockObject, ProfileObject, ProfileRows, centiseconds
from cosemic.values import ActionResult, DataAccessResult, DateTime, Obis
from tests.server.support import NOW, Local, View, device_with

PROFILE = "1-0:99.1.0"
TYPES = (DataType.OCTET_STRING, DataType.UNSIGNED, DataType.LONG)
COLUMNS = (
    CaptureObjectDefinition(8, Obis("0-0:1.0.0"), 2, 0),
    CaptureObjectDefinition(1, Obis("0-0:96.10.1"), 2, 0),
    CaptureObjectDefinition(3, Obis("1-0:1.8.0"), 2, 0),
)
ZONE = dt.timezone(dt.timedelta(hours=1))
START = dt.datetime(2026, 11, 1, tzinfo=ZONE)
MOMENTS = st.integers(-4, 44).map(lambda quarters: START + dt.timedelta(minutes=15 * quarters))
Row = tuple[bytes, int | None, int]


def row(moment: dt.datetime, status: int | None = 0, value: int = 0) -> Row:
    return DateTime.from_datetime(moment.astimezone(ZONE)).octets, status, value


def profile(moments: list[dt.datetime], capacity: int = 1000, **changed: Any) -> tuple[ProfileObject, list[Row]]:
    rows = ProfileRows(TYPES, capacity)
    made = [row(moment, number % 3 or None, number - 7) for number, moment in enumerate(moments)]
    rows.extend((one, centiseconds(moment)) for one, moment in zip(made, moments, strict=True))
    served = ProfileObject(PROFILE, COLUMNS, rows, clock=ClockObject(), capture_period=900, **changed)
    return served, made[-capacity:]


def quarters(count: int) -> list[dt.datetime]:
    return [START + dt.timedelta(minutes=15 * number) for number in range(count)]


def read(served: ProfileObject, selection: AccessSelection | None = None) -> Any:
    result = View(device_with(served)).get(7, PROFILE, 2, selection)
    return result.value() if isinstance(result, EncodedData) else result


@given(
    moments=st.one_of(st.lists(MOMENTS, max_size=30), st.integers(0, 40).map(quarters)),
    capacity=st.integers(1, 40),
    since=MOMENTS,
    until=MOMENTS,
    columns=st.lists(st.integers(0, 2), max_size=4),
    with_deviation=st.booleans(),
)
def test_a_range_of_time_is_the_rows_within_it_both_ends_included(
    moments: list[dt.datetime],
    capacity: int,
    since: dt.datetime,
    until: dt.datetime,
    columns: list[int],
    with_deviation: bool,
) -> None:
    served, made = profile(moments, capacity)
    wanted = columns or [0, 1, 2]
    kept = [
        tuple(one[column] for column in wanted)
        for one, moment in zip(made, moments[-capacity:], strict=True)
        if since <= moment <= until
    ]
    # In UTC with deviation, or in the local time of the meter without.
    bounds = [m.astimezone(dt.UTC) if with_deviation else m.replace(tzinfo=None) for m in (since, until)]
    selection = range_descriptor(COLUMNS[0], bounds[0], bounds[1], [COLUMNS[column] for column in columns])
    assert read(served, selection) == kept


@given(
    count=st.integers(0, 30),
    entries=st.tuples(st.integers(0, 34), st.integers(0, 34)),
    columns=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_entries_are_numbered_from_one_and_zero_is_the_last(
    count: int, entries: tuple[int, int], columns: tuple[int, int]
) -> None:
    served, made = profile(quarters(count))
    first, last = max(columns[0], 1), columns[1] or 3
    selection = entry_descriptor(*entries, *columns)
    if first > last:
        assert read(served, selection) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
        return
    expected = [
        one[first - 1 : last]
        for number, one in enumerate(made, 1)
        if max(entries[0], 1) <= number <= (entries[1] or count)
    ]
    assert read(served, selection) == expected


@given(values=st.lists(st.integers(-20, 20), max_size=20), low=st.integers(-20, 20), high=st.integers(-20, 20))
def test_a_range_over_another_column_compares_its_values(values: list[int], low: int, high: int) -> None:
    rows = ProfileRows(TYPES, 100)
    made = [row(START, None, value) for value in values]
    rows.extend((one, 0) for one in made)
    selection = range_descriptor(COLUMNS[2], (DataType.LONG, low), (DataType.LONG, high))
    served = ProfileObject(PROFILE, COLUMNS, rows, clock=ClockObject())
    assert read(served, selection) == [one for one in made if low <= one[2] <= high]


def test_null_in_a_column_is_within_no_range() -> None:
    served, made = profile(quarters(9))
    selection = range_descriptor(COLUMNS[1], (DataType.UNSIGNED, 0), (DataType.UNSIGNED, 255))
    assert read(served, selection) == [one for one in made if one[1] is not None]


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
def test_what_a_bound_leaves_unspecified_does_not_bound(first: DateTime, last: DateTime, expected: range) -> None:
    served, made = profile(quarters(192))
    for data_type in (DataType.OCTET_STRING, DataType.DATE_TIME):
        selection = range_descriptor(COLUMNS[0], (data_type, first.octets), (data_type, last.octets))
        assert read(served, selection) == [made[number] for number in expected]


def test_selections_that_cannot_be_understood_are_refused() -> None:
    served, _ = profile(quarters(3))
    stranger = CaptureObjectDefinition(3, Obis("1-0:2.8.0"), 2, 0)
    octets, pattern = (DataType.OCTET_STRING, b"short"), DateTime.of(year=2026, month=2, day_of_month=30, hour=1)
    violated, unmatched = DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, DataAccessResult.TYPE_UNMATCHED
    for selection, result in (
        (AccessSelection(3, (DataType.NULL_DATA, None)), violated),
        (AccessSelection(1, (DataType.NULL_DATA, None)), unmatched),
        (AccessSelection(2, (DataType.STRUCTURE, ())), unmatched),
        (range_descriptor(stranger, START, START), violated),
        (range_descriptor(COLUMNS[0], START, START, [stranger]), violated),
        (range_descriptor(COLUMNS[0], octets, octets), unmatched),
        (range_descriptor(COLUMNS[0], pattern, pattern), unmatched),
        (range_descriptor(COLUMNS[0], (DataType.UNSIGNED, 1), (DataType.UNSIGNED, 2)), unmatched),
        (range_descriptor(COLUMNS[2], (DataType.OCTET_STRING, b"1"), (DataType.LONG, 2)), unmatched),
    ):
        assert read(served, selection) is result
    view = View(device_with(served))
    assert view.get(7, PROFILE, 3, entry_descriptor()) is violated


def test_the_attributes_of_a_profile_say_what_it_holds() -> None:
    served, made = profile(quarters(5), capacity=4)
    client = Local(device_with(served), 16).open()
    assert client.get(7, PROFILE, 2) == made[-4:]
    assert client.get(7, PROFILE, 3) == [(one.class_id, one.logical_name, 2, 0) for one in COLUMNS]
    assert [client.get(7, PROFILE, index) for index in (4, 5, 7, 8)] == [900, 1, 4, 4]
    assert client.get(7, PROFILE, 6) == (0, bytes(6), 0, 0)


def test_what_is_due_is_captured_before_anything_is_read_and_reset_drops_all() -> None:
    rows = ProfileRows(TYPES, 10)
    captured = []

    def refresh(now: dt.datetime) -> None:
        captured.append(now)
        rows.append(row(now), centiseconds(now))

    served = ProfileObject(PROFILE, COLUMNS, rows, clock=ClockObject(), refresh=refresh, capture=refresh)
    view = View(device_with(served))
    assert view.get(7, PROFILE, 7).value() == 1
    assert len(view.get(7, PROFILE, 2).value()) == 2
    assert len(view.get(7, PROFILE, 2, entry_descriptor()).value()) == 3
    assert view.act(7, PROFILE, 2).result is ActionResult.SUCCESS
    assert len(rows) == 4
    assert view.act(7, PROFILE, 1).result is ActionResult.SUCCESS
    assert len(rows) == 0
    assert captured == [NOW] * 5


def test_without_a_capture_of_its_own_the_method_is_not_served() -> None:
    served, _ = profile([])
    assert served.invocable == {1}
    assert View(device_with(served)).act(7, PROFILE, 2).result is ActionResult.READ_WRITE_DENIED


def test_rows_found_by_bisection_again_after_those_out_of_order_have_dropped_out() -> None:
    rows = ProfileRows((DataType.UNSIGNED,), 3)
    for moment in (9, 5, 6, 7):
        rows.append((moment,), moment)
    assert isinstance(rows.between(6, None), range)
    assert rows.natives(rows.between(6, None)) == [(6,), (7,)]
    assert rows.natives([2, 0]) == [(7,), (5,)]


def test_columns_and_capture_objects_are_as_many() -> None:
    with pytest.raises(ConfigurationError):
        ProfileObject(PROFILE, COLUMNS[:2], ProfileRows(TYPES, 1))
    with pytest.raises(ConfigurationError):
        ProfileRows(TYPES, 0)


def test_a_large_buffer_travels_in_blocks_and_arrives_whole() -> None:
    served, made = profile(quarters(4000), capacity=4000)
    client = Local(device_with(served), 16).open()
    assert client.get(7, PROFILE, 2) == made
    assert client.exchanged > 2
