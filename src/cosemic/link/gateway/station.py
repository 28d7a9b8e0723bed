"""The gateway itself: one link upwards, devices on lines below, sans-IO (IEC 62056-5-3, Annex C).

::

    client == upper link == Gateway -- GatewayLine == link == device         a request with prefix E6 goes down without
                               |                   == link == device         it; the answer goes up with prefix E7
                               +-- its own device                            APDUs without prefix

:class:`Gateway` is a link itself, that of the gateway's own device: what comes without a prefix is an event, what is
sent goes up without one.

State table: what becomes of an APDU that comes from above::

    begins with                                   what becomes of it
    E6 and a device of a line                     waits for its turn there (:mod:`cosemic.link.gateway.line`)
    E6 and a device that is not known             the gateway answers for it
    E6, and too much waits already                the gateway answers for it
    E6 that cannot be read, or with nothing; E7   passed over
    anything else                                 for the gateway's own device

Where the gateway answers for a device (unknown, unreachable, silent, too much to do) it is by an exception-response
with the prefix of that device, or not at all: see :class:`Unreachable`; the text leaves it open.

Bounds: ``most_pending`` requests that wait or are under way, beyond which they are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from cosemic.apdu import ExceptionResponse, GatewayRequest, GatewayResponse
from cosemic.errors import ConfigurationError, ConnectionLost, CosemicError, DecodeError
from cosemic.link.contract import ApduReceived, Link, LinkDisconnected, LinkEvent, LinkFailed, Octets
from cosemic.link.gateway.line import DeviceId, DeviceRequest, GatewayLine, LinkFactory, Place, expects_answer
from cosemic.link.gateway.prefix import REQUEST, RESPONSE, check_device
from cosemic.values import GatewayType, LineSettings, ServiceError, StateError

_PREFIXES: Final = (bytes((REQUEST,)), bytes((RESPONSE,)))


class Unreachable(Enum):
    """What a client gets for a request that no device answers."""

    EXCEPTION_RESPONSE = "exception-response"
    SILENCE = "silence"


class Gateway:
    """The gateway, as the link of its own device.

    upper: the link to the clients, without SAPs of its own. timeout: seconds that connecting a device may take, and
    then its answer. most_pending: requests for devices, all together. unreachable: what a client gets where no device
    answers. push_prefix: of what nobody asked for (the text does not settle it; clients take both).

    Devices come with :meth:`line` and :meth:`bus`. What happens here may make octets due there, and the other way
    round: a driver serves all that :meth:`changed` returns after each call to any of them.
    """

    def __init__(
        self,
        upper: Link,
        *,
        timeout: float = 20.0,
        most_pending: int = 64,
        unreachable: Unreachable = Unreachable.EXCEPTION_RESPONSE,
        push_prefix: GatewayType = GatewayType.RESPONSE,
    ) -> None:
        if timeout <= 0 or most_pending < 1:
            raise ConfigurationError("a gateway needs a time-out above 0 and room for one request or more")
        self._timeout = timeout
        self.passed_over = 0
        """APDUs with a prefix that cannot be read, or of the wrong direction."""
        self.not_delivered = 0
        """APDUs of devices that found no client."""
        self._upper = upper
        self._most_pending = most_pending
        self._unreachable = unreachable
        self._push_prefix = GatewayRequest if push_prefix is GatewayType.REQUEST else GatewayResponse
        self._lines: list[GatewayLine] = []
        self._line_of: dict[DeviceId, GatewayLine] = {}
        self._changed: dict[Gateway | GatewayLine, None] = {}

    @property
    def timeout(self) -> float:
        """Seconds that connecting a device may take, and then its answer."""
        return self._timeout

    # ---- the network below ------------------------------------------------------------------------------------------

    def line(self, device: DeviceId, link: Link) -> GatewayLine:
        """Add a medium with one device, whose link serves any SAPs (the wrapper). The line ends with its link.

        Raises ConfigurationError for a device that cannot be named in a prefix, or is there already.
        """
        return self._add(GatewayLine(self, {}, {Place(device): link}), (device,))

    def bus(self, devices: Mapping[DeviceId, LinkFactory], *, most_links: int = 64) -> GatewayLine:
        """Add a medium with devices that each have a link for every pair of SAPs (HDLC); all hear what comes.

        A link that fails is forgotten, and made anew for the next request. Raises ConfigurationError as :meth:`line`.
        """
        return self._add(GatewayLine(self, devices, {}, most_links), tuple(devices))

    def remove(self, line: GatewayLine, now: float) -> None:
        """Take a line and its devices away, as where its medium is gone and a new one takes its place."""
        line.lost(now)
        self._lines.remove(line)
        self._line_of = {device: each for device, each in self._line_of.items() if each is not line}
        self._changed.pop(line, None)

    def changed(self) -> list[Gateway | GatewayLine]:
        """Return what has to be served (send, ask for the deadline) since this was last asked."""
        changed = list(self._changed)
        self._changed.clear()
        return changed

    def lost(self, now: float) -> None:
        """The medium to the clients is gone: what waits is forgotten, and the devices are disconnected."""
        for line in self._lines:
            line.client_gone(None, now)

    def _add(self, line: GatewayLine, devices: tuple[DeviceId, ...]) -> GatewayLine:
        for device in devices:
            check_device(*device)
            if device in self._line_of:
                raise ConfigurationError(f"device {device.physical_device_address.hex()} is on another line already")
        self._line_of.update(dict.fromkeys(devices, line))
        self._lines.append(line)
        return line

    # ---- the contract of links, for the own device ------------------------------------------------------------------

    @property
    def connection_oriented(self) -> bool:
        """Whether the upper link is."""
        return self._upper.connection_oriented

    @property
    def connected(self) -> bool:
        """Whether APDUs may be sent to clients."""
        return self._upper.connected

    def connect(self) -> None:
        """Begin to connect the upper link."""
        self._upper.connect()

    def disconnect(self) -> None:
        """Begin to disconnect the upper link."""
        self._upper.disconnect()

    def line_to_set(self) -> LineSettings | None:
        """Return what the upper link wants the line set to."""
        return self._upper.line_to_set()

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Send an APDU of the gateway's own device; raises what the upper link raises."""
        self._upper.send(apdu, source=source, destination=destination)

    def octets_to_send(self) -> bytes:
        """Return what is due to the clients."""
        return self._upper.octets_to_send()

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the clients; return what is for the gateway's own device, and what happens to the link."""
        return self._happened(self._upper.receive(octets, now), now)

    def deadline(self) -> float | None:
        """Return when the upper link wants to be told the time."""
        return self._upper.deadline()

    def tick(self, now: float) -> list[LinkEvent]:
        """Tell the time to the upper link; lines are told apart."""
        return self._happened(self._upper.tick(now), now)

    def _happened(self, events: list[LinkEvent], now: float) -> list[LinkEvent]:
        own: list[LinkEvent] = []
        for event in events:
            if isinstance(event, ApduReceived) and event.apdu[:1] in _PREFIXES:
                self._forward(event, now)
                continue
            if isinstance(event, LinkDisconnected):
                for line in self._lines:
                    line.client_gone((event.source, event.destination), now)
            elif isinstance(event, LinkFailed):
                self.lost(now)
            own.append(event)
        return own

    # ---- between the two --------------------------------------------------------------------------------------------

    def _forward(self, event: ApduReceived, now: float) -> None:
        try:
            prefixed = GatewayRequest.decode(event.apdu)
        except DecodeError:
            self.passed_over += 1
            return
        if not prefixed.user_information:
            self.passed_over += 1
            return
        device = DeviceId(prefixed.network_id, prefixed.physical_device_address)
        request = DeviceRequest(device, event.source, event.destination, prefixed.user_information)
        line = self._line_of.get(device)
        if line is None:
            self.refuse(request, ServiceError.OPERATION_NOT_POSSIBLE)
        elif sum(each.pending for each in self._lines) >= self._most_pending:
            self.refuse(request, ServiceError.OTHER_REASON)
        else:
            line.add(request, now)
            self.changed_at(line)

    def refuse(self, request: DeviceRequest, error: ServiceError) -> None:
        """Answer for a device."""
        if self._unreachable is Unreachable.EXCEPTION_RESPONSE and request.apdu and expects_answer(request.apdu):
            answer = ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, (error, None)).encode()
            self.up(request.device, answer, request.server, request.client, asked=True)

    def up(self, device: DeviceId, apdu: bytes, server: int, client: int, *, asked: bool) -> None:
        """Send an APDU of a device to a client."""
        prefix = GatewayResponse if asked else self._push_prefix
        try:
            if not self._upper.connected:
                raise ConnectionLost("no client is connected")
            self._upper.send(prefix(*device, apdu).encode(), source=server, destination=client)
        except CosemicError:
            self.not_delivered += 1
        self.changed_at(self)

    def changed_at(self, machine: Gateway | GatewayLine) -> None:
        """Note that a machine has to be served."""
        self._changed[machine] = None
