"""URLs that name a whole stack: which medium, which link, which SAPs, which times.

::

    [gateway+][LINK+]MEDIUM://HOST[:PORT][?options]         over a network; MEDIUM is tcp, tls or udp
    [gateway+]LINK://[/]DEVICE[?options]                    over a serial port: /dev/ttyUSB0, COM3

    tcp:// tls:// udp://                    wrapper (IEC 62056-4-7, 9-7), port 4059
    hdlc:// hdlc+tcp:// hdlc+tls://         HDLC (IEC 62056-46, 7-6)
    iec21:// iec21+tcp://                   sign-on of IEC 62056-21 mode E, then HDLC
    modem:// modem+tcp://                   a Hayes modem dials, then HDLC (IEC 62056-42)
    mbus:// mbus+tcp://                     wired M-Bus as its master (IEC 62056-7-3, EN 13757-2)
    gateway+tcp:// gateway+hdlc:// ...      a gateway of Annex C, which knows the meter by network and address

Options, what they apply to, and what holds without them: :data:`OPTIONS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from cosemic.association.settings import LARGEST_WINDOW
from cosemic.errors import ConfigurationError
from cosemic.link.wrapper import PORT
from cosemic.values import LineSettings, Parity

_GREATEST_STATION: Final = 0x3FFF
"""Of four octets of HDLC address, half are the lower one."""
_EXAMPLES: Final = "tcp://HOST:4059?client=16&server=1, hdlc+tcp://HOST:PORT, hdlc:///dev/ttyUSB0?baud=9600"


class Medium(Enum):
    """What carries the octets."""

    TCP = "tcp"
    TLS = "tls"
    UDP = "udp"
    SERIAL = "serial"


class Framing(Enum):
    """The link, and what goes before it."""

    WRAPPER = "wrapper"
    HDLC = "hdlc"
    IEC21 = "iec21"
    MODEM = "modem"
    MBUS = "mbus"


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL says. Times are in seconds; what it does not say is None, or the default shown.

    host: of a network, empty for a serial port. device: the serial port. The others: see :data:`OPTIONS`.
    """

    scheme: str
    host: str
    port: int
    client_sap: int | None = None
    server_sap: int | None = None
    connect_timeout: float = 5.0
    response_timeout: float | None = None
    max_pdu_size: int | None = None
    user_id: int | None = None
    general_blocks: bool | None = None
    block_window: int | None = None
    short_names: bool | None = None
    device: str = ""
    medium: Medium = Medium.TCP
    framing: Framing = Framing.WRAPPER
    gateway: bool = False
    retries: int | None = None
    station: int | None = None
    identification: str | None = None
    address_octets: int | None = None
    window: int | None = None
    max_info: int | None = None
    baud: int | None = None
    line: LineSettings | None = None
    sign_on: str | None = None
    wake_up: bool = False
    echo: bool = False
    dial: str | None = None
    modem_init: str | None = None
    network: int | None = None
    gateway_device: bytes | None = None
    ca: str | None = None
    certificate: str | None = None
    server_name: str | None = None

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


def _between(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        try:
            value = _number(text)
        except ValueError:
            raise ValueError("is no number") from None
        if not low <= value <= high:
            raise ValueError(f"is not in {low}..{high}")
        return value

    return number


def _one_of(*numbers: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if text not in map(str, numbers):
            raise ValueError(f"is none of {', '.join(map(str, numbers))}")
        return int(text)

    return number


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("is no number") from None
    if not (value > 0 and math.isfinite(value)):
        raise ValueError("is no time in seconds, above 0")
    return value


def _blocks(text: str) -> bool:
    if text.lower() not in ("general", "service"):
        raise ValueError("is neither general nor service")
    return text.lower() == "general"


def _flag(text: str) -> bool:
    if text.lower() not in ("", "0", "1", "no", "yes", "false", "true"):
        raise ValueError("is neither yes nor no")
    return text.lower() not in ("0", "no", "false")


def _referencing(text: str) -> bool:
    if text.lower() not in ("ln", "sn"):
        raise ValueError("is neither ln nor sn")
    return text.lower() == "sn"


def _format(text: str) -> LineSettings:
    """``9600-8N1``, ``300-7E1``."""
    baud, _, character = text.partition("-")
    if not (baud.isdecimal() and len(character) == 3 and character[0] in "78" and character[2] in "12"):
        raise ValueError("is no rate and format: 9600-8N1")
    try:
        return LineSettings(int(baud), int(character[0]), Parity(character[1].upper()), int(character[2]))
    except ValueError:
        raise ValueError("is no rate and format: 9600-8N1") from None


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError("is no hexadecimal number of whole octets") from None


def _digits(text: str) -> str:
    if len(text) != 8 or set(text.upper()) - set("0123456789F"):
        raise ValueError("is no identification: eight digits, F for any")
    return text.upper()


def _text(text: str) -> str:
    if not text:
        raise ValueError("says nothing")
    return text


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a URL: the field of Address it gives, what reads it, and to which stacks it applies."""

    field: str
    read: Callable[[str], Any]
    meaning: str
    applies: Callable[[Address], bool] = lambda address: True


def _hdlc(address: Address) -> bool:
    return address.framing in (Framing.HDLC, Framing.IEC21, Framing.MODEM)


def _serial(address: Address) -> bool:
    return address.medium is Medium.SERIAL


def _own_line(address: Address) -> bool:
    """Whether the line is set once, before anything is sent."""
    return _serial(address) and address.framing is not Framing.IEC21


def _of(framing: Framing) -> Callable[[Address], bool]:
    return lambda address: address.framing is framing


def _tls(address: Address) -> bool:
    return address.medium is Medium.TLS


def _gateway(address: Address) -> bool:
    return address.gateway


OPTIONS: Final[dict[str, Option]] = {
    "client": Option("client_sap", _between(0, 0xFFFF), "SAP of the client; 16, the public client"),
    "server": Option("server_sap", _between(0, 0xFFFF), "SAP of the logical device (HDLC: upper address); 1"),
    "user": Option("user_id", _between(0, 0xFF), "id of the user that the client names, 0 to 255"),
    "referencing": Option("short_names", _referencing, "sn: the meter speaks with short names; ln, logical names"),
    "timeout": Option("response_timeout", _seconds, "seconds that an answer may take"),
    "connect_timeout": Option("connect_timeout", _seconds, "seconds that connecting may take; 5"),
    "max_pdu": Option("max_pdu_size", _between(0, 0xFFFF), "largest APDU that is taken, in octets"),
    "blocks": Option("general_blocks", _blocks, "of what is too long for one APDU: general, or service, those of GET"),
    "block_window": Option("block_window", _between(1, LARGEST_WINDOW), "general blocks taken at a time; 8"),
    "retries": Option(
        "retries",
        _between(0, 20),
        "how often the link repeats what is not answered; 3",
        lambda address: address.framing is not Framing.WRAPPER or address.medium is Medium.UDP,
    ),
    "station": Option(
        "station",
        _between(0, _GREATEST_STATION),
        "lower HDLC address of the device, from 16 up; or primary M-Bus address, 1 to 250",
        lambda address: _hdlc(address) or address.framing is Framing.MBUS,
    ),
    "identification": Option(
        "identification", _digits, "secondary M-Bus address: eight digits, F for any", _of(Framing.MBUS)
    ),
    "address": Option("address_octets", _one_of(1, 2, 4), "octets of the HDLC server address: 1, 2 or 4", _hdlc),
    "window": Option("window", _between(1, 7), "HDLC window, both ways; 1", _hdlc),
    "max_info": Option("max_info", _between(32, 2030), "HDLC information field in octets, both ways; 128", _hdlc),
    "baud": Option("baud", _between(50, 4_000_000), "rate of the port; IEC 62056-21: the highest taken", _serial),
    "line": Option("line", _format, "rate and character format of the port: 9600-8N1", _own_line),
    "echo": Option(
        "echo",
        _flag,
        "yes: what is sent is heard again; IEC 62056-21 has to know it, the other links pass over it",
        lambda address: _serial(address) or address.framing is Framing.IEC21,
    ),
    "sign_on": Option("sign_on", _text, "device address of the sign-on of IEC 62056-21", _of(Framing.IEC21)),
    "wake_up": Option("wake_up", _flag, "yes: wake a battery device first", _of(Framing.IEC21)),
    "dial": Option("dial", _text, "number that the modem dials", _of(Framing.MODEM)),
    "init": Option("modem_init", _text, "command that sets the modem up; ATZ", _of(Framing.MODEM)),
    "network": Option("network", _between(0, 255), "network of the meter behind the gateway; 0", _gateway),
    "meter": Option("gateway_device", _octets, "address of the meter behind the gateway, hexadecimal", _gateway),
    "ca": Option("ca", _text, "PEM file of the authorities that are trusted", _tls),
    "certificate": Option("certificate", _text, "PEM file with certificate and private key of the client", _tls),
    "name": Option(
        "server_name", _text, "name that the certificate of the server has to have; server_title of the security", _tls
    ),
}
_SECRETS: Final = frozenset(
    ("key", "password", "secret", "ek", "ak", "encryption_key", "authentication_key", "broadcast_key")
)
_SCHEMES: Final[dict[str, tuple[Framing, Medium]]] = {
    "tcp": (Framing.WRAPPER, Medium.TCP),
    "tls": (Framing.WRAPPER, Medium.TLS),
    "udp": (Framing.WRAPPER, Medium.UDP),
    **{
        name: (framing, medium)
        for framing in (Framing.HDLC, Framing.IEC21, Framing.MODEM, Framing.MBUS)
        for name, medium in (
            (framing.value, Medium.SERIAL),
            (f"{framing.value}+tcp", Medium.TCP),
            (f"{framing.value}+tls", Medium.TLS),
        )
    },
}
_GATEWAY: Final = "gateway+"
SCHEMES: Final = (*_SCHEMES, *(_GATEWAY + name for name in _SCHEMES))
"""All schemes."""


@lru_cache(maxsize=1024)
def parse_url(url: str) -> Address:
    """Read a URL; raises ConfigurationError with what is wrong and what is possible, never quoting a secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"host and port of the URL cannot be read: {_EXAMPLES}") from None
    kind = _SCHEMES.get(parts.scheme.removeprefix(_GATEWAY))
    if kind is None and "://" not in url:
        raise ConfigurationError(f"a URL begins with its scheme: {_EXAMPLES}")
    if kind is None:
        schemes = ", ".join(f"{name}://" for name in _SCHEMES)
        raise ConfigurationError(f"{parts.scheme or 'nothing'} is no scheme: {schemes}, and each as gateway+...")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("keys and passwords never stand in a URL: give them with security=")
    if parts.fragment:
        raise ConfigurationError(f"nothing stands behind the options of a URL: {_EXAMPLES}")
    framing, medium = kind
    serial = medium is Medium.SERIAL
    host, port = ("", 0) if serial else _endpoint(host, port, parts.path, default=framing is Framing.WRAPPER)
    where = Address(
        parts.scheme,
        host,
        port,
        device=_port(parts.netloc, parts.path) if serial else "",
        medium=medium,
        framing=framing,
        gateway=parts.scheme.startswith(_GATEWAY),
    )
    return replace(where, **_options(parts.query, where))


def _endpoint(host: str | None, port: int | None, path: str, *, default: bool) -> tuple[str, int]:
    try:
        (host or "").partition("%")[0].encode("idna")
    except UnicodeError:
        raise ConfigurationError(f"the host of the URL is no name and no address: {_EXAMPLES}") from None
    if not host or port == 0:
        raise ConfigurationError(f"the URL names no {'port' if host else 'host'}: {_EXAMPLES}")
    if path not in ("", "/"):
        raise ConfigurationError(f"nothing stands between port and options of a URL: {_EXAMPLES}")
    if port is None and not default:
        raise ConfigurationError(f"only the wrapper has a port of its own, {PORT}: name the port, HOST:PORT")
    return unquote(host), port or PORT


def _port(netloc: str, path: str) -> str:
    """``hdlc:///dev/ttyUSB0`` names a path, ``hdlc://COM3`` and ``hdlc:///COM3`` a port of Windows."""
    device = unquote(netloc + path)
    if device.upper().startswith("/COM") and device[4:].isdecimal():
        device = device[1:]
    if netloc == "dev" and path.strip("/"):
        raise ConfigurationError("the path of a serial port begins with a slash of its own: hdlc:///dev/ttyUSB0")
    if not device.strip("/"):
        raise ConfigurationError("the URL names no serial port: hdlc:///dev/ttyUSB0, hdlc://COM3")
    return device


def _options(query: str, where: Address) -> dict[str, Any]:
    found: dict[str, Any] = {}
    # A plus is a plus, of telephone numbers and AT commands: only forms of the web write spaces so.
    for name, text in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True):
        if name in _SECRETS:
            raise ConfigurationError("keys and passwords never stand in a URL: give them with security=")
        option = OPTIONS.get(name)
        if option is None or not option.applies(where):
            possible = ", ".join(name for name, one in OPTIONS.items() if one.applies(where))
            raise ConfigurationError(f"{name!r} is no option of {where.scheme}://: {possible}")
        if option.field in found:
            raise ConfigurationError(f"{name} stands twice in the URL")
        try:
            found[option.field] = option.read(text)
        except ValueError as error:
            raise ConfigurationError(f"{name}={text} {error}") from None
    return found
