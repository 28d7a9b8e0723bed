"""Clients with some rights that try for more, or for what never ends: scripts, calendars, tables, the ends of time."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType, EncodedData
from cosemic.errors import EncodeError
from cosemic.model import (
    ActionItem,
    ActionSpecification,
    ActivityCalendar,
    CaptureObjectDefinition,
    Clock,
    Data,
    DayProfile,
    DayProfileAction,
    ExecutionTime,
    ProfileGeneric,
    Register,
    ScalerUnit,
    Script,
    ScriptTable,
    Season,
    SpecDayEntry,
    SpecialDaysTable,
    TableCellDefinition,
    WeekProfile,
)
from cosemic.model.schedules import ServiceId
from cosemic.security import Protection
from cosemic.server import Admission, ProfileObject, managing, rights_from
from cosemic.server.activity_calendar import ActivityCalendarObject
from cosemic.server.kept import MOST_ELEMENTS
from cosemic.server.objects import CosemObject, data
from cosemic.server.recurrence import days_until, last_day, last_moment
from cosemic.server.register_table import RegisterTableObject
from cosemic.server.schedule import ScheduleObject
from cosemic.server.scripts import MOST_ACTIONS, MOST_NESTED, ScriptTableObject, executing, writing
from cosemic.server.single_action_schedule import SingleActionScheduleObject
from cosemic.server.special_days import SpecialDaysObject
from cosemic.server.state import StateFile
from cosemic.values import AuthenticationMechanism, DataAccessResult, Date, DateTime, Obis, Secret, Unit
from tests.server.support import View
from tests.server.test_schedule import entry
from tests.server.time_support import CLOCK, SCRIPTS, Running, at, on, script, stamp, utc

NOW = utc(2026, 7, 1, 12)
TABLE, VALUE, CALENDAR, SPECIAL = "0-0:10.0.1", "0-0:96.13.0", "0-0:13.0.0", "0-0:11.0.0"
WATT_HOURS = ScalerUnit(0, Unit.of("Wh"))
DENIED, OTHER, SUCCESS = DataAccessResult.READ_WRITE_DENIED, DataAccessResult.OTHER_REASON, DataAccessResult.SUCCESS
EVERYTHING: Mapping[str, Any] = {"attributes": "read-write", "methods": "access"}


def execute(number: int) -> ActionSpecification:
    return executing(ScriptTable(TABLE).execute, number)


def running_with(scripts: Mapping[int, Sequence[ActionSpecification] | Callable[[dt.datetime], None]]) -> Running:
    running = Running(NOW)
    running.device.add(data(VALUE, DataType.UNSIGNED, 0, writable=True))
    running.device.add(ScriptTableObject(running.device, TABLE, scripts))
    return running


def run(running: Running, number: int) -> str:
    return running.act(9, TABLE, 1, EncodedData.of(DataType.LONG_UNSIGNED, number))


def encoded(*scripts: Script) -> EncodedData:
    return EncodedData.from_typed(ScriptTable.scripts.type.encode(scripts))


# ---- scripts ---------------------------------------------------------------------------------------------------------


def test_scripts_execute_one_another_only_so_deep() -> None:
    length = 500
    chain = {number: [execute(number + 1)] for number in range(1, length)}
    running = running_with({**chain, length: [writing(Data(VALUE).value, (DataType.UNSIGNED, 7))]})
    assert run(running, 1) == "other-reason"
    assert running.view.get(1, VALUE, 2).value() == 0
    assert run(running, length - MOST_NESTED + 1) == "success"
    assert running.view.get(1, VALUE, 2).value() == 7
    assert run(running, length - MOST_NESTED) == "other-reason"


@pytest.mark.slow
def test_scripts_that_multiply_come_to_an_end_and_may_run_again() -> None:
    several_times = {number: [execute(number + 1)] * 3 for number in range(1, MOST_NESTED)}
    action = writing(Data(VALUE).value, (DataType.UNSIGNED, 7))
    running = running_with({**several_times, MOST_NESTED: [action], 100: [action] * (MOST_ACTIONS * 2 // 3)})
    assert run(running, 1) == "other-reason"
    assert len(running.happened) <= MOST_ACTIONS
    assert [run(running, 100) for _ in range(3)] == ["success"] * 3


def test_a_script_has_no_more_actions_than_can_be_done() -> None:
    running = running_with({})
    action = writing(Data(VALUE).value, (DataType.UNSIGNED, 7))
    assert running.set(9, TABLE, 2, encoded(Script(1, (action,) * (MOST_ACTIONS + 1)))) is OTHER
    assert running.set(9, TABLE, 2, encoded(Script(1, (action,) * MOST_ACTIONS))) is SUCCESS
    assert run(running, 1) == "success"


def test_who_writes_scripts_cannot_have_done_what_it_may_not_do() -> None:
    running = running_with({})
    locked = ServerSettings(mechanism=AuthenticationMechanism.LLS, secret=Secret.password(b"12345678"))
    owner = running.device.admit(Admission(client_sap=1, settings=locked, rights=managing()))
    few = rights_from([{"objects": ["9/*", f"1/{VALUE}"], **EVERYTHING}])
    running.device.admit(Admission(client_sap=2, settings=ServerSettings(), rights=few))
    view = View(running.device, 2)
    own = writing(Data(VALUE).value, (DataType.UNSIGNED, 7))
    for beyond in (
        ActionSpecification(ServiceId.WRITE_ATTRIBUTE, 15, Obis("0-0:40.0.2"), 7, (DataType.OCTET_STRING, b"mine")),
        executing(Clock(CLOCK).shift_time, 900),
        writing(Data("0-0:96.99.0").value, (DataType.UNSIGNED, 7)),
    ):
        assert view.set(9, TABLE, 2, encoded(Script(1, (own, beyond)))) is DENIED
    assert view.get(9, TABLE, 2).value() == []
    assert view.set(9, TABLE, 2, encoded(Script(1, (own,)))) is SUCCESS
    assert run(running, 1) == "success"
    assert owner.settings.secret == locked.secret


def test_what_stands_in_a_script_already_may_be_written_back() -> None:
    running = running_with({1: [executing(Clock(CLOCK).shift_time, 900)]})
    few = rights_from([{"objects": ["9/*", f"1/{VALUE}"], **EVERYTHING}])
    running.device.admit(Admission(client_sap=2, settings=ServerSettings(), rights=few))
    view = View(running.device, 2)
    own = encoded(Script(2, (writing(Data(VALUE).value, (DataType.UNSIGNED, 7)),)))
    both = (*view.get(9, TABLE, 2).typed()[1], *own.typed()[1])
    assert view.set(9, TABLE, 2, EncodedData.from_typed((DataType.ARRAY, both))) is SUCCESS
    assert (run(running, 1), run(running, 2)) == ("success", "success")
    shifted_further = executing(Clock(CLOCK).shift_time, 899)
    assert view.set(9, TABLE, 2, encoded(Script(1, (shifted_further,)))) is DENIED


@pytest.mark.parametrize("scripts_require, result", [([], DENIED), (["authenticated"], SUCCESS)])
def test_scripts_are_no_way_around_the_protection_that_an_attribute_asks_for(
    scripts_require: list[str], result: DataAccessResult
) -> None:
    running = running_with({})
    rights = rights_from(
        [
            {"objects": "9/*", "request": scripts_require, **EVERYTHING},
            {"objects": f"1/{VALUE}", "request": ["authenticated"], **EVERYTHING},
        ]
    )
    running.device.admit(Admission(client_sap=2, settings=ServerSettings(), rights=rights))
    view = View(running.device, 2, Protection.AUTHENTICATED)
    action = writing(Data(VALUE).value, (DataType.UNSIGNED, 7))
    assert view.set(9, TABLE, 2, encoded(Script(1, (action,)))) is result


# ---- much to do ------------------------------------------------------------------------------------------------------


def test_arrays_that_are_too_long_are_refused_written_or_grown() -> None:
    running = Running(NOW)
    running.device.add(SpecialDaysObject(SPECIAL))
    first = dt.date(2026, 1, 1)
    dates = [Date.from_date(first + dt.timedelta(days=number)) for number in range(MOST_ELEMENTS + 1)]
    entries = [SpecDayEntry(number, day, 1) for number, day in enumerate(dates)]

    def write(wanted: list[SpecDayEntry]) -> DataAccessResult:
        encoded_entries = SpecialDaysTable.entries.type.encode(tuple(wanted))
        return running.set(11, SPECIAL, 2, EncodedData.from_typed(encoded_entries))

    assert write(entries) is OTHER
    assert running.view.get(11, SPECIAL, 2).value() == []
    assert write(entries[:-1]) is SUCCESS
    insert = EncodedData.from_typed(SpecDayEntry.encode(entries[-1]))
    assert running.act(11, SPECIAL, 1, insert) == "other-reason"
    assert len(running.view.get(11, SPECIAL, 2).value()) == MOST_ELEMENTS


def test_each_special_day_is_looked_for_once_however_many_entries_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Counter[dt.date]()

    def is_on(date: Date, day: dt.date, months: Any = None) -> bool:
        looked[day] += 1
        return False

    monkeypatch.setattr("cosemic.server.special_days.is_on", is_on)
    running = Running(NOW)
    special = running.device.add(SpecialDaysObject(SPECIAL, [SpecDayEntry(1, on("2030-01-01"), 1)]))
    never = [entry(number, "06:00", days="0000000") for number in range(1, 31)]
    running.device.add(ScheduleObject(running.device, running.clock, entries=never, special_days=special))
    running.go(NOW + dt.timedelta(minutes=1))
    assert len(looked) > 300
    assert set(looked.values()) == {1}


def test_a_calendar_without_actions_for_a_year_looks_for_each_season_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def counted(*arguments: Any) -> dt.datetime | None:
        looked.append(arguments)
        return last_moment(*arguments)

    monkeypatch.setattr("cosemic.server.calendar_plan.last_moment", counted)
    seasons = [Season(b"%d" % number, stamp("*-02-29 1 00:00"), b"week") for number in range(20)]
    values = {
        "season_profile_active": seasons,
        "week_profile_table_active": [WeekProfile(b"week", 2, 2, 2, 2, 2, 2, 2)],
        "day_profile_table_active": [DayProfile(1, (DayProfileAction(at("06:00"), SCRIPTS, 1),)), DayProfile(2, ())],
    }
    running = Running(NOW)
    calendar = running.device.add(ActivityCalendarObject(running.device, running.clock, CALENDAR, values))
    running.go(NOW + dt.timedelta(minutes=1))
    assert calendar.in_force.season == b"19"
    assert len(looked) <= 3 * len(seasons)


def test_a_calendar_has_only_so_many_actions() -> None:
    running = Running(NOW)
    running.device.add(ActivityCalendarObject(running.device, running.clock, CALENDAR))
    times = [at(f"{number // 60:02}:{number % 60:02}") for number in range(MOST_ELEMENTS // 2 + 1)]
    actions = tuple(DayProfileAction(time, SCRIPTS, 1) for time in times)

    def write(*days: DayProfile) -> DataAccessResult:
        tables = ActivityCalendar.day_profile_table_passive.type.encode(days)
        return running.set(20, CALENDAR, 9, EncodedData.from_typed(tables))

    assert write(DayProfile(1, actions), DayProfile(2, actions)) is OTHER
    assert write(DayProfile(1, actions)) is SUCCESS


@given(
    st.builds(
        lambda month, day, weekday: Date.of(month=month, day_of_month=day, day_of_week=weekday),
        st.none() | st.integers(1, 12),
        st.none() | st.integers(1, 31) | st.just(0xFE),
        st.none() | st.integers(1, 7),
    ),
    st.dates(dt.date(1990, 1, 1), dt.date(2040, 1, 1)),
    st.integers(0, 70),
)
def test_the_last_day_is_the_first_on_the_way_back(date: Date, day: dt.date, later: int) -> None:
    for bound in (day, day + dt.timedelta(days=later)):  # the second time from what is remembered
        assert last_day(date, bound) == next(days_until(date, bound), None)


def test_tables_do_not_hold_one_another() -> None:
    running = Running(NOW)
    definition = TableCellDefinition(3, Obis("1-0:1.8.255"), (0,), 2)
    table = RegisterTableObject(
        running.device, "0-0:96.60.0", definition, WATT_HOURS, writable=("table_cell_definition",)
    )
    running.device.add(table)
    for class_id in (61, 7):
        growing = TableCellDefinition(class_id, Obis("0-0:96.60.255"), (0,), 2)
        wanted = EncodedData.from_typed(TableCellDefinition.encode(growing))
        assert running.set(61, "0-0:96.60.0", 3, wanted) is OTHER
    assert table.value("table_cell_definition") == definition


# ---- the ends of time ------------------------------------------------------------------------------------------------


def test_an_activation_at_the_end_of_time_outlasts_another_zone() -> None:
    running = Running(NOW)
    running.device.add(ActivityCalendarObject(running.device, running.clock, CALENDAR))
    late = stamp("9999-12-31 23:30")
    assert running.set(20, CALENDAR, 10, EncodedData.of(DataType.OCTET_STRING, late.octets)) is SUCCESS
    assert running.set(8, CLOCK, 3, EncodedData.of(DataType.LONG, 720)) is SUCCESS
    running.go(NOW + dt.timedelta(days=2))
    assert DateTime(running.view.get(8, CLOCK, 2).value()).day_of_month == 3


def test_the_longest_capture_period_is_due_wherever_the_clock_can_be_set() -> None:
    running = Running(NOW)
    time = CaptureObjectDefinition(Clock.class_id, Obis(CLOCK), Clock.time.index, 0)
    profile = ProfileObject(
        running.device, "1-0:99.1.0", [time], 10, clock=running.clock, capture_period=900, writable=("capture_period",)
    )
    running.device.add(profile)
    longest = EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, 0xFFFF_FFFF)
    assert running.set(7, "1-0:99.1.0", 4, longest) is SUCCESS
    set_to = {year: running.set_clock(stamp(f"{year:04}-07-01 12:00")) for year in (2, 150, 250, 9750, 9850, 9998)}
    assert set_to == {2: OTHER, 150: OTHER, 250: SUCCESS, 9750: SUCCESS, 9850: OTHER, 9998: OTHER}
    running.go(NOW + dt.timedelta(days=2))
    assert running.view.get(7, "1-0:99.1.0", ProfileGeneric.entries_in_use.index).value() == 0


def test_a_clock_that_leaps_by_eighty_years_and_back_runs_each_script_once_a_leap() -> None:
    running = Running(NOW)
    daily = ExecutionTime(at("06:00"), on())
    running.device.add(SingleActionScheduleObject(running.device, running.clock, "0-0:15.0.0", script(1), [daily]))
    running.device.add(ScheduleObject(running.device, running.clock, entries=[entry(1, "07:00", number=2)]))
    running.go(NOW + dt.timedelta(minutes=1))
    for there, ran in (("2106-07-01 12:00", [1, 2]), ("2026-07-01 12:00", [])) * 2:
        assert running.set_clock(stamp(there)) is SUCCESS
        assert [number for _, number in running.go(running.now + dt.timedelta(minutes=1))] == ran


# ---- services one after the other ------------------------------------------------------------------------------------


def test_what_a_service_changed_before_it_failed_lasts_too(tmp_path: Path) -> None:
    def fails(_: int, situation: Any) -> None:
        served.memory.save("begun", b"1")
        raise EncodeError("a value that does not fit")

    served = CosemObject(
        Register("1-0:1.8.0"), {"value": (DataType.UNSIGNED, 1), "scaler_unit": WATT_HOURS}, methods={"reset": fails}
    )
    with StateFile(tmp_path / "state") as file:
        running = Running(NOW, file.of("meter"))
        running.device.add(served)
        assert running.act(3, "1-0:1.8.0", 1) == "hardware-fault"
        assert not file.changing  # else another thread would wait for this device to be asked again
        assert running.view.get(3, "1-0:1.8.0", 2).value() == 1


def test_a_service_waits_until_what_was_due_before_is_done_in_another_thread() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(moment: dt.datetime) -> None:
        begun.set()
        go_on.wait(10)
        running.ran.append((moment, 1))

    running = running_with({1: slow})
    at_three = ExecutionTime(at("15:00"), on())
    running.device.add(
        SingleActionScheduleObject(running.device, running.clock, "0-0:15.0.0", ActionItem(Obis(TABLE), 1), [at_three])
    )
    running.go(NOW)
    running.now = utc(2026, 7, 1, 14)
    seen: list[int] = []

    def ask() -> None:
        running.view.get(1, VALUE, 2)
        seen.append(len(running.ran))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    threads[1].join(0.05)
    go_on.set()
    for one in threads:
        one.join(10)
    assert seen == [1, 1]


def test_who_is_associated_is_kept_between_services_and_not_in_the_midst_of_one() -> None:
    device = Running(NOW).device
    client = device.clients[0]
    others: list[bool] = []

    def commit() -> None:
        other = threading.Thread(target=lambda: others.append(device.lock.acquire(blocking=False)))
        other.start()
        other.join(10)

    device.commit = commit  # type: ignore[method-assign]
    device.associated(client, b"TST\0\0\0\0\1")
    assert others == [False]
    assert client.last_title == b"TST\0\0\0\0\1"


def test_who_writes_columns_cannot_have_captured_what_it_may_not_read() -> None:
    running = Running(NOW)
    running.device.add(data("0-0:96.99.0", DataType.UNSIGNED, 42))
    running.device.add(data(VALUE, DataType.UNSIGNED, 1))
    profile = "1-0:99.1.0"
    running.device.add(ProfileObject(running.device, profile, [column(VALUE)], 4, writable=["capture_objects"]))
    running.device.admit(Admission(client_sap=1, settings=ServerSettings(), rights=managing()))
    few = rights_from([{"objects": [f"7/{profile}", f"1/{VALUE}"], **EVERYTHING}])
    running.device.admit(Admission(client_sap=2, settings=ServerSettings(), rights=few))
    few_view = View(running.device, 2)
    for beyond in (column("0-0:96.99.0"), column("0-0:96.99.0", 0)):
        assert few_view.set(7, profile, 3, columns(column(VALUE), beyond)) is DENIED
    assert [one.logical_name for one in decoded(few_view.get(7, profile, 3))] == [Obis(VALUE)]
    assert few_view.set(7, profile, 3, columns(column(VALUE), column(VALUE, 0))) is SUCCESS
    assert View(running.device, 1).set(7, profile, 3, columns(column("0-0:96.99.0"))) is SUCCESS
    assert few_view.set(7, profile, 3, columns(column("0-0:96.99.0"), column(VALUE))) is SUCCESS


def column(name: str, attribute: int = 2) -> CaptureObjectDefinition:
    return CaptureObjectDefinition(1, Obis(name), attribute, 0)


def columns(*captured: CaptureObjectDefinition) -> EncodedData:
    return EncodedData.from_typed(ProfileGeneric.capture_objects.type.encode(captured))


def decoded(sent: EncodedData) -> tuple[CaptureObjectDefinition, ...]:
    return ProfileGeneric.capture_objects.type.decode(sent.typed())
