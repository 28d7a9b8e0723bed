"""pydlms-client reads the meter: `DlmsClient.tcp`."""

from __future__ import annotations

from typing import Any

from pydlms import DlmsClient, DlmsData, Mechanism, ObisCode, SecurityContext
from pydlms.apdu.xdlms import range_descriptor

from interop import meter
from interop.driver import first_counter, main

TITLE = b"PYD\x00\x00\x00\x00\x02"


class Reader:
    """One association."""

    def __init__(self, port: int, association: meter.Association) -> None:
        options: dict[str, Any] = {"mechanism": Mechanism(association.mechanism)}
        if association.name == "lls":
            options["password"] = meter.PASSWORD
        if association.ciphered:
            options["security"] = SecurityContext(
                meter.ENCRYPTION_KEY,
                meter.AUTHENTICATION_KEY,
                client_system_title=TITLE,
                invocation_counter=first_counter(),
            )
        self._client = DlmsClient.tcp(
            meter.HOST, port, client_sap=association.client_sap, server_logical=meter.SERVER_SAP, **options
        )
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

    def close(self) -> None:
        self._client.close()


if __name__ == "__main__":
    main(Reader)
