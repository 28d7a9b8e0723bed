"""The wrapper over UDP: each datagram is one whole WPDU, or nothing (IEC 62056-4-7, 9-7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, EncodeError
from cosemic.link.contract import ApduReceived
from cosemic.link.wrapper import DatagramWrapperLink

SAPS = st.integers(0, 0xFFFF)
WPDU = bytes.fromhex("0001 0010 0001 0003 c001c1")


def test_each_wpdu_is_handed_out_for_a_datagram_of_its_own() -> None:
    link = DatagramWrapperLink(16, 1)
    link.send(b"\xc0\x01\xc1")
    link.send(b"\xc0", destination=2)
    assert [link.octets_to_send() for _ in range(3)] == [WPDU, bytes.fromhex("0001 0010 0002 0001 c0"), b""]


def test_there_is_neither_connection_nor_time_out() -> None:
    link = DatagramWrapperLink()
    link.connect()
    link.disconnect()
    assert (link.connection_oriented, link.connected) == (False, True)
    assert link.line_to_set() is None
    assert link.deadline() is None
    assert link.tick(5.0) == []
    assert link.octets_to_send() == b""


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        WPDU[:7],
        WPDU[:-1],  # cut
        WPDU + b"\0",  # something behind the end
        WPDU + WPDU,  # two of them
        b"\0\2" + WPDU[2:],
        b"\x7e\xa0\x07\x03\x21\x93\x0f\x01\x7e",
    ],
)
def test_what_is_no_single_wpdu_is_dropped_and_says_nothing_about_the_next(datagram: bytes) -> None:
    link = DatagramWrapperLink()
    assert link.receive(datagram, 0.0) == []
    assert link.dropped == 1
    assert link.receive(WPDU, 0.0) == [ApduReceived(b"\xc0\x01\xc1", 16, 1)]
    assert link.dropped == 1


def test_a_longer_apdu_than_is_taken_is_dropped() -> None:
    link = DatagramWrapperLink(max_apdu=2)
    assert link.receive(WPDU, 0.0) == []
    assert link.dropped == 1


def test_a_wpdu_without_an_apdu_is_passed_over() -> None:
    link = DatagramWrapperLink()
    assert link.receive(bytes.fromhex("0001 0010 0001 0000"), 0.0) == []
    assert link.dropped == 0


def test_saps_and_limits_are_those_of_the_wrapper() -> None:
    with pytest.raises(ConfigurationError):
        DatagramWrapperLink(0x10000)
    with pytest.raises(EncodeError):
        DatagramWrapperLink().send(b"\xc0")


@given(SAPS, SAPS, st.binary(min_size=1, max_size=60))
def test_what_one_sends_the_other_receives(source: int, destination: int, apdu: bytes) -> None:
    there, here = DatagramWrapperLink(source, destination), DatagramWrapperLink()
    there.send(apdu)
    assert here.receive(bytearray(there.octets_to_send()), 0.0) == [ApduReceived(apdu, source, destination)]


@given(st.binary(max_size=80))
def test_any_datagram_is_one_apdu_or_nothing(datagram: bytes) -> None:
    link = DatagramWrapperLink()
    events = link.receive(datagram, 0.0)
    whole = (
        datagram[:2] == b"\0\1" and datagram[6:8] == (len(datagram) - 8).to_bytes(2) if len(datagram) >= 8 else False
    )
    assert link.dropped == (not whole)
    assert len(events) == (whole and len(datagram) > 8)
