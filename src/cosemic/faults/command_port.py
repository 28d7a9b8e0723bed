"""The command line of a simulated modem: echo, lines, result codes in words or numbers (ITU-T V.250, 5).

Bound: of a longer command line the last :data:`MOST_COMMAND` octets are kept.
"""

from __future__ import annotations

from typing import Final

from cosemic.errors import TransportError
from cosemic.faults.port import Port
from cosemic.link.modem.results import Result

MOST_COMMAND: Final = 255
_CARRIAGE_RETURN: Final = 0x0D
_NUMBERS: Final = {result: str(number) for number, result in enumerate(
    (Result.OK, Result.CONNECT, Result.RING, Result.NO_CARRIER, Result.ERROR)
)} | {Result.NO_DIALTONE: "6", Result.BUSY: "7", Result.NO_ANSWER: "8"}  # fmt: skip
_RATES: Final = {1200: "5", 2400: "10", 4800: "11", 9600: "12"}


class CommandPort:
    """The command line of a modem at the modem's end of a cable.

    echo, verbose: as ATE and ATV set them. mute: it has no power, and says nothing.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self.time = port.time
        self.echo = True
        self.verbose = True
        self.mute = False
        self.commands: list[str] = []
        """Lines that were executed."""
        self._line = bytearray()
        port.attach(self)

    def octets_received(self, octets: bytes, /) -> None:
        """Take octets of the cable."""
        if self.mute:
            return
        for at, octet in enumerate(octets):
            if self.takes_data():
                self.data(octets[at:])
                return
            self._character(octet)

    def connection_lost(self, error: TransportError | None, /) -> None:
        """The cable was pulled."""

    def takes_data(self) -> bool:
        """Whether what comes is no command."""
        return False

    def data(self, octets: bytes) -> None:
        """Take what is no command."""

    def execute(self, command: str) -> None:
        """Execute a line."""

    def say(self, octets: bytes) -> None:
        """Send to the cable."""
        if not self.mute and not self.port.closed:
            self.port.write(octets)

    def tell(self, result: Result, rate: int | None = None) -> None:
        """Send a result code."""
        if self.verbose:
            text = result.value + (f" {rate}" if rate is not None else "")
            self.say(f"\r\n{text}\r\n".encode("ascii"))
        else:
            number = _NUMBERS[result] if rate is None else _RATES.get(rate, "1")
            self.say(number.encode("ascii") + b"\r")

    def _character(self, octet: int) -> None:
        if self.echo:
            self.say(bytes((octet,)))
        if octet != _CARRIAGE_RETURN:
            self._line.append(octet)
            del self._line[:-MOST_COMMAND]
            return
        line = self._line.decode("latin-1").strip()
        self._line.clear()
        if line:
            self.commands.append(line)
            self.execute(line)
