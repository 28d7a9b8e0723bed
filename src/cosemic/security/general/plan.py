"""Layers: those to be put around an APDU, and those that were found around one (reference, security 5.5, 14).

An answer mirrors the layers of its request, party by party:

1. a kind of protection that a party applied, and that the answer needs, is applied for that party
2. a kind that the answer does not need is not applied; where none remains the layer carries no protection
3. a kind that the answer needs and nobody applied is applied for all parties
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from cosemic.errors import EncodeError
from cosemic.security.general.layout import GeneralHeader, KeyEstablishment
from cosemic.security.suite import SYSTEM_TITLE_LENGTH, Protection, SecurityControl

NONE: Final = Protection.NONE
SIGNED: Final = Protection.SIGNED
AUTHENTICATED_AND_ENCRYPTED: Final = Protection.AUTHENTICATED | Protection.ENCRYPTED
REFUSED: Final = (
    "the protected APDU does not fit what is known of its parties, or came before: check keys, certificates, system "
    "titles and permitted key-infos of both sides"
)
APPLIED: Final = tuple(Protection(number) for number in range(4))
"""What a security control says is applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer to be put around an APDU, by this side and for one party.

    recipient: its title; empty for a broadcast, under the global broadcast key. protection: ``SIGNED`` alone makes a
    general-signing, authentication and encryption, or ``NONE``, a general-ciphering. key_info: where its key comes
    from, what is preferred for the party when None. transaction_id: the one echoed or agreed upon, empty where the
    request had none; None: a fresh one, the same in all layers of a plan. date_time: 12 octets, or empty.
    other_information: as agreed.

    Raises EncodeError for what no layer can be.
    """

    recipient: bytes
    protection: Protection = AUTHENTICATED_AND_ENCRYPTED
    key_info: KeyEstablishment | None = None
    transaction_id: bytes | None = None
    date_time: bytes = b""
    other_information: bytes = b""

    def __post_init__(self) -> None:
        if self.protection & SIGNED and (self.protection != SIGNED or self.key_info is not None):
            raise EncodeError("a layer is signed or enciphered: take two layers, the outer one first")
        if self.protection == NONE and self.key_info not in (None, KeyEstablishment.ABSENT):
            raise EncodeError("a layer without protection has no key-info")
        broadcast = self.key_info is KeyEstablishment.GLOBAL_BROADCAST
        if not self.recipient and not broadcast:
            raise EncodeError(
                "the system title of the recipient is not known: say server_title, and keys, in the security settings"
            )
        if len(self.recipient) not in (0, SYSTEM_TITLE_LENGTH):
            raise EncodeError(f"the system title of a recipient has 8 octets, not {len(self.recipient)}")
        if len(self.date_time) not in (0, 12):
            raise EncodeError(f"the date-time of a layer has 12 octets, not {len(self.date_time)}")

    @property
    def signing(self) -> bool:
        """Whether it is a general-signing."""
        return self.protection is SIGNED


class ReceivedLayer(NamedTuple):
    """One layer that was found, and whose protection was verified.

    header: its fields. protection: what it applied. key_info: where its key came from, None in a general-signing.
    security_control: None in a general-signing. invocation_counter: None where there is none.
    """

    header: GeneralHeader
    protection: Protection
    key_info: KeyEstablishment | None = None
    security_control: SecurityControl | None = None
    invocation_counter: int | None = None


class GeneralUnprotected(NamedTuple):
    """What general protection carried.

    apdu: the innermost APDU; for a broker, what it has to hand on. layers: those that were taken off, outermost first.
    forward_to: title of the party to which ``apdu`` has to be handed on, empty where it is for this side.
    """

    apdu: bytes
    layers: tuple[ReceivedLayer, ...]
    forward_to: bytes = b""

    @property
    def applied(self) -> Mapping[bytes, Protection]:
        """What each originator has applied, by its title: hold policy and access rights against it."""
        found: dict[bytes, Protection] = {}
        for layer in self.layers:
            found[layer.header.originator] = found.get(layer.header.originator, NONE) | layer.protection
        return found

    @property
    def broadcast(self) -> bool:
        """Whether a layer came under the global broadcast key: nobody is known by it, and nothing is answered."""
        return any(layer.key_info is KeyEstablishment.GLOBAL_BROADCAST for layer in self.layers)

    def __repr__(self) -> str:
        return f"GeneralUnprotected({len(self.apdu)} octets, {self.layers!r}, forward_to={self.forward_to.hex()!r})"


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """The layers of an APDU, outermost first.

    >>> server = b"MMM00001"
    >>> sign_then_encipher = LayerPlan((Layer(recipient=server), Layer(recipient=server, protection=SIGNED)))
    """

    layers: tuple[Layer, ...]

    @classmethod
    def answering(cls, request: GeneralUnprotected, required: Protection) -> LayerPlan:
        """Return the layers of the answer: those of the request, as far as ``required`` of the answer says.

        required: what policy and access rights demand of it. Raises EncodeError for a broadcast.
        """
        if request.broadcast:
            raise EncodeError("what came under the broadcast key is not answered")
        applied = request.applied
        on_nobody = required
        for each in applied.values():
            on_nobody &= ~each
        layers: list[Layer] = []
        for title, kinds in applied.items():
            layers += _mirrored(request, title, required & kinds | on_nobody)
        return cls(tuple(layers))


def _mirrored(request: GeneralUnprotected, title: bytes, kinds: Protection) -> list[Layer]:
    """Return the layers for one party: in the order of its own, enciphered around signed where it used one of them."""
    theirs = [layer for layer in request.layers if layer.header.originator == title]
    ciphering = next((layer for layer in theirs if layer.protection & AUTHENTICATED_AND_ENCRYPTED), theirs[0])
    signing = next((layer for layer in theirs if layer.protection == SIGNED), theirs[0])
    layers = []
    if kinds & AUTHENTICATED_AND_ENCRYPTED or not kinds:
        protection = kinds & AUTHENTICATED_AND_ENCRYPTED
        key_info = ciphering.key_info if protection and ciphering.protection & AUTHENTICATED_AND_ENCRYPTED else None
        echoed = ciphering.header.transaction_id
        layers.append(Layer(recipient=title, protection=protection, key_info=key_info, transaction_id=echoed))
    if kinds & SIGNED:
        layers.append(Layer(recipient=title, protection=SIGNED, transaction_id=signing.header.transaction_id))
    if theirs[0].protection == SIGNED:
        layers.reverse()
    return layers
