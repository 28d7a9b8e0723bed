"""Ciphered and signed APDUs: which key and title open them, and what is shown whatever the tag says."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import cosemic
from cosemic import DecodeError, Secret, apdu
from cosemic.security import Key, protect, wrap_key
from cosemic.security.suite import SUITES, SecurityControl
from cosemic.values import ApplicationContext
from tests.inspector.format_table import faults

EK, GBEK, DK, AK, KEK = (bytes([number]) * 16 for number in range(1, 6))
TITLE, OTHER_TITLE = b"ABC12345", b"XYZ98765"
GET = bytes.fromhex("c001c100080000010000ff0200")
INITIATE = bytes.fromhex("01000000065f1f0400007e1f04b0")
META = b"\x01\x07\x08" + TITLE + b"\x08" + OTHER_TITLE + b"\x00\x01\x2a"


def sealed(
    plaintext: bytes = GET,
    control: int = 0x30,
    *,
    key: bytes = EK,
    ak: bytes = AK,
    title: bytes = TITLE,
    extra: bytes = b"",
) -> bytes:
    """SC IC contents T, with its length in front."""
    keys = Key(Secret(key)), Key(Secret(ak))
    octets = protect(SecurityControl(control), keys[0], keys[1], title, 7, plaintext, extra)
    return bytes((len(octets),)) + octets


def opened(octets: bytes, **keys: bytes) -> dict[str, Any]:
    """Dictionary of the APDU."""
    found = cosemic.decode(octets, keys=keys).to_dict()["apdu"]
    assert isinstance(found, dict)
    return found


def content_of(octets: bytes, **keys: bytes) -> Any:
    """What is inside: the name of its APDU, or None."""
    content = opened(octets, **keys)["content"]
    return content if content is None else content.get("apdu", content)


@pytest.mark.parametrize(
    ("control", "keys", "tag_ok", "shown"),
    [
        (0x30, {"ek": EK, "ak": AK}, True, True),
        (0x30, {"ek": EK}, None, True),
        (0x30, {"ak": AK}, None, False),
        (0x30, {"ek": EK, "ak": DK}, False, True),
        (0x30, {"ek": EK, "ak": b""}, False, True),
        (0x20, {"ek": EK, "ak": AK}, None, True),
        (0x20, {}, None, False),
        (0x10, {"ek": EK, "ak": AK}, True, True),
        (0x10, {"ek": DK, "ak": AK}, False, True),
        (0x10, {"ek": EK}, None, True),
        (0x10, {"ak": AK}, None, True),
        (0x10, {}, None, True),
    ],
)
def test_tag_and_content_are_shown_as_the_keys_allow(
    control: int, keys: dict[str, bytes], tag_ok: bool | None, shown: bool
) -> None:
    have = opened(b"\xc8" + sealed(control=control), system_title=TITLE, **keys)
    assert have["tag_ok"] is tag_ok
    assert (have["security_control"], have["invocation_counter"]) == (control, 7)
    assert have["plaintext_length"] == (len(GET) if shown else None)
    assert (have["content"] or {}).get("apdu") == ("get-request" if shown else None)


def test_a_wrong_encryption_key_gives_octets_that_are_no_apdu_and_a_wrong_tag() -> None:
    have = opened(b"\xc8" + sealed(), ek=DK, ak=AK, system_title=TITLE)
    assert have["tag_ok"] is False
    assert have["content"].keys() == {"octets", "error"}
    assert len(have["content"]["octets"]) == 2 * len(GET) == 2 * have["plaintext_length"]


def test_an_empty_authentication_key_is_left_out_of_the_authenticated_data() -> None:
    assert opened(b"\xc8" + sealed(ak=b""), ek=EK, ak=b"", system_title=TITLE)["tag_ok"] is True


@pytest.mark.parametrize(
    ("head", "control", "key", "name"),
    [
        (b"\xc8", 0x30, EK, "ek"),
        (b"\xc8", 0x70, GBEK, "gbek"),
        (b"\xd0", 0x30, DK, "dk"),
        (b"\x21", 0x30, EK, "ek"),
        (b"\x41", 0x30, DK, "dk"),
        (b"\xdb\x08" + TITLE, 0x30, EK, "ek"),
        (b"\xdb\x08" + TITLE, 0x70, GBEK, "gbek"),
        (b"\xdc\x08" + TITLE, 0x30, DK, "dk"),
    ],
)
def test_the_kind_of_the_apdu_and_its_control_choose_the_key(head: bytes, control: int, key: bytes, name: str) -> None:
    octets = head + sealed(control=control, key=key)
    assert opened(octets, ak=AK, system_title=TITLE, **{name: key})["tag_ok"] is True
    others = {"ek": EK, "gbek": GBEK, "dk": DK}
    del others[name]
    assert content_of(octets, ak=AK, system_title=TITLE, **others) is None


@pytest.mark.parametrize(
    ("key_info", "key", "name"),
    [
        (b"\x00", EK, "ek"),
        (b"\x01\x00\x00", EK, "ek"),
        (b"\x01\x00\x01", GBEK, "gbek"),
        (b"\x01\x02\x01\x01\x01\x00", EK, "ek"),
        (b"\x01\x01\x00\x18" + wrap_key(Key(Secret(KEK)), Secret(EK), SUITES[0]), EK, "kek"),
    ],
    ids=["absent", "unicast", "broadcast", "agreed", "wrapped"],
)
def test_key_info_of_general_ciphering_names_the_key(key_info: bytes, key: bytes, name: str) -> None:
    octets = b"\xdd" + META + key_info + sealed(key=key, extra=META)
    given = KEK if name == "kek" else key
    assert opened(octets, ak=AK, **{name: given})["tag_ok"] is True
    assert content_of(octets, ak=AK) is None
    if name == "kek":
        assert content_of(octets, ak=AK, kek=DK) is None


def test_each_header_field_of_general_ciphering_is_authenticated_as_it_came() -> None:
    octets = b"\xdd" + META + b"\x00" + sealed(extra=META)
    assert opened(octets, ek=EK, ak=AK)["tag_ok"] is True
    for at in (2, 13, 23):
        changed = bytearray(octets)
        changed[at] ^= 1
        assert opened(bytes(changed), ek=EK, ak=AK)["tag_ok"] is False
    # The transaction-id with a length of two octets is another META.
    assert opened(octets.replace(META, b"\x81" + META), ek=EK, ak=AK)["tag_ok"] is False


def test_the_title_that_the_apdu_carries_goes_before_the_one_given() -> None:
    octets = b"\xdb\x08" + TITLE + sealed()
    assert opened(octets, ek=EK, ak=AK, system_title=OTHER_TITLE)["tag_ok"] is True
    assert opened(b"\xdb\x00" + sealed(), ek=EK, ak=AK, system_title=TITLE)["tag_ok"] is True
    assert opened(b"\xdb\x00" + sealed(), ek=EK, ak=AK, system_title=OTHER_TITLE)["tag_ok"] is False
    assert content_of(b"\xdb\x00" + sealed(), ek=EK, ak=AK) is None


def aarq(title: bytes | None, information: bytes) -> bytes:
    return apdu.AARQ(
        application_context_name=ApplicationContext.LN_CIPHERED, calling_ap_title=title, user_information=information
    ).encode()


def test_the_ap_title_around_serves_where_no_other_title_is_known() -> None:
    octets = aarq(TITLE, b"\x21" + sealed(INITIATE))
    assert opened(octets, ek=EK, ak=AK)["user_information"]["tag_ok"] is True
    assert opened(octets, ek=EK, ak=AK, system_title=OTHER_TITLE)["user_information"]["tag_ok"] is False
    assert opened(aarq(None, b"\x21" + sealed(INITIATE)), ek=EK, ak=AK)["user_information"]["content"] is None
    general = opened(aarq(OTHER_TITLE, b"\xdb\x08" + TITLE + sealed(INITIATE)), ek=EK, ak=AK)["user_information"]
    assert (general["tag_ok"], general["content"]["apdu"]) == (True, "initiate-request")


def test_user_information_is_an_xdlms_apdu_or_absent() -> None:
    assert opened(aarq(TITLE, INITIATE))["user_information"]["apdu"] == "initiate-request"
    assert opened(aarq(TITLE, b""))["user_information"] is None
    for wrong in (b"\x00", b"\x01\x00", aarq(None, INITIATE)):
        with pytest.raises(DecodeError) as caught:
            cosemic.decode(aarq(TITLE, wrong))
        assert caught.value.path.startswith("aarq.user_information")


@pytest.mark.parametrize("head", [b"\xc8", b"\x21", b"\xdb\x00", b"\xdc\x00", b"\xdd" + bytes(6)])
def test_a_protected_apdu_without_room_for_header_and_tag_is_refused(head: bytes) -> None:
    for body in (b"", b"\x20", b"\x20\x00\x00\x00", b"\x30" + bytes(15)):
        with pytest.raises(DecodeError):
            cosemic.decode(head + bytes((len(body),)) + body, keys={"ek": EK})
    assert cosemic.decode(head + b"\x05\x20" + bytes(4)).to_dict()["apdu"]["content"] is None
    assert cosemic.decode(head + b"\x11\x30" + bytes(16)).to_dict()["apdu"]["content"] is None


def test_octets_inside_that_are_no_apdu_are_shown_with_the_reason() -> None:
    have = opened(b"\xc8" + sealed(b"\x2f\x41"), ek=EK, ak=AK, system_title=TITLE)
    assert (have["tag_ok"], have["plaintext_length"], have["content"]["octets"]) == (True, 2, "2f41")
    assert have["content"]["error"]


def test_compressed_content_is_shown_as_octets() -> None:
    have = opened(b"\xdb\x08" + TITLE + sealed(control=0xB1), ek=EK, ak=AK)
    assert have["tag_ok"] is True
    assert have["content"]["octets"] == GET.hex()
    assert "V.44" in have["content"]["error"]


@pytest.mark.parametrize("length", [len(GET), 20_000])
@pytest.mark.parametrize("control", [0x10, 0x30])
def test_the_tag_of_the_last_counter_value_is_checked_like_any_other(control: int, length: int) -> None:
    plaintext, nonce = GET.ljust(length, b"\x00"), TITLE + b"\xff\xff\xff\xff"
    aad = bytes((control,)) + AK
    if control == 0x30:
        body = AESGCM(EK).encrypt(nonce, plaintext, aad)[:-4]
    else:
        body = plaintext + AESGCM(EK).encrypt(nonce, b"", aad + plaintext)[:12]
    for last, tag_ok in ((body[-1], True), (body[-1] ^ 1, False)):
        contents = bytes((control,)) + b"\xff\xff\xff\xff" + body[:-1] + bytes((last,))
        have = opened(b"\xc8\x82" + len(contents).to_bytes(2) + contents, ek=EK, ak=AK, system_title=TITLE)
        assert (have["tag_ok"], have["invocation_counter"]) == (tag_ok, 0xFFFFFFFF)
        assert have["plaintext_length"] == length


# ---- P1 telegrams ----------------------------------------------------------------------------------------------------

P1 = b"/KFM5KAIFA\r\n\r\n1-0:1.8.0(000123.456*kWh)\r\n!0D59\r\n"


def test_octets_inside_that_begin_with_a_solidus_are_a_p1_telegram() -> None:
    have = opened(b"\xdb\x08" + TITLE + sealed(P1), ek=EK, ak=AK)
    assert have["content"] == {"p1": cosemic.decode(P1, kind="p1").to_dict()}
    assert have["content"]["p1"]["datasets"] == [{"address": "1-0:1.8.0", "values": ["000123.456*kWh"]}]
    assert (have["tag_ok"], have["plaintext_length"]) == (True, len(P1))
    assert faults("apdu", cosemic.decode(b"\xdb\x08" + TITLE + sealed(P1), keys={"ek": EK}).to_dict()) == []
    shown = cosemic.decode(b"\xdb\x08" + TITLE + sealed(P1), keys={"ek": EK, "ak": AK}).explain()
    assert "P1 telegram /KFM5KAIFA\n" in shown
    assert "1-0:1.8.0(000123.456*kWh)\n" in shown


def test_a_solidus_alone_makes_no_telegram() -> None:
    have = opened(b"\xc8" + sealed(b"/KFM5(1"), ek=EK, ak=AK, system_title=TITLE)
    assert have["content"].keys() == {"octets", "error"}
    assert have["content"]["octets"] == b"/KFM5(1".hex()


def test_protections_in_one_another_are_followed_only_so_far() -> None:
    octets = GET
    for layers in range(1, 12):
        octets = b"\xdf" + bytes(5) + b"\x81" + bytes((len(octets),)) + octets + b"\x00"
        have, depth = opened(octets), 0
        while have.get("apdu") == "general-signing":
            have, depth = have["content"], depth + 1
        assert depth == min(layers, 9)
        assert ("error" in have) == (layers > 8)
        assert "apdu" in have or have["error"].startswith("no more than 8")


def test_keys_and_plaintext_are_not_in_the_repr() -> None:
    dedicated = bytes.fromhex("0110") + DK + bytes.fromhex("0000065f1f0400007e1f04b0")
    decoded = cosemic.decode(aarq(TITLE, b"\x21" + sealed(b"\x01" + dedicated)), keys={"ek": EK, "ak": AK})
    shown = repr(decoded)
    assert decoded.to_dict()["apdu"]["user_information"]["content"]["dedicated_key"] == DK.hex()
    for secret in (EK, AK, DK):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
