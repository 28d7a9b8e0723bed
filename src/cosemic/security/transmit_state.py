"""The transmit side of an invocation counter as a plain value, and how it may change (reference, security 3).

::

    0 ......... next ........................ FFFFFFFE | FFFFFFFF never
      reserved  |   burnt [a, b)  burnt [c, d)  trial [e, f)
                |   skipped: a refused proposal may have used them

    reserve       next moves on, durably, before the first of the values is used
    propose       an unauthenticated hint (exception-response, public client) becomes a trial of a few values; the trial
                  before it, of which nobody knows whether the peer has seen it, is burnt
    confirm       an authenticated answer came: the trial is taken over, or burnt when it was not in use
    raise_to      an operator says where to go on

A refused proposal cannot simply be forgotten: values of it may have been sent, so they are skipped when ``next`` comes
there. Only an authenticated answer moves ``next``, from which every proposal is measured: forged ones, however many,
lead no further than one. And none is held against the next one, so that lost answers never shut us out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from cosemic.errors import CounterExhausted, InvocationCounterError
from cosemic.security.suite import COUNTER_LIMIT

TRIAL_LENGTH: Final = 16
"""Values of one proposal that may be used before an authenticated answer has confirmed it."""
BURNT_RANGES: Final = 8
"""Ranges of refused proposals that are remembered; of more, those that lie closest count as one, with what is between
them."""
Interval = tuple[int, int]
"""First value, and the one behind the last."""


@dataclass(frozen=True, slots=True)
class TransmitState:
    """What a store keeps for one (key, own title).

    next: first value that was never reserved. confirmed: an authenticated answer has come under this key and title.
    trial: proposed values that are not confirmed. burnt: values of refused proposals at or above ``next``, in order.
    """

    next: int = 0
    confirmed: bool = False
    trial: Interval | None = None
    burnt: tuple[Interval, ...] = ()

    def reserve(self, count: int) -> tuple[TransmitState, Interval]:
        """Return the state after reserving up to ``count`` values, and these. Raises CounterExhausted."""
        taken = sorted((*self.burnt, self.trial) if self.trial else self.burnt)
        start = self.next
        for low, high in taken:
            if low <= start < high:
                start = high
        stop = min([start + count, COUNTER_LIMIT, *(low for low, _ in taken if low > start)])
        if start >= stop:
            raise CounterExhausted("no invocation counter is left under this key: install a new key")
        burnt = tuple(each for each in self.burnt if each[1] > stop)
        return replace(self, next=stop, burnt=burnt), (start, stop)

    def propose(self, value: int, own_next: int, limit: int) -> TransmitState:
        """Return the state with a trial of so many values, from ``value`` or the first above it that were not used.

        own_next: the value that would be used next. limit: largest step from there, but to values behind those tried
        before, which the peer may have seen. Raises InvocationCounterError.
        """
        if value >= COUNTER_LIMIT:
            raise InvocationCounterError(f"no invocation counter is left from {value} on: install a new key")
        if value <= own_next:
            raise InvocationCounterError(
                f"{value} does not lie above the own one ({own_next}), so that it is not what was refused: look at the "
                "keys"
            )
        if value - own_next > limit and value > self.tried + 1:
            raise InvocationCounterError(
                f"the proposed counter {value} lies {value - own_next} above the own one, more than the {limit} that "
                "max_counter_jump allows: if the meter really stands there, set the counter by hand"
            )
        used = self._with_trial_burnt(self.next)
        start = max(value, self.next)
        for low, high in used:
            if low - TRIAL_LENGTH < start < high:  # in it, or too close before it
                start = high
        stop = min(start + TRIAL_LENGTH, COUNTER_LIMIT)
        if start >= stop:
            raise InvocationCounterError(f"no counter is free above the proposed {value}: install a new key")
        return replace(self, trial=(start, stop), burnt=used)

    @property
    def tried(self) -> int:
        """The first value above all that were ever tried; 0 where none lie above the own ones."""
        return max((high for _, high in self._with_trial_burnt(self.next)), default=0)

    def confirm(self, used: Interval | None) -> TransmitState:
        """Return the state after an authenticated answer: to values of the trial ``used``, or to own values (None)."""
        if used is not None:
            return self.raise_to(used[1])
        return replace(self, confirmed=True, trial=None, burnt=self._with_trial_burnt(self.next))

    def raise_to(self, value: int) -> TransmitState:
        """Return the state with ``next`` at ``value`` at least, as an operator or an authenticated answer says."""
        first = max(self.next, value)
        return TransmitState(first, True, None, self._with_trial_burnt(first))

    def _with_trial_burnt(self, above: int) -> tuple[Interval, ...]:
        every = (*self.burnt, self.trial) if self.trial else self.burnt
        joined: list[Interval] = []
        for low, high in sorted(each for each in every if each[1] > above):
            if joined and joined[-1][1] >= low:
                joined[-1] = joined[-1][0], max(high, joined[-1][1])
            else:
                joined.append((low, high))
        while len(joined) > BURNT_RANGES:
            gaps = [after[0] - before[1] for before, after in pairwise(joined)]
            at = gaps.index(min(gaps))
            joined[at : at + 2] = [(joined[at][0], joined[at + 1][1])]
        return tuple(joined)
