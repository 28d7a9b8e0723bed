"""gurux-dlms: `GXDLMSClient` (which makes and reads octets; the socket is ours), its `Data` codec and its ciphering."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from gurux_dlms import GXByteBuffer, GXDLMSClient, GXReplyData
from gurux_dlms._GXAPDU import _GXAPDU
from gurux_dlms.AesGcmParameter import AesGcmParameter
from gurux_dlms.enums import Authentication, Command, Conformance, DataType, InterfaceType, Security
from gurux_dlms.GXArray import GXArray
from gurux_dlms.GXCiphering import GXCiphering
from gurux_dlms.GXDLMS import GXDLMS
from gurux_dlms.GXDLMSChippering import GXDLMSChippering
from gurux_dlms.GXDLMSSettings import GXDLMSSettings
from gurux_dlms.GXStructure import GXStructure
from gurux_dlms.GXUInt8 import GXUInt8
from gurux_dlms.GXUInt32 import GXUInt32
from gurux_dlms.internal._GXCommon import _GXCommon
from gurux_dlms.internal._GXDataInfo import _GXDataInfo
from gurux_dlms.objects import GXDLMSData, GXDLMSProfileGeneric, GXDLMSRegister

from benchmarks import samples
from benchmarks.contender import Contender, Task, always, decoding, with_bytes
from benchmarks.responder import Address

NAME = "gurux-dlms"
_LOGICAL_NAME = "1.0.1.8.0.255"
_EVERY_SERVICE = Conformance(0xFFFFFF)


def _rows(octets: bytes) -> Any:
    return _GXCommon.getData(None, GXByteBuffer(octets), _GXDataInfo())


def _columns(octets: bytes) -> Any:
    return list(zip(*_rows(octets), strict=True))


def _typed(rows: samples.Rows) -> Any:
    array = GXArray()
    for row in rows:
        structure = GXStructure()
        structure.extend([row[0], GXUInt8(row[1]), *map(GXUInt32, row[2:])])
        array.append(structure)
    return array


def _encoded(array: Any) -> bytes:
    buffer = GXByteBuffer()
    _GXCommon.setData(None, buffer, DataType.ARRAY, array)
    return bytes(buffer.array())


def _client(interface: Any = InterfaceType.PDU) -> Any:
    return GXDLMSClient(True, 16, 1, Authentication.NONE, None, interface)


def _get_response(octets: bytes) -> Any:
    reply = GXReplyData()
    _PDU_CLIENT.getData(octets, reply)
    return reply.value


_PDU_CLIENT = _client()


def _request(make: Callable[[Any, Any], Any]) -> Callable[[], Task]:
    def build() -> Task:
        client = _client()
        register = GXDLMSRegister(_LOGICAL_NAME)
        register.value = GXUInt32(samples.REGISTER_VALUE)
        register.setDataType(2, DataType.UINT32)
        return Task(lambda target: make(client, target)[0], always(register), bytes)

    return build


def _aarq(octets: bytes) -> Any:
    settings = GXDLMSSettings(True, None)
    settings.authentication = Authentication.LOW
    settings.proposedConformance = _EVERY_SERVICE
    _GXAPDU.parsePDU(settings, None, GXByteBuffer(octets), None)
    return settings


def _mask(conformance: Any) -> int:
    """Its bit 0 is the first bit of the standard, which has the most significant place in three octets."""
    return int(f"{int(conformance):024b}"[::-1], 2)


def _aarq_truth(settings: Any) -> Any:
    return {
        "mechanism": int(settings.authentication),
        "password": bytes(settings.password),
        "conformance": _mask(settings.negotiatedConformance),
        "max_receive_pdu_size": settings.maxPduSize,
    }


def _aare(octets: bytes) -> Any:
    client = _client()
    client.parseAareResponse(GXByteBuffer(octets))
    return client


def _aare_truth(client: Any) -> Any:
    return {
        "result": 0 if client.settings.connected else 1,
        "conformance": _mask(client.negotiatedConformance),
        "max_receive_pdu_size": client.maxReceivePDUSize,
    }


def _parameter(title: bytes, counter: int) -> Any:
    parameter = AesGcmParameter(
        Command.GLO_GET_RESPONSE, title, bytearray(samples.ENCRYPTION_KEY), bytearray(samples.AUTHENTICATION_KEY)
    )
    parameter.security = Security.AUTHENTICATION_ENCRYPTION
    parameter.invocationCounter = counter
    # Two attributes that the class does not set and the ciphering reads.
    parameter.broadcast = parameter.compression = False
    return parameter


def _protect(size: int) -> Callable[[], Task]:
    def make() -> Task:
        apdu = samples.response_of(size)
        return Task(
            lambda counter: GXCiphering.encrypt(_parameter(samples.CLIENT_TITLE, counter), apdu),
            lambda n: range(1, n + 1),
            lambda octets: samples.opened(bytes(octets)),
        )

    return make


def _unprotect(size: int) -> Callable[[], Task]:
    """It neither verifies the tag nor checks the counter here."""

    def make() -> Task:
        settings = _client().settings

        def arguments(n: int) -> list[bytes]:
            return samples.protected_series(size, n, general=False)

        def run(octets: bytes) -> Any:
            buffer = GXByteBuffer(octets)
            return GXDLMSChippering.decryptAesGcm(settings, _parameter(samples.METER_TITLE, 0), buffer)

        return Task(run, arguments, bytes)

    return make


def _hdlc_settings() -> Any:
    settings = _client(InterfaceType.HDLC).settings
    settings.hdlc.maxInfoTX = settings.hdlc.maxInfoRX = samples.HDLC_SIZES[-1]
    return settings


def _build_frame(size: int) -> Callable[[], Task]:
    settings = _hdlc_settings()

    def run(information: bytes) -> bytes:
        buffer = GXByteBuffer(information)
        # It takes three octets off the first frame of a buffer, for LLC octets that it would have added itself.
        settings.hdlc.maxInfoTX = len(information) + 3
        return bytes(GXDLMS.getHdlcFrame(settings, samples.HDLC_I_FRAME, buffer))

    return lambda: Task(run, always(samples.hdlc_information(size)))


_LLC = samples.hdlc_information(128)[:3]


def _content(settings: Any, buffer: Any) -> bytes | None:
    """The information without its LLC octets of the frame at the beginning; None where it is not complete."""
    reply = GXReplyData()
    GXDLMS.getHdlcData(False, settings, buffer, reply, None)
    if not reply.complete:
        return None
    GXDLMS.getDataFromFrame(buffer, reply, True)
    return bytes(reply.data.array())


def _parse_frame(size: int) -> Callable[[], Task]:
    settings = _hdlc_settings()
    # A push is taken whatever the sequence numbers are.
    octets = samples.hdlc_frame(
        samples.CLIENT_ADDRESS, samples.METER_ADDRESS, samples.HDLC_UI_FRAME, samples.hdlc_information(size)
    )
    return lambda: Task(
        lambda octets: _content(settings, GXByteBuffer(octets)), always(octets), lambda content: _LLC + content
    )


def _read_stream(pieces: list[bytes]) -> Callable[[], Task]:
    """It is asked with each piece whether a frame is complete; its caller keeps the rest."""
    settings = _hdlc_settings()

    def run(pieces: list[bytes]) -> list[bytes]:
        found = []
        buffer = GXByteBuffer()
        for piece in pieces:
            buffer.set(piece)
            while (content := _content(settings, buffer)) is not None:
                found.append(content)
                buffer.trim()
            buffer.position = 0
        return found

    return lambda: Task(run, always(pieces), lambda found: [_LLC + content for content in found])


class _Session:
    """An association over a blocking socket, in the order that the library's own examples use."""

    def __init__(self, address: Address, interface: Any = InterfaceType.WRAPPER, pdu_size: int = 0xFFFF) -> None:
        self.client = _client(interface)
        self.client.maxReceivePDUSize = pdu_size
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if interface == InterfaceType.HDLC:
            self.client.serverAddressSize = 0
            self.client.parseUAResponse(self.exchange(self.client.snrmRequest()).data)
        reply = self.exchange(self.client.aarqRequest()[0])
        self.client.parseAareResponse(reply.data)

    def exchange(self, frame: Any, reply: Any = None) -> Any:
        self.socket.sendall(frame)
        reply, received = reply or GXReplyData(), GXByteBuffer()
        received.set(self.socket.recv(65536))
        while not self.client.getData(received, reply):
            received.set(self.socket.recv(65536))
        return reply

    def read_blocks(self, target: Any) -> Any:
        """The value as it is decoded, of the joined blocks."""
        reply = self.exchange(self.client.read(target, 2)[0])
        while reply.isMoreData():
            self.exchange(self.client.receiverReady(reply), reply)
        return reply.value

    def read_list(self, targets: Any) -> Any:
        """The values; it asks for ten at a time."""
        asked = [(target, 2) for target in targets]
        frames = [frame for frames in self.client.readList(asked) for frame in frames]
        values = [value for frame in frames for value in self.exchange(frame).value]
        self.client.updateValues(asked, values)
        return [target.value for target in targets]

    def read(self, target: Any) -> Any:
        reply = self.exchange(self.client.read(target, 2)[0])
        return self.client.updateValue(target, 2, reply.value)

    def close(self) -> None:
        self.exchange(self.client.releaseRequest()[0])
        if self.client.interfaceType == InterfaceType.HDLC:
            self.exchange(self.client.disconnectRequest())
        self.socket.close()


def _get(address: Address, interface: Any = InterfaceType.WRAPPER) -> Callable[[], Task]:
    def make() -> Task:
        session = _Session(address, interface)
        return Task(session.read, always(GXDLMSRegister(_LOGICAL_NAME)), int, session.close)

    return make


def _profile(address: Address, pdu_size: int, *, columns: bool) -> Callable[[], Task]:
    def make() -> Task:
        session = _Session(address, pdu_size=pdu_size)

        def run(target: Any) -> Any:
            rows = session.read_blocks(target)
            return list(zip(*rows, strict=True)) if columns else rows

        return Task(
            run,
            always(GXDLMSProfileGeneric(".".join(map(str, samples.PROFILE_LOGICAL_NAME)))),
            with_bytes,
            session.close,
        )

    return make


def _listed(address: Address) -> Callable[[], Task]:
    """By GET with list; its ACCESS takes as long."""

    def make() -> Task:
        session = _Session(address)
        targets = [GXDLMSData(".".join(map(str, name))) for name in samples.ACCESSED]
        return Task(session.read_list, always(targets), close=session.close)

    return make


def _associate(address: Address) -> Callable[[], Task]:
    def run(_: None) -> bool:
        session = _Session(address)
        associated = bool(session.client.settings.connected)
        session.close()
        return associated

    return lambda: Task(run, always(None))


def contender(address: Address) -> Contender:
    """How gurux-dlms does each workload; `address` is where the responder listens."""
    # It prints lines for each APDU that it decrypts; silenced, since printing is not the work that is compared.
    vars(sys.modules[GXDLMSChippering.__module__])["print"] = lambda *_: None
    even = samples.encoded_rows(samples.even_rows(1000))
    typed = _typed(samples.even_rows(1000))
    tasks: dict[str, Callable[[], Task]] = {
        "decode-profile-1000-rows": decoding(_rows, even, with_bytes),
        "decode-profile-1000-columns": decoding(_columns, even, with_bytes),
        "decode-uneven-1000-rows": decoding(_rows, samples.encoded_rows(samples.uneven_rows(1000)), with_bytes),
        "encode-profile-1000-rows": lambda: Task(_encoded, always(typed)),
        "decode-get-response": decoding(_get_response, samples.GET_RESPONSE, int),
        "decode-aarq": decoding(_aarq, samples.AARQ, _aarq_truth),
        "decode-aare": decoding(_aare, samples.AARE, _aare_truth),
        "encode-get-request": _request(lambda client, target: client.read(target, 2)),
        "encode-set-request": _request(lambda client, target: client.write(target, 2)),
        "encode-action-request": _request(lambda client, target: client.method(target, 1, 0, DataType.INT8)),
        "protect-64": _protect(64),
        "protect-1024": _protect(1024),
        "unprotect-64": _unprotect(64),
        "unprotect-1024": _unprotect(1024),
        **{f"hdlc-build-{size}": _build_frame(size) for size in samples.HDLC_SIZES},
        **{f"hdlc-parse-{size}": _parse_frame(size) for size in samples.HDLC_SIZES},
        "hdlc-stream-octets": _read_stream(samples.in_octets(samples.hdlc_stream())),
        "hdlc-stream-chunks": _read_stream(samples.in_chunks(samples.hdlc_stream())),
        "get-tcp-blocking": _get(address),
        "get-tcp-asyncio": _get(address),
        "get-hdlc-tcp": _get(address, InterfaceType.HDLC),
        "association-tcp": _associate(address),
        **{
            f"profile-{name}-{form}-tcp": _profile(address, size, columns=form == "columns")
            for name, size in samples.PDU_SIZES.items()
            for form in ("rows", "columns")
        },
        "access-50-tcp": _listed(address),
    }
    declined = {"decode-profile-100000-columns": "rejects the length form 83 (arrays over 65,535 elements)"}
    return Contender(NAME, version(NAME), tasks, declined)
