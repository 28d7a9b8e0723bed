"""The transmit side of an invocation counter as a plain value, and how it may change (reference, security 3).

::

    0 ......... next ........................ FFFFFFFE | FFFFFFFF never
      reserved  |   burnt [a, b)  burnt [c, d)  trial [e, f)
                |   skipped: a refused proposal may have used them

    reserve       next moves on, durably, before the first of the values is used
    propose       an unauthenticated hint (exception-response, public client) becomes a trial of a few values
    confirm       an authenticated answer came: the trial is taken over, or burnt when it was not in use
    raise_to      an operator says where to go on

A refused proposal cannot simply be forgotten: values of it may have been sent, so they are skipped when ``next`` comes
there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from cosemic.errors import CounterExhausted, InvocationCounterError
from cosemic.security.suite import COUNTER_LIMIT

TRIAL_LENGTH: Final = 16
"""Values of one proposal that may be used before an authenticated answer has confirmed it."""
BURNT_RANGES: Final = 8
"""Refused proposals that are remembered; then only an operator can move the counter."""
PROPOSED_BEFORE: Final = (
    "a counter was proposed before and no authenticated answer has confirmed it: check keys and titles, then set the "
    "counter by hand"
)
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
        """Return the state with a trial that starts at ``value`` or the next value above it that is free.

        own_next: the value that would be used next. limit: largest step from there. Raises InvocationCounterError.
        """
        if self.trial is not None:
            raise InvocationCounterError(PROPOSED_BEFORE)
        if not own_next < value < COUNTER_LIMIT:
            raise InvocationCounterError(f"the proposed counter {value} does not lie above the own one ({own_next})")
        if value - own_next > limit:
            raise InvocationCounterError(
                f"the proposed counter {value} lies {value - own_next} above the own one, more than the {limit} that "
                "max_counter_jump allows: if the meter really stands there, set the counter by hand"
            )
        if len(self.burnt) >= BURNT_RANGES:
            raise InvocationCounterError("too many proposed counters were wrong: set the counter by hand")
        start = max(value, self.next)
        for low, high in self.burnt:
            if low <= start < high:
                start = high
        stop = min([start + TRIAL_LENGTH, COUNTER_LIMIT, *(low for low, _ in self.burnt if low > start)])
        if start >= stop:
            raise InvocationCounterError(f"no counter is free above the proposed {value}: install a new key")
        return replace(self, trial=(start, stop))

    def resume(self, value: int, own_next: int) -> TransmitState:
        """Return the state with a trial behind the one that was broken off, for a peer that stands within that.

        Raises InvocationCounterError when ``value`` lies elsewhere: it is another proposal.
        """
        if self.trial is None or not self.trial[0] <= value <= self.trial[1]:
            raise InvocationCounterError(PROPOSED_BEFORE)
        burnt = self._with_trial_burnt(self.next)
        return replace(self, trial=None, burnt=burnt).propose(self.trial[1], own_next, COUNTER_LIMIT)

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
        return tuple(joined)
