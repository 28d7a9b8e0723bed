"""What a profile captures, learnt by reading it: columns with scalers and units, and transformer ratios.

Scalers are read from the scaler_unit of each object, or all at once from the scaler profile that companions of India
and Russia have beside each profile. What was learnt belongs to the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from cosemic.client.answers import declared, denied, scaler_unit, tolerated
from cosemic.client.procedures.reading import unread_scalers
from cosemic.client.steps import Procedure
from cosemic.codec import EncodedData
from cosemic.errors import ConfigurationError, DataAccessError, DecodeError
from cosemic.model import ProfileGeneric
from cosemic.model.profile_columns import Column, scaler_unit_of
from cosemic.model.scaler_profiles import scaler_profiles_of, scalers_in
from cosemic.model.transformer_ratios import RATIO_OBJECTS, TransformerRatios
from cosemic.model.types import Deviation
from cosemic.values import Obis

if TYPE_CHECKING:
    from cosemic.client.session import Session

_HOLD_VALUES: Final = (1, 3, 4)
"""Classes of the objects that hold transformer ratios: Data, Register, Extended register."""


class CapturedProfile(NamedTuple):
    """What was learnt of a profile: its columns with scaler and unit, capture_period (s) and sort_method."""

    columns: tuple[Column, ...]
    capture_period: int
    sort_method: int


def captured_by(
    session: Session, profile: ProfileGeneric, scaler_profile: Obis | None = None
) -> Procedure[CapturedProfile]:
    """Learn what a profile captures.

    scaler_profile: where its scalers are; None: the one of a companion, where the association view is known and lists
    it. Raises DataAccessError for what the meter refuses, DecodeError for what is not as its class declares it.
    """
    known = session.profiles.get(profile.instance_id)
    if known is not None:
        return known
    about = (profile.capture_objects, profile.capture_period, profile.sort_method)
    found = yield from session.get_many(about)
    sent: list[EncodedData] = []
    for reference, result in zip(about, found, strict=True):
        if not isinstance(result, EncodedData):
            raise denied("read", reference, result)
        sent.append(result)
    captured = declared(profile.capture_objects, sent[0])
    period = declared(profile.capture_period, sent[1])
    # One that is not listed says nothing, and rows that have stamps are put in order by them.
    sort_method = int(tolerated(profile.sort_method, sent[2]))
    scalers = [scaler_unit_of(one) for one in captured]
    twin = scaler_profile or _listed_twin(session, profile.instance_id)
    if twin is not None and unread_scalers(session, scalers):
        yield from _read_scaler_profile(session, ProfileGeneric(twin))
    wanted = unread_scalers(session, scalers)
    for scaler, result in zip(wanted, (yield from session.get_many(wanted)), strict=True):
        session.scalers[scaler] = scaler_unit(scaler, result)
    columns = tuple(
        Column(one, session.scalers[scaler] if scaler is not None else None)
        for one, scaler in zip(captured, scalers, strict=True)
    )
    session.profiles[profile.instance_id] = CapturedProfile(columns, period, sort_method)
    return session.profiles[profile.instance_id]


def ratios_for(session: Session, profile: Obis) -> Procedure[tuple[TransformerRatios | None, tuple[Deviation, ...]]]:
    """Read the transformer ratios of a meter, those of the channel of a profile before others.

    Returns None where the meter has none, and what it shows instead where that is no ratio. Raises DataAccessError
    where the association view is refused.
    """
    listed: dict[int, tuple[bool, int, int, Obis]] = {}
    for one in (yield from session.objects()):
        a, b, c, d, e, f = one.logical_name
        if (a, c, d, f) == (1, 0, 4, 255) and e in RATIO_OBJECTS and one.class_id in _HOLD_VALUES:
            found = (b != profile.b, b, one.class_id, one.logical_name)
            listed[e] = min(found, listed.get(e, found))
    values = {}
    for e, (_, _, class_id, obis) in listed.items():
        try:
            values[e] = yield from session.read(f"{class_id}/{obis}")
        except DataAccessError:
            continue  # the ratio is not shown to this client
    try:
        return TransformerRatios.read(values, session.settings.dialect.measured_side), ()
    except ConfigurationError as error:
        return None, (Deviation("transformer ratios", "positive numbers", str(error)),)


def _listed_twin(session: Session, profile: Obis) -> Obis | None:
    """The scaler profile of a companion, where the view has been read and shows it."""
    listed = {one.logical_name for one in session.view or () if one.class_id == ProfileGeneric.class_id}
    return next((twin for twin in scaler_profiles_of(profile) if twin in listed), None)


def _read_scaler_profile(session: Session, twin: ProfileGeneric) -> Procedure[None]:
    """Learn the scalers that a scaler profile holds; what it does not hold is left to be read one by one."""
    captured, buffer = yield from session.get_many((twin.capture_objects, twin.buffer))
    if not isinstance(captured, EncodedData) or not isinstance(buffer, EncodedData):
        return
    try:
        objects, rows = declared(twin.capture_objects, captured), buffer.value()
    except DecodeError:
        return
    if isinstance(rows, list) and rows and isinstance(rows[0], tuple):
        session.scalers.update(scalers_in(objects, rows[0]))
