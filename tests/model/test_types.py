"""Declared types: what they read, what they refuse, what they write."""

from __future__ import annotations

from enum import IntFlag
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from cosemic.codec import CompactArray, DataType, EncodedData, Typed, TypeDescription
from cosemic.errors import DecodeError, EncodeError
from cosemic.model import interface_classes
from cosemic.model.access_control import (
    AccessSelectors,
    ApplicationContextArcs,
    ApplicationContextName,
    AttributeAccessModeV0,
    AttributeAccessModeV3,
    ObjectListElementV0,
    UserListEntry,
    XDLMSContext,
)
from cosemic.model.common import CaptureObjectDefinition, ControlZero, RegisterValue, ScalerUnit, SimpleData
from cosemic.model.compound import (
    AnyData,
    ArrayOf,
    Choice,
    CompactArrayOf,
    Structure,
    StructureOf,
    Unverified,
    field,
)
from cosemic.model.data_storage import ProfileBuffer, SortMethod
from cosemic.model.enumerated import BitsOf, EnumOf
from cosemic.model.formats import (
    DateOctets,
    DateTimeData,
    DateTimeOctets,
    LogicalName,
    SystemTitle,
    TimeOctets,
    UnitCode,
)
from cosemic.model.time import ClockStatusBits
from cosemic.model.types import (
    BitStringData,
    Boolean,
    CosemType,
    DoubleLongUnsigned,
    Enum,
    Float32,
    Integer,
    Long,
    LongUnsigned,
    NullData,
    Number,
    OctetString,
    Reading,
    Unsigned,
    Utf8String,
    VisibleString,
)
from cosemic.values import BitString, ClockStatus, Conformance, Date, DateTime, Obis, Time, Unit
from tests.vectors import octets, record

D = DataType
NOW = bytes.fromhex("07ea0b14050e1e0000ffc400")
CLOCK = bytes.fromhex("0000010000ff")


def typed_structure(*elements: Typed) -> Typed:
    return D.STRUCTURE, elements


def capture_object(*more: Typed) -> Typed:
    return typed_structure((D.LONG_UNSIGNED, 8), (D.OCTET_STRING, CLOCK), (D.INTEGER, 2), (D.LONG_UNSIGNED, 0), *more)


FORMS: list[tuple[CosemType[Any], Typed, Any]] = [
    (NullData, (D.NULL_DATA, None), None),
    (Boolean, (D.BOOLEAN, True), True),
    (Unsigned, (D.UNSIGNED, 255), 255),
    (Long.within(-900, 900), (D.LONG, -900), -900),
    (ControlZero, (D.INTEGER, 0), 0),
    (Float32, (D.FLOAT32, 1.5), 1.5),
    (OctetString, (D.OCTET_STRING, b"\x01\x02"), b"\x01\x02"),
    (OctetString[0, 16], (D.OCTET_STRING, b""), b""),
    (OctetString[1:], (D.OCTET_STRING, b"any"), b"any"),
    (SystemTitle[8], (D.OCTET_STRING, b"KFM12345"), b"KFM12345"),
    (VisibleString[3], (D.VISIBLE_STRING, "abc"), "abc"),
    (Utf8String, (D.UTF8_STRING, "Zähler"), "Zähler"),
    (BitStringData[4], (D.BIT_STRING, BitString("1010")), BitString("1010")),
    (LogicalName, (D.OCTET_STRING, CLOCK), Obis("0-0:1.0.0*255")),
    (DateTimeOctets, (D.OCTET_STRING, NOW), DateTime(NOW)),
    (DateTimeData, (D.DATE_TIME, DateTime(NOW)), DateTime(NOW)),
    (DateOctets, (D.OCTET_STRING, NOW[:5]), Date(NOW[:5])),
    (TimeOctets, (D.OCTET_STRING, NOW[5:9]), Time(NOW[5:9])),
    (EnumOf(SortMethod), (D.ENUM, 2), SortMethod.LIFO),
    (ClockStatusBits, (D.UNSIGNED, 0x81), ClockStatus.INVALID_VALUE | ClockStatus.DAYLIGHT_SAVING_ACTIVE),
    (BitsOf(Enum, AttributeAccessModeV3), (D.ENUM, 3), AttributeAccessModeV3(3)),
    (ScalerUnit, typed_structure((D.INTEGER, -3), (D.ENUM, 30)), ScalerUnit(-3, Unit(30))),
    (CaptureObjectDefinition, capture_object(), CaptureObjectDefinition(8, Obis(CLOCK), 2, 0)),
    (ArrayOf(Unsigned), (D.ARRAY, ((D.UNSIGNED, 1), (D.UNSIGNED, 2))), (1, 2)),
    (AccessSelectors, (D.NULL_DATA, None), None),
    (AccessSelectors, (D.ARRAY, ((D.INTEGER, 1),)), (1,)),
    (RegisterValue, (D.OCTET_STRING, b"x"), b"x"),
]


@pytest.mark.parametrize(("declared", "typed", "value"), FORMS, ids=lambda form: str(form)[:40])
def test_what_is_declared_is_read_without_deviation_and_written_back(
    declared: CosemType[Any], typed: Typed, value: Any
) -> None:
    assert declared.decode(typed) == value
    assert type(declared.decode(typed)) is type(value)
    assert declared.encode(value) == typed
    tolerant = Reading()
    assert declared.decode(typed, tolerant) == value
    assert tolerant.deviations == []


@pytest.mark.parametrize(
    ("declared", "typed", "value", "deviation"),
    [
        (LongUnsigned, (D.UNSIGNED, 7), 7, "long-unsigned expected, unsigned found"),
        (Enum, (D.UNSIGNED, 7), 7, "enum expected, unsigned found"),
        (Long.within(-900, 900), (D.LONG, 901), 901, "long(-900..900) expected, 901 found"),
        (DoubleLongUnsigned.within(1), (D.DOUBLE_LONG_UNSIGNED, 0), 0, "double-long-unsigned(1..) expected, 0 found"),
        (ControlZero, (D.INTEGER, 1), 1, "integer(0) expected, 1 found"),
        (OctetString[8], (D.OCTET_STRING, b""), b"", "octet-string[8] expected, size 0 found"),
        (VisibleString, (D.UTF8_STRING, "ä"), "ä", "visible-string expected, utf8-string found"),
        (Float32, (D.FLOAT64, 2.5), 2.5, "float32 expected, float64 found"),
        (EnumOf(SortMethod), (D.ENUM, 9), 9, "9 found"),
        (ClockStatusBits, (D.UNSIGNED, 0x10), ClockStatus(0x10), "clock_status expected, reserved bits 0x10 found"),
        (DateTimeOctets, (D.DATE_TIME, DateTime(NOW)), DateTime(NOW), "as date-time expected, date-time found"),
        (DateTimeData, (D.OCTET_STRING, NOW), DateTime(NOW), "date-time expected, octet-string found"),
        (DateTimeOctets, (D.OCTET_STRING, b""), DateTime(b"\xff" * 9 + b"\x80\x00\xff"), "size 0 found"),
        (RegisterValue, (D.BOOLEAN, True), True, "register_value expected, boolean found"),
        (ArrayOf(Unsigned), (D.COMPACT_ARRAY, CompactArray(((D.UNSIGNED, 1),), TypeDescription(D.UNSIGNED))), (1,),
         "array expected, compact-array found"),
        (CompactArrayOf(Unsigned), (D.ARRAY, ((D.UNSIGNED, 1),)), (1,), "compact-array expected, array found"),
        (ArrayOf(Unsigned, ((1, 1),)), (D.ARRAY, ()), (), "array[1] of unsigned expected, 0 elements found"),
        (CaptureObjectDefinition, capture_object((D.NULL_DATA, None)), CaptureObjectDefinition(8, Obis(CLOCK), 2, 0),
         "4 elements of capture_object_definition expected, 5 found"),
    ],
)  # fmt: skip
def test_what_is_plain_though_not_as_declared_is_taken_and_reported_or_refused_when_strict(
    declared: CosemType[Any], typed: Typed, value: Any, deviation: str
) -> None:
    tolerant = Reading()
    assert declared.decode(typed, tolerant) == value
    assert len(tolerant.deviations) == 1
    assert deviation in str(tolerant.deviations[0])
    with pytest.raises(DecodeError):
        declared.decode(typed)


@pytest.mark.parametrize(
    ("declared", "typed"),
    [
        (Unsigned, (D.OCTET_STRING, b"\x01")),
        (OctetString, (D.VISIBLE_STRING, "x")),
        (LogicalName, (D.OCTET_STRING, b"12345")),
        (UnitCode, (D.LONG_UNSIGNED, 300)),
        (DateTimeOctets, (D.OCTET_STRING, b"12345")),
        (DateTimeOctets, (D.DATE, Date(NOW[:5]))),
        (ScalerUnit, typed_structure((D.INTEGER, -3))),
        (ScalerUnit, (D.ARRAY, ())),
        (ArrayOf(Unsigned), typed_structure()),
        (CompactArrayOf(Unsigned), typed_structure()),
        (StructureOf(), (D.ARRAY, ())),
        (RegisterValue, typed_structure()),
        (AccessSelectors, (D.UNSIGNED, 1)),
        (ProfileBuffer, (D.NULL_DATA, None)),
    ],
)
def test_what_has_no_meaning_in_the_type_is_refused_even_when_tolerant(declared: CosemType[Any], typed: Typed) -> None:
    with pytest.raises(DecodeError):
        declared.decode(typed, Reading())


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (Unsigned, 256),
        (Unsigned, -1),
        (Unsigned, True),
        (Unsigned, "1"),
        (Long.within(-900, 900), 901),
        (Integer.constant(0), 1),
        (OctetString[8], b"7 octets"[:7]),
        (OctetString[8], b"nine here"),
        (VisibleString[3], "four"),
        (OctetString, "text"),
        (VisibleString, "ä"),
        (VisibleString, BitString("01")),
        (BitStringData, "01"),
        (Boolean, 1),
        (LogicalName, CLOCK),
        (DateTimeOctets, NOW),
        (EnumOf(SortMethod), 9),
        (EnumOf(SortMethod), True),
        (ClockStatusBits, 0x10),
        (ScalerUnit, (0, 30)),
        (ScalerUnit, ScalerUnit(200, Unit(30))),
        (ArrayOf(Unsigned), b"12"),
        (ArrayOf(Unsigned), 1),
        (ArrayOf(Unsigned), (1, 256)),
        (ArrayOf(Unsigned, ((1, None),)), ()),
        (CompactArrayOf(Unsigned), ()),
        (AnyData, 5),
        (RegisterValue, 5),
        (RegisterValue, "text"),
        (RegisterValue, object()),
        (RegisterValue, (D.STRUCTURE, ())),
        (AccessSelectors, (D.UNSIGNED, 1)),
    ],
)
def test_what_does_not_fit_the_declaration_is_not_sent(declared: CosemType[Any], value: Any) -> None:
    with pytest.raises(EncodeError):
        declared.encode(value)


def test_errors_and_deviations_name_the_field() -> None:
    broken = typed_structure((D.LONG_UNSIGNED, 8), (D.OCTET_STRING, b"short"), (D.INTEGER, 2), (D.LONG_UNSIGNED, 0))
    with pytest.raises(DecodeError) as caught:
        ArrayOf(CaptureObjectDefinition).decode((D.ARRAY, (capture_object(), broken)), Reading())
    assert caught.value.path == "[1].logical_name"
    narrow = typed_structure((D.UNSIGNED, 8), (D.OCTET_STRING, CLOCK), (D.INTEGER, 2), (D.UNSIGNED, 0))
    reading = Reading()
    ArrayOf(CaptureObjectDefinition).decode((D.ARRAY, (capture_object(), narrow)), reading)
    assert [one.path for one in reading.deviations] == ["[1].class_id", "[1].data_index"]
    with pytest.raises(EncodeError, match="data_index of CaptureObjectDefinition: -1"):
        CaptureObjectDefinition.encode(CaptureObjectDefinition(8, Obis(CLOCK), 2, -1))
    with pytest.raises(EncodeError, match=r"\[1\]: 256"):
        ArrayOf(Unsigned).encode((1, 256))


class Window(Structure, name="window"):
    """With a default, and fields that may be absent."""

    start: int = field(Unsigned)
    retries: int = field(Unsigned, default=3)
    columns: tuple[int, ...] | None = field(ArrayOf(Unsigned), default=None)
    rows: int | None = field(Unsigned, default=None)


def test_trailing_optional_fields_may_be_absent() -> None:
    short = typed_structure((D.UNSIGNED, 1), (D.UNSIGNED, 3))
    longer = typed_structure((D.UNSIGNED, 1), (D.UNSIGNED, 3), (D.ARRAY, ((D.UNSIGNED, 9),)))
    assert Window.decode(short) == Window(1)
    assert Window.encode(Window(1)) == short
    assert Window.decode(longer) == Window(1, 3, (9,))
    assert Window.encode(Window(1, columns=(9,))) == longer
    with pytest.raises(EncodeError, match="rows of Window cannot be sent without columns"):
        Window.encode(Window(1, rows=2))
    with pytest.raises(DecodeError):
        Window.decode(typed_structure((D.UNSIGNED, 1)), Reading())
    assert Window.definition() == (
        "structure { start: unsigned, retries: unsigned = 3, columns?: array of unsigned, rows?: unsigned }"
    )


def test_structures_compare_hash_and_cannot_be_changed() -> None:
    one = ScalerUnit(-3, Unit(30))
    assert {one: 1}[ScalerUnit(-3, Unit(30))] == 1
    assert one != ScalerUnit(-2, Unit(30))
    with pytest.raises(AttributeError):
        one.scaler = 0  # type: ignore[misc]  # that is what is tested


class Relays(IntFlag):
    """Bits of a bit-string, first bit 0."""

    FIRST = 1
    SECOND = 2
    FOURTH = 8


def test_bits_of_a_bit_string_count_from_the_first_one_sent() -> None:
    declared = BitsOf(BitStringData[5], Relays)
    assert declared.decode((D.BIT_STRING, BitString("10010"))) == Relays.FIRST | Relays.FOURTH
    assert declared.encode(Relays.SECOND) == (D.BIT_STRING, BitString("01000"))
    assert declared.definition() == "bit-string[5] bits { 0: first, 1: second, 3: fourth }"
    assert BitsOf(BitStringData, Relays).encode(Relays.FOURTH) == (D.BIT_STRING, BitString("0001"))
    assert BitsOf(BitStringData, Relays).decode((D.BIT_STRING, BitString(""))) == Relays(0)


def test_a_range_of_an_enumeration_shares_one_name() -> None:
    declared = EnumOf(SortMethod, ranges={"manufacturer": range(200, 256)})
    assert declared.definition().endswith("6: furthest_from_zero, 200..255: manufacturer }")
    assert declared.decode((D.ENUM, 201)) == 201
    assert declared.encode(201) == (D.ENUM, 201)


def test_a_choice_writes_typed_values_and_those_that_fit_one_alternative_only() -> None:
    assert RegisterValue.encode((D.LONG, -5)) == (D.LONG, -5)
    assert SimpleData.encode((D.BCD, 5)) == (D.BCD, 5)
    with pytest.raises(EncodeError, match=r"could be double-long, double-long-unsigned.*give"):
        RegisterValue.encode(5)
    named: Choice[int | None] = Choice(none=NullData, number=Unsigned)
    assert named.definition() == "CHOICE { none: null-data, number: unsigned }"
    assert named.encode(5) == (D.UNSIGNED, 5)


def test_a_choice_reads_simple_types_that_are_not_listed_only_where_all_that_are_named_are_simple() -> None:
    simple: Choice[int | None] = Choice(none=NullData, number=Unsigned)
    reading = Reading()
    assert simple.decode((D.LONG, 5), reading) == 5
    assert len(reading.deviations) == 1
    compound: Choice[Switch | None] = Choice(none=NullData, switch=Switch)
    with pytest.raises(DecodeError, match="one of null-data, structure"):
        compound.decode((D.UNSIGNED, 5), Reading())


class Switch(Structure):
    """Told apart from Label by its second field only."""

    number: int = field(Unsigned)
    closed: bool = field(Boolean)


class Label(Structure):
    """Told apart from Switch by its second field only."""

    number: int = field(Unsigned)
    text: bytes = field(OctetString)


def test_what_an_alternative_reported_before_it_failed_does_not_count() -> None:
    declared: Choice[Switch | Label] = Choice(Switch, Label)
    reading = Reading()
    assert declared.decode(typed_structure((D.LONG_UNSIGNED, 1), (D.OCTET_STRING, b"x")), reading) == Label(1, b"x")
    assert [str(one) for one in reading.deviations] == ["number: unsigned expected, long-unsigned found"]


def test_the_application_context_name_is_read_in_both_forms() -> None:
    arcs = typed_structure(
        (D.UNSIGNED, 2), (D.UNSIGNED, 16), (D.LONG_UNSIGNED, 756), (D.UNSIGNED, 5), (D.UNSIGNED, 8), (D.UNSIGNED, 1),
        (D.UNSIGNED, 3),
    )  # fmt: skip
    found = ApplicationContextName.decode(arcs)
    assert isinstance(found, ApplicationContextArcs)
    assert found.context_id == 3
    assert ApplicationContextName.encode(found) == arcs
    encoded = bytes.fromhex("60857405080103")
    assert ApplicationContextName.decode((D.OCTET_STRING, encoded)) == encoded
    with pytest.raises(DecodeError) as caught:
        ApplicationContextName.decode(typed_structure((D.UNSIGNED, 1)), Reading())
    assert "7 elements" in str(caught.value)


def test_the_conformance_of_an_association_has_names() -> None:
    typed = typed_structure(
        (D.BIT_STRING, BitString("000000000000000000011101")), (D.LONG_UNSIGNED, 1024), (D.LONG_UNSIGNED, 1024),
        (D.UNSIGNED, 6), (D.INTEGER, 0), (D.OCTET_STRING, b""),
    )  # fmt: skip
    context = XDLMSContext.decode(typed)
    assert context.conformance.names() == ["get", "set", "selective-access", "action"]
    assert isinstance(context.conformance, Conformance)
    assert XDLMSContext.encode(context) == typed


def test_data_of_any_type_is_read_as_natives_and_written_as_typed() -> None:
    typed = typed_structure((D.ARRAY, ((D.UNSIGNED, 1),)), (D.NULL_DATA, None))
    for declared in (AnyData, Unverified):
        assert declared.decode(typed) == ([1], None)
        assert declared.encode(typed) == typed
    assert StructureOf().decode(typed) == ([1], None)
    assert StructureOf().encode(((D.UNSIGNED, 1),)) == typed_structure((D.UNSIGNED, 1))
    rows: Any = ((D.UNSIGNED, 1),)
    sent = CompactArrayOf(StructureOf()).encode((rows, rows))
    assert EncodedData.from_typed(sent).octets.hex() == "13020111020101"
    assert CompactArrayOf(StructureOf()).decode(EncodedData(bytes.fromhex("13020111020101")).typed()) == ((1,), (1,))


def test_a_user_name_in_utf8_is_read() -> None:
    reading = Reading()
    assert UserListEntry.decode(typed_structure((D.UNSIGNED, 1), (D.UTF8_STRING, "é")), reading).user_name == "é"
    assert [one.path for one in reading.deviations] == ["user_name"]


def test_the_object_list_of_a_meter_is_read() -> None:
    listed = EncodedData(octets(record("kamstrup-object-list-block"))).typed()
    reading = Reading()
    objects = ArrayOf(ObjectListElementV0).decode(listed, reading)
    assert len(objects) == 0x7B
    assert (objects[0].class_id, objects[0].version, objects[0].logical_name) == (1, 0, Obis("0-0:42.0.0*255"))
    assert [one.access_mode for one in objects[0].access_rights.attribute_access] == [
        AttributeAccessModeV0.READ_ONLY
    ] * 2
    assert reading.deviations == []
    assert ArrayOf(ObjectListElementV0).notation() == "array of object_list_element_v0"


values = st.recursive(
    st.one_of(
        st.just((D.NULL_DATA, None)),
        st.tuples(st.sampled_from([D.BOOLEAN]), st.booleans()),
        st.tuples(st.sampled_from([D.UNSIGNED, D.ENUM, D.BCD, D.LONG_UNSIGNED, D.DOUBLE_LONG]), st.integers(0, 99)),
        st.tuples(st.just(D.OCTET_STRING), st.binary(max_size=13)),
        st.tuples(st.sampled_from([D.VISIBLE_STRING, D.UTF8_STRING]), st.text(max_size=4)),
        st.tuples(st.just(D.BIT_STRING), st.text("01", max_size=30).map(BitString)),
        st.tuples(st.sampled_from([D.FLOAT32, D.FLOAT64]), st.floats(width=32)),
        st.binary(min_size=12, max_size=12).map(lambda twelve: (D.DATE_TIME, DateTime(twelve))),
    ),
    lambda inner: st.tuples(st.sampled_from([D.ARRAY, D.STRUCTURE]), st.lists(inner, max_size=5).map(tuple)),
    max_leaves=20,
)
every_type = [one.type for declared in interface_classes() for one in declared.attributes.values()] + [
    one.parameter for declared in interface_classes() for one in declared.methods.values()
]


@given(st.sampled_from(every_type), values)
def test_any_data_gives_a_value_or_one_decode_error(declared: CosemType[Any], typed: Typed) -> None:
    reading = Reading()
    try:
        value = declared.decode(typed, reading)
    except DecodeError:
        return
    if reading.deviations:
        with pytest.raises(DecodeError):
            declared.decode(typed)
    else:
        assert declared.decode(typed) == value or value != value or "nan" in repr(value)


@given(st.sampled_from([one for one in every_type if not isinstance(one, Number)]), values)
def test_what_is_read_without_deviation_is_written_back_as_it_was(declared: CosemType[Any], typed: Typed) -> None:
    try:
        value = declared.decode(typed)
    except DecodeError:
        return
    try:
        again = declared.encode(value)
    except EncodeError:  # natives of a choice may fit several of its types
        reject()
    assert again == typed
