"""The blocking driver and BlockingMeter, in memory and over real TCP."""

from __future__ import annotations

import datetime as dt
import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cosemic.association.requests import Get
from cosemic.association.settings import ClientSettings
from cosemic.client import BlockingMeter
from cosemic.client.blocking import BlockingDriver
from cosemic.client.recovery import NONE
from cosemic.client.session import Session
from cosemic.client.timepiece import machine_time
from cosemic.errors import (
    AssociationError,
    AssociationRejected,
    ConnectionFailed,
    ConnectionLost,
    NotAssociated,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
)
from cosemic.stack import ClientStack
from cosemic.store.security_settings import SecuritySettings
from cosemic.transport.memory import BlockingMemoryConnection
from cosemic.values import Quantity
from tests.association.samples import VALUE, M, octets, settings
from tests.client.meters import CLIENT, ENERGY, PUBLIC, MeterEnd, World, at, mute, serving
from tests.transport.samples import free_port

REGISTER = f"3/{ENERGY}:2"
LONG = at(1, "0-0:96.1.0", 2)


@pytest.fixture(autouse=True)
def nothing_is_left(recwarn: pytest.WarningsRecorder) -> Iterator[None]:
    yield
    gc.collect()
    assert not recwarn.list


def url(port: int, **options: Any) -> str:
    return f"tcp://127.0.0.1:{port}?" + "&".join(f"{name}={value}" for name, value in options.items())


def in_memory(world: World, client: ClientSettings | None = None, **more: Any) -> tuple[BlockingDriver, Session]:
    security = SecuritySettings(client or ClientSettings())
    session = Session(security, lambda: ClientStack(security.client, PUBLIC, 1), dt.UTC, NONE)
    driver = BlockingDriver(session, lambda: BlockingMemoryConnection(world.receiver, **more), machine_time)
    driver.run(session.open())
    return driver, session


@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_requests_over_a_medium_that_cuts_anywhere(chunk: int | None) -> None:
    world = World()
    world.shelf.put(LONG, octets(500))
    driver, session = in_memory(world, ClientSettings(max_pdu_size=64), chunk=chunk)
    assert driver.run(session.get(REGISTER)).value() == 12345678
    assert driver.run(session.get("1/0-0:96.1.0")) == octets(500)
    driver.run(session.release())
    driver.close()
    assert len(world.lost) == 1


def test_a_time_out_ends_the_request_at_once_when_nothing_can_come() -> None:
    world = World()
    driver, session = in_memory(world)
    world.fault = mute
    started = time.monotonic()
    with pytest.raises(ResponseTimeout):
        driver.run(session.get(REGISTER))
    with pytest.raises(OutcomeUnknown):
        driver.run(session.write(REGISTER, VALUE))
    world.fault = lambda *_: None
    assert driver.run(session.get(REGISTER)) == VALUE
    assert time.monotonic() - started < 5
    driver.close()


def test_a_meter_is_opened_used_and_closed_over_tcp() -> None:
    with serving(World()) as port:
        with BlockingMeter.connect(url(port)) as meter:
            assert meter.opened is not None
            assert meter.read(ENERGY) == Quantity(12345678, -3, 30)
            with pytest.raises(AssociationError, match="open already"):
                meter.open()
        meter.close()
        assert meter.opened is None
        with pytest.raises(NotAssociated):
            meter.read(ENERGY)
        with meter:
            assert meter.get(REGISTER).value() == 12345678
        assert meter.traffic.round_trips == 3


def test_calls_of_several_threads_queue() -> None:
    """Two that read from the connection at once would take each other's answers."""
    world, wanted = World(), octets(300)
    world.shelf.put(LONG, wanted)
    found: list[Any] = []
    with serving(world) as port, BlockingMeter.connect(url(port, max_pdu=64, timeout=5), recovery=NONE) as meter:

        def use() -> None:
            for _ in range(10):
                try:
                    meter.write(REGISTER, VALUE)
                    found.append((meter.get("1/0-0:96.1.0"), meter.get(REGISTER)))
                except Exception as error:
                    found.append(error)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert found == [(wanted, VALUE)] * 40


def test_a_thread_that_waits_for_notifications_lets_calls_pass_and_ends_when_the_meter_is_closed() -> None:
    ended: list[BaseException] = []
    with serving(World()) as port:
        meter = BlockingMeter.connect(url(port, timeout=5))
        meter.open()

        def wait() -> None:
            try:
                list(meter.notifications())
            except ConnectionLost as error:
                ended.append(error)

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        for _ in range(3):
            assert meter.get(REGISTER).value() == 12345678
        meter.close()
        thread.join(5)
        assert len(ended) == 1
        assert not thread.is_alive()


def test_nobody_listens() -> None:
    with pytest.raises(ConnectionFailed):
        BlockingMeter.connect(url(free_port(), connect_timeout=1)).open()


def test_a_refusal_leaves_no_connection() -> None:
    world = World({PUBLIC: settings(M.LLS)[1]})
    with serving(world) as port, pytest.raises(AssociationRejected):
        BlockingMeter.connect(url(port)).open()
    assert len(world.lost) == 1


@pytest.mark.parametrize("timeout", [0.02, 0.1])
def test_time_outs_are_kept_and_the_next_call_is_right(timeout: float) -> None:
    world = World()
    with serving(world) as port, BlockingMeter.connect(url(port, timeout=timeout), recovery=NONE) as meter:
        for _ in range(3):
            world.fault = mute
            started = time.monotonic()
            with pytest.raises(ResponseTimeout):
                meter.get(REGISTER)
            assert timeout <= time.monotonic() - started < timeout + 1
            world.fault = lambda *_: None
            assert meter.get(REGISTER).value() == 12345678


def test_an_opening_that_nobody_answers_disconnects() -> None:
    world = World()
    world.fault = mute
    with serving(world) as port:
        with pytest.raises(ResponseTimeout):
            BlockingMeter.connect(url(port, timeout=0.05)).open()
        world.fault = lambda *_: None
        meter = BlockingMeter.connect(url(port, timeout=0.05))
        meter.open()
        world.fault = mute
        meter.close()
    assert len(world.lost) == 2


def test_a_late_answer_is_passed_over() -> None:
    world = World()
    held: list[bytes] = []

    def hold(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
        if number == 2:
            end.link.send(answer, source=1, destination=PUBLIC)
            held.append(end.link.octets_to_send())
            return b""
        return held.pop() + bytes.fromhex("000100010010") + len(answer).to_bytes(2) + answer if held else None

    world.fault = hold
    with serving(world) as port, BlockingMeter.connect(url(port, timeout=0.05), recovery=NONE) as meter:
        with pytest.raises(ResponseTimeout):
            meter.get(REGISTER)
        world.shelf.put(at(3, ENERGY, 2), VALUE)
        assert meter.get(REGISTER) == VALUE


def test_an_interrupted_call_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.shelf.put(LONG, octets(300))
    driver, session = in_memory(world, ClientSettings(max_pdu_size=64))
    read = driver._connection.read

    class Interrupt(KeyboardInterrupt):
        pass

    for number in range(4):
        left = number

        def interrupted(deadline: float | None = None) -> bytes:
            nonlocal left
            left -= 1
            if left < 0:
                raise Interrupt
            return read(deadline)

        monkeypatch.setattr(driver._connection, "read", interrupted)
        with pytest.raises(Interrupt):
            driver.run(session.get("1/0-0:96.1.0"))
        monkeypatch.setattr(driver._connection, "read", read)
        assert driver.run(session.get("1/0-0:96.1.0")) == octets(300)
    driver.close()


@pytest.mark.parametrize("security", ["none", "gmac"])
def test_a_connection_that_is_lost_at_any_point_is_told(security: str) -> None:
    client, server = settings(M.HLS_GMAC, ciphered=True)
    chosen = SecuritySettings(client, CLIENT) if security == "gmac" else None
    world = World({PUBLIC: settings()[1], CLIENT: server})
    world.shelf.put(LONG, octets(150))
    failures = 0
    with serving(world) as port:
        for point in range(1, 30):

            def cut(end: MeterEnd, answer: bytes, number: int, point: int = point) -> bytes | None:
                if number < point:
                    return None
                end.connection.close()
                return b""

            world.fault = cut
            try:
                with BlockingMeter.connect(url(port, max_pdu=100), chosen, recovery=NONE) as meter:
                    assert meter.get(REGISTER).value() == 12345678
                    assert meter.get("1/0-0:96.1.0") == octets(150)
            except ConnectionLost:
                failures += 1
    assert 3 < failures < 20


def test_after_the_end_of_the_connection_every_call_says_so() -> None:
    world = World()
    driver, session = in_memory(world)
    world.fault = lambda end, answer, number: (end.connection.close(), b"")[1]
    with pytest.raises(OutcomeUnknown) as caught:
        driver.run(session.write(REGISTER, VALUE))
    assert isinstance(caught.value.__cause__, ConnectionLost)
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            driver.run(session.get(REGISTER))
    driver.close()


def test_octets_that_are_no_wrapper_end_the_connection() -> None:
    world = World()
    driver, session = in_memory(world)
    world.fault = lambda end, answer, number: b"\x7e\xa0\x07"
    with pytest.raises(ProtocolError):
        driver.run(session.get(REGISTER))
    with pytest.raises(ConnectionLost, match="WPDU"):
        driver.run(session.get(REGISTER))
    assert len(world.lost) == 1
    driver.close()


def test_an_answer_before_the_garbage_is_delivered_and_the_next_call_fails() -> None:
    world = World()
    driver, session = in_memory(world)

    def trailed(end: MeterEnd, answer: bytes, number: int) -> bytes:
        end.link.send(answer, source=1, destination=PUBLIC)
        return end.link.octets_to_send() + b"\xff\xff"

    world.fault = trailed
    assert driver.run(session.get(REGISTER)).value() == 12345678
    with pytest.raises(ConnectionLost):
        driver.run(session.get(REGISTER))
    driver.close()


def test_a_procedure_can_take_its_errors_itself() -> None:
    world = World()
    driver, _ = in_memory(world)
    world.fault = mute

    def patient() -> Any:
        for attempt in range(3):
            try:
                return (yield Get(at(3, ENERGY, 2)))
            except ResponseTimeout:
                if attempt == 1:
                    world.fault = lambda *_: None
        return None

    assert driver.run(patient()).value() == 12345678
    driver.close()
