"""Lies about time and size: late, never, slow; empty, cut, too long (reference, application layer 18, transports 1).

The response time-out of a client is 10 s where nothing else is said, so that 15 s are late and 9 s are not. A server
waits for its client as long as the connection stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from cosemic.errors import DecodeError, OutcomeUnknown, ProtocolError, ResponseTimeout
from cosemic.faults.lies.lie import Closes, Fails, Family, Lie, Moment, Right, Says, Silent, Then
from cosemic.faults.lies.scene import Said, Scene
from cosemic.faults.lies.telling import HEADER, before, wire, wpdu

_AGAIN: Final = Then.CONNECT_AGAIN
_time: Final = partial(Lie, family=Family.TIME)
_size: Final = partial(Lie, family=Family.SIZE)
LATE: Final = 15.0
IN_TIME: Final = 9.0
"""Seconds."""
MEGABYTE: Final = 1 << 20
_LARGE: Final = 60_000
_LATE: Final = "18: a late answer is matched by its invoke-id, and not taken for that to the next request (CL-10)"
_NEVER: Final = "9-7: the client waits for its response time-out"
_DATA_NOTIFICATION: Final = "0f0000000100" + f"0982{_LARGE:04x}" + "a5" * _LARGE


def _after(*seconds: float) -> partial[Sequence[tuple[float, bytes]]]:
    """In so many pieces, each after some silence."""
    return partial(_cut, seconds)


def _cut(seconds: tuple[float, ...], octets: bytes) -> Sequence[tuple[float, bytes]]:
    size = -(-len(octets) // len(seconds))
    return [(delay, octets[number * size : (number + 1) * size]) for number, delay in enumerate(seconds)]


def _octet_by_octet(octets: bytes) -> Sequence[tuple[float, bytes]]:
    return [(1.0, octets[at : at + 1]) for at in range(len(octets))]


def _nothing(said: Said, scene: Scene) -> Sequence[bytes]:
    return []


TIME_LIES: Final = (
    _time(
        "late",
        "the answer after the response time-out",
        _LATE,
        pace=_after(LATE),
        server=Fails(ResponseTimeout),
    ),
    _time(
        "just-in-time",
        "the APDU 9 s later",
        "9-7: within the response time-out it is an answer like any other",
        pace=_after(IN_TIME),
        server=Right(),
        client=Right(),
    ),
    _time(
        "in-halves",
        "the two halves of the APDU 5 s apart",
        "4-7: over TCP frames are split anywhere",
        pace=_after(0.0, 5.0),
        server=Right(),
        client=Right(),
    ),
    _time(
        "octet-a-second",
        "one octet a second",
        "as late: the time-out runs from the request to the whole answer; a server waits",
        pace=_octet_by_octet,
        server=Fails(ResponseTimeout),
        client=Says("c401..00"),
    ),
    _time(
        "never",
        "no answer",
        _NEVER,
        tell=_nothing,
        server=Fails(ResponseTimeout),
    ),
    _time(
        "opening-late",
        "the AARE after the response time-out",
        _LATE + "; an AARE has none: it cannot be told from the next",
        moment=Moment.OPENING,
        pace=_after(LATE),
        server=Fails(ResponseTimeout, _AGAIN),
    ),
    _time(
        "opening-never",
        "no AARE",
        _NEVER,
        moment=Moment.OPENING,
        tell=_nothing,
        server=Fails(ResponseTimeout, _AGAIN),
    ),
    _time(
        "block-never",
        "no answer in the middle of a transfer",
        _NEVER,
        moment=Moment.BLOCK_READING,
        tell=_nothing,
        server=Fails(ResponseTimeout),
    ),
    _time(
        "block-late",
        "a block after the response time-out",
        _LATE,
        moment=Moment.BLOCK_READING,
        pace=_after(LATE),
        server=Fails(ResponseTimeout),
    ),
    _time(
        "change-never",
        "no answer to a SET, which was done",
        "18: nobody knows what became of it until it is read back",
        moment=Moment.WRITING,
        tell=_nothing,
        server=Fails(OutcomeUnknown),
    ),
    _time(
        "change-late",
        "the answer to a SET after the response time-out",
        "as change-never",
        moment=Moment.WRITING,
        pace=_after(LATE),
        server=Fails(OutcomeUnknown),
    ),
    _time(
        "release-never",
        "no RLRE",
        "9-7: some meters never answer; after the time-out the association is taken as released",
        moment=Moment.RELEASING,
        tell=_nothing,
        server=Right(_AGAIN),
    ),
    _time(
        "answer-to-an-earlier-request",
        "the answer to the request before",
        _LATE,
        tell=wire(lambda octets, scene: [scene.said[-1]]),
        passing=1,
        server=Fails(ResponseTimeout),
    ),
)

SIZE_LIES: Final = (
    _size(
        "empty",
        "a frame without an APDU",
        "4-7: a length of 0 announces nothing",
        tell=wire(lambda octets, scene: [b""]),
        server=Fails(ResponseTimeout),
        client=Silent(),
    ),
    _size(
        "half",
        "the first half of the APDU, well framed",
        "20: lengths beyond the octets there are refused",
        tell=wire(lambda octets, scene: [octets[: len(octets) // 2]]),
        server=Fails(DecodeError),
        client=Says("d80103"),
    ),
    _size(
        "tag-alone",
        "the first octet of the APDU, well framed",
        "20: as half",
        tell=wire(lambda octets, scene: [octets[:1]]),
        server=Fails(DecodeError),
        client=Says("d80103"),
    ),
    _size(
        "oversize",
        "an APDU filled up to 65,535 octets",
        "18: the negotiated size binds from the first service on; pdu-too-long",
        tell=wire(lambda octets, scene: [octets.ljust(0xFFFF, b"\0")]),
        server=Fails(ProtocolError),
        client=Says("d80104"),
    ),
    _size(
        "announced-not-delivered",
        "65,535 octets announced, and 20 delivered",
        "WP-N3: a half message waits for the rest, and memory is bounded",
        reframe=wpdu(
            lambda version, source, destination, length, apdu: (
                HEADER.pack(version, source, destination, 0xFFFF) + apdu[:20]
            )
        ),
        server=Fails(ResponseTimeout, _AGAIN),
        client=Silent(_AGAIN),
    ),
    _size(
        "garbage",
        "a megabyte of octets that mean nothing",
        "WP-N7: the connection is closed",
        reframe=lambda octets, scene: b"\xa5" * MEGABYTE,
        server=Fails(ProtocolError, _AGAIN),
        client=Closes(),
    ),
    _size(
        "notifications-of-a-megabyte",
        "a megabyte of notifications before the APDU",
        "12: they answer nothing, and what is above the limits is not kept; no service of a server",
        tell=before(_DATA_NOTIFICATION, MEGABYTE // _LARGE + 1),
        server=Right(),
        client=Says("d80202"),
    ),
)
