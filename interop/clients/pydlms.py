"""pydlms-client reads the meter: `DlmsClient.tcp`, its optical transport for mode E, its M-Bus master.

`DlmsClient.optical` signs on with 7 bits and parity, which a pseudo-terminal does not have: the link is put together
here, as that does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydlms import DlmsClient, DlmsData, Mechanism, ObisCode, SecurityContext, encode_data
from pydlms.apdu.xdlms import entry_descriptor, range_descriptor
from pydlms.client import AccessAction, AccessGet, AccessSet
from pydlms.cosem.interface_classes import lookup
from pydlms.cosem.model import SpecialDay
from pydlms.cosem.time import CosemDate
from pydlms.exceptions import DlmsError, ServiceError
from pydlms.hdlc.address import HdlcAddress
from pydlms.hdlc.connection import HdlcLink, HdlcParameters
from pydlms.image import transfer_image
from pydlms.objects import CosemObject
from pydlms.transports.serial import OpticalTransport

from interop import meter
from interop.driver import AttributeRow, first_counter, main
from interop.ways import BUS_ADDRESS, SECONDARY, Place

TITLE = b"PYD\x00\x00\x00\x00\x02"


def _client(place: Place, client_sap: int, **options: Any) -> DlmsClient:
    way = place.way
    if way.framing == "mbus":
        target = {"secondary_address": SECONDARY} if way.selects else {"primary_address": BUS_ADDRESS}
        return DlmsClient.mbus(f"tcp://{meter.HOST}:{place.port}", client_sap=client_sap, **target, **options)
    if way.framing == "mode-e":
        transport = OpticalTransport(place.path, sign_on_bytesize=8, sign_on_parity="N")
        return DlmsClient._build(HdlcLink(transport, client_sap, HdlcAddress.server(meter.SERVER_SAP)), options)
    if way.framing == "hdlc":
        options["hdlc_parameters"] = HdlcParameters(way.max_info, way.max_info, way.window, way.window)
        options |= {"hdlc": True, "server_physical": way.station, "address_size": way.address}
    return DlmsClient.tcp(meter.HOST, place.port, client_sap=client_sap, server_logical=meter.SERVER_SAP, **options)


def _failed(results: Sequence[Any]) -> list[int]:
    return [at for at, result in enumerate(results) if int(result)]


class Reader:
    """One association."""

    def __init__(self, place: Place, association: meter.Association) -> None:
        way = place.way
        options: dict[str, Any] = {
            "mechanism": Mechanism(association.mechanism),
            "logical_names": not way.short_names,
            "propose_access": not way.short_names,
            "propose_gbt": bool(way.block_window),
            "gbt_window": way.block_window or 1,
        }
        if way.cuts:
            options["max_receive_pdu_size"] = meter.MAX_PDU_SIZE
        if association.name == "lls":
            options["password"] = meter.PASSWORD
        if association.ciphered:
            options["security"] = SecurityContext(
                meter.ENCRYPTION_KEY,
                meter.AUTHENTICATION_KEY,
                client_system_title=TITLE,
                invocation_counter=first_counter(),
            )
        self._client = _client(place, association.client_sap, **options)
        self._client.connect()

    def register(self) -> list[int]:
        read = self._client.get_register(ObisCode.from_bytes(meter.ENERGY_IMPORT))
        return [read.raw, read.scaler, int(read.unit or 0)]

    def view(self) -> list[list[Any]]:
        return [
            [entry.class_id, entry.version, entry.logical_name.to_bytes().hex()]
            for entry in self._client.get_association_view()
        ]

    def profile(self) -> list[list[Any]]:
        # Its own conversion leaves the clock status open (FF), which gurux.dlms.java takes for daylight saving time.
        since, until = (DlmsData.octet_string(meter.clock_octets(stamp)) for stamp in (meter.SINCE, meter.UNTIL))
        buffer = self._client.read_profile(ObisCode.from_bytes(meter.LOAD_PROFILE), range_descriptor(since, until))
        return [[row[0].hex(), *row[1:]] for row in buffer.rows]

    def attributes(self) -> list[AttributeRow]:
        rows = []
        for entry in self._client.get_association_view():
            target = CosemObject(self._client, entry.class_id, entry.logical_name, entry.version)
            known = lookup(entry.class_id, entry.version)
            for index, name in enumerate(known.attributes if known else ("logical_name",), 1):
                where = entry.class_id, entry.version, entry.logical_name.to_bytes().hex(), index
                rows.append((*where, *self._attribute(target, name)))
        return rows

    @staticmethod
    def _attribute(target: CosemObject, name: str) -> tuple[str | None, str]:
        try:
            data = target.get(name, raw=True)
        except ServiceError as error:
            return None, f"refused {error.result:d}"
        except DlmsError as error:
            return None, f"{type(error).__name__}: {error}"
        octets = encode_data(data).hex()
        spec = target.spec.attribute(name) if target.spec else None
        try:
            if spec is not None:
                spec.type.decode(data, name)
        except DlmsError as error:
            return octets, f"{type(error).__name__}: {error}"
        return octets, ""

    # ---- deeds ------------------------------------------------------------------------------------------------------

    def _object(self, class_id: int, name: bytes, version: int = 0) -> Any:
        return self._client.object(ObisCode.from_bytes(name), class_id, version)

    def entries(self) -> list[list[Any]]:
        selection = entry_descriptor(meter.FIRST_ENTRY, meter.LAST_ENTRY)
        buffer = self._client.read_profile(ObisCode.from_bytes(meter.LOAD_PROFILE), selection)
        return [[row[0].hex(), *row[1:]] for row in buffer.rows]

    def read_list(self) -> list[int]:
        name = ObisCode.from_bytes(meter.ENERGY_IMPORT)
        found: list[Any] = self._client.get_many([(name, 3, 2), (name, 3, 3)])
        value, scaler_unit = found
        return [value.value, *(one.value for one in scaler_unit.value)]

    def _message(self, content: bytes) -> str:
        target = self._object(1, meter.MESSAGE)
        target.set("value", DlmsData.octet_string(content))
        return bytes(target.value.value).hex()

    def message(self) -> str:
        return self._message(meter.NEW_MESSAGE)

    def long_message(self) -> str:
        return self._message(meter.LONG_MESSAGE)

    def write_list(self) -> list[Any]:
        message, kept = ObisCode.from_bytes(meter.MESSAGE), ObisCode.from_bytes(meter.KEPT_REGISTER)
        results = self._client.set_many(
            [
                (message, 1, 2, DlmsData.octet_string(meter.OTHER_MESSAGE)),
                (kept, 3, 2, DlmsData.uint32(meter.OTHER_VALUE)),
                (message, 1, 1, DlmsData.octet_string(meter.MESSAGE)),
            ]
        )
        values = self._client.get(message, 1, 2).value, self._client.get(kept, 3, 2).value
        return [bytes(values[0]).hex(), values[1], _failed(results)]

    def act_list(self) -> list[Any]:
        name, nothing = ObisCode.from_bytes(meter.BREAKER), DlmsData.int8(0)
        answers = self._client.action_many([(name, 70, method, nothing) for method in (1, meter.NO_METHOD, 2, 1)])
        return [_failed([one or 0 for one in answers]), int(self._object(70, meter.BREAKER).control_state)]

    def access(self) -> list[Any]:
        message, breaker = ObisCode.from_bytes(meter.MESSAGE), ObisCode.from_bytes(meter.BREAKER)
        found = self._client.access(
            [
                AccessGet(ObisCode.from_bytes(meter.ENERGY_IMPORT), 3, 2),
                AccessSet(message, 1, 2, DlmsData.octet_string(meter.ACCESSED_MESSAGE)),
                AccessGet(message, 1, 2),
                AccessGet(ObisCode.from_bytes(meter.NOT_THERE), 1, 2),
                AccessAction(breaker, 70, 2, DlmsData.int8(0)),
                AccessGet(breaker, 70, 3),
            ]
        )
        values = [one.data.value for one in found]
        return [values[0], bytes(values[2]).hex(), values[5], _failed([one.result for one in found])]

    def access_read(self) -> list[int]:
        name = ObisCode.from_bytes(meter.ENERGY_IMPORT)
        value, scaler_unit = (
            one.data.value for one in self._client.access([AccessGet(name, 3, 2), AccessGet(name, 3, 3)])
        )
        return [value, *(one.value for one in scaler_unit)]

    def long_access(self) -> str:
        message = ObisCode.from_bytes(meter.MESSAGE)
        content = DlmsData.octet_string(meter.LONG_MESSAGE[::-1])
        return bytes(
            self._client.access([AccessSet(message, 1, 2, content), AccessGet(message, 1, 2)])[1].data.value
        ).hex()

    def value(self) -> int:
        target = self._object(3, meter.KEPT_REGISTER)
        target.set("value", DlmsData.uint32(meter.NEW_VALUE))
        return int(target.value.value)

    def holiday(self) -> list[Any]:
        target = self._object(11, meter.SPECIAL_DAYS)
        index, date, day_id = meter.NEW_HOLIDAY
        target.insert(SpecialDay(index, CosemDate.from_bytes(date), day_id))
        return [[one.index, one.date.to_bytes().hex(), one.day_id] for one in target.entries]

    def calendar(self) -> str:
        target = self._object(20, meter.CALENDAR)
        for table in ("season_profile", "week_profile_table", "day_profile_table"):
            target.set(f"{table}_passive", target.get(f"{table}_active"))
        target.calendar_name_passive = meter.NEW_CALENDAR
        target.activate_passive_calendar()
        return bytes(target.calendar_name_active).hex()

    def threshold(self) -> int:
        target = self._object(71, meter.LIMITER)
        target.set("threshold_normal", DlmsData.uint32(meter.NEW_THRESHOLD))
        return int(target.threshold_normal.value)

    def tariff(self) -> str:
        self._object(9, meter.TARIFF_SCRIPTS).execute(meter.PEAK_SCRIPT)
        return bytes(self._object(6, meter.REGISTER_ACTIVATION).active_mask).hex()

    def image(self) -> int:
        done = transfer_image(
            self._client,
            meter.IMAGE,
            meter.IMAGE_IDENTIFIER,
            ObisCode.from_bytes(meter.IMAGE_TRANSFER),
            activate=True,
            poll=0.01,
        )
        return int(done.status)

    def disconnect(self) -> int:
        target = self._object(70, meter.BREAKER)
        target.remote_disconnect()
        return int(target.control_state)

    def reconnect(self) -> int:
        target = self._object(70, meter.BREAKER)
        target.remote_reconnect()
        return int(target.control_state)

    def set_clock(self) -> str:
        self._client.set_clock(meter.CLOCK_SET)
        return self._client.get_clock().to_bytes().hex()

    def shift_clock(self) -> str:
        self._object(8, meter.CLOCK).shift_time(meter.CLOCK_SHIFT)
        return self._client.get_clock().to_bytes().hex()

    def close(self) -> None:
        self._client.close()


if __name__ == "__main__":
    main(Reader)
