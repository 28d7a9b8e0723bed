"""A physical device behind one link, sans-IO: octets of a client in, octets of the meter out.

::

    octets  -->  Link  --APDU, SAPs-->  DeviceAssociation of that pair  --answer-->  Link  -->  octets

For each pair of SAPs that the device knows there is one association. What is held is bounded: APDUs by the link, the
associations by the pairs configured, answers to octets that came at once by :data:`MOST_ANSWERED_AT_ONCE`. Whatever
octets come are answered, passed over, or end the session. A data link connection that ends, ends its association. What
is sent to all stations goes to every association of its client, those that are pre-established included, and is not
answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cosemic.association.server_events import Associated
from cosemic.errors import AuthenticationFailed, ConnectionLost, EncodeError
from cosemic.link.contract import ApduReceived, Link, LinkDisconnected, LinkEvent, LinkFailed, Octets
from cosemic.link.wrapper import ALL_STATION
from cosemic.security.tls_identity import check_certified_title
from cosemic.server.physical_device import DeviceAssociation, PhysicalDevice
from cosemic.values import LineSettings

MOST_ANSWERED_AT_ONCE: Final = 1 << 20
"""Octets. A client has one request under way in each association; one that sends thousands at once is cut off."""


class MeterSession:
    """One connection to a physical device; ``ended`` once the medium is to be closed, after what is due was sent.

    certified: whether the client has proved by ``certificate`` (DER) who it is: a system title that its association
    names has to be that of the certificate, or the session ends without an answer (TLS, IEC 62056-9-7).
    """

    def __init__(
        self, device: PhysicalDevice, link: Link, *, certified: bool = False, certificate: bytes | None = None
    ) -> None:
        self._device = device
        self._link = link
        self._associations: dict[tuple[int, int], DeviceAssociation] = {}
        self._certified = certified
        self._certificate = certificate
        self._cut_off = False
        self._unanswered = _unanswered(link)
        self.ended = False

    def receive(self, octets: Octets, now: float) -> None:
        """Take octets of the medium."""
        self._happened(self._link.receive(octets, now), now)

    def octets_to_send(self) -> bytes:
        """Return octets that are due on the medium; see the contract of links."""
        octets = self._link.octets_to_send()
        return b"" if self._cut_off else octets

    def line_to_set(self) -> LineSettings | None:
        """Return how the port is to be set when the octets handed out have left it, once."""
        return self._link.line_to_set()

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        deadlines = [self._link.deadline(), *(each.deadline() for each in self._associations.values())]
        return min((one for one in deadlines if one is not None), default=None)

    def tick(self, now: float) -> None:
        """Tell the time."""
        self._happened(self._link.tick(now), now)
        for (client, server), association in self._associations.items():
            deadline = association.deadline()
            if deadline is not None and deadline <= now:
                association.tick(now)
                self._send(association, client, server)

    def lost(self) -> None:
        """The medium is gone: abort all associations."""
        for association in self._associations.values():
            association.lost()
        self._associations.clear()

    def _happened(self, events: list[LinkEvent], now: float) -> None:
        answered = 0
        for event in events:
            if self.ended:
                return
            if isinstance(event, ApduReceived):
                answered += self._answer(event, now)
                self._cut_off = self._cut_off or answered > MOST_ANSWERED_AT_ONCE
                self.ended = self._cut_off
            elif isinstance(event, LinkDisconnected):
                association = self._associations.pop((event.source, event.destination), None)
                if association is not None:
                    association.lost()
            elif isinstance(event, LinkFailed):
                self.ended = True

    def _answer(self, event: ApduReceived, now: float) -> int:
        """Hand an APDU to its association; return how many octets its answer has."""
        pair = event.source, event.destination
        if event.destination == ALL_STATION:
            for sap in self._device.pre_established(event.source):
                self._association(event.source, sap)
            for (client, _), each in self._associations.items():
                if client == event.source:
                    each.receive_broadcast(event.apdu, now)
            return 0
        association = self._association(*pair)
        answered = 0
        if association is not None:
            for happened in association.receive(event.apdu, now):
                if isinstance(happened, Associated):
                    self._check(happened.client_title)
            answered = self._send(association, *pair)
        if not answered and self._unanswered is not None:
            self._unanswered(event.destination, event.source)
        return answered

    def _send(self, association: DeviceAssociation, client: int, server: int) -> int:
        """Send what is due; return how many octets that is."""
        answered = 0
        while answer := association.octets_to_send():
            answered += len(answer)
            try:
                self._link.send(answer, source=server, destination=client)
            except (EncodeError, ConnectionLost):
                continue  # no frame of the link can carry it, or nobody can be reached: no answer, as where it is lost
        return answered

    def _association(self, client_sap: int, server_sap: int) -> DeviceAssociation | None:
        """Return the association of a pair of SAPs, made where there is none; None where the device knows no such."""
        pair = client_sap, server_sap
        association = self._associations.get(pair)
        if association is not None and association.gone:
            association.lost()
            del self._associations[pair]
            association = None
        if association is None:
            association = self._device.association(*pair)
            if association is None:
                return None
            self._associations[pair] = association
            if association.agreement is not None:  # it is pre-established
                self._check(association.agreement.client_title)
        return association

    def _check(self, client_title: bytes | None) -> None:
        """End the session where an association names another system title than the certificate."""
        if self._certified and client_title is not None:
            try:
                check_certified_title(self._certificate, client_title)
            except AuthenticationFailed:
                self._cut_off = True
                self.lost()


def _unanswered(link: Any) -> Callable[[int, int], None] | None:
    """Return how a link is told that there is no answer, where it would keep the turn for one."""
    while link is not None and not hasattr(link, "unanswered"):
        link = getattr(link, "inner", None)
    return None if link is None else link.unanswered
