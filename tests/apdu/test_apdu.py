"""The table of tags, the recorded APDUs, and what is near them."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu
from cosemic.apdu import DEDICATED, GLOBAL, PLAIN
from cosemic.codec import BerSequence, Choice, EncodedData
from cosemic.errors import DecodeError
from cosemic.values import ActionResult
from tests import strategies, vectors


def check(octets: bytes) -> None:
    """An APDU that is sent and read again, or a DecodeError that points into the octets."""
    try:
        value = apdu.decode(octets)
    except DecodeError as caught:
        error = caught
    else:
        assert apdu.decode(value.encode()) == value
        return
    assert 0 <= error.offset <= len(octets)
    assert error.expected


def kebab(name: str) -> str:
    """The reference writes initiateRequest and get-request, the classes are InitiateRequest and GetRequest."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower().removesuffix("-request")


def table() -> list[tuple[str, str, str, str]]:
    """The rows of the table of section 4: name, plain, glo- and ded- tags as text."""
    text = vectors.reference("application_layer.md").read_text(encoding="utf-8")
    section = text[text.index("## 4. ") : text.index("Envelope layouts")]
    lines = re.findall(r"^\| (.+?) \|(.*?)\|(.*?)\|(.*?)\|$", section, re.MULTILINE)
    return [(name.strip(), plain.strip(), glo.strip(), ded.strip()) for name, plain, glo, ded in lines][1:]


def plain_tags() -> dict[int, str]:
    return {
        kind.tag if issubclass(kind, Choice | BerSequence) else kind.prefix[0]: kind.__name__ for kind in apdu.COSEM_PDU
    }


def test_the_tags_are_those_of_section_4() -> None:
    rows = [row for row in table() if re.fullmatch("[0-9A-F]{2}", row[1])]
    assert len(rows) == 26
    expected = {int(plain, 16): kebab(name) for name, plain, _, _ in rows}
    expected |= {0x60: "aarq", 0x61: "aare", 0x62: "rlrq", 0x63: "rlre", 0xE6: "gateway", 0xE7: "gateway-response"}
    assert {tag: kebab(name) for tag, name in plain_tags().items()} == expected
    ciphered = [(kebab(n), int(p, 16), int(g, 16), int(d, 16)) for n, p, g, d in rows if re.fullmatch("[0-9A-F]{2}", g)]
    assert {glo: name for name, _, glo, _ in ciphered} == {tag: kebab(name) for tag, name in GLOBAL.items()}
    assert {ded: name for name, _, _, ded in ciphered} == {tag: kebab(name) for tag, name in DEDICATED.items()}
    assert {c: plain for _, plain, *both in ciphered for c in both} == PLAIN


def test_the_table_names_aarq_and_gateway_in_rows_of_their_own() -> None:
    text = " ".join(" ".join(row) for row in table())
    assert "60 / 61 / 62 / 63" in text
    assert "E6 / E7" in text


def test_every_apdu_stands_once_in_the_order_of_the_tags() -> None:
    tags = list(plain_tags())
    assert tags == sorted(tags)
    assert len(tags) == len(apdu.COSEM_PDU) == 32
    assert len(PLAIN) == 32
    for tag in PLAIN:
        assert PLAIN[tag] in plain_tags()
        label = apdu.ServiceSpecificCiphering(tag, b"").label
        assert label == ("glo-" if tag in GLOBAL else "ded-") + (GLOBAL | DEDICATED)[tag]


def test_choices_name_their_alternatives() -> None:
    assert apdu.GetRequest.normal is apdu.GetRequestNormal
    for kind in apdu.COSEM_PDU:
        if issubclass(kind, Choice):
            first = next(iter(kind.by_number.values()))
            assert type(kind.decode(first.prefix + RESTS[kind.__name__])) is first


RESTS = {
    "GetRequest": bytes(11),
    "GetResponse": bytes.fromhex("c10000"),
    "SetRequest": bytes(12),
    "SetResponse": bytes.fromhex("c100"),
    "ActionRequest": bytes(11),
    "ActionResponse": bytes.fromhex("c10000"),
}


@given(strategies.apdus())
def test_every_apdu_makes_the_round_trip(value: Any) -> None:
    octets = value.encode()
    assert apdu.decode(octets) == value
    assert apdu.decode(bytearray(octets)) == value
    assert type(apdu.decode(octets)) is type(value)


@given(strategies.mutated(strategies.apdus().map(lambda value: value.encode())) | st.binary(max_size=60))
def test_any_octets_are_an_apdu_or_a_decode_error(octets: bytes) -> None:
    check(octets)


NAKED = lambda record: record["expected"].get("layers") == [] and record["kind"] == "apdu"  # noqa: E731


@vectors.each_record("apdu", where=NAKED)
def test_recorded_apdus_are_read_and_written_again(record: vectors.Record) -> None:
    octets = vectors.octets(record)
    value = apdu.decode(octets)
    again = value.encode()
    assert apdu.decode(again) == value
    assert (again == octets) == (record["id"] not in OTHER_FORMS)
    for end in range(len(octets)):
        with pytest.raises(DecodeError):
            apdu.decode(octets[:end])


OTHER_FORMS = {
    "ref-sn-information-report-cosem-time",  # a COSEM date-time without presence octet
    "ref-event-notification-time-fixed",  # a time without length
    "ref-gbt-fragment",  # a length of two octets more than it needs
}
"""Records that are sent in another form than the canonical one."""


@vectors.each_record("apdu", where=NAKED)
def test_octets_near_recorded_apdus_are_an_apdu_or_a_decode_error(record: vectors.Record) -> None:
    octets = vectors.octets(record)
    dice = random.Random(record["id"])
    for _ in range(40):
        changed = bytearray(octets)
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(changed))
            if dice.random() < 0.7:
                changed[at] = dice.choice((dice.randrange(256), 0, 1, 0x7F, 0x80, 0x81, 0x84, 0xFF))
            elif dice.random() < 0.5:
                del changed[at:]
                break
            else:
                changed[at:at] = dice.randbytes(2)
        check(bytes(changed))


def test_what_stands_after_the_quirk_action_response_bare_result() -> None:
    invoke = apdu.InvokeIdAndPriority(0xC1)
    for text, answer in {
        "c701 c1 00 11 05": apdu.ActionResponseWithOptionalData(ActionResult.SUCCESS, EncodedData(b"\x11\x05")),
        "c701 c1 01 03": apdu.ActionResponseWithOptionalData(ActionResult.READ_WRITE_DENIED),
        "c701 c1 01 63": apdu.ActionResponseWithOptionalData(0x63),  # type: ignore[arg-type]  # it has no name
    }.items():
        assert apdu.bare_action_response(bytes.fromhex(text)) == apdu.ActionResponseNormal(invoke, answer)
    for text, offset in {"c702 c1 01 03": 0, "c701 c1 02": 3, "c701 c1 01": 4, "c701 c1 00 02 01 08": 6}.items():
        with pytest.raises(DecodeError) as caught:
            apdu.bare_action_response(bytes.fromhex(text))
        assert caught.value.offset == offset
        assert caught.value.path.startswith("action-response-normal")
