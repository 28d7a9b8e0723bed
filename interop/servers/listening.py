"""Octets between a peer's server and its medium: a TCP port, or a pseudo-terminal behind the sign-on of mode E.

A server is what is made for each connection with a function that sends octets, and takes those that come. No peer has
the meter's side of IEC 62056-21: the sign-on here is this project's, octet by octet as in its clause 6.3, and what
comes after it is the peer's.
"""

from __future__ import annotations

import os
import select
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from interop import meter
from interop.ways import Way
from tests.transport.ptys import PtyPair

Send: TypeAlias = Callable[[bytes], None]
Take: TypeAlias = Callable[[bytes], object]

REQUEST, IDENTIFICATION, SELECT = b"/?!\r\n", b"/PEE5\\2PEER\r\n", b"\x06252\r\n"
"""The reader asks; the meter offers 9,600 baud and mode E; the reader selects both, and the meter repeats that."""


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def listen(begin: Callable[[Send], Take]) -> Iterator[int]:
    """Serve on a free port of the loopback interface, which is yielded."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            take = begin(self.request.sendall)
            while octets := self.request.recv(4096):
                take(octets)

    with _Listener((meter.HOST, 0), Handler) as listener:
        threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
        yield listener.server_address[1]
        listener.shutdown()


@contextmanager
def sign_on(begin: Callable[[Send], Take]) -> Iterator[str]:
    """Serve on a pseudo-terminal whose other end, of which the path is yielded, signs on in mode E first."""
    with PtyPair() as pair:
        port = os.open(pair.paths[1], os.O_RDWR | os.O_NOCTTY)
        ended = threading.Event()
        thread = threading.Thread(target=_answer, args=(port, begin, ended), daemon=True)
        thread.start()
        yield pair.paths[0]
        ended.set()
        thread.join()
        os.close(port)


def _answer(port: int, begin: Callable[[Send], Take], ended: threading.Event) -> None:
    def send(octets: bytes) -> None:
        os.write(port, octets)

    take: Take | None = None
    octets = b""
    while not ended.is_set():
        if not select.select([port], [], [], 0.05)[0]:
            continue
        octets += os.read(port, 4096)
        if REQUEST in octets:  # of a reader that begins, or begins anew after DISC
            octets, take = octets.partition(REQUEST)[2], None
            send(IDENTIFICATION)
        if take is None and SELECT in octets:
            octets, take = octets.partition(SELECT)[2], begin(send)
            send(SELECT)
        if take is not None and octets:
            take(octets)
            octets = b""


def serve(way: Way, begin: Callable[[Send], Take]) -> AbstractContextManager[int | str]:
    """Serve on the medium of a way; yields where."""
    return sign_on(begin) if way.framing == "mode-e" else listen(begin)
