"""Characters read at another rate or in another format than they were sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.faults.uart import as_received
from cosemic.values import LineSettings
from cosemic.values.line_settings import OPTICAL, Parity

N81 = LineSettings(300)
E71 = OPTICAL
O71 = LineSettings(300, 7, Parity.ODD)
LINES = st.builds(
    LineSettings,
    st.sampled_from((300, 600, 1200, 2400, 4800, 9600, 19200, 115200)),
    st.sampled_from((7, 8)),
    st.sampled_from(Parity),
    st.sampled_from((1, 2)),
)
TEXT = b"/?!\r\n"


def even(octet: int) -> int:
    """The octet of 8 bits that stands for a character with even parity, as written with a pencil."""
    return octet | (0x80 if f"{octet:b}".count("1") % 2 else 0)


@given(st.binary(max_size=50), LINES)
def test_a_port_set_as_the_sender_reads_what_was_sent(octets: bytes, line: LineSettings) -> None:
    assert as_received(octets, line, LineSettings(line.baud, line.data_bits, line.parity, line.stop_bits)) == octets


@given(st.binary(max_size=50).map(lambda octets: bytes(octet & 0x7F for octet in octets)))
def test_seven_bits_read_as_eight_have_their_parity_on_top(octets: bytes) -> None:
    assert as_received(octets, E71, N81) == bytes(map(even, octets))
    assert as_received(bytes(map(even, octets)), N81, E71) == octets


def test_the_sign_on_of_an_optical_head_read_with_eight_bits() -> None:
    assert as_received(TEXT, E71, N81) == bytes.fromhex("AF 3F 21 8D 0A")


def test_a_wrong_parity_or_stop_bit_is_read_as_00() -> None:
    assert as_received(b"/", O71, E71) == b"\x00"
    assert as_received(b"\x80\x01", N81, E71) == b"\x00\x00"  # one bit set: odd
    # The eighth data bit stands where seven bits without parity have their stop bit.
    assert as_received(b"\x7f\x01", N81, LineSettings(300, 7)) == b"\x00\x00"
    assert as_received(b"\xff\x81", N81, LineSettings(300, 7)) == b"\x7f\x01"


@given(st.binary(max_size=20), st.sampled_from((9408, 9600, 9792)))
def test_two_per_cent_of_the_rate_make_no_difference(octets: bytes, baud: int) -> None:
    assert as_received(octets, LineSettings(9600, 8, stop_bits=2), LineSettings(baud)) == octets


@pytest.mark.parametrize("wrong", [300, 600, 1200, 2400, 4800, 19200, 38400, 115200])
def test_a_message_at_another_rate_is_not_readable(wrong: int) -> None:
    read = as_received(TEXT, LineSettings(9600, 7, Parity.EVEN), LineSettings(wrong, 7, Parity.EVEN))
    assert TEXT not in read
    assert not set(read) & set(b"/?!")


def test_half_the_rate_as_drawn_on_paper() -> None:
    # 0x55 at 9600 8N1 is 0 10101010 1; from a falling edge a port at 4800 looks at bits 1, 3, 5 ...: the start is 1
    # there, so that it takes none for a character.
    assert as_received(b"\x55", LineSettings(9600), LineSettings(4800)) == b""
    # 0x00 is low in bits 0 to 8: the start (1) and three bits (3, 5, 7) are 0, then the line is idle.
    assert as_received(b"\x00", LineSettings(9600), LineSettings(4800)) == b"\xf8"
    # 0xFF at 4800 looked at with 9600: low for two bits.
    assert as_received(b"\xff", LineSettings(4800), LineSettings(9600)) == b"\xfe"


@given(st.binary(max_size=40), LINES, LINES)
def test_no_more_than_five_octets_are_read_for_one(octets: bytes, sent: LineSettings, received: LineSettings) -> None:
    assert len(as_received(octets, sent, received)) <= 5 * len(octets)
