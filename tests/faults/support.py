"""What tests of media share: receivers that keep what comes."""

from __future__ import annotations

from collections.abc import Callable

from cosemic.errors import TransportError
from cosemic.faults import ByteStream, Port, VirtualTime


class Heard:
    """Takes what comes at a port; ``then`` is called with each piece."""

    def __init__(self, port: Port, then: Callable[[bytes], object] | None = None) -> None:
        self.time = port.time
        self.pieces: list[tuple[float, bytes]] = []
        self.ends: list[tuple[float, TransportError | None]] = []
        self.then = then
        port.attach(self)

    def octets_received(self, octets: bytes, /) -> None:
        assert not self.ends
        assert octets
        self.pieces.append((self.time.now, octets))
        if self.then is not None:
            self.then(octets)

    def connection_lost(self, error: TransportError | None, /) -> None:
        assert not self.ends
        self.ends.append((self.time.now, error))

    @property
    def octets(self) -> bytes:
        """All that came."""
        return b"".join(octets for _, octets in self.pieces)

    @property
    def sizes(self) -> list[int]:
        """How many octets came at once."""
        return [len(octets) for _, octets in self.pieces]

    @property
    def times(self) -> list[float]:
        """Seconds since the beginning at which something came."""
        return [at - 1000.0 for at, _ in self.pieces]


def both(stream: ByteStream) -> tuple[Heard, Heard]:
    """What is heard at the client's end and at the server's."""
    return Heard(stream.client), Heard(stream.server)


def settle(time: VirtualTime) -> None:
    """Let everything happen."""
    assert time.run_until_idle()
    assert time.next_call is None
