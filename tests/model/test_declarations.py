"""Every declared class and type against the tables of the reference, word for word in their notation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from cosemic.model import InterfaceClass, interface_class, interface_classes, versions
from cosemic.model.compound import ArrayOf, Choice, CompactArrayOf, Structure
from cosemic.model.forms import AlsoSeen, StandsFor
from tests.vectors import reference


@cache
def load(name: str) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load(reference(name).read_text(encoding="utf-8"), Loader=loader)
    return loaded


def table_of(class_id: int) -> str:
    """The file of the reference tables with a class."""
    return "interface_classes_001_069.yaml" if class_id < 70 else "interface_classes_070_up.yaml"


def entry(declared: type[InterfaceClass]) -> dict[str, Any]:
    """The entry of the reference tables for a class."""
    for one in load(table_of(declared.class_id))["classes"]:
        if (one["class_id"], one["version"]) == (declared.class_id, declared.version):
            found: dict[str, Any] = one
            return found
    raise AssertionError(f"{declared} is not in the reference")


each_class = pytest.mark.parametrize(
    "declared", interface_classes(), ids=lambda declared: f"{declared.class_id}v{declared.version}"
)


@each_class
def test_name_and_attributes_are_those_of_the_table(declared: type[InterfaceClass]) -> None:
    table = entry(declared)
    assert declared.class_name == table["name"]
    assert [
        (one.index, one.name, one.storage.value, one.type.notation(), one.sn_offset)
        for one in declared.attributes.values()
    ] == [(row["index"], row["name"], row["storage"], row["type"], row["sn_offset"]) for row in table["attributes"]]
    defaults = {row["index"]: row["default"] for row in table["attributes"] if "default" in row}
    assert {one.index: one.default for one in declared.attributes.values() if one.default is not None} == defaults


@each_class
def test_methods_are_those_of_the_table(declared: type[InterfaceClass]) -> None:
    assert [
        (one.index, one.name, one.parameter.notation(), one.returns and one.returns.notation(), one.sn_offset)
        for one in declared.methods.values()
    ] == [
        (row["index"], row["name"], row["parameter"], row.get("returns"), row["sn_offset"])
        for row in entry(declared)["methods"]
    ]


@each_class
def test_selective_access_is_that_of_the_table(declared: type[InterfaceClass]) -> None:
    have = [
        (one.index, selector.number, selector.name, selector.parameters.notation())
        for one in declared.attributes.values()
        for selector in one.selectors
    ]
    rows = entry(declared).get("selective_access", [])
    assert have == [(row["attribute"], row["selector"], row["name"], row["parameters"]) for row in rows]


@each_class
def test_forms_seen_in_the_field_are_those_of_the_table(declared: type[InterfaceClass]) -> None:
    have = {one.name: [other.type.notation() for other in one.seen_also] for one in declared.attributes.values()}
    have |= {one.name: [other.type.notation() for other in one.seen_also] for one in declared.methods.values()}
    rows = entry(declared)["attributes"] + entry(declared)["methods"]
    assert {name: forms for name, forms in have.items() if forms} == {
        row["name"]: row["seen_also"] for row in rows if "seen_also" in row
    }


@each_class
def test_classes_say_what_they_are_for(declared: type[InterfaceClass]) -> None:
    assert declared.__doc__


def inner_types(declared: Any) -> Iterator[Any]:
    """The type and all that it is made of."""
    yield declared
    if isinstance(declared, type) and issubclass(declared, Structure):
        for item in declared.fields_declared:
            yield from inner_types(item.type)
    elif isinstance(declared, Choice):
        for one in declared.alternatives:
            yield from inner_types(one)
    elif isinstance(declared, ArrayOf | CompactArrayOf):
        yield from inner_types(declared.element)
    elif isinstance(declared, StandsFor):
        yield from inner_types(declared.declared)


def all_types() -> Iterator[Any]:
    for declared in interface_classes():
        for one in declared.attributes.values():
            yield from inner_types(one.type)
            for selector in one.selectors:
                yield from inner_types(selector.parameters)
        for each in declared.methods.values():
            yield from inner_types(each.parameter)
            if each.returns is not None:
                yield from inner_types(each.returns)


def test_every_type_with_a_name_is_defined_as_in_the_table() -> None:
    table = load("types.yaml")["types"]
    named = {one.notation(): one.definition() for one in all_types() if one.notation() != one.definition()}
    assert len(named) > 40
    assert named == {name: table[name]["type"] for name in named}


def test_forms_of_types_seen_in_the_field_are_those_of_the_table() -> None:
    table = load("types.yaml")["types"]
    types = list(all_types())
    names = {one.notation() for one in types} & table.keys() - {"user_list_entry"}  # text of either kind is read anyway
    have = {
        one.notation(): [other.type.notation() for other in one.seen_also] for one in types if isinstance(one, AlsoSeen)
    }
    assert {name: forms for name, forms in have.items() if name in names} == {
        name: table[name]["seen_also"] for name in names if "seen_also" in table[name]
    }


DECLARED = (
    *(1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 17, 18, 20, 21, 22, 23),
    *(30, 40, 41, 42, 43, 45, 47, 61, 64, 68, 70, 71, 72),
)


@pytest.mark.parametrize("class_id", DECLARED)
def test_every_version_of_the_table_is_declared_and_the_newest_is_found(class_id: int) -> None:
    rows = [row for row in load(table_of(class_id))["classes"] if row["class_id"] == class_id]
    assert versions(class_id) == tuple(row["version"] for row in rows)
    newest = interface_class(class_id)
    assert newest is not None
    assert newest is interface_class(class_id, rows[0]["version"])


def test_a_class_that_is_not_declared_is_none() -> None:
    assert interface_class(2) is None
    assert interface_class(3, 9) is None
    assert versions(2) == ()
