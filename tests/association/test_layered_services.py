"""Services in general-ciphering and general-signing: keys, orders, policies, mirrored answers, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.association.known_rights import ListedRights
from cosemic.association.notifications import Notified
from cosemic.association.repeating import client_association
from cosemic.association.requests import Access, Action, Failed, Get, GetList, PassOn, Read, Set
from cosemic.association.server_events import NotificationConfirmed
from cosemic.association.settings import PreEstablished, to_all_stations
from cosemic.dialect import STANDARD, Quirk, TransactionIds
from cosemic.errors import (
    CertificateError,
    ConfigurationError,
    CosemicError,
    DecipheringError,
    ExceptionReceived,
    OutcomeUnknown,
    PolicyViolation,
    ProtocolError,
    ServiceFailed,
)
from cosemic.security import (
    AttributeAccess,
    Envelope,
    MethodAccess,
    Protection,
    Requirement,
    SecurityPolicy,
)
from cosemic.security.general import (
    GeneralProtection,
    Layer,
    LayerPlan,
    MemoryTransactionStore,
    read_header,
    split_ciphering,
    split_signing,
)
from cosemic.security.general.ciphering import assemble
from cosemic.security.general.layout import KeyInfo
from cosemic.security.general.party_keys import KnownPartyKeys
from cosemic.values import ActionResult, Conformance, DataAccessResult, ServiceClass
from tests.association.general_samples import (
    ALL,
    BOTH,
    EVERYTHING,
    SIGNED,
    THIRD_TITLE,
    K,
    asked,
    by_anybody,
    ciphered,
    ciphered_then_signed,
    keys,
    known_to,
    layered,
    material,
    own,
    parties,
    signed_then_ciphered,
    state_of,
    third,
)
from tests.association.samples import (
    CLIENT_TITLE,
    CLOCK,
    ECHO,
    OTHER_TITLE,
    REGISTER,
    SERVER_TITLE,
    VALUE,
    M,
    Talk,
    listed,
    octets,
)

suites = pytest.mark.parametrize("suite", [1, 2])
REFUSED = "does not fit what is known of its parties"


def tags(apdus: list[bytes]) -> list[int]:
    return [apdu[0] for apdu in apdus]


# ---- keys, orders, services ------------------------------------------------------------------------------------------


@suites
@pytest.mark.parametrize("kind", sorted(ALL, key=lambda each: each.name), ids=lambda each: each.name)
def test_every_key_info_carries_requests_and_answers(suite: int, kind: K) -> None:
    talk = layered(suite, ciphered(kind))
    assert talk.ask(Get(REGISTER)) == VALUE
    assert talk.ask(Set(CLOCK, octets(100))) is DataAccessResult.SUCCESS
    assert talk.ask(Get(CLOCK)) == octets(100)
    for apdu in talk.requests[1:] + talk.answers[1:]:
        parts = split_ciphering(apdu)
        assert parts.key_info.kind is kind
        assert parts.content[0] == 0x30 | suite
    ids = [split_ciphering(apdu).header.transaction_id for apdu in talk.requests[1:]]
    assert len(set(ids)) == 3
    assert [split_ciphering(apdu).header.transaction_id for apdu in talk.answers[1:]] == ids
    assert talk.shelf.protection == [BOTH] * 3


def test_suite_0_has_the_global_key_and_wrapped_ones() -> None:
    for kind in (K.ABSENT, K.GLOBAL_UNICAST, K.WRAPPED):
        assert layered(0, ciphered(kind)).ask(Get(REGISTER)) == VALUE


@suites
@pytest.mark.parametrize("kind", [K.GLOBAL_UNICAST, K.ONE_PASS, K.STATIC], ids=lambda each: each.name)
def test_signed_inside_ciphered_and_ciphered_inside_signed(suite: int, kind: K) -> None:
    for plan, outer in ((signed_then_ciphered(kind), 0xDD), (ciphered_then_signed(kind), 0xDF)):
        talk = layered(suite, plan, policy=EVERYTHING)
        assert talk.ask(Get(REGISTER)) == VALUE
        assert tags([talk.requests[-1], talk.answers[-1]]) == [outer, outer]
        assert talk.shelf.protection == [BOTH | SIGNED]


@suites
def test_a_request_has_layers_of_its_own_or_those_of_the_settings(suite: int) -> None:
    talk = layered(suite)
    assert talk.ask(Get(REGISTER)) == VALUE
    assert talk.ask(Get(REGISTER, layers=ciphered(K.STATIC))) == VALUE
    assert talk.ask(Get(REGISTER)) == VALUE
    assert tags(talk.requests[1:]) == [0xC8, 0xDD, 0xC8]
    assert tags(talk.answers[1:]) == [0xCC, 0xDD, 0xCC]


SERVICES = [
    Get(REGISTER),
    GetList(listed(REGISTER, CLOCK)),
    Set(CLOCK, octets(3)),
    Action(ECHO, octets(7)),
    Access((Get(REGISTER), Set(CLOCK, octets(4)), Action(ECHO, octets(5)))),
]


@pytest.mark.parametrize("request_", SERVICES, ids=lambda each: type(each).__name__)
def test_every_service_travels_in_layers(request_: Any) -> None:
    talk = layered(1, signed_then_ciphered(), policy=EVERYTHING)
    talk.ask(request_)
    assert set(talk.shelf.protection) == {BOTH | SIGNED}
    assert tags([talk.requests[-1], talk.answers[-1]]) == [0xDD, 0xDD]


def test_short_names_travel_in_layers() -> None:
    from cosemic.values import ApplicationContext

    talk = layered(
        1,
        signed_then_ciphered(),
        policy=EVERYTHING,
        client={"short_names": True},
        server={"context_names": frozenset((ApplicationContext.SN_CIPHERED,))},
    )
    assert talk.ask(Read((0xFA00,))) == (DataAccessResult.OBJECT_UNDEFINED,)
    assert tags([talk.requests[-1], talk.answers[-1]]) == [0xDD, 0xDD]


@suites
@pytest.mark.parametrize("mechanism", [M.HLS_GMAC, M.HLS_SHA256, M.HLS_ECDSA], ids=lambda each: each.label)
def test_passes_3_and_4_are_as_protected_as_the_policy_demands(suite: int, mechanism: Any) -> None:
    talk = layered(suite, signed_then_ciphered(K.ONE_PASS), policy=EVERYTHING, mechanism=mechanism)
    assert tags(talk.requests) == [0x60, 0xDD]
    assert talk.ask(Get(REGISTER)) == VALUE


def test_a_policy_that_asks_for_signatures_opens_nothing_for_who_does_not_sign() -> None:
    talk = layered(1, None, policy=EVERYTHING, mechanism=M.HLS_GMAC, opened=False)
    with pytest.raises(CosemicError):
        talk.open()
    assert talk.client.opened is None


def test_the_release_of_an_association_in_layers() -> None:
    from cosemic.association.requests import Release

    talk = layered(1, signed_then_ciphered(), policy=EVERYTHING)
    talk.ask(Release())
    assert talk.answers[-1][0] == 0x63


# ---- what does not fit into one APDU ---------------------------------------------------------------------------------


@suites
@pytest.mark.parametrize("kind", [K.GLOBAL_UNICAST, K.ONE_PASS], ids=lambda each: each.name)
def test_long_values_go_in_blocks_each_in_layers_that_fit(suite: int, kind: K) -> None:
    plan = signed_then_ciphered(kind)
    size = 700
    talk = layered(suite, plan, policy=EVERYTHING, client={"max_pdu_size": size}, server={"max_pdu_size": size})
    assert talk.ask(Set(CLOCK, octets(3000))) is DataAccessResult.SUCCESS
    assert talk.ask(Get(CLOCK)) == octets(3000)
    assert talk.ask(Action(ECHO, octets(2000))).return_parameters == octets(2000)
    sizes = [len(apdu) for apdu in talk.requests[1:] + talk.answers[1:]]
    assert max(sizes) <= size
    assert max(sizes) > size - 60
    assert set(tags(talk.requests[1:] + talk.answers[1:])) == {0xDD}


@suites
def test_general_block_transfer_protects_first_and_then_cuts(suite: int) -> None:
    more: dict[str, Any] = {
        "client": {"max_pdu_size": 128, "general_blocks": True},
        "server": {"max_pdu_size": 128},
    }
    talk = layered(suite, signed_then_ciphered(K.ONE_PASS), policy=EVERYTHING, **more)
    assert talk.ask(Set(CLOCK, octets(2000))) is DataAccessResult.SUCCESS
    assert talk.ask(Get(CLOCK)) == octets(2000)
    assert set(tags(talk.requests[1:] + talk.answers[1:])) == {0xE0}
    assert max(map(len, talk.requests[1:] + talk.answers[1:])) <= 128
    first = a.GeneralBlockTransfer.decode(talk.requests[1])
    assert first.block_data[0] == 0xDD


def test_a_request_that_does_not_fit_with_its_layers_is_not_sent() -> None:
    talk = layered(
        1, signed_then_ciphered(K.ONE_PASS), client={"conformance": ~Conformance(0)}, server={"max_pdu_size": 300}
    )
    before = len(talk.requests)
    with pytest.raises(ServiceFailed):
        talk.ask(Access((Set(CLOCK, octets(100)),)))
    assert len(talk.requests) == before


def test_an_answer_that_does_not_fit_with_its_layers_is_an_error() -> None:
    no_blocks = {"conformance": Conformance.GET | Conformance.SET | Conformance.GENERAL_PROTECTION}
    talk = layered(1, signed_then_ciphered(K.ONE_PASS), policy=EVERYTHING, client={"max_pdu_size": 500} | no_blocks)
    talk.shelf.put(CLOCK, octets(400))
    with pytest.raises(ServiceFailed, match="pdu-too-long"):
        talk.ask(Get(CLOCK))
    talk.shelf.put(CLOCK, octets(20))
    assert talk.ask(Get(CLOCK)) == octets(20)


# ---- answers mirror, as far as is demanded ---------------------------------------------------------------------------


@pytest.mark.parametrize("rights", [Protection(each) for each in range(8)], ids=str)
@pytest.mark.parametrize("policy", [0x00, 0x20, 0x60, 0x80, 0xE0])
def test_answers_apply_what_policy_and_rights_demand_and_nothing_else(policy: int, rights: Protection) -> None:
    wanted = Protection(policy >> 5) | rights
    talk = layered(1, signed_then_ciphered(), policy=SecurityPolicy(1, policy), client={"require": wanted})
    assert applied_in_answer(talk, rights) == wanted


def applied_in_answer(talk: Talk, rights: Protection) -> Protection:
    """What the server has applied, as the octets tell."""
    talk.shelf.response = rights
    talk.event(Get(REGISTER))
    answer, found = talk.answers[-1], Protection.NONE
    while answer[0] in (0xDD, 0xDF):
        if answer[0] == 0xDF:
            found, answer = found | SIGNED, split_signing(answer).content
            continue
        control = split_ciphering(answer).content[0]
        found |= Protection(control >> 4 & 3)
        if not control & 0x20:
            content = split_ciphering(answer).content
            answer = content[1:] if not control & 0x10 else content[5:-12]
            continue
        protection = GeneralProtection(
            own(CLIENT_TITLE, 1),
            list(fresh_parties(encryption_alone=True)),
            suite=material(1).suite,
            counters=type(talk.client.settings.counters)(),
            transactions=MemoryTransactionStore(),
            max_layers=1,
        )
        return found | inner_of(protection, answer)
    return found


def fresh_parties(**more: Any) -> Any:
    from cosemic.security.general import Party

    them = own(SERVER_TITLE, 1)
    assert them.signing_key is not None
    assert them.agreement_key is not None
    yield Party(
        title=SERVER_TITLE,
        key_infos=ALL,
        material=material(1),
        signing=them.signing_key.public,
        agreement=them.agreement_key.public,
        **more,
    )


def inner_of(protection: GeneralProtection, answer: bytes) -> Protection:
    """Whether a signed APDU lies inside a layer: with one layer only, that is refused."""
    try:
        protection.unprotect(answer)
    except DecipheringError:
        return SIGNED
    return Protection.NONE


def test_an_answer_that_needs_no_protection_keeps_its_layer_and_its_transaction_id() -> None:
    talk = layered(1, ciphered(K.STATIC), policy=SecurityPolicy(1, 0x0C), client={"require": Protection.NONE})
    assert talk.ask(Get(REGISTER)) == VALUE
    parts = split_ciphering(talk.answers[-1])
    assert parts.content[0] == 0x01
    assert parts.header.transaction_id == split_ciphering(talk.requests[-1]).header.transaction_id


def test_an_answer_as_protected_as_the_request_is_demanded_unless_the_settings_say_less() -> None:
    policy = SecurityPolicy(1, 0x7C)  # requests signed too, answers not
    with pytest.raises(PolicyViolation, match="signed"):
        layered(1, signed_then_ciphered(), policy=policy).ask(Get(REGISTER))
    assert layered(1, signed_then_ciphered(), policy=policy, client={"require": BOTH}).ask(Get(REGISTER)) == VALUE


# ---- the policy ------------------------------------------------------------------------------------------------------

REQUESTS = [Protection(each) for each in range(8)]


@pytest.mark.parametrize("demanded", REQUESTS, ids=str)
@pytest.mark.parametrize("applied", REQUESTS, ids=str)
def test_a_request_is_served_with_all_that_the_policy_demands(demanded: Protection, applied: Protection) -> None:
    kinds = [Layer(recipient=SERVER_TITLE, protection=applied & BOTH)]
    if applied & SIGNED:
        kinds.append(Layer(recipient=SERVER_TITLE, protection=SIGNED))
    policy = SecurityPolicy(1, int(demanded) << 2)
    talk = layered(1, LayerPlan(tuple(kinds)), policy=policy, client={"require": Protection.NONE})
    before = state_of(talk.server)
    alone = applied & BOTH == Protection.ENCRYPTED and demanded & BOTH != Protection.ENCRYPTED
    if demanded & ~applied or alone:
        with pytest.raises(ExceptionReceived):
            talk.ask(Get(REGISTER))
        assert talk.shelf.calls == []
        assert state_of(talk.server) == before
    else:
        assert talk.ask(Get(REGISTER)) == VALUE
        assert talk.shelf.protection == [applied]


@pytest.mark.parametrize("value", [0, 1, 2, 3])
def test_policies_of_version_0_hold_for_layers_too(value: int) -> None:
    talk = layered(1, ciphered(protection=Protection(value)), policy=SecurityPolicy(0, value))
    assert talk.ask(Get(REGISTER)) == VALUE
    if value == 3:
        with pytest.raises(ExceptionReceived):
            talk.ask(Get(REGISTER, layers=ciphered(protection=Protection.AUTHENTICATED)))


# ---- downgrades ------------------------------------------------------------------------------------------------------


@suites
def test_a_request_in_the_ciphered_form_is_refused_where_a_signature_is_demanded(suite: int) -> None:
    talk = layered(suite, signed_then_ciphered(), policy=EVERYTHING)
    before = state_of(talk.server)
    context = talk.client.context
    assert context is not None
    get = a.GetRequestNormal(a.InvokeIdAndPriority.of(3), REGISTER, None).encode()
    for apdu in (context.protect_apdu(get), context.protect_apdu(get, Envelope.GENERAL_GLO), get):
        talk.server.receive(apdu, talk.now)
        assert talk.server.octets_to_send() == bytes.fromhex("D80101")
    assert talk.shelf.calls == []
    assert state_of(talk.server) == before


@suites
@pytest.mark.parametrize("form", ["specific", "general", "clear"])
def test_an_answer_without_layers_is_refused_where_was_asked_in_layers(suite: int, form: str) -> None:
    talk = layered(suite, ciphered(K.ONE_PASS))

    def downgraded(apdu: bytes) -> bytes:
        context = talk.server.context
        assert context is not None
        plain = a.GetResponseNormal(talk.client._terms.invoke, octets(3)).encode()
        if form == "clear":
            return plain
        return context.protect_apdu(plain, Envelope.kind(dedicated=False, general=form == "general"))

    talk.to_client = downgraded
    event = talk.event(Get(REGISTER))
    assert isinstance(event, Failed)
    assert isinstance(event.error, PolicyViolation)
    changing = talk.event(Set(CLOCK, octets(3)))
    assert isinstance(changing, Failed)
    assert isinstance(changing.error, OutcomeUnknown)


def test_an_answer_in_layers_is_not_the_one_to_a_request_without() -> None:
    talk = layered(1)
    talk.ask(Get(REGISTER, layers=ciphered()))
    recorded = talk.answers[-1]
    talk.to_client = lambda apdu: recorded
    assert isinstance(talk.event(Get(REGISTER)), Failed)


def test_an_answer_in_the_ciphered_form_lacks_a_signature_that_the_settings_demand() -> None:
    talk = layered(1, client={"require": BOTH | SIGNED})
    with pytest.raises(PolicyViolation, match="signed"):
        talk.ask(Get(REGISTER))


# ---- forged, replayed, reflected -------------------------------------------------------------------------------------


@suites
@pytest.mark.parametrize("kind", sorted(ALL, key=lambda each: each.name), ids=lambda each: each.name)
@pytest.mark.parametrize("signed", [False, True], ids=["ciphered", "signed too"])
def test_what_was_served_is_not_served_again(suite: int, kind: K, signed: bool) -> None:
    talk = layered(suite, signed_then_ciphered(kind) if signed else ciphered(kind), client={"require": BOTH})
    talk.ask(Action(ECHO, octets(3)))
    before = state_of(talk.server)
    talk.server.receive(talk.requests[-1], talk.now)
    answer = talk.server.octets_to_send()
    assert answer[:2] == bytes.fromhex("D801")
    assert answer[2] == (6 if kind in (K.ABSENT, K.GLOBAL_UNICAST) else 5)
    assert len(talk.shelf.calls) == 1
    assert state_of(talk.server) == before


@suites
def test_what_was_served_is_not_served_in_the_next_association(suite: int) -> None:
    talk = layered(suite, ciphered(K.ONE_PASS))
    talk.ask(Action(ECHO, octets(3)))
    recorded = talk.requests[-1]
    again = Talk(talk.client.settings, talk.server.settings, talk.shelf)
    again.open()
    before = state_of(again.server)
    again.server.receive(recorded, again.now)
    assert again.server.octets_to_send() == bytes.fromhex("D80105")
    assert state_of(again.server) == before
    assert len(talk.shelf.calls) == 1


@suites
@pytest.mark.parametrize("kind", [K.GLOBAL_UNICAST, K.ONE_PASS, K.STATIC, K.WRAPPED], ids=lambda each: each.name)
def test_a_request_that_comes_back_is_no_answer(suite: int, kind: K) -> None:
    talk = layered(suite, signed_then_ciphered(kind))
    before: list[object] = []

    def reflected(apdu: bytes) -> bytes:
        before.append(state_of(talk.client))
        return talk.requests[-1]

    talk.to_client = reflected
    event = talk.event(Get(REGISTER))
    assert isinstance(event, Failed)
    assert isinstance(event.error, DecipheringError)
    assert [state_of(talk.client)] == before
    answer = talk.answers[-1]
    served = state_of(talk.server)
    talk.server.receive(answer, talk.now)
    assert talk.server.octets_to_send() == bytes.fromhex("D80105")
    assert state_of(talk.server) == served


@suites
@pytest.mark.parametrize("kind", [K.GLOBAL_UNICAST, K.ONE_PASS, K.STATIC], ids=lambda each: each.name)
def test_an_answer_to_another_transaction_is_refused(suite: int, kind: K) -> None:
    """What the server says in an association of the same keys, about another transaction."""
    talk = layered(suite, signed_then_ciphered(kind), policy=EVERYTHING)
    context = talk.server.context
    assert context is not None
    server = talk.server._layers_with(context)._protection
    before: list[object] = []

    def other(apdu: bytes) -> bytes:
        before.append(state_of(talk.client))
        plain = a.GetResponseNormal(talk.client._terms.invoke, octets(3)).encode()
        plan = LayerPlan(
            (
                Layer(recipient=CLIENT_TITLE, key_info=kind, transaction_id=bytes(7) + b"\1"),
                Layer(recipient=CLIENT_TITLE, protection=SIGNED, transaction_id=bytes(7) + b"\1"),
            )
        )
        return server.protect(plain, plan)

    talk.to_client = other
    event = talk.event(Get(REGISTER))
    assert isinstance(event, Failed)
    assert isinstance(event.error, DecipheringError)
    assert [state_of(talk.client)] == before


def server_says(talk: Talk, plain: bytes, *layers: Layer) -> bytes:
    """What the server of a talk could say in these layers."""
    context = talk.server.context
    assert context is not None
    return talk.server._layers_with(context)._protection.protect(plain, LayerPlan(layers))


@suites
def test_all_layers_of_an_answer_have_the_transaction_id_of_the_request(suite: int) -> None:
    talk = layered(suite, signed_then_ciphered(K.ONE_PASS), policy=EVERYTHING)

    def mixed(apdu: bytes) -> bytes:
        plain = a.GetResponseNormal(talk.client._terms.invoke, octets(3)).encode()
        outer = Layer(recipient=CLIENT_TITLE, transaction_id=read_header(talk.requests[-1])[0].transaction_id)
        inner = Layer(recipient=CLIENT_TITLE, protection=SIGNED, transaction_id=b"another")
        return server_says(talk, plain, outer, inner)

    talk.to_client = mixed
    event = talk.event(Get(REGISTER))
    assert isinstance(event, Failed)
    assert isinstance(event.error, DecipheringError)


def test_an_answer_that_comes_so_late_that_its_invoke_id_is_used_again_is_passed_over() -> None:
    talk = layered(1, ciphered(K.ONE_PASS))
    late: list[bytes] = []
    talk.to_client = late.append  # type: ignore[assignment]
    assert isinstance(talk.event(Get(REGISTER)), Failed)
    talk.to_client = lambda apdu: apdu
    invoke = talk.client._terms.invoke
    talk.shelf.put(REGISTER, octets(9))
    for _ in range(14):
        talk.ask(Get(REGISTER))
    talk.client.send(Get(REGISTER))
    assert talk.client._terms.invoke == invoke
    assert talk.client.receive(late[0], talk.now) == []
    (event,) = talk.step()
    assert event.result == octets(9)  # type: ignore[union-attr]


def test_an_error_in_layers_that_comes_late_is_passed_over() -> None:
    talk = layered(1, ciphered(K.GLOBAL_UNICAST))
    talk.ask(Get(CLOCK))
    earlier = Layer(recipient=CLIENT_TITLE, transaction_id=read_header(talk.requests[-1])[0].transaction_id)
    talk.client.send(Get(REGISTER))
    assert talk.client.receive(server_says(talk, bytes.fromhex("D80101"), earlier), talk.now) == []
    (event,) = talk.step()
    assert event.result == VALUE  # type: ignore[union-attr]


def test_what_a_request_with_an_agreed_key_proves_is_not_the_counter_of_the_global_key() -> None:
    talk = layered(1, ciphered(K.ONE_PASS))
    context = talk.client.context
    assert context is not None
    context.propose_counter(5000)
    talk.ask(Get(REGISTER))
    assert context.transmit.trying
    talk.ask(Get(REGISTER, layers=ciphered(K.GLOBAL_UNICAST)))
    assert not context.transmit.trying


def test_layers_are_not_served_where_general_protection_was_not_agreed_upon() -> None:
    both = layered(1, ciphered(K.ONE_PASS), opened=False)
    offered = ~Conformance.GENERAL_PROTECTION
    talk = Talk(both.client.settings, replace(both.server.settings, conformance=offered))
    talk.open()
    with pytest.raises(ServiceFailed, match="general-protection"):
        talk.ask(Get(REGISTER))
    other = layered(1, ciphered(K.ONE_PASS))
    other.client.send(Get(REGISTER))
    talk.server.receive(other.client.octets_to_send(), talk.now)
    assert talk.server.octets_to_send() == bytes.fromhex("D80202")


def test_an_answer_that_comes_late_is_passed_over_and_settles_what_it_answers() -> None:
    talk = layered(1, signed_then_ciphered(K.ONE_PASS), policy=EVERYTHING)
    late: list[bytes] = []

    def held(apdu: bytes) -> bytes | None:
        late.append(apdu)
        return None

    talk.to_client = held
    assert isinstance(talk.event(Get(REGISTER)), Failed)
    talk.to_client = lambda apdu: apdu
    talk.client.send(Get(CLOCK))
    assert talk.client.receive(late[0], talk.now) == []
    assert talk.client.busy
    (event,) = talk.step()
    assert event.result is DataAccessResult.OBJECT_UNDEFINED  # type: ignore[union-attr]


def test_an_answer_to_any_repetition_is_one_to_the_request() -> None:
    talk = layered(1, signed_then_ciphered(K.ONE_PASS), policy=EVERYTHING)
    talk.client.send(Get(REGISTER))
    first = talk.client.octets_to_send()
    layers = talk.client._layers
    assert layers is not None
    plain = a.GetRequestNormal(talk.client._terms.invoke, REGISTER, None).encode()
    layers.protect(plain, plain)  # and lost
    talk.server.receive(first, talk.now)
    (event,) = talk.client.receive(talk.server.octets_to_send(), talk.now)
    assert event.result == VALUE  # type: ignore[union-attr]


def test_over_a_medium_that_loses_it_a_request_is_repeated_and_served_once() -> None:
    more: dict[str, Any] = {
        "client": {"repetitions": 2, "repeat_changes": True},
        "server": {"keep_answers": True},
        "theirs": {"third_parties": ()},
    }
    fitting = layered(1, signed_then_ciphered(K.ONE_PASS), policy=EVERYTHING, opened=False, **more)
    talk = Talk(fitting.client.settings, fitting.server.settings)
    talk.client = client_association(fitting.client.settings)
    talk.open()
    lost: list[bytes] = []

    def once(apdu: bytes) -> bytes | None:
        lost.append(apdu)
        return None if len(lost) == 1 else apdu

    talk.to_client = once
    assert talk.ask(Action(ECHO, octets(3))).return_parameters == octets(3)
    assert len(lost) == 2
    assert len(talk.shelf.calls) == 1
    assert read_header(lost[0])[0].transaction_id != read_header(lost[1])[0].transaction_id


def test_nothing_that_has_to_be_signed_is_sent_to_all_stations() -> None:
    with pytest.raises(ConfigurationError, match="not signed"):
        to_all_stations(layered(1, signed_then_ciphered()).client.settings)
    assert to_all_stations(layered(1, ciphered()).client.settings).layers is None


@suites
def test_every_octet_of_a_request_is_vouched_for(suite: int) -> None:
    talk = layered(suite, signed_then_ciphered(K.WRAPPED), policy=EVERYTHING)
    talk.client.send(Get(REGISTER))
    apdu = talk.client.octets_to_send()
    before = state_of(talk.server)
    for at in range(len(apdu)):
        talk.server.receive(apdu[:at] + bytes((apdu[at] ^ 1,)) + apdu[at + 1 :], talk.now)
        answer = talk.server.octets_to_send()
        assert answer[:2] == b"\xd8\x01" or answer[:2] == b"\xd8\x02", at
        assert state_of(talk.server) == before, at
    assert talk.shelf.calls == []
    talk.server.receive(apdu, talk.now)
    assert len(talk.shelf.calls) == 1


@suites
def test_a_signature_of_another_party_is_refused(suite: int) -> None:
    """The client signs with a key that is not the one its title stands for, or under another title."""
    stranger = own(OTHER_TITLE, suite)
    for ours in ({"signing_key": stranger.signing_key}, {"agreement_key": stranger.agreement_key}):
        talk = layered(suite, signed_then_ciphered(K.STATIC), policy=EVERYTHING, ours=ours)
        before = state_of(talk.server)
        with pytest.raises(ExceptionReceived, match="deciphering-error"):
            talk.ask(Get(REGISTER))
        assert talk.shelf.calls == []
        assert state_of(talk.server) == before


@suites
def test_a_party_that_the_server_does_not_know_is_refused(suite: int) -> None:
    talk = layered(suite, signed_then_ciphered(K.ONE_PASS), theirs={"keys": keys(suite, THIRD_TITLE)})
    with pytest.raises(ExceptionReceived, match="deciphering-error"):
        talk.ask(Get(REGISTER))
    assert talk.shelf.calls == []


def test_a_key_info_that_is_not_permitted_is_refused() -> None:
    talk = layered(1, ciphered(K.WRAPPED), theirs={"key_infos": ALL - {K.WRAPPED}})
    with pytest.raises(ExceptionReceived, match="deciphering-error"):
        talk.ask(Get(REGISTER))


def test_a_server_without_parties_takes_no_layers() -> None:
    talk = layered(1, ciphered(), server={"parties": None})
    with pytest.raises(ExceptionReceived):
        talk.ask(Get(REGISTER))
    assert talk.shelf.calls == []


def test_a_tag_alone_under_the_global_key_is_no_proof_beside_hls_5() -> None:
    """f(StoC) is such a tag, over octets that a false server has chosen."""
    tag_alone = ciphered(protection=Protection.AUTHENTICATED)
    policy = SecurityPolicy(1, 0x04 | 0x60)
    talk = layered(
        1,
        tag_alone,
        policy=SecurityPolicy(1, 0),
        client={"require": Protection.NONE},
        mechanism=M.HLS_GMAC,
        opened=False,
    )
    with pytest.raises(CosemicError):
        talk.open()
    talk = layered(1, tag_alone, policy=policy, client={"require": BOTH}, mechanism=M.HLS_GMAC)
    assert talk.ask(Get(REGISTER)) == VALUE
    agreed = ciphered(K.ONE_PASS, Protection.AUTHENTICATED)
    talk = layered(1, agreed, policy=SecurityPolicy(1, 0x60), client={"require": BOTH}, mechanism=M.HLS_GMAC)
    assert talk.ask(Get(REGISTER)) == VALUE


def test_nor_is_one_of_the_server() -> None:
    """Of a policy whose answers are authenticated only."""
    policy = SecurityPolicy(1, 0x2C)
    anything: dict[str, Any] = {"policy": policy, "client": {"require": Protection.NONE}}
    assert layered(1, ciphered(), **anything).ask(Get(REGISTER)) == VALUE
    talk = layered(1, ciphered(), mechanism=M.HLS_GMAC, opened=False, **anything)
    with pytest.raises(PolicyViolation, match="beside HLS mechanism 5"):
        talk.open()


def test_what_came_under_the_broadcast_key_is_served_only_where_it_was_sent_to_all() -> None:
    plan = LayerPlan((Layer(recipient=b"", key_info=K.GLOBAL_BROADCAST),))
    infos = {"key_infos": ALL | {K.GLOBAL_BROADCAST}}
    talk = layered(1, ours=infos, theirs=infos)
    change = Set(CLOCK, octets(3), service_class=ServiceClass.UNCONFIRMED, layers=plan)
    talk.client.send(change)
    apdu = talk.client.octets_to_send()
    before = state_of(talk.server)
    talk.server.receive(apdu, talk.now)
    assert talk.shelf.calls == []
    assert state_of(talk.server) == before
    talk.server.receive_broadcast(apdu, talk.now)
    assert [kind for kind, _ in talk.shelf.calls] == ["set"]
    talk.server.octets_to_send()


# ---- a security context inside layers --------------------------------------------------------------------------------


@suites
@pytest.mark.parametrize("envelope", [None, Envelope.GENERAL_GLO], ids=["specific", "general"])
def test_what_is_signed_around_the_ciphered_form_is_served_and_answered_so(suite: int, envelope: Any) -> None:
    talk = layered(suite, policy=EVERYTHING, client={"layers": ciphered()})
    context = talk.client.context
    assert context is not None
    client = talk.client.settings.parties.protection(  # type: ignore[union-attr]
        CLIENT_TITLE,
        SERVER_TITLE,
        context.material,
        talk.client.settings.counters,
        dialect=STANDARD,
        encryption_alone=False,
        expand_to=0xFFFF,
    )
    get = a.GetRequestNormal(a.InvokeIdAndPriority.of(3), REGISTER, None).encode()
    sealed = context.protect_apdu(get, envelope)
    signing = LayerPlan((Layer(recipient=SERVER_TITLE, protection=SIGNED),))
    talk.server.receive(client.protect(sealed, signing), talk.now)
    assert talk.shelf.protection == [BOTH | SIGNED]
    answer = talk.server.octets_to_send()
    inner = client.unprotect(answer).apdu
    assert inner[0] == (0xCC if envelope is None else 0xDB)
    assert context.unprotect_apdu(inner).plaintext[0] == 0xC4
    before = state_of(talk.server)
    talk.server.receive(client.protect(sealed, signing), talk.now)  # signed anew around what came before
    assert talk.server.octets_to_send()[:3] == bytes.fromhex("D80106")
    assert len(talk.shelf.calls) == 1
    assert state_of(talk.server) == before


@suites
def test_a_client_that_signs_around_the_ciphered_form_is_served_and_answered_so(suite: int) -> None:
    signing = LayerPlan((Layer(recipient=SERVER_TITLE, protection=SIGNED),))
    sealed = {"sealed_inside": True, "max_pdu_size": 500}
    talk = layered(suite, signing, policy=EVERYTHING, client=sealed, server={"max_pdu_size": 500})
    assert talk.ask(Get(REGISTER)) == VALUE
    contents = [split_signing(apdu).content for apdu in (talk.requests[-1],)]
    assert tags(contents) == [0xC8]
    assert split_signing(talk.answers[-1]).content[0] == 0xCC
    assert talk.ask(Set(CLOCK, octets(900))) is DataAccessResult.SUCCESS
    assert talk.ask(Get(CLOCK)) == octets(900)
    assert talk.ask(Access((Get(REGISTER),))).results[0].data == VALUE
    assert max(map(len, talk.requests[1:] + talk.answers[1:])) <= 500
    assert set(talk.shelf.protection) == {BOTH | SIGNED}


def test_what_is_handed_on_has_no_ciphered_form_of_ours() -> None:
    talk = layered(1, ciphered(), policy=EVERYTHING, client={"sealed_inside": True})
    assert asked(third(), talk, Get(REGISTER)) == VALUE


# ---- third parties ---------------------------------------------------------------------------------------------------

BROKERED = SecurityPolicy(1, 0xFC)


@suites
@pytest.mark.parametrize("kind", [K.ONE_PASS, K.STATIC], ids=lambda each: each.name)
def test_a_third_party_asks_through_a_client_that_sees_nothing(suite: int, kind: K) -> None:
    talk = layered(suite, ciphered(), policy=BROKERED)
    seen: list[bytes] = []
    talk.client.observer = lambda sent, apdu: seen.append(apdu)
    asking = third(suite, signed_then_ciphered(kind))
    assert asked(asking, talk, Get(REGISTER)) == VALUE
    assert asked(asking, talk, Set(CLOCK, octets(40))) is DataAccessResult.SUCCESS
    answer = asked(asking, talk, Action(ECHO, octets(4)))
    assert (answer.result, answer.return_parameters) == (ActionResult.SUCCESS, octets(4))
    assert talk.shelf.protection == [BOTH | SIGNED] * 3
    assert all(REGISTER.encode() not in apdu and VALUE.octets not in apdu for apdu in seen)


def test_a_third_party_reads_a_long_value_block_by_block() -> None:
    talk = layered(1, ciphered(), policy=BROKERED, client={"max_pdu_size": 1000}, server={"max_pdu_size": 1000})
    asking = third(1, max_pdu_size=800)
    assert asked(asking, talk, Set(CLOCK, octets(2500))) is DataAccessResult.SUCCESS
    assert asked(asking, talk, Get(CLOCK)) == octets(2500)
    assert max(map(len, talk.answers[1:])) <= 1000


def test_nobody_goes_on_with_what_another_has_begun() -> None:
    talk = layered(1, ciphered(), policy=SecurityPolicy(1, 0x6C), client={"max_pdu_size": 1000})
    talk.shelf.put(CLOCK, octets(2500))
    asking = third(1, ciphered(K.ONE_PASS), max_pdu_size=800)
    asking.send(Get(CLOCK))
    asking.receive(talk.ask(PassOn(asking.octets_to_send())))
    assert asking.octets_to_send()
    context = talk.client.context
    assert context is not None
    following = a.GetRequestNext(a.InvokeIdAndPriority.of(1), 1).encode()
    talk.server.receive(context.protect_apdu(following), talk.now)
    plain = context.unprotect_apdu(talk.server.octets_to_send()).plaintext
    response = a.GetResponse.decode(plain)
    assert response.result.result is DataAccessResult.LONG_GET_ABORTED


@suites
def test_a_kind_that_nobody_has_applied_is_applied_for_all(suite: int) -> None:
    """Requests need no signature, answers do."""
    talk = layered(suite, ciphered(), policy=SecurityPolicy(1, 0xEC))
    asking = third(suite, ciphered(K.ONE_PASS), require=BOTH | SIGNED)
    assert asked(asking, talk, Get(REGISTER)) == VALUE


@suites
def test_a_third_party_signs_and_the_client_enciphers(suite: int) -> None:
    signing = LayerPlan((Layer(recipient=SERVER_TITLE, protection=SIGNED),))
    talk = layered(suite, ciphered(), policy=EVERYTHING)
    assert asked(third(suite, signing), talk, Get(REGISTER)) == VALUE
    assert talk.shelf.protection == [BOTH | SIGNED]


@suites
def test_what_the_client_has_sealed_is_not_what_a_third_party_asks(suite: int) -> None:
    """A third party signs around a request that the client had meant otherwise."""
    talk = layered(suite, ciphered(), policy=BROKERED)
    context = talk.client.context
    assert context is not None
    act = a.ActionRequestNormal(a.InvokeIdAndPriority.of(3), ECHO, None).encode()
    signing = LayerPlan((Layer(recipient=SERVER_TITLE, protection=SIGNED),))
    apdu = third(suite).settings.protection().protect(context.protect_apdu(act), signing)
    with pytest.raises(OutcomeUnknown, match="deciphering-error"):
        talk.ask(PassOn(apdu))
    assert talk.shelf.calls == []


def test_an_answer_for_one_third_party_is_not_handed_to_another() -> None:
    talk = layered(1, ciphered(), policy=SecurityPolicy(1, 0x6C), ours={"brokers_for": (THIRD_TITLE, OTHER_TITLE)})
    asking = third(1, ciphered(K.ONE_PASS))
    asking.send(Get(REGISTER))
    for title, handed_on in ((THIRD_TITLE, True), (OTHER_TITLE, False)):
        # Nobody but the third party looks at its signature.
        for_it = (
            bytes.fromhex("DF0101") + b"\x08" + SERVER_TITLE + b"\x08" + title + bytes.fromhex("00000501020304 0500")
        )

        def redirected(answer: bytes, for_it: bytes = for_it) -> bytes:
            asked_for = read_header(talk.requests[-1])[0].transaction_id
            return server_says(talk, for_it, Layer(recipient=CLIENT_TITLE, transaction_id=asked_for))

        talk.to_client = redirected
        event = talk.event(PassOn(asking.octets_to_send() or talk.requests[-1]) if handed_on else PassOn(third_apdu()))
        assert isinstance(event, Failed) is not handed_on


def third_apdu() -> bytes:
    asking = third(1, ciphered(K.ONE_PASS))
    asking.send(Get(REGISTER))
    return asking.octets_to_send()


def test_the_blocks_of_one_request_come_from_one_party() -> None:
    talk = layered(1, ciphered(), policy=SecurityPolicy(1, 0x6C))
    asking = third(1, ciphered(K.ONE_PASS), max_pdu_size=800)
    plain: list[bytes] = []
    protect = asking._layers.protect
    asking._layers.protect = lambda sealed, apdu: plain.append(apdu) or protect(sealed, apdu)  # type: ignore
    asking.send(Set(CLOCK, octets(1000)))
    asking.receive(talk.ask(PassOn(asking.octets_to_send())))
    assert a.SetRequest.decode(plain[1]).datablock.last_block
    context = talk.client.context
    assert context is not None
    talk.server.receive(context.protect_apdu(plain[1]), talk.now)
    refused = a.SetResponse.decode(context.unprotect_apdu(talk.server.octets_to_send()).plaintext)
    assert refused.result is not DataAccessResult.SUCCESS
    assert talk.shelf.calls == []


def test_a_third_party_takes_the_answer_to_what_it_asks_and_no_other() -> None:
    talk = layered(1, ciphered(), policy=BROKERED)
    asking = third()
    asking.send(Get(REGISTER))
    late = talk.ask(PassOn(asking.octets_to_send()))
    asking.cancel()
    asking.send(Get(CLOCK))
    asked_for = read_header(asking.octets_to_send())[0].transaction_id
    assert asking.receive(late) == []
    assert asking.busy
    layers = (
        Layer(recipient=THIRD_TITLE, transaction_id=asked_for),
        Layer(recipient=THIRD_TITLE, protection=SIGNED, transaction_id=asked_for),
    )
    wrong = server_says(talk, a.GetResponseNormal(a.InvokeIdAndPriority.of(9), VALUE).encode(), *layers)
    (event,) = asking.receive(wrong)
    assert isinstance(event, Failed)
    assert isinstance(event.error, ProtocolError)


@pytest.mark.parametrize("rule", TransactionIds, ids=lambda each: each.value)
def test_what_is_not_authenticated_locks_nobody_out(rule: TransactionIds) -> None:
    """Under C(0e,2s) any transaction-id gives a key, and what comes of it may look like an APDU."""
    encrypted = Protection.ENCRYPTED
    talk = layered(
        1,
        ciphered(K.STATIC),
        policy=SecurityPolicy(0, 2),
        dialect=STANDARD.but(transaction_ids=rule),
        client={"protection": encrypted, "require": encrypted},
    )
    talk.ask(Get(REGISTER))
    talk.client.send(Get(REGISTER))
    request = talk.client.octets_to_send()
    header = read_header(request)[0]
    protection = talk.server._layers._protection  # type: ignore[union-attr]
    for number in range(256):
        content = bytes((0x21, 0, 0, 0, 0, number, *bytes(12)))
        forged = assemble(header.encode(), KeyInfo(K.STATIC), content)
        with suppress(DecipheringError):
            protection.unprotect(forged)
            break
    else:
        raise AssertionError("none looked like an APDU")
    talk.server.receive(request, talk.now)
    (event,) = talk.client.receive(talk.server.octets_to_send(), talk.now)
    assert event.result == VALUE  # type: ignore[union-attr]


def test_a_third_party_does_not_confirm_what_the_client_was_notified_of() -> None:
    talk = layered(1, ciphered(), policy=BROKERED)
    confirmation = a.DataNotificationConfirm(a.LongInvokeIdAndPriority.of(2), b"").encode()
    talk.client.send(PassOn(third().settings.protection().protect(confirmation, signed_then_ciphered(K.ONE_PASS))))
    assert talk.server.receive(talk.client.octets_to_send(), talk.now) == []


def _signing_keys_only(*titles: bytes) -> KnownPartyKeys:
    return KnownPartyKeys({title: key for title in titles if (key := keys(1, title).signing_key_of(title))})


def test_nothing_is_executed_whose_answer_could_not_be_enciphered_for_a_third_party() -> None:
    """It signs alone, answers are to be enciphered, and its key for key agreement is not known."""
    signing = LayerPlan((Layer(recipient=SERVER_TITLE, protection=SIGNED),))
    known = {"keys": _signing_keys_only(CLIENT_TITLE, THIRD_TITLE)}
    talk = layered(1, signing, policy=SecurityPolicy(1, 0x70), theirs=known, client={"require": BOTH})
    assert talk.ask(Get(REGISTER)) == VALUE
    talk.shelf.calls.clear()
    with pytest.raises(OutcomeUnknown, match="operation-not-possible"):
        asked(third(1, signing), talk, Action(ECHO, octets(5)))
    assert talk.shelf.calls == []


def test_nothing_is_executed_whose_answer_the_rights_want_signed_without_a_key_to_sign() -> None:
    talk = layered(1, ciphered(), theirs={"signing_key": None})
    assert talk.ask(Get(REGISTER)) == VALUE
    seen: list[bool] = []
    talk.shelf._note = lambda kind, what, access: seen.append(access.signable)  # type: ignore[method-assign]
    talk.ask(Get(REGISTER))
    assert seen == [False]


class _Coming:
    """A handle of a private key whose certificate comes later."""

    def __init__(self, key: Any) -> None:
        self._key = key
        self.certified = False

    @property
    def public(self) -> Any:
        if not self.certified:
            raise CertificateError("there is no certificate of our own yet")
        return self._key.public

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)  # type: ignore[no-any-return]


def test_an_own_key_that_is_certified_while_the_association_stands_is_used() -> None:
    coming = _Coming(own(SERVER_TITLE, 1).signing_key)
    talk = layered(1, ciphered(), theirs={"signing_key": coming})
    assert talk.ask(Get(REGISTER)) == VALUE
    talk.shelf.response = SIGNED
    talk.client.settings = replace(talk.client.settings, require=BOTH | SIGNED)
    coming.certified = True
    assert talk.ask(Get(REGISTER, layers=signed_then_ciphered())) == VALUE


def test_a_third_party_may_be_certified_later() -> None:
    coming = _Coming(own(THIRD_TITLE, 1).signing_key)
    talk = layered(1, ciphered(), policy=BROKERED)
    asking = third(1, signing_key=coming)
    with pytest.raises(ConfigurationError, match="no digital signature key"):
        asking.send(Get(REGISTER))
    coming.certified = True
    assert asked(asking, talk, Get(REGISTER)) == VALUE


def test_the_signature_of_the_client_is_not_that_of_the_third_party() -> None:
    talk = layered(1, signed_then_ciphered(), policy=SecurityPolicy(1, 0x7C))
    before = state_of(talk.server)
    with pytest.raises(OutcomeUnknown, match="operation-not-possible"):
        asked(third(1, ciphered(K.ONE_PASS)), talk, Get(REGISTER))
    assert talk.shelf.calls == []
    assert state_of(talk.server) == before


def test_a_third_party_vouches_for_its_request_itself() -> None:
    bare = LayerPlan((Layer(recipient=SERVER_TITLE, protection=Protection.NONE),))
    talk = layered(1, ciphered(), policy=SecurityPolicy(1, 0x6C))
    with pytest.raises(OutcomeUnknown, match="operation-not-possible"):
        asked(third(1, bare), talk, Get(REGISTER))
    assert talk.shelf.calls == []


def test_what_comes_of_a_third_party_alone_is_not_served_where_the_policy_protects_requests() -> None:
    talk = layered(1, ciphered(), policy=BROKERED)
    asking = third()
    asking.send(Action(ECHO, octets(3)))
    before = state_of(talk.server)
    talk.server.receive(asking.octets_to_send(), talk.now)
    assert talk.server.octets_to_send() == bytes.fromhex("D80101")
    assert state_of(talk.server) == before
    assert talk.shelf.calls == []


@suites
def test_a_third_party_that_the_server_does_not_know_is_refused(suite: int) -> None:
    talk = layered(suite, ciphered(), policy=BROKERED, ours={"brokers_for": (OTHER_TITLE,)})
    before = state_of(talk.server)
    with pytest.raises(OutcomeUnknown, match="deciphering-error"):
        asked(third(suite, title=OTHER_TITLE), talk, Get(REGISTER))
    assert state_of(talk.server) == before
    assert talk.shelf.calls == []


def test_what_a_third_party_has_asked_is_served_once_whoever_brings_it() -> None:
    talk = layered(1, ciphered(), policy=BROKERED)
    asking = third()
    asking.send(Action(ECHO, octets(3)))
    apdu = asking.octets_to_send()
    talk.ask(PassOn(apdu))
    before = known_to(talk.server.settings.parties.transactions)  # type: ignore[union-attr]
    with pytest.raises(OutcomeUnknown, match="deciphering-error"):
        talk.ask(PassOn(apdu))
    assert len(talk.shelf.calls) == 1
    assert known_to(talk.server.settings.parties.transactions) == before  # type: ignore[union-attr]


def test_answers_to_third_parties_do_not_get_mixed_up() -> None:
    talk = layered(1, ciphered(), policy=BROKERED)
    one, other = third(), third()
    one.send(Get(REGISTER))
    other.send(Get(CLOCK))
    first = talk.ask(PassOn(one.octets_to_send()))
    second = talk.ask(PassOn(other.octets_to_send()))
    (failed,) = one.receive(second)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DecipheringError)
    (failed,) = other.receive(first)
    assert isinstance(failed, Failed)


def test_an_answer_for_a_third_party_is_none_for_the_client() -> None:
    talk = layered(1, ciphered(), policy=BROKERED)
    asking = third()
    asking.send(Get(REGISTER))
    talk.ask(PassOn(asking.octets_to_send()))
    recorded = talk.answers[-1]
    talk.to_client = lambda apdu: recorded
    assert isinstance(talk.event(Get(REGISTER)), Failed)


def test_a_client_hands_on_only_for_those_it_knows_and_in_layers_of_its_own() -> None:
    asking = third()
    asking.send(Get(REGISTER))
    apdu = asking.octets_to_send()
    with pytest.raises(ConfigurationError, match="brokers_for"):
        layered(1, ciphered(), ours={"brokers_for": ()}).ask(PassOn(apdu))
    with pytest.raises(ConfigurationError, match="layers of our own"):
        layered(1).ask(PassOn(apdu))
    assert layered(1, policy=SecurityPolicy(1, 0x6C)).ask(PassOn(apdu, layers=ciphered()))[0] == 0xDD


# ---- rights ----------------------------------------------------------------------------------------------------------


def test_a_client_asks_for_nothing_less_protected_than_the_rights_it_knows() -> None:
    signing = AttributeAccess(True, False, Requirement(SIGNED, SIGNED))
    place = REGISTER.class_id, REGISTER.instance_id, REGISTER.attribute_id
    method = (ECHO.class_id, ECHO.instance_id, ECHO.method_id)
    rights = ListedRights({place: signing}, {method: MethodAccess(True, Requirement(SIGNED))})
    talk = layered(1, client={"rights": rights})
    for request in (Get(REGISTER), GetList(listed(CLOCK, REGISTER)), Access((Get(REGISTER),)), Action(ECHO, octets(1))):
        with pytest.raises(PolicyViolation, match="the request is not signed"):
            talk.client.send(request)
    assert len(talk.requests) == 1
    assert talk.ask(Get(CLOCK)) is DataAccessResult.OBJECT_UNDEFINED
    talk.shelf.response = SIGNED
    assert talk.ask(Get(REGISTER, layers=signed_then_ciphered())) == VALUE
    talk.shelf.response = Protection.NONE
    with pytest.raises(PolicyViolation, match="the answer is not signed"):
        talk.ask(Get(REGISTER, layers=signed_then_ciphered()))


def test_rights_are_held_against_answers_without_layers_too() -> None:
    encrypted = AttributeAccess(True, False, Requirement(Protection.NONE, Protection.ENCRYPTED))
    place = REGISTER.class_id, REGISTER.instance_id, REGISTER.attribute_id
    tag_alone: dict[str, Any] = {"protection": Protection.AUTHENTICATED}
    talk = layered(1, policy=SecurityPolicy(0, 1), client=tag_alone | {"rights": ListedRights({place: encrypted}, {})})
    with pytest.raises(PolicyViolation, match="the answer is not encrypted"):
        talk.ask(Get(REGISTER))
    talk.shelf.response = Protection.ENCRYPTED
    assert talk.ask(Get(REGISTER)) == VALUE


# ---- what the server sends of its own accord -------------------------------------------------------------------------

DATA = a.DataNotification(
    a.LongInvokeIdAndPriority.of(1, service_class=ServiceClass.UNCONFIRMED), b"", octets(5)
).encode()
CONFIRMED = a.DataNotification(
    a.LongInvokeIdAndPriority.of(2, service_class=ServiceClass.CONFIRMED), b"", octets(5)
).encode()


def test_notifications_have_the_ciphered_form_where_nothing_has_to_be_signed() -> None:
    talk = layered(1, ciphered())
    talk.server.send(DATA)
    apdu = talk.server.octets_to_send()
    assert apdu[0] == 0xDB
    (event,) = talk.client.receive(apdu, talk.now)
    assert isinstance(event, Notified)


@suites
def test_notifications_are_signed_where_the_policy_signs_answers(suite: int) -> None:
    talk = layered(suite, signed_then_ciphered(K.ONE_PASS), policy=EVERYTHING)
    talk.server.send(DATA)
    apdu = talk.server.octets_to_send()
    assert apdu[0] == 0xDD
    (event,) = talk.client.receive(apdu, talk.now)
    assert isinstance(event, Notified)
    assert (event.system_title, event.protection, event.authenticated) == (SERVER_TITLE, BOTH | SIGNED, True)
    before = state_of(talk.client)
    assert talk.client.receive(apdu, talk.now) == []
    assert state_of(talk.client) == before
    assert talk.ask(Get(REGISTER)) == VALUE


def test_a_notification_in_layers_is_confirmed_in_layers() -> None:
    talk = layered(1, signed_then_ciphered(K.ONE_PASS), policy=EVERYTHING)
    talk.server.send(CONFIRMED)
    (event,) = talk.client.receive(talk.server.octets_to_send(), talk.now)
    assert isinstance(event, Notified)
    confirmation = talk.client.octets_to_send()
    assert confirmation[0] == 0xDD
    (confirmed,) = talk.server.receive(confirmation, talk.now)
    assert isinstance(confirmed, NotificationConfirmed)


def test_a_notification_in_layers_disturbs_no_request() -> None:
    talk = layered(1, signed_then_ciphered(), policy=EVERYTHING)
    talk.client.send(Get(REGISTER))
    request = talk.client.octets_to_send()
    talk.server.send(DATA)
    (event,) = talk.client.receive(talk.server.octets_to_send(), talk.now)
    assert isinstance(event, Notified)
    talk.server.receive(request, talk.now)
    (done,) = talk.client.receive(talk.server.octets_to_send(), talk.now)
    assert done.result == VALUE  # type: ignore[union-attr]


def test_a_long_notification_in_layers_is_cut() -> None:
    talk = layered(1, signed_then_ciphered(), policy=EVERYTHING, client={"max_pdu_size": 100, "general_blocks": True})
    long = a.DataNotification(a.LongInvokeIdAndPriority.of(1), b"", octets(300)).encode()
    talk.server.send(long)
    events: list[Any] = []
    while apdu := talk.server.octets_to_send():
        assert apdu[0] == 0xE0
        events += talk.client.receive(apdu, talk.now)
    (event,) = events
    assert event.protection == BOTH | SIGNED


def test_a_notification_that_is_less_protected_than_the_settings_demand_is_passed_over() -> None:
    talk = layered(1, ciphered(), client={"require": BOTH})
    context = talk.server.context
    assert context is not None
    weak = LayerPlan((Layer(recipient=CLIENT_TITLE, protection=Protection.AUTHENTICATED),))
    apdu = talk.server._layers_with(context)._protection.protect(DATA, weak)
    assert talk.client.receive(apdu, talk.now) == []


@pytest.mark.parametrize("asked_for", [0, 1], ids=["earlier", "last"])
@pytest.mark.parametrize("under_way", [False, True], ids=["idle", "under-way"])
def test_the_transaction_id_of_a_request_makes_no_notification_believed(asked_for: int, under_way: bool) -> None:
    talk = layered(1, ciphered())
    talk.ask(Get(REGISTER))
    talk.ask(Get(REGISTER))
    transaction_id = read_header(talk.requests[asked_for - 2])[0].transaction_id
    if under_way:
        talk.client.send(Get(REGISTER))
    before = state_of(talk.client)
    events = talk.client.receive(by_anybody(DATA, transaction_id), talk.now)
    assert not any(isinstance(event, Notified) for event in events)
    assert state_of(talk.client) == before


def test_a_notification_is_held_against_its_own_demands() -> None:
    """The request was signed alone, and its transaction-id is that of the notification."""
    signing = LayerPlan((Layer(recipient=SERVER_TITLE, protection=SIGNED),))
    talk = layered(1, signing, policy=SecurityPolicy(1, 0x90))
    talk.to_client = lambda apdu: None
    assert isinstance(talk.event(Get(REGISTER)), Failed)
    transaction_id = read_header(talk.requests[-1])[0].transaction_id
    weak = LayerPlan((Layer(recipient=CLIENT_TITLE, protection=SIGNED, transaction_id=transaction_id),))
    context = talk.server.context
    assert context is not None
    meter = talk.server._layers_with(context)._protection
    assert talk.client.receive(meter.protect(DATA, weak), talk.now) == []
    enough = LayerPlan((Layer(recipient=CLIENT_TITLE, transaction_id=transaction_id), *weak.layers))
    (event,) = talk.client.receive(meter.protect(DATA, enough), talk.now)
    assert isinstance(event, Notified)


def test_a_late_answer_settles_nothing_unless_it_is_protected_as_was_demanded() -> None:
    talk = layered(1, ciphered())
    talk.to_client = lambda apdu: None
    for _ in range(2):
        assert isinstance(talk.event(Get(REGISTER)), Failed)
    owed = list(talk.client._owed)
    assert len(owed) == 2
    transaction_id = read_header(talk.requests[-2])[0].transaction_id
    late = a.GetResponseNormal(owed[1], VALUE).encode()  # type: ignore[arg-type]
    assert talk.client.receive(by_anybody(late, transaction_id), talk.now) == []
    assert talk.client._owed == owed


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "changed"),
    [
        ("client", {"server_title": None}),
        ("client", {"parties": None}),
        ("client", {"layers": LayerPlan((Layer(recipient=OTHER_TITLE),))}),
        ("client", {"layers": LayerPlan(())}),
        ("client", {"dialect": STANDARD.but(quirks=frozenset({Quirk.CIPHERED_BLOCKS}))}),
        ("client", {"conformance": Conformance.GET}),
        ("server", {"parties": parties(SERVER_TITLE, 1, signing_key=None)}),
        ("server", {"parties": None}),
        ("server", {"keep_answers": True}),
        ("server", {"dialect": STANDARD.but(quirks=frozenset({Quirk.CIPHERED_BLOCKS}))}),
        ("server", {"parties": parties(SERVER_TITLE, 2)}),
    ],
    ids=lambda each: each if isinstance(each, str) else "-".join(each),
)
def test_settings_that_do_not_go_together(side: str, changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        layered(1, signed_then_ciphered(), policy=EVERYTHING, opened=False, **{side: changed})


def test_a_transaction_id_that_is_asked_for_is_echoed() -> None:
    plan = LayerPlan((Layer(recipient=SERVER_TITLE, transaction_id=b"\x11\x22"),))
    talk = layered(1)
    assert talk.ask(Get(REGISTER, layers=plan)) == VALUE
    assert read_header(talk.answers[-1])[0].transaction_id == b"\x11\x22"


def test_a_pre_established_association_has_layers_too() -> None:
    beforehand = PreEstablished()
    talk = layered(
        1,
        signed_then_ciphered(K.STATIC),
        policy=EVERYTHING,
        client={"pre_established": beforehand},
        server={"pre_established": beforehand, "client_title": CLIENT_TITLE},
    )
    assert talk.ask(Get(REGISTER)) == VALUE
    assert tags(talk.requests) == [0xDD]


# ---- any octets ------------------------------------------------------------------------------------------------------


@cache
def standing() -> Talk:
    return layered(1, signed_then_ciphered(K.ONE_PASS), policy=EVERYTHING)


@given(st.sampled_from([0xDD, 0xDF]), st.binary(max_size=200))
def test_any_octets_are_answered_with_an_error_and_change_nothing(tag: int, octets_: bytes) -> None:
    talk = standing()
    before = state_of(talk.server), state_of(talk.client)
    assert talk.server.receive(bytes((tag,)) + octets_, talk.now) == []
    assert talk.server.octets_to_send()[:2] == bytes.fromhex("D801")
    assert talk.client.receive(bytes((tag,)) + octets_, talk.now) == []
    assert (state_of(talk.server), state_of(talk.client)) == before
    assert talk.shelf.calls == []


@given(st.data())
def test_any_change_of_layers_is_refused(draw: st.DataObject) -> None:
    """Octets changed, cut out, put in or exchanged anywhere in a request that is good otherwise."""
    talk = standing()
    if talk.client.busy:
        talk.client.cancel()
        talk.client._owed.clear()
    talk.client.send(Get(REGISTER))
    apdu = talk.client.octets_to_send()
    at, to = sorted(draw.draw(st.tuples(*[st.integers(0, len(apdu))] * 2)))
    changed = apdu[:at] + draw.draw(st.binary(max_size=20)) + apdu[to:]
    assume(changed != apdu and changed[:1] in (b"\xdd", b"\xdf"))
    before = state_of(talk.server)
    talk.server.receive(changed, talk.now)
    assert talk.server.octets_to_send()[:2] == bytes.fromhex("D801")
    assert state_of(talk.server) == before
    assert talk.shelf.calls == []
