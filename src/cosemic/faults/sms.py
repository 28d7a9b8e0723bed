"""A service centre for short messages in virtual time, and modems that send and receive them.

::

    centre = Network(time, DatagramFaults(latency=4.0, loss=0.1, duplication=0.1, reordering=0.3))
    meter = Station(SmsLink(), SmsPort(centre.station("+49171")))          a medium of TPDUs
    SmsModem(centre.station("+49170"), cable.server)                                   a modem at a cable

What is sent as SMS-SUBMIT comes as SMS-DELIVER from the number of its sender, as often and as late as the network of
datagrams has it.
"""

from __future__ import annotations

import re
from typing import Final

from cosemic.errors import DecodeError
from cosemic.faults.command_port import CommandPort
from cosemic.faults.datagrams import DatagramPort
from cosemic.faults.port import Port
from cosemic.faults.virtual_time import VirtualTime
from cosemic.link.modem.results import Result
from cosemic.link.sms.tpdu import Deliver, Submit, decode_tpdu
from cosemic.transport.contract import Receiver
from cosemic.values import LineSettings

_CTRL_Z: Final = 0x1A
_ESC: Final = 0x1B
_SEND: Final = re.compile(r"AT\+CMGS=(\d+)", re.IGNORECASE)
_TIMESTAMP: Final = bytes.fromhex("62112018300040")
_CENTRE: Final = bytes.fromhex("07919471000000f0")


def forward(station: DatagramPort, octets: bytes) -> Result:
    """Send an SMS-SUBMIT on to its destination; return what a modem says."""
    try:
        message = decode_tpdu(octets)
    except DecodeError:
        return Result.ERROR
    if not isinstance(message, Submit):
        return Result.ERROR
    delivered = Deliver(station.address, message.user_data, message.data_coding, _TIMESTAMP)
    station.send(delivered.encode(), message.destination)
    return Result.OK


class SmsPort:
    """A station's end of a medium of TPDUs; :attr:`refused` counts what was no SMS-SUBMIT."""

    def __init__(self, station: DatagramPort) -> None:
        self.refused = 0
        self._station = station
        self._receiver: Receiver | None = None
        station.attach(self._arrive)

    @property
    def peer(self) -> str:
        """The service centre."""
        return "the service centre"

    @property
    def time(self) -> VirtualTime:
        """The time of the network."""
        return self._station.time

    @property
    def busy_until(self) -> float:
        """Now: a message leaves at once."""
        return self.time.now

    def attach(self, receiver: Receiver) -> None:
        """Hand what comes to this receiver."""
        self._receiver = receiver

    def set_line(self, line: LineSettings) -> None:
        """Do nothing: there is no line."""

    def write(self, octets: bytes, /) -> None:
        """Send an SMS-SUBMIT."""
        self.refused += forward(self._station, octets) is not Result.OK

    def close(self) -> None:
        """Receive no more."""
        if not self._station.closed:
            self._station.close()
            if self._receiver is not None:
                self.time.call_soon(self._receiver.connection_lost, None)

    def _arrive(self, octets: bytes, source: str) -> None:
        if self._receiver is not None:
            self._receiver.octets_received(octets)


class SmsModem(CommandPort):
    """A modem for short messages in PDU mode. failures: how many of the next it refuses with +CMS ERROR."""

    def __init__(self, station: DatagramPort, port: Port) -> None:
        super().__init__(port)
        self.failures = 0
        self.sending_takes = 2.0
        """Seconds until the network has taken a message."""
        self._station = station
        self._announced: int | None = None
        self._message = bytearray()
        self._reference = 0
        station.attach(self._arrive)

    def takes_data(self) -> bool:
        """Whether a message is being entered."""
        return self._announced is not None

    def data(self, octets: bytes) -> None:
        """Take hexadecimal digits up to Ctrl-Z, or ESC."""
        for at, octet in enumerate(octets):
            if octet not in (_CTRL_Z, _ESC):
                self._message.append(octet)
                continue
            length, self._announced = self._announced, None
            text, self._message = self._message.decode("latin-1"), bytearray()
            if octet == _CTRL_Z and length is not None:
                self.time.call_later(self.sending_takes, self._send, text, length)
            else:
                self.tell(Result.OK)
            self.octets_received(octets[at + 1 :])
            return

    def execute(self, command: str) -> None:
        """Execute a command line."""
        found = _SEND.fullmatch(command)
        if found:
            self._announced = int(found[1])
            self.say(b"\r\n> ")
        elif command.upper().startswith("ATE"):
            self.echo = command.endswith("1")
            self.tell(Result.OK)
        else:
            self.tell(Result.OK if command.upper().startswith("AT") else Result.ERROR)

    def _send(self, text: str, length: int) -> None:
        try:
            octets = bytes.fromhex(text)
        except ValueError:
            octets = b""
        tpdu = octets[1 + octets[0] :] if octets else b""
        if self.failures or len(tpdu) != length or forward(self._station, tpdu) is not Result.OK:
            self.failures = max(self.failures - 1, 0)
            self.say(b"\r\n+CMS ERROR: 500\r\n")
            return
        self._reference = (self._reference + 1) & 0xFF
        self.say(b"\r\n+CMGS: %d\r\n\r\nOK\r\n" % self._reference)

    def _arrive(self, octets: bytes, source: str) -> None:
        text = (_CENTRE + octets).hex().upper().encode("ascii")
        self.say(b"\r\n+CMT: ,%d\r\n%s\r\n" % (len(octets), text))
