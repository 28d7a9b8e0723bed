"""Bursts are cut into their frames, and anything else is left whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cosemic.faults.framing import hdlc_frames, wpdus

SNRM = bytes.fromhex("7E A007 03 21 93 0F01 7E")
RR = bytes.fromhex("7E A007 03 21 31 1787 7E")
GET = bytes.fromhex("7E A019 03 21 32 6FD8 E6E600 C001C100080000010000FF0200 601A 7E")


def test_frames_of_a_burst_with_flags_of_their_own_or_shared() -> None:
    assert hdlc_frames(SNRM + RR + GET) == [SNRM, RR, GET]
    assert hdlc_frames(GET[:-1] + GET) == [GET, GET[1:]]
    assert hdlc_frames(b"\x7e\x7e" + SNRM + GET) == [b"\x7e\x7e" + SNRM, GET]
    assert hdlc_frames(GET[:-1] + RR[1:]) == [GET[:-1], RR[1:]]
    assert hdlc_frames(GET[:10]) == [GET[:10]]


def test_wpdus_of_one_write() -> None:
    one, two = bytes.fromhex("0001 0010 0001 0003 C00181"), bytes.fromhex("0001 0010 0001 0000")
    assert wpdus(one + two + one) == [one, two, one]


@given(
    st.binary(max_size=80)
    | st.lists(st.sampled_from((b"\x7e", b"\xa0", b"\x00", b"\xa0\x07")), max_size=30).map(b"".join)
)
def test_whatever_is_written_is_there_end_to_end(octets: bytes) -> None:
    assert b"".join(hdlc_frames(octets)) == b"".join(wpdus(octets)) == octets
    assert b"" not in hdlc_frames(octets)
