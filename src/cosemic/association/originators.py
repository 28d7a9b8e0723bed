"""Who sends notifications, and what is kept of each sender: keys, counters, layers, and what was confirmed
(IEC 62056-5-3; reference, application layer 12, security 14, 17).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from cosemic.association.notifications import Repeats
from cosemic.association.parties import GeneralParties
from cosemic.association.server_layers import LayeredRequest, ServerLayers
from cosemic.association.settings import BOTH, SYSTEM_TITLE_LENGTH
from cosemic.errors import DecipheringError
from cosemic.security import (
    CounterStore,
    Envelope,
    Protection,
    Requirement,
    SecurityContext,
    SecurityMaterial,
)

if TYPE_CHECKING:
    from cosemic.association.notified import ReceivingSettings

_MOST_LAYERED: Final = 64
"""Notifications of one sender in layers that can be confirmed, the latest ones."""
_ANONYMOUS: Final = bytes(SYSTEM_TITLE_LENGTH)
"""Own title of a receiver that sends nothing."""


@dataclass(frozen=True, slots=True)
class Originator:
    """A sender whose keys are known.

    system_title: 8 octets. require: least protection of what it sends. own_title: the receiver's own title towards it.
    counters: where its counters are kept. None: as the settings say. parties: who protects what by general-ciphering
    and general-signing; None: nothing is taken in these.
    """

    system_title: bytes
    material: SecurityMaterial
    require: Protection | None = None
    own_title: bytes | None = None
    counters: CounterStore | None = None
    parties: GeneralParties | None = None


Keys: TypeAlias = Callable[[bytes | None], Originator | None]
"""Finds a sender by the system title that a ciphered APDU names, None where it names none; None: not known."""


class KnownOriginator:
    """What is kept of one sender."""

    __slots__ = (
        "_believed",
        "_settings",
        "context",
        "layered",
        "layers",
        "nameless",
        "originator",
        "repeats",
        "require",
    )

    def __init__(self, originator: Originator, settings: ReceivingSettings) -> None:
        require = settings.require if originator.require is None else originator.require
        own = originator.own_title or settings.system_title
        self.originator = originator
        self.nameless = not own
        """Nothing can be confirmed: there is no own title."""
        self.context = SecurityContext(
            own or _ANONYMOUS,
            originator.system_title,
            originator.material,
            originator.counters or settings.counters,
            send=require & BOTH,
            require=require & BOTH,
            dialect=settings.dialect,
            expand_to=settings.max_octets,
        )
        self.require = require
        self.layers: ServerLayers | None = None
        self._settings = settings
        self._believed: tuple[object, ...] | None = None
        self.layered: OrderedDict[int, LayeredRequest] = OrderedDict()
        """Those in layers that may be confirmed, by long-invoke-id."""
        self.repeats = Repeats(settings.repeat_window)

    def _layers(self, parties: GeneralParties, settings: ReceivingSettings) -> ServerLayers:
        protection = parties.protection(
            self.context.own_title,
            self.originator.system_title,
            self.originator.material,
            self.originator.counters or settings.counters,
            dialect=settings.dialect,
            encryption_alone=self.require & BOTH == Protection.ENCRYPTED,
            expand_to=settings.max_octets,
        )
        policy = Requirement(self.require, self.require)
        return ServerLayers(protection, self.originator.system_title, policy, gmac_offered=False)

    def open_layers(self, octets: bytes, broadcast: bool) -> LayeredRequest:
        """Return what layers carry, verified and as protected as is demanded. Raises CosemicError."""
        parties = self.originator.parties
        if parties is not None and not self.nameless:
            believed = parties.believed(self.originator.system_title)
            if self.layers is None or believed != self._believed:
                self.layers, self._believed = self._layers(parties, self._settings), believed
        if self.layers is None:
            raise DecipheringError(
                "a notification came in general-ciphering or -signing: give its sender parties, and us a system title"
            )
        return self.layers.open(octets, self.context, to_all=broadcast)

    def remember(self, number: int, layered: LayeredRequest) -> None:
        """Remember what came in layers, to confirm it in the same."""
        self.layered[number] = layered
        self.layered.move_to_end(number)
        if len(self.layered) > _MOST_LAYERED:
            self.layered.popitem(last=False)

    def confirmation(self, number: int, octets: bytes, protection: Protection) -> bytes:
        """Return a confirmation as protected as its notification. Raises SecurityError, ConfigurationError."""
        layered = self.layered.get(number)
        if layered is not None and self.layers is not None:
            return self.layers.answer(octets, layered, protection, self.context)
        if protection & Protection.SIGNED:
            raise DecipheringError("the notification to be confirmed is too long ago: its sender will repeat it")
        return self.context.protect_apdu(octets, Envelope.GENERAL_GLO, protection=protection | self.context.send)


class Originators:
    """The senders that are known, by system title; shared by the receivers of all links of one listener."""

    def __init__(self, settings: ReceivingSettings) -> None:
        self.settings = settings
        self.held = 0
        """Octets of blocks of messages that are not complete, of all links."""
        self._known: OrderedDict[bytes, KnownOriginator] = OrderedDict()

    def find(self, title: bytes | None) -> KnownOriginator:
        """Return what is kept of a sender. Raises DecipheringError where its keys are not known."""
        keys = self.settings.keys
        originator = None if keys is None else keys(title)
        if originator is None:
            who = "a sender that does not name itself" if title is None else f"system title {title.hex()}"
            raise DecipheringError(
                f"no keys are known of {who}: enter the meter, with server_title and keys in its security settings"
            )
        known = self._known.get(originator.system_title)
        if known is None or known.originator != originator:
            known = self._known[originator.system_title] = KnownOriginator(originator, self.settings)
        self._known.move_to_end(originator.system_title)
        if len(self._known) > self.settings.most_originators:
            self._known.popitem(last=False)
        return known
