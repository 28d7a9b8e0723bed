"""Several associations on one connection, interleaved: each between its own SAPs, with its own security."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.client import ClientAssociation
from cosemic.association.requests import Completed, Failed, Get, Open, Release, Request, Set
from cosemic.association.settings import ClientSettings, PreEstablished, to_all_stations
from cosemic.codec import DataType, EncodedData
from cosemic.errors import CosemicError
from cosemic.link.contract import ApduReceived
from cosemic.link.wrapper import ALL_STATION, WrapperLink
from cosemic.security import MemoryCounterStore
from cosemic.server import Admission, LogicalDevice, PhysicalDevice, data, managing
from cosemic.server.meter_session import MeterSession
from cosemic.values import DataAccessResult, Obis, Secret, ServiceClass
from tests.association.samples import SERVER_TITLE, M, settings
from tests.effort import examples
from tests.server.support import NOW

NAME = CosemAttributeDescriptor(1, Obis("0-0:96.1.0"), 2)
PUBLIC, READER, MANAGER, BEFOREHAND = 16, 32, 1, 48
SAPS = (1, 2)
CLIENTS: dict[int, dict[str, Any]] = {
    PUBLIC: {},
    READER: {"mechanism": M.LLS},
    MANAGER: {"mechanism": M.HLS_GMAC, "ciphered": True},
}


def text(octets: bytes) -> EncodedData:
    return EncodedData.of(DataType.OCTET_STRING, octets)


class Connection:
    """One wrapper connection to a meter of two logical devices, and eight associations on it."""

    def __init__(self) -> None:
        self.clients: dict[tuple[int, int], ClientAssociation] = {}
        devices = []
        for sap in SAPS:
            device = LogicalDevice(f"DEV{sap}", sap=sap, now=lambda: NOW)
            device.add(data("0-0:96.1.0", DataType.OCTET_STRING, b"%d" % sap, writable=True))
            for client_sap, how in CLIENTS.items():
                ours, theirs = settings(**how)
                title = SERVER_TITLE[:-1] + bytes((sap,)) if theirs.system_title else b""
                theirs = replace(theirs, system_title=title, counters=MemoryCounterStore())
                ours = replace(ours, max_pdu_size=200)
                device.admit(Admission(client_sap=client_sap, settings=theirs, rights=managing()))
                self.clients[client_sap, sap] = ClientAssociation(ours)
            standing = replace(settings()[1], pre_established=PreEstablished())
            device.admit(Admission(client_sap=BEFOREHAND, settings=standing, rights=managing()))
            beforehand = ClientSettings(pre_established=PreEstablished())
            self.clients[BEFOREHAND, sap] = ClientAssociation(beforehand)
            devices.append(device)
        self.meter = PhysicalDevice(*devices)
        self.session = MeterSession(self.meter, WrapperLink())
        self.link = WrapperLink()
        self.now = 0.0

    def values(self) -> list[bytes]:
        return [one.read(1, NAME.instance_id, 2, NOW).value() for one in self.meter.devices]

    def begin(self, pair: tuple[int, int], request: Request) -> list[Any]:
        client = self.clients[pair]
        client.send(request)
        return client.tick(self.now)

    def step(self, pair: tuple[int, int]) -> list[Any]:
        """Carry what one association has due, and hand each answer to the one that it is for."""
        apdu = self.clients[pair].octets_to_send()
        if not apdu:
            return []
        self.link.send(apdu, source=pair[0], destination=pair[1])
        self.session.receive(self.link.octets_to_send(), self.now)
        events: list[Any] = []
        while octets := self.session.octets_to_send():
            for event in self.link.receive(octets, self.now):
                assert isinstance(event, ApduReceived)
                assert (event.destination, event.source) == pair
                events += self.clients[pair].receive(event.apdu, self.now)
        return events

    def ask(self, pair: tuple[int, int], request: Request) -> Any:
        found = self.begin(pair, request)
        while not found:
            found = self.step(pair)
        (event,) = found
        assert isinstance(event, Completed), event
        return event.result


PAIRS = [(client_sap, sap) for client_sap in (*CLIENTS, BEFOREHAND) for sap in SAPS]


@examples(12, deadline=None)
@given(st.data())
def test_associations_that_take_turns_in_any_order_do_not_disturb_each_other(draws: st.DataObject) -> None:
    connection = Connection()
    for pair in draws.draw(st.permutations(PAIRS)):
        connection.ask(pair, Open())
    pending: dict[tuple[int, int], EncodedData] = {}
    written = {sap: text(b"%d" % sap) for sap in SAPS}
    for number in range(60):
        pair = draws.draw(st.sampled_from(PAIRS))
        if pair not in pending:
            if draws.draw(st.booleans()) and not any(other[1] == pair[1] for other in pending):
                new = text(bytes((number,)) * draws.draw(st.sampled_from((3, 500))))
                connection.ask(pair, Set(NAME, new))
                written[pair[1]] = new
            connection.begin(pair, Get(NAME))
            pending[pair] = written[pair[1]]
            continue
        for event in connection.step(pair):  # one APDU of a transfer in blocks
            assert isinstance(event, Completed)
            # It was read when the first block was asked for, or before another client has written.
            assert event.result in (pending.pop(pair), written[pair[1]])


def test_each_association_stands_and_falls_by_itself() -> None:
    connection = Connection()
    for pair in PAIRS:
        connection.ask(pair, Open())
    connection.ask((PUBLIC, 1), Release())
    for pair in PAIRS:
        if pair != (PUBLIC, 1):
            assert connection.ask(pair, Get(NAME)) == text(b"%d" % pair[1])
    connection.ask((PUBLIC, 1), Open())
    assert connection.ask((PUBLIC, 1), Get(NAME)) == text(b"1")
    assert connection.ask((MANAGER, 2), Set(NAME, text(b"new"))) is DataAccessResult.SUCCESS
    assert connection.values() == [b"1", b"new"]


def test_who_fails_to_open_one_keeps_the_others() -> None:
    connection = Connection()
    for pair in PAIRS[:2]:
        connection.ask(pair, Open())
    good = connection.clients[READER, 1]
    connection.clients[READER, 1] = ClientAssociation(replace(good.settings, secret=Secret.password(b"wrong")))
    (event,) = [*connection.begin((READER, 1), Open()), *connection.step((READER, 1))]
    assert isinstance(event, Failed)
    assert isinstance(event.error, CosemicError)
    assert connection.ask((PUBLIC, 1), Get(NAME)) == text(b"1")
    connection.clients[READER, 1] = good
    connection.ask((READER, 1), Open())


def test_what_is_sent_to_all_goes_beside_them_to_the_associations_of_its_client() -> None:
    connection = Connection()
    for pair in PAIRS:
        connection.ask(pair, Open())
    connection.clients[BEFOREHAND, ALL_STATION] = ClientAssociation(to_all_stations(ClientSettings()))
    everybody = (BEFOREHAND, ALL_STATION)
    connection.ask(everybody, Open())
    connection.begin((MANAGER, 1), Get(NAME))
    connection.begin(everybody, Set(NAME, text(b"all"), service_class=ServiceClass.UNCONFIRMED))
    assert connection.step(everybody) == []
    (event,) = connection.clients[everybody].tick(1.0)
    assert isinstance(event, Completed)
    assert connection.values() == [b"all", b"all"]
    (event,) = connection.step((MANAGER, 1))
    assert event.result == text(b"all")
