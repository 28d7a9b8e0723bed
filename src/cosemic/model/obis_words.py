"""Words of names and questions, and which of them mean the same: the lower half of the search for OBIS codes.

A word is a pair: letters in lower case, and the number behind them, if there is one. Signs of directions are kept::

    "Active energy import (+A), time integral 1, rate 2"
    ("active", None) ("energy", None) ("import", None) ("+a", None) ("time", None) ("integral", 1) ("rate", 2)

A number without a word has an empty one in front. A word of a question finds a word of a name that is the same, that
begins with it (three letters at least), or that is a synonym; with a number it finds the same number only, without one
it finds any.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Final

from cosemic.values import Unit

Word = tuple[str, int | None]

SYNONYMS: Final = {
    "actual": ("instantaneous",),
    "amp": ("current",),
    "amps": ("current",),
    "blackout": ("failure", "failures"),
    "breaker": ("disconnect",),
    "consumed": ("import",),
    "consumption": ("import",),
    "contactor": ("disconnect",),
    "demand": ("power", "average"),
    "generation": ("export",),
    "injection": ("export",),
    "journal": ("log",),
    "logbook": ("log",),
    "maker": ("manufacturer",),
    "momentary": ("instantaneous",),
    "number": ("id",),
    "outage": ("failure", "failures"),
    "produced": ("export",),
    "production": ("export",),
    "q1": ("qi",),
    "q2": ("qii",),
    "q3": ("qiii",),
    "q4": ("qiv",),
    "relay": ("disconnect",),
    "serial": ("id",),
    "tariff": ("rate", "tariffication"),
    "temp": ("temperature",),
    "tou": ("tariffication",),
    "valve": ("disconnect",),
    "vendor": ("manufacturer",),
    "watt": ("power",),
}
"""What people say, and the words of the standard that it may mean besides itself."""

PHRASES: Final = {"pf": "power factor", "sag": "voltage under limit"}
"""What people say in one word, and the standard in several."""

_GRANTED: Final = frozenset(("active", "any", "import", "phase", "value"))
"""Words of the most usual codes, which nobody needs to say."""
_IGNORED: Final = frozenset(["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"])
_SIGNS: Final = ("+", "-")
_QUADRANTS: Final = ("qi", "qii", "qiii", "qiv")
_SHORTEST_BEGINNING: Final = 3
_SPELLINGS: Final = (("m-bus", "mbus"), ("m3", "m³"))
_SYMBOLS: Final = sorted({Unit(code).symbol.lower() for code in range(256) if Unit(code).is_known}, key=len)
_UNIT: Final = "|".join(re.escape(symbol) for symbol in reversed(_SYMBOLS) if not symbol.isalnum())
_WORD: Final = re.compile(
    rf"(?<!\w)(?:(?P<number>\d{{1,9}})|{_UNIT})(?!\w)|(?:(?<![\w)])[+-](?=\w))?\w+(?:[+-](?!\w))?"
)
_RATE: Final = re.compile(r"(?:tariff|rate|t)(\d{1,2})")


def words_of(text: str) -> tuple[Word, ...]:
    """Return the words of a name or question, without those that say nothing."""
    text = text.lower()
    for spelling, ours in _SPELLINGS:
        text = text.replace(spelling, ours)
    words: list[Word] = []
    end = -1
    for match in _WORD.finditer(text):
        word = match[0]
        if match["number"] and words and words[-1][1] is None and not text[end : match.start()].strip(" ="):
            words[-1] = _numbered(words[-1][0], int(word))
        elif rate := _RATE.fullmatch(word):
            words.append(("rate", int(rate[1])))
        elif word in PHRASES:
            words += words_of(PHRASES[word])
        elif word not in _IGNORED:
            words.append((word[1] + word[0] if len(word) == 2 and word[1] in _SIGNS else word, None))
        end = match.end()
    return tuple(words)


def _numbered(word: str, number: int) -> Word:
    """A word with its number; phase 1 and L 1 are L1."""
    return (f"l{number}", None) if word in ("phase", "l") and number in (1, 2, 3) else (word, number)


def words_of_unit(unit: int | None) -> tuple[Word, ...]:
    """Return the symbol of a unit, and that of a thousand; none of a number."""
    if unit in (None, 255):
        return ()
    symbol = Unit(unit).symbol.lower()
    return ((symbol, None), (f"k{symbol}", None)) if symbol.isalnum() else ((symbol, None),)


class Vocabulary:
    """The words that all names consist of, without their numbers."""

    def __init__(self, words: Iterable[Word]) -> None:
        self._sorted = sorted({letters for letters, _ in words if letters})
        self._all = frozenset(self._sorted)

    def meant_by(self, asked: str) -> Iterator[str]:
        """Yield the words that a word of a question may mean, each once."""
        meant = {asked, *SYNONYMS.get(asked, ())}
        if len(asked) >= _SHORTEST_BEGINNING and asked not in _QUADRANTS:
            start = bisect_left(self._sorted, asked)
            meant.update(takewhile(lambda word: word.startswith(asked), self._sorted[start:]))
        if len(asked) > _SHORTEST_BEGINNING and asked.endswith("s"):
            meant.add(asked[:-1])
        yield from meant & self._all


class Question:
    """The words that are looked for; what is found is a number with a bit for each of them.

    said: the words as they stand. words: each once. meant: the words of names that they find, and for each of these the
    bits that it sets, by the number that is asked for.
    """

    def __init__(self, said: tuple[Word, ...], vocabulary: Vocabulary) -> None:
        self.said = said
        self.words = tuple(dict.fromkeys(said))
        self.meant: dict[str, list[tuple[int, int | None]]] = {}
        for at, (asked, number) in enumerate(self.words):
            for letters in vocabulary.meant_by(asked):
                self.meant.setdefault(letters, []).append((1 << at, number))
            if number is not None:
                self.meant.setdefault("", []).append((1 << at, number))

    def finds(self, words: Iterable[Word]) -> int:
        """Return the bits of what is found in the words of a name."""
        bits = 0
        for letters, number in words:
            for bit, wanted in self.meant.get(letters, ()):
                if wanted is None or wanted == number:
                    bits |= bit
        return bits

    def missing(self, words: Iterable[Word]) -> int:
        """Return how many words of a name were not asked for, though they say something; signs repeat words."""
        return sum(not (self.finds((word,)) or word[0] in _GRANTED or word[0].startswith(_SIGNS)) for word in words)

    def says(self, words: tuple[Word, ...]) -> bool:
        """Whether the question has just these words, one after the other."""
        return any(self.said[at : at + len(words)] == words for at in range(len(self.said)))

    def numbers(self, letters: str) -> list[int]:
        """Return the numbers that are asked for behind a word of a name."""
        return [number for _, number in self.meant.get(letters, ()) if number is not None]
