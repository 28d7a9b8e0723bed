"""Pushes in general-ciphering and general-signing (IEC 62056-5-3; IEC 62056-6-2, 5.3; reference, security 5, 14).

What push_protection_parameters ask for beyond one layer under a global key: digital signatures, wrapped and agreed
keys, several layers, other information. The first element is the innermost layer. What the policy asks for beyond is
applied inside all of them, in general-glo-ciphering. Each attempt is protected anew, with a fresh transaction-id.

A confirmation counts when it is protected by the same kinds: in layers of its own, or as the association does it where
signatures are not among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosemic.association.notifying import NotifyingSettings
from cosemic.errors import CosemicError, DecipheringError
from cosemic.model.protection import ProtectionParametersElement
from cosemic.security import CounterStore, Envelope, Protection, SecurityContext, SecurityMaterial, check_protection
from cosemic.security.data_parameters import wanted
from cosemic.security.general import REFUSED, GeneralProtection, LayerPlan
from cosemic.security.general.layout import LAYER_TAGS
from cosemic.security.protection import Unprotected
from cosemic.security.suite import CONTROLS
from cosemic.server.push.refusal import PushRefused

_LARGEST_CONFIRMATION = 64


def plan_of(elements: Sequence[ProtectionParametersElement], own: bytes, client: bytes) -> LayerPlan:
    """Return the layers that elements ask for, outermost first. Raises PushRefused."""
    if any(element.protection_options.transaction_id for element in elements):
        raise PushRefused("each push takes a fresh transaction id: leave it empty")
    try:
        return LayerPlan(tuple(wanted(element, own, client) for element in reversed(elements)))
    except CosemicError as error:
        raise PushRefused(str(error)) from None


def applied_by(plan: LayerPlan) -> Protection:
    """Return all that layers apply."""
    found = Protection.NONE
    for layer in plan.layers:
        found |= layer.protection
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredSettings(NotifyingSettings):
    """How notifications in layers are sent. layered: protects them; plan: the layers. protection: what is inside."""

    layered: GeneralProtection
    plan: LayerPlan

    def context(self) -> SecurityContext | None:
        """Return a fresh security context that puts the layers around; None without keys."""
        if self.material is None:
            return None
        return _LayeredContext(self, self.material, self.counters)


class _LayeredContext(SecurityContext):
    """The security context of the push client's association, inside layers."""

    def __init__(self, settings: LayeredSettings, material: SecurityMaterial, counters: CounterStore) -> None:
        super().__init__(
            settings.system_title,
            settings.recipient_title,
            material,
            counters,
            send=settings.protection,
            require=settings.protection if settings.require is None else settings.require,
            dialect=settings.dialect,
            expand_to=_LARGEST_CONFIRMATION,
        )
        self._general = settings.layered
        self._plan = settings.plan
        self._needed = settings.protection | applied_by(settings.plan)

    def protect_apdu(
        self,
        apdu: bytes,
        envelope: Envelope | None = None,
        *,
        protection: Protection | None = None,
        broadcast: bool = False,
    ) -> bytes:
        """Return an APDU in its layers. Raises EncodeError, ConfigurationError, SecurityError."""
        inside = self.send if protection is None else protection
        if inside:
            apdu = super().protect_apdu(apdu, Envelope.GENERAL_GLO, protection=inside, broadcast=broadcast)
        return self._general.protect(apdu, self._plan)

    def unprotect_apdu(self, apdu: bytes, *, broadcast: bool = False) -> Unprotected:
        """Return a confirmation, protected as required. Raises DecodeError, SecurityError; nothing has changed then."""
        if not apdu or apdu[0] not in LAYER_TAGS:
            check_protection(self._needed & Protection.SIGNED, 0)
            return super().unprotect_apdu(apdu)
        peeling = self._general.peel(apdu)
        found = peeling.result
        applied = found.applied.get(self.peer_title or b"", Protection.NONE)
        check_protection(self._needed, applied)
        if found.broadcast or found.forward_to or Envelope.of(found.apdu) is not None:
            raise DecipheringError(REFUSED)
        peeling.accept()
        authenticated = bool(applied & (Protection.AUTHENTICATED | Protection.SIGNED))
        return Unprotected(found.apdu, authenticated, bool(applied & Protection.ENCRYPTED), CONTROLS[0], None)
