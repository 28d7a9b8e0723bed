"""That a server refuses an association, and the AARE that says so (IEC 62056-5-3; reference, application layer 5.2)."""

from __future__ import annotations

from typing import Any

from cosemic import apdu as a
from cosemic.values import AssociationResult, ProviderDiagnostic, UserDiagnostic


class Refusal(Exception):
    """The association is refused; ``aare`` says so to the client, None where it wants no answer.

    authentication: the client has not proved itself.
    """

    def __init__(self, reason: str, aare: a.AARE | None, *, authentication: bool = False) -> None:
        self.aare = aare
        self.authentication = authentication
        super().__init__(reason)


def refusing(
    name: Any,
    diagnostic: UserDiagnostic | ProviderDiagnostic,
    information: bytes | None = None,
    result: AssociationResult = AssociationResult.REJECTED_PERMANENT,
) -> a.AARE:
    """Return the AARE that refuses."""
    source = "acse_service_user" if isinstance(diagnostic, UserDiagnostic) else "acse_service_provider"
    return a.AARE(
        application_context_name=name,
        result=result,
        result_source_diagnostic=a.ResultSourceDiagnostic(source, diagnostic),
        user_information=information,
    )
