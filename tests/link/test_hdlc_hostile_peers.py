"""HDLC stations and peers that send anything: nothing is raised, frames are sent, time-outs lie in the future."""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from cosemic.link.contract import LinkFailed
from cosemic.link.hdlc import (
    Control,
    HdlcAddress,
    HdlcPrimaryLink,
    HdlcSecondaryLink,
    HdlcSettings,
    HdlcStreamReader,
)
from cosemic.values.enumerations import FrameType
from tests.link.hdlc_stations import flagged
from tests.link.samples import ADDRESSES, CONTROLS

Station: TypeAlias = HdlcPrimaryLink | HdlcSecondaryLink
CLIENT, METER = HdlcAddress(16), HdlcAddress(1, 17)
SETTINGS = HdlcSettings(window_transmit=7, window_receive=7)
INFORMATION = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"\xe6\xe6\x00get", b"\xe6\xe7\x00get", bytes(129), bytes(2029)]),
    st.sampled_from(["818000", "81801205018006018007040000000708040000 0007", "8180030501ff", "ff"]).map(bytes.fromhex),
)
LIKELY = st.sampled_from([CLIENT, METER])
FRAMES = st.builds(
    flagged, st.one_of(LIKELY, LIKELY, ADDRESSES), st.one_of(LIKELY, LIKELY, ADDRESSES), CONTROLS, INFORMATION,
    st.booleans(),
)  # fmt: skip
STEPS = st.lists(st.one_of(FRAMES, FRAMES, FRAMES, st.binary(max_size=30), st.sampled_from(["send", "wait", "end"])))


def survives(station: Station, steps: list[bytes | str]) -> None:
    now = 1.0
    for step in steps:
        now += 0.1
        events = []
        if isinstance(step, bytes):
            events += station.receive(step, now)
        elif step == "send":
            if station.connected:
                client = isinstance(station, HdlcPrimaryLink)
                station.send(bytes(500), source=16 if client else 1, destination=1 if client else 16)
        elif step == "wait":
            now = max(now, station.deadline() or now)
            events += station.tick(now)
        else:
            station.disconnect()
        sent = station.octets_to_send()
        events += station.tick(now)
        sent += station.octets_to_send()
        events += station.tick(now)
        reader = HdlcStreamReader()
        reader.receive(sent)
        assert (reader.discarded, reader.pending) == (0, 0)
        deadline = station.deadline()
        assert deadline is None or deadline > now
        if any(isinstance(event, LinkFailed) for event in events):
            assert deadline is None


@given(STEPS)
def test_a_client_survives_any_meter(steps: list[bytes | str]) -> None:
    link = HdlcPrimaryLink(16, METER, SETTINGS)
    link.connect()
    survives(link, [flagged(CLIENT, METER, Control(FrameType.UA)), "send", *steps])


@given(STEPS)
def test_a_meter_survives_any_client(steps: list[bytes | str]) -> None:
    link = HdlcSecondaryLink(17, settings=SETTINGS)
    survives(link, [flagged(METER, CLIENT, Control(FrameType.SNRM)), *steps])


@given(st.lists(st.binary(max_size=60)))
def test_any_octets_are_no_event(steps: list[bytes]) -> None:
    for link in (HdlcPrimaryLink(16, METER), HdlcSecondaryLink()):
        for octets in steps:
            assert link.receive(octets, 1.0) == []
        assert link.octets_to_send() == b""
