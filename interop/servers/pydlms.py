"""The meter on pydlms-client's simulator, behind its wrapper, its HDLC station or its M-Bus slave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

from pydlms import DlmsData, Mechanism, ObisCode
from pydlms.apdu.sn import InformationReportRequest
from pydlms.apdu.xdlms import AttributeDescriptor, Conformance, DataNotification, EventNotificationRequest
from pydlms.cosem.time import CosemDateTime
from pydlms.security.ciphering import wrap, wrap_general_glo
from pydlms.simulator import (
    ActionFailure,
    ClientProfile,
    HdlcServer,
    ImageTransferTarget,
    MeterSimulator,
    SimulatedPush,
    serve_mbus,
)
from pydlms.simulator import serve as serve_wrapper

from interop import meter
from interop.servers import listening
from interop.ways import BUS_ADDRESS, SECONDARY, TCP, Way

OTHER_REASON = 250
"""action-result"""


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


def _history(class_id: int, captured: bytes, rows: list[tuple[Any, Any]]) -> dict[int, Any]:
    """A profile of a stamp and a number."""
    columns = [_capture_object(8, meter.CLOCK, 2), _capture_object(class_id, captured, 2)]
    buffer = [DlmsData.structure([DlmsData.octet_string(meter.clock_octets(stamp)), cell]) for stamp, cell in rows]
    return {
        2: DlmsData.array(buffer),
        3: DlmsData.array(columns),
        4: DlmsData.uint32(0),
        5: DlmsData.enum(1),
        6: columns[0],
        7: DlmsData.uint32(len(rows)),
        8: DlmsData.uint32(len(rows)),
    }


def _methods(simulator: Any) -> None:
    """What the simulator leaves to its user: the switch, and shifting the clock."""
    breaker, clock = ObisCode.from_bytes(meter.BREAKER), ObisCode.from_bytes(meter.CLOCK)

    def switch(connected: bool) -> Any:
        def act(_: Any, parameters: Any) -> None:
            state = simulator.objects[70, breaker]
            state[2], state[3] = DlmsData.boolean(connected), DlmsData.enum(int(connected))

        return act

    def shift(_: Any, parameters: Any) -> None:
        attributes = simulator.objects[8, clock]
        shown = CosemDateTime.from_bytes(bytes(attributes[2].value)).to_datetime()
        attributes[2] = DlmsData.octet_string(meter.clock_octets(shown + timedelta(seconds=parameters.value)))

    simulator.add_method(70, breaker, 1, switch(False))
    simulator.add_method(70, breaker, 2, switch(True))
    simulator.add_method(8, clock, 6, shift)


def _pushes(simulator: Any, way: Way) -> None:
    """Objects that answer with a number, after notifications: in clear, or ciphered."""
    numbers = DlmsData.uint32(meter.NEW_VALUE), DlmsData.uint32(meter.OTHER_VALUE)

    def push(ciphered: bool) -> Any:
        notification = DataNotification(1, numbers[0]).to_bytes()
        energy = AttributeDescriptor(3, ObisCode.from_bytes(meter.ENERGY_IMPORT), 2)
        event = EventNotificationRequest(energy, numbers[1]).to_bytes()
        if way.short_names:
            base_name = simulator.base_names[3, ObisCode.from_bytes(meter.ENERGY_IMPORT)]
            event = InformationReportRequest(None, [base_name + 8], [numbers[1]]).to_bytes()
        if ciphered:
            notification, event = wrap_general_glo(simulator.security, notification), wrap(simulator.security, event)
        # The simulator holds its lock while it answers, and `push_before_response` waits for that.
        simulator.pending_pushes += [SimulatedPush(notification), SimulatedPush(event)]
        return numbers[0]

    for name, ciphered in ((meter.TRIGGER, False), (meter.CIPHERED_TRIGGER, True)):
        simulator.objects[1, ObisCode.from_bytes(name)][2] = partial(push, ciphered)


def _image_transfer(simulator: Any) -> None:
    """Its image transfer, which loses two blocks, works for two looks, and takes the image that was to come only."""
    name = ObisCode.from_bytes(meter.IMAGE_TRANSFER)
    target = ImageTransferTarget(block_size=meter.IMAGE_BLOCK, drop_blocks=(2, 7), verify_steps=2, activate_steps=2)
    target.install(simulator, name)
    verify = simulator.methods[18, name, 3]

    def compare(simulator: Any, parameters: Any) -> Any:
        if target.image() not in (None, meter.IMAGE):
            raise ActionFailure(OTHER_REASON)
        return verify(simulator, parameters)

    simulator.add_method(18, name, 3, compare)


def build(way: Way = TCP) -> Any:
    """The simulator with the objects and associations of the meter."""
    conformance = Conformance.default_sn() if way.short_names else None
    if way.block_window:
        bits = Conformance.GENERAL_PROTECTION | Conformance.ACCESS | Conformance.GENERAL_BLOCK_TRANSFER
        conformance = Conformance.default_ln() | bits
    simulator = MeterSimulator(
        conformance=conformance,
        system_title=meter.METER_TITLE,
        encryption_key=meter.ENCRYPTION_KEY,
        authentication_key=meter.AUTHENTICATION_KEY,
        max_pdu=meter.MAX_PDU_SIZE,
    )
    simulator.association_version = 1
    simulator.gbt_window = way.block_window or 1
    for association in meter.ASSOCIATIONS.values():
        simulator.clients[association.client_sap] = ClientProfile(
            Mechanism(association.mechanism),
            secret=meter.PASSWORD if association.name == "lls" else None,
            ciphered=association.ciphered,
        )
    objects: list[tuple[int, bytes, dict[int, Any], int]] = [
        (1, meter.LOGICAL_DEVICE_NAME, {2: DlmsData.octet_string(meter.DEVICE_NAME)}, 0),
        (1, meter.PROFILE_STATUS, {2: DlmsData.uint8(0)}, 0),
        (1, meter.TRIGGER, {2: DlmsData.null()}, 0),
        (1, meter.CIPHERED_TRIGGER, {2: DlmsData.null()}, 0),
        (1, meter.MESSAGE, {2: DlmsData.octet_string(b"nothing yet")}, 0),
        (8, meter.CLOCK, {2: DlmsData.octet_string(meter.clock_octets(meter.FIRST)), 3: DlmsData.int16(0)}, 0),
    ]
    for name, (value, scaler, unit) in meter.REGISTERS.items():
        scaler_unit = DlmsData.structure([DlmsData.int8(scaler), DlmsData.enum(unit)])
        objects.append((3, name, {2: DlmsData.uint32(value), 3: scaler_unit}, 0))
    watt_hours = DlmsData.structure([DlmsData.int8(0), DlmsData.enum(30)])
    objects.append((3, meter.KEPT_REGISTER, {2: DlmsData.uint32(17), 3: watt_hours}, 0))
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
    events = [(stamp, DlmsData.uint8(code)) for stamp, code in meter.EVENTS]
    objects.append((1, meter.EVENT_CODE, {2: DlmsData.uint8(meter.EVENTS[-1][1])}, 0))
    objects.append((7, meter.EVENT_LOG, _history(1, meter.EVENT_CODE, events), 1))
    billings = [(stamp, DlmsData.uint32(energy)) for stamp, energy in meter.BILLINGS]
    objects.append((7, meter.BILLING, _history(3, meter.ENERGY_IMPORT, billings), 1))
    objects.append((70, meter.BREAKER, {2: DlmsData.boolean(True), 3: DlmsData.enum(1), 4: DlmsData.enum(4)}, 0))
    for number, (class_id, name, attributes, version) in enumerate(objects, 1):
        base_name = number * 0x200 if way.short_names else None
        simulator.add_object(class_id, ObisCode.from_bytes(name), attributes, version=version, base_name=base_name)
    _methods(simulator)
    _pushes(simulator, way)
    _image_transfer(simulator)
    return simulator


@contextmanager
def serve(way: Way = TCP) -> Iterator[int | str]:
    """Serve on a way; yields the port, or the path of the serial port."""
    simulator = build(way)
    if way.framing in ("hdlc", "mode-e"):

        def begin(send: listening.Send) -> listening.Take:
            medium = SimpleNamespace(sendall=send)
            take: listening.Take = HdlcServer(
                simulator, medium, meter.SERVER_SAP, max_info=way.max_info, window=way.window
            ).feed
            return take

        with listening.serve(way, begin) as where:
            yield where
        return
    if way.framing == "mbus":
        server = serve_mbus(simulator, meter.HOST, address=BUS_ADDRESS, secondary=SECONDARY)
    else:
        server = serve_wrapper(simulator, meter.HOST)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
