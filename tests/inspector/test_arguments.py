"""What ``decode`` takes: octets and hexadecimal text in many dresses, keys by name, quirks by name."""

from __future__ import annotations

import pytest

import cosemic
from cosemic import DecodeError, Quirk, Secret
from tests.vectors import octets, record

RESPONSE = bytes.fromhex("c401c1001105")
UNSIGNED_5 = {"data": ["unsigned", 5]}


@pytest.mark.parametrize(
    "data",
    [
        RESPONSE,
        bytearray(RESPONSE),
        memoryview(RESPONSE),
        "c401c1001105",
        "C4 01 C1 00 11 05\n",
        "0xC4 0x01 0xC1 0x00 0x11 0x05",
        "0xc4, 0x01, 0xc1, 0x00, 0x11, 0x05",
        "C4:01:C1:00:11:05",
        "c4-01-c1-00-11-05",
        "[c4 01 c1 00]\t11_05",
        r"\xc4\x01\xc1\x00\x11\x05",
    ],
)
def test_octets_and_hexadecimal_text_are_taken(data: bytes | str) -> None:
    assert cosemic.decode(data).to_dict()["apdu"]["result"] == UNSIGNED_5


@pytest.mark.parametrize("text", ["c4 01 c", "c401g1001105", "get-response", "c4 01 c1 ０0"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(DecodeError, match="hexadecimal"):
        cosemic.decode(text)


@pytest.mark.parametrize("dress", [bytes, bytes.hex, Secret, bytearray, lambda octets: octets.hex(" ")])
def test_keys_are_octets_text_or_secrets(dress: type) -> None:
    of = record("gb-get-authenticated-encrypted")
    keys = {name: dress(bytes.fromhex(value)) for name, value in of["keys"].items()}
    assert cosemic.decode(octets(of), keys=keys).to_dict()["apdu"]["tag_ok"] is True


def test_a_key_that_is_wrong_is_not_quoted() -> None:
    for wrong in ("00112233445566778899aabbccddee", "00112233445566778899aabbccddeefx"):
        with pytest.raises(cosemic.ConfigurationError) as caught:
            cosemic.decode(RESPONSE, keys={"ek": wrong})
        assert wrong[:6] not in str(caught.value)


def test_names_of_other_keys_of_the_vectors_are_passed_over() -> None:
    assert cosemic.decode(RESPONSE, keys={"signature": bytes(64), "mbus_key": bytes(16)}).apdu.result.value() == 5


def test_a_public_key_is_a_point_of_its_curve() -> None:
    for wrong in (bytes(64), bytes(96), bytes(65)):
        with pytest.raises(cosemic.ConfigurationError, match="public"):
            cosemic.decode(RESPONSE, keys={"public_key": wrong})


def test_quirks_are_names_or_members() -> None:
    of = record("z3-action-response")
    for quirks in (["action-response-bare-result"], "action-response-bare-result", {Quirk.ACTION_RESPONSE_BARE_RESULT}):
        assert cosemic.decode(octets(of), quirks=quirks).to_dict()["apdu"]["result"] == "success"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("001105", ("success", {"data": ["unsigned", 5]})),
        ("0000", ("success", {"data": ["null-data"]})),
        ("0103", ("read-write-denied", None)),
        ("010f", ("long-action-aborted", None)),
        ("01c8", (200, None)),
        # not a bare result, and so read as the standard has it
        ("0001001105", ("success", {"data": ["unsigned", 5]})),
        ("0300", ("read-write-denied", None)),
    ],
)
def test_a_bare_result_is_read_as_result_and_return_parameters(body: str, expected: tuple[object, object]) -> None:
    have = cosemic.decode(f"c701c1{body}", quirks=["action-response-bare-result"]).to_dict()["apdu"]
    assert (have["apdu"], have["type"], have["invoke_id"]) == ("action-response", "normal", 1)
    assert (have["result"], have["return_parameters"]) == expected


def test_short_lengths_of_acse_are_mended_as_a_quirk_only() -> None:
    good = bytes.fromhex("601da109060760857405080101be10040e01000000065f1f0400001e1dffff")
    short = bytearray(good)
    for at in (1, 14, 16):
        short[at] -= 1
    with pytest.raises(DecodeError):
        cosemic.decode(bytes(short))
    quirks = ["acse-short-lengths"]
    assert cosemic.decode(bytes(short), quirks=quirks).to_dict() == cosemic.decode(good).to_dict()
    assert cosemic.decode(good, quirks=quirks).to_dict() == cosemic.decode(good).to_dict()
    assert "max_receive" not in cosemic.decode(bytes(short), quirks=quirks).explain().split("user_information")[0]
