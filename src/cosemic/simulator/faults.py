"""Faults on demand: what a simulated meter does wrong, when, and which meters of a fleet do so.

==============  ======================================================================================================
fault           what happens, and what a client sees
==============  ======================================================================================================
no-answer       requests are not answered: ResponseTimeout. With ``executes`` they are carried out all the same: a
                change ends in OutcomeUnknown, or is read back
slow            answers leave ``delay`` seconds late: ResponseTimeout where the client waits for less
reset           the connection is reset in the middle of its answer number ``after``: ConnectionLost
wrong-key       the meter has other keys, or another password: AssociationRejected
counter-jump    the invocation counters of the meter jump ahead ``by`` so many, once: ExceptionReceived with
                invocation-counter-error, then AssociationRejected, until the client has taken its counter over
clock-wrong     the clock is put wrong by ``seconds``, once; ``invalid`` marks it as invalid
gaps            power fails once in ``each`` seconds, for up to ``longest``: profiles have gaps and status bits, logs
                have events, and meanwhile nobody answers: ConnectionLost
reboot          power is cut for a moment when answer number ``after`` is due, which is lost: the meter goes on from its
                state; once
==============  ======================================================================================================

A fault holds from the moment at which it is added. ``begin`` lets it begin so many seconds later, ``length`` end after
so many, ``every`` come again: spells, by simulated time. What happens once happens once in each spell. Numbers that are
not given are drawn from the seed of the fleet and the serial number of the meter.

As text: ``no-answer``, ``slow:delay=2.5``, ``reset:after=3,begin=60@10%``: the last in a tenth of the meters.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar

from cosemic.errors import ConfigurationError
from cosemic.simulator.wording import made, one_of

GREATEST: Final = 315_360_000
"""Number that can be said; in seconds ten years."""
_LEAST: Final = {"seconds": -GREATEST, "after": 1, "by": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What all faults share: when they hold, in seconds of simulated time; see the module's text.

    Raises ConfigurationError.
    """

    name: ClassVar[str]
    begin: float = 0.0
    length: float | None = None
    every: float | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), _LEAST.get(field.name, 0)
            if value is not None and not least <= value <= GREATEST:
                raise ConfigurationError(f"{field.name} of {self.name} is {least} to {GREATEST}, not {value}")
        if self.every is not None and not (self.length or 0) <= self.every > 0:
            raise ConfigurationError(f"{self.name} comes again every {self.every} s: after its length, and after 0 s")

    def spell(self, passed: float) -> int | None:
        """Return the number of the spell, from 0, so many seconds after the fault was put on; None for none."""
        since = passed - self.begin
        if since < 0:
            return None
        number, rest = (0, since) if self.every is None else divmod(since, self.every)
        return int(number) if self.length is None or rest < self.length else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer(Fault):
    """executes: what is asked for is done, and only not answered."""

    name = "no-answer"
    executes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(Fault):
    """delay: seconds of real time."""

    name = "slow"
    delay: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset(Fault):
    """after: number of the answer within each connection, from 1; None draws one of the first ten."""

    name = "reset"
    after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongKey(Fault):
    """Other keys, or another password."""

    name = "wrong-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterJump(Fault):
    """by: how many values are left out."""

    name = "counter-jump"
    by: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockWrong(Fault):
    """seconds: forwards, or backwards. invalid: the clock says itself that it is not to be trusted."""

    name = "clock-wrong"
    seconds: float = 3600.0
    invalid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps(Fault):
    """each: in each stretch of so many seconds power fails once. longest: for up to so many seconds.

    Without begin, length and every power has always failed so, also in what the meter recorded before.
    """

    name = "gaps"
    each: float = 172_800.0
    longest: float = 7_200.0

    def __post_init__(self) -> None:
        """Check what is given. Raises ConfigurationError."""
        Fault.__post_init__(self)  # slots make this class anew, and super() knows only the one before
        if not 1 <= self.longest <= self.each / 2:
            raise ConfigurationError(f"gaps last 1 s or more, and up to half of {self.each} s, not {self.longest}")

    @property
    def always(self) -> bool:
        """Whether power has always failed."""
        return not self.begin and self.length is None and self.every is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reboot(Fault):
    """after: number of the answer within the spell, from 1; None draws one of the first twenty."""

    name = "reboot"
    after: int | None = None


FAULTS: Final[Mapping[str, type[Fault]]] = MappingProxyType(
    {one.name: one for one in (NoAnswer, Slow, Reset, WrongKey, CounterJump, ClockWrong, Gaps, Reboot)}
)
F = TypeVar("F", bound=Fault)


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """A fault, and which meters of a fleet have it: a share of them, drawn by its seed, or those with some serials."""

    fault: Fault
    share: float = 1.0
    serials: tuple[int, ...] = ()

    def chosen(self, serials: Sequence[int], seed: int) -> frozenset[int]:
        """Return the serial numbers of the meters that have it. Raises ConfigurationError for one that is not there."""
        missing = set(self.serials) - set(serials)
        if missing:
            raise ConfigurationError(f"{self.fault.name}: no meter has serial number {min(missing)}")
        if self.serials:
            return frozenset(self.serials)
        count = math.ceil(self.share * len(serials))
        return frozenset(Random(f"Cosemic fault {self.fault.name}, seed {seed}").sample(list(serials), count))


def fault_from(name: object, values: Mapping[str, Any]) -> Fault:
    """Return a fault by its name, with what is said of it. Raises ConfigurationError."""
    return made(FAULTS[one_of("a fault", name, FAULTS)], values, f"fault {name}")


def share_from(text: str) -> float:
    """Return a share that is written as ``10%``. Raises ConfigurationError."""
    number = text.removesuffix("%")
    try:
        share = float(number) / 100 if text.endswith("%") else math.nan
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise ConfigurationError(f"a share of the meters is written as 10%, up to 100%, not {text!r}")
    return share


def fault_order(text: str) -> FaultOrder:
    """Return what a text asks for; see the module's text. Raises ConfigurationError."""
    described, at, share = text.partition("@")
    name, _, options = described.partition(":")
    values = {}
    for option in filter(None, options.split(",")):
        key, is_there, value = option.partition("=")
        if not is_there:
            raise ConfigurationError(f"{option!r} of fault {name}: what is said of it is written as delay=2")
        values[key] = _value(value)
    return FaultOrder(fault_from(name, values), share_from(share) if at else 1.0)


def _value(text: str) -> object:
    """A whole number, a number, true or false; else the text itself, which no fault takes."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@dataclass(slots=True)
class _Held:
    """A fault that was put on: when, the spell in which it last struck, and answers counted in a spell."""

    fault: Fault
    since: dt.datetime
    struck: int | None = None
    counting: int | None = None
    answers: int = 0

    def spell(self, at: dt.datetime) -> int | None:
        return self.fault.spell((at - self.since).total_seconds())


class Faults:
    """The faults of one meter; they can be put on and off while it runs.

    now: simulated time, aware. seed: makes what a fault leaves open.
    """

    def __init__(self, now: Callable[[], dt.datetime], seed: int = 0) -> None:
        self._now = now
        self._seed = seed
        self._held: dict[type[Fault], _Held] = {}

    def __iter__(self) -> Iterator[Fault]:
        """Return the faults that are on, whether they hold now or not."""
        return iter([held.fault for held in self._held.values()])

    def add(self, *faults: Fault) -> None:
        """Put faults on, from now on; one takes the place of another of its kind."""
        for fault in faults:
            self._held[type(fault)] = _Held(fault, self._now())

    def remove(self, *kinds: type[Fault]) -> None:
        """Put faults of some kinds off."""
        for kind in kinds:
            self._held.pop(kind, None)

    def clear(self) -> None:
        """Put all faults off."""
        self._held.clear()

    def of(self, kind: type[F]) -> F | None:
        """Return the fault of a kind that is on, whether it holds now or not."""
        held = self._held.get(kind)
        return held.fault if held is not None and isinstance(held.fault, kind) else None

    def active(self, kind: type[F], at: dt.datetime | None = None) -> F | None:
        """Return the fault of a kind that holds now, or at another moment."""
        fault = self.of(kind)
        if fault is None or self._held[kind].spell(self._now() if at is None else at) is None:
            return None
        return fault

    def strikes(self, kind: type[F]) -> F | None:
        """Return a fault that comes once in a spell, the first time that this is asked in the spell."""
        fault = self.active(kind)
        if fault is None:
            return None
        held = self._held[kind]
        spell, held.struck = held.struck, held.spell(self._now())
        return None if spell == held.struck else fault

    def answers(self, kind: type[Fault]) -> int:
        """Count one more answer in the spell of a fault that holds now; return how many there are."""
        held = self._held[kind]
        spell = held.spell(self._now())
        if spell != held.counting:
            held.counting, held.answers = spell, 0
        held.answers += 1
        return held.answers

    def drawn(self, kind: type[Fault], number: int, most: int) -> int:
        """Return a number from 1 to ``most``: always the same one for the same kind and number."""
        return Random(f"Cosemic fault {kind.name} {number}, seed {self._seed}").randint(1, most)
