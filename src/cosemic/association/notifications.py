"""What a device says of its own accord: the unsolicited services (IEC 62056-5-3; reference, application layer 12, 13).

====================  ==================================  =======================================
request               APDU                                confirmed
====================  ==================================  =======================================
NotifyData            data-notification           0F      as asked, by data-notification-confirm
NotifyEvent           event-notification-request  C2      never
ReportInformation     information-report-request  18      never
====================  ==================================  =======================================

What came of them at the other side is :class:`Notified`, or :class:`NotificationRefused`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Final, TypeAlias

from cosemic.apdu import (
    CosemAttributeDescriptor,
    DataNotification,
    EventNotificationRequest,
    InformationReportRequest,
    LongInvokeIdAndPriority,
)
from cosemic.codec import EncodedData
from cosemic.errors import CosemicError
from cosemic.security import Protection
from cosemic.security.digests import sha256_of
from cosemic.values import LN_CONFORMANCE, SN_CONFORMANCE, Conformance, Priority, ServiceClass

DATA_NOTIFICATION: Final = 0x0F
DATA_NOTIFICATION_CONFIRM: Final = 0x10
INFORMATION_REPORT: Final = 0x18
EVENT_NOTIFICATION: Final = 0xC2
UNSOLICITED: Final[Mapping[int, type[Any]]] = {
    DATA_NOTIFICATION: DataNotification,
    INFORMATION_REPORT: InformationReportRequest,
    EVENT_NOTIFICATION: EventNotificationRequest,
}
"""APDUs that may come at any time, by tag."""
BITS: Final[Mapping[int, Conformance]] = {
    DATA_NOTIFICATION: Conformance.DATA_NOTIFICATION,
    INFORMATION_REPORT: Conformance.INFORMATION_REPORT,
    EVENT_NOTIFICATION: Conformance.EVENT_NOTIFICATION,
}
"""The conformance bit that each needs in an association."""
LARGEST_LONG_INVOKE_ID: Final = 0xFFFFFF


def notification_conformance(*, short_names: bool) -> Conformance:
    """Return the bits of the notifications in an association with this referencing."""
    return reduce(or_, BITS.values()) & (SN_CONFORMANCE if short_names else LN_CONFORMANCE)


@dataclass(slots=True, eq=False)
class NotifyData:
    """DATA-NOTIFICATION.request.

    body: normally a structure. date_time: 12 octets, or none. long_invoke_id: 0 to 16777215; None takes the next one
    when it is sent, and stays with the request: sending the same object again is a repetition, which a receiver knows.
    """

    body: EncodedData
    confirmed: bool = False
    date_time: bytes = b""
    priority: Priority = Priority.NORMAL
    long_invoke_id: int | None = None

    def apdu(self) -> DataNotification:
        """Return the APDU; its number is 0 where none was given yet."""
        service_class = ServiceClass.CONFIRMED if self.confirmed else ServiceClass.UNCONFIRMED
        number = LongInvokeIdAndPriority.of(
            self.long_invoke_id or 0, service_class=service_class, priority=self.priority
        )
        return DataNotification(number, self.date_time, self.body)


@dataclass(slots=True, eq=False)
class NotifyEvent:
    """EVENT-NOTIFICATION.request of one attribute. time: 12 octets, or None."""

    attribute: CosemAttributeDescriptor
    value: EncodedData
    time: bytes | None = None

    def apdu(self) -> EventNotificationRequest:
        """Return the APDU."""
        return EventNotificationRequest(self.time, self.attribute, self.value)


@dataclass(slots=True, eq=False)
class ReportInformation:
    """InformationReport.request: short names and what they hold, one value each.

    variables: Variable-Access-Specifications (an int is a short name). time: GeneralizedTime text as octets, or None.
    """

    variables: tuple[Any, ...]
    values: tuple[EncodedData, ...]
    time: bytes | None = None

    def apdu(self) -> InformationReportRequest:
        """Return the APDU."""
        return InformationReportRequest(self.time, self.variables, self.values)


Notification = NotifyData | NotifyEvent | ReportInformation
NotificationApdu: TypeAlias = DataNotification | EventNotificationRequest | InformationReportRequest


@dataclass(frozen=True, slots=True)
class Notified:
    """A notification came.

    system_title: of its sender, 8 octets, where it is known. protection: what it was protected with; in clear, anybody
    may have sent it. authenticated: its tag was right; under the broadcast key (``broadcast``) that says only that the
    sender is one of all those who hold that key.
    """

    apdu: NotificationApdu
    system_title: bytes | None = None
    protection: Protection = Protection.NONE
    authenticated: bool = False
    broadcast: bool = False

    @property
    def wants_confirmation(self) -> bool:
        """Whether its sender asks for a data-notification-confirm."""
        apdu = self.apdu
        if not isinstance(apdu, DataNotification):
            return False
        return apdu.long_invoke_id_and_priority.service_class is ServiceClass.CONFIRMED


@dataclass(frozen=True, slots=True)
class NotificationRefused:
    """What came was no notification, or one that is not taken; nothing was changed or answered.

    system_title: what it says of its sender, unverified.
    """

    error: CosemicError
    system_title: bytes | None = None


class Repeats:
    """Confirmed notifications of one sender that were delivered, the latest ``most`` of them for ``window`` seconds.

    A sender that misses the confirmation repeats: the same octets, with the same long-invoke-id.
    """

    __slots__ = ("_known", "_most", "_window")

    def __init__(self, window: float, most: int = 16) -> None:
        self._window = window
        self._most = most
        self._known: OrderedDict[int, tuple[bytes, float, bool]] = OrderedDict()

    def came_before(self, number: int, octets: bytes, now: float) -> bool:
        """Whether the same came before, under the same long-invoke-id; if not, remember it."""
        digest = sha256_of(octets)
        found = self._known.get(number)
        if found is not None and found[0] == digest and now - found[1] <= self._window:
            self._known[number] = digest, now, found[2]
            self._known.move_to_end(number)
            return True
        self._known[number] = digest, now, False
        self._known.move_to_end(number)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return False

    def confirmed(self, number: int) -> bool:
        """Whether the one with this long-invoke-id was confirmed."""
        found = self._known.get(number)
        return found is not None and found[2]

    def forget(self, number: int) -> None:
        """Let the one with this long-invoke-id come again, unless it was confirmed."""
        if number in self._known and not self.confirmed(number):
            del self._known[number]

    def confirm(self, number: int) -> None:
        """Note that it was."""
        found = self._known.get(number)
        if found is not None:
            self._known[number] = found[0], found[1], True
