"""What a scan tries, in which order: declared, so that it can be read, counted, and told how long it takes.

=================  ===========================  ======================================  ============================
                   quick                        normal                                  thorough
=================  ===========================  ======================================  ============================
ports of a host    4059                         :data:`PORTS`                           the same
over TCP           wrapper, HDLC, mode E,       the same; TLS; UDP                      the same
                   M-Bus
at a serial port   HDLC 9600 8N1, mode E,       the same; HDLC at :data:`RATES`         the same; 8E1, 8O1; wake-up
                   M-Bus 2400 8E1
HDLC addresses     one octet; 16, 17            and 1, ALL_STATION, CALLING             logical devices 16, 17 too
SNRM from client   16                           16; at all rates again 1                the same
clients, of what   16, 1                        16, 1, 2, 3, 32, 48, 64                 eleven more
was found
=================  ===========================  ======================================  ============================

At a port that is not 4059 HDLC goes before the wrapper: it is a converter's. UDP is for 4059, and for a port that was
named. A port that refuses connections, or does not answer within 5 s, is passed over for all that goes over TCP. A scan
ends at the first place where a meter is found; a thorough one goes on to the other ports. No password and no key is
ever tried: meters lock after a few.

The lower HDLC address is often made from the serial number (reference of makers, unsure which): last four digits +
1000, the last four digits, the last two + 16, the last two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlencode

from cosemic.errors import ConfigurationError
from cosemic.link.hdlc import HdlcAddress
from cosemic.link.mbus import BUS
from cosemic.link.wrapper import PORT
from cosemic.stack import PUBLIC_CLIENT, Framing, Medium
from cosemic.values import OPTICAL, LineSettings, Parity

PORTS: Final[dict[int, str]] = {
    PORT: "dlms/cosem",
    4001: "Moxa NPort",
    10001: "Lantronix, M-Bus gateways",
    2101: "Digi",
    8899: "USR, Elfin",
    20108: "USR",
}
"""Where meters and the converters before them listen as they are delivered (unsure: each can be set otherwise)."""
RATES: Final = (9600, 19200, 115200, 38400, 57600, 4800, 2400, 1200, 300)
"""Of HDLC at a serial port, the likely ones first."""
MANAGEMENT: Final = 1
_HDLC_LINE: Final = LineSettings(RATES[0])
_LINES: Final = {Framing.HDLC: _HDLC_LINE, Framing.MBUS: BUS, Framing.IEC21: OPTICAL}
_LOWEST, _HIGHEST_SMALL, _HIGHEST = 16, 0x7D, 0x3FFD
"""Lower HDLC addresses that are for devices, in two octets and in four."""
_ALL, _CALLING = {2: 0x7F, 4: 0x3FFF}, {2: 0x7E, 4: 0x3FFE}
_LIKELY: Final = (16, 17)
_FEW_CLIENTS: Final = (PUBLIC_CLIENT, 1)
_CLIENTS: Final = (*_FEW_CLIENTS, 2, 3, 0x20, 0x30, 0x40)
_MORE_CLIENTS: Final = (*_CLIENTS, 4, 5, 0x11, 0x12, 0x50, 0x60, 100, 101, 102, 103, 0x70)
_PATHS: Final = ("/", "./", "../", "\\\\.\\", "rfc2217:")
"""What names of serial ports begin with, COM3 aside."""
ANSWER_OCTETS: Final = 40
"""Of a UA with parameters and an SNRM, between flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much is tried.

    patience: seconds that an answer may take, over a network and at a serial port; the time of the line comes on top.
    ports, lines: of a host, of HDLC at a serial port. callers: SAPs from which SNRM is sent. clients: SAPs that are
    asked for an association where a link was found. devices: logical devices. more_media: TLS and UDP. odd_addresses:
    lower addresses that are reserved. wake_up: devices with a battery. every_place: on after a meter was found.
    """

    name: str
    patience: float
    serial_patience: float
    ports: tuple[int, ...] = tuple(PORTS)
    lines: tuple[LineSettings, ...] = tuple(map(LineSettings, RATES))
    callers: tuple[int, ...] = _FEW_CLIENTS
    clients: tuple[int, ...] = _CLIENTS
    devices: tuple[int, ...] = (MANAGEMENT,)
    more_media: bool = True
    odd_addresses: bool = True
    wake_up: bool = False
    every_place: bool = False


QUICK: Final = Depth(
    name="quick",
    patience=1.0,
    serial_patience=0.6,
    ports=(PORT,),
    lines=(_HDLC_LINE,),
    callers=(PUBLIC_CLIENT,),
    clients=_FEW_CLIENTS,
    more_media=False,
    odd_addresses=False,
)
NORMAL: Final = Depth(name="normal", patience=2.0, serial_patience=1.0)
THOROUGH: Final = Depth(
    name="thorough",
    patience=4.0,
    serial_patience=1.5,
    lines=tuple(LineSettings(rate, 8, parity) for parity in (Parity.NONE, Parity.EVEN, Parity.ODD) for rate in RATES),
    clients=_MORE_CLIENTS,
    devices=(MANAGEMENT, *_LIKELY),
    wake_up=True,
    every_place=True,
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to look: a serial port (``device``), or a host with one port or those that are usual."""

    host: str = ""
    port: int | None = None
    device: str = ""

    def __str__(self) -> str:
        return self.device or (_bracketed(self.host) if self.port is None else f"{_bracketed(self.host)}:{self.port}")

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``/dev/ttyUSB0``, ``./reader``, ``COM3``, ``HOST``, ``HOST:PORT``, ``[::1]:PORT``.

        Raises ConfigurationError.
        """
        if text.startswith(_PATHS) or (text[:3].upper() == "COM" and text[3:].isdecimal()):
            return cls(device=text)
        if "://" in text:
            raise ConfigurationError("a scan takes the place alone, no URL: /dev/ttyUSB0, COM3, HOST, HOST:PORT")
        if not text.strip() or set(text) & set(" /?#@"):
            raise ConfigurationError(f"{text!r} is no place to scan: /dev/ttyUSB0, COM3, HOST, HOST:PORT, [::1]:PORT")
        host, port = text, ""
        if text.startswith("["):
            host, _, rest = text[1:].partition("]")
            port = rest.removeprefix(":")
        elif text.count(":") == 1:
            host, _, port = text.partition(":")
        if not host or (port and not (port.isdecimal() and 0 < int(port) < 1 << 16)):
            raise ConfigurationError(f"{text!r} names no {'port' if host else 'host'}: HOST:PORT, port 1 to 65535")
        return cls(host, int(port) if port else None)


@dataclass(frozen=True, slots=True)
class Route:
    """One way to a meter: medium, link and line, without addresses.

    place: ``HOST:PORT``, or the serial port. line: None where the medium has none. sign_on: device address of the
    sign-on of IEC 62056-21; or the M-Bus identification. caller: SAP from which SNRM is sent.
    """

    framing: Framing
    medium: Medium
    place: str
    line: LineSettings | None = None
    sign_on: str = ""
    wake_up: bool = False
    echo: bool = False
    caller: int = PUBLIC_CLIENT

    def url(self, **options: int | None) -> str:
        """Return the URL; options as in URLs, without those that are None."""
        said: dict[str, int | str] = {name: value for name, value in options.items() if value is not None}
        usual = _LINES.get(self.framing)
        if self.line is not None and usual is not None and self.line != usual:
            if replace_rate(usual, self.line.baud) == self.line:
                said["baud"] = self.line.baud
            else:
                line = self.line
                said["line"] = f"{line.baud}-{line.data_bits}{line.parity.value}{line.stop_bits}"
        if self.sign_on:
            said["identification" if self.framing is Framing.MBUS else "sign_on"] = self.sign_on
        for flag in ("wake_up", "echo"):
            if getattr(self, flag):
                said[flag] = "yes"
        return f"{self.scheme}://{self.address}?{urlencode(said)}"

    @property
    def address(self) -> str:
        """The place as a URL writes it."""
        return quote(self.place) if self.medium is Medium.SERIAL else self.place

    @property
    def scheme(self) -> str:
        """What stands before it."""
        if self.framing is Framing.WRAPPER:
            return self.medium.value
        return self.framing.value if self.medium is Medium.SERIAL else f"{self.framing.value}+{self.medium.value}"

    def __str__(self) -> str:
        words = {Framing.IEC21: "IEC 62056-21 mode E", Framing.MBUS: "M-Bus", Framing.WRAPPER: "wrapper"}
        said = words.get(self.framing, "HDLC")
        where = "" if self.medium is Medium.SERIAL else f" over {self.medium.value.upper()}"
        line = "" if self.line is None else f" {self.line}"
        woken = " after wake-up" if self.wake_up else ""
        caller = f" from client {self.caller}" if self.framing is Framing.HDLC and self.caller != PUBLIC_CLIENT else ""
        return f"{said}{where}{line}{woken}{caller}{f' {self.sign_on}' if self.sign_on else ''}"


def replace_rate(line: LineSettings, baud: int) -> LineSettings:
    """Return a line at another rate."""
    return replace(line, baud=baud)


def places(target: Target, depth: Depth, ports: Sequence[int] = ()) -> list[str]:
    """Return the places of a target, in their order; ports: in place of the usual ones."""
    if target.device:
        return [target.device]
    chosen = (target.port,) if target.port is not None else tuple(ports) or depth.ports
    return [f"{_bracketed(target.host)}:{port}" for port in chosen]


def routes(target: Target, place: str, depth: Depth, serial_number: str = "") -> Iterator[Route]:
    """Give the ways that are tried at a place, in their order. serial_number: digits, for device addresses."""
    if target.device:
        yield from _serial_routes(place, depth, serial_number)
        return
    tcp = Medium.TCP
    wrapper = [Route(Framing.WRAPPER, tcp, place)]
    hdlc = [Route(Framing.HDLC, tcp, place, caller=caller) for caller in depth.callers]
    rest = [Route(Framing.IEC21, tcp, place), Route(Framing.MBUS, tcp, place)]
    if serial_number:
        rest += [Route(one.framing, tcp, place, sign_on=_named(one.framing, serial_number)) for one in rest]
    first, second = (wrapper, hdlc[:1]) if place.endswith(f":{PORT}") else (hdlc[:1], wrapper)
    yield from (*first, *second, *rest, *hdlc[1:])
    if depth.more_media:
        yield Route(Framing.WRAPPER, Medium.TLS, place)
        if target.port is not None or place.endswith(f":{PORT}"):
            yield Route(Framing.WRAPPER, Medium.UDP, place)


def _serial_routes(place: str, depth: Depth, serial_number: str) -> Iterator[Route]:
    serial = Medium.SERIAL

    def optical(wake_up: bool) -> Iterator[Route]:
        for address in dict.fromkeys(("", serial_number)):
            yield Route(Framing.IEC21, serial, place, OPTICAL, address, wake_up)

    hdlc = [Route(Framing.HDLC, serial, place, line, caller=caller) for caller in depth.callers for line in depth.lines]
    yield hdlc[0]
    yield from optical(False)
    yield Route(Framing.MBUS, serial, place, BUS)
    if serial_number:
        yield Route(Framing.MBUS, serial, place, BUS, _named(Framing.MBUS, serial_number))
    yield from hdlc[1:]
    if depth.wake_up:
        yield from optical(True)


def _named(framing: Framing, serial_number: str) -> str:
    return serial_number[-8:].rjust(8, "0") if framing is Framing.MBUS else serial_number


def hdlc_addresses(depth: Depth, serial_number: str = "") -> list[HdlcAddress]:
    """Return the HDLC addresses that are called, in their order."""
    found: list[HdlcAddress] = []
    for device in depth.devices:
        found.append(HdlcAddress(device))
        found += [HdlcAddress(device, lower, 4) for lower in from_serial_number(serial_number)]
        found += [
            HdlcAddress(device, lower, 2) for lower in from_serial_number(serial_number) if lower <= _HIGHEST_SMALL
        ]
        for size in (2, 4):
            found += [HdlcAddress(device, lower, size) for lower in _LIKELY]
            if depth.odd_addresses and device == MANAGEMENT:
                found += [HdlcAddress(device, lower, size) for lower in (1, _ALL[size], _CALLING[size])]
        if depth.odd_addresses and device == MANAGEMENT:
            found.append(HdlcAddress(device, _ALL[2], 4))
    return list(dict.fromkeys(found))


def from_serial_number(serial_number: str) -> list[int]:
    """Return the lower HDLC addresses that makers take from a serial number of digits."""
    if not serial_number:
        return []
    four, two = int(serial_number[-4:]), int(serial_number[-2:])
    lowers = (four + 1000, four, two + _LOWEST, two)
    return [lower for lower in dict.fromkeys(lowers) if _LOWEST <= lower <= _HIGHEST]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
