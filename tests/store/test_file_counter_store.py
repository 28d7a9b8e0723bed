"""Counters in a file: shared, durable, and never repeated or replayed, wherever a process dies or a disk fails."""

from __future__ import annotations

import os
import random
import select
import signal
import stat
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, InvocationCounterError, SecurityError
from cosemic.security import TransmitState
from cosemic.store import FileCounterStore
from cosemic.store.file_port import FilePort
from tests.effort import examples
from tests.store.disks import Disk, FailingPort, Killed, MortalPort

KEY = bytes(range(16))
OTHER = bytes(range(16, 32))
CLIENT = b"MMM\0\0\0\0\1"
SERVER = b"MMM\0\0\xbcaN"
forks = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "counters")


class Life:
    """What a process did with a store before it died: values it has used, counters it has accepted."""

    def __init__(self) -> None:
        self.used: list[int] = []
        self.accepted: list[int] = []

    def live(self, store: FileCounterStore, rounds: int) -> None:
        """Draw and accept; a value counts as soon as the store has given it out."""
        drawing = store.transmit_counter(KEY, CLIENT)
        receiving = store.receive_counter(KEY, SERVER)
        for number in range(rounds):
            self.used.append(drawing.next())
            if number == 3:
                drawing.confirm()
            receiving.accept(receiving.lowest + number % 3)
            self.accepted.append(receiving.lowest - 1)

    def check(self, store: FileCounterStore, rounds: int = 12) -> None:
        """Assert that a store opened afterwards repeats nothing, and accepts nothing twice."""
        for counter in {*self.accepted, *range(max(self.accepted, default=-1) + 1)}:
            with pytest.raises(InvocationCounterError):
                store.accept(KEY, SERVER, counter)
        self.live(store, rounds)
        assert len(set(self.used)) == len(self.used)
        assert sorted(set(self.accepted)) == self.accepted


def test_values_go_on_where_another_opening_has_reserved_to(path: str) -> None:
    first = FileCounterStore(path, block=10)
    assert [first.transmit_counter(KEY, CLIENT).next() for _ in range(12)] == list(range(12))
    second = FileCounterStore(path, block=10)
    assert second.transmit_counter(KEY, CLIENT).next() == 20
    assert second.transmit_counter(OTHER, CLIENT).next() == 0
    assert second.transmit_counter(KEY, SERVER).next() == 0
    assert first.transmit_state(KEY, CLIENT).next == 30


def test_accepted_counters_are_known_to_every_opening(path: str) -> None:
    first, second = FileCounterStore(path), FileCounterStore(path)
    assert first.accept(KEY, SERVER, 7) == 8
    for store in (first, second, FileCounterStore(path)):
        assert store.lowest_acceptable(KEY, SERVER) == 8
        with pytest.raises(InvocationCounterError) as caught:
            store.accept(KEY, SERVER, 7)
        assert caught.value.lowest_acceptable == 8
    assert second.accept(KEY, SERVER, 3, fresh=False) == 8
    assert second.accept(KEY, SERVER, 8) == 9
    assert first.lowest_acceptable(KEY, CLIENT) == 0


@given(
    st.builds(
        TransmitState,
        st.integers(0, 2**32 - 1),
        st.booleans(),
        st.none() | st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
        st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=9).map(tuple),
    )
)
def test_every_state_is_read_back_as_it_was_written(state: TransmitState) -> None:
    disk = Disk()
    store = FileCounterStore("counters", port=disk)
    store.change_transmit(KEY, CLIENT, lambda _: state)
    assert FileCounterStore("counters", port=disk).transmit_state(KEY, CLIENT) == state


def test_proposals_survive_and_stay_unconfirmed(path: str) -> None:
    drawing = FileCounterStore(path, block=10).transmit_counter(KEY, CLIENT)
    drawing.next()
    drawing.confirm()
    drawing.propose(500, 1000)
    assert drawing.next() == 500
    restarted = FileCounterStore(path, block=10).transmit_counter(KEY, CLIENT)
    assert restarted.next() == 10
    with pytest.raises(InvocationCounterError):
        restarted.propose(1100, 1000)  # the step is measured from the own value
    restarted.confirm()
    restarted.raise_to(495)
    assert [restarted.next() for _ in range(7)] == [495, 496, 497, 498, 499, 516, 517]


def test_a_change_that_raises_or_changes_nothing_writes_nothing(path: str) -> None:
    port = MortalPort()
    store = FileCounterStore(path, port=port)
    written = port.calls.count("write")

    def refuse(state: TransmitState) -> TransmitState:
        raise InvocationCounterError("no")

    with pytest.raises(InvocationCounterError):
        store.change_transmit(KEY, CLIENT, refuse)
    assert store.change_transmit(KEY, CLIENT, lambda state: state) == TransmitState()
    with pytest.raises(InvocationCounterError):
        store.accept(KEY, SERVER, 0xFFFF_FFFF)
    assert port.calls.count("write") == written


def test_nothing_is_given_out_before_it_is_on_the_medium(path: str) -> None:
    port = MortalPort()
    store = FileCounterStore(path, block=5, port=port)
    assert port.calls == ["write", "fsync", "replace", "fsync_directory"]
    store.transmit_counter(KEY, CLIENT).next()
    assert port.calls[4:] == ["write", "fsync"]
    store.accept(KEY, SERVER, 0)
    assert port.calls[6:] == ["write", "fsync"]


def test_long_journals_are_written_anew_and_others_follow(path: str) -> None:
    store = FileCounterStore(path, compact_lines=10)
    other = FileCounterStore(path, compact_lines=10)
    store.accept(OTHER, SERVER, 41)
    for counter in range(500):
        store.accept(KEY, SERVER, counter)
        if counter % 7 == 0:
            assert other.lowest_acceptable(KEY, SERVER) == counter + 1
            assert other.lowest_acceptable(OTHER, SERVER) == 42
    assert len(Path(path).read_bytes().splitlines()) < 25
    assert FileCounterStore(path).lowest_acceptable(KEY, SERVER) == 500


def test_no_key_is_in_the_file_and_nobody_else_may_read_it(path: str) -> None:
    FileCounterStore(path).accept(KEY, SERVER, 0)
    for name in (path, path + ".lock"):
        if os.name == "posix":
            assert stat.S_IMODE(os.stat(name).st_mode) == 0o600


# Death at every call


def calls_of_a_life(path: str) -> int:
    port = MortalPort()
    Life().live(FileCounterStore(path, block=2, compact_lines=4, port=port), 20)
    assert {"write", "fsync", "replace", "fsync_directory"} <= set(port.calls[4:])
    return len(port.calls)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["before", "middle", "after"])
def test_a_kill_at_each_write_fsync_and_rename_repeats_nothing(tmp_path: Path, how: str) -> None:
    for at in range(1, calls_of_a_life(str(tmp_path / "dry")) + 1):
        path = str(tmp_path / f"counters-{at}")
        life = Life()
        with pytest.raises(Killed):
            life.live(FileCounterStore(path, block=2, compact_lines=4, port=MortalPort(at, how)), 20)
        life.check(FileCounterStore(path, block=2, compact_lines=4))


@pytest.mark.slow
@pytest.mark.parametrize("mark", [pytest.param(None, marks=forks)], ids=["fork"])
def test_a_process_that_exits_at_each_call_repeats_nothing(tmp_path: Path, mark: None) -> None:
    class ExitingPort(MortalPort):
        def _call(self, name: str, do: Callable[[], object], halfway: Callable[[], object] | None = None) -> object:
            try:
                return super()._call(name, do, halfway)
            except Killed:
                os._exit(9)

    dry = MortalPort()
    in_null = os.open(os.devnull, os.O_WRONLY)
    reporting_life(str(tmp_path / "dry"), in_null, 15, dry)
    os.close(in_null)
    for at in range(1, len(dry.calls) + 1):
        path = str(tmp_path / f"counters-{at}")
        port = ExitingPort(at, ("before", "middle", "after")[at % 3])

        def live(report: int, path: str = path, port: MortalPort = port) -> None:
            reporting_life(path, report, 15, port)

        life, status = in_child(live)
        assert status == 9
        life.check(FileCounterStore(path, block=2, compact_lines=4))


@examples(300)
@given(
    st.integers(1, 90),
    st.sampled_from(["before", "middle", "after"]),
    st.booleans(),
    st.floats(0, 1),
    st.booleans(),
    st.integers(1, 60),
)
def test_loss_of_power_at_any_call_repeats_nothing(
    at: int, how: str, keep_names: bool, kept: float, zeros: bool, again: int
) -> None:
    disk = Disk()
    life = Life()
    for number in (at, again):
        try:
            life.live(FileCounterStore("counters", block=2, compact_lines=4, port=MortalPort(number, how, disk)), 15)
        except Killed:
            disk.lose_power(keep_names, kept, zeros)
    life.check(FileCounterStore("counters", block=2, compact_lines=4, port=disk))


def test_a_disk_that_forgets_everything_is_noticed_by_the_model() -> None:
    disk = Disk()
    life = Life()
    life.live(FileCounterStore("counters", port=disk), 5)
    disk.names.clear()
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        life.check(FileCounterStore("counters", port=disk))


# Failures that the process survives


@pytest.mark.slow
@pytest.mark.parametrize("short", [False, True], ids=["error", "short write"])
def test_a_failing_medium_gives_nothing_out_and_repeats_nothing(tmp_path: Path, short: bool) -> None:
    for at in range(5, calls_of_a_life(str(tmp_path / "dry")) + 1, 5 if short else 2):
        path = str(tmp_path / f"counters-{at}")
        store = FileCounterStore(path, block=2, compact_lines=4, port=FailingPort(at, short=short))
        other = FileCounterStore(path, block=2, compact_lines=4)
        life = Life()
        if short:
            life.live(store, 20)
        else:
            with pytest.raises(SecurityError, match="counters"):
                life.live(store, 20)
        for each in (other, store, FileCounterStore(path, block=2, compact_lines=4)):
            life.check(each, 4)


def test_after_a_failed_fsync_the_file_is_written_anew(path: str) -> None:
    port = FailingPort(6)
    store = FileCounterStore(path, port=port)
    generation = Path(path).read_bytes().splitlines()[0]
    with pytest.raises(SecurityError, match="Input/output error"):
        store.accept(KEY, SERVER, 4)
    assert Path(path).read_bytes().splitlines()[0] == generation
    store.accept(KEY, SERVER, 9)
    assert Path(path).read_bytes().splitlines()[0] != generation
    assert FileCounterStore(path).lowest_acceptable(KEY, SERVER) == 10


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(SecurityError, match="folder"):
        FileCounterStore(tmp_path / "missing" / "counters")
    with pytest.raises(ConfigurationError, match="block"):
        FileCounterStore(tmp_path / "counters", block=0)


def test_a_lock_that_is_held_is_waited_for_and_then_said(path: str) -> None:
    store = FileCounterStore(path, lock_timeout=0.05)
    port = FilePort()
    descriptor = port.open(path + ".lock", os.O_RDWR)
    port.lock(descriptor, 1)
    started = time.monotonic()
    with pytest.raises(SecurityError, match="locked by another process"):
        store.accept(KEY, SERVER, 0)
    assert time.monotonic() - started >= 0.05
    port.close(descriptor)
    assert store.accept(KEY, SERVER, 0) == 1


# Damage


def lines_of(path: str) -> list[bytes]:
    return Path(path).read_bytes().splitlines(keepends=True)


@pytest.fixture
def filled(path: str) -> str:
    store = FileCounterStore(path, block=5)
    for counter in range(4):
        store.accept(KEY, SERVER, counter)
        store.transmit_counter(KEY, CLIENT).next()
    return path


@pytest.mark.parametrize("tail", [b"1", b"\0" * 40, b"deadbeef r", b"\xff" * 200, b"00000000 r 00 00 1\n"], ids=repr)
def test_an_unfinished_last_line_counts_as_not_written(filled: str, tail: bytes) -> None:
    running = FileCounterStore(filled)
    with open(filled, "ab") as file:
        file.write(tail)
    for store in (running, FileCounterStore(filled)):
        assert store.lowest_acceptable(KEY, SERVER) == 4
    FileCounterStore(filled).accept(KEY, SERVER, 4)
    assert all(line.endswith(b"\n") and line.isascii() and b"\0" not in line for line in lines_of(filled))
    assert len(lines_of(filled)) == 3
    assert running.lowest_acceptable(KEY, SERVER) == 5


def test_each_changed_octet_but_those_of_the_last_line_is_found(filled: str) -> None:
    octets = Path(filled).read_bytes()
    last = len(octets) - len(lines_of(filled)[-1])
    generation = range(19, 35)
    for place in set(range(last)) - set(generation):
        changed = bytearray(octets)
        changed[place] ^= 1
        Path(filled).write_bytes(changed)
        with pytest.raises(ConfigurationError, match="again"):
            FileCounterStore(filled)


@pytest.mark.parametrize("body", [b"r 00 00 1", b"1 r 00 00 1", b"x anything", b"r " + b"0" * 49 + b" " + b"9" * 5000])
def test_a_line_that_none_of_this_file_can_be_is_refused_though_it_checks(filled: str, body: bytes) -> None:
    *lines, last = lines_of(filled)
    Path(filled).write_bytes(b"".join([*lines, b"%08x %s\n" % (crc32(body), body), last]))
    with pytest.raises(ConfigurationError, match="does not check"):
        FileCounterStore(filled)


def test_a_file_that_vanished_shrank_or_is_an_old_copy_is_refused(filled: str) -> None:
    store = FileCounterStore(filled)
    octets = Path(filled).read_bytes()
    shorter = b"".join(lines_of(filled)[:-1])
    os.unlink(filled)
    with pytest.raises(ConfigurationError, match="gone"):
        store.accept(KEY, SERVER, 100)
    Path(filled).write_bytes(shorter)
    with pytest.raises(ConfigurationError, match="shorter"):
        store.accept(KEY, SERVER, 100)
    anew = FileCounterStore(filled + "-other")
    anew.accept(KEY, SERVER, 1)
    os.replace(filled + "-other", filled)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="older"):
            store.accept(KEY, SERVER, 100)
    Path(filled).write_bytes(octets)
    assert store.accept(KEY, SERVER, 100) == 101


@pytest.mark.parametrize("octets", [b"", b"anything\n", b"cosemic-counters 2 0123456789abcdef\n"], ids=repr)
def test_another_file_is_not_taken_for_a_counter_store(path: str, octets: bytes) -> None:
    Path(path).write_bytes(octets)
    with pytest.raises(ConfigurationError, match="begin"):
        FileCounterStore(path)
    assert Path(path).read_bytes() == octets


@pytest.mark.parametrize(("key", "title"), [(KEY[:15], CLIENT), (KEY, CLIENT[:7]), (b"", b"")])
def test_counters_belong_to_an_identity_and_a_title(path: str, key: bytes, title: bytes) -> None:
    store = FileCounterStore(path)
    for use in (store.transmit_state, store.lowest_acceptable, lambda key, title: store.accept(key, title, 0)):
        with pytest.raises(ConfigurationError):
            use(key, title)


# Several at once


def test_threads_and_stores_on_one_file_never_share_a_value(path: str) -> None:
    stores = [FileCounterStore(path, block=3, compact_lines=10) for _ in range(2)]
    drawn: list[list[int]] = [[] for _ in range(6)]
    accepted: list[list[int]] = [[] for _ in range(6)]

    def work(number: int) -> None:
        store = stores[number % 2]
        for counter in range(30):
            drawn[number].append(store.transmit_counter(KEY, CLIENT).next())
            try:
                store.accept(KEY, SERVER, counter)
            except InvocationCounterError:
                continue
            accepted[number].append(counter)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = [value for each in drawn for value in each]
    assert len(set(values)) == len(values) == 180
    once = [counter for each in accepted for counter in each]
    assert len(set(once)) == len(once)


def in_child(
    live: Callable[[int], None], after: Callable[[int, int], None] = lambda pid, report: None
) -> tuple[Life, int]:
    """Run ``live`` in a forked process, which reports to a pipe; ``after`` gets its id and the pipe."""
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            live(sending)
        finally:
            os._exit(0)
    os.close(sending)
    after(pid, receiving)
    life = Life()
    octets = b""
    while part := os.read(receiving, 65536):
        octets += part
    os.close(receiving)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for line in octets.decode().splitlines():
        (life.used if line[0] == "u" else life.accepted).append(int(line[1:]))
    return life, status


def reporting_life(path: str, report: int, rounds: int | None, port: FilePort | None = None, block: int = 2) -> None:
    store = FileCounterStore(path, block=block, compact_lines=4, port=port)
    drawing = store.transmit_counter(KEY, CLIENT)
    receiving = store.receive_counter(KEY, SERVER)
    for _ in range(rounds) if rounds is not None else count():
        os.write(report, b"u%d\n" % drawing.next())
        receiving.accept(receiving.lowest)
        os.write(report, b"a%d\n" % (receiving.lowest - 1))


def kill_at_random_instants(path: str, instants: int) -> None:
    whole = Life()
    chance = random.Random(1)
    for number in range(instants):
        delay = chance.uniform(0, 0.01)
        # Every other one is killed while it opens the file, however slow the machine is; the rest while it works.
        begun = number % 2 == 0

        def kill(pid: int, report: int, delay: float = delay, begun: bool = begun) -> None:
            if begun:
                select.select([report], [], [])
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)

        life, status = in_child(lambda report: reporting_life(path, report, None), kill)
        assert status == -signal.SIGKILL
        whole.used += life.used
        whole.accepted += life.accepted
        assert len(set(whole.used)) == len(whole.used)
        assert sorted(set(whole.accepted)) == whole.accepted
    assert len(whole.used) >= instants // 2
    whole.check(FileCounterStore(path, block=2, compact_lines=4))


@pytest.mark.parametrize(
    "instants",
    [pytest.param(40, marks=forks), pytest.param(500, marks=[*forks, pytest.mark.slow])],
)
def test_sigkill_at_random_instants_repeats_nothing(path: str, instants: int) -> None:
    kill_at_random_instants(path, instants)


@pytest.mark.parametrize("block", [pytest.param(1, marks=forks), pytest.param(7, marks=forks)])
def test_processes_that_draw_at_once_never_share_a_value(path: str, block: int) -> None:
    FileCounterStore(path)
    lives: list[Life] = []

    def work(report: int) -> None:
        store = FileCounterStore(path, block=block, compact_lines=20)
        drawing = store.transmit_counter(KEY, CLIENT)
        for counter in range(150):
            os.write(report, b"u%d\n" % drawing.next())
            try:
                store.accept(KEY, SERVER, counter)
            except InvocationCounterError:
                continue
            os.write(report, b"a%d\n" % counter)

    threads = [threading.Thread(target=lambda: lives.append(in_child(work)[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = [value for life in lives for value in life.used]
    accepted = [value for life in lives for value in life.accepted]
    assert len(set(used)) == len(used) == 300
    assert len(set(accepted)) == len(accepted)
    assert max(accepted) == 149


@pytest.mark.parametrize("mark", [pytest.param(None, marks=forks)], ids=["fork"])
def test_a_forked_child_draws_values_of_its_own(path: str, mark: None) -> None:
    store = FileCounterStore(path, block=50)
    drawing = store.transmit_counter(KEY, CLIENT)
    assert drawing.next() == 0

    def work(report: int) -> None:
        for _ in range(60):
            os.write(report, b"u%d\n" % drawing.next())

    life, _ = in_child(work)
    assert len(life.used) == 60
    assert min(life.used) == 50
    assert drawing.next() == 1
    assert {drawing.next() for _ in range(100)}.isdisjoint(life.used)


def test_synchronising_follows_what_another_process_has_reserved(path: str) -> None:
    mine = FileCounterStore(path, block=10).transmit_counter(KEY, CLIENT)
    assert mine.next() == 0
    assert FileCounterStore(path, block=10).transmit_counter(KEY, CLIENT).next() == 10
    mine.synchronise()
    assert mine.next() == 20
