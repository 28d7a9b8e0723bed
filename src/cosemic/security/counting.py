"""Drawing and accepting the invocation counters of one key and system title (Green Book 9.2.7.2.4.3; reference,
security 3); where they are kept is :mod:`cosemic.security.counters`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cosemic.errors import InvocationCounterError
from cosemic.security.suite import COUNTER_LIMIT
from cosemic.security.transmit_state import Interval, TransmitState

if TYPE_CHECKING:
    from cosemic.security.counters import CounterStore

FIRST_CONTACT_LIMIT: Final = 1 << 31
"""Largest first value of a key that was never used: a forged one must not eat up the counters of the peer."""
READY: Final = 32
"""Reserved values that are handed out without the lock."""


def accepted(lowest: int, counter: int, fresh: bool) -> int:
    """Return the lowest acceptable value after ``counter``. Raises InvocationCounterError: the rule of every store."""
    if counter == COUNTER_LIMIT or (fresh and counter < lowest):
        raise InvocationCounterError(
            f"invocation counter {counter} was used before: {lowest} is the lowest that is accepted. A message was "
            "repeated, or its sender counts anew (replaced, reset): then give it new keys",
            lowest,
        )
    return max(lowest, counter + 1)


class TransmitCounter:
    """Draws the values of one (key, own title); :meth:`CounterStore.transmit_counter` gives the one of the process.

    Of the reserved values the next few are kept ready in a deque, from whose left end each is taken by one atomic step,
    without the lock. They end where ``_next`` begins, so that they can be called back from the right end whatever is
    taken meanwhile: all that changes ``_next`` does so first.
    """

    __slots__ = (
        "_key",
        "_lock",
        "_next",
        "_own",
        "_ready",
        "_reserved",
        "_settled",
        "_stop",
        "_store",
        "_title",
        "_users",
    )

    def __init__(self, store: CounterStore, key: bytes, title: bytes) -> None:
        self._store = store
        self._key = key
        self._title = title
        self._lock = threading.Lock()
        self._ready: deque[int] = deque()
        self._next = self._stop = self._reserved = 0
        self._own: Interval | None = None
        """While a trial is in use: what is left of the own block."""
        self._users = 0
        """Associations that try it."""
        self._settled = False
        """Nothing is left to confirm."""

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._ready.clear()
        self._next = self._stop = 0
        self._own = None
        self._settled = False

    def next(self) -> int:
        """Return a value that was never returned before, in no process.

        Raises CounterExhausted when there is none, InvocationCounterError when a proposed counter has used up its
        trial without an authenticated answer.
        """
        while True:
            try:
                return self._ready.popleft()
            except IndexError:
                pass
            self._make_ready()

    def _make_ready(self) -> None:
        with self._lock:
            if not self._ready:  # otherwise another thread was here
                value = self._next if self._next < self._stop else self._reserve()
                self._next = min(value + READY, self._stop)
                self._ready.extend(range(value, self._next))

    def _call_back(self) -> None:
        """With the lock: put what is ready back to the reserved values."""
        with suppress(IndexError):
            while True:
                self._next = self._ready.pop()

    def _reserve(self) -> int:
        if self._own is not None:
            raise InvocationCounterError(
                "the proposed counter was tried and no authenticated answer came: check keys and titles of both sides"
            )
        drawn: Interval = (0, 0)

        def change(state: TransmitState) -> TransmitState:
            nonlocal drawn
            state, drawn = state.reserve(self._store.block)
            return state

        self._store.change_transmit(self._key, self._title, change)
        self._next, self._stop = drawn
        self._reserved = self._stop
        return self._next

    @property
    def known(self) -> bool:
        """Whether an authenticated answer has ever come under this key and title."""
        return self._settled or self._store.transmit_state(self._key, self._title).confirmed

    @property
    def trying(self) -> bool:
        """Whether a proposal is in use that no authenticated answer has confirmed."""
        return self._own is not None

    def synchronise(self) -> None:
        """Drop what is left of the own block if somebody else has reserved since: call when an association opens.

        Otherwise the values would be fresh, but lower than those that the peer has seen.
        """
        with self._lock:
            if self._own is None and self._store.transmit_state(self._key, self._title).next != self._reserved:
                self._call_back()
                self._next = self._stop

    def propose(self, value: int, limit: int) -> None:
        """Take up an unauthenticated hint at the next value, kept only after :meth:`confirm`.

        value: the proposed next value. limit: largest step upwards (``max_counter_jump`` of the dialect). Raises
        InvocationCounterError, and changes nothing, for a value that is not higher, too high, or FFFFFFFF, and for a
        second one while one is in use. Where one before came to nothing, the values behind its own are tried, and the
        step is measured from the same own value.
        """
        self._try(lambda state, own_next: state.propose(value, own_next, limit))

    def start_from(self, value: int) -> bool:
        """Take up a first value that was read through the public client, where the own one is not known.

        Only while nothing was ever confirmed under this key; kept only after :meth:`confirm`. A value that is not
        higher than the own one changes nothing. Where answers to a value before were lost, or the process ended, the
        peer may stand within what was tried: the trial goes on behind it. Associations that open meanwhile join it.
        Returns whether a trial goes on: then say :meth:`abandon` if the association comes to nothing. Raises
        InvocationCounterError for FFFFFFFF and for what lies beyond :data:`FIRST_CONTACT_LIMIT`.
        """
        with self._lock:
            if self._own is not None:
                self._users += 1
                return True

        def change(state: TransmitState, own_next: int) -> TransmitState:
            if state.confirmed:
                raise InvocationCounterError("a counter of this key is known: only small steps can be proposed to it")
            return state if value <= own_next else state.propose(value, own_next, FIRST_CONTACT_LIMIT - own_next)

        return self._try(change)

    @property
    def tried(self) -> int:
        """The first value above all that were tried without an answer; 0 where none lie above those in use.

        A peer that refuses the values in use may stand there: an answer was lost, or what was lost came late.
        """
        with self._lock:
            value = self._store.transmit_state(self._key, self._title).tried
            return value if value > self._stop else 0

    def _try(self, propose: Callable[[TransmitState, int], TransmitState]) -> bool:
        with self._lock:
            if self._own is not None:
                raise InvocationCounterError(
                    "a proposed counter is being tried: an authenticated answer must come first"
                )

            self._call_back()
            trial: Interval | None = None

            def change(state: TransmitState) -> TransmitState:
                nonlocal trial
                changed = propose(state, self._next if self._next < self._stop else state.next)
                trial = None if changed is state else changed.trial
                return changed

            self._store.change_transmit(self._key, self._title, change)
            if trial is not None:
                self._own = self._next, self._stop
                self._next, self._stop = trial
                self._users = 1
                self._settled = False
            return trial is not None

    def confirm(self) -> None:
        """Tell that an authenticated answer to the value last drawn has come: a proposal in use is kept."""
        if self._settled:
            return
        with self._lock:
            state = self._store.transmit_state(self._key, self._title)
            if self._own is None and state.confirmed and state.trial is None:
                self._settled = True
                return
            used = None if self._own is None else (0, self._stop)

            def change(state: TransmitState) -> TransmitState:
                return state.confirm(used)

            state = self._store.change_transmit(self._key, self._title, change)
            if used is not None:
                self._reserved = state.next
            self._own = None
            self._settled = True

    def abandon(self) -> None:
        """Go back to the own values: the last association that tried the proposal is gone without an answer."""
        with self._lock:
            self._users -= 1
            if self._own is not None and self._users <= 0:
                self._call_back()
                self._next, self._stop = self._own
                self._own = None

    def raise_to(self, value: int) -> None:
        """Set the next value by hand, upwards only. Raises InvocationCounterError for FFFFFFFF and beyond."""
        if not 0 <= value < COUNTER_LIMIT:
            raise InvocationCounterError(f"{value} is no counter that can be used")
        with self._lock:
            self._store.change_transmit(self._key, self._title, lambda state: state.raise_to(value))
            self._call_back()
            if self._own is not None:
                self._next, self._stop = self._own
                self._own = None
            if self._next < value:
                self._next = min(value, self._stop)


class ReceiveCounter:
    """Accepts the values of one (key, originator's title) for one association."""

    __slots__ = ("_key", "_store", "_title", "lowest", "volatile")

    def __init__(self, store: CounterStore, key: bytes, title: bytes) -> None:
        self._store = store
        self._key = key
        self._title = title
        self.lowest = store.lowest_acceptable(key, title)
        """Lowest acceptable value as last seen: enough to refuse before any deciphering, not to accept."""
        self.volatile = 0
        """Lowest acceptable value of encryption-only APDUs; nothing vouches for it, so that it is never stored."""

    def check(self, counter: int) -> None:
        """Raise InvocationCounterError for a value that cannot be accepted."""
        if counter < self.lowest or counter == COUNTER_LIMIT:
            self.lowest = self._store.lowest_acceptable(self._key, self._title)
            accepted(self.lowest, counter, True)

    def accept(self, counter: int) -> None:
        """Accept the value of an APDU whose tag was verified, once. Raises InvocationCounterError."""
        self.lowest = self._store.accept(self._key, self._title, counter)

    def accept_unauthenticated(self, counter: int) -> None:
        """Accept the value of an encryption-only APDU, once in this association. Raises InvocationCounterError."""
        self.lowest = self._store.lowest_acceptable(self._key, self._title)
        self.volatile = accepted(max(self.lowest, self.volatile), counter, True)

    def observe(self, counter: int) -> None:
        """Take note of a verified value that need not be fresh: that of HLS mechanism 5 (reference, security 6)."""
        self.lowest = self._store.accept(self._key, self._title, counter, fresh=False)
