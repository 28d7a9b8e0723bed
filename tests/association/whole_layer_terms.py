"""What two sides may agree upon: the settings of both, and by plain rules of its own what comes of them.

Sizes are those of application_layer.md 6.2: the whole APDU, protection included. 17 octets are kept for the protection
(security control, invocation counter, tag) whatever of it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.dialect import (
    STANDARD,
    ActionPblockContent,
    BlockRecovery,
    CipheredForm,
    Edition,
    LongReadContent,
    ResponseForm,
)
from cosemic.link.hdlc import HdlcSettings
from cosemic.security import CounterStore, Protection, SecurityPolicy
from cosemic.values import ApplicationContext, AuthenticationMechanism, Conformance
from tests.association.samples import settings

C = Conformance
INFINITE = 1 << 40
SHARED = (
    C.BLOCK_TRANSFER_WITH_GET_OR_READ
    | C.BLOCK_TRANSFER_WITH_SET_OR_WRITE
    | C.MULTIPLE_REFERENCES
    | C.DATA_NOTIFICATION
    | C.GENERAL_BLOCK_TRANSFER
    | C.GENERAL_PROTECTION
)
LOGICAL_NAMES = (
    SHARED
    | C.GET
    | C.SET
    | C.ACTION
    | C.ACCESS
    | C.SELECTIVE_ACCESS
    | C.BLOCK_TRANSFER_WITH_ACTION
    | C.ATTRIBUTE0_SUPPORTED_WITH_GET
    | C.ATTRIBUTE0_SUPPORTED_WITH_SET
    | C.PRIORITY_MGMT_SUPPORTED
    | C.EVENT_NOTIFICATION
)
SHORT_NAMES = SHARED | C.READ | C.WRITE | C.UNCONFIRMED_WRITE | C.PARAMETERIZED_ACCESS | C.INFORMATION_REPORT
EVERYTHING = C((1 << 24) - 1)
USEFUL = C.GET | C.SET | C.ACTION | C.ACCESS | C.READ | C.WRITE | C.UNCONFIRMED_WRITE
_OLD = C.GENERAL_PROTECTION | C.GENERAL_BLOCK_TRANSFER | C.DATA_NOTIFICATION | C.ACCESS
RESERVED = {Edition.GREEN_BOOK_7: _OLD}
"""What the editions do not know yet."""
WITHOUT_TOO_LONG = (Edition.GREEN_BOOK_7, Edition.GREEN_BOOK_8, Edition.GREEN_BOOK_9)
WITHOUT_CONFIRM = (Edition.GREEN_BOOK_7, Edition.GREEN_BOOK_8)


class Short:
    """Reads as what makes it, without what is as usual."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._told())})"

    def _told(self) -> Any:
        for field in fields(self):  # type: ignore[arg-type]  # of its dataclasses
            value = getattr(self, field.name)
            if value != field.default:
                shown = f"C({int(value):#08x})" if isinstance(value, Conformance) else repr(value)
                yield f"{field.name}={shown if '<' not in shown else value}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Side(Short):
    """What one side brings. size: the longest APDU that it takes, 0 for no limit. window: general blocks at a time."""

    size: int = 0xFFFF
    conformance: Conformance = EVERYTHING
    window: int = 8
    edition: Edition = Edition.GREEN_BOOK_11
    recovery: BlockRecovery = BlockRecovery.GO_BACK

    @property
    def proposes_general(self) -> bool:
        """Whether a client can want general envelopes: without their bit it cannot even be set up so."""
        return bool(self.conformance & ~RESERVED.get(self.edition, C(0)) & C.GENERAL_PROTECTION)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Terms(Short):
    """How an association is opened, by both sides.

    protection: of a context with ciphering, NONE without. suite: of the keys, 0 to 2. signed: high level security is
    that of mechanism 7, for which both sides take APDUs of some size, so that a signature fits. general_blocks: whether
    the client wants them.
    """

    client: Side = Side()
    server: Side = Side()
    short_names: bool = False
    protection: Protection = Protection.NONE
    general: bool = False
    dedicated: bool = False
    high_level: bool = False
    suite: int = 0
    signed: bool = False
    general_blocks: bool = False
    block_requests: bool = False
    response_form: ResponseForm = ResponseForm.MIRRORED
    pblock_content: ActionPblockContent = ActionPblockContent.GET_DATA_RESULT
    long_read_content: LongReadContent = LongReadContent.RESULTS

    @property
    def ciphered(self) -> bool:
        return bool(self.protection)

    @property
    def agreed(self) -> Conformance:
        """The conformance that both have."""
        known = SHORT_NAMES if self.short_names else LOGICAL_NAMES
        for side in (self.client, self.server):
            known &= side.conformance & ~RESERVED.get(side.edition, C(0))
        if not self.general_blocks:
            known &= ~C.GENERAL_BLOCK_TRANSFER
        return known if self.ciphered else known & ~C.GENERAL_PROTECTION

    @property
    def refused(self) -> str:
        """Why the association cannot be opened, empty where it can."""
        if not self.agreed & USEFUL:
            return "the meter refuses the association"
        if self.general and not self.agreed & C.GENERAL_PROTECTION:
            return "general-protection"
        if self.high_level and self.short_names and not self._proof_can_be_written:
            return "did not agree"
        return ""

    @property
    def _proof_can_be_written(self) -> bool:
        """Whether passes 3 and 4 have a service to travel in, with short names."""
        return bool(self.agreed & C.READ and self.agreed & (C.WRITE | C.PARAMETERIZED_ACCESS))

    @property
    def in_general_blocks(self) -> bool:
        return bool(self.agreed & C.GENERAL_BLOCK_TRANSFER)

    @property
    def request_room(self) -> int:
        """Octets of the longest plain request."""
        return INFINITE if self.in_general_blocks else longest(self.server.size, self.ciphered, self.general)

    @property
    def access_room(self) -> int:
        """The same of ACCESS, which travels in a general envelope alone."""
        return INFINITE if self.in_general_blocks else longest(self.server.size, self.ciphered, True)

    @property
    def answer_room(self) -> int:
        """Octets of the longest plain answer, in the longest envelope that may be needed."""
        if self.in_general_blocks:
            return INFINITE
        in_general = self.response_form is not ResponseForm.SERVICE_SPECIFIC and self.agreed & C.GENERAL_PROTECTION
        general = bool(in_general or self.agreed & C.ACCESS)
        return longest(self.client.size, self.ciphered, general)

    @property
    def says_too_long(self) -> bool:
        """Whether the server says pdu-too-long, where older ones give other-reason."""
        return self.server.edition not in WITHOUT_TOO_LONG

    def general_answers(self, data_notification: bool) -> bool:
        """Whether a notification travels in a general envelope: a data-notification has no other."""
        return self.ciphered and data_notification

    @property
    def confirms(self) -> bool:
        """Whether the client confirms data-notifications."""
        return self.client.edition not in WITHOUT_CONFIRM

    def settings(self, ours: CounterStore, theirs: CounterStore) -> tuple[ClientSettings, ServerSettings]:
        """Settings of client and server."""
        client, server = self.client, self.server
        context = ApplicationContext.of(short_names=self.short_names, ciphered=self.ciphered)
        form = CipheredForm.GENERAL if self.general else CipheredForm.SERVICE_SPECIFIC
        here: dict[str, Any] = {
            "short_names": self.short_names,
            "protection": self.protection,
            "dedicated_key": self.dedicated,
            "max_pdu_size": client.size,
            "conformance": client.conformance,
            "general_blocks": self.general_blocks,
            "block_window": client.window,
            "counters": ours,
            "dialect": STANDARD.but(
                ciphered_form=form,
                edition=client.edition,
                block_recovery=client.recovery,
                block_requests=self.block_requests,
            ),
        }
        there: dict[str, Any] = {
            "context_names": frozenset((context,)),
            "max_pdu_size": server.size,
            "conformance": server.conformance,
            "block_window": server.window,
            "counters": theirs,
            "dialect": STANDARD.but(
                edition=server.edition,
                block_recovery=server.recovery,
                response_form=self.response_form,
                action_pblock_content=self.pblock_content,
                long_read_content=self.long_read_content,
            ),
        }
        high = AuthenticationMechanism.HLS_ECDSA if self.signed else AuthenticationMechanism.HLS_GMAC
        mechanism = high if self.high_level else AuthenticationMechanism.LOWEST
        policy = SecurityPolicy(0, int(self.protection))
        return settings(mechanism, ciphered=self.ciphered, suite=self.suite, policy=policy, client=here, server=there)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Station(Short):
    """How one HDLC station is set: octets of an information field, and frames of a window, both ways."""

    transmit: int = 128
    receive: int = 128
    window_transmit: int = 1
    window_receive: int = 1

    def settings(self) -> HdlcSettings:
        return HdlcSettings(
            max_info_transmit=self.transmit,
            max_info_receive=self.receive,
            window_transmit=self.window_transmit,
            window_receive=self.window_receive,
            inactivity_timeout=0,
            poll_interval=1.0,
            polling_timeout=3.0,
        )


def length_octets(length: int) -> int:
    """Octets of an A-XDR length."""
    return 1 if length < 0x80 else 2 if length < 0x100 else 3 if length < 0x10000 else 4


def longest(size: int, ciphered: bool, general: bool, spare: int = 0) -> int:
    """Octets of the longest plain APDU that fits into one of ``size`` octets when it is protected.

    spare: octets of the 17 that are not used.
    """
    size = size or 0xFFFF
    if not ciphered:
        return size
    title = 1 + 8 if general else 0
    protection = 17 - spare
    plain = size
    while 1 + title + length_octets(plain + protection) + plain + protection > size:
        plain -= 1
    return plain
