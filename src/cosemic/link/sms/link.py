"""APDUs in short messages: the short wrapper (DLMS/COSEM Annex B), and its parts.

One APDU goes in one short message, or in several that belong together::

    user data    source SAP(1) destination SAP(1) APDU          from the client: client SAP, server SAP
    one message  140 octets: an APDU of 138
    parts        134 octets each, behind a header of six; 255 at most: an APDU of 34,168

:class:`SmsLink` stands on a medium of TPDUs (:mod:`cosemic.link.sms.tpdu`): each that is due is an SMS-SUBMIT, each
that comes an SMS-DELIVER. :class:`~cosemic.link.sms.modem.SmsModemLink` carries them over a modem.

State table of a message that comes in parts, told apart by originator, reference, number of parts and ports::

    state      event                                     action                                     next
    none       a part                                    keep it; the time starts                   open
    open       another part, not the last that lacks     keep it                                    open
    open       the last part that lacks                  deliver the APDU; forget the octets        done
    open, done the same part again                       pass over                                  the same
    open, done another content for a part that was there  begin anew with it: the reference is used again   open
    open, done time ``reassembly_timeout`` since the first part; too many messages   forget it     none

An association over short messages is pre-established as a rule: an AARQ and its answer cost two messages. A message
alone has no number; where a network delivers it twice, the APDU comes twice, and the association tells.

Bounds: :data:`MOST_MESSAGES` messages, of which each holds 34,170 octets at most; of the longest known, the oldest go.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from cosemic.errors import ConfigurationError, DecodeError, EncodeError
from cosemic.link.connectionless import Connectionless
from cosemic.link.contract import ApduReceived, LinkEvent, Octets
from cosemic.link.sms.tpdu import (
    MAX_PARTS,
    MAX_USER_DATA,
    Concatenation,
    Deliver,
    Submit,
    UserData,
    decode_tpdu,
    encode_number,
    is_8_bit,
    is_number,
)

MOST_MESSAGES: Final = 16
MOST_PEERS: Final = 256
_SAPS: Final = 2


@dataclass(slots=True)
class _Message:
    """Parts that came, by number; a complete one keeps what tells a repeated part from another: its hash."""

    total: int
    expires: float
    parts: dict[int, bytes] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)

    def add(self, part: int, octets: bytes) -> bytes | None:
        """Take a part that is new; return the whole where nothing lacks."""
        self.parts[part] = octets
        self.seen[part] = hash(octets)
        if len(self.parts) < self.total:
            return None
        whole = b"".join(self.parts[number] for number in range(1, self.total + 1))
        self.parts.clear()
        return whole


_Key = tuple[str, int, int, tuple[int, int] | None]


class SmsLink(Connectionless):
    """A peer behind a telephone number.

    number: of the peer, ``+`` and digits; messages of others are passed over. None: of whoever wrote last between the
    SAPs of an APDU, for a meter that answers. source, destination: the SAPs used where :meth:`send` is given none,
    0 to 255. ports: destination and source port of a project that wants them in the header; what comes is then taken
    only with the two swapped. validity: TP-VP of what is sent, relative (TS 23.040, 9.2.3.12.1); None: as the service
    centre has it. reassembly_timeout: seconds from the first part of a message until it is given up. reference: of the
    first message in parts; a link made anew should go on, so that parts of its last message are not mixed up.

    Raises ConfigurationError for numbers, SAPs and ports that cannot be.
    """

    def __init__(
        self,
        number: str | None = None,
        source: int | None = None,
        destination: int | None = None,
        *,
        ports: tuple[int, int] | None = None,
        validity: int | None = None,
        reassembly_timeout: float = 600.0,
        reference: int = 0,
    ) -> None:
        for name, sap in (("source", source), ("destination", destination)):
            if sap is not None and not 0 <= sap <= 0xFF:
                raise ConfigurationError(f"{name} SAP {sap} is not of one octet (0..255): correct the SAP")
        if ports is not None and not all(0 <= port <= 0xFFFF for port in ports):
            raise ConfigurationError(f"ports {ports} are not in 0..65535")
        if validity is not None and not 0 <= validity <= 0xFF:
            raise ConfigurationError(f"validity {validity} is not in 0..255")
        try:
            if number is not None:
                encode_number(number)
        except EncodeError as error:
            raise ConfigurationError(str(error)) from None
        self.passed_over = 0
        """Messages that are not of the peer, or not of this form."""
        self.given_up = 0
        """Messages whose parts did not all come."""
        self._number = number
        self._source = source
        self._destination = destination
        self._ports = ports
        self._validity = validity
        self._reassembly_timeout = reassembly_timeout
        self._reference = reference
        self._message_reference = 0
        self._due: deque[bytes] = deque()
        self._messages: dict[_Key, _Message] = {}
        self._numbers: dict[tuple[int, int], str] = {}

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Put the APDU into one short message, or several.

        Raises EncodeError where it is too long, a SAP is missing or not of one octet, or nobody has written between
        these SAPs whose number could be used.
        """
        source = self._source if source is None else source
        destination = self._destination if destination is None else destination
        if source is None or destination is None:
            raise EncodeError("a short message needs a source and a destination SAP; this link was made without them")
        if not (0 <= source <= 0xFF and 0 <= destination <= 0xFF):
            raise EncodeError(f"SAPs {source}, {destination}: in a short message each has one octet")
        number = self._number or self._numbers.get((destination, source))
        if number is None:
            raise EncodeError("no short message has come between these SAPs: it is not known whom to answer")
        parts = self._parts(bytes((source, destination)) + apdu)
        for part in parts:
            self._due.append(Submit(number, part, self._message_reference, validity=self._validity).encode())
            self._message_reference = (self._message_reference + 1) & 0xFF

    def octets_to_send(self) -> bytes:
        """Return the next SMS-SUBMIT that is due."""
        return self._due.popleft() if self._due else b""

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take one SMS-DELIVER."""
        self.tick(now)
        try:
            message = decode_tpdu(bytes(octets))
        except DecodeError:
            self.passed_over += 1
            return []
        if not isinstance(message, Deliver) or not self._concerns_us(message):
            self.passed_over += 1
            return []
        of = message.user_data.concatenation
        whole = message.user_data.octets if of is None else self._add(message, of, now)
        if whole is None:
            return []
        if len(whole) <= _SAPS:
            self.passed_over += 1
            return []
        source, destination = whole[0], whole[1]
        self._remember((source, destination), message.originator)
        return [ApduReceived(whole[_SAPS:], source, destination)]

    def _remember(self, saps: tuple[int, int], number: str) -> None:
        """Note whom to answer between these SAPs: nobody, where the sender has no number, or too many have written."""
        self._numbers.pop(saps, None)
        if len(self._numbers) < MOST_PEERS and is_number(number):
            self._numbers[saps] = number

    def deadline(self) -> float | None:
        """Return when parts are given up, or None."""
        return min((message.expires for message in self._messages.values()), default=None)

    def tick(self, now: float) -> list[LinkEvent]:
        """Give up what did not come whole in time."""
        for key, message in list(self._messages.items()):
            if now >= message.expires:
                self._forget(key)
        return []

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _parts(self, octets: bytes) -> list[UserData]:
        whole = UserData(octets, ports=self._ports)
        if len(whole.header) + len(octets) <= MAX_USER_DATA:
            return [whole]
        room = MAX_USER_DATA - len(UserData(b"", Concatenation(0, 1, 1), self._ports).header)
        total = -(-len(octets) // room)
        if total > MAX_PARTS:
            raise EncodeError(f"an APDU of {MAX_PARTS * room - _SAPS} octets at most goes in short messages")
        reference, self._reference = self._reference, (self._reference + 1) & 0xFF
        return [
            UserData(octets[room * at : room * at + room], Concatenation(reference, total, at + 1), self._ports)
            for at in range(total)
        ]

    def _concerns_us(self, message: Deliver) -> bool:
        ports = None if self._ports is None else (self._ports[1], self._ports[0])
        return (
            is_8_bit(message.data_coding)
            and (self._number is None or message.originator == self._number)
            and (ports is None or message.user_data.ports == ports)
        )

    def _add(self, message: Deliver, of: Concatenation, now: float) -> bytes | None:
        octets = message.user_data.octets
        if not 1 <= of.part <= of.total:
            self.passed_over += 1
            return None
        key = (message.originator, of.reference, of.total, message.user_data.ports)
        known = self._messages.get(key)
        if known is not None and of.part in known.seen:
            if known.seen[of.part] == hash(octets):
                return None
            self._forget(key)
            known = None
        if known is None:
            while len(self._messages) >= MOST_MESSAGES:
                self._forget(next(iter(self._messages)))
            known = self._messages[key] = _Message(of.total, now + self._reassembly_timeout)
        return known.add(of.part, octets)

    def _forget(self, key: _Key) -> None:
        self.given_up += bool(self._messages.pop(key).parts)
