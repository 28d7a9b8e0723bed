"""The Special days table: which days count as which others (class 11)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import SpecDayEntry, SpecialDaysTable
from cosemic.server.special_days import SpecialDaysObject
from cosemic.server.state import StateFile
from cosemic.values import DataAccessResult, Date
from tests.server.time_support import Running, on, utc

NAME = "0-0:11.0.0"
CHRISTMAS, NEW_YEAR, EASTER = (
    SpecDayEntry(1, on("*-12-25"), 10), SpecDayEntry(2, on("*-01-01"), 10), SpecDayEntry(3, on("2026-04-05"), 11),
)  # fmt: skip
SUCCESS = DataAccessResult.SUCCESS
OTHER = DataAccessResult.OTHER_REASON


def entry(one: SpecDayEntry) -> EncodedData:
    return EncodedData.from_typed(SpecDayEntry.encode(one))


def entries(*several: SpecDayEntry) -> EncodedData:
    return EncodedData.from_typed(SpecialDaysTable.entries.type.encode(several))


def running_with(*several: SpecDayEntry, **options: Any) -> Running:
    running = Running(utc(2026, 1, 1))
    running.device.add(SpecialDaysObject(NAME, several, **options))
    return running


def table(running: Running) -> list[int]:
    return [one[0] for one in running.view.get(11, NAME, 2).value()]


def test_a_day_counts_as_the_entry_with_the_lowest_index_says() -> None:
    special = SpecialDaysObject(NAME, [SpecDayEntry(8, on("*-12-*"), 1), CHRISTMAS, EASTER, SpecDayEntry(9, on(), 2)])
    assert special.day_id(dt.date(2030, 12, 25), None) == 10
    assert special.day_id(dt.date(2030, 12, 24), None) == 1
    assert special.day_id(dt.date(2026, 4, 5), None) == 11
    assert special.day_id(dt.date(2027, 4, 5), None) == 2


def test_months_of_daylight_saving_are_those_of_the_clock() -> None:
    special = SpecialDaysObject(NAME, [SpecDayEntry(1, Date.of(month=0xFE, day_of_month=1), 4)])
    assert special.day_id(dt.date(2026, 3, 1), (3, 10)) == 4
    assert special.day_id(dt.date(2026, 3, 1), None) is None


def test_insert_takes_the_place_of_the_same_index_or_the_same_date() -> None:
    running = running_with(CHRISTMAS, NEW_YEAR)
    assert running.act(11, NAME, 1, entry(EASTER)) == "success"
    assert table(running) == [1, 2, 3]
    assert running.act(11, NAME, 1, entry(SpecDayEntry(2, on("2026-05-01"), 12))) == "success"
    assert sorted(table(running)) == [1, 2, 3]
    assert running.act(11, NAME, 1, entry(SpecDayEntry(7, on("*-12-25"), 13))) == "success"
    assert sorted(table(running)) == [2, 3, 7]


def test_delete_takes_away_one_index() -> None:
    running = running_with(CHRISTMAS, NEW_YEAR)
    assert running.act(11, NAME, 2, EncodedData.of(DataType.LONG_UNSIGNED, 1)) == "success"
    assert running.act(11, NAME, 2, EncodedData.of(DataType.LONG_UNSIGNED, 1)) == "other-reason"
    assert table(running) == [2]


@pytest.mark.parametrize(
    "wrong",
    [
        [CHRISTMAS, SpecDayEntry(1, on("*-12-26"), 1)],
        [CHRISTMAS, SpecDayEntry(2, on("*-12-25"), 1)],
        [SpecDayEntry(1, on("*-02-30"), 1)],
        [SpecDayEntry(1, on("2026-12-25 1"), 1)],  # a Friday
    ],
)
def test_entries_that_cannot_be_told_apart_or_are_no_days_are_refused(wrong: list[SpecDayEntry]) -> None:
    running = running_with(NEW_YEAR)
    assert running.set(11, NAME, 2, entries(*wrong)) is OTHER
    assert table(running) == [2]
    with pytest.raises(ConfigurationError, match="entries cannot be"):
        SpecialDaysObject(NAME, wrong)


def test_a_day_that_is_none_is_not_inserted() -> None:
    running = running_with(NEW_YEAR)
    assert running.act(11, NAME, 1, entry(SpecDayEntry(1, on("*-02-30"), 1))) == "other-reason"
    assert table(running) == [2]


def test_entries_can_be_written_where_the_table_is_not_fixed() -> None:
    running = running_with(NEW_YEAR)
    assert running.set(11, NAME, 2, entries(CHRISTMAS, EASTER)) is SUCCESS
    assert table(running) == [1, 3]
    assert running_with(writable=False).set(11, NAME, 2, entries()) is DataAccessResult.READ_WRITE_DENIED


def test_what_was_written_and_inserted_outlives_the_process(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        running = Running(utc(2026, 1, 1), file.of("meter"))
        running.device.add(SpecialDaysObject(NAME, [NEW_YEAR]))
        running.act(11, NAME, 1, entry(EASTER))
    with StateFile(tmp_path / "state") as file:
        again = Running(utc(2026, 1, 1), file.of("meter"))
        special = again.device.add(SpecialDaysObject(NAME, [NEW_YEAR]))
        assert special.day_id(dt.date(2026, 4, 5), None) == 11
