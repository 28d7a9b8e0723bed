"""From a URL to a stack: which transport, which link, which SAPs.

::

    tcp://HOST[:PORT][?client=16&server=1&user=7&timeout=10&connect_timeout=5&max_pdu=65535]

    client, server      SAPs (wPorts of the wrapper); 16 (public client) and 1 (management logical device)
    user                id of the user that the client names (client user identification), 0 to 255
    timeout             seconds that an answer may take
    connect_timeout     seconds that connecting may take
    max_pdu             largest APDU that is taken, in octets

:class:`ClientStack` is the sans-IO whole of link and association; a driver carries its octets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache, partial
from typing import Final, Protocol
from urllib.parse import parse_qsl, urlsplit

from cosemic.association.client import ClientAssociation
from cosemic.association.requests import Event, Request
from cosemic.association.settings import ClientSettings
from cosemic.errors import AssociationError, ConfigurationError, CosemicError
from cosemic.link.contract import ApduReceived
from cosemic.link.wrapper import PORT, WrapperLink
from cosemic.values import AuthenticationMechanism

PUBLIC_CLIENT: Final = 16
MANAGEMENT_LOGICAL_DEVICE: Final = 1
_AARQ: Final = 0x60
_EXAMPLE: Final = "tcp://HOST:PORT?client=16&server=1"


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL says. Times are in seconds; what it does not say is None, but ``connect_timeout``."""

    scheme: str
    host: str
    port: int
    client_sap: int | None = None
    server_sap: int | None = None
    connect_timeout: float = 5.0
    response_timeout: float | None = None
    max_pdu_size: int | None = None
    user_id: int | None = None

    def with_saps(self, *, client_sap: int | None = None, server_sap: int | None = None) -> Address:
        """Return the address with these SAPs where the URL leaves them open."""
        if self.client_sap is not None:
            client_sap = self.client_sap
        if self.server_sap is not None:
            server_sap = self.server_sap
        if (client_sap, server_sap) == (self.client_sap, self.server_sap):
            return self
        return replace(self, client_sap=client_sap, server_sap=server_sap)


def _number(text: str) -> int:
    return int(text, 16) if text.lower().startswith("0x") else int(text)


_LARGEST: Final = 0xFFFF
_OPTIONS: Final[dict[str, tuple[str, Callable[[str], float]]]] = {
    "client": ("client_sap", _number),
    "server": ("server_sap", _number),
    "timeout": ("response_timeout", float),
    "connect_timeout": ("connect_timeout", float),
    "max_pdu": ("max_pdu_size", _number),
    "user": ("user_id", _number),
}
_SECRETS: Final = frozenset(("key", "password", "secret", "ek", "ak", "encryption_key", "authentication_key"))
_NO_SECRETS: Final = "keys and passwords never stand in a URL: give them with security="


@lru_cache(maxsize=1024)
def parse_url(url: str) -> Address:
    """Read a URL; raises ConfigurationError with what is wrong and what is possible, never quoting a secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"host and port of the URL cannot be read: {_EXAMPLE}") from None
    if parts.scheme != "tcp":
        raise ConfigurationError(f"the scheme of a URL is tcp://, not {parts.scheme or 'nothing'}: {_EXAMPLE}")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(_NO_SECRETS)
    if not host or port == 0:
        raise ConfigurationError(f"the URL names no {'port' if host else 'host'}: {_EXAMPLE}")
    if parts.path not in ("", "/") or parts.fragment:
        raise ConfigurationError(f"nothing stands between port and options of a URL, or behind them: {_EXAMPLE}")
    found: dict[str, float] = {}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name in _SECRETS:
            raise ConfigurationError(_NO_SECRETS)
        if name not in _OPTIONS:
            raise ConfigurationError(f"{name!r} is no option of a URL: {', '.join(_OPTIONS)}")
        field, convert = _OPTIONS[name]
        if field in found:
            raise ConfigurationError(f"{name} stands twice in the URL")
        found[field] = _option(name, text, convert)
    return Address(parts.scheme, host, port or PORT, **found)  # type: ignore[arg-type]  # numbers of the fields above


def _option(name: str, text: str, convert: Callable[[str], float]) -> float:
    try:
        value = convert(text)
    except ValueError:
        raise ConfigurationError(f"{name}={text} is no number") from None
    if convert is float and not (value > 0 and math.isfinite(value)):
        raise ConfigurationError(f"{name}={text} is no time in seconds, above 0")
    if convert is not float and not 0 <= value <= _LARGEST:
        raise ConfigurationError(f"{name}={text} is not in 0..{_LARGEST}")
    return value


@dataclass(slots=True)
class Traffic:
    """What a connection has cost; ``round_trips`` counts APDUs sent, each of which waits for an answer."""

    round_trips: int = 0
    octets_sent: int = 0
    octets_received: int = 0


class Layer(Enum):
    """Where octets are seen."""

    MEDIUM = "medium"
    """As they pass the medium: APDUs in the wrapper, cut as they come."""
    APDU = "apdu"
    """Whole APDUs, protected as they are sent."""
    PLAIN = "plain"
    """The plaintext of ciphered APDUs."""


class Trace(Protocol):
    """Sees the octets of every layer as they pass; it must not fail, and not keep the stack waiting.

    A password of low level security is masked; keys are in no octets. What is written to a meter is seen as it is sent.
    """

    @property
    def plaintext(self) -> bool:
        """Whether it is to see the plaintext of ciphered APDUs."""

    def connected(self, peer: str) -> None:
        """A connection was made; what is seen from now on belongs to it."""

    def octets(self, layer: Layer, sent: bool, octets: bytes) -> None:
        """See octets that this side sent, or received."""


class ClientStack:
    """Wrapper and association of one client on one connection, sans-IO (the one contract of the house).

    Another association may take the place of the present one (:meth:`use`) while none of its requests is served.
    trace: sees what passes.
    """

    def __init__(self, settings: ClientSettings, client_sap: int, server_sap: int, trace: Trace | None = None) -> None:
        self.traffic = Traffic()
        self._trace = trace
        self._masked = b""
        self._link = WrapperLink()
        self._unanswered: set[tuple[int, int]] = set()
        """SAPs between which the late answer to an opening or release may still come."""
        self._take(settings, client_sap, server_sap)

    def use(self, settings: ClientSettings, client_sap: int, server_sap: int) -> None:
        """Go on with a fresh association between these SAPs.

        Raises AssociationError while a request is being served, and where the answer to an opening or release between
        these SAPs is still out: it could not be told from the next one.
        """
        if self.association.busy:
            raise AssociationError("a request is being served: wait for its answer, or cancel it")
        if self.association.unanswered:
            self._unanswered.add((self.client_sap, self.server_sap))
        if (client_sap, server_sap) in self._unanswered:
            raise AssociationError("an opening or release between these SAPs was not answered: connect again")
        self._take(settings, client_sap, server_sap)

    def _take(self, settings: ClientSettings, client_sap: int, server_sap: int) -> None:
        self.association = ClientAssociation(settings)
        if self._trace is not None and self._trace.plaintext:
            self.association.observer = partial(self._trace.octets, Layer.PLAIN)
        self.client_sap = client_sap
        self.server_sap = server_sap

    def send(self, request: Request) -> None:
        """Take a request; raises what :meth:`ClientAssociation.send` raises."""
        self.association.send(request)
        self._forward()

    def cancel(self) -> None:
        """Give up the request being served, if any; see :meth:`ClientAssociation.cancel`."""
        self.association.cancel()

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Take octets of the medium; return the events of the association."""
        self.traffic.octets_received += len(octets)
        if self._trace is not None:
            self._trace.octets(Layer.MEDIUM, False, octets)
        events: list[Event] = []
        for event in self._link.receive(octets, now):
            if isinstance(event, ApduReceived):
                if event.destination == self.client_sap and event.source == self.server_sap:
                    if self._trace is not None:
                        self._trace.octets(Layer.APDU, False, event.apdu)
                    came = self.association.receive(event.apdu, now)
                    events += came
                    if not came:  # the request goes on
                        self._forward()
            else:
                events += self.association.lost(event.error)
        return events

    def octets_to_send(self) -> bytes:
        """Return the octets that are due on the medium."""
        octets = self._link.octets_to_send()
        self.traffic.octets_sent += len(octets)
        if self._trace is not None and octets:
            self._trace.octets(Layer.MEDIUM, True, self._shown(octets))
            self._masked = b""
        return octets

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
        apdu = self.association.octets_to_send()
        if apdu:
            self.traffic.round_trips += 1
            if self._trace is not None:
                settings = self.association.settings
                if apdu[0] == _AARQ and settings.mechanism is AuthenticationMechanism.LLS and settings.secret:
                    self._masked = settings.secret.reveal()
                self._trace.octets(Layer.APDU, True, self._shown(apdu))
            self._link.send(apdu, source=self.client_sap, destination=self.server_sap)

    def _shown(self, octets: bytes) -> bytes:
        """Octets with the password of an opening masked."""
        return octets.replace(self._masked, b"*" * len(self._masked)) if self._masked else octets
