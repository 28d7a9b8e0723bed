"""A line that many stations share: RS-485, M-Bus, Euridis. Every station hears everything that the others send.

Who is meant is for the stations to tell; two that send at the same time garble each other (:mod:`cosemic.faults.port`).
"""

from __future__ import annotations

from cosemic.errors import ConfigurationError
from cosemic.faults.media import FAULTLESS, StreamFaults
from cosemic.faults.port import Medium, Port
from cosemic.faults.virtual_time import VirtualTime
from cosemic.values import LineSettings


class Bus(Medium):
    """A shared half-duplex line.

    line: how stations are set at first. faults: of what each station sends, where :meth:`station` names none. echo:
    each station reads its own octets too. seed: of all chance.
    """

    def __init__(
        self,
        time: VirtualTime,
        line: LineSettings | None = None,
        *,
        faults: StreamFaults = FAULTLESS,
        echo: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(time, shared=True, echo=echo, told=False)
        self._first_line = line or LineSettings(2400)
        self._faults = faults
        self._seed = str(seed)

    def station(self, name: str, *, line: LineSettings | None = None, faults: StreamFaults | None = None) -> Port:
        """Connect a station; it leaves the bus when its port is closed. Raises ConfigurationError for a name in use."""
        if any(port.name == name for port in self.ports):
            raise ConfigurationError(f"{name} is on the bus already: give each station a name of its own")
        port = Port(self, name, line or self._first_line, self._faults if faults is None else faults, self._seed)
        self.joined(port)
        return port
