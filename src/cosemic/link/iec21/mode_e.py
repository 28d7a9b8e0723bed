"""Mode E of IEC 62056-21: the sign-on before HDLC, as a link around the HDLC link (6.4.5; IEC 62056-46, annex).

::

    reader                          meter
    /?!                     300 7E1
                                    /XXX5\\2IDENT
    ACK 2 5 2
                                    ACK 2 5 2        some meters keep silent, and the reader waits for 2 s
    ------------------------------- both change to 9600 8N1 -------------------------------
    SNRM ...                        UA ...           HDLC
    DISC                            UA
    ------------------------------- both change to 300 7E1 --------------------------------

=============  =====================  ============================================================================
client link    on                     and then
=============  =====================  ============================================================================
OFF            connect                the sign-on
SIGNING ON     signed on              ``connect`` of the inner link; failed: LinkFailed
HANDED OVER    LinkConnected          APDUs go through. No connection left: 300 7E1, OFF; failed: 300 7E1, LinkFailed
=============  =====================  ============================================================================

The server link answers every mode that its :class:`Iec21Server` knows; octets are the inner link's from HandedOver to
the LinkDisconnected of its last connection. Where nobody connects within ``silence`` of its settings, it is a meter at
300 baud again.
"""

from __future__ import annotations

from collections.abc import Sequence

from cosemic.errors import ConnectionFailed
from cosemic.link.contract import Link, LinkDisconnected, LinkEvent, LinkFailed, Octets
from cosemic.link.iec21.client import Iec21Client
from cosemic.link.iec21.requests import Completed, EnterHdlc
from cosemic.link.iec21.requests import Event as ClientEvent
from cosemic.link.iec21.server import HandedOver, Iec21Server
from cosemic.link.iec21.server import State as ServerState
from cosemic.link.iec21.settings import ClientSettings
from cosemic.link.iec21.sign_on import State
from cosemic.values import LineSettings


class _Around:
    """What both ends share: the inner link, and the line that it stands on from time to time."""

    def __init__(self, inner: Link, outer: Iec21Client | Iec21Server) -> None:
        self.inner = inner
        self._outer = outer

    @property
    def connection_oriented(self) -> bool:
        """Return True: there is a sign-on at least."""
        return True

    @property
    def connected(self) -> bool:
        """Whether APDUs may be sent."""
        return self._inside and self.inner.connected

    @property
    def _inside(self) -> bool:
        """Whether the line is the inner link's."""
        return self._outer.state in (State.HANDED_OVER, ServerState.HANDED_OVER)

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Take an APDU to the peer through the inner link; raises what that raises."""
        self.inner.send(apdu, source=source, destination=destination)

    def octets_to_send(self) -> bytes:
        """Return the octets that are due: of the sign-on, or of the inner link."""
        line = self._outer.line
        octets = self._outer.octets_to_send()
        if octets or line.stepping or not self._inside:
            return octets
        return line.others_sent(self.inner.octets_to_send())

    def line_to_set(self) -> LineSettings | None:
        """Return how the port is to be set now, once."""
        return self._outer.line_to_set()

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        deadlines = (self._outer.deadline(), self.inner.deadline() if self._inside else None)
        return min((each for each in deadlines if each is not None), default=None)

    def _through(self, events: list[LinkEvent]) -> list[LinkEvent]:
        """Take the line back where the inner link is over; what it has to say still goes before."""
        if any(self._is_end(event) for event in events):
            while octets := self.inner.octets_to_send():
                self._outer.line.put(octets)
            self._outer.resume()
        return events

    def _is_end(self, event: LinkEvent) -> bool:
        """Whether the line goes back: a repeated SNRM ends a connection too, but makes another."""
        return isinstance(event, LinkFailed) or (isinstance(event, LinkDisconnected) and not self.inner.connected)


class ModeEClientLink(_Around):
    """A client's link to a meter in mode E.

    inner: the link that takes over, in general a primary HDLC station that is not connected. settings: of the sign-on.
    line: how the port is set; None: not known. A sign-on that leads to nothing ends in LinkFailed.
    """

    def __init__(
        self, inner: Link, settings: ClientSettings | None = None, *, line: LineSettings | None = None
    ) -> None:
        self.client = Iec21Client(settings, line=line)
        self._failed = False
        super().__init__(inner, self.client)

    def connect(self) -> None:
        """Begin the sign-on, and then the connection of the inner link.

        Raises ConnectionFailed where the link has failed.
        """
        if self._failed:
            raise ConnectionFailed("this mode E link has failed: make a new one to sign on again")
        if not self._inside and not self.client.busy:
            self.client.send(EnterHdlc())

    def disconnect(self) -> None:
        """Begin to end the connection; a sign-on that has not come to its end is given up."""
        if self._inside:
            self.inner.disconnect()
        else:
            self.client.cancel()

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the line, cut anywhere."""
        if self._inside:
            return self._told(self._through(self.inner.receive(self.client.line.heard(octets, now), now)))
        return self._told(self._signed_on(self.client.receive(octets, now)))

    def tick(self, now: float) -> list[LinkEvent]:
        """Tell the time."""
        events = self._through(self.inner.tick(now)) if self._inside else []
        return self._told(events + self._signed_on(self.client.tick(now)))

    def _told(self, events: list[LinkEvent]) -> list[LinkEvent]:
        self._failed = self._failed or any(isinstance(event, LinkFailed) for event in events)
        return events

    def _signed_on(self, events: Sequence[ClientEvent]) -> list[LinkEvent]:
        found: list[LinkEvent] = []
        for event in events:
            if isinstance(event, Completed):
                self.inner.connect()
            else:
                found.append(LinkFailed(event.error))
        return found


class ModeEServerLink(_Around):
    """A meter's link: IEC 62056-21 in the modes of ``server``, HDLC where mode E is selected.

    inner: the link that takes over, in general a secondary HDLC station. server: its identification offers mode E.
    """

    def __init__(self, inner: Link, server: Iec21Server) -> None:
        self.server = server
        super().__init__(inner, server)

    def connect(self) -> None:
        """Do nothing: the reader connects."""

    def disconnect(self) -> None:
        """Begin to end the connection. Without effect where there is none."""
        if self._inside:
            self.inner.disconnect()

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the line, cut anywhere."""
        if self._inside:
            return self._passed(self.inner.receive(self.server.line.heard(octets, now), now))
        if not any(isinstance(event, HandedOver) for event in self.server.receive(octets, now)):
            return []
        rest = self.server.rest()
        return self._passed(self.inner.receive(rest, now)) if rest else []

    def tick(self, now: float) -> list[LinkEvent]:
        """Tell the time."""
        events = self._passed(self.inner.tick(now)) if self._inside else []
        self.server.tick(now)
        return events

    def _passed(self, events: list[LinkEvent]) -> list[LinkEvent]:
        if self.inner.connected:
            self.server.hold()
        return self._through(events)
