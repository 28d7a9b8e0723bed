"""Link and association of one client on one connection, sans-IO; a driver carries its octets.

::

    Open         where the link has a data link connection of its own: connect it, then open the association
    services     as :mod:`cosemic.association.client`; those to all stations need no data link connection
    Release      ends the association
    Disconnect   ends the data link connection, in order (DL-DISCONNECT), where one stands
    Poll         gives the turn to a meter that may not send by itself, for its notifications (TriggerEventNotification)

What ends the data link connection, or the link, ends the association (COSEM-ABORT, IEC 62056-5-3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from cosemic.association.repeating import client_association
from cosemic.association.requests import Completed, Event, Failed, Open, Request
from cosemic.association.settings import ClientSettings
from cosemic.errors import AssociationError, ConfigurationError, ConnectionLost, CosemicError
from cosemic.link.contract import UNARMED, ApduReceived, Link, LinkConnected, LinkDisconnected, LinkEvent
from cosemic.link.hdlc import HdlcPrimaryLink
from cosemic.link.wrapper import ALL_STATION, WrapperLink
from cosemic.values import AuthenticationMechanism, LineSettings

PUBLIC_CLIENT: Final = 16
MANAGEMENT_LOGICAL_DEVICE: Final = 1
_AARQ: Final = 0x60
_LEAST_MASKED: Final = 3
"""Octets of a password in a row that are masked: a link may cut it anywhere."""


@dataclass(slots=True, eq=False)
class Disconnect:
    """DL-DISCONNECT.request: end the data link connection, where one stands (:attr:`ClientStack.linked`)."""


@dataclass(slots=True, eq=False)
class Poll:
    """TriggerEventNotification.request: ask the meter for what it holds back, where the link has it wait for a poll.

    It has ended when the turn is back; what came are events of their own.
    """


StackRequest = Request | Disconnect | Poll
LinkFactory: TypeAlias = Callable[[int, int], Link]
"""Makes the link between a client SAP and a server SAP."""


def wrapper(client_sap: int, server_sap: int) -> Link:
    """Return the wrapper, which serves any pair of SAPs."""
    return WrapperLink()


@dataclass(slots=True)
class Traffic:
    """What a connection has cost; ``round_trips`` counts APDUs sent, or windows of blocks, that wait for an answer."""

    round_trips: int = 0
    octets_sent: int = 0
    octets_received: int = 0


class Layer(Enum):
    """Where octets are seen."""

    MEDIUM = "medium"
    """As they pass the medium: APDUs in the frames of the link, cut as they come."""
    APDU = "apdu"
    """Whole APDUs, protected as they are sent."""
    PLAIN = "plain"
    """The plaintext of ciphered APDUs."""


class Trace(Protocol):
    """Sees the octets of every layer as they pass; it must not fail, and not keep the stack waiting.

    A password of low level security is masked, but for one or two octets where a link cuts it; keys are in no octets.
    What is written to a meter is seen as it is sent.
    """

    @property
    def plaintext(self) -> bool:
        """Whether it is to see the plaintext of ciphered APDUs."""

    def connected(self, peer: str) -> None:
        """A connection was made; what is seen from now on belongs to it."""

    def octets(self, layer: Layer, sent: bool, octets: bytes) -> None:
        """See octets that this side sent, or received."""


class ClientStack:
    """Link and association of one client on one connection, sans-IO (the one contract of the house).

    Another association may take the place of the present one (:meth:`use`) while none of its requests is served.
    link: makes the link between two SAPs, the wrapper unless told. trace: sees what passes. Raises ConfigurationError
    for the server SAP of all stations, where settings want anything to be answered, or the link cannot reach them.
    """

    def __init__(
        self,
        settings: ClientSettings,
        client_sap: int,
        server_sap: int,
        trace: Trace | None = None,
        link: LinkFactory = wrapper,
    ) -> None:
        self.traffic = Traffic()
        self._trace = trace
        self._masked = b""
        """The password of an opening that is under way."""
        self._make_link = link
        self._link = link(client_sap, server_sap)
        self.steady = False
        """Whether the link has no time-outs, and nothing is held back or repeated."""
        self.whole = False
        """Whether all that is due is handed out at once, and the line never changes."""
        self._unanswered: set[tuple[int, int]] = set()
        """SAPs between which the late answer to an opening or release may still come."""
        self._held: Open | Disconnect | Poll | None = None
        """What the data link connection is waited for with, or what has the turn."""
        self._polled = self._turn_back = False
        """The poll has left; nothing is due any more, and nothing awaited."""
        self._over = False
        """The medium is gone, or the link; with it every data link connection."""
        self._take(settings, client_sap, server_sap)

    def use(self, settings: ClientSettings, client_sap: int, server_sap: int) -> None:
        """Go on with a fresh association between these SAPs.

        Raises AssociationError while a request is being served, and where the answer to an opening or release between
        these SAPs is still out: it could not be told from the next one. A data link connection belongs to its SAPs: it
        has to be ended before (:class:`Disconnect`).
        """
        if self.busy:
            raise AssociationError("a request is being served: wait for its answer, or cancel it")
        if (client_sap, server_sap) != (self.client_sap, self.server_sap) and self._link.connection_oriented:
            if self.linked:
                raise AssociationError("the data link connection is between other SAPs: disconnect first")
            self._link = self._make_link(client_sap, server_sap)
        if self.association.unanswered:
            self._unanswered.add((self.client_sap, self.server_sap))
        if (client_sap, server_sap) in self._unanswered:
            raise AssociationError("an opening or release between these SAPs was not answered: connect again")
        self._take(settings, client_sap, server_sap)

    def _take(self, settings: ClientSettings, client_sap: int, server_sap: int) -> None:
        self._to_all = server_sap == ALL_STATION or (
            isinstance(self._link, HdlcPrimaryLink) and server_sap == self._link.all_station
        )
        if self._to_all and (settings.pre_established is None or settings.confirmed):
            raise ConfigurationError(
                f"the server SAP {server_sap} is that of all stations, which serve unconfirmed requests only and "
                "answer nothing: name the SAP of one logical device, or settings that are pre-established and not "
                "confirmed"
            )
        if self._to_all and self._link.connection_oriented and not isinstance(self._link, HdlcPrimaryLink):
            raise ConfigurationError("this link reaches no stations but one: name the SAP of one logical device")
        self.steady = isinstance(self._link, WrapperLink) and not settings.repetitions
        self.whole = isinstance(self._link, WrapperLink | HdlcPrimaryLink)
        self.association = client_association(settings)
        if self._trace is not None and self._trace.plaintext:
            self.association.observer = partial(self._trace.octets, Layer.PLAIN)
        self.client_sap = client_sap
        self.server_sap = server_sap

    @property
    def linked(self) -> bool:
        """Whether a data link connection stands, which wants to be ended in order."""
        return self._link.connection_oriented and self._link.connected and not self._over

    @property
    def busy(self) -> bool:
        """Whether a request is being served."""
        return self._held is not None or self.association.busy

    def send(self, request: StackRequest) -> None:
        """Take a request; raises what :meth:`ClientAssociation.send` and the link raise."""
        if self._held is not None:
            raise AssociationError("a request is being served: wait for its answer, or cancel it")
        if isinstance(request, Disconnect):
            self._link.disconnect()
            self._held = request
        elif isinstance(request, Poll):
            self._poll()
            self._held = request
        elif type(request) is Open and not self._link.connected and not self._to_all:
            self._link.connect()
            self._held = request
        else:
            self.association.send(request)
            try:
                self._forward()
            except CosemicError:
                self.association.cancel()
                raise

    def cancel(self) -> None:
        """Give up the request being served, if any; see :meth:`ClientAssociation.cancel`."""
        held, self._held = self._held, None
        if held is not None and not isinstance(held, Poll):
            self._link.disconnect()
        self.association.cancel()

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Take octets of the medium; return the events of the association."""
        self.traffic.octets_received += len(octets)
        if self._trace is not None:
            self._trace.octets(Layer.MEDIUM, False, self._shown(octets))
        return self._happened(self._link.receive(octets, now), now)

    def octets_to_send(self) -> bytes:
        """Return octets that are due on the medium; see the contract of links."""
        octets = self._link.octets_to_send()
        if isinstance(self._held, Poll):
            self._polled = self._polled or bool(octets)
            self._turn_back = self._polled and self._link.deadline() is None
        if not octets:
            return octets
        self.traffic.octets_sent += len(octets)
        if self._trace is not None:
            self._trace.octets(Layer.MEDIUM, True, self._shown(octets))
        return octets

    def line_to_set(self) -> LineSettings | None:
        """Return how the port is to be set when the octets handed out have left it, once."""
        return self._link.line_to_set()

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        own = self.association.deadline()
        if self.steady:
            return own
        link = self._link.deadline()
        if self._turn_back and isinstance(self._held, Poll):
            return UNARMED
        return own if link is None else link if own is None else min(own, link)

    def tick(self, now: float) -> list[Event]:
        """Tell the time."""
        if self.steady:
            return self.association.tick(now) + self._go_on()
        happenings = self._link.tick(now)
        events = self._happened(happenings, now) if happenings else []
        events += self.association.tick(now)
        return events + self._go_on() + self._poll_over()

    def lost(self, error: CosemicError, refused: bool = False) -> list[Event]:
        """The medium is gone; refused: see :meth:`ClientAssociation.lost`."""
        self._over = True
        held, self._held = self._held, None
        if held is None:
            return self.association.lost(error, refused)
        told = Completed(held, None) if isinstance(held, Disconnect) else Failed(held, error)
        return [told, *self.association.lost(error)]

    def _happened(self, happenings: list[LinkEvent], now: float) -> list[Event]:
        """What events of the link mean to the association."""
        events: list[Event] = []
        for event in happenings:
            if isinstance(event, ApduReceived):
                if event.destination == self.client_sap and event.source == self.server_sap:
                    if self._trace is not None:
                        self._trace.octets(Layer.APDU, False, event.apdu)
                    events += self.association.receive(event.apdu, now)
                    events += self._go_on()  # the request goes on, ends in order, or something is confirmed
            elif isinstance(event, LinkConnected):
                events += self._connected(now)
            elif isinstance(event, LinkDisconnected):
                events += self._disconnected(event.error, event.refused)
            else:
                events += self.lost(event.error)
        return events

    def _connected(self, now: float) -> list[Event]:
        """The data link connection stands: go on with the opening that waits for it."""
        self._over = False
        held = self._held
        if not isinstance(held, Open):
            return []
        self._held = None
        try:
            self.association.send(held)
        except CosemicError as error:
            return [Failed(held, error)]
        events = self.association.tick(now)
        return events + self._go_on()

    def _disconnected(self, error: CosemicError | None, refused: bool) -> list[Event]:
        """The data link connection has ended; where it was asked for, that is all, otherwise it is an abort."""
        if isinstance(self._held, Disconnect):
            held, self._held = self._held, None
            self.association.left()
            return [Completed(held, None)]
        why = error or ConnectionLost("the meter has ended the data link connection: connect again")
        return self.lost(why, refused)

    def _go_on(self) -> list[Event]:
        """Send what is due; where the link does not take it, that is the end."""
        try:
            self._forward()
        except ConnectionLost:
            return []  # the link tells that itself, and why
        except CosemicError as error:
            return self.lost(error)
        return []

    def _poll(self) -> None:
        """Poll the meter. Raises AssociationError where the link knows nothing of the kind."""
        link: Any = self._link
        while not hasattr(link, "poll"):
            link = getattr(link, "inner", None)
            if link is None:
                raise AssociationError("a meter on this link sends by itself: there is nothing to poll it for")
        self._polled = self._turn_back = False
        link.poll()

    def _poll_over(self) -> list[Event]:
        """The turn is back after a poll."""
        held = self._held
        if not isinstance(held, Poll) or not self._turn_back:
            return []
        self._held = None
        return [Completed(held, None)]

    def _forward(self) -> None:
        apdu = self.association.octets_to_send()
        if apdu:
            self.traffic.round_trips += 1
        while apdu:
            if self._trace is not None:
                settings = self.association.settings
                opens = apdu[0] == _AARQ and settings.mechanism is AuthenticationMechanism.LLS
                self._masked = settings.secret.reveal() if opens and settings.secret else b""
                self._trace.octets(Layer.APDU, True, self._shown(apdu))
            self._link.send(apdu, source=self.client_sap, destination=self.server_sap)
            apdu = self.association.octets_to_send()

    def _shown(self, octets: bytes) -> bytes:
        """Octets with the password of an opening masked, in whatever pieces, however often and in whatever echo."""
        password = self._masked
        if not password:
            return octets
        shown, least = bytearray(octets), min(_LEAST_MASKED, len(password))
        for at in range(len(octets) - least + 1):
            if octets[at : at + least] in password:
                shown[at : at + least] = b"*" * least
        return bytes(shown)
