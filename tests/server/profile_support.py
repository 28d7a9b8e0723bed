"""Devices with profiles, in memory and on disk, at a time that is moved by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType, EncodedData
from cosemic.model import AccessSelection, CaptureObjectDefinition, Register, ScalerUnit
from cosemic.server import Admission, ClockObject, CosemObject, LogicalDevice, ProfileObject, data, managing
from cosemic.server.local_time import CENTRAL_EUROPEAN
from cosemic.server.state import StateFile
from cosemic.values import DateTime, Obis, Unit
from tests.server.support import View

PROFILE = "1-0:99.1.0"
STAMP = CaptureObjectDefinition(8, Obis("0-0:1.0.0"), 2, 0)
STATUS = CaptureObjectDefinition(1, Obis("0-0:96.10.1"), 2, 0)
ENERGY = CaptureObjectDefinition(3, Obis("1-0:1.8.0"), 2, 0)
COLUMNS = (STAMP, STATUS, ENERGY)
TYPES = (DataType.OCTET_STRING, DataType.UNSIGNED, DataType.LONG)
ZONE = dt.timezone(dt.timedelta(hours=1))
START = dt.datetime(2026, 11, 1, tzinfo=ZONE)
QUARTER = dt.timedelta(minutes=15)
Row = tuple[Any, ...]


class Bench:
    """A device whose time is moved by hand, with a clock and two things to capture.

    energy counts the seconds since the beginning, so that each row tells when it was captured.
    """

    def __init__(
        self,
        now: dt.datetime = START,
        *,
        state: StateFile | None = None,
        daylight_saving: bool = False,
        start: dt.datetime | None = None,
    ) -> None:
        self.now = now
        self.begin = START
        name = "TST0000000000001"
        kept = None if state is None else state.of(name)
        self.device = LogicalDevice(name, now=lambda: self.now, state=kept, start=start)
        rule = {"daylight_saving": CENTRAL_EUROPEAN} if daylight_saving else {}
        self.clock = self.device.add(ClockObject(device=self.device, **rule))  # type: ignore[arg-type]  # one option
        self.status = self.device.add(data("0-0:96.10.1", DataType.UNSIGNED, 0, writable=True))
        self.energy = self.device.add(
            CosemObject(
                Register("1-0:1.8.0"),
                {
                    "value": lambda now: (DataType.DOUBLE_LONG, self.seconds(now)),
                    "scaler_unit": ScalerUnit(0, Unit(30)),
                },
            )
        )
        self.device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=managing()))
        self.view = View(self.device)

    def seconds(self, moment: dt.datetime) -> int:
        return int((moment - self.begin).total_seconds())

    def profile(
        self, columns: Sequence[CaptureObjectDefinition] = COLUMNS, entries: int = 1000, **options: Any
    ) -> ProfileObject:
        options = {"clock": self.clock, **options}
        return self.device.add(ProfileObject(self.device, PROFILE, columns, entries, **options))

    def recorded(self, rows: Iterable[tuple[Row, dt.datetime]], entries: int = 1000, **options: Any) -> ProfileObject:
        """A profile of rows that are given."""
        served = self.profile(entries=entries, **{"types": TYPES, "recorded": True, "capture_period": 900, **options})
        served.extend(rows)
        return served

    def get(self, attribute: int = 2, selection: AccessSelection | None = None) -> Any:
        result = self.view.get(7, PROFILE, attribute, selection)
        return result.value() if isinstance(result, EncodedData) else result

    def pass_(self, **by: float) -> None:
        self.now += dt.timedelta(**by)

    def set_clock(self, **by: float) -> None:
        """Set the clock ahead of what it shows, or back."""
        new = DateTime.from_datetime(self.clock.time(self.now) + dt.timedelta(**by))
        result = self.view.set(8, "0-0:1.0.0", 2, EncodedData.of(DataType.OCTET_STRING, new.octets))
        assert int(result) == 0, result

    def captured(self) -> list[tuple[str, int]]:
        """What each row of the buffer shows as local time, and the minute of its capture in true time."""
        return [(str(DateTime(row[0]))[5:16], row[-1] // 60) for row in self.get()]


def row(moment: dt.datetime, status: int | None = 0, value: int = 0) -> Row:
    return DateTime.from_datetime(moment.astimezone(ZONE)).octets, status, value


def quarters(count: int) -> list[dt.datetime]:
    return [START + QUARTER * number for number in range(count)]


def states(stored: bool) -> StateFile | None:
    return StateFile(":memory:") if stored else None
