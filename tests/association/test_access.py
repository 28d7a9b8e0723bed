"""ACCESS between a client and a server (reference, application layer 11, 19): octets, order, breaks, wrong answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.association.kept_answers import LATE_FOR, LONG_KEPT
from cosemic.association.requests import (
    Access,
    Accessed,
    AccessResult,
    Action,
    Completed,
    Failed,
    Get,
    Open,
    Request,
    Set,
    may_change,
)
from cosemic.association.serving import MOST_LISTED
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, AccessTime, CipheredForm, ResponseForm
from cosemic.errors import (
    AssociationError,
    EncodeError,
    ExceptionReceived,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    ServiceFailed,
)
from cosemic.security import Envelope, Protection, SecurityPolicy
from cosemic.values import ActionResult, Conformance, DataAccessResult, Obis, ServiceClass
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
    octets,
    secure,
    settings,
    talk,
)
from tests.association.test_repeating import Air
from tests.vectors import book

C = Conformance
SUCCESS = DataAccessResult.SUCCESS
UNDEFINED = DataAccessResult.OBJECT_UNDEFINED
OTHER = DataAccessResult.OTHER_REASON
NO_DATA = EncodedData.of(DataType.NULL_DATA)
STAMP = bytes.fromhex("07ea0b14050e1e0000ffc400")
TIME = EncodedData.of(DataType.OCTET_STRING, STAMP)
SELECTION = a.SelectiveAccessDescriptor(2, EncodedData.of(DataType.UNSIGNED, 7))
GET_CLOCK = "0100080000010000ff02"


class Timed(Shelf):
    """A shelf with a clock, which can be told what single methods answer."""

    def __init__(self, shown: bytes = STAMP) -> None:
        super().__init__()
        self.shown = shown
        self.selected: list[Any] = []
        self.refused: dict[bytes, Any] = {}

    def date_time(self) -> bytes:
        return self.shown

    def get(self, attribute: Any, selection: Any, access: Any) -> Any:
        self.selected.append(selection)
        return super().get(attribute, selection, access)

    def set(self, attribute: Any, selection: Any, value: Any, access: Any) -> DataAccessResult:
        self.selected.append(selection)
        refused: DataAccessResult | None = self.refused.get(attribute.encode())
        return super().set(attribute, selection, value, access) if refused is None else refused

    def action(self, method: Any, parameters: Any, access: Any) -> Any:
        refused = self.refused.get(method.encode())
        return super().action(method, parameters, access) if refused is None else refused


def timed(**more: Any) -> Talk:
    conversation = Talk(*settings(**more), provider=Timed())
    conversation.open()
    return conversation


def served(conversation: Talk, request: bytes | str) -> str:
    """What the server answers to octets from nowhere, in hexadecimal."""
    raw = bytes.fromhex(request) if isinstance(request, str) else request
    conversation.server.receive(raw, conversation.now)
    return b"".join(iter(conversation.server.octets_to_send, b"")).hex()


def kinds(conversation: Talk) -> list[str]:
    return [kind for kind, _ in conversation.shelf.calls]


# ---- octets ---------------------------------------------------------------------------------------------------------


def test_the_octets_are_those_of_the_reference() -> None:
    """application_layer.md 19, but for the long-invoke-id, which counts from 1."""
    conversation = timed()
    conversation.shelf.put(CLOCK, TIME)
    assert conversation.ask(Access((Get(CLOCK),))) == Accessed((AccessResult(SUCCESS, TIME),), b"")
    assert conversation.requests[-1].hex() == f"d9400000010001{GET_CLOCK}0100"
    assert conversation.answers[-1].hex() == f"da40000001000001090c{STAMP.hex()}010100"
    assert served(conversation, f"d9400000000001{GET_CLOCK}0100") == book_hex("ref-access-response-get")


def book_hex(name: str) -> str:
    records = book()
    if not records:
        pytest.skip("no vectors")
    return str(records[name]["hex"])


def test_a_break_is_answered_like_the_public_national_test_set() -> None:
    """Results 0, 3 and 250 in ``ref-access-response-break``."""
    conversation = timed()
    conversation.shelf.put(CLOCK, EncodedData.of(DataType.UNSIGNED, 5))
    conversation.shelf.refused[REGISTER.encode()] = DataAccessResult.READ_WRITE_DENIED  # type: ignore[attr-defined]
    request = f"d960000001 00 03 {GET_CLOCK} 02{REGISTER.encode().hex()} 03{ECHO.encode().hex()} 03 00 1101 1102"
    assert served(conversation, request.replace(" ", "")) == book_hex("ref-access-response-break")
    assert kinds(conversation) == ["get"]


def test_a_self_descriptive_request_is_answered_like_the_vector() -> None:
    """``ref-access-response-self-descriptive``: date-time, the request repeated, and an action that is refused."""
    conversation = timed()
    switch = a.CosemMethodDescriptor(70, Obis("0-0:96.3.16"), 1)
    wanted = a.AccessResponse.decode(bytes.fromhex(book_hex("ref-access-response-self-descriptive")))
    assert wanted.access_request_specification is not None
    asked = wanted.access_request_specification
    assert asked[1].value == switch
    conversation.shelf.put(asked[0].value, EncodedData.of(DataType.LONG, -60))
    refusal = a.ActionResponseWithOptionalData(ActionResult(wanted.access_response_specification[1].value))
    conversation.shelf.refused[switch.encode()] = refusal  # type: ignore[attr-defined]
    request = a.AccessRequest(wanted.long_invoke_id_and_priority, STAMP, asked, (NO_DATA, NO_DATA))
    assert served(conversation, request.encode()) == book_hex("ref-access-response-self-descriptive")


def access_requests() -> list[str]:
    return [
        name for name, record in book().items() if record["kind"] == "apdu" and record["hex"].lower().startswith("d9")
    ]


@pytest.mark.parametrize("name", access_requests() or ["none"])
def test_the_requests_among_the_vectors_are_served(name: str) -> None:
    """Each entry gets its result; they are executed even where nobody is to be told."""
    request = a.AccessRequest.decode(bytes.fromhex(book_hex(name)))
    conversation = timed()
    entries = request.access_request_specification
    invoke = request.long_invoke_id_and_priority
    answer = served(conversation, request.encode())
    assert bool(answer) is (invoke.service_class is ServiceClass.CONFIRMED)
    if answer:
        response = a.AccessResponse.decode(bytes.fromhex(answer))
        assert [one.alternative for one in response.access_response_specification] == [
            entry.alternative.split("_")[0] for entry in entries
        ]
    assert conversation.shelf.calls


def test_a_selection_is_part_of_the_service() -> None:
    """``ref-access-request-selection`` is served without selective-access, and its selection is handed on."""
    conversation = timed(server={"conformance": C.ACCESS | C.GET})
    raw = bytearray.fromhex(book_hex("ref-access-request-selection"))
    raw[1] |= 0x40  # service-class 1
    response = a.AccessResponse.decode(bytes.fromhex(served(conversation, bytes(raw))))
    assert [one.value for one in response.access_response_specification] == [UNDEFINED]
    assert [one.access_selector for one in conversation.shelf.selected] == [1]  # type: ignore[attr-defined]


def test_what_is_answered_where_nobody_asks_for_it() -> None:
    """The national profile: bit 30 is 0, and there is an answer all the same in a general envelope."""
    dialect = STANDARD.but(answer_general_access=True, ciphered_form=CipheredForm.GENERAL)
    set_ = "d9200003eb 00 01 02" + REGISTER.encode().hex() + "01 1105"
    for conversation, wanted in (
        (Talk(*settings(M.HLS_GMAC, ciphered=True, dialect=dialect)), True),
        (Talk(*settings(M.HLS_GMAC, ciphered=True, dialect=dialect.but(answer_general_access=False))), False),
    ):
        conversation.open()
        context = conversation.client.context
        assert context is not None
        answer = served(conversation, context.protect_apdu(bytes.fromhex(set_.replace(" ", ""))))
        assert kinds(conversation) == ["set"]
        assert bool(answer) is wanted
        if answer:
            plain = context.unprotect_apdu(bytes.fromhex(answer)).plaintext
            assert plain.hex() == book_hex("ref-access-response-set")
    to_all = Talk(*settings(M.HLS_GMAC, ciphered=True, dialect=dialect))
    to_all.open()
    assert to_all.client.context is not None
    to_all.server.receive_broadcast(to_all.client.context.protect_apdu(bytes.fromhex(set_.replace(" ", ""))), 0.0)
    assert kinds(to_all) == ["set"]
    assert to_all.server.octets_to_send() == b""
    plainly = talk(dialect=dialect)
    assert served(plainly, set_.replace(" ", "")) == ""
    assert kinds(plainly) == ["set"]


# ---- the service ----------------------------------------------------------------------------------------------------


def test_entries_are_executed_in_their_order_and_answered_each() -> None:
    conversation = timed()
    entries = (
        Get(REGISTER),
        Set(REGISTER, octets(2)),
        Get(REGISTER, SELECTION),
        Action(ECHO, octets(3)),
        Action(QUIET),
        Set(MISSING, octets(2), SELECTION),
        Action(DENIED),
        Get(MISSING),
    )
    accessed = conversation.ask(Access(entries))
    assert accessed.results == (
        (SUCCESS, VALUE),
        (SUCCESS, NO_DATA),
        (SUCCESS, octets(2)),
        (ActionResult.SUCCESS, octets(3)),
        (ActionResult.SUCCESS, NO_DATA),
        (UNDEFINED, NO_DATA),
        (ActionResult.READ_WRITE_DENIED, NO_DATA),
        (UNDEFINED, NO_DATA),
    )
    assert kinds(conversation) == ["get", "set", "get", "action", "action", "set", "action", "get"]
    assert conversation.shelf.selected == [None, None, SELECTION, SELECTION, None]  # type: ignore[attr-defined]


def test_after_a_break_nothing_is_executed() -> None:
    conversation = timed()
    entries = (Get(REGISTER), Get(MISSING), Set(REGISTER, octets(2)), Action(ECHO, octets(3)), Get(REGISTER))
    accessed = conversation.ask(Access(entries, break_on_error=True))
    assert [int(one.result) for one in accessed.results] == [0, UNDEFINED, 250, 250, 250]
    assert [one.data for one in accessed.results] == [VALUE, *[NO_DATA] * 4]
    assert kinds(conversation) == ["get", "get"]
    assert conversation.ask(Access(entries)).results[-1].data == octets(2)


def test_requests_are_numbered_in_24_bits_and_beside_the_short_ones() -> None:
    conversation = timed()
    for _ in range(2):
        conversation.ask(Access((Get(REGISTER),)))
        conversation.ask(Get(REGISTER))
    heads = [apdu[:5].hex() for apdu in conversation.requests[1:]]
    assert heads[0::2] == ["d940000001", "d940000002"]
    assert [head[:6] for head in heads[1::2]] == ["c00141", "c00142"]
    conversation.client._terms.long_invoke = a.LongInvokeIdAndPriority.of(0xFFFFFF)
    conversation.ask(Access((Get(REGISTER),)))
    assert conversation.requests[-1][:5].hex() == "d940000000"


@pytest.mark.parametrize(
    ("when", "stamp", "wanted"),
    [
        (AccessTime.MIRRORED, b"", b""),
        (AccessTime.MIRRORED, STAMP, STAMP),
        (AccessTime.ALWAYS, b"", STAMP),
        (AccessTime.NEVER, STAMP, b""),
    ],
    ids=["mirrored, none", "mirrored", "always", "never"],
)
def test_time_stamps(when: AccessTime, stamp: bytes, wanted: bytes) -> None:
    conversation = timed(dialect=STANDARD.but(access_time=when))
    assert conversation.ask(Access((Get(REGISTER),), date_time=stamp)).date_time == wanted
    without = talk(dialect=STANDARD.but(access_time=when))
    assert without.ask(Access((Get(REGISTER),), date_time=stamp)).date_time == b""


def test_a_request_is_repeated_in_the_answer_only_where_it_wants_to_be() -> None:
    conversation = timed()
    for wanted in (False, True):
        conversation.ask(Access((Get(REGISTER), Action(ECHO, VALUE)), self_descriptive=wanted))
        request = a.AccessRequest.decode(conversation.requests[-1])
        echoed = a.AccessResponse.decode(conversation.answers[-1]).access_request_specification
        assert echoed == (request.access_request_specification if wanted else None)


def test_an_unconfirmed_request_is_executed_and_never_answered() -> None:
    conversation = timed()
    for entry in (f"02{REGISTER.encode().hex()}", f"02{MISSING.encode().hex()}"):
        assert served(conversation, f"d900000001 00 01 {entry} 01 1105".replace(" ", "")) == ""
    assert kinds(conversation) == ["set", "set"]
    assert conversation.ask(Access((Set(REGISTER, VALUE),), service_class=ServiceClass.UNCONFIRMED)) is None
    assert conversation.requests[-1][1] == 0
    assert kinds(conversation) == ["set"] * 3


# ---- what is not agreed, or does not fit ----------------------------------------------------------------------------


def test_without_the_bit_nothing_is_sent_and_nothing_is_served() -> None:
    conversation = timed(server={"conformance": ~C.ACCESS})
    sent = len(conversation.requests)
    with pytest.raises(ServiceFailed, match="did not agree to access"):
        conversation.ask(Access((Get(REGISTER),)))
    assert len(conversation.requests) == sent
    assert served(conversation, f"d94000000000 01{GET_CLOCK} 0100".replace(" ", "")) == "d80202"
    assert conversation.shelf.calls == []


@pytest.mark.parametrize("wrong", [Access(()), Access((Get(REGISTER),), date_time=bytes(5))])
def test_what_cannot_be_asked_is_not_sent(wrong: Request) -> None:
    conversation = timed()
    with pytest.raises(EncodeError):
        conversation.ask(wrong)
    assert len(conversation.requests) == 1
    assert conversation.ask(Get(REGISTER)) == VALUE


def test_a_request_that_does_not_fit_is_not_sent() -> None:
    conversation = timed(server={"max_pdu_size": 64, "conformance": ~C.GENERAL_BLOCK_TRANSFER})
    with pytest.raises(ServiceFailed, match="takes 64 at most") as caught:
        conversation.ask(Access((Set(REGISTER, octets(60)),)))
    assert caught.value.label == "pdu-too-long"
    assert conversation.ask(Access((Set(REGISTER, octets(40)),))).results[0].result is SUCCESS
    assert all(len(apdu) <= 64 for apdu in conversation.requests[1:])


def test_an_answer_whose_results_do_not_fit_is_refused_before_anything_is_executed() -> None:
    client = {"max_pdu_size": 40, "conformance": ~C.GENERAL_BLOCK_TRANSFER}
    conversation = timed(client=client)
    with pytest.raises(ExceptionReceived, match="pdu-too-long"):
        conversation.ask(Access((Set(REGISTER, VALUE),) * 14))
    assert conversation.shelf.calls == []
    assert len(conversation.ask(Access((Set(REGISTER, VALUE),) * 10)).results) == 10
    with pytest.raises(ExceptionReceived, match="pdu-too-long"):  # what is repeated counts too
        conversation.ask(Access((Set(REGISTER, VALUE),) * 10, self_descriptive=True))
    assert kinds(conversation) == ["set"] * 10


def test_data_that_do_not_fit_are_left_out_and_the_results_say_what_was_done() -> None:
    client = {"max_pdu_size": 64, "conformance": ~C.GENERAL_BLOCK_TRANSFER}
    conversation = timed(client=client)
    conversation.shelf.put(CLOCK, octets(50))
    accessed = conversation.ask(Access((Get(CLOCK), Get(REGISTER), Action(ECHO, octets(38)), Get(REGISTER))))
    assert [int(one.result) for one in accessed.results] == [250, 0, 0, 250]
    assert [one.data for one in accessed.results] == [NO_DATA, VALUE, octets(38), NO_DATA]
    assert len(conversation.answers[-1]) == 64
    broken = conversation.ask(Access((Get(CLOCK), Set(REGISTER, octets(2))), break_on_error=True))
    assert [int(one.result) for one in broken.results] == [250, 250]
    assert conversation.ask(Get(REGISTER)) == VALUE
    long = conversation.ask(Access((Action(ECHO, octets(60)), Get(REGISTER))))
    assert long.results == ((ActionResult.SUCCESS, NO_DATA), (SUCCESS, VALUE))  # it was executed: not again


@pytest.mark.parametrize("kind", ["get", "action"])
def test_an_answer_is_filled_to_the_last_octet_and_no_further(kind: str) -> None:
    conversation = timed(client={"max_pdu_size": 64, "conformance": ~C.GENERAL_BLOCK_TRANSFER})
    lengths = set()
    for length in range(60):
        conversation.shelf.put(CLOCK, octets(length))
        entry = Get(CLOCK) if kind == "get" else Action(ECHO, octets(length))
        (found,) = conversation.ask(Access((entry,))).results
        size = len(conversation.answers[-1])
        assert (found.data == octets(length)) is (13 + length <= 64)
        lengths.add(size)
    assert max(lengths) == 64


def test_a_long_answer_goes_in_general_blocks() -> None:
    """application_layer.md 11: there are no blocks of its own."""
    conversation = timed(client={"general_blocks": True, "max_pdu_size": 60})
    conversation.shelf.put(REGISTER, octets(300))
    accessed = conversation.ask(Access((Get(REGISTER), Action(ECHO, octets(3)))))
    assert accessed.results == ((SUCCESS, octets(300)), (ActionResult.SUCCESS, octets(3)))
    assert {apdu[0] for apdu in conversation.answers[1:]} == {0xE0}


def test_what_was_done_is_answered_where_all_blocks_that_can_be_numbered_are_too_few() -> None:
    """application_layer.md 16: 65535 blocks at most, here with 5 octets each."""
    conversation = timed(client={"general_blocks": True, "max_pdu_size": 12})
    conversation.shelf.put(CLOCK, octets(400_000))
    accessed = conversation.ask(Access((Set(REGISTER, octets(3)), Get(CLOCK))))
    assert accessed.results == ((SUCCESS, NO_DATA), (DataAccessResult.OTHER_REASON, NO_DATA))
    assert conversation.shelf.values[REGISTER.encode()] == octets(3)


def test_what_one_request_may_cost_is_bounded() -> None:
    conversation = timed()
    entries = (Get(REGISTER),) * (MOST_LISTED + 5)
    results = conversation.ask(Access(entries)).results
    assert [int(one.result) for one in results] == [0] * MOST_LISTED + [250] * 5
    assert len(conversation.shelf.calls) == MOST_LISTED
    little = timed(server={"max_transfer": 500}, client={"max_pdu_size": 200})
    little.shelf.put(CLOCK, octets(300))  # read, and left out: it costs all the same
    little.ask(Access((Get(CLOCK),) * 20))
    assert len(little.shelf.calls) == 2


def test_a_list_with_another_number_of_data_is_not_executed() -> None:
    conversation = timed()
    entry = REGISTER.encode().hex()
    assert served(conversation, f"d9400000070002 02{entry} 01{entry} 01 1105".replace(" ", "")) == (
        "da40000007" + "00" + "00" + "020000" + "02" + "02fa" + "01fa"
    )
    assert served(conversation, "d9400000070000" + "00") == "da40000007" + "00" + "00" + "00" + "00"
    assert conversation.shelf.calls == []


def test_attribute_0_needs_the_bit_of_its_service() -> None:
    whole = a.CosemAttributeDescriptor(3, Obis("1-0:1.8.0"), 0)
    conversation = timed(server={"conformance": ~C.ATTRIBUTE0_SUPPORTED_WITH_SET})
    assert conversation.ask(Access((Get(whole),))).results[0].result is UNDEFINED
    with pytest.raises(ServiceFailed, match="attribute0-supported-with-set"):
        conversation.ask(Access((Get(REGISTER), Set(whole, VALUE))))
    with pytest.raises(EncodeError, match="selection"):
        conversation.ask(Access((Get(whole, SELECTION),)))
    kinds_before = kinds(conversation)
    request = f"d9400000070001 02{whole.encode().hex()} 01 00".replace(" ", "")
    assert served(conversation, request) == "d80202"
    assert kinds(conversation) == kinds_before


# ---- answers that are wrong, late or missing ------------------------------------------------------------------------


def answering(conversation: Talk, change: Any) -> None:
    """Have the answers changed on their way: ``change`` gets the AccessResponse."""

    def tamper(octets_: bytes) -> bytes:
        response = a.AccessResponse.decode(octets_)
        change(response)
        return response.encode()

    conversation.to_client = tamper


ENTRIES = (Get(REGISTER), Action(ECHO, VALUE))


def less_data(response: a.AccessResponse) -> None:
    response.access_response_list_of_data = response.access_response_list_of_data[:-1]


def less_results(response: a.AccessResponse) -> None:
    response.access_response_specification = response.access_response_specification[:-1]


def more_of_both(response: a.AccessResponse) -> None:
    response.access_response_list_of_data += (NO_DATA,)
    response.access_response_specification += (a.AccessResponseSpecification("get", SUCCESS),)


def another_kind(response: a.AccessResponse) -> None:
    _, second = response.access_response_specification
    response.access_response_specification = (a.AccessResponseSpecification("set", SUCCESS), second)


def another_echo(response: a.AccessResponse) -> None:
    response.access_request_specification = (
        a.AccessRequestSpecification("get", CLOCK),
        a.AccessRequestSpecification("action", ECHO),
    )


def shorter_echo(response: a.AccessResponse) -> None:
    response.access_request_specification = ()


@pytest.mark.parametrize("lie", [less_data, less_results, more_of_both, another_kind, another_echo, shorter_echo])
def test_an_answer_that_is_not_one_to_what_was_asked(lie: Any) -> None:
    conversation = timed()
    answering(conversation, lie)
    with pytest.raises(ProtocolError):
        conversation.ask(Access((Get(REGISTER), Get(CLOCK))))
    with pytest.raises(OutcomeUnknown):
        conversation.ask(Access(ENTRIES))
    conversation.to_client = lambda apdu: apdu
    assert conversation.ask(Access(ENTRIES)).results[0].data == VALUE


def test_an_echo_that_was_not_asked_for_is_taken_where_it_is_right() -> None:
    conversation = timed()

    def echo(response: a.AccessResponse) -> None:
        response.access_request_specification = a.AccessRequest.decode(
            conversation.requests[-1]
        ).access_request_specification

    answering(conversation, echo)
    assert conversation.ask(Access(ENTRIES)).results[0].data == VALUE


def test_reserved_bits_and_those_that_say_how_are_not_compared() -> None:
    conversation = timed()

    def other_bits(response: a.AccessResponse) -> None:
        bits = response.long_invoke_id_and_priority
        response.long_invoke_id_and_priority = a.LongInvokeIdAndPriority((bits ^ 0x70000000) | 0x0F000000)

    answering(conversation, other_bits)
    assert conversation.ask(Access(ENTRIES)).results[0].data == VALUE


@pytest.mark.parametrize("flipped", [1, 1 << 23, 1 << 31])
def test_the_answer_to_another_request_is_passed_over(flipped: int) -> None:
    conversation = timed()

    def another(response: a.AccessResponse) -> None:
        bits = response.long_invoke_id_and_priority ^ flipped
        response.long_invoke_id_and_priority = a.LongInvokeIdAndPriority(bits)

    answering(conversation, another)
    with pytest.raises(ResponseTimeout):
        conversation.ask(Access((Get(REGISTER),)))


def test_late_answers_of_either_numbering_are_passed_over() -> None:
    """Long-invoke-id 1 and invoke-id 1 are two different numbers."""
    conversation = timed()
    held: list[bytes] = []

    def hold(apdu: bytes) -> None:
        held.append(apdu)

    conversation.to_client = hold
    with pytest.raises(ResponseTimeout):
        conversation.ask(Access((Get(REGISTER),)))
    with pytest.raises(ResponseTimeout):
        conversation.ask(Get(CLOCK))
    client = conversation.client
    for request in (Get(REGISTER), Access((Get(REGISTER),))):
        client.send(request)
        client.tick(conversation.now)
        conversation.server.receive(client.octets_to_send(), conversation.now)
        for late in held:
            assert client.receive(late, conversation.now) == []
        (event,) = client.receive(conversation.server.octets_to_send(), conversation.now)
        assert isinstance(event, Completed)
    assert client._owed == []


def test_fifteen_requests_without_answer_are_the_most() -> None:
    conversation = timed()
    conversation.to_client = lambda apdu: None
    for _ in range(15):
        with pytest.raises(ResponseTimeout):
            conversation.ask(Access((Get(REGISTER),)))
    with pytest.raises(AssociationError, match="connect again"):
        conversation.ask(Access((Get(REGISTER),)))


def test_what_is_missing_an_answer_and_may_have_changed_something() -> None:
    conversation = timed()
    conversation.to_client = lambda apdu: None
    assert [may_change(Access(entries)) for entries in ((Get(REGISTER),), ENTRIES, (Set(REGISTER, VALUE),))] == [
        False,
        True,
        True,
    ]
    with pytest.raises(OutcomeUnknown):
        conversation.ask(Access((Get(REGISTER), Set(REGISTER, VALUE))))
    with pytest.raises(ResponseTimeout):
        conversation.ask(Access((Get(REGISTER),)))


@given(st.data())
def test_any_octets_in_answer_end_in_a_result_or_a_declared_error(data: st.DataObject) -> None:
    conversation = timed()
    right = a.AccessResponse(
        a.LongInvokeIdAndPriority.of(1),
        b"",
        None,
        (VALUE, NO_DATA),
        (a.AccessResponseSpecification("get", SUCCESS), a.AccessResponseSpecification("action", ActionResult.SUCCESS)),
    ).encode()
    changed = bytearray(right)
    for _ in range(data.draw(st.integers(0, 3))):
        changed[data.draw(st.integers(0, len(right) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(right)))
    conversation.to_client = lambda apdu: bytes(changed[: cut or None])
    event = conversation.event(Access(ENTRIES))
    if isinstance(event, Completed):
        assert len(event.result.results) == 2
    else:
        assert isinstance(event, Failed)


# ---- protected ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ResponseForm)
@pytest.mark.parametrize("ciphered_form", CipheredForm)
@pytest.mark.parametrize("dedicated", [False, True])
def test_it_travels_in_a_general_envelope_whatever_the_others_do(
    form: ResponseForm, ciphered_form: CipheredForm, dedicated: bool
) -> None:
    dialect = STANDARD.but(response_form=form, ciphered_form=ciphered_form)
    conversation = secure(dialect=dialect, client={"dedicated_key": dedicated})
    assert conversation.ask(Access(ENTRIES)).results == ((SUCCESS, VALUE), (ActionResult.SUCCESS, VALUE))
    kind = Envelope.GENERAL_DED if dedicated else Envelope.GENERAL_GLO
    assert Envelope.of(conversation.requests[-1]) is Envelope.of(conversation.answers[-1]) is kind
    assert conversation.ask(Get(REGISTER)) == VALUE


def test_without_general_protection_it_is_not_sent_in_a_ciphered_association() -> None:
    conversation = secure(server={"conformance": ~C.GENERAL_PROTECTION})
    with pytest.raises(ServiceFailed, match="general-protection"):
        conversation.ask(Access((Get(REGISTER),)))
    assert conversation.ask(Get(REGISTER)) == VALUE


@pytest.mark.parametrize("size", [70, 100, 180, 300])
def test_a_ciphered_apdu_keeps_to_the_size_that_was_agreed(size: int) -> None:
    gbt = {"conformance": ~C.GENERAL_BLOCK_TRANSFER}
    conversation = secure(server={"max_pdu_size": size} | gbt, client={"max_pdu_size": size})
    fits = 0
    for length in range(size):
        try:
            result = conversation.ask(Access((Set(REGISTER, octets(length)), Get(REGISTER)))).results[1]
        except ServiceFailed:
            break
        fits = length
        assert result.data == octets(length) or (result.result is OTHER and result.data == NO_DATA)
    assert fits > size - 70
    assert all(len(apdu) <= size for apdu in conversation.requests[-fits:] + conversation.answers[-fits:])


def test_the_answer_is_protected_as_the_rights_of_any_entry_demand() -> None:
    conversation = talk(M.LOWEST, ciphered=True, policy=SecurityPolicy())
    conversation.shelf.response = Protection.ENCRYPTED
    context = conversation.client.context
    assert context is not None
    request = f"d9400000070001{GET_CLOCK}0100"
    sent = context.protect_apdu(bytes.fromhex(request), Envelope.GENERAL_GLO, protection=Protection.AUTHENTICATED)
    control = bytes.fromhex(served(conversation, sent))[11]
    assert control & 0x30 == 0x30
    assert conversation.shelf.protection[-1] == Protection.AUTHENTICATED


def test_nothing_but_pass_3_is_served_before_it_has_succeeded() -> None:
    conversation = talk(M.HLS_GMAC, opened=False)
    conversation.client.send(Open())
    conversation.server.receive(conversation.client.octets_to_send(), 0.0)
    conversation.server.octets_to_send()
    reply = a.CosemMethodDescriptor(15, Obis("0-0:40.0.0"), 1).encode().hex()
    assert served(conversation, f"d9400000070001 03{reply} 01 090100".replace(" ", "")) == "d80101"
    assert conversation.shelf.calls == []


# ---- over UDP -------------------------------------------------------------------------------------------------------


def keeping() -> Talk:
    conversation = Talk(*settings(server={"keep_answers": True}), provider=Timed())
    conversation.open()
    return conversation


def test_a_request_that_comes_again_is_executed_once() -> None:
    conversation = keeping()
    conversation.ask(Access((Set(REGISTER, octets(3)),)))
    assert served(conversation, conversation.requests[-1]) == conversation.answers[-1].hex()
    earlier = conversation.requests[-1]
    conversation.ask(Get(REGISTER))
    assert served(conversation, earlier) == ""  # late
    conversation.ask(Access((Set(REGISTER, octets(3)),)))  # another number: another request
    assert served(conversation, earlier) == ""
    assert kinds(conversation) == ["set", "get", "set"]


@pytest.mark.parametrize("ciphered", [False, True])
def test_what_only_reads_is_sent_again_under_its_number(ciphered: bool) -> None:
    air = Air(ciphered=ciphered).open()
    plain: list[bytes] = []
    air.client.observer = lambda sent, apdu: plain.append(apdu) if sent else None
    request = Access((Get(REGISTER), Get(REGISTER)))
    first = air.send(request)
    for _ in range(3):
        assert air.silence() == []
        again = air.due()
        assert (again == first) is not ciphered
    assert len(set(plain)) == ciphered
    answers = air.over(*air.sent)
    (event,) = air.back(answers[:1])
    assert isinstance(event, Completed)
    assert event.result.results == ((SUCCESS, VALUE),) * 2
    air.send(request)
    assert air.back(answers[1:]) == []  # late
    assert air.finish().results == ((SUCCESS, VALUE),) * 2


@pytest.mark.parametrize("keeps", [False, True])
def test_what_changes_something_is_sent_again_only_to_a_server_that_keeps_its_answers(keeps: bool) -> None:
    air = Air(client={"repeat_changes": keeps}, server={"keep_answers": keeps}).open()
    request = Access((Action(ECHO, VALUE),))
    sent = air.send(request)
    air.over(sent)  # the answer is lost
    if not keeps:
        with pytest.raises(OutcomeUnknown):
            air.finish_alone()
        assert len(air.sent) == 1
    else:
        assert air.silence() == []
        assert air.finish().results == ((ActionResult.SUCCESS, VALUE),)
        assert air.sent == [sent, sent]
    assert [kind for kind, _ in air.shelf.calls] == ["action"]


def test_how_many_are_known_again_is_bounded() -> None:
    conversation = keeping()
    conversation.ask(Access((Get(REGISTER),)))
    first = conversation.requests[-1]
    for _ in range(LONG_KEPT + 20):
        conversation.ask(Access((Get(REGISTER),)))
    kept = conversation.server._kept
    assert kept is not None
    assert len(kept._exchanges) <= LONG_KEPT + 16
    assert served(conversation, first) != ""  # forgotten, and so executed
    second = conversation.requests[-1]
    conversation.now += LATE_FOR + 1
    conversation.ask(Get(REGISTER))
    assert served(conversation, second) != ""  # nothing is under way so long


def test_the_short_numbers_are_known_again_beside_the_long_ones() -> None:
    conversation = keeping()
    conversation.ask(Set(REGISTER, octets(3)))
    short = conversation.requests[-1]
    for _ in range(40):
        conversation.ask(Access((Get(REGISTER),)))
    assert served(conversation, short) == ""
    assert kinds(conversation).count("set") == 1


# ---- any mix --------------------------------------------------------------------------------------------------------

ATTRIBUTES = [a.CosemAttributeDescriptor(1, Obis(bytes((1, 0, 96, number, 0, 255))), 2) for number in range(3)]
VALUES = st.integers(0, 60).map(octets)
ENTRY = st.one_of(
    st.builds(Get, st.sampled_from([*ATTRIBUTES, MISSING]), st.sampled_from([None, SELECTION])),
    st.builds(Set, st.sampled_from([*ATTRIBUTES, MISSING]), VALUES, st.sampled_from([None, SELECTION])),
    st.builds(Action, st.sampled_from([ECHO, QUIET, DENIED]), st.none() | VALUES),
)


def modelled(values: dict[bytes, EncodedData], entry: Any) -> tuple[int, EncodedData]:
    """What an entry has to come to, and what it does to the values."""
    if isinstance(entry, Get):
        found = values.get(entry.attribute.encode())
        return (UNDEFINED, NO_DATA) if found is None else (SUCCESS, found)
    if isinstance(entry, Set):
        if entry.attribute == MISSING:
            return UNDEFINED, NO_DATA
        values[entry.attribute.encode()] = entry.value
        return SUCCESS, NO_DATA
    if entry.method == DENIED:
        return ActionResult.READ_WRITE_DENIED, NO_DATA
    return ActionResult.SUCCESS, entry.parameters or NO_DATA if entry.method == ECHO else NO_DATA


def expected(values: dict[bytes, EncodedData], entries: tuple[Any, ...], breaks: bool) -> Iterator[tuple[int, Any]]:
    broken = False
    for entry in entries:
        result, data = (250, NO_DATA) if broken else modelled(values, entry)
        broken = broken or (breaks and int(result) != 0)
        yield int(result), data


@given(st.lists(st.tuples(st.lists(ENTRY, min_size=1, max_size=8), st.booleans(), st.booleans()), max_size=4))
def test_any_mix_of_entries_does_what_the_model_does(requests: list[tuple[list[Any], bool, bool]]) -> None:
    conversation = talk(server={"max_pdu_size": 0}, client={"max_pdu_size": 0})
    values = dict(conversation.shelf.values)
    for entries, breaks, describes in requests:
        asked = tuple(entries)
        accessed = conversation.ask(Access(asked, breaks, describes))
        assert [(int(one.result), one.data) for one in accessed.results] == list(expected(values, asked, breaks))
        assert conversation.shelf.values == values


@given(st.lists(ENTRY, min_size=1, max_size=8), st.booleans(), st.integers(40, 200))
def test_any_mix_in_any_size_never_claims_what_was_not_done(entries: list[Any], breaks: bool, size: int) -> None:
    """Without general block transfer: results are right, data are right or missing, and no APDU is too long."""
    client = {"max_pdu_size": size, "conformance": ~C.GENERAL_BLOCK_TRANSFER}
    conversation = talk(client=client, server={"max_pdu_size": size})
    before = dict(conversation.shelf.values)
    try:
        event = conversation.event(Access(tuple(entries), breaks))
    except ServiceFailed:
        assert len(conversation.requests) == 1
        return
    assert all(len(apdu) <= size for apdu in conversation.requests[1:] + conversation.answers[1:])
    if isinstance(event, Failed):
        assert isinstance(event.error, ExceptionReceived)
        assert conversation.shelf.values == before
        return
    assert isinstance(event, Completed)
    values = dict(before)
    broken = False
    for entry, (result, data) in zip(entries, event.result.results, strict=True):
        if broken:
            assert (int(result), data) == (250, NO_DATA)
            continue
        wanted, found = modelled(values, entry)
        left_out = isinstance(entry, Get) and int(result) == 250
        assert left_out or int(result) == int(wanted)
        assert data in ([NO_DATA] if left_out else [found] if isinstance(entry, Get) else [found, NO_DATA])
        broken = breaks and int(result) != 0
    assert conversation.shelf.values == values
