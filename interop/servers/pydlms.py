"""The meter on pydlms-client's simulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydlms import DlmsData, Mechanism, ObisCode
from pydlms.simulator import ClientProfile, MeterSimulator
from pydlms.simulator import serve as listen

from interop import meter


def _capture_object(class_id: int, logical_name: bytes, attribute: int) -> Any:
    return DlmsData.structure(
        [
            DlmsData.uint16(class_id),
            DlmsData.octet_string(logical_name),
            DlmsData.int8(attribute),
            DlmsData.uint16(0),
        ]
    )


def _row(row: meter.Row) -> Any:
    stamp, status, *energies = row
    cells = [DlmsData.octet_string(meter.clock_octets(stamp)), DlmsData.uint8(status)]
    return DlmsData.structure(cells + [DlmsData.uint32(energy) for energy in energies])


def build() -> Any:
    """The simulator with the objects and associations of the meter."""
    simulator = MeterSimulator(
        system_title=meter.METER_TITLE,
        encryption_key=meter.ENCRYPTION_KEY,
        authentication_key=meter.AUTHENTICATION_KEY,
        max_pdu=meter.MAX_PDU_SIZE,
    )
    simulator.association_version = 1
    for association in meter.ASSOCIATIONS.values():
        simulator.clients[association.client_sap] = ClientProfile(
            Mechanism(association.mechanism),
            secret=meter.PASSWORD if association.name == "lls" else None,
            ciphered=association.ciphered,
        )
    objects: list[tuple[int, bytes, dict[int, Any], int]] = [
        (1, meter.LOGICAL_DEVICE_NAME, {2: DlmsData.octet_string(meter.DEVICE_NAME)}, 0),
        (1, meter.PROFILE_STATUS, {2: DlmsData.uint8(0)}, 0),
        (8, meter.CLOCK, {2: DlmsData.octet_string(meter.clock_octets(meter.FIRST)), 3: DlmsData.int16(0)}, 0),
    ]
    for name, (value, scaler, unit) in meter.REGISTERS.items():
        scaler_unit = DlmsData.structure([DlmsData.int8(scaler), DlmsData.enum(unit)])
        objects.append((3, name, {2: DlmsData.uint32(value), 3: scaler_unit}, 0))
    profile = {
        2: DlmsData.array([_row(row) for row in meter.rows()]),
        3: DlmsData.array([_capture_object(*captured) for captured in meter.CAPTURE_OBJECTS]),
        4: DlmsData.uint32(meter.CAPTURE_PERIOD),
        5: DlmsData.enum(1),
        6: _capture_object(8, meter.CLOCK, 2),
        7: DlmsData.uint32(meter.ROWS),
        8: DlmsData.uint32(meter.ROWS),
    }
    objects.append((7, meter.LOAD_PROFILE, profile, 1))
    for class_id, name, attributes, version in objects:
        simulator.add_object(class_id, ObisCode.from_bytes(name), attributes, version=version)
    return simulator


@contextmanager
def serve() -> Iterator[int]:
    """Listen on a free port of the loopback interface, which is yielded."""
    server = listen(build(), meter.HOST)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
