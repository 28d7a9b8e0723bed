"""Types that stand for others, values with labels, and names that are taken: what the newer classes need."""

from __future__ import annotations

import pytest

from cosemic.codec import DataType
from cosemic.errors import DecodeError, EncodeError
from cosemic.model import (
    CaptureDefinitionElement,
    ControlMode,
    DemandRegister,
    DisconnectControl,
    DisconnectControlVersion0,
    DisconnectControlVersion1,
    Limiter,
    MBusClient,
    Method,
    Reading,
    RegisterMonitor,
)
from cosemic.model.common import SimpleData, Threshold
from cosemic.model.disconnect import TRANSITIONS
from cosemic.model.forms import SeenAlso
from cosemic.model.types import OctetString, Unsigned

D = DataType
SLAVE = "0-1:24.1.0"


def test_an_alias_reads_and_writes_what_it_stands_for() -> None:
    assert (Threshold.notation(), Threshold.definition()) == ("threshold", "simple_data")
    assert Threshold.tags() == SimpleData.tags()
    limiter = Limiter("0-0:17.0.0")
    assert limiter.threshold_normal.encode((D.DOUBLE_LONG_UNSIGNED, 4600)) == (D.DOUBLE_LONG_UNSIGNED, 4600)
    assert limiter.threshold_normal.decode((D.DOUBLE_LONG_UNSIGNED, 4600)) == 4600
    with pytest.raises(EncodeError, match=r"could be double-long, double-long-unsigned"):
        limiter.threshold_normal.encode(4600)
    with pytest.raises(DecodeError) as caught:
        RegisterMonitor("0-0:16.0.0").thresholds.decode((D.ARRAY, ((D.LONG, 1), (D.NULL_DATA, None))))
    assert caught.value.path == "thresholds[1]"


def test_a_data_information_block_that_is_a_number_is_read_with_the_quirk_only() -> None:
    definition = MBusClient(SLAVE).capture_definition
    octets = (D.STRUCTURE, ((D.OCTET_STRING, b"\x0c"), (D.OCTET_STRING, b"\x13")))
    number = (D.STRUCTURE, ((D.UNSIGNED, 12), (D.OCTET_STRING, b"\x13")))
    element = CaptureDefinitionElement(b"\x0c", b"\x13")
    assert definition.decode((D.ARRAY, (octets,))) == (element,)
    assert definition.encode((element,)) == (D.ARRAY, (octets,))
    reading = Reading(seen_also=True)
    assert definition.decode((D.ARRAY, (octets, number)), reading) == (element, element)
    assert [(one.path, one.expected) for one in reading.deviations] == [
        ("capture_definition[1]", "capture_definition_element")
    ]
    for without in (Reading(), Reading(strict=True, seen_also=True)):
        with pytest.raises(DecodeError):
            definition.decode((D.ARRAY, (number,)), without)


def test_other_forms_of_a_parameter_are_read_and_never_sent() -> None:
    install = MBusClient(SLAVE).slave_install
    assert install.encode(0) == (D.UNSIGNED, 0)
    with pytest.raises(EncodeError):
        install.encode()
    reading = Reading(seen_also=True)
    assert MBusClient.slave_install.parameter.decode((D.INTEGER, 0), reading) == 0
    assert len(reading.deviations) == 1
    parameter = Method(1, OctetString, None, 0, (SeenAlso(Unsigned, lambda number: bytes((number,))),)).parameter
    assert parameter.encode(b"\x07") == (D.OCTET_STRING, b"\x07")
    assert parameter.decode((D.UNSIGNED, 7), reading) == b"\x07"
    assert str(reading.deviations[1]) == "octet-string expected, unsigned found"
    with pytest.raises(DecodeError):
        parameter.decode((D.UNSIGNED, 7))


def test_a_version_lists_those_members_that_it_has() -> None:
    mode_7 = (D.ENUM, 7)
    assert DisconnectControlVersion1.control_mode.decode(mode_7) is ControlMode.MODE_7
    assert DisconnectControlVersion1.control_mode.type.encode(ControlMode.MODE_7) == mode_7
    for declared in (DisconnectControlVersion0.control_mode, DisconnectControl.control_mode):
        assert declared.decode((D.ENUM, 6)) is ControlMode.MODE_6
        with pytest.raises(EncodeError):
            declared.type.encode(ControlMode.MODE_7)
        with pytest.raises(DecodeError):
            declared.decode(mode_7)
        reading = Reading()
        value = declared.decode(mode_7, reading)
        assert (value, type(value), len(reading.deviations)) == (7, int, 1)


def test_modes_of_a_national_profile_stay_numbers() -> None:
    reading = Reading(seen_also=True)
    assert DisconnectControlVersion0.control_mode.decode((D.ENUM, 130), reading) == 130
    assert len(reading.deviations) == 1
    with pytest.raises(EncodeError):
        DisconnectControlVersion0.control_mode.type.encode(130)


@pytest.mark.parametrize("value", [True, "1", None, 1.0, -1, 256])
def test_what_is_no_member_is_not_sent(value: object) -> None:
    with pytest.raises(EncodeError):
        DisconnectControl.control_mode.type.encode(value)  # type: ignore[arg-type]  # that is what is tried


def test_a_mode_has_a_disconnection_and_a_reconnection_unless_always_connected() -> None:
    assert set(TRANSITIONS) == set(ControlMode) - {ControlMode.ALWAYS_CONNECTED}
    for letters in TRANSITIONS.values():
        disconnections, reconnections = letters.split(" / ")
        assert "bc" in disconnections
        assert set(disconnections) <= set("bcfg ")
        assert ("a" in reconnections) != ("d" in reconnections)
        assert set(reconnections) <= set("adehi ")


def test_a_name_that_is_taken_bears_an_underscore_in_python_only() -> None:
    assert MBusClient.version == 2
    reference = MBusClient(SLAVE).version_
    assert (reference.attribute_id, reference.attribute.name) == (8, "version")
    assert MBusClient.attribute_named("version") is MBusClient.version_
    assert str(reference) == "M-Bus client 0-1:24.1.0*255 attribute 8 (version)"


def test_defaults_and_limits_are_those_of_the_standard() -> None:
    assert DemandRegister.number_of_periods.default == 1
    assert DemandRegister.current_average_value.default == 0
    with pytest.raises(EncodeError):
        DemandRegister("1-0:1.4.0").period.encode(0)
