"""Any octets, in any state: a documented answer or error, never anything else, and no more work than octets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.association.control import State
from cosemic.association.notifications import Notified
from cosemic.association.requests import (
    Action,
    ActionList,
    Completed,
    Failed,
    Get,
    GetList,
    Open,
    Release,
    Set,
    SetList,
)
from cosemic.association.server_events import Associated, Refused, Released
from cosemic.errors import CosemicError
from cosemic.stack import ClientStack
from tests.association import mutations
from tests.association.samples import ECHO, REGISTER, VALUE, M, Talk, attribute, listed, octets, secure, settings, talk

REQUESTS = (
    Open(),
    Get(REGISTER),
    GetList(listed(REGISTER, attribute(1))),
    Set(REGISTER, octets(70)),
    SetList(listed(REGISTER), (VALUE,)),
    Action(ECHO, octets(70)),
    ActionList((ECHO,), (VALUE,)),
    Release(),
)


def valid() -> list[bytes]:
    """APDUs of every kind, as they pass between a client and a server."""
    found: set[bytes] = set()
    for made in (
        talk(M.LLS, client={"max_pdu_size": 60}, server={"max_pdu_size": 60}),
        secure(client={"max_pdu_size": 90, "dedicated_key": True}, server={"max_pdu_size": 90}),
        talk(M.HLS_SHA256),
    ):
        made.shelf.put(REGISTER, octets(100))
        for request in REQUESTS[1:]:
            made.event(request)
        found |= set(made.requests) | set(made.answers)
    found |= {
        bytes.fromhex(one) for one in ("d80101", "d8010600000001", "0e010601", "0f00000001000200", "6200", "6300")
    }
    return sorted(found)


VALID = valid()


anything = mutations.anything(VALID)


def clients() -> dict[str, Callable[[], Talk]]:
    def waiting(make: Callable[[], Talk], request: Any, steps: int = 0) -> Callable[[], Talk]:
        def made() -> Talk:
            conversation = make()
            conversation.shelf.put(REGISTER, octets(100))
            conversation.client.send(request)
            conversation.client.tick(0.0)
            for _ in range(steps):
                conversation.step()
            conversation.client.octets_to_send()
            return conversation

        return made

    found: dict[str, Callable[[], Talk]] = {"idle": lambda: talk(opened=False), "associated": talk, "ciphered": secure}
    for name, maker in (
        ("plain", lambda: talk(client={"max_pdu_size": 60}, server={"max_pdu_size": 60})),
        ("gmac", lambda: secure(client={"max_pdu_size": 90}, server={"max_pdu_size": 90})),
    ):
        for request in REQUESTS[1:]:
            for steps in (0, 1):
                if steps == 1 and isinstance(request, SetList | ActionList | Release):
                    continue  # they are over after one step
                found[f"{name} {type(request).__name__} {steps}"] = waiting(maker, request, steps)
    for mechanism in (M.LOWEST, M.HLS_GMAC):
        found[f"opening {mechanism.label}"] = waiting(lambda m=mechanism: talk(m, opened=False), Open())  # type: ignore[misc]
    found["pass 3"] = waiting(lambda: talk(M.HLS_GMAC, ciphered=True, opened=False), Open(), 1)
    return found


CLIENTS = clients()


@given(st.sampled_from(sorted(CLIENTS)), st.lists(anything, min_size=1, max_size=4))
def test_a_client_takes_any_apdu_in_any_state(state: str, apdus: list[bytes]) -> None:
    client = CLIENTS[state]().client
    for octets_ in apdus:
        busy = client.busy
        for event in client.receive(octets_, 1.0):
            if isinstance(event, Notified):
                continue  # it comes when it comes
            assert busy
            assert isinstance(event, Completed | Failed)
            if isinstance(event, Failed):
                assert isinstance(event.error, CosemicError)
            assert not client.busy
            assert client.deadline() is None
        client.octets_to_send()
        assert client.opened is None or client.state is State.ASSOCIATED or client.state is State.RELEASE_PENDING
    if client.busy:
        client.cancel()
    assert not client.busy
    client.lost(CosemicError("end"))
    assert client.state is State.INACTIVE


def servers() -> dict[str, Callable[[], Talk]]:
    def pending(**more: Any) -> Talk:
        conversation = talk(M.HLS_GMAC, opened=False, **more)
        conversation.client.send(Open())
        conversation.step()
        conversation.client.cancel()
        return conversation

    def transferring() -> Talk:
        conversation = talk(client={"max_pdu_size": 30})
        conversation.shelf.put(REGISTER, octets(100))
        for request in ("c00141000301000108 00ff0200", "c10241000301000108 00ff02000000000001020903"):
            conversation.server.receive(bytes.fromhex(request.replace(" ", "")), 0.0)
            conversation.server.octets_to_send()
        return conversation

    return {
        "idle": lambda: talk(M.LLS, opened=False),
        "associated": talk,
        "ciphered": secure,
        "ciphered idle": lambda: secure(opened=False),
        "pending": pending,
        "pending ciphered": lambda: pending(ciphered=True),
        "transferring": transferring,
        "any protection": lambda: talk(M.LOWEST, ciphered=True, policy=settings()[1].policy),
    }


SERVERS = servers()


@given(st.sampled_from(sorted(SERVERS)), st.lists(anything, min_size=1, max_size=5))
def test_a_server_takes_any_apdu_in_any_state_and_answers_at_most_once(state: str, apdus: list[bytes]) -> None:
    conversation = SERVERS[state]()
    server = conversation.server
    for octets_ in apdus:
        for event in server.receive(octets_, 1.0):
            assert isinstance(event, Associated | Refused | Released)
        answer = server.octets_to_send()
        assert server.octets_to_send() == b""
        if answer:
            a.decode(answer)  # whatever it is, it is a whole APDU
        assert server.state in (State.IDLE, State.ASSOCIATED, State.ASSOCIATION_PENDING)
    server.lost()
    assert server.state is State.INACTIVE


@given(st.lists(anything, max_size=4))
def test_no_octets_make_a_ciphered_server_execute_anything(apdus: list[bytes]) -> None:
    """None of the APDUs was made with the counters of this association."""
    for state in ("ciphered", "ciphered idle", "pending", "pending ciphered", "idle"):
        conversation = SERVERS[state]()
        before = len(conversation.shelf.calls)
        for octets_ in apdus:
            if octets_[:1] == b"\x60" and state == "idle":
                continue  # the right password opens it
            conversation.server.receive(octets_, 1.0)
        assert len(conversation.shelf.calls) == before


def wpdu(apdu: bytes, source: int = 1, destination: int = 16) -> bytes:
    return b"\0\1" + source.to_bytes(2) + destination.to_bytes(2) + len(apdu).to_bytes(2) + apdu


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """WPDUs with whatever in them, between these and other SAPs, and octets that are none."""
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        saps = draw(st.sampled_from([(1, 16), (1, 16), (1, 17), (2, 16), (16, 1)]))
        parts.append(wpdu(draw(anything), *saps))
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), draw(st.binary(max_size=12)))
    return b"".join(parts)


def stack(request: Any) -> ClientStack:
    made = ClientStack(talk().client.settings, 16, 1)
    made.send(Open())
    made.tick(0.0)
    made.octets_to_send()
    if not isinstance(request, Open):
        aare = next(octets_ for octets_ in VALID if octets_[0] == 0x61 and octets_[-4:-2] == b"\xff\xff")
        aare = a.AARE(
            application_context_name=a.AARE.decode(aare).application_context_name,
            result=0,
            result_source_diagnostic=a.ResultSourceDiagnostic("acse_service_user", 0),
            user_information=a.InitiateResponse(None, 6, made.association.settings.conformance or ALL, 60, 7).encode(),
        ).encode()
        (event,) = made.receive(wpdu(aare), 0.0)
        assert isinstance(event, Completed)
        made.send(request)
        made.tick(0.0)
        made.octets_to_send()
    return made


ALL = a.InitiateRequest.decode(
    a.AARQ.decode(next(one for one in VALID if one[0] == 0x60 and b"\xbe\x10\x04\x0e\x01" in one)).user_information
    or b""
).proposed_conformance


@given(st.sampled_from(REQUESTS), streams(), st.lists(st.integers(1, 40), max_size=30))
def test_how_a_stream_is_cut_makes_no_difference_to_the_client(request: Any, stream: bytes, cuts: list[int]) -> None:
    whole, cut = stack(request), stack(request)

    def seen(events: list[Any]) -> list[str]:
        return [
            f"{type(one).__name__} {getattr(one, 'result', None)!r} {getattr(one, 'error', None)!r}" for one in events
        ]

    found = seen(whole.receive(stream, 1.0))
    pieces: list[str] = []
    place = 0
    for length in [*cuts, len(stream)]:
        if stream[place : place + length]:
            pieces += seen(cut.receive(stream[place : place + length], 1.0))
        place += length
    assert pieces == found
    assert cut.octets_to_send() == whole.octets_to_send()
    assert cut.association.state is whole.association.state
    assert cut.deadline() == whole.deadline()


def steps(call: Callable[[], object]) -> int:
    """Lines of Python executed."""
    count = 0

    def trace(*_: object) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("made", ["zeros", "lists", "wpdus"])
def test_work_grows_with_the_octets_and_not_faster(made: str) -> None:
    def work(size: int) -> int:
        if made == "zeros":
            server = talk().server
            request = b"\xc1\x01\x41" + REGISTER.encode() + b"\0\x01\x82" + size.to_bytes(2) + bytes(size)
            return steps(lambda: server.receive(request, 0.0))
        if made == "lists":
            server = talk().server
            items = (REGISTER.encode() + b"\0") * size
            request = b"\xc0\x03\x41\x82" + size.to_bytes(2) + items
            return steps(lambda: server.receive(request, 0.0))
        client = stack(Get(REGISTER))
        stream = wpdu(b"\x0f\0") * size
        return steps(lambda: client.receive(stream, 0.0))

    once, twice = work(400), work(800)
    assert twice < 2.2 * once + 500
