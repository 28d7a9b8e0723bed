"""Associations whose services go in general-ciphering and general-signing, with a third party behind the client."""

from __future__ import annotations

from functools import cache
from typing import Any

from cosemic.association.parties import AGREED, GeneralParties, ThirdParty
from cosemic.association.requests import Completed, PassOn, Request
from cosemic.association.third_party import ThirdParty as Asking
from cosemic.association.third_party import ThirdPartySettings
from cosemic.security import (
    Key,
    MemoryCounterStore,
    Protection,
    SecurityMaterial,
    SecurityPolicy,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    security_suite,
)
from cosemic.security.general import (
    KeyEstablishment,
    Layer,
    LayerPlan,
    MemoryTransactionStore,
    OwnParty,
    TransactionStore,
)
from cosemic.security.general.ciphering import assemble, without_protection
from cosemic.security.general.layout import GeneralHeader, KeyInfo
from cosemic.security.general.party_keys import KnownPartyKeys
from cosemic.values import Secret
from tests.association.samples import (
    AK,
    CLIENT_TITLE,
    EK,
    LONG_AK,
    LONG_EK,
    SERVER_TITLE,
    M,
    Talk,
    settings,
)

THIRD_TITLE = bytes.fromhex("5454540000000007")
K = KeyEstablishment
SIGNED = Protection.SIGNED
BOTH = Protection.AUTHENTICATED | Protection.ENCRYPTED
ALL = frozenset({K.ABSENT, K.GLOBAL_UNICAST, K.WRAPPED, K.ONE_PASS, K.STATIC})
AUTHENTICATED_AND_ENCRYPTED = SecurityPolicy(0, 3)
EVERYTHING = SecurityPolicy(1, 0xFC)
"""All requests and all answers authenticated, encrypted and signed."""


@cache
def own(title: bytes, suite: int) -> OwnParty:
    """A party with its private keys, the same in each test of a run."""
    chosen = security_suite(suite)
    return OwnParty(
        title=title,
        signing_key=SoftwareSigningKey.generate(chosen),
        agreement_key=SoftwareAgreementKey.generate(chosen),
    )


def keys(suite: int, *titles: bytes) -> KnownPartyKeys:
    """The public keys of parties."""
    owned = {title: own(title, suite) for title in titles}
    return KnownPartyKeys(
        {title: each.signing_key.public for title, each in owned.items() if each.signing_key},
        {title: each.agreement_key.public for title, each in owned.items() if each.agreement_key},
    )


def material(suite: int) -> SecurityMaterial:
    ek, ak = (LONG_EK, LONG_AK) if suite == 2 else (EK, AK)
    broadcast, kek = bytes(0x40 ^ each for each in ek), bytes(0x80 ^ each for each in ek)
    return SecurityMaterial.of(
        Secret(ek, "encryption key"),
        Secret(ak, "authentication key"),
        suite=suite,
        broadcast_key=Secret(broadcast, "broadcast key"),
        kek=Secret(kek, "master key"),
    )


def signed_then_ciphered(key_info: KeyEstablishment | None = None) -> LayerPlan:
    return LayerPlan(
        (Layer(recipient=SERVER_TITLE, key_info=key_info), Layer(recipient=SERVER_TITLE, protection=SIGNED))
    )


def ciphered_then_signed(key_info: KeyEstablishment | None = None) -> LayerPlan:
    return LayerPlan(tuple(reversed(signed_then_ciphered(key_info).layers)))


def ciphered(key_info: KeyEstablishment | None = None, protection: Protection = BOTH) -> LayerPlan:
    return LayerPlan((Layer(recipient=SERVER_TITLE, protection=protection, key_info=key_info),))


def by_anybody(
    apdu: bytes, transaction_id: bytes, originator: bytes = SERVER_TITLE, recipient: bytes = CLIENT_TITLE
) -> bytes:
    """What whoever has no keys can write, in suite 1: a layer that carries no protection."""
    header = GeneralHeader(transaction_id, originator, recipient)
    return assemble(header.encode(), KeyInfo(K.ABSENT), without_protection(security_suite(1), apdu))


def third_party_of(suite: int) -> ThirdParty:
    return ThirdParty(title=THIRD_TITLE, authentication_key=third_ak(suite))


def third_ak(suite: int) -> Key:
    return Key(Secret(bytes(range(0x30, 0x30 + security_suite(suite).key_length)), "authentication key"))


def parties(title: bytes, suite: int, **more: Any) -> GeneralParties:
    """What one side of the association has; ``more`` changes single fields."""
    peers = (SERVER_TITLE,) if title == CLIENT_TITLE else (CLIENT_TITLE, THIRD_TITLE)
    mine = own(title, suite) if suite else OwnParty(title=title)
    given: dict[str, Any] = {
        "transactions": MemoryTransactionStore(),
        "key_infos": ALL if suite else ALL - AGREED,
        "signing_key": mine.signing_key,
        "agreement_key": mine.agreement_key,
    }
    if suite:
        given["keys"] = keys(suite, *peers)
    if title == CLIENT_TITLE and suite:
        given["brokers_for"] = (THIRD_TITLE,)
    elif suite:
        given["third_parties"] = (third_party_of(suite),)
    return GeneralParties(**(given | more))


def layered(
    suite: int = 1,
    plan: LayerPlan | None = None,
    *,
    policy: SecurityPolicy = AUTHENTICATED_AND_ENCRYPTED,
    mechanism: Any = M.LOWEST,
    opened: bool = True,
    ours: dict[str, Any] | None = None,
    theirs: dict[str, Any] | None = None,
    **more: Any,
) -> Talk:
    """A client and a server with general protection; ``ours``, ``theirs`` change their parties, ``more`` as settings.

    plan: the layers of the client's settings.
    """
    client = {
        "material": material(suite),
        "server_title": SERVER_TITLE,
        "parties": parties(CLIENT_TITLE, suite, **(ours or {})),
        "layers": plan,
    } | more.pop("client", {})
    server = {"material": material(suite), "parties": parties(SERVER_TITLE, suite, **(theirs or {}))}
    server |= more.pop("server", {})
    talk = Talk(*settings(mechanism, ciphered=True, suite=suite, policy=policy, client=client, server=server, **more))
    if opened:
        talk.open()
    return talk


def third(suite: int = 1, layers: LayerPlan | None = None, title: bytes = THIRD_TITLE, **more: Any) -> Asking:
    """A third party that asks the server."""
    mine = own(title, suite)
    given: dict[str, Any] = {
        "title": title,
        "server_title": SERVER_TITLE,
        "suite": security_suite(suite),
        "layers": layers or signed_then_ciphered(K.ONE_PASS),
        "authentication_key": third_ak(suite),
        "transactions": MemoryTransactionStore(),
        "keys": keys(suite, SERVER_TITLE),
        "signing_key": mine.signing_key,
        "agreement_key": mine.agreement_key,
    }
    return Asking(ThirdPartySettings(**(given | more)))


def asked(asking: Asking, talk: Talk, request: Request) -> Any:
    """The event of what a third party asks through the client of a talk."""
    asking.send(request)
    events: list[Any] = []
    while not events:
        apdu = asking.octets_to_send()
        assert apdu
        events = list(asking.receive(talk.ask(PassOn(apdu))))
    (event,) = events
    return event.result if isinstance(event, Completed) else event.error


def known_to(store: TransactionStore) -> object:
    """What a store in memory has accepted."""
    assert isinstance(store, MemoryTransactionStore)
    return {
        place: (memory.highest, frozenset(memory.remembered))
        for place, memory in store._known.items()
        if memory.highest >= 0 or memory.remembered
    }


def state_of(side: Any) -> object:
    """All of a side that an APDU which is refused must not change: counters, transactions, association."""
    machine = side
    counters, known = machine.settings.counters, machine.settings.parties
    assert isinstance(counters, MemoryCounterStore)
    return (
        dict(counters._receive),
        None if known is None else known_to(known.transactions),
        machine.state,
        getattr(machine, "agreement", None),
    )
