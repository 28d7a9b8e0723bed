"""Attribute 0 of the objects of a device: all attributes at once (reference, application layer 7)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.apdu import CosemAttributeDescriptor, CosemAttributeDescriptorWithSelection
from cosemic.association.attribute_0 import NO_DATA, joined, split
from cosemic.association.requests import Access, Get, GetList, Set, SetList
from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DEFAULT_LIMITS, DataType, EncodedData, Limits
from cosemic.errors import DecodeError, EncodeError, ServiceFailed, StoreError
from cosemic.model import AccessSelection, Clock, Register, ScalerUnit, ValueDefinition
from cosemic.security import AttributeAccess, Protection, Requirement
from cosemic.server import (
    Admission,
    ClientView,
    ClockObject,
    CosemObject,
    LogicalDevice,
    RegisterMonitorObject,
    managing,
    reading,
)
from cosemic.server.rights import ObjectRights
from cosemic.server.state import StateFile
from cosemic.values import Conformance, DataAccessResult, DateTime, Obis, Unit
from tests.server.support import NOW, Local, View, device_with

T = DataType
ENERGY = "1-0:1.8.0"
MONITOR = "0-0:16.1.0"
SUCCESS = DataAccessResult.SUCCESS
DENIED = DataAccessResult.READ_WRITE_DENIED
UNMATCHED = DataAccessResult.TYPE_UNMATCHED
VIOLATED = DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
WHOLE = CosemAttributeDescriptor(3, Obis(ENERGY), 0)
NAME = Obis(ENERGY).octets
UNIT = (T.STRUCTURE, ((T.INTEGER, -1), (T.ENUM, 30)))


def register(value: Any = (T.DOUBLE_LONG_UNSIGNED, 1234), **more: Any) -> CosemObject:
    values = {"value": value, "scaler_unit": ScalerUnit(-1, Unit.of("Wh"))}
    return CosemObject(Register(ENERGY), values, **more)


def kept_register(**more: Any) -> CosemObject:
    return register(writers={"value": None, "scaler_unit": None}, **more)


def structure(*members: Any) -> EncodedData:
    """A structure of typed values; None is null-data."""
    return EncodedData.from_typed((T.STRUCTURE, tuple((T.NULL_DATA, None) if one is None else one for one in members)))


def number(value: int) -> tuple[DataType, int]:
    return T.DOUBLE_LONG_UNSIGNED, value


# ---- the structure --------------------------------------------------------------------------------------------------

MEMBERS = st.lists(
    st.one_of(
        st.just(NO_DATA),
        st.integers(0, 255).map(lambda one: EncodedData.of(T.UNSIGNED, one)),
        st.binary(max_size=200).map(lambda one: EncodedData.of(T.OCTET_STRING, one)),
        st.just(EncodedData.from_typed(UNIT)),
    ),
    max_size=200,
)


@given(MEMBERS)
def test_what_is_joined_comes_apart_again(members: list[EncodedData]) -> None:
    assert split(joined(members)) == members
    assert joined(members).typed()[0] is T.STRUCTURE


@given(st.binary(max_size=40))
def test_any_octets_come_apart_or_are_refused(octets: bytes) -> None:
    try:
        members = split(EncodedData(octets))
    except DecodeError:
        return
    assert octets[:1] == b"\x02"
    assert octets.endswith(b"".join(one.octets for one in members))


def test_the_limits_hold_for_a_structure() -> None:
    many = joined([NO_DATA] * 100)
    with pytest.raises(DecodeError):
        split(many, Limits(nodes=50))
    assert len(split(many, DEFAULT_LIMITS)) == 100


# ---- GET ------------------------------------------------------------------------------------------------------------


def test_all_attributes_are_read_in_their_order() -> None:
    client = Local(device_with(register()), 16).open()
    assert client.get(3, ENERGY, 0) == (NAME, 1234, (-1, 30))
    assert client.get(1, "0-0:42.0.0", 0) == (Obis("0-0:42.0.0").octets, b"TST0000000000001")
    assert client.get(3, "1-0:9.9.9", 0) is DataAccessResult.OBJECT_UNDEFINED
    assert client.get(1, ENERGY, 0) is DataAccessResult.OBJECT_CLASS_INCONSISTENT


def test_what_may_not_be_read_or_cannot_be_is_null_data() -> None:
    """Rights, attributes that are not served, and values that fail, each by itself."""

    def fails(now: dt.datetime) -> Any:
        return T.BOOLEAN, "no boolean"

    hidden = ObjectRights({1: AttributeAccess(True, False), 2: AttributeAccess(False, True)}, {})
    assert Local(device_with(register(), rights=lambda served: hidden), 16).open().get(3, ENERGY, 0) == (
        NAME,
        None,
        None,
    )
    broken = Local(device_with(register(fails)), 16).open()
    assert broken.get(3, ENERGY, 2) is DataAccessResult.HARDWARE_FAULT
    assert broken.get(3, ENERGY, 0) == (NAME, None, (-1, 30))
    only_value = CosemObject(Register(ENERGY), {"value": (T.UNSIGNED, 1)})
    assert Local(device_with(only_value), 16).open().get(3, ENERGY, 0) == (NAME, 1, None)


def test_where_nothing_may_be_read_it_is_refused() -> None:
    nothing = ObjectRights({2: AttributeAccess(False, True)}, {})
    client = Local(device_with(register(), rights=lambda served: nothing), 16).open()
    assert client.get(3, ENERGY, 0) is DENIED


def test_each_attribute_asks_for_its_own_protection() -> None:
    """What asks for more than the request has is null-data; the answer is protected as what is shown demands."""
    rights = ObjectRights(
        {
            1: AttributeAccess(True, False),
            2: AttributeAccess(True, False, Requirement(Protection.AUTHENTICATED, Protection.ENCRYPTED)),
            3: AttributeAccess(True, False, Requirement(Protection.ENCRYPTED, Protection.NONE)),
        },
        {},
    )
    device = device_with(register(), rights=lambda served: rights, association_version=3)
    view = View(device, applied=Protection.AUTHENTICATED)
    assert view.get(3, ENERGY, 0).value() == (NAME, 1234, None)
    assert view.last.response is Protection.ENCRYPTED
    plain = View(device)
    assert plain.get(3, ENERGY, 0).value() == (NAME, None, None)
    assert plain.last.response is Protection.NONE


def test_it_is_not_combined_with_a_selection() -> None:
    view = View(device_with(kept_register()))
    selection = AccessSelection(1, (T.NULL_DATA, None))
    assert view.get(3, ENERGY, 0, selection) is VIOLATED
    client = Local(device_with(kept_register()), 16).open()
    with pytest.raises(EncodeError, match="selection"):
        client.get(3, ENERGY, 0, selection)


def test_a_store_that_fails_is_no_null_data() -> None:
    def fails(now: dt.datetime) -> Any:
        raise StoreError("the disk is full")

    view = View(device_with(register(fails)))
    assert view.get(3, ENERGY, 0) is DataAccessResult.HARDWARE_FAULT
    assert view.get(3, ENERGY, 1) is DataAccessResult.HARDWARE_FAULT  # it serves no more


def test_an_association_shows_all_but_its_secret() -> None:
    client = Local(device_with(register()), 16).open()
    values = client.get(15, "0-0:40.0.0", 0)
    assert len(values) == 9
    assert len(values[1]) == len(client.get(15, "0-0:40.0.0", 2))
    assert values[6] is None


# ---- SET ------------------------------------------------------------------------------------------------------------


def test_null_data_leaves_an_attribute_as_it_is() -> None:
    device = device_with(kept_register())
    told: list[Any] = []
    device.listeners.append(lambda happening: told.append(happening.details["attribute"]))
    view = View(device)
    assert view.set(3, ENERGY, 0, structure(None, number(77), None)) is SUCCESS
    assert view.get(3, ENERGY, 0).value() == (NAME, 77, (-1, 30))
    unit = (T.STRUCTURE, ((T.INTEGER, 3), (T.ENUM, 30)))
    assert view.set(3, ENERGY, 0, structure(None, number(5), unit)) is SUCCESS
    assert view.get(3, ENERGY, 0).value() == (NAME, 5, (3, 30))
    assert view.set(3, ENERGY, 0, structure(None, None, None)) is SUCCESS
    assert view.get(3, ENERGY, 0).value() == (NAME, 5, (3, 30))
    assert told == [2, 2, 3]


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (structure((T.OCTET_STRING, NAME), number(5), None), DENIED),  # the logical name is not written
        (structure(None, (T.UNSIGNED, 5), None), UNMATCHED),  # another type than it has
        (structure(None, number(5), (T.UNSIGNED, 5)), UNMATCHED),  # the second one, before the first is written
        (structure(None, number(5)), UNMATCHED),
        (structure(None, number(5), None, None), UNMATCHED),
        (EncodedData.from_typed((T.ARRAY, ((T.NULL_DATA, None),) * 3)), UNMATCHED),
        (EncodedData.of(T.UNSIGNED, 5), UNMATCHED),
    ],
)
def test_nothing_is_written_of_what_is_not_right_as_a_whole(value: EncodedData, result: DataAccessResult) -> None:
    view = View(device_with(kept_register()))
    assert view.set(3, ENERGY, 0, value) is result
    assert view.get(3, ENERGY, 0).value() == (NAME, 1234, (-1, 30))


def test_nothing_is_written_where_one_right_is_missing() -> None:
    rights = ObjectRights(
        {
            2: AttributeAccess(True, True),
            3: AttributeAccess(True, True, Requirement(Protection.AUTHENTICATED, Protection.NONE)),
        },
        {},
    )
    device = device_with(kept_register(), rights=lambda served: rights, association_version=3)
    view = View(device)
    assert view.set(3, ENERGY, 0, structure(None, number(5), UNIT)) is DENIED
    assert view.get(3, ENERGY, 2).value() == 1234
    assert view.set(3, ENERGY, 0, structure(None, number(5), None)) is SUCCESS
    protected = View(device, applied=Protection.AUTHENTICATED)
    assert protected.set(3, ENERGY, 0, structure(None, number(6), UNIT)) is SUCCESS
    reader = View(device_with(kept_register(), rights=reading()))
    assert reader.set(3, ENERGY, 0, structure(None, None, None)) is DENIED


def test_what_the_object_would_refuse_is_told_before_anything_is_written() -> None:
    """A structure cannot be monitored (register monitor): the thresholds before it stay as they were."""
    device = device_with(register())
    energy = Register(ENERGY)
    monitored = ValueDefinition(3, Obis(ENERGY), energy.value.attribute_id)
    device.add(RegisterMonitorObject(device, MONITOR, monitored, [number(10)], period=0))
    view = View(device)
    thresholds = (T.ARRAY, [number(20)])
    unit = (T.STRUCTURE, ((T.LONG_UNSIGNED, 3), (T.OCTET_STRING, NAME), (T.INTEGER, energy.scaler_unit.attribute_id)))
    assert view.set(21, MONITOR, 0, structure(None, thresholds, unit, None)) is DataAccessResult.OTHER_REASON
    assert view.get(21, MONITOR, 2).value() == [10]
    assert view.set(21, MONITOR, 0, structure(None, thresholds, None, None)) is SUCCESS
    assert view.get(21, MONITOR, 2).value() == [20]


def test_a_long_value_comes_in_blocks_and_is_refused_at_the_first_where_nothing_may_be_written() -> None:
    long = structure(None, (T.OCTET_STRING, bytes(300)), None)
    small = ServerSettings(max_pdu_size=100, conformance=~Conformance.GENERAL_BLOCK_TRANSFER)
    client = Local(device_with(kept_register(value=(T.OCTET_STRING, b"")), settings=small), 16).open()
    assert client.request(Set(WHOLE, long)) is SUCCESS
    assert client.get(3, ENERGY, 2) == bytes(300)
    before = client.exchanged
    reader = Local(device_with(register(), settings=small), 16).open()
    assert reader.request(Set(WHOLE, long)) is DENIED
    assert reader.exchanged == 2 < before


def test_what_was_written_outlives_the_process(tmp_path: Any) -> None:
    for value in (1234, 77):
        state = StateFile(tmp_path / "state.sqlite").of("TST0000000000001")
        device = LogicalDevice("TST0000000000001", now=lambda: NOW, state=state)
        device.add(kept_register())
        device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=managing()))
        view = View(device)
        assert view.get(3, ENERGY, 2).value() == value
        assert view.set(3, ENERGY, 0, structure(None, number(77), None)) is SUCCESS


# ---- agreement ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["get", "set"])
def test_without_the_bit_it_is_neither_asked_for_nor_served(missing: str) -> None:
    bit = Conformance[f"ATTRIBUTE0_SUPPORTED_WITH_{missing.upper()}"]
    client = Local(device_with(kept_register(), settings=ServerSettings(conformance=~bit)), 16).open()
    listed = (CosemAttributeDescriptorWithSelection(WHOLE),)
    value = structure(None, number(5), None)
    of_one: dict[str, Any] = {"get": Get(WHOLE), "set": Set(WHOLE, value)}
    of_list: dict[str, Any] = {"get": GetList(listed), "set": SetList(listed, (value,))}
    for requests in (of_one, of_list):
        for name, request in requests.items():
            if name == missing:
                with pytest.raises(ServiceFailed, match=f"attribute0-supported-with-{missing}"):
                    client.request(request)
            else:
                client.request(request)
    raw = {"get": "c00141" + WHOLE.encode().hex() + "00", "set": "c10141" + WHOLE.encode().hex() + "0000"}
    raw_list = {"get": "c0034101" + WHOLE.encode().hex() + "00", "set": "c1044101" + WHOLE.encode().hex() + "000100"}
    for sent in (raw, raw_list):
        for name, octets in sent.items():
            client.server.receive(bytes.fromhex(octets), 0.0)
            answer = client.server.octets_to_send().hex()
            assert (answer == "d80202") is (name == missing)


def test_access_asks_the_device_under_the_rights_of_each_entry() -> None:
    client = Local(device_with(kept_register()), 16).open()
    entries = (Get(WHOLE), Set(WHOLE, structure(None, number(5), None)), Get(WHOLE))
    accessed = client.request(Access(entries))
    assert [int(one.result) for one in accessed.results] == [0, 0, 0]
    assert accessed.results[0].data.value() == (NAME, 1234, (-1, 30))
    assert accessed.results[2].data.value() == (NAME, 5, (-1, 30))


# ---- time of the device ---------------------------------------------------------------------------------------------


def test_the_date_time_of_an_answer_is_what_the_clock_shows() -> None:
    device = device_with()
    admitted = device.client(16)
    assert admitted is not None
    view = ClientView(device, admitted)
    assert view.date_time() == b""
    client = Local(device, 16).open()
    request = Access((Get(CosemAttributeDescriptor(1, Obis("0-0:42.0.0"), 2)),), date_time=bytes(12))
    assert client.request(request).date_time == b""
    device.add(ClockObject(device=device))
    assert DateTime(client.request(request).date_time).to_datetime() == NOW
    assert view.date_time() == client.get(8, "0-0:1.0.0", 2)
    broken = CosemObject(Clock("0-0:1.0.0"), {"time": EncodedData.of(T.UNSIGNED, 1)})
    unfit = Local(device_with(broken), 16).open()
    assert unfit.request(request).date_time == b""
