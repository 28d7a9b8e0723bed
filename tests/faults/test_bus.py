"""A line that many stations share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.faults import Bus, StreamFaults, VirtualTime
from cosemic.values import LineSettings
from tests.faults.support import Heard, settle

SPEAKERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.binary(min_size=1, max_size=20)), max_size=8)


def bus_of(stations: int, **more: object) -> tuple[VirtualTime, list[Heard], Bus]:
    time = VirtualTime()
    bus = Bus(time, LineSettings(2400), **more)  # type: ignore[arg-type]  # what the test says
    return time, [Heard(bus.station(f"station {number}")) for number in range(stations)], bus


def test_everybody_hears_everything_but_what_they_say_themselves() -> None:
    time, stations, bus = bus_of(4)
    bus.ports[1].write(b"\x10\x40\x01\x41\x16")
    settle(time)
    assert [heard.octets for heard in stations] == [b"\x10\x40\x01\x41\x16", b"", *[b"\x10\x40\x01\x41\x16"] * 2]
    assert [heard.times for heard in stations] == [
        pytest.approx(each) for each in ([5 / 240], [], [5 / 240], [5 / 240])
    ]


def test_with_echo_the_speaker_hears_itself() -> None:
    time, stations, bus = bus_of(3, echo=True)
    bus.ports[1].write(b"hello")
    settle(time)
    assert [heard.octets for heard in stations] == [b"hello"] * 3


def test_two_answers_at_once_are_garbled_for_everybody() -> None:
    time, stations, bus = bus_of(4)
    bus.ports[1].write(b"\xe5")
    bus.ports[2].write(b"\xe5")
    settle(time)
    assert len(stations[0].octets) == len(stations[3].octets) == 2
    assert 0xE5 not in stations[0].octets
    assert bus.ports[1].counts.octets_collided + bus.ports[2].counts.octets_collided == 2


@given(SPEAKERS)
def test_an_octet_is_garbled_exactly_where_another_station_sends(speakers: list[tuple[int, int, bytes]]) -> None:
    # Each starts at a multiple of half a character; who speaks twice goes on where it has ended.
    character = 10 / 2400
    time, _, bus = bus_of(4)
    listener = Heard(bus.station("listener", faults=StreamFaults()))
    begun: list[tuple[int, int, bytes]] = []
    free = [0] * 4
    for who, at, octets in sorted(speakers, key=lambda each: each[1]):
        begun.append((max(at, free[who]), who, octets))
        free[who] = begun[-1][0] + 2 * len(octets)
        time.call_at(1000 + at * character / 2, bus.ports[who].write, octets)
    settle(time)
    collided = 0
    for start, who, octets in begun:
        for place in range(len(octets)):
            first = start + 2 * place
            collided += any(
                other != who and first < begin + 2 * len(theirs) and begin < first + 2 for begin, other, theirs in begun
            )
    assert sum(port.counts.octets_collided for port in bus.ports) == collided
    assert len(listener.octets) == sum(len(octets) for *_, octets in begun)
    if not collided:
        assert listener.octets == b"".join(octets for *_, octets in sorted(begun))


def test_faults_belong_to_a_station() -> None:
    time = VirtualTime()
    bus = Bus(time, faults=StreamFaults(bit_error_rate=1))
    good, bad = bus.station("good", faults=StreamFaults()), bus.station("bad")
    heard = Heard(bus.station("listener"))
    good.write(b"\x0f")
    settle(time)
    bad.write(b"\x0f")
    settle(time)
    assert heard.octets == b"\x0f\xf0"


def test_a_station_at_another_rate_understands_nothing_and_the_others_do() -> None:
    time, stations, bus = bus_of(2)
    slow = Heard(bus.station("slow", line=LineSettings(300)))
    bus.ports[0].write(b"\x10\x40\x01\x41\x16")
    settle(time)
    assert stations[1].octets == b"\x10\x40\x01\x41\x16"
    assert slow.octets not in (b"", b"\x10\x40\x01\x41\x16")


def test_stations_leave_and_come_back() -> None:
    time, stations, bus = bus_of(3)
    leaving = bus.ports[2]
    assert bus.ports[0].peer == "station 1, station 2"
    leaving.write(b"bye")
    leaving.close()
    settle(time)
    assert (stations[0].octets, stations[1].ends) == (b"bye", [])
    assert leaving not in bus.ports
    again = Heard(bus.station("station 2"))
    bus.ports[0].write(b"hello")
    settle(time)
    assert (again.octets, stations[2].octets) == (b"hello", b"")


def test_a_name_is_given_once() -> None:
    bus = Bus(VirtualTime())
    assert bus.station("meter").peer == "nobody"
    with pytest.raises(ConfigurationError, match="name of its own"):
        bus.station("meter")
