"""dlms-cosem: `parse_as_dlms_data`, the APDU factory, `DlmsConnection` and `DlmsClient`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import structlog
from dlms_cosem import cosem, dlms_data, enumerations
from dlms_cosem.client import DlmsClient
from dlms_cosem.connection import DlmsConnection, XDlmsApduFactory
from dlms_cosem.hdlc.address import HdlcAddress
from dlms_cosem.hdlc.frames import InformationFrame
from dlms_cosem.io import BlockingTcpIO, HdlcTransport, TcpTransport
from dlms_cosem.protocol import xdlms
from dlms_cosem.protocol.xdlms.conformance import Conformance
from dlms_cosem.protocol.xdlms.invoke_id_and_priority import InvokeIdAndPriority
from dlms_cosem.security import NoSecurityAuthentication
from dlms_cosem.utils import parse_as_dlms_data

from benchmarks import samples
from benchmarks.contender import Contender, Task, always, decoding, same, with_bytes
from benchmarks.responder import Address

NAME = "dlms-cosem"
_REGISTER = cosem.Obis.from_bytes(samples.REGISTER_LOGICAL_NAME)
_ATTRIBUTE = cosem.CosemAttribute(enumerations.CosemInterface.REGISTER, _REGISTER, 2)
_INVOKE_ID = InvokeIdAndPriority(invoke_id=1, confirmed=True, high_priority=True)
_METHOD = cosem.CosemMethod(enumerations.CosemInterface.REGISTER, _REGISTER, 1)


def _columns(octets: bytes) -> Any:
    return list(zip(*parse_as_dlms_data(octets), strict=True))


def _typed(rows: samples.Rows) -> Any:
    return dlms_data.DataArray(
        [
            dlms_data.DataStructure(
                [
                    dlms_data.OctetStringData(row[0]),
                    dlms_data.UnsignedIntegerData(row[1]),
                    *map(dlms_data.DoubleLongUnsignedData, row[2:]),
                ]
            )
            for row in rows
        ]
    )


def _encode(make: Callable[[Any], Any]) -> Callable[[], Task]:
    return lambda: Task(lambda attribute: make(attribute).to_bytes(), always(_ATTRIBUTE))


def _mask(conformance: Any) -> int:
    return int.from_bytes(conformance.to_bytes()[-3:], "big")


def _aarq_truth(aarq: Any) -> Any:
    initiate = aarq.user_information.content
    return {
        "mechanism": aarq.authentication.value,
        "password": aarq.authentication_value,
        "conformance": _mask(initiate.proposed_conformance),
        "max_receive_pdu_size": initiate.client_max_receive_pdu_size,
    }


def _aare_truth(aare: Any) -> Any:
    initiate = aare.user_information.content
    return {
        "result": aare.result.value,
        "conformance": _mask(initiate.negotiated_conformance),
        "max_receive_pdu_size": initiate.server_max_receive_pdu_size,
    }


def _connection() -> Any:
    return DlmsConnection.with_pre_established_association(
        Conformance(),
        global_encryption_key=samples.ENCRYPTION_KEY,
        global_authentication_key=samples.AUTHENTICATION_KEY,
        client_invocation_counter=1,
        meter_invocation_counter=0,
        client_system_title=samples.CLIENT_TITLE,
        meter_system_title=samples.METER_TITLE,
    )


def _protect(size: int) -> Callable[[], Task]:
    """Its general-glo-ciphering writes one length octet and so raises beyond 255; the frame is put around it here."""

    def make() -> Task:
        connection = _connection()
        head = b"\xdb\x08" + samples.CLIENT_TITLE
        control = connection.security_control.to_bytes()
        framed = samples.length(size + 5 + samples.TAG_LENGTH) + control

        def run(apdu: bytes) -> bytes:
            sealed, counter = connection.encrypt(apdu)
            return b"".join((head, framed, counter.to_bytes(4, "big"), sealed))

        return Task(run, always(samples.response_of(size)), samples.opened)

    return make


def _unprotect(size: int) -> Callable[[], Task]:
    def make() -> Task:
        state: dict[str, Any] = {}

        def arguments(n: int) -> list[bytes]:
            state["connection"] = _connection()
            return samples.protected_series(size, n, general=True)

        def run(octets: bytes) -> Any:
            connection = state["connection"]
            apdu = xdlms.GeneralGlobalCipher.from_bytes(octets)
            connection.update_meter_invocation_counter(apdu.invocation_counter)
            return connection.decrypt(apdu.ciphered_text)

        return Task(run, arguments, bytes)

    return make


def _build_frame(size: int) -> Callable[[], Task]:
    meter = HdlcAddress(samples.METER_ADDRESS, address_type="server")
    client = HdlcAddress(samples.CLIENT_ADDRESS, address_type="client")

    def run(information: bytes) -> bytes:
        return bytes(InformationFrame(meter, client, information, receive_sequence_number=1).to_bytes())

    return lambda: Task(run, always(samples.hdlc_information(size)))


def _parse_frame(size: int) -> Callable[[], Task]:
    information = samples.hdlc_information(size)
    octets = samples.hdlc_frame(samples.CLIENT_ADDRESS, samples.METER_ADDRESS, samples.HDLC_I_FRAME, information)
    return lambda: Task(lambda octets: InformationFrame.from_bytes(octets).information, always(octets))


def _client(address: Address, kind: Any = TcpTransport, **settings: Any) -> Any:
    host, port = address
    transport = kind(client_logical_address=16, server_logical_address=1, io=BlockingTcpIO(host, port))
    return DlmsClient(transport=transport, authentication=NoSecurityAuthentication(), **settings)


def _asking(client: Any, run: Callable[[Any], Any], argument: Any, plain: Callable[[Any], Any] = same) -> Task:
    """A task on an association, which is opened and closed here."""
    client.connect()
    client.associate()

    def close() -> None:
        client.release_association()
        client.disconnect()

    return Task(run, always(argument), plain, close)


def _get(address: Address, kind: Any = TcpTransport) -> Callable[[], Task]:
    def make() -> Task:
        client = _client(address, kind)
        return _asking(client, lambda attribute: parse_as_dlms_data(client.get(attribute)), _ATTRIBUTE)

    return make


def _profile(address: Address, pdu_size: int, decode: Callable[[bytes], Any]) -> Callable[[], Task]:
    name = cosem.Obis.from_bytes(samples.PROFILE_LOGICAL_NAME)
    buffer = cosem.CosemAttribute(enumerations.CosemInterface.PROFILE_GENERIC, name, 2)

    def make() -> Task:
        client = _client(address, max_pdu_size=pdu_size)
        return _asking(client, lambda attribute: decode(client.get(attribute)), buffer, with_bytes)

    return make


def _listed(address: Address) -> Callable[[], Task]:
    """By GET with list: it has no ACCESS."""

    def make() -> Task:
        client = _client(address)
        names = map(cosem.Obis.from_bytes, samples.ACCESSED)
        wanted = [
            cosem.CosemAttributeWithSelection(cosem.CosemAttribute(enumerations.CosemInterface.DATA, name, 2), None)
            for name in names
        ]
        return _asking(client, lambda wanted: client.get_many(wanted).result, wanted)

    return make


def _associate(address: Address) -> Callable[[], Task]:
    def run(_: None) -> bool:
        with _client(address).session() as client:
            return bool(client.dlms_connection.state.current_state.__name__ == "READY")

    return lambda: Task(run, always(None))


def contender(address: Address) -> Contender:
    """How dlms-cosem does each workload; `address` is where the responder listens."""
    # As delivered it prints every APDU; silenced here, since nobody would use it so for speed.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL), cache_logger_on_first_use=True
    )
    even = samples.encoded_rows(samples.even_rows(1000))
    value = dlms_data.DoubleLongUnsignedData(samples.REGISTER_VALUE).to_bytes()
    zero = dlms_data.IntegerData(0).to_bytes()
    typed = _typed(samples.even_rows(1000))

    def _action(_: Any) -> Any:
        return xdlms.ActionRequestNormal(cosem_method=_METHOD, data=zero, invoke_id_and_priority=_INVOKE_ID)

    tasks: dict[str, Callable[[], Task]] = {
        "decode-profile-1000-rows": decoding(parse_as_dlms_data, even, with_bytes),
        "decode-profile-1000-columns": decoding(_columns, even, with_bytes),
        "decode-profile-100000-columns": decoding(
            _columns, samples.encoded_rows(samples.even_rows(100_000)), with_bytes
        ),
        "decode-uneven-1000-rows": decoding(
            parse_as_dlms_data, samples.encoded_rows(samples.uneven_rows(1000)), with_bytes
        ),
        "encode-profile-1000-rows": lambda: Task(lambda array: array.to_bytes(), always(typed), bytes),
        "decode-get-response": decoding(
            lambda octets: parse_as_dlms_data(XDlmsApduFactory.apdu_from_bytes(octets).data), samples.GET_RESPONSE, int
        ),
        "decode-aarq": decoding(XDlmsApduFactory.apdu_from_bytes, samples.AARQ, _aarq_truth),
        "decode-aare": decoding(XDlmsApduFactory.apdu_from_bytes, samples.AARE, _aare_truth),
        "encode-get-request": _encode(lambda attribute: xdlms.GetRequestNormal(cosem_attribute=attribute)),
        "encode-set-request": _encode(lambda attribute: xdlms.SetRequestNormal(cosem_attribute=attribute, data=value)),
        "encode-action-request": _encode(_action),
        "protect-64": _protect(64),
        "protect-1024": _protect(1024),
        "unprotect-64": _unprotect(64),
        "unprotect-1024": _unprotect(1024),
        **{f"hdlc-build-{size}": _build_frame(size) for size in samples.HDLC_SIZES},
        **{f"hdlc-parse-{size}": _parse_frame(size) for size in samples.HDLC_SIZES},
        "get-tcp-blocking": _get(address),
        "get-tcp-asyncio": _get(address),
        "get-hdlc-tcp": _get(address, HdlcTransport),
        "association-tcp": _associate(address),
        **{
            f"profile-{name}-{form}-tcp": _profile(address, size, decode)
            for name, size in samples.PDU_SIZES.items()
            for form, decode in (("rows", parse_as_dlms_data), ("columns", _columns))
        },
        "access-50-tcp": _listed(address),
    }
    stream = "has no reader of streams"
    declined = {"hdlc-stream-octets": stream, "hdlc-stream-chunks": stream}
    return Contender(NAME, version(NAME), tasks, declined)
