"""Octets and texts that are read at once: frames, messages, URLs, certificates, and what the inspector shows."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Final

from cosemic import decode
from cosemic.codec import Limits
from cosemic.errors import AuthenticationFailed, ConfigurationError, DecodeError, EncodeError
from cosemic.link.iec21 import Command, DataMessage, Identification, OptionSelect, read_command, read_readout
from cosemic.link.iec21.messages import Request, read_block
from cosemic.link.mbus import (
    DeviceAddress,
    ExtendedLinkLayer,
    MbusFrame,
    MbusStreamReader,
    Reassembler,
    SapOrder,
    Segment,
    WirelessFormat,
    WirelessFrame,
    decode_segment,
    decode_wireless,
    split_layers,
)
from cosemic.link.mbus.frame import MAX_OCTETS
from cosemic.link.mbus.wireless import FIRST_BLOCK
from cosemic.link.sms import Deliver, Submit, UserData, decode_tpdu
from cosemic.security.tls_identity import certified_system_title, check_certified_title
from cosemic.stack import SCHEMES, link_factory, parse_url
from cosemic.stack.links import association_timeout, line_of
from fuzz import stations
from fuzz.certificates import CERTIFICATES
from fuzz.mutation import disturbed, mutated
from fuzz.repair import repaired
from fuzz.target import Target, vectors

LIMITS: Final = Limits(depth=16, nodes=200_000, octets=1 << 20)
MOST_JOINED: Final = 300


def cut(octets: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut octets into pieces of these sizes, in turn."""
    pieces: list[bytes] = []
    start = 0
    while start < len(octets):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(octets[start : start + size])
        start += size
    return pieces


def mbus_stream(octets: bytes) -> None:
    """M-Bus frames, however the stream is cut; nothing longer than a frame is held back."""
    for damaged in (False, True):
        whole, parts = MbusStreamReader(damaged=damaged), MbusStreamReader(damaged=damaged)
        frames = whole.receive(octets)
        found = []
        for piece in cut(octets, (1, 3, 100)):
            found += parts.receive(piece)
            assert parts.pending < MAX_OCTETS
        assert frames == found
        assert whole.finish() == parts.finish()
        assert whole.discarded == parts.discarded
        assert whole.pending == 0
        if not damaged:
            assert sum(len(frame.encode()) for frame in frames) + whole.discarded <= len(octets)
    for frame in frames:
        if isinstance(frame, MbusFrame) and frame.right:
            assert frame.encode() in octets


def mbus_segments(octets: bytes) -> None:
    """Transport layer: each piece of 20 octets is what stands behind a CI field."""
    for repetitions in (False, True):
        reassembler = Reassembler(max_octets=MOST_JOINED, repetitions=repetitions)
        for piece in cut(octets, (20,)):
            try:
                segment = decode_segment(piece[0], piece[1:])
            except DecodeError:
                continue
            for order in SapOrder:
                again = decode_segment(piece[0], segment.encode(order), order)
                assert again == segment
            message = reassembler.receive(segment)
            assert reassembler.octets <= MOST_JOINED
            assert message is None or isinstance(message, Segment)


def wireless(octets: bytes) -> None:
    """A wireless frame, and the layers in it: what is read is written again as it was."""
    for form in (None, *WirelessFormat):
        try:
            frame, found = decode_wireless(octets, form)
        except DecodeError:
            continue
        if found is not WirelessFormat.STRIPPED_B:
            assert frame.encode(found) == octets
        try:
            split_layers(frame.payload)
        except DecodeError:
            continue
    split_layers(octets)


def tpdu(octets: bytes) -> None:
    """A TPDU; what is read can be written, and is read again as the same."""
    message = decode_tpdu(octets)
    assert isinstance(message, Deliver | Submit)
    try:
        again = decode_tpdu(message.encode())
    except EncodeError:
        return
    assert again.user_data == message.user_data


_IEC21: Final[tuple[Callable[[bytes], Any], ...]] = (
    Request.decode, Identification.decode, OptionSelect.decode, read_block, read_readout, read_command,
)  # fmt: skip


def iec21_messages(octets: bytes) -> None:
    """Messages of IEC 62056-21: what is read can be looked at, and shown."""
    refused: DecodeError | None = None
    for read in _IEC21:
        try:
            message = read(octets)
            if isinstance(message, DataMessage | Command):
                assert {3, 4} & {*octets[1:-2]} or read_block(message.encode()) == message
                str(getattr(message, "error", None))
            for dataset in getattr(message, "datasets", ()):
                str([(part.quantity, dataset.obis) for part in dataset.parts])
            repr((message, getattr(message, "device", None)))
        except DecodeError as error:
            refused = error
    if refused:
        raise refused


def url(octets: bytes) -> None:
    """A URL, and the link that it names."""
    address = parse_url(octets.decode("utf-8", "surrogateescape"))
    link = link_factory(address)(address.client_sap or 16, address.server_sap or 1)
    association_timeout(address)
    str(line_of(address)) if address.device else None
    link.connect()
    link.octets_to_send()
    link.tick(1.0)


def tls_identity(octets: bytes) -> None:
    """A certificate, and whose it is."""
    title = certified_system_title(octets)
    assert len(title) == 8
    check_certified_title(octets, title)


KEYS: Final = {
    "ek": bytes(range(16)),
    "ak": bytes(range(0xD0, 0xE0)),
    "system_title": b"CLI00001",
    "mbus_key": bytes.fromhex("1234567890abcdef" * 2),
}
KINDS: Final = (
    "apdu", "messages", "data", "hdlcframe", "hdlcstream", "gbt-frames",
    "mbusstream", "wmbus", "amis", "readout", "progcmd", "p1",
)  # fmt: skip


def shown(kind: str, octets: bytes) -> None:
    """``cosemic.decode`` of one kind: what is given back is ready for JSON, and can be shown."""
    decoded = decode(octets, keys=KEYS, kind=kind, limits=LIMITS)
    json.dumps(decoded.to_dict())
    decoded.explain()


@cache
def _urls() -> list[bytes]:
    options = (
        "client=16&server=1&timeout=3.5&connect_timeout=2&max_pdu=512&retries=2&user=7",
        "station=17&address=4&window=7&max_info=1024&baud=9600&line=9600-8N1&echo=1",
        "sign_on=12345678&wake_up=yes&identification=1234FFFF&dial=T%2B49,151&init=ATZ&network=3&meter=01FF",
        "ca=%2Fetc%2Fca.pem&certificate=c.pem&name=meter.example&key=1&password=2",
        "station=1000&client=0x10",
    )
    places = ("192.0.2.1:4059", "[fe80::1%25eth0]:4059", "/dev/ttyUSB0", "COM3", "meter.example:1", "user:pass@host:1")
    made = [f"{scheme}://{place}?{given}" for scheme in SCHEMES for place in places for given in options]
    parts = [f"{scheme}://{places[number % 6]}?{one}" for number, scheme in enumerate(SCHEMES)
             for given in options for one in given.split("&")]  # fmt: skip
    needed = [
        "hdlc:///dev/ttyUSB0?station=17&window=7", "iec21:///dev/ttyUSB0?sign_on=1&wake_up=1&baud=9600",
        "modem:///dev/ttyS0?dial=0049151&init=ATE0", "mbus+tcp://h:1?station=5", "mbus:///dev/x?identification=12345678",
        "gateway+hdlc+tcp://h:1?network=1&meter=00ff&station=1000", "udp://h", "gateway+tls://h?meter=01",
    ]  # fmt: skip
    return [each.encode() for each in (made[::7] + parts + needed * 20)]


@cache
def _tpdus() -> list[bytes]:
    found = []
    for user_data in (UserData(b"\x10\x01" + bytes(20)), UserData(bytes(130), ports=(4059, 9200))):
        found += [Deliver("+49171", user_data).encode(), Submit("0151", user_data, validity=255).encode()]
    # Others than we make: text of seven bits, an alphanumeric originator, validity in the absolute form.
    others = (
        "0007911326040000f0040b911346610089f600006221201830004009c8f71d14969741f977fd07",
        "4405d0d432bb0c000462112018300040140504" + "0b8423f00003010201" + "1001c001c10008",
        "59000b911346610089f600046211201830004006050003070201" + "10",
    )
    return found + [bytes.fromhex(each) for each in others]


@cache
def _segments() -> list[bytes]:
    """Segments of 20 octets, numbered as they should be."""
    forms = [
        bytes((number & 0x0F | (0x10 if number == last else 0), 16, 1)) + bytes(17)
        for last in (0, 1, 5, 15, 16, 40)
        for number in range(last + 1)
    ]
    headers = [bytes.fromhex(each).ljust(20, b"\x01") for each in ("6101000000", "7d01", "7c78563412cd2c010201000000")]
    some = [b"".join(forms[at : at + 8]) for at in range(0, len(forms), 3)]
    return [b"".join(forms), *some, b"".join(headers + forms[3:9]), *vectors()[:50]]


@cache
def _frames() -> list[bytes]:
    """Wired frames as they pass, several behind each other."""
    both = stations.MBUS[0].medium(stations.MBUS[0].client(), stations.MBUS[0].server())
    said = [message.octets for messages in both for message in messages]
    selection = MbusFrame(0x53, 0xFD, 0x52, bytes.fromhex("78563412cd2c0102")).encode()
    headers = [MbusFrame(0x08, 5, ci, bytes(20)).encode() for ci in (0x60, 0x61, 0x7C, 0x7D, 0x72, 0x7A, 0x90)]
    return [*said, selection, *headers, b"".join(headers), *vectors("amis"), *vectors("messages")]


@cache
def _radio_frames() -> list[bytes]:
    """Wireless frames without CRCs, with and without layers before the transport layer."""
    dlms = b"\x10\x01\x67" + stations.NOTIFICATION
    payloads = [
        dlms,
        b"\x61\x01\x00\x00\x00" + dlms[1:],
        ExtendedLinkLayer(1, 2).encode(dlms),
        ExtendedLinkLayer(1, 2, stations.DEVICE, 7).encode(dlms),
        bytes.fromhex("900f002c3300" + "11" * 12) + dlms,
        bytes(200),
    ]
    return [WirelessFrame(0x44, stations.DEVICE, payload).encode(WirelessFormat.STRIPPED) for payload in payloads]


def by_radio(corpus: list[bytes], draw: random.Random) -> bytes:
    """Change what a frame carries, then put it into a form; or change that form."""
    content = disturbed(draw.choice(corpus), corpus, draw)[:256]
    if len(content) > FIRST_BLOCK and draw.random() < 0.8:
        frame = WirelessFrame(content[1], DeviceAddress.decode_radio(content[2:FIRST_BLOCK]), content[FIRST_BLOCK:])
        form = draw.choice((WirelessFormat.A, WirelessFormat.B, WirelessFormat.STRIPPED))
        try:
            content = frame.encode(form)
        except EncodeError:
            return content
    return disturbed(content, corpus, draw) if draw.random() < 0.2 else content


def mended(corpus: list[bytes], draw: random.Random) -> bytes:
    """Change octets, and in general make the check sequences right again."""
    octets = mutated(corpus, draw)
    return repaired(octets) if draw.random() < 0.6 else octets


_SOURCES: Final[dict[str, dict[str, Any]]] = {
    "mbusstream": {"corpus": _frames, "mutate": mended},
    "amis": {"corpus": lambda: _frames()[:5] + vectors("amis")[-1:] * 10, "mutate": mended},
    "wmbus": {"corpus": _radio_frames, "mutate": by_radio},
    "readout": {"mutate": mended},
    "progcmd": {"mutate": mended},
}
CODECS: Final[dict[str, Target]] = {
    "mbus-stream": Target(mbus_stream, corpus=_frames, mutate=mended),
    "mbus-segments": Target(mbus_segments, corpus=_segments),
    "wireless-frame": Target(wireless, (DecodeError,), _radio_frames, by_radio),
    "sms-tpdu": Target(tpdu, (DecodeError,), corpus=_tpdus),
    "iec21-messages": Target(iec21_messages, (DecodeError,), lambda: vectors("readout") + vectors("progcmd"), mended),
    "url": Target(url, (ConfigurationError, EncodeError), corpus=_urls),
    "tls-identity": Target(tls_identity, (AuthenticationFailed,), corpus=lambda: list(CERTIFICATES)),
    **{
        f"decode-{kind}": Target(
            partial(shown, kind), (DecodeError,), **{"corpus": partial(vectors, kind)} | _SOURCES.get(kind, {})
        )
        for kind in KINDS
    },
}
