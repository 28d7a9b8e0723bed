"""What a modem says in command mode: lines, and the result codes among them (ITU-T V.250, 5.7.1 and 6.3).

::

    verbose (V1)     CR LF text CR LF          CONNECT 9600
    numeric (V0)     digits CR                 12
    echo (E1)        the command line as it was sent, CR

Which form a modem uses depends on how it was left; both are understood at any time, and an echo is passed over.
Between the CR that ends CONNECT and the first octet of the caller a verbose modem sends LF.

Bound: :data:`MOST_LINE` octets of an unfinished line; of a longer one the end is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cosemic.link.contract import Octets

MOST_LINE: Final = 512
"""Octets: a text message in hexadecimal with its service centre has 2 * 176."""
BLANKS: Final = " \t\0"
_LINE_END: Final = re.compile(rb"[\r\n]")


class Result(Enum):
    """A result code; the value is what a verbose modem says."""

    OK = "OK"
    CONNECT = "CONNECT"
    RING = "RING"
    NO_CARRIER = "NO CARRIER"
    ERROR = "ERROR"
    NO_DIALTONE = "NO DIALTONE"
    BUSY = "BUSY"
    NO_ANSWER = "NO ANSWER"


@dataclass(frozen=True, slots=True)
class Answer:
    """A result code as it came. rate: bit/s of the connection, where CONNECT names it."""

    result: Result
    text: str
    rate: int | None = None
    numeric: bool = False


_NUMBERS: Final[dict[str, tuple[Result, int | None]]] = {
    "0": (Result.OK, None),
    "1": (Result.CONNECT, None),
    "2": (Result.RING, None),
    "3": (Result.NO_CARRIER, None),
    "4": (Result.ERROR, None),
    "5": (Result.CONNECT, 1200),
    "6": (Result.NO_DIALTONE, None),
    "7": (Result.BUSY, None),
    "8": (Result.NO_ANSWER, None),
    # Beyond V.250; makers agree on these, and the rate is for people to read only.
    "10": (Result.CONNECT, 2400),
    "11": (Result.CONNECT, 4800),
    "12": (Result.CONNECT, 9600),
}
_SPELLINGS: Final[dict[str, Result]] = {
    **{result.value: result for result in Result},
    "NO DIAL TONE": Result.NO_DIALTONE,
    "+CME ERROR": Result.ERROR,
    "+CMS ERROR": Result.ERROR,
    "COMMAND NOT SUPPORT": Result.ERROR,
    "BLACKLISTED": Result.ERROR,
    "DELAYED": Result.BUSY,
}
_RATE: Final = re.compile(r"CONNECT[ /](\d{2,7})")


def read_answer(line: str) -> Answer | None:
    """Return the result code that a line is; None for an echo, an information text, or anything else."""
    if line in _NUMBERS:
        result, rate = _NUMBERS[line]
        return Answer(result, line, rate, numeric=True)
    text = line.upper()
    if text == "CONNECT" or text.startswith(("CONNECT ", "CONNECT/")):
        found = _RATE.match(text)
        return Answer(Result.CONNECT, line, int(found[1]) if found else None)
    spelt = _SPELLINGS.get(text.partition(":")[0])
    return None if spelt is None else Answer(spelt, line)


class CommandLines:
    """Cuts what a modem says in command mode into lines; what follows the last of them can be taken as it is."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = 0

    def add(self, octets: Octets) -> None:
        """Take octets of the modem, cut anywhere."""
        self._buffer += octets

    def next_line(self) -> str | None:
        """Return the next line that is not empty, without blanks around it; None where none is complete."""
        while end := _LINE_END.search(self._buffer, self._start):
            line = self._buffer[self._start : end.start()].decode("latin-1").strip(BLANKS)
            self._start = end.end()
            if line:
                return line
        del self._buffer[: max(self._start, len(self._buffer) - MOST_LINE)]
        self._start = 0
        return None

    def unfinished(self) -> str:
        """Return what stands behind the last line end."""
        return self._buffer[self._start :].decode("latin-1")

    def take(self) -> bytes:
        """Return what stands behind the lines that were returned, and forget it."""
        octets = bytes(self._buffer[self._start :])
        self._buffer.clear()
        self._start = 0
        return octets
