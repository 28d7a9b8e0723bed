"""Rules of FORMAT.md that recorded telegrams touch once or never: names, nulls, numbers without a name, bits, times."""

from __future__ import annotations

from typing import Any

import pytest

import cosemic
from cosemic.link.hdlc import Control, HdlcAddress, encode_frame
from cosemic.values import FrameType


def apdu(text: str) -> dict[str, Any]:
    found = cosemic.decode(text).to_dict()["apdu"]
    assert isinstance(found, dict)
    return found


def data(text: str) -> Any:
    return cosemic.decode(text, kind="data").to_dict()["data"]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("c401c10105", "result", {"data_access_result": 5}),
        ("c701c12a00", "result", 42),
        ("c701c1fa00", "result", "other-reason"),
        ("c503c11200000003", "result", "no-long-set-in-progress"),
        ("c701c11200", "result", 18),
        ("d80909", "state_error", 9),
        ("d80909", "service_error", 9),
        ("d8010600000010", "invocation_counter", 16),
        ("0e010803", "error_value", 3),
        ("0e011403", "error_class", 20),
        ("0e010404", "error_value", 4),
        ("0e010401", "error_value", "object-undefined"),
        ("0e010001", "error_value", "time-elapsed"),
        ("0e010101", "error_value", "memory-unavailable"),
        ("620380011e", "reason", "user-defined"),
        ("6203800107", "reason", 7),
        ("6200", "reason", None),
        ("6200", "user_information", None),
        ("0f0000000100 00", "date_time", None),
        ("c20100 0001 0000600b00ff 02 00", "time", None),
        ("18010f32303236313132303134333030305a 00 00", "current_time", "20261120143000Z"),
        ("18010c323032363131323031343330 00 00", "current_time", "202611201430"),
        ("18010c07ea0b14050e1e0000ffc400 00 00", "current_time", "07ea0b14050e1e0000ffc400"),
        ("180c07ea0b14050e1e0000ffc400 00 00", "current_time", "07ea0b14050e1e0000ffc400"),
        ("1800 00 00", "current_time", None),
        ("0100ff", None, None),
        ("0d0100", "results", [{"success": None}]),
        ("0d010107", "results", [{"data_access_error": 7}]),
        ("050102ff00", "variables", [{"variable_name": 65280}]),
        ("0501040100000f01", "variables",
         [{"parameterized_access": {"variable_name": 256, "selector": 0, "parameter": ["integer", 1]}}]),
        ("05010500 07", "variables", [{"block_number_access": {"block_number": 7}}]),
    ],
)  # fmt: skip
def test_fields(text: str, key: str | None, value: object) -> None:
    if key is None:
        with pytest.raises(cosemic.DecodeError):
            apdu(text)
    else:
        assert apdu(text)[key] == value
        assert type(apdu(text)[key]) is type(value)


def test_identifiers_without_a_name_are_dotted_numbers() -> None:
    have = apdu("6018 a109060760857405080109 8b0760857405080208 80020284")
    assert (have["context"], have["mechanism"]) == ("2.16.756.5.8.1.9", "2.16.756.5.8.2.8")
    assert have["protocol_version"] == ["version1", 5]
    have = apdu("600ca10a06082a864886f70d0101")
    assert have["context"] == "1.2.840.113549.1.1"


def test_authentication_values_and_requirements() -> None:
    have = apdu("6014a109060760857405080101 8a0206c0 ac03 8101 00")
    assert have["authentication_value"] == {"bitstring": ""}
    assert have["acse_requirements"] == ["authentication", "application-context-negotiation"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("00", ["null-data"]),
        ("ff", ["dont-care"]),
        ("03ff", ["boolean", True]),
        ("0d80", ["bcd", 128]),
        ("040350", ["bit-string", "010"]),
        ("0400", ["bit-string", ""]),
        ("0a02c4e9", ["visible-string", "Äé"]),
        ("0c02c384", ["utf8-string", "Ä"]),
        ("0900", ["octet-string", ""]),
        ("173fc00000", ["float32", 1.5]),
        ("183ff8000000000000", ["float64", 1.5]),
        ("1affffffffff", ["date", "ffffffffff"]),
        ("1b173b3b63", ["time", "173b3b63"]),
        ("1cff", ["delta-integer", -1]),
        ("21ffffffff", ["delta-double-long-unsigned", 4294967295]),
        ("15ffffffffffffffff", ["long64-unsigned", 18446744073709551615]),
        ("1302021206 0c 0001 00000010 0002 00000020", ["compact-array", [
            ["structure", [["long-unsigned", 1], ["double-long-unsigned", 16]]],
            ["structure", [["long-unsigned", 2], ["double-long-unsigned", 32]]],
        ]]),
        ("13010002 11 04 01020304", ["compact-array", [
            ["array", [["unsigned", 1], ["unsigned", 2]]], ["array", [["unsigned", 3], ["unsigned", 4]]],
        ]]),
        ("130202000f 02 0102", ["compact-array", [
            ["structure", [["null-data"], ["integer", 1]]], ["structure", [["null-data"], ["integer", 2]]],
        ]]),
        ("1312 00", ["compact-array", []]),
        ("0100", ["array", []]),
    ],
)  # fmt: skip
def test_data(text: str, value: object) -> None:
    assert data(text) == value
    assert type(data(text)[-1]) is type(value[-1])  # type: ignore[index]  # a list


def test_a_frame_with_parameters_in_part() -> None:
    part = bytes.fromhex("818003050180")
    frame = encode_frame(HdlcAddress(16), HdlcAddress(1), Control(FrameType.UA), part)
    have = cosemic.decode(frame, kind="hdlcframe").to_dict()
    assert have["parameters"] == {"max_info_tx": 128, "max_info_rx": None, "window_tx": None, "window_rx": None}


def test_a_damaged_parameter_field_is_left_out() -> None:
    frame = encode_frame(HdlcAddress(16), HdlcAddress(1), Control(FrameType.UA), b"\x81\x80\x03\x05\x03\x80")
    assert cosemic.decode(frame, kind="hdlcframe").to_dict()["parameters"] is None
