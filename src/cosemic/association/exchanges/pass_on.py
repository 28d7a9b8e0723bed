"""What a broker hands on for a third party: octets over, octets back (reference, security 14)."""

from __future__ import annotations

from typing import Any, NamedTuple

from cosemic.association.terms import Exchange, Terms, unexpected


class HandedOn(NamedTuple):
    """An APDU that only third party and server can open."""

    octets: bytes

    def encode(self) -> bytes:
        """Return it as it is."""
        return self.octets


def pass_on(request: Any, terms: Terms) -> Exchange:
    """Hand the APDU of a third party on: the octets that it gets."""
    response = yield HandedOn(request.apdu)
    if not isinstance(response, HandedOn):
        raise unexpected(response, "an answer to the third party")
    return response.octets
