"""Pushes over M-Bus, wired and by radio: the meter's end and the listener's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, EncodeError
from cosemic.faults import Bus, Station, StreamFaults, VirtualTime
from cosemic.link.contract import ApduReceived
from cosemic.link.mbus import (
    DeviceAddress,
    ExtendedLinkLayer,
    LongHeader,
    MbusFrame,
    MbusPushLink,
    ShortHeader,
    WirelessFormat,
    WirelessFrame,
    WirelessPushLink,
    segments,
)
from tests.vectors import octets, record

DEVICE, OTHER = DeviceAddress("12345678", 0x2CCD, 1, 2), DeviceAddress("87654321", 0x2CCD, 1, 2)
PUSH = bytes(range(256)) * 3


def apdus(events: list[Any]) -> list[bytes]:
    assert all(isinstance(event, ApduReceived) for event in events)
    return [event.apdu for event in events]


@pytest.mark.parametrize("name", ["kaifa-netz-noe-mbus", "kaifa-tirol-example", "elster-kmswest-mbus"])
@pytest.mark.parametrize("cut", [1, 100, 1000])
def test_pushes_of_real_meters_are_joined_and_pushed_again(name: str, cut: int) -> None:
    data = octets(record(name))
    listener = MbusPushLink()
    events = [event for n in range(0, len(data), cut) for event in listener.receive(data[n : n + cut], 0.0)]
    (event,) = events
    assert (event.source, event.destination) == (1, 103)
    assert event.apdu[:2] == b"\xdb\x08"
    meter = MbusPushLink(max_part=245)
    meter.send(event.apdu)
    assert meter.octets_to_send() == data
    assert meter.octets_to_send() == b""


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(1, 50))
def test_noise_between_pushes_costs_at_most_the_push_it_touches(before: bytes, between: bytes, cut: int) -> None:
    meter = MbusPushLink()
    meter.send(PUSH)
    push = meter.octets_to_send()
    listener, found, now = MbusPushLink(), [], 0.0
    for piece in (before, push, between, push, push):
        for start in range(0, len(piece), cut):
            found += listener.receive(piece[start : start + cut], now)
        now += 60.0
        found += listener.tick(now)
    assert apdus(found)[-2:] == [PUSH, PUSH]
    assert set(apdus(found)) <= {PUSH, *(apdu for apdu in apdus(found) if len(apdu) <= 40)}


def test_pushes_arrive_over_a_line_that_loses_frames_or_not_at_all() -> None:
    time = VirtualTime()
    bus = Bus(time, seed=4)
    cut = StreamFaults(
        frame_loss=0.1,
        frame_corruption=0.1,
        octet_loss=0.0005,
        frames=lambda octets: [octets[:261], octets[261:522], octets[522:]],
    )
    meter = Station(MbusPushLink(), bus.station("meter", faults=cut))
    listener = Station(MbusPushLink(), bus.station("listener"))
    for number in range(100):
        meter.send(bytes((number,)) * 600)
        time.run_for(60.0)
    found = apdus([event for _, event in listener.events])
    assert all(apdu == bytes((apdu[0],)) * 600 for apdu in found)
    assert len(set(found)) == len(found)
    assert 30 <= len(found) < 100


def test_what_is_left_of_a_push_is_let_go_when_the_line_falls_silent() -> None:
    listener = MbusPushLink(inter_octet_timeout=0.5, message_timeout=2.0)
    first, *_ = segments(b"abcd", 1, 103, max_part=2)
    frame = MbusFrame(0x53, 0xFF, first.ci, first.encode()).encode()
    assert listener.receive(frame + frame[:5], 10.0) == []
    assert listener.deadline() == 10.5
    assert listener.tick(10.4) == []
    assert listener.tick(10.5) == []
    assert listener.deadline() == 12.0
    assert listener.tick(12.0) == []
    assert listener.deadline() is None
    assert listener.receive(MbusFrame(0x53, 0xFF, 0x11, b"\x01\x67cd").encode(), 13.0) == []


def test_a_listener_reads_both_sides_of_a_bus_with_a_master() -> None:
    listener = MbusPushLink()
    octets_ = (
        MbusFrame(0x73, 5, 0x10, b"\x10\x01request").encode()
        + b"\xe5"
        + MbusFrame(0x7B, 5).encode()
        + MbusFrame(0x08, 5, 0x10, b"\x01\x10answer").encode()
        + MbusFrame(0x08, 5, 0x72, bytes(20)).encode()
    )
    assert listener.receive(octets_, 0.0) == [ApduReceived(b"request", 16, 1), ApduReceived(b"answer", 1, 16)]


def test_what_cannot_be_read_is_counted() -> None:
    listener = MbusPushLink()
    assert listener.receive(MbusFrame(0x53, 0xFF, 0x7D, bytes.fromhex("00000005aabbcc")).encode(), 0.0) == []
    assert listener.passed_over == 1
    radio = WirelessPushLink()
    assert radio.receive(b"\x00", 0.0) == []
    assert radio.receive(b"", 0.0) == []
    assert radio.receive(WirelessFrame(0x44, DEVICE, b"\x72" + bytes(20)).encode(), 0.0) == []
    assert radio.passed_over == 2


@pytest.mark.parametrize("format", [WirelessFormat.A, WirelessFormat.B, WirelessFormat.STRIPPED])
@pytest.mark.parametrize("header", [None, ShortHeader(1), LongHeader(DEVICE)])
def test_wireless_frames_carry_pushes(format: WirelessFormat, header: Any) -> None:
    push = PUSH if header is None else PUSH[:150]
    meter, listener = WirelessPushLink(DEVICE, format=format, header=header), WirelessPushLink()
    meter.send(push)
    found = []
    while frame := meter.octets_to_send():
        found += listener.receive(frame, 0.0)
    assert found == [ApduReceived(push, 1, 103)]


def test_segments_of_several_senders_by_radio_are_joined_each_for_itself() -> None:
    meters = [WirelessPushLink(DEVICE), WirelessPushLink(OTHER)]
    listener, found = WirelessPushLink(), []
    for number, meter in enumerate(meters):
        meter.send(bytes((number,)) * 500)
    for _ in range(3):
        for meter in meters:
            found += listener.receive(meter.octets_to_send(), 0.0)
    assert apdus(found) == [b"\x00" * 500, b"\x01" * 500]


def test_how_many_senders_are_remembered_is_bounded() -> None:
    listener = WirelessPushLink()
    for number in range(500):
        device = DeviceAddress(f"{number:08}")
        frame = WirelessFrame(0x44, device, b"\x00\x01\x67part").encode()
        assert listener.receive(frame, 0.0) == []
    assert len(listener._reassemblers) == 64


def test_an_apdu_behind_an_extended_link_layer_is_read() -> None:
    payload = ExtendedLinkLayer(0, 1, None, 5).encode(b"\x10\x01\x67apdu")
    assert WirelessPushLink().receive(WirelessFrame(0x44, DEVICE, payload).encode(), 0.0) == [
        ApduReceived(b"apdu", 1, 103)
    ]


def test_a_format_that_has_to_be_named_is_read_where_it_is() -> None:
    frame = WirelessFrame(0x44, DEVICE, b"\x10\x01\x67apdu").encode(WirelessFormat.STRIPPED_B)
    assert WirelessPushLink().receive(frame, 0.0) == []
    named = WirelessPushLink(format=WirelessFormat.STRIPPED_B, only_format=True)
    assert apdus(named.receive(frame, 0.0)) == [b"apdu"]


def test_what_cannot_be_pushed_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        WirelessPushLink().send(b"apdu")
    with pytest.raises(EncodeError):
        MbusPushLink(source=None).send(b"apdu")
    for settings in ({"address": 256}, {"max_part": 0}, {"inter_octet_timeout": 0}, {"message_timeout": 0.1}):
        with pytest.raises(ConfigurationError):
            MbusPushLink(**settings)


def test_there_is_no_connection() -> None:
    for link in (MbusPushLink(), WirelessPushLink()):
        link.connect()
        link.disconnect()
        assert link.connected
        assert not link.connection_oriented
        assert link.line_to_set() is None
        assert link.deadline() is None
        assert link.tick(1.0) == []
        assert link.octets_to_send() == b""
