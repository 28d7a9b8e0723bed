"""Names in an AARQ that a server may hold against its own (reference, application layer 5.1).

::

    called-AP-title, called-AE-qualifier                        the server's
    called-AP-invocation-id, called-AE-invocation-id
    calling-AE-qualifier, calling-AP-invocation-id              the client's

The calling-AP-title and the calling-AE-invocation-id, which names a user, have settings of their own. Most servers, and
conformance testers, want these fields passed over whatever they hold: so it is where nothing is recognised.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from cosemic.apdu import AARQ
from cosemic.values import UserDiagnostic

_DIAGNOSTICS: Final = {
    "calling_ap_invocation_id": UserDiagnostic.CALLING_AP_INVOCATION_IDENTIFIER_NOT_RECOGNIZED,
    "calling_ae_qualifier": UserDiagnostic.CALLING_AE_QUALIFIER_NOT_RECOGNIZED,
    "called_ap_title": UserDiagnostic.CALLED_AP_TITLE_NOT_RECOGNIZED,
    "called_ap_invocation_id": UserDiagnostic.CALLED_AP_INVOCATION_IDENTIFIER_NOT_RECOGNIZED,
    "called_ae_qualifier": UserDiagnostic.CALLED_AE_QUALIFIER_NOT_RECOGNIZED,
    "called_ae_invocation_id": UserDiagnostic.CALLED_AE_INVOCATION_IDENTIFIER_NOT_RECOGNIZED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """The names that an AARQ may carry; None: any. One that the AARQ leaves out is not missed."""

    calling_ap_invocation_id: int | None = None
    calling_ae_qualifier: bytes | None = None
    called_ap_title: bytes | None = None
    called_ap_invocation_id: int | None = None
    called_ae_qualifier: bytes | None = None
    called_ae_invocation_id: int | None = None


ANYTHING: Final = Recognised()


def not_recognised(aarq: AARQ, recognised: Recognised) -> UserDiagnostic | None:
    """Return the diagnostic for the first name that is another one than it has to be, None where there is none."""
    for one in fields(recognised):
        wanted, named = getattr(recognised, one.name), getattr(aarq, one.name)
        if None not in (wanted, named) and wanted != named:
            return _DIAGNOSTICS[one.name]
    return None
