"""Local time by the rule of a clock: against the time zones of the IANA database, and by the definition of PEP 495."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.server.local_time import (
    CENTRAL_EUROPEAN,
    NO_DAYLIGHT_SAVING,
    DaylightSaving,
    LocalTime,
    is_switch,
    rule_of,
)
from cosemic.values import DateTime
from tests.effort import examples
from tests.server.time_support import BEGIN_2026, END_2026, stamp, utc

ZONES = {
    "Europe/Berlin": (60, "*-03-last Sun 02:00:00", "*-10-last Sun 03:00:00", 60),
    "Europe/Lisbon": (0, "*-03-last Sun 01:00:00", "*-10-last Sun 02:00:00", 60),
    "America/New_York": (-300, "*-03-08 Sun 02:00:00", "*-11-01 Sun 02:00:00", 60),
    "Australia/Sydney": (600, "*-10-01 Sun 02:00:00", "*-04-01 Sun 03:00:00", 60),
    "Australia/Lord_Howe": (630, "*-10-01 Sun 02:00:00", "*-04-01 Sun 02:00:00", 30),
    "Asia/Jerusalem": (120, "*-03-23 Fri 02:00:00", "*-10-last Sun 02:00:00", 60),
    "Antarctica/Troll": (0, "*-03-last Sun 01:00:00", "*-10-last Sun 03:00:00", 120),
}
NEGATIVE = LocalTime(60, DaylightSaving(stamp("*-10-last 7 02:00"), stamp("*-03-last 7 01:00"), -60))
"""Normal time in summer, as Irish law has it: the clock goes back when daylight "saving" begins."""
HOUR = dt.timedelta(hours=1)
TICK = dt.timedelta(microseconds=1)

moments = st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2030, 1, 1)) | st.builds(
    lambda switch, minutes: switch.replace(tzinfo=None) + dt.timedelta(minutes=minutes),
    st.sampled_from([BEGIN_2026, END_2026]),
    st.integers(-150, 150),
)


@pytest.mark.parametrize("name", ZONES)
def test_the_rule_of_a_time_zone_is_found(name: str) -> None:
    minutes, rule = rule_of(ZoneInfo(name), 2026)
    assert (minutes, str(rule.begin), str(rule.end), rule.deviation) == ZONES[name]
    assert rule.enabled


def test_a_time_zone_without_daylight_saving_has_no_rule() -> None:
    assert rule_of(ZoneInfo("Asia/Kolkata"), 2026) == (330, NO_DAYLIGHT_SAVING)
    assert rule_of(dt.timezone(HOUR), 2026) == (60, NO_DAYLIGHT_SAVING)


def test_a_rule_that_no_pattern_describes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Casablanca does not switch twice a year"):
        rule_of(ZoneInfo("Africa/Casablanca"), 2026)  # switches around Ramadan

    class Wandering(dt.tzinfo):
        """Begins a day later each year."""

        def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
            return self.dst(moment)

        def dst(self, moment: dt.datetime | None) -> dt.timedelta:
            assert moment is not None
            begin = dt.datetime(moment.year, 3, 1) + dt.timedelta(moment.year - 2026)
            return HOUR if begin <= moment.replace(tzinfo=None) < dt.datetime(moment.year, 10, 1) else dt.timedelta(0)

    with pytest.raises(ConfigurationError, match="follows no pattern of days"):
        rule_of(Wandering(), 2026)


@pytest.mark.slow
@pytest.mark.parametrize("name", ZONES)
@examples(30)
@given(moment=moments)
def test_local_time_is_that_of_the_time_zone(name: str, moment: dt.datetime) -> None:
    zone, (minutes, rule) = ZoneInfo(name), rule_of(ZoneInfo(name), 2026)
    local, aware = LocalTime(minutes, rule), moment.replace(tzinfo=dt.UTC)
    theirs, ours, shown = aware.astimezone(zone), aware.astimezone(local), local.shown(aware)
    assert (ours.replace(tzinfo=None), ours.fold, ours.utcoffset(), ours.dst()) == (
        theirs.replace(tzinfo=None), theirs.fold, theirs.utcoffset(), theirs.dst(),
    )  # fmt: skip
    assert shown.replace(tzinfo=None) == theirs.replace(tzinfo=None, fold=0)
    assert (shown.utcoffset(), shown.dst()) == (theirs.utcoffset(), theirs.dst())
    assert local.is_saving(aware) == bool(theirs.dst())
    # A local time that is skipped or repeated, whichever it is.
    for fold in (0, 1):
        assert moment.replace(tzinfo=local, fold=fold).utcoffset() == moment.replace(tzinfo=zone, fold=fold).utcoffset()


@pytest.mark.parametrize("local", [LocalTime(60, CENTRAL_EUROPEAN), NEGATIVE])
@given(moment=moments)
def test_each_local_time_has_one_first_moment(local: LocalTime, moment: dt.datetime) -> None:
    first = local.first(moment)
    shown = local.shown(first).replace(tzinfo=None)
    if shown == moment:
        assert all(local.shown(earlier).replace(tzinfo=None) != moment for earlier in (first - HOUR, first - 2 * HOUR))
    else:  # skipped: at the switch
        assert local.next_switch(first - TICK) == first
        assert local.shown(first - TICK).replace(tzinfo=None) < moment < shown
    assert local.first(moment + dt.timedelta(minutes=1)) >= first


@pytest.mark.parametrize("local", [LocalTime(60, CENTRAL_EUROPEAN), NEGATIVE])
@given(moment=moments)
def test_what_is_unseen_comes_first_afterwards_and_all_before_was_seen(local: LocalTime, moment: dt.datetime) -> None:
    aware = moment.replace(tzinfo=dt.UTC)
    unseen = local.unseen(aware)
    assert local.first(unseen) > aware
    assert local.first(unseen - TICK) <= aware


def test_the_nights_of_central_europe() -> None:
    local = LocalTime(60, CENTRAL_EUROPEAN)
    assert str(local.shown(BEGIN_2026 - TICK)) == "2026-03-29 01:59:59.999999+01:00"
    assert str(local.shown(BEGIN_2026)) == "2026-03-29 03:00:00+02:00"
    assert local.first(dt.datetime(2026, 3, 29, 2, 30)) == BEGIN_2026
    assert str(local.shown(END_2026 - TICK)) == "2026-10-25 02:59:59.999999+02:00"
    assert str(local.shown(END_2026)) == "2026-10-25 02:00:00+01:00"
    assert local.first(dt.datetime(2026, 10, 25, 2, 30)) == END_2026 - HOUR / 2
    assert local.unseen(END_2026 + HOUR / 2) == dt.datetime(2026, 10, 25, 3)
    assert local.next_switch(BEGIN_2026) == END_2026
    assert local.next_switch(END_2026) == utc(2027, 3, 28, 1)
    assert local.tzname(dt.datetime(2026, 7, 1)) == local.shown(utc(2026, 7, 1)).tzname() == "UTC+02:00"
    assert repr(local.shown(BEGIN_2026).tzinfo) == "<FixedOffset UTC+02:00>"
    assert local.utcoffset(None) == HOUR


def test_moments_are_the_same_whatever_was_asked_before() -> None:
    local = LocalTime(60, CENTRAL_EUROPEAN)
    summers = [local.is_saving(utc(year, 7, 1)) for year in (2030, 2020, 2026, 2025)]
    winters = [local.is_saving(utc(year, 12, 1)) for year in (2019, 2031, 2026)]
    assert summers == [True] * 4
    assert winters == [False] * 3


def test_a_switch_may_give_its_deviation_in_either_sign() -> None:
    end_in_normal_time = stamp("*-10-last 7 02:00", deviation=-60)
    begin_in_utc = stamp("*-03-last 7 01:00", deviation=0)
    local = LocalTime(60, DaylightSaving(begin_in_utc, end_in_normal_time))
    assert local.next_switch(utc(2026, 1, 1)) == BEGIN_2026
    assert local.next_switch(BEGIN_2026) == END_2026
    inverted = LocalTime(
        60, DaylightSaving(begin_in_utc, stamp("*-10-last 7 02:00", deviation=60)), inverted_deviation=True
    )
    assert inverted.next_switch(BEGIN_2026) == END_2026


def test_a_rule_of_one_year_holds_in_that_year_only() -> None:
    local = LocalTime(60, DaylightSaving(stamp("2026-03-29 02:00"), stamp("2026-10-25 03:00")))
    assert [local.is_saving(utc(year, 7, 1)) for year in (2025, 2026, 2027)] == [False, True, False]
    assert local.next_switch(utc(2000, 1, 1)) == BEGIN_2026
    assert local.next_switch(END_2026) is None
    for_good = LocalTime(60, DaylightSaving(stamp("2026-03-29 02:00"), stamp("2020-10-25 03:00")))
    assert for_good.is_saving(utc(2200, 1, 1))
    assert for_good.next_switch(BEGIN_2026) is None


@pytest.mark.parametrize(
    "rule",
    [
        NO_DAYLIGHT_SAVING,
        DaylightSaving(CENTRAL_EUROPEAN.begin, CENTRAL_EUROPEAN.end, enabled=False),
        DaylightSaving(begin=CENTRAL_EUROPEAN.begin),
        DaylightSaving(end=CENTRAL_EUROPEAN.end),
    ],
)
def test_without_a_whole_rule_there_is_no_daylight_saving(rule: DaylightSaving) -> None:
    local = LocalTime(60, rule)
    assert not local.is_saving(utc(2026, 7, 1))
    assert local.next_switch(utc(2026, 1, 1)) is None
    assert local.first(dt.datetime(2026, 3, 29, 2, 30)) == utc(2026, 3, 29, 1, 30)
    assert local.unseen(END_2026) == dt.datetime(2026, 10, 25, 2, 0, 0, 1)


def test_a_switch_may_belong_to_the_year_before() -> None:
    new_year = stamp("*-12-28 7 00:00")  # the first Sunday on or after 28 December
    local = LocalTime(0, DaylightSaving(new_year, stamp("*-06-01 00:00")))
    switches = [moment := utc(2022, 7, 1)]
    while moment.year < 2028:
        moment = local.next_switch(moment) or moment
        switches.append(moment)
    begins = [moment.date().isoformat() for moment in switches[1:] if local.is_saving(moment)]
    assert begins == ["2023-01-01", "2023-12-31", "2024-12-29", "2025-12-28", "2027-01-03", "2028-01-02"]


def test_months_of_a_rule_are_known_though_it_is_not_enabled() -> None:
    assert DaylightSaving(CENTRAL_EUROPEAN.begin, CENTRAL_EUROPEAN.end, enabled=False).months == (3, 10)
    assert DaylightSaving(begin=CENTRAL_EUROPEAN.begin).months is None


@pytest.mark.parametrize(
    ("switch", "fine"),
    [
        ("*-03-last 7 02:00", True),
        ("2026-03-29 02:00", True),
        ("2026-03-29 7 02:00", True),
        ("*-03-25 7 02:00", True),
        ("*-03-31 02:00", True),
        ("2028-02-29 02:00", True),
        ("2026-03-29 1 02:00", False),  # a Sunday
        ("*-*-last 7 02:00", False),
        ("*-03-* 7 02:00", False),
        ("*-03-last 7 *:00", False),
        ("*-03-last 7 02:*", False),
        ("*-02-29 02:00", False),
        ("*-02-29 7 02:00", False),
        ("*-04-31 02:00", False),
    ],
)
def test_a_switch_is_one_moment_of_one_or_of_every_year(switch: str, fine: bool) -> None:
    assert is_switch(stamp(switch)) is fine


def test_a_switch_has_fields_in_range_and_does_not_depend_on_itself() -> None:
    assert is_switch(DateTime.of())
    assert not is_switch(DateTime(CENTRAL_EUROPEAN.begin.octets[:5] + bytes((24, 0, 0, 0)) + bytes.fromhex("8000ff")))
    assert not is_switch(DateTime.of(month=0xFE, day_of_month=1, hour=2, minute=0))
    assert not is_switch(DateTime(stamp("*-03-last 7 02:00").octets[:9] + bytes.fromhex("0349ff")))  # 841 minutes


@given(st.binary(min_size=12, max_size=12))
def test_any_octets_are_a_switch_or_not_and_a_switch_can_be_kept(octets: bytes) -> None:
    switch = DateTime(octets)
    if is_switch(switch):
        LocalTime(60, DaylightSaving(switch, CENTRAL_EUROPEAN.end)).shown(BEGIN_2026)


@pytest.mark.parametrize("local", [dt.datetime.min, dt.datetime.max])
@pytest.mark.parametrize("minutes", [-720, 720])
@pytest.mark.parametrize("rule", [CENTRAL_EUROPEAN, NO_DAYLIGHT_SAVING])
def test_at_the_ends_of_the_calendar_there_is_normal_time(
    local: dt.datetime, minutes: int, rule: DaylightSaving
) -> None:
    assert local.replace(tzinfo=LocalTime(minutes, rule)).utcoffset() == dt.timedelta(minutes=minutes)
