"""What is asked of a reader of IEC 62056-21, and what comes of it.

======================  ==================================  ===========================================================
request                 result in :class:`Completed`        what it does
======================  ==================================  ===========================================================
DataReadout             :class:`Readout`                    sign-on, read-out, and the end of the session
EnterProgramming        :class:`SignedOn`                   sign-on into programming mode
EnterHdlc               :class:`SignedOn`                   sign-on in mode E, up to where HDLC begins
Listen                  :class:`Readout`                    waits for what a meter in mode D sends
Password                None                                P1 or P2
Read                    a tuple of :class:`DataSet`         R1 to R6
Write                   None                                W1 to W5
Execute                 a tuple of :class:`DataSet`         E2
SignOff                 None                                B0 or B1
======================  ==================================  ===========================================================

Password to SignOff are requests of programming mode. A request ends in :class:`Completed` or :class:`Failed`; the end
of a session that the reader did not ask for is :class:`SignedOff`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from cosemic.errors import CosemicError
from cosemic.link.iec21.datasets import DataSet
from cosemic.link.iec21.messages import Identification, Mode
from cosemic.link.iec21.readout import Readout
from cosemic.values import LineSettings, Secret


@dataclass(slots=True, eq=False)
class DataReadout:
    """Read out what the meter has listed. option: 0, or 6 to 9 for a maker's own list (mode C)."""

    option: int = 0


@dataclass(slots=True, eq=False)
class EnterProgramming:
    """Enter programming mode. In modes A and B the meter sends its read-out first."""


@dataclass(slots=True, eq=False)
class EnterHdlc:
    """Enter mode E."""


@dataclass(slots=True, eq=False)
class Listen:
    """Wait for a meter in mode D; for ``seconds``, or without end."""

    seconds: float | None = None


@dataclass(slots=True, eq=False)
class Password:
    """Send a password (P1), or the result of the secure algorithm on the operand of P0 (P2)."""

    password: Secret
    command: str = "P1"


@dataclass(slots=True, eq=False)
class Read:
    """Read one address. argument: stands between the parentheses. R1 ASCII-coded, R3 the same in partial blocks ..."""

    address: str
    argument: str = ""
    command: str = "R1"


@dataclass(slots=True, eq=False)
class Write:
    """Write one address. W3 and W4 go in partial blocks of ``block_size`` characters."""

    address: str
    value: str
    command: str = "W1"
    block_size: int = 128


@dataclass(slots=True, eq=False)
class Execute:
    """Execute a formatted command (E2)."""

    address: str
    value: str = ""
    command: str = "E2"


@dataclass(slots=True, eq=False)
class SignOff:
    """End the session (6.3.12): B0, after a fast wake-up B1."""


Request: TypeAlias = DataReadout | EnterProgramming | EnterHdlc | Listen | Password | Read | Write | Execute | SignOff


@dataclass(frozen=True, slots=True)
class SignedOn:
    """A session stands. operand: the data sets of P0; readout: what came before it in modes A and B."""

    identification: Identification
    mode: Mode
    line: LineSettings
    operand: tuple[DataSet, ...] = ()
    readout: Readout | None = None


@dataclass(slots=True)
class Completed:
    """A request was served; see the table above."""

    request: Request
    result: Any


@dataclass(slots=True)
class Failed:
    """A request was not served. In programming mode the session stands unless :class:`SignedOff` comes with it."""

    request: Request
    error: CosemicError


@dataclass(frozen=True, slots=True)
class SignedOff:
    """The session is over without having been asked for; the line is at 300 baud again."""

    error: CosemicError


Event: TypeAlias = Completed | Failed | SignedOff
