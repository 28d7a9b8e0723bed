"""The tree for people: offsets, names of OBIS codes, dates, units, and a plain word about what is not verified."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

import cosemic
from tests.inspector.generated import APDUS, DATA
from tests.vectors import keys, octets, record


def tree(name: str, **more: bytes) -> str:
    of = record(name)
    return cosemic.decode(octets(of), keys=keys(of) | more, kind=of["kind"]).explain()


def test_an_apdu_is_shown_field_by_field_with_offsets() -> None:
    assert tree("ref-event-notification-time").splitlines() == [
        "apdu    event-notification-request",
        "0001      time  07ea0b14050e1e0000ffc400  2026-11-20 14:30:00+01:00",
        "000f      cosem_attribute_descriptor",
        "000f        class_id  1",
        "0011        instance_id  0-0:96.11.0*255  " + cosemic_name("0-0:96.11.0*255"),
        "0017        attribute_id  2",
        "0018      attribute_value",
        "0018        unsigned 5",
    ]


def cosemic_name(code: str) -> str:
    from cosemic.model.obis_names import describe

    return describe(cosemic.Obis(code))


def test_numbers_with_a_scaler_and_unit_behind_them_are_shown_in_that_unit() -> None:
    row = "0203 0906 0100010800ff 06 0000 3039 0202 0fff 161e"
    shown = cosemic.decode(f"0f00000001 00 0101 {row}").explain()
    assert "double-long-unsigned 12345  = 1234.5 Wh" in shown
    assert "structure (2)  scaler -1, unit Wh" in shown
    assert "1-0:1.8.0*255" in shown


def test_layers_stand_in_front() -> None:
    lines = tree("lg-e450-plain-two").splitlines()
    assert lines[0] == "hdlc    6 frames"
    assert lines[1] == "        UI P/F 1, 103/127 <- 1, 132 octets"
    assert "message 1" in lines
    assert any("cannot be read: " in line for line in lines)
    assert tree("ref-gateway-wrapper").startswith("wrapper version 1, 1 <- 1, 20 octets\ngateway to device 31323334")


def test_frames_are_shown_with_their_parameters_and_wrong_checks() -> None:
    assert "maximum information field length 128 sent, 62 received" in tree("hdlc-ua-lg-e650")
    of = record("jdlms-fcs-2")
    wrong = octets(of)[:-1] + b"\x00"
    shown = cosemic.decode(wrong, kind="hdlcframe").explain()
    assert "FCS wrong" in shown
    assert "get-request normal" in shown


@pytest.mark.parametrize(
    ("name", "dropped", "changed", "words"),
    [
        ("gb-get-authenticated-encrypted", (), {}, "authentication tag right"),
        ("gb-get-authenticated-encrypted", ("ak",), {}, "UNVERIFIED CONTENT: the authentication tag was not checked"),
        (
            "gb-get-authenticated-encrypted",
            (),
            {"ak": bytes(16)},
            "UNVERIFIED CONTENT: the authentication tag is wrong",
        ),
        ("gb-get-authenticated-encrypted", ("ek",), {}, "cannot be deciphered"),
        ("gb-get-encrypted", (), {}, "UNVERIFIED CONTENT: there is no authentication tag"),
        ("gb-get-authenticated", ("ek", "ak"), {}, "UNVERIFIED CONTENT: the authentication tag was not checked"),
    ],
)
def test_what_is_not_verified_is_called_so(
    name: str, dropped: tuple[str, ...], changed: dict[str, bytes], words: str
) -> None:
    of = record(name)
    given = {key: value for key, value in keys(of).items() if key not in dropped} | changed
    shown = cosemic.decode(octets(of), keys=given).explain()
    assert words in shown
    assert ("get-request normal" in shown) == ("cannot be" not in words)
    assert shown.count("UNVERIFIED") == words.count("UNVERIFIED")


@given(APDUS)
def test_offsets_rise_and_stay_inside_the_apdu(octets: bytes) -> None:
    decoded = cosemic.decode(octets)
    level = re.compile(r"^([0-9a-f]{4,}) {2,6}(\S)")
    found = [match for match in map(level.match, decoded.explain().splitlines()) if match and len(match[0]) == 11]
    offsets = [int(match[1], 16) for match in found]
    assert offsets == sorted(offsets)
    assert found or decoded.message.apdu.tag in (0x62, 0x63)
    assert all(0 < offset <= len(octets) for offset in offsets)


@given(DATA)
def test_each_value_is_shown_where_its_tag_stands(octets: bytes) -> None:
    for line in cosemic.decode(octets, kind="data").explain().splitlines():
        offset, name = line.split()[:2]
        if "compact" in cosemic.decode(octets, kind="data").explain():
            return
        assert cosemic.DataType(octets[int(offset, 16)]).label == name
