"""UDP for blocking code, to one peer: each write is one datagram, each read returns one whole.

What ICMP says of the peer comes with the next read or write, as ConnectionLost. See :mod:`cosemic.transport.udp`.
"""

from __future__ import annotations

import socket
from typing import Final

from cosemic.transport import wording
from cosemic.transport.blocking import BlockingSocketConnection
from cosemic.transport.datagrams import UdpOptions, connected_socket

_TO_ONE: Final = UdpOptions()


class BlockingUdpConnection(BlockingSocketConnection):
    """Datagrams to and from one peer (:class:`cosemic.transport.contract.BlockingConnection`).

    ``host`` may be a link-local address with its interface (``fe80::1%eth0``), a multicast address, or, where
    ``options`` say so, a broadcast address. ``timeout``: seconds that the system may take to accept a datagram. Raises
    ConnectionFailed where there is no address or no route; whether somebody listens is not known before an answer.
    """

    _ends = False

    def __init__(self, host: str, port: int, timeout: float, options: UdpOptions = _TO_ONE) -> None:
        peer = wording.endpoint(host, port)
        try:
            sock = connected_socket(socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM), options)
        except OSError as error:
            raise wording.unreachable(peer, error) from error
        super().__init__(sock, peer, timeout)
