"""A device whose time is set by hand, with a client that may do everything; it can be killed, and started again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any, Generic, TypeVar

from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType, EncodedData
from cosemic.model import AttributeReference, MethodReference
from cosemic.server import Admission, LogicalDevice, managing
from cosemic.server.logical_device import Happening
from cosemic.server.state import StateFile
from cosemic.values import ActionResult, DataAccessResult
from tests.server.support import View

START = dt.datetime(2026, 1, 31, 12, 0, tzinfo=dt.UTC)
SUCCESS = DataAccessResult.SUCCESS
REFUSED = DataAccessResult.OTHER_REASON
NOT_NOW = DataAccessResult.TEMPORARY_FAILURE
DENIED = DataAccessResult.READ_WRITE_DENIED
UNMATCHED = DataAccessResult.TYPE_UNMATCHED
P = TypeVar("P")
T = TypeVar("T")


class Running(Generic[P]):
    """build: makes the objects of the device, and returns what the test is about (``parts``). path: of its state."""

    def __init__(
        self, build: Callable[[LogicalDevice], P], path: Path | None = None, start: dt.datetime = START
    ) -> None:
        self.build = build
        self.path = path
        self.begin = self.now = start
        self.start()

    def start(self) -> None:
        state = None if self.path is None else StateFile(self.path).of("TST0000000000001")
        device = LogicalDevice("TST0000000000001", now=lambda: self.now, state=state, start=self.begin)
        self.device = device
        self.told: list[Happening] = []
        device.listeners.append(self.told.append)
        self.parts = self.build(device)
        device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=managing()))
        self.view = View(device)

    def killed(self) -> P:
        """Start again from what was committed."""
        assert self.path is not None
        self.start()
        return self.parts

    def to(self, moment: dt.datetime) -> None:
        """Let time pass up to a moment."""
        self.now = moment
        self.device.advance()
        self.device.commit()

    def after(self, **passed: float) -> None:
        """Let time pass."""
        self.to(self.now + dt.timedelta(**passed))

    def get(self, reference: AttributeReference[T]) -> T:
        """Return an attribute as the client reads it."""
        found = self.view.get(reference.class_id, str(reference.instance_id), reference.attribute_id)
        assert isinstance(found, EncodedData), found
        return reference.decode(found.typed())

    def set(self, reference: AttributeReference[T], value: T) -> DataAccessResult:
        """Write an attribute."""
        return self.put(reference, EncodedData.from_typed(reference.encode(value)))

    def put(self, reference: AttributeReference[Any], value: EncodedData) -> DataAccessResult:
        """Write an attribute with whatever value."""
        return self.view.set(reference.class_id, str(reference.instance_id), reference.attribute_id, value)

    def call(self, reference: MethodReference[Any, Any], parameter: Any = None) -> DataAccessResult:
        """Invoke a method; the action-result has the name of the data-access-result."""
        given = None if parameter is None else EncodedData.from_typed(reference.encode(parameter))
        answer = self.view.act(reference.class_id, str(reference.instance_id), reference.method_id, given)
        result = answer.result
        assert isinstance(result, ActionResult)
        return DataAccessResult[result.name]

    def names(self) -> list[str]:
        """Names of what happened since the last call."""
        names = [happening.name for happening in self.told]
        self.told.clear()
        return names


def curve(*watt_hours: int, slot: int = 900, begun: int = 0) -> Callable[[dt.datetime], int]:
    """A source that brings so much in each slot, over and over again; each slot evenly."""
    sums = [0, *accumulate(watt_hours)]

    def energy(at: dt.datetime) -> int:
        microseconds = (at - dt.datetime(2020, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
        slots, part = divmod(microseconds, slot * 1_000_000)
        rounds, number = divmod(slots, len(watt_hours))
        return begun + rounds * sums[-1] + sums[number] + watt_hours[number] * part // (slot * 1_000_000)

    return energy


def number(value: object) -> int:
    """Return a value that is a whole number."""
    assert isinstance(value, int), value
    return value


def unsigned(value: int) -> EncodedData:
    return EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, value)
