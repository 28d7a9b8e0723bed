"""gurux-dlms reads the meter. The library makes and reads octets; socket and loop are ours, in its documented order."""

from __future__ import annotations

import socket
from typing import Any

from gurux_dlms import GXByteBuffer, GXReplyData
from gurux_dlms.enums import Authentication, Conformance, InterfaceType, RequestTypes, Security
from gurux_dlms.internal._GXCommon import _GXCommon
from gurux_dlms.internal._GXDataInfo import _GXDataInfo
from gurux_dlms.objects import GXDLMSClock, GXDLMSObject, GXDLMSProfileGeneric, GXDLMSRegister
from gurux_dlms.secure import GXDLMSSecureClient

from interop import meter
from interop.driver import first_counter, main

TITLE = b"GRX\x00\x00\x00\x00\x02"
AUTHENTICATIONS = {0: Authentication.NONE, 1: Authentication.LOW, 5: Authentication.HIGH_GMAC}


def _dotted(logical_name: bytes) -> str:
    return ".".join(map(str, logical_name))


class Reader:
    """One association."""

    def __init__(self, port: int, association: meter.Association) -> None:
        client = GXDLMSSecureClient(
            True,
            association.client_sap,
            meter.SERVER_SAP,
            AUTHENTICATIONS[association.mechanism],
            meter.PASSWORD if association.name == "lls" else None,
            InterfaceType.WRAPPER,
        )
        # It handles general block transfer only partly and would use general-glo where that bit is agreed.
        client.proposedConformance &= ~(Conformance.GENERAL_BLOCK_TRANSFER | Conformance.GENERAL_PROTECTION)
        if association.ciphered:
            client.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
            client.ciphering.systemTitle = TITLE
            client.ciphering.blockCipherKey = bytearray(meter.ENCRYPTION_KEY)
            client.ciphering.authenticationKey = bytearray(meter.AUTHENTICATION_KEY)
            client.ciphering.invocationCounter = first_counter()
        self._client = client
        self._socket = socket.create_connection((meter.HOST, port), timeout=10)
        client.parseAareResponse(self._exchange(client.aarqRequest()).data)
        if client.isAuthenticationRequired:
            reply = self._exchange(client.getApplicationAssociationRequest())
            client.parseApplicationAssociationResponse(reply.data)

    def _frame(self, request: Any, reply: Any) -> None:
        self._socket.sendall(request)
        received, notify = GXByteBuffer(), GXReplyData()
        while not received.size or not self._client.getData(received, reply, notify):
            octets = self._socket.recv(65536)
            if not octets:
                raise ConnectionError("the meter closed the connection")
            received.set(octets)

    def _exchange(self, requests: Any) -> Any:
        reply = GXReplyData()
        for request in requests if isinstance(requests, list) else [requests]:
            reply.clear()
            self._frame(request, reply)
            while reply.isMoreData():
                following = self._client.receiverReady(reply)
                # The reply keeps what came before; only its frame marks are new for the next block.
                self._frame(following, reply)
        if reply.error:
            raise RuntimeError(f"data-access-result {reply.error}")
        return reply

    def _value(self, requests: Any) -> Any:
        reply = self._exchange(requests)
        if reply.moreData != RequestTypes.NONE:
            raise RuntimeError("more data is pending")
        return _GXCommon.getData(self._client.settings, GXByteBuffer(reply.data.array()), _GXDataInfo())

    def register(self) -> list[int]:
        target = GXDLMSRegister(_dotted(meter.ENERGY_IMPORT))
        value = self._value(self._client.read(target, 2))
        scaler, unit = self._value(self._client.read(target, 3))
        return [int(value), int(scaler), int(unit)]

    def view(self) -> list[list[Any]]:
        reply = self._exchange(self._client.getObjectsRequest())
        objects: list[GXDLMSObject] = self._client.parseObjects(reply.data, False)
        return [
            [int(item.objectType), int(item.version), bytes(map(int, item.logicalName.split("."))).hex()]
            for item in objects
        ]

    def profile(self) -> list[list[Any]]:
        target = GXDLMSProfileGeneric(_dotted(meter.LOAD_PROFILE))
        self._client.updateValue(target, 3, self._value(self._client.read(target, 3)))
        if not isinstance(target.captureObjects[0][0], GXDLMSClock):
            raise RuntimeError("the first capture object is not the clock")
        rows = self._value(self._client.readRowsByRange(target, meter.SINCE, meter.UNTIL))
        return [[bytes(row[0]).hex(), *map(int, row[1:])] for row in rows]

    def close(self) -> None:
        self._exchange(self._client.releaseRequest())
        self._socket.close()


if __name__ == "__main__":
    main(Reader)
