"""Scalers that stand in rows: of their own profile, or beside the values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cosemic.codec import DataType, EncodedData
from cosemic.model import CaptureObjectDefinition, LoadProfile, Register, ScalerUnit, scaler_profiles_of
from cosemic.model.profile_columns import Column, scaler_unit_captured, scaler_unit_in
from cosemic.model.scaler_profiles import scalers_in
from cosemic.values import DateTime, Obis, Quantity, Unit
from tests.model.profiles import CLOCK, ENERGY, STATUS, at, column, stamp

WH = Unit(30)
SCALER = column("1-0:1.8.0", 3, 3)


def test_companions_put_the_scalers_of_a_profile_where_the_reference_says() -> None:
    assert scaler_profiles_of(Obis("1-0:99.1.0")) == (Obis("1-0:94.91.4"), Obis("1-0:94.7.4"))
    assert scaler_profiles_of(Obis("0-0:99.98.2")) == (Obis("1-0:94.91.7"),)
    assert scaler_profiles_of(Obis("1-0:98.1.0")) == (Obis("1-0:94.91.6"), Obis("1-0:94.7.1"))
    assert scaler_profiles_of(Obis("0-1:24.3.0")) == ()


def test_a_scaler_profile_holds_the_scalers_of_the_objects_it_captures() -> None:
    captured = [
        CaptureObjectDefinition(8, Obis("0-0:1.0.0"), 2, 0),
        CaptureObjectDefinition(3, Obis("1-0:1.8.0"), 3, 0),
        CaptureObjectDefinition(5, Obis("1-0:1.4.0"), 4, 0),
        CaptureObjectDefinition(4, Obis("1-0:1.6.0"), 3, 0),
        CaptureObjectDefinition(3, Obis("1-0:2.8.0"), 3, 1),
        CaptureObjectDefinition(3, Obis("1-0:3.8.0"), 2, 0),
    ]
    buffer = EncodedData.from_typed(
        (DataType.ARRAY, ((DataType.STRUCTURE, (
            (DataType.OCTET_STRING, stamp(at(0))),
            *[(DataType.STRUCTURE, ((DataType.INTEGER, scaler), (DataType.ENUM, 30))) for scaler in (-3, -1, 2, 5)],
            (DataType.STRUCTURE, ((DataType.INTEGER, 1), (DataType.ENUM, 30))),
        )),))
    )  # fmt: skip
    (entry,) = buffer.value()
    found = scalers_in(captured, entry)
    assert [(str(one.instance_id), one.class_id, one.attribute_id, unit.scaler) for one, unit in found.items()] == [
        ("1-0:1.8.0*255", 3, 3, -3), ("1-0:1.4.0*255", 5, 4, -1), ("1-0:1.6.0*255", 4, 3, 2),
    ]  # fmt: skip
    assert found[Register("1-0:1.8.0").scaler_unit] == ScalerUnit(-3, WH)


@pytest.mark.parametrize("cell", [None, 5, (1,), (1, 2, 3), (200, 30), (1, 256), (True, 30), ("1", 30), [1, 30]])
def test_what_is_no_scaler_and_unit_is_none(cell: Any) -> None:
    assert scaler_unit_in(cell) is None
    assert SCALER.value(cell) == cell


def test_a_captured_scaler_unit_is_a_value_and_scales_the_value_beside_it() -> None:
    rows = [(stamp(at(10)), 5, (-2, 30)), (stamp(at(10, 15)), 7, (-2, 30))]
    for columns in ([CLOCK, column("1-0:1.8.0"), SCALER], [CLOCK, ENERGY, SCALER]):
        profile = LoadProfile.from_buffer(rows, columns, 900)
        assert profile.columns[0].scaler_unit == ScalerUnit(-2, WH)
        assert [row.values for row in profile] == [
            (Quantity(5, -2, WH), ScalerUnit(-2, WH)),
            (Quantity(7, -2, WH), ScalerUnit(-2, WH)),
        ]
        assert [row["values"] for row in profile.to_dict()["rows"]] == [[5, [-2, 30]], [7, [-2, 30]]]


def test_scalers_that_change_from_row_to_row_are_brought_to_one_exactly() -> None:
    rows = [(stamp(at(10)), 5, (-2, 30)), (stamp(at(10, 15)), 7, (1, 30)), (stamp(at(10, 30)), None, (0, 30))]
    profile = LoadProfile.from_buffer(rows, [CLOCK, ENERGY, SCALER], 900, nulls_repeat=False)
    assert profile.columns[0].scaler_unit == ScalerUnit(-2, WH)
    assert [row.values[0] and row.values[0].value for row in profile] == [Decimal("0.05"), Decimal(70), None]


def test_units_that_change_make_each_value_a_quantity_of_its_own() -> None:
    rows = [(stamp(at(10)), 5, (0, 30)), (stamp(at(10, 15)), 7, (0, 31)), (stamp(at(10, 30)), b"x", (0, 31))]
    profile = LoadProfile.from_buffer(rows, [CLOCK, column("1-0:1.8.0"), SCALER], 900)
    assert [row.values[0] for row in profile] == [Quantity(5, 0, WH), Quantity(7, 0, Unit(31)), b"x"]
    assert profile.columns[0].scaler_unit is None
    assert [row["values"][0] for row in profile.to_dict()["rows"]] == ["5 Wh", "7 VAh", "78"]


def test_a_row_that_says_no_scaler_has_that_of_the_column() -> None:
    rows = [(stamp(at(10)), 5, (-1, 30)), (stamp(at(10, 15)), 7, None)]
    profile = LoadProfile.from_buffer(rows, [CLOCK, ENERGY, SCALER], 900, nulls_repeat=False)
    assert [row.values[0] for row in profile] == [Quantity(5, -1, WH), Quantity(7, -1, WH)]
    bare = LoadProfile.from_buffer(rows, [CLOCK, column("1-0:1.8.0"), SCALER], 900, nulls_repeat=False)
    assert [row.values[0] for row in bare] == [Quantity(5, -1, WH), 7]


def test_a_profile_without_rows_keeps_the_scalers_that_are_known() -> None:
    profile = LoadProfile.from_buffer(EncodedData(b"\1\0"), [CLOCK, ENERGY, SCALER], 900)
    assert profile.columns[0].scaler_unit == ENERGY.scaler_unit
    joined = LoadProfile.join([profile, profile])
    assert (joined.columns[0].scaler_unit, len(joined)) == (ENERGY.scaler_unit, 0)


def test_a_status_is_never_scaled_by_what_stands_beside_it() -> None:
    rows = [(stamp(at(10)), 5, (-2, 30), (-1, 30))]
    profile = LoadProfile.from_buffer(rows, [CLOCK, STATUS, SCALER, column("0-0:96.1.0", 1)], 900)
    assert next(profile.rows()).values == (5, ScalerUnit(-2, WH), (-1, 30))


def test_parts_with_other_scalers_join_to_one() -> None:
    def part(hour: int, raw: int, scaler: int) -> LoadProfile:
        return LoadProfile.from_buffer([(stamp(at(hour)), raw, (scaler, 30))], [CLOCK, ENERGY, SCALER], 900)

    joined = LoadProfile.join([part(10, 5, 0), part(11, 7, -3), part(12, 9, 0)])
    assert joined.columns[0].scaler_unit == ScalerUnit(-3, WH)
    assert [row.values[0].value for row in joined] == [5, Decimal("0.007"), 9]


def test_a_demand_register_is_captured_with_all_that_it_has() -> None:
    watts = ScalerUnit(-1, Unit(27))
    columns = [
        CLOCK, column("1-0:1.4.0", 5, 1), column("1-0:1.4.0", 5, 2, watts), column("1-0:1.4.0", 5, 3, watts),
        column("1-0:1.4.0", 5, 4), column("1-0:1.4.0", 5, 5), column("1-0:1.4.0", 5, 6), column("1-0:1.4.0", 5, 7),
    ]  # fmt: skip
    start, end = stamp(at(9)), stamp(at(10))
    row = (end, Obis("1-0:1.4.0").octets, 15, 16, (-2, 27), 3, end, start)
    (found,) = LoadProfile.from_buffer([row], columns, 900)
    assert found.values == (
        Obis("1-0:1.4.0"), Quantity(15, -2, 27), Quantity(16, -2, 27), ScalerUnit(-2, Unit(27)), 3,
        DateTime(end), DateTime(start),
    )  # fmt: skip
    assert type(found.values[0]) is Obis
    assert found.status is None, "the status of a register is none of the row"


def test_an_extended_register_is_captured_with_all_that_it_has() -> None:
    columns = [CLOCK, *(column("1-0:1.6.0", 4, number) for number in (1, 4, 5))]
    (found,) = LoadProfile.from_buffer([(stamp(at(10)), b"short", 3, b"never")], columns, 900)
    assert found.values == (b"short", 3, b"never")
    (found,) = LoadProfile.from_buffer([(stamp(at(10)), bytes(6), 3, stamp(at(9)))], columns, 900)
    assert found.values == (Obis(bytes(6)), 3, DateTime(stamp(at(9))))


def test_a_part_of_an_attribute_is_the_value_that_was_sent() -> None:
    parts = [CLOCK, column("1-0:1.8.0", 3, 3, data_index=1), column("1-0:1.8.0", 3, 1, data_index=1)]
    (found,) = LoadProfile.from_buffer([(stamp(at(10)), -3, bytes(6))], parts, 900)
    assert found.values == (-3, bytes(6))
    assert type(found.values[1]) is bytes
    assert scaler_unit_captured(parts[1].capture_object) is None


def test_manufacturer_attributes_are_shown_by_their_number() -> None:
    own = Column(CaptureObjectDefinition(7, Obis("1-0:99.1.0"), -1, 0))
    (found,) = LoadProfile.from_buffer([(stamp(at(10)), 77)], [CLOCK, own], 900)
    assert (found.values, own.name.rpartition(", ")[2]) == ((77,), "attribute -1")


def test_billing_without_a_clock_is_stamped_by_the_time_of_billing() -> None:
    billed = [column("0-0:0.1.2", 3), ENERGY]
    rows = [(stamp(at(0, day=1)), 5), (stamp(at(0, day=1, month=12)), 9)]
    profile = LoadProfile.from_buffer(rows, billed, 0)
    assert [(row.interval_end, row.values[0].raw) for row in profile] == [
        (at(0, day=1), 5),
        (at(0, day=1, month=12), 9),
    ]
    both = LoadProfile.from_buffer([(stamp(at(0, day=1)), stamp(at(1)), 5)], [billed[0], CLOCK, ENERGY], 0)
    (row,) = both
    assert (row.interval_end, row.values) == (at(1), (DateTime(stamp(at(0, day=1))), Quantity(5, -1, WH)))
