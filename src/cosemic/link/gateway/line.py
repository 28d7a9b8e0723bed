"""A medium below a gateway, and the devices on it (IEC 62056-5-3, Annex C).

A line is the connection to one device, or a bus with several. On a line there is one request under way at a time, in
the order in which they came.

State table of a line::

    state     event                                    action                                        next
    free      a request waits, its link is connected   send the APDU; time-out starts                awaiting, or free *
    free      a request waits                          connect the link; time-out starts             connecting
    free      the client of a link has gone            disconnect the link; time-out starts          ending
    connecting  LinkConnected                          send the APDU; time-out starts again          awaiting, or free *
    connecting, awaiting   LinkDisconnected, LinkFailed, time-out   answer for the device            free
    awaiting  APDU to the SAP that asked, no notification           up with E7                       free
    ending    LinkDisconnected, LinkFailed, time-out   forget the link                               free
    any       the medium is gone                       answer for all devices from now on            free
    any       any other APDU of a device               up with the prefix of pushes                  the same

    * where it is an APDU that nobody answers: of an unconfirmed service, or a block that others follow

Nothing of a device is held back: late answers go up as well, the client knows what it waits for.

Bounds: ``most_links`` links on a line; requests as the gateway bounds them, APDUs as the links do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeAlias

from cosemic.apdu import PLAIN
from cosemic.errors import ConfigurationError, ConnectionLost, CosemicError
from cosemic.link.contract import ApduReceived, Link, LinkConnected, LinkEvent, LinkFailed, Octets
from cosemic.values import LineSettings, ServiceError

LinkFactory: TypeAlias = Callable[[int, int], Link]
"""Makes the link between a client SAP and a server SAP."""
_CONFIRMED: Final = 0x40
_SERVICE_CLASS_AT: Final = {0xC0: 2, 0xC1: 2, 0xC3: 2, 0xD9: 1}
"""get-, set-, action- and access-request: the octet whose bit 6 is the service class."""
_GBT: Final = 0xE0
_LAST_BLOCK_AND_STREAMING: Final = 0xC0
_STREAMING: Final = 0x40
_NOTIFICATIONS: Final = frozenset((0x0F, 0x18, 0xC2))
"""data-notification, information-report, event-notification."""
_NEVER_ANSWERED: Final = _NOTIFICATIONS | {0x10, 0x16}
"""And data-notification-confirm, unconfirmed-write-request."""


class DeviceId(NamedTuple):
    """How a prefix names a device."""

    network_id: int
    physical_device_address: bytes


def expects_answer(apdu: bytes) -> bool:
    """Return whether a device is to answer; True where that cannot be seen, as in ciphered APDUs."""
    tag, at = apdu[0], _SERVICE_CLASS_AT.get(apdu[0], 1)
    if len(apdu) <= at:
        return True
    if tag in _SERVICE_CLASS_AT:
        return bool(apdu[at] & _CONFIRMED)
    if tag == _GBT:
        return apdu[at] & _LAST_BLOCK_AND_STREAMING != _STREAMING
    return PLAIN.get(tag, tag) not in _NEVER_ANSWERED


class Place(NamedTuple):
    """Whom a link serves; SAPs are None where it serves any."""

    device: DeviceId
    client: int | None = None
    server: int | None = None


@dataclass(slots=True, eq=False)
class DeviceRequest:
    """A request for a device, between these SAPs; ``apdu`` is None where the link is to be disconnected."""

    device: DeviceId
    client: int
    server: int
    apdu: bytes | None
    sent: bool = False


class Upwards(Protocol):
    """What a line needs of its gateway."""

    @property
    def timeout(self) -> float:
        """Seconds that connecting a device may take, and then its answer."""

    def refuse(self, request: DeviceRequest, error: ServiceError, /) -> None:
        """Answer for a device."""

    def up(self, device: DeviceId, apdu: bytes, server: int, client: int, /, *, asked: bool) -> None:
        """Send an APDU of a device to a client."""

    def changed_at(self, line: GatewayLine, /) -> None:
        """Note that a line has to be served."""


class GatewayLine:
    """A medium below a gateway, sans-IO (the one contract of the house, without requests); made by the gateway.

    Its only event is LinkFailed, where the link of a line with one device has failed.
    """

    def __init__(
        self,
        gateway: Upwards,
        factories: Mapping[DeviceId, LinkFactory],
        links: Mapping[Place, Link],
        most_links: int = 1,
    ) -> None:
        self._gateway = gateway
        self._factories = dict(factories)
        self._links = dict(links)
        self._most_links = most_links
        self._queue: deque[DeviceRequest] = deque()
        self._current: DeviceRequest | None = None
        self._deadline: float | None = None
        self._failed = False

    @property
    def pending(self) -> int:
        """Requests that wait or are under way."""
        return len(self._queue) + (self._current is not None)

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the medium."""
        return self._happened([(at, event) for at, link in self._all() for event in link.receive(octets, now)], now)

    def octets_to_send(self) -> bytes:
        """Return what is due to the devices."""
        return next(filter(None, (link.octets_to_send() for _, link in self._all())), b"")

    def line_to_set(self) -> LineSettings | None:
        """Return what a link wants the line set to."""
        return next(filter(None, (link.line_to_set() for _, link in self._all())), None)

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        own = () if self._deadline is None else (self._deadline,)
        return min((*own, *(due for _, link in self._all() if (due := link.deadline()) is not None)), default=None)

    def tick(self, now: float) -> list[LinkEvent]:
        """Tell the time."""
        failed = self._happened([(at, event) for at, link in self._all() for event in link.tick(now)], now)
        if self._deadline is not None and now >= self._deadline:
            self._too_late()
            self._next(now)
        return failed

    def lost(self, now: float) -> None:
        """The medium is gone: the gateway answers for its devices from now on."""
        self._failed = True
        self._links.clear()
        if self._current is not None:
            self._give_up()
        self._next(now)

    # ---- for the gateway --------------------------------------------------------------------------------------------

    def add(self, request: DeviceRequest, now: float) -> None:
        """Take a request."""
        self._queue.append(request)
        self._next(now)

    def client_gone(self, saps: tuple[int, int] | None, now: float) -> None:
        """Forget what waits for a client (None: for any), and end the links that serve it."""

        def concerned(client: int | None, server: int | None) -> bool:
            return saps is None or (client, server) == saps

        self._queue = deque(each for each in self._queue if not concerned(each.client, each.server))
        current = self._current
        if current is not None and current.apdu is not None and concerned(current.client, current.server):
            at = self._place(current)
            if at.client is not None:
                if not current.sent:
                    self._links.pop(at, None)
                self._done()
        for at, link in self._all():
            if at.client is not None and at.server is not None and link.connected and concerned(at.client, at.server):
                self._queue.appendleft(DeviceRequest(at.device, at.client, at.server, None))
        self._next(now)
        self._gateway.changed_at(self)

    # ---- the state table --------------------------------------------------------------------------------------------

    def _happened(self, events: list[tuple[Place, LinkEvent]], now: float) -> list[LinkEvent]:
        for at, event in events:
            current = self._current
            mine = current is not None and at == self._place(current)
            if isinstance(event, ApduReceived):
                if event.apdu:
                    self._from_device(at.device, event, mine)
            elif isinstance(event, LinkConnected):
                if current is not None and mine:
                    self._transmit(current, now)
            else:
                if isinstance(event, LinkFailed) and at.client is None:
                    self._failed = True
                if at.client is not None:
                    self._links.pop(at, None)
                if mine:
                    self._give_up()
        self._next(now)
        return [event for at, event in events if isinstance(event, LinkFailed) and at.client is None]

    def _from_device(self, device: DeviceId, event: ApduReceived, mine: bool) -> None:
        current, tag = self._current, event.apdu[0]
        asked = (
            mine
            and current is not None
            and current.sent
            and (event.source, event.destination) == (current.server, current.client)
            and PLAIN.get(tag, tag) not in _NOTIFICATIONS
        )
        if asked:
            self._done()
        self._gateway.up(device, event.apdu, event.source, event.destination, asked=asked)

    def _next(self, now: float) -> None:
        """Begin with requests in turn until one has to be waited for."""
        while self._current is None and self._queue:
            self._current = request = self._queue.popleft()
            if request.apdu is None and self._place(request) not in self._links:
                self._done()
                continue
            try:
                link = self._link(request)
                if link.connected:
                    self._transmit(request, now)
                elif request.apdu is None:
                    self._done()
                else:
                    link.connect()
                    self._deadline = now + self._gateway.timeout
            except CosemicError:
                self._give_up()

    def _transmit(self, request: DeviceRequest, now: float) -> None:
        """The link of the current request is connected: send it, or disconnect the link."""
        link = self._link(request)
        self._deadline = now + self._gateway.timeout
        if request.apdu is None:
            link.disconnect()
            return
        try:
            link.send(request.apdu, source=request.client, destination=request.server)
        except CosemicError:
            self._give_up(ServiceError.OTHER_REASON)
            return
        request.sent = True
        if not expects_answer(request.apdu):
            self._done()

    def _too_late(self) -> None:
        """The time of the current request has passed."""
        request = self._current
        if request is not None and not request.sent:
            place = self._place(request)
            if place.client is None:
                self._links[place].disconnect()
            else:
                self._links.pop(place, None)
        self._give_up()

    def _give_up(self, error: ServiceError = ServiceError.OPERATION_NOT_POSSIBLE) -> None:
        request = self._current
        self._done()
        if request is not None:
            self._gateway.refuse(request, error)

    def _done(self) -> None:
        self._current = None
        self._deadline = None

    # ---- links ------------------------------------------------------------------------------------------------------

    def _all(self) -> list[tuple[Place, Link]]:
        return list(self._links.items())

    def _place(self, request: DeviceRequest) -> Place:
        if request.device in self._factories:
            return Place(request.device, request.client, request.server)
        return Place(request.device)

    def _link(self, request: DeviceRequest) -> Link:
        """Return the link that serves a request; raises CosemicError where there is none, and none can be made."""
        if self._failed:
            raise ConnectionLost("the medium of this device has failed")
        place = self._place(request)
        link = self._links.get(place)
        if link is None:
            if len(self._links) >= self._most_links:
                raise ConfigurationError(f"{self._most_links} links are in use on this line")
            self._links[place] = link = self._factories[request.device](request.client, request.server)
        return link
