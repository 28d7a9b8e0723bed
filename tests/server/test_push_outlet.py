"""Pushes over real TCP and UDP: to a plain socket and cosemic.decode, to our receiver, to other people's software."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic import decode
from cosemic.association.client import ClientAssociation
from cosemic.association.notifications import Notified
from cosemic.association.notified import NotificationReceiver, Originator, ReceivingSettings
from cosemic.association.requests import Completed, Open
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType
from cosemic.link.wrapper import WrapperLink, decode_wrapper
from cosemic.model.push import PushConfirmationParameters, PushOperationMethod, TransportService, WindowElement
from cosemic.security import MemoryCounterStore, Protection
from cosemic.server import MeterServer, PushOutlet, data
from cosemic.simulator import Fleet
from cosemic.simulator.plan import MeterPlan
from cosemic.simulator.simulated_time import Time
from cosemic.values import DateTime, Obis
from tests.server.push_support import PUSH, VALUE, Pushing, listed, tcp
from tests.server.test_push_selection import CLIENT_TITLE, TITLE, secured
from tests.server.time_support import stamp, utc

START = utc(2026, 11, 20, 12)
CONFIRM = PushOperationMethod.CONFIRMED_RETRY_ON_MISSING_CONFIRMATION
LOWER_LAYER = PushOperationMethod.UNCONFIRMED_RETRY_ON_MISSING_LOWER_LAYER_CONFIRMATION
OBJECTS = (listed(2, 40, PUSH, 1), listed(2, 1, VALUE, 2))
BODY = (bytes(Obis(PUSH)), 7)
PATIENCE = 5.0
"""Seconds until a test gives up."""


class Server:
    """Listens on TCP; each connection is kept with what came over it."""

    def __init__(self, answer: Callable[[bytes], bytes | None] = lambda apdu: None) -> None:
        self.apdus: list[bytes] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.came = asyncio.Event()
        self._answer = answer

    async def __aenter__(self) -> Server:
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for writer in self.writers:
            writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        link = WrapperLink()
        while octets := await reader.read(65536):
            for event in link.receive(octets, 0.0):
                self.apdus.append(event.apdu)  # type: ignore[union-attr]
                answer = self._answer(event.apdu)  # type: ignore[union-attr]
                if answer is not None:
                    link.send(answer, source=event.destination, destination=event.source)  # type: ignore[union-attr]
                    writer.write(link.octets_to_send())
                self.came.set()
        writer.close()

    async def received(self, count: int = 1) -> list[bytes]:
        async with asyncio.timeout(PATIENCE):
            while len(self.apdus) < count:
                self.came.clear()
                await self.came.wait()
        return self.apdus


def running(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(4 * PATIENCE):
            await test()

    asyncio.run(bounded())


async def until(pushing: Pushing, *names: str) -> None:
    """Wait until the device has told these."""
    told: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while (told := [*told, *pushing.names()]) != list(names):
            assert told == list(names)[: len(told)], told
            await asyncio.sleep(0.01)


def outlet(pushing: Pushing, **options: Any) -> PushOutlet:
    return PushOutlet(pushing.device, **{"settle": 0.02, "poll": 0.02, "connect_timeout": 1.0} | options)


def pushing_to(port: int, service: TransportService = TransportService.TCP, **options: Any) -> Pushing:
    options.setdefault("push_object_list", OBJECTS)
    return Pushing(START, send_destination_and_method=tcp(f"127.0.0.1:{port}", service), **options)


def confirmation(apdu: bytes) -> bytes | None:
    notification = a.DataNotification.decode(apdu)
    return a.DataNotificationConfirm(notification.long_invoke_id_and_priority, b"").encode()


def test_a_push_over_tcp_is_one_wpdu_from_the_device_to_its_client() -> None:
    async def test() -> None:
        octets = bytearray()
        ended = asyncio.Event()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            octets.extend(await reader.read(-1))
            writer.close()
            ended.set()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        pushing = pushing_to(server.sockets[0].getsockname()[1])
        async with outlet(pushing, linger=0.05):
            assert pushing.push() == "success"
            await asyncio.wait_for(ended.wait(), PATIENCE)
            await until(pushing, "push-delivered")
        server.close()
        shown = decode(bytes(octets)).to_dict()
        assert shown["layers"] == [
            {"wrapper": {"version": 1, "source": 1, "destination": 16, "length": len(octets) - 8}}
        ]
        assert shown["apdu"]["apdu"] == "data-notification"
        assert shown["apdu"]["long_invoke_id_and_priority"]["service_class"] == "unconfirmed"
        assert shown["apdu"]["body"] == ["structure", [["octet-string", BODY[0].hex()], ["long-unsigned", 7]]]

    running(test)


def test_a_push_over_udp_is_one_datagram() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        came: asyncio.Queue[bytes] = asyncio.Queue()

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, octets: bytes, address: Any) -> None:
                came.put_nowait(octets)

        transport, _ = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
        pushing = pushing_to(transport.get_extra_info("sockname")[1], TransportService.UDP)
        async with outlet(pushing):
            pushing.push()
            octets = await asyncio.wait_for(came.get(), PATIENCE)
            await until(pushing, "push-delivered")
            assert pushing.set(11, LOWER_LAYER).name == "SUCCESS"  # of which UDP has none
            pushing.push()
            await until(pushing, "push-failed")
        transport.close()
        assert a.DataNotification.decode(decode_wrapper(octets)[1]).notification_body.value() == BODY

    running(test)


def test_what_is_longer_than_a_datagram_comes_in_several() -> None:
    async def test() -> None:
        came: list[bytes] = []

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, octets: bytes, address: Any) -> None:
                came.append(decode_wrapper(octets)[1])

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        long = [f"0-0:96.2.{number}" for number in range(2)]
        pushing = pushing_to(port, TransportService.UDP, push_object_list=[listed(2, 1, name, 2) for name in long])
        for name in long:
            pushing.device.add(data(name, DataType.OCTET_STRING, bytes(40_000)))
        async with outlet(pushing):
            pushing.push()
            await until(pushing, "push-delivered")
        transport.close()
        assert max(map(len, came)) == 65_499
        receiver = NotificationReceiver(ReceivingSettings(require=Protection.NONE))
        (notified,) = [event for apdu in came for event in receiver.receive(apdu, 0.0)]
        assert isinstance(notified, Notified)

    running(test)


def test_nobody_listens_and_the_push_is_repeated_until_somebody_does() -> None:
    async def test() -> None:
        async with Server() as server:
            port = server.port
        pushing = pushing_to(port, number_of_retries=2)
        async with outlet(pushing, first_pause=0.05):
            pushing.push()
            await until(pushing, "push-attempt-failed", "push-attempt-failed", "push-failed")
            assert pushing.setup.process.attempts is None

    running(test)


def test_a_destination_that_was_not_reached_is_left_alone_for_a_while() -> None:
    async def test() -> None:
        async with Server() as server:
            port = server.port
        pushing = pushing_to(port, number_of_retries=200)
        async with outlet(pushing, first_pause=60.0):
            pushing.push()
            await until(pushing, "push-attempt-failed")
            await asyncio.sleep(0.2)
            assert pushing.names() == []
        assert pushing.names() == ["push-attempt-failed"]  # the device has stopped sending

    running(test)


def test_what_could_not_be_sent_before_its_window_closed_waits_for_the_next() -> None:
    async def test() -> None:
        async with Server() as server:
            window = WindowElement(stamp("*-*-* 13:00:00"), stamp("*-*-* 13:10:00"))  # local time: now, for ten minutes
            pushing = pushing_to(server.port, communication_window=[window])
            sends = outlet(pushing)
            pushing.push()
            outgoing = pushing.device.outbox.take()
            assert outgoing is not None
            later = asyncio.get_running_loop().time() + 0.1
            sends._pauses[outgoing.destination] = 0.1, later  # it could not be reached just now
            pushing.device.outbox.put(outgoing)
            async with sends:
                await asyncio.sleep(0.03)
                pushing.now += dt.timedelta(minutes=11)
                await asyncio.sleep(0.15)
                assert server.apdus == []
                assert pushing.names() == []
                assert pushing.device.outbox.next_due() == START + dt.timedelta(days=1)
                pushing.now = START + dt.timedelta(days=1)
                await server.received()
                await until(pushing, "push-delivered")

    running(test)


def test_udp_port_where_nobody_listens_is_a_lower_layer_failure() -> None:
    async def test() -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]
        transport.close()
        await asyncio.sleep(0)
        pushing = pushing_to(port, TransportService.UDP)
        async with outlet(pushing, settle=0.5):
            pushing.push()
            await until(pushing, "push-failed")

    running(test)


def test_a_confirmed_push_is_delivered_when_it_is_confirmed_and_one_connection_serves_all() -> None:
    async def test() -> None:
        async with Server(confirmation) as server:
            pushing = pushing_to(server.port, push_operation_method=CONFIRM)
            async with outlet(pushing):
                for number in range(1, 4):
                    pushing.push()
                    await server.received(number)
                    await until(pushing, "push-delivered")
            assert server.connections == 1
            numbers = [a.DataNotification.decode(one).long_invoke_id_and_priority for one in server.apdus]
            assert [int(one) for one in numbers] == [0x40000001, 0x40000002, 0x40000003]
            assert not pushing.get(13).is_unspecified

    running(test)


@pytest.mark.slow  # two seconds of waiting, as long as a confirmation interval is at least
def test_without_confirmation_it_is_repeated_with_the_same_number() -> None:
    async def test() -> None:
        async with Server() as server:
            parameters = PushConfirmationParameters(DateTime.of(), 1)
            pushing = pushing_to(
                server.port, push_operation_method=CONFIRM, number_of_retries=1, confirmation_parameters=parameters
            )
            async with outlet(pushing, first_pause=0.01):
                pushing.push()
                first, second = await server.received(2)
                assert first == second
                await until(pushing, "push-attempt-failed", "push-failed")
                assert pushing.get(13).is_unspecified

    running(test)


def test_tcp_confirms_when_the_receiver_has_taken_all_and_ended_in_order() -> None:
    async def test() -> None:
        async with Server() as server:
            pushing = pushing_to(server.port, push_operation_method=LOWER_LAYER)
            async with outlet(pushing):
                pushing.push()
                await server.received()
                await until(pushing, "push-delivered")

        async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()  # with octets unread: the sender sees a reset

        cruel = await asyncio.start_server(reset, "127.0.0.1", 0)
        pushing = pushing_to(
            cruel.sockets[0].getsockname()[1],
            push_operation_method=LOWER_LAYER,
            push_object_list=(listed(2, 1, "0-0:96.1.2", 2),),
        )
        pushing.device.add(data("0-0:96.1.2", DataType.OCTET_STRING, bytes(1 << 19)))
        async with outlet(pushing):
            pushing.push()
            await until(pushing, "push-failed")
        cruel.close()

    running(test)


def test_a_head_end_reads_over_the_connection_that_the_meter_made() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        client = ClientAssociation(ClientSettings())
        done = loop.create_future()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            link = WrapperLink(16, 1)
            client.send(Open())
            client.tick(0.0)
            while octets := await reader.read(65536):
                for event in link.receive(octets, 0.0):
                    if event.apdu[0] == 0x0F:  # type: ignore[union-attr]
                        link.send(client.octets_to_send())
                        writer.write(link.octets_to_send())
                    else:
                        done.set_result(client.receive(event.apdu, 0.0))  # type: ignore[union-attr]
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        pushing = pushing_to(server.sockets[0].getsockname()[1])
        async with outlet(pushing):
            pushing.push()
            (event,) = await asyncio.wait_for(done, PATIENCE)
            assert isinstance(event, Completed)
        server.close()

    running(test)


def test_ciphered_pushes_are_taken_and_confirmed_by_our_receiver_and_long_ones_come_in_blocks() -> None:
    async def test() -> None:
        settings = secured(3)
        assert settings.material is not None
        originator = Originator(TITLE, settings.material)
        receiver = NotificationReceiver(
            ReceivingSettings(
                keys=lambda title: originator if title == TITLE else None,
                system_title=CLIENT_TITLE,
                counters=MemoryCounterStore(),
            )
        )
        events: list[Any] = []

        def answer(apdu: bytes) -> bytes | None:
            events.extend(receiver.receive(apdu, 0.0))
            return receiver.octets_to_send() or None

        async with Server(answer) as server:
            pushing = pushing_to(server.port, settings=settings, push_operation_method=CONFIRM)
            pushing.device.add(data("0-0:96.1.2", DataType.OCTET_STRING, bytes(range(256)) * 400))
            async with outlet(pushing):
                pushing.setup.push(START)
                pushing.device.outbox.stir()
                await until(pushing, "push-delivered")
                assert server.apdus[0][0] == 0xDB
                (notified,) = events
                assert isinstance(notified, Notified)
                assert notified.authenticated
                assert notified.system_title == TITLE
                assert notified.apdu.notification_body.value() == BODY  # type: ignore[union-attr]
                assert pushing.set(2, (listed(2, 1, "0-0:96.1.2", 2),)).name == "SUCCESS"
                pushing.setup.push(START)
                await until(pushing, "push-delivered")
                assert server.apdus[-1][0] == 0xE0
                assert len(events[1].apdu.notification_body.value()[0]) == 256 * 400

    running(test)


def test_a_meter_server_pushes_what_its_device_has_set_up() -> None:
    async def test() -> None:
        async with Server() as server:
            pushing = pushing_to(server.port)
            async with MeterServer(pushing.device, port=0) as meter:
                assert meter.port
                pushing.push()
                (octets,) = await server.received()
                assert a.DataNotification.decode(octets).notification_body.value() == BODY

    running(test)


def test_a_simulated_meter_pushes_every_quarter_of_an_hour_of_its_own_time() -> None:
    async def test() -> None:
        time = Time(utc(2026, 11, 20, 11, 59), speed=0)
        async with Server() as server:
            plan = MeterPlan(serial=1_000_001, push=f"127.0.0.1:{server.port}", profile_days=1, billing_periods=0)
            async with Fleet([plan], now=time, idle=0.01) as fleet:
                assert fleet.sites[0].present
                await server.received(1)  # what it has missed while it was not there, once
                for number, minutes in ((2, 1), (3, 15)):
                    time.step(minutes=minutes)
                    await server.received(number)
                fleet.sites[0].let_go()
                assert fleet.sites[0].present  # it has something to send
        stamps, energies = [], []
        for octets in server.apdus:
            notification = a.DataNotification.decode(octets)
            name, shown, serial, energy, *_ = notification.notification_body.value()
            assert (name, serial) == (bytes(Obis(PUSH)), b"0000001000001")
            stamps.append(DateTime(shown).to_datetime().astimezone(dt.UTC))
            energies.append(energy)
        assert stamps == [utc(2026, 11, 20, 11, 59), utc(2026, 11, 20, 12), utc(2026, 11, 20, 12, 15)]
        curve = plan.curve()
        assert energies == [int(curve.imported(moment.timestamp())) for moment in stamps]

    running(test)


def test_pydlms_reads_what_we_push() -> None:
    push = pytest.importorskip("pydlms.push", reason="pydlms-client is not installed (group peers)")

    async def test() -> None:
        async with Server() as server:
            objects = (listed(2, 40, PUSH, 2), listed(2, 1, VALUE, 2))
            pushing = pushing_to(server.port, push_object_list=objects)
            async with outlet(pushing):
                pushing.push()
                (octets,) = await server.received()
            _, records, complete = push.decode_notification(octets)
            assert complete
            assert [(str(one.obis), one.raw) for one in records if one.raw == 7] == [("0.0.96.1.0.255", 7)]

    running(test)


def test_gurux_reads_what_we_push() -> None:
    gurux = pytest.importorskip("gurux_dlms", reason="gurux-dlms is not installed (group peers)")

    async def test() -> None:
        async with Server() as server:
            pushing = pushing_to(server.port)
            async with outlet(pushing):
                pushing.push()
                (octets,) = await server.received()
        from gurux_dlms.enums import InterfaceType

        client = gurux.GXDLMSClient(True, 16, 1, interfaceType=InterfaceType.WRAPPER)
        wpdu = b"\0\1\0\1\0\x10" + len(octets).to_bytes(2) + octets
        reply, notification = gurux.GXReplyData(), gurux.GXReplyData()
        client.getData(gurux.GXByteBuffer(wpdu), reply, notification)
        name, value = notification.value
        assert (bytes(name), value) == BODY

    running(test)
