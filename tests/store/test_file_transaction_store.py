"""Transaction-ids in a file: never given twice, never accepted twice, wherever a process dies or a disk fails."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.dialect import TransactionIds
from cosemic.errors import ConfigurationError, DecipheringError, SecurityError
from cosemic.security.general import MemoryTransactionStore, Transaction, TransactionStore
from cosemic.security.general.transactions import scope_of
from cosemic.store import FileTransactionStore
from tests.effort import examples
from tests.store.disks import Disk, FailingPort, Killed, MortalPort

CLIENT = b"MMM\0\0\0\0\1"
SERVER = b"MMM\0\0\xbcaN"
KEYS, OTHERS = scope_of("wrapped", b"kek"), scope_of("wrapped", b"another")
REMEMBERED, RISING = TransactionIds.REMEMBERED, TransactionIds.RISING


def transaction(
    number: int, rule: TransactionIds = REMEMBERED, scope: bytes = KEYS, title: bytes = CLIENT
) -> Transaction:
    return Transaction(scope, title, number.to_bytes(4, "big"), rule)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "transactions")


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, path: str) -> TransactionStore:
    return MemoryTransactionStore(most=4) if request.param == "memory" else FileTransactionStore(path, most=4)


class Life:
    """What a process did with a store before it died: ids given, and ids accepted."""

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self.accepted: list[Transaction] = []
        self.number = 0

    def live(self, store: FileTransactionStore, rounds: int) -> None:
        for _ in range(rounds):
            self.given.append(store.next_own(SERVER))
            self.number += 1
            message = [transaction(self.number, RISING, OTHERS), transaction(self.number)]
            message = message if self.number % 4 == 0 else message[:1]
            store.accept(message)
            self.accepted += message

    def check(self, store: FileTransactionStore, rounds: int = 6) -> None:
        """Assert that a store opened afterwards gives nothing again, and accepts nothing again."""
        for each in self.accepted:
            assert store.has(each)
            with pytest.raises(DecipheringError):
                store.accept([each])
        assert all(store.is_own(SERVER, each) for each in self.given)
        self.live(store, rounds)
        assert len(set(self.given)) == len(self.given)
        assert self.given == sorted(self.given)


def test_an_id_is_accepted_once_for_an_originator_and_keys(store: TransactionStore) -> None:
    store.accept([transaction(7)])
    assert store.has(transaction(7))
    for rule in TransactionIds:
        with pytest.raises(DecipheringError):
            store.accept([transaction(7, rule)])
    store.accept([transaction(7, title=SERVER), transaction(7, scope=OTHERS)])
    store.accept([transaction(3)])


def test_rising_ids_leave_the_highest_alone(store: TransactionStore) -> None:
    for number in (3, 9, 10):
        store.accept([transaction(number, RISING)])
    for number in (10, 9, 8, 3, 0):
        for rule in TransactionIds:
            assert store.has(transaction(number, rule))
            with pytest.raises(DecipheringError):
                store.accept([transaction(number, rule)])
    store.accept([transaction(12)])
    store.accept([transaction(11, RISING)])
    assert store.has(transaction(12, RISING))


def test_all_ids_of_a_message_are_accepted_or_none(store: TransactionStore) -> None:
    store.accept([transaction(7, scope=OTHERS)])
    with pytest.raises(DecipheringError):
        store.accept([transaction(7), transaction(7, scope=OTHERS)])
    with pytest.raises(DecipheringError):
        store.accept([transaction(8), transaction(9)])
    assert not any(store.has(transaction(number)) for number in (7, 8, 9))
    store.accept([])


def test_what_cannot_be_remembered_is_not_accepted(store: TransactionStore) -> None:
    for number in (3, 6, 5, 1):
        store.accept([transaction(number)])
    with pytest.raises(SecurityError, match="install new keys"):
        store.accept([transaction(4, scope=OTHERS), transaction(4)])
    assert not store.has(transaction(4, scope=OTHERS))
    store.accept([transaction(7, RISING)])


def test_numbers_that_rise_never_come_to_an_end_and_none_is_accepted_twice(store: TransactionStore) -> None:
    accepted = set()
    for number in range(1, 60):
        late = number - 2 if number % 3 == 0 else number  # the one before the one before is left out, and comes late
        for each in (number, late):
            one = transaction(each)
            if each not in accepted and not store.has(one):
                with suppress(SecurityError):
                    store.accept([one])
                    accepted.add(each)
        assert number in accepted
        assert all(store.has(transaction(each)) for each in accepted)


def test_what_has_given_way_is_refused_after_a_restart_too(path: str) -> None:
    store = FileTransactionStore(path, most=4, compact_lines=1)
    for number in range(1, 30):
        store.accept([transaction(number)])
    for again in (FileTransactionStore(path, most=4), FileTransactionStore(path, most=100)):
        assert all(again.has(transaction(number)) for number in range(30))
    FileTransactionStore(path, most=4).accept([transaction(30)])


@pytest.mark.parametrize("wrong", [b"", bytes(33)])
def test_ids_that_are_empty_or_too_long_are_known_to_be_used(store: TransactionStore, wrong: bytes) -> None:
    assert store.has(transaction(1)._replace(transaction_id=wrong))
    with pytest.raises(DecipheringError):
        store.accept([transaction(1)._replace(transaction_id=wrong)])


def test_keys_that_are_gone_are_forgotten(store: TransactionStore) -> None:
    store.accept([transaction(1), transaction(1, scope=OTHERS)])
    store.forget(KEYS)
    assert not store.has(transaction(1))
    assert store.has(transaction(1, scope=OTHERS))
    store.forget(KEYS)
    store.accept([transaction(1)])


def test_own_ids_rise_from_a_random_number(store: TransactionStore) -> None:
    given = [store.next_own(SERVER) for _ in range(200)]
    first = int.from_bytes(given[0], "big")
    assert [int.from_bytes(each, "big") for each in given] == list(range(first, first + 200))
    assert all(len(each) == 8 and store.is_own(SERVER, each) for each in given)
    assert not store.is_own(SERVER, (first - 1).to_bytes(8, "big", signed=True))
    assert not store.is_own(SERVER, b"\0" + given[0])
    assert not store.is_own(CLIENT, given[0])
    assert MemoryTransactionStore().next_own(SERVER) != given[0]


def test_ids_of_several_stores_rise_in_the_order_in_which_they_are_given(path: str) -> None:
    stores = [FileTransactionStore(path, block=8) for _ in range(2)]
    given = [stores[number % 3 % 2].next_own(SERVER) for number in range(30)]
    assert given == sorted(set(given))
    assert stores[0].next_own(CLIENT) != given[-1]


def test_a_store_remembers_something(path: str) -> None:
    for wrong in (lambda: MemoryTransactionStore(0), lambda: FileTransactionStore(path, 0)):
        with pytest.raises(ConfigurationError, match="at least one"):
            wrong()
    for each in (transaction(1)._replace(scope=b"short"), transaction(1)._replace(title=b"short")):
        with pytest.raises(ConfigurationError, match="16 octets"):
            FileTransactionStore(path).accept([each])


def test_every_opening_knows_what_another_has_accepted_and_given(path: str) -> None:
    first, second = FileTransactionStore(path, block=4), FileTransactionStore(path, block=4)
    first.accept([transaction(1), transaction(5, RISING, OTHERS)])
    for each in (second, FileTransactionStore(path)):
        assert each.has(transaction(1))
        assert each.has(transaction(4, RISING, OTHERS))
        assert not each.has(transaction(6, RISING, OTHERS))
    given = [each.next_own(SERVER) for each in (first, second, first, second) for _ in range(3)]
    assert len(set(given)) == len(given)
    first.forget(KEYS)
    assert not second.has(transaction(1))


def test_long_journals_are_written_anew_and_others_follow(path: str) -> None:
    first, second = FileTransactionStore(path, compact_lines=4), FileTransactionStore(path, compact_lines=4)
    for number in range(1, 60):
        (first if number % 3 else second).accept([transaction(number, RISING)])
        assert len(Path(path).read_bytes().splitlines()) < 12
    assert second.has(transaction(59, RISING))
    assert not first.has(transaction(60, RISING))


@pytest.mark.parametrize("how", ["before", "middle", "after"])
def test_a_kill_at_each_write_fsync_and_rename_repeats_nothing(how: str) -> None:
    dry = MortalPort(beneath=Disk())
    Life().live(FileTransactionStore("transactions", block=2, compact_lines=2, port=dry), 12)
    assert {"write", "fsync", "replace", "fsync_directory"} <= set(dry.calls[4:])
    for at in range(1, len(dry.calls) + 1):
        disk, life = Disk(), Life()
        with pytest.raises(Killed):
            life.live(FileTransactionStore("transactions", 2, compact_lines=2, port=MortalPort(at, how, disk)), 12)
        life.number += 1  # the id of the message that was being accepted may be used up
        life.check(FileTransactionStore("transactions", 2, compact_lines=2, port=disk))


@examples(100)
@given(
    st.integers(1, 60),
    st.sampled_from(["before", "middle", "after"]),
    st.booleans(),
    st.floats(0, 1),
    st.booleans(),
    st.integers(1, 40),
)
def test_loss_of_power_at_any_call_repeats_nothing(
    at: int, how: str, keep_names: bool, kept: float, zeros: bool, again: int
) -> None:
    disk, life = Disk(), Life()
    for number in (at, again):
        try:
            life.live(FileTransactionStore("t", 2, compact_lines=2, port=MortalPort(number, how, disk)), 10)
        except Killed:
            disk.lose_power(keep_names, kept, zeros)
            life.number += 1
    life.check(FileTransactionStore("t", 2, compact_lines=2, port=disk))


def test_a_disk_that_forgets_everything_is_noticed_by_the_model() -> None:
    disk, life = Disk(), Life()
    life.live(FileTransactionStore("t", port=disk), 5)
    disk.names.clear()
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        life.check(FileTransactionStore("t", port=disk))


def test_a_failing_medium_gives_and_accepts_nothing(tmp_path: Path) -> None:
    for at in range(5, 40, 3):
        path = str(tmp_path / f"transactions-{at}")
        store = FileTransactionStore(path, 2, compact_lines=2, port=FailingPort(at))
        other = FileTransactionStore(path, 2, compact_lines=2)
        life = Life()
        with pytest.raises(SecurityError, match="transaction store"):
            life.live(store, 20)
        life.number += 1
        for each in (other, store, FileTransactionStore(path, 2, compact_lines=2)):
            life.live(each, 2)
            for accepted in life.accepted:
                assert each.has(accepted)
        assert len(set(life.given)) == len(life.given)


def test_after_a_failed_fsync_the_file_is_written_anew(path: str) -> None:
    store = FileTransactionStore(path, port=FailingPort(6))
    generation = Path(path).read_bytes().splitlines()[0]
    with pytest.raises(SecurityError, match="Input/output error"):
        store.accept([transaction(4)])
    assert Path(path).read_bytes().splitlines()[0] == generation
    store.accept([transaction(9)])
    assert Path(path).read_bytes().splitlines()[0] != generation
    assert FileTransactionStore(path).has(transaction(9))


@pytest.fixture
def filled(path: str) -> str:
    Life().live(FileTransactionStore(path, block=2), 6)
    return path


@pytest.mark.parametrize("tail", [b"1", b"\0" * 40, b"deadbeef 9 a", b"\xff" * 200, b"00000000 1 a:00\n"], ids=repr)
def test_an_unfinished_last_line_counts_as_not_written(filled: str, tail: bytes) -> None:
    with open(filled, "ab") as file:
        file.write(tail)
    generation = Path(filled).read_bytes().splitlines()[0]
    store = FileTransactionStore(filled)
    assert store.has(transaction(4))
    assert store.has(transaction(6, RISING, OTHERS))
    store.accept([transaction(7)])
    assert Path(filled).read_bytes().splitlines()[0] != generation
    assert FileTransactionStore(filled).has(transaction(7))


def test_each_changed_octet_but_those_of_the_last_line_is_found(filled: str) -> None:
    octets = Path(filled).read_bytes()
    for place in range(octets.rindex(b"\n", 0, -1) + 1):
        changed = bytearray(octets)
        changed[place] ^= 4
        Path(filled).write_bytes(changed)
        if octets.startswith(b"cosemic-transactions 1 ") and 23 <= place < 39:
            continue  # the generation is random
        with pytest.raises(ConfigurationError, match="transaction store"):
            FileTransactionStore(filled)


def test_a_line_that_is_missing_is_found(filled: str) -> None:
    header, *lines = Path(filled).read_bytes().splitlines(keepends=True)
    for missing in range(1, len(lines) - 2):
        Path(filled).write_bytes(b"".join([header, *lines[:missing], *lines[missing + 1 :]]))
        with pytest.raises(ConfigurationError, match="does not check"):
            FileTransactionStore(filled)


def test_a_file_that_vanished_shrank_or_is_an_old_copy_is_refused(filled: str) -> None:
    store = FileTransactionStore(filled, compact_lines=1)
    old = Path(filled).read_bytes()
    store.accept([transaction(8)])
    new = Path(filled).read_bytes()
    for octets, how in ((old, "older|shorter"), (new[:-20], "shorter|older"), (b"", "begin"), (None, "gone")):
        if octets is None:
            os.unlink(filled)
        else:
            Path(filled).write_bytes(octets)
        with pytest.raises(ConfigurationError, match=how):
            store.accept([transaction(9)])
    Path(filled).write_bytes(new)
    store.accept([transaction(9)])


def test_another_file_is_not_taken_for_a_transaction_store(path: str) -> None:
    Path(path).write_bytes(b"cosemic-counters 1 0123456789abcdef\n")
    with pytest.raises(ConfigurationError, match="begin"):
        FileTransactionStore(path)
    with pytest.raises(SecurityError, match="folder"):
        FileTransactionStore(path + "-missing/transactions")


def test_threads_and_stores_on_one_file_share_no_id_and_accept_nothing_twice(path: str) -> None:
    stores = [FileTransactionStore(path, block=3) for _ in range(2)]
    given: list[bytes] = []
    accepted: list[int] = []

    def work(store: FileTransactionStore) -> None:
        for number in range(12):
            given.append(store.next_own(SERVER))
            try:
                store.accept([transaction(number)])
            except DecipheringError:
                continue
            accepted.append(number)

    threads = [threading.Thread(target=work, args=(store,)) for store in stores for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(given)) == len(given) == 48
    assert sorted(accepted) == list(range(12))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_gives_ids_of_its_own_or_none(path: str) -> None:
    durable, fleeting = FileTransactionStore(path, block=8), MemoryTransactionStore()
    durable.next_own(SERVER)
    fleeting.next_own(SERVER)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            refused = 0
            for act in (lambda: fleeting.next_own(SERVER), lambda: fleeting.accept([transaction(1)])):
                try:
                    act()
                except ConfigurationError:
                    refused += 1
            os.write(writing, durable.next_own(SERVER) + bytes((refused,)))
        finally:
            os._exit(0)
    os.close(writing)
    told = os.read(reading, 100)
    os.close(reading)
    os.waitpid(child, 0)
    assert told[8:] == b"\2"
    assert told[:8] not in {durable.next_own(SERVER) for _ in range(20)}


def test_the_file_holds_no_key_and_nobody_else_may_read_it(filled: str) -> None:
    assert os.stat(filled).st_mode & 0o077 == 0 or os.name == "nt"
    assert b"kek" not in Path(filled).read_bytes()
