"""When a profile is due, held against a walk through time minute by minute."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.server import ClockObject, Every, Monthly, Situation
from cosemic.server.capture_times import CaptureTimes
from cosemic.server.local_time import CENTRAL_EUROPEAN, NO_DAYLIGHT_SAVING, DaylightSaving
from cosemic.values import DateTime

MINUTE = dt.timedelta(minutes=1)
SPRING = dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC)
AUTUMN = dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC)
HALF_AN_HOUR = DaylightSaving(CENTRAL_EUROPEAN.begin, CENTRAL_EUROPEAN.end, 30)
AT_MIDNIGHT = DaylightSaving(
    DateTime.of(month=3, day_of_month=0xFE, day_of_week=7, hour=0, minute=0, second=0),
    DateTime.of(month=10, day_of_month=0xFE, day_of_week=7, hour=0, minute=0, second=0),
)


def clock(rule: DaylightSaving = CENTRAL_EUROPEAN) -> ClockObject:
    return ClockObject(daylight_saving=rule)


def local(of: ClockObject, moment: dt.datetime) -> dt.datetime:
    return of.time(moment).replace(tzinfo=None)


def minutes(since: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
    while since < until:
        since += MINUTE
        yield since


def moments(of: ClockObject, seconds: int, since: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    return [at for at, _ in CaptureTimes(of, Every(seconds)).within(since, until)]


@pytest.mark.parametrize("night", [SPRING, AUTUMN])
@pytest.mark.parametrize("period", [60, 300, 900, 1800, 3600])
def test_around_daylight_saving_a_period_that_divides_the_shift_is_due_whenever_the_clock_shows_it(
    night: dt.datetime, period: int
) -> None:
    of = clock()
    since, until = night - dt.timedelta(hours=5), night + dt.timedelta(hours=5)
    expected = [
        at for at in minutes(since, until) if (local(of, at).hour * 60 + local(of, at).minute) * 60 % period == 0
    ]
    assert moments(of, period, since, until) == expected
    assert {one - other for other, one in itertools.pairwise(expected)} == {dt.timedelta(seconds=period)}


@pytest.mark.parametrize(("night", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_days_have_23_and_25_hours_and_begin_at_local_midnight(night: dt.datetime, hours: int) -> None:
    of = clock()
    found = moments(of, 86_400, night - dt.timedelta(days=2), night + dt.timedelta(days=2))
    assert {local(of, at).time() for at in found} == {dt.time(0)}
    lengths = [one - other for other, one in itertools.pairwise(found)]
    assert lengths == [dt.timedelta(hours=24), dt.timedelta(hours=hours), dt.timedelta(hours=24)]


@pytest.mark.parametrize("hours", [2, 3, 4, 6, 8, 12])
@pytest.mark.parametrize("night", [SPRING, AUTUMN])
def test_a_period_of_hours_is_due_once_at_each_of_its_local_times(night: dt.datetime, hours: int) -> None:
    of = clock()
    found = [
        local(of, at)
        for at in moments(of, hours * 3600, night - dt.timedelta(hours=26), night + dt.timedelta(hours=26))
    ]
    shown = [one.replace(hour=one.hour - one.hour % hours) for one in found]
    # The one skipped time of 2 o'clock is captured at 3, when the clock would have shown it.
    assert [one for one, other in zip(found, shown, strict=True) if one != other] == (
        [dt.datetime(2026, 3, 29, 3)] if night == SPRING and hours == 2 else []
    )
    assert shown == [shown[0] + n * dt.timedelta(hours=hours) for n in range(len(shown))]


def test_a_midnight_that_is_skipped_is_captured_all_the_same() -> None:
    of = clock(AT_MIDNIGHT)
    found = [local(of, at) for at in moments(of, 86_400, SPRING - dt.timedelta(days=2), SPRING + dt.timedelta(days=2))]
    assert found == [dt.datetime(2026, 3, day, int(day == 29)) for day in (28, 29, 30, 31)]


def test_a_skipped_half_hour_is_made_up_for_when_it_would_have_been_shown() -> None:
    of = clock(HALF_AN_HOUR)
    found = moments(of, 3600, SPRING - dt.timedelta(hours=2), SPRING + dt.timedelta(hours=2))
    assert [local(of, at).strftime("%H:%M") for at in found] == ["01:00", "02:30", "03:00", "04:00"]


@given(
    period=st.sampled_from([60, 420, 900, 3600, 5400, 86_400, 7 * 86_400]),
    since=st.integers(0, 500 * 1440),
    hours=st.integers(0, 60),
    offset=st.integers(-100_000, 100_000),
)
def test_without_daylight_saving_captures_are_a_period_apart_and_aligned(
    period: int, since: int, hours: int, offset: int
) -> None:
    of = clock(NO_DAYLIGHT_SAVING)
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + since * MINUTE
    new = DateTime.from_datetime(of.time(begin + dt.timedelta(seconds=offset)))
    of.write(2, None, EncodedData.of(DataType.OCTET_STRING, new.octets), Situation(begin))
    found = CaptureTimes(of, Every(period)).within(begin, begin + dt.timedelta(hours=hours))
    assert [shown for _, shown in found] == [of.time(at) for at, _ in found]
    # Counted from a Monday's midnight.
    monday = dt.datetime(2026, 1, 5)
    assert all((local(of, at) - monday) % dt.timedelta(seconds=period) == dt.timedelta(0) for at, _ in found)
    assert {one[0] - other[0] for other, one in itertools.pairwise(found)} <= {dt.timedelta(seconds=period)}
    assert abs(len(found) - hours * 3600 / period) < 1


@given(most=st.integers(1, 40), hours=st.integers(1, 20), night=st.sampled_from([SPRING, AUTUMN]))
@example(most=6, hours=2, night=AUTUMN)
def test_of_more_than_are_wanted_the_last_are_given(most: int, hours: int, night: dt.datetime) -> None:
    for schedule in (Every(900), Every(2400), Every(3600), Every(86_400), Monthly()):
        times = CaptureTimes(clock(), schedule)
        since, until = night - hours * dt.timedelta(hours=9), night + dt.timedelta(hours=hours)
        assert times.within(since, until, most) == times.within(since, until)[-most:]


def test_months_begin_at_local_midnight_on_the_first() -> None:
    times = CaptureTimes(clock(), Monthly())
    since = dt.datetime(2025, 12, 31, 22, 30, tzinfo=dt.UTC)
    found = times.within(since, dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
    assert [shown.replace(tzinfo=None) for _, shown in found] == [
        dt.datetime(2026 + month // 12, month % 12 + 1, 1) for month in range(13)
    ]
    assert times.after(found[3][0]) == found[4][0]
    # From the last of January it is not a month to the next first.
    assert times.after(found[1][0] - dt.timedelta(hours=1)) == found[1][0]
    assert Monthly().earlier(dt.datetime(2026, 3, 1), 15) == dt.datetime(2024, 12, 1)


def test_where_the_calendar_begins_there_is_room_for_all() -> None:
    times = CaptureTimes(clock(NO_DAYLIGHT_SAVING), Every(7 * 86_400))
    until = dt.datetime(1, 3, 1, tzinfo=dt.UTC)
    assert len(times.within(until - dt.timedelta(days=20), until, 10**6)) == 3
