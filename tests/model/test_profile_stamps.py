"""Which moments the stamps of rows mean, above all in the nights in which the clock is changed."""

from __future__ import annotations

import datetime as dt
import random
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.model import LoadProfile, Mark, SortMethod
from cosemic.model.profile_stamps import instant
from cosemic.values import DateTime
from tests.effort import examples
from tests.model.profiles import BERLIN, CLOCK, STATUS, UTC, at, ends, stamp, starts, wall

QUARTER = dt.timedelta(minutes=15)
BACK = dt.datetime(2026, 10, 25, 1, tzinfo=UTC)
"""When clocks in Berlin go from 03:00 back to 02:00."""
FORWARD = dt.datetime(2026, 3, 29, 1, tzinfo=UTC)


def profile(stamps: list[Any], period: int = 900, **how: Any) -> LoadProfile:
    rows = [(one, number) for number, one in enumerate(stamps)]
    return LoadProfile.from_buffer(rows, [CLOCK, STATUS], period, **{"zone": BERLIN, **how})


def around(moment: dt.datetime, before: int, behind: int, step: dt.timedelta = QUARTER) -> list[dt.datetime]:
    return [moment + number * step for number in range(-before, behind + 1)]


def marks(found: LoadProfile) -> list[Mark]:
    return [row.marks for row in found]


def ambiguous(found: LoadProfile) -> list[dt.datetime | None]:
    return [row.interval_end for row in found if row.marks & Mark.AMBIGUOUS_HOUR]


# ---- a year, against the arithmetic of zoneinfo ----------------------------------------------------------------------

ZONES = {
    "Europe/Berlin": (15, 30, 60),
    "Europe/Dublin": (30, 60),
    "America/New_York": (15, 60),
    "America/Havana": (30, 60),
    "Africa/Casablanca": (60,),
    "Australia/Lord_Howe": (15, 30),
    "Pacific/Chatham": (15, 30),
    "Asia/Kolkata": (60,),
}


@lru_cache(maxsize=64)
def year(name: str, minutes: int) -> tuple[list[dt.datetime], list[dt.datetime]]:
    """The ends of all intervals of a year, in UTC and as the clock on the wall shows them.

    Of quarters of an hour only those of the weeks in which the clock is changed.
    """
    zone = ZoneInfo(name)
    end, last = (dt.datetime(each, 1, 1, tzinfo=zone).astimezone(UTC) for each in (2026, 2027))
    moments = []
    week = dt.timedelta(days=3)
    while (end := end + dt.timedelta(minutes=minutes)) <= last:
        near = ((end + shift).astimezone(zone).utcoffset() for shift in (-week, week))
        if minutes > 15 or len(set(near)) > 1:
            moments.append(end)
    return moments, [moment.astimezone(zone) for moment in moments]


@lru_cache(maxsize=64)
def stamped(name: str, minutes: int, form: str) -> list[bytes]:
    """The stamps of that year."""
    local = year(name, minutes)[1]
    if form == "deviation":
        return [stamp(moment) for moment in local]
    if form == "inverted":
        return [stamp(moment, inverted_deviation=True) for moment in local]
    least = min(moment.utcoffset() or dt.timedelta(0) for moment in local)
    bits = [0x80 if form == "status" and moment.utcoffset() != least else 0 for moment in local]
    bare = [moment.replace(tzinfo=None, fold=0) for moment in local]
    if form == "bare":
        return [stamp(moment) for moment in bare]
    return [stamp(moment, clock_status=bit) for moment, bit in zip(bare, bits, strict=True)]


@pytest.mark.slow
@pytest.mark.no_cover
@settings(max_examples=10)
@given(
    st.sampled_from([(name, minutes) for name, periods in ZONES.items() for minutes in periods]),
    st.sampled_from(["deviation", "inverted", "status", "bit never set", "bare"]),
    st.sampled_from([SortMethod.FIFO, SortMethod.LIFO, SortMethod.LARGEST, SortMethod.SMALLEST]),
    st.sampled_from([0, 0.3, 0.97]),
    st.sampled_from([0, 0.01]),
    st.integers(0, 1 << 32),
)
@example(("Europe/Berlin", 60), "bare", SortMethod.LIFO, 0.97, 0.01, 5)
@example(("Australia/Lord_Howe", 30), "bare", SortMethod.FIFO, 0, 0, 5)
@example(("Europe/Dublin", 30), "status", SortMethod.FIFO, 0, 0.01, 5)
def test_a_year_of_rows_ends_when_the_zone_says(
    where: tuple[str, int], form: str, method: SortMethod, nulls: float, lost: float, seed: int
) -> None:
    moments, local = year(*where)
    chance, step = random.Random(seed), dt.timedelta(minutes=where[1])
    certain = form in ("deviation", "inverted", "status")
    changes = [number for number, (one, other) in enumerate(pairwise(local)) if one.utcoffset() != other.utcoffset()]
    near = {at for change in changes for at in range(change - 12, change + 12)}
    kept = [number for number in range(len(moments)) if chance.random() >= lost or (number in near and not certain)]
    if method in (SortMethod.LIFO, SortMethod.LARGEST):
        kept.reverse()
    stamps: list[Any] = [stamped(*where, form)[number] for number in kept]
    for at_row, (before, number) in enumerate(pairwise(kept), 1):
        if abs(moments[number] - moments[before]) == step and chance.random() < nulls:
            stamps[at_row] = chance.choice([None, b""])
    found = profile(
        stamps, where[1] * 60, zone=ZoneInfo(where[0]), sort_method=method, inverted_deviation=form == "inverted"
    )
    expected = sorted(moments[number] for number in kept)
    assert ends(found) == expected
    assert starts(found) == [moment - step for moment in expected]
    assert {mark & ~Mark.STAMP_DERIVED for mark in marks(found)} == {Mark(0)}


@examples(30)
@given(st.sampled_from(sorted(ZONES)), st.sampled_from(["deviation", "bare"]), st.booleans(), st.integers(0, 1 << 32))
def test_days_of_any_zone_are_from_midnight_to_midnight(name: str, form: str, lifo: bool, seed: int) -> None:
    zone = ZoneInfo(name)
    chance = random.Random(seed)
    first = dt.date(2026, 1, 1)
    midnights = [dt.datetime.combine(first + dt.timedelta(days=day), dt.time(), zone) for day in range(366)]
    stamps: list[Any] = [stamp(one if form == "deviation" else one.replace(tzinfo=None)) for one in midnights[1:]]
    if lifo:
        stamps.reverse()
    stamps = [one if not number or chance.random() < 0.5 else None for number, one in enumerate(stamps)]
    found = profile(stamps, 86_400, zone=zone, sort_method=SortMethod.LIFO if lifo else SortMethod.FIFO)
    in_utc = [midnight.astimezone(UTC) for midnight in midnights]
    assert [(row.interval_start, row.interval_end) for row in found] == list(pairwise(in_utc))


# ---- the hour that is repeated ---------------------------------------------------------------------------------------


def test_two_passes_without_deviation_are_told_apart_by_their_order() -> None:
    moments = around(BACK, 8, 8)
    found = profile([wall(moment) for moment in moments])
    assert ends(found) == moments
    assert set(marks(found)) == {Mark(0)}


@pytest.mark.parametrize("period", [900, 0])
def test_the_only_pass_of_a_gapless_night_cannot_be_told_and_is_marked(period: int) -> None:
    moments = [moment for moment in around(BACK, 8, 8) if not BACK <= moment < BACK + 4 * QUARTER]
    found = profile([wall(moment) for moment in moments], period)
    assert ambiguous(found) == around(BACK - 4 * QUARTER, 0, 3)
    assert ends(found) == moments
    assert [mark.names() for mark in marks(found)][4:6] == [["ambiguous-hour"], ["ambiguous-hour"]]


def test_a_single_pass_that_only_continues_the_rows_before_is_the_first() -> None:
    moments = around(BACK, 8, -1)
    assert ends(profile([wall(moment) for moment in moments])) == moments
    later = [*moments, *around(BACK + 12 * QUARTER, 0, 4)]
    found = profile([wall(moment) for moment in later])
    assert (ends(found), ambiguous(found)) == (later, [])


def test_a_single_pass_that_only_the_rows_behind_continue_is_the_second() -> None:
    moments = around(BACK, 0, 8)
    found = profile([wall(moment) for moment in moments])
    assert (ends(found), ambiguous(found)) == (moments, [])
    earlier = [*around(BACK - 16 * QUARTER, 4, 0), *moments]
    found = profile([wall(moment) for moment in earlier])
    assert (ends(found), ambiguous(found)) == (earlier, [])


def test_stamps_some_seconds_off_continue_each_other_all_the_same() -> None:
    moments = [moment + dt.timedelta(seconds=number % 3) for number, moment in enumerate(around(BACK, 0, 8))]
    found = profile([wall(moment) for moment in moments])
    assert (ends(found), ambiguous(found)) == (moments, [])


def test_an_interrupted_pass_does_not_continue_what_lies_on_the_other_side() -> None:
    first, second = around(BACK - 4 * QUARTER, 0, 1), around(BACK + 2 * QUARTER, 0, 4)
    found = profile([wall(moment) for moment in [*around(BACK - 5 * QUARTER, 3, 0), *first, *second]])
    assert ambiguous(found) == around(BACK - 4 * QUARTER, 0, 3), "02:00, 02:15 might be of one pass with 02:30, 02:45"


def test_rows_of_that_hour_alone_cannot_be_told() -> None:
    found = profile([wall(moment) for moment in around(BACK, 3, -1)])
    assert ambiguous(found) == ends(found) == around(BACK, 3, -1)


def test_one_event_in_that_hour_cannot_be_told_and_two_in_reverse_can() -> None:
    half_past, quarter_past = BACK - 2 * QUARTER, BACK + QUARTER
    (row,) = profile([wall(half_past)], 0)
    assert row.marks == Mark.AMBIGUOUS_HOUR
    found = profile([wall(half_past), wall(quarter_past)], 0)
    assert (ends(found), ambiguous(found)) == ([half_past, quarter_past], [])


def test_each_year_has_an_hour_of_its_own_to_be_told() -> None:
    last_year = dt.datetime(2025, 10, 26, 1, tzinfo=UTC)
    moments = [last_year - QUARTER, last_year + QUARTER, BACK - QUARTER]
    found = profile([wall(moment) for moment in moments], 0)
    assert (ends(found), ambiguous(found)) == (moments, moments[2:])
    found = profile([wall(moment) for moment in [moments[2], *moments[:2]]], 0, sort_method=SortMethod.NEAREST_TO_ZERO)
    assert len(ambiguous(found)) == 3, "they are in no order of time"


def test_two_steps_back_in_time_are_disorder_and_marked() -> None:
    times = [BACK - 2 * QUARTER, BACK - 3 * QUARTER, BACK - 4 * QUARTER]
    assert len(ambiguous(profile([wall(moment) for moment in times]))) == 3


def test_rows_that_are_in_no_order_of_time_tell_nothing() -> None:
    times = [BACK + 20 * QUARTER, BACK - 2 * QUARTER, BACK - 3 * QUARTER, BACK - 40 * QUARTER]
    found = profile([wall(moment) for moment in times], sort_method=SortMethod.NEAREST_TO_ZERO)
    assert ambiguous(found) == [times[2], times[1]]
    behind = profile([wall(moment) for moment in times[1:]], sort_method=SortMethod.NEAREST_TO_ZERO)
    assert ambiguous(behind) == [times[2], times[1]]


def test_rows_of_one_hour_each_are_told_apart_though_their_stamps_are_equal() -> None:
    moments = around(BACK, 3, 3, dt.timedelta(hours=1))
    found = profile([wall(moment) for moment in moments], 3600)
    assert (ends(found), set(marks(found))) == (moments, {Mark(0)})
    twice = profile([wall(moment) for moment in (BACK - QUARTER, BACK - QUARTER)], 900)
    assert marks(twice) == [Mark.AMBIGUOUS_HOUR | Mark.REPEATED] * 2


def test_a_row_without_stamp_is_as_doubtful_as_the_one_it_hangs_on() -> None:
    found = profile([wall(BACK - 3 * QUARTER), None])
    assert marks(found) == [Mark.AMBIGUOUS_HOUR, Mark.AMBIGUOUS_HOUR | Mark.STAMP_DERIVED]


def test_the_second_pass_may_begin_within_rows_without_stamp() -> None:
    moments = around(BACK - QUARTER, 1, 6)
    stamps = [wall(moment) if moment in (moments[0], moments[-2]) else None for moment in moments]
    found = profile(stamps)
    assert (ends(found), ambiguous(found)) == (moments, [])


@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("with_status", [True, False])
def test_a_row_written_just_before_the_clock_goes_back_ends_the_first_pass(second: bool, with_status: bool) -> None:
    """Written at 03:00 and not, as it is then, at 02:00; with 03:00 of the second pass, or with the meter off then."""
    first_pass, second_pass = around(BACK, 7, -1), around(BACK + QUARTER, 0, 6 if second else -1)

    def written(moment: dt.datetime) -> bytes:
        summer = moment <= BACK
        shown = (moment + dt.timedelta(hours=2 if summer else 1)).replace(tzinfo=None)
        return stamp(shown, clock_status=(0x80 if summer else 0) if with_status else None)

    moments = [*first_pass, BACK, *second_pass]
    found = profile([written(moment) for moment in moments])
    if second or with_status:
        assert (ends(found), ambiguous(found)) == (moments, [])
    else:
        assert ambiguous(found) == first_pass[3:], "it looks like the second pass as well"


def test_the_time_at_which_the_clock_goes_back_ends_the_hour_as_on_any_other_day() -> None:
    (row,) = profile([stamp(dt.datetime(2026, 10, 25, 3))])
    assert (row.interval_end, row.marks) == (BACK + 4 * QUARTER, Mark(0))


def test_a_daylight_saving_bit_that_is_never_set_is_not_believed() -> None:
    moments = around(BACK, 8, 8)
    for some in (moments, moments[4:], moments[4:12]):
        found = profile([wall(moment, clock_status=0) for moment in some])
        assert (ends(found), ambiguous(found)) == (some, [])
    (row,) = profile([wall(BACK - QUARTER, clock_status=0)])
    assert (row.interval_end, row.marks) == (BACK + 3 * QUARTER, Mark(0)), "alone, the bit is all that is known"


def test_a_daylight_saving_bit_that_is_kept_tells_the_pass_across_gaps() -> None:
    moments = [BACK - 3 * QUARTER, BACK + 3 * QUARTER, BACK + 9 * QUARTER]
    stamps = [wall(moment, clock_status=0x80 if moment < BACK else 0) for moment in moments]
    found = profile(stamps)
    assert (ends(found), ambiguous(found)) == (moments, [])
    assert ambiguous(profile([wall(moment) for moment in moments[:2]])) != []


def test_a_stamp_with_deviation_needs_no_help() -> None:
    (row,) = profile([stamp((BACK + QUARTER).astimezone(BERLIN))])
    assert (row.interval_end, row.marks) == (BACK + QUARTER, Mark(0))


# ---- the hour that is skipped, and other clocks ----------------------------------------------------------------------


def test_a_stamp_in_the_hour_that_is_skipped_is_marked_and_its_edges_are_not() -> None:
    shown = [dt.datetime(2026, 3, 29, hour, minute) for hour, minute in ((1, 45), (2, 0), (2, 15), (2, 45), (3, 15))]
    found = profile([stamp(one) for one in shown], 0)
    assert [bool(mark & Mark.SKIPPED_HOUR) for mark in marks(found)] == [False, False, True, False, True]
    assert ends(found)[:2] == [FORWARD - QUARTER, FORWARD]
    assert found.to_dict()["rows"][2]["marks"] == ["skipped-hour"]


def test_hundredths_and_fields_that_are_not_specified_are_read() -> None:
    octets = bytes.fromhex("07ea0b14050e1e05 37 ffc400")
    (row,) = profile([octets], 0)
    assert row.interval_end == dt.datetime(2026, 11, 20, 13, 30, 5, 550_000, tzinfo=UTC)
    for tail, seconds in (("0e1effff", 0), ("0e1e05ff", 5)):
        (row,) = profile([bytes.fromhex("07ea0b1405" + tail + "ffc400")], 0)
        assert row.interval_end == dt.datetime(2026, 11, 20, 13, 30, seconds, tzinfo=UTC)


def test_date_times_and_their_octets_are_the_same_stamp() -> None:
    octets = stamp(at(10))
    assert ends(profile([DateTime(octets)])) == ends(profile([octets])) == [at(10)]


def test_the_last_day_of_the_calendar_is_read_and_what_lies_behind_it_is_not() -> None:
    last = bytes.fromhex("270f0c1f05 170f0000 0000 00")
    found = profile([last, None, None, None, None], 900)
    assert ends(found)[0] == dt.datetime(9999, 12, 31, 23, 15, tzinfo=UTC)
    assert [bool(mark & Mark.NO_STAMP) for mark in marks(found)] == [False, False, False, True, True]
    days = profile([bytes.fromhex("270f0c1f05 00000000 8000 ff"), None], 86_400)
    assert [bool(mark & Mark.NO_STAMP) for mark in marks(days)] == [False, True]


def test_the_first_moment_of_the_calendar_is_read() -> None:
    first = bytes.fromhex("0001010101 00000000 8000 ff")
    (row,) = profile([first], 0, zone=ZoneInfo("America/New_York"))
    assert row.interval_end == dt.datetime(1, 1, 1, 4, 56, 2, tzinfo=UTC), "local mean time"
    (row,) = profile([first], 0)
    assert row.marks == Mark.NO_STAMP, "it was the year before in UTC"


def test_a_moment_without_time_zone_is_no_moment() -> None:
    with pytest.raises(ConfigurationError, match="time zone"):
        instant(dt.datetime(2026, 1, 1))
