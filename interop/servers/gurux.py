"""The registers of the meter and its profiles of a few rows on gurux-dlms' server, no security.

As installed the server answers nothing: its reply class lacks the accessors that the server calls, and the server lacks
`notifyRead`, `setTransaction` and an `onPostRead` without arguments. By HDLC it answers no SNRM: it calls `update` of
its settings, which is `_update`, and asks an HDLC setup for `maxInfoTX`, which is called otherwise there. The
subclasses below supply all that. It answers one request at a time in one association. A profile it sends whole, however
small a PDU was agreed; a selection of its rows, SET and ACTION raise in it, and are answered with hardware-fault.

The length of the group in its UA is 0: it writes it into the window, 81 80 00 ... 08 04 00 02 00 01 for a field of 21
octets. For our client such a field stands for the defaults; it sends by them, and takes the longer frames of the
server.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from gurux_dlms import GXDateTime, GXDLMSServer, GXServerReply
from gurux_dlms.enums import AccessMode, DataType, InterfaceType, MethodAccessMode, SourceDiagnostic
from gurux_dlms.GXHdlcSettings import GXHdlcSettings
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
from interop.servers import listening
from interop.ways import STATION, TCP, Way


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


class _Hdlc(GXHdlcSettings):
    """Its settings of HDLC, with what the server wants of the object that sets them up, which it takes for the same."""

    inactivityTimeout = 0

    def __init__(self, way: Way) -> None:
        super().__init__()
        self.maximumInfoLengthReceive = self.maximumInfoLengthTransmit = way.max_info
        self.windowSizeReceive = self.windowSizeTransmit = way.window
        self.update(self)

    def update(self, _: Any) -> None:
        """Before each SNRM: what can be negotiated."""
        self._update(self)


class _Server(GXDLMSServer):
    """Everything may be read by everybody."""

    def __init__(self, way: Way) -> None:
        super().__init__(True, InterfaceType.WRAPPER if way is TCP else InterfaceType.HDLC)
        self.settings.maxServerPDUSize = meter.MAX_PDU_SIZE
        if way is not TCP:
            self.settings.hdlc = self.hdlc = _Hdlc(way)

    def setTransaction(self, value: Any) -> None:
        self.transaction = value

    def notifyRead(self, *_: Any) -> None: ...
    def onPreRead(self, *_: Any) -> None: ...
    def onPostRead(self, *_: Any) -> None: ...
    def onConnected(self, _: Any) -> None: ...
    def onDisconnected(self, _: Any) -> None: ...
    def onInvalidConnection(self, _: Any) -> None: ...

    def isTarget(self, serverAddress: int, clientAddress: int) -> bool:
        # An address of two octets comes as one number; one of four it writes as it was, but takes for two.
        addressed = serverAddress in (
            meter.SERVER_SAP,
            meter.SERVER_SAP << 7 | STATION,
            meter.SERVER_SAP << 14 | STATION,
        )
        return addressed and clientAddress == meter.ASSOCIATIONS["none"].client_sap

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


def build(way: Way) -> _Server:
    """The server with registers and histories."""
    server = _Server(way)
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


def _begin(way: Way, send: listening.Send) -> listening.Take:
    server = build(way)
    octets = b""

    def take(more: bytes) -> None:
        nonlocal octets
        octets += more
        while (end := _end(octets)) and len(octets) >= end:
            answer = server.answer(octets[:end])
            octets = octets[end:]
            if answer:
                send(answer)

    def _end(octets: bytes) -> int:
        """Where the first frame ends; 0 where that is not known yet."""
        if way is TCP:
            return 8 + int.from_bytes(octets[6:8], "big") if len(octets) >= 8 else 0
        return 2 + (int.from_bytes(octets[1:3], "big") & 0x7FF) if len(octets) >= 3 else 0

    return take


def serve(way: Way) -> AbstractContextManager[int | str]:
    """Serve on a way; yields the port, or the path of the serial port."""
    return listening.serve(way, lambda send: _begin(way, send))
