"""A head-end and a meter, each behind a Hayes modem of its own, with HDLC between them."""

from __future__ import annotations

from typing import Any

from cosemic.faults import ByteStream, Station, StreamFaults, VirtualTime
from cosemic.faults.modem import SimulatedModem, TelephoneNetwork
from cosemic.link.contract import ApduReceived, LinkEvent
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink, HdlcSecondaryLink, HdlcSettings
from cosemic.link.modem import AnsweringModemLink, ModemLink
from cosemic.values import LineSettings

HEAD_END, METER = "100", "5551234"
CLIENT, SERVER = 16, 1
CABLE = LineSettings(19200)
GET = bytes.fromhex("c001c100080000010000ff0200")


class Telephones:
    """modems: 0 of the head-end, 1 of the meter. events: of the head-end's link."""

    def __init__(
        self,
        *,
        cable: StreamFaults | None = None,
        dial: str = METER,
        settings: HdlcSettings | None = None,
        seed: int = 0,
        answering: dict[str, Any] | None = None,
        network: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.time = VirtualTime()
        self.network = TelephoneNetwork(self.time, seed=seed, **(network or {}))
        faults = cable or StreamFaults()
        self.cables = [
            ByteStream(self.time, line=CABLE, from_client=faults, from_server=faults, seed=seed + at) for at in range(2)
        ]
        self.modems: list[SimulatedModem] = [
            self.network.modem(number, cable.server)
            for number, cable in zip((HEAD_END, METER), self.cables, strict=True)
        ]
        settings = settings or HdlcSettings(response_timeout=3.0)
        self.primary = HdlcPrimaryLink(CLIENT, HdlcAddress(SERVER, 17), settings)
        self.link = ModemLink(self.primary, dial=dial, **options)
        self.client = Station(self.link, self.cables[0].client)
        self.secondaries: list[HdlcSecondaryLink] = []
        self.answering = AnsweringModemLink(lambda: self.new_secondary(settings), **(answering or {}))
        self.meter = Station(self.answering, self.cables[1].client, on_event=self._answer)
        self.meter.go_on()
        self.time.run_for(2.0)

    def new_secondary(self, settings: HdlcSettings) -> HdlcSecondaryLink:
        self.secondaries.append(HdlcSecondaryLink(17, settings=settings))
        return self.secondaries[-1]

    def _answer(self, event: LinkEvent) -> None:
        if isinstance(event, ApduReceived):
            self.answering.send(event.apdu[::-1] * 20, source=event.destination, destination=event.source)

    @property
    def events(self) -> list[LinkEvent]:
        return [event for _, event in self.client.events]

    @property
    def told(self) -> list[str]:
        """Kinds of the events of the head-end."""
        return [type(event).__name__ for event in self.events]

    @property
    def told_to_meter(self) -> list[str]:
        """Kinds of the events of the meter."""
        return [type(event).__name__ for _, event in self.meter.events]

    def event(self, limit: float = 600.0) -> LinkEvent:
        """Let time pass until the head-end has another event."""
        known = len(self.client.events)
        assert self.time.run_until(lambda: len(self.client.events) > known, limit), "nothing in bounded time"
        return self.events[known]

    def connect(self, limit: float = 600.0) -> LinkEvent:
        self.client.connect()
        return self.event(limit)

    def ask(self, apdu: bytes = GET) -> LinkEvent:
        self.client.send(apdu)
        return self.event()

    def disconnect(self) -> LinkEvent:
        self.client.disconnect()
        return self.event()
