"""Hypothesis strategies for Data and for every declared APDU, drawn from what the declarations say.

``typed_data()`` draws typed values of every type, compact-arrays with nested members included; ``objects(kind)`` draws
objects of a declared class by walking its fields.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from enum import IntEnum
from functools import cache
from typing import Any

from hypothesis import strategies as st

from cosemic import apdu
from cosemic.codec import (
    DONT_CARE,
    BerSequence,
    Choice,
    CompactArray,
    DataType,
    EncodedData,
    ObjectIdentifier,
    Sequence,
    TypeDescription,
    encode_data,
)
from cosemic.codec import constructed as c
from cosemic.codec import wire as w
from cosemic.codec.data_type import FIXED_FORMAT
from cosemic.values import (
    ApplicationContext,
    AssociationResult,
    AuthenticationMechanism,
    BitString,
    Conformance,
    Date,
    DateTime,
    ProviderDiagnostic,
    ReleaseRequestReason,
    ReleaseResponseReason,
    ServiceError,
    Time,
    UserDiagnostic,
)

Strategy = st.SearchStrategy[Any]

CONTAINERS = (DataType.ARRAY, DataType.STRUCTURE, DataType.COMPACT_ARRAY)
PLAIN = tuple(kind for kind in DataType if kind not in CONTAINERS)
bits = st.text("01", max_size=20).map(BitString)


def _float(size: str) -> Strategy:
    # Drawn as octets, so that infinities, zeros of both signs and quiet NaNs of any payload are met; what CPython does
    # to the octets of a signalling NaN depends on the processor.
    octets = st.binary(min_size=struct.calcsize(size), max_size=struct.calcsize(size))
    values = octets.map(lambda raw: float(struct.unpack(">" + size, raw)[0]))
    return values.filter(lambda value: not math.isnan(value)) | st.sampled_from([math.nan, math.inf, -0.0])


def plain_values(kind: DataType) -> Strategy:
    """Values of a type that is no container."""
    stamps = {DataType.DATE_TIME: (DateTime, 12), DataType.DATE: (Date, 5), DataType.TIME: (Time, 4)}
    if kind in stamps:
        make, size = stamps[kind]
        return st.binary(min_size=size, max_size=size).map(make)
    match kind:
        case DataType.NULL_DATA:
            return st.none()
        case DataType.DONT_CARE:
            return st.just(DONT_CARE)
        case DataType.BOOLEAN:
            return st.booleans()
        case DataType.OCTET_STRING:
            return st.binary(max_size=20) | st.binary(min_size=127, max_size=130)
        case DataType.VISIBLE_STRING:
            return st.text(st.characters(max_codepoint=255), max_size=20)
        case DataType.UTF8_STRING:
            return st.text(max_size=20)
        case DataType.BIT_STRING:
            return bits
        case DataType.FLOATING_POINT | DataType.FLOAT32 | DataType.FLOAT64:
            return _float(FIXED_FORMAT[kind])
    size = struct.calcsize(FIXED_FORMAT[kind])
    if FIXED_FORMAT[kind].islower():
        return st.integers(-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1)
    return st.integers(0, (1 << 8 * size) - 1)


def plain_data() -> Strategy:
    """Typed values that are no containers."""
    return st.sampled_from(PLAIN).flatmap(lambda kind: st.tuples(st.just(kind), plain_values(kind)))


def descriptions(depth: int = 2) -> Strategy:
    """TypeDescriptions."""
    simple = st.sampled_from(PLAIN).map(TypeDescription)
    if depth == 0:
        return simple
    inner = descriptions(depth - 1)
    structures = st.lists(inner, max_size=4).map(lambda found: TypeDescription(DataType.STRUCTURE, tuple(found)))
    arrays = st.tuples(inner, st.integers(0, 3)).map(lambda d: TypeDescription(DataType.ARRAY, (d[0],), d[1]))
    return simple | structures | arrays


def described(description: TypeDescription) -> Strategy:
    """Typed values of one description."""
    if description.type not in CONTAINERS:
        return st.tuples(st.just(description.type), plain_values(description.type))
    members = description.elements
    if description.type is DataType.ARRAY:
        members *= description.count
    return st.tuples(st.just(description.type), st.tuples(*map(described, members)))


def compact_arrays() -> Strategy:
    """Typed compact-arrays."""

    def of(description: TypeDescription) -> Strategy:
        most = 5 if description.has_width() else 0
        elements = st.lists(described(description), max_size=most)
        return elements.map(lambda found: (DataType.COMPACT_ARRAY, CompactArray(found, description)))

    return descriptions().flatmap(of)


@cache
def typed_data() -> Strategy:
    """Typed values of every type, nested."""
    return st.recursive(
        plain_data() | compact_arrays(),
        lambda inner: st.tuples(
            st.sampled_from([DataType.ARRAY, DataType.STRUCTURE]), st.lists(inner, max_size=4).map(tuple)
        ),
        max_leaves=8,
    )


@cache
def encoded_data() -> Strategy:
    """EncodedData."""
    return typed_data().map(lambda typed: EncodedData(encode_data(typed)))


@cache
def rows(most: int = 60) -> Strategy:
    """Uniform arrays of structures with nested members, as (typed array of at least eight rows)."""
    member = st.sampled_from([kind for kind in PLAIN if kind is not DataType.UTF8_STRING])

    def of(kinds: list[DataType], count: int, size: int) -> Strategy:
        fixed = {
            DataType.OCTET_STRING: st.binary(min_size=size, max_size=size),
            DataType.VISIBLE_STRING: st.text("abcÿ", min_size=size, max_size=size),
            DataType.BIT_STRING: st.text("01", min_size=size, max_size=size).map(BitString),
        }
        row = st.tuples(*(st.tuples(st.just(k), fixed[k] if k in fixed else plain_values(k)) for k in kinds))
        structure = row.map(lambda values: (DataType.STRUCTURE, values))
        return st.lists(structure, min_size=3, max_size=3).map(
            lambda few: (DataType.ARRAY, tuple(few[n % 3] for n in range(count)))
        )

    shape = st.tuples(st.lists(member, min_size=1, max_size=6), st.integers(8, most), st.integers(0, 12))
    return shape.flatmap(lambda drawn: of(*drawn))


# ---- declared classes -----------------------------------------------------------------------------------------------

SEQUENCES: tuple[type[Sequence], ...] = tuple(
    kind
    for kind in vars(apdu).values()
    if isinstance(kind, type) and issubclass(kind, Sequence) and kind is not Sequence
)
"""Every declared SEQUENCE of the room, those that only stand in others too."""

BER_SEQUENCES: tuple[type[BerSequence], ...] = (apdu.AARQ, apdu.AARE, apdu.RLRQ, apdu.RLRE)

APDUS: tuple[type[Any], ...] = (
    *(kind for top in apdu.COSEM_PDU for kind in (top.by_number.values() if issubclass(top, Choice) else (top,))),
    apdu.ServiceSpecificCiphering,
)
"""Every class that :func:`cosemic.apdu.decode` can give."""


FEW = tuple(
    EncodedData(bytes.fromhex(text))
    for text in ("00", "0202 1101 0102 0000", "13 0202 1206 06 0001 00000010", "0c02 c3a4")
)
"""Data that stands inside APDUs; nested values have tests of their own."""


def _numbers(format: str) -> Strategy:
    size = struct.calcsize(">" + format)
    if format == "?":
        return st.booleans()
    if format.endswith("s"):
        return st.binary(min_size=size, max_size=size)
    if format.islower():
        return st.integers(-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1)
    return st.integers(0, (1 << 8 * size) - 1)


def _hooked(wire: w.Hook) -> Strategy:
    kinds: dict[type, Strategy] = {
        Conformance: st.integers(0, (1 << 24) - 1).map(Conformance),
        tuple: st.tuples(st.integers(0, 255).filter(lambda n: n != 6), st.none())
        | st.tuples(st.just(ServiceError.INVOCATION_COUNTER_ERROR), st.integers(0, (1 << 32) - 1)),
        bytes: st.binary(max_size=14) | st.binary(min_size=12, max_size=12),
    }
    return kinds[wire.python[0]]


def of_wire(wire: w.Wire) -> Strategy:
    """Values that a declared type can stand for."""
    simple: dict[type, Callable[[Any], Strategy]] = {
        w.Fixed: _fixed,
        w.OctetString: lambda one: (
            st.binary(max_size=20) if one.size is None else st.binary(min_size=one.size, max_size=one.size)
        ),
        w.Rest: lambda one: st.binary(max_size=20),
        w.DataWire: lambda one: st.sampled_from(FEW) | plain_data().map(EncodedData.from_typed),
        w.Optional: lambda one: st.none() | of_wire(one.inner),
        w.Default: lambda one: st.just(one.default) | of_wire(one.inner),
        w.SequenceOf: lambda one: st.lists(of_wire(one.inner), max_size=4).map(tuple),
        w.Hook: _hooked,
        c.NullWire: lambda one: st.none(),
        c.SequenceWire: lambda one: objects(one.cls),
        c.ByTypeWire: lambda one: st.one_of([of_wire(inner) for _, inner in one.by_name.values()]),
        c.TaggedWire: lambda one: st.one_of(
            [st.builds(one.cls, st.just(name), of_wire(inner)) for name, (_, inner) in one.by_name.items()]
        ),
    }
    return simple[type(wire)](wire)


def _fixed(wire: Any) -> Strategy:
    if wire.what == "tag":
        return st.sampled_from(sorted(apdu.PLAIN))
    numbers = _numbers(wire._format)
    if wire._table is not None:
        return numbers.map(lambda number: wire._table[number])
    return numbers if wire._make is None else numbers.map(wire._make)


@cache
def objects(kind: type[Any]) -> Strategy:
    """Objects of a declared class."""
    if issubclass(kind, BerSequence):
        return _ber_objects(kind)
    fields = [of_wire(wire) for wire in kind.wire.fields.values()]
    return st.builds(kind, *fields)


def _named(names: type[IntEnum]) -> Strategy:
    return st.sampled_from(sorted(names))


_IDENTIFIERS = st.lists(st.integers(0, 127), min_size=1, max_size=10).map(lambda arcs: ObjectIdentifier(bytes(arcs)))
_AUTHENTICATION = st.binary(max_size=140).map(apdu.AuthenticationValue) | st.binary(max_size=70).map(
    apdu.AuthenticationBits
)
_BER_FIELDS: dict[str, Strategy] = {
    "application_context_name": _named(ApplicationContext) | _IDENTIFIERS,
    "mechanism_name": _named(AuthenticationMechanism) | _IDENTIFIERS,
    "protocol_version": bits,
    "sender_acse_requirements": bits,
    "responder_acse_requirements": bits,
    "calling_authentication_value": _AUTHENTICATION,
    "responding_authentication_value": _AUTHENTICATION,
    "implementation_information": st.text(st.characters(max_codepoint=255), max_size=20),
    "result": _named(AssociationResult) | st.integers(3, 300),
    "result_source_diagnostic": st.builds(
        apdu.ResultSourceDiagnostic, st.just("acse_service_user"), _named(UserDiagnostic) | st.integers(15, 300)
    )
    | st.builds(apdu.ResultSourceDiagnostic, st.just("acse_service_provider"), _named(ProviderDiagnostic)),
}


def _ber_objects(kind: type[BerSequence]) -> Strategy:
    required: dict[str, Strategy] = {}
    optional: dict[str, Strategy] = {}
    for name, mark in kind._marks.items():
        if name == "reason":
            strategy = _named(ReleaseRequestReason if kind is apdu.RLRQ else ReleaseResponseReason)
        elif name in _BER_FIELDS:
            strategy = _BER_FIELDS[name]
        elif name.endswith("_invocation_id"):
            strategy = st.integers(-(1 << 31), 1 << 31)
        else:
            strategy = st.binary(max_size=140)
        (optional if mark.optional else required)[name] = strategy
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: kind(**fields))


@cache
def apdus() -> Strategy:
    """Objects of every class that is an APDU."""
    return st.sampled_from(APDUS).flatmap(objects)


@st.composite
def mutated(draw: st.DrawFn, octets: Strategy) -> bytes:
    """Octets with some replaced, cut out, put in, or cut off."""
    buffer = bytearray(draw(octets))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(buffer)))
        match draw(st.integers(0, 3)):
            case 0 if at < len(buffer):
                buffer[at] = draw(st.integers(0, 255) | st.sampled_from([0, 1, 2, 9, 19, 127, 128, 129, 132, 255]))
            case 1:
                del buffer[at : at + draw(st.integers(1, 4))]
            case 2:
                buffer[at:at] = draw(st.binary(max_size=4))
            case _:
                del buffer[at:]
    return bytes(buffer)


__all__ = [
    "APDUS",
    "BER_SEQUENCES",
    "SEQUENCES",
    "apdus",
    "compact_arrays",
    "encoded_data",
    "mutated",
    "objects",
    "rows",
    "typed_data",
]
