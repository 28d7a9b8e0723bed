"""What the meter says by itself, as its user sees it: on asyncio, blocking, and where it waits for a poll."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cosemic.association.notifications import Notified
from cosemic.association.requests import Completed, Failed, Get, Open
from cosemic.association.server import ServerAssociation
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.client import BlockingMeter, Meter
from cosemic.client.inbox import Inbox
from cosemic.errors import AssociationError, ConnectionLost, CosemicError, NotAssociated
from cosemic.link.contract import ApduReceived
from cosemic.link.hdlc import HdlcPrimaryLink, HdlcSecondaryLink
from cosemic.link.hdlc.frame import HdlcAddress
from cosemic.stack import ClientStack, Poll
from cosemic.store.security_settings import SecuritySettings
from tests.association.samples import REGISTER, VALUE, Shelf, octets
from tests.client.meters import ENERGY, QUICK, MeterEnd, World, serving

DATA = "0f000000{:02x}00120005"
CONFIRMED = "0f400000{:02x}00120005"


def run(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await body()

    asyncio.run(bounded())


def push(end: MeterEnd, form: str, number: int) -> None:
    end.link.send(bytes.fromhex(form.format(number)), source=1, destination=16)
    end.send(end.link.octets_to_send())


def pushing_world(form: str = DATA, count: int = 3) -> World:
    """A meter that pushes before each answer."""
    world = World()

    def fault(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
        if answer[0] == 0xC4:
            for one in range(count):
                push(end, form, one)
        return None

    world.fault = fault
    return world


def numbers(found: list[Notified]) -> list[int]:
    return [one.apdu.long_invoke_id_and_priority.invoke_id for one in found]  # type: ignore[union-attr]


def hang_up(end: MeterEnd, answer: bytes, number: int) -> bytes:
    end.connection.close()
    return b""


def test_notifications_wait_in_order_until_they_are_taken_and_disturb_no_call() -> None:
    async def body() -> None:
        world = pushing_world()
        async with world.server() as server, Meter.connect(f"tcp://127.0.0.1:{server.port}?client=16") as meter:
            assert await meter.read("3/1-0:1.8.0*255:2") is not None
            found = [one async for one in meter.notifications(timeout=0.05)]
            assert numbers(found)[:3] == [0, 1, 2]
            assert [one async for one in meter.notifications(timeout=0.01)] == []

    run(body)


def test_a_notification_wakes_who_waits_for_it_and_is_confirmed_while_nothing_is_asked() -> None:
    async def body() -> None:
        world = World()
        async with world.server() as server, Meter.connect(f"tcp://127.0.0.1:{server.port}?client=16") as meter:
            waiting = asyncio.create_task(anext(meter.notifications()))
            await asyncio.sleep(0)
            push(world.ends[-1], CONFIRMED, 7)
            assert numbers([await waiting]) == [7]
            while world.received[-1] != bytes.fromhex("104000000700"):
                await asyncio.sleep(0.005)
            assert await meter.read("3/1-0:1.8.0*255:2") is not None

    run(body)


def test_the_iteration_ends_when_the_meter_is_closed_and_says_so_when_the_connection_is_lost() -> None:
    async def body() -> None:
        world = World()
        async with world.server() as server:
            meter = Meter.connect(f"tcp://127.0.0.1:{server.port}?client=16")
            with pytest.raises(NotAssociated):
                await anext(meter.notifications())
            await meter.open()
            waiting = asyncio.create_task(anext(meter.notifications(), None))
            await asyncio.sleep(0)
            await meter.close()
            assert await waiting is None
            await meter.open()
            waiting = asyncio.create_task(anext(meter.notifications(), None))
            await asyncio.sleep(0)
            world.ends[-1].connection.close()
            with pytest.raises(ConnectionLost):
                await waiting

    run(body)


def test_what_nobody_takes_is_bounded_and_the_oldest_goes() -> None:
    inbox = Inbox(most=3)
    made = [object() for _ in range(5)]
    for one in made:
        inbox.put(one)  # type: ignore[arg-type]  # it only keeps them
    assert (len(inbox), inbox.missed) == (3, 2)
    assert [inbox.take() for _ in range(4)] == [*made[2:], None]


def test_who_waits_in_vain_leaves_nothing_behind() -> None:
    async def body() -> None:
        world = World()
        async with world.server() as server, Meter.connect(f"tcp://127.0.0.1:{server.port}?client=16") as meter:
            for _ in range(20):
                assert [one async for one in meter.notifications(timeout=0.0)] == []
            assert not meter.session.inbox._waiting

    run(body)


def test_the_blocking_meter_gives_the_same() -> None:
    world = pushing_world(CONFIRMED)
    url = "tcp://127.0.0.1:{}?client=16"
    with serving(world) as port, BlockingMeter.connect(url.format(port), recovery=QUICK) as meter:
        assert meter.read("3/1-0:1.8.0*255:2") is not None
        found = list(meter.notifications(timeout=0.05))
        assert numbers(found) == [0, 1, 2]
        assert meter.read("3/1-0:1.8.0*255:2") is not None
        deadline = time.monotonic() + 5
        while bytes.fromhex("104000000200") not in world.received and time.monotonic() < deadline:
            time.sleep(0.005)
        assert sum(one[0] == 0x10 for one in world.received) >= 3
        with pytest.raises(AssociationError, match="sends by itself"):
            meter.poll()
        world.fault = hang_up
        with pytest.raises(CosemicError):
            meter.get("1/0-0:96.1.0*255:2")
        with pytest.raises(ConnectionLost):
            list(meter.notifications(timeout=5.0))
    with pytest.raises(NotAssociated):
        next(meter.notifications())


def test_on_tcp_there_is_nothing_to_poll_and_the_meter_stays_open() -> None:
    async def body() -> None:
        world = World()
        async with world.server() as server, Meter.connect(f"tcp://127.0.0.1:{server.port}?client=16") as meter:
            with pytest.raises(AssociationError, match="sends by itself"):
                await meter.poll()
            assert await meter.read(ENERGY) is not None

    run(body)


class Line:
    """A client over HDLC, and a meter that may send only when it is polled."""

    def __init__(self) -> None:
        self.now = 1000.0
        shelf = Shelf()
        self.meter = ServerAssociation(ServerSettings(), shelf)
        self.secondary = HdlcSecondaryLink(1)
        address = HdlcAddress(1)
        self.stack = ClientStack(ClientSettings(), 16, 1, link=lambda client, server: HdlcPrimaryLink(client, address))
        self.frames = 0

    def say(self, apdu: bytes) -> None:
        self.meter.send(apdu)
        while octets := self.meter.octets_to_send():
            self.secondary.send(octets, source=1, destination=16)

    def ask(self, request: Any) -> list[Any]:
        self.stack.send(request)
        events = self.stack.tick(self.now)
        for _ in range(200):
            if any(isinstance(one, Completed | Failed) for one in events):
                return events
            events += self.step()
        raise AssertionError("nothing comes of it")

    def step(self) -> list[Any]:
        events: list[Any] = []
        moved = False
        while octets := self.stack.octets_to_send():
            moved = True
            self.frames += 1
            for event in self.secondary.receive(octets, self.now):
                if isinstance(event, ApduReceived):
                    self.meter.receive(event.apdu, self.now)
                    while answer := self.meter.octets_to_send():
                        self.secondary.send(answer, source=1, destination=16)
        while octets := self.secondary.octets_to_send():
            moved = True
            events += self.stack.receive(octets, self.now)
        if not moved:
            deadlines = [at for at in (self.stack.deadline(), self.secondary.deadline()) if at is not None]
            self.now = max(self.now, min(deadlines))
            events += self.stack.tick(self.now)
            self.secondary.tick(self.now)
        return events


def test_on_hdlc_an_event_waits_for_the_poll() -> None:
    line = Line()
    assert isinstance(line.ask(Open())[-1], Completed)
    line.say(bytes.fromhex("c20000080000010000ff02120005"))
    frames = line.frames
    notified, completed = line.ask(Poll())
    assert isinstance(notified, Notified)
    assert isinstance(completed, Completed)
    assert line.frames > frames
    (completed,) = line.ask(Poll())
    assert isinstance(completed, Completed)
    assert line.ask(Get(REGISTER))[0].result == VALUE
    assert not line.stack.busy


def test_a_poll_that_is_given_up_leaves_the_connection() -> None:
    line = Line()
    line.ask(Open())
    line.stack.send(Poll())
    assert line.stack.busy
    line.stack.cancel()
    assert not line.stack.busy
    assert line.stack.linked
    assert line.ask(Get(REGISTER))[0].result == VALUE


def test_a_poll_without_answer_ends_in_an_error() -> None:
    line = Line()
    line.ask(Open())
    line.stack.send(Poll())
    while line.stack.octets_to_send():
        pass
    events: list[Any] = []
    while not events:
        deadline = line.stack.deadline()
        assert deadline is not None
        line.now = max(line.now, deadline)
        events += line.stack.tick(line.now)
        while line.stack.octets_to_send():
            pass
    assert isinstance(events[0], Failed)


def test_what_could_not_be_confirmed_during_a_transfer_in_blocks_is_confirmed_after_it() -> None:
    world = World({16: ServerSettings(max_pdu_size=128)})
    world.shelf.put(REGISTER, octets(1000))
    pushed: list[int] = []

    def fault(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
        if answer[0] == 0xE0 and not pushed:
            pushed.append(number)
            push(end, CONFIRMED, 9)
        return None

    world.fault = fault

    async def body() -> None:
        settings = SecuritySettings(ClientSettings(general_blocks=True, max_pdu_size=128))
        async with (
            world.server() as server,
            Meter.connect(f"tcp://127.0.0.1:{server.port}?client=16", settings) as meter,
        ):
            assert await meter.get("3/1-0:1.8.0*255:2") == octets(1000)
            assert pushed
            while bytes.fromhex("104000000900") not in world.received:
                await asyncio.sleep(0.005)

    run(body)
