"""Intervals that are missing, and intervals that are there twice."""

from __future__ import annotations

import datetime as dt
import random
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.model import Interval, LoadProfile, Mark
from tests.effort import examples
from tests.model.profiles import BERLIN, CLOCK, STATUS, UTC, at, stamp

HOUR = dt.timedelta(hours=1)
QUARTER = dt.timedelta(minutes=15)


def profile(moments: list[dt.datetime], period: int = 900, **how: Any) -> LoadProfile:
    rows = [(stamp(moment), number) for number, moment in enumerate(moments)]
    return LoadProfile.from_buffer(rows, [CLOCK, STATUS], period, **how)


def midnights(zone: dt.tzinfo, days: int, first: dt.date = dt.date(2026, 3, 20)) -> list[dt.datetime]:
    return [dt.datetime.combine(first + dt.timedelta(days=day), dt.time(), zone).astimezone(UTC) for day in range(days)]


def test_the_missing_intervals_lie_beside_the_rows_that_are_there() -> None:
    found = profile([at(10, 15), at(11), at(11, 15)], since=at(10), until=at(12))
    assert found.gaps() == [
        Interval(at(10, 15), at(10, 30)), Interval(at(10, 30), at(10, 45)),
        Interval(at(11, 15), at(11, 30)), Interval(at(11, 30), at(11, 45)), Interval(at(11, 45), at(12)),
    ]  # fmt: skip
    assert found.gaps(at(10), at(10, 30)) == [Interval(at(10, 15), at(10, 30))]
    assert found.gaps(at(11, 20), at(11, 40)) == [Interval(at(11, 15), at(11, 30)), Interval(at(11, 30), at(11, 45))]
    assert found.gaps(at(10, 25)) == found.gaps()[1:]
    assert found.gaps(at(9), at(9, 30)) == [Interval(at(9), at(9, 15)), Interval(at(9, 15), at(9, 30))]
    assert found.gaps(at(9, 30)) == [Interval(at(9, 30), at(9, 45)), Interval(at(9, 45), at(10)), *found.gaps()]


def test_without_a_range_the_rows_say_how_far_it_reaches() -> None:
    assert profile([at(10, 15), at(10, 45)]).gaps() == [Interval(at(10, 15), at(10, 30))]
    assert profile([]).gaps() == profile([], since=at(10)).gaps() == []


def test_without_rows_intervals_are_counted_from_midnight_of_the_meter() -> None:
    found = profile([], since=at(10, 7), until=at(10, 45)).gaps()
    assert found == [Interval(at(10), at(10, 15)), Interval(at(10, 15), at(10, 30)), Interval(at(10, 30), at(10, 45))]
    kathmandu = ZoneInfo("Asia/Kathmandu")  # UTC+05:45
    (hour,) = profile([], 3600, since=at(10, 15), until=at(11, 15), zone=kathmandu).gaps()
    assert hour == Interval(at(10, 15), at(11, 15))


def test_an_interval_belongs_to_the_range_that_its_middle_is_in() -> None:
    found = profile([at(11)], since=at(10, 37), until=at(11, 8))
    assert found.gaps() == [Interval(at(10, 30), at(10, 45)), Interval(at(11), at(11, 15))]
    assert profile([at(11)], since=at(10, 38), until=at(11, 7)).gaps() == []
    middle = at(10, 37) + dt.timedelta(seconds=30)
    assert profile([at(11)]).gaps(middle, at(11)) == [Interval(at(10, 30), at(10, 45))]
    assert profile([at(10, 30)]).gaps(at(10, 15), middle) == []


def test_a_gap_of_less_than_half_an_interval_is_none() -> None:
    late = dt.timedelta(seconds=20)
    assert profile([at(10), at(10, 15) + late, at(10, 30) - late]).gaps() == []
    assert profile([at(10), at(10, 30) + late]).gaps() == [Interval(at(10), at(10, 15))]
    (gap,) = profile([at(10), at(10, 37)]).gaps()
    assert gap == Interval(at(10), at(10, 15)), "the seven minutes behind it are no interval"
    assert profile([at(10), at(10, 38)]).gaps() == [gap, Interval(at(10, 15), at(10, 23))]


def test_days_of_23_and_25_hours_are_missing_whole() -> None:
    for first, hours in ((dt.date(2026, 3, 28), 23), (dt.date(2026, 10, 24), 25)):
        days = midnights(BERLIN, 5, first)
        found = profile([days[1], days[3], days[4]], 86_400, zone=BERLIN).gaps()
        assert found == [Interval(days[1], days[2])]
        assert found[0].end - found[0].start == hours * HOUR
        assert profile([], 86_400, zone=BERLIN, since=days[1], until=days[2]).gaps() == found


def test_events_are_expected_only_when_it_is_said_how_often() -> None:
    found = profile([at(10), at(12)], 0)
    with pytest.raises(ConfigurationError, match="every="):
        found.gaps()
    assert found.gaps(every=HOUR) == [Interval(at(10), at(11))]
    with pytest.raises(ConfigurationError):
        found.gaps(every=dt.timedelta(0))


def test_what_is_expected_may_be_said_against_the_capture_period() -> None:
    found = profile([at(10), at(10, 30)], 3600)
    assert found.gaps() == []
    assert found.gaps(every=QUARTER) == [Interval(at(10), at(10, 15))]


def test_months_are_closed_by_the_row_at_their_end() -> None:
    def month(number: int) -> dt.datetime:
        return dt.datetime(2026, number, 1, tzinfo=BERLIN).astimezone(UTC)

    closed = [month(2), month(3) + dt.timedelta(seconds=7), month(4) + dt.timedelta(days=9), month(5)]
    found = profile(closed, 0, zone=BERLIN)
    gaps = found.gaps(month(1), month(7), every="month")
    assert gaps == [Interval(month(3), month(4)), Interval(month(5), month(6)), Interval(month(6), month(7))]
    assert found.gaps(month(3) + dt.timedelta(days=20), month(4), every="month") == []
    last = dt.datetime(9999, 12, 1, tzinfo=UTC)
    assert found.gaps(last, dt.datetime.max.replace(tzinfo=UTC), every="month") == []


def test_rows_without_a_stamp_cover_nothing() -> None:
    rows: list[Any] = [(stamp(at(10, 15)), 1), (b"?", 2), (stamp(at(10, 45)), 3)]
    found = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 900)
    assert found.gaps() == [Interval(at(10, 15), at(10, 30))]
    backwards = LoadProfile.from_buffer(rows[::-1], [CLOCK, STATUS], 900)
    assert backwards.gaps() == found.gaps()
    lost = LoadProfile.from_buffer([(b"?", 2)], [CLOCK, STATUS], 900, since=at(10), until=at(10, 15))
    assert lost.gaps() == [Interval(at(10), at(10, 15))]


@examples(50)
@given(
    st.sampled_from(["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe"]),
    st.sampled_from([900, 1800, 3600, 86_400]),
    st.sets(st.integers(0, 400)),
    st.integers(0, 1 << 32),
)
def test_what_was_left_out_is_what_is_missing(name: str, period: int, left_out: set[int], seed: int) -> None:
    zone = ZoneInfo(name)
    bounds = midnights(zone, 402) if period == 86_400 else []
    first = dt.datetime(2026, 10, 20, tzinfo=zone).astimezone(UTC)
    bounds = bounds or [first + number * dt.timedelta(seconds=period) for number in range(402)]
    whole = [Interval(*pair) for pair in pairwise(bounds)]
    chance = random.Random(seed)
    ends = [interval.end for number, interval in enumerate(whole) if number not in left_out]
    ends += chance.sample(ends, min(len(ends), 5))
    chance.shuffle(ends)
    found = profile(ends, period, zone=zone, since=bounds[0], until=bounds[-1])
    assert found.gaps() == [interval for number, interval in enumerate(whole) if number in left_out]


def test_rows_of_one_interval_are_listed_together() -> None:
    found = profile([at(10), at(10, 15), at(10, 15), at(10, 30), at(11), at(11), at(11)])
    assert [[row.values[0] for row in same] for same in found.duplicates()] == [[1, 2], [4, 5, 6]]
    assert all(row.marks & Mark.REPEATED for same in found.duplicates() for row in same)
    assert profile([at(10), at(10)], 0).duplicates() == [], "two events may come at once"
