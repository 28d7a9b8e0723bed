"""What a full session does between opening and release, and what is right: the load curve of the meter says it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from cosemic.client.procedures.profiles import ProfileProcedures
from cosemic.client.session import Session
from cosemic.client.steps import Procedure
from cosemic.model import LoadProfile, SpecDayEntry, SpecialDaysTable
from cosemic.security import MemoryCounterStore
from cosemic.simulator import HouseholdMeter
from cosemic.values import Date, Obis

NOW = dt.datetime(2026, 11, 20, 12, 34, 56, tzinfo=dt.UTC)
UNTIL = NOW.replace(minute=30, second=0)
SINCE = UNTIL - dt.timedelta(days=1)
ENERGY = "3/1-0:1.8.0"
PROFILE = "1-0:99.1.0"
LIMIT = "71/0-0:17.0.0:6"
SPECIAL_DAYS = SpecialDaysTable("0-0:11.0.0").entries


def household(kind: str = "none") -> HouseholdMeter:
    """A meter with a day of load profile."""
    return HouseholdMeter(1, now=lambda: NOW, profile_days=1, security=kind, utc_offset=0)


def security(meter: HouseholdMeter, *, certified: bool) -> Mapping[str, Any]:
    settings = dict(meter.plan.protection().client_settings())
    if "encryption_key" in settings:
        settings["counters"] = MemoryCounterStore()
    if certified:
        settings["server_title"] = meter.system_title.hex()
    return settings


def full(session: Session) -> Procedure[tuple[int, LoadProfile]]:
    """What is done between opening and release: returns a register, and a day of the load profile."""
    energy = yield from session.read(ENERGY)
    profile = yield from ProfileProcedures(session).load_profile(PROFILE, SINCE, UNTIL)
    before = yield from session.read(LIMIT)
    yield from session.write(LIMIT, before % 60 + 61)
    assert (yield from session.read(LIMIT)) == before % 60 + 61
    # A long one goes in several frames, or blocks.
    days = special_days((yield from session.read(SPECIAL_DAYS)))
    yield from session.write(SPECIAL_DAYS, days)
    assert (yield from session.read(SPECIAL_DAYS)) == days
    return int(energy.value), profile


def special_days(before: tuple[SpecDayEntry, ...]) -> tuple[SpecDayEntry, ...]:
    """Forty entries, other ones than before."""
    first = before[0].day_id % 2 + 1
    return tuple(
        SpecDayEntry(number, Date.of(year=2027, month=1 + number // 28, day_of_month=1 + number % 28), first)
        for number in range(40)
    )


def assert_right(found: tuple[int, LoadProfile], meter: HouseholdMeter) -> None:
    """The load curve says what everything has to be."""
    energy, profile = found
    assert energy == meter.curve.imported(NOW.timestamp())
    assert len(profile) == 96
    at = [column.obis for column in profile.columns].index(Obis("1-0:1.8.0"))
    for number, row in enumerate(profile.rows()):
        assert row.interval_end == SINCE + (number + 1) * dt.timedelta(minutes=15)
        assert int(row.values[at].value) == meter.curve.imported(row.interval_end.timestamp())
