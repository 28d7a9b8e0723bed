"""kill -9 while a meter takes keys and a policy: it has all of them or none, and nothing that came before comes again.

The meter dies before each statement on its state file, and before, and in or after, each write, fsync and rename of
its invocation counters.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cosemic.apdu import AARE
from cosemic.codec import DataType, EncodedData
from cosemic.model.security_setup import SetupKeyId
from cosemic.security import SecurityMaterial
from cosemic.server import LogicalDevice
from cosemic.server.state import StateFile
from cosemic.store import FileCounterStore
from cosemic.store.file_port import FilePort
from cosemic.values import ActionResult, AssociationResult, AuthenticationMechanism, Secret
from tests.server.security_support import (
    GAK,
    GUEK,
    KEK,
    MANAGER,
    NAME,
    SETUP,
    client_settings,
    device_of,
    keys_of,
    octets,
    server_settings,
    settings_of,
    transfer,
    wrapped,
)
from tests.server.support import Local

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
OLD = {GUEK: octets(0x10, 1), GAK: octets(0xD0, 1), KEK: octets(0x80, 1)}
NEW = {GUEK: octets(0x21, 1), GAK: octets(0x22, 1), KEK: octets(0x23, 1)}
POLICY = 0x6C
LOWEST = AuthenticationMechanism.LOWEST


class Death:
    """Kills the process at the call of that number; 0: never. how: before it, in its middle, after it."""

    def __init__(self, at: int = 0, how: str = "before") -> None:
        self.at = at
        self.how = how
        self.calls = 0

    def call(self, do: Callable[[], Any], halfway: Callable[[], Any] = lambda: None) -> Any:
        self.calls += 1
        if self.calls != self.at:
            return do()
        {"before": lambda: None, "middle": halfway, "after": do}[self.how]()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a killed process went on")


class Port(FilePort):
    def __init__(self, death: Death) -> None:
        self._death = death

    def write(self, descriptor: int, octets: bytes) -> int:
        whole, part = super().write, octets[: len(octets) // 2]
        return int(self._death.call(lambda: whole(descriptor, octets), lambda: whole(descriptor, part)))

    def fsync(self, descriptor: int) -> None:
        whole = super().fsync
        self._death.call(lambda: whole(descriptor))

    def replace(self, source: str, target: str) -> None:
        whole = super().replace
        self._death.call(lambda: whole(source, target))

    def fsync_directory(self, path: str) -> None:
        whole = super().fsync_directory
        self._death.call(lambda: whole(path))


class Statements:
    """A connection whose every statement counts as a call."""

    def __init__(self, connection: sqlite3.Connection, death: Death) -> None:
        self._connection = connection
        self._death = death

    def execute(self, *what: Any) -> Any:
        return self._death.call(lambda: self._connection.execute(*what))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class Place:
    """A meter and a client in files, and what passed between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.passed = folder / "passed"
        self.passed.touch()

    def meter(self, death: Death | None = None) -> LogicalDevice:
        death = death or Death()
        file = StateFile(self.folder / "state")
        file.connection = Statements(file.connection, death)  # type: ignore[assignment]
        # Each value is written, and the file anew after a few of them.
        counters = FileCounterStore(self.folder / "meter", 1, compact_lines=2, port=Port(death))
        settings = server_settings(1, 1, mechanism=LOWEST, counters=counters)
        return device_of(settings, state=file.of(NAME))

    def client(self, device: LogicalDevice) -> Local:
        """Open an association with the keys that the meter has; what is sent is noted before it arrives."""
        kept = keys_of(device)
        material = SecurityMaterial.of(Secret(kept[GUEK]), Secret(kept[GAK]), suite=1, kek=Secret(kept[KEK]))
        counters = FileCounterStore(self.folder / "client", 1)
        local = Local(device, MANAGER, client_settings(1, mechanism=LOWEST, material=material, counters=counters))
        take: Callable[..., Any] = local.server.receive

        def noted(apdu: bytes, now: float) -> Any:
            with self.passed.open("a") as passed:
                passed.write(apdu.hex() + "\n")
            return take(apdu, now)

        local.server.receive = noted  # type: ignore[method-assign]
        return local.open()

    def live(self, death: Death, tell: Callable[[bytes], object]) -> None:
        device = self.meter(death)
        wrapping = Secret(keys_of(device)[KEK])
        entries = [(key_id.value, wrapped(key, 1, wrapping)) for key_id, key in NEW.items()]
        if self.client(device).act(64, str(SETUP), 2, transfer(1, entries)).result is ActionResult.SUCCESS:
            tell(b"k")
        activated = self.client(device).act(64, str(SETUP), 1, EncodedData.of(DataType.ENUM, POLICY))
        if activated.result is ActionResult.SUCCESS:
            tell(b"p")

    def killed(self, at: int, how: str) -> tuple[bytes, int]:
        """Live in a process that dies there; returns what was answered, and the number of calls where it did not."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                death = Death(at, how)
                self.live(death, lambda what: os.write(writing, what))
                os.write(writing, b"=%d" % death.calls)
            os._exit(0)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        told, _, calls = os.read(reading, 100).partition(b"=")
        os.close(reading)
        assert os.WIFSIGNALED(status) == (not calls), "the child failed by itself"
        return told, int(calls or 0)

    def check(self, told: bytes) -> None:
        device = self.meter()
        kept = {key_id: Secret(key) for key_id, key in keys_of(device).items() if key_id in OLD}
        policy = settings_of(device).policy.value
        assert kept in (OLD, NEW)
        assert policy in (0, POLICY)
        assert kept == NEW or policy == 0
        if b"k" in told:
            assert kept == NEW
        if b"p" in told:
            assert policy == POLICY
        self.replay(kept, policy)

    def replay(self, kept: dict[SetupKeyId, Secret], policy: int) -> None:
        """Whatever has passed comes again, with an association of each of them and within the one that stands."""
        device = self.meter()
        standing, again = self.client(device), Local(device, MANAGER).server
        answers = []
        for line in set(self.passed.read_text().split()):
            for association in (standing.server, again):
                association.receive(bytes.fromhex(line), 0.0)
                answers.append(association.octets_to_send())
        after = {key_id: Secret(key) for key_id, key in keys_of(device).items() if key_id in OLD}
        assert (after, settings_of(device).policy.value) == (kept, policy)
        for answer in answers:  # refused, each of them
            assert answer[:1] in (b"", b"\x61", b"\xd8")
            assert answer[:1] != b"\x61" or AARE.decode(answer).result is not AssociationResult.ACCEPTED
        self.client(self.meter()).get(64, str(SETUP), 2)


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Place]:
    def made() -> Iterator[Place]:
        number = 0
        while True:
            number += 1
            (tmp_path / str(number)).mkdir()
            yield Place(tmp_path / str(number))

    return made()


@pytest.mark.parametrize("step", [37, pytest.param(1, marks=pytest.mark.slow)])
def test_a_meter_that_is_killed_has_all_new_keys_or_none_and_takes_nothing_again(
    places: Iterator[Place], step: int
) -> None:
    told, calls = next(places).killed(0, "before")
    assert told == b"kp"
    assert calls > 30
    seen = set()
    for at in range(1, calls + 1, step):
        for how in ("before", ("middle", "after")[at % 2]):
            place = next(places)
            told, _ = place.killed(at, how)
            place.check(told)
            seen.add(told)
    assert step > 1 or seen == {b"", b"k"}  # the last call is the one that keeps the policy
