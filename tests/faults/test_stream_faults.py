"""What goes wrong on a stream: as often as was said, counted to the bit, and the same for the same seed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.faults import ByteStream, Counts, StreamFaults, VirtualTime
from tests.faults.support import both, settle

MANY = bytes(range(256)) * 400


def sent(octets: bytes, faults: StreamFaults, seed: int = 0, size: int = 1024) -> tuple[bytes, Counts]:
    """What comes of octets written by the client, ``size`` at a time."""
    time = VirtualTime()
    stream = ByteStream(time, from_client=faults, seed=seed)
    _, server = both(stream)
    for at in range(0, len(octets), size):
        stream.client.write(octets[at : at + size])
    settle(time)
    return server.octets, stream.client.counts


def bits_apart(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def plausible(found: int, trials: int, probability: float) -> bool:
    """Within six standard deviations of a binomial distribution."""
    return abs(found - trials * probability) <= 6 * math.sqrt(trials * probability * (1 - probability))


@pytest.mark.parametrize("rate", [1e-5, 1e-4, 1e-2, 0.5])
def test_bit_errors_are_as_many_as_counted_and_as_the_rate_says(rate: float) -> None:
    came, counts = sent(MANY, StreamFaults(bit_error_rate=rate))
    assert bits_apart(came, MANY) == counts.bits_inverted
    assert plausible(counts.bits_inverted, 8 * len(MANY), rate)


@given(st.integers(0, 1000), st.integers(1, 5000), st.sampled_from((1e-3, 1e-4)))
def test_the_wrong_bits_are_the_same_however_the_stream_is_cut(seed: int, size: int, rate: float) -> None:
    faults = StreamFaults(bit_error_rate=rate)
    assert sent(MANY[:5000], faults, seed, size)[0] == sent(MANY[:5000], faults, seed, 5000)[0]


@pytest.mark.parametrize(
    "faults",
    [
        {"bit_error_rate": 0.01},
        {"octet_loss": 0.01},
        {"frame_loss": 0.1},
        {"frame_corruption": 0.1},
        {"noise": 0.1},
        {"jitter": 1.0},
    ],
)
def test_the_same_seed_takes_the_same_course_and_another_one_another(faults: dict[str, Any]) -> None:
    def course(seed: int) -> list[tuple[float, bytes]]:
        time = VirtualTime()
        stream = ByteStream(time, from_client=StreamFaults(**faults), seed=seed)
        _, server = both(stream)
        for at in range(0, 4000, 40):
            stream.client.write(MANY[at : at + 40])
        settle(time)
        return server.pieces

    assert course(1) == course(1)
    assert course(1) != course(2)


def test_the_directions_have_chances_of_their_own() -> None:
    time = VirtualTime()
    faults = StreamFaults(bit_error_rate=0.01)
    stream = ByteStream(time, from_client=faults, from_server=faults)
    client, server = both(stream)
    stream.client.write(MANY[:1000])
    stream.server.write(MANY[:1000])
    settle(time)
    assert client.octets != server.octets


def test_lost_octets_are_missing_and_the_rest_is_in_order() -> None:
    octets = b"".join(number.to_bytes(4, "big") for number in range(5000))
    came, counts = sent(octets, StreamFaults(octet_loss=0.01))
    assert len(came) == len(octets) - counts.octets_lost
    assert plausible(counts.octets_lost, len(octets), 0.01)
    rest = iter(octets)
    assert all(octet in rest for octet in came)


def test_lost_frames_are_missing_whole() -> None:
    frames = [number.to_bytes(2, "big") for number in range(2000)]
    came, counts = sent(b"".join(frames), StreamFaults(frame_loss=0.05), size=2)
    arrived = {came[at : at + 2] for at in range(0, len(came), 2)}
    assert arrived <= set(frames)
    assert len(frames) - len(arrived) == counts.frames_lost
    assert plausible(counts.frames_lost, 2000, 0.05)


def test_a_corrupted_frame_has_one_other_octet() -> None:
    came, counts = sent(bytes(20 * 2000), StreamFaults(frame_corruption=0.01), size=20)
    frames = [came[at : at + 20] for at in range(0, len(came), 20)]
    assert {sum(map(bool, frame)) for frame in frames} == {0, 1}
    assert sum(map(any, frames)) == counts.frames_corrupted
    assert plausible(counts.frames_corrupted, 2000, 0.01)


def test_frames_of_one_write_are_corrupted_one_by_one() -> None:
    tens = StreamFaults(frame_corruption=0.5, frames=lambda octets: [octets[at : at + 10] for at in range(0, 100, 10)])
    came, counts = sent(bytes(100 * 50), tens, size=100)
    assert (counts.writes, counts.frames) == (50, 500)
    assert sum(any(came[at : at + 10]) for at in range(0, 5000, 10)) == counts.frames_corrupted
    assert plausible(counts.frames_corrupted, 500, 0.5)


def test_certainty_befalls_everything() -> None:
    assert sent(b"\x0f" * 10, StreamFaults(bit_error_rate=1))[0] == b"\xf0" * 10
    came, counts = sent(MANY[:1000], StreamFaults(frame_loss=1), size=10)
    assert (came, counts.frames_lost) == (b"", 100)


def test_noise_comes_before_frames_and_leaves_them_whole() -> None:
    came, counts = sent(b"frame" * 200, StreamFaults(noise=0.5, noise_octets=3), size=5)
    assert len(came) == 1000 + counts.noise_octets
    assert came.count(b"frame") == 200
    assert 100 <= counts.noise_octets <= 300


def test_scripted_faults_befall_the_frame_that_was_named() -> None:
    script = {1: b"", 2: b"other", 3: b"three three"}
    came, counts = sent(b"zero-one--two--threefour-", StreamFaults(alter=lambda at, was: script.get(at, was)), size=5)
    assert came == b"zero-otherthree threefour-"
    assert counts.frames_altered == 3


@given(
    st.lists(st.binary(min_size=1, max_size=30), max_size=20),
    st.sampled_from((0.0, 0.2)),
    st.sampled_from((0.0, 0.2)),
    st.sampled_from((0.0, 0.2)),
    st.sampled_from((None, 25)),
    st.integers(0, 1000),
)
def test_every_octet_is_accounted_for(
    writes: list[bytes], noise: float, frame_loss: float, octet_loss: float, hang_at: int | None, seed: int
) -> None:
    time = VirtualTime()
    faults = StreamFaults(noise=noise, frame_loss=frame_loss, octet_loss=octet_loss, hang_at=hang_at)
    stream = ByteStream(time, from_client=faults, seed=seed)
    _, server = both(stream)
    frames_lost = 0
    for octets in writes:
        before = stream.client.counts.frames_lost
        stream.client.write(octets)
        frames_lost += len(octets) * (stream.client.counts.frames_lost - before)
    settle(time)
    counts = stream.client.counts
    assert counts.octets_written == sum(map(len, writes))
    assert counts.octets_delivered == len(server.octets)
    on_line = counts.octets_written - frames_lost + counts.noise_octets - counts.octets_lost
    assert on_line == counts.octets_delivered + counts.octets_unheard
