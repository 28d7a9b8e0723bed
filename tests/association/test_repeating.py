"""A client that repeats what is not answered, and passes over what is late or doubled (IEC 62056-9-7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.client import MOST_PASSED_OVER, ClientAssociation
from cosemic.association.control import State
from cosemic.association.notifications import Notified
from cosemic.association.repeating import EXCHANGES_AT_A_TIME, RepeatingClient, client_association
from cosemic.association.requests import Action, Completed, Event, Failed, Get, GetList, Open, Release, Request, Set
from cosemic.association.server import ServerAssociation
from cosemic.association.settings import ClientSettings
from cosemic.dialect import STANDARD
from cosemic.errors import (
    AssociationError,
    AssociationRejected,
    AuthenticationFailed,
    ConfigurationError,
    CosemicError,
    DecodeError,
    ExceptionReceived,
    InvocationCounterError,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
)
from cosemic.security import open_envelope
from cosemic.values import Secret
from tests.association.samples import ECHO, REGISTER, VALUE, M, Shelf, listed, octets, settings

GET = Get(REGISTER)
SET = Set(REGISTER, VALUE)
TIMEOUT = 2.0
REPEATING: dict[str, Any] = {"repetitions": 3, "response_timeout": TIMEOUT}
NOTIFICATION = bytes.fromhex("c2000003010001080 0ff021105".replace(" ", ""))
DECIPHERING_ERROR = bytes.fromhex("d80105")
UNKNOWN = bytes.fromhex("d80202")


class Air:
    """A client, a server and what passes between them, datagram by datagram, as the test says."""

    def __init__(
        self,
        mechanism: Any = M.LOWEST,
        *,
        ciphered: bool = False,
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
    ) -> None:
        ours, theirs = settings(mechanism, ciphered=ciphered, client=REPEATING | (client or {}), server=server)
        self.client = client_association(ours)
        self.shelf = Shelf()
        self.server = ServerAssociation(theirs, self.shelf)
        self.now = 1000.0
        self.sent: list[bytes] = []

    def send(self, request: Request) -> bytes:
        """Begin a request; what is sent."""
        self.client.send(request)
        assert self.client.tick(self.now) == []
        return self.due()

    def due(self) -> bytes:
        octets = self.client.octets_to_send()
        if octets:
            self.sent.append(octets)
        assert self.client.octets_to_send() == b""
        return octets

    def over(self, *requests: bytes) -> list[bytes]:
        """What the server answers."""
        found = []
        for request in requests:
            self.server.receive(request, self.now)
            while answer := self.server.octets_to_send():
                found.append(answer)
        return found

    def back(self, answers: Iterable[bytes]) -> list[Event]:
        return [event for answer in answers for event in self.client.receive(answer, self.now)]

    def silence(self) -> list[Event]:
        """Let the time-out come."""
        deadline = self.client.deadline()
        assert deadline is not None
        assert self.client.tick(deadline - 0.001) == []
        self.now = deadline
        return self.client.tick(self.now)

    def finish(self) -> Any:
        """Carry everything over and back until the request has ended."""
        events: list[Event] = []
        while not events:
            request = self.due()
            events = self.back(self.over(request)) if request else self.silence()
        return outcome(events)

    def finish_alone(self) -> Any:
        """Let all time-outs come; nothing is answered."""
        events: list[Event] = []
        while not events:
            events = self.silence()
            self.due()
        return outcome(events)

    def ask(self, request: Request) -> Any:
        self.client.send(request)
        self.client.tick(self.now)
        return self.finish()

    def open(self) -> Air:
        self.ask(Open())
        self.sent.clear()
        return self


def outcome(events: list[Event]) -> Any:
    """The result; an error is raised."""
    (event,) = events
    if isinstance(event, Completed):
        return event.result
    assert isinstance(event, Failed)
    raise event.error


def counter(apdu: bytes) -> int:
    return int.from_bytes(open_envelope(apdu).content[1:5])


# ---- what is repeated -----------------------------------------------------------------------------------------------


def test_without_repetitions_it_is_the_client_as_ever() -> None:
    assert type(client_association(ClientSettings())) is ClientAssociation
    assert type(client_association(ClientSettings(repetitions=1))) is RepeatingClient


@pytest.mark.parametrize(
    "changed", [{"repetitions": -1}, {"datagram_lifetime": -0.1}, {"datagram_lifetime": float("inf")}]
)
def test_settings_that_cannot_be_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ClientSettings(**changed)


@pytest.mark.parametrize("request_", [GET, GetList(listed(REGISTER, REGISTER)), Release()])
def test_what_is_not_answered_is_sent_again_as_it_was(request_: Request) -> None:
    air = Air().open()
    first = air.send(request_)
    for _ in range(3):
        began = air.now
        assert air.silence() == []
        assert air.now == began + TIMEOUT
        assert air.due() == first
    outcome(air.back(air.over(first)))


def test_after_the_last_repetition_the_request_ends() -> None:
    air = Air().open()
    began = air.now
    air.send(GET)
    with pytest.raises(ResponseTimeout, match="no answer within 2 s, 4 times over: check the line"):
        air.finish_alone()
    assert air.now == began + 4 * TIMEOUT
    assert len(air.sent) == 4
    assert air.ask(GET) == VALUE


def test_a_repeated_ciphered_apdu_takes_another_counter_and_keeps_its_invoke_id() -> None:
    air = Air(M.HLS_GMAC, ciphered=True).open()
    plain: list[bytes] = []
    air.client.observer = lambda sent, apdu: plain.append(apdu) if sent else None
    air.send(GET)
    for _ in range(3):
        air.silence()
        air.due()
    assert len(set(plain)) == 1
    counters = [counter(apdu) for apdu in air.sent]
    assert counters == sorted({*counters})
    assert len(counters) == 4


def test_a_change_is_not_repeated() -> None:
    air = Air().open()
    air.send(SET)
    with pytest.raises(OutcomeUnknown):
        outcome(air.silence())
    assert len(air.sent) == 1


@pytest.mark.parametrize("ciphered", [False, True])
@pytest.mark.parametrize("change", [SET, Action(ECHO, VALUE), Set(REGISTER, octets(100)), Action(ECHO, octets(100))])
def test_a_change_is_repeated_where_the_server_keeps_its_answers(change: Request, ciphered: bool) -> None:
    server = {"keep_answers": True, "max_pdu_size": 60}
    air = Air(ciphered=ciphered, client={"repeat_changes": True}, server=server).open()
    air.client.send(change)
    air.client.tick(air.now)
    events: list[Event] = []
    while not events:
        air.over(air.due())  # the answer is lost, each time
        assert air.silence() == []
        events = air.back(air.over(air.due()))
    outcome(events)
    assert len(air.shelf.calls) == 1


def test_blocks_are_asked_for_again() -> None:
    air = Air(client={"max_pdu_size": 40, "repeat_changes": True}, server={"keep_answers": True}).open()
    air.shelf.put(REGISTER, octets(200))
    air.client.send(GET)
    air.client.tick(air.now)
    events: list[Event] = []
    while not events:
        air.over(air.due())
        assert air.silence() == []
        events = air.back(air.over(air.due()))
    assert outcome(events) == octets(200)
    assert air.sent[::2] == air.sent[1::2]


@pytest.mark.parametrize(
    ("mechanism", "ciphered"),
    [
        (M.LOWEST, False),
        (M.LLS, False),
        (M.HLS_GMAC, False),
        (M.HLS_SHA256, False),
        (M.LOWEST, True),
        (M.HLS_GMAC, True),
    ],
)
def test_an_opening_is_begun_anew(mechanism: Any, ciphered: bool) -> None:
    air = Air(mechanism, ciphered=ciphered, client={"dedicated_key": ciphered})
    first = air.send(Open())
    air.over(first)
    assert air.silence() == []
    assert air.client.state is State.ASSOCIATION_PENDING
    second = air.due()
    assert second[:1] == b"\x60"
    assert (second != first) == (ciphered or mechanism in (M.HLS_GMAC, M.HLS_SHA256))
    events = air.back(air.over(second))
    if not events:  # pass 3; its answer is lost, too
        air.over(air.due())
        assert air.silence() == []
        assert air.client.state is State.ASSOCIATION_PENDING
        air.finish()
    assert air.client.state is air.server.state is State.ASSOCIATED
    assert air.ask(GET) == VALUE


def test_an_opening_ends_after_its_repetitions_however_far_it_comes() -> None:
    air = Air(M.HLS_GMAC, ciphered=True)
    began = air.now
    air.client.send(Open())
    air.client.tick(air.now)
    events: list[Event] = []
    while not events:
        request = air.due()
        if request[:1] == b"\x60":
            air.back(air.over(request))
        elif not request:
            events = air.silence()
    with pytest.raises(ResponseTimeout, match="4 times over"):
        outcome(events)
    assert air.now <= began + 4 * 2 * TIMEOUT
    with pytest.raises(AssociationError, match="connect again"):
        air.client.send(Open())


def test_a_release_that_is_never_answered_is_taken_as_released() -> None:
    air = Air(ciphered=True).open()
    air.send(Release())
    assert air.finish_alone() is None
    assert len({*air.sent}) == 4  # the InitiateRequest is ciphered anew
    assert air.client.state is State.IDLE


# ---- what is passed over --------------------------------------------------------------------------------------------


def passed_over(air: Air, *octets: bytes) -> None:
    """It changes nothing, and the time-out goes on as it was."""
    deadline = air.client.deadline()
    for each in octets:
        assert not [one for one in air.client.receive(each, air.now + 0.5) if not isinstance(one, Notified)]
        assert air.client.deadline() == deadline
        assert air.due() == b""


def test_late_and_foreign_answers_are_passed_over() -> None:
    air = Air().open()
    old = air.over(air.send(GET))
    air.back(old)
    request = air.send(GET)
    set_response = a.SetResponseNormal(a.InvokeIdAndPriority(request[2]), 0).encode()
    passed_over(air, *old, set_response, NOTIFICATION, b"", b"\x61\x00", b"\xff")
    assert outcome(air.back(air.over(request))) == VALUE


def test_what_comes_before_the_request_has_left_is_passed_over() -> None:
    air = Air().open()
    air.client.send(GET)
    air.client.tick(air.now)
    response = bytes((0xC4, 1, air.client._terms.invoke, 0, 0x11, 9))
    assert air.client.receive(response, air.now) == []
    assert air.finish() == VALUE


def test_blocks_that_come_again_are_passed_over() -> None:
    air = Air(client={"max_pdu_size": 40}).open()
    air.shelf.put(REGISTER, octets(150))
    blocks = air.over(air.send(GET))
    events: list[Event] = []
    while not events:
        events = air.back(blocks[-1:])
        if not events:
            request = air.due()
            passed_over(air, *blocks)
            blocks += air.over(request)
    assert outcome(events) == octets(150)


def test_a_block_that_comes_again_with_other_contents_ends_the_request() -> None:
    air = Air(client={"max_pdu_size": 40}).open()
    air.shelf.put(REGISTER, octets(150))
    (block,) = air.over(air.send(GET))
    air.back([block])
    air.due()
    with pytest.raises(ProtocolError, match="block 1 again with other contents"):
        outcome(air.back([block[:-1] + b"\x77"]))


@pytest.mark.parametrize("change", [Set(REGISTER, octets(200)), Action(ECHO, octets(200))])
def test_acknowledgements_that_come_again_are_passed_over(change: Request) -> None:
    air = Air(client={"max_pdu_size": 60}, server={"max_pdu_size": 60}).open()
    answers: list[bytes] = []
    request = air.send(change)
    while True:
        answers += air.over(request)
        events = air.back(answers[-1:])
        if events:
            break
        request = air.due()
        passed_over(air, *answers)
    outcome(events)
    assert len(air.shelf.calls) == 1


def test_a_doubled_aare_is_passed_over_during_the_proof() -> None:
    air = Air(M.HLS_GMAC, ciphered=True)
    aare = air.over(air.send(Open()))
    air.back(aare)
    proof = air.due()
    passed_over(air, *aare)
    assert outcome(air.back(air.over(proof))) is not None


def test_a_ciphertext_that_comes_again_is_passed_over() -> None:
    air = Air(M.HLS_GMAC, ciphered=True).open()
    answer = air.over(air.send(GET))
    air.back(answer)
    request = air.send(GET)
    passed_over(air, *answer, answer[0][:-1] + b"\0")
    assert outcome(air.back(air.over(request))) == VALUE


def test_a_ciphertext_that_is_older_than_the_last_is_passed_over() -> None:
    air = Air(M.HLS_GMAC, ciphered=True, server={"keep_answers": True}).open()
    older = air.over(air.send(GET))
    air.silence()
    newer = air.over(air.due())
    assert outcome(air.back(newer)) == VALUE
    request = air.send(GET)
    passed_over(air, *older)
    assert outcome(air.back(air.over(request))) == VALUE


def test_an_error_in_clear_is_a_hint_in_a_ciphered_association() -> None:
    air = Air(ciphered=True).open()
    request = air.send(GET)
    passed_over(air, DECIPHERING_ERROR)
    assert outcome(air.back(air.over(request))) == VALUE


def test_a_hint_is_told_when_all_repetitions_are_used_up() -> None:
    air = Air(ciphered=True).open()
    air.send(GET)
    passed_over(air, DECIPHERING_ERROR)
    with pytest.raises(ExceptionReceived, match="deciphering-error"):
        air.finish_alone()
    assert len(air.sent) == 4


def test_a_hint_about_a_counter_that_was_reached_is_none() -> None:
    air = Air(ciphered=True).open()
    request = air.send(GET)
    air.over(request)
    (refusal,) = air.over(request)  # doubled under way
    assert refusal[:3].hex() == "d80106"
    passed_over(air, refusal)
    with pytest.raises(ResponseTimeout):
        air.finish_alone()


def test_a_hint_about_a_counter_that_was_not_reached_is_told() -> None:
    air = Air(ciphered=True).open()
    wanted = counter(air.send(GET)) + 2
    passed_over(air, bytes.fromhex("d80106") + wanted.to_bytes(4))
    with pytest.raises(ExceptionReceived, match=f"expects {wanted}"):
        air.finish_alone()


def test_an_error_without_ciphering_is_the_answer_where_nothing_was_repeated() -> None:
    air = Air().open()
    air.send(GET)
    with pytest.raises(ExceptionReceived):
        outcome(air.back([UNKNOWN]))
    assert air.ask(GET) == VALUE


def test_an_error_without_ciphering_is_a_hint_where_something_was_repeated() -> None:
    air = Air().open()
    air.send(GET)
    air.silence()
    request = air.due()
    passed_over(air, UNKNOWN)
    assert outcome(air.back(air.over(request))) == VALUE


@pytest.mark.parametrize("ciphered", [False, True])
def test_an_error_does_not_say_that_a_change_was_not_made(ciphered: bool) -> None:
    air = Air(ciphered=ciphered).open()
    air.send(SET)
    events = air.back([UNKNOWN]) or air.silence()
    with pytest.raises(OutcomeUnknown) as caught:
        outcome(events)
    assert isinstance(caught.value.__cause__, ExceptionReceived)


def test_what_cannot_be_read_is_told_at_the_end() -> None:
    air = Air().open()
    air.send(GET)
    passed_over(air, b"\xc4\x01")
    with pytest.raises(DecodeError):
        air.finish_alone()


def test_a_flood_ends_the_request() -> None:
    air = Air().open()
    air.send(GET)
    passed_over(air, *[NOTIFICATION] * MOST_PASSED_OVER)
    failed, *notified = air.back([NOTIFICATION])
    with pytest.raises(ProtocolError):
        outcome([failed])
    assert [type(event) for event in notified] == [Notified]


def test_a_cancelled_request_owes_nothing() -> None:
    air = Air().open()
    for _ in range(40):
        air.send(GET)
        air.client.cancel()
        air.now += 1
    assert air.ask(GET) == VALUE


# ---- a server that does not keep its answers ------------------------------------------------------------------------


def test_a_long_answer_that_may_have_been_begun_twice_is_asked_for_anew() -> None:
    air = Air(client={"max_pdu_size": 40}).open()
    air.shelf.put(REGISTER, octets(100))
    late = air.over(air.send(GET))  # held up
    air.silence()
    air.shelf.put(REGISTER, octets(100, seed=9))
    air.over(air.due())
    assert air.back(late) == []
    anew = air.due()
    assert (anew[:2], anew[2] == air.sent[0][2]) == (b"\xc0\x01", False)
    assert outcome(air.back(air.over(anew)) or [Completed(GET, air.finish())]) == octets(100, seed=9)


def test_where_no_repetition_is_left_for_that_the_request_fails() -> None:
    air = Air(client={"max_pdu_size": 40, "repetitions": 1}).open()
    air.shelf.put(REGISTER, octets(100))
    late = air.over(air.send(GET))
    air.silence()
    air.due()
    with pytest.raises(ProtocolError, match="read again"):
        outcome(air.back(late))


def test_a_repeated_get_next_is_served_by_a_server_that_sends_the_last_block_again() -> None:
    dialect = STANDARD.but(repeat_last_block=True)
    air = Air(client={"max_pdu_size": 40}, server={"dialect": dialect}).open()
    air.shelf.put(REGISTER, octets(150))
    events = air.back(air.over(air.send(GET)))
    while not events:
        air.over(air.due())
        air.silence()
        events = air.back(air.over(air.due()))
    assert outcome(events) == octets(150)


# ---- openings that were mixed up ------------------------------------------------------------------------------------


def test_a_late_aare_costs_a_repetition() -> None:
    air = Air(M.HLS_GMAC)
    late = air.over(air.send(Open()))
    air.silence()
    lost = air.over(air.due())
    assert lost != late
    assert air.back(late) == []
    assert air.back(air.over(air.due())) == []  # the proof is for another challenge: refused, but not the end
    air.finish()
    assert air.client.state is air.server.state is State.ASSOCIATED
    assert air.ask(GET) == VALUE


def test_a_server_that_refuses_proofs_is_not_asked_for_ever() -> None:
    air = Air(M.HLS_SHA256, client={"repetitions": 8})
    air.send(Open())
    air.silence()
    air.silence()
    proofs = 0
    events: list[Event] = []
    while not events:
        request = air.due()
        if request[:1] == b"\xc3":
            proofs += 1
            request = request[:-1] + bytes((request[-1] ^ 1,))
        events = air.back(air.over(request)) if request else air.silence()
    with pytest.raises(AuthenticationFailed):
        outcome(events)
    assert proofs == 2


def test_a_proof_that_is_refused_at_once_is_the_end() -> None:
    air = Air(M.HLS_SHA256)
    air.back(air.over(air.send(Open())))
    proof = air.due()
    with pytest.raises(AuthenticationFailed):
        outcome(air.back(air.over(proof[:-1] + bytes((proof[-1] ^ 1,)))))


def test_a_password_that_is_wrong_is_not_tried_again() -> None:
    air = Air(M.LLS, server={"secret": Secret.password(b"another")})
    air.send(Open())
    air.silence()
    with pytest.raises(AssociationRejected, match="authentication-failure"):
        outcome(air.back(air.over(air.due())))


def test_an_aare_from_before_is_no_answer_and_is_told_at_the_end() -> None:
    air = Air(ciphered=True)
    aare = air.over(air.send(Open()))
    outcome(air.back(aare))
    air.ask(Release())
    air.send(Open())
    assert air.back(aare) == []
    with pytest.raises(InvocationCounterError):
        air.finish_alone()


# ---- nothing but the invoke-id tells answers apart ------------------------------------------------------------------


def times(air: Air, count: int) -> list[float]:
    """When each of so many requests leaves, all answered at once."""
    found = []
    for _ in range(count):
        began = air.now
        air.client.send(GET)
        assert air.client.tick(air.now) == []
        request = air.due()
        if not request:
            assert air.silence() == []
            request = air.due()
        found.append(air.now - began)
        assert outcome(air.back(air.over(request))) == VALUE
    return found


def test_without_ciphering_an_invoke_id_rests_for_the_lifetime_of_a_datagram() -> None:
    air = Air(client={"datagram_lifetime": 1.5}).open()
    held = times(air, 2 * EXCHANGES_AT_A_TIME)
    assert held == [0.0] * (EXCHANGES_AT_A_TIME - 1) + [1.5] + [0.0] * (EXCHANGES_AT_A_TIME - 1) + [1.5]


@pytest.mark.parametrize("more", [{"ciphered": True}, {"client": {"datagram_lifetime": 0.0}}])
def test_nothing_is_held_back_where_answers_are_told_apart_or_cannot_be_late(more: dict[str, Any]) -> None:
    assert times(Air(**more).open(), 30) == [0.0] * 30


def test_an_association_is_opened_again_when_all_answers_have_died_out() -> None:
    air = Air(client={"datagram_lifetime": 1.5}).open()
    air.ask(Release())
    assert air.send(Open()) == b""
    assert air.silence() == []
    assert air.finish() is not None


def test_a_request_that_is_held_back_can_be_cancelled_and_lost() -> None:
    air = Air(client={"datagram_lifetime": 1.5}).open()
    times(air, EXCHANGES_AT_A_TIME - 1)
    assert air.send(SET) == b""
    air.client.cancel()
    assert not air.client.busy
    air.now += 2
    assert air.ask(GET) == VALUE
    times(air, EXCHANGES_AT_A_TIME)
    air.client.send(SET)
    failed, _ = air.client.lost(CosemicError("gone"))
    assert isinstance(failed, Failed)
    assert not isinstance(failed.error, OutcomeUnknown)
