"""A meter at the other end of a connection, with faults that can be told to happen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.server import ServerAssociation
from cosemic.association.service_provider import ServerSettings
from cosemic.client.recovery import STANDARD
from cosemic.codec import DataType, EncodedData
from cosemic.errors import TransportError
from cosemic.link.contract import ApduReceived
from cosemic.link.wrapper import WrapperLink
from cosemic.transport.contract import Connection
from cosemic.transport.tcp import TcpServer
from cosemic.values import Obis
from tests.association.samples import Shelf

T = DataType
ENERGY = "1-0:1.8.0"
COUNTER = CosemAttributeDescriptor(1, Obis("0-0:43.1.0"), 2)
PUBLIC = 16
QUICK = STANDARD.but(
    reading={failure: replace(rule, waits=(0.0,) * len(rule.waits)) for failure, rule in STANDARD.reading.items()}
)
"""The rules of the library, without the waits of real time."""
CLIENT = 1


def at(class_id: int, obis: str, attribute: int) -> CosemAttributeDescriptor:
    return CosemAttributeDescriptor(class_id, Obis(obis), attribute)


def octet_string(obis: str) -> tuple[DataType, bytes]:
    return T.OCTET_STRING, Obis(obis).octets


def structure(*members: Any) -> tuple[DataType, Any]:
    return T.STRUCTURE, tuple(members)


def array(*members: Any) -> tuple[DataType, Any]:
    return T.ARRAY, tuple(members)


CLOCK_OCTETS = bytes.fromhex("07ea0b14ff000000ff800000")


def household() -> Shelf:
    """A register, a load profile of two columns, and the view of them."""
    shelf = Shelf()
    rights = structure(array(), array())
    objects = ((15, 1, "0-0:40.0.0"), (3, 0, ENERGY), (1, 0, "0-0:96.1.0"), (7, 1, "1-0:99.1.0"), (8, 0, "0-0:1.0.0"))
    view = array(*(structure((T.LONG_UNSIGNED, c), (T.UNSIGNED, v), octet_string(o), rights) for c, v, o in objects))
    captured = array(
        structure((T.LONG_UNSIGNED, 8), octet_string("0-0:1.0.0"), (T.INTEGER, 2), (T.LONG_UNSIGNED, 0)),
        structure((T.LONG_UNSIGNED, 3), octet_string(ENERGY), (T.INTEGER, 2), (T.LONG_UNSIGNED, 0)),
    )
    rows = array(
        *(
            structure(
                (T.OCTET_STRING, CLOCK_OCTETS[:5] + bytes((hour, 0, 0, 0xFF, 0, 0, 0))),
                (T.DOUBLE_LONG_UNSIGNED, 1000 + hour),
            )
            for hour in range(1, 5)
        )
    )
    for where, value in (
        (at(15, "0-0:40.0.0", 2), view),
        (at(3, ENERGY, 2), (T.DOUBLE_LONG_UNSIGNED, 12345678)),
        (at(3, ENERGY, 3), structure((T.INTEGER, -3), (T.ENUM, 30))),
        (at(1, "0-0:96.1.0", 2), (T.OCTET_STRING, b"serial")),
        (at(7, "1-0:99.1.0", 2), rows),
        (at(7, "1-0:99.1.0", 3), captured),
        (at(7, "1-0:99.1.0", 4), (T.DOUBLE_LONG_UNSIGNED, 3600)),
        (at(7, "1-0:99.1.0", 5), (T.ENUM, 1)),
    ):
        shelf.put(where, EncodedData.from_typed(value))
    return shelf


class MeterEnd:
    """A receiver that answers as a meter does; ``fault`` decides about each answer before it is sent.

    fault: is given the APDU that would be sent and its number on this connection, from 1; returns the octets to send
    instead of its WPDU, None to send it. It may use ``connection``.
    """

    def __init__(self, world: World, connection: Connection) -> None:
        self.world = world
        self.connection = connection
        self.link = WrapperLink()
        self.associations: dict[tuple[int, int], ServerAssociation] = {}
        self.answered = 0
        world.ends.append(self)

    def octets_received(self, octets: bytes, /) -> None:
        for event in self.link.receive(octets, 0.0):
            assert isinstance(event, ApduReceived)
            self.world.received.append(event.apdu)
            settings = self.world.clients.get(event.source)
            if settings is None:
                continue  # meters pass over what comes from a SAP that they do not know
            pair = event.source, event.destination
            association = self.associations.get(pair)
            if association is None:
                association = self.associations[pair] = ServerAssociation(settings, self.world.shelf)
            association.receive(event.apdu, 0.0)
            while answer := association.octets_to_send():
                self.answered += 1
                changed = self.world.fault(self, answer, self.answered)
                if changed is not None:
                    self.send(changed)
                else:
                    self.link.send(answer, source=pair[1], destination=pair[0])
                    self.send(self.link.octets_to_send())

    def send(self, octets: bytes) -> None:
        if octets:
            self.connection.write(octets)

    def connection_lost(self, error: TransportError | None, /) -> None:
        self.world.lost.append(error)


Fault = Callable[[MeterEnd, bytes, int], bytes | None]


class World:
    """The meter that all connections lead to; ``clients`` says how each client SAP may open."""

    def __init__(self, clients: dict[int, ServerSettings] | None = None, shelf: Shelf | None = None) -> None:
        self.clients = clients or {PUBLIC: ServerSettings()}
        self.shelf = shelf or household()
        self.fault: Fault = lambda end, answer, number: None
        self.received: list[bytes] = []
        self.ends: list[MeterEnd] = []
        self.lost: list[TransportError | None] = []

    def receiver(self, connection: Connection) -> MeterEnd:
        return MeterEnd(self, connection)

    def server(self) -> TcpServer:
        return TcpServer(self.receiver, "127.0.0.1", 0)


def mute(end: MeterEnd, answer: bytes, number: int) -> bytes:
    """Never answer."""
    return b""


@contextmanager
def serving(world: World) -> Iterator[int]:
    """Run the meter in a thread of its own; yields its port."""
    loop = asyncio.new_event_loop()
    server = world.server()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(5)
        yield server.port
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
