"""What was sent once, sent again: repeated, reordered, reflected, under another layer or in another association.

In every form, and both directions.
"""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.requests import Failed, Get
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, TransactionIds
from cosemic.errors import CosemicError
from cosemic.security import Protection, SecurityPolicy
from cosemic.security.general import Layer, LayerPlan
from tests.association.general_samples import THIRD_TITLE
from tests.association.matrix.attacks import other_s
from tests.association.matrix.by_hand import Hand, fresh_id
from tests.association.matrix.sides import (
    FORMS,
    GET,
    TABLE,
    as_protection,
    ask_server,
    changed,
    client_hand,
    kinds_of,
    received,
    server_hand,
    snapshot,
    standing,
)
from tests.association.matrix.test_attacks import FIXED, OF_SUITE, Asking
from tests.association.matrix.test_believed_answers import layered_form
from tests.association.samples import REGISTER, SERVER_TITLE, Talk

DECIPHERING = bytes.fromhex(TABLE["refusals"]["deciphering-error"])
LATE = bytes.fromhex("D80106")
ACTION = a.ActionRequestNormal(
    a.InvokeIdAndPriority(0x41),
    a.CosemMethodDescriptor(9, REGISTER.instance_id, 1),
    EncodedData.of(DataType.INTEGER, 1),
).encode()
"""What may not be done twice."""
PER_MESSAGE = {"wrapped", "one-pass", "static", "signing"}
"""Layers that a transaction-id makes fresh; all others have a counter."""
SENDERS = ("absent", "unicast", "glo", "ded", "general-glo", "general-ded")
"""Outermost layers whose counter is told to who has sent them."""
FORMS_OF = {
    suite: [*OF_SUITE[suite], *((suite, FORMS[name], "E") for name in ("glo", "unicast", "wrapped"))]
    for suite in (0, 1, 2)
}
every_suite = pytest.mark.parametrize(
    "suite", [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(2, marks=pytest.mark.slow)]
)
signing_suites = pytest.mark.parametrize("suite", [1, pytest.param(2, marks=pytest.mark.slow)])


def serving(suite: int, form: Any, bits: str, **more: Any) -> Talk:
    """A server that demands just what a form applies."""
    return standing(suite, SecurityPolicy(1, int(as_protection(kinds_of(form, bits))) << 2), **more)


def has_counter(form: Any, bits: str) -> bool:
    return bool(bits and set(form["layers"]) - PER_MESSAGE)


def refused(talk: Talk, octets: bytes, where: object) -> bytes:
    """Send something that has to be refused without a trace."""
    before = snapshot(talk)
    answer = ask_server(talk, octets)
    assert answer[:3] in (DECIPHERING, LATE), (where, answer.hex())
    assert changed(talk, before) == [], where
    return answer


@every_suite
def test_what_was_served_is_not_served_again(suite: int) -> None:
    for _, form, bits in FORMS_OF[suite]:
        talk = serving(suite, form, bits)
        hand = client_hand(talk, suite, layers=form["layers"], bits=bits)
        octets = hand.sealed(ACTION)
        ask_server(talk, octets)
        assert [kind for kind, _ in talk.shelf.calls] == ["action"], (form["name"], bits)
        answer = refused(talk, octets, (form["name"], bits))
        if answer[:3] == LATE:
            # That of a layer inside another is not told; that of a ciphered form is, whatever stands around it.
            assert form["layers"][0] in SENDERS or form["layers"][-1] in SENDERS[2:], form["name"]
        else:
            assert form["layers"][0] in PER_MESSAGE, form["name"]
        if "ded" in form["name"] or bits == "E":
            continue  # the key of an association ends with it; nothing vouches for what is encrypted alone
        again = Talk(talk.client.settings, talk.server.settings, talk.shelf)
        again.open()
        refused(again, octets, ("in the next association", form["name"], bits))


@signing_suites
def test_what_was_served_is_not_served_again_in_another_layer(suite: int) -> None:
    """The layer around is new and right; the one inside came before, and its counter is not told."""
    for _, form, bits in OF_SUITE[suite]:
        if len(form["layers"]) < 2 or not bits:
            continue
        talk = serving(suite, form, bits)
        hand = client_hand(talk, suite, bits=bits)
        outer, inner = form["layers"]
        came = hand.layer(inner, ACTION, fresh_id())
        ask_server(talk, hand.layer(outer, came, fresh_id()))
        assert len(talk.shelf.calls) == 1, form["name"]
        answer = refused(talk, hand.layer(outer, came, fresh_id()), (form["name"], bits))
        simple = inner in SENDERS[2:]
        assert answer[:3] == (LATE if simple else DECIPHERING), form["name"]


@every_suite
def test_what_was_overtaken_is_refused_where_a_counter_tells(suite: int) -> None:
    for _, form, bits in FORMS_OF[suite]:
        talk = serving(suite, form, bits)
        hand = client_hand(talk, suite, layers=form["layers"], bits=bits)
        first, second = hand.sealed(ACTION), hand.sealed(ACTION)
        ask_server(talk, second)
        assert len(talk.shelf.calls) == 1
        if has_counter(form, bits):
            refused(talk, first, (form["name"], bits))
        else:  # transaction-ids are remembered one by one
            ask_server(talk, first)
            assert len(talk.shelf.calls) == 2, (form["name"], bits)
            refused(talk, first, (form["name"], bits))


@pytest.mark.slow
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_where_transaction_ids_rise_what_was_overtaken_is_refused_in_every_form(suite: int) -> None:
    dialect = STANDARD.but(transaction_ids=TransactionIds.RISING)
    for _, form, bits in OF_SUITE[suite]:
        talk = serving(suite, form, bits, dialect=dialect)
        hand = client_hand(talk, suite, layers=form["layers"], bits=bits)
        first, second = hand.sealed(ACTION), hand.sealed(ACTION)
        ask_server(talk, second)
        assert len(talk.shelf.calls) == 1, (form["name"], bits)
        refused(talk, first, (form["name"], bits))


@every_suite
def test_a_transaction_id_serves_one_message_even_if_all_else_is_new(suite: int) -> None:
    for _, form, bits in OF_SUITE[suite]:
        if form["layers"][0] not in PER_MESSAGE:
            continue
        talk = serving(suite, form, bits)
        hand = client_hand(talk, suite, layers=form["layers"], bits=bits, transaction_id=fresh_id())
        ask_server(talk, hand.sealed(GET))
        refused(talk, hand.sealed(ACTION), (form["name"], bits))
        assert len(talk.shelf.calls) == 1


@signing_suites
@pytest.mark.parametrize("changed_first", [False, True])
def test_a_signature_with_the_other_s_is_the_same_message(suite: int, changed_first: bool) -> None:
    """s and n - s both hold (9): such a copy is no other message."""
    for _, form, bits in OF_SUITE[suite]:
        if form["layers"][0] != "signing":
            continue
        talk = serving(suite, form, bits)
        kept: list[bytes] = []

        def both(signature: bytes, kept: list[bytes] = kept) -> bytes:
            kept.append(other_s(suite)(signature))
            return signature

        hand = client_hand(talk, suite, layers=form["layers"], bits=bits, signature_as=both)
        good = hand.sealed(ACTION)
        twin = good[: -len(kept[0])] + kept[0]
        assert twin != good
        for number, octets in enumerate((twin, good) if changed_first else (good, twin)):
            if number:
                refused(talk, octets, form["name"])
            else:
                ask_server(talk, octets)
        assert len(talk.shelf.calls) == 1, form["name"]


@every_suite
def test_an_answer_is_believed_once(suite: int) -> None:
    """Asked again with the same transaction-id, so that nothing but what was received tells the two apart."""
    for _, form, bits in OF_SUITE[suite]:
        asking = Asking(suite, form, bits)
        first, second = asking.hand.sealed(asking.plain), asking.hand.sealed(asking.plain)
        assert asking.believes(second), form["name"]
        asking.refuses(second, (form["name"], bits))
        asking.refuses(first, ("overtaken", form["name"], bits))


@signing_suites
def test_every_layer_of_an_answer_is_one_of_this_transaction(suite: int) -> None:
    """What the server has said about another transaction does not get in by a new layer around it."""
    for _, form, bits in OF_SUITE[suite]:
        outer, *inner = form["layers"]
        if not inner or inner[0] in SENDERS[2:]:
            continue
        asking = Asking(suite, form, bits)
        for ids in ((FIXED, fresh_id()), (fresh_id(), FIXED)):
            octets = asking.hand.layer(outer, asking.hand.layer(inner[0], asking.plain, ids[1]), ids[0])
            asking.refuses(octets, (form["name"], bits))
        assert asking.believes(asking.hand.sealed(asking.plain)), form["name"]


@signing_suites
def test_the_answer_to_one_request_is_not_that_to_the_next(suite: int) -> None:
    """It comes late, is right, and has the invoke-id of the present one; only its transaction-id is another."""
    for _, form, bits in OF_SUITE[suite]:
        if layered_form(form):
            asking = Asking(suite, form, bits)
            late = asking.hand.sealed(asking.plain)
            asking.told(b"")
            bare = Layer(recipient=SERVER_TITLE, protection=Protection.NONE, transaction_id=b"\x08" * 8)
            asking.request = Get(REGISTER, layers=LayerPlan((bare,)))
            assert not asking.believes(late), form["name"]
            assert asking.believes(asking.hand.but(transaction_id=b"\x08" * 8).sealed(asking.plain)), form["name"]


@pytest.mark.slow
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_what_a_side_has_sent_is_neither_request_nor_answer_to_it(suite: int) -> None:
    for _, form, bits in OF_SUITE[suite]:
        talk = serving(suite, form, bits)
        hand = client_hand(talk, suite, layers=form["layers"], bits=bits)
        request = hand.sealed(GET)
        answer = ask_server(talk, request)
        before = snapshot(talk)
        assert ask_server(talk, answer)[:2] in (b"\xd8\x01", b"\xd8\x02"), form["name"]
        assert changed(talk, before) == [], form["name"]
        mirrored = server_hand(talk, suite, layers=form["layers"], bits=bits)
        before = snapshot(talk)
        assert ask_server(talk, mirrored.sealed(GET))[:3] in (DECIPHERING, LATE), form["name"]
        assert "calls" not in changed(talk, before)
        talk.client.send(Get(REGISTER))
        own = talk.client.octets_to_send()
        for octets in (own, request):
            was = received(talk.client)
            for event in talk.client.receive(octets, talk.now):
                assert isinstance(event, Failed)
                assert isinstance(event.error, CosemicError)
            assert received(talk.client) == was, form["name"]
            if not talk.client.busy:
                talk.client._owed.clear()
                talk.client.send(Get(REGISTER))
                talk.client.octets_to_send()
        talk.client.cancel()


@signing_suites
def test_no_more_layers_are_taken_off_than_four(suite: int) -> None:
    """5.5: the depth is bounded."""
    talk = standing(suite, SecurityPolicy(1, 0x10))
    hand = client_hand(talk, suite)
    four = hand.layer("signing", GET, fresh_id())
    for name in ("wrapped", "unicast", "absent"):
        four = hand.layer(name, four, fresh_id())
    for name in ("unicast", "signing", "static"):
        refused(talk, hand.layer(name, four, fresh_id()), name)
    answer = ask_server(talk, four)
    assert answer[:1] == b"\xdd"
    assert len(talk.shelf.calls) == 1
    deep = GET
    for _ in range(300):
        deep = hand.but(bits="").layer("absent", deep, b"\1")
    refused(talk, deep, "three hundred")


# ---- brokers ---------------------------------------------------------------------------------------------------------


def brokered(suite: int) -> tuple[Talk, Hand, Hand]:
    talk = standing(suite, SecurityPolicy(1, 0x1C), client={"dedicated_key": False})
    client = client_hand(talk, suite, layers=["unicast"])
    return talk, client, Hand(suite, THIRD_TITLE, third=True, layers=["one-pass", "signing"])


def not_served(talk: Talk, octets: bytes, where: str) -> bytes:
    before = snapshot(talk)
    answer = ask_server(talk, octets)
    assert answer[:2] in (b"\xd8\x01", b"\xd8\x02"), (where, answer.hex())
    assert changed(talk, before) == [], where
    return answer


@signing_suites
def test_a_broker_can_neither_change_nor_repeat_nor_redirect_what_it_carries(suite: int) -> None:
    talk, client, third = brokered(suite)
    asked = third.sealed(ACTION)
    not_served(talk, asked, "without a layer of the client")
    not_served(talk, client.but(bits="").layer("absent", asked, fresh_id()), "in a layer that protects nothing")
    not_served(talk, client.sealed(asked[:-1]), "cut")
    not_served(talk, client.sealed(asked + b"\0"), "lengthened")
    mine = client.but(layers=["signing"]).sealed(ACTION)
    not_served(talk, client.sealed(third.layer("one-pass", mine, fresh_id())), "the broker's request in its place")
    not_served(talk, third.layer("one-pass", client.sealed(ACTION), fresh_id()), "the other way round")
    sealed = client.but(layers=["glo"]).sealed(ACTION)
    around = third.layer("one-pass", third.layer("signing", sealed, fresh_id()), fresh_id())
    not_served(talk, client.sealed(around), "what the client has sealed, signed by another")
    for name in ("unicast", "absent", "wrapped"):
        not_served(talk, client.sealed(third.but(layers=[name]).sealed(ACTION)), f"under its title, {name}")
    forged = third.but(signer=talk.client.settings.parties.signing_key.to_cryptography())  # type: ignore[union-attr]
    not_served(talk, client.sealed(forged.sealed(ACTION)), "signed by the broker")
    redirected = Hand(suite, THIRD_TITLE, bytes.fromhex("4D4D4D0000000BAD"), third=True, layers=["signing"])
    not_served(talk, client.sealed(redirected.sealed(ACTION)), "for another meter")
    assert talk.shelf.calls == []
    ask_server(talk, client.sealed(asked))
    assert len(talk.shelf.calls) == 1
    for name in ("unicast", "wrapped", "static"):
        assert not_served(talk, client.but(layers=[name]).sealed(asked), "again") == DECIPHERING
    again = Talk(talk.client.settings, talk.server.settings, talk.shelf)
    again.open()
    not_served(again, client_hand(again, suite, layers=["unicast"]).sealed(asked), "again, in the next association")
    assert len(talk.shelf.calls) == 1
