"""Reads from many meters what the store has not got.

A visit of a meter::

    open -> objects -> registers -> for each load profile: missing = expected - covered -> read -> commit

Expected is a window of time, covered is what the store says, and each gap is read and committed for itself, so that a
killed collector leaves nothing half and reads nothing twice. Behind the newest row of a profile nothing counts as
covered: the meter may only not have written it yet. In front of it a row that is not there never was.

A visit only reads, so it is begun anew when the medium fails. A meter that fails, in whatever way, is reported; the
others go on.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from cosemic.client import Meter, recovery
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import AssociationRejected, CosemicError, DataAccessError, StoreError, TransportError
from cosemic.head_end.store import Interval, Store
from cosemic.model import Data, Mark, ProfileGeneric, Register, Row
from cosemic.store.security_settings import Source
from cosemic.values import Obis

LOGICAL_DEVICE_NAME: Final = Obis("0-0:42.0.0")
LONGEST_READ: Final = dt.timedelta(days=31)
"""What is asked for, and committed, at a time; bounds the memory that a gap of years takes."""
FIRST_PAUSE: Final = 0.5
"""Seconds before the second attempt; each further pause is twice as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPoint:
    """A meter to collect from.

    name: under which it is stored. url, security, dialect: as for :meth:`cosemic.client.Meter.connect`. zone: of the
    meter, for stamps without deviation. profiles: what to collect; None: every load profile that it shows.
    """

    name: str
    url: str
    security: Source = field(default=None, repr=False)
    zone: dt.tzinfo = dt.UTC
    dialect: Dialect = STANDARD
    profiles: tuple[Obis, ...] | None = None


class Stage(Enum):
    """Where the visit of a meter stands."""

    CONNECTING = "connecting"
    OBJECTS = "objects"
    REGISTERS = "registers"
    PROFILE = "profile"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a visit: the meter, where it stands, and how many rows the step added to the store."""

    meter: str
    stage: Stage
    rows: int = 0


@dataclass(slots=True)
class Outcome:
    """What came of a visit.

    error: why it failed; what was committed before stays. remarks: what else should be known. objects: in the
    association view. registers: value by object. rows: new in the store. missing: how many intervals were, by profile,
    when it was first asked for. attempts, round_trips (APDUs sent, each answered), octets (both ways, with the
    wrapper's) and seconds: what all attempts cost.
    """

    meter: str
    device_name: str | None = None
    objects: int | None = None
    registers: dict[Obis, Any] = field(default_factory=dict)
    rows: int = 0
    missing: dict[Obis, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    error: CosemicError | None = None
    attempts: int = 0
    round_trips: int = 0
    octets: int = 0
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Whether all that was expected could be asked for."""
        return self.error is None

    @property
    def gaps(self) -> int:
        """How many intervals were missing."""
        return sum(self.missing.values())

    def remark(self, text: str) -> None:
        """Note what should be known, once, however often it is met."""
        if text not in self.remarks:
            self.remarks.append(text)


class Collector:
    """Visits meters, some at a time.

    store: where it goes. concurrency: visits at a time. attempts: visits of a meter until one is not broken off by the
    medium. report: is told each step.
    """

    def __init__(
        self,
        store: Store,
        *,
        concurrency: int = 50,
        attempts: int = 3,
        report: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._store = store
        self._concurrency = concurrency
        self._attempts = attempts
        self._report = report

    async def collect(self, meters: Iterable[MeterPoint], since: dt.datetime, until: dt.datetime) -> list[Outcome]:
        """Visit the meters and read what the store has not got of [since, until); outcomes in the order of meters.

        Raises StoreError; whatever a meter or the medium does is in the outcomes.
        """
        waiting = iter(enumerate(meters))
        outcomes: dict[int, Outcome] = {}

        async def work() -> None:
            for index, meter in waiting:
                outcomes[index] = await self._collect(meter, Interval(since, until))

        workers = [asyncio.ensure_future(work()) for _ in range(self._concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return [outcomes[index] for index in sorted(outcomes)]

    async def _collect(self, meter: MeterPoint, window: Interval) -> Outcome:
        outcome = Outcome(meter.name)
        begun = time.monotonic()
        while True:
            outcome.attempts += 1
            try:
                await self._visit(meter, window, outcome)
                outcome.error = None
            except StoreError:
                raise
            except CosemicError as error:
                outcome.error = error
            except Exception as error:
                # A fault of our own that one meter brings out is no reason to lose the readings of all the others.
                outcome.error = CosemicError(f"a fault of Cosemic, please report it: {type(error).__name__}: {error}")
                outcome.error.__cause__ = error
            if outcome.done or outcome.attempts >= self._attempts or not _passing(outcome.error):
                break
            await asyncio.sleep(FIRST_PAUSE * 2 ** (outcome.attempts - 1))
        outcome.seconds = time.monotonic() - begun
        self._report(Progress(meter.name, Stage.DONE if outcome.done else Stage.FAILED))
        return outcome

    async def _visit(self, point: MeterPoint, window: Interval, outcome: Outcome) -> None:
        self._report(Progress(point.name, Stage.CONNECTING))
        meter = Meter.connect(
            point.url,
            point.security,
            zone=point.zone,
            dialect=point.dialect,
            recovery=recovery.NONE,  # what is repeated here is a visit
        )
        try:
            async with meter:
                self._report(Progress(point.name, Stage.OBJECTS))
                objects = await meter.objects()
                await self._read_registers(meter, objects, outcome)
                for profile in point.profiles if point.profiles is not None else _load_profiles(objects):
                    await self._read_profile(meter, profile, window, outcome)
        finally:
            traffic = meter.traffic
            outcome.round_trips += traffic.round_trips
            outcome.octets += traffic.octets_sent + traffic.octets_received

    async def _read_registers(self, meter: Meter, objects: Sequence[Any], outcome: Outcome) -> None:
        self._report(Progress(outcome.meter, Stage.REGISTERS))
        targets: dict[Obis, Any] = {
            one.logical_name: Register(one.logical_name).value for one in objects if one.class_id == Register.class_id
        }
        if any(one.logical_name == LOGICAL_DEVICE_NAME for one in objects):
            targets[LOGICAL_DEVICE_NAME] = Data(LOGICAL_DEVICE_NAME).value
        values = await _readable(meter, targets)
        device_name = _text(values.pop(LOGICAL_DEVICE_NAME, None))
        self._recognise(outcome.meter, device_name)
        outcome.device_name, outcome.objects, outcome.registers = device_name, len(objects), values
        self._store.commit(outcome.meter, device_name=device_name, objects=len(objects), registers=values)

    def _recognise(self, meter: str, device_name: str | None) -> None:
        """Refuse to mix the readings of two meters."""
        record = self._store.meter(meter)
        known = record.device_name if record is not None else None
        if known is not None and device_name is not None and known != device_name:
            raise CosemicError(
                f"{device_name} answers where {known} answered before: was the meter exchanged, or is the address "
                "wrong? Nothing was stored; give the new meter a name of its own"
            )

    async def _read_profile(self, meter: Meter, profile: Obis, window: Interval, outcome: Outcome) -> None:
        self._report(Progress(outcome.meter, Stage.PROFILE))
        gaps = self._store.missing(outcome.meter, profile, *window)
        outcome.missing.setdefault(profile, len(gaps))
        for gap in _portions(gaps):
            try:
                found = await meter.load_profile(profile, *gap)
            except DataAccessError as error:
                outcome.remark(f"{profile}: {error}")
                return
            rows = list(found)
            covered = Interval(gap.since, min(gap.until, self._written_until(outcome.meter, profile, gap, rows)))
            written = self._store.commit(
                outcome.meter, profile=profile, columns=found.columns, rows=rows, covered=covered
            )
            outcome.rows += written
            undated = sum(row.interval_end is None for row in rows)
            if undated:
                since = f"{gap.since:%Y-%m-%d %H:%M}"
                outcome.remark(f"{profile}: {undated} rows without any time, read from {since} on, were left out")
            self._report(Progress(outcome.meter, Stage.PROFILE, written))

    def _written_until(self, meter: str, profile: Obis, gap: Interval, rows: Sequence[Row]) -> dt.datetime:
        """Return up to where the meter is known to have written its rows: the newest of which the stamp is sound."""
        ends = [row.interval_end for row in rows if row.interval_end and not row.marks & Mark.CLOCK_INVALID]
        known = self._store.coverage(meter, profile)
        return max([gap.since, *ends, *(interval.until for interval in known)])


def _passing(error: CosemicError | None) -> bool:
    """Whether it may be otherwise in a moment."""
    if isinstance(error, AssociationRejected):
        return error.result == "rejected-transient"
    return isinstance(error, TransportError)


def _load_profiles(objects: Iterable[Any]) -> list[Obis]:
    """The load profiles among objects: A-b:99.1.e and 99.2.e (IEC 62056-6-1)."""
    names = (one.logical_name for one in objects if one.class_id == ProfileGeneric.class_id)
    return [name for name in names if name.a and name.c == 99 and name.d in (1, 2)]


def _portions(gaps: Iterable[Interval]) -> Iterator[Interval]:
    for since, until in gaps:
        at = since
        while at < until:
            end = min(at + LONGEST_READ, until)
            yield Interval(at, end)
            at = end


async def _readable(meter: Meter, targets: Mapping[Obis, Any]) -> dict[Obis, Any]:
    """Read what this client has a right to; all at once where nothing is refused."""
    try:
        return dict(zip(targets, await meter.read_many(list(targets.values())), strict=True))
    except DataAccessError:
        if len(targets) == 1:
            return {}
    found: dict[Obis, Any] = {}
    for obis, target in targets.items():
        found |= await _readable(meter, {obis: target})
    return found


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("ascii", "backslashreplace").rstrip("\0 ")
    return None if value is None else str(value)
