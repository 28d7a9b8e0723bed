"""Whole ciphered APDUs between two sides: what is made, what is accepted, what is refused and changes nothing."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.dialect import STANDARD, CipheredForm
from cosemic.errors import (
    ConfigurationError,
    CosemicError,
    DecipheringError,
    DecodeError,
    EncodeError,
    InvocationCounterError,
    PolicyViolation,
)
from cosemic.security import (
    NO_AUTHENTICATION_KEY,
    Envelope,
    MemoryCounterStore,
    Protection,
    SecurityContext,
    SecurityControl,
    SecurityPolicy,
    SecuritySuite,
    is_ciphered,
    open_envelope,
    protect,
    system_title_of,
)
from cosemic.security.envelopes import DED_TAGS, GLO_TAGS, PLAIN_TAGS, seal_envelope
from tests import vectors
from tests.security.samples import (
    AK,
    CLIENT,
    DEDICATED,
    EK,
    GBEK,
    GET,
    GET_RESPONSE,
    SERVER,
    client,
    key,
    material,
    server,
)

NONE = Protection.NONE
AUTHENTICATED = Protection.AUTHENTICATED
ENCRYPTED = Protection.ENCRYPTED
BOTH = AUTHENTICATED | ENCRYPTED
envelopes = pytest.mark.parametrize("envelope", list(Envelope), ids=lambda each: each.name)


def pair(**server_options: object) -> tuple[SecurityContext, SecurityContext]:
    """Return a client and a server that have a dedicated key."""
    keys = material(dedicated_key=key(DEDICATED), broadcast_key=key(GBEK))
    return client(keys=keys), server(keys=keys, **server_options)


def refused(context: SecurityContext, apdu: bytes, error: type[CosemicError]) -> None:
    """Assert that an APDU is refused and that the counters stand where they stood."""
    lowest, volatile = context.receive.lowest, context.receive.volatile
    with pytest.raises(error):
        context.unprotect_apdu(apdu)
    assert (context.receive.lowest, context.receive.volatile) == (lowest, volatile)


def test_tags_of_envelopes_are_those_of_the_reference() -> None:
    text = vectors.reference("application_layer.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:5] for line in text.splitlines() if line.startswith("| ") and line.count("|") == 5]
    table = [[cell.strip() for cell in row] for row in rows]
    named = [row for row in table if all(len(cell) == 2 and cell.isalnum() for cell in row[1:])]
    assert {int(row[1], 16): int(row[2], 16) for row in named} == GLO_TAGS
    assert {int(row[1], 16): int(row[3], 16) for row in named} == DED_TAGS
    assert len(named) == 16


@envelopes
@pytest.mark.parametrize("tag", sorted(PLAIN_TAGS))
def test_every_apdu_travels_in_every_envelope_that_holds_it(envelope: Envelope, tag: int) -> None:
    sender, receiver = pair()
    apdu = bytes((tag,)) + GET[1:]
    if envelope.holds(tag):
        protected = sender.protect_apdu(apdu, envelope)
        assert Envelope.of(protected) is envelope
        assert is_ciphered(protected)
        assert receiver.unprotect_apdu(protected) == (apdu, True, True, 0x30, 0)
    else:
        with pytest.raises(EncodeError):
            sender.protect_apdu(apdu, envelope)
        assert sender.transmit.next() == 0


@pytest.mark.parametrize("tag", [0x60, 0x61, 0xE0, 0xDB, 0xC8, 0x1C])
@envelopes
def test_apdus_that_are_never_enciphered_are_refused_on_both_sides(envelope: Envelope, tag: int) -> None:
    sender, receiver = pair()
    apdu = bytes((tag,)) + GET[1:]
    with pytest.raises(EncodeError):
        sender.protect_apdu(apdu, envelope)
    content = protect(SecurityControl(0x30), key(DEDICATED if envelope.dedicated else EK), key(AK), CLIENT, 0, apdu)
    refused(receiver, seal_envelope(envelope, 0xC0, CLIENT, content), DecodeError)


@envelopes
@pytest.mark.parametrize("protection", [AUTHENTICATED, BOTH])
def test_every_flipped_bit_is_refused_and_changes_nothing(envelope: Envelope, protection: Protection) -> None:
    sender, receiver = pair(require=protection)
    apdu = sender.protect_apdu(GET, envelope, protection=protection)
    for bit in range(len(apdu) * 8):
        changed = bytearray(apdu)
        changed[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises((DecodeError, DecipheringError, PolicyViolation, InvocationCounterError)):
            receiver.unprotect_apdu(bytes(changed))
    assert receiver.receive.lowest == 0
    assert receiver.unprotect_apdu(apdu).plaintext == GET


@envelopes
def test_every_prefix_and_every_longer_apdu_is_refused(envelope: Envelope) -> None:
    sender, receiver = pair()
    apdu = sender.protect_apdu(GET, envelope)
    for size in range(len(apdu)):
        with pytest.raises(DecodeError):
            open_envelope(apdu[:size])
        with pytest.raises((DecodeError, DecipheringError)):
            receiver.unprotect_apdu(apdu[:size])
    refused(receiver, apdu + b"\0", DecodeError)
    assert receiver.unprotect_apdu(apdu).authenticated


@pytest.mark.parametrize(
    "octets", ["db8440000000", "c800", "c805300000", "c8", "db", "db0000", "c880", "c885ffffffffff"]
)
def test_hostile_lengths_are_decode_errors(octets: str) -> None:
    with pytest.raises(DecodeError):
        server().unprotect_apdu(bytes.fromhex(octets))


def test_long_and_non_minimal_lengths_are_read() -> None:
    sender, receiver = pair()
    for size in (100, 127, 128, 300, 70_000):
        apdu = GET_RESPONSE + bytes(size)
        assert receiver.unprotect_apdu(sender.protect_apdu(apdu)).plaintext == apdu
    content = open_envelope(sender.protect_apdu(GET, Envelope.GLO)).content
    assert receiver.unprotect_apdu(b"\xc8\x84\0\0\0" + bytes((len(content),)) + content).plaintext == GET


@given(st.sampled_from([0x21, 0xC8, 0xD0, 0xDB, 0xDC, 0xC0, 0x00]), st.binary(max_size=60))
def test_any_octets_give_a_result_or_an_error_of_ours(tag: int, octets: bytes) -> None:
    context = pair()[1]
    with pytest.raises(CosemicError):
        context.unprotect_apdu(bytes((tag,)) + octets)
    assert context.receive.lowest == 0


# Counters


@envelopes
def test_equal_and_lower_counters_are_refused(envelope: Envelope) -> None:
    sender, receiver = pair()
    first, second, third = (sender.protect_apdu(GET, envelope) for _ in range(3))
    assert receiver.unprotect_apdu(second).invocation_counter == 1
    for replayed in (second, first):
        with pytest.raises(InvocationCounterError) as caught:
            receiver.unprotect_apdu(replayed)
        assert caught.value.lowest_acceptable == 2
    assert receiver.unprotect_apdu(third).invocation_counter == 2


def test_all_forms_under_one_key_share_one_counter_and_the_dedicated_key_has_its_own() -> None:
    sender, receiver = pair()
    order = [Envelope.GLO, Envelope.GENERAL_GLO, Envelope.DED, Envelope.GENERAL_DED, Envelope.GLO]
    apdus = [sender.protect_apdu(GET, envelope) for envelope in order]
    assert [receiver.unprotect_apdu(apdu).invocation_counter for apdu in apdus] == [0, 1, 0, 1, 2]
    sender.set_dedicated_key(key(AK))
    receiver.set_dedicated_key(key(AK))
    assert receiver.unprotect_apdu(sender.protect_apdu(GET, Envelope.DED)).invocation_counter == 0


def test_a_dedicated_key_set_again_goes_on_counting_and_is_in_no_store() -> None:
    stores = MemoryCounterStore(), MemoryCounterStore()
    keys = material(dedicated_key=key(DEDICATED))
    sender, receiver = client(stores[0], keys=keys), server(stores[1], keys=keys)
    apdu = sender.protect_apdu(GET, Envelope.DED)
    assert receiver.unprotect_apdu(apdu).invocation_counter == 0
    for context in (sender, receiver):
        context.set_dedicated_key(key(DEDICATED))
    refused(receiver, apdu, InvocationCounterError)
    assert receiver.unprotect_apdu(sender.protect_apdu(GET, Envelope.DED)).invocation_counter == 1
    identity = key(DEDICATED).identity
    assert stores[0].transmit_state(identity, CLIENT).next == 0
    assert stores[1].lowest_acceptable(identity, CLIENT) == 0


def test_a_forged_high_counter_does_not_lock_out() -> None:
    sender, receiver = pair()
    apdu = sender.protect_apdu(GET)
    for counter in ("fffffffe", "ffffffff", "7fffffff"):
        forged = bytearray(apdu)
        forged[3:7] = bytes.fromhex(counter)
        with pytest.raises((DecipheringError, InvocationCounterError)):
            receiver.unprotect_apdu(bytes(forged))
        stripped = b"\xc8\x12\x20" + bytes.fromhex(counter) + apdu[7:-12]
        with pytest.raises((PolicyViolation, DecipheringError, InvocationCounterError)):
            receiver.unprotect_apdu(stripped)
    assert receiver.unprotect_apdu(apdu).invocation_counter == 0


def test_encryption_only_never_moves_the_stored_counter() -> None:
    store = MemoryCounterStore()
    receiver = server(store, require=ENCRYPTED)
    sender = client(send=ENCRYPTED)
    sender.transmit.raise_to(1000)
    high = sender.protect_apdu(GET)
    result = receiver.unprotect_apdu(high)
    assert (result.authenticated, result.invocation_counter) == (False, 1000)
    assert store.lowest_acceptable(key(EK).identity, CLIENT) == 0
    with pytest.raises(InvocationCounterError):
        receiver.unprotect_apdu(high)
    low = client(send=BOTH).protect_apdu(GET)
    assert receiver.unprotect_apdu(low).authenticated
    assert store.lowest_acceptable(key(EK).identity, CLIENT) == 1
    refused(receiver, client(send=ENCRYPTED).protect_apdu(GET), InvocationCounterError)


def test_two_copies_arriving_at_once_are_accepted_once() -> None:
    sender, receiver = pair()
    for _ in range(50):
        apdu = sender.protect_apdu(GET)
        barrier = threading.Barrier(4)
        results: list[object] = []

        def receive(apdu: bytes = apdu, barrier: threading.Barrier = barrier, results: list[object] = results) -> None:
            barrier.wait()
            try:
                results.append(receiver.unprotect_apdu(apdu).plaintext)
            except InvocationCounterError:
                results.append(None)

        threads = [threading.Thread(target=receive) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results, key=bool) == [None, None, None, GET]


def test_two_associations_with_one_store_share_counters() -> None:
    sent, received = MemoryCounterStore(), MemoryCounterStore()
    apdus = [client(sent).protect_apdu(GET) for _ in range(3)]
    assert [server(received).unprotect_apdu(apdu).invocation_counter for apdu in apdus] == [0, 1, 2]
    with pytest.raises(InvocationCounterError):
        server(received).unprotect_apdu(apdus[2])


# Protection


def accepts(require: Protection, applied: Protection, **options: object) -> bool:
    apdu = client().protect_apdu(GET, protection=applied)
    try:
        return server(require=require, **options).unprotect_apdu(apdu).plaintext == GET
    except PolicyViolation:
        return False


def test_less_protection_than_required_is_refused_and_more_is_accepted() -> None:
    accepted = {
        (require, applied)
        for require in (NONE, AUTHENTICATED, ENCRYPTED, BOTH)
        for applied in (NONE, AUTHENTICATED, ENCRYPTED, BOTH)
        if accepts(require, applied)
    }
    assert accepted == {
        (NONE, NONE),
        (NONE, AUTHENTICATED),
        (NONE, BOTH),
        (AUTHENTICATED, AUTHENTICATED),
        (AUTHENTICATED, BOTH),
        (ENCRYPTED, ENCRYPTED),
        (ENCRYPTED, BOTH),
        (BOTH, BOTH),
    }


def test_signatures_that_are_required_are_never_there() -> None:
    assert not accepts(BOTH | Protection.SIGNED, BOTH)
    for send in (Protection.SIGNED, BOTH | Protection.SIGNED):
        with pytest.raises(ConfigurationError, match="signature"):
            client(send=send)
        with pytest.raises(ConfigurationError, match="signature"):
            client().protect_apdu(GET, protection=send)


def test_beside_mechanism_5_authentication_alone_is_taken_only_where_the_policy_is_that() -> None:
    assert not accepts(NONE, AUTHENTICATED, gmac_offered=True)
    assert accepts(AUTHENTICATED, AUTHENTICATED, gmac_offered=True)
    assert accepts(NONE, BOTH, gmac_offered=True)
    assert accepts(NONE, NONE, gmac_offered=True)


def test_a_tag_cut_off_gives_nothing_away() -> None:
    sender, receiver = pair(require=AUTHENTICATED)
    apdu = sender.protect_apdu(GET)
    stripped = bytes((0xC8, apdu[1] - 12, 0x20)) + apdu[3:-12]
    refused(receiver, stripped, PolicyViolation)
    assert receiver.unprotect_apdu(apdu).plaintext == GET


@pytest.mark.parametrize(
    ("version", "value", "request_protection", "response_protection"),
    [(0, 0, NONE, NONE), (0, 3, BOTH, BOTH), (1, 0x0C, BOTH, NONE), (1, 0x2C, BOTH, AUTHENTICATED)],
)
def test_policy_gives_each_side_its_direction(
    version: int, value: int, request_protection: Protection, response_protection: Protection
) -> None:
    policy = SecurityPolicy(version, value)
    of_client = SecurityContext.for_policy("client", policy, CLIENT, SERVER, material(), MemoryCounterStore())
    of_server = SecurityContext.for_policy("server", policy, SERVER, CLIENT, material(), MemoryCounterStore())
    assert (of_client.send, of_client.require) == (request_protection, response_protection)
    assert (of_server.send, of_server.require) == (response_protection, request_protection)
    assert of_server.unprotect_apdu(of_client.protect_apdu(GET)).plaintext == GET
    assert of_client.unprotect_apdu(of_server.protect_apdu(GET_RESPONSE)).plaintext == GET_RESPONSE


def test_plain_apdus_pass_where_nothing_is_required() -> None:
    result = server(require=NONE).unprotect_apdu(GET)
    assert result == (GET, False, False, 0, None)
    assert client(send=NONE).protect_apdu(GET) == GET
    with pytest.raises(DecodeError):
        server(require=NONE).unprotect_apdu(b"")
    with pytest.raises(EncodeError):
        client().protect_apdu(b"")


# Titles, suites, keys


@envelopes
def test_reflected_apdus_are_refused_before_any_deciphering(envelope: Envelope) -> None:
    sender = pair()[0]
    refused(sender, sender.protect_apdu(GET, envelope), DecipheringError)
    general = sender.protect_apdu(GET, Envelope.GENERAL_GLO)
    with pytest.raises(DecipheringError, match="our own"):
        sender.unprotect_apdu(general)


def test_own_title_of_the_peer_is_refused() -> None:
    with pytest.raises(DecipheringError, match="our own"):
        SecurityContext(CLIENT, CLIENT, material(), MemoryCounterStore())
    context = SecurityContext(CLIENT, None, material(), MemoryCounterStore())
    with pytest.raises(DecipheringError, match="our own"):
        context.set_peer_title(CLIENT)
    for wrong in (b"", SERVER[:7], SERVER + b"\0"):
        with pytest.raises(DecipheringError):
            context.set_peer_title(wrong)
    assert context.peer_title is None


def test_peer_title_is_learnt_once() -> None:
    context = SecurityContext(CLIENT, None, material(), MemoryCounterStore())
    answer = server().protect_apdu(GET_RESPONSE)
    with pytest.raises(DecipheringError):
        context.unprotect_apdu(answer)
    context.set_peer_title(SERVER)
    context.set_peer_title(SERVER)
    assert context.unprotect_apdu(answer).plaintext == GET_RESPONSE
    with pytest.raises(DecipheringError, match="another system title"):
        context.set_peer_title(SERVER[::-1])


def test_general_envelope_of_another_title_is_refused_and_an_empty_one_is_known() -> None:
    sender, receiver = pair()
    apdu = sender.protect_apdu(GET, Envelope.GENERAL_GLO)
    assert system_title_of(apdu) == CLIENT
    refused(receiver, b"\xdb\x08" + SERVER[::-1] + apdu[10:], DecipheringError)
    for length in (1, 7, 9):
        refused(receiver, bytes((0xDB, length)) + bytes(length) + apdu[10:], DecodeError)
    untitled = b"\xdb\x00" + apdu[10:]
    assert system_title_of(untitled) is None
    assert receiver.unprotect_apdu(untitled).plaintext == GET


@pytest.mark.parametrize("control", [0x31, 0x32, 0x3F, 0xB0, 0xF0, 0x00, 0x40, 0x80])
@envelopes
def test_other_suites_compression_and_no_protection_are_refused(envelope: Envelope, control: int) -> None:
    receiver = pair(require=NONE)[1]
    handle = key(DEDICATED if envelope.dedicated else GBEK if control & 0x40 else EK)
    counter = bytes(4)
    sealed = handle.aead.encrypt(CLIENT + counter, GET, bytes((control,)) + AK)[:-4]
    apdu = seal_envelope(envelope, 0xC0, CLIENT, bytes((control,)) + counter + sealed)
    for _ in range(2):
        refused(receiver, apdu, DecipheringError)


def test_broadcast_needs_the_broadcast_key_and_has_its_own_counter() -> None:
    sender, receiver = pair()
    apdu = sender.protect_apdu(GET, Envelope.GENERAL_GLO, broadcast=True)
    refused(server(), apdu, DecipheringError)
    under_unicast_key = protect(SecurityControl(0x70), key(EK), key(AK), CLIENT, 0, GET)
    refused(server(), seal_envelope(Envelope.GLO, 0xC0, CLIENT, under_unicast_key), DecipheringError)
    refused(receiver, apdu, DecipheringError)  # nobody is known by the broadcast key: it is taken only where allowed
    result = receiver.unprotect_apdu(apdu, broadcast=True)
    assert (result.security_control, result.invocation_counter) == (0x70, 0)
    assert receiver.unprotect_apdu(sender.protect_apdu(GET)).invocation_counter == 0
    refused(receiver, apdu, DecipheringError)
    with pytest.raises(InvocationCounterError):
        receiver.unprotect_apdu(apdu, broadcast=True)
    with pytest.raises(ConfigurationError):
        client().protect_apdu(GET, broadcast=True)
    with pytest.raises(ConfigurationError):
        sender.protect_apdu(GET, Envelope.DED, broadcast=True)
    unicast_key = protect(SecurityControl(0x70), key(EK), key(AK), CLIENT, 9, GET)
    refused(receiver, seal_envelope(Envelope.GLO, 0xC0, CLIENT, unicast_key), DecipheringError)
    dedicated = protect(SecurityControl(0x70), key(DEDICATED), key(AK), CLIENT, 9, GET)
    refused(receiver, seal_envelope(Envelope.DED, 0xC0, CLIENT, dedicated), DecipheringError)


def test_dedicated_and_global_envelopes_are_not_opened_with_each_others_key() -> None:
    sender, receiver = pair()
    swapped = {
        Envelope.DED: sender.protect_apdu(GET, Envelope.GLO),
        Envelope.GLO: sender.protect_apdu(GET, Envelope.DED),
    }
    for envelope, apdu in swapped.items():
        refused(receiver, seal_envelope(envelope, 0xC0, CLIENT, open_envelope(apdu).content), DecipheringError)
    refused(server(), sender.protect_apdu(GET, Envelope.DED), DecipheringError)
    receiver.unprotect_apdu(sender.protect_apdu(GET, Envelope.DED))
    receiver.set_dedicated_key(None)
    refused(receiver, sender.protect_apdu(GET, Envelope.DED), DecipheringError)
    with pytest.raises(ConfigurationError):
        client().protect_apdu(GET, Envelope.DED)


def test_envelope_follows_dialect_and_dedicated_key() -> None:
    general = STANDARD.but(ciphered_form=CipheredForm.GENERAL)
    keys = material(dedicated_key=key(DEDICATED))
    assert client().envelope is Envelope.GLO
    assert client(dialect=general).envelope is Envelope.GENERAL_GLO
    assert client(keys=keys).envelope is Envelope.DED
    context = client(keys=keys, dialect=general)
    assert context.protect_apdu(GET)[0] == 0xDC
    context.set_dedicated_key(None)
    assert context.protect_apdu(GET)[0] == 0xDB


def test_wrong_inner_apdu_is_refused() -> None:
    receiver = server()
    content = protect(SecurityControl(0x30), key(EK), key(AK), CLIENT, 0, GET)
    for tag in (0xC1, 0xC4, 0x01):
        refused(receiver, seal_envelope(Envelope.GLO, tag, CLIENT, content), DecodeError)
    empty = protect(SecurityControl(0x30), key(EK), key(AK), CLIENT, 1, b"")
    refused(receiver, seal_envelope(Envelope.GLO, 0xC0, CLIENT, empty), DecodeError)
    unauthenticated = protect(SecurityControl(0x20), key(GBEK), key(AK), CLIENT, 2, GET)
    refused(server(require=ENCRYPTED), seal_envelope(Envelope.GLO, 0xC0, CLIENT, unauthenticated), DecipheringError)


def test_profiles_without_authentication_key() -> None:
    keys = material(authentication_key=NO_AUTHENTICATION_KEY)
    assert server(keys=keys).unprotect_apdu(client(keys=keys).protect_apdu(GET)).authenticated
    refused(server(), client(keys=keys).protect_apdu(GET), DecipheringError)
    unknown = material(authentication_key=None)
    refused(server(keys=unknown), client().protect_apdu(GET), DecipheringError)


def test_only_served_suites_and_whole_titles_make_a_context() -> None:
    other = material(suite=SecuritySuite(3, "of a national profile", 16))
    with pytest.raises(ConfigurationError, match="suite 3"):
        SecurityContext(CLIENT, SERVER, other, MemoryCounterStore())
    with pytest.raises(ConfigurationError, match="8"):
        SecurityContext(CLIENT[:7], SERVER, material(), MemoryCounterStore())


def test_errors_hold_no_key_and_no_plaintext() -> None:
    sender, receiver = pair()
    apdu = bytearray(sender.protect_apdu(GET))
    apdu[-1] ^= 1
    with pytest.raises(DecipheringError) as caught:
        receiver.unprotect_apdu(bytes(apdu))
    shown = f"{caught.value!r} {caught.value.__context__!r} {caught.value.__cause__!r}"
    for octets in (EK, AK, GET):
        assert octets.hex() not in shown
        assert repr(octets)[2:-1] not in shown


def test_proposals_reach_the_counter_with_the_limit_of_the_dialect() -> None:
    context = client(dialect=STANDARD.but(max_counter_jump=100))
    with pytest.raises(InvocationCounterError):
        context.propose_counter(101)
    context.propose_counter(100)
    assert open_envelope(context.protect_apdu(GET)).content[1:5] == (100).to_bytes(4, "big")
    context.confirm()
    assert open_envelope(context.protect_apdu(GET)).content[1:5] == (101).to_bytes(4, "big")


def test_an_independent_implementation_reads_and_writes_the_same_apdus() -> None:
    ciphering = pytest.importorskip("pydlms.security.ciphering")
    context_of = pytest.importorskip("pydlms.security.context").SecurityContext
    ours = client()
    theirs = context_of(
        encryption_key=EK, authentication_key=AK, client_system_title=CLIENT, server_system_title=SERVER
    )
    their_server = context_of(
        encryption_key=EK, authentication_key=AK, client_system_title=SERVER, server_system_title=CLIENT
    )
    for envelope, wrap in ((Envelope.GLO, ciphering.wrap), (Envelope.GENERAL_GLO, ciphering.wrap_general_glo)):
        assert server().unprotect_apdu(wrap(theirs, GET)).plaintext == GET
        assert ciphering.unwrap(their_server, ours.protect_apdu(GET, envelope)).plaintext == GET
