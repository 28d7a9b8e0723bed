"""Datagrams: whole or not at all, as often as was said, to whom they were sent."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, ConnectionLost
from cosemic.faults import BROADCAST, DatagramFaults, DatagramPort, Network, VirtualTime
from cosemic.faults import datagrams as module
from cosemic.faults.datagrams import DatagramConnection
from cosemic.values.line_settings import OPTICAL
from tests.faults.support import settle

SHARES = st.sampled_from((0.0, 0.1, 0.5, 1.0))


class Mail:
    """What came at a station."""

    def __init__(self, port: DatagramPort) -> None:
        self.port = port
        self.got: list[tuple[float, bytes, str]] = []
        port.attach(lambda octets, source: self.got.append((port.time.now - 1000.0, octets, source)))

    @property
    def octets(self) -> list[bytes]:
        return [octets for _, octets, _ in self.got]


def network_of(stations: str, seed: int = 0, **faults: Any) -> tuple[VirtualTime, Network, list[Mail]]:
    time = VirtualTime()
    network = Network(time, DatagramFaults(**faults), seed=seed)
    return time, network, [Mail(network.station(address)) for address in stations]


def numbers(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(count)]


@given(st.lists(st.binary(max_size=30), max_size=20), st.sampled_from((0.0, 2.0)))
def test_without_faults_every_datagram_comes_once_whole_in_order_and_in_time(
    datagrams: list[bytes], latency: float
) -> None:
    time, network, (a, b, c) = network_of("abc", latency=latency)
    for octets in datagrams:
        a.port.send(octets, "b")
    settle(time)
    assert b.got == [(latency, octets, "a") for octets in datagrams]
    assert a.got == c.got == []
    assert network.counts.sent == network.counts.delivered == len(datagrams)


@given(SHARES, SHARES, SHARES, SHARES, st.integers(0, 1000))
def test_every_copy_is_accounted_for(
    loss: float, duplication: float, reordering: float, corruption: float, seed: int
) -> None:
    time, network, (a, b) = network_of(
        "ab", seed, loss=loss, duplication=duplication, reordering=reordering, corruption=corruption, jitter=0.5
    )
    sent = numbers(50)
    for octets in sent:
        a.port.send(octets, "b")
    settle(time)
    counts = network.counts
    assert counts.sent == 50
    assert len(b.got) == counts.delivered == 50 - counts.lost + counts.duplicated
    assert sum(octets not in sent for octets in b.octets) <= counts.corrupted
    if not corruption:
        copies = Counter(b.octets)
        assert 50 - len(copies) == counts.lost
        assert sum(number - 1 for number in copies.values()) == counts.duplicated


def test_shares_are_as_was_said_and_the_same_for_the_same_seed() -> None:
    def course(seed: int) -> tuple[list[tuple[float, bytes, str]], Network]:
        time, network, (a, b) = network_of("ab", seed, loss=0.3, duplication=0.1, reordering=0.05, jitter=0.01)
        for octets in numbers(5000):
            a.port.send(octets, "b")
        settle(time)
        return b.got, network

    got, network = course(7)
    assert got == course(7)[0] != course(8)[0]
    for found, trials, share in (
        (network.counts.lost, 5000, 0.3),
        (network.counts.duplicated, 5000 - network.counts.lost, 0.1),
        (network.counts.held_back, network.counts.delivered, 0.05),
    ):
        assert abs(found - trials * share) < 6 * math.sqrt(trials * share * (1 - share))


def test_one_that_is_held_back_is_overtaken() -> None:
    time, network, (a, b) = network_of("ab", 1, reordering=0.2, held_back=0.5)
    for octets in numbers(50):
        a.port.send(octets, "b")
        time.run_for(0.01)
    settle(time)
    assert sorted(b.octets) == numbers(50) != b.octets
    assert 0 < network.counts.held_back < 25


def test_a_datagram_above_the_mtu_is_lost() -> None:
    time, network, (a, b) = network_of("ab", mtu=51)
    a.port.send(bytes(51), "b")
    a.port.send(bytes(52), "b")
    settle(time)
    assert b.octets == [bytes(51)]
    assert network.counts.too_long == 1


def test_each_fragment_may_lose_the_whole() -> None:
    time, network, (a, b) = network_of("ab", mtu=100, fragmented=True, loss=0.1)
    for _ in range(2000):
        a.port.send(bytes(950), "b")
    settle(time)
    arrives = 0.9**10
    assert abs(len(b.got) - 2000 * arrives) < 6 * math.sqrt(2000 * arrives * (1 - arrives))
    assert set(map(len, b.octets)) == {950}
    assert network.counts.too_long == 0


def test_a_corrupted_datagram_has_one_other_octet() -> None:
    time, network, (a, b) = network_of("ab", corruption=1.0)
    a.port.send(bytes(20), "b")
    a.port.send(b"", "b")
    settle(time)
    assert sum(map(bool, b.octets[0])) == 1
    assert b.octets[1] == b""
    assert network.counts.corrupted == 1


def test_groups_and_broadcast_reach_their_members_but_not_the_sender() -> None:
    time, network, (a, b, c, d) = network_of("abcd")
    for member in a, b, c:
        member.port.join("ff03::1")
    a.port.send(b"group", "ff03::1")
    a.port.send(b"all", BROADCAST)
    d.port.send(b"from outside", "ff03::1")
    a.port.send(b"myself", "a")
    settle(time)
    assert a.octets == [b"from outside", b"myself"]
    assert b.octets == c.octets == [b"group", b"all", b"from outside"]
    assert d.octets == [b"all"]
    assert b.got[0][2] == "a"
    assert network.counts.sent == 2 + 3 + 3 + 1


def test_each_member_of_a_group_loses_its_own_copy() -> None:
    time, _, (a, b, c) = network_of("abc", loss=0.5)
    for octets in numbers(100):
        a.port.send(octets, BROADCAST)
    settle(time)
    assert 20 < len(b.got) < 80
    assert set(b.octets) != set(c.octets)


def test_a_station_that_is_gone_hears_nothing_and_its_address_is_free() -> None:
    time, network, (a, b) = network_of("ab", latency=1.0)
    a.port.send(b"on the way", "b")
    b.port.close()
    b.port.close()
    a.port.send(b"nobody there", "b")
    settle(time)
    assert (b.got, network.counts.unheard) == ([], 2)
    with pytest.raises(ConnectionLost):
        b.port.send(b"?", "a")
    again = Mail(network.station("b"))
    a.port.send(b"hello", "b")
    settle(time)
    assert again.octets == [b"hello"]


def test_an_address_is_given_once() -> None:
    _, network, _ = network_of("a")
    for address in "a", BROADCAST:
        with pytest.raises(ConfigurationError):
            network.station(address)


def test_a_full_network_loses_what_comes_on_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNDER_WAY", 10)
    time, network, (a, b) = network_of("ab", latency=1.0)
    for octets in numbers(15):
        a.port.send(octets, "b")
    settle(time)
    assert b.octets == numbers(10)
    assert network.counts.lost == 5


# ---- connections ----------------------------------------------------------------------------------------------------


class Pieces:
    def __init__(self, connection: DatagramConnection) -> None:
        self.connection = connection
        self.pieces: list[bytes] = []
        self.ends: list[object] = []
        connection.attach(self)

    def octets_received(self, octets: bytes, /) -> None:
        self.pieces.append(octets)

    def connection_lost(self, error: object, /) -> None:
        self.ends.append(error)


def test_a_connection_takes_the_datagrams_of_its_peer_and_the_port_those_of_others() -> None:
    time, network, (a, b, c) = network_of("abc")
    connection = a.port.connected("b")
    with_b = Pieces(connection)
    b.port.send(b"from b", "a")
    c.port.send(b"from c", "a")
    connection.write(b"to b")
    connection.set_line(OPTICAL)
    settle(time)
    assert (with_b.pieces, a.octets, b.octets) == ([b"from b"], [b"from c"], [b"to b"])
    assert connection.peer == "b"
    connection.close()
    connection.close()
    b.port.send(b"again", "a")
    settle(time)
    assert (with_b.pieces, with_b.ends, a.octets) == ([b"from b"], [None], [b"from c", b"again"])
    with pytest.raises(ConnectionLost):
        connection.write(b"?")
    assert len(network.journal) == 4


def test_a_listening_port_makes_a_connection_of_each_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PEERS", 2)
    time, network, (a, b, c, d) = network_of("abcd")
    peers: dict[str, Pieces] = {}
    a.port.listen(lambda connection: peers.update({connection.peer: Pieces(connection)}))
    for each in b, c, d, b:
        each.port.send(each.port.address.encode(), "a")
    settle(time)
    assert {peer: pieces.pieces for peer, pieces in peers.items()} == {"b": [b"b", b"b"], "c": [b"c"]}
    assert network.counts.unheard == 1
    a.port.close()
    settle(time)
    assert peers["b"].ends == peers["c"].ends == [None]


def test_without_a_receiver_nobody_hears() -> None:
    time, network, (a,) = network_of("a")
    network.station("deaf")
    a.port.send(b"hello", "deaf")
    settle(time)
    assert network.counts.unheard == 1
