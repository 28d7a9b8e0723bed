"""The limiter of a meter: thresholds, durations, the emergency profile, what is done (Limiter, class 71)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cosemic.client.answers import denied
from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.procedures.changing import given_written, stamp, written
from cosemic.client.procedures.reading import read_as
from cosemic.client.procedures.thresholds import monitored_unit, threshold_of
from cosemic.client.scaling import Readable, with_unit
from cosemic.client.steps import Procedure
from cosemic.codec import EncodedData
from cosemic.model import (
    ActionItem,
    EmergencyProfile,
    Limiter,
    LimiterActions,
    ValueDefinition,
)
from cosemic.values import Obis

LIMITER: Final = Obis("0-0:17.0.0")
NO_ACTION: Final = ActionItem(Obis(bytes(6)), 0)


@dataclass(frozen=True, slots=True)
class LimiterState:
    """A limiter; thresholds are a Quantity where the monitored attribute has scaler and unit. Durations in seconds."""

    monitored_value: ValueDefinition
    threshold_active: Readable
    threshold_normal: Readable
    threshold_emergency: Readable
    min_over_threshold_duration: int
    min_under_threshold_duration: int
    emergency_profile: EmergencyProfile | None = None
    emergency_profile_group_id_list: tuple[int, ...] = ()
    emergency_profile_active: bool | None = None
    actions: LimiterActions | None = None


class LimiterProcedures(ProcedureGroup):
    """The limiter of a meter. What is not answered is read back: ChangeNotMade or OutcomeUnknown tell what is known."""

    def read(self, *, obis: Obis | str = LIMITER) -> Procedure[LimiterState]:
        """Read all of the limiter; what the meter may keep to itself, it may refuse.

        Raises DataAccessError, DecodeError. Limiter, IEC 62056-6-2, 5.5.
        """
        found = yield from read_as(self.session, LimiterState, Limiter(obis))
        unit = yield from monitored_unit(self.session, found.monitored_value)
        return replace(
            found,
            threshold_active=with_unit(found.threshold_active, unit),
            threshold_normal=with_unit(found.threshold_normal, unit),
            threshold_emergency=with_unit(found.threshold_emergency, unit),
        )

    def set_thresholds(
        self, *, normal: Readable = None, emergency: Readable = None, obis: Obis | str = LIMITER
    ) -> Procedure[None]:
        """Set the thresholds that are given: a Quantity, or the number as it is sent.

        Raises EncodeError for another unit than that of the monitored attribute, DataAccessError, ChangeNotMade,
        OutcomeUnknown. Limiter, IEC 62056-6-2, 5.5.
        """
        limiter = Limiter(obis)
        about = limiter.monitored_value
        wanted = [(limiter.threshold_normal, normal), (limiter.threshold_emergency, emergency)]
        changes = [(reference, value) for reference, value in wanted if value is not None]
        found = yield from self.session.get_many([about, *(reference for reference, _ in changes)])
        if not isinstance(found[0], EncodedData):
            raise denied("read", about, found[0])
        value_monitored = about.decode(found[0].typed())
        octets: list[EncodedData] = []
        for (_, value), present in zip(changes, found[1:], strict=True):
            known = present if isinstance(present, EncodedData) else None
            octets.append((yield from threshold_of(self.session, value_monitored, value, known)))
        for (reference, _), sent in zip(changes, octets, strict=True):
            yield from written(self.session, reference, sent)

    def set_durations(
        self, *, over: int | None = None, under: int | None = None, obis: Obis | str = LIMITER
    ) -> Procedure[None]:
        """Set how long, in seconds, the value has to be over or under the threshold before anything is done.

        Raises EncodeError, DataAccessError, ChangeNotMade, OutcomeUnknown. Limiter, IEC 62056-6-2, 5.5.
        """
        limiter = Limiter(obis)
        changes = ((limiter.min_over_threshold_duration, over), (limiter.min_under_threshold_duration, under))
        yield from given_written(self.session, changes)

    def set_emergency_profile(
        self, profile_id: int, begin: dt.datetime, duration: int, *, obis: Obis | str = LIMITER
    ) -> Procedure[None]:
        """Set the emergency: its identifier, when it begins (a naive time is the meter's own), and its seconds.

        It takes effect where the identifier is in the groups of the limiter (:meth:`set_groups`).

        Raises EncodeError, DataAccessError, ChangeNotMade, OutcomeUnknown. Limiter, IEC 62056-6-2, 5.5.
        """
        profile = EmergencyProfile(profile_id, stamp(self.session, begin), duration)
        yield from written(self.session, Limiter(obis).emergency_profile, profile)

    def set_groups(self, profile_ids: Sequence[int], *, obis: Obis | str = LIMITER) -> Procedure[None]:
        """Set the identifiers of the emergencies that the limiter takes part in.

        Raises EncodeError, DataAccessError, ChangeNotMade, OutcomeUnknown. Limiter, IEC 62056-6-2, 5.5.
        """
        yield from written(self.session, Limiter(obis).emergency_profile_group_id_list, tuple(profile_ids))

    def set_actions(
        self, *, over: ActionItem = NO_ACTION, under: ActionItem = NO_ACTION, obis: Obis | str = LIMITER
    ) -> Procedure[None]:
        """Set the scripts that run over and under the threshold; what is left out does nothing.

        Raises EncodeError, DataAccessError, ChangeNotMade, OutcomeUnknown. Limiter, IEC 62056-6-2, 5.5.
        """
        yield from written(self.session, Limiter(obis).actions, LimiterActions(over, under))


class AsyncLimiter(AsyncGroup):
    """The limiter of a meter, on asyncio."""

    read = asynchronously(LimiterProcedures.read)
    set_thresholds = asynchronously(LimiterProcedures.set_thresholds)
    set_durations = asynchronously(LimiterProcedures.set_durations)
    set_emergency_profile = asynchronously(LimiterProcedures.set_emergency_profile)
    set_groups = asynchronously(LimiterProcedures.set_groups)
    set_actions = asynchronously(LimiterProcedures.set_actions)


class BlockingLimiter(BlockingGroup):
    """The limiter of a meter, for blocking code."""

    read = blocking(LimiterProcedures.read)
    set_thresholds = blocking(LimiterProcedures.set_thresholds)
    set_durations = blocking(LimiterProcedures.set_durations)
    set_emergency_profile = blocking(LimiterProcedures.set_emergency_profile)
    set_groups = blocking(LimiterProcedures.set_groups)
    set_actions = blocking(LimiterProcedures.set_actions)
