"""General block transfer over a medium that loses, doubles and delays blocks, in virtual time."""

from __future__ import annotations

import heapq
from random import Random
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cosemic.apdu import GeneralBlockTransfer
from cosemic.association.general_block_transfer import BlockExchange, BlockTerms
from cosemic.dialect import BlockRecovery
from cosemic.errors import ProtocolError
from tests.effort import examples

TIMEOUT = 1.0
LONG = 1 << 16


class Stations:
    """A client and a server; what is sent lies on the medium until it is delivered."""

    def __init__(self, request: bytes, answer: bytes, *, plain: bool = False, **terms: Any) -> None:
        given: dict[str, Any] = {"window": 8, "room": 1024, "most": 1 << 20, "retries": 10, "lossy": True} | terms
        windows = given.pop("windows", (given["window"], given["window"]))
        ours, theirs = (BlockTerms(**(given | {"window": window})) for window in windows)
        self.client, self.server = BlockExchange(ours, asks=True), BlockExchange(theirs, asks=False)
        self.windows = windows
        self.request, self.answer = request, answer
        self.served = 0
        self.result: bytes | None = None
        self.failed = False
        self.medium: list[tuple[bool, bytes]] = []
        """To the server or not, and the octets."""
        self.moved = False
        if plain:
            self.serve(request, 0.0)
        else:
            self.client.send(request)
        self.put()

    def serve(self, request: bytes, now: float) -> None:
        assert request == self.request
        self.served += 1
        self.server.send(self.answer, now)

    def put(self) -> None:
        for to_server, station in ((True, self.client), (False, self.server)):
            while station.due:
                self.medium.append((to_server, station.due.popleft()))

    def deliver(self, to_server: bool, octets: bytes, now: float) -> None:
        block = GeneralBlockTransfer.decode(octets)
        self.moved = False
        try:
            self._take(to_server, block, now)
        except ProtocolError:
            self.failed = True
        self.put()

    def _take(self, to_server: bool, block: GeneralBlockTransfer, now: float) -> None:
        if to_server:
            request = self.server.receive(block, now)
            if request is not None:
                self.serve(request, now)
        elif self.result is None:
            self.result = self.client.receive(block, now)
            self.moved = self.client.moved

    def silence(self, now: float) -> None:
        """The client's timer goes off."""
        if self.result is None and not self.client.again(now):
            self.failed = True
        self.put()


def transfer(seed: int, fault: float, request: int = 20, answer: int = LONG, **terms: Any) -> tuple[str, int]:
    """What comes of one transfer, right or failed, and how many blocks were sent.

    fault: probability that a block is lost, that it is doubled, and that it is held back by several round trips.
    """
    random = Random(seed)
    stations = Stations(random.randbytes(request), random.randbytes(answer), **terms)
    under_way: list[tuple[float, int, bool, bytes]] = []
    sent, now, deadline = 0, 0.0, TIMEOUT

    def launch() -> None:
        nonlocal sent
        for to_server, octets in stations.medium:
            sent += 1
            for _ in range((random.random() >= fault) * (1 + (random.random() < fault))):
                delay = 0.05 + 0.01 * random.random() + 0.4 * (random.random() < fault)
                heapq.heappush(under_way, (now + delay, sent, to_server, octets))
        stations.medium.clear()

    launch()
    while stations.result is None and not stations.failed:
        if under_way and under_way[0][0] <= deadline:
            now, _, to_server, octets = heapq.heappop(under_way)
            stations.deliver(to_server, octets, now)
            if stations.moved:
                deadline = now + TIMEOUT
        else:
            now = deadline
            stations.silence(now)
            deadline = now + TIMEOUT
        launch()
    assert stations.served <= 1
    if stations.failed:
        return "failed", sent
    assert stations.result == stations.answer
    return "right", sent


def outcomes(runs: int, fault: float, **terms: Any) -> list[str]:
    return [transfer(seed, fault, **terms)[0] for seed in range(runs)]


@pytest.mark.parametrize("recovery", BlockRecovery)
def test_64_kib_come_right_where_every_fifth_block_is_lost_doubled_and_late(recovery: BlockRecovery) -> None:
    assert outcomes(30, 0.2, recovery=recovery).count("right") == 30


@pytest.mark.parametrize("recovery", BlockRecovery)
def test_long_requests_do_too(recovery: BlockRecovery) -> None:
    assert outcomes(10, 0.2, request=LONG, answer=100, recovery=recovery).count("right") == 10


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("recovery", BlockRecovery)
@pytest.mark.parametrize("request_octets", [20, 20_000])
def test_of_a_thousand_99_in_a_hundred_come_right(recovery: BlockRecovery, request_octets: int) -> None:
    found = outcomes(1000, 0.2, request=request_octets, recovery=recovery)
    assert found.count("right") >= 990
    assert found.count("right") + found.count("failed") == 1000


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("recovery", BlockRecovery)
@pytest.mark.parametrize("request_octets", [20, 20_000])
def test_of_a_thousand_all_come_right_at_one_in_twenty(recovery: BlockRecovery, request_octets: int) -> None:
    assert outcomes(1000, 0.05, request=request_octets, recovery=recovery).count("right") == 1000


@pytest.mark.parametrize("window", [1, 2, 63])
def test_any_window_carries_it_through(window: int) -> None:
    found = [transfer(seed, 0.1, request=5000, answer=20_000, window=window) for seed in range(5)]
    assert [result for result, _ in found] == ["right"] * 5


def test_a_medium_that_only_doubles_does_not_multiply() -> None:
    """Each block comes twice, each late by chance: so many more are sent, and not more with every round."""
    fewest = -(-LONG // 1000)
    for seed in range(10):
        random = Random(seed)
        stations = Stations(b"x", bytes(LONG))
        sent = 0
        while stations.result is None:
            batch, stations.medium = [*stations.medium, *stations.medium], []
            sent += len(batch) // 2
            assert batch, "nothing is lost, so that nothing stands still"
            random.shuffle(batch)
            for to_server, octets in batch:
                stations.deliver(to_server, octets, 0.0)
        assert sent < 4 * fewest


class TwoStations(RuleBasedStateMachine):
    """Whatever the medium does, the right data comes, or nothing yet; and once it behaves, the right data."""

    @initialize(
        windows=st.tuples(st.integers(1, 5), st.integers(1, 5)),
        sizes=st.tuples(st.integers(1, 40), st.integers(1, 60)),
        recovery=st.sampled_from(BlockRecovery),
        plain=st.booleans(),
    )
    def begin(self, windows: tuple[int, int], sizes: tuple[int, int], recovery: BlockRecovery, plain: bool) -> None:
        request, answer = (
            bytes(n % 251 for n in range(first, first + size)) for first, size in ((0, sizes[0]), (99, sizes[1]))
        )
        self.now = 0.0
        self.stations = Stations(
            request, answer, plain=plain, windows=windows, room=11, retries=1000, recovery=recovery, most=100
        )

    @precondition(lambda self: self.stations.medium)
    @rule(data=st.data(), double=st.booleans(), wait=st.sampled_from([0.0, 0.1, 0.5]))
    def deliver(self, data: Any, double: bool, wait: float) -> None:
        self.now += wait
        medium = self.stations.medium
        at = data.draw(st.integers(0, len(medium) - 1))
        to_server, octets = medium[at] if double else medium.pop(at)
        self.stations.deliver(to_server, octets, self.now)

    @precondition(lambda self: self.stations.medium)
    @rule(data=st.data())
    def lose(self, data: Any) -> None:
        del self.stations.medium[data.draw(st.integers(0, len(self.stations.medium) - 1))]

    @precondition(lambda self: self.stations.medium)
    @rule(data=st.data())
    def lose_all_to_one(self, data: Any) -> None:
        side = data.draw(st.booleans())
        self.stations.medium = [one for one in self.stations.medium if one[0] is side]

    @rule()
    def silence(self) -> None:
        self.now += TIMEOUT
        self.stations.silence(self.now)

    @rule()
    def the_servers_timer_goes_off(self) -> None:
        self.now += TIMEOUT
        if self.stations.server.heard and not self.stations.server.answering:
            self.stations.server.again(self.now)
            self.stations.put()

    @invariant()
    def the_right_data_or_nothing(self) -> None:
        stations = getattr(self, "stations", None)
        if stations is not None:
            assert stations.result in (None, stations.answer)
            assert stations.served <= 1
            assert not stations.failed

    @invariant()
    def what_is_held_is_bounded(self) -> None:
        stations = getattr(self, "stations", None)
        if stations is None:
            return
        for station, window in zip((stations.client, stations.server), stations.windows, strict=True):
            incoming = station._incoming
            assert incoming._held <= 100
            assert incoming.first is None or len(incoming._kept) < window

    def teardown(self) -> None:
        stations = getattr(self, "stations", None)
        if stations is None:
            return
        for _ in range(200):
            if stations.result is not None:
                break
            while stations.medium:
                self.now += 0.01
                stations.deliver(*stations.medium.pop(0), self.now)
            self.now += TIMEOUT
            stations.silence(self.now)
        assert stations.result == stations.answer


TestTwoStations = TwoStations.TestCase
TestTwoStations.settings = examples(40, stateful_step_count=40, deadline=None)
