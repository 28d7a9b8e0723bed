"""From a URL to a stack: which transport, which link, which SAPs.

::

    tcp://HOST[:PORT][?client=16&server=1&timeout=10&connect_timeout=5&max_pdu=65535]

    client, server      SAPs (wPorts of the wrapper); 16 (public client) and 1 (management logical device)
    timeout             seconds that an answer may take
    connect_timeout     seconds that connecting may take
    max_pdu             largest APDU that is taken, in octets

:class:`ClientStack` is the sans-IO whole of link and association; a driver carries its octets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from cosemic.association.client import ClientAssociation
from cosemic.association.requests import Event, Request
from cosemic.association.settings import ClientSettings
from cosemic.errors import ConfigurationError, CosemicError
from cosemic.link.contract import ApduReceived, LinkFailed
from cosemic.link.wrapper import PORT, WrapperLink

PUBLIC_CLIENT: Final = 16
MANAGEMENT_LOGICAL_DEVICE: Final = 1


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL says. Times are in seconds; ``response_timeout`` and ``max_pdu_size`` None where it says nothing."""

    scheme: str
    host: str
    port: int
    client_sap: int | None = None
    server_sap: int | None = None
    connect_timeout: float = 5.0
    response_timeout: float | None = None
    max_pdu_size: int | None = None

    def but(self, *, client_sap: int | None = None, server_sap: int | None = None) -> Address:
        """Return a copy with the SAPs that the URL leaves open."""
        return replace(
            self,
            client_sap=self.client_sap if self.client_sap is not None else client_sap,
            server_sap=self.server_sap if self.server_sap is not None else server_sap,
        )


def _number(text: str) -> int:
    return int(text, 16) if text.lower().startswith("0x") else int(text)


_OPTIONS: Final[dict[str, tuple[str, Callable[[str], float]]]] = {
    "client": ("client_sap", _number),
    "server": ("server_sap", _number),
    "timeout": ("response_timeout", float),
    "connect_timeout": ("connect_timeout", float),
    "max_pdu": ("max_pdu_size", _number),
}
_SECRETS: Final = frozenset(("key", "password", "secret", "ek", "ak", "encryption_key", "authentication_key"))


def parse_url(url: str) -> Address:
    """Read a URL; raises ConfigurationError with what is wrong and what is possible."""
    parts = urlsplit(url)
    if parts.scheme != "tcp":
        raise ConfigurationError(f"{url!r}: the scheme is tcp://, not {parts.scheme or 'nothing'}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"{url!r}: {error}") from None
    if not host:
        raise ConfigurationError(f"{url!r} names no host: tcp://HOST:PORT?client=16&server=1")
    found: dict[str, float] = {}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name in _SECRETS:
            raise ConfigurationError("keys and passwords never stand in a URL: give them with security=")
        if name not in _OPTIONS:
            raise ConfigurationError(f"{name!r} is no option of a URL: {', '.join(_OPTIONS)}")
        field, convert = _OPTIONS[name]
        try:
            found[field] = convert(text)
        except ValueError:
            raise ConfigurationError(f"{name}={text} is no number") from None
        if found[field] < 0:
            raise ConfigurationError(f"{name}={text} is negative")
    return Address(parts.scheme, host, port or PORT, **found)  # type: ignore[arg-type]  # numbers of the fields above


class ClientStack:
    """Wrapper and association of one client on one connection, sans-IO (the one contract of the house).

    Another association may take the place of the present one (:meth:`use`) while none of its requests is served.
    """

    def __init__(self, settings: ClientSettings, client_sap: int, server_sap: int) -> None:
        self._link = WrapperLink()
        self.use(settings, client_sap, server_sap)

    def use(self, settings: ClientSettings, client_sap: int, server_sap: int) -> None:
        """Go on with a fresh association between these SAPs."""
        self.association = ClientAssociation(settings)
        self.client_sap = client_sap
        self.server_sap = server_sap

    def send(self, request: Request) -> None:
        """Take a request; raises what :meth:`ClientAssociation.send` raises."""
        self.association.send(request)
        self._forward()

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Take octets of the medium; return the events of the association."""
        events: list[Event] = []
        for event in self._link.receive(octets, now):
            if isinstance(event, ApduReceived):
                if event.destination == self.client_sap and event.source == self.server_sap:
                    events += self.association.receive(event.apdu, now)
            elif isinstance(event, LinkFailed):
                events += self.association.lost(event.error)
        self._forward()
        return events

    def octets_to_send(self) -> bytes:
        """Return the octets that are due on the medium."""
        return self._link.octets_to_send()

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        return self.association.deadline()

    def tick(self, now: float) -> list[Event]:
        """Tell the time."""
        return self.association.tick(now)

    def lost(self, error: CosemicError) -> list[Event]:
        """The medium is gone."""
        return self.association.lost(error)

    def _forward(self) -> None:
        while apdu := self.association.octets_to_send():
            self._link.send(apdu, source=self.client_sap, destination=self.server_sap)
