"""Cosemic itself: the meter on its server, and its client reading a meter."""

from __future__ import annotations

import asyncio
import datetime as dt
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cosemic.association.service_provider import ServerSettings
from cosemic.client import BlockingMeter
from cosemic.codec import DataType
from cosemic.link.contract import Link
from cosemic.link.hdlc import HdlcSecondaryLink, HdlcSettings
from cosemic.link.iec21 import Identification, Iec21Server, MeterData, ModeEServerLink
from cosemic.link.iec21 import ServerSettings as SignOnSettings
from cosemic.link.mbus import DeviceAddress, MbusSlaveLink
from cosemic.model import (
    CaptureObjectDefinition,
    InterfaceClass,
    LoadProfile,
    Register,
    ScalerUnit,
    interface_classes,
)
from cosemic.security import MemoryCounterStore, SecurityMaterial, SecurityPolicy
from cosemic.server import (
    Admission,
    ClockObject,
    CosemObject,
    LogicalDevice,
    ProfileObject,
    data,
    managing,
    reading,
    serve_in_thread,
)
from cosemic.server.meter_ports import MeterPort
from cosemic.simulator import HouseholdMeter
from cosemic.values import OPTICAL, ApplicationContext, AuthenticationMechanism, Obis, Secret, Unit
from interop import living, meter, plain
from interop.driver import main
from interop.watched import Watched
from interop.ways import BUS_ADDRESS, IDENTIFICATION, SECONDARY, STATION, TCP, Place, Way
from tests.transport.ptys import PtyPair

TITLE = "434f530000000001"
VERSIONS = {"none": 0, "lls": 2, "hls-gmac": 3}
"""Of Association LN; what version 1 has, version 2 has too."""
_BY_ITSELF = (15, 17)
"""Association LN and SAP assignment are added by the server, in one version."""


def settings_of(association: meter.Association) -> ServerSettings:
    """Return what our server asks of that association."""
    if association.ciphered:
        return ServerSettings(
            context_names=frozenset((ApplicationContext.LN_CIPHERED,)),
            mechanism=AuthenticationMechanism(association.mechanism),
            material=SecurityMaterial.of(Secret(meter.ENCRYPTION_KEY), Secret(meter.AUTHENTICATION_KEY)),
            counters=MemoryCounterStore(),
            system_title=meter.METER_TITLE,
            policy=SecurityPolicy(0, 3),
            max_pdu_size=meter.MAX_PDU_SIZE,
        )
    secret = Secret.password(meter.PASSWORD) if association.mechanism else None
    return ServerSettings(
        mechanism=AuthenticationMechanism(association.mechanism), secret=secret, max_pdu_size=meter.MAX_PDU_SIZE
    )


def add_metering(device: LogicalDevice) -> ClockObject:
    """Add what :mod:`interop.meter` says that the meter measures: clock, registers and load profile."""
    clock = device.add(ClockObject(Obis(meter.CLOCK), utc_offset=0))
    device.add(data(Obis(meter.PROFILE_STATUS), DataType.UNSIGNED, 0))
    for name, (value, scaler, unit) in meter.REGISTERS.items():
        values = {"value": (DataType.DOUBLE_LONG_UNSIGNED, value), "scaler_unit": ScalerUnit(scaler, Unit(unit))}
        device.add(CosemObject(Register(Obis(name)), values))
    types = (DataType.OCTET_STRING, DataType.UNSIGNED, DataType.DOUBLE_LONG_UNSIGNED, DataType.DOUBLE_LONG_UNSIGNED)
    columns = [CaptureObjectDefinition(kind, Obis(name), index, 0) for kind, name, index in meter.CAPTURE_OBJECTS]
    profile = ProfileObject(
        device,
        Obis(meter.LOAD_PROFILE),
        columns,
        meter.ROWS,
        clock=clock,
        capture_period=meter.CAPTURE_PERIOD,
        types=types,
        recorded=True,
    )
    device.add(profile).extend(((meter.clock_octets(stamp), *rest), stamp) for stamp, *rest in meter.rows())
    return clock


def build(association: str) -> Watched:
    """The meter of :mod:`interop.meter` on our server, with an object of every class that the model declares.

    association: by whose name the version of Association LN, and so the coding of rights, is chosen.
    """
    device = Watched(meter.DEVICE_NAME.decode(), association_version=VERSIONS[association])
    clock = add_metering(device)
    living.furnish(device, clock)
    for held in plain.objects():
        device.add(held)
    for one in meter.ASSOCIATIONS.values():
        device.admit(
            Admission(
                client_sap=one.client_sap,
                settings=settings_of(one),
                rights=managing() if one.manages else reading(),
                security_setup=Obis("0-0:43.0.0") if one.ciphered else None,
            )
        )
    served = {(one.class_id, one.interface.version) for one in device.objects}
    missing = [one for one in interface_classes() if one.class_id not in _BY_ITSELF and _key(one) not in served]
    if missing:
        raise ValueError(f"the meter has no {missing[0].__name__}: add one to interop.living or interop.plain")
    return device


def _key(declared: type[InterfaceClass]) -> tuple[int, int]:
    return declared.class_id, declared.version


class _Household(Watched, HouseholdMeter):
    """The meter of the simulator."""


def _hdlc(way: Way) -> Link:
    settings = HdlcSettings(
        max_info_transmit=way.max_info,
        max_info_receive=way.max_info,
        window_transmit=way.window,
        window_receive=way.window,
    )
    return HdlcSecondaryLink(STATION, settings=settings)


def _mode_e(way: Way) -> Link:
    settings = SignOnSettings(identification=Identification("CSM", "5", "COSEMIC", "2"))
    return ModeEServerLink(_hdlc(way), Iec21Server(MeterData({}), settings))


def _mbus(way: Way) -> Link:
    return MbusSlaveLink(BUS_ADDRESS, secondary=DeviceAddress.decode(SECONDARY))


_LINKS: dict[str, Callable[[Way], Link]] = {"hdlc": _hdlc, "mode-e": _mode_e, "mbus": _mbus}


@contextmanager
def serve(association: str, way: Way = TCP, *, simulated: bool = False) -> Iterator[tuple[int | str, Watched]]:
    """Serve on a way; yields the port, or the path of the serial port, with the meter."""
    device = _Household(1, profile_days=1) if simulated else build(association)
    make = _LINKS.get(way.framing)
    link = None if make is None else lambda: make(way)
    if way.framing == "mode-e":
        assert link is not None
        with PtyPair() as pair, _on_port(device, pair.paths[1], link):
            yield pair.paths[0], device
        return
    with serve_in_thread(device, host=meter.HOST, link=link) as server:
        yield server.port, device


@contextmanager
def _on_port(device: Watched, path: str, link: Callable[[], Link]) -> Iterator[None]:
    """Serve on a serial port, in a thread with an event loop of its own."""
    loop = asyncio.new_event_loop()
    port = MeterPort.on_serial(device, path, link, line=OPTICAL)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(port.start(), loop).result()
        yield
    finally:
        asyncio.run_coroutine_threadsafe(port.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _stamp(moment: dt.datetime | None) -> str:
    return "" if moment is None else meter.clock_octets(moment).hex()


def _rows(profile: LoadProfile) -> list[list[Any]]:
    return [
        [_stamp(row.interval_end), row.status, *(energy.raw for energy in row.values[1:])] for row in profile.rows()
    ]


def _url(place: Place, association: meter.Association) -> str:
    way, saps = place.way, f"client={association.client_sap}&server={meter.SERVER_SAP}"
    if way.framing == "mode-e":
        return f"iec21://{place.path}?{saps}"
    where = f"{meter.HOST}:{place.where}?{saps}"
    if way.framing == "mbus":
        named = f"identification={IDENTIFICATION}" if way.selects else f"station={BUS_ADDRESS}"
        return f"mbus+tcp://{where}&{named}"
    if way.framing == "tcp":
        return f"tcp://{where}"
    lower = "" if way.station is None else f"&station={way.station}"
    return f"hdlc+tcp://{where}&window={way.window}&max_info={way.max_info}&address={way.address}{lower}"


class Reader:
    """One association."""

    def __init__(self, place: Place, association: meter.Association) -> None:
        security: dict[str, Any] = {}
        if association.ciphered:
            self._folder = tempfile.TemporaryDirectory(prefix="cosemic-interop-")
            security = {
                "encryption_key": meter.ENCRYPTION_KEY,
                "authentication_key": meter.AUTHENTICATION_KEY,
                "system_title": TITLE,
                "counters": str(Path(self._folder.name) / "counters"),
            }
        elif association.mechanism:
            security = {"password": meter.PASSWORD}
        self._meter = BlockingMeter.connect(_url(place, association), security)
        self._meter.open()

    def register(self) -> list[int]:
        read = self._meter.read(f"3/{Obis(meter.ENERGY_IMPORT)}")
        return [read.raw, read.scaler, int(read.unit)]

    def view(self) -> list[list[Any]]:
        return [[one.class_id, one.version, one.logical_name.octets.hex()] for one in self._meter.objects()]

    def profile(self) -> list[list[Any]]:
        # [since, until) in intervals: the one that ends at SINCE is the first that is wanted.
        since = meter.SINCE - dt.timedelta(seconds=meter.CAPTURE_PERIOD)
        return _rows(self._meter.load_profile(Obis(meter.LOAD_PROFILE), since, meter.UNTIL))

    # ---- deeds ------------------------------------------------------------------------------------------------------

    def entries(self) -> list[list[Any]]:
        profile = self._meter.load_profile_entries(Obis(meter.LOAD_PROFILE), meter.FIRST_ENTRY, meter.LAST_ENTRY)
        return _rows(profile)

    def read_out(self) -> list[list[Any]]:
        values: dict[Obis, Any] = self._meter.billing.registers().values()
        return sorted([name.octets.hex(), value.raw] for name, value in values.items())

    def events(self) -> list[list[Any]]:
        return [[_stamp(event.time), event.code] for event in self._meter.events.read(Obis(meter.EVENT_LOG))]

    def billing(self) -> list[list[Any]]:
        periods = self._meter.billing.periods(Obis(meter.BILLING))
        return [[_stamp(period.closed), period.values[-1].raw] for period in periods]

    def image(self) -> int:
        return int(self._meter.firmware.update(meter.IMAGE, meter.IMAGE_IDENTIFIER, interval=0.01).status)

    def disconnect(self) -> int:
        return int(self._meter.breaker.disconnect(interval=0.01).control_state)

    def reconnect(self) -> int:
        return int(self._meter.breaker.reconnect(interval=0.01).control_state)

    def set_clock(self) -> str:
        return self._meter.clock.set(meter.CLOCK_SET).sent.octets.hex()

    def shift_clock(self) -> str:
        return self._meter.clock.shift(meter.CLOCK_SHIFT).sent.octets.hex()

    def synchronise(self) -> str:
        return self._meter.clock.synchronise(policy="set", boundary=0).action.value

    def close(self) -> None:
        self._meter.close()
        if hasattr(self, "_folder"):
            self._folder.cleanup()


if __name__ == "__main__":
    main(Reader)
