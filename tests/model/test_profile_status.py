"""What the bits of a status say, and what is marked for it."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic.model import AMRProfileStatus, LoadProfile, Mark, ProfileStatus, VDEWStatus
from cosemic.model.profile_status import status_names
from cosemic.values import BitString
from tests.model.profiles import CLOCK, ENERGY, STATUS, at, column, stamp

# Bit 0 first, as the DSMR P3 companion and the product manuals of IDIS meters (AMR), and of VDEW meters list them.
AMR = "critical-error clock-invalid data-not-valid daylight-saving bit-4 clock-adjusted recovered-value power-down"
VDEW = "fatal-error reserve-exhausted value-disturbed season-changed reset clock-adjusted power-up power-down"


@pytest.mark.parametrize(("kind", "names"), [(AMRProfileStatus, AMR), (VDEWStatus, VDEW)])
def test_each_bit_has_its_name(kind: type[ProfileStatus], names: str) -> None:
    for number, name in enumerate(names.split()):
        bits = kind.of(1 << number)
        assert bits is not None
        assert bits.names() == [name]
    assert kind(0x180).names() == [names.split()[7], "bit-8"]


def test_the_bit_of_a_bit_string_that_is_sent_first_is_bit_0() -> None:
    assert AMRProfileStatus.of(BitString("00100001")) == AMRProfileStatus.DATA_NOT_VALID | AMRProfileStatus.POWER_DOWN


@pytest.mark.parametrize("value", [None, True, -1, b"\x01", "1", 1.0, (1,)])
def test_what_has_no_bits_stays_as_it_was_sent(value: Any) -> None:
    assert AMRProfileStatus.of(value) is None
    assert status_names(value) is None
    (row,) = LoadProfile.from_buffer([(stamp(at(10)), value)], [CLOCK, STATUS], 900, status=AMRProfileStatus)
    assert (row.status, row.marks) == (value, Mark(0))


def test_the_status_of_a_row_has_its_bits_where_their_meaning_is_known() -> None:
    rows = [(stamp(at(10)), 0x28, 5), (stamp(at(10, 15)), 0, 6)]
    known = LoadProfile.from_buffer(rows, [CLOCK, STATUS, ENERGY], 900, status=AMRProfileStatus)
    first, second = known.rows()
    assert first.status == AMRProfileStatus.DAYLIGHT_SAVING | AMRProfileStatus.CLOCK_ADJUSTED
    assert isinstance(first.status, AMRProfileStatus)
    assert (second.status, second.values[0]) == (0, 0)
    assert [row["status"] for row in known.to_dict()["rows"]] == [["daylight-saving", "clock-adjusted"], []]
    raw = LoadProfile.from_buffer(rows, [CLOCK, STATUS, ENERGY], 900)
    assert [(row.status, type(row.status)) for row in raw] == [(0x28, int), (0, int)]
    assert [row["status"] for row in raw.to_dict()["rows"]] == [None, None]


@pytest.mark.parametrize(
    ("kind", "bits", "marks"),
    [
        (AMRProfileStatus, 0x01, Mark.DATA_INVALID),
        (AMRProfileStatus, 0x02, Mark.CLOCK_INVALID),
        (AMRProfileStatus, 0x06, Mark.CLOCK_INVALID | Mark.DATA_INVALID),
        (AMRProfileStatus, 0xF8, Mark(0)),
        (VDEWStatus, 0x01, Mark.DATA_INVALID),
        (VDEWStatus, 0x02, Mark.CLOCK_INVALID),
        (VDEWStatus, 0x04, Mark.DATA_INVALID),
        (VDEWStatus, 0xF8, Mark(0)),
    ],
)
def test_a_status_that_speaks_against_its_row_marks_it(kind: type[ProfileStatus], bits: int, marks: Mark) -> None:
    rows = [(stamp(at(10)), bits), (stamp(at(10, 15)), bits)]
    assert [row.marks for row in LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900, status=kind)] == [marks, marks]
    assert [row.marks for row in LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900)] == [Mark(0)] * 2


def test_a_profile_without_status_has_none() -> None:
    profile = LoadProfile.from_buffer([(stamp(at(10)), 5)], [CLOCK, ENERGY], 900, status=AMRProfileStatus)
    assert profile.statuses() is None
    assert [row.status for row in profile] == [None]


@pytest.mark.parametrize(
    ("code", "is_status"),
    [("0-0:96.10.7", True), ("7-1:96.5.1", True), ("0-0:96.240.12", True), ("0-0:96.240.13", False),
     ("0-0:96.11.0", False), ("1-0:1.8.0", False)],
)  # fmt: skip
def test_which_columns_are_a_status(code: str, is_status: bool) -> None:
    assert column(code, 1).is_status is is_status
    assert not column(code, 1, 1).is_status
