"""General block transfer, octet by octet (IEC 62056-5-3; reference, application layer 16)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.apdu import BlockControl, GeneralBlockTransfer
from cosemic.association.blocks import LARGEST_NUMBER, IncomingBlocks, OutgoingBlocks, block_size, blocks_room
from cosemic.association.general_block_transfer import ABORT, MOST_AT_ONCE, QUIET, BlockExchange, BlockTerms
from cosemic.association.unconfirmed_blocks import UnconfirmedBlocks, is_unconfirmed
from cosemic.dialect import BlockRecovery
from cosemic.errors import ProtocolError, ServiceFailed
from tests import vectors

FLOW = [
    "R E0 05 0001 0000 82 0002 C402",
    "S E0 85 0001 0001 00",
    "R E0 45 0002 0001 82 0002 0102",
    "R E0 45 0003 0001 82 0002 0304",
    "R E0 45 0004 0001 82 0002 0506",
    "R E0 45 0005 0001 82 0002 0708",
    "R E0 05 0006 0001 82 0002 090A",
    "S E0 85 0002 0006 00",
    "R E0 45 0007 0002 82 0002 0B0C",
    "R E0 45 0008 0002 82 0002 0D0E",
    "R E0 85 0009 0002 82 0001 0F",
]
"""Nine blocks, window 5, as the reference gives them."""
WHOLE = bytes.fromhex("C4020102030405060708090A0B0C0D0E0F")


def octets(text: str) -> bytes:
    return bytes.fromhex(text.lstrip("RS "))


def block(text: str | bytes) -> GeneralBlockTransfer:
    return GeneralBlockTransfer.decode(octets(text) if isinstance(text, str) else text)


def made(
    number: int, ack: int, data: bytes = b"", *, last: bool = False, streaming: bool = False, window: int = 5
) -> GeneralBlockTransfer:
    control = BlockControl.of(last_block=last, streaming=streaming, window=window)
    return GeneralBlockTransfer(control, number, ack, data)


def terms(window: int = 5, room: int = 9, **more: object) -> BlockTerms:
    """Blocks of two octets, unless told."""
    given: dict[str, object] = {"most": 1 << 16, "retries": 3} | more
    return BlockTerms(window=window, room=room, **given)  # type: ignore[arg-type]


def sent(exchange: BlockExchange) -> list[str]:
    found = [apdu.hex().upper() for apdu in exchange.due]
    exchange.due.clear()
    return found


def plain(lines: Iterable[str], side: str) -> list[str]:
    """The lines of one side, lengths minimal."""
    return [line[2:].replace("82 00", "").replace(" ", "") for line in lines if line.startswith(side)]


def taken_of(exchange: BlockExchange, blocks: Iterable[GeneralBlockTransfer]) -> int:
    """How many blocks are taken before the error that ends the transfer."""
    for count, one in enumerate(blocks):
        try:
            exchange.receive(one)
        except ProtocolError:
            return count
    raise AssertionError("all were taken")


# ---- the flows of the reference -------------------------------------------------------------------------------------


def test_a_client_takes_nine_blocks_as_the_reference_has_it() -> None:
    client = BlockExchange(terms(), asks=True)
    whole = None
    for line in FLOW:
        if line.startswith("S"):
            assert sent(client) == [line[2:].replace(" ", "")]
        else:
            assert whole is None
            assert not client.due
            whole = client.receive(block(line))
    assert whole == WHOLE
    assert not client.due, "the last block is not acknowledged"


def test_a_server_sends_nine_blocks_as_the_reference_has_it() -> None:
    server = BlockExchange(terms(), asks=False)
    server.send(WHOLE)
    answers = sent(server)
    for line in FLOW:
        if line.startswith("S"):
            assert server.receive(block(line)) is None
            answers += sent(server)
    assert answers == plain(FLOW, "R")


def test_one_lost_block_is_fetched_alone_as_the_reference_has_it() -> None:
    client = BlockExchange(terms(recovery=BlockRecovery.SINGLE_FETCH), asks=True)
    for line in FLOW[:7]:
        if line.startswith("R") and " 0004 0001" not in line:
            assert client.receive(block(line)) is None
    assert sent(client) == ["E08100020003" + "00"]
    assert client.receive(block("E0 01 0004 0002 82 0002 0506")) is None
    assert sent(client) == ["E08500030006" + "00"]
    for line in FLOW[8:]:
        whole = client.receive(block(line.replace(" 0002 82", " 0003 82")))
    assert whole == WHOLE


def test_a_server_serves_both_recovery_styles() -> None:
    server = BlockExchange(terms(), asks=False)
    server.send(WHOLE)
    server.receive(block("E0 85 0001 0001 00"))
    sent(server)
    server.receive(block("E0 81 0002 0003 00"))
    assert sent(server) == ["E0050004000202" + "0506"]
    server.receive(block("E0 85 0003 0006 00"))
    assert [apdu[4:12] for apdu in sent(server)] == ["00070003", "00080003", "00090003"]


def test_and_all_from_a_lost_block_on() -> None:
    server = BlockExchange(terms(), asks=False)
    server.send(WHOLE)
    server.receive(block("E0 85 0001 0001 00"))
    server.due.clear()
    server.receive(block("E0 83 0002 0003 00"))
    assert sent(server) == ["E04500040002020506", "E04500050002020708", "E0050006000202090A"]


def test_one_lost_block_makes_the_other_style_ask_for_all_from_there_on() -> None:
    client = BlockExchange(terms(), asks=True)
    for line in FLOW[:7]:
        if line.startswith("R") and " 0004 0001" not in line:
            client.receive(block(line))
    assert sent(client) == ["E0850002000300"]
    for number, data in ((4, "0506"), (5, "0708"), (6, "090A"), (7, "0B0C")):
        client.receive(made(number, 2, bytes.fromhex(data), streaming=True))
    client.receive(made(8, 2, bytes.fromhex("0D0E")))
    assert sent(client) == ["E0850003000800"]
    assert client.receive(made(9, 3, b"\x0f", last=True)) == WHOLE


def test_a_long_request_begins_with_one_block_and_goes_on_with_windows() -> None:
    client, server = BlockExchange(terms(window=2), asks=True), BlockExchange(terms(window=3), asks=False)
    client.send(bytes(range(9)))
    assert sent(client) == ["E00200010000020001"], "the window of the server is not known"
    server.receive(block("E0 02 0001 0000 02 0001"))
    assert sent(server) == ["E00300010001" + "00"], "it has an answer to send yet"
    client.receive(block("E0 03 0001 0001 00"))
    window = ["E04200020001020203", "E04200030001020405", "E00200040001020607"]
    assert sent(client) == window
    for apdu in window:
        server.receive(block(bytes.fromhex(apdu)))
    assert sent(server) == ["E0030002000400"]
    client.receive(block("E0 03 0002 0004 00"))
    assert sent(client) == ["E0820005000201" + "08"]
    assert server.receive(block("E0 82 0005 0002 01 08")) == bytes(range(9))
    server.send(b"abcdef")
    assert sent(server) == ["E04300030005026162", "E00300040005026364"], "numbered behind the acknowledgements"
    assert client.receive(block("E0 43 0003 0005 02 6162")) is None
    assert client.receive(block("E0 03 0004 0005 02 6364")) is None
    assert sent(client) == ["E0820006000400"]
    server.receive(block("E0 82 0006 0004 00"))
    assert sent(server) == ["E08300050006026566"]
    assert client.receive(block("E0 83 0005 0006 02 6566")) == b"abcdef"


def test_a_request_that_came_in_one_block_is_answered_with_a_window_at_once() -> None:
    server = BlockExchange(terms(), asks=False)
    assert server.receive(block("E0 83 0001 0000 02 C001")) == b"\xc0\x01"
    server.send(WHOLE)
    assert [apdu[:12] for apdu in sent(server)] == ["E04500010001", "E04500020001", "E00500030001"]


@vectors.each_record("gbt-frames")
def test_recorded_frames_join(record: vectors.Record) -> None:
    whole = bytes.fromhex(record["expected"]["apdu_octets"])
    incoming, exchange = IncomingBlocks(len(whole), 5), BlockExchange(terms(), asks=True)
    joined = None
    for frame in map(bytes.fromhex, record["frames"]):
        one = block(frame)
        assert incoming.take(one.block_number, one.block_data, last_block=one.block_control.last_block)
        joined = exchange.receive(one)
    assert incoming.complete
    assert incoming.joined() == whole == joined


@vectors.each_record(
    "apdu", where=lambda record: "lg-e450-gbt" in record["id"] or record["id"] in ("ref-gbt-single", "ref-gbt-ack")
)
def test_recorded_blocks_are_told_apart(record: vectors.Record) -> None:
    """Those of pushes are of nobody's request: window 0, nothing acknowledged."""
    frames = vectors.octets(record)
    at = frames.find(b"\xe0")
    one = GeneralBlockTransfer.decode(frames[at : at + 7 + frames[at + 6]])
    assert is_unconfirmed(one) is (record["id"] == "lg-e450-gbt-encrypted")
    if is_unconfirmed(one):
        assert UnconfirmedBlocks(1000).take(one) is None


# ---- what comes twice, late, or wrong -------------------------------------------------------------------------------


def begun(**more: object) -> BlockExchange:
    """A client that has the first block and has acknowledged it."""
    client = BlockExchange(terms(**more), asks=True)  # type: ignore[arg-type]
    client.receive(block(FLOW[0]))
    client.due.clear()
    return client


def test_what_comes_twice_is_dropped_and_passes_the_turn_once() -> None:
    client = begun()
    for line in FLOW[2:7]:
        client.receive(block(line))
    assert len(sent(client)) == 1
    for line in FLOW[2:7]:
        client.receive(block(line))
    assert sent(client) == []


def test_a_double_acknowledgement_does_not_make_a_server_send_its_window_twice() -> None:
    server = BlockExchange(terms(), asks=False)
    server.send(WHOLE)
    server.due.clear()
    server.receive(block("E0 85 0001 0001 00"), 0.0)
    assert len(sent(server)) == 5
    server.receive(block("E0 85 0001 0001 00"), QUIET / 2)
    assert sent(server) == []
    server.receive(block("E0 85 0002 0001 00"), QUIET / 2)
    assert len(sent(server)) == 5, "another number: it was sent anew"


def test_a_server_takes_repetitions_of_a_peer_that_counts_no_acknowledgements() -> None:
    server = BlockExchange(terms(), asks=False)
    server.send(WHOLE)
    server.due.clear()
    server.receive(block("E0 85 0001 0001 00"), 0.0)
    server.receive(block("E0 85 0001 0006 00"), 0.0)
    assert [apdu[4:8] for apdu in sent(server)] == ["0007", "0008", "0009"]
    server.receive(block("E0 85 0001 0006 00"), QUIET)
    assert [apdu[4:8] for apdu in sent(server)] == ["0007", "0008", "0009"]


def test_a_request_may_go_on_naming_the_last_block_of_the_answer_before() -> None:
    server = BlockExchange(terms(), asks=False)
    assert server.receive(block("E0 46 0001 0003 02 C101")) is None
    assert server.receive(block("E0 86 0002 0003 01 C1")) == bytes.fromhex("C101C1")
    assert not server.due


def test_the_last_block_ends_it_whether_streaming_or_not() -> None:
    client = begun()
    assert client.receive(made(2, 1, b"\x01", last=True, streaming=True)) == b"\xc4\x02\x01"


def test_a_window_is_over_when_it_is_full_whatever_its_last_block_says() -> None:
    client = begun()
    for number in range(2, 7):
        client.receive(made(number, 1, b"ab", streaming=True))
    assert sent(client) == ["E0850002000600"]


def test_the_last_block_may_be_empty() -> None:
    client = begun()
    assert client.receive(made(2, 1, last=True)) == b"\xc4\x02"


def test_blocks_of_one_answer_come_in_any_order() -> None:
    client = begun()
    whole = None
    for number, data, last in ((4, b"d", True), (3, b"c", False), (2, b"b", False)):
        assert whole is None
        whole = client.receive(made(number, 1, data, last=last, streaming=True))
    assert whole == b"\xc4\x02bcd"


def test_an_acknowledgement_that_is_lost_does_not_hide_the_first_block_of_the_answer() -> None:
    client, server = BlockExchange(terms(), asks=True), BlockExchange(terms(), asks=False)
    client.send(b"abc")
    server.receive(block(client.due.popleft()))
    client.receive(block(server.due.popleft()))
    client.due.clear()  # the last block is lost
    assert client.again()
    last = client.due.popleft()
    server.receive(made(1, 0, b"ab"), QUIET)  # the first block once more, late: acknowledged, which is lost
    assert len(sent(server)) == 1
    assert server.receive(block(last)) == b"abc"
    server.send(WHOLE)
    while server.due:
        client.receive(block(server.due.popleft()))
    assert sent(client) == ["E08100030001" + "00"], "the lowest there is: block 2 was an acknowledgement"
    server.receive(block("E0 81 0003 0001 00"))
    (lowest,) = server.due
    assert client.receive(block(lowest)) is None
    server.due.clear()
    while client.due:
        server.receive(block(client.due.popleft()))
        while server.due:
            whole = client.receive(block(server.due.popleft()))
    assert whole == WHOLE


VIOLATIONS = {
    "acknowledges what was not sent": made(2, 9, b"ab"),
    "has number 0 and data": made(0, 0, b"ab"),
    "comes again with other contents": made(2, 1, b"xx"),
    "comes again with other contents, behind a gap": made(4, 1, b"xx", last=True, streaming=True),
    "comes after the last one": made(5, 1, b"ab", streaming=True),
    "is another last one": made(3, 1, b"ab", last=True),
    "is empty and not the last": made(3, 1, b"", streaming=True),
}


@pytest.mark.parametrize("wrong", VIOLATIONS.values(), ids=VIOLATIONS)
def test_what_breaks_a_rule_is_aborted(wrong: GeneralBlockTransfer) -> None:
    client = begun(window=10)
    client.receive(made(2, 1, b"ab", streaming=True))
    client.receive(made(4, 1, b"ef", last=True, streaming=True))
    client.due.clear()
    with pytest.raises(ProtocolError):
        client.receive(wrong)
    assert list(client.due) == [ABORT]


def test_no_block_comes_after_the_last_one_whichever_comes_first() -> None:
    client = begun(window=10)
    client.receive(made(2, 1, b"ab", streaming=True))
    client.receive(made(5, 1, b"ef", streaming=True))
    client.due.clear()
    with pytest.raises(ProtocolError, match="later ones have come"):
        client.receive(made(4, 1, b"cd", last=True, streaming=True))
    assert list(client.due) == [ABORT]


def test_a_server_cannot_answer_before_it_has_the_whole_request() -> None:
    client = BlockExchange(terms(), asks=True)
    client.send(b"abcdef")
    client.due.clear()
    with pytest.raises(ProtocolError, match="before it had the whole request"):
        client.receive(made(1, 1, b"xy", last=True))
    assert list(client.due) == [ABORT]


def test_an_abort_ends_it_and_is_not_answered() -> None:
    client = begun()
    with pytest.raises(ProtocolError, match="aborted"):
        client.receive(block(ABORT))
    assert not client.due
    assert bytes.fromhex("E080" + "0000" + "0000" + "00") == ABORT


def test_what_cannot_be_is_late_where_the_medium_delays() -> None:
    client = begun(lossy=True)
    assert client.receive(made(7, 3, b"xx")) is None
    assert not client.due
    assert not client.moved


def test_an_answer_that_begins_anew_takes_the_place_of_what_came_before() -> None:
    client = begun()
    client.receive(made(2, 1, b"ab", streaming=True))
    client.receive(made(1, 0, b"C5"))
    assert client.receive(made(2, 2, b"", last=True)) == b"C5"


def test_where_the_medium_delays_it_ends_the_transfer() -> None:
    client = begun(lossy=True)
    with pytest.raises(ProtocolError, match="anew"):
        client.receive(made(1, 0, b"C5"))


def test_it_does_not_begin_anew_for_ever() -> None:
    client = begun()
    taken = taken_of(client, [made(1, 0, bytes((turn, 0))) for turn in range(10)])
    assert taken == 3


def test_nor_where_it_gets_on_in_between() -> None:
    client = begun()
    turns = [one for turn in range(10) for one in (made(1, 0, bytes((turn, 0))), made(2, 0, b"ab"))]
    assert taken_of(client, turns) < 10


def test_the_acknowledgement_of_everything_is_not_answered() -> None:
    server = BlockExchange(terms(), asks=False)
    server.send(WHOLE)
    server.receive(made(1, 1, last=True, window=63))
    server.due.clear()
    server.receive(made(2, 9, last=True), QUIET)
    assert not server.due
    asked = BlockExchange(terms(), asks=False)
    asked.receive(made(1, 0, b"ab", last=True))
    asked.send(b"c")
    asked.due.clear()
    asked.receive(made(2, 1, last=True), QUIET)
    assert not asked.due


def test_the_window_is_that_of_the_newest_acknowledgement() -> None:
    server = BlockExchange(terms(), asks=False)
    server.send(WHOLE)
    server.receive(made(1, 1, last=True, window=5))
    server.receive(made(2, 1, last=True, window=1))
    server.due.clear()
    server.receive(made(1, 1, last=True, window=5), QUIET)
    assert [apdu[4:8] for apdu in sent(server)] == ["0002"], "the older one came late"


def test_only_the_lowest_block_there_is_can_be_the_first_of_an_answer() -> None:
    client = BlockExchange(terms(lossy=True), asks=True)
    client.send(b"abc")
    client.receive(made(1, 1))
    client.receive(made(4, 2, b"d", streaming=True))
    client.receive(made(6, 2, b"f"))
    probe = block(client.due[-1])
    assert (probe.block_control.window, probe.block_number_ack) == (1, 1)
    client.receive(made(7, probe.block_number, b"g"))
    assert client._incoming.first is None, "there is a lower one"
    client.receive(made(4, block(client.due[-1]).block_number, b"d"))
    assert client._incoming.first == 4


def test_a_window_that_comes_late_does_not_set_a_second_one_going() -> None:
    client = begun(window=2)
    client.receive(made(2, 1, b"b", streaming=True))
    client.receive(made(3, 1, b"c"))
    assert sent(client) == ["E0820002000300"]
    client.receive(made(4, 2, b"d", streaming=True))
    assert client.again()
    assert sent(client) == ["E0820003000400"]
    client.receive(made(5, 2, b"e"))
    assert sent(client) == [], "that is the end of the window before"
    client.receive(made(6, 3, b"f"))
    assert sent(client) == ["E0820004000600"]


# ---- bounds ---------------------------------------------------------------------------------------------------------


def test_turns_without_progress_end_in_an_abort() -> None:
    client = begun(retries=3)
    assert [client.again() for _ in range(4)] == [True, True, True, False]
    assert list(client.due) == [ABORT]


def test_a_server_does_not_send_the_same_window_for_ever() -> None:
    server = BlockExchange(terms(retries=3), asks=False)
    server.send(WHOLE)
    server.receive(made(1, 1, last=True))
    assert taken_of(server, [made(number, 1, last=True) for number in range(2, 9)]) == 3
    assert list(server.due) == [ABORT]


def test_nothing_is_repeated_where_nothing_has_come_and_nothing_is_lost() -> None:
    client = BlockExchange(terms(), asks=True)
    client.send(WHOLE)
    assert not client.again()
    lossy = BlockExchange(terms(lossy=True), asks=True)
    lossy.send(WHOLE)
    first = sent(lossy)
    assert lossy.again()
    assert sent(lossy) == first


def test_an_apdu_longer_than_is_taken_is_aborted() -> None:
    client = begun(most=10)
    assert taken_of(client, [made(number, 1, b"ab", streaming=True) for number in range(2, 9)]) == 4
    assert list(client.due) == [ABORT]


def test_blocks_beyond_the_window_are_not_kept() -> None:
    client = begun(window=3)
    for number in range(3, 60):
        client.receive(made(number, 1, b"ab", streaming=True))
    assert len(client._incoming._kept) == 2


def test_a_window_is_cut_short_where_its_blocks_are_large() -> None:
    server = BlockExchange(terms(room=0xFFFF), asks=False)
    server.send(bytes(1 << 22))
    server.receive(made(1, 1, last=True, window=63))
    assert sum(map(len, server.due)) <= MOST_AT_ONCE
    assert not block(server.due[-1]).block_control.streaming


def test_a_request_that_was_handed_on_is_held_no_longer() -> None:
    server = BlockExchange(terms(), asks=False)
    server.receive(made(1, 0, b"ab"))
    assert server.receive(made(2, 1, b"cd", last=True)) == b"abcd"
    assert server._incoming._parts == [b"ab"], "but for what it is known again by"


def test_more_blocks_than_there_are_numbers_cannot_be_sent() -> None:
    assert OutgoingBlocks(bytes(LARGEST_NUMBER * 2), 2, 1).last == LARGEST_NUMBER
    with pytest.raises(ServiceFailed, match="65535 blocks"):
        OutgoingBlocks(bytes(LARGEST_NUMBER * 2), 2, 2)
    with pytest.raises(ServiceFailed):
        OutgoingBlocks(b"ab", 0, 1)


@given(room=st.integers(12, 0xFFFF))
def test_a_block_is_never_longer_than_the_other_side_takes(room: int) -> None:
    size = block_size(room)
    assert 1 <= size < room
    outgoing = OutgoingBlocks(bytes(size + 1), size, 1)
    first = outgoing.block(1, streaming=False, window=63, acknowledged=0xFFFF)
    assert room - 2 <= len(first) <= room
    assert len(block(first).block_data) == size
    assert blocks_room(room) <= LARGEST_NUMBER * size


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.binary(max_size=3), st.integers(0, 255))))
def test_any_blocks_end_in_an_apdu_or_one_declared_error(blocks: list[tuple[int, int, bytes, int]]) -> None:
    for asks in (True, False):
        exchange = BlockExchange(terms(most=20), asks=asks)
        exchange.send(bytes(30))
        try:
            for now, (number, ack, data, control) in enumerate(blocks):
                exchange.receive(GeneralBlockTransfer(BlockControl(control), number, ack, data), float(now))
                assert len(exchange.due) <= 63
                assert exchange._incoming._held <= 20 + 3
        except ProtocolError:
            continue
