"""Links as they are talked to: the stations, and users of them that ask and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, Final, NamedTuple

from cosemic.link.contract import ApduReceived, Link, LinkConnected
from cosemic.link.gateway import DeviceId, Gateway, GatewayLink
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink, HdlcSecondaryLink, HdlcSettings
from cosemic.link.iec21 import (
    ClientSettings,
    Completed,
    Confirmation,
    DataReadout,
    EnterHdlc,
    EnterProgramming,
    Execute,
    Failed,
    Identification,
    Iec21Client,
    Iec21Server,
    Listen,
    MeterData,
    ModeEClientLink,
    ModeEServerLink,
    Password,
    Read,
    ServerSettings,
    SignOff,
    WakeUp,
    Write,
)
from cosemic.link.mbus import (
    DeviceAddress,
    LongHeader,
    MbusMasterLink,
    MbusPushLink,
    MbusSlaveLink,
    ShortHeader,
    WirelessFormat,
    WirelessPushLink,
)
from cosemic.link.modem import AnsweringModemLink, ModemLink
from cosemic.link.sms import SmsLink, SmsModemLink
from cosemic.link.wrapper import DatagramWrapperLink, WrapperLink
from cosemic.values import OPTICAL, Secret
from fuzz import recording as on
from fuzz.conversation import Message
from fuzz.playing import Subject, conversing
from fuzz.target import Target

CLIENT, SERVER = 16, 1
GET: Final = bytes.fromhex("c001c100080000010000ff0200")
REQUESTS: Final = (GET, GET + bytes(range(150)), GET[:4] + bytes(300))
SHORT: Final = REQUESTS[:2]
ANSWERS: Final = 20
"""How much longer an answer is than its request, at most."""
MOST_APDU: Final = 1000
NOTIFICATION: Final = bytes.fromhex("0f00000001001105")


class Asking:
    """A client's user: connects, sends one request after the other, disconnects."""

    def __init__(self, link: Link, requests: Iterable[bytes] = REQUESTS) -> None:
        self._link = link
        self._requests = list(requests)

    def begin(self) -> None:
        """Connect, or send at once."""
        if self._link.connected:
            self._next()
        else:
            self._link.connect()

    def react(self, event: Any) -> None:
        """Go on."""
        if isinstance(event, LinkConnected | ApduReceived):
            self._next()

    def ask(self) -> None:
        """Send a request more."""
        self._link.send(GET, source=CLIENT, destination=SERVER)

    def _next(self) -> None:
        if self._requests:
            self._link.send(self._requests.pop(0), source=CLIENT, destination=SERVER)
        else:
            self._link.disconnect()


def asking(link: Link, requests: Iterable[bytes] = REQUESTS, **options: Any) -> Subject:
    """A client's station with its user."""
    user = Asking(link, requests)
    acts = [link.connect, link.disconnect, user.ask]
    if isinstance(link, MbusMasterLink | HdlcPrimaryLink):
        acts.append(link.poll)
    return Subject(link, user.react, acts, user.begin, **options)


def answering(link: Link, most: int = 900, **options: Any) -> Subject:
    """A meter's station with its user, who answers and sometimes has something to say."""

    def react(event: Any) -> None:
        if isinstance(event, ApduReceived):
            answer = event.apdu * (1 + len(event.apdu) % ANSWERS)
            link.send(answer[:most], source=event.destination, destination=event.source)

    def tell() -> None:
        if isinstance(link, HdlcSecondaryLink):
            link.notify(NOTIFICATION, destination=CLIENT)
        else:
            link.send(NOTIFICATION, source=SERVER, destination=CLIENT)

    def busy() -> None:
        if isinstance(link, HdlcSecondaryLink):
            link.busy = not link.busy

    return Subject(link, react, (tell, link.disconnect, busy), **options)


# ---- HDLC -----------------------------------------------------------------------------------------------------------

NARROW: Final = HdlcSettings(max_info_transmit=32, max_info_receive=32)
WIDE: Final = HdlcSettings(
    max_info_transmit=64, max_info_receive=64, window_transmit=7, window_receive=7, polling_timeout=10.0
)
ADDRESS: Final = HdlcAddress(SERVER, 17)


def primary(settings: HdlcSettings = WIDE, address: HdlcAddress = ADDRESS) -> HdlcPrimaryLink:
    return HdlcPrimaryLink(CLIENT, address, settings, max_apdu=MOST_APDU)


def secondary(settings: HdlcSettings = WIDE) -> HdlcSecondaryLink:
    return HdlcSecondaryLink(17, settings=settings, max_apdu=MOST_APDU)


class Pair(NamedTuple):
    """Two stations that talk to each other on a medium."""

    medium: Callable[[Subject, Subject], on.Recorded]
    client: Callable[[], Subject]
    server: Callable[[], Subject]


_HDLC: Final = (
    Pair(on.over_stream, lambda: asking(primary()), lambda: answering(secondary())),
    Pair(on.over_stream, lambda: asking(primary(NARROW)), lambda: answering(secondary(NARROW))),
    Pair(
        on.over_stream,
        lambda: asking(primary(HdlcSettings(), HdlcAddress(SERVER, 17, 4))),
        lambda: answering(HdlcSecondaryLink()),
    ),
    Pair(on.over_echoing, lambda: asking(primary()), lambda: answering(secondary())),
)

# ---- IEC 62056-21 ---------------------------------------------------------------------------------------------------

PASSWORD: Final = Secret.password("00000000")
VALUES: Final = {"0.0.0": "00010213", "F.F": "00", "1.8.0": "000123.4*kWh", "1.8.1*01": "1.5*kWh", "9.9": "x" * 700}
_COMMANDS: Final = (
    lambda: Password(PASSWORD),
    lambda: Read("1.8.0"),
    lambda: Read("9.9", command="R3"),
    lambda: Write("1.8.1*01", "2.5*kWh"),
    lambda: Read("1.8.1*01"),
    lambda: Write("1.8.1*01", "3" * 300, command="W3"),
    lambda: Execute("reset", "1"),
    lambda: Read("7.7"),
    SignOff,
    DataReadout,
)


def reader(first: Callable[[], Any] = DataReadout, *then: Callable[[], Any], **settings: Any) -> Subject:
    """A reader with its requests, one after the other."""
    client = Iec21Client(ClientSettings(max_octets=4000, **settings))
    left = list(then)
    restless = False

    def send(request: Any) -> None:
        nonlocal restless
        restless = restless or (isinstance(request, Listen) and request.seconds is None)
        client.send(request)

    def react(event: Any) -> None:
        if isinstance(event, Completed | Failed) and left:
            send(left.pop(0)())

    def check() -> None:
        assert restless or not client.busy, f"{client.state} after a long silence"

    makers = (first, *_COMMANDS, EnterProgramming, EnterHdlc)
    acts: list[Callable[[], object]] = [client.cancel, client.resume]
    acts += [partial(lambda make: send(make()), make) for make in makers]
    return Subject(client, react, acts, lambda: send(first()), check=check)


def meter(identification: Identification, **settings: Any) -> Subject:
    """A meter; it is read in every mode, written and executed."""
    data = MeterData(
        dict(VALUES), writable=("1.8.1*01", "0.0.0"), actions={"reset": lambda value: None}, password=PASSWORD
    )
    server = Iec21Server(data, ServerSettings(identification=identification, max_octets=2000, **settings))
    push = server.push if settings.get("mode_d") else server.resume
    return Subject(server, acts=(server.resume, server.hold, push), begin=push)


_MODE_A, _MODE_B = Identification("CSM", "?", "A-1"), Identification("CSM", "E", "B-1")
_MODE_C, _MODE_E = Identification("CSm", "5", "C-1"), Identification("CSM", "5", "E-1", "2")
_IEC21: Final = (
    Pair(on.over_optical, reader, lambda: meter(_MODE_C)),
    Pair(on.over_optical, lambda: reader(EnterProgramming, *_COMMANDS), lambda: meter(_MODE_C)),
    Pair(on.over_optical, reader, lambda: meter(_MODE_A)),
    Pair(on.over_optical, reader, lambda: meter(_MODE_B, framed=False)),
    Pair(on.over_optical, lambda: reader(EnterProgramming, *_COMMANDS[1:]), lambda: meter(_MODE_B)),
    Pair(on.over_echoing, lambda: reader(echo=True), lambda: meter(_MODE_C, echo=True)),
    Pair(
        on.over_optical,
        lambda: reader(wake_up=WakeUp.FAST, address="17"),
        lambda: meter(_MODE_C, wake_up=WakeUp.FAST, address="017"),
    ),
    Pair(on.over_optical, lambda: reader(wake_up=WakeUp.NORMAL), lambda: meter(_MODE_C, wake_up=WakeUp.NORMAL)),
    Pair(on.over_optical, lambda: reader(EnterHdlc), lambda: meter(_MODE_E)),
    Pair(
        on.over_optical,
        lambda: reader(EnterHdlc, confirmation=Confirmation.AT_NEW_RATE),
        lambda: meter(_MODE_E, confirmation=Confirmation.AT_NEW_RATE),
    ),
    Pair(on.over_optical, lambda: reader(lambda: Listen(30.0)), lambda: meter(_MODE_C, mode_d=True)),
)


def mode_e_client(inner: Link | None = None, **settings: Any) -> ModeEClientLink:
    return ModeEClientLink(inner or primary(), ClientSettings(max_octets=4000, **settings))


def mode_e_server(inner: Link | None = None, **settings: Any) -> ModeEServerLink:
    data = MeterData(dict(VALUES), password=PASSWORD)
    outer = Iec21Server(data, ServerSettings(identification=_MODE_E, max_octets=2000, **settings))
    return ModeEServerLink(inner or secondary(), outer)


_MODE_E_LINKS: Final = (
    Pair(on.over_optical, lambda: asking(mode_e_client()), lambda: answering(mode_e_server())),
    Pair(on.over_echoing, lambda: asking(mode_e_client(echo=True)), lambda: answering(mode_e_server(echo=True))),
    Pair(
        on.over_optical,
        lambda: asking(mode_e_client(confirmation=Confirmation.NONE, wake_up=WakeUp.FAST)),
        lambda: answering(mode_e_server(confirmation=Confirmation.NONE, wake_up=WakeUp.FAST)),
    ),
)

# ---- M-Bus ----------------------------------------------------------------------------------------------------------

DEVICE: Final = DeviceAddress("12345678", 0x2CCD, 1, 2)


def master(address: int | None = 5, **settings: Any) -> MbusMasterLink:
    return MbusMasterLink(address, source=CLIENT, destination=SERVER, max_apdu=MOST_APDU, max_part=100, **settings)


def slave() -> MbusSlaveLink:
    return MbusSlaveLink(5, secondary=DEVICE, source=SERVER, destination=CLIENT, max_apdu=MOST_APDU, max_part=100)


MBUS: Final = (
    Pair(on.over_stream, lambda: asking(master()), lambda: answering(slave())),
    Pair(on.over_stream, lambda: asking(master(None, secondary=DEVICE)), lambda: answering(slave())),
    Pair(on.over_stream, lambda: asking(master(header=ShortHeader()), SHORT), lambda: answering(slave(), 200)),
    Pair(on.over_stream, lambda: asking(master(header=LongHeader(DEVICE)), SHORT), lambda: answering(slave(), 200)),
    Pair(on.over_echoing, lambda: asking(master(line=OPTICAL)), lambda: answering(slave())),
)


def pushing(link: Any) -> Subject:
    """A meter that sends, or a listener who might."""

    def push() -> None:
        link.send(GET * 40)

    return Subject(link, acts=(push,), begin=push)


def _radio(**settings: Any) -> WirelessPushLink:
    return WirelessPushLink(DEVICE, max_apdu=MOST_APDU, max_part=100, **settings)


_PUSHES: Final = tuple(
    Pair(on.over_stream, partial(lambda header: pushing(MbusPushLink(max_apdu=MOST_APDU, header=header)), header),
         partial(lambda header: pushing(MbusPushLink(max_apdu=MOST_APDU, header=header)), header))
    for header in (None,)
)  # fmt: skip
_RADIO: Final = tuple(
    Pair(on.over_datagrams, partial(lambda form: pushing(_radio(format=form)), form), lambda: pushing(_radio()))
    for form in (WirelessFormat.A, WirelessFormat.B, WirelessFormat.STRIPPED)
)

# ---- gateway, short messages, modems, datagrams ---------------------------------------------------------------------

BEHIND: Final = DeviceId(0, b"meter 1")
ON_BUS: Final = DeviceId(1, b"meter 2")


def _short(link: Link) -> Subject:
    return asking(link, most_held=1 << 15)


_GATEWAY_CLIENTS: Final = (
    Pair(
        on.over_stream,
        lambda: asking(GatewayLink(WrapperLink(CLIENT, SERVER, max_apdu=MOST_APDU), *BEHIND)),
        lambda: answering(GatewayLink(WrapperLink(max_apdu=MOST_APDU), *BEHIND)),
    ),
    Pair(
        on.over_stream,
        lambda: asking(GatewayLink(primary(), *BEHIND)),
        lambda: answering(GatewayLink(secondary(), *BEHIND)),
    ),
)


def sms(number: str | None, **options: Any) -> SmsLink:
    return SmsLink(number, CLIENT if number == on.METER else SERVER, None, reassembly_timeout=60.0, **options)


_SMS: Final = (
    Pair(on.over_short_messages, lambda: _short(sms(on.METER)), lambda: answering(sms(None), most_held=1 << 15)),
    Pair(
        on.over_short_messages,
        lambda: _short(sms(on.METER, ports=(4059, 9200))),
        lambda: answering(sms(on.HEAD_END, ports=(9200, 4059)), most_held=1 << 15),
    ),
)
_SMS_MODEMS: Final = (
    Pair(
        on.over_sms_modems,
        lambda: _short(SmsModemLink(sms(on.METER))),
        lambda: answering(SmsModemLink(sms(None)), most_held=1 << 15),
    ),
)


def dialling(inner: Link | None = None) -> ModemLink:
    return ModemLink(inner or primary(), dial="200", init=("ATZ", "ATE0"))


def answered(make: Callable[[], Link] = secondary, **options: Any) -> AnsweringModemLink:
    return AnsweringModemLink(make, **options)


_MODEMS: Final = (
    Pair(on.over_telephones, lambda: asking(dialling()), lambda: answering(answered(), rests=False)),
    Pair(
        on.over_telephones,
        lambda: asking(dialling(WrapperLink(CLIENT, SERVER, max_apdu=MOST_APDU))),
        lambda: answering(answered(lambda: WrapperLink(max_apdu=MOST_APDU), auto_answer=True, rings=2), rests=False),
    ),
)
_DATAGRAMS: Final = (
    Pair(
        on.over_datagrams,
        lambda: asking(DatagramWrapperLink(CLIENT, SERVER, max_apdu=MOST_APDU)),
        lambda: answering(DatagramWrapperLink(max_apdu=MOST_APDU)),
    ),
)


def gateway() -> Subject:
    """A gateway with a line of one meter, and a bus of another; inlets are above, line, bus."""
    machine = Gateway(WrapperLink(max_apdu=MOST_APDU), timeout=5.0, most_pending=4)
    line = machine.line(BEHIND, WrapperLink(max_apdu=MOST_APDU))
    bus = machine.bus({ON_BUS: lambda client, server: primary(WIDE, HdlcAddress(server & 0x7F, 17))}, most_links=3)
    return Subject(machine, inlets=(machine, line, bus), changed=machine.changed, most_held=1 << 15)


def gateway_said() -> list[list[Message]]:
    """Two clients above; the answers of the meters come when they come."""
    above: list[Message] = []
    for device in (BEHIND, ON_BUS):
        link = GatewayLink(WrapperLink(CLIENT, SERVER), *device)
        for request in REQUESTS:
            link.send(request)
            above.append(Message(link.octets_to_send(), 1))
    server = WrapperLink(SERVER, CLIENT)
    server.send(b"\xc4" + bytes(40))
    answer = Message(server.octets_to_send(), 2, 1)
    hdlc = _HDLC[0].medium(_HDLC[0].client(), _HDLC[0].server())[0]
    bus = [each._replace(inlet=2) for each in hdlc]
    return [[above[0], answer, above[1], answer, above[3], *bus[:3], above[4], *bus[3:], above[5], above[2]]]


def two(pairs: tuple[Pair, ...], *, cut: bool = True) -> tuple[Target, Target]:
    """The targets of both sides of these pairs; cut: whether octets that come later in a piece find the same state.

    That is not so where answers come from elsewhere, or somebody else takes the line over.
    """
    recorded = cache(partial(on.both, pairs))
    streams = cut and not any(pair.medium in on.DATAGRAMS for pair in pairs)
    return (
        conversing([pair.client for pair in pairs], lambda: [each[0] for each in recorded()], streams=streams),
        conversing([pair.server for pair in pairs], lambda: [each[1] for each in recorded()], streams=streams),
    )


LINKS: Final[dict[str, Target]] = {
    name: target
    for names, pairs in (
        (("hdlc-primary", "hdlc-secondary"), _HDLC),
        (("iec21-client", "iec21-server"), _IEC21),
        (("mode-e-client", "mode-e-server"), _MODE_E_LINKS),
        (("mbus-master", "mbus-slave"), MBUS),
        (("mbus-meter", "mbus-listener"), _PUSHES),
        (("wmbus-meter", "wmbus-listener"), _RADIO),
        (("gateway-client", "gateway-meter"), _GATEWAY_CLIENTS),
        (("sms-client", "sms-meter"), _SMS),
        (("sms-modem-client", "sms-modem-meter"), _SMS_MODEMS),
        (("modem-dialling", "modem-answering"), _MODEMS),
        (("datagram-client", "datagram-meter"), _DATAGRAMS),
    )
    for name, target in zip(names, two(pairs, cut=pairs is not _MODE_E_LINKS), strict=True)
} | {"gateway": conversing([gateway], gateway_said, streams=False)}
