"""What a search for OBIS codes can find, and how well it fits: the middle of the search.

Listed objects are candidates as they are; a rule table gives one for each quantity and processing. Words that are found
in the names of single values of B, E or F (channel 2, rate 1, last billing period) leave only these values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, reduce
from itertools import chain
from operator import or_
from typing import Final, NamedTuple

from cosemic.model.obis_country import COUNTRIES
from cosemic.model.obis_names import ASSIGNED_TO, FORMULAS, OWNERS, Formula, Row, listed_objects
from cosemic.model.obis_pattern import ANY, ASSIGNED, CHANNELS, ObisPattern, Values
from cosemic.model.obis_rules import BILLING_PERIODS, BLOCKS, CLASSIFICATIONS, MEDIA, THRESHOLDS, Block, ObisDescription
from cosemic.model.obis_words import Question, Vocabulary, Word, words_of, words_of_unit
from cosemic.values import Obis

_CHANNELS: Final = {b: f"channel {b}" for b in range(1, 65)}
_MEDIA_IN_ORDER: Final = {1: 0, 0: 1}
_USUAL: Final = {1: {7: 0, 8: 0, 6: 1, 4: 2, 5: 2, 9: 2}}
"""By medium: how far from usual D is, where nothing is said of it; of the others 0 is the usual one."""
_UNUSUAL: Final = 3
_ELSEWHERE: Final = 2
"""How far a medium that was not asked for is from electricity, and an object of one country from those of all."""
_COUNTRY_SPECIFIC: Final = 94
_SLOT: Final = re.compile(r"(\w+) *\{([^}]+)\}")
_ONE: Final = tuple(frozenset((value,)) for value in range(256))


# ---- names and their words -------------------------------------------------------------------------------------------


class _Named(NamedTuple):
    """A row of the lists and its words; of_place: words of medium or country; slots: words in front of formulas."""

    row: Row
    words: tuple[Word, ...]
    of_place: tuple[Word, ...]
    of_unit: tuple[Word, ...]
    slots: tuple[tuple[str, Formula], ...]
    groups: tuple[Values, ...]
    country: bool
    elsewhere: int


@cache
def _named_rows() -> tuple[_Named, ...]:
    media = (Row(ObisPattern((_ONE[a], *(ANY,) * 5)), name, (), None, False, False) for a, name in MEDIA.items())
    return tuple(map(_named, (*listed_objects(), *OWNERS, *ASSIGNED_TO, *media)))


def _named(row: Row) -> _Named:
    name = row.name.lower()
    slots = tuple((word, FORMULAS[formula]) for word, formula in _SLOT.findall(name))
    words = words_of(_SLOT.sub(" ", name))
    groups = row.pattern.groups
    if not row.known:
        return _Named(row, words, (), (), slots, groups, False, 0)
    country = groups[2] == _ONE[_COUNTRY_SPECIFIC]
    places = [COUNTRIES[min(groups[3])]] if country else [MEDIA[a] for a in groups[0] if len(groups[0]) <= 2]
    # Within the pattern of an object, what is the manufacturer's stays the manufacturer's.
    groups = (groups[0], groups[1], *(values & ASSIGNED for values in groups[2:]))
    elsewhere = _ELSEWHERE if country or min(groups[0]) > 1 else 0
    return _Named(row, words, words_of(" ".join(places)), words_of_unit(row.unit), slots, groups, country, elsewhere)


@cache
def _rows_by_word() -> dict[str, tuple[int, ...]]:
    """Numbers of the rows that a word stands in."""
    rows: dict[str, list[int]] = {}
    for number, named in enumerate(_named_rows()):
        words = chain(named.words, named.of_place, named.of_unit, named.slots)
        for letters in dict.fromkeys(word[0] for word in words):
            rows.setdefault(letters, []).append(number)
    return {letters: tuple(numbers) for letters, numbers in rows.items()}


_Words = dict[int | None, tuple[Word, ...]]


class _Tables(NamedTuple):
    """The words of a block: of units, media by A, processing by D, quantities and their time integrals by C."""

    units: _Words
    media: _Words
    processing: _Words
    quantities: _Words
    integrals: _Words


@cache
def _tables(number: int) -> _Tables:
    block = BLOCKS[number]
    kinds = {processing.kind == "integral": d for d, processing in block.processing.items()}
    units = {block.unit(c, d) for c in block.quantities for d in block.processing}
    return _Tables(
        {unit: words_of_unit(unit) for unit in units},
        {a: words_of(MEDIA[a]) for a in block.media},
        {d: words_of(processing.name) for d, processing in block.processing.items()},
        {c: words_of(block.label(c, kinds[False])) for c in block.quantities},
        {c: words_of(block.label(c, kinds[True])) for c in block.quantities} if True in kinds else {},
    )


class _Said(NamedTuple):
    """What a table says of values of B, E or F: the words of each, and which there are."""

    words: tuple[tuple[int, tuple[Word, ...]], ...]
    values: Values


_SAID: Final[dict[int, _Said]] = {}


def _said(names: Mapping[int, str]) -> _Said:
    """The words of one of the constant tables; a value without a name is the total."""
    known = _SAID.get(id(names))
    if known is None:
        words = tuple((value, _words_of_value(name)) for value, name in names.items())
        known = _SAID[id(names)] = _Said(words, frozenset(names))
    return known


def _words_of_value(name: str) -> tuple[Word, ...]:
    """A number in front belongs to the word of D that stands before it: (method) 3 supported."""
    first, *rest = words_of(name) or (("total", None),)
    return ("", int(first[0])) if first[0].isdigit() else first, *rest


@cache
def vocabulary() -> Vocabulary:
    """Return all words there are."""
    blocks = (words for number in range(len(BLOCKS)) for table in _tables(number) for words in table.values())
    tables = chain((MEDIA, _CHANNELS, BILLING_PERIODS, THRESHOLDS), (table.words for table in CLASSIFICATIONS))
    values = (words for table in tables for _, words in _said(table).words)
    rows = ((letters, None) for letters in _rows_by_word())
    return Vocabulary(chain(rows, chain.from_iterable(blocks), chain.from_iterable(values)))


# ---- candidates ------------------------------------------------------------------------------------------------------


class Candidate(NamedTuple):
    """What may be an answer. hits: a bit for each word found; besides: what it says besides; order: among equals."""

    hits: int
    besides: int
    order: tuple[int, ...]
    groups: list[Values]
    describe: Callable[[Obis], ObisDescription | None]

    def rank(self) -> tuple[int, int, tuple[int, ...]]:
        """Sort key: the least is the best."""
        return -self.hits.bit_count(), self.besides, self.order


class _Found(NamedTuple):
    """What is found in a table of values of A, B, E or F.

    rows: bits of the words, how well they fit, values that have them. bits: all. values: to look among; the least.
    """

    rows: tuple[tuple[int, tuple[int, bool], Values], ...]
    bits: int
    values: Values
    least: int


_Names = Mapping[int, str]
_Looked = dict[int | None, tuple[int, int, bool]]
_ChannelsKindsPeriods = tuple[Values, Values, Values]


class Candidates:
    """Iterates over the candidates for the best answers, and some others.

    asked: the words. pattern: the codes to look among; None: all. enough: how many of the best are wanted.
    """

    def __init__(self, asked: Question, pattern: ObisPattern | None, enough: int) -> None:
        self.asked = asked
        self.pattern = pattern
        self.among = (ANY,) * 6 if pattern is None else pattern.groups
        self.enough = enough
        self.least = (len(asked.words) + 1) // 2
        """Words that a candidate must have: half of them; more, once there are enough that have more."""
        self._having = [0] * (len(asked.words) + 1)
        self.channels, self.periods = CHANNELS & self.among[1], ASSIGNED & self.among[5]
        self._known: dict[int, _Found] = {}
        self.of_kinds = reduce(or_, (self._find(4, table.words).bits for table in CLASSIFICATIONS))
        self._remembered: dict[tuple[int, int, int], tuple[int, int, _ChannelsKindsPeriods]] = {}

    def __iter__(self) -> Iterator[Candidate]:
        rows = _named_rows()
        if self.asked.words:
            by_word = _rows_by_word()
            rows = tuple(
                rows[number] for number in sorted({n for word in self.asked.meant for n in by_word.get(word, ())})
            )
        for candidate in chain(map(self._of_row, rows), *map(self._of_block, range(len(BLOCKS)))):
            if candidate is None or (hits := candidate.hits.bit_count()) < self.least:
                continue
            self._having[hits] += 1
            if hits > self.least and sum(self._having[self.least + 1 :]) >= self.enough:
                self.least += 1
            yield candidate

    def _of_row(self, named: _Named) -> Candidate | None:
        row, asked = named.row, self.asked
        of_place = asked.finds(named.of_place)
        hits = asked.finds(named.words) | asked.finds(named.of_unit)
        groups = list(map(frozenset.intersection, named.groups, self.among))
        if not all(groups) or not (row.known or self._asks_for(row.pattern)):
            return None
        besides = 0
        if asked.words:
            besides = asked.missing(named.words) + (0 if of_place else named.elsewhere)
            for word, formula in named.slots:
                found = asked.finds(((word, None),)) | self._solve(word, formula, groups)
                hits |= found
                besides += not found and len(word) > 1  # the letter of a group is no word
            if not besides:  # this and nothing else
                besides = -1
            elif named.words and not asked.finds(named.words[:1]):  # something else, which has to do with it
                besides += 1
            hits |= of_place if named.country else 0
            said = ((0, MEDIA), (1, _CHANNELS), (5, BILLING_PERIODS))
            hits, besides = self._narrow(hits, besides, groups, said if row.billing else said[:2])
        a, _, c, d, e, _ = map(min, groups)
        order = (2 if asked.words else 1, _MEDIA_IN_ORDER.get(a, 2), a, c, d, e, row.pattern.size)
        describe = row.describe if row.known or (self.pattern and len(groups[0]) == 1) else row.claim
        return Candidate(hits, besides, order, groups, describe)

    def _asks_for(self, owned: ObisPattern) -> bool:
        """Whether codes that are not the standard's are meant: by words, or by a pattern of such codes only."""
        if self.pattern is None:
            return True
        return owned.groups[1:] != (ANY,) * 5 and (bool(self.asked.words) or self.pattern <= owned)

    def _solve(self, word: str, formula: Formula, groups: list[Values]) -> int:
        """Leave the code that has the number that is asked for behind a word; returns what is found so."""
        for number in self.asked.numbers(word):
            solved = formula.solve(number)
            if all(value in groups[group] for group, value in solved.items()):
                for group, value in solved.items():
                    groups[group] = _ONE[value]
                return self.asked.finds(((word, number),))
        return 0

    def _of_block(self, number: int) -> Iterator[Candidate]:
        """Each quantity with each processing."""
        block = BLOCKS[number]
        if not (self.channels and self.periods):
            return
        units, media, processing, *quantities = map(self._look, _tables(number))
        # Processing that is asked for comes first: when there are enough of these, the others need not be looked at.
        wanted = sorted(self.among[3].intersection(processing), key=lambda d: (-processing[d][0].bit_count(), d))
        for a in self.among[0].intersection(media):
            for d in wanted:
                named = quantities[block.processing[d].kind == "integral"]
                yield from self._of_processing(block, a, d, media[a][0], processing[d], named, units)

    def _look(self, words: _Words) -> _Looked:
        """What is found in each, what is missing, and whether the question says it just so."""
        if not self.asked.words:
            return dict.fromkeys(words, (0, 0, False))
        asked = self.asked
        return {
            value: (bits := asked.finds(of_value), asked.missing(of_value), bits > 0 and asked.says(of_value))
            for value, of_value in words.items()
        }

    def _of_processing(
        self,
        block: Block,
        a: int,
        d: int,
        of_medium: int,
        processing: tuple[int, int, bool],
        named: _Looked,
        units: _Looked,
    ) -> Iterator[Candidate]:
        """Each quantity with one processing; with one that is unusual and not asked for, only those that are."""
        of_processing, besides_d, just_so = processing
        unusual = 0 if of_processing else _USUAL.get(a, {0: 0}).get(d, _UNUSUAL)
        elsewhere = 0 if of_medium or a <= 1 else _ELSEWHERE
        besides_d = elsewhere + (besides_d if of_processing else unusual)
        said_of_f = block.periods(d)
        of_more = of_processing | of_medium | self._find(1, _CHANNELS).bits | self._find(5, said_of_f).bits
        of_most = of_more | self.of_kinds
        for c in self.among[2].intersection(block.quantities):
            of_quantity, besides_c, _ = named[c]
            hits = of_quantity | of_processing | units[block.unit(c, d)][0]
            if (hits | of_most).bit_count() < self.least or (self.asked.words and not hits and unusual):
                continue
            said_of_e = block.classification(c, d, None).words
            found_of_e = self._find(4, said_of_e)
            if (hits | of_more | found_of_e.bits).bit_count() < self.least or not found_of_e.values:
                continue
            besides = besides_d + (besides_c if hits else 0)
            hits, more_besides, (channels, kinds, periods) = self._narrowed(hits | of_medium, said_of_e, said_of_f)
            order = (not just_so, _MEDIA_IN_ORDER.get(a, 2), a, c, d, found_of_e.least)
            groups = [_ONE[a], channels, _ONE[c], _ONE[d], kinds, periods]
            yield Candidate(hits, besides + more_besides if self.asked.words else 0, order, groups, block.describe)

    def _find(self, group: int, names: _Names) -> _Found:
        """What is found in the words of the values of a table."""
        known = self._known.get(id(names))
        if known is None:
            said = _said(names)
            rows: dict[tuple[int, tuple[int, bool]], set[int]] = {}
            for value, words in said.words if self.asked.words else ():
                if bits := self.asked.finds(words):
                    fit = (-self.asked.missing(words), self.asked.says(words))
                    rows.setdefault((bits, fit), set()).add(value)
            every = reduce(or_, (bits for bits, _ in rows), 0)
            values = said.values & self.among[group]
            found = tuple((*key, frozenset(with_them)) for key, with_them in rows.items())
            known = self._known[id(names)] = _Found(found, every, values, min(values, default=0))
        return known

    def _narrowed(self, hits: int, said_of_e: _Names, said_of_f: _Names) -> tuple[int, int, _ChannelsKindsPeriods]:
        """Values of B, E and F of the codes of a rule; remembered, for many have the same words."""
        key = (hits, id(said_of_e), id(said_of_f))
        known = self._remembered.get(key)
        if known is None:
            groups = [ANY, self.channels, ANY, ANY, self._find(4, said_of_e).values, self.periods]
            tables = ((4, said_of_e), (5, said_of_f), (1, _CHANNELS))
            found = self._narrow(hits, 0, groups, tables)
            known = self._remembered[key] = (*found, (groups[1], groups[4], groups[5]))
        return known

    def _narrow(
        self, hits: int, besides: int, groups: list[Values], tables: tuple[tuple[int, _Names], ...]
    ) -> tuple[int, int]:
        """Leave the values of groups that have most of the words not found yet; returns hits and besides.

        Values whose words are all asked for come first, before them those that the question names just so.
        """
        left = [(group, found) for group, names in tables if (found := self._find(group, names)).bits & ~hits]
        while left:
            fits = [
                (*fit, (bits & ~hits).bit_count(), -group, bits, values)
                for group, found in left
                for bits, fit, values in found.rows
                if bits & ~hits and values & groups[group]
            ]
            if not fits:
                break
            missing, _, _, group, bits, values = max(fits, key=lambda fit: fit[:4])
            groups[-group] &= values
            hits |= bits
            besides -= missing
            left = [(other, found) for other, found in left if other != -group and found.bits & ~hits]
        return hits, besides
