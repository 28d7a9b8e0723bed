"""What comes to a client in its association without being asked for (IEC 62056-5-3; reference, application layer 12).

::

    0F 18 C2, glo- and ded- forms of them       notifications, whenever they come
    DB DC with one of them inside               the same; while a request is served the association opens them
    E0 with window 0 and acknowledgement 0      notifications in blocks, cut after they were protected

They become :class:`~cosemic.association.notifications.Notified`, and disturb no request. In an association with
ciphering they are held against its context like answers: keys, title, counter, and the protection that is demanded;
what is refused there is passed over. A data-notification that asks for it is confirmed at once, no less protected than
it came; what is repeated because the confirmation was lost is told once and confirmed again.
"""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import Final

from cosemic import apdu as a
from cosemic.association.client_layers import LAYER_TAGS, ClientLayers
from cosemic.association.notifications import UNSOLICITED, Notified, Repeats
from cosemic.association.notified import read
from cosemic.association.parties import BOTH
from cosemic.association.unconfirmed_blocks import GENERAL_BLOCK_TRANSFER, UnconfirmedBlocks, is_unconfirmed
from cosemic.codec import Limits
from cosemic.errors import CosemicError
from cosemic.security import Envelope, Protection, SecurityContext, Unprotected
from cosemic.security.envelopes import GENERAL_DED, GENERAL_GLO, INNER_TAGS

_GENERAL: Final = frozenset((GENERAL_GLO, GENERAL_DED))
_TAGS: Final = frozenset(UNSOLICITED) | {tag for tag, inner in INNER_TAGS.items() if inner in UNSOLICITED}
MAY_BE_UNSOLICITED: Final = frozenset(bytes((tag,)) for tag in (*_TAGS, GENERAL_BLOCK_TRANSFER))
"""First octets of what is looked at while a request is served."""
_MOST_CONFIRMED: Final = 64
"""Confirmations that wait to be sent; of more, the oldest is left to be asked for again."""
_REMEMBERED: Final = 600.0
"""Seconds for which a confirmed notification is known again."""
_BLOCK: Final = Struct(">BBHH")
"""Tag, control, number and acknowledgement of a block."""
_WINDOW: Final = 0x3F
_STREAMING: Final = 0x40
_MOST_BLOCKS: Final = 1 << 20
"""Octets of a notification in blocks, where the limits of the client allow as many."""


class Unsolicited:
    """Takes the notifications of one client association; ciphered: it has ciphering."""

    def __init__(self, ciphered: bool, limits: Limits, *, confirms: bool = True) -> None:
        self.due: deque[tuple[a.LongInvokeIdAndPriority, Protection]] = deque(maxlen=_MOST_CONFIRMED)
        """What is to be confirmed, and how it was protected."""
        self.refused = 0
        """Notifications that were not what the association demands, or could not be read."""
        self._ciphered = ciphered
        self._limits = limits
        self._confirms = confirms
        self._blocks = UnconfirmedBlocks(min(_MOST_BLOCKS, limits.octets))
        self._repeats = Repeats(_REMEMBERED)
        self.layers: ClientLayers | None = None
        """What opens layers of general protection, where there may be such."""

    def takes(self, octets: bytes, *, idle: bool) -> bool:
        """Whether an APDU is none that answers a request. idle: there is none to be answered."""
        tag = octets[0] if octets else -1
        if tag in _TAGS:
            return True
        if tag == GENERAL_BLOCK_TRANSFER and len(octets) >= _BLOCK.size:
            _, control, number, acknowledged = _BLOCK.unpack_from(octets)
            if control & _WINDOW or acknowledged or not number:
                return False
            # The first block alone, without streaming, may be the answer of a server that takes no blocks.
            return idle or number > 1 or bool(control & _STREAMING)
        return idle and (tag in _GENERAL or (tag in LAYER_TAGS and self.layers is not None))

    def receive(self, octets: bytes, context: SecurityContext | None, now: float) -> list[Notified]:
        """Take an APDU as it came; return the notification in it, if it is one that counts."""
        try:
            if octets[0] == GENERAL_BLOCK_TRANSFER:
                block = a.GeneralBlockTransfer.decode(octets, self._limits)
                whole = self._blocks.take(block) if is_unconfirmed(block) else None
                if whole is None:
                    return []
                octets = whole
            opened = None
            if context is not None:
                opened = self._opened(octets, context)
                octets = opened.plaintext
                if octets[:1] and octets[0] not in UNSOLICITED:
                    return []  # an answer that comes too late
            elif self._ciphered:
                self.refused += 1
                return []
            return self.take(octets, opened, context, now)
        except CosemicError:
            self.refused += 1
            return []

    def _opened(self, octets: bytes, context: SecurityContext) -> Unprotected:
        if self.layers is not None and octets[:1] and octets[0] in LAYER_TAGS:
            return self.layers.open(octets, context)
        return context.unprotect_apdu(octets)

    def take(
        self, octets: bytes, opened: Unprotected | None, context: SecurityContext | None, now: float
    ) -> list[Notified]:
        """Take a notification whose protection, if any, was taken off; ``opened`` says which."""
        try:
            apdu = read(octets, self._limits)
        except CosemicError:
            self.refused += 1
            return []
        notified = Notified(apdu)
        if opened is not None and context is not None:
            control = opened.security_control
            applied = Protection(control.protection)
            if self.layers is not None:
                applied = self.layers.applied_to(opened)
            notified = Notified(apdu, context.peer_title, applied, opened.authenticated, control.broadcast)
        if not (notified.wants_confirmation and self._confirms):
            return [notified]
        assert isinstance(apdu, a.DataNotification)
        number = apdu.long_invoke_id_and_priority
        came_before = self._repeats.came_before(number.invoke_id, octets, now)
        self.due.append((number, notified.protection))
        return [] if came_before else [notified]

    def confirmation(self, context: SecurityContext | None) -> bytes:
        """Return the confirmation that is due next; nothing where it cannot be protected: its sender will repeat."""
        number, applied = self.due.popleft()
        octets = a.DataNotificationConfirm(number, b"").encode()
        if context is None:
            return b"" if applied else octets
        envelope = Envelope.kind(dedicated=context.envelope.dedicated, general=True)
        try:
            if self.layers is not None and self.layers.usual is not None:
                return self.layers.confirm(octets)
            return context.protect_apdu(octets, envelope, protection=applied & BOTH | context.send)
        except CosemicError:
            self.refused += 1
            return b""
