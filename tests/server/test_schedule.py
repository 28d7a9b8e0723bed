"""The Schedule: weekdays, special days and ranges of dates; time that does not simply go on (class 10)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import EnableDisable, IndexRange, Schedule, ScheduleTableEntry, SpecDayEntry
from cosemic.server.objects import AccessRefused
from cosemic.server.schedule import ANY_TIME, ScheduleObject
from cosemic.server.special_days import SpecialDaysObject
from cosemic.server.state import StateFile
from cosemic.values import BitString, DataAccessResult, Date, Obis, Time
from tests.effort import examples
from tests.server.time_support import BEGIN_2026, END_2026, SCRIPTS, Running, at, on, stamp, utc

NAME = "0-0:12.0.0"
BERLIN = ZoneInfo("Europe/Berlin")
DAILY, WORKDAYS = "1111111", "1111100"
MINUTE = dt.timedelta(minutes=1)
OTHER = DataAccessResult.OTHER_REASON
SUCCESS = DataAccessResult.SUCCESS


def entry(
    index: int,
    time: str,
    *,
    number: int | None = None,
    days: str = DAILY,
    special: str = "",
    begin: str = "*-*-*",
    end: str = "*-*-*",
    window: int = ANY_TIME,
    enable: bool = True,
) -> ScheduleTableEntry:
    return ScheduleTableEntry(
        index,
        enable,
        SCRIPTS,
        number or index,
        at(time),
        window,
        BitString(days),
        BitString(special),
        on(begin),
        on(end),
    )


def scheduled(
    running: Running, *entries: ScheduleTableEntry, special: list[SpecDayEntry] | None = None, **options: Any
) -> SpecialDaysObject:
    days = running.device.add(SpecialDaysObject(entries=special or []))
    running.device.add(ScheduleObject(running.device, running.clock, NAME, entries, special_days=days, **options))
    return days


def encoded(*entries: ScheduleTableEntry) -> EncodedData:
    return EncodedData.from_typed(Schedule.entries.type.encode(entries))


def indices(running: Running, enabled: bool | None = None) -> list[int]:
    rows = running.view.get(10, NAME, 2).value()
    return [row[0] for row in rows if enabled is None or row[1] is enabled]


def days(ran: list[tuple[str, int]]) -> list[str]:
    return [time[:5] for time, _ in ran]


# ---- which days ------------------------------------------------------------------------------------------------------


def test_an_entry_runs_on_its_weekdays() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, entry(1, "06:00", days=WORKDAYS), entry(2, "08:00", days="0000001"))
    assert running.local(utc(2026, 1, 7)) == [
        *(("01-01 06:00:00", 1), ("01-02 06:00:00", 1), ("01-04 08:00:00", 2)),
        *(("01-05 06:00:00", 1), ("01-06 06:00:00", 1)),
    ]


def test_on_a_special_day_its_bit_decides_instead_of_the_weekday() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(
        running, entry(1, "06:00"), entry(2, "08:00", days="0000000", special="01"),
        special=[SpecDayEntry(day, on(f"*-01-{day:02}"), day_id) for day, day_id in ((2, 1), (3, 2), (4, 9))],
    )  # fmt: skip
    assert running.local(utc(2026, 1, 6)) == [("01-01 06:00:00", 1), ("01-03 08:00:00", 2), ("01-05 06:00:00", 1)]


def test_the_first_bit_may_stand_for_another_day_id() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(
        running,
        entry(1, "06:00", days="0000000", special="1"),
        special=[SpecDayEntry(1, on("*-01-02"), 0)],
        first_day_id=0,
    )
    assert days(running.local(utc(2026, 1, 6))) == ["01-02"]


def test_other_special_days_hold_from_when_they_are_written() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, entry(1, "06:00"))
    assert days(running.local(utc(2026, 1, 2))) == ["01-01"]
    running.act(11, "0-0:11.0.0", 1, EncodedData.from_typed(SpecDayEntry.encode(SpecDayEntry(1, on("*-01-02"), 1))))
    assert days(running.local(utc(2026, 1, 4))) == ["01-03"]


def test_without_a_table_no_day_is_special() -> None:
    running = Running(utc(2026, 1, 1))
    running.device.add(ScheduleObject(running.device, running.clock, NAME, [entry(1, "06:00")]))
    assert days(running.local(utc(2026, 1, 3))) == ["01-01", "01-02"]


@pytest.mark.parametrize(
    ("begin", "end", "runs"),
    [
        ("*-*-*", "*-*-*", 365),
        ("2026-03-10", "2026-03-12", 3),
        ("2026-03-10", "*-*-*", 297),
        ("*-*-*", "2026-01-10", 10),
        ("*-04-01", "*-09-30", 183),
        ("*-10-01", "*-03-31", 182),  # over the turn of the year
        ("*-*-*", "*-01-10", 10),
        ("*-12-30", "*-*-*", 2),
        ("*-*-10", "*-*-12", 36),
        ("*-*-* 1", "*-*-* 2", 104),  # Mondays and Tuesdays
        ("2025-01-01", "*-01-10", 0),  # the first end behind its begin
        ("2030-01-01", "*-*-*", 0),
        ("2026-12-01", "2026-11-01", 0),
    ],
)
def test_a_range_of_dates_has_its_days(begin: str, end: str, runs: int) -> None:
    running = Running(utc(2025, 12, 31, 12))
    scheduled(running, entry(1, "12:00", begin=begin, end=end))
    assert len(running.go(utc(2026, 12, 31, 20))) == runs


def test_an_entry_that_rests_for_years_comes_back() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, entry(1, "06:00", days="0000000", special="1"), special=[SpecDayEntry(1, on("2031-05-05"), 1)])
    assert [moment for moment, _ in running.go(utc(2040, 1, 1))] == [utc(2031, 5, 5, 4)]


def test_an_entry_that_is_disabled_or_has_no_time_does_not_run() -> None:
    running = Running(utc(2026, 1, 1))
    no_time = ScheduleTableEntry(
        2, True, SCRIPTS, 2, Time.of(), ANY_TIME, BitString(DAILY), BitString(), Date.of(), Date.of()
    )
    scheduled(running, entry(1, "06:00", enable=False), no_time)
    assert running.go(utc(2027, 1, 1)) == []


def oracle(one: ScheduleTableEntry, special: dict[dt.date, int], day: dt.date) -> bool:
    """Whether an entry of a yearly range runs on a day, by the words of the class."""
    if day in special:
        bits, bit = one.exec_specdays, special[day] - 1
    else:
        bits, bit = one.exec_weekdays, day.weekday()
    begin, end = (one.begin_date.month, one.begin_date.day_of_month), (one.end_date.month, one.end_date.day_of_month)
    today = (day.month, day.day)
    within = begin <= today <= end if begin <= end else (today >= begin or today <= end)
    return within and bit < len(bits) and bits[bit] == "1"


@pytest.mark.slow
@given(
    weekdays=st.text("01", min_size=7, max_size=7),
    specials=st.text("01", max_size=3),
    special=st.dictionaries(st.dates(dt.date(2026, 1, 1), dt.date(2026, 12, 31)), st.integers(1, 4), max_size=6),
    begin=st.tuples(st.integers(1, 12), st.integers(1, 28)),
    end=st.tuples(st.integers(1, 12), st.integers(1, 28)),
    hour=st.integers(0, 23),
)
@examples(40)
def test_days_are_those_of_weekday_special_day_and_range(
    weekdays: str,
    specials: str,
    special: dict[dt.date, int],
    begin: tuple[int, int],
    end: tuple[int, int],
    hour: int,
) -> None:
    one = entry(
        1, f"{hour}:00", days=weekdays, special=specials,
        begin=f"*-{begin[0]:02}-{begin[1]:02}", end=f"*-{end[0]:02}-{end[1]:02}",
    )  # fmt: skip
    running = Running(utc(2025, 12, 31, 23) - dt.timedelta(microseconds=1))
    table = [SpecDayEntry(number, Date.from_date(day), id_) for number, (day, id_) in enumerate(special.items())]
    scheduled(running, one, special=table)
    ran = [running.clock.time(moment).date() for moment, _ in running.go(utc(2026, 12, 31, 22, 59, 59))]
    year = (dt.date(2026, 1, 1) + dt.timedelta(number) for number in range(365))
    assert ran == [day for day in year if oracle(one, special, day)]


# ---- in which order --------------------------------------------------------------------------------------------------


def test_at_one_time_the_lowest_index_comes_first_and_a_script_runs_once() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running)
    entries = [entry(30, "06:00", number=3), entry(7, "06:00", number=5), entry(2, "06:00", number=3)]
    for day, order in ((2, entries), (3, entries[::-1])):
        running.set(10, NAME, 2, encoded(*order))
        assert [number for _, number in running.go(utc(2026, 1, day))] == [3, 5]


def test_in_the_skipped_hour_the_earlier_time_comes_first() -> None:
    running = Running(utc(2026, 3, 28, 12))
    scheduled(running, entry(1, "02:50"), entry(2, "02:10"), entry(3, "03:00"), entry(4, "01:59"), entry(5, "02:*"))
    ran = running.go(utc(2026, 3, 29, 12))
    assert ran == [(BEGIN_2026 - MINUTE, 4), *((BEGIN_2026, number) for number in (2, 1, 5, 3))]


def test_the_repeated_hour_is_not_repeated() -> None:
    running = Running(utc(2026, 10, 24, 12))
    scheduled(running, entry(1, "02:10"), entry(2, "*:30"))
    ran = [(moment, number) for moment, number in running.go(END_2026 + 90 * MINUTE) if moment > END_2026 - 70 * MINUTE]
    assert ran == [(END_2026 - 50 * MINUTE, 1), (END_2026 - 30 * MINUTE, 2), (END_2026 + 90 * MINUTE, 2)]


# ---- power failure and changes of the clock --------------------------------------------------------------------------


def test_listeners_learn_that_power_is_back_before_anything_is_made_up_for() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, entry(1, "06:00"))
    running.go(utc(2026, 1, 1, 3))
    running.device.tell("power-down", running.now)
    later: list[str] = []
    running.device.listeners.append(lambda happening: later.append(happening.name))
    running.now = utc(2026, 1, 1, 12)
    running.device.tell("power-up", running.now)
    assert running.go(utc(2026, 1, 1, 13)) == [(utc(2026, 1, 1, 12), 1)]
    assert later == ["power-up", "script-executed"]


def outage(running: Running, down: dt.datetime, up: dt.datetime) -> list[tuple[str, int]]:
    running.go(down)
    running.device.tell("power-down", down)
    assert running.go(up) == []
    running.device.tell("power-up", up)
    return running.local(up)


def test_after_a_power_failure_entries_run_within_their_window_in_the_order_they_had() -> None:
    running = Running(utc(2026, 1, 1, 3))
    scheduled(
        running,
        entry(1, "06:00", window=119), entry(2, "06:00", window=120), entry(3, "05:30"), entry(4, "07:59", window=1),
        entry(5, "07:59", window=0), entry(6, "08:00", window=0), entry(7, "08:01"),
    )  # fmt: skip
    up = utc(2026, 1, 1, 7)  # 08:00
    assert [number for _, number in outage(running, utc(2026, 1, 1, 4, 15), up)] == [3, 2, 4, 6]
    assert running.local(utc(2026, 1, 1, 8)) == [("01-01 08:01:00", 7)]


def test_an_entry_that_was_missed_for_days_runs_once_at_its_last_place() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, entry(1, "06:00"), entry(2, "22:00"))
    assert [number for _, number in outage(running, utc(2026, 1, 1, 3), utc(2026, 1, 4, 12))] == [2, 1]
    assert [number for _, number in running.go(utc(2026, 1, 5))] == [2]


def test_power_that_was_never_away_makes_up_for_nothing() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, entry(1, "06:00"))
    running.go(utc(2026, 1, 1, 12))
    running.device.tell("power-up", running.now)
    running.device.tell("power-down", running.now)
    running.device.tell("power-down", running.now)
    running.device.tell("power-up", running.now)
    assert running.go(running.now) == []


def test_a_power_failure_outlives_the_process(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        running = Running(utc(2026, 1, 1), file.of("meter"))
        scheduled(running, entry(1, "06:00"))
        running.go(utc(2026, 1, 1, 3))
        running.device.tell("power-down", running.now)
        running.device.commit()
    with StateFile(tmp_path / "state") as file:
        again = Running(utc(2026, 1, 1, 9), file.of("meter"))
        scheduled(again, entry(1, "06:00"))
        assert again.go(utc(2026, 1, 1, 9)) == []
        again.device.tell("power-up", again.now)
        again.device.commit()
    with StateFile(tmp_path / "state") as file:
        again = Running(utc(2026, 1, 1, 10), file.of("meter"))
        scheduled(again, entry(1, "06:00"))
        assert again.go(utc(2026, 1, 2)) == [(utc(2026, 1, 1, 9), 1)]


def test_while_power_goes_and_comes_what_was_missed_waits_for_the_end() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, entry(1, "06:00"))
    running.go(utc(2026, 1, 1, 3))
    for name in ("power-down", "power-up", "power-down"):
        running.device.tell(name, running.now)
    assert running.go(utc(2026, 1, 1, 12)) == []
    running.device.tell("power-up", running.now)
    assert running.go(utc(2026, 1, 1, 13)) == [(utc(2026, 1, 1, 12), 1)]


def test_setting_the_clock_forwards_is_like_a_power_failure() -> None:
    running = Running(utc(2026, 1, 1, 3))  # 04:00
    scheduled(running, entry(1, "05:00", window=30), entry(2, "06:00", window=30), entry(3, "05:30"))
    assert running.set_clock(stamp("2026-01-01 06:20")) is SUCCESS
    assert running.ran == [(utc(2026, 1, 1, 3), 3), (utc(2026, 1, 1, 3), 2)]
    running.ran.clear()
    assert running.go(utc(2026, 1, 1, 20)) == []
    assert [time for time, _ in running.local(utc(2026, 1, 2, 2))] == ["01-02 05:00:00"]


def test_setting_the_clock_backwards_repeats_what_comes_again() -> None:
    running = Running(utc(2026, 1, 1, 3))
    scheduled(running, entry(1, "05:00"), entry(2, "06:00"))
    assert len(running.go(utc(2026, 1, 1, 5, 30))) == 2  # 06:30
    running.set_clock(stamp("2026-01-01 05:30"))
    assert running.ran == []
    assert running.local(utc(2026, 1, 1, 7)) == [("01-01 06:00:00", 2)]


@pytest.mark.parametrize("backwards", [False, True])
@given(seconds=st.integers(0, 60), when=st.integers(-70, 70))
@examples(30)
def test_by_a_correction_nothing_is_lost_and_nothing_done_twice(backwards: bool, seconds: int, when: int) -> None:
    running = Running(utc(2026, 1, 1, 4))
    scheduled(running, entry(1, "06:00", window=0), entry(2, "*:00"))
    ran = running.go(utc(2026, 1, 1, 5) + dt.timedelta(seconds=when))  # 06:00 and so
    shown = running.clock.time(running.now) + dt.timedelta(seconds=-seconds if backwards else seconds)
    running.set_clock(stamp(shown.strftime("%Y-%m-%d %H:%M:%S")))
    ran += running.go(utc(2026, 1, 1, 6, 30))
    assert [number for _, number in ran] == [1, 2, 2]


def test_corrections_one_after_the_other_hold_together() -> None:
    running = Running(utc(2026, 1, 1, 4))
    scheduled(running, entry(1, "06:00"))
    assert len(running.go(utc(2026, 1, 1, 5, 0, 10))) == 1
    running.set_clock(stamp("2026-01-01 05:59:40"))
    running.set_clock(stamp("2026-01-01 05:59:10"))
    running.set_clock(stamp("2026-01-01 05:59:50"))
    assert running.go(utc(2026, 1, 1, 5, 30)) == []
    running.set_clock(stamp("2026-01-01 05:30"))  # not a correction any more
    assert len(running.go(utc(2026, 1, 1, 8))) == 1


def test_what_counts_as_a_correction_can_be_set() -> None:
    running = Running(utc(2026, 1, 1, 5, 10), synchronisation_limit=900)
    scheduled(running, entry(1, "06:00"))
    running.set_clock(stamp("2026-01-01 05:55"))
    assert running.go(utc(2026, 1, 1, 8)) == []


def test_daylight_saving_that_is_switched_on_by_hand_loses_nothing() -> None:
    running = Running(utc(2026, 7, 1, 4, 30))
    scheduled(running, entry(1, "06:10", window=0), entry(2, "07:10", window=0))
    assert running.local(utc(2026, 7, 1, 4, 45)) == []  # 06:45 in daylight saving
    running.set(8, "0-0:1.0.0", 8, EncodedData.of(DataType.BOOLEAN, False))
    assert running.go(utc(2026, 7, 1, 5, 45)) == []  # 06:45 again; 06:10 was there before
    running.set(8, "0-0:1.0.0", 8, EncodedData.of(DataType.BOOLEAN, True))
    assert running.ran == [(utc(2026, 7, 1, 5, 45), 2)]


def test_another_zone_is_another_time() -> None:
    running = Running(utc(2026, 1, 1, 4, 30))
    scheduled(running, entry(1, "06:00", window=20), entry(2, "06:00", window=40))
    running.set(8, "0-0:1.0.0", 3, EncodedData.of(DataType.LONG, -120))
    assert running.ran == [(utc(2026, 1, 1, 4, 30), 2)]


def test_a_clock_that_is_set_forwards_by_years_makes_up_for_one_year() -> None:
    running = Running(utc(2000, 1, 1))
    scheduled(running, entry(1, "06:00"), entry(2, "06:00", end="2024-01-01"), entry(3, "*:30", days="1000000"))
    running.set_clock(stamp("2026-01-01 12:00"))
    assert [number for _, number in running.ran] == [3, 1]


# ---- entries ---------------------------------------------------------------------------------------------------------


def ranges(a: tuple[int, int], b: tuple[int, int]) -> EncodedData:
    return EncodedData.from_typed(EnableDisable.encode(EnableDisable(*a, *b)))


NONE = (10000, 10000)


@pytest.mark.parametrize(
    ("a", "b", "enabled"),
    [
        ((2, 3), NONE, [1, 4]),
        ((2, 2), NONE, [1, 3, 4]),
        ((3, 2), NONE, [1, 2, 3, 4]),
        (NONE, (5, 9999), [1, 2, 3, 4, 5]),
        ((1, 9999), (2, 2), [2]),
        (NONE, NONE, [1, 2, 3, 4]),
    ],
)
def test_a_range_is_disabled_then_another_enabled(a: tuple[int, int], b: tuple[int, int], enabled: list[int]) -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, *(entry(index, "06:00", enable=index < 5) for index in range(1, 6)))
    assert running.act(10, NAME, 1, ranges(a, b)) == "success"
    assert indices(running, True) == enabled
    assert [number for _, number in running.go(utc(2026, 1, 1, 12))] == enabled


def test_insert_puts_an_entry_in_its_place_and_replaces_the_same_index() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, entry(5, "06:00"), entry(9, "07:00"))
    for one in (entry(7, "08:00"), entry(9, "09:00", number=2)):
        assert running.act(10, NAME, 2, EncodedData.from_typed(ScheduleTableEntry.encode(one))) == "success"
    assert indices(running) == [5, 7, 9]
    assert running.local(utc(2026, 1, 2))[1:] == [("01-01 08:00:00", 7), ("01-01 09:00:00", 2)]


@pytest.mark.parametrize(("span", "left"), [((2, 4), [1, 5]), ((3, 3), [1, 2, 4, 5]), ((4, 2), [1, 2, 3, 4, 5])])
def test_delete_takes_away_a_range(span: tuple[int, int], left: list[int]) -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, *(entry(index, "06:00") for index in range(1, 6)))
    assert running.act(10, NAME, 3, EncodedData.from_typed(IndexRange.encode(IndexRange(*span)))) == "success"
    assert indices(running) == left
    assert [number for _, number in running.go(utc(2026, 1, 1, 12))] == left


WRONG = [
    entry(0, "06:00"),
    entry(10000, "06:00"),
    entry(3, "06:00", begin="*-02-30"),
    entry(3, "06:00", end="2026-01-01 1"),  # a Thursday
    ScheduleTableEntry(
        3, True, SCRIPTS, 2, Time(b"\x18\0\0\0"), 1, BitString(DAILY), BitString(), Date.of(), Date.of()
    ),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_entries_out_of_range_are_refused_and_change_nothing(wrong: ScheduleTableEntry) -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, entry(5, "06:00"))
    assert running.act(10, NAME, 2, EncodedData.from_typed(ScheduleTableEntry.encode(wrong))) == "other-reason"
    assert running.set(10, NAME, 2, encoded(wrong)) is OTHER
    assert indices(running) == [5]
    with pytest.raises(ConfigurationError, match="entries cannot be"):
        ScheduleObject(running.device, running.clock, "0-1:12.0.0", [wrong])


def test_an_index_stands_once() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, entry(5, "06:00"))
    assert running.set(10, NAME, 2, encoded(entry(6, "06:00"), entry(6, "07:00"))) is OTHER
    assert running.set(10, NAME, 2, encoded(entry(6, "06:00"), entry(7, "07:00"))) is SUCCESS
    assert indices(running) == [6, 7]


def test_weekdays_are_seven() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running)
    typed = ScheduleTableEntry.encode(entry(1, "06:00"))[1]
    shorter = (*typed[:6], (DataType.BIT_STRING, BitString("111111")), *typed[7:])
    wrong = EncodedData.of(DataType.ARRAY, ((DataType.STRUCTURE, shorter),))
    assert running.set(10, NAME, 2, wrong) is DataAccessResult.TYPE_UNMATCHED


def test_what_is_not_writable_is_not_written_by_another_object_either() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, writable=False)
    assert running.set(10, NAME, 2, encoded()) is DataAccessResult.READ_WRITE_DENIED
    with pytest.raises(AccessRefused):
        running.device.write(10, Obis(NAME), 2, encoded(), running.now)


def test_entries_outlive_the_process(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        running = Running(utc(2026, 1, 1), file.of("meter"))
        scheduled(running, entry(5, "06:00"))
        running.act(10, NAME, 2, EncodedData.from_typed(ScheduleTableEntry.encode(entry(7, "08:00"))))
    with StateFile(tmp_path / "state") as file:
        again = Running(utc(2026, 1, 1), file.of("meter"))
        scheduled(again, entry(5, "06:00"))
        assert indices(again) == [5, 7]
        assert [number for _, number in again.go(utc(2026, 1, 1, 12))] == [5, 7]


def test_local_days_are_those_of_the_zone() -> None:
    running = Running(utc(2026, 6, 30, 21, 59))
    scheduled(running, entry(1, "00:00", begin="2026-07-01", end="2026-07-01"))
    assert running.go(utc(2026, 7, 5)) == [(dt.datetime(2026, 7, 1, tzinfo=BERLIN).astimezone(dt.UTC), 1)]
