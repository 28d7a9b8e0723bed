"""The control function: every listed transition works, every other is refused, and loss of the layer below is ABORT."""

from __future__ import annotations

import itertools

import pytest

from cosemic.association.control import CLIENT, SERVER, ControlFunction, State, Transition, refusal
from cosemic.association.requests import Aborted, Failed, Get, Open, Release, Set
from cosemic.errors import AssociationError, ConnectionLost, NotAssociated, OutcomeUnknown
from tests.association.samples import REGISTER, VALUE, M, Talk, secure, talk

TABLES = {"client": CLIENT, "server": SERVER}
EVERYTHING = list(itertools.product(State, Transition))


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
@pytest.mark.parametrize(("state", "transition"), EVERYTHING, ids=lambda each: each.name.lower())
def test_each_transition_leads_where_the_table_says_and_no_other_is_possible(
    table: dict[tuple[State, Transition], State], state: State, transition: Transition
) -> None:
    control = ControlFunction(table)  # type: ignore[arg-type]
    control.state = state
    if (state, transition) in table:
        assert control.allows(transition)
        assert control.move(transition) is table[state, transition]
        assert control.state is table[state, transition]
    else:
        assert not control.allows(transition)
        with pytest.raises(AssociationError):
            control.move(transition)
        assert control.state is state


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_the_tables_are_those_of_the_drawing(table: dict[tuple[State, Transition], State]) -> None:
    """Nothing is served unless associated; ABORT leads out of everything; out of inactive leads CONNECT alone."""
    assert [state for state, transition in table if transition is Transition.SERVICE] == [State.ASSOCIATED]
    assert {state for state, transition in table if transition is Transition.ABORT} == set(State)
    assert all(table[state, Transition.ABORT] is State.INACTIVE for state in State)
    assert {t for s, t in table if s is State.INACTIVE} == {Transition.CONNECT, Transition.ABORT}
    assert {table[key] for key in table if key[1] is Transition.ACCEPTED} == {State.ASSOCIATED}
    assert {s for s, t in table if t is Transition.ACCEPTED} == {State.ASSOCIATION_PENDING}
    assert {s for s, t in table if t is Transition.RELEASED} == {State.RELEASE_PENDING}


@pytest.mark.parametrize("state", [one for one in State if one is not State.ASSOCIATED])
def test_a_service_outside_an_association_is_told_apart(state: State) -> None:
    error = refusal(state, Transition.SERVICE)
    assert type(error) is NotAssociated
    assert state.value in str(error)


def test_opening_twice_says_what_to_do() -> None:
    assert "release it" in str(refusal(State.ASSOCIATED, Transition.OPEN))
    conversation = talk()
    with pytest.raises(AssociationError, match="open already"):
        conversation.client.send(Open())
    assert conversation.client.state is State.ASSOCIATED


def test_a_service_before_the_opening_is_refused_and_nothing_is_due() -> None:
    client = Talk().client
    with pytest.raises(NotAssociated):
        client.send(Get(REGISTER))
    with pytest.raises(AssociationError):
        client.send(Release())
    assert client.octets_to_send() == b""
    assert (client.state, client.busy, client.deadline()) == (State.IDLE, False, None)


def test_one_request_at_a_time() -> None:
    conversation = talk()
    conversation.client.send(Get(REGISTER))
    with pytest.raises(AssociationError, match="is being served"):
        conversation.client.send(Get(REGISTER))
    assert conversation.client.busy


def test_an_association_can_be_released_and_opened_again() -> None:
    conversation = secure()
    for _ in range(3):
        assert conversation.ask(Release()) is None
        assert conversation.client.state is State.IDLE
        assert conversation.server.state is State.IDLE
        assert conversation.client.opened is None
        with pytest.raises(NotAssociated):
            conversation.client.send(Get(REGISTER))
        conversation.open()
        assert conversation.ask(Get(REGISTER)) == VALUE


@pytest.mark.parametrize("passes", [0, 1, 2], ids=["before the AARE", "before pass 4", "associated"])
def test_losing_the_layer_below_is_abort_in_every_state(passes: int) -> None:
    conversation = talk(M.HLS_GMAC, opened=False)
    lost = ConnectionLost("gone")
    request = Open()
    conversation.client.send(request)
    for _ in range(passes):
        conversation.step()
    events = conversation.client.lost(lost)
    expected = [Aborted(lost)] if passes == 2 else [Failed(request, lost), Aborted(lost)]
    assert events == expected
    assert conversation.client.state is State.INACTIVE
    assert conversation.client.opened is None
    assert conversation.client.octets_to_send() == b""
    assert conversation.client.receive(b"\xc4\x01\x41\x00\x11\x05", 0) == []
    assert conversation.client.tick(1e9) == []
    with pytest.raises(AssociationError):
        conversation.client.send(Open())


def test_a_change_that_loses_the_layer_below_has_an_unknown_outcome() -> None:
    conversation = talk()
    lost = ConnectionLost("gone")
    conversation.client.send(Set(REGISTER, VALUE))
    conversation.client.octets_to_send()
    failed, aborted = conversation.client.lost(lost)
    assert isinstance(failed.error, OutcomeUnknown)
    assert failed.error.__cause__ is lost
    assert aborted == Aborted(lost)


def test_a_change_that_was_never_handed_out_was_not_made() -> None:
    conversation = talk()
    lost = ConnectionLost("gone")
    conversation.client.send(Set(REGISTER, VALUE))
    failed, _ = conversation.client.lost(lost)
    assert failed.error is lost


def test_the_server_forgets_everything_when_the_layer_below_is_lost() -> None:
    conversation = secure()
    assert conversation.server.lost() != []
    assert conversation.server.state is State.INACTIVE
    assert conversation.server.context is None
    for octets in (b"", b"\x60\x00", b"\x62\x00", conversation.requests[0], conversation.requests[-1]):
        assert conversation.server.receive(octets, 0.0) == []
    assert conversation.server.octets_to_send() == b""
    assert conversation.server.lost() == []
    assert (conversation.server.deadline(), conversation.server.tick(0.0)) == (None, [])
