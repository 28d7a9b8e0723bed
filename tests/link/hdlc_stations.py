"""Two HDLC stations on a simulated medium, and what passes between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cosemic.faults.byte_stream import ByteStream
from cosemic.faults.media import FAULTLESS, StreamFaults
from cosemic.faults.station import Station
from cosemic.faults.virtual_time import VirtualTime
from cosemic.link.contract import ApduReceived, LinkConnected, LinkDisconnected, LinkEvent, LinkFailed
from cosemic.link.hdlc import (
    Control,
    HdlcAddress,
    HdlcFrame,
    HdlcPrimaryLink,
    HdlcSecondaryLink,
    HdlcSettings,
    HdlcStreamReader,
    encode_frame,
)

CLIENT = 16
METER = HdlcAddress(1, 17)
BOUND = 600.0
"""Seconds in which anything ends: four tries of each of some thirty frames, at the very worst."""


def frames_of(octets: bytes) -> list[bytes]:
    """Cut what a station sends, each frame between flags of its own."""
    frames = []
    start = 0
    while start < len(octets):
        end = start + (int.from_bytes(octets[start + 1 : start + 3], "big") & 0x7FF) + 2
        frames.append(octets[start:end])
        start = end
    return frames


def flagged(
    destination: HdlcAddress, source: HdlcAddress, control: Control, information: bytes = b"", segmented: bool = False
) -> bytes:
    """A frame between flags."""
    return b"\x7e" + encode_frame(destination, source, control, information, segmented=segmented) + b"\x7e"


def sent(link: HdlcPrimaryLink | HdlcSecondaryLink, now: float = 0.0) -> list[HdlcFrame]:
    """What the station sends now; its time-outs start, as a driver lets them."""
    frames = HdlcStreamReader().receive(link.octets_to_send())
    assert link.octets_to_send() == b""
    link.tick(now)
    return frames


def brief(frames: list[HdlcFrame]) -> list[str]:
    """Frames at a glance: `I 0 1 P+` is I, N(S) 0, N(R) 1, poll or final, more segments follow."""

    def one(frame: HdlcFrame) -> str:
        numbers = [str(number) for number in (frame.control.ns, frame.control.nr) if number is not None]
        return " ".join([frame.control.type.label, *numbers]) + " P" * frame.control.pf + "+" * frame.segmented

    return [one(frame) for frame in frames]


def answer_to(request: bytes) -> bytes:
    """What the server application answers: as long as the first two octets say, and no other request's."""
    length = int.from_bytes(request[:2], "big")
    return (request * (length // len(request) + 1))[:length] + b"answer"


def request_for(number: int, length: int, own_length: int) -> bytes:
    """A request whose answer has ``length`` octets and six."""
    return length.to_bytes(2, "big") + number.to_bytes(4, "big") * (own_length // 4 + 1)


class Pair:
    """A client and a meter that answers each APDU with :func:`answer_to`."""

    def __init__(
        self,
        settings: HdlcSettings | None = None,
        *,
        server_settings: HdlcSettings | None = None,
        server: HdlcAddress = METER,
        client: int = CLIENT,
        from_client: StreamFaults = FAULTLESS,
        from_server: StreamFaults = FAULTLESS,
        answer: Callable[[bytes], bytes | None] = answer_to,
        seed: int = 0,
        **medium: Any,
    ) -> None:
        self.settings = settings or HdlcSettings()
        self.time = VirtualTime()
        self.stream = ByteStream(self.time, from_client=from_client, from_server=from_server, seed=seed, **medium)
        self.meter = HdlcSecondaryLink(server.lower, settings=server_settings or self.settings)
        self.primary = HdlcPrimaryLink(client, server, self.settings)
        self._answer = answer
        self.server = Station(self.meter, self.stream.server, on_event=self._serve)
        self.client = Station(self.primary, self.stream.client)

    def _serve(self, event: LinkEvent) -> None:
        if isinstance(event, ApduReceived):
            answer = self._answer(event.apdu)
            if answer is not None:
                self.meter.send(answer, source=event.destination, destination=event.source)

    def connect(self) -> LinkEvent:
        """Connect; return what comes of it."""
        known = len(self.client.events)
        self.client.connect()
        return self._event(known, LinkConnected, LinkFailed)

    def exchange(self, request: bytes) -> LinkEvent:
        """Send a request; return what comes of it."""
        known = len(self.client.events)
        self.client.send(request)
        return self._event(known, ApduReceived, LinkDisconnected, LinkFailed)

    def _event(self, known: int, *types: type[LinkEvent]) -> LinkEvent:
        def ends() -> list[LinkEvent]:
            return [event for _, event in self.client.events[known:] if isinstance(event, types)]

        assert self.time.run_until(ends, BOUND), "nothing in bounded time"
        return ends()[0]

    def close(self) -> None:
        """Disconnect, and see that nothing is left behind at either end."""
        self.primary.disconnect()
        self.client.go_on()
        assert self.time.run_until_idle(), "something goes on for ever"
        assert not self.primary.connected
        assert self.primary.deadline() is None
        assert self.primary.octets_to_send() == b""
        if not self.server.ended:
            assert not self.meter.connected
            assert self.meter.deadline() is None
