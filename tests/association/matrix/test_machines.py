"""What the machines of both sides make of the matrix between themselves, and what is sent to all stations."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.requests import Completed, Failed, Get
from cosemic.dialect import STANDARD, CipheredForm
from cosemic.errors import CosemicError
from cosemic.security import SecurityPolicy
from cosemic.security.general import Layer, LayerPlan
from tests.association.general_samples import K, layered
from tests.association.matrix.sides import (
    FORMS,
    TABLE,
    answered,
    as_protection,
    ask_server,
    changed,
    client_hand,
    key_infos,
    kinds_of,
    snapshot,
    standing,
)
from tests.association.matrix.test_allowed_pairs import answer_kinds, demanded, named, verdict
from tests.association.samples import CLOCK, REGISTER, SERVER_TITLE, VALUE, Talk, octets

KINDS = {
    "absent": K.ABSENT,
    "unicast": K.GLOBAL_UNICAST,
    "wrapped": K.WRAPPED,
    "one-pass": K.ONE_PASS,
    "static": K.STATIC,
}
SIMPLE = {
    "glo": (CipheredForm.SERVICE_SPECIFIC, False),
    "ded": (CipheredForm.SERVICE_SPECIFIC, True),
    "general-glo": (CipheredForm.GENERAL, False),
    "general-ded": (CipheredForm.GENERAL, True),
}
POLICIES = [(0, 1), (0, 2), (0, 3), (1, 0x00), (1, 0x0C), (1, 0x24), (1, 0x6C), (1, 0xFC)]
every_suite = pytest.mark.parametrize(
    "suite", [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(2, marks=pytest.mark.slow)]
)


def plan_of(form: dict[str, Any], bits: str) -> LayerPlan | None:
    """The layers of a form that a client can be told to use; None where it cannot."""
    layers = []
    for name in form["layers"]:
        if name not in KINDS and name != "signing":
            return None
        if name == "signing":
            layers.append(Layer(recipient=SERVER_TITLE, protection=as_protection("S")))
        elif bits or name == "absent":
            protection = as_protection(bits)
            layers.append(Layer(recipient=SERVER_TITLE, protection=protection, key_info=KINDS[name]))
        else:
            return None
    return LayerPlan(tuple(layers)) if layers else None


def both_ways(suite: int, policy: tuple[int, int], form: dict[str, Any], bits: str) -> bool:
    """Whether a request passes, and its answer is as protected as the request, which is what a client demands."""
    request, response = demanded(*policy)
    if suite not in form["suites"] or verdict(suite, form, bits, request, response) != "pass":
        return False
    demand, given = kinds_of(form, bits), answer_kinds(form, bits, response)
    alone = given in ("E", "ES") and demand not in TABLE["encryption_alone"]["demands"]
    return given in TABLE["suffices"][demand] and not alone


def outcome(talk: Talk, request: Any) -> bool:
    event = talk.event(request)
    talk.client._owed.clear()
    if isinstance(event, Completed):
        assert event.result == VALUE
        return True
    assert isinstance(event, Failed)
    assert isinstance(event.error, CosemicError)
    return False


def test_both_machines_come_to_what_the_table_says() -> None:
    between_both(1, (1, 0xFC))


@pytest.mark.slow
@pytest.mark.parametrize("suite", [0, 1, 2])
@named(POLICIES)
def test_both_machines_come_to_it_under_every_policy(suite: int, policy: tuple[int, int]) -> None:
    if suite or not policy[1] & 0x80:  # there are no signatures in suite 0
        between_both(suite, policy)


def between_both(suite: int, policy: tuple[int, int]) -> None:
    """Ask in all forms that the client's machine makes, and hold the outcome against the table."""
    infos = {"key_infos": key_infos(suite)}
    talk = layered(suite, policy=SecurityPolicy(*policy), ours=infos, theirs=infos)
    for form in FORMS.values():
        for bits in form["protections"]:
            plan = plan_of(form, bits)
            if plan is None or suite not in form["suites"]:
                continue
            expected = both_ways(suite, policy, form, bits)
            asking = talk
            if bits == "E":  # what is encrypted alone is taken where the settings say it for the whole association
                asking = layered(suite, plan, policy=SecurityPolicy(*policy), ours=infos, theirs=infos)
            assert outcome(asking, Get(REGISTER, layers=plan)) is expected, (form["name"], bits)
    for name, (ciphered_form, dedicated) in SIMPLE.items():
        for bits in ("A", "E", "AE"):
            if dedicated and bits != "AE":
                continue  # a dedicated key travels authenticated and encrypted alone
            client = {"protection": as_protection(bits), "dedicated_key": dedicated}
            more: dict[str, Any] = {"client": client, "opened": False}
            dialect = STANDARD.but(ciphered_form=ciphered_form)
            simple = layered(suite, policy=SecurityPolicy(*policy), dialect=dialect, **more)
            expected = both_ways(suite, policy, FORMS[name], bits)
            try:
                simple.open()
            except CosemicError:
                assert not expected, (name, bits)
                continue
            assert outcome(simple, Get(REGISTER)) is expected, (name, bits)


@every_suite
def test_what_is_sent_to_all_stations_is_executed_and_never_answered(suite: int) -> None:
    talk = standing(suite, SecurityPolicy(0, 3), client={"dedicated_key": True})
    hand = client_hand(talk, suite)
    confirmed = a.SetRequestNormal(a.InvokeIdAndPriority(0x41), CLOCK, None, octets(3)).encode()
    unconfirmed = a.SetRequestNormal(a.InvokeIdAndPriority(0x01), CLOCK, None, octets(3)).encode()
    for form in FORMS.values():
        for bits in form["protections"]:
            sender = hand.but(layers=form["layers"], bits=bits)
            if form["layers"] == ["broadcast"]:  # it is for all: it names no recipient
                sender = sender.but(recipient=b"")
            passes = suite in form["suites"] and kinds_of(form, bits) in TABLE["suffices"]["AE"]
            calls = len(talk.shelf.calls)
            for plain in (confirmed, unconfirmed):
                talk.server.receive_broadcast(sender.sealed(plain), talk.now)
                assert answered(talk) == [], (form["name"], bits)
            assert len(talk.shelf.calls) == calls + passes, (form["name"], bits)


@every_suite
def test_what_is_under_the_broadcast_key_is_refused_where_it_was_sent_to_one(suite: int) -> None:
    talk = standing(suite, SecurityPolicy(0, 3), client={"dedicated_key": True})
    hand = client_hand(talk, suite)
    get = a.GetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER).encode()
    for name in ("glo", "general-glo", "ded", "general-ded", "unicast", "absent", "wrapped"):
        octets_ = hand.but(layers=[name], more_control=0x40).sealed(get)
        before = snapshot(talk)
        assert ask_server(talk, octets_).hex().upper() == TABLE["refusals"]["deciphering-error"], name
        assert changed(talk, before) == [], name
    for recipient in (b"", SERVER_TITLE):
        octets_ = hand.but(layers=["broadcast"], recipient=recipient).sealed(get)
        before = snapshot(talk)
        assert ask_server(talk, octets_).hex().upper() == TABLE["refusals"]["deciphering-error"]
        assert changed(talk, before) == []
    assert talk.shelf.calls == []
    quiet = a.SetRequestNormal(a.InvokeIdAndPriority(0x01), CLOCK, None, octets(3)).encode()
    for number, name in enumerate(TABLE["to_all"]["broadcast_bit"], 1):
        talk.server.receive_broadcast(hand.but(layers=[name], more_control=0x40).sealed(quiet), talk.now)
        assert len(talk.shelf.calls) == number
    # What was taken by one way has made nothing familiar for the other.
    confirmed = a.SetRequestNormal(a.InvokeIdAndPriority(0x41), CLOCK, None, octets(3)).encode()
    for name in TABLE["to_all"]["broadcast_bit"]:
        for plain in (quiet, confirmed):
            octets_ = hand.but(layers=[name], more_control=0x40).sealed(plain)
            before = snapshot(talk)
            assert ask_server(talk, octets_).hex().upper() == TABLE["refusals"]["deciphering-error"], name
            assert changed(talk, before) == [], name
    for name in ("ded", "general-ded", "unicast", "absent", "wrapped"):
        talk.server.receive_broadcast(hand.but(layers=[name], more_control=0x40).sealed(quiet), talk.now)
        assert len(talk.shelf.calls) == 2, name
