"""What happens to an association, as its server is told (IEC 62056-5-3: COSEM-OPEN, -RELEASE and -ABORT)."""

from __future__ import annotations

from dataclasses import dataclass

from cosemic.apdu import DataNotificationConfirm


@dataclass(frozen=True, slots=True)
class Associated:
    """An association was opened, and both sides have proved what they had to."""

    client_title: bytes | None


@dataclass(frozen=True, slots=True)
class Refused:
    """An association was refused; ``authentication``: because the client has not proved itself."""

    reason: str
    authentication: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """The association is over: the client has released it, or the lower layer is gone."""


@dataclass(frozen=True, slots=True)
class NotificationConfirmed:
    """The client has confirmed a data-notification, protected as the association demands."""

    confirmation: DataNotificationConfirm


ServerEvent = Associated | Refused | Released | NotificationConfirmed
