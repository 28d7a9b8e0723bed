"""Cosemic itself: the meter on its server, and its client reading a meter."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cosemic.association.service_provider import ServerSettings
from cosemic.client import BlockingMeter
from cosemic.codec import DataType
from cosemic.model import CaptureObjectDefinition, Register, ScalerUnit
from cosemic.security import SecurityMaterial, SecurityPolicy
from cosemic.server import (
    Admission,
    ClockObject,
    CosemObject,
    LogicalDevice,
    ProfileObject,
    ProfileRows,
    centiseconds,
    data,
    reading,
    serve_in_thread,
)
from cosemic.values import ApplicationContext, AuthenticationMechanism, Obis, Secret, Unit
from interop import meter
from interop.driver import main

TITLE = "434f530000000001"


def _settings(association: meter.Association) -> ServerSettings:
    if association.ciphered:
        return ServerSettings(
            context_names=frozenset((ApplicationContext.LN_CIPHERED,)),
            mechanism=AuthenticationMechanism(association.mechanism),
            material=SecurityMaterial.of(Secret(meter.ENCRYPTION_KEY), Secret(meter.AUTHENTICATION_KEY)),
            system_title=meter.METER_TITLE,
            policy=SecurityPolicy(0, 3),
            max_pdu_size=meter.MAX_PDU_SIZE,
        )
    secret = Secret.password(meter.PASSWORD) if association.mechanism else None
    return ServerSettings(
        mechanism=AuthenticationMechanism(association.mechanism), secret=secret, max_pdu_size=meter.MAX_PDU_SIZE
    )


def build() -> LogicalDevice:
    """The meter of :mod:`interop.meter` on our server."""
    device = LogicalDevice(meter.DEVICE_NAME.decode())
    clock = device.add(ClockObject(Obis(meter.CLOCK), utc_offset=0))
    device.add(data(Obis(meter.PROFILE_STATUS), DataType.UNSIGNED, 0))
    for name, (value, scaler, unit) in meter.REGISTERS.items():
        values = {"value": (DataType.DOUBLE_LONG_UNSIGNED, value), "scaler_unit": ScalerUnit(scaler, Unit(unit))}
        device.add(CosemObject(Register(Obis(name)), values))
    types = (DataType.OCTET_STRING, DataType.UNSIGNED, DataType.DOUBLE_LONG_UNSIGNED, DataType.DOUBLE_LONG_UNSIGNED)
    rows = ProfileRows(types, meter.ROWS)
    rows.extend(((meter.clock_octets(stamp), *rest), centiseconds(stamp)) for stamp, *rest in meter.rows())
    columns = [CaptureObjectDefinition(kind, Obis(name), index, 0) for kind, name, index in meter.CAPTURE_OBJECTS]
    device.add(ProfileObject(Obis(meter.LOAD_PROFILE), columns, rows, clock=clock, capture_period=meter.CAPTURE_PERIOD))
    for association in meter.ASSOCIATIONS.values():
        settings = _settings(association)
        device.admit(
            Admission(
                client_sap=association.client_sap,
                settings=settings,
                rights=reading(),
                security_setup=Obis("0-0:43.0.0") if association.ciphered else None,
            )
        )
    return device


@contextmanager
def serve() -> Iterator[int]:
    """Listen on a free port of the loopback interface, which is yielded."""
    with serve_in_thread(build(), host=meter.HOST) as server:
        yield server.port


class Reader:
    """One association."""

    def __init__(self, port: int, association: meter.Association) -> None:
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
        url = f"tcp://{meter.HOST}:{port}?client={association.client_sap}&server={meter.SERVER_SAP}"
        self._meter = BlockingMeter.connect(url, security)
        self._meter.open()

    def register(self) -> list[int]:
        read = self._meter.read(f"3/{Obis(meter.ENERGY_IMPORT)}")
        return [read.raw, read.scaler, int(read.unit)]

    def view(self) -> list[list[Any]]:
        return [[one.class_id, one.version, one.logical_name.octets.hex()] for one in self._meter.objects()]

    def profile(self) -> list[list[Any]]:
        # [since, until) in intervals: the one that ends at SINCE is the first that is wanted.
        since = meter.SINCE - dt.timedelta(seconds=meter.CAPTURE_PERIOD)
        profile = self._meter.load_profile(Obis(meter.LOAD_PROFILE), since, meter.UNTIL)
        return [
            [meter.clock_octets(row.interval_end).hex(), row.status, *(energy.raw for energy in row.values[1:])]
            for row in profile.rows()
        ]

    def close(self) -> None:
        self._meter.close()
        if hasattr(self, "_folder"):
            self._folder.cleanup()


if __name__ == "__main__":
    main(Reader)
