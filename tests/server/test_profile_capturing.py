"""What a profile captures, and when: by its period, by a method, across changes of the clock and power failures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.model import CaptureObjectDefinition, SortMethod
from cosemic.server import AccessRefused, Capture, CosemObject, Every, Monthly, ProfileObject, data
from cosemic.server.clockwork import Order
from cosemic.values import ActionResult, DataAccessResult, DateTime, Obis
from tests.effort import examples
from tests.server.profile_support import (
    ENERGY,
    PROFILE,
    QUARTER,
    STAMP,
    START,
    STATUS,
    TYPES,
    ZONE,
    Bench,
    Row,
    states,
)
from tests.server.support import Local

ZERO = EncodedData.of(DataType.INTEGER, 0)
MODES = pytest.mark.parametrize("computed", [False, True])
"""Rows read from the objects of the device, and rows that a function makes of the time."""


def capturing(bench: Bench, computed: bool, entries: int = 1000, **options: Any) -> ProfileObject:
    """A profile of quarters of an hour."""

    def made(capture: Capture) -> Sequence[Any]:
        return DateTime.from_datetime(capture.shown).octets, 0, bench.seconds(capture.at)

    options = {"capture_period": 900, **options}
    if computed:
        options |= {"row": made, "types": (DataType.OCTET_STRING, DataType.UNSIGNED, DataType.DOUBLE_LONG)}
        options.setdefault("since", bench.now)
    else:
        bench.device.advance()  # from here on things are due
    return bench.profile(entries=entries, **options)


# ---- by its period ---------------------------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize("stored", [False, True])
def test_each_quarter_of_an_hour_is_captured_with_the_values_of_its_end(computed: bool, stored: bool) -> None:
    bench = Bench(START + dt.timedelta(minutes=7), state=states(stored))
    capturing(bench, computed)
    bench.pass_(minutes=40)
    assert bench.captured() == [("11-01 00:15", 15), ("11-01 00:30", 30), ("11-01 00:45", 45)]
    assert bench.get(7) == 3
    bench.pass_(minutes=12, seconds=59)
    assert bench.get(7) == 3
    bench.pass_(seconds=1)
    assert bench.captured()[3:] == [("11-01 01:00", 60)]


@MODES
@examples(30)
@given(
    steps=st.lists(st.integers(0, 200_000), max_size=6),
    entries=st.integers(1, 300),
    method=st.sampled_from([SortMethod.FIFO, SortMethod.LIFO, SortMethod.LARGEST]),
    stored=st.booleans(),
)
def test_what_is_captured_does_not_depend_on_when_somebody_asks(
    computed: bool, steps: list[int], entries: int, method: SortMethod, stored: bool
) -> None:
    sorted_by = {"sort_method": method} | ({"sort_object": ENERGY} if method is SortMethod.LARGEST else {})
    benches = [Bench(state=states(stored)), Bench()]
    for bench in benches:
        capturing(bench, computed, entries, **sorted_by)
    for step in steps:
        benches[0].pass_(seconds=step)
        benches[0].get(7)
    benches[1].pass_(seconds=sum(steps))
    there = [bench.get() for bench in benches]
    assert there[0] == there[1]
    passed = sum(steps) // 900
    assert len(there[0]) == min(passed, entries)
    assert sorted(row[-1] for row in there[0]) == [900 * n for n in range(max(passed - entries, 0) + 1, passed + 1)]


def test_a_year_that_nobody_asked_for_is_captured_as_far_as_there_is_room() -> None:
    read: list[dt.datetime] = []
    bench = Bench()

    def value(now: dt.datetime) -> Any:
        read.append(now)
        return DataType.DOUBLE_LONG, bench.seconds(now)

    bench.energy.put("value", value)
    capturing(bench, False, 96)
    bench.pass_(days=365)
    assert bench.get(7) == 96
    assert len(read) <= 97
    assert bench.captured()[-1] == ("11-01 00:00", 365 * 1440)


@MODES
def test_more_captures_than_are_made_at_once_are_all_made(computed: bool) -> None:
    bench = Bench()
    capturing(bench, computed, 7, capture_period=5, sort_method=SortMethod.SMALLEST, sort_object=ENERGY)
    bench.pass_(hours=6)
    assert [row[-1] for row in bench.get()] == [5, 10, 15, 20, 25, 30, 35]
    largest = Bench()
    capturing(largest, computed, 2, capture_period=5, sort_method=SortMethod.LARGEST, sort_object=ENERGY)
    largest.pass_(hours=6)
    assert [row[-1] for row in largest.get()] == [21_600, 21_595]


def test_other_processes_of_the_device_find_the_captures_done_before_and_not_those_after() -> None:
    seen: list[int] = []

    class Watch:
        def due(self, after: dt.datetime) -> dt.datetime:
            return after + dt.timedelta(minutes=30) - (after - START) % dt.timedelta(minutes=30)

        def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
            read = bench.device.read(7, Obis(PROFILE), 7, at).value()
            assert isinstance(read, int)
            seen.append(read)
            return at

    bench = Bench()
    capturing(bench, False)
    bench.device.run(Watch(), Order.SWITCHING)
    bench.pass_(hours=2)
    bench.device.advance()
    assert seen == [2, 4, 6, 8]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("power", [("11-01 00:15", 15)]),
        ("period", []),
        # What was due before the clock was set is captured, with the time that it shows by then.
        ("clock", [("11-01 00:15", 15), ("11-01 02:40", 30), ("11-01 02:45", 35)]),
    ],
)
def test_what_is_due_with_a_capture_and_comes_before_it_may_change_what_is_due(
    what: str, expected: list[tuple[str, int]]
) -> None:
    class Before:
        def due(self, after: dt.datetime) -> dt.datetime | None:
            return START + 2 * QUARTER if after < START + 2 * QUARTER else None

        def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
            if what == "power":
                bench.device.tell("power-down", at)
            elif what == "period":
                period = EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, 0)
                bench.device.write(7, Obis(PROFILE), 4, period, at)
            else:
                new = DateTime.from_datetime(bench.clock.time(at) + dt.timedelta(minutes=130))
                bench.device.write(8, Obis("0-0:1.0.0"), 2, EncodedData.of(DataType.OCTET_STRING, new.octets), at)
            return at

    bench = Bench()
    bench.device.run(Before(), Order.MEASURING)
    capturing(bench, False, writable=("capture_period",))
    bench.pass_(minutes=38)
    assert bench.captured() == expected


@MODES
def test_days_are_captured_at_local_midnight_whatever_daylight_saving_does(computed: bool) -> None:
    bench = Bench(dt.datetime(2026, 10, 23, 12, tzinfo=ZONE), daylight_saving=True)
    capturing(bench, computed, capture_period=86_400)
    bench.pass_(days=4)
    stamps = [DateTime(row[0]).to_datetime() for row in bench.get()]
    assert [stamp.strftime("%d %H:%M %z") for stamp in stamps] == [
        "24 00:00 +0200",
        "25 00:00 +0200",
        "26 00:00 +0100",
        "27 00:00 +0100",
    ]


@MODES
def test_the_hour_that_daylight_saving_repeats_is_captured_twice_and_told_apart(computed: bool) -> None:
    bench = Bench(dt.datetime(2026, 10, 25, 1, 40, tzinfo=ZONE), daylight_saving=True)
    capturing(bench, computed, capture_period=1800)
    bench.pass_(hours=2)
    stamps = [DateTime(row[0]).to_datetime() for row in bench.get()]
    assert [stamp.strftime("%H:%M %z") for stamp in stamps] == [
        "02:00 +0100",
        "02:30 +0100",
        "03:00 +0100",
        "03:30 +0100",
    ]
    assert stamps == sorted(stamps)


@MODES
def test_a_schedule_takes_the_place_of_the_period(computed: bool) -> None:
    bench = Bench(dt.datetime(2026, 1, 15, tzinfo=ZONE))
    capturing(bench, computed, capture_period=0, schedule=Monthly())
    bench.pass_(days=80)
    assert [stamp for stamp, _ in bench.captured()] == ["02-01 00:00", "03-01 00:00", "04-01 00:00"]
    assert bench.get(4) == 0


def test_without_a_beginning_a_function_makes_rows_from_the_first_time_that_somebody_asks() -> None:
    bench = Bench()
    capturing(bench, True, since=None)
    assert bench.get(7) == 0
    bench.pass_(minutes=31)
    assert bench.get(7) == 2


def test_a_row_that_a_function_cannot_make_is_no_row_until_it_can() -> None:
    bench = Bench()
    values = [256]
    bench.profile(row=lambda capture: (b"", values[0], 0), types=TYPES, capture_period=900, since=START)
    bench.pass_(hours=1)
    assert bench.get() is DataAccessResult.HARDWARE_FAULT
    values[0] = 255
    assert bench.get() == [(b"", 255, 0)] * 4


# ---- by a method, by the device --------------------------------------------------------------------------------------


@MODES
def test_an_entry_can_be_captured_beside_the_period(computed: bool) -> None:
    bench = Bench()
    capturing(bench, computed)
    client = Local(bench.device, 16).open()
    bench.pass_(minutes=17)
    assert client.act(7, PROFILE, 2, ZERO).result is ActionResult.SUCCESS
    bench.pass_(minutes=15)
    assert bench.captured() == [("11-01 00:15", 15), ("11-01 00:17", 17), ("11-01 00:30", 30)]


def test_an_event_log_captures_when_the_device_says_so_and_never_by_itself() -> None:
    bench = Bench()
    code = bench.device.add(data("0-0:96.11.0", DataType.UNSIGNED, 0))
    log = bench.profile((STAMP, CaptureObjectDefinition(1, Obis("0-0:96.11.0"), 2, 0)), 3, clock=None)
    for number in range(5):
        bench.pass_(hours=7)
        code.put("value", (DataType.UNSIGNED, number))
        log.capture(bench.now)
    assert [row[1] for row in bench.get()] == [2, 3, 4]
    assert log.due(bench.now) is None


def test_a_profile_without_columns_captures_nothing() -> None:
    bench = Bench()
    bench.device.advance()
    bench.profile((), capture_period=900).capture(bench.now)
    bench.pass_(hours=1)
    assert bench.get() == []


# ---- what ------------------------------------------------------------------------------------------------------------


def captured_once(bench: Bench, *columns: CaptureObjectDefinition) -> Row:
    bench.profile(columns, 1).capture(bench.now)
    (row,) = bench.get()
    return tuple(row)


def test_any_attribute_is_captured_as_it_would_be_read() -> None:
    bench = Bench()
    name = ENERGY.logical_name
    read = [bench.view.get(3, "1-0:1.8.0", index).value() for index in (1, 2, 3)]
    assert captured_once(bench, *(CaptureObjectDefinition(3, name, index, 0) for index in (1, 2, 3))) == tuple(read)
    assert read == [name.octets, 0, (0, 30)]


def test_an_element_of_a_structure_or_array_is_captured_by_its_number_from_one() -> None:
    bench = Bench()
    name = Obis("0-0:96.20.0")
    values = (
        DataType.ARRAY,
        [(DataType.STRUCTURE, [(DataType.UNSIGNED, n), (DataType.OCTET_STRING, b"x")]) for n in range(9)],
    )
    bench.device.add(data(name, *values))
    elements = (CaptureObjectDefinition(1, name, 2, n) for n in (1, 9, 10))
    unit = (CaptureObjectDefinition(3, ENERGY.logical_name, 3, n) for n in (1, 2, 3))
    # An element that is not there, and one of a value that has none, are null-data.
    whole = CaptureObjectDefinition(3, ENERGY.logical_name, 2, 1)
    assert captured_once(bench, *elements, *unit, whole) == ((0, b"x"), (8, b"x"), None, 0, 30, None, None)


def test_attribute_0_is_a_structure_of_all_attributes_that_can_be_read() -> None:
    bench = Bench()
    all_of = CaptureObjectDefinition(3, ENERGY.logical_name, 0, 0)
    unknown = CaptureObjectDefinition(3, Obis("1-0:9.9.9"), 0, 0)
    assert captured_once(bench, all_of, unknown) == ((ENERGY.logical_name.octets, 0, (0, 30)), None)


def test_of_attribute_0_what_cannot_be_read_now_is_null_data() -> None:
    bench = Bench()

    def refuse(now: dt.datetime) -> Any:
        raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)

    profile = bench.profile((CaptureObjectDefinition(3, ENERGY.logical_name, 0, 0),))
    for value in (refuse, lambda now: (DataType.UNSIGNED, 256)):
        bench.energy.put("value", value)
        profile.capture(bench.now)
    assert bench.get() == [((ENERGY.logical_name.octets, None, (0, 30)),)] * 2


def test_what_cannot_be_captured_is_null_data_and_the_rest_of_the_row_stands() -> None:
    bench = Bench()
    bench.energy.put("value", lambda now: (DataType.UNSIGNED, 256))
    missing = CaptureObjectDefinition(3, Obis("1-0:9.9.9"), 2, 0), CaptureObjectDefinition(8, STAMP.logical_name, 17, 0)
    assert captured_once(bench, STATUS, *missing, ENERGY) == (0, None, None, None)


def test_a_profile_can_capture_its_own_entries_in_use() -> None:
    bench = Bench()
    own = CaptureObjectDefinition(7, Obis(PROFILE), 7, 0)
    profile = bench.profile((own,))
    for _ in range(3):
        profile.capture(bench.now)
    assert bench.get() == [(0,), (1,), (2,)]


# ---- where time does not simply go on --------------------------------------------------------------------------------


@MODES
def test_a_clock_set_forward_leaves_a_gap_and_back_repeats_intervals(computed: bool) -> None:
    bench = Bench()
    capturing(bench, computed)
    bench.pass_(minutes=35)
    bench.set_clock(minutes=60)
    bench.pass_(minutes=30)
    forward = [("11-01 00:15", 15), ("11-01 00:30", 30), ("11-01 01:45", 45), ("11-01 02:00", 60)]
    assert bench.captured() == forward
    bench.set_clock(minutes=-60)
    bench.pass_(minutes=15)
    assert bench.captured() == [*forward, ("11-01 01:15", 75)]


@MODES
def test_one_who_reads_the_profile_as_the_clock_changes_does_not_disturb_it(computed: bool) -> None:
    bench = Bench()
    capturing(bench, computed)

    def look(now: dt.datetime) -> None:
        assert bench.device.read(7, Obis(PROFILE), 7, now).value() == 1

    bench.clock.changing.append(look)
    bench.pass_(minutes=20)
    bench.set_clock(minutes=8)
    bench.pass_(minutes=15)
    assert bench.captured() == [("11-01 00:15", 15), ("11-01 00:30", 22)]


@MODES
def test_what_is_due_as_the_clock_is_set_is_captured_before(computed: bool) -> None:
    bench = Bench()
    capturing(bench, computed)
    bench.pass_(minutes=50)  # nobody has asked yet
    bench.set_clock(hours=5, minutes=10)
    assert [stamp for stamp, _ in bench.captured()] == ["11-01 00:15", "11-01 00:30", "11-01 00:45"]
    bench.pass_(minutes=15)
    # 06:00, to which it was set, is not captured: no interval has ended.
    assert bench.captured()[3:] == [("11-01 06:15", 65)]


@MODES
@pytest.mark.parametrize(
    ("at", "shift", "expected"),
    [
        # Forwards over 00:45: captured at once, with what the clock shows; and not again.
        (44, 61 - 1, [("11-01 00:45", 44), ("11-01 01:00", 59)]),
        # Onto 00:45, and not over it.
        (44.5, 30, [("11-01 00:45", 44), ("11-01 01:00", 59)]),
        (44, 30, [("11-01 00:45", 44), ("11-01 01:00", 59)]),
        # Backwards over 00:45: not captured again.
        (45.25, -60, [("11-01 00:45", 45), ("11-01 01:00", 61)]),
        # Back onto 00:45.
        (45.5, -30, [("11-01 00:45", 45), ("11-01 01:00", 60)]),
        (46, -40, [("11-01 00:45", 45), ("11-01 01:00", 60)]),
    ],
)
def test_a_correction_of_the_clock_neither_loses_nor_repeats_a_capture(
    computed: bool, at: float, shift: int, expected: list[tuple[str, int]]
) -> None:
    bench = Bench()
    capturing(bench, computed)
    bench.pass_(minutes=at)
    bench.set_clock(seconds=shift)
    bench.pass_(minutes=20)
    assert bench.captured()[2:4] == expected


@MODES
def test_corrections_one_after_the_other_neither_lose_nor_repeat_a_capture(computed: bool) -> None:
    bench = Bench()
    capturing(bench, computed)
    bench.pass_(minutes=15, seconds=5)
    for shift in (-10, 8, -20, 50):
        bench.set_clock(seconds=shift)
        bench.pass_(seconds=2)
    bench.device.invoke(7, Obis(PROFILE), 2, ZERO, bench.now)
    bench.pass_(minutes=20)
    assert [minute for _, minute in bench.captured()] == [15, 15, 29]


@MODES
def test_an_entry_captured_by_method_does_not_bring_back_one_that_a_correction_repeats(computed: bool) -> None:
    bench = Bench()
    profile = capturing(bench, computed)
    bench.pass_(minutes=15, seconds=5)
    bench.set_clock(seconds=-10)
    bench.pass_(seconds=2)
    profile.capture(bench.now)
    bench.pass_(minutes=1)
    assert bench.captured() == [("11-01 00:15", 15), ("11-01 00:14", 15)]


@MODES
def test_another_time_zone_is_another_local_time(computed: bool) -> None:
    bench = Bench()
    capturing(bench, computed, capture_period=3600)
    bench.pass_(minutes=90)
    assert int(bench.view.set(8, "0-0:1.0.0", 3, EncodedData.of(DataType.LONG, -90))) == 0
    bench.pass_(minutes=60)
    assert bench.captured() == [("11-01 01:00", 60), ("11-01 02:00", 90), ("11-01 03:00", 150)][::2]


@MODES
def test_during_a_power_failure_nothing_is_captured(computed: bool) -> None:
    bench = Bench(state=states(True))
    capturing(bench, computed)
    bench.pass_(minutes=20)
    bench.device.advance()
    bench.device.tell("power-down", bench.now)
    bench.device.tell("power-down", bench.now)
    bench.pass_(minutes=60)
    assert bench.get(7) == 1
    bench.set_clock(minutes=1)
    bench.device.tell("power-up", bench.now)
    bench.device.tell("power-up", bench.now)
    bench.pass_(minutes=12)
    assert bench.captured() == [("11-01 00:15", 15), ("11-01 01:30", 89)]


def test_a_function_is_told_true_time_and_that_of_the_clock() -> None:
    bench = Bench()
    told: list[Capture] = []

    def made(capture: Capture) -> Sequence[Any]:
        told.append(capture)
        return b"", 0, 0

    bench.profile(row=made, types=TYPES, schedule=Every(900), since=bench.now)
    bench.set_clock(minutes=70)
    bench.pass_(minutes=6)
    assert bench.get(7) == 1
    assert told == [(START + QUARTER / 3, START + dt.timedelta(minutes=75), 0)]


def test_objects_of_any_kind_may_stand_beside() -> None:
    """A profile reads what is there at the moment of each capture, also where several are made up for at once."""
    bench = Bench()
    bench.device.advance()
    bench.profile((ENERGY,), capture_period=900)
    assert isinstance(bench.energy, CosemObject)
    bench.pass_(hours=1)
    assert [row[0] // 60 for row in bench.get()] == [15, 30, 45, 60]
