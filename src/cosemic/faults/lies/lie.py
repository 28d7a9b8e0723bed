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
:class:`Gets`         it ends in this data-access-result
====================  =================================================================================================

====================  =================================================================================================
a client lies         what the server that is lied to does
====================  =================================================================================================
:class:`Right`        it serves the request as any other
:class:`Says`         it answers with this APDU
:class:`Silent`       it answers nothing
:class:`Closes`       it closes the connection; what it answered before is an error
====================  =================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from cosemic.association.opening import REPLY_TO_HLS_AUTHENTICATION
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
    RELEASING = "releasing"


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
_PROOF = REPLY_TO_HLS_AUTHENTICATION.encode()


def moment_of(request: bytes) -> Moment | None:
    """Return the moment that begins with a plain request; None for any other APDU."""
    if request[:1] == b"\x60":
        return Moment.OPENING
    if request[:1] == b"\x62":
        return Moment.RELEASING
    if request[:2] == b"\xc3\x01" and request[3:].startswith(_PROOF):
        return Moment.PROVING
    return _MOMENTS.get(request[:2])


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
    """The request of the client ends in this result, which is no value."""

    result: DataAccessResult
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
OfClient: TypeAlias = Right | Says | Silent | Closes
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

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who tells it."""
        told = ((Role.SERVER, self.server), (Role.CLIENT, self.client))
        return tuple(role for role, ending in told if ending is not None)
