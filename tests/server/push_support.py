"""A device that pushes, in Central Europe at a time of its own; what it sends is taken by hand, with a result."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any

from cosemic.association.notifications import NotifyData
from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType, EncodedData
from cosemic.model import CaptureObjectDefinition
from cosemic.model.push import (
    PushMessage,
    PushObjectDefinition,
    RestrictedObjectDefinition,
    RestrictionElement,
    RestrictionType,
    SendDestinationAndMethod,
    TransportService,
)
from cosemic.server import Admission, ClockObject, LogicalDevice, PushSetupObject, data, managing
from cosemic.server.local_time import CENTRAL_EUROPEAN
from cosemic.server.logical_device import Happening
from cosemic.server.push.outbox import Delivery, Outgoing, Result
from cosemic.server.state import DeviceState
from cosemic.values import DataAccessResult, Obis
from tests.server.support import View

PUSH = "0-0:25.9.0"
ALL = RestrictionElement(RestrictionType.NONE, None)
SENT, CONFIRMED, ACKNOWLEDGED = Result(Delivery.SENT), Result(Delivery.CONFIRMED), Result(Delivery.ACKNOWLEDGED)
FAILED = Result(Delivery.FAILED, "nobody answers")
ZERO = EncodedData.of(DataType.INTEGER, 0)
VALUE = "0-0:96.1.0"


def tcp(text: str = "10.0.0.1:4059", service: TransportService = TransportService.TCP) -> SendDestinationAndMethod:
    """Return a destination."""
    return SendDestinationAndMethod(service, text.encode(), PushMessage.A_XDR_APDU)


def listed(
    version: int,
    class_id: int,
    name: str,
    attribute: int,
    data_index: int = 0,
    restriction: RestrictionElement = ALL,
    *columns: CaptureObjectDefinition,
) -> Any:
    """Return an element of push_object_list in the form of a version."""
    which = class_id, Obis(name), attribute, data_index
    if version == 0:
        return CaptureObjectDefinition(*which)
    if version == 1:
        return RestrictedObjectDefinition(*which, restriction)
    return PushObjectDefinition(*which, restriction, columns)


class Pushing:
    """A device with one push setup, at a moment; options: of the push setup."""

    def __init__(
        self,
        now: dt.datetime,
        state: DeviceState | None = None,
        *,
        start: dt.datetime | None = None,
        rights: Any = None,
        settings: ServerSettings | None = None,
        seed: int = 1,
        **options: Any,
    ) -> None:
        self.now = now
        self.device = LogicalDevice(
            "TST0000000000001",
            now=lambda: self.now,
            association_version=3,
            state=state,
            start=now if start is None else start,
        )
        self.told: list[Happening] = []
        self.device.listeners.append(self.told.append)
        self.clock = self.device.add(ClockObject(device=self.device, utc_offset=60, daylight_saving=CENTRAL_EUROPEAN))
        self.value = self.device.add(data(VALUE, DataType.LONG_UNSIGNED, 7, writable=True))
        version = options.setdefault("version", 2)
        options.setdefault("push_object_list", (listed(version, 1, VALUE, 2),))
        options.setdefault("send_destination_and_method", tcp())
        options.setdefault("push_client_SAP", 16)
        self.setup = self.device.add(PushSetupObject(self.device, self.clock, PUSH, randomness=Random(seed), **options))
        self.device.admit(Admission(client_sap=16, settings=settings or ServerSettings(), rights=rights or managing()))
        self.attempts: list[tuple[dt.datetime, Outgoing]] = []

    def push(self) -> str:
        """Have client 16 push; return the label of the result."""
        return View(self.device).act(40, PUSH, 1, ZERO).result.label

    def set(self, attribute: int, value: Any) -> DataAccessResult:
        """Have client 16 write an attribute of the push setup, in its declared type."""
        declared = self.setup.interface.attributes[attribute].type
        return View(self.device).set(40, PUSH, attribute, EncodedData.from_typed(declared.encode(value)))

    def get(self, attribute: int) -> Any:
        """Return an attribute of the push setup, decoded."""
        found = View(self.device).get(40, PUSH, attribute)
        assert isinstance(found, EncodedData), found
        return self.setup.interface.attributes[attribute].type.decode(found.typed())

    def go(self, moment: dt.datetime, answer: Result | None = None) -> list[tuple[dt.datetime, Outgoing]]:
        """Let time pass, from one due moment to the next; return the attempts, each answered at once if said."""
        box, attempts = self.device.outbox, []
        while True:
            while (outgoing := box.take()) is not None:
                attempts.append((self.now, outgoing))
                if answer is not None:
                    box.finish(outgoing, answer)
            due = self.device.clockwork.next_due()
            if due is None or due > moment:
                break
            self.now = max(due, self.now)
        self.now = moment
        self.device.advance()
        self.device.commit()
        return attempts

    def sent(self, moment: dt.datetime | None = None, answer: Result | None = SENT) -> Any:
        """Return the values of the one message that is sent until a moment."""
        ((_, outgoing),) = self.go(self.now if moment is None else moment, answer)
        return body_of(outgoing)

    def names(self) -> list[str]:
        """What the device told of pushes since the last call."""
        names = [one.name for one in self.told if one.name.startswith("push-")]
        self.told.clear()
        return names


def body_of(outgoing: Outgoing) -> Any:
    """Return the native values of a message."""
    assert isinstance(outgoing.notification, NotifyData)
    return outgoing.notification.body.value()
