"""Strategies for octets of APDUs, made from the declarations: every class, form and alternative comes up."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from cosemic import apdu
from cosemic.codec import BerSequence, Choice, DataType, ObjectIdentifier, encode_data, encode_length
from cosemic.codec import wire as w
from cosemic.codec.constructed import ChoiceWire, NullWire, SequenceWire
from cosemic.values import BitString

_FORMATS = {
    DataType.DOUBLE_LONG: 4, DataType.DOUBLE_LONG_UNSIGNED: 4, DataType.BCD: 1, DataType.INTEGER: 1, DataType.LONG: 2,
    DataType.UNSIGNED: 1, DataType.LONG_UNSIGNED: 2, DataType.LONG64: 8, DataType.LONG64_UNSIGNED: 8, DataType.ENUM: 1,
    DataType.FLOATING_POINT: 4, DataType.FLOAT32: 4, DataType.FLOAT64: 8, DataType.DATE_TIME: 12, DataType.DATE: 5,
    DataType.TIME: 4,
    DataType.DELTA_INTEGER: 1, DataType.DELTA_LONG: 2, DataType.DELTA_DOUBLE_LONG: 4, DataType.DELTA_UNSIGNED: 1,
    DataType.DELTA_LONG_UNSIGNED: 2, DataType.DELTA_DOUBLE_LONG_UNSIGNED: 4, DataType.BOOLEAN: 1, DataType.NULL_DATA: 0,
    DataType.DONT_CARE: 0,
}  # fmt: skip


def sized(octets: bytes) -> bytes:
    """Octets with their length in front."""
    return encode_length(len(octets)) + octets


def _of_size(kind: DataType, size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size).map(lambda octets: bytes((kind,)) + octets)


_STRINGS = st.binary(max_size=14)
_LEAVES = st.one_of(
    *(_of_size(kind, size) for kind, size in _FORMATS.items()),
    _STRINGS.map(lambda octets: b"\x09" + sized(octets)),
    _STRINGS.map(lambda octets: b"\x0a" + sized(octets)),
    st.text(max_size=6).map(lambda text: b"\x0c" + sized(text.encode())),
    st.text("01", max_size=19).map(lambda bits: encode_data((DataType.BIT_STRING, bits))),
    st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=4)), max_size=4).map(
        lambda rows: b"\x13\x02\x02\x12\x09" + sized(b"".join(n.to_bytes(2) + sized(o) for n, o in rows))
    ),
)
DATA = st.recursive(
    _LEAVES,
    lambda inner: st.tuples(st.sampled_from((1, 2)), st.lists(inner, max_size=4)).map(
        lambda pair: bytes((pair[0], len(pair[1]))) + b"".join(pair[1])
    ),
    max_leaves=8,
)

_DATE_TIME = st.binary(min_size=12, max_size=12)
_PROTECTED = st.tuples(
    st.sampled_from((0x00, 0x10, 0x20, 0x30, 0x31, 0x32, 0x70, 0xB1)), st.binary(min_size=16, max_size=40)
).map(lambda pair: bytes((pair[0],)) + pair[1])
_HOOKS = {
    "date_time": st.one_of(st.just(b"\x00"), _DATE_TIME.map(sized), _DATE_TIME.map(lambda d: b"\x09" + sized(d))),
    "time": st.one_of(st.just(b"\x00"), _DATE_TIME.map(lambda d: b"\x01" + sized(d))),
    "current_time": st.one_of(
        st.just(b"\x00"),
        _DATE_TIME.map(sized),
        st.sampled_from((b"20261120143000Z", b"202611201430", b"")).map(lambda text: b"\x01" + sized(text)),
    ),
    "proposed_conformance": st.binary(min_size=3, max_size=3).map(lambda bits: b"\x5f\x1f\x04\x00" + bits),
    "service_error": st.one_of(
        st.integers(0, 255).filter(lambda code: code != 6).map(lambda code: bytes((code,))),
        st.binary(min_size=4, max_size=4).map(lambda counter: b"\x06" + counter),
    ),
}
_HOOKS["negotiated_conformance"] = _HOOKS["proposed_conformance"]


def _wire(wire: Any, field: str) -> st.SearchStrategy[bytes]:
    if isinstance(wire, SequenceWire):
        return _joined(*(_wire(inner, name) for name, inner in wire.fields.items()))
    if isinstance(wire, ChoiceWire):
        return st.one_of(
            *(
                _wire(inner, name).map(lambda o, n=number: bytes((n,)) + o)
                for name, (number, inner) in wire.by_name.items()
            )
        )
    if isinstance(wire, w.Hook):
        return _HOOKS[field]
    if isinstance(wire, w.Optional | w.Default):
        return st.one_of(st.just(b"\x00"), _wire(wire.inner, field).map(lambda octets: b"\x01" + octets))
    if isinstance(wire, w.SequenceOf):
        return st.lists(_wire(wire.inner, field), max_size=3).map(lambda found: bytes((len(found),)) + b"".join(found))
    if isinstance(wire, w.DataWire):
        return DATA
    if isinstance(wire, w.OctetString):
        return _octet_string(field)
    if isinstance(wire, NullWire):
        return st.just(b"")
    assert isinstance(wire, w.Fixed), wire
    size = wire._struct.size
    if field == "tag":
        return st.sampled_from([bytes((tag,)) for tag in apdu.PLAIN])
    return st.binary(min_size=size, max_size=size)


def _octet_string(field: str) -> st.SearchStrategy[bytes]:
    if field == "ciphered_content":
        return _PROTECTED.map(sized)
    if field == "content":
        return st.one_of(st.binary(max_size=8), st.deferred(lambda: APDUS)).map(sized)
    if field.endswith("system_title"):
        return st.one_of(st.just(b"\x00"), st.binary(min_size=8, max_size=8).map(sized))
    return st.binary(max_size=12).map(sized)


def _joined(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*parts).map(b"".join)


_XDLMS_FOR_ACSE = st.deferred(lambda: st.one_of(*_INITIATE))
_ACSE_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "protocol_version": st.text("01", max_size=9).map(BitString),
    "requirements": st.text("01", max_size=9).map(BitString),
    "context_name": st.one_of(st.integers(1, 4), st.just(ObjectIdentifier(bytes.fromhex("60857405080109")))),
    "mechanism_name": st.one_of(st.integers(0, 7), st.just(ObjectIdentifier(bytes.fromhex("6085740508020a")))),
    "authentication_value": st.binary(max_size=12).flatmap(
        lambda octets: st.sampled_from((apdu.AuthenticationValue(octets), apdu.AuthenticationBits(octets)))
    ),
    "invocation_id": st.integers(0, 300),
    "result": st.integers(0, 9),
    "reason": st.integers(0, 40),
    "diagnostic": st.builds(
        apdu.ResultSourceDiagnostic,
        st.sampled_from(("acse_service_user", "acse_service_provider")),
        st.integers(0, 20),
    ),
    "implementation_information": st.text(st.characters(max_codepoint=255), max_size=6),
    "user_information": _XDLMS_FOR_ACSE,
}
_ACSE_NEEDED = ("application_context_name", "result", "result_source_diagnostic")


def _acse(kind: type[BerSequence]) -> st.SearchStrategy[bytes]:
    fields = {}
    for name in kind.__fields__:
        value = next((found for end, found in _ACSE_FIELDS.items() if name.endswith(end)), st.binary(max_size=9))
        fields[name] = value if name in _ACSE_NEEDED else st.none() | value
    return st.fixed_dictionaries(fields).map(lambda given: kind(**given).encode())


def _of_class(kind: Any) -> list[st.SearchStrategy[bytes]]:
    if issubclass(kind, Choice):
        return [found for form in kind.by_number.values() for found in _of_class(form)]
    if issubclass(kind, BerSequence):
        return [_acse(kind)]
    return [_wire(kind.wire, "").map(lambda octets: kind.prefix + octets)]


_GATEWAYS = (apdu.GatewayRequest, apdu.GatewayResponse)
_INITIATE = [
    found
    for kind in (apdu.InitiateRequest, apdu.InitiateResponse, apdu.ConfirmedServiceError, apdu.ServiceSpecificCiphering)
    for found in _of_class(kind)
]
APDUS = st.one_of(
    *(
        found
        for kind in (*apdu.COSEM_PDU, apdu.ServiceSpecificCiphering)
        if kind not in _GATEWAYS
        for found in _of_class(kind)
    )
)
