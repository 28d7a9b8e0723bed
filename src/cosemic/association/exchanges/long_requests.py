"""Requests that are sent block by block (IEC 62056-5-3; reference, application layer 15)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from cosemic.apdu import DataBlockSA
from cosemic.errors import ProtocolError, ServiceFailed


def acknowledged(number: int, sent: int) -> None:
    """Raise ProtocolError where another block was acknowledged than was sent."""
    if number != sent:
        raise ProtocolError(f"the meter acknowledged block {number}, {sent} was sent")


def blocks_of(
    first: Callable[[DataBlockSA], Any], following: Callable[[DataBlockSA], Any], raw: bytes, room: int
) -> Generator[tuple[Any, bool], None, None]:
    """Cut raw data into the APDUs of a long request, each at most ``room`` octets; tells which is the last."""
    number, at = 1, 0
    while True:
        make = first if number == 1 else following
        free = room - len(make(DataBlockSA(False, number, b"")).encode())
        size = free if free < 128 else free - (free.bit_length() + 7) // 8
        if size < 1:
            raise ServiceFailed(
                f"the meter takes APDUs of {room} octets at most: too small for this request even in blocks"
            )
        last = at + size >= len(raw)
        yield make(DataBlockSA(last, number, raw[at : at + size])), last
        if last:
            return
        at += size
        number += 1
