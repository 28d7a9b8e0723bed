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

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.security.counting import ReceiveCounter, TransmitCounter, accepted
from cosemic.security.forking import tell_in_child
from cosemic.security.suite import COUNTER_LIMIT
from cosemic.security.transmit_state import TransmitState


class CounterStore(ABC):
    """Keeps counters. ``key`` is :attr:`Key.identity`, ``title`` 8 octets; every method may be called from any thread.

    block: how many transmit values are reserved at a time; with 1 the values of several processes rise in the order in
    which they are drawn, which a peer that all of them talk to at once needs.
    """

    def __init__(self, block: int) -> None:
        self.block = block
        self._lock = threading.Lock()
        self._counters: dict[tuple[bytes, bytes], TransmitCounter] = {}
        tell_in_child(self)

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
    def highest_acceptable(self, key: bytes) -> int:
        """Return the lowest counter that is accepted from whoever has come furthest under this key; 0 where nobody."""

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


class MemoryCounterStore(CounterStore):
    """Counters that live as long as the process: for dedicated keys, simulators and tests.

    A process that forked has none of the counters of its parent to itself, so that it is refused
    (ConfigurationError): give it a store of its own and keys of its own, or a :class:`FileCounterStore`.
    """

    def __init__(self, block: int = 1024) -> None:
        super().__init__(block)
        self._transmit: dict[tuple[bytes, bytes], TransmitState] = {}
        self._receive: dict[tuple[bytes, bytes], int] = {}
        self._limit = COUNTER_LIMIT
        """What is accepted lies below it; 0 in a process that forked."""

    def _after_fork(self) -> None:
        super()._after_fork()
        self._limit = 0

    def receive_counter(self, key: bytes, title: bytes) -> ReceiveCounter:
        """Return a counter for what one association receives under a key from an originator."""
        if type(self) is MemoryCounterStore:
            return _MemoryReceiveCounter(self, key, title)
        return super().receive_counter(key, title)  # what a subclass does in its stead has to be called

    def _check_process(self) -> None:
        if not self._limit:
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

    def highest_acceptable(self, key: bytes) -> int:
        """Return the lowest counter that is accepted from whoever has come furthest under this key."""
        with self._lock:
            return max((lowest for place, lowest in self._receive.items() if place[0] == key), default=0)

    def accept(self, key: bytes, title: bytes, counter: int, *, fresh: bool = True) -> int:
        """Accept a verified counter; see :meth:`CounterStore.accept`."""
        place = key, title
        with self._lock:
            self._check_process()
            lowest = self._receive[place] = accepted(self._receive.get(place, 0), counter, fresh)
            return lowest


class _MemoryReceiveCounter(ReceiveCounter):
    """Accepts without a call of its store what can be accepted: the last step of each APDU that comes."""

    __slots__ = ("_memory", "_place")

    def __init__(self, store: MemoryCounterStore, key: bytes, title: bytes) -> None:
        super().__init__(store, key, title)
        self._memory = store
        self._place = key, title

    def accept(self, counter: int) -> None:
        """Accept the value of an APDU whose tag was verified, once. Raises InvocationCounterError."""
        store = self._memory
        with store._lock:
            if store._receive.get(self._place, 0) <= counter < store._limit:
                store._receive[self._place] = self.lowest = counter + 1
                return
        super().accept(counter)


PROCESS_COUNTERS: Final = MemoryCounterStore()
"""What associations of this process share unless told otherwise: in it the same key never repeats a counter."""
