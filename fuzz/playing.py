"""A station that is talked to: in virtual time, driven as the contract of links says, and looked at afterwards.

What every station has to keep, whatever is said to it:

- no exception from ``receive``, ``tick``, ``octets_to_send``; nothing after LinkFailed;
- it comes to rest at each moment (:class:`~cosemic.faults.station.Driver` sees to it), and after a silence of
  :data:`LONG` seconds nothing is left to be done;
- what it holds is bounded, however often the same is said;
- how octets are cut into ``receive`` calls makes no difference to the events, nor to what is sent.
"""

from __future__ import annotations

import gc
import random
import re
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial
from typing import Any, Final
from zlib import crc32

from cosemic.association.requests import Aborted
from cosemic.errors import CosemicError
from cosemic.faults import Driver, VirtualTime
from cosemic.link.contract import LinkFailed
from cosemic.server import PhysicalDevice
from cosemic.values import LineSettings
from fuzz.conversation import PAUSES, PIECES, Message, decode, disturb, encode
from fuzz.repair import repaired
from fuzz.target import Target, vectors

LONG: Final = 4 * 3600.0
FLOOD_EVERY: Final = 61
"""One in so many inputs is said again and again, up to :data:`FLOOD` octets."""
CUT_EVERY: Final = 5
"""One in so many is said to two stations, to one of them octet by octet."""
FLOOD: Final = 1 << 16
MOST_HELD: Final = 1 << 14
"""Octets, and entries of containers, that a station may hold on top of what it holds from the start."""


def nothing(event: Any) -> None:
    """Do nothing."""


@dataclass(slots=True)
class Subject:
    """A station and its user.

    machine: what is driven; inlets: the machines that octets come to, where there are several. react: what its user
    does about an event. acts: what he does of his own accord; his own mistakes (CosemicError) are his. begin: what he
    does at first. rests: whether nothing is left to be done after a long silence; most_held: see :data:`MOST_HELD`.
    check: looks at the machine at the end.
    """

    machine: Any
    react: Callable[[Any], object] = nothing
    acts: Sequence[Callable[[], object]] = ()
    begin: Callable[[], object] | None = None
    inlets: Sequence[Any] = ()
    changed: Callable[[], Iterable[Any]] = tuple
    rests: bool = True
    most_held: int = MOST_HELD
    check: Callable[[], object] | None = None


@dataclass(slots=True)
class Outlet:
    """A port whose octets go nowhere, or to whoever records them."""

    time: VirtualTime
    closed: bool = False
    peer: str = "nobody"
    written: int = 0
    """A checksum of all that was written."""

    def attach(self, receiver: Any, /) -> None:
        """Take the receiver."""

    def write(self, octets: bytes, /) -> None:
        """Forget octets."""
        self.written = crc32(octets, self.written)

    def set_line(self, line: LineSettings, /) -> None:
        """Forget the line."""

    def close(self) -> None:
        """Be closed."""
        self.closed = True


class _Station(Driver):
    """A driver that lets others serve what it has changed at them."""

    def __init__(
        self, machine: Any, outlet: Outlet, told: Callable[[Any], object], after: Callable[[], object]
    ) -> None:
        self._after = after
        super().__init__(machine, outlet, told)

    def go_on(self) -> None:
        """Send what is due, here and then elsewhere."""
        super().go_on()
        if not self._working:
            self._after()

    def hear(self, octets: bytes) -> Sequence[Any]:
        """Hand in octets, and do nothing about it."""
        return self._machine.receive(octets, self.time.now) or ()

    def act(self, events: Sequence[Any]) -> None:
        """Do about it."""
        self._take(events)
        self.go_on()


class Played:
    """One subject, driven."""

    def __init__(self, subject: Subject) -> None:
        self.time = VirtualTime()
        self.subject = subject
        self.failed: set[int] = set()
        """Machines whose link has failed."""
        self.over = False
        self.told = deque[str](maxlen=64)
        machines = subject.inlets or (subject.machine,)
        self.outlets = [Outlet(self.time) for _ in machines]
        self.drivers = [
            _Station(machine, outlet, partial(self._told, number), self._serve)
            for number, (machine, outlet) in enumerate(zip(machines, self.outlets, strict=True))
        ]
        self._by_machine = {id(machine): each for machine, each in zip(subject.inlets, self.drivers, strict=False)}
        if subject.begin is not None:
            self._do(subject.begin)
        self.drivers[0].go_on()

    def say(self, message: Message) -> None:
        """Let the pause pass, then hand in the octets."""
        self._prepare(message)
        driver = self.drivers[message.inlet % len(self.drivers)]
        cut = 1 if message.act == PIECES else len(message.octets) or 1
        for start in range(0, len(message.octets), cut):
            # A medium may use its octets again.
            octets = bytearray(message.octets[start : start + cut])
            driver.octets_received(octets)  # type: ignore[arg-type]  # the contract of links takes any
            octets[:] = bytes(len(octets))

    def say_in_pieces(self, message: Message, cut: int) -> list[Any]:
        """The same in pieces that come one right after the other; return what comes of it, before it is acted on."""
        self._prepare(message)
        driver = self.drivers[message.inlet % len(self.drivers)]
        events: list[Any] = []
        for start in range(0, len(message.octets), cut):
            events += driver.hear(message.octets[start : start + cut])
        driver.act(events)
        return events

    def _prepare(self, message: Message) -> None:
        """Let the pause pass, and the user do what he does."""
        self.time.run_for(PAUSES[message.pause])
        acts = self.subject.acts
        if acts and 0 < message.act < PIECES and not self.over:
            self._do(acts[(message.act - 1) % len(acts)])
            self.drivers[0].go_on()

    def end(self) -> None:
        """Let a long time pass, and look at what is left."""
        rests = self.time.run_until_idle(LONG if self.subject.rests else 300.0)
        assert rests or not self.subject.rests, f"after {LONG} s of silence something is left to be done"
        if self.subject.check is not None:
            self.subject.check()

    def _told(self, number: int, event: Any) -> None:
        assert number not in self.failed, f"{event} after LinkFailed"
        if isinstance(event, LinkFailed):
            self.failed.add(number)
        # A driver closes the medium then, and asks for nothing more.
        self.over = self.over or isinstance(event, LinkFailed | Aborted)
        self.told.append(repr(event))
        if not self.over:
            self._do(partial(self.subject.react, event))

    def _do(self, act: Callable[[], object]) -> None:
        try:
            act()
        except CosemicError as error:
            str(error)

    def _serve(self) -> None:
        """Let what one machine has made due at another be sent."""
        for machine in self.subject.changed():
            self._by_machine[id(machine)].go_on()


def play(makers: Sequence[Callable[[], Subject]], octets: bytes, *, streams: bool = True) -> int:
    """Say a conversation to a station. One in so many is said until it floods, or octet by octet on a stream.

    Returns how many octets were said in all.
    """
    scenario, messages = decode(octets)
    make = makers[scenario % len(makers)]
    played = Played(make())
    for message in messages:
        played.say(message)
    played.end()
    chance = crc32(octets)
    said = len(octets)
    if chance % FLOOD_EVERY == 0:
        said += _flood(make, messages, chance // FLOOD_EVERY)
    if messages and streams and chance % CUT_EVERY == 0:
        _cut(make, messages[: 1 + chance // CUT_EVERY % len(messages)])
        said += 2 * len(octets)
    return said


def _cut(make: Callable[[], Subject], messages: Sequence[Message]) -> None:
    """Say the last message in one piece and octet by octet: what came before is the same, time-outs included."""
    came, sent = [], []
    last = messages[-1]
    for cut in (len(last.octets) or 1, 1):
        played = Played(make())
        for message in messages[:-1]:
            played.say(message)
        came.append([_seen(event) for event in played.say_in_pieces(last, cut)])
        sent.append([outlet.written for outlet in played.outlets])
    assert came[0] == came[1], f"{came[0]} in one piece, {came[1]} in several"
    assert sent[0] == sent[1], "other octets are sent when they come in several pieces"


def _seen(event: Any) -> str:
    return re.sub("0x[0-9a-f]+", "", repr(event))


def _flood(make: Callable[[], Subject], messages: Sequence[Message], chance: int) -> int:
    """Say everything again and again, or a part of one message, each time a little different; nothing piles up."""
    played = Played(make())
    before = held(played.subject)
    varied = bool(messages) and chance % 2 == 0
    if varied:
        at = chance // 2 % len(messages)
        for message in messages[:at]:
            played.say(message)
        again = _varied(messages[at], chance)
    else:
        length = sum(len(each.octets) for each in messages) + 16 * len(messages) + 1
        again = (message for _ in range(max(FLOOD // length, 1)) for message in messages)
    for message in again:
        played.say(message)
    growth = held(played.subject) - before
    assert growth <= played.subject.most_held, f"{growth} octets and entries are held"
    played.end()
    return FLOOD


def _varied(message: Message, chance: int) -> Iterator[Message]:
    """Say a message, or its beginning, without a pause and with a number in one of its octets."""
    octets = bytearray(message.octets)
    if chance & 4:
        del octets[1 + chance // 8 % (len(octets) or 1) :]
    for number in range(FLOOD // (len(octets) + 16)):
        if octets:
            octets[chance // 64 % len(octets)] = number & 0xFF
        yield Message(repaired(bytes(octets)) if chance & 8 else bytes(octets), 0, message.inlet)


_OPAQUE: Final = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.CodeType, Enum,
    PhysicalDevice, Driver, VirtualTime, random.Random,
)  # fmt: skip


def held(subject: Subject) -> int:
    """Return how many octets, characters and entries of containers the machines hold, all told."""
    machines = subject.inlets or (subject.machine,)
    seen: set[int] = set()
    open_ = deque[Any](machines)
    total = 0
    while open_:
        each = open_.pop()
        if id(each) in seen or isinstance(each, _OPAQUE):
            continue
        seen.add(id(each))
        if isinstance(each, bytes | bytearray | str | list | dict | set | tuple | deque):
            total += len(each)
        if not isinstance(each, bytes | bytearray | str | int | float):
            open_.extend(gc.get_referents(each))
    return total


def conversing(
    makers: Sequence[Callable[[], Subject]],
    recorded: Callable[[], Sequence[Sequence[Message]]],
    *,
    streams: bool = True,
) -> Target:
    """Return a target of these stations.

    recorded: what honest peers say to each of them. streams: whether that are octets, not datagrams.
    """

    @cache
    def corpus() -> list[bytes]:
        found = [encode(number, messages) for number, messages in enumerate(recorded())]
        others = [Message(octets) for octets in vectors()]
        draw = random.Random(len(others))
        return found * 8 + [encode(number, draw.sample(others, 8)) for number in range(len(makers)) for _ in range(2)]

    return Target(partial(play, makers, streams=streams), corpus=corpus, mutate=disturb)
