"""Protected APDUs, both ways, by a process that dies at any moment: nothing is used, given or accepted twice."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from typing import Any

import pytest

from cosemic.errors import CosemicError, CounterExhausted, InvocationCounterError
from cosemic.security.suite import COUNTER_LIMIT
from cosemic.store import FileTransactionStore
from cosemic.store.journal import Journal
from tests.store.disks import Disk, Killed, MortalPort
from tests.store.killed_traffic import CLIENT, GLO, SERVER, STATIC, Doubled, Seat, folder_in_memory, kill_processes

forks = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as made:
        yield made


@pytest.mark.parametrize("kills", [pytest.param(15, marks=forks), pytest.param(500, marks=[*forks, pytest.mark.slow])])
def test_processes_killed_at_random_moments_double_nothing(folder: str, kills: int) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    tally = kill_processes(kills, seed, folder)
    assert tally.kills >= kills
    assert tally.sent > kills
    assert tally.accepted > kills // 3  # on a slow machine few words come in a life


@pytest.mark.slow
@pytest.mark.parametrize("mark", [pytest.param(None, marks=forks)], ids=["fork"])
def test_the_same_holds_where_writing_takes_its_time(mark: None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert kill_processes(40, 1, folder, longest=0.08).sent > 40


def disturbed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Seed a fault."""
    plain_accept, plain_next = FileTransactionStore.accept, FileTransactionStore.next_own

    plain_change = Journal.change

    def unwritten(self: Journal, body: bytes) -> None:
        """What a counter store changes is known as long as the process lives."""
        if self._numbered:
            plain_change(self, body)
        else:
            self._book.enter(body)

    def unwritten_ids(self: FileTransactionStore, transactions: Any) -> None:
        """What is accepted is known as long as the process lives."""
        known = self.__dict__.setdefault("seen", set())
        if any(each in known for each in transactions):
            plain_accept(self, [*transactions, *transactions])
        known.update(transactions)

    def again(self: FileTransactionStore, title: bytes) -> bytes:
        first = int.from_bytes(plain_next(self, title), "big")
        return (first - first % 8).to_bytes(8, "big")

    {
        "counters are not written": lambda: monkeypatch.setattr(Journal, "change", unwritten),
        "ids are not written": lambda: monkeypatch.setattr(FileTransactionStore, "accept", unwritten_ids),
        "ids come again": lambda: monkeypatch.setattr(FileTransactionStore, "next_own", again),
    }[name]()


@pytest.mark.parametrize(
    "fault",
    [pytest.param(name, marks=forks) for name in ("counters are not written", "ids are not written", "ids come again")],
)
def test_the_ledger_sees_a_fault(folder: str, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    disturbed(monkeypatch, fault)
    with pytest.raises(Doubled):
        kill_processes(200, 1, folder)


# A simulated disk: death and loss of power at each write, fsync and rename


def a_life(seat: Seat, disk: Disk, at: int, how: str) -> MortalPort:
    """Live until the process dies at that call, or, with 0, until all is done."""
    port = MortalPort(at, how, disk)
    fed = seat.feed(18 if seat.keys.material.suite.id else 10)  # until the files are written anew
    with suppress(Killed):
        seat.live(seat.subject(port, 2, 1), fed, seat.hear, random.Random(at))
    return port


def a_seat(own: bytes, disk: Disk, left: int | None = None, suite: int = 1) -> Seat:
    seat = Seat("", own, random.Random(7), left=left, suite=suite)
    seat.prepare(disk)
    return seat


LOSSES = [None, (False, 0.0, False), (True, 0.5, False), (True, 0.0, True), (False, 1.0, False)]
"""What a loss of power leaves: names, share of the octets, and zeros for the rest; None: the kernel lives."""


@pytest.mark.parametrize("step", [37, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("own", "suite"), [(CLIENT, 1), (SERVER, 0)], ids=["client", "server"])
def test_death_at_each_write_fsync_and_rename_doubles_nothing(own: bytes, suite: int, step: int) -> None:
    calls = a_life(a_seat(own, dry := Disk(), suite=suite), dry, 0, "before").calls
    assert {"write", "fsync", "replace", "fsync_directory"} == set(calls)
    for at in range(1, len(calls) + 1, step):
        for number, (how, loss) in enumerate(product(("before", "middle", "after"), LOSSES)):
            if suite and (at + number) % 3:
                continue  # signatures take their time: a third at each call, and all of them within three
            disk = Disk()
            seat = a_seat(own, disk, suite=suite)
            a_life(seat, disk, at, how)
            if loss is not None:
                disk.lose_power(*loss)
            a_life(seat, disk, at // 2 + 1, how)  # it dies once more while it recovers
            seat.check(disk)


def test_a_disk_that_forgets_everything_is_seen() -> None:
    disk = Disk()
    seat = a_seat(CLIENT, disk)
    a_life(seat, disk, 0, "before")
    disk.names.clear()
    with pytest.raises(Doubled):
        seat.check(disk)


# The last counter


@pytest.mark.parametrize("left", [1, 2, 5])
def test_the_last_counter_is_used_and_then_nothing_is_sent_not_even_after_a_restart(left: int) -> None:
    disk = Disk()
    seat = a_seat(CLIENT, disk, left)
    for life in range(3):
        side = seat.subject(disk, 1, 1000)
        for _ in range(0 if life else left):
            seat.hear(b"s" + side.sealed(GLO))
        for _ in range(3):
            with pytest.raises(CounterExhausted, match="install a new key"):
                side.sealed(GLO)
        assert side.sealed(STATIC)  # a key of its own, and counters of its own
        with pytest.raises(CounterExhausted):
            side.hls.prove(bytes(8), bytes(range(8)), SERVER)
    assert len(seat.nonces) == left
    assert seat.highest == (COUNTER_LIMIT - 1 if left else -1)


def test_ffffffff_is_never_accepted_and_the_one_before_it_once() -> None:
    disk = Disk()
    seat = a_seat(SERVER, disk)
    last = seat._glo(COUNTER_LIMIT - 1)
    for life in range(2):
        side = seat.subject(disk, 1, 1000)
        with pytest.raises(InvocationCounterError):
            side.take(seat._glo(COUNTER_LIMIT))
        if life == 0:
            side.take(last)
        for octets in (last, seat._glo(COUNTER_LIMIT), seat._glo(0)):
            with pytest.raises(CosemicError):
                side.take(octets)
