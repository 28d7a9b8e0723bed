"""Client, server and third party with keys that are the same in each process, and what they seal for each other."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any, Final

from cosemic.association.parties import GeneralParties, ThirdParty
from cosemic.dialect import STANDARD
from cosemic.errors import CosemicError
from cosemic.security import (
    Key,
    MemoryCounterStore,
    Protection,
    SecurityMaterial,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    security_suite,
)
from cosemic.security.general import (
    GeneralProtection,
    KeyEstablishment,
    Layer,
    LayerPlan,
    MemoryTransactionStore,
    OwnParty,
    Party,
    open_ciphering,
    seal_ciphering,
    seal_signing,
    split_ciphering,
    split_signing,
)
from cosemic.security.general.establishing import KeyEstablisher
from cosemic.security.general.party_keys import KnownPartyKeys
from cosemic.values import Secret
from fuzz.mutation import disturbed

CLIENT, SERVER, THIRD = b"CLI00001", b"SRV00001", b"THI00001"
K = KeyEstablishment
SIGNED: Final = Protection.SIGNED
BOTH: Final = Protection.AUTHENTICATED | Protection.ENCRYPTED
AGREED: Final = frozenset({K.ONE_PASS, K.STATIC})
ALL: Final = frozenset(K)


class Transactions(MemoryTransactionStore):
    """Transaction-ids whose own numbers are the same in each process."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self._numbers = count(first)

    def next_own(self, title: bytes) -> bytes:
        return next(self._numbers).to_bytes(8, "big")

    def is_own(self, title: bytes, transaction_id: bytes) -> bool:
        return False


def octets(first: int, suite: int) -> Secret:
    return Secret(bytes((first + each) & 0xFF for each in range(security_suite(suite).key_length)))


@cache
def material(suite: int) -> SecurityMaterial:
    keys = [octets(first, suite) for first in (0x00, 0xD0, 0x40, 0x80)]
    return SecurityMaterial.of(*keys[:2], suite=suite, broadcast_key=keys[2], kek=keys[3])


@cache
def own(title: bytes, suite: int) -> OwnParty:
    if not suite:
        return OwnParty(title=title)
    chosen = security_suite(suite)
    scalar = title * (chosen.coordinate_length // 8)
    return OwnParty(
        title=title,
        signing_key=SoftwareSigningKey.of(scalar, chosen),
        agreement_key=SoftwareAgreementKey.of(bytes(reversed(scalar)), chosen),
    )


def party(title: bytes, suite: int, **changed: Any) -> Party:
    keys = own(title, suite)
    given: dict[str, Any] = {
        "title": title,
        "key_infos": ALL if suite else ALL - AGREED,
        "material": material(suite),
        "signing": keys.signing_key.public if keys.signing_key else None,
        "agreement": keys.agreement_key.public if keys.agreement_key else None,
    }
    return Party(**given | changed)


def others(title: bytes, suite: int) -> list[Party]:
    """What a side knows of the other two."""
    third = {"key_infos": AGREED, "material": None, "authentication_key": Key(octets(0x30, suite))}
    found = [party(each, suite, broker=each == CLIENT) for each in (CLIENT, SERVER) if each != title]
    return found if title == THIRD or not suite else [*found, party(THIRD, suite, **third)]


def protection(title: bytes, suite: int, first: int = 1) -> GeneralProtection:
    """A fresh side; first: of its own transaction-ids."""
    return GeneralProtection(
        own(title, suite),
        others(title, suite),
        suite=security_suite(suite),
        counters=MemoryCounterStore(),
        transactions=Transactions(first),
        brokers_for=(THIRD,) if title == CLIENT and suite else (),
        draw=lambda length: bytes(range(length)),
        make_ephemeral=lambda chosen: SoftwareAgreementKey.of(b"\x07" * chosen.coordinate_length, chosen),
    )


def plans(suite: int) -> list[LayerPlan]:
    """What the client puts around an APDU for the server."""
    kinds = [K.ABSENT, K.GLOBAL_UNICAST, K.WRAPPED, *((K.ONE_PASS, K.STATIC) if suite else ())]
    ciphers = [Layer(recipient=SERVER, protection=BOTH, key_info=kind) for kind in kinds]
    found = [LayerPlan((each,)) for each in ciphers]
    found += [LayerPlan((Layer(recipient=SERVER, protection=part),)) for part in (Protection.NONE, *Protection)[:3]]
    if suite:
        signing = Layer(recipient=SERVER, protection=SIGNED)
        found += [LayerPlan((signing,)), *(LayerPlan((each, signing)) for each in ciphers)]
        found += [LayerPlan((signing, ciphers[-1])), LayerPlan((signing, ciphers[0], signing))]
    return found


def parties(title: bytes, suite: int, first: int) -> GeneralParties:
    """What a side of an association has."""
    known = [own(each, suite) for each in (CLIENT, SERVER, THIRD) if each != title]
    keys = KnownPartyKeys(
        {each.title: each.signing_key.public for each in known if each.signing_key},
        {each.title: each.agreement_key.public for each in known if each.agreement_key},
    )
    mine = own(title, suite)
    third = ThirdParty(title=THIRD, authentication_key=Key(octets(0x30, suite)))
    return GeneralParties(
        transactions=Transactions(first),
        key_infos=ALL - {K.GLOBAL_BROADCAST} if suite else ALL - AGREED - {K.GLOBAL_BROADCAST},
        signing_key=mine.signing_key,
        agreement_key=mine.agreement_key,
        **({"keys": keys} if suite else {}),
        third_parties=(third,) if suite and title == SERVER else (),
        brokers_for=(THIRD,) if suite and title == CLIENT else (),
    )


# ---- wrong, and rightly sealed --------------------------------------------------------------------------------------


def resealed(sealed: bytes, suite: int, change: Callable[[bytes], bytes]) -> bytes:
    """Change what stands inside all layers, and sign and encipher it anew: a peer that holds its keys and lies."""
    try:
        if sealed[:1] == b"\xdf":
            signing = split_signing(sealed)
            key = own(signing.header.originator, suite).signing_key
            if key is None:
                return change(sealed)
            return seal_signing(key, signing.header, resealed(signing.content, suite, change))
        if sealed[:1] == b"\xdd":
            parts = split_ciphering(sealed)
            header, info = parts.header, parts.key_info
            (known,) = (each for each in others(header.recipient, suite) if each.title == header.originator)
            if not parts.content[0] & 0x30:
                return change(sealed)
            taker = KeyEstablisher(
                own=own(header.recipient, suite),
                suite=security_suite(suite),
                dialect=STANDARD,
                draw=bytes,
                make_ephemeral=SoftwareAgreementKey.generate,
            )
            key_of_layer = taker.taken(info, known, header)
            opened = open_ciphering(parts, key_of_layer, known.ak, header.originator)
            inside = resealed(opened.plaintext, suite, change)
            counter = opened.invocation_counter or 0
            return seal_ciphering(opened.security_control, key_of_layer, known.ak, header, info, counter, inside)
    except (CosemicError, ValueError, IndexError):
        pass
    return change(sealed)


def lying(corpus: list[bytes], draw: random.Random, suite: int) -> bytes:
    """An input: octets changed on the way, or inside before they were sealed."""
    chosen = draw.choice(corpus)
    if draw.random() < 0.5:
        return disturbed(chosen, corpus, draw)
    return resealed(chosen, suite, lambda inside: disturbed(inside, corpus, draw))
