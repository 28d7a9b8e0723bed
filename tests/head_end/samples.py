"""Profiles as a meter would give them: quarters of an hour, a register and a status."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from cosemic.model import CaptureObjectDefinition, Column, LoadProfile, Row, ScalerUnit
from cosemic.values import DateTime, Obis, Unit

PROFILE = Obis("1-0:99.1.0")
ENERGY = Obis("1-0:1.8.0")
STATUS = Obis("0-0:96.10.1")
QUARTER = dt.timedelta(minutes=15)
START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
COLUMNS = (
    Column(CaptureObjectDefinition(8, Obis("0-0:1.0.0"), 2, 0)),
    Column(CaptureObjectDefinition(1, STATUS, 2, 0)),
    Column(CaptureObjectDefinition(3, ENERGY, 2, 0), ScalerUnit(-1, Unit(30))),
)


def quarter(number: int) -> dt.datetime:
    """The start of a quarter."""
    return START + number * QUARTER


def rows(numbers: Iterable[int], *, factor: int = 100) -> list[Row]:
    """A row for each of the quarters."""
    cells = [(DateTime.from_datetime(quarter(n + 1)).octets, 0, 1_000_000 + factor * n) for n in numbers]
    return list(LoadProfile.from_buffer(cells, COLUMNS, 900))
