"""What both sides have in common: the command line, the connections, and the JSON lines they print.

`python -m interop.notifying.NAME listen` prints `{"port": n}`, then a line for each notification; it ends when it is
told to. `python -m interop.notifying.NAME send PORT FORM ...` sends one after the other, each over a connection of its
own, and prints `{"form": ..., "confirmed": ...}` or `{"form": ..., "error": ...}` for each.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import sys
from collections.abc import Callable, Iterable
from typing import Any

from interop.meter import HOST
from interop.notifying.forms import FORMS, Form

PATIENCE = 5.0
"""Seconds for which a sender waits until the listener ends the connection."""
Told = dict[str, Any]


def plain(value: Any) -> Any:
    """A value as JSON has it: octets in hex, numbers and lists as they are."""
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else int(value)


def send_octets(port: int, octets: Iterable[bytes]) -> bytes:
    """Send on one connection, and wait until the listener has ended it; returns what it said."""
    said = b""
    with socket.create_connection((HOST, port), timeout=PATIENCE) as medium:
        for one in octets:
            medium.sendall(one)
        medium.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while more := medium.recv(4096):
                said += more
    return said


def confirms(said: bytes, notification: bytes) -> bool:
    """Whether that is the data-notification-confirm, tag 10, for the notification in a WPDU; without date-time."""
    addresses = notification[4:6] + notification[2:4]
    return said == notification[:2] + addresses + b"\0\6\x10" + notification[9:13] + b"\0"


def listen_with(begin: Callable[[], Callable[[bytes], Iterable[Told]]]) -> Callable[[Callable[[Told], None]], None]:
    """A listener made of what is begun for each connection: it takes octets, and gives what they tell."""

    def listen(tell: Callable[[Told], None]) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                take = begin()
                try:
                    while octets := self.request.recv(65536):
                        for told in take(octets):
                            tell(told)
                except Exception as error:  # whatever a peer raises is its answer
                    tell({"error": f"{type(error).__name__}: {error}"})

        with socketserver.TCPServer((HOST, 0), Handler) as server:
            tell({"port": server.server_address[1]})
            server.serve_forever(0.05)

    return listen


def main(listen: Callable[[Callable[[Told], None]], None] | None, send: Callable[[Form, int], bool | None]) -> None:
    """Listen, or send; `send` takes a form and a port, and returns whether it was confirmed."""
    out = sys.stdout

    def tell(told: Told) -> None:
        print(json.dumps(told), file=out, flush=True)

    with contextlib.redirect_stdout(sys.stderr):
        if sys.argv[1] == "listen":
            assert listen is not None
            listen(tell)
            return
        for name in sys.argv[3:]:
            try:
                tell({"form": name, "confirmed": send(FORMS[name], int(sys.argv[2]))})
            except Exception as error:  # whatever a peer raises is its answer
                tell({"form": name, "error": f"{type(error).__name__}: {error}"})
