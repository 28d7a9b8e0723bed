"""Both sides of an association for the matrix, what is known of the allowed pairs, and all that a side remembers."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from cosemic import apdu as a
from cosemic.association.requests import Event
from cosemic.association.settings import PreEstablished
from cosemic.security import MemoryCounterStore, Protection, SecurityPolicy
from tests.association.general_samples import (
    ALL,
    THIRD_TITLE,
    K,
    known_to,
    layered,
    signed_then_ciphered,
)
from tests.association.matrix.by_hand import Hand
from tests.association.samples import CLIENT_TITLE, REGISTER, SERVER_TITLE, M, Talk

TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("table.toml").read_text(encoding="utf-8"))
FORMS: dict[str, dict[str, Any]] = {form["name"]: form for form in TABLE["form"]}
TITLES = CLIENT_TITLE, SERVER_TITLE, THIRD_TITLE
GET = a.GetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER).encode()
KINDS = {"A": Protection.AUTHENTICATED, "E": Protection.ENCRYPTED, "S": Protection.SIGNED}
ANY_KEY_INFO = ALL | {K.GLOBAL_BROADCAST}


def kinds_of(form: dict[str, Any], bits: str) -> str:
    """What a form applies, in the letters of the table."""
    return bits + ("S" if "signing" in form["layers"] else "")


def as_protection(letters: str) -> Protection:
    found = Protection.NONE
    for letter in letters:
        found |= KINDS[letter]
    return found


def key_infos(suite: int) -> frozenset[K]:
    return ANY_KEY_INFO if suite else frozenset({K.ABSENT, K.GLOBAL_UNICAST, K.GLOBAL_BROADCAST, K.WRAPPED})


def standing(suite: int, policy: SecurityPolicy, mechanism: M = M.LOWEST, **more: Any) -> Talk:
    """An association with a dedicated key, opened by the machines of both sides, that takes all key-infos."""
    client = {"dedicated_key": True, "require": policy.requires.response} | more.pop("client", {})
    infos = {"key_infos": key_infos(suite)}
    signed = (policy.requires.request | policy.requires.response) & Protection.SIGNED
    plan = signed_then_ciphered() if signed and mechanism is not M.LOWEST else None
    return layered(
        suite,
        plan,
        policy=policy,
        mechanism=mechanism,
        client=client,
        ours=infos | more.pop("ours", {}),
        theirs=infos | more.pop("theirs", {}),
        **more,
    )


def beforehand(suite: int, policy: SecurityPolicy, **more: Any) -> Talk:
    """The same, pre-established."""
    agreed = PreEstablished()
    client = {"dedicated_key": False, "pre_established": agreed} | more.pop("client", {})
    server = {"pre_established": agreed, "client_title": CLIENT_TITLE} | more.pop("server", {})
    return standing(suite, policy, client=client, server=server, **more)


def client_hand(talk: Talk, suite: int, **more: Any) -> Hand:
    """Who can make whatever the client of an association could make; its counters go on from those of the client."""
    context = talk.client.context
    assert context is not None
    dedicated = context.material.dedicated_key
    counter = context.transmit
    given: dict[str, Any] = {"counter": counter.next, "dedicated": dedicated.reveal() if dedicated else b""}
    return Hand(suite, CLIENT_TITLE, SERVER_TITLE, **(given | more))


def server_hand(talk: Talk, suite: int, **more: Any) -> Hand:
    """The same of the server."""
    context = talk.server.context
    assert context is not None
    dedicated = context.material.dedicated_key
    counter = context.transmit
    given: dict[str, Any] = {"counter": counter.next, "dedicated": dedicated.reveal() if dedicated else b""}
    return Hand(suite, SERVER_TITLE, CLIENT_TITLE, **(given | more))


def answered(talk: Talk) -> list[bytes]:
    """All that the server has to send."""
    found = []
    while octets := talk.server.octets_to_send():
        found.append(octets)
    return found


def ask_server(talk: Talk, octets: bytes) -> bytes:
    """What the server answers to an APDU; nothing where it says nothing."""
    talk.server_events += talk.server.receive(octets, talk.now)
    return b"|".join(answered(talk))


def tell_client(talk: Talk, request: Any, answer: Any) -> list[Event]:
    """The events of a client that asks and is answered by hand; answer: of the octets that it has sent.

    A request that is not over by then is given up, and nothing is owed any more.
    """
    talk.client.send(request)
    octets = talk.client.octets_to_send()
    assert octets
    events = talk.client.receive(answer(octets), talk.now)
    if talk.client.busy:
        talk.client.cancel()
    talk.client._owed.clear()
    return events


def remembered(side: Any) -> dict[str, object]:
    """All of a side that an APDU which is refused may not change.

    Receive counters, as stored, as last seen and as held for what is encrypted alone; transmit counters; transactions,
    stored and volatile; the association with its keys; failures of authentication.
    """
    machine, settings = side, side.settings
    counters, parties, context = settings.counters, settings.parties, side.context
    assert isinstance(counters, MemoryCounterStore)
    layers = machine._layers
    receiving = None if layers is None else layers._protection._receiving
    known = None if receiving is None else receiving.received
    return {
        "receive counters, as stored": dict(counters._receive),
        "transmit counters, as stored": dict(counters._transmit),
        "transmit counters": {place: (one._next, one._stop) for place, one in counters._counters.items()},
        "transmit counters, dedicated": {} if context is None else dict(context._dedicated_counters._transmit),
        "transactions": {} if parties is None else known_to(parties.transactions),
        "volatile transactions": {} if receiving is None else known_to(receiving.volatile),
        "volatile counters": {place: one.volatile for place, one in (known or {}).items() if one.volatile},
        "context": None if context is None else _of_context(context),
        "state": machine.state,
        "agreement": getattr(machine, "agreement", None),
        "opened": getattr(machine, "opened", None),
        "history": _history(machine),
    }


def received(side: Any) -> dict[str, object]:
    """The same without what a side changes itself whenever it sends something."""
    return {name: value for name, value in remembered(side).items() if "transmit" not in name}


def _of_context(context: Any) -> object:
    dedicated = context._dedicated_counters
    return (
        context.peer_title,
        context.material,
        {place: one.volatile for place, one in context._received.items() if one.volatile},
        dict(dedicated._receive),
    )


def _history(machine: Any) -> object:
    history = getattr(machine, "_history", None)
    return None if history is None else tuple(getattr(history, name, None) for name in ("_failures", "_refused_until"))


def snapshot(talk: Talk) -> dict[str, object]:
    """All that both sides and the objects behind the server remember."""
    server = {f"server: {name}": value for name, value in remembered(talk.server).items()}
    client = {f"client: {name}": value for name, value in remembered(talk.client).items()}
    return server | client | {"objects": dict(talk.shelf.values), "calls": len(talk.shelf.calls)}


def changed(talk: Talk, before: dict[str, object]) -> list[str]:
    """What is another since a snapshot."""
    return [name for name, value in snapshot(talk).items() if before[name] != value]
