"""One side and another: what goes through, and that whatever is changed, repeated or not permitted changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.dialect import STANDARD, GeneralCipheringAad, GeneralSigningTbs, TransactionIds
from cosemic.errors import (
    ConfigurationError,
    CosemicError,
    DecipheringError,
    EncodeError,
    InvocationCounterError,
    SecurityError,
)
from cosemic.security import (
    Protection,
    SecurityControl,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    elliptic,
    security_suite,
)
from cosemic.security import key_agreement as key_agreement_module
from cosemic.security.general import (
    REFUSED,
    GeneralProtection,
    KeyEstablishment,
    KeyInfo,
    Layer,
    LayerPlan,
    OwnParty,
    Party,
    read_header,
    seal_ciphering,
    seal_signing,
    split_ciphering,
    split_signing,
)
from cosemic.security.general.ciphering import assemble
from cosemic.security.general.layout import GeneralHeader
from cosemic.security.protection import TWO_PASS_LIMIT
from tests.security.parties import AGREED, STRANGER, THIRD, Side, client, material, own, party, server, side, third
from tests.security.samples import CLIENT, GET, SERVER

A, E, S = Protection.AUTHENTICATED, Protection.ENCRYPTED, Protection.SIGNED
BOTH = A | E
PER_MESSAGE = [kind for kind in KeyEstablishment if kind.per_message]
GLOBAL_KEYS = [KeyEstablishment.GLOBAL_UNICAST, KeyEstablishment.GLOBAL_BROADCAST, KeyEstablishment.ABSENT]
suites = pytest.mark.parametrize("suite", [1, 2])
kinds = pytest.mark.parametrize("kind", list(KeyEstablishment), ids=lambda each: each.name)
protections = pytest.mark.parametrize("protection", [A, BOTH], ids=["A", "AE"])


def plan(*layers: Layer) -> LayerPlan:
    return LayerPlan(layers)


def ciphering(kind: KeyEstablishment | None = None, protection: Protection = BOTH, **more: Any) -> Layer:
    return Layer(**({"recipient": SERVER, "protection": protection, "key_info": kind} | more))


def signing(**more: Any) -> Layer:
    return Layer(**({"recipient": SERVER, "protection": S} | more))


FORMS: dict[str, LayerPlan] = {
    **{
        f"{kind.name} {name}": plan(ciphering(kind, protection))
        for kind in KeyEstablishment
        for name, protection in (("A", A), ("AE", BOTH))
    },
    "signed": plan(signing()),
    "signed, inside enciphered": plan(ciphering(KeyEstablishment.STATIC), signing()),
    "signed, inside authenticated": plan(ciphering(KeyEstablishment.GLOBAL_UNICAST, A), signing()),
    "enciphered, inside signed": plan(signing(), ciphering(KeyEstablishment.WRAPPED)),
    "unprotected, around signed": plan(ciphering(None, Protection.NONE), signing()),
    "four layers": plan(
        signing(), ciphering(KeyEstablishment.GLOBAL_UNICAST), ciphering(KeyEstablishment.STATIC), ciphering(None, A)
    ),
}
forms = pytest.mark.parametrize("form", FORMS)


def refused(at: Side, octets: bytes, **more: Any) -> None:
    """Assert that octets are refused, with the one message or with a counter, and that nothing has changed."""
    before = at.state
    with pytest.raises((DecipheringError, InvocationCounterError)) as caught:
        at.protection.unprotect(octets, **more)
    assert str(caught.value) == REFUSED or isinstance(caught.value, InvocationCounterError)
    assert type(caught.value) in (DecipheringError, InvocationCounterError)
    assert at.state == before


@suites
@forms
def test_what_is_protected_is_read_once_and_says_how_it_was_protected(suite: int, form: str) -> None:
    sender, receiver = client(suite), server(suite)
    octets = sender.protection.protect(GET, FORMS[form])
    result = receiver.protection.unprotect(octets)
    assert (result.apdu, result.forward_to) == (GET, b"")
    assert [layer.protection for layer in result.layers] == [layer.protection for layer in FORMS[form].layers]
    union = Protection.NONE
    for layer in FORMS[form].layers:
        union |= layer.protection
    assert dict(result.applied) == {CLIENT: union}
    refused(receiver, octets)
    receiver.protection.unprotect(sender.protection.protect(GET, FORMS[form]))


@pytest.mark.parametrize("kind", [kind for kind in KeyEstablishment if not kind.agreed], ids=lambda each: each.name)
def test_suite_0_knows_all_that_needs_no_public_keys(kind: KeyEstablishment) -> None:
    octets = client(0).protection.protect(GET, plan(ciphering(kind)))
    assert server(0).protection.unprotect(octets).apdu == GET
    with pytest.raises(ConfigurationError, match="signature key"):
        client(0).protection.protect(GET, plan(signing()))
    with pytest.raises(ConfigurationError, match="not permitted"):
        client(0).protection.protect(GET, plan(ciphering(KeyEstablishment.STATIC)))


def flipped(octets: bytes, place: int) -> bytes:
    changed = bytearray(octets)
    changed[place // 8] ^= 0x80 >> place % 8
    return bytes(changed)


def check_flips(suite: int, form: str, step: int) -> None:
    sender, receiver = client(suite), server(suite)
    octets = sender.protection.protect(GET, FORMS[form], transaction_id=bytes(range(1, 9)))
    # What a layer without protection holds may be anything: with another tag it is an APDU that nobody has signed.
    start = octets.index(b"\xdf", 1) + 1 if form.startswith("unprotected") else 0
    for place in range(8 * start, 8 * len(octets), step):
        refused(receiver, flipped(octets, place))
    assert receiver.protection.unprotect(octets).apdu == GET


@suites
@forms
def test_a_bit_of_every_octet_is_flipped_in_every_form(suite: int, form: str) -> None:
    check_flips(suite, form, 7)


@pytest.mark.slow
@suites
@forms
def test_every_bit_is_flipped_in_every_form(suite: int, form: str) -> None:
    check_flips(suite, form, 1)


@suites
@forms
def test_octets_that_are_cut_off_or_go_on_are_refused(suite: int, form: str) -> None:
    sender, receiver = client(suite), server(suite)
    octets = sender.protection.protect(GET, FORMS[form])
    for end in range(len(octets)):
        refused(receiver, octets[:end])
    refused(receiver, octets + b"\0")
    assert receiver.protection.unprotect(octets).apdu == GET


@kinds
@protections
@pytest.mark.parametrize("left", range(12))
def test_a_shortened_tag_with_fitting_lengths_is_refused(
    kind: KeyEstablishment, protection: Protection, left: int
) -> None:
    octets = client().protection.protect(GET, plan(ciphering(kind, protection)))
    content = split_ciphering(octets).content
    shortened = content[: len(content) - 12 + left]
    refused(server(), octets[: -len(content) - 1] + bytes((len(shortened),)) + shortened)


@pytest.mark.parametrize("left", [0, 1, 32, 63])
def test_a_shortened_signature_with_a_fitting_length_is_refused(left: int) -> None:
    octets = client().protection.protect(GET, plan(signing()))
    refused(server(), octets[:-65] + bytes((left,)) + octets[-64 : -64 + left])


@kinds
def test_a_tag_that_is_cut_off_does_not_turn_an_apdu_into_an_encrypted_one(kind: KeyEstablishment) -> None:
    octets = client().protection.protect(GET, plan(ciphering(kind)))
    content = split_ciphering(octets).content
    bare = bytes((content[0] & ~0x10,)) + content[1:-12]
    refused(server(), octets[: -len(content) - 1] + bytes((len(bare),)) + bare)


@pytest.mark.parametrize("control", [0x00, 0x02, 0x03, 0x30, 0x32, 0x71, 0xB1, 0xF1, 0x21, 0x81])
@kinds
def test_security_controls_that_cannot_be_are_refused(kind: KeyEstablishment, control: int) -> None:
    octets = client().protection.protect(GET, plan(ciphering(kind)))
    content = split_ciphering(octets).content
    refused(server(), octets[: -len(content)] + bytes((control,)) + content[1:])


def sealed(control: int, header: GeneralHeader, info: KeyInfo | None = None) -> bytes:
    """Return a layer under the global unicast key that is right but for what is given."""
    ak, ek = material(1).authentication_key, material(1).encryption_key
    made = KeyInfo(KeyEstablishment.GLOBAL_UNICAST)
    return seal_ciphering(SecurityControl(control), ek, ak, header, info or made, 5, GET)


def test_what_is_rightly_authenticated_but_not_general_ciphering_is_refused() -> None:
    header = GeneralHeader(b"\1", CLIENT, SERVER)
    assert server().protection.unprotect(sealed(0x31, header)).apdu == GET
    for control in (0x71, 0x30, 0x32):
        refused(server(), sealed(control, header))
    refused(server(), sealed(0x31, header._replace(recipient=b"")))
    refused(server(), sealed(0x31, header._replace(recipient=SERVER[:7])))
    signer = own(CLIENT, 1).signing_key
    assert signer is not None
    assert server().protection.unprotect(seal_signing(signer, header, GET)).apdu == GET
    refused(server(), seal_signing(signer, header._replace(recipient=b""), GET))


def test_a_layer_without_protection_has_no_key() -> None:
    header = GeneralHeader(b"\1", CLIENT, SERVER)
    assert (
        server().protection.unprotect(assemble(header.encode(), KeyInfo(KeyEstablishment.ABSENT), b"\1" + GET)).apdu
        == GET
    )
    for kind in set(KeyEstablishment) - {KeyEstablishment.ABSENT}:
        refused(server(), assemble(header.encode(), KeyInfo(kind), b"\1" + GET))


def test_the_static_scheme_carries_no_key_data() -> None:
    parts = split_ciphering(client().protection.protect(GET, plan(ciphering(KeyEstablishment.STATIC))))
    refused(server(), assemble(parts.meta, KeyInfo(KeyEstablishment.STATIC, b"\0"), parts.content))
    assert server().protection.unprotect(assemble(*parts[1:])).apdu == GET


def test_a_repeated_message_costs_no_public_key_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    sender, receiver = client(), server()
    repeated = [
        sender.protection.protect(GET, plan(layer))
        for layer in (signing(), ciphering(KeyEstablishment.ONE_PASS), ciphering(KeyEstablishment.STATIC))
    ]
    for octets in repeated:
        receiver.protection.unprotect(octets)
    monkeypatch.setattr(elliptic.SoftwareAgreementKey, "exchange", None)
    monkeypatch.setattr(elliptic.PublicKey, "to_cryptography", None)
    for octets in repeated:
        refused(receiver, octets)


def test_encryption_alone_that_came_before_leaves_the_layer_around_it_uncounted() -> None:
    sender, receiver = client(), server(of_client={"encryption_alone": True})
    inner = sender.protection.protect(GET, plan(ciphering(KeyEstablishment.GLOBAL_UNICAST, E)))
    receiver.protection.unprotect(inner)
    refused(receiver, sender.protection.protect(inner, plan(ciphering(KeyEstablishment.STATIC))))


@forms
def test_what_one_has_sent_is_not_taken_back(form: str) -> None:
    sender = client()
    refused(sender, sender.protection.protect(GET, FORMS[form]))


@suites
@forms
def test_what_is_for_another_meter_is_refused(suite: int, form: str) -> None:
    other = side(STRANGER, [party(CLIENT, suite)], suite)
    sender = client(suite)
    refused(other, sender.protection.protect(GET, FORMS[form]))


@suites
@forms
def test_an_originator_that_is_not_known_is_refused(suite: int, form: str) -> None:
    octets = client(suite).protection.protect(GET, FORMS[form])
    refused(side(SERVER, [party(THIRD, suite, third=True)], suite), octets)


@suites
def test_the_keys_of_another_party_are_refused(suite: int) -> None:
    own_keys = own(STRANGER, suite)
    liar = OwnParty(title=CLIENT, signing_key=own_keys.signing_key, agreement_key=own_keys.agreement_key)
    forger = GeneralProtection(
        liar,
        [party(SERVER, suite)],
        suite=security_suite(suite),
        counters=side(STRANGER, [], suite).counters,
        transactions=side(STRANGER, [], suite).transactions,
    )
    for layer in (ciphering(KeyEstablishment.ONE_PASS), ciphering(KeyEstablishment.STATIC), signing()):
        refused(server(suite), forger.protect(GET, plan(layer)))


@suites
def test_the_signature_of_an_ephemeral_key_is_verified_before_anything_is_computed(
    suite: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[object] = []
    octets = client(suite).protection.protect(GET, plan(ciphering(KeyEstablishment.ONE_PASS)))
    place = octets.index(split_ciphering(octets).key_info.data) + len(split_ciphering(octets).key_info.data) - 1
    receiver = server(suite)
    exchange = elliptic.SoftwareAgreementKey.exchange
    monkeypatch.setattr(
        elliptic.SoftwareAgreementKey, "exchange", lambda *given: (computed.append(given), exchange(*given))[1]
    )
    refused(receiver, flipped(octets, 8 * place + 7))
    assert computed == []
    receiver.protection.unprotect(octets)
    assert len(computed) == 1
    assert key_agreement_module.ONE_PASS_PARAMETERS == b"\x01"


@kinds
@suites
def test_a_key_info_that_is_not_permitted_is_refused(suite: int, kind: KeyEstablishment) -> None:
    octets = client(suite).protection.protect(GET, plan(ciphering(kind)))
    others = frozenset(KeyEstablishment) - {kind}
    refused(server(suite, of_client={"key_infos": others}), octets)
    with pytest.raises(ConfigurationError, match="not permitted"):
        client(suite, of_server={"key_infos": others}).protection.protect(GET, plan(ciphering(kind)))


def test_an_absent_key_info_is_not_another_way_to_a_permitted_key() -> None:
    octets = client().protection.protect(GET, plan(ciphering(KeyEstablishment.GLOBAL_UNICAST)))
    end = read_header(octets)[1]
    receiver = server(of_client={"key_infos": frozenset({KeyEstablishment.GLOBAL_UNICAST})})
    refused(receiver, octets[:end] + b"\0" + octets[end + 3 :])
    assert receiver.protection.unprotect(octets).apdu == GET


@pytest.mark.parametrize("kind", [kind for kind in KeyEstablishment if not kind.agreed], ids=lambda each: each.name)
def test_a_third_party_can_only_agree_keys(kind: KeyEstablishment) -> None:
    with pytest.raises(ConfigurationError, match="can only agree keys"):
        party(THIRD, 1, third=True, key_infos=frozenset({kind}))
    if kind is not KeyEstablishment.WRAPPED:
        impostor = side(THIRD, [party(SERVER, 1)], 1)
        refused(server(), impostor.protection.protect(GET, plan(ciphering(kind))))


@pytest.mark.parametrize("kind", PER_MESSAGE, ids=lambda each: each.name)
@suites
def test_a_transaction_id_is_accepted_once_even_if_all_else_is_new(suite: int, kind: KeyEstablishment) -> None:
    receiver = server(suite)
    first, second = (
        client(suite).protection.protect(GET, plan(ciphering(kind)), transaction_id=b"once") for _ in range(2)
    )
    assert (first == second) == (kind is KeyEstablishment.STATIC)
    receiver.protection.unprotect(first)
    refused(receiver, first)
    refused(receiver, second)


@suites
def test_what_is_signed_alone_is_accepted_once(suite: int) -> None:
    receiver, sender = server(suite), client(suite)
    octets = sender.protection.protect(GET, plan(signing()), transaction_id=b"once")
    receiver.protection.unprotect(octets)
    refused(receiver, octets)
    refused(receiver, sender.protection.protect(GET[:-1] + b"\1", plan(signing()), transaction_id=b"once"))


@pytest.mark.parametrize("kind", GLOBAL_KEYS, ids=lambda each: each.name)
def test_a_late_counter_of_a_global_key_is_refused_and_the_lowest_acceptable_named(kind: KeyEstablishment) -> None:
    sender, receiver = client(), server()
    first, second = (sender.protection.protect(GET, plan(ciphering(kind))) for _ in range(2))
    receiver.protection.unprotect(second)
    with pytest.raises(InvocationCounterError) as caught:
        receiver.protection.unprotect(first)
    assert caught.value.lowest_acceptable == 2
    refused(receiver, second)


def test_the_counter_is_named_only_where_title_suite_and_key_info_fit() -> None:
    sender = client()
    first, second = (sender.protection.protect(GET, plan(ciphering(KeyEstablishment.GLOBAL_UNICAST))) for _ in "12")
    receiver = server()
    receiver.protection.unprotect(second)
    for part, other in ((SERVER, STRANGER), (CLIENT, STRANGER), (b"\x31\0\0\0\0", b"\x32\0\0\0\0")):
        with pytest.raises(DecipheringError):
            receiver.protection.unprotect(first.replace(part, other))
    inside = client().protection.protect(GET, plan(ciphering(None, BOTH, transaction_id=b"1")))
    wrapped = sender.protection.protect(inside, plan(ciphering(KeyEstablishment.WRAPPED)))
    with pytest.raises(DecipheringError):
        receiver.protection.unprotect(wrapped)


def test_two_layers_under_one_counter_are_in_the_order_in_which_they_were_put_on() -> None:
    sender, receiver = client(), server()
    layer = ciphering(KeyEstablishment.GLOBAL_UNICAST)
    octets = sender.protection.protect(GET, plan(layer, layer))
    assert [each.invocation_counter for each in receiver.protection.unprotect(octets).layers] == [1, 0]
    refused(receiver, octets)
    one = client().protection.protect(GET, plan(layer))
    refused(server(), client().protection.protect(one, plan(layer)))


def test_empty_and_too_long_transaction_ids_are_neither_sent_nor_taken() -> None:
    signer = own(CLIENT, 1).signing_key
    assert signer is not None
    for transaction_id in (b"", bytes(33)):
        for kind in (None, *PER_MESSAGE):
            layer = signing() if kind is None else ciphering(kind)
            with pytest.raises(EncodeError, match="transaction-id"):
                client().protection.protect(GET, plan(layer), transaction_id=transaction_id)
        refused(server(), seal_signing(signer, GeneralHeader(transaction_id, CLIENT, SERVER), GET))
    refused(server(), client().protection.protect(GET, plan(signing()), transaction_id=bytes(32)) + b"\0")
    octets = client().protection.protect(GET, plan(signing()), transaction_id=bytes(32))
    assert server().protection.unprotect(octets).apdu == GET


def test_rising_transaction_ids_are_held_against_the_highest_alone() -> None:
    receiver = server(dialect=STANDARD.but(transaction_ids=TransactionIds.RISING))
    sender = client().protection

    def sent(number: int) -> bytes:
        layer = ciphering(KeyEstablishment.ONE_PASS)
        return sender.protect(GET, plan(layer), transaction_id=number.to_bytes(8, "big"))

    receiver.protection.unprotect(sent(5))
    for number in (5, 4, 0):
        refused(receiver, sent(number))
    receiver.protection.unprotect(sent(6))
    assert [memory.remembered for memory in receiver.transactions._known.values()] == [set()]


def test_remembered_transaction_ids_come_in_any_order_as_long_as_there_is_room() -> None:
    receiver, sender = server(), client().protection
    receiver.transactions.most = 2  # type: ignore[misc]
    for number in (5, 4):
        receiver.protection.unprotect(sender.protect(GET, plan(signing()), transaction_id=bytes((number,))))
    before = receiver.state
    with pytest.raises(SecurityError, match="install new keys"):
        receiver.protection.unprotect(sender.protect(GET, plan(signing()), transaction_id=b"\3"))
    assert receiver.state == before
    assert receiver.protection.unprotect(sender.protect(GET, plan(ciphering()), transaction_id=b"\3")).apdu == GET
    higher = sender.protect(GET, plan(signing()), transaction_id=b"\6")
    assert receiver.protection.unprotect(higher).apdu == GET
    refused(receiver, higher)
    for number in (3, 4, 5):
        refused(receiver, sender.protect(GET, plan(signing()), transaction_id=bytes((number,))))


def test_a_transaction_id_is_never_given_twice_under_static_keys() -> None:
    sender = client()
    layer = ciphering(KeyEstablishment.STATIC)
    sender.protection.protect(GET, plan(layer), transaction_id=b"echoed")
    with pytest.raises(SecurityError, match="given before"):
        sender.protection.protect(GET, plan(layer), transaction_id=b"echoed")
    mine = sender.protection.new_transaction_id()
    sender.protection.protect(GET, plan(layer), transaction_id=mine)
    for _ in range(2):
        with pytest.raises(SecurityError, match="given before"):
            sender.protection.protect(GET, plan(layer), transaction_id=mine)
    with pytest.raises(SecurityError, match="given before"):
        sender.protection.protect(GET, plan(layer, layer))


def test_an_own_transaction_id_that_was_echoed_before_is_passed_over() -> None:
    sender = client()
    layer = ciphering(KeyEstablishment.STATIC)
    following = int.from_bytes(sender.protection.new_transaction_id(), "big") + 1
    echoed = following.to_bytes(8, "big")
    sender.protection.protect(GET, plan(layer), transaction_id=echoed)
    octets = sender.protection.protect(GET, plan(layer))
    assert int.from_bytes(read_header(octets)[0].transaction_id, "big") == following + 1


def test_an_answer_has_the_transaction_id_that_is_waited_for() -> None:
    sender, receiver = client(), server()
    waited = sender.protection.new_transaction_id()
    receiver.protection.unprotect(sender.protection.protect(GET, plan(signing()), transaction_id=waited))
    answer = receiver.protection.protect(GET, plan(signing(recipient=CLIENT)), transaction_id=waited)
    refused(sender, answer, transaction_id=b"another")
    assert sender.protection.unprotect(answer, transaction_id=waited).apdu == GET
    refused(sender, answer, transaction_id=waited)


@suites
@pytest.mark.parametrize("kind", PER_MESSAGE, ids=lambda each: each.name)
@protections
def test_where_the_header_is_not_authenticated_the_key_is_remembered(
    suite: int, kind: KeyEstablishment, protection: Protection
) -> None:
    dialect = STANDARD.but(general_ciphering_aad=GeneralCipheringAad.SC_AK)
    sender, receiver = client(suite, dialect), server(suite, dialect)
    octets = sender.protection.protect(GET, plan(ciphering(kind, protection)), transaction_id=b"first")
    refused(server(suite), octets)
    refused(receiver, client(suite).protection.protect(GET, plan(ciphering(kind, protection))))
    assert receiver.protection.unprotect(octets).apdu == GET
    refused(receiver, octets)
    refused(receiver, octets.replace(b"first", b"other"))


def test_a_signature_without_the_length_of_the_content_is_another_form() -> None:
    gurux = STANDARD.but(general_signing_tbs=GeneralSigningTbs.WITHOUT_CONTENT_LENGTH)
    octets = client(1, gurux).protection.protect(GET, plan(signing()))
    refused(server(), octets)
    assert server(1, gurux).protection.unprotect(octets).apdu == GET
    refused(server(1, gurux), client().protection.protect(GET, plan(signing())))


@kinds
def test_encryption_alone_is_taken_only_where_the_policy_is_exactly_that(kind: KeyEstablishment) -> None:
    octets = client().protection.protect(GET, plan(ciphering(kind, E)))
    refused(server(), octets)
    receiver = server(of_client={"encryption_alone": True})
    stored = receiver.counters._receive.copy(), receiver.transactions._known.copy()
    assert dict(receiver.protection.unprotect(octets).applied) == {CLIENT: E}
    assert (receiver.counters._receive, receiver.transactions._known) == stored
    refused(receiver, octets)


@pytest.mark.parametrize("kind", [KeyEstablishment.WRAPPED, KeyEstablishment.ONE_PASS], ids=lambda each: each.name)
def test_a_key_that_came_with_encryption_alone_does_not_come_again_under_another_id(kind: KeyEstablishment) -> None:
    receiver = server(of_client={"encryption_alone": True})
    octets = client().protection.protect(GET, plan(ciphering(kind, E)), transaction_id=b"first")
    receiver.protection.unprotect(octets)
    refused(receiver, octets.replace(b"first", b"other"))


@pytest.mark.parametrize("with_counter", [False, True])
def test_a_layer_without_protection_carries_a_counter_where_the_dialect_has_it_so(with_counter: bool) -> None:
    dialect = STANDARD.but(counter_without_protection=with_counter)
    layer = ciphering(None, Protection.NONE, transaction_id=b"\7")
    octets = client(1, dialect).protection.protect(GET, plan(layer))
    head = b"\xdd\x01\x07\x08" + CLIENT + b"\x08" + SERVER + b"\0\0\0"
    content = (b"\x01\0\0\0\0" if with_counter else b"\x01") + GET
    assert octets == head + bytes((len(content),)) + content
    result = server(1, dialect).protection.unprotect(octets)
    assert (result.apdu, dict(result.applied)) == (GET, {CLIENT: Protection.NONE})
    if with_counter:  # the other way round the first octets of the APDU are taken for a counter
        refused(server(), octets)


@suites
@pytest.mark.parametrize("kind", [KeyEstablishment.GLOBAL_UNICAST, *PER_MESSAGE], ids=lambda each: each.name)
@protections
def test_compressed_octets_are_taken_only_where_the_dialect_has_it_so(
    suite: int, kind: KeyEstablishment, protection: Protection
) -> None:
    compressing = STANDARD.but(compression=True)
    apdu = b"\xc4\x01\xc1\x00\x09\x82\x01\x00" + bytes(256)
    octets = client(suite, compressing).protection.protect(apdu, plan(ciphering(kind, protection)))
    assert len(octets) < len(apdu)
    refused(server(suite), octets)
    receiver = server(suite, compressing, expand_to=len(apdu) - 1)
    refused(receiver, octets)
    receiver = server(suite, compressing)
    result = receiver.protection.unprotect(octets)
    assert result.apdu == apdu
    assert result.layers[0].security_control is not None
    assert result.layers[0].security_control.compressed


def test_what_may_carry_keys_is_not_compressed() -> None:
    compressing = STANDARD.but(compression=True)
    for octets in (b"\x01" + bytes(300), b"\xc3\x01\xc1\x00\x40" + bytes(300)):
        made = client(1, compressing).protection.protect(octets, plan(ciphering()))
        assert len(made) > len(octets)


@forms
def test_a_long_apdu_goes_through(form: str) -> None:
    apdu = b"\xc4\x01\xc1\x00\x09\x82\x80\x00" + bytes(2 * TWO_PASS_LIMIT)
    assert server().protection.unprotect(client().protection.protect(apdu, FORMS[form])).apdu == apdu


@pytest.mark.parametrize("inside", [b"", b"\x60\x00", b"\xe0\x00", b"/ISK", b"\x00"])
@pytest.mark.parametrize("layer", [ciphering(KeyEstablishment.WRAPPED), ciphering(), signing()], ids=str)
def test_what_cannot_stand_inside_is_neither_sent_nor_taken(inside: bytes, layer: Layer) -> None:
    with pytest.raises(EncodeError):
        client().protection.protect(inside, plan(layer))
    forger, receiver = client(), server()
    made = forger.protection._protected(inside, plan(layer), b"made")
    refused(receiver, made)


@pytest.mark.parametrize("octets", [b"", GET, b"\xdb\x00\x00", b"\xdd", b"\xdf", b"\xc8\x12" + bytes(18)])
def test_what_has_no_layer_is_refused(octets: bytes) -> None:
    refused(server(), octets)


@given(st.binary(max_size=80), st.sampled_from([b"\xdd", b"\xdf", b""]))
def test_any_octets_are_refused_in_one_way(octets: bytes, tag: bytes) -> None:
    refused(_ANY, tag + octets)


@given(st.data(), st.sampled_from(sorted(FORMS)))
def test_octets_with_any_part_replaced_are_refused_in_one_way(data: st.DataObject, form: str) -> None:
    octets = _SENT.setdefault(form, client().protection.protect(GET, FORMS[form]))
    start = data.draw(st.integers(0, len(octets)))
    end = data.draw(st.integers(start, len(octets)))
    changed = octets[:start] + data.draw(st.binary(max_size=12)) + octets[end:]
    receiver = server()
    before = receiver.state
    try:
        result = receiver.protection.unprotect(changed)
    except CosemicError:
        assert receiver.state == before
        refused(receiver, changed)
    else:
        # What is not authenticated: key-info, lengths written otherwise, and a layer without protection.
        assert result.apdu == GET or not any(result.applied.values())


_ANY = server()
_SENT: dict[str, bytes] = {}


def test_a_date_time_is_held_against_what_is_recent() -> None:
    seen: list[bytes] = []
    stamp = bytes.fromhex("07EA0B15FF00000000FFC400")
    octets = [
        client().protection.protect(GET, plan(layer))
        for layer in (ciphering(KeyEstablishment.STATIC, date_time=stamp), signing(date_time=stamp))
    ]
    for each in octets:
        refused(server(date_time_accepted=lambda given: bool(seen.append(given))), each)
        result = server(date_time_accepted=lambda given: True).protection.unprotect(each)
        assert result.layers[0].header.date_time == stamp
    assert seen == [stamp, stamp]
    with pytest.raises(EncodeError, match="12 octets"):
        signing(date_time=b"short")


def test_a_broadcast_is_under_the_broadcast_key_and_names_no_recipient() -> None:
    layer = ciphering(KeyEstablishment.GLOBAL_BROADCAST, recipient=b"")
    octets = client().protection.protect(GET, plan(layer))
    result = server().protection.unprotect(octets)
    assert result.broadcast
    assert (result.apdu, result.layers[0].header.recipient) == (GET, b"")
    with pytest.raises(EncodeError, match="not answered"):
        LayerPlan.answering(result, A)
    for kind in (None, KeyEstablishment.GLOBAL_UNICAST, KeyEstablishment.STATIC):
        with pytest.raises(EncodeError):
            ciphering(kind, recipient=b"")
    unicast = client().protection.protect(GET, plan(ciphering(KeyEstablishment.GLOBAL_UNICAST)))
    refused(server(), unicast.replace(b"\x08" + SERVER, b"\0"))


def test_peeling_counts_only_when_it_is_accepted() -> None:
    receiver = server()
    octets = client().protection.protect(b"\xc8" + bytes(20), plan(signing()))
    before = receiver.state
    first, second = receiver.protection.peel(octets), receiver.protection.peel(octets)
    assert first.result == second.result
    assert receiver.state == before
    assert first.accept() == first.result
    with pytest.raises(DecipheringError, match="came before"):
        second.accept()


@pytest.mark.parametrize("kind", GLOBAL_KEYS, ids=lambda each: each.name)
def test_of_two_copies_at_once_one_passes(kind: KeyEstablishment) -> None:
    receiver = server()
    octets = client().protection.protect(GET, plan(ciphering(kind)))
    first, second = receiver.protection.peel(octets), receiver.protection.peel(octets)
    first.accept()
    with pytest.raises(InvocationCounterError):
        second.accept()


def make_wrong() -> dict[str, Callable[[], object]]:
    keys = own(CLIENT, 1)
    assert keys.signing_key is not None
    return {
        "own title": lambda: side(CLIENT, [party(CLIENT, 0)], 0),
        "twice": lambda: side(CLIENT, [party(SERVER, 1), party(SERVER, 1)], 1),
        "suite": lambda: side(CLIENT, [party(SERVER, 2)], 1),
        "curve": lambda: side(CLIENT, [party(SERVER, 1, third=True, material=material(2))], 2),
        "own key": lambda: side(CLIENT, [party(SERVER, 1, signing=keys.signing_key.public)], 1),
        "title": lambda: Party(title=b"short"),
        "own broker": lambda: client(brokers_for={CLIENT}),
        "kek": lambda: party(SERVER, 1, material=None),
        "agreement": lambda: party(SERVER, 1, key_infos=AGREED, agreement=None),
        "layers": lambda: Layer(recipient=SERVER, protection=S | A),
        "signed key": lambda: Layer(recipient=SERVER, protection=S, key_info=KeyEstablishment.STATIC),
        "unprotected key": lambda: Layer(
            recipient=SERVER, protection=Protection.NONE, key_info=KeyEstablishment.STATIC
        ),
        "recipient": lambda: client().protection.protect(GET, plan(ciphering(recipient=STRANGER))),
        "signed for": lambda: client().protection.protect(GET, plan(signing(recipient=STRANGER))),
        "nothing": lambda: client().protection.protect(GET, plan()),
        "no form": lambda: client(of_server={"key_infos": frozenset()}).protection.protect(GET, plan(ciphering())),
        "ak": lambda: third().protection.protect(GET, plan(ciphering(KeyEstablishment.WRAPPED))),
    }


@pytest.mark.parametrize("what", make_wrong())
def test_what_does_not_go_together_is_refused_before_anything_is_sent(what: str) -> None:
    with pytest.raises((ConfigurationError, EncodeError)):
        make_wrong()[what]()


def test_nothing_of_keys_or_apdus_is_shown() -> None:
    sender, receiver = client(), server()
    result = receiver.protection.unprotect(sender.protection.protect(GET, FORMS["signed, inside enciphered"]))
    shown = repr(result) + repr(sender.protection.own) + repr(list(sender.protection.parties.values()))
    assert GET.hex() not in shown
    assert repr(GET) not in shown
    for handle in (own(CLIENT, 1).signing_key, own(CLIENT, 1).agreement_key):
        assert isinstance(handle, SoftwareSigningKey | SoftwareAgreementKey)
        assert handle.to_secret().reveal().hex() not in shown
    assert material(1).encryption_key.reveal().hex() not in shown
    assert split_signing(sender.protection.protect(GET, plan(signing()))).content == GET
