"""COSEM date and time: patterns of days and times of day."""

from __future__ import annotations

import calendar
import copy
import datetime as dt
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, DecodeError, EncodeError
from cosemic.values import (
    DAYLIGHT_SAVINGS_BEGIN,
    DAYLIGHT_SAVINGS_END,
    LAST_DAY,
    SECOND_LAST_DAY,
    Date,
    DateTime,
    Time,
)

EVERY_DAY_OF_2026 = [dt.date(2026, 1, 1) + dt.timedelta(days=day) for day in range(365)]


def days(pattern: Date, **known: tuple[int, int]) -> list[str]:
    return [f"{day:%m-%d}" for day in EVERY_DAY_OF_2026 if pattern.matches(day, **known)]


@given(st.dates())
def test_a_day_goes_through_its_octets(day: dt.date) -> None:
    date = Date.from_date(day)
    assert len(date.octets) == 5
    assert date.to_date() == day
    assert (date.year, date.month, date.day_of_month, date.day_of_week) == (*day.timetuple()[:3], day.isoweekday())
    assert date.matches(day)
    assert not date.is_wildcard
    assert str(date) == day.isoformat()


@given(st.times())
def test_a_time_of_day_goes_through_its_octets(time: dt.time) -> None:
    stamp = Time.from_time(time)
    cut = time.replace(microsecond=time.microsecond // 10_000 * 10_000)
    assert len(stamp.octets) == 4
    assert stamp.to_time() == cut
    assert stamp.matches(time)
    assert not stamp.is_wildcard


def test_last_sunday_of_march_is_one_day_a_year() -> None:
    pattern = Date.of(month=3, day_of_month=LAST_DAY, day_of_week=7)
    assert pattern.octets.hex() == "ffff03fe07"
    assert days(pattern) == ["03-29"]
    assert pattern.is_wildcard
    assert str(pattern) == "*-03-last Sun"


@given(st.integers(1, 9999), st.integers(1, 12), st.none() | st.integers(1, 7))
def test_days_counted_from_the_end_are_the_last_of_all_that_qualify(year: int, month: int, weekday: int | None) -> None:
    every = [dt.date(year, month, day) for day in range(1, calendar.monthrange(year, month)[1] + 1)]
    every = [day for day in every if weekday is None or day.isoweekday() == weekday]
    for rule, expected in ((LAST_DAY, every[-1]), (SECOND_LAST_DAY, every[-2])):
        date = Date.of(year=year, month=month, day_of_month=rule, day_of_week=weekday)
        assert date.to_date() == expected
        assert not date.is_wildcard
        assert [day for day in every if date.matches(day)] == [expected]


def test_weekday_on_or_after_a_day_counts_into_the_next_month() -> None:
    assert days(Date.of(month=11, day_of_month=8, day_of_week=7)) == ["11-08"]
    assert days(Date.of(month=11, day_of_month=9, day_of_week=7)) == ["11-15"]
    assert days(Date.of(month=11, day_of_month=30, day_of_week=7)) == ["12-06"]
    assert len(days(Date.of(day_of_month=1, day_of_week=1))) == 12
    assert days(Date.of(month=2, day_of_month=30, day_of_week=1)) == []


def test_weekday_on_or_after_a_day_works_at_the_first_day_of_the_calendar() -> None:
    assert Date.of(day_of_month=1, day_of_week=1).matches(dt.date(1, 1, 1))


def test_a_year_with_a_day_that_is_not_that_weekday_means_no_day() -> None:
    assert days(Date.of(year=2026, month=11, day_of_month=20, day_of_week=5)) == ["11-20"]
    assert days(Date.of(year=2026, month=11, day_of_month=20, day_of_week=4)) == []


def test_every_friday_and_every_first_of_a_month() -> None:
    assert len(days(Date.of(day_of_week=5))) == 52
    assert len(days(Date.of(day_of_month=1))) == 12
    assert days(Date.of(year=2025)) == []
    assert len(days(Date.of())) == 365


def test_months_of_daylight_saving_need_the_clock() -> None:
    begin = Date.of(month=DAYLIGHT_SAVINGS_BEGIN, day_of_month=LAST_DAY, day_of_week=7)
    end = Date.of(month=DAYLIGHT_SAVINGS_END, day_of_month=LAST_DAY, day_of_week=7)
    assert days(begin, daylight_savings=(3, 10)) == ["03-29"]
    assert days(end, daylight_savings=(3, 10)) == ["10-25"]
    assert (str(begin), str(end)) == ("*-dst-begin-last Sun", "*-dst-end-last Sun")
    with pytest.raises(ConfigurationError, match="daylight saving"):
        begin.matches(dt.date(2026, 3, 29))
    with pytest.raises(DecodeError, match="pattern"):
        begin.to_date()


def test_a_wrong_weekday_does_not_hide_the_day() -> None:
    assert Date(bytes.fromhex("07ea0b1401")).to_date() == dt.date(2026, 11, 20)


@pytest.mark.parametrize(
    ("octets", "word"),
    [
        ("ffff0b14ff", "pattern"),
        ("07eaff14ff", "pattern"),
        ("07ea0bffff", "pattern"),
        ("0000000000", "calendar"),
        ("07ea021eff", "calendar"),
        ("07ea0d01ff", "calendar"),
        ("07ea0dfeff", "calendar"),
        ("27100101ff", "calendar"),
        ("2710 01feff", "calendar"),
        ("07ea0bfe09", "calendar"),
        ("07ea0be5ff", "calendar"),
    ],
)
def test_octets_that_are_no_single_day_say_so(octets: str, word: str) -> None:
    with pytest.raises(DecodeError, match=word):
        Date(bytes.fromhex(octets)).to_date()


def test_unspecified_fields_behind_the_last_specified_one_are_zero() -> None:
    assert Time(bytes.fromhex("0effffff")).to_time() == dt.time(14)
    assert Time(bytes.fromhex("0e1effff")).to_time() == dt.time(14, 30)
    assert Time(bytes.fromhex("0e1e05ff")).to_time() == dt.time(14, 30, 5)
    assert Time(bytes.fromhex("ffffffff")).to_time() == dt.time(0)
    assert Time(bytes.fromhex("0e1e0532")).to_time() == dt.time(14, 30, 5, 500_000)


@pytest.mark.parametrize(
    "octets", ["ff0fffff", "0effffff".replace("ffff", "ff00", 1), "18000000", "003c0000", "00003c00", "00000064"]
)
def test_octets_that_are_no_single_time_of_day_say_so(octets: str) -> None:
    with pytest.raises(DecodeError):
        Time(bytes.fromhex(octets)).to_time()


def test_a_time_pattern_matches_field_by_field() -> None:
    quarter = Time.of(minute=15, second=0)
    assert quarter.is_wildcard
    assert quarter.matches(dt.time(7, 15))
    assert quarter.matches(dt.time(23, 15, 0, 990_000))
    assert not quarter.matches(dt.time(7, 15, 1))
    assert not quarter.matches(dt.time(7, 16))
    assert not Time.of(hour=7).matches(dt.time(8))
    assert not Time.of(hundredths=5).matches(dt.time(8, 0, 0, 60_000))
    assert str(quarter) == "*:15:00"
    assert str(Time.of(hour=1, minute=2, second=3, hundredths=4)) == "01:02:03.04"


def test_unspecified_means_not_a_single_field() -> None:
    assert Date.of().is_unspecified
    assert Time.of().is_unspecified
    assert not Date.of(day_of_week=1).is_unspecified
    assert not Time.of(hundredths=0).is_unspecified
    assert (str(Date.of()), str(Time.of())) == ("*-*-*", "*:*:*")


@pytest.mark.parametrize(
    "fields",
    [
        {"year": -1},
        {"year": 65535},
        {"month": 0},
        {"month": 13},
        {"day_of_month": 0},
        {"day_of_month": 0xE0},
        {"day_of_week": 8},
    ],
)
def test_a_date_field_out_of_range_is_not_sent(fields: dict[str, int]) -> None:
    with pytest.raises(EncodeError, match=next(iter(fields))):
        Date.of(**fields)


@pytest.mark.parametrize("fields", [{"hour": 24}, {"minute": 60}, {"second": 60}, {"hundredths": 100}, {"hour": -1}])
def test_a_time_field_out_of_range_is_not_sent(fields: dict[str, int]) -> None:
    with pytest.raises(EncodeError, match=next(iter(fields))):
        Time.of(**fields)


@given(st.binary(min_size=5, max_size=5), st.dates())
def test_any_five_octets_are_kept_printed_and_matched(octets: bytes, day: dt.date) -> None:
    date = Date(octets)
    assert date.octets == octets
    assert str(date)
    date.matches(day, daylight_savings=(3, 10))
    try:
        found = date.to_date()
    except DecodeError:
        return
    assert not date.is_wildcard
    assert date.day_of_month in (found.day, LAST_DAY, SECOND_LAST_DAY)


@given(st.binary(min_size=4, max_size=4), st.times())
def test_any_four_octets_are_kept_printed_and_matched(octets: bytes, time: dt.time) -> None:
    stamp = Time(octets)
    assert stamp.octets == octets
    assert str(stamp)
    stamp.matches(time)
    try:
        found = stamp.to_time()
    except DecodeError:
        return
    assert stamp.hour in (None, found.hour)


@pytest.mark.parametrize(("kind", "size"), [(Date, 5), (Time, 4), (DateTime, 12)])
def test_stamps_are_values(kind: type[Date | Time | DateTime], size: int) -> None:
    stamp = kind(bytes(size))
    assert stamp == kind(bytearray(size)) == kind(memoryview(bytes(size)))
    assert hash(stamp) == hash(kind(bytes(size)))
    assert stamp != kind(b"\x01" * size)
    assert stamp != bytes(size)
    assert pickle.loads(pickle.dumps(stamp)) == copy.deepcopy(stamp) == copy.copy(stamp) == stamp
    assert repr(stamp) == f"<{kind.__name__} {stamp}>"
    for attribute in ("octets", "note"):
        with pytest.raises(AttributeError):
            setattr(stamp, attribute, b"")
    for wrong in (0, size - 1, size + 1):
        with pytest.raises(DecodeError, match=str(size)):
            kind(bytes(wrong))
