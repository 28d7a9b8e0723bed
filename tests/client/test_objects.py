"""Objects of a meter by name, the association view and its parts, values with scaler and unit, and lists of changes."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.apdu import ActionResponseWithOptionalData
from cosemic.client import BlockingMeter, Meter
from cosemic.client.recovery import NONE
from cosemic.client.scaling import raw_value, scaler_of
from cosemic.client.selections import (
    all_information,
    by_class,
    by_entry,
    by_object,
    by_range,
    by_time,
    one_object,
)
from cosemic.client.targets import parse
from cosemic.client.view import association_version, listed
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ActionFailed, ConfigurationError, DataAccessError, DecodeError, EncodeError
from cosemic.model import (
    AccessSelection,
    AssociationLN,
    AssociationLNVersion1,
    CaptureObjectDefinition,
    Clock,
    EntryDescriptor,
    ProfileGenericVersion0,
    Register,
    ScalerUnit,
    interface_classes,
)
from cosemic.values import ActionResult, Conformance, DataAccessResult, DateTime, Obis, Quantity, Unit
from tests.association.samples import Shelf, settings
from tests.client.meters import ENERGY, PUBLIC, World, array, at, household, octet_string, serving, structure

T = DataType
PROFILE = "1-0:99.1.0"
WH = Unit(30)


class Parts(Shelf):
    """A household that notes selections, and answers with a part where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.values = household().values
        self.selections: list[Any] = []
        self.parts: dict[int, EncodedData] = {}

    def get(self, attribute: Any, selection: Any, access: Any) -> EncodedData | DataAccessResult:
        self.selections.append(selection)
        if selection is not None and selection.access_selector in self.parts:
            return self.parts[selection.access_selector]
        if selection is not None and selection.access_selector not in (1, 2):
            return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
        return super().get(attribute, selection, access)


@pytest.fixture
def shelf() -> Parts:
    return Parts()


@pytest.fixture
def world(shelf: Parts) -> World:
    return World(shelf=shelf)


@pytest.fixture
def meter(world: World) -> Iterator[BlockingMeter]:
    with serving(world) as port, BlockingMeter.connect(f"tcp://127.0.0.1:{port}", recovery=NONE) as opened:
        world.received.clear()
        yield opened


def gets(world: World) -> int:
    return sum(apdu[0] == 0xC0 for apdu in world.received)


# ---- objects by name ------------------------------------------------------------------------------------------------


def test_attributes_are_read_and_written_and_methods_called_under_the_names_of_the_standard(
    meter: BlockingMeter, world: World
) -> None:
    register = meter[f"3/{ENERGY}*255"]
    assert register.value() == Quantity(12345678, -3, WH)
    assert register.scaler_unit().scaler == -3
    assert register.value.get().value() == 12345678
    register.value.write(Quantity(1, 0, WH))
    assert register.value() == Quantity(1, 0, WH)
    assert register.reset() is None
    assert world.shelf.calls[-1][1][0].method_id == 1
    clock = meter[Clock("0-0:1.0.0")]
    clock.time_zone.write(-60)
    assert clock.time_zone() == -60
    assert clock.shift_time(30) is None
    assert world.shelf.calls[-1][1][1] == EncodedData.of(T.LONG, 30)


def test_on_asyncio_the_same_is_awaited(world: World) -> None:
    async def use(port: int) -> Any:
        async with Meter.connect(f"tcp://127.0.0.1:{port}") as meter:
            await meter[Register(ENERGY)].reset()
            return await meter[ENERGY].value()

    with serving(world) as port:
        assert asyncio.run(use(port)) == Quantity(12345678, -3, WH)


def test_a_part_is_read_with_a_selection(meter: BlockingMeter, shelf: Parts) -> None:
    profile = meter[f"7/{PROFILE}*255"]
    assert len(profile.buffer()) == 4
    profile.buffer(by_entry(2, 3))
    assert shelf.selections[-1].access_selector == 2
    assert shelf.selections[-1].access_parameters.value() == (2, 3, 1, 0)
    profile.buffer.get(by_entry(1))
    assert shelf.selections[-1].access_parameters.value() == (1, 0, 1, 0)
    profile.buffer.select("entry_descriptor", EntryDescriptor(1, 2, 1, 0))
    assert shelf.selections[-1].access_parameters.value() == (1, 2, 1, 0)
    with pytest.raises(ConfigurationError):
        profile.buffer.select("colour", None)
    with pytest.raises(ConfigurationError, match=r"written with write\(\)"):
        profile.buffer(5)


def test_dir_lists_what_the_class_has_and_an_unknown_name_is_an_attribute_error(meter: BlockingMeter) -> None:
    clock = meter["8/0-0:1.0.0"]
    assert {"time", "time_zone", "shift_time", "logical_name"} <= set(dir(clock))
    with pytest.raises(AttributeError, match=r"'tyme'.*time, time_zone"):
        _ = clock.tyme
    assert not hasattr(clock, "_private")
    assert repr(clock) == "<object 8/0-0:1.0.0*255>"
    assert repr(clock.time) == "<time of 8/0-0:1.0.0*255>"


def test_an_object_without_class_knows_its_names_once_the_view_was_read(meter: BlockingMeter, world: World) -> None:
    energy = meter[ENERGY]
    assert "value" not in dir(energy)
    assert energy.value() == Quantity(12345678, -3, WH)
    assert {"value", "scaler_unit", "reset"} <= set(dir(energy))
    assert not hasattr(energy, "buffer")
    with pytest.raises(DataAccessError, match="not in the association view"):
        meter["1-0:77.7.7"].value()


def test_the_version_is_looked_up_only_where_it_makes_a_difference(meter: BlockingMeter, world: World) -> None:
    assert len(meter["15/0-0:40.0.0@1"].object_list()) == len(meter[AssociationLNVersion1("0-0:40.0.0")].object_list())
    meter["15/0-0:40.0.0"].object_list.get()
    assert gets(world) == 4  # the view, and the attribute
    assert type(meter["15/0-0:40.0.0"].object_list()[0].access_rights).__name__ == "AccessRightV1"
    meter[f"7/{PROFILE}"].capture_period()
    meter[f"3/{ENERGY}"].value()
    assert gets(world) == 7
    assert meter.session.view is not None


def test_the_version_of_the_view_is_the_one_that_counts(meter: BlockingMeter, world: World) -> None:
    rights = structure(array(), array())
    others = (entry(8, 5, PROFILE, rights), entry(7, 1, "1-0:99.2.0", rights))
    view = array(*others, entry(7, 0, PROFILE, rights))
    world.shelf.put(at(15, "0-0:40.0.0", 2), EncodedData.from_typed(view))
    profile = meter[f"7/{PROFILE}"]
    with pytest.raises(EncodeError):
        profile.get_buffer_by_index(None)  # a method of version 0 alone
    reference = meter.run(meter.session.method(f"7/{PROFILE}:get_buffer_by_index"))
    assert reference.method is ProfileGenericVersion0.methods[4]
    assert "get_buffer_by_index" in dir(profile)
    assert "get_buffer_by_index" not in dir(meter[f"7/{PROFILE}@1"])
    assert "get_buffer_by_index" not in dir(meter["7/1-0:99.2.0"])


def test_a_view_that_is_refused_leaves_the_newest_version(meter: BlockingMeter, world: World) -> None:
    del world.shelf.values[at(15, "0-0:40.0.0", 2).encode()]
    with pytest.raises(ConfigurationError, match="has no method 'get_buffer_by_index'"):
        meter.call(f"7/{PROFILE}:get_buffer_by_index")
    assert [one.class_id for one in meter[f"7/{PROFILE}"].capture_objects()] == [8, 3]


def test_what_names_no_object_or_no_attribute(meter: BlockingMeter) -> None:
    with pytest.raises(ConfigurationError, match="behind a dot"):
        meter["3/1-0:1.8.0:value"]
    with pytest.raises(ConfigurationError):
        meter["three/1-0:1.8.0"]
    with pytest.raises(ConfigurationError, match="is a method"):
        meter[Register(ENERGY)].reset.write(0)
    with pytest.raises(ConfigurationError, match="not declared"):
        meter["9999/1-0:1.8.0"].value()


def test_no_class_has_an_attribute_and_a_method_of_one_name() -> None:
    for kind in interface_classes():
        attributes = {one.name for one in kind.attributes.values()}
        assert not attributes & {one.name for one in kind.methods.values()}, kind


def test_a_value_that_is_not_as_declared_comes_as_it_was_sent(meter: BlockingMeter, world: World) -> None:
    world.shelf.put(at(8, "0-0:1.0.0", 2), EncodedData.of(T.UTF8_STRING, "noon"))
    assert meter[Clock("0-0:1.0.0")].time() == "noon"


# ---- the view -------------------------------------------------------------------------------------------------------


def entry(class_id: int, version: int, obis: str, *rights: Any) -> tuple[DataType, Any]:
    return structure((T.LONG_UNSIGNED, class_id), (T.UNSIGNED, version), octet_string(obis), *rights)


RIGHTS = structure(array(structure((T.INTEGER, 1), (T.ENUM, 1), (T.NULL_DATA, None))), array())


@pytest.mark.parametrize("rights", [(), (RIGHTS,)])
def test_objects_of_some_classes_come_without_rights_or_with_them(
    meter: BlockingMeter, shelf: Parts, rights: tuple[Any, ...]
) -> None:
    shelf.parts[2] = EncodedData.from_typed(array(entry(8, 0, "0-0:1.0.0", *rights)))
    (found,) = meter.objects(select=by_class(8))
    assert (found.class_id, found.version, found.logical_name) == (8, 0, Obis("0-0:1.0.0"))
    assert (found.access_rights is None) == (not rights)
    assert shelf.selections[-1].access_parameters.value() == [8]
    assert meter.session.view is None


def test_one_object_comes_as_its_record_or_in_an_array(meter: BlockingMeter, shelf: Parts) -> None:
    record = entry(8, 0, "0-0:1.0.0", RIGHTS)
    for answer in (record, array(record)):
        shelf.parts[4] = EncodedData.from_typed(answer)
        (found,) = meter.objects(select=one_object(Clock("0-0:1.0.0")))
        assert found.access_rights is not None
        assert found.access_rights.attribute_access[0].attribute_id == 1
    assert shelf.selections[-1].access_parameters.value() == (8, Obis("0-0:1.0.0").octets)


def test_the_version_of_the_association_says_how_rights_are_coded(meter: BlockingMeter, shelf: Parts) -> None:
    shelf.parts[2] = EncodedData.from_typed(array(entry(15, 3, "0-0:40.0.1"), entry(15, 2, "0-0:40.0.0")))
    shelf.parts[3] = EncodedData.from_typed(array(entry(8, 0, "0-0:1.0.0", RIGHTS)))
    (found,) = meter.objects(select=by_object(Clock("0-0:1.0.0"), (3, ENERGY)))
    assert type(found.access_rights).__name__ == "AccessRightV1"
    shelf.parts[2] = EncodedData.from_typed(array(entry(15, 3, "0-0:40.0.0")))
    (found,) = meter.objects(select=by_object((8, Obis("0-0:1.0.0"))))
    assert type(found.access_rights).__name__ == "AccessRightV3"
    meter.objects()
    (found,) = meter.objects(select=by_object((8, Obis("0-0:1.0.0"))))
    assert type(found.access_rights).__name__ == "AccessRightV1"  # that of the whole view, which has been read


def test_a_meter_that_knows_no_selection_by_class_is_asked_for_the_whole_view(
    meter: BlockingMeter, shelf: Parts
) -> None:
    get = shelf.get

    def refusing(attribute: Any, selection: Any, access: Any) -> Any:
        if selection is not None and selection.access_selector == 2:
            return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
        return get(attribute, selection, access)

    shelf.get = refusing  # type: ignore[method-assign]  # a double for one test
    shelf.parts[3] = EncodedData.from_typed(array(entry(8, 0, "0-0:1.0.0", RIGHTS)))
    assert len(meter.objects(select=by_object((8, "0-0:1.0.0")))) == 1
    assert meter.session.view is not None
    with pytest.raises(DataAccessError):
        meter.objects(select=by_class(8))


def test_everything_may_be_asked_for_by_selector_too(meter: BlockingMeter, shelf: Parts) -> None:
    assert len(meter.objects(select=all_information())) == 5
    assert shelf.selections[-1].access_selector == 1


@pytest.mark.parametrize(
    "typed",
    [
        (T.UNSIGNED, 1),
        array((T.UNSIGNED, 1)),
        array(structure((T.UNSIGNED, 1))),
        structure((T.UNSIGNED, 1)),
        array(structure((T.UTF8_STRING, "8"), (T.UNSIGNED, 0), octet_string(ENERGY))),
        array(structure((T.LONG_UNSIGNED, 8), (T.UNSIGNED, 0), (T.OCTET_STRING, b"short"))),
        array(structure((T.LONG_UNSIGNED, 8), array(), octet_string(ENERGY), RIGHTS)),
        array(entry(8, 0, ENERGY, (T.UNSIGNED, 1))),
        array(entry(15, 200, ENERGY, (T.UNSIGNED, 1))),
    ],
)
def test_a_view_that_is_none_is_a_decode_error(typed: Any) -> None:
    with pytest.raises(DecodeError):
        listed(EncodedData.from_typed(typed))


def test_an_empty_view_and_one_that_does_not_list_its_association() -> None:
    assert listed(EncodedData.from_typed(array())) == []
    assert association_version([]) == 1
    assert association_version(listed(EncodedData.from_typed(array(entry(15, 2, "0-0:40.0.7"))))) == 2


@given(st.binary(max_size=60))
def test_any_octets_are_a_view_or_a_decode_error(octets: bytes) -> None:
    try:
        found = listed(EncodedData(octets))
    except DecodeError:
        return
    assert isinstance(found, list)


# ---- selections -----------------------------------------------------------------------------------------------------


def test_rows_are_selected_by_time_and_by_other_columns() -> None:
    since, until = (
        DateTime(bytes.fromhex("07ea0b14ff000000ff800000")),
        DateTime(bytes.fromhex("07ea0b15ff000000ff800000")),
    )
    selection = by_time(since, until)
    assert selection.selector == 1
    definition, low, high, columns = EncodedData.from_typed(selection.parameters).value()
    assert definition == (8, Obis("0-0:1.0.0").octets, 2, 0)
    assert (low, high, columns) == (since.octets, until.octets, [])
    event = CaptureObjectDefinition(1, Obis("0-0:96.11.0"), 2, 0)
    selection = by_range(event, 3, 7, columns=[event])
    definition, low, high, columns = EncodedData.from_typed(selection.parameters).value()
    assert (definition[0], low, high, columns) == (1, 3, 7, [(1, Obis("0-0:96.11.0").octets, 2, 0)])
    assert isinstance(by_entry(1, 5, columns=(2, 3)), AccessSelection)
    assert EncodedData.from_typed(by_entry(1, 5, columns=(2, 3)).parameters).value() == (1, 5, 2, 3)


# ---- quantities -----------------------------------------------------------------------------------------------------


def test_a_quantity_is_written_in_the_scaler_and_type_of_the_register(meter: BlockingMeter, world: World) -> None:
    meter.write(Register(ENERGY).value, Quantity(5, 3, WH))
    assert meter.get(ENERGY) == EncodedData.of(T.DOUBLE_LONG_UNSIGNED, 5_000_000)
    meter.write(Register(ENERGY).value, Quantity(15, -4, WH) + Quantity(5, -4, WH))
    assert meter.get(ENERGY) == EncodedData.of(T.DOUBLE_LONG_UNSIGNED, 2)
    for wrong in (Quantity(1, -4, WH), Quantity(1, 0, Unit(27)), Quantity(-1, 0, WH), Quantity(1, 12, WH)):
        with pytest.raises(EncodeError):
            meter.write(Register(ENERGY).value, wrong)


def test_a_quantity_needs_a_register_that_tells_its_unit(meter: BlockingMeter, world: World) -> None:
    with pytest.raises(EncodeError, match="no scaler and unit"):
        meter.write("1/0-0:96.1.0:2", Quantity(1, 0, WH))
    del world.shelf.values[at(3, ENERGY, 3).encode()]
    with pytest.raises(EncodeError, match="write the number"):
        meter.write(ENERGY, Quantity(1, 0, WH))


def test_the_type_of_a_register_that_cannot_be_read_must_be_given(meter: BlockingMeter, world: World) -> None:
    del world.shelf.values[at(3, ENERGY, 2).encode()]
    for value in (Quantity(1, 0, WH), 1000):
        with pytest.raises(EncodeError, match="could be double-long, double-long-unsigned"):
            meter.write(f"3/{ENERGY}:2", value)
    meter.write(f"3/{ENERGY}:2", (T.LONG64, 1000))
    assert meter.get(f"3/{ENERGY}:2") == EncodedData.of(T.LONG64, 1000)


@given(
    st.sampled_from([T.INTEGER, T.LONG, T.DOUBLE_LONG_UNSIGNED, T.LONG64, T.FLOAT32, T.FLOAT64]),
    st.integers(-(10**6), 10**6),
    st.integers(-6, 6),
    st.integers(-6, 6),
)
def test_what_is_written_is_exactly_what_was_meant_or_nothing(kind: DataType, raw: int, own: int, scaler: int) -> None:
    quantity = Quantity(raw, own, WH)
    present = EncodedData.of(kind, 1)
    try:
        octets = raw_value(Register(ENERGY).value, quantity, ScalerUnit(scaler, WH), present)
    except EncodeError:
        number = quantity.value.scaleb(-scaler)
        if kind in (T.FLOAT32, T.FLOAT64):
            assert Decimal(float(number)) != number or kind is T.FLOAT32
        else:
            low, high = {
                T.INTEGER: (-128, 127), T.LONG: (-32768, 32767), T.DOUBLE_LONG_UNSIGNED: (0, 2**32 - 1),
                T.LONG64: (-(2**63), 2**63 - 1),
            }[kind]  # fmt: skip
            assert number != int(number) or not low <= number <= high
        return
    assert octets.type is kind
    assert Decimal(octets.value()).scaleb(scaler) == quantity.value


@pytest.mark.parametrize("raw", [float("nan"), float("inf"), 0.1])
def test_what_is_no_exact_number_is_not_written(raw: float) -> None:
    for present in (EncodedData.of(T.LONG, 1), EncodedData.of(T.FLOAT32, 1.0), None):
        with pytest.raises(EncodeError):
            raw_value(Register(ENERGY).value, Quantity(raw, 0, WH), ScalerUnit(0, WH), present)
    with pytest.raises(EncodeError):
        raw_value(
            Register(ENERGY).value, Quantity(10**40, 100, WH), ScalerUnit(-100, WH), EncodedData.of(T.FLOAT64, 1.0)
        )


def test_a_number_goes_out_in_the_type_that_is_there(meter: BlockingMeter, world: World) -> None:
    meter.write(Register(ENERGY).value, 7)
    assert meter.get(ENERGY) == EncodedData.of(T.DOUBLE_LONG_UNSIGNED, 7)
    meter.write("1/0-0:96.1.0:2", b"number")
    assert meter.read("1/0-0:96.1.0:2") == b"number"
    before = gets(world)
    for wrong in ("text", 5.5, -1, 2**40, (T.UNSIGNED, "7"), (T.BOOLEAN, 7)):
        with pytest.raises(EncodeError):
            meter.write(Register(ENERGY).value, wrong)
    assert gets(world) > before
    with pytest.raises(EncodeError):
        meter.write(Clock("0-0:1.0.0").time_zone, 5000)  # of one type alone: nothing is asked
    assert meter.get(ENERGY) == EncodedData.of(T.DOUBLE_LONG_UNSIGNED, 7)


def test_values_with_a_scaler_are_those_of_registers() -> None:
    assert scaler_of(Register(ENERGY).value) == Register(ENERGY).scaler_unit
    assert scaler_of(Register(ENERGY).scaler_unit) is None
    assert scaler_of(Clock("0-0:1.0.0").time) is None


# ---- lists of changes -----------------------------------------------------------------------------------------------

A, B, C = (f"1/0-0:96.{number}.0:2" for number in (1, 2, 3))


def five(value: int = 5) -> EncodedData:
    return EncodedData.of(T.UNSIGNED, value)


@pytest.mark.parametrize("conformance", [None, ~Conformance.MULTIPLE_REFERENCES])
def test_several_attributes_are_written_and_methods_called_in_lists_where_agreed(conformance: Any) -> None:
    world = World({PUBLIC: settings(server={"conformance": conformance})[1]})
    with serving(world) as port, BlockingMeter.connect(f"tcp://127.0.0.1:{port}") as meter:
        meter.write_many([(A, five(1)), (B, five(2)), (Clock("0-0:1.0.0").time_zone, -60)])
        assert meter.read_many([A, B, Clock("0-0:1.0.0").time_zone]) == [1, 2, -60]
        assert meter.call_many([("9/0-0:10.0.0:1", five(9)), (Register(ENERGY).reset, None)]) == [9, None]
        meter.write_many([])
        assert meter.call_many([]) == []
    kinds = [apdu[:2].hex() for apdu in world.received if apdu[0] in (0xC1, 0xC3)]
    assert kinds == (["c104", "c303"] if conformance is None else ["c101"] * 3 + ["c301"] * 2)


def test_a_list_is_cut_where_it_would_not_fit() -> None:
    world = World({PUBLIC: settings(server={"max_pdu_size": 64})[1]})
    long = EncodedData.of(T.OCTET_STRING, bytes(20))
    with serving(world) as port, BlockingMeter.connect(f"tcp://127.0.0.1:{port}") as meter:
        meter.write_many([(A, long), (B, five()), (C, long), (A, five()), (B, five())])
        assert meter.read_many([A, B, C]) == [5, 5, bytes(20)]
    written = [apdu for apdu in world.received if apdu[0] == 0xC1]
    assert [apdu[:2].hex() for apdu in written] == ["c104", "c104"]
    assert all(len(apdu) <= 64 for apdu in written)


def test_all_are_tried_and_the_first_refusal_names_the_others(meter: BlockingMeter, world: World) -> None:
    put = world.shelf.set

    def choosy(attribute: Any, selection: Any, value: Any, access: Any) -> DataAccessResult:
        if attribute.instance_id[3] in (1, 3):
            return DataAccessResult.READ_WRITE_DENIED
        return put(attribute, selection, value, access)

    world.shelf.set = choosy  # type: ignore[method-assign]  # a double for one test
    with pytest.raises(DataAccessError, match=r"0-0:96\.1\.0") as caught:
        meter.write_many([(A, five()), (B, five(7)), (C, five())])
    (note,) = caught.value.__notes__
    assert note.startswith("1 of 3 were done")
    assert "0-0:96.3.0" in note
    assert meter.read(B) == 7


def test_all_calls_are_tried_too(meter: BlockingMeter, world: World) -> None:
    answers = [
        ActionResponseWithOptionalData(ActionResult.SUCCESS, five(1)),
        ActionResponseWithOptionalData(ActionResult.HARDWARE_FAULT),
        ActionResponseWithOptionalData(ActionResult.SUCCESS, DataAccessResult.OTHER_REASON),
    ]
    world.shelf.action = lambda *_: answers.pop(0)  # type: ignore[method-assign]  # a double for one test
    with pytest.raises(ActionFailed, match="hardware-fault") as caught:
        meter.call_many([(f"9/0-0:10.0.{n}:1", five()) for n in range(3)])
    assert "1 of 3 were done" in caught.value.__notes__[0]
    assert not answers


def test_a_value_that_does_not_fit_keeps_everything_from_being_sent(meter: BlockingMeter, world: World) -> None:
    with pytest.raises(EncodeError):
        meter.write_many([(A, five()), (Clock("0-0:1.0.0").time_zone, 5000)])
    with pytest.raises(EncodeError):
        meter.call_many([(Register(ENERGY).reset, None), (Clock("0-0:1.0.0").shift_time, 901)])
    assert not any(apdu[0] in (0xC1, 0xC3) for apdu in world.received)


# ---- how targets are written ----------------------------------------------------------------------------------------


@given(st.text(max_size=20))
def test_any_text_is_a_target_or_a_configuration_error(text: str) -> None:
    for target in (text, f"3/{text}", f"3/1-0:1.8.0{text}"):
        try:
            named = parse(target)
        except ConfigurationError:
            continue
        assert len(named.instance_id) == 6


def test_an_attribute_of_the_manufacturer_is_named_by_its_number(meter: BlockingMeter, world: World) -> None:
    world.shelf.put(at(3, ENERGY, -1), five())
    assert meter.read(f"3/{ENERGY}:-1") == 5
    world.shelf.put(at(9999, ENERGY, 2), five(6))
    assert meter.read(f"9999/{ENERGY}:2") == 6
    with pytest.raises(ConfigurationError, match="by its number"):
        meter.read(f"9999/{ENERGY}:value")


def test_what_is_no_text_is_no_target(meter: BlockingMeter) -> None:
    with pytest.raises(ConfigurationError, match="8 names no object"):
        meter.read(8)  # type: ignore[call-overload]


def test_a_target_prints_as_it_is_written() -> None:
    assert str(parse("15/0-0:40.0.0*255@1:object_list")) == "15/0-0:40.0.0*255@1"
    assert str(parse(Obis(ENERGY))) == "1-0:1.8.0*255"
    assert parse("15/0-0:40.0.0").differs() is parse("15/0-0:40.0.0:object_list").differs() is True
    assert parse("3/1-0:1.8.0").differs() is False
    assert AssociationLN.class_id == 15


@pytest.mark.parametrize("value", [5, "text", b"octets"])
def test_a_value_whose_type_nobody_knows_is_not_written_as_nothing(
    value: object, meter: BlockingMeter, world: World
) -> None:
    world.shelf.put(at(1, "0-0:96.1.0", 2), EncodedData.of(T.NULL_DATA, None))
    with pytest.raises(EncodeError):
        meter.write("1/0-0:96.1.0", value)
    assert all(apdu[0] != 0xC1 for apdu in world.received)
    meter.write("1/0-0:96.1.0", (T.UNSIGNED, 5))
    assert meter.read("1/0-0:96.1.0") == 5


def test_a_scaler_that_is_written_holds_from_then_on(meter: BlockingMeter) -> None:
    assert meter.read(ENERGY) == Quantity(12345678, -3, WH)
    meter.write(f"3/{ENERGY}:scaler_unit", ScalerUnit(0, WH))
    assert meter.read(ENERGY) == Quantity(12345678, 0, WH)


def test_columns_that_are_written_are_learnt_anew(meter: BlockingMeter) -> None:
    since, until = "2026-11-20T00:00", "2026-11-21T00:00"
    assert meter.load_profile(PROFILE, since, until).columns[0].unit == WH
    meter.write(f"7/{PROFILE}:capture_period", 900)
    assert meter.load_profile(PROFILE, since, until).capture_period == 900
    meter.write(f"3/{ENERGY}:scaler_unit", ScalerUnit(0, Unit(27)))
    assert meter.load_profile(PROFILE, since, until).columns[0].unit == Unit(27)


def test_an_object_is_copied_as_any_other(meter: BlockingMeter) -> None:
    assert copy.copy(meter[Register(ENERGY)]).value() == Quantity(12345678, -3, WH)
