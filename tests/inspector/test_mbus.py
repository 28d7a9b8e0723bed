"""M-Bus frames in ``decode``: wired and by radio, the APDU inside, what is refused, and the tree."""

from __future__ import annotations

from typing import Any

import pytest

import cosemic
from cosemic import DecodeError
from cosemic.link.mbus import (
    DeviceAddress,
    ExtendedLinkLayer,
    LongHeader,
    MbusFrame,
    ShortHeader,
    WirelessFormat,
    WirelessFrame,
    segments,
)
from tests.vectors import keys, octets, record

GET = bytes.fromhex("c001c100080000010000ff0200")
PUSH = bytes.fromhex("0f000000010002031105120001060000000a")
BLOCKS = [
    bytes.fromhex("e04000010000") + b"\x05" + PUSH[:5],
    bytes.fromhex("e0c000020000") + bytes((len(PUSH) - 5,)) + PUSH[5:],
]
DEVICE = DeviceAddress("12345678", 0x2CCD, 1, 2)
NKE = MbusFrame(0x40, 5).encode()


def wired(apdu: bytes, *, c: int = 0x53, saps: tuple[int, int] = (1, 103), size: int = 250) -> bytes:
    return b"".join(
        MbusFrame(c, 0xFF, each.ci, each.encode()).encode() for each in segments(apdu, *saps, max_part=size)
    )


def decoded(data: bytes, kind: str | None = None) -> dict[str, Any]:
    return cosemic.decode(data, kind=kind).to_dict()


def layer_names(have: dict[str, Any]) -> list[str]:
    return [next(iter(layer)) for layer in have["layers"]]


def damaged(octets: bytes) -> bytes:
    return octets[:-2] + bytes((octets[-2] ^ 1,)) + octets[-1:]


@pytest.mark.parametrize(
    ("data", "layers"),
    [
        (wired(PUSH), ["mbus"]),
        (wired(PUSH, size=4), ["mbus"]),
        (NKE + b"\xe5" + wired(PUSH, size=9) + b"\xe5", ["mbus"]),
        (wired(BLOCKS[0]) + wired(BLOCKS[1]), ["mbus", "gbt"]),
        (wired(b"\xe7\x05\x01\x41" + PUSH), ["mbus", "gateway"]),
        (MbusFrame(0x08, 5, 0x7D, bytes(4) + b"\x01\x10" + PUSH).encode(), ["mbus"]),
        (MbusFrame(0x08, 5, 0x7C, LongHeader(DEVICE).encode() + b"\x01\x10" + PUSH).encode(), ["mbus"]),
    ],
)
def test_the_apdu_in_wired_frames_is_shown(data: bytes, layers: list[str]) -> None:
    start = data.index(b"\x68")
    have = decoded(data[start:])
    assert layer_names(have) == layers
    assert have["apdu"] == decoded(PUSH)["apdu"]


def test_saps_are_shown_for_segments_alone() -> None:
    (frame,) = decoded(wired(PUSH))["layers"][0]["mbus"]
    assert frame == {
        "short": False, "c": 0x53, "a": 0xFF, "ci": 0x10, "source": 1, "destination": 103, "checksum_ok": True,
        "stop_ok": True,
    }  # fmt: skip
    (frame,) = decoded(MbusFrame(0x08, 5, 0x7D, bytes(4) + b"\x01\x10" + PUSH).encode())["layers"][0]["mbus"]
    assert (frame["ci"], frame["source"], frame["destination"]) == (0x7D, None, None)


@pytest.mark.parametrize(
    "data",
    [
        damaged(wired(PUSH)),
        wired(PUSH)[:-1] + b"\x17",
        wired(PUSH)[:-1],
        wired(PUSH) + b"\x00",
        wired(PUSH) * 2,
        wired(PUSH, size=9)[:15],
        wired(PUSH, size=9)[15:],
        wired(PUSH) + damaged(wired(PUSH)),
        wired(PUSH + b"\x00"),
        MbusFrame(0x08, 5, 0x72, bytes(12)).encode(),
        MbusFrame(0x08, 5, 0x7D, bytes.fromhex("00000005") + b"\x01\x10" + PUSH).encode(),
        MbusFrame(0x53, 5, 0x10, b"\x01").encode(),
    ],
)
def test_what_is_not_one_apdu_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        cosemic.decode(data, kind="apdu")


def test_a_session_is_messages() -> None:
    session = (
        NKE + b"\xe5" + wired(GET, c=0x73, saps=(16, 1)) + b"\xe5" + MbusFrame(0x7B, 5).encode()
        + wired(PUSH, c=0x08, saps=(1, 16), size=7)
    )  # fmt: skip
    have = decoded(session, "messages")
    assert layer_names(have) == ["mbus"]
    assert [frame["c"] for frame in have["layers"][0]["mbus"]] == [0x40, 0x73, 0x7B, 0x08, 0x08, 0x08]
    assert [entry["apdu"]["apdu"] for entry in have["messages"]] == ["get-request", "data-notification"]


def test_what_is_lost_of_a_session_is_an_entry_with_an_error() -> None:
    part = wired(PUSH, size=6)
    first, _, third = (part[start : start + 17] for start in (0, 17, 34))
    for stream, expected in (
        (first + third + wired(GET), [None, "get-request"]),
        (third + wired(GET), [None, "get-request"]),
        (first + wired(GET), [None, "get-request"]),
        (wired(GET) + first, ["get-request", None]),
        (damaged(first) + wired(GET), ["get-request"]),
        (wired(b"\xff") + wired(BLOCKS[0]), [None, None]),
        (wired(BLOCKS[0]) + wired(BLOCKS[1]), ["data-notification"]),
        (MbusFrame(0x53, 5, 0x10, b"").encode() + wired(GET), [None, "get-request"]),
    ):
        entries = decoded(b"\x00" + stream, "messages")["messages"]
        assert [entry["apdu"] and entry["apdu"]["apdu"] for entry in entries] == expected
        assert all(("error" in entry) == (entry["apdu"] is None) for entry in entries)
    with pytest.raises(DecodeError):
        cosemic.decode(damaged(wired(GET)), kind="messages")


def test_frames_for_themselves_report_wrong_checks() -> None:
    have = decoded(NKE + b"\xe5" + damaged(wired(GET)) + wired(GET)[:-1] + b"\x17" + wired(PUSH, size=9), "mbusstream")
    checks = [(entry["frame"]["checksum_ok"], entry["frame"]["stop_ok"]) for entry in have["frames"]]
    assert checks == [(True, True), (False, True), (True, False), (True, True), (True, True)]
    apdus = [entry["apdu"] and entry["apdu"]["apdu"] for entry in have["frames"]]
    assert apdus == [None, "get-request", "get-request", None, None]
    assert have["frames"][0]["information"] == ""
    for wrong in (b"", b"\xe5", NKE[:-1], NKE + b"\x00"):
        with pytest.raises(DecodeError):
            cosemic.decode(wrong, kind="mbusstream")


@pytest.mark.parametrize("format", [WirelessFormat.A, WirelessFormat.B, WirelessFormat.STRIPPED])
def test_the_apdu_in_a_wireless_frame_is_shown(format: WirelessFormat) -> None:
    for payload, ci in (
        (b"\x10\x01\x67" + PUSH, 0x10),
        (ExtendedLinkLayer(0x20, 1, None, 5).encode(b"\x10\x01\x67" + PUSH), 0x10),
        (b"\x7d" + ShortHeader(1).encode() + b"\x01\x67" + PUSH, 0x7D),
    ):
        have = decoded(WirelessFrame(0x44, DEVICE, payload).encode(format), "wmbus")
        assert have["apdu"] == decoded(PUSH)["apdu"]
        assert have["layers"] == [
            {
                "wmbus": {
                    "format": format.value, "c": 0x44, "manufacturer": "KFM", "identification": "12345678",
                    "version": 1, "device_type": 2, "ci": ci, "source": 1, "destination": 103,
                }
            }
        ]  # fmt: skip
    wrong = bytearray(WirelessFrame(0x44, DEVICE, b"\x10\x01\x67" + PUSH).encode(format))
    for data in (wrong[:-1], b"", WirelessFrame(0x44, DEVICE, b"\x00\x01\x67" + PUSH).encode(format)):
        with pytest.raises(DecodeError):
            cosemic.decode(data, kind="wmbus")


def test_oms_content_is_deciphered_and_a_wrong_key_found_out() -> None:
    of = record("amis-td3511-demo")
    for wrong in ({}, {"mbus_key": bytes(16)}):
        with pytest.raises(DecodeError):
            cosemic.decode(octets(of), kind="amis", keys=wrong)
    for data in (octets(of)[:-3], NKE, octets(of)[:5] + MbusFrame(0x53, 1, 0x5B, bytes(13)).encode()):
        with pytest.raises(DecodeError):
            cosemic.decode(data, kind="amis", keys=keys(of))


def test_frames_are_shown_for_people() -> None:
    of = record("kaifa-netz-noe-mbus")
    lines = cosemic.decode(octets(of), keys=keys(of)).explain().splitlines()
    assert lines[:3] == [
        "mbus    2 frames",
        "        C 53 SND_UD, A 255, CI 00, 103 <- 1, 247 octets, segment 0",
        "        C 53 SND_UD, A 255, CI 11, 103 <- 1, 17 octets, segment 1, the last",
    ]
    shown = cosemic.decode(
        NKE + damaged(wired(GET)) + MbusFrame(0x08, 5, 0x72, b"abc").encode(), kind="mbusstream"
    ).explain()
    assert "frame 1 C 40 SND_NKE, A 5" in shown
    assert "checksum WRONG" in shown
    assert "get-request normal" in shown
    assert "information 616263" in shown
    radio = cosemic.decode(WirelessFrame(0x44, DEVICE, b"\x10\x01\x67" + PUSH).encode(), kind="wmbus").explain()
    assert radio.startswith("wmbus   format A, C 44, from 12345678 KFM version 1 type 02\n        CI 10, 103 <- 1")
    amis = cosemic.decode(
        octets(record("amis-td3511-demo")), kind="amis", keys=keys(record("amis-td3511-demo"))
    ).explain()
    assert "plaintext 2f2f066d" in amis
