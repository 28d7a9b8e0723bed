"""COSEM date-time: moments, deviation, clock status."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, DecodeError, EncodeError
from cosemic.values import LAST_DAY, ClockStatus, DateTime
from tests.vectors import reference

BERLIN = ZoneInfo("Europe/Berlin")
CET = dt.timezone(dt.timedelta(hours=1))
EXAMPLE = DateTime(bytes.fromhex("07EA0B14050E1E0000FFC400"))
OFFSETS = st.integers(-840, 840).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=st.none() | OFFSETS | st.just(BERLIN), allow_imaginary=False)


def test_the_example_of_the_reference_is_the_moment_it_says() -> None:
    text = reference("application_layer.md").read_text(encoding="utf-8")
    assert "2026-11-20 (Friday) 14:30:00.00 CET: `07EA 0B 14 05 0E 1E 00 00 FFC4 00`" in text
    assert EXAMPLE.to_datetime() == dt.datetime(2026, 11, 20, 14, 30, tzinfo=CET)
    assert EXAMPLE.deviation == -60
    assert EXAMPLE.clock_status == ClockStatus(0)
    assert EXAMPLE.day_of_week == 5
    assert str(EXAMPLE) == "2026-11-20 14:30:00+01:00"
    assert DateTime.from_datetime(dt.datetime(2026, 11, 20, 14, 30, tzinfo=BERLIN)) == EXAMPLE
    assert EXAMPLE.date.octets + EXAMPLE.time.octets == EXAMPLE.octets[:9]


def test_clock_status_bits_are_those_of_the_reference() -> None:
    bits = yaml.safe_load(reference("datatypes.yaml").read_text(encoding="utf-8"))["date_time"]["fields"][
        "clock_status"
    ]["bits"]
    assert {member.name.lower(): int(member) for member in ClockStatus if member.name} == {
        name: 1 << bit for bit, name in bits.items()
    }
    assert ClockStatus(0x83).names() == ["invalid-value", "doubtful-value", "daylight-saving-active"]
    assert int(ClockStatus(0x7F)) == 0x7F


def test_summer_time_shows_in_deviation_and_status() -> None:
    summer = DateTime.from_datetime(dt.datetime(2026, 7, 1, 12, tzinfo=BERLIN))
    assert summer.octets[9:].hex() == "ff8880"
    assert summer.clock_status == ClockStatus.DAYLIGHT_SAVING_ACTIVE
    assert str(summer) == "2026-07-01 12:00:00+02:00"


def test_the_inverted_sign_is_an_argument() -> None:
    moment = dt.datetime(2026, 11, 20, 14, 30, tzinfo=CET)
    inverted = DateTime.from_datetime(moment, inverted_deviation=True)
    assert inverted.deviation == 60
    assert inverted.to_datetime(inverted_deviation=True) == moment
    assert inverted.to_datetime() == moment + dt.timedelta(hours=2)


@given(MOMENTS, st.booleans())
def test_a_moment_goes_through_its_octets(moment: dt.datetime, inverted: bool) -> None:
    offset = moment.utcoffset()
    if offset is not None and offset % dt.timedelta(minutes=1):
        with pytest.raises(EncodeError, match="minutes"):
            DateTime.from_datetime(moment)
        return
    stamp = DateTime.from_datetime(moment, inverted_deviation=inverted)
    cut = moment.replace(microsecond=moment.microsecond // 10_000 * 10_000)
    assert len(stamp.octets) == 12
    if offset is None:
        assert (stamp.deviation, stamp.clock_status) == (None, None)
        assert stamp.to_datetime(dt.UTC).replace(tzinfo=None) == cut
    else:
        assert stamp.to_datetime(inverted_deviation=inverted) == cut.replace(tzinfo=dt.timezone(offset))
        assert stamp.to_datetime(inverted_deviation=inverted).utcoffset() == offset
    assert stamp.matches(moment, inverted_deviation=inverted)
    assert not stamp.is_wildcard
    assert not stamp.is_unspecified


def test_without_deviation_the_zone_of_the_meter_is_needed() -> None:
    stamp = DateTime.from_datetime(dt.datetime(2026, 7, 1, 12))
    with pytest.raises(ConfigurationError, match="time zone"):
        stamp.to_datetime()
    assert stamp.to_datetime(BERLIN) == dt.datetime(2026, 7, 1, 10, tzinfo=dt.UTC)


def test_the_deviation_counts_where_a_zone_is_given_too() -> None:
    assert EXAMPLE.to_datetime(ZoneInfo("America/New_York")) == dt.datetime(2026, 11, 20, 13, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(("status", "utc_hour"), [(0x80, 0), (0x00, 1), (0xFF, 0)])
def test_the_repeated_hour_is_told_apart_by_the_status(status: int, utc_hour: int) -> None:
    stamp = DateTime.of(year=2026, month=10, day_of_month=25, hour=2, minute=30, clock_status=status)
    assert stamp.to_datetime(BERLIN).astimezone(dt.UTC).hour == utc_hour


def test_a_status_given_goes_out_as_it_is() -> None:
    naive = dt.datetime(2026, 7, 1)
    assert DateTime.from_datetime(naive, clock_status=0).octets[9:].hex() == "800000"
    assert DateTime.from_datetime(naive.replace(tzinfo=CET), clock_status=0xFF).clock_status is None


def test_partly_unspecified_clocks_of_real_meters_are_read() -> None:
    stamp = DateTime(bytes.fromhex("07ea0b14ff0e1effff8000ff"))
    assert (stamp.second, stamp.hundredths, stamp.day_of_week) == (None, None, None)
    assert stamp.to_datetime(CET) == dt.datetime(2026, 11, 20, 14, 30, tzinfo=CET)
    assert str(stamp) == "2026-11-20 14:30:*"
    assert stamp.is_wildcard


def test_unspecified_hundredths_are_none_and_others_count() -> None:
    for octet, microsecond in ((0xFF, 0), (0, 0), (7, 70_000), (99, 990_000)):
        stamp = DateTime(EXAMPLE.octets[:8] + bytes([octet]) + EXAMPLE.octets[9:])
        assert stamp.to_datetime() == dt.datetime(2026, 11, 20, 14, 30, 0, microsecond, tzinfo=CET)
    for octet in (100, 254):
        with pytest.raises(DecodeError, match="time of day"):
            DateTime(EXAMPLE.octets[:8] + bytes([octet]) + EXAMPLE.octets[9:]).to_datetime()


def test_the_last_day_of_a_month_is_one_moment() -> None:
    stamp = DateTime.of(year=2024, month=2, day_of_month=LAST_DAY, hour=0, minute=0, second=0)
    assert stamp.to_datetime(dt.UTC) == dt.datetime(2024, 2, 29, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "octets",
    [
        "ff" * 12,
        "ffff0b14050e1e0000ffc400",
        "07eafe14050e1e0000ffc400",
        "07ea0b14050e1e00000349" + "00",
        "07ea0b14050e1e0000fcb700",
        "07ea0b1405181e0000ffc400",
        "07ea0b1405ff1e0000ffc400",
        "000000000000000000000000",
    ],
)
def test_patterns_and_impossible_moments_are_decode_errors(octets: str) -> None:
    with pytest.raises(DecodeError):
        DateTime(bytes.fromhex(octets)).to_datetime(dt.UTC)


def test_the_greatest_deviations_are_read_and_sent() -> None:
    for minutes in (-840, 840):
        stamp = DateTime.of(year=2026, month=1, day_of_month=1, deviation=minutes)
        assert stamp.to_datetime().utcoffset() == dt.timedelta(minutes=-minutes)
    for minutes in (-841, 841):
        with pytest.raises(EncodeError, match="deviation"):
            DateTime.of(deviation=minutes)
    with pytest.raises(EncodeError, match="deviation"):
        DateTime.from_datetime(dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=15))))
    with pytest.raises(EncodeError, match="clock_status"):
        DateTime.of(clock_status=256)


def test_a_pattern_with_deviation_sees_an_aware_moment_in_its_own_offset() -> None:
    half_past_two = DateTime.of(hour=14, minute=30, deviation=-60)
    assert half_past_two.matches(dt.datetime(2026, 11, 20, 13, 30, tzinfo=dt.UTC))
    assert not half_past_two.matches(dt.datetime(2026, 11, 20, 14, 30, tzinfo=dt.UTC))
    assert half_past_two.matches(dt.datetime(2026, 11, 20, 14, 30))
    assert half_past_two.matches(dt.datetime(2026, 11, 20, 15, 30, tzinfo=dt.UTC), inverted_deviation=True)
    assert not half_past_two.matches(dt.datetime.max.replace(tzinfo=dt.UTC))


def test_the_switch_to_summer_time_is_a_pattern_of_one_hour_a_year() -> None:
    switch = DateTime.of(month=3, day_of_month=LAST_DAY, day_of_week=7, hour=2, minute=0, second=0, hundredths=0)
    hours = (dt.datetime(2026, 1, 1) + dt.timedelta(hours=hour) for hour in range(365 * 24))
    assert [hour for hour in hours if switch.matches(hour)] == [dt.datetime(2026, 3, 29, 2)]
    assert str(switch) == "*-03-last Sun 02:00:00"


def test_unspecified_is_no_bound_of_a_range() -> None:
    assert DateTime(b"\xff" * 12).is_unspecified
    assert DateTime.of(deviation=0, clock_status=0).is_unspecified
    assert not DateTime.of(hour=0).is_unspecified


def test_doubt_about_the_clock_is_printed() -> None:
    doubtful = DateTime(EXAMPLE.octets[:11] + b"\x82")
    assert str(doubtful) == "2026-11-20 14:30:00+01:00 (doubtful-value)"
    assert str(DateTime(EXAMPLE.octets[:11] + b"\x10")) == "2026-11-20 14:30:00+01:00"
    assert str(DateTime.of(deviation=210)) == "*-*-* *:*:*-03:30"


@given(st.binary(min_size=12, max_size=12), MOMENTS)
def test_any_twelve_octets_are_kept_printed_and_read_or_refused(octets: bytes, moment: dt.datetime) -> None:
    stamp = DateTime(octets)
    assert stamp.octets == octets
    assert str(stamp)
    try:
        stamp.matches(moment, daylight_savings=(3, 10))
        found = stamp.to_datetime(BERLIN)
    except DecodeError:
        return
    assert found.utcoffset() is not None


FIELD = st.sampled_from([0, 1, 2, 12, 13, 23, 24, 28, 29, 31, 59, 60, 99, 100, 253, 254, 255])


@given(st.sampled_from([0, 1, 1999, 2026, 9999, 10000, 65535]), st.lists(FIELD, min_size=7, max_size=7))
def test_the_quick_way_to_a_moment_is_the_plain_way(year: int, fields: list[int]) -> None:
    stamp = DateTime(year.to_bytes(2) + bytes(fields) + b"\xff\xc4\x00")
    try:
        plain = dt.datetime.combine(stamp.to_date(), stamp.to_time(), CET)
    except DecodeError:
        with pytest.raises(DecodeError):
            stamp.to_datetime()
        return
    assert stamp.to_datetime() == plain
