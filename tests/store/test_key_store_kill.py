"""kill -9 while a key store changes: before or after the change, never between, and every key stays readable."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cosemic.errors import CosemicError
from cosemic.store.key_store import KeyFile, KeyStore, NewRecord
from cosemic.store.key_store.file import KeyStoreFile
from cosemic.store.key_store.shipments import Shipped, import_shipment
from cosemic.values import Secret
from tests.store.kept_keys import GAK, GUEK, KEK, Kept, key, record

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 needs a POSIX system")


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def in_a_child(do: Callable[[], object], delay: float | None = None) -> bool:
    """Run it in a process that is killed after some seconds; tells whether it had ended by then."""
    child = os.fork()
    if child == 0:
        try:
            do()
        except BaseException:
            os._exit(1)
        os._exit(0)
    if delay is not None:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return os.WIFEXITED(status)


def dying_at(number: int, do: Callable[[], object]) -> Callable[[], object]:
    """Kill the process before its nth statement on the file."""
    plain, count = KeyStoreFile.rows, 0

    def rows(self: KeyStoreFile, statement: str, *values: object) -> object:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(self, statement, *values)

    def killed() -> None:
        KeyStoreFile.rows = rows  # type: ignore[method-assign, assignment]
        do()

    return killed


def shipment(meters: int) -> list[Shipped]:
    records = tuple(NewRecord(kind, Secret(bytes(16))) for kind in (GAK, KEK))
    return [
        Shipped(f"line {n}", f"s{n:04}", b"", 0, (NewRecord(GUEK, Secret(n.to_bytes(16, "big"))), *records))
        for n in range(1, meters + 1)
    ]


def check_all_keys(kept: Kept) -> int:
    """Every meter has all of its keys, and they are the right ones; returns how many were imported."""
    with kept.open() as store:
        store.check()
        names = [meter.name for meter in store.meters()]
        assert names[:2] == ["m1", "m2"]
        assert store.material("m1", purpose="test").encryption_key.reveal() == key(1).reveal()
        assert store.material("m2", purpose="test").encryption_key.reveal() == key(4).reveal()
        with store.view() as view:
            for name in names[2:]:
                own = NewRecord(GUEK, Secret(int(name[1:]).to_bytes(16, "big")))
                assert view.differing(name, [own, NewRecord(KEK, Secret(bytes(16)))]) == []
        return len(names) - 2


def rotating(kept: Kept, *, data_keys: bool) -> Callable[[], object]:
    return lambda: kept.change(lambda store: store.rotate(kept.key_file, purpose="test", data_keys=data_keys))


def importing(kept: Kept, meters: list[Shipped]) -> Callable[[], object]:
    return lambda: kept.change(lambda store: import_shipment(store, meters, purpose="test"))


EVERY = pytest.param(1, marks=pytest.mark.slow)


@pytest.mark.parametrize("data_keys", [False, True])
@pytest.mark.parametrize("step", [23, EVERY])
def test_a_rotation_that_is_killed_at_a_statement_is_made_or_not_made(kept: Kept, step: int, data_keys: bool) -> None:
    number, ended = 1, False
    while not ended:
        ended = in_a_child(dying_at(number, rotating(kept, data_keys=data_keys)))
        check_all_keys(kept)
        number += step
    assert number > 40


@pytest.mark.parametrize("step", [13, EVERY])
def test_a_change_that_is_killed_at_a_statement_is_made_or_not_made(kept: Kept, step: int) -> None:
    def change() -> None:
        with kept.open() as store, store.change("test") as made:
            made.add("m1", [record(GUEK, 1), record(GAK, 2)], pending=True)
            made.promote("m1")

    number, ended = 1, False
    while not ended:
        ended = in_a_child(dying_at(number, change))
        with kept.open() as store:
            store.check()
            states = [each.state.value for each in store.meter("m1").records]
        assert states.count("previous") == (2 if ended else 0)
        number += step


@pytest.mark.parametrize("step", [13, EVERY])
def test_making_a_store_that_is_killed_can_be_made_again(tmp_path: Path, step: int) -> None:
    file, path = KeyFile.make(tmp_path / "key"), tmp_path / "store"

    def make() -> None:
        KeyStore.create(path, file).close()

    number, ended = 1, False
    while not ended:
        for each in tmp_path.glob("store*"):
            each.unlink()
        ended = in_a_child(dying_at(number, make))
        try:
            KeyStore(path, file).close()
        except CosemicError:
            make()
        number += step
    assert number > 10


def kill_imports(kept: Kept, runs: int, seed: int, meters: list[Shipped]) -> None:
    drawn = random.Random(seed)
    before = time.monotonic()
    assert in_a_child(importing(kept, meters[:20]))
    whole = (time.monotonic() - before) * len(meters) / 20
    kept_before = check_all_keys(kept)
    for _ in range(runs):
        in_a_child(importing(kept, meters), drawn.uniform(0, whole * 1.2 / 4))
        now = check_all_keys(kept)
        assert now >= kept_before, "what an import has kept is not lost"
        kept_before = now
    assert in_a_child(importing(kept, meters))
    assert check_all_keys(kept) == len(meters), "the same import once more ends it"


def kill_rotations(kept: Kept, runs: int, seed: int) -> None:
    drawn = random.Random(seed)
    kept.change(lambda store: import_shipment(store, shipment(60), purpose="test"))
    for number in range(runs):
        in_a_child(rotating(kept, data_keys=bool(number % 2)), drawn.uniform(0, 0.08))
        assert check_all_keys(kept) == 60


def test_imports_killed_at_random_lose_nothing(kept: Kept) -> None:
    kill_imports(kept, 2, 20261121, shipment(80))


def test_rotations_killed_at_random_leave_every_key_readable(kept: Kept) -> None:
    kill_rotations(kept, 4, 20261121)


@pytest.mark.slow
def test_many_imports_killed_at_random_lose_nothing(kept: Kept) -> None:
    kill_imports(kept, 30, random.SystemRandom().randrange(1 << 32), shipment(800))


@pytest.mark.slow
def test_many_rotations_killed_at_random_leave_every_key_readable(kept: Kept) -> None:
    kill_rotations(kept, 100, random.SystemRandom().randrange(1 << 32))
