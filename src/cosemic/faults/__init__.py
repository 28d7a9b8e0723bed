"""Media that fail, in virtual time: for tests, simulators and conformance.

- :mod:`~cosemic.faults.virtual_time`: time that passes from call to call.
- :mod:`~cosemic.faults.byte_stream`, :mod:`~cosemic.faults.bus`, :mod:`~cosemic.faults.datagrams`: the media; what goes
  wrong on them is declared in :mod:`~cosemic.faults.media`.
- :mod:`~cosemic.faults.framing`: what a frame is, for faults that befall frames.
- :mod:`~cosemic.faults.station`: drives a link at one end of a medium; :mod:`~cosemic.faults.sessions` a client or a
  meter.
- :mod:`~cosemic.faults.virtual_loop`, :mod:`~cosemic.faults.blocking_port`: code for asyncio, and blocking code, on the
  same media.
"""

from cosemic.faults.bus import Bus
from cosemic.faults.byte_stream import ByteStream
from cosemic.faults.datagrams import BROADCAST, DatagramFaults, DatagramPort, Network
from cosemic.faults.media import Counts, StreamFaults
from cosemic.faults.port import Port
from cosemic.faults.station import Driver, Station
from cosemic.faults.virtual_time import Timer, VirtualTime

__all__ = [
    "BROADCAST",
    "Bus",
    "ByteStream",
    "Counts",
    "DatagramFaults",
    "DatagramPort",
    "Driver",
    "Network",
    "Port",
    "Station",
    "StreamFaults",
    "Timer",
    "VirtualTime",
]
