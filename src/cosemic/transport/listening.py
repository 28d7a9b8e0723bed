"""Sockets that listen on TCP, and what numbers and names stand for: several addresses, IPv4 and IPv6.

::

    None                        all addresses of the machine: one socket for IPv4 and IPv6, where it can be both
    "192.0.2.7", "::1"          that address
    "fe80::1%eth0"              a link-local address, with the interface it is on
    "localhost"                 all addresses of that name that the machine has
    ("192.0.2.7", "2001::7")    each of them, on one port
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from cosemic.errors import ConfigurationError

BACKLOG: Final = 1024
"""How many clients may wait to be accepted."""

SocketAddress: TypeAlias = tuple[Any, ...]
"""What Python's sockets take: host and port; on IPv6 flow information and scope follow."""

_ABSENT: Final = frozenset((errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT))
"""A name may stand for an address that the machine has not got: ``localhost`` for ``::1`` where there is no IPv6."""


def listeners(host: str | Sequence[str] | None, port: int) -> list[socket.socket]:
    """Return listening sockets; ``port`` 0 takes a free one, the same for all.

    Raises ConfigurationError where an address cannot be taken; no socket is left open then.
    """
    with told(host, port):
        if host is None and socket.has_dualstack_ipv6():
            return [socket.create_server(("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)]
        return bind_each(host, port, socket.SOCK_STREAM, _listening)


@contextmanager
def told(host: str | Sequence[str] | None, port: int) -> Iterator[None]:
    """Tell an OSError of binding as ConfigurationError, in the words of host and port."""
    try:
        yield
    except OSError as error:
        where = ", ".join([host] if isinstance(host, str) else host or []) or "all addresses"
        raise ConfigurationError(
            f"cannot listen on {where}, port {port} ({error.strerror or error}): choose another port or address"
        ) from error


def bind_each(
    host: str | Sequence[str] | None,
    port: int,
    kind: socket.SocketKind,
    bind: Callable[[int, SocketAddress], socket.socket],
) -> list[socket.socket]:
    """Bind a socket for each address; raises OSError, and leaves none open then."""
    sockets: list[socket.socket] = []
    try:
        for family, address, certain in _addresses(host, port, kind):
            if port == 0 and sockets:
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            try:
                sockets.append(bind(family, address))
            except OSError as error:
                if certain or error.errno not in _ABSENT:
                    raise
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, "none of its addresses is this machine's")
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _addresses(
    host: str | Sequence[str] | None, port: int, kind: socket.SocketKind
) -> Iterator[tuple[int, SocketAddress, bool]]:
    """Give families and addresses, each once, and whether it was asked for as such."""
    seen: set[SocketAddress] = set()
    for name in [host] if host is None or isinstance(host, str) else host:
        found = socket.getaddrinfo(name or None, port, type=kind, flags=socket.AI_PASSIVE)
        certain = name is not None and len(found) == 1
        for family, _, _, _, address in found:
            if address not in seen:
                seen.add(address)
                yield family, address, certain


def _listening(family: int, address: SocketAddress) -> socket.socket:
    return socket.create_server(address, family=family, backlog=BACKLOG)
