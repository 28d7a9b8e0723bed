"""Cosemic itself: the meter on its server, and its client reading a meter."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cosemic.apdu import DataNotification, EventNotificationRequest
from cosemic.association.notifications import Notified
from cosemic.association.service_provider import ServerSettings
from cosemic.client import BlockingMeter, Call, Read, Write
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, LongReadContent
from cosemic.errors import ServiceFailed
from cosemic.link.contract import Link
from cosemic.link.hdlc import HdlcSecondaryLink, HdlcSettings
from cosemic.link.iec21 import Identification, Iec21Server, MeterData, ModeEServerLink
from cosemic.link.iec21 import ServerSettings as SignOnSettings
from cosemic.link.mbus import DeviceAddress, MbusSlaveLink
from cosemic.model import (
    AttributeReference,
    CaptureObjectDefinition,
    Data,
    DisconnectControl,
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


_PEERS: Final = STANDARD.but(long_read_content=LongReadContent.DATA)
"""With short names, pydlms takes the blocks of a long answer for bare Data."""


def settings_of(association: meter.Association, way: Way = TCP) -> ServerSettings:
    """Return what our server asks of that association."""
    contexts = frozenset((ApplicationContext.of(short_names=way.short_names, ciphered=association.ciphered),))
    common: dict[str, Any] = {"context_names": contexts, "dialect": _PEERS}
    if way.block_window:
        common["block_window"] = way.block_window
    if association.ciphered:
        return ServerSettings(
            **common,
            mechanism=AuthenticationMechanism(association.mechanism),
            material=SecurityMaterial.of(Secret(meter.ENCRYPTION_KEY), Secret(meter.AUTHENTICATION_KEY)),
            counters=MemoryCounterStore(),
            system_title=meter.METER_TITLE,
            policy=SecurityPolicy(0, 3),
            max_pdu_size=meter.MAX_PDU_SIZE,
        )
    secret = Secret.password(meter.PASSWORD) if association.mechanism else None
    return ServerSettings(
        **common,
        mechanism=AuthenticationMechanism(association.mechanism),
        secret=secret,
        max_pdu_size=meter.MAX_PDU_SIZE,
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


def build(association: str, way: Way = TCP) -> Watched:
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
                settings=settings_of(one, way),
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
    device = _Household(1, profile_days=1) if simulated else build(association, way)
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


def _number(notified: Notified) -> int:
    apdu = notified.apdu
    if isinstance(apdu, DataNotification):
        return int(apdu.notification_body.value())
    return int((apdu.attribute_value if isinstance(apdu, EventNotificationRequest) else apdu.list_of_data[0]).value())


def _failed(results: Sequence[int]) -> list[int]:
    return [at for at, result in enumerate(results) if result]


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
        referencing = "&referencing=sn" if way.short_names else ""
        blocks = f"&blocks=general&block_window={way.block_window}" if way.block_window else ""
        most = f"&max_pdu={meter.MAX_PDU_SIZE}" if way.cuts else ""
        return f"tcp://{where}{referencing}{blocks}{most}"
    lower = "" if way.station is None else f"&station={way.station}"
    return f"hdlc+tcp://{where}&window={way.window}&max_info={way.max_info}&address={way.address}{lower}"


_MESSAGE: Final = Data(Obis(meter.MESSAGE)).value


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

    def read_list(self) -> list[int]:
        register: Any = Register(Obis(meter.ENERGY_IMPORT))
        value, scaler_unit = self._meter.read_many((register.value, register.scaler_unit))
        return [value.raw, scaler_unit.scaler, int(scaler_unit.unit)]

    def _message(self, content: bytes) -> str:
        self._meter.write(_MESSAGE, EncodedData.of(DataType.OCTET_STRING, content))
        return bytes(self._meter.read(_MESSAGE)).hex()

    def message(self) -> str:
        return self._message(meter.NEW_MESSAGE)

    def long_message(self) -> str:
        return self._message(meter.LONG_MESSAGE)

    def value(self) -> int:
        kept: Any = Register(Obis(meter.KEPT_REGISTER)).value
        self._meter.write(kept, EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, meter.NEW_VALUE))
        return int(self._meter.read(kept).raw)

    def write_list(self) -> list[Any]:
        kept: Any = Register(Obis(meter.KEPT_REGISTER)).value
        octets = [
            EncodedData.of(DataType.OCTET_STRING, meter.OTHER_MESSAGE),
            EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, meter.OTHER_VALUE),
            EncodedData.of(DataType.OCTET_STRING, meter.MESSAGE),
        ]
        name = AttributeReference.of(1, Obis(meter.MESSAGE), 1)
        results = self._meter.run(self._meter.session.set_many((_MESSAGE, kept, name), octets))
        return [bytes(self._meter.read(_MESSAGE)).hex(), int(self._meter.read(kept).raw), _failed(results)]

    def act_list(self) -> list[Any]:
        breaker = DisconnectControl(Obis(meter.BREAKER))
        none = dataclasses.replace(breaker.remote_disconnect, method_id=meter.NO_METHOD)
        called = (breaker.remote_disconnect, none, breaker.remote_reconnect, breaker.remote_disconnect)
        answers = self._meter.run(self._meter.session.invoke_many(called, [EncodedData.of(DataType.INTEGER, 0)] * 4))
        return [_failed([one.result for one in answers]), int(self._meter.read(breaker.control_state))]

    def access(self) -> list[Any]:
        breaker = DisconnectControl(Obis(meter.BREAKER))
        values = self._meter.access(
            (
                Read(Register(Obis(meter.ENERGY_IMPORT)).value),
                Write(_MESSAGE, EncodedData.of(DataType.OCTET_STRING, meter.ACCESSED_MESSAGE)),
                Read(_MESSAGE),
                Read(Data(Obis(meter.NOT_THERE)).value),
                Call(breaker.remote_reconnect, 0),
                Read(breaker.control_state),
            )
        )
        failed = [at for at, value in enumerate(values) if isinstance(value, ServiceFailed)]
        return [values[0].raw, bytes(values[2]).hex(), int(values[5]), failed]

    def access_read(self) -> list[int]:
        register: Any = Register(Obis(meter.ENERGY_IMPORT))
        value, scaler_unit = self._meter.access((Read(register.value), Read(register.scaler_unit)))
        return [value.raw, scaler_unit.scaler, int(scaler_unit.unit)]

    def long_access(self) -> str:
        content = EncodedData.of(DataType.OCTET_STRING, meter.LONG_MESSAGE[::-1])
        return bytes(self._meter.access((Write(_MESSAGE, content), Read(_MESSAGE)))[1]).hex()

    def notified(self) -> list[int]:
        trigger = meter.CIPHERED_TRIGGER if hasattr(self, "_folder") else meter.TRIGGER
        self._meter.read(Data(Obis(trigger)).value)
        return [_number(one) for one in self._meter.notifications(timeout=0.3)]

    def read_out(self) -> list[list[Any]]:
        values: dict[Obis, Any] = self._meter.billing.registers().values()
        return sorted(
            [name.octets.hex(), value.raw] for name, value in values.items() if name.octets in meter.REGISTERS
        )

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
