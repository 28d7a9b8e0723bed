"""Every bit of every authenticated or signed form, flipped on the way, in both directions and behind a broker: refused,
with nothing changed, and with an error that is the same wherever the bit stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.requests import Completed, Failed, Get
from cosemic.errors import CosemicError
from cosemic.security import Protection, SecurityPolicy
from cosemic.security.general import KeyEstablishment, Layer, LayerPlan
from tests.association.general_samples import THIRD_TITLE, ciphered, third
from tests.association.matrix.by_hand import Hand, flips
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
from tests.association.matrix.test_believed_answers import layered_form, transaction_id_of
from tests.association.samples import REGISTER, SERVER_TITLE, VALUE

Form = dict[str, Any]
Cell = tuple[int, Form, str]
VOUCHED = [
    (suite, form, bits)
    for suite in (0, 1, 2)
    for form in FORMS.values()
    for bits in form["protections"]
    if suite in form["suites"]
    and form["protections"][bits] == "pass"
    and (bits in ("A", "AE") or "signing" in form["layers"])
    if bits != "E"
]
"""Every form with a tag or a signature, in each suite."""
COSTLY = {"signing", "one-pass", "static"}
ERRORS = {name: bytes.fromhex(octets) for name, octets in TABLE["refusals"].items()}
COUNTER = bytes.fromhex("D80106")
"""With the lowest acceptable value: 17, where title and suite fit."""
TEXT = "{0[0]}-{0[1][name]}-{0[2]}".format


def some_bits(octets: bytes, cell: Cell, *, thorough: bool, most: int = 2) -> Iterable[int]:
    """The bits to flip: all; or a few; or one of each octet, or of some, where public keys make it dear.

    Those are all forms of suite 2 with public keys, and of suite 1 those whose octets are tried in all their bits with
    encryption too, and those of more layers than ``most``.
    """
    suite, form, bits = cell
    if not thorough:
        return range(0, len(octets) * 8, 101)
    if COSTLY & set(form["layers"]) and (suite == 2 or bits == "A" or len(form["layers"]) > most):
        return one_of_each(octets)[:: 2 * len(form["layers"]) if suite == 2 else 1]
    return range(len(octets) * 8)


def one_of_each(octets: bytes) -> list[int]:
    """One bit of each octet, now this one and now that."""
    return [8 * at + (5 * at) % 8 for at in range(len(octets))]


def vouched_from(form: Form, bits: str, octets: bytes) -> int:
    """Where in an APDU begins what is vouched for.

    The one exception: a layer without protection, which anybody may have put around what is signed (3, 14).
    """
    return octets.index(b"\xdf", 1) if not bits and form["layers"] == ["absent", "signing"] else 0


def request_flips(suite: int, form: Form, bits: str, *, thorough: bool) -> Counter[bytes]:
    """Flip bits of a request: how often the server gave which answer."""
    demand = as_protection(kinds_of(form, bits))
    talk = standing(suite, SecurityPolicy(1, int(demand) << 2))
    hand = client_hand(talk, suite, layers=form["layers"], bits=bits)
    good = hand.sealed(GET)
    ask_server(talk, hand.sealed(GET))  # so that counters and transactions are not those of the beginning
    good = hand.sealed(GET)
    talk.shelf.calls.clear()
    before, answers = snapshot(talk), Counter[bytes]()
    for bit, bad in flips(good, some_bits(good, (suite, form, bits), thorough=thorough)):
        if bit // 8 < vouched_from(form, bits, good):
            continue
        answers[ask_server(talk, bad)] += 1
        if bit % 16 == 0:
            assert changed(talk, before) == [], bit
    assert changed(talk, before) == []
    assert ask_server(talk, good)[:1] not in (b"\xd8", b"")  # and nothing is locked out
    assert len(talk.shelf.calls) == 1
    return answers


def judge(answers: Counter[bytes], form: Form) -> None:
    """Hold the answers against what the reference lets an attacker know (17): one error, and the lowest counter."""
    told = {answer for answer in answers if answer[:3] == COUNTER}
    assert len(told) <= 1, told
    assert not told or not COSTLY - {"static"} & set(form["layers"][:1]), told
    others = set(answers) - told - {ERRORS["deciphering-error"]}
    # Another tag makes another APDU of it: one in clear, or one that nobody knows; another SC, less than is demanded.
    assert others <= {ERRORS["operation-not-possible"], ERRORS["not-supported"]}, others
    assert sum(answers[each] for each in others) <= 10, answers


@pytest.mark.parametrize("cell", [each for each in VOUCHED if each[0] == 1], ids=TEXT)
def test_some_flipped_bits_of_every_form_of_request(cell: Any) -> None:
    judge(request_flips(*cell, thorough=False), cell[1])


@pytest.mark.slow
@pytest.mark.parametrize("cell", VOUCHED, ids=TEXT)
def test_no_request_with_a_flipped_bit_is_served(cell: Any) -> None:
    judge(request_flips(*cell, thorough=True), cell[1])


def answer_flips(suite: int, form: Form, bits: str, *, thorough: bool) -> None:
    """Flip bits of an answer: the client believes none of them, and says nothing."""
    kinds = kinds_of(form, bits)
    talk = standing(suite, SecurityPolicy(1, 0), client={"require": as_protection(kinds)})
    plan = None
    if layered_form(form):
        bare = Layer(recipient=SERVER_TITLE, protection=Protection.NONE, transaction_id=b"\7" * 8)
        plan = LayerPlan((bare,))
    hand = server_hand(talk, suite, layers=form["layers"], bits=bits, transaction_id=b"\7" * 8)
    good = hand.sealed(a.GetResponseNormal(a.InvokeIdAndPriority(0x41), VALUE).encode())
    request = Get(REGISTER, layers=plan)

    def told(octets: bytes) -> list[Any]:
        talk.client.send(request)
        assert talk.client.octets_to_send()
        talk.client._terms.invoke = a.InvokeIdAndPriority(0x41)
        events = talk.client.receive(octets, talk.now)
        assert talk.client.octets_to_send() == b""
        if talk.client.busy:
            talk.client.cancel()
        talk.client._owed.clear()
        return events

    told(good[:-1])
    before = received(talk.client)
    for bit, bad in flips(good, some_bits(good, (suite, form, bits), thorough=thorough, most=1)):
        if bit // 8 < vouched_from(form, bits, good):
            continue
        for event in told(bad):
            assert isinstance(event, Failed), bit
            assert isinstance(event.error, CosemicError), bit
        if bit % 16 == 0:
            assert received(talk.client) == before, bit
    assert received(talk.client) == before
    (event,) = told(good)
    assert isinstance(event, Completed)
    assert event.result == VALUE


@pytest.mark.parametrize("cell", [each for each in VOUCHED if each[0] == 1][::4], ids=TEXT)
def test_some_flipped_bits_of_every_form_of_answer(cell: Any) -> None:
    answer_flips(*cell, thorough=False)


@pytest.mark.slow
@pytest.mark.parametrize("cell", VOUCHED, ids=TEXT)
def test_no_answer_with_a_flipped_bit_is_believed(cell: Any) -> None:
    answer_flips(*cell, thorough=True)


@pytest.mark.parametrize("suite", [1, 2])
def test_a_layer_without_protection_adds_nothing_to_what_is_signed(suite: int) -> None:
    """Anybody may put it around, and change it: what it carries is served once, for the one who has signed it."""
    talk = standing(suite, SecurityPolicy(1, 0x10))
    hand = client_hand(talk, suite, bits="")
    signed = hand.but(layers=["signing"]).sealed(GET)
    for number in range(3):
        answer = ask_server(talk, hand.but(layers=["absent"], transaction_id=bytes((number,)) * 8).sealed(signed))
        assert (answer[:1] == b"\xdd") is (number == 0)
    assert len(talk.shelf.calls) == 1
    assert ask_server(talk, signed) == ERRORS["deciphering-error"]


# ---- behind a broker -------------------------------------------------------------------------------------------------

OF_THIRD_PARTIES = [
    (suite, FORMS[one["name"]], bits)
    for suite in (1, 2)
    for one in TABLE["third_party"]["layers"]
    for bits in FORMS[one["name"]]["protections"]
    if one["passes"] and FORMS[one["name"]]["protections"][bits] == "pass" and bits != "E"
]


def broker_flips(suite: int, form: Form, bits: str, *, thorough: bool) -> set[bytes]:
    """Flip bits of what a third party asks, and put a right layer of the client around it."""
    talk = standing(suite, SecurityPolicy(1, 0x0C), client={"dedicated_key": False})
    numbers = count(5000)
    client = client_hand(talk, suite, layers=["unicast"], counter=numbers.__next__)
    author = Hand(suite, THIRD_TITLE, SERVER_TITLE, layers=form["layers"], bits=bits, third=True)
    good = author.sealed(GET)
    before, answers = snapshot(talk), set()
    for bit, bad in flips(good, one_of_each(good) if thorough else range(0, 8 * len(good), 53)):
        if bit >= 8:  # another tag makes an APDU of the client of it, which has authenticated it
            answers.add(ask_server(talk, client.sealed(bad)))
    assert changed(talk, before) == []
    for bit, bad in flips(good, range(8)):
        assert ask_server(talk, client.sealed(bad))[:2] in (b"\xd8\x01", b"\xd8\x02", b""), bit
    assert talk.shelf.calls == []
    assert ask_server(talk, client.sealed(good))[:1] == b"\xdd"
    assert len(talk.shelf.calls) == 1
    return answers


@pytest.mark.parametrize("cell", OF_THIRD_PARTIES[:6], ids=TEXT)
def test_some_bits_that_a_broker_flips(cell: Any) -> None:
    assert broker_flips(*cell, thorough=False) == {ERRORS["deciphering-error"]}


@pytest.mark.slow
@pytest.mark.parametrize("cell", OF_THIRD_PARTIES, ids=TEXT)
def test_no_bit_can_be_flipped_by_a_broker(cell: Any) -> None:
    assert broker_flips(*cell, thorough=True) == {ERRORS["deciphering-error"]}


@pytest.mark.slow
@pytest.mark.parametrize("cell", OF_THIRD_PARTIES, ids=TEXT)
def test_no_answer_to_a_third_party_with_a_flipped_bit_is_believed(cell: Any) -> None:
    suite, form, bits = cell
    asking = third(suite, ciphered(KeyEstablishment.STATIC), require=as_protection(kinds_of(form, bits)))
    server = Hand(suite, SERVER_TITLE, THIRD_TITLE, layers=form["layers"], bits=bits, third=True)
    at, length = 0, 1
    while at < length:
        asking.send(Get(REGISTER))
        invoke = asking._terms.invoke
        answer = server.but(transaction_id=transaction_id_of(asking.octets_to_send())).sealed(
            a.GetResponseNormal(invoke, VALUE).encode()
        )
        length = len(answer)
        for _, bad in flips(answer, [8 * at + (3 * at) % 8]):
            for event in asking.receive(bad):
                assert isinstance(event, Failed), at
        if not asking.busy:
            asking.send(Get(REGISTER))
            asking.octets_to_send()
        asking.cancel()
        at += 5 if suite == 1 else 23
    asking.send(Get(REGISTER))
    one_id = transaction_id_of(asking.octets_to_send())
    answer = server.but(transaction_id=one_id).sealed(a.GetResponseNormal(asking._terms.invoke, VALUE).encode())
    (event,) = asking.receive(answer)
    assert isinstance(event, Completed)
