"""The asyncio driver and Meter: what is lost, late or cancelled leaves nothing behind."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cosemic.association.requests import Get, Set
from cosemic.association.settings import ClientSettings
from cosemic.client import Meter
from cosemic.client.asynchronous import AsyncDriver
from cosemic.client.recovery import NONE
from cosemic.client.session import Session
from cosemic.client.steps import Procedure, Wait
from cosemic.client.timepiece import machine_time
from cosemic.codec import DataType, EncodedData
from cosemic.errors import (
    AssociationError,
    AssociationRejected,
    ConnectionFailed,
    ConnectionLost,
    CosemicError,
    NotAssociated,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
)
from cosemic.stack import ClientStack
from cosemic.store.security_settings import SecuritySettings
from cosemic.transport.contract import Connection, Receiver
from cosemic.transport.memory import memory_pair
from cosemic.values import Quantity, Unit
from tests.association.samples import VALUE, M, octets, settings
from tests.client.meters import CLIENT, ENERGY, PUBLIC, MeterEnd, World, at, mute
from tests.transport.samples import free_port, run

REGISTER = f"3/{ENERGY}:2"
LONG = at(1, "0-0:96.1.0", 2)


def url(port: int, **options: Any) -> str:
    return f"tcp://127.0.0.1:{port}?" + "&".join(f"{name}={value}" for name, value in options.items())


Use = Callable[[Meter, World], Awaitable[None]]


def over_tcp(use: Use, world: World | None = None, security: Any = None, **options: Any) -> World:
    """Use an open meter over real TCP; nothing may be left behind."""
    there = world or World()

    async def scenario() -> None:
        async with (
            there.server() as server,
            Meter.connect(url(server.port, **options), security, recovery=NONE) as meter,
        ):
            await use(meter, there)

    run(scenario)
    return there


async def in_memory(world: World, client: ClientSettings | None = None, **more: Any) -> tuple[AsyncDriver, Session]:
    """A driver on a connection in memory, its association open."""
    security = SecuritySettings(client or ClientSettings(response_timeout=0.05))
    session = Session(security, lambda: ClientStack(security.client, PUBLIC, 1), dt.UTC, NONE)

    async def connect(receiver: Receiver) -> Connection:
        return memory_pair(lambda _: receiver, world.receiver, **more)[0]

    driver = AsyncDriver(session, connect, machine_time)
    await driver.run(session.open())
    return driver, session


def one(request: Any) -> Any:
    """The procedure of a single request."""
    return (yield request)


# ---- the usual ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_requests_over_a_medium_that_cuts_anywhere(chunk: int | None) -> None:
    async def scenario() -> None:
        world = World()
        world.shelf.put(LONG, octets(500))
        driver, session = await in_memory(world, ClientSettings(max_pdu_size=64), chunk=chunk)
        assert (await driver.run(session.get(REGISTER))).value() == 12345678
        assert await driver.run(session.get("1/0-0:96.1.0")) == octets(500)
        await driver.run(session.release())
        await driver.close()

    run(scenario)


def test_a_meter_is_opened_used_and_closed_over_tcp() -> None:
    async def use(meter: Meter, world: World) -> None:
        assert meter.opened is not None
        assert await meter.read(ENERGY) == Quantity(12345678, -3, 30)

    world = over_tcp(use)
    assert [apdu[0] for apdu in world.received] == [0x60, 0xC0, 0xC0, 0x62] or world.received[-1][0] == 0x62


def test_a_meter_can_be_awaited_and_opened_again() -> None:
    async def scenario() -> None:
        async with World().server() as server:
            meter = await Meter.connect(url(server.port))
            with pytest.raises(AssociationError, match="open already"):
                await meter.open()
            await meter.close()
            await meter.close()
            with pytest.raises(NotAssociated):
                await meter.read(REGISTER)
            before = meter.traffic.round_trips
            await meter.open()
            assert meter.traffic.round_trips < before + 1
            assert (await meter.get(REGISTER)).value() == 12345678
            await meter.close()
            assert meter.opened is None
            async with await Meter.connect(url(server.port)) as both:
                assert (await both.get(REGISTER)).value() == 12345678
            assert both.opened is None

    run(scenario)


def test_concurrent_calls_queue() -> None:
    async def use(meter: Meter, world: World) -> None:
        for number in range(20):
            world.shelf.put(at(1, f"0-0:96.{number}.0", 2), EncodedData.of(DataType.UNSIGNED, number))
        found = await asyncio.gather(*(meter.get(f"1/0-0:96.{number}.0") for number in range(20)))
        assert [one.value() for one in found] == list(range(20))

    over_tcp(use)


def test_a_hundred_meters_at_once() -> None:
    async def scenario() -> None:
        world = World()
        async with world.server() as server:

            async def visit() -> int:
                async with Meter.connect(url(server.port)) as meter:
                    return int((await meter.get(REGISTER)).value())

            assert await asyncio.gather(*(visit() for _ in range(100))) == [12345678] * 100
        assert len(world.lost) == 100

    run(scenario)


# ---- nobody there, nobody answers -----------------------------------------------------------------------------------


def test_nobody_listens() -> None:
    async def scenario() -> None:
        meter = Meter.connect(url(free_port(), connect_timeout=1))
        for _ in range(2):
            with pytest.raises(ConnectionFailed):
                await meter.open()
        with pytest.raises(NotAssociated):
            await meter.read(REGISTER)
        await meter.close()

    run(scenario)


def test_a_refusal_leaves_no_connection() -> None:
    async def scenario() -> None:
        world = World({PUBLIC: settings(M.LLS)[1]})
        async with world.server() as server:
            with pytest.raises(AssociationRejected):
                await Meter.connect(url(server.port)).open()
            await asyncio.sleep(0.01)
            assert len(world.lost) == 1

    run(scenario)


def test_an_aarq_that_nobody_answers_times_out_and_disconnects() -> None:
    async def scenario() -> None:
        world = World()
        world.fault = mute
        async with world.server() as server:
            with pytest.raises(ResponseTimeout, match=r"no answer within .* client or server SAP is wrong"):
                await Meter.connect(url(server.port, timeout=0.05)).open()

    run(scenario)


def test_after_a_time_out_the_next_call_is_right_and_the_late_answer_is_passed_over() -> None:
    async def use(meter: Meter, world: World) -> None:
        held: list[bytes] = []

        def hold(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
            if not held:
                end.link.send(answer, source=1, destination=PUBLIC)
                held.append(end.link.octets_to_send())
                return b""
            return held.pop() + bytes.fromhex("000100010010") + len(answer).to_bytes(2) + answer

        world.fault = hold
        with pytest.raises(ResponseTimeout):
            await meter.get(REGISTER)
        world.shelf.put(at(3, ENERGY, 2), VALUE)
        assert await meter.get(REGISTER) == VALUE
        world.fault = lambda *_: None

    over_tcp(use, timeout=0.05)


def test_a_change_without_answer_has_an_unknown_outcome() -> None:
    async def use(meter: Meter, world: World) -> None:
        world.fault = mute
        with pytest.raises(OutcomeUnknown):
            await meter.write(REGISTER, VALUE)
        with pytest.raises(OutcomeUnknown):
            await meter.call("3/1-0:1.8.0:1", 0)
        world.fault = lambda *_: None
        assert await meter.get(REGISTER) == VALUE  # it was made

    over_tcp(use, timeout=0.05)


def test_closing_a_meter_that_does_not_answer_any_more() -> None:
    async def use(meter: Meter, world: World) -> None:
        world.fault = mute
        await meter.close()
        assert meter.opened is None

    over_tcp(use, timeout=0.05)


# ---- cancelled ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_cancelled_call_leaves_nothing_behind(after: int) -> None:
    """Cancelled while an answer is out, the first or one amid blocks: it comes late, and the next call is right."""

    async def use(meter: Meter, world: World) -> None:
        world.shelf.put(LONG, octets(300))
        waiting = asyncio.Event()
        held: list[bytes] = []
        begin = world.ends[0].answered

        def hold(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
            if number - begin <= after:
                return None
            end.link.send(answer, source=1, destination=PUBLIC)
            held.append(end.link.octets_to_send())
            waiting.set()
            return b""

        world.fault = hold
        task = asyncio.ensure_future(meter.get("1/0-0:96.1.0"))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        world.fault = lambda *_: None
        world.ends[0].send(held[0])
        assert (await meter.get(REGISTER)).value() == 12345678
        assert await meter.get("1/0-0:96.1.0") == octets(300)

    over_tcp(use, max_pdu=64)


def test_a_call_that_is_cancelled_in_the_queue_is_never_sent() -> None:
    async def use(meter: Meter, world: World) -> None:
        before = len(world.received)
        first = asyncio.ensure_future(meter.get(REGISTER))
        second = asyncio.ensure_future(meter.get("1/0-0:96.1.0"))
        third = asyncio.ensure_future(meter.get(REGISTER))
        await asyncio.sleep(0)
        second.cancel()
        assert (await first) == (await third)
        assert second.cancelled()
        assert len(world.received) == before + 2

    over_tcp(use)


def test_a_cancelled_opening_leaves_no_connection() -> None:
    async def scenario() -> None:
        world = World()
        world.fault = mute
        async with world.server() as server:
            meter = Meter.connect(url(server.port))
            task = asyncio.ensure_future(meter.open())
            while not world.received:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            world.fault = lambda *_: None
            await meter.open()
            assert (await meter.get(REGISTER)).value() == 12345678
            await meter.close()

    run(scenario)


def test_a_time_out_of_the_caller_is_a_cancellation() -> None:
    async def use(meter: Meter, world: World) -> None:
        world.fault = mute
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await meter.get(REGISTER)
        world.fault = lambda *_: None
        assert (await meter.get(REGISTER)).value() == 12345678

    over_tcp(use)


# ---- lost -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["none", "gmac"])
def test_a_connection_that_is_lost_at_any_point_is_told_and_leaves_nothing_behind(security: str) -> None:
    client, server = settings(M.HLS_GMAC, ciphered=True)
    chosen = SecuritySettings(client, CLIENT) if security == "gmac" else None
    point = 0
    finished = False
    while not finished:
        point += 1
        assert point < 30

        async def scenario(point: int = point) -> None:
            nonlocal finished
            world = World({PUBLIC: settings()[1], CLIENT: server})
            world.shelf.put(LONG, octets(150))

            def cut(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
                if number < point:
                    return None
                end.connection.close()
                return b""

            world.fault = cut
            async with world.server() as there:
                meter = Meter.connect(url(there.port, max_pdu=100), chosen, recovery=NONE)
                try:
                    async with meter:
                        assert (await meter.get(REGISTER)).value() == 12345678
                        assert await meter.get("1/0-0:96.1.0") == octets(150)
                except ConnectionLost:
                    with pytest.raises(NotAssociated):
                        await meter.get(REGISTER)
                else:
                    finished = point > 5 and world.ends[0].answered < point

        run(scenario)
    assert point >= 6


def test_a_change_that_loses_the_connection_has_an_unknown_outcome() -> None:
    async def use(meter: Meter, world: World) -> None:
        world.fault = lambda end, answer, number: (end.connection.close(), b"")[1]
        with pytest.raises(OutcomeUnknown) as caught:
            await meter.write(REGISTER, VALUE)
        assert isinstance(caught.value.__cause__, ConnectionLost)
        for _ in range(2):
            with pytest.raises(ConnectionLost):
                await meter.get(REGISTER)

    over_tcp(use)


def test_calls_in_the_queue_learn_that_the_connection_is_lost() -> None:
    async def use(meter: Meter, world: World) -> None:
        world.fault = lambda end, answer, number: (end.connection.close(), b"")[1]
        found = await asyncio.gather(*(meter.get(REGISTER) for _ in range(5)), return_exceptions=True)
        assert [type(each) for each in found] == [ConnectionLost] * 5

    over_tcp(use)


@pytest.mark.parametrize("chunk", [None, 1])
def test_octets_that_are_no_wrapper_end_the_connection(chunk: int | None) -> None:
    async def scenario() -> None:
        world = World()
        driver, session = await in_memory(world, chunk=chunk)
        world.fault = lambda end, answer, number: b"\x7e\xa0\x07"
        with pytest.raises(ProtocolError, match="WPDU"):
            await driver.run(session.get(REGISTER))
        with pytest.raises(ConnectionLost):
            await driver.run(session.get(REGISTER))
        await driver.close()
        assert len(world.lost) == 1

    run(scenario)


def test_a_medium_that_breaks_is_told() -> None:
    async def scenario() -> None:
        world = World()
        driver, _ = await in_memory(world)

        def cut(end: MeterEnd, answer: bytes, number: int) -> bytes:
            end.connection.break_off("pulled out")  # type: ignore[attr-defined]  # of the connection in memory
            return b""

        world.fault = cut
        with pytest.raises(ConnectionLost, match="pulled out"):
            await driver.run(one(Get(at(3, ENERGY, 2))))
        await driver.close()

    run(scenario)


def test_a_request_that_is_refused_here_disturbs_nothing() -> None:
    async def scenario() -> None:
        driver, session = await in_memory(World(), ClientSettings(max_pdu_size=64, response_timeout=1.0))
        with pytest.raises(CosemicError):
            await driver.run(one(Set(at(3, ENERGY, 2), VALUE, "nonsense")))  # type: ignore[arg-type]  # wrong on purpose
        assert (await driver.run(session.get(REGISTER))).value() == 12345678
        await driver.close()
        with pytest.raises(ConnectionLost):
            await driver.run(session.get(REGISTER))

    run(scenario)


def test_a_meter_that_is_closed_in_vain_and_then_cut_does_not_connect_again() -> None:
    async def scenario() -> None:
        world = World()
        async with world.server() as server:
            meter = Meter.connect(url(server.port, client=PUBLIC))
            await meter.open()

            def watching() -> Procedure[None]:
                while True:
                    yield from meter.session.get(REGISTER)
                    yield Wait(0.01)

            task = asyncio.create_task(meter.run(watching()))
            await asyncio.sleep(0.03)
            closing = asyncio.create_task(meter.close())
            queued = asyncio.create_task(driver_of(meter).run(meter.session.get(REGISTER)))
            await asyncio.sleep(0.01)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            with pytest.raises(ConnectionLost):
                await task
            with pytest.raises(ConnectionLost, match="was closed"):
                await queued
            assert len(world.ends) == len(world.lost) == 1

    run(scenario)


def driver_of(meter: Meter) -> AsyncDriver:
    assert meter._driver is not None
    return meter._driver


def test_a_driver_that_is_closed_while_it_connects_leaves_no_connection() -> None:
    async def scenario() -> None:
        world = World()
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def connect(receiver: Receiver) -> Connection:
            reached.set()
            await go_on.wait()
            return memory_pair(lambda _: receiver, world.receiver)[0]

        session = Session(SecuritySettings(ClientSettings()), lambda: ClientStack(ClientSettings(), PUBLIC, 1), dt.UTC)
        driver = AsyncDriver(session, connect, machine_time)
        opening = asyncio.create_task(driver.run(session.open()))
        await reached.wait()
        await driver.close()
        go_on.set()
        with pytest.raises(ConnectionLost, match="was closed"):
            await opening
        await asyncio.sleep(0)
        assert len(world.ends) == len(world.lost) == 1

    run(scenario)


def test_a_meter_that_two_tasks_open_is_opened_once() -> None:
    async def scenario() -> None:
        world = World()
        async with world.server() as server:
            meter = Meter.connect(url(server.port, client=PUBLIC))
            first, second, value = await asyncio.gather(
                meter.open(), meter.open(), meter.read(REGISTER), return_exceptions=True
            )
            assert isinstance(second, AssociationError)
            assert not isinstance(first, BaseException)
            assert value == Quantity(12345678, -3, Unit(30))
            await meter.close()
            assert len(world.ends) == 1

    run(scenario)
