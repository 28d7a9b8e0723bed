"""A full session of a client over every stack that a URL names, against our server, over simulated media."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from cosemic.association.service_provider import ServerSettings
from cosemic.client import BlockingMeter, Meter
from cosemic.errors import AssociationRejected, ConnectionFailed
from cosemic.faults import DatagramFaults, StreamFaults
from cosemic.faults.framing import hdlc_frames
from cosemic.faults.virtual_loop import VirtualLoop
from cosemic.model import LoadProfile
from cosemic.server import PhysicalDevice
from cosemic.simulator import HouseholdMeter
from cosemic.simulator.security import CLIENT_TITLE
from cosemic.stack import SCHEMES, Framing, Layer, parse_url
from cosemic.values import OPTICAL, AuthenticationMechanism, LineSettings, Secret
from tests.server.support import device_with
from tests.stack.full_session import assert_right, full, household, security
from tests.stack.ways import Way, scheduled, url
from tests.transport.certificates import Authority

SECURITY = ("none", "hls-gmac")
FACES = ("asyncio", "blocking")
EACH_FACE = ["asyncio", pytest.param("blocking", marks=pytest.mark.slow)]
PIECES = StreamFaults(chunks=(1, 5, 2, 40), latency=0.03, jitter=0.01)
LATE = DatagramFaults(latency=0.03, jitter=0.01)
DAMAGE = 0.03
"""Share of frames in which one octet is another, in each direction."""


@pytest.fixture(scope="module")
def meters() -> dict[str, HouseholdMeter]:
    return {kind: household(kind) for kind in SECURITY}


@pytest.fixture(scope="module")
def certificates(meters: dict[str, HouseholdMeter], tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    titles = meters["none"].system_title, CLIENT_TITLE
    server, client = (authority.issue(title.hex().upper()).der for title in titles)
    return server, client


def converse(
    way: Way, url: str, security: Mapping[str, Any], face: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[tuple[int, LoadProfile], int]:
    """A session over a way; returns what was read, and how many round trips it took."""
    way.take_the_place_of_media(monkeypatch)
    if face == "blocking":
        with BlockingMeter.connect(url, security) as meter:
            return meter.run(full(meter.session)), meter.traffic.round_trips

    async def scenario() -> tuple[tuple[int, LoadProfile], int]:
        async with Meter.connect(url, security) as meter:
            found = await meter.run(full(meter.session))
            assert meter.session.stack.linked or not way.disconnected
        await asyncio.sleep(600.0)
        assert scheduled(asyncio.get_running_loop()) == []
        assert not meter.session.stack.linked
        return found, meter.traffic.round_trips

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(way.time)) as runner:
        return runner.run(scenario())


@pytest.mark.parametrize("face", EACH_FACE)
@pytest.mark.parametrize("kind", SECURITY)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_session_over_a_faultless_medium(
    scheme: str,
    kind: str,
    face: str,
    meters: dict[str, HouseholdMeter],
    certificates: tuple[bytes, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meter = meters[kind]
    way = Way(PhysicalDevice(meter), certificates=certificates, on_loop=face == "asyncio")
    settings = security(meter, certified="tls" in scheme)
    found, round_trips = converse(way, url(scheme, "max_pdu=400"), settings, face, monkeypatch)
    assert_right(found, meter)
    assert round_trips > 12
    way.assert_that_nothing_is_left()
    assert way.disconnected == connections(scheme, kind)


def connections(scheme: str, kind: str) -> int:
    """Data link connections that a session makes: the public client has one of its own, to read the counter."""
    oriented = parse_url(url(scheme)).framing in (Framing.HDLC, Framing.IEC21, Framing.MODEM)
    return oriented * (2 if kind == "hls-gmac" else 1)


@pytest.mark.parametrize("kind", SECURITY)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_session_where_octets_come_late_and_in_pieces(
    scheme: str,
    kind: str,
    meters: dict[str, HouseholdMeter],
    certificates: tuple[bytes, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Which face has which scheme makes no difference; both are there.
    face = FACES[(SCHEMES.index(scheme) + SECURITY.index(kind)) % 2]
    meter = meters[kind]
    way = Way(
        PhysicalDevice(meter), certificates=certificates, faults=PIECES, datagrams=LATE, on_loop=face == "asyncio"
    )
    settings = security(meter, certified="tls" in scheme)
    found, _ = converse(way, url(scheme, "max_pdu=400"), settings, face, monkeypatch)
    assert_right(found, meter)
    assert way.time.now > 1001.0
    way.assert_that_nothing_is_left()
    assert way.disconnected == connections(scheme, kind)


REPEATING = [scheme for scheme in SCHEMES if parse_url(url(scheme)).framing is not Framing.WRAPPER]


@pytest.mark.parametrize("kind", SECURITY)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scheme", REPEATING)
def test_a_session_where_frames_are_damaged(
    scheme: str,
    seed: int,
    kind: str,
    meters: dict[str, HouseholdMeter],
    certificates: tuple[bytes, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    face = FACES[(SCHEMES.index(scheme) + SECURITY.index(kind) + seed) % 2]
    meter = meters[kind]
    faults = StreamFaults(frame_corruption=DAMAGE, frames=hdlc_frames)
    way = Way(PhysicalDevice(meter), certificates=certificates, faults=faults, seed=seed, on_loop=face == "asyncio")
    settings = security(meter, certified="tls" in scheme)
    where = url(scheme, "max_pdu=400", "retries=8", "timeout=20")
    found = None
    while found is None:
        try:
            found, _ = converse(way, where, settings, face, monkeypatch)
        except (ConnectionFailed, AssociationRejected):
            # A meter that did not understand the sign-on of mode E never hears HDLC, and its counter is not read.
            assert "iec21" in scheme
            assert len(way.ports) < 4
    assert_right(found, meter)
    assert way.damaged
    way.assert_that_nothing_is_left()


# ---- what single stacks have to do besides --------------------------------------------------------------------------


def test_the_port_of_an_optical_head_is_set_for_sign_on_and_for_hdlc(
    meters: dict[str, HouseholdMeter], monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Way(PhysicalDevice(meters["none"]))
    converse(way, url("iec21"), security(meters["none"], certified=False), "blocking", monkeypatch)
    (port,) = way.ports
    assert [line for _, line in port.line_changes] == [OPTICAL, LineSettings(9600), OPTICAL]
    assert way.time.now - 1000.0 > 3000 * LineSettings(9600).seconds(1)


@pytest.mark.parametrize("face", EACH_FACE)
@pytest.mark.parametrize("scheme", ["hdlc", "iec21", "gateway+hdlc", "gateway+iec21"])
def test_a_port_that_hears_itself(
    scheme: str, face: str, meters: dict[str, HouseholdMeter], monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = meters["none"]
    way = Way(PhysicalDevice(meter), on_loop=face == "asyncio")
    settings = security(meter, certified=False)
    found, _ = converse(way, url(scheme, "echo=yes", "max_pdu=400"), settings, face, monkeypatch)
    assert_right(found, meter)
    way.assert_that_nothing_is_left()


@pytest.mark.parametrize("face", EACH_FACE)
@pytest.mark.parametrize("scheme", ["hdlc", "hdlc+tcp", "iec21", "modem", "mbus", "gateway+modem"])
def test_a_refused_client_leaves_the_way_free_for_the_next(
    scheme: str, face: str, meters: dict[str, HouseholdMeter], monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = meters["none"]
    way = Way(PhysicalDevice(meter))
    wrong = {"mechanism": "lls", "password": "12345678"}
    with pytest.raises(AssociationRejected):
        converse(way, url(scheme), wrong, face, monkeypatch)
    way.time.run_for(2.0)
    began = way.time.now
    found, _ = converse(way, url(scheme), security(meter, certified=False), face, monkeypatch)
    assert_right(found, meter)
    # A call takes its time; nothing waits until the meter has given up the client that was refused.
    assert way.time.now - began - (600.0 if face == "asyncio" else 0.0) < 60.0
    way.assert_that_nothing_is_left()


class Seen:
    """A trace that keeps what passes."""

    plaintext = False

    def __init__(self) -> None:
        self.layers: dict[Layer, list[tuple[bool, bytes]]] = {layer: [] for layer in Layer}

    def connected(self, peer: str) -> None:
        self.peer = peer

    def octets(self, layer: Layer, sent: bool, octets: bytes) -> None:
        self.layers[layer].append((sent, octets))


@pytest.mark.parametrize("max_info", [32, 48, 128])
def test_a_password_is_masked_however_a_link_cuts_and_repeats_it(
    max_info: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = b"7315946028aAbBcCdDeEfFgGhHiIjJkKlLmMnN"
    meter = device_with(
        settings=ServerSettings(mechanism=AuthenticationMechanism.LLS, secret=Secret.password(password))
    )
    noisy = StreamFaults(frame_corruption=0.3, frames=hdlc_frames)
    way = Way(PhysicalDevice(meter), faults=noisy, seed=3)
    way.take_the_place_of_media(monkeypatch)
    seen = Seen()
    where = url("hdlc", "echo=yes", f"max_info={max_info}", "retries=20", "timeout=60")
    with BlockingMeter.connect(where, {"mechanism": "lls", "password": password}, trace=seen) as client:
        assert client.read("1/0-0:42.0.0") is not None
        sent = b"".join(octets for was_sent, octets in seen.layers[Layer.MEDIUM] if was_sent)
        assert sent.count(b"*" * 10) > 1
    assert way.damaged
    shown = b"|".join(octets for layer in seen.layers.values() for _, octets in layer)
    assert not any(password[at : at + 3] in shown for at in range(len(password) - 2))
    (opening, *others) = [octets for was_sent, octets in seen.layers[Layer.APDU] if was_sent]
    assert b"*" * len(password) in opening
    assert not any(b"***" in octets for octets in others)
