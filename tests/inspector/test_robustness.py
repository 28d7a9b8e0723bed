"""Any octets give a result or a DecodeError, with work linear in their number."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cosemic
from cosemic import ConfigurationError, DecodeError, Limits, Quirk
from cosemic.inspector import KINDS
from tests.vectors import Record, keys, octets, records

NASTY = [
    "11", "0901", "01847fffffff", "1302000400000000", "db8440000000", "0101" * 500, "d802", "0981", "", "00", "ff",
    "7e", "7e7e", "7ea0", "7e" * 300, "0001", "00010001000100", "0001000100010000", "68", "68050568", "e0",
    "e08000010000", "e6", "e6008440000000", "c0", "c001", "c4", "60", "6080", "61847fffffff", "be0204be",
    "df0000000000", "dd0000000000", "dd00000000000001", "c80530000000", "db00", "db0000", "0e01",
    "01000000065f1f0400", "13", "1300", "130001", "13010000000100", "1302ff", "0a84ffffffff", "0484ffffffff",
    "c401c100", "c703c1ff", "0fffffffff", "e7" * 400, "6104be000000", "6003be00be", "6202be0104", "6001be", "6100be00",
]  # fmt: skip
SOME_KEYS = {"ek": bytes(16), "ak": bytes(16), "dk": bytes(16), "gbek": bytes(16), "kek": bytes(16)}


def tried(data: bytes | str, **arguments: Any) -> None:
    """Decode and show; DecodeError is the one thing that may be raised, and only by decode itself."""
    try:
        decoded = cosemic.decode(data, **arguments)
    except DecodeError:
        return
    assert decoded.to_dict()
    assert isinstance(decoded.explain(), str)
    assert repr(decoded)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", NASTY, ids=lambda text: text[:24] or "nothing")
def test_nasty_octets_are_refused_or_read(data: str, kind: str) -> None:
    tried(data, kind=kind, keys=SOME_KEYS)
    tried(data, kind=kind, quirks=Quirk)


def mutated(octets: bytes, chance: random.Random) -> bytes:
    changed = bytearray(octets)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at, to = sorted((chance.randrange(len(changed) + 1), chance.randrange(len(changed) + 1)))
        way = chance.randrange(5)
        if way == 0 and at < len(changed):
            changed[at] = chance.choice((0, 1, 2, 0x7E, 0x7F, 0x80, 0x81, 0x84, 0xFF))
        elif way == 1 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif way == 2:
            del changed[at:]
        elif way == 3:
            changed[at:at] = chance.randbytes(chance.randrange(5))
        else:
            del changed[at:to]
    return bytes(changed)


@pytest.mark.parametrize("seed", range(8))
def test_mutated_telegrams_are_refused_or_read(seed: int) -> None:
    chance = random.Random(seed)
    chosen: list[Record] = [each for each in records(*KINDS, "quirk", "broken") if len(each["hex"]) < 1500]
    for _ in range(700):
        of = chance.choice(chosen)
        kind = of["expected"].get("decode_as", of["kind"]) if chance.random() < 0.8 else chance.choice(KINDS)
        quirks = [quirk for quirk in Quirk if chance.random() < 0.3]
        tried(mutated(octets(of), chance), kind=kind, keys=keys(of), quirks=quirks)


@given(st.binary(max_size=80), st.sampled_from(KINDS))
def test_any_octets_are_refused_or_read(data: bytes, kind: str) -> None:
    tried(data, kind=kind, keys=SOME_KEYS, quirks=Quirk)


@given(st.text(max_size=40))
def test_any_text_is_refused_or_read(text: str) -> None:
    tried(text)


@pytest.mark.slow
def test_what_has_many_values_is_bounded_by_limits() -> None:
    nulls = b"\x01\x83\x0f\x42\x40" + bytes(1_000_000)
    assert len(cosemic.decode(nulls, kind="data").to_dict()["data"][1]) == 1_000_000
    with pytest.raises(DecodeError):
        cosemic.decode(nulls, kind="data", limits=Limits(nodes=999_999))
    with pytest.raises(DecodeError):
        cosemic.decode(nulls, kind="data", limits=Limits(octets=1000))
    with pytest.raises(DecodeError):
        cosemic.decode("0101" * 33 + "00", kind="data")
    assert cosemic.decode("0101" * 20 + "00", kind="data").explain().count("array") == 20


def test_deep_nesting_is_shown_when_the_limits_allow_it() -> None:
    decoded = cosemic.decode("0101" * 5000 + "00", kind="data", limits=Limits(depth=10_000))
    assert decoded.explain().count("\n") == 5000
    inner = decoded.to_dict()["data"]
    for _ in range(5000):
        ((inner,),) = inner[1:]
    assert inner == ["null-data"]


GROWING = {
    "flags": ("hdlcstream", lambda n: "7e" * n),
    "flags that seem to open a frame": ("messages", lambda n: "7ea00b032193" * n),
    "frames": ("messages", lambda n: "7ea00703 21930f01 7e".replace(" ", "") * n),
    "blocks": ("gbt-frames", lambda n: "".join(f"e000{k + 1:04x}000000" for k in range(n - 1)) + f"e080{n:04x}000000"),
    "gateway prefixes": ("apdu", lambda n: "e60000" * n),
    "nulls": ("data", lambda n: f"0182{n:04x}" + "00" * n),
    "compact array": ("data", lambda n: f"131182{n:04x}" + "05" * n),
    "P1 data sets": ("p1", lambda n: (b"/X\r\n" + b"1.8(1)\r\n" * n + b"!0000").hex()),
    "P1 that does not end": ("p1", lambda n: (b"/X\r\n" + b"(" * n).hex()),
    "signed in signed": ("apdu", lambda n: signed(n)),
}


def signed(layers: int) -> str:
    content = b"\xc4\x01\xc1\x00\x00"
    for _ in range(layers):
        content = b"\xdf" + bytes(5) + b"\x82" + len(content).to_bytes(2) + content + b"\x00"
    return content.hex()


def calls(data: str, kind: str) -> int:
    """Number of Python and C calls that decoding and showing takes."""
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        tried(data, kind=kind, quirks=Quirk)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_octets_take_twice_the_work(name: str) -> None:
    kind, make = GROWING[name]
    tried(make(2), kind=kind)
    once, twice = calls(make(200), kind), calls(make(400), kind)
    assert twice <= 2.2 * once + 100


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "p0"},
        {"keys": {"ke": bytes(16)}},
        {"keys": {"ek": bytes(15)}},
        {"keys": {"ek": "no hex"}},
        {"keys": {"ek": 5}},
        {"keys": {"system_title": bytes(7)}},
        {"quirks": ["no-such-quirk"]},
        {"data": 17},
    ],
    ids=str,
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        cosemic.decode(**{"data": "c401c10000", **arguments})
