"""A server that answers wrongly, late, or never: what the client makes of it, and that the next request is right."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.client import MOST_PASSED_OVER
from cosemic.association.control import State
from cosemic.association.notifications import Notified
from cosemic.association.requests import (
    Aborted,
    Access,
    Action,
    ActionList,
    Completed,
    Failed,
    Get,
    GetList,
    Open,
    Release,
    Request,
    Set,
    SetList,
)
from cosemic.codec import DEFAULT_LIMITS, EncodedData
from cosemic.dialect import STANDARD, CipheredForm, Quirk
from cosemic.errors import (
    AssociationError,
    ConnectionLost,
    CosemicError,
    DecodeError,
    ExceptionReceived,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    ServiceErrorReceived,
    ServiceFailed,
)
from cosemic.security import Envelope, Protection, SecurityPolicy
from cosemic.values import ActionResult, Conformance, DataAccessResult
from tests.association.samples import ECHO, QUIET, REGISTER, VALUE, M, listed, octets, secure, talk

GET = Get(REGISTER)
SET = Set(REGISTER, VALUE)
ACTION = Action(QUIET)
LONG_SET = Set(REGISTER, octets(60))
LONG_ACTION = Action(ECHO, octets(60))
LISTS = (
    GetList(listed(REGISTER, REGISTER)),
    SetList(listed(REGISTER, REGISTER), (VALUE, VALUE)),
    ActionList((QUIET, QUIET), (VALUE, VALUE)),
)
CHANGES = (SET, ACTION, *LISTS[1:])


class Script:
    """A client whose server answers what a script says; ``??`` stands for the invoke-id of the request."""

    def __init__(self, **client: Any) -> None:
        conversation = talk(client=client, server={"max_pdu_size": 40})
        self.client = conversation.client
        self.requests: list[bytes] = []
        self.notified: list[Notified] = []

    def ask(self, request: Request, *answers: str) -> Any:
        """Give the answers one by one; the result, or the error raised. Asserts that all of them were used."""
        self.client.send(request)
        self.client.tick(0.0)
        for number, answer in enumerate(answers, 1):
            sent = self.client.octets_to_send()
            assert sent or number > 1
            if sent:
                self.requests.append(sent)
            invoke = f"{self.client._terms.invoke:02x}"
            events = self.client.receive(bytes.fromhex(answer.replace("??", invoke)), 1.0)
            self.notified += [event for event in events if isinstance(event, Notified)]
            if events and not isinstance(events[0], Notified):
                assert number == len(answers), "an answer was not asked for any more"
                (event,) = events
                if isinstance(event, Completed):
                    return event.result
                assert isinstance(event, Failed)
                raise event.error
        raise AssertionError("the request is still waiting")

    def works(self) -> None:
        """The association stands, and the next request is right."""
        assert self.client.state is State.ASSOCIATED
        assert self.ask(GET, "c401??001105") == EncodedData(b"\x11\x05")


def fails(request: Request, *answers: str, error: type[CosemicError], **client: Any) -> CosemicError:
    script = Script(**client)
    with pytest.raises(CosemicError) as caught:
        script.ask(request, *answers)
    assert type(caught.value) is error, caught.value
    script.works()
    return caught.value


# ---- GET ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "answers"),
    [
        (GET, ("c401??0100",)),
        (GET, ("c403??010100",)),
        (GET, ("c402??0000000001000109", "c401??0100")),
        (LISTS[0], ("c401??0100",)),
        (LISTS[0], ("c403??0200110501 00",)),
        (LISTS[0], ("c402??0100000001 0100",)),
    ],
)
def test_success_without_data_is_no_answer(request_: Request, answers: tuple[str, ...]) -> None:
    error = fails(request_, *answers, error=ProtocolError)
    assert "success" in str(error)
    assert "read again" in str(error)


def test_blocks_are_joined_in_order() -> None:
    script = Script()
    value = script.ask(
        GET, "c402??0000000001000209 05".replace(" ", ""), "c402??000000000200020102", "c402??01000000030003030405"
    )
    assert value.value() == b"\1\2\3\4\5"
    assert [apdu[:2].hex() + apdu[3:].hex() for apdu in script.requests[1:]] == ["c00200000001", "c00200000002"]
    assert len({apdu[2] for apdu in script.requests}) == 1  # one invoke-id for the whole transfer
    script.works()


@pytest.mark.parametrize(
    "answers",
    [
        ("c402??000000000200 021101",),  # begins with 2
        ("c402??000000000000 021101",),  # begins with 0
        ("c402??0000000001000109", "c402??0000000001000101"),  # repeated
        ("c402??0000000001000109", "c402??0000000003000101"),  # one is missing
        ("c402??00000000010000",),  # empty, and not the last
        ("c402??0100000001 0100",),  # success, without data
        ("c501??00",),  # of SET
        ("c701??0000",),
        ("c402??0000000001000109", "c401??001105"),  # a value amid a transfer
        ("c402??0000000001000109", "c403??01001105"),
        ("c403??02001105001105",),  # two results
    ],
)
def test_a_get_that_is_answered_wrongly_is_a_protocol_error(answers: tuple[str, ...]) -> None:
    fails(GET, *(answer.replace(" ", "") for answer in answers), error=ProtocolError)


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        (("c402??01000000020110",), DataAccessResult.NO_LONG_GET_IN_PROGRESS),
        (("c402??0000000001000109", "c402??0100000001010f"), DataAccessResult.LONG_GET_ABORTED),
        (("c402??0000000001000109", "c402??01000000020113"), DataAccessResult.DATA_BLOCK_NUMBER_INVALID),
        (("c402??0000000001000109", "c401??010e"), DataAccessResult.DATA_BLOCK_UNAVAILABLE),
        (("c403??010104",), DataAccessResult.OBJECT_UNDEFINED),
        (("c401??0177",), 0x77),
    ],
)
def test_errors_of_a_get_are_results(answers: tuple[str, ...], result: int) -> None:
    script = Script()
    assert script.ask(GET, *answers) == result
    script.works()


@pytest.mark.parametrize("raw", ["", "0905010203", "110511", "07", "0101"])
def test_blocks_that_join_to_no_data_are_a_decode_error(raw: str) -> None:
    length = f"{len(raw) // 2:02x}"
    fails(GET, f"c402??010000000100{length}{raw}", error=DecodeError)


def test_a_transfer_that_does_not_end_is_bounded() -> None:
    script = Script(limits=DEFAULT_LIMITS.__class__(octets=300))
    block = "c402??00{:08x}0064" + "00" * 100
    with pytest.raises(ProtocolError, match="longer than 300"):
        script.ask(GET, *(block.format(number) for number in range(1, 5)))
    script.works()


@pytest.mark.parametrize(("request_", "block"), [(GET, "c402??00000000010001 09"), (ACTION, "c702??00000000010109")])
def test_blocks_that_were_not_agreed_upon_are_not_asked_for(request_: Request, block: str) -> None:
    proposed = Conformance.GET | Conformance.ACTION
    error = OutcomeUnknown if request_ is ACTION else ServiceFailed
    fails(request_, block.replace(" ", ""), error=error, conformance=proposed)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("c403??02 001105 0104", (EncodedData(b"\x11\x05"), DataAccessResult.OBJECT_UNDEFINED)),
        ("c401??0103", (DataAccessResult.READ_WRITE_DENIED,) * 2),
        ("c402??0100000001 010e", (DataAccessResult.DATA_BLOCK_UNAVAILABLE,) * 2),
        ("c402??0100000001 00 06 02 001105 0104", (EncodedData(b"\x11\x05"), DataAccessResult.OBJECT_UNDEFINED)),
    ],
)
def test_answers_to_a_list(answer: str, expected: tuple[Any, ...]) -> None:
    script = Script()
    assert script.ask(LISTS[0], answer.replace(" ", "")) == expected
    script.works()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("c403??01001105", ProtocolError),
        ("c403??03001105001105001105", ProtocolError),
        ("c401??001105", ProtocolError),
        ("c501??00", ProtocolError),
        ("c402??0100000001000401001105", ProtocolError),
        ("c402??01000000010005020011 05".replace(" ", ""), DecodeError),
    ],
)
def test_wrong_answers_to_a_list(answer: str, error: type[CosemicError]) -> None:
    fails(LISTS[0], answer, error=error)


# ---- SET and ACTION: what is not known is said to be so -------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (SET, "c401??001105"),
        (SET, "c502??00000001"),
        (SET, "c503??0000000001"),
        (SET, "c5"),
        (SET, "c501??"),
        (SET, "c501??0000"),
        (ACTION, "c501??00"),
        (ACTION, "c703??010000"),
        (ACTION, "c704??00000001"),
        (ACTION, "c702??01000000020109"),
        (ACTION, "c702??00000000010 0".replace(" ", "")),
        (ACTION, "c702??0100000001 03 090511".replace(" ", "")),
        (LISTS[1], "c501??00"),
        (LISTS[1], "c505??0100"),
        (LISTS[1], "c503??0000000001"),
        (LISTS[2], "c701??0000"),
        (LISTS[2], "c703??010000"),
        (LISTS[2], "c501??00"),
    ],
)
def test_a_change_with_an_answer_that_cannot_be_trusted_has_an_unknown_outcome(request_: Request, answer: str) -> None:
    error = fails(request_, answer, error=OutcomeUnknown)
    assert isinstance(error.__cause__, ProtocolError | DecodeError)
    assert "read it back" in str(error)


@pytest.mark.parametrize(
    ("request_", "answer", "expected"),
    [
        (SET, "c501??03", DataAccessResult.READ_WRITE_DENIED),
        (LISTS[1], "c501??03", (DataAccessResult.READ_WRITE_DENIED,) * 2),
        (LISTS[1], "c505??020003", (DataAccessResult.SUCCESS, DataAccessResult.READ_WRITE_DENIED)),
    ],
)
def test_refused_changes_are_results(request_: Request, answer: str, expected: Any) -> None:
    script = Script()
    assert script.ask(request_, answer) == expected
    script.works()


def test_a_refused_list_of_methods() -> None:
    script = Script()
    first, second = script.ask(LISTS[2], "c701??0300")
    assert first == second == a.ActionResponseWithOptionalData(ActionResult.READ_WRITE_DENIED)


@pytest.mark.parametrize(
    "answers",
    [
        ("c502??00000002",),
        ("c502??00000000",),
        ("c502??00000001", "c502??00000001"),
        ("c501??00",),  # done, before the last block
        ("c503??0000000001",),
        ("c504??010000000001",),
        ("c505??0100",),
        ("c502??00000001", "c704??00000002"),
    ],
)
def test_a_long_set_that_is_acknowledged_wrongly_has_an_unknown_outcome(answers: tuple[str, ...]) -> None:
    fails(LONG_SET, *answers, error=OutcomeUnknown)


def blocks_of(request: Request) -> int:
    conversation = talk(server={"max_pdu_size": 40})
    conversation.ask(request)
    return len(conversation.requests) - 1


def test_the_last_acknowledgement_of_a_long_set_names_the_last_block() -> None:
    count = blocks_of(LONG_SET)
    assert count > 2
    taken = [f"c502??{number:08x}" for number in range(1, count)]
    fails(LONG_SET, *taken, f"c503??00{count - 1:08x}", error=OutcomeUnknown)
    fails(LONG_SET, *taken, f"c502??{count:08x}", error=OutcomeUnknown)
    fails(LONG_SET, *taken, f"c504??0100{count:08x}", error=OutcomeUnknown)
    for last in (f"c503??00{count:08x}", "c501??00"):
        assert Script().ask(LONG_SET, *taken, last) == DataAccessResult.SUCCESS
    assert (
        Script().ask(LONG_SET, *taken, "c503??13 00000063".replace(" ", ""))
        == DataAccessResult.DATA_BLOCK_NUMBER_INVALID
    )


@pytest.mark.parametrize("answer", ["c503??1100000001", "c501??11", "c503??1100000063"])
def test_an_error_ends_a_long_set_anywhere(answer: str) -> None:
    for taken in range(2):
        script = Script()
        before = [f"c502??{number:08x}" for number in range(1, taken + 1)]
        assert script.ask(LONG_SET, *before, answer) == DataAccessResult.LONG_SET_ABORTED
        script.works()


def test_a_long_list_ends_with_one_result_for_each_item() -> None:
    request = SetList(listed(REGISTER, REGISTER), (octets(30), octets(30)))
    script = Script()
    script.client._terms.room = 64
    answers = ["c502??00000001", "c504??02000300000002"]
    assert script.ask(request, *answers) == (DataAccessResult.SUCCESS, DataAccessResult.READ_WRITE_DENIED)
    script.client._terms.room = 64
    with pytest.raises(OutcomeUnknown):
        script.ask(request, "c502??00000001", "c504??02000300000001")


@pytest.mark.parametrize(
    "answers",
    [
        ("c704??00000002",),
        ("c701??0000",),
        ("c703??010000",),
        ("c502??00000001",),
        ("c704??00000001", "c704??00000001"),
    ],
)
def test_a_long_action_that_is_acknowledged_wrongly_has_an_unknown_outcome(answers: tuple[str, ...]) -> None:
    fails(LONG_ACTION, *answers, error=OutcomeUnknown)


def test_an_error_ends_a_long_action_anywhere() -> None:
    for before in ((), ("c704??00000001",)):
        script = Script()
        assert script.ask(LONG_ACTION, *before, "c701??0f00").result is ActionResult.LONG_ACTION_ABORTED
        script.works()
    assert Script().ask(ACTION, "c702??00000000010109", "c701??0e00").result is ActionResult.DATA_BLOCK_UNAVAILABLE
    both = Script().ask(LISTS[2], "c702??00000000010109", "c701??0e00")
    assert [one.result for one in both] == [ActionResult.DATA_BLOCK_UNAVAILABLE] * 2


@pytest.mark.parametrize("second", ["c702??000000000101 00", "c701??0000", "c401??001105", "c702??0000000003 0100"])
def test_wrong_answers_amid_the_return_parameters_of_a_method(second: str) -> None:
    fails(ACTION, "c702??00000000010109", second.replace(" ", ""), error=OutcomeUnknown)


def test_return_parameters_that_do_not_end_are_bounded() -> None:
    script = Script(limits=DEFAULT_LIMITS.__class__(octets=300))
    block = "c702??00{:08x}64" + "00" * 100
    with pytest.raises(OutcomeUnknown, match="longer than 300"):
        script.ask(ACTION, *(block.format(number) for number in range(1, 5)))
    script.works()


def test_bare_results_are_read_only_where_the_dialect_says_so() -> None:
    """The quirk action-response-bare-result: a Get-Data-Result behind the invoke-id."""
    quirky = STANDARD.but(quirks=frozenset({Quirk.ACTION_RESPONSE_BARE_RESULT}))
    answer = Script(dialect=quirky).ask(ACTION, "c701??001105")
    assert (answer.result, answer.return_parameters) == (0, EncodedData(b"\x11\x05"))
    assert Script(dialect=quirky).ask(ACTION, "c701??0104").result is ActionResult.OBJECT_UNDEFINED
    assert Script(dialect=quirky).ask(ACTION, "c701??0000").return_parameters is None
    fails(ACTION, "c701??001105", error=OutcomeUnknown)


# ---- error APDUs ----------------------------------------------------------------------------------------------------

ERRORS = {
    "d80101": "operation-not-possible",
    "d80202": "service-not-supported",
    "d80103": "other-reason",
    "d80104": "pdu-too-long",
    "d80105": "deciphering-error",
    "d8010600000020": "invocation-counter-error",
    "d80177": "119",
    "d87701": "119",
}


@pytest.mark.parametrize("answer", ERRORS)
@pytest.mark.parametrize("request_", [GET, SET, ACTION, *LISTS], ids=lambda each: type(each).__name__)
def test_an_exception_response_ends_any_request(answer: str, request_: Request) -> None:
    error = fails(request_, answer, error=ExceptionReceived)
    assert isinstance(error, ExceptionReceived)
    assert ERRORS[answer] in (error.service_error, error.state_error)
    assert ERRORS[answer] in str(error)


@pytest.mark.parametrize("request_", [GET, SET, ACTION, *LISTS], ids=lambda each: type(each).__name__)
def test_a_confirmed_service_error_ends_any_request(request_: Request) -> None:
    error = fails(request_, "0e050302", error=ServiceErrorReceived)
    assert "read, service: service-unsupported" in str(error)
    fails(request_, "0e777777", error=ServiceErrorReceived)


@pytest.mark.parametrize("answer", ["d80101", "0e050302"])
def test_error_apdus_end_transfers(answer: str) -> None:
    kind = ExceptionReceived if answer[0] == "d" else ServiceErrorReceived
    fails(GET, "c402??0000000001000109", answer, error=kind)
    fails(LONG_SET, "c502??00000001", answer, error=kind)
    fails(LONG_ACTION, "c704??00000001", answer, error=kind)
    fails(ACTION, "c702??00000000010109", answer, error=kind)


@pytest.mark.parametrize("answer", ["d8", "d801", "d80106000000", "0e0101", "0e010101ff"])
def test_error_apdus_that_are_cut_are_decode_errors(answer: str) -> None:
    fails(GET, answer, error=DecodeError)


def test_a_release_that_is_refused() -> None:
    conversation = talk()
    conversation.to_client = lambda octets_: bytes.fromhex("d80101")
    with pytest.raises(ExceptionReceived):
        conversation.ask(Release())
    assert conversation.client.state is State.IDLE


def test_an_error_in_clear_is_only_a_hint_where_answers_are_authenticated() -> None:
    """Anybody can send D8 01 01: that a change was not made follows from it only where nothing is protected."""
    for request in CHANGES:
        conversation = secure()
        conversation.to_client = lambda octets_: bytes.fromhex("d80101")
        with pytest.raises(OutcomeUnknown) as caught:
            conversation.ask(request)
        assert isinstance(caught.value.__cause__, ExceptionReceived)
    with pytest.raises(ExceptionReceived):
        conversation.ask(GET)


@pytest.mark.parametrize(("error_apdu", "kind"), [("d80101", ExceptionReceived), ("0e050302", ServiceErrorReceived)])
def test_an_error_that_comes_ciphered_is_believed(error_apdu: str, kind: type[CosemicError]) -> None:
    conversation = secure()
    context = conversation.server.context
    assert context is not None
    sealed = context.protect_apdu(bytes.fromhex(error_apdu), Envelope.GENERAL_GLO)
    conversation.to_client = lambda octets_: sealed
    with pytest.raises(kind):
        conversation.ask(SET)


# ---- late answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [GET, SET, ACTION, LONG_SET, *LISTS], ids=lambda each: type(each).__name__)
def test_no_answer_in_time(request_: Request) -> None:
    conversation = talk(server={"max_pdu_size": 45}, client={"response_timeout": 3.0})
    conversation.to_client = lambda octets_: None
    started = conversation.now
    with pytest.raises(
        OutcomeUnknown if request_ is not GET and request_ is not LISTS[0] else ResponseTimeout
    ) as caught:
        conversation.ask(request_)
    assert conversation.now == started + 3.0
    assert "3 s" in str(caught.value)
    conversation.to_client = lambda octets_: octets_
    assert conversation.ask(GET) is not None


def test_each_block_has_the_whole_time() -> None:
    script = Script(response_timeout=3.0)
    client = script.client
    client.send(GET)
    assert client.deadline() == 0.0
    assert client.tick(100.0) == []
    assert client.deadline() == 103.0
    assert client.tick(102.9) == []
    invoke = client._terms.invoke
    assert client.receive(bytes.fromhex(f"c402{invoke:02x}0000000001000109"), 102.0) == []
    assert client.deadline() == 105.0
    assert client.receive(bytes.fromhex("c4014f001105"), 104.0) == []
    assert client.deadline() == 105.0  # what nobody asked for prolongs nothing
    (event,) = client.tick(105.0)
    assert isinstance(event, Failed)
    assert client.deadline() is None
    assert client.tick(200.0) == []


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
def test_a_late_answer_is_passed_over(how: str) -> None:
    conversation = talk()
    held: list[bytes] = []
    conversation.to_client = lambda octets_: held.append(octets_)
    conversation.client.send(GET)
    if how == "cancelled":
        conversation.step()
        conversation.client.cancel()
    else:
        conversation.client.tick(0.0)
        conversation.step()
        conversation.client.tick(1e6)
    conversation.shelf.put(REGISTER, octets(3))
    conversation.to_client = lambda octets_: octets_
    conversation.client.send(GET)
    assert conversation.client.receive(held[0], 0.0) == []
    (event,) = conversation.step()
    assert isinstance(event, Completed)
    assert event.result == octets(3)


def test_a_late_error_is_not_the_answer_to_the_next_request() -> None:
    """Error APDUs have no invoke-id: one that may belong to an older request does not end the present one."""
    conversation = talk()
    conversation.client.send(SET)
    conversation.client.octets_to_send()
    conversation.client.cancel()
    conversation.client.send(GET)
    assert conversation.client.receive(bytes.fromhex("d80101"), 0.0) == []
    (event,) = conversation.step()
    assert isinstance(event, Completed)
    # The right answer settles what was owed: the next error is an answer again.
    conversation.client.send(GET)
    (event,) = conversation.client.receive(bytes.fromhex("d80101"), 0.0)
    assert isinstance(event.error, ExceptionReceived)  # type: ignore[union-attr]


@pytest.mark.parametrize("request_", [GET, SET], ids=["GET", "SET"])
def test_an_error_that_may_be_late_is_told_when_no_answer_comes(request_: Request) -> None:
    conversation = talk()
    conversation.to_client = lambda octets_: None
    with pytest.raises(ResponseTimeout):
        conversation.ask(GET)
    conversation.to_client = lambda octets_: bytes.fromhex("d80101")
    with pytest.raises(ExceptionReceived if request_ is GET else OutcomeUnknown) as caught:
        conversation.ask(request_)
    assert "operation-not-possible" in str(caught.value)


def test_an_invoke_id_that_owes_an_answer_is_not_used_again() -> None:
    conversation = talk()
    client = conversation.client
    held: list[bytes] = []
    for _ in range(15):
        client.send(GET)
        held.append(client.octets_to_send())
        client.cancel()
    assert len({apdu[2] for apdu in held}) == 15
    with pytest.raises(AssociationError, match="connect again"):
        client.send(GET)
    assert not client.busy
    # A late answer frees its own invoke-id and those before it.
    assert client.receive(bytes((0xC4, 1, held[4][2], 0, 0x11, 5)), 0.0) == []
    client.send(GET)
    assert client.octets_to_send()[2] in {apdu[2] for apdu in held[:5]}


@pytest.mark.parametrize("kind", ["plain", "ciphered", "general", "blocks"])
def test_a_meter_that_always_answers_late_is_not_taken_for_silent(kind: str) -> None:
    general = STANDARD.but(ciphered_form=CipheredForm.GENERAL if kind == "general" else CipheredForm.SERVICE_SPECIFIC)
    blocks = {"general_blocks": kind == "blocks"}
    conversation = secure(dialect=general, client=blocks) if kind != "plain" else talk()
    client, server = conversation.client, conversation.server
    for request in (GET, Access((GET,))) * 10:
        client.send(request)
        server.receive(client.octets_to_send(), 0.0)
        client.tick(0.0)
        (event,) = client.tick(10.0)
        assert isinstance(event, Failed)
        assert client.receive(server.octets_to_send(), 11.0) == []
    assert not client._owed
    assert conversation.ask(GET) == VALUE


@pytest.mark.parametrize("ciphered", [False, True])
def test_a_lower_layer_that_refuses_is_believed_only_without_ciphering(ciphered: bool) -> None:
    client = (secure() if ciphered else talk()).client
    client.send(SET)
    client.octets_to_send()
    failed, aborted = client.lost(ConnectionLost("refused"), refused=True)
    assert isinstance(failed, Failed)
    assert type(failed.error) is (OutcomeUnknown if ciphered else ConnectionLost)
    assert isinstance(aborted, Aborted)


@pytest.mark.parametrize("authenticated", [False, True])
def test_a_proposed_counter_is_kept_only_for_an_authenticated_answer(authenticated: bool) -> None:
    encrypted = {"require": Protection.ENCRYPTED, "protection": Protection.ENCRYPTED}
    conversation = secure(client=encrypted, policy=SecurityPolicy(0, 2))
    own, theirs = conversation.client.context, conversation.server.context
    assert own is not None
    assert theirs is not None
    own.propose_counter(own.transmit.next() + 100)
    assert own.transmit.trying
    conversation.client.send(GET)
    conversation.client.octets_to_send()
    answer = bytes((0xC4, 1, conversation.client._terms.invoke, 0, 0x11, 5))
    applied = Protection.ENCRYPTED | (Protection.AUTHENTICATED if authenticated else Protection.NONE)
    (event,) = conversation.client.receive(theirs.protect_apdu(answer, Envelope.GLO, protection=applied), 0.0)
    assert isinstance(event, Completed)
    assert own.transmit.trying is not authenticated


def test_an_error_that_comes_late_settles_what_is_owed() -> None:
    """The next error is then that of the present request, and is not kept back until the time-out."""
    client = talk().client
    client.send(GET)
    client.octets_to_send()
    client.cancel()
    assert client.receive(b"\xd8\x01\x01", 0.0) == []
    client.send(GET)
    client.octets_to_send()
    (event,) = client.receive(b"\xd8\x01\x01", 0.0)
    assert isinstance(event, Failed)
    assert isinstance(event.error, ExceptionReceived)


@pytest.mark.parametrize("form", [CipheredForm.SERVICE_SPECIFIC, CipheredForm.GENERAL])
def test_a_notification_is_told_while_an_answer_is_owed(form: CipheredForm) -> None:
    conversation = secure(dialect=STANDARD.but(ciphered_form=form))
    conversation.client.send(GET)
    conversation.client.octets_to_send()
    conversation.client.cancel()
    context = conversation.server.context
    assert context is not None
    for envelope, apdu in (
        (Envelope.GENERAL_GLO, "0f000000010011 05"),
        (Envelope.GLO, "c2000001010000000aff0200"),
        (None, "7f"),
    ):
        octets_ = bytes.fromhex(apdu)
        told = conversation.client.receive(
            context.protect_apdu(octets_, envelope) if envelope is not None else octets_, 1.0
        )
        assert [type(one) for one in told] == ([Notified] if envelope is not None else [])


def test_owed_invoke_ids_are_stepped_over() -> None:
    conversation = talk()
    client = conversation.client
    client.send(GET)
    skipped = client.octets_to_send()[2] & 0x0F
    client.cancel()
    used = []
    for _ in range(14):
        client.send(GET)
        apdu = client.octets_to_send()
        used.append(apdu[2] & 0x0F)
        client.cancel()
        del client._owed[-1]
    assert sorted([*used, skipped]) == list(range(1, 16))
    client.send(GET)
    assert client.octets_to_send()[2] & 0x0F != skipped


def test_a_request_that_was_never_handed_out_owes_nothing() -> None:
    client = talk().client
    for _ in range(40):
        client.send(GET)
        client.cancel()
        assert client.octets_to_send() == b""
    client.cancel()
    assert not client._owed


def test_an_answer_of_another_priority_is_not_ours() -> None:
    script = Script()
    script.client.send(GET)
    invoke = script.client._terms.invoke
    for other in (invoke ^ 0x80, invoke ^ 0x01, invoke ^ 0x0F):
        assert script.client.receive(bytes((0xC4, 1, other, 0, 0x11, 5)), 0.0) == []
    (event,) = script.client.receive(bytes((0xC4, 1, invoke ^ 0x30, 0, 0x11, 5)), 0.0)  # reserved bits say nothing
    assert isinstance(event, Completed)


@pytest.mark.parametrize(
    "unsolicited", ["0f000000010002021100 1105", "c2000001000060 0b00ff021105", "1800010201080111 05", "0f", "c2"]
)
def test_notifications_do_not_disturb_a_request(unsolicited: str) -> None:
    script, unsolicited = Script(), unsolicited.replace(" ", "")
    assert script.ask(GET, unsolicited, "c401??001105").value() == 5
    assert [one.apdu.encode().hex() for one in script.notified] == [unsolicited][: len(unsolicited) > 2]
    script.works()


@pytest.mark.parametrize("wrong", ["", "00", "ff", "c3", "c6", "7f", "c0014100", "6129", "e0"])
def test_octets_that_are_no_answer_end_the_request(wrong: str) -> None:
    if wrong == "6129":  # an AARE that nobody asked for
        script = Script()
        assert script.ask(GET, wrong, "c401??001105").value() == 5
        return
    fails(GET, wrong, error=DecodeError)


def test_a_peer_that_never_stops_talking_is_given_up() -> None:
    script = Script()
    with pytest.raises(ProtocolError, match="close the connection"):
        script.ask(GET, *["c4014f001105"] * (MOST_PASSED_OVER + 1))
    script.works()


def test_what_is_passed_over_is_counted_between_two_blocks_only() -> None:
    script = Script()
    noise = ["0f"] * MOST_PASSED_OVER
    value = script.ask(GET, *noise, "c402??0000000001000109", *noise, "c402??0100000002000100")
    assert value.value() == b""


def test_what_is_no_request_does_not_end_the_association() -> None:
    class Special(Get):
        pass

    client = talk().client
    for wrong in (Special(REGISTER), None, REGISTER):
        with pytest.raises(AssociationError, match="is no request"):
            client.send(wrong)  # type: ignore[arg-type]
        assert (client.state, client.busy, client.octets_to_send()) == (State.ASSOCIATED, False, b"")


def test_octets_without_a_request_are_passed_over() -> None:
    client = talk().client
    for octets_ in (b"", b"\xd8\x01\x01", b"\xc4\x01\x41\x00\x11\x05", b"\x61\x00", b"\xff" * 100):
        assert client.receive(octets_, 0.0) == []
    assert client.state is State.ASSOCIATED


def test_cancelling_an_opening_leaves_nothing() -> None:
    for steps in range(2):
        conversation = talk(M.HLS_GMAC, opened=False)
        conversation.client.send(Open())
        for _ in range(steps):
            conversation.step()
        conversation.client.octets_to_send()
        conversation.client.cancel()
        assert conversation.client.state is State.IDLE
        assert conversation.client.unanswered
        with pytest.raises(AssociationError, match="connect again"):
            conversation.client.send(Open())
