"""The wrapper of the TCP-UDP/IP profiles, IEC 62056-4-7 (rules of use: IEC 62056-9-7).

One WPDU carries one APDU::

    octet   0       2             4                  6        8
            version | source wPort | destination wPort | length | APDU (length octets)
            00 01   | 0..FFFF      | 0..FFFF           | 0..FFFF|

All numbers are big-endian. ``length`` counts the APDU only. A request goes from the client SAP to the server SAP; the
answer swaps the two. Over TCP the stream may be cut anywhere (:class:`WrapperLink`); over UDP a datagram is exactly one
WPDU (:class:`DatagramWrapperLink`).

::

    what came                        stream                         datagram
    a WPDU, cut or with others       kept until it is whole         dropped
    wrong version, length too great  LinkFailed                     dropped
    WPDU without an APDU             passed over                    passed over

A stream has no marks to find the next WPDU by: after a wrong version, or a length that nobody agreed to, it cannot be
trusted any more and the connection has to be closed. Datagrams stand each for itself: one that is wrong says nothing
about the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from cosemic.errors import ConfigurationError, DecodeError, EncodeError, ProtocolError
from cosemic.link.connectionless import Connectionless
from cosemic.link.contract import ApduReceived, LinkEvent, LinkFailed, Octets

PORT = 4059
"""TCP and UDP port of DLMS/COSEM (IANA dlms/cosem)."""
VERSION = 1
ALL_STATION = 0x7F
"""wPort of all logical devices: for unconfirmed services over UDP multicast and broadcast (IEC 62056-9-7)."""
HEADER_LENGTH = 8
MAX_APDU = 0xFFFF
"""The longest APDU that the length field can announce, in octets."""

_HEADER = Struct(">HHHH")
_pack = _HEADER.pack
_unpack_from = _HEADER.unpack_from


@dataclass(frozen=True, slots=True)
class WrapperHeader:
    """The eight octets before an APDU; wPorts are SAPs, ``length`` is in octets."""

    source: int
    destination: int
    length: int
    version: int = VERSION

    def encode(self) -> bytes:
        """Return the eight octets. Raises EncodeError where a field is not of 16 bits or the version is not 1."""
        if self.version != VERSION:
            raise EncodeError(f"the wrapper has version {VERSION} only, not {self.version}")
        for name in ("source", "destination", "length"):
            if not 0 <= getattr(self, name) <= 0xFFFF:
                raise EncodeError(f"wrapper {name} {getattr(self, name)} is not in 0..65535")
        return _pack(self.version, self.source, self.destination, self.length)

    @classmethod
    def decode(cls, octets: Octets) -> WrapperHeader:
        """Read exactly eight octets. Raises DecodeError where there are more or fewer, or the version is not 1."""
        if len(octets) != HEADER_LENGTH:
            raise DecodeError(f"a wrapper header has {HEADER_LENGTH} octets, not {len(octets)}", 0, "wrapper")
        version, source, destination, length = _unpack_from(octets)
        if version != VERSION:
            raise DecodeError(f"wrapper version {version:04X} where 0001 is the only one", 0, "wrapper.version")
        return cls(source, destination, length)


def decode_wrapper(octets: Octets) -> tuple[WrapperHeader, bytes]:
    """Read one WPDU that nothing follows, as in a datagram; return its header and the APDU.

    Raises DecodeError where the header is wrong, or the length field disagrees with what follows it.
    """
    if len(octets) < HEADER_LENGTH:
        raise DecodeError(f"a WPDU has {HEADER_LENGTH} octets or more, not {len(octets)}", len(octets), "wrapper")
    header = WrapperHeader.decode(octets[:HEADER_LENGTH])
    present = len(octets) - HEADER_LENGTH
    if present < header.length:
        raise DecodeError(f"length field says {header.length} octets, {present} follow", 6, "wrapper.length")
    if present > header.length:
        end = HEADER_LENGTH + header.length
        raise DecodeError(f"{present - header.length} octets after the end of the WPDU", end, "wrapper")
    return header, bytes(octets[HEADER_LENGTH:])


class _Wrapper(Connectionless):
    """What stream and datagrams share: SAPs, limits, and that there is neither connection nor time-out."""

    def __init__(self, source: int | None = None, destination: int | None = None, *, max_apdu: int = MAX_APDU) -> None:
        for name, sap in (("source", source), ("destination", destination)):
            if sap is not None and not 0 <= sap <= 0xFFFF:
                raise ConfigurationError(f"{name} SAP {sap} is not a wPort (0..65535): correct the SAP")
        if not 1 <= max_apdu <= MAX_APDU:
            raise ConfigurationError(f"max_apdu {max_apdu} is not in 1..{MAX_APDU}")
        self._source = source
        self._destination = destination
        self._max_apdu = max_apdu
        self._due: list[bytes] = []

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Put the APDU into a WPDU.

        Raises EncodeError where the APDU is longer than 65,535 octets or a SAP is missing or not of 16 bits.
        """
        if source is None:
            source = self._source
        if destination is None:
            destination = self._destination
        if source is None or destination is None:
            raise EncodeError("a WPDU needs a source and a destination SAP; this link was made without them")
        length = len(apdu)
        if not (0 <= source <= 0xFFFF and 0 <= destination <= 0xFFFF and length <= MAX_APDU):
            WrapperHeader(source, destination, length).encode()
        self._due.append(_pack(VERSION, source, destination, length) + apdu)

    def deadline(self) -> float | None:
        """Return None: the wrapper knows no time-outs."""
        return None

    def tick(self, now: float) -> list[LinkEvent]:
        """Return nothing: the wrapper knows no time-outs."""
        return []


class WrapperLink(_Wrapper):
    """WPDUs over a TCP stream; several associations may share it, told apart by the wPorts of the events.

    ``source`` and ``destination`` are the SAPs used where :meth:`send` is not given any: a client gives its own and the
    server's, a server gives none and answers each event from its ``destination`` to its ``source``. ``max_apdu`` is the
    longest APDU taken from the peer, in octets; it bounds the memory held.

    A WPDU without an APDU (length 0) is passed over. Raises ConfigurationError for SAPs or limits outside 16 bits.
    """

    def __init__(self, source: int | None = None, destination: int | None = None, *, max_apdu: int = MAX_APDU) -> None:
        super().__init__(source, destination, max_apdu=max_apdu)
        self._buffer = bytearray()
        self._needed = 2
        self._failed = False

    def octets_to_send(self) -> bytes:
        """Return the WPDUs that are due, end to end."""
        due = self._due
        if not due:
            return b""
        octets = due[0] if len(due) == 1 else b"".join(due)
        due.clear()
        return octets

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the stream, cut anywhere; ``now`` is not used."""
        if not self._buffer and len(octets) > HEADER_LENGTH and not self._failed:
            # Nearly every call brings exactly one WPDU.
            version, source, destination, length = _unpack_from(octets)
            if version == VERSION and len(octets) == HEADER_LENGTH + length and length <= self._max_apdu:
                return [ApduReceived(bytes(octets[HEADER_LENGTH:]), source, destination)]
        return self._receive_pieces(octets)

    def _receive_pieces(self, octets: Octets) -> list[LinkEvent]:
        if self._failed:
            return []
        buffer = self._buffer
        buffer += octets
        if len(buffer) < self._needed:
            return []
        events: list[LinkEvent] = []
        start, end = 0, len(buffer)
        while True:
            if end - start < 2:
                self._needed = 2
                break
            version = buffer[start] << 8 | buffer[start + 1]
            if version != VERSION:
                return [*events, self._fail(_wrong_version(version))]
            if end - start < HEADER_LENGTH:
                self._needed = HEADER_LENGTH
                break
            _, source, destination, length = _unpack_from(buffer, start)
            if length > self._max_apdu:
                return [*events, self._fail(self._too_long(length))]
            following = start + HEADER_LENGTH + length
            if following > end:
                self._needed = HEADER_LENGTH + length
                break
            if length:
                events.append(ApduReceived(bytes(buffer[start + HEADER_LENGTH : following]), source, destination))
            start = following
        del buffer[:start]
        return events

    def _fail(self, message: str) -> LinkFailed:
        self._failed = True
        self._buffer = bytearray()
        return LinkFailed(ProtocolError(message))

    def _too_long(self, length: int) -> str:
        return (
            f"the peer announces an APDU of {length} octets where {self._max_apdu} are allowed: close the connection, "
            "and check the max-receive-pdu-size that was agreed"
        )


class DatagramWrapperLink(_Wrapper):
    """WPDUs over UDP, each a datagram of its own (IEC 62056-9-7); arguments and errors as :class:`WrapperLink`.

    A datagram that is no whole WPDU, has octets after its end, or a longer APDU than ``max_apdu``, is ``dropped`` and
    counted: anybody can send one, so that it never fails the link. Nothing is held of what came.
    """

    def __init__(self, source: int | None = None, destination: int | None = None, *, max_apdu: int = MAX_APDU) -> None:
        super().__init__(source, destination, max_apdu=max_apdu)
        self.dropped = 0
        """Datagrams that were no WPDU."""

    def octets_to_send(self) -> bytes:
        """Return the WPDU that is due next, for a datagram of its own."""
        return self._due.pop(0) if self._due else b""

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take a datagram; ``now`` is not used."""
        try:
            header, apdu = decode_wrapper(octets)
        except DecodeError:
            self.dropped += 1
            return []
        if header.length > self._max_apdu:
            self.dropped += 1
            return []
        return [ApduReceived(apdu, header.source, header.destination)] if apdu else []


def _wrong_version(version: int) -> str:
    hint = ": it looks like HDLC, try a URL with hdlc+tcp://" if version >> 8 == 0x7E else ""
    return f"the stream is not of WPDUs: version {version:04X} where 0001 should stand (IEC 62056-4-7){hint}"
