"""TPDUs of 3GPP TS 23.040: examples that are known everywhere, every field, and octets that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.sms.tpdu import (
    Concatenation,
    Deliver,
    Submit,
    UserData,
    decode_tpdu,
    encode_number,
    is_8_bit,
)

NUMBERS = st.from_regex(r"\+?[0-9*#]{1,20}", fullmatch=True)
OCTETS = st.integers(0, 255)
CONCATENATIONS = st.builds(Concatenation, OCTETS, OCTETS, OCTETS)
PORTS = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
USER_DATA = st.builds(
    UserData, st.binary(max_size=128), st.none() | CONCATENATIONS, st.none() | PORTS
)  # 128: room for both elements
MESSAGES = st.one_of(
    st.builds(Deliver, NUMBERS, USER_DATA, timestamp=st.binary(min_size=7, max_size=7)),
    st.builds(Submit, NUMBERS, USER_DATA, OCTETS, validity=st.none() | OCTETS),
)


def septets(octets: bytes, count: int) -> str:
    """The default alphabet unpacked bit by bit; its letters are those of ASCII."""
    bits = int.from_bytes(octets, "little")
    return "".join(chr(bits >> 7 * at & 0x7F) for at in range(count))


def test_text_message_that_every_primer_shows() -> None:
    octets = bytes.fromhex("040B911346610089F60000208062917314080CC8F71D14969741F977FD07")
    message = decode_tpdu(octets)
    assert isinstance(message, Deliver)
    assert message.originator == "+31641600986"
    assert message.timestamp == bytes.fromhex("20806291731408")
    assert septets(message.user_data.octets, 12) == "How are you?"
    assert not is_8_bit(message.data_coding)


def test_submission_that_every_primer_shows() -> None:
    message = decode_tpdu(bytes.fromhex("11000B916407281553F80000AA0AE8329BFD4697D9EC37"))
    assert isinstance(message, Submit)
    assert (message.destination, message.validity) == ("+46708251358", 0xAA)
    assert septets(message.user_data.octets, 10) == "hellohello"


def test_get_request_as_it_is_sent() -> None:
    """SAPs 1 and 16, and a GET, to +491711234567: each field by hand."""
    octets = bytes.fromhex("1001c001c100080000010000ff0200")
    expected = "01050c9194711132547600040f" + octets.hex()
    assert Submit("+491711234567", UserData(octets), 5).encode().hex() == expected


def test_part_of_a_longer_message_has_a_header_of_six_octets() -> None:
    part = UserData(b"abc", Concatenation(0x2A, 3, 2))
    assert Submit("12345", part, 1).encode().hex() == "410105812143f50004090500032a0302616263"
    with_ports = UserData(b"abc", Concatenation(0x2A, 3, 2), (4059, 0xFFFF))
    assert with_ports.header.hex() == "0b05040fdbffff00032a0302"


def test_reference_of_16_bits_and_unknown_elements_are_read() -> None:
    header = "080412340301"
    body = "0a" + header + "7002abcd" + "99"
    octets = bytes.fromhex("4405912143f50004" + "00" * 7 + f"{len(body) // 2:02x}" + body)
    message = decode_tpdu(octets)
    assert message.user_data == UserData(b"\x99", Concatenation(0x1234, 3, 1))


@given(MESSAGES)
def test_messages_round_trip(message: Deliver | Submit) -> None:
    octets = message.encode()
    assert decode_tpdu(octets) == message
    assert len(octets) <= 2 + 12 + 2 + 7 + 1 + 140


@given(st.binary(max_size=200))
def test_any_octets_are_a_message_or_one_error(octets: bytes) -> None:
    try:
        message = decode_tpdu(octets)
    except DecodeError:
        return
    assert len(message.user_data.octets) <= 140


def test_error_names_octet_and_field() -> None:
    head = bytes.fromhex("4405912143f50004" + "00" * 7)
    with pytest.raises(DecodeError, match="at octet 22 in element 00: 1 more octets"):
        decode_tpdu(head + bytes.fromhex("0605000401030299")[:-1] + b"")


@given(MESSAGES, st.data())
def test_every_shorter_and_longer_form_is_refused(message: Deliver | Submit, data: st.DataObject) -> None:
    octets = message.encode()
    with pytest.raises(DecodeError):
        decode_tpdu(octets[: data.draw(st.integers(0, len(octets) - 1))])
    with pytest.raises(DecodeError, match="after the end"):
        decode_tpdu(octets + b"\x00")


@pytest.mark.parametrize("number", ["", "+", "12a", "+12+", "1" * 21, "１２"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(EncodeError):
        encode_number(number)


def test_too_much_for_one_message_is_refused() -> None:
    assert len(Submit("1", UserData(bytes(140))).encode()) == 2 + 3 + 2 + 1 + 140
    with pytest.raises(EncodeError, match="140 octets"):
        Submit("1", UserData(bytes(141))).encode()
    with pytest.raises(EncodeError):
        Submit("1", UserData(bytes(135), Concatenation(1, 2, 1))).encode()


@pytest.mark.parametrize(
    "coding, octets",
    [
        (0x00, False),
        (0x04, True),
        (0x08, False),
        (0x14, True),
        (0x44, True),
        (0x48, False),
        (0x84, False),
        (0xF4, True),
        (0xF5, True),
        (0xF0, False),
        (0xC4, False),
    ],
)
def test_data_coding_says_whether_user_data_are_octets(coding: int, octets: bool) -> None:
    assert is_8_bit(coding) is octets


def test_status_reports_and_fill_among_digits_are_refused() -> None:
    with pytest.raises(DecodeError, match="message type 2"):
        decode_tpdu(bytes.fromhex("0200"))
    with pytest.raises(DecodeError, match="fill"):
        decode_tpdu(bytes.fromhex("0404912ff100040000000000000000"))


def test_names_of_senders_are_not_taken_for_numbers() -> None:
    message = decode_tpdu(bytes.fromhex("0407d0d4f29c0e00040000000000000000"))
    assert isinstance(message, Deliver)
    assert message.originator == "?d4f29c0e"
