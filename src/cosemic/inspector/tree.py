"""``Decoded.explain()``: a tree for people.

::

    hdlc    1 frame
            UI 103/127 <- 1, 139 octets
    apdu    data-notification
    0001      long_invoke_id_and_priority    long-invoke-id 1 unconfirmed normal
    0006      notification_body
    0006        structure (2)
    0008          octet-string 0100010800ff  1-0:1.8.0*255  Active energy import (+A) ...
    0010          double-long-unsigned 12937  = 12937 Wh

The first column is the offset of a field in its APDU, in hexadecimal; deciphered content counts anew. Values come with
what they seem to mean: names of OBIS codes, dates, text, and units where a scaler_unit stands behind a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cosemic import apdu
from cosemic.codec import DataType, EncodedData, Limits
from cosemic.errors import DecodeError
from cosemic.inspector.format1 import apdu_name
from cosemic.inspector.hdlc import HdlcLayer
from cosemic.inspector.layers import Block, Entry, GbtLayer, Layer
from cosemic.inspector.mbus import MbusEntry, MbusLayer, WirelessMbusLayer, segment_of
from cosemic.inspector.message import Message, Unreadable
from cosemic.inspector.spans import Span, data_spans, spans
from cosemic.inspector.wording import data_text, octets_text, one_line, value_text
from cosemic.link.hdlc import HdlcAddress, HdlcFrame, HdlcParameters
from cosemic.link.iec21 import CapturedCommand, DataSet, Readout
from cosemic.link.mbus import MbusFrame
from cosemic.link.mbus.frame import function_name
from cosemic.link.wrapper import WrapperHeader
from cosemic.telegram import P1Telegram

if TYPE_CHECKING:
    from cosemic.inspector.decoded import Decoded, FrameEntry

_HOLDERS = ("user_information", "ciphered_content", "content")
_LOOK_AHEAD = 6
"""Octets of a scaler_unit."""


def explain(decoded: Decoded) -> str:
    """Return the tree of what was decoded, with a line feed between its lines."""
    return "\n".join(_lines(decoded))


def _lines(decoded: Decoded) -> Iterator[str]:
    limits = decoded.limits
    for layer in decoded.layers:
        yield from _layer(layer)
    for number, frame in enumerate(decoded.frames, 1):
        yield from _frame_entry(number, frame, limits)
    for number, one in enumerate(decoded.mbus_frames, 1):
        yield from _mbus_entry(number, one, limits)
    if decoded.kind == "amis":
        yield f"header    {octets_text(decoded.octets)}"
        yield f"plaintext {octets_text(decoded.plaintext)}"
    for number, entry in enumerate(decoded.entries, 1):
        yield from _entry(number, entry, limits)
    if decoded.message is not None:
        yield from _message("apdu", decoded.message, limits, 0)
    if decoded.data is not None:
        yield from _data(decoded.data.octets, 0, limits, 0)
    if decoded.telegram is not None:
        yield from _p1(decoded.telegram, 0)
    if decoded.readout is not None:
        yield from _readout(decoded.readout)
    if decoded.command is not None:
        yield _line(None, 0, f"IEC 62056-21 command {decoded.command.command}")
        yield from _block(decoded.command)
    if decoded.kind == "gbt-frames":
        yield f"carries {octets_text(decoded.octets)}"


# ---- layers ----------------------------------------------------------------------------------------------------------


def _layer(layer: Layer) -> Iterator[str]:
    if isinstance(layer, HdlcLayer):
        yield f"hdlc    {_number(len(layer.frames), 'frame')}"
        yield from (f"        {_frame(frame)}" for frame in layer.frames)
    elif isinstance(layer, MbusLayer):
        yield f"mbus    {_number(len(layer.frames), 'frame')}"
        yield from (f"        {_mbus_frame(frame)}" for frame in layer.frames)
    elif isinstance(layer, WirelessMbusLayer):
        yield f"wmbus   format {layer.format.value}, C {layer.frame.c:02x}, from {layer.frame.sender}"
        yield f"        CI {layer.segment.ci:02x}, {layer.segment.destination} <- {layer.segment.source}"
    elif isinstance(layer, GbtLayer):
        yield from _blocks(layer.blocks)
    elif isinstance(layer, WrapperHeader):
        yield f"wrapper version {layer.version}, {layer.destination} <- {layer.source}, {layer.length} octets"
    else:
        way = "to" if isinstance(layer, apdu.GatewayRequest) else "from"
        yield f"gateway {way} device {octets_text(layer.physical_device_address)} in network {layer.network_id}"


def _blocks(blocks: tuple[Block, ...]) -> Iterator[str]:
    yield f"gbt     {_number(len(blocks), 'block')}"
    for block in blocks:
        control = block.block_control
        marks = ", last block" * control.last_block + ", streaming" * control.streaming
        marks += f", acknowledges {block.block_number_ack}" if block.block_number_ack else ""
        yield f"        block {block.block_number}, {len(block.block_data)} octets, window {control.window}{marks}"


def _frame(frame: HdlcFrame) -> str:
    control = frame.control
    numbers = "".join(
        f" {name} {value}" for name, value in (("N(S)", control.ns), ("N(R)", control.nr)) if value is not None
    )
    wrong = "" if frame.fcs_ok else ", FCS wrong"
    wrong += ", HCS wrong" if frame.hcs_ok is False else ""
    more = ", segmented" if frame.segmented else ""
    way = f"{_address(frame.destination)} <- {_address(frame.source)}"
    return f"{control.type.label}{numbers} P/F {control.pf}, {way}, {frame.length} octets{more}{wrong}"


def _mbus_frame(frame: MbusFrame) -> str:
    wrong = "" if frame.checksum_ok else ", checksum WRONG"
    wrong += "" if frame.stop_ok else ", stop octet WRONG"
    text = f"C {frame.c:02x} {function_name(frame)}, A {frame.a}"
    if frame.ci is None:
        return f"{text}{wrong}"
    carried = f"{len(frame.user_data)} octets"
    try:
        segment = segment_of(frame)
    except DecodeError:
        return f"{text}, CI {frame.ci:02x}, {carried}{wrong}"
    number = f", segment {segment.number}" + ", the last" * segment.last if segment.header is None else ", header"
    return f"{text}, CI {frame.ci:02x}, {segment.destination} <- {segment.source}, {carried}{number}{wrong}"


def _mbus_entry(number: int, entry: MbusEntry, limits: Limits) -> Iterator[str]:
    yield f"frame {number:<2}{_mbus_frame(entry.frame)}"
    if entry.message is not None:
        yield from _message("apdu", entry.message, limits, 1)
    elif entry.frame.user_data:
        yield f"        information {octets_text(entry.frame.user_data)}"


def _address(address: HdlcAddress) -> str:
    return str(address.upper) if address.lower is None else f"{address.upper}/{address.lower}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _frame_entry(number: int, entry: FrameEntry, limits: Limits) -> Iterator[str]:
    yield f"frame {number:<2}{_frame(entry.frame)}"
    if entry.parameters is not None:
        yield f"        {_parameters(entry.parameters)}"
    if entry.message is not None:
        yield from _message("apdu", entry.message, limits, 1)
    elif entry.frame.information and entry.parameters is None:
        yield f"        information {octets_text(entry.frame.information)}"


def _parameters(parameters: HdlcParameters) -> str:
    named = {
        "maximum information field length": (parameters.max_info_tx, parameters.max_info_rx),
        "window": (parameters.window_tx, parameters.window_rx),
    }
    texts = (f"{name} {_default(sent)} sent, {_default(taken)} received" for name, (sent, taken) in named.items())
    return ", ".join(texts)


def _default(number: int | None) -> str:
    return "default" if number is None else str(number)


def _entry(number: int, entry: Entry, limits: Limits) -> Iterator[str]:
    yield f"message {number}"
    if entry.blocks is not None:
        yield from _blocks(entry.blocks)
    if entry.message is not None:
        yield from _message("apdu", entry.message, limits, 0)
    else:
        yield f"        cannot be read: {entry.error}"


# ---- APDUs -----------------------------------------------------------------------------------------------------------


def _line(offset: int | None, level: int, text: str) -> str:
    place = "" if offset is None else f"{offset:04x}"
    return f"{place:<8}{'  ' * level}{text}".rstrip()


def _message(head: str, message: Message, limits: Limits, level: int) -> Iterator[str]:
    yield f"{head:<8}{'  ' * level}{apdu_name(message.apdu)}"
    for span in spans(message.apdu, message.octets, limits):
        if span.name == "tag":
            continue  # of a glo- or ded- APDU, whose name has said it
        yield from _span(span, message, limits, level + 1)


def _span(top: Span, message: Message, limits: Limits, level: int) -> Iterator[str]:
    pending = [(top, level)]
    while pending:
        span, depth = pending.pop()
        if span.name in _HOLDERS and span.value is not None and _holds(message):
            yield from _inside(span, message, limits, depth)
        elif isinstance(span.value, EncodedData) and not span.members:
            start = span.end - len(span.value.octets)
            yield _line(start, depth, span.name)
            yield from _data(span.value.octets, start, limits, depth + 1)
        elif span.members:
            yield _line(span.start, depth, span.name)
            pending.extend((member, depth + 1) for member in reversed(span.members))
        else:
            yield _line(span.start, depth, f"{span.name}  {value_text(span.value)}")


def _holds(message: Message) -> bool:
    return message.content is not None or message.protection is not None


def _inside(span: Span, message: Message, limits: Limits, level: int) -> Iterator[str]:
    """Lines of what a protected APDU, a signed one or user-information holds."""
    yield _line(span.start, level, span.name)
    protection = message.protection
    if protection is not None:
        yield _line(None, level + 1, f"security control {int(protection.control):02x}, {_protections(message)}")
        yield _line(None, level + 1, f"invocation counter {protection.invocation_counter}")
        yield _line(None, level + 1, _trust(message))
    content = message.content
    if isinstance(content, Unreadable):
        yield _line(None, level + 1, f"content {octets_text(content.octets)}")
        yield _line(None, level + 1, f"no APDU: {content.error}")
    elif isinstance(content, P1Telegram):
        yield from _p1(content, level + 1)
    elif content is not None:
        yield from _message("", content, limits, level + 1)


def _p1(telegram: P1Telegram, level: int) -> Iterator[str]:
    yield _line(None, level, f"P1 telegram {one_line(telegram.identification)}")
    yield from _datasets(telegram.datasets, level + 1)
    if telegram.crc is None:
        yield _line(None, level + 1, "no CRC is sent")
    else:
        wrong = "" if telegram.crc_ok else f", WRONG: it would be {telegram.crc_computed:04X}"
        yield _line(None, level + 1, f"CRC {telegram.crc:04X}{wrong}")


def _readout(readout: Readout) -> Iterator[str]:
    identification = readout.identification
    yield _line(None, 0, f"IEC 62056-21 read-out {one_line(identification) if identification else 'of one message'}")
    if (device := readout.device) is not None:
        mode = "E (HDLC) may be selected" if device.offers_mode_e else f"{device.mode.value}, or D where nobody asked"
        yield _line(None, 1, f"manufacturer {device.manufacturer}, baud character {device.baud}: mode {mode}")
    yield from _block(readout)


def _block(block: Readout | CapturedCommand) -> Iterator[str]:
    yield from _datasets(block.datasets, 1)
    if block.bcc is None:
        yield _line(None, 1, "no BCC is sent")
    else:
        yield _line(
            None, 1, f"BCC {block.bcc:02X}{'' if block.bcc_ok else f', WRONG: it would be {block.bcc_computed:02X}'}"
        )


def _datasets(datasets: tuple[DataSet, ...], level: int) -> Iterator[str]:
    for one in datasets:
        values = "".join(f"({one_line(value)})" for value in one.values)
        yield _line(None, level, f"{one_line(one.address)}{values}")


def _protections(message: Message) -> str:
    assert message.protection is not None
    control = message.protection.control
    bits = {
        "compressed": control.compressed,
        "broadcast": control.broadcast,
        "encrypted": control.encrypted,
        "authenticated": control.authenticated,
    }
    names = [name for name, is_set in bits.items() if is_set] or ["not protected"]
    return f"{', '.join(names)}, suite {control.suite}"


def _trust(message: Message) -> str:
    protection = message.protection
    assert protection is not None
    if protection.plaintext is None:
        return "cannot be deciphered: encryption key or system title is missing"
    if protection.tag_ok:
        return "authentication tag right"
    if protection.tag_ok is False:
        return "UNVERIFIED CONTENT: the authentication tag is wrong (or a key or title is)"
    if protection.control.authenticated:
        return "UNVERIFIED CONTENT: the authentication tag was not checked, a key or title is missing"
    return "UNVERIFIED CONTENT: there is no authentication tag, anybody may have changed it"


def _data(octets: bytes, start: int, limits: Limits, level: int) -> Iterator[str]:
    for span in data_spans(octets, limits):
        at = span.start if span.type is DataType.STRUCTURE else span.end
        text = data_text(span.type, span.value, octets[at : at + _LOOK_AHEAD])
        yield _line(start + span.start, level + span.depth, f"{span.type.label} {text}")
