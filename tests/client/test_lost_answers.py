"""First contact, and counters that were proposed: no pattern of losses keeps a client out for ever.

A forged counter moves neither side further than one proposal may, however often it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.client.procedures.security import KeyChange
from cosemic.client.recovery import NONE
from cosemic.errors import AssociationRejected, CosemicError
from cosemic.security import MemoryCounterStore
from cosemic.security.counting import FIRST_CONTACT_LIMIT
from cosemic.security.key_keeper import KeyState
from cosemic.security.transmit_state import TRIAL_LENGTH
from cosemic.server import AdmittedClient, LogicalDevice
from cosemic.transport.contract import Connection
from cosemic.transport.memory import BlockingMemoryConnection
from cosemic.values import AssociationResult
from tests.client.procedures.bench import Fault, _End
from tests.client.procedures.key_bench import KeyBench, keeper_of, meter
from tests.client.test_counter import counters_of
from tests.effort import examples
from tests.server.security_support import CLIENT_TITLE, MANAGER, keys_of

FATES = (None, *Fault)
FAR, JUMP = 80_000_000, 1 << 20
_WRAPPER = 8


class _SilentEnd(_End):
    """Says nothing instead of refusing an association."""

    def write(self, octets: bytes, /) -> None:
        apdu = octets[_WRAPPER:]
        if apdu[:1] == b"\x61" and a.AARE.decode(apdu).result is not AssociationResult.ACCEPTED:
            return
        super().write(octets)


class Place:
    """A meter and the counters of its client, which ends and starts again."""

    def __init__(self, *, seen: int = 0, shown: int | None = None, public: bool = True, silent: bool = False) -> None:
        self.device: LogicalDevice = meter()
        self.counters = MemoryCounterStore()
        self.end: Callable[[KeyBench, Connection], Any] = _SilentEnd if silent else _End
        self.received: list[bytes] = []
        client = self.device.client(MANAGER)
        assert client is not None
        self.client: AdmittedClient = client
        material = client.settings.material
        assert material is not None
        self.identity = material.encryption_key.identity
        if seen:
            client.settings.counters.accept(self.identity, CLIENT_TITLE, seen)
        if shown is not None:
            self.show(shown)
        if not public:
            del self.device._clients[16]

    def show(self, counter: int) -> None:
        """Have the public client read that, whatever is true."""
        self.client.lowest_acceptable_counter = lambda: counter  # type: ignore[method-assign]

    @property
    def lowest(self) -> int:
        """What the meter accepts."""
        return self.client.settings.counters.lowest_acceptable(self.identity, CLIENT_TITLE)

    def bench(self, fates: Iterable[Fault | None] = ()) -> KeyBench:
        place = self

        class Ended(KeyBench):
            def _memory(self) -> BlockingMemoryConnection:
                return BlockingMemoryConnection(lambda connection: place.end(self, connection))

            def fault_of(self, octets: bytes) -> Fault | None:
                place.received.append(octets[_WRAPPER:])
                return super().fault_of(octets)

        made = Ended(self.device, counters=self.counters, recovery=NONE)
        made.faults = {number: fate for number, fate in enumerate(fates, 1) if fate is not None}
        return made

    def live(self, fates: tuple[Fault | None, ...]) -> None:
        """Open and read in as many lives as it takes until that has become of so many messages."""
        while fates:
            bench = self.bench(fates)
            with suppress(CosemicError):
                bench.run(bench.session.open())
                while bench.requests < len(fates):
                    bench.run(bench.security.state())
            assert bench.requests
            fates = fates[bench.requests :]

    def opens(self) -> None:
        """The next opening succeeds, at once."""
        bench = self.bench()
        bench.run(bench.session.open())
        assert bench.run(bench.security.state()).policy.value == 0
        used = counters_of(self.received)
        assert len(used) == len(set(used))


def pushed(**how: Any) -> Place:
    """A client that was associated; the meter took a request with a forged counter, and the answer was lost."""
    place = Place(**how)
    bench = place.bench()
    bench.run(bench.session.open())
    context = bench.session.settings.context()
    assert context is not None
    context.propose_counter(5000)
    bench.faults = {bench.requests + 1: Fault.LOST_AFTER}
    with pytest.raises(CosemicError):
        bench.run(bench.security.state())
    context.transmit.abandon()
    assert place.lowest == 5001
    return place


def pushed_at_first() -> Place:
    """A client that was never associated; the meter took its first APDU with a forged counter, and said nothing."""
    place = Place(shown=5000)
    place.live((None, None, None, Fault.MUTE_AFTER))
    assert place.lowest == 5002
    place.show(3)
    return place


PLACES: dict[str, Callable[[], Place]] = {
    "a new meter": Place,
    "a meter that has seen another of us": lambda: Place(seen=FAR),
    "a meter that shows 0 until a client was associated": lambda: Place(shown=0),
    "a meter without public client": lambda: Place(public=False),
    "a silent meter": lambda: Place(seen=FAR, silent=True),
    "a silent meter without public client": lambda: Place(public=False, silent=True),
    "a forged first value, and a meter that shows 3": pushed_at_first,
    "a forged counter": pushed,
    "a forged counter, without public client": lambda: pushed(public=False),
    "a forged counter, and a meter that is silent": lambda: pushed(silent=True),
    "a forged counter, and a meter that shows 0": lambda: pushed(shown=0),
}


def test_two_answers_that_are_lost_in_a_row_do_not_lock_a_new_client_out() -> None:
    place = Place()
    place.live((None, None, None, Fault.LOST_AFTER, None, Fault.MUTE_BEFORE))
    assert place.lowest > TRIAL_LENGTH
    place.opens()


def test_what_could_not_be_read_is_read_when_the_association_is_opened_again() -> None:
    place = Place(seen=FAR)
    bench = place.bench((None, Fault.MUTE_AFTER))
    with pytest.raises(AssociationRejected):
        bench.run(bench.session.open())
    bench.run(bench.session.open())
    assert place.lowest > FAR


@pytest.mark.parametrize("where", PLACES)
def test_without_losses_it_is_opened_at_once(where: str) -> None:
    PLACES[where]().opens()


def lose(where: str, fates: tuple[Fault | None, ...]) -> None:
    place = PLACES[where]()
    place.live(fates)
    place.opens()


@pytest.mark.parametrize("where", PLACES)
@given(fates=st.lists(st.sampled_from(FATES), max_size=8).map(tuple))
@settings(max_examples=10, deadline=None)
def test_after_any_losses_the_next_opening_succeeds(where: str, fates: tuple[Fault | None, ...]) -> None:
    lose(where, fates)


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("where", list(PLACES)[:3])
def test_after_every_pattern_of_eight_answers_lost_or_not_the_next_opening_succeeds(where: str) -> None:
    for fates in product((None, Fault.LOST_AFTER), repeat=8):
        lose(where, fates)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**32 - 1) | st.sampled_from([FIRST_CONTACT_LIMIT - 1, FIRST_CONTACT_LIMIT]),
            st.lists(st.sampled_from(FATES), max_size=7).map(tuple),
        ),
        max_size=6,
    )
)
@examples(30, deadline=None)
def test_forged_first_values_move_nobody_beyond_one_and_lock_nobody_out(
    forged: list[tuple[int, tuple[Fault | None, ...]]],
) -> None:
    place = Place()
    true = place.client.lowest_acceptable_counter
    for value, fates in forged:
        place.show(value)
        with suppress(CosemicError):
            bench = place.bench((None, None, None, *fates))
            bench.run(bench.session.open())
    highest = FIRST_CONTACT_LIMIT + 4 * TRIAL_LENGTH * (len(forged) + 1)
    assert place.lowest <= highest
    assert all(counter <= highest for counter in counters_of(place.received))
    place.client.lowest_acceptable_counter = true  # type: ignore[method-assign]
    place.opens()


@given(st.lists(st.dictionaries(st.integers(1, 12), st.sampled_from(Fault), max_size=8), min_size=1, max_size=4))
@examples(25, deadline=None)
def test_keys_are_changed_and_recovered_from_the_first_contact_on(lives: list[dict[int, Fault]]) -> None:
    place, keeper = Place(), keeper_of()
    for faults in lives:
        bench = place.bench()
        bench.faults = faults
        with suppress(CosemicError):
            bench.run(bench.security.open_with(keeper))
            bench.run(bench.security.change_keys(keeper))
    bench = place.bench()
    bench.run(bench.security.open_with(keeper))
    assert bench.run(bench.security.change_keys(keeper)) == KeyChange(True, tuple(keeper.keys(KeyState.PREVIOUS))[:2])
    kept = {key_id: secret.reveal() for key_id, secret in keeper.keys(KeyState.CURRENT).items()}
    assert kept.items() <= keys_of(place.device).items()
