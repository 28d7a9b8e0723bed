"""A reader and a meter of IEC 62056-21 at the two ends of a line, in virtual time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cosemic.faults import ByteStream, Driver, StreamFaults, VirtualTime
from cosemic.link.iec21 import (
    ClientSettings,
    Completed,
    DataSet,
    Event,
    Failed,
    Identification,
    Iec21Client,
    Iec21Server,
    MeterData,
    Request,
    ServerSettings,
)
from cosemic.values import OPTICAL, Secret

PASSWORD = Secret.password("00000000")
VALUES = {"0.0.0": "00010213", "F.F": "00", "1.8.0": "000123.4*kWh", "1.8.1*01": "1.5*kWh"}
DATASETS = tuple(DataSet(address, (value,)) for address, value in VALUES.items())
OCTET_BY_OCTET = StreamFaults(chunks=(1,))

MODE_A = Identification("CSM", "?", "A-1")
MODE_B = Identification("CSM", "E", "B-1")
MODE_C = Identification("CSM", "5", "C-1")
MODE_E = Identification("CSM", "5", "E-1", "2")


class Bench:
    """A line at 300 baud 7E1 with both ends on it; ``begin`` is the time at which it was made."""

    def __init__(
        self,
        identification: Identification = MODE_C,
        *,
        client: ClientSettings | None = None,
        server: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        from_client: StreamFaults = OCTET_BY_OCTET,
        from_server: StreamFaults = OCTET_BY_OCTET,
        **medium: Any,
    ) -> None:
        self.time = VirtualTime()
        self.begin = self.time.now
        self.stream = ByteStream(
            self.time, line=OPTICAL, half_duplex=True, from_client=from_client, from_server=from_server, **medium
        )
        arguments = {"password": PASSWORD, "writable": ("1.8.1*01",)} | (data or {})
        self.data = MeterData(dict(VALUES), **arguments)
        self.meter = Iec21Server(self.data, ServerSettings(identification=identification, **(server or {})))
        self.reader = Iec21Client(client)
        self.meter_driver = Driver(self.meter, self.stream.server)
        self.reader_driver = Driver(self.reader, self.stream.client)
        self.meter_driver.go_on()

    def ask(self, request: Request, limit: float = 4000.0) -> Any:
        """Send a request, let time pass until it has ended; return its result, or raise its error."""
        event = self.event(request, limit)
        if isinstance(event, Completed):
            assert event.request is request
            return event.result
        assert isinstance(event, Failed)
        assert event.request is request
        raise event.error

    def event(self, request: Request, limit: float = 4000.0) -> Event:
        """Send a request, and return the event that ends it."""
        first = len(self.reader_driver.events)
        self.reader.send(request)
        self.reader_driver.go_on()
        assert self.time.run_until(lambda: len(self.reader_driver.events) > first, limit), f"no end within {limit} s"
        return self.reader_driver.events[first][1]

    @property
    def reader_lines(self) -> list[tuple[float, str]]:
        """When, from the beginning, and how the reader's port was set."""
        return self._lines(self.stream.client.line_changes)

    @property
    def meter_lines(self) -> list[tuple[float, str]]:
        """The same of the meter."""
        return self._lines(self.stream.server.line_changes)

    def heard(self, station: str) -> list[tuple[float, bytes]]:
        """Octets that came to a station, joined where they followed each other without a pause."""
        found: list[tuple[float, float, bytes]] = []
        for at, who, octets in self.stream.journal:
            if who != station:
                continue
            if found and at - found[-1][1] < 0.04:
                begin, _, before = found[-1]
                found[-1] = begin, at, before + octets
            else:
                found.append((at, at, octets))
        return [(begin - self.begin, octets) for begin, _, octets in found]

    def meter_events(self) -> list[Any]:
        """What the meter told."""
        return [event for _, event in self.meter_driver.events]

    def _lines(self, changes: Iterable[tuple[float, Any]]) -> list[tuple[float, str]]:
        return [(round(at - self.begin, 3), str(line)) for at, line in changes]
