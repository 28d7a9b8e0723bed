"""Short names: every class against the tables of the reference, reserved names, and whole maps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.model import InterfaceClass, ShortName, interface_class, interface_classes
from cosemic.model.short_names import (
    ASSOCIATION,
    FIRST_FREE,
    LOGICAL_DEVICE_NAME,
    RESERVED,
    Member,
    MemberKind,
    NameSpace,
    Placed,
    ShortNameMap,
    layout_of,
    reserved_for,
    size_of,
)
from cosemic.values import Obis
from tests.model.test_declarations import each_class, entry, load

ENERGY, CLOCK = Obis("1-0:1.8.0"), Obis("0-0:1.0.0")
ATTRIBUTE, METHOD = MemberKind.ATTRIBUTE, MemberKind.METHOD


def place(objects: list[tuple[int, int, Obis]], named: dict[tuple[int, Obis], int] | None = None) -> list[Placed]:
    space = NameSpace(named)
    return [space.add(*one) for one in objects]


def register(base: int, name: Obis = ENERGY) -> Placed:
    return Placed(ShortName(base), 3, 0, name)


@each_class
def test_every_member_stands_where_the_table_has_it(declared: type[InterfaceClass]) -> None:
    table, base, name = entry(declared), ShortName(0x1000), Obis("0-0:96.1.0")
    names = ShortNameMap([Placed(base, declared.class_id, declared.version, name)])
    rows = [(ATTRIBUTE, row) for row in table["attributes"]] + [(METHOD, row) for row in table["methods"]]
    assert rows
    for kind, row in rows:
        member = Member(kind, row["index"])
        assert names.name_of(declared.class_id, name, member) == base + row["sn_offset"]
        found = names.resolve(base + row["sn_offset"])
        assert found is not None
        assert found[1] == member
        assert found[0].logical_name == name
    taken = {row["sn_offset"] for _, row in rows}
    free = [offset for offset in range(-8, 0x100) if offset not in taken]
    assert all(names.resolve(base + offset) is None for offset in free)
    assert size_of(declared.class_id, declared.version) == max(taken) + 8


def test_the_version_decides_where_a_method_stands() -> None:
    """Profile generic: version 0 has methods that version 1 has not, behind the same attributes."""
    old, new = layout_of(7, 0), layout_of(7, 1)
    assert old is not None
    assert new is not None
    assert old.offsets[Member(METHOD, 1)] == new.offsets[Member(METHOD, 1)] == 0x58
    assert Member(METHOD, 3) in old.offsets
    assert Member(METHOD, 3) not in new.offsets


def test_reserved_base_names_are_those_of_the_table() -> None:
    rows = load("interface_classes_001_069.yaml")["reserved_base_names"]
    assert {row["base_name"] for row in rows} == set(RESERVED) == {0xFA00, 0xFB00, 0xFC00, 0xFD00}
    for base, (classes, name) in RESERVED.items():
        assert all(reserved_for(class_id, name) == base for class_id in classes)
    assert reserved_for(3, ENERGY) is None
    assert reserved_for(9, Obis("0-0:10.0.1")) is None


def test_what_reaches_into_the_next_object_has_no_short_name() -> None:
    """A meter may put registers without reset closer together: writing to it would write to another object."""
    close = ShortNameMap([register(0x100), register(0x118, Obis("1-0:2.8.0"))])
    assert close.name_of(3, ENERGY, Member(ATTRIBUTE, 3)) == 0x110
    assert close.name_of(3, ENERGY, Member(METHOD, 1)) is None
    assert close.resolve(0x128) is not None
    assert close.resolve(0x140) is not None
    found = close.resolve(0x128)
    assert found is not None
    assert found[0].base_name == 0x118


def test_two_objects_with_one_base_name_have_no_short_names() -> None:
    both = ShortNameMap([register(0x100), register(0x100, Obis("1-0:2.8.0"))])
    assert both.name_of(3, ENERGY, Member(ATTRIBUTE, 2)) is None
    assert both.resolve(0x108) is None


def test_a_class_that_is_not_declared_has_attributes_and_no_methods() -> None:
    unknown = ShortNameMap([Placed(ShortName(0x200), 9000, 0, ENERGY)])
    assert unknown.name_of(9000, ENERGY, Member(ATTRIBUTE, 4)) == 0x218
    assert unknown.name_of(9000, ENERGY, Member(METHOD, 1)) is None
    assert unknown.name_of(9000, ENERGY, Member(ATTRIBUTE, -1)) is None
    assert unknown.name_of(9000, CLOCK, Member(ATTRIBUTE, 1)) is None
    assert interface_class(9000) is None


@pytest.mark.parametrize(
    ("placed", "why"),
    [
        ([register(0x104)], "multiple of 8"),
        ([register(0xFFE0)], "end at 0xFFFF"),
        ([register(0xFA00)], "reserved for 12"),
        ([Placed(ShortName(0xFD00), 1, 0, ENERGY)], "reserved for 1"),
        ([register(0x100), register(0x128, Obis("1-0:2.8.0"))], "at 0x0100 overlap"),
        ([register(0x100), register(0x100, Obis("1-0:2.8.0"))], "overlap"),
        ([register(0xF9E0), Placed(ASSOCIATION, 12, 4, Obis("0-0:40.0.0"))], "and 3/.* at 0xF9E0 overlap"),
        ([Placed(ShortName(0x100), 3, 9, ENERGY)], "not declared"),
    ],
)
def test_maps_that_cannot_be_are_refused(placed: list[Placed], why: str) -> None:
    space = NameSpace()
    for one in placed[:-1]:
        space.put(one)
    with pytest.raises(ConfigurationError, match=why):
        space.put(placed[-1])
    assert space.placed == placed[:-1]


def test_objects_get_reserved_names_named_ones_and_the_first_free() -> None:
    objects = [(3, 0, ENERGY), (12, 4, Obis("0-0:40.0.0")), (1, 0, Obis("0-0:42.0.0")), (8, 0, CLOCK)]
    objects += [(3, 0, Obis("1-0:2.8.0"))]
    placed = {one.logical_name: one.base_name for one in place(objects, {(8, CLOCK): 0x138})}
    assert placed[Obis("0-0:40.0.0")] == ASSOCIATION
    assert placed[Obis("0-0:42.0.0")] == LOGICAL_DEVICE_NAME
    assert placed[ENERGY] == FIRST_FREE
    assert placed[CLOCK] == 0x138
    assert placed[Obis("1-0:2.8.0")] == 0x138 + 0x90, "before the clock there is no room"


def test_an_object_that_is_added_later_moves_no_other() -> None:
    objects = [(3, 0, ENERGY), (8, 0, CLOCK)]
    assert place([*objects, (3, 0, Obis("1-0:2.8.0"))])[:2] == place(objects)


def test_what_is_named_is_kept_free_for_its_object() -> None:
    """Whatever comes before it: profiles are measured by their longest version."""
    profile = Obis("1-0:99.1.0")
    energy, late = place([(3, 0, ENERGY), (7, 1, profile)], {(7, profile): 0x108})
    assert (energy.base_name, late.base_name) == (0x108 + 0x78, 0x108)
    with pytest.raises(ConfigurationError, match="multiple of 8"):
        NameSpace({(7, profile): 0x101})


def test_more_objects_than_there_are_names_for_are_refused() -> None:
    many = [(8, 0, Obis(bytes((0, 0, 1, 0, number % 256, number // 256)))) for number in range(500)]
    with pytest.raises(ConfigurationError, match="no 144 short names are left"):
        place(many)
    with pytest.raises(ConfigurationError, match="no base_name"):
        NameSpace({(3, ENERGY): 0x10000})


CLASSES = st.sampled_from([(one.class_id, one.version) for one in interface_classes()])


@given(st.lists(CLASSES, max_size=60))
def test_whatever_the_objects_their_places_fit_and_lead_back(classes: list[tuple[int, int]]) -> None:
    objects = [(*one, Obis(bytes((0, 0, 96, 1, at, 255)))) for at, one in enumerate(classes)]
    placed = place(objects)
    names = ShortNameMap(placed)
    assert {(one.class_id, one.version, one.logical_name) for one in placed} == set(objects)
    for one in placed:
        layout = layout_of(one.class_id, one.version)
        assert layout is not None
        assert one.base_name + layout.size <= ASSOCIATION
        for member in layout.offsets:
            name = names.name_of(one.class_id, one.logical_name, member)
            assert name is not None
            assert names.resolve(name) == (one, member)
