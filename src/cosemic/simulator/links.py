"""How a simulated meter is reached: its link, its address there, and what a client's URL says of both.

=======  ==================================  =====================================================================
link     URL, over a network; at a port      station
=======  ==================================  =====================================================================
wrapper  ``tcp://``; with ``udp`` ``udp://``
hdlc     ``hdlc+tcp://``; ``hdlc:``          lower HDLC address, 16 to 16381; without it any is answered
iec21    ``iec21+tcp://``; ``iec21:``        the same, behind the sign-on of mode E; the serial number is the device
                                             address, and a read-out in mode C has the registers of energy
mbus     ``mbus+tcp://``; ``mbus:``          primary address, 1 to 250; 1 unless said. The secondary one has the last
                                             eight digits of the serial number
=======  ==================================  =====================================================================

``station = "serial"`` takes it from the serial number, as many makers do: the last four digits + 1000 for HDLC, the
last two + 1 on the M-Bus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from cosemic.errors import ConfigurationError, CosemicError
from cosemic.link.contract import Link
from cosemic.link.hdlc import HdlcSecondaryLink
from cosemic.link.iec21 import Identification, Iec21Server, MeterData, ModeEServerLink, ServerSettings
from cosemic.link.mbus import BUS, DeviceAddress, MbusSlaveLink, manufacturer_code
from cosemic.link.wrapper import DatagramWrapperLink, WrapperLink
from cosemic.model import Register
from cosemic.server.objects import AccessRefused
from cosemic.simulator import names
from cosemic.simulator.security import MAKER
from cosemic.simulator.wording import one_of
from cosemic.values import OPTICAL, LineSettings, Obis

if TYPE_CHECKING:
    from cosemic.simulator.meter import SimulatedMeter

WRAPPER, HDLC, IEC21, MBUS = LINKS = ("wrapper", "hdlc", "iec21", "mbus")
FROM_SERIAL: Final = "serial"
_STATIONS: Final = {HDLC: (16, 0x3FFD), IEC21: (16, 0x3FFD), MBUS: (1, 250)}
_SMALL: Final = 0x7D
"""The greatest lower HDLC address of two octets."""
_LINES: Final = {HDLC: LineSettings(9600), IEC21: OPTICAL, MBUS: BUS}
_NETWORKS: Final = {WRAPPER: "tcp", HDLC: "hdlc+tcp", IEC21: "iec21+tcp", MBUS: "mbus+tcp"}
_ELECTRICITY: Final = 2
"""Device type of the M-Bus."""
_READ_OUT: Final = {
    "1.8.0": names.ENERGY,
    "1.8.1": names.ENERGY_TARIFF_1,
    "1.8.2": names.ENERGY_TARIFF_2,
    "2.8.0": names.EXPORT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterLink:
    """How one meter is reached; see the module's text.

    udp: the wrapper on UDP. station: a number, ``serial``, or None. address_octets: the only length of the HDLC server
    address that is answered, 2 or 4 with a station, 1 without; None: every length. Raises ConfigurationError.
    """

    link: str = WRAPPER
    udp: bool = False
    station: int | str | None = None
    address_octets: int | None = None

    def __post_init__(self) -> None:
        one_of("link", self.link, LINKS)
        if self.udp and self.link != WRAPPER:
            raise ConfigurationError(f"UDP carries the wrapper only, not {self.link}")
        low, high = _STATIONS.get(self.link, (0, 0))
        if isinstance(self.station, str) and self.station != FROM_SERIAL:
            raise ConfigurationError(f"a station is a decimal number or {FROM_SERIAL!r}, not {self.station!r}")
        if self.station is not None and not high:
            raise ConfigurationError("the wrapper knows no station: choose hdlc, iec21 or mbus")
        if isinstance(self.station, int) and not low <= self.station <= high:
            raise ConfigurationError(f"a station of {self.link} is {low} to {high}, not {self.station}")
        if self.address_octets is not None:
            self._check_octets(self.address_octets)

    def _check_octets(self, octets: int) -> None:
        if self.link not in (HDLC, IEC21):
            raise ConfigurationError("only HDLC addresses have a number of octets: choose hdlc or iec21")
        if octets not in ((1,) if self.station is None else (2, 4)):
            raise ConfigurationError("an HDLC address has 1 octet without a station, 2 or 4 with one")
        if octets == 2 and (self.station == FROM_SERIAL or (isinstance(self.station, int) and self.station > _SMALL)):
            raise ConfigurationError(f"a station of an HDLC address of 2 octets is 16 to {_SMALL}")

    @property
    def line(self) -> LineSettings:
        """How a serial port is set at first. Raises ConfigurationError for the wrapper, which needs a network."""
        if self.link == WRAPPER:
            raise ConfigurationError("a serial port carries hdlc, iec21 or mbus, not the wrapper: name the link")
        return _LINES[self.link]

    def station_of(self, serial: int) -> int | None:
        """Return the station of the meter with a serial number; None where it has none."""
        if self.station == FROM_SERIAL:
            return serial % 100 + 1 if self.link == MBUS else serial % 10_000 + 1000
        assert not isinstance(self.station, str)
        return 1 if self.link == MBUS and self.station is None else self.station

    def make(self, serial: int, meter: Callable[[], SimulatedMeter]) -> Link:
        """Return the meter's end of one connection. meter: gives the meter with that serial number."""
        if self.link == WRAPPER:
            return DatagramWrapperLink() if self.udp else WrapperLink()
        station = self.station_of(serial)
        if self.link == MBUS:
            assert station is not None
            secondary = DeviceAddress(_digits(serial), manufacturer_code(MAKER.decode()), 1, _ELECTRICITY)
            return MbusSlaveLink(station, secondary=secondary)
        sizes = (1, 2, 4) if self.address_octets is None else (self.address_octets,)
        hdlc = HdlcSecondaryLink(station, sizes=sizes)
        if self.link == HDLC:
            return hdlc
        settings = ServerSettings(
            identification=Identification(MAKER.decode(), "5", "COSEMIC", escapes="2"), address=str(serial)
        )
        return ModeEServerLink(hdlc, Iec21Server(_read_out(serial, meter), settings))

    def url(self, serial: int, client_sap: int, server_sap: int = 1, *, endpoint: str = "", device: str = "") -> str:
        """Return the URL for a client. endpoint: ``HOST:PORT`` of a network; device: the name of a serial port."""
        options = f"client={client_sap}&server={server_sap}"
        station = self.station_of(serial)
        if station is not None:
            options += f"&station={station}"
        if self.address_octets is not None:
            options += f"&address={self.address_octets}"
        if device:
            return f"{self.link}://{quote(device)}?{options}"
        return f"{'udp' if self.udp else _NETWORKS[self.link]}://{endpoint}?{options}"


def _digits(serial: int) -> str:
    return f"{serial % 10**8:08}"


def _read_out(serial: int, meter: Callable[[], SimulatedMeter]) -> MeterData:
    """What a read-out of IEC 62056-21 brings."""

    def shown(name: Obis) -> Callable[[], str]:
        def text() -> str:
            try:
                device = meter()
                with device.lock:
                    watt_hours: int = device.read(Register.class_id, name, 2, device.advance()).value()
                    device.commit()
            except (CosemicError, AccessRefused):
                return ""  # as a meter that has lost its values; DLMS tells why
            return f"{watt_hours / 1000:010.3f}*kWh"

        return text

    return MeterData({"0.0.0": str(serial)} | {address: shown(name) for address, name in _READ_OUT.items()})
