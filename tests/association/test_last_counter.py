"""The end of the invocation counters: FFFFFFFE is used once, FFFFFFFF never, in every form and on both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cosemic.apdu import ExceptionResponse
from cosemic.association.notifications import NotifyData
from cosemic.association.requests import Get
from cosemic.errors import AuthenticationFailed, CosemicError, CounterExhausted
from cosemic.security import (
    CounterStore,
    Envelope,
    HlsCredentials,
    Key,
    MemoryCounterStore,
    SecurityContext,
    TransmitCounter,
    security_suite,
)
from cosemic.security.data_protection import DataProtector
from cosemic.security.general import (
    GeneralProtection,
    KeyEstablishment,
    Layer,
    LayerPlan,
    MemoryTransactionStore,
    OwnParty,
    Party,
)
from cosemic.security.suite import COUNTER_LIMIT
from cosemic.values import Secret
from tests.association.general_samples import layered
from tests.association.general_samples import material as keys_of_suite
from tests.association.notification_samples import due, sender
from tests.association.samples import CLIENT_TITLE, REGISTER, SERVER_TITLE, VALUE, M, Talk, talk

GET = bytes.fromhex("C0010000080000010000FF0200")
UNICAST, BROADCAST = KeyEstablishment.GLOBAL_UNICAST, KeyEstablishment.GLOBAL_BROADCAST
LAST = COUNTER_LIMIT - 1
MATCH = "no invocation counter is left under this key: install a new key"
SUITES = (0, 1, 2)


class Ended(MemoryCounterStore):
    """Counters that begin with the last one that may be used; with ``beyond`` at the one that must not be."""

    def __init__(self, first: int = LAST) -> None:
        super().__init__(block=1)
        self.first = first

    def transmit_counter(self, key: bytes, title: bytes) -> TransmitCounter:
        counter = super().transmit_counter(key, title)
        if self.transmit_state(key, title).next < self.first:
            counter.raise_to(self.first)
        return counter


class Beyond(MemoryCounterStore):
    """Counters of an originator that does not know where they end: FFFFFFFF, again and again."""

    def transmit_counter(self, key: bytes, title: bytes) -> TransmitCounter:
        counter = super().transmit_counter(key, title)
        counter._next, counter._stop = COUNTER_LIMIT, COUNTER_LIMIT + 1
        return counter


Seal = Callable[[], Any]
Take = Callable[[Any], Any]
Form = Callable[[int, CounterStore, CounterStore], tuple[Seal, Take]]
"""Given a suite and the counters of both sides: what seals, and what takes."""


def dedicated_key(suite: int) -> Key:
    return Key(Secret(bytes(range(7, 7 + security_suite(suite).key_length)), "dedicated key"))


def in_an_envelope(envelope: Envelope, *, broadcast: bool = False) -> Form:
    def form(suite: int, ours: CounterStore, theirs: CounterStore) -> tuple[Seal, Take]:
        material = keys_of_suite(suite)
        one = SecurityContext(CLIENT_TITLE, SERVER_TITLE, material, ours)
        other = SecurityContext(SERVER_TITLE, CLIENT_TITLE, material, theirs)
        if envelope.dedicated:
            for context, counters in ((one, ours), (other, theirs)):
                context.set_dedicated_key(dedicated_key(suite))
                context._dedicated_counters = counters
        return (
            lambda: one.protect_apdu(GET, envelope, broadcast=broadcast),
            lambda octets: other.unprotect_apdu(octets, broadcast=broadcast),
        )

    return form


def parties(suite: int, own: bytes, peer: bytes) -> tuple[OwnParty, list[Party]]:
    known = Party(title=peer, key_infos=frozenset((UNICAST, BROADCAST)), material=keys_of_suite(suite))
    return OwnParty(title=own), [known]


def in_layers(kind: KeyEstablishment) -> Form:
    def form(suite: int, ours: CounterStore, theirs: CounterStore) -> tuple[Seal, Take]:
        one, other = (
            GeneralProtection(
                *parties(suite, *titles),
                suite=security_suite(suite),
                counters=counters,
                transactions=MemoryTransactionStore(),
            )
            for titles, counters in (((CLIENT_TITLE, SERVER_TITLE), ours), ((SERVER_TITLE, CLIENT_TITLE), theirs))
        )
        plan = LayerPlan((Layer(recipient=SERVER_TITLE, key_info=kind),))
        return lambda: one.protect(GET, plan), other.unprotect

    return form


def as_protected_data(kind: KeyEstablishment) -> Form:
    def form(suite: int, ours: CounterStore, theirs: CounterStore) -> tuple[Seal, Take]:
        one, other = (
            DataProtector(
                *parties(suite, *titles),
                suite=security_suite(suite),
                counters=counters,
                transactions=MemoryTransactionStore(),
            )
            for titles, counters in (((CLIENT_TITLE, SERVER_TITLE), ours), ((SERVER_TITLE, CLIENT_TITLE), theirs))
        )
        layers = (Layer(recipient=SERVER_TITLE, key_info=kind),)
        return lambda: one.protect(VALUE.octets, layers), other.unprotect

    return form


FORMS: dict[str, Form] = {
    **{f"{envelope.name.lower()}": in_an_envelope(envelope) for envelope in Envelope},
    "broadcast": in_an_envelope(Envelope.GLO, broadcast=True),
    "broadcast, general": in_an_envelope(Envelope.GENERAL_GLO, broadcast=True),
    "identified key": in_layers(UNICAST),
    "identified broadcast key": in_layers(BROADCAST),
    "data under an identified key": as_protected_data(UNICAST),
    "data under the broadcast key": as_protected_data(BROADCAST),
}


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("form", FORMS)
def test_the_last_counter_is_used_once_and_then_a_new_key_is_asked_for(form: str, suite: int) -> None:
    seal, take = FORMS[form](suite, Ended(), MemoryCounterStore())
    take(seal())
    for _ in range(3):
        with pytest.raises(CounterExhausted, match=MATCH):
            seal()


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("form", FORMS)
def test_ffffffff_is_taken_by_nobody_and_changes_nothing(
    form: str, suite: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("protection", "lanes", "general.ciphering"):  # the originator knows no end either
        monkeypatch.setattr(f"cosemic.security.{module}.COUNTER_LIMIT", 1 << 32, raising=False)
    theirs = MemoryCounterStore()
    seal, _ = FORMS[form](suite, Beyond(), theirs)
    sealed = seal()
    monkeypatch.undo()
    with pytest.raises(CosemicError):
        FORMS[form](suite, MemoryCounterStore(), theirs)[1](sealed)
    assert not theirs._receive
    seal, take = FORMS[form](suite, MemoryCounterStore(), theirs)
    take(seal())


def credentials(suite: int, own: bytes, peer: bytes, counters: CounterStore) -> HlsCredentials:
    return HlsCredentials(mechanism=M.HLS_GMAC, context=SecurityContext(own, peer, keys_of_suite(suite), counters))


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("own", [CLIENT_TITLE, SERVER_TITLE], ids=["pass 3", "pass 4"])
def test_mechanism_5_proves_nothing_with_ffffffff(own: bytes, suite: int, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = SERVER_TITLE if own == CLIENT_TITLE else CLIENT_TITLE
    answered, asked = bytes(range(8)), bytes(range(8, 16))
    prover, judge = credentials(suite, own, peer, Ended()), credentials(suite, peer, own, MemoryCounterStore())
    last = prover.prove(answered, asked, peer)
    assert int.from_bytes(last[1:5], "big") == LAST
    with pytest.raises(CounterExhausted, match=MATCH):
        prover.prove(answered, asked, peer)
    with monkeypatch.context() as without_end:
        without_end.setattr("cosemic.security.hls.COUNTER_LIMIT", 1 << 32)
        beyond = credentials(suite, own, peer, Beyond()).prove(answered, asked, peer)
    assert beyond[1:5] == b"\xff" * 4
    with pytest.raises(AuthenticationFailed):
        judge.check(beyond, answered, asked, own)
    judge.check(last, answered, asked, own)


# ---- whole associations ---------------------------------------------------------------------------------------------


def ended(title: bytes, left: int, made: Callable[..., Talk] = talk, **more: Any) -> Talk:
    """Client and server, not associated; so many counters are left to one of them."""
    one = made(M.HLS_GMAC, ciphered=True, **more) if made is talk else made(**more)
    settings = (one.client if title == CLIENT_TITLE else one.server).settings
    assert settings.material is not None
    settings.counters.transmit_counter(settings.material.encryption_key.identity, title).raise_to(COUNTER_LIMIT - left)
    if not left:
        settings.counters.transmit_counter(settings.material.encryption_key.identity, title).next()
    return one


def until_it_ends(talk: Talk) -> CosemicError:
    """Open and read until that fails; returns the error."""
    talk.open()
    for _ in range(5):
        assert talk.ask(Get(REGISTER)) == VALUE
    raise AssertionError("counters never came to an end")


@pytest.mark.parametrize("left", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("made", [talk, layered])
def test_a_client_sends_as_much_as_its_counters_allow_and_asks_for_a_new_key(made: Any, left: int) -> None:
    """In the AARQ, in pass 3 and around it, or in a request."""
    one = ended(CLIENT_TITLE, left, made, opened=False)
    with pytest.raises(CounterExhausted, match=MATCH):
        until_it_ends(one)
    assert len(one.requests) == (max(1, left - 1) if made is talk else left)  # pass 3 takes two
    with pytest.raises(CosemicError):
        one.ask(Get(REGISTER))
    assert len(one.requests) == (max(1, left - 1) if made is talk else left)


@pytest.mark.parametrize("left", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("made", [talk, layered])
def test_a_server_gives_nothing_away_when_its_counters_have_ended(made: Any, left: int) -> None:
    """AARE, pass 4 and around it, an answer: what leaves it then has no value, and the client is told of an error."""
    one = ended(SERVER_TITLE, left, made, opened=False)
    with pytest.raises(CosemicError):
        until_it_ends(one)
    assert not any(VALUE.octets in answer for answer in one.answers)
    counters = one.server.settings.counters
    assert isinstance(counters, MemoryCounterStore)
    keys = one.server.settings.material
    assert keys is not None
    assert counters.transmit_state(keys.encryption_key.identity, SERVER_TITLE).next == COUNTER_LIMIT
    last = one.answers[-1]
    assert last[0] == 0x61 or ExceptionResponse.decode(last)


def test_a_meter_that_notifies_sends_as_much_as_its_counters_allow() -> None:
    counters = Ended()
    one = sender(counters=counters)
    one.send(NotifyData(VALUE))
    assert len(due(one)) == 1
    one.tick(1.0)
    with pytest.raises(CounterExhausted, match=MATCH):
        one.send(NotifyData(VALUE))
    assert not due(one)
