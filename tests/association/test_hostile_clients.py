"""What one client can cost a server is bounded: memory, work, guesses at the secret, and keys that come twice."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.association import client_history, serving
from cosemic.association.client_history import ClientHistory
from cosemic.association.control import State
from cosemic.association.requests import Action, ActionList, Get, GetList, Release, Set, SetList
from cosemic.association.server import ServerAssociation
from cosemic.association.server_events import Associated, Refused
from cosemic.association.service_provider import Access, ServerSettings
from cosemic.association.transfers import LongRequest
from cosemic.codec import DataType, EncodedData
from cosemic.errors import (
    AssociationRejected,
    AuthenticationFailed,
    CertificateError,
    ConfigurationError,
    ExceptionReceived,
    ResponseTimeout,
    StoreError,
)
from cosemic.security import CounterStore, MemoryCounterStore, Protection
from cosemic.security.transmit_state import TransmitState
from cosemic.values import ActionResult, DataAccessResult, Secret
from tests.association.samples import (
    CLIENT_TITLE,
    CLOCK,
    DENIED,
    ECHO,
    MISSING,
    PASSWORD,
    QUIET,
    REGISTER,
    SERVER_TITLE,
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

SUCCESS, OTHER = DataAccessResult.SUCCESS, DataAccessResult.OTHER_REASON
NULL = EncodedData.of(DataType.NULL_DATA)
INVOKE = a.InvokeIdAndPriority.of(1)


# ---- lists ----------------------------------------------------------------------------------------------------------


def test_a_list_that_names_a_long_attribute_again_and_again_is_answered_up_to_a_bound() -> None:
    conversation = talk(server={"max_transfer": 10_000})
    conversation.shelf.put(CLOCK, octets(4_000))
    results = conversation.ask(GetList(listed(*(CLOCK,) * 200)))
    assert results == (octets(4_000),) * 3 + (OTHER,) * 197
    assert len(conversation.shelf.calls) == 3


def test_the_bound_of_a_list_is_a_mebibyte_unless_told_otherwise() -> None:
    conversation = talk()
    conversation.shelf.put(CLOCK, octets(300_000))
    results = conversation.ask(GetList(listed(*(CLOCK,) * 6)))
    assert [isinstance(one, EncodedData) for one in results] == [True] * 4 + [False] * 2


def test_one_attribute_is_given_however_long_it_is() -> None:
    conversation = talk(server={"max_transfer": 100})
    conversation.shelf.put(CLOCK, octets(5_000))
    assert conversation.ask(Get(CLOCK)) == octets(5_000)
    assert conversation.ask(GetList(listed(CLOCK))) == (octets(5_000),)


@pytest.mark.parametrize("excess", [0, 1, 700])
def test_no_more_items_of_a_list_are_served_than_the_cap(excess: int) -> None:
    most = serving.MOST_LISTED
    count = most + excess
    conversation = talk()
    assert conversation.ask(GetList(listed(*(REGISTER,) * count))) == (VALUE,) * most + (OTHER,) * excess
    written = conversation.ask(SetList(listed(*(CLOCK,) * count), (NULL,) * count))
    assert written == (SUCCESS,) * most + (OTHER,) * excess
    invoked = conversation.ask(ActionList((QUIET,) * count, (NULL,) * count))
    assert [one.result for one in invoked] == [ActionResult.SUCCESS] * most + [ActionResult.OTHER_REASON] * excess
    assert len(conversation.shelf.calls) == 3 * most


def test_methods_of_a_list_are_invoked_until_their_answers_are_too_long() -> None:
    conversation = talk(server={"max_transfer": 10_000})
    answers = conversation.ask(ActionList((ECHO,) * 6, (octets(3_300),) * 3 + (NULL,) * 3))
    assert [one.result for one in answers] == [ActionResult.SUCCESS] * 6
    conversation = talk(server={"max_transfer": 9_999})
    answers = conversation.ask(ActionList((ECHO, QUIET, QUIET), (octets(9_990), NULL, NULL)))
    assert [one.result for one in answers] == [ActionResult.SUCCESS] * 3
    conversation = talk(server={"max_transfer": 10_000})
    conversation.shelf.action = long_answer  # type: ignore[method-assign]  # a method that takes little and gives much
    answers = conversation.ask(ActionList((ECHO,) * 5, (NULL,) * 5))
    assert [one.result for one in answers] == [ActionResult.SUCCESS] * 3 + [ActionResult.OTHER_REASON] * 2


def long_answer(method: Any, parameters: Any, access: Access) -> a.ActionResponseWithOptionalData:
    return a.ActionResponseWithOptionalData(ActionResult.SUCCESS, octets(4_000))


# ---- long requests --------------------------------------------------------------------------------------------------


class CheckedShelf(Shelf):
    """A provider that tells ahead what it would refuse."""

    def may_set(self, attribute: a.CosemAttributeDescriptor, access: Access) -> DataAccessResult:
        access.require_response(Protection.SIGNED)
        return DataAccessResult.OBJECT_UNDEFINED if attribute == MISSING else SUCCESS

    def may_act(self, method: a.CosemMethodDescriptor, access: Access) -> ActionResult:
        access.require_response(Protection.SIGNED)
        return ActionResult.READ_WRITE_DENIED if method == DENIED else ActionResult.SUCCESS


def checked() -> Talk:
    conversation = Talk(*settings(client={"max_pdu_size": 128}, server={"max_pdu_size": 128}), CheckedShelf())
    conversation.open()
    return conversation


def test_a_long_request_that_would_be_refused_whatever_comes_is_refused_at_its_first_block() -> None:
    conversation = checked()
    assert conversation.ask(Set(MISSING, octets(1_000))) is DataAccessResult.OBJECT_UNDEFINED
    assert len(conversation.requests) == 2
    assert conversation.answers[-1].hex() == "c503" + f"{conversation.answers[-1][2]:02x}" + "04" + "00000001"
    assert conversation.ask(Action(DENIED, octets(1_000))).result is ActionResult.READ_WRITE_DENIED
    assert len(conversation.requests) == 3
    assert conversation.answers[-1].hex() == "c701" + f"{conversation.answers[-1][2]:02x}" + "0300"
    assert conversation.shelf.calls == []
    # Nothing is open behind the refusal.
    block = a.SetRequestWithDatablock(INVOKE, a.DataBlockSA(True, 2, b"x")).encode()
    conversation.server.receive(block, 0.0)
    response = a.decode(conversation.server.octets_to_send())
    assert response.result is DataAccessResult.NO_LONG_SET_IN_PROGRESS


def test_a_long_request_that_may_be_executed_is_and_only_then_asks_for_protection() -> None:
    conversation = checked()
    assert conversation.ask(Set(CLOCK, octets(1_000))) is SUCCESS
    assert conversation.ask(Action(ECHO, octets(1_000))).return_parameters == octets(1_000)
    assert [kind for kind, _ in conversation.shelf.calls] == ["set", "action"]


@pytest.mark.parametrize(("length", "taken"), [(996, True), (997, False), (5_000, False)])
def test_a_long_request_is_held_up_to_a_bound(length: int, taken: bool) -> None:
    # An octet-string has a header of four octets here; a list of one a count before it.
    conversation = talk(server={"max_transfer": 1_000, "max_pdu_size": 128})
    value = octets(length)
    result = conversation.ask(Set(CLOCK, value))
    assert result is (SUCCESS if taken else DataAccessResult.LONG_SET_ABORTED)
    invoked = conversation.ask(Action(QUIET, value)).result
    assert invoked is (ActionResult.SUCCESS if taken else ActionResult.LONG_ACTION_ABORTED)
    listed_result = conversation.ask(SetList(listed(CLOCK), (octets(length - 1),)))
    assert listed_result == ((SUCCESS if taken else DataAccessResult.LONG_SET_ABORTED),)
    assert len(conversation.shelf.calls) == 3 * taken
    assert len(conversation.requests) < 40


def test_blocks_without_data_hold_nothing() -> None:
    """They do not come to a bound: block numbers have 32 bits."""
    long = LongRequest(Access(Protection.NONE), bytes, False, 1_000)
    tracemalloc.start()
    try:
        for number in range(1, 20_001):
            assert long.take(a.DataBlockSA(False, number, b""), long.access)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 10_000


def test_a_bound_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        ServerSettings(max_transfer=0)


# ---- guesses --------------------------------------------------------------------------------------------------------


def guess(conversation: Talk, password: bytes) -> AssociationRejected | None:
    """Open with a password; None where it is let in."""
    conversation.client = Talk(settings(M.LLS, client={"secret": Secret.password(password)})[0]).client
    try:
        conversation.open()
    except AssociationRejected as error:
        return error
    return None


def test_a_client_that_guesses_has_to_wait_longer_and_longer() -> None:
    conversation = talk(M.LLS, opened=False)
    for _ in range(client_history.FREE_ATTEMPTS):
        error = guess(conversation, b"wrong")
        assert error is not None
        assert (error.result, error.diagnostic) == ("rejected-permanent", "authentication-failure")
    pause = client_history.FIRST_PAUSE
    for _ in range(10):
        error = guess(conversation, PASSWORD)  # not even the right one is looked at
        assert error is not None
        assert (error.result, error.diagnostic) == ("rejected-transient", "authentication-failure")
        conversation.now += pause - 0.001
        assert guess(conversation, PASSWORD) is not None
        conversation.now += 0.001
        error = guess(conversation, b"wrong")
        assert error is not None
        assert error.result == "rejected-permanent"
        pause = min(2 * pause, client_history.LONGEST_PAUSE)
    assert pause == client_history.LONGEST_PAUSE
    conversation.now += pause
    assert guess(conversation, PASSWORD) is None
    assert isinstance(conversation.server_events[-1], Associated)


def test_success_forgets_the_failures() -> None:
    conversation = talk(M.LLS, opened=False)
    for _ in range(5):
        for _ in range(client_history.FREE_ATTEMPTS - 1):
            assert guess(conversation, b"wrong") is not None
        assert guess(conversation, PASSWORD) is None


@pytest.mark.parametrize("mechanism", [M.HLS_MD5, M.HLS_GMAC, M.HLS_SHA256, M.HLS_ECDSA], ids=lambda each: each.label)
def test_wrong_proofs_count_and_challenges_in_stock_do_not_help(mechanism: M) -> None:
    client, served = settings(mechanism)
    history = ClientHistory()
    shelf = Shelf()

    def conversation() -> Talk:
        made = Talk(client)
        made.server = ServerAssociation(served, shelf, history=history)
        return made

    def spoilt(octets_: bytes) -> bytes:
        return octets_ if octets_[0] == 0x60 else octets_[:-1] + bytes((octets_[-1] ^ 1,))

    stock = conversation()
    held: list[bytes] = []
    stock.to_server = lambda octets_: octets_ if octets_[0] == 0x60 else held.append(octets_)
    with pytest.raises(ResponseTimeout):
        stock.open()
    for _ in range(client_history.FREE_ATTEMPTS):
        one = conversation()
        one.to_server = spoilt
        with pytest.raises(AuthenticationFailed):
            one.open()
    assert stock.server.state is State.ASSOCIATION_PENDING
    (refused,) = stock.server.receive(held[0], 1000.5)  # it would have been right
    assert isinstance(refused, Refused)
    assert stock.server.state is not State.ASSOCIATED
    with pytest.raises(AssociationRejected, match="rejected-transient"):
        conversation().open()
    for _ in range(2):  # the first success forgets the failures, so that one more does no harm
        later = conversation()
        later.now += client_history.FIRST_PAUSE
        later.open()
        wrong = conversation()
        wrong.now = later.now
        wrong.to_server = spoilt
        with pytest.raises(AuthenticationFailed):
            wrong.open()
        later = conversation()
        later.now = wrong.now
        later.open()


def test_a_client_without_authentication_never_waits() -> None:
    history = ClientHistory()
    for _ in range(100):
        history.failed(1000.0)
    conversation = talk(opened=False)
    conversation.server = ServerAssociation(ServerSettings(), conversation.shelf, history=history)
    assert conversation.open().confirmed


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=60))
def test_a_pause_never_exceeds_the_longest_and_never_comes_before_so_many_failures(
    steps: list[tuple[bool, float]],
) -> None:
    history = ClientHistory()
    now, in_a_row = 0.0, 0
    for right, wait in steps:
        now += wait
        if history.refuses(now):
            assert in_a_row >= client_history.FREE_ATTEMPTS
            assert not history.refuses(now + client_history.LONGEST_PAUSE)
        elif right:
            history.succeeded()
            in_a_row = 0
        else:
            history.failed(now)
            in_a_row += 1
            assert history.refuses(now) == (in_a_row >= client_history.FREE_ATTEMPTS)


def test_guessing_without_end_overflows_nothing() -> None:
    history = ClientHistory()
    for _ in range(3000):
        history.failed(0.0)
    assert history.refuses(59.9)
    assert not history.refuses(60.0)


# ---- dedicated keys -------------------------------------------------------------------------------------------------


def with_dedicated_key(keys: Callable[[int], bytes], history: ClientHistory) -> Talk:
    client, served = settings(M.LLS, ciphered=True, client={"dedicated_key": True})
    conversation = Talk(client)
    conversation.client.randomness = keys
    conversation.server = ServerAssociation(served, conversation.shelf, history=history)
    return conversation


def test_a_dedicated_key_serves_one_association() -> None:
    history = ClientHistory()
    first = with_dedicated_key(lambda length: b"k" * length, history)
    first.open()
    assert first.ask(Get(REGISTER)) == VALUE
    again = with_dedicated_key(lambda length: b"k" * length, history)
    with pytest.raises(AssociationRejected, match="deciphering-error"):
        again.open()
    assert again.server.state is not State.ASSOCIATED
    other = with_dedicated_key(lambda length: b"o" * length, history)
    other.open()
    assert other.ask(Get(REGISTER)) == VALUE


def test_keys_are_remembered_in_bounded_memory() -> None:
    history = ClientHistory()
    for number in range(3 * client_history.MOST_KEYS):
        assert history.takes_key(number.to_bytes(4, "big"))
        assert not history.takes_key(number.to_bytes(4, "big"))
    assert len(history._keys) == client_history.MOST_KEYS
    assert not history.takes_key((2 * client_history.MOST_KEYS).to_bytes(4, "big"))


# ---- stores and objects that fail -----------------------------------------------------------------------------------


class FailingStore(MemoryCounterStore):
    """A counter store whose medium goes away, or is full."""

    failing = False
    full = False

    def change_transmit(
        self, key: bytes, title: bytes, change: Callable[[TransmitState], TransmitState]
    ) -> TransmitState:
        if self.full:
            raise StoreError("the disk is full")
        return super().change_transmit(key, title, change)

    def _reach(self) -> None:
        if self.failing:
            raise StoreError("the disk is gone")

    def lowest_acceptable(self, key: bytes, title: bytes) -> int:
        self._reach()
        return super().lowest_acceptable(key, title)

    def accept(self, key: bytes, title: bytes, counter: int, *, fresh: bool = True) -> int:
        self._reach()
        return super().accept(key, title, counter, fresh=fresh)


def failing() -> tuple[FailingStore, Talk]:
    store = FailingStore(block=1)
    counters: CounterStore = store
    return store, secure(opened=False, server={"counters": counters})


def test_a_counter_store_that_fails_while_an_association_is_opened_refuses_it() -> None:
    store, conversation = failing()
    store.failing = True
    with pytest.raises(AssociationRejected):
        conversation.open()
    assert isinstance(conversation.server_events[-1], Refused)


@pytest.mark.parametrize("request_", [Get(REGISTER), Release()], ids=["get", "release"])
def test_a_counter_store_that_fails_later_ends_in_an_answer(request_: Any) -> None:
    store, conversation = failing()
    conversation.open()
    store.failing = True
    if isinstance(request_, Get):
        with pytest.raises(ExceptionReceived) as caught:
            conversation.ask(request_)
        assert caught.value.state_error == "service-not-allowed"
    else:
        conversation.event(request_)
    assert conversation.shelf.calls == []
    assert conversation.server.state is State.ASSOCIATED


def test_an_answer_for_which_no_counter_can_be_drawn_is_not_given() -> None:
    store, conversation = failing()
    store.full = True
    with pytest.raises(AssociationRejected):
        conversation.open()
    store.full = False
    conversation.open()
    store.full = True
    with pytest.raises(ExceptionReceived, match="operation-not-possible"):
        conversation.ask(Get(REGISTER))


def test_a_provider_that_fails_against_the_rules_ends_in_an_answer() -> None:
    conversation = talk()

    def fails(*_: Any) -> Any:
        raise StoreError("the disk is gone")

    conversation.shelf.get = fails  # type: ignore[method-assign]  # it fails
    with pytest.raises(ExceptionReceived, match="other-reason"):
        conversation.ask(Get(attribute(1)))


# ---- a title that only the settings know ----------------------------------------------------------------------------


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
@pytest.mark.parametrize("mechanism", [M.HLS_GMAC, M.HLS_SHA256, M.HLS_ECDSA], ids=lambda each: each.label)
def test_high_level_security_takes_the_configured_title_where_the_aare_has_none(mechanism: M, ciphered: bool) -> None:
    conversation = talk(mechanism, ciphered=ciphered, opened=False, client={"server_title": SERVER_TITLE})
    conversation.to_client = without_title
    conversation.open()
    assert conversation.ask(Get(REGISTER)) == VALUE
    nameless = talk(mechanism, opened=False)
    nameless.to_client = without_title
    with pytest.raises(AuthenticationFailed, match="system title"):
        nameless.open()
    wrong = talk(mechanism, opened=False, client={"server_title": CLIENT_TITLE[::-1]})
    wrong.to_client = without_title
    # In mechanism 7 a title that nobody knows has no public key; in the others the proof does not fit.
    with pytest.raises(CertificateError if mechanism is M.HLS_ECDSA else AuthenticationFailed):
        wrong.open()


def without_title(octets_: bytes) -> bytes:
    if octets_[0] != 0x61:
        return octets_
    aare = a.AARE.decode(octets_)
    return a.AARE(**{name: getattr(aare, name) for name in a.AARE.__slots__ if name != "responding_ap_title"}).encode()
