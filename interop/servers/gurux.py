"""The registers of the meter and its profiles of a few rows on gurux-dlms' server, no security.

As installed the server answers nothing: its reply class lacks the accessors that the server calls, and the server lacks
`notifyRead`, `setTransaction` and an `onPostRead` without arguments. The subclasses below supply them. It answers one
request at a time in one association. A profile it sends whole, however small a PDU was agreed; a selection of its rows,
SET and ACTION raise in it, and are answered with hardware-fault.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from gurux_dlms import GXDateTime, GXDLMSServer, GXServerReply
from gurux_dlms.enums import AccessMode, DataType, InterfaceType, MethodAccessMode, SourceDiagnostic
from gurux_dlms.GXUInt32 import GXUInt32
from gurux_dlms.objects import (
    GXDLMSAssociationLogicalName,
    GXDLMSCaptureObject,
    GXDLMSClock,
    GXDLMSData,
    GXDLMSProfileGeneric,
    GXDLMSRegister,
)

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


def _history(name: bytes, captured: Any, clock: Any, rows: list[tuple[datetime, int]]) -> Any:
    """A profile of a stamp and a number."""
    profile = GXDLMSProfileGeneric(_dotted(name))
    profile.captureObjects += [(target, GXDLMSCaptureObject(2, 0)) for target in (clock, captured)]
    profile.sortObject, profile.sortObjectAttributeIndex = clock, 2
    profile.buffer += [[GXDateTime(stamp), number] for stamp, number in rows]
    profile.entriesInUse = profile.profileEntries = len(rows)
    return profile


def _dotted(name: bytes) -> str:
    return ".".join(map(str, name))


def build() -> _Server:
    """The server with registers and histories."""
    server = _Server()
    association = GXDLMSAssociationLogicalName()
    server.items.append(association)
    for name, (value, scaler, unit) in meter.REGISTERS.items():
        register = GXDLMSRegister(_dotted(name))
        register.value = GXUInt32(value)
        register.setDataType(2, DataType.UINT32)
        register.scaler = 10**scaler
        register.unit = unit
        server.items.append(register)
    clock = GXDLMSClock(_dotted(meter.CLOCK))
    clock.time = GXDateTime(meter.FIRST)
    code = GXDLMSData(_dotted(meter.EVENT_CODE))
    code.value = 0
    code.setDataType(2, DataType.UINT8)
    energy = next(item for item in server.items if item.logicalName == _dotted(meter.ENERGY_IMPORT))
    server.items.append(clock)
    server.items.append(code)
    server.items.append(_history(meter.EVENT_LOG, code, clock, meter.EVENTS))
    server.items.append(_history(meter.BILLING, energy, clock, meter.BILLINGS))
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
