"""What a device wants sent, whatever carries it: pushes go out, results come back.

::

    push setup  --put-->  Outbox  --take-->  PushOutlet, or who else carries notifications
    push setup  <--told-- Outbox  <--finish--

An :class:`Outgoing` is one attempt: a destination, the SAPs, the service with its values, and how it is protected; the
octets are made by a :class:`~cosemic.association.notifying.NotificationSender`. Each push setup has one attempt under
way at most, which bounds the queue; :data:`MOST_WAITING` does so in any case.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from cosemic.association.notifications import LARGEST_LONG_INVOKE_ID, Notification
from cosemic.association.notifying import NotifyingSettings
from cosemic.errors import CosemicError, StoreError
from cosemic.model.push import TransportService
from cosemic.server.state import FORGETFUL, load_json, save_json

if TYPE_CHECKING:
    from cosemic.server.logical_device import LogicalDevice

MOST_WAITING: Final = 64
_NUMBER: Final = "long invoke id"


class Delivery(IntEnum):
    """How far a notification is known to have come; each holds the ones before."""

    FAILED = 0
    """A lower layer has failed, or no confirmation came."""
    SENT = 1
    """The lower layer has taken it."""
    ACKNOWLEDGED = 2
    """The lower layer of the receiver has confirmed it."""
    CONFIRMED = 3
    """The receiver has confirmed it (DataNotification-Confirm)."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a notification goes: TCP or UDP, host, port."""

    transport_service: TransportService
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport_service.label}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Result:
    """What has become of an attempt; reason: why it failed. late: it was not sent, as its window has closed."""

    delivery: Delivery
    reason: str = ""
    late: bool = False


@dataclass(slots=True, eq=False)
class Outgoing:
    """One attempt. source: SAP of the device. client: that of the receiver. wanted: what counts as delivered.

    until: from when on it may not be sent any more, in true time; None: whenever that is.
    """

    destination: Destination
    source: int
    client: int
    notification: Notification
    settings: NotifyingSettings
    wanted: Delivery
    told: Callable[[Result, dt.datetime], None] = field(repr=False)
    until: dt.datetime | None = None


class Source(Protocol):
    """What has something sent."""

    @property
    def configured(self) -> bool:
        """Whether it has somewhere to send to, and something to tell."""


class Outbox:
    """The notifications that a logical device wants sent. Asked and told from one thread at a time, or several."""

    def __init__(self, device: LogicalDevice) -> None:
        self._device = device
        self._waiting: deque[Outgoing] = deque()
        self._memory = FORGETFUL if device.state is None else device.state.of("outbox")
        self._number: int | None = None
        self.sources: list[Source] = []
        """What puts something in: the push setups of the device."""
        self.listeners: list[Callable[[], Any]] = []
        """Called when something is put in, or is due at another time, while the device is busy: look later."""

    def next_invoke_id(self) -> int:
        """Return the long-invoke-id of the next message; no two messages of a device have the same. Raises StoreError.

        Kept, so that what is pushed after a restart is not taken for a repetition.
        """
        number = (int(load_json(self._memory, _NUMBER) or 0) if self._number is None else self._number) + 1
        self._number = number & LARGEST_LONG_INVOKE_ID
        save_json(self._memory, _NUMBER, self._number)
        return self._number

    def put(self, outgoing: Outgoing) -> bool:
        """Take an attempt; False where too much waits already."""
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(outgoing)
        self.stir()
        return True

    @property
    def used(self) -> bool:
        """Whether something may be sent, as things are set up."""
        return any(source.configured for source in self.sources)

    def stir(self) -> None:
        """Let whoever carries notifications look again."""
        for listener in self.listeners:
            listener()

    def withdraw(self, outgoing: Outgoing) -> None:
        """Send it no more, if it waits still; its result counts no more."""
        outgoing.told = _nobody
        if outgoing in self._waiting:
            self._waiting.remove(outgoing)

    def take(self) -> Outgoing | None:
        """Return what is to be sent next, None for nothing; :meth:`finish` tells what became of it.

        First the device does what is due. What it takes has been committed. Where the state of the device cannot be
        kept, nothing is sent any more.
        """
        device = self._device
        with device.lock:
            try:
                self._advance()
                device.commit()
            except StoreError:
                return None
            return self._waiting.popleft() if self._waiting else None

    def finish(self, outgoing: Outgoing, result: Result) -> None:
        """Tell what has become of an attempt."""
        device = self._device
        with device.lock:
            try:
                self._advance()
                outgoing.told(result, device.now())
                device.commit()
            except StoreError as error:
                device.fail(error)

    def next_due(self) -> dt.datetime | None:
        """Return when the device has something to do next, in true time; None: nothing, as things stand."""
        with self._device.lock:
            return self._device.clockwork.next_due()

    def now(self) -> dt.datetime:
        """Return what time it is for the device."""
        return self._device.now()

    def _advance(self) -> None:
        """Have the device do what is due; what fails of it whoever asks the device is told. Raises StoreError."""
        try:
            self._device.advance()
        except StoreError:
            raise
        except CosemicError:
            return


def _nobody(result: Result, at: dt.datetime) -> None:
    """Learn nothing."""
