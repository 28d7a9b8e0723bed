"""Meters that call: what they push, who they are, when they are read, and what strangers get: nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.notifications import NotifyData, NotifyEvent
from cosemic.association.notified import Confirming
from cosemic.association.notifying import NotificationSender, NotifyingSettings
from cosemic.association.server import ServerAssociation
from cosemic.association.service_provider import ServerSettings
from cosemic.client.acceptor import Acceptor, Called, Identity, Patience, Pushed
from cosemic.client.recognising import KnownMeters, Quarantine
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, ConnectionLost, CosemicError
from cosemic.link.contract import ApduReceived
from cosemic.link.wrapper import DatagramWrapperLink, WrapperLink
from cosemic.security import MemoryCounterStore, Protection, SecurityMaterial
from cosemic.server import PhysicalDevice
from cosemic.simulator.meter import logical_device_name
from cosemic.store.meters import KnownMeter
from cosemic.store.security_settings import SecuritySettings, load_security
from cosemic.transport.tls import tls_context
from cosemic.values import Obis, Secret
from tests.association.notification_samples import due, sending, with_broadcast_key
from tests.association.samples import (
    AK,
    CLOCK,
    EK,
    OTHER_TITLE,
    PASSWORD,
    SERVER_TITLE,
    M,
    settings,
)
from tests.client.meters import ENERGY, household
from tests.simulator.support import meter_at
from tests.transport.certificates import Authority

FAST = Patience(patience=0.05, quiet=0.05, waiting=5.0)
VALUE = EncodedData.of(DataType.LONG_UNSIGNED, 5)
NAME = "MMM0000000012345"
NAME_AT = a.CosemAttributeDescriptor(1, Obis("0-0:42.0.0"), 2)


def run(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await body()

    asyncio.run(bounded())


def ciphered() -> tuple[SecuritySettings, ServerSettings]:
    """Settings of a known meter with HLS and ciphering, and of that meter."""
    client, server = settings(M.HLS_GMAC, ciphered=True, client={"server_title": SERVER_TITLE, "response_timeout": 5.0})
    return SecuritySettings(client, 1, 1), server


class CallingMeter:
    """A meter that dials in: it pushes, and is a server on the same connection."""

    def __init__(self, clients: dict[int, ServerSettings] | None = None, *, name: str = NAME) -> None:
        self.clients = {16: ServerSettings()} | (clients or {})
        self.shelf = household()
        self.shelf.put(NAME_AT, EncodedData.of(DataType.OCTET_STRING, name.encode()))
        # One meter counts once, whatever it sends under a key.
        counters = clients[1].counters if clients else MemoryCounterStore()
        self.sender = NotificationSender(sending(response_timeout=5.0, counters=counters))
        self.link = WrapperLink()
        self.received: list[bytes] = []
        self.events: list[Any] = []
        self.ended = asyncio.Event()
        self.changed = asyncio.Event()
        self._associations: dict[tuple[int, int], ServerAssociation] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def call(self, port: int, **how: Any) -> CallingMeter:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, **how)
        self._tasks.append(asyncio.create_task(self._serve()))
        return self

    def push(self, request: Any, sender: NotificationSender | None = None, *, source: int = 1) -> None:
        sender = sender or self.sender
        sender.send(request)
        for apdu in due(sender):
            self.link.send(apdu, source=source, destination=103)
        self.flush()
        self.events += sender.tick(1.0)

    def flush(self) -> None:
        self.writer.write(self.link.octets_to_send())

    async def _serve(self) -> None:
        try:
            while octets := await self.reader.read(65536):
                for event in self.link.receive(octets, 0.0):
                    assert isinstance(event, ApduReceived)
                    self._take(event)
                self.changed.set()
        except ConnectionError:
            pass
        finally:
            self.ended.set()
            self.changed.set()

    def _take(self, event: ApduReceived) -> None:
        self.received.append(event.apdu)
        if event.source == 103:
            self.events += self.sender.receive(event.apdu, 1.0)
            return
        client = self.clients.get(event.source)
        if client is None:
            return
        pair = event.source, event.destination
        association = self._associations.setdefault(pair, ServerAssociation(client, self.shelf))
        association.receive(event.apdu, 0.0)
        for answer in due(association):
            self.link.send(answer, source=pair[1], destination=pair[0])
        self.flush()

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()

    async def hang_up(self) -> None:
        self.writer.close()
        for task in self._tasks:
            await task

    async def __aenter__(self) -> CallingMeter:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()


def acceptor(*known: KnownMeter, **more: Any) -> Acceptor:
    meters = {one.name: one for one in known}
    return Acceptor("tcp://127.0.0.1?client=1&timeout=5", meters, port=0, patience=FAST, **more)


def kitchen(security: Any = None, **more: Any) -> KnownMeter:
    return KnownMeter("kitchen", "tcp://192.0.2.1?client=1&server=1", security, **more)


# ---- pushes -----------------------------------------------------------------------------------------------------


def test_what_a_known_meter_pushes_comes_with_its_name_and_is_confirmed() -> None:
    async def body() -> None:
        security, _ = ciphered()
        async with acceptor(kitchen(security)) as listening, CallingMeter() as meter:
            await meter.call(listening.port)
            meter.push(NotifyEvent(CLOCK, VALUE))
            meter.push(NotifyData(VALUE, confirmed=True))
            event, data = await anext(listening), await anext(listening)
            assert isinstance(event, Pushed)
            assert isinstance(data, Pushed)
            assert isinstance(event.notified.apdu, a.EventNotificationRequest)
            assert data.notified.authenticated
            assert data.known is not None
            assert data.known.name == "kitchen"
            await meter.until(lambda: any(type(one).__name__ == "Delivered" for one in meter.events))
            assert listening.quarantine == ()

    run(body)


def test_over_udp_on_the_same_port() -> None:
    async def body() -> None:
        security, _ = ciphered()
        loop = asyncio.get_running_loop()
        answers: asyncio.Queue[bytes] = asyncio.Queue()

        class Client(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: object) -> None:
                answers.put_nowait(data)

        async with acceptor(kitchen(security), udp=True) as listening:
            transport, _protocol = await loop.create_datagram_endpoint(
                Client, remote_addr=("127.0.0.1", listening.port)
            )
            meter, link = NotificationSender(sending()), DatagramWrapperLink()
            meter.send(NotifyData(VALUE, confirmed=True))
            for apdu in due(meter):
                link.send(apdu, source=1, destination=103)
            transport.sendto(b"\x00\x02 no WPDU")
            datagram = link.octets_to_send()
            transport.sendto(datagram)
            pushed = await anext(listening)
            assert isinstance(pushed, Pushed)
            (answer,) = link.receive(await answers.get(), 0.0)
            assert isinstance(answer, ApduReceived)
            assert (answer.source, answer.destination) == (103, 1)
            assert type(meter.receive(answer.apdu, 1.0)[0]).__name__ == "Delivered"
            transport.close()

    run(body)


def test_datagrams_that_are_nothing_take_no_place_of_a_meter() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        async with acceptor(udp=True) as listening:
            for nothing in (b"no WPDU at all", bytes.fromhex("0001000100670000")):
                transport, _ = await loop.create_datagram_endpoint(
                    asyncio.DatagramProtocol, remote_addr=("127.0.0.1", listening.port)
                )
                transport.sendto(nothing)
                await asyncio.sleep(0.02)
                transport.close()
            assert listening._datagrams is not None
            assert listening._datagrams.connections == frozenset()

    run(body)


def test_a_notification_may_be_confirmed_after_it_was_stored() -> None:
    async def body() -> None:
        security, _ = ciphered()
        async with acceptor(kitchen(security), confirming=Confirming.WHEN_TOLD) as listening, CallingMeter() as meter:
            await meter.call(listening.port)
            meter.push(NotifyData(VALUE, confirmed=True))
            pushed = await anext(listening)
            assert isinstance(pushed, Pushed)
            await asyncio.sleep(0)
            assert meter.received == []
            pushed.confirm()
            await meter.until(lambda: meter.events)
            assert type(meter.events[0]).__name__ == "Delivered"

    run(body)


def test_what_comes_in_clear_is_taken_where_it_is_said_and_belongs_to_nobody() -> None:
    async def body() -> None:
        plain = NotificationSender(NotifyingSettings())
        async with acceptor(require=Protection.NONE, ask_names=False) as listening, CallingMeter() as meter:
            await meter.call(listening.port)
            meter.push(NotifyData(VALUE), plain)
            pushed = await anext(listening)
            assert isinstance(pushed, Pushed)
            assert (pushed.known, pushed.notified.authenticated) == (None, False)
        async with acceptor() as listening, CallingMeter() as meter:
            await meter.call(listening.port)
            plain.send(NotifyData(VALUE))
            meter.push(NotifyData(VALUE), NotificationSender(NotifyingSettings()))
            await meter.ended.wait()
            (stranger,) = listening.quarantine
            assert "came in clear" in stranger.reason

    run(body)


def test_a_notification_belongs_to_who_has_proved_it_and_not_to_who_called() -> None:
    """On one connection: what it says that it is, what is authenticated as another meter's, and what is in clear."""

    async def body() -> None:
        security, server = ciphered()
        other, _ = settings(M.HLS_GMAC, ciphered=True, client={"server_title": OTHER_TITLE})
        known = kitchen(security, logical_device_name=NAME), KnownMeter("shed", "tcp://h", SecuritySettings(other))
        async with acceptor(*known, require=Protection.NONE) as listening, CallingMeter({1: server}) as meter:
            await meter.call(listening.port)
            called = await anext(listening)
            assert isinstance(called, Called)
            assert (called.known.name, called.proven) == ("kitchen", False)
            in_clear = NotificationSender(NotifyingSettings())
            anothers = NotificationSender(sending(system_title=OTHER_TITLE))
            for sender, name in ((in_clear, None), (anothers, "shed"), (meter.sender, "kitchen"), (in_clear, None)):
                meter.push(NotifyData(VALUE), sender)
                pushed = await anext(listening)
                assert isinstance(pushed, Pushed)
                assert (pushed.known and pushed.known.name) == name

    run(body)


def test_what_names_no_sender_is_of_the_known_meter_on_that_connection() -> None:
    """glo-event-notification carries no system title."""

    async def body() -> None:
        security, server = ciphered()
        async with acceptor(kitchen(security)) as listening, CallingMeter({1: server}) as meter:
            await meter.call(listening.port)
            for sender in (meter.sender, NotificationSender(sending(general=False, counters=server.counters))):
                meter.push(NotifyEvent(CLOCK, VALUE), sender)
                pushed = await anext(listening)
                assert isinstance(pushed, Pushed)
                assert pushed.known is not None
                assert (pushed.known.name, pushed.notified.authenticated) == ("kitchen", True)

    run(body)


def test_a_broadcast_key_proves_nothing() -> None:
    async def body() -> None:
        security, _ = ciphered()
        client = replace(security.client, material=with_broadcast_key())
        known = kitchen(SecuritySettings(client, 1, 1))
        everybody = NotificationSender(sending(material=with_broadcast_key(), broadcast=True))
        async with acceptor(known, broadcast=True, ask_names=False) as listening, CallingMeter() as meter:
            await meter.call(listening.port)
            meter.push(NotifyData(VALUE), everybody)
            pushed = await anext(listening)
            assert isinstance(pushed, Pushed)
            assert pushed.known is None
            await meter.ended.wait()
            assert "who it is" in listening.quarantine[0].reason

    run(body)


def test_what_nobody_takes_is_not_confirmed_and_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosemic.client.acceptor.MOST_WAITING", 1)

    async def body() -> None:
        security, _ = ciphered()
        async with acceptor(kitchen(security)) as listening, CallingMeter() as meter:
            await meter.call(listening.port)
            request = NotifyData(VALUE, confirmed=True)
            meter.push(NotifyEvent(CLOCK, VALUE))
            meter.push(request)
            while not listening.missed:
                await asyncio.sleep(0.01)
            assert meter.received == []
            await anext(listening)
            meter.sender.cancel()
            meter.push(request)
            pushed = await anext(listening)
            assert isinstance(pushed, Pushed)
            await meter.until(lambda: any(type(one).__name__ == "Delivered" for one in meter.events))

    run(body)


# ---- meters that are read ---------------------------------------------------------------------------------------


def test_a_meter_that_announces_itself_is_read_on_its_connection_and_may_push_meanwhile() -> None:
    async def body() -> None:
        security, server = ciphered()
        async with acceptor(kitchen(security)) as listening, CallingMeter({1: server}) as meter:
            await meter.call(listening.port)
            meter.push(NotifyData(VALUE))
            assert isinstance(await anext(listening), Pushed)
            called = await anext(listening)
            assert isinstance(called, Called)
            assert (called.known.name, called.by, called.proven) == ("kitchen", Identity.SYSTEM_TITLE, True)
            async with called.meter as client:
                assert str(await client.read(ENERGY)) == "12345.678 Wh"
                meter.push(NotifyData(VALUE))
                assert isinstance(await anext(listening), Pushed)
                assert str(await client.read(ENERGY)) == "12345.678 Wh"
            await meter.ended.wait()
            with pytest.raises(ConnectionLost, match="calls again"):
                await called.meter.open()

    run(body)


def test_a_silent_meter_is_asked_for_its_name_and_proves_itself_by_its_association() -> None:
    async def body() -> None:
        security, server = ciphered()
        known = kitchen(security, logical_device_name=NAME)
        async with acceptor(known) as listening, CallingMeter({1: server}) as meter:
            await meter.call(listening.port)
            called = await anext(listening)
            assert isinstance(called, Called)
            assert (called.by, called.proven) == (Identity.LOGICAL_DEVICE_NAME, False)
            async with called.meter as client:
                assert str(await client.read(ENERGY)) == "12345.678 Wh"

    run(body)


def test_the_title_of_the_aare_names_a_meter_too() -> None:
    async def body() -> None:
        security, server = ciphered()
        titled = ServerSettings(system_title=SERVER_TITLE)
        async with acceptor(kitchen(security)) as listening, CallingMeter({1: server, 16: titled}) as meter:
            await meter.call(listening.port)
            called = await anext(listening)
            assert isinstance(called, Called)
            assert (called.by, called.proven) == (Identity.SYSTEM_TITLE, False)

    run(body)


def test_a_meter_with_short_names_alone_is_asked_with_them() -> None:
    simulated, _ = meter_at(referencing="sn")

    class ShortNameMeter(CallingMeter):
        def _take(self, event: ApduReceived) -> None:
            association = self._served
            association.receive(event.apdu, 0.0)
            while answer := association.octets_to_send():
                self.link.send(answer, source=event.destination, destination=event.source)
            self.flush()

        _served = PhysicalDevice(simulated).association(16, 1)

    async def body() -> None:
        name = logical_device_name(simulated.plan.serial)
        client = load_security(None, short_names=True)
        async with acceptor(kitchen(client, logical_device_name=name)) as listening, ShortNameMeter() as meter:
            await meter.call(listening.port)
            called = await anext(listening)
            assert isinstance(called, Called)
            assert (called.by, called.proven) == (Identity.LOGICAL_DEVICE_NAME, False)

    run(body)


def test_who_only_says_that_he_is_a_meter_fails_at_the_association() -> None:
    async def body() -> None:
        security, server = ciphered()
        _, forged = settings(M.HLS_GMAC, ciphered=True, server={"material": with_other_keys()})
        known = kitchen(security, logical_device_name=NAME)
        async with acceptor(known) as listening, CallingMeter({1: forged}) as meter:
            await meter.call(listening.port)
            called = await anext(listening)
            assert isinstance(called, Called)
            with pytest.raises(CosemicError):
                await called.meter.open()
            assert not any(EK in one or AK in one for one in meter.received)
        assert server is not forged

    run(body)


def with_other_keys() -> Any:
    return SecurityMaterial.of(Secret(AK), Secret(EK))


def test_a_password_is_not_given_to_somebody_who_only_says_that_he_is_the_meter() -> None:
    async def body() -> None:
        client, server = settings(M.LLS)
        known = kitchen(SecuritySettings(client, 1, 1), logical_device_name=NAME)
        async with acceptor(known) as listening, CallingMeter({1: server}) as meter:
            await meter.call(listening.port)
            await meter.ended.wait()
            (stranger,) = listening.quarantine
            assert stranger.logical_device_name == NAME
            assert "password" in stranger.reason
            assert not any(PASSWORD in one for one in meter.received)

    run(body)


def test_a_meter_that_nobody_opens_is_closed_unless_it_pushes() -> None:
    async def body() -> None:
        security, server = ciphered()
        known = kitchen(security, logical_device_name=NAME)
        listening = Acceptor(
            "tcp://127.0.0.1?client=1", {"kitchen": known}, port=0, patience=Patience(0.05, 0.05, waiting=0.05)
        )
        async with listening, CallingMeter({1: server}) as silent, CallingMeter({1: server}) as talking:
            await silent.call(listening.port)
            assert isinstance(await anext(listening), Called)
            await silent.ended.wait()
            await talking.call(listening.port)
            talking.push(NotifyData(VALUE))
            assert isinstance(await anext(listening), Pushed)
            assert isinstance(await anext(listening), Called)
            await asyncio.sleep(0.2)
            talking.push(NotifyData(VALUE))
            assert isinstance(await anext(listening), Pushed)
            assert not talking.ended.is_set()

    run(body)


def test_a_meter_that_calls_while_too_much_waits_is_offered_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosemic.client.acceptor.MOST_WAITING", 1)

    async def body() -> None:
        security, server = ciphered()
        known = kitchen(security, logical_device_name=NAME)
        async with acceptor(known) as listening, CallingMeter({1: server}) as one, CallingMeter({1: server}) as two:
            for each in (one, two):
                await each.call(listening.port)
                await each.until(lambda meter=each: any(apdu[:1] == b"\x62" for apdu in meter.received))
            while listening._asking:
                await asyncio.sleep(0.01)
            for _ in range(2):
                assert isinstance(await anext(listening), Called)

    run(body)


def test_a_meter_that_pushes_no_more_is_closed_at_last() -> None:
    async def body() -> None:
        security, server = ciphered()
        patience = Patience(0.05, 0.05, waiting=0.05, idle=0.05)
        listening = Acceptor("tcp://127.0.0.1?client=1", {"k": kitchen(security)}, port=0, patience=patience)
        async with listening, CallingMeter({1: server}) as meter:
            await meter.call(listening.port)
            meter.push(NotifyData(VALUE))
            await meter.ended.wait()
            assert listening.quarantine == ()

    run(body)


# ---- strangers --------------------------------------------------------------------------------------------------


def test_strangers_are_noted_and_get_nothing() -> None:
    async def body() -> None:
        security, _ = ciphered()
        stranger = NotificationSender(sending(system_title=OTHER_TITLE))
        async with acceptor(kitchen(security)) as listening:
            for _ in range(2):
                async with CallingMeter() as meter:
                    await meter.call(listening.port)
                    meter.push(NotifyData(VALUE), stranger)
                    await meter.ended.wait()
                    assert meter.received == []
            (noted,) = listening.quarantine
            assert (noted.system_title, noted.calls) == (OTHER_TITLE, 2)
            assert "server_title" in noted.reason  # what to write where
            async with CallingMeter(name="somebody") as meter:
                await meter.call(listening.port)
                await meter.ended.wait()
                assert all(one[:1] in (b"\x60", b"\xc0", b"\x62") for one in meter.received), "asked as public client"
            assert listening.quarantine[-1].logical_device_name == "somebody"
            listening.forget(noted)
            assert noted not in listening.quarantine
            listening.learn({"k": kitchen(security), "s": KnownMeter("s", "tcp://h", logical_device_name="somebody")})
            async with CallingMeter(name="somebody") as meter:
                await meter.call(listening.port)
                called = await anext(listening)
                assert isinstance(called, Called)
                assert called.known.name == "s"

    run(body)


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"\x7e\xa0\x07" + bytes(8)], ids=["http", "hdlc"])
def test_what_is_no_wrapper_is_closed(first: bytes) -> None:
    async def body() -> None:
        async with acceptor() as listening, CallingMeter() as meter:
            await meter.call(listening.port)
            meter.writer.write(first)
            await meter.ended.wait()
            assert "wrapper" in listening.quarantine[0].reason

    run(body)


def test_a_client_that_takes_us_for_a_meter_is_closed() -> None:
    async def body() -> None:
        async with acceptor() as listening, CallingMeter() as meter:
            await meter.call(listening.port)
            meter.link.send(bytes.fromhex("601da109060760857405080101"), source=16, destination=1)
            meter.flush()
            await meter.ended.wait()
            assert len(listening.quarantine) == 1

    run(body)


def test_a_replay_of_a_known_meter_is_noted_and_the_meter_goes_on() -> None:
    async def body() -> None:
        security, _ = ciphered()
        async with acceptor(kitchen(security)) as listening, CallingMeter() as meter:
            await meter.call(listening.port)
            meter.sender.send(NotifyData(VALUE))
            (apdu,) = due(meter.sender)
            meter.sender.tick(1.0)
            for _ in range(2):
                meter.link.send(apdu, source=1, destination=103)
            meter.flush()
            meter.push(NotifyEvent(CLOCK, VALUE))
            first, second = await anext(listening), await anext(listening)
            assert isinstance(first, Pushed)
            assert isinstance(second, Pushed)
            assert isinstance(second.notified.apdu, a.EventNotificationRequest)
            (noted,) = listening.quarantine
            assert "used before" in noted.reason

    run(body)


def test_notes_and_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Quarantine(most=10)
    for number in range(100):
        notes.note(f"192.0.2.{number}:1", "because" * 1000, float(number))
    assert len(notes) == 10
    assert notes.strangers[-1].peer == "192.0.2.99:1"
    assert len(notes.strangers[0].reason) <= 300
    monkeypatch.setattr("cosemic.client.acceptor.MOST_CALLERS", 2)

    async def body() -> None:
        slow = Acceptor("tcp://127.0.0.1", {}, port=0)
        async with slow as listening, CallingMeter() as one, CallingMeter() as two, CallingMeter() as three:
            for each in (one, two, three):
                await each.call(listening.port)
            await three.ended.wait()
            assert not one.ended.is_set()

    run(body)


def test_a_meter_that_is_known_no_more_is_closed() -> None:
    async def body() -> None:
        security, server = ciphered()
        async with acceptor(kitchen(security)) as listening, CallingMeter({1: server}) as meter:
            await meter.call(listening.port)
            meter.push(NotifyData(VALUE))
            assert isinstance(await anext(listening), Pushed)
            listening.learn({"k": replace(kitchen(security), name="cellar")})
            called = await anext(listening)
            assert isinstance(called, Called)
            assert called.known.name == "cellar"
            listening.learn({})
            await meter.ended.wait()
            assert "any more" in listening.quarantine[-1].reason

    run(body)


def block(number: int, *, last: bool = False, size: int = 100) -> bytes:
    control = a.BlockControl.of(last_block=last, streaming=not last, window=0)
    return a.GeneralBlockTransfer(control, number, 0, bytes(size)).encode()


async def push_blocks(meter: CallingMeter, count: int) -> None:
    for number in range(1, count + 1):
        meter.link.send(block(number), source=1, destination=103)
        meter.flush()
        await asyncio.sleep(0.02)
        if meter.ended.is_set():
            return


def test_blocks_of_who_hangs_up_or_stands_still_are_not_kept() -> None:
    async def body() -> None:
        async with acceptor() as listening:
            async with CallingMeter() as meter:
                await meter.call(listening.port)
                await push_blocks(meter, 3)
                assert listening._originators.held == 300
            while listening._originators.held:
                await asyncio.sleep(0.01)
            async with CallingMeter() as meter:
                await meter.call(listening.port)
                await asyncio.sleep(0.01)
                (caller,) = listening._callers
                caller.receiver.settings = replace(caller.receiver.settings, block_timeout=0.01)
                meter.link.send(block(1), source=1, destination=103)
                meter.flush()
                await meter.ended.wait()
                assert listening._originators.held == 0
                assert "completed in time" in listening.quarantine[-1].reason

    run(body)


def test_a_stranger_does_not_stay_for_ever_by_sending_blocks() -> None:
    async def body() -> None:
        listening = Acceptor("tcp://127.0.0.1", {}, port=0, patience=Patience(1, 1, idle=0.1))
        async with listening, CallingMeter() as meter:
            await meter.call(listening.port)
            await push_blocks(meter, 50)
            await meter.ended.wait()
            assert "no notification that counts" in listening.quarantine[-1].reason

    run(body)


def test_what_a_stranger_says_of_itself_takes_little_room() -> None:
    async def body() -> None:
        async with acceptor() as listening, CallingMeter(name="x" * 100_000) as meter:
            await meter.call(listening.port)
            await meter.ended.wait()
            assert len(listening.quarantine[-1].logical_device_name) == 64

    run(body)


def test_who_takes_too_long_to_say_who_it_is_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosemic.client.acceptor.ASKING", 0.1)

    async def body() -> None:
        async with acceptor() as listening, CallingMeter() as meter:
            meter.clients.clear()
            await meter.call(listening.port)
            await meter.ended.wait()
            assert "within 0.1 s" in listening.quarantine[-1].reason

    run(body)


def test_two_meters_of_one_name_or_title_are_refused() -> None:
    security, _ = ciphered()
    for one, two in (
        (kitchen(security), KnownMeter("shed", "tcp://h", security)),
        (kitchen(logical_device_name=NAME), KnownMeter("shed", "tcp://h", logical_device_name=NAME)),
    ):
        with pytest.raises(ConfigurationError, match="same meter"):
            KnownMeters({"kitchen": one, "shed": two})


@pytest.mark.parametrize("url", ["udp://127.0.0.1", "hdlc+tcp://127.0.0.1", "hdlc:///dev/ttyS0", "gateway+tcp://h"])
def test_other_links_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Acceptor(url, {})


# ---- TLS --------------------------------------------------------------------------------------------------------


def test_over_tls_the_certificate_says_who_it_is(tmp_path: Path) -> None:
    async def body() -> None:
        authority = Authority(tmp_path)
        own = authority.issue("head-end").both
        url = f"tls://127.0.0.1?client=1&timeout=5&ca={authority.file}&certificate={own}"
        security, server = ciphered()
        listening = Acceptor(url, {"kitchen": kitchen(security)}, port=0, patience=FAST)

        def tls(title: str) -> Any:
            return tls_context(trusted=authority.file, certificate=authority.issue(title).both, check_host=False)

        async with listening:
            async with CallingMeter({1: server}) as meter:
                await meter.call(listening.port, ssl=tls(SERVER_TITLE.hex()))
                called = await anext(listening)
                assert isinstance(called, Called)
                assert (called.by, called.proven) == (Identity.CERTIFICATE, True)
                async with called.meter as client:
                    assert str(await client.read(ENERGY)) == "12345.678 Wh"
            for title, word in ((OTHER_TITLE.hex(), "no known meter"), ("nobody", "no system title")):
                async with CallingMeter({1: server}) as meter:
                    await meter.call(listening.port, ssl=tls(title))
                    await meter.ended.wait()
                    assert word in listening.quarantine[-1].reason
                    assert meter.received == []

    run(body)


def test_a_notification_of_another_meter_than_the_certificate_is_refused(tmp_path: Path) -> None:
    async def body() -> None:
        authority = Authority(tmp_path)
        own = authority.issue("head-end").both
        url = f"tls://127.0.0.1?client=1&ca={authority.file}&certificate={own}"
        security, _ = ciphered()
        other, _ = settings(M.HLS_GMAC, ciphered=True, client={"server_title": OTHER_TITLE})
        known = {"k": kitchen(security), "o": KnownMeter("o", "tcp://h", SecuritySettings(other))}
        tls = tls_context(trusted=authority.file, certificate=authority.issue(OTHER_TITLE.hex()).both, check_host=False)
        async with Acceptor(url, known, port=0, patience=FAST) as listening, CallingMeter() as meter:
            await meter.call(listening.port, ssl=tls)
            meter.push(NotifyData(VALUE))
            await meter.ended.wait()
            assert "another meter than its certificate" in listening.quarantine[-1].reason

    run(body)


def test_the_iteration_ends_with_the_listening_and_nothing_is_left_behind() -> None:
    async def body() -> None:
        listening = acceptor()
        async with listening:
            waiting = asyncio.create_task(anext(listening, None))  # type: ignore[arg-type]
            await asyncio.sleep(0)
            async with CallingMeter() as meter:
                await meter.call(listening.port)
                await meter.until(lambda: meter.received)
        assert await waiting is None
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(body)
