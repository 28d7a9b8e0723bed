"""What a scan finds: verdicts, findings, and the report of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What is known of a meter, or of one client SAP of it."""

    OPEN = "open"
    """The association was opened without password and keys: the URL works as it stands."""
    PROTECTED = "protected"
    """It answers, and wants a password or keys."""
    REFUSED = "refused"
    """It answers, and refuses this client for another reason."""
    SILENT = "silent"
    """Its link answers, and no association: perhaps another client SAP, or logical device."""
    OTHER = "other"
    """Something answers that is not DLMS as it was asked: TLS, mode C of IEC 62056-21."""


class Answer(Enum):
    """What came back, by the name that the standard has for it."""

    ACCEPTED = "AARE accepted"
    CHALLENGE = "AARE authentication-required"
    REJECTED = "AARE refused"
    EXCEPTION = "exception-response"
    SERVICE_ERROR = "confirmedServiceError"
    UNREADABLE = "no APDU"
    UA = "UA"
    DM = "DM"
    FRMR = "FRMR"
    E5 = "E5"
    IDENTIFICATION = "identification"
    TLS = "TLS record"
    CLOSED = "connection closed"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    url: what reaches it, as every command takes it; empty where nothing does. answer: what came back last. text: what
    it means and what to do. client_sap: that it was asked as; None where no client was. name: logical device name,
    where the meter tells it to everybody. identification: of the sign-on of IEC 62056-21.
    """

    verdict: Verdict
    url: str
    answer: Answer
    text: str
    client_sap: int | None = None
    name: str | None = None
    identification: str | None = None

    @property
    def found(self) -> bool:
        """Whether it is a meter that can be talked to, be it with a password or keys."""
        return self.verdict in (Verdict.OPEN, Verdict.PROTECTED)


_ORDER = tuple(Verdict)


@dataclass(frozen=True, slots=True)
class Report:
    """What a scan has found so far, the best first; ``complete`` once it has come to its end.

    hints: what was noticed besides, in words. trials: how many were made. seconds: how long it has taken.
    """

    target: str
    findings: tuple[Finding, ...]
    hints: tuple[str, ...]
    trials: int
    seconds: float
    complete: bool

    @property
    def best(self) -> Finding | None:
        """The finding that is of most use, of a meter that can be talked to; None where there is none."""
        return next((one for one in self.findings if one.found), None)


def sorted_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings by their verdicts, those of one verdict in the order in which they were found."""
    return tuple(sorted(findings, key=lambda one: _ORDER.index(one.verdict)))


@dataclass(frozen=True, slots=True)
class Step:
    """How far a scan has come: trials done, of how many at most; what is tried now; seconds left at most."""

    done: int
    of: int
    what: str
    seconds_left: float
