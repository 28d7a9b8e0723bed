"""A line of real TCP: octets pass both ways, and nothing passes while it is cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cosemic.faults.tcp_line import TcpLine

HOST = "127.0.0.1"


@contextmanager
def echoing() -> Iterator[int]:
    """A server on localhost that sends back what it gets; yields its port."""
    listener = socket.create_server((HOST, 0))

    def serve(end: socket.socket) -> None:
        with end, suppress(OSError):
            while octets := end.recv(1 << 16):
                end.sendall(octets)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = listener.getsockname()[1]
    with listener:
        yield port


def connected(line: TcpLine) -> socket.socket:
    return socket.create_connection((HOST, line.port), 5)


def heard(end: socket.socket, octets: int) -> bytes:
    """What comes, until it is so much or the connection ends."""
    come = b""
    with suppress(ConnectionError):
        while len(come) < octets and (piece := end.recv(1 << 16)):
            come += piece
    return come


def test_octets_pass_both_ways_on_each_connection() -> None:
    with echoing() as port, TcpLine(port) as line, connected(line) as one, connected(line) as other:
        one.sendall(b"question")
        other.sendall(bytes(range(256)) * 1000)
        assert heard(other, 256_000) == bytes(range(256)) * 1000
        assert heard(one, 8) == b"question"
        assert line.url(1) == f"tcp://{HOST}:{line.port}?client=1&server=1"


def test_nothing_passes_a_line_that_is_cut_until_it_is_mended() -> None:
    with echoing() as port, TcpLine(port) as line:
        with connected(line) as end:
            end.sendall(b"1")
            assert heard(end, 1) == b"1"
            line.cut()
            with suppress(ConnectionError):
                end.sendall(b"2")
            assert heard(end, 1) == b""
        with connected(line) as end:
            assert heard(end, 1) == b""
        line.mend()
        with connected(line) as end:
            end.sendall(b"3")
            assert heard(end, 1) == b"3"


def test_an_end_that_closes_ends_the_other() -> None:
    with socket.create_server((HOST, 0)) as listener, TcpLine(listener.getsockname()[1]) as line:
        with connected(line) as client:
            meter, _ = listener.accept()
            meter.close()
            assert heard(client, 1) == b""
        with connected(line) as client:
            meter, _ = listener.accept()
            client.close()
            meter.settimeout(5)
            with meter:
                assert heard(meter, 1) == b""


def test_a_line_to_nobody_and_one_that_is_closed_end_what_connects() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    with TcpLine(port) as line, connected(line) as end:
        assert heard(end, 1) == b""
    line.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "cosemic line"]
