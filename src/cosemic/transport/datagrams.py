"""Sockets of UDP, as asyncio and blocking code use them: to one peer, to many at once, and for a server.

::

    to one peer     connected: only its datagrams come, and what ICMP says of it
    to a group      multicast: the address says so; interface and hops as asked for
    to a network    broadcast: only where it is asked for

IPv6 link-local addresses carry the interface they are on (``fe80::1%eth0``, ``ff02::1%eth0``).
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.transport.listening import SocketAddress, bind_each, told
from cosemic.transport.wording import without_scope

LARGEST_DATAGRAM: Final = 65536
"""Octets; what UDP can carry is a little less."""

# Of Linux, not named by Python's socket module: a socket hears the groups that it has joined itself, and no others.
_IP_MULTICAST_ALL: Final = (socket.IPPROTO_IP, 49)
_IPV6_MULTICAST_ALL: Final = (socket.IPPROTO_IPV6, 29)


@dataclass(frozen=True, slots=True)
class UdpOptions:
    """How datagrams go to many at once; without effect on those to one peer.

    ``interface``: where multicast leaves: on IPv4 the own address on that network, on IPv6 the name of the interface;
    where it is empty the system chooses. ``hops``: how many networks multicast may reach (1: the own one). ``loop``:
    whether receivers on this machine hear it. ``broadcast``: whether the address is that of a whole network (IPv4).
    """

    interface: str = ""
    hops: int = 1
    loop: bool = True
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class MulticastGroup:
    """A group to listen to; ``interface`` as of :class:`UdpOptions`, or in an IPv6 address (``ff02::1%eth0``).

    Raises ConfigurationError where the address is no multicast address.
    """

    address: str
    interface: str = ""

    def __post_init__(self) -> None:
        if not is_multicast(self.address):
            raise ConfigurationError(
                f"{self.address} is no multicast address: 224.0.0.0 to 239.255.255.255, or one that begins with ff"
            )

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET


def is_multicast(host: str) -> bool:
    """Whether a host is a multicast address."""
    try:
        return ipaddress.ip_address(without_scope(host)).is_multicast
    except ValueError:
        return False


def connected_socket(addresses: Iterable[tuple[int, int, int, str, Any]], options: UdpOptions) -> socket.socket:
    """Return a socket connected to the first address that there is a route to. Raises OSError; none is open then."""
    error: OSError | None = None
    for family, type_, protocol, _, address in addresses:
        sock = socket.socket(family, type_, protocol)
        try:
            if is_multicast(address[0]):
                _send_to_group(sock, family, options)
            elif options.broadcast:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.connect(address)
        except OSError as failed:
            sock.close()
            error = failed
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise error or OSError("no address")


def bound_sockets(host: str | Sequence[str] | None, port: int, groups: Sequence[MulticastGroup]) -> list[socket.socket]:
    """Return sockets that receive, one for each address, and join groups.

    ``host``, ``port``: as in :mod:`cosemic.transport.listening`, but IPv4 and IPv6 apart. Raises ConfigurationError.
    """

    def bind(family: int, address: SocketAddress) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if groups:  # others on this machine may hear the same group
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if sys.platform == "linux":
                sock.setsockopt(*(_IPV6_MULTICAST_ALL if family == socket.AF_INET6 else _IP_MULTICAST_ALL), 0)
            sock.bind(address)
        except BaseException:
            sock.close()
            raise
        return sock

    with told(host, port):
        sockets = bind_each(host, port, socket.SOCK_DGRAM, bind)
    try:
        for group in groups:
            _join(sockets, group)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _send_to_group(sock: socket.socket, family: int, options: UdpOptions) -> None:
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, options.hops)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, options.loop)
        if options.interface:
            index = socket.if_nametoindex(options.interface)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        return
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, options.hops)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, options.loop)
    if options.interface:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(options.interface))


def _join(sockets: list[socket.socket], group: MulticastGroup) -> None:
    own = [sock for sock in sockets if sock.family == group.family]
    if not own:
        raise ConfigurationError(f"{group.address} cannot be heard: listen on an address of its kind (IPv4, IPv6) too")
    name = without_scope(group.address)
    try:
        for sock in own:
            if group.family == socket.AF_INET6:
                interface = group.interface or group.address.partition("%")[2]
                index = socket.if_nametoindex(interface) if interface else 0
                membership = socket.inet_pton(socket.AF_INET6, name) + struct.pack("@I", index)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
            else:
                membership = socket.inet_aton(name) + (
                    socket.inet_aton(group.interface) if group.interface else bytes(4)
                )
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    except OSError as error:
        raise ConfigurationError(
            f"the group {group.address} cannot be joined ({error.strerror or error}): check the interface"
        ) from error
