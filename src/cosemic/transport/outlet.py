"""Hands out what a state machine has due: to the medium, and to the port that it wants set."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from cosemic.values import LineSettings


class Due(Protocol):
    """What has octets to send (the one contract of links and associations)."""

    def octets_to_send(self) -> bytes:
        """Return octets that are due, nothing where none are."""

    def line_to_set(self) -> LineSettings | None:
        """Return how the port is to be set once they have left it, once."""


class Outlet(Protocol):
    """What takes octets: a connection, on asyncio or blocking."""

    def write(self, octets: bytes, /) -> None:
        """Send octets. Raises ConnectionLost."""


@runtime_checkable
class LineControl(Protocol):
    """A connection over a port whose line can be set."""

    def set_line(self, line: LineSettings, /) -> None:
        """Set the port, once what was written has left it. Raises ConnectionLost."""


def send_due(machine: Due, connection: Outlet, *, whole: bool = False) -> None:
    """Send all that is due. A line that is elsewhere, as behind TCP, is not set from here. Raises ConnectionLost.

    whole: the machine hands out at once all that is due, and never changes the line.
    """
    while True:
        octets = machine.octets_to_send()
        if octets:
            connection.write(octets)
        if whole:
            return
        line = machine.line_to_set()
        if line is not None and isinstance(connection, LineControl):
            connection.set_line(line)
        if line is None and not octets:
            return
