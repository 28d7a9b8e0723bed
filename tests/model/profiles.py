"""Columns, stamps and rows of profiles for tests."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from cosemic.model import CaptureObjectDefinition, Column, LoadProfile, ScalerUnit
from cosemic.values import DateTime, Obis, Unit

UTC = dt.UTC
BERLIN = ZoneInfo("Europe/Berlin")
WATT_HOURS = ScalerUnit(-1, Unit(30))


def column(
    text: str, class_id: int = 3, attribute: int = 2, scaler_unit: ScalerUnit | None = None, data_index: int = 0
) -> Column:
    return Column(CaptureObjectDefinition(class_id, Obis(text), attribute, data_index), scaler_unit)


CLOCK = column("0-0:1.0.0", 8)
STATUS = column("0-0:96.10.1", 1)
ENERGY = column("1-0:1.8.0", scaler_unit=WATT_HOURS)
UNIX = column("0-0:1.1.0", 1)


def at(hour: int, minute: int = 0, day: int = 20, month: int = 11, **more: Any) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, minute, tzinfo=more.get("tzinfo", UTC))


def stamp(moment: dt.datetime, **more: Any) -> bytes:
    return DateTime.from_datetime(moment, **more).octets


def wall(moment: dt.datetime, zone: dt.tzinfo = BERLIN, **more: Any) -> bytes:
    """The stamp of a clock that shows no deviation."""
    return stamp(moment.astimezone(zone).replace(tzinfo=None, fold=0), **more)


def ends(profile: LoadProfile) -> list[dt.datetime | None]:
    return [row.interval_end for row in profile.rows()]


def starts(profile: LoadProfile) -> list[dt.datetime | None]:
    return [row.interval_start for row in profile.rows()]
