"""Protection of whole associations: what was changed, replayed or stripped is refused, and nothing changes by it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.control import State
from cosemic.association.exchanges import client_conformance
from cosemic.association.requests import Action, Completed, Failed, Get, Open, Release, Request, Set
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, CipheredForm
from cosemic.errors import (
    CosemicError,
    DecipheringError,
    DecodeError,
    InvocationCounterError,
    OutcomeUnknown,
    PolicyViolation,
    SecurityError,
)
from cosemic.security import Envelope, Protection, SecurityContext, SecurityPolicy
from cosemic.values import Secret
from tests.association.notification_samples import due
from tests.association.samples import (
    AK,
    BOTH,
    CLIENT_TITLE,
    ECHO,
    EK,
    OTHER_TITLE,
    PASSWORD,
    REGISTER,
    SERVER_TITLE,
    VALUE,
    M,
    Talk,
    material,
    octets,
    secure,
    settings,
    talk,
)
from tests.association.short_name_samples import sn_talk

FORMS = {
    "glo": (CipheredForm.SERVICE_SPECIFIC, False),
    "ded": (CipheredForm.SERVICE_SPECIFIC, True),
    "general-glo": (CipheredForm.GENERAL, False),
    "general-ded": (CipheredForm.GENERAL, True),
}
forms = pytest.mark.parametrize("form", FORMS)
authenticated = pytest.mark.parametrize(
    ("form", "protection"),
    [(form, BOTH) for form in FORMS] + [(form, Protection.AUTHENTICATED) for form in FORMS if not FORMS[form][1]],
)
"""Every form with a tag; a dedicated key is only sent encrypted."""
PLAINTEXT = b"a word that nobody else may read"
SECRET_VALUE = EncodedData.of(DataType.OCTET_STRING, PLAINTEXT)


def protected(form: str, protection: Protection = BOTH, mechanism: M = M.LOWEST, **more: Any) -> Talk:
    ciphered_form, dedicated = FORMS[form]
    policy = SecurityPolicy(0, int(protection))
    client = {"protection": protection, "dedicated_key": dedicated and protection == BOTH}
    dialect = STANDARD.but(ciphered_form=ciphered_form)
    return talk(mechanism, ciphered=True, policy=policy, client=client, dialect=dialect, **more)


def flips(octets_: bytes) -> Iterator[bytes]:
    """Every octet string that differs in one bit."""
    for bit in range(len(octets_) * 8):
        changed = bytearray(octets_)
        changed[bit // 8] ^= 0x80 >> bit % 8
        yield bytes(changed)


def counters(conversation: Talk) -> tuple[int, int]:
    """Lowest counters that server and client accept."""
    identity = material().encryption_key.identity
    server, client = conversation.server.settings.counters, conversation.client.settings.counters
    return server.lowest_acceptable(identity, CLIENT_TITLE), client.lowest_acceptable(identity, SERVER_TITLE)


@authenticated
def test_no_request_with_a_flipped_bit_is_executed(form: str, protection: Protection) -> None:
    conversation = protected(form, protection)
    conversation.client.send(Set(REGISTER, VALUE))
    request = conversation.client.octets_to_send()
    before = counters(conversation)
    refusals = set()
    for changed in flips(request):
        assert conversation.server.receive(changed, 0.0) == []
        refusals.add(conversation.server.octets_to_send()[:3].hex())
        assert conversation.server.octets_to_send() == b""
    assert refusals <= {"d80101", "d80105", "d80106", "d80202"}
    assert conversation.shelf.calls == []
    assert counters(conversation) == before
    assert conversation.server.state is State.ASSOCIATED
    # The untouched one is still good, so that nothing was locked out.
    conversation.server.receive(request, 0.0)
    (event,) = conversation.client.receive(conversation.server.octets_to_send(), 0.0)
    assert isinstance(event, Completed)
    assert len(conversation.shelf.calls) == 1


@authenticated
def test_no_answer_with_a_flipped_bit_is_believed(form: str, protection: Protection) -> None:
    conversation = protected(form, protection)
    conversation.shelf.put(REGISTER, EncodedData.of(DataType.UNSIGNED, 5))
    length = bit = 0
    while bit <= length * 8:

        def flip(answer: bytes, bit: int = bit) -> bytes:
            nonlocal length
            length = len(answer) - 1
            changed = bytearray(answer)
            changed[bit // 8] ^= 0x80 >> bit % 8
            return bytes(changed)

        conversation.to_client = flip
        event = conversation.event(Get(REGISTER))
        assert isinstance(event, Failed), bit
        assert isinstance(event.error, CosemicError)
        bit += 1
        if bit % 8 == 0:  # nothing was locked out, and no answer is owed any more
            conversation.to_client = lambda answer: answer
            assert conversation.ask(Get(REGISTER)).value() == 5


@forms
def test_a_change_whose_answer_was_tampered_with_has_an_unknown_outcome(form: str) -> None:
    conversation = protected(form)
    conversation.to_client = lambda answer: answer[:-1] + bytes((answer[-1] ^ 1,))
    for request in (Set(REGISTER, VALUE), Action(ECHO, VALUE)):
        event = conversation.event(request)
        assert isinstance(event, Failed)
        assert isinstance(event.error, OutcomeUnknown)
        assert isinstance(event.error.__cause__, DecipheringError)
    conversation.to_client = lambda answer: answer
    assert conversation.ask(Set(REGISTER, VALUE)) == 0


def test_no_flipped_bit_in_a_ciphered_aarq_opens_an_association() -> None:
    """Of the fields outside the InitiateRequest those that are not judged change nothing that is agreed upon."""
    conversation = secure(opened=False)
    conversation.client.send(Open())
    aarq = conversation.client.octets_to_send()
    information = a.AARQ.decode(aarq).user_information
    assert information is not None
    start = len(aarq) - len(information)
    assert aarq[start] == 0x21
    for changed in flips(aarq[start:]):
        conversation.server.receive(aarq[:start] + changed, 0.0)
        conversation.server.octets_to_send()
        assert conversation.server.state is State.IDLE
    assert counters(conversation) == (0, 0)
    conversation.server.receive(aarq, 0.0)
    assert conversation.server.state is State.ASSOCIATION_PENDING
    conversation.client.cancel()


def test_no_flipped_bit_in_the_initiate_response_is_believed() -> None:
    sample = secure().answers[0]
    information = a.AARE.decode(sample).user_information
    assert information is not None
    start = len(information)
    assert information[0] == 0x28
    for bit in range(start * 8):
        conversation = secure(opened=False)

        def flip(answer: bytes, bit: int = bit) -> bytes:
            place = len(answer) - start + bit // 8
            return answer[:place] + bytes((answer[place] ^ 0x80 >> bit % 8,)) + answer[place + 1 :]

        conversation.to_client = flip
        event = conversation.event(Open())
        assert isinstance(event, Failed)
        assert len(conversation.requests) == 1
        assert conversation.client.state is State.IDLE


# ---- replay ---------------------------------------------------------------------------------------------------------


@forms
def test_a_replayed_request_is_refused_and_says_which_counter_is_right(form: str) -> None:
    conversation = protected(form)
    conversation.ask(Set(REGISTER, VALUE))
    conversation.ask(Set(REGISTER, octets(3)))
    calls = len(conversation.shelf.calls)
    for old in conversation.requests[1:]:
        assert conversation.server.receive(old, 0.0) == []
        answer = conversation.server.octets_to_send()
        assert answer[:3] == bytes.fromhex("d80106")
        last = conversation.requests[-1]
        counter = 6 + last.index(b"\x30", 2) - 5
        assert int.from_bytes(answer[3:7]) == int.from_bytes(last[counter : counter + 4]) + 1
    assert len(conversation.shelf.calls) == calls


@forms
def test_a_replayed_answer_is_refused(form: str) -> None:
    conversation = protected(form)
    for _ in range(15):
        conversation.ask(Get(REGISTER))
    old = conversation.answers[1]  # it has the invoke-id that comes next
    conversation.to_client = lambda answer: old
    with pytest.raises(InvocationCounterError):
        conversation.ask(Get(REGISTER))
    conversation.to_client = lambda answer: answer
    assert conversation.ask(Get(REGISTER)) == VALUE


@pytest.mark.parametrize("policy", [Protection.ENCRYPTED, BOTH], ids=["encrypted", "both"])
def test_a_forged_high_counter_does_not_lock_out(policy: Protection) -> None:
    """Nobody vouches for the counter of an APDU that is encrypted only, or whose tag is wrong."""
    conversation = protected("glo", policy)
    context = conversation.client.context
    assert context is not None
    good = context.protect_apdu(a.GetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER).encode())
    before = counters(conversation)
    for high in (0xFFFFFFFE, 0xFFFFFFFF, 0x80000000):
        for control in (0x20, 0x30, 0x10):
            forged = good[:2] + bytes((control,)) + high.to_bytes(4) + good[7:]
            conversation.server.receive(forged, 0.0)
            while conversation.server.octets_to_send():
                pass
    assert counters(conversation) == before
    again = Talk(*settings(ciphered=True, policy=SecurityPolicy(0, int(policy)), client={"protection": policy}))
    again.server = conversation.server
    again.client.settings.counters.transmit_counter(material().encryption_key.identity, CLIENT_TITLE).raise_to(100)
    again.open()
    assert again.ask(Get(REGISTER)) == VALUE


# ---- less than the policy -------------------------------------------------------------------------------------------


def below(policy: int) -> list[int]:
    """Protections that do not hold all of the policy, or hold more than what may stand alone."""
    return [have for have in range(4) if policy & ~have]


@pytest.mark.parametrize(("policy", "have"), [(p, h) for p in (1, 2, 3) for h in below(p)])
@pytest.mark.parametrize("general", [False, True], ids=["specific", "general"])
def test_less_protection_than_the_policy_is_refused_by_the_server(policy: int, have: int, general: bool) -> None:
    conversation = talk(
        M.LOWEST, ciphered=True, policy=SecurityPolicy(0, policy), client={"protection": Protection(policy)}
    )
    context = conversation.client.context
    assert context is not None
    request = a.SetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER, None, octets(3)).encode()
    envelope = Envelope.kind(dedicated=False, general=general)
    conversation.server.receive(context.protect_apdu(request, envelope, protection=Protection(have)), 0.0)
    assert conversation.server.octets_to_send() == bytes.fromhex("d80101")
    assert conversation.shelf.calls == []


@pytest.mark.parametrize(("policy", "have"), [(p, h) for p in (1, 2, 3) for h in below(p)])
@pytest.mark.parametrize("general", [False, True], ids=["specific", "general"])
def test_less_protection_than_the_policy_is_refused_by_the_client(policy: int, have: int, general: bool) -> None:
    conversation = talk(
        M.LOWEST, ciphered=True, policy=SecurityPolicy(0, policy), client={"protection": Protection(policy)}
    )
    context = conversation.server.context
    assert context is not None
    envelope = Envelope.kind(dedicated=False, general=general)

    def weaken(_: bytes) -> bytes:
        invoke = conversation.client._terms.invoke
        return context.protect_apdu(
            a.GetResponseNormal(invoke, octets(3)).encode(), envelope, protection=Protection(have)
        )

    conversation.to_client = weaken
    with pytest.raises(PolicyViolation):
        conversation.ask(Get(REGISTER))
    conversation.to_client = lambda answer: answer
    assert conversation.ask(Get(REGISTER)) == VALUE


def test_authentication_alone_is_not_accepted_beside_mechanism_5() -> None:
    """f(StoC) is the tag of such an APDU (security.md 6): a false server could have it made."""
    conversation = secure(policy=SecurityPolicy())
    context = conversation.client.context
    assert context is not None
    request = a.GetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER).encode()
    conversation.server.receive(context.protect_apdu(request, protection=Protection.AUTHENTICATED), 0.0)
    assert conversation.server.octets_to_send() == bytes.fromhex("d80101")


def test_more_protection_than_the_policy_is_accepted_and_mirrored() -> None:
    conversation = talk(M.LOWEST, ciphered=True, policy=SecurityPolicy())
    assert conversation.ask(Get(REGISTER)) == VALUE
    assert conversation.answers[-1][0] == 0xCC
    assert conversation.answers[-1][2] == 0x30


def test_a_policy_for_answers_alone_protects_them_and_the_initiate_response() -> None:
    """security_policy version 1, bits 5 and 6: responses authenticated and encrypted, requests as they like."""
    lax = {"protection": Protection.NONE, "require": BOTH}
    conversation = talk(M.LOWEST, ciphered=True, client=lax, policy=SecurityPolicy(1, 0x60))
    assert a.AARE.decode(conversation.answers[0]).user_information[:1] == b"\x28"  # type: ignore[index]
    assert conversation.ask(Get(REGISTER)) == VALUE
    assert conversation.requests[-1][0] == 0xC0
    assert (conversation.answers[-1][0], conversation.answers[-1][2]) == (0xCC, 0x30)


def test_every_block_of_an_answer_is_protected_as_the_rights_say() -> None:
    lowest = {"protection": Protection.AUTHENTICATED, "max_pdu_size": 80}
    for request in (Get(REGISTER), Action(ECHO, octets(200))):
        conversation = talk(M.LOWEST, ciphered=True, client=lowest, policy=SecurityPolicy(0, 1))
        conversation.shelf.put(REGISTER, octets(200))
        conversation.shelf.response = Protection.ENCRYPTED
        conversation.ask(request)
        blocks = conversation.answers[1:]
        assert len(blocks) > 3
        assert {answer[2] for answer in blocks} == {0x30}


def test_a_dedicated_key_that_was_not_encrypted_is_refused() -> None:
    conversation = talk(M.LOWEST, ciphered=True, opened=False, policy=SecurityPolicy())
    client, _ = settings(ciphered=True)
    for protection in (Protection.AUTHENTICATED, Protection.NONE):
        context = client.context()
        assert context is not None
        initiate = a.InitiateRequest(b"d" * 16, True, None, 6, client_conformance(), 0xFFFF).encode()
        aarq = a.AARQ(
            application_context_name=client.application_context,
            calling_ap_title=CLIENT_TITLE,
            user_information=context.protect_apdu(initiate, Envelope.GLO, protection=protection),
        )
        conversation.server.receive(aarq.encode(), 0.0)
        assert conversation.server.octets_to_send().endswith(bytes.fromhex("0e010006"))
        assert conversation.server.state is State.IDLE


def test_a_proposed_counter_is_kept_after_an_authenticated_answer_to_it() -> None:
    conversation = secure()
    context = conversation.client.context
    assert context is not None
    context.propose_counter(9000)
    conversation.to_client = lambda answer: None
    conversation.event(Get(REGISTER))
    state = conversation.client.settings.counters.transmit_state(material().encryption_key.identity, CLIENT_TITLE)
    assert state.trial is not None
    conversation.to_client = lambda answer: answer
    conversation.ask(Get(REGISTER))
    state = conversation.client.settings.counters.transmit_state(material().encryption_key.identity, CLIENT_TITLE)
    assert state.trial is None
    assert state.next > 9000


@pytest.mark.parametrize("title", [CLIENT_TITLE, OTHER_TITLE, b""])
def test_a_general_envelope_of_another_originator_is_refused(title: bytes) -> None:
    conversation = protected("general-glo")

    def change(answer: bytes) -> bytes:
        return answer[:1] + bytes((len(title),)) + title + answer[10:]

    conversation.to_client = change
    if title:
        with pytest.raises(DecipheringError):
            conversation.ask(Get(REGISTER))
    else:
        assert conversation.ask(Get(REGISTER)) == VALUE  # the title of the association stands for it


def test_our_own_request_sent_back_is_refused() -> None:
    for form in FORMS:
        conversation = protected(form)
        sent: list[bytes] = []
        conversation.to_server = lambda request, sent=sent: (sent.append(request), request)[1]  # type: ignore[misc]
        conversation.to_client = lambda answer, sent=sent: sent[-1]  # type: ignore[misc]
        with pytest.raises(SecurityError):
            conversation.ask(Get(REGISTER))


def test_an_apdu_under_the_global_key_of_another_association_is_refused_under_a_dedicated_one() -> None:
    conversation = protected("ded")
    other = protected("ded")
    other.client.send(Get(REGISTER))
    conversation.server.receive(other.client.octets_to_send(), 0.0)
    assert conversation.server.octets_to_send() == bytes.fromhex("d80105")
    assert conversation.shelf.calls == []


def test_ciphered_apdus_in_an_association_without_ciphering_are_not_supported() -> None:
    conversation = talk(M.HLS_GMAC)
    keys = SecurityContext(CLIENT_TITLE, SERVER_TITLE, material(), conversation.client.settings.counters)
    request = a.GetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER).encode()
    for envelope in (Envelope.GLO, Envelope.GENERAL_GLO):
        conversation.server.receive(keys.protect_apdu(request, envelope), 0.0)
        assert conversation.server.octets_to_send() == bytes.fromhex("d80202")
    conversation.client.send(Get(REGISTER))
    assert conversation.client.receive(keys.protect_apdu(b"\xc4\x01\x41\x00\x11\x05"), 0.0) == []


# ---- nothing is told ------------------------------------------------------------------------------------------------


def everything(error: BaseException | None) -> str:
    """All that can be printed of an error: text, representation, causes and contexts, notes."""
    text = ""
    while error is not None:
        text += f"{error}|{error!r}|{getattr(error, '__notes__', '')}|{vars(error)}"
        error = error.__cause__ or error.__context__
    return text


def test_no_error_representation_or_log_tells_keys_passwords_or_plaintext(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = ""
    for mechanism in (M.LLS, M.HLS, M.HLS_MD5, M.HLS_GMAC, M.HLS_SHA256):
        for form in FORMS:
            conversation = protected(form, mechanism=mechanism, opened=False)
            conversation.shelf.put(REGISTER, SECRET_VALUE)
            requests: tuple[Request, ...] = (Get(REGISTER), Set(REGISTER, SECRET_VALUE), Action(ECHO, SECRET_VALUE))
            conversation.open()
            for request in requests:
                for tamper in (
                    lambda octets_: octets_[:-1] + bytes((octets_[-1] ^ 1,)),
                    lambda octets_: octets_[:-5],
                    lambda octets_: octets_ + b"\0",
                    lambda octets_: b"\xd8\x01\x05",
                    lambda octets_: None,
                ):
                    conversation.to_client = tamper
                    event = conversation.event(request)
                    assert isinstance(event, Failed)
                    told += everything(event.error) + repr(event.error)
            told += repr(conversation.client.settings) + repr(conversation.server.settings)
            told += (
                repr(conversation.client.context) + repr(vars(conversation.client)) + repr(vars(conversation.server))
            )
            conversation.to_client = lambda octets_: octets_
            conversation.ask(Release())
            wrong = {"secret": Secret.password("wrong password")} if mechanism is not M.HLS_GMAC else {}
            spoilt = protected(form, mechanism=mechanism, opened=False)
            spoilt.client.settings = settings(mechanism, ciphered=True, client=wrong)[0]
            if wrong:
                event = spoilt.event(Open())
                assert isinstance(event, Failed)
                told += everything(event.error) + repr(spoilt.server_events)
    told += caplog.text
    for secret in (EK, AK, PASSWORD, PLAINTEXT, b"wrong password"):
        assert secret.hex() not in told.lower()
        assert repr(secret)[2:-1] not in told
    assert caplog.records == []


def test_nothing_that_failed_to_verify_is_decoded() -> None:
    """A DecodeError of the inner APDU would tell about plaintext that nobody vouches for."""
    conversation = protected("glo")

    def garble(answer: bytes) -> bytes:
        return answer[:9] + bytes((answer[9] ^ 0xFF,)) + answer[10:]

    conversation.to_client = garble
    event = conversation.event(Get(REGISTER))
    assert isinstance(event, Failed)
    assert not isinstance(event.error, DecodeError)
    assert isinstance(event.error, DecipheringError)


LONG = {
    "set": ("c10241 0003 0100010800ff 02 00 00 00000001 01 09", "c10341 01 00000002 03 020102"),
    "set list": ("c10541 01 0003 0100010800ff 02 00 00 00000001 01 01", "c10341 01 00000002 02 1105"),
    "action": ("c30441 0009 00000a0000ff 01 00 00000001 01 09", "c30641 01 00000002 03 020102"),
    "action list": ("c30541 01 0009 00000a0000ff 01 00 00000001 01 01", "c30641 01 00000002 02 1105"),
    "read": ("0501 06 00 0001 01 01", "0501 06 01 0002 03 020108"),
    "write": ("0601 07 00 0001 01 09 01 01", "0601 07 01 0002 01 09 06 020108 01 1105"),
}
"""Requests in two blocks."""


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("ciphered", [0, 1], ids=["first", "last"])
def test_the_answer_to_a_request_in_blocks_is_protected_as_the_rights_demand(kind: str, ciphered: int) -> None:
    """Where the policy demands nothing; and the request counts as protected as its least protected block is."""
    made = sn_talk if kind in ("read", "write") else talk
    conversation = made(ciphered=True, policy=SecurityPolicy(0, 0))
    context = conversation.client.context
    assert context is not None
    conversation.shelf.response = BOTH
    for number, block in enumerate(LONG[kind]):
        apdu = bytes.fromhex(block)
        conversation.server.receive(context.protect_apdu(apdu) if number == ciphered else apdu, conversation.now)
        (answer,) = due(conversation.server)
    assert context.unprotect_apdu(answer).security_control.protection == BOTH
    assert conversation.shelf.protection == [Protection.NONE]
    for block in LONG[kind]:
        conversation.server.receive(bytes.fromhex(block), conversation.now)
        (answer,) = due(conversation.server)
    assert context.unprotect_apdu(answer).security_control.protection == BOTH
