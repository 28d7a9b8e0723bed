"""From what a URL says to a connection, on asyncio and blocking."""

from __future__ import annotations

import ssl

from cosemic.errors import ConfigurationError
from cosemic.stack.links import line_of
from cosemic.stack.url import Address, Medium
from cosemic.transport import blocking, tcp
from cosemic.transport.blocking_serial import open_serial_blocking
from cosemic.transport.blocking_udp import BlockingUdpConnection
from cosemic.transport.contract import BlockingConnection, Connection, Receiver
from cosemic.transport.serial_connection import open_serial
from cosemic.transport.tls import tls_context
from cosemic.transport.udp import connect_udp


def tls_of(address: Address) -> ssl.SSLContext | None:
    """Return the TLS context of a URL, None without TLS. Raises ConfigurationError."""
    if address.medium is not Medium.TLS:
        return None
    if address.ca is None:
        raise ConfigurationError("TLS wants to know whom to trust: add ca= with a PEM file of the authorities")
    return tls_context(trusted=address.ca, certificate=address.certificate, check_host=address.server_name is not None)


def tls_server_of(address: Address) -> ssl.SSLContext | None:
    """Return the TLS context of the side that listens at a URL, None without TLS. Raises ConfigurationError."""
    if address.medium is not Medium.TLS:
        return None
    if address.ca is None or address.certificate is None:
        raise ConfigurationError("listening with TLS wants ca= and certificate=, PEM files, in the URL")
    return tls_context(server=True, trusted=address.ca, certificate=address.certificate)


async def connect(address: Address, receiver: Receiver) -> Connection:
    """Connect on asyncio. Raises ConnectionFailed, AuthenticationFailed (TLS), ConfigurationError."""
    timeout = address.connect_timeout
    if address.medium is Medium.SERIAL:
        return await open_serial(address.device, receiver, line=line_of(address), timeout=timeout)
    if address.medium is Medium.UDP:
        return await connect_udp(address.host, address.port, receiver, timeout=timeout)
    return await tcp.connect(
        address.host, address.port, receiver, timeout=timeout, tls=tls_of(address), server_name=address.server_name
    )


def connect_blocking(address: Address) -> BlockingConnection:
    """Connect for blocking code. Raises ConnectionFailed, AuthenticationFailed (TLS), ConfigurationError."""
    timeout = address.connect_timeout
    if address.medium is Medium.SERIAL:
        return open_serial_blocking(address.device, line=line_of(address), timeout=timeout)
    if address.medium is Medium.UDP:
        return BlockingUdpConnection(address.host, address.port, timeout)
    return blocking.BlockingTcpConnection(
        address.host, address.port, timeout, tls=tls_of(address), server_name=address.server_name
    )
