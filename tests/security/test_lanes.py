"""The short ways give what the straight ones give: the same octets, the same results, the same errors."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import CosemicError, DecipheringError, EncodeError, InvocationCounterError
from cosemic.security import (
    Envelope,
    MemoryCounterStore,
    Protection,
    SecurityContext,
    SecurityControl,
    SecurityMaterial,
    counting,
    protect,
)
from cosemic.security.envelopes import seal_envelope
from cosemic.security.general import (
    KeyEstablishment,
    Layer,
    LayerPlan,
    MemoryTransactionStore,
)
from cosemic.security.general.lanes import MOST_FAMILIAR
from cosemic.security.general.receiving_lane import UnicastOpener, WrappedOpener
from cosemic.security.general.sending_lane import UnicastSealer, WrappedSealer
from cosemic.security.general.transactions import READY as READY_IDS
from cosemic.security.lanes import Sealer
from cosemic.security.protection import TWO_PASS_LIMIT
from tests.security.parties import GLOBAL, STRANGER, Side, client, party, server, side
from tests.security.parties import material as material_of
from tests.security.samples import CLIENT, SERVER, key

A, E, S = Protection.AUTHENTICATED, Protection.ENCRYPTED, Protection.SIGNED
PROTECTIONS = st.sampled_from([A, E, A | E])
SUITES = st.sampled_from([0, 1, 2])
SIZES = st.one_of(st.integers(1, 300), st.sampled_from([TWO_PASS_LIMIT - 1, TWO_PASS_LIMIT, TWO_PASS_LIMIT + 1]))
Outcome = tuple[str, object]


def outcome(act: Callable[..., Any], *of: Any, **more: Any) -> Outcome:
    """Return what an act gives, or how it fails."""
    try:
        return "gives", act(*of, **more)
    except CosemicError as error:
        return type(error).__name__, (str(error), getattr(error, "lowest_acceptable", None))


def dedicated(suite: int) -> SecurityMaterial:
    return material_of(suite).with_dedicated_key(key(bytes(range(0xA0, 0xA0 + material_of(suite).suite.key_length))))


def context(suite: int, own: bytes, peer: bytes, protection: Protection) -> SecurityContext:
    return SecurityContext(own, peer, dedicated(suite), MemoryCounterStore(), send=protection, require=protection)


# --- the APDUs of an association -------------------------------------------------------------------------------------


@given(SUITES, st.sampled_from(Envelope), PROTECTIONS, st.lists(SIZES, min_size=1, max_size=4))
def test_a_sealer_makes_the_octets_of_the_straight_way(
    suite: int, envelope: Envelope, protection: Protection, sizes: list[int]
) -> None:
    sending = context(suite, CLIENT, SERVER, protection)
    keys = sending.material
    under = keys.dedicated_key if envelope.dedicated else keys.encryption_key
    assert under is not None
    control = SecurityControl(suite | int(protection) << 4)
    for counter, size in enumerate([size for each in sizes for size in (each, each)]):
        apdu = b"\xc4" + bytes(each & 0xFF for each in range(size))
        content = protect(control, under, keys.authentication_key, CLIENT, counter, apdu)
        assert sending.protect_apdu(apdu, envelope) == seal_envelope(envelope, 0xC4, CLIENT, content)


def test_a_sealer_is_not_made_for_what_protects_nothing() -> None:
    keys = material_of(1)
    counter = MemoryCounterStore().transmit_counter(keys.encryption_key.identity, CLIENT)
    with pytest.raises(EncodeError, match="protects nothing"):
        Sealer(Envelope.GLO, SecurityControl(0x01), keys.encryption_key, keys.authentication_key, CLIENT, counter)


CHANGES = st.sampled_from(["none", "again", "bit", "longer", "shorter", "lengths", "title", "control", "inside"])


def changed(apdu: bytes, how: str, place: int) -> bytes:
    """Return an APDU with one thing wrong."""
    octets = bytearray(apdu)
    match how:
        case "bit":
            octets[place // 8 % len(octets)] ^= 0x80 >> place % 8
        case "longer":
            octets.append(place & 0xFF)
        case "shorter":
            del octets[-(1 + place % len(octets)) :]
        case "lengths":
            octets[1:1] = b"\x81"
        case "title":
            octets = bytearray(apdu.replace(CLIENT, SERVER if place & 1 else bytes(8)))
        case "control":
            for at in range(min(40, len(octets))):
                if octets[at] & 0x0F <= 2 and octets[at] & 0x30 and at > 1:
                    octets[at] = (octets[at] & 0x0F) | place & 0xF0
                    break
    return bytes(octets)


@given(
    SUITES,
    st.sampled_from(Envelope),
    PROTECTIONS,
    PROTECTIONS,
    st.lists(st.tuples(CHANGES, SIZES, st.integers(0, 1 << 16), st.booleans()), min_size=1, max_size=8),
)
def test_a_familiar_front_changes_nothing(
    suite: int,
    envelope: Envelope,
    protection: Protection,
    other: Protection,
    steps: list[tuple[str, int, int, bool]],
) -> None:
    """Each APDU comes behind right ones of its size; a context that remembers none of them says the same of it."""
    sending = context(suite, CLIENT, SERVER, protection)
    remembering, forgetful = (context(suite, SERVER, CLIENT, protection) for _ in range(2))
    before = b""
    for how, size, place, otherwise in steps:
        first = 0xC0 if how == "inside" else 0xC4
        apdu = bytes((0xC4,)) + bytes(each & 0xFF for each in range(size))
        right = sending.protect_apdu(apdu, envelope)
        wrong = sending.protect_apdu(
            bytes((first,)) + apdu[1:], envelope, protection=other if otherwise else None, broadcast=False
        )
        if how == "inside" and not envelope.general:
            wrong = bytes((right[0],)) + wrong[1:]
        came = before if how == "again" and before else changed(wrong, how, place)
        for octets in (right, came):
            forgetful._familiar.clear()
            assert outcome(remembering.unprotect_apdu, octets) == outcome(forgetful.unprotect_apdu, octets)
        states = [(at._counters._receive, at._dedicated_counters._receive) for at in (remembering, forgetful)]
        assert states[0] == states[1]
        assert [counter.volatile for counter in remembering._received.values()] == [
            counter.volatile for counter in forgetful._received.values()
        ]
        before = right


def test_an_old_counter_is_told_before_the_tag_is_looked_at_and_no_room_for_a_tag_is_said() -> None:
    sending, receiving = context(1, CLIENT, SERVER, A | E), context(1, SERVER, CLIENT, A | E)
    apdu = sending.protect_apdu(b"\xc4\x01\xc1\x00\x00")
    receiving.unprotect_apdu(apdu)
    assert outcome(receiving.unprotect_apdu, apdu[:-1] + bytes((apdu[-1] ^ 1,)))[0] == "InvocationCounterError"
    found = outcome(receiving.unprotect_apdu, bytes.fromhex("cc0f3100000009") + bytes(10))
    assert found[0] == "DecodeError"
    assert "tag of 12" in str(found[1])


def test_what_is_familiar_is_forgotten_with_the_dedicated_key() -> None:
    sending, receiving = context(1, CLIENT, SERVER, A | E), context(1, SERVER, CLIENT, A | E)
    receiving.unprotect_apdu(sending.protect_apdu(b"\xc4\x01\xc1\x00\x00", Envelope.DED))
    assert receiving._familiar
    receiving.set_dedicated_key(None)
    apdu = sending.protect_apdu(b"\xc4\x01\xc1\x00\x00", Envelope.DED)
    assert outcome(receiving.unprotect_apdu, apdu)[0] == "DecipheringError"


# --- general-ciphering -----------------------------------------------------------------------------------------------


def straight(side: Side) -> Side:
    """Return a side that goes the straight way only."""
    side.protection._sending._open = side.protection._lane._open = False
    return side


SHORT_KINDS = [KeyEstablishment.ABSENT, KeyEstablishment.GLOBAL_UNICAST, KeyEstablishment.WRAPPED]
KINDS = st.sampled_from(sorted(GLOBAL, key=lambda kind: kind.octets))
IDS = st.binary(min_size=1, max_size=33)


def plan_of(kind: KeyEstablishment, protection: Protection, layers: str, **more: Any) -> LayerPlan:
    ciphering = Layer(recipient=SERVER, protection=protection, key_info=kind, **more)
    signing = Layer(recipient=SERVER, protection=S)
    return LayerPlan(
        {
            "one": (ciphering,),
            "signed": (ciphering, signing),
            "two": (ciphering, ciphering),
            "outside": (signing, ciphering),
        }[layers]
    )


@given(
    st.sampled_from([0, 1]),
    KINDS,
    PROTECTIONS,
    st.sampled_from(["one", "two", "signed"]),
    st.lists(st.tuples(SIZES, IDS), min_size=1, max_size=4),
    st.sampled_from([b"", bytes(12)]),
)
def test_layers_are_those_of_the_straight_way(
    suite: int, kind: KeyEstablishment, protection: Protection, layers: str, sent: list[tuple[int, bytes]], time: bytes
) -> None:
    if not suite and layers == "signed":
        return
    drawing = random.Random(suite), random.Random(suite)
    short, long = client(suite, draw=drawing[0].randbytes), straight(client(suite, draw=drawing[1].randbytes))
    plan = plan_of(kind, protection, layers, date_time=time)
    for size, transaction_id in sent:
        apdu = b"\xc4" + bytes(each & 0xFF for each in range(size))
        made = [outcome(at.protection.protect, apdu, plan, transaction_id=transaction_id) for at in (short, long)]
        assert made[0] == made[1]


@given(
    st.sampled_from([0, 1]),
    KINDS,
    PROTECTIONS,
    st.sampled_from(["one", "two", "signed", "outside"]),
    st.lists(
        st.tuples(CHANGES, st.integers(30, 300), st.integers(0, 1 << 16), st.sampled_from([None, b"other id"])),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_layers_that_are_familiar_are_taken_off_as_on_the_straight_way(
    suite: int,
    kind: KeyEstablishment,
    protection: Protection,
    layers: str,
    steps: list[tuple[str, int, int, bytes | None]],
    alone: bool,
) -> None:
    if not suite and layers in ("signed", "outside"):
        return
    sending = client(suite)
    short, long = (
        server(suite, of_client={"encryption_alone": alone}),
        server(suite, of_client={"encryption_alone": alone}),
    )
    straight(long)
    plan, before = plan_of(kind, protection, layers), b""
    for how, size, place, expected in steps:
        apdu = b"\xc4" + bytes(each & 0xFF for each in range(size))
        right = sending.protection.protect(apdu, plan)
        wrong = sending.protection.protect(apdu, plan)
        sealer = sending.protection._sending.sealer(plan.layers[0])
        if how == "inside" and sealer is not None:
            wrong = sealer.seal(b"\x60" + apdu[1:], bytes(8))
        came = before if how == "again" and before else changed(wrong, how, place)
        for octets, given_id in ((right, None), (came, expected)):
            found = [outcome(at.protection.unprotect, octets, transaction_id=given_id) for at in (short, long)]
            assert found[0] == found[1]
            assert short.state == long.state
        before = right


@pytest.mark.parametrize("kind", SHORT_KINDS, ids=lambda kind: kind.name)
def test_the_short_way_is_the_one_that_is_taken(kind: KeyEstablishment, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def count(owner: type, method: str) -> None:
        straightforward = getattr(owner, method)
        monkeypatch.setattr(owner, method, lambda *of: (taken.append(method), straightforward(*of))[1])

    wrapped = kind is KeyEstablishment.WRAPPED
    count(WrappedSealer if wrapped else UnicastSealer, "seal")
    count(WrappedOpener if wrapped else UnicastOpener, "open")
    sending, receiving = client(), server()
    for protection in (A, A | E):
        taken.clear()
        for _ in range(2):
            apdu = sending.protection.protect(b"\xc4" + bytes(40), plan_of(kind, protection, "one"))
            assert receiving.protection.unprotect(apdu).apdu == b"\xc4" + bytes(40)
        assert taken == ["seal", "seal", "open"]


@pytest.mark.parametrize("protection", [A, E, A | E], ids=["A", "E", "AE"])
@pytest.mark.parametrize("kind", SHORT_KINDS, ids=lambda kind: kind.name)
def test_a_repeated_layer_is_refused_and_only_one_that_is_vouched_for_moves_what_is_stored(
    kind: KeyEstablishment, protection: Protection
) -> None:
    sending, receiving = client(), server(of_client={"encryption_alone": True})
    plan = plan_of(kind, protection, "one")
    for _ in range(3):
        apdu = sending.protection.protect(b"\xc4" + bytes(40), plan)
        first, copy = (receiving.protection.peel(apdu) for _ in range(2))
        assert outcome(first.accept)[0] == "gives"
        for again in (copy.accept, lambda came=apdu: receiving.protection.unprotect(came)):
            assert outcome(again)[0] in ("DecipheringError", "InvocationCounterError")
        stored = receiving.counters._receive or receiving.transactions._known
        assert bool(stored) is bool(protection & A)


@pytest.mark.parametrize("kind", SHORT_KINDS, ids=lambda kind: kind.name)
def test_every_flipped_bit_of_a_familiar_layer_is_refused_and_changes_nothing(kind: KeyEstablishment) -> None:
    sending, receiving = client(), server()
    plan = plan_of(kind, A | E, "one")
    receiving.protection.unprotect(sending.protection.protect(b"\xc4" + bytes(14), plan))
    octets, before = sending.protection.protect(b"\xc4" + bytes(14), plan), receiving.state
    for place in range(8 * len(octets)):
        wrong = bytearray(octets)
        wrong[place // 8] ^= 0x80 >> place % 8
        assert outcome(receiving.protection.unprotect, bytes(wrong))[0] in (
            "DecipheringError",
            "InvocationCounterError",
        )
        assert receiving.state == before
    assert receiving.protection.unprotect(octets).apdu == b"\xc4" + bytes(14)


def test_a_wrapped_key_whose_length_is_written_longer_goes_the_straight_way() -> None:
    sending, receiving = client(), server()
    plan = plan_of(KeyEstablishment.WRAPPED, A | E, "one")
    for _ in range(2):
        octets = sending.protection.protect(b"\xc4" + bytes(40), plan)
        longer = octets.replace(b"\x01\x01\x00\x18", b"\x01\x01\x00\x81\x18", 1)
        assert receiving.protection.unprotect(longer).apdu == b"\xc4" + bytes(40)
        assert not receiving.protection._lane._familiar


def test_of_ever_other_sizes_no_more_than_a_few_are_kept() -> None:
    sending, receiving = client(), server()
    plan = plan_of(KeyEstablishment.GLOBAL_UNICAST, A, "one")
    inner, outer = context(1, CLIENT, SERVER, A), context(1, SERVER, CLIENT, A)
    sealer = sending.protection._sending.sealer(plan.layers[0])
    assert sealer is not None
    for size in range(30, 30 + 3 * MOST_FAMILIAR):
        apdu = b"\xc4" + bytes(size)
        receiving.protection.unprotect(sending.protection.protect(apdu, plan))
        outer.unprotect_apdu(inner.protect_apdu(apdu))
        kept = sealer._familiar, receiving.protection._lane._familiar, outer._familiar
        assert all(0 < len(each) <= MOST_FAMILIAR for each in kept)


def test_a_layer_of_the_short_way_is_verified_by_peeling_and_counts_only_when_it_is_accepted() -> None:
    sending, receiving = client(), server()
    plan = plan_of(KeyEstablishment.GLOBAL_UNICAST, A | E, "one")
    apdus = [sending.protection.protect(b"\xc4" + bytes(40), plan) for _ in range(3)]
    receiving.protection.unprotect(apdus[0])
    before = receiving.state
    first, second = (receiving.protection.peel(apdus[1]) for _ in range(2))
    assert receiving.state == before
    assert first.accept().apdu == b"\xc4" + bytes(40)
    with pytest.raises(InvocationCounterError):
        second.accept()


def test_layers_with_one_counter_do_not_stand_in_each_other() -> None:
    sending, twin, receiving = client(), client(), server()
    plan = plan_of(KeyEstablishment.GLOBAL_UNICAST, A | E, "one")

    def layered(outer: Side) -> bytes:
        return outer.protection.protect(sending.protection.protect(b"\xc4" + bytes(40), plan), plan)

    receiving.protection.unprotect(layered(sending))
    twin.counters.transmit_counter(material_of(1).encryption_key.identity, CLIENT).raise_to(2)
    octets = layered(twin)
    with pytest.raises(DecipheringError):
        receiving.protection.peel(octets)


@pytest.mark.parametrize("broker", [True, False])
def test_a_familiar_layer_stands_inside_that_of_a_broker_only(broker: bool) -> None:
    other = side(STRANGER, [party(SERVER, 1)], 1)
    receiving = side(SERVER, [party(CLIENT, 1, broker=broker), party(STRANGER, 1)], 1)
    sending = client(1)
    plan = plan_of(KeyEstablishment.GLOBAL_UNICAST, A | E, "one")
    apdu = b"\xc4" + bytes(40)
    receiving.protection.unprotect(other.protection.protect(apdu, plan))
    for _ in range(2):
        inside = other.protection.protect(apdu, plan)
        receiving.protection.unprotect(sending.protection.protect(b"\xc4" + bytes(len(inside) - 1), plan))
        found = outcome(receiving.protection.unprotect, sending.protection.protect(inside, plan))
        assert found[0] == ("gives" if broker else "DecipheringError")


# --- counters and transaction-ids that are kept ready ----------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["next", "next", "next", "propose", "confirm", "abandon", "raise", "synchronise", "other"]),
        st.integers(0, 80),
    ),
    max_size=60,
)


def drawn(steps: list[tuple[str, int]], ready: int) -> list[Outcome]:
    """Return what a counter does; ``ready``: how many values it keeps so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "READY", ready)
        store = MemoryCounterStore(block=48)
        counter = store.transmit_counter(b"key", CLIENT)
        found: list[Outcome] = []
        for step, number in steps:
            match step:
                case "next":
                    found += [outcome(counter.next) for _ in range(number)]
                case "propose":
                    found.append(outcome(counter.propose, len(found) + number, 1 << 20))
                case "confirm":
                    counter.confirm()
                case "abandon":
                    if counter.trying:
                        counter.abandon()
                case "raise":
                    counter.raise_to(len(found) + number)
                case "synchronise":
                    counter.synchronise()
                case _:  # another process
                    store.change_transmit(b"key", CLIENT, lambda state: state.reserve(8)[0])
        return found


@given(STEPS)
def test_values_that_are_ready_are_those_that_come_one_by_one(steps: list[tuple[str, int]]) -> None:
    found = drawn(steps, counting.READY)
    assert found == drawn(steps, 1)
    values = [value for kind, value in found if kind == "gives" and value is not None]
    assert len(values) == len(set(values))


def run(*acts: Callable[[], None]) -> None:
    """Let threads take turns after each few steps."""
    threads = [threading.Thread(target=act) for act in acts]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)


def test_values_called_back_while_others_draw_are_never_drawn_twice() -> None:
    counter = MemoryCounterStore(block=64).transmit_counter(b"key", CLIENT)
    counter.confirm()
    values: list[list[int]] = [[], [], []]

    def draw(into: list[int]) -> None:
        into += [counter.next() for _ in range(10_000)]

    def call_back() -> None:
        for _ in range(10_000):
            with counter._lock:
                counter._call_back()

    run(*[lambda into=into: draw(into) for into in values], call_back)
    every = [value for into in values for value in into]
    assert len(every) == len(set(every)) == 30_000
    assert all(into == sorted(into) for into in values)


def test_own_transaction_ids_rise_in_all_threads() -> None:
    store = MemoryTransactionStore()
    ids: list[list[bytes]] = [[], [], []]

    def draw(into: list[bytes]) -> None:
        for _ in range(40 * READY_IDS):
            into += (store.next_own(CLIENT),)

    run(*[lambda into=into: draw(into) for into in ids])
    every = [each for into in ids for each in into]
    assert len(every) == len(set(every))
    assert all(into == sorted(into) for into in ids)
    assert all(store.is_own(CLIENT, each) for each in every)
