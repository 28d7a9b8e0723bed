"""What honest stations say to each other, taken from media in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from cosemic.errors import CosemicError
from cosemic.faults import ByteStream, Driver, Network, VirtualTime
from cosemic.faults.framing import hdlc_frames, wpdus
from cosemic.faults.media import Passed
from cosemic.faults.modem import TelephoneNetwork
from cosemic.faults.sms import SmsModem, SmsPort
from cosemic.values import OPTICAL, LineSettings
from fuzz.conversation import Message, pause_of
from fuzz.playing import Subject

BEGIN: Final = 1000.0
ENOUGH: Final = 900.0
"""Seconds of virtual time in which every honest conversation ends."""
HEAD_END, METER = "+4915112345678", "+491711234567"
Recorded = tuple[list[Message], list[Message]]
"""What was said to the client, and to the server."""


def over_stream(client: Subject, server: Subject) -> Recorded:
    """A stream without time, as TCP."""
    return _on_stream(client, server, ByteStream(VirtualTime()))


def over_optical(client: Subject, server: Subject) -> Recorded:
    """An optical head."""
    return _on_stream(client, server, ByteStream(VirtualTime(), line=OPTICAL, half_duplex=True))


def over_echoing(client: Subject, server: Subject) -> Recorded:
    """An optical head that gives back what is sent."""
    return _on_stream(client, server, ByteStream(VirtualTime(), line=OPTICAL, half_duplex=True, echo=True))


def over_datagrams(client: Subject, server: Subject) -> Recorded:
    """Datagrams that do not get lost."""
    network = Network(VirtualTime())
    one, other = network.station("client"), network.station("server")
    _run(network.time, (_driver(server, other.connected("client")), _driver(client, one.connected("server"))))
    return _said(network.journal, "client"), _said(network.journal, "server")


def over_short_messages(client: Subject, server: Subject) -> Recorded:
    """A service centre of short messages."""
    centre = Network(VirtualTime())
    ports = [SmsPort(centre.station(number)) for number in (HEAD_END, METER)]
    _run(centre.time, (_driver(server, ports[1]), _driver(client, ports[0])))
    return _said(centre.journal, HEAD_END), _said(centre.journal, METER)


DATAGRAMS: Final = (over_datagrams, over_short_messages)


def over_sms_modems(client: Subject, server: Subject) -> Recorded:
    """The same, behind modems."""
    time = VirtualTime()
    centre = Network(time)
    cables = [ByteStream(time, line=LineSettings(9600)) for _ in range(2)]
    for number, cable in zip((HEAD_END, METER), cables, strict=True):
        SmsModem(centre.station(number), cable.server)
    _run(time, (_driver(server, cables[1].client), _driver(client, cables[0].client)))
    return _said(cables[0].journal, "client"), _said(cables[1].journal, "client")


def over_telephones(client: Subject, server: Subject) -> Recorded:
    """A telephone network."""
    time = VirtualTime()
    network = TelephoneNetwork(time)
    cables = [ByteStream(time, line=LineSettings(9600)) for _ in range(2)]
    for number, cable in zip(("100", "200"), cables, strict=True):
        network.modem(number, cable.server)
    meter = _driver(server, cables[1].client)
    meter.go_on()
    time.run_for(5.0)
    _run(time, (meter, _driver(client, cables[0].client)))
    return _said(cables[0].journal, "client"), _said(cables[1].journal, "client")


def _on_stream(client: Subject, server: Subject, stream: ByteStream) -> Recorded:
    _run(stream.time, (_driver(server, stream.server), _driver(client, stream.client)))
    return _said(stream.journal, "client"), _said(stream.journal, "server")


def _driver(subject: Subject, port: Any) -> Driver:
    driver = Driver(subject.machine, port, subject.react)
    if subject.begin is not None:
        subject.begin()
    return driver


def _run(time: VirtualTime, drivers: Iterable[Driver]) -> None:
    for driver in drivers:
        driver.go_on()
    time.run_until_idle(ENOUGH)
    errors = [driver.error for driver in drivers if isinstance(driver.error, CosemicError)]
    assert not errors, errors


def _said(journal: Iterable[Passed], station: str, inlet: int = 0) -> list[Message]:
    """What came to a station, frame by frame."""
    messages: list[Message] = []
    last = BEGIN
    for at, who, octets in journal:
        if who == station:
            pause = pause_of(at - last)
            for part in _cut(octets):
                messages.append(Message(part, pause, inlet))
                pause = 0
            last = at
    return messages


def _cut(octets: bytes) -> list[bytes]:
    if octets[:2] == b"\x7e\xa0" or octets[:2] == b"\x7e\xa8":
        return hdlc_frames(octets)
    return wpdus(octets) if octets[:2] == b"\x00\x01" else [octets]


def both(
    pairs: Iterable[tuple[Callable[[Subject, Subject], Recorded], Callable[[], Subject], Callable[[], Subject]]],
) -> list[Recorded]:
    """Record pairs of stations, each on its medium."""
    return [medium(client(), server()) for medium, client, server in pairs]
