"""What became of a case, as a line of JSON between the program that ran it and the one that tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TextIO


@dataclass(frozen=True)
class Outcome:
    """role: of the peer. passed: None where it was not run. differs: the peer does otherwise than the standard, and
    the case shows how."""

    role: str
    case: str
    passed: bool | None
    why: str
    differs: bool = False


def told(error: BaseException) -> str:
    """What was raised, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def tried(role: str, case: str, act: Callable[[], object], why: str = "read, written, acted, released") -> Outcome:
    """Run a case; whatever either side raises is its failure."""
    try:
        act()
    except Exception as error:  # a peer may raise anything
        return Outcome(role, case, False, told(error))
    return Outcome(role, case, True, why)


def differing(
    role: str, case: str, refused: Callable[[], object], switched: Callable[[], object], show: Callable[[], str]
) -> Outcome:
    """A difference. refused: has to raise, because our default is the standard's. switched: must not raise, where the
    dialect, or the peer, is told. show: both forms in octets; raises where the peer's is not what is said of it."""
    case = f"differs/{case}"
    try:
        refused()
    except Exception as error:  # a peer may raise anything
        how = told(error)
    else:
        return Outcome(role, case, False, "nobody refuses it any more", differs=True)
    try:
        switched()
        return Outcome(role, case, True, f"{show()}; refused: {how[:90]}", differs=True)
    except Exception as error:  # as above
        return Outcome(role, case, False, told(error), differs=True)


def tell(outcomes: Iterable[Outcome], out: TextIO) -> None:
    """Print a line for each, as it comes."""
    for one in outcomes:
        print(json.dumps(asdict(one)), file=out, flush=True)


def read(line: str) -> Outcome:
    """The other way round."""
    return Outcome(**json.loads(line))
