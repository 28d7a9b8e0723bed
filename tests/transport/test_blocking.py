"""TCP for blocking code against real sockets."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from cosemic.errors import ConnectionFailed, ConnectionLost, ResponseTimeout
from cosemic.transport import blocking
from cosemic.transport.blocking import BlockingTcpConnection
from cosemic.transport.contract import BlockingConnection
from tests.transport.samples import HOST, RESET_ON_CLOSE


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as sock:
        yield sock


@pytest.fixture
def pair(listener: socket.socket) -> Iterator[tuple[BlockingTcpConnection, socket.socket]]:
    with BlockingTcpConnection(HOST, listener.getsockname()[1], 5) as connection:
        accepted, _ = listener.accept()
        with accepted:
            yield connection, accepted


Pair = tuple[BlockingTcpConnection, socket.socket]


def test_octets_go_both_ways(pair: Pair) -> None:
    connection, peer = pair
    connection.write(b"request")
    assert peer.recv(100) == b"request"
    peer.sendall(b"answer")
    assert connection.read(time.monotonic() + 5) == b"answer"
    assert connection.peer == f"{HOST}:{peer.getsockname()[1]}"


def test_octets_are_not_held_back_to_be_joined(pair: Pair) -> None:
    connection, _ = pair
    assert connection._socket is not None
    assert connection._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("ahead", [-1.0, 0.0, 0.02])
def test_a_deadline_ends_the_wait_and_keeps_the_connection(pair: Pair, ahead: float) -> None:
    connection, peer = pair
    begun = time.monotonic()
    with pytest.raises(ResponseTimeout, match="in time"):
        connection.read(begun + ahead)
    assert ahead <= time.monotonic() - begun < 2
    peer.sendall(b"late")
    assert connection.read() == b"late"


def test_what_has_come_is_returned_even_after_the_deadline(pair: Pair) -> None:
    connection, peer = pair
    peer.sendall(b"x")
    assert connection.read(time.monotonic() + 5) == b"x"
    peer.sendall(b"y")
    time.sleep(0.01)
    assert connection.read(time.monotonic() - 1) == b"y"


def test_the_end_of_the_stream_is_no_octets(pair: Pair) -> None:
    connection, peer = pair
    peer.sendall(b"last")
    peer.close()
    assert connection.read() == b"last"
    assert connection.read() == b""
    assert connection.read(time.monotonic()) == b""


def test_the_peer_resets(pair: Pair) -> None:
    connection, peer = pair
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    peer.close()
    with pytest.raises(ConnectionLost, match="connect again"):
        connection.read()
    with pytest.raises(ConnectionLost, match="is closed"):
        connection.write(b"x")


def test_writing_to_a_peer_that_has_gone(pair: Pair) -> None:
    connection, peer = pair
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    peer.close()

    def write_on() -> None:
        for _ in range(100):
            connection.write(bytes(1000))

    with pytest.raises(ConnectionLost):
        write_on()


def test_writing_to_a_peer_that_does_not_read(listener: socket.socket) -> None:
    with BlockingTcpConnection(HOST, listener.getsockname()[1], 0.05) as connection:
        with pytest.raises(ConnectionLost, match=r"took no octets for 0\.05 s"):
            connection.write(bytes(50_000_000))
        with pytest.raises(ConnectionLost, match="the connection to"):
            connection.write(b"x")


@pytest.mark.parametrize("use", [lambda it: it.read(), lambda it: it.write(b"x")])
def test_a_closed_connection_is_not_used(pair: Pair, use: Callable[[BlockingConnection], object]) -> None:
    connection, peer = pair
    connection.close()
    connection.close()
    assert peer.recv(1) == b""
    with pytest.raises(ConnectionLost, match="connect again"):
        use(connection)


def test_nobody_listens(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(ConnectionFailed, match=f"127.0.0.1:{port} refused"):
        BlockingTcpConnection(HOST, port, 5)


def test_an_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ConnectionFailed, match=r"no address .* spelling"):
        BlockingTcpConnection("meter.example", 4059, 5)


def test_a_network_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    with pytest.raises(ConnectionFailed, match="Network is unreachable"):
        BlockingTcpConnection(HOST, 4059, 5)


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="a full queue of connections is silent on Linux only")
def test_an_address_that_does_not_answer() -> None:
    with socket.socket() as silent:
        silent.bind((HOST, 0))
        silent.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex(silent.getsockname())
            begun = time.monotonic()
            with pytest.raises(ConnectionFailed, match=r"did not answer within 0\.05 s"):
                BlockingTcpConnection(HOST, silent.getsockname()[1], 0.05)
            assert time.monotonic() - begun < 1
        finally:
            for sock in waiting:
                sock.close()


def test_each_address_of_a_host_gets_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[object, float | None]] = []
    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{number}", 4059)) for number in (1, 2, 3)]

    def silent(sock: socket.socket, address: object) -> None:
        tried.append((address, sock.gettimeout()))
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    monkeypatch.setattr(socket.socket, "connect", silent)
    with pytest.raises(ConnectionFailed, match="did not answer within 9 s"):
        BlockingTcpConnection("meter.example", 4059, 9)
    assert [address for address, _ in tried] == [each[4] for each in addresses]
    assert [timeout for _, timeout in tried] == [pytest.approx(share, abs=0.5) for share in (3, 4.5, 9)]


def test_a_large_message_arrives_whole(pair: Pair) -> None:
    connection, peer = pair
    message = bytes(range(256)) * 4000
    sender = threading.Thread(target=peer.sendall, args=(message,))
    sender.start()
    received = b""
    while len(received) < len(message):
        piece = connection.read(time.monotonic() + 5)
        assert 0 < len(piece) <= blocking.READ_SIZE
        received += piece
    sender.join()
    assert received == message
