"""The server on TCP: whatever comes is answered, passed over or ends the connection; nothing is left behind."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.association.client import ClientAssociation
from cosemic.association.client_history import FIRST_PAUSE, FREE_ATTEMPTS
from cosemic.association.requests import Open
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, ConnectionLost
from cosemic.server import (
    Admission,
    LogicalDevice,
    MeterConnection,
    MeterServer,
    PhysicalDevice,
    data,
    reading,
    serve_in_thread,
)
from cosemic.server.meter_session import MOST_ANSWERED_AT_ONCE
from cosemic.simulator import HouseholdMeter
from cosemic.transport.tcp import connect
from cosemic.values import AssociationResult, AuthenticationMechanism, Obis, Secret
from tests.server.support import NOW, Local, device_with

GET_NAME = a.GetRequestNormal(
    a.InvokeIdAndPriority.of(1), a.CosemAttributeDescriptor(1, Obis("0-0:42.0.0"), 2)
).encode()
NAME = b"TST0000000000001"


def aarq() -> bytes:
    client = ClientAssociation(ClientSettings())
    client.send(Open())
    return client.octets_to_send()


AARQ = aarq()


def wpdu(apdu: bytes, client: int = 16, server: int = 1) -> bytes:
    return struct.pack(">HHHH", 1, client, server, len(apdu)) + apdu


def unwrapped(octets: bytes) -> list[tuple[int, int, bytes]]:
    """Source, destination and APDU of each WPDU."""
    found = []
    while octets:
        version, source, destination, length = struct.unpack_from(">HHHH", octets)
        assert version == 1
        assert len(octets) >= 8 + length
        found.append((source, destination, octets[8 : 8 + length]))
        octets = octets[8 + length :]
    return found


class Medium:
    """The other end of a connection, recorded."""

    peer = "test"

    def __init__(self) -> None:
        self.sent = b""
        self.closed = False

    def write(self, octets: bytes, /) -> None:
        if self.closed:
            raise ConnectionLost("closed")
        self.sent += octets

    def close(self) -> None:
        self.closed = True


def meter() -> LogicalDevice:
    return HouseholdMeter(1, security="hls-gmac", now=lambda: NOW, profile_days=1)


def connection(device: LogicalDevice) -> tuple[MeterConnection, Medium]:
    medium = Medium()
    return MeterConnection(PhysicalDevice(device), medium), medium


def feed(device: LogicalDevice, pieces: list[bytes]) -> Medium:
    served, medium = connection(device)
    for piece in pieces:
        if not medium.closed:
            served.octets_received(piece)
    served.connection_lost(None)
    return medium


SAMPLES = [
    AARQ,
    GET_NAME,
    a.RLRQ().encode(),
    a.GetRequestNext(a.InvokeIdAndPriority.of(1), 1).encode(),
    a.GetRequestNormal(
        a.InvokeIdAndPriority.of(2),
        a.CosemAttributeDescriptor(7, Obis("1-0:99.1.0"), 2),
        a.SelectiveAccessDescriptor(2, EncodedData(bytes.fromhex("020406000000010600000000120001120000"))),
    ).encode(),
    a.SetRequestNormal(
        a.InvokeIdAndPriority.of(3),
        a.CosemAttributeDescriptor(8, Obis("0-0:1.0.0"), 2),
        None,
        EncodedData.of(DataType.OCTET_STRING, bytes(12)),
    ).encode(),
    a.ActionRequestNormal(
        a.InvokeIdAndPriority.of(4),
        a.CosemMethodDescriptor(8, Obis("0-0:1.0.0"), 6),
        EncodedData.of(DataType.LONG, -3),
    ).encode(),
    bytes.fromhex("c8213000000001") + bytes(20),
    b"",
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    octets = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(0, 3))):
        if octets:
            octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(octets)))
    return bytes(octets[:cut] if draw(st.booleans()) else octets)


STREAMS = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(wpdu, mutated(), st.sampled_from((1, 2, 16, 99)), st.sampled_from((1, 1, 1, 0, 16))),
        st.builds(wpdu, st.just(AARQ)),
    ),
    max_size=8,
)


@given(pieces=STREAMS, open_first=st.booleans())
def test_any_octets_are_answered_passed_over_or_end_the_connection(pieces: list[bytes], open_first: bool) -> None:
    device = meter()
    medium = feed(device, ([wpdu(AARQ)] if open_first else []) + pieces)
    unwrapped(medium.sent)
    assert [client.standing for client in device.clients] == [0, 0, 0]


@given(pieces=STREAMS, cuts=st.lists(st.integers(0, 400), max_size=6))
def test_how_the_stream_is_cut_makes_no_difference(pieces: list[bytes], cuts: list[int]) -> None:
    stream = wpdu(AARQ) + b"".join(pieces)
    marks = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    cut = [stream[start:stop] for start, stop in itertools.pairwise(marks)]
    assert feed(device_with(), [stream]).sent == feed(device_with(), cut).sent


def test_each_pair_of_saps_has_its_own_association() -> None:
    served, medium = connection(meter())
    served.octets_received(wpdu(AARQ, 16) + wpdu(GET_NAME, 2) + wpdu(GET_NAME, 16))
    answers = unwrapped(medium.sent)
    assert [(source, destination) for source, destination, _ in answers] == [(1, 16), (1, 2), (1, 16)]
    assert answers[1][2].hex() == "d80101"  # not associated: service-not-allowed, operation-not-possible
    assert a.decode(answers[2][2]).result.value() == b"CSM0000000000001"


def test_saps_that_nobody_has_are_not_answered() -> None:
    served, medium = connection(meter())
    served.octets_received(wpdu(AARQ, 3) + wpdu(AARQ, 16, 2) + wpdu(AARQ, 0, 0))
    assert medium.sent == b""
    assert not medium.closed


def test_a_stream_that_is_no_wrapper_ends_the_connection_after_what_was_asked_before() -> None:
    served, medium = connection(meter())
    served.octets_received(wpdu(AARQ) + b"\x7e\xa0\x07")
    assert len(unwrapped(medium.sent)) == 1
    assert medium.closed


def test_a_client_that_asks_for_more_at_once_than_may_be_held_is_cut_off() -> None:
    device = device_with(data("0-0:96.8.0", DataType.OCTET_STRING, bytes(60_000)))
    request = a.GetRequestNormal(
        a.InvokeIdAndPriority.of(1), a.CosemAttributeDescriptor(1, Obis("0-0:96.8.0"), 2)
    ).encode()
    served, medium = connection(device)
    served.octets_received(wpdu(AARQ) + wpdu(request) * 5000)
    assert medium.closed
    assert len(medium.sent) <= MOST_ANSWERED_AT_ONCE


def lls_aarq(password: str) -> bytes:
    client = ClientAssociation(ClientSettings(mechanism=AuthenticationMechanism.LLS, secret=Secret.password(password)))
    client.send(Open())
    return client.octets_to_send()


def test_guesses_are_counted_over_all_connections_of_a_client_and_hold_up_nobody_else() -> None:
    lls = ServerSettings(mechanism=AuthenticationMechanism.LLS, secret=Secret.password("right"))
    device = device_with(client_sap=16)
    for client_sap in (2, 3):
        device.admit(Admission(client_sap=client_sap, settings=lls, rights=reading()))
    served, now = PhysicalDevice(device), 50.0

    def opened(apdu: bytes, client_sap: int) -> AssociationResult:
        medium = Medium()
        MeterConnection(served, medium, clock=lambda: now).octets_received(wpdu(apdu, client_sap))
        ((_, _, answer),) = unwrapped(medium.sent)
        result: AssociationResult = a.AARE.decode(answer).result
        return result

    for _ in range(FREE_ATTEMPTS):
        assert opened(lls_aarq("wrong"), 2) is AssociationResult.REJECTED_PERMANENT
    assert opened(lls_aarq("right"), 2) is AssociationResult.REJECTED_TRANSIENT
    assert opened(lls_aarq("right"), 3) is AssociationResult.ACCEPTED
    assert opened(AARQ, 16) is AssociationResult.ACCEPTED
    now += FIRST_PAUSE
    assert opened(lls_aarq("right"), 2) is AssociationResult.ACCEPTED
    assert opened(lls_aarq("wrong"), 2) is AssociationResult.REJECTED_PERMANENT


def test_a_connection_has_the_time_of_the_machine_unless_told_otherwise() -> None:
    lls = ServerSettings(mechanism=AuthenticationMechanism.LLS, secret=Secret.password("right"))
    device = device_with(settings=lls)
    served, medium = connection(device)
    for password in ["wrong"] * FREE_ATTEMPTS + ["right"]:
        served.octets_received(wpdu(lls_aarq(password)))
    (client,) = device.clients
    assert a.AARE.decode(unwrapped(medium.sent)[-1][2]).result is AssociationResult.REJECTED_TRANSIENT
    assert client.history.refuses(time.monotonic())
    assert not client.history.refuses(time.monotonic() + FIRST_PAUSE)


def test_the_loss_of_a_connection_aborts_its_associations() -> None:
    device = device_with()
    watching = Local(device, 16).open()
    served, _ = connection(device)
    served.octets_received(wpdu(AARQ))
    client = device.client(16)
    assert client is not None
    assert client.standing == 2
    served.connection_lost(ConnectionLost("gone"))
    assert client.standing == 1
    watching.release()
    assert client.standing == 0


def run(body: Callable[[MeterServer], Any], device: LogicalDevice, **options: Any) -> Any:
    async def inside() -> Any:
        async with MeterServer(device, port=0, **options) as server:
            return await body(server)

    return asyncio.run(asyncio.wait_for(inside(), 20))


class Client:
    """Collects what comes over one connection."""

    def __init__(self) -> None:
        self.received = b""
        self.arrived = asyncio.Event()
        self.ended = asyncio.Event()

    def octets_received(self, octets: bytes, /) -> None:
        self.received += octets
        self.arrived.set()

    def connection_lost(self, error: Any, /) -> None:
        self.ended.set()

    async def answers(self, count: int) -> list[bytes]:
        while len(found := unwrapped(self.received)) < count:
            self.arrived.clear()
            await self.arrived.wait()
        return [apdu for _, _, apdu in found]


async def read_name(server: MeterServer) -> list[bytes]:
    client = Client()
    there = await connect("127.0.0.1", server.port, client, timeout=5)
    for number, request in enumerate((AARQ, GET_NAME, GET_NAME, a.RLRQ().encode()), 1):
        there.write(wpdu(request))
        await client.answers(number)
    there.close()
    await there.wait_closed()
    return await client.answers(4)


def test_fifty_clients_at_once_are_served_each_in_its_own_association() -> None:
    async def body(server: MeterServer) -> list[list[bytes]]:
        found = await asyncio.gather(*(read_name(server) for _ in range(50)))
        while server.connections:
            await asyncio.sleep(0.01)
        return found

    device = device_with()
    for opened, first, second, released in run(body, device):
        assert opened[0] == 0x61
        assert a.decode(first).result.value() == a.decode(second).result.value() == NAME
        assert released[0] == 0x63
    assert [client.standing for client in device.clients] == [0]


def test_a_silent_connection_is_closed_and_one_that_speaks_is_not() -> None:
    async def body(server: MeterServer) -> tuple[bool, bool]:
        silent, speaking = Client(), Client()
        await connect("127.0.0.1", server.port, silent, timeout=5)
        there = await connect("127.0.0.1", server.port, speaking, timeout=5)
        for _ in range(6):
            await asyncio.sleep(0.05)
            there.write(wpdu(AARQ))
        return silent.ended.is_set(), speaking.ended.is_set()

    assert run(body, device_with(), inactivity_timeout=0.1) == (True, False)


def test_more_connections_than_allowed_are_closed_at_once() -> None:
    async def body(server: MeterServer) -> None:
        first, second = Client(), Client()
        there = await connect("127.0.0.1", server.port, first, timeout=5)
        there.write(wpdu(AARQ))
        await first.answers(1)
        await connect("127.0.0.1", server.port, second, timeout=5)
        await second.ended.wait()
        assert not first.ended.is_set()

    run(body, device_with(), max_connections=1)


def test_a_meter_in_a_thread_serves_blocking_code_and_ends_with_it() -> None:
    with serve_in_thread(device_with()) as server:
        assert server.url(16) == f"tcp://127.0.0.1:{server.port}?client=16&server=1"
        with socket.create_connection(("127.0.0.1", server.port), 5) as there:
            there.sendall(wpdu(AARQ))
            assert there.recv(9)[8] == 0x61
        port = server.port
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return
    raise AssertionError("the port is still listened on")


def test_a_port_that_is_taken_is_said() -> None:
    with (
        serve_in_thread(device_with()) as server,
        pytest.raises(ConfigurationError, match="choose another port"),
        serve_in_thread(device_with(), port=server.port),
    ):
        pass


def test_the_management_device_names_all_logical_devices() -> None:
    first, second = device_with(), LogicalDevice("TST0000000000002", sap=17, now=lambda: NOW)
    server = MeterServer(first, second, port=0)
    assert server.device.devices == (first, second)
    assert Local(first, 16).open().get(17, "0-0:41.0.0", 2) == [(1, NAME), (17, b"TST0000000000002")]
    assert MeterServer(server.device, port=0).device is server.device
    with pytest.raises(ConfigurationError):
        PhysicalDevice(first, first)
    with pytest.raises(ConfigurationError):
        PhysicalDevice()
    with pytest.raises(ConfigurationError):
        MeterServer(server.device, second)
