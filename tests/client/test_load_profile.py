"""Load profiles over an association: what is asked for, what is learnt, and what a meter may do otherwise."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from inspect import signature
from typing import Any

import pytest

from cosemic.association.service_provider import ServerSettings
from cosemic.client import BlockingMeter, Meter
from cosemic.client.procedures.profiles import ProfileProcedures
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, DeviationSign, MeasuredSide
from cosemic.errors import ConfigurationError, DataAccessError
from cosemic.model import (
    AMRProfileStatus,
    Column,
    Data,
    EntryDescriptor,
    LoadProfile,
    ProfileGeneric,
    RangeDescriptor,
    Register,
    ScalerUnit,
    SortMethod,
    TransformerRatios,
)
from cosemic.server import CosemObject
from cosemic.values import Conformance, DataAccessResult, DateTime, Obis, Quantity, Unit
from tests.client.procedures.bench import Bench
from tests.client.procedures.profile_meter import CLOCK, PROFILE, Cell, ProfileMeter, captured
from tests.model.profiles import BERLIN, UTC, at

D, R = DataType, DataAccessResult
WH, VOLT = ScalerUnit(-1, Unit(30)), ScalerUnit(-2, Unit(35))
COLUMNS = [CLOCK, captured("0-0:96.10.1", 1), captured("1-0:1.8.0"), captured("1-0:32.7.0")]
QUARTER = dt.timedelta(minutes=15)
ENERGY, VOLTAGE = Obis("1-0:1.8.0"), Obis("1-0:32.7.0")
ONE, TWO = at(1), at(2)
UNSELECTIVE = ServerSettings(conformance=Conformance.GET | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ)


def cells(number: int) -> tuple[Cell, ...]:
    return (D.UNSIGNED, number % 256), (D.DOUBLE_LONG_UNSIGNED, 1000 + number), (D.LONG_UNSIGNED, 23_000 + number)


def rows(first: int, last: int) -> list[tuple[dt.datetime, tuple[Cell, ...]]]:
    """The rows that end so many quarters of an hour after midnight."""
    return [(at(0) + number * QUARTER, cells(number)) for number in range(first, last + 1)]


def profile_of(last: int = 12, **how: Any) -> ProfileMeter:
    return ProfileMeter(COLUMNS, rows(0, last), **how)


def register(code: str | Obis, scaler_unit: ScalerUnit, value: int = 0) -> CosemObject:
    return CosemObject(Register(code), {"value": (D.DOUBLE_LONG_UNSIGNED, value), "scaler_unit": scaler_unit})


def bench(profile: ProfileMeter, *more: CosemObject, **how: Any) -> Bench:
    return Bench(profile, register(ENERGY, WH), register(VOLTAGE, VOLT), *more, **how)


def read(end: Bench, since: Any = ONE, until: Any = TWO, **how: Any) -> LoadProfile:
    return end.run(ProfileProcedures(end.session).load_profile(PROFILE, since, until, **how))


def entries(end: Bench, *numbers: int, **how: Any) -> LoadProfile:
    return end.run(ProfileProcedures(end.session).load_profile_entries(PROFILE, *numbers, **how))


def newest(end: Bench, count: int, **how: Any) -> LoadProfile:
    return end.run(ProfileProcedures(end.session).load_profile_newest(PROFILE, count, **how))


def numbers(found: LoadProfile) -> list[int]:
    """Which quarters of an hour the rows are."""
    return [int((row.interval_end - at(0)) / QUARTER) for row in found if row.interval_end]


def told(found: LoadProfile) -> list[str]:
    return [str(one) for one in found.deviations]


# ---- a range by time -------------------------------------------------------------------------------------------------


def test_a_range_is_asked_for_and_has_its_meaning() -> None:
    meter = profile_of()
    found = read(bench(meter))
    assert numbers(found) == [5, 6, 7, 8]
    first = next(found.rows())
    assert first.values == (5, Quantity(1005, -1, 30), Quantity(23_005, -2, 35))
    assert (first.interval_start, first.interval_end) == (at(1), at(1, 15))
    assert (found.since, found.until, found.deviations, found.gaps()) == (at(1), at(2), (), [])
    (asked,) = meter.asked
    assert isinstance(asked, RangeDescriptor)
    assert asked.restricting_object == CLOCK
    assert [DateTime(bound).to_datetime() for bound in (asked.from_value, asked.to_value)] == [
        at(1),
        at(2) + QUARTER / 2,
    ]
    assert asked.selected_values == ()


def test_what_a_profile_captures_is_learnt_once() -> None:
    end = bench(profile_of())
    read(end)
    before = end.requests
    read(end)
    assert end.requests == before + 1


def test_naive_times_and_text_are_in_the_zone_of_the_meter() -> None:
    end = bench(profile_of(), zone=BERLIN)
    assert numbers(read(end, dt.datetime(2026, 11, 20, 2), "2026-11-20T03:00")) == [5, 6, 7, 8]
    assert numbers(read(end, "2026-11-20T02:00+01:00", "2026-11-20T03:00+01:00")) == [5, 6, 7, 8]
    with pytest.raises(ConfigurationError, match="no time"):
        read(end, "yesterday")
    with pytest.raises(ConfigurationError, match="lies behind"):
        read(end, at(2), at(1))


def test_a_meter_without_selective_access_is_read_whole() -> None:
    meter = profile_of()
    end = bench(meter, settings=UNSELECTIVE)
    found = read(end, columns=[ENERGY])
    assert (numbers(found), [one.obis for one in found.columns], told(found)) == ([5, 6, 7, 8], [ENERGY], [])
    assert meter.asked == [None]
    progress: list[tuple[int, int]] = []
    assert numbers(read(end, part=QUARTER, progress=lambda *done: progress.append(done))) == [5, 6, 7, 8]
    assert (meter.asked, progress) == ([None, None], [(4, 4)])


@pytest.mark.parametrize("result", [R.SCOPE_OF_ACCESS_VIOLATED, R.TYPE_UNMATCHED, R.OTHER_REASON])
def test_a_meter_that_refuses_to_select_is_read_whole_and_told_of(result: DataAccessResult) -> None:
    meter = profile_of()
    meter.refuses = {"rows": result}
    found = read(bench(meter))
    assert (numbers(found), len(meter.asked)) == ([5, 6, 7, 8], 2)
    assert told(found) == ["buffer: a selection of rows expected, the selection refused, and all rows read found"]


def test_a_refusal_that_has_nothing_to_do_with_the_selection_is_one() -> None:
    meter = profile_of()
    meter.refuses = {"rows": R.READ_WRITE_DENIED}
    with pytest.raises(DataAccessError, match="read-write-denied"):
        read(bench(meter))
    assert len(meter.asked) == 1


def test_rows_that_were_not_asked_for_are_dropped_and_told() -> None:
    meter = profile_of()
    meter.ignores = {"rows"}
    found = read(bench(meter))
    assert numbers(found) == [5, 6, 7, 8]
    assert told(found) == ["buffer: only rows of the range expected, 8 others found"]


def test_a_profile_without_clock_is_read_whole() -> None:
    meter = ProfileMeter(COLUMNS[1:], [], name=PROFILE)
    assert len(read(bench(meter))) == 0
    assert meter.asked == [None]
    assert told(read(bench(meter))) == []


def test_the_sign_of_the_deviation_is_that_of_the_dialect() -> None:
    meter = profile_of(stamps=lambda moment: DateTime.from_datetime(moment.astimezone(BERLIN), inverted_deviation=True))
    end = bench(meter, zone=BERLIN, dialect=STANDARD.but(deviation_sign=DeviationSign.INVERTED))
    meter.between = lambda first, last: list(range(4, 9))  # type: ignore[method-assign]  # bounds are looked at below
    assert numbers(read(end)) == [5, 6, 7, 8]
    (asked,) = meter.asked
    assert isinstance(asked, RangeDescriptor)
    assert DateTime(asked.from_value).deviation == 60


def test_bounds_go_out_without_deviation_where_the_dialect_says_so() -> None:
    def wall(moment: dt.datetime) -> DateTime:
        return DateTime.from_datetime(moment.astimezone(BERLIN).replace(tzinfo=None))

    meter = profile_of(stamps=wall)
    end = bench(meter, zone=BERLIN, dialect=STANDARD.but(deviation_in_ranges=False))
    assert numbers(read(end)) == [5, 6, 7, 8]
    (asked,) = meter.asked
    assert isinstance(asked, RangeDescriptor)
    assert str(DateTime(asked.from_value)) == "2026-11-20 02:00:00"


def test_a_night_without_deviation_is_read_whole_and_in_order() -> None:
    def wall(moment: dt.datetime) -> DateTime:
        return DateTime.from_datetime(moment.astimezone(BERLIN).replace(tzinfo=None, fold=0))

    first = dt.datetime(2026, 10, 24, 22, tzinfo=UTC)
    night = [(first + number * QUARTER, cells(number)) for number in range(40)]
    found = read(bench(ProfileMeter(COLUMNS, night, stamps=wall), zone=BERLIN), first, first + 36 * QUARTER)
    assert [row.values[0] for row in found] == list(range(1, 37))
    assert [row.interval_end for row in found] == [moment for moment, _ in night[1:37]]
    assert not any(row.marks for row in found)


# ---- columns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["1-0:1.8.0", ENERGY, Column(captured("1-0:1.8.0"))])
def test_only_the_columns_that_are_wanted_are_asked_for(wanted: Any) -> None:
    meter = profile_of()
    found = read(bench(meter), columns=[wanted])
    assert (numbers(found), [one.obis for one in found.columns]) == ([5, 6, 7, 8], [ENERGY])
    assert next(found.rows()).values == (Quantity(1005, -1, 30),)
    (asked,) = meter.asked
    assert isinstance(asked, RangeDescriptor)
    assert asked.selected_values == (CLOCK, captured("1-0:1.8.0"))
    assert told(found) == []


def test_columns_come_in_the_order_in_which_they_are_captured() -> None:
    found = read(bench(profile_of()), columns=[VOLTAGE, ENERGY])
    assert [one.obis for one in found.columns] == [ENERGY, VOLTAGE]
    assert next(found.rows()).values == (Quantity(1005, -1, 30), Quantity(23_005, -2, 35))


def test_a_meter_that_refuses_to_select_columns_is_asked_for_all_of_them() -> None:
    meter = profile_of()
    meter.refuses = {"columns": R.OTHER_REASON}
    end = bench(meter)
    found = read(end, columns=[ENERGY], part=2 * QUARTER)
    assert (numbers(found), [one.obis for one in found.columns]) == ([5, 6, 7, 8], [ENERGY])
    assert [len(asked.selected_values) for asked in meter.asked if isinstance(asked, RangeDescriptor)] == [2, 0, 0]


def test_a_meter_that_does_not_heed_the_columns_is_told_of() -> None:
    meter = profile_of()
    meter.ignores = {"columns"}
    found = read(bench(meter), columns=[ENERGY])
    assert (numbers(found), [one.obis for one in found.columns]) == ([5, 6, 7, 8], [ENERGY])
    assert told(found) == ["buffer: 2 columns expected, all 4 found"]


def test_a_column_that_is_not_captured_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"1-0:9\.9\.9 is not captured; .*1-0:1\.8\.0"):
        read(bench(profile_of()), columns=["1-0:9.9.9"])
    with pytest.raises(ConfigurationError, match="not captured"):
        read(bench(profile_of()), columns=[Column(captured("1-0:1.8.0", attribute=3))])


# ---- parts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [15, 20, 30, 45, 7, 10_000])
@pytest.mark.parametrize("method", [SortMethod.FIFO, SortMethod.LIFO])
def test_a_range_in_parts_is_the_range(minutes: int, method: SortMethod) -> None:
    whole = read(bench(profile_of(100, method=method)), at(1), at(20))
    meter = profile_of(100, method=method)
    progress: list[tuple[int, int]] = []
    part = dt.timedelta(minutes=minutes)
    found = read(bench(meter), at(1), at(20), part=part, progress=lambda *done: progress.append(done))
    assert found.to_dict() == whole.to_dict()
    assert (found.since, found.until) == (at(1), at(20))
    parts = -(-19 * 60 // minutes)
    assert progress == [(number, parts) for number in range(1, parts + 1)]
    assert len(meter.asked) == parts


def test_a_part_is_some_time() -> None:
    with pytest.raises(ConfigurationError, match="no time"):
        read(bench(profile_of()), part=dt.timedelta(0))


def test_events_on_the_bound_of_two_parts_come_once() -> None:
    meter = profile_of(period=0)
    assert numbers(read(bench(meter), at(1), at(2), part=2 * QUARTER)) == [4, 5, 6, 7]


# ---- entries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("selective", [True, False])
@pytest.mark.parametrize(
    ("method", "span", "expected"),
    [
        (SortMethod.FIFO, (1, 3), [0, 1, 2]),
        (SortMethod.FIFO, (11, 0), [10, 11, 12]),
        (SortMethod.LIFO, (1, 3), [10, 11, 12]),
        (SortMethod.LIFO, (12, 20), [0, 1]),
    ],
)
def test_rows_are_read_by_their_number(
    selective: bool, method: SortMethod, span: tuple[int, int], expected: list[int]
) -> None:
    meter = profile_of(method=method)
    found = entries(bench(meter, settings=None if selective else UNSELECTIVE), *span)
    assert (numbers(found), told(found)) == (expected, [])
    assert meter.asked == [EntryDescriptor(*span, 1, 0) if selective else None]


def test_of_entries_the_span_of_columns_is_asked_for_that_holds_those_wanted() -> None:
    meter = profile_of()
    found = entries(bench(meter), 2, 3, columns=[ENERGY])
    assert meter.asked == [EntryDescriptor(2, 3, 1, 3)]
    assert ([one.obis for one in found.columns], numbers(found), told(found)) == ([ENERGY], [1, 2], [])
    assert next(found.rows()).values == (Quantity(1001, -1, 30),)


def test_entries_that_a_meter_does_not_select_are_selected_here() -> None:
    meter = profile_of()
    meter.refuses = {"columns": R.SCOPE_OF_ACCESS_VIOLATED, "rows": R.SCOPE_OF_ACCESS_VIOLATED}
    found = entries(bench(meter), 2, 3, columns=[ENERGY])
    assert (numbers(found), len(meter.asked), len(told(found))) == ([1, 2], 3, 1)
    meter = profile_of()
    meter.ignores = {"columns", "rows"}
    found = entries(bench(meter), 2, 3, columns=[ENERGY])
    assert numbers(found) == [1, 2]
    assert told(found) == ["buffer: 3 columns expected, all 4 found", "buffer: rows 2 to 3 expected, 13 rows found"]


def test_all_entries_are_asked_for_without_a_selection() -> None:
    meter = profile_of()
    found = entries(bench(meter), 1, 0)
    assert (len(found), meter.asked, told(found)) == (13, [None], [])
    entries(bench(meter), 1, 0, columns=[ENERGY])
    assert meter.asked[1:] == [EntryDescriptor(1, 0, 1, 3)]


@pytest.mark.parametrize("span", [(0, 3), (3, 2), (-1, 0)])
def test_entries_count_from_one(span: tuple[int, int]) -> None:
    with pytest.raises(ConfigurationError, match="count from 1"):
        entries(bench(profile_of()), *span)


@pytest.mark.parametrize(
    ("method", "sort_object", "asked"),
    [
        (SortMethod.FIFO, None, EntryDescriptor(11, 0, 1, 0)),
        (SortMethod.LIFO, None, EntryDescriptor(1, 3, 1, 0)),
        (SortMethod.LARGEST, CLOCK, EntryDescriptor(1, 3, 1, 0)),
        (SortMethod.SMALLEST, CLOCK, EntryDescriptor(11, 0, 1, 0)),
        (SortMethod.SMALLEST, captured("1-0:1.8.0"), None),
        (SortMethod.NEAREST_TO_ZERO, None, None),
    ],
)
def test_the_newest_rows_lie_where_the_sort_method_puts_them(
    method: SortMethod, sort_object: Any, asked: EntryDescriptor | None
) -> None:
    meter = profile_of(method=method, sort_object=sort_object)
    found = newest(bench(meter), 3)
    assert (numbers(found), meter.asked) == ([10, 11, 12], [asked])


def test_more_than_there_are_is_all_of_them() -> None:
    assert numbers(newest(bench(profile_of(2)), 99)) == [0, 1, 2]
    with pytest.raises(ConfigurationError, match="at least one"):
        newest(bench(profile_of()), 0)
    assert numbers(newest(bench(profile_of(), settings=UNSELECTIVE), 2)) == [11, 12]


# ---- scalers, ratios, status -----------------------------------------------------------------------------------------


def scaler_profile(name: str, *more: Any) -> ProfileMeter:
    """A profile with one entry that captures the scalers of the objects of the other one."""
    objects = [captured("1-0:1.8.0", attribute=3), captured("1-0:32.7.0", attribute=3)]
    twin = ProfileMeter(objects, [], name=name)
    scalers = [(D.STRUCTURE, ((D.INTEGER, one.scaler), (D.ENUM, int(one.unit)))) for one in (WH, VOLT)]
    twin.rows = [(at(0), tuple(scalers))]
    return twin


@pytest.mark.parametrize("given", [True, False])
def test_scalers_come_in_one_read_from_the_scaler_profile_of_the_companion(given: bool) -> None:
    meter, twin = profile_of(), scaler_profile("1-0:94.91.4")
    # No register is there to be read: all that is known stands in the scaler profile.
    end = Bench(meter, twin)
    if not given:
        end.run(end.session.objects())
    end.fresh()
    found = read(end, scaler_profile=twin.instance_id if given else None)
    assert next(found.rows()).values[1:] == (Quantity(1005, -1, 30), Quantity(23_005, -2, 35))
    assert len(twin.asked) == 1
    read(end)
    assert len(twin.asked) == 1


def test_a_scaler_profile_is_not_looked_for_where_the_view_is_not_known() -> None:
    meter, twin = profile_of(), scaler_profile("1-0:94.91.4")
    found = read(bench(meter, twin))
    assert (next(found.rows()).values[1], twin.asked) == (Quantity(1005, -1, 30), [])


def test_a_scaler_profile_is_not_read_for_scalers_that_are_known() -> None:
    twin = scaler_profile("1-0:94.91.4")
    end = bench(profile_of(), twin)
    end.run(end.session.read_many([Register(ENERGY).value, Register(VOLTAGE).value]))
    read(end, scaler_profile=twin.instance_id)
    assert twin.asked == []


def test_scalers_that_a_scaler_profile_does_not_hold_are_read_one_by_one() -> None:
    twin = scaler_profile("1-0:94.7.4")
    twin.columns = twin.columns[:1]
    twin.put("capture_objects", tuple(twin.columns))
    end = bench(profile_of(), twin)
    end.run(end.session.objects())
    assert next(read(end).rows()).values[1:] == (Quantity(1005, -1, 30), Quantity(23_005, -2, 35))


@pytest.mark.parametrize("broken", ["missing", "empty", "no profile", "no columns"])
def test_a_scaler_profile_that_is_of_no_use_is_passed_over(broken: str) -> None:
    twin = scaler_profile("1-0:94.91.4")
    if broken == "empty":
        twin.rows = []
    elif broken == "no profile":
        twin.put("buffer", EncodedData.of(D.UNSIGNED, 5))
    elif broken == "no columns":
        twin.put("capture_objects", EncodedData.of(D.UNSIGNED, 5))
    end = bench(profile_of(), *([] if broken == "missing" else [twin]))
    found = read(end, scaler_profile="1-0:94.91.4")
    assert next(found.rows()).values[1:] == (Quantity(1005, -1, 30), Quantity(23_005, -2, 35))


def ratio(e: int, value: int, b: int = 0) -> CosemObject:
    return CosemObject(Data(f"1-{b}:0.4.{e}"), {"value": (D.LONG_UNSIGNED, value)})


def test_transformer_ratios_are_read_and_label_the_values() -> None:
    end = bench(profile_of(), ratio(2, 200), ratio(5, 5), ratio(3, 20_000), ratio(6, 100), ratio(2, 7, b=1))
    found = read(end, ratios="read")
    assert found.ratios == TransformerRatios(Fraction(40), Fraction(200))
    assert [one.side for one in found.columns] == [None, MeasuredSide.SECONDARY, MeasuredSide.SECONDARY]
    assert next(found.rows()).values[1:] == (Quantity(1005, -1, 30), Quantity(23_005, -2, 35))
    assert next(found.primary().rows()).values[1:] == (Quantity(1005 * 8000, -1, 30), Quantity(23_005 * 200, -2, 35))
    assert read(end).ratios is None


def test_a_ratio_may_be_a_register_with_a_scaler_on_another_channel() -> None:
    end = bench(profile_of(), register("1-1:0.4.2", ScalerUnit(-1, Unit(255)), 400))
    found = read(end, ratios="read", until=at(1, 15))
    assert found.ratios == TransformerRatios(Fraction(40))


def test_the_side_of_the_values_is_that_of_the_dialect() -> None:
    end = bench(profile_of(), ratio(2, 40), dialect=STANDARD.but(measured_side=MeasuredSide.PRIMARY))
    found = read(end, ratios="read")
    assert [one.side for one in found.columns] == [None, MeasuredSide.PRIMARY, MeasuredSide.PRIMARY]


def test_ratios_may_be_given() -> None:
    end = bench(profile_of())
    found = entries(end, 1, 2, ratios=TransformerRatios(Fraction(40)))
    assert next(found.primary().rows()).values[1] == Quantity(40_000, -1, 30)


def test_a_meter_without_ratios_has_none_and_one_that_shows_nonsense_is_told_of() -> None:
    found = read(bench(profile_of()), ratios="read")
    assert (found.ratios, told(found), found.columns[1].side) == (None, [], None)
    found = read(bench(profile_of(), ratio(2, 0)), ratios="read")
    assert found.ratios is None
    assert told(found) == ["transformer ratios: positive numbers expected, 0 is no transformer ratio found"]


def test_a_ratio_that_is_refused_is_none() -> None:
    hidden = CosemObject(Data("1-0:0.4.2"), {})
    assert read(bench(profile_of(), hidden), ratios="read").ratios is None


def test_the_bits_of_the_status_have_the_meaning_that_is_given() -> None:
    found = newest(bench(profile_of()), 5, status=AMRProfileStatus)
    assert [row.status.names() for row in found][:2] == [["daylight-saving"], ["critical-error", "daylight-saving"]]


# ---- both faces ------------------------------------------------------------------------------------------------------


def test_learning_columns_refuses_what_is_no_profile() -> None:
    end = Bench(CosemObject(ProfileGeneric(PROFILE), {"capture_period": 900}))
    with pytest.raises(DataAccessError):
        read(end)


def test_both_faces_take_the_same_arguments() -> None:
    names = list(signature(ProfileProcedures.load_profile).parameters)
    assert [list(signature(kind.load_profile).parameters) for kind in (Meter, BlockingMeter)] == [names, names]
