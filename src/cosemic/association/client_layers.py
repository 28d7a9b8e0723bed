"""General protection on the client's side of an association (IEC 62056-5-3; reference, security 5.3, 14, 17).

Each APDU that is sent takes the layers of the plan of its request, and a transaction-id of its own; its answer has to
come in layers with the same. An answer that comes otherwise is refused, however well protected it is::

    asked in layers        answer in layers of the server with the transaction-id of what was asked last
                           protected as the settings, and the access rights that are known, demand
    asked without          answer without, as ever
    nothing was asked      notifications in layers of the server, with any transaction-id

What a third party has protected is handed on: its answer is not read here.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Self

from cosemic.association.exchanges.pass_on import HandedOn
from cosemic.association.layered_room import layered_room
from cosemic.association.notifications import UNSOLICITED
from cosemic.association.parties import BOTH, UNICAST, is_forgeable
from cosemic.dialect import Quirk
from cosemic.errors import DecipheringError, DecodeError, PolicyViolation
from cosemic.security import Protection, SecurityContext, Unprotected, check_protection
from cosemic.security.envelopes import ENVELOPES, control_of
from cosemic.security.general import REFUSED, GeneralProtection, GeneralUnprotected, LayerPlan, read_header
from cosemic.security.general.layout import LAYER_TAGS as LAYER_TAGS
from cosemic.security.general.protecting import LARGEST_APDU
from cosemic.security.suite import CONTROLS
from cosemic.values import AuthenticationMechanism

if TYPE_CHECKING:
    from cosemic.association.settings import ClientSettings

NONE: Final = Protection.NONE
_KNOWN: Final = 64
"""Transaction-ids of what was sent that are known again: an answer may come late, and is no less protected for that."""


class ClientLayers:
    """Puts layers around requests and opens those of answers.

    protection: of this association. server_title: of the server. require: least protection of answers in layers; None:
    what the plan of the request applies. usual: the plan of the settings. of_notifications: least protection of
    notifications in layers. gmac_offered: HLS mechanism 5 is possible under the same key.
    """

    def __init__(
        self,
        protection: GeneralProtection,
        server_title: bytes,
        require: Protection | None,
        *,
        usual: LayerPlan | None = None,
        of_notifications: Protection = BOTH,
        gmac_offered: bool = False,
    ) -> None:
        self.usual: Final = usual
        """The layers of what names none of its own."""
        self._protection: Final = protection
        self._server: Final = server_title
        self._require: Final = require
        self._of_notifications: Final = of_notifications
        self._gmac_offered: Final = gmac_offered
        self._known: OrderedDict[bytes, Protection] = OrderedDict()
        """What was demanded of the answers to what was sent last, by transaction-id."""
        self._plan: LayerPlan | None = None
        self._needed = NONE
        self._asked: set[bytes] = set()
        """Transaction-ids of what was asked last, one for each repetition."""
        self._plain = b""
        self.sealed = NONE
        """What the ciphered form inside the layers of the present request applies; nothing where it has none."""
        self._third_party = b""
        self._opened: tuple[Unprotected | None, Protection] = None, NONE
        """What was opened last, and what was applied to it."""
        self.came = b""
        """Transaction-id of the answer in layers that was opened last."""
        self.handed_on = b""
        """Title of the third party to which what was opened last has to be handed on; empty where it is for us."""

    @classmethod
    def of(cls, settings: ClientSettings, context: SecurityContext, expand_to: int) -> Self:
        """Return the layers of one association with ``parties``, and the keys of its context.

        expand_to: octets of the largest APDU, 0 for the largest there is. Raises ConfigurationError.
        """
        parties, title = settings.parties, settings.server_title
        assert parties is not None
        assert title is not None
        of_notifications = (settings.protection if settings.require is None else settings.require) & BOTH
        required = settings.require if settings.layers is None else settings.require or applied_by(settings.layers)
        return cls(
            parties.protection(
                context.own_title,
                title,
                context.material,
                settings.counters,
                dialect=settings.dialect,
                encryption_alone=required is not None and required & BOTH == Protection.ENCRYPTED,
                expand_to=expand_to or LARGEST_APDU,
            ),
            title,
            settings.require,
            usual=settings.layers,
            of_notifications=of_notifications,
            gmac_offered=settings.mechanism is AuthenticationMechanism.HLS_GMAC,
        )

    @property
    def asking(self) -> bool:
        """Whether the present request goes in layers."""
        return self._plan is not None

    def begin(
        self,
        plan: LayerPlan | None,
        rights: Protection = NONE,
        *,
        sealed: Protection = NONE,
        third_party: bytes = b"",
    ) -> None:
        """Take up a request.

        plan: its layers, None for none. rights: what access rights demand of its answer. sealed: what the ciphered form
        inside its layers applies. third_party: title of the one to which the answer is handed on; empty: it is for us.
        """
        self.sealed = sealed
        self._plan, self._asked, self._plain, self._third_party = plan, set(), b"", third_party
        self._needed = rights
        if plan is not None:
            self._needed |= applied_by(plan) | sealed if self._require is None else self._require

    def room(self, max_pdu_size: int, plan: LayerPlan) -> int:
        """Return the octets of the longest plain APDU that fits inside the layers of a plan."""
        own = self._protection.own.title
        return layered_room(max_pdu_size, plan.layers, own, self._protection.suite)

    def protect(self, octets: bytes, plain: bytes) -> bytes:
        """Return an APDU in the layers of the request. plain: it as it was before it was sealed.

        Raises EncodeError, SecurityError, ConfigurationError.
        """
        assert self._plan is not None
        protected = self._protection.protect(octets, self._plan)
        transaction_id = read_header(protected)[0].transaction_id
        if plain != self._plain:  # otherwise it is repeated: an answer to any of them is one to all
            self._asked, self._plain = set(), plain
        self._asked.add(transaction_id)
        self._known[transaction_id] = self._needed
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return protected

    def confirm(self, octets: bytes) -> bytes:
        """Return a confirmation of a notification in the usual layers; it is no request. Raises as :meth:`protect`."""
        assert self.usual is not None
        return self._protection.protect(octets, self.usual)

    @property
    def proves_counter(self) -> bool:
        """Whether an answer to the present request proves that the counter of the global unicast key is right."""
        if self._plan is None or self.sealed:
            return True
        preferred = self._protection.parties[self._server].preferred
        return any(layer.protection & BOTH and (layer.key_info or preferred) in UNICAST for layer in self._plan.layers)

    def open(self, octets: bytes, context: SecurityContext | None) -> Unprotected:
        """Return what layers carry, verified and as protected as is demanded; :attr:`came` says whose answer it is.

        Raises DecipheringError, always the same; InvocationCounterError; PolicyViolation; SecurityError.
        """
        self.came = self.handed_on = b""
        try:
            transaction_id = read_header(octets)[0].transaction_id
        except DecodeError:
            raise DecipheringError(REFUSED) from None
        answered = self._answered_by(transaction_id)
        answers = answered in self._known
        peeling = self._protection.peel(octets, transaction_id=transaction_id if answers else None)
        found = peeling.result
        if not found.forward_to and found.apdu[:1] and found.apdu[0] in UNSOLICITED:
            answers = False  # whatever transaction-id it has
        if found.broadcast:  # every meter of a fleet holds that key: nobody is known by it
            raise DecipheringError(REFUSED)
        if not answers and (found.forward_to or not found.apdu[:1] or found.apdu[0] not in UNSOLICITED):
            raise DecipheringError(REFUSED)
        needed = self._known[answered] if answers else self._of_notifications
        self._refuse_forgeable(found, needed)
        applied = found.applied.get(self._server, NONE)
        apdu = found.apdu
        sealed = not found.forward_to and apdu[0] in ENVELOPES
        if sealed:
            if context is None:
                raise DecipheringError(REFUSED)
            applied |= Protection(control_of(apdu).protection)
        # A third party judges by itself what it gets; what the server has signed for it, we do not see.
        check_protection(needed & BOTH if found.forward_to else needed, applied, "the answer")
        if sealed and context is not None:  # which moves a counter, so that it comes last
            apdu = context.unprotect_apdu(apdu).plaintext
        peeling.accept()
        self.came, self.handed_on = (answered if answers else b""), found.forward_to
        control = CONTROLS[self._protection.suite.id | int(applied & BOTH) << 4]
        vouched = bool(applied & (Protection.AUTHENTICATED | Protection.SIGNED))
        unprotected = Unprotected(apdu, vouched, bool(applied & Protection.ENCRYPTED), control, None)
        self._opened = unprotected, applied
        return unprotected

    def _answered_by(self, transaction_id: bytes) -> bytes:
        """Return the transaction-id of the request that an answer belongs to; see :class:`~cosemic.dialect.Quirk`."""
        if transaction_id or not self._asked or Quirk.NO_TRANSACTION_IDS not in self._protection.dialect.quirks:
            return transaction_id
        return next(reversed(self._known))

    def applied_to(self, opened: Unprotected) -> Protection:
        """Return the protection of what was opened, here or by a security context; signatures among it."""
        last, applied = self._opened
        return applied if opened is last else Protection(opened.security_control.protection)

    def answers(self, *, layered: bool) -> bool:
        """Tell whether what was opened last can be the answer to the present request.

        layered: it came in layers. Raises PolicyViolation where an answer has lost the layers it has to have.
        """
        if layered:
            return self.came in self._asked and self.handed_on == self._third_party
        if self._plan is not None:
            raise PolicyViolation(
                "the answer came without the general protection in which was asked: it is not believed"
            )
        return True

    def for_third_party(self, octets: bytes) -> HandedOn | None:
        """Return what is to be handed on, where that was asked for; None otherwise."""
        return HandedOn(octets) if self.answers(layered=True) else None

    def _refuse_forgeable(self, found: GeneralUnprotected, needed: Protection) -> None:
        exactly = needed & BOTH == Protection.AUTHENTICATED
        if (
            self._gmac_offered
            and not exactly
            and any(is_forgeable(layer.protection, layer.key_info) for layer in found.layers)
        ):
            raise PolicyViolation("authentication without encryption is not accepted beside HLS mechanism 5")


def applied_by(plan: LayerPlan) -> Protection:
    """Return all that the layers of a plan apply."""
    applied = NONE
    for layer in plan.layers:
        applied |= layer.protection
    return applied
