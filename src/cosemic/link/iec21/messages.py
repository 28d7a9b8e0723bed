"""The messages of IEC 62056-21 (6.3).

::

    request            / ? [device address] ! CR LF
    identification     / XXX Z [\\ W]... identification CR LF       XXX maker, Z baud character, \\2: mode E
    option select      ACK V Z Y CR LF                             V protocol, Z baud character, Y option
    data message       STX text ETX BCC                            EOT in place of ETX: another block follows
    command            SOH C D [STX text] ETX BCC                  P1, R1, W2, E2, B0 ...; EOT likewise
    acknowledgement    ACK                                         NAK: send it again
    wake-up            NUL NUL ...

``!`` CR LF ends the text of a read-out. Old meters in mode A, and all in mode D, send it without STX, ETX and BCC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self, TypeAlias

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.iec21.characters import ACK, EOT, ETX, MODE_B_RATES, NAK, RATES, SOH, STX, block_check
from cosemic.link.iec21.datasets import DataSet, read_datasets

MAX_DEVICE_ADDRESS: Final = 32
MAX_IDENTIFICATION: Final = 64
"""Characters of an identification that are read; the standard has 16."""

_REQUEST: Final = re.compile(rb"/\?([^!\r\n]{0,32})!\r?\n")
_IDENTIFICATION: Final = re.compile(
    rb"/(?P<maker>[A-Za-z]{2}[A-Za-z0-9])(?P<baud>[!-~])(?P<escapes>(?:\\[!-~])*)(?P<text>[^\r\n]{0,64})\r?\n?"
)
_SELECT: Final = re.compile(rb"\x06([0-9])([!-~])([0-9])\r?\n")
_COMMAND: Final = re.compile(rb"[A-Z][0-9]")
_ERROR: Final = re.compile(rb"[^()]{0,32}\((ER(?:R(?:OR)?)?[ 0-9]{0,8})\)\s*")
_ADDRESS: Final = re.compile("[0-9A-Za-z ]{0,32}")


class Mode(Enum):
    """The protocol modes of clause 6.4."""

    A = "A"
    """300 baud throughout; the read-out follows the identification."""
    B = "B"
    """As A, and both sides change to the rate of the identification."""
    C = "C"
    """The reader selects rate and option."""
    D = "D"
    """The meter sends of its own accord, at 2,400 baud."""
    E = "E"
    """As C, and another protocol (HDLC) takes over."""


class Signal(Enum):
    """Messages of one character."""

    ACK = ACK
    NAK = NAK

    def encode(self) -> bytes:
        """Return the character."""
        return bytes((self.value,))


@dataclass(frozen=True, slots=True)
class Request:
    """The request message (6.3.1); without an address every meter that hears it answers."""

    address: str = ""

    def encode(self) -> bytes:
        """Return the octets. Raises EncodeError for an address that is not of up to 32 digits, letters and blanks."""
        if _ADDRESS.fullmatch(self.address) is None:
            raise EncodeError(f"a device address is of up to 32 digits, letters and blanks, not {self.address[:40]!r}")
        return b"/?%b!\r\n" % self.address.encode("ascii")

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read one request. Raises DecodeError for anything else."""
        return cls(_matched(_REQUEST, octets, "/ ? address ! CR LF", "request")[1].decode("latin-1"))

    def concerns(self, address: str) -> bool:
        """Whether a meter with that address is meant; leading zeros do not count (unsure)."""
        return not self.address or self.address.lstrip("0") == address.lstrip("0")


@dataclass(frozen=True, slots=True)
class Identification:
    """The identification message (6.3.2).

    manufacturer: three letters. baud: the baud character. text: the maker's identification. escapes: the characters
    behind a backslash; ``2`` means mode E.
    """

    manufacturer: str
    baud: str
    text: str = ""
    escapes: str = ""

    @property
    def reacts_fast(self) -> bool:
        """Whether the reaction time is 20 ms, not 200: the third letter is a small one."""
        return self.manufacturer[2:].islower()

    @property
    def offers_mode_e(self) -> bool:
        """Whether HDLC may be selected."""
        return "2" in self.escapes

    @property
    def mode(self) -> Mode:
        """The mode that the baud character tells of a meter that was asked; E is C with :attr:`offers_mode_e`."""
        return Mode.C if self.baud in RATES else Mode.B if self.baud in MODE_B_RATES else Mode.A

    def __str__(self) -> str:
        escapes = "".join("\\" + each for each in self.escapes)
        return f"/{self.manufacturer}{self.baud}{escapes}{self.text}"

    def encode(self) -> bytes:
        """Return the octets. Raises EncodeError where they would not be read as this identification again."""
        octets = str(self).encode("latin-1", "replace") + b"\r\n"
        read = _IDENTIFICATION.fullmatch(octets)
        if read is None or self._of(read) != self or not octets[:-2].decode("latin-1").isprintable():
            raise EncodeError(f"{str(self)[:40]!r} is no identification: / three letters, baud character, text")
        return octets

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read one identification line, with its line end or without. Raises DecodeError for anything else."""
        return cls._of(_matched(_IDENTIFICATION, octets, "/ three letters, baud character, text", "identification"))

    @classmethod
    def _of(cls, found: re.Match[bytes]) -> Self:
        maker, baud, escapes, text = (each.decode("latin-1") for each in found.groups())
        return cls(maker, baud, text, escapes[1::2])


@dataclass(frozen=True, slots=True)
class OptionSelect:
    """The acknowledgement/option select message (6.3.3).

    protocol: 0 normal, 1 secondary, 2 HDLC. baud: the baud character. option: 0 read-out, 1 programming mode, 2 binary
    (HDLC), 6 to 9 the maker's.
    """

    protocol: int
    baud: str
    option: int

    def encode(self) -> bytes:
        """Return the octets. Raises EncodeError for numbers of more than one digit and baud strings."""
        octets = b"\x06%d%b%d\r\n" % (self.protocol, self.baud.encode("latin-1", "replace"), self.option)
        if _SELECT.fullmatch(octets) is None:
            raise EncodeError(f"{self} has more than one character for one of its three")
        return octets

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read one message. Raises DecodeError for anything else."""
        protocol, baud, option = _matched(_SELECT, octets, "ACK V Z Y CR LF", "option-select").groups()
        return cls(int(protocol), baud.decode("ascii"), int(option))


@dataclass(frozen=True, slots=True)
class DataMessage:
    """A data message (6.3.4, 6.3.9, 6.3.10) whose BCC is right. more: another partial block follows (EOT)."""

    text: bytes
    more: bool = False

    @property
    def datasets(self) -> tuple[DataSet, ...]:
        """The data sets. Raises DecodeError where the text holds anything else."""
        return read_datasets(self.text)

    @property
    def error(self) -> str | None:
        """The text of an error message ``(ERnn)`` (6.3.11), None of any other message."""
        found = _ERROR.fullmatch(self.text)
        return None if found is None else found[1].decode("ascii")

    def encode(self) -> bytes:
        """Return the octets with their BCC. Raises EncodeError where the text holds ETX or EOT."""
        return b"\x02" + _checked(self.text, self.more)


@dataclass(frozen=True, slots=True)
class Command:
    """A programming command (6.3.7, 6.3.8, 6.3.12) whose BCC is right; text None: the command has no data."""

    command: str
    text: bytes | None = None
    more: bool = False

    @property
    def datasets(self) -> tuple[DataSet, ...]:
        """The data sets. Raises DecodeError where the text holds anything else."""
        return read_datasets(self.text or b"")

    def encode(self) -> bytes:
        """Return the octets with their BCC. Raises EncodeError for a command that is not a letter and a digit."""
        name = self.command.encode("latin-1", "replace")
        if _COMMAND.fullmatch(name) is None:
            raise EncodeError(f"a command is a letter and a digit (R1, W2, B0), not {self.command[:20]!r}")
        return b"\x01" + _checked(name if self.text is None else name + b"\x02" + self.text, self.more)


Message: TypeAlias = Request | Identification | OptionSelect | DataMessage | Command | Signal


def read_block(octets: bytes) -> DataMessage | Command:
    """Read a data message or command from its STX or SOH up to its BCC.

    Raises DecodeError where the frame is not there, the BCC is wrong, or the command is none.
    """
    if len(octets) < 3 or octets[0] not in (SOH, STX) or octets[-2] not in (ETX, EOT):
        raise DecodeError("SOH or STX, text, ETX or EOT, BCC", 0, "block")
    computed = block_check(octets[1:-1])
    if octets[-1] != computed:
        raise DecodeError(f"BCC {computed:02X}, not {octets[-1]:02X}", len(octets) - 1, "block.bcc")
    more, text = octets[-2] == EOT, octets[1:-2]
    if octets[0] == STX:
        return DataMessage(text, more)
    name, has_text, text = text.partition(b"\x02")
    if _COMMAND.fullmatch(name) is None:
        raise DecodeError("a command of a letter and a digit", 1, "block.command")
    return Command(name.decode("ascii"), text if has_text else None, more)


def _matched(pattern: re.Pattern[bytes], octets: bytes, expected: str, path: str) -> re.Match[bytes]:
    found = pattern.fullmatch(octets)
    if found is None:
        raise DecodeError(expected, 0, path)
    return found


def _checked(text: bytes, more: bool) -> bytes:
    if ETX in text or EOT in text:
        raise EncodeError("the text of a message cannot hold ETX or EOT")
    body = text + bytes((EOT if more else ETX,))
    return body + bytes((block_check(body),))
