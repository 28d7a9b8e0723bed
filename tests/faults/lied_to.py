"""A session with a liar on one side: the meter and clients that it is told to, what is asked, and what is right."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from cosemic.apdu import CosemAttributeDescriptor, CosemMethodDescriptor
from cosemic.association.notifications import NotifyData
from cosemic.association.notified import NotificationReceiver, Originator, ReceivingSettings
from cosemic.association.notifying import NotificationSender, NotifyingSettings
from cosemic.association.requests import (
    Access,
    Action,
    Get,
    GetList,
    Open,
    Read,
    Release,
    Request,
    Set,
    SetList,
    Write,
)
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData, Limits
from cosemic.faults import ByteStream, Driver, StreamFaults, VirtualTime
from cosemic.faults.lies import Lie, LyingLink, Moment, Role, Setting, lying_client, lying_server
from cosemic.faults.sessions import ClientStation, MeterStation
from cosemic.link.contract import ApduReceived, Link, LinkEvent
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink, HdlcSecondaryLink, HdlcSettings
from cosemic.link.wrapper import MAX_APDU, WrapperLink
from cosemic.model import ImageTransfer, Register, ScalerUnit
from cosemic.security import MemoryCounterStore, Protection
from cosemic.server import Admission, CosemObject, LogicalDevice, PhysicalDevice, RegisterObject, data, managing
from cosemic.server.meter_session import MeterSession
from cosemic.stack import ClientStack
from cosemic.values import ActionResult, ApplicationContext, Conformance, DataAccessResult, Obis, Unit
from tests.association.samples import CLIENT_TITLE, SERVER_TITLE, M, listed, material, octets, settings

CLIENT_SAP, SERVER_SAP = 16, 1
REGISTER = CosemAttributeDescriptor(3, Obis("1-0:1.8.0"), 2)
NUMBER = CosemAttributeDescriptor(1, Obis("0-0:96.1.0"), 2)
LONG = CosemAttributeDescriptor(1, Obis("0-0:96.1.1"), 2)
MISSING = CosemAttributeDescriptor(3, Obis("1-0:99.8.0"), 2)
BLOCK = CosemMethodDescriptor(18, Obis("0-0:44.0.0"), 2)
ENERGY, SEVEN = 12345678, EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, 7)
EIGHT = EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, 8)
REGISTER_SN, NUMBER_SN, LONG_SN = 0x2008, 0x2108, 0x2208
BASE_NAMES = {"3/1-0:1.8.0": 0x2000, "1/0-0:96.1.0": 0x2100, "1/0-0:96.1.1": 0x2200, "18/0-0:44.0.0": 0x2300}
PDU = 256
"""Octets of the largest APDU that either side takes."""
PUSHED = EncodedData.from_typed((DataType.STRUCTURE, ((DataType.UNSIGNED, 5), (DataType.UNSIGNED, 6))))
TRANSFER = 20_000
"""Octets of the longest transfer that either side takes."""
TIME_OUT = 10.0
BLOCK_RETRIES = 1
"""How often a general block is asked for once more after a time-out."""
NARROW = Conformance.GET | Conformance.SET | Conformance.ACTION
HELD = TRANSFER + MAX_APDU
"""Octets that a peer may hold of what a liar sends: one transfer, and one WPDU."""
SUCCESS = DataAccessResult.SUCCESS


def block(length: int) -> EncodedData:
    """The parameter of image_block_transfer."""
    return EncodedData.from_typed(
        (DataType.STRUCTURE, ((DataType.DOUBLE_LONG_UNSIGNED, 0), (DataType.OCTET_STRING, bytes(length))))
    )


def request_of(setting: Setting, moment: Moment) -> Request:
    """What is asked in an association when a lie of this moment is to be told."""
    if setting is Setting.SHORT_NAMES and moment in _WITH_SHORT_NAMES:
        return _WITH_SHORT_NAMES[moment]()
    match moment:
        case Moment.CONNECTING | Moment.OPENING | Moment.PROVING:
            return Open()
        case Moment.READING:
            return Get(REGISTER)
        case Moment.BLOCK_READING | Moment.GENERAL_READING:
            return Get(LONG)
        case Moment.LIST_READING:
            return GetList(listed(REGISTER, NUMBER))
        case Moment.WRITING:
            return Set(NUMBER, EIGHT)
        case Moment.BLOCK_WRITING | Moment.GENERAL_WRITING:
            return Set(LONG, octets(900, 1))
        case Moment.LIST_WRITING:
            return SetList(listed(NUMBER, NUMBER), (EIGHT, EIGHT))
        case Moment.INVOKING:
            return Action(BLOCK, block(10))
        case Moment.BLOCK_INVOKING:
            return Action(BLOCK, block(900))
        case Moment.ACCESSING:
            return Access((Get(REGISTER), Get(NUMBER)), self_descriptive=True)
        case Moment.ACCESS_WRITING:
            return Access((Get(MISSING), Set(NUMBER, EIGHT)), break_on_error=True)
        case Moment.RELEASING:
            return Release()
        case Moment.PUSHING:
            raise AssertionError("no association is asked for a notification")


_WITH_SHORT_NAMES: dict[Moment, Callable[[], Request]] = {
    Moment.READING: lambda: Read((REGISTER_SN,)),
    Moment.BLOCK_READING: lambda: Read((LONG_SN,)),
    Moment.LIST_READING: lambda: Read((REGISTER_SN, NUMBER_SN)),
    Moment.WRITING: lambda: Write((NUMBER_SN,), (EIGHT,)),
    Moment.BLOCK_WRITING: lambda: Write((LONG_SN,), (octets(900, 1),)),
    Moment.LIST_WRITING: lambda: Write((NUMBER_SN, NUMBER_SN), (EIGHT, EIGHT)),
}


def session(setting: Setting) -> tuple[Moment, ...]:
    """What is asked in one whole session."""
    opening, closing = (Moment.OPENING,), (Moment.RELEASING,)
    if setting is Setting.SHORT_NAMES:
        return opening + tuple(_WITH_SHORT_NAMES) + closing
    if setting is Setting.NARROW:
        return (*opening, Moment.READING, Moment.WRITING, Moment.INVOKING, *closing)
    first = (*opening, Moment.ACCESSING, Moment.GENERAL_READING)
    others = (Moment.CONNECTING, Moment.PROVING, Moment.PUSHING, *first, *closing)
    return first + tuple(moment for moment in Moment if moment not in others) + closing


class Scenery:
    """A meter, the settings of its client, and a medium, for lies told in one kind of association."""

    def __init__(self, setting: Setting, *, hdlc: bool = False) -> None:
        self._hdlc = hdlc
        sizes: dict[str, Any] = {"max_pdu_size": PDU, "block_window": 2}
        ours = sizes | {"limits": Limits(octets=TRANSFER), "response_timeout": TIME_OUT}
        theirs = sizes | {"max_transfer": TRANSFER}
        client: ClientSettings
        server: ServerSettings
        blocks = setting in (Setting.BLOCKS, Setting.CIPHERED_BLOCKS)
        self.setting = setting
        self.deadline = TIME_OUT * (1 + BLOCK_RETRIES) if blocks else TIME_OUT
        ours |= {"general_blocks": blocks, "block_retries": BLOCK_RETRIES}
        if setting is Setting.SHORT_NAMES:
            ours |= {"short_names": True}
            theirs |= {"context_names": frozenset((ApplicationContext.SN,))}
        if setting is Setting.NARROW:
            ours |= {"conformance": NARROW}
        if setting in (Setting.CIPHERED, Setting.DEDICATED, Setting.CIPHERED_BLOCKS):
            ours |= {"dedicated_key": setting is Setting.DEDICATED}
            client, server = settings(M.HLS_GMAC, ciphered=True, client=ours, server=theirs)
        else:
            mechanism = M.LLS if setting is Setting.PASSWORD else M.LOWEST
            client, server = settings(mechanism, client=ours, server=theirs)
        self.settings = client
        self.material = client.material
        self.blocks: list[Any] = []
        """What was given to image_block_transfer."""
        device = LogicalDevice("TST0000000000001", sap=SERVER_SAP, base_names=BASE_NAMES)
        device.add(RegisterObject(REGISTER.instance_id, DataType.DOUBLE_LONG_UNSIGNED, SCALE, ENERGY))
        self.number = device.add(data(NUMBER.instance_id, DataType.DOUBLE_LONG_UNSIGNED, 7, writable=True))
        self.long = device.add(data(LONG.instance_id, DataType.OCTET_STRING, octets(900).value(), writable=True))
        device.add(
            CosemObject(
                ImageTransfer(BLOCK.instance_id),
                {},
                methods={"image_block_transfer": lambda given, situation: self.blocks.append(given)},
            )
        )
        device.admit(Admission(client_sap=CLIENT_SAP, settings=server, rights=managing()))
        self.device = PhysicalDevice(device)
        self.time = VirtualTime()

    def request_of(self, moment: Moment) -> Request:
        """What is asked when a lie of this moment is to be told."""
        return request_of(self.setting, moment)

    def right(self, moment: Moment, result: Any) -> bool:
        """Whether a result is what the honest meter gives; reads a value as its attribute is declared."""
        if self.setting is Setting.SHORT_NAMES and isinstance(result, tuple) and len(result) == 1:
            (result,) = result
        return right(moment, result)

    def stream(self) -> ByteStream:
        """A fresh connection, which hands in at most 4 KiB at a time."""
        chunks = StreamFaults(chunks=(4096,))
        return ByteStream(self.time, from_client=chunks, from_server=chunks)

    def clients_link(self, client_sap: int, server_sap: int) -> Link:
        """A link for a client."""
        if not self._hdlc:
            return WrapperLink()
        return HdlcPrimaryLink(client_sap, HdlcAddress(server_sap), HdlcSettings(response_timeout=1.0))

    def meters_link(self) -> Link:
        """A link for the meter."""
        return HdlcSecondaryLink(devices={SERVER_SAP}) if self._hdlc else WrapperLink()

    def honest_stack(self) -> ClientStack:
        """An honest client."""
        return ClientStack(self.settings, CLIENT_SAP, SERVER_SAP, link=self.clients_link)

    def honest(self) -> ClientStation:
        """An honest client on a fresh connection to the honest meter."""
        stream = self.stream()
        MeterStation(MeterSession(self.device, self.meters_link()), stream.server)
        return ClientStation(self.honest_stack(), stream.client)

    def told_by_server(self, lie: Lie) -> tuple[WatchedClient, LyingLink]:
        """An honest client on a connection to a meter that lies."""
        stream = self.stream()
        session, link = lying_server(lie, self.device, self.meters_link(), self.material)
        MeterStation(session, stream.server)
        return WatchedClient(self.honest_stack(), stream.client), link

    def told_by_client(self, lie: Lie) -> tuple[ClientStation, LyingLink, WatchedMeter]:
        """A client that lies on a connection to an honest meter."""
        stream = self.stream()
        meter = WatchedMeter(MeterSession(self.device, self.meters_link()), stream.server)
        settings = replace(self.settings, server_title=SERVER_TITLE)  # a liar knows whom it lies to
        stack, link = lying_client(lie, settings, CLIENT_SAP, SERVER_SAP, self.clients_link)
        return ClientStation(stack, stream.client), link, meter

    def untouched(self) -> bool:
        """Whether nothing was changed in the meter."""
        values = [served.read(2, None, NO_SITUATION) for served in (self.number, self.long)]
        return values == [SEVEN, octets(900)] and not self.blocks


SCALE = ScalerUnit(0, Unit.of("Wh"))
NO_SITUATION: Any = None


def right(moment: Moment, result: Any) -> bool:
    """Whether a result is what the honest meter gives; reads a value as its attribute is declared."""
    match moment:
        case Moment.READING:
            return bool(Register(REGISTER.instance_id).value.decode(result.typed()) == ENERGY)
        case Moment.BLOCK_READING | Moment.GENERAL_READING:
            return bool(result == octets(900))
        case Moment.LIST_READING:
            return [one.value() for one in result] == [ENERGY, 7]
        case Moment.WRITING | Moment.BLOCK_WRITING | Moment.GENERAL_WRITING:
            return result is SUCCESS
        case Moment.LIST_WRITING:
            return bool(result == (SUCCESS, SUCCESS))
        case Moment.INVOKING | Moment.BLOCK_INVOKING:
            return result.result is ActionResult.SUCCESS
        case Moment.CONNECTING | Moment.OPENING | Moment.PROVING:
            return bool(result.dlms_version == 6)
        case Moment.ACCESSING:
            return [(each, data.value()) for each, data in result.results] == [(SUCCESS, ENERGY), (SUCCESS, 7)]
        case Moment.ACCESS_WRITING:
            return [each for each, _ in result.results] == [
                DataAccessResult.OBJECT_UNDEFINED,
                DataAccessResult.OTHER_REASON,
            ]
        case Moment.RELEASING:
            return result is None
        case Moment.PUSHING:
            raise AssertionError("a notification has no result")


class Notifier:
    """A sender or receiver of notifications on a link, for a driver."""

    def __init__(self, inside: NotificationSender | NotificationReceiver, link: Link, source: int, to: int) -> None:
        self.inside = inside
        self.link = link
        self._saps = source, to

    def receive(self, octets: bytes, now: float) -> list[Any]:
        return self._happened(self.link.receive(octets, now), now)

    def octets_to_send(self) -> bytes:
        while apdu := self.inside.octets_to_send():
            self.link.send(apdu, source=self._saps[0], destination=self._saps[1])
        return self.link.octets_to_send()

    def line_to_set(self) -> None:
        return None

    def deadline(self) -> float | None:
        return min((one for one in (self.inside.deadline(), self.link.deadline()) if one is not None), default=None)

    def tick(self, now: float) -> list[Any]:
        return [*self._happened(self.link.tick(now), now), *self.inside.tick(now)]

    def _happened(self, events: list[LinkEvent], now: float) -> list[Any]:
        apdus = [event.apdu for event in events if isinstance(event, ApduReceived)]
        return [event for apdu in apdus for event in self.inside.receive(apdu, now)]


class Pushes:
    """A meter that pushes to a client, outside associations; one of them lies."""

    def __init__(self, lie: Lie) -> None:
        self.time = VirtualTime()
        ciphered = lie.setting is Setting.CIPHERED
        keys = material() if ciphered else None
        sent: dict[str, Any] = {"material": keys} if ciphered else {"protection": Protection.NONE}
        known = Originator(SERVER_TITLE, material())
        taken: dict[str, Any] = {"keys": {SERVER_TITLE: known}.get} if ciphered else {"require": Protection.NONE}
        sender = NotificationSender(
            NotifyingSettings(
                system_title=SERVER_TITLE,
                recipient_title=CLIENT_TITLE,
                counters=MemoryCounterStore(),
                response_timeout=TIME_OUT,
                **sent,
            )
        )
        receiver = NotificationReceiver(
            ReceivingSettings(
                system_title=CLIENT_TITLE,
                counters=MemoryCounterStore(),
                max_octets=TRANSFER,
                block_timeout=TIME_OUT,
                limits=Limits(octets=TRANSFER),
                **taken,
            )
        )
        (role,) = lie.roles
        self.lying = LyingLink(lie, role, material=keys)
        self.lying.scene.seals.know(SERVER_TITLE, CLIENT_TITLE)
        links: dict[Role, Link] = {each: self.lying if each is role else WrapperLink() for each in Role}
        chunks = StreamFaults(chunks=(4096,))
        stream = ByteStream(self.time, from_client=chunks, from_server=chunks)
        self.meter = Notifier(sender, links[Role.SERVER], SERVER_SAP, CLIENT_SAP)
        self.client = Notifier(receiver, links[Role.CLIENT], CLIENT_SAP, SERVER_SAP)
        self._sending = WatchedDriver(self.meter, stream.server)
        self._receiving = WatchedDriver(self.client, stream.client)
        self.honest = self._receiving if role is Role.SERVER else self._sending

    def push(self) -> list[Any]:
        """Push once; return what the honest side is told until all has come that the other one holds back."""
        first = len(self.honest.events)
        assert isinstance(self.meter.inside, NotificationSender)
        self.meter.inside.send(NotifyData(PUSHED, confirmed=True))
        self._sending.go_on()
        self.time.run_for(2 * TIME_OUT)
        return [event for _, event in self.honest.events[first:]]


class WatchedDriver(Driver):
    """Tells the most octets that its machine held at a time."""

    peak = 0

    def octets_received(self, octets: bytes, /) -> None:
        super().octets_received(octets)
        self.peak = max(self.peak, held(self._machine))


class WatchedClient(ClientStation):
    """Tells the most octets that its stack held at a time."""

    peak = 0

    def octets_received(self, octets: bytes, /) -> None:
        super().octets_received(octets)
        self.peak = max(self.peak, held(self.stack))


class WatchedMeter(MeterStation):
    """Tells the most octets that its session held at a time."""

    peak = 0

    def octets_received(self, octets: bytes, /) -> None:
        super().octets_received(octets)
        self.peak = max(self.peak, held(self.session))


_NOT_HELD = (type, ModuleType, FunctionType, BuiltinFunctionType, VirtualTime, LogicalDevice)


def held(root: object) -> int:
    """Octets and characters that can be reached from an object."""
    seen = {id(root)}
    waiting, total = [root], 0
    while waiting:
        for each in gc.get_referents(waiting.pop()):
            if id(each) in seen or isinstance(each, _NOT_HELD):
                continue
            seen.add(id(each))
            if isinstance(each, bytes | bytearray | str):
                total += len(each)
            else:
                waiting.append(each)
    return total
