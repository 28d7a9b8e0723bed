"""What goes over the wire between a client and a server, recorded, and written as a pcap file.

A relay stands between the two on the loopback interface and notes every chunk of octets with its direction. The file is
made from that: Ethernet, IPv4 and TCP headers are put around the chunks (port 4059, the registered one of DLMS/COSEM),
so that it needs no privileges and is the same for the same traffic. Layouts: libpcap file format 2.4, RFC 791, RFC
9293.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from interop.meter import HOST

PORT = 4059
CLIENT_PORT = 49_200
CLIENT, SERVER = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
SEGMENT = 60_000
"""Octets. As on a loopback interface, so that every WPDU is in one piece: the dissector does not join several, and of
several frames in one piece it sees the first alone."""
FLAG = 0x7E
LINKTYPE_ETHERNET = 1
ACK, PSH, SYN, FIN = 0x10, 0x08, 0x02, 0x01


@dataclass
class Conversation:
    """The octets of one TCP connection in the order in which they passed: from the client (True) or not."""

    chunks: list[tuple[bool, bytes]] = field(default_factory=list)


def _copy(source: socket.socket, sink: socket.socket, conversation: Conversation, from_client: bool) -> None:
    try:
        while octets := source.recv(65536):
            conversation.chunks.append((from_client, octets))
            sink.sendall(octets)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # one end is gone: so is the conversation
        return


def _both_ways(client: socket.socket, server: socket.socket, conversation: Conversation) -> None:
    """Until both ends are done; a relay that kept their sockets would run out of them."""
    with client, server:
        back = threading.Thread(target=_copy, args=(server, client, conversation, False), daemon=True)
        back.start()
        _copy(client, server, conversation, True)
        back.join()


def _accept(listener: socket.socket, target: int | str, conversations: list[Conversation]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # the relay was closed
            return
        server = socket.create_connection((HOST, target))
        conversation = Conversation()
        conversations.append(conversation)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_both_ways, args=(client, server, conversation), daemon=True).start()


@contextmanager
def relay(target: int | str) -> Iterator[tuple[int, list[Conversation]]]:
    """Listen on a free port and pass everything on to `target`; yields the port and the growing list of connections."""
    conversations: list[Conversation] = []
    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=_accept, args=(listener, target, conversations), daemon=True).start()
        yield listener.getsockname()[1], conversations


def _checksum(octets: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class _Writer:
    """Frames of one conversation, with the sequence numbers of both directions."""

    def __init__(self, client_port: int) -> None:
        self._ports = {True: (client_port, PORT), False: (PORT, client_port)}
        self._sequence = {True: 1000, False: 5000}

    def frame(self, from_client: bool, flags: int, octets: bytes = b"") -> bytes:
        """An Ethernet frame with one TCP segment."""
        sequence = self._sequence[from_client]
        acknowledged = self._sequence[not from_client] if flags & ACK else 0
        self._sequence[from_client] += len(octets) + (1 if flags & (SYN | FIN) else 0)
        ends = (CLIENT, SERVER) if from_client else (SERVER, CLIENT)
        segment = struct.pack(">HHIIBBHHH", *self._ports[from_client], sequence, acknowledged, 0x50, flags, 65535, 0, 0)
        segment += octets
        pseudo = ends[0] + ends[1] + struct.pack(">BBH", 0, 6, len(segment))
        checksum = _checksum(pseudo + segment + bytes(len(segment) % 2))
        segment = segment[:16] + checksum.to_bytes(2, "big") + segment[18:]
        header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, 6, 0) + ends[0] + ends[1]
        header = header[:10] + _checksum(header).to_bytes(2, "big") + header[12:]
        return bytes(12) + b"\x08\x00" + header + segment


def _pieces(octets: bytes) -> Iterator[bytes]:
    """HDLC frames and WPDUs one by one, by their length; anything else as it is."""
    while octets[:1] == bytes((FLAG,)) and len(octets) > 2:
        end = 2 + (int.from_bytes(octets[1:3], "big") & 0x7FF)
        yield octets[:end]
        octets = octets[end:]
    while octets[:2] == b"\0\1" and 8 <= len(octets) <= SEGMENT:
        end = 8 + int.from_bytes(octets[6:8], "big")
        yield octets[:end]
        octets = octets[end:]
    for at in range(0, len(octets), SEGMENT):
        yield octets[at : at + SEGMENT]


def _frames(conversation: Conversation, client_port: int) -> Iterator[bytes]:
    writer = _Writer(client_port)
    yield writer.frame(True, SYN)
    yield writer.frame(False, SYN | ACK)
    yield writer.frame(True, ACK)
    for from_client, octets in conversation.chunks:
        for piece in _pieces(octets):
            yield writer.frame(from_client, PSH | ACK, piece)
            yield writer.frame(not from_client, ACK)
    yield writer.frame(True, FIN | ACK)
    yield writer.frame(False, FIN | ACK)
    yield writer.frame(True, ACK)


def write_pcap(path: Path, conversations: Iterable[Conversation]) -> None:
    """Write the conversations one after the other, a millisecond a frame."""
    out = bytearray(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_ETHERNET))
    number = 0
    for index, conversation in enumerate(conversations):
        for frame in _frames(conversation, CLIENT_PORT + index):
            out += struct.pack("<IIII", number // 1000, number % 1000 * 1000, len(frame), len(frame)) + frame
            number += 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out)
