"""Frames of the wired M-Bus, EN 13757-2 (format class FT 1.2 of IEC 60870-5-1).

::

    single character   E5                                  acknowledges; it names nobody
    short frame        10 C A CS 16
    long frame         68 L L 68  C A CI user data  CS 16  L counts C to user data, 3..255; L = 3: a control frame

CS is the sum, modulo 256, of all octets from C to the one before it. A names the secondary station::

    00        not configured yet          FD   the station that is selected (EN 13757-3, secondary addressing)
    01..FA    primary addresses           FE   every station, all of them answer
    FB, FC    reserved                    FF   every station, none of them answers

C tells who sends and what, PRM being 1 from the primary station (the master; the meter in a one-way push)::

    0 PRM FCB FCV function      from the primary     SND_NKE 40, SND_UD 53/73, REQ_UD1 5A/7A, REQ_UD2 5B/7B
    0 PRM ACD DFC function      from the secondary   RSP_UD 08/18/28/38

The frame count bit FCB changes with each new frame of which FCV is 1 and stays as it is when that frame is repeated.
ACD demands access for more data, DFC asks not to send more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.contract import Octets
from cosemic.values import LineSettings, Parity

LONG_START: Final = 0x68
SHORT_START: Final = 0x10
STOP: Final = 0x16
SINGLE: Final = 0xE5
MIN_LENGTH: Final = 3
"""L of a control frame: C, A, CI."""
MAX_LENGTH: Final = 255
OVERHEAD: Final = 6
"""Octets of a long frame that L does not count."""
MAX_OCTETS: Final = MAX_LENGTH + OVERHEAD
"""The longest frame."""
MAX_USER_DATA: Final = MAX_LENGTH - MIN_LENGTH
"""Octets behind the CI field."""

PRM: Final = 0x40
FCB: Final = 0x20
FCV: Final = 0x10
ACD: Final = 0x20
DFC: Final = 0x10
SND_NKE: Final = 0x40
SND_UD: Final = 0x43
REQ_UD1: Final = 0x4A
REQ_UD2: Final = 0x4B
RSP_UD: Final = 0x08
SND_NR: Final = 0x44
"""Send without reply, of wireless meters (EN 13757-4)."""

SELECT: Final = 0x52
"""CI field of a selection by secondary address."""

MAX_ADDRESS: Final = 250
SELECTED: Final = 0xFD
ALL_ANSWER: Final = 0xFE
BROADCAST: Final = 0xFF

BUS: Final = LineSettings(2400, 8, Parity.EVEN, 1)
"""What most wired buses run at."""


@dataclass(frozen=True, slots=True)
class SingleCharacter:
    """The acknowledgement E5."""

    def encode(self) -> bytes:
        """Return the one octet."""
        return bytes((SINGLE,))


E5: Final = SingleCharacter()


@dataclass(frozen=True, slots=True)
class MbusFrame:
    """A short frame (``ci`` None) or a long one, as it came; the last two fields tell whether it was right."""

    c: int
    a: int
    ci: int | None = None
    user_data: bytes = b""
    checksum_ok: bool = True
    stop_ok: bool = True

    @property
    def short(self) -> bool:
        """Whether it is a short frame, without CI field and user data."""
        return self.ci is None

    @property
    def from_primary(self) -> bool:
        """Whether the primary station sent it: the master, or a meter that pushes."""
        return bool(self.c & PRM)

    @property
    def function(self) -> int:
        """C without the two bits that count or demand: SND_NKE, SND_UD ... as the constants of this module."""
        return self.c & ~(FCB | FCV)

    @property
    def right(self) -> bool:
        """Whether checksum and stop octet are right; a station takes no other frame."""
        return self.checksum_ok and self.stop_ok

    def encode(self) -> bytes:
        """Return the frame with the right checksum. Raises EncodeError where a field or the user data is too large."""
        fields = (self.c, self.a) if self.ci is None else (self.c, self.a, self.ci)
        if any(not 0 <= field <= 0xFF for field in fields):
            raise EncodeError(f"C, A and CI of an M-Bus frame are octets, not {fields}")
        if self.ci is None:
            if self.user_data:
                raise EncodeError("a short M-Bus frame carries no user data: give it a CI field")
            return bytes((SHORT_START, self.c, self.a, self.c + self.a & 0xFF, STOP))
        if len(self.user_data) > MAX_USER_DATA:
            raise EncodeError(f"an M-Bus frame carries at most {MAX_USER_DATA} octets, not {len(self.user_data)}")
        counted = bytes(fields) + self.user_data
        length = len(counted)
        return bytes((LONG_START, length, length, LONG_START)) + counted + bytes((sum(counted) & 0xFF, STOP))


Telegram: TypeAlias = MbusFrame | SingleCharacter
"""What stands on a wired bus."""


_FUNCTIONS: Final = {
    SND_NKE: "SND_NKE",
    SND_UD: "SND_UD",
    REQ_UD1: "REQ_UD1",
    REQ_UD2: "REQ_UD2",
    RSP_UD: "RSP_UD",
    SND_NR: "SND_NR",
}


def function_name(frame: MbusFrame) -> str:
    """Return the standard's name of what a frame does, "function ..." where it has none here."""
    return _FUNCTIONS.get(frame.function, f"function {frame.function & 0x0F:x}")


def decode_frame(octets: Octets) -> Telegram:
    """Read exactly one frame, or E5; a wrong checksum or stop octet does not raise, the frame tells it.

    Raises DecodeError where the octets have not the structure of a frame: start, lengths, number of octets.
    """
    frame = bytes(octets)
    if frame == E5.encode():
        return E5
    needed = frame_length(frame) if frame else None
    if needed is None:
        start = f", not {frame[:4].hex()}" if frame else ""
        raise DecodeError(
            f"E5, 10, or 68 L L 68 with L of {MIN_LENGTH} or more begins an M-Bus frame{start}", 0, "mbus"
        )
    if needed != len(frame):
        raise DecodeError(f"an M-Bus frame of {needed} octets where there are {len(frame)}", 0, "mbus.length")
    return frame_of(frame)


def frame_length(octets: bytes | bytearray, start: int = 0) -> int | None:
    """Return the length of the frame that begins at ``start``, None where none can begin with the octets given.

    A long frame of which less than four octets are given counts as four octets long.
    """
    if octets[start] == SHORT_START:
        return 5
    head = octets[start : start + 4]
    if head[0] != LONG_START:
        return None
    if len(head) > 1 and head[1] < MIN_LENGTH:
        return None
    if len(head) > 2 and head[2] != head[1]:
        return None
    if len(head) < 4:
        return 4
    return head[1] + OVERHEAD if head[3] == LONG_START else None


def frame_of(octets: bytes) -> MbusFrame:
    """Return the frame that these octets are; :func:`frame_length` says that there are enough of them."""
    counted = octets[1:-2] if octets[0] == SHORT_START else octets[4:-2]
    checksum_ok, stop_ok = sum(counted) & 0xFF == octets[-2], octets[-1] == STOP
    if octets[0] == SHORT_START:
        return MbusFrame(counted[0], counted[1], None, b"", checksum_ok, stop_ok)
    return MbusFrame(counted[0], counted[1], counted[2], counted[3:], checksum_ok, stop_ok)
