"""A year in the life of a meter in Berlin: what happens to it, and what its clients do with it.

The meter is that of ``examples/own_meter.py``; its clients come over TCP. :func:`story` tells the year once, for any
:class:`Life`: one that goes its way in long, irregular steps, one that takes twice as many, one that is killed again
and again. What must come of it stands in :mod:`tests.server.year_expected`.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cosemic import BlockingMeter
from cosemic.association.service_provider import ServerSettings
from cosemic.client.procedures.calendar import TariffCalendar
from cosemic.client.procedures.firmware import FirmwareProgress
from cosemic.codec import EncodedData
from cosemic.errors import ServiceFailed
from cosemic.model import (
    ControlMode,
    Data,
    DayProfile,
    DayProfileAction,
    DisconnectControlVersion0,
    ExecutionTime,
    Limiter,
    Schedule,
    ScheduleTableEntry,
    Season,
    SingleActionSchedule,
    SingleActionScheduleType,
    SpecDayEntry,
    WeekProfile,
)
from cosemic.model.schedules import EnableDisable, IndexRange
from cosemic.server import Admission, PhysicalDevice, managing, serve_in_thread
from cosemic.server.state import StateFile
from cosemic.values import BitString, Date, DateTime, Time
from examples.own_meter import OUTPUTS, PASSWORD, TARIFFS, OwnMeter
from tests.server.support import View
from tests.server.year_household import BERLIN, END, START, Household, local

DAYS = 400
"""Room in the profiles: all of the year."""


class Life:
    """A meter and its time.

    finer: takes each step in two. path: of its state; given, the meter is killed now and then, also before what it has
    done is committed, and starts again from what it has kept.
    """

    def __init__(self, *, finer: bool = False, path: Path | None = None) -> None:
        self.now = START
        self.kills = 0
        self._finer = finer
        self._path = path
        self._chance = Random("kill")
        self._file: StateFile | None = None
        self.start()

    def start(self) -> None:
        """Start the meter from what it has kept."""
        self._file = None if self._path is None else StateFile(self._path)
        state = None if self._file is None else self._file.of("OWN0000000000001")
        self.meter = OwnMeter(Household(), state=state, now=lambda: self.now, start=START, days=DAYS)
        self.meter.admit(Admission(client_sap=2, settings=ServerSettings(), rights=managing()))
        self.device = PhysicalDevice(self.meter)

    def kill(self) -> None:
        """End the process of the meter: what is not committed is lost."""
        if self._file is not None:
            self._file.connection.close()  # uncommitted, as the end of a process leaves it
            self.kills += 1
            self.start()

    def end(self) -> None:
        """Close what the meter has kept."""
        if self._file is not None:
            self._file.close()

    def go(self, until: str | dt.datetime) -> None:
        """Let time pass, in steps of any length up to some days."""
        end = local(until) if isinstance(until, str) else until
        assert end >= self.now
        count = 1 + (end - self.now) // dt.timedelta(days=4)
        chance = Random(end.isoformat())
        steps = sorted(self.now + chance.random() * (end - self.now) for _ in range(count))
        if self._finer:
            steps = sorted(steps + [a + (b - a) / 2 for a, b in zip([self.now, *steps], steps, strict=False)])
        for moment in (*steps, end):
            self.now = moment
            self.meter.advance()
            if self._chance.random() < 0.3:
                self.kill()
                self.meter.advance()
            self.meter.commit()

    @contextmanager
    def client(self) -> Iterator[BlockingMeter]:
        """Open the meter over TCP as the management client."""
        with (
            serve_in_thread(self.device) as server,
            BlockingMeter.connect(
                server.url(client_sap=1), {"password": PASSWORD}, zone=BERLIN, now=lambda: self.now
            ) as meter,
        ):
            yield meter

    def power_fails(self, since: str, until: str) -> None:
        """Let power fail and come back."""
        self.go(since)
        self.meter.power_failed()
        self.go(self.now + (local(until) - self.now) / 2)
        self.kill()
        self.go(until)
        self.kill()
        self.meter.power_returned()

    def attributes(self) -> dict[tuple[int, str, int], Any]:
        """Return all that a client can read, buffers of profiles but for their last rows."""
        view = View(self.meter, 2)
        found = {}
        for served in self.meter.objects_in_view(view.view.client):
            for attribute in sorted(served.readable):
                key = served.class_id, str(served.instance_id), attribute
                if key[::2] != (7, 2):
                    value = view.get(*key)
                    found[key] = value.octets if isinstance(value, EncodedData) else value
        return found


# ---- the year --------------------------------------------------------------------------------------------------------

EVERY_DAY, NEVER = BitString("1111111"), BitString("0000000")
BEGIN_OF_WEEK = BitString("1100000")
WORKING_DAYS, SUNDAYS, SATURDAYS = BitString("1111100"), BitString("0000001"), BitString("0000010")
ORDINARY, HOLIDAY, BOTH = BitString("10"), BitString("01"), BitString("11")
ALWAYS = Date.of()


def clock_time(text: str) -> Time:
    """Return a time of day from ``06:00``."""
    hour, minute = map(int, text.split(":"))
    return Time.of(hour=hour, minute=minute, second=0, hundredths=0)


def entry(
    index: int, at: str, weekdays: BitString, specdays: BitString, window: int, *,
    enable: bool = True, begin: Date = ALWAYS, end: Date = ALWAYS,
) -> ScheduleTableEntry:  # fmt: skip
    """Return an entry of the Schedule that runs the script of its own number."""
    return ScheduleTableEntry(index, enable, OUTPUTS, index, clock_time(at), window, weekdays, specdays, begin, end)


def day_profile(day_id: int, *tariffs: tuple[str, int]) -> DayProfile:
    """Return a day by the times at which its tariffs begin."""
    return DayProfile(day_id, tuple(DayProfileAction(clock_time(at), TARIFFS, tariff) for at, tariff in tariffs))


def season(name: bytes, month: int, week: bytes) -> Season:
    """Return a season that begins every year."""
    return Season(name, DateTime.of(month=month, day_of_month=1, hour=0, minute=0, second=0, hundredths=0), week)


SEASONS = TariffCalendar(
    b"seasons",
    (season(b"summer", 4, b"S"), season(b"winter", 10, b"W")),
    (WeekProfile(b"S", 1, 1, 1, 1, 1, 3, 2), WeekProfile(b"W", 4, 4, 4, 4, 4, 3, 2)),
    (
        day_profile(1, ("06:00", 1), ("22:00", 2)),
        day_profile(2, ("02:30", 1), ("05:00", 2)),
        day_profile(3, ("08:30", 1), ("13:15", 2)),
        day_profile(4, ("07:00", 1), ("21:00", 2)),
    ),
)
SIMPLE = TariffCalendar(
    b"simple",
    (season(b"year", 1, b"week"),),
    (WeekProfile(b"week", *(1,) * 7),),
    (day_profile(1, ("06:00", 1), ("22:00", 2)), day_profile(2, ("00:00", 2)), day_profile(3, ("12:00", 1))),
)
FIRMWARE = bytes(number * number % 251 for number in range(6_000))
NEW_FIRMWARE = FIRMWARE + zlib.crc32(FIRMWARE).to_bytes(4)
BREAKER = DisconnectControlVersion0("0-0:96.3.10")
SCHEDULE = Schedule("0-0:12.0.0")


class Interrupted(Exception):
    """The client has lost its connection."""


def story(life: Life) -> Iterator[str]:
    """Live the year; yields the name of each chapter at its end."""
    life.go("01-02 10:00")
    with life.client() as meter:
        for one in (
            entry(1, "02:30", EVERY_DAY, BOTH, 60),
            entry(2, "06:00", WORKING_DAYS, ORDINARY, 10),
            entry(3, "08:00", NEVER, HOLIDAY, 60),
            entry(4, "12:00", SUNDAYS, BOTH, 0xFFFF, begin=Date.of(month=4, day_of_month=1),
                  end=Date.of(month=9, day_of_month=30)),
            entry(5, "18:00", SATURDAYS, BOTH, 60, enable=False),
            entry(6, "02:10", SUNDAYS, ORDINARY, 60),
            entry(7, "12:00", BEGIN_OF_WEEK, ORDINARY, 60),
        ):  # fmt: skip
            meter.call(SCHEDULE.insert, one)
        for index, (month, day) in enumerate(((4, 3), (4, 6), (5, 1)), 4):
            meter.calendar.insert_special_day(SpecDayEntry(index, Date.of(year=2026, month=month, day_of_month=day), 2))
        meter.calendar.insert_special_day(SpecDayEntry(7, Date.of(month=10, day_of_month=3), 2))
    life.go("01-08 19:00")
    life.meter.press_button()
    life.go("01-15 10:00")
    with life.client() as meter:
        meter.breaker.disconnect()
    life.go("01-15 16:30")
    with life.client() as meter:
        meter.breaker.reconnect()
    life.power_fails(since="01-20 14:07", until="01-20 15:22")
    life.go("01-21 09:00")
    with life.client() as meter:
        for register in ("0-0:97.98.0", "0-0:97.98.20"):
            assert meter.read(Data(register).value) == 1 << 2
            meter.write(Data(register).value, 0)
    life.go("02-10 05:50")
    with life.client() as meter:
        meter.clock.set(life.now + dt.timedelta(minutes=20))
    life.go("02-12 05:57")
    with life.client() as meter:
        meter.clock.set(life.now)
    life.go("02-14 12:00")
    yield "winter"

    life.go("03-02 12:00")
    with life.client() as meter:
        meter.calendar.write(SEASONS)
        meter.calendar.activate(local("03-15 00:00"))
        scheduled = SingleActionSchedule("0-0:15.0.1")
        meter.write(scheduled.type, SingleActionScheduleType.N_ENTRIES_DIFFERENT_TIME_NO_WILDCARD_DATE)
        dates = (("02:15", 3, 29), ("02:40", 10, 25))
        meter.write(
            scheduled.execution_time,
            [ExecutionTime(clock_time(at), Date.of(year=2026, month=m, day_of_month=d)) for at, m, d in dates],
        )
    life.go("03-29 08:00")
    with life.client() as meter:
        meter.breaker.reconnect()
    life.power_fails(since="04-14 05:40", until="04-14 06:10")
    life.go(local("05-04 11:59") + dt.timedelta(seconds=30))
    with life.client() as meter:
        meter.clock.shift(45)
    life.go(local("05-05 11:59") + dt.timedelta(seconds=35))
    with life.client() as meter:
        meter.clock.synchronise(crossing="refuse", boundary=0)
    life.go("05-20 19:00")
    life.meter.press_button()
    yield "spring"

    life.go("06-01 12:00")
    with life.client() as meter:
        meter.call(SCHEDULE.enable_disable, EnableDisable(4, 4, 5, 5))
    life.power_fails(since="06-09 05:30", until="06-09 06:20")
    life.go("06-17 08:20")
    with life.client() as meter:
        meter.billing.end_period()
    life.go("07-01 12:00")
    with life.client() as meter:
        meter.write(BREAKER.control_mode, ControlMode.MODE_6)
        meter.call(SCHEDULE.enable_disable, EnableDisable(1, 0, 4, 4))
    life.go("07-15 12:00")
    with life.client() as meter:
        meter.call(SCHEDULE.delete, IndexRange(5, 5))
    for at, act in (
        ("07-20 09:00", "disconnect"), ("07-20 11:00", "reconnect"), ("07-20 11:30", "button"),
        ("07-25 10:00", "disconnect"), ("07-25 10:10", "reconnect"), ("07-25 10:20", "disconnect"),
        ("07-25 10:30", "reconnect"), ("07-25 10:40", "button"),
    ):  # fmt: skip
        life.go(at)
        if act == "button":
            life.meter.press_button()
        else:
            with life.client() as meter:
                getattr(meter.breaker, act)()
    life.power_fails(since="08-03 18:20", until="08-03 19:00")
    life.go("08-10 10:00")
    with life.client() as meter:
        meter.limiter.set_thresholds(emergency=3_000)
        meter.limiter.set_emergency_profile(1, local("08-11 12:00"), 7_200)
    life.go("08-12 18:00")
    with life.client() as meter:
        assert meter.read(Limiter("0-0:17.0.0").threshold_active) == 9_000
    yield "summer"

    life.go("08-31 23:37")
    with life.client() as meter:
        meter.clock.set(life.now + dt.timedelta(minutes=45))
    life.go("09-01 10:04")
    with life.client() as meter:
        meter.clock.shift(-900)
        meter.clock.shift(-900)
        meter.clock.shift(-900)
    life.go("09-10 09:00")
    with life.client() as meter, pytest.raises(ServiceFailed, match="verification"):
        meter.firmware.update(FIRMWARE + bytes(4), "bad", activate="not")
    life.go("09-15 10:00")
    with life.client() as meter, pytest.raises(Interrupted):
        meter.firmware.update(NEW_FIRMWARE, "2.0", progress=_interrupted_behind(11))
    life.kill()
    life.go("09-15 10:30")
    with life.client() as meter:
        meter.firmware.update(NEW_FIRMWARE, "2.0", activate=local("10-25 02:15"))
    life.go("10-24 20:00")
    yield "autumn"

    life.go(local("10-25 02:15") - dt.timedelta(seconds=1))
    yield "before the firmware"
    life.go("10-25 09:00")
    with life.client() as meter:
        meter.breaker.reconnect()
    life.meter.press_button()
    life.power_fails(since="10-31 22:00", until="11-02 09:00")
    life.go("11-20 12:34")
    with life.client() as meter:
        meter.calendar.write(SIMPLE)
        meter.calendar.activate()
    life.go(END)
    yield "the end"


def _interrupted_behind(blocks: int) -> Callable[[FirmwareProgress], None]:
    def progress(told: FirmwareProgress) -> None:
        if told.blocks == blocks:
            raise Interrupted

    return progress
