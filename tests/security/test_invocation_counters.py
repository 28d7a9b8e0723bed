"""Invocation counters: no value is used twice, whatever is proposed, abandoned, confirmed or restarted."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cosemic.errors import ConfigurationError, CounterExhausted, InvocationCounterError
from cosemic.security import MemoryCounterStore, TransmitCounter, TransmitState
from cosemic.security.counting import FIRST_CONTACT_LIMIT
from cosemic.security.suite import COUNTER_LIMIT
from cosemic.security.transmit_state import BURNT_RANGES, TRIAL_LENGTH
from tests.effort import examples
from tests.security.samples import CLIENT, EK, SERVER, key

KEY = key(EK).identity
JUMP = 1 << 20


def counter(store: MemoryCounterStore | None = None) -> TransmitCounter:
    return (store or MemoryCounterStore()).transmit_counter(KEY, CLIENT)


def confirmed(store: MemoryCounterStore | None = None) -> TransmitCounter:
    """Return a counter that has drawn 0 and got an authenticated answer."""
    drawing = counter(store)
    assert drawing.next() == 0
    drawing.confirm()
    return drawing


def test_counters_start_at_zero_and_rise_by_one() -> None:
    drawing = counter(MemoryCounterStore(block=4))
    assert [drawing.next() for _ in range(11)] == list(range(11))


def test_one_key_and_title_have_one_counter_however_often_it_is_asked_for() -> None:
    store = MemoryCounterStore()
    assert counter(store) is counter(store)
    assert [counter(store).next(), counter(store).next()] == [0, 1]
    assert store.transmit_counter(KEY, SERVER).next() == 0
    assert store.transmit_counter(bytes(16), CLIENT).next() == 0


def test_counter_stops_before_its_last_value() -> None:
    drawing = counter(MemoryCounterStore(block=10))
    drawing.raise_to(COUNTER_LIMIT - 2)
    assert [drawing.next(), drawing.next()] == [COUNTER_LIMIT - 2, COUNTER_LIMIT - 1]
    for _ in range(3):
        with pytest.raises(CounterExhausted, match="new key"):
            drawing.next()
    for beyond in (COUNTER_LIMIT, COUNTER_LIMIT + 1, -1):
        with pytest.raises(InvocationCounterError):
            drawing.raise_to(beyond)


def test_threads_never_draw_the_same_value() -> None:
    drawing = counter(MemoryCounterStore(block=7))
    drawn: list[list[int]] = [[] for _ in range(8)]

    def draw(mine: list[int]) -> None:
        mine.extend(drawing.next() for _ in range(500))

    threads = [threading.Thread(target=draw, args=(mine,)) for mine in drawn]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(value for mine in drawn for value in mine) == list(range(4000))


# Proposals


@pytest.mark.parametrize(
    "value", [0, 1, JUMP + 2, COUNTER_LIMIT - 1, COUNTER_LIMIT, COUNTER_LIMIT + 5, -1], ids=lambda value: hex(value)
)
def test_proposals_that_are_not_higher_too_high_or_the_last_value_change_nothing(value: int) -> None:
    store = MemoryCounterStore()
    drawing = confirmed(store)
    before = store.transmit_state(KEY, CLIENT)
    with pytest.raises(InvocationCounterError):
        drawing.propose(value, JUMP)
    assert store.transmit_state(KEY, CLIENT) == before
    assert drawing.next() == 1


def test_a_confirmed_proposal_is_kept() -> None:
    store = MemoryCounterStore()
    drawing = confirmed(store)
    drawing.propose(5000, JUMP)
    assert [drawing.next(), drawing.next()] == [5000, 5001]
    drawing.confirm()
    assert drawing.next() == 5002
    assert TransmitCounter(store, KEY, CLIENT).next() >= 5000 + TRIAL_LENGTH
    drawing.propose(10_000, JUMP)
    assert drawing.next() == 10_000


def test_a_second_proposal_waits_until_the_first_is_settled_and_starts_from_the_same_own_value() -> None:
    store = MemoryCounterStore()
    drawing = confirmed(store)
    drawing.propose(5000, JUMP)
    with pytest.raises(InvocationCounterError, match="being tried"):
        drawing.propose(6000, JUMP)
    drawing.abandon()
    for again in (drawing, TransmitCounter(store, KEY, CLIENT)):
        with pytest.raises(InvocationCounterError, match="max_counter_jump"):
            again.propose(JUMP + 6000, JUMP)
    assert drawing.next() == 1
    drawing.propose(6000, JUMP)
    assert drawing.next() == 6000
    drawing.confirm()
    assert drawing.next() == 6001


def test_values_that_may_have_been_seen_are_not_tried_again_but_those_behind_them() -> None:
    store = MemoryCounterStore()
    drawing = confirmed(store)
    assert drawing.tried == 0
    for number in range(40):
        drawing.propose(5000, JUMP)
        assert drawing.next() == 5000 + number * TRIAL_LENGTH
        assert drawing.tried == 0
        drawing.abandon()
        assert drawing.tried == 5000 + (number + 1) * TRIAL_LENGTH
    assert drawing.next() == 1
    assert len(store.transmit_state(KEY, CLIENT).burnt) == 1


def proposing(drawing: TransmitCounter) -> Callable[[int], object]:
    """Return how a value is proposed to it."""
    return partial(drawing.propose, limit=JUMP) if drawing.known else drawing.start_from


def test_a_trial_is_never_too_short_to_open_an_association_with() -> None:
    for before in range(1, TRIAL_LENGTH + 3):
        drawing = counter()
        drawing.start_from(1 + before)
        drawing.abandon()
        drawing.start_from(1)
        drawn = [drawing.next() for _ in range(TRIAL_LENGTH)]
        assert drawn[0] == (1 if before >= TRIAL_LENGTH else 1 + before + TRIAL_LENGTH)
        assert drawn == list(range(drawn[0], drawn[0] + TRIAL_LENGTH))


def test_the_largest_step_does_not_keep_us_from_what_was_tried_at_its_end() -> None:
    """One forged value at the limit that reaches the peer, and a lost answer, would lock us out otherwise."""
    for drawing, end in ((confirmed(), 1 + JUMP), (counter(), FIRST_CONTACT_LIMIT)):
        propose = proposing(drawing)
        propose(end)
        last = [drawing.next() for _ in range(TRIAL_LENGTH)][-1]
        drawing.abandon()
        with pytest.raises(InvocationCounterError, match="by hand"):
            propose(last + 3)
        propose(last + 2)  # one more than the peer accepts, as it may show the last value or the next
        assert drawing.next() == last + 2


def test_an_unconfirmed_proposal_is_dropped_and_what_it_used_is_never_used_again() -> None:
    store = MemoryCounterStore(block=10)
    drawing = confirmed(store)
    drawing.propose(20, JUMP)
    assert drawing.next() == 20
    drawing.abandon()
    drawn = [drawing.next() for _ in range(40)]
    assert drawn == [*range(1, 20), *range(20 + TRIAL_LENGTH, 57)]


def test_an_unconfirmed_proposal_does_not_run_on() -> None:
    drawing = confirmed()
    drawing.propose(5000, JUMP)
    assert [drawing.next() for _ in range(TRIAL_LENGTH)] == list(range(5000, 5000 + TRIAL_LENGTH))
    with pytest.raises(InvocationCounterError, match="no authenticated answer"):
        drawing.next()
    drawing.abandon()
    assert drawing.next() == 1


def test_a_process_that_died_during_a_trial_goes_on_with_its_own_values() -> None:
    store = MemoryCounterStore(block=10)
    drawing = confirmed(store)
    drawing.propose(5000, JUMP)
    assert drawing.next() == 5000
    restarted = TransmitCounter(store, KEY, CLIENT)
    assert restarted.next() == 10
    restarted.confirm()
    assert store.transmit_state(KEY, CLIENT).burnt == ((5000, 5000 + TRIAL_LENGTH),)


def test_a_proposal_into_the_own_reserved_values_moves_behind_them() -> None:
    drawing = confirmed(MemoryCounterStore(block=100))
    drawing.propose(50, JUMP)
    assert drawing.next() == 100


def test_a_proposal_near_the_end_takes_what_is_left() -> None:
    drawing = confirmed()
    drawing.raise_to(COUNTER_LIMIT - 5)
    drawing.propose(COUNTER_LIMIT - 2, JUMP)
    assert [drawing.next(), drawing.next()] == [COUNTER_LIMIT - 2, COUNTER_LIMIT - 1]
    with pytest.raises(InvocationCounterError):
        drawing.next()
    drawing.confirm()
    with pytest.raises(CounterExhausted):
        drawing.next()


def test_refused_proposals_are_remembered_in_a_few_ranges() -> None:
    store = MemoryCounterStore(block=1)
    drawing = confirmed(store)
    places = [*range(10_000, 10_000 * (BURNT_RANGES + 1), 10_000), 40_100, 40_200, 40_300]
    for place in places:
        drawing.propose(place, JUMP)
        drawing.next()
        drawing.abandon()
        drawing.confirm()
    burnt = store.transmit_state(KEY, CLIENT).burnt
    closest = (40_000, 40_300 + TRIAL_LENGTH)
    assert burnt == tuple(
        closest if place == 40_000 else (place, place + TRIAL_LENGTH) for place in places[:BURNT_RANGES]
    )
    drawing.raise_to(39_990)
    assert [drawing.next() for _ in range(20)] == [*range(39_990, 40_000), *range(40_316, 40_326)]


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, TRIAL_LENGTH)), max_size=30))
def test_forged_proposals_however_many_lead_no_further_than_one(forged: list[tuple[int, int]]) -> None:
    """Nothing lies above the limit but the values of the trials, and our own values stay where they are."""
    store = MemoryCounterStore(block=4)
    for drawing, limit in ((store.transmit_counter(KEY, SERVER), FIRST_CONTACT_LIMIT), (confirmed(store), 1 + JUMP)):
        propose, own = proposing(drawing), int(drawing.known)
        used: list[int] = []
        for value, draws in forged:
            with contextlib.suppress(InvocationCounterError):
                propose(value)
            if drawing.trying:
                with contextlib.suppress(InvocationCounterError):  # at the end, it has fewer values
                    used.extend(drawing.next() for _ in range(draws))
                drawing.abandon()
        assert len(used) == len(set(used))
        assert max(used, default=0) <= limit + 2 * TRIAL_LENGTH * len(forged)
        assert drawing.next() == own


def test_a_first_value_is_taken_up_only_while_nothing_is_known_and_no_higher_than_half_of_all() -> None:
    store = MemoryCounterStore()
    drawing = counter(store)
    assert not drawing.known
    drawing.start_from(0)
    with pytest.raises(InvocationCounterError, match="by hand"):
        drawing.start_from(FIRST_CONTACT_LIMIT + 1)
    drawing.start_from(80_000_000)
    assert drawing.next() == 80_000_000
    drawing.abandon()
    drawing.start_from(90_000_000)
    assert drawing.next() == 90_000_000
    drawing.abandon()
    assert drawing.next() == 0
    drawing.confirm()
    assert drawing.known
    with pytest.raises(InvocationCounterError, match="known"):
        drawing.start_from(90_000_000)


def test_first_value_is_kept_after_an_answer() -> None:
    store = MemoryCounterStore()
    drawing = counter(store)
    drawing.start_from(80_000_000)
    assert drawing.next() == 80_000_000
    drawing.confirm()
    assert drawing.known
    assert TransmitCounter(store, KEY, CLIENT).next() == 80_000_000 + TRIAL_LENGTH
    with pytest.raises(InvocationCounterError, match="known"):
        drawing.start_from(90_000_000)


def test_a_first_value_goes_on_after_the_process_ended_in_the_middle_of_its_trial() -> None:
    store = MemoryCounterStore()
    killed = counter(store)
    killed.start_from(80_000_000)
    used = {killed.next() for _ in range(3)}
    again = TransmitCounter(store, KEY, CLIENT)
    assert not again.known
    again.start_from(max(used) + 1)
    value = again.next()
    assert value == 80_000_000 + TRIAL_LENGTH
    again.confirm()
    assert again.known
    assert TransmitCounter(store, KEY, CLIENT).next() == 80_000_000 + 2 * TRIAL_LENGTH


def test_associations_that_open_meanwhile_join_the_trial_and_do_not_end_it() -> None:
    store = MemoryCounterStore()
    shared = counter(store)
    assert shared.start_from(1001)
    first = shared.next()
    assert shared.start_from(1001)
    second = shared.next()
    shared.abandon()  # the second association comes to nothing, and the first is answered
    shared.confirm()
    assert (first, second, shared.next()) == (1001, 1002, 1003)
    assert shared.known


def test_raising_by_hand_goes_up_only() -> None:
    drawing = confirmed()
    drawing.raise_to(1000)
    assert drawing.next() == 1000
    drawing.raise_to(10)
    assert drawing.next() >= 1001


def test_a_counter_steps_over_what_others_have_reserved() -> None:
    store = MemoryCounterStore(block=10)
    one, other = TransmitCounter(store, KEY, CLIENT), TransmitCounter(store, KEY, CLIENT)
    assert [one.next(), other.next(), one.next()] == [0, 10, 1]
    one.synchronise()
    assert one.next() == 20
    one.synchronise()
    assert one.next() == 21
    other.synchronise()
    assert other.next() == 30


class Proposals(RuleBasedStateMachine):
    """Two processes on one store, restarted and lied to at will: no value twice, never FFFFFFFF."""

    @initialize(block=st.integers(1, 20), first=st.sampled_from([0, 100, COUNTER_LIMIT - 300]))
    def start(self, block: int, first: int) -> None:
        self.store = MemoryCounterStore(block)
        self.counters = [TransmitCounter(self.store, KEY, CLIENT) for _ in range(2)]
        if first:
            self.counters[0].raise_to(first)
        self.used: set[int] = set()
        self.next = 0

    @rule(which=st.integers(0, 1), times=st.integers(1, 25))
    def draw(self, which: int, times: int) -> None:
        for _ in range(times):
            try:
                value = self.counters[which].next()
            except (CounterExhausted, InvocationCounterError):
                return
            assert 0 <= value < COUNTER_LIMIT
            assert value not in self.used
            self.used.add(value)

    @rule(which=st.integers(0, 1), step=st.integers(-5, 120), first=st.booleans())
    def propose(self, which: int, step: int, first: bool) -> None:
        value = self.store.transmit_state(KEY, CLIENT).next + step
        try:
            if first:
                self.counters[which].start_from(value)
            else:
                self.counters[which].propose(value, 100)
        except InvocationCounterError:
            return

    @rule(which=st.integers(0, 1), part=st.integers(0, TRIAL_LENGTH + 1))
    def resume(self, which: int, part: int) -> None:
        trial = self.store.transmit_state(KEY, CLIENT).trial
        if trial is not None:
            with contextlib.suppress(InvocationCounterError):
                self.counters[which].start_from(trial[0] + part)

    @rule(which=st.integers(0, 1))
    def confirm(self, which: int) -> None:
        self.counters[which].confirm()

    @rule(which=st.integers(0, 1))
    def abandon(self, which: int) -> None:
        self.counters[which].abandon()

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.counters[which] = TransmitCounter(self.store, KEY, CLIENT)

    @rule(which=st.integers(0, 1))
    def synchronise(self, which: int) -> None:
        self.counters[which].synchronise()

    @rule(which=st.integers(0, 1), step=st.integers(0, 60))
    def raise_to(self, which: int, step: int) -> None:
        self.counters[which].raise_to(min(self.store.transmit_state(KEY, CLIENT).next + step, COUNTER_LIMIT - 1))

    @invariant()
    def next_never_goes_down_and_intervals_are_sound(self) -> None:
        state = self.store.transmit_state(KEY, CLIENT)
        assert self.next <= state.next <= COUNTER_LIMIT
        self.next = state.next
        ranges = sorted((*state.burnt, state.trial) if state.trial else state.burnt)
        assert all(low < high <= COUNTER_LIMIT for low, high in ranges)
        assert all(one[1] <= other[0] for one, other in pairwise(ranges))
        assert len(state.burnt) <= BURNT_RANGES


TestProposals = Proposals.TestCase
TestProposals.settings = examples(60, stateful_step_count=40, deadline=None)


@given(
    st.integers(0, 300), st.integers(1, 50), st.lists(st.tuples(st.integers(0, 300), st.integers(1, 20)), max_size=5)
)
def test_reserved_values_never_meet_those_that_may_have_been_used(
    first: int, count: int, taken: list[tuple[int, int]]
) -> None:
    burnt = tuple(sorted((low, low + size) for low, size in taken))
    state, (start, stop) = TransmitState(first, True, None, burnt).reserve(count)
    assert first <= start < stop == state.next
    assert stop - start <= count
    used = {value for low, high in burnt for value in range(low, high)}
    assert used.isdisjoint(range(start, stop))
    assert set(range(first, start)) <= used


# Receiving


def test_received_values_are_accepted_once_and_upwards() -> None:
    store = MemoryCounterStore()
    receiving = store.receive_counter(KEY, SERVER)
    receiving.accept(5)
    for value in (0, 4, 5, COUNTER_LIMIT):
        for refuse in (receiving.check, receiving.accept):
            with pytest.raises(InvocationCounterError) as caught:
                refuse(value)
            assert caught.value.lowest_acceptable == 6
    receiving.check(6)
    receiving.accept(1000)
    assert store.receive_counter(KEY, SERVER).lowest == 1001
    assert store.receive_counter(KEY, CLIENT).lowest == 0
    receiving.accept(COUNTER_LIMIT - 1)
    with pytest.raises(InvocationCounterError):
        receiving.accept(COUNTER_LIMIT)


def test_a_stale_view_never_accepts_what_another_association_has_accepted() -> None:
    store = MemoryCounterStore()
    one, other = store.receive_counter(KEY, SERVER), store.receive_counter(KEY, SERVER)
    one.accept(5)
    other.check(5)
    with pytest.raises(InvocationCounterError):
        other.accept(5)
    with pytest.raises(InvocationCounterError):
        other.accept_unauthenticated(3)
    assert other.lowest == 6


def test_unauthenticated_values_rise_only_within_the_association() -> None:
    store = MemoryCounterStore()
    receiving = store.receive_counter(KEY, SERVER)
    receiving.accept_unauthenticated(COUNTER_LIMIT - 1)
    with pytest.raises(InvocationCounterError):
        receiving.accept_unauthenticated(COUNTER_LIMIT - 1)
    assert store.lowest_acceptable(KEY, SERVER) == 0
    receiving.accept(0)
    store.receive_counter(KEY, SERVER).accept_unauthenticated(1)


def test_observed_values_raise_and_never_refuse() -> None:
    store = MemoryCounterStore()
    receiving = store.receive_counter(KEY, SERVER)
    receiving.observe(10)
    receiving.observe(3)
    assert receiving.lowest == store.lowest_acceptable(KEY, SERVER) == 11
    with pytest.raises(InvocationCounterError):
        receiving.observe(COUNTER_LIMIT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_cannot_use_counters_in_its_parents_memory() -> None:
    store = MemoryCounterStore()
    drawing = counter(store)
    drawing.next()
    pid = os.fork()
    if pid == 0:
        refused = 0
        for use in (drawing.next, lambda: store.accept(KEY, SERVER, 5)):
            try:
                use()
            except ConfigurationError:
                refused += 1
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    assert drawing.next() == 1
