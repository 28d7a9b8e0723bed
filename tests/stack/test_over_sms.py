"""A full session in short messages: the association is pre-established, for nothing tells a connection there."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings, PreEstablished
from cosemic.client.asynchronous import AsyncDriver
from cosemic.client.recovery import NONE
from cosemic.client.session import Session
from cosemic.client.steps import Procedure
from cosemic.errors import OutcomeUnknown
from cosemic.faults import ByteStream, DatagramFaults, Network, VirtualTime
from cosemic.faults.sessions import MeterStation
from cosemic.faults.sms import SmsModem, SmsPort
from cosemic.faults.virtual_loop import VirtualLoop
from cosemic.link.contract import Link
from cosemic.link.sms import SmsLink, SmsModemLink
from cosemic.model import LoadProfile
from cosemic.server import Admission, PhysicalDevice, managing
from cosemic.server.meter_session import MeterSession
from cosemic.simulator import HouseholdMeter
from cosemic.stack import ClientStack
from cosemic.store.security_settings import SecuritySettings
from cosemic.transport.contract import Connection, Receiver
from cosemic.values import LineSettings
from tests.association.samples import CLIENT_TITLE, SERVER_TITLE, material, settings
from tests.stack.full_session import NOW, assert_right, full, household
from tests.stack.ways import scheduled

HEAD_END, METER = "+4917000000", "+4917099999"
CLIENT = 102
ORDERLY = DatagramFaults(latency=4.0)
AS_IT_IS = DatagramFaults(latency=4.0, jitter=10.0, loss=0.06, duplication=0.05, reordering=0.1, held_back=20.0)


class Agreed:
    """A meter, and a client whose association with it is pre-established; APDUs of four messages at most."""

    def __init__(self, *, ciphered: bool) -> None:
        sizes = {"max_pdu_size": 400, "pre_established": PreEstablished(max_pdu_size=400)}
        ours = sizes | {"response_timeout": 60.0, "repetitions": 5, "datagram_lifetime": 60.0}
        theirs: dict[str, Any] = dict(sizes)
        if ciphered:
            ours, theirs = ours | {"server_title": SERVER_TITLE}, theirs | {"client_title": CLIENT_TITLE}
        client, server = settings(ciphered=ciphered, client=ours, server=theirs)
        if ciphered:  # in use for long: no counter has to be asked for
            counter = client.counters.transmit_counter(material().encryption_key.identity, CLIENT_TITLE)
            counter.start_from(1)
            counter.confirm()
        # What is not answered is asked for again, long answers block by block.
        server = replace(server, dialect=replace(server.dialect, repeat_last_block=True))
        self.client: ClientSettings = client
        self.meter: HouseholdMeter = household()
        self.admit(server)
        self.device = PhysicalDevice(self.meter)

    def admit(self, server: ServerSettings) -> None:
        self.meter.admit(Admission(client_sap=CLIENT, settings=server, rights=managing()))

    def session(self, link: Link) -> Session:
        return Session(
            SecuritySettings(self.client),
            lambda: ClientStack(self.client, CLIENT, 1, link=lambda client, server: link),
            dt.UTC,
            NONE,
        )


def persistent(session: Session, tries: int = 9) -> Procedure[tuple[int, LoadProfile]]:
    """The full session, from the beginning where a message with a change, or with its answer, was lost."""
    for _ in range(tries):
        try:
            return (yield from full(session))
        except OutcomeUnknown:
            continue
    raise AssertionError("messages are lost every time")


def run(time: VirtualTime, agreed: Agreed, link: Link, port: Any) -> int:
    """Have a full session; returns how many APDUs the client has sent."""

    async def connect(receiver: Receiver) -> Connection:
        port.attach(receiver)
        return port  # type: ignore[no-any-return]  # a port of one kind or another

    async def scenario() -> int:
        session = agreed.session(link)
        driver = AsyncDriver(session, connect, lambda: NOW)
        began = time.now
        opened = await driver.run(session.open())
        assert (time.now, opened.max_pdu_size) == (began, 400)
        assert_right(await driver.run(persistent(session)), agreed.meter)
        ended = time.now
        await driver.run(session.release())
        assert time.now == ended
        assert session.opened is None
        await driver.close()
        await asyncio.sleep(1200.0)
        assert scheduled(asyncio.get_running_loop()) == []
        return session.stack.traffic.round_trips

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(time)) as runner:
        found = runner.run(scenario())
    assert time.run_until_idle()
    assert time.next_call is None
    return found


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
@pytest.mark.parametrize("faults", [ORDERLY, AS_IT_IS], ids=["in order", "lost, doubled and late"])
def test_a_session_between_two_numbers(faults: DatagramFaults, ciphered: bool) -> None:
    time = VirtualTime()
    centre = Network(time, faults, seed=2)
    agreed = Agreed(ciphered=ciphered)
    meter = MeterStation(MeterSession(agreed.device, SmsLink()), SmsPort(centre.station(METER)))
    apdus = run(time, agreed, SmsLink(METER, CLIENT, 1), SmsPort(centre.station(HEAD_END)))
    # No AARQ, no RLRQ: GETs and SET, and where nothing is lost each of them once.
    assert apdus > 10
    if faults is ORDERLY:
        assert apdus * 8.0 <= time.now - 1000.0 - 1200.0 < (apdus + 1) * 8.0
    else:
        assert centre.counts.lost > 0 < centre.counts.duplicated
    assert meter.error is None
    assert not meter.ended


def test_a_session_through_modems_at_both_ends() -> None:
    time = VirtualTime()
    centre = Network(time, ORDERLY)
    agreed = Agreed(ciphered=True)
    ours, theirs = (ByteStream(time, line=LineSettings(9600)) for _ in range(2))
    SmsModem(centre.station(HEAD_END), ours.server)
    SmsModem(centre.station(METER), theirs.server)
    meter = MeterStation(MeterSession(agreed.device, SmsModemLink(SmsLink())), theirs.client)
    meter.go_on()
    run(time, agreed, SmsModemLink(SmsLink(METER, CLIENT, 1)), ours.client)
