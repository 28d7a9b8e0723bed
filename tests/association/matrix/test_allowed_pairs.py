"""The whole of suite x form x protection x policy x role, walked through associations: exactly what table.toml allows
passes and reaches the object, and all else is refused as it says, with nothing changed.

The requests and answers that are tried are made by hand (by_hand.py), the answers of the server read by hand.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.errors import DecodeError
from cosemic.security import SecurityPolicy
from tests.association.general_samples import THIRD_TITLE, K
from tests.association.matrix.by_hand import Hand, letters, read
from tests.association.matrix.sides import (
    FORMS,
    GET,
    TABLE,
    as_protection,
    ask_server,
    changed,
    client_hand,
    kinds_of,
    server_hand,
    snapshot,
    standing,
)
from tests.association.samples import CLIENT_TITLE, REGISTER, SERVER_TITLE, VALUE, M, Talk

Form = dict[str, Any]
SUITES = (0, 1, 2)
FULL = [(form, bits) for form in FORMS.values() for bits in form["protections"]]
REQUESTS = [(0, int(value)) for value in TABLE["demands"]["version-0"]]
REQUESTS += [(1, int(value, 16)) for value in TABLE["demands"]["request"]]
"""Policies that differ in what they demand of requests."""
RESPONSES = [(1, int(value, 16)) for value in TABLE["demands"]["response"]]
"""Policies that differ in what they demand of answers."""
EVERY_POLICY = [(1, request | response) for _, request in REQUESTS[4:] for _, response in RESPONSES]
CHEAP = [(form, bits) for form, bits in FULL if not {"signing", "one-pass", "static"} & set(form["layers"])]
"""What costs no public key computation."""
KEY_INFO_NAMES = {
    "absent": K.ABSENT,
    "unicast": K.GLOBAL_UNICAST,
    "broadcast": K.GLOBAL_BROADCAST,
    "wrapped": K.WRAPPED,
    "one-pass": K.ONE_PASS,
    "static": K.STATIC,
}


def demanded(version: int, value: int) -> tuple[str, str]:
    """What a policy demands of requests and of answers."""
    if version == 0:
        both = TABLE["demands"]["version-0"][str(value)]
        return both, both
    return TABLE["demands"]["request"][f"{value & 0x1C:02X}"], TABLE["demands"]["response"][f"{value & 0xE0:02X}"]


def verdict(suite: int, form: Form, bits: str, demand: str, response: str = "", *, beside_5: bool = False) -> str:
    """What the table says of a request: "pass", how it is refused, or "unanswerable"."""
    applied = kinds_of(form, bits)
    unlayered = not form["layers"] or form["layers"][0] in TABLE["answers"]["without_layers"]
    if "S" in demand and unlayered:
        return "operation-not-possible"  # no signature goes with this form: it is not looked at
    if form["layers"] and suite not in form["suites"] and not unlayered:
        return "deciphering-error"
    if form["protections"][bits] != "pass" and not (unlayered and bits and form.get("unsignable")):
        return str(form["protections"][bits])
    sufficient = applied.replace("S", "") if unlayered else applied
    if bits == "E" and demand not in TABLE["encryption_alone"]["demands"]:
        return str(form["encryption_alone"])
    if beside_5 and bits == "A" and form.get("global_key") and demand not in TABLE["beside_mechanism_5"]["demands"]:
        return str(TABLE["beside_mechanism_5"]["refusal"])
    if sufficient not in TABLE["suffices"][demand]:
        return "operation-not-possible"
    if "S" in response and unlayered and form["protections"][bits] == "pass":
        return "unanswerable"
    return str(form["protections"][bits])


def answer_kinds(form: Form, bits: str, demand: str) -> str:
    """What the answer to a request that passed applies (11: simple forms mirror; 14: layers as far as is demanded)."""
    sealed = bits if {"glo", "ded", "general-glo", "general-ded"} & set(form["layers"]) else ""
    return "".join(letter for letter in "AES" if letter in sealed + demand)


def asked(talk: Talk, hand: Hand, form: Form, bits: str, demand: str, expected: str, where: object) -> None:
    """Ask the server in a form, and hold what comes against the table."""
    calls = len(talk.shelf.calls)
    octets = hand.but(layers=form["layers"], bits=bits).sealed(GET)
    before = snapshot(talk)
    answer = ask_server(talk, octets)
    if expected == "unanswerable":
        assert answer.hex().upper() == TABLE["refusals"][TABLE["answers"]["unanswerable"]], (where, octets.hex())
        assert len(talk.shelf.calls) == calls, where
        return
    if expected != "pass":
        assert answer.hex().upper() == TABLE["refusals"][expected], (where, octets.hex())
        assert changed(talk, before) == [], where
        return
    assert talk.shelf.calls[calls:] == [("get", REGISTER)], (where, answer.hex(), octets.hex())
    assert talk.shelf.protection[-1] == as_protection(kinds_of(form, bits)), where
    found = read(answer, server_hand(talk, hand.suite))
    assert a.decode(found.plain).result == VALUE, where
    assert found.kinds == answer_kinds(form, bits, demand), where
    once = "".join(applied for _, applied, _ in found.layers)
    assert len(once) == len(set(once)), where  # what one layer has applied, no other does again


def walk(suite: int, policy: tuple[int, int], cells: list[tuple[Form, str]], mechanism: M = M.LOWEST) -> Counter[str]:
    """Ask for one object in all forms; how many were refused how."""
    request, response = demanded(*policy)
    talk = standing(suite, SecurityPolicy(*policy), mechanism)
    hand = client_hand(talk, suite)
    tally: Counter[str] = Counter()
    for form, bits in cells:
        expected = verdict(suite, form, bits, request, response, beside_5=mechanism is M.HLS_GMAC)
        asked(talk, hand, form, bits, response, expected, (suite, policy, form["name"], bits))
        tally[expected] += 1
    return tally


def named(policies: list[tuple[int, int]]) -> Any:
    return pytest.mark.parametrize("policy", policies, ids=[f"v{version}-{value:02x}" for version, value in policies])


suites = pytest.mark.parametrize("suite", SUITES)


def test_the_table_names_every_form_protection_and_demand() -> None:
    names = {"absent", "unicast", "broadcast", "wrapped", "one-pass", "static"}
    assert set(FORMS) >= names | {"glo", "ded", "general-glo", "general-ded", "plain", "signing"}
    assert set(FORMS) >= {f"signing in {name}" for name in names} | {f"{name} in signing" for name in names}
    demands = {"", "A", "E", "AE", "S", "AS", "ES", "AES"}
    assert set(TABLE["suffices"]) == set(TABLE["demands"]["request"].values()) == demands
    assert set(TABLE["demands"]["response"].values()) == demands
    for form in FORMS.values():
        ciphers = [name for name in form["layers"] if name != "signing"]
        assert set(form["protections"]) == ({"", "A", "E", "AE"} if ciphers else {""}), form["name"]
    assert len(EVERY_POLICY) == 64


@pytest.mark.parametrize("value", TABLE["demands"]["meaningless"])
def test_policies_with_reserved_bits_mean_nothing(value: int) -> None:
    with pytest.raises(DecodeError):
        SecurityPolicy(1, value)


@suites
def test_a_sample_of_all_pairs(suite: int) -> None:
    assert walk(suite, (1, 0x0C), CHEAP)["pass"]
    if suite == 1:
        assert walk(suite, (1, 0x70), FULL[::3])["pass"]


@pytest.mark.slow
@suites
@named(REQUESTS)
def test_exactly_the_allowed_requests_reach_the_object(suite: int, policy: tuple[int, int]) -> None:
    tally = walk(suite, policy, FULL)
    assert sum(tally.values()) == len(FULL)


@pytest.mark.slow
@named(RESPONSES[1:])
def test_every_answer_is_as_protected_as_is_demanded(policy: tuple[int, int]) -> None:
    for suite in (1, 2) if policy[1] & 0x80 else SUITES:  # there are no signatures in suite 0
        walk(suite, policy, FULL)


@pytest.mark.slow
@named(EVERY_POLICY)
def test_demands_of_both_directions_hold_at_once(policy: tuple[int, int]) -> None:
    walk(1, policy, CHEAP)


@pytest.mark.slow
@named(REQUESTS)
def test_a_tag_that_the_other_side_may_have_had_made_is_no_proof(policy: tuple[int, int]) -> None:
    walk(1, policy, FULL, M.HLS_GMAC)


@pytest.mark.parametrize("permitted", sorted(KEY_INFO_NAMES))
def test_no_other_key_info_is_taken_than_those_that_are_permitted(permitted: str) -> None:
    """17: key-info permitted for that originator, in each layer."""
    talk = standing(1, SecurityPolicy(1, 0), theirs={"key_infos": frozenset({KEY_INFO_NAMES[permitted]})})
    hand = client_hand(talk, 1)
    for form, bits in FULL:
        names = set(form["layers"]) & set(KEY_INFO_NAMES)
        expected = verdict(1, form, bits, "")
        if names and bits and names != {permitted}:
            expected = "deciphering-error"
        asked(talk, hand, form, bits, "", expected, (permitted, form["name"], bits))


# ---- third parties ---------------------------------------------------------------------------------------------------

THIRD = TABLE["third_party"]
AUTHORS = [(one, bits) for one in THIRD["layers"] for bits in FORMS[one["name"]]["protections"]]
AROUND: dict[str, tuple[str, ...]] = {
    "no layer": (),
    "": ("absent",),
    "A": ("unicast",),
    "AE": ("unicast",),
    "S": ("signing",),
    "AS": ("unicast", "signing"),
    "AES": ("unicast", "signing"),
}
"""What the client puts around, by what it applies."""


def third_verdict(suite: int, author: dict[str, Any], bits: str, client: str, demand: str) -> str:
    """What the table says of a request of a third party, in layers of the client."""
    form = FORMS[author["name"]]
    applied = kinds_of(form, bits)
    possible = author["passes"] or (author["name"] == "absent" and not bits)
    if (
        suite not in THIRD["suites"]
        or suite not in form["suites"]
        or not possible
        or form["protections"][bits] != "pass"
        or bits == "E"
    ):
        return str(THIRD["refusal"])
    if applied not in THIRD["vouching"] or (demand and client not in THIRD["vouching"]):
        return str(THIRD["not_vouched"])
    counts = letters(applied, THIRD["client"][client])
    return "pass" if counts in TABLE["suffices"][demand] else "operation-not-possible"


def mirrored(applied: str, by_other: str, demand: str) -> str:
    """What the answer applies for one party (14): what it had applied, and what nobody had, so far as is demanded."""
    return "".join(kind for kind in demand if kind in applied or kind not in by_other)


def third_walk(suite: int, policy: tuple[int, int], authors: list[tuple[dict[str, Any], str]]) -> Counter[str]:
    request, response = demanded(*policy)
    talk = standing(suite, SecurityPolicy(*policy), client={"dedicated_key": False})
    client, tally = client_hand(talk, suite), Counter[str]()
    third = Hand(suite, THIRD_TITLE, SERVER_TITLE, third=True, counter=client.counter)
    back = server_hand(talk, suite)
    for author, bits in authors:
        for applied, around in AROUND.items():
            expected = third_verdict(suite, author, bits, applied, request)
            where = suite, policy, author["name"], bits, applied
            inner = third.but(layers=FORMS[author["name"]]["layers"], bits=bits).sealed(GET)
            around_bits = "" if applied == "no layer" else applied.replace("S", "")
            octets = client.but(layers=around, bits=around_bits).sealed(inner)
            calls, before = len(talk.shelf.calls), snapshot(talk)
            answer = ask_server(talk, octets)
            tally[expected] += 1
            if expected != "pass":
                assert answer.hex().upper() == TABLE["refusals"][expected], (where, octets.hex())
                assert changed(talk, before) == [], where
                continue
            assert talk.shelf.calls[calls:] == [("get", REGISTER)], (where, answer.hex(), octets.hex())
            found = read(answer, back, back.but(recipient=THIRD_TITLE, third=True))
            assert a.decode(found.plain).result == VALUE, where
            of_third, of_client = (
                kinds_of(FORMS[author["name"]], bits),
                letters("" if applied == "no layer" else applied),
            )
            assert found.kinds_for(THIRD_TITLE) == mirrored(of_third, of_client, response), where
            assert found.kinds_for(CLIENT_TITLE) == (mirrored(of_client, of_third, response) if around else ""), where
            assert (CLIENT_TITLE in {title for _, _, title in found.layers}) == bool(around), where
    return tally


def test_a_sample_of_what_third_parties_may_ask() -> None:
    assert third_walk(1, (1, 0xFC), AUTHORS[::3])["pass"]


@pytest.mark.slow
@suites
@named(REQUESTS)
def test_exactly_the_allowed_requests_of_third_parties_reach_the_object(suite: int, policy: tuple[int, int]) -> None:
    tally = third_walk(suite, policy, AUTHORS)
    assert sum(tally.values()) == len(AUTHORS) * len(AROUND)
    assert not suite or tally["pass"]


@pytest.mark.slow
@named([(1, request | response) for request in (0x0C,) for _, response in RESPONSES[1:]])
def test_every_answer_to_third_parties_is_as_protected_as_is_demanded(policy: tuple[int, int]) -> None:
    third_walk(1, policy, AUTHORS)
