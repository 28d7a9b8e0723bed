"""What a trace shows: the octets of every layer and no key; and how a meter is found by name."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cosemic.client import BlockingMeter, Meter
from cosemic.client.recovery import NONE
from cosemic.client.trace import PcapTrace, TextTrace
from cosemic.codec import DataType, EncodedData
from cosemic.errors import AssociationRejected, ConfigurationError
from cosemic.security import SecurityPolicy
from cosemic.stack import Layer
from cosemic.store.security_settings import SecuritySettings
from cosemic.values import Quantity, Unit
from tests.association.samples import AK, EK, PASSWORD, VALUE, M, settings
from tests.client.meters import CLIENT, ENERGY, PUBLIC, World, serving

NOON = dt.datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=dt.UTC)


class Seen:
    """A trace that keeps everything."""

    def __init__(self, plaintext: bool = False) -> None:
        self.plaintext = plaintext
        self.peers: list[str] = []
        self.all: list[tuple[Layer, bool, bytes]] = []

    def connected(self, peer: str) -> None:
        self.peers.append(peer)

    def octets(self, layer: Layer, sent: bool, octets: bytes) -> None:
        self.all.append((layer, sent, octets))

    def of(self, layer: Layer, sent: bool | None = None) -> list[bytes]:
        return [octets for one, way, octets in self.all if one is layer and sent in (None, way)]


def visited(trace: Any, world: World | None = None, security: Any = None) -> World:
    there = world or World()
    with serving(there) as port, BlockingMeter.connect(f"tcp://127.0.0.1:{port}", security, trace=trace) as meter:
        assert meter.get(f"3/{ENERGY}:2") == VALUE
    return there


def test_every_octet_of_the_medium_and_every_apdu_is_seen_once_with_its_direction() -> None:
    seen = Seen()
    world = visited(seen)
    assert [peer.split(":")[0] for peer in seen.peers] == ["127.0.0.1"]
    assert seen.of(Layer.APDU, True) == world.received
    for sent, saps in ((True, "00100001"), (False, "00010010")):
        framed = [b"\0\1" + bytes.fromhex(saps) + len(one).to_bytes(2) + one for one in seen.of(Layer.APDU, sent)]
        assert b"".join(seen.of(Layer.MEDIUM, sent)) == b"".join(framed)
    assert seen.of(Layer.PLAIN) == []


def ciphered() -> tuple[World, SecuritySettings]:
    ours, theirs = settings(M.HLS_GMAC, ciphered=True, policy=SecurityPolicy(0, 3))
    return World({CLIENT: theirs, PUBLIC: settings()[1]}), SecuritySettings(ours, client_sap=CLIENT)


@pytest.mark.parametrize("plaintext", [False, True])
def test_the_plaintext_of_ciphered_apdus_is_seen_where_it_is_asked_for_and_keys_never(plaintext: bool) -> None:
    seen = Seen(plaintext)
    visited(seen, *ciphered())
    get = bytes.fromhex("c001c2000301000108 00ff0200".replace(" ", ""))
    plain = seen.of(Layer.PLAIN)
    assert any(one[:2] == get[:2] and one[3:] == get[3:] for one in plain) is plaintext
    assert any(one[:2] == b"\xc4\x01" and one.endswith(VALUE.octets) for one in plain) is plaintext
    assert not any(one[0] in (0xC0, 0xC4) for one in seen.of(Layer.APDU) if one[3:] == get[3:])
    everything = b"|".join(octets for _, _, octets in seen.all)
    for key in (EK, AK):
        assert key not in everything


def test_the_password_of_an_opening_is_masked() -> None:
    ours, theirs = settings(M.LLS)
    seen = Seen()
    world = visited(seen, World({CLIENT: theirs}), SecuritySettings(ours, client_sap=CLIENT))
    assert PASSWORD in world.received[0]
    everything = b"|".join(octets for _, _, octets in seen.all)
    assert PASSWORD not in everything
    assert everything.count(b"*" * len(PASSWORD)) == 2  # in the APDU, and on the medium
    assert seen.of(Layer.APDU, True)[1:] == world.received[1:]


def test_nothing_but_the_opening_is_masked() -> None:
    ours, theirs = settings(M.LLS)
    seen = Seen()
    written = EncodedData.of(DataType.OCTET_STRING, PASSWORD)
    with (
        serving(World({CLIENT: theirs})) as port,
        BlockingMeter.connect(
            f"tcp://127.0.0.1:{port}", SecuritySettings(ours, client_sap=CLIENT), trace=seen
        ) as meter,
    ):
        meter.write("1/0-0:96.1.0:2", written)
    assert [sum(PASSWORD in one for one in seen.of(layer, True)) for layer in (Layer.APDU, Layer.MEDIUM)] == [1, 1]


def test_a_failed_opening_is_seen_too() -> None:
    ours, _ = settings(M.LLS)
    seen = Seen()
    world = World({CLIENT: settings(M.HLS_GMAC)[1]})
    with serving(world) as port, pytest.raises(AssociationRejected):
        BlockingMeter.connect(f"tcp://127.0.0.1:{port}", SecuritySettings(ours, client_sap=CLIENT), trace=seen).open()
    assert [one[0] for one in seen.of(Layer.APDU)] == [0x60, 0x61]


def test_on_asyncio_the_same_is_seen() -> None:
    async def visit(port: int, trace: Any) -> None:
        async with Meter.connect(f"tcp://127.0.0.1:{port}", trace=trace) as meter:
            await meter.get(f"3/{ENERGY}:2")

    one, other = Seen(), Seen()
    with serving(World()) as port:
        asyncio.run(visit(port, one))
    visited(other)
    assert [(layer, sent) for layer, sent, _ in one.all] == [(layer, sent) for layer, sent, _ in other.all]
    assert one.of(Layer.APDU) == other.of(Layer.APDU)
    assert len(one.peers) == 1


def test_as_text_each_line_has_time_direction_layer_and_octets() -> None:
    stream = io.StringIO()
    trace = TextTrace(stream, plaintext=True, now=lambda: NOON)
    trace.connected("10.0.0.7:4059")
    trace.octets(Layer.MEDIUM, True, bytes(8))
    trace.octets(Layer.APDU, False, bytes.fromhex("c401c1000600bc614e"))
    trace.octets(Layer.PLAIN, True, b"\xc0")
    clock = f"{NOON.astimezone():%H:%M:%S.%f}"
    assert stream.getvalue().splitlines() == [
        f"{clock} connected to 10.0.0.7:4059",
        f"{clock} -> medium     8  0000000000000000",
        f"{clock} <- apdu       9  c401c1000600bc614e  GetResponseNormal",
        f"{clock} -> plain      1  c0  no APDU",
    ]


def packets(octets: bytes) -> list[tuple[float, bytes]]:
    """Time and octets of the packets of a pcap file."""
    magic, major, minor, _, _, longest, link = struct.unpack_from("<IHHiIII", octets)
    assert (magic, major, minor, longest, link) == (0xA1B2C3D4, 2, 4, 65535, 101)
    found, at = [], 24
    while at < len(octets):
        seconds, micro, length, original = struct.unpack_from("<IIII", octets, at)
        assert length == original
        found.append((seconds + micro / 1e6, octets[at + 16 : at + 16 + length]))
        at += 16 + length
    return found


def folded(octets: bytes) -> int:
    """The ones' complement sum of RFC 1071, octet by octet."""
    total = 0
    for index, octet in enumerate(octets):
        total += octet << 8 if index % 2 == 0 else octet
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_a_pcap_file_holds_two_directions_of_tcp_with_right_sums_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "trace.pcap"
    long = bytes(range(256)) * 12
    with PcapTrace(path, now=lambda: NOON) as trace:
        trace.connected("peer")
        trace.octets(Layer.MEDIUM, True, b"question!")
        trace.octets(Layer.APDU, True, b"not written")
        trace.octets(Layer.MEDIUM, False, long)
        trace.connected("peer")
        trace.octets(Layer.MEDIUM, True, b"again")
    streams: dict[tuple[int, int], bytes] = {}
    expected: dict[tuple[int, int], int] = {}
    for time, packet in packets(path.read_bytes()):
        assert time == pytest.approx(NOON.timestamp(), abs=2e-6)
        assert packet[0] == 0x45
        assert int.from_bytes(packet[2:4]) == len(packet)
        assert folded(packet[:20]) == 0xFFFF
        segment = packet[20:]
        assert folded(packet[12:20] + b"\0\x06" + len(segment).to_bytes(2) + segment) == 0xFFFF
        ports = int.from_bytes(segment[:2]), int.from_bytes(segment[2:4])
        sequence, acknowledged = struct.unpack_from(">II", segment, 4)
        payload, syn = segment[20:], segment[13] & 2
        assert sequence == expected.get(ports, sequence)
        expected[ports] = sequence + len(payload) + bool(syn)
        if segment[13] & 0x10:
            assert acknowledged == expected[ports[::-1]]
        streams[ports] = streams.get(ports, b"") + payload
    assert streams == {(49152, 4059): b"question!", (4059, 49152): long, (49153, 4059): b"again", (4059, 49153): b""}


def test_a_trace_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        PcapTrace(tmp_path / "nowhere" / "trace.pcap")


class Full(io.StringIO):
    """Takes so many writes."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.writes = writes

    def write(self, text: Any) -> int:
        if not self.writes:
            raise OSError(28, "No space left on device")
        self.writes -= 1
        return super().write(text) if isinstance(text, str) else len(text)


def test_a_trace_that_cannot_go_on_leaves_the_meter_alone(tmp_path: Path) -> None:
    stream = Full(2)
    visited(TextTrace(stream))
    assert stream.getvalue().count("\n") == 2
    trace = PcapTrace(tmp_path / "trace.pcap")
    trace._file.close()
    trace._file = Full(3)  # type: ignore[assignment]  # a medium that is full
    visited(trace)
    with pytest.raises(ConfigurationError, match="not whole: No space left"):
        trace.close()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_wireshark_finds_nothing_wrong_with_the_packets(tmp_path: Path) -> None:
    path = tmp_path / "trace.pcap"
    with PcapTrace(path) as trace:
        visited(trace)
        visited(trace)
    sums = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]

    def frames(wanted: str) -> int:
        run = ["tshark", "-r", str(path), *sums, "-Y", wanted]
        return len(subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines())

    assert frames("tcp.port == 4059") == len(packets(path.read_bytes()))
    assert frames("tcp.checksum.status != 1 || ip.checksum.status != 1 || tcp.analysis.flags || _ws.malformed") == 0


# ---- meters by name -------------------------------------------------------------------------------------------------


def test_a_meter_is_found_by_name_and_what_is_given_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, theirs = settings(M.LLS)
    path = tmp_path / "meters.toml"
    with serving(World({CLIENT: theirs, PUBLIC: settings()[1]})) as port:
        path.write_text(
            f"[meters.kitchen]\nurl = 'tcp://127.0.0.1:{port}'\nzone = 'Europe/Berlin'\nprofiles = ['1-0:99.1.0']\n"
            f"security = {{ password = '{PASSWORD.decode()}', client_sap = {CLIENT} }}\n"
        )
        path.chmod(0o600)
        with BlockingMeter.connect("kitchen", meters=path) as meter:
            assert meter.read(ENERGY) == Quantity(12345678, -3, Unit(30))
            assert str(meter.session.zone) == "Europe/Berlin"
            assert [str(one) for one in meter.session.load_profiles] == ["1-0:99.1.0*255"]
            assert meter.session.stack.client_sap == CLIENT
        monkeypatch.setenv("COSEMIC_METERS", str(path))
        with BlockingMeter.connect("kitchen", {"mechanism": "lowest"}, zone=dt.UTC) as meter:
            assert meter.session.stack.client_sap == PUBLIC
            assert meter.session.zone is dt.UTC
    with pytest.raises(ConfigurationError, match="no meter of"):
        Meter.connect("cellar")


def test_a_url_says_itself_what_is_wrong_with_it() -> None:
    with pytest.raises(ConfigurationError, match="scheme"):
        Meter.connect("ftp://h")


def test_a_trace_that_was_closed_before_the_meter_leaves_it_alone(tmp_path: Path) -> None:
    stream = io.StringIO()
    pcap = PcapTrace(tmp_path / "early.pcap")
    with serving(World()) as port:
        for trace, end in ((TextTrace(stream), stream.close), (pcap, pcap.close)):
            with BlockingMeter.connect(f"tcp://127.0.0.1:{port}", recovery=NONE, trace=trace) as meter:
                end()
                assert meter.read(f"3/{ENERGY}:3").scaler == -3
