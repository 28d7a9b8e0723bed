"""Two serial ports that are wired to each other: linked pseudo-terminals, opened by their paths like any port.

::

    client --> paths[0] (slave) | master --thread--> master | paths[1] (slave) <-- server

What a pseudo-terminal keeps of its line can be looked at: the rate and the stop bits. It has no character format on
Linux (always 8 bits without parity), and octets pass at once whatever the rate; what was asked for beyond that is not
to be seen here.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import socket
import termios
import threading
import tty
from types import TracebackType

_RATES = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()}
_AT_ONCE = 4096


class PtyPair:
    """Use it as a context manager. ``paths`` are the two ports.

    ``log``: what passed, in order: from which port (0, 1), the octets, and the rate of that port when they were taken.
    """

    def __init__(self) -> None:
        self._masters: list[int | None] = []
        self._slaves: list[int] = []
        self.paths: list[str] = []
        for _ in range(2):
            master, slave = pty.openpty()
            tty.setraw(slave)  # nothing echoes before it is opened
            os.set_blocking(master, False)
            self._masters.append(master)
            self._slaves.append(slave)  # held, so that the master is not told of an end when nobody has it open
            self.paths.append(os.ttyname(slave))
        self.log: list[tuple[int, bytes, int]] = []
        self._held: set[int] = set()
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._running = True
        self._thread = threading.Thread(target=self._run, name="ptys", daemon=True)

    def baud(self, port: int) -> int:
        """The rate that a port is set to."""
        return _RATES[termios.tcgetattr(self._slaves[port])[5]]

    def stop_bits(self, port: int) -> int:
        """The stop bits that a port is set to."""
        return 2 if termios.tcgetattr(self._slaves[port])[2] & termios.CSTOPB else 1

    def passed(self, port: int) -> bytes:
        """All octets that have come out of a port."""
        return b"".join(octets for side, octets, _ in self.log if side == port)

    def hold(self, port: int) -> None:
        """Take nothing from a port: what is written to it stays there."""
        self._change(lambda: self._held.add(port))

    def release(self, port: int) -> None:
        """Take octets again."""
        self._change(lambda: self._held.discard(port))

    def unplug(self, port: int) -> None:
        """Hang up: the port has gone, as that of an adapter that is unplugged."""

        def close() -> None:
            master, self._masters[port] = self._masters[port], None
            if master is not None:
                os.close(master)

        self._change(close)

    def __enter__(self) -> PtyPair:
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running = False
        self._wake.send(b"x")
        self._thread.join()
        for descriptor in [*self._masters, *self._slaves]:
            if descriptor is not None:
                os.close(descriptor)
        self._wake.close()
        self._woken.close()

    def _change(self, change: object) -> None:
        assert callable(change)
        with self._lock:
            change()
        self._wake.send(b"x")

    def _run(self) -> None:
        pending = [b"", b""]
        """What came out of each port and has not gone into the other."""
        while self._running:
            with self._lock:
                masters = list(self._masters)
            readable = [
                master
                for port, master in enumerate(masters)
                if master is not None and not pending[port] and port not in self._held
            ]
            writable = [master for port, master in enumerate(masters) if master is not None and pending[1 - port]]
            with contextlib.suppress(OSError, ValueError):  # one may be unplugged meanwhile
                ready, _, _ = select.select([self._woken, *readable], writable, [])
                if self._woken in ready:
                    self._woken.recv(100)
                with self._lock:
                    self._move(pending, readable)

    def _move(self, pending: list[bytes], readable: list[int]) -> None:
        for port, master in enumerate(self._masters):
            if master is not None and master in readable and not pending[port] and port not in self._held:
                with contextlib.suppress(BlockingIOError):
                    pending[port] = os.read(master, _AT_ONCE)
                    self.log.append((port, pending[port], self.baud(port)))
            target = self._masters[1 - port]
            if pending[port]:
                if target is None:
                    pending[port] = b""
                    continue
                with contextlib.suppress(BlockingIOError):
                    pending[port] = pending[port][os.write(target, pending[port]) :]
