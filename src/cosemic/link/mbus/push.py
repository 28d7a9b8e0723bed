"""Pushes over M-Bus: the meter is the primary station and nobody answers (IEC 62056-7-3).

A customer interface sends its data notifications in SND_UD frames, C 53 (the frame count stands still), A FF or the
address of the meter, in segments of CI 00 to 1F; there is no SND_NKE::

    meter     68 FA FA 68 53 FF 00 01 67 part CS 16     68 26 26 68 53 FF 11 01 67 part CS 16     silence, next push
    listener  (segment 0)                               (last segment: the APDU is whole)

:class:`MbusPushLink` is both ends of such a wire, and listens to a bus with a master, too: it reads every APDU that
goes by, in SND_UD and RSP_UD, whoever is meant. :class:`WirelessPushLink` is the same for a radio module that hands
over one frame at a time; each sender's segments are joined by themselves. What cannot be read is counted and passed
over: there is nobody to tell, and the next push comes.
"""

from __future__ import annotations

from cosemic.errors import ConfigurationError, DecodeError
from cosemic.link.connectionless import Connectionless
from cosemic.link.contract import ApduReceived, LinkEvent, Octets
from cosemic.link.mbus.extended import split_layers
from cosemic.link.mbus.frame import BROADCAST, FCV, RSP_UD, SND_NR, SND_UD, MbusFrame, Telegram
from cosemic.link.mbus.header import DeviceAddress, Header
from cosemic.link.mbus.sending import Sender
from cosemic.link.mbus.stream import MbusStreamReader
from cosemic.link.mbus.transport import MAX_OCTETS as MAX_APDU
from cosemic.link.mbus.transport import MAX_PART, Reassembler, SapOrder, carries_dlms, decode_segment
from cosemic.link.mbus.wireless import WirelessFormat, WirelessFrame, decode_wireless

MAX_SENDERS = 64
MAX_WIRELESS_PART = 200
"""Octets of an APDU in one wireless frame that fits both formats, link address and headers counted."""


class _PushLink(Connectionless):
    """What both kinds share: no connection, nothing to wait for but the end of a frame."""

    def __init__(self, sender: Sender, order: SapOrder, max_apdu: int) -> None:
        self._sender = sender
        self._order = order
        self._max_apdu = max_apdu
        self._due: list[bytes] = []
        self._passed_over = 0

    @property
    def passed_over(self) -> int:
        """How many frames were right and could not be read."""
        return self._passed_over

    def _read(self, reassembler: Reassembler, ci: int, user_data: bytes) -> list[LinkEvent]:
        try:
            message = reassembler.receive(decode_segment(ci, user_data, self._order))
        except DecodeError:
            self._passed_over += 1
            return []
        return [] if message is None else [ApduReceived(message.part, message.source, message.destination)]


class MbusPushLink(_PushLink):
    """A wire on which a meter pushes: the meter's end, and the listener's.

    address: A of what is sent. source, destination: SAPs of what is sent where ``send`` names none (01 and 67 hex are
    those of the customer interfaces). header, max_part, sap_order: as in :class:`~cosemic.link.mbus.MbusMasterLink`.
    inter_octet_timeout: silence in seconds after which a frame that was begun is given up; message_timeout: after which
    an APDU is, of which segments are missing. max_apdu: octets.

    Raises ConfigurationError for what cannot be meant.
    """

    def __init__(
        self,
        address: int = BROADCAST,
        *,
        source: int | None = 0x01,
        destination: int | None = 0x67,
        header: Header | None = None,
        sap_order: SapOrder = SapOrder.SOURCE_FIRST,
        inter_octet_timeout: float = 0.2,
        message_timeout: float = 3.0,
        max_part: int = MAX_PART,
        max_apdu: int = MAX_APDU,
    ) -> None:
        if not 0 <= address <= 0xFF:
            raise ConfigurationError(f"M-Bus address {address} is not an octet")
        if not 0 < inter_octet_timeout <= message_timeout:
            raise ConfigurationError("inter_octet_timeout is above 0 s, and not longer than message_timeout")
        sender = Sender(source, destination, max_part=max_part, from_meter=True, header=header)
        super().__init__(sender, sap_order, max_apdu)
        self._address = address
        self._inter_octet_timeout = inter_octet_timeout
        self._message_timeout = message_timeout
        self._heard = 0.0
        self._reader = MbusStreamReader()
        self._reassembler = Reassembler(max_octets=max_apdu)
        self._deadline: float | None = None

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Push an APDU. Raises EncodeError where it does not fit its form, or a SAP is missing or no octet."""
        for segment in self._sender.segments(apdu, source, destination):
            frame = MbusFrame(SND_UD | FCV, self._address, segment.ci, segment.encode(self._order))
            self._due.append(frame.encode())

    def octets_to_send(self) -> bytes:
        """Return the frames that are due, end to end."""
        octets = b"".join(self._due)
        self._due.clear()
        return octets

    def deadline(self) -> float | None:
        """Return when what was begun is given up."""
        return self._deadline

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the wire, cut anywhere."""
        events = self._apdus(self._reader.receive(octets))
        self._heard = now
        self._wait()
        return events

    def tick(self, now: float) -> list[LinkEvent]:
        """Give up a frame, or an APDU, of which nothing came for too long; frames may have hidden behind the former."""
        if self._deadline is None or now < self._deadline:
            return []
        events = self._apdus(self._reader.finish()) if self._reader.pending else []
        if now >= self._heard + self._message_timeout:
            self._reassembler.reset()
        self._wait()
        return events

    def _wait(self) -> None:
        self._deadline = None
        if self._reader.pending:
            self._deadline = self._heard + self._inter_octet_timeout
        elif self._reassembler.pending:
            self._deadline = self._heard + self._message_timeout

    def _apdus(self, telegrams: list[Telegram]) -> list[LinkEvent]:
        events: list[LinkEvent] = []
        for telegram in telegrams:
            if (
                isinstance(telegram, MbusFrame)
                and telegram.ci is not None
                and telegram.function in (SND_UD, RSP_UD)
                and carries_dlms(telegram.ci)
            ):
                events += self._read(self._reassembler, telegram.ci, telegram.user_data)
        return events


class WirelessPushLink(_PushLink):
    """A radio module that hands over what it hears, one frame each time, and sends what it is given.

    device: M and A of what is sent; None: nothing can be sent. format: of what is sent, and where
    ``only_format`` is set, the one that is read; else all are tried.

    Raises ConfigurationError for what cannot be meant.
    """

    def __init__(
        self,
        device: DeviceAddress | None = None,
        *,
        format: WirelessFormat = WirelessFormat.STRIPPED,
        only_format: bool = False,
        source: int | None = 0x01,
        destination: int | None = 0x67,
        header: Header | None = None,
        sap_order: SapOrder = SapOrder.SOURCE_FIRST,
        max_part: int = MAX_WIRELESS_PART,
        max_apdu: int = MAX_APDU,
    ) -> None:
        sender = Sender(source, destination, max_part=max_part, from_meter=True, header=header)
        super().__init__(sender, sap_order, max_apdu)
        self._device = device
        self._format = format
        self._read_format = format if only_format else None
        self._reassemblers: dict[DeviceAddress, Reassembler] = {}

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Push an APDU. Raises EncodeError where it does not fit, ConfigurationError without a device address."""
        if self._device is None:
            raise ConfigurationError("a wireless M-Bus frame names its sender: make the link with a device address")
        for segment in self._sender.segments(apdu, source, destination):
            payload = bytes((segment.ci,)) + segment.encode(self._order)
            self._due.append(WirelessFrame(SND_NR, self._device, payload).encode(self._format))

    def octets_to_send(self) -> bytes:
        """Return the next frame that is due."""
        return self._due.pop(0) if self._due else b""

    def deadline(self) -> float | None:
        """Return None: frames come whole."""
        return None

    def tick(self, now: float) -> list[LinkEvent]:
        """Return nothing: frames come whole."""
        return []

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take one frame."""
        try:
            frame, _ = decode_wireless(octets, self._read_format)
            _, ci, rest = split_layers(frame.payload)
        except DecodeError:
            self._passed_over += 1
            return []
        if not carries_dlms(ci):
            return []
        return self._read(self._reassembler_of(frame.sender), ci, rest)

    def _reassembler_of(self, sender: DeviceAddress) -> Reassembler:
        found = self._reassemblers.pop(sender, None)
        if found is None:
            found = Reassembler(max_octets=self._max_apdu)
            while len(self._reassemblers) >= MAX_SENDERS:
                del self._reassemblers[next(iter(self._reassemblers))]
        self._reassemblers[sender] = found
        return found
