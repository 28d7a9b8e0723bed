"""A TCP connection on asyncio over real sockets: octets, ends, time-outs, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from cosemic.errors import ConnectionFailed, ConnectionLost
from cosemic.transport import tcp
from cosemic.transport.contract import Receiver
from cosemic.transport.tcp import TcpConnection, TcpServer, connect
from tests.transport.samples import HOST, Echo, Recorder, accepting, free_port, give_up_after, has_ipv6, run


def test_octets_go_both_ways() -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, HOST, 0) as server:
            receiver = Recorder()
            connection = await connect(HOST, server.port, receiver, timeout=5)
            assert connection.peer == f"{HOST}:{server.port}"
            connection.write(b"one")
            connection.write(b"two")
            await receiver.has(b"onetwo")
            large = bytes(range(256)) * 4096
            connection.write(large)
            await receiver.has(b"onetwo" + large)
            connection.close()
            assert await receiver.ended() is None

    run(scenario)


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
def test_ipv6() -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, "::1", 0) as server:
            receiver = Recorder()
            connection = await connect("::1", server.port, receiver, timeout=5)
            assert connection.peer == f"[::1]:{server.port}"
            connection.write(b"six")
            await receiver.has(b"six")
            connection.close()
            await connection.wait_closed()

    run(scenario)


def test_a_host_name_with_several_addresses_finds_the_one_that_listens() -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, HOST, 0) as server:
            connection = await connect("localhost", server.port, Recorder(), timeout=5)
            connection.close()
            await connection.wait_closed()

    asyncio.run(scenario())


def test_octets_are_not_held_back_to_be_joined() -> None:
    async def scenario() -> None:
        accepted: list[TcpConnection] = []

        def accept(connection: TcpConnection) -> Receiver:
            accepted.append(connection)
            return Recorder(connection)

        async with TcpServer(accept, HOST, 0) as server:
            receiver = Recorder()
            connection = await connect(HOST, server.port, receiver, timeout=5)
            while not accepted:
                await asyncio.sleep(0)
            for end in (connection, accepted[0]):
                assert end._transport is not None
                sock = end._transport.get_extra_info("socket")
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            connection.close()
            await connection.wait_closed()

    run(scenario)


def test_the_peer_closes() -> None:
    async def scenario() -> None:
        accepted: list[Recorder] = []

        def accept(connection: TcpConnection) -> Receiver:
            accepted.append(Recorder(connection))
            connection.write(b"bye")
            connection.close()
            return accepted[-1]

        async with TcpServer(accept, HOST, 0) as server:
            receiver = Recorder()
            connection = await connect(HOST, server.port, receiver, timeout=5)
            error = await receiver.ended()
            assert isinstance(error, ConnectionLost)
            assert str(server.port) in str(error)
            assert receiver.octets == b"bye"
            assert await accepted[0].ended() is None
            with pytest.raises(ConnectionLost, match="connect again"):
                connection.write(b"late")
            connection.close()
            assert receiver.ends == [error]

    run(scenario)


def test_after_close_everything_written_is_sent() -> None:
    async def scenario() -> None:
        accepted, accept = accepting()

        async with TcpServer(accept, HOST, 0) as server:
            receiver = Recorder()
            connection = await connect(HOST, server.port, receiver, timeout=5)
            large = bytes(3_000_000)
            connection.write(large)
            connection.close()
            connection.close()
            assert await receiver.ended() is None
            await accepted[0].ended()
            assert accepted[0].octets == large

    run(scenario)


def test_after_close_nothing_is_received() -> None:
    async def scenario() -> None:
        def accept(connection: TcpConnection) -> Receiver:
            connection.write(b"unwanted")
            return Recorder(connection)

        async with TcpServer(accept, HOST, 0) as server:
            receiver = Recorder()
            connection = await connect(HOST, server.port, receiver, timeout=5)
            connection.close()
            assert await receiver.ended() is None
            assert receiver.octets == b""

    run(scenario)


def test_closing_does_not_wait_for_ever_for_a_peer_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "CLOSE_TIME", 0.05)

    async def scenario() -> None:
        with socket.create_server((HOST, 0)) as listener:
            receiver = Recorder()
            connection = await connect(HOST, listener.getsockname()[1], receiver, timeout=5)
            accepted, _ = listener.accept()
            with accepted:
                connection.write(bytes(50_000_000))
                connection.close()
                assert await receiver.ended() is None
                await connection.wait_closed()

    run(scenario)


def test_nobody_listens() -> None:
    async def scenario() -> None:
        port = free_port()
        with pytest.raises(ConnectionFailed, match=rf"127.0.0.1:{port} refused .* check the port") as caught:
            await connect(HOST, port, Recorder(), timeout=5)
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)

    run(scenario)


def test_an_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    async def scenario() -> None:
        with pytest.raises(ConnectionFailed, match=r"no address .* spelling"):
            await connect("meter.example", 4059, Recorder(), timeout=5)

    asyncio.run(scenario())


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port whose queue of connections is full: nobody answers there (where the system works so)."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(address)
        try:
            yield address[1]
        finally:
            for sock in waiting:
                sock.close()


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="a full queue of connections is silent on Linux only")
def test_an_address_that_does_not_answer(silent_port: int) -> None:
    async def scenario() -> None:
        with pytest.raises(ConnectionFailed, match=r"did not answer within 0.05 s"):
            await connect(HOST, silent_port, Recorder(), timeout=0.05)

    run(scenario)


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="a full queue of connections is silent on Linux only")
def test_connecting_can_be_cancelled(silent_port: int) -> None:
    async def scenario() -> None:
        attempt = asyncio.create_task(connect(HOST, silent_port, Recorder(), timeout=5))
        await asyncio.sleep(0.01)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt

    run(scenario)


@pytest.mark.parametrize("turns", range(8))
def test_connecting_can_be_cancelled_at_any_moment(turns: int) -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, HOST, 0) as server:
            await give_up_after(turns, connect(HOST, server.port, Recorder(), timeout=5))

    run(scenario)
