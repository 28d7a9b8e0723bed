"""The transport layer of DLMS over M-Bus (IEC 62056-7-3; CI fields of EN 13757-7 and EN 13757-3).

What a frame carries of an APDU stands behind its CI field::

    CI 00..1F              STSAP (1)  DTSAP (1)  part of the APDU
    CI 61, 7D   ACC STS CW        SAPs (2)  APDU                      short header
    CI 60, 7C   device ACC STS CW SAPs (2)  APDU                      long header; 60, 61 to the meter, 7C, 7D from it

CI 00 to 1F is a transport header of its own: bits 0 to 3 number the segments of an APDU 0, 1, 2 ... modulo 16, bit 4
(FIN) marks the last one. A message is its segments 0, 1, 2 ... to the last, of the same SAPs:

=====================================  ==============================================================
segment 0                              a message begins; one that was open is dropped
the next number                        it is joined
any other number, or other SAPs        a segment was lost or came twice: the message is dropped, and
                                       the segments up to the next beginning are passed over
more octets than ``max_octets``        likewise
a CI field with a header               a message of its own; one that was open is dropped
=====================================  ==============================================================

Number 0 behind number 15 goes on with a message of more than 16 segments. It cannot be told from the beginning of the
next one where just those before it were lost: what is joined wrongly then is refused by the APDU's own lengths or tag,
and a listener lets go of what is open when nothing came for a while.

A master that asks again when an answer was lost may get the segment just taken once more; where ``repetitions`` is
set, a segment of an open message that equals the last one is passed over instead.

In CI 00 to 1F the order is STSAP, DTSAP. Behind a header the standard's order is not certain: decoders of meters'
frames have been seen to read the client's SAP first whoever sends. :class:`SapOrder` is the switch; frames of a client
look the same in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.mbus.frame import MAX_USER_DATA
from cosemic.link.mbus.header import LONG_HEADER, SHORT_HEADER, Header, LongHeader, ShortHeader

FIN: Final = 0x10
SEQUENCE: Final = 0x0F
LAST_SEGMENT_CI: Final = FIN | SEQUENCE
"""The highest CI field that is a transport header of its own."""
MAX_PART: Final = MAX_USER_DATA - 2
"""Octets of an APDU in one frame without header."""
MAX_OCTETS: Final = 0xFFFF
"""The longest APDU that is joined unless other limits are set."""


class SapOrder(Enum):
    """Which of the two SAPs behind a header stands first."""

    SOURCE_FIRST = "source-first"
    """STSAP, DTSAP, as with CI 00 to 1F."""
    CLIENT_FIRST = "client-first"
    """The client's SAP, in both directions."""


class HeaderForm(Enum):
    """What stands between CI field and SAPs; the values are the CI fields to the meter and from it."""

    NONE = ()
    """CI 00 to 1F: no header, and the only form that sends an APDU in segments."""
    SHORT = (0x61, 0x7D)
    LONG = (0x60, 0x7C)


_FORMS: Final = {ci: form for form in HeaderForm for ci in form.value}
_LENGTHS: Final = {HeaderForm.SHORT: SHORT_HEADER, HeaderForm.LONG: LONG_HEADER}
TO_METER: Final = frozenset((0x60, 0x61))
FROM_METER: Final = frozenset((0x7C, 0x7D))


@dataclass(frozen=True, slots=True)
class Segment:
    """What one frame carries of an APDU: ``part`` is all of it where there is a header."""

    ci: int
    source: int
    destination: int
    part: bytes
    header: Header | None = None

    @property
    def number(self) -> int:
        """The segment's number, 0 to 15."""
        return 0 if self.header is not None else self.ci & SEQUENCE

    @property
    def last(self) -> bool:
        """Whether it ends the APDU."""
        return self.header is not None or bool(self.ci & FIN)

    @property
    def form(self) -> HeaderForm:
        """Which header it has."""
        return _FORMS.get(self.ci, HeaderForm.NONE)

    def encode(self, order: SapOrder = SapOrder.SOURCE_FIRST) -> bytes:
        """Return what stands behind the CI field. Raises EncodeError where a SAP is not an octet."""
        saps = (self.source, self.destination)
        if not all(0 <= sap <= 0xFF for sap in saps):
            raise EncodeError(f"SAPs are single octets on M-Bus, not {self.source} and {self.destination}")
        if order is SapOrder.CLIENT_FIRST and self.ci in FROM_METER:
            saps = saps[::-1]
        return (b"" if self.header is None else self.header.encode()) + bytes(saps) + self.part

    def swapped(self) -> Segment:
        """Return the same with the two SAPs read in the other order."""
        return replace(self, source=self.destination, destination=self.source)


def carries_dlms(ci: int | None) -> bool:
    """Whether a frame with this CI field carries an APDU or a part of one."""
    return ci is not None and (ci <= LAST_SEGMENT_CI or ci in _FORMS)


def decode_segment(ci: int, user_data: bytes, order: SapOrder = SapOrder.SOURCE_FIRST) -> Segment:
    """Read what stands behind the CI field.

    Raises DecodeError where the CI field is not of DLMS, octets are missing, or the transport layer protects the APDU
    (security mode other than 0), which DLMS leaves to its own security.
    """
    if not carries_dlms(ci):
        raise DecodeError(f"a CI field of DLMS (00 to 1F, 60, 61, 7C, 7D), not {ci:02X}", 0, "mbus.ci")
    form = _FORMS.get(ci, HeaderForm.NONE)
    length = _LENGTHS.get(form, 0)
    if len(user_data) < length + 2:
        raise DecodeError(f"{length + 2} octets or more behind CI {ci:02X}, not {len(user_data)}", 1, "mbus.header")
    header: Header | None = None
    if form is HeaderForm.SHORT:
        header = ShortHeader.decode(user_data[:length])
    elif form is HeaderForm.LONG:
        header = LongHeader.decode(user_data[:length])
    if header is not None and header.security_mode:
        mode = header.security_mode
        raise DecodeError(f"security mode 0 of the transport layer, not {mode}: its protection is not read", 1, "mbus")
    segment = Segment(ci, user_data[length], user_data[length + 1], user_data[length + 2 :], header)
    return segment.swapped() if order is SapOrder.CLIENT_FIRST and ci in FROM_METER else segment


def segments(apdu: bytes, source: int, destination: int, *, max_part: int = MAX_PART) -> Iterator[Segment]:
    """Cut an APDU into segments of at most ``max_part`` octets, CI 00 to 1F."""
    parts = [apdu[start : start + max_part] for start in range(0, len(apdu), max_part)] or [b""]
    for number, part in enumerate(parts):
        fin = FIN if number == len(parts) - 1 else 0
        yield Segment(fin | number & SEQUENCE, source, destination, part)


def behind_header(apdu: bytes, source: int, destination: int, header: Header, *, from_meter: bool) -> Segment:
    """Put an APDU behind a header. Raises EncodeError where a frame has no room for it: such a form has no segments."""
    form = HeaderForm.LONG if isinstance(header, LongHeader) else HeaderForm.SHORT
    room = MAX_PART - _LENGTHS[form]
    if len(apdu) > room:
        raise EncodeError(
            f"an APDU of {len(apdu)} octets does not fit behind an M-Bus header (at most {room}): "
            "send it without header, in segments, or agree on a shorter max-receive-pdu-size"
        )
    return Segment(form.value[from_meter], source, destination, apdu, header)


class Reassembler:
    """Joins segments into APDUs, by the table of this module.

    ``max_octets`` bounds an APDU and so the memory held.
    """

    def __init__(self, *, max_octets: int = MAX_OCTETS, repetitions: bool = False) -> None:
        self._max_octets = max_octets
        self._repetitions = repetitions
        self._parts: list[bytes] = []
        self._octets = 0
        self._last: Segment | None = None
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """How many messages were begun and given up."""
        return self._dropped

    @property
    def pending(self) -> bool:
        """Whether a message is open."""
        return bool(self._parts)

    @property
    def octets(self) -> int:
        """How many octets of the open message have come; a segment without any counts as one."""
        return self._octets

    def reset(self) -> None:
        """Drop the open message; what comes next is not held against what came before."""
        self._drop()
        self._last = None

    def receive(self, segment: Segment) -> Segment | None:
        """Take the next segment; return the message that it completes, as a segment that holds all of the APDU."""
        if segment.header is not None:
            self.reset()
            return segment
        last, self._last = self._last, segment
        if self._repetitions and self._parts and segment == last:
            return None
        follows = last is not None and _follows(last, segment)
        # Number 0 behind number 15 goes on with a long message, be it joined or passed over.
        begins = segment.number == 0 and not follows
        if begins or not follows:
            self._drop()
        if not (begins or self._parts):
            return None
        self._parts.append(segment.part)
        self._octets += len(segment.part) or 1
        if self._octets > self._max_octets:
            self._drop()
            return None
        if not segment.last:
            return None
        apdu = b"".join(self._parts)
        self._forget()
        return replace(segment, part=apdu)

    def _drop(self) -> None:
        self._dropped += bool(self._parts)
        self._forget()

    def _forget(self) -> None:
        self._parts.clear()
        self._octets = 0


def _follows(last: Segment, segment: Segment) -> bool:
    """Whether a segment can be the one behind ``last``, of the same message."""
    return (
        not last.last
        and segment.number == last.number + 1 & SEQUENCE
        and (segment.source, segment.destination) == (last.source, last.destination)
    )
