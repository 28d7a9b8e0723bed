"""Two Hayes modems at pseudo-terminals, and the telephone network between them, in real time.

::

    paths[0] (slave) | master == modem "5550000" ... call ... modem "5551234" == master | paths[1] (slave)

The modems are those of :mod:`cosemic.faults.modem`: a thread lets their time pass as fast as that of this machine.
"""

from __future__ import annotations

import os
import pty
import select
import socket
import threading
import time as machine
import tty
from types import TracebackType

from cosemic.faults.modem import TelephoneNetwork
from cosemic.faults.virtual_time import VirtualTime
from cosemic.transport.contract import Receiver
from cosemic.values import LineSettings

NUMBER = "5551234"
_AT_ONCE = 4096
_LONGEST_WAIT = 0.5


class _Cable:
    """The modem's end of a cable: the master of a pseudo-terminal, in place of a simulated port."""

    closed = False

    def __init__(self, time: VirtualTime) -> None:
        self.time = time
        self.receiver: Receiver | None = None
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)

    def attach(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def write(self, octets: bytes) -> None:
        os.write(self.master, octets)

    def take(self) -> None:
        """Hand on what has come."""
        octets = os.read(self.master, _AT_ONCE)
        assert self.receiver is not None
        self.receiver.octets_received(octets)


class Exchange:
    """Use it as a context manager. ``paths``: the port of the caller's modem, and of the one that is called."""

    def __init__(self) -> None:
        time = VirtualTime()
        self.network = TelephoneNetwork(time, LineSettings(115_200), ring_every=0.2, training=0.1)
        self.cables = [_Cable(time) for _ in range(2)]
        self.paths = [cable.path for cable in self.cables]
        numbers = "5550000", NUMBER
        self.modems = [
            self.network.modem(number, cable)  # type: ignore[arg-type]  # all that a modem asks of its port
            for number, cable in zip(numbers, self.cables, strict=True)
        ]
        self._time = time
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="telephone exchange", daemon=True)

    def __enter__(self) -> Exchange:
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._wake.send(b"x")
        self._thread.join()
        for cable in self.cables:
            os.close(cable.master)
            os.close(cable.slave)
        self._wake.close()
        self._woken.close()

    def _run(self) -> None:
        begun = machine.monotonic() - self._time.now
        while True:
            following = self._time.next_call
            left = _LONGEST_WAIT if following is None else following - self._time.now
            masters = {cable.master: cable for cable in self.cables}
            ready, _, _ = select.select([*masters, self._woken], [], [], min(max(left, 0.0), _LONGEST_WAIT))
            self._time.run_for(max(machine.monotonic() - begun - self._time.now, 0.0))
            if self._woken in ready:
                return
            for master in ready:
                masters[master].take()
