"""What the tests of M-Bus share: frames of real meters, any frame and segment, a bus with meters that answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from cosemic.faults import Bus, Station, StreamFaults, VirtualTime
from cosemic.faults.media import FAULTLESS
from cosemic.link.contract import ApduReceived, LinkConnected, LinkDisconnected, LinkFailed
from cosemic.link.mbus import BUS, DeviceAddress, MbusFrame, MbusMasterLink, MbusSlaveLink

OCTET = st.integers(0, 255)
FRAMES = st.one_of(
    st.builds(MbusFrame, OCTET, OCTET),
    st.builds(MbusFrame, OCTET, OCTET, OCTET, st.binary(max_size=252)),
)
DEVICES = st.builds(DeviceAddress, st.text("0123456789", min_size=8, max_size=8), st.integers(0, 0xFFFF), OCTET, OCTET)
CLIENT, SERVER = 16, 1


def answer_to(apdu: bytes) -> bytes:
    """What the meters of these tests answer: known from the request, and of many lengths."""
    digest = hashlib.sha256(apdu).digest()
    return digest * (1 + digest[0] % 20)


class Meter:
    """A slave on the bus; ``executed`` are the requests that its application got."""

    def __init__(self, station: Station, answers: Callable[[bytes], list[bytes]]) -> None:
        self.station = station
        self.executed: list[bytes] = []
        self._answers = answers
        station.on_event = self._received

    def _received(self, event: Any) -> None:
        assert isinstance(event, ApduReceived)
        self.executed.append(event.apdu)
        for answer in self._answers(event.apdu):
            self.station.link.send(answer, source=event.destination, destination=event.source)


class Reader:
    """A master on the bus; it tells what an exchange came to."""

    def __init__(self, station: Station, time: VirtualTime) -> None:
        self.station = station
        self.time = time

    @property
    def events(self) -> list[Any]:
        """What the link has told."""
        return [event for _, event in self.station.events]

    def apdus(self) -> list[bytes]:
        """What came."""
        return [event.apdu for event in self.events if isinstance(event, ApduReceived)]

    def errors(self) -> list[Any]:
        """What was declared."""
        return [
            event
            for event in self.events
            if isinstance(event, LinkFailed) or (isinstance(event, LinkDisconnected) and event.error)
        ]

    def connect(self) -> bool:
        """Connect, up to the end."""
        self.station.connect()
        self.rest()
        return self.station.link.connected

    def ask(self, apdu: bytes) -> list[bytes]:
        """Send a request; return what came of it."""
        before = len(self.apdus())
        self.station.send(apdu)
        self.rest()
        return self.apdus()[before:]

    def rest(self, limit: float = 1200.0) -> None:
        """Let the link come to rest, which it has to within the limit."""
        assert self.time.run_until_idle(limit), "the link does not come to rest"


class Line:
    """A bus in virtual time."""

    def __init__(self, *, seed: int = 0, echo: bool = False) -> None:
        self.time = VirtualTime()
        self.bus = Bus(self.time, BUS, seed=seed, echo=echo)
        self._masters = 0

    def meter(
        self,
        address: int,
        *,
        faults: StreamFaults = FAULTLESS,
        answers: Callable[[bytes], list[bytes]] = lambda apdu: [answer_to(apdu)],
        **settings: Any,
    ) -> Meter:
        """Put a meter on the bus."""
        port = self.bus.station(f"meter {address}", faults=faults)
        return Meter(Station(MbusSlaveLink(address, **settings), port), answers)

    def reader(self, address: int | None = None, *, faults: StreamFaults = FAULTLESS, **settings: Any) -> Reader:
        """Put a master on the bus; only one of them may be busy at a time."""
        self._masters += 1
        port = self.bus.station(f"master {self._masters}", faults=faults)
        link = MbusMasterLink(address, **{"source": CLIENT, "destination": SERVER, **settings})
        return Reader(Station(link, port), self.time)


CONNECTED = LinkConnected(SERVER, CLIENT)
