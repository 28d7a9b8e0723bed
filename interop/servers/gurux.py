"""The registers of the meter on gurux-dlms' server, no security.

As installed the server answers nothing: its reply class lacks the accessors that the server calls, and the server lacks
`notifyRead`, `setTransaction` and an `onPostRead` without arguments. The subclasses below supply them. It answers one
request at a time in one association, and is not to be used for load profiles by block transfer.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gurux_dlms import GXDLMSServer, GXServerReply
from gurux_dlms.enums import AccessMode, DataType, InterfaceType, MethodAccessMode, SourceDiagnostic
from gurux_dlms.GXUInt32 import GXUInt32
from gurux_dlms.objects import GXDLMSAssociationLogicalName, GXDLMSRegister

from interop import meter


class _Reply(GXServerReply):
    """With the accessors that the server calls."""

    def setReply(self, value: Any) -> None:
        self.reply = value

    def getConnectionInfo(self) -> Any:
        return self.connectionInfo

    def getCount(self) -> int:
        return self.count

    def setCount(self, value: int) -> None:
        self.count = value


class _Server(GXDLMSServer):
    """Everything may be read by everybody."""

    def __init__(self) -> None:
        super().__init__(True, InterfaceType.WRAPPER)
        self.settings.maxServerPDUSize = meter.MAX_PDU_SIZE

    def setTransaction(self, value: Any) -> None:
        self.transaction = value

    def notifyRead(self, *_: Any) -> None: ...
    def onPreRead(self, *_: Any) -> None: ...
    def onPostRead(self, *_: Any) -> None: ...
    def onConnected(self, _: Any) -> None: ...
    def onDisconnected(self, _: Any) -> None: ...
    def onInvalidConnection(self, _: Any) -> None: ...

    def isTarget(self, serverAddress: int, clientAddress: int) -> bool:
        return (serverAddress, clientAddress) == (meter.SERVER_SAP, meter.ASSOCIATIONS["none"].client_sap)

    def onValidateAuthentication(self, *_: Any) -> Any:
        return SourceDiagnostic.NONE

    def onFindObject(self, *_: Any) -> None:
        return None

    def onGetAttributeAccess(self, arguments: Any) -> Any:
        # The association object asks for this attribute, which the arguments' class calls `skipMaxPduSize`.
        arguments.isSkipMaxPduSize = arguments.skipMaxPduSize
        return AccessMode.READ

    def onGetMethodAccess(self, _: Any) -> Any:
        return MethodAccessMode.NO_ACCESS

    def answer(self, octets: bytes) -> bytes:
        """The octets that answer these (whole wrapper frames in, whole frames out)."""
        reply = _Reply(octets)
        self.handleRequest(reply)
        return bytes(reply.reply or b"")


def build() -> _Server:
    """The server with the registers of the meter."""
    server = _Server()
    association = GXDLMSAssociationLogicalName()
    server.items.append(association)
    for name, (value, scaler, unit) in meter.REGISTERS.items():
        register = GXDLMSRegister(".".join(map(str, name)))
        register.value = GXUInt32(value)
        register.setDataType(2, DataType.UINT32)
        register.scaler = 10**scaler
        register.unit = unit
        server.items.append(register)
    # An empty list would make `initialize` append the collection to itself, which raises.
    association.objectList.extend(server.items)
    server.initialize()
    return server


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        connection: socket.socket = self.request
        server = build()
        octets = b""
        while received := connection.recv(4096):
            octets += received
            while len(octets) >= 8 and len(octets) >= 8 + int.from_bytes(octets[6:8], "big"):
                end = 8 + int.from_bytes(octets[6:8], "big")
                connection.sendall(server.answer(octets[:end]))
                octets = octets[end:]


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def serve() -> Iterator[int]:
    """Listen on a free port of the loopback interface, which is yielded."""
    with _Listener((meter.HOST, 0), _Handler) as listener:
        threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
        yield listener.server_address[1]
        listener.shutdown()
