"""Search for OBIS codes by words and by patterns (IEC 62056-6-1).

What can be found: the listed objects, the codes of manufacturers, countries and others, and every quantity of the rule
tables with every processing, classification and billing period. A question is words, patterns of codes, or both::

    active energy import tariff 1      words of the standard, or what people say instead; units, media, countries
    1-?:1.8.*                          codes, see ObisPattern
    0-?:*.* disconnect                 both: the words, among these codes

Answers with more of the words come first, among them those that say least besides, then the most usual.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.model.obis_candidates import Candidate, Candidates, vocabulary
from cosemic.model.obis_names import OWNERS, lookup
from cosemic.model.obis_pattern import ObisPattern
from cosemic.model.obis_rules import ObisDescription
from cosemic.model.obis_words import Question, Word, words_of
from cosemic.values import Obis, Unit

LONGEST_QUESTION: Final = 200
"""Characters."""
MOST_ANSWERS: Final = 1000

_CODE_LIKE: Final = re.compile(
    r"(?=.*[.:])(?:[\dCFLP][\dCFLPa-f?*.,:&-]*|[?*][a-f\d?*.,:&-]+|any[.-].+)|[\dA-Fa-f]{12}"
)


@dataclass(frozen=True, slots=True)
class ObisMatch:
    """An answer to a search.

    code: the most usual one of the codes. pattern: all codes the answer stands for; a group that the question left open
    is open in it. description: of ``code``, as are classes (usual interface classes, the most usual first) and unit
    (the usual one). known: whether the standard says what it is, and not only whose. score: the part of the words that
    was found, 0 to 1.
    """

    code: Obis
    pattern: ObisPattern
    description: str
    classes: tuple[int, ...]
    unit: Unit | None
    known: bool
    score: float


def search(question: str, limit: int = 20) -> tuple[ObisMatch, ...]:
    """Return what words, or codes with open groups, may mean: the best first, at most ``limit`` answers (1 to 1000).

    Raises ConfigurationError for a question that is empty or longer than 200 characters, and for a code that is none.

    >>> [(str(one.code), one.description) for one in search("active energy export tariff 2", limit=1)]
    [('1-0:2.8.2*255', 'Active energy export (-A), time integral 1, rate 2')]
    """
    words, pattern = _read(question)
    asked = Question(words, vocabulary())
    most = max(1, min(limit, MOST_ANSWERS))
    enough = most + len(OWNERS)  # a code may be a manufacturer's by several of its groups
    answers: dict[tuple[Obis, str], ObisMatch] = {}
    for candidate in nsmallest(enough, Candidates(asked, pattern, enough), key=Candidate.rank):
        answer = _answer(candidate, len(asked.words))
        answers.setdefault((answer.code, answer.description), answer)
    if not answers and pattern is not None and max(map(len, pattern.groups[:5])) == 1:
        return (_match(pattern, lookup(pattern.code), 1.0),)
    return tuple(answers.values())[:most]


def _answer(candidate: Candidate, asked: int) -> ObisMatch:
    pattern = ObisPattern(tuple(candidate.groups))
    described = candidate.describe(pattern.code) or lookup(pattern.code)
    return _match(pattern, described, candidate.hits.bit_count() / asked if asked else 1.0)


def _match(pattern: ObisPattern, found: ObisDescription, score: float) -> ObisMatch:
    return ObisMatch(pattern.code, pattern, found.name, found.classes, found.unit, found.known, score)


def _read(question: str) -> tuple[tuple[Word, ...], ObisPattern | None]:
    """Take a question apart: its words, and the codes that they are looked for among."""
    if len(question) > LONGEST_QUESTION:
        raise ConfigurationError(f"a search for OBIS codes takes {LONGEST_QUESTION} characters, not {len(question)}")
    said: list[str] = []
    pattern: ObisPattern | None = None
    for piece in question.split():
        code = piece.rstrip(",.;")
        if _CODE_LIKE.fullmatch(code) is None:
            said.append(piece)
            continue
        other = ObisPattern.parse(code)
        common = other if pattern is None else pattern & other
        if common is None:
            raise ConfigurationError(f"no OBIS code is both {pattern} and {other}")
        pattern = common
    words = words_of(" ".join(said))
    if not words and pattern is None:
        raise ConfigurationError("nothing to search for: give words (active energy import) or a code (1-0:1.8.0)")
    return words, pattern
