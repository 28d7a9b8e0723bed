"""ACSE in BER (reference, sections 5 and 19): worked examples, every field, and every form that a field may have."""

from __future__ import annotations

import random
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.codec import DEFAULT_LIMITS, ObjectIdentifier
from cosemic.errors import DecodeError, EncodeError
from cosemic.values import (
    ApplicationContext,
    AssociationResult,
    AuthenticationMechanism,
    BitString,
    ProviderDiagnostic,
    ReleaseRequestReason,
    ReleaseResponseReason,
    UserDiagnostic,
)
from tests import strategies

LN, LN_CIPHERED, SN = ApplicationContext.LN, ApplicationContext.LN_CIPHERED, ApplicationContext.SN
REQUIREMENT = a.AUTHENTICATION_REQUIREMENT
INITIATE = bytes.fromhex("01000000065F1F0400401E5DFFFF")
CONTEXT = "A109 0607 60857405080101"
USER = a.ResultSourceDiagnostic("acse_service_user", UserDiagnostic.NULL)
RESULT = "A203 020100 A305 A103 020100"

WORKED: dict[str, tuple[Any, str]] = {
    "AARQ": (
        a.AARQ(application_context_name=LN, user_information=INITIATE),
        f"60 1D {CONTEXT} BE10 040E 01 00 00 00 06 5F1F0400 401E5D FFFF",
    ),
    "AARQ LLS": (
        a.AARQ(
            application_context_name=LN,
            sender_acse_requirements=REQUIREMENT,
            mechanism_name=AuthenticationMechanism.LLS,
            calling_authentication_value=a.AuthenticationValue(b"12345678"),
            user_information=INITIATE,
        ),
        f"60 36 {CONTEXT} 8A02 0780 8B07 60857405080201 AC0A 8008 3132333435363738"
        " BE10 040E 01000000065F1F0400401E5DFFFF",
    ),
    "AARQ SN": (
        a.AARQ(application_context_name=SN, user_information=bytes.fromhex("01000000065F1F04001C0320FFFF")),
        "60 1D A109 0607 60857405080102 BE10 040E 01000000065F1F0400 1C0320 FFFF",
    ),
    "AARE": (
        a.AARE(
            application_context_name=LN,
            result=AssociationResult.ACCEPTED,
            result_source_diagnostic=USER,
            user_information=bytes.fromhex("0800065F1F0400007C1F04000007"),
        ),
        f"61 29 {CONTEXT} {RESULT} BE10 040E 08 00 06 5F1F0400 007C1F 0400 0007",
    ),
    "AARE HLS pending": (
        a.AARE(
            application_context_name=LN_CIPHERED,
            result=AssociationResult.ACCEPTED,
            result_source_diagnostic=a.ResultSourceDiagnostic(
                "acse_service_user", UserDiagnostic.AUTHENTICATION_REQUIRED
            ),
            responding_ap_title=b"MTR\0\0\0\0\1",
            responder_acse_requirements=REQUIREMENT,
            mechanism_name=AuthenticationMechanism.HLS_GMAC,
            responding_authentication_value=a.AuthenticationValue(b"challeng"),
        ),
        "61 3C A109 0607 60857405080103 A203 020100 A305 A103 02010E A40A 0408 4D54520000000001 8802 0780"
        " 8907 60857405080205 AA0A 8008 6368616C6C656E67",
    ),
    "AARE by the provider": (
        a.AARE(
            protocol_version=BitString("1"),
            application_context_name=LN,
            result=AssociationResult.REJECTED_PERMANENT,
            result_source_diagnostic=a.ResultSourceDiagnostic(
                "acse_service_provider", ProviderDiagnostic.NO_COMMON_ACSE_VERSION
            ),
        ),
        f"61 1B 8002 0780 {CONTEXT} A203 020101 A305 A203 020102",
    ),
    "RLRQ": (a.RLRQ(reason=ReleaseRequestReason.NORMAL), "62 03 80 01 00"),
    "RLRE": (a.RLRE(reason=ReleaseResponseReason.NORMAL), "63 03 80 01 00"),
    "RLRQ, least": (a.RLRQ(), "62 00"),
    "RLRE, least": (a.RLRE(), "63 00"),
    "RLRQ, protected": (
        a.RLRQ(reason=ReleaseRequestReason.USER_DEFINED, user_information=b"\x21\0"),
        "62 09 80011E BE04 0402 2100",
    ),
    "RLRE, protected": (a.RLRE(user_information=b"\x28\0"), "63 06 BE04 0402 2800"),
    "RLRE, not finished": (a.RLRE(reason=ReleaseResponseReason.NOT_FINISHED), "63 03 80 01 01"),
}  # fmt: skip
EVERY_FIELD = a.AARQ(
    protocol_version=BitString("1"),
    application_context_name=LN,
    called_ap_title=b"\1",
    called_ae_qualifier=b"\2",
    called_ap_invocation_id=3,
    called_ae_invocation_id=4,
    calling_ap_title=b"\6",
    calling_ae_qualifier=b"\7",
    calling_ap_invocation_id=8,
    calling_ae_invocation_id=200,
    sender_acse_requirements=REQUIREMENT,
    mechanism_name=AuthenticationMechanism.LOWEST,
    calling_authentication_value=a.AuthenticationValue(b""),
    application_context_name_list=b"\6\1\x2a",
    implementation_information="ä",
    user_information=b"\1",
)
EVERY_TAG = (
    "8002 0780", CONTEXT, "A203 040101", "A303 040102", "A403 020103", "A503 020104", "A603 040106", "A703 040107",
    "A803 020108", "A904 020200C8", "8A02 0780", "8B07 60857405080200", "AC02 8000", "AD03 06012A", "9D01 E4",
    "BE03 040101",
)  # fmt: skip


def aarq(*fields: str) -> bytes:
    """An AARQ of these fields, in hex."""
    body = bytes.fromhex("".join(fields))
    return b"\x60" + (bytes((len(body),)) if len(body) < 128 else b"\x81" + bytes((len(body),))) + body


@pytest.mark.parametrize("name", WORKED)
def test_worked_examples_are_written_and_read(name: str) -> None:
    value, text = WORKED[name]
    octets = bytes.fromhex(text)
    assert value.encode() == octets
    for read in (a.decode, type(value).decode, type(value)._decode_plain):
        assert read(octets) == value
    for end in range(len(octets)):
        with pytest.raises(DecodeError):
            a.decode(octets[:end])


def test_every_field_of_the_aarq_stands_where_the_table_says() -> None:
    octets = aarq(*EVERY_TAG)
    assert EVERY_FIELD.encode() == octets
    assert a.decode(octets) == EVERY_FIELD


def test_every_field_of_the_aare_stands_where_the_table_says() -> None:
    answer = a.AARE(
        protocol_version=BitString("1"),
        application_context_name=LN,
        result=AssociationResult.ACCEPTED,
        result_source_diagnostic=USER,
        responding_ap_title=b"\4",
        responding_ae_qualifier=b"\5",
        responding_ap_invocation_id=6,
        responding_ae_invocation_id=200,
        responder_acse_requirements=REQUIREMENT,
        mechanism_name=AuthenticationMechanism.LOWEST,
        responding_authentication_value=a.AuthenticationValue(b""),
        application_context_name_list=b"\6\1\x2a",
        implementation_information="ä",
        user_information=b"\1",
    )
    fields = (
        f"8002 0780 {CONTEXT} {RESULT} A403 040104 A503 040105 A603 020106 A704 020200C8 8802 0780"
        " 8907 60857405080200 AA02 8000 AB03 06012A 9D01 E4 BE03 040101"
    )
    body = bytes.fromhex(fields)
    octets = bytes((0x61, len(body))) + body
    assert answer.encode() == octets
    assert a.decode(octets) == answer


@given(st.randoms(use_true_random=False))
def test_fields_are_read_in_any_order(dice: random.Random) -> None:
    tags = list(EVERY_TAG)
    dice.shuffle(tags)
    assert a.decode(aarq(*tags)) == EVERY_FIELD
    value, text = WORKED["AARE HLS pending"]
    octets = bytes.fromhex(text)
    lengths = (11, 5, 7, 12, 4, 9, 12)
    ends = list(accumulate(lengths, initial=2))
    fields = [octets[start:end] for start, end in pairwise(ends)]
    dice.shuffle(fields)
    assert a.decode(octets[:2] + b"".join(fields)) == value


@pytest.mark.parametrize("number", range(len(EVERY_TAG)))
def test_a_field_that_comes_twice_is_refused(number: int) -> None:
    octets = aarq(*EVERY_TAG, EVERY_TAG[number])
    with pytest.raises(DecodeError, match="once") as caught:
        a.decode(octets)
    assert caught.value.offset == len(aarq(*EVERY_TAG))
    for tags in ([*EVERY_TAG[: number + 1], *EVERY_TAG[number:]],):
        with pytest.raises(DecodeError, match="once"):
            a.decode(aarq(*tags))


def test_the_context_is_needed_and_nothing_else() -> None:
    for number, tag in enumerate(EVERY_TAG):
        rest = [other for other in EVERY_TAG if other is not tag]
        if number == 1:
            with pytest.raises(DecodeError, match="application_context_name"):
                a.decode(aarq(*rest))
        else:
            assert getattr(a.decode(aarq(*rest)), a.AARQ.__fields__[number]) is None
    with pytest.raises(EncodeError, match="needs application_context_name"):
        a.AARQ(user_information=b"").encode()  # type: ignore[call-arg]  # this is what is tested
    for text, missing in (
        ("6110" + CONTEXT + "A203 020100", "result_source_diagnostic"),
        ("6100", "application_context"),
    ):
        with pytest.raises(DecodeError, match=missing):
            a.decode(bytes.fromhex(text))


FORMS = {
    "lengths in longer forms": ("BE8104 04810101", "user_information", b"\1"),
    "outer length of three octets": ("BE83000003 040101", "user_information", b"\1"),
    "id of one octet from 80 on": ("A903 0201C8", "calling_ae_invocation_id", 200),
    "id with the leading 00": ("A904 020200C8", "calling_ae_invocation_id", 200),
    "id of four octets": ("A906 020400000001", "calling_ae_invocation_id", 1),
    "negative id": ("A904 0202FFFF", "calling_ae_invocation_id", -1),
    "protocol-version of an old stack": ("8002 0284", "protocol_version", "100001"),
    "protocol-version of one bit": ("8002 0780", "protocol_version", "1"),
    "protocol-version other than 1": ("8002 0640", "protocol_version", "01"),
    "protocol-version of no bits": ("8001 00", "protocol_version", ""),
    "mechanism of another arc": ("8B03 2A0304", "mechanism_name", ObjectIdentifier(b"\x2a\3\4")),
    "mechanism of this arc without name": (
        "8B07 60857405080208",
        "mechanism_name",
        ObjectIdentifier(bytes.fromhex("60857405080208")),
    ),
    "password of no octets": ("AC02 8000", "calling_authentication_value", b""),
    "bitstring": ("AC04 8102 00AA", "calling_authentication_value", b"\xaa"),
    "text, primitive": ("9D03 61E462", "implementation_information", "aäb"),
    "text, constructed": ("BD05 1903 61E462", "implementation_information", "aäb"),
    "text that looks like a tag": ("9D03 190161", "implementation_information", "\x19\x01a"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_fields(name: str) -> None:
    text, field, value = FORMS[name]
    read = a.decode(aarq(CONTEXT, text))
    assert getattr(read, field) == value
    assert a.decode(read.encode()) == read


@pytest.mark.parametrize("size", [117, 118, 125, 126, 127, 128, 129, 255, 256, 70000])
@pytest.mark.parametrize(
    "field", ["called_ap_title", "application_context_name_list", "implementation_information", "user_information"]
)
def test_long_fields_are_read_whatever_their_length_takes(field: str, size: int) -> None:
    request = a.decode(aarq(CONTEXT))
    setattr(request, field, "x" * size if field.startswith("impl") else b"x" * size)
    assert a.decode(request.encode()) == request


def test_lengths_of_two_octets_are_not_taken_for_one() -> None:
    title = "A6 65 0463" + "00" * 99
    twisted = "60 81 8002 0780" + CONTEXT + title
    filled = bytes.fromhex(twisted + "BE 09 0407") + bytes(7)
    assert filled[1] == len(filled) - 2
    inner = aarq(CONTEXT, "BE 81 04 7F" + "00" * 127)
    long = aarq(CONTEXT, "A6 70 046E" + "00" * 110, "BE 05 0403 010203")
    shorter, longer = (bytes((*long[:2], long[2] + step, *long[3:])) for step in (-1, 1))
    assert a.decode(long).user_information == b"\1\2\3"
    for octets in (filled, inner, shorter, longer, long[:-1], long + b"\0"):
        with pytest.raises(DecodeError):
            a.decode(octets)


def test_a_bitstring_and_a_charstring_are_told_apart() -> None:
    octets = aarq(CONTEXT, "AC04 8102 00AA")
    value = a.decode(octets).calling_authentication_value
    assert isinstance(value, a.AuthenticationBits)
    assert a.decode(octets).encode() == octets
    assert not isinstance(a.decode(aarq(CONTEXT, "AC03 8001 AA")).calling_authentication_value, a.AuthenticationBits)


def test_authentication_values_are_not_printed() -> None:
    value, _ = WORKED["AARQ LLS"]
    assert "12345678" not in repr(value)
    assert "3132" not in repr(a.decode(value.encode()))


WRONG = {
    "indefinite outer length": (f"60 80 {CONTEXT} 0000", 1, "aarq"),
    "indefinite length of a field": (f"60 11 {CONTEXT} BE80 0401 01 00", 14, "aarq"),
    "outer length too short": (f"60 0A {CONTEXT}", 12, "aarq"),
    "outer length too long": (f"60 0C {CONTEXT}", 13, "aarq"),
    "length of five octets": ("60 85 0000000000", 1, "aarq"),
    "unknown field": (f"60 0D {CONTEXT} BF00", 13, "aarq"),
    "field cut off": (f"60 0E {CONTEXT} BE05 04", 16, "aarq"),
    "field without length": (f"60 0C {CONTEXT} BE", 14, "aarq"),
    "inner tag": (f"60 0F {CONTEXT} BE02 0500", 15, "aarq.user_information"),
    "no inner tag": (f"60 0D {CONTEXT} BE00", 15, "aarq.user_information"),
    "inner length too long": (f"60 10 {CONTEXT} BE03 040201", 18, "aarq.user_information"),
    "inner length too short": (f"60 10 {CONTEXT} BE03 040001", 17, "aarq.user_information"),
    "inner length cut off": (f"60 0E {CONTEXT} BE01 04", 16, "aarq.user_information"),
    "empty integer": (f"60 0F {CONTEXT} A902 0200", 17, "aarq.calling_ae_invocation_id"),
    "integer of nine octets": (f"60 18 {CONTEXT} A90B 0209 000000000000000001", 17, "aarq.calling_ae_invocation_id"),
    "identifier that goes on": (f"60 0F {CONTEXT} 8B02 2A83", 17, "aarq.mechanism_name"),
    "no identifier": (f"60 0D {CONTEXT} 8B00", 15, "aarq.mechanism_name"),
    "eight unused bits": (f"60 0F {CONTEXT} 8A02 0880", 15, "aarq.sender_acse_requirements"),
    "unused bits of nothing": (f"60 0E {CONTEXT} 8A01 07", 15, "aarq.sender_acse_requirements"),
    "no bit string": (f"60 0D {CONTEXT} 8A00", 15, "aarq.sender_acse_requirements"),
    "authentication value other": (f"60 0F {CONTEXT} AC02 A300", 15, "aarq.calling_authentication_value"),
    "authentication value empty": (f"60 0D {CONTEXT} AC00", 15, "aarq.calling_authentication_value"),
    "authentication bits unused": (f"60 11 {CONTEXT} AC04 8102 0780", 17, "aarq.calling_authentication_value"),
    "diagnostic of nobody": (f"61 17 {CONTEXT} A203 020100 A305 A303 020100", 20, "aare.result_source_diagnostic"),
    "another APDU": (f"64 0B {CONTEXT}", 0, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_where_it_stands(name: str) -> None:
    text, offset, path = WRONG[name]
    octets = bytes.fromhex(text)
    with pytest.raises(DecodeError) as caught:
        a.decode(octets)
    if name == "diagnostic of nobody":
        octets = octets[:1] + bytes((len(octets) - 2,)) + octets[2:]
        with pytest.raises(DecodeError) as caught:
            a.decode(octets)
    assert (caught.value.offset, caught.value.path) == (offset, path)


def test_offsets_are_right_behind_long_lengths() -> None:
    title = "A6 8182 0480" + "00" * 0x80
    with pytest.raises(DecodeError) as caught:
        a.decode(aarq(CONTEXT, title))
    assert caught.value.path == "aarq.calling_ap_title"
    octets = aarq(CONTEXT, "A6 8183 048180" + "00" * 0x80, "8B02 2A83")
    with pytest.raises(DecodeError) as caught:
        a.decode(octets)
    assert caught.value.offset == len(octets)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("application_context_name", 200),
        ("application_context_name", "LN"),
        ("mechanism_name", ObjectIdentifier(b"\x83")),
        ("mechanism_name", ObjectIdentifier(b"")),
        ("calling_ap_title", "text"),
        ("calling_ae_invocation_id", "1"),
        ("sender_acse_requirements", "2"),
        ("sender_acse_requirements", b"\1"),
        ("implementation_information", "€"),
        ("implementation_information", b"octets"),
        ("user_information", 5),
        ("calling_authentication_value", "text"),
    ],
)
def test_what_does_not_fit_its_field_is_an_encode_error(field: str, value: Any) -> None:
    request = a.decode(aarq(CONTEXT))
    setattr(request, field, value)
    with pytest.raises(EncodeError):
        request.encode()


def test_objects_compare_and_print_by_the_fields_that_are_there() -> None:
    value, _ = WORKED["RLRQ"]
    assert repr(value).startswith("RLRQ(reason=")
    assert value != a.RLRQ()
    assert value != a.RLRE(reason=ReleaseResponseReason.NORMAL)
    assert a.RLRQ().reason is None
    with pytest.raises(AttributeError):
        _ = a.RLRQ().nothing  # type: ignore[attr-defined]  # there is no such field
    with pytest.raises(TypeError):
        a.RLRQ(nothing=1)  # type: ignore[call-arg]  # there is no such field
    with pytest.raises(TypeError):
        hash(value)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("60857405080101", "2.16.756.5.8.1.1"),
        ("2a0304", "1.2.3.4"),
        ("883703", "2.999.3"),
        ("8137", "2.103"),
        ("00", "0.0"),
        ("27", "0.39"),
        ("", ""),
    ],
)
def test_identifiers_print_as_dotted_numbers(octets: str, text: str) -> None:
    assert str(ObjectIdentifier(bytes.fromhex(octets))) == text
    assert repr(ObjectIdentifier(bytes.fromhex(octets))) == f"ObjectIdentifier({text})"


# ---- the quirk acse-short-lengths ----------------------------------------------------------------------------------


def shortened(octets: bytes) -> bytes:
    """Outer length and both lengths of user-information one too small."""
    at = octets.rindex(b"\xbe")
    short = bytearray(octets)
    for position in (1, at + 1, at + 3):
        short[position] -= 1
    return bytes(short)


@pytest.mark.parametrize("name", [name for name, (_, text) in WORKED.items() if "BE" in text])
def test_lengths_one_too_small_are_mended(name: str) -> None:
    octets = WORKED[name][0].encode()
    short = shortened(octets)
    with pytest.raises(DecodeError):
        a.decode(short)
    assert a.lengthen(short) == octets
    assert a.lengthen(octets) == octets


@pytest.mark.parametrize("name", WORKED)
def test_lengths_that_show_another_fault_are_left_alone(name: str) -> None:
    octets = WORKED[name][0].encode()
    for position in range(len(octets)):
        changed = bytearray(octets)
        changed[position] = (changed[position] - 1) % 256
        assert a.lengthen(bytes(changed)) == changed
    for end in range(len(octets)):
        assert a.lengthen(octets[:end]) == octets[:end]
    if b"\xbe" in octets:
        half = bytearray(shortened(octets))
        half[octets.rindex(b"\xbe") + 3] += 1
        assert a.lengthen(bytes(half)) == half


def test_a_length_that_would_no_longer_fit_its_octet_is_left_alone() -> None:
    request = a.AARQ(application_context_name=LN, called_ap_title=bytes(128 - 11 - 20), user_information=bytes(12))
    octets = request.encode()
    assert octets[:3] == b"\x60\x81\x80"
    short = bytearray(b"\x60\x80" + octets[3:])
    for position in (1, -15, -13):
        short[position] -= 1
    assert a.lengthen(bytes(short)) == short


@given(st.binary(max_size=60))
def test_lengthening_takes_any_octets(octets: bytes) -> None:
    assert len(a.lengthen(octets)) == len(octets)


@given(strategies.mutated(st.sampled_from([value.encode() for value, _ in WORKED.values()])))
def test_the_straight_line_reader_agrees_with_the_plain_one_near_the_examples(octets: bytes) -> None:
    for kind in strategies.BER_SEQUENCES:
        try:
            plain: Any = kind._decode_plain(octets, DEFAULT_LIMITS)
        except DecodeError as error:
            plain = error.offset, error.path
        try:
            read: Any = kind.decode(octets)
        except DecodeError as error:
            read = error.offset, error.path
        assert read == plain
