"""A second decoder of V.44 packets, and a pen to write their codes with: by the rules of the reference, bit by bit."""

from __future__ import annotations

import copy
from typing import Self

ETM, FLUSH, STEPUP, REINIT = range(4)


class Refused(Exception):
    """The packet is not one."""


def width_of_long_extension(longest: int) -> int:
    return next(width for width, last in ((5, 46), (6, 78), (7, 142), (8, 255)) if longest <= last)


def low_order_first(value: int, width: int) -> str:
    return "".join("1" if value >> place & 1 else "0" for place in range(width))


class Line:
    """Writes codes one after the other, as they are asked for, right or wrong; ``bits`` in order of transmission."""

    def __init__(self, longest: int = 255) -> None:
        self.bits = ""
        self.longest = longest
        self.codeword_width = 6
        self.character_width = 7
        self.directly = False

    def copy(self) -> Self:
        return copy.copy(self)

    def ordinal(self, character: int) -> Self:
        self.bits += "00" if self.directly else "0"
        self.bits += low_order_first(character, self.character_width)
        self.directly = False
        return self

    def text(self, characters: bytes) -> Self:
        for character in characters:
            self.ordinal(character)
        return self

    def codeword(self, value: int) -> Self:
        self.bits += "1" + low_order_first(value, self.codeword_width)
        self.directly = True
        return self

    def control(self, value: int) -> Self:
        self.bits += "1" + low_order_first(value, self.codeword_width)
        self.directly = False
        if value == REINIT:
            self.codeword_width, self.character_width = 6, 7
        return self

    def step_up(self) -> Self:
        self.control(STEPUP)
        self.codeword_width += 1
        return self

    def step_up_characters(self) -> Self:
        self.control(STEPUP)
        self.character_width += 1
        return self

    def extension(self, more: int) -> Self:
        assert self.directly
        self.bits += "01"
        if more == 1:
            self.bits += "1"
        elif more <= 4:
            self.bits += "0" + low_order_first(more - 1, 2)
        elif more <= 12:
            self.bits += "0000" + low_order_first(more - 5, 3)
        else:
            self.bits += "0001" + low_order_first(more - 13, width_of_long_extension(self.longest))
        self.directly = False
        return self

    def packet(self) -> bytes:
        """Return the octets, ended by FLUSH."""
        return self.octets_of(self.bits + "1" + low_order_first(FLUSH, self.codeword_width))

    @staticmethod
    def octets_of(bits: str) -> bytes:
        bits += "0" * (-len(bits) % 8)
        return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


def restated(
    packet: bytes, most: int, *, codewords: int = 65535, longest: int = 255, seen: list[int] | None = None
) -> bytes:
    """Return the octets of a packet; ``seen`` takes its codewords. Raises Refused."""
    return _Reader(packet, most, codewords, longest, seen).run()


class _Reader:
    def __init__(self, packet: bytes, most: int, codewords: int, longest: int, seen: list[int] | None) -> None:
        self.line = iter("".join(low_order_first(octet, 8) for octet in packet))
        self.most, self.codewords, self.longest = most, codewords, longest
        self.seen = [] if seen is None else seen
        self.history: list[int] = []
        self.begin()

    def begin(self) -> None:
        self.table: dict[int, tuple[int, int]] = {}
        """Position of the last character, and length, by codeword."""
        self.next_codeword = 4
        self.codeword_width, self.character_width = 6, 7
        self.previous: list[int] = []
        self.directly_after: int | None = None
        self.stepping = False

    def bit(self) -> int:
        for each in self.line:
            return int(each)
        raise Refused

    def number(self, width: int) -> int:
        return sum(self.bit() << place for place in range(width))

    def write(self, character: int) -> None:
        if len(self.history) == self.most:
            raise Refused
        self.history.append(character)

    def enter(self, last: int, length: int) -> None:
        if self.next_codeword < self.codewords and length <= self.longest:
            self.table[self.next_codeword] = (last, length)
            self.next_codeword += 1

    def run(self) -> bytes:
        while True:
            first = self.bit()
            if self.stepping:
                self.stepping = False
                if first:
                    self.codeword_width += 1
                    if self.codeword_width > len(format(self.codewords - 1, "b")):
                        raise Refused
                else:
                    self.character_width += 1
                    if self.character_width > 8:
                        raise Refused
            if first:
                value = self.number(self.codeword_width)
                if value == FLUSH:
                    rest = "".join(self.line)
                    if len(rest) > 7 or "1" in rest:
                        raise Refused
                    return bytes(self.history)
                if value > REINIT:
                    self.string(value)
                elif value == STEPUP:
                    self.directly_after, self.stepping = None, True
                elif value == REINIT:
                    self.begin()
                else:
                    raise Refused
            elif self.directly_after is not None and self.bit():
                self.extension(self.directly_after)
            else:
                self.directly_after = None
                self.code([self.number(self.character_width)])

    def string(self, value: int) -> None:
        self.seen.append(value)
        if value in self.table:
            last, length = self.table[value]
            self.code(self.history[last + 1 - length : last + 1])
        elif value == self.next_codeword and self.previous:
            self.code([*self.previous, self.previous[0]])
            if value not in self.table:
                raise Refused
        else:
            raise Refused
        self.directly_after = value

    def code(self, characters: list[int]) -> None:
        where = len(self.history)
        for character in characters:
            self.write(character)
        if self.previous:
            self.enter(where, len(self.previous) + 1)
        self.previous = characters

    def extension(self, codeword: int) -> None:
        if self.bit():
            more = 1
        elif (two := self.number(2)) != 0:
            more = two + 1
        elif self.bit():
            more = 13 + self.number(width_of_long_extension(self.longest))
        else:
            more = 5 + self.number(3)
        last = self.table[codeword][0]
        if more > self.longest - 2 or last + 1 >= len(self.history):
            raise Refused
        for step in range(1, more + 1):
            self.write(self.history[last + step])
        self.enter(len(self.history) - 1, len(self.previous) + more)
        self.previous, self.directly_after = [], None
