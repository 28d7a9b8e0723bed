"""Transports: sockets and ports, asyncio and blocking. They carry octets and know no protocol.

- :mod:`~cosemic.transport.contract`: what a connection is, for asyncio and for blocking code.
- :mod:`~cosemic.transport.tcp`: TCP client and server on asyncio.
- :mod:`~cosemic.transport.blocking`: TCP client on a blocking socket.
- :mod:`~cosemic.transport.memory`: both ends in one process, for tests and simulators.
"""
