"""Layers around APDUs: HDLC, wrapper, gateway, block transfer; what is one message, and what is refused."""

from __future__ import annotations

import sys
from types import FrameType as FrameType_
from typing import Any

import pytest

import cosemic
from cosemic import DecodeError, Limits
from cosemic.link.hdlc import Control, HdlcAddress, encode_frame
from cosemic.link.hdlc.checks import check_sequence
from cosemic.values import FrameType

GET = bytes.fromhex("c001c100080000010000ff0200")
PUSH = bytes.fromhex("0f000000010002031105120001060000000a")
LLC = bytes.fromhex("e6e700")
METER, OTHER_METER, LISTENER = HdlcAddress(1), HdlcAddress(2), HdlcAddress(16)


def ui(information: bytes, *, source: HdlcAddress = METER, segmented: bool = False, kind: str = "UI") -> bytes:
    numbers = (0, 0) if kind == "I" else (None, None)
    control = Control(FrameType[kind], *numbers, 0 if segmented else 1)
    return b"\x7e" + encode_frame(LISTENER, source, control, information, segmented=segmented) + b"\x7e"


def gbt(number: int, data: bytes, *, last: bool = False, ack: int = 0) -> bytes:
    return bytes((0xE0, 0xC0 if last else 0x40)) + number.to_bytes(2) + ack.to_bytes(2) + bytes((len(data),)) + data


def damaged(frame: bytes) -> bytes:
    """The frame with a wrong FCS."""
    return frame[:-3] + bytes((frame[-3] ^ 1,)) + frame[-2:]


def names(decoded: dict[str, Any]) -> list[str]:
    """Names of the layers."""
    return [next(iter(layer)) for layer in decoded["layers"]]


def decoded(data: bytes, kind: str = "apdu") -> dict[str, Any]:
    return cosemic.decode(data, kind=kind).to_dict()


def entries(data: bytes) -> list[tuple[list[int] | None, str | None]]:
    """Block numbers and APDU name of each message of a stream."""
    found = []
    for entry in decoded(data, "messages")["messages"]:
        assert (entry["apdu"] is None) == ("error" in entry)
        blocks = entry["gbt"] and [block["block_number"] for block in entry["gbt"]]
        found.append((blocks, entry["apdu"] and entry["apdu"]["apdu"]))
    return found


BLOCKS = [gbt(1, PUSH[:5]), gbt(2, PUSH[5:9]), gbt(3, PUSH[9:], last=True)]


# ---- one APDU --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "layers"),
    [
        (PUSH, []),
        (b"".join(BLOCKS), ["gbt"]),
        (b"\x00\x01\x00\x01\x00\x10\x00\x12" + PUSH, ["wrapper"]),
        (ui(LLC + PUSH), ["hdlc"]),
        (ui(LLC + PUSH, kind="I"), ["hdlc"]),
        (ui(PUSH), ["hdlc"]),
        (ui(LLC + PUSH[:4], segmented=True) + ui(PUSH[4:]), ["hdlc"]),
        (ui(LLC + BLOCKS[0]) + ui(BLOCKS[1]) + ui(BLOCKS[2]), ["hdlc", "gbt"]),
        (ui(LLC + BLOCKS[0]) + ui(LLC + BLOCKS[1]) + ui(LLC + BLOCKS[2]), ["hdlc", "gbt"]),
        (b"\xe7\x05\x01\x41" + PUSH, ["gateway"]),
        (b"\xe7\x05\x01\x41" + b"".join(BLOCKS), ["gateway", "gbt"]),
        (gbt(1, b"\xe7\x05\x01\x41" + PUSH, last=True), ["gbt", "gateway"]),
        (b"".join(ui(LLC + b"\xe7\x05\x00" + block) for block in BLOCKS), ["hdlc", "gateway", "gbt"]),
    ],
    ids=lambda value: " ".join(value) or "naked" if isinstance(value, list) else "",
)
def test_layers_are_taken_off_from_the_outside_in(data: bytes, layers: list[str]) -> None:
    have = decoded(data)
    assert names(have) == layers
    assert have["apdu"] == decoded(PUSH)["apdu"]


def test_the_frames_of_all_segments_are_listed_and_others_are_not() -> None:
    rr = b"\x7e" + encode_frame(METER, LISTENER, Control(FrameType.RR, None, 1, 1)) + b"\x7e"
    have = decoded(ui(LLC + PUSH[:4], segmented=True) + rr + ui(PUSH[4:]))
    assert [frame["segmented"] for frame in have["layers"][0]["hdlc"]] == [True, False]


@pytest.mark.parametrize(
    "data",
    [
        PUSH + b"\x00",
        ui(LLC + PUSH) * 2,
        ui(LLC + PUSH)[:-1],
        ui(LLC + PUSH) + b"\x00",
        b"\x7e\x00" + ui(LLC + PUSH),
        ui(LLC + PUSH).replace(PUSH, PUSH[:-1] + b"\x0b"),
        ui(LLC + PUSH[:4], segmented=True),
        ui(LLC + PUSH + b"\x00"),
        ui(LLC + BLOCKS[0]) + ui(BLOCKS[2]),
        ui(LLC + BLOCKS[0]) + ui(BLOCKS[1]),
        ui(LLC + BLOCKS[0] + BLOCKS[1] + BLOCKS[2]) * 2,
        b"".join(BLOCKS[:2]),
        b"".join(BLOCKS) + BLOCKS[0],
        b"".join(BLOCKS) + b"\x00",
        b"".join(BLOCKS) + gbt(4, b"", last=True),
        ui(LLC + PUSH) + ui(LLC + PUSH[:4], source=OTHER_METER, segmented=True),
        ui(LLC + PUSH) + damaged(ui(LLC + PUSH)),
        b"\x7e" + encode_frame(METER, LISTENER, Control(FrameType.SNRM)) + b"\x7e",
        b"\x00\x01\x00\x01\x00\x10\x00\x11" + PUSH,
        b"\x00\x01\x00\x01\x00\x10\x00\x13" + PUSH,
        b"\x00\x02\x00\x01\x00\x10\x00\x12" + PUSH,
        b"\xe7\x05\x00\xe7\x05\x00" + PUSH,
        b"\x68\x12\x12\x68" + PUSH + b"\x00\x16",
    ],
)
def test_what_is_not_one_apdu_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        cosemic.decode(data, kind="apdu")


@pytest.mark.parametrize(
    "block",
    [gbt(1, PUSH[:5]), gbt(2, PUSH[5:], last=True), gbt(1, b"", last=True, ack=3), gbt(0, b"", last=True)],
    ids=["first", "last", "acknowledgement", "abort"],
)
def test_a_single_block_that_carries_no_message_is_an_apdu_of_its_own(block: bytes) -> None:
    have = decoded(block)
    assert have["layers"] == []
    assert have["apdu"]["apdu"] == "general-block-transfer"
    assert names(decoded(ui(LLC + block))) == ["hdlc"]


def test_offsets_of_errors_count_from_the_start_of_the_wrapper() -> None:
    with pytest.raises(DecodeError) as caught:
        cosemic.decode(b"\x00\x01\x00\x01\x00\x10\x00\x05\xc4\x01\xc1\x00\x08")
    assert caught.value.offset == 12


# ---- messages --------------------------------------------------------------------------------------------------------


def test_messages_come_in_the_order_of_their_completion() -> None:
    stream = (
        ui(LLC + PUSH[:4], segmented=True)
        + ui(LLC + GET, source=OTHER_METER)
        + ui(PUSH[4:])
        + ui(LLC + BLOCKS[0])
        + ui(LLC + GET)
        + ui(BLOCKS[1])
        + ui(BLOCKS[2])
    )
    assert entries(stream) == [
        (None, "get-request"), (None, "data-notification"), (None, "get-request"), ([1, 2, 3], "data-notification"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ("1 2 3L", [([1, 2, 3], True)]),
        ("1 2 2 3L", [([1, 2, 2, 3], True)]),
        ("1 1 2 3L", [([1, 1, 2, 3], True)]),
        ("1 2 1 2 3L", [([1, 2], False), ([1, 2, 3], True)]),
        ("1 2", [([1, 2], False)]),
        ("1 3L", [([1, 3], False)]),
        ("2 3L", [([2, 3], False)]),
        ("1 2 3 2 3L", [([1, 2, 3, 2, 3], False)]),
        ("1 2 2 4L 3", [([1, 2, 2, 4], False), ([3], False)]),
        ("1 2 3L 1 2 3L", [([1, 2, 3], True), ([1, 2, 3], True)]),
        ("1 2 3L 3L", [([1, 2, 3, 3], True)]),
        ("1 2 3L 3L 3L 1 2 3L", [([1, 2, 3, 3, 3], True), ([1, 2, 3], True)]),
        ("1 3L 3L", [([1, 3, 3], False)]),
        ("1 2 3L 2", [([1, 2, 3], True), ([2], False)]),
        ("1 2 3L 2 3L", [([1, 2, 3], True), ([2, 3], False)]),
        ("1 2 3L 3", [([1, 2, 3], True), ([3], False)]),
    ],
)
def test_runs_of_blocks(numbers: str, expected: list[tuple[list[int], bool]]) -> None:
    pieces = {1: PUSH[:5], 2: PUSH[5:9], 3: PUSH[9:], 4: b""}
    blocks = [gbt(int(n[0]), pieces[int(n[0])], last=n.endswith("L")) for n in numbers.split()]
    found = entries(b"".join(ui((LLC if n == 0 else b"") + block) for n, block in enumerate(blocks)))
    assert found == [(run, "data-notification" if good else None) for run, good in expected]


def test_a_first_block_with_other_contents_begins_a_new_run() -> None:
    assert entries(ui(gbt(1, PUSH[:5])) + ui(gbt(1, PUSH, last=True))) == [([1], None), ([1], "data-notification")]


def test_a_repeated_last_block_keeps_the_place_of_its_message() -> None:
    stream = ui(LLC + BLOCKS[0]) + ui(BLOCKS[1]) + ui(BLOCKS[2]) + ui(LLC + GET) + ui(BLOCKS[2])
    assert entries(stream) == [([1, 2, 3, 3], "data-notification"), (None, "get-request")]


def test_blocks_of_several_senders_make_runs_of_their_own() -> None:
    other = [gbt(1, GET[:5]), gbt(2, GET[5:], last=True)]
    stream = ui(BLOCKS[0]) + ui(other[0], source=OTHER_METER) + ui(BLOCKS[1]) + ui(other[1], source=OTHER_METER)
    assert entries(stream + ui(BLOCKS[2])) == [([1, 2], "get-request"), ([1, 2, 3], "data-notification")]


def test_frames_with_wrong_checks_are_dropped_from_messages() -> None:
    stream = damaged(ui(LLC + PUSH)) + ui(LLC + GET)
    assert entries(stream) == [(None, "get-request")]
    assert len(decoded(stream, "messages")["layers"][0]["hdlc"]) == 1
    tolerant = cosemic.decode(stream, kind="messages", quirks=["hdlc-length-mismatch"]).to_dict()
    assert tolerant == decoded(stream, "messages")


def test_what_is_no_apdu_is_an_entry_with_an_error() -> None:
    assert entries(ui(LLC + b"\xff") + ui(LLC + GET) + ui(LLC + b"\xe0\x00")) == [
        (None, None), (None, "get-request"), (None, None),
    ]  # fmt: skip


def test_a_message_with_a_lost_end_does_not_harm_the_next_one() -> None:
    assert entries(ui(LLC + PUSH[:4], segmented=True) + ui(LLC + GET)) == [(None, None), (None, "get-request")]


def test_a_message_that_is_cut_off_by_the_end_of_the_stream_is_an_entry_with_an_error() -> None:
    cut = ui(LLC + PUSH[:4], segmented=True)
    assert entries(ui(LLC + GET) + cut) == [(None, "get-request"), (None, None)]
    assert entries(cut) == [(None, None)]
    assert entries(cut + ui(LLC + GET[:4], source=OTHER_METER, segmented=True)) == [(None, None)] * 2
    assert entries(ui(BLOCKS[0]) + cut) == [(None, None), ([1], None)]


def test_each_message_that_a_disconnection_ends_is_an_entry_with_an_error() -> None:
    down = ui(LLC + PUSH[:4], segmented=True)
    up = b"\x7e" + encode_frame(METER, LISTENER, Control(FrameType.UI, pf=0), LLC + GET[:4], segmented=True) + b"\x7e"
    gone = b"\x7e" + encode_frame(METER, LISTENER, Control(FrameType.DISC)) + b"\x7e"
    assert entries(down + up + gone + ui(LLC + GET)) == [(None, None), (None, None), (None, "get-request")]


def test_a_push_that_comes_again_in_the_same_i_frame_is_a_message_again() -> None:
    push = ui(LLC + PUSH, kind="I")
    assert entries(push + push) == [(None, "data-notification")] * 2


@pytest.mark.parametrize("data", [b"", PUSH, b"\x7e\x7e", ui(LLC + PUSH)[1:-1]])
def test_messages_without_a_frame_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        cosemic.decode(data, kind="messages")


def test_gateway_prefixes_of_messages_are_layers() -> None:
    have = decoded(ui(LLC + b"\xe7\x05\x01\x41" + PUSH), "messages")
    assert names(have) == ["hdlc", "gateway"]
    assert have["messages"][0]["apdu"]["apdu"] == "data-notification"


# ---- frames and blocks for themselves --------------------------------------------------------------------------------


def test_frames_report_wrong_checks() -> None:
    wrong = bytearray(damaged(ui(LLC + PUSH)))
    entry = decoded(bytes(wrong[1:-1]), "hdlcframe")
    assert (entry["frame"]["fcs_ok"], entry["frame"]["hcs_ok"]) == (False, True)
    assert entry["apdu"]["apdu"] == "data-notification"
    wrong[7] ^= 1
    assert decoded(bytes(wrong), "hdlcstream")["frames"][0]["frame"]["hcs_ok"] is False
    tolerant = cosemic.decode(bytes(wrong), kind="hdlcstream", quirks=["hdlc-length-mismatch"]).to_dict()
    assert tolerant == decoded(bytes(wrong), "hdlcstream")


@pytest.mark.parametrize(
    "frame",
    [ui(PUSH), ui(LLC + PUSH, segmented=True), ui(LLC + b"\xff"), ui(LLC + b"\xe7\x05\x00" + PUSH), ui(LLC)],
    ids=["no LLC", "segmented", "no APDU", "gateway", "empty"],
)
def test_a_frame_that_holds_no_whole_apdu_has_none(frame: bytes) -> None:
    assert decoded(frame[1:-1], "hdlcframe")["apdu"] is None


@pytest.mark.parametrize("kind", ["hdlcstream", "messages", "apdu"])
def test_more_octets_than_the_limits_allow_are_refused(kind: str) -> None:
    assert cosemic.decode(ui(LLC + PUSH), kind=kind, limits=Limits(octets=len(ui(LLC + PUSH))))
    with pytest.raises(DecodeError, match="no more than"):
        cosemic.decode(ui(LLC + PUSH), kind=kind, limits=Limits(octets=len(ui(LLC + PUSH)) - 1))


def test_a_stream_of_frames_holds_nothing_else() -> None:
    assert len(decoded(ui(LLC + PUSH) + b"\x7e\x7e" + ui(LLC + GET)[1:], "hdlcstream")["frames"]) == 2
    for wrong in (ui(LLC + PUSH) + b"\x00", b"\x00" + ui(LLC + PUSH), ui(LLC + PUSH)[:-2], b"\x7e", b""):
        with pytest.raises(DecodeError):
            cosemic.decode(wrong, kind="hdlcstream")


@pytest.mark.parametrize("kind", ["hdlcstream", "messages", "apdu"])
def test_a_wrong_length_field_is_tolerated_as_a_quirk_only(kind: str) -> None:
    frame = bytearray(ui(LLC + PUSH)[1:-1])
    frame[1] += 1
    header = bytes(frame[:5])
    frame[5:7] = check_sequence(header)
    frame[-2:] = check_sequence(bytes(frame[:-2]))
    stream = b"\x7e" + frame + b"\x7e"
    with pytest.raises(DecodeError):
        cosemic.decode(stream, kind=kind)
    have = cosemic.decode(stream + ui(LLC + PUSH)[1:] * (kind != "apdu"), kind=kind, quirks=["hdlc-length-mismatch"])
    assert "data-notification" in repr(have.to_dict())
    frame[-1] ^= 1
    with pytest.raises(DecodeError):
        cosemic.decode(b"\x7e" + frame + b"\x7e", kind=kind, quirks=["hdlc-length-mismatch"])


@pytest.mark.parametrize(
    "pattern", ["7e", "7ea7ff", "7ea7ff0321", "7ea7ff032110", "7ea07e", "7ea0097e", "7ea3ff03211000007e"]
)
@pytest.mark.parametrize("kind", ["hdlcstream", "messages", "apdu"])
def test_flags_that_begin_no_frame_cost_little_with_the_quirk(pattern: str, kind: str) -> None:
    data = (bytes.fromhex(pattern) * 4000)[:4000]
    calls = 0

    def count(frame: FrameType_, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        with pytest.raises(DecodeError):
            cosemic.decode(data, kind=kind, quirks=["hdlc-length-mismatch"])
    finally:
        sys.setprofile(None)
    assert calls < 40 * len(data)


def test_block_transfer_for_itself_is_joined_and_not_decoded() -> None:
    have = decoded(gbt(1, b"\xff") + gbt(2, b"\xfe") + gbt(2, b"\xfe") + gbt(3, b"", last=True), "gbt-frames")
    assert have["apdu_octets"] == "fffe"
    assert [block["block_number"] for block in have["gbt"]] == [1, 2, 2, 3]
    again = decoded(b"".join(BLOCKS) + BLOCKS[2], "gbt-frames")
    assert again["apdu_octets"] == PUSH.hex()
    assert [block["block_number"] for block in again["gbt"]] == [1, 2, 3, 3]
    for wrong in (
        b"",
        BLOCKS[0],
        BLOCKS[1],
        b"".join(BLOCKS) * 2,
        b"".join(BLOCKS) + BLOCKS[1],
        b"".join(BLOCKS) + b"\x00",
        PUSH,
    ):
        with pytest.raises(DecodeError):
            cosemic.decode(wrong, kind="gbt-frames")
