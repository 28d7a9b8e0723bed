"""Where a push goes: send_destination_and_method as text (class 40; IEC 62056-6-2, 5.3).

::

    10.0.0.1:4059    head-end.example:4059    [2001:db8::1]:4059        with the port
    10.0.0.1         head-end.example         2001:db8::1               that of the TCP-UDP setup that port_reference
                                                                        names, else 4059

TCP and UDP are carried, with A-XDR APDUs in the wrapper. The other transport services, and XML, are not reachable from
here; a push to them fails, and says so.
"""

from __future__ import annotations

import datetime as dt
from ipaddress import IPv6Address
from typing import Final

from cosemic.errors import EncodeError
from cosemic.link.wrapper import PORT
from cosemic.model import TCPUDPSetup
from cosemic.model.push import PushMessage, SendDestinationAndMethod, TransportService
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused
from cosemic.server.push.outbox import Destination
from cosemic.server.push.refusal import PushRefused
from cosemic.values import Obis

CARRIED: Final = (TransportService.TCP, TransportService.UDP)
LONGEST: Final = 255
"""Octets of a destination."""
_LARGEST_PORT: Final = 0xFFFF


def destination_of(setting: SendDestinationAndMethod, port: int = PORT) -> Destination:
    """Return where a push goes; port: where the text names none. Raises PushRefused."""
    service = setting.transport_service
    if service not in CARRIED:
        name = service.label if isinstance(service, TransportService) else f"transport service {service}"
        raise PushRefused(f"{name} is not reachable from this device: set TCP or UDP, and host:port")
    if setting.message != PushMessage.A_XDR_APDU:
        raise PushRefused("messages are pushed as A-XDR APDUs only: set message 0")
    try:
        text = setting.destination.decode("ascii").strip("\0 ")
    except UnicodeDecodeError:
        raise PushRefused("the destination is no text host:port") from None
    if not text:
        raise PushRefused("no destination is set: write send_destination_and_method, host:port")
    host, number = _split(text)
    if number:
        if not number.isdecimal() or not 1 <= int(number[:6]) <= _LARGEST_PORT:
            raise PushRefused(f"the destination {text!r} has no port 1 to 65535: write host:port")
        port = int(number)
    if not host or any(not (sign.isalnum() or sign in ".-_:%") for sign in host) or not _is_name(host):
        raise PushRefused(f"the destination {text!r} is no host:port")
    return Destination(TransportService(service), host, port)


def port_of(device: LogicalDevice, port_reference: Obis, at: dt.datetime) -> int:
    """Return the port of the TCP-UDP setup that a port_reference names; 4059 where it names none. at: true time."""
    try:
        port = device.read(TCPUDPSetup.class_id, port_reference, TCPUDPSetup.TCP_UDP_port.index, at).value()
    except (AccessRefused, EncodeError):
        return PORT
    return port if isinstance(port, int) and port else PORT


def _is_name(host: str) -> bool:
    """Whether it may be looked up: no label is empty, or longer than 63."""
    try:
        return bool(host.partition("%")[0].encode("idna"))
    except UnicodeError:
        return False


def _split(text: str) -> tuple[str, str]:
    """Return host and port; the port empty where there is none."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or rest == ":":
            raise PushRefused(f"the destination {text!r} is no [address]:port")
        return host, rest[1:]
    if text.count(":") == 1:
        host, _, number = text.partition(":")
        return host, number or "0"
    if ":" in text:
        try:
            IPv6Address(text)
        except ValueError:
            raise PushRefused(f"the destination {text!r} is no host:port") from None
    return text, ""
