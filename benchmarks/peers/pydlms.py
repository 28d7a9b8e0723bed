"""pydlms-client: `decode_data`, `xdlms`, `security.ciphering`, `hdlc.framing` and `DlmsClient`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from pydlms import DlmsClient, DlmsData, ObisCode, SecurityContext, decode_data, encode_data
from pydlms.apdu import xdlms
from pydlms.apdu.acse import AARE, AARQ
from pydlms.client import AccessGet
from pydlms.hdlc.address import HdlcAddress
from pydlms.hdlc.framing import FrameReader, HdlcFrame, control_i, decode_frame, encode_frame
from pydlms.security.ciphering import unwrap, wrap

from benchmarks import samples
from benchmarks.contender import Contender, Task, always, decoding
from benchmarks.responder import Address

NAME = "pydlms-client"
_REGISTER = ObisCode.from_bytes(samples.REGISTER_LOGICAL_NAME)


def _rows(octets: bytes) -> Any:
    return decode_data(octets)[0].to_python()


def _columns(octets: bytes) -> Any:
    return list(zip(*decode_data(octets)[0].to_python(), strict=True))


def _lists(columns: Any) -> Any:
    return [list(column) for column in columns]


def _typed(rows: samples.Rows) -> DlmsData:
    return DlmsData.array(
        [
            DlmsData.structure([DlmsData.octet_string(row[0]), DlmsData.uint8(row[1]), *map(DlmsData.uint32, row[2:])])
            for row in rows
        ]
    )


def _encode(make: Callable[[int], Any]) -> Callable[[], Task]:
    return lambda: Task(lambda invoke_id: make(invoke_id).to_bytes(), always(0xC1))


def _aarq(octets: bytes) -> Any:
    aarq = AARQ.from_bytes(octets)
    return aarq, xdlms.InitiateRequest.from_bytes(aarq.user_information)


def _aare(octets: bytes) -> Any:
    aare = AARE.from_bytes(octets)
    return aare, xdlms.InitiateResponse.from_bytes(aare.user_information)


def _aarq_truth(pair: Any) -> Any:
    aarq, initiate = pair
    return {
        "mechanism": aarq.mechanism,
        "password": aarq.calling_authentication_value,
        "conformance": int.from_bytes(initiate.conformance.to_bytes()[-3:], "big"),
        "max_receive_pdu_size": initiate.max_receive_pdu_size,
    }


def _aare_truth(pair: Any) -> Any:
    aare, initiate = pair
    return {
        "result": aare.result,
        "conformance": int.from_bytes(initiate.conformance.to_bytes()[-3:], "big"),
        "max_receive_pdu_size": initiate.max_receive_pdu_size,
    }


def _context() -> SecurityContext:
    return SecurityContext(
        samples.ENCRYPTION_KEY,
        samples.AUTHENTICATION_KEY,
        client_system_title=samples.CLIENT_TITLE,
        server_system_title=samples.METER_TITLE,
        invocation_counter=1,
    )


def _protect(size: int) -> Callable[[], Task]:
    def make() -> Task:
        context = _context()
        return Task(lambda apdu: wrap(context, apdu), always(samples.response_of(size)), samples.opened)

    return make


def _unprotect(size: int) -> Callable[[], Task]:
    def make() -> Task:
        state: dict[str, SecurityContext] = {}

        def arguments(n: int) -> list[bytes]:
            state["context"] = _context()
            return samples.protected_series(size, n, general=False)

        return Task(lambda apdu: unwrap(state["context"], apdu), arguments, lambda opened: opened.plaintext)

    return make


def _build_frame(size: int) -> Callable[[], Task]:
    meter, client = HdlcAddress(samples.METER_ADDRESS), HdlcAddress(samples.CLIENT_ADDRESS)

    def run(information: bytes) -> bytes:
        return encode_frame(HdlcFrame(meter, client, control_i(0, 1), information))

    return lambda: Task(run, always(samples.hdlc_information(size)))


def _parse_frame(size: int) -> Callable[[], Task]:
    information = samples.hdlc_information(size)
    octets = samples.hdlc_frame(samples.CLIENT_ADDRESS, samples.METER_ADDRESS, samples.HDLC_I_FRAME, information)
    return lambda: Task(lambda octets: decode_frame(octets).info, always(octets))


def _read_stream(pieces: list[bytes]) -> Callable[[], Task]:
    def run(pieces: list[bytes]) -> list[bytes]:
        feed = FrameReader().feed
        return [frame.info for piece in pieces for frame in feed(piece)]

    return lambda: Task(run, always(pieces))


def _get(address: Address, **framing: Any) -> Callable[[], Task]:
    def make() -> Task:
        client = DlmsClient.tcp(*address, client_sap=16, **framing).connect()
        return Task(lambda obis: client.get(obis, 3, 2).value, always(_REGISTER), close=client.close)

    return make


def _profile(address: Address, pdu_size: int, *, columns: bool) -> Callable[[], Task]:
    def make() -> Task:
        client = DlmsClient.tcp(*address, client_sap=16, max_receive_pdu_size=pdu_size).connect()

        def run(obis: ObisCode) -> Any:
            rows = client.get(obis, 7, 2).to_python()
            return list(zip(*rows, strict=True)) if columns else rows

        return Task(run, always(ObisCode.from_bytes(samples.PROFILE_LOGICAL_NAME)), _lists, client.close)

    return make


def _accessed(address: Address) -> Callable[[], Task]:
    """By ACCESS; its lists take fifteen times as long, since it measures the request anew for each entry."""

    def make() -> Task:
        client = DlmsClient.tcp(*address, client_sap=16, propose_access=True).connect()
        several = [AccessGet(ObisCode.from_bytes(name), 1, 2) for name in samples.ACCESSED]
        return Task(
            lambda several: [one.data.value for one in client.access(several)], always(several), close=client.close
        )

    return make


def _associate(address: Address) -> Callable[[], Task]:
    def run(_: None) -> bool:
        client = DlmsClient.tcp(*address, client_sap=16)
        client.connect()
        associated = client.association.state.name == "ASSOCIATED"
        client.close()
        return associated

    return lambda: Task(run, always(None))


def contender(address: Address) -> Contender:
    """How pydlms-client does each workload; `address` is where the responder listens."""
    even = samples.encoded_rows(samples.even_rows(1000))
    attribute = xdlms.AttributeDescriptor(3, _REGISTER, 2)
    method = xdlms.MethodDescriptor(3, _REGISTER, 1)
    value, zero = DlmsData.uint32(samples.REGISTER_VALUE), DlmsData.int8(0)
    typed = _typed(samples.even_rows(1000))
    tasks: dict[str, Callable[[], Task]] = {
        "decode-profile-1000-rows": decoding(_rows, even, list),
        "decode-profile-1000-columns": decoding(_columns, even, _lists),
        "decode-profile-100000-columns": decoding(_columns, samples.encoded_rows(samples.even_rows(100_000)), _lists),
        "decode-uneven-1000-rows": decoding(_rows, samples.encoded_rows(samples.uneven_rows(1000)), list),
        "encode-profile-1000-rows": lambda: Task(encode_data, always(typed)),
        "decode-get-response": decoding(
            lambda octets: xdlms.decode_apdu(octets).result.data.value, samples.GET_RESPONSE, int
        ),
        "decode-aarq": decoding(_aarq, samples.AARQ, _aarq_truth),
        "decode-aare": decoding(_aare, samples.AARE, _aare_truth),
        "encode-get-request": _encode(lambda invoke_id: xdlms.GetRequestNormal(invoke_id, attribute)),
        "encode-set-request": _encode(lambda invoke_id: xdlms.SetRequestNormal(invoke_id, attribute, value)),
        "encode-action-request": _encode(lambda invoke_id: xdlms.ActionRequestNormal(invoke_id, method, zero)),
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
        "get-hdlc-tcp": _get(address, hdlc=True, address_size=1),
        "association-tcp": _associate(address),
        **{
            f"profile-{name}-{form}-tcp": _profile(address, size, columns=form == "columns")
            for name, size in samples.PDU_SIZES.items()
            for form in ("rows", "columns")
        },
        "access-50-tcp": _accessed(address),
    }
    return Contender(NAME, version(NAME), tasks)
