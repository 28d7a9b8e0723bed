"""The prefix of the gateway protocol, client side (IEC 62056-5-3, Annex C).

::

    request     E6 network-id(1) address-length(1) physical-device-address APDU
    response    E7 network-id(1) address-length(1) physical-device-address APDU

The prefix stands before every APDU to and from a device behind a gateway, the AARQ included, inside whatever carries
APDUs. ``address-length`` counts the address only. :class:`GatewayLink` is the client's link to one such device;
:mod:`cosemic.link.gateway.station` is the gateway.

State table: none of its own; that of the inner link holds. What comes::

    begins with                          what becomes of it
    E7 and our network and address       delivered without the prefix
    E6 and our network and address       the same: a push, where the text leaves open which prefix it has
    another E6 or E7                     passed over: it is for the client of another device
    D8 (exception-response)              delivered, unless ``unprefixed_errors=False``: the gateway refuses something
    anything else                        passed over: it comes from the gateway's own device
"""

from __future__ import annotations

from typing import Final

from cosemic.apdu import ExceptionResponse, GatewayRequest, GatewayResponse
from cosemic.errors import ConfigurationError
from cosemic.link.contract import ApduReceived, Link, LinkEvent, Octets
from cosemic.values import LineSettings

MAX_ADDRESS: Final = 127
"""Octets of a physical device address: up to here the length is one octet however it is read."""
REQUEST: Final = GatewayRequest.prefix[0]
RESPONSE: Final = GatewayResponse.prefix[0]
EXCEPTION: Final = ExceptionResponse.prefix[0]


def check_device(network_id: int, address: bytes) -> None:
    """Raise ConfigurationError where this cannot stand in a prefix."""
    if not 0 <= network_id <= 0xFF:
        raise ConfigurationError(f"network {network_id} is no network-id (0..255): correct the network")
    if len(address) > MAX_ADDRESS:
        raise ConfigurationError(f"a device address has {MAX_ADDRESS} octets at most, not {len(address)}")


class GatewayLink:
    """A device behind a gateway.

    inner: the link to the gateway, with the SAPs of client and logical device. network_id: network of the device, 0 is
    the first. address: physical device address in that network, 0 to 127 octets. unprefixed_errors: also deliver an
    exception-response without a prefix; gateways differ in how they say that a device cannot be reached (not settled
    by the text). Raises ConfigurationError for a network or address that cannot be.
    """

    def __init__(
        self, inner: Link, network_id: int = 0, address: bytes = b"", *, unprefixed_errors: bool = True
    ) -> None:
        check_device(network_id, address)
        self.passed_over = 0
        """APDUs that came for somebody else."""
        self._inner = inner
        self._request = GatewayRequest(network_id, address, b"").encode()
        self._prefixes = self._request, GatewayResponse(network_id, address, b"").encode()
        self._unprefixed_errors = unprefixed_errors

    @property
    def inner(self) -> Link:
        """The link to the gateway."""
        return self._inner

    @property
    def connection_oriented(self) -> bool:
        """Whether there is a data link connection to the gateway to make."""
        return self._inner.connection_oriented

    @property
    def connected(self) -> bool:
        """Whether APDUs may be sent to the gateway."""
        return self._inner.connected

    def connect(self) -> None:
        """Begin to connect to the gateway."""
        self._inner.connect()

    def disconnect(self) -> None:
        """Begin to end the connection to the gateway."""
        self._inner.disconnect()

    def line_to_set(self) -> LineSettings | None:
        """Return what the inner link wants the line set to."""
        return self._inner.line_to_set()

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Send an APDU to the device; raises what the inner link raises."""
        self._inner.send(self._request + apdu, source=source, destination=destination)

    def octets_to_send(self) -> bytes:
        """Return what is due."""
        return self._inner.octets_to_send()

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the medium; return what comes from the device, and what happens to the link."""
        return self._from_device(self._inner.receive(octets, now))

    def deadline(self) -> float | None:
        """Return when the inner link wants to be told the time."""
        return self._inner.deadline()

    def tick(self, now: float) -> list[LinkEvent]:
        """Tell the time."""
        return self._from_device(self._inner.tick(now))

    def _from_device(self, events: list[LinkEvent]) -> list[LinkEvent]:
        found: list[LinkEvent] = []
        for event in events:
            if isinstance(event, ApduReceived):
                apdu = event.apdu
                if apdu.startswith(self._prefixes) and len(apdu) > len(self._request):
                    event = event._replace(apdu=apdu[len(self._request) :])
                elif not (self._unprefixed_errors and apdu[:1] == bytes((EXCEPTION,))):
                    self.passed_over += 1
                    continue
            found.append(event)
        return found
