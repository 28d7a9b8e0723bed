"""A read-out as users have it, and whole captures of read-outs and programming commands (IEC 62056-21, 6.3).

::

    /ABC5\\2MAKER-1 CR LF                                 may be missing
    STX 1.8.0(000123.4*kWh) CR LF ... ! CR LF ETX BCC     in mode D, and in old meters, without STX, ETX and BCC

Line noise, wake-up characters and the echo of the request before it are passed over, and so is noise behind it. A wrong
BCC is reported, not refused: who captures a line wants to see what came. Associations and clients of this room never
take such a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cosemic.errors import ConfigurationError, DecodeError
from cosemic.link.iec21.characters import SOH, STX, block_check
from cosemic.link.iec21.datasets import DataSet, scan_datasets
from cosemic.link.iec21.messages import Identification
from cosemic.values import Obis, Quantity

_LINE: Final = re.compile(rb"/[^\r\n]*[\r\n]*")
_NOISE: Final = re.compile(rb"[^!-.0-~\x01\x02/]*")
"""What may stand before a read-out: nothing that prints but the blank."""
_BLOCK_END: Final = re.compile(rb"[\x03\x04]")
_END: Final = re.compile(rb"!?[\r\n]*")
_COMMAND: Final = re.compile(rb"\x01([A-Z][0-9])(\x02?)")


@dataclass(frozen=True, slots=True)
class Readout:
    """A data read-out, or an answer in programming mode.

    identification: its line from ``/`` on, None where there is none. bcc, as sent, and bcc_computed: None where no BCC
    is sent, or a client has checked it already.

    >>> str(readout.value("1.8.0")), readout.value("0.0.0")
    ('123400 Wh', '00010213')
    """

    identification: str | None
    datasets: tuple[DataSet, ...]
    bcc: int | None = None
    bcc_computed: int | None = None

    @property
    def bcc_ok(self) -> bool | None:
        """Whether the BCC is right; None where none is sent, as in mode D."""
        return None if self.bcc is None else self.bcc == self.bcc_computed

    @property
    def device(self) -> Identification | None:
        """The identification in its parts; None where there is none, or it is not of the standard's form."""
        try:
            return None if self.identification is None else Identification.decode(self.identification.encode("latin-1"))
        except DecodeError:
            return None

    def __iter__(self) -> Iterator[DataSet]:
        return iter(self.datasets)

    def dataset(self, address: str) -> DataSet | None:
        """Return the first data set with that address, as the meter writes it or as an OBIS code in any form."""
        for each in self.datasets:
            if each.address.strip() == address:
                return each
        try:
            code = Obis(address)
        except ConfigurationError:
            return None
        return next((each for each in self.datasets if each.obis == code), None)

    def value(self, address: str) -> Quantity | str | None:
        """Return the first value of a data set: text where it is no number with a unit, None where none is there."""
        found = self.dataset(address)
        if found is None or not found.values:
            return None
        part = found.parts[0]
        return part.quantity or found.values[0]


@dataclass(frozen=True, slots=True)
class CapturedCommand:
    """A programming command as captured; ``bcc`` as sent."""

    command: str
    datasets: tuple[DataSet, ...]
    bcc: int
    bcc_computed: int

    @property
    def bcc_ok(self) -> bool:
        """Whether the BCC is right."""
        return self.bcc == self.bcc_computed


def read_readout(octets: bytes) -> Readout:
    """Read one read-out, or one data message without identification.

    Raises DecodeError where there is neither STX nor an identification, no end (ETX and BCC, or ``!``), a parenthesis
    that is not closed, or a second read-out behind it.
    """
    identification, start = _head(octets)
    bcc: int | None = None
    computed: int | None = None
    if octets[start : start + 1] == b"\x02":
        datasets, end, bcc, computed = _block(octets, start + 1, start + 1)
    else:
        datasets, end = _text(octets, start)
    again = octets.find(b"/", end)
    if again >= 0:
        raise DecodeError("one read-out, not a second one", again, "readout")
    return Readout(identification, datasets, bcc, computed)


def read_command(octets: bytes) -> CapturedCommand:
    """Read one programming command from SOH to BCC; noise may stand around it. Raises DecodeError for anything else."""
    start = _noise(octets, 0)
    found = _COMMAND.match(octets, start)
    if found is None:
        raise DecodeError("SOH and a command of a letter and a digit", start, "command")
    if not found[2] and octets[found.end() : found.end() + 1] not in (b"\x03", b"\x04"):
        raise DecodeError("STX, ETX or EOT behind the command", found.end(), "command")
    datasets, end, bcc, computed = _block(octets, start + 1, found.end())
    again = octets.find(SOH, end)
    if again >= 0:
        raise DecodeError("one command, not a second one", again, "command")
    return CapturedCommand(found[1].decode("ascii"), datasets, bcc, computed)


def _noise(octets: bytes, start: int) -> int:
    found = _NOISE.match(octets, start)
    assert found is not None  # no octets match too
    return found.end()


def _head(octets: bytes) -> tuple[str | None, int]:
    """Return the identification and where the data begin."""
    identification = None
    start = _noise(octets, 0)
    while line := _LINE.match(octets, start):
        if not line[0].startswith(b"/?"):
            identification = line[0].rstrip(b"\r\n").decode("latin-1")
        start = line.end() if identification is not None else _noise(octets, line.end())
        if identification is not None:
            break
    if identification is None and (start >= len(octets) or octets[start] != STX):
        raise DecodeError("STX, or an identification that begins with /", start, "readout")
    return identification, start


def _text(octets: bytes, start: int) -> tuple[tuple[DataSet, ...], int]:
    datasets, end = scan_datasets(octets, start, len(octets))
    if octets[end : end + 1] != b"!":
        expected = ") behind this parenthesis" if octets[end : end + 1] == b"(" else "! at the end"
        raise DecodeError(expected, end, "readout")
    return datasets, end


def _block(octets: bytes, checked: int, start: int) -> tuple[tuple[DataSet, ...], int, int, int]:
    """Read data sets up to ETX or EOT; return them, the end of the message, and the BCC, as sent and as computed."""
    end = _BLOCK_END.search(octets, start)
    if end is None:
        raise DecodeError("ETX or EOT at the end of the block", len(octets), "block")
    if end.end() == len(octets):
        raise DecodeError("the BCC behind ETX", len(octets), "block.bcc")
    datasets, position = scan_datasets(octets, start, end.start())
    rest = _END.match(octets, position, end.start())
    if rest is None or rest.end() != end.start():
        expected = ") behind this parenthesis" if octets[position : position + 1] == b"(" else "ETX behind !"
        raise DecodeError(expected, position, "block")
    return datasets, end.end() + 1, octets[end.end()], block_check(octets[checked : end.end()])
