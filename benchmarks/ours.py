"""Cosemic, by its public means: `EncodedData`, `apdu.decode`, `SecurityContext`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from benchmarks import samples
from benchmarks.contender import Contender, Task, always, decoding, same
from benchmarks.responder import Address
from cosemic import apdu
from cosemic.client import BlockingMeter, Meter, Read
from cosemic.codec import DataType, EncodedData
from cosemic.link.hdlc import FLAG, Control, HdlcAddress, HdlcStreamReader, decode_frame, encode_frame
from cosemic.model import AttributeReference
from cosemic.security import MemoryCounterStore, SecurityContext, SecurityMaterial
from cosemic.values import Obis, Secret
from cosemic.values.enumerations import FrameType

NAME = "cosemic"
_REGISTER = Obis(samples.REGISTER_LOGICAL_NAME)
_TYPES = (DataType.OCTET_STRING, DataType.UNSIGNED, *[DataType.DOUBLE_LONG_UNSIGNED] * 4)
_INVOKE_ID = apdu.InvokeIdAndPriority(0xC1)


def _lists(table: Any) -> Any:
    return [list(line) for line in table]


def _columns(table: Any) -> Any:
    """NumPy columns as lists: the values are the same, and compared outside of the timed part."""
    return [column.tolist() if hasattr(column, "tolist") else list(column) for column in table]


def _encode_rows(rows: samples.Rows) -> bytes:
    return EncodedData.from_rows(_TYPES, rows).octets


def _aarq(octets: bytes) -> Any:
    aarq = apdu.decode(octets)
    return aarq, apdu.decode(aarq.user_information)


def _aarq_truth(pair: Any) -> Any:
    aarq, initiate = pair
    return {
        "mechanism": int(aarq.mechanism_name),
        "password": bytes(aarq.calling_authentication_value),
        "conformance": int(initiate.proposed_conformance),
        "max_receive_pdu_size": initiate.client_max_receive_pdu_size,
    }


def _aare_truth(pair: Any) -> Any:
    aare, initiate = pair
    return {
        "result": int(aare.result),
        "conformance": int(initiate.negotiated_conformance),
        "max_receive_pdu_size": initiate.server_max_receive_pdu_size,
    }


def _context(store: MemoryCounterStore) -> SecurityContext:
    encryption_key = Secret(samples.ENCRYPTION_KEY, "encryption key")
    authentication_key = Secret(samples.AUTHENTICATION_KEY, "authentication key")
    material = SecurityMaterial.of(encryption_key, authentication_key)
    return SecurityContext(samples.CLIENT_TITLE, samples.METER_TITLE, material, store)


def _protect(size: int) -> Callable[[], Task]:
    def make() -> Task:
        context = _context(MemoryCounterStore())
        return Task(context.protect_apdu, always(samples.response_of(size)), samples.opened)

    return make


def _unprotect(size: int) -> Callable[[], Task]:
    def make() -> Task:
        state: dict[str, SecurityContext] = {}

        def arguments(n: int) -> list[bytes]:
            state["context"] = _context(MemoryCounterStore())
            return samples.protected_series(size, n, general=False)

        return Task(lambda octets: state["context"].unprotect_apdu(octets), arguments, lambda opened: opened.plaintext)

    return make


def _build_frame(size: int) -> Callable[[], Task]:
    meter, client = HdlcAddress(samples.METER_ADDRESS), HdlcAddress(samples.CLIENT_ADDRESS)

    def run(information: bytes) -> bytes:
        return encode_frame(meter, client, Control(FrameType.I, 0, 1), information, flags=FLAG)

    return lambda: Task(run, always(samples.hdlc_information(size)))


def _parse_frame(size: int) -> Callable[[], Task]:
    information = samples.hdlc_information(size)
    octets = samples.hdlc_frame(samples.CLIENT_ADDRESS, samples.METER_ADDRESS, samples.HDLC_I_FRAME, information)

    def run(octets: bytes) -> bytes | None:
        frame = decode_frame(octets[1:-1])
        return frame.information if frame.fcs_ok and frame.hcs_ok else None

    return lambda: Task(run, always(octets))


def _read_stream(pieces: list[bytes]) -> Callable[[], Task]:
    def run(pieces: list[bytes]) -> list[bytes]:
        receive = HdlcStreamReader().receive
        return [frame.information for piece in pieces for frame in receive(piece)]

    return lambda: Task(run, always(pieces))


def _url(address: Address, scheme: str = "tcp") -> str:
    host, port = address
    return f"{scheme}://{host}:{port}?client={samples.CLIENT_ADDRESS}&server={samples.METER_ADDRESS}"


def _get_blocking(url: str) -> Callable[[], Task]:
    def make() -> Task:
        meter = BlockingMeter.connect(url)
        meter.open()
        value = AttributeReference.of(3, _REGISTER, 2)
        return Task(lambda target: meter.get(target).value(), always(value), close=meter.close)

    return make


def _profile(address: Address, pdu_size: int, read: Callable[[EncodedData], Any], plain: Any) -> Callable[[], Task]:
    def make() -> Task:
        meter = BlockingMeter.connect(f"{_url(address)}&max_pdu={pdu_size}")
        meter.open()
        buffer = AttributeReference.of(7, Obis(samples.PROFILE_LOGICAL_NAME), 2)
        return Task(lambda target: read(meter.get(target)), always(buffer), plain, meter.close)

    return make


def _several(
    address: Address, wanted: Callable[[AttributeReference[Any]], Any], read: Callable[[BlockingMeter, Any], Any]
) -> Callable[[], Task]:
    """Several values: ``read`` gets the meter, and what is ``wanted`` for each."""

    def make() -> Task:
        meter = BlockingMeter.connect(_url(address))
        meter.open()
        several = [wanted(AttributeReference.of(1, Obis(name), 2)) for name in samples.ACCESSED]
        return Task(lambda several: read(meter, several), always(several), list, meter.close)

    return make


def _get_asyncio(address: Address) -> Callable[[], Task]:
    """All GETs of a repeat are awaited in one call of the event loop, as a collector does."""

    def make() -> Task:
        loop = asyncio.new_event_loop()
        meter = Meter.connect(_url(address))
        loop.run_until_complete(meter.open())
        target = AttributeReference.of(3, _REGISTER, 2)

        async def gets(count: int) -> Any:
            value: Any = None
            for _ in range(count):
                value = (await meter.get(target)).value()
            return value

        def close() -> None:
            loop.run_until_complete(meter.close())
            loop.close()

        return Task(lambda count: loop.run_until_complete(gets(count)), lambda count: [count], close=close)

    return make


def _associate(address: Address) -> Callable[[], Task]:
    def run(url: str) -> bool:
        with BlockingMeter.connect(url) as meter:
            return meter.opened is not None

    return lambda: Task(run, always(_url(address)))


def contender(address: Address) -> Contender:
    """How Cosemic does each workload; the argument is where the responder listens."""
    even = samples.encoded_rows(samples.even_rows(1000))
    attribute = apdu.CosemAttributeDescriptor(3, _REGISTER, 2)
    method = apdu.CosemMethodDescriptor(3, _REGISTER, 1)
    value = EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, samples.REGISTER_VALUE)
    zero = EncodedData.of(DataType.INTEGER, 0)
    rows = samples.even_rows(1000)
    tasks: dict[str, Callable[[], Task]] = {
        "decode-profile-1000-rows": decoding(lambda octets: EncodedData(octets).value(), even, _lists),
        "decode-profile-1000-columns": decoding(lambda octets: EncodedData(octets).columns(), even, _columns),
        "decode-profile-100000-columns": decoding(
            lambda octets: EncodedData(octets).columns(), samples.encoded_rows(samples.even_rows(100_000)), _columns
        ),
        "decode-uneven-1000-rows": decoding(
            lambda octets: EncodedData(octets).value(), samples.encoded_rows(samples.uneven_rows(1000)), _lists
        ),
        "encode-profile-1000-rows": lambda: Task(_encode_rows, always(rows)),
        "decode-get-response": decoding(lambda octets: apdu.decode(octets).result.value(), samples.GET_RESPONSE, int),
        "decode-aarq": decoding(_aarq, samples.AARQ, _aarq_truth),
        "decode-aare": decoding(_aarq, samples.AARE, _aare_truth),
        "encode-get-request": lambda: Task(
            lambda descriptor: apdu.GetRequestNormal(_INVOKE_ID, descriptor).encode(), always(attribute)
        ),
        "encode-set-request": lambda: Task(
            lambda descriptor: apdu.SetRequestNormal(_INVOKE_ID, descriptor, None, value).encode(), always(attribute)
        ),
        "encode-action-request": lambda: Task(
            lambda descriptor: apdu.ActionRequestNormal(_INVOKE_ID, descriptor, zero).encode(), always(method)
        ),
        "protect-64": _protect(64),
        "protect-1024": _protect(1024),
        "unprotect-64": _unprotect(64),
        "unprotect-1024": _unprotect(1024),
        **{f"hdlc-build-{size}": _build_frame(size) for size in samples.HDLC_SIZES},
        **{f"hdlc-parse-{size}": _parse_frame(size) for size in samples.HDLC_SIZES},
        "hdlc-stream-octets": _read_stream(samples.in_octets(samples.hdlc_stream())),
        "hdlc-stream-chunks": _read_stream(samples.in_chunks(samples.hdlc_stream())),
        "get-tcp-blocking": _get_blocking(_url(address)),
        "get-tcp-asyncio": _get_asyncio(address),
        "get-hdlc-tcp": _get_blocking(_url(address, "hdlc+tcp")),
        "association-tcp": _associate(address),
        **{
            f"profile-{name}-{form}-tcp": _profile(address, size, read, plain)
            for name, size in samples.PDU_SIZES.items()
            for form, read, plain in (("rows", EncodedData.value, _lists), ("columns", EncodedData.columns, _columns))
        },
        "access-50-tcp": _several(address, Read, BlockingMeter.access),
        samples.SINGLY: _several(address, same, lambda meter, several: [meter.get(one).value() for one in several]),
    }
    return Contender(NAME, version(NAME), tasks)
