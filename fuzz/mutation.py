"""Seeds and mutations: octets that are nearly right, made quickly and the same from the same seed."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

SEED_LIMIT = 2048
"""Longer seeds are cut: the faults sit at the edges, and short inputs are tried more often."""
MAGIC = tuple(
    map(
        bytes.fromhex,
        (
            "00", "ff", "7f", "80", "81", "8200", "84ffffffff", "847fffffff", "0101", "0202", "0180", "13020004",
            "0900", "0901", "7ea0", "0001", "0f", "c401", "c001", "db08", "e0", "d8", "5f1f0400", "be", "ac",
            "28", "29", "2f", "21", "2a", "0d0a", "03", "04", "06", "15", "16", "68", "e5",
            "2b2b2b", "0d0a4e4f2043415252494552",
        ),
    )
)  # fmt: skip


def seeds(kind: str | None = None) -> list[bytes]:
    """Octets of the vectors where they are present, and a few of our own; kind: of records of that kind only."""
    folder = Path(os.environ.get("COSEMIC_VECTORS", Path(__file__).resolve().parents[2] / "shared" / "vectors"))
    found = [bytes.fromhex(text) for text in _OWN]
    for file in sorted(folder.glob("*.json")):
        book = json.loads(file.read_text(encoding="utf-8"))
        records = book["cases"] if isinstance(book, dict) else book
        wanted = [record for record in records if kind is None or record.get("kind") == kind]
        found.extend(bytes.fromhex(record.get("hex", ""))[:SEED_LIMIT] for record in wanted)
    return [seed for seed in found if seed]


_OWN = (
    "601da109060760857405080101be10040e01000000065f1f0400401e5dffff",
    "6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400007c1f04000007",
    "c001c100080000010000ff0200",
    "c401c100090c07ea0b14050e1e0000ffc400",
    "c101c100080000010000ff0200090c07ea0b14050e1e0000ffc400",
    "c301c1000f0000280000ff01010911100000000112345678123456781234",
    "0101020412000809060000010000ff0f02120000",
    "1302020606281c3204800000005f1c335600000000cb1c34a780000000f31c35f9000000002e1c374a80000000bb",
    "0f400000010002021200010600000010",
    "d94000000000010100080000010000ff020100",
    "e081000100000dc001c100080000010000ff0200",
    "7ea0070321930f017e",
    "000100100001001f601da109060760857405080101be10040e01000000065f1f0400401e5dffff",
)


def mutated(corpus: list[bytes], draw: random.Random) -> bytes:
    """Make an input: a seed with some octets changed, moved, left out or put in."""
    return disturbed(draw.choice(corpus), corpus, draw)


def disturbed(octets: bytes, corpus: list[bytes], draw: random.Random) -> bytes:
    """Change, move, leave out or put in some octets, up to three times."""
    changed = bytearray(octets)
    for _ in range(1 + int(draw.random() * 3)):
        draw.choice(_MUTATIONS)(changed, draw, corpus)
    return bytes(changed)


Mutation = Callable[[bytearray, random.Random, list[bytes]], None]


def _bit(octets: bytearray, draw: random.Random, corpus: list[bytes]) -> None:
    if octets:
        octets[int(draw.random() * len(octets))] ^= 1 << int(draw.random() * 8)


def _octet(octets: bytearray, draw: random.Random, corpus: list[bytes]) -> None:
    if octets:
        octets[int(draw.random() * len(octets))] = int(draw.random() * 256)


def _insert(octets: bytearray, draw: random.Random, corpus: list[bytes]) -> None:
    at = int(draw.random() * (len(octets) + 1))
    octets[at:at] = draw.choice(MAGIC)


def _overwrite(octets: bytearray, draw: random.Random, corpus: list[bytes]) -> None:
    magic = draw.choice(MAGIC)
    at = int(draw.random() * (len(octets) + 1))
    octets[at : at + len(magic)] = magic


def _remove(octets: bytearray, draw: random.Random, corpus: list[bytes]) -> None:
    at = int(draw.random() * (len(octets) + 1))
    del octets[at : at + 1 + int(draw.random() * 8)]


def _cut(octets: bytearray, draw: random.Random, corpus: list[bytes]) -> None:
    del octets[int(draw.random() * (len(octets) + 1)) :]


def _splice(octets: bytearray, draw: random.Random, corpus: list[bytes]) -> None:
    other = draw.choice(corpus)
    at = int(draw.random() * (len(octets) + 1))
    start = int(draw.random() * len(other))
    octets[at:] = other[start : start + 256]


def _repeat(octets: bytearray, draw: random.Random, corpus: list[bytes]) -> None:
    at = int(draw.random() * (len(octets) + 1))
    octets[at:at] = octets[at : at + 1 + int(draw.random() * 16)] * (1 + int(draw.random() * 8))


_MUTATIONS: tuple[Mutation, ...] = (_bit, _bit, _octet, _octet, _insert, _overwrite, _remove, _cut, _splice, _repeat)
