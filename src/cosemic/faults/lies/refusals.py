"""How a server refuses an AARQ (reference, application layer 6.4), as the beginnings of its answers.

::

    61 .. A1 09 .. A2 03 02 01 01 A3 05 A1 03 02 01 <diagnostic>    rejected-permanent, acse-service-user
    ... BE 06 04 04 0E 01 <class> <value>                           and a ConfirmedServiceError in user-information
"""

from __future__ import annotations

from typing import Final

from cosemic.faults.lies.lie import Says, Then

CONTEXT: Final = "a109060760857405080101"
CIPHERED_CONTEXT: Final = "a109060760857405080103"
_AGAIN: Final = Then.OPEN_AGAIN
UNREADABLE: Final = Says(f"61..{CONTEXT}a203020101a305a203020101", _AGAIN)
"""Refused by the provider: no-reason-given."""


def refused(diagnostic: int, context: str = CONTEXT) -> Says:
    """AARE: rejected-permanent, with a diagnostic of the service user."""
    return Says(f"61..{context}a203020101a305a1030201{diagnostic:02x}", _AGAIN)


def initiate_error(error: str, context: str = CONTEXT) -> Says:
    """AARE: rejected-permanent, no-reason-given, with a ConfirmedServiceError."""
    return Says(f"61..{context}a203020101a305a103020101be060404{error}", _AGAIN)
