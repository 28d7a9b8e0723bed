"""dlms-cosem reads the meter: `DlmsClient` over `BlockingTcpIO`, by the wrapper or HDLC.

Ciphered, it sends and expects general-glo only. It negotiates nothing by HDLC: its SNRM is empty. A truncated value
makes it loop for ever, so it must run under a time limit (all clients here do).
"""

from __future__ import annotations

from typing import Any

from dlms_cosem import cosem, enumerations
from dlms_cosem.client import DlmsClient
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.cosem.selective_access import RangeDescriptor
from dlms_cosem.dlms_data import (
    DoubleLongUnsignedData,
    IntegerData,
    LongData,
    OctetStringData,
    UnsignedIntegerData,
    UnsignedLongData,
)
from dlms_cosem.io import BlockingTcpIO, HdlcTransport, TcpTransport
from dlms_cosem.security import (
    HighLevelSecurityGmacAuthentication,
    LowLevelSecurityAuthentication,
    NoSecurityAuthentication,
)
from dlms_cosem.utils import parse_as_dlms_data

from interop import meter
from interop.driver import first_counter, main
from interop.ways import Place

TITLE = b"DCO\x00\x00\x00\x00\x02"


def _attribute(class_id: int, logical_name: bytes, attribute: int) -> Any:
    return cosem.CosemAttribute(enumerations.CosemInterface(class_id), cosem.Obis.from_bytes(logical_name), attribute)


_NOTHING = IntegerData(0).to_bytes()


def _number(value: int) -> bytes:
    return bytes(DoubleLongUnsignedData(value).to_bytes())


def _octets(value: bytes) -> bytes:
    return bytes(OctetStringData(value).to_bytes())


def _structure(*elements: bytes) -> bytes:
    return bytes((2, len(elements))) + b"".join(elements)


class Reader:
    """One association."""

    def __init__(self, place: Place, association: meter.Association) -> None:
        ends = {"client_logical_address": association.client_sap, "server_logical_address": meter.SERVER_SAP}
        io, way = BlockingTcpIO(meter.HOST, place.port), place.way
        transport: Any = TcpTransport(io=io, **ends)
        if way.framing == "hdlc":
            extended = way.address == 4
            transport = HdlcTransport(io=io, server_physical_address=way.station, extended_addressing=extended, **ends)
        options: dict[str, Any] = {"authentication": NoSecurityAuthentication()}
        if association.name == "lls":
            options["authentication"] = LowLevelSecurityAuthentication(secret=meter.PASSWORD)
        if association.ciphered:
            options = {
                "authentication": HighLevelSecurityGmacAuthentication(challenge_length=32),
                "encryption_key": meter.ENCRYPTION_KEY,
                "authentication_key": meter.AUTHENTICATION_KEY,
                "client_system_title": TITLE,
                "client_initial_invocation_counter": first_counter(),
                # It takes 0 for received already, and refuses a meter whose first counter is 0.
                "meter_initial_invocation_counter": -1,
            }
        self._client = DlmsClient(transport=transport, **options)
        # Its AARQ announces services that it does not have; a server may then use them.
        conformance = self._client.dlms_connection.conformance
        conformance.general_block_transfer = conformance.access = conformance.event_notification = False
        self._client.connect()
        self._client.associate()

    def _get(self, attribute: Any, access: Any = None) -> Any:
        return parse_as_dlms_data(self._client.get(attribute, access))

    def register(self) -> list[int]:
        value = self._get(_attribute(3, meter.ENERGY_IMPORT, 2))
        scaler, unit = self._get(_attribute(3, meter.ENERGY_IMPORT, 3))
        return [value, scaler, unit]

    def view(self) -> list[list[Any]]:
        objects = self._get(_attribute(15, bytes.fromhex("0000280000ff"), 2))
        return [[class_id, version, bytes(name).hex()] for class_id, version, name, _ in objects]

    def profile(self) -> list[list[Any]]:
        clock = CaptureObject(cosem_attribute=_attribute(8, meter.CLOCK, 2))
        access = RangeDescriptor(restricting_object=clock, from_value=meter.SINCE, to_value=meter.UNTIL)
        rows = self._get(_attribute(7, meter.LOAD_PROFILE, 2), access)
        return [[bytes(row[0]).hex(), *row[1:]] for row in rows]

    # ---- deeds ------------------------------------------------------------------------------------------------------

    def _write(self, class_id: int, name: bytes, attribute: int, octets: bytes) -> Any:
        response = self._client.set(_attribute(class_id, name, attribute), octets)
        if response.result is not enumerations.DataAccessResult.SUCCESS:
            raise RuntimeError(response.result.name)
        return self._get(_attribute(class_id, name, attribute))

    def _act(self, class_id: int, name: bytes, method: int, octets: bytes) -> None:
        interface = enumerations.CosemInterface(class_id)
        self._client.action(cosem.CosemMethod(interface, cosem.Obis.from_bytes(name), method), octets)

    def message(self) -> str:
        return bytes(self._write(1, meter.MESSAGE, 2, _octets(meter.NEW_MESSAGE))).hex()

    def value(self) -> int:
        return int(self._write(3, meter.KEPT_REGISTER, 2, _number(meter.NEW_VALUE)))

    def holiday(self) -> list[list[Any]]:
        index, date, day_id = meter.NEW_HOLIDAY
        entry = [UnsignedLongData(index).to_bytes(), _octets(date), UnsignedIntegerData(day_id).to_bytes()]
        self._act(11, meter.SPECIAL_DAYS, 1, _structure(*entry))
        entries = self._get(_attribute(11, meter.SPECIAL_DAYS, 2))
        return [[index, bytes(date).hex(), day_id] for index, date, day_id in entries]

    def calendar(self) -> str:
        for active in (3, 4, 5):
            octets = self._client.get(_attribute(20, meter.CALENDAR, active))
            self._write(20, meter.CALENDAR, active + 4, bytes(octets))
        self._write(20, meter.CALENDAR, 6, _octets(meter.NEW_CALENDAR))
        self._act(20, meter.CALENDAR, 1, _NOTHING)
        return bytes(self._get(_attribute(20, meter.CALENDAR, 2))).hex()

    def threshold(self) -> int:
        return int(self._write(71, meter.LIMITER, 4, _number(meter.NEW_THRESHOLD)))

    def tariff(self) -> str:
        self._act(9, meter.TARIFF_SCRIPTS, 1, UnsignedLongData(meter.PEAK_SCRIPT).to_bytes())
        return bytes(self._get(_attribute(6, meter.REGISTER_ACTIVATION, 4))).hex()

    def disconnect(self) -> int:
        self._act(70, meter.BREAKER, 1, _NOTHING)
        return int(self._get(_attribute(70, meter.BREAKER, 3)))

    def reconnect(self) -> int:
        self._act(70, meter.BREAKER, 2, _NOTHING)
        return int(self._get(_attribute(70, meter.BREAKER, 3)))

    def set_clock(self) -> str:
        return bytes(self._write(8, meter.CLOCK, 2, _octets(meter.clock_octets(meter.CLOCK_SET)))).hex()

    def shift_clock(self) -> str:
        self._act(8, meter.CLOCK, 6, LongData(meter.CLOCK_SHIFT).to_bytes())
        return bytes(self._get(_attribute(8, meter.CLOCK, 2))).hex()

    def close(self) -> None:
        self._client.release_association()
        self._client.disconnect()


if __name__ == "__main__":
    main(Reader)
