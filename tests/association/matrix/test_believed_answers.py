"""The same from the client's side: exactly the answers that table.toml allows are believed.

Whatever else comes ends the request with an error, or is passed over, and nothing has changed.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.requests import Completed, Get
from cosemic.security import SecurityPolicy
from tests.association.general_samples import K, ciphered
from tests.association.matrix.by_hand import Reader
from tests.association.matrix.sides import (
    FORMS,
    TABLE,
    as_protection,
    kinds_of,
    remembered,
    server_hand,
    standing,
    tell_client,
)
from tests.association.samples import REGISTER, VALUE, M

Form = dict[str, Any]
FULL = [(form, bits) for form in FORMS.values() for bits in form["protections"]]
REQUIRED = list(TABLE["suffices"])
OPEN = SecurityPolicy(1, 0)


def believed(suite: int, form: Form, bits: str, required: str, *, layered: bool, beside_5: bool = False) -> bool:
    """What the table says of an answer; layered: it was asked in layers."""
    name, applied = form["name"], kinds_of(form, bits)
    simple = name in TABLE["answers"]["without_layers"] or name == "plain"
    if simple is layered or suite not in form["suites"] or form["protections"][bits] != "pass":
        return False
    if bits == "E" and required not in TABLE["encryption_alone"]["demands"]:
        return False
    if beside_5 and bits == "A" and form.get("global_key") and required not in TABLE["beside_mechanism_5"]["demands"]:
        return False
    if simple and "S" in required:
        return False
    return applied in TABLE["suffices"][required]


def layered_form(form: Form) -> bool:
    return form["name"] not in (*TABLE["answers"]["without_layers"], "plain", "signing in general-glo")


def transaction_id_of(octets: bytes) -> bytes | None:
    """That of a request; None where it came without layers."""
    if octets[0] not in (0xDD, 0xDF):
        return None
    reader = Reader(octets)
    reader.take(1)
    return reader.string()


def walk(suite: int, required: str, *, layered: bool, cells: Any = FULL, mechanism: M = M.LOWEST) -> Counter[bool]:
    require = as_protection(required)
    policy = SecurityPolicy(0, int(require)) if mechanism is not M.LOWEST and not int(require) & 4 else OPEN
    talk = standing(suite, policy, mechanism, client={"require": require})
    hand = server_hand(talk, suite)
    request = Get(REGISTER, layers=ciphered(K.WRAPPED) if layered else None)
    tally: Counter[bool] = Counter()
    for form, bits in cells:
        expected = believed(suite, form, bits, required, layered=layered, beside_5=mechanism is M.HLS_GMAC)
        before: list[dict[str, object]] = []

        def answer(
            octets: bytes, form: Form = form, bits: str = bits, before: list[dict[str, object]] = before
        ) -> bytes:
            plain = a.GetResponseNormal(talk.client._terms.invoke, VALUE).encode()
            one_id = transaction_id_of(octets)
            made = hand.but(layers=form["layers"], bits=bits, transaction_id=one_id).sealed(plain)
            before.append(remembered(talk.client))
            return made

        events = tell_client(talk, request, answer)
        where = suite, required, layered, form["name"], bits
        assert [event.result for event in events if isinstance(event, Completed)] == [VALUE] * expected, (where, events)
        if not expected:
            # An APDU that is right by itself and only no answer to this request counts as received.
            is_right = not layered_form(form) and believed(suite, form, bits, required.replace("S", ""), layered=False)
            may_change = {"receive counters, as stored", "context"} if is_right else set()
            after = remembered(talk.client)
            assert {name for name in after if after[name] != before[0][name]} <= may_change, where
        tally[expected] += 1
    return tally


asked = pytest.mark.parametrize("layered", [False, True], ids=["in the ciphered form", "in layers"])
requirements = pytest.mark.parametrize("required", REQUIRED, ids=[each or "nothing" for each in REQUIRED])


@asked
def test_a_sample_of_all_answers(layered: bool) -> None:
    assert walk(1, "AE", layered=layered, cells=FULL[::2])[True]
    assert walk(0, "", layered=layered)[True]


@pytest.mark.slow
@asked
@requirements
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_exactly_the_allowed_answers_are_believed(suite: int, required: str, layered: bool) -> None:
    tally = walk(suite, required, layered=layered)
    assert sum(tally.values()) == len(FULL)
    assert bool(tally[True]) is not ("S" in required and (suite == 0 or not layered))


@pytest.mark.slow
@asked
@pytest.mark.parametrize("required", ["", "A", "AE"], ids=["nothing", "A", "AE"])
def test_a_tag_that_the_client_may_have_had_made_is_no_proof(required: str, layered: bool) -> None:
    assert walk(1, required, layered=layered, mechanism=M.HLS_GMAC)[True]
