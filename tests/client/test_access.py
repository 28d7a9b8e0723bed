"""``meter.access`` and ``meter.read_all``: what a user asks at once, and what comes of each part of it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from cosemic.client import BlockingMeter, Call, Meter, Read, Write, by_entry
from cosemic.client.procedures.access import AccessProcedures
from cosemic.codec import DataType, EncodedData
from cosemic.errors import (
    ActionFailed,
    ConfigurationError,
    DataAccessError,
    DecodeError,
    EncodeError,
    OutcomeUnknown,
    ServiceFailed,
)
from cosemic.model import Clock, Data, MethodReference, Register, ScalerUnit, ScriptTable
from cosemic.server import ClientView, CosemObject, LogicalDevice, data
from cosemic.values import ActionResult, Conformance, DataAccessResult, Obis, Quantity, Unit
from tests.association.samples import VALUE, M, settings
from tests.client.meters import CLIENT, ENERGY, PUBLIC, World, array, at, octet_string, serving, structure
from tests.client.test_recovery import Visit, cut, opened
from tests.server.support import device_with

T = DataType
C = Conformance
SERIAL = "1/0-0:96.1.0:2"
ECHO = "9/0-0:10.0.0:1"
ACCESS = b"\xd9\x40"
FIVE = EncodedData.of(T.UNSIGNED, 5)


def asked(visit: Visit, entries: Any, **more: Any) -> Any:
    return visit.run(AccessProcedures(visit.session).access(entries, **more))


def all_of(visit: Visit, target: Any) -> Any:
    return visit.run(AccessProcedures(visit.session).read_all(target))


def world_with(conformance: Conformance) -> World:
    return World({PUBLIC: settings(server={"conformance": conformance})[1]})


# ---- ACCESS ---------------------------------------------------------------------------------------------------------


def test_one_request_reads_writes_and_calls_in_order() -> None:
    visit = opened()
    found = asked(
        visit,
        [
            Read(SERIAL),
            Write(SERIAL, EncodedData.of(T.OCTET_STRING, b"new")),
            Read(SERIAL),
            Call(ECHO, EncodedData.of(T.UNSIGNED, 7)),
            Read("7/1-0:99.1.0:2", by_entry(1, 2)),
        ],
    )
    assert found[:4] == [b"serial", None, b"new", 7]
    assert len(found[4]) == 4  # a meter that does not select
    assert visit.sent(ACCESS) == [ACCESS]
    assert [kind for kind, _ in visit.world.shelf.calls] == ["get", "set", "get", "action", "get"]


def test_values_are_those_of_read_with_scaler_and_unit() -> None:
    visit = opened()
    for _ in range(2):
        assert asked(visit, [Read(Register(ENERGY).value), Read(Register(ENERGY).scaler_unit)]) == [
            Quantity(12345678, -3, Unit.of("Wh")),
            ScalerUnit(-3, Unit.of("Wh")),
        ]
    assert visit.sent(b"\xc0\x01", ACCESS) == [b"\xc0\x01", ACCESS, ACCESS]  # the scaler is read once
    parted = opened()
    for _ in range(2):  # a part of a value has no unit of its own
        assert asked(parted, [Read(Register(ENERGY).value, by_entry(1, 2))]) == [12345678]
    assert parted.sent(b"\xc0\x01", ACCESS) == [ACCESS] * 2
    assert asked(visit, [Read(Register(ENERGY).value, by_entry(1, 2))]) == [12345678]


def test_what_fails_stands_in_its_place_as_its_error() -> None:
    visit = opened()
    visit.world.shelf.put(at(8, "0-0:1.0.0", 2), EncodedData.of(T.OCTET_STRING, b"no time"))
    entries = [
        Read("3/1-0:77.7.7:2"),
        Write("3/1-0:99.9.0:2", FIVE),
        Call(MethodReference(9, Obis("0-0:10.0.0"), 3, ScriptTable.execute), FIVE),
        Read(SERIAL),
    ]
    read, written, called, last = asked(visit, entries)
    assert (type(read), read.label, "see what `objects` lists" in str(read)) == (
        DataAccessError,
        "object-undefined",
        True,
    )
    assert (type(written), written.code) == (DataAccessError, 4)
    assert str(written).startswith("write of")
    assert (type(called), called.code) == (ActionFailed, int(ActionResult.READ_WRITE_DENIED))
    assert last == b"serial"
    stopped = asked(visit, entries, break_on_error=True)
    assert [one.code for one in stopped] == [4, 250, 250, 250]


def test_what_a_method_returns_is_decoded_as_declared() -> None:
    visit = opened()
    found = asked(visit, [Call(Clock("0-0:1.0.0").shift_time, 5), Call(ECHO, EncodedData.of(T.NULL_DATA))])
    assert found == [None, None]


def test_a_value_that_is_not_data_at_all_is_an_error_of_its_own() -> None:
    visit = opened()
    visit.world.shelf.put(at(1, "0-0:96.1.0", 2), EncodedData(b"\x10\xff"))
    with pytest.raises((DecodeError, ServiceFailed)):
        asked(visit, [Read(SERIAL)])


def test_nothing_is_sent_of_what_cannot_be_sent_whole() -> None:
    visit = opened()
    visit.world.received.clear()
    with pytest.raises(EncodeError):
        asked(visit, [Write("8/0-0:1.0.0:time_zone", "noon"), Read(SERIAL)])
    with pytest.raises(ConfigurationError):
        asked(visit, [Call("8/0-0:1.0.0:99")])
    with pytest.raises(EncodeError):
        asked(visit, [])
    with pytest.raises(ConfigurationError, match="not str"):
        asked(visit, [Read(SERIAL), SERIAL])
    assert visit.world.received == []


def test_where_it_was_not_agreed_it_is_said() -> None:
    visit = opened(world_with(~C.ACCESS))
    with pytest.raises(ServiceFailed, match=r"did not agree to access .*read_many") as caught:
        asked(visit, [Read(Register(ENERGY).value)])
    assert caught.value.label == "access"
    assert visit.world.received == []  # not even scaler and unit were read


def test_only_what_changes_nothing_is_repeated() -> None:
    visit = opened()
    visit.world.fault = cut(1)
    assert asked(visit, [Read(SERIAL)]) == [b"serial"]
    assert visit.sent(ACCESS) == [ACCESS] * 2
    visit.world.fault = cut(1)
    with pytest.raises(OutcomeUnknown, match=r"change of Data .*Clock .*read back") as caught:
        asked(visit, [Read(SERIAL), Write(SERIAL, FIVE), Call(Clock("0-0:1.0.0").shift_time, 5)])
    assert "0-0:96.1.0" in caught.value.subject
    assert visit.sent(ACCESS) == [ACCESS] * 3


def test_a_change_of_a_scaler_is_learnt_anew() -> None:
    visit = opened()
    session = visit.session
    assert visit.run(session.read(f"3/{ENERGY}:2")) == Quantity(12345678, -3, Unit.of("Wh"))
    unit = EncodedData.from_typed(structure((T.INTEGER, 0), (T.ENUM, 30)))
    assert asked(visit, [Write(Register(ENERGY).scaler_unit, unit)]) == [None]
    assert visit.run(session.read(f"3/{ENERGY}:2")) == Quantity(12345678, 0, Unit.of("Wh"))


def test_both_faces_have_it() -> None:
    world = World()
    with serving(world) as port:
        url = f"tcp://127.0.0.1:{port}"
        with BlockingMeter.connect(url) as meter:
            assert meter.access([Read(SERIAL)]) == [b"serial"]
            assert meter.read_all("1/0-0:96.1.0") == {"logical_name": None, "value": b"serial"}

        async def asynchronously() -> Any:
            async with Meter.connect(url) as meter:
                return await meter.access([Read(SERIAL)]), await meter.read_all("1/0-0:96.1.0")

        assert asyncio.run(asynchronously()) == ([b"serial"], {"logical_name": None, "value": b"serial"})


# ---- several attributes by ACCESS where there are no lists ----------------------------------------------------------


def test_many_are_read_by_access_where_there_are_no_lists() -> None:
    visit = opened(world_with(~C.MULTIPLE_REFERENCES))
    session = visit.session
    references = [Register(ENERGY).value, Register("1-0:77.7.7").value, Register(ENERGY).scaler_unit]
    found = visit.run(session.get_many(references))
    assert [one if isinstance(one, DataAccessResult) else one.value() for one in found] == [
        12345678,
        DataAccessResult.OBJECT_UNDEFINED,
        (-3, 30),
    ]
    assert visit.sent(b"\xc0\x01", b"\xc0\x03", ACCESS) == [ACCESS]


def test_what_the_answer_had_no_room_for_is_asked_for_singly() -> None:
    world = world_with(~(C.MULTIPLE_REFERENCES | C.GENERAL_BLOCK_TRANSFER))
    long = EncodedData.of(T.OCTET_STRING, bytes(200))
    world.shelf.put(at(1, "0-0:96.1.0", 2), long)
    visit = opened(world, client=settings(client={"max_pdu_size": 100})[0])
    references = [Data("0-0:96.1.0").value, Register(ENERGY).value]
    assert visit.run(visit.session.get_many(references)) == [long, VALUE]
    assert visit.sent(b"\xc0\x01", b"\xc0\x02", ACCESS) == [ACCESS, b"\xc0\x01", b"\xc0\x02", b"\xc0\x02"]


@pytest.mark.parametrize("general", [False, True])
def test_a_ciphered_association_uses_it_only_in_a_general_envelope(general: bool) -> None:
    missing = C.MULTIPLE_REFERENCES if general else C.MULTIPLE_REFERENCES | C.GENERAL_PROTECTION
    ours, theirs = settings(M.HLS_GMAC, ciphered=True, server={"conformance": ~missing, "max_pdu_size": 120})
    visit = opened(World({CLIENT: theirs}), client=ours, sap=CLIENT)
    world = visit.world
    for number in range(20):
        world.shelf.put(at(1, f"0-0:96.{number}.0", 2), EncodedData.of(T.UNSIGNED, number))
    targets = [f"1/0-0:96.{number}.0:2" for number in range(20)]
    assert visit.run(visit.session.read_many(targets)) == list(range(20))
    assert all(len(apdu) <= 120 for apdu in world.received)
    assert {apdu[0] for apdu in world.received} == ({0xDB} if general else {0xC8})
    assert (len(world.received) < 20) is general


# ---- all attributes -------------------------------------------------------------------------------------------------


def device(conformance: Conformance | None = None, **more: Any) -> World:
    register = CosemObject(
        Register(ENERGY),
        {"value": (T.DOUBLE_LONG_UNSIGNED, 1234), "scaler_unit": ScalerUnit(-1, Unit.of("Wh"))},
    )
    made = device_with(register, data("0-0:96.8.0", T.OCTET_STRING, bytes(300)), **more)
    return behind(made, conformance)


def behind(made: LogicalDevice, conformance: Conformance | None = None) -> World:
    admitted = made.client(16)
    assert admitted is not None
    provider: Any = ClientView(made, admitted)
    return World({PUBLIC: settings(server={"conformance": conformance})[1]}, provider)


@pytest.mark.parametrize("conformance", [None, ~C.ATTRIBUTE0_SUPPORTED_WITH_GET])
def test_all_attributes_are_read_at_once_or_in_a_list(conformance: Any) -> None:
    visit = opened(device(conformance))
    wanted = {
        "logical_name": Obis(ENERGY),
        "value": Quantity(1234, -1, Unit.of("Wh")),
        "scaler_unit": ScalerUnit(-1, Unit.of("Wh")),
    }
    assert all_of(visit, f"3/{ENERGY}") == wanted
    assert wanted["value"].value == Decimal("123.4")  # type: ignore[attr-defined]
    heads = [b"\xc0\x01"] if conformance is None else [b"\xc0\x03"]
    assert visit.sent(b"\xc0\x01", b"\xc0\x03", ACCESS) == heads
    assert all_of(visit, Register(ENERGY)) == wanted


@pytest.mark.parametrize("conformance", [None, ~C.ATTRIBUTE0_SUPPORTED_WITH_GET])
def test_what_the_meter_does_not_show_is_none(conformance: Any) -> None:
    made = device_with(CosemObject(Register(ENERGY), {"value": (T.UNSIGNED, 7)}))
    assert all_of(opened(behind(made, conformance)), f"3/{ENERGY}") == {
        "logical_name": Obis(ENERGY),
        "value": 7,
        "scaler_unit": None,
    }


@pytest.mark.parametrize("conformance", [None, ~C.ATTRIBUTE0_SUPPORTED_WITH_GET])
def test_an_object_that_is_not_there_is_refused(conformance: Any) -> None:
    visit = opened(device(conformance))
    with pytest.raises(DataAccessError, match="object-undefined"):
        all_of(visit, "3/1-0:77.7.7")


def test_it_is_found_by_its_name_alone_and_in_the_version_that_the_meter_has() -> None:
    visit = opened(device(association_version=2))
    assert all_of(visit, ENERGY)["value"] == Quantity(1234, -1, Unit.of("Wh"))
    association = all_of(visit, "15/0-0:40.0.0")
    assert list(association)[-1] == "current_user"
    assert association["secret"] is None
    oldest = all_of(opened(device(association_version=0)), "15/0-0:40.0.0")
    assert "user_list" not in oldest
    assert len(oldest) < len(association)


def test_the_version_is_looked_up_even_where_the_usual_attribute_is_the_same_in_all() -> None:
    """M-Bus client: version 0 has twelve attributes, the newest fourteen."""
    world = World()
    entry = structure((T.LONG_UNSIGNED, 72), (T.UNSIGNED, 0), octet_string("0-1:24.1.0"), structure(array(), array()))
    world.shelf.put(at(15, "0-0:40.0.0", 2), EncodedData.from_typed(array(entry)))
    world.shelf.put(at(72, "0-1:24.1.0", 0), EncodedData.from_typed(structure(*[(T.NULL_DATA, None)] * 12)))
    found = all_of(opened(world), "72/0-1:24.1.0")
    assert (len(found), list(found)[1]) == (12, "mbus_port_reference")


def test_a_long_object_comes_in_blocks() -> None:
    visit = opened(device(~C.GENERAL_BLOCK_TRANSFER), client=settings(client={"max_pdu_size": 100})[0])
    assert all_of(visit, "1/0-0:96.8.0")["value"] == bytes(300)


@pytest.mark.parametrize("target", [f"3/{ENERGY}:2", "9999/0-0:1.0.0"])
def test_an_attribute_is_no_object_and_a_class_has_to_be_known(target: str) -> None:
    visit = opened(device())
    with pytest.raises(ConfigurationError):
        all_of(visit, target)


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        ([(T.OCTET_STRING, Obis(ENERGY).octets)], (None, None)),  # fewer than the class has
        ([(T.OCTET_STRING, Obis(ENERGY).octets), (T.UNSIGNED, 1), (T.NULL_DATA, None), (T.UNSIGNED, 9)], (1, None)),
        ([(T.NULL_DATA, None), (T.OCTET_STRING, b"?"), (T.UNSIGNED, 1)], (b"?", 1)),
    ],
)
def test_a_meter_may_send_more_or_less_than_the_class_has(sent: list[Any], wanted: Any) -> None:
    world = World()
    world.shelf.put(at(3, ENERGY, 0), EncodedData.from_typed(structure(*sent)))
    found = all_of(opened(world), f"3/{ENERGY}")
    assert (found["value"], found["scaler_unit"]) == wanted


def test_a_meter_that_refuses_attribute_0_is_asked_for_each() -> None:
    visit = opened()
    assert all_of(visit, f"3/{ENERGY}")["value"] == Quantity(12345678, -3, Unit.of("Wh"))
    assert visit.sent() == [b"\xc0\x01", b"\xc0\x03"]


def test_what_is_no_structure_is_said_to_be_none() -> None:
    world = World()
    world.shelf.put(at(3, ENERGY, 0), FIVE)
    with pytest.raises(DecodeError, match="structure of all attributes"):
        all_of(opened(world), f"3/{ENERGY}")
