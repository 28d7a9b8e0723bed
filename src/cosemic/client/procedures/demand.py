"""Demand: running and last averages, maxima with their time, and monitors of values (classes 4, 5 and 21)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cosemic.client.answers import denied
from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.procedures.changing import called, written
from cosemic.client.procedures.reading import read_as
from cosemic.client.procedures.thresholds import monitored_unit, threshold_of
from cosemic.client.scaling import Readable, with_unit
from cosemic.client.steps import Procedure
from cosemic.codec import DataType, EncodedData, Typed
from cosemic.errors import DecodeError
from cosemic.model import ActionSet, DemandRegister, ExtendedRegister, MethodReference, RegisterMonitor, ValueDefinition
from cosemic.model.common import SimpleValue
from cosemic.values import DateTime, Obis


@dataclass(frozen=True, slots=True)
class Demand:
    """A demand register; averages are a Quantity, period is in seconds. Sliding where there are several periods."""

    current_average_value: Readable
    last_average_value: Readable
    capture_time: DateTime
    start_time_current: DateTime
    period: int
    number_of_periods: int
    status: SimpleValue = None


@dataclass(frozen=True, slots=True)
class Captured:
    """An extended register: a value (a Quantity), such as a maximum, and when it was captured."""

    value: Readable
    capture_time: DateTime
    status: SimpleValue = None


@dataclass(frozen=True, slots=True)
class Monitor:
    """A register monitor; thresholds are a Quantity where the monitored attribute has scaler and unit."""

    monitored_value: ValueDefinition
    thresholds: tuple[Readable, ...]
    actions: tuple[ActionSet, ...] = ()


class DemandProcedures(ProcedureGroup):
    """Demand of a meter; objects are named by their logical name."""

    def read(self, obis: Obis | str) -> Procedure[Demand]:
        """Read a demand register (1-0:1.4.0). Raises DataAccessError, DecodeError. IEC 62056-6-2, 5.2, class 5."""
        return read_as(self.session, Demand, DemandRegister(obis))

    def captured(self, obis: Obis | str) -> Procedure[Captured]:
        """Read an extended register (1-0:1.6.0). Raises DataAccessError, DecodeError. IEC 62056-6-2, 5.2, class 4."""
        return read_as(self.session, Captured, ExtendedRegister(obis))

    def next_period(self, obis: Obis | str) -> Procedure[None]:
        """End the period of a demand register now, and begin the next.

        Raises ActionFailed; ChangeNotMade, OutcomeUnknown where no answer came. IEC 62056-6-2, 5.2, class 5.
        """
        yield from self._restart(DemandRegister(obis).next_period)

    def reset(self, obis: Obis | str) -> Procedure[None]:
        """Set the averages of a demand register back, and begin a period.

        Raises ActionFailed; ChangeNotMade, OutcomeUnknown where no answer came. IEC 62056-6-2, 5.2, class 5.
        """
        yield from self._restart(DemandRegister(obis).reset)

    def _restart(self, method: MethodReference[int, None]) -> Procedure[None]:
        begin = DemandRegister(method.instance_id).start_time_current
        before = yield from self.session.read(begin)

        def made() -> Procedure[bool | None]:
            # A period may have ended by itself meanwhile: then it cannot be told.
            after = yield from self.session.read(begin)
            return False if after == before else None

        yield from called(self.session, method, 0, made)

    def monitor(self, obis: Obis | str) -> Procedure[Monitor]:
        """Read a register monitor (0-0:16.0.0). Raises DataAccessError, DecodeError. IEC 62056-6-2, 5.5, class 21."""
        found = yield from read_as(self.session, Monitor, RegisterMonitor(obis))
        unit = yield from monitored_unit(self.session, found.monitored_value)
        return replace(found, thresholds=tuple(with_unit(one, unit) for one in found.thresholds))

    def set_thresholds(self, obis: Obis | str, thresholds: Sequence[Readable]) -> Procedure[None]:
        """Set the thresholds of a register monitor: Quantities, or numbers as they are sent.

        Raises EncodeError for another unit than that of the monitored attribute, DataAccessError, ChangeNotMade,
        OutcomeUnknown. IEC 62056-6-2, 5.5, class 21.
        """
        monitor = RegisterMonitor(obis)
        about, present = yield from self.session.get_many([monitor.monitored_value, monitor.thresholds])
        if not isinstance(about, EncodedData):
            raise denied("read", monitor.monitored_value, about)
        value = monitor.monitored_value.decode(about.typed())
        known = _first(present) if isinstance(present, EncodedData) else None
        typed: tuple[Typed, ...] = ()
        for one in thresholds:
            sent = yield from threshold_of(self.session, value, one, known)
            typed += (sent.typed(),)
        yield from written(self.session, monitor.thresholds, EncodedData.from_typed((DataType.ARRAY, typed)))


def _first(thresholds: EncodedData) -> EncodedData | None:
    """The first threshold that is there; None where there is none. Raises DecodeError."""
    tag, elements = thresholds.typed()
    if tag is not DataType.ARRAY:
        raise DecodeError(f"an array of thresholds, not {tag.label}", path="thresholds")
    return EncodedData.from_typed(elements[0]) if elements else None


class AsyncDemand(AsyncGroup):
    """Demand of a meter, on asyncio."""

    read = asynchronously(DemandProcedures.read)
    captured = asynchronously(DemandProcedures.captured)
    next_period = asynchronously(DemandProcedures.next_period)
    reset = asynchronously(DemandProcedures.reset)
    monitor = asynchronously(DemandProcedures.monitor)
    set_thresholds = asynchronously(DemandProcedures.set_thresholds)


class BlockingDemand(BlockingGroup):
    """Demand of a meter, for blocking code."""

    read = blocking(DemandProcedures.read)
    captured = blocking(DemandProcedures.captured)
    next_period = blocking(DemandProcedures.next_period)
    reset = blocking(DemandProcedures.reset)
    monitor = blocking(DemandProcedures.monitor)
    set_thresholds = blocking(DemandProcedures.set_thresholds)
