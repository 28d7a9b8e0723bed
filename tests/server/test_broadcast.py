"""Unconfirmed services to all stations: every logical device executes them, and nobody answers (IEC 62056-9-7)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.client import ClientAssociation
from cosemic.association.requests import Completed, Get, Open
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData
from cosemic.faults import DatagramFaults, Network, VirtualTime
from cosemic.faults.sessions import ClientStation, MeterStation
from cosemic.link.wrapper import ALL_STATION, DatagramWrapperLink, decode_wrapper
from cosemic.security import MemoryCounterStore, SecurityContext, SecurityMaterial, SecurityPolicy
from cosemic.server import Admission, LogicalDevice, PhysicalDevice, data, managing
from cosemic.server.meter_session import MeterSession
from cosemic.stack import ClientStack
from cosemic.values import ApplicationContext, Obis, Secret, ServiceClass
from tests.association.samples import AK, CLIENT_TITLE, EK, SERVER_TITLE
from tests.server.support import NOW

CLIENT, OTHER = 16, 32
BROADCAST_KEY = bytes(range(0x40, 0x50))
NAME = a.CosemAttributeDescriptor(1, Obis("0-0:96.1.0"), 2)
UNCONFIRMED = a.InvokeIdAndPriority.of(1, ServiceClass.UNCONFIRMED)
CONFIRMED = a.InvokeIdAndPriority.of(1)


def value(text: bytes) -> EncodedData:
    return EncodedData.of(DataType.OCTET_STRING, text)


def setting(text: bytes, invoke: a.InvokeIdAndPriority = UNCONFIRMED) -> bytes:
    return a.SetRequestNormal(invoke, NAME, None, value(text)).encode()


def material() -> SecurityMaterial:
    return SecurityMaterial.of(
        Secret(EK, "encryption key"),
        Secret(AK, "authentication key"),
        broadcast_key=Secret(BROADCAST_KEY, "broadcast key"),
    )


def device(name: str, sap: int, settings: ServerSettings) -> LogicalDevice:
    made = LogicalDevice(name, sap=sap, now=lambda: NOW)
    made.add(data("0-0:96.1.0", DataType.OCTET_STRING, name.encode(), writable=True))
    for client_sap in (CLIENT, OTHER):
        made.admit(Admission(client_sap=client_sap, settings=settings, rights=managing()))
    return made


def names(meter: PhysicalDevice) -> list[Any]:
    return [each.read(NAME.class_id, NAME.instance_id, NAME.attribute_id, NOW).value() for each in meter.devices]


class House:
    """A meter of three logical devices, and a client that has opened associations with the first two."""

    def __init__(self, settings: ServerSettings | None = None, client: ClientSettings | None = None) -> None:
        theirs = settings or ServerSettings()
        titles = {sap: SERVER_TITLE[:-1] + bytes((sap,)) for sap in (1, 2, 3)}
        self.meter = PhysicalDevice(
            *(
                device(name, sap, replace(theirs, counters=MemoryCounterStore(), system_title=titles[sap]))
                for name, sap in {"MGT": 1, "ELE": 2, "GAS": 3}.items()
            )
        )
        self.session = MeterSession(self.meter, DatagramWrapperLink())
        self.link = DatagramWrapperLink()
        self.clients = {sap: ClientAssociation(client or ClientSettings()) for sap in (1, 2)}
        for sap, association in self.clients.items():
            association.send(Open())
            (answer,) = self.send(association.octets_to_send(), sap)
            assert isinstance(association.receive(answer, 0.0)[0], Completed)

    def send(self, apdu: bytes, sap: int = ALL_STATION, client_sap: int = CLIENT) -> list[bytes]:
        """What is answered to an APDU."""
        self.link.send(apdu, source=client_sap, destination=sap)
        self.session.receive(self.link.octets_to_send(), 0.0)
        answers = []
        while octets := self.session.octets_to_send():
            answers.append(decode_wrapper(octets)[1])
        return answers

    def names(self) -> list[bytes]:
        return names(self.meter)


def test_an_unconfirmed_request_is_executed_in_every_association_of_the_client_and_not_answered() -> None:
    house = House()
    assert house.send(setting(b"ALL")) == []
    assert house.names() == [b"ALL", b"ALL", b"GAS"]


@pytest.mark.parametrize(
    "apdu",
    [
        setting(b"ALL", CONFIRMED),
        a.GetRequestNormal(CONFIRMED, NAME).encode(),
        a.RLRQ().encode(),
        bytes.fromhex("601da109060760857405080101be10040e01000000065f1f0400001e1dffff"),
        b"\xff",
        b"",
    ],
)
def test_what_wants_an_answer_is_passed_over(apdu: bytes) -> None:
    house = House()
    assert house.send(apdu) == []
    assert house.names() == [b"MGT", b"ELE", b"GAS"]
    client = house.clients[1]
    client.send(Get(NAME))  # the association has not noticed
    (answer,) = house.send(client.octets_to_send(), 1)
    assert isinstance(client.receive(answer, 0.0)[0], Completed)


def test_another_client_has_no_associations_that_would_execute_it() -> None:
    house = House()
    assert house.send(setting(b"ALL"), client_sap=OTHER) == []
    assert house.names() == [b"MGT", b"ELE", b"GAS"]


def test_a_device_that_has_left_its_sap_is_not_reached() -> None:
    house = House()
    house.meter.assign(house.meter.devices[1], 9)
    house.send(setting(b"ALL"))
    assert house.names() == [b"ALL", b"ELE", b"GAS"]


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_sent_to_all_does_not_disturb_an_answer_that_is_kept(keep: bool) -> None:
    house = House(ServerSettings(keep_answers=keep))
    first = house.send(setting(b"ONE", CONFIRMED), 1)
    house.send(setting(b"ALL"))
    again = house.send(setting(b"ONE", CONFIRMED), 1)
    assert first == again
    assert house.names()[0] == (b"ALL" if keep else b"ONE")


def test_what_was_sent_to_all_and_wants_an_answer_is_served_when_it_comes_to_one() -> None:
    house = House(ServerSettings(keep_answers=True))
    assert house.send(setting(b"ONE", CONFIRMED)) == []
    (answer,) = house.send(setting(b"ONE", CONFIRMED), 1)
    assert a.decode(answer).result == 0
    assert house.names() == [b"ONE", b"ELE", b"GAS"]


def test_the_broadcast_key_protects_what_is_sent_to_all_and_nothing_else() -> None:
    theirs = ServerSettings(
        context_names=frozenset((ApplicationContext.LN_CIPHERED,)),
        material=material(),
        system_title=SERVER_TITLE,
        policy=SecurityPolicy(0, 3),
    )
    ours = ClientSettings(ciphered=True, material=material(), counters=MemoryCounterStore(), system_title=CLIENT_TITLE)
    house = House(theirs, ours)
    sender = SecurityContext(CLIENT_TITLE, SERVER_TITLE, material(), MemoryCounterStore())
    assert house.send(sender.protect_apdu(setting(b"ALL"), broadcast=True)) == []
    assert house.names() == [b"ALL", b"ALL", b"GAS"]
    (refused,) = house.send(sender.protect_apdu(setting(b"ONE", CONFIRMED), broadcast=True), 1)
    assert refused.hex() == "d80105"
    assert house.send(setting(b"BAD")) == []
    assert house.names() == [b"ALL", b"ALL", b"GAS"]


def test_a_multicast_reaches_every_meter_that_has_joined() -> None:
    time = VirtualTime()
    network = Network(time, DatagramFaults(latency=0.1))
    meters = []
    client_port = network.station("head-end")
    for number in range(3):
        meter = PhysicalDevice(device(f"MET{number}", 1, ServerSettings()))
        port = network.station(f"meter {number}")
        port.join("all meters")
        port.listen(
            lambda connection, meter=meter: MeterStation(MeterSession(meter, DatagramWrapperLink()), connection)
        )
        meters.append(meter)
        stack = ClientStack(ClientSettings(), CLIENT, 1, link=lambda client_sap, server_sap: DatagramWrapperLink())
        ClientStation(stack, client_port.connected(f"meter {number}")).ask(Open())
    link = DatagramWrapperLink(CLIENT, ALL_STATION)
    link.send(setting(b"ALL"))
    sent = network.counts.sent
    client_port.send(link.octets_to_send(), "all meters")
    time.run_until_idle()
    assert network.counts.sent == sent + 3  # nobody answers
    assert [names(meter) for meter in meters] == [[b"ALL"]] * 3
