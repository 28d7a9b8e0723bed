"""What a lie is: one named fault of a peer that otherwise follows the protocol, and what has to come of it.

A lie is told at one moment of a session, by a meter (role SERVER, in its answer) or a client (role CLIENT, in its
request), in one of three ways::

    tell      the APDU that is due    ->  the APDUs that are sent instead; None: this is not the place
    reframe   the frames of the link  ->  the octets that are sent instead; None: this is not the place
    pace      the frames of the link  ->  pieces, and the seconds of silence before each

What comes of it is declared with it, by role, from the text of the standard:

====================  =================================================================================================
a server lies         what becomes of the request of the client that is lied to
====================  =================================================================================================
:class:`Right`        it is answered rightly: the lie does no harm, or is passed over
:class:`Fails`        it ends in this error of :mod:`cosemic.errors`
:class:`Gets`         it ends in this data-access-result, or these
====================  =================================================================================================

====================  =================================================================================================
a client lies         what the server that is lied to does
====================  =================================================================================================
:class:`Right`        it serves the request as any other
:class:`Says`         it answers with this APDU
:class:`Silent`       it answers nothing
:class:`Closes`       it closes the connection; what it answered before is an error
====================  =================================================================================================

Where a notification is sent outside associations (:attr:`Moment.PUSHING`), the meter is the one that asks::

    a meter lies      Right: its notification is taken    Fails: it is refused with this error
    a client lies     Right: its confirmation counts      Fails: the notification counts as undelivered, by this error
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from cosemic.association.passes import REPLY_TO_HLS_AUTHENTICATION
from cosemic.errors import CosemicError
from cosemic.values import DataAccessResult

if TYPE_CHECKING:
    from cosemic.faults.lies.scene import Said, Scene


class Role(Enum):
    """Who lies."""

    SERVER = "server"
    CLIENT = "client"


class Family(Enum):
    """What a lie is about."""

    HDLC = "hdlc"
    WRAPPER = "wrapper"
    ASSOCIATION = "association"
    SERVICES = "services"
    SHORT_NAMES = "short names"
    ACCESS = "access"
    GENERAL_BLOCKS = "general blocks"
    NOTIFICATIONS = "notifications"
    SECURITY = "security"
    TIME = "time"
    SIZE = "size"


class Setting(Enum):
    """The association in which a lie can be told."""

    PLAIN = "plain"
    """Without ciphering and authentication."""
    PASSWORD = "password"  # noqa: S105 - the name of a setting
    """Low level security."""
    CIPHERED = "ciphered"
    """High level security with GMAC; all services authenticated and encrypted, under the global key."""
    DEDICATED = "dedicated"
    """The same, under a dedicated key."""
    NARROW = "narrow"
    """As PLAIN; agreed upon are GET, SET and ACTION of one attribute or method, and nothing else."""
    SHORT_NAMES = "short names"
    """As PLAIN, with short names."""
    BLOCKS = "blocks"
    """As PLAIN, with general block transfer."""
    CIPHERED_BLOCKS = "ciphered blocks"
    """As CIPHERED, with general block transfer."""


class Moment(Enum):
    """Which exchange a lie is told in, by its request."""

    CONNECTING = "connecting"
    """SNRM and UA: before anything is said."""
    OPENING = "opening"
    PROVING = "proving"
    """Passes 3 and 4 of high level security."""
    READING = "reading"
    BLOCK_READING = "block reading"
    """get-request-next."""
    LIST_READING = "list reading"
    WRITING = "writing"
    BLOCK_WRITING = "block writing"
    """set-request-with-datablock: from the second block on."""
    LIST_WRITING = "list writing"
    INVOKING = "invoking"
    BLOCK_INVOKING = "block invoking"
    """action-request-with-pblock: from the second block on."""
    ACCESSING = "accessing"
    ACCESS_WRITING = "access writing"
    """ACCESS that changes something, and breaks on error."""
    GENERAL_READING = "general reading"
    """General blocks of an answer, from the second turn on: they are asked for by an acknowledgement."""
    GENERAL_WRITING = "general writing"
    """General blocks of a request."""
    RELEASING = "releasing"
    PUSHING = "pushing"
    """A data-notification outside associations."""


_MOMENTS: Mapping[bytes, Moment] = {
    b"\xc0\x01": Moment.READING,
    b"\xc0\x02": Moment.BLOCK_READING,
    b"\xc0\x03": Moment.LIST_READING,
    b"\xc1\x01": Moment.WRITING,
    b"\xc1\x03": Moment.BLOCK_WRITING,
    b"\xc1\x04": Moment.LIST_WRITING,
    b"\xc3\x01": Moment.INVOKING,
    b"\xc3\x06": Moment.BLOCK_INVOKING,
}
_READ, _WRITE, _DATA_NOTIFICATION, _ACCESS_REQUEST, _GENERAL_BLOCK = b"\x05", b"\x06", b"\x0f", b"\xd9", b"\xe0"
_BREAK_ON_ERROR = 0x20
_BLOCK_NUMBER_ACCESS, _WRITE_DATA_BLOCK = b"\x05", b"\x07"
_BLOCK_DATA = 6
"""Where the length of its data stands in a general block."""
_PROOF = REPLY_TO_HLS_AUTHENTICATION.encode()


def moment_of(request: bytes) -> Moment | None:
    """Return the moment that begins with a plain request; None for any other APDU."""
    if request[:1] == b"\x60":
        return Moment.OPENING
    if request[:1] == b"\x62":
        return Moment.RELEASING
    if request[:2] == b"\xc3\x01" and request[3:].startswith(_PROOF):
        return Moment.PROVING
    if request[:1] in (_READ, _WRITE):
        return _moment_of_short_names(request)
    if request[:1] == _ACCESS_REQUEST:
        return Moment.ACCESS_WRITING if request[1] & _BREAK_ON_ERROR else Moment.ACCESSING
    if request[:1] == _GENERAL_BLOCK:
        return Moment.GENERAL_WRITING if any(request[_BLOCK_DATA : _BLOCK_DATA + 1]) else Moment.GENERAL_READING
    return Moment.PUSHING if request[:1] == _DATA_NOTIFICATION else _MOMENTS.get(request[:2])


def _moment_of_short_names(request: bytes) -> Moment | None:
    reading, kind = request[:1] == _READ, request[2:3]
    if request[1:2] != b"\x01":
        return Moment.LIST_READING if reading else Moment.LIST_WRITING
    if kind == _BLOCK_NUMBER_ACCESS:
        return Moment.BLOCK_READING
    if kind == _WRITE_DATA_BLOCK:
        return None if request[4:6] == b"\0\1" else Moment.BLOCK_WRITING
    return Moment.READING if reading else Moment.WRITING


class Then(Enum):
    """What is left after a lie."""

    STANDS = "the association stands, and the next request is answered rightly"
    OPEN_AGAIN = "the association is gone; it can be opened again on the same connection"
    CONNECT_AGAIN = "the connection is closed, out of step, or owes an answer that cannot be told from the next one"


@dataclass(frozen=True, slots=True)
class Right:
    """Nothing comes of it."""

    then: Then = Then.STANDS


@dataclass(frozen=True, slots=True)
class Fails:
    """The request of the client ends in exactly this error; at: of the first request of another moment, later on."""

    error: type[CosemicError]
    then: Then = Then.STANDS
    at: Moment | None = None


@dataclass(frozen=True, slots=True)
class Gets:
    """The request of the client ends in this result, which is no value; of ACCESS in these of its entries."""

    result: DataAccessResult | tuple[DataAccessResult, ...]
    then: Then = Then.STANDS


@dataclass(frozen=True, slots=True)
class Says:
    """The server answers with an APDU, in clear, that begins so: in hexadecimal, ``..`` for any octet."""

    answer: str
    then: Then = Then.STANDS

    def fits(self, apdu: bytes) -> bool:
        """Whether an APDU begins so."""
        wanted = [self.answer[at : at + 2] for at in range(0, len(self.answer), 2)]
        given = [f"{octet:02x}" for octet in apdu[: len(wanted)]]
        return len(given) == len(wanted) and all(want in ("..", got) for want, got in zip(wanted, given, strict=True))


@dataclass(frozen=True, slots=True)
class Silent:
    """The server answers nothing."""

    then: Then = Then.STANDS


@dataclass(frozen=True, slots=True)
class Closes:
    """The server closes the connection; what it answers before is an exception-response."""

    then: Then = Then.CONNECT_AGAIN


OfServer: TypeAlias = Right | Fails | Gets
OfClient: TypeAlias = Right | Fails | Says | Silent | Closes
Tell: TypeAlias = "Callable[[Said, Scene], Sequence[bytes] | None]"
Reframe: TypeAlias = "Callable[[bytes, Scene], bytes | None]"
Pace: TypeAlias = Callable[[bytes], Sequence[tuple[float, bytes]]]


@dataclass(frozen=True, slots=True)
class Lie:
    """One fault.

    does: in words. standard: which clause it breaks, and what that says should come of it. moment, setting: where it is
    told. server, client: what comes of it when a server or a client tells it; None: no such peer does. tell, reframe,
    pace: exactly one of them. passing: so many occasions are let pass before. times: how often it is told; None at
    every occasion. ahead: the liar has used counters that its honest half has not: only the same liar can go on.
    notifications: how many the other side is told of; None: any number.
    """

    name: str
    does: str
    standard: str
    _: KW_ONLY
    family: Family
    moment: Moment = Moment.READING
    setting: Setting = Setting.PLAIN
    server: OfServer | None = None
    client: OfClient | None = None
    tell: Tell | None = None
    reframe: Reframe | None = None
    pace: Pace | None = None
    passing: int = 0
    times: int | None = 1
    ahead: bool = False
    notifications: int | None = 0

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who tells it."""
        told = ((Role.SERVER, self.server), (Role.CLIENT, self.client))
        return tuple(role for role, ending in told if ending is not None)
