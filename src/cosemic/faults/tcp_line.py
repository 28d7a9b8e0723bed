"""A line of real TCP between a client and a meter on this machine, that can be cut and mended.

::

    client  --->  TcpLine.port  --->  meter_port

For trials with real sockets; in virtual time there are the other media of this room. A line that is cut ends all
connections, and each new one as soon as it is made; what was under way is lost.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.transport.lifetime import Closes

_LOOPBACK: Final = "127.0.0.1"
_READ: Final = 1 << 16
_PATIENCE: Final = 10.0
"""Seconds in which the meter has to take a connection, and threads have to end."""


class TcpLine(Closes):
    """A line to a TCP port of this machine. Raises ConfigurationError where none can be made.

    ::

        with TcpLine(meter_port) as line, BlockingMeter.connect(line.url(1)) as meter: ...
    """

    def __init__(self, meter_port: int) -> None:
        self._meter = _LOOPBACK, meter_port
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._carriers: list[threading.Thread] = []
        self._is_cut = self._closed = False
        try:
            self._listener = socket.create_server((_LOOPBACK, 0))
        except OSError as error:
            raise ConfigurationError(f"no line can be made here: {error.strerror}") from None
        self._thread = threading.Thread(target=self._accept, name="cosemic line", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where the client connects."""
        port: int = self._listener.getsockname()[1]
        return port

    def url(self, client_sap: int, server_sap: int = 1) -> str:
        """Return the URL by which a client reaches a logical device over the line."""
        return f"tcp://{_LOOPBACK}:{self.port}?client={client_sap}&server={server_sap}"

    def cut(self) -> None:
        """Cut the line, from any thread; what a side sends from now on does not arrive."""
        with self._lock:
            self._is_cut = True
            ends, self._ends = self._ends, set()
        for end in ends:
            _end(end)

    def mend(self) -> None:
        """Let new connections through again."""
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        """Cut the line for ever."""
        self._closed = True
        self.cut()
        with suppress(OSError):  # accept() does not wake up when its socket is closed
            socket.create_connection(self._listener.getsockname(), _PATIENCE).close()
        self._thread.join(_PATIENCE)
        self._listener.close()
        for carrier in self._carriers:
            carrier.join(_PATIENCE)

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                meter = socket.create_connection(self._meter, _PATIENCE)
            except OSError:
                _end(client)
                continue
            meter.settimeout(None)
            for end in (client, meter):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                through = not self._is_cut
                if through:
                    self._ends |= {client, meter}
            if not through:
                _end(client)
                _end(meter)
                continue
            self._begin(client, meter)
            self._begin(meter, client)

    def _begin(self, giver: socket.socket, taker: socket.socket) -> None:
        """Have a thread carry octets one way."""
        thread = threading.Thread(target=self._carry, args=(giver, taker), name="cosemic line", daemon=True)
        self._carriers = [each for each in self._carriers if each.is_alive()]
        self._carriers.append(thread)
        thread.start()

    def _carry(self, giver: socket.socket, taker: socket.socket) -> None:
        """Carry octets one way, until either end is closed."""
        with suppress(OSError):
            while octets := giver.recv(_READ):
                taker.sendall(octets)
        with self._lock:
            self._ends -= {giver, taker}
        _end(giver)
        _end(taker)


def _end(end: socket.socket) -> None:
    """End a connection; who waits at it in another thread wakes up."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
