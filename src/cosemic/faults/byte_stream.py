"""A byte stream between two ends, in virtual time: a TCP connection, a serial cable, an optical head, a modem line.

::

    time = VirtualTime()
    stream = ByteStream(time, line=OPTICAL, half_duplex=True, echo=True, from_server=StreamFaults(bit_error_rate=1e-4))
    stream.client.attach(receiver)
    stream.server.attach(MeterConnection(device, stream.server, clock=time))
    time.run_until_idle()

Without ``line`` octets take no time and one end learns that the other has closed, as on a network. With it each end is
a serial port of its own: it can be set differently, and then reads other octets than were sent; and nobody is told when
the other end is closed.
"""

from __future__ import annotations

from cosemic.faults.media import FAULTLESS, StreamFaults
from cosemic.faults.port import Medium, Port
from cosemic.faults.virtual_time import VirtualTime
from cosemic.values import LineSettings


class ByteStream(Medium):
    """Two ports, ``client`` and ``server``.

    line: how both ports are set at first. half_duplex: one line for both directions, on which octets sent at the same
    time garble each other. echo: each end reads its own octets too, as behind an optical head or a two-wire converter.
    from_client, from_server: the faults of each direction. told: whether an end learns that the other was closed.
    seed: of all chance.
    """

    def __init__(
        self,
        time: VirtualTime,
        *,
        line: LineSettings | None = None,
        half_duplex: bool = False,
        echo: bool = False,
        from_client: StreamFaults = FAULTLESS,
        from_server: StreamFaults = FAULTLESS,
        told: bool | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(time, shared=half_duplex, echo=echo, told=line is None if told is None else told)
        self.client = Port(self, "client", line, from_client, str(seed))
        self.server = Port(self, "server", line, from_server, str(seed))
        self.ports += self.client, self.server
