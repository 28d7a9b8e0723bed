"""A simulated meter at a serial port: who is there is made when octets come, and made anew when it has ended.

::

    closed     start(): the port is opened, and set as the link begins
    silent     octets come: the receiver is made, and given them
    talking    the receiver closes (a reset, a reboot, a link that has failed): silent; the port stays open
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cosemic.errors import ConfigurationError, ConnectionFailed, TransportError
from cosemic.transport import wording
from cosemic.transport.contract import Connection, Receiver
from cosemic.transport.outlet import LineControl
from cosemic.transport.serial_connection import open_serial
from cosemic.values import LineSettings


class Beginner(Receiver, Protocol):
    """A receiver whose link may have something to do before anything comes."""

    def begin(self) -> None:
        """Begin."""


class ServedPort:
    """A serial port, used like a server on a network.

    receiver: makes what answers. name: of the port. line: how it is set at first.
    """

    port = 0
    """Of a network: none."""

    def __init__(self, receiver: Callable[[Connection], Beginner], name: str, line: LineSettings) -> None:
        self._make_receiver = receiver
        self._name = name
        self._line = line
        self._connection: Connection | None = None
        self._talk: Talk | None = None

    @property
    def connections(self) -> frozenset[Connection]:
        """Who is there: nobody, or one."""
        return frozenset(() if self._talk is None else (self._talk,))

    async def start(self) -> None:
        """Open the port. Raises ConfigurationError where that cannot be."""
        try:
            self._connection = await open_serial(self._name, self, line=self._line, pause=True)
        except ConnectionFailed as error:
            raise ConfigurationError(str(error)) from error

    async def close(self) -> None:
        """Close the port, and end what is under way."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            self._end(None)

    def octets_received(self, octets: bytes, /) -> None:
        """Hand on what comes, to whom is there."""
        if self._connection is None:
            return
        if self._talk is None:
            self._talk = talk = Talk(self._connection, self._ended)
            talk.receiver = receiver = self._make_receiver(talk)
            receiver.begin()
        if self._talk is not None and self._talk.receiver is not None:
            self._talk.receiver.octets_received(octets)

    def connection_lost(self, error: TransportError | None, /) -> None:
        """The port has gone."""
        self._connection = None
        self._end(error)

    def _ended(self) -> None:
        """Make anew what answers, at a port that is set as at the beginning."""
        self._end(None)
        connection = self._connection
        if connection is not None and isinstance(connection, LineControl):
            connection.set_line(self._line)

    def _end(self, error: TransportError | None) -> None:
        talk, self._talk = self._talk, None
        if talk is not None:
            talk.end(error)


class Talk:
    """One receiver's use of the port (:class:`cosemic.transport.contract.ConfigurableConnection`)."""

    def __init__(self, connection: Connection, ended: Callable[[], None]) -> None:
        self.receiver: Beginner | None = None
        self._connection = connection
        self._tell_ended = ended
        self._over = False

    @property
    def peer(self) -> str:
        """The port."""
        return self._connection.peer

    def write(self, octets: bytes, /) -> None:
        """Send octets. Raises ConnectionLost after the end."""
        if self._over:
            raise wording.closed_here(self.peer)
        self._connection.write(octets)

    def set_line(self, line: LineSettings, /) -> None:
        """Set the port, once what was written has left it."""
        if not self._over and isinstance(self._connection, LineControl):
            self._connection.set_line(line)

    def close(self) -> None:
        """End this use of the port. Does no harm when repeated."""
        if not self._over:
            self._tell_ended()

    def end(self, error: TransportError | None) -> None:
        """Tell the receiver that this was it."""
        self._over = True
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.connection_lost(error)
