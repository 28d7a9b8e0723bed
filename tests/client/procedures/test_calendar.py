"""Tariff calendars: validated, written, activated; special days; and what is known when no answer comes."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.client.procedures.calendar import NOT_SPECIFIED, CalendarProcedures, TariffCalendar
from cosemic.errors import (
    ActionFailed,
    ChangeNotMade,
    ConfigurationError,
    DataAccessError,
    DecodeError,
    OutcomeUnknown,
    ServiceFailed,
)
from cosemic.model import (
    ActivityCalendar,
    DayProfile,
    DayProfileAction,
    Season,
    SpecDayEntry,
    SpecialDaysTable,
    WeekProfile,
)
from cosemic.server import CosemObject
from cosemic.server.objects import AccessRefused, data
from cosemic.values import DataAccessResult, Date, DateTime, Obis, Time
from tests.client.procedures.bench import Bench, Fault, both_faces
from tests.effort import examples
from tests.server.support import NOW, device_with

TARIFF = Obis("0-0:10.0.100")
PARTS = ("calendar_name", "season_profile", "week_profile_table", "day_profile_table")


def day(number: int, *hours: int) -> DayProfile:
    times = (Time.of(hour=hour, minute=0, second=0, hundredths=0) for hour in hours)
    return DayProfile(number, tuple(DayProfileAction(time, TARIFF, 1 + at % 2) for at, time in enumerate(times)))


def week(name: bytes, weekday: int = 1, weekend: int = 2) -> WeekProfile:
    return WeekProfile(name, *[weekday] * 5, *[weekend] * 2)


def season(name: bytes, month: int, in_week: bytes) -> Season:
    start = DateTime.of(month=month, day_of_month=1, hour=0, minute=0, second=0, hundredths=0)
    return Season(name, start, in_week)


OLD = TariffCalendar(b"old", (season(b"all", 1, b"W"),), (week(b"W", 1, 1),), (day(1, 0),))
NEW = TariffCalendar(
    b"new",
    (season(b"winter", 1, b"cold"), season(b"summer", 4, b"warm")),
    (week(b"cold"), week(b"warm", 2, 3)),
    (day(1, 0, 6, 22), day(2, 0, 8), day(3, 0)),
)


class CalendarMeter:
    """An activity calendar and special days; obeys False: it answers, and does nothing."""

    def __init__(self) -> None:
        self.active, self.passive = OLD, OLD
        self.obeys = True
        self.activations = 0
        self.written: list[str] = []
        self.days = [SpecDayEntry(1, Date.of(month=12, day_of_month=25), 3)]
        parts = ("name", "seasons", "weeks", "days")
        self.calendar = CosemObject(
            ActivityCalendar("0-0:13.0.0"),
            {f"{name}_active": self._reader("active", part) for name, part in zip(PARTS, parts, strict=True)}
            | {f"{name}_passive": self._reader("passive", part) for name, part in zip(PARTS, parts, strict=True)}
            | {"activate_passive_calendar_time": NOT_SPECIFIED},
            writers={f"{name}_passive": self._writer(part) for name, part in zip(PARTS, parts, strict=True)}
            | {"activate_passive_calendar_time": None},
            methods={"activate_passive_calendar": self.activate},
        )
        self.table = CosemObject(
            SpecialDaysTable("0-0:11.0.0"),
            {"entries": lambda now: self.days},
            writers={"entries": lambda value, situation: setattr(self, "days", list(value))},
            methods={"insert": self.insert, "delete": self.delete},
        )

    @property
    def objects(self) -> tuple[CosemObject, CosemObject]:
        return self.calendar, self.table

    def _reader(self, copy: str, part: str) -> Any:
        return lambda now: getattr(getattr(self, copy), part)

    def _writer(self, part: str) -> Any:
        def write(value: Any, situation: Any) -> None:
            self.written.append(part)
            self.passive = replace(self.passive, **{part: value})

        return write

    def activate(self, _: Any, situation: Any) -> None:
        self.activations += 1
        if self.obeys:
            self.active = self.passive

    def insert(self, entry: SpecDayEntry, situation: Any) -> None:
        if entry.day_id == 99:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        self.days = [one for one in self.days if one.index != entry.index] + [entry]

    def delete(self, index: int, situation: Any) -> None:
        self.days = [one for one in self.days if one.index != index]


@pytest.fixture
def meter() -> CalendarMeter:
    return CalendarMeter()


@pytest.fixture
def bench(meter: CalendarMeter) -> Bench:
    return Bench(*meter.objects)


@pytest.fixture
def procedures(bench: Bench) -> CalendarProcedures:
    return CalendarProcedures(bench.session)


# ---- reading, writing, activating ------------------------------------------------------------------------------------


def test_both_copies_are_read(meter: CalendarMeter, bench: Bench, procedures: CalendarProcedures) -> None:
    meter.passive = NEW
    found = bench.run(procedures.read())
    assert (found.active, found.passive) == (OLD, NEW)
    assert found.activate_passive_calendar_time.is_unspecified
    assert found.passive.weeks[1].saturday == 3
    assert found.passive.days[0].day_schedule[1].start_time.hour == 6


def test_a_calendar_is_written_passive_with_its_name_last(
    meter: CalendarMeter, bench: Bench, procedures: CalendarProcedures
) -> None:
    bench.run(procedures.write(NEW))
    assert (meter.passive, meter.active) == (NEW, OLD)
    assert meter.written == ["days", "weeks", "seasons", "name"]
    bench.run(procedures.activate())
    assert (meter.active, meter.activations) == (NEW, 1)


def test_a_meter_that_keeps_something_else_is_told(
    meter: CalendarMeter, bench: Bench, procedures: CalendarProcedures
) -> None:
    meter._writer = lambda part: lambda value, situation: None  # type: ignore[method-assign]  # a double for one test
    keeps = CalendarMeter()
    keeps.calendar._writers[9] = lambda value, situation: setattr(
        keeps, "passive", replace(keeps.passive, days=value[:1])
    )
    other = Bench(*keeps.objects)
    with pytest.raises(ServiceFailed, match="keeps other days") as caught:
        other.run(CalendarProcedures(other.session).write(NEW))
    assert caught.value.label == "kept-otherwise"


def test_a_write_that_is_refused(meter: CalendarMeter) -> None:
    del meter.calendar._writers[7]
    bench = Bench(*meter.objects)
    with pytest.raises(DataAccessError, match="season_profile_passive"):
        bench.run(CalendarProcedures(bench.session).write(NEW))


def test_a_calendar_that_does_not_become_active_is_told(
    meter: CalendarMeter, bench: Bench, procedures: CalendarProcedures
) -> None:
    meter.passive, meter.obeys = NEW, False
    with pytest.raises(ServiceFailed, match="activated b'new', and has b'old' active") as caught:
        bench.run(procedures.activate())
    assert caught.value.label == "not-activated"


@pytest.mark.parametrize("fault", Fault)
def test_an_activation_without_answer_is_read_back(
    meter: CalendarMeter, bench: Bench, procedures: CalendarProcedures, fault: Fault
) -> None:
    meter.passive = NEW
    bench.faults = {2: fault}
    if fault in (Fault.LOST_AFTER, Fault.MUTE_AFTER):
        bench.run(procedures.activate())
        assert (meter.active, meter.activations) == (NEW, 1)
    else:
        with pytest.raises(ChangeNotMade, match="activate_passive_calendar"):
            bench.run(procedures.activate())
        assert (meter.active, meter.activations) == (OLD, 0)


def test_an_activation_of_the_same_calendar_without_answer_cannot_be_told(
    bench: Bench, procedures: CalendarProcedures
) -> None:
    bench.faults = {2: Fault.MUTE_AFTER}
    with pytest.raises(OutcomeUnknown):
        bench.run(procedures.activate())


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("number", range(1, 7))
def test_a_break_while_writing_ends_in_a_calendar_or_an_error_that_says_what_was_not_done(
    number: int, fault: Fault
) -> None:
    meter = CalendarMeter()
    bench = Bench(*meter.objects)
    procedures = CalendarProcedures(bench.session)
    bench.faults = {number: fault}
    try:
        bench.run(procedures.write(NEW))
    except ChangeNotMade:
        bench.fresh()
        assert fault in (Fault.LOST_BEFORE, Fault.MUTE_BEFORE)
        assert meter.passive != NEW
        bench.run(procedures.write(NEW))
    assert (meter.passive, meter.active) == (NEW, OLD)


ZONE = dt.timezone(dt.timedelta(hours=1))


def test_a_calendar_is_activated_at_a_time(meter: CalendarMeter) -> None:
    bench = Bench(*meter.objects, zone=ZONE)
    procedures = CalendarProcedures(bench.session)
    bench.run(procedures.activate(dt.datetime(2027, 1, 1, tzinfo=ZONE)))
    assert str(bench.run(procedures.read()).activate_passive_calendar_time) == "2027-01-01 00:00:00+01:00"
    bench.run(procedures.activate(dt.datetime(2027, 1, 2)))
    found = bench.run(procedures.read()).activate_passive_calendar_time
    assert (str(found), found.deviation) == ("2027-01-02 00:00:00", None)
    assert meter.activations == 0
    bench.run(procedures.cancel_activation())
    assert bench.run(procedures.read()).activate_passive_calendar_time.is_unspecified


@pytest.mark.parametrize("when", [NOW, NOW.replace(tzinfo=None), NOW - dt.timedelta(days=1)])
def test_a_time_that_is_over_is_refused(bench: Bench, procedures: CalendarProcedures, when: dt.datetime) -> None:
    with pytest.raises(ConfigurationError, match="is over"):
        bench.run(procedures.activate(when))
    assert bench.requests == 0


# ---- validation ------------------------------------------------------------------------------------------------------


def test_a_calendar_that_is_right_has_no_problems() -> None:
    assert NEW.problems() == OLD.problems() == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"seasons": ()}, "there is no season"),
        ({"weeks": ()}, "there is no week"),
        ({"days": ()}, "there is no day"),
        ({"seasons": (season(b"", 1, b"cold"),)}, "a season has no name"),
        ({"weeks": (*NEW.weeks, week(b""))}, "a week has no name"),
        ({"seasons": (season(b"x", 1, b"hot"),)}, "season b'x' names week b'hot', which is not there"),
        ({"weeks": (week(b"cold", 1, 7), week(b"warm"))}, "saturday of week b'cold' is day 7, which is not there"),
        ({"weeks": (*NEW.weeks, week(b"cold"))}, "week b'cold' comes more than once"),
        ({"days": (*NEW.days, day(1, 0))}, "day 1 comes more than once"),
        ({"seasons": (*NEW.seasons, season(b"winter", 9, b"cold"))}, "season b'winter' comes more than once"),
        ({"seasons": NEW.seasons[::-1]}, "season b'winter' does not begin behind b'summer'"),
        ({"seasons": (NEW.seasons[0], season(b"s", 1, b"warm"))}, "season b's' does not begin behind b'winter'"),
        ({"days": (day(1, 6, 0), *NEW.days[1:])}, "day 1: 00:00:00 does not come behind 06:00:00"),
        ({"days": (*NEW.days[:2], day(3, 5, 5))}, "day 3: 05:00:00 does not come behind 05:00:00"),
        (
            {"days": (*NEW.days[:2], DayProfile(3, (DayProfileAction(Time.of(hour=1), TARIFF, 1),)))},
            "an action of day 3 has a time with wildcards",
        ),
    ],
)
def test_what_is_wrong_with_a_calendar_is_found_and_nothing_is_written(
    meter: CalendarMeter, bench: Bench, procedures: CalendarProcedures, change: dict[str, Any], problem: str
) -> None:
    wrong = replace(NEW, **change)
    assert problem in wrong.problems()
    with pytest.raises(ConfigurationError) as caught:
        bench.run(procedures.write(wrong))
    assert all(one in str(caught.value) for one in wrong.problems())
    assert (meter.written, bench.requests) == ([], 0)


def test_a_calendar_is_written_without_validation_where_that_is_wanted(
    meter: CalendarMeter, bench: Bench, procedures: CalendarProcedures
) -> None:
    odd = replace(NEW, seasons=NEW.seasons[::-1])
    bench.run(procedures.write(odd, validate=False))
    assert meter.passive == odd


@st.composite
def calendars(draw: st.DrawFn) -> TariffCalendar:
    """Calendars that are right."""
    ids = draw(st.lists(st.integers(0, 255), min_size=1, max_size=4, unique=True))
    hours = st.lists(st.integers(0, 23), max_size=5, unique=True).map(sorted)
    days = tuple(day(one, *draw(hours)) for one in ids)
    names = draw(st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=3, unique=True))
    weeks = tuple(WeekProfile(name, *[draw(st.sampled_from(ids)) for _ in range(7)]) for name in names)
    months = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True).map(sorted))
    titles = draw(st.lists(st.binary(min_size=1, max_size=3), min_size=len(months), max_size=len(months), unique=True))
    seasons = tuple(
        season(title, month, draw(st.sampled_from(names))) for title, month in zip(titles, months, strict=True)
    )
    return TariffCalendar(draw(st.binary(max_size=8)), seasons, weeks, days)


@examples(40, deadline=None)
@given(calendars())
def test_what_is_right_is_written_read_back_and_activated(calendar: TariffCalendar) -> None:
    meter = CalendarMeter()
    bench = Bench(*meter.objects)
    procedures = CalendarProcedures(bench.session)
    assert calendar.problems() == ()
    bench.run(procedures.write(calendar))
    bench.run(procedures.activate())
    assert bench.run(procedures.read()).active == calendar


# ---- special days ----------------------------------------------------------------------------------------------------

CHRISTMAS = SpecDayEntry(1, Date.of(month=12, day_of_month=25), 3)
NEW_YEAR = SpecDayEntry(2, Date.of(month=1, day_of_month=1), 3)


def test_special_days_are_inserted_replaced_and_deleted(
    meter: CalendarMeter, bench: Bench, procedures: CalendarProcedures
) -> None:
    assert bench.run(procedures.special_days()) == (CHRISTMAS,)
    bench.run(procedures.insert_special_day(NEW_YEAR))
    assert bench.run(procedures.special_days()) == (CHRISTMAS, NEW_YEAR)
    bench.run(procedures.insert_special_day(replace(NEW_YEAR, day_id=1)))
    bench.run(procedures.delete_special_day(1))
    assert bench.run(procedures.special_days()) == (replace(NEW_YEAR, day_id=1),)
    bench.run(procedures.replace_special_days([CHRISTMAS, NEW_YEAR]))
    assert meter.days == [CHRISTMAS, NEW_YEAR]
    bench.run(procedures.replace_special_days([]))
    assert meter.days == []
    with pytest.raises(ActionFailed):
        bench.run(procedures.insert_special_day(replace(NEW_YEAR, day_id=99)))


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ([CHRISTMAS, replace(NEW_YEAR, index=1)], "index 1 comes more than once"),
        ([CHRISTMAS, replace(CHRISTMAS, index=5)], r"specialday_date \*-12-25 comes more than once"),
    ],
)
def test_special_days_that_come_twice_are_refused(
    bench: Bench, procedures: CalendarProcedures, entries: list[SpecDayEntry], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        bench.run(procedures.replace_special_days(entries))
    assert bench.requests == 0


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("what", ["insert", "delete", "replace"])
def test_special_days_without_answer_are_read_back(
    meter: CalendarMeter, bench: Bench, procedures: CalendarProcedures, what: str, fault: Fault
) -> None:
    change, after = {
        "insert": (procedures.insert_special_day(NEW_YEAR), [CHRISTMAS, NEW_YEAR]),
        "delete": (procedures.delete_special_day(1), []),
        "replace": (procedures.replace_special_days([NEW_YEAR]), [NEW_YEAR]),
    }[what]
    bench.faults = {1: fault}
    if fault in (Fault.LOST_AFTER, Fault.MUTE_AFTER):
        bench.run(change)
        assert meter.days == after
    else:
        with pytest.raises(ChangeNotMade):
            bench.run(change)
        assert meter.days == [CHRISTMAS]


def test_special_days_that_are_none_are_a_decode_error(meter: CalendarMeter) -> None:
    from cosemic.codec import DataType, EncodedData

    meter.table._readers.pop(2)
    meter.table.put("entries", EncodedData.of(DataType.UNSIGNED, 1))
    bench = Bench(*meter.objects, data("0-0:96.1.0", DataType.UNSIGNED, 1))
    with pytest.raises(DecodeError):
        bench.run(CalendarProcedures(bench.session).special_days())


def test_both_faces_have_a_calendar() -> None:
    meter = CalendarMeter()
    with both_faces(device_with(*meter.objects)) as run:
        run(lambda m: m.calendar.write(NEW))
        run(lambda m: m.calendar.activate())
        one, other = run(lambda m: m.calendar.read())
        assert one == other
        assert one.active == NEW
        run(lambda m: m.calendar.insert_special_day(NEW_YEAR))
        assert run(lambda m: m.calendar.special_days()) == [(CHRISTMAS, NEW_YEAR)] * 2
