"""Profiles that hold the scalers of other profiles: one entry that captures the scaler_unit of their objects.

Companions of India (IS 15959) and Russia (SPODES) have one beside each profile of values, because their clients do not
read scaler_unit of each register::

    profile of values                 its scaler profile
    1-0:94.91.0   instantaneous       1-0:94.91.3     IS 15959
    1-0:99.1.0    block load          1-0:94.91.4
    1-0:99.2.0    daily               1-0:94.91.5
    1-0:98.1.0    billing             1-0:94.91.6
    0-0:99.98.e   events              1-0:94.91.7
    1-0:94.7.0    instantaneous       1-0:94.7.3      SPODES
    1-0:99.1.0    load                1-0:94.7.4
    1-0:98.2.0, 1-0:99.2.0   daily    1-0:94.7.2
    1-0:98.1.0    monthly             1-0:94.7.1
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cosemic.model.common import CaptureObjectDefinition, ScalerUnit
from cosemic.model.interface_class import AttributeReference
from cosemic.model.profile_columns import scaler_unit_captured, scaler_unit_in
from cosemic.values import Obis

_TWINS: Final = {
    "1-0:94.91.0": ("1-0:94.91.3",),
    "1-0:99.1.0": ("1-0:94.91.4", "1-0:94.7.4"),
    "1-0:99.2.0": ("1-0:94.91.5", "1-0:94.7.2"),
    "1-0:98.1.0": ("1-0:94.91.6", "1-0:94.7.1"),
    "1-0:98.2.0": ("1-0:94.7.2",),
    "1-0:94.7.0": ("1-0:94.7.3",),
    **{f"0-0:99.98.{e}": ("1-0:94.91.7",) for e in range(7)},
}
_SCALER_PROFILES: Final = {Obis(values): tuple(map(Obis, scalers)) for values, scalers in _TWINS.items()}


def scaler_profiles_of(profile: Obis) -> tuple[Obis, ...]:
    """Return where companions put the scalers of a profile; none where no companion is known to."""
    return _SCALER_PROFILES.get(profile, ())


def scalers_in(
    captured: Sequence[CaptureObjectDefinition], entry: Sequence[Any]
) -> dict[AttributeReference[ScalerUnit], ScalerUnit]:
    """Return scaler and unit of each object that a scaler profile captures.

    captured: its capture_objects. entry: the cells of its row. Cells that are no scaler and unit are passed over.
    """
    found = {}
    for one, cell in zip(captured, entry, strict=False):
        held, reference = scaler_unit_in(cell), scaler_unit_captured(one)
        if held is not None and reference is not None:
            found[reference] = held
    return found
