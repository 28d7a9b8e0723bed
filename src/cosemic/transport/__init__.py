"""Transports: sockets and ports, asyncio and blocking. They carry octets and know no protocol.

- :mod:`~cosemic.transport.contract`: what a connection is, for asyncio and for blocking code.
- :mod:`~cosemic.transport.tcp`, :mod:`~cosemic.transport.blocking`: TCP, plain or with TLS, client and server.
- :mod:`~cosemic.transport.tls`: the context of TLS 1.2 and 1.3, with certificates on both sides.
- :mod:`~cosemic.transport.incoming`: connections that the other end made, until a session takes them over.
- :mod:`~cosemic.transport.udp`, :mod:`~cosemic.transport.blocking_udp`, :mod:`~cosemic.transport.udp_server`: UDP to
  one peer, to many at once, and from many.
- :mod:`~cosemic.transport.serial_connection`, :mod:`~cosemic.transport.blocking_serial`: serial ports, of this machine
  and behind serial servers.
- :mod:`~cosemic.transport.memory`: both ends in one process, for tests and simulators.
"""
