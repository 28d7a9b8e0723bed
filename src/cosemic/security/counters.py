"""Invocation counters: never used twice, never accepted twice (Green Book 9.2.7.2.4.3; reference, security 3).

A repeated pair of key and nonce lets an attacker forge at will, so that counters belong to the *value* of a key and a
system title, not to an association or object: whoever installs the same key again goes on counting.

Transmit, one :class:`TransmitState` for each (key, own title): values are reserved in blocks ahead of their use; what
an unauthenticated hint proposes is tried, and kept only when an authenticated answer has confirmed it.

Receive, one lowest acceptable value for each (key, originator's title): compared and moved in one step after the tag
was verified, durably, before the APDU is executed. Encryption-only APDUs are held against it and never move it.

A :class:`CounterStore` keeps both; :class:`TransmitCounter` and :class:`ReceiveCounter` are what a security context
works with.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final
from weakref import WeakSet

from cosemic.errors import ConfigurationError, InvocationCounterError
from cosemic.security.suite import COUNTER_LIMIT
from cosemic.security.transmit_state import Interval, TransmitState

FIRST_CONTACT_LIMIT: Final = 1 << 31
"""Largest first value of a key that was never used: a forged one must not eat up the counters of the peer."""


class CounterStore(ABC):
    """Keeps counters. ``key`` is :attr:`Key.identity`, ``title`` 8 octets; every method may be called from any thread.

    block: how many transmit values are reserved at a time; with 1 the values of several processes rise in the order in
    which they are drawn, which a peer that all of them talk to at once needs.
    """

    def __init__(self, block: int) -> None:
        self.block = block
        self._lock = threading.Lock()
        self._counters: dict[tuple[bytes, bytes], TransmitCounter] = {}
        _forget_at_fork.add(self)

    def transmit_counter(self, key: bytes, title: bytes) -> TransmitCounter:
        """Return the counter that all associations of this process share for a key and own title."""
        with self._lock:
            counter = self._counters.get((key, title))
            if counter is None:
                counter = self._counters[key, title] = TransmitCounter(self, key, title)
            return counter

    def receive_counter(self, key: bytes, title: bytes) -> ReceiveCounter:
        """Return a counter for what one association receives under a key from an originator."""
        return ReceiveCounter(self, key, title)

    @abstractmethod
    def transmit_state(self, key: bytes, title: bytes) -> TransmitState:
        """Return the present state, the initial one when there is none."""

    @abstractmethod
    def change_transmit(
        self, key: bytes, title: bytes, change: Callable[[TransmitState], TransmitState]
    ) -> TransmitState:
        """Replace the state by ``change`` of it, as one step for all users; durable when this returns.

        When ``change`` raises, nothing is changed. Returns the new state.
        """

    @abstractmethod
    def lowest_acceptable(self, key: bytes, title: bytes) -> int:
        """Return the lowest counter that is accepted from that originator."""

    @abstractmethod
    def accept(self, key: bytes, title: bytes, counter: int, *, fresh: bool = True) -> int:
        """Accept a verified counter: as one step, compare and set the lowest value to ``counter + 1``; durable.

        fresh: refuse a counter below the lowest; otherwise such a one changes nothing. Returns the lowest acceptable
        value; raises InvocationCounterError, which names it.
        """

    def _after_fork(self) -> None:
        """Values that the parent has reserved are the parent's: a forked child draws its own."""
        self._lock = threading.Lock()
        for counter in self._counters.values():
            counter._after_fork()


def accepted(lowest: int, counter: int, fresh: bool) -> int:
    """Return the lowest acceptable value after ``counter``. Raises InvocationCounterError: the rule of every store."""
    if counter == COUNTER_LIMIT or (fresh and counter < lowest):
        raise InvocationCounterError(
            f"invocation counter {counter} was used before: {lowest} is the lowest that is accepted", lowest
        )
    return max(lowest, counter + 1)


class MemoryCounterStore(CounterStore):
    """Counters that live as long as the process: for dedicated keys, simulators and tests.

    A process that forked has none of the counters of its parent to itself, so that it is refused
    (ConfigurationError): give it a store of its own and keys of its own, or a :class:`FileCounterStore`.
    """

    def __init__(self, block: int = 1024) -> None:
        super().__init__(block)
        self._transmit: dict[tuple[bytes, bytes], TransmitState] = {}
        self._receive: dict[tuple[bytes, bytes], int] = {}
        self._forked = False

    def _after_fork(self) -> None:
        super()._after_fork()
        self._forked = True

    def _check_process(self) -> None:
        if self._forked:
            raise ConfigurationError("this counter store lives in the memory of the parent process: use a file")

    def transmit_state(self, key: bytes, title: bytes) -> TransmitState:
        """Return the present state, the initial one when there is none."""
        return self._transmit.get((key, title), TransmitState())

    def change_transmit(
        self, key: bytes, title: bytes, change: Callable[[TransmitState], TransmitState]
    ) -> TransmitState:
        """Replace the state by ``change`` of it and return the new one."""
        with self._lock:
            self._check_process()
            state = self._transmit[key, title] = change(self.transmit_state(key, title))
            return state

    def lowest_acceptable(self, key: bytes, title: bytes) -> int:
        """Return the lowest counter that is accepted from that originator."""
        return self._receive.get((key, title), 0)

    def accept(self, key: bytes, title: bytes, counter: int, *, fresh: bool = True) -> int:
        """Accept a verified counter; see :meth:`CounterStore.accept`."""
        place = key, title
        with self._lock:
            self._check_process()
            lowest = self._receive[place] = accepted(self._receive.get(place, 0), counter, fresh)
            return lowest


class TransmitCounter:
    """Draws the values of one (key, own title); :meth:`CounterStore.transmit_counter` gives the one of the process."""

    __slots__ = ("_key", "_lock", "_next", "_own", "_reserved", "_settled", "_stop", "_store", "_title", "_users")

    def __init__(self, store: CounterStore, key: bytes, title: bytes) -> None:
        self._store = store
        self._key = key
        self._title = title
        self._lock = threading.Lock()
        self._next = self._stop = self._reserved = 0
        self._own: Interval | None = None
        """While a trial is in use: what is left of the own block."""
        self._users = 0
        """Associations that try it."""
        self._settled = False
        """Nothing is left to confirm."""

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._next = self._stop = 0
        self._own = None
        self._settled = False

    def next(self) -> int:
        """Return a value that was never returned before, in no process.

        Raises CounterExhausted when there is none, InvocationCounterError when a proposed counter has used up its
        trial without an authenticated answer.
        """
        with self._lock:
            value = self._next
            if value >= self._stop:
                value = self._reserve()
            self._next = value + 1
            return value

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
                self._next = self._stop

    def propose(self, value: int, limit: int) -> None:
        """Take up an unauthenticated hint at the next value, kept only after :meth:`confirm`.

        value: the proposed next value. limit: largest step upwards (``max_counter_jump`` of the dialect). Raises
        InvocationCounterError, and changes nothing, for a value that is not higher, too high, or FFFFFFFF, and for a
        second one before an authenticated answer.
        """
        self._try(lambda state, own_next: state.propose(value, own_next, limit))

    def start_from(self, value: int) -> bool:
        """Take up a first value that was read through the public client, where the own one is not known.

        Once, and only while nothing was ever confirmed under this key; kept only after :meth:`confirm`. A value that is
        not higher than the own one changes nothing. When the process ended in the middle of that one trial, the peer
        stands within it: the trial goes on behind the values that may have been used. Associations that open while it
        goes on join it. Returns whether a trial goes on: then say :meth:`abandon` if the association comes to nothing.
        Raises InvocationCounterError.
        """
        with self._lock:
            if self._own is not None:
                self._users += 1
                return True

        def change(state: TransmitState, own_next: int) -> TransmitState:
            if state.confirmed:
                raise InvocationCounterError("a counter of this key is known: only small steps can be proposed to it")
            if state.trial is not None:
                return state.resume(value, own_next)
            if state.burnt:
                raise InvocationCounterError("a first value was refused before: set the counter by hand")
            return state if value <= own_next else state.propose(value, own_next, FIRST_CONTACT_LIMIT)

        return self._try(change)

    def _try(self, propose: Callable[[TransmitState, int], TransmitState]) -> bool:
        with self._lock:
            if self._own is not None:
                raise InvocationCounterError(
                    "a proposed counter is being tried: an authenticated answer must come first"
                )

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
                self._next, self._stop = self._own
                self._own = None

    def raise_to(self, value: int) -> None:
        """Set the next value by hand, upwards only. Raises InvocationCounterError for FFFFFFFF and beyond."""
        if not 0 <= value < COUNTER_LIMIT:
            raise InvocationCounterError(f"{value} is no counter that can be used")
        with self._lock:
            self._store.change_transmit(self._key, self._title, lambda state: state.raise_to(value))
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


def _forget_in_child() -> None:
    for store in list(_forget_at_fork):
        store._after_fork()


_forget_at_fork: Final[WeakSet[CounterStore]] = WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)

PROCESS_COUNTERS: Final = MemoryCounterStore()
"""What associations of this process share unless told otherwise: in it the same key never repeats a counter."""
