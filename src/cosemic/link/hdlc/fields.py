"""Information fields of HDLC frames (IEC 62056-46).

SNRM and UA, parameter negotiation (all optional, in any order)::

    81 80 len  { id (1) len (1) value (len, big-endian) }     id 05 maximum information field length, transmit
                                                              06 the same, receive; 07 window size, transmit; 08 receive

I and UI, LLC octets before the APDU, in the first or only segment::

    E6 E6 00 from the client        E6 E7 00 from the server

FRMR, why a frame was rejected::

    control field rejected | V(R) C/R V(S) 0 (3, 1, 3, 1 bits) | 0000 Z Y X W
"""

from __future__ import annotations

from dataclasses import dataclass

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.contract import Octets

LLC_REQUEST = b"\xe6\xe6\x00"
LLC_RESPONSE = b"\xe6\xe7\x00"
DEFAULT_MAX_INFO = 128
DEFAULT_WINDOW = 1

_FORMAT = 0x81
_PARAMETERS = 0x80
_IDS = {0x05: "max_info_tx", 0x06: "max_info_rx", 0x07: "window_tx", 0x08: "window_rx"}
_REASONS = ("undefined_control", "information_not_permitted", "information_too_long", "invalid_nr")
_VALUE_LENGTHS = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class HdlcParameters:
    """What SNRM and UA negotiate, from their sender's viewpoint; None: absent.

    Lengths of information fields in octets (absent stands for 128), windows in frames (absent stands for 1).
    """

    max_info_tx: int | None = None
    max_info_rx: int | None = None
    window_tx: int | None = None
    window_rx: int | None = None

    def encode(self) -> bytes:
        """Return the information field, ``81 80 00`` where nothing is negotiated.

        Raises EncodeError where a length is not in 32..2030, or a window not in 1..7.
        """
        content = b""
        for id_, name in _IDS.items():
            value: int | None = getattr(self, name)
            if value is None:
                continue
            window = name.startswith("window")
            low, high = (1, 7) if window else (32, 2030)
            if not low <= value <= high:
                raise EncodeError(f"HDLC {name} {value} is not in {low}..{high}")
            size = 4 if window else 1 if value <= 0xFF else 2
            content += bytes((id_, size)) + value.to_bytes(size, "big")
        return bytes((_FORMAT, _PARAMETERS, len(content))) + content

    @classmethod
    def decode(cls, information: Octets) -> HdlcParameters:
        """Read the information field of an SNRM or UA.

        Unknown parameters and other groups (user data) are skipped; values have 1, 2 or 4 octets. Raises DecodeError
        where it is no such field, or a parameter stands twice.
        """
        octets = bytes(information)
        if octets[:1] != bytes((_FORMAT,)):
            raise DecodeError("format identifier 81", 0, "parameters")
        values: dict[str, int] = {}
        offset = 1
        while offset < len(octets):
            group = octets[offset]
            content, end = _field(octets, offset, len(octets) if group == _PARAMETERS else None)
            while group == _PARAMETERS and content < end:
                start, following = _field(octets, content, end)
                name = _IDS.get(octets[content])
                if name is not None:
                    if following - start not in _VALUE_LENGTHS:
                        raise DecodeError("a value of 1, 2 or 4 octets", content + 1, f"parameters.{name}")
                    if name in values:
                        raise DecodeError("each parameter at most once", content, f"parameters.{name}")
                    values[name] = int.from_bytes(octets[start:following], "big")
                content = following
            offset = end
        return cls(**values)


@dataclass(frozen=True, slots=True)
class FrameReject:
    """The information field of a FRMR.

    ``control`` is the control field rejected, ``vs`` and ``vr`` the state of the sender of the FRMR, ``response`` C/R:
    whether the rejected frame was a response.
    """

    control: int
    vs: int
    vr: int
    response: bool
    undefined_control: bool = False
    information_not_permitted: bool = False
    information_too_long: bool = False
    invalid_nr: bool = False

    @property
    def reasons(self) -> str:
        """What was wrong, in words."""
        named = [reason for reason in _REASONS if getattr(self, reason)]
        return ", ".join(named).replace("_", " ") or "no reason given"

    def encode(self) -> bytes:
        """Return the three octets. Raises EncodeError where a number does not fit its bits."""
        if not (0 <= self.control <= 0xFF and 0 <= self.vs <= 7 and 0 <= self.vr <= 7):
            raise EncodeError(f"control {self.control}, V(S) {self.vs}, V(R) {self.vr} do not fit a FRMR")
        states = self.vr << 5 | self.response << 4 | self.vs << 1
        flags = (
            self.undefined_control
            | self.information_not_permitted << 1
            | self.information_too_long << 2
            | self.invalid_nr << 3
        )
        return bytes((self.control, states, flags))

    @classmethod
    def decode(cls, information: Octets) -> FrameReject:
        """Read the three octets; reserved bits are ignored. Raises DecodeError where there are more or fewer."""
        if len(information) != 3:
            raise DecodeError(f"the information field of a FRMR has 3 octets, not {len(information)}", 0, "frmr")
        control, states, flags = information
        return cls(
            control,
            states >> 1 & 7,
            states >> 5,
            bool(states & 0x10),
            bool(flags & 1),
            bool(flags & 2),
            bool(flags & 4),
            bool(flags & 8),
        )


def reject_reasons(information: bytes) -> str:
    """Return what the information field of an FRMR complains of, in words for an error."""
    try:
        reject = FrameReject.decode(information)
    except DecodeError:
        return "unreadable"
    return f"{reject.reasons} in control {reject.control:02X}"


def split_llc(information: bytes) -> tuple[bytes | None, bytes]:
    """Split an information field of I or UI into its LLC octets, None where it has none, and what follows them."""
    llc = information[:3]
    return (llc, information[3:]) if llc in (LLC_REQUEST, LLC_RESPONSE) else (None, information)


def _field(octets: bytes, offset: int, end: int | None) -> tuple[int, int]:
    """Return where the content of identifier, length, content begins and ends; ``end`` None: it may be cut short."""
    content = offset + 2
    limit = len(octets) if end is None else end
    following = content + octets[offset + 1] if content <= limit else limit + 1
    if following > limit:
        if end is None:
            return limit, limit
        raise DecodeError("identifier, length and as many octets", offset, "parameters")
    return content, following
