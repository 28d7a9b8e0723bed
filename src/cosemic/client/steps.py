"""What a procedure yields, beside the requests of :mod:`cosemic.association.requests`, for its driver to perform.

============  ==============================================================  =========================
step          the driver                                                      the procedure is sent
============  ==============================================================  =========================
Wait          lets time pass                                                  None
Now           looks at its clock                                              an aware ``datetime``
Connect       drops the connection, if there is one, and connects the medium  None
Reconnect     the same, and opens the association of the session              ``Opened``
============  ==============================================================  =========================

Errors are raised into the procedure: ConnectionFailed for a Connect, whatever an opening raises for a Reconnect.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from cosemic.stack import StackRequest

T = TypeVar("T")


class DriverStep:
    """What a driver does itself; every other step is a request for the association."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Wait(DriverStep):
    """Let so many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Now(DriverStep):
    """Tell the true time, as far as this side knows it."""


@dataclass(frozen=True, slots=True)
class Connect(DriverStep):
    """Connect the medium anew; no association is open afterwards."""


@dataclass(frozen=True, slots=True)
class Reconnect(DriverStep):
    """Connect the medium anew, and open the association of the session on it."""


Step = StackRequest | Wait | Now | Connect | Reconnect
Procedure = Generator[Step, Any, T]
"""What a client does: it yields steps, is sent their results, and returns a ``T``."""
