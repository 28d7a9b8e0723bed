"""One HDLC frame, frame format type 3 (IEC 62056-46, ISO/IEC 13239), without its flags.

::

    format (2)         destination   source       control (1)   [HCS (2)  information (n)]   FCS (2)
    1010 S LLLLLLLLLLL 1, 2, 4       1, 2, 4

S is the segmentation bit (1: more segments follow), L counts all octets from format to FCS, at most 2047. HCS covers
format to control and stands only before an information field; FCS covers all before it. Check sequences are sent low
octet first.

Each address octet carries seven bits in its bits 7 to 1; bit 0 is 1 in the last one. One octet is an upper address
(client SAP, logical device), two octets are upper and lower, four octets are 14 bits of each. Three octets are invalid.

Control field, P/F in bit 4::

    I      RRR P SSS 0        RR     RRR P 0001        RNR    RRR P 0101
    SNRM   100 P 0011         DISC   010 P 0011        UI     000 P 0011
    UA     011 F 0011         DM     000 F 1111        FRMR   100 F 0111
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.contract import Octets
from cosemic.link.hdlc.checks import check_sequence, checks, continued_check_sequence, continues
from cosemic.values.enumerations import FrameType

FLAG = b"\x7e"
MAX_LENGTH = 0x7FF
"""The longest frame without its flags, in octets."""
MIN_LENGTH = 7
MAX_HEADER = 11
"""Format, two addresses of four octets, control."""

_FORMAT = 0xA000
_SEGMENTED = 0x0800
_new = tuple.__new__
_HEADERS_KEPT = 1024
"""How many headers are remembered with their check sequence, each way: a session has few, and meets them again."""
_UNNUMBERED = {
    FrameType.SNRM: 0x83,
    FrameType.DISC: 0x43,
    FrameType.UA: 0x63,
    FrameType.DM: 0x0F,
    FrameType.FRMR: 0x87,
    FrameType.UI: 0x03,
}


@dataclass(frozen=True, slots=True)
class HdlcAddress:
    """An address: ``upper`` is the only or first part, ``lower`` the second, None where there is one part.

    ``size`` is the number of octets: 1, 2 or 4. Where it is not given it is the least that holds the parts. The same
    parts in another size are another address: 7F is ALL_STATION in one or two octets, 3FFF in four.
    Raises EncodeError where parts and size do not fit.
    """

    upper: int
    lower: int | None = None
    size: int = 0
    octets: bytes = field(init=False, repr=False, compare=False)
    """The address as it is sent."""

    def __post_init__(self) -> None:
        upper, lower = self.upper, self.lower
        parts = (upper,) if lower is None else (upper, lower)
        if not self.size:
            object.__setattr__(self, "size", 1 if lower is None else 2 if max(parts) <= 0x7F else 4)
        valid = self.size == 1 if lower is None else self.size in (2, 4)
        if not valid or min(parts) < 0 or max(parts) > (0x3FFF if self.size == 4 else 0x7F):
            raise EncodeError(f"upper {upper}, lower {lower} is no HDLC address of {self.size} octets")
        sevens = [seven for part in parts for seven in ((part >> 7, part & 0x7F) if self.size == 4 else (part,))]
        object.__setattr__(self, "octets", bytes([*(seven << 1 for seven in sevens[:-1]), sevens[-1] << 1 | 1]))

    @property
    def all_station(self) -> int:
        """ALL_STATION, the broadcast number of each part of an address of this size."""
        return 0x3FFF if self.size == 4 else 0x7F

    def encode(self) -> bytes:
        """Return the 1, 2 or 4 octets."""
        return self.octets


class Control(NamedTuple):
    """A control field. ``ns`` stands only in I, ``nr`` in I, RR and RNR; ``pf`` is the poll or final bit, 0 or 1."""

    type: FrameType
    ns: int | None = None
    nr: int | None = None
    pf: int = 1

    def encode(self) -> int:
        """Return the octet. Raises EncodeError where the numbers do not fit the type."""
        octet = _CONTROL_OCTETS.get(self)
        if octet is None:
            raise EncodeError(f"no HDLC control field is {self.type.label} with N(S) {self.ns}, N(R) {self.nr}")
        return octet


class HdlcFrame(NamedTuple):
    """A frame as it came: ``length`` is its length field; ``hcs_ok`` is None where there is no information field."""

    segmented: bool
    length: int
    destination: HdlcAddress
    source: HdlcAddress
    control: Control
    information: bytes
    fcs_ok: bool
    hcs_ok: bool | None


class HdlcHeader(NamedTuple):
    """What stands before HCS, information and FCS.

    ``length`` is the length field, ``end`` the offset behind the control field, ``check`` the check sequence of the
    octets up to there: the right HCS, or the right FCS where nothing stands between.
    """

    segmented: bool
    length: int
    destination: HdlcAddress
    source: HdlcAddress
    control: Control
    end: int
    check: bytes


def encode_frame(
    destination: HdlcAddress,
    source: HdlcAddress,
    control: Control,
    information: bytes = b"",
    *,
    segmented: bool = False,
    flags: bytes = b"",
) -> bytes:
    """Return a frame, with ``flags`` (:data:`FLAG`, or none) before and behind it.

    Raises EncodeError where it would be longer than 2047 octets, or for a control field that is none.
    """
    addresses = destination.octets + source.octets
    length = len(addresses) + (len(information) + 7 if information else 5)
    if length > MAX_LENGTH:
        raise EncodeError(f"an HDLC frame has at most {MAX_LENGTH} octets, not {length}: send the APDU in segments")
    header = _checked(_FORMAT | segmented << 11 | length, addresses, control)
    if not information:
        return flags + header + flags
    return b"".join((flags, header, information, continued_check_sequence(information), flags))


def decode_frame(octets: Octets, *, length_mismatch: bool = False) -> HdlcFrame:
    """Read one frame without flags; wrong check sequences do not raise, ``fcs_ok`` and ``hcs_ok`` tell them.

    ``length_mismatch``: the quirk of meters whose length field is wrong; the frame is all the octets then, and its FCS
    has to be right. Raises DecodeError where the octets have not the structure of a frame.
    """
    frame = bytes(octets)
    length = len(frame)
    if length < MIN_LENGTH:
        raise DecodeError(f"an HDLC frame has {MIN_LENGTH} octets or more, not {length}", length, "hdlc")
    header = decode_header(frame, length)
    if header.length != length:
        if not length_mismatch:
            raise DecodeError(f"length field says {header.length} octets where there are {length}", 0, "hdlc.format")
        if not checks(frame):
            raise DecodeError("neither length field nor frame check sequence is right", 0, "hdlc.format")
    return frame_of(header, frame, 0, length)


def decode_header(octets: bytes, length: int, start: int = 0) -> HdlcHeader:
    """Read format to control of a frame of ``length`` octets that begins at ``start``.

    At least its first 11 octets, or all, have to be given. Raises DecodeError where the octets cannot begin such a
    frame.
    """
    try:
        end = start + 4
        if not octets[start + 2] & octets[start + 3] & 1:
            end = start + (3 if octets[start + 2] & 1 else 4 if octets[start + 3] & 1 else 6)
            end += 1 if octets[end] & 1 else 2 if octets[end + 1] & 1 else 4
    except IndexError:
        end = len(octets)
    header = _header(octets[start : end + 1])
    room = length - header.end
    if room < 5 and room != 2:
        raise DecodeError(f"{room} octets for HCS, information and FCS", header.end, "hdlc")
    return header


def frame_of(header: HdlcHeader, octets: bytes, start: int, end: int, thorough: bool = True) -> HdlcFrame:
    """Return the frame of this header that is ``octets`` from ``start`` to ``end``.

    Not ``thorough``: the FCS of a frame whose HCS is wrong counts as wrong too, unseen.
    """
    segmented, length, destination, source, control, size, check = header
    hcs = start + size
    body = hcs + 2
    if body == end:
        return HdlcFrame(segmented, length, destination, source, control, b"", octets[hcs:end] == check, None)
    hcs_ok = octets[hcs:body] == check
    fcs_ok = continues(octets[body:end]) if hcs_ok else thorough and checks(octets[start:end])
    return _new(HdlcFrame, (segmented, length, destination, source, control, octets[body : end - 2], fcs_ok, hcs_ok))


def _length_of(octets: bytes) -> int:
    if octets[0] & 0xF0 != 0xA0:
        raise DecodeError(f"frame format type 3 (A...), not {octets[0]:02X}", 0, "hdlc.format")
    return (octets[0] & 0x07) << 8 | octets[1]


@lru_cache(_HEADERS_KEPT)
def _header(octets: bytes) -> HdlcHeader:
    """Read the octets from format to control."""
    length = _length_of(octets)
    segmented = bool(octets[0] & _SEGMENTED >> 8)
    destination, end = _address(octets, 2, "hdlc.destination")
    source, end = _address(octets, end, "hdlc.source")
    if end >= len(octets):
        raise DecodeError("a control field", end, "hdlc.control")
    control = _CONTROLS[octets[end]]
    if control is None:
        raise DecodeError(f"no control field of this profile is {octets[end]:02X}", end, "hdlc.control")
    return HdlcHeader(segmented, length, destination, source, control, end + 1, check_sequence(octets))


def _address(octets: bytes, start: int, path: str) -> tuple[HdlcAddress, int]:
    """Read the address at ``start``; return it and where it ends."""
    sevens = [octet >> 1 for octet in octets[start : start + 4]]
    size = next((size for size, octet in enumerate(octets[start : start + 4], 1) if octet & 1), 0)
    if size not in (1, 2, 4):
        raise DecodeError("an address of 1, 2 or 4 octets, the last one odd", start, path)
    if size == 4:
        return HdlcAddress(sevens[0] << 7 | sevens[1], sevens[2] << 7 | sevens[3], 4), start + 4
    return HdlcAddress(sevens[0], sevens[1] if size == 2 else None), start + size


@lru_cache(_HEADERS_KEPT)
def _checked(format_: int, addresses: bytes, control: Control) -> bytes:
    """Return a header and its check sequence."""
    octets = format_.to_bytes(2, "big") + addresses + bytes((control.encode(),))
    return octets + check_sequence(octets)


def _control_of(octet: int) -> Control | None:
    pf = octet >> 4 & 1
    if not octet & 1:
        return Control(FrameType.I, octet >> 1 & 7, octet >> 5, pf)
    if octet & 0x0F == 0x01:
        return Control(FrameType.RR, None, octet >> 5, pf)
    if octet & 0x0F == 0x05:
        return Control(FrameType.RNR, None, octet >> 5, pf)
    for type_, bits in _UNNUMBERED.items():
        if octet & 0xEF == bits:
            return Control(type_, None, None, pf)
    return None


_CONTROLS = tuple(_control_of(octet) for octet in range(256))
I_CONTROLS = tuple(
    tuple(tuple(Control(FrameType.I, ns, nr, pf) for ns in range(8)) for nr in range(8)) for pf in (0, 1)
)
"""Of I frames, by P/F, N(R) and N(S): what is sent most is not made each time."""
_CONTROL_OCTETS = {control: octet for octet, control in enumerate(_CONTROLS) if control is not None}
