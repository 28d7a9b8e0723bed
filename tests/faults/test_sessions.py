"""Whole sessions of a client and a meter over media that fail, in virtual time."""

from __future__ import annotations

import asyncio
import datetime as dt
import time as machine
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.requests import Get, Open, Release
from cosemic.association.settings import ClientSettings
from cosemic.client.asynchronous import AsyncDriver
from cosemic.client.blocking import BlockingDriver
from cosemic.client.recovery import NONE
from cosemic.client.session import Session
from cosemic.errors import ConnectionLost, CosemicError, ResponseTimeout
from cosemic.faults import Bus, ByteStream, DatagramFaults, Network, StreamFaults, VirtualTime
from cosemic.faults.blocking_port import BlockingPort
from cosemic.faults.sessions import ClientStation, MeterStation
from cosemic.faults.station import StationPort
from cosemic.faults.virtual_loop import VirtualLoop
from cosemic.link.wrapper import WrapperLink
from cosemic.server import PhysicalDevice
from cosemic.server.meter_server import MeterConnection
from cosemic.server.meter_session import MeterSession
from cosemic.stack import ClientStack
from cosemic.store.security_settings import SecuritySettings
from cosemic.transport.contract import Connection, Receiver
from cosemic.values import LineSettings, Obis
from tests.faults.support import settle
from tests.server.support import device_with

NAME = b"TST0000000000001"
GET_NAME = Get(CosemAttributeDescriptor(1, Obis("0-0:42.0.0"), 2), None)


def meter(port: StationPort) -> MeterStation:
    return MeterStation(MeterSession(PhysicalDevice(device_with()), WrapperLink()), port)


def client(port: StationPort, **settings: Any) -> ClientStation:
    return ClientStation(ClientStack(ClientSettings(**settings), 16, 1), port)


def over_tcp(time: VirtualTime) -> tuple[StationPort, StationPort]:
    faults = StreamFaults(chunks=(1, 7, 3), latency=0.2)
    stream = ByteStream(time, from_client=faults, from_server=faults)
    return stream.client, stream.server


def over_an_optical_head(time: VirtualTime) -> tuple[StationPort, StationPort]:
    stream = ByteStream(time, line=LineSettings(300), half_duplex=True)
    return stream.client, stream.server


def over_datagrams(time: VirtualTime) -> tuple[StationPort, StationPort]:
    network = Network(time, DatagramFaults(latency=1.0))
    one, other = network.station("client"), network.station("meter")
    return one.connected("meter"), other.connected("client")


def over_a_bus(time: VirtualTime) -> tuple[StationPort, StationPort]:
    bus = Bus(time, LineSettings(2400))
    return bus.station("client"), bus.station("meter")


MEDIA = [over_tcp, over_an_optical_head, over_datagrams, over_a_bus]


@pytest.mark.parametrize("medium", MEDIA)
def test_a_session_over_each_medium(medium: Callable[[VirtualTime], tuple[StationPort, StationPort]]) -> None:
    time = VirtualTime()
    ours, theirs = medium(time)
    served = meter(theirs)
    asking = client(ours)
    asking.ask(Open())
    assert asking.ask(GET_NAME).value() == NAME
    asking.ask(Release())
    assert time.now > 1000.5
    asking.close()
    settle(time)
    assert asking.ended
    assert asking.error is None
    assert served.error is None or "closed" in str(served.error)


def test_three_hundred_baud_take_as_long_as_their_octets() -> None:
    time = VirtualTime()
    stream = ByteStream(time, line=LineSettings(300), half_duplex=True)
    meter(stream.server)
    asking = client(stream.client)
    asking.ask(Open())
    asking.ask(GET_NAME)
    octets = stream.client.counts.octets_written + stream.server.counts.octets_written
    assert time.now - 1000 == pytest.approx(octets / 30)


def test_a_meter_that_hangs_ends_in_the_response_timeout_to_the_second() -> None:
    time = VirtualTime()
    stream = ByteStream(time, from_server=StreamFaults(hang_at=60))
    meter(stream.server)
    asking = client(stream.client, response_timeout=7.0)
    asking.ask(Open())
    with pytest.raises(ResponseTimeout):
        asking.ask(GET_NAME)
    assert time.now == 1007.0


def test_a_cut_ends_the_request_and_the_association() -> None:
    time = VirtualTime()
    stream = ByteStream(time, from_server=StreamFaults(cut_at=60))
    served = meter(stream.server)
    asking = client(stream.client)
    asking.ask(Open())
    with pytest.raises(ConnectionLost):
        asking.ask(GET_NAME)
    settle(time)
    assert asking.ended
    assert served.ended
    with pytest.raises(ConnectionLost):
        asking.ask(GET_NAME)


def test_no_answer_and_no_error_is_an_error_of_its_own() -> None:
    time = VirtualTime()
    stream = ByteStream(time)
    asking = client(stream.client, response_timeout=100.0)
    with pytest.raises(RuntimeError, match="neither"):
        asking.ask(Open(), limit=50.0)


@given(st.integers(0, 10_000), st.sampled_from((1e-4, 1e-3, 1e-2)))
def test_over_a_failing_stream_the_right_value_or_a_declared_error_comes_in_bounded_time(
    seed: int, rate: float
) -> None:
    time = VirtualTime()
    faults = StreamFaults(bit_error_rate=rate, octet_loss=rate, noise=rate)
    stream = ByteStream(time, from_client=faults, from_server=faults, seed=seed)
    meter(stream.server)
    asking = client(stream.client, response_timeout=5.0)
    counts = stream.client.counts, stream.server.counts
    try:
        asking.ask(Open(), limit=60.0)
        value = asking.ask(GET_NAME, limit=60.0)
    except CosemicError:
        assert any(each.bits_inverted + each.octets_lost + each.noise_octets for each in counts)
    else:
        # The wrapper has no checksum: only an untouched stream is sure to bring the right value.
        if not any(each.bits_inverted + each.octets_lost + each.noise_octets for each in counts):
            assert value.value() == NAME
    asking.close()
    settle(time)


# ---- the drivers of clients -----------------------------------------------------------------------------------------


def test_the_asyncio_driver_and_a_served_connection_over_a_slow_stream_in_virtual_time() -> None:
    time = VirtualTime()
    faults = StreamFaults(chunks=(5,), latency=3.0)
    security = SecuritySettings(ClientSettings(response_timeout=30.0))

    async def scenario() -> float:
        async def connect(receiver: Receiver) -> Connection:
            stream = ByteStream(time, from_client=faults, from_server=faults)
            stream.server.attach(MeterConnection(PhysicalDevice(device_with()), stream.server, clock=time))
            stream.client.attach(receiver)
            return stream.client

        session = Session(security, lambda: ClientStack(security.client, 16, 1), dt.UTC, NONE)
        driver = AsyncDriver(session, connect, lambda: dt.datetime.fromtimestamp(time.now, dt.UTC))
        await driver.run(session.open())
        assert (await driver.run(session.get("1/0-0:42.0.0"))).value() == NAME
        await driver.run(session.release())
        passed = asyncio.get_running_loop().time() - 1000
        await driver.close()
        return passed

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(time)) as runner:
        assert runner.run(scenario()) == pytest.approx(3 * 2 * 3.0)


def blocking(stream: ByteStream, **settings: Any) -> tuple[BlockingDriver, Session]:
    security = SecuritySettings(ClientSettings(**settings))
    session = Session(security, lambda: ClientStack(security.client, 16, 1), dt.UTC, NONE)
    return BlockingDriver(session, lambda: BlockingPort(stream.client), lambda: dt.datetime(2026, 1, 1)), session


def test_the_blocking_driver_over_a_slow_line_in_virtual_time() -> None:
    time = VirtualTime()
    stream = ByteStream(time, line=LineSettings(300))
    served = meter(stream.server)
    driver, session = blocking(stream, response_timeout=60.0)
    driver.run(session.open())
    assert driver.run(session.get("1/0-0:42.0.0")).value() == NAME
    driver.run(session.release())
    octets = stream.client.counts.octets_written + stream.server.counts.octets_written
    assert time.now - 1000 == pytest.approx(octets / 30, abs=0.01)
    driver.close()
    settle(time)
    assert stream.client.closed
    assert not served.ended


def test_the_blocking_driver_waits_its_time_out_in_virtual_time() -> None:
    time = VirtualTime()
    stream = ByteStream(time, from_server=StreamFaults(hang_at=0))
    meter(stream.server)
    driver, session = blocking(stream, response_timeout=600.0)
    with pytest.raises(ResponseTimeout):
        driver.run(session.open())
    assert time.now == pytest.approx(1600.0, abs=1.0)
    driver.close()


def test_blocking_code_is_told_of_ends_and_sets_the_line() -> None:
    time = VirtualTime()
    stream = ByteStream(time, from_server=StreamFaults(cut_at=3))
    port = BlockingPort(stream.client)
    assert port.peer == "server"
    stream.server.write(b"12345")
    assert port.read() == b"123"
    with pytest.raises(ConnectionLost, match="cut"):
        port.read()
    with pytest.raises(ConnectionLost):
        port.write(b"?")

    closed = ByteStream(time)
    port = BlockingPort(closed.client)
    closed.server.write(b"bye")
    closed.server.close()
    assert (port.read(), port.read()) == (b"bye", b"")
    assert BlockingPort(closed.client).read() == b""

    serial = ByteStream(time, line=LineSettings(300))
    port = BlockingPort(serial.client)
    port.write(b"\x06050\r\n")
    begun = time.now
    port.set_line(LineSettings(9600))
    assert serial.client.line == LineSettings(9600)
    assert time.now - begun == pytest.approx(0.2)
    with pytest.raises(ResponseTimeout):
        port.read(machine.monotonic() + 5)
    assert time.now - begun == pytest.approx(5.2, abs=0.5)
    with pytest.raises(ResponseTimeout):
        port.read()
    port.close()
    with pytest.raises(ConnectionLost):
        port.read()
