"""Meter and BlockingMeter: the same names, and what a user gets of a meter."""

from __future__ import annotations

import datetime as dt
import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest

from cosemic.apdu import ActionResponseWithOptionalData
from cosemic.client import BlockingMeter, Meter
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ActionFailed, ConfigurationError, CosemicError, DataAccessError, DecodeError, EncodeError
from cosemic.model import AttributeReference, Register
from cosemic.security import SecurityPolicy
from cosemic.store.security_settings import SecuritySettings
from cosemic.values import ActionResult, Conformance, DataAccessResult, Obis, Quantity
from tests.association.samples import VALUE, M, settings
from tests.client.meters import ENERGY, PUBLIC, World, at, serving
from tests.transport.samples import run

DAY = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def meter(world: World) -> Iterator[BlockingMeter]:
    with serving(world) as port, BlockingMeter.connect(f"tcp://127.0.0.1:{port}") as opened:
        yield opened


def test_both_faces_have_the_same_methods_and_arguments() -> None:
    def face(kind: type) -> dict[str, list[str]]:
        named = {name: one for name, one in vars(kind).items() if not name.startswith("_")}
        return {name: list(inspect.signature(one).parameters) if callable(one) else [] for name, one in named.items()}

    assert face(Meter) == face(BlockingMeter)


def test_both_faces_give_the_same(world: World) -> None:
    profile = "1-0:99.1.0"
    with serving(world) as port:
        url = f"tcp://127.0.0.1:{port}"
        with BlockingMeter.connect(url) as meter:
            one = [
                meter.read(ENERGY),
                meter.read_many([ENERGY, "1/0-0:96.1.0"]),
                meter.get(f"3/{ENERGY}:3").octets,
                [each.logical_name for each in meter.objects()],
                [row.interval_end for row in meter.load_profile(profile, DAY, DAY + dt.timedelta(days=1)).rows()],
            ]
        other: list[Any] = []

        async def scenario() -> None:
            async with Meter.connect(url) as meter:
                other.append(await meter.read(ENERGY))
                other.append(await meter.read_many([ENERGY, "1/0-0:96.1.0"]))
                other.append((await meter.get(f"3/{ENERGY}:3")).octets)
                other.append([each.logical_name for each in await meter.objects()])
                found = await meter.load_profile(profile, DAY, DAY + dt.timedelta(days=1))
                other.append([row.interval_end for row in found.rows()])

        run(scenario)
    assert one == other
    assert one[0] == Quantity(12345678, -3, 30)


def test_a_bare_code_is_looked_up_once(meter: BlockingMeter, world: World) -> None:
    meter.read(ENERGY)
    before = len(world.received)
    meter.read(ENERGY)
    meter.read(Obis(ENERGY))
    assert len(world.received) == before + 2  # neither the view nor scaler and unit again
    with pytest.raises(DataAccessError, match="not in the association view") as caught:
        meter.read("1-0:77.7.7")
    assert caught.value.label == "object-undefined"
    meter.objects(refresh=True)
    assert len(world.received) == before + 3


def test_targets_of_every_form(meter: BlockingMeter) -> None:
    assert meter.read(f"3/{ENERGY}") == meter.read(f"3/{ENERGY}:value") == meter.read(f"3/{ENERGY}:2")
    assert meter.read(Register(ENERGY).value) == meter.read(ENERGY)
    assert meter.read(f"3/{ENERGY}:scaler_unit").scaler == -3
    assert meter.get(AttributeReference.of(3, Obis(ENERGY), 2)).value() == 12345678
    assert meter.read("1/0-0:96.1.0") == b"serial"
    for wrong in ("nonsense", "3/", "3/1-0:1.8.0:colour", "3/1-0:2", "9999/1-0:1.8.0:value", "3/x.y:2"):
        with pytest.raises(ConfigurationError):
            meter.get(wrong)
    assert meter.get(ENERGY).value() == 12345678
    for wrong in ("9999/1-0:1.8.0:1", "3/1-0:1.8.0", "3/1-0:1.8.0:9", "3/1-0:1.8.0:dance", ENERGY):
        with pytest.raises(ConfigurationError):
            meter.call(wrong)


def test_a_refused_attribute_is_named_with_what_to_do(meter: BlockingMeter) -> None:
    with pytest.raises(DataAccessError, match="see what `objects` lists") as caught:
        meter.get("3/1-0:77.7.7:2")
    assert (caught.value.code, caught.value.label) == (4, "object-undefined")
    assert "1-0:77.7.7" in caught.value.subject
    with pytest.raises(DataAccessError):
        meter.read_many([f"3/{ENERGY}", "3/1-0:77.7.7:2"])


SINGLY = ~(Conformance.MULTIPLE_REFERENCES | Conformance.ACCESS)


@pytest.mark.parametrize("conformance", [None, ~Conformance.MULTIPLE_REFERENCES, SINGLY])
@pytest.mark.parametrize("size", [40, 64, 0xFFFF])
def test_many_attributes_are_read_in_lists_as_long_as_they_fit(conformance: Any, size: int) -> None:
    world = World({PUBLIC: settings(server={"conformance": conformance, "max_pdu_size": size})[1]})
    targets = []
    for number in range(40):
        world.shelf.put(at(1, f"0-0:96.{number}.0", 2), EncodedData.of(DataType.UNSIGNED, number))
        targets.append(f"1/0-0:96.{number}.0:2")
    with serving(world) as port, BlockingMeter.connect(f"tcp://127.0.0.1:{port}") as meter:
        assert meter.read_many(targets) == list(range(40))
    assert all(len(apdu) <= size for apdu in world.received[1:])
    lists = sum(apdu[:2] == b"\xc0\x03" for apdu in world.received)
    singles = sum(apdu[:2] == b"\xc0\x01" for apdu in world.received)
    accesses = sum(apdu[:1] == b"\xd9" for apdu in world.received)
    if conformance is None:
        assert (lists, accesses, singles) == {40: (13, 0, 1), 64: (7, 0, 0), 0xFFFF: (3, 0, 0)}[size]
    elif conformance == SINGLY:
        assert (lists, accesses, singles) == (0, 0, 40)
    else:
        assert (lists, accesses, singles) == {40: (0, 20, 0), 64: (0, 8, 0), 0xFFFF: (0, 3, 0)}[size]


def test_writing_and_calling(meter: BlockingMeter, world: World) -> None:
    meter.write("1/0-0:96.1.0", EncodedData.of(DataType.UNSIGNED, 7))
    assert meter.read("1/0-0:96.1.0") == 7
    with pytest.raises((EncodeError, ConfigurationError)):
        meter.write(f"3/{ENERGY}:scaler_unit", "nonsense")
    assert meter.call(f"3/{ENERGY}:reset", 0) is None
    assert world.shelf.calls[-1][0] == "action"
    assert meter.call(f"3/{ENERGY}:1", EncodedData.of(DataType.INTEGER, 0)) is None
    with pytest.raises(ConfigurationError, match="not declared"):
        meter.call("9999/0-0:10.0.0:1", EncodedData.of(DataType.LONG_UNSIGNED, 5))


def test_a_write_that_is_refused(meter: BlockingMeter, world: World) -> None:
    world.shelf.set = lambda *_: DataAccessResult.READ_WRITE_DENIED  # type: ignore[method-assign]  # a double for one test
    with pytest.raises(DataAccessError, match="read-write-denied"):
        meter.write(f"3/{ENERGY}", VALUE)


def test_a_call_that_is_refused(meter: BlockingMeter, world: World) -> None:
    answers = [
        ActionResponseWithOptionalData(ActionResult.READ_WRITE_DENIED),
        ActionResponseWithOptionalData(ActionResult.SUCCESS, DataAccessResult.OTHER_REASON),
        ActionResponseWithOptionalData(ActionResult.SUCCESS, DataAccessResult.SUCCESS),
    ]
    world.shelf.action = lambda *_: answers.pop(0)  # type: ignore[method-assign]  # a double for one test
    with pytest.raises(ActionFailed, match="read-write-denied"):
        meter.call(f"3/{ENERGY}:reset", 0)
    with pytest.raises(DataAccessError, match="other-reason"):
        meter.call(f"3/{ENERGY}:reset", 0)
    assert meter.call(f"3/{ENERGY}:reset", 0) is None


def test_a_load_profile_learns_its_columns_once(meter: BlockingMeter, world: World) -> None:
    found = meter.load_profile("1-0:99.1.0", "2026-11-20T01:00", "2026-11-20T04:00")
    assert [row.interval_end.hour for row in found.rows()] == [2, 3, 4]
    asked = len(world.received)
    meter.load_profile("1-0:99.1.0", DAY, DAY + dt.timedelta(hours=3))
    assert len(world.received) == asked + 1
    for since, until in (("yesterday", DAY), (DAY, DAY), (DAY, DAY - dt.timedelta(days=1))):
        with pytest.raises(ConfigurationError):
            meter.load_profile("1-0:99.1.0", since, until)


def test_a_profile_without_selective_access_is_read_whole() -> None:
    world = World({PUBLIC: settings(server={"conformance": ~Conformance.SELECTIVE_ACCESS})[1]})
    with serving(world) as port, BlockingMeter.connect(f"tcp://127.0.0.1:{port}") as meter:
        found = meter.load_profile("1-0:99.1.0", "2026-11-20T01:00", "2026-11-20T03:00")
    assert [row.interval_end.hour for row in found.rows()] == [2, 3]


def test_a_profile_that_cannot_be_learnt_is_an_error(meter: BlockingMeter, world: World) -> None:
    del world.shelf.values[at(7, "1-0:99.1.0", 4).encode()]
    with pytest.raises(DataAccessError):
        meter.load_profile("1-0:99.1.0", DAY, DAY + dt.timedelta(days=1))


def test_a_view_that_is_none_is_a_decode_error(meter: BlockingMeter, world: World) -> None:
    world.shelf.put(at(15, "0-0:40.0.0", 2), EncodedData.of(DataType.UNSIGNED, 1))
    with pytest.raises(DecodeError):
        meter.objects()


_COLUMN = "020412000809060000010000ff0f02"
"""A capture object, the clock, up to its data_index."""


@pytest.mark.parametrize("attribute", [2, 3, 4])
@pytest.mark.parametrize(
    "octets",
    [
        *("00", "ff", "0100", "0901ff", "17ffc00000", "11ff", "0200", "010111ff", "15ffffffffffffffff", "1000"),
        *("1480000000000000ff", f"0101{_COLUMN}15ffffffffffffffff", f"0101{_COLUMN}0a0141"),
    ],
)
def test_a_profile_that_is_not_as_declared_is_a_cosemic_error_or_rows(
    meter: BlockingMeter, world: World, attribute: int, octets: str
) -> None:
    world.shelf.put(at(7, "1-0:99.1.0", attribute), EncodedData(bytes.fromhex(octets)))
    try:
        found = meter.load_profile("1-0:99.1.0", DAY, DAY + dt.timedelta(days=1))
    except CosemicError:
        return
    assert len(list(found)) == len(json.loads(json.dumps(found.to_dict()))["rows"])


@pytest.mark.parametrize(
    ("attribute", "octets"), [(3, "00"), (3, "1105"), (4, "00"), (4, "0901ff"), (4, "10ffff"), (5, "090141")]
)
def test_what_a_profile_says_of_itself_is_of_the_declared_type(
    meter: BlockingMeter, world: World, attribute: int, octets: str
) -> None:
    world.shelf.put(at(7, "1-0:99.1.0", attribute), EncodedData(bytes.fromhex(octets)))
    with pytest.raises(DecodeError):
        meter.load_profile("1-0:99.1.0", DAY, DAY + dt.timedelta(days=1))


@pytest.mark.parametrize(("attribute", "octets"), [(4, "120e10"), (5, "1602"), (5, "1609"), (5, "1101")])
def test_another_width_and_an_order_not_listed_are_taken(
    meter: BlockingMeter, world: World, attribute: int, octets: str
) -> None:
    world.shelf.put(at(7, "1-0:99.1.0", attribute), EncodedData(bytes.fromhex(octets)))
    found = meter.load_profile("1-0:99.1.0", DAY, DAY + dt.timedelta(days=1))
    assert [row.interval_end.hour for row in found] == [1, 2, 3, 4]
    assert found.capture_period == 3600


@pytest.mark.parametrize("octets", ["00", "1105", "0200", "0202120190161e", "ff"])
def test_a_value_whose_scaler_is_none_stays_a_number(meter: BlockingMeter, world: World, octets: str) -> None:
    world.shelf.put(at(3, ENERGY, 3), EncodedData(bytes.fromhex(octets)))
    assert meter.read(ENERGY) == 12345678
    found = meter.load_profile("1-0:99.1.0", DAY, DAY + dt.timedelta(days=1))
    assert [row.values for row in found] == [(1001,), (1002,), (1003,), (1004,)]
    assert found.columns[0].unit is None


@pytest.mark.parametrize("mechanism", [M.LLS, M.HLS_GMAC], ids=lambda each: each.label)
def test_a_ciphered_meter_is_read(mechanism: M) -> None:
    ours, theirs = settings(mechanism, ciphered=True, policy=SecurityPolicy(0, 3))
    world = World({1: theirs, PUBLIC: settings()[1]})
    with serving(world) as port:
        security = SecuritySettings(ours, client_sap=1)
        with BlockingMeter.connect(f"tcp://127.0.0.1:{port}", security) as meter:
            assert meter.read(ENERGY) == Quantity(12345678, -3, 30)


def test_settings_that_cannot_work_are_refused_before_anything_is_connected() -> None:
    with pytest.raises(ConfigurationError):
        Meter.connect("tcp://h", {"encryption_key": "00"})
    with pytest.raises(ConfigurationError):
        BlockingMeter.connect("smtp://h")
    with pytest.raises(ConfigurationError):
        BlockingMeter.connect("tcp://h?max_pdu=11")
