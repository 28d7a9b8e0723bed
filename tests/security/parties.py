"""Client, server and third party in each suite, with the keys that each of them holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from cosemic.dialect import STANDARD, Dialect
from cosemic.security import (
    Key,
    MemoryCounterStore,
    SecurityMaterial,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    security_suite,
)
from cosemic.security.general import (
    GeneralProtection,
    KeyEstablishment,
    MemoryTransactionStore,
    OwnParty,
    Party,
)
from cosemic.values.secret import Secret
from tests.security.samples import CLIENT, SERVER

Changed = dict[str, Any] | None
THIRD = bytes.fromhex("5454540000000007")
STRANGER = bytes.fromhex("5858580000000009")
GLOBAL = frozenset(
    {
        KeyEstablishment.ABSENT,
        KeyEstablishment.GLOBAL_UNICAST,
        KeyEstablishment.GLOBAL_BROADCAST,
        KeyEstablishment.WRAPPED,
    }
)
AGREED = frozenset({KeyEstablishment.ONE_PASS, KeyEstablishment.STATIC})


def octets(first: int, length: int) -> Secret:
    return Secret(bytes((first + each) & 0xFF for each in range(length)))


def material(suite: int) -> SecurityMaterial:
    length = security_suite(suite).key_length
    return SecurityMaterial.of(
        octets(0x00, length),
        octets(0xD0, length),
        suite=suite,
        broadcast_key=octets(0x40, length),
        kek=octets(0x80, length),
    )


@cache
def own(title: bytes, suite: int) -> OwnParty:
    """Return a party with its private keys; the same ones in each test of a run."""
    if suite == 0:
        return OwnParty(title=title)
    chosen = security_suite(suite)
    return OwnParty(
        title=title,
        signing_key=SoftwareSigningKey.generate(chosen),
        agreement_key=SoftwareAgreementKey.generate(chosen),
    )


def party(title: bytes, suite: int, *, third: bool = False, **changed: Any) -> Party:
    """Return what others know of a party."""
    keys = own(title, suite)
    given: dict[str, Any] = {
        "title": title,
        "key_infos": (AGREED if suite else frozenset()) | (frozenset() if third else GLOBAL),
        "material": None if third else material(suite),
        "authentication_key": Key(octets(0xD0, security_suite(suite).key_length)) if third else None,
        "signing": keys.signing_key.public if keys.signing_key else None,
        "agreement": keys.agreement_key.public if keys.agreement_key else None,
    }
    return Party(**(given | changed))


@dataclass
class Side:
    """One side with its stores; ``state`` is all that a refused APDU must not change."""

    protection: GeneralProtection
    counters: MemoryCounterStore
    transactions: MemoryTransactionStore

    @property
    def state(self) -> object:
        volatile = self.protection._receiving.volatile
        assert isinstance(volatile, MemoryTransactionStore)
        known = [*self.transactions._known.items(), *volatile._known.items()]
        counters = self.protection._receiving.received
        return (
            dict(self.counters._receive),
            {place: counter.volatile for place, counter in counters.items() if counter.volatile},
            [(place, memory.highest, frozenset(memory.remembered)) for place, memory in known],
        )


def side(title: bytes, parties: list[Party], suite: int, dialect: Dialect = STANDARD, **more: Any) -> Side:
    counters, transactions = MemoryCounterStore(), MemoryTransactionStore()
    protection = GeneralProtection(
        own(title, suite),
        parties,
        suite=security_suite(suite),
        counters=counters,
        transactions=transactions,
        dialect=dialect,
        **more,
    )
    return Side(protection, counters, transactions)


def client(suite: int = 1, dialect: Dialect = STANDARD, *, of_server: Changed = None, **more: Any) -> Side:
    """Return a client, which is the broker of the third party."""
    parties = [party(SERVER, suite, **(of_server or {})), party(THIRD, suite, third=True)]
    return side(CLIENT, parties, suite, dialect, **({"brokers_for": {THIRD}} | more))


def server(suite: int = 1, dialect: Dialect = STANDARD, *, of_client: Changed = None, **more: Any) -> Side:
    """Return a server that knows the client, which may be a broker, and the third party."""
    known = party(CLIENT, suite, **({"broker": True} | (of_client or {})))
    return side(SERVER, [known, party(THIRD, suite, third=True)], suite, dialect, **more)


def third(suite: int = 1, dialect: Dialect = STANDARD, **more: Any) -> Side:
    """Return a third party, which knows the server, and has no key of it but the authentication key."""
    return side(THIRD, [party(SERVER, suite, third=True)], suite, dialect, **more)
