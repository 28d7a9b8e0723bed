"""Both ends in one process: the order of delivery, ends, and the blocking face."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConnectionLost, ResponseTimeout, TransportError
from cosemic.transport.contract import BlockingConnection, Connection, Receiver
from cosemic.transport.memory import BlockingMemoryConnection, memory_pair


class Recorder:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.pieces: list[bytes] = []
        self.ends: list[TransportError | None] = []

    def octets_received(self, octets: bytes, /) -> None:
        assert not self.ends
        self.pieces.append(octets)

    def connection_lost(self, error: TransportError | None, /) -> None:
        self.ends.append(error)


class Echo(Recorder):
    def octets_received(self, octets: bytes, /) -> None:
        self.connection.write(octets)


class Goodbye(Recorder):
    def octets_received(self, octets: bytes, /) -> None:
        self.connection.write(octets)
        self.connection.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scenario()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(whole(), debug=True)


class Both:
    """A pair with a recorder at the client's end."""

    def __init__(self, server: Callable[[Connection], Recorder] = Echo, chunk: int | None = None) -> None:
        self.receivers: list[Recorder] = []

        def serve(connection: Connection) -> Receiver:
            self.receivers.append(server(connection))
            return self.receivers[-1]

        def ask(connection: Connection) -> Receiver:
            self.receivers.append(Recorder(connection))
            return self.receivers[-1]

        self.client, self.server = memory_pair(ask, serve, chunk=chunk)
        self.at_server, self.at_client = self.receivers


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_octets_arrive_in_order_and_never_from_within_write() -> None:
    async def scenario() -> None:
        both = Both()
        both.client.write(b"one")
        both.client.write(b"two")
        assert both.at_client.pieces == []
        await settled()
        assert both.at_client.pieces == [b"one", b"two"]
        assert (both.client.peer, both.server.peer) == ("memory server", "memory client")

    run(scenario)


def test_chunks() -> None:
    async def scenario() -> None:
        both = Both(chunk=2)
        both.client.write(b"12345")
        both.client.write(b"")
        await settled()
        assert both.at_client.pieces == [b"12", b"34", b"5"]

    run(scenario)


def test_the_other_end_learns_of_the_close_after_what_was_written() -> None:
    async def scenario() -> None:
        both = Both(Goodbye)
        both.client.write(b"x")
        both.client.write(b"too late")
        await settled()
        assert both.at_client.pieces == [b"x"]
        assert both.at_server.ends == [None]
        (error,) = both.at_client.ends
        assert isinstance(error, ConnectionLost)
        for end in (both.client, both.server):
            end.close()
            with pytest.raises(ConnectionLost):
                end.write(b"y")
        await settled()
        assert (len(both.at_client.ends), len(both.at_server.ends)) == (1, 1)

    run(scenario)


def test_after_close_nothing_is_received_and_the_end_is_told_once() -> None:
    async def scenario() -> None:
        both = Both()
        both.server.write(b"under way")
        both.client.close()
        both.client.break_off()
        await settled()
        assert both.at_client.pieces == []
        assert both.at_client.ends == [None]
        assert len(both.at_server.ends) == 1

    run(scenario)


def test_the_medium_fails_for_both_ends() -> None:
    async def scenario() -> None:
        both = Both()
        both.client.break_off("line cut")
        await settled()
        for receiver in (both.at_client, both.at_server):
            (error,) = receiver.ends
            assert isinstance(error, ConnectionLost)
            assert "line cut" in str(error)

    run(scenario)


@given(st.lists(st.binary(min_size=1, max_size=20)), st.none() | st.integers(1, 5))
def test_the_blocking_face_reads_what_the_other_end_answers(writes: list[bytes], chunk: int | None) -> None:
    connection: BlockingConnection = BlockingMemoryConnection(Echo, chunk=chunk)
    for octets in writes:
        connection.write(octets)
    answered = b""
    while len(answered) < sum(map(len, writes)):
        piece = connection.read()
        assert 0 < len(piece) <= (chunk or 20)
        answered += piece
    assert answered == b"".join(writes)
    with pytest.raises(ResponseTimeout):
        connection.read(1e9)
    connection.close()


def test_the_end_of_the_stream_is_no_octets() -> None:
    connection = BlockingMemoryConnection(Goodbye)
    connection.write(b"x")
    assert [connection.read(), connection.read(), connection.read()] == [b"x", b"", b""]
    with pytest.raises(ConnectionLost):
        connection.write(b"y")


def test_a_closed_connection_is_not_used_and_the_other_end_knows() -> None:
    servers: list[Recorder] = []

    def serve(connection: Connection) -> Receiver:
        servers.append(Echo(connection))
        return servers[-1]

    connection = BlockingMemoryConnection(serve)
    connection.write(b"x")
    connection.close()
    connection.close()
    assert isinstance(servers[0].ends[0], ConnectionLost)
    assert len(servers[0].ends) == 1
    with pytest.raises(ConnectionLost, match="is closed"):
        connection.read()


def test_a_broken_medium_is_told_to_blocking_code() -> None:
    connection = BlockingMemoryConnection(lambda end: Cutting(end))
    connection.write(b"x")
    with pytest.raises(ConnectionLost, match="broke"):
        connection.read()
    assert connection.peer == "memory server"


class Cutting(Recorder):
    def octets_received(self, octets: bytes, /) -> None:
        self.connection.break_off()  # type: ignore[attr-defined]  # only ends in memory can be cut


def test_a_server_may_speak_first() -> None:
    class Greeting(Recorder):
        def __init__(self, connection: Connection) -> None:
            super().__init__(connection)
            connection.write(b"hello")

    connection = BlockingMemoryConnection(Greeting)
    assert connection.read() == b"hello"
    connection.close()
