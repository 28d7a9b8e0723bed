"""Connections that the other end made: several addresses, blocking code, and sessions that take over."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from cosemic.errors import ConfigurationError, ConnectionFailed, ConnectionLost, ResponseTimeout
from cosemic.transport import incoming, listening
from cosemic.transport.blocking import BlockingTcpConnection, BlockingTcpListener
from cosemic.transport.incoming import IncomingConnection
from cosemic.transport.memory import MemoryConnection, memory_pair
from cosemic.transport.tcp import TcpConnection, TcpServer, connect
from cosemic.transport.udp import connect_udp
from cosemic.transport.udp_server import UdpPeer, UdpServer
from tests.transport.samples import HOST, Echo, Recorder, give_up_after, has_ipv6, run
from tests.transport.test_udp import link_local

pytestmark = pytest.mark.slow

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")


@needs_ipv6
def test_a_server_on_several_addresses_has_one_port() -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, (HOST, "::1"), 0) as server:
            for host in (HOST, "::1"):
                receiver = Recorder()
                connection = await connect(host, server.port, receiver, timeout=5)
                connection.write(b"x")
                await receiver.has(b"x")
                connection.close()
                await connection.wait_closed()
            with pytest.raises(ConnectionFailed):
                await connect("127.0.0.2", server.port, Recorder(), timeout=5)

    run(scenario)


@pytest.mark.skipif(link_local() is None, reason="no link-local address on this machine")
def test_a_server_on_a_link_local_address() -> None:
    host = link_local()
    assert host is not None

    async def scenario() -> None:
        async with TcpServer(Echo, host, 0) as server:
            receiver = Recorder()
            connection = await connect(host, server.port, receiver, timeout=5)
            connection.write(b"x")
            await receiver.has(b"x")
            connection.close()
            await connection.wait_closed()
            BlockingTcpConnection(host, server.port, 5).close()

    run(scenario)


def test_a_name_stands_for_the_addresses_that_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.250", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    sockets = listening.listeners("meter.example", 0)
    assert [sock.getsockname()[0] for sock in sockets] == [HOST]
    sockets[0].close()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found[:1])
    with pytest.raises(ConfigurationError, match=r"cannot listen on meter\.example"):
        listening.listeners("meter.example", 0)


def test_where_one_of_several_addresses_cannot_be_taken_none_is() -> None:
    with (
        socket.create_server((HOST, 0)) as taken,
        pytest.raises(ConfigurationError, match=r"cannot listen on 127\.0\.0\.2, 127\.0\.0\.1, port \d+ "),
    ):
        listening.listeners(("127.0.0.2", HOST), taken.getsockname()[1])


@pytest.mark.parametrize("turns", range(6))
def test_starting_can_be_cancelled_at_any_moment(turns: int) -> None:
    async def scenario() -> None:
        server = TcpServer(Echo, None, 0)
        await give_up_after(turns, server.start())
        await server.close()

    run(scenario)


def test_blocking_code_accepts_connections() -> None:
    with BlockingTcpListener(None, 0) as listener:
        with pytest.raises(ResponseTimeout, match="nobody has connected"):
            listener.accept(time.monotonic() + 0.02)
        with pytest.raises(ResponseTimeout):
            listener.accept(time.monotonic() - 1)
        for host in (HOST, *(["::1"] if has_ipv6() else [])):
            with BlockingTcpConnection(host, listener.port, 5) as meter, listener.accept() as session:
                meter.write(b"here I am")
                assert session.read(time.monotonic() + 5) == b"here I am"
                session.write(b"request")
                assert meter.read(time.monotonic() + 5) == b"request"
                assert session.peer_certificate is None
                with pytest.raises(ResponseTimeout):
                    session.read(time.monotonic() + 0.01)
                meter.close()
                assert session.read(time.monotonic() + 5) == b""
    with pytest.raises(ConnectionLost, match="is closed"):
        listener.accept()


def test_one_that_waits_is_accepted_in_time() -> None:
    with BlockingTcpListener(HOST, 0) as listener:
        accepted: list[str] = []

        def wait() -> None:
            with listener.accept(time.monotonic() + 5) as session:
                accepted.append(session.peer)

        thread = threading.Thread(target=wait)
        thread.start()
        with socket.create_connection((HOST, listener.port)) as sock:
            thread.join()
            host, port = sock.getsockname()
            assert accepted == [f"{host}:{port}"]


def test_a_session_takes_a_connection_over_with_what_has_come() -> None:
    async def scenario() -> None:
        arrived: asyncio.Queue[IncomingConnection[TcpConnection]] = asyncio.Queue()
        async with TcpServer(lambda it: IncomingConnection(it, arrived.put_nowait), HOST, 0) as server:
            meter = Recorder()
            connection = await connect(HOST, server.port, meter, timeout=5)
            connection.write(b"I am 4D4D4D0000BC614E")
            arrival = await arrived.get()
            while not arrival.kept:
                await asyncio.sleep(0)
            assert arrival.kept == b"I am 4D4D4D0000BC614E"
            assert arrival.peer == arrival.connection.peer
            assert arrival.connection.peer_certificate is None
            session = Recorder()
            taken = arrival.take(session)
            assert session.octets == b""
            await session.has(b"I am 4D4D4D0000BC614E")
            taken.write(b"request")
            await meter.has(b"request")
            connection.write(b", answer")
            await session.has(b"I am 4D4D4D0000BC614E, answer")
            with pytest.raises(ConnectionLost):
                arrival.take(Recorder())
            connection.close()
            assert isinstance(await session.ended(), ConnectionLost)

    run(scenario)


def test_what_follows_at_once_comes_after_what_was_kept() -> None:
    async def scenario() -> None:
        arrived: list[IncomingConnection[MemoryConnection]] = []

        def wait(connection: object) -> IncomingConnection[MemoryConnection]:
            assert isinstance(connection, MemoryConnection)
            return IncomingConnection(connection, arrived.append)

        meter, _ = memory_pair(Recorder, wait)
        meter.write(b"one")
        for _ in range(5):
            await asyncio.sleep(0)
        (arrival,) = arrived
        session = Recorder()
        arrival.take(session)
        arrival.octets_received(b"two")
        assert session.octets == b"onetwo"
        await asyncio.sleep(0)
        assert session.octets == b"onetwo"
        meter.write(b"three")
        meter.close()
        assert isinstance(await session.ended(), ConnectionLost)
        assert session.octets == b"onetwothree"
        with pytest.raises(ConnectionLost):
            arrival.take(Recorder())

    run(scenario)


def test_one_that_nobody_takes_is_closed() -> None:
    async def scenario() -> None:
        arrived: list[IncomingConnection[TcpConnection]] = []
        async with TcpServer(lambda it: IncomingConnection(it, arrived.append, timeout=0.02), HOST, 0) as server:
            meter = Recorder()
            await connect(HOST, server.port, meter, timeout=5)
            assert isinstance(await meter.ended(), ConnectionLost)
            while server.connections:
                await asyncio.sleep(0)
            with pytest.raises(ConnectionLost):
                arrived[0].take(Recorder())

    run(scenario)


def test_one_that_sends_too_much_before_it_is_taken_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MOST_KEPT", 1000)

    async def scenario() -> None:
        arrived: list[IncomingConnection[TcpConnection]] = []
        async with TcpServer(lambda it: IncomingConnection(it, arrived.append), HOST, 0) as server:
            meter = Recorder()
            connection = await connect(HOST, server.port, meter, timeout=5)
            connection.write(bytes(1001))
            assert isinstance(await meter.ended(), ConnectionLost)
            assert arrived[0].kept == b""

    run(scenario)


def test_a_meter_that_reports_by_udp_becomes_a_session_too() -> None:
    async def scenario() -> None:
        arrived: asyncio.Queue[IncomingConnection[UdpPeer]] = asyncio.Queue()
        async with UdpServer(lambda it: IncomingConnection(it, arrived.put_nowait), HOST, 0) as server:
            meter = Recorder()
            connection = await connect_udp(HOST, server.port, meter, timeout=5)
            connection.write(b"hello")
            session = Recorder()
            taken = (await arrived.get()).take(session)
            await session.has(b"hello")
            taken.write(b"request")
            await meter.has(b"request")
            connection.close()
            await connection.wait_closed()
        assert await session.ended() is None

    run(scenario)
