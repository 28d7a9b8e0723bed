"""The TCP server over real sockets: clients of every kind, and its own end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest

from cosemic.errors import ConfigurationError, ConnectionFailed, ConnectionLost
from cosemic.transport.contract import Receiver
from cosemic.transport.tcp import TcpConnection, TcpServer, connect
from tests.transport.samples import HOST, RESET_ON_CLOSE, Echo, Recorder, accepting, has_ipv6, run

pytestmark = pytest.mark.slow


def test_the_peer_half_closes_and_gets_its_answer() -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, HOST, 0) as server:
            reader, writer = await asyncio.open_connection(HOST, server.port)
            writer.write(b"request")
            writer.write_eof()
            assert await reader.read() == b"request"
            writer.close()
            await writer.wait_closed()

    run(scenario)


def test_the_peer_resets() -> None:
    async def scenario() -> None:
        accepted, accept = accepting()

        async with TcpServer(accept, HOST, 0) as server:
            with socket.create_connection((HOST, server.port)) as sock:
                while not accepted:
                    await asyncio.sleep(0)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            error = await accepted[0].ended()
            assert isinstance(error, ConnectionLost)
            assert isinstance(error.__cause__, ConnectionResetError)

    run(scenario)


def test_a_server_does_not_read_from_a_client_that_does_not_read() -> None:
    limit = 30_000_000

    async def scenario() -> None:
        waiting = 0

        class Doubling(Recorder):
            def octets_received(self, octets: bytes, /) -> None:
                nonlocal waiting
                assert isinstance(self.connection, TcpConnection)
                assert self.connection._transport is not None
                self.connection.write(octets * 2)
                waiting = max(waiting, self.connection._transport.get_write_buffer_size())

        async with TcpServer(Doubling, HOST, 0) as server:
            loop = asyncio.get_running_loop()
            with socket.create_connection((HOST, server.port)) as sock:
                sock.setblocking(False)
                sent = idle = 0
                while idle < 100 and sent < limit:
                    try:
                        sent += sock.send(bytes(100_000))
                        idle = 0
                    except BlockingIOError:
                        idle += 1
                    await asyncio.sleep(0)
                assert sent < limit
                assert waiting < 1_000_000
                answered = 0
                while answered < 2 * sent:
                    answered += len(await loop.sock_recv(sock, 1 << 20))
                assert answered == 2 * sent

    run(scenario)


def test_a_server_that_closes_ends_its_connections() -> None:
    async def scenario() -> None:
        server = TcpServer(Echo, HOST, 0)
        assert server.port == 0
        await server.start()
        port = server.port
        receivers = [Recorder() for _ in range(20)]
        for receiver in receivers:
            await connect(HOST, port, receiver, timeout=5)
        await server.close()
        await server.close()
        assert server.connections == frozenset()
        for receiver in receivers:
            assert isinstance(await receiver.ended(), ConnectionLost)
        with pytest.raises(ConnectionFailed):
            await connect(HOST, port, Recorder(), timeout=5)

    run(scenario)


def test_connections_that_are_just_being_accepted_are_ended_too() -> None:
    async def scenario() -> None:
        for turns in range(8):
            server = TcpServer(Echo, HOST, 0)
            await server.start()
            with socket.create_connection((HOST, server.port)) as sock:
                for _ in range(turns):
                    await asyncio.sleep(0)
                await server.close()
                sock.settimeout(1)
                with contextlib.suppress(ConnectionResetError):  # the system ends what nobody has accepted
                    assert sock.recv(1) == b""

    run(scenario)


def test_a_server_on_all_addresses() -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, None, 0) as server:
            for host in (HOST, *(["::1"] if has_ipv6() else [])):
                connection = await connect(host, server.port, Recorder(), timeout=5)
                connection.close()
                await connection.wait_closed()

    run(scenario)


def test_an_address_that_is_taken() -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, HOST, 0) as server:
            with pytest.raises(ConfigurationError, match="choose another port"):
                await TcpServer(Echo, HOST, server.port).start()

    run(scenario)


def test_a_receiver_that_fails_ends_its_connection_only() -> None:
    problems: list[dict[str, Any]] = []

    class Failing(Recorder):
        def octets_received(self, octets: bytes, /) -> None:
            raise LookupError("a mistake of the receiver")

    def refuse(connection: TcpConnection) -> Receiver:
        if len(made) == 1:
            raise LookupError("a mistake of the factory")
        made.append(Failing(connection))
        return made[-1]

    made: list[Failing] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        async with TcpServer(refuse, HOST, 0) as server:
            for _ in range(2):
                receiver = Recorder()
                connection = await connect(HOST, server.port, receiver, timeout=5)
                connection.write(b"x")
                assert isinstance(await receiver.ended(), ConnectionLost)
            assert isinstance(await made[0].ended(), ConnectionLost)
            assert server.connections == frozenset()

    asyncio.run(scenario())
    assert len(problems) == 2
