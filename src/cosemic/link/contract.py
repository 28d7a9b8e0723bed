"""The one contract of all links and associations, and the events of links.

Everything between octets and meaning is a pure state machine of this shape::

                 request                     events
                    |                          ^
                    v                          |
         +--- send(request)            receive(octets, now) <--- octets of the medium
         |                             tick(now)            <--- the deadline has come
         v
    octets_to_send() ---> octets for the medium
    deadline()       ---> when tick() wants to be called, or None

The rules that each machine keeps and each driver relies on:

- Nothing blocks, sleeps, logs or draws random numbers. ``now`` is seconds on any clock that does not go back; all calls
  of one machine use the same clock, and ``deadline()`` is a point on it.
- How a stream is cut into ``receive`` calls makes no difference to the events, only to when they come. Octets that are
  handed in may be reused by the caller afterwards.
- ``octets_to_send`` hands out everything that is due, once; what it returned is the driver's to send. It is asked
  after each ``send``, ``receive`` and ``tick``, until it returns nothing: on a datagram medium each return is one
  datagram, and on a port it ends where the line changes.
- ``line_to_set`` (of links) is asked whenever ``octets_to_send`` has returned: how the port is to be set once the
  octets handed out so far have left it.
- A peer that breaks the rules is an event (:class:`LinkFailed`), not an exception: the events before it are not lost.
  Exceptions are for the caller's own mistakes.
- After :class:`LinkFailed` a machine takes octets and ticks without effect. What is due may still be sent, so that
  answers to what came before the failure reach the peer; then the driver closes the medium, and all associations on it
  are aborted (COSEM-ABORT.indication, IEC 62056-5-3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeAlias, TypeVar

from cosemic.errors import CosemicError
from cosemic.values import LineSettings

UNARMED: Final = 0.0
"""A deadline that has passed on any clock, of a time-out that has not begun: ``tick`` is due, and begins it."""
Octets: TypeAlias = bytes | bytearray | memoryview
"""What a medium hands in."""

Request_contra = TypeVar("Request_contra", contravariant=True)
Event = TypeVar("Event")


class StateMachine(Protocol[Request_contra, Event]):
    """The shape that links and associations share."""

    def send(self, request: Request_contra, /) -> None:
        """Take a request to the peer; its octets are due afterwards, now or when the protocol gives the turn."""

    def receive(self, octets: Octets, now: float) -> list[Event]:
        """Take octets from the medium; return what they mean, in order."""

    def octets_to_send(self) -> bytes:
        """Return the octets that are due on the medium, and forget them."""

    def deadline(self) -> float | None:
        """Return when :meth:`tick` has to be called at the latest, or None."""

    def tick(self, now: float) -> list[Event]:
        """Tell the time; return what its passing means."""


class LinkConnected(NamedTuple):
    """The data link connection between these SAPs stands (DL-CONNECT): what is sent reaches the peer."""

    source: int
    destination: int


class LinkDisconnected(NamedTuple):
    """The data link connection between these SAPs has ended (DL-DISCONNECT), and with it the association on it.

    ``error``: why, where neither side asked for it in order. ``refused``: the peer says that it has not taken the APDU
    that was sent last. The link itself goes on: it may be connected again.
    """

    source: int
    destination: int
    error: CosemicError | None = None
    refused: bool = False


class ApduReceived(NamedTuple):
    """An APDU came.

    ``source`` and ``destination`` are the SAPs as the peer sent them: an answer goes from ``destination`` to
    ``source``.
    """

    apdu: bytes
    source: int
    destination: int


@dataclass(frozen=True, slots=True)
class LinkFailed:
    """The link takes nothing from the peer any more; ``error`` says why and what to do."""

    error: CosemicError


LinkEvent: TypeAlias = ApduReceived | LinkConnected | LinkDisconnected | LinkFailed


class Link(StateMachine[bytes, LinkEvent], Protocol):
    """A state machine between a medium and APDUs.

    SAPs in events are those of the peer's message: ``source`` is the peer's, ``destination`` the own one. A link
    without a data link connection, such as the wrapper, is not ``connection_oriented`` and always connected;
    ``connect`` and ``disconnect`` do nothing then, and no event comes of them.
    """

    @property
    def connection_oriented(self) -> bool:
        """Whether there is a data link connection to make."""

    @property
    def connected(self) -> bool:
        """Whether APDUs may be sent."""

    def connect(self) -> None:
        """Begin to make the data link connection; LinkConnected, or LinkFailed after all repetitions, tells the end."""

    def disconnect(self) -> None:
        """Begin to end it; LinkDisconnected tells the end. Without effect where there is none."""

    def line_to_set(self) -> LineSettings | None:
        """Return how the port is to be set now that the octets handed out have left it, once; None: as it is."""

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Take an APDU to the peer.

        ``source`` and ``destination`` are SAPs; None stands for those the link was made with.
        """
