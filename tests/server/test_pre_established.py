"""Clients whose association with a logical device stands from the beginning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cosemic import apdu as a
from cosemic.association.requests import Get, Open, Release, Set
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings, PreEstablished
from cosemic.codec import DataType, EncodedData
from cosemic.errors import CosemicError
from cosemic.faults import ByteStream, VirtualTime
from cosemic.faults.sessions import ClientStation, MeterStation
from cosemic.link.contract import Link
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink, HdlcSecondaryLink, HdlcSettings
from cosemic.link.wrapper import ALL_STATION, DatagramWrapperLink, WrapperLink
from cosemic.model import AssociationLN
from cosemic.model.access_control import AssociationStatus
from cosemic.server import Admission, LogicalDevice, PhysicalDevice, data, managing
from cosemic.server.meter_session import MeterSession
from cosemic.stack import ClientStack, Disconnect
from cosemic.values import Obis, ServiceClass
from tests.association.samples import CLIENT_TITLE, OTHER_TITLE, SERVER_TITLE, settings
from tests.server.support import NOW
from tests.server.test_broadcast import NAME, names, setting, value
from tests.transport.certificates import Authority

CLIENT = 102
OWN = ServerSettings(pre_established=PreEstablished())
OURS = ClientSettings(pre_established=PreEstablished())


def device(sap: int, theirs: ServerSettings = OWN) -> LogicalDevice:
    made = LogicalDevice(f"TST000000000000{sap}", sap=sap, now=lambda: NOW)
    made.add(data(str(NAME.instance_id), DataType.OCTET_STRING, b"?", writable=True))
    made.admit(Admission(client_sap=16, settings=ServerSettings(), rights=managing()))
    made.admit(Admission(client_sap=CLIENT, settings=theirs, rights=managing()))
    return made


def status(of: LogicalDevice) -> AssociationStatus:
    shown = of.read(AssociationLN.class_id, Obis("0-0:40.0.2"), 8, NOW)
    return AssociationStatus(shown.value())


@pytest.mark.parametrize("link", [WrapperLink, DatagramWrapperLink])
def test_a_session_without_opening(link: type[Link]) -> None:
    time = VirtualTime()
    stream = ByteStream(time)
    meter = device(1)
    assert status(meter) is AssociationStatus.ASSOCIATED
    MeterStation(MeterSession(PhysicalDevice(meter), link()), stream.server)
    client = ClientStation(ClientStack(OURS, CLIENT, 1, link=lambda ours, theirs: link()), stream.client)
    client.ask(Open())
    assert stream.client.counts.octets_written == 0
    client.ask(Set(NAME, value(b"!")))
    assert client.ask(Get(NAME)) == value(b"!")
    agreed = meter.read(AssociationLN.class_id, Obis("0-0:40.0.2"), 5, NOW).value()
    opened = client.stack.association.opened
    assert opened is not None
    client.ask(Release())
    client.close()
    assert time.run_until_idle()
    assert status(meter) is AssociationStatus.ASSOCIATED
    assert not any(each.agreements for each in meter.clients)
    assert meter.read(AssociationLN.class_id, Obis("0-0:40.0.2"), 5, NOW).value() == agreed


def test_over_hdlc_it_stands_with_the_data_link_connection() -> None:
    time = VirtualTime()
    stream = ByteStream(time)
    MeterStation(MeterSession(PhysicalDevice(device(1)), HdlcSecondaryLink(17)), stream.server)
    link = HdlcPrimaryLink(CLIENT, HdlcAddress(1, 17, 2))
    client = ClientStation(ClientStack(OURS, CLIENT, 1, link=lambda ours, theirs: link), stream.client)
    for _ in range(2):
        client.ask(Open())
        assert link.connected
        client.ask(Set(NAME, value(b"!")))
        client.ask(Release())
        client.ask(Disconnect())
        assert not link.connected


def test_over_hdlc_nothing_waits_for_an_answer_that_does_not_come() -> None:
    time = VirtualTime()
    stream = ByteStream(time)
    MeterStation(MeterSession(PhysicalDevice(device(1)), HdlcSecondaryLink(17)), stream.server)
    link = HdlcPrimaryLink(CLIENT, HdlcAddress(1, 17, 2))
    client = ClientStation(ClientStack(OURS, CLIENT, 1, link=lambda ours, theirs: link), stream.client)
    client.ask(Open())
    began = time.now
    client.ask(Set(NAME, value(b"!"), service_class=ServiceClass.UNCONFIRMED))
    client.ask(Set(NAME, value(b"?")))
    assert time.now - began < HdlcSettings().answer_delay


def test_what_is_sent_to_all_stations_reaches_devices_that_nobody_has_spoken_to() -> None:
    meter = PhysicalDevice(device(1), device(2), device(3, ServerSettings()))
    session = MeterSession(meter, DatagramWrapperLink())
    link = DatagramWrapperLink()
    for client in (16, CLIENT):
        link.send(setting(b"ALL"), source=client, destination=ALL_STATION)
        session.receive(link.octets_to_send(), 0.0)
        assert session.octets_to_send() == b""
        assert names(meter) == ([b"?"] * 3 if client == 16 else [b"ALL", b"ALL", b"?"])


@pytest.mark.parametrize("owner", [CLIENT_TITLE, OTHER_TITLE])
def test_over_tls_it_is_the_client_of_the_certificate_who_is_served(owner: bytes, tmp_path: Path) -> None:
    beforehand = {"pre_established": PreEstablished()}
    ours, theirs = settings(
        ciphered=True,
        client=beforehand | {"server_title": SERVER_TITLE},
        server=beforehand | {"client_title": CLIENT_TITLE},
    )
    certificate = Authority(tmp_path).issue(owner.hex().upper()).der
    meter = device(1, theirs)
    session = MeterSession(PhysicalDevice(meter), WrapperLink(), certified=True, certificate=certificate)
    stream = ByteStream(VirtualTime())
    MeterStation(session, stream.server)
    client = ClientStation(ClientStack(ours, CLIENT, 1), stream.client)
    client.ask(Open())
    written = Set(NAME, EncodedData.of(DataType.OCTET_STRING, b"!"))
    if owner == CLIENT_TITLE:
        client.ask(written)
        assert names(PhysicalDevice(meter)) == [b"!"]
    else:
        with pytest.raises(CosemicError, match="change may have been made"):
            client.ask(written)
        assert session.ended
        assert names(PhysicalDevice(meter)) == [b"?"]


def test_an_unconfirmed_one_answers_nothing_but_the_refusal() -> None:
    theirs = replace(OWN, pre_established=PreEstablished(confirmed=False))
    meter = PhysicalDevice(device(1, theirs))
    association = meter.association(CLIENT, 1)
    assert association is not None
    association.receive(setting(b"!"), 0.0)
    assert names(meter) == [b"!"]
    association.receive(a.GetRequestNormal(a.InvokeIdAndPriority.of(1), NAME).encode(), 0.0)
    assert association.octets_to_send() == bytes.fromhex("d80101")
    assert association.octets_to_send() == b""
