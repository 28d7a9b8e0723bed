"""A server that keeps its answers: what comes again is executed once (IEC 62056-9-7; reference, transports 2)."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.client import ClientAssociation
from cosemic.association.control import State
from cosemic.association.kept_answers import IDS_BEHIND, KEPT_FOR, LATE_FOR, PARTS_KEPT, KeptAnswers
from cosemic.association.requests import Action, Completed, Get, Open, Release, Set
from cosemic.codec import EncodedData
from cosemic.security import Protection, SecurityPolicy
from cosemic.values import ApplicationContext, Conformance, ServiceClass
from tests.association.samples import DENIED, ECHO, QUIET, REGISTER, VALUE, M, Talk, octets, settings

KEEPING = {"keep_answers": True}


def keeping(mechanism: Any = M.LOWEST, *, ciphered: bool = False, server: dict[str, Any] | None = None) -> Talk:
    """An association whose server keeps its answers, open."""
    conversation = Talk(*settings(mechanism, ciphered=ciphered, server=KEEPING | (server or {})))
    conversation.open()
    return conversation


def answers(conversation: Talk, request: bytes, later: float = 0.0) -> list[bytes]:
    """What the server answers to octets from nowhere."""
    conversation.server.receive(request, conversation.now + later)
    found = []
    while answer := conversation.server.octets_to_send():
        found.append(answer)
    return found


def invoked(number: int, service_class: ServiceClass = ServiceClass.CONFIRMED) -> a.InvokeIdAndPriority:
    return a.InvokeIdAndPriority.of(number, service_class)


def get(number: int) -> bytes:
    return a.GetRequestNormal(invoked(number), REGISTER).encode()


def set_(number: int, value: EncodedData = VALUE) -> bytes:
    return a.SetRequestNormal(invoked(number), REGISTER, None, value).encode()


# ---- the request served last ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("request_", "kind"), [(Set(REGISTER, octets(5)), "set"), (Action(ECHO, octets(5)), "action")])
def test_a_change_that_comes_again_is_answered_and_not_executed(request_: Any, kind: str) -> None:
    conversation = keeping()
    result = conversation.ask(request_)
    assert answers(conversation, conversation.requests[-1]) == [conversation.answers[-1]]
    assert [call[0] for call in conversation.shelf.calls] == [kind]
    assert conversation.ask(request_) == result  # another invoke-id: another request
    assert [call[0] for call in conversation.shelf.calls] == [kind] * 2


def test_without_the_option_it_is_executed_again() -> None:
    conversation = Talk(*settings())
    conversation.open()
    conversation.ask(Set(REGISTER, VALUE))
    answers(conversation, conversation.requests[-1])
    assert len(conversation.shelf.calls) == 2


def test_a_value_that_is_read_again_is_the_one_that_was_answered() -> None:
    conversation = keeping()
    (first,) = answers(conversation, get(1))
    conversation.shelf.put(REGISTER, octets(3))
    assert answers(conversation, get(1)) == [first]
    (second,) = answers(conversation, get(2))
    assert second.endswith(octets(3).octets)


def test_a_kept_answer_is_protected_anew() -> None:
    conversation = keeping(M.HLS_GMAC, ciphered=True)
    client = conversation.client
    client.send(Set(REGISTER, octets(5)))
    first = client.octets_to_send()
    assert client.context is not None
    (one,) = answers(conversation, first)
    (refused,) = answers(conversation, first)
    assert refused[:1] == b"\xd8"  # the same ciphertext again is a replay
    plain = a.SetRequestNormal(client._terms.invoke, REGISTER, None, octets(5)).encode()
    (other,) = answers(conversation, client.context.protect_apdu(plain))
    assert other != one
    assert other[3:7] > one[3:7]  # invocation counter
    opened = [client.context.unprotect_apdu(answer).plaintext for answer in (one, other)]
    assert opened[0] == opened[1]
    assert len(conversation.shelf.calls) == 1


def test_a_kept_answer_has_the_protection_of_its_first_request_at_least() -> None:
    policy = SecurityPolicy(0, 0)
    conversation = keeping(ciphered=True, server={"policy": policy})
    context = conversation.client.context
    assert context is not None
    both = Protection.ENCRYPTED | Protection.AUTHENTICATED
    first = answers(conversation, context.protect_apdu(get(1)))
    again = answers(conversation, get(1))
    assert [answer[2] >> 4 for (answer,) in (first, again)] == [int(both)] * 2


def test_the_blocks_of_an_answer_come_again_one_by_one() -> None:
    conversation = Talk(*settings(client={"max_pdu_size": 40}, server=KEEPING))
    conversation.open()
    conversation.shelf.put(REGISTER, octets(60))
    first = answers(conversation, get(1))
    assert answers(conversation, get(1)) == first
    following = []
    for number in (1, 2):
        request = a.GetRequestNext(invoked(1), number).encode()
        blocks = [answers(conversation, request) for _ in range(3)]
        assert blocks[0] == blocks[1] == blocks[2]
        following += blocks[0]
    raw = b"".join(a.decode(block).result.result for block in first + following)
    assert raw == octets(60).octets


def test_blocks_of_a_change_are_acknowledged_again() -> None:
    conversation = keeping(server={"max_pdu_size": 40})
    for request in (Set(REGISTER, octets(90)), Action(ECHO, octets(90))):
        conversation.requests.clear()
        conversation.shelf.calls.clear()
        conversation.to_server = lambda apdu: (conversation.server.receive(apdu, conversation.now), apdu)[1]
        conversation.to_client = lambda answer: answer if conversation.answers.count(answer) == 1 else None
        conversation.ask(request)
        assert len(conversation.requests) > 3
        assert len(conversation.shelf.calls) == 1


def test_a_request_that_was_not_served_may_be_tried_again() -> None:
    conversation = Talk(*settings(server=KEEPING | {"conformance": Conformance.GET}))
    conversation.open()
    refused = answers(conversation, set_(1))
    assert refused == answers(conversation, set_(1)) == [bytes.fromhex("d80202")]


def test_an_answer_longer_than_is_kept_is_not_made_twice() -> None:
    conversation = keeping(server={"max_transfer": 8})
    parameters = octets(20)
    request = a.ActionRequestNormal(invoked(1), ECHO, parameters).encode()
    assert len(answers(conversation, request)[0]) > 8
    assert answers(conversation, request) == [bytes.fromhex("d80103")]
    assert len(conversation.shelf.calls) == 1


def test_an_unconfirmed_request_is_executed_as_often_as_it_comes() -> None:
    conversation = keeping()
    request = a.SetRequestNormal(invoked(1, ServiceClass.UNCONFIRMED), REGISTER, None, VALUE).encode()
    assert answers(conversation, request) == answers(conversation, request) == []
    assert len(conversation.shelf.calls) == 2


def test_a_refused_method_is_refused_again_without_asking() -> None:
    conversation = keeping()
    conversation.ask(Action(DENIED))
    assert answers(conversation, conversation.requests[-1]) == [conversation.answers[-1]]
    assert len(conversation.shelf.calls) == 1


# ---- late doubles ---------------------------------------------------------------------------------------------------


def test_a_request_from_before_the_last_one_is_passed_over() -> None:
    conversation = keeping()
    for number in range(1, IDS_BEHIND + 1):
        answers(conversation, set_(number, octets(number)))
    done = len(conversation.shelf.calls)
    for number in range(1, IDS_BEHIND):
        assert answers(conversation, set_(number, octets(number))) == []
    assert len(conversation.shelf.calls) == done


def test_an_invoke_id_whose_turn_has_come_again_is_another_request() -> None:
    conversation = keeping()
    for turn in range(3):
        for number in range(1, 16):
            assert len(answers(conversation, set_(number))) == 1, (turn, number)
    assert len(conversation.shelf.calls) == 45


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_requests_that_were_lost_altogether_do_not_make_the_next_ones_late(lost: int) -> None:
    conversation = keeping()
    numbers = [number for _ in range(4) for number in range(1, 16)]
    taken = numbers[:20] + numbers[20 + lost :]
    for number in taken:
        assert len(answers(conversation, set_(number))) == 1
    assert len(conversation.shelf.calls) == len(taken)


def test_after_a_while_nothing_is_late_any_more() -> None:
    conversation = keeping()
    for number in (1, 2):
        answers(conversation, set_(number))
    assert answers(conversation, set_(1), LATE_FOR - 0.1) == []
    assert len(answers(conversation, set_(1), LATE_FOR)) == 1
    assert len(conversation.shelf.calls) == 3


def test_an_answer_is_kept_for_a_while_only() -> None:
    conversation = keeping()
    answers(conversation, get(1))
    conversation.shelf.put(REGISTER, octets(3))
    assert not answers(conversation, get(1), KEPT_FOR - 0.1)[0].endswith(octets(3).octets)
    assert answers(conversation, get(1), KEPT_FOR)[0].endswith(octets(3).octets)


def test_what_is_held_is_bounded() -> None:
    kept = KeptAnswers(b"aarq", [], 100)
    for number in range(5000):
        kept.serve(a.GetRequestNext(invoked(1), number).encode(), 0.0)
        kept.keep(bytes(101), Protection.NONE)
    for number in range(2, 16):
        kept.serve(get(number), 0.0)
    assert kept.answer is None
    assert sum(len(exchange.requests) for exchange in kept._exchanges.values()) <= PARTS_KEPT + 16


def test_a_request_that_has_no_number_leaves_what_is_kept_alone() -> None:
    conversation = keeping()
    (first,) = answers(conversation, set_(1))
    (refused,) = answers(conversation, bytes.fromhex("0501020100"))  # a Read, with logical names
    assert refused == bytes.fromhex("d80202")
    assert answers(conversation, set_(1)) == [first]
    assert len(conversation.shelf.calls) == 1


def test_what_was_asked_before_pass_3_is_served_when_it_is_asked_again() -> None:
    conversation = Talk(*settings(M.HLS_SHA1, server=KEEPING))
    conversation.client.send(Open())
    conversation.step()
    assert answers(conversation, get(1)) == [bytes.fromhex("d80101")]
    pass_3 = conversation.client.octets_to_send()
    assert len(answers(conversation, pass_3[:2] + b"\x42" + pass_3[3:])) == 1  # some count it, too
    assert conversation.server.state is State.ASSOCIATED
    (answer,) = answers(conversation, get(1))
    assert answer.endswith(VALUE.octets)


def test_with_short_names_nothing_is_kept_and_refusals_are_answered() -> None:
    short = frozenset((ApplicationContext.SN,))
    client = {"short_names": True, "conformance": Conformance.READ}
    conversation = Talk(*settings(client=client, server=KEEPING | {"context_names": short}))
    conversation.open()
    for _ in range(2):
        assert answers(conversation, bytes.fromhex("050202010002 0108")) == [bytes.fromhex("0e050302")]


# ---- opening and release --------------------------------------------------------------------------------------------


def test_an_aarq_that_comes_again_is_answered_as_before_and_the_association_goes_on() -> None:
    conversation = keeping()
    aarq, aare = conversation.requests[0], conversation.answers[0]
    conversation.ask(Set(REGISTER, octets(5)))
    assert answers(conversation, aarq) == [aare]
    answers(conversation, conversation.requests[-1])
    assert len(conversation.shelf.calls) == 1


@pytest.mark.parametrize(("mechanism", "ciphered"), [(M.HLS_GMAC, False), (M.HLS_GMAC, True), (M.LOWEST, True)])
def test_the_aarq_and_the_proof_come_again_and_nothing_is_lost(mechanism: Any, ciphered: bool) -> None:
    conversation = Talk(*settings(mechanism, ciphered=ciphered, server=KEEPING))
    conversation.to_server = lambda apdu: (conversation.server.receive(apdu, conversation.now), apdu)[1]
    conversation.to_client = lambda answer: (
        answer if conversation.answers.count(answer) == 1 and answer[:1] != b"\xd8" else None
    )
    conversation.open()
    assert conversation.server.state is State.ASSOCIATED
    conversation.to_server = conversation.to_client = lambda apdu: apdu
    assert conversation.ask(Get(REGISTER)) == VALUE


def test_an_aarq_that_is_begun_anew_begins_a_new_association() -> None:
    conversation = keeping(ciphered=True)
    conversation.ask(Set(REGISTER, octets(5)))
    other = ClientAssociation(conversation.client.settings)
    other.send(Open())
    (aare,) = answers(conversation, other.octets_to_send())
    assert isinstance(other.receive(aare, 1.0)[0], Completed)
    other.send(Set(REGISTER, octets(5)))
    (answer,) = answers(conversation, other.octets_to_send())
    assert isinstance(other.receive(answer, 1.0)[0], Completed)
    assert len(conversation.shelf.calls) == 2


@pytest.mark.parametrize("keep", [True, False])
def test_a_late_aarq_does_not_end_the_association_where_answers_are_kept(keep: bool) -> None:
    client, server = settings(M.HLS_GMAC, ciphered=True, server={"keep_answers": keep})
    conversation = Talk(client, server)
    late = ClientAssociation(client)
    late.send(Open())
    aarq = late.octets_to_send()
    conversation.open()
    (refusal,) = answers(conversation, aarq)
    assert a.AARE.decode(refusal).result != 0
    assert (conversation.server.state is State.ASSOCIATED) == keep


def test_an_association_opened_without_an_answer_is_opened_once_too() -> None:
    conversation = Talk(*settings(server=KEEPING))
    initiate = a.InitiateRequest(None, False, None, 6, Conformance.SET, 0xFFFF).encode()
    aarq = a.AARQ(application_context_name=ApplicationContext.LN, user_information=initiate).encode()
    assert answers(conversation, aarq) == answers(conversation, aarq) == []
    assert conversation.server.state is State.ASSOCIATED


def test_a_release_ends_what_is_kept() -> None:
    conversation = keeping()
    conversation.ask(Action(QUIET))
    conversation.ask(Release())
    assert answers(conversation, conversation.requests[-1])[0][:1] == b"\x63"  # RLRE once more
    conversation.open()
    conversation.ask(Action(QUIET))
    assert len(conversation.shelf.calls) == 2
