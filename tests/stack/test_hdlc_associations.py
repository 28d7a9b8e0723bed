"""An association over an HDLC connection that ends: in order, or because the meter has left it; and all stations."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.control import State
from cosemic.association.requests import Aborted, Completed, Failed, Get, Open, Release, Set
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings, PreEstablished, to_all_stations
from cosemic.codec import DataType, EncodedData
from cosemic.errors import AssociationError, ConfigurationError, ConnectionLost, OutcomeUnknown
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink, HdlcSecondaryLink
from cosemic.server import Admission, LogicalDevice, PhysicalDevice, data, managing
from cosemic.server.meter_session import MeterSession
from cosemic.stack import ClientStack, Disconnect
from cosemic.values import Obis, ServiceClass
from tests.association.samples import settings
from tests.server.support import NOW

CLIENT, STATION = 16, 17
NAME = CosemAttributeDescriptor(1, Obis("0-0:96.1.0"), 2)
UNCONFIRMED: Any = {"service_class": ServiceClass.UNCONFIRMED}


def text(octets: bytes) -> EncodedData:
    return EncodedData.of(DataType.OCTET_STRING, octets)


class Wire:
    """A client's stack, and a meter of one or two logical devices at the other end; virtual time."""

    def __init__(self, client: ClientSettings, server: ServerSettings, sap: int = 1, address_octets: int = 2) -> None:
        self.devices = []
        for own_sap in (1, 2):
            device = LogicalDevice(f"DEV{own_sap}", sap=own_sap, now=lambda: NOW)
            device.add(data("0-0:96.1.0", DataType.OCTET_STRING, b"old", writable=True))
            device.admit(Admission(client_sap=CLIENT, settings=server, rights=managing()))
            self.devices.append(device)
        self.meter = PhysicalDevice(*self.devices)
        self.stack = ClientStack(
            client,
            CLIENT,
            sap,
            link=lambda client_sap, server_sap: HdlcPrimaryLink(
                client_sap, HdlcAddress(server_sap, STATION, address_octets)
            ),
        )
        self.now = 100.0
        self.power_on()

    def power_on(self) -> None:
        """Let the meter forget its connections."""
        self.session = MeterSession(self.meter, HdlcSecondaryLink(STATION))

    def ask(self, request: Any) -> list[Any]:
        self.stack.send(request)
        found = self.stack.tick(self.now)
        for _ in range(60):
            if found:
                return found
            octets = self.stack.octets_to_send()
            if octets:
                self.stack.tick(self.now)
                self.session.receive(octets, self.now)
                found = self.answered()
            else:
                deadlines = self.stack.deadline(), self.session.deadline()
                self.now = max(self.now, min(one for one in deadlines if one is not None))
                self.session.tick(self.now)
                found = self.answered() or self.stack.tick(self.now)
        raise AssertionError("nothing came of it")

    def answered(self) -> list[Any]:
        answer = self.session.octets_to_send()
        return self.stack.receive(answer, self.now) if answer else []

    def result(self, request: Any) -> Any:
        (event,) = self.ask(request)
        assert isinstance(event, Completed)
        return event.result

    @property
    def values(self) -> list[bytes]:
        return [one.read(1, NAME.instance_id, 2, NOW).value() for one in self.devices]


def wire(*, ciphered: bool = False, **more: Any) -> Wire:
    made = Wire(*settings(ciphered=ciphered), **more)
    made.result(Open())
    return made


def test_a_disconnection_in_order_ends_the_association_at_the_client() -> None:
    made = wire()
    assert made.result(Disconnect()) is None
    association = made.stack.association
    assert association.state is State.IDLE
    assert association.opened is None
    with pytest.raises(AssociationError, match="open it before"):
        made.stack.send(Get(NAME))
    made.result(Open())  # on another data link connection
    assert made.result(Get(NAME)) == text(b"old")
    assert made.result(Release()) is None
    assert made.result(Disconnect()) is None


@pytest.mark.parametrize("request_", [Set(NAME, text(b"new")), Get(NAME)], ids=["set", "get"])
def test_dm_to_a_frame_that_was_sent_once_says_that_it_was_not_taken(request_: Any) -> None:
    made = wire()
    made.power_on()
    failed, aborted = made.ask(request_)
    assert isinstance(failed, Failed)
    assert isinstance(aborted, Aborted)
    assert type(failed.error) is ConnectionLost
    assert "DM" in str(failed.error)
    assert made.values[0] == b"old"


def test_dm_to_a_long_request_says_so_as_long_as_its_last_frame_was_not_taken() -> None:
    made = wire()
    made.power_on()
    failed, _ = made.ask(Set(NAME, text(bytes(1000))))
    assert type(failed.error) is ConnectionLost


def test_dm_to_a_frame_that_was_repeated_leaves_the_outcome_open() -> None:
    made = wire()
    made.stack.send(Set(NAME, text(b"new")))
    octets = made.stack.octets_to_send()
    made.stack.tick(made.now)
    made.session.receive(octets, made.now)
    made.power_on()
    assert made.values[0] == b"new"  # it was done, its answer is lost, and the meter has left the connection
    found: list[Any] = []
    while not found:
        octets = made.stack.octets_to_send()
        if octets:
            made.session.receive(octets, made.now)
            found = made.stack.receive(made.session.octets_to_send(), made.now)
        else:
            made.now = made.stack.deadline() or made.now
            found = made.stack.tick(made.now)
    assert isinstance(found[0].error, OutcomeUnknown)


def test_with_ciphering_a_dm_is_but_a_hint() -> None:
    """Anybody on the line can send one."""
    made = wire(ciphered=True)
    made.power_on()
    failed, _ = made.ask(Set(NAME, text(b"new")))
    assert isinstance(failed.error, OutcomeUnknown)
    assert made.values[0] == b"old"


def test_an_unconfirmed_request_goes_over_the_connection_and_the_next_one_follows_it() -> None:
    made = wire()
    made.result(Set(NAME, text(b"new"), **UNCONFIRMED))
    assert made.result(Get(NAME)) == text(b"new")


@pytest.mark.parametrize(("octets", "sap"), [(2, 0x7F), (4, 0x3FFF)])
def test_all_stations_hear_what_is_sent_to_them_without_a_connection(octets: int, sap: int) -> None:
    server = ServerSettings(pre_established=PreEstablished())
    made = Wire(to_all_stations(ClientSettings()), server, sap=sap, address_octets=octets)
    assert made.result(Open()).confirmed is False
    assert not made.stack.linked
    made.stack.send(Set(NAME, text(b"all"), **UNCONFIRMED))
    (event,) = made.stack.tick(made.now)
    assert isinstance(event, Completed)
    made.session.receive(made.stack.octets_to_send(), made.now)
    assert made.session.octets_to_send() == b""
    assert made.values == [b"all", b"all"]
    with pytest.raises(AssociationError, match="nothing is answered"):
        made.stack.send(Get(NAME))


@pytest.mark.parametrize(
    "client",
    [ClientSettings(), ClientSettings(pre_established=PreEstablished()), ClientSettings(response_allowed=False)],
    ids=["opened", "confirmed", "unconfirmed"],
)
def test_all_stations_are_reached_by_what_is_pre_established_and_not_confirmed_alone(client: ClientSettings) -> None:
    with pytest.raises(ConfigurationError, match="all stations"):
        Wire(client, ServerSettings(), sap=0x7F)
    made = Wire(ClientSettings(), ServerSettings())
    with pytest.raises(ConfigurationError, match="all stations"):
        made.stack.use(client, CLIENT, 0x7F)
