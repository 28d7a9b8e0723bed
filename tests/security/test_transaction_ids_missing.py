"""Layers without transaction-id, as some implementations send them, and counters that rise under fresh keys."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic.dialect import STANDARD, EphemeralCounter, Quirk
from cosemic.errors import DecipheringError, EncodeError, SecurityError
from cosemic.security import MemoryCounterStore, Protection
from cosemic.security.general import (
    KeyEstablishment,
    Layer,
    LayerPlan,
    read_header,
    seal_ciphering,
    seal_signing,
    split_ciphering,
    split_signing,
)
from cosemic.security.general.establishing import KeyEstablisher
from cosemic.security.general.layout import GeneralHeader
from cosemic.security.suite import CONTROLS
from tests.security.parties import Side, client, own, server
from tests.security.samples import CLIENT, GET, SERVER

WITHOUT = STANDARD.but(quirks=frozenset({Quirk.NO_TRANSACTION_IDS}))
BOTH = Protection.AUTHENTICATED | Protection.ENCRYPTED
K = KeyEstablishment
suites = pytest.mark.parametrize("suite", [1, 2])
fresh_keys = pytest.mark.parametrize("kind", [K.WRAPPED, K.ONE_PASS], ids=lambda each: each.name)
EMPTY = GeneralHeader(b"", CLIENT, SERVER)


def ciphered(kind: KeyEstablishment, suite: int, counter: int = 0) -> bytes:
    """What a client without transaction-ids sends."""
    sender = client(suite).protection
    establisher: KeyEstablisher = sender._establisher
    party = sender.parties[SERVER]
    key, info = establisher.given(kind, party, EMPTY)
    return seal_ciphering(CONTROLS[suite | 0x30], key, party.ak, EMPTY, info, counter, GET, STANDARD)


def signed(suite: int, apdu: bytes = GET) -> bytes:
    signer = own(CLIENT, suite).signing_key
    assert signer is not None
    return seal_signing(signer, EMPTY, apdu)


def refused(at: Side, octets: bytes) -> None:
    before = at.state
    with pytest.raises(DecipheringError):
        at.protection.unprotect(octets)
    assert at.state == before


@suites
def test_under_a_global_key_the_counter_protects_and_the_answer_has_no_id_either(suite: int) -> None:
    receiver = server(suite)
    request = receiver.protection.unprotect(ciphered(K.GLOBAL_UNICAST, suite, 7))
    assert request.apdu == GET
    answer = receiver.protection.protect(GET, LayerPlan.answering(request, BOTH))
    assert read_header(answer)[0].transaction_id == b""


@suites
@fresh_keys
def test_a_fresh_key_without_id_is_refused_unless_the_quirk_has_it_remembered(suite: int, kind: K) -> None:
    octets = ciphered(kind, suite)
    refused(server(suite), octets)
    receiver = server(suite, WITHOUT)
    request = receiver.protection.unprotect(octets)
    assert request.apdu == GET
    refused(receiver, octets)
    assert receiver.protection.unprotect(ciphered(kind, suite)).apdu == GET
    answer = receiver.protection.protect(GET, LayerPlan.answering(request, BOTH))
    assert read_header(answer)[0].transaction_id == b""


@suites
def test_static_keys_need_an_id_whatever_the_dialect(suite: int) -> None:
    """Key and nonce would be those of the message before."""
    with pytest.raises(DecipheringError, match="needs a transaction-id"):
        ciphered(K.STATIC, suite)
    for dialect in (STANDARD, WITHOUT):
        layer = Layer(recipient=SERVER, key_info=K.STATIC, transaction_id=b"")
        with pytest.raises((EncodeError, SecurityError)):
            client(suite, dialect).protection.protect(GET, LayerPlan((layer,)))


@suites
def test_a_signature_without_id_is_refused_unless_the_quirk_has_it_remembered(suite: int) -> None:
    octets = signed(suite)
    refused(server(suite), octets)
    receiver = server(suite, WITHOUT)
    assert receiver.protection.unprotect(octets).apdu == GET
    refused(receiver, octets)
    another = GET[:2] + b"\xc2" + GET[3:]
    assert receiver.protection.unprotect(signed(suite, another)).apdu == another


@suites
def test_the_other_signature_of_the_same_message_is_the_same_message(suite: int) -> None:
    """r and n - s verify where r and s do."""
    octets = signed(suite)
    parts = split_signing(octets)
    half = len(parts.signature) // 2
    order = _ORDERS[suite]
    other = (order - int.from_bytes(parts.signature[half:], "big")).to_bytes(half, "big")
    receiver = server(suite, WITHOUT)
    assert receiver.protection.unprotect(octets).apdu == GET
    twin = octets[:-half] + other
    assert server(suite, WITHOUT).protection.unprotect(twin).apdu == GET
    refused(receiver, twin)


_ORDERS = {
    1: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    2: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}


def test_where_ids_differ_from_layer_to_layer_each_is_echoed_in_its_own() -> None:
    receiver = server(1, WITHOUT)
    layer = Layer(recipient=SERVER, key_info=K.STATIC, transaction_id=b"inner")
    inner = client(1).protection.protect(GET, LayerPlan((layer,)))
    request = receiver.protection.unprotect(signed(1, inner))
    answer = receiver.protection.protect(GET, LayerPlan.answering(request, BOTH | Protection.SIGNED))
    assert read_header(answer)[0].transaction_id == b""
    assert read_header(split_signing(answer).content)[0].transaction_id == b"inner"


@suites
@pytest.mark.parametrize("kind", [each for each in K if each.per_message], ids=lambda each: each.name)
def test_the_counter_of_fresh_keys_begins_anew_or_rises_as_the_dialect_has_it(suite: int, kind: K) -> None:
    def counters(**more: Any) -> list[int]:
        sender = client(suite, STANDARD.but(**more))
        assert isinstance(sender.counters, MemoryCounterStore)
        layer = LayerPlan((Layer(recipient=SERVER, key_info=kind),))
        sent = [split_ciphering(sender.protection.protect(GET, layer)).content[1:5] for _ in range(3)]
        return [int.from_bytes(each, "big") for each in sent]

    assert counters() == [0, 0, 0]
    first, second, third = counters(ephemeral_counter=EphemeralCounter.RISING)
    assert first < second < third


def test_the_rising_counter_is_none_of_a_global_key() -> None:
    sender = client(1, STANDARD.but(ephemeral_counter=EphemeralCounter.RISING))
    unicast = LayerPlan((Layer(recipient=SERVER, key_info=K.GLOBAL_UNICAST),))
    fresh = LayerPlan((Layer(recipient=SERVER, key_info=K.WRAPPED),))

    def sent(plan: LayerPlan) -> int:
        return int.from_bytes(split_ciphering(sender.protection.protect(GET, plan)).content[1:5], "big")

    before = sent(unicast)
    sent(fresh)
    assert sent(unicast) == before + 1
