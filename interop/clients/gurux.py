"""gurux-dlms reads the meter. The library makes and reads octets; the medium and the loop are ours, in its documented
order, and so is the sign-on of mode E: the library has none.
"""

from __future__ import annotations

import socket
import time
from typing import Any, Protocol

from gurux_dlms import GXByteBuffer, GXDateTime, GXDLMSAccessItem, GXReplyData, GXWriteItem
from gurux_dlms.enums import (
    AccessServiceCommandType,
    Authentication,
    Conformance,
    DataType,
    ErrorCode,
    InterfaceType,
    RequestTypes,
    Security,
)
from gurux_dlms.GXDLMSSettings import GXDLMSSettings
from gurux_dlms.internal._GXCommon import _GXCommon
from gurux_dlms.internal._GXDataInfo import _GXDataInfo
from gurux_dlms.objects import (
    GXDLMSActivityCalendar,
    GXDLMSClock,
    GXDLMSData,
    GXDLMSDisconnectControl,
    GXDLMSImageTransfer,
    GXDLMSLimiter,
    GXDLMSObject,
    GXDLMSProfileGeneric,
    GXDLMSRegister,
    GXDLMSRegisterActivation,
    GXDLMSScriptTable,
    GXDLMSSpecialDay,
    GXDLMSSpecialDaysTable,
)
from gurux_dlms.secure import GXDLMSSecureClient
from serial import Serial

from interop import meter
from interop.driver import AttributeRow, first_counter, main
from interop.ways import Place

TITLE = b"GRX\x00\x00\x00\x00\x02"
AUTHENTICATIONS = {0: Authentication.NONE, 1: Authentication.LOW, 5: Authentication.HIGH_GMAC}


def _dotted(logical_name: bytes) -> str:
    return ".".join(map(str, logical_name))


def _name(item: GXDLMSObject) -> str:
    """The logical name in hex."""
    return bytes(map(int, item.logicalName.split("."))).hex()


class Refused(Exception):
    """The meter answered with a data-access-result or action-result other than success."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"result {code}")


class _Medium(Protocol):
    def send(self, octets: bytes) -> None: ...
    def receive(self) -> bytes: ...
    def close(self) -> None: ...


class _Tcp:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((meter.HOST, port), timeout=10)
        self.send, self.close = self._socket.sendall, self._socket.close

    def receive(self) -> bytes:
        octets = self._socket.recv(65536)
        if not octets:
            raise ConnectionError("the meter closed the connection")
        return octets


class _ModeE:
    """A serial port on which it has signed on (IEC 62056-21, 6.3): 9,600 baud, HDLC."""

    def __init__(self, path: str) -> None:
        self._port = Serial(path, 300, timeout=5)
        self.send, self.close = self._port.write, self._port.close
        self.send(b"/?!\r\n")
        identification = self._port.read_until(b"\r\n")
        if b"\\2" not in identification:
            raise ConnectionError(f"no identification of mode E: {identification!r}")
        time.sleep(0.2)
        select = b"\x06252\r\n"
        self.send(select)
        confirmed = self._port.read(len(select))
        if confirmed != select:
            raise ConnectionError(f"mode E is not confirmed: {confirmed!r}")
        self._port.baudrate = 9600
        time.sleep(0.2)

    def receive(self) -> bytes:
        octets: bytes = self._port.read(1) + self._port.read(self._port.in_waiting)
        if not octets:
            raise TimeoutError("the meter does not answer")
        return octets


class _WithBlockNumber(GXDLMSSettings):
    """With what it asks its settings for when it acknowledges a block."""

    @property
    def blockNumber(self) -> int:
        return int(self.blockIndex)

    @classmethod
    def put_in(cls, client: Any) -> None:
        client.settings.__class__ = cls


class _WriteItem(GXWriteItem):
    """With the accessor that its client calls."""

    def __init__(self, target: GXDLMSObject, index: int, data_type: DataType) -> None:
        super().__init__()
        self.target, self.index, self.dataType = target, index, data_type

    def getDataType(self) -> DataType:
        return self.dataType


class Reader:
    """One association."""

    def __init__(self, place: Place, association: meter.Association) -> None:
        way = place.way
        client = GXDLMSSecureClient(
            not way.short_names,
            association.client_sap,
            meter.SERVER_SAP
            if way.station is None
            else GXDLMSSecureClient.getServerAddress(meter.SERVER_SAP, way.station, way.address),
            AUTHENTICATIONS[association.mechanism],
            meter.PASSWORD if association.name == "lls" else None,
            InterfaceType.WRAPPER if way.framing == "tcp" else InterfaceType.HDLC,
        )
        if not way.short_names:
            # It would use general-glo for all where that bit is agreed, and general blocks where that one is.
            client.proposedConformance &= ~(Conformance.GENERAL_BLOCK_TRANSFER | Conformance.GENERAL_PROTECTION)
            client.proposedConformance |= Conformance.ACCESS
        if way.block_window:
            client.maxReceivePDUSize = meter.MAX_PDU_SIZE
            client.proposedConformance |= Conformance.GENERAL_BLOCK_TRANSFER | Conformance.GENERAL_PROTECTION
            client.settings.gbtWindowSize = way.block_window
            _WithBlockNumber.put_in(client)
        if association.ciphered:
            client.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
            client.ciphering.systemTitle = TITLE
            client.ciphering.blockCipherKey = bytearray(meter.ENCRYPTION_KEY)
            client.ciphering.authenticationKey = bytearray(meter.AUTHENTICATION_KEY)
            client.ciphering.invocationCounter = first_counter()
        self._client = client
        self._medium: _Medium = _ModeE(place.path) if way.framing == "mode-e" else _Tcp(place.port)
        if way.framing != "tcp":
            hdlc = client.hdlcSettings
            hdlc.maxInfoTX = hdlc.maxInfoRX = way.max_info
            hdlc.windowSizeTX = hdlc.windowSizeRX = way.window
            client.serverAddressSize = 0 if way.address == 1 else way.address
            client.parseUAResponse(self._exchange(client.snrmRequest()).data)
        client.parseAareResponse(self._exchange(client.aarqRequest()).data)
        self._short_names = way.short_names
        if client.isAuthenticationRequired:
            reply = self._exchange(client.getApplicationAssociationRequest())
            client.parseApplicationAssociationResponse(reply.data)

    def _known(self, target: Any) -> Any:
        """The object, with the short name that the view gives it."""
        if self._short_names:
            if not self._client.objects:
                self._client.parseObjects(self._exchange(self._client.getObjectsRequest()).data, True)
            target.shortName = self._client.objects.findByLN(target.objectType, target.logicalName).shortName
        return target

    def _frame(self, request: Any, reply: Any) -> None:
        if request:  # of a window of blocks, the next one comes unasked, or has come already
            self._received = GXByteBuffer()
            self._medium.send(request)
        received, notify = self._received, GXReplyData()
        while not received.available() or not self._client.getData(received, reply, notify):
            received.set(self._medium.receive())

    def _exchange(self, requests: Any) -> Any:
        reply = GXReplyData()
        for request in requests if isinstance(requests, list) else [requests]:
            reply.clear()
            self._frame(request, reply)
            while reply.isMoreData():
                following = b"" if reply.isStreaming() else self._client.receiverReady(reply)
                # The reply keeps what came before; only its frame marks are new for the next block.
                self._frame(following, reply)
        if reply.error:
            raise Refused(reply.error)
        return reply

    def _value(self, requests: Any) -> Any:
        reply = self._exchange(requests)
        if reply.moreData != RequestTypes.NONE:
            raise RuntimeError("more data is pending")
        return _GXCommon.getData(self._client.settings, GXByteBuffer(reply.data.array()), _GXDataInfo())

    def register(self) -> list[int]:
        target = self._known(GXDLMSRegister(_dotted(meter.ENERGY_IMPORT)))
        value = self._value(self._client.read(target, 2))
        scaler, unit = self._value(self._client.read(target, 3))
        return [int(value), int(scaler), int(unit)]

    def view(self) -> list[list[Any]]:
        reply = self._exchange(self._client.getObjectsRequest())
        objects: list[GXDLMSObject] = self._client.parseObjects(reply.data, False)
        return [[int(item.objectType), int(item.version), _name(item)] for item in objects]

    def profile(self) -> list[list[Any]]:
        target = self._known(GXDLMSProfileGeneric(_dotted(meter.LOAD_PROFILE)))
        self._client.updateValue(target, 3, self._value(self._client.read(target, 3)))
        if not isinstance(target.captureObjects[0][0], GXDLMSClock):
            raise RuntimeError("the first capture object is not the clock")
        rows = self._value(self._client.readRowsByRange(target, meter.SINCE, meter.UNTIL))
        return [[bytes(row[0]).hex(), *map(int, row[1:])] for row in rows]

    def attributes(self) -> list[AttributeRow]:
        reply = self._exchange(self._client.getObjectsRequest())
        rows = []
        for item in self._client.parseObjects(reply.data, True):
            # The capture objects of a profile have to be known before its buffer can be read.
            for index in sorted(
                item.getAttributeIndexToRead(True), key=lambda one: (int(item.objectType), one) == (7, 2)
            ):
                where = int(item.objectType), int(item.version), _name(item), index
                rows.append((*where, *self._attribute(item, index)))
        return rows

    def _attribute(self, item: GXDLMSObject, index: int) -> tuple[str | None, str]:
        try:
            octets = self._exchange(self._client.read(item, index)).data.array()
        except Refused as refused:
            return None, f"refused {refused.code}"
        try:
            value = _GXCommon.getData(self._client.settings, GXByteBuffer(octets), _GXDataInfo())
            self._client.updateValue(item, index, value)
        except Exception as error:  # its decoder raises whatever comes up
            return octets.hex(), f"{type(error).__name__}: {error}"
        return octets.hex(), ""

    # ---- deeds ------------------------------------------------------------------------------------------------------

    def _read(self, target: GXDLMSObject, index: int) -> Any:
        """Read an attribute into the object, and return it as it came."""
        value = self._value(self._client.read(target, index))
        self._client.updateValue(target, index, value)
        return value

    def _write(self, target: GXDLMSObject, index: int) -> Any:
        self._exchange(self._client.write(target, index))
        return self._read(target, index)

    def entries(self) -> list[list[Any]]:
        target = self._known(GXDLMSProfileGeneric(_dotted(meter.LOAD_PROFILE)))
        count = meter.LAST_ENTRY - meter.FIRST_ENTRY + 1
        rows = self._value(self._client.readRowsByEntry(target, meter.FIRST_ENTRY, count))
        return [[bytes(row[0]).hex(), *map(int, row[1:])] for row in rows]

    def _message(self, content: bytes) -> str:
        target = self._known(GXDLMSData(_dotted(meter.MESSAGE)))
        target.value = content
        target.setDataType(2, DataType.OCTET_STRING)
        return bytes(self._write(target, 2)).hex()

    def message(self) -> str:
        return self._message(meter.NEW_MESSAGE)

    def long_message(self) -> str:
        return self._message(meter.LONG_MESSAGE)

    def read_list(self) -> list[int]:
        target = GXDLMSRegister(_dotted(meter.ENERGY_IMPORT))
        (requests,) = self._client.readList([(target, 2), (target, 3)])
        value, scaler_unit = self._exchange(requests).value
        return [int(value), *map(int, scaler_unit)]

    def write_list(self) -> list[Any]:
        message, kept = GXDLMSData(_dotted(meter.MESSAGE)), GXDLMSRegister(_dotted(meter.KEPT_REGISTER))
        message.value, kept.value = meter.OTHER_MESSAGE, meter.OTHER_VALUE
        text, number = DataType.OCTET_STRING, DataType.UINT32
        items = [_WriteItem(message, 2, text), _WriteItem(kept, 2, number), _WriteItem(message, 1, text)]
        try:
            self._exchange(self._client.writeList(items))
        except Refused as refused:  # of the results of a list it keeps the last alone
            failed = [2] if refused.code == ErrorCode.READ_WRITE_DENIED else [refused.code]
        else:
            failed = []
        return [bytes(self._read(message, 2)).hex(), int(self._read(kept, 2)), failed]

    def access_read(self) -> list[int]:
        target = GXDLMSRegister(_dotted(meter.ENERGY_IMPORT))
        items = [GXDLMSAccessItem(AccessServiceCommandType.GET, target, index) for index in (2, 3)]
        reply = self._exchange(self._client.accessRequest(None, items))
        self._client.parseAccessResponse(items, reply.data)
        return [int(items[0].value), *map(int, items[1].value)]

    def value(self) -> int:
        target = self._known(GXDLMSRegister(_dotted(meter.KEPT_REGISTER)))
        target.value = meter.NEW_VALUE
        target.setDataType(2, DataType.UINT32)
        return int(self._write(target, 2))

    def holiday(self) -> list[list[Any]]:
        target = GXDLMSSpecialDaysTable(_dotted(meter.SPECIAL_DAYS))
        entry = GXDLMSSpecialDay()
        entry.index, date, entry.dayId = meter.NEW_HOLIDAY
        entry.date = _GXCommon.changeType(self._client.settings, date, DataType.DATE)
        self._exchange(target.insert(self._client, entry))
        return [[int(index), bytes(day).hex(), int(day_id)] for index, day, day_id in self._read(target, 2)]

    def calendar(self) -> str:
        target = GXDLMSActivityCalendar(_dotted(meter.CALENDAR))
        for index in (3, 4, 5):
            self._read(target, index)
        target.seasonProfilePassive = target.seasonProfileActive
        target.weekProfileTablePassive = target.weekProfileTableActive
        target.dayProfileTablePassive = target.dayProfileTableActive
        target.calendarNamePassive = meter.NEW_CALENDAR.decode()
        for index in (6, 7, 8, 9):
            self._write(target, index)
        self._exchange(target.activatePassiveCalendar(self._client))
        return bytes(self._read(target, 2)).hex()

    def threshold(self) -> int:
        target = GXDLMSLimiter(_dotted(meter.LIMITER))
        target.thresholdNormal = meter.NEW_THRESHOLD
        target.setDataType(4, DataType.UINT32)
        return int(self._write(target, 4))

    def tariff(self) -> str:
        scripts = GXDLMSScriptTable(_dotted(meter.TARIFF_SCRIPTS))
        self._exchange(scripts.execute(self._client, meter.PEAK_SCRIPT))
        return bytes(self._read(GXDLMSRegisterActivation(_dotted(meter.REGISTER_ACTIVATION)), 4)).hex()

    def image(self) -> int:
        target = GXDLMSImageTransfer(_dotted(meter.IMAGE_TRANSFER))
        self._read(target, 2)
        self._exchange(target.imageTransferInitiate(self._client, meter.IMAGE_IDENTIFIER.decode(), len(meter.IMAGE)))
        for block in target.imageBlockTransfer(self._client, meter.IMAGE, None):
            self._exchange(block)
        self._exchange(target.imageVerify(self._client))
        self._exchange(target.imageActivate(self._client))
        return int(self._read(target, 6))

    def disconnect(self) -> int:
        target = self._known(GXDLMSDisconnectControl(_dotted(meter.BREAKER)))
        self._exchange(target.remoteDisconnect(self._client))
        return int(self._read(target, 3))

    def reconnect(self) -> int:
        target = self._known(GXDLMSDisconnectControl(_dotted(meter.BREAKER)))
        self._exchange(target.remoteReconnect(self._client))
        return int(self._read(target, 3))

    def set_clock(self) -> str:
        target = self._known(GXDLMSClock(_dotted(meter.CLOCK)))
        target.time = GXDateTime(meter.CLOCK_SET)
        return bytes(self._write(target, 2)).hex()

    def shift_clock(self) -> str:
        target = self._known(GXDLMSClock(_dotted(meter.CLOCK)))
        self._exchange(target.shiftTime(self._client, meter.CLOCK_SHIFT))
        return bytes(self._read(target, 2)).hex()

    def close(self) -> None:
        self._exchange(self._client.releaseRequest())
        if self._client.interfaceType == InterfaceType.HDLC:
            self._exchange(self._client.disconnectRequest())
        self._medium.close()


if __name__ == "__main__":
    main(Reader)
