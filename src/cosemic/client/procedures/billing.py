"""Read-out of a meter: all registers, closed billing periods, values of the past, and the end of a billing period.

Values of the past stand in value group F of their logical name (IEC 62056-6-1, clause 5)::

    F 255        the present value
    F 0 .. 99    one closed period each: F = VZ is the youngest, VZ - 1 the one before, where VZ is the value of the
                 billing period counter (0-b:0.1.0, 1-b:0.1.0); it counts up to 99 and goes on with 0, or up to less
                 (12) and goes on with 1
    F 101 .. 125 the last period, the one before, ...

Billing data of closed periods are the rows of 0-b:98.1.e and 98.2.e.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.lists import LIST_LENGTH
from cosemic.client.procedures.changing import called
from cosemic.client.procedures.history import recorded
from cosemic.client.procedures.reading import read_out
from cosemic.client.steps import Procedure
from cosemic.errors import CosemicError, DataAccessError
from cosemic.model import (
    AttributeReference,
    Column,
    Data,
    ProfileGeneric,
    ScriptTable,
    describe,
)
from cosemic.values import DataAccessResult, Obis

END_OF_BILLING: Final = Obis("0-0:10.0.1")
PROFILES: Final = (1, 2)
"""Value group D of the data of billing periods, schemes 1 and 2, in C 98."""
VALUES: Final = {3: (2,), 4: (2, 5), 5: (2, 3)}
"""Attributes that a read-out takes of Register, Extended register and Demand register."""
COUNTERS: Final = (Obis("1-0:0.1.0"), Obis("0-0:0.1.0"))
"""Billing period counter; the first that the meter shows counts."""
_LISTS: Final = 98
_PRESENT: Final = 255
_LAST: Final = range(101, 126)
_NUMBERED: Final = 100


@dataclass(frozen=True, slots=True)
class RegisterReading:
    """One attribute of a read-out: its value (a Quantity where it has scaler and unit), or why it could not be read."""

    obis: Obis
    class_id: int
    attribute: int
    name: str
    value: object
    error: CosemicError | None


@dataclass(frozen=True, slots=True)
class ReadOut:
    """All registers of a meter; ``failed`` are those that could not be read."""

    readings: tuple[RegisterReading, ...]

    @property
    def failed(self) -> tuple[RegisterReading, ...]:
        """What could not be read, each with its error."""
        return tuple(one for one in self.readings if one.error is not None)

    def values(self) -> dict[Obis, object]:
        """Return the values (attribute 2) that could be read, by logical name."""
        return {one.obis: one.value for one in self.readings if one.error is None and one.attribute == 2}


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """A closed billing period: when it was closed (UTC; None without stamp), and its values with their columns."""

    closed: dt.datetime | None
    columns: tuple[Column, ...]
    values: tuple[Any, ...]

    def by_name(self) -> dict[tuple[Obis, int], Any]:
        """Return the values by logical name and attribute."""
        pairs = zip(self.columns, self.values, strict=True)
        return {(column.obis, column.attribute): value for column, value in pairs}


@dataclass(frozen=True, slots=True)
class HistoricalValue:
    """A value of the past: ``periods_ago`` 1 is the last closed period. error: why it could not be read."""

    obis: Obis
    periods_ago: int
    value: object
    error: CosemicError | None


@dataclass(frozen=True, slots=True)
class BillingReset:
    """A billing period was ended: the billing period counter before and after; None where the meter shows none."""

    counter_before: int | None
    counter_after: int | None


Progress = Callable[[int, int], None]
"""Told how many attributes of how many have been read."""


class BillingProcedures(ProcedureGroup):
    """Read-out and billing periods of a meter."""

    def registers(self, *, present: bool = True, progress: Progress | None = None) -> Procedure[ReadOut]:
        """Read all registers of the association view, in lists where the meter agrees to them.

        Of an Extended register the capture time comes along, of a Demand register both averages. present: leave out
        values of the past. progress: told after each list. What is refused is in the result, with its error.

        Raises DataAccessError, DecodeError where there is no association view.
        """
        wanted = [
            AttributeReference.of(one.class_id, one.logical_name, attribute)
            for one in (yield from self.session.objects())
            for attribute in VALUES.get(one.class_id, ())
            if not present or one.logical_name.f == _PRESENT
        ]
        readings: list[RegisterReading] = []
        for at in range(0, len(wanted), LIST_LENGTH):
            part = wanted[at : at + LIST_LENGTH]
            readings += map(_reading, part, (yield from read_out(self.session, part)))
            if progress is not None:
                progress(len(readings), len(wanted))
        return ReadOut(tuple(readings))

    def periods(
        self,
        obis: Obis | str | None = None,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
    ) -> Procedure[tuple[BillingPeriod, ...]]:
        """Read the billing periods that were closed in [since, until), in order of time; without bounds all of them.

        obis: of the profile; None: the first of the association view, scheme 1 before scheme 2. Naive times are in the
        zone of the meter. Raises DataAccessError, also where the meter has no such profile; DecodeError.
        """
        profile = yield from recorded(self.session, obis or (yield from self._profile()), since, until)
        return tuple(BillingPeriod(row.interval_end, profile.columns, row.values) for row in profile.rows())

    def historical(self, obis: Obis | str, attribute: int = 2) -> Procedure[tuple[HistoricalValue, ...]]:
        """Read the values of the past of one code, the youngest first; its own value group F does not matter.

        Raises DataAccessError where the association view has none, or not the billing period counter that orders
        them; DecodeError.
        """
        code = Obis(obis)
        found = [one for one in (yield from self.session.objects()) if one.logical_name[:5] == code[:5]]
        ages = {number: number - _NUMBERED for number in _LAST}
        if not any(one.logical_name.f in _LAST for one in found):
            numbers = [one.logical_name.f for one in found if one.logical_name.f < _NUMBERED]
            if not numbers:
                raise _missing(f"no values of the past of {code}")
            counter = yield from self._counter()
            if counter is None:
                raise _missing(f"no billing period counter ({COUNTERS[0]}): values of the past of {code} have no order")
            ages = ages_of(numbers, counter)
        past = sorted(
            ((ages[one.logical_name.f], one) for one in found if one.logical_name.f in ages), key=lambda pair: pair[0]
        )
        references = [AttributeReference.of(one.class_id, one.logical_name, attribute) for _, one in past]
        values = yield from read_out(self.session, references)
        return tuple(
            HistoricalValue(one.instance_id, age, *_told(value))
            for (age, _), one, value in zip(past, references, values, strict=True)
        )

    def end_period(self, script: int = 1, *, obis: Obis | str = END_OF_BILLING) -> Procedure[BillingReset]:
        """End the billing period, and set maxima back (MDI reset), by a script of the meter.

        Whether it was done is told from the billing period counter, or else from the number of closed periods, where no
        answer comes.

        Raises ActionFailed; ChangeNotMade, OutcomeUnknown. Script table, IEC 62056-6-2, 5.5.
        """
        before = yield from self._counter()
        entries = yield from self._closed()

        def made() -> Procedure[bool | None]:
            counter = yield from self._counter()
            if before is not None and counter is not None:
                return counter != before
            # A full profile has as many entries afterwards: only another number proves something.
            closed = yield from self._closed()
            return True if None not in (entries, closed) and entries != closed else None

        yield from called(self.session, ScriptTable(obis).execute, script, made)
        return BillingReset(before, (yield from self._counter()))

    def _profile(self) -> Procedure[Obis]:
        names = [
            one.logical_name
            for one in (yield from self.session.objects())
            if one.class_id == ProfileGeneric.class_id
            and one.logical_name.c == _LISTS
            and one.logical_name.d in PROFILES
        ]
        if not names:
            raise _missing("no profile of billing periods (98.1, 98.2): name it")
        return min(names, key=lambda name: (name.d, name.e, name))

    def _counter(self) -> Procedure[int | None]:
        found = yield from read_out(self.session, [Data(one).value for one in COUNTERS])
        return next((one for one in found if isinstance(one, int) and not isinstance(one, bool)), None)

    def _closed(self) -> Procedure[int | None]:
        """How many closed periods the meter keeps; None where it does not say."""
        try:
            profile = yield from self._profile()
        except CosemicError:
            return None
        (found,) = yield from read_out(self.session, [ProfileGeneric(profile).entries_in_use])
        return found if isinstance(found, int) else None


def ages_of(numbers: Sequence[int], counter: int) -> dict[int, int]:
    """Return how many periods ago each value of group F is, from 1, by the billing period counter.

    Those up to the counter come first, downwards; then those above it, which the counter had before it began anew.
    """
    ordered = sorted(numbers, key=lambda number: (counter - number) % _NUMBERED)
    return {number: age for age, number in enumerate(ordered, 1)}


def _told(value: object) -> tuple[object, CosemicError | None]:
    return (None, value) if isinstance(value, CosemicError) else (value, None)


def _reading(reference: AttributeReference[Any], value: object) -> RegisterReading:
    name = describe(reference.instance_id, reference.class_id)
    if reference.attribute_id != 2:
        name += f", {reference.attribute.name}"
    return RegisterReading(reference.instance_id, reference.class_id, reference.attribute_id, name, *_told(value))


def _missing(what: str) -> DataAccessError:
    undefined = DataAccessResult.OBJECT_UNDEFINED
    return DataAccessError(
        f"the association view has {what}; see what `objects` lists, or give security= (--security) for more rights",
        int(undefined),
        undefined.label,
    )


class AsyncBilling(AsyncGroup):
    """Read-out and billing periods of a meter, on asyncio."""

    registers = asynchronously(BillingProcedures.registers)
    periods = asynchronously(BillingProcedures.periods)
    historical = asynchronously(BillingProcedures.historical)
    end_period = asynchronously(BillingProcedures.end_period)


class BlockingBilling(BlockingGroup):
    """Read-out and billing periods of a meter, for blocking code."""

    registers = blocking(BillingProcedures.registers)
    periods = blocking(BillingProcedures.periods)
    historical = blocking(BillingProcedures.historical)
    end_period = blocking(BillingProcedures.end_period)
