"""Where the octets of every layer go: as text to a terminal, or as a pcap file for Wireshark.

::

    14:05:09.123456 connected to 192.168.1.7:4059
    14:05:09.123502 -> medium    51  00010010000100...
    14:05:09.123502 -> apdu      43  601da109...                          AARQ
    14:05:09.131270 <- apdu      43  6129a109...                          AARE
    14:05:09.131900 -> plain     13  c001c1000301...                      GetRequestNormal

The pcap file (libpcap 2.4, raw IPv4) holds what passed the medium, behind headers of IPv4 and TCP between invented
addresses. The meter's port is always 4059, which Wireshark reads as DLMS/COSEM. Keys are in neither; the plaintext of
ciphered APDUs is in the text where it is asked for.
"""

from __future__ import annotations

import os
import struct
from typing import Final, TextIO

from cosemic import apdu
from cosemic.client.timepiece import TimeSource, machine_time
from cosemic.errors import ConfigurationError, DecodeError
from cosemic.link.wrapper import PORT
from cosemic.stack import Layer
from cosemic.transport.lifetime import Closes

_ARROWS: Final = {True: "->", False: "<-"}
_NAMED: Final = frozenset((Layer.APDU, Layer.PLAIN))


class TextTrace:
    """Writes a line for everything that passes; :class:`cosemic.stack.Trace`. Ends where the stream does.

    stream: takes the lines. plaintext: show the plaintext of ciphered APDUs. now: the time that is shown.
    """

    def __init__(self, stream: TextIO, *, plaintext: bool = False, now: TimeSource = machine_time) -> None:
        self.plaintext = plaintext
        self._stream: TextIO | None = stream
        self._now = now

    def connected(self, peer: str) -> None:
        """Say where to."""
        self._line(f"connected to {peer}")

    def octets(self, layer: Layer, sent: bool, octets: bytes) -> None:
        """Show octets; of an APDU its name too."""
        name = f"  {_name(octets)}" if layer in _NAMED else ""
        self._line(f"{_ARROWS[sent]} {layer.value:6} {len(octets):5}  {octets.hex()}{name}")

    def _line(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(f"{self._now().astimezone():%H:%M:%S.%f} {text}\n")
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads it any more, or it was closed; the meter is not to blame
            self._stream = None


def _name(octets: bytes) -> str:
    try:
        return type(apdu.decode(octets)).__name__
    except DecodeError:
        return "no APDU"


_FILE_HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
"""Magic, version 2.4, zone, accuracy, longest packet, link type raw IP."""
_CLIENT, _METER = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
"""Addresses for documentation (RFC 5737)."""
_FIRST_PORT: Final = 49152
_PORTS: Final = 16384
_SEGMENT: Final = 1400
_ACK, _PSH, _SYN = 0x10, 0x08, 0x02


class PcapTrace(Closes):
    """Writes what passes the medium to a pcap file; :class:`cosemic.stack.Trace`. Close it, or use it in ``with``.

    path: is written anew. now: the time of the packets. Raises ConfigurationError where it cannot be written.
    """

    plaintext = False

    def __init__(self, path: str | os.PathLike[str], *, now: TimeSource = machine_time) -> None:
        self._path = path
        self._failed: OSError | None = None
        try:
            self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - open as long as the trace is
            self._file.write(_FILE_HEADER)
        except OSError as error:
            raise ConfigurationError(f"trace {path}: {error.strerror}") from None
        self._now = now
        self._connections = 0
        self._sequence = {True: 0, False: 0}

    def connected(self, peer: str) -> None:
        """Begin a connection: with a port of its own, and the handshake of TCP."""
        self._connections += 1
        self._sequence = {True: 1000, False: 5000}
        self._packet(True, _SYN)
        self._packet(False, _SYN | _ACK)
        self._packet(True, _ACK)

    def octets(self, layer: Layer, sent: bool, octets: bytes) -> None:
        """Write what passed the medium."""
        if layer is Layer.MEDIUM:
            for at in range(0, len(octets), _SEGMENT):
                self._packet(sent, _PSH | _ACK, octets[at : at + _SEGMENT])
                self._packet(not sent, _ACK)

    def close(self) -> None:
        """Close the file. Raises ConfigurationError where not everything could be written."""
        self._file.close()
        if self._failed is not None:
            raise ConfigurationError(f"trace {self._path} is not whole: {self._failed.strerror}")

    def _packet(self, sent: bool, flags: int, octets: bytes = b"") -> None:
        """Write an IPv4 packet with one TCP segment (RFC 791, RFC 9293)."""
        own = _FIRST_PORT + (self._connections - 1) % _PORTS
        ports, ends = ((own, PORT), (_CLIENT, _METER)) if sent else ((PORT, own), (_METER, _CLIENT))
        acknowledged = self._sequence[not sent] if flags & _ACK else 0
        head = struct.pack(">HHIIBBHHH", *ports, self._sequence[sent], acknowledged, 0x50, flags, 65535, 0, 0)
        self._sequence[sent] = (self._sequence[sent] + len(octets) + bool(flags & _SYN)) & 0xFFFFFFFF
        pseudo = b"".join(ends) + struct.pack(">BBH", 0, 6, len(head) + len(octets))
        head = head[:16] + _checksum(pseudo + head + octets) + head[18:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(head) + len(octets), 0, 0x4000, 64, 6, 0) + b"".join(ends)
        packet = ip[:10] + _checksum(ip) + ip[12:] + head + octets
        seconds, rest = divmod(round(self._now().timestamp() * 1_000_000), 1_000_000)
        if self._failed is None and not self._file.closed:
            try:
                self._file.write(struct.pack("<IIII", seconds, rest, len(packet), len(packet)) + packet)
            except OSError as error:  # told when it is closed; the meter is not to blame
                self._failed = error


def _checksum(octets: bytes) -> bytes:
    octets += bytes(len(octets) % 2)
    total: int = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2)
