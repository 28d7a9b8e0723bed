"""Profiles as a client reads them: what they capture is learnt first, then rows are asked for and given meaning.

===================================  ==================================================================================
the meter                            what is done
===================================  ==================================================================================
has selective access                 a range by time, or entries by number, with the columns that are wanted
refuses to select columns            the same range with all columns; those that are not wanted are dropped here
refuses to select at all             the whole buffer is read, and what is not wanted is dropped here
has no selective access              the same
answers with other rows or columns   they are dropped here, and ``deviations`` of the result says so
===================================  ==================================================================================
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal

from cosemic.client.faces import ProcedureGroup
from cosemic.client.procedures.captured import CapturedProfile, captured_by, ratios_for
from cosemic.client.steps import Procedure
from cosemic.client.timepiece import aware
from cosemic.codec import EncodedData
from cosemic.dialect import DeviationSign
from cosemic.errors import ConfigurationError, DataAccessError
from cosemic.model import (
    AccessSelection,
    CaptureObjectDefinition,
    LoadProfile,
    ProfileGeneric,
    ProfileStatus,
    SortMethod,
    TransformerRatios,
    entry_descriptor,
    range_of,
)
from cosemic.model.profile_columns import Column, clock_of
from cosemic.model.types import Deviation
from cosemic.values import Conformance, DataAccessResult, Obis

Wanted = Obis | str | Column
"""A column: all that a profile captures of an object, or one of its columns."""
Ratios = Literal["none", "read"] | TransformerRatios
_Form = Sequence[Column] | None
"""Columns to ask for; None: all."""
Progress = Callable[[int, int], None]
"""Told after each part how many of how many are read."""

_NOT_SELECTED: Final = frozenset(
    (DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, DataAccessResult.TYPE_UNMATCHED, DataAccessResult.OTHER_REASON)
)
"""How meters say that they do not take a selection."""


@dataclass(frozen=True, slots=True)
class _Request:
    """A profile, what was learnt of it, and what is wanted of it."""

    profile: ProfileGeneric
    captured: CapturedProfile
    wanted: tuple[Column, ...]
    meaning: dict[str, Any]
    deviations: tuple[Deviation, ...] = ()

    @property
    def all_columns(self) -> bool:
        return len(self.wanted) == len(self.captured.columns)

    def understood(self, buffer: EncodedData, selected: Sequence[Column] | None = None, **how: Any) -> LoadProfile:
        """Return the profile that a buffer is; ``selected``: the columns that the meter was asked for."""
        found = LoadProfile.from_buffer(
            buffer,
            self.captured.columns,
            self.captured.capture_period,
            selected=selected,
            kept=self.wanted,
            sort_method=self.captured.sort_method,
            **how,
            **self.meaning,
        )
        return replace(found, deviations=self.deviations + found.deviations) if self.deviations else found


class ProfileProcedures(ProcedureGroup):
    """What a client does with profiles."""

    def load_profile(
        self,
        obis: Obis | str,
        since: dt.datetime | str,
        until: dt.datetime | str,
        *,
        columns: Sequence[Wanted] | None = None,
        part: dt.timedelta | None = None,
        progress: Progress | None = None,
        ratios: Ratios = "none",
        status: type[ProfileStatus] | None = None,
        scaler_profile: Obis | str | None = None,
    ) -> Procedure[LoadProfile]:
        """Read the intervals of a profile that lie in [since, until), with their meaning.

        Capture objects, scalers and units are learnt by reading them, once. Naive times are in the zone of the meter.

        columns: those wanted, by the codes of their objects; None: all. part: read so much time in one request, where
        the meter selects by time. progress: told after each part. ratios: of measuring transformers, ``"read"`` or
        given, to label the values. status: what the bits of the status column mean. scaler_profile: a profile that
        holds the scalers of this one; None: that of a companion, where the association view has been read and lists it.

        Raises DataAccessError for what the meter refuses, DecodeError for what is not as its class declares it,
        ConfigurationError for a range, a part or columns that cannot be.
        """
        begin, end = self._moment(since), self._moment(until)
        if begin >= end:
            raise ConfigurationError(f"since ({begin}) lies behind until ({end})")
        spans = list(_parts(begin, end, part))
        request = yield from self._request(obis, columns, ratios, status, scaler_profile)
        parts: list[LoadProfile] = []
        forms = self._forms(request) if clock_of(request.captured.columns) is not None else []
        for number, (first, last) in enumerate(spans, 1):
            read = yield from self._selected(request, forms, partial(self._range, request, first, last))
            if read is None:
                break
            buffer, form = read
            parts.append(request.understood(buffer, form, since=first, until=last, asked=True))
            if progress is not None:
                progress(number, len(spans))
        else:
            return LoadProfile.join(parts)
        buffer = yield from self.session.get(request.profile.buffer)
        if progress is not None:
            progress(len(spans), len(spans))
        return self._whole(request, request.understood(buffer, since=begin, until=end))

    def load_profile_entries(
        self,
        obis: Obis | str,
        first: int = 1,
        last: int = 0,
        *,
        columns: Sequence[Wanted] | None = None,
        ratios: Ratios = "none",
        status: type[ProfileStatus] | None = None,
        scaler_profile: Obis | str | None = None,
    ) -> Procedure[LoadProfile]:
        """Read rows of a profile by their number in its buffer, with their meaning.

        first, last: from 1; last 0: up to the end. Which row is the first, the sort_method of the profile says: the
        oldest (fifo), the newest (lifo). The others: see :meth:`load_profile`.

        Raises DataAccessError, DecodeError, ConfigurationError as :meth:`load_profile`.
        """
        if first < 1 or (last and last < first):
            raise ConfigurationError(f"entries count from 1, and {last} lies before {first}")
        request = yield from self._request(obis, columns, ratios, status, scaler_profile)
        return (yield from self._entries(request, first, last))

    def load_profile_newest(
        self,
        obis: Obis | str,
        count: int,
        *,
        columns: Sequence[Wanted] | None = None,
        ratios: Ratios = "none",
        status: type[ProfileStatus] | None = None,
        scaler_profile: Obis | str | None = None,
    ) -> Procedure[LoadProfile]:
        """Read the newest rows of a profile, at most ``count`` of them; the others: see :meth:`load_profile`.

        Raises DataAccessError, DecodeError, ConfigurationError as :meth:`load_profile`.
        """
        if count < 1:
            raise ConfigurationError(f"at least one row, not {count}")
        request = yield from self._request(obis, columns, ratios, status, scaler_profile)
        profile = request.profile
        first, last = 1, 0
        newest_first = yield from self._newest_first(request)
        if newest_first:
            last = count
        elif newest_first is not None and self.session.agreed & Conformance.SELECTIVE_ACCESS:
            first = max((yield from self.session.read(profile.entries_in_use)) - count + 1, 1)
        return (yield from self._entries(request, first, last)).tail(count)

    # ---- what is asked for ------------------------------------------------------------------------------------------

    def _request(
        self,
        obis: Obis | str,
        columns: Sequence[Wanted] | None,
        ratios: Ratios,
        status: type[ProfileStatus] | None,
        scaler_profile: Obis | str | None,
    ) -> Procedure[_Request]:
        profile = ProfileGeneric(obis)
        twin = None if scaler_profile is None else Obis(scaler_profile)
        captured = yield from captured_by(self.session, profile, twin)
        deviations: tuple[Deviation, ...] = ()
        known: TransformerRatios | None = None
        if isinstance(ratios, TransformerRatios):
            known = ratios
        elif ratios == "read":
            known, deviations = yield from ratios_for(self.session, profile.instance_id)
        meaning = {
            "zone": self.session.zone,
            "inverted_deviation": self.session.settings.dialect.deviation_sign is DeviationSign.INVERTED,
            "status": status,
            "ratios": known,
        }
        return _Request(profile, captured, _chosen(captured.columns, columns), meaning, deviations)

    def _forms(self, request: _Request) -> list[_Form]:
        """The columns to ask for, and what to try when that is refused; None: all. Nothing: the meter cannot select."""
        if not self.session.agreed & Conformance.SELECTIVE_ACCESS:
            return []
        return [None] if request.all_columns else [request.wanted, None]

    def _range(self, request: _Request, since: dt.datetime, until: dt.datetime, form: _Form) -> AccessSelection:
        """The selection of a range by time."""
        dialect = self.session.settings.dialect
        return range_of(
            request.captured.columns,
            since,
            until,
            period=request.captured.capture_period,
            zone=self.session.zone,
            with_deviation=dialect.deviation_in_ranges,
            inverted_deviation=dialect.deviation_sign is DeviationSign.INVERTED,
            selected_values=[one.capture_object for one in form or ()],
        )

    def _entries(self, request: _Request, first: int, last: int) -> Procedure[LoadProfile]:
        """Read rows by number."""

        def selection(form: _Form) -> AccessSelection:
            return entry_descriptor(first, last, *_numbers(request, form))

        if first == 1 and not last and request.all_columns:
            # Nothing is left out: so nothing is selected, which some meters cannot.
            return request.understood((yield from self.session.get(request.profile.buffer)))
        read = yield from self._selected(request, self._forms(request), selection)
        if read is None:
            buffer = yield from self.session.get(request.profile.buffer)
            return self._whole(request, request.understood(buffer, entries=(first, last)))
        buffer, form = read
        begin, end = _numbers(request, form)
        selected = request.captured.columns[begin - 1 : end or None]
        return request.understood(buffer, selected, entries=(first, last), asked=True)

    def _selected(
        self, request: _Request, forms: list[_Form], selection: Callable[[_Form], AccessSelection]
    ) -> Procedure[tuple[EncodedData, _Form] | None]:
        """Read a part of the buffer in the first form that the meter takes, and drop those before it; None: in none."""
        while forms:
            try:
                buffer = yield from self.session.get(request.profile.buffer, selection(forms[0]))
            except DataAccessError as error:
                if error.code not in _NOT_SELECTED:
                    raise
                del forms[0]
            else:
                return buffer, forms[0]
        return None

    def _whole(self, request: _Request, found: LoadProfile) -> LoadProfile:
        """A profile that was read whole; where the meter has agreed to select, it did otherwise."""
        if not self.session.agreed & Conformance.SELECTIVE_ACCESS or clock_of(request.captured.columns) is None:
            return found
        refusal = Deviation("buffer", "a selection of rows", "the selection refused, and all rows read")
        return replace(found, deviations=(*found.deviations, refusal))

    def _newest_first(self, request: _Request) -> Procedure[bool | None]:
        """Whether the first entry is the newest one; None where entries are not in order of time."""
        method = request.captured.sort_method
        if method in (SortMethod.FIFO, SortMethod.LIFO):
            return method == SortMethod.LIFO
        if method not in (SortMethod.LARGEST, SortMethod.SMALLEST):
            return None
        by: CaptureObjectDefinition = yield from self.session.read(request.profile.sort_object)
        return method == SortMethod.LARGEST if Column(by).is_clock else None

    def _moment(self, moment: dt.datetime | str) -> dt.datetime:
        if isinstance(moment, str):
            try:
                moment = dt.datetime.fromisoformat(moment)
            except ValueError:
                raise ConfigurationError(f"{moment!r} is no time: 2026-11-01, 2026-11-01T06:30+01:00") from None
        return aware(moment, self.session.zone)


def _parts(
    begin: dt.datetime, end: dt.datetime, part: dt.timedelta | None
) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """Cut a range into parts of so much time."""
    if part is None:
        yield begin, end
        return
    if part <= dt.timedelta(0):
        raise ConfigurationError(f"a part of {part} is no time: timedelta(days=7)")
    first, end = begin.astimezone(dt.UTC), end.astimezone(dt.UTC)
    while end - first > part:
        yield first, first + part
        first += part
    yield first, end


def _chosen(columns: tuple[Column, ...], wanted: Sequence[Wanted] | None) -> tuple[Column, ...]:
    """The clock and the columns that are wanted, in the order of capture_objects."""
    if wanted is None:
        return columns
    chosen = {clock_of(columns)}
    for one in wanted:
        if isinstance(one, Column):
            found = {at for at, column in enumerate(columns) if column.capture_object == one.capture_object}
        else:
            found = {at for at, column in enumerate(columns) if column.obis == Obis(one)}
        if not found:
            captured = ", ".join(dict.fromkeys(str(column.obis) for column in columns))
            raise ConfigurationError(f"{one.obis if isinstance(one, Column) else one} is not captured; {captured} are")
        chosen |= found
    return tuple(column for at, column in enumerate(columns) if at in chosen)


def _numbers(request: _Request, form: _Form) -> tuple[int, int]:
    """Numbers of the first and the last column that are wanted, from 1; last 0: the last."""
    if form is None:
        return 1, 0
    at = [number for number, column in enumerate(request.captured.columns, 1) if column in form]
    return at[0], at[-1]
