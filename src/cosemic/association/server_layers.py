"""General protection on the server's side of an association (IEC 62056-5-3; reference, security 11, 14, 17).

A request is opened and held against the policy in this order; nothing has changed before the last step:

1. its layers are taken off, each verified (:mod:`cosemic.security.general.opening`)
2. an APDU under the broadcast key is taken only where it was sent to all stations
3. a tag alone under the global unicast key is no proof beside HLS mechanism 5, unless the policy is exactly that
4. the originators: the client alone, or the client around one third party. What the client has sealed in the envelope
   of a security context stands inside layers of the client, and of nobody else
5. the protection that counts (:func:`counted`) holds all that the policy demands
6. counters and transaction-ids are accepted

What counts as applied to a request is what its *author* has signed, and what its author and the client around it have
authenticated and encrypted. The author is the originator of the innermost layer. A third party has authenticated or
signed its request itself; and the client has authenticated or signed what it brings, where the policy protects requests
at all.

The answer has the layers of the request, as far as policy and access rights demand (:meth:`LayerPlan.answering`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from cosemic.association.answering import response_envelope
from cosemic.association.layered_room import layers_overhead
from cosemic.association.parties import BOTH, is_forgeable
from cosemic.errors import DecipheringError, PolicyViolation
from cosemic.security import Envelope, Protection, SecurityContext, check_protection
from cosemic.security.envelopes import control_of
from cosemic.security.general import REFUSED, GeneralProtection, GeneralUnprotected, Layer, LayerPlan
from cosemic.security.general.layout import LAYER_TAGS as LAYER_TAGS
from cosemic.security.general.protecting import LARGEST_APDU
from cosemic.security.policy import Requirement
from cosemic.values import AuthenticationMechanism

if TYPE_CHECKING:
    from cosemic.association.service_provider import ServerSettings

NONE: Final = Protection.NONE
SIGNED: Final = Protection.SIGNED
VOUCHES: Final = Protection.AUTHENTICATED | SIGNED
"""By one of these an originator is known."""


@dataclass(frozen=True, slots=True)
class LayeredRequest:
    """A request that came in layers.

    apdu: plain. found: its layers. applied: the protection that counts for policy and rights. third_party: title of the
    one whose request it is; empty: it is that of the client. envelope, sealed: the envelope of the security context
    inside the layers, and what it applied; None and nothing where there was none.
    """

    apdu: bytes
    found: GeneralUnprotected
    applied: Protection
    third_party: bytes = b""
    envelope: Envelope | None = None
    sealed: Protection = NONE


class ServerLayers:
    """Opens the layers of requests and puts those of answers around.

    protection: of this association. client_title: of the client that opened it. policy: what its security policy
    demands. gmac_offered: HLS mechanism 5 is possible under the same key.
    """

    def __init__(
        self,
        protection: GeneralProtection,
        client_title: bytes,
        policy: Requirement,
        *,
        gmac_offered: bool,
    ) -> None:
        self._protection: Final = protection
        self._client: Final = client_title
        self._policy: Final = policy
        self._gmac_offered: Final = gmac_offered and policy.request & BOTH != Protection.AUTHENTICATED

    @classmethod
    def of(cls, settings: ServerSettings, context: SecurityContext, expand_to: int) -> Self:
        """Return the layers of one association with ``parties``, and the keys of its context.

        expand_to: octets of the largest APDU, 0 for the largest there is. Raises ConfigurationError.
        """
        parties, title, policy = settings.parties, context.peer_title, settings.policy.requires
        if parties is None or title is None:
            raise DecipheringError(REFUSED)
        protection = parties.protection(
            context.own_title,
            title,
            context.material.with_dedicated_key(None),
            settings.counters,
            dialect=settings.dialect,
            encryption_alone=policy.request & BOTH == Protection.ENCRYPTED,
            expand_to=expand_to or LARGEST_APDU,
        )
        offered = settings.mechanism is AuthenticationMechanism.HLS_GMAC
        return cls(protection, title, policy, gmac_offered=offered)

    def open(self, octets: bytes, context: SecurityContext, *, to_all: bool) -> LayeredRequest:
        """Return the request inside the layers, verified and as protected as the policy demands.

        context: of the association; opens what was sealed inside. to_all: it was sent to all stations. Raises
        DecipheringError, always the same; InvocationCounterError for a single layer; PolicyViolation; SecurityError.
        """
        peeling = self._protection.peel(octets)
        found = peeling.result
        applied, author = self._held_against(found, to_all)
        envelope, sealed = Envelope.of(found.apdu), NONE
        apdu = found.apdu
        if envelope is not None:
            if set(applied) != {self._client}:
                raise DecipheringError(REFUSED)
            sealed = Protection(control_of(apdu).protection)
            applied[self._client] |= sealed
        counts = counted(applied, author)
        check_protection(self._policy.request, counts)
        if envelope is not None:  # which moves a counter, so that it comes last
            apdu = context.unprotect_apdu(apdu, broadcast=to_all).plaintext
        peeling.accept()
        return LayeredRequest(apdu, found, counts, b"" if author == self._client else author, envelope, sealed)

    def _held_against(self, found: GeneralUnprotected, to_all: bool) -> tuple[dict[bytes, Protection], bytes]:
        """Return what each originator has applied, and the author; see steps 2 to 5 above."""
        applied, author = dict(found.applied), found.layers[-1].header.originator
        if found.forward_to or (found.broadcast and not to_all) or set(applied) - {self._client, author}:
            raise DecipheringError(REFUSED)
        if self._gmac_offered and any(
            is_forgeable(layer.protection, layer.key_info) and layer.header.originator == self._client
            for layer in found.layers
        ):
            raise PolicyViolation("authentication without encryption is not accepted beside HLS mechanism 5")
        if author != self._client and not applied[author] & VOUCHES:
            raise PolicyViolation("a third party has neither authenticated nor signed its request")
        if self._policy.request and author != self._client and not applied.get(self._client, NONE) & VOUCHES:
            raise PolicyViolation("the client has neither authenticated nor signed what it hands on")
        return applied, author

    @property
    def signs(self) -> bool:
        """Whether there is a key to sign with."""
        return self._protection.own.signing_key is not None

    def answerable(self, request: LayeredRequest) -> bool:
        """Tell whether an answer can be as protected as the policy demands: ask before anything is executed."""
        required = self._policy.response
        if request.envelope is not None:
            required &= ~(BOTH | request.sealed)
        return self._protection.can_protect(LayerPlan.answering(request.found, required))

    def answer(self, octets: bytes, request: LayeredRequest, rights: Protection, context: SecurityContext) -> bytes:
        """Return an answer in the layers of its request.

        octets: plain. rights: what the access rights demand of it, beside the policy. Raises SecurityError,
        ConfigurationError, EncodeError where that cannot be.
        """
        required = self._policy.response | rights
        if request.envelope is not None:
            # What the envelope was needed for, it is needed for again.
            sealed = required & BOTH | request.sealed
            envelope = response_envelope(context, request.envelope, octets[0])
            octets = context.protect_apdu(octets, envelope, protection=sealed)
            required &= ~sealed
        return self._protection.protect(octets, LayerPlan.answering(request.found, required))

    def announce(self, octets: bytes) -> bytes:
        """Return a notification for the client in layers, as protected as the policy demands of answers.

        Raises SecurityError, ConfigurationError, EncodeError where that cannot be.
        """
        required = self._policy.response
        layers = [Layer(recipient=self._client, protection=required & BOTH)] if required & BOTH else []
        if required & SIGNED:
            layers.append(Layer(recipient=self._client, protection=SIGNED))
        return self._protection.protect(octets, LayerPlan(tuple(layers)))

    def overhead(self, request: LayeredRequest) -> int:
        """Return the octets that the layers of an answer add to it at the most, whatever is demanded of it."""
        protection = self._protection
        most = BOTH if protection.own.signing_key is None else BOTH | SIGNED
        plan = LayerPlan.answering(request.found, most)
        sealing = 0 if request.envelope is None else 3 + 17 + 10
        return sealing + layers_overhead(plan.layers, protection.own.title, protection.suite)


def counted(applied: dict[bytes, Protection], author: bytes) -> Protection:
    """Return the protection of a request that counts: nobody signs for its author; a layer around covers all of it."""
    by_all = NONE
    for each in applied.values():
        by_all |= each
    return by_all & BOTH | applied[author] & SIGNED
