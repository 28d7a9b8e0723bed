"""Client, broker, server and third party: layers inside layers, and answers that mirror them (security.md 14)."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from cosemic.dialect import STANDARD
from cosemic.errors import DecipheringError, EncodeError, InvocationCounterError
from cosemic.security import Protection
from cosemic.security.general import (
    REFUSED,
    GeneralUnprotected,
    KeyEstablishment,
    Layer,
    LayerPlan,
    ReceivedLayer,
    read_header,
)
from cosemic.security.general.layout import GeneralHeader
from tests.security.parties import STRANGER, THIRD, Side, client, party, server, side, third
from tests.security.samples import CLIENT, GET, GET_RESPONSE, SERVER

NONE, A, E, S = Protection.NONE, Protection.AUTHENTICATED, Protection.ENCRYPTED, Protection.SIGNED
BOTH = A | E
UNICAST, ONE_PASS, STATIC = KeyEstablishment.GLOBAL_UNICAST, KeyEstablishment.ONE_PASS, KeyEstablishment.STATIC
suites = pytest.mark.parametrize("suite", [1, 2])


def to(recipient: bytes, protection: Protection = BOTH, kind: KeyEstablishment | None = None, **more: Any) -> Layer:
    return Layer(recipient=recipient, protection=protection, key_info=kind, **more)


def plan(*layers: Layer) -> LayerPlan:
    return LayerPlan(layers)


def refused(at: Side, octets: bytes) -> None:
    before = at.state
    with pytest.raises(DecipheringError) as caught:
        at.protection.unprotect(octets)
    assert (type(caught.value), str(caught.value)) == (DecipheringError, REFUSED)
    assert at.state == before


@suites
@pytest.mark.parametrize("kind", [ONE_PASS, STATIC], ids=lambda each: each.name)
def test_a_third_party_reads_through_a_broker(suite: int, kind: KeyEstablishment) -> None:
    far, broker, meter = third(suite), client(suite), server(suite)
    asked = far.protection.protect(GET, plan(to(SERVER, BOTH, kind), to(SERVER, S)))
    request = meter.protection.unprotect(broker.protection.protect(asked, plan(to(SERVER, A, UNICAST))))
    assert request.apdu == GET
    assert dict(request.applied) == {CLIENT: A, THIRD: BOTH | S}

    answers = LayerPlan.answering(request, BOTH | S)
    assert answers.layers == (
        to(CLIENT, A, UNICAST, transaction_id=request.layers[0].header.transaction_id),
        to(THIRD, BOTH, kind, transaction_id=read_header(asked)[0].transaction_id),
        to(THIRD, S, None, transaction_id=read_header(asked)[0].transaction_id),
    )
    answer = meter.protection.protect(GET_RESPONSE, answers)
    refused(far, answer)
    handed_on = broker.protection.unprotect(answer)
    assert handed_on.forward_to == THIRD
    assert dict(handed_on.applied) == {SERVER: A}
    assert handed_on.apdu != GET_RESPONSE
    refused(broker, handed_on.apdu)

    result = far.protection.unprotect(handed_on.apdu, transaction_id=read_header(asked)[0].transaction_id)
    assert (result.apdu, dict(result.applied)) == (GET_RESPONSE, {SERVER: BOTH | S})
    with pytest.raises(DecipheringError):
        far.protection.unprotect(handed_on.apdu)


def test_the_layer_of_a_third_party_is_accepted_once_whatever_the_broker_puts_around_it() -> None:
    far, broker, meter = third(), client(), server()
    for layer in (to(SERVER, S), to(SERVER, BOTH, STATIC), to(SERVER, A, ONE_PASS)):
        asked = far.protection.protect(GET, plan(layer))
        meter.protection.unprotect(broker.protection.protect(asked, plan(to(SERVER))))
        refused(meter, broker.protection.protect(asked, plan(to(SERVER))))
        refused(meter, broker.protection.protect(asked, plan(to(SERVER, BOTH, STATIC))))


def test_only_a_broker_puts_its_layer_around_that_of_another() -> None:
    asked = third().protection.protect(GET, plan(to(SERVER, S)))
    octets = client().protection.protect(asked, plan(to(SERVER)))
    refused(server(of_client={"broker": False}), octets)
    assert server().protection.unprotect(octets).apdu == GET
    through = client().protection.protect(GET, plan(to(SERVER)))
    refused(server(), third().protection.protect(through, plan(to(SERVER, S))))


def test_a_stranger_does_not_come_in_through_a_broker() -> None:
    stranger = side(STRANGER, [party(SERVER, 1, third=True)], 1)
    asked = stranger.protection.protect(GET, plan(to(SERVER, S)))
    refused(server(), client().protection.protect(asked, plan(to(SERVER))))


def test_every_layer_is_for_the_one_who_takes_it_off() -> None:
    other = party(STRANGER, 1)
    broker = side(CLIENT, [party(SERVER, 1), other], 1)
    inner = broker.protection.protect(GET, plan(to(STRANGER, S)))
    refused(server(), broker.protection.protect(inner, plan(to(SERVER))))
    refused(client(), broker.protection.protect(inner, plan(to(SERVER))))


def test_a_broker_hands_on_only_for_whom_it_was_told_to() -> None:
    meter = server()
    answer = meter.protection.protect(GET_RESPONSE, plan(to(CLIENT), to(THIRD, S)))
    refused(client(brokers_for=()), answer)
    refused(client(brokers_for={STRANGER}), answer)
    assert client().protection.unprotect(answer).forward_to == THIRD


def test_what_a_broker_hands_on_comes_inside_a_layer_for_it() -> None:
    refused(client(), server().protection.protect(GET_RESPONSE, plan(to(THIRD, S))))


def test_a_broker_takes_off_its_own_layers_and_no_more() -> None:
    meter, broker = server(), client()
    layers = plan(to(CLIENT), to(CLIENT, S), to(THIRD, BOTH, STATIC), to(THIRD, S))
    result = broker.protection.unprotect(meter.protection.protect(GET_RESPONSE, layers))
    assert [layer.protection for layer in result.layers] == [BOTH, S]
    inside = third().protection.unprotect(result.apdu)
    assert (inside.apdu, [layer.protection for layer in inside.layers]) == (GET_RESPONSE, [BOTH, S])


@pytest.mark.parametrize("layers", range(1, 7))
@pytest.mark.parametrize("most", [1, 4, 5])
def test_no_more_layers_are_taken_off_than_the_limit(layers: int, most: int) -> None:
    octets = GET
    sender, receiver = client(), server(max_layers=most)
    for _ in range(layers):
        octets = sender.protection.protect(octets, plan(to(SERVER, NONE)))
    if layers <= most:
        assert receiver.protection.unprotect(octets).apdu == GET
    else:
        refused(receiver, octets)


def test_a_thousand_layers_end_at_the_fifth() -> None:
    octets = GET
    sender = client()
    for _ in range(1000):
        octets = sender.protection.protect(octets, plan(to(SERVER, NONE)))
    refused(server(), octets)


@pytest.mark.parametrize("wrong", ["inner", "outer"])
def test_an_inner_layer_that_is_wrong_leaves_the_outer_one_uncounted(wrong: str) -> None:
    sender, meter = client(), server()
    inner = bytearray(sender.protection.protect(GET, plan(to(SERVER, S))))
    if wrong == "inner":
        inner[-1] ^= 1
    octets = bytearray(sender.protection.protect(bytes(inner), plan(to(SERVER, BOTH, STATIC))))
    if wrong == "outer":
        octets[-1] ^= 1
    refused(meter, bytes(octets))
    again = sender.protection.protect(bytes(inner), plan(to(SERVER)))
    if wrong == "inner":
        refused(meter, again)
    else:
        assert meter.protection.unprotect(again).apdu == GET


def test_an_inner_counter_that_is_late_is_not_told() -> None:
    sender, meter = client(), server()
    late = sender.protection.protect(GET, plan(to(SERVER, BOTH, UNICAST)))
    meter.protection.unprotect(sender.protection.protect(GET, plan(to(SERVER, BOTH, UNICAST))))
    with pytest.raises(InvocationCounterError):
        meter.protection.unprotect(late)
    refused(meter, sender.protection.protect(late, plan(to(SERVER, BOTH, STATIC))))


# ---- answers ---------------------------------------------------------------------------------------------------------

KINDS = [A, E, S]
SUBSETS = [NONE, A, E, S, A | E, A | S, E | S, A | E | S]


def received(*layers: tuple[bytes, Protection]) -> GeneralUnprotected:
    """Return what was taken off: one layer each, its transaction-id being the last octet of its originator."""

    def one(title: bytes, protection: Protection) -> ReceivedLayer:
        kind = None if protection == S else STATIC if protection else KeyEstablishment.ABSENT
        return ReceivedLayer(GeneralHeader(title[-1:], title, SERVER), protection, kind)

    return GeneralUnprotected(GET, tuple(one(*each) for each in layers))


def kinds(layers: LayerPlan) -> dict[bytes, Protection]:
    found: dict[bytes, Protection] = {}
    for layer in layers.layers:
        found[layer.recipient] = found.get(layer.recipient, NONE) | layer.protection
    return found


MIRRORED: list[tuple[Protection, Protection, Protection, Protection, Protection]] = [
    # applied by client, by third party; required of the answer; applied for client, for third party
    (A, S, NONE, NONE, NONE),
    (A, S, A, A, NONE),
    (A, S, S, NONE, S),
    (A, S, A | S, A, S),
    (A, S, E, E, E),
    (A, S, A | E, A | E, E),
    (A | E, A | E, A, A, A),
    (A | E, A | E, A | E, A | E, A | E),
    (A | E, A | E | S, A | S, A, A | S),
    (NONE, S, A, A, A),
    (NONE, S, S, NONE, S),
    (NONE, NONE, A | E | S, A | E | S, A | E | S),
    (A | E | S, NONE, A | E | S, A | E | S, NONE),
    (A, NONE, E | S, E | S, E | S),
]


@pytest.mark.parametrize(("of_client", "of_third", "required", "for_client", "for_third"), MIRRORED)
def test_the_answer_mirrors_what_each_party_applied(
    of_client: Protection, of_third: Protection, required: Protection, for_client: Protection, for_third: Protection
) -> None:
    def layers(title: bytes, applied: Protection) -> list[tuple[bytes, Protection]]:
        ciphered = [(title, applied & BOTH)] if applied & BOTH or not applied else []
        return ciphered + ([(title, S)] if applied & S else [])

    request = received(*layers(CLIENT, of_client), *layers(THIRD, of_third))
    answer = LayerPlan.answering(request, required)
    assert kinds(answer) == {CLIENT: for_client, THIRD: for_third}
    assert [layer.recipient for layer in answer.layers] == sorted(
        (layer.recipient for layer in answer.layers), key=[CLIENT, THIRD].index
    )
    assert {layer.transaction_id for layer in answer.layers} == {CLIENT[-1:], THIRD[-1:]}


def test_the_rules_of_mirroring_hold_for_all_that_can_be_applied() -> None:
    for of_client, of_third, required in product(SUBSETS, SUBSETS, SUBSETS):
        request = received(
            *((CLIENT, each) for each in _single(of_client)), *((THIRD, each) for each in _single(of_third))
        )
        answer = kinds(LayerPlan.answering(request, required))
        for title, applied in ((CLIENT, of_client), (THIRD, of_third)):
            for kind in KINDS:
                needed = bool(required & kind)
                on_nobody = not (of_client | of_third) & kind
                assert bool(answer[title] & kind) == (needed and (bool(applied & kind) or on_nobody))
        assert answer[CLIENT] | answer[THIRD] == required


def _single(applied: Protection) -> list[Protection]:
    ciphering = [applied & BOTH] if applied & BOTH or not applied else []
    return ciphering + ([S] if applied & S else [])


@pytest.mark.parametrize("order", [(BOTH, S), (S, BOTH)], ids=["signed inside", "enciphered inside"])
def test_the_answer_nests_as_the_request_did(order: tuple[Protection, Protection]) -> None:
    request = server().protection.unprotect(
        client().protection.protect(GET, plan(*(to(SERVER, each) for each in order)))
    )
    answer = LayerPlan.answering(request, BOTH | S)
    assert tuple(layer.protection for layer in answer.layers) == order


@suites
@pytest.mark.parametrize("kind", [kind for kind in KeyEstablishment if kind is not KeyEstablishment.GLOBAL_BROADCAST])
@pytest.mark.parametrize("required", SUBSETS)
def test_an_answer_goes_back_under_the_key_info_of_its_request(
    suite: int, kind: KeyEstablishment, required: Protection
) -> None:
    near, meter = client(suite, of_server={"encryption_alone": True}), server(suite)
    mine = near.protection.new_transaction_id()
    octets = near.protection.protect(GET, plan(to(SERVER, BOTH, kind)), transaction_id=mine)
    request = meter.protection.unprotect(octets)
    answer = meter.protection.protect(GET_RESPONSE, LayerPlan.answering(request, required))
    result = near.protection.unprotect(answer, transaction_id=mine)
    assert result.apdu == GET_RESPONSE
    assert dict(result.applied) == {SERVER: required}
    if required & BOTH:
        assert result.layers[0].key_info is kind
    if required & (A | S):
        with pytest.raises((DecipheringError, InvocationCounterError)):
            near.protection.unprotect(answer)


def test_an_answer_to_a_signed_request_is_enciphered_under_what_is_preferred() -> None:
    request = server().protection.unprotect(client().protection.protect(GET, plan(to(SERVER, S))))
    octets = server().protection.protect(GET_RESPONSE, LayerPlan.answering(request, BOTH | S))
    assert client().protection.unprotect(octets).layers[1].key_info is UNICAST
    asked = third().protection.protect(GET, plan(to(SERVER, S)))
    request = server().protection.unprotect(asked)
    octets = server().protection.protect(GET_RESPONSE, LayerPlan.answering(request, BOTH | S))
    assert third().protection.unprotect(octets).layers[1].key_info is ONE_PASS


def test_both_directions_of_one_exchange_under_static_keys_have_keys_of_their_own() -> None:
    near, meter = client(), server()
    asked = near.protection.protect(GET, plan(to(SERVER, BOTH, STATIC)), transaction_id=b"same")
    answered = meter.protection.protect(GET, plan(to(CLIENT, BOTH, STATIC)), transaction_id=b"same")
    assert asked[-len(GET) - 12 :] != answered[-len(GET) - 12 :]
    assert meter.protection.unprotect(asked).apdu == near.protection.unprotect(answered).apdu == GET
    swapped = bytearray(asked)
    swapped[6:24] = answered[6:24]
    refused(client(), bytes(swapped))


def test_the_plan_that_is_shown_in_its_docstring_works() -> None:
    octets = client().protection.protect(
        GET, LayerPlan((Layer(recipient=SERVER), Layer(recipient=SERVER, protection=S)))
    )
    assert dict(server(dialect=STANDARD).protection.unprotect(octets).applied) == {CLIENT: BOTH | S}
    with pytest.raises(EncodeError):
        client().protection.protect(GET, LayerPlan(()))
