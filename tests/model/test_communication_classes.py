"""Classes of communication: what their values mean, and the other forms that devices in the field send."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, Typed
from cosemic.errors import DecodeError, EncodeError
from cosemic.model import (
    AgreedKeyOptions,
    AssociationSN,
    AssociationSNVersion2,
    AssociationSNVersion3,
    Baud,
    CellInfoV0,
    CellInfoV1,
    GSMDiagnostic,
    GSMDiagnosticVersion0,
    GSMDiagnosticVersion1,
    IdentifiedKey,
    IECHDLCSetup,
    IPv4Setup,
    KeyInfoElement,
    KeyInfoType,
    MACAddressSetup,
    PacketSwitchedStatus,
    PushMessage,
    PushObjectDefinition,
    PushSetup,
    PushSetupVersion1,
    Reading,
    RestrictedObjectDefinition,
    RestrictionByDate,
    RestrictionByEntry,
    RestrictionElement,
    RestrictionType,
    SendDestinationAndMethod,
    ShortName,
    SNAccessRightsElementV2,
    SNObjectListElement,
    TCPUDPSetup,
    TransportService,
    WrappedKeyOptions,
)
from cosemic.model.access_control import (
    AttributeAccessItemV1,
    AttributeAccessModeV1,
    MethodAccessItemV1,
    MethodAccessModeV1,
)
from cosemic.values import Date, DateTime, Obis

D = DataType
NULL: Typed = (D.NULL_DATA, None)


def structure(*elements: Typed) -> Typed:
    return D.STRUCTURE, elements


def array(*elements: Typed) -> Typed:
    return D.ARRAY, elements


# ---- short names -----------------------------------------------------------------------------------------------------


def test_the_base_name_of_the_current_association_is_a_negative_long() -> None:
    element = SNObjectListElement(0xFA00, 12, 4, Obis("0-0:40.0.0"))
    (typed,) = AssociationSN.object_list.type.encode((element,))[1]
    assert typed[1][0] == (D.LONG, -1536)
    (read,) = AssociationSN.object_list.decode(array(typed))
    assert (read, repr(read.base_name), int(read.base_name)) == (element, "0xFA00", 64000)


@given(st.integers(0, 0xFFFF))
def test_a_short_name_has_the_octets_of_the_unsigned_number(number: int) -> None:
    selection = AssociationSN("0-0:40.0.0").access_rights_list.select("by base_name", number)
    assert selection.parameters[0] is D.LONG
    assert selection.parameters[1].to_bytes(2, signed=True) == number.to_bytes(2)


@pytest.mark.parametrize("number", [-1, 0x10000, True, "64000", None])
def test_what_is_no_short_name_is_not_sent(number: Any) -> None:
    with pytest.raises(EncodeError, match="short name: 0 to 0xFFFF"):
        AssociationSN("0-0:40.0.0").access_rights_list.select(1, number)


def test_a_short_name_in_another_type_is_a_deviation_and_beyond_16_bits_an_error() -> None:
    names = AssociationSN.access_rights_list.selector(1).parameters
    reading = Reading()
    assert names.decode((D.LONG_UNSIGNED, 0xFA00), reading) == ShortName(0xFA00)
    assert reading.deviations
    with pytest.raises(DecodeError):
        names.decode((D.DOUBLE_LONG, 0x10000), Reading())


@pytest.mark.parametrize("declared", [AssociationSNVersion2, AssociationSNVersion3])
def test_rights_without_access_selectors_are_read_with_the_quirk(declared: type[AssociationSNVersion2]) -> None:
    rights = array(
        structure(
            (D.LONG, 0x2BC0),
            array(structure((D.INTEGER, 2), (D.ENUM, 4))),
            array(structure((D.INTEGER, 1), (D.ENUM, 1))),
        )
    )
    reference = declared("0-0:40.0.0").access_rights_list
    for refusing in (Reading(), Reading(strict=True)):
        with pytest.raises(DecodeError):
            reference.decode(rights, refusing)
    reading = Reading(seen_also=True)
    assert reference.decode(rights, reading) == (
        SNAccessRightsElementV2(
            0x2BC0,
            (AttributeAccessItemV1(2, AttributeAccessModeV1.AUTHENTICATED_READ_ONLY, None),),
            (MethodAccessItemV1(1, MethodAccessModeV1.ACCESS),),
        ),
    )
    assert reading.deviations


# ---- push ------------------------------------------------------------------------------------------------------------


DAY = Date(bytes.fromhex("07ea0b01ff"))
MOMENT = DateTime(bytes.fromhex("07ea0b01ff000000ff800000"))


@pytest.mark.parametrize(
    ("typed", "restriction"),
    [
        (structure((D.ENUM, 0), NULL), RestrictionElement(RestrictionType.NONE, None)),
        (
            structure((D.ENUM, 1), structure((D.OCTET_STRING, DAY.octets), (D.OCTET_STRING, MOMENT.octets))),
            RestrictionElement(RestrictionType.BY_DATE, RestrictionByDate(DAY, MOMENT)),
        ),
        (
            structure((D.ENUM, 2), structure((D.DOUBLE_LONG_UNSIGNED, 1), (D.DOUBLE_LONG_UNSIGNED, 70000))),
            RestrictionElement(RestrictionType.BY_ENTRY, RestrictionByEntry(1, 70000)),
        ),
    ],
)
def test_the_three_restrictions_are_told_apart(typed: Typed, restriction: RestrictionElement) -> None:
    definition = RestrictedObjectDefinition(7, Obis("1-0:99.1.0"), 2, 0, restriction)
    sent = PushSetupVersion1.push_object_list.type.encode((definition,))
    assert sent[1][0][1][4] == typed
    assert PushSetupVersion1.push_object_list.decode(sent) == (definition,)
    newer = PushObjectDefinition(7, Obis("1-0:99.1.0"), 2, 0, restriction, ())
    assert PushSetup.push_object_list.type.encode((newer,))[1][0][1][4:] == (typed, array())


def test_a_number_is_no_restriction() -> None:
    with pytest.raises(DecodeError):
        RestrictionElement.decode(structure((D.ENUM, 0), (D.UNSIGNED, 5)), Reading())


def test_a_restriction_by_short_entry_numbers_is_read() -> None:
    short = structure((D.ENUM, 2), structure((D.LONG_UNSIGNED, 1), (D.LONG_UNSIGNED, 9)))
    definition = structure(
        (D.LONG_UNSIGNED, 7), (D.OCTET_STRING, bytes(Obis("1-0:99.1.0"))), (D.INTEGER, 2), (D.LONG_UNSIGNED, 0), short
    )
    for reading in (Reading(), Reading(seen_also=True)):
        (read,) = PushSetupVersion1.push_object_list.decode(array(definition), reading)
        assert read.restriction.restriction_value == RestrictionByEntry(1, 9)
        assert reading.deviations
    with pytest.raises(DecodeError):
        PushSetupVersion1.push_object_list.decode(array(definition), Reading(strict=True, seen_also=True))


def test_destinations_of_the_manufacturer_are_numbers_without_deviation() -> None:
    attribute = PushSetup.send_destination_and_method
    known = SendDestinationAndMethod(TransportService.TCP, b"10.0.0.1:4059", PushMessage.A_XDR_APDU)
    assert attribute.decode(attribute.type.encode(known)) == known
    own = SendDestinationAndMethod(200, b"", 128)
    assert attribute.decode(attribute.type.encode(own)) == own
    for unknown in (11, 199):
        with pytest.raises(EncodeError):
            attribute.type.encode(SendDestinationAndMethod(unknown, b"", 0))


KEYS = [
    ((D.ENUM, 1), KeyInfoElement(KeyInfoType.IDENTIFIED_KEY, IdentifiedKey.GLOBAL_BROADCAST_ENCRYPTION_KEY)),
    (
        structure((D.ENUM, 0), (D.OCTET_STRING, b"wrapped")),
        KeyInfoElement(KeyInfoType.WRAPPED_KEY, WrappedKeyOptions(0, b"wrapped")),
    ),
    (
        structure((D.OCTET_STRING, b"\x02"), (D.OCTET_STRING, b"public")),
        KeyInfoElement(KeyInfoType.AGREED_KEY, AgreedKeyOptions(b"\x02", b"public")),
    ),
]


@pytest.mark.parametrize(("typed", "key_info"), KEYS)
def test_the_three_ways_to_name_a_key_are_told_apart(typed: Typed, key_info: KeyInfoElement) -> None:
    sent = structure((D.ENUM, int(key_info.key_info_type)), typed)
    assert KeyInfoElement.encode(key_info) == sent
    for reading in (Reading(strict=True), Reading(), Reading(seen_also=True)):
        assert KeyInfoElement.decode(sent, reading) == key_info
        assert not reading.deviations


def test_an_identified_key_inside_a_structure_is_read_with_the_quirk() -> None:
    inside = structure((D.ENUM, 0), structure((D.ENUM, 1)))
    with pytest.raises(DecodeError):
        KeyInfoElement.decode(inside, Reading())
    reading = Reading(seen_also=True)
    assert KeyInfoElement.decode(inside, reading) == KEYS[0][1]
    assert reading.deviations


# ---- ports and networks ----------------------------------------------------------------------------------------------


def test_the_names_of_speeds_are_their_numbers() -> None:
    assert [speed.bits_per_second for speed in Baud] == [
        300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200,
    ]  # fmt: skip
    assert IECHDLCSetup.comm_speed.decode((D.ENUM, 5)) is Baud.BAUD_9600


def test_addresses_have_their_first_number_in_front() -> None:
    setup = IPv4Setup("0-0:25.1.0")
    typed = (D.DOUBLE_LONG_UNSIGNED, 0xC0A80001)
    assert setup.IP_address.decode(typed) == IPv4Address("192.168.0.1")
    assert setup.IP_address.encode(IPv4Address("192.168.0.1")) == typed
    assert setup.multicast_IP_address.decode(array(typed)) == (IPv4Address("192.168.0.1"),)
    assert setup.add_mc_IP_address.encode(IPv4Address("224.0.0.1")) == (D.DOUBLE_LONG_UNSIGNED, 0xE0000001)
    assert setup.get_nbof_mc_IP_addresses.encode() == (D.INTEGER, 0)
    with pytest.raises(EncodeError):
        setup.IP_address.encode(0xC0A80001)  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(DecodeError):
        setup.IP_address.decode((D.LONG, -1), Reading())
    assert MACAddressSetup("0-0:25.2.0").MAC_address.decode((D.OCTET_STRING, b"\x00\x11\x22\x33\x44\x55")).hex(":") == (
        "00:11:22:33:44:55"
    )


def test_limits_of_a_port_bind_what_is_sent() -> None:
    assert TCPUDPSetup("0-0:25.0.0").MSS.encode(40) == (D.LONG_UNSIGNED, 40)
    for reference, value in ((TCPUDPSetup("0-0:25.0.0").MSS, 39), (IECHDLCSetup("0-0:22.0.0").device_address, 0x3FFE)):
        with pytest.raises(EncodeError):
            reference.encode(value)


@pytest.mark.parametrize(
    ("declared", "last"),
    [
        (GSMDiagnosticVersion0, PacketSwitchedStatus.HSDPA),
        (GSMDiagnosticVersion1, PacketSwitchedStatus.CDMA),
        (GSMDiagnostic, PacketSwitchedStatus.LTE_CAT_NB2),
    ],
)
def test_each_version_knows_its_networks(declared: type[GSMDiagnostic], last: PacketSwitchedStatus) -> None:
    status = declared("0-0:25.6.0").ps_status
    assert status.decode((D.ENUM, last)) is last
    assert status.encode(last) == (D.ENUM, last)
    reading = Reading()
    assert status.decode((D.ENUM, last + 1), reading) == last + 1
    assert reading.deviations
    with pytest.raises(EncodeError):
        status.encode(last + 1)


@pytest.mark.parametrize(("quality", "level"), [(0, -113), (1, -111), (30, -53), (31, -51), (32, None), (99, None)])
def test_the_signal_quality_of_a_modem_is_a_level(quality: int, level: int | None) -> None:
    assert CellInfoV0(1, 2, quality, 99).signal_level == level
    assert CellInfoV1(1, 2, quality, 99, 262, 1, 0).signal_level == level


def test_a_cell_with_more_than_version_0_knows_is_read_without_the_rest() -> None:
    cell = CellInfoV1(0x12345, 2, 17, 0, 262, 1, 42)
    attribute = GSMDiagnosticVersion0.cell_info
    for reading in (Reading(), Reading(seen_also=True)):
        assert attribute.decode(CellInfoV1.encode(cell), reading) == CellInfoV0(0x12345, 2, 17, 0)
        assert reading.deviations
    with pytest.raises(DecodeError):
        attribute.decode(CellInfoV1.encode(cell), Reading(strict=True, seen_also=True))
