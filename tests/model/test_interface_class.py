"""References to attributes and methods: what services ask for, and what comes back through them."""

from __future__ import annotations

import pytest

from cosemic.codec import DataType
from cosemic.errors import ConfigurationError, DecodeError, EncodeError
from cosemic.model import (
    AssociationLN,
    AttributeReference,
    CaptureObjectDefinition,
    Clock,
    Data,
    InterfaceClass,
    ObjectDefinition,
    ProfileGeneric,
    ProfileGenericVersion0,
    Reading,
    Register,
    ScalerUnit,
    SecuritySetup,
    interface_class,
    interface_classes,
)
from cosemic.model.security_setup import KeyPair
from cosemic.values import Obis, Unit

D = DataType
ENERGY = Obis("1-0:1.8.0*255")


def test_an_object_refers_to_its_attributes_and_methods() -> None:
    register = Register("1-0:1.8.0")
    assert (register.value.class_id, register.value.instance_id, register.value.attribute_id) == (3, ENERGY, 2)
    assert (register.reset.class_id, register.reset.instance_id, register.reset.method_id) == (3, ENERGY, 1)
    assert register.value.attribute is Register.value
    assert register.reset.method is Register.reset
    assert str(register.value) == "Register 1-0:1.8.0*255 attribute 2 (value)"
    assert str(register.reset) == "Register 1-0:1.8.0*255 method 1 (reset)"
    assert register == Register(ENERGY)
    assert register != Data(ENERGY)
    assert register != ENERGY
    assert len({register, Register(ENERGY)}) == 1
    assert repr(register) == "Register('1-0:1.8.0*255')"


def test_a_reference_reads_and_writes_values_of_its_type() -> None:
    reference = Register(ENERGY).scaler_unit
    typed = (D.STRUCTURE, ((D.INTEGER, -1), (D.ENUM, 30)))
    assert reference.decode(typed) == ScalerUnit(-1, Unit(30))
    assert reference.encode(ScalerUnit(-1, Unit(30))) == typed
    assert str(ScalerUnit(-1, Unit(30)).of(12345)) == "1234.5 Wh"


def test_errors_and_deviations_name_the_attribute() -> None:
    reference = Register(ENERGY).scaler_unit
    with pytest.raises(DecodeError) as caught:
        reference.decode((D.STRUCTURE, ((D.INTEGER, -1), (D.NULL_DATA, None))))
    assert caught.value.path == "scaler_unit.unit"
    reading = Reading()
    reference.decode((D.STRUCTURE, ((D.LONG, -1), (D.ENUM, 30))), reading)
    assert [str(one) for one in reading.deviations] == ["scaler_unit.scaler: integer expected, long found"]
    with pytest.raises(EncodeError, match=r"Register 1-0:1\.8\.0\*255 attribute 3 \(scaler_unit\): scaler of"):
        reference.encode(ScalerUnit(200, Unit(30)))


def test_a_method_takes_its_parameter_and_gives_its_answer() -> None:
    assert Register(ENERGY).reset.encode() == (D.INTEGER, 0)
    assert Register(ENERGY).reset.encode(0) == (D.INTEGER, 0)
    assert Clock("0-0:1.0.0").shift_time.encode(-900) == (D.LONG, -900)
    with pytest.raises(EncodeError, match=r"Clock 0-0:1\.0\.0\*255 method 6"):
        Clock("0-0:1.0.0").shift_time.encode(901)
    with pytest.raises(EncodeError):
        Clock("0-0:1.0.0").shift_time.encode()
    request = SecuritySetup("0-0:43.0.0").generate_certificate_request
    assert request.encode(KeyPair.KEY_AGREEMENT) == (D.ENUM, 1)
    assert request.decode((D.OCTET_STRING, b"0\x82")) == b"0\x82"
    with pytest.raises(DecodeError) as caught:
        request.decode((D.NULL_DATA, None))
    assert caught.value.path == "generate_certificate_request"
    with pytest.raises(DecodeError):
        Register(ENERGY).reset.decode((D.NULL_DATA, None))


def test_selective_access_is_chosen_by_number_or_name() -> None:
    objects = AssociationLN("0-0:40.0.0").object_list
    selection = objects.select(3, (ObjectDefinition(3, ENERGY),))
    assert selection.selector == 3
    assert selection.parameters == (
        D.ARRAY,
        ((D.STRUCTURE, ((D.LONG_UNSIGNED, 3), (D.OCTET_STRING, ENERGY.octets))),),
    )
    assert objects.select("all information", None).parameters == (D.NULL_DATA, None)
    with pytest.raises(ConfigurationError, match="no selective access 5"):
        objects.select(5, None)
    with pytest.raises(EncodeError):
        objects.select(2, ("text",))


def test_capture_objects_without_data_index_are_read_where_the_quirk_is_on() -> None:
    short = (D.STRUCTURE, ((D.LONG_UNSIGNED, 3), (D.OCTET_STRING, ENERGY.octets), (D.INTEGER, 2)))
    reference = ProfileGenericVersion0("1-0:99.1.0").capture_objects
    reading = Reading(seen_also=True)
    assert reference.decode((D.ARRAY, (short,)), reading) == (CaptureObjectDefinition(3, ENERGY, 2, 0),)
    assert [one.found for one in reading.deviations] == ["array of value_definition"]
    narrow = (D.STRUCTURE, ((D.UNSIGNED, 3), *short[1][1:]))
    reading = Reading(seen_also=True)
    assert reference.decode((D.ARRAY, (narrow,)), reading) == (CaptureObjectDefinition(3, ENERGY, 2, 0),)
    assert [one.path for one in reading.deviations] == ["capture_objects[0].class_id", "capture_objects"]
    for strange in (Reading(), Reading(strict=True, seen_also=True)):
        with pytest.raises(DecodeError):
            reference.decode((D.ARRAY, (short,)), strange)
    with pytest.raises(DecodeError):
        reference.decode((D.NULL_DATA, None), Reading(seen_also=True))
    with pytest.raises(DecodeError):
        ProfileGeneric("1-0:99.1.0").capture_objects.decode((D.ARRAY, (short,)), Reading(seen_also=True))


def test_attributes_that_are_not_declared_can_be_referred_to() -> None:
    known = AttributeReference.of(3, ENERGY, 3)
    assert known.attribute is Register.scaler_unit
    own = AttributeReference.of(3, ENERGY, -1)
    assert str(own) == "Register 1-0:1.8.0*255 attribute -1"
    assert own.decode((D.ARRAY, ((D.UNSIGNED, 1),))) == [1]
    assert str(AttributeReference.of(8192, ENERGY, 2)) == "class 8192 1-0:1.8.0*255 attribute 2"


def test_members_are_found_by_name() -> None:
    assert Clock.attribute_named("clock_base").index == 9
    assert Clock.method_named("shift_time").index == 6
    with pytest.raises(ConfigurationError, match="Clock version 0 has no attribute 'colour': logical_name, time"):
        Clock.attribute_named("colour")
    with pytest.raises(ConfigurationError, match="Data version 0 has no method 'reset': none"):
        Data.method_named("reset")


def test_declaring_a_class_enters_it_and_twice_is_refused() -> None:
    assert all(interface_class(one.class_id, one.version) is one for one in interface_classes())
    with pytest.raises(TypeError, match="class 3 version 0 is declared twice"):
        type("Again", (InterfaceClass,), {}, class_id=3, version=0, name="Register")


def test_declarations_show_what_they_are() -> None:
    assert repr(Register.value) == "<attribute 2 value: register_value>"
    assert repr(Register.reset) == "<method 1 reset(control_zero)>"
    assert repr(Register.reset.parameter) == "<control_zero>"
    assert Clock.time_zone.sn_offset == 0x10
