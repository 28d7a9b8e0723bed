"""The Clock of a device: what it shows, what setting and adjusting do, and what it tells of it (class 8)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, DecodeError
from cosemic.model import Clock
from cosemic.model.time import PresetAdjustingTime
from cosemic.server.clock import ChangeKind, ClockChange, ClockObject
from cosemic.server.local_time import CENTRAL_EUROPEAN, NO_DAYLIGHT_SAVING, DaylightSaving
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.state import StateFile
from cosemic.values import ClockStatus, DataAccessResult, DateTime
from tests.effort import examples
from tests.server.time_support import BEGIN_2026, CLOCK, END_2026, ZERO, Running, stamp, utc

SUMMER = utc(2026, 7, 1, 12, 34, 56)
WINTER = utc(2026, 11, 20, 12, 34, 56)
OTHER = DataAccessResult.OTHER_REASON
SUCCESS = DataAccessResult.SUCCESS
DST = ClockStatus.DAYLIGHT_SAVING_ACTIVE


def octets(value: DateTime) -> EncodedData:
    return EncodedData.of(DataType.OCTET_STRING, value.octets)


def preset(time: DateTime, start: DateTime, end: DateTime) -> EncodedData:
    return EncodedData.from_typed(PresetAdjustingTime.encode(PresetAdjustingTime(time, start, end)))


def shown(running: Running) -> str:
    """The time as it is sent, read by a client."""
    return str(DateTime(running.view.get(8, CLOCK, 2).value()))


def attributes(running: Running) -> list[Any]:
    return [running.view.get(8, CLOCK, number).value() for number in range(3, 10)]


# ---- what it shows ---------------------------------------------------------------------------------------------------


def test_the_time_is_sent_with_deviation_and_the_daylight_saving_bit() -> None:
    running = Running(SUMMER)
    sent = DateTime(running.view.get(8, CLOCK, 2).value())
    assert str(sent) == "2026-07-01 14:34:56+02:00"
    assert (sent.deviation, sent.clock_status) == (-120, DST)
    assert attributes(running)[:2] == [-60, int(DST)]
    running.now = WINTER
    sent = DateTime(running.view.get(8, CLOCK, 2).value())
    assert (str(sent), sent.deviation, sent.clock_status) == ("2026-11-20 13:34:56+01:00", -60, ClockStatus(0))


def test_the_two_passes_of_the_repeated_hour_differ_in_deviation_and_bit() -> None:
    running = Running(END_2026 - dt.timedelta(minutes=30))
    first = running.clock.stamp(running.now)
    second = running.clock.stamp(running.now + dt.timedelta(hours=1))
    assert (str(first), first.clock_status) == ("2026-10-25 02:30:00+02:00", DST)
    assert (str(second), second.clock_status) == ("2026-10-25 02:30:00+01:00", ClockStatus(0))
    assert running.clock.moment(second) - running.clock.moment(first) == dt.timedelta(hours=1)


def test_a_stamp_without_deviation_is_meant_in_the_zone_of_the_meter() -> None:
    clock = Running(SUMMER).clock
    assert clock.moment(stamp("2026-07-01 12:00")) == utc(2026, 7, 1, 10)
    assert clock.moment(stamp("2026-12-01 12:00")) == utc(2026, 12, 1, 11)
    repeated = [clock.moment(stamp("2026-10-25 02:30", clock_status=bits)) for bits in (None, 0x80, 0)]
    assert repeated == [END_2026 - dt.timedelta(minutes=30)] * 2 + [END_2026 + dt.timedelta(minutes=30)]
    assert repeated[0].dst() == dt.timedelta(hours=1)
    assert repeated[2] - repeated[0] == dt.timedelta(hours=1)


@given(st.binary(min_size=12, max_size=12))
def test_any_stamp_is_a_moment_or_one_error(stamped: bytes) -> None:
    try:
        moment = Running(SUMMER).clock.moment(DateTime(stamped))
    except DecodeError:
        return
    assert moment.utcoffset() is not None


@given(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2035, 1, 1)), st.booleans())
def test_what_the_clock_shows_it_reads_back(moment: dt.datetime, inverted: bool) -> None:
    now = moment.replace(tzinfo=dt.UTC, microsecond=0)
    clock = Running(now, inverted_deviation=inverted).clock
    assert clock.moment(clock.stamp(now)) == clock.time(now) == now
    without_deviation = DateTime(clock.stamp(now).octets[:9] + b"\x80\x00" + clock.stamp(now).octets[11:])
    assert clock.moment(without_deviation) == now


def test_local_times_lead_to_the_moment_at_which_they_are_first_shown() -> None:
    running = Running(SUMMER)
    running.act(8, CLOCK, 6, EncodedData.of(DataType.LONG, 300))
    ahead = dt.timedelta(minutes=5)
    assert running.clock.offset == ahead
    assert running.clock.true_time(dt.datetime(2026, 3, 29, 2, 15)) == BEGIN_2026 - ahead
    assert running.clock.true_time(dt.datetime(2026, 7, 1, 15)) == utc(2026, 7, 1, 13) - ahead
    assert running.clock.unseen(END_2026) == dt.datetime(2026, 10, 25, 3)


def test_months_of_daylight_saving_follow_the_rule() -> None:
    assert Running(SUMMER).clock.months == (3, 10)
    assert Running(SUMMER, daylight_saving=NO_DAYLIGHT_SAVING).clock.months is None


# ---- setting ---------------------------------------------------------------------------------------------------------


def test_setting_the_time_moves_the_clock_by_the_moment_that_is_meant() -> None:
    running = Running(SUMMER)
    assert running.set_clock(stamp("2026-07-01 15:00:05")) is SUCCESS
    assert shown(running) == "2026-07-01 15:00:05+02:00"
    assert running.set_clock(stamp("2026-07-01 12:00:00", deviation=0)) is SUCCESS
    assert shown(running) == "2026-07-01 14:00:00+02:00"
    assert running.set_clock(stamp("2026-01-15 12:00:00")) is SUCCESS
    assert shown(running) == "2026-01-15 12:00:00+01:00"


def test_only_the_date_or_only_the_time_may_be_set() -> None:
    running = Running(SUMMER)
    date_only = DateTime(stamp("2026-12-24 00:00").octets[:5] + b"\xff" * 4 + bytes.fromhex("8000ff"))
    assert running.set_clock(date_only) is SUCCESS
    assert shown(running) == "2026-12-24 14:34:56+01:00"
    time_only = DateTime(b"\xff" * 5 + stamp("2026-12-24 06:07:08").octets[5:9] + bytes.fromhex("8000ff"))
    assert running.set_clock(time_only) is SUCCESS
    assert shown(running) == "2026-12-24 06:07:08+01:00"


@pytest.mark.parametrize(
    "wrong",
    [
        DateTime.of(),
        stamp("2026-*-* 12:00"),
        stamp("*-*-01 12:00"),
        stamp("2026-07-01 *:30"),
        stamp("2026-02-30 12:00"),
        stamp("2026-07-01 1 12:00"),  # a Wednesday
        stamp("2026-07-01 12:00", clock_status=0x03),  # invalid and doubtful
        DateTime(stamp("2026-07-01 12:00").octets[:5] + bytes((24, 0, 0, 0)) + bytes.fromhex("8000ff")),
        DateTime(stamp("2026-07-01 12:00").octets[:9] + bytes.fromhex("0349ff")),
        stamp("9999-12-31 23:59", deviation=-840),
        stamp("1-01-01 00:00", deviation=840),
    ],
)
def test_what_is_no_time_is_refused_and_changes_nothing(wrong: DateTime) -> None:
    running = Running(SUMMER)
    changes: list[Any] = []
    running.clock.changing.append(changes.append)
    running.clock.changed.append(changes.append)
    assert running.set_clock(wrong) is OTHER
    assert shown(running) == "2026-07-01 14:34:56+02:00"
    assert (changes, running.names()) == ([], [])


def test_the_status_becomes_what_is_written_and_setting_makes_the_time_valid_again() -> None:
    running = Running(SUMMER)
    running.clock.mark(ClockStatus.INVALID_VALUE | ClockStatus.DIFFERENT_CLOCK_BASE | DST, SUMMER)
    assert running.view.get(8, CLOCK, 4).value() == 0x85
    assert DateTime(running.view.get(8, CLOCK, 2).value()).clock_status == ClockStatus(0x85)
    assert running.set_clock(stamp("2026-07-01 14:00", clock_status=0x72)) is SUCCESS  # reserved bits are not kept
    assert running.view.get(8, CLOCK, 4).value() == 0x82
    assert running.set_clock(stamp("2026-07-01 14:00")) is SUCCESS
    assert running.view.get(8, CLOCK, 4).value() == 0x80


def test_a_clock_that_becomes_invalid_is_told_once() -> None:
    running = Running(SUMMER)
    for flags in (ClockStatus.DOUBTFUL_VALUE, ClockStatus.INVALID_VALUE, ClockStatus.INVALID_VALUE, ClockStatus(0)):
        running.clock.mark(flags, SUMMER)
    assert running.names() == ["clock-invalid"]
    alone = ClockObject()
    alone.mark(ClockStatus.INVALID_VALUE, SUMMER)
    assert alone.status(SUMMER) == ClockStatus.INVALID_VALUE


def test_who_depends_on_the_clock_is_told_before_and_after() -> None:
    running = Running(SUMMER)
    told: list[Any] = []
    running.clock.changing.append(lambda now: told.append((now, str(running.clock.time(now)))))
    running.clock.changed.append(told.append)
    running.set_clock(stamp("2026-07-01 15:00"))
    before, change = told
    assert before == (SUMMER, "2026-07-01 14:34:56+02:00")
    assert isinstance(change, ClockChange)
    assert (change.kind, change.at) == (ChangeKind.SET, SUMMER)
    assert (str(change.before), str(change.after)) == ("2026-07-01 14:34:56+02:00", "2026-07-01 15:00:00+02:00")


def test_who_depends_on_the_clock_sees_the_old_zone_before_and_the_new_one_after() -> None:
    running = Running(SUMMER)
    told: list[str] = []
    running.clock.changing.append(lambda now: told.append(str(running.clock.time(now))))
    running.clock.changed.append(lambda change: told.append(str(running.clock.time(change.at))))
    running.set(8, CLOCK, 3, EncodedData.of(DataType.LONG, 0))
    assert told == ["2026-07-01 14:34:56+02:00", "2026-07-01 13:34:56+01:00"]


def test_the_device_tells_what_was_shown_before_and_after() -> None:
    running = Running(SUMMER)
    running.set_clock(stamp("2026-07-01 15:00"))
    running.act(8, CLOCK, 6, EncodedData.of(DataType.LONG, -60))
    details = [
        {name: str(value) for name, value in one.details.items()} for one in running.happened if "after" in one.details
    ]
    assert running.names() == ["clock-set", "clock-adjusted"]
    assert details == [
        {"before": "2026-07-01 14:34:56+02:00", "after": "2026-07-01 15:00:00+02:00"},
        {"before": "2026-07-01 15:00:00+02:00", "after": "2026-07-01 14:59:00+02:00"},
    ]


# ---- zone and daylight saving ----------------------------------------------------------------------------------------


def test_zone_and_rule_can_be_written_and_change_local_time_only() -> None:
    running = Running(SUMMER, daylight_saving=NO_DAYLIGHT_SAVING)
    kinds: list[ChangeKind] = []
    running.clock.changed.append(lambda change: kinds.append(change.kind))
    assert shown(running) == "2026-07-01 13:34:56+01:00"
    assert running.set(8, CLOCK, 5, octets(CENTRAL_EUROPEAN.begin)) is SUCCESS
    assert running.set(8, CLOCK, 6, octets(CENTRAL_EUROPEAN.end)) is SUCCESS
    assert shown(running) == "2026-07-01 13:34:56+01:00"
    assert running.set(8, CLOCK, 8, EncodedData.of(DataType.BOOLEAN, True)) is SUCCESS
    assert shown(running) == "2026-07-01 14:34:56+02:00"
    assert running.set(8, CLOCK, 7, EncodedData.of(DataType.INTEGER, 30)) is SUCCESS
    assert shown(running) == "2026-07-01 14:04:56+01:30"
    assert running.set(8, CLOCK, 3, EncodedData.of(DataType.LONG, 300)) is SUCCESS
    assert shown(running) == "2026-07-01 08:04:56-04:30"
    assert running.set(8, CLOCK, 9, EncodedData.of(DataType.ENUM, 4)) is SUCCESS
    assert kinds == [ChangeKind.DAYLIGHT_SAVING] * 4 + [ChangeKind.ZONE]
    assert attributes(running) == [300, 0x80, CENTRAL_EUROPEAN.begin.octets, CENTRAL_EUROPEAN.end.octets, 30, True, 4]
    assert running.names() == []


def test_writing_what_is_there_already_is_no_change() -> None:
    running = Running(SUMMER)
    changes: list[Any] = []
    running.clock.changed.append(changes.append)
    for number in (3, 5, 6, 7, 8):
        assert running.set(8, CLOCK, number, running.view.get(8, CLOCK, number)) is SUCCESS
    assert changes == []


@pytest.mark.parametrize(
    ("attribute", "value", "result"),
    [
        (3, EncodedData.of(DataType.LONG, 841), DataAccessResult.TYPE_UNMATCHED),
        (3, EncodedData.of(DataType.LONG, 840), SUCCESS),
        (3, EncodedData.of(DataType.LONG, -720), SUCCESS),
        (5, octets(stamp("*-*-01 02:00")), OTHER),
        (6, octets(stamp("*-10-last 7 *:00")), OTHER),
        (7, EncodedData.of(DataType.INTEGER, 121), DataAccessResult.TYPE_UNMATCHED),
        (8, EncodedData.of(DataType.UNSIGNED, 1), DataAccessResult.TYPE_UNMATCHED),
        (9, EncodedData.of(DataType.ENUM, 6), DataAccessResult.TYPE_UNMATCHED),
    ],
)
def test_illegal_values_are_refused_and_change_nothing(
    attribute: int, value: EncodedData, result: DataAccessResult
) -> None:
    running = Running(SUMMER)
    before = attributes(running)
    assert running.set(8, CLOCK, attribute, value) is result
    assert (attributes(running) == before) is (result is not SUCCESS)


def test_zone_and_daylight_saving_together_stay_within_what_can_be_said() -> None:
    running = Running(SUMMER)
    assert running.set(8, CLOCK, 3, EncodedData.of(DataType.LONG, 840)) is SUCCESS
    assert running.set(8, CLOCK, 7, EncodedData.of(DataType.INTEGER, -1)) is OTHER
    assert running.set(8, CLOCK, 7, EncodedData.of(DataType.INTEGER, 120)) is SUCCESS
    assert running.set(8, CLOCK, 3, EncodedData.of(DataType.LONG, -720)) is SUCCESS
    assert shown(running) == "2026-07-02 02:34:56+14:00"


def test_daylight_saving_is_told_when_it_begins_and_ends() -> None:
    running = Running(utc(2026, 1, 1))
    running.go(utc(2027, 1, 1))
    told = [(one.name, one.at, dict(one.details)) for one in running.happened]
    assert told == [
        ("daylight-saving-changed", BEGIN_2026, {"active": True}),
        ("daylight-saving-changed", END_2026, {"active": False}),
    ]


def test_a_clock_that_is_ahead_changes_earlier() -> None:
    running = Running(utc(2026, 3, 28))
    running.act(8, CLOCK, 6, EncodedData.of(DataType.LONG, 600))
    running.go(utc(2026, 3, 30))
    assert [one.at for one in running.happened if one.name == "daylight-saving-changed"] == [
        BEGIN_2026 - dt.timedelta(minutes=10)
    ]


# ---- adjusting -------------------------------------------------------------------------------------------------------


@given(
    st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1)),
    st.sampled_from([(1, 900), (2, 1800), (3, 60)]),
    st.sampled_from([-570, -90, 7, 60, 345]),
)
@examples(60)
def test_adjusting_leads_to_the_nearest_multiple_of_local_time(
    moment: dt.datetime, how: tuple[int, int], utc_offset: int
) -> None:
    method, seconds = how
    running = Running(moment.replace(tzinfo=dt.UTC), utc_offset=utc_offset, measuring_period=1800)
    before = running.clock.time(running.now)
    assert running.act(8, CLOCK, method) == "success"
    after = running.clock.time(running.now)
    assert abs(after - before) <= dt.timedelta(seconds=seconds / 2)
    midnight = after.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    assert (after.replace(tzinfo=None) - midnight) % dt.timedelta(seconds=seconds) == dt.timedelta(0)


@pytest.mark.parametrize(("second", "shows"), [(29, "14:34:00"), (30, "14:35:00")])
def test_from_half_a_minute_on_the_clock_goes_forwards(second: int, shows: str) -> None:
    running = Running(SUMMER.replace(second=second))
    running.act(8, CLOCK, 3)
    assert shown(running).startswith(f"2026-07-01 {shows}")


@pytest.mark.parametrize(("seconds", "result"), [(900, "success"), (-900, "success"), (901, "type-unmatched")])
def test_the_clock_is_shifted_by_at_most_a_quarter_of_an_hour(seconds: int, result: str) -> None:
    running = Running(SUMMER)
    assert running.act(8, CLOCK, 6, EncodedData.of(DataType.LONG, seconds)) == result
    moved = dt.timedelta(seconds=seconds if result == "success" else 0)
    assert running.clock.time(SUMMER) - SUMMER == moved


def test_a_preset_time_is_set_once_within_its_interval() -> None:
    running = Running(SUMMER)
    assert running.act(8, CLOCK, 4) == "temporary-failure"
    kept = preset(stamp("2026-07-01 20:00"), stamp("2026-07-01 15:00"), stamp("2026-07-01 16:00"))
    assert running.act(8, CLOCK, 5, kept) == "success"
    assert running.act(8, CLOCK, 4) == "temporary-failure"
    running.now = utc(2026, 7, 1, 13)  # 15:00
    assert running.act(8, CLOCK, 4) == "success"
    assert shown(running) == "2026-07-01 20:00:00+02:00"
    assert running.act(8, CLOCK, 4) == "temporary-failure"
    assert shown(running) == "2026-07-01 20:00:00+02:00"


def test_after_its_interval_a_preset_time_is_not_set_any_more() -> None:
    running = Running(SUMMER)
    running.act(8, CLOCK, 5, preset(stamp("2026-07-01 20:00"), DateTime.of(), stamp("2026-07-01 16:00")))
    running.now = utc(2026, 7, 1, 14, 0, 1)
    assert running.act(8, CLOCK, 4) == "temporary-failure"
    running.act(8, CLOCK, 5, preset(stamp("2026-07-01 20:00"), DateTime.of(), DateTime.of()))
    assert running.act(8, CLOCK, 4) == "success"
    running.now += dt.timedelta(minutes=5)
    assert running.act(8, CLOCK, 4) == "temporary-failure"  # used up
    assert shown(running) == "2026-07-01 20:05:00+02:00"


@pytest.mark.parametrize(
    "times",
    [
        ("2026-07-* 20:00", "2026-07-01 15:00", "2026-07-01 16:00"),
        ("2026-07-01 20:00", "2026-07-* 15:00", "2026-07-01 16:00"),
        ("2026-07-01 20:00", "2026-07-01 15:00", "2026-07-01 *:00"),
        ("2026-07-01 20:00", "2026-07-01 16:00", "2026-07-01 15:00"),
    ],
)
def test_a_preset_that_can_never_be_set_is_refused(times: tuple[str, str, str]) -> None:
    running = Running(SUMMER)
    assert running.act(8, CLOCK, 5, preset(*map(stamp, times))) == "other-reason"
    assert running.act(8, CLOCK, 4) == "temporary-failure"


def test_a_preset_time_is_a_structure_of_three() -> None:
    assert Running(SUMMER).act(8, CLOCK, 5, octets(stamp("2026-07-01 20:00"))) == "type-unmatched"


# ---- as a part of a device -------------------------------------------------------------------------------------------


def test_settings_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with StateFile(path) as file:
        running = Running(SUMMER, file.of("meter"), daylight_saving=NO_DAYLIGHT_SAVING)
        running.set_clock(stamp("2026-07-01 20:00", clock_status=2))
        running.set(8, CLOCK, 3, EncodedData.of(DataType.LONG, -120))
        running.set(8, CLOCK, 5, octets(CENTRAL_EUROPEAN.begin))
        running.set(8, CLOCK, 6, octets(CENTRAL_EUROPEAN.end))
        running.set(8, CLOCK, 7, EncodedData.of(DataType.INTEGER, 90))
        running.set(8, CLOCK, 8, EncodedData.of(DataType.BOOLEAN, True))
        running.set(8, CLOCK, 9, EncodedData.of(DataType.ENUM, 2))
        running.act(8, CLOCK, 5, preset(stamp("2026-07-02 06:00"), DateTime.of(), DateTime.of()))
        before = shown(running), attributes(running)
    with StateFile(path) as file:
        again = Running(SUMMER, file.of("meter"), daylight_saving=NO_DAYLIGHT_SAVING)
        assert (shown(again), attributes(again)) == before
        assert again.act(8, CLOCK, 4) == "success"
        assert shown(again).startswith("2026-07-02 06:00:00")


def test_a_clock_serves_one_device() -> None:
    running = Running(SUMMER)
    running.clock.connect(running.device)
    with pytest.raises(ConfigurationError, match="cannot be that of TST0000000000002"):
        running.clock.connect(LogicalDevice("TST0000000000002"))


def test_a_rule_that_is_none_is_refused_when_the_clock_is_made() -> None:
    with pytest.raises(ConfigurationError, match="one moment of a year"):
        ClockObject(daylight_saving=DaylightSaving(begin=stamp("*-*-01 02:00")))
    with pytest.raises(ConfigurationError, match="at most 12 hours from UTC"):
        ClockObject(utc_offset=721)


def test_every_attribute_and_method_of_the_class_is_served() -> None:
    clock = ClockObject()
    assert clock.readable == frozenset(Clock.attributes)
    assert clock.writable == frozenset(Clock.attributes) - {1, 4}
    assert clock.invocable == frozenset(Clock.methods)
    assert Running(SUMMER).act(8, CLOCK, 1, ZERO) == "success"
