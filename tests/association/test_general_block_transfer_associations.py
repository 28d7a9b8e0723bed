"""General block transfer between the associations of both sides (IEC 62056-5-3; reference, application layer 16)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.association.client import ClientAssociation
from cosemic.association.client_blocks import least
from cosemic.association.general_block_transfer import ABORT
from cosemic.association.repeating import client_association
from cosemic.association.requests import Action, ActionList, Failed, Get, GetList, Open, Release, Request, Set, SetList
from cosemic.association.server import ServerAssociation
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings, PreEstablished
from cosemic.association.unconfirmed_blocks import cut
from cosemic.codec import Limits
from cosemic.dialect import STANDARD, BlockRecovery, CipheredForm, Dialect, Quirk
from cosemic.errors import (
    ConfigurationError,
    CosemicError,
    ExceptionReceived,
    InvocationCounterError,
    OutcomeUnknown,
    ProtocolError,
)
from cosemic.security import Envelope, Protection, SecurityPolicy, Unprotected
from cosemic.security.suite import SecurityControl
from cosemic.values import ActionResult, Conformance, DataAccessResult, ServiceClass
from tests.association.notification_samples import due
from tests.association.samples import (
    BOTH,
    CLOCK,
    ECHO,
    REGISTER,
    VALUE,
    M,
    Shelf,
    Talk,
    attribute,
    listed,
    octets,
    settings,
)
from tests.effort import examples

GBT = Conformance.GENERAL_BLOCK_TRANSFER
BLOCK = 0xE0
SEALED = STANDARD.but(quirks=frozenset((Quirk.CIPHERED_BLOCKS,)))
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "gmac": {"mechanism": M.HLS_GMAC},
    "ciphered": {"ciphered": True},
    "general": {"ciphered": True, "dialect": STANDARD.but(ciphered_form=CipheredForm.GENERAL)},
    "ciphered blocks": {"ciphered": True, "dialect": SEALED},
}


def conversation(
    mechanism: Any = M.LOWEST,
    *,
    pdu: int = 100,
    window: int = 5,
    client: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
    **more: Any,
) -> Talk:
    """A client and a server that take APDUs of so many octets, and general blocks; the association is open."""
    ours: dict[str, Any] = {"general_blocks": True, "block_window": window, "max_pdu_size": pdu} | (client or {})
    theirs: dict[str, Any] = {"block_window": window, "max_pdu_size": pdu} | (server or {})
    made = Talk(*settings(mechanism, client=ours, server=theirs, **more))
    made.open()
    made.requests.clear()
    made.answers.clear()
    return made


def tags(apdus: list[bytes]) -> set[int]:
    return {apdu[0] for apdu in apdus}


def blocks(apdus: list[bytes]) -> list[a.GeneralBlockTransfer]:
    return [a.GeneralBlockTransfer.decode(apdu) for apdu in apdus if apdu[0] == BLOCK]


# ---- what is agreed upon --------------------------------------------------------------------------------------------


def test_the_bit_is_proposed_where_it_is_asked_for() -> None:
    assert GBT not in Talk(*settings()).open().conformance
    assert GBT in Talk(*settings(client={"general_blocks": True})).open().conformance


def test_without_the_bit_blocks_are_those_of_the_services() -> None:
    kept = {"conformance": ~GBT & Conformance(0xFFFFFF)}
    talk = conversation(server=kept)
    talk.shelf.put(CLOCK, octets(500))
    assert talk.ask(Get(CLOCK)) == octets(500)
    assert talk.ask(Set(CLOCK, octets(400))) is DataAccessResult.SUCCESS
    assert BLOCK not in tags(talk.requests + talk.answers)


def test_a_block_that_was_not_agreed_upon_is_refused() -> None:
    talk = Talk(*settings())
    talk.open()
    talk.server.receive(bytes.fromhex("E0810001000002C001"), 0.0)
    assert talk.server.octets_to_send() == bytes.fromhex("D80202")


@pytest.mark.parametrize("window", [0, 64, -1])
def test_windows_that_cannot_be(window: int) -> None:
    for make in (ClientSettings, ServerSettings):
        with pytest.raises(ConfigurationError, match="1 to 63"):
            make(block_window=window)
        with pytest.raises(ConfigurationError, match="block_retries"):
            make(block_retries=-1)
    with pytest.raises(ConfigurationError, match="block_timeout"):
        ServerSettings(block_timeout=0.0)


# ---- requests and answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("block_requests", [False, True])
def test_whatever_is_long_comes_right_both_ways(kind: dict[str, Any], block_requests: bool) -> None:
    dialect: Dialect = kind.get("dialect", STANDARD)
    talk = conversation(**(kind | {"dialect": dialect.but(block_requests=block_requests)}))
    talk.shelf.put(CLOCK, octets(3000))
    assert talk.ask(Get(CLOCK)) == octets(3000)
    assert talk.ask(Get(REGISTER)) == VALUE
    assert talk.ask(Set(REGISTER, octets(2500, 3))) is DataAccessResult.SUCCESS
    assert talk.shelf.values[REGISTER.encode()] == octets(2500, 3)
    assert talk.ask(Action(ECHO, octets(2000, 9))).return_parameters == octets(2000, 9)
    assert talk.ask(GetList(listed(CLOCK, REGISTER) * 5)) == (octets(3000), octets(2500, 3)) * 5
    assert set(talk.ask(SetList(listed(*map(attribute, range(9))), (octets(90),) * 9))) == {DataAccessResult.SUCCESS}
    answers = talk.ask(ActionList((ECHO,) * 5, (octets(150),) * 5))
    assert [(one.result, one.return_parameters) for one in answers] == [(ActionResult.SUCCESS, octets(150))] * 5
    assert max(map(len, talk.requests + talk.answers)) <= 100
    talk.ask(Release())


def test_what_is_short_stays_as_it_is() -> None:
    talk = conversation()
    assert talk.ask(Get(REGISTER)) == VALUE
    assert tags(talk.requests + talk.answers) == {0xC0, 0xC4}


def test_a_plain_request_is_answered_with_one_block_first() -> None:
    talk = conversation(window=5)
    talk.shelf.put(CLOCK, octets(1000))
    talk.ask(Get(CLOCK))
    assert talk.requests[0][0] == 0xC0
    first, second = blocks(talk.answers)[:2]
    assert (first.block_number, first.block_control.streaming, first.block_number_ack) == (1, False, 0)
    assert (second.block_number, second.block_control.streaming, second.block_number_ack) == (2, True, 1)


def test_a_request_in_blocks_is_answered_in_blocks_however_short_the_answer_is() -> None:
    talk = conversation()
    talk.ask(Set(REGISTER, octets(500)))
    assert tags(talk.requests + talk.answers) == {BLOCK}
    last = blocks(talk.answers)[-1]
    assert last.block_control.last_block
    assert last.block_data[:2] == b"\xc5\x01"


def test_short_requests_go_in_one_block_where_the_dialect_says_so() -> None:
    talk = conversation(dialect=STANDARD.but(block_requests=True))
    talk.shelf.put(CLOCK, octets(1000))
    assert talk.ask(Get(CLOCK)) == octets(1000)
    (first, *_), answers = blocks(talk.requests), blocks(talk.answers)
    assert (first.block_number, first.block_number_ack, first.block_control) == (1, 0, 0x85)
    assert [one.block_control.streaming for one in answers[:6]] == [True] * 4 + [False, True]


def test_windows_are_those_that_each_side_names() -> None:
    talk = conversation(client={"block_window": 3}, server={"block_window": 7})
    talk.shelf.put(CLOCK, octets(2000))
    talk.ask(Get(CLOCK))
    ends = [one.block_number for one in blocks(talk.answers) if not one.block_control.streaming]
    assert ends[:4] == [1, 4, 7, 10]
    talk.requests.clear()
    talk.ask(Set(CLOCK, octets(2000)))
    ends = [one.block_number for one in blocks(talk.requests) if not one.block_control.streaming]
    assert ends[:4] == [1, 8, 15, 22]


def test_what_is_protected_is_cut() -> None:
    """Protect first, then cut: one envelope around the whole, and a block in the middle is no APDU."""
    talk = conversation(ciphered=True)
    talk.ask(Set(REGISTER, octets(500)))
    requests = [one.block_data for one in blocks(talk.requests)]
    assert Envelope.of(requests[0]) is Envelope.GLO
    joined = b"".join(requests)
    assert Envelope.of(joined) is Envelope.GLO
    assert len(joined) == 4 + 17 + len(
        a.SetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER, None, octets(500)).encode()
    )
    assert talk.shelf.protection[-1] == BOTH


def test_an_unconfirmed_request_goes_in_blocks_that_nobody_acknowledges() -> None:
    talk = conversation()
    talk.client.send(Set(REGISTER, octets(300), service_class=ServiceClass.UNCONFIRMED))
    sent = []
    while apdu := talk.client.octets_to_send():
        sent.append(apdu)
        talk.server.receive(apdu, talk.now)
    assert [(one.block_control.window, one.block_number_ack) for one in blocks(sent)] == [(0, 0)] * len(sent)
    assert len(sent) > 3
    assert talk.shelf.values[REGISTER.encode()] == octets(300)
    assert talk.server.octets_to_send() == b""
    assert talk.client.tick(talk.now)[0].request is not None  # type: ignore[union-attr]


def test_blocks_to_all_stations_are_joined_and_not_answered() -> None:
    talk = conversation()
    invoke = a.InvokeIdAndPriority(0x01)
    for apdu in cut(a.SetRequestNormal(invoke, REGISTER, None, octets(300)).encode(), 100):
        talk.server.receive_broadcast(apdu, talk.now)
    assert talk.shelf.values[REGISTER.encode()] == octets(300)
    for apdu in cut(a.GetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER, None).encode(), 12):
        talk.server.receive_broadcast(apdu, talk.now)
    assert talk.server.octets_to_send() == b""


def test_an_unconfirmed_transfer_with_a_gap_is_dropped_in_silence() -> None:
    talk = conversation()
    request = a.SetRequestNormal(a.InvokeIdAndPriority(0x01), REGISTER, None, octets(300)).encode()
    first, _, *others = cut(request, 100)
    for apdu in (first, *others):
        talk.server.receive(apdu, talk.now)
        assert talk.server.octets_to_send() == b""
    assert talk.shelf.calls == []
    assert talk.server.deadline() is None


def test_an_empty_unconfirmed_transfer_is_passed_over() -> None:
    talk = conversation()
    talk.server.receive(bytes.fromhex("E08000010000" + "00"), talk.now)
    assert talk.server.octets_to_send() == b""


def test_a_meter_that_takes_no_blocks_may_answer_in_them() -> None:
    talk = conversation()
    talk.shelf.put(CLOCK, octets(1000))
    talk.to_client = lambda apdu: apdu if apdu[0] != BLOCK else bytes((BLOCK, apdu[1] & 0xC0)) + apdu[2:]
    assert talk.ask(Get(CLOCK)) == octets(1000)


def test_a_notification_in_blocks_does_not_disturb_an_answer() -> None:
    talk = conversation()
    talk.shelf.put(CLOCK, octets(1000))
    notification = cut(bytes.fromhex("0F0000000100") + octets(300).octets, 100)
    told: list[Any] = []

    def between(apdu: bytes) -> bytes:
        if notification:
            told.extend(talk.client.receive(notification.pop(0), talk.now))
        return apdu

    talk.to_client = between
    assert talk.ask(Get(CLOCK)) == octets(1000)
    assert [event.apdu.notification_body for event in told] == [octets(300)]


def test_a_block_to_all_stations_begins_nothing_that_is_acknowledged() -> None:
    talk = conversation()
    talk.server.receive_broadcast(bytes.fromhex("E0050001000002C001"), talk.now)
    assert talk.server.octets_to_send() == b""
    assert talk.server.deadline() is None


def test_the_same_request_again_is_another_request_where_nothing_is_doubled() -> None:
    talk = conversation()
    request = blocks_of(a.GetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER, None).encode(), 50)[0]
    for seed in range(3):
        talk.shelf.put(REGISTER, octets(5, seed))
        talk.server.receive(request, talk.now)
        answer = a.GeneralBlockTransfer.decode(talk.server.octets_to_send())
        assert answer.block_data.endswith(octets(5, seed).octets)


def test_a_pre_established_association_has_blocks_where_both_know_so() -> None:
    beforehand = PreEstablished(conformance=GBT | Conformance.GET, max_pdu_size=64)
    talk = Talk(
        *settings(
            client={"general_blocks": True, "pre_established": beforehand}, server={"pre_established": beforehand}
        )
    )
    talk.open()
    talk.shelf.put(CLOCK, octets(700))
    assert talk.ask(Get(CLOCK)) == octets(700)
    assert BLOCK in tags(talk.answers)


requests = st.one_of(
    st.integers(0, 900).map(lambda size: Set(REGISTER, octets(size, size))),
    st.integers(0, 900).map(lambda size: Action(ECHO, octets(size, size))),
    st.just(Get(REGISTER)),
    st.integers(1, 20).map(lambda count: GetList(listed(REGISTER) * count)),
)


@given(
    kind=st.sampled_from(sorted(KINDS)),
    pdu=st.integers(64, 400),
    windows=st.tuples(st.integers(1, 63), st.integers(1, 63)),
    recovery=st.sampled_from(BlockRecovery),
    asked=st.lists(requests, min_size=1, max_size=5),
)
@examples(40, deadline=None)
def test_any_requests_with_any_sizes_and_windows(
    kind: str, pdu: int, windows: tuple[int, int], recovery: BlockRecovery, asked: list[Request]
) -> None:
    ours, theirs = ({"block_window": window} for window in windows)
    dialect: Dialect = KINDS[kind].get("dialect", STANDARD)
    more = KINDS[kind] | {"dialect": dialect.but(block_recovery=recovery)}
    talk = conversation(pdu=pdu, client=ours, server=theirs, **more)
    for request in asked:
        result = talk.ask(request)
        value = talk.shelf.values[REGISTER.encode()]
        if isinstance(request, Set):
            assert result is DataAccessResult.SUCCESS
            assert value == request.value
        elif isinstance(request, Action):
            assert result.return_parameters == request.parameters
        elif isinstance(request, GetList):
            assert result == (value,) * len(request.attributes)
        else:
            assert result == value
    assert max(map(len, talk.requests + talk.answers)) <= pdu


# ---- pieces that are ciphered, and other forgeries ------------------------------------------------------------------


def test_a_block_inside_an_envelope_is_refused() -> None:
    talk = conversation(ciphered=True, client={"dialect": SEALED})
    event = talk.event(Set(REGISTER, octets(500)))
    assert isinstance(event, Failed)
    assert [Envelope.of(apdu) for apdu in talk.requests] == [Envelope.GENERAL_GLO], "an envelope around a block"
    assert talk.answers == [bytes.fromhex("D80105")]
    assert talk.server.deadline() is None, "no transfer was begun"
    assert talk.shelf.calls == []


def test_pieces_that_are_each_ciphered_are_refused() -> None:
    talk = conversation(ciphered=True)
    assert talk.client.context is not None
    request = a.GetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER, None).encode()
    pieces = b"".join(talk.client.context.protect_apdu(request) for _ in range(2))
    for apdu in blocks_of(pieces, 30):
        talk.server.receive(apdu, talk.now)
    due = b""
    while apdu := talk.server.octets_to_send():
        due = apdu
    assert due[0] == 0xD8
    assert talk.shelf.calls == []


def blocks_of(whole: bytes, size: int) -> list[bytes]:
    """One transfer without acknowledgements in between."""
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    return [
        a.GeneralBlockTransfer(
            a.BlockControl.of(last_block=number == len(pieces), streaming=number < len(pieces), window=5),
            number,
            0,
            piece,
        ).encode()
        for number, piece in enumerate(pieces, 1)
    ]


def test_with_the_quirk_a_bare_block_is_refused() -> None:
    talk = conversation(ciphered=True, dialect=SEALED)
    talk.server.receive(bytes.fromhex("E0050001000002C001"), talk.now)
    assert talk.server.octets_to_send()[0] == 0xD8
    assert talk.server.deadline() is None


def test_the_least_protection_of_two() -> None:
    def opened(protection: int) -> Unprotected:
        control = SecurityControl(protection << 4)
        return Unprotected(b"x", control.authenticated, control.encrypted, control, 1)

    for one in range(4):
        for other in range(4):
            found = least(opened(one), opened(other))
            assert found == opened(one & other)


def test_with_the_quirk_the_least_protected_block_counts() -> None:
    """The policy demands authentication; one block of a request is not enciphered, so the request is not."""
    talk = conversation(ciphered=True, dialect=SEALED, policy=SecurityPolicy(0, 1))
    context = talk.client.context
    assert context is not None
    request = a.GetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER, None).encode()
    for number, apdu in enumerate(blocks_of(request, 6)):
        protection = Protection.AUTHENTICATED if number == 1 else BOTH
        talk.server.receive(context.protect_apdu(apdu, Envelope.GENERAL_GLO, protection=protection), talk.now)
    assert talk.shelf.protection == [Protection.AUTHENTICATED]


def test_a_request_in_unacknowledged_blocks_is_protected_as_its_own_blocks_are() -> None:
    """Whatever other blocks come in between, or came before."""
    talk = conversation(ciphered=True, dialect=SEALED, policy=SecurityPolicy(0, 0))
    context = talk.client.context
    assert context is not None
    invoke = a.InvokeIdAndPriority.of(1, ServiceClass.UNCONFIRMED)
    request = a.SetRequestNormal(invoke, REGISTER, None, octets(20)).encode()
    first, last = cut(request, 12 + len(request) // 2)
    between = a.GeneralBlockTransfer(
        a.BlockControl.of(last_block=False, streaming=True, window=5), 1, 0, b"\xc0"
    ).encode()
    for blocks, sealed, protection in (
        ((first, between, last), (False, True, True), Protection.NONE),
        ((first, last), (True, True), BOTH),
        ((first, between, last), (True, False, True), BOTH),
    ):
        for one, seals in zip(blocks, sealed, strict=True):
            apdu = context.protect_apdu(one, Envelope.GENERAL_GLO) if seals else one
            talk.server.receive(apdu, talk.now)
            due(talk.server)
        assert talk.shelf.protection.pop() == protection
    assert len(talk.shelf.calls) == 3


def test_a_joined_request_in_clear_is_refused_where_the_policy_demands_more() -> None:
    talk = conversation(ciphered=True)
    for apdu in blocks_of(a.GetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER, None).encode(), 6):
        talk.server.receive(apdu, talk.now)
    assert talk.server.octets_to_send()[0] == 0xD8
    assert talk.shelf.calls == []


def test_a_tampered_block_changes_nothing() -> None:
    talk = conversation(ciphered=True)
    before = talk.shelf.values[REGISTER.encode()]
    talk.to_server = lambda apdu: apdu[:-1] + bytes((apdu[-1] ^ 1,)) if len(apdu) > 50 else apdu
    event = talk.event(Set(REGISTER, octets(500)))
    assert isinstance(event, Failed)
    assert talk.shelf.values[REGISTER.encode()] == before


# ---- errors ---------------------------------------------------------------------------------------------------------


def test_an_exception_response_ends_a_transfer() -> None:
    talk = conversation()
    talk.to_client = lambda apdu: bytes.fromhex("D80101")
    event = talk.event(Get(CLOCK))
    talk.shelf.put(CLOCK, octets(1000))
    assert isinstance(event, Failed)
    assert isinstance(event.error, ExceptionReceived)
    talk.to_client = lambda apdu: apdu
    assert talk.ask(Get(CLOCK)) == octets(1000)


def test_an_abort_of_the_meter_fails_the_request_and_the_next_one_is_served() -> None:
    talk = conversation()
    talk.shelf.put(CLOCK, octets(1000))
    seen = []

    def abort(apdu: bytes) -> bytes:
        seen.append(apdu)
        return ABORT if len(seen) == 4 else apdu

    talk.to_client = abort
    event = talk.event(Get(CLOCK))
    assert isinstance(event, Failed)
    assert isinstance(event.error, ProtocolError)
    talk.to_client = lambda apdu: apdu
    assert talk.ask(Get(CLOCK)) == octets(1000)


def test_an_abort_of_the_client_drops_its_request() -> None:
    talk = conversation()
    first, second, *_ = blocks_of(
        a.SetRequestNormal(a.InvokeIdAndPriority(0x41), REGISTER, None, octets(200)).encode(), 50
    )
    talk.server.receive(first, talk.now)
    assert talk.server.deadline() is not None
    talk.server.receive(ABORT, talk.now)
    assert (talk.server.octets_to_send(), talk.server.deadline()) == (b"", None)
    talk.server.receive(second, talk.now)
    assert talk.server.octets_to_send() == ABORT, "no transfer is open"


def test_a_change_whose_transfer_breaks_off_is_of_unknown_outcome() -> None:
    talk = conversation()
    talk.to_client = lambda apdu: None
    event = talk.event(Set(REGISTER, octets(500)))
    assert isinstance(event, Failed)
    assert isinstance(event.error, OutcomeUnknown)


def test_a_violation_of_the_meter_is_aborted() -> None:
    talk = conversation()
    talk.client.send(Get(CLOCK))
    talk.client.tick(talk.now)
    talk.client.octets_to_send()
    assert talk.client.receive(bytes.fromhex("E0050001000002C401"), talk.now) == []
    talk.client.octets_to_send()
    (failed,) = talk.client.receive(bytes.fromhex("E00500020009020102"), talk.now)
    assert isinstance(failed, Failed)
    assert talk.client.octets_to_send() == ABORT


def test_an_abort_in_an_envelope_goes_out_too() -> None:
    talk = conversation(ciphered=True, dialect=SEALED)
    talk.shelf.put(CLOCK, octets(1000))
    context = talk.server.context
    assert context is not None
    talk.client.send(Get(CLOCK))
    talk.client.tick(talk.now)
    talk.step()
    wrong = bytes.fromhex("E0050002FFFF020102")  # acknowledges what was never sent
    (failed,) = talk.client.receive(context.protect_apdu(wrong, Envelope.GENERAL_GLO), talk.now)
    assert isinstance(failed, Failed)
    abort = talk.client.octets_to_send()
    assert context.unprotect_apdu(abort).plaintext == ABORT
    assert talk.client.octets_to_send() == b""
    assert talk.ask(Get(CLOCK)) == octets(1000)


def test_a_late_first_block_that_acknowledges_something_begins_nothing() -> None:
    talk = conversation()
    talk.client.send(Get(REGISTER))
    talk.client.tick(talk.now)
    talk.client.octets_to_send()
    assert talk.client.receive(bytes.fromhex("E0050001000302C401"), talk.now) == []  # what was sent has no number
    assert talk.client.octets_to_send() == b""


def test_a_late_answer_is_read_itself_and_not_the_one_before() -> None:
    talk = conversation(ciphered=True, dialect=SEALED)
    talk.shelf.put(CLOCK, octets(1000))
    assert talk.ask(Get(CLOCK)) == octets(1000)
    for _ in range(2):
        talk.client.send(Get(REGISTER))
        talk.client.octets_to_send()
        talk.client.cancel()
    first, _ = talk.client._owed
    assert talk.server.context is not None
    late = talk.server.context.protect_apdu(bytes((0xC4, 1, first, 0, 0x11, 5)))
    assert talk.client.receive(late, talk.now) == []
    assert len(talk.client._owed) == 1


def test_a_block_that_cannot_be_protected_ends_the_request_at_its_time_out() -> None:
    talk = conversation(ciphered=True, dialect=SEALED)
    talk.shelf.put(CLOCK, octets(1000))
    talk.client.send(Get(CLOCK))
    talk.client.tick(talk.now)
    talk.step()
    talk.client.octets_to_send()
    exchange = talk.client._blocks._exchange
    assert exchange is not None

    def fails(_: bytes) -> bytes:
        raise InvocationCounterError("used up")

    exchange.seal = fails
    talk.now += 1e6
    (failed,) = talk.client.tick(talk.now)
    assert isinstance(failed, Failed)
    assert not talk.client.busy


def test_an_answer_in_one_apdu_amid_a_long_request_is_refused() -> None:
    talk = conversation()
    talk.client.send(Set(REGISTER, octets(500)))
    talk.client.tick(talk.now)
    talk.client.octets_to_send()
    invoke = talk.client._terms.invoke
    (failed,) = talk.client.receive(bytes((0xC5, 1, invoke, 0)), talk.now)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, OutcomeUnknown)
    assert isinstance(failed.error.__cause__, ProtocolError)
    assert talk.client.octets_to_send() == ABORT


def test_what_is_cancelled_before_it_has_left_does_not_leave() -> None:
    talk = conversation()
    talk.client.send(Get(CLOCK))
    talk.client.tick(talk.now)
    talk.client.octets_to_send()
    talk.client.receive(bytes.fromhex("E0050001000002C401"), talk.now)
    talk.client.octets_to_send()
    talk.client.receive(bytes.fromhex("E00500020009020102"), talk.now)  # an abort is due
    talk.client.send(Set(REGISTER, octets(500), service_class=ServiceClass.UNCONFIRMED))
    assert talk.client.octets_to_send() == ABORT
    talk.client.cancel()
    assert talk.client.octets_to_send() == b""


def test_a_violation_of_the_client_is_aborted_and_the_next_request_served() -> None:
    talk = conversation()
    talk.shelf.put(CLOCK, octets(1000))
    talk.client.send(Get(CLOCK))
    talk.client.tick(talk.now)
    talk.server.receive(talk.client.octets_to_send(), talk.now)
    talk.server.octets_to_send()
    talk.server.receive(bytes.fromhex("E0850001000900"), talk.now)
    assert talk.server.octets_to_send() == ABORT
    assert talk.server.octets_to_send() == b""
    talk.client.cancel()
    assert talk.ask(Get(CLOCK)) == octets(1000)


def test_a_block_of_no_transfer_is_aborted_and_an_acknowledgement_passed_over() -> None:
    talk = conversation()
    talk.server.receive(bytes.fromhex("E0850007000300"), talk.now)
    assert talk.server.octets_to_send() == b""
    talk.server.receive(bytes.fromhex("E0850007000001AA"), talk.now)
    assert talk.server.octets_to_send() == ABORT
    talk.server.receive(ABORT, talk.now)
    assert talk.server.octets_to_send() == b""


def test_a_request_longer_than_is_taken_is_aborted() -> None:
    talk = conversation(server={"max_transfer": 300})
    event = talk.event(Set(REGISTER, octets(500)))
    assert isinstance(event, Failed)
    assert talk.shelf.calls == []
    assert talk.ask(Set(REGISTER, octets(200))) is DataAccessResult.SUCCESS


def test_a_block_longer_than_the_server_takes_is_refused() -> None:
    talk = conversation()
    talk.server.receive(a.GeneralBlockTransfer(a.BlockControl(0x85), 1, 0, bytes(100)).encode(), talk.now)
    assert talk.server.octets_to_send() == bytes.fromhex("D80104")


def test_an_answer_longer_than_the_client_wants_is_aborted() -> None:
    talk = conversation(client={"limits": Limits(octets=400)})
    talk.shelf.put(CLOCK, octets(500))
    event = talk.event(Get(CLOCK))
    assert isinstance(event, Failed)
    assert talk.client.octets_to_send() == ABORT


# ---- time -----------------------------------------------------------------------------------------------------------


def test_the_client_asks_again_when_the_end_of_a_window_is_lost() -> None:
    talk = conversation(client={"response_timeout": 2.0})
    talk.shelf.put(CLOCK, octets(1000))
    lost = []

    def lose(apdu: bytes) -> bytes | None:
        one = a.GeneralBlockTransfer.decode(apdu)
        if one.block_number == 6 and not lost:
            lost.append(apdu)
            return None
        return apdu

    talk.to_client = lose
    began = talk.now
    assert talk.ask(Get(CLOCK)) == octets(1000)
    assert lost
    assert talk.now == began + 2.0


def test_the_time_out_begins_with_each_block_that_is_new() -> None:
    talk = conversation(client={"response_timeout": 2.0})
    talk.client.send(Get(CLOCK))
    talk.client.tick(1000.0)
    talk.client.receive(bytes.fromhex("E0050001000002C401"), 1001.5)
    assert talk.client.deadline() == 1003.5
    talk.client.receive(bytes.fromhex("E045000200010241AA"), 1003.0)
    assert talk.client.deadline() == 1005.0
    talk.client.receive(bytes.fromhex("E045000200010241AA"), 1004.0)
    assert talk.client.deadline() == 1005.0


def test_a_meter_that_is_silent_in_the_middle_is_given_up() -> None:
    talk = conversation(client={"response_timeout": 2.0, "block_retries": 3})
    talk.shelf.put(CLOCK, octets(1000))
    talk.to_client = lambda apdu: apdu if a.GeneralBlockTransfer.decode(apdu).block_number < 4 else None
    began = talk.now
    event = talk.event(Get(CLOCK))
    assert isinstance(event, Failed)
    assert talk.now == began + 2.0 * (1 + 1 + 3)
    assert talk.client.octets_to_send() == ABORT


def test_where_nothing_is_lost_a_silent_meter_is_given_up_at_once() -> None:
    talk = conversation(client={"response_timeout": 2.0})
    talk.to_client = lambda apdu: None
    began = talk.now
    assert isinstance(talk.event(Set(REGISTER, octets(500))), Failed)
    assert talk.now == began + 2.0


def test_the_server_asks_for_what_is_missing_and_drops_what_nobody_completes() -> None:
    talk = conversation(server={"block_timeout": 5.0, "block_retries": 2})
    server, now = talk.server, talk.now
    assert server.deadline() is None
    server.receive(a.GeneralBlockTransfer(a.BlockControl(0x45), 1, 0, b"\xc0\x01").encode(), now)
    for attempt in range(3):
        deadline = server.deadline()
        assert deadline == now + 5.0 * (attempt + 1)
        assert server.tick(deadline - 0.1) == []
        assert server.octets_to_send() == b""
        server.tick(deadline)
        asked = a.GeneralBlockTransfer.decode(server.octets_to_send())
        assert (asked.block_number_ack, asked.block_control.last_block) == (1, False)
    server.tick(now + 20.0)
    assert server.octets_to_send() == ABORT
    assert server.deadline() is None


def test_the_server_keeps_an_answer_as_long_as_it_may_be_fetched() -> None:
    talk = conversation(server={"block_timeout": 5.0, "block_retries": 2})
    talk.shelf.put(CLOCK, octets(1000))
    talk.client.send(Get(CLOCK))
    talk.server.receive(talk.client.octets_to_send(), talk.now)
    assert talk.server.octets_to_send()[0] == BLOCK
    assert talk.server.deadline() == talk.now + 15.0
    talk.server.tick(talk.now + 15.0)
    assert talk.server.deadline() is None
    assert talk.server.octets_to_send() == b""


def test_an_association_that_ends_forgets_its_transfer() -> None:
    talk = conversation()
    talk.shelf.put(CLOCK, octets(1000))
    talk.client.send(Get(CLOCK))
    talk.server.receive(talk.client.octets_to_send(), talk.now)
    talk.server.lost()
    assert talk.server.octets_to_send() == b""
    assert talk.server.deadline() is None
    assert talk.client.lost(ProtocolError("gone"))
    assert talk.client.octets_to_send() == b""


# ---- requests that were given up ------------------------------------------------------------------------------------


def test_blocks_of_a_request_that_was_given_up_do_not_disturb_the_next_one() -> None:
    talk = conversation()
    talk.shelf.put(CLOCK, octets(2000))
    talk.shelf.put(REGISTER, octets(800, 7))
    talk.client.send(Get(CLOCK))
    talk.client.tick(talk.now)
    for _ in range(3):
        talk.step()
    late = []
    talk.server.receive(talk.client.octets_to_send(), talk.now)
    while apdu := talk.server.octets_to_send():
        late.append(apdu)
    talk.client.cancel()
    talk.client.send(Get(REGISTER))
    talk.client.tick(talk.now)
    for apdu in late:
        assert talk.client.receive(apdu, talk.now) == []
    events: list[Any] = []
    while not events:
        events = talk.step()
    assert events[0].result == octets(800, 7)


def test_an_answer_that_comes_late_in_its_first_block_is_passed_over() -> None:
    talk = conversation()
    talk.shelf.put(CLOCK, octets(1000))
    talk.client.send(Get(CLOCK))
    talk.client.tick(talk.now)
    talk.server.receive(talk.client.octets_to_send(), talk.now)
    first = talk.server.octets_to_send()
    talk.client.cancel()
    talk.shelf.put(REGISTER, octets(800, 7))
    talk.client.send(Get(REGISTER))
    talk.client.tick(talk.now)
    request = talk.client.octets_to_send()
    assert talk.client.receive(first, talk.now) == []
    talk.server.receive(request, talk.now)
    events: list[Any] = []
    while apdu := talk.server.octets_to_send():
        events += talk.client.receive(apdu, talk.now)
    while not events:
        events = talk.step()
    assert events[0].result == octets(800, 7)


# ---- where the medium loses and doubles -----------------------------------------------------------------------------


def over_datagrams(**client: Any) -> tuple[ClientAssociation, ServerAssociation, Shelf]:
    """A client that repeats, and a server that keeps its answers; the association is open."""
    repeating = {"general_blocks": True, "repetitions": 3, "response_timeout": 2.0, "max_pdu_size": 100}
    ours, theirs = settings(
        ciphered=True, client=repeating | client, server={"keep_answers": True, "max_pdu_size": 100}
    )
    shelf = Shelf()
    one, other = client_association(ours), ServerAssociation(theirs, shelf)
    one.send(Open())
    one.tick(1.0)
    other.receive(one.octets_to_send(), 1.0)
    assert one.receive(other.octets_to_send(), 1.0)
    return one, other, shelf


def test_a_request_that_comes_again_while_it_is_answered_gets_the_same_blocks() -> None:
    client, server, shelf = over_datagrams(repeat_changes=True)
    shelf.put(CLOCK, octets(500))
    client.send(Get(CLOCK))
    client.tick(1.0)
    server.receive(client.octets_to_send(), 1.0)
    first = server.octets_to_send()
    client.tick(3.0)
    server.receive(client.octets_to_send(), 3.0)
    assert server.octets_to_send() == first
    assert len(shelf.calls) == 1
    client.receive(first, 3.0)
    repeated = client.octets_to_send()
    assert repeated[0] == BLOCK
    server.receive(repeated, 3.0)
    assert server.octets_to_send()[0] == BLOCK


def test_a_request_that_was_repeated_is_asked_anew_where_the_server_may_keep_nothing() -> None:
    client, server, shelf = over_datagrams()
    shelf.put(CLOCK, octets(500))
    client.send(Get(CLOCK))
    client.tick(1.0)
    client.octets_to_send()
    client.tick(3.0)
    server.receive(client.octets_to_send(), 3.0)
    assert client.receive(server.octets_to_send(), 3.0) == []
    assert client.octets_to_send() == b"", "blocks of the other answer may come yet"
    client.tick(4.0)
    server.receive(client.octets_to_send(), 4.0)
    assert len(shelf.calls) == 2
    events: list[Any] = []
    while not events:
        while apdu := server.octets_to_send():
            events += client.receive(apdu, 4.0)
        while apdu := client.octets_to_send():
            server.receive(apdu, 4.0)
    assert events[0].result == octets(500)


def test_the_next_request_waits_until_the_blocks_of_the_last_one_are_gone() -> None:
    client, server, shelf = over_datagrams(datagram_lifetime=1.5)
    shelf.put(CLOCK, octets(500))
    events: list[Any] = []
    client.send(Get(CLOCK))
    client.tick(1.0)
    while not events:
        while apdu := client.octets_to_send():
            server.receive(apdu, 1.0)
        while apdu := server.octets_to_send():
            events += client.receive(apdu, 1.0)
    client.send(Get(REGISTER))
    client.tick(1.0)
    assert client.octets_to_send() == b""
    assert client.deadline() == 2.5
    client.tick(2.5)
    assert client.octets_to_send()


@given(st.lists(st.binary(max_size=12).map(lambda octets: b"\xe0" + octets), max_size=12))
def test_any_blocks_are_taken_by_both_sides(apdus: list[bytes]) -> None:
    talk = conversation()
    talk.client.send(Get(REGISTER))
    talk.client.tick(talk.now)
    for apdu in apdus:
        talk.server.receive(apdu, talk.now)
        while talk.server.octets_to_send():
            pass
        for event in talk.client.receive(apdu, talk.now):
            assert isinstance(event, Failed)
            assert isinstance(event.error, CosemicError)
        while talk.client.octets_to_send():
            pass
    assert Talk(*settings()).ask(Open()) is not None
