"""Clients and servers with short names that are given anything: blocks out of turn, too much, and any octets at all."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.association.control import State
from cosemic.association.joined_short_names import join_read, join_variables, join_writes
from cosemic.association.requests import Completed, Failed, Open, Read, Release, Request, UnconfirmedWrite, Write
from cosemic.association.server_events import Associated, Refused, Released
from cosemic.association.serving import MOST_LISTED
from cosemic.codec import DEFAULT_LIMITS, DataType, EncodedData
from cosemic.dialect import STANDARD, LongGetAbort
from cosemic.errors import CosemicError, DecodeError
from cosemic.values import DataAccessResult
from tests.association import mutations
from tests.association.samples import CLOCK, ECHO, REGISTER, VALUE, M, Talk, octets
from tests.association.short_name_samples import (
    CLOCK_SN,
    ECHO_SN,
    NULL,
    REGISTER_SN,
    selected,
    served,
    sn_secure,
    sn_talk,
)

READ = "0501020108"


# ---- the server's side of transfers ---------------------------------------------------------------------------------


def long_read(**more: Any) -> Talk:
    conversation = sn_talk(client={"max_pdu_size": 30}, **more)
    conversation.shelf.put(REGISTER, octets(60))
    return conversation


@pytest.mark.parametrize(
    ("abort", "code"), [(LongGetAbort.LONG_GET_ABORTED, "0f"), (LongGetAbort.DATA_BLOCK_NUMBER_INVALID, "13")]
)
@pytest.mark.parametrize("number", [0, 2, 3, 0xFFFF])
def test_a_block_of_the_wrong_number_aborts(abort: LongGetAbort, code: str, number: int) -> None:
    talk = long_read(dialect=STANDARD.but(long_get_abort=abort))
    assert served(talk, READ).startswith("0c0102000001")
    assert served(talk, f"050105{number:04x}") == f"0c0101{code}"
    assert served(talk, f"050105{number:04x}") == "0c010110"  # no-long-get-in-progress
    assert served(talk, "0501050001") == "0c010110"
    assert len(talk.shelf.calls) == 1


def test_a_block_behind_the_last_finds_no_transfer() -> None:
    talk = long_read()
    answer, number = served(talk, READ), 1
    while answer[6:8] == "00":
        answer = served(talk, f"050105{number:04x}")
        number += 1
    assert number == 3
    assert served(talk, f"050105{number:04x}") == "0c010110"


def test_a_block_is_sent_again_only_where_the_dialect_says_so() -> None:
    talk = long_read(dialect=STANDARD.but(repeat_last_block=True))
    served(talk, READ)
    second = served(talk, "0501050001")
    assert served(talk, "0501050001") == second
    assert served(talk, "0501050002") != second
    strict = long_read()
    served(strict, READ)
    served(strict, "0501050001")
    assert served(strict, "0501050001") == "0c01010f"


@pytest.mark.parametrize(
    "between",
    [
        "0501020208",
        "0601020208011105",
        "1601020208011105",
        "0501060000010101",  # begins a long request
        "06010700000101090101",
    ],
)
def test_a_new_request_abandons_the_open_transfer(between: str) -> None:
    talk = long_read()
    served(talk, READ)
    served(talk, between)
    assert served(talk, "0501050001") == "0c010110"


@pytest.mark.parametrize("between", [READ, "0601020208011105", "1601020208011105"])
def test_a_new_request_abandons_a_long_request(between: str) -> None:
    for first, following, lost in (
        ("06010700000101090101", "06010701000201090101", "0d010112"),
        ("0501060000010101", "0501060100020101", "0c010110"),
    ):
        talk = sn_talk()
        served(talk, first)
        served(talk, between)
        assert served(talk, following) == lost


def test_wrong_blocks_of_a_write() -> None:
    """no-long-set-in-progress, data-block-number-invalid, type-unmatched; then it is written at last."""
    raw = "01020208010903010203"
    first, last = f"06010700000101 0905 {raw[:10]}", f"06010701000201 0905 {raw[10:]}"
    first, last = first.replace(" ", ""), last.replace(" ", "")
    talk = sn_talk()
    assert served(talk, last) == "0d010112"
    assert served(talk, first) == "0d01020001"
    assert served(talk, "06010701000301090101") == "0d010113"
    assert served(talk, last) == "0d010112"
    assert served(talk, first.replace("0700000101", "0700000001")) == "0d010112"  # they are counted from 1
    assert served(talk, first) == "0d01020001"
    assert served(talk, "060107010002010903010101") == "0d01010c"
    assert talk.shelf.calls == []
    served(talk, first)
    served(talk, first)  # begins anew
    assert served(talk, last) == "0d0100"
    assert talk.shelf.calls == [("set", (CLOCK, EncodedData.of(DataType.OCTET_STRING, b"\1\2\3")))]


def test_wrong_blocks_of_a_read() -> None:
    raw = "01040420000903010203"
    first, last = f"0501060000010 5{raw[:10]}".replace(" ", ""), f"05010601000205{raw[10:]}"
    talk = sn_talk()
    assert served(talk, last) == "0c010110"
    assert served(talk, first) == "0c01030001"
    assert served(talk, "0501060100030101") == "0c010113"
    assert served(talk, last) == "0c010110"
    served(talk, first)
    assert served(talk, "05010601000203010101") == "0c01010c"
    assert talk.shelf.calls == []
    served(talk, first)
    assert served(talk, last) == "0c01000903010203"
    assert talk.shelf.calls == [("action", (ECHO, EncodedData.of(DataType.OCTET_STRING, b"\1\2\3")))]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("0502020108050001", "0e050300"),  # a block beside a name
        ("0502050001050001", "0e050300"),
        ("050107010001", "0e050300"),  # of a write
        ("060202010807010001021105090101", "0e060300"),
        ("060107010001011105", "0e060300"),  # no octets
        ("06010701000102090101090101", "0e060300"),
        ("06010701000100", "0e060300"),
        ("0601060100010101011105", "0e060300"),  # of a read
        ("0601050001011105", "0e060300"),
        ("0501030108", "0e050300"),  # detailed-access
    ],
)
def test_what_is_no_request_is_refused(request_: str, answer: str) -> None:
    talk = sn_talk()
    assert served(talk, request_) == answer
    assert talk.shelf.calls == []
    assert served(talk, READ) == "0c01000600bc614e"


@pytest.mark.parametrize(
    "raw",
    [
        "01050001",  # a transfer within a transfer
        "01060000010101",
        "0107010001",
        "00",
        "",
        "02020108",
    ],
)
def test_a_long_request_holds_no_other(raw: str) -> None:
    for kind in ("05", "06"):
        talk = sn_talk()
        body = raw + ("011105" if kind == "06" else "")
        size = f"{len(body) // 2:02x}"
        request = f"0501060100 01{size}{body}" if kind == "05" else f"0601070100 010109{size}{body}"
        answer = served(talk, request.replace(" ", ""))
        assert answer in ("0c01010c", "0d01010c", f"0e{kind}0300")
        assert talk.shelf.calls == []


def test_what_a_client_may_store_in_a_server_is_bounded() -> None:
    limits = DEFAULT_LIMITS.__class__(octets=1000)
    piece = "8190" + "00" * 144
    for more in ({"limits": limits}, {"max_transfer": 1000}):
        for block, taken, aborted in (
            ("060107{:02x}{:04x}0109", "0d0102{:04x}", "0d010111"),
            ("050106{:02x}{:04x}", "0c0103{:04x}", "0c01010f"),
        ):
            talk = sn_talk(server=more)
            for number in range(1, 7):
                assert served(talk, block.format(0, number) + piece) == taken.format(number)
            assert served(talk, block.format(0, 7) + piece) == aborted
            assert served(talk, block.format(1, 8) + piece) in ("0d010112", "0c010110")


def test_what_a_list_may_cost_is_bounded() -> None:
    talk = sn_talk()
    results = talk.ask(Read((REGISTER_SN,) * (MOST_LISTED + 5)))
    assert results == (VALUE,) * MOST_LISTED + (DataAccessResult.OTHER_REASON,) * 5
    assert len(talk.shelf.calls) == MOST_LISTED
    talk = sn_talk(server={"max_transfer": 1000})
    talk.shelf.put(REGISTER, octets(400))
    results = talk.ask(Read((REGISTER_SN,) * 10))
    assert results == (octets(400),) * 3 + (DataAccessResult.OTHER_REASON,) * 7
    assert len(talk.shelf.calls) == 3


def test_an_answer_of_more_blocks_than_can_be_counted_is_not_begun() -> None:
    talk = sn_talk(client={"max_pdu_size": 12})
    talk.shelf.put(REGISTER, octets(5 * 0xFFFF - 5 - 2))
    assert served(talk, READ).startswith("0c0102000001")
    talk.shelf.put(REGISTER, octets(5 * 0xFFFF))
    assert served(talk, READ) == "0c0101fa"


# ---- any octets -----------------------------------------------------------------------------------------------------

REQUESTS: tuple[Request, ...] = (
    Open(),
    Read((REGISTER_SN,)),
    Read((REGISTER_SN, selected(ECHO_SN, 0, octets(70)))),
    Write((REGISTER_SN,), (octets(70),)),
    Write((CLOCK_SN, REGISTER_SN), (VALUE, NULL)),
    UnconfirmedWrite((CLOCK_SN,), (VALUE,)),
    Release(),
)


def valid() -> list[bytes]:
    """APDUs of every kind, as they pass between a client and a server."""
    found: set[bytes] = set()
    for made in (
        sn_talk(M.LLS, client={"max_pdu_size": 60}, server={"max_pdu_size": 60}),
        sn_secure(client={"max_pdu_size": 90, "dedicated_key": True}, server={"max_pdu_size": 90}),
        sn_talk(M.HLS_SHA256),
    ):
        made.shelf.put(REGISTER, octets(100))
        for request in REQUESTS[1:]:
            made.event(request)
        found |= set(made.requests) | set(made.answers)
    found |= {bytes.fromhex(one) for one in ("0e050302", "0e060501", "180001020108011105", "0c0103 0001", "0d01020001")}
    return sorted(found)


VALID = valid()


anything = mutations.anything(VALID)


def waiting(request: Request, *, ciphered: bool, steps: int) -> Talk:
    """A client that waits for an answer, or for the next one."""
    opening = isinstance(request, Open)
    sizes = {"max_pdu_size": 90 if ciphered else 60}
    made = sn_secure if ciphered else sn_talk
    talk = made(client=sizes, server=sizes, opened=not opening)
    talk.shelf.put(REGISTER, octets(100))
    talk.client.send(request)
    for _ in range(steps):
        talk.step()
    talk.client.octets_to_send()
    return talk


@given(st.sampled_from(REQUESTS), st.booleans(), st.integers(0, 1), st.lists(anything, min_size=1, max_size=4))
def test_a_client_takes_any_apdu_in_any_state(request: Any, ciphered: bool, steps: int, apdus: list[bytes]) -> None:
    client = waiting(request, ciphered=ciphered, steps=steps).client
    for octets_ in apdus:
        busy = client.busy
        for event in client.receive(octets_, 1.0):
            if isinstance(event, Completed | Failed):
                assert busy
                assert not client.busy
                assert client.deadline() is None
            if isinstance(event, Failed):
                assert isinstance(event.error, CosemicError)
        client.octets_to_send()
        assert client.opened is None or client.state in (State.ASSOCIATED, State.RELEASE_PENDING)
    if client.busy:
        client.cancel()
    assert not client.busy


def transferring() -> Talk:
    talk = long_read()
    served(talk, READ)
    served(talk, "06010700000101090101")
    return talk


SERVERS = {
    "idle": lambda: sn_talk(M.LLS, opened=False),
    "associated": sn_talk,
    "ciphered": sn_secure,
    "ciphered idle": lambda: sn_secure(opened=False),
    "transferring": transferring,
    "reading": long_read,
}


@given(st.sampled_from(sorted(SERVERS)), st.lists(anything, min_size=1, max_size=5))
def test_a_server_takes_any_apdu_in_any_state_and_answers_at_most_once(state: str, apdus: list[bytes]) -> None:
    talk = SERVERS[state]()
    for octets_ in apdus:
        for event in talk.server.receive(octets_, 1.0):
            assert isinstance(event, Associated | Refused | Released)
        answer = talk.server.octets_to_send()
        assert talk.server.octets_to_send() == b""
        if answer:
            assert a.decode(answer) is not None  # whatever it is, it is a whole APDU
        assert not (answer and octets_[:1] == b"\x16")
        assert talk.server.state in (State.IDLE, State.ASSOCIATED, State.ASSOCIATION_PENDING)


@given(st.lists(anything, max_size=4))
def test_no_octets_make_a_ciphered_server_execute_anything(apdus: list[bytes]) -> None:
    for state in ("ciphered", "ciphered idle"):
        talk = SERVERS[state]()
        for octets_ in apdus:
            talk.server.receive(octets_, 1.0)
        assert talk.shelf.calls == []


@given(st.binary(max_size=40), st.integers(1, 4))
def test_any_joined_octets_are_results_or_a_decode_error(raw: bytes, count: int) -> None:
    with suppress(DecodeError):
        assert len(join_read(raw, count, DEFAULT_LIMITS)) == count
    for join in (join_variables, join_writes):
        with suppress(DecodeError):
            join(raw, DEFAULT_LIMITS)
