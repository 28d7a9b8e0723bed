"""A client and a meter on a medium, in virtual time: whole sessions without an event loop.

::

    stream = ByteStream(time, line=LineSettings(9600), from_server=StreamFaults(bit_error_rate=1e-5))
    MeterStation(MeterSession(device, secondary), stream.server)
    client = ClientStation(ClientStack(settings, 16, 1, link=primary), stream.client)
    client.ask(Open())
    value = client.ask(Get(descriptor))
"""

from __future__ import annotations

from typing import Any

from cosemic.association.notifications import Notified
from cosemic.association.requests import Aborted, Completed
from cosemic.errors import CosemicError, TransportError
from cosemic.faults.station import Driver, StationPort
from cosemic.server.meter_session import MeterSession
from cosemic.stack import ClientStack, StackRequest
from cosemic.transport import wording


class ClientStation(Driver):
    """A client's stack at a port; its events are those of the association."""

    def __init__(self, stack: ClientStack, port: StationPort) -> None:
        super().__init__(stack, port)
        self.stack = stack

    def send(self, request: StackRequest) -> None:
        """Send a request; raises what :meth:`ClientStack.send` raises, ConnectionLost after the end of the medium."""
        self.refuse_after_the_end()
        self.stack.send(request)
        self._take(self.stack.tick(self.time.now))
        self.go_on()

    def ask(self, request: StackRequest, limit: float = 3600.0) -> Any:
        """Send a request and let time pass until it has ended; return its result, or raise what it failed with.

        Notifications that come meanwhile are events, too.

        Raises RuntimeError where neither has come after ``limit`` seconds of virtual time.
        """
        first = len(self.events)
        self.send(request)
        event: Any = None

        def ended() -> bool:
            nonlocal first, event
            while event is None and len(self.events) > first:
                if not isinstance(self.events[first][1], Notified):
                    event = self.events[first][1]
                first += 1
            return event is not None

        if not self.time.run_until(ended, limit):
            raise RuntimeError(f"neither an answer nor an error within {limit:g} s: {request}")
        if isinstance(event, Completed):
            return event.result
        raise event.error

    def connection_lost(self, error: TransportError | None, /) -> None:
        """The medium has ended, and the association with it."""
        super().connection_lost(error)
        self._take(self.stack.lost(error or wording.closed_here(self.port.peer)))

    def failure(self, event: Any) -> CosemicError | None:
        """Return why the association was aborted."""
        return event.error if isinstance(event, Aborted) else None


class MeterStation(Driver):
    """A meter at a port."""

    def __init__(self, session: MeterSession, port: StationPort) -> None:
        super().__init__(session, port)
        self.session = session

    def over(self) -> bool:
        """Whether the session has ended."""
        return self.session.ended

    def connection_lost(self, error: TransportError | None, /) -> None:
        """The medium has ended, and all associations with it."""
        super().connection_lost(error)
        self.session.lost()
