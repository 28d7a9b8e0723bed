"""Rights as tables: what they say is what is shown and what holds; what they cannot mean is refused."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from cosemic.codec import DataType
from cosemic.errors import ConfigurationError
from cosemic.model import Register, ScalerUnit
from cosemic.security import AttributeAccess, MethodAccess, Protection, Requirement
from cosemic.server import ClockObject, CosemObject, ObjectRights, data, managing, reading, rights_from
from cosemic.values import Unit
from tests.server.support import device_with

AUTHENTICATED, ENCRYPTED = Protection.AUTHENTICATED, Protection.ENCRYPTED
READ, WRITE, BOTH = AttributeAccess(True), AttributeAccess(False, True), AttributeAccess(True, True)


def register(name: str = "1-0:1.8.0") -> CosemObject:
    """Its value and unit can be read, its value written, its method invoked."""
    return CosemObject(
        Register(name),
        {"value": (DataType.UNSIGNED, 1), "scaler_unit": ScalerUnit(0, Unit.of("Wh"))},
        writers={"value": None},
        methods={"reset": lambda parameter, situation: None},
    )


def rights(source: Any, served: CosemObject | None = None) -> ObjectRights | None:
    return rights_from(source)(served or register())


EXAMPLE = """
[[rights]]
objects = ["8/0-0:1.0.0"]
attributes = { time = "read-write", "*" = "read" }
methods = { shift_time = "access" }
requires = ["authenticated"]

[[rights]]
objects = ["1-0:x.8.x", "7/*"]
attributes = "read"
request = ["authenticated", "encrypted"]

[[rights]]
objects = "0-0:96.50.x"
hidden = true

[[rights]]
objects = "*"
attributes = { 2 = { access = "read-write", response = "encrypted" } }
"""


def test_a_file_says_object_by_object_what_a_client_may() -> None:
    rule = rights_from(tomllib.loads(EXAMPLE)["rights"])
    clock = rule(ClockObject())
    both_ways = Requirement(AUTHENTICATED, AUTHENTICATED)
    assert clock is not None
    assert clock.attribute(2) == AttributeAccess(True, True, both_ways)
    assert clock.attribute(3) == AttributeAccess(True, False, both_ways)
    assert {index: right for index, right in clock.methods.items() if right.accessible} == {
        6: MethodAccess(True, both_ways)
    }
    assert rule(register()) == ObjectRights(
        dict.fromkeys((1, 2, 3), AttributeAccess(True, False, Requirement(AUTHENTICATED | ENCRYPTED)))
    )
    assert rule(data("0-0:96.50.3", DataType.UNSIGNED, 1)) is None
    constant, written = (data("0-0:96.1.0", DataType.UNSIGNED, 1, writable=writable) for writable in (False, True))
    encrypted = Requirement(response=ENCRYPTED)
    assert rule(constant) == ObjectRights({2: AttributeAccess(True, False, encrypted)})
    assert rule(written) == ObjectRights({2: AttributeAccess(True, True, encrypted)})


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("none", {}),
        ("read", {1: READ, 2: READ, 3: READ}),
        ("write", {2: WRITE}),
        ("read-write", {1: READ, 2: BOTH, 3: READ}),
        ({"value": "write"}, {2: WRITE}),
        ({"3": "read", "*": "none"}, {3: READ}),
        ({"value": "none", "*": "read"}, {1: READ, 3: READ}),
    ],
)
def test_a_right_holds_as_far_as_the_object_serves_it(attributes: Any, expected: dict[int, AttributeAccess]) -> None:
    assert rights({"objects": "*", "attributes": attributes}) == ObjectRights(expected)
    assert rights({"objects": "*", "methods": "access"}, data("0-0:96.1.0", DataType.UNSIGNED, 1)) == ObjectRights()
    assert rights({"objects": "*", "methods": {"reset": "access"}}) == ObjectRights({}, {1: MethodAccess(True)})


@pytest.mark.parametrize(
    ("objects", "named"),
    [
        ("*", True),
        ("3/*", True),
        ("1/*", False),
        ("1-0:1.8.0", True),
        ("1-0:1.8.0*255", True),
        ("1.0.1.8.0.255", True),
        ("3/1-0:1.8.0", True),
        ("4/1-0:1.8.0", False),
        ("1-0:1.8.1", False),
        ("1-0:1.8.x", True),
        ("1-0:x.8.0", True),
        ("1-0:x.9.0", False),
        ("1-x:1.8.0", True),
        ("x-0:1.8.0", True),
        ("0-x:1.8.0", False),
        ("1-0:1.8.0*x", True),
        ("1-0:1.8.0*0", False),
        (["1-0:2.8.0", "1-0:1.8.0"], True),
        (["1-0:2.8.0", "1-0:3.8.0"], False),
    ],
)
def test_objects_are_named_by_code_class_and_groups_that_may_be_anything(objects: Any, named: bool) -> None:
    assert rights({"objects": objects, "attributes": "read"}) == (
        ObjectRights(dict.fromkeys((1, 2, 3), READ)) if named else None
    )


def test_the_first_table_that_names_an_object_decides() -> None:
    tables = [{"objects": "1-0:1.8.0", "attributes": "read"}, {"objects": "*", "hidden": True}]
    assert rights(tables) == ObjectRights(dict.fromkeys((1, 2, 3), READ))
    assert rights([*reversed(tables)]) is None
    assert rights([]) is None


def test_rules_have_names_too() -> None:
    assert rights("reading") == reading()(register())
    assert rights("managing") == managing()(register())
    ciphered = Requirement(AUTHENTICATED | ENCRYPTED, AUTHENTICATED)
    assert managing(ciphered)(register()) == ObjectRights(
        {index: AttributeAccess(True, index == 2, ciphered) for index in (1, 2, 3)}, {1: MethodAccess(True, ciphered)}
    )
    assert reading(ciphered)(register()) == ObjectRights(
        dict.fromkeys((1, 2, 3), AttributeAccess(True, False, ciphered))
    )


@pytest.mark.parametrize(
    ("right", "requires"),
    [
        ({"access": "access"}, Requirement(ENCRYPTED, ENCRYPTED)),
        ({"access": "access", "request": "authenticated"}, Requirement(AUTHENTICATED)),
        ({"access": "access", "request": [], "response": []}, Requirement()),
        (
            {"access": "access", "requires": "authenticated", "response": "encrypted"},
            Requirement(AUTHENTICATED, AUTHENTICATED | ENCRYPTED),
        ),
    ],
)
def test_a_right_may_have_protection_of_its_own(right: Any, requires: Requirement) -> None:
    found = rights({"objects": "*", "requires": "encrypted", "methods": {"reset": right}})
    assert found == ObjectRights({}, {1: MethodAccess(True, requires)})


@pytest.mark.parametrize(
    "source",
    [
        "everything",
        3,
        [["1-0:1.8.0"]],
        ["reading"],
        {},
        {"attributes": "read"},
        {"objects": []},
        {"objects": 3},
        {"objects": "one"},
        {"objects": "1-0:1.8.xx"},
        {"objects": "1-0:1.8.1x"},
        {"objects": "1-0:1.8.256"},
        {"objects": ["1-0:1.8.0", 3]},
        {"objects": "*", "hidden": "yes"},
        {"objects": "*", "colour": "blue"},
        {"objects": "*", "attributes": "access"},
        {"objects": "*", "attributes": 3},
        {"objects": "*", "methods": "read"},
        {"objects": "*", "methods": {"reset": {"allow": "access"}}},
        {"objects": "*", "methods": {"reset": {"request": "encrypted"}}},
        {"objects": "*", "requires": "signed"},
        {"objects": "*", "request": ["authenticated", "safe"]},
        {"objects": "*", "requires": [["authenticated"]]},
    ],
)
def test_tables_that_cannot_be_meant_are_refused(source: Any) -> None:
    with pytest.raises(ConfigurationError):
        rights_from(source)


@pytest.mark.parametrize(
    "table",
    [
        {"attributes": {"colour": "read"}},
        {"attributes": {"4": "read"}},
        {"attributes": {"value": "read", "2": "write"}},
        {"methods": {"2": "access"}},
    ],
)
def test_members_that_an_object_does_not_have_are_refused_when_the_client_is_admitted(table: Any) -> None:
    rule = rights_from({"objects": "3/*"} | table)
    device_with(data("0-0:96.1.0", DataType.UNSIGNED, 1), rights=rule)
    with pytest.raises(ConfigurationError, match="does not exist, or is named twice"):
        device_with(register(), rights=rule)
