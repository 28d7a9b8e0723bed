"""Each attack on every form in which it is possible, in both directions: refused, nothing changed, and nothing told.

What each attack is stands in attacks.py; what is replayed, reordered and altered by a broker, here.
"""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.requests import Completed, Failed, Get
from cosemic.errors import CosemicError
from cosemic.security import Protection, SecurityPolicy
from cosemic.security.general import Layer, LayerPlan
from tests.association.matrix.attacks import ATTACKS
from tests.association.matrix.by_hand import Hand
from tests.association.matrix.sides import (
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
from tests.association.matrix.test_believed_answers import layered_form
from tests.association.matrix.test_flipped_bits import VOUCHED
from tests.association.samples import REGISTER, SERVER_TITLE, VALUE, Talk

ERRORS = {bytes.fromhex(octets) for octets in TABLE["refusals"].values()}
DECIPHERING = bytes.fromhex(TABLE["refusals"]["deciphering-error"])
OTHER_ERRORS = {
    # 11: less protection than the policy demands; seen before any key is used.
    "stripped": {bytes.fromhex("D80101")},
    # 17: with the lowest acceptable value.
    "counters": {bytes.fromhex("D80106")},
    # An octet of an APDU, or two, may begin another one.
    "shapes": {bytes.fromhex("D80101"), bytes.fromhex("D80106")},
}
CELLS = [cell for cell in VOUCHED if cell[1]["layers"] != ["absent", "signing"] or cell[2]]
"""All forms with a tag or signature around everything."""
OF_SUITE = {suite: [cell for cell in CELLS if cell[0] == suite] for suite in (0, 1, 2)}
FIXED = b"\x07" * 8


def serving(suite: int, kinds: str) -> Talk:
    """A server that demands just these kinds of protection, and has seen requests before."""
    return standing(suite, SecurityPolicy(1, int(as_protection(kinds)) << 2))


def attack_server(suite: int, attack: str, cells: list[Any]) -> int:
    """Attack the server in all forms; how often."""
    number = 0
    talks: dict[str, Talk] = {}
    for _, form, bits in cells:
        kinds = kinds_of(form, bits)
        talk = talks.get(kinds) or talks.setdefault(kinds, serving(suite, kinds))
        hand = client_hand(talk, suite, layers=form["layers"], bits=bits)
        assert ask_server(talk, hand.sealed(GET))[:1] != b"\xd8"
        calls = len(talk.shelf.calls)
        for name, bad in ATTACKS[attack](hand, GET):
            before = snapshot(talk)
            answer = ask_server(talk, bad)
            where = suite, form["name"], bits, name, answer.hex(), bad.hex()
            assert answer[:3] in {DECIPHERING} | OTHER_ERRORS.get(attack, set()), where
            assert changed(talk, before) == [], where
            number += 1
        assert len(talk.shelf.calls) == calls, (attack, form["name"])
        assert ask_server(talk, hand.sealed(GET))[:1] != b"\xd8", (attack, form["name"])
    return number


class Asking:
    """A client that asks again and again, with one transaction-id, and is answered by hand."""

    def __init__(self, suite: int, form: Any, bits: str) -> None:
        kinds = as_protection(kinds_of(form, bits))
        self.talk = standing(suite, SecurityPolicy(1, 0), client={"require": kinds})
        plan = None
        if layered_form(form):
            plan = LayerPlan((Layer(recipient=SERVER_TITLE, protection=Protection.NONE, transaction_id=FIXED),))
        self.request = Get(REGISTER, layers=plan)
        self.plain = a.GetResponseNormal(a.InvokeIdAndPriority(0x41), VALUE).encode()
        self.hand: Hand = server_hand(self.talk, suite, layers=form["layers"], bits=bits, transaction_id=FIXED)

    def told(self, octets: bytes) -> list[Any]:
        client = self.talk.client
        client.send(self.request)
        assert client.octets_to_send()
        client._terms.invoke = a.InvokeIdAndPriority(0x41)
        events = client.receive(octets, self.talk.now)
        assert client.octets_to_send() == b""
        if client.busy:
            client.cancel()
        client._owed.clear()
        return events

    def refuses(self, octets: bytes, where: object) -> None:
        before = received(self.talk.client)
        for event in self.told(octets):
            assert isinstance(event, Failed), where
            assert isinstance(event.error, CosemicError), where
        assert received(self.talk.client) == before, where

    def believes(self, octets: bytes) -> bool:
        return [event.result for event in self.told(octets) if isinstance(event, Completed)] == [VALUE]


def attack_client(suite: int, attack: str, cells: list[Any]) -> int:
    number = 0
    for _, form, bits in cells:
        asking = Asking(suite, form, bits)
        if attack == "counters":
            asking.told(asking.hand.sealed(asking.plain))
        for name, bad in ATTACKS[attack](asking.hand, asking.plain):
            asking.refuses(bad, (suite, form["name"], bits, name))
            number += 1
        if attack != "counters":  # whose transaction-id was used up
            assert asking.believes(asking.hand.sealed(asking.plain)), (attack, form["name"], bits)
    return number


attacks = pytest.mark.parametrize("attack", ATTACKS)
DEAR = {"points", "ephemeral_signatures", "wrong_signatures", "signers"}
FEW = [
    (suite, form, bits)
    for suite, form, bits in OF_SUITE[1]
    if (form["name"], bits) in {("glo", "AE"), ("general-ded", "A"), ("wrapped", "AE"), ("signing in one-pass", "AE")}
]
"""One of each kind of layer."""


def cells_of(suite: int, attack: str) -> list[Any]:
    """All forms; of suite 2, where signatures take long and are the same but for their length, each third or second."""
    step = 3 if attack in {*DEAR, "tags"} else 2
    return OF_SUITE[suite][:: step if suite == 2 else 1]


@attacks
def test_a_server_withstands(attack: str) -> None:
    assert attack_server(1, attack, FEW)


@attacks
def test_a_client_withstands(attack: str) -> None:
    assert attack_client(1, attack, FEW)


@pytest.mark.slow
@attacks
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_a_server_withstands_in_every_form(attack: str, suite: int) -> None:
    assert attack_server(suite, attack, cells_of(suite, attack)) or (suite == 0 and attack in DEAR)


@pytest.mark.slow
@attacks
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_a_client_withstands_in_every_form(attack: str, suite: int) -> None:
    assert attack_client(suite, attack, cells_of(suite, attack)) or (suite == 0 and attack in DEAR)
