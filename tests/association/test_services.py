"""GET, SET and ACTION between a client and a server: whatever the sizes, what comes out is what the provider holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.association.joined import join_actions
from cosemic.association.requests import Action, ActionList, Get, GetList, Request, Set, SetList
from cosemic.codec import DEFAULT_LIMITS, DataType, EncodedData
from cosemic.dialect import STANDARD, ActionPblockContent, Edition, LongGetAbort
from cosemic.errors import DecodeError, EncodeError, ExceptionReceived, ServiceFailed
from cosemic.security import Protection, SecurityPolicy
from cosemic.values import ActionResult, Conformance, DataAccessResult
from tests.association.samples import (
    CLOCK,
    DENIED,
    ECHO,
    MISSING,
    QUIET,
    REGISTER,
    VALUE,
    M,
    Shelf,
    Talk,
    attribute,
    listed,
    octets,
    secure,
    settings,
    talk,
)

SUCCESS = DataAccessResult.SUCCESS
UNDEFINED = DataAccessResult.OBJECT_UNDEFINED
SELECTION = a.SelectiveAccessDescriptor(2, EncodedData.of(DataType.NULL_DATA))
C = Conformance


def test_get_of_one_attribute() -> None:
    conversation = talk()
    assert conversation.ask(Get(REGISTER)) == VALUE
    assert conversation.ask(Get(MISSING)) is UNDEFINED
    assert conversation.ask(Get(REGISTER, SELECTION)) == VALUE


def test_the_octets_are_those_of_the_reference() -> None:
    """application_layer.md 19: a GET of the clock, but for the invoke-id."""
    conversation = talk()
    conversation.ask(Get(CLOCK))
    conversation.ask(Get(CLOCK))
    assert [apdu.hex() for apdu in conversation.requests[1:]] == [
        "c001410008" + "0000010000ff" + "0200",
        "c001420008" + "0000010000ff" + "0200",
    ]
    assert [apdu.hex() for apdu in conversation.answers[1:]] == ["c401410104", "c401420104"]


def test_set_and_action() -> None:
    conversation = talk()
    assert conversation.ask(Set(REGISTER, octets(2))) is SUCCESS
    assert conversation.ask(Get(REGISTER)) == octets(2)
    assert conversation.ask(Set(MISSING, octets(2))) is UNDEFINED
    assert conversation.ask(Set(REGISTER, octets(3), SELECTION)) is SUCCESS
    echoed = conversation.ask(Action(ECHO, VALUE))
    assert (echoed.result, echoed.return_parameters) == (ActionResult.SUCCESS, VALUE)
    assert conversation.ask(Action(QUIET)).return_parameters is None
    assert conversation.shelf.calls[-1] == ("action", (QUIET, None))
    assert conversation.ask(Action(DENIED)).result is ActionResult.READ_WRITE_DENIED


def test_lists_give_one_result_for_each_item() -> None:
    conversation = talk()
    assert conversation.ask(GetList(listed(REGISTER, MISSING, REGISTER))) == (VALUE, UNDEFINED, VALUE)
    assert conversation.ask(SetList(listed(CLOCK, MISSING), (octets(1), octets(2)))) == (SUCCESS, UNDEFINED)
    results = conversation.ask(ActionList((ECHO, DENIED, QUIET), (VALUE, VALUE, VALUE)))
    assert [one.result for one in results] == [0, ActionResult.READ_WRITE_DENIED, 0]
    assert [one.return_parameters for one in results] == [VALUE, None, None]


def test_each_request_has_the_next_invoke_id_and_normal_priority() -> None:
    conversation = talk()
    for _ in range(31):
        conversation.ask(Get(REGISTER))
    seen = [apdu[2] for apdu in conversation.requests[1:]]
    assert seen == [0x40 | (n % 15 + 1) for n in range(31)]
    assert [apdu[2] for apdu in conversation.answers[1:]] == seen


@given(st.sampled_from([0xC0, 0x81, 0x4F, 0x40, 0x71, 0xF1]))
def test_the_server_copies_whatever_invoke_id_and_priority_it_gets(invoke: int) -> None:
    conversation = talk()
    conversation.server.receive(bytes((0xC0, 1, invoke)) + REGISTER.encode() + b"\0", 0.0)
    answer = conversation.server.octets_to_send()
    assert answer == b"" if not invoke & 0x40 else answer[2] == invoke


# ---- any sequence of requests, any sizes ----------------------------------------------------------------------------

values = st.one_of(
    st.integers(0, 600).map(lambda size: octets(size, size)),
    st.just(VALUE),
    st.just(EncodedData.of(DataType.NULL_DATA)),
    st.just(EncodedData.of(DataType.STRUCTURE, ())),
    st.lists(st.integers(0, 255), max_size=40).map(
        lambda numbers: EncodedData.of(DataType.ARRAY, tuple((DataType.UNSIGNED, n) for n in numbers))
    ),
)
places = st.integers(0, 5).map(attribute)
methods = st.sampled_from([ECHO, QUIET, DENIED])


@st.composite
def requests(draw: st.DrawFn) -> Request:
    kind = draw(st.sampled_from([Get, GetList, Set, SetList, Action, ActionList]))
    many = st.integers(1, 6)
    if kind is Get:
        return Get(draw(places))
    if kind is Set:
        return Set(draw(places), draw(values))
    if kind is Action:
        return Action(draw(methods), draw(st.one_of(st.none(), values)))
    count = draw(many)
    attributes = listed(*(draw(places) for _ in range(count)))
    given_ = tuple(draw(values) for _ in range(count))
    if kind is GetList:
        return GetList(attributes)
    if kind is SetList:
        return SetList(attributes, given_)
    return ActionList(tuple(draw(methods) for _ in range(count)), given_)


def acted(method: Any, parameters: EncodedData | None) -> tuple[ActionResult, EncodedData | None]:
    if method == DENIED:
        return ActionResult.READ_WRITE_DENIED, None
    return ActionResult.SUCCESS, parameters if method == ECHO else None


def expected(request: Request, model: dict[bytes, EncodedData]) -> Any:
    """What a request gives, by the plainest of models; changes the model."""
    match request:
        case Get(one, _):
            return model.get(one.encode(), UNDEFINED)
        case Set(one, value, _):
            model[one.encode()] = value
            return SUCCESS
        case Action(method, parameters):
            return acted(method, parameters)
        case GetList(entries):
            return [model.get(one.cosem_attribute_descriptor.encode(), UNDEFINED) for one in entries]
        case SetList(entries, given_):
            for one, value in zip(entries, given_, strict=True):
                model[one.cosem_attribute_descriptor.encode()] = value
            return [SUCCESS] * len(entries)
        case ActionList(called, given_):
            return [acted(*each) for each in zip(called, given_, strict=True)]
    raise AssertionError(request)


def plain(result: Any) -> Any:
    if isinstance(result, tuple):
        return [plain(one) for one in result]
    if isinstance(result, a.ActionResponseWithOptionalData):
        return result.result, result.return_parameters
    return result


sizes = st.one_of(st.just(0), st.integers(40, 300), st.just(0xFFFF))


@given(
    st.lists(requests(), min_size=1, max_size=6),
    sizes,
    sizes,
    st.sampled_from(["plain", "glo", "ded"]),
    st.sampled_from(ActionPblockContent),
)
def test_any_sequence_gives_what_the_provider_holds_and_no_apdu_is_too_long(
    asked: list[Request], ours: int, theirs: int, form: str, content: ActionPblockContent
) -> None:
    client = {"max_pdu_size": ours if form == "plain" else ours and ours + 40, "dedicated_key": form == "ded"}
    server = {"max_pdu_size": theirs if form == "plain" else theirs and theirs + 40}
    for side in (client, server):
        side["max_pdu_size"] = min(side["max_pdu_size"], 0xFFFF)
    dialect = STANDARD.but(action_pblock_content=content)
    conversation = talk(M.LOWEST, ciphered=form != "plain", client=client, server=server, dialect=dialect)
    model: dict[bytes, EncodedData] = {}
    for request in asked:
        before = len(conversation.shelf.calls)
        try:
            result = conversation.ask(request)
        except ServiceFailed:  # a list of names that is longer than an APDU may be
            assert isinstance(request, GetList | SetList | ActionList)
            assert len(conversation.shelf.calls) == before
            continue
        assert plain(result) == expected(request, model)
    assert all(len(apdu) <= (server["max_pdu_size"] or 0xFFFF) for apdu in conversation.requests[1:])
    assert all(len(apdu) <= (client["max_pdu_size"] or 0xFFFF) for apdu in conversation.answers[1:])


@pytest.mark.parametrize("size", range(14, 45))
def test_blocks_of_every_small_size(size: int) -> None:
    for length in (size - 10, size - 5, size, 3 * size, 127, 128, 129, 255, 256, 260):
        conversation = talk(client={"max_pdu_size": size}, server={"max_pdu_size": max(size, 25)})
        long = octets(max(length, 0))
        assert conversation.ask(Set(REGISTER, long)) is SUCCESS
        assert conversation.ask(Get(REGISTER)) == long
        assert conversation.ask(Action(ECHO, long)).return_parameters == long
        assert all(len(apdu) <= size for apdu in conversation.answers[1:])


def test_nothing_is_executed_before_the_last_block() -> None:
    conversation = talk(server={"max_pdu_size": 40})
    seen: list[int] = []
    conversation.to_server = lambda octets_: (seen.append(len(conversation.shelf.calls)), octets_)[1]
    conversation.ask(Set(REGISTER, octets(100)))
    assert len(seen) > 3
    assert set(seen) == {0}
    assert conversation.shelf.calls == [("set", (REGISTER, octets(100)))]


def test_a_long_list_of_results_comes_in_blocks() -> None:
    conversation = talk(client={"max_pdu_size": 60})
    for n in range(6):
        conversation.shelf.put(attribute(n), octets(50, n))
    names = listed(*(attribute(n) for n in range(7)))
    assert conversation.ask(GetList(names)) == (*(octets(50, n) for n in range(6)), UNDEFINED)
    assert conversation.answers[-1][:2] == b"\xc4\x02"


class Selecting(Shelf):
    """A shelf that notes which part is asked for, or written."""

    def __init__(self) -> None:
        super().__init__()
        self.selected: list[Any] = []

    def get(self, attribute: Any, selection: Any, access: Any) -> Any:
        self.selected.append(selection)
        return super().get(attribute, selection, access)

    def set(self, attribute: Any, selection: Any, value: Any, access: Any) -> DataAccessResult:
        self.selected.append(selection)
        return super().set(attribute, selection, value, access)


CHOSEN = (*listed(REGISTER), a.CosemAttributeDescriptorWithSelection(REGISTER, SELECTION))


@pytest.mark.parametrize(
    ("request_", "selected"),
    [
        (Get(REGISTER, SELECTION), [SELECTION]),
        (GetList(CHOSEN), [None, SELECTION]),
        (Set(REGISTER, VALUE, SELECTION), [SELECTION]),
        (Set(REGISTER, octets(200), SELECTION), [SELECTION]),
        (SetList(CHOSEN, (VALUE, VALUE)), [None, SELECTION]),
        (SetList(CHOSEN, (VALUE, octets(200))), [None, SELECTION]),
    ],
    ids=["get", "get list", "set", "set in blocks", "set list", "set list in blocks"],
)
def test_a_selection_reaches_the_object(request_: Request, selected: list[Any]) -> None:
    conversation = Talk(*settings(server={"max_pdu_size": 100}), shelf := Selecting())
    conversation.open()
    conversation.ask(request_)
    assert shelf.selected == selected


def test_a_long_list_of_answers_comes_in_pblocks() -> None:
    conversation = talk(client={"max_pdu_size": 80})
    answers = conversation.ask(ActionList((ECHO, DENIED, QUIET, ECHO), (octets(70), VALUE, VALUE, octets(80, 1))))
    assert [(one.result, one.return_parameters) for one in answers] == [
        (ActionResult.SUCCESS, octets(70)),
        (ActionResult.READ_WRITE_DENIED, None),
        (ActionResult.SUCCESS, None),
        (ActionResult.SUCCESS, octets(80, 1)),
    ]
    assert {apdu[:2] for apdu in conversation.answers[1:]} == {b"\xc7\x02"}


# ---- what was not agreed upon ---------------------------------------------------------------------------------------

EVERYTHING = Conformance((1 << 24) - 1)


@pytest.mark.parametrize(
    ("missing", "request_"),
    [
        (C.GET, Get(REGISTER)),
        (C.GET, GetList(listed(REGISTER))),
        (C.SET, Set(REGISTER, VALUE)),
        (C.SET, SetList(listed(REGISTER), (VALUE,))),
        (C.ACTION, Action(QUIET)),
        (C.ACTION, ActionList((QUIET,), (VALUE,))),
        (C.MULTIPLE_REFERENCES, GetList(listed(REGISTER))),
        (C.MULTIPLE_REFERENCES, SetList(listed(REGISTER), (VALUE,))),
        (C.MULTIPLE_REFERENCES, ActionList((QUIET,), (VALUE,))),
        (C.SELECTIVE_ACCESS, Get(REGISTER, SELECTION)),
        (C.SELECTIVE_ACCESS, Set(REGISTER, VALUE, SELECTION)),
        (C.SELECTIVE_ACCESS, GetList((a.CosemAttributeDescriptorWithSelection(REGISTER, SELECTION),))),
        (C.SELECTIVE_ACCESS, SetList((a.CosemAttributeDescriptorWithSelection(REGISTER, SELECTION),), (VALUE,))),
        (C.BLOCK_TRANSFER_WITH_SET_OR_WRITE, Set(REGISTER, octets(200))),
        (C.BLOCK_TRANSFER_WITH_SET_OR_WRITE, SetList(listed(REGISTER), (octets(200),))),
        (C.BLOCK_TRANSFER_WITH_ACTION, Action(ECHO, octets(200))),
        (C.BLOCK_TRANSFER_WITH_ACTION, ActionList((ECHO,), (octets(200),))),
    ],
)
def test_what_was_not_agreed_upon_is_refused_here_and_there(missing: Conformance, request_: Request) -> None:
    """The client sends nothing; a client that sends it all the same is told that it is not supported."""
    name = missing.names()[0]
    conversation = talk(server={"conformance": EVERYTHING & ~missing, "max_pdu_size": 100})
    sent = len(conversation.requests)
    with pytest.raises(ServiceFailed, match=name) as caught:
        conversation.ask(request_)
    assert caught.value.label == name
    assert (len(conversation.requests), conversation.client.busy) == (sent, False)
    other = Shelf()
    conversation = Talk(*settings(server={"conformance": EVERYTHING & ~missing, "max_pdu_size": 100}), other)
    conversation.open()
    conversation.client._terms.agreed = int(EVERYTHING)
    with pytest.raises(ExceptionReceived, match="service-not-supported"):
        conversation.ask(request_)
    assert other.calls == []


def test_an_answer_that_is_too_long_without_blocks_says_other_reason() -> None:
    none = EVERYTHING & ~C.BLOCK_TRANSFER_WITH_GET_OR_READ & ~C.BLOCK_TRANSFER_WITH_ACTION
    older = STANDARD.but(edition=Edition.GREEN_BOOK_9)
    conversation = talk(client={"max_pdu_size": 40}, server={"conformance": none, "dialect": older})
    conversation.shelf.put(REGISTER, octets(100))
    assert conversation.ask(Get(REGISTER)) is DataAccessResult.OTHER_REASON
    assert conversation.ask(GetList(listed(REGISTER, MISSING))) == (DataAccessResult.OTHER_REASON,) * 2
    # A method that was carried out is not said to have failed: only what it returns is missing.
    answer = conversation.ask(Action(ECHO, octets(100)))
    assert (answer.result, answer.return_parameters) == (ActionResult.SUCCESS, DataAccessResult.OTHER_REASON)
    answers = conversation.ask(ActionList((ECHO, QUIET, DENIED), (octets(100), VALUE, VALUE)))
    assert [one.result for one in answers] == [0, 0, ActionResult.READ_WRITE_DENIED]
    assert [one.return_parameters for one in answers] == [DataAccessResult.OTHER_REASON, None, None]


@pytest.mark.parametrize(
    "request_",
    [
        GetList(listed(*(attribute(n) for n in range(20)))),
        SetList(listed(*(attribute(n) for n in range(40))), (VALUE,) * 40),
        ActionList((QUIET,) * 20, (VALUE,) * 20),
    ],
)
def test_a_list_whose_results_do_not_fit_is_refused_before_anything_is_executed(request_: Request) -> None:
    none = EVERYTHING & ~C.BLOCK_TRANSFER_WITH_GET_OR_READ & ~C.BLOCK_TRANSFER_WITH_ACTION
    conversation = talk(client={"max_pdu_size": 40}, server={"conformance": none})
    with pytest.raises(ExceptionReceived, match="pdu-too-long"):
        conversation.ask(request_)
    assert conversation.shelf.calls == []


def test_a_long_set_list_whose_results_do_not_fit_is_refused_at_its_first_block() -> None:
    conversation = talk(client={"max_pdu_size": 40}, server={"max_pdu_size": 600})
    with pytest.raises(ExceptionReceived, match="pdu-too-long"):
        conversation.ask(SetList(listed(*(attribute(n) for n in range(40))), (octets(10),) * 40))
    assert conversation.shelf.calls == []


@pytest.mark.parametrize(
    "request_",
    [
        GetList(()),
        SetList((), ()),
        ActionList((), ()),
        SetList(listed(REGISTER), ()),
        ActionList((QUIET,), (VALUE, VALUE)),
    ],
)
def test_lists_that_are_none_are_refused_before_anything_is_sent(request_: Request) -> None:
    conversation = talk()
    with pytest.raises(EncodeError):
        conversation.ask(request_)
    assert len(conversation.requests) == 1


@pytest.mark.parametrize(
    "request_", [Get(REGISTER), Action(QUIET), Set(REGISTER, octets(50)), GetList(listed(REGISTER))]
)
def test_a_meter_that_takes_too_little_is_not_sent_too_much(request_: Request) -> None:
    conversation = talk(server={"max_pdu_size": 12})
    with pytest.raises(ServiceFailed, match="12"):
        conversation.ask(request_)
    assert len(conversation.requests) == 1
    assert not conversation.client.busy


# ---- the server's side of transfers ---------------------------------------------------------------------------------


def served(conversation: Talk, request: str) -> str:
    conversation.server.receive(bytes.fromhex(request), 0.0)
    return conversation.server.octets_to_send().hex()


GET = "c00141" + REGISTER.encode().hex() + "00"
CLOCK_SET = CLOCK.encode().hex()


def long_get(**more: Any) -> Talk:
    conversation = talk(client={"max_pdu_size": 30}, **more)
    conversation.shelf.put(REGISTER, octets(60))
    return conversation


@pytest.mark.parametrize(
    ("abort", "code"), [(LongGetAbort.LONG_GET_ABORTED, "0f"), (LongGetAbort.DATA_BLOCK_NUMBER_INVALID, "13")]
)
@pytest.mark.parametrize("number", [0, 2, 3, 0xFFFFFFFF])
def test_a_get_next_of_the_wrong_number_aborts(abort: LongGetAbort, code: str, number: int) -> None:
    conversation = long_get(dialect=STANDARD.but(long_get_abort=abort))
    assert served(conversation, GET).startswith("c402410000000001 00".replace(" ", ""))
    assert served(conversation, f"c00241{number:08x}") == f"c4024101{number:08x}01{code}"
    assert served(conversation, f"c00241{number:08x}") == f"c4024101{number:08x}0110"  # no-long-get-in-progress
    assert served(conversation, "c0024100000001") == "c4024101000000010110"


def test_a_get_next_behind_the_last_block_finds_no_transfer() -> None:
    conversation = long_get()
    answer, number = served(conversation, GET), 1
    while answer[6:8] == "00":
        answer = served(conversation, f"c00241{number:08x}")
        number += 1
    assert number == 4
    assert served(conversation, f"c00241{number:08x}") == f"c4024101{number:08x}0110"


def test_a_block_is_sent_again_only_where_the_dialect_says_so() -> None:
    conversation = long_get(dialect=STANDARD.but(repeat_last_block=True))
    served(conversation, GET)
    second = served(conversation, "c0024100000001")
    assert served(conversation, "c0024100000001") == second
    assert served(conversation, "c0024100000002") != second
    strict = long_get()
    served(strict, GET)
    served(strict, "c0024100000001")
    assert served(strict, "c0024100000001") == "c402410100000001010f"


def test_a_pblock_is_sent_again_only_where_the_dialect_says_so() -> None:
    asked = "c30141" + ECHO.encode().hex() + "01" + octets(60).octets.hex()
    for repeat in (True, False):
        conversation = talk(client={"max_pdu_size": 30}, dialect=STANDARD.but(repeat_last_block=repeat))
        served(conversation, asked)
        second = served(conversation, "c3024100000001")
        again = served(conversation, "c3024100000001")
        assert again == (second if repeat else "c701410f00")


@pytest.mark.parametrize("between", [GET, "c10141" + CLOCK_SET + "001105", "c30141" + QUIET.encode().hex() + "00"])
def test_a_new_request_abandons_the_open_transfer(between: str) -> None:
    conversation = long_get()
    conversation.shelf.values.pop(REGISTER.encode())
    conversation.shelf.put(CLOCK, octets(60))
    served(conversation, "c00141" + CLOCK_SET + "00")
    served(conversation, between)
    assert served(conversation, "c0024100000001") == "c4024101000000010110"


def test_wrong_blocks_of_a_set() -> None:
    first = f"c10241{CLOCK_SET}00 00 00000001 02 0903".replace(" ", "")
    conversation = talk()
    assert served(conversation, "c103410000000001 00".replace(" ", "")) == "c503411200000001"
    assert served(conversation, first) == "c5024100000001"
    assert served(conversation, "c103410100000003 00".replace(" ", "")) == "c503411300000003"
    assert served(conversation, "c103410100000002 00".replace(" ", "")) == "c503411200000002"
    assert served(conversation, first.replace("00000001", "00000002")) == "c503411300000002"
    assert served(conversation, first) == "c5024100000001"
    assert served(conversation, "c103410100000002 0101".replace(" ", "")) == "c503410c00000002"  # type-unmatched
    assert conversation.shelf.calls == []
    served(conversation, first)
    assert served(conversation, "c10341 01 00000002 03 010203".replace(" ", "")) == "c503410000000002"
    assert conversation.shelf.values[CLOCK.encode()].value() == b"\1\2\3"


def test_wrong_blocks_of_a_list() -> None:
    first = f"c1054101{CLOCK_SET}00 01 00000001 04 02 1101 00".replace(" ", "")
    conversation = talk()
    assert served(conversation, first) == "c5044101fa00000001"  # two values for one attribute
    assert conversation.shelf.calls == []


def test_wrong_blocks_of_an_action() -> None:
    method = ECHO.encode().hex()
    first = f"c30441{method} 00 00000001 02 0903".replace(" ", "")
    conversation = talk()
    assert served(conversation, "c306410000000001 00".replace(" ", "")) == "c701411000"
    assert served(conversation, first) == "c7044100000001"
    assert served(conversation, "c306410100000003 00".replace(" ", "")) == "c701410f00"
    assert served(conversation, "c306410100000002 00".replace(" ", "")) == "c701411000"
    served(conversation, first)
    assert served(conversation, "c306410100000002 0101".replace(" ", "")) == "c701410c00"
    assert conversation.shelf.calls == []
    served(conversation, first)
    assert served(conversation, "c30641 01 00000002 03 010203".replace(" ", "")) == "c701410001000903010203"
    wrong = f"c3054101{ECHO.encode().hex()} 01 00000001 04 02 1101 00".replace(" ", "")
    assert served(conversation, wrong) == "c7034101fa00"
    assert served(conversation, "c3024100000001") == "c701411000"  # nothing to fetch


def test_a_list_with_another_number_of_values_is_not_executed() -> None:
    conversation = talk()
    assert served(conversation, f"c1044101{CLOCK_SET}00 02 1101 1102".replace(" ", "")) == "d80103"
    assert served(conversation, f"c3034101{ECHO.encode().hex()} 00".replace(" ", "")) == "d80103"
    assert conversation.shelf.calls == []


def test_what_a_client_may_store_in_a_server_is_bounded() -> None:
    limits = DEFAULT_LIMITS.__class__(octets=1000)
    conversation = talk(server={"limits": limits})
    served(conversation, f"c10241{CLOCK_SET}00 00 00000001 8190".replace(" ", "") + "00" * 144)
    for number in range(2, 7):
        assert served(conversation, f"c10341 00 {number:08x} 8190".replace(" ", "") + "00" * 144).startswith("c502")
    last = served(conversation, "c10341 00 00000007 8190".replace(" ", "") + "00" * 144)
    assert last == "c503411100000007"  # long-set-aborted
    conversation = talk(server={"limits": limits})
    served(conversation, f"c30441{ECHO.encode().hex()} 00 00000001 8190".replace(" ", "") + "00" * 144)
    for number in range(2, 7):
        served(conversation, f"c30641 00 {number:08x} 8190".replace(" ", "") + "00" * 144)
    assert served(conversation, "c30641 00 00000007 8190".replace(" ", "") + "00" * 144) == "c701410f00"


# ---- protection of single requests ----------------------------------------------------------------------------------


def test_rights_raise_the_protection_of_an_answer() -> None:
    lowest = {"protection": Protection.AUTHENTICATED}
    conversation = talk(M.LOWEST, ciphered=True, client=lowest, policy=SecurityPolicy(0, 1))
    conversation.ask(Get(REGISTER))
    assert conversation.answers[-1][2] == 0x10
    conversation.shelf.response = Protection.ENCRYPTED
    assert conversation.ask(Get(REGISTER)) == VALUE
    assert conversation.answers[-1][2] == 0x30


@pytest.mark.parametrize("request_", ["c00141", "c30141"])
def test_an_answer_that_is_to_be_protected_never_leaves_in_clear(request_: str) -> None:
    conversation = talk()
    conversation.shelf.response = Protection.ENCRYPTED
    subject = REGISTER if request_ == "c00141" else ECHO
    tail = "00" if request_ == "c00141" else "01" + VALUE.octets.hex()
    assert served(conversation, request_ + subject.encode().hex() + tail) == "d80101"


def test_a_later_block_is_not_given_to_less_protection_than_the_first() -> None:
    """Rights may ask for protection of a request: a get-next is no way around them."""
    for request, follow in (
        (a.GetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER).encode(), "c0024100000001"),
        (a.ActionRequestNormal(a.InvokeIdAndPriority(0x41), ECHO, octets(100)).encode(), "c3024100000001"),
    ):
        conversation = talk(M.LOWEST, ciphered=True, client={"max_pdu_size": 80}, policy=SecurityPolicy())
        conversation.shelf.put(REGISTER, octets(100))
        context = conversation.client.context
        assert context is not None
        conversation.server.receive(context.protect_apdu(request), 0.0)
        assert conversation.server.octets_to_send()[0] in (0xCC, 0xCF)
        answer = served(conversation, follow)
        assert answer in ("c402410100000001010f", "c701410f00")


def test_the_protection_of_a_long_request_is_that_of_its_weakest_block() -> None:
    conversation = talk(M.LOWEST, ciphered=True, policy=SecurityPolicy())
    context = conversation.client.context
    assert context is not None
    first = bytes.fromhex(f"c10241{CLOCK_SET}00000000000102 0903".replace(" ", ""))
    conversation.server.receive(context.protect_apdu(first), 0.0)
    conversation.server.octets_to_send()
    served(conversation, "c10341010000000203010203")
    assert conversation.shelf.protection == [Protection.NONE]
    conversation.server.receive(context.protect_apdu(first), 0.0)
    conversation.server.octets_to_send()
    conversation.server.receive(context.protect_apdu(bytes.fromhex("c10341010000000203010203")), 0.0)
    assert conversation.shelf.protection[1:] == [Protection.AUTHENTICATED | Protection.ENCRYPTED]


# ---- contents of long ACTION answers --------------------------------------------------------------------------------


def responses(*answers: tuple[int, bytes | None]) -> bytes:
    octets_ = bytes((len(answers),))
    for result, data in answers:
        octets_ += bytes((result,)) + (b"\0" if data is None else b"\1\0" + data)
    return octets_


data = values.map(lambda one: one.octets)


@given(data)
def test_each_form_of_one_long_answer_is_read(one: bytes) -> None:
    for form in (b"\0" + one, one, responses((0, one))):
        (answer,) = join_actions(form, None, DEFAULT_LIMITS)
        assert (answer.result, answer.return_parameters) == (ActionResult.SUCCESS, EncodedData(one))


@given(st.lists(st.tuples(st.sampled_from([0, 3, 12]), st.one_of(st.none(), data)), min_size=2, max_size=5))
def test_a_failed_method_of_a_long_list_is_never_read_as_success(answers: list[tuple[int, bytes | None]]) -> None:
    found = join_actions(responses(*answers), len(answers), DEFAULT_LIMITS)
    assert [(int(one.result), one.return_parameters) for one in found] == [
        (result, None if one is None else EncodedData(one)) for result, one in answers
    ]


@given(st.lists(data, min_size=2, max_size=5))
def test_a_list_of_get_data_results_is_read(parts: list[bytes]) -> None:
    found = join_actions(b"".join(b"\0" + one for one in parts), len(parts), DEFAULT_LIMITS)
    assert [one.return_parameters for one in found] == [EncodedData(one) for one in parts]


@pytest.mark.parametrize("octets_", [b"", b"\x09", b"\x09\x02\x01", b"\x11\x05\x11", b"\x02\x00\x00\x00"])
def test_contents_of_no_known_form_are_a_decode_error(octets_: bytes) -> None:
    with pytest.raises(DecodeError):
        join_actions(octets_, 1, DEFAULT_LIMITS)


@pytest.mark.parametrize("content", list(ActionPblockContent), ids=lambda each: each.value)
def test_a_pblock_holds_what_the_dialect_says(content: ActionPblockContent) -> None:
    """application_layer.md 10: Get-Data-Result or bare Data as sent; both are read."""
    conversation = talk(client={"max_pdu_size": 30}, dialect=STANDARD.but(action_pblock_content=content))
    assert conversation.ask(Action(ECHO, octets(60))).return_parameters == octets(60)
    (first,) = (apdu for apdu in conversation.answers if apdu[:2] == b"\xc7\x02" and apdu[7] == 1)
    begin = a.ActionResponseWithPblock.decode(first).pblock.raw_data
    assert begin[:2] == (b"\x00\x09" if content is ActionPblockContent.GET_DATA_RESULT else b"\x09\x3c")


def test_many_blocks_are_served_in_a_ciphered_association() -> None:
    conversation = secure(client={"max_pdu_size": 100, "dedicated_key": True})
    conversation.shelf.put(REGISTER, octets(5000))
    assert conversation.ask(Get(REGISTER)) == octets(5000)
    assert len(set(conversation.answers)) == len(conversation.answers)
