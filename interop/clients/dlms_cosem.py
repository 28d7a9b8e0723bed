"""dlms-cosem reads the meter: `DlmsClient` over `BlockingTcpIO`. Ciphered, it sends and expects general-glo only.

A truncated value makes it loop for ever, so it must run under a time limit (all clients here do).
"""

from __future__ import annotations

from typing import Any

from dlms_cosem import cosem, enumerations
from dlms_cosem.client import DlmsClient
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.cosem.selective_access import RangeDescriptor
from dlms_cosem.io import BlockingTcpIO, TcpTransport
from dlms_cosem.security import (
    HighLevelSecurityGmacAuthentication,
    LowLevelSecurityAuthentication,
    NoSecurityAuthentication,
)
from dlms_cosem.utils import parse_as_dlms_data

from interop import meter
from interop.driver import first_counter, main

TITLE = b"DCO\x00\x00\x00\x00\x02"


def _attribute(class_id: int, logical_name: bytes, attribute: int) -> Any:
    return cosem.CosemAttribute(enumerations.CosemInterface(class_id), cosem.Obis.from_bytes(logical_name), attribute)


class Reader:
    """One association."""

    def __init__(self, port: int, association: meter.Association) -> None:
        transport = TcpTransport(
            client_logical_address=association.client_sap,
            server_logical_address=meter.SERVER_SAP,
            io=BlockingTcpIO(meter.HOST, port),
        )
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

    def close(self) -> None:
        self._client.release_association()
        self._client.disconnect()


if __name__ == "__main__":
    main(Reader)
