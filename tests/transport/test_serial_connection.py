"""Serial ports on asyncio over real pseudo-terminals: octets, line settings in order, ends, and nothing left behind."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from cosemic.errors import ConfigurationError, ConnectionFailed, ConnectionLost
from cosemic.transport import serial_connection, serial_port
from cosemic.transport.contract import ConfigurableConnection
from cosemic.transport.serial_connection import SerialConnection, WatchedSerialConnection, open_serial
from cosemic.transport.serial_port import SerialOptions
from cosemic.transport.tcp import TcpConnection, TcpServer
from cosemic.values import OPTICAL, LineSettings, Parity
from tests.transport.ptys import PtyPair
from tests.transport.samples import HOST, Echo, Recorder, give_up_after, run

FAST = LineSettings(19200, 8, Parity.NONE, 1)
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX"),
    pytest.mark.slow,
]


@pytest.fixture
def ptys() -> Iterator[PtyPair]:
    with PtyPair() as pair:
        yield pair


@pytest.fixture(params=["watched", "threads"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[SerialConnection]:
    """Both ways of carrying octets have to behave alike."""
    if request.param == "watched":
        return WatchedSerialConnection
    monkeypatch.setattr(serial_connection, "has_descriptor", lambda _: False)
    return SerialConnection


async def opened(ptys: PtyPair, port: int, receiver: Recorder, line: LineSettings = OPTICAL) -> SerialConnection:
    connection = await open_serial(ptys.paths[port], receiver, line=line, pause=port == 1)
    assert isinstance(connection, SerialConnection)
    receiver.connection = connection
    return connection


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def test_octets_go_both_ways(ptys: PtyPair, kind: type[SerialConnection]) -> None:
    async def scenario() -> None:
        receiver, echo = Recorder(), Echo()
        client, server = await opened(ptys, 0, receiver), await opened(ptys, 1, echo)
        assert type(client) is kind
        assert client.peer == ptys.paths[0]
        client.write(b"/?!\r\n")
        client.write(b"")
        client.write(bytes(range(256)))
        await receiver.has(b"/?!\r\n" + bytes(range(256)))
        for connection in (client, server):
            connection.close()
            await connection.wait_closed()
        assert await receiver.ended() is None
        assert await echo.ended() is None

    run(scenario)


def test_the_port_is_set_as_asked_for_at_opening(ptys: PtyPair, kind: type[SerialConnection]) -> None:
    async def scenario() -> None:
        client = await opened(ptys, 0, Recorder(), LineSettings(2400, 8, Parity.NONE, 2))
        assert (ptys.baud(0), ptys.stop_bits(0)) == (2400, 2)
        client.close()
        await client.wait_closed()
        client = await opened(ptys, 0, Recorder())
        assert (ptys.baud(0), ptys.stop_bits(0)) == (300, 1)
        client.close()
        await client.wait_closed()

    run(scenario)


def test_the_line_changes_after_what_was_written_before(
    ptys: PtyPair, kind: type[SerialConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    drain, change = serial_connection.drain_port, serial_connection.set_line

    def drained(port: object, seconds: float) -> None:
        drain(port, min(seconds, 0))
        seen.append("drained")

    def changed(port: object, line: LineSettings) -> None:
        change(port, line)
        seen.append(line)

    monkeypatch.setattr(serial_connection, "drain_port", drained)
    monkeypatch.setattr(serial_connection, "set_line", changed)

    async def scenario() -> None:
        receiver, echo = Recorder(), Echo()
        client: ConfigurableConnection = await opened(ptys, 0, receiver)
        server = await opened(ptys, 1, echo, FAST)
        client.write(b"\x06050\r\n")
        client.set_line(FAST)
        client.write(b"after")
        await receiver.has(b"\x06050\r\nafter")
        assert seen == ["drained", FAST]
        assert ptys.baud(0) == 19200
        assert [rate for port, octets, rate in ptys.log if port == 0 and octets.endswith(b"after")] == [19200]
        for connection in (client, server):
            connection.close()
            await connection.wait_closed()  # type: ignore[attr-defined]  # of serial connections

    run(scenario)


def test_the_line_does_not_change_while_octets_wait(ptys: PtyPair, kind: type[SerialConnection]) -> None:
    large = bytes(range(256)) * 1000

    async def scenario() -> None:
        receiver = Recorder()
        client, server = await opened(ptys, 0, Recorder()), await opened(ptys, 1, receiver)
        ptys.hold(0)
        client.write(large)
        client.set_line(FAST)
        client.write(b"after")
        for _ in range(20):
            await asyncio.sleep(0.001)
            assert ptys.baud(0) == 300
        ptys.release(0)
        await receiver.has(large + b"after")
        assert ptys.baud(0) == 19200
        for connection in (client, server):
            connection.close()
            await connection.wait_closed()

    if kind is WatchedSerialConnection:
        run(scenario)
        return
    # Without a descriptor the time that octets take is waited for: at 300 baud that is long.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serial_connection, "drain_port", lambda port, _: serial_port.drain_port(port, 0))
        run(scenario)


def test_after_close_everything_written_leaves(ptys: PtyPair, kind: type[SerialConnection]) -> None:
    large = bytes(range(256)) * 400

    async def scenario() -> None:
        receiver, own = Recorder(), Recorder()
        client, server = await opened(ptys, 0, own, FAST), await opened(ptys, 1, receiver)
        client.write(large)
        client.close()
        client.close()
        with pytest.raises(ConnectionLost, match="is closed"):
            client.write(b"late")
        with pytest.raises(ConnectionLost, match="is closed"):
            client.set_line(OPTICAL)
        await receiver.has(large)
        assert await own.ended() is None
        server.close()
        await server.wait_closed()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serial_connection, "drain_port", lambda port, _: serial_port.drain_port(port, 0))
        run(scenario)


def test_closing_does_not_wait_for_ever_for_octets_that_do_not_leave(
    ptys: PtyPair, kind: type[SerialConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_connection, "CLOSE_TIME", 0.05)

    async def scenario() -> None:
        receiver = Recorder()
        connection = await open_serial(ptys.paths[0], receiver, line=FAST, timeout=0.2)
        assert isinstance(connection, SerialConnection)
        ptys.hold(0)
        connection.write(bytes(1_000_000))
        connection.close()
        assert await receiver.ended() is None
        await connection.wait_closed()

    run(scenario)


def test_after_close_nothing_is_received(ptys: PtyPair, kind: type[SerialConnection]) -> None:
    async def scenario() -> None:
        receiver = Recorder()
        client, server = await opened(ptys, 0, receiver), await opened(ptys, 1, Recorder())
        server.write(b"unwanted")
        while ptys.passed(1) != b"unwanted":
            time.sleep(0.001)  # the event loop does not run meanwhile
        client.close()
        assert await receiver.ended() is None
        assert receiver.octets == b""
        server.close()
        await server.wait_closed()

    run(scenario)


def test_an_unplugged_adapter(ptys: PtyPair, kind: type[SerialConnection]) -> None:
    async def scenario() -> None:
        receiver = Recorder()
        client = await opened(ptys, 0, receiver)
        ptys.unplug(0)
        error = await receiver.ended()
        assert isinstance(error, ConnectionLost)
        assert f"the port {ptys.paths[0]} has gone: plug the adapter in again" in str(error)
        with pytest.raises(ConnectionLost):
            client.write(b"x")
        client.close()
        await client.wait_closed()

    run(scenario)


@pytest.mark.parametrize("nothings", [0, 1, 2])
def test_an_adapter_that_fails_when_it_is_read(ptys: PtyPair, monkeypatch: pytest.MonkeyPatch, nothings: int) -> None:
    """It may say so, or be always ready and have nothing; to have nothing once is no failure."""
    really = os.read
    answers = [b""] * nothings

    async def scenario() -> None:
        receiver = Recorder()
        client, server = await opened(ptys, 0, receiver), await opened(ptys, 1, Recorder())
        assert isinstance(client, WatchedSerialConnection)
        failing = client._descriptor

        def read(descriptor: int, size: int) -> bytes:
            if descriptor != failing:
                return really(descriptor, size)
            if answers:
                return answers.pop()
            if nothings == 1:
                return really(descriptor, size)
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "read", read)
        server.write(b"x")
        if nothings == 1:
            await receiver.has(b"x")
            client.close()
        else:
            error = await receiver.ended()
            assert isinstance(error, ConnectionLost)
            assert "has gone" in str(error)
        server.close()
        await server.wait_closed()
        await client.wait_closed()

    run(scenario)


def test_an_adapter_unplugged_while_octets_wait(ptys: PtyPair, kind: type[SerialConnection]) -> None:
    async def scenario() -> None:
        receiver = Recorder()
        client = await opened(ptys, 0, receiver)
        ptys.hold(0)
        client.write(bytes(1_000_000))
        client.set_line(FAST)
        ptys.unplug(0)
        assert isinstance(await receiver.ended(), ConnectionLost)
        await client.wait_closed()

    run(scenario)


def test_a_line_that_the_port_does_not_take_ends_the_connection(
    ptys: PtyPair, kind: type[SerialConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_port, "_PSEUDO_TERMINALS", ())

    async def scenario() -> None:
        with pytest.raises(ConfigurationError, match="does not take 300 7E1: use another adapter"):
            await open_serial(ptys.paths[0], Recorder(), line=OPTICAL)
        receiver = Recorder()
        client = await opened(ptys, 0, receiver, FAST)
        client.set_line(OPTICAL)
        client.write(b"never")
        error = await receiver.ended()
        assert isinstance(error, ConnectionLost)
        assert "does not take 300 7E1" in str(error)
        assert ptys.passed(0) == b""

    run(scenario)


def test_a_server_does_not_read_from_a_client_that_does_not_read(ptys: PtyPair, kind: type[SerialConnection]) -> None:
    async def scenario() -> None:
        waiting = 0

        class Doubling(Recorder):
            def octets_received(self, octets: bytes, /) -> None:
                nonlocal waiting
                assert isinstance(self.connection, SerialConnection)
                self.connection.write(octets * 2)
                waiting = max(waiting, self.connection._waiting)

        receiver = Recorder()
        client, server = await opened(ptys, 0, receiver, FAST), await opened(ptys, 1, Doubling(), FAST)
        ptys.hold(1)
        client.write(bytes(600_000))
        await until(lambda: waiting > serial_connection.MOST_WAITING)
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert waiting < 4 * serial_connection.MOST_WAITING
        ptys.release(1)
        await receiver.has(bytes(1_200_000))
        for connection in (client, server):
            connection.close()
            await connection.wait_closed()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serial_connection, "drain_port", lambda port, _: serial_port.drain_port(port, 0))
        run(scenario)


def test_a_receiver_that_fails_ends_its_connection(ptys: PtyPair, kind: type[SerialConnection]) -> None:
    class Failing(Recorder):
        def octets_received(self, octets: bytes, /) -> None:
            raise LookupError("a mistake of the receiver")

    problems: list[object] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context["exception"]))
        failing = Failing()
        client, server = await opened(ptys, 0, Recorder()), await opened(ptys, 1, failing)
        client.write(b"x")
        assert isinstance(await failing.ended(), ConnectionLost)
        client.close()
        await client.wait_closed()
        await server.wait_closed()

    asyncio.run(scenario(), debug=True)
    assert [type(problem) for problem in problems] == [LookupError]


def test_a_port_that_is_not_there() -> None:
    async def scenario() -> None:
        with pytest.raises(ConnectionFailed, match="there is no port /dev/none: check the name"):
            await open_serial("/dev/none", Recorder())

    run(scenario)


def test_a_port_that_another_holds(ptys: PtyPair) -> None:
    async def scenario() -> None:
        client = await opened(ptys, 0, Recorder())
        with pytest.raises(ConnectionFailed, match="is in use by another program"):
            await open_serial(ptys.paths[0], Recorder())
        shared = await open_serial(ptys.paths[0], Recorder(), options=SerialOptions(exclusive=False))
        for connection in (client, shared):
            connection.close()
            await connection.wait_closed()

    run(scenario)


def test_without_pyserial_one_word_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)

    async def scenario() -> None:
        with pytest.raises(ConfigurationError, match=r"pip install cosemic\[serial\]"):
            await open_serial("/dev/ttyUSB0", Recorder())

    run(scenario)


@pytest.mark.parametrize("name", ["foo://x", "socket://meter", "socket://meter:99999", "socket://meter:1/x"])
def test_a_name_that_means_nothing(name: str) -> None:
    async def scenario() -> None:
        with pytest.raises(ConfigurationError, match="no serial"):
            await open_serial(name, Recorder())

    run(scenario)


@pytest.mark.parametrize("turns", range(8))
def test_opening_can_be_cancelled_at_any_moment(ptys: PtyPair, turns: int) -> None:
    async def scenario() -> None:
        await give_up_after(turns, open_serial(ptys.paths[0], Recorder()))

    run(scenario)


def test_a_port_that_takes_too_long_to_open_is_closed_when_it_opens(
    ptys: PtyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, closed = threading.Event(), threading.Event()
    open_port, close_port = serial_port.open_port, serial_port.close_port

    def slow(*arguments: object) -> object:
        assert go.wait(5)
        return open_port(*arguments)  # type: ignore[arg-type]  # those of open_port

    def watched(port: object) -> None:
        close_port(port)
        closed.set()

    monkeypatch.setattr(serial_port, "open_port", slow)
    monkeypatch.setattr(serial_port, "close_port", watched)

    async def scenario() -> None:
        with pytest.raises(ConnectionFailed, match=r"did not answer within 0\.01 s"):
            await open_serial(ptys.paths[0], Recorder(), timeout=0.01)
        go.set()

    run(scenario)
    assert closed.is_set()


def test_a_serial_server_that_passes_octets_on_is_tcp() -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, HOST, 0) as server:
            receiver = Recorder()
            connection = await open_serial(f"socket://{HOST}:{server.port}", receiver)
            assert isinstance(connection, TcpConnection)
            connection.write(b"x")
            await receiver.has(b"x")
            connection.close()
            await connection.wait_closed()

    run(scenario)
