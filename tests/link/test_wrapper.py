"""The wrapper of IEC 62056-4-7: single WPDUs, streams cut anywhere, and peers that break the rules."""

from __future__ import annotations

from struct import unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, DecodeError, EncodeError, ProtocolError
from cosemic.link import wrapper
from cosemic.link.contract import ApduReceived, Link, LinkEvent, LinkFailed, Octets
from cosemic.link.wrapper import WrapperHeader, WrapperLink, decode_wrapper
from tests.link.samples import in_pieces
from tests.vectors import Record, compare, each_record, octets

SAPS = st.integers(0, 0xFFFF)
WPDUS = st.lists(st.tuples(SAPS, SAPS, st.binary(min_size=1, max_size=40)), max_size=6)

AARQ_HEADER = bytes.fromhex("000100100001001f")


def hand_made(source: int, destination: int, apdu: bytes) -> bytes:
    """A WPDU as the standard draws it, without the code under test."""
    return b"\x00\x01" + b"".join(number.to_bytes(2, "big") for number in (source, destination, len(apdu))) + apdu


def received(link: Link, pieces: list[bytes]) -> list[LinkEvent]:
    return [event for piece in pieces for event in link.receive(piece, 0.0)]


def told(events: list[LinkEvent]) -> list[object]:
    """Events in a form that compares: errors are equal when they say the same."""
    return [str(event.error) if isinstance(event, LinkFailed) else event for event in events]


def test_header_of_the_example_in_the_reference_text() -> None:
    assert WrapperHeader(source=16, destination=1, length=31).encode() == AARQ_HEADER
    assert WrapperHeader.decode(AARQ_HEADER) == WrapperHeader(source=16, destination=1, length=31, version=1)


@each_record(where=lambda record: record["kind"] == "apdu" and record["hex"].startswith("0001"))
def test_recorded_wpdu_has_the_header_that_was_recorded(record: Record) -> None:
    header, apdu = decode_wrapper(octets(record))
    have = {
        "version": header.version,
        "source": header.source,
        "destination": header.destination,
        "length": header.length,
    }
    assert compare(record["expected"]["layers"][0], {"wrapper": have}) == []
    assert octets(record) == header.encode() + apdu
    link = WrapperLink()
    assert link.receive(octets(record), 0.0) == [ApduReceived(apdu, header.source, header.destination)]


@given(SAPS, SAPS, st.binary(max_size=60))
def test_single_wpdu_round_trip(source: int, destination: int, apdu: bytes) -> None:
    wpdu = hand_made(source, destination, apdu)
    header, content = decode_wrapper(wpdu)
    assert (header.source, header.destination, content) == (source, destination, apdu)
    link = WrapperLink(source, destination)
    link.send(apdu)
    assert link.octets_to_send() == wpdu


@pytest.mark.parametrize(
    "wpdu, offset, path",
    [
        ("", 0, "wrapper"),
        ("00010010000100", 7, "wrapper"),
        ("0002001000010001c0", 0, "wrapper.version"),
        ("0000001000010001c0", 0, "wrapper.version"),
        ("ffff001000010001c0", 0, "wrapper.version"),
        ("0001001000010002c0", 6, "wrapper.length"),
        ("0001001000010001c0c1", 9, "wrapper"),
    ],
)
def test_wrong_wpdu_is_refused_with_the_place(wpdu: str, offset: int, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_wrapper(bytes.fromhex(wpdu))
    assert (caught.value.offset, caught.value.path) == (offset, path)


@pytest.mark.parametrize("header", ["", "00010010000100", "000100100001001fc0"])
def test_header_has_exactly_eight_octets(header: str) -> None:
    with pytest.raises(DecodeError):
        WrapperHeader.decode(bytes.fromhex(header))


@given(st.binary(max_size=40))
def test_any_octets_give_a_wpdu_or_a_decode_error(wpdu: bytes) -> None:
    try:
        header, apdu = decode_wrapper(wpdu)
    except DecodeError:
        return
    assert header.encode() + apdu == wpdu


@given(WPDUS, st.lists(st.integers(0), max_size=8))
def test_cutting_a_stream_makes_no_difference(wpdus: list[tuple[int, int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(hand_made(*wpdu) for wpdu in wpdus)
    expected = [ApduReceived(apdu, source, destination) for source, destination, apdu in wpdus]
    assert received(WrapperLink(), in_pieces(stream, cuts)) == expected


@given(
    st.lists(
        st.sampled_from([hand_made(1, 2, b"\xc0\x01"), hand_made(1, 2, b""), b"\x00", b"\x01", b"~\xa0", b"\0\2"])
    ),
    st.lists(st.integers(0), max_size=8),
    st.sampled_from([1, 2, 3, 0xFFFF]),
)
def test_cutting_a_broken_stream_makes_no_difference(parts: list[bytes], cuts: list[int], max_apdu: int) -> None:
    stream = b"".join(parts)
    whole = WrapperLink(max_apdu=max_apdu).receive(stream, 0.0)
    pieces = received(WrapperLink(max_apdu=max_apdu), in_pieces(stream, cuts))
    octet_by_octet = received(WrapperLink(max_apdu=max_apdu), [bytes((octet,)) for octet in stream])
    assert told(pieces) == told(whole) == told(octet_by_octet)
    assert sum(isinstance(event, LinkFailed) for event in whole) <= 1


@pytest.mark.parametrize("cast", [bytes, bytearray, memoryview])
def test_octets_may_be_reused_by_the_caller(cast: type[Octets]) -> None:
    stream = bytearray(hand_made(16, 1, b"\xc0\x01\xc1"))
    link = WrapperLink()
    events = link.receive(cast(stream), 0.0) + link.receive(cast(stream[:5]), 0.0) + link.receive(cast(stream[5:]), 0.0)
    stream[:] = bytes(len(stream))
    assert events == [ApduReceived(b"\xc0\x01\xc1", 16, 1)] * 2
    assert all(type(event.apdu) is bytes for event in events if isinstance(event, ApduReceived))


def test_associations_share_one_connection_by_their_wports() -> None:
    server = WrapperLink()
    requests = server.receive(hand_made(16, 1, b"\x60\x00") + hand_made(32, 5, b"\x62\x00"), 0.0)
    assert [(event.source, event.destination) for event in requests if isinstance(event, ApduReceived)] == [
        (16, 1),
        (32, 5),
    ]
    for event in requests:
        assert isinstance(event, ApduReceived)
        server.send(event.apdu[:1], source=event.destination, destination=event.source)
    assert server.octets_to_send() == hand_made(1, 16, b"\x60") + hand_made(5, 32, b"\x62")
    assert server.octets_to_send() == b""


@pytest.mark.parametrize("version", ["0000", "0002", "ffff", "7ea0"])
def test_wrong_version_ends_the_link_before_the_header_is_complete(version: str) -> None:
    link = WrapperLink()
    good = hand_made(16, 1, b"\xc0")
    first, failed = link.receive(good + bytes.fromhex(version), 0.0)
    assert first == ApduReceived(b"\xc0", 16, 1)
    assert isinstance(failed, LinkFailed)
    assert isinstance(failed.error, ProtocolError)
    assert version.upper() in str(failed.error)
    assert link.receive(good, 0.0) == []
    assert link.receive(good[:4], 0.0) == []


def test_hdlc_in_place_of_wpdus_is_recognised() -> None:
    (failed,) = WrapperLink().receive(bytes.fromhex("7ea0070321930f017e"), 0.0)
    assert isinstance(failed, LinkFailed)
    assert "hdlc+tcp://" in str(failed.error)


def test_length_beyond_the_limit_ends_the_link_and_holds_no_memory() -> None:
    link = WrapperLink(max_apdu=100)
    assert link.receive(hand_made(16, 1, bytes(100)), 0.0) == [ApduReceived(bytes(100), 16, 1)]
    (failed,) = link.receive(hand_made(16, 1, bytes(101))[:8], 0.0)
    assert isinstance(failed, LinkFailed)
    assert "101" in str(failed.error)
    assert "100" in str(failed.error)
    assert link.receive(hand_made(16, 1, bytes(100)), 0.0) == []
    assert not link._buffer


def test_length_beyond_the_limit_is_refused_when_it_comes_at_once() -> None:
    (failed,) = WrapperLink(max_apdu=100).receive(hand_made(16, 1, bytes(101)), 0.0)
    assert isinstance(failed, LinkFailed)


def test_answers_to_what_came_before_the_failure_still_leave() -> None:
    server = WrapperLink()
    request, _ = server.receive(hand_made(16, 1, b"\xc0") + b"garbage!", 0.0)
    assert isinstance(request, ApduReceived)
    server.send(b"\xc4", source=request.destination, destination=request.source)
    assert server.octets_to_send() == hand_made(1, 16, b"\xc4")


def test_wpdu_without_apdu_is_passed_over() -> None:
    link = WrapperLink()
    empty = hand_made(16, 1, b"")
    assert link.receive(empty, 0.0) == []
    assert link.receive(empty + hand_made(16, 1, b"\xc0") + empty, 0.0) == [ApduReceived(b"\xc0", 16, 1)]
    assert decode_wrapper(empty) == (WrapperHeader(16, 1, 0), b"")


def test_longest_apdu_octet_by_octet_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def counted(octets: Octets, offset: int = 0) -> tuple[int, ...]:
        nonlocal looks
        looks += 1
        return unpack_from(">HHHH", octets, offset)

    monkeypatch.setattr(wrapper, "_unpack_from", counted)
    stream = hand_made(16, 1, bytes(65535)) + hand_made(16, 1, bytes(40_000))
    link = WrapperLink()
    events = received(link, [stream[index : index + 1] for index in range(len(stream))])
    assert events == [ApduReceived(bytes(65535), 16, 1), ApduReceived(bytes(40_000), 16, 1)]
    assert looks == 4


@pytest.mark.parametrize(
    "source, destination, length", [(None, 1, 1), (1, None, 1), (-1, 1, 1), (1, 65536, 1), (1, 1, 65536)]
)
def test_what_does_not_fit_a_wpdu_is_not_sent(source: int | None, destination: int | None, length: int) -> None:
    link = WrapperLink()
    with pytest.raises(EncodeError):
        link.send(bytes(length), source=source, destination=destination)
    assert link.octets_to_send() == b""


def test_another_version_is_not_sent() -> None:
    with pytest.raises(EncodeError):
        WrapperHeader(1, 1, 1, version=2).encode()


@pytest.mark.parametrize("arguments", [{"source": 65536}, {"destination": -1}, {"max_apdu": 0}, {"max_apdu": 65536}])
def test_impossible_links_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        WrapperLink(**arguments)


def test_the_wrapper_has_no_time_outs() -> None:
    link: Link = WrapperLink(16, 1)
    link.send(b"\xc0")
    assert link.deadline() is None
    assert link.tick(1e9) == []
