"""A device whose time is told by hand, with scripts that write down when they run."""

from __future__ import annotations

import datetime as dt
from typing import Any

from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType, EncodedData
from cosemic.model import ActionItem
from cosemic.server.clients import Admission
from cosemic.server.clock import ClockObject
from cosemic.server.local_time import CENTRAL_EUROPEAN
from cosemic.server.logical_device import Happening, LogicalDevice
from cosemic.server.rights import managing
from cosemic.server.scripts import ScriptTableObject
from cosemic.server.state import DeviceState
from cosemic.values import DataAccessResult, Date, DateTime, Obis, Time
from tests.server.support import View

ZERO = EncodedData.of(DataType.INTEGER, 0)
SCRIPTS = Obis("0-0:10.0.100")
CLOCK = "0-0:1.0.0"
BEGIN_2026 = dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC)
"""Summer time begins in Central Europe."""
END_2026 = dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC)


def utc(*fields: int) -> dt.datetime:
    """Return a moment."""
    return dt.datetime(*fields, tzinfo=dt.UTC)


def script(number: int) -> ActionItem:
    """Name one of the scripts of :class:`Running`."""
    return ActionItem(SCRIPTS, number)


def at(text: str) -> Time:
    """Return a time from ``06:00`` or ``06:00:00``, * for what is not specified."""
    fields = [None if field == "*" else int(field) for field in text.split(":")]
    hour, minute, second = (*fields, 0)[:3]
    return Time.of(hour=hour, minute=minute, second=second, hundredths=None if second is None else 0)


def on(text: str = "*-*-*") -> Date:
    """Return a date from ``2026-03-29`` or ``*-03-*``; ``last`` and a weekday, 1 to 7, may follow: ``*-03-last 7``."""
    days, _, weekday = text.partition(" ")
    year, month, day = days.split("-")
    return Date.of(
        year=None if year == "*" else int(year),
        month=None if month == "*" else int(month),
        day_of_month=None if day == "*" else 0xFE if day == "last" else int(day),
        day_of_week=int(weekday) if weekday else None,
    )


def stamp(text: str, deviation: int | None = None, clock_status: int | None = None) -> DateTime:
    """Return a date-time from ``2026-03-29 02:00``; what ``on`` and ``at`` take."""
    date, _, time = text.rpartition(" ")
    tail = DateTime.of(deviation=deviation, clock_status=clock_status).octets[9:]
    return DateTime(on(date).octets + at(time).octets + tail)


class Running:
    """A device in Central Europe at a time of its own, with a clock and ten scripts."""

    def __init__(self, now: dt.datetime, state: DeviceState | None = None, **clock: Any) -> None:
        self.now = now
        self.ran: list[tuple[dt.datetime, int]] = []
        self.happened: list[Happening] = []
        self.device = LogicalDevice("TST0000000000001", now=lambda: self.now, state=state, start=now)
        self.device.listeners.append(self.happened.append)
        self.clock = self.device.add(
            ClockObject(device=self.device, **{"utc_offset": 60, "daylight_saving": CENTRAL_EUROPEAN, **clock})
        )
        self.scripts = self.device.add(
            ScriptTableObject(self.device, SCRIPTS, {number: self._runs(number) for number in range(1, 11)})
        )
        self.device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=managing()))

    def _runs(self, number: int) -> Any:
        return lambda at: self.ran.append((at, number))

    @property
    def view(self) -> View:
        """What client 16 sees."""
        return View(self.device)

    def go(self, now: dt.datetime, step: dt.timedelta | None = None) -> list[tuple[dt.datetime, int]]:
        """Let time pass, in steps or in one; return which scripts ran when, and forget it."""
        while step is not None and self.now + step < now:
            self.now += step
            self.device.advance()
        self.now = now
        self.device.advance()
        ran, self.ran = self.ran, []
        return ran

    def local(self, now: dt.datetime, step: dt.timedelta | None = None) -> list[tuple[str, int]]:
        """Let time pass; return which scripts ran at what local time."""
        return [(self.clock.time(at).strftime("%m-%d %H:%M:%S"), number) for at, number in self.go(now, step)]

    def set(self, class_id: int, name: str, attribute: int, value: EncodedData) -> DataAccessResult:
        """Write an attribute as client 16."""
        return self.view.set(class_id, name, attribute, value)

    def set_clock(self, shown: DateTime) -> DataAccessResult:
        """Write the time."""
        return self.set(8, CLOCK, 2, EncodedData.of(DataType.OCTET_STRING, shown.octets))

    def act(self, class_id: int, name: str, method: int, parameters: EncodedData | None = ZERO) -> str:
        """Invoke a method as client 16; return the name of the result."""
        return self.view.act(class_id, name, method, parameters).result.label

    def names(self) -> list[str]:
        """Names of what has happened, but for the writing of parameters."""
        return [one.name for one in self.happened if one.name != "parameter-written"]
