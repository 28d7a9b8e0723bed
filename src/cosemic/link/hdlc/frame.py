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

from dataclasses import dataclass

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.contract import Octets
from cosemic.link.hdlc.checks import check_sequence, checks
from cosemic.values.enumerations import FrameType

FLAG = b"\x7e"
MAX_LENGTH = 0x7FF
"""The longest frame without its flags, in octets."""
MIN_LENGTH = 7
MAX_HEADER = 11
"""Format, two addresses of four octets, control."""

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

    def __post_init__(self) -> None:
        parts = (self.upper,) if self.lower is None else (self.upper, self.lower)
        if not self.size:
            object.__setattr__(self, "size", 1 if self.lower is None else 2 if max(parts) <= 0x7F else 4)
        valid = self.size == 1 if self.lower is None else self.size in (2, 4)
        if not valid or min(parts) < 0 or max(parts) > (0x3FFF if self.size == 4 else 0x7F):
            raise EncodeError(f"upper {self.upper}, lower {self.lower} is no HDLC address of {self.size} octets")

    def encode(self) -> bytes:
        """Return the 1, 2 or 4 octets."""
        if self.lower is None:
            return bytes((self.upper << 1 | 1,))
        if self.size == 2:
            return bytes((self.upper << 1, self.lower << 1 | 1))
        upper, lower = self.upper, self.lower
        return bytes((upper >> 7 << 1, (upper & 0x7F) << 1, lower >> 7 << 1, (lower & 0x7F) << 1 | 1))


@dataclass(frozen=True, slots=True)
class Control:
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


@dataclass(frozen=True, slots=True)
class HdlcFrame:
    """A frame as it came: ``length`` is its length field; ``hcs_ok`` is None where there is no information field."""

    segmented: bool
    length: int
    destination: HdlcAddress
    source: HdlcAddress
    control: Control
    information: bytes
    fcs_ok: bool
    hcs_ok: bool | None


@dataclass(frozen=True, slots=True)
class HdlcHeader:
    """What stands before HCS, information and FCS; ``end`` is the offset behind it."""

    segmented: bool
    length: int
    destination: HdlcAddress
    source: HdlcAddress
    control: Control
    end: int

    @property
    def has_information(self) -> bool:
        """Whether the length leaves room for more than the FCS."""
        return self.length > self.end + 2


def encode_frame(
    destination: HdlcAddress,
    source: HdlcAddress,
    control: Control,
    information: bytes = b"",
    *,
    segmented: bool = False,
) -> bytes:
    """Return a frame without flags. Raises EncodeError where it would be longer than 2047 octets."""
    addresses = destination.encode() + source.encode()
    length = 2 + len(addresses) + 1 + (2 + len(information) if information else 0) + 2
    if length > MAX_LENGTH:
        raise EncodeError(f"an HDLC frame has at most {MAX_LENGTH} octets, not {length}: send the APDU in segments")
    header = (0xA000 | segmented << 11 | length).to_bytes(2, "big") + addresses + bytes((control.encode(),))
    if information:
        header += check_sequence(header) + information
    return header + check_sequence(header)


def decode_frame(octets: Octets, *, length_mismatch: bool = False) -> HdlcFrame:
    """Read one frame without flags; wrong check sequences do not raise, ``fcs_ok`` and ``hcs_ok`` tell them.

    ``length_mismatch``: the quirk of meters whose length field is wrong; the frame is all the octets then, and its FCS
    has to be right. Raises DecodeError where the octets have not the structure of a frame.
    """
    frame = bytes(octets)
    if len(frame) < MIN_LENGTH:
        raise DecodeError(f"an HDLC frame has {MIN_LENGTH} octets or more, not {len(frame)}", len(frame), "hdlc")
    announced = _length_of(frame)
    if announced != len(frame):
        if not length_mismatch:
            raise DecodeError(f"length field says {announced} octets where there are {len(frame)}", 0, "hdlc.format")
        if not checks(frame):
            raise DecodeError("neither length field nor frame check sequence is right", 0, "hdlc.format")
    return frame_of(decode_header(frame, len(frame)), frame, announced)


def decode_header(octets: bytes | bytearray, length: int) -> HdlcHeader:
    """Read format to control of a frame of ``length`` octets, of which at least the first 11, or all, are given.

    Raises DecodeError where the octets cannot begin such a frame.
    """
    segmented = bool(octets[0] & 0x08)
    _length_of(octets)
    destination, offset = _decode_address(octets, 2, "hdlc.destination")
    source, offset = _decode_address(octets, offset, "hdlc.source")
    if offset >= len(octets):
        raise DecodeError("a control field", offset, "hdlc.control")
    control = _CONTROLS[octets[offset]]
    if control is None:
        raise DecodeError(f"no control field of this profile is {octets[offset]:02X}", offset, "hdlc.control")
    offset += 1
    if length < offset + 2 or offset + 2 < length < offset + 5:
        raise DecodeError(f"{length - offset} octets for HCS, information and FCS", offset, "hdlc")
    return HdlcHeader(segmented, length, destination, source, control, offset)


def frame_of(header: HdlcHeader, frame: bytes, announced: int) -> HdlcFrame:
    """Return the frame of this header whose length field is ``announced``."""
    end = header.end
    return HdlcFrame(
        header.segmented,
        announced,
        header.destination,
        header.source,
        header.control,
        frame[end + 2 : -2] if header.has_information else b"",
        checks(frame),
        checks(frame[: end + 2]) if header.has_information else None,
    )


def _length_of(octets: bytes | bytearray) -> int:
    if octets[0] & 0xF0 != 0xA0:
        raise DecodeError(f"frame format type 3 (A...), not {octets[0]:02X}", 0, "hdlc.format")
    return (octets[0] & 0x07) << 8 | octets[1]


def _decode_address(octets: bytes | bytearray, offset: int, path: str) -> tuple[HdlcAddress, int]:
    size = 1
    for octet in octets[offset : offset + 4]:
        if octet & 1:
            break
        size += 1
    end = offset + size
    if size not in (1, 2, 4) or end > len(octets):
        raise DecodeError("an address of 1, 2 or 4 octets, the last one odd", offset, path)
    if size == 1:
        return HdlcAddress(octets[offset] >> 1), end
    if size == 2:
        return HdlcAddress(octets[offset] >> 1, octets[offset + 1] >> 1, 2), end
    a, b, c, d = octets[offset:end]
    return HdlcAddress(a >> 1 << 7 | b >> 1, c >> 1 << 7 | d >> 1, 4), end


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
_CONTROL_OCTETS = {control: octet for octet, control in enumerate(_CONTROLS) if control is not None}
