"""Answers in layers whose transaction-id is empty, as those of some meters are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cosemic.association.requests import Get, Set
from cosemic.dialect import STANDARD, Quirk
from cosemic.errors import CosemicError, DecipheringError
from cosemic.security.general import GeneralUnprotected, LayerPlan, read_header
from cosemic.values import DataAccessResult
from tests.association.general_samples import (
    AUTHENTICATED_AND_ENCRYPTED,
    EVERYTHING,
    K,
    ciphered,
    ciphered_then_signed,
    layered,
)
from tests.association.samples import CLOCK, REGISTER, VALUE, Talk, octets

WITHOUT = STANDARD.but(quirks=frozenset({Quirk.NO_TRANSACTION_IDS}))
plans = pytest.mark.parametrize(
    "plan", [ciphered(K.GLOBAL_UNICAST), ciphered(K.ONE_PASS), ciphered_then_signed(K.WRAPPED)],
    ids=["identified", "one-pass", "signed"],
)  # fmt: skip


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers answer without the transaction-id of what they were asked."""
    answering = LayerPlan.answering

    def without(request: GeneralUnprotected, required: Any) -> LayerPlan:
        return LayerPlan(tuple(replace(one, transaction_id=b"") for one in answering(request, required).layers))

    monkeypatch.setattr(LayerPlan, "answering", without)


def talk(plan: LayerPlan, dialect: Any) -> Talk:
    everything = len(plan.layers) > 1
    return layered(1, plan, dialect=dialect, policy=EVERYTHING if everything else AUTHENTICATED_AND_ENCRYPTED)


@plans
@pytest.mark.usefixtures("forgetful")
def test_with_the_quirk_an_answer_without_id_belongs_to_what_was_asked_last(plan: LayerPlan) -> None:
    made = talk(plan, WITHOUT)
    for _ in range(2):
        assert made.ask(Get(REGISTER)) == VALUE
        assert read_header(made.answers[-1])[0].transaction_id == b""
    assert made.ask(Set(CLOCK, octets(40))) is DataAccessResult.SUCCESS


@pytest.mark.usefixtures("forgetful")
def test_without_the_quirk_it_is_refused() -> None:
    made = talk(ciphered(K.GLOBAL_UNICAST), STANDARD)
    with pytest.raises(DecipheringError):
        made.ask(Get(REGISTER))


@plans
@pytest.mark.usefixtures("forgetful")
def test_the_answer_to_an_earlier_request_is_not_taken_for_this_one(plan: LayerPlan) -> None:
    made = talk(plan, WITHOUT)
    made.ask(Get(REGISTER))
    recorded = made.answers[-1]
    made.to_client = lambda apdu: recorded
    with pytest.raises(CosemicError):
        made.ask(Get(REGISTER))


def test_a_request_without_id_is_answered_and_not_just_executed() -> None:
    """Its invocation counter protects it; what is answered has no transaction-id to echo."""
    plan = LayerPlan((replace(ciphered(K.GLOBAL_UNICAST).layers[0], transaction_id=b""),))
    made = talk(plan, STANDARD)
    assert made.ask(Set(CLOCK, octets(40))) is DataAccessResult.SUCCESS
    assert read_header(made.answers[-1])[0].transaction_id == b""
