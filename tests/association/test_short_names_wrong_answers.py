"""A server with short names that answers wrongly, late, or never: nothing later is taken for the answer."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic.association.control import State
from cosemic.association.requests import (
    Completed,
    Failed,
    Open,
    Read,
    Release,
    Request,
    UnconfirmedWrite,
    Write,
    may_change,
)
from cosemic.codec import DEFAULT_LIMITS, EncodedData
from cosemic.errors import (
    AssociationError,
    CosemicError,
    DecodeError,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    ServiceErrorReceived,
    ServiceFailed,
)
from cosemic.security import Protection, SecurityPolicy
from cosemic.values import Conformance, DataAccessResult
from tests.association.samples import BOTH, VALUE, M, octets
from tests.association.short_name_samples import (
    ECHO_SN,
    NULL,
    QUIET_SN,
    REGISTER_SN,
    selected,
    sn_secure,
    sn_talk,
)

R = DataAccessResult
FIVE = EncodedData(b"\x11\x05")
READ = Read((REGISTER_SN,))
LIST = Read((REGISTER_SN, REGISTER_SN))
WRITE = Write((REGISTER_SN,), (VALUE,))
WRITES = Write((REGISTER_SN, QUIET_SN), (VALUE, NULL))
LONG_WRITE = Write((REGISTER_SN,), (octets(60),))
LONG_READ = Read((selected(REGISTER_SN, 1, octets(60)),))
INVOKING = Read((selected(ECHO_SN, 0, VALUE),))


class Script:
    """A client whose server answers what a script says."""

    def __init__(self, **client: Any) -> None:
        conversation = sn_talk(client=client, server={"max_pdu_size": 40})
        self.client = conversation.client
        self.requests: list[bytes] = []

    def ask(self, request: Request, *answers: str) -> Any:
        """Give the answers one by one; the result, or the error raised. Asserts that all of them were used."""
        self.client.send(request)
        self.client.tick(0.0)
        for number, answer in enumerate(answers, 1):
            sent = self.client.octets_to_send()
            assert sent
            self.requests.append(sent)
            events = self.client.receive(bytes.fromhex(answer), 1.0)
            if events:
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
        assert self.ask(READ, "0c01001105") == (FIVE,)

    def is_over(self) -> None:
        """Nothing more is asked before the client has connected anew."""
        assert self.client.unanswered
        for request in (READ, WRITE, UnconfirmedWrite((REGISTER_SN,), (VALUE,))):
            with pytest.raises(AssociationError, match="connect again"):
                self.client.send(request)
        assert self.client.octets_to_send() == b""


def fails(request: Request, *answers: str, error: type[CosemicError], over: bool = False, **client: Any) -> None:
    script = Script(**client)
    with pytest.raises(CosemicError) as caught:
        script.ask(request, *(answer.replace(" ", "") for answer in answers))
    assert type(caught.value) is error, caught.value
    if over:
        script.is_over()
    else:
        script.works()


# ---- Read -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
def test_blocks_are_joined_in_order_and_counted_from_0_or_1(first: int) -> None:
    script = Script()
    blocks = ["0100 0905", "0102", "030405"]
    answers = []
    for number, raw in enumerate(blocks, first):
        last = number == first + 2
        hexed = raw.replace(" ", "")
        answers.append(f"0c0102{last:02x}{number:04x}{len(hexed) // 2:02x}{hexed}")
    (value,) = script.ask(READ, *answers)
    assert value.value() == b"\1\2\3\4\5"
    assert [apdu.hex() for apdu in script.requests] == [
        "0501020108",
        f"050105{first:04x}",
        f"050105{first + 1:04x}",
    ]
    script.works()


@pytest.mark.parametrize(
    ("request_", "raw", "expected"),
    [
        (READ, "01 00 1105", (FIVE,)),
        (READ, "01 01 03", (R.READ_WRITE_DENIED,)),
        (READ, "1105", (FIVE,)),
        (READ, "0100", (EncodedData(b"\x01\x00"),)),  # an empty array
        (READ, "0101 00", (EncodedData(b"\x01\x01\x00"),)),  # an array of null-data, and no error called success
        (READ, "00", (NULL,)),
        (LIST, "02 00 1105 01 04", (FIVE, R.OBJECT_UNDEFINED)),
        (LIST, "1105 1105", (FIVE, FIVE)),
        (LIST, "1105 00 1105", (FIVE, FIVE)),  # as Gurux has it: a choice octet before all but the first
        (LIST, "1105 01 04", (FIVE, R.OBJECT_UNDEFINED)),
    ],
)
def test_what_the_blocks_join_to_is_read_in_any_form(request_: Request, raw: str, expected: Any) -> None:
    raw = raw.replace(" ", "")
    script = Script()
    assert script.ask(request_, f"0c0102010001{len(raw) // 2:02x}{raw}") == expected
    script.works()


@pytest.mark.parametrize(
    "raw", ["", "1105 11", "07", "0905010203", "02 00 1105 00 1105", "01 02 01 0001 01 aa", "01 01 00 00"]
)
def test_blocks_that_join_to_nothing_are_a_decode_error(raw: str) -> None:
    raw = raw.replace(" ", "")
    fails(READ, f"0c0102010001{len(raw) // 2:02x}{raw}", error=DecodeError)


@pytest.mark.parametrize(
    "answers",
    [
        ("0c0102 00 0002 02 1101",),  # begins with 2
        ("0c0102 00 0001 01 09", "0c0102 00 0001 01 01"),  # repeated
        ("0c0102 00 0000 01 09", "0c0102 00 0000 01 01"),
        ("0c0102 00 0001 01 09", "0c0102 00 0003 01 01"),  # one is missing
        ("0c0102 00 0000 01 09", "0c0102 00 0002 01 01"),
        ("0c0102 00 0001 00",),  # empty, and not the last
        ("0c0102 00 0001 01 09", "0c0100 1105"),  # a value amid a transfer
        ("0c0102 00 0001 01 09", "0c0101 00"),  # success, without data
        ("0c0102 00 0001 01 09", "0c00"),
        ("0c0102 00 0001 01 09", "0c0202000201010101 04"),
        ("0c0103 0001",),  # an acknowledgement of nothing
        ("0c02 00 1105 00 1105",),  # two results
        ("0c00",),
        ("0c02 00 1105 02 01 0001 01 00",),  # a block beside a result
    ],
)
def test_a_read_that_is_answered_wrongly_is_a_protocol_error(answers: tuple[str, ...]) -> None:
    fails(READ, *answers, error=ProtocolError)


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        (("0c0101 04",), R.OBJECT_UNDEFINED),
        (("0c0101 77",), 0x77),
        (("0c0102 00 0001 01 09", "0c0101 0f"), R.LONG_GET_ABORTED),
        (("0c0102 00 0001 01 09", "0c0101 13"), R.DATA_BLOCK_NUMBER_INVALID),
    ],
)
def test_errors_are_results(answers: tuple[str, ...], result: int) -> None:
    for request, count in ((READ, 1), (LIST, 2)):
        script = Script()
        assert script.ask(request, *(answer.replace(" ", "") for answer in answers)) == (result,) * count
        script.works()


def test_a_transfer_that_does_not_end_is_bounded() -> None:
    script = Script(limits=DEFAULT_LIMITS.__class__(octets=300))
    block = "0c010200{:04x}64" + "00" * 100
    with pytest.raises(ProtocolError, match="longer than 300"):
        script.ask(READ, *(block.format(number) for number in range(1, 5)))
    script.works()


def test_block_numbers_end_where_their_octets_do() -> None:
    script = Script()
    script.client.send(READ)
    script.client.octets_to_send()
    for number in range(1, 0x10000):
        assert script.client.receive(b"\x0c\x01\x02\x00" + number.to_bytes(2) + b"\x01\x00", 1.0) == []
        script.client.octets_to_send()
    (event,) = script.client.receive(bytes.fromhex("0c01020000000100"), 1.0)
    assert isinstance(event, Failed)
    assert isinstance(event.error, ProtocolError)


def test_blocks_that_were_not_agreed_upon_are_not_asked_for() -> None:
    proposed = Conformance.READ | Conformance.WRITE | Conformance.PARAMETERIZED_ACCESS
    fails(READ, "0c010200000101 09", error=ServiceFailed, conformance=proposed)
    fails(INVOKING, "0c010200000101 09", error=OutcomeUnknown, conformance=proposed)


# ---- long requests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answers",
    [
        ("0d0102 0002",),
        ("0d0102 0000",),
        ("0d0102 0001", "0d0102 0001"),
        ("0d0100",),  # done, before the last block
        ("0d00",),
        ("0d02 00 00",),
        ("0d0102 0001", "0d0102 0002", "0d0102 0003"),
    ],
)
def test_a_long_write_that_is_acknowledged_wrongly_has_an_unknown_outcome(answers: tuple[str, ...]) -> None:
    fails(LONG_WRITE, *answers, error=OutcomeUnknown)


@pytest.mark.parametrize("answers", [("0c0103 0002",), ("0c0100 1105",), ("0c00",), ("0c0103 0001", "0c0103 0001")])
def test_a_long_request_to_read_that_is_acknowledged_wrongly_is_a_protocol_error(answers: tuple[str, ...]) -> None:
    fails(LONG_READ, *answers, error=ProtocolError)


@pytest.mark.parametrize("taken", range(3))
def test_an_error_ends_a_long_request_anywhere(taken: int) -> None:
    for request, acknowledged, answer in ((LONG_WRITE, "0d0102", "0d010111"), (LONG_READ, "0c0103", "0c010111")):
        script = Script()
        before = [f"{acknowledged}{number:04x}" for number in range(1, taken + 1)]
        assert script.ask(request, *before, answer) == (R.LONG_SET_ABORTED,)
        script.works()


def test_a_request_of_more_blocks_than_can_be_counted_is_not_begun() -> None:
    talk = sn_talk(server={"max_pdu_size": 12})
    with pytest.raises(ServiceFailed, match="65535"):
        talk.ask(Write((REGISTER_SN,), (octets(70_000 * 3),)))
    assert len(talk.requests) == 1
    assert not talk.client.busy


# ---- Write ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "answer", "over"),
    [
        (WRITE, "0d00", False),
        (WRITE, "0d0200 00", False),
        (WRITE, "0d0102 0001", False),
        (WRITES, "0d0100", False),
        (WRITE, "0d", True),
        (WRITE, "0d01", True),
        (WRITE, "0d0103", True),
        (WRITE, "0d010000", True),
        (WRITE, "0c0100 1105", True),
        (INVOKING, "0c00", False),
        (INVOKING, "0c0100", True),
        (INVOKING, "0d0100", True),
    ],
)
def test_a_change_with_an_answer_that_cannot_be_trusted_has_an_unknown_outcome(
    request_: Request, answer: str, over: bool
) -> None:
    fails(request_, answer, error=OutcomeUnknown, over=over)


def test_refused_changes_are_results() -> None:
    script = Script()
    assert script.ask(WRITE, "0d010103") == (R.READ_WRITE_DENIED,)
    assert script.ask(WRITES, "0d02000103") == (R.SUCCESS, R.READ_WRITE_DENIED)
    assert script.ask(WRITES, "0d010103") == (R.READ_WRITE_DENIED,) * 2
    script.works()


def test_what_may_change_something_is_known() -> None:
    assert [may_change(one) for one in (READ, LIST, LONG_READ)] == [False] * 3
    assert [may_change(one) for one in (WRITE, INVOKING, UnconfirmedWrite((1,), (VALUE,)))] == [True] * 3


# ---- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [READ, WRITE, INVOKING])
def test_a_confirmed_service_error_is_the_answer(request_: Request) -> None:
    for octets_, text in (("0e050302", "read, service: service-unsupported"), ("0e060501", "write, access: scope-of")):
        script = Script()
        with pytest.raises(ServiceErrorReceived, match=text):
            script.ask(request_, octets_)
        script.works()


@pytest.mark.parametrize(
    ("octets_", "advice"),
    [
        ("0e050201", "open the association first"),
        ("0e060302", "did not agree to it"),
        ("0e050301", "ask for less at a time"),
        ("0e050006", "check the keys and the system titles"),
        ("0e060501", "may not do that here"),
        ("0e050401", "no object with this short name"),
        ("0e050300", "no other reason"),
        ("0e7f7f7f", "no other reason"),
    ],
)
def test_errors_say_what_to_do(octets_: str, advice: str) -> None:
    with pytest.raises(ServiceErrorReceived, match=advice):
        Script().ask(READ, octets_)


@pytest.mark.parametrize("error", ["0e050006", "d80105"])
def test_an_error_in_clear_does_not_vouch_that_nothing_was_changed(error: str) -> None:
    talk = sn_secure()
    talk.to_client = lambda _: bytes.fromhex(error)
    with pytest.raises(OutcomeUnknown):
        talk.ask(WRITE)
    talk = sn_secure()
    talk.to_client = lambda _: bytes.fromhex(error)
    with pytest.raises(ServiceFailed):
        talk.ask(READ)


@pytest.mark.parametrize("error", ["0e050401", "d80101"])
@pytest.mark.parametrize("request_", [READ, WRITE])
def test_an_error_that_may_be_forged_does_not_shift_the_answers(request_: Request, error: str) -> None:
    """The answer that is still under way would be taken for that to the next request, and its tag is right."""
    talk = sn_secure()
    talk.client.send(request_)
    talk.server.receive(talk.client.octets_to_send(), talk.now)
    (failed,) = talk.client.receive(bytes.fromhex(error), talk.now)
    assert isinstance(failed, Failed)
    assert talk.client.unanswered
    with pytest.raises(AssociationError, match="connect again"):
        talk.client.send(Read((QUIET_SN,)))
    assert talk.client.receive(talk.server.octets_to_send(), talk.now) == []


@pytest.mark.parametrize("protection", [BOTH, Protection.ENCRYPTED])
def test_an_error_as_protected_as_an_answer_leaves_the_association_in_use(protection: Protection) -> None:
    policy = SecurityPolicy(0, int(protection))
    talk = sn_talk(M.LOWEST, ciphered=True, policy=policy, client={"protection": protection})
    context = talk.server.context
    assert context is not None
    talk.to_client = lambda _: context.protect_apdu(bytes.fromhex("0e050401"))
    with pytest.raises(ServiceErrorReceived):
        talk.ask(READ)
    assert not talk.client.unanswered


# ---- no answer, and late ones ---------------------------------------------------------------------------------------


def silent(request: Request, *, ciphered: bool) -> tuple[Any, bytes]:
    """A client that has waited in vain, and the answer that did not come."""
    talk = sn_secure() if ciphered else sn_talk()
    kept: list[bytes] = []
    talk.to_client = lambda apdu: kept.append(apdu)
    with pytest.raises(ResponseTimeout if request is READ else OutcomeUnknown):
        talk.ask(request)
    return talk, kept[0]


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
@pytest.mark.parametrize("request_", [READ, WRITE, INVOKING])
def test_after_a_time_out_nothing_more_is_asked(request_: Request, ciphered: bool) -> None:
    talk, late = silent(request_, ciphered=ciphered)
    assert talk.client.unanswered
    assert talk.client.receive(late, talk.now) == []
    for request in (READ, WRITE):
        with pytest.raises(AssociationError, match="connect again"):
            talk.client.send(request)
    assert talk.client.octets_to_send() == b""


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_after_a_time_out_the_association_can_be_released_and_not_opened_again(ciphered: bool) -> None:
    talk, late = silent(READ, ciphered=ciphered)
    talk.client.send(Release())
    talk.client.tick(talk.now)
    assert talk.client.receive(late, talk.now) == []  # the late answer is not that to the release
    talk.to_client = lambda apdu: apdu
    (event,) = talk.step()
    assert isinstance(event, Completed)
    with pytest.raises(AssociationError, match="connect again"):
        talk.client.send(Open())


@pytest.mark.parametrize("request_", [READ, WRITE])
def test_a_request_that_is_cancelled_owes_its_answer(request_: Request) -> None:
    talk = sn_talk()
    talk.client.send(request_)
    talk.client.cancel()  # it was not sent
    assert not talk.client.unanswered
    assert talk.ask(READ) == (VALUE,)
    talk.client.send(request_)
    talk.client.octets_to_send()
    talk.client.cancel()
    assert talk.client.unanswered
    with pytest.raises(AssociationError, match="connect again"):
        talk.client.send(READ)


def test_a_transfer_that_is_given_up_between_two_blocks_owes_nothing() -> None:
    script = Script()
    script.client.send(READ)
    script.client.octets_to_send()
    assert script.client.receive(bytes.fromhex("0c01020000010109"), 1.0) == []
    script.client.cancel()  # the next block was not asked for
    script.works()


def test_an_answer_to_pass_3_that_did_not_come_owes_too() -> None:
    from tests.association.samples import M

    talk = sn_talk(M.HLS_SHA256, opened=False)
    talk.to_client = lambda apdu: None if apdu[0] == 0x0C else apdu
    with pytest.raises(ResponseTimeout):
        talk.open()
    assert talk.client.unanswered


def test_an_answer_that_comes_before_the_request_has_left_is_none() -> None:
    talk = sn_talk()
    talk.client.send(READ)
    assert talk.client.receive(bytes.fromhex("0c01001105"), talk.now) == []
    assert talk.client.busy
    (event,) = talk.step()
    assert isinstance(event, Completed)
    assert event.result == (VALUE,)


def test_answers_that_nobody_asked_for_are_passed_over() -> None:
    talk = sn_talk(opened=False)
    talk.client.send(Open())
    talk.client.octets_to_send()
    for stray in ("0c01001105", "0d0100"):
        assert talk.client.receive(bytes.fromhex(stray), talk.now) == []
    talk = sn_talk()
    for stray in ("0c01001105", "0d0100"):
        assert talk.client.receive(bytes.fromhex(stray), talk.now) == []
    assert talk.ask(READ) == (VALUE,)
    for stray in ("c401400011 05".replace(" ", ""), "c5014000", "c701400000", "da0000000000000000"):
        talk.client.send(READ)
        talk.client.octets_to_send()
        assert talk.client.receive(bytes.fromhex(stray), talk.now) == []
        (event,) = talk.client.receive(bytes.fromhex("0c01001105"), talk.now)
        assert isinstance(event, Completed)


def test_an_unconfirmed_write_owes_nothing() -> None:
    talk = sn_talk()
    talk.client.send(UnconfirmedWrite((REGISTER_SN,), (VALUE,)))
    talk.client.octets_to_send()
    assert talk.client.receive(bytes.fromhex("0d0100"), talk.now) == []
    (event,) = talk.client.tick(talk.now)
    assert isinstance(event, Completed)
    assert event.result is None
    talk.client.send(UnconfirmedWrite((REGISTER_SN,), (VALUE,)))
    talk.client.octets_to_send()
    talk.client.cancel()
    assert not talk.client.unanswered
    assert talk.ask(READ) == (VALUE,)
