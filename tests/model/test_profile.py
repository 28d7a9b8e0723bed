"""Profile buffers: rows, intervals, marks, and the selection of rows."""

from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DONT_CARE, DataType, EncodedData
from cosemic.errors import ConfigurationError, DecodeError, EncodeError
from cosemic.model import CaptureObjectDefinition, Mark, ProfileGeneric, Register, SortMethod
from cosemic.model.profile import LoadProfile
from cosemic.model.profile_columns import Column, entry_descriptor, range_descriptor, range_of, scaler_unit_of
from cosemic.values import BitString, ClockStatus, DateTime, Obis, Quantity, Unit
from tests.model.profiles import (
    BERLIN,
    CLOCK,
    ENERGY,
    STATUS,
    UNIX,
    UTC,
    WATT_HOURS,
    at,
    column,
    ends,
    stamp,
    starts,
)
from tests.vectors import octets, record

D = DataType


def test_a_row_is_stamped_at_the_end_of_its_interval_and_its_values_have_units() -> None:
    rows = [(stamp(at(10, 15)), 0, 12345), (stamp(at(10, 30)), 8, 12350)]
    profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS, ENERGY], 900)
    assert [one.obis for one in profile.columns] == [STATUS.obis, ENERGY.obis]
    first, second = profile.rows()
    assert (first.interval_start, first.interval_end) == (at(10), at(10, 15))
    assert (second.interval_start, second.interval_end) == (at(10, 15), at(10, 30))
    assert first.values == (0, Quantity(12345, -1, Unit(30)))
    assert (first.status, second.status) == (0, 8)
    assert str(second.values[1]) == "1235.0 Wh"
    assert first.clock_status == ClockStatus(0)
    assert first.marks == Mark(0)
    assert len(profile) == 2
    assert list(profile) == [first, second]


def test_null_repeats_the_value_before_and_advances_the_clock() -> None:
    buffer = EncodedData(octets(record("load-profile-four-rows")))
    columns = [CLOCK, column("0-0:96.10.1", 1), ENERGY, column("1-0:2.8.0", scaler_unit=WATT_HOURS)]
    profile = LoadProfile.from_buffer(buffer, columns, 3600)
    first = dt.datetime(2019, 12, 31, 22, tzinfo=UTC)  # 23:00, deviation -60
    assert ends(profile) == [first + dt.timedelta(hours=number) for number in range(4)]
    rows = list(profile.rows())
    assert [row.marks for row in rows] == [Mark(0)] + [Mark.STAMP_DERIVED] * 3
    assert [row.values[1].raw for row in rows] == [0x5ED] * 4


def test_an_empty_octet_string_for_the_time_advances_the_clock_too() -> None:
    buffer = EncodedData(octets(record("elster-compact-array-profile")))
    columns = [CLOCK, STATUS, ENERGY, column("1-0:2.8.0")]
    profile = LoadProfile.from_buffer(buffer, columns, 900)
    rows = list(profile.rows())
    assert [row.interval_end for row in rows] == [
        dt.datetime(2000, 1, 1, 0, 15 * number, tzinfo=UTC) for number in range(4)
    ]
    assert rows[0].marks == Mark.ZONE_ASSUMED
    assert rows[3].values == (0, Quantity(0x77777777, -1, Unit(30)), 0x88888888)


def test_nulls_stand_for_no_value_where_the_meter_means_that() -> None:
    rows = [(stamp(at(10)), 5), (None, None)]
    profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900, nulls_repeat=False)
    assert [row.values for row in profile] == [(5,), (None,)]
    assert ends(profile) == [at(10), at(10, 15)]
    assert [row.values for row in LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900)] == [(5,), (5,)]


def test_a_null_in_the_first_row_has_nothing_to_repeat() -> None:
    (row,) = LoadProfile.from_buffer([(None, None)], [CLOCK, STATUS], 900).rows()
    assert row == (None, None, (None,), None, None, Mark.NO_STAMP)


def typed_rows(*rows: tuple[Any, ...]) -> EncodedData:
    return EncodedData.from_typed((D.ARRAY, tuple((D.STRUCTURE, row) for row in rows)))


def test_deltas_add_to_the_row_before_and_to_what_null_repeats() -> None:
    clock = (D.OCTET_STRING, stamp(at(10)))
    null = (D.NULL_DATA, None)
    buffer = typed_rows(
        (clock, (D.DOUBLE_LONG_UNSIGNED, 1000)),
        (null, (D.DELTA_UNSIGNED, 5)),
        (null, null),
        (null, (D.DELTA_INTEGER, -3)),
        (null, (D.DONT_CARE, DONT_CARE)),
        (null, (D.DELTA_DOUBLE_LONG_UNSIGNED, 100)),
    )
    profile = LoadProfile.from_buffer(buffer, [CLOCK, column("1-0:1.8.0")], 900)
    assert [row.values[0] for row in profile] == [1000, 1005, 1005, 1002, None, 1102]


@pytest.mark.parametrize("first", [(D.NULL_DATA, None), (D.OCTET_STRING, b"x"), (D.BOOLEAN, True)])
def test_a_delta_without_a_number_before_it_is_refused(first: Any) -> None:
    clock = (D.OCTET_STRING, stamp(at(10)))
    buffer = typed_rows((clock, first), (clock, (D.DELTA_UNSIGNED, 5)))
    with pytest.raises(DecodeError) as caught:
        LoadProfile.from_buffer(buffer, [CLOCK, STATUS], 900)
    assert caught.value.path == "buffer[1][1]"


def test_natives_and_typed_cells_give_the_same_rows() -> None:
    rows = [(stamp(at(10, 15 * number)), number, 100 + number) for number in range(4)]
    typed = [((D.OCTET_STRING, a), (D.UNSIGNED, b), (D.DOUBLE_LONG, c)) for a, b, c in rows]
    columns = [CLOCK, STATUS, ENERGY]
    assert list(LoadProfile.from_buffer(rows, columns, 900)) == list(LoadProfile.from_buffer(typed, columns, 900))


@pytest.mark.parametrize(
    "octets_in", ["00", "0101", "010111", "0203", "01010911", "13020111", "0101021c", "01011c05", ""]
)
def test_what_is_no_buffer_is_refused(octets_in: str) -> None:
    with pytest.raises(DecodeError):
        LoadProfile.from_buffer(EncodedData(bytes.fromhex(octets_in)), [CLOCK], 900)


def test_a_row_that_does_not_fit_the_columns_is_refused() -> None:
    with pytest.raises(DecodeError) as caught:
        LoadProfile.from_buffer([(stamp(at(10)),), (stamp(at(10)), 5)], [CLOCK], 900)
    assert caught.value.path == "buffer[1]"
    assert LoadProfile.from_buffer(EncodedData(b"\x01\x00"), [CLOCK], 900).to_dict()["rows"] == []


@pytest.mark.parametrize("method", [SortMethod.LIFO, SortMethod.LARGEST])
def test_rows_come_out_in_order_of_time(method: SortMethod) -> None:
    rows = [(stamp(at(10, 45)), 3), (None, 2), (stamp(at(10, 15)), 1)]
    profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900, sort_method=method)
    assert ends(profile) == [at(10, 15), at(10, 30), at(10, 45)]
    assert [row.values for row in profile] == [(1,), (2,), (3,)]


def test_midnight_belongs_to_the_day_before() -> None:
    rows = [(stamp(at(0) + dt.timedelta(minutes=15 * number)), number) for number in range(200)]
    profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900, since=at(0), until=at(0, day=21))
    assert len(profile) == 96
    assert starts(profile)[0] == at(0)
    assert ends(profile)[-1] == at(0, day=21)


def test_stamps_some_seconds_off_stay_with_their_interval() -> None:
    for off in (-3, 3):
        rows = [(stamp(at(0) + dt.timedelta(seconds=900 * number + off)), number) for number in range(5)]
        profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900, since=at(0), until=at(1))
        assert [row.values[0] for row in profile] == [1, 2, 3, 4]


def test_an_interval_cut_short_does_not_overlap_the_one_before() -> None:
    rows = [(stamp(at(10)), 1), (stamp(at(10, 7)), 2), (stamp(at(10, 15)), 3), (stamp(at(12)), 4)]
    profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900)
    assert starts(profile) == [at(9, 45), at(10), at(10, 7), at(11, 45)]
    assert [row.marks for row in profile] == [Mark(0), Mark.SHORT_INTERVAL, Mark.SHORT_INTERVAL, Mark(0)]


def test_rows_with_the_same_stamp_are_both_kept_and_marked() -> None:
    rows = [(stamp(at(10)), 1), (stamp(at(10, 15)), 2), (stamp(at(10, 15)), 3)]
    profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900)
    assert starts(profile) == [at(9, 45), at(10), at(10)]
    assert [row.marks for row in profile] == [Mark(0), Mark.REPEATED, Mark.REPEATED]


def test_events_have_a_stamp_and_no_interval() -> None:
    rows = [(stamp(at(10)), 1), (stamp(at(10, 7)), 2), (None, 3), (stamp(at(11)), 4)]
    profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 0, since=at(10, 7), until=at(11))
    assert starts(profile) == [None, None]
    assert [(row.interval_end, row.values) for row in profile] == [(at(10, 7), (2,)), (at(10, 7), (3,))]


def test_the_clock_status_marks_what_is_doubtful() -> None:
    rows = [(stamp(at(10), clock_status=status), 0) for status in (1, 2, 0x83, 4)]
    marks = [row.marks for row in LoadProfile.from_buffer(rows, [CLOCK, STATUS], 0)]
    both = Mark.CLOCK_INVALID | Mark.CLOCK_DOUBTFUL
    assert marks == [Mark.CLOCK_INVALID, Mark.CLOCK_DOUBTFUL, both, Mark(0)]
    assert both.names() == ["clock-invalid", "clock-doubtful"]


@pytest.mark.parametrize(
    "cell",
    [b"short", b"\xff" * 12, bytes.fromhex("07ea0d1405ffffffff800000"), 1 << 70, -(1 << 70), "text", 1.5,
     bytes.fromhex("000101010100000000fd1200"), bytes.fromhex("270f0c1f05173b3b0001e000"), BitString("1"), (1, 2)],
)  # fmt: skip
def test_a_stamp_that_is_no_moment_is_marked_and_the_row_is_kept(cell: Any) -> None:
    rows = [(stamp(at(10)), 1), (cell, 2), (stamp(at(10, 30)), 3)]
    profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900, since=at(0), until=at(23))
    assert [row.values for row in profile] == [(1,), (2,), (3,)]
    assert [bool(row.marks & Mark.NO_STAMP) for row in profile] == [False, True, False]


def test_an_interval_that_starts_before_the_calendar_has_no_start() -> None:
    rows = [(bytes.fromhex("000101010100000000000000"), 1)]
    (row,) = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900).rows()
    assert (row.interval_start, row.interval_end) == (None, dt.datetime(1, 1, 1, tzinfo=UTC))


def test_stamps_of_a_unix_clock_are_seconds() -> None:
    rows = [(int(at(10).timestamp()), 1), (None, 2)]
    profile = LoadProfile.from_buffer(rows, [UNIX, STATUS], 3600)
    assert ends(profile) == [at(10), at(11)]


def test_a_profile_without_clock_has_rows_without_interval() -> None:
    profile = LoadProfile.from_buffer([(1,), (2,)], [ENERGY], 900, sort_method=SortMethod.LIFO)
    assert [row.values[0].raw for row in profile] == [2, 1]
    assert starts(profile) == ends(profile) == [None, None]


def test_the_deviation_sign_of_the_meter_is_respected() -> None:
    moment = at(11, tzinfo=BERLIN)
    standard = LoadProfile.from_buffer([(stamp(moment), 0)], [CLOCK, STATUS], 900)
    inverted = [(stamp(moment, inverted_deviation=True), 0)]
    assert ends(standard) == [at(10)]
    assert ends(LoadProfile.from_buffer(inverted, [CLOCK, STATUS], 900, inverted_deviation=True)) == [at(10)]
    assert ends(LoadProfile.from_buffer(inverted, [CLOCK, STATUS], 900)) == [at(12)]


def test_local_stamps_without_deviation_are_read_in_the_zone_of_the_meter() -> None:
    local = [(stamp(dt.datetime(2026, 7, 1, 12)), 0)]
    (row,) = LoadProfile.from_buffer(local, [CLOCK, STATUS], 900, zone=BERLIN)
    assert (row.interval_end, row.marks) == (at(10, day=1, month=7), Mark(0))
    (row,) = LoadProfile.from_buffer(local, [CLOCK, STATUS], 900)
    assert (row.interval_end, row.marks) == (at(12, day=1, month=7), Mark.ZONE_ASSUMED)


@pytest.mark.parametrize("with_status", [True, False])
def test_the_hour_that_the_end_of_daylight_saving_repeats_is_told_apart(with_status: bool) -> None:
    first = at(22, 15, day=24, month=10)
    moments = [first + dt.timedelta(minutes=15 * number) for number in range(24)]
    rows = []
    for moment in moments:
        local = moment.astimezone(BERLIN)
        status = (0x80 if local.dst() else 0) if with_status else None
        rows.append((DateTime.from_datetime(local.replace(tzinfo=None, fold=0), clock_status=status).octets, 0))
    profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900, zone=BERLIN)
    assert ends(profile) == moments
    assert all(row.marks == Mark(0) for row in profile)


@pytest.mark.parametrize("zone", [BERLIN, None])
def test_days_of_23_and_25_hours_are_whole_days(zone: dt.tzinfo | None) -> None:
    midnights = [dt.datetime(2026, 10, day, tzinfo=BERLIN) for day in (24, 25, 26, 27)]
    midnights += [dt.datetime(2026, 3, day, tzinfo=BERLIN) for day in (28, 29, 30, 31)]
    midnights.sort()
    rows = [(stamp(moment), 0) for moment in midnights]
    profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 86_400, zone=zone)
    lengths = [row.interval_end - row.interval_start for row in profile]  # type: ignore[operator]  # all have both
    hours = [length // dt.timedelta(hours=1) for length in lengths]
    assert hours == [24, 24, 23, 24, 24, 24, 25, 24]
    assert all(row.marks == Mark(0) for row in profile)


def test_the_first_day_is_whole_too_where_the_zone_is_known() -> None:
    rows = [(stamp(dt.datetime(2026, 10, 26, tzinfo=BERLIN)), 0)]
    (row,) = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 86_400, zone=BERLIN)
    assert row.interval_start == at(22, day=24, month=10)
    (row,) = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 86_400)
    assert row.interval_start == at(23, day=24, month=10)


def test_dont_care_is_null_among_plain_values_however_deep_it_stands() -> None:
    rows = [(stamp(at(10)), DONT_CARE), (stamp(at(11)), [(1, DONT_CARE)])]
    plain = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 3600).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert [row["values"] for row in plain["rows"]] == [[None], [[[1, None]]]]


def test_a_profile_is_given_as_plain_values() -> None:
    columns = [CLOCK, ENERGY, column("1-0:1.6.0", 4, 5), column("0-0:96.1.0", 1), STATUS]
    when = DateTime(stamp(at(9)))
    rows = [
        (stamp(at(10)), 12345, when, b"\x01\xff", BitString("0101")),
        (stamp(at(11)), [1, (b"x",)], None, "id", True),
    ]
    plain = LoadProfile.from_buffer(rows, columns, 3600).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["columns"][0] == {
        "class_id": 3, "obis": "1-0:1.8.0*255", "attribute": 2, "data_index": 0,
        "name": "Active energy import (+A), time integral 1", "scaler": -1, "unit": "Wh", "side": None,
    }  # fmt: skip
    assert plain["columns"][1]["name"] == "Active power import (+P), maximum 1, capture_time"
    assert plain["rows"][0] == {
        "interval_start": "2026-11-20T09:00:00+00:00",
        "interval_end": "2026-11-20T10:00:00+00:00",
        "values": [12345, when.octets.hex(), "01ff", "0101"],
        "status": None,
        "clock_status": [],
        "marks": [],
    }
    assert plain["rows"][1]["values"] == [[1, ["78"]], when.octets.hex(), "id", True]
    bare = LoadProfile.from_buffer([(1,)], [STATUS], 900).to_dict()
    assert bare["rows"][0] == {
        "interval_start": None, "interval_end": None, "values": [1], "status": None, "clock_status": None,
        "marks": ["no-stamp"],
    }  # fmt: skip


def test_times_in_columns_are_date_times() -> None:
    when = stamp(at(9))
    for time_column in (column("1-0:1.6.0", 4, 5), column("1-0:1.4.0", 5, 7), column("0-0:1.0.0", 8, 5)):
        (row,) = LoadProfile.from_buffer([(stamp(at(10)), when)], [CLOCK, time_column], 900)
        assert row.values == (DateTime(when),)
        assert type(row.values[0]) is DateTime
    (row,) = LoadProfile.from_buffer([(stamp(at(10)), when)], [CLOCK, STATUS], 900)
    assert type(row.values[0]) is bytes


def test_scalers_apply_to_numbers_only() -> None:
    assert [ENERGY.value(cell) for cell in (5, 1.5, True, None, b"x")] == [
        Quantity(5, -1, Unit(30)), Quantity(1.5, -1, Unit(30)), True, None, b"x",
    ]  # fmt: skip
    assert (ENERGY.scaler, ENERGY.unit, STATUS.scaler, STATUS.unit) == (-1, Unit(30), None, None)


def test_scaler_and_unit_stand_in_another_attribute_of_the_register() -> None:
    reference = scaler_unit_of(ENERGY.capture_object)
    assert reference == Register(ENERGY.obis).scaler_unit
    demand = scaler_unit_of(CaptureObjectDefinition(5, Obis("1-0:1.5.0"), 3, 0))
    assert demand is not None
    assert (demand.class_id, demand.attribute_id) == (5, 4)
    assert scaler_unit_of(STATUS.capture_object) is None
    assert scaler_unit_of(CaptureObjectDefinition(3, ENERGY.obis, 2, 1)) is None


# ---- selection -------------------------------------------------------------------------------------------------------


def test_an_entry_descriptor_is_that_of_the_standard_s_example() -> None:
    selection = entry_descriptor(1, 10)
    assert selection.selector == 2
    assert EncodedData.from_typed(selection.parameters).octets.hex() == "02040600000001060000000a120001120000"
    with pytest.raises(EncodeError):
        entry_descriptor(-1)


def test_a_range_goes_out_in_local_time_and_reaches_the_stamp_at_its_end() -> None:
    chosen = [ENERGY.capture_object]
    selection = range_of([STATUS, CLOCK, ENERGY], at(0), at(0, day=21), zone=BERLIN, selected_values=chosen)
    assert selection.selector == 1
    parameters = ProfileGeneric.buffer.selector(1).parameters.decode(selection.parameters)
    assert parameters.restricting_object == CLOCK.capture_object
    assert parameters.from_value == stamp(at(1, tzinfo=BERLIN))
    assert parameters.to_value == stamp(at(1, day=21, tzinfo=BERLIN))
    assert parameters.selected_values == (ENERGY.capture_object,)
    assert (
        EncodedData.from_typed(selection.parameters)
        .octets.hex()
        .startswith("0204020412000809060000010000ff0f02120000090c")
    )


def test_a_range_reaches_the_stamp_of_an_interval_whose_middle_lies_in_it() -> None:
    parameters = range_of([CLOCK], at(0), at(1), period=3600).parameters
    assert parameters[1][2] == (D.OCTET_STRING, stamp(at(1, 30)))
    last = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert range_of([CLOCK], at(0), last, period=3600).parameters[1][2] == (D.OCTET_STRING, stamp(last))


def test_a_range_of_billing_is_by_its_time() -> None:
    billing = column("0-0:0.1.2", 3)
    parameters = range_of([ENERGY, billing], at(0), at(1)).parameters
    assert ProfileGeneric.buffer.selector(1).parameters.decode(parameters).restricting_object == billing.capture_object
    assert parameters[1][1] == (D.OCTET_STRING, stamp(at(0)))


def test_a_range_can_be_sent_without_deviation() -> None:
    selection = range_of([CLOCK], at(0), at(1), with_deviation=False)
    parameters = ProfileGeneric.buffer.selector(1).parameters.decode(selection.parameters)
    assert parameters.from_value.hex() == "07ea0b1405000000008000ff"


def test_a_range_of_a_unix_clock_is_in_seconds() -> None:
    parameters = range_of([UNIX], at(0), at(1)).parameters
    assert parameters[1][1] == (D.DOUBLE_LONG_UNSIGNED, int(at(0).timestamp()))


def test_bounds_may_be_typed_values() -> None:
    clock = CLOCK.capture_object
    bounds = (D.DATE_TIME, DateTime(stamp(at(0)))), DateTime(stamp(at(1)))
    parameters = range_descriptor(clock, *bounds).parameters
    assert parameters[1][1:3] == ((D.DATE_TIME, DateTime(stamp(at(0)))), (D.OCTET_STRING, stamp(at(1))))
    with pytest.raises(EncodeError):
        range_descriptor(clock, (D.STRUCTURE, ()), 5)
    with pytest.raises(ConfigurationError):
        range_descriptor(clock, "yesterday", 5)  # type: ignore[arg-type]  # that is what is tested


@pytest.mark.parametrize(
    ("columns", "since"),
    [([ENERGY], at(0)), ([CLOCK], dt.datetime(2026, 11, 20))],
)
def test_a_range_that_cannot_be_asked_for_is_refused(columns: list[Column], since: dt.datetime) -> None:
    with pytest.raises(ConfigurationError):
        range_of(columns, since, at(23))


THREE = [CLOCK, STATUS, ENERGY]


def test_columns_that_are_not_wanted_are_dropped() -> None:
    rows = [(stamp(at(10)), 8, 5)]
    profile = LoadProfile.from_buffer(rows, THREE, 900, kept=[CLOCK, ENERGY])
    assert [one.obis for one in profile.columns] == [ENERGY.obis]
    (row,) = profile
    assert (row.interval_end, row.values, row.status) == (at(10), (Quantity(5, -1, Unit(30)),), None)
    assert profile.deviations == ()


def test_a_meter_that_sends_all_columns_is_read_and_the_deviation_told() -> None:
    asked = [CLOCK, ENERGY]
    some = LoadProfile.from_buffer(buffer_of([(stamp(at(10)), 5)]), THREE, 900, selected=asked, kept=asked)
    whole = LoadProfile.from_buffer(buffer_of([(stamp(at(10)), 8, 5)]), THREE, 900, selected=asked, kept=asked)
    assert list(some) == list(whole)
    assert some.deviations == ()
    assert [str(one) for one in whole.deviations] == ["buffer: 2 columns expected, all 3 found"]
    assert whole.to_dict()["deviations"] == ["buffer: 2 columns expected, all 3 found"]
    with pytest.raises(DecodeError):
        LoadProfile.from_buffer(buffer_of([(stamp(at(10)),)]), THREE, 900, selected=asked)


def buffer_of(rows: list[tuple[Any, ...]]) -> EncodedData:
    kinds = {bytes: D.OCTET_STRING, int: D.DOUBLE_LONG_UNSIGNED}
    return typed_rows(*(tuple((kinds[type(cell)], cell) for cell in row) for row in rows))


def quarters(*numbers: int) -> list[tuple[Any, ...]]:
    return [(stamp(at(0) + number * dt.timedelta(minutes=15)), number) for number in numbers]


@pytest.mark.parametrize("method", [SortMethod.FIFO, SortMethod.LIFO])
@pytest.mark.parametrize(("entries", "left"), [((1, 0), 6), ((2, 3), 2), ((5, 0), 2), ((6, 9), 1), ((7, 0), 0)])
def test_rows_of_a_whole_buffer_are_cut_in_its_own_order(
    method: SortMethod, entries: tuple[int, int], left: int
) -> None:
    numbers = [1, 2, 3, 4, 5, 6] if method is SortMethod.FIFO else [6, 5, 4, 3, 2, 1]
    profile = LoadProfile.from_buffer(quarters(*numbers), [CLOCK, STATUS], 900, sort_method=method, entries=entries)
    kept = numbers[entries[0] - 1 : entries[1] or None]
    assert [row.values[0] for row in profile] == sorted(kept)
    assert len(kept) == left
    assert profile.deviations == ()


def test_rows_that_were_asked_for_by_number_are_not_cut_again() -> None:
    asked = LoadProfile.from_buffer(quarters(5, 6), [CLOCK, STATUS], 900, entries=(5, 6), asked=True)
    assert (len(asked), asked.deviations) == (2, ())
    more = LoadProfile.from_buffer(quarters(5, 6, 7), [CLOCK, STATUS], 900, entries=(5, 0), asked=True)
    assert (len(more), more.deviations) == (3, ())
    ignored = LoadProfile.from_buffer(quarters(1, 2, 3, 4), [CLOCK, STATUS], 900, entries=(2, 3), asked=True)
    assert [row.values[0] for row in ignored] == [2, 3]
    assert [str(one) for one in ignored.deviations] == ["buffer: rows 2 to 3 expected, 4 rows found"]


def test_rows_outside_of_a_range_that_was_asked_for_are_dropped_and_told() -> None:
    rows = quarters(0, 1, 2, 3, 4, 9)
    how = {"since": at(0, 15), "until": at(0, 45)}
    asked = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900, asked=True, **how)
    assert [row.values[0] for row in asked] == [2, 3]
    assert [str(one) for one in asked.deviations] == ["buffer: only rows of the range expected, 3 others found"]
    assert (asked.since, asked.until) == (at(0, 15), at(0, 45))
    own = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900, **how)
    assert (len(own), own.deviations) == (2, ())
    edges = LoadProfile.from_buffer(quarters(1, 2, 3), [CLOCK, STATUS], 900, asked=True, **how)
    assert (len(edges), edges.deviations) == (2, ()), "both bounds of a range belong to it"


def test_parts_that_were_read_one_after_the_other_join() -> None:
    rows = quarters(*range(9))
    how: dict[str, Any] = {"zone": BERLIN, "asked": True}
    parts = [
        LoadProfile.from_buffer(rows[first : first + 4], [CLOCK, STATUS], 900, since=since, until=until, **how)
        for first, since, until in ((0, at(0), at(0, 45)), (3, at(0, 45), at(1, 30)), (6, at(1, 30), at(2)))
    ]
    joined = LoadProfile.join(parts)
    whole = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900, since=at(0), until=at(2), **how)
    assert list(joined) == list(whole)
    assert joined.to_dict() == whole.to_dict()
    assert (joined.since, joined.until, joined.gaps()) == (at(0), at(2), [])
    assert LoadProfile.join(parts[:1]) is parts[0]


def test_only_parts_of_one_profile_join() -> None:
    some = LoadProfile.from_buffer([(stamp(at(10)), 5)], [CLOCK, STATUS], 900)
    other = LoadProfile.from_buffer([(stamp(at(10)), 5)], [CLOCK, ENERGY], 900)
    for parts in ([], [some, other]):
        with pytest.raises(ConfigurationError):
            LoadProfile.join(parts)


def test_deviations_of_parts_are_told_once_each() -> None:
    how: dict[str, Any] = {"since": at(0), "until": at(0, 15), "asked": True}
    parts = [LoadProfile.from_buffer(quarters(1, 9), [CLOCK, STATUS], 900, **how) for _ in range(2)]
    assert len(LoadProfile.join(parts).deviations) == 1


def test_the_newest_rows_are_the_last_ones() -> None:
    profile = LoadProfile.from_buffer(quarters(1, 2, 3), [CLOCK, STATUS], 900)
    assert [row.values[0] for row in profile.tail(2)] == [2, 3]
    assert len(profile.tail(9)) == 3
    assert len(profile.tail(0)) == 0


def test_a_buffer_whose_rows_are_of_one_shape_with_deltas_is_read() -> None:
    clock = (D.OCTET_STRING, stamp(at(10)))
    rows = [(clock, (D.DOUBLE_LONG_UNSIGNED, 100)), *[(clock, (D.DELTA_UNSIGNED, 3))] * 3]
    few = LoadProfile.from_buffer(typed_rows(*rows), [CLOCK, STATUS], 0)
    assert [row.values[0] for row in few] == [100, 103, 106, 109]
    only = typed_rows(*[(clock, (D.DELTA_UNSIGNED, 3))] * 20)
    with pytest.raises(DecodeError, match="before the first delta"):
        LoadProfile.from_buffer(only, [CLOCK, STATUS], 0)


def test_rows_in_no_order_of_time_are_put_in_it() -> None:
    profile = LoadProfile.from_buffer(quarters(3, 1, 2), [CLOCK, STATUS], 900, sort_method=SortMethod.NEAREST_TO_ZERO)
    assert [row.values[0] for row in profile] == [1, 2, 3]


cells = st.one_of(
    st.none(), st.booleans(), st.integers(-(1 << 70), 1 << 70), st.binary(max_size=13), st.text(max_size=3),
    st.floats(), st.just(DONT_CARE), st.binary(min_size=12, max_size=12),
    st.tuples(st.sampled_from([D.DELTA_LONG, D.UNSIGNED, D.NULL_DATA]), st.integers(0, 9)),
    st.tuples(st.just(D.NULL_DATA), st.none()),
)  # fmt: skip


@given(st.lists(st.tuples(cells, cells)), st.sampled_from([0, 900, 86_400]), st.sampled_from(list(SortMethod)),
       st.sampled_from([None, BERLIN]))  # fmt: skip
def test_any_rows_give_a_profile_or_one_decode_error(
    rows: list[Any], period: int, method: SortMethod, zone: dt.tzinfo | None
) -> None:
    try:
        profile = LoadProfile.from_buffer(
            rows, [CLOCK, ENERGY], period, sort_method=method, zone=zone, since=at(0), until=at(23)
        )
    except DecodeError:
        return
    json.dumps(profile.to_dict())
    for row in profile:
        if row.interval_start is not None and row.interval_end is not None:
            assert row.interval_start < row.interval_end


@given(st.lists(st.integers(0, 300), min_size=1), st.randoms())
def test_intervals_of_one_profile_never_overlap(minutes: list[int], random: Any) -> None:
    rows = [(stamp(at(0) + dt.timedelta(minutes=minute)), minute) for minute in minutes]
    random.shuffle(rows)
    found = [(row.interval_start, row.interval_end) for row in LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900)]
    assert len(found) == len(minutes)
    distinct = sorted(set(found))
    assert all(before[1] <= after[0] for before, after in pairwise(distinct))  # type: ignore[operator]  # all have both
